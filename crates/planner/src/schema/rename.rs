//! Renames: what the task says was called otherwise comes in, and what it is called in what was seen and planned goes out. A
//! rename is never guessed; what looks like one is asked about.

use super::compare::Comparison;
use dialect::change::{Change, Conversion, conversion};
use plan::Table;
use plan::database::ObservedTable;
use vocab::{ColumnName, Engine, TableName};

/// What the task says was called otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames {
    pub tables: Vec<RenamedTable>,
    pub columns: Vec<RenamedColumn>,
}

/// A table that was called otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamedTable {
    pub from: TableName,
    pub to: TableName,
}

/// A column that was called otherwise, under the table's new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamedColumn {
    pub table: TableName,
    pub from: ColumnName,
    pub to: ColumnName,
}

impl Renames {
    pub fn of_table(&self, to: &TableName) -> Option<&RenamedTable> {
        self.tables.iter().find(|renamed| renamed.to == *to)
    }

    /// Gives columns their new names, and keys to renamed tables theirs. Returns the columns that have yet to be renamed: where
    /// the old one is there and the new one is not.
    pub fn apply(
        &self,
        engine: Engine,
        wanted: &Table,
        found: &mut ObservedTable,
        mut known: Option<&mut Table>,
    ) -> Vec<(ColumnName, ColumnName)> {
        let mut renamed = Vec::new();
        let before = known.as_deref().map(|known| dialect::described(engine, known).checks);
        for RenamedColumn { from, to, .. } in self.columns.iter().filter(|renamed| renamed.table == wanted.name) {
            let has = |table: &ObservedTable, name: &ColumnName| {
                table.columns.iter().any(|column| column.name == name.as_str())
            };
            let is_wanted = wanted.columns.iter().any(|column| column.name == *from);
            let is_planned = |name: &ColumnName| {
                known.as_ref().is_some_and(|known| known.columns.iter().any(|column| column.name == *name))
            };
            if is_wanted {
                continue;
            }
            let is_due = has(found, from) && !has(found, to);
            // Done by hand already, and not yet where the files make a new database.
            let is_due_in_files = is_planned(from) && !is_planned(to);
            if !is_due && !is_due_in_files {
                continue;
            }
            if is_due {
                rename_found(engine, found, from.as_str(), to.as_str());
            }
            if let Some(known) = known.as_deref_mut() {
                rename_known(known, from, to);
            }
            renamed.push((from.clone(), to.clone()));
        }
        if let (Some(before), Some(known)) = (before, known.as_deref()) {
            // The server writes the new name into the texts of checks.
            let after = dialect::described(engine, known).checks;
            for check in &mut found.checks {
                if before.contains(check)
                    && let Some(renamed) = after.iter().find(|other| other.name == check.name)
                {
                    *check = renamed.clone();
                }
            }
        }
        for RenamedTable { from, to } in &self.tables {
            for key in found.foreign_keys.iter_mut().filter(|key| key.table == from.as_str()) {
                key.table = to.to_string();
            }
            if let Some(known) = known.as_deref_mut() {
                for key in known.rules.foreign_keys.iter_mut().filter(|key| key.table == *from) {
                    key.table = to.clone();
                }
            }
        }
        for RenamedColumn { table, from, to } in &self.columns {
            for key in found.foreign_keys.iter_mut().filter(|key| key.table == table.as_str()) {
                replace(&mut key.target, from.as_str(), to.as_str());
            }
        }
        renamed
    }
}

fn replace(names: &mut [String], from: &str, to: &str) {
    for name in names.iter_mut().filter(|name| *name == from) {
        to.clone_into(name);
    }
}

/// As the server will show it.
fn rename_found(engine: Engine, table: &mut ObservedTable, from: &str, to: &str) {
    for column in table.columns.iter_mut().filter(|column| column.name == from) {
        to.clone_into(&mut column.name);
    }
    replace(&mut table.primary_key, from, to);
    table.unique.iter_mut().for_each(|columns| replace(columns, from, to));
    table.foreign_keys.iter_mut().for_each(|key| replace(&mut key.columns, from, to));
    let (from, to) = (dialect::index_column(engine, from), dialect::index_column(engine, to));
    table.indexes.iter_mut().for_each(|index| replace(&mut index.columns, &from, &to));
}

fn rename_known(table: &mut Table, from: &ColumnName, to: &ColumnName) {
    let rename = |columns: &mut Vec<ColumnName>| {
        for column in columns.iter_mut().filter(|column| *column == from) {
            *column = to.clone();
        }
    };
    for column in table.columns.iter_mut().filter(|column| column.name == *from) {
        column.name = to.clone();
    }
    rename(&mut table.primary_key);
    table.unique.iter_mut().for_each(rename);
    table.rules.foreign_keys.iter_mut().for_each(|key| rename(&mut key.columns));
    table.rules.indexes.iter_mut().for_each(|index| rename(&mut index.columns));
    table.rules.checks.iter_mut().for_each(|check| check.rename(from, to));
    table.rules.overlaps.iter_mut().for_each(|rule| rule.rename(from, to));
}

/// The new columns that the one that is gone may have become: of the same kind.
pub fn candidates(gone: &str, wanted: &Table, known: Option<&Table>, comparison: &Comparison) -> Vec<String> {
    let Some(before) = known.and_then(|known| known.columns.iter().find(|column| column.name.as_str() == gone)) else {
        return Vec::new();
    };
    let new = comparison
        .changes
        .iter()
        .filter_map(|change| if let Change::AddColumn(name) = change { Some(name) } else { None });
    new.filter_map(|name| wanted.columns.iter().find(|column| column.name == *name))
        .filter(|column| conversion(&before.field_type, &column.field_type) == Conversion::Same)
        .map(|column| column.name.to_string())
        .collect()
}
