//! Migrations: statements in order, each with why it is there, what it keeps others from, and how it is taken back. Plain data;
//! whoever runs them looks nothing up.

use serde::{Deserialize, Serialize};
use std::fmt;
use vocab::{ColumnName, TableName};

/// Statements that belong together and are applied once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// File name without extension: `0001_initial`.
    pub name: String,
    /// In order.
    pub statements: Vec<Statement>,
}

impl Migration {
    /// Whether its statements run one by one, because one of them cannot run inside a transaction.
    #[must_use]
    pub fn is_stepwise(&self) -> bool {
        self.statements.iter().any(|statement| statement.execution == Execution::Alone)
    }

    /// Why it cannot be taken back, if it cannot.
    #[must_use]
    pub fn impossible_to_undo(&self) -> Option<(&Statement, &str)> {
        self.statements.iter().find_map(|statement| match &statement.undo {
            Undo::Impossible(why) => Some((statement, why.as_str())),
            Undo::Statement(_) | Undo::OldName(_) | Undo::Kept(_) => None,
        })
    }
}

/// One statement of a migration, or several that are one step.
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
    /// How it is run.
    #[serde(default)]
    pub execution: Execution,
    /// Indexes and triggers of somebody else's that come again, as they were written, where it has taken them away with their table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
}

impl Statement {
    /// A statement that runs in the transaction of its migration.
    #[must_use]
    pub fn new(sql: impl Into<String>, why: impl Into<String>, lock: LockClass, undo: Undo) -> Self {
        Self {
            sql: sql.into(),
            why: why.into(),
            lock,
            undo,
            unless: None,
            execution: Execution::Together,
            keeps: Vec::new(),
        }
    }

    /// The same, and superfluous where the table has the column.
    #[must_use]
    pub fn unless(self, table: TableName, column: ColumnName) -> Self {
        Self { unless: Some(ColumnPresent { table, column }), ..self }
    }
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

/// How a statement is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// In one transaction with the others of its migration.
    #[default]
    Together,
    /// Outside any transaction, which would not let it run; noted in the ledger step by step.
    Alone,
    /// In the transaction of its migration, while keys between tables are not looked at; all are before it ends.
    KeysChecked,
}

/// What a statement keeps others from doing while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockClass {
    /// Nothing that anybody uses yet.
    NewObject,
    /// Other changes of the table's schema alone, while its rows are read.
    SchemaChanges,
    /// Writing, for a moment.
    Writes,
    /// Writing, as long as the rows are read.
    WritesWhileRead,
    /// Reading and writing, for a moment.
    Everything,
    /// Reading and writing, as long as every row is read.
    EverythingWhileRead,
    /// Reading and writing, while every row is written again.
    Rewrites,
}

impl fmt::Display for LockClass {
    /// `writes, for a moment`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NewObject => "nothing",
            Self::SchemaChanges => "no rows, only other changes of the table while its rows are read",
            Self::Writes => "writes, for a moment",
            Self::WritesWhileRead => "writes, as long as the rows are read",
            Self::Everything => "reads and writes, for a moment",
            Self::EverythingWhileRead => "reads and writes, as long as the rows are read",
            Self::Rewrites => "reads and writes, while every row is written again",
        })
    }
}

/// How a statement is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// By this statement.
    Statement(String),
    /// By this statement, which brings back a name: what it named loses nothing.
    OldName(String),
    /// Not at all, which does no harm, because.
    Kept(String),
    /// It cannot be, because.
    Impossible(String),
}

impl fmt::Display for Undo {
    /// The statement, or why there is none.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(sql) | Self::OldName(sql) => formatter.write_str(sql),
            Self::Kept(why) => write!(formatter, "nothing, {why}"),
            Self::Impossible(why) => write!(formatter, "none, {why}"),
        }
    }
}
