//! The fields of a block, declared once: the parser takes names and necessity from the declaration, the JSON Schema also
//! the description and the shape of the value.

use serde_json::Value as Json;

/// A field that a block knows.
pub(crate) struct Field {
    pub name: &'static str,
    /// One sentence for the person who writes a task.
    pub about: &'static str,
    pub is_required: bool,
    /// What the value may be.
    pub schema: fn() -> Json,
}

/// A field that the block must have.
pub(crate) const fn required(name: &'static str, about: &'static str, schema: fn() -> Json) -> Field {
    Field { name, about, is_required: true, schema }
}

/// A field that the block may have.
pub(crate) const fn optional(name: &'static str, about: &'static str, schema: fn() -> Json) -> Field {
    Field { name, about, is_required: false, schema }
}

pub(crate) fn names(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.name).collect()
}
