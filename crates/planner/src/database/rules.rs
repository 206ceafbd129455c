//! Checks, unique rules and indexes: what the task states, what the types of columns ask for, and an index behind every key.

use super::draft::{Draft, DraftTable};
use crate::codes::{CANNOT_HOLD, NAME_TAKEN, UNKNOWN_COLUMN};
use plan::database::{Check, CheckRule, Column, Index, OnDelete, Table, Times, Uniqueness};
use plan::{Decision, Phase};
use spec::{Bound, ConstraintRule, DatabaseConfig, Spanned};
use std::collections::BTreeSet;
use vocab::{ColumnName, ConstraintName, Datum, Decimal, FieldType, IndexName, TableName};

/// What the task states for the table.
pub fn stated(draft: &mut Draft, stated: &spec::Table) {
    let table = &stated.name.value;
    for index in &stated.indexes {
        let Some(columns) = known(draft, table, &index.columns) else { continue };
        let ending = if index.unique { "key" } else { "idx" };
        let name = index.name.as_ref().map_or_else(|| index_name(table, &columns, ending), |name| name.value.clone());
        let uniqueness = if index.unique { Uniqueness::Unique } else { Uniqueness::Repeating };
        let why = "the task says so".to_owned();
        push_index(draft, table, Index { name, columns, uniqueness, why });
    }
    for constraint in &stated.constraints {
        let name = constraint.name.as_ref().map(|name| name.value.as_str());
        match &constraint.rule {
            ConstraintRule::PrimaryKey(_) => {}
            ConstraintRule::Unique(columns) => {
                let Some(columns) = known(draft, table, columns) else { continue };
                match name.and_then(|name| IndexName::parse(name).ok()) {
                    Some(name) => {
                        let (uniqueness, why) = (Uniqueness::Unique, "the task says so".to_owned());
                        push_index(draft, table, Index { name, columns, uniqueness, why });
                    }
                    None => {
                        if let Some(table) =
                            draft.find_mut(table).filter(|table| !table.table.unique.contains(&columns))
                        {
                            table.table.unique.push(columns);
                        }
                    }
                }
            }
            ConstraintRule::Range { column, at_least, at_most } => {
                let Some(found) = known_column(draft, table, column) else { continue };
                let bound = |bound: &Option<Bound>| bound.as_ref().map(|bound| datum(&found.field_type, bound));
                let (Some(minimum), Some(maximum)) = (unless_wrong(bound(at_least)), unless_wrong(bound(at_most)))
                else {
                    let message = format!(
                        "`{table}.{}` holds {}, which the bounds do not fit",
                        column.value,
                        found.field_type.describe()
                    );
                    draft.refuse(CANNOT_HOLD, message, &constraint.place, "bound a number, by numbers of its kind");
                    continue;
                };
                push_check(draft, table, name, &column.value, "range", CheckRule::Range { minimum, maximum });
            }
            ConstraintRule::OneOf { column, words } => {
                let Some(found) = known_column(draft, table, column) else { continue };
                let is_text = found.field_type.max_length().is_some();
                if !is_text {
                    let message =
                        format!("`{table}.{}` holds {}, not words", column.value, found.field_type.describe());
                    draft.refuse(CANNOT_HOLD, message, &constraint.place, "give the column the type `line`");
                    continue;
                }
                let words = words.iter().map(|word| word.value.clone()).collect();
                push_check(draft, table, name, &column.value, "words", CheckRule::OneOf(words));
            }
        }
    }
}

/// What the types of columns and the keys ask for; then no two things may have one name.
pub fn complete(draft: &mut Draft) {
    for table in &mut draft.tables {
        let of_types: Vec<Check> =
            table.table.columns.iter().filter_map(|column| of_type(&table.table, column)).collect();
        let checks = &mut table.table.rules.checks;
        let is_new = |check: &Check| !checks.iter().any(|known| known.name == check.name);
        let new: Vec<Check> = of_types.into_iter().filter(is_new).collect();
        checks.extend(new);
        let place = |column: &ColumnName| table.table.columns.iter().position(|known| known.name == *column);
        let mut ordered = std::mem::take(&mut table.table.rules.checks);
        ordered.sort_by_key(|check| place(&check.column));
        table.table.rules.checks = ordered;
        index_keys(&mut table.table);
    }
    unique_names(draft);
}

