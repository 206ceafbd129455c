//! Checks, unique rules and indexes: what the task states, what the types of columns ask for, and an index behind every key.

use super::draft::{Draft, DraftTable};
use super::names;
use crate::codes::{CANNOT_HOLD, UNKNOWN_COLUMN};
use plan::database::{
    Check, CheckRule, Column, ColumnDefault, Compared, Index, Nullability, OnDelete, Table, Times, Uniqueness,
};
use plan::{Decision, Phase};
use spec::{Bound, ConstraintRule, DatabaseConfig, Spanned};
use std::iter;
use vocab::{ColumnName, Comparator, ConstraintName, Datum, Decimal, Engine, FieldType, IndexName, TableName};

/// What the task states for the table.
pub fn stated(draft: &mut Draft, stated: &spec::Table) {
    let table = &stated.name.value;
    for index in &stated.indexes {
        let Some(columns) = known(draft, table, &index.columns) else { continue };
        let why = "the task says so".to_owned();
        match (&index.name, index.unique) {
            (Some(name), true) => {
                let (name, uniqueness) = (name.value.clone(), Uniqueness::Unique);
                push_index(draft, table, Index { name, columns, uniqueness, compared: Compared::Values, why });
            }
            (None, true) => push_unique(draft, table, columns),
            (name, false) => {
                let name = name.as_ref().map_or_else(|| index_name(table, &columns, "idx"), |name| name.value.clone());
                push_index(
                    draft,
                    table,
                    Index { name, columns, uniqueness: Uniqueness::Repeating, compared: Compared::Values, why },
                );
            }
        }
    }
    for constraint in &stated.constraints {
        let name = constraint.name.as_ref().map(|name| name.value.as_str());
        match &constraint.rule {
            // These come when all columns are there.
            ConstraintRule::PrimaryKey(_) | ConstraintRule::NoOverlap { .. } => {}
            ConstraintRule::Unique(columns) => {
                let Some(columns) = known(draft, table, columns) else { continue };
                match name.and_then(|name| IndexName::parse(name).ok()) {
                    Some(name) => {
                        let (uniqueness, why) = (Uniqueness::Unique, "the task says so".to_owned());
                        push_index(draft, table, Index { name, columns, uniqueness, compared: Compared::Values, why });
                    }
                    None => push_unique(draft, table, columns),
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
            ConstraintRule::Against { column, comparator, other } => {
                let (Some(own), Some(found)) = (known_column(draft, table, column), known_column(draft, table, other))
                else {
                    continue;
                };
                if own.field_type != found.field_type || !Comparator::compares(&own.field_type) {
                    let message = format!(
                        "`{table}.{}` holds {}, and `{}` holds {}: the two cannot be compared",
                        own.name,
                        own.field_type.describe(),
                        found.name,
                        found.field_type.describe()
                    );
                    let help = "compare two numbers, two days or two times of one type";
                    draft.refuse(CANNOT_HOLD, message, &constraint.place, help);
                    continue;
                }
                let rule = CheckRule::Against { comparator: *comparator, other: found.name };
                push_check(draft, table, name, &own.name, "check", rule);
            }
        }
    }
}

/// What the types of columns and the keys ask for; then no two things may have one name.
pub fn complete(draft: &mut Draft) {
    for table in &mut draft.tables {
        let columns = table.table.columns.iter();
        let of_types: Vec<Check> = columns
            .flat_map(|column| of_type(&table.table, column).into_iter().chain(not_blank(&table.table, column)))
            .collect();
        let checks = &mut table.table.rules.checks;
        let is_new = |check: &Check| !checks.iter().any(|known| known.name == check.name);
        let new: Vec<Check> = of_types.into_iter().filter(is_new).collect();
        checks.extend(new);
        let place = |column: &ColumnName| table.table.columns.iter().position(|known| known.name == *column);
        let mut ordered = std::mem::take(&mut table.table.rules.checks);
        ordered.sort_by_key(|check| place(&check.column));
        table.table.rules.checks = ordered;
        times_are_free(&mut table.table);
        let key = table.table.primary_key.clone();
        table.table.unique.retain(|columns| !same_columns(columns, &key));
        index_keys(&mut table.table);
    }
    contradictions(draft);
    names::check(draft);
}

/// The database keeps only what no rule of the task binds: a new time would break a key or a check.
fn times_are_free(table: &mut Table) {
    let kept = |column: &ColumnName| matches!(column.as_str(), "updated_at" | "row_version");
    let rules = &table.rules;
    let is_bound = rules.checks.iter().flat_map(Check::columns).any(kept)
        || table.primary_key.iter().chain(table.unique.iter().flatten()).any(kept)
        || rules.indexes.iter().any(|index| index.uniqueness == Uniqueness::Unique && index.columns.iter().any(kept))
        || rules.foreign_keys.iter().any(|key| key.columns.iter().any(kept));
    if is_bound {
        table.rules.times = Times::KeptByWriter;
    }
}

/// Checks of a column that together leave no value, or not the one that it has by default.
fn contradictions(draft: &mut Draft) {
    let mut found = Vec::new();
    for DraftTable { table, place, .. } in &draft.tables {
        for column in &table.columns {
            let checks: Vec<&Check> = table.rules.checks.iter().filter(|check| check.column == column.name).collect();
            let broken = |value: &Datum| checks.iter().find(|check| !check.rule.passes(value));
            let name = format!("`{}.{}`", table.name, column.name);
            if has_null_character(column, &checks) {
                let message = format!("a text of {name} holds the character U+0000, which no server keeps");
                found.push((message, place.clone(), "leave the character out"));
            } else if !leave_a_value(&checks) {
                found.push((
                    format!("no value of {name} can keep all of its checks"),
                    place.clone(),
                    "loosen one of them",
                ));
            } else if let Some(ColumnDefault::Value(value)) = &column.default
                && let Some(check) = broken(value)
            {
                let message = format!("the default of {name} breaks the check `{}`", check.name);
                found.push((message, place.clone(), "give it another default, or loosen the check"));
            }
        }
    }
    for DraftTable { table, place, .. } in &draft.tables {
        let emptied = table.rules.foreign_keys.iter().filter(|key| key.on_delete == OnDelete::SetNull);
        for key in emptied {
            let column = table.columns.iter().find(|column| key.columns.contains(&column.name));
            if let Some(column) = column.filter(|column| column.nullability == Nullability::NotNull) {
                let message = format!(
                    "`{}.{}` must have a value and cannot be emptied when its row of `{}` goes",
                    table.name, column.name, key.table
                );
                found.push((message, place.clone(), "write `on_delete: restrict`, or let the column be absent"));
            }
        }
    }
    for DraftTable { table, place, .. } in &draft.tables {
        for check in &table.rules.checks {
            if let CheckRule::Against { comparator, other } = &check.rule
                && let (Some(own), Some(theirs)) = (default_of(table, &check.column), default_of(table, other))
                && own.compare(theirs).is_some_and(|ordering| !comparator.holds(ordering))
            {
                let message = format!(
                    "the defaults of `{0}.{1}` and `{0}.{other}` break the check `{2}`",
                    table.name, check.column, check.name
                );
                found.push((message, place.clone(), "give one of them another default, or loosen the check"));
            }
        }
    }
    for (message, place, help) in found {
        draft.refuse(CANNOT_HOLD, message, &place, help);
    }
}

/// The value that a column has where a row does not say one; none where that is no fixed one.
fn default_of<'t>(table: &'t Table, column: &ColumnName) -> Option<&'t Datum> {
    match &table.columns.iter().find(|known| known.name == *column)?.default {
        Some(ColumnDefault::Value(value)) => Some(value),
        Some(ColumnDefault::Now | ColumnDefault::NewId | ColumnDefault::Counted) | None => None,
    }
}

