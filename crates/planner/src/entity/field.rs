//! A field from what a task says of it: one that nobody knows is made from its rules and the words of its name; one that the
//! catalogue knows becomes narrower. What cannot be true at once, or what the table could not hold, is refused.

use crate::codes::RULE_DOES_NOT_FIT;
use catalog::{Catalog, Field, Presence, Sensitivity, WordRule, example_of};
use spec::{FieldRule, RuleValue, Spanned};
use vocab::{Bounds, Datum, Decimal, Diagnostic, FieldType};

/// Longest text of a field that says nothing of its length.
pub const LINE_MAX: u32 = 200;
const TEXT_MAX: u32 = 5000;
/// Digits behind the point of a decimal number that says nothing of them: those of most currencies.
const SCALE: u8 = 2;
/// Letters of a currency's code (ISO 4217) and of a country's (ISO 3166-1 alpha-2).
const CURRENCY: FieldType = FieldType::Code { letters: 3 };
const COUNTRY: FieldType = FieldType::Code { letters: 2 };

/// What a field holds, with its bounds and its default.
pub fn described(field: &Field) -> String {
    let mut text = format!("holds {}", field.field_type.describe());
    if field.min_length > 1 {
        text.push_str(&format!(", at least {} characters", field.min_length));
    }
    if let Some(max) = field.max_length {
        text.push_str(&format!(", at most {max} characters"));
    }
    if let Some(words) = field.bounds.describe() {
        text.push_str(&format!(", {words}"));
    }
    if let Some(default) = &field.default {
        text.push_str(&format!(", `{}` where a request gives nothing", default.plain()));
    }
    text
}

/// A new field, and where its type comes from. A field in a list must be there; one in a map says so itself. `known` is what the
/// catalogue calls so in such a record.
pub fn made(rule: &FieldRule, known: Option<&Field>, catalog: &Catalog) -> Result<(Field, String), Vec<Diagnostic>> {
    let stated = Stated::of(rule);
    let says_type = ["type", "format", "one_of", "scale"].iter().any(|word| stated.rule(word).is_some());
    if let (Some(known), false) = (known, says_type) {
        let must_be = rule.rules.is_empty() || stated.required() == Some(true);
        let presence = if must_be { Presence::Required } else { Presence::Optional };
        let field = Field { presence, default: known.default.clone().filter(|_| !must_be), ..known.clone() };
        let reason = format!("the catalogue knows `{}`", rule.name.value);
        return Ok((with_example(limited(field, &stated, Table::Makes)?), reason));
    }
    let by_word = catalog.word_rule(&rule.name.value);
    let (field_type, bounds, reason) = type_of(&stated, by_word, rule);
    let field = Field {
        name: rule.name.value.clone(),
        presence: if rule.rules.is_empty() || stated.required() == Some(true) {
            Presence::Required
        } else {
            Presence::Optional
        },
        format: None,
        min_length: 1,
        max_length: None,
        bounds,
        default: None,
        sensitivity: match field_type {
            FieldType::Email | FieldType::Phone => Sensitivity::Personal,
            _ => known.map(|known| known.sensitivity).or(by_word.map(|word| word.sensitivity)).unwrap_or_default(),
        },
        stands_for: Vec::new(),
        description: known.map_or_else(String::new, |known| known.description.clone()),
        example: match (known, by_word) {
            (Some(known), _) if known.field_type == field_type => known.example.clone(),
            (_, Some(word)) if word.field_type == field_type => word.example.clone(),
            _ => example_of(&field_type),
        },
        field_type,
    };
    Ok((with_example(limited(field, &stated, Table::Makes)?), reason))
}