fn of_type(table: &Table, column: &Column) -> Option<Check> {
    let (ending, rule) = match &column.field_type {
        FieldType::Choice { words } => ("words", CheckRule::OneOf(words.clone())),
        FieldType::Code { letters } => ("length", CheckRule::Length { at_most: u32::from(*letters) }),
        other => ("length", CheckRule::Length { at_most: other.max_length()? }),
    };
    Some(Check { name: constraint_name(table, &[&column.name], ending), column: column.name.clone(), rule })
}

/// Without an index, removing a row would read the whole table that leads to it.
fn index_keys(table: &mut Table) {
    let keys: Vec<Vec<ColumnName>> = table.rules.foreign_keys.iter().map(|key| key.columns.clone()).collect();
    for columns in keys {
        let leads = |known: &Vec<ColumnName>| known.starts_with(&columns);
        let is_covered = leads(&table.primary_key)
            || table.unique.iter().any(leads)
            || table.rules.indexes.iter().any(|index| leads(&index.columns));
        if !is_covered {
            let name = index_name(&table.name, &columns, "idx");
            let why = "finds the rows that lead to one of the other table, also when that one is to go".to_owned();
            table.rules.indexes.push(Index { name, columns, uniqueness: Uniqueness::Repeating, why });
        }
    }
}

/// Tables and indexes share one set of names, constraints of a table another.
fn unique_names(draft: &mut Draft) {
    let mut taken: BTreeSet<String> = draft.tables.iter().map(|table| table.table.name.to_string()).collect();
    let mut twice = Vec::new();
    for DraftTable { table, place, .. } in &draft.tables {
        let indexes = table.rules.indexes.iter().map(|index| index.name.to_string());
        twice.extend(indexes.filter(|name| !taken.insert(name.clone())).map(|name| (name, place.clone())));
        let mut own = BTreeSet::new();
        let checks = table.rules.checks.iter().map(|check| check.name.to_string());
        let constraints = checks.chain(table.rules.foreign_keys.iter().map(|key| key.name.to_string()));
        twice.extend(constraints.filter(|name| !own.insert(name.clone())).map(|name| (name, place.clone())));
    }
    for (name, place) in twice {
        draft.refuse(NAME_TAKEN, format!("two things are called `{name}`"), &place, "give one of them another `name`");
    }
}

fn push_index(draft: &mut Draft, table: &TableName, index: Index) {
    if let Some(table) = draft.find_mut(table) {
        table.table.rules.indexes.push(index);
    }
}

fn push_check(
    draft: &mut Draft,
    table: &TableName,
    name: Option<&str>,
    column: &ColumnName,
    ending: &str,
    rule: CheckRule,
) {
    let Some(table) = draft.find_mut(table) else { return };
    let own = || constraint_name(&table.table, &[column], ending);
    let name = name.and_then(|name| ConstraintName::parse(name).ok()).unwrap_or_else(own);
    table.table.rules.checks.push(Check { name, column: column.clone(), rule });
}

/// The columns, if the table has them all.
fn known(draft: &mut Draft, table: &TableName, columns: &[Spanned<ColumnName>]) -> Option<Vec<ColumnName>> {
    let found: Vec<Option<Column>> = columns.iter().map(|column| known_column(draft, table, column)).collect();
    found.into_iter().map(|column| column.map(|column| column.name)).collect()
}

fn known_column(draft: &mut Draft, table: &TableName, column: &Spanned<ColumnName>) -> Option<Column> {
    let found = draft.find(table)?.column(&column.value).cloned();
    if found.is_none() {
        let names: Vec<String> =
            draft.find(table)?.table.columns.iter().map(|known| format!("`{}`", known.name)).collect();
        let message = format!("`{table}` has no column `{}`", column.value);
        draft.refuse(UNKNOWN_COLUMN, message, &column.place, &format!("it has {}", names.join(", ")));
    }
    found
}

