//! What a value must be to be taken, as JSON Schema: the rules of `docs/http-manners.md`, section Validation, told exactly.
//! Patterns are ECMA-262 and say the whole rule.

use super::operation::Writer;
use super::schema::type_schema;
use serde_json::Value;
use vocab::FieldType;

/// White space that is dropped off both ends.
const SPACE: &str = r"[\t-\r ]*";
/// A character of a text of one line.
const OF_LINE: &str = r"[^\x00-\x1f\x7f]";
/// A character of a text of several lines.
const OF_TEXT: &str = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]";
/// A character that a text may end with: neither a control character nor white space that is dropped.
const AT_END: &str = r"[^\x00-\x20\x7f]";
/// <https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address>, with a dot in the domain.
const EMAIL: &str = r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+";
const PHONE: &str = r"\+?[ .()-]*(?:[0-9][ .()-]*){5,20}";
const URL: &str = r"[Hh][Tt][Tt][Pp][Ss]?://[^\s\x00-\x1f\x7f\u0085\ufeff]+";
const TIMESTAMP: &str = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";

/// A value that is there: a required field, or a filter.
pub fn value_schema(field_type: FieldType, min_length: u32) -> Value {
    let mut schema = bare(field_type);
    if field_type.max_length().is_some() {
        schema["minLength"] = min_length.max(1).into();
    }
    if let Some(content) = content(field_type, min_length) {
        schema["pattern"] = padded(field_type, &content).into();
    }
    schema
}

impl Writer {
    /// A value that may also be null, or a text that is empty and counts as absent.
    pub fn optional_schema(&self, field_type: FieldType, min_length: u32) -> Value {
        let mut schema = bare(field_type);
        let pattern = match (field_type, min_length) {
            (FieldType::Line { .. }, 0 | 1) => Some(format!("{OF_LINE}*")),
            (FieldType::Text { .. }, 0 | 1) => Some(format!("{OF_TEXT}*")),
            (FieldType::Timestamp, _) => Some(TIMESTAMP.to_owned()),
            (_, _) => content(field_type, min_length).map(|content| format!("(?:{content})?")),
        };
        if let Some(pattern) = pattern {
            schema["pattern"] = padded(field_type, &pattern).into();
        }
        self.nullable(&mut schema);
        schema
    }
}

/// The schema without what keeps it from being empty.
fn bare(field_type: FieldType) -> Value {
    let mut schema = type_schema(field_type);
    if let Some(max) = field_type.max_length() {
        schema["maxLength"] = max.into();
    }
    schema
}

/// The pattern of the whole text: white space around a time is not dropped.
fn padded(field_type: FieldType, content: &str) -> String {
    if field_type == FieldType::Timestamp { format!("^{content}$") } else { format!("^{SPACE}{content}{SPACE}$") }
}

/// What stands between the white space, where that is not said by `format` alone.
fn content(field_type: FieldType, min_length: u32) -> Option<String> {
    let text = |character: &str| match min_length {
        0 | 1 => format!("{AT_END}{character}*"),
        _ => format!("{AT_END}{character}{{{},}}{AT_END}", min_length - 2),
    };
    let long_enough = |format: &str| match min_length {
        0 | 1 => format.to_owned(),
        _ => format!("(?={OF_LINE}{{{min_length}}}){format}"),
    };
    match field_type {
        FieldType::Line { .. } => Some(text(OF_LINE)),
        FieldType::Text { .. } => Some(text(OF_TEXT)),
        FieldType::Email => Some(long_enough(EMAIL)),
        FieldType::Phone => Some(long_enough(PHONE)),
        FieldType::Url => Some(long_enough(URL)),
        FieldType::Timestamp => Some(TIMESTAMP.to_owned()),
        FieldType::Integer | FieldType::Boolean | FieldType::Uuid | FieldType::Json => None,
    }
}