/// A known field as this task narrows it. Whether it must be there is said by each endpoint for itself.
pub fn narrowed(known: &Field, rule: &FieldRule) -> Result<Field, Vec<Diagnostic>> {
    let stated = Stated::of(rule);
    let mut field = known.clone();
    if let Some((word, value)) = stated.kind() {
        field.field_type = narrower_type(&known.field_type, value, stated.length("max_length"))
            .map_err(|why| vec![refused(rule, &word.place, &why)])?;
    }
    if let Some(place) = stated.rule("required").filter(|_| stated.required() == Some(false))
        && known.presence == Presence::Required
        && stated.rule("default").is_none()
    {
        return Err(vec![refused(rule, &place.0.place, "every row of its table has a value; `default` may say which")]);
    }
    Ok(with_example(limited(field, &stated, Table::Has)?))
}

/// Whether the table is there already, or is made for what the task says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Has,
    Makes,
}

type Rule = (Spanned<String>, Spanned<RuleValue>);

/// The rules of a field by their words.
struct Stated<'a> {
    field: &'a FieldRule,
}

impl<'a> Stated<'a> {
    fn of(field: &'a FieldRule) -> Self {
        Self { field }
    }

    fn rule(&self, word: &str) -> Option<&'a Rule> {
        self.field.rules.iter().find(|(known, _)| known.value == word)
    }

    fn required(&self) -> Option<bool> {
        match self.rule("required")?.1.value {
            RuleValue::Boolean(value) => Some(value),
            RuleValue::Integer(_) | RuleValue::Number(_) | RuleValue::Text(_) | RuleValue::Words(_) => None,
        }
    }

    /// A format says more than a type.
    fn kind(&self) -> Option<(&'a Spanned<String>, &'a str)> {
        let (word, value) = self.rule("format").or_else(|| self.rule("type"))?;
        match &value.value {
            RuleValue::Text(text) => Some((word, text)),
            RuleValue::Boolean(_) | RuleValue::Integer(_) | RuleValue::Number(_) | RuleValue::Words(_) => None,
        }
    }

    /// `min_length`, `max_length`, `scale`.
    fn length(&self, word: &str) -> Option<u32> {
        match self.rule(word)?.1.value {
            RuleValue::Integer(number) => u32::try_from(number).ok(),
            RuleValue::Boolean(_) | RuleValue::Number(_) | RuleValue::Text(_) | RuleValue::Words(_) => None,
        }
    }

    fn scale(&self) -> Option<u8> {
        self.length("scale").and_then(|scale| u8::try_from(scale).ok())
    }

    /// The most digits behind the point of any bound, where there is one.
    fn bound_scale(&self) -> Option<u8> {
        let scale = |word| match &self.rule(word)?.1.value {
            RuleValue::Number(number) => Some(number.scale()),
            RuleValue::Boolean(_) | RuleValue::Integer(_) | RuleValue::Text(_) | RuleValue::Words(_) => None,
        };
        scale("minimum").max(scale("maximum"))
    }
}

/// What a new field holds, and the reason.
fn type_of(stated: &Stated<'_>, by_word: Option<&WordRule>, rule: &FieldRule) -> (FieldType, Bounds, String) {
    let said = || "the task says so".to_owned();
    let unbounded = Bounds::default();
    if let Some((_, word)) = stated.kind()
        && let Some(field_type) = stated_type(word, stated.length("max_length"), stated.scale())
        && stated.rule("one_of").is_none()
    {
        return (field_type, unbounded, said());
    }
    if stated.rule("one_of").is_some() {
        return (FieldType::Text { max: u32::MAX }, unbounded, said());
    }
    let numeric = by_word.filter(|word| matches!(word.field_type, FieldType::Integer | FieldType::Decimal { .. }));
    match (stated.scale(), stated.bound_scale(), numeric, by_word) {
        (Some(scale), ..) => (FieldType::Decimal { scale }, unbounded, said()),
        (None, Some(0), None, _) => (FieldType::Integer, unbounded, "the task bounds it by whole numbers".to_owned()),
        (None, Some(scale), None, _) => {
            let field_type = FieldType::Decimal { scale: scale.max(SCALE) };
            (field_type, unbounded, "the task bounds it by decimal numbers".to_owned())
        }
        (None, _, _, Some(word)) => {
            let reason = format!("the words of `{}`: {}", rule.name.value, word.because);
            (with_length(&word.field_type, stated.length("max_length")), word.bounds.clone(), reason)
        }
        (None, None, _, None) => (FieldType::Line { max: LINE_MAX }, unbounded, "nothing says more".to_owned()),
        (None, Some(_), Some(_), None) => unreachable!("a number by its words has words"),
    }
}

