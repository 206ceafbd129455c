//! `columns`: names with a type word or a block come in, checked [`Column`]s go out.
//! Rules that contradict each other are refused here, so that a column that exists can be made.

use super::constraint::{self, Constraint};
use super::relationship::OnDelete;
use crate::codes::{MISSING_FIELD, NAMED_TWICE, NOT_A_NAME, NOT_A_RULE, UNKNOWN_WORD};
use crate::document::{Entry, Node, Value};
use crate::field::{Field, optional, required};
use crate::lower::{Block, Label, Lowering};
use crate::schema;
use crate::source::{Span, Spanned};
use crate::suggestion::list;
use crate::validation::MAX_FIELD_LENGTH;
use crate::word::{Word, words};
use serde_json::{Value as Json, json};
use std::fmt::Display;
use vocab::{ColumnName, MAX_SCALE, TableName};

/// The most columns of one table: MySQL ends at 1,017.
pub const MAX_COLUMNS: usize = 1_000;

/// A column of a table, or a field of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Spanned<ColumnName>,
    /// What it was called until now; what it holds is kept.
    pub renamed_from: Option<Spanned<ColumnName>>,
    /// What it holds; absent where it holds what the column does that it `references`.
    pub kind: Option<Spanned<ColumnType>>,
    /// Whether every row must have a value; absent when the task leaves it to the planner.
    pub required: Option<bool>,
    /// Whether no two rows may have one value.
    pub unique: bool,
    /// The value of a row that brings none; it fits the type.
    pub default: Option<Spanned<DefaultValue>>,
    /// Most characters; only on types with a length.
    pub max_length: Option<u64>,
    /// Digits behind the point; only on decimal numbers.
    pub scale: Option<u8>,
    /// The table whose rows the values name, which is a table of the task.
    pub references: Option<Spanned<ForeignKey>>,
}

/// What a row gets that brings no value.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A decimal number, as digits.
    Decimal(String),
    /// A text.
    Text(String),
    /// A JSON document.
    Json(Json),
    /// The time at which the row is stored.
    Now,
}

/// Where the values of a column lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The other table.
    pub table: TableName,
    /// Its column; absent for its key.
    pub column: Option<ColumnName>,
    /// What happens when the other row goes; absent when the task leaves it to the planner.
    pub on_delete: Option<OnDelete>,
}

words! {
    /// What a column holds.
    ColumnType {
        /// Text of one line.
        Line = "line";
        /// Text of several lines.
        Text = "text" | "string";
        /// An e-mail address.
        Email = "email";
        /// A telephone number.
        Phone = "phone";
        /// An `http` or `https` URL.
        Url = "url";
        /// A whole number of 64 bits.
        Integer = "integer";
        /// An exact decimal number, such as an amount of money.
        Decimal = "decimal";
        /// True or false.
        Boolean = "boolean";
        /// A day.
        Date = "date";
        /// A point in time, UTC.
        Timestamp = "timestamp";
        /// A UUID.
        Uuid = "uuid";
        /// A JSON document.
        Json = "json";
        /// Bytes.
        Binary = "binary";
    }
}

/// What other tools call the types.
const FOREIGN_WORDS: &[(&str, ColumnType)] = &[
    ("varchar", ColumnType::Line),
    ("char", ColumnType::Line),
    ("str", ColumnType::Text),
    ("longtext", ColumnType::Text),
    ("int", ColumnType::Integer),
    ("bigint", ColumnType::Integer),
    ("smallint", ColumnType::Integer),
    ("serial", ColumnType::Integer),
    ("bigserial", ColumnType::Integer),
    ("numeric", ColumnType::Decimal),
    ("number", ColumnType::Decimal),
    ("float", ColumnType::Decimal),
    ("double", ColumnType::Decimal),
    ("money", ColumnType::Decimal),
    ("bool", ColumnType::Boolean),
    ("datetime", ColumnType::Timestamp),
    ("timestamptz", ColumnType::Timestamp),
    ("jsonb", ColumnType::Json),
    ("object", ColumnType::Json),
    ("array", ColumnType::Json),
    ("blob", ColumnType::Binary),
    ("bytea", ColumnType::Binary),
];

