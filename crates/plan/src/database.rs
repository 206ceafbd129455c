//! A database: the tables wanted, the migrations that make them, and what a server was seen to hold.

mod backup;
mod condition;
mod migration;
mod observed;
pub mod permission;
mod rules;

pub use backup::{Backup, Cron, Destination, LEAST_LOSS, LOG_INTERVAL, Objectives, Schedule, spoken};
pub use condition::{
    Condition, Counter, Measure, MeasuredIndex, MeasuredStatement, NumbersAsText, RowGuard, Statistics, Trial,
};
pub use migration::{ColumnPresent, Execution, LockClass, Migration, Statement, Undo};
pub use observed::{
    Applied, Base, Chosen, DatabasePlace, Observed, ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule,
    ObservedTable,
};
pub use rules::{
    Check, CheckRule, ColumnDefault, Compared, Embedded, ForeignKey, Index, NoOverlap, OnDelete, Released, Rules,
    Times, Uniqueness,
};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use vocab::{ColumnName, Engine, FieldType, TableName};

/// A database as the plan wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabasePlan {
    /// The engine.
    pub engine: Engine,
    /// Where it is.
    pub connection: Connection,
    /// Every table the task needs.
    pub tables: Vec<Table>,
    /// How programs connect to it.
    #[serde(default)]
    pub pool: Pool,
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

/// The connections that one program keeps to a database, and how long things may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Connections that stay open without work.
    pub min: u32,
    /// Most connections.
    pub max: u32,
    /// After that a connection without work is closed.
    pub idle_timeout: u32,
    /// How long somebody waits for a connection.
    pub acquire_timeout: u32,
    /// How long one statement may take.
    pub statement_timeout: u32,
    /// Most that PostgreSQL may estimate for one read, the cost of its plan; as much as it likes where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_budget: Option<u64>,
    /// Whether reads go to the replicas among the hosts of the URL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_replicas: bool,
}

/// Nobody waits longer than that for somebody else's lock: everybody else would wait behind it.
const LONGEST_LOCK: Duration = Duration::from_secs(5);

impl Pool {
    /// How long a statement may wait for somebody else's lock: less than it may take at all, or that would be said instead.
    #[must_use]
    pub fn lock_timeout(&self) -> Duration {
        (Duration::from_secs(self.statement_timeout.into()) / 2).min(LONGEST_LOCK)
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            min: 0,
            max: 10,
            idle_timeout: 30,
            acquire_timeout: 5,
            statement_timeout: 10,
            plan_budget: None,
            read_replicas: false,
        }
    }
}

/// Where a database is. Secrets are references, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// The workspace's own SQLite file.
    Embedded,
    /// Another SQLite file of the workspace, by its name without ending.
    File {
        /// The name.
        name: String,
    },
    /// A database of that name on a server of its own, which the producer makes of programs installed on this machine.
    Local {
        /// The database.
        name: String,
    },
    /// A database of that name on a server in a container, which somebody starts.
    Container {
        /// The database.
        name: String,
        /// The port of this machine that leads to it.
        port: u16,
    },
    /// A URL or a path. Its parts together are its text.
    Location(Vec<LocationPart>),
    /// Nobody has said where it is.
    Missing,
}

/// A piece of a URL or a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocationPart {
    /// Text; never a password.
    Text(String),
    /// What the environment variable of that name holds when the database is connected to.
    Environment(String),
    /// What the secret store holds under that name.
    Secret(String),
}

impl fmt::Display for LocationPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Environment(name) => write!(formatter, "${{env:{name}}}"),
            Self::Secret(name) => write!(formatter, "${{secret:{name}}}"),
        }
    }
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
    /// What the database itself holds its rows to.
    #[serde(default)]
    pub rules: Rules,
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
    pub default: Option<ColumnDefault>,
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
