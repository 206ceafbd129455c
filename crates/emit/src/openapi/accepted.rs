//! What a value must be to be taken, as JSON Schema: the rules of `docs/http-manners.md`, section Validation, told exactly.
//! Patterns are ECMA-262 and say the whole rule.

use super::operation::Writer;
use super::schema::type_schema;
use crate::outline::Body;
use plan::api::DocumentationFormat;
use plan::shape::{Presence, ShapeField};
use serde_json::{Value, json};
use vocab::decimal::DIGITS;
use vocab::field_format::BYTE_COUNT_MAX;
use vocab::{Bounds, Datum, FieldFormat, FieldType};

/// The name of a file alone, without a path.
const FILE_NAME: &str = r"(?!\.{1,2}[\t-\r ]*$)[^\x00-\x20\x7f/\\][^\x00-\x1f\x7f/\\]*";
/// RFC 6838, 4.2.
const MEDIA_TYPE: &str = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*";
const SHA256: &str = r"[0-9a-f]{64}";
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
pub fn value_schema(field_type: &FieldType, min_length: u32) -> Value {
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
    /// A value of a body's field. One that is optional may also be null, or a text that is empty and counts as absent.
    pub fn field_schema(&mut self, field: &ShapeField) -> Value {
        let mut schema = match (&field.field_type, field.presence) {
            (FieldType::Json, _) if field.entries.is_some() => self.list_schema(field),
            (FieldType::Decimal { scale }, _) => self.decimal_schema(*scale, &field.bounds.of_type(&field.field_type)),
            (FieldType::Json, _) if !field.words.is_empty() => {
                json!({"type": "array", "items": {"type": "string", "enum": field.words}, "minItems": 1, "uniqueItems": true})
            }
            (FieldType::Json, _) => self.document_schema(),
            (FieldType::Integer, _) => bounded(type_schema(&field.field_type), &field.bounds),
            (_, Presence::Required) => value_schema(&field.field_type, field.min_length),
            (_, Presence::Optional) => optional_schema(&field.field_type, field.min_length),
        };
        if let Some(max) = field.max_length {
            schema["maxLength"] = max.into();
        }
        if let Some(format) = field.format {
            narrow(&mut schema, field, format);
        }
        match field.presence {
            Presence::Required => {}
            Presence::Optional => self.nullable(&mut schema),
        }
        schema
    }

    /// A list of records, which are a component.
    fn list_schema(&mut self, field: &ShapeField) -> Value {
        let Some(entries) = &field.entries else { return json!({"type": "array", "items": {}}) };
        let body = Body::Record(&entries.shape);
        let schema = self.body_schema(body);
        let items = self.component(&body.name(), schema);
        json!({"type": "array", "items": items, "minItems": 1, "maxItems": entries.max})
    }

    /// A text with a point, or a number; neither with more decimals than are kept.
    fn decimal_schema(&self, scale: u8, bounds: &Bounds) -> Value {
        let number = bounded(json!({"type": "number", "multipleOf": 10_f64.powi(-i32::from(scale))}), bounds);
        let text = json!({"type": "string", "pattern": decimal_pattern(scale, bounds)});
        match self.format {
            DocumentationFormat::OpenApi30 => json!({"oneOf": [text, number]}),
            DocumentationFormat::OpenApi31 => {
                let mut either = number;
                either["type"] = json!(["string", "number"]);
                either["pattern"] = text["pattern"].clone();
                either
            }
        }
    }

    fn document_schema(&self) -> Value {
        match self.format {
            DocumentationFormat::OpenApi30 => json!({"oneOf": [{"type": "object"}, {"type": "array", "items": {}}]}),
            DocumentationFormat::OpenApi31 => json!({"type": ["object", "array"]}),
        }
    }
}

