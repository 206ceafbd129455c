//! Changes of a SQLite table. What SQLite cannot change in place makes the table anew: a new one beside the old, the rows over,
//! the new one in its place with indexes and triggers, in one transaction, <https://sqlite.org/lang_altertable.html#otheralter>.

use super::definition::{
    add_column, column_list, create_index, create_table, create_trigger, create_triggers, default_expression,
    is_counted, triggers,
};
use super::{quote, sql_type, text};
use crate::change::{Change, Stage, Staged, TableChange, is_volatile};
use plan::database::{
    Check, Column, ColumnPresent, Execution, Index, LockClass, NoOverlap, Nullability, ObservedIndex, ObservedRule,
    Statement, Table, Times, Undo, Uniqueness,
};
use vocab::{ColumnName, FieldType, TableName};

pub fn change_table(change: &TableChange<'_>) -> Vec<Staged> {
    let mut staged: Vec<Staged> =
        renames(change).into_iter().map(|statement| Staged { stage: Stage::Rename, statement }).collect();
    if makes_anew(change) {
        staged.extend(expand(change).into_iter().map(|statement| Staged { stage: Stage::Loosen, statement }));
        staged.push(Staged { stage: Stage::Alter, statement: anew(change) });
        return staged;
    }
    for part in &change.changes {
        staged.extend(in_place(change, part));
    }
    staged
}

pub fn drop_tables(tables: &[&str]) -> Statement {
    let drops: Vec<String> = tables.iter().map(|table| format!("DROP TABLE IF EXISTS {}", quote(table))).collect();
    let statement = Statement::new(
        drops.join(";\n"),
        format!("{}: the task no longer names them", tables.join(", ")),
        LockClass::Writes,
        Undo::Impossible(format!("the rows of {} are gone", tables.join(", "))),
    );
    Statement { execution: Execution::KeysChecked, ..statement }
}

pub fn makes_anew(change: &TableChange<'_>) -> bool {
    change.changes.iter().any(|part| match part {
        Change::AddColumn(name) => !wanted_column(change, name).is_some_and(can_be_added),
        Change::AddKey { key, .. } => {
            let has_default = |name| wanted_column(change, name).is_some_and(|column| column.default.is_some());
            !comes_with_column(change, &key.columns) || key.columns.iter().any(has_default)
        }
        Change::AddCheck { check, .. } => {
            !planned_check(change, check).is_some_and(|check| check_comes_with_column(change, check))
        }
        Change::AddIndex { .. }
        | Change::DropIndex { .. }
        | Change::SetTrigger { .. }
        | Change::DropTrigger { .. }
        | Change::SetComment { .. } => false,
        Change::AlterColumn(_)
        | Change::DropColumn { .. }
        | Change::AddUnique(_)
        | Change::DropUnique { .. }
        | Change::DropKey { .. }
        | Change::DropCheck { .. } => true,
    })
}

fn wanted_column<'c>(change: &'c TableChange<'_>, name: &ColumnName) -> Option<&'c Column> {
    change.wanted.columns.iter().find(|column| column.name == *name)
}

/// SQLite adds a column in place when it needs no value that must be computed for each row.
fn can_be_added(column: &Column) -> bool {
    let has_value = column.default.is_some() || column.nullability == Nullability::Nullable;
    has_value && !is_volatile(column.default.as_ref())
}

/// A rule of one new column is written with it.
fn comes_with_column(change: &TableChange<'_>, columns: &[ColumnName]) -> bool {
    let [only] = columns else { return false };
    let is_new = change.changes.iter().any(|part| matches!(part, Change::AddColumn(name) if name == only));
    is_new && !change.found.columns.iter().any(|column| column.name == only.as_str())
}

fn planned_check<'c>(change: &'c TableChange<'_>, check: &ObservedRule) -> Option<&'c Check> {
    change.wanted.rules.checks.iter().find(|known| known.name.as_str() == check.name)
}

/// What it compares the new column with has to be there already.
fn check_comes_with_column(change: &TableChange<'_>, check: &Check) -> bool {
    let is_there = |name: &ColumnName| change.found.columns.iter().any(|found| found.name == name.as_str());
    comes_with_column(change, std::slice::from_ref(&check.column)) && check.columns().skip(1).all(is_there)
}

