//! Changes of a collection: names, then documents that are there get what is new, then the validator that wants it. Every command can
//! run twice.

use super::definition::{backfill, create_embedded_indexes, create_index, create_set, statement, validator};
use super::{field, run, run_all};
use crate::change::{Change, Stage, Staged, TableChange};
use plan::database::{Column, LockClass, Statement, Undo};
use serde_json::{Value, json};

pub fn change_table(change: &TableChange<'_>) -> Vec<Staged> {
    let wanted = change.wanted;
    let mut staged = Vec::new();
    let mut push = |stage, statement| staged.push(Staged { stage, statement });
    if let Some(before) = &change.renamed_from {
        let rename = |from: &str, to: &str| json!({ "renameCollection": from, "to": to });
        let undo = Undo::OldName(run(&rename(wanted.name.as_str(), before.as_str())));
        let why = format!("{}: it was called {before}", wanted.name);
        push(
            Stage::Rename,
            statement(&rename(before.as_str(), wanted.name.as_str()), why, LockClass::Everything, undo),
        );
    }
    for (before, after) in &change.renamed_columns {
        let rename = |from: &str, to: &str| json!({ "update": wanted.name, "updates": [{ "q": { from: { "$exists": true } }, "u": { "$rename": { from: to } }, "multi": true }] });
        let undo = Undo::OldName(run(&rename(after.as_str(), before.as_str())));
        let why = format!("{}.{after}: it was called {before}", wanted.name);
        push(Stage::Rename, statement(&rename(before.as_str(), after.as_str()), why, LockClass::Rewrites, undo));
    }
    let mut has_validator = !change.renamed_columns.is_empty();
    for part in &change.changes {
        match part {
            Change::AddColumn(name) => {
                has_validator = true;
                let column = wanted.columns.iter().find(|column| column.name == *name);
                if let Some((column, value)) = column.and_then(|column| Some((column, backfill(column)?))) {
                    push(Stage::Alter, backfilled(wanted, column, &value));
                }
            }
            Change::DropColumn { name, .. } => {
                has_validator = true;
                push(Stage::Drop, dropped(wanted, name));
            }
            Change::AddUnique(columns) => push(Stage::Patient, create_set(wanted, columns)),
            Change::DropUnique { columns, .. } => {
                push(Stage::Loosen, drop_index(wanted, &super::set_index_name(wanted.name.as_str(), columns)));
            }
            Change::AddIndex { index, was } => {
                if was.is_some() {
                    push(Stage::Loosen, drop_index(wanted, index.name.as_str()));
                }
                push(Stage::Patient, create_index(wanted, index));
            }
            Change::DropIndex { index, .. } => push(Stage::Loosen, drop_index(wanted, &index.name)),
            // Keys between collections are kept by whoever writes.
            Change::AddKey { .. } | Change::DropKey { .. } => {}
            Change::AddCheck { .. } => {
                has_validator = true;
                create_embedded_indexes(wanted).for_each(|statement| push(Stage::Patient, statement));
            }
            Change::AlterColumn(_)
            | Change::DropCheck { .. }
            | Change::SetTrigger { .. }
            | Change::DropTrigger { .. }
            | Change::SetComment { .. } => has_validator = true,
        }
    }
    if has_validator {
        let before = change.known.as_ref().map(validator);
        let set = |validator: &Value| json!({ "collMod": wanted.name, "validator": validator });
        let undo = match &before {
            Some(before) => Undo::Statement(run(&set(before))),
            None => Undo::Kept("nobody knows what documents had to hold before".to_owned()),
        };
        let why = format!("{}: what its documents must hold", wanted.name);
        // What loses something comes later, and what it leaves must pass as well.
        push(Stage::Tighten, statement(&set(&validator(wanted)), why, LockClass::Everything, undo));
    }
    staged
}

fn backfilled(wanted: &plan::Table, column: &Column, value: &Value) -> Statement {
    let name = field(wanted, &column.name);
    let update = |q: Value, u: Value| json!({ "update": wanted.name, "updates": [{ "q": q, "u": u, "multi": true }] });
    let command = update(json!({ &name: { "$exists": false } }), json!({ "$set": { &name: value } }));
    let undo = Undo::Statement(run(&update(json!({}), json!({ "$unset": { &name: "" } }))));
    statement(&command, format!("{}.{}: {}", wanted.name, column.name, column.comment), LockClass::Rewrites, undo)
}

fn dropped(wanted: &plan::Table, name: &str) -> Statement {
    let command =
        json!({ "update": wanted.name, "updates": [{ "q": {}, "u": { "$unset": { name: "" } }, "multi": true }] });
    let undo = Undo::Impossible(format!("what `{name}` held is gone"));
    statement(&command, format!("{}.{name}: the task no longer names it", wanted.name), LockClass::Rewrites, undo)
}

fn drop_index(wanted: &plan::Table, name: &str) -> Statement {
    let undo = Undo::Kept("an index that is missing loses nothing".to_owned());
    let why = format!("{name}: no longer as it was");
    statement(&json!({ "dropIndexes": wanted.name, "index": name }), why, LockClass::SchemaChanges, undo)
}

/// A field that documents which are there have not.
pub fn add_column(wanted: &plan::Table, column: &Column) -> Vec<Statement> {
    let filled = backfill(column).map(|value| backfilled(wanted, column, &value));
    let set = json!({ "collMod": wanted.name, "validator": validator(wanted) });
    let undo = Undo::Kept("a field that nobody writes does no harm".to_owned());
    let why = format!("{}.{}: {}", wanted.name, column.name, column.comment);
    filled.into_iter().chain([statement(&set, why, LockClass::Everything, undo)]).collect()
}

pub fn drop_tables(tables: &[&str]) -> Statement {
    let commands: Vec<Value> = tables.iter().map(|table| json!({ "drop": table })).collect();
    let undo = Undo::Impossible(format!("the documents of {} are gone", tables.join(", ")));
    let why = format!("{}: the task no longer names them", tables.join(", "));
    Statement::new(run_all(&commands), why, LockClass::Everything, undo)
}
