//! Whether a body has the declared shape: `docs/http-manners.md`, section Validation.

use plan::shape::{Entries, Presence, Shape, ShapeField};
use serde_json::Value as Json;
use vocab::decimal::NotADecimal;
use vocab::field_format::BYTE_COUNT_MAX;
use vocab::password::is_weak;
use vocab::{Bounds, Datum, Decimal, FieldFormat, FieldType};

/// Most entries of one answer.
pub(crate) const MAX_ENTRIES: usize = 100;
/// Deepest body.
pub(crate) const MAX_DEPTH: usize = 32;

/// A shape made ready to check bodies.
pub(crate) struct Check {
    shape: Shape,
    pub max_body_bytes: u64,
}

/// One wrong field or parameter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub place: Spot,
    pub code: &'static str,
    pub detail: String,
}

impl Wrong {
    /// The field of the body names no record.
    pub fn unknown_reference(field: &str) -> Self {
        let place = Spot::Body(format!("/{field}"));
        Self { place, code: "unknown_reference", detail: "must name a record that is there".to_owned() }
    }
}

impl Wrong {
    /// The field of a record of a list names no record, or is not as it must be.
    pub fn in_entry(list: Option<&str>, index: usize, field: &str, detail: Option<&str>) -> Self {
        let wrong = detail.map_or_else(|| Self::unknown_reference(field), |detail| Self::inconsistent(field, detail));
        match list {
            Some(list) => wrong.within(list, index),
            None => wrong.behind(&format!("/{index}")),
        }
    }

    /// The field of a record of a list asks for more than there is.
    pub fn short(list: &str, index: usize, field: &str) -> Self {
        Self::field(field, Why::new("out_of_stock", "must be at most what is there")).within(list, index)
    }

    /// The same in a record of a list.
    fn within(self, list: &str, index: usize) -> Self {
        self.behind(&format!("/{list}/{index}"))
    }

    /// The same further inside of the body.
    fn behind(mut self, place: &str) -> Self {
        if let Spot::Body(pointer) = &mut self.place {
            pointer.insert_str(0, place);
        }
        self
    }

    /// The field of the body does not stand to another one as it must.
    pub fn inconsistent(field: &str, detail: &str) -> Self {
        Self::field(field, Why::new("inconsistent", detail))
    }
}

/// Where in a request something is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// An RFC 6901 pointer into the body.
    Body(String),
    /// A query parameter.
    Parameter(String),
}

impl Wrong {
    pub fn field(name: &str, why: Why) -> Self {
        // RFC 6901: `~` and `/` inside a name are escaped.
        Self::at(&format!("/{}", name.replace('~', "~0").replace('/', "~1")), why)
    }

    /// What stands at that place of the body.
    pub fn at(pointer: &str, why: Why) -> Self {
        Self { place: Spot::Body(pointer.to_owned()), code: why.code, detail: why.detail }
    }

    pub fn parameter(name: &str, why: Why) -> Self {
        Self { place: Spot::Parameter(name.to_owned()), code: why.code, detail: why.detail }
    }
}

/// What is wrong with a value, wherever it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Why {
    code: &'static str,
    detail: String,
}

impl Why {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The same with its place in a text of several values: the character, 0 being the first, which people count as 1.
    pub fn at(self, character: usize) -> Self {
        Self { detail: format!("{} at character {}", self.detail, character + 1), ..self }
    }
}

impl Check {
    pub fn new(shape: &Shape, max_body_bytes: u64) -> Self {
        Self { shape: shape.clone(), max_body_bytes }
    }

    /// What the shape declares.
    pub fn fields(&self) -> &[ShapeField] {
        &self.shape.fields
    }

    /// The record in the shape's order, or everything that is wrong.
    pub fn record(&self, body: &Json) -> Result<Vec<Datum>, Vec<Wrong>> {
        self.each(body, |field, given| {
            let given = given.unwrap_or(&Json::Null);
            match &field.entries {
                Some(known) => entries(field, known, given),
                None => value(field, given).map_err(|why| vec![Wrong::field(field.name.as_str(), why)]),
            }
        })
    }

