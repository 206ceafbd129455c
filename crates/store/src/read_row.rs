//! Columns of a row as what they are known to hold; anything else is refused.

use crate::{Row, StoreError};
use vocab::Datum;

fn wrong(row: &Row, index: usize) -> StoreError {
    let what = if row.len() > index { "something else than it should" } else { "nothing" };
    StoreError::Refused(format!("column {index} holds {what}"))
}

/// A text.
pub(crate) fn text(row: &Row, index: usize) -> Result<String, StoreError> {
    match row.get(index) {
        Some(Datum::Text(text)) => Ok(text.clone()),
        _ => Err(wrong(row, index)),
    }
}

/// A text, or none.
pub(crate) fn optional_text(row: &Row, index: usize) -> Result<Option<String>, StoreError> {
    match row.get(index) {
        Some(Datum::Text(text)) => Ok(Some(text.clone())),
        Some(Datum::Null) => Ok(None),
        _ => Err(wrong(row, index)),
    }
}

/// A whole number.
pub(crate) fn number(row: &Row, index: usize) -> Result<i64, StoreError> {
    match row.get(index) {
        Some(Datum::Integer(number)) => Ok(*number),
        _ => Err(wrong(row, index)),
    }
}

/// Whether; some engines say 0 or 1.
pub(crate) fn flag(row: &Row, index: usize) -> Result<bool, StoreError> {
    match row.get(index) {
        Some(Datum::Boolean(value)) => Ok(*value),
        Some(Datum::Integer(number)) => Ok(*number != 0),
        _ => Err(wrong(row, index)),
    }
}
