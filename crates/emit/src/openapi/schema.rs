//! Schemas: what a body must be, what an answer is. A field's type comes in, JSON Schema in the dialect of the document goes out.

use super::operation::Writer;
use crate::outline::{Body, Outline, RowField};
use plan::api::DocumentationFormat;
use plan::database::Nullability;
use plan::procedure::ResponseField;
use plan::shape::{Presence, ShapeField};
use serde_json::{Map, Value, json};
use vocab::decimal::DIGITS;
use vocab::{Bounds, Datum, FieldType};

impl Writer {
    pub fn body_schema(&self, body: Body<'_>) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for field in &body.shape().fields {
            let mut schema = self.input_schema(field);
            if let Some(max) = field.field_type.max_length() {
                schema["maxLength"] = field.max_length.unwrap_or(max).into();
                match field.presence {
                    Presence::Required => schema["minLength"] = field.min_length.max(1).into(),
                    // Empty counts as absent, so only a single character may be too short.
                    Presence::Optional => {}
                }
            }
            describe(&mut schema, &field.description);
            if let Some(default) = &field.default {
                schema["default"] = default.to_json();
            }
            match (field.presence, body) {
                (Presence::Required, Body::Record(_)) => required.push(field.name.as_str()),
                // It may be left out, and never be emptied.
                (Presence::Required, Body::Changes(_)) => {}
                (Presence::Optional, _) => self.nullable(&mut schema),
            }
            properties.insert(field.name.to_string(), schema);
        }
        let mut schema = json!({"type": "object", "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema["properties"] = Value::Object(properties);
        schema
    }

    pub fn answer_schema(&self, outline: &Outline<'_>, body: &[ResponseField]) -> Value {
        let mut properties = Map::new();
        for field in body {
            let mut schema = type_schema(&field.field_type);
            describe(&mut schema, &field.description);
            match outline.slots.nullability(&field.value) {
                Nullability::Nullable => self.nullable(&mut schema),
                Nullability::NotNull => {}
            }
            properties.insert(field.name.to_string(), schema);
        }
        object_schema(properties)
    }

    pub fn row_schema(&self, fields: &[RowField<'_>]) -> Value {
        let mut properties = Map::new();
        for field in fields {
            let mut schema = type_schema(&field.column.field_type);
            describe(&mut schema, field.description);
            match field.column.nullability {
                Nullability::Nullable => self.nullable(&mut schema),
                Nullability::NotNull => {}
            }
            properties.insert(field.name.to_string(), schema);
        }
        object_schema(properties)
    }

    pub fn nullable(&self, schema: &mut Value) {
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        if let Some(ways) = schema.get_mut("oneOf") {
            return self.nullable(&mut ways[0]);
        }
        let Some(kind) = schema.get("type").cloned() else { return };
        match (self.format, kind) {
            (DocumentationFormat::OpenApi30, _) => schema["nullable"] = true.into(),
            (DocumentationFormat::OpenApi31, Value::Array(mut kinds)) => {
                kinds.push("null".into());
                schema["type"] = kinds.into();
            }
            (DocumentationFormat::OpenApi31, kind) => schema["type"] = json!([kind, "null"]),
        }
    }

    /// What a request may bring for the field, which is more than what an answer holds: numbers for decimal numbers, small
    /// letters for codes.
    fn input_schema(&self, field: &ShapeField) -> Value {
        let mut schema = match &field.field_type {
            FieldType::Decimal { scale } => {
                let text = json!({"type": "string", "pattern": decimal_pattern(*scale, "?", "1,")});
                let mut number = json!({"type": "number"});
                bound(&mut number, &field.bounds.of_type(&field.field_type));
                match self.format {
                    DocumentationFormat::OpenApi30 => json!({"oneOf": [text, number]}),
                    DocumentationFormat::OpenApi31 => {
                        number["type"] = json!(["string", "number"]);
                        number["pattern"] = text["pattern"].clone();
                        number
                    }
                }
            }
            FieldType::Code { letters } => json!({"type": "string", "pattern": format!("^[A-Za-z]{{{letters}}}$")}),
            FieldType::Json => match self.format {
                DocumentationFormat::OpenApi30 => {
                    json!({"oneOf": [{"type": "object"}, {"type": "array", "items": {}}]})
                }
                DocumentationFormat::OpenApi31 => json!({"type": ["object", "array"]}),
            },
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Integer
            | FieldType::Boolean
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid => type_schema(&field.field_type),
        };
        if field.field_type == FieldType::Integer {
            bound(&mut schema, &field.bounds);
        }
        schema
    }
}

/// A field that the task alone names has no description.
fn describe(schema: &mut Value, description: &str) {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
}

/// An object that always has these properties.
fn object_schema(properties: Map<String, Value>) -> Value {
    let required: Vec<&String> = properties.keys().collect();
    let mut schema = json!({"type": "object"});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["properties"] = Value::Object(properties);
    schema
}

/// A decimal number as a text: how its point may be missing, and how few digits may stand behind it.
fn decimal_pattern(scale: u8, point: &str, least: &str) -> String {
    format!("^-?[0-9]{{1,{}}}(\\.[0-9]{{{least}{scale}}}){point}$", DIGITS - scale)
}

fn bound(schema: &mut Value, bounds: &Bounds) {
    let number = |bound: &Datum| bound.plain().parse::<serde_json::Number>().ok();
    if let Some(minimum) = bounds.minimum.as_ref().and_then(number) {
        schema["minimum"] = minimum.into();
    }
    if let Some(maximum) = bounds.maximum.as_ref().and_then(number) {
        schema["maximum"] = maximum.into();
    }
}

pub fn type_schema(field_type: &FieldType) -> Value {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Phone => json!({"type": "string"}),
        FieldType::Email => json!({"type": "string", "format": "email"}),
        FieldType::Url => json!({"type": "string", "format": "uri"}),
        FieldType::Choice { words } => json!({"type": "string", "enum": words}),
        FieldType::Code { letters } => json!({"type": "string", "pattern": format!("^[A-Z]{{{letters}}}$")}),
        FieldType::Integer => json!({"type": "integer", "format": "int64"}),
        FieldType::Decimal { scale } => {
            json!({"type": "string", "format": "decimal", "pattern": decimal_pattern(*scale, "", "")})
        }
        FieldType::Date => json!({"type": "string", "format": "date"}),
        FieldType::Boolean => json!({"type": "boolean"}),
        FieldType::Timestamp => json!({"type": "string", "format": "date-time"}),
        FieldType::Uuid => json!({"type": "string", "format": "uuid"}),
        FieldType::Json => json!({}),
    }
}