/// The form that a value has beside its type.
fn narrow(schema: &mut Value, field: &ShapeField, format: FieldFormat) {
    let form = match format {
        FieldFormat::FileName => FILE_NAME,
        FieldFormat::MediaType => MEDIA_TYPE,
        FieldFormat::Sha256 => SHA256,
        // Any characters, as they stand.
        FieldFormat::Password | FieldFormat::NewPassword => {
            schema["format"] = "password".into();
            if let Some(schema) = schema.as_object_mut() {
                schema.remove("pattern");
            }
            return;
        }
        FieldFormat::ByteCount => {
            let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
            let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
            schema["minimum"] = least.max(0).into();
            schema["maximum"] = most.min(BYTE_COUNT_MAX).into();
            return;
        }
    };
    let content = long_enough(form, field.min_length);
    let content = match field.presence {
        Presence::Required => content,
        Presence::Optional => format!("(?:{content})?"),
    };
    schema["pattern"] = padded(&field.field_type, &content).into();
}

fn optional_schema(field_type: &FieldType, min_length: u32) -> Value {
    let mut schema = bare(field_type);
    let pattern = match (field_type, min_length) {
        (FieldType::Line { .. }, 0 | 1) => Some(format!("{OF_LINE}*")),
        (FieldType::Text { .. }, 0 | 1) => Some(format!("{OF_TEXT}*")),
        (_, _) if is_plain(field_type) => content(field_type, min_length),
        (_, _) => content(field_type, min_length).map(|content| format!("(?:{content})?")),
    };
    if let Some(pattern) = pattern {
        schema["pattern"] = padded(field_type, &pattern).into();
    }
    schema
}

/// The schema without what keeps it from being empty.
fn bare(field_type: &FieldType) -> Value {
    let mut schema = type_schema(field_type);
    if let Some(max) = field_type.max_length() {
        schema["maxLength"] = max.into();
    }
    schema
}

fn bounded(mut schema: Value, bounds: &Bounds) -> Value {
    let number = |bound: &Datum| bound.plain().parse::<serde_json::Number>().ok();
    if let Some(minimum) = bounds.minimum.as_ref().and_then(number) {
        schema["minimum"] = minimum.into();
    }
    if let Some(maximum) = bounds.maximum.as_ref().and_then(number) {
        schema["maximum"] = maximum.into();
    }
    schema
}

/// Decimals may be left out, and so may the point.
fn decimal_pattern(scale: u8, bounds: &Bounds) -> String {
    let is_positive = |least: &Datum| match least {
        Datum::Decimal(least) => least.units() >= 0,
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Text(_) | Datum::Json(_) => false,
    };
    let sign = if bounds.minimum.as_ref().is_some_and(is_positive) { "" } else { "-?" };
    format!("^{sign}[0-9]{{1,{}}}(\\.[0-9]{{1,{scale}}})?$", DIGITS - scale)
}

/// Whether values of the type are what programs write: taken as they stand, never trimmed, never empty.
fn is_plain(field_type: &FieldType) -> bool {
    match field_type {
        FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => true,
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Json => false,
    }
}

/// The pattern of the whole text.
fn padded(field_type: &FieldType, content: &str) -> String {
    if is_plain(field_type) { format!("^{content}$") } else { format!("^{SPACE}{content}{SPACE}$") }
}

fn long_enough(format: &str, min_length: u32) -> String {
    match min_length {
        0 | 1 => format.to_owned(),
        _ => format!("(?={OF_LINE}{{{min_length}}}){format}"),
    }
}

/// What stands between the white space, where that is not said by `format` alone.
fn content(field_type: &FieldType, min_length: u32) -> Option<String> {
    let text = |character: &str| match min_length {
        0 | 1 => format!("{AT_END}{character}*"),
        _ => format!("{AT_END}{character}{{{},}}{AT_END}", min_length - 2),
    };
    match field_type {
        FieldType::Line { .. } => Some(text(OF_LINE)),
        FieldType::Text { .. } => Some(text(OF_TEXT)),
        FieldType::Email => Some(long_enough(EMAIL, min_length)),
        FieldType::Phone => Some(long_enough(PHONE, min_length)),
        FieldType::Url => Some(long_enough(URL, min_length)),
        FieldType::Timestamp => Some(TIMESTAMP.to_owned()),
        FieldType::Code { letters } => Some(format!("[A-Za-z]{{{letters}}}")),
        FieldType::Decimal { scale } => Some(format!(r"-?[0-9]{{1,{}}}(?:\.[0-9]{{1,{scale}}})?", DIGITS - scale)),
        FieldType::Choice { .. }
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Uuid
        | FieldType::Json => None,
    }
}
