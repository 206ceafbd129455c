//! Reading and writing rows, without an engine in mind. A query may leave typed holes that a request fills: which of the
//! declared outputs, which filters, which order, which page. `dialect` turns it into a statement, at plan time or at request time.

use crate::scope::Scope;
use crate::value::{Comparison, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use vocab::{ColumnName, Datum, FieldName, RoleName, SlotName, TableName};

/// A question to the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The table.
    pub from: TableName,
    /// What each row gives.
    pub outputs: Vec<Output>,
    /// What always holds, whatever the request asks for; joined by AND.
    pub filter: Vec<Predicate>,
    /// The order where the request asks for none.
    pub order: Vec<Order>,
    /// What the request may add.
    pub holes: Holes,
    /// Whether the rows are held until the transaction ends.
    pub lock: RowLock,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A column.
    Column {
        /// The column.
        column: ColumnName,
        /// What the answer calls it.
        field: FieldName,
    },
    /// Rows of another table, nested; behind all columns. A request that chooses among the outputs gets them where it asks for them.
    Related(Box<Related>),
}

/// Rows of another table that a row leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Related {
    /// What the answer calls them.
    pub field: FieldName,
    /// This table's column.
    pub local: ColumnName,
    /// The other table's column.
    pub foreign: ColumnName,
    /// One row or a list.
    pub cardinality: Cardinality,
    /// The table in between that leads to both, where neither leads to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What an API key must be good for besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// What is read of the other table: columns. Its page says how many rows there are of a list.
    pub query: Query,
}

/// A table whose rows lead to those of two others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Through {
    /// The table.
    pub table: TableName,
    /// Its column that leads to the row that is read.
    pub local: ColumnName,
    /// Its column that leads to the nested rows.
    pub foreign: ColumnName,
    /// What must hold of its rows; joined by AND.
    pub filter: Vec<Predicate>,
}

impl Query {
    /// The same without rows of other tables.
    #[must_use]
    pub fn of_columns(&self) -> Self {
        let is_column = |output: &&Output| matches!(output, Output::Column { .. });
        Self { outputs: self.outputs.iter().filter(is_column).cloned().collect(), ..self.clone() }
    }

    /// The rows of other tables that it may give.
    pub fn related(&self) -> impl Iterator<Item = &Related> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Column { .. } => None,
            Output::Related(related) => Some(&**related),
        })
    }
}

impl Output {
    /// What the answer calls it.
    #[must_use]
    pub fn field(&self) -> &FieldName {
        match self {
            Self::Column { field, .. } => field,
            Self::Related(related) => &related.field,
        }
    }
}

/// How many rows are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// None or one.
    One,
    /// Any number.
    Many,
}

/// What must hold of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predicate {
    /// The comparison holds.
    Compare(ColumnName, Comparison, Value),
    /// Two values that are no columns stand so to each other: it holds for every row or for none.
    Test(Value, Comparison, Value),
    /// The column is null.
    Null(ColumnName),
    /// At least one of them.
    Any(Vec<Predicate>),
    /// Every one of them.
    All(Vec<Predicate>),
    /// Not that.
    Not(Box<Predicate>),
}

impl Predicate {
    /// Adds the slots of the values that it compares with.
    pub(crate) fn slots(&self, found: &mut BTreeSet<SlotName>) {
        match self {
            Self::Compare(_, _, value) => value.slots(found),
            Self::Test(left, _, right) => [left, right].into_iter().for_each(|value| value.slots(found)),
            Self::Null(_) => {}
            Self::Any(inner) | Self::All(inner) => inner.iter().for_each(|one| one.slots(found)),
            Self::Not(inner) => inner.slots(found),
        }
    }

    /// Adds the roles with which the caller's is compared.
    pub(crate) fn roles(&self, roles: &mut BTreeSet<RoleName>) {
        match self {
            Self::Test(_, _, Value::Literal(Datum::Text(role))) => roles.extend(RoleName::parse(role)),
            Self::Test(..) | Self::Compare(..) | Self::Null(_) => {}
            Self::Any(inner) | Self::All(inner) => inner.iter().for_each(|one| one.roles(roles)),
            Self::Not(inner) => inner.roles(roles),
        }
    }
}