fn datum(field_type: &FieldType, bound: &Bound) -> Option<Datum> {
    match field_type {
        FieldType::Integer => bound.0.as_i64().map(Datum::Integer),
        FieldType::Decimal { scale } => Decimal::parse(&bound.0.to_string(), *scale).ok().map(Datum::Decimal),
        _ => None,
    }
}

/// Absent, or present and right; `None` for present and wrong.
#[expect(clippy::option_option, reason = "absent, or present and wrong, or present and right")]
fn unless_wrong<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

/// Whether the task makes the column unique by itself in an index or a constraint.
pub fn is_unique_by(config: &DatabaseConfig, table: &TableName, column: &ColumnName) -> bool {
    let only = |columns: &[Spanned<ColumnName>]| matches!(columns, [one] if one.value == *column);
    config.tables.iter().filter(|known| known.name.value == *table).any(|table| {
        table.indexes.iter().any(|index| index.unique && only(&index.columns))
            || table.constraints.iter().any(|constraint| match &constraint.rule {
                ConstraintRule::Unique(columns) => only(columns),
                ConstraintRule::PrimaryKey(_) | ConstraintRule::Range { .. } | ConstraintRule::OneOf { .. } => false,
            })
    })
}

pub fn constraint_name(table: &Table, columns: &[&ColumnName], ending: &str) -> ConstraintName {
    let words: Vec<&str> =
        [table.name.as_str()].into_iter().chain(columns.iter().map(|column| column.as_str())).collect();
    ConstraintName::parse(&dialect::name::joined(&words, ending)).expect("made of names")
}

pub fn key_name(table: &TableName, column: &ColumnName) -> ConstraintName {
    let name = dialect::name::joined(&[table.as_str(), column.as_str()], "fkey");
    ConstraintName::parse(&name).expect("made of names")
}

pub fn index_name(table: &TableName, columns: &[ColumnName], ending: &str) -> IndexName {
    let words: Vec<&str> = [table.as_str()].into_iter().chain(columns.iter().map(ColumnName::as_str)).collect();
    IndexName::parse(&dialect::name::joined(&words, ending)).expect("made of names")
}

pub fn on_delete(stated: spec::OnDelete) -> OnDelete {
    match stated {
        spec::OnDelete::Cascade => OnDelete::Cascade,
        spec::OnDelete::Restrict => OnDelete::Restrict,
        spec::OnDelete::SetNull => OnDelete::SetNull,
    }
}

pub fn known_on_delete(known: catalog::OnDelete) -> OnDelete {
    match known {
        catalog::OnDelete::Cascade => OnDelete::Cascade,
        catalog::OnDelete::Restrict => OnDelete::Restrict,
        catalog::OnDelete::SetNull => OnDelete::SetNull,
    }
}

/// What happens to a row when the one it leads to goes.
pub fn describe(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::Cascade => "goes with it",
        OnDelete::Restrict => "keeps it from going",
        OnDelete::SetNull => "stays without it",
    }
}

/// What holds for every table, and what each index is for.
pub fn decisions(tables: &[Table]) -> Vec<Decision> {
    let decide = |subject: String, decision: String, reason: &str| Decision {
        phase: Phase::CreateSchemaAndTables,
        subject,
        decision,
        reason: reason.to_owned(),
    };
    let mut decisions = vec![decide(
        "primary keys".to_owned(),
        "UUIDs of version 7, made by whoever writes the row, else by the database".to_owned(),
        "they sort by time, so new rows stand together; they can be known before the row is stored; they tell nobody how many there are",
    )];
    if tables.iter().any(|table| table.rules.times == Times::KeptByDatabase) {
        decisions.push(decide(
            "times".to_owned(),
            "`created_at`, `updated_at` and `row_version` are kept by the database".to_owned(),
            "whoever changes a row, also by hand, cannot forget them; an API uses the version as the record's tag",
        ));
    }
    for index in tables.iter().flat_map(|table| &table.rules.indexes) {
        let columns: Vec<&str> = index.columns.iter().map(ColumnName::as_str).collect();
        let unique = match index.uniqueness {
            Uniqueness::Unique => "unique, ",
            Uniqueness::Repeating => "",
        };
        decisions.push(decide(
            format!("index `{}`", index.name),
            format!("{unique}on {}", columns.join(", ")),
            &index.why,
        ));
    }
    decisions
}
