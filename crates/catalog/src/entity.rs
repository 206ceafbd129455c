//! Entities: what a thing is called, which fields it has, what is unique about it.

use serde::Deserialize;
use std::collections::BTreeSet;
use vocab::decimal::MAX_SCALE;
use vocab::field_type::{EMAIL_MAX, PHONE_MAX, URL_MAX};
use vocab::{Bounds, Comparator, Datum, Decimal, EntityName, FieldFormat, FieldName, FieldType, TableName};

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
    /// How values of one row stand to each other.
    #[serde(default)]
    pub compares: Vec<Compared>,
    /// Times that no two rows may share.
    #[serde(default)]
    pub no_overlap: Vec<Taken>,
    /// Its fields in order.
    pub fields: Vec<Field>,
    /// The file of the workspace that says it; none where this build brings it.
    #[serde(skip)]
    pub file: Option<String>,
}

/// Something that one row at a time takes: `{ one_of: [room_id], from: starts_at, until: ends_at }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Fields that may say what is taken, or keys that may stand for them; each of them that a table has makes a rule.
    pub one_of: Vec<FieldName>,
    /// From when, included.
    pub from: FieldName,
    /// Until when, not included.
    pub until: FieldName,
    /// What lets a row take nothing.
    pub unless: Option<Released>,
}

/// Words of a field that let a row take nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The field.
    pub field: FieldName,
    /// Its words.
    pub words: Vec<String>,
}

/// How the value of a field stands to that of another one, where both have one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ComparedText")]
pub struct Compared {
    /// The field that is wrong where it does not stand so.
    pub field: FieldName,
    /// How it stands.
    pub comparator: Comparator,
    /// To which field; both are of one type.
    pub other: FieldName,
}

/// The same as it stands in a file: `{ field: ends_at, more_than: starts_at }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComparedText {
    field: FieldName,
    more_than: Option<FieldName>,
    at_least: Option<FieldName>,
    less_than: Option<FieldName>,
    at_most: Option<FieldName>,
}

impl TryFrom<ComparedText> for Compared {
    type Error = String;

    fn try_from(text: ComparedText) -> Result<Self, String> {
        let ComparedText { field, more_than, at_least, less_than, at_most } = text;
        let said = Comparator::ALL.into_iter().zip([more_than, at_least, less_than, at_most]);
        let mut said = said.filter_map(|(comparator, other)| Some((comparator, other?)));
        match (said.next(), said.next()) {
            (Some((comparator, other)), None) if other != field => Ok(Self { field, comparator, other }),
            (Some(_), None) => Err(format!("`{field}` is compared with itself")),
            (None, _) | (Some(_), Some(_)) => Err(format!(
                "`{field}` stands to another field in one way: `more_than`, `at_least`, `less_than` or `at_most`"
            )),
        }
    }
}

impl Entity {
    /// Why a comparison of two fields cannot be made, in words.
    ///
    /// # Errors
    /// A field is not there, the two are of different types, or of one that has no order.
    pub fn comparable(&self, compared: &Compared) -> Result<(), String> {
        let of = |name: &FieldName| {
            let field = self.fields.iter().find(|field| field.name == *name);
            field.map(|field| &field.field_type).ok_or_else(|| format!("no field is called `{name}`"))
        };
        let (own, other) = (of(&compared.field)?, of(&compared.other)?);
        match own == other && Comparator::compares(own) {
            true => Ok(()),
            false => Err(format!(
                "`{}` is {}, and `{}` is {}: numbers, days or times of one type are compared",
                compared.field,
                own.describe(),
                compared.other,
                other.describe()
            )),
        }
    }
}