/// One level of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The column.
    pub column: ColumnName,
    /// Which way.
    pub direction: Direction,
}

/// Which way an order runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Most characters of an expression by which a request filters a list.
pub const MAX_FILTER_LENGTH: usize = 4096;

/// What a request may add to a query. Empty: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holes {
    /// Columns it may filter by, with the comparisons allowed.
    pub filters: Vec<(ColumnName, Vec<Comparison>)>,
    /// Columns it may sort by.
    pub sorts: Vec<ColumnName>,
    /// Whether it may choose among the outputs.
    pub selection: Choice,
    /// Rows per page.
    pub page: Option<Page>,
    /// Rows that it may ask for where they are written one after the other, as CSV or NDJSON; none where there are no more of them than on
    /// any page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<u32>,
    /// How many rows it may pass over; none where it goes from page to page alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// Whether it may ask how many rows there are.
    #[serde(default, skip_serializing_if = "Total::is_untold")]
    pub total: Total,
    /// What it may have worked out of the rows instead of reading them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// Rows up to which they are counted where an estimate of them will do.
pub const MOST_COUNTED: u32 = 10_000;

/// What a request may have worked out of the rows of a list, one result for each group of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Columns of which every value may make a group of its own.
    pub values: Vec<ColumnName>,
    /// Days and times of which every year, month or day may make one.
    pub times: Vec<ColumnName>,
    /// Numbers that may be added up and averaged.
    pub numbers: Vec<ColumnName>,
    /// Columns whose least and greatest value may be asked.
    pub ordered: Vec<ColumnName>,
}

/// Groups of a summary at most.
pub const MAX_GROUPS: u32 = 1000;

/// What makes a group of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// A value that they share.
    Value(ColumnName),
    /// The part of a time that they share, in UTC.
    Part(Part, ColumnName),
}

/// A part of a day or a time, as it stands in a text: `2026`, `2026-05` or `2026-05-04`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first four characters.
    Year,
    /// The first seven.
    Month,
    /// The first ten.
    Day,
}

/// What is worked out of the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// Of its values.
    Sum(ColumnName),
    /// Of those that have a value, with [`average_scale`] decimals, half away from zero.
    Average(ColumnName),
    /// The least value.
    Least(ColumnName),
    /// The greatest value.
    Greatest(ColumnName),
}

/// Decimals of the average of numbers with so many.
#[must_use]
pub fn average_scale(scale: u8) -> u8 {
    (scale + 4).min(vocab::MAX_SCALE)
}

impl Part {
    /// The largest first.
    pub const ALL: [Self; 3] = [Self::Year, Self::Month, Self::Day];

    /// As a request asks for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
        }
    }

    /// Characters of its text.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Year => 4,
            Self::Month => 7,
            Self::Day => 10,
        }
    }
}

impl Group {
    /// The column.
    #[must_use]
    pub fn column(&self) -> &ColumnName {
        match self {
            Self::Value(column) | Self::Part(_, column) => column,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(column) => write!(formatter, "{column}"),
            Self::Part(part, column) => write!(formatter, "{}({column})", part.as_str()),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => write!(formatter, "count"),
            Self::Sum(column) => write!(formatter, "sum({column})"),
            Self::Average(column) => write!(formatter, "avg({column})"),
            Self::Least(column) => write!(formatter, "min({column})"),
            Self::Greatest(column) => write!(formatter, "max({column})"),
        }
    }
}

