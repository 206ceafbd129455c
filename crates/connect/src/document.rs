//! Bodies that providers send, as documents that paths lead into. Bytes and how they are written come in; nothing of what cannot be
//! read goes out.

mod xml;

#[cfg(test)]
mod tests;

use manifest::provider::AnswerFormat;
use serde_json::{Map, Value};

/// Why a body is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no {0}")]
pub struct Unreadable(&'static str);

/// Some providers begin JSON with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The document that a body is. A body of nothing is no document but null.
///
/// # Errors
/// [`Unreadable`]
pub fn read(format: AnswerFormat, body: &[u8]) -> Result<Value, Unreadable> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    match format {
        AnswerFormat::Json => serde_json::from_slice(body).map_err(|_| Unreadable("JSON")),
        AnswerFormat::Form => Ok(form(body)),
        AnswerFormat::Xml => xml::read(body).ok_or(Unreadable("XML")),
        AnswerFormat::Text => Ok(Value::String(String::from_utf8_lossy(body).into_owned())),
        AnswerFormat::Rows => Err(Unreadable("answer of HTTP")),
    }
}

/// Names and values; a name that stands there more than once has a list.
fn form(body: &[u8]) -> Value {
    let mut members = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = Value::String(value.into_owned());
        add(&mut members, name.into_owned(), value);
    }
    Value::Object(members)
}

/// Adds a member; a second one of the same name makes a list of them.
fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}
