//! What operations on a record must be to be taken (RFC 6902), as JSON Schema. Whether one fits the record that is there, the answer tells (409).

use super::operation::Writer;
use plan::procedure::{MAX_OPERATIONS, Patchable};
use plan::shape::{Presence, ShapeField};
use serde_json::{Value, json};
use vocab::FieldType;

impl Writer {
    /// A list of operations.
    pub fn patch_schema(&mut self, Patchable { shape, kept }: &Patchable) -> Value {
        let mut ways = Vec::new();
        for field in &shape.fields {
            let mut value = self.field_schema(field);
            // A `format` alone lets a text be empty, for whoever takes it for a note.
            if let FieldType::Uuid | FieldType::Date = field.field_type {
                value["minLength"] = 10.into();
            }
            let path = json!({"type": "string", "enum": [format!("/{}", field.name)]});
            ways.push(way(&["add", "replace"], &[("path", path), ("value", value)]));
        }
        let of = |wanted: &dyn Fn(&ShapeField) -> bool| -> Vec<String> {
            shape.fields.iter().filter(|field| wanted(field)).map(|field| format!("/{}", field.name)).collect()
        };
        let documents = of(&|field| field.field_type == FieldType::Json);
        let changeable = of(&|_| true);
        let optional = of(&|field| field.presence == Presence::Optional);
        let all: Vec<String> = changeable.iter().cloned().chain(kept.iter().map(|field| format!("/{field}"))).collect();
        if let Some(inside) = inside(&documents) {
            ways.push(way(&["add", "replace"], &[("path", inside), ("value", json!({}))]));
        }
        ways.push(way(&["test"], &[("path", places(&all, &documents)), ("value", json!({}))]));
        ways.push(way(&["copy"], &[("from", places(&all, &documents)), ("path", places(&changeable, &documents))]));
        if !optional.is_empty() || !documents.is_empty() {
            ways.push(way(&["remove"], &[("path", places(&optional, &documents))]));
            // Nothing is moved into itself, which no schema can say; whole fields cannot be.
            if !optional.is_empty() {
                ways.push(way(&["move"], &[("from", places(&optional, &[])), ("path", places(&changeable, &[]))]));
            }
        }
        json!({"type": "array", "maxItems": MAX_OPERATIONS, "items": {"anyOf": ways}})
    }
}

/// An operation of one of these names, with what it must say.
fn way(names: &[&str], members: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = std::iter::once("op").chain(members.iter().map(|(name, _)| *name)).collect();
    let mut way = json!({"type": "object", "required": required});
    way["properties"] = json!({"op": {"type": "string", "enum": names}});
    for (name, schema) in members {
        way["properties"][*name] = schema.clone();
    }
    way
}

/// The fields, or what is inside of documents.
fn places(fields: &[String], documents: &[String]) -> Value {
    match (fields.is_empty(), inside(documents)) {
        (false, None) => json!({"type": "string", "enum": fields}),
        (false, Some(inside)) => json!({"anyOf": [{"type": "string", "enum": fields}, inside]}),
        (true, inside) => inside.unwrap_or_else(|| json!({"type": "string"})),
    }
}

/// RFC 6901: what is not in a name is written `~0` and `~1`.
fn inside(documents: &[String]) -> Option<Value> {
    let pattern = format!(r"^(?:{})(?:/(?:[^~\x00]|~[01])*)+$", documents.join("|"));
    (!documents.is_empty()).then(|| json!({"type": "string", "pattern": pattern}))
}
