//! Collections as commands, and as a server shows them: validators, indexes, documents that are embedded.

use super::{EMBEDDED_MAX, ID, compared_field, field, literal, run};
use crate::name;
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, Embedded, Index, LockClass, Nullability, ObservedColumn, ObservedIndex,
    ObservedRule, ObservedTable, Statement, Table, Times, Undo, Uniqueness,
};
use serde_json::{Map, Value, json};
use vocab::{ColumnName, Comparator, Datum, FieldType};

/// Collections, then their indexes.
pub fn create_tables(tables: &[Table]) -> Vec<Statement> {
    let mut statements: Vec<Statement> = tables.iter().map(create_table).collect();
    for table in tables {
        statements.extend(sets(table).into_iter().map(|columns| create_set(table, &columns)));
        statements.extend(table.rules.indexes.iter().map(|index| create_index(table, index)));
        statements.extend(create_embedded_indexes(table));
    }
    statements
}

/// The indexes of what documents hold: by them it is found in which document something is.
pub fn create_embedded_indexes(table: &Table) -> impl Iterator<Item = Statement> {
    table.rules.embedded.iter().flat_map(move |embedded| {
        embedded.table.rules.indexes.iter().map(move |index| {
            let key: Map<String, Value> =
                embedded_columns(embedded, index).into_iter().map(|field| (field, json!(1))).collect();
            let command = json!({ "createIndexes": table.name, "indexes": [{ "key": key, "name": index.name }] });
            let undo = undo_index(table, index.name.as_str());
            statement(&command, format!("{}: {}", index.name, index.why), LockClass::SchemaChanges, undo)
        })
    })
}

fn embedded_columns(embedded: &Embedded, index: &Index) -> Vec<String> {
    index.columns.iter().map(|column| format!("{}.{column}", embedded.field)).collect()
}

pub fn create_table(table: &Table) -> Statement {
    statement(
        &json!({ "create": table.name, "validator": validator(table) }),
        format!("{}: {}", table.name, table.comment),
        LockClass::NewObject,
        Undo::Statement(run(&json!({ "drop": table.name }))),
    )
}

/// Whoever runs it knows that what is there already is no failure.
pub fn create_index(table: &Table, index: &Index) -> Statement {
    let unique = index.uniqueness == Uniqueness::Unique;
    let command = index_command(table, index.name.as_str(), &index.columns, unique);
    statement(
        &command,
        format!("{}: {}", index.name, index.why),
        LockClass::SchemaChanges,
        undo_index(table, index.name.as_str()),
    )
}

pub fn create_set(table: &Table, columns: &[ColumnName]) -> Statement {
    let name = set_index_name(table.name.as_str(), &texts(columns));
    let command = index_command(table, &name, columns, true);
    let why = format!("{name}: {} is there once", texts(columns).join(" + "));
    statement(&command, why, LockClass::SchemaChanges, undo_index(table, &name))
}

fn undo_index(table: &Table, name: &str) -> Undo {
    Undo::Statement(run(&json!({ "dropIndexes": table.name, "index": name })))
}

pub fn statement(command: &Value, why: String, lock: LockClass, undo: Undo) -> Statement {
    Statement::new(run(command), why, lock, undo)
}

/// Documents without the value are no part of a unique index: any number may lack it.
fn index_command(table: &Table, name: &str, columns: &[ColumnName], unique: bool) -> Value {
    let key: Map<String, Value> = columns.iter().map(|column| (compared_field(table, column), json!(1))).collect();
    let mut index = json!({ "key": key, "name": name });
    let may_lack = columns.iter().any(|column| {
        table.columns.iter().any(|known| known.name == *column && known.nullability == Nullability::Nullable)
    });
    if unique {
        index["unique"] = json!(true);
        if may_lack {
            index["sparse"] = json!(true);
        }
    }
    json!({ "createIndexes": table.name, "indexes": [index] })
}

/// What is unique besides the key of a document: the key itself where it is of several columns, or an address, which is the same in
/// capitals.
fn sets(table: &Table) -> Vec<Vec<ColumnName>> {
    let is_one = |column: &ColumnName| compared_field(table, column) == ID;
    let key = (!matches!(&table.primary_key[..], [only] if is_one(only))).then(|| table.primary_key.clone());
    let key = key.filter(|key| !key.is_empty());
    key.into_iter().chain(table.unique.iter().cloned()).collect()
}

/// The index that keeps a set of columns unique.
#[must_use]
pub fn set_index_name(table: &str, columns: &[String]) -> String {
    let columns = columns.join("_");
    name::joined(&[table, &columns], "key")
}

