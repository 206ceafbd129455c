//! The table of an entity: one function for the tables that an API makes and for those of a database task, so that an API can
//! later stand on tables that a database task made. What relates tables to each other is decided elsewhere.

use catalog::Entity;
pub use catalog::OWN_COLUMNS;
use plan::Table;
use plan::database::{Column, ColumnDefault, Nullability, Rules, Sensitivity};
use vocab::{ColumnName, FieldType};

pub fn of_entity(entity: &Entity) -> Table {
    let mut columns = vec![id()];
    columns.extend(entity.fields.iter().map(column));
    columns.extend(times());
    Table {
        name: entity.table.clone(),
        comment: entity.comment.clone(),
        columns,
        primary_key: vec![column_name("id")],
        unique: entity
            .unique
            .iter()
            .map(|fields| fields.iter().map(|field| column_name(field.as_str())).collect())
            .collect(),
        rules: Rules::default(),
    }
}

/// The key of every table.
pub fn id() -> Column {
    plain("id", FieldType::Uuid, "made by the server; sorts by time")
}

/// What every table keeps of its rows' changes.
pub fn times() -> [Column; 3] {
    [
        plain("created_at", FieldType::Timestamp, "when the row was made"),
        plain("updated_at", FieldType::Timestamp, "when it was last changed"),
        plain("row_version", FieldType::Integer, "raised by each change; the tag of the record"),
    ]
}

fn column(field: &catalog::Field) -> Column {
    Column {
        name: column_name(field.name.as_str()),
        field_type: field.field_type.clone(),
        // What the entity leaves open stays nullable even where this task asks for it: another task may not.
        nullability: match (field.presence, &field.default) {
            (catalog::Presence::Required, _) | (catalog::Presence::Optional, Some(_)) => Nullability::NotNull,
            (catalog::Presence::Optional, None) => Nullability::Nullable,
        },
        default: field.default.clone().map(ColumnDefault::Value),
        sensitivity: match field.sensitivity {
            catalog::Sensitivity::Plain => Sensitivity::Plain,
            catalog::Sensitivity::Personal => Sensitivity::Personal,
            catalog::Sensitivity::Secret => Sensitivity::Secret,
        },
        comment: field.description.clone(),
    }
}

fn plain(name: &str, field_type: FieldType, comment: &str) -> Column {
    Column {
        name: column_name(name),
        field_type,
        nullability: Nullability::NotNull,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: comment.to_owned(),
    }
}

pub fn column_name(text: &str) -> ColumnName {
    ColumnName::parse(text).expect("a field's name is a column's name")
}