impl ColumnType {
    fn has_length(self) -> bool {
        match self {
            Self::Line | Self::Text | Self::Email | Self::Phone | Self::Url => true,
            Self::Integer
            | Self::Decimal
            | Self::Boolean
            | Self::Date
            | Self::Timestamp
            | Self::Uuid
            | Self::Json
            | Self::Binary => false,
        }
    }
}

const FIELDS: &[Field] = &[
    optional(
        "type",
        "What the column holds; what the column holds that it references, when absent.",
        schema::word::<ColumnType>,
    ),
    optional("required", "Whether every row must have a value.", schema::boolean),
    optional("nullable", "The opposite of `required`.", schema::boolean),
    optional("unique", "Whether no two rows may have one value.", schema::boolean),
    optional(
        "default",
        "What a row gets that brings no value; `now` for the time it is stored.",
        || json!({ "not": { "type": "null" } }),
    ),
    optional("renamed_from", "What the column was called until now; what it holds is kept.", schema::identifier),
    optional("max_length", "Most characters.", || schema::whole_number(1..=MAX_FIELD_LENGTH)),
    optional("scale", "Digits behind the point of a decimal number.", || schema::whole_number(0..=MAX_SCALE.into())),
    constraint::AT_LEAST_FIELD,
    constraint::AT_MOST_FIELD,
    constraint::MORE_THAN_FIELD,
    constraint::LESS_THAN_FIELD,
    constraint::ONE_OF_FIELD,
    optional("references", "The table whose rows the values name: `users`, `users.id`, or a block.", reference_schema),
];

const REFERENCE_FIELDS: &[Field] = &[
    required("table", "The other table.", schema::identifier),
    optional("column", "Its column; its key when absent.", schema::identifier),
    optional("on_delete", "What happens when the other row goes.", schema::word::<OnDelete>),
];

pub(crate) fn schema() -> Json {
    let mut block = schema::block(FIELDS);
    schema::not_both(&mut block, ["required", "nullable"]);
    constraint::one_rule(&mut block);
    schema::merge(&mut block, json!({ "anyOf": [{ "required": ["type"] }, { "required": ["references"] }] }));
    let mut schema = schema::map(schema::IDENTIFIER, schema::either([schema::word::<ColumnType>(), block]));
    schema::merge(&mut schema, json!({ "minProperties": 1 }));
    schema
}

fn reference_schema() -> Json {
    let name = schema::IDENTIFIER;
    schema::either([schema::pattern(&format!(r"{name}(\.{name})?")), schema::block(REFERENCE_FIELDS)])
}

/// Checks the value of `columns`. Beside them goes what is said of their values.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> (Vec<Column>, Vec<Constraint>) {
    let entries = lowering.some_entries("columns", node, "email: email", MAX_COLUMNS).unwrap_or_default();
    let mut rules = Vec::new();
    let columns: Vec<Column> = entries.iter().filter_map(|entry| column(lowering, entry, &mut rules)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.value.as_str()).collect();
    let old: Vec<_> = columns.iter().filter_map(|column| column.renamed_from.as_ref()).collect();
    check_old_names(lowering, &names, &old);
    (columns, rules)
}

/// What was renamed is not there under its old name as well, and nothing becomes two.
pub(crate) fn check_old_names<N: Display>(lowering: &mut Lowering<'_>, names: &[&str], old: &[&Spanned<N>]) {
    let mut seen: Vec<String> = Vec::new();
    for name in old {
        let text = name.value.to_string();
        let span = Span::of(&name.place);
        if names.contains(&text.as_str()) {
            let help = "remove `renamed_from`, or what still has that name";
            lowering.error(NOT_A_RULE, format!("`renamed_from: {text}`, which is still there"), span, help);
        } else if seen.contains(&text) {
            let help = "keep one of the two: what it holds can go to one place";
            lowering.error(NAMED_TWICE, format!("`{text}` is already renamed to something else"), span, help);
        }
        seen.push(text);
    }
}

