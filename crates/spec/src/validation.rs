//! `validation`: a list of fields or a block of rules comes in, checked [`FieldRule`]s go out.
//! Rules that contradict each other are refused here, so that a rule that exists can hold.

use crate::codes::NOT_A_RULE;
use crate::document::{Entry, Node, Value};
use crate::field::{self, Field, optional};
use crate::lower::{Block, Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::suggestion::list;
use serde_json::{Value as Json, json};
use vocab::{Diagnostic, FieldName};

/// The longest text a rule may ask for, in characters.
pub const MAX_FIELD_LENGTH: u64 = 1_000_000;

/// A field that an endpoint takes.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    /// Its name.
    pub name: Spanned<FieldName>,
    /// Its rules by word: `type`, `required`, `min_length`, `max_length`, `format`. Empty: the planner knows the field.
    pub rules: Vec<(Spanned<String>, Spanned<RuleValue>)>,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleValue {
    /// `required`.
    Boolean(bool),
    /// `min_length` and `max_length`, in characters.
    Integer(u64),
    /// `type`, one of `line`, `text`, `email`, `phone`, `url`, `integer`, `boolean`, `timestamp`, `uuid`, `json`
    /// (`string` is read as `text`); `format`, one of `email`, `phone`, `url`, `timestamp`, `uuid`.
    Text(String),
}

const RULES: &[Field] = &[
    optional("type", "What the field holds.", || json!({ "enum": TYPES })),
    optional("required", "Whether it must be there.", schema::boolean),
    optional("min_length", "Fewest characters.", || schema::whole_number(0..=MAX_FIELD_LENGTH)),
    optional("max_length", "Most characters.", || schema::whole_number(1..=MAX_FIELD_LENGTH)),
    optional("format", "What the text must be.", || json!({ "enum": FORMATS })),
];
/// What a rule may be when it is one word.
const PRESENCE: &[&str] = &["required", "optional"];
const TYPES: &[&str] =
    &["line", "text", "email", "phone", "url", "integer", "boolean", "timestamp", "uuid", "json", "string"];
const FORMATS: &[&str] = &["email", "phone", "url", "timestamp", "uuid"];
/// Types whose values have a length.
const TYPES_WITH_LENGTH: &[&str] = &["line", "text", "email", "phone", "url"];
/// Types that a format makes narrower.
const TYPES_WITH_FORMAT: &[&str] = &["line", "text"];

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

fn type_name(word: &str) -> String {
    if word == "string" { "text".to_owned() } else { word.to_owned() }
}

/// Rules that are right alone and wrong together.
fn check_together(lowering: &mut Lowering<'_>, block: &Block<'_>, rules: &[Rule]) {
    let find = |word: &str| rules.iter().find(|(rule, _)| rule.value == word);
    let length = |word: &str| {
        find(word).and_then(|(_, value)| match value.value {
            RuleValue::Integer(length) => Some((length, value)),
            RuleValue::Boolean(_) | RuleValue::Text(_) => None,
        })
    };
    if let (Some((least, _)), Some((most, place))) = (length("min_length"), length("max_length"))
        && least > most
    {
        let message = format!("`max_length` {most} is less than `min_length` {least}");
        lowering.report(Diagnostic::error(NOT_A_RULE, message, &place.place).with_help("exchange the two"));
    }
    let Some((_, Spanned { value: RuleValue::Text(kind), .. })) = find("type") else { return };
    for (word, types) in
        [("min_length", TYPES_WITH_LENGTH), ("max_length", TYPES_WITH_LENGTH), ("format", TYPES_WITH_FORMAT)]
    {
        if let (Some(entry), false) = (block.entry(word), types.contains(&kind.as_str())) {
            let message = format!("a field of type `{kind}` has no `{word}`");
            let help = format!("remove it, or use a type among {}", list(types));
            lowering.error(NOT_A_RULE, message, entry.key_span, help);
        }
    }
}
