//! Schemas: what a body must be, what an answer is. A field's type comes in, JSON Schema in the dialect of the document goes out.

use super::operation::Writer;
use crate::outline::{Body, Outline, RowField};
use plan::api::DocumentationFormat;
use plan::database::Nullability;
use plan::procedure::{RecordList, ResponseField};
use plan::shape::Presence;
use serde_json::{Map, Value, json};
use vocab::FieldType;
use vocab::decimal::DIGITS;

/// The greatest whole number that every JSON reader holds exactly: 2^53 - 1.
const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

impl Writer {
    pub fn body_schema(&mut self, body: Body<'_>) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for field in &body.shape().fields {
            let mut schema = self.field_schema(field);
            describe(&mut schema, &field.description);
            // What is left out of a body of changes stays as it is.
            if let (Some(default), Body::Record(_)) = (&field.default, body) {
                schema["default"] = default.to_json();
            }
            match (field.presence, body) {
                (Presence::Required, Body::Record(_)) => required.push(field.name.as_str()),
                // A change may leave it out, and never empty it.
                (Presence::Required, Body::Changes(_)) | (Presence::Optional, _) => {}
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

    pub fn answer_schema<'f>(
        &mut self,
        outline: &Outline<'_>,
        body: impl IntoIterator<Item = &'f ResponseField>,
    ) -> Value {
        let mut properties = Map::new();
        for field in body {
            let mut schema = match &field.entries {
                None => type_schema(&field.field_type),
                Some(RecordList { name, fields }) => {
                    let record = self.answer_schema(outline, fields);
                    let items = self.component(name, record);
                    json!({"type": "array", "items": items})
                }
            };
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

/// What a value of the type is, wherever it stands. E-mail addresses and URLs have no `format`: those of JSON Schema refuse what
/// people use (`a..b@example.com`, `https://example.com/ü`) and the servers take.
pub fn type_schema(field_type: &FieldType) -> Value {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Phone | FieldType::Email | FieldType::Url => {
            json!({"type": "string"})
        }
        FieldType::Choice { words } => json!({"type": "string", "enum": words}),
        FieldType::Code { letters } => json!({"type": "string", "pattern": format!("^[A-Z]{{{letters}}}$")}),
        FieldType::Integer => {
            json!({"type": "integer", "format": "int64", "minimum": -MAX_SAFE_INTEGER, "maximum": MAX_SAFE_INTEGER})
        }
        FieldType::Decimal { scale } => {
            json!({"type": "string", "format": "decimal", "pattern": decimal_pattern(*scale)})
        }
        FieldType::Date => json!({"type": "string", "format": "date"}),
        FieldType::Boolean => json!({"type": "boolean"}),
        FieldType::Timestamp => json!({"type": "string", "format": "date-time", "pattern": "^(?!0000)"}),
        FieldType::Uuid => json!({"type": "string", "format": "uuid"}),
        FieldType::Json => json!({}),
    }
}

/// A decimal number with all its decimals.
fn decimal_pattern(scale: u8) -> String {
    format!("^-?[0-9]{{1,{}}}(\\.[0-9]{{{scale}}})$", DIGITS - scale)
}
