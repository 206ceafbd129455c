//! Rows that stay when they are deleted: where a table has a time `deleted_at` that may be empty, it says when, and endpoints go by it.

use plan::Table;
use plan::database::Nullability;
use plan::query::Predicate;
use plan::value::Value;
use vocab::{ColumnName, FieldType};

/// What the column is called.
const DELETED_AT: &str = "deleted_at";

/// The column that says when a row of the table was deleted, where rows stay.
pub fn column(table: &Table) -> Option<&ColumnName> {
    let is_it = |column: &&plan::database::Column| {
        column.name.as_str() == DELETED_AT
            && column.field_type == FieldType::Timestamp
            && column.nullability == Nullability::Nullable
    };
    table.columns.iter().find(is_it).map(|column| &column.name)
}

/// The same at an endpoint. One whose own condition speaks of it has to do with rows that were deleted, and deletes them for good.
pub fn of_endpoint<'t>(table: &'t Table, condition: &[Predicate]) -> Option<&'t ColumnName> {
    column(table).filter(|deleted| !condition.iter().any(|predicate| speaks_of(predicate, deleted)))
}

fn speaks_of(predicate: &Predicate, column: &ColumnName) -> bool {
    let is_in = |value: &Value| matches!(value, Value::Field(_, field) if field.as_str() == column.as_str());
    match predicate {
        Predicate::Compare(known, ..) | Predicate::Null(known) => known == column,
        Predicate::Test(left, _, right) => is_in(left) || is_in(right),
        Predicate::Any(inner) | Predicate::All(inner) => inner.iter().any(|inner| speaks_of(inner, column)),
        Predicate::Not(inner) => speaks_of(inner, column),
    }
}
