//! How a database stands, as its server counts and measures it: what is there beside what is wanted, and how it is used. Facts alone;
//! what follows from them is judged elsewhere.

use super::ObservedTable;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was seen of a database that somebody wants to run better. Nothing of it was changed to see it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// The schema of its tables, where the engine has such; empty where it has none.
    pub schema: String,
    /// Its tables, without the ledger.
    pub tables: Vec<ObservedTable>,
    /// Every index of them, also those of keys.
    pub indexes: Vec<MeasuredIndex>,
    /// How large the tables are, each by its name.
    pub measures: Vec<Measure>,
    /// The columns for which the engine counts.
    pub counters: Vec<Counter>,
    /// The tables that say which of their rows are seen.
    pub guards: Vec<RowGuard>,
    /// Columns of texts that hold nothing but numbers, as far as rows were looked at.
    pub numbers_as_text: Vec<NumbersAsText>,
    /// Statements that took long, the one that took most of all first.
    pub statements: Vec<MeasuredStatement>,
    /// For how many seconds at least the uses of indexes have been counted; none where nobody counts them.
    pub counted_for: Option<u64>,
    /// Settings of the server, in its own words; sizes in bytes.
    pub settings: BTreeMap<String, String>,
    /// What the whole database takes, in bytes.
    pub bytes: u64,
    /// How much of that is free, in bytes, where the engine frees it for all tables together.
    pub free_bytes: u64,
    /// What could not be seen, with the reason.
    pub unseen: Vec<String>,
}

impl Condition {
    /// How large the table is; nothing is known of one that is not there.
    #[must_use]
    pub fn measure(&self, table: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.table == table)
    }

    /// The indexes of a table.
    pub fn indexes_of<'c>(&'c self, table: &'c str) -> impl Iterator<Item = &'c MeasuredIndex> {
        self.indexes.iter().filter(move |index| index.table == table)
    }
}

/// How large a table is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    /// The table.
    pub table: String,
    /// Its rows, as far as the engine knows without counting them all.
    pub rows: u64,
    /// Its rows that are gone and still take room, where the engine counts them.
    pub dead_rows: u64,
    /// What it takes with its indexes, in bytes, where the engine says it of one table.
    pub bytes: u64,
    /// How much of that is free for it alone, in bytes.
    pub free_bytes: u64,
    /// What the engine plans by; none where it looks after that by itself.
    pub statistics: Option<Statistics>,
    /// The statements that made it and what was put onto it since, in the engine's own words, where it keeps those.
    pub made_by: Vec<String>,
}

/// What an engine knows of a table's rows to plan by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Whether anybody has ever looked.
    pub is_known: bool,
    /// Rows that were written since.
    pub changed: u64,
}

/// A statement with how long it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredStatement {
    /// The statement without its values.
    pub text: String,
    /// How often it ran.
    pub calls: u64,
    /// How long it takes on the average, in milliseconds.
    pub milliseconds: u64,
}

/// An index with everything that tells it from another one.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredIndex {
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its columns in order; of an expression, nothing.
    pub columns: Vec<String>,
    /// The same with how they are compared and sorted, in the engine's words: two indexes whose parts agree hold the same.
    pub parts: Vec<String>,
    /// What kind of index it is, and what it has besides its parts: the method, the columns that it carries along.
    pub kind: String,
    /// Which rows it holds, in the engine's words; without it, all.
    pub rows: Option<String>,
    /// Whether no two rows may agree in it.
    pub is_unique: bool,
    /// Whether a key or a rule stands on it, so that it cannot go alone.
    pub is_needed: bool,
    /// Whether the engine reads from it: the making of it came to its end.
    pub is_whole: bool,
    /// How often something was found by it, as long as that has been counted.
    pub uses: Option<u64>,
    /// What it takes, in bytes, where the engine says it.
    pub bytes: u64,
}

/// A column whose values the engine counts up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What counts, where that is a thing of its own that can be changed apart from the column.
    pub sequence: Option<String>,
    /// The last value that was given.
    pub last: u64,
    /// The greatest that column and counter can take.
    pub most: u64,
    /// Whether the column could be of a type that takes more.
    pub can_grow: bool,
}

/// A column of texts of which each that was looked at is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumbersAsText {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// How many values were looked at.
    pub values: u64,
}

/// A table with policies about its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGuard {
    /// The table.
    pub table: String,
    /// How many policies it has.
    pub policies: u64,
    /// Whether they hold.
    pub is_on: bool,
    /// Whether they hold for the owner as well.
    pub is_forced: bool,
    /// The owner.
    pub owner: String,
    /// Whether programs may be at work as the owner: the role logs in, and no policy is told to pass it by.
    pub owner_is_at_work: bool,
}

/// A statement that an index would serve, and what the engine says of it. It is explained, and not run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The statement.
    pub statement: String,
    /// The index, for an engine that can plan with one that is not there.
    #[serde(skip)]
    pub index: String,
    /// Whether it reads the whole table as it is.
    pub reads_all: bool,
    /// What it costs as it is, in the engine's own units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// What it would cost with the index, where the engine would use that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_with_index: Option<u64>,
}