    /// The changes in the shape's order, `None` for a field that was not given, or everything that is wrong.
    pub fn changes(&self, body: &Json) -> Result<Vec<Option<Datum>>, Vec<Wrong>> {
        self.each(body, |field, given| {
            let Some(given) = given else { return Ok(None) };
            value(field, given).map(Some).map_err(|why| vec![Wrong::field(field.name.as_str(), why)])
        })
    }

    /// The parameters of a path in the shape's order, or everything that is wrong.
    pub fn parameters(&self, given: &[(String, String)]) -> Result<Vec<Datum>, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut record = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            let name = field.name.as_str();
            let text = given.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text);
            match parameter_value(&field.field_type, text) {
                Ok(datum) => record.push(datum),
                Err(why) => wrong.push(Wrong::parameter(name, why)),
            }
        }
        if wrong.is_empty() { Ok(record) } else { Err(wrong) }
    }

    /// The parameters of a query string in the shape's order, or everything that is wrong.
    pub fn query(&self, query_string: &str) -> Result<Vec<Datum>, Vec<Wrong>> {
        let mut given: Vec<(String, String)> = Vec::new();
        let mut wrong = Vec::new();
        for (name, text) in form_urlencoded::parse(query_string.as_bytes()) {
            if given.iter().any(|(known, _)| *known == name) {
                wrong.push(Wrong::parameter(&name, Why::new("repeated", "must be given once")));
            } else if self.shape.fields.iter().any(|field| field.name.as_str() == name) {
                given.push((name.into_owned(), text.into_owned()));
            } else {
                wrong.push(Wrong::parameter(&name, Why::new("unknown_parameter", "is not a known parameter")));
            }
        }
        let is_missing =
            |field: &&ShapeField| !given.iter().any(|(name, text)| name == field.name.as_str() && !text.is_empty());
        let required = |field: &ShapeField| Wrong::parameter(field.name.as_str(), Why::new("required", "is required"));
        wrong.extend(self.shape.fields.iter().filter(is_missing).map(required));
        if wrong.is_empty() {
            return self.parameters(&given);
        }
        wrong.truncate(MAX_ENTRIES);
        Err(wrong)
    }

    fn each<T>(
        &self,
        body: &Json,
        check: impl Fn(&ShapeField, Option<&Json>) -> Result<T, Vec<Wrong>>,
    ) -> Result<Vec<T>, Vec<Wrong>> {
        let Json::Object(object) = body else {
            let place = Spot::Body(String::new());
            return Err(vec![Wrong { place, code: "type", detail: "must be an object".to_owned() }]);
        };
        let mut wrong = Vec::new();
        let mut record = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            match check(field, object.get(field.name.as_str())) {
                Ok(datum) => record.push(datum),
                Err(why) => wrong.extend(why),
            }
        }
        let known = |name: &str| self.shape.fields.iter().any(|field| field.name.as_str() == name);
        wrong.extend(
            object
                .keys()
                .filter(|name| !known(name))
                .map(|name| Wrong::field(name, Why::new("unknown_field", "is not a known field"))),
        );
        wrong.truncate(MAX_ENTRIES);
        if wrong.is_empty() { Ok(record) } else { Err(wrong) }
    }
}

