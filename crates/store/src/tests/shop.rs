//! Two tables with every kind of rule, for the tests of every engine.

use plan::database::{
    Check, CheckRule, Column, ColumnDefault, Compared, ForeignKey, Index, Nullability, OnDelete, Rules, Sensitivity,
    Table, Times, Uniqueness,
};
use vocab::{ColumnName, ConstraintName, Datum, FieldType, IndexName, TableName};

fn name(text: &str) -> ColumnName {
    ColumnName::parse(text).unwrap()
}

fn constraint(text: &str) -> ConstraintName {
    ConstraintName::parse(text).unwrap()
}

fn column(text: &str, field_type: FieldType, default: Option<ColumnDefault>) -> Column {
    Column {
        name: name(text),
        field_type,
        nullability: Nullability::NotNull,
        default,
        sensitivity: Sensitivity::Plain,
        comment: format!("the column's {text}, isn't it"),
    }
}

fn table(text: &str, columns: Vec<Column>) -> Table {
    let mut all = vec![column("id", FieldType::Uuid, Some(ColumnDefault::NewId))];
    all.extend(columns);
    all.push(column("created_at", FieldType::Timestamp, Some(ColumnDefault::Now)));
    all.push(column("updated_at", FieldType::Timestamp, Some(ColumnDefault::Now)));
    all.push(column("row_version", FieldType::Integer, Some(ColumnDefault::Value(Datum::Integer(1)))));
    Table {
        name: TableName::parse(text).unwrap(),
        comment: "what it's for".to_owned(),
        columns: all,
        primary_key: vec![name("id")],
        unique: Vec::new(),
        rules: Rules { times: Times::KeptByDatabase, ..Rules::default() },
    }
}

/// People, and orders of theirs; the name of the second is a keyword.
pub fn shop() -> Vec<Table> {
    let mut people = table("people", vec![column("email", FieldType::Email, None)]);
    people.unique = vec![vec![name("email")]];
    let parent = Column { nullability: Nullability::Nullable, ..column("parent_id", FieldType::Uuid, None) };
    let words = vec!["open".to_owned(), "it's done".to_owned()];
    let mut orders = table(
        "order",
        vec![
            column("person_id", FieldType::Uuid, None),
            parent,
            column("status", FieldType::Line { max: 20 }, Some(ColumnDefault::Value(Datum::Text("open".to_owned())))),
            column("quantity", FieldType::Integer, None),
            column("is_gift", FieldType::Boolean, Some(ColumnDefault::Value(Datum::Boolean(false)))),
            column("extra", FieldType::Json, Some(ColumnDefault::Value(Datum::Json(serde_json::json!({ "a": 1 }))))),
        ],
    );
    let key = |text: &str, from: &str, to: &Table, on_delete| ForeignKey {
        name: constraint(text),
        columns: vec![name(from)],
        table: to.name.clone(),
        target: vec![name("id")],
        on_delete,
        why: "it belongs there".to_owned(),
    };
    let check = |text: &str, on: &str, rule| Check { name: constraint(text), column: name(on), rule };
    let bound = |number| Some(Datum::Integer(number));
    let index = |text: &str, columns: &[&str], uniqueness| Index {
        name: IndexName::parse(text).unwrap(),
        columns: columns.iter().map(|column| name(column)).collect(),
        uniqueness,
        compared: Compared::Values,
        why: "it is looked for".to_owned(),
    };
    let by_address = index("people_email_order_idx", &["email", "id"], Uniqueness::Repeating);
    people.rules.indexes.push(Index { compared: Compared::Order, ..by_address });
    orders.rules = Rules {
        overlaps: Vec::new(),
        embedded: Vec::new(),
        foreign_keys: vec![
            key("order_person_id_fkey", "person_id", &people, OnDelete::Restrict),
            key("order_parent_id_fkey", "parent_id", &orders, OnDelete::SetNull),
        ],
        checks: vec![
            check("order_status_words", "status", CheckRule::OneOf(words)),
            check("order_status_length", "status", CheckRule::Length { at_most: 20 }),
            check("order_quantity_range", "quantity", CheckRule::Range { minimum: bound(1), maximum: bound(99) }),
        ],
        indexes: vec![
            index("order_person_id_idx", &["person_id", "created_at"], Uniqueness::Repeating),
            index("order_parent_id_status_key", &["parent_id", "status"], Uniqueness::Unique),
        ],
        times: Times::KeptByDatabase,
    };
    vec![people, orders]
}
