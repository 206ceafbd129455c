//! The tables that every API brings with it: the outbox and the API keys.

use crate::database::{Column, Nullability, Sensitivity, Table};
use vocab::{ColumnName, FieldType, TableName};

/// Events, written in the transaction of the change they tell of.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn outbox_events() -> Table {
    Table {
        name: table_name("outbox_events"),
        comment: "events, written in the transaction of the change they tell of".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "also the order of events"),
            required("name", FieldType::Line { max: 63 }, Sensitivity::Plain, "what happened"),
            required("payload", FieldType::Json, Sensitivity::Personal, "what there is to know about it"),
            required("occurred_at", FieldType::Timestamp, Sensitivity::Plain, "when"),
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
    }
}

/// API keys: never the key, only its hash.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn api_keys() -> Table {
    Table {
        name: table_name("api_keys"),
        comment: "API keys by their hash; the key itself is shown once and kept nowhere".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "names the key in logs and limits"),
            required("name", FieldType::Line { max: 100 }, Sensitivity::Plain, "who uses it"),
            required("hint", FieldType::Line { max: 8 }, Sensitivity::Plain, "its first characters"),
            required("hash", FieldType::Line { max: 64 }, Sensitivity::Secret, "SHA-256, lower-case hex"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made"),
            Column {
                nullability: Nullability::Nullable,
                ..required("revoked_at", FieldType::Timestamp, Sensitivity::Plain, "when it stopped being good")
            },
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("hash")]],
    }
}

fn required(name: &str, field_type: FieldType, sensitivity: Sensitivity, comment: &str) -> Column {
    Column {
        name: column_name(name),
        field_type,
        nullability: Nullability::NotNull,
        default: None,
        sensitivity,
        comment: comment.to_owned(),
    }
}

fn table_name(text: &str) -> TableName {
    TableName::parse(text).expect("a literal that is a name")
}

fn column_name(text: &str) -> ColumnName {
    ColumnName::parse(text).expect("a literal that is a name")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_can_be_built() {
        assert_eq!(super::outbox_events().columns.len(), 4);
        assert_eq!(super::api_keys().columns.len(), 6);
    }
}