/// A list of records, as the document that it becomes: a body of its own.
pub(crate) fn records(known: &Entries, given: &Json) -> Result<Datum, Vec<Wrong>> {
    let refused = |why| Err(vec![Wrong::at("", why)]);
    let Json::Array(list) = given else { return refused(Why::new("type", "must be a list")) };
    if list.is_empty() || list.len() > known.max as usize {
        return refused(Why::new("range", format!("must have between 1 and {} entries", known.max)));
    }
    let check = Check { shape: known.shape.clone(), max_body_bytes: 0 };
    let (mut documents, mut wrong) = (Vec::with_capacity(list.len()), Vec::new());
    for (index, entry) in list.iter().enumerate() {
        match check.record(entry) {
            Ok(record) => {
                let named = known.shape.fields.iter().zip(&record);
                documents.push(named.map(|(field, datum)| (field.name.to_string(), datum.to_json())).collect::<Json>());
            }
            Err(found) => wrong.extend(found.into_iter().map(|one| one.behind(&format!("/{index}")))),
        }
    }
    wrong.truncate(MAX_ENTRIES);
    if wrong.is_empty() { Ok(Datum::Json(Json::Array(documents))) } else { Err(wrong) }
}

/// The same that a field holds.
fn entries(field: &ShapeField, known: &Entries, given: &Json) -> Result<Datum, Vec<Wrong>> {
    let name = field.name.as_str();
    if given.is_null() {
        return match field.presence {
            Presence::Required => Err(vec![Wrong::field(name, Why::new("required", "is required"))]),
            Presence::Optional => Ok(Datum::Null),
        };
    }
    let within = |wrong: Wrong| wrong.behind(&format!("/{name}"));
    records(known, given).map_err(|wrong| wrong.into_iter().map(within).collect())
}

/// The value of a field. One that is null or empty holds its default, or null.
pub(crate) fn value(field: &ShapeField, given: &Json) -> Result<Datum, Why> {
    let lengths = Lengths { min: field.min_length, max: field.max_length };
    if let (Some(format @ (FieldFormat::Password | FieldFormat::NewPassword)), Json::String(text)) =
        (field.format, given)
    {
        return formed(Some(format), as_it_stands(&field.field_type, lengths, text)?);
    }
    match (typed(&field.field_type, lengths, given)?, field.presence) {
        (Datum::Null, Presence::Required) => Err(Why::new("required", "is required")),
        (Datum::Null, Presence::Optional) => Ok(field.default.clone().unwrap_or(Datum::Null)),
        (Datum::Json(list), _) if !field.words.is_empty() => words(&field.words, list),
        (datum, _) => formed(field.format, within(&field.bounds.of_type(&field.field_type), datum)?),
    }
}

/// A list of some of the words, each once.
fn words(known: &[String], given: Json) -> Result<Datum, Why> {
    let Json::Array(list) = &given else { return Err(Why::new("type", "must be a list")) };
    let is_known = |word: &Json| word.as_str().is_some_and(|word| known.iter().any(|known| known == word));
    let is_new = |(index, word): (usize, &Json)| !list[..index].contains(word);
    let fits = !list.is_empty() && list.iter().all(is_known) && list.iter().enumerate().all(is_new);
    match fits {
        true => Ok(Datum::Json(given)),
        false => Err(Why::new("format", format!("must be a list of some of {}, each once", known.join(", ")))),
    }
}

/// What was given, if it is in that form.
fn formed(format: Option<FieldFormat>, datum: Datum) -> Result<Datum, Why> {
    let Some(format) = format else { return Ok(datum) };
    let is_text = |fits: fn(&str) -> bool| matches!(&datum, Datum::Text(text) if fits(text));
    let (fits, code) = match format {
        FieldFormat::FileName => (is_text(is_file_name), "format"),
        FieldFormat::MediaType => (is_text(is_media_type), "format"),
        FieldFormat::Sha256 => (is_text(is_sha256), "format"),
        // As it came already.
        FieldFormat::Password => (true, "type"),
        FieldFormat::NewPassword => (is_text(|text| !is_weak(text)), "weak"),
        FieldFormat::ByteCount => {
            (matches!(&datum, Datum::Integer(number) if (0..=BYTE_COUNT_MAX).contains(number)), "range")
        }
    };
    if fits { Ok(datum) } else { Err(Why::new(code, format!("must be {}", format.describe()))) }
}

/// A name that stays where it is put: no path, on no system.
fn is_file_name(text: &str) -> bool {
    !text.contains(['/', '\\']) && text != "." && text != ".."
}

