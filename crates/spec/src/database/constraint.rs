//! `indexes` and `constraints` of a table: names, lists and blocks come in, typed rules go out; never a piece of SQL.

use crate::codes::{FIELDS_EXCLUDE, MISSING_FIELD, NAMED_TWICE, NOT_A_RULE};
use crate::document::{Node, Value};
use crate::field::{Field, optional, required};
use crate::lower::{Block, Label, Lowering};
use crate::name::ConstraintName;
use crate::schema;
use crate::source::Spanned;
use serde_json::{Number, Value as Json, json};
use vocab::{ColumnName, Comparator, Diagnostic, IndexName, Place};

/// The most indexes or constraints of one table.
const MAX_RULES: usize = 100;
/// The most columns of one key: MySQL ends at 16.
const MAX_KEY_COLUMNS: usize = 16;
/// The most words of `one_of`.
const MAX_WORDS: usize = 1_000;

/// An index.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its name; absent when the planner names it.
    pub name: Option<Spanned<IndexName>>,
    /// Its columns, in order; at least one.
    pub columns: Vec<Spanned<ColumnName>>,
    /// Whether no two rows may agree in all of them.
    pub unique: bool,
    /// Where it stands.
    pub place: Place,
}

/// What must hold for the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Its name; absent when the planner names it.
    pub name: Option<Spanned<ConstraintName>>,
    /// The rule.
    pub rule: ConstraintRule,
    /// Where it stands.
    pub place: Place,
}

/// A rule for rows.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintRule {
    /// The columns that identify a row, instead of the planner's own key.
    PrimaryKey(Vec<Spanned<ColumnName>>),
    /// Columns in which no two rows agree.
    Unique(Vec<Spanned<ColumnName>>),
    /// A number within bounds, of which at least one is present.
    Range {
        /// The column.
        column: Spanned<ColumnName>,
        /// The least.
        at_least: Option<Bound>,
        /// The most.
        at_most: Option<Bound>,
    },
    /// A value that stands so to that of another column in the same row, where both are there.
    Against {
        /// The column.
        column: Spanned<ColumnName>,
        /// How it stands.
        comparator: Comparator,
        /// The other column.
        other: Spanned<ColumnName>,
    },
    /// One of a list of words; at least one, none twice.
    OneOf {
        /// The column.
        column: Spanned<ColumnName>,
        /// The words.
        words: Vec<Spanned<String>>,
    },
    /// Times that no two rows may share: a room is booked once.
    NoOverlap {
        /// What is taken; where it is nothing, all rows take the same.
        within: Vec<Spanned<ColumnName>>,
        /// From when, included.
        from: Spanned<ColumnName>,
        /// Until when, not included.
        until: Spanned<ColumnName>,
        /// Words of a column that let a row take nothing.
        unless: Option<(Spanned<ColumnName>, Vec<Spanned<String>>)>,
    },
}

/// An end of a range, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound(pub Number);

const INDEX_FIELDS: &[Field] = &[
    optional("name", "Its name; the producer finds one when absent.", schema::identifier),
    required("columns", "The columns, in order.", schema::some_identifiers),
    optional("unique", "Whether no two rows may agree in all of them.", schema::boolean),
];

const FIELDS: &[Field] = &[
    optional("name", "Its name; the producer finds one when absent.", schema::identifier),
    optional("primary_key", "The columns that identify a row.", schema::some_identifiers),
    optional("unique", "Columns in which no two rows agree.", schema::some_identifiers),
    optional("check", "What the values of a column must be.", check_schema),
    optional("no_overlap", "Times that no two rows may share: a room is booked once.", || {
        schema::block(OVERLAP_FIELDS)
    }),
];

const OVERLAP_FIELDS: &[Field] = &[
    optional(
        "within",
        "What is taken, such as `room_id`; all rows take the same when absent.",
        schema::some_identifiers,
    ),
    required("from", "The column that says from when, that moment included.", schema::identifier),
    required("until", "The column that says until when, that moment not included.", schema::identifier),
    optional("unless", "Which rows take nothing, such as cancelled ones.", || schema::block(RELEASE_FIELDS)),
];

const RELEASE_FIELDS: &[Field] = &[
    required("column", "The column.", schema::identifier),
    required("one_of", "The texts with which a row takes nothing.", || schema::some(schema::text())),
];

