//! Whether a body has the declared shape: `docs/http-manners.md`, section Validation.

use plan::shape::{Presence, Shape};
use serde_json::Value as Json;
use vocab::field_type::EMAIL_MAX;
use vocab::{Datum, FieldName, FieldType};

/// Most entries of one answer.
const MAX_ENTRIES: usize = 100;
/// Deepest body.
pub(crate) const MAX_DEPTH: usize = 32;

/// A shape made ready to check bodies.
pub(crate) struct Check {
    shape: Shape,
    pub max_body_bytes: u64,
}

/// One wrong field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Wrong {
    fn new(name: &str, code: &'static str, detail: impl Into<String>) -> Self {
        // RFC 6901: `~` and `/` inside a name are escaped.
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Self { pointer, code, detail: detail.into() }
    }
}

impl Check {
    pub fn new(shape: &Shape, max_body_bytes: u64) -> Self {
        Self { shape: shape.clone(), max_body_bytes }
    }

    /// The record in the shape's order, or everything that is wrong.
    pub fn record(&self, body: &Json) -> Result<Vec<Datum>, Vec<Wrong>> {
        let Json::Object(object) = body else {
            return Err(vec![Wrong { pointer: String::new(), code: "type", detail: "must be an object".to_owned() }]);
        };
        let mut wrong = Vec::new();
        let mut record = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            match value(&field.name, field.field_type, field.min_length, object.get(field.name.as_str())) {
                Ok(Datum::Null) if field.presence == Presence::Required => {
                    wrong.push(Wrong::new(field.name.as_str(), "required", "is required"));
                }
                Ok(datum) => record.push(datum),
                Err(entry) => wrong.push(entry),
            }
        }
        let known = |name: &str| self.shape.fields.iter().any(|field| field.name.as_str() == name);
        wrong.extend(
            object
                .keys()
                .filter(|name| !known(name))
                .map(|name| Wrong::new(name, "unknown_field", "is not a known field")),
        );
        wrong.truncate(MAX_ENTRIES);
        if wrong.is_empty() { Ok(record) } else { Err(wrong) }
    }
}

/// The field's value; null for one that is absent, null or empty.
fn value(name: &FieldName, field_type: FieldType, min_length: u32, given: Option<&Json>) -> Result<Datum, Wrong> {
    let wrong = |code, detail: &str| Err(Wrong::new(name.as_str(), code, detail));
    let given = match given {
        None | Some(Json::Null) => return Ok(Datum::Null),
        Some(given) => given,
    };
    match field_type {
        FieldType::Integer => match whole_number(given) {
            Some(number) => Ok(Datum::Integer(number)),
            None => wrong("type", "must be a whole number"),
        },
        FieldType::Boolean => match given {
            Json::Bool(value) => Ok(Datum::Boolean(*value)),
            _ => wrong("type", "must be true or false"),
        },
        FieldType::Json => Ok(Datum::Json(given.clone())),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Timestamp
        | FieldType::Uuid => match given {
            Json::String(text) => text_value(name, field_type, min_length, text),
            _ => wrong("type", "must be a string"),
        },
    }
}

/// A number without a fraction that every JSON reader holds exactly: `1`, `1.0`, up to 2^53 - 1 on either side.
fn whole_number(given: &Json) -> Option<i64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    let number = given.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MAX_SAFE)?;
    #[allow(clippy::cast_possible_truncation)] // a whole number within 2^53
    Some(number as i64)
}

fn text_value(name: &FieldName, field_type: FieldType, min_length: u32, text: &str) -> Result<Datum, Wrong> {
    let text = text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    let wrong = |code, detail: String| Err(Wrong::new(name.as_str(), code, detail));
    if text.is_empty() {
        return Ok(Datum::Null);
    }
    let several_lines = matches!(field_type, FieldType::Text { .. });
    if text.bytes().any(|byte| byte == 0x7f || byte < 0x20 && !(several_lines && matches!(byte, b'\t' | b'\n' | b'\r')))
    {
        return wrong("invalid_character", "must not contain control characters".to_owned());
    }
    let length = text.chars().count();
    // An address that is too long is no address: its greatest length is part of the format.
    let max = field_type.max_length().filter(|_| field_type != FieldType::Email);
    if let Some(max) = max.filter(|max| length > *max as usize) {
        return wrong("too_long", format!("must have at most {max} characters"));
    }
    if length < min_length as usize {
        return wrong("too_short", format!("must have at least {min_length} characters"));
    }
    let (right, expected) = match field_type {
        FieldType::Email => (is_email(text), "an e-mail address"),
        FieldType::Phone => (is_phone(text), "a telephone number"),
        FieldType::Url => (is_url(text), "a URL"),
        FieldType::Timestamp => (text.parse::<jiff::Timestamp>().is_ok(), "a time such as 2026-01-02T03:04:05Z"),
        FieldType::Uuid => (uuid::Uuid::try_parse(text).is_ok() && text.len() == 36, "a UUID"),
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Integer | FieldType::Boolean | FieldType::Json => {
            (true, "")
        }
    };
    if right { Ok(Datum::Text(text.to_owned())) } else { wrong("format", format!("must be {expected}")) }
}

/// <https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address>, with a dot in the domain.
fn is_email(text: &str) -> bool {
    if text.len() > EMAIL_MAX as usize {
        return false;
    }
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty() && local.bytes().all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (5..=20).contains(&digits) && rest.bytes().all(|byte| byte.is_ascii_digit() || b" -.()".contains(&byte))
}

fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    text.split_once("://")
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// How deep the arrays and objects of a body are nested.
pub(crate) fn depth(body: &Json) -> usize {
    match body {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "ada.lovelace+x@mail.example.com", "o'neil@example.ie"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["a", "a@b", "@b.co", "a@.co", "a@b..co", "a@-b.co", "a b@c.de", "a@b.c@d.e", "ä@b.co", "a@b_c.de"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn telephone_numbers() {
        for good in ["+44 20 7946 0018", "(030) 1234-5678", "12345", "030.123.45"] {
            assert!(is_phone(good), "{good}");
        }
        for bad in ["1234", "+", "12a45", "++12345", "123456789012345678901", "12345+"] {
            assert!(!is_phone(bad), "{bad}");
        }
    }

    #[test]
    fn whole_numbers() {
        for (given, expected) in [
            ("1", Some(1)),
            ("1.0", Some(1)),
            ("-9007199254740991", Some(-9_007_199_254_740_991)),
            ("9007199254740992", None),
            ("1.5", None),
            ("\"1\"", None),
        ] {
            assert_eq!(whole_number(&serde_json::from_str(given).unwrap()), expected, "{given}");
        }
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        assert_eq!(depth(&serde_json::json!(1)), 0);
        assert_eq!(depth(&serde_json::json!({"a": [{}], "b": 1})), 3);
    }
}