fn stated_type(word: &str, max: Option<u32>, scale: Option<u8>) -> Option<FieldType> {
    Some(match word {
        "line" => FieldType::Line { max: max.unwrap_or(LINE_MAX) },
        "text" => FieldType::Text { max: max.unwrap_or(TEXT_MAX) },
        "email" => FieldType::Email,
        "phone" => FieldType::Phone,
        "url" => FieldType::Url,
        "currency" => CURRENCY,
        "country" => COUNTRY,
        "integer" => FieldType::Integer,
        "decimal" => FieldType::Decimal { scale: scale.unwrap_or(SCALE) },
        "boolean" => FieldType::Boolean,
        "date" => FieldType::Date,
        "timestamp" => FieldType::Timestamp,
        "uuid" => FieldType::Uuid,
        "json" => FieldType::Json,
        _ => return None,
    })
}

fn with_length(field_type: &FieldType, max: Option<u32>) -> FieldType {
    match (field_type, max) {
        (FieldType::Line { .. }, Some(max)) => FieldType::Line { max },
        (FieldType::Text { .. }, Some(max)) => FieldType::Text { max },
        (other, _) => other.clone(),
    }
}

/// The type that a task states for a field whose table has another, where every value of it fits there.
fn narrower_type(known: &FieldType, word: &str, max: Option<u32>) -> Result<FieldType, String> {
    let differs = || format!("the type of its table is another: {}", known.describe());
    let stated = stated_type(word, max, None).ok_or_else(differs)?;
    let room = match known {
        FieldType::Line { max } | FieldType::Text { max } => Some(*max),
        FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => None,
    };
    match (&stated, room) {
        (FieldType::Line { .. } | FieldType::Text { .. }, None) if is_text(known) => Ok(known.clone()),
        (FieldType::Text { .. }, Some(_)) => Ok(known.clone()),
        (FieldType::Line { .. }, Some(room)) => Ok(FieldType::Line { max: room }),
        (FieldType::Decimal { .. }, _) if matches!(known, FieldType::Decimal { .. }) => Ok(known.clone()),
        (stated, _) if stated == known => Ok(known.clone()),
        (stated, Some(room)) if is_text(stated) && longest(stated) <= room => Ok(stated.clone()),
        _ => Err(differs()),
    }
}

/// Types whose values are texts.
fn is_text(field_type: &FieldType) -> bool {
    match field_type {
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => true,
        FieldType::Integer | FieldType::Decimal { .. } | FieldType::Boolean | FieldType::Json => false,
    }
}

/// The longest value of a text type, in characters.
fn longest(field_type: &FieldType) -> u32 {
    field_type.max_length().unwrap_or(40)
}

/// The field with the lengths, words, bounds and default that the task states.
fn limited(mut field: Field, stated: &Stated<'_>, table: Table) -> Result<Field, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for (word, value) in &stated.field.rules {
        let applied = match (word.value.as_str(), &value.value) {
            ("one_of", RuleValue::Words(words)) => choose(&mut field, words),
            ("min_length", RuleValue::Integer(_)) => at_least(&mut field, stated),
            ("max_length", RuleValue::Integer(_)) => at_most(&mut field, stated, table),
            ("minimum", RuleValue::Number(number)) => bound(&mut field, *number, Side::Least, table),
            ("maximum", RuleValue::Number(number)) => bound(&mut field, *number, Side::Greatest, table),
            ("scale", _) => same_scale(&field, stated),
            _ => Ok(()),
        };
        problems.extend(applied.err().map(|why| refused(stated.field, &word.place, &why)));
    }
    if let (Some((word, value)), true) = (stated.rule("default"), problems.is_empty()) {
        match default(&field, &value.value) {
            Ok(_) if stated.required() == Some(true) => {
                problems.push(refused(stated.field, &word.place, "what must be given has no default"));
            }
            Ok(default) => {
                field.default = Some(default);
                field.presence = Presence::Optional;
            }
            Err(why) => problems.push(refused(stated.field, &value.place, &why)),
        }
    }
    if problems.is_empty() { Ok(field) } else { Err(problems) }
}