const CHECK_FIELDS: &[Field] = &[
    required("column", "The column.", schema::identifier),
    AT_LEAST_FIELD,
    AT_MOST_FIELD,
    MORE_THAN_FIELD,
    LESS_THAN_FIELD,
    ONE_OF_FIELD,
];

/// The rules of a check, which may also stand at their column.
pub(super) const AT_LEAST_FIELD: Field =
    optional("at_least", "The least number, or a column that it is not less than.", bound_schema);
pub(super) const AT_MOST_FIELD: Field =
    optional("at_most", "The greatest number, or a column that it is not greater than.", bound_schema);
pub(super) const MORE_THAN_FIELD: Field =
    optional("more_than", "A column of the same row that it is greater, or later, than.", schema::identifier);
pub(super) const LESS_THAN_FIELD: Field =
    optional("less_than", "A column of the same row that it is less, or earlier, than.", schema::identifier);
pub(super) const ONE_OF_FIELD: Field = optional("one_of", "The only texts.", || schema::some(schema::text()));

const RULES: [&str; 4] = ["primary_key", "unique", "check", "no_overlap"];
const CHECKS: [&str; 5] = ["at_least", "at_most", "more_than", "less_than", "one_of"];

/// A rule against another column stands alone, and so does a list of words.
pub(super) fn one_rule(block: &mut Json) {
    let is_column = |bound: &str| json!({ "properties": { bound: { "type": "string" } } });
    let bounds = json!({ "not": { "required": ["at_least", "at_most"], "anyOf": [is_column("at_least"), is_column("at_most")] } });
    let pairs =
        CHECKS.iter().enumerate().flat_map(|(at, first)| CHECKS[at + 1..].iter().map(move |second| [*first, *second]));
    let pairs = pairs.filter(|pair| *pair != ["at_least", "at_most"]);
    let apart: Vec<Json> = pairs.map(|pair| json!({ "not": { "required": pair } })).chain([bounds]).collect();
    schema::merge(block, json!({ "allOf": apart }));
}

fn bound_schema() -> Json {
    schema::either([json!({ "type": "number" }), schema::identifier()])
}

pub(crate) fn indexes_schema() -> Json {
    let columns = schema::some(schema::identifier());
    schema::some(schema::either([schema::identifier(), columns, schema::block(INDEX_FIELDS)]))
}

pub(crate) fn schema() -> Json {
    let mut rule = schema::block(FIELDS);
    schema::merge(&mut rule, json!({ "oneOf": RULES.map(|rule| json!({ "required": [rule] })) }));
    schema::some(rule)
}

fn check_schema() -> Json {
    let mut check = schema::block(CHECK_FIELDS);
    let [at_least, at_most, more_than, less_than, one_of] = CHECKS;
    let range = schema::either([at_least, at_most].map(|bound| json!({ "required": [bound] })));
    let others = [more_than, less_than, one_of].map(|rule| json!({ "required": [rule] }));
    let rules: Vec<Json> = std::iter::once(range).chain(others).collect();
    schema::merge(&mut check, json!({ "oneOf": rules }));
    one_rule(&mut check);
    check
}

/// Checks the value of `indexes`.
pub(crate) fn lower_indexes(lowering: &mut Lowering<'_>, node: &Node) -> Vec<Index> {
    let items = lowering.some_items("indexes", node, "\"email\"", MAX_RULES).unwrap_or_default();
    items.iter().filter_map(|item| index(lowering, item)).collect()
}

fn index(lowering: &mut Lowering<'_>, node: &Node) -> Option<Index> {
    let label = Label::Item("indexes");
    let (name, columns, unique) = match &node.value {
        Value::Text(_) => (None, vec![lowering.name(label, node, ColumnName::parse)?], false),
        Value::Sequence(_) => (None, columns(lowering, "indexes", node)?, false),
        Value::Mapping(_) => {
            let block = lowering.own_block("an index", node, INDEX_FIELDS)?;
            let name = block.node("name").and_then(|node| lowering.name(Label::Field("name"), node, IndexName::parse));
            let columns = lowering
                .required(&block, "columns", "add `columns: [\"email\"]`")
                .and_then(|entry| columns(lowering, "columns", &entry.node));
            let unique = block.node("unique").and_then(|node| lowering.boolean(Label::Field("unique"), node));
            (name, columns?, unique.unwrap_or(false))
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) => {
            let help = "write `\"email\"`, or `{ columns: [\"email\"], unique: true }`";
            lowering.wrong_kind(label, "a column, a list of columns or a block", node, help);
            return None;
        }
    };
    Some(Index { name, columns, unique, place: lowering.source.place(node.beginning()) })
}

