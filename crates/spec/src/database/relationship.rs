//! `relationships`: `users_to_orders` or a block comes in, two tables of the task with what is said of them goes out.
//! What kind a relationship is that does not say it, the planner decides from the tables.

use super::Declared;
use crate::codes::{BOUND_EXCEEDED, NAMED_TWICE, NOT_A_RELATIONSHIP, NOT_A_RULE};
use crate::document::{Node, Value};
use crate::field::{Field, optional, required};
use crate::lower::{Block, Label, Lowering};
use crate::schema;
use crate::suggestion::closest;
use crate::word::words;
use serde_json::Value as Json;
use vocab::{Diagnostic, Place, TableName};

/// The most relationships of one task.
const MAX_RELATIONSHIPS: usize = 2_000;

/// How the rows of two tables belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Relationship {
    /// The table it starts at, one of the task's; with `one_to_many` the one of which there is one.
    pub from: TableName,
    /// The table it leads to, one of the task's, perhaps the same.
    pub to: TableName,
    /// How many rows on each side; absent when the task leaves it to the planner.
    pub kind: Option<RelationshipKind>,
    /// What happens to rows of `to` when their row of `from` goes; absent when the task leaves it to the planner.
    pub on_delete: Option<OnDelete>,
    /// Where it stands.
    pub place: Place,
}

words! {
    /// How many rows belong to how many.
    RelationshipKind {
        /// At most one on each side.
        OneToOne = "one_to_one";
        /// One at `from`, any number at `to`.
        OneToMany = "one_to_many";
        /// Any number on each side.
        ManyToMany = "many_to_many";
    }
}

words! {
    /// What happens to a row when the row it belongs to goes.
    OnDelete {
        /// It goes too.
        Cascade = "cascade";
        /// It keeps the other from going.
        Restrict = "restrict";
        /// It stays, and belongs to none.
        SetNull = "set_null";
    }
}

const FIELDS: &[Field] = &[
    required("from", "The table it starts at.", schema::identifier),
    required("to", "The table it leads to.", schema::identifier),
    optional("kind", "How many rows belong to how many; inferred when absent.", schema::word::<RelationshipKind>),
    optional("on_delete", "What happens to rows of `to` when their row of `from` goes.", schema::word::<OnDelete>),
];

const SEPARATOR: &str = "_to_";

pub(crate) fn schema() -> Json {
    let phrase = format!("[a-z][a-z0-9_]*{SEPARATOR}[a-z][a-z0-9_]*");
    schema::list(schema::either([schema::pattern(&phrase), schema::block(FIELDS)]))
}

/// Checks the value of `relationships`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Vec<Relationship> {
    let Some(items) = lowering.list("relationships", node) else { return Vec::new() };
    if let Some(excess) = items.get(MAX_RELATIONSHIPS) {
        let message = format!("{} relationships, at most {MAX_RELATIONSHIPS} fit in one task", items.len());
        lowering.error(BOUND_EXCEEDED, message, excess.span, "split the task");
        return Vec::new();
    }
    let mut found: Vec<Relationship> = Vec::with_capacity(items.len());
    for item in items {
        let Some(relationship) = relationship(lowering, item, declared) else { continue };
        let same = |earlier: &&Relationship| earlier.from == relationship.from && earlier.to == relationship.to;
        match found.iter().find(same) {
            None => found.push(relationship),
            Some(earlier) if (earlier.kind, earlier.on_delete) == (relationship.kind, relationship.on_delete) => {
                lowering.listed_twice("relationships", &relationship.place);
            }
            Some(earlier) => {
                let message = format!(
                    "line {} already says how `{}` and `{}` belong together",
                    earlier.place.line, relationship.from, relationship.to
                );
                let help = "keep one of the two, or give a table with `columns` a column that `references` the other";
                lowering.report(Diagnostic::error(NAMED_TWICE, message, &relationship.place).with_help(help));
            }
        }
    }
    found
}

fn relationship(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Relationship> {
    match &node.value {
        Value::Text(text) => phrase(lowering, node, text, declared),
        Value::Mapping(_) => block(lowering, node, declared),
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
            let help = "write `\"users_to_orders\"`, or `{ from: users, to: orders, kind: one_to_many }`";
            let expected = "a text like `users_to_orders` or a block";
            lowering.wrong_kind(Label::Item("relationships"), expected, node, help);
            None
        }
    }
}

