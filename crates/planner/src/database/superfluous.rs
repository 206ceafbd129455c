//! Columns that the catalogue has and this database needs no more: words for a row that a key leads to, and keys that could lead
//! nowhere because their table is not there. The draft comes in with all its keys; it goes out without those columns. What the
//! task itself names is never touched.

use super::draft::{Draft, DraftTable};
use catalog::{Catalog, Entity, Field, Presence};
use plan::database::{Nullability, OnDelete, Table};
use spec::{ConstraintRule, DatabaseConfig};
use vocab::{ColumnName, FieldName, FieldType, TableName};

/// Leaves out what says a second time what keys say, then what names rows of tables that are not there.
pub fn leave_out(draft: &mut Draft, config: &DatabaseConfig, catalog: &Catalog) {
    let open: Vec<(TableName, &Entity)> = draft
        .tables
        .iter()
        .filter(|table| !table.is_all_stated)
        .filter_map(|table| Some((table.table.name.clone(), catalog.table_entity(table.entity.as_ref()?)?)))
        .collect();
    for (name, entity) in open {
        for field in entity.fields.iter().filter(|field| !is_named(config, &name, &field.name)) {
            let Some(table) = draft.find(&name) else { continue };
            if has_key(&table.table, field.name.as_str()) || !has_column(&table.table, field.name.as_str()) {
                continue;
            }
            match said_by(draft, table, field) {
                Some(Said::Keys(keys)) => give_way(draft, &name, field, &keys),
                Some(Said::Links(links)) => {
                    let reason = format!("the rows of `{links}` say it");
                    draft.decide(format!("`{name}.{}`", field.name), "left out".to_owned(), reason);
                    take_away(draft, &name, &field.name, &[]);
                }
                // What a workspace's own entity calls a UUID may well be a number of another system.
                None if field.field_type == FieldType::Uuid && entity.file.is_none() => {
                    lead_nowhere(draft, &name, field)
                }
                None => {}
            }
        }
    }
}

/// What says the same as a field.
enum Said {
    /// Columns of the table itself.
    Keys(Vec<ColumnName>),
    /// Rows of a table that link its rows to others.
    Links(TableName),
}

fn said_by(draft: &Draft, table: &DraftTable, field: &Field) -> Option<Said> {
    let keys = field.stands_for.iter().filter(|name| has_key(&table.table, name.as_str()));
    let keys: Vec<ColumnName> = keys.map(|name| crate::table::column_name(name.as_str())).collect();
    if !keys.is_empty() {
        return Some(Said::Keys(keys));
    }
    let leads = |links: &Table, to: &str| links.rules.foreign_keys.iter().any(|key| key.table.as_str() == to);
    let links = draft.tables.iter().map(|links| &links.table).find(|links| {
        links.primary_key.len() == 2
            && leads(links, table.table.name.as_str())
            && field.stands_for.iter().any(|name| leads(links, name.as_str()))
    });
    links.map(|links| Said::Links(links.name.clone()))
}

/// The keys take the field's place: in what is unique, and in being required where there is only one.
fn give_way(draft: &mut Draft, table: &TableName, field: &Field, keys: &[ColumnName]) {
    let list: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let verb = if keys.len() == 1 { "leads" } else { "lead" };
    let reason =
        format!("{} {verb} to the row that says it, and what is kept twice comes to differ", list.join(" and "));
    let mut decision = "left out".to_owned();
    if let ([key], Presence::Required) = (keys, field.presence)
        && let Some(found) = draft.find_mut(table)
        && !found
            .table
            .rules
            .foreign_keys
            .iter()
            .any(|known| known.columns == [key.clone()] && known.on_delete == OnDelete::SetNull)
        && let Some(column) = found.column_mut(key)
        && column.nullability == Nullability::Nullable
    {
        column.nullability = Nullability::NotNull;
        decision = format!("left out; `{key}` must be there in its place");
    }
    draft.decide(format!("`{table}.{}`", field.name), decision, reason);
    take_away(draft, table, &field.name, keys);
}

fn lead_nowhere(draft: &mut Draft, table: &TableName, field: &Field) {
    let reason = "no table of the task has the row that it would name, and a key that nothing holds to names anything"
        .to_owned();
    draft.decide(format!("`{table}.{}`", field.name), "left out".to_owned(), reason);
    take_away(draft, table, &field.name, &[]);
}

/// Removes the column with its checks. A set that is unique has each of the keys in its place, and is none without.
fn take_away(draft: &mut Draft, table: &TableName, field: &FieldName, keys: &[ColumnName]) {
    let Some(table) = draft.find_mut(table).map(|table| &mut table.table) else { return };
    let is_it = |column: &ColumnName| column.as_str() == field.as_str();
    table.columns.retain(|column| !is_it(&column.name));
    table.rules.checks.retain(|check| !check.columns().any(is_it));
    let (with, without): (Vec<_>, Vec<_>) =
        std::mem::take(&mut table.unique).into_iter().partition(|set| set.iter().any(is_it));
    let replaced = with.iter().flat_map(|set| {
        keys.iter().map(|key| {
            let mut set: Vec<ColumnName> =
                set.iter().map(|column| if is_it(column) { key } else { column }).cloned().collect();
            set.dedup();
            set
        })
    });
    let mut unique: Vec<Vec<ColumnName>> = Vec::new();
    for set in replaced.chain(without) {
        if !unique.contains(&set) {
            unique.push(set);
        }
    }
    table.unique = unique;
}

fn has_column(table: &Table, name: &str) -> bool {
    table.columns.iter().any(|column| column.name.as_str() == name)
}

fn has_key(table: &Table, name: &str) -> bool {
    table.rules.foreign_keys.iter().any(|key| matches!(&key.columns[..], [only] if only.as_str() == name))
}

/// Whether the task names the column in an index or a constraint of the table.
fn is_named(config: &DatabaseConfig, table: &TableName, field: &FieldName) -> bool {
    let is_it = |column: &ColumnName| column.as_str() == field.as_str();
    config.tables.iter().filter(|known| known.name.value == *table).any(|table| {
        let of_indexes = table.indexes.iter().flat_map(|index| &index.columns);
        let of_constraints = table.constraints.iter().flat_map(|constraint| match &constraint.rule {
            ConstraintRule::PrimaryKey(columns) | ConstraintRule::Unique(columns) => columns.iter().collect(),
            ConstraintRule::Range { column, .. } | ConstraintRule::OneOf { column, .. } => vec![column],
            ConstraintRule::Against { column, other, .. } => vec![column, other],
            ConstraintRule::NoOverlap { within, from, until, unless } => {
                within.iter().chain([from, until]).chain(unless.iter().map(|(column, _)| column)).collect()
            }
        });
        of_indexes.chain(of_constraints).any(|column| is_it(&column.value))
    })
}