/// RFC 6838, 4.2: `image/svg+xml`.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn within(bounds: &Bounds, datum: Datum) -> Result<Datum, Why> {
    match bounds.describe() {
        Some(words) if !bounds.allow(&datum) => Err(Why::new("range", format!("must be {words}"))),
        Some(_) | None => Ok(datum),
    }
}

/// Characters that a field asks for beyond what its type does.
#[derive(Clone, Copy, Default)]
struct Lengths {
    min: u32,
    max: Option<u32>,
}

/// What was given, in the type's own form; null for what is null or empty.
fn typed(field_type: &FieldType, lengths: Lengths, given: &Json) -> Result<Datum, Why> {
    match (field_type, given) {
        (_, Json::Null) => Ok(Datum::Null),
        (FieldType::Integer, _) => {
            whole_number(given).map(Datum::Integer).ok_or_else(|| Why::new("type", "must be a whole number"))
        }
        // A number is what a double makes of it, RFC 8259, 6; so many digits come back from it as they were sent.
        (FieldType::Decimal { scale }, Json::Number(number)) => {
            decimal(&number.as_f64().unwrap_or(f64::NAN).to_string(), *scale)
        }
        (FieldType::Decimal { .. }, Json::String(text)) => text_value(field_type, lengths, text),
        (FieldType::Decimal { .. }, _) => Err(Why::new("type", "must be a decimal number")),
        (FieldType::Boolean, Json::Bool(value)) => Ok(Datum::Boolean(*value)),
        (FieldType::Boolean, _) => Err(Why::new("type", "must be true or false")),
        (FieldType::Json, Json::Object(_) | Json::Array(_)) if holds_nul(given) => {
            Err(Why::new("invalid_character", "must not contain control characters"))
        }
        (FieldType::Json, Json::Object(_) | Json::Array(_)) => Ok(Datum::Json(with_doubles(given))),
        (FieldType::Json, _) => Err(Why::new("type", "must be an object or a list")),
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid,
            Json::String(text),
        ) => text_value(field_type, lengths, text),
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid,
            _,
        ) => Err(Why::new("type", "must be a string")),
    }
}

/// A text of which nothing is dropped, and no character refused.
fn as_it_stands(field_type: &FieldType, lengths: Lengths, text: &str) -> Result<Datum, Why> {
    let count = text.chars().count();
    let max = [field_type.max_length(), lengths.max].into_iter().flatten().min();
    match max.filter(|max| count > *max as usize) {
        Some(max) => Err(Why::new("too_long", format!("must have at most {max} characters"))),
        None if count == 0 => Err(Why::new("required", "is required")),
        None if count < lengths.min as usize => {
            Err(Why::new("too_short", format!("must have at least {} characters", lengths.min)))
        }
        None => Ok(Datum::Text(text.to_owned())),
    }
}

/// The value of a query parameter, which is always a text.
pub(crate) fn parameter_value(field_type: &FieldType, text: &str) -> Result<Datum, Why> {
    let datum = match field_type {
        FieldType::Integer => match parameter_number(text) {
            Some(number) => Datum::Integer(number),
            None => return Err(Why::new("type", "must be a whole number")),
        },
        FieldType::Boolean => match text {
            "true" => Datum::Boolean(true),
            "false" => Datum::Boolean(false),
            _ => return Err(Why::new("type", "must be true or false")),
        },
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => text_value(field_type, Lengths::default(), text)?,
    };
    if datum == Datum::Null { Err(Why::new("required", "is required")) } else { Ok(datum) }
}