/// `users_to_orders`. A table's name may itself contain `_to_`, so every cut is tried.
fn phrase(lowering: &mut Lowering<'_>, node: &Node, text: &str, declared: &Declared<'_>) -> Option<Relationship> {
    let names = declared.names();
    let cuts: Vec<(&str, &str)> =
        text.match_indices(SEPARATOR).map(|(at, _)| (&text[..at], &text[at + SEPARATOR.len()..])).collect();
    let mut declared_cuts = cuts.iter().filter(|(from, to)| names.contains(from) && names.contains(to));
    match (declared_cuts.next(), declared_cuts.next()) {
        (Some((from, to)), None) => Some(Relationship {
            from: TableName::parse(from).ok()?,
            to: TableName::parse(to).ok()?,
            kind: None,
            on_delete: None,
            place: lowering.source.place(node.span),
        }),
        (Some((from, to)), Some(_)) => {
            let message = format!("`{text}` can be read in two ways");
            lowering.error(NOT_A_RELATIONSHIP, message, node.span, format!("write `{{ from: {from}, to: {to} }}`"));
            None
        }
        (None, _) => {
            refuse(lowering, node, text, &cuts, &names);
            None
        }
    }
}

/// Reports a phrase that leads nowhere: no `_to_` in it, or a table that the task does not declare.
fn refuse(lowering: &mut Lowering<'_>, node: &Node, text: &str, cuts: &[(&str, &str)], names: &[&str]) {
    let half_declared = cuts.iter().find(|(from, to)| names.contains(from) || names.contains(to));
    let cut = half_declared.or_else(|| cuts.iter().find(|(from, to)| !from.is_empty() && !to.is_empty()));
    let Some((from, to)) = cut else {
        let message = format!("`{text}` does not name two tables");
        let help = meant(text, names)
            .map_or_else(|| "write `users_to_orders`".to_owned(), |phrase| format!("did you mean `{phrase}`?"));
        return lowering.error(NOT_A_RELATIONSHIP, message, node.span, help);
    };
    let missing: Vec<&str> = [*from, *to].into_iter().filter(|name| !names.contains(name)).collect();
    // Both ends can be the same; one diagnostic is enough then.
    for name in missing.iter().take(if from == to { 1 } else { 2 }) {
        lowering.not_declared("table", "tables", node.span, name, names);
    }
}

/// The phrase behind spellings such as `users -> orders`, `users:orders` and `users_orders`.
fn meant(text: &str, names: &[&str]) -> Option<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words: Vec<&str> = text.split(|character| !is_word(character)).filter(|word| !word.is_empty()).collect();
    let ends = match words[..] {
        [from, .., to] => (from, to),
        [word] => word
            .match_indices('_')
            .map(|(at, _)| (&word[..at], &word[at + 1..]))
            .find(|(from, to)| names.contains(from) && names.contains(to))?,
        [] => return None,
    };
    let (from, to) = (closest(ends.0, names)?, closest(ends.1, names)?);
    Some(format!("{from}{SEPARATOR}{to}"))
}

fn block(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Relationship> {
    let block = lowering.own_block("a relationship", node, FIELDS)?;
    let from = end(lowering, &block, "from", declared);
    let to = end(lowering, &block, "to", declared);
    let kind = block.node("kind").and_then(|node| lowering.word::<RelationshipKind>(Label::Field("kind"), node));
    let on_delete = block.node("on_delete").and_then(|node| lowering.word::<OnDelete>(Label::Field("on_delete"), node));
    let (from, to) = (from?, to?);
    let kind = kind.map(|kind| kind.value);
    if let (Some(RelationshipKind::ManyToMany), Some(OnDelete::SetNull), Some(entry)) =
        (kind, on_delete.as_ref().map(|word| word.value), block.entry("on_delete"))
    {
        let message = "`on_delete: set_null` cannot hold for `many_to_many`: a link without one end links nothing";
        lowering.error(NOT_A_RULE, message, entry.node.span, "write `on_delete: cascade` or `restrict`");
        return None;
    }
    Some(Relationship {
        from,
        to,
        kind,
        on_delete: on_delete.map(|word| word.value),
        place: lowering.source.place(node.beginning()),
    })
}

fn end(
    lowering: &mut Lowering<'_>,
    block: &Block<'_>,
    name: &'static str,
    declared: &Declared<'_>,
) -> Option<TableName> {
    let help = format!("add `{name}:` with a table");
    let entry = lowering.required(block, name, &help)?;
    declared.table(lowering, Label::Field(name), &entry.node).map(|table| table.value)
}