fn has_null_character(column: &Column, checks: &[&Check]) -> bool {
    let is_in = |text: &String| text.contains('\0');
    let default = match &column.default {
        Some(ColumnDefault::Value(Datum::Text(text))) => is_in(text),
        Some(ColumnDefault::Value(Datum::Json(value))) => value.to_string().contains("\\u0000"),
        _ => false,
    };
    default || checks.iter().any(|check| matches!(&check.rule, CheckRule::OneOf(words) if words.iter().any(is_in)))
}

/// Some value of a list keeps the other checks; so does an edge of a range where several ranges meet.
fn leave_a_value(checks: &[&Check]) -> bool {
    let mut edges = checks.iter().filter_map(|check| match &check.rule {
        CheckRule::OneOf(words) => Some(words.iter().map(|word| Datum::Text(word.clone())).collect()),
        CheckRule::Range { minimum, maximum } => Some(minimum.iter().chain(maximum).cloned().collect::<Vec<_>>()),
        CheckRule::Length { .. } | CheckRule::Capitals { .. } | CheckRule::NotBlank | CheckRule::Against { .. } => None,
    });
    let keeps_all = |value: &Datum| checks.iter().all(|check| check.rule.passes(value));
    let mut edges = edges.by_ref().flatten().peekable();
    edges.peek().is_none() || edges.any(|value| keeps_all(&value))
}