impl Summary {
    /// Whatever may make groups.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let parts = |column: &ColumnName| Part::ALL.map(|part| Group::Part(part, column.clone()));
        self.values.iter().cloned().map(Group::Value).chain(self.times.iter().flat_map(parts)).collect()
    }

    /// Whatever may be worked out.
    #[must_use]
    pub fn aggregates(&self) -> Vec<Aggregate> {
        let of_numbers = self.numbers.iter().flat_map(|column| {
            [Aggregate::Sum as fn(ColumnName) -> Aggregate, Aggregate::Average].map(|of| of(column.clone()))
        });
        let of_ordered = self.ordered.iter().flat_map(|column| {
            [Aggregate::Least as fn(ColumnName) -> Aggregate, Aggregate::Greatest].map(|of| of(column.clone()))
        });
        [Aggregate::Count].into_iter().chain(of_numbers).chain(of_ordered).collect()
    }
}

/// Whether a request may ask how many rows there are on all pages together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// Nobody counts them.
    #[default]
    Untold,
    /// They are counted where it asks.
    Asked,
}

impl Total {
    fn is_untold(&self) -> bool {
        *self == Self::Untold
    }
}

/// Whether a request may choose among the outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It gets them all.
    #[default]
    Fixed,
    /// It names those it wants.
    Open,
}

/// Rows per page, read by keyset; by offset only where a request asks for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Where the request asks for no number.
    pub default: u32,
    /// At most.
    pub max: u32,
}

/// Whether rows are held until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowLock {
    /// No.
    None,
    /// Against other writers.
    ForUpdate,
}

/// A change to the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// One new row.
    Insert {
        /// The table.
        table: TableName,
        /// Its columns.
        values: Vec<(ColumnName, Value)>,
        /// What happens when the row is there already.
        on_conflict: OnConflict,
        /// The key that the database makes, which is among no values: the slot of the step holds it. Only where a row that is
        /// there already fails the insert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<ColumnName>,
    },
    /// A change of the rows that fit.
    Update {
        /// The table.
        table: TableName,
        /// Columns and what they become.
        set: Vec<(ColumnName, Assigned)>,
        /// Which rows; joined by AND.
        filter: Vec<Predicate>,
    },
    /// Removal of the rows that fit.
    Delete {
        /// The table.
        table: TableName,
        /// Which rows; joined by AND.
        filter: Vec<Predicate>,
    },
    /// Rows get added what rows of another table that lead to them hold together.
    Add(Box<Add>),
}

/// What is added to rows of a table by rows of another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Add {
    /// The table.
    pub table: TableName,
    /// The number that grows; one that is null stays so.
    pub column: ColumnName,
    /// What the other table's rows lead to.
    pub key: ColumnName,
    /// The other table.
    pub from: TableName,
    /// Its column that leads there.
    pub leads: ColumnName,
    /// Its column with what is added.
    pub amount: ColumnName,
    /// Which rows of it; joined by AND.
    pub filter: Vec<Predicate>,
}

impl Write {
    /// The table that it changes.
    #[must_use]
    pub fn table(&self) -> &TableName {
        match self {
            Self::Insert { table, .. } | Self::Update { table, .. } | Self::Delete { table, .. } => table,
            Self::Add(add) => &add.table,
        }
    }

    /// Which rows it is about, and the table whose columns say so.
    #[must_use]
    pub fn filter(&self) -> (&TableName, &[Predicate]) {
        match self {
            Self::Insert { table, .. } => (table, &[]),
            Self::Update { table, filter, .. } | Self::Delete { table, filter } => (table, filter),
            Self::Add(add) => (&add.from, &add.filter),
        }
    }
}

/// What a column becomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assigned {
    /// This value.
    Value(Value),
    /// This value where there is one, else what it was.
    Known(Value),
    /// What it was, plus this.
    Plus(i64),
    /// What it was, less this.
    Less(Value),
    /// The field of a record of changes, where it was given; else what it was.
    IfGiven(SlotName, FieldName),
}

/// What an insert does when a unique value is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It fails with the problem `conflict`.
    Fail,
    /// The row that is there stays; the outcome says so.
    Keep {
        /// The unique columns meant.
        unique: Vec<ColumnName>,
    },
    /// The row that is there takes over these columns.
    Replace {
        /// The unique columns meant.
        unique: Vec<ColumnName>,
        /// The columns taken over.
        columns: Vec<ColumnName>,
    },
}
