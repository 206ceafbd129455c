//! `validation`: a list of fields or a block of rules comes in, checked [`FieldRule`]s go out.
//! Rules that contradict each other are refused here, so that a rule that exists can hold.

use crate::codes::{NOT_A_RULE, WRONG_KIND};
use crate::document::{Entry, Node, Value};
use crate::field::{self, Field, optional};
use crate::lower::{Block, Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::suggestion::list;
use serde_json::{Value as Json, json};
use vocab::decimal::{DIGITS, MAX_SCALE};
use vocab::{Decimal, Diagnostic, FieldName};

/// The longest text a rule may ask for, in characters.
pub const MAX_FIELD_LENGTH: u64 = 1_000_000;
/// The most words of one `one_of`.
pub const MAX_WORDS: usize = 100;
/// The longest word of a `one_of`, in characters.
pub const MAX_WORD_LENGTH: usize = 100;

/// A field that an endpoint takes.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    /// Its name.
    pub name: Spanned<FieldName>,
    /// Its rules by word: `type`, `required`, `min_length`, `max_length`, `format`, `one_of`, `minimum`, `maximum`, `scale`,
    /// `default`. Empty: the planner knows the field.
    pub rules: Vec<(Spanned<String>, Spanned<RuleValue>)>,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleValue {
    /// `required`, `default`.
    Boolean(bool),
    /// `min_length` and `max_length`, in characters; `scale`, in digits.
    Integer(u64),
    /// `minimum`, `maximum`, `default`: a number as it is written, with the digits behind its point.
    Number(Decimal),
    /// `type`, one of `line`, `text`, `email`, `phone`, `url`, `integer`, `decimal`, `boolean`, `date`, `timestamp`, `uuid`,
    /// `currency`, `country`, `json` (`string` is read as `text`); `format`, one of `email`, `phone`, `url`, `date`,
    /// `timestamp`, `uuid`, `currency`, `country`; `default`.
    Text(String),
    /// `one_of`, without repetition.
    Words(Vec<String>),
}

const RULES: &[Field] = &[
    optional("type", "What the field holds.", || json!({ "enum": TYPES })),
    optional("required", "Whether it must be there.", schema::boolean),
    optional("min_length", "Fewest characters.", || schema::whole_number(0..=MAX_FIELD_LENGTH)),
    optional("max_length", "Most characters.", || schema::whole_number(1..=MAX_FIELD_LENGTH)),
    optional("format", "What the text must be.", || json!({ "enum": FORMATS })),
    optional("one_of", "The words of which it is one.", one_of_schema),
    optional("minimum", "The least number.", || json!({ "type": "number" })),
    optional("maximum", "The greatest number.", || json!({ "type": "number" })),
    optional("scale", "Digits behind the point of a decimal number; 2 when absent.", || {
        schema::whole_number(1..=u64::from(MAX_SCALE))
    }),
    optional(
        "default",
        "What it holds where a request gives nothing.",
        || json!({ "type": ["string", "number", "boolean"], "pattern": "\\S" }),
    ),
];
/// What a rule may be when it is one word.
const PRESENCE: &[&str] = &["required", "optional"];
const TYPES: &[&str] = &[
    "line",
    "text",
    "email",
    "phone",
    "url",
    "integer",
    "decimal",
    "boolean",
    "date",
    "timestamp",
    "uuid",
    "currency",
    "country",
    "json",
    "string",
];
const FORMATS: &[&str] = &["email", "phone", "url", "date", "timestamp", "uuid", "currency", "country"];
/// Types whose values have a length.
const TYPES_WITH_LENGTH: &[&str] = &["line", "text", "email", "phone", "url"];
/// Types that a format or a list of words makes narrower.
const TYPES_WITH_FORMAT: &[&str] = &["line", "text"];
/// Types whose values have an order and no length.
const TYPES_WITH_BOUNDS: &[&str] = &["integer", "decimal"];
const TYPES_WITH_SCALE: &[&str] = &["decimal"];

fn one_of_schema() -> Json {
    json!({
        "type": "array",
        "items": { "type": "string", "minLength": 1, "maxLength": MAX_WORD_LENGTH },
        "minItems": 1,
        "maxItems": MAX_WORDS,
    })
}

pub(crate) fn schema() -> Json {
    let words = [PRESENCE, TYPES].concat();
    let word = json!({ "enum": words });
    let rules = schema::either([word, schema::block(RULES)]);
    schema::either([schema::list_of_identifiers(), schema::map(schema::IDENTIFIER, rules)])
}

/// Checks the value of `validation`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Vec<FieldRule> {
    match &node.value {
        Value::Sequence(_) => lowering
            .distinct("validation", node, |lowering, label, item| lowering.name(label, item, FieldName::parse))
            .into_iter()
            .map(|name| FieldRule { name, rules: Vec::new() })
            .collect(),
        Value::Mapping(entries) => entries.iter().filter_map(|entry| field(lowering, entry)).collect(),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {
            let help = "write `validation: [\"name\", \"email\"]`, or each field with its rules";
            lowering.wrong_kind(Label::Field("validation"), "a list of fields or a block of rules", node, help);
            Vec::new()
        }
    }
}

