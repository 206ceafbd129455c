//! The database part: what must change so that the tables wanted are there. Only additions are made; what could lose or
//! refuse rows is an error that names it.

use crate::codes::{CHANGE_NOT_ADDITIVE, TABLE_DIFFERS};
use plan::database::{Column, ColumnDefault, Connection, Nullability, ObservedTable, Statement, Uniqueness};
use plan::{DatabasePlan, Decision, Migration, Observed, Phase, Table};
use vocab::{ColumnName, Diagnostic, Engine, FieldType, Place};

/// Where the tables are wanted.
pub struct Target {
    pub engine: Engine,
    pub connection: Connection,
}

/// `further` are statements about tables that another task has made.
pub fn design(
    wanted: &[Table],
    further: Vec<Statement>,
    target: Target,
    observed: &Observed,
    place: &Place,
) -> Result<DatabasePlan, Vec<Diagnostic>> {
    let Target { engine, connection } = target;
    let active = observed.active.as_ref();
    let before: &[Table] = active.map_or(&[], |plan| &plan.tables);
    let mut migrations = active.map_or_else(Vec::new, |plan| plan.migrations.clone());
    let mut problems = Vec::new();
    let mut new = Vec::new();
    let mut statements = Vec::new();
    for table in wanted {
        let known = before.iter().find(|known| known.name == table.name);
        let missing = if known.is_none() { missing(table, &observed.tables) } else { Vec::new() };
        let expected = known.cloned().unwrap_or_else(|| without_missing_indexes(table, &observed.tables));
        problems.extend(drift(engine, &expected, &missing, &observed.tables, place));
        match known {
            None => {
                new.push(table.clone());
                for column in missing {
                    statements.extend(dialect::add_column(engine, table, column));
                }
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
    // New tables first: a column that is added may lead to one.
    statements.splice(0..0, dialect::create_tables(engine, &new));
    statements.extend(further);
    if !statements.is_empty() {
        let number = migrations.len() + 1;
        let name = if number == 1 { "0001_initial".to_owned() } else { format!("{number:04}_additions") };
        migrations.push(Migration { name, statements });
    }
    Ok(DatabasePlan { engine, connection, tables: wanted.to_vec(), migrations })
}

/// Tables of another task must be there as that task made them.
pub fn check_drift(
    engine: Engine,
    tables: &[Table],
    observed: &Observed,
    place: &Place,
) -> Result<(), Vec<Diagnostic>> {
    let problems: Vec<_> =
        tables.iter().filter_map(|table| drift(engine, table, &[], &observed.tables, place)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The table without the indexes that one which another task of the workspace has made lacks: they are made with this one's.
fn without_missing_indexes(table: &Table, observed: &[ObservedTable]) -> Table {
    let mut table = table.clone();
    if let Some(found) = observed.iter().find(|found| found.name == table.name.as_str()) {
        table.rules.indexes.retain(|index| {
            index.uniqueness == Uniqueness::Unique
                || found.indexes.iter().any(|other| other.name == index.name.as_str())
        });
    }
    table
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
    let differences = expected.differences(found);
    if differences.is_empty() {
        return None;
    }
    let message = format!("table `{}` is there and differs: {}", found.name, differences.join("; "));
    Some(
        Diagnostic::error(TABLE_DIFFERS, message, place)
            .with_help("change it back, or move the workspace's database away and run again"),
    )
}

/// What an existing table gains. The rest stays as it is, whatever the task says: a column that it no longer names is kept.
fn additions(engine: Engine, known: &Table, wanted: &Table) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    let mut added: Vec<&ColumnName> = Vec::new();
    for column in &wanted.columns {
        match known.columns.iter().find(|other| other.name == column.name) {
            Some(other) if fits(other, column) => {}
            Some(_) => return Err(format!("column `{}` becomes another kind", column.name)),
            None => {
                statements.extend(addition(engine, wanted, column)?);
                added.push(&column.name);
            }
        }
    }
    let lost = known.columns.iter().find(|other| {
        other.nullability == Nullability::NotNull
            && other.default.is_none()
            && !wanted.columns.iter().any(|column| column.name == other.name)
    });
    if let Some(column) = lost {
        return Err(format!("column `{}` must have a value and is no longer given one", column.name));
    }
    if known.unique != wanted.unique || known.primary_key != wanted.primary_key {
        return Err("what is unique changes".to_owned());
    }
    let (before, after) = (&known.rules, &wanted.rules);
    let is_new = |columns: &[ColumnName]| columns.iter().all(|column| added.contains(&column));
    let keys = after.foreign_keys.iter().filter(|key| !is_new(&key.columns));
    if !keys.eq(&before.foreign_keys) {
        return Err("its keys to other tables change".to_owned());
    }
    let checks = after.checks.iter().filter(|check| !added.contains(&&check.column));
    if !checks.eq(&before.checks) || before.times != after.times {
        return Err("what its rows must hold changes".to_owned());
    }
    if let Some(index) = before.indexes.iter().find(|index| !after.indexes.contains(index)) {
        return Err(format!("index `{}` is no longer wanted, or becomes another one", index.name));
    }
    for index in after.indexes.iter().filter(|index| !before.indexes.contains(index)) {
        match index.uniqueness {
            Uniqueness::Repeating => statements.push(dialect::create_index(engine, wanted, index)),
            Uniqueness::Unique => return Err("what is unique changes".to_owned()),
        }
    }
    Ok(statements)
}

fn addition(engine: Engine, table: &Table, column: &Column) -> Result<Vec<Statement>, String> {
    match (column.nullability, &column.default) {
        (Nullability::Nullable, None) | (_, Some(ColumnDefault::Value(_))) => {
            Ok(dialect::add_column(engine, table, column))
        }
        (_, Some(ColumnDefault::Now | ColumnDefault::NewId)) => {
            Err(format!("column `{}` is new, and rows that are there have no time and no id for it", column.name))
        }
        (Nullability::NotNull, None) => Err(format!("column `{}` is new and must have a value", column.name)),
    }
}

/// Whether the column that is there holds what is wanted. Choices may become more where no check of the table lists them.
fn fits(known: &Column, wanted: &Column) -> bool {
    let same_type = match (&known.field_type, &wanted.field_type) {
        (FieldType::Choice { words: known }, FieldType::Choice { words: wanted }) => {
            known.iter().all(|word| wanted.contains(word))
        }
        (known, wanted) => known == wanted,
    };
    same_type && known.nullability == wanted.nullability
}

/// What is said of each table.
pub fn decisions(wanted: &[Table]) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for table in wanted {
        let list = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let unique: Vec<String> = table.unique.iter().map(|columns| list(columns)).collect();
        let unique = if unique.is_empty() { String::new() } else { format!(", unique by {}", unique.join(" and ")) };
        let is_own = table.primary_key.len() == 1 && table.primary_key[0].as_str() == "id";
        let key = if is_own { "`id` (UUIDv7)".to_owned() } else { format!("`{}`", list(&table.primary_key)) };
        decisions.push(Decision {
            phase: Phase::CreateSchemaAndTables,
            subject: format!("table `{}`", table.name),
            decision: format!("{} columns, primary key {key}{unique}", table.columns.len()),
            reason: table.comment.clone(),
        });
    }
    decisions
}
