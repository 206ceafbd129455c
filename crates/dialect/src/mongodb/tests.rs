//! What a collection, a query and a write become, and what is said where there are no words.

use crate::{Listing, Wanted, lower_listing, lower_listing_base, lower_query, lower_write};
use expect_test::expect;
use plan::DatabasePlan;
use plan::database::{Column, Connection, Nullability, Pool, Rules, Sensitivity, Table, Times};
use plan::query::{
    Assigned, Cardinality, Direction, Holes, OnConflict, Order, Output, Page, Predicate, Query, Related, RowLock, Write,
};
use plan::value::{Comparison, Value};
use serde_json::{Value as Json, json};
use vocab::{ColumnName, Datum, Engine, FieldName, FieldType, TableName};

fn name(text: &str) -> ColumnName {
    ColumnName::parse(text).unwrap()
}

fn table() -> Table {
    let column = |text: &str, field_type, nullability| Column {
        name: name(text),
        field_type,
        nullability,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: String::new(),
    };
    Table {
        name: TableName::parse("people").unwrap(),
        comment: "people".to_owned(),
        columns: vec![
            column("id", FieldType::Uuid, Nullability::NotNull),
            column("email", FieldType::Email, Nullability::NotNull),
            column("seen_at", FieldType::Timestamp, Nullability::Nullable),
            column("row_version", FieldType::Integer, Nullability::NotNull),
        ],
        primary_key: vec![name("id")],
        unique: vec![vec![name("email")]],
        rules: Rules { times: Times::KeptByDatabase, ..Rules::default() },
    }
}

fn database() -> DatabasePlan {
    DatabasePlan {
        engine: Engine::MongoDb,
        connection: Connection::Missing,
        tables: vec![table()],
        pool: Pool::default(),
        migrations: Vec::new(),
    }
}

fn text(value: &str) -> Value {
    Value::Literal(Datum::Text(value.to_owned()))
}

fn query(holes: Holes) -> Query {
    let output = |column: &str| Output::Column { column: name(column), field: FieldName::parse(column).unwrap() };
    Query {
        from: TableName::parse("people").unwrap(),
        outputs: vec![output("id"), output("email")],
        filter: vec![Predicate::Compare(name("email"), Comparison::Equal, text("a@example.com"))],
        order: Vec::new(),
        holes,
        lock: RowLock::None,
    }
}

#[test]
fn a_key_is_the_id_of_its_document_and_addresses_are_compared_without_case() {
    let found = lower_query(&database(), &query(Holes::default())).unwrap().text;
    expect![[r#"{"command":{"find":"people","filter":{"_folded_email":{"$eq":{"$bind":0,"as":"folded"}}},"projection":{"_id":1,"email":1}},"columns":[["_id","","id"],["email","","email"]]}"#]]
        .assert_eq(&found);
    let base = lower_listing_base(&database(), &query(Holes::default())).unwrap();
    let level = |column: &str, direction| Order { column: name(column), direction };
    let asked = Listing {
        filters: vec![Wanted::Compare(name("seen_at"), Comparison::AtLeast, Datum::Null)],
        order: vec![level("email", Direction::Descending), level("id", Direction::Ascending)],
        after: Some(vec![Datum::Null, Datum::Null]),
        offset: 0,
        limit: 3,
    };
    let (page, binds) = lower_listing(&database(), &query(Holes::default()), &base.text, &asked);
    let page: Json = serde_json::from_str(&page).unwrap();
    assert_eq!((binds.len(), &page["command"]["limit"]), (4, &json!(3)));
    assert_eq!(page["command"]["sort"], json!({ "_folded_email": -1, "_id": 1 }));
    assert_eq!(page["command"]["filter"]["$and"][1], json!({ "seen_at": { "$gte": { "$bind": 1, "as": "date" } } }));
    let behind = &page["command"]["filter"]["$and"][2]["$or"][1]["$and"][1];
    assert_eq!(*behind, json!({ "_id": { "$gt": { "$bind": 4 } } }));
}

#[test]
fn whoever_changes_a_document_raises_its_version() {
    let update = Write::Update {
        table: TableName::parse("people").unwrap(),
        set: vec![(name("seen_at"), Assigned::Value(Value::Now))],
        filter: vec![Predicate::Compare(name("id"), Comparison::Equal, text("1"))],
    };
    let changed: Json = serde_json::from_str(&lower_write(&database(), &update).unwrap().text).unwrap();
    let change = &changed["command"]["updates"][0];
    assert_eq!(change["u"]["$inc"], json!({ "row_version": 1 }));
    assert_eq!(change["u"]["$set"]["updated_at"], json!({ "$made": "now" }));
    let kept = Write::Insert {
        table: TableName::parse("people").unwrap(),
        values: vec![(name("email"), text("a@example.com"))],
        on_conflict: OnConflict::Keep { unique: vec![name("email")] },
        made: None,
    };
    let kept: Json = serde_json::from_str(&lower_write(&database(), &kept).unwrap().text).unwrap();
    assert_eq!((&kept["counts"], &kept["command"]["updates"][0]["upsert"]), (&json!("upserted"), &json!(true)));
}

#[test]
fn what_there_are_no_words_for_is_said() {
    let mut nested = query(Holes::default());
    let related = query(Holes { page: Some(Page { default: 1, max: 1 }), ..Holes::default() });
    assert!(lower_query(&database(), &related).is_err(), "a hole is not lowered quietly");
    nested.outputs.push(Output::Related(Box::new(Related {
        field: FieldName::parse("friends").unwrap(),
        local: name("id"),
        foreign: name("id"),
        cardinality: Cardinality::Many,
        through: None,
        scopes: Vec::new(),
        query: related,
    })));
    assert!(lower_query(&database(), &nested).is_err());
    let elsewhere = Query { from: TableName::parse("inside").unwrap(), ..query(Holes::default()) };
    let why = lower_query(&database(), &elsewhere).unwrap_err().to_string();
    assert!(why.contains("embedded"), "{why}");
}