fn of_type(table: &Table, column: &Column) -> Option<Check> {
    let (ending, rule) = match &column.field_type {
        FieldType::Choice { words } => ("words", CheckRule::OneOf(words.clone())),
        FieldType::Code { letters } => ("letters", CheckRule::Capitals { letters: *letters }),
        other => ("length", CheckRule::Length { at_most: other.max_length()? }),
    };
    Some(Check { name: constraint_name(table, &[&column.name], ending), column: column.name.clone(), rule })
}

/// A text that must be there says something, as in requests; whoever wants an empty one makes that the default.
fn not_blank(table: &Table, column: &Column) -> Option<Check> {
    let is_text = match &column.field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Email | FieldType::Phone | FieldType::Url => true,
        FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => false,
    };
    let says_words = |check: &Check| check.column == column.name && matches!(check.rule, CheckRule::OneOf(_));
    let is_blank = matches!(&column.default, Some(ColumnDefault::Value(value)) if !CheckRule::NotBlank.passes(value));
    let is_wanted = is_text
        && column.nullability == Nullability::NotNull
        && !is_blank
        && !table.rules.checks.iter().any(says_words);
    let name = constraint_name(table, &[&column.name], "not_blank");
    is_wanted.then(|| Check { name, column: column.name.clone(), rule: CheckRule::NotBlank })
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
            table.rules.indexes.push(Index {
                name,
                columns,
                uniqueness: Uniqueness::Repeating,
                compared: Compared::Values,
                why,
            });
        }
    }
}

/// The index, unless the very same is there.
fn push_index(draft: &mut Draft, table: &TableName, index: Index) {
    if let Some(table) = draft.find_mut(table).filter(|table| !table.table.rules.indexes.contains(&index)) {
        table.table.rules.indexes.push(index);
    }
}

/// Columns in which no two rows agree, once for each set of them.
fn push_unique(draft: &mut Draft, table: &TableName, columns: Vec<ColumnName>) {
    if let Some(table) = draft.find_mut(table)
        && !table.table.unique.iter().any(|known| same_columns(known, &columns))
    {
        table.table.unique.push(columns);
    }
}

fn same_columns(one: &[ColumnName], other: &[ColumnName]) -> bool {
    one.len() == other.len() && one.iter().all(|column| other.contains(column))
}

