//! A value at run time, as plans, databases and servers pass it on.

use serde::{Deserialize, Serialize};

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
    /// Text; also e-mail addresses, UUIDs and timestamps (`2026-01-02T03:04:05.678Z`).
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
            Self::Text(value) => value.as_str().into(),
            Self::Json(value) => value.clone(),
        }
    }
}
