//! Changes of a MySQL table. Each statement commits by itself, so each is whole: what replaces something does so in one `ALTER TABLE`.

use super::definition::{
    add_column, check_constraint, column_definition, create_index, create_trigger, foreign_key, set_name,
};
use super::{quote, text};
use crate::change::{Change, Stage, Staged, TableChange};
use plan::database::{LockClass, Statement, Undo};

pub fn change_table(change: &TableChange<'_>) -> Vec<Staged> {
    let mut staged = Vec::new();
    for trigger in &change.old_triggers {
        let sql = format!("DROP TRIGGER IF EXISTS {}", quote(&trigger.name));
        staged.push(one(
            Stage::Rename,
            sql,
            &format!("{}: it comes back under the new name", trigger.name),
            LockClass::Writes,
        ));
    }
    let table = quote(change.wanted.name.as_str());
    if let Some(old) = &change.renamed_from {
        let (sql, undo) = (
            format!("RENAME TABLE {} TO {table}", quote(old.as_str())),
            format!("RENAME TABLE {table} TO {}", quote(old.as_str())),
        );
        let why = format!("{}: is called {old} until now", change.wanted.name);
        let statement = Statement::new(sql, why, LockClass::Everything, Undo::Statement(undo));
        staged.push(Staged { stage: Stage::Rename, statement });
    }
    for (old, new) in &change.renamed_columns {
        let rename =
            |from: &str, to: &str| format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quote(from), quote(to));
        let undo = Undo::Statement(rename(new.as_str(), old.as_str()));
        let why = format!("{}.{new}: is called {old} until now", change.wanted.name);
        let statement = Statement::new(rename(old.as_str(), new.as_str()), why, LockClass::Everything, undo);
        staged.push(Staged { stage: Stage::Rename, statement });
    }
    for part in &change.changes {
        staged.extend(of_part(change, &table, part));
    }
    staged
}

