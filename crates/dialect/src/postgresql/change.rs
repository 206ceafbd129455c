//! Changes of a PostgreSQL table. Every statement can run twice and on a table that has it already, because the files of the
//! migrations also make new databases. What takes as long as a table is large runs alone, where it keeps nobody waiting.

use super::definition::{
    COUNTED, column_definition, column_list, count_on, create_index, create_trigger, default, foreign_key, helpers,
};
use super::{collation, quote, sql_type, text};
use crate::change::{Change, Rows, Stage, Staged, TableChange, UNFINISHED, is_volatile};
use crate::relational::{column_comment, why_no_overlap};
use plan::database::{
    Column, Execution, ForeignKey, Index, LockClass, Nullability, ObservedColumn, ObservedForeignKey, ObservedIndex,
    ObservedRule, OnDelete, Rules, Statement, Table, Times, Undo, Uniqueness,
};
use vocab::ColumnName;

pub fn change_table(change: &TableChange<'_>) -> Vec<Staged> {
    let mut changer = Changer { change, name: quote(change.wanted.name.as_str()), staged: Vec::new() };
    changer.rename();
    changer.helpers();
    for part in &change.changes {
        changer.part(part);
    }
    changer.staged
}

pub fn drop_tables(tables: &[&str]) -> Statement {
    let names: Vec<String> = tables.iter().map(|table| quote(table)).collect();
    Statement::new(
        format!("DROP TABLE IF EXISTS {}", names.join(", ")),
        format!("{}: the task no longer names them", tables.join(", ")),
        LockClass::Everything,
        Undo::Impossible(format!("the rows of {} are gone", tables.join(", "))),
    )
}

struct Changer<'c> {
    change: &'c TableChange<'c>,
    /// The table's, as it stands in statements.
    name: String,
    staged: Vec<Staged>,
}

