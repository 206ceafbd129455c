//! Changes of a MySQL table. Each statement commits by itself and is a step of its migration, so each can run twice and on a table that
//! has it already: the files of the migrations also make new databases, and a run that was killed goes on at the step it was at.

use super::definition::{
    COUNTED, add_column, check_constraint, condition, create_index, create_trigger, described_column, described_key,
    foreign_key, index_part, planned_checks, set_index_name, set_name, triggers,
};
use super::{BINARY, CASE_INSENSITIVE, IF_EXISTS, IF_NOT_EXISTS, characters, quote, text};
use crate::change::{Change, Stage, Staged, TableChange};
use plan::Table;
use plan::database::{
    Check, Column, ForeignKey, Index, LockClass, Nullability, ObservedColumn, ObservedForeignKey, ObservedIndex,
    ObservedRule, OnDelete, Rules, Statement, Undo, Uniqueness,
};
use vocab::{ColumnName, FieldType};

/// Every row is written into a copy; meanwhile the rows can be read. A server that cannot have that refuses.
const COPIES: &str = ", ALGORITHM=COPY, LOCK=SHARED";
/// Others read and write meanwhile. A server that cannot have that refuses.
const IN_PLACE: &str = ", ALGORITHM=INPLACE, LOCK=NONE";

pub fn change_table(change: &TableChange<'_>) -> Vec<Staged> {
    let mut changer = Changer { change, name: quote(change.wanted.name.as_str()), staged: Vec::new() };
    changer.rename();
    let mut parts: Vec<&Change> = change.changes.iter().collect();
    parts.sort_by_key(|part| place(part));
    for part in parts {
        changer.part(part);
    }
    changer.staged
}

/// Keys between the tables go with them.
pub fn drop_tables(tables: &[&str]) -> Statement {
    let names: Vec<String> = tables.iter().map(|table| quote(table)).collect();
    let sql =
        format!("SET foreign_key_checks = 0; DROP TABLE IF EXISTS {}; SET foreign_key_checks = 1", names.join(", "));
    let undo = Undo::Impossible(format!("the rows of {} are gone", tables.join(", ")));
    Statement::new(sql, format!("{}: the task no longer names them", tables.join(", ")), LockClass::Everything, undo)
}