fn choose(field: &mut Field, words: &[String]) -> Result<(), String> {
    match &field.field_type {
        FieldType::Choice { words: known } => {
            if let Some(word) = words.iter().find(|word| !known.contains(word)) {
                return Err(format!("`{word}` is not among the words of its table: {}", field.field_type.describe()));
            }
        }
        FieldType::Line { max } | FieldType::Text { max } => {
            if let Some(word) = words.iter().find(|word| word.chars().count() > *max as usize) {
                return Err(format!("`{word}` is longer than {max} characters"));
            }
        }
        FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => return Err(type_is(&field.field_type)),
    }
    field.field_type = FieldType::Choice { words: words.to_vec() };
    field.format = None;
    field.default = field.default.take().filter(|default| words.iter().any(|word| *word == default.plain()));
    Ok(())
}

fn at_least(field: &mut Field, stated: &Stated<'_>) -> Result<(), String> {
    let least = stated.length("min_length").unwrap_or(1);
    match field.field_type.max_length() {
        None => Err(type_is(&field.field_type)),
        Some(most) if least > most => Err(format!("it has at most {most} characters")),
        Some(_) => {
            field.min_length = least.max(field.min_length);
            Ok(())
        }
    }
}

fn at_most(field: &mut Field, stated: &Stated<'_>, table: Table) -> Result<(), String> {
    let most = stated.length("max_length").unwrap_or(u32::MAX);
    match (&mut field.field_type, table) {
        (FieldType::Line { max } | FieldType::Text { max }, Table::Has) if most > *max => {
            Err(format!("its table holds at most {max} characters"))
        }
        (FieldType::Line { max } | FieldType::Text { max }, _) => {
            *max = most;
            Ok(())
        }
        (other, _) => match other.max_length() {
            None => Err(type_is(other)),
            Some(known) if most > known => Err(format!("it has at most {known} characters")),
            Some(known) => {
                field.max_length = (most < known).then_some(most);
                Ok(())
            }
        },
    }
}

fn same_scale(field: &Field, stated: &Stated<'_>) -> Result<(), String> {
    match field.field_type {
        FieldType::Decimal { scale } if stated.scale() == Some(scale) => Ok(()),
        FieldType::Decimal { scale } => Err(format!("its table has {scale} digits behind the point")),
        _ => Err(type_is(&field.field_type)),
    }
}

/// One of two bounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Least,
    Greatest,
}

fn bound(field: &mut Field, number: Decimal, side: Side, table: Table) -> Result<(), String> {
    let stated = number_of(&field.field_type, number)?;
    if table == Table::Has && !field.bounds.allow(&stated) {
        let known = field.bounds.describe().unwrap_or_default();
        return Err(format!("its table holds numbers {known}"));
    }
    match side {
        Side::Least => field.bounds.minimum = Some(stated),
        Side::Greatest => field.bounds.maximum = Some(stated),
    }
    match (&field.bounds.minimum, &field.bounds.maximum) {
        (Some(least), Some(greatest)) if least.compare(greatest) == Some(std::cmp::Ordering::Greater) => {
            Err(format!("{} is greater than {}", least.plain(), greatest.plain()))
        }
        _ => Ok(()),
    }
}

/// A number of the task as one of the field's type.
fn number_of(field_type: &FieldType, number: Decimal) -> Result<Datum, String> {
    match field_type {
        FieldType::Integer if number.scale() == 0 => Ok(Datum::Integer(number.units())),
        FieldType::Decimal { scale } => match Decimal::parse(&number.to_string(), *scale) {
            Ok(number) => Ok(Datum::Decimal(number)),
            Err(_) => Err(format!("{number} is none: {}", type_is(field_type))),
        },
        _ => Err(format!("{number} is none: {}", type_is(field_type))),
    }
}