fn column(lowering: &mut Lowering<'_>, entry: &Entry, rules: &mut Vec<Constraint>) -> Option<Column> {
    let name = lowering.parse_name(&entry.key, entry.key_span, ColumnName::parse);
    match &entry.node.value {
        Value::Mapping(_) => block(lowering, entry, name, rules),
        Value::Text(_) => {
            let kind = column_type(lowering, Label::Field(&entry.key), &entry.node);
            Some(Column {
                name: name?,
                renamed_from: None,
                kind: Some(kind?),
                required: None,
                unique: false,
                default: None,
                max_length: None,
                scale: None,
                references: None,
            })
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
            let help = format!("write `{}: text`, or a block with `type`", entry.key);
            lowering.wrong_kind(Label::Field(&entry.key), "a type or a block of rules", &entry.node, &help);
            None
        }
    }
}

fn block(
    lowering: &mut Lowering<'_>,
    entry: &Entry,
    name: Option<Spanned<ColumnName>>,
    rules: &mut Vec<Constraint>,
) -> Option<Column> {
    let block = lowering.block("a column", &entry.node, entry.key_span, FIELDS)?;
    // A column that leads to another holds what that one does.
    let takes_type = block.entry("type").is_none() && block.entry("references").is_some();
    if block.entry("type").is_none() && !takes_type && !block.is_misspelled("type") {
        let help = "add `type: \"text\"` or another type, or `references`";
        lowering.error(MISSING_FIELD, "a column needs `type`", entry.key_span, help);
    }
    for needs_type in ["default", "max_length", "scale"].into_iter().filter_map(|name| block.entry(name)) {
        if takes_type {
            let message = format!("`{}` says something of a type, and the column has none of its own", needs_type.key);
            lowering.error(NOT_A_RULE, message, needs_type.key_span, "add `type`, or remove it");
        }
    }
    let kind = block.node("type").and_then(|node| column_type(lowering, Label::Field("type"), node));
    let mut boolean = |name: &'static str| block.node(name).and_then(|node| lowering.boolean(Label::Field(name), node));
    let required = boolean("required");
    let nullable = boolean("nullable");
    let unique = boolean("unique");
    lowering.exclude(&block, ["required", "nullable"], "keep one of the two: `nullable: false` is `required: true`");
    let type_word = kind.as_ref().map(|kind| kind.value);
    let max_length = max_length(lowering, &block, type_word);
    let scale = scale(lowering, &block, type_word);
    if let (Some(rule), place) =
        (constraint::rule_of_column(lowering, &block, name.clone()), lowering.source.place(entry.key_span))
    {
        rules.push(Constraint { name: None, rule, place });
    }
    let default = match (block.node("default"), type_word) {
        (Some(node), Some(kind)) => default_value(lowering, node, kind, max_length),
        (Some(_) | None, _) => None,
    };
    let references = block.node("references").and_then(|node| foreign_key(lowering, node));
    let renamed_from = block
        .node("renamed_from")
        .and_then(|node| lowering.name(Label::Field("renamed_from"), node, ColumnName::parse));
    let required = required.or(nullable.map(|nullable| !nullable));
    if let (Some(true), Some(OnDelete::SetNull), Some(reference)) =
        (required, references.as_ref().and_then(|reference| reference.value.on_delete), block.node("references"))
    {
        let message = "`on_delete: set_null` cannot empty a column that is required";
        lowering.error(NOT_A_RULE, message, reference.span, "write `on_delete: cascade` or `restrict`");
    }
    Some(Column {
        name: name?,
        renamed_from,
        kind: if takes_type { None } else { Some(kind?) },
        required,
        unique: unique.unwrap_or(false),
        default,
        max_length,
        scale,
        references,
    })
}

