//! Entities: what a thing is called, which fields it has, what is unique about it.

use serde::Deserialize;
use vocab::{EntityName, FieldName, FieldType, TableName};

/// A kind of thing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its name, singular.
    pub entity: EntityName,
    /// The table its rows are kept in.
    pub table: TableName,
    /// What a row is.
    pub comment: String,
    /// Sets of fields whose values together are unique.
    #[serde(default)]
    pub unique: Vec<Vec<FieldName>>,
    /// Its fields in order.
    pub fields: Vec<Field>,
}

/// A field of an entity.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "FieldText")]
pub struct Field {
    /// Its name.
    pub name: FieldName,
    /// What it holds.
    pub field_type: FieldType,
    /// Whether it may be left out.
    pub presence: Presence,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// One sentence for documents.
    pub description: String,
    /// A value that could be real.
    pub example: String,
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be absent.
    Optional,
}

/// How carefully a field is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Anybody may see it.
    Plain,
    /// It says something about a person.
    Personal,
}

/// A field as it stands in a file: the length beside the type's word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    name: FieldName,
    #[serde(rename = "type")]
    kind: Kind,
    max: Option<u32>,
    presence: Presence,
    sensitivity: Sensitivity,
    description: String,
    example: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Line,
    Text,
    Email,
    Phone,
    Url,
}

impl TryFrom<FieldText> for Field {
    type Error = String;

    fn try_from(text: FieldText) -> Result<Self, String> {
        let field_type = match (text.kind, text.max) {
            (Kind::Line, Some(max)) => FieldType::Line { max },
            (Kind::Text, Some(max)) => FieldType::Text { max },
            (Kind::Line | Kind::Text, None) => return Err(format!("field `{}` needs `max`", text.name)),
            (Kind::Email, None) => FieldType::Email,
            (Kind::Phone, None) => FieldType::Phone,
            (Kind::Url, None) => FieldType::Url,
            (Kind::Email | Kind::Phone | Kind::Url, Some(_)) => {
                return Err(format!("field `{}` has its own greatest length", text.name));
            }
        };
        Ok(Self {
            name: text.name,
            field_type,
            presence: text.presence,
            sensitivity: text.sensitivity,
            description: text.description,
            example: text.example,
        })
    }
}