/// Whether an index keeps a set of columns unique, rather than being one of its own.
#[must_use]
pub fn is_set_index(table: &str, index: &ObservedIndex) -> bool {
    index.uniqueness == Uniqueness::Unique && index.name == set_index_name(table, &index.columns)
}

/// What a server holds each document to.
pub fn validator(table: &Table) -> Value {
    let mut schema = object(table, None);
    schema["description"] = json!(table.comment);
    let mut validator = json!({ "$jsonSchema": schema });
    let against = against(table);
    if !against.is_empty() {
        validator["$expr"] = json!({ "$and": against });
    }
    validator
}

/// The documents of a table; `without` is the column that leads to the one that they are embedded in.
fn object(table: &Table, without: Option<&ColumnName>) -> Value {
    let name = |column: &ColumnName| if without.is_some() { column.to_string() } else { field(table, column) };
    let columns: Vec<&Column> = table.columns.iter().filter(|column| Some(&column.name) != without).collect();
    let required = columns.iter().filter(|column| column.nullability == Nullability::NotNull);
    let required: Vec<String> = required.map(|column| name(&column.name)).collect();
    let mut properties = Map::new();
    for column in columns {
        let checks = table.rules.checks.iter().filter(|check| check.column == column.name);
        let mut property = property(&column.field_type, checks);
        if name(&column.name) == ID {
            property["title"] = json!(column.name);
        }
        property["description"] = json!(crate::relational::column_comment(column));
        properties.insert(name(&column.name), property);
    }
    for embedded in &table.rules.embedded {
        properties.insert(embedded.field.to_string(), embedded_property(embedded));
    }
    json!({ "bsonType": "object", "required": required, "properties": properties })
}

fn embedded_property(embedded: &Embedded) -> Value {
    let item = object(&embedded.table, Some(&embedded.by));
    let mut property = match embedded.is_one() {
        true => item,
        false => json!({ "bsonType": "array", "maxItems": EMBEDDED_MAX, "items": item }),
    };
    property["description"] = json!(embedded.table.comment);
    property
}