fn column_type(lowering: &mut Lowering<'_>, label: Label<'_>, node: &Node) -> Option<Spanned<ColumnType>> {
    let text = lowering.word_text(label, node, &ColumnType::words())?;
    if let Some(help) = foreign_type(text) {
        let message = format!("{label} is one of {}, not `{text}`", list(&ColumnType::words()));
        lowering.error(UNKNOWN_WORD, message, node.span, help);
        return None;
    }
    lowering.word(label, node)
}

/// What to write for a type of another tool, such as `varchar(255)`.
fn foreign_type(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (word, argument) = text.split_once('(').map_or((text.as_str(), None), |(word, rest)| {
        (word.trim(), rest.strip_suffix(')').and_then(|number| number.trim().parse::<u64>().ok()))
    });
    if matches!(word, "enum" | "choice" | "set") {
        return Some("write `{ type: line, one_of: [a, b] }`".to_owned());
    }
    let (_, kind) = FOREIGN_WORDS.iter().find(|(foreign, _)| *foreign == word)?;
    Some(match argument {
        Some(length) if kind.has_length() => format!("write `{{ type: {kind}, max_length: {length} }}`"),
        Some(_) | None => format!("did you mean `{kind}`?"),
    })
}

fn max_length(lowering: &mut Lowering<'_>, block: &Block<'_>, kind: Option<ColumnType>) -> Option<u64> {
    let entry = block.entry("max_length")?;
    let length = lowering.number_in(Label::Field("max_length"), &entry.node, 1..=MAX_FIELD_LENGTH)?;
    let kind = kind?;
    if !kind.has_length() {
        let with_length: Vec<&str> = ColumnType::SPELLINGS
            .iter()
            .filter(|(word, kind)| kind.has_length() && *word == kind.as_str())
            .map(|(word, _)| *word)
            .collect();
        let message = format!("a column of type `{kind}` has no `max_length`");
        let help = format!("remove it, or use a type among {}", list(&with_length));
        lowering.error(NOT_A_RULE, message, entry.key_span, help);
        return None;
    }
    Some(length)
}

fn scale(lowering: &mut Lowering<'_>, block: &Block<'_>, kind: Option<ColumnType>) -> Option<u8> {
    let entry = block.entry("scale")?;
    let scale = lowering.number_in(Label::Field("scale"), &entry.node, 0..=MAX_SCALE.into())?;
    let kind = kind?;
    if kind != ColumnType::Decimal {
        let message = format!("a column of type `{kind}` has no `scale`");
        lowering.error(NOT_A_RULE, message, entry.key_span, "remove it, or use the type `decimal`");
        return None;
    }
    u8::try_from(scale).ok()
}

fn default_value(
    lowering: &mut Lowering<'_>,
    node: &Node,
    kind: ColumnType,
    max_length: Option<u64>,
) -> Option<Spanned<DefaultValue>> {
    if node.value == Value::Null {
        let help = "remove it: without a default a row gets nothing";
        lowering.wrong_kind(Label::Field("default"), "a value", node, help);
        return None;
    }
    let value = fitting(node, kind);
    match value {
        Some(DefaultValue::Text(text))
            if max_length.is_some_and(|most| u64::try_from(text.chars().count()).unwrap_or(u64::MAX) > most) =>
        {
            let help = "shorten it, or raise `max_length`";
            lowering.error(NOT_A_RULE, "`default` is longer than `max_length`", node.span, help);
            None
        }
        Some(value) => Some(lowering.source.spanned(value, node.span)),
        None => {
            let message = format!("`default` does not fit a column of type `{kind}`");
            lowering.error(NOT_A_RULE, message, node.span, format!("write {}, or remove it", example(kind)));
            None
        }
    }
}

