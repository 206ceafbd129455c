//! A database: the tables wanted, the migrations that make them, and what a server was seen to hold.

use serde::{Deserialize, Serialize};
use std::fmt;
use vocab::{ColumnName, Datum, Engine, FieldType, TableName};

/// A database as the plan wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabasePlan {
    /// The engine.
    pub engine: Engine,
    /// Where it is.
    pub connection: Connection,
    /// Every table the task needs.
    pub tables: Vec<Table>,
    /// How they came about, oldest first. A migration never changes once it was applied.
    pub migrations: Vec<Migration>,
}

impl DatabasePlan {
    /// The column, if the plan has such a table with such a column.
    #[must_use]
    pub fn column(&self, table: &TableName, column: &ColumnName) -> Option<&Column> {
        let table = self.tables.iter().find(|known| known.name == *table)?;
        table.columns.iter().find(|known| known.name == *column)
    }
}

/// Where a database is. Secrets are references, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// The workspace's own SQLite file.
    Embedded,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What a row is.
    pub comment: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// The columns of the primary key.
    pub primary_key: Vec<ColumnName>,
    /// Sets of columns whose values together are unique.
    pub unique: Vec<Vec<ColumnName>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: ColumnName,
    /// What it holds.
    pub field_type: FieldType,
    /// Whether it may be null.
    pub nullability: Nullability,
    /// What a row holds that was written without the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Datum>,
    /// Who may see it.
    pub sensitivity: Sensitivity,
    /// What it means.
    pub comment: String,
}

/// Whether a column may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nullability {
    /// Always a value.
    NotNull,
    /// Perhaps none.
    Nullable,
}

/// How carefully a column's values are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Anybody may see it.
    Plain,
    /// It says something about a person.
    Personal,
    /// It opens something, or is the hash of what does.
    Secret,
}

/// Statements that belong together and are applied once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// File name without extension: `0001_initial`.
    pub name: String,
    /// In order.
    pub statements: Vec<Statement>,
}

/// One statement of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The text that is printed and the text that is executed.
    pub sql: String,
    /// Why it is there.
    pub why: String,
    /// What it keeps others from doing meanwhile.
    pub lock: LockClass,
    /// How it is taken back.
    pub undo: Undo,
    /// What makes it superfluous: another task of the workspace may have seen to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<ColumnPresent>,
}

/// A column that may be there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnPresent {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: ColumnName,
}

impl fmt::Display for ColumnPresent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} has {}", self.table, self.column)
    }
}

/// What a statement keeps others from doing while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockClass {
    /// Nothing that anybody uses yet.
    NewObject,
    /// Writing, for a moment.
    Writes,
}

/// How a statement is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// By this statement.
    Statement(String),
    /// It cannot be, because.
    Impossible(String),
}

/// What is there before planning: an argument of the planner, so that planning needs no connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The tables a server holds.
    pub tables: Vec<ObservedTable>,
    /// The database part of the plan that is active now.
    pub active: Option<DatabasePlan>,
}

/// A table as the server describes it, in the server's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedTable {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<ObservedColumn>,
    /// The columns of the primary key.
    pub primary_key: Vec<String>,
    /// Sets of columns whose values together are unique, without the primary key, sorted.
    pub unique: Vec<Vec<String>>,
}

/// A column as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedColumn {
    /// Its name.
    pub name: String,
    /// Its type, in the server's words.
    pub sql_type: String,
    /// Whether it may be null.
    pub nullability: Nullability,
    /// How texts are compared, in the server's words; empty where that does not apply.
    pub collation: String,
}