pub fn push_check(
    draft: &mut Draft,
    table: &TableName,
    name: Option<&str>,
    column: &ColumnName,
    ending: &str,
    rule: CheckRule,
) {
    let Some(table) = draft.find_mut(table) else { return };
    let checks = &table.table.rules.checks;
    let is_free = |name: &ConstraintName| !checks.iter().any(|check| check.name == *name);
    let said = name.and_then(|name| ConstraintName::parse(name).ok());
    let placeholder = constraint_name(&table.table, &[column], ending);
    let mut check = Check { name: placeholder, column: column.clone(), rule };
    // What the catalogue says already is not said twice.
    if said.is_none() && checks.iter().any(|known| (&known.column, &known.rule) == (&check.column, &check.rule)) {
        return;
    }
    let named = |ending: &str| match &check.rule {
        CheckRule::Against { comparator, other } => against_name(&table.table, column, *comparator, other, ending),
        CheckRule::Range { .. }
        | CheckRule::OneOf(_)
        | CheckRule::Length { .. }
        | CheckRule::Capitals { .. }
        | CheckRule::NotBlank => constraint_name(&table.table, &[column], ending),
    };
    let own = || {
        let numbered = (2..).map(|number| named(&format!("{ending}_{number}")));
        let mut names = iter::once(named(ending)).chain(numbered);
        names.find(is_free).expect("the numbers do not end")
    };
    check.name = said.unwrap_or_else(own);
    table.table.rules.checks.push(check);
}

/// The columns, if the table has them all.
pub fn known(draft: &mut Draft, table: &TableName, columns: &[Spanned<ColumnName>]) -> Option<Vec<ColumnName>> {
    let found: Vec<Option<Column>> = columns.iter().map(|column| known_column(draft, table, column)).collect();
    found.into_iter().map(|column| column.map(|column| column.name)).collect()
}

pub fn known_column(draft: &mut Draft, table: &TableName, column: &Spanned<ColumnName>) -> Option<Column> {
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
                ConstraintRule::PrimaryKey(_)
                | ConstraintRule::Range { .. }
                | ConstraintRule::OneOf { .. }
                | ConstraintRule::Against { .. }
                | ConstraintRule::NoOverlap { .. } => false,
            })
    })
}

pub fn constraint_name(table: &Table, columns: &[&ColumnName], ending: &str) -> ConstraintName {
    let words: Vec<&str> =
        [table.name.as_str()].into_iter().chain(columns.iter().map(|column| column.as_str())).collect();
    ConstraintName::parse(&dialect::name::joined(&words, ending)).expect("made of names")
}

/// `appointments_ends_at_more_than_starts_at_check`
pub fn against_name(
    table: &Table,
    column: &ColumnName,
    comparator: Comparator,
    other: &ColumnName,
    ending: &str,
) -> ConstraintName {
    let words = [table.name.as_str(), column.as_str(), comparator.as_str(), other.as_str()];
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
pub fn decisions(engine: Engine, tables: &[Table]) -> Vec<Decision> {
    let decide = |subject: String, decision: String, reason: &str| Decision {
        phase: Phase::CreateSchemaAndTables,
        subject,
        decision,
        reason: reason.to_owned(),
    };
    let (made, kept) = match engine.keeps_documents() {
        true => {
            ("made by whoever writes the document", "whoever writes a document, the servers and the application alike")
        }
        false => ("made by whoever writes the row, else by the database", "the database"),
    };
    let mut decisions = vec![decide(
        "primary keys".to_owned(),
        format!("UUIDs of version 7, {made}"),
        "they sort by time, so new rows stand together; they can be known before the row is stored; they tell nobody how many there are",
    )];
    if tables.iter().any(|table| table.rules.times == Times::KeptByDatabase) {
        decisions.push(decide(
            "times".to_owned(),
            format!("`created_at`, `updated_at` and `row_version` are kept by {kept}"),
            match engine.keeps_documents() {
                true => "MongoDB has no triggers; an API uses the version as the record's tag",
                false => "whoever changes a row, also by hand, cannot forget them; an API uses the version as the record's tag",
            },
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
