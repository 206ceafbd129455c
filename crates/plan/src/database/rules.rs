//! What a database itself holds its rows to: keys to other tables, checks, indexes, times that it keeps. Typed, never a piece
//! of SQL, so that every engine says it in its own words and reads it back.

use super::Table;
use serde::{Deserialize, Serialize};
use vocab::{ColumnName, Comparator, ConstraintName, Datum, IndexName, TableName};

/// The rules of a table besides its keys. The default has none: whoever writes the rows keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Columns whose values name rows of other tables.
    pub foreign_keys: Vec<ForeignKey>,
    /// What the values of columns must be.
    pub checks: Vec<Check>,
    /// Indexes besides those of the keys.
    pub indexes: Vec<Index>,
    /// Times that no two rows may share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<NoOverlap>,
    /// Documents that each row holds, where the engine keeps documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embedded: Vec<Embedded>,
    /// Who keeps `updated_at` and `row_version`.
    pub times: Times,
}

/// Rows of another table, kept inside of the row that they belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedded {
    /// What they are called there.
    pub field: ColumnName,
    /// What each of them is.
    pub table: Table,
    /// The column of it that would lead to the row that holds it.
    pub by: ColumnName,
    /// Why they are there.
    pub why: String,
}

impl Embedded {
    /// Whether a row holds at most one.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.table.unique.contains(&vec![self.by.clone()])
    }
}

/// No two rows that agree in some columns may share any time: a room is booked once. The end of one may be the beginning of
/// the other. A row without a value in one of the columns shares no time with any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoOverlap {
    /// The constraint's name.
    pub name: ConstraintName,
    /// What is taken; where it is nothing, all rows take the same.
    pub within: Vec<ColumnName>,
    /// From when, included.
    pub from: ColumnName,
    /// Until when, not included; of the same type.
    pub until: ColumnName,
    /// What lets a row take nothing, although it has a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Released>,
}

/// Words of a column that let a row take nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The column.
    pub column: ColumnName,
    /// Its words.
    pub words: Vec<String>,
}

impl NoOverlap {
    /// Every column that it looks at.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        let released = self.unless.iter().map(|released| &released.column);
        self.within.iter().chain([&self.from, &self.until]).chain(released)
    }

    /// The same where a column has another name.
    pub fn rename(&mut self, from: &ColumnName, to: &ColumnName) {
        let released = self.unless.iter_mut().map(|released| &mut released.column);
        let columns = self.within.iter_mut().chain([&mut self.from, &mut self.until]).chain(released);
        for column in columns.filter(|column| *column == from) {
            *column = to.clone();
        }
    }
}

/// Columns whose values name a row of another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: ConstraintName,
    /// The columns here.
    pub columns: Vec<ColumnName>,
    /// The other table.
    pub table: TableName,
    /// Its columns, in the same order; unique there.
    pub target: Vec<ColumnName>,
    /// What happens when the other row goes.
    pub on_delete: OnDelete,
    /// Why that happens.
    pub why: String,
}

/// What happens to a row when the row it belongs to goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// It goes too.
    Cascade,
    /// It keeps the other from going.
    Restrict,
    /// It stays, and belongs to none.
    SetNull,
}

impl OnDelete {
    /// The word of tasks and plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cascade => "cascade",
            Self::Restrict => "restrict",
            Self::SetNull => "set_null",
        }
    }
}

/// What the values of a column must be; a column without a value passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The constraint's name.
    pub name: ConstraintName,
    /// The column.
    pub column: ColumnName,
    /// The rule.
    pub rule: CheckRule,
}

