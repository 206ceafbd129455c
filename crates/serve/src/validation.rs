//! Whether a body has the declared shape: `docs/http-manners.md`, section Validation.

use plan::shape::{Presence, Shape, ShapeField};
use serde_json::Value as Json;
use vocab::field_format::BYTE_COUNT_MAX;
use vocab::field_type::EMAIL_MAX;
use vocab::{Datum, FieldFormat, FieldType};

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

/// Where in a request something is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// An RFC 6901 pointer into the body.
    Body(String),
    /// A query parameter.
    Parameter(String),
}

impl Wrong {
    fn field(name: &str, why: Why) -> Self {
        // RFC 6901: `~` and `/` inside a name are escaped.
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Self { place: Spot::Body(pointer), code: why.code, detail: why.detail }
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
}

impl Check {
    pub fn new(shape: &Shape, max_body_bytes: u64) -> Self {
        Self { shape: shape.clone(), max_body_bytes }
    }

    /// The record in the shape's order, or everything that is wrong.
    pub fn record(&self, body: &Json) -> Result<Vec<Datum>, Vec<Wrong>> {
        self.fields(body, |field, given| match formed(field, given.unwrap_or(&Json::Null))? {
            Datum::Null if field.presence == Presence::Required => Err(Why::new("required", "is required")),
            datum => Ok(datum),
        })
    }

    /// The changes in the shape's order, `None` for a field that was not given, or everything that is wrong.
    pub fn changes(&self, body: &Json) -> Result<Vec<Option<Datum>>, Vec<Wrong>> {
        self.fields(body, |field, given| {
            let Some(given) = given else { return Ok(None) };
            match formed(field, given)? {
                Datum::Null if field.presence == Presence::Required => Err(Why::new("required", "is required")),
                datum => Ok(Some(datum)),
            }
        })
    }

    /// The parameters of a path in the shape's order, or everything that is wrong.
    pub fn parameters(&self, given: &[(String, String)]) -> Result<Vec<Datum>, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut record = Vec::with_capacity(self.shape.fields.len());
        for field in &self.shape.fields {
            let name = field.name.as_str();
            let text = given.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text);
            match parameter_value(field.field_type, text) {
                Ok(datum) => record.push(datum),
                Err(why) => wrong.push(Wrong::parameter(name, why)),
            }
        }
        if wrong.is_empty() { Ok(record) } else { Err(wrong) }
    }

    fn fields<T>(
        &self,
        body: &Json,
        check: impl Fn(&ShapeField, Option<&Json>) -> Result<T, Why>,
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
                Err(why) => wrong.push(Wrong::field(field.name.as_str(), why)),
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

/// The value of a field in its form.
fn formed(field: &ShapeField, given: &Json) -> Result<Datum, Why> {
    let datum = value(field.field_type, field.min_length, given)?;
    let Some(format) = field.format else { return Ok(datum) };
    if datum == Datum::Null {
        return Ok(datum);
    }
    let is_text = |fits: fn(&str) -> bool| matches!(&datum, Datum::Text(text) if fits(text));
    let (fits, code) = match format {
        FieldFormat::FileName => (is_text(is_file_name), "format"),
        FieldFormat::MediaType => (is_text(is_media_type), "format"),
        FieldFormat::Sha256 => (is_text(is_sha256), "format"),
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

/// The value of a field; null for one that is null or empty.
fn value(field_type: FieldType, min_length: u32, given: &Json) -> Result<Datum, Why> {
    match (field_type, given) {
        (_, Json::Null) => Ok(Datum::Null),
        (FieldType::Integer, _) => {
            whole_number(given).map(Datum::Integer).ok_or_else(|| Why::new("type", "must be a whole number"))
        }
        (FieldType::Boolean, Json::Bool(value)) => Ok(Datum::Boolean(*value)),
        (FieldType::Boolean, _) => Err(Why::new("type", "must be true or false")),
        (FieldType::Json, _) => Ok(Datum::Json(given.clone())),
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Timestamp
            | FieldType::Uuid,
            Json::String(text),
        ) => text_value(field_type, min_length, text),
        (
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Timestamp
            | FieldType::Uuid,
            _,
        ) => Err(Why::new("type", "must be a string")),
    }
}

/// The value of a query parameter, which is always a text.
pub(crate) fn parameter_value(field_type: FieldType, text: &str) -> Result<Datum, Why> {
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
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => text_value(field_type, 0, text)?,
    };
    if datum == Datum::Null { Err(Why::new("required", "is required")) } else { Ok(datum) }
}

/// Digits with perhaps a minus before them, within what every JSON reader holds exactly.
pub(crate) fn parameter_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = (1..=16).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number: &i64| is_number && number.unsigned_abs() < 1 << 53)
}

/// A number without a fraction that every JSON reader holds exactly: `1`, `1.0`, up to 2^53 - 1 on either side.
fn whole_number(given: &Json) -> Option<i64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    let number = given.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MAX_SAFE)?;
    #[allow(clippy::cast_possible_truncation)] // a whole number within 2^53
    Some(number as i64)
}

fn text_value(field_type: FieldType, min_length: u32, text: &str) -> Result<Datum, Why> {
    let text = text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    if text.is_empty() {
        return Ok(Datum::Null);
    }
    let several_lines = matches!(field_type, FieldType::Text { .. });
    let is_control =
        |byte: u8| byte == 0x7f || byte < 0x20 && !(several_lines && matches!(byte, b'\t' | b'\n' | b'\r'));
    if text.bytes().any(is_control) {
        return Err(Why::new("invalid_character", "must not contain control characters"));
    }
    let length = text.chars().count();
    // An address that is too long is no address: its greatest length is part of the format.
    let max = field_type.max_length().filter(|_| field_type != FieldType::Email);
    if let Some(max) = max.filter(|max| length > *max as usize) {
        return Err(Why::new("too_long", format!("must have at most {max} characters")));
    }
    if length < min_length as usize {
        return Err(Why::new("too_short", format!("must have at least {min_length} characters")));
    }
    let (right, expected) = match field_type {
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
/// so that texts are in the order of times.
fn timestamp(text: &str) -> Option<String> {
    let (time, rest) = text.split_at_checked(19)?;
    let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fraction_is_right = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|part| (1..=9).contains(&part.len()) && digits(part));
    let zone_is_right = zone == "Z"
        || zone[1..].split_once(':').is_some_and(|(hours, minutes)| {
            hours.len() == 2 && minutes.len() == 2 && digits(hours) && digits(minutes) && hours < "24" && minutes < "60"
        });
    let mut shape = String::with_capacity(time.len());
    shape.extend(time.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }));
    // A leap second has no place in the texts of other clocks.
    let is_time = shape == "0000-00-00T00:00:00" && &time[17..] < "60";
    text.parse::<jiff::Timestamp>()
        .ok()
        .filter(|_| is_time && fraction_is_right && zone_is_right)
        .map(crate::run::timestamp)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// <https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address>, with a dot in the domain.
fn is_email(text: &str) -> bool {
    if text.len() > EMAIL_MAX as usize {
        return false;
    }
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

fn is_url(text: &str) -> bool {
    let is_scheme = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    text.split_once("://")
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty() && !rest.contains(char::is_whitespace))
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
    fn depth_counts_arrays_and_objects() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a": [{}], "b": 1}"#), 3);
        assert_eq!(depth(br#"{"a": "[[\"[[", "b": [1]}"#), 2);
        assert_eq!(depth(br#"{"a": [[]], "a": 1}"#), 3);
    }
}