fn renames(change: &TableChange<'_>) -> Vec<Statement> {
    let wanted = change.wanted;
    let name = quote(wanted.name.as_str());
    let mut statements = Vec::new();
    for trigger in &change.old_triggers {
        let statement = Statement::new(
            format!("DROP TRIGGER IF EXISTS {}", quote(&trigger.name)),
            format!("{}: it names what is called otherwise from now on", trigger.name),
            LockClass::Writes,
            Undo::Statement(observed_trigger(trigger)),
        );
        statements.push(Statement { unless: Some(change.renamed()), ..statement });
    }
    if let Some(before) = &change.renamed_from {
        let old = quote(before.as_str());
        let statement = Statement::new(
            format!("ALTER TABLE {old} RENAME TO {name}"),
            format!("{}: it was called {before}", wanted.name),
            LockClass::Writes,
            Undo::OldName(format!("ALTER TABLE {name} RENAME TO {old}")),
        );
        statements.push(statement.unless(wanted.name.clone(), wanted.primary_key[0].clone()));
    }
    for (before, after) in &change.renamed_columns {
        let (old, new) = (quote(before.as_str()), quote(after.as_str()));
        let statement = Statement::new(
            format!("ALTER TABLE {name} RENAME COLUMN {old} TO {new}"),
            format!("{}.{after}: it was called {before}", wanted.name),
            LockClass::Writes,
            Undo::OldName(format!("ALTER TABLE {name} RENAME COLUMN {new} TO {old}")),
        );
        statements.push(statement.unless(wanted.name.clone(), after.clone()));
    }
    statements
}

fn in_place(change: &TableChange<'_>, part: &Change) -> Vec<Staged> {
    let wanted = change.wanted;
    let staged = |stage, statement| vec![Staged { stage, statement }];
    match part {
        Change::AddColumn(name) => match wanted_column(change, name) {
            Some(column) => add_column(wanted, column)
                .into_iter()
                .map(|statement| Staged { stage: Stage::Alter, statement })
                .collect(),
            None => Vec::new(),
        },
        Change::AddIndex { index, was } => {
            let mut both = Vec::new();
            if was.is_some() || was_planned_otherwise(change, index) {
                let undo = was.as_ref().map_or_else(gone_already, |was| Undo::Statement(observed_index(wanted, was)));
                let sql = format!("DROP INDEX IF EXISTS {}", quote(index.name.as_str()));
                let why = format!("{}: it is made anew", index.name);
                both.extend(staged(Stage::Loosen, Statement::new(sql, why, LockClass::Writes, undo)));
            }
            both.extend(staged(Stage::Tighten, create_index(wanted, index)));
            both
        }
        Change::DropIndex { index, is_there } => {
            let undo = if *is_there { Undo::Statement(observed_index(wanted, index)) } else { gone_already() };
            let sql = format!("DROP INDEX IF EXISTS {}", quote(&index.name));
            let why = format!("{}: no longer wanted", index.name);
            staged(Stage::Loosen, Statement::new(sql, why, LockClass::Writes, undo))
        }
        Change::SetTrigger { name, was } => {
            let Some(trigger) = triggers(wanted).into_iter().find(|known| known.name == *name) else {
                return Vec::new();
            };
            let mut statement = create_trigger(wanted, &trigger);
            let name = quote(name);
            statement.sql = format!("DROP TRIGGER IF EXISTS {name};\n{}", statement.sql);
            if let Some(was) = was {
                statement.undo = Undo::Statement(format!("DROP TRIGGER {name};\n{}", observed_trigger(was)));
            }
            staged(Stage::Tighten, statement)
        }
        Change::DropTrigger { trigger, is_there } => {
            let undo = if *is_there { Undo::Statement(observed_trigger(trigger)) } else { gone_already() };
            let sql = format!("DROP TRIGGER IF EXISTS {}", quote(&trigger.name));
            let why = format!("{}: no longer wanted", trigger.name);
            staged(Stage::Loosen, Statement::new(sql, why, LockClass::Writes, undo))
        }
        // Rules of new columns are written with them; SQLite keeps no comments; the rest makes the table anew.
        Change::AddKey { .. }
        | Change::AddCheck { .. }
        | Change::SetComment { .. }
        | Change::AlterColumn(_)
        | Change::DropColumn { .. }
        | Change::AddUnique(_)
        | Change::DropUnique { .. }
        | Change::DropKey { .. }
        | Change::DropCheck { .. } => Vec::new(),
    }
}