/// Among the statements of one stage: a key needs the index behind it as long as it is there, and a column goes after all that stood
/// on it.
fn place(part: &Change) -> u8 {
    match part {
        Change::AddColumn(_) | Change::AlterColumn(_) => 0,
        Change::DropKey { .. } | Change::DropCheck { .. } => 1,
        Change::AddUnique(_) | Change::AddIndex { .. } => 2,
        Change::AddKey { .. } => 3,
        Change::AddCheck { .. } => 4,
        Change::SetTrigger { .. } | Change::DropTrigger { .. } | Change::SetComment { .. } => 5,
        Change::DropUnique { .. } | Change::DropIndex { .. } => 6,
        Change::DropColumn { .. } => 7,
    }
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

    fn table(&self) -> &str {
        self.change.wanted.name.as_str()
    }

    fn known(&self) -> Option<&Table> {
        self.change.known.as_ref()
    }

    fn part(&mut self, part: &Change) {
        match part {
            Change::AddColumn(name) => self.add_column(name),
            Change::AlterColumn(name) => self.alter_column(name),
            Change::DropColumn { name, was } => self.drop_column(name, was.as_ref()),
            Change::AddUnique(columns) => self.add_unique(columns),
            Change::DropUnique { columns, is_there } => self.drop_unique(columns, *is_there),
            Change::AddKey { key, was } => self.add_key(key, was.as_ref()),
            Change::DropKey { key, is_there } => {
                let undo = if *is_there { self.back(&format!("ADD {}", observed_key(key))) } else { gone_already() };
                self.drop_key(&key.name, format!("{}: no longer as it was", key.name), undo);
            }
            Change::AddCheck { check, was } => self.add_check(check, was.as_ref()),
            Change::DropCheck { check, is_there } => self.drop_check(check, *is_there),
            Change::AddIndex { index, was } => self.add_index(index, was.as_ref()),
            Change::DropIndex { index, is_there } => {
                let undo =
                    if *is_there { self.back(&format!("ADD {}", observed_index(index))) } else { gone_already() };
                let stage = self.stage_of_dropped(&index.columns);
                self.drop_index(stage, &index.name, format!("{}: no longer wanted", index.name), undo);
            }
            Change::SetTrigger { name, was } => self.set_trigger(name, was.as_ref()),
            Change::DropTrigger { trigger, is_there } => {
                let undo = if *is_there { self.trigger_back(trigger) } else { gone_already() };
                self.drop_trigger(&trigger.name, format!("{}: no longer wanted", trigger.name), undo);
            }
            Change::SetComment { was } => {
                let set = |comment: &str| format!("COMMENT = {}", text(comment));
                let undo = self.back(&set(was.as_deref().unwrap_or_default()));
                let (action, why) = (set(&self.change.wanted.comment), format!("{}: what it means", self.table()));
                self.alter(Stage::Tighten, &action, why, LockClass::Everything, undo);
            }
        }
    }

    fn rename(&mut self) {
        let wanted = self.change.wanted;
        let first = &wanted.primary_key[0];
        for trigger in &self.change.old_triggers {
            let old = self.change.renamed_from.as_ref().unwrap_or(&wanted.name);
            let sql = format!("DROP TRIGGER IF EXISTS {}", quote(&trigger.name));
            let why = format!("{}: it names what is called otherwise from now on", trigger.name);
            let undo = Undo::Statement(observed_trigger(&quote(old.as_str()), trigger));
            let statement = Statement::new(sql, why, LockClass::Writes, undo);
            self.push(Stage::Rename, Statement { unless: Some(self.change.renamed()), ..statement });
        }
        if let Some(before) = &self.change.renamed_from {
            let old = quote(before.as_str());
            let sql = format!("RENAME TABLE {old} TO {}", self.name);
            let undo = Undo::OldName(format!("RENAME TABLE {} TO {old}", self.name));
            let why = format!("{}: it was called {before}", wanted.name);
            let statement = Statement::new(sql, why, LockClass::Everything, undo);
            self.push(Stage::Rename, statement.unless(wanted.name.clone(), first.clone()));
        }
        for (before, after) in &self.change.renamed_columns {
            self.rename_column(before, after);
        }
        self.rename_unique();
    }

    /// MySQL renames no column that a check names. The check goes before the first of its columns gets its new name, and comes again
    /// behind the last: as a change of its own or here.
    fn rename_column(&mut self, before: &ColumnName, after: &ColumnName) {
        let (first, last) = self.checks_on(after);
        for check in first {
            let mut old = check.clone();
            self.change.renamed_columns.iter().for_each(|(before, after)| old.rename(after, before));
            let undo = self.back(&format!("ADD {}", check_constraint(&old)));
            let why = format!("{}: it names {before}, which becomes {after}", check.name);
            let action = format!("DROP CONSTRAINT {IF_EXISTS} {}", quote(check.name.as_str()));
            self.alter(Stage::Rename, &action, why, LockClass::Everything, undo);
        }
        let rename =
            |from: &str, to: &str| format!("ALTER TABLE {} RENAME COLUMN {} TO {}", self.name, quote(from), quote(to));
        let undo = Undo::OldName(rename(after.as_str(), before.as_str()));
        let why = format!("{}.{after}: it was called {before}", self.table());
        let statement = Statement::new(rename(before.as_str(), after.as_str()), why, LockClass::Everything, undo);
        self.push(Stage::Rename, statement.unless(self.change.wanted.name.clone(), after.clone()));
        for check in last {
            let comes_again = |part: &Change| matches!(part, Change::AddCheck { check: other, .. } if other.name == check.name.as_str());
            let is_wanted = self.change.wanted.rules.checks.contains(&check);
            if is_wanted && !self.change.changes.iter().any(comes_again) {
                let rule = rule(check.name.as_str(), &condition(&check));
                self.constrain(check.name.as_str(), &rule, self.without(check.name.as_str()));
            }
        }
    }

    /// What the plan before holds the column to, under its new name: the checks of whose renamed columns it is the first, and those
    /// of which it is the last.
    fn checks_on(&self, column: &ColumnName) -> (Vec<Check>, Vec<Check>) {
        let known = self.known().map(planned_checks).unwrap_or_default();
        let renamed = |check: &Check| {
            let after = self.change.renamed_columns.iter().map(|(_, after)| after);
            after.filter(|after| check.columns().any(|name| name == *after)).cloned().collect::<Vec<ColumnName>>()
        };
        let first = known.iter().filter(|check| renamed(check).first() == Some(column)).cloned().collect();
        let last = known.iter().filter(|check| renamed(check).last() == Some(column)).cloned().collect();
        (first, last)
    }

    /// Whether a check went when its column was renamed.
    fn went_with_a_name(&self, check: &str) -> bool {
        self.change
            .renamed_columns
            .iter()
            .any(|(_, after)| self.checks_on(after).0.iter().any(|other| other.name.as_str() == check))
    }

    /// Names of unique rules tell of the table and the columns; whoever drops one later knows it by its new name.
    fn rename_unique(&mut self) {
        let before_table = self.change.renamed_from.as_ref().unwrap_or(&self.change.wanted.name).to_string();
        let before_column = |after: &String| {
            let renamed = self.change.renamed_columns.iter().find(|(_, new)| new.as_str() == after);
            renamed.map_or_else(|| after.clone(), |(old, _)| old.to_string())
        };
        let names: Vec<(String, String)> = self
            .change
            .found
            .unique
            .iter()
            .map(|columns| {
                let old: Vec<String> = columns.iter().map(before_column).collect();
                (named_set(&before_table, &old), named_set(self.table(), columns))
            })
            .collect();
        for (old, new) in names.into_iter().filter(|(old, new)| old != new) {
            let rename = |from: &str, to: &str| format!("RENAME INDEX {IF_EXISTS} {} TO {}", quote(from), quote(to));
            let (action, undo) = (rename(&old, &new), self.back(&rename(&new, &old)));
            self.alter(Stage::Rename, &action, format!("{new}: it was called {old}"), LockClass::Everything, undo);
        }
    }

    fn found_column(&self, name: &ColumnName) -> Option<&ObservedColumn> {
        self.change.found.columns.iter().find(|column| column.name == name.as_str())
    }

    fn known_column(&self, name: &ColumnName) -> Option<&Column> {
        self.known()?.columns.iter().find(|column| column.name == *name)
    }

    fn wanted_column(&self, name: &str) -> Option<&Column> {
        self.change.wanted.columns.iter().find(|column| column.name.as_str() == name)
    }

    fn add_column(&mut self, name: &ColumnName) {
        let Some(column) = self.wanted_column(name.as_str()).cloned() else { return };
        let was_there = self.found_column(name).is_some();
        // Its key and its checks are changes of their own.
        let bare = Table { rules: Rules::default(), ..self.change.wanted.clone() };
        for mut statement in add_column(&bare, &column) {
            if was_there {
                statement.undo = Undo::Kept("it was there".to_owned());
            }
            self.push(Stage::Alter, statement);
        }
    }

    fn drop_column(&mut self, name: &str, was: Option<&ObservedColumn>) {
        let undo = match was {
            Some(_) => Undo::Impossible(format!("what `{name}` of `{}` held is gone", self.table())),
            None => gone_already(),
        };
        let why = format!("{}.{name}: the task no longer names it", self.table());
        self.alter(Stage::Drop, &format!("DROP COLUMN {IF_EXISTS} {}", quote(name)), why, LockClass::Everything, undo);
    }

    fn alter_column(&mut self, name: &ColumnName) {
        let Some(column) = self.wanted_column(name.as_str()).cloned() else { return };
        let wanted = described_column(&column);
        let found = self.found_column(name).cloned();
        let known = self.known_column(name).map(described_column);
        let before: Vec<&ObservedColumn> = found.iter().chain(&known).collect();
        let was = found.clone().unwrap_or_else(|| wanted.clone());
        let is_other_type =
            |other: &&ObservedColumn| (&other.sql_type, &other.collation) != (&wanted.sql_type, &wanted.collation);
        let is_optional = |other: &&ObservedColumn| other.nullability == Nullability::Nullable;
        if before.iter().all(|other| **other == wanted) {
            return;
        }
        let becomes_required = wanted.nullability == Nullability::NotNull && before.iter().any(is_optional);
        if let (true, Some(default)) = (becomes_required, wanted.default.as_ref().filter(|default| *default != COUNTED))
        {
            self.fill(&column, default);
        }
        let (clause, lock, what) = if before.iter().any(is_other_type) {
            let kind = format!("it holds {}", column.field_type.describe());
            (COPIES, LockClass::WritesWhileRead, kind)
        } else if before.iter().any(|other| other.nullability != wanted.nullability) {
            let what = match wanted.nullability {
                Nullability::NotNull => "every row has a value",
                Nullability::Nullable => "a row may do without it",
            };
            // The rows are written again beside the old ones, and nobody is kept from them.
            let keeps_default = before.iter().all(|other| other.default == wanted.default);
            let way =
                if keeps_default { (IN_PLACE, LockClass::SchemaChanges) } else { (COPIES, LockClass::WritesWhileRead) };
            (way.0, way.1, what.to_owned())
        } else if before.iter().any(|other| other.default != wanted.default) {
            ("", LockClass::Everything, "what a row holds that was written without it".to_owned())
        } else {
            ("", LockClass::Everything, "what it means".to_owned())
        };
        let why = format!("{}.{name}: {what}", self.table());
        let undo = match modify(&was) {
            Some(action) => self.back(&action),
            None => Undo::Impossible(format!("the server itself made the values of `{name}`")),
        };
        if let Some(action) = modify(&wanted) {
            self.alter(Stage::Alter, &format!("{action}{clause}"), why, lock, undo);
        }
        let was_truth = self.known_column(name).is_some_and(|known| known.field_type == FieldType::Boolean);
        if was_truth && characters(&column.field_type).is_some() {
            self.spell_out(&quote(name.as_str()));
        }
    }

    /// Rows without a value are given the default, before each must have one.
    fn fill(&mut self, column: &Column, default: &str) {
        let name = quote(column.name.as_str());
        let sql = format!("UPDATE {} SET {name} = {default} WHERE {name} IS NULL", self.name);
        let why = format!("{}.{}: rows without a value are given the default", self.table(), column.name);
        let undo = Undo::Kept("rows keep what they were given".to_owned());
        self.push(Stage::Alter, Statement::new(sql, why, LockClass::WritesWhileRead, undo));
    }

    /// What is true is a number to the server, and `true` to everybody else.
    fn spell_out(&mut self, name: &str) {
        let put = |from: [&str; 2], to: [&str; 2]| {
            format!(
                "UPDATE {} SET {name} = CASE {name} WHEN '{}' THEN '{}' WHEN '{}' THEN '{}' ELSE {name} END",
                self.name, from[0], to[0], from[1], to[1]
            )
        };
        let (numbers, words) = (["1", "0"], ["true", "false"]);
        let undo = Undo::Statement(put(words, numbers));
        let why = format!("{}: `true` and `false` in words", self.table());
        let statement = Statement::new(put(numbers, words), why, LockClass::WritesWhileRead, undo);
        self.push(Stage::Alter, statement);
    }

    /// Whether the column is of another type from now on.
    fn is_retyped(&self, name: &str) -> bool {
        let Some(column) = self.wanted_column(name) else { return false };
        let wanted = described_column(column);
        let before = self.found_column(&column.name).cloned().into_iter();
        let mut before = before.chain(self.known_column(&column.name).map(described_column));
        before.any(|other| (&other.sql_type, &other.collation) != (&wanted.sql_type, &wanted.collation))
    }

    /// A key may stand on the index until another one is there; one over a column that becomes another type is in the way of that.
    fn stage_of_dropped(&self, columns: &[String]) -> Stage {
        let is_retyped = |column: &String| self.is_retyped(column.split('(').next().unwrap_or_default());
        if columns.iter().any(is_retyped) { Stage::Loosen } else { Stage::Drop }
    }

    fn add_unique(&mut self, columns: &[ColumnName]) {
        let name = set_name(self.change.wanted, columns);
        let texts: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let undo = match self.change.found.unique.contains(&texts) {
            true => Undo::Kept("it was there".to_owned()),
            false => self.back(&format!("DROP INDEX {IF_EXISTS} {}", quote(&name))),
        };
        let list: Vec<String> = columns.iter().map(|column| quote(column.as_str())).collect();
        let action = format!("ADD UNIQUE KEY {IF_NOT_EXISTS} {} ({}){IN_PLACE}", quote(&name), list.join(", "));
        let why = format!("{name}: no two rows agree in {}", texts.join(", "));
        self.alter(Stage::Tighten, &action, why, LockClass::SchemaChanges, undo);
    }

    fn drop_unique(&mut self, columns: &[String], is_there: bool) {
        let name = named_set(self.table(), columns);
        let list: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let undo = match is_there {
            true => self.back(&format!("ADD UNIQUE KEY {} ({})", quote(&name), list.join(", "))),
            false => gone_already(),
        };
        let why = format!("{name}: {} need no longer be unique", columns.join(", "));
        self.drop_index(self.stage_of_dropped(columns), &name, why, undo);
    }

    fn drop_index(&mut self, stage: Stage, name: &str, why: String, undo: Undo) {
        let action = format!("DROP INDEX {IF_EXISTS} {}", quote(name));
        self.alter(stage, &action, why, LockClass::Everything, undo);
    }

    fn add_index(&mut self, index: &Index, was: Option<&ObservedIndex>) {
        let wanted = self.change.wanted;
        let name = index.name.as_str();
        let part = index_part(wanted, index);
        let planned = self.known().and_then(|known| {
            known.rules.indexes.iter().find(|other| other.name == index.name).map(|other| index_part(known, other))
        });
        let is_retyped = index.columns.iter().any(|column| self.is_retyped(column.as_str()));
        let is_found = self.change.found.indexes.iter().any(|found| found.name == name);
        let differs = was.is_some() || planned.as_ref().is_some_and(|planned| *planned != part);
        let is_everywhere = is_found && (planned.is_some() || self.known().is_none());
        let back = |was: Option<&ObservedIndex>| match was {
            Some(was) => format!("DROP INDEX {IF_EXISTS} {}, ADD {}", quote(name), observed_index(was)),
            None => format!("DROP INDEX {IF_EXISTS} {}", quote(name)),
        };
        let why = format!("{name}: {}", index.why);
        if differs && is_everywhere && !is_retyped {
            // In one statement: a key may stand on it.
            let undo = self.back(&back(was));
            let action = format!("DROP INDEX {}, ADD {part}{IN_PLACE}", quote(name));
            self.alter(Stage::Tighten, &action, why, LockClass::SchemaChanges, undo);
            return;
        }
        if differs || is_retyped && is_found {
            let found = self.change.found.indexes.iter().find(|found| found.name == name);
            let undo = found.map_or_else(gone_already, |found| self.back(&format!("ADD {}", observed_index(found))));
            self.drop_index(Stage::Loosen, name, format!("{name}: it is made anew"), undo);
        }
        let mut statement = create_index(wanted, index);
        if is_found && !differs && !is_retyped {
            statement.undo = Undo::Kept("it was there".to_owned());
        }
        self.push(Stage::Tighten, statement);
    }

    fn drop_key(&mut self, name: &str, why: String, undo: Undo) {
        let action = format!("DROP FOREIGN KEY {IF_EXISTS} {}", quote(name));
        self.alter(Stage::Loosen, &action, why, LockClass::Everything, undo);
    }

    fn add_key(&mut self, key: &ForeignKey, was: Option<&ObservedForeignKey>) {
        let name = key.name.as_str();
        let wanted = described_key(key);
        let is_found = was.is_some_and(|was| *was == wanted);
        let planned =
            self.known().and_then(|known| known.rules.foreign_keys.iter().find(|other| other.name == key.name));
        let was_planned_otherwise = planned.map(described_key).is_some_and(|other| other != wanted);
        if was.is_some() && !is_found || was_planned_otherwise {
            let undo = was.map_or_else(gone_already, |was| self.back(&format!("ADD {}", observed_key(was))));
            self.drop_key(name, format!("{name}: another one comes"), undo);
        }
        let undo = match is_found && !was_planned_otherwise {
            true => Undo::Kept("it was there".to_owned()),
            false => self.back(&format!("DROP FOREIGN KEY {IF_EXISTS} {}", quote(name))),
        };
        let definition = foreign_key(key).replacen("FOREIGN KEY", &format!("FOREIGN KEY {IF_NOT_EXISTS}"), 1);
        let why = format!("{name}: {}", key.why);
        self.alter(Stage::Tighten, &format!("ADD {definition}{COPIES}"), why, LockClass::WritesWhileRead, undo);
    }

    fn without(&self, check: &str) -> Undo {
        self.back(&format!("DROP CONSTRAINT {IF_EXISTS} {}", quote(check)))
    }

    fn add_check(&mut self, check: &ObservedRule, was: Option<&ObservedRule>) {
        let name = check.name.as_str();
        let definition = rule(name, &check.text);
        let planned = self.known().map(planned_checks).unwrap_or_default();
        let planned = planned.iter().find(|other| other.name.as_str() == name).map(condition);
        let is_found = was.is_some_and(|was| was == check);
        let differs = was.is_some() && !is_found || planned.as_ref().is_some_and(|planned| *planned != check.text);
        let is_gone = self.went_with_a_name(name);
        if differs && was.is_some() && planned.is_some() && !is_gone {
            // In one statement: no row slips in between.
            let undo = self.back(&match was {
                Some(was) => format!("DROP CONSTRAINT {IF_EXISTS} {}, ADD {}", quote(name), rule(name, &was.text)),
                None => format!("DROP CONSTRAINT {IF_EXISTS} {}", quote(name)),
            });
            let action = format!("DROP CONSTRAINT {}, ADD {definition}{COPIES}", quote(name));
            let why = format!("{name}: what its rows must hold");
            self.alter(Stage::Tighten, &action, why, LockClass::WritesWhileRead, undo);
            return;
        }
        if differs && !is_gone {
            self.drop_check(was.unwrap_or(check), was.is_some());
        }
        let undo = match is_found && !differs && !is_gone {
            true => Undo::Kept("it was there".to_owned()),
            false => self.without(name),
        };
        self.constrain(name, &definition, undo);
    }

    fn constrain(&mut self, name: &str, definition: &str, undo: Undo) {
        let definition = definition.replacen("CONSTRAINT", &format!("CONSTRAINT {IF_NOT_EXISTS}"), 1);
        let why = format!("{name}: what its rows must hold");
        self.alter(Stage::Tighten, &format!("ADD {definition}{COPIES}"), why, LockClass::WritesWhileRead, undo);
    }

    fn drop_check(&mut self, check: &ObservedRule, is_there: bool) {
        if self.went_with_a_name(&check.name) {
            return;
        }
        let undo = match is_there {
            true => self.back(&format!("ADD {}", rule(&check.name, &check.text))),
            false => gone_already(),
        };
        let action = format!("DROP CONSTRAINT {IF_EXISTS} {}", quote(&check.name));
        let why = format!("{}: no longer as it was", check.name);
        self.alter(Stage::Loosen, &action, why, LockClass::Everything, undo);
    }

    fn trigger_back(&self, trigger: &ObservedRule) -> Undo {
        Undo::Statement(observed_trigger(&self.name, trigger))
    }

    fn drop_trigger(&mut self, name: &str, why: String, undo: Undo) {
        let sql = format!("DROP TRIGGER IF EXISTS {}", quote(name));
        self.push(Stage::Loosen, Statement::new(sql, why, LockClass::Writes, undo));
    }

    fn set_trigger(&mut self, name: &str, was: Option<&ObservedRule>) {
        let wanted = self.change.wanted;
        let Some(trigger) = triggers(wanted).into_iter().find(|known| known.name == name) else { return };
        let mut statement = create_trigger(wanted, &trigger);
        let is_found = was == Some(&trigger);
        if was.is_some() && !is_found {
            let undo = was.map_or_else(gone_already, |was| self.trigger_back(was));
            self.drop_trigger(name, format!("{name}: another one comes"), undo);
        }
        statement.undo = match is_found {
            true => Undo::Kept("it was there".to_owned()),
            false => Undo::Statement(format!("DROP TRIGGER IF EXISTS {}", quote(name))),
        };
        statement.lock = LockClass::Writes;
        self.push(Stage::Tighten, statement);
    }
}

