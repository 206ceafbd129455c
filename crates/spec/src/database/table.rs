//! `tables`: names and blocks come in, checked [`Table`]s go out, no two of one name.

use super::column::{self, Column};
use super::constraint::{self, Constraint, Index};
use crate::codes::NAMED_TWICE;
use crate::document::{Node, Value};
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::{Span, Spanned};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vocab::{Diagnostic, TableName};

/// The most tables of one task.
pub const MAX_TABLES: usize = 1_000;

/// A table, or a collection of a document database.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: Spanned<TableName>,
    /// What it was called until now; its rows are kept.
    pub renamed_from: Option<Spanned<TableName>>,
    /// Its columns, in the task's order. Empty for a bare name, whose columns the planner knows.
    pub columns: Vec<Column>,
    /// Whether these stand beside the columns that the planner knows of a table of that name.
    pub adds: bool,
    /// Its indexes besides those of keys. The planner checks their columns, because it adds columns itself.
    pub indexes: Vec<Index>,
    /// What must hold for its rows, those rules first that stand at columns. The planner checks their columns.
    pub constraints: Vec<Constraint>,
}

const FIELDS: &[Field] = &[
    required("name", "The table's name.", schema::identifier),
    optional("renamed_from", "What the table was called until now; its rows are kept.", schema::identifier),
    optional("columns", "Each column with its type, or with its rules.", column::schema),
    optional(
        "more_columns",
        "Columns beside those of a table of that name; a column of the same name is as it is here.",
        column::schema,
    ),
    optional("indexes", "Columns to find rows by: a name, a list of names, or a block.", constraint::indexes_schema),
    optional("constraints", "What must hold for rows.", constraint::schema),
];

pub(crate) fn schema() -> Json {
    let mut block = schema::block(FIELDS);
    schema::not_both(&mut block, ["columns", "more_columns"]);
    schema::some(schema::either([schema::identifier(), block]))
}

/// Checks the value of `tables`; absent when the list itself is wrong.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Vec<Table>> {
    let items = lowering.some_items("tables", node, "\"users\"", MAX_TABLES)?;
    let mut lines: BTreeMap<TableName, u32> = BTreeMap::new();
    let mut tables: Vec<Table> = Vec::with_capacity(items.len());
    for item in items {
        let Some(table) = table(lowering, item) else { continue };
        if let Some(line) = lines.get(&table.name.value) {
            let message = format!("`{}` is already the table of line {line}", table.name.value);
            lowering.report(
                Diagnostic::error(NAMED_TWICE, message, &table.name.place)
                    .with_help("keep one of the two, or rename one"),
            );
            continue;
        }
        lines.insert(table.name.value.clone(), table.name.place.line);
        tables.push(table);
    }
    check_references(lowering, &tables);
    check_renames(lowering, &tables);
    Some(tables)
}

fn table(lowering: &mut Lowering<'_>, node: &Node) -> Option<Table> {
    if let Value::Text(_) = node.value {
        let name = lowering.name(Label::Item("tables"), node, TableName::parse)?;
        return Some(Table {
            name,
            renamed_from: None,
            columns: Vec::new(),
            adds: false,
            indexes: Vec::new(),
            constraints: Vec::new(),
        });
    }
    let block = lowering.own_block("a table", node, FIELDS)?;
    let name = lowering
        .required(&block, "name", "add `name: \"users\"`")
        .and_then(|entry| lowering.name(Label::Field("name"), &entry.node, TableName::parse));
    let help =
        "keep `columns` where these are all of them, `more_columns` where they stand beside those of the catalogue";
    lowering.exclude(&block, ["columns", "more_columns"], help);
    let adds = block.node("more_columns");
    let said = block.node("columns").or(adds);
    let (columns, mut constraints) = said.map(|node| column::lower(lowering, node)).unwrap_or_default();
    let indexes = block.node("indexes").map_or_else(Vec::new, |node| constraint::lower_indexes(lowering, node));
    constraints.extend(block.node("constraints").into_iter().flat_map(|node| constraint::lower(lowering, node)));
    let renamed_from =
        block.node("renamed_from").and_then(|node| lowering.name(Label::Field("renamed_from"), node, TableName::parse));
    Some(Table { name: name?, renamed_from, columns, adds: adds.is_some(), indexes, constraints })
}

/// What was renamed is not there under its old name as well, and nothing becomes two.
fn check_renames(lowering: &mut Lowering<'_>, tables: &[Table]) {
    let names: Vec<&str> = tables.iter().map(|table| table.name.value.as_str()).collect();
    let old: Vec<_> = tables.iter().filter_map(|table| table.renamed_from.as_ref()).collect();
    column::check_old_names(lowering, &names, &old);
}

/// A foreign key leads to a table of this task.
fn check_references(lowering: &mut Lowering<'_>, tables: &[Table]) {
    let names: Vec<&str> = tables.iter().map(|table| table.name.value.as_str()).collect();
    for column in tables.iter().flat_map(|table| &table.columns) {
        let Some(reference) = &column.references else { continue };
        let table = reference.value.table.as_str();
        if !names.contains(&table) {
            lowering.not_declared("table", "tables", Span::of(&reference.place), table, &names);
        }
    }
}