impl Check {
    /// The columns that it looks at: its own, and the one that it compares that with.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        let other = match &self.rule {
            CheckRule::Against { other, .. } => Some(other),
            CheckRule::Range { .. }
            | CheckRule::OneOf(_)
            | CheckRule::Length { .. }
            | CheckRule::Capitals { .. }
            | CheckRule::NotBlank => None,
        };
        std::iter::once(&self.column).chain(other)
    }

    /// The same where a column has another name.
    pub fn rename(&mut self, from: &ColumnName, to: &ColumnName) {
        let other = match &mut self.rule {
            CheckRule::Against { other, .. } => Some(other),
            CheckRule::Range { .. }
            | CheckRule::OneOf(_)
            | CheckRule::Length { .. }
            | CheckRule::Capitals { .. }
            | CheckRule::NotBlank => None,
        };
        for column in std::iter::once(&mut self.column).chain(other).filter(|column| *column == from) {
            *column = to.clone();
        }
    }
}

/// A rule for the values of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckRule {
    /// A number within bounds, both included; at least one is there.
    Range {
        /// The least.
        minimum: Option<Datum>,
        /// The greatest.
        maximum: Option<Datum>,
    },
    /// One of these words.
    OneOf(Vec<String>),
    /// A text of so many characters at most.
    Length {
        /// Unicode code points.
        at_most: u32,
    },
    /// So many capitals from A to Z.
    Capitals {
        /// How many.
        letters: u8,
    },
    /// A text that is more than spaces.
    NotBlank,
    /// A value that stands so to that of another column in the same row; a row without one of the two passes.
    Against {
        /// How it stands.
        comparator: Comparator,
        /// The other column; both are of one type.
        other: ColumnName,
    },
}

impl CheckRule {
    /// Whether a value keeps the rule, as far as the value alone tells.
    #[must_use]
    pub fn passes(&self, value: &Datum) -> bool {
        match (self, value) {
            (Self::Range { minimum, maximum }, value) => {
                let number = units(value);
                minimum.as_ref().is_none_or(|least| number >= units(least))
                    && maximum.as_ref().is_none_or(|most| number <= units(most))
            }
            (Self::OneOf(words), Datum::Text(text)) => words.contains(text),
            (Self::Length { at_most }, Datum::Text(text)) => {
                u32::try_from(text.chars().count()).is_ok_and(|length| length <= *at_most)
            }
            (Self::Capitals { letters }, Datum::Text(text)) => {
                text.len() == usize::from(*letters) && text.bytes().all(|letter| letter.is_ascii_uppercase())
            }
            (Self::NotBlank, Datum::Text(text)) => !text.trim_matches(' ').is_empty(),
            (
                Self::OneOf(_) | Self::Length { .. } | Self::Capitals { .. } | Self::NotBlank | Self::Against { .. },
                _,
            ) => true,
        }
    }
}

/// A number in units of its last digit: numbers of one column have one scale.
fn units(value: &Datum) -> Option<i64> {
    match value {
        Datum::Integer(number) => Some(*number),
        Datum::Decimal(number) => Some(number.units()),
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::Json(_) => None,
    }
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name, unique in the database.
    pub name: IndexName,
    /// Its columns, in order.
    pub columns: Vec<ColumnName>,
    /// Whether no two rows may agree in all of them.
    pub uniqueness: Uniqueness,
    /// What it compares of them.
    #[serde(default, skip_serializing_if = "Compared::is_values")]
    pub compared: Compared,
    /// What it is good for.
    pub why: String,
}

/// What an index compares of its columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// Their values, as the columns themselves do.
    #[default]
    Values,
    /// The values by which lists are sorted, where the engine would sort the columns otherwise.
    Order,
}

impl Compared {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
    fn is_values(&self) -> bool {
        *self == Self::Values
    }
}

/// Whether no two rows of an index may agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uniqueness {
    /// They may not.
    Unique,
    /// They may.
    Repeating,
}

/// Who keeps `updated_at` and `row_version`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// Whoever writes the row.
    #[default]
    KeptByWriter,
    /// The database, whoever writes: a change that leaves them as they were sets the one and raises the other.
    KeptByDatabase,
}

/// What a row holds that was written without the column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDefault {
    /// This value.
    Value(Datum),
    /// The time or the day on which it was written.
    Now,
    /// A new UUID of version 7.
    NewId,
    /// The next whole number; the database counts.
    Counted,
}