fn default(field: &Field, stated: &RuleValue) -> Result<Datum, String> {
    let misfit = || format!("such a default is none: {}", type_is(&field.field_type));
    let datum = match (&field.field_type, stated) {
        (FieldType::Boolean, RuleValue::Boolean(value)) => Datum::Boolean(*value),
        (FieldType::Integer | FieldType::Decimal { .. }, RuleValue::Number(number)) => {
            number_of(&field.field_type, *number)?
        }
        (FieldType::Choice { words }, RuleValue::Text(text)) if words.contains(text) => Datum::Text(text.clone()),
        (FieldType::Code { letters }, RuleValue::Text(text))
            if text.len() == usize::from(*letters) && text.bytes().all(|byte| byte.is_ascii_uppercase()) =>
        {
            Datum::Text(text.clone())
        }
        (FieldType::Line { max } | FieldType::Text { max }, RuleValue::Text(text))
            if text.chars().count() <= *max as usize && !text.contains(char::is_control) =>
        {
            Datum::Text(text.trim().to_owned())
        }
        _ => return Err(misfit()),
    };
    match field.bounds.describe() {
        Some(words) if !field.bounds.allow(&datum) => Err(format!("the default must be {words}")),
        Some(_) | None => Ok(datum),
    }
}

/// The field with an example that its own rules accept.
pub fn with_example(mut field: Field) -> Field {
    let (min, max) = (field.min_length as usize, field.max_length);
    let example = match &field.field_type {
        FieldType::Line { max } | FieldType::Text { max } => {
            let short: String = field.example.chars().take(*max as usize).collect();
            let short = short.trim().to_owned();
            let missing = min.saturating_sub(short.chars().count());
            short.chars().chain(std::iter::repeat_n('x', missing)).collect()
        }
        FieldType::Choice { words } if !words.contains(&field.example) => words.first().cloned().unwrap_or_default(),
        FieldType::Integer | FieldType::Decimal { .. } => within(&field),
        FieldType::Email => {
            let missing = min.saturating_sub(field.example.chars().count());
            let fits = max.is_none_or(|max| field.example.chars().count() <= max as usize);
            let longer = format!("{}{}", "a".repeat(missing.min(50)), field.example);
            if fits { longer } else { "a@b.co".to_owned() }
        }
        FieldType::Phone => {
            let missing = min.saturating_sub(field.example.chars().count());
            field.example.replacen(' ', &" ".repeat(missing + 1), 1)
        }
        FieldType::Url if field.example.chars().count() < min => {
            let missing = min - field.example.chars().count();
            format!("{}/{}", field.example, "x".repeat(missing))
        }
        FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => field.example.clone(),
    };
    field.example = example;
    let is_of_type = field.example_value() != Datum::Null;
    if !is_of_type {
        field.example = example_of(&field.field_type);
    }
    field
}

/// The example, or the bound that it breaks.
fn within(field: &Field) -> String {
    let example = field.example_value();
    let breaks = |bounds: Bounds| !bounds.allow(&example);
    let least = Bounds { minimum: field.bounds.minimum.clone(), maximum: None };
    let bound = if breaks(least) {
        field.bounds.minimum.as_ref()
    } else if breaks(field.bounds.clone()) {
        field.bounds.maximum.as_ref()
    } else {
        None
    };
    bound.map_or_else(|| field.example.clone(), Datum::plain)
}

fn type_is(field_type: &FieldType) -> String {
    format!("its type is {}", field_type.describe())
}

fn refused(rule: &FieldRule, place: &vocab::Place, why: &str) -> Diagnostic {
    let message = format!("a rule of `{}` does not fit: {why}", rule.name.value);
    Diagnostic::error(RULE_DOES_NOT_FIT, message, place)
        .with_help("change the rule or remove it; a field of another name may hold anything")
}
