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
        Datum::Json(value) => own(value),
    }
}

/// Stands before what it takes the place of in names of somebody's own document: a sign that the server keeps for itself, or itself.
const SIGN: char = '\u{ff04}';
/// What no name may begin with, or have in it, and what is written behind [`SIGN`] for each. The Node.js application does the same.
const SIGNS: [(char, char); 3] = [('$', 's'), ('.', 'd'), (SIGN, 'e')];

/// Somebody's own document, whose names may be anything.
fn own(value: &Value) -> Bson {
    match value {
        Value::Array(items) => Bson::Array(items.iter().map(own).collect()),
        Value::Object(fields) => {
            Bson::Document(fields.iter().map(|(name, value)| (kept_name(name), own(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => bson(value),
    }
}

fn kept_name(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    for letter in name.chars() {
        match SIGNS.iter().find(|(sign, _)| *sign == letter) {
            Some((_, word)) => kept.extend([SIGN, *word]),
            None => kept.push(letter),
        }
    }
    kept
}

/// The name that [`kept_name`] was given.
fn given_name(kept: &str) -> String {
    let mut name = String::with_capacity(kept.len());
    let mut letters = kept.chars();
    while let Some(letter) = letters.next() {
        let word = if letter == SIGN { letters.next() } else { None };
        match word {
            None => name.push(letter),
            Some(word) => match SIGNS.iter().find(|(_, known)| *known == word) {
                Some((sign, _)) => name.push(*sign),
                // Nobody here wrote it.
                None => name.extend([letter, word]),
            },
        }
    }
    name
}

/// The same as it was given.
fn given(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(given).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (given_name(&name), given(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// What a field holds, as the other engines give it. `kind` is `json` where it holds a document of somebody's own.
pub fn datum(value: Option<&Bson>, kind: &str) -> Result<Datum, StoreError> {
    Ok(match value {
        None | Some(Bson::Null) => Datum::Null,
        Some(value) if kind == "json" => Datum::Text(given(json(value)).to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_somebodys_own_document_come_back() {
        for name in ["plain", "$ne", "a.b", "$", "..", "\u{ff04}s", "\u{ff04}", "a$b\u{ff04}.", ""] {
            let kept = kept_name(name);
            assert!(!kept.contains(['$', '.']), "{kept}");
            assert_eq!(given_name(&kept), name);
            let document = json!({ name: [{ name: 1 }] });
            let stored = stored(&Datum::Json(document.clone()));
            assert_eq!(datum(Some(&stored), "json").unwrap(), Datum::Text(document.to_string()));
        }
    }
}