fn was_planned_otherwise(change: &TableChange<'_>, index: &Index) -> bool {
    let known = change.known.as_ref();
    known.is_some_and(|known| {
        known.rules.indexes.iter().any(|other| {
            other.name == index.name && (&other.columns, other.uniqueness) != (&index.columns, index.uniqueness)
        })
    })
}

fn gone_already() -> Undo {
    Undo::Kept("there is nothing to bring back".to_owned())
}

fn observed_index(table: &Table, index: &ObservedIndex) -> String {
    let unique = if index.uniqueness == Uniqueness::Unique { "UNIQUE " } else { "" };
    let columns: Vec<String> = index.columns.iter().map(|column| quote(column)).collect();
    format!("CREATE {unique}INDEX {} ON {} ({})", quote(&index.name), quote(table.name.as_str()), columns.join(", "))
}

fn observed_trigger(trigger: &ObservedRule) -> String {
    format!("CREATE TRIGGER {}\n{}", quote(&trigger.name), trigger.text)
}

/// Columns that the old table has here and may not have where the files make a new database: the statement that takes the rows
/// over reads them.
fn expand(change: &TableChange<'_>) -> Vec<Statement> {
    let Some(known) = &change.known else { return Vec::new() };
    let name = quote(change.wanted.name.as_str());
    let is_found = |column: &&Column| change.found.columns.iter().any(|found| found.name == column.name.as_str());
    let is_new = |column: &&Column| !known.columns.iter().any(|other| other.name == column.name);
    let columns = change.wanted.columns.iter().filter(is_found).filter(is_new);
    columns
        .map(|column| Statement {
            unless: Some(ColumnPresent { table: change.wanted.name.clone(), column: column.name.clone() }),
            ..Statement::new(
                format!(
                    "ALTER TABLE {name} ADD COLUMN {} {}",
                    quote(column.name.as_str()),
                    sql_type(&column.field_type)
                ),
                format!("{}.{}: it was added by hand, and is taken over below", change.wanted.name, column.name),
                LockClass::Writes,
                Undo::Kept("it was there".to_owned()),
            )
        })
        .collect()
}

fn anew(change: &TableChange<'_>) -> Statement {
    let wanted = change.wanted;
    let known = change.known.as_ref();
    let is_there = |column: &Column| change.found.columns.iter().any(|found| found.name == column.name.as_str());
    let may_be_absent = |column: &Column| {
        let found = change.found.columns.iter().find(|found| found.name == column.name.as_str());
        found.is_some_and(|found| found.nullability == Nullability::Nullable)
    };
    let type_before = |column: &Column| {
        let before = known.and_then(|known| known.columns.iter().find(|other| other.name == column.name));
        before.map_or_else(|| column.field_type.clone(), |before| before.field_type.clone())
    };
    let taken: Vec<(&Column, String)> = wanted
        .columns
        .iter()
        .filter(|column| is_there(column))
        .map(|column| {
            let value = taken_over(column, &type_before(column));
            (column, if may_be_absent(column) { or_default(column, value) } else { value })
        })
        .collect();
    let is_as_planned = known.is_some_and(|known| {
        let mut planned = super::definition::described(known);
        planned.triggers.retain(|trigger| !is_old(change, &trigger.name));
        planned == change.found
    });
    let lost = change
        .changes
        .iter()
        .find_map(|part| if let Change::DropColumn { name, was: Some(_) } = part { Some(name) } else { None });
    let undo = match (lost, known.filter(|_| is_as_planned)) {
        (Some(name), _) => Undo::Impossible(format!("what `{name}` of `{}` held is gone", wanted.name)),
        (None, Some(known)) => Undo::Statement(back(change, known)),
        (None, None) => Undo::Kept("the table had been changed by hand, and stays as it should be".to_owned()),
    };
    let why = format!("{}: {}; SQLite makes the table anew for it", wanted.name, reasons(change).join("; "));
    let statement = Statement::new(made_anew(wanted, &taken), why, LockClass::Rewrites, undo);
    Statement { execution: Execution::KeysChecked, keeps: kept(change), ..statement }
}

