//! The database part: what must change so that the tables wanted are there. Only additions are made; what could lose or
//! refuse rows is an error that names it.

use crate::codes::{CHANGE_NOT_ADDITIVE, TABLE_DIFFERS};
use plan::database::{Column, Connection, Nullability, ObservedTable, Statement};
use plan::{DatabasePlan, Decision, Migration, Observed, Phase, Table};
use vocab::{Diagnostic, Engine, FieldType, Place};

/// The database, and why it is as it is.
pub struct Designed {
    pub plan: DatabasePlan,
    pub decisions: Vec<Decision>,
}

pub fn design(wanted: &[Table], observed: &Observed, place: &Place) -> Result<Designed, Vec<Diagnostic>> {
    let engine = Engine::Sqlite;
    let active = observed.active.as_ref();
    let before: &[Table] = active.map_or(&[], |plan| &plan.tables);
    let mut migrations = active.map_or_else(Vec::new, |plan| plan.migrations.clone());
    let mut problems = Vec::new();
    let mut statements = Vec::new();
    for table in wanted {
        let known = before.iter().find(|known| known.name == table.name);
        let missing = if known.is_none() { missing(table, &observed.tables) } else { Vec::new() };
        problems.extend(drift(engine, known.unwrap_or(table), &missing, &observed.tables, place));
        match known {
            None => {
                statements.push(dialect::create_table(engine, table));
                statements.extend(missing.into_iter().map(|column| dialect::add_column(engine, &table.name, column)));
            }
            Some(known) => match additions(engine, known, table) {
                Ok(added) => statements.extend(added),
                Err(why) => problems.push(
                    Diagnostic::error(
                        CHANGE_NOT_ADDITIVE,
                        format!("table `{}` would have to change: {why}", table.name),
                        place,
                    )
                    .with_help("leave the field optional, or start a task with another id"),
                ),
            },
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if !statements.is_empty() {
        let number = migrations.len() + 1;
        let name = if number == 1 { "0001_initial".to_owned() } else { format!("{number:04}_additions") };
        migrations.push(Migration { name, statements });
    }
    let decisions = decisions(wanted);
    Ok(Designed {
        plan: DatabasePlan { engine, connection: Connection::Embedded, tables: wanted.to_vec(), migrations },
        decisions,
    })
}

/// The columns that a table lacks which another task of the workspace has made, as far as they can be added.
fn missing<'t>(table: &'t Table, observed: &[ObservedTable]) -> Vec<&'t Column> {
    let Some(found) = observed.iter().find(|found| found.name == table.name.as_str()) else { return Vec::new() };
    let is_there = |column: &Column| found.columns.iter().any(|other| other.name == column.name.as_str());
    let addable = |column: &Column| column.nullability == Nullability::Nullable && !is_there(column);
    table.columns.iter().filter(|column| addable(column)).collect()
}

/// What is there must be what was made, but for what will be added; a table that somebody changed by hand is not built upon.
fn drift(
    engine: Engine,
    expected: &Table,
    missing: &[&Column],
    observed: &[ObservedTable],
    place: &Place,
) -> Option<Diagnostic> {
    let found = observed.iter().find(|table| table.name == expected.name.as_str())?;
    let mut expected = dialect::described(engine, expected);
    expected.columns.retain(|column| !missing.iter().any(|missing| missing.name.as_str() == column.name));
    let difference = difference(&expected, found)?;
    Some(
        Diagnostic::error(TABLE_DIFFERS, format!("table `{}` is there and differs: {difference}", found.name), place)
            .with_help("change it back, or move the workspace's database away and run again"),
    )
}

/// The first difference in words.
fn difference(expected: &ObservedTable, found: &ObservedTable) -> Option<String> {
    for column in &expected.columns {
        match found.columns.iter().find(|other| other.name == column.name) {
            None => return Some(format!("column `{}` is missing", column.name)),
            Some(other) if other != column => return Some(format!("column `{}` is of another kind", column.name)),
            Some(_) => {}
        }
    }
    if let Some(column) = found.columns.iter().find(|other| {
        other.nullability == Nullability::NotNull && !expected.columns.iter().any(|column| column.name == other.name)
    }) {
        return Some(format!("column `{}` is not known and must have a value", column.name));
    }
    if expected.primary_key != found.primary_key {
        return Some("its primary key is another one".to_owned());
    }
    if let Some(unique) = expected.unique.iter().find(|unique| !found.unique.contains(unique)) {
        return Some(format!("`{}` is not unique", unique.join(", ")));
    }
    None
}

fn additions(engine: Engine, known: &Table, wanted: &Table) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    for column in &wanted.columns {
        match known.columns.iter().find(|other| other.name == column.name) {
            Some(other) if fits(other, column) => {}
            Some(_) => return Err(format!("column `{}` becomes another kind", column.name)),
            None => match (column.nullability, &column.default) {
                (Nullability::Nullable, _) | (Nullability::NotNull, Some(_)) => {
                    statements.push(dialect::add_column(engine, &wanted.name, column));
                }
                (Nullability::NotNull, None) => {
                    return Err(format!("column `{}` is new and must have a value", column.name));
                }
            },
        }
    }
    let lost = known.columns.iter().find(|other| {
        other.nullability == Nullability::NotNull
            && other.default.is_none()
            && !wanted.columns.iter().any(|column| column.name == other.name)
    });
    match lost {
        Some(column) => Err(format!("column `{}` must have a value and is no longer given one", column.name)),
        None if known.unique != wanted.unique => Err("what is unique changes".to_owned()),
        None => Ok(statements),
    }
}

/// Whether the column that is there holds what is wanted. Choices may become more: the engine keeps them as texts.
fn fits(known: &Column, wanted: &Column) -> bool {
    let same_type = match (&known.field_type, &wanted.field_type) {
        (FieldType::Choice { words: known }, FieldType::Choice { words: wanted }) => {
            known.iter().all(|word| wanted.contains(word))
        }
        (known, wanted) => known == wanted,
    };
    same_type && known.nullability == wanted.nullability
}

fn decisions(wanted: &[Table]) -> Vec<Decision> {
    let decide = |phase, subject: String, decision: String, reason: &str| Decision {
        phase,
        subject,
        decision,
        reason: reason.to_owned(),
    };
    let mut decisions = vec![decide(
        Phase::ProvisionDatabaseInstance,
        "database".to_owned(),
        "the embedded SQLite database of the workspace".to_owned(),
        "no database task and no connection was given",
    )];
    for table in wanted {
        let unique: Vec<String> = table
            .unique
            .iter()
            .map(|columns| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "))
            .collect();
        let unique = if unique.is_empty() { String::new() } else { format!(", unique by {}", unique.join(" and ")) };
        decisions.push(decide(
            Phase::CreateSchemaAndTables,
            format!("table `{}`", table.name),
            format!("{} columns, primary key `id` (UUIDv7){unique}", table.columns.len()),
            &table.comment,
        ));
    }
    decisions
}