fn field(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<FieldRule> {
    let name = lowering.parse_name(&entry.key, entry.key_span, FieldName::parse);
    let rules = match &entry.node.value {
        Value::Mapping(_) => block(lowering, entry),
        Value::Text(_) => single_word(lowering, entry).into_iter().collect(),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
            let help = format!("write `{}: {{ required: true }}`, or a word like `email`", entry.key);
            lowering.wrong_kind(Label::Field(&entry.key), "a block of rules or a word", &entry.node, &help);
            Vec::new()
        }
    };
    name.map(|name| FieldRule { name, rules })
}

type Rule = (Spanned<String>, Spanned<RuleValue>);

/// `email: email` is short for a type, `email: required` for whether it may be absent.
fn single_word(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<Rule> {
    let label = Label::Field(&entry.key);
    let text = lowering.text(label, &entry.node)?;
    let (rule, value) = match text {
        "required" => ("required", RuleValue::Boolean(true)),
        "optional" => ("required", RuleValue::Boolean(false)),
        text if TYPES.contains(&text) => ("type", RuleValue::Text(type_name(text))),
        text => {
            let words = [PRESENCE, TYPES].concat();
            lowering.unknown_word(label, entry.node.span, text, &words);
            return None;
        }
    };
    let source = lowering.source;
    Some((source.spanned(rule.to_owned(), entry.node.span), source.spanned(value, entry.node.span)))
}

fn block(lowering: &mut Lowering<'_>, entry: &Entry) -> Vec<Rule> {
    let Some(block) = lowering.block("a validation rule", &entry.node, entry.key_span, RULES) else {
        return Vec::new();
    };
    let rules: Vec<Rule> = field::names(RULES)
        .into_iter()
        .filter_map(|rule| Some((rule, block.entry(rule)?)))
        .filter_map(|(rule, entry)| {
            let value = value(lowering, rule, &entry.node)?;
            Some((
                lowering.source.spanned(rule.to_owned(), entry.key_span),
                lowering.source.spanned(value, entry.node.span),
            ))
        })
        .collect();
    check_together(lowering, &block, &rules);
    rules
}

fn value(lowering: &mut Lowering<'_>, rule: &str, node: &Node) -> Option<RuleValue> {
    let label = Label::Field(rule);
    match rule {
        "required" => lowering.boolean(label, node).map(RuleValue::Boolean),
        "min_length" | "max_length" => {
            let length = lowering.whole_number(label, node)?;
            if length > MAX_FIELD_LENGTH || (rule == "max_length" && length == 0) {
                let least = if rule == "max_length" { 1 } else { 0 };
                let message = format!("`{rule}` is a number from {least} to {MAX_FIELD_LENGTH}");
                lowering.error(NOT_A_RULE, message, node.span, "change the number");
                return None;
            }
            Some(RuleValue::Integer(length))
        }
        "type" => known(lowering, label, node, TYPES).map(|word| RuleValue::Text(type_name(&word))),
        "one_of" => one_of(lowering, node).map(RuleValue::Words),
        "minimum" | "maximum" => number(lowering, rule, node).map(RuleValue::Number),
        "scale" => lowering.number_in(label, node, 1..=u64::from(MAX_SCALE)).map(RuleValue::Integer),
        "default" => default(lowering, node),
        _format => known(lowering, label, node, FORMATS).map(RuleValue::Text),
    }
}

fn known(lowering: &mut Lowering<'_>, label: Label<'_>, node: &Node, words: &[&str]) -> Option<String> {
    let text = lowering.word_text(label, node, words)?;
    if words.contains(&text) {
        return Some(text.to_owned());
    }
    lowering.unknown_word(label, node.span, text, words);
    None
}

fn one_of(lowering: &mut Lowering<'_>, node: &Node) -> Option<Vec<String>> {
    lowering.some_items("one_of", node, "open", MAX_WORDS)?;
    let words = lowering.distinct("one_of", node, |lowering, label, item| {
        let text = lowering.text(label, item)?;
        if text.trim() != text || text.contains(char::is_control) || text.chars().count() > MAX_WORD_LENGTH {
            let message = format!("a word of `one_of` has at most {MAX_WORD_LENGTH} characters, on one line");
            lowering.error(NOT_A_RULE, message, item.span, "shorten it, and take away what stands around it");
            return None;
        }
        Some(lowering.source.spanned(text.to_owned(), item.span))
    });
    Some(words.into_iter().map(|word| word.value).collect())
}

/// A number as it is written: `0.10` keeps its digits.
fn number(lowering: &mut Lowering<'_>, rule: &str, node: &Node) -> Option<Decimal> {
    let Value::Number(_) = &node.value else {
        lowering.wrong_kind(Label::Field(rule), "a number", node, &format!("write `{rule}: 1`"));
        return None;
    };
    let text = lowering.source.slice(node.span);
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let number = u8::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE);
    let number = number.and_then(|scale| Decimal::parse(text, scale).ok());
    if number.is_none() {
        let message = format!("`{rule}` is a number of at most {DIGITS} digits, {MAX_SCALE} of them behind the point");
        lowering.error(NOT_A_RULE, message, node.span, format!("write `{rule}: 0.01`"));
    }
    number
}