fn of_part(change: &TableChange<'_>, table: &str, part: &Change) -> Vec<Staged> {
    let wanted = change.wanted;
    let why = |what: &str| format!("{}: {what}", wanted.name);
    let alter = |stage, parts: Vec<String>, what: &str| {
        vec![one(stage, format!("ALTER TABLE {table} {}", parts.join(", ")), &why(what), LockClass::WritesWhileRead)]
    };
    match part {
        Change::AddColumn(name) => {
            let column = wanted.columns.iter().find(|column| column.name == *name);
            // Its key and its checks are changes of their own.
            let bare = plan::Table { rules: plan::database::Rules::default(), ..wanted.clone() };
            let statements = column.map_or_else(Vec::new, |column| add_column(&bare, column));
            statements.into_iter().map(|statement| Staged { stage: Stage::Alter, statement }).collect()
        }
        Change::AlterColumn(name) => match wanted.columns.iter().find(|column| column.name == *name) {
            Some(column) => {
                let sql = format!("ALTER TABLE {table} MODIFY COLUMN {}", column_definition(column));
                vec![one(Stage::Alter, sql, &why(&format!("`{name}` becomes as the task says")), LockClass::Rewrites)]
            }
            None => Vec::new(),
        },
        Change::DropColumn { was: None, .. } => Vec::new(),
        Change::DropColumn { name, was: Some(_) } => {
            alter(Stage::Drop, vec![format!("DROP COLUMN {}", quote(name))], &format!("`{name}` is no longer wanted"))
        }
        Change::AddUnique(columns) => {
            let names: Vec<String> = columns.iter().map(|column| quote(column.as_str())).collect();
            let add = format!("ADD UNIQUE KEY {} ({})", quote(&set_name(wanted, columns)), names.join(", "));
            alter(Stage::Tighten, vec![add], "what is unique")
        }
        Change::DropUnique { is_there: false, .. }
        | Change::DropKey { is_there: false, .. }
        | Change::DropCheck { is_there: false, .. }
        | Change::DropIndex { is_there: false, .. }
        | Change::DropTrigger { is_there: false, .. } => Vec::new(),
        Change::DropUnique { columns, .. } => {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            let name = super::definition::set_index_name(wanted.name.as_str(), &names);
            alter(Stage::Loosen, vec![format!("DROP INDEX {}", quote(&name))], "it need no longer be unique")
        }
        Change::AddKey { key, was } => {
            let mut staged = was.as_ref().map_or_else(Vec::new, |was| {
                alter(Stage::Loosen, vec![format!("DROP FOREIGN KEY {}", quote(&was.name))], "another key comes")
            });
            staged.extend(alter(Stage::Tighten, vec![format!("ADD {}", foreign_key(key))], &key.why));
            staged
        }
        Change::DropKey { key, .. } => {
            alter(Stage::Loosen, vec![format!("DROP FOREIGN KEY {}", quote(&key.name))], "the key is no longer wanted")
        }
        Change::AddCheck { check, was } => {
            let mut parts: Vec<String> =
                was.iter().map(|was| format!("DROP CONSTRAINT {}", quote(&was.name))).collect();
            let planned = wanted.rules.checks.iter().find(|planned| planned.name.as_str() == check.name);
            parts.extend(planned.map(|planned| format!("ADD {}", check_constraint(planned))));
            alter(Stage::Tighten, parts, &format!("`{}` holds from now on", check.name))
        }
        Change::DropCheck { check, .. } => alter(
            Stage::Loosen,
            vec![format!("DROP CONSTRAINT {}", quote(&check.name))],
            "the check is no longer wanted",
        ),
        Change::AddIndex { index, was } => {
            let mut staged = was.as_ref().map_or_else(Vec::new, |was| {
                alter(Stage::Loosen, vec![format!("DROP INDEX {}", quote(&was.name))], "another index comes")
            });
            staged.push(Staged { stage: Stage::Tighten, statement: create_index(wanted, index) });
            staged
        }
        Change::DropIndex { index, .. } => {
            alter(Stage::Loosen, vec![format!("DROP INDEX {}", quote(&index.name))], "the index is no longer wanted")
        }
        Change::SetTrigger { was } => {
            let drop = was.as_ref().map(|was| {
                let sql = format!("DROP TRIGGER IF EXISTS {}", quote(&was.name));
                one(Stage::Loosen, sql, &why("another trigger comes"), LockClass::Writes)
            });
            let made = create_trigger(wanted).map(|statement| Staged { stage: Stage::Tighten, statement });
            drop.into_iter().chain(made).collect()
        }
        Change::DropTrigger { trigger, .. } => {
            let sql = format!("DROP TRIGGER IF EXISTS {}", quote(&trigger.name));
            vec![one(Stage::Loosen, sql, &why("the trigger is no longer wanted"), LockClass::Writes)]
        }
        Change::SetComment { .. } => {
            let sql = format!("ALTER TABLE {table} COMMENT = {}", text(&wanted.comment));
            vec![one(Stage::Alter, sql, &why("what it says about itself"), LockClass::Everything)]
        }
    }
}

/// A statement that nothing takes back: what was there is known in the server's words only.
fn one(stage: Stage, sql: String, why: &str, lock: LockClass) -> Staged {
    let undo = Undo::Impossible("what was there before is not written again on MySQL yet".to_owned());
    Staged { stage, statement: Statement::new(sql, why, lock, undo) }
}

/// Keys between the tables go with them.
pub fn drop_tables(tables: &[&str]) -> Statement {
    let names: Vec<String> = tables.iter().map(|table| quote(table)).collect();
    let sql =
        format!("SET foreign_key_checks = 0; DROP TABLE IF EXISTS {}; SET foreign_key_checks = 1", names.join(", "));
    let undo = Undo::Impossible(format!("the rows of {} are gone", tables.join(", ")));
    Statement::new(sql, format!("{}: the task no longer names them", tables.join(", ")), LockClass::Everything, undo)
}
