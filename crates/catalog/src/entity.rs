//! Entities: what a thing is called, which fields it has, what is unique about it.

use serde::Deserialize;
use vocab::{EntityName, FieldFormat, FieldName, FieldType, TableName};

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
    /// What its values look like beside that.
    pub format: Option<FieldFormat>,
    /// Whether it may be left out.
    pub presence: Presence,
    /// Fewest characters of a text.
    pub min_length: u32,
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
    format: Option<FieldFormat>,
    presence: Presence,
    sensitivity: Sensitivity,
    description: String,
    example: String,
}

/// The word of a type in a data file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Line,
    Text,
    Email,
    Phone,
    Url,
    Integer,
    Boolean,
    Timestamp,
    Uuid,
}

/// The type that a word and a length mean together.
pub(crate) fn field_type(kind: Kind, max: Option<u32>) -> Result<FieldType, String> {
    Ok(match (kind, max) {
        (Kind::Line, Some(max)) => FieldType::Line { max },
        (Kind::Text, Some(max)) => FieldType::Text { max },
        (Kind::Line | Kind::Text, None) => return Err("a `line` or `text` needs `max`".to_owned()),
        (_, Some(_)) => return Err("only a `line` or `text` takes `max`".to_owned()),
        (Kind::Email, None) => FieldType::Email,
        (Kind::Phone, None) => FieldType::Phone,
        (Kind::Url, None) => FieldType::Url,
        (Kind::Integer, None) => FieldType::Integer,
        (Kind::Boolean, None) => FieldType::Boolean,
        (Kind::Timestamp, None) => FieldType::Timestamp,
        (Kind::Uuid, None) => FieldType::Uuid,
    })
}

impl TryFrom<FieldText> for Field {
    type Error = String;

    fn try_from(text: FieldText) -> Result<Self, String> {
        let field_type = field_type(text.kind, text.max).map_err(|why| format!("field `{}`: {why}", text.name))?;
        Ok(Self {
            name: text.name,
            field_type,
            format: text.format,
            presence: text.presence,
            min_length: 1,
            sensitivity: text.sensitivity,
            description: text.description,
            example: text.example,
        })
    }
}
