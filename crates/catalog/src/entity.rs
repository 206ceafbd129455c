//! Entities: what a thing is called, which fields it has, what is unique about it.

use serde::Deserialize;
use vocab::{Bounds, Datum, Decimal, EntityName, FieldFormat, FieldName, FieldType, TableName};

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
    /// What else people call a collection of them, in lower case with underscores: `staff`.
    #[serde(default)]
    pub also: Vec<String>,
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
    /// Most characters of a text, where fewer than its type allows.
    pub max_length: Option<u32>,
    /// The least and the greatest number.
    pub bounds: Bounds,
    /// What it holds where it is absent. Then it always holds something.
    pub default: Option<Datum>,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// One sentence for documents.
    pub description: String,
    /// A value that could be real.
    pub example: String,
}

impl Field {
    /// The example as a value of the type; null where it is none, which a test of every data file rules out.
    #[must_use]
    pub fn example_value(&self) -> Datum {
        datum(&self.field_type, &self.example).unwrap_or(Datum::Null)
    }
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be absent.
    #[default]
    Optional,
}

/// How carefully a field is handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Anybody may see it.
    #[default]
    Plain,
    /// It says something about a person.
    Personal,
}

/// A field as it stands in a file: what makes its type precise beside the type's word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    name: FieldName,
    #[serde(rename = "type")]
    kind: Kind,
    max: Option<u32>,
    scale: Option<u8>,
    words: Option<Vec<String>>,
    minimum: Option<String>,
    maximum: Option<String>,
    default: Option<String>,
    format: Option<FieldFormat>,
    #[serde(default)]
    presence: Presence,
    #[serde(default)]
    sensitivity: Sensitivity,
    description: String,
    example: String,
}

/// The word of a type in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Line,
    Text,
    Email,
    Phone,
    Url,
    Choice,
    Currency,
    Country,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Uuid,
    Json,
}

/// What stands beside a type's word.
#[derive(Default)]
pub(crate) struct Precision {
    pub max: Option<u32>,
    pub scale: Option<u8>,
    pub words: Option<Vec<String>>,
}

/// The type that a word and what stands beside it mean together.
pub(crate) fn field_type(kind: Kind, precision: Precision) -> Result<FieldType, String> {
    let Precision { max, scale, words } = precision;
    let unwanted = |is_wanted: bool, is_there: bool, word: &str| match (is_wanted, is_there) {
        (false, true) => Err(format!("the type takes no `{word}`")),
        (true, false) => Err(format!("the type needs `{word}`")),
        (true, true) | (false, false) => Ok(()),
    };
    unwanted(matches!(kind, Kind::Line | Kind::Text), max.is_some(), "max")?;
    unwanted(kind == Kind::Decimal, scale.is_some(), "scale")?;
    unwanted(kind == Kind::Choice, words.is_some(), "words")?;
    Ok(match kind {
        Kind::Line => FieldType::Line { max: max.unwrap_or_default() },
        Kind::Text => FieldType::Text { max: max.unwrap_or_default() },
        Kind::Email => FieldType::Email,
        Kind::Phone => FieldType::Phone,
        Kind::Url => FieldType::Url,
        Kind::Choice => FieldType::Choice { words: words.unwrap_or_default() },
        Kind::Currency => FieldType::Code { letters: 3 },
        Kind::Country => FieldType::Code { letters: 2 },
        Kind::Integer => FieldType::Integer,
        Kind::Decimal => FieldType::Decimal { scale: scale.unwrap_or_default() },
        Kind::Boolean => FieldType::Boolean,
        Kind::Date => FieldType::Date,
        Kind::Timestamp => FieldType::Timestamp,
        Kind::Uuid => FieldType::Uuid,
        Kind::Json => FieldType::Json,
    })
}

/// A text of a data file as a value of the type.
pub(crate) fn datum(field_type: &FieldType, text: &str) -> Result<Datum, String> {
    let wrong = || format!("`{text}` is not {}", field_type.describe());
    match field_type {
        FieldType::Integer => text.parse().map(Datum::Integer).map_err(|_| wrong()),
        FieldType::Decimal { scale } => Decimal::parse(text, *scale).map(Datum::Decimal).map_err(|_| wrong()),
        FieldType::Boolean => text.parse().map(Datum::Boolean).map_err(|_| wrong()),
        FieldType::Json => serde_json::from_str(text).map(Datum::Json).map_err(|_| wrong()),
        FieldType::Choice { words } if !words.iter().any(|word| word == text) => Err(wrong()),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => Ok(Datum::Text(text.to_owned())),
    }
}

/// The least and the greatest number, from their texts.
pub(crate) fn bounds(field_type: &FieldType, minimum: Option<&str>, maximum: Option<&str>) -> Result<Bounds, String> {
    let is_number = matches!(field_type, FieldType::Integer | FieldType::Decimal { .. });
    if !is_number && (minimum.is_some() || maximum.is_some()) {
        return Err("only numbers have a `minimum` or a `maximum`".to_owned());
    }
    let bound = |text: Option<&str>| text.map(|text| datum(field_type, text)).transpose();
    Ok(Bounds { minimum: bound(minimum)?, maximum: bound(maximum)? })
}

impl TryFrom<FieldText> for Field {
    type Error = String;

    fn try_from(text: FieldText) -> Result<Self, String> {
        let name = text.name;
        let of_field = |why| format!("field `{name}`: {why}");
        let precision = Precision { max: text.max, scale: text.scale, words: text.words };
        let field_type = field_type(text.kind, precision).map_err(of_field)?;
        let bounds = bounds(&field_type, text.minimum.as_deref(), text.maximum.as_deref()).map_err(of_field)?;
        let default = text.default.map(|text| datum(&field_type, &text)).transpose().map_err(of_field)?;
        if default.is_some() && text.presence == Presence::Required {
            return Err(of_field("what must be given has no default".to_owned()));
        }
        Ok(Self {
            field_type,
            format: text.format,
            presence: text.presence,
            min_length: 1,
            max_length: None,
            bounds,
            default,
            sensitivity: text.sensitivity,
            description: text.description,
            example: text.example,
            name,
        })
    }
}