/// The node as a value of the type.
fn fitting(node: &Node, kind: ColumnType) -> Option<DefaultValue> {
    match (kind, &node.value) {
        (ColumnType::Json, _) => Some(DefaultValue::Json(node.to_json())),
        (ColumnType::Boolean, Value::Boolean(value)) => Some(DefaultValue::Boolean(*value)),
        (ColumnType::Integer, Value::Number(number)) => number.as_i64().map(DefaultValue::Integer),
        (ColumnType::Decimal, Value::Number(number)) => Some(DefaultValue::Decimal(number.to_string())),
        (ColumnType::Decimal, Value::Text(text)) if is_decimal(text) => Some(DefaultValue::Decimal(text.clone())),
        (ColumnType::Date | ColumnType::Timestamp, Value::Text(text)) if text == NOW => Some(DefaultValue::Now),
        (ColumnType::Date, Value::Text(text)) if is_day(text) => Some(DefaultValue::Text(text.clone())),
        (ColumnType::Uuid, Value::Text(text)) if is_uuid(text) => Some(DefaultValue::Text(text.to_ascii_lowercase())),
        (ColumnType::Line, Value::Text(text)) if !text.contains(char::is_control) => {
            Some(DefaultValue::Text(text.clone()))
        }
        (ColumnType::Text | ColumnType::Email | ColumnType::Phone | ColumnType::Url, Value::Text(text)) => {
            Some(DefaultValue::Text(text.clone()))
        }
        (
            ColumnType::Line
            | ColumnType::Text
            | ColumnType::Email
            | ColumnType::Phone
            | ColumnType::Url
            | ColumnType::Integer
            | ColumnType::Decimal
            | ColumnType::Boolean
            | ColumnType::Date
            | ColumnType::Timestamp
            | ColumnType::Uuid
            | ColumnType::Binary,
            _,
        ) => None,
    }
}

const NOW: &str = "now";

fn example(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Line | ColumnType::Text | ColumnType::Email | ColumnType::Phone | ColumnType::Url => "a text",
        ColumnType::Integer => "a whole number without quotes",
        ColumnType::Decimal => "a number like `9.99`",
        ColumnType::Boolean => "`true` or `false`",
        ColumnType::Date => "`now`, or a day like `2026-01-31`",
        ColumnType::Timestamp => "`now`",
        ColumnType::Uuid => "a UUID",
        ColumnType::Json => "a value",
        ColumnType::Binary => "nothing",
    }
}

/// Digits with at most one point among them, and a sign.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `2026-01-31`, of a year that every engine has.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |text: &str, digits: usize| {
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<u32>().ok() } else { None }
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    };
    year > 0 && (1..=12).contains(&month) && (1..=days).contains(&day)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn foreign_key(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<ForeignKey>> {
    if let Value::Text(text) = &node.value {
        let (table, column) =
            text.split_once('.').map_or((text.as_str(), None), |(table, column)| (table, Some(column)));
        if table.is_empty() || column.is_some_and(str::is_empty) {
            let message = format!("`{text}` is not a table, nor a table and its column");
            lowering.error(NOT_A_NAME, message, node.span, "write `users`, or `users.id`");
            return None;
        }
        let table = lowering.parse_name(table, node.span, TableName::parse);
        let column = match column {
            Some(column) => Some(lowering.parse_name(column, node.span, ColumnName::parse)?.value),
            None => None,
        };
        let key = ForeignKey { table: table?.value, column, on_delete: None };
        return Some(lowering.source.spanned(key, node.span));
    }
    let block = lowering.own_block("`references`", node, REFERENCE_FIELDS)?;
    let table = lowering
        .required(&block, "table", "add `table: \"users\"`")
        .and_then(|entry| lowering.name(Label::Field("table"), &entry.node, TableName::parse));
    let column = block.node("column").and_then(|node| lowering.name(Label::Field("column"), node, ColumnName::parse));
    let on_delete = block.node("on_delete").and_then(|node| lowering.word::<OnDelete>(Label::Field("on_delete"), node));
    let table = table?;
    let key = ForeignKey {
        table: table.value,
        column: column.map(|column| column.value),
        on_delete: on_delete.map(|word| word.value),
    };
    Some(Spanned { value: key, place: table.place })
}