/// Indexes and triggers that are no plan's, and that nobody takes away.
fn kept(change: &TableChange<'_>) -> Vec<String> {
    let described = super::definition::described;
    let planned: Vec<_> = change.known.iter().map(described).chain([described(change.wanted)]).collect();
    let goes = |name: &str| {
        change.changes.iter().any(|part| {
            matches!(part, Change::DropIndex { index, .. } if index.name == name)
                || matches!(part, Change::DropTrigger { trigger, .. } if trigger.name == name)
        })
    };
    let is_index = |name: &str| planned.iter().any(|table| table.indexes.iter().any(|index| index.name == name));
    let is_trigger = |name: &str| planned.iter().any(|table| table.triggers.iter().any(|rule| rule.name == name));
    let indexes = change.found.indexes.iter().map(|index| &index.name).filter(|name| !is_index(name));
    let triggers = change.found.triggers.iter().map(|trigger| &trigger.name).filter(|name| !is_trigger(name));
    indexes.chain(triggers).filter(|name| !goes(name)).cloned().collect()
}

/// Whether an index or a trigger of that name can be kept: the names stand in a line of the migration's file.
pub fn can_be_kept(name: &str) -> bool {
    !name.contains(|one: char| one.is_control() || one == ',')
}

/// The table as it was, with what the new one holds of it.
fn back(change: &TableChange<'_>, known: &Table) -> String {
    let taken: Vec<(&Column, String)> = known
        .columns
        .iter()
        .filter_map(|column| {
            let after = change.wanted.columns.iter().find(|other| other.name == column.name)?;
            Some((column, taken_over(column, &after.field_type)))
        })
        .collect();
    // What names what is called otherwise comes back with the old names.
    let mut rules = known.rules.clone();
    let names = |rule: &NoOverlap| crate::relational::overlap_triggers(rule);
    rules.overlaps.retain(|rule| !names(rule).iter().any(|name| is_old(change, name)));
    if is_old(change, &crate::relational::touch_trigger(known)) {
        rules.times = Times::KeptByWriter;
    }
    made_anew(&Table { rules, ..known.clone() }, &taken)
}

/// Whether the trigger of the table before goes before the names change.
fn is_old(change: &TableChange<'_>, name: &str) -> bool {
    change.renamed_from.is_some() || change.old_triggers.iter().any(|old| old.name == name)
}

/// Keys are not looked at meanwhile, and names in other tables stay as they are while the new table takes the old one's name.
fn made_anew(table: &Table, taken: &[(&Column, String)]) -> String {
    let beside = crate::name::joined(&[table.name.as_str()], "new");
    let beside_table = Table { name: TableName::parse(&beside).expect("made of a name"), ..table.clone() };
    let create = create_table(&beside_table).sql.replacen("CREATE TABLE IF NOT EXISTS", "CREATE TABLE", 1);
    let name = quote(table.name.as_str());
    let columns: Vec<ColumnName> = taken.iter().map(|(column, _)| column.name.clone()).collect();
    let values: Vec<&str> = taken.iter().map(|(_, value)| value.as_str()).collect();
    let mut statements = vec![
        "PRAGMA legacy_alter_table = ON".to_owned(),
        create,
        format!("INSERT INTO {beside} ({})\nSELECT {}\nFROM {name}", column_list(&columns), values.join(", ")),
    ];
    if table.columns.iter().any(is_counted) {
        statements.extend(count_on(table.name.as_str(), &beside));
    }
    statements.extend([
        format!("DROP TABLE {name}"),
        format!("ALTER TABLE {beside} RENAME TO {name}"),
        "PRAGMA legacy_alter_table = OFF".to_owned(),
    ]);
    statements.extend(table.rules.indexes.iter().map(|index| create_index(table, index).sql));
    statements.extend(create_triggers(table).map(|statement| statement.sql));
    statements.join(";\n")
}