fn default(lowering: &mut Lowering<'_>, node: &Node) -> Option<RuleValue> {
    let label = Label::Field("default");
    match &node.value {
        Value::Boolean(value) => Some(RuleValue::Boolean(*value)),
        Value::Number(_) => number(lowering, "default", node).map(RuleValue::Number),
        Value::Text(_) => lowering.text(label, node).map(|text| RuleValue::Text(text.to_owned())),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
            let help = "write a text, a number, `true` or `false`, or remove it";
            lowering.error(WRONG_KIND, format!("{label} must be one value"), node.span, help);
            None
        }
    }
}

fn type_name(word: &str) -> String {
    if word == "string" { "text".to_owned() } else { word.to_owned() }
}

/// Rules that are right alone and wrong together.
fn check_together(lowering: &mut Lowering<'_>, block: &Block<'_>, rules: &[Rule]) {
    let find = |word: &str| rules.iter().find(|(rule, _)| rule.value == word);
    let number = |word: &str| {
        find(word).and_then(|(_, value)| match &value.value {
            RuleValue::Integer(length) => Some((i128::from(*length), length.to_string(), value)),
            RuleValue::Number(number) => Some((rescaled(*number), number.to_string(), value)),
            RuleValue::Boolean(_) | RuleValue::Text(_) | RuleValue::Words(_) => None,
        })
    };
    for [least, most] in [["min_length", "max_length"], ["minimum", "maximum"]] {
        if let (Some((least_number, least_text, _)), Some((most_number, most_text, place))) =
            (number(least), number(most))
            && least_number > most_number
        {
            let message = format!("`{most}` {most_text} is less than `{least}` {least_text}");
            lowering.report(Diagnostic::error(NOT_A_RULE, message, &place.place).with_help("exchange the two"));
        }
    }
    if let (Some(_), Some(entry)) =
        (block.entry("one_of"), ["format", "min_length", "max_length"].iter().find_map(|word| block.entry(word)))
    {
        let message = format!("a field with `one_of` has no `{}`", entry.key);
        lowering.error(NOT_A_RULE, message, entry.key_span, "remove it: the words say everything");
    }
    let Some((_, Spanned { value: RuleValue::Text(kind), .. })) = find("type") else { return };
    for (word, types) in [
        ("min_length", TYPES_WITH_LENGTH),
        ("max_length", TYPES_WITH_LENGTH),
        ("format", TYPES_WITH_FORMAT),
        ("one_of", TYPES_WITH_FORMAT),
        ("minimum", TYPES_WITH_BOUNDS),
        ("maximum", TYPES_WITH_BOUNDS),
        ("scale", TYPES_WITH_SCALE),
    ] {
        if let (Some(entry), false) = (block.entry(word), types.contains(&kind.as_str())) {
            let message = format!("a field of type `{kind}` has no `{word}`");
            let help = match types {
                [only] => format!("remove it, or use the type `{only}`"),
                types => format!("remove it, or use a type among {}", list(types)),
            };
            lowering.error(NOT_A_RULE, message, entry.key_span, help);
        }
    }
}

/// The number in units of the last digit that any may have, to compare it with others.
fn rescaled(number: Decimal) -> i128 {
    i128::from(number.units()) * 10_i128.pow(u32::from(MAX_SCALE - number.scale()))
}