fn gone_already() -> Undo {
    Undo::Kept("there is nothing to bring back".to_owned())
}

fn named_set(table: &str, columns: &[String]) -> String {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    set_index_name(table, &columns)
}

fn rule(name: &str, condition: &str) -> String {
    format!("CONSTRAINT {} CHECK ({condition})", quote(name))
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

/// As part of `ALTER TABLE`; `note(20)` is the beginning of a column.
fn observed_index(index: &ObservedIndex) -> String {
    let kind = match index.uniqueness {
        Uniqueness::Unique => "UNIQUE KEY",
        Uniqueness::Repeating => "KEY",
    };
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|column| match column.split_once('(') {
            Some((column, length)) => format!("{}({length}", quote(column)),
            None => quote(column),
        })
        .collect();
    format!("{kind} {} ({})", quote(&index.name), columns.join(", "))
}

fn observed_trigger(table: &str, trigger: &ObservedRule) -> String {
    let (moment, body) = trigger.text.split_once('\n').unwrap_or((&trigger.text, ""));
    format!("CREATE TRIGGER {} {moment} ON {table} FOR EACH ROW\n{body}", quote(&trigger.name))
}

/// What makes the column so; none where the server itself makes its values, which no text here says whole.
fn modify(column: &ObservedColumn) -> Option<String> {
    let kind = &column.sql_type;
    let characters = match column.collation.as_str() {
        "" => String::new(),
        named if named == BINARY.name => format!(" {}", BINARY.clause()),
        named if named == CASE_INSENSITIVE.name => format!(" {}", CASE_INSENSITIVE.clause()),
        named => format!(" COLLATE {named}"),
    };
    let mut definition = format!("MODIFY COLUMN {} {kind}{characters}", quote(&column.name));
    match column.nullability {
        Nullability::NotNull => definition.push_str(" NOT NULL"),
        Nullability::Nullable => definition.push_str(" NULL"),
    }
    if let Some(default) = &column.default {
        let small = default.to_lowercase();
        if small == COUNTED {
            definition.push_str(&format!(" {COUNTED}"));
            return Some(with_comment(definition, column));
        }
        if small.ends_with(COUNTED) || small.ends_with(" generated") {
            return None;
        }
        let is_long = kind.ends_with("text") || kind.ends_with("blob") || kind == "json";
        // In parentheses MySQL keeps the clock under another name.
        let is_clock =
            small.starts_with("current_timestamp") && (kind.starts_with("datetime") || kind.starts_with("timestamp"));
        let default = if is_clock || is_plain(default) && !is_long { default.clone() } else { format!("({default})") };
        definition.push_str(&format!(" DEFAULT {default}"));
    }
    Some(with_comment(definition, column))
}

fn with_comment(definition: String, column: &ObservedColumn) -> String {
    match column.comment.as_deref().filter(|comment| !comment.is_empty()) {
        Some(comment) => format!("{definition} COMMENT {}", text(comment)),
        None => definition,
    }
}

/// A number or a text, which need no parentheses: with them MySQL takes a default for an expression, to be computed for each row.
fn is_plain(default: &str) -> bool {
    let is_number = default.parse::<f64>().is_ok();
    let inner = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    is_number || inner.is_some_and(|inner| !inner.replace("''", "").replace("\\\\", "").contains(['\'', '\\']))
}