/// A number that the old table has given once is not given again by the new one, though its row is gone.
fn count_on(old: &str, new: &str) -> [String; 2] {
    let (old, new) = (text(old), text(new));
    [
        format!("DELETE FROM sqlite_sequence WHERE name = {new} AND {old} IN (SELECT name FROM sqlite_sequence)"),
        format!("INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"),
    ]
}

/// The value of the new column, said with the old one.
fn taken_over(column: &Column, before: &FieldType) -> String {
    let name = quote(column.name.as_str());
    match (before, &column.field_type) {
        (FieldType::Decimal { scale: from }, FieldType::Decimal { scale: to }) if from < to => {
            format!("{name} * {}", power(to - from))
        }
        (FieldType::Decimal { scale: from }, FieldType::Decimal { scale: to }) if from > to => {
            format!("{name} / {}", power(from - to))
        }
        (FieldType::Integer, FieldType::Decimal { scale }) => format!("{name} * {}", power(*scale)),
        (FieldType::Decimal { scale }, FieldType::Integer) => format!("{name} / {}", power(*scale)),
        (FieldType::Decimal { scale }, to) if sql_type(to) == "TEXT" => {
            let digits = power(*scale);
            format!(
                "CASE WHEN {name} < 0 THEN '-' ELSE '' END || printf('%d.%0{scale}d', abs({name}) / {digits}, abs({name}) % {digits})"
            )
        }
        (FieldType::Boolean, to) if sql_type(to) == "TEXT" => {
            format!("CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
        }
        // Back from texts that were made so; another text stays one, and is refused.
        (from, FieldType::Boolean) if sql_type(from) == "TEXT" => {
            format!("CASE {name} WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {name} END")
        }
        (from, FieldType::Decimal { scale }) if sql_type(from) == "TEXT" => {
            let number = format!("CAST(round({name} * {}) AS INTEGER)", power(*scale));
            format!("CASE WHEN {name} = '' OR {name} GLOB '*[^-0-9.]*' THEN {name} ELSE {number} END")
        }
        (FieldType::Date, FieldType::Timestamp) => format!("{name} || 'T00:00:00.000Z'"),
        (FieldType::Timestamp, FieldType::Date) => format!("substr({name}, 1, 10)"),
        (from, to) if sql_type(from) == "INTEGER" && sql_type(to) == "TEXT" => format!("CAST({name} AS TEXT)"),
        // A `STRICT` table refuses a text that is no number, and so the whole change.
        (_, _) => name,
    }
}

/// A row without a value gets the default where it must have one from now on.
fn or_default(column: &Column, value: String) -> String {
    match (column.nullability, default_expression(column)) {
        (Nullability::NotNull, Some(default)) => format!("coalesce({value}, {default})"),
        (Nullability::NotNull, None) | (Nullability::Nullable, _) => value,
    }
}

fn power(scale: u8) -> u64 {
    10u64.pow(u32::from(scale))
}

fn reasons(change: &TableChange<'_>) -> Vec<String> {
    let list = |columns: &[String]| columns.join(", ");
    let names = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    change
        .changes
        .iter()
        .map(|part| match part {
            Change::AddColumn(name) => format!("column {name} comes"),
            Change::AlterColumn(name) => format!("column {name} changes"),
            Change::DropColumn { name, .. } => format!("column {name} goes"),
            Change::AddUnique(columns) => format!("{} becomes unique", names(columns)),
            Change::DropUnique { columns, .. } => format!("{} need no longer be unique", list(columns)),
            Change::AddKey { key, .. } => format!("{} leads to {}", names(&key.columns), key.table),
            Change::DropKey { key, .. } => format!("{} no longer leads to {}", list(&key.columns), key.table),
            Change::AddCheck { check, .. } => format!("check {} comes", check.name),
            Change::DropCheck { check, .. } => format!("check {} goes", check.name),
            Change::AddIndex { index, .. } => format!("index {} comes", index.name),
            Change::DropIndex { index, .. } => format!("index {} goes", index.name),
            Change::SetTrigger { name, .. } => format!("trigger {name} comes"),
            Change::DropTrigger { trigger, .. } => format!("trigger {} goes", trigger.name),
            Change::SetComment { .. } => "it says something else about itself".to_owned(),
        })
        .collect()
}