/// The value that a cursor holds for a column of the type, if it is one.
pub(crate) fn cursor_value(field_type: &FieldType, given: &Json) -> Option<Datum> {
    match (field_type, given) {
        (FieldType::Integer, number) => whole_number(number).map(Datum::Integer),
        (FieldType::Boolean, Json::Bool(value)) => Some(Datum::Boolean(*value)),
        (FieldType::Decimal { scale }, Json::String(text)) => Decimal::parse(text, *scale).ok().map(Datum::Decimal),
        (FieldType::Boolean | FieldType::Decimal { .. } | FieldType::Json, _) => None,
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. },
            Json::String(text),
        ) => (!text.contains('\0')).then(|| Datum::Text(text.clone())),
        // What a database may keep as something else than text.
        (FieldType::Date, Json::String(text)) => date(text).map(Datum::Text),
        (FieldType::Timestamp, Json::String(text)) => timestamp(text).map(Datum::Text),
        (FieldType::Uuid, Json::String(text)) => is_uuid(text).then(|| Datum::Text(text.clone())),
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid,
            _,
        ) => None,
    }
}

fn decimal(text: &str, scale: u8) -> Result<Datum, Why> {
    Decimal::parse(text, scale).map(Datum::Decimal).map_err(|why| match why {
        NotADecimal::Form => Why::new("format", "must be a decimal number"),
        NotADecimal::Decimals => {
            let noun = if scale == 1 { "decimal" } else { "decimals" };
            Why::new("format", format!("must have at most {scale} {noun}"))
        }
        NotADecimal::TooLarge => {
            let greatest = Decimal::greatest(scale);
            Why::new("range", format!("must be between -{greatest} and {greatest}"))
        }
    })
}

/// The document with numbers as every reader understands them: those of JavaScript.
pub(crate) fn with_doubles(given: &Json) -> Json {
    match given {
        Json::Number(number) => {
            whole_number(given).map_or_else(|| number.as_f64().map_or(Json::Null, Json::from), Json::from)
        }
        Json::Array(items) => items.iter().map(with_doubles).collect(),
        Json::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), with_doubles(value))).collect(),
        Json::Null | Json::Bool(_) | Json::String(_) => given.clone(),
    }
}

/// No database keeps U+0000 in a document but those that keep it as a text.
pub(crate) fn holds_nul(document: &Json) -> bool {
    match document {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(entries) => entries.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// Digits with perhaps a minus before them, within what every JSON reader holds exactly.
pub(crate) fn parameter_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number: &i64| is_number && number.unsigned_abs() < 1 << 53)
}

/// A number without a fraction that every JSON reader holds exactly: `1`, `1.0`, up to 2^53 - 1 on either side.
pub(crate) fn whole_number(given: &Json) -> Option<i64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    let number = given.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MAX_SAFE)?;
    #[allow(clippy::cast_possible_truncation)] // a whole number within 2^53
    Some(number as i64)
}

fn text_value(field_type: &FieldType, lengths: Lengths, mut text: &str) -> Result<Datum, Why> {
    // What was sent is counted, as a document's `maxLength` does; the white space goes afterwards.
    let max = [field_type.max_length(), lengths.max].into_iter().flatten().min();
    if let Some(max) = max.filter(|max| text.chars().count() > *max as usize) {
        return Err(Why::new("too_long", format!("must have at most {max} characters")));
    }
    // What programs write is taken as it stands: an empty text is no time.
    let is_plain = match field_type {
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
    };
    if !is_plain {
        text = text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
        if text.is_empty() {
            return Ok(Datum::Null);
        }
    }
    let several_lines = matches!(field_type, FieldType::Text { .. });
    let is_control =
        |byte: u8| byte == 0x7f || byte < 0x20 && !(several_lines && matches!(byte, b'\t' | b'\n' | b'\r'));
    if text.bytes().any(is_control) {
        return Err(Why::new("invalid_character", "must not contain control characters"));
    }
    if field_type.max_length().is_some() && text.chars().count() < lengths.min as usize {
        return Err(Why::new("too_short", format!("must have at least {} characters", lengths.min)));
    }
    let (right, expected) = match field_type {
        FieldType::Decimal { scale } => return decimal(text, *scale),
        FieldType::Choice { words } => {
            let is_known = words.iter().any(|word| word == text);
            let why = || Why::new("format", format!("must be one of {}", words.join(", ")));
            return is_known.then(|| Datum::Text(text.to_owned())).ok_or_else(why);
        }
        FieldType::Code { letters } => {
            let is_code = text.len() == usize::from(*letters) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            let why = || Why::new("format", format!("must be a code of {letters} letters"));
            return is_code.then(|| Datum::Text(text.to_ascii_uppercase())).ok_or_else(why);
        }
        FieldType::Date => (date(text), "a date such as 2026-01-02"),
        FieldType::Email => (is_email(text).then(|| text.to_owned()), "an e-mail address"),
        FieldType::Phone => (is_phone(text).then(|| text.to_owned()), "a telephone number"),
        FieldType::Url => (is_url(text).then(|| text.to_owned()), "a URL"),
        FieldType::Timestamp => (timestamp(text), "a time such as 2026-01-02T03:04:05Z"),
        FieldType::Uuid => (is_uuid(text).then(|| text.to_ascii_lowercase()), "a UUID"),
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Integer | FieldType::Boolean | FieldType::Json => {
            (Some(text.to_owned()), "")
        }
    };
    right.map(Datum::Text).ok_or_else(|| Why::new("format", format!("must be {expected}")))
}