fn property<'c>(field_type: &FieldType, checks: impl Iterator<Item = &'c Check>) -> Value {
    let mut property = match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Email | FieldType::Phone | FieldType::Url => {
            json!({ "bsonType": "string", "maxLength": field_type.max_length() })
        }
        FieldType::Choice { words } => json!({ "bsonType": "string", "enum": words }),
        FieldType::Code { letters } => json!({ "bsonType": "string", "pattern": format!("^[A-Z]{{{letters}}}$") }),
        FieldType::Integer => json!({ "bsonType": ["int", "long"] }),
        // In units of its last digit: `multipleOf` tells readers nothing, so the description does.
        FieldType::Decimal { scale } => {
            json!({ "bsonType": ["int", "long"], "title": format!("in units of 10^-{scale}") })
        }
        FieldType::Boolean => json!({ "bsonType": "bool" }),
        FieldType::Date => json!({ "bsonType": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
        FieldType::Timestamp => json!({ "bsonType": "date" }),
        FieldType::Uuid => json!({ "bsonType": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }),
        FieldType::Json => json!({ "bsonType": ["object", "array"] }),
    };
    for check in checks {
        match &check.rule {
            CheckRule::Range { minimum, maximum } => {
                if let Some(least) = minimum {
                    property["minimum"] = literal(least, field_type);
                }
                if let Some(most) = maximum {
                    property["maximum"] = literal(most, field_type);
                }
            }
            CheckRule::OneOf(words) => property["enum"] = json!(words),
            CheckRule::Length { at_most } => property["maxLength"] = json!(at_most),
            CheckRule::Capitals { letters } => property["pattern"] = json!(format!("^[A-Z]{{{letters}}}$")),
            CheckRule::NotBlank => property["pattern"] = json!("[^ ]"),
            CheckRule::Against { .. } => {}
        }
    }
    property
}

/// Rules between two fields of a document, which a schema has no words for. One of which a side is absent, which counts as less than
/// everything but null, passes.
fn against(table: &Table) -> Vec<Value> {
    let rules = table.rules.checks.iter().filter_map(|check| match &check.rule {
        CheckRule::Against { comparator, other } => Some((check, comparator, other)),
        CheckRule::Range { .. }
        | CheckRule::OneOf(_)
        | CheckRule::Length { .. }
        | CheckRule::Capitals { .. }
        | CheckRule::NotBlank => None,
    });
    let rule = |(check, comparator, other): (&Check, &Comparator, &ColumnName)| {
        let operator = match comparator {
            Comparator::MoreThan => "$gt",
            Comparator::AtLeast => "$gte",
            Comparator::LessThan => "$lt",
            Comparator::AtMost => "$lte",
        };
        let [left, right] = [&check.column, other].map(|column| format!("${}", field(table, column)));
        json!({ "$or": [{ "$lte": [left, null] }, { "$lte": [right, null] }, { operator: [left, right] }] })
    };
    rules.map(rule).collect()
}

/// What a new document holds of the column where nobody says it. MongoDB has no defaults: whoever writes puts them in.
pub fn default(column: &Column) -> Option<Value> {
    column.default.as_ref().map(|default| match default {
        ColumnDefault::Value(datum) => literal(datum, &column.field_type),
        ColumnDefault::Now if column.field_type == FieldType::Date => json!({ "$made": "today" }),
        ColumnDefault::Now => json!({ "$made": "now" }),
        ColumnDefault::NewId => json!({ "$made": "id" }),
        ColumnDefault::Counted => json!({ "$made": "count" }),
    })
}

/// What documents that are there get for a new column; none where they get nothing, or each would need another.
pub fn backfill(column: &Column) -> Option<Value> {
    match &column.default {
        Some(ColumnDefault::Value(Datum::Null)) | None => None,
        Some(ColumnDefault::Value(datum)) => Some(literal(datum, &column.field_type)),
        Some(ColumnDefault::Now) => {
            Some(json!({ "$made": if column.field_type == FieldType::Date { "today" } else { "now" } }))
        }
        Some(ColumnDefault::NewId | ColumnDefault::Counted) => None,
    }
}

/// Whether whoever changes a document also changes its time and its version.
pub fn keeps_times(table: &Table) -> bool {
    table.rules.times == Times::KeptByDatabase
}

fn texts(columns: &[ColumnName]) -> Vec<String> {
    columns.iter().map(ToString::to_string).collect()
}

pub fn described(table: &Table) -> ObservedTable {
    let described = described_validator(table.name.as_str(), &validator(table));
    let index =
        |name: String, columns: &[ColumnName], uniqueness| ObservedIndex { name, columns: texts(columns), uniqueness };
    let mut indexes: Vec<ObservedIndex> = table
        .rules
        .indexes
        .iter()
        .map(|known| index(known.name.to_string(), &known.columns, known.uniqueness))
        .collect();
    for embedded in &table.rules.embedded {
        indexes.extend(embedded.table.rules.indexes.iter().map(|known| ObservedIndex {
            name: known.name.to_string(),
            columns: embedded_columns(embedded, known),
            uniqueness: Uniqueness::Repeating,
        }));
    }
    indexes.sort_by(|left, right| left.name.cmp(&right.name));
    // A key of several columns is known by its index.
    let kept = sets(table).into_iter().filter(|columns| columns.len() == 1 || *columns != table.primary_key);
    let mut unique: Vec<Vec<String>> = kept.map(|columns| texts(&columns)).collect();
    unique.sort();
    ObservedTable { primary_key: texts(&table.primary_key), unique, indexes, ..described }
}

/// Whether the field holds documents of ours, and not what somebody else has made up.
fn is_embedded(property: &Value) -> bool {
    property["bsonType"] == "object" || property["items"]["bsonType"] == "object"
}

/// A collection as its validator describes it: `store` adds its indexes, and the key where that is of several columns.
#[must_use]
pub fn described_validator(name: &str, validator: &Value) -> ObservedTable {
    let schema = &validator["$jsonSchema"];
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let title = |property: &Value| property["title"].as_str().map(str::to_owned);
    let key = properties.get(ID).and_then(title);
    let (embedded, fields): (Vec<_>, Vec<_>) = properties.iter().partition(|(_, property)| is_embedded(property));
    let columns = fields.into_iter().map(|(field, property)| {
        let mut kind = property.clone();
        if let Some(kind) = kind.as_object_mut() {
            kind.remove("description");
            if field == ID {
                kind.remove("title");
            }
        }
        ObservedColumn {
            name: super::column_of(field, key.as_deref()),
            sql_type: kind.to_string(),
            nullability: if required.contains(&field.as_str()) { Nullability::NotNull } else { Nullability::Nullable },
            collation: String::new(),
            default: None,
            comment: property["description"].as_str().map(str::to_owned),
        }
    });
    let rule = |name: &str, text: &Value| ObservedRule { name: name.to_owned(), text: text.to_string() };
    let mut checks: Vec<ObservedRule> = embedded.into_iter().map(|(field, property)| rule(field, property)).collect();
    checks.extend(validator.get("$expr").map(|text| rule("$expr", text)));
    checks.sort();
    ObservedTable {
        name: name.to_owned(),
        columns: columns.collect(),
        primary_key: key.iter().cloned().collect(),
        unique: Vec::new(),
        foreign_keys: Vec::new(),
        checks,
        indexes: Vec::new(),
        triggers: Vec::new(),
        comment: schema["description"].as_str().map(str::to_owned),
    }
}
