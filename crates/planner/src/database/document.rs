//! Tables that become collections of documents: which rows live inside of the document that they belong to, and which are documents of
//! their own, each with its reason. Nothing is decided here where the engine keeps tables.

use super::draft::{Draft, DraftTable};
use plan::database::{Embedded, ForeignKey, Nullability, OnDelete};
use vocab::{ColumnName, TableName};

/// What a row that is no longer a document of its own has no use for: those of the document that holds it say it.
const OF_THE_DOCUMENT: [&str; 3] = ["created_at", "updated_at", "row_version"];

/// Takes the tables whose rows are embedded out of the draft, and puts them into those that hold them.
pub fn embed(draft: &mut Draft) {
    let names: Vec<TableName> = draft.tables.iter().map(|table| table.table.name.clone()).collect();
    for name in names {
        let Some(table) = draft.find(&name) else { continue };
        match fate(draft, table) {
            Fate::Embedded { holder, by, why } => put_inside(draft, &name, &holder, by, why),
            Fate::Referenced { subject, why } => {
                let decision = format!("a collection of its own: `{name}.{subject}` names the other document");
                draft.decide(format!("documents of `{name}`"), decision, why);
            }
            Fate::Alone => {}
        }
    }
}

/// Where the rows of a table live.
enum Fate {
    /// In the document that they belong to.
    Embedded { holder: TableName, by: ColumnName, why: String },
    /// In a collection of their own, although they belong to others.
    Referenced { subject: String, why: String },
    /// They belong to none.
    Alone,
}

fn fate(draft: &Draft, table: &DraftTable) -> Fate {
    let keys = &table.table.rules.foreign_keys;
    let Some(first) = keys.first() else { return Fate::Alone };
    let name = &table.table.name;
    let referenced = |key: &ForeignKey, why: String| Fate::Referenced { subject: key.columns[0].to_string(), why };
    let Some(owner) = keys.iter().find(|key| is_owner(table, key)) else {
        let why = format!("a document of `{}` does not own it: it is there without it, or outlives it", first.table);
        return referenced(first, why);
    };
    let by = &owner.columns[0];
    let leads_here = |other: &DraftTable| other.key_to(name).is_some();
    if let Some(other) = draft.tables.iter().find(|other| leads_here(other)) {
        return referenced(owner, format!("`{}` leads to it, so it is addressed by itself", other.table.name));
    }
    if owner.table == *name || draft.find(&owner.table).is_none_or(|holder| holder.key_to(name).is_some()) {
        return referenced(owner, "it belongs to its own kind".to_owned());
    }
    if table.table.unique.contains(&vec![by.clone()]) {
        let why = format!("one of `{}` has at most one, which goes with it and is read with it", owner.table);
        return Fate::Embedded { holder: owner.table.clone(), by: by.clone(), why };
    }
    match bound(table, by) {
        Some(other) => Fate::Embedded {
            holder: owner.table.clone(),
            by: by.clone(),
            why: format!(
                "it belongs to one of `{}`, goes with it and is read with it; there is one for each `{other}` at most, so it does not grow without bound",
                owner.table
            ),
        },
        None => referenced(
            owner,
            format!(
                "one of `{}` may come to have any number, and a document holds 16 MB: a list that grows for ever has no place in it",
                owner.table
            ),
        ),
    }
}

/// Whether the row that a key leads to owns this one.
fn is_owner(table: &DraftTable, key: &ForeignKey) -> bool {
    let is_required =
        |name: &ColumnName| table.column(name).is_some_and(|column| column.nullability == Nullability::NotNull);
    key.on_delete == OnDelete::Cascade && key.columns.len() == 1 && is_required(&key.columns[0])
}

/// The other column of a pair that is there once: so many rows there are at most.
fn bound(table: &DraftTable, by: &ColumnName) -> Option<ColumnName> {
    let pairs = table.table.unique.iter().chain([&table.table.primary_key]);
    let other = |pair: &Vec<ColumnName>| match &pair[..] {
        [first, second] if first == by => Some(second.clone()),
        [first, second] if second == by => Some(first.clone()),
        _ => None,
    };
    pairs.filter_map(other).next()
}

fn put_inside(draft: &mut Draft, name: &TableName, holder: &TableName, by: ColumnName, why: String) {
    let Some(at) = draft.tables.iter().position(|table| table.table.name == *name) else { return };
    let mut table = draft.tables.remove(at).table;
    let pair = table.unique.iter().find(|unique| unique.contains(&by)).cloned();
    let known_by: Vec<ColumnName> = pair.unwrap_or_default().into_iter().filter(|column| *column != by).collect();
    let of_itself = |column: &ColumnName| {
        OF_THE_DOCUMENT.contains(&column.as_str())
            || (table.primary_key[..] == [column.clone()] && !known_by.is_empty())
    };
    let gone: Vec<ColumnName> = table.columns.iter().map(|column| column.name.clone()).filter(of_itself).collect();
    table.columns.retain(|column| !gone.contains(&column.name));
    table.rules.checks.retain(|check| !check.columns().any(|column| gone.contains(column)));
    if !known_by.is_empty() {
        table.primary_key = known_by;
    }
    let field = field(holder, name);
    let subject = format!("documents of `{name}`");
    draft.decide(subject, format!("inside those of `{holder}`, as `{field}`"), why.clone());
    if let Some(holder) = draft.find_mut(holder) {
        holder.table.rules.embedded.push(Embedded { field, table, by, why });
    }
}

/// `order_items` inside `orders` -> `items`.
fn field(holder: &TableName, name: &TableName) -> ColumnName {
    let one = crate::entity::singular(holder.as_str());
    let short = name.as_str().strip_prefix(&format!("{one}_")).unwrap_or(name.as_str());
    ColumnName::parse(short)
        .unwrap_or_else(|_| ColumnName::parse(name.as_str()).expect("a table's name is a column's name"))
}