/// `2026-01-02T03:04:05Z`, with up to nine digits of a fraction, or with an offset as `+01:00`; kept as UTC with milliseconds
/// so that texts are in the order of times. In UTC it is of the years 1 to 9999.
fn timestamp(text: &str) -> Option<String> {
    let (time, rest) = text.split_at_checked(19)?;
    let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fraction_is_right = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|part| (1..=9).contains(&part.len()) && digits(part));
    let offset = offset_minutes(zone)?;
    let mut shape = String::with_capacity(time.len());
    shape.extend(time.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }));
    // A leap second has no place in the texts of other clocks.
    let is_time = shape == "0000-00-00T00:00:00" && &time[17..] < "60";
    // Not a `jiff::Timestamp`, which ends some hours before the year 10000.
    let local: jiff::civil::DateTime = text[..19 + fraction.len()].parse().ok()?;
    let utc = local.checked_sub(jiff::SignedDuration::from_mins(offset)).ok()?;
    (is_time && fraction_is_right && utc.year() >= 1).then(|| utc.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// `Z`, `+01:00`, `-01:00`.
fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| is_number)
    };
    let (hours, minutes) =
        (number(hours).filter(|hours| *hours < 24)?, number(minutes).filter(|minutes| *minutes < 60)?);
    Some(sign * (hours * 60 + minutes))
}

/// `2026-01-02`, a day that the calendar has, of the years 1 to 9999; texts are in the order of days.
fn date(text: &str) -> Option<String> {
    let is_digit = |at: usize, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    let has_form = text.len() == 10 && text.bytes().enumerate().all(|(at, byte)| is_digit(at, byte));
    let is_day = has_form && !text.starts_with("0000") && text.parse::<jiff::civil::Date>().is_ok();
    is_day.then(|| text.to_owned())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// <https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address>, with a dot in the domain.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty() && local.bytes().all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
}

fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (5..=20).contains(&digits) && rest.bytes().all(|byte| byte.is_ascii_digit() || b" -.()".contains(&byte))
}

/// Unicode's and JavaScript's together: they differ in two characters.
fn is_white_space(letter: char) -> bool {
    letter.is_whitespace() || letter == '\u{feff}'
}

fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    text.split_once("://")
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty() && !rest.contains(is_white_space))
}