impl Changer<'_> {
    fn push(&mut self, stage: Stage, statement: Statement) {
        self.staged.push(Staged { stage, statement });
    }

    /// `ALTER TABLE` of the table.
    fn alter(&mut self, stage: Stage, action: &str, why: String, lock: LockClass, undo: Undo) {
        let statement = Statement::new(format!("ALTER TABLE {} {action}", self.name), why, lock, undo);
        self.push(stage, statement);
    }

    fn back(&self, action: &str) -> Undo {
        Undo::Statement(format!("ALTER TABLE {} {action}", self.name))
    }

    /// What counted before counts on.
    fn back_to(&self, was: &ObservedColumn, action: &str) -> Undo {
        let counting = is_counted(was).then(|| format!("; {}", count_on(self.table(), &was.name)));
        self.back(&(action.to_owned() + &counting.unwrap_or_default()))
    }

    fn table(&self) -> &str {
        self.change.wanted.name.as_str()
    }

    /// Where nobody has to be kept from a long statement, because there are no rows, all is done at once.
    fn is_empty(&self) -> bool {
        self.change.rows == Rows::None
    }

    fn rename(&mut self) {
        let wanted = self.change.wanted;
        self.rename_unique();
        for trigger in &self.change.old_triggers {
            let old = self.change.renamed_from.as_ref().unwrap_or(&wanted.name);
            let sql = format!("DROP TRIGGER IF EXISTS {} ON {}", quote(&trigger.name), quote(old.as_str()));
            let why = format!("{}: it names what is called otherwise from now on", trigger.name);
            let statement = Statement::new(sql, why, LockClass::Everything, Undo::Statement(trigger.text.clone()));
            self.push(Stage::Rename, Statement { unless: Some(self.change.renamed()), ..statement });
        }
        if let Some(before) = &self.change.renamed_from {
            let old = quote(before.as_str());
            let sql = format!("ALTER TABLE {old} RENAME TO {}", self.name);
            let undo = Undo::OldName(format!("ALTER TABLE {} RENAME TO {old}", self.name));
            let why = format!("{}: it was called {before}", wanted.name);
            let first = wanted.primary_key[0].clone();
            let statement = Statement::new(sql, why, LockClass::Everything, undo).unless(wanted.name.clone(), first);
            self.push(Stage::Rename, statement);
        }
        for (before, after) in &self.change.renamed_columns {
            let (old, new) = (quote(before.as_str()), quote(after.as_str()));
            let sql = format!("ALTER TABLE {} RENAME COLUMN {old} TO {new}", self.name);
            let undo = Undo::OldName(format!("ALTER TABLE {} RENAME COLUMN {new} TO {old}", self.name));
            let why = format!("{}.{after}: it was called {before}", wanted.name);
            let statement =
                Statement::new(sql, why, LockClass::Everything, undo).unless(wanted.name.clone(), after.clone());
            self.push(Stage::Rename, statement);
        }
    }

    /// Names of unique rules tell of the table and the columns; whoever drops one later knows it by its new name.
    fn rename_unique(&mut self) {
        let wanted = self.change.wanted;
        let before_table = self.change.renamed_from.as_ref().unwrap_or(&wanted.name);
        let before_column = |after: &String| {
            let renamed = self.change.renamed_columns.iter().find(|(_, new)| new.as_str() == after);
            renamed.map_or_else(|| after.clone(), |(old, _)| old.to_string())
        };
        let mut statements = Vec::new();
        for columns in &self.change.found.unique {
            let old: Vec<String> = columns.iter().map(before_column).collect();
            let (old_name, new_name) =
                (unique_name(before_table.as_str(), &old), unique_name(wanted.name.as_str(), columns));
            let renamed = self.change.renamed_columns.iter().find(|(_, new)| columns.contains(&new.to_string()));
            let there = match (&self.change.renamed_from, renamed) {
                (Some(_), _) => wanted.primary_key[0].clone(),
                (None, Some((_, new))) => new.clone(),
                (None, None) => continue,
            };
            if old_name == new_name {
                continue;
            }
            let table = quote(before_table.as_str());
            let rename = |from: &str, to: &str| {
                format!("ALTER TABLE {table} RENAME CONSTRAINT {} TO {}", quote(from), quote(to))
            };
            let undo = Undo::Statement(rename(&new_name, &old_name));
            let why = format!("{new_name}: it was called {old_name}");
            let statement = Statement::new(rename(&old_name, &new_name), why, LockClass::Everything, undo);
            statements.push(statement.unless(wanted.name.clone(), there));
        }
        for statement in statements {
            self.push(Stage::Rename, statement);
        }
    }

    /// What new and changed columns need that is not part of a table.
    fn helpers(&mut self) {
        let wanted = self.change.wanted;
        let mut columns: Vec<Column> = Vec::new();
        let mut times = Times::KeptByWriter;
        let mut overlaps = Vec::new();
        for part in &self.change.changes {
            match part {
                Change::AddColumn(name) | Change::AlterColumn(name) => {
                    columns.extend(wanted.columns.iter().find(|column| column.name == *name).cloned());
                }
                Change::SetTrigger { .. } => times = wanted.rules.times,
                Change::AddCheck { check, .. } => {
                    overlaps.extend(wanted.rules.overlaps.iter().find(|rule| rule.name.as_str() == check.name).cloned())
                }
                Change::DropColumn { .. }
                | Change::AddUnique(_)
                | Change::DropUnique { .. }
                | Change::AddKey { .. }
                | Change::DropKey { .. }
                | Change::DropCheck { .. }
                | Change::AddIndex { .. }
                | Change::DropIndex { .. }
                | Change::DropTrigger { .. }
                | Change::SetComment { .. } => {}
            }
        }
        let needing = Table { columns, rules: Rules { times, overlaps, ..Rules::default() }, ..wanted.clone() };
        for statement in helpers(&[needing]) {
            self.push(Stage::Create, statement);
        }
    }

    fn part(&mut self, part: &Change) {
        match part {
            Change::AddColumn(name) => self.add_column(name),
            Change::AlterColumn(name) => self.alter_column(name),
            Change::DropColumn { name, was } => self.drop_column(name, was.as_ref()),
            Change::AddUnique(columns) => self.add_unique(columns),
            Change::DropUnique { columns, is_there } => {
                let name = unique_name(self.table(), columns);
                let list = columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
                let undo = match is_there {
                    true => self.back(&format!("ADD CONSTRAINT {} UNIQUE ({list})", quote(&name))),
                    false => gone_already(),
                };
                self.drop_constraint(&name, format!("{name}: {} need no longer be unique", columns.join(", ")), undo);
            }
            Change::AddKey { key, was } => self.add_key(key, was.as_ref()),
            Change::DropKey { key, is_there } => {
                let undo = if *is_there { self.back(&format!("ADD {}", observed_key(key))) } else { gone_already() };
                self.drop_constraint(&key.name, format!("{}: no longer wanted", key.name), undo);
            }
            Change::AddCheck { check, was } => self.add_check(check, was.as_ref()),
            Change::DropCheck { check, is_there } => {
                let undo = if *is_there { self.back(&format!("ADD {}", rule(check))) } else { gone_already() };
                self.drop_constraint(&check.name, format!("{}: no longer wanted", check.name), undo);
            }
            Change::AddIndex { index, was } => self.add_index(index, was.as_ref()),
            Change::DropIndex { index, is_there } => {
                let undo = match is_there {
                    true => Undo::Statement(self.observed_index(index, "")),
                    false => gone_already(),
                };
                let sql = format!("DROP INDEX IF EXISTS {}", quote(&index.name));
                let why = format!("{}: no longer wanted", index.name);
                self.push(Stage::Loosen, Statement::new(sql, why, LockClass::Everything, undo));
            }
            Change::SetTrigger { was, .. } => {
                let Some(mut statement) = create_trigger(self.change.wanted) else { return };
                if let Some(was) = was {
                    statement.undo =
                        Undo::Statement(was.text.replacen("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1));
                }
                statement.lock = LockClass::Writes;
                self.push(Stage::Tighten, statement);
            }
            Change::DropTrigger { trigger, is_there } => {
                let sql = format!("DROP TRIGGER IF EXISTS {} ON {}", quote(&trigger.name), self.name);
                let undo = if *is_there { Undo::Statement(trigger.text.clone()) } else { gone_already() };
                let why = format!("{}: no longer wanted", trigger.name);
                self.push(Stage::Loosen, Statement::new(sql, why, LockClass::Everything, undo));
            }
            Change::SetComment { was } => {
                let wanted = self.change.wanted;
                let set = |comment: &str| format!("COMMENT ON TABLE {} IS {comment}", self.name);
                let undo = Undo::Statement(set(&comment_text(was.as_deref())));
                let sql = set(&text(&wanted.comment));
                let why = format!("{}: what it means", wanted.name);
                self.push(Stage::Tighten, Statement::new(sql, why, LockClass::SchemaChanges, undo));
            }
        }
    }

    fn drop_constraint(&mut self, name: &str, why: String, undo: Undo) {
        let action = format!("DROP CONSTRAINT IF EXISTS {}", quote(name));
        self.alter(Stage::Loosen, &action, why, LockClass::Everything, undo);
    }

    fn found_column(&self, name: &ColumnName) -> Option<&ObservedColumn> {
        self.change.found.columns.iter().find(|column| column.name == name.as_str())
    }

    fn add_column(&mut self, name: &ColumnName) {
        let Some(column) = self.change.wanted.columns.iter().find(|column| column.name == *name) else { return };
        let lock = match is_volatile(column.default.as_ref()) && !self.is_empty() {
            true => LockClass::Rewrites,
            false => LockClass::Everything,
        };
        let undo = match self.found_column(name) {
            Some(_) => Undo::Kept("it was there".to_owned()),
            None => self.back(&format!("DROP COLUMN IF EXISTS {}", quote(name.as_str()))),
        };
        let why = format!("{}.{name}: {}", self.table(), column.comment);
        let action = format!("ADD COLUMN IF NOT EXISTS {}", column_definition(column));
        self.alter(Stage::Alter, &action, why, lock, undo);
        let was = self.found_column(name).map(|found| found.comment.clone());
        self.comment_column(column, was);
    }

    /// `was` is what it says now, where it is there.
    fn comment_column(&mut self, column: &Column, was: Option<Option<String>>) {
        let place = format!("{}.{}", self.name, quote(column.name.as_str()));
        let set = |comment: &str| format!("COMMENT ON COLUMN {place} IS {comment}");
        let undo = match was {
            Some(was) => Undo::Statement(set(&comment_text(was.as_deref()))),
            None => Undo::Kept("it goes with the column".to_owned()),
        };
        let why = format!("{}.{}: what it means", self.table(), column.name);
        let sql = set(&text(&column_comment(column)));
        self.push(Stage::Tighten, Statement::new(sql, why, LockClass::SchemaChanges, undo));
    }

    fn drop_column(&mut self, name: &str, was: Option<&ObservedColumn>) {
        let undo = match was {
            Some(_) => Undo::Impossible(format!("what `{name}` of `{}` held is gone", self.table())),
            None => gone_already(),
        };
        let why = format!("{}.{name}: the task no longer names it", self.table());
        let action = format!("DROP COLUMN IF EXISTS {}", quote(name));
        self.alter(Stage::Drop, &action, why, LockClass::Everything, undo);
    }

    fn alter_column(&mut self, name: &ColumnName) {
        let Some(column) = self.change.wanted.columns.iter().find(|column| column.name == *name) else { return };
        let known = self.change.known.as_ref();
        let known = known.and_then(|table| table.columns.iter().find(|other| other.name == *name)).map(described);
        let wanted = described(column);
        let found = self.found_column(name).cloned();
        let differs = |of: &dyn Fn(&ObservedColumn) -> String| {
            [&found, &known].into_iter().flatten().any(|other| of(other) != of(&wanted))
        };
        let was = found.clone().unwrap_or_else(|| wanted.clone());
        if differs(&|column| format!("{} {}", column.sql_type, column.collation)) {
            self.change_type(column, &was);
        } else if differs(&|column| format!("{:?}", column.default)) {
            let why = format!("{}.{name}: what a row holds that was written without it", self.table());
            let counts = [Some(&wanted), found.as_ref(), known.as_ref()].into_iter().flatten().any(is_counted);
            let (action, undo) = (set_default(&wanted, counts), self.back_to(&was, &set_default(&was, counts)));
            self.alter(Stage::Alter, &action, why, LockClass::Everything, undo);
            self.count_on(&wanted);
        }
        if differs(&|column| format!("{:?}", column.nullability)) {
            self.change_nullability(column, &was);
        }
        if differs(&|column| format!("{:?}", column.comment)) {
            self.comment_column(column, Some(was.comment));
        }
    }

    /// A number that the database begins to make is none of those that are there.
    fn count_on(&mut self, column: &ObservedColumn) {
        if is_counted(column) {
            let sql = count_on(self.table(), &column.name);
            let why = format!("{}.{}: it counts on behind the rows that are there", self.table(), column.name);
            let undo = Undo::Kept("it goes with what counts".to_owned());
            self.push(Stage::Alter, Statement::new(sql, why, LockClass::SchemaChanges, undo));
        }
    }

    /// A default stands in the way of another type, so it goes and comes.
    fn change_type(&mut self, column: &Column, was: &ObservedColumn) {
        let name = quote(column.name.as_str());
        let wanted = described(column);
        let to = |column: &ObservedColumn| {
            let collate = match column.collation.as_str() {
                "" | "default" => String::new(),
                other => format!(" COLLATE \"{other}\""),
            };
            // A truth value becomes a large number, and one of those a truth value again, by way of a small one.
            let kinds = [wanted.sql_type.as_str(), was.sql_type.as_str()];
            let by_way = if kinds.contains(&"bigint") && kinds.contains(&"boolean") { "::integer" } else { "" };
            let default = match &column.default {
                Some(default) if default == COUNTED => format!(", ALTER COLUMN {name} ADD {default}"),
                Some(default) => format!(", ALTER COLUMN {name} SET DEFAULT {default}"),
                None => String::new(),
            };
            let kind = &column.sql_type;
            let drop_count = match [&wanted, was].into_iter().any(is_counted) {
                true => format!("ALTER COLUMN {name} DROP IDENTITY IF EXISTS, "),
                false => String::new(),
            };
            format!(
                "{drop_count}ALTER COLUMN {name} DROP DEFAULT, ALTER COLUMN {name} TYPE {kind}{collate} USING {name}{by_way}::{kind}{default}"
            )
        };
        let why = format!("{}.{}: it holds {}", self.table(), column.name, column.field_type.describe());
        let (action, undo) = (to(&wanted), self.back_to(was, &to(was)));
        self.alter(Stage::Alter, &action, why, LockClass::Rewrites, undo);
        self.count_on(&wanted);
    }

    /// Rows are given the default first. A check that is looked at later spares the others the wait for the reading of all rows.
    fn change_nullability(&mut self, column: &Column, was: &ObservedColumn) {
        let name = quote(column.name.as_str());
        let (set, drop) = (format!("ALTER COLUMN {name} SET NOT NULL"), format!("ALTER COLUMN {name} DROP NOT NULL"));
        let table = self.table().to_owned();
        if column.nullability == Nullability::Nullable {
            let why = format!("{table}.{}: a row may do without it", column.name);
            let undo = if was.nullability == Nullability::NotNull { self.back(&set) } else { gone_already() };
            self.alter(Stage::Alter, &drop, why, LockClass::Everything, undo);
            return;
        }
        let undo = if was.nullability == Nullability::Nullable { self.back(&drop) } else { gone_already() };
        let why = format!("{table}.{}: every row has a value", column.name);
        if let Some(default) = default(column).filter(|default| default != COUNTED) {
            let sql = format!("UPDATE {} SET {name} = {default} WHERE {name} IS NULL", self.name);
            let why = format!("{table}.{}: rows without a value are given the default", column.name);
            let undo = Undo::Kept("rows keep what they were given".to_owned());
            self.push(Stage::Alter, Statement::new(sql, why, LockClass::WritesWhileRead, undo));
        }
        if self.is_empty() {
            self.alter(Stage::Tighten, &set, why, LockClass::Everything, undo);
            return;
        }
        let check = quote(&crate::name::joined(&[&table, column.name.as_str()], "present"));
        let drop_check = format!("DROP CONSTRAINT IF EXISTS {check}");
        let action = format!("{drop_check}, ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID");
        let undo_check = self.back(&drop_check);
        let for_new = format!("{table}.{}: new rows have a value from now on", column.name);
        self.alter(Stage::Tighten, &action, for_new, LockClass::Everything, undo_check);
        self.validate(&check, format!("{table}.{}: the rows that were there have one", column.name));
        self.alter(Stage::Patient, &set, why, LockClass::Everything, undo);
        let no_longer = format!("{table}.{}: the check has done its work", column.name);
        self.alter(Stage::Patient, &drop_check, no_longer, LockClass::Everything, gone_already());
    }

    fn validate(&mut self, name: &str, why: String) {
        let undo = Undo::Kept("it goes with the rule".to_owned());
        self.alter(Stage::Patient, &format!("VALIDATE CONSTRAINT {name}"), why, LockClass::SchemaChanges, undo);
    }

    /// A rule for rows: for new ones at once, for those that are there when they have been read.
    fn add_rule(&mut self, name: &str, definition: &str, replaces: bool, why: &str, lock: LockClass, undo: Undo) {
        let quoted = quote(name);
        let drop = if replaces { format!("DROP CONSTRAINT IF EXISTS {quoted}, ") } else { String::new() };
        if self.is_empty() {
            self.alter(Stage::Tighten, &format!("{drop}ADD {definition}"), format!("{name}: {why}"), lock, undo);
            return;
        }
        let action = format!("{drop}ADD {definition} NOT VALID");
        self.alter(Stage::Tighten, &action, format!("{name}: {why}, for new rows from now on"), lock, undo);
        self.validate(&quoted, format!("{name}: holds for the rows that were there"));
    }

    /// Whether a constraint of the name is there, or is made before this one where the files make a new database.
    fn may_be_there(&self, name: &str) -> bool {
        let found = &self.change.found;
        let in_found =
            found.checks.iter().map(|check| &check.name).chain(found.foreign_keys.iter().map(|key| &key.name));
        let known = self.change.known.as_ref().map(|known| &known.rules);
        in_found.into_iter().any(|other| other == name)
            || known.is_some_and(|rules| {
                rules.checks.iter().any(|check| check.name.as_str() == name)
                    || rules.overlaps.iter().any(|rule| rule.name.as_str() == name)
                    || rules.foreign_keys.iter().any(|key| key.name.as_str() == name)
            })
    }

    fn add_check(&mut self, check: &ObservedRule, was: Option<&ObservedRule>) {
        let quoted = quote(&check.name);
        let undo = match was {
            Some(was) => self.back(&format!("DROP CONSTRAINT IF EXISTS {quoted}, ADD {}", rule(was))),
            None => self.back(&format!("DROP CONSTRAINT IF EXISTS {quoted}")),
        };
        let replaces = self.may_be_there(&check.name);
        if let Some(overlap) = self.change.wanted.rules.overlaps.iter().find(|rule| rule.name.as_str() == check.name) {
            // PostgreSQL knows no such rule that holds for new rows first.
            let drop = if replaces { format!("DROP CONSTRAINT IF EXISTS {quoted}, ") } else { String::new() };
            let lock = if self.is_empty() { LockClass::Everything } else { LockClass::EverythingWhileRead };
            let why = format!("{}: {}", check.name, why_no_overlap(overlap));
            return self.alter(Stage::Tighten, &format!("{drop}ADD {}", rule(check)), why, lock, undo);
        }
        self.add_rule(&check.name, &rule(check), replaces, "what its rows must hold", LockClass::Everything, undo);
    }

    fn add_key(&mut self, key: &ForeignKey, was: Option<&ObservedForeignKey>) {
        let quoted = quote(key.name.as_str());
        let undo = match was {
            Some(was) => self.back(&format!("DROP CONSTRAINT IF EXISTS {quoted}, ADD {}", observed_key(was))),
            None => self.back(&format!("DROP CONSTRAINT IF EXISTS {quoted}")),
        };
        let replaces = self.may_be_there(key.name.as_str());
        self.add_rule(key.name.as_str(), &foreign_key(key), replaces, &key.why, LockClass::Writes, undo);
    }

    /// The index is built beside the others, then becomes the constraint.
    fn add_unique(&mut self, columns: &[ColumnName]) {
        let texts: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let name = unique_name(self.table(), &texts);
        let (quoted, list) = (quote(&name), column_list(columns));
        let is_found = self.change.found.unique.contains(&texts);
        let undo = match is_found {
            true => Undo::Kept("it was there".to_owned()),
            false => self.back(&format!("DROP CONSTRAINT IF EXISTS {quoted}")),
        };
        let known = self.change.known.as_ref();
        let replaces = is_found || known.is_some_and(|known| known.unique.contains(&columns.to_vec()));
        let why = format!("{name}: no two rows agree in {}", texts.join(", "));
        let drop = format!("DROP CONSTRAINT IF EXISTS {quoted}");
        if self.is_empty() {
            let action = match replaces {
                true => format!("{drop}, ADD CONSTRAINT {quoted} UNIQUE ({list})"),
                false => format!("ADD CONSTRAINT {quoted} UNIQUE ({list})"),
            };
            self.alter(Stage::Tighten, &action, why, LockClass::Everything, undo);
            return;
        }
        if replaces {
            let again = format!("{name}: it is made anew");
            self.alter(Stage::Patient, &drop, again, LockClass::Everything, gone_already());
        }
        if self.change.found.indexes.iter().any(|index| index.name == name) {
            self.drop_index_alone(&name);
        }
        let sql = format!("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {quoted} ON {} ({list})", self.name);
        let back = Undo::Statement(format!("DROP INDEX CONCURRENTLY IF EXISTS {quoted}"));
        self.alone(sql, why, back);
        let action = format!("ADD CONSTRAINT {quoted} UNIQUE USING INDEX {quoted}");
        self.alter(Stage::Patient, &action, format!("{name}: the index is a rule"), LockClass::Everything, undo);
    }

    fn alone(&mut self, sql: String, why: String, undo: Undo) {
        let statement = Statement::new(sql, why, LockClass::SchemaChanges, undo);
        self.push(Stage::Patient, Statement { execution: Execution::Alone, ..statement });
    }

    fn drop_index_alone(&mut self, name: &str) {
        let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quote(name));
        self.alone(sql, format!("{name}: the one that is there is another one, or was not finished"), gone_already());
    }

    fn add_index(&mut self, index: &Index, was: Option<&ObservedIndex>) {
        let name = index.name.as_str();
        let quoted = quote(name);
        let known = self.change.known.as_ref();
        let was_planned_otherwise = known.is_some_and(|known| {
            known.rules.indexes.iter().any(|other| {
                other.name == index.name && (&other.columns, other.uniqueness) != (&index.columns, index.uniqueness)
            })
        });
        let replaces = was.is_some() || was_planned_otherwise;
        if self.is_empty() {
            if replaces {
                let undo = was.map_or_else(gone_already, |was| Undo::Statement(self.observed_index(was, "")));
                let sql = format!("DROP INDEX IF EXISTS {quoted}");
                let why = format!("{name}: it is made anew");
                self.push(Stage::Loosen, Statement::new(sql, why, LockClass::Everything, undo));
            }
            self.push(Stage::Tighten, create_index(self.change.wanted, index));
            return;
        }
        if replaces {
            self.drop_index_alone(name);
            if let (Some(was), Some(last)) = (was.filter(|was| is_whole(was)), self.staged.len().checked_sub(1)) {
                let undo = self.observed_index(was, " CONCURRENTLY");
                self.staged[last].statement.undo = Undo::Statement(undo);
            }
        }
        let unique = if index.uniqueness == Uniqueness::Unique { "UNIQUE " } else { "" };
        let (on, columns) = (&self.name, column_list(&index.columns));
        let sql = format!("CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {quoted} ON {on} ({columns})");
        let undo = Undo::Statement(format!("DROP INDEX CONCURRENTLY IF EXISTS {quoted}"));
        self.alone(sql, format!("{name}: {}", index.why), undo);
    }

    fn observed_index(&self, index: &ObservedIndex, concurrently: &str) -> String {
        let unique = if index.uniqueness == Uniqueness::Unique { "UNIQUE " } else { "" };
        let (name, columns) = (quote(&index.name), index.columns.join(", "));
        format!("CREATE {unique}INDEX{concurrently} {name} ON {} ({columns})", self.name)
    }
}

