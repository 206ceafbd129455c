//! The schema while it is designed: its tables with where they stand in the task, what was decided, what is wrong.

use super::names;
use crate::codes;
use catalog::Entity;
use plan::database::{Column, ForeignKey};
use plan::{Decision, Phase, Table};
use vocab::{ColumnName, Diagnostic, EntityName, Place, TableName};

/// A schema under way.
#[derive(Default)]
pub struct Draft {
    pub tables: Vec<DraftTable>,
    pub decisions: Vec<Decision>,
    pub problems: Vec<Diagnostic>,
}

/// A table under way.
pub struct DraftTable {
    pub table: Table,
    /// What its rows are, where the catalogue knows.
    pub entity: Option<EntityName>,
    /// Columns that the task states; whether they may be null is not changed.
    pub stated: Vec<ColumnName>,
    /// Whether the task states them all, so that the catalogue knows nothing of them.
    pub is_all_stated: bool,
    /// Keys of which each must be there where it is the only one.
    pub alone: Vec<ColumnName>,
    /// Where it stands.
    pub place: Place,
}

impl Draft {
    pub fn decide(&mut self, subject: String, decision: String, reason: impl Into<String>) {
        let phase = Phase::CreateSchemaAndTables;
        self.decisions.push(Decision { phase, subject, decision, reason: reason.into() });
    }

    pub fn refuse(&mut self, code: vocab::Code, message: String, place: &Place, help: &str) {
        self.problems.push(Diagnostic::error(code, message, place).with_help(help));
    }

    pub fn find(&self, name: &TableName) -> Option<&DraftTable> {
        self.tables.iter().find(|known| known.table.name == *name)
    }

    pub fn find_mut(&mut self, name: &TableName) -> Option<&mut DraftTable> {
        self.tables.iter_mut().find(|known| known.table.name == *name)
    }

    /// Takes the table up, unless its name is taken.
    pub fn add(&mut self, table: Table, entity: Option<&Entity>, place: &Place) -> bool {
        if let Some(why) = names::kept_table(table.name.as_str()) {
            self.refuse(codes::NAME_TAKEN, format!("`{}` {why}", table.name), place, "give it another name");
            return false;
        }
        let entity = entity.map(|entity| entity.entity.clone());
        self.tables.push(DraftTable {
            table,
            entity,
            stated: Vec::new(),
            is_all_stated: false,
            alone: Vec::new(),
            place: place.clone(),
        });
        true
    }
}

impl DraftTable {
    pub fn column(&self, name: &ColumnName) -> Option<&Column> {
        self.table.columns.iter().find(|column| column.name == *name)
    }

    pub fn column_mut(&mut self, name: &ColumnName) -> Option<&mut Column> {
        self.table.columns.iter_mut().find(|column| column.name == *name)
    }

    /// Puts a column behind the key and the other keys, before what a row says.
    pub fn add_key_column(&mut self, column: Column) {
        let keys = &self.table.rules.foreign_keys;
        let is_key = |known: &Column| {
            self.table.primary_key.contains(&known.name) || keys.iter().any(|key| key.columns.contains(&known.name))
        };
        let at = self.table.columns.iter().rposition(is_key).map_or(0, |last| last + 1);
        self.table.columns.insert(at, column);
    }

    /// The key to that table, if it has one.
    pub fn key_to(&self, table: &TableName) -> Option<&ForeignKey> {
        self.table.rules.foreign_keys.iter().find(|key| key.table == *table)
    }
}