/// How deep arrays and objects are nested, in any text: before it is parsed, because parsing merges repeated keys.
pub(crate) fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.co", "ada.lovelace+x@mail.example.com", "o'neil@example.ie"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["a", "a@b", "@b.co", "a@.co", "a@b..co", "a@-b.co", "a b@c.de", "a@b.c@d.e", "ä@b.co", "a@b_c.de"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn telephone_numbers() {
        for good in ["+44 20 7946 0018", "(030) 1234-5678", "12345", "030.123.45"] {
            assert!(is_phone(good), "{good}");
        }
        for bad in ["1234", "+", "12a45", "++12345", "123456789012345678901", "12345+"] {
            assert!(!is_phone(bad), "{bad}");
        }
    }

    #[test]
    fn times_are_kept_as_utc() {
        for (given, expected) in [
            ("2026-01-02T03:04:05Z", Some("2026-01-02T03:04:05.000Z")),
            ("2026-01-02T03:04:05.6789+01:30", Some("2026-01-02T01:34:05.678Z")),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("9999-12-31T23:59:59-00:01", None),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00.000Z")),
            ("0001-01-01T00:00:00+00:01", None),
            ("2026-01-01T00:30:00+23:59", Some("2025-12-31T00:31:00.000Z")),
            ("2026-01-02T03:04:05+1:000", None),
            ("2026-01-02T03:04:05", None),
            ("2026-01-02 03:04:05Z", None),
            ("2026-01-02T03:04:05+0100", None),
            ("2026-01-02T03:04:05+25:00", None),
            ("2026-01-02T03:04:60Z", None),
            ("2026-02-30T03:04:05Z", None),
            ("2026-01-02T03:04:05Z[UTC]", None),
        ] {
            assert_eq!(timestamp(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn whole_numbers() {
        for (given, expected) in [
            ("1", Some(1)),
            ("1.0", Some(1)),
            ("-9007199254740991", Some(-9_007_199_254_740_991)),
            ("9007199254740992", None),
            ("1.5", None),
            ("\"1\"", None),
        ] {
            assert_eq!(whole_number(&serde_json::from_str(given).unwrap()), expected, "{given}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        for good in ["2026-01-02", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(date(good).as_deref(), Some(good));
        }
        for bad in ["2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01", "2026-1-2", "20260102", "+2026-01-02"] {
            assert_eq!(date(bad), None, "{bad}");
        }
        assert_eq!(date("2026-01-02T00:00:00Z"), None);
    }

    #[test]
    fn decimal_numbers_come_as_numbers_and_as_texts() {
        let price = FieldType::Decimal { scale: 2 };
        for (given, expected) in [
            ("12.5", Ok("12.50")),
            ("12", Ok("12.00")),
            ("-0.0", Ok("0.00")),
            ("1e3", Ok("1000.00")),
            ("\"12.5\"", Ok("12.50")),
            ("\" 12.5 \"", Err("must be a decimal number")),
            ("\"9999999999999.99\"", Ok("9999999999999.99")),
            ("9999999999999.99", Ok("9999999999999.99")),
            ("0.30000000000000004", Err("must have at most 2 decimals")),
            ("1e-7", Err("must have at most 2 decimals")),
            ("1e300", Err("must be between -9999999999999.99 and 9999999999999.99")),
            ("\"1e3\"", Err("must be a decimal number")),
            ("\"12,50\"", Err("must be a decimal number")),
            ("true", Err("must be a decimal number")),
        ] {
            let value = typed(&price, Lengths::default(), &serde_json::from_str(given).unwrap());
            let value = value.map(|datum| datum.plain()).map_err(|why| why.detail);
            assert_eq!(value, expected.map(str::to_owned).map_err(str::to_owned), "{given}");
        }
    }

    #[test]
    fn documents_hold_the_numbers_of_javascript() {
        let given: Json = serde_json::from_str("{\"a\": [1.0, 9007199254740993, 1e2, -0.0, 0.5]}").unwrap();
        assert_eq!(with_doubles(&given).to_string(), "{\"a\":[1,9007199254740992.0,100,0,0.5]}");
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a": [{}], "b": 1}"#), 3);
        assert_eq!(depth(br#"{"a": "[[\"[[", "b": [1]}"#), 2);
        assert_eq!(depth(br#"{"a": [[]], "a": 1}"#), 3);
    }
}