impl Entity {
    /// Why a rule about times cannot be kept, in words.
    ///
    /// # Errors
    /// A field is not there, or is none of times.
    pub fn takes_time(&self, taken: &Taken) -> Result<(), String> {
        let find = |name: &FieldName| {
            let field = self.fields.iter().find(|field| field.name == *name);
            field.map(|field| &field.field_type).ok_or_else(|| format!("no field is called `{name}`"))
        };
        let (from, until) = (find(&taken.from)?, find(&taken.until)?);
        if from != until || !matches!(from, FieldType::Date | FieldType::Timestamp) {
            return Err(format!(
                "`{}` is {}, and `{}` is {}: both are days, or both are times",
                taken.from,
                from.describe(),
                taken.until,
                until.describe()
            ));
        }
        match &taken.unless {
            Some(released) => match find(&released.field)? {
                FieldType::Choice { words } if released.words.iter().all(|word| words.contains(word)) => Ok(()),
                _ => Err(format!("`{}` is no choice that has these words", released.field)),
            },
            None => Ok(()),
        }
    }
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
    /// What makes it superfluous in a database: key columns of its table (`department_id`), or tables whose rows are linked to it
    /// (`categories`). It says in words, or without a key, what those say.
    pub stands_for: Vec<FieldName>,
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
    /// It opens something, or is the hash of what does: no API takes it or shows it.
    Secret,
}

/// A field as it stands in a file: what makes its type precise beside the type's word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldText {
    pub name: FieldName,
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
    #[serde(default)]
    stands_for: Vec<FieldName>,
    description: Option<String>,
    example: Option<String>,
}

/// Longest text of a field, as in a task.
const LONGEST: u32 = 1_000_000;

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
    if max.is_some_and(|max| !(1..=LONGEST).contains(&max)) {
        return Err(format!("`max` is between 1 and {LONGEST}"));
    }
    if scale.is_some_and(|scale| scale > MAX_SCALE) {
        return Err(format!("`scale` is at most {MAX_SCALE}"));
    }
    if let Some(words) = &words {
        let is_word = |word: &String| !word.is_empty() && word.trim() == word && !word.contains(char::is_control);
        let distinct: BTreeSet<&String> = words.iter().collect();
        if words.is_empty() || distinct.len() < words.len() || !words.iter().all(is_word) {
            return Err("`words` is a list of words, none of them twice or empty".to_owned());
        }
    }
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

/// A value of the type that could be real.
#[must_use]
pub fn example_of(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Line { max } => return "Something".chars().take(*max as usize).collect(),
        FieldType::Text { max } if *max < 12 => return "Words".chars().take(*max as usize).collect(),
        FieldType::Text { .. } => "A few words.",
        FieldType::Email => "ada@example.com",
        FieldType::Phone => "+44 20 7946 0018",
        FieldType::Url => "https://example.com",
        FieldType::Choice { words } => words.first().map_or("", String::as_str),
        FieldType::Code { letters: 2 } => "GB",
        FieldType::Code { letters: 3 } => "EUR",
        FieldType::Code { letters } => return "X".repeat(usize::from(*letters)),
        FieldType::Integer => "3",
        FieldType::Decimal { scale: 0 } => "3",
        FieldType::Decimal { scale } => {
            return Decimal::new(125 * 10_i64.pow(u32::from(*scale) - 1), *scale).to_string();
        }
        FieldType::Boolean => "true",
        FieldType::Date => "2026-01-02",
        FieldType::Timestamp => "2026-01-02T03:04:05.678Z",
        FieldType::Uuid => "019c0f3e-7b1a-7c3d-8e5f-0123456789ab",
        FieldType::Json => "{\"key\": \"value\"}",
    }
    .to_owned()
}