fn gone_already() -> Undo {
    Undo::Kept("there is nothing to bring back".to_owned())
}

/// Whether it was finished; `store` marks one that was not.
fn is_whole(index: &ObservedIndex) -> bool {
    index.columns.last().is_none_or(|last| last != UNFINISHED)
}

fn comment_text(comment: Option<&str>) -> String {
    comment.map_or_else(|| "NULL".to_owned(), text)
}

fn rule(rule: &ObservedRule) -> String {
    format!("CONSTRAINT {} {}", quote(&rule.name), rule.text)
}

fn observed_key(key: &ObservedForeignKey) -> String {
    let action = match key.on_delete {
        Some(OnDelete::Cascade) => "CASCADE",
        Some(OnDelete::Restrict) => "RESTRICT",
        Some(OnDelete::SetNull) => "SET NULL",
        None => "NO ACTION",
    };
    let list = |columns: &[String]| columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
    let (name, columns, table) = (quote(&key.name), list(&key.columns), quote(&key.table));
    format!("CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {table} ({}) ON DELETE {action}", list(&key.target))
}

/// The name that PostgreSQL itself gives to such a constraint, as long as that is not too long.
pub fn unique_name(table: &str, columns: &[String]) -> String {
    let words: Vec<&str> = std::iter::once(table).chain(columns.iter().map(String::as_str)).collect();
    crate::name::joined(&words, "key")
}

/// `counts` where the database counts before or afterwards: that and a default exclude each other.
fn set_default(column: &ObservedColumn, counts: bool) -> String {
    let name = quote(&column.name);
    let drop_count = if counts { format!("ALTER COLUMN {name} DROP IDENTITY IF EXISTS, ") } else { String::new() };
    match &column.default {
        Some(default) if default == COUNTED => {
            format!("{drop_count}ALTER COLUMN {name} DROP DEFAULT, ALTER COLUMN {name} ADD {default}")
        }
        Some(default) => format!("{drop_count}ALTER COLUMN {name} SET DEFAULT {default}"),
        None => format!("{drop_count}ALTER COLUMN {name} DROP DEFAULT"),
    }
}

fn is_counted(column: &ObservedColumn) -> bool {
    column.default.as_deref() == Some(COUNTED)
}

/// The column as the catalogue will show it.
pub fn described(column: &Column) -> ObservedColumn {
    ObservedColumn {
        name: column.name.to_string(),
        sql_type: sql_type(&column.field_type),
        nullability: column.nullability,
        collation: collation(&column.field_type).to_owned(),
        default: default(column),
        comment: Some(column_comment(column)),
    }
}
