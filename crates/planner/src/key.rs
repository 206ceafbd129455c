//! The key of a table's records: what names one of them in a path, and who makes it. A table comes in, its key goes out; keys of
//! several columns, and of values that no path can hold, are none.

use crate::table::column_name;
use plan::Table;
use plan::database::ColumnDefault;
use vocab::{ColumnName, FieldName, FieldType, TableName};

/// What names a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    pub column: ColumnName,
    pub field_type: FieldType,
    pub origin: Origin,
}

/// Who makes the key of a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The server, before the record is stored: a UUID.
    Server,
    /// The database, when the record is stored: the next number.
    Database,
    /// Whoever makes the record.
    Client,
}

impl RecordKey {
    /// The key of the table; none where an API cannot name its records.
    pub fn of(table: &Table) -> Option<Self> {
        let [key] = &table.primary_key[..] else { return None };
        let column = table.columns.iter().find(|column| column.name == *key)?;
        let leads = table.rules.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
        let origin = match (&column.default, &column.field_type) {
            (Some(ColumnDefault::Counted), _) => Origin::Database,
            (_, FieldType::Uuid) if !leads => Origin::Server,
            _ => Origin::Client,
        };
        fits_path(&column.field_type).then(|| Self {
            column: column.name.clone(),
            field_type: column.field_type.clone(),
            origin,
        })
    }

    /// The key of the table of that name; the one that all tables have which an API makes for itself, where it is none of these.
    pub fn of_named(tables: &[Table], name: &TableName) -> Option<Self> {
        match tables.iter().find(|table| table.name == *name) {
            Some(table) => Self::of(table),
            None => Some(Self { column: column_name("id"), field_type: FieldType::Uuid, origin: Origin::Server }),
        }
    }

    pub fn field(&self) -> FieldName {
        FieldName::parse(self.column.as_str()).expect("a column's name is a field's name")
    }

    /// Whether new records have greater keys than older ones.
    pub fn grows(&self) -> bool {
        self.origin != Origin::Client
    }
}

/// Whether one value has one spelling, which a segment of a path can hold.
fn fits_path(field_type: &FieldType) -> bool {
    match field_type {
        FieldType::Integer
        | FieldType::Uuid
        | FieldType::Line { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => true,
        FieldType::Text { .. }
        | FieldType::Url
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Json => false,
    }
}