/// Columns of one key: at least one, none twice.
fn columns(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Option<Vec<Spanned<ColumnName>>> {
    lowering.some_items(name, node, "\"email\"", MAX_KEY_COLUMNS)?;
    let columns = lowering.distinct(name, node, |lowering, label, item| lowering.name(label, item, ColumnName::parse));
    (!columns.is_empty()).then_some(columns)
}

/// Checks the value of `constraints`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Vec<Constraint> {
    let example = "{ unique: [\"email\"] }";
    let items = lowering.some_items("constraints", node, example, MAX_RULES).unwrap_or_default();
    let constraints: Vec<Constraint> = items.iter().filter_map(|item| constraint(lowering, item)).collect();
    let mut keys = constraints.iter().filter(|constraint| matches!(constraint.rule, ConstraintRule::PrimaryKey(_)));
    if let (Some(first), Some(second)) = (keys.next(), keys.next()) {
        let message = format!("this table has its `primary_key` in line {} already", first.place.line);
        lowering.report(
            Diagnostic::error(NAMED_TWICE, message, &second.place)
                .with_help("put all columns of the key into one list, or make the second one `unique`"),
        );
    }
    constraints
}

fn constraint(lowering: &mut Lowering<'_>, node: &Node) -> Option<Constraint> {
    let block = lowering.own_block("a constraint", node, FIELDS)?;
    let name = block.node("name").and_then(|node| lowering.name(Label::Field("name"), node, ConstraintName::parse));
    let help =
        "write `{ unique: [\"email\"] }`, `{ primary_key: [...] }`, `{ check: {...} }` or `{ no_overlap: {...} }`";
    exactly_one(lowering, "a constraint", node, &block, &RULES, help)?;
    let rule = if let Some(node) = block.node("primary_key") {
        ConstraintRule::PrimaryKey(columns(lowering, "primary_key", node)?)
    } else if let Some(node) = block.node("unique") {
        ConstraintRule::Unique(columns(lowering, "unique", node)?)
    } else if let Some(node) = block.node("no_overlap") {
        no_overlap(lowering, node)?
    } else {
        check(lowering, block.node("check")?)?
    };
    Some(Constraint { name, rule, place: lowering.source.place(node.beginning()) })
}

fn no_overlap(lowering: &mut Lowering<'_>, node: &Node) -> Option<ConstraintRule> {
    let block = lowering.own_block("`no_overlap`", node, OVERLAP_FIELDS)?;
    let within = block.node("within").map_or(Some(Vec::new()), |node| columns(lowering, "within", node));
    let mut column = |block: &Block<'_>, name: &'static str, help: &str| {
        let entry = lowering.required(block, name, help)?;
        lowering.name(Label::Field(name), &entry.node, ColumnName::parse)
    };
    let from = column(&block, "from", "add `from: starts_at`");
    let until = column(&block, "until", "add `until: ends_at`");
    let unless = match block.node("unless") {
        Some(node) => {
            let block = lowering.own_block("`unless`", node, RELEASE_FIELDS)?;
            let column = lowering
                .required(&block, "column", "add `column: status`")
                .and_then(|entry| lowering.name(Label::Field("column"), &entry.node, ColumnName::parse));
            let entry = lowering.required(&block, "one_of", "add `one_of: [\"cancelled\"]`")?;
            Some((column?, words(lowering, &entry.node)?))
        }
        None => None,
    };
    Some(ConstraintRule::NoOverlap { within: within?, from: from?, until: until?, unless })
}

/// The texts of `one_of`.
fn words(lowering: &mut Lowering<'_>, node: &Node) -> Option<Vec<Spanned<String>>> {
    lowering.some_items("one_of", node, "\"open\"", MAX_WORDS)?;
    Some(lowering.distinct("one_of", node, |lowering, label, item| {
        let text = lowering.text(label, item)?;
        Some(lowering.source.spanned(text.to_owned(), item.span))
    }))
}

/// Reports a block that has none of `fields`, or more than one.
fn exactly_one(
    lowering: &mut Lowering<'_>,
    title: &str,
    node: &Node,
    block: &Block<'_>,
    fields: &[&str],
    help: &str,
) -> Option<()> {
    let mut present = fields.iter().filter_map(|field| block.entry(field));
    match (present.next(), present.next()) {
        (Some(_), None) => return Some(()),
        (Some(first), Some(second)) => {
            let message = format!("{title} has `{}` and `{}`, which exclude each other", first.key, second.key);
            let help = "write two of them, one for each rule";
            lowering.error(FIELDS_EXCLUDE, message, second.key_span, help);
        }
        (None, _) if fields.iter().any(|field| block.is_misspelled(field)) => {}
        (None, _) => lowering.error(MISSING_FIELD, format!("{title} needs a rule"), node.beginning(), help),
    }
    None
}

