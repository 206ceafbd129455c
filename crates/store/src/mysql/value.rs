//! A value as a parameter: texts for everything that the statement makes its own type of.

use mysql_async::{Params, Value};
use vocab::Datum;

/// The values of a statement's placeholders.
pub fn parameters(values: &[Datum]) -> Params {
    if values.is_empty() {
        return Params::Empty;
    }
    Params::Positional(values.iter().map(parameter).collect())
}

fn parameter(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::NULL,
        Datum::Boolean(value) => Value::Int(i64::from(*value)),
        Datum::Integer(value) => Value::Int(*value),
        Datum::Decimal(value) => Value::Bytes(value.to_string().into_bytes()),
        Datum::Text(value) => Value::Bytes(value.clone().into_bytes()),
        Datum::Json(value) => Value::Bytes(value.to_string().into_bytes()),
    }
}
