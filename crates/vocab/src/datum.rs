//! A value at run time, as plans, databases and servers pass it on.

use crate::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One value of a column, a parameter or a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// An exact decimal number.
    Decimal(Decimal),
    /// Text; also e-mail addresses, UUIDs, dates and timestamps (`2026-01-02T03:04:05.678Z`).
    Text(String),
    /// A JSON document.
    Json(serde_json::Value),
}

impl Datum {
    /// The value as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Boolean(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            // A text: readers that make doubles of numbers would lose digits.
            Self::Decimal(value) => value.to_string().into(),
            Self::Text(value) => value.as_str().into(),
            Self::Json(value) => value.clone(),
        }
    }

    /// The value as it stands in a sentence: texts without quotes.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Text(value) => value.clone(),
            Self::Decimal(value) => value.to_string(),
            Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Json(_) => self.to_json().to_string(),
        }
    }

    /// The order of two values of one type; none between values of different types, nulls and documents.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(right)),
            (Self::Decimal(left), Self::Decimal(right)) if left.scale() == right.scale() => {
                Some(left.units().cmp(&right.units()))
            }
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Boolean(left), Self::Boolean(right)) => Some(left.cmp(right)),
            (
                Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Decimal(_) | Self::Text(_) | Self::Json(_),
                _,
            ) => None,
        }
    }
}
