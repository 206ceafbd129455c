//! Values on their way: JSON of a plan and data of a request become BSON, and back. Nothing is taken for more than it is: a document that
//! looks like a type of BSON stays a document.

use crate::StoreError;
use ::mongodb::bson::{Bson, DateTime, Document};
use serde_json::{Map, Value};
use vocab::Datum;

/// JSON as BSON.
pub fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => integer(whole),
            None => Bson::Double(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson).collect()),
        Value::Object(fields) => Bson::Document(document(fields)),
    }
}

pub fn document(fields: &Map<String, Value>) -> Document {
    fields.iter().map(|(name, value)| (name.clone(), bson(value))).collect()
}

/// Small numbers as commands want them.
fn integer(whole: i64) -> Bson {
    i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32)
}

/// BSON as JSON.
pub fn json(value: &Bson) -> Value {
    match value {
        Bson::Boolean(value) => (*value).into(),
        Bson::Int32(value) => (*value).into(),
        Bson::Int64(value) => (*value).into(),
        Bson::Double(value) if value.fract() == 0.0 && value.abs() < 9e15 => (*value as i64).into(),
        Bson::Double(value) => (*value).into(),
        Bson::String(value) => value.as_str().into(),
        Bson::DateTime(value) => moment(*value).into(),
        Bson::ObjectId(value) => value.to_hex().into(),
        Bson::Array(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Bson::Document(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        _ => Value::Null,
    }
}

/// `2026-01-02T03:04:05.678Z`.
fn moment(value: DateTime) -> String {
    let micros = value.timestamp_millis().checked_mul(1000);
    micros.and_then(vocab::utc_text).unwrap_or_default()
}

/// A text as a time; none where it is no time.
pub fn date(text: &str) -> Option<Bson> {
    let millis = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_millisecond(),
        // The last hours of all are beyond what an offset could be taken from.
        Err(_) => {
            let time: jiff::civil::DateTime = text.strip_suffix('Z')?.parse().ok()?;
            let since = time.duration_since(jiff::civil::DateTime::new(1970, 1, 1, 0, 0, 0, 0).ok()?);
            i64::try_from(since.as_millis()).ok()?
        }
    };
    Some(Bson::DateTime(DateTime::from_millis(millis)))
}

/// A datum as it is stored.
pub fn stored(datum: &Datum) -> Bson {
    match datum {
        Datum::Null => Bson::Null,
        Datum::Boolean(value) => Bson::Boolean(*value),
        Datum::Integer(value) => Bson::Int64(*value),
        // In units of its last digit: exact, and in order.
        Datum::Decimal(value) => Bson::Int64(value.units()),
        Datum::Text(value) => Bson::String(value.clone()),
        Datum::Json(value) => bson(value),
    }
}

/// What a field holds, as the other engines give it. `kind` is `json` where it holds a document of somebody's own.
pub fn datum(value: Option<&Bson>, kind: &str) -> Result<Datum, StoreError> {
    Ok(match value {
        None | Some(Bson::Null) => Datum::Null,
        Some(value) if kind == "json" => Datum::Text(json(value).to_string()),
        Some(Bson::Boolean(value)) => Datum::Integer(i64::from(*value)),
        Some(Bson::Int32(value)) => Datum::Integer((*value).into()),
        Some(Bson::Int64(value)) => Datum::Integer(*value),
        Some(Bson::Double(value)) if value.fract() == 0.0 && value.abs() < 9e15 => Datum::Integer(*value as i64),
        Some(Bson::String(value)) => Datum::Text(value.clone()),
        Some(Bson::DateTime(value)) => Datum::Text(moment(*value)),
        Some(Bson::ObjectId(value)) => Datum::Text(value.to_hex()),
        Some(_) => return Err(StoreError::Refused("a field holds what no plan makes".to_owned())),
    })
}