fn check(lowering: &mut Lowering<'_>, node: &Node) -> Option<ConstraintRule> {
    let block = lowering.own_block("`check`", node, CHECK_FIELDS)?;
    let column = lowering
        .required(&block, "column", "add `column: \"price\"`")
        .and_then(|entry| lowering.name(Label::Field("column"), &entry.node, ColumnName::parse));
    if CHECKS.iter().all(|field| block.entry(field).is_none()) {
        if !CHECKS.iter().any(|field| block.is_misspelled(field)) {
            let help = "add `at_least: 0`, `at_most: 100`, `one_of: [\"open\", \"closed\"]` or `more_than: starts_at`";
            lowering.error(MISSING_FIELD, "`check` needs a rule", node.beginning(), help);
        }
        return None;
    }
    rule_of_column(lowering, &block, column)
}

/// What the block says of the values of a column; nothing where it says nothing of them, or something wrong.
pub(super) fn rule_of_column(
    lowering: &mut Lowering<'_>,
    block: &Block<'_>,
    column: Option<Spanned<ColumnName>>,
) -> Option<ConstraintRule> {
    let of_others = |name: &str| match block.node(name).map(|node| &node.value) {
        Some(Value::Text(_)) => true,
        Some(_) => name == "more_than" || name == "less_than",
        None => false,
    };
    if let Some(comparator) = Comparator::ALL.into_iter().find(|comparator| of_others(comparator.as_str())) {
        return against(lowering, block, column, comparator);
    }
    let at_least = block.node("at_least").map(|node| bound(lowering, "at_least", node));
    let at_most = block.node("at_most").map(|node| bound(lowering, "at_most", node));
    if let Some(node) = block.node("one_of") {
        lowering.exclude(block, ["at_least", "one_of"], "write two checks");
        lowering.exclude(block, ["at_most", "one_of"], "write two checks");
        let words = words(lowering, node)?;
        return Some(ConstraintRule::OneOf { column: column?, words });
    }
    if at_least.is_none() && at_most.is_none() {
        return None;
    }
    // A bound that could not be read was reported, so the constraint is not made.
    let (at_least, at_most) = (unless_wrong(at_least)?, unless_wrong(at_most)?);
    if let (Some(least), Some(most)) = (&at_least, &at_most)
        && least.0.as_f64() > most.0.as_f64()
    {
        let message = format!("`at_most` {} is less than `at_least` {}", most.0, least.0);
        lowering.error(NOT_A_RULE, message, block.entry("at_most")?.key_span, "exchange the two");
        return None;
    }
    Some(ConstraintRule::Range { column: column?, at_least, at_most })
}

/// A check against another column stands alone.
fn against(
    lowering: &mut Lowering<'_>,
    block: &Block<'_>,
    column: Option<Spanned<ColumnName>>,
    comparator: Comparator,
) -> Option<ConstraintRule> {
    let name = comparator.as_str();
    let node = block.node(name)?;
    for other in CHECKS.into_iter().filter(|other| *other != name) {
        lowering.exclude(block, [name, other], "write two of them, one for each rule");
    }
    if !matches!(node.value, Value::Text(_)) {
        let help = format!("write `{name}: starts_at`; the bounds of a number are `at_least` and `at_most`");
        lowering.wrong_kind(Label::Field(name), "a column", node, &help);
        return None;
    }
    let other = lowering.name(Label::Field(name), node, ColumnName::parse)?;
    let column = column?;
    if column.value == other.value {
        let message = format!("`{}` is compared with itself", column.value);
        lowering.error(NOT_A_RULE, message, node.span, "name another column");
        return None;
    }
    Some(ConstraintRule::Against { column, comparator, other })
}

fn bound(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Option<Bound> {
    if let Value::Number(number) = &node.value {
        return Some(Bound(number.clone()));
    }
    lowering.wrong_kind(Label::Field(name), "a number or a column", node, &format!("write `{name}: 0`"));
    None
}

#[expect(clippy::option_option, reason = "absent, or present and wrong, or present and right")]
fn unless_wrong<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