/// Whether a server would take the example as a value of the type.
pub(crate) fn fits(field_type: &FieldType, example: &str) -> bool {
    let within =
        |max: u32| !example.trim().is_empty() && example.trim() == example && example.chars().count() <= max as usize;
    let one_line = !example.contains(char::is_control);
    match field_type {
        FieldType::Line { max } => one_line && within(*max),
        FieldType::Text { max } => within(*max),
        FieldType::Email => {
            let domain = example.split_once('@').map(|(_, domain)| domain);
            within(EMAIL_MAX) && !example.contains(' ') && domain.is_some_and(|domain| domain.contains('.'))
        }
        FieldType::Phone => {
            let digits = example.chars().filter(char::is_ascii_digit).count();
            within(PHONE_MAX)
                && digits >= 5
                && example.chars().all(|letter| letter.is_ascii_digit() || "+ -.()".contains(letter))
        }
        FieldType::Url => within(URL_MAX) && example.starts_with("https://") && !example.contains(' '),
        FieldType::Choice { words } => words.iter().any(|word| word == example),
        FieldType::Code { letters } => {
            example.len() == usize::from(*letters) && example.bytes().all(|byte| byte.is_ascii_uppercase())
        }
        FieldType::Integer => example.parse::<i64>().is_ok(),
        // In its normal form, so that documents show what is answered.
        FieldType::Decimal { scale } => {
            Decimal::parse(example, *scale).is_ok_and(|number| number.to_string() == example)
        }
        FieldType::Boolean => ["true", "false"].contains(&example),
        FieldType::Date => shape(example) == "0000-00-00",
        FieldType::Timestamp => shape(example) == "0000-00-00T00:00:00.000Z",
        FieldType::Uuid => {
            shape(&example.replace(|letter: char| letter.is_ascii_hexdigit(), "0"))
                == "00000000-0000-0000-0000-000000000000"
        }
        FieldType::Json => {
            serde_json::from_str::<serde_json::Value>(example).is_ok_and(|json| json.is_array() || json.is_object())
        }
    }
}

/// The text with `0` for every digit.
fn shape(text: &str) -> String {
    text.replace(|letter: char| letter.is_ascii_digit(), "0")
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
        let name = text.name.clone();
        Self::of(text).map_err(|why| format!("field `{name}`: {why}"))
    }
}

impl Field {
    fn of(text: FieldText) -> Result<Self, String> {
        let precision = Precision { max: text.max, scale: text.scale, words: text.words };
        let field_type = field_type(text.kind, precision)?;
        let bounds = bounds(&field_type, text.minimum.as_deref(), text.maximum.as_deref())?;
        if bounds.minimum.as_ref().is_some_and(|minimum| !bounds.allow(minimum)) {
            return Err("its `minimum` is greater than its `maximum`".to_owned());
        }
        let default = text.default.map(|text| datum(&field_type, &text)).transpose()?;
        if default.is_some() && text.presence == Presence::Required {
            return Err("what must be given has no default: leave `default` or `presence: required` out".to_owned());
        }
        if let (Some(words), false) = (bounds.describe(), default.as_ref().is_none_or(|default| bounds.allow(default)))
        {
            return Err(format!("its `default` must be {words}"));
        }
        let example = text.example.unwrap_or_else(|| within(&bounds, &field_type));
        if !fits(&field_type, &example) {
            return Err(format!("its `example` is none: {}", field_type.describe()));
        }
        let field = Self {
            description: text.description.unwrap_or_else(|| in_words(&text.name)),
            name: text.name,
            field_type,
            format: text.format,
            presence: text.presence,
            min_length: 1,
            max_length: None,
            bounds,
            default,
            sensitivity: text.sensitivity,
            stands_for: text.stands_for,
            example,
        };
        match field.bounds.describe() {
            Some(words) if !field.bounds.allow(&field.example_value()) => Err(format!("its `example` must be {words}")),
            Some(_) | None => Ok(field),
        }
    }
}

/// `serial_number` -> `Serial number.`
fn in_words(name: &FieldName) -> String {
    let words = name.as_str().replace('_', " ");
    let (first, rest) = words.split_at(1);
    format!("{}{rest}.", first.to_ascii_uppercase())
}

/// An example of the type that the bounds allow.
fn within(bounds: &Bounds, field_type: &FieldType) -> String {
    let example = example_of(field_type);
    match datum(field_type, &example) {
        Ok(value) if !bounds.allow(&value) => {
            bounds.minimum.as_ref().or(bounds.maximum.as_ref()).map_or(example, Datum::plain)
        }
        Ok(_) | Err(_) => example,
    }
}
