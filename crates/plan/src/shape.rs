//! The shape of a record that a request must bring.

use serde::{Deserialize, Serialize};
use vocab::{Bounds, Datum, FieldFormat, FieldName, FieldType};

/// The fields of a record, in their declared order; others are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Its name in documents: `ContactMessage`.
    pub name: String,
    /// Its fields.
    pub fields: Vec<ShapeField>,
}

/// One field of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeField {
    /// Its name.
    pub name: FieldName,
    /// What it holds.
    pub field_type: FieldType,
    /// What its values look like beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FieldFormat>,
    /// Whether it may be left out.
    pub presence: Presence,
    /// Fewest characters of a text.
    pub min_length: u32,
    /// Most characters of a text, where fewer than its type allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The least and the greatest number.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
    /// What an optional field holds where it is absent, null or empty; none: null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Datum>,
    /// What each entry of a list is; the field holds a document then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Box<Entries>>,
    /// What each entry of a list of words may be; the field holds a document then, a list of some of them, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// One sentence for documents.
    pub description: String,
}

/// A list of records, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// What each of them is.
    pub shape: Shape,
    /// Most of them.
    pub max: u32,
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be absent, null or empty.
    Optional,
}
