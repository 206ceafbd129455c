//! What must change in a table so that it is as wanted: typed changes come in, each engine turns them into statements, each with
//! the stage of a migration it belongs to. What is there is described in the server's own words; nothing is parsed.

use crate::{mongodb, mysql, postgresql, sqlite};
use plan::database::{
    ColumnDefault, ColumnPresent, ForeignKey, Index, ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule,
    ObservedTable, Statement, Table,
};
use vocab::{ColumnName, Engine, FieldType, TableName};

/// What `store` shows behind the columns of an index, or of a key, that the server has not finished: an index of which the making
/// was stopped, a key that rows were not held against.
pub const UNFINISHED: &str = "UNFINISHED";

/// A table that is there, and what must change in it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableChange<'a> {
    /// As it is wanted.
    pub wanted: &'a Table,
    /// As it is, under the names it will have.
    pub found: ObservedTable,
    /// As the plan that is active has it, under the names it will have.
    pub known: Option<Table>,
    /// Whether it may hold rows.
    pub rows: Rows,
    /// The name it has had until now, where that is another one.
    pub renamed_from: Option<TableName>,
    /// Triggers that name it, or a column that is called otherwise, as they are: they go before the names change.
    pub old_triggers: Vec<ObservedRule>,
    /// The columns that are called otherwise until now: the old name, the new one.
    pub renamed_columns: Vec<(ColumnName, ColumnName)>,
    /// What must change, in no order that means anything.
    pub changes: Vec<Change>,
}

impl TableChange<'_> {
    /// What is there once its names have changed.
    pub(crate) fn renamed(&self) -> ColumnPresent {
        let column = match (&self.renamed_from, self.renamed_columns.first()) {
            (None, Some((_, new))) => new,
            (_, _) => &self.wanted.primary_key[0],
        };
        ColumnPresent { table: self.wanted.name.clone(), column: column.clone() }
    }
}

/// Whether a table may hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// It holds none.
    None,
    /// It may hold some.
    Perhaps,
}

/// One change of a table. What was there is given where it can be, so that it can be brought back.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A column of the wanted table is added.
    AddColumn(ColumnName),
    /// A column that is there becomes as wanted.
    AlterColumn(ColumnName),
    /// A column goes, and what it holds; absent where it is gone already.
    DropColumn {
        /// Its name.
        name: String,
        /// Whether it is there.
        was: Option<ObservedColumn>,
    },
    /// A set of columns becomes unique.
    AddUnique(Vec<ColumnName>),
    /// A set of columns need no longer be.
    DropUnique {
        /// The columns.
        columns: Vec<String>,
        /// Whether it is there.
        is_there: bool,
    },
    /// A key to another table is added, in the place of one that differs.
    AddKey {
        /// The key.
        key: ForeignKey,
        /// The one in its place.
        was: Option<ObservedForeignKey>,
    },
    /// A key goes.
    DropKey {
        /// As it is or was planned.
        key: ObservedForeignKey,
        /// Whether it is there.
        is_there: bool,
    },
    /// A check is added, in the place of one that differs.
    AddCheck {
        /// As the catalogue will show it.
        check: ObservedRule,
        /// The one in its place.
        was: Option<ObservedRule>,
    },
    /// A check goes.
    DropCheck {
        /// As it is or was planned.
        check: ObservedRule,
        /// Whether it is there.
        is_there: bool,
    },
    /// An index is added, in the place of one that differs.
    AddIndex {
        /// The index.
        index: Index,
        /// The one in its place.
        was: Option<ObservedIndex>,
    },
    /// An index goes.
    DropIndex {
        /// As it is or was planned.
        index: ObservedIndex,
        /// Whether it is there.
        is_there: bool,
    },
    /// A trigger is made, in the place of one that differs.
    SetTrigger {
        /// Its name.
        name: String,
        /// The one in its place.
        was: Option<ObservedRule>,
    },
    /// A trigger goes.
    DropTrigger {
        /// As it is or was planned.
        trigger: ObservedRule,
        /// Whether it is there.
        is_there: bool,
    },
    /// The table says something else about itself.
    SetComment {
        /// What it says now.
        was: Option<String>,
    },
}

/// The part of a migration that a statement belongs to, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Names change.
    Rename,
    /// What would be in the way goes: rules, keys, indexes.
    Loosen,
    /// New tables.
    Create,
    /// Columns are added and changed.
    Alter,
    /// Rules come.
    Tighten,
    /// What takes as long as a table is large, and what follows it: one by one, so that nobody waits long.
    Patient,
    /// What is lost for good, last.
    Drop,
}

/// A statement with its place in a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// Where it belongs.
    pub stage: Stage,
    /// The statement.
    pub statement: Statement,
}

/// The statements of the changes, those of one stage in an order in which they can run.
#[must_use]
pub fn change_table(engine: Engine, change: &TableChange<'_>) -> Vec<Staged> {
    match engine {
        Engine::Sqlite => sqlite::change::change_table(change),
        Engine::PostgreSql => postgresql::change::change_table(change),
        Engine::MySql => mysql::change::change_table(change),
        Engine::MongoDb => mongodb::change::change_table(change),
    }
}

/// Whether the engine makes the table anew for the changes: then what somebody else has put onto it would be lost.
#[must_use]
pub fn makes_anew(engine: Engine, change: &TableChange<'_>) -> bool {
    match engine {
        Engine::Sqlite => sqlite::change::makes_anew(change),
        Engine::PostgreSql | Engine::MySql | Engine::MongoDb => false,
    }
}

/// Whether the engine gives a column that is there this name: SQLite does not give one of those that it has for a row's own number.
#[must_use]
pub fn renames_to(engine: Engine, column: &ColumnName) -> bool {
    match engine {
        Engine::Sqlite => !["oid", "rowid", "_rowid_"].contains(&column.as_str()),
        Engine::PostgreSql | Engine::MySql => true,
        // The key of a document is called `_id` whatever its column is called.
        Engine::MongoDb => true,
    }
}

/// The statement that drops tables, which may lead to each other.
#[must_use]
pub fn drop_tables(engine: Engine, tables: &[&str]) -> Statement {
    match engine {
        Engine::Sqlite => sqlite::change::drop_tables(tables),
        Engine::PostgreSql => postgresql::change::drop_tables(tables),
        Engine::MySql => mysql::change::drop_tables(tables),
        Engine::MongoDb => mongodb::change::drop_tables(tables),
    }
}

/// How a column's values become those of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// They are the same.
    Same,
    /// They are kept, or the statement is refused.
    Keeps,
    /// Something of them is lost, in words.
    Loses(&'static str),
    /// There is no way.
    Impossible,
}

/// How values of one type become values of another.
#[must_use]
pub fn conversion(from: &FieldType, to: &FieldType) -> Conversion {
    use Conversion::{Impossible, Keeps, Loses, Same};
    match (Kind::of(from), Kind::of(to)) {
        (before, after) if before == after => Same,
        (Kind::Decimal(before), Kind::Decimal(after)) if before > after => Loses("digits behind the point"),
        (Kind::Decimal(_), Kind::Integer) => Loses("digits behind the point"),
        (Kind::Timestamp, Kind::Date) => Loses("the time of day"),
        (Kind::Decimal(_), Kind::Decimal(_)) | (Kind::Integer, Kind::Decimal(_)) | (Kind::Date, Kind::Timestamp) => {
            Keeps
        }
        (_, Kind::Text) => Keeps,
        (Kind::Text, Kind::Integer | Kind::Uuid) => Keeps,
        (Kind::Boolean, Kind::Integer) => Keeps,
        (_, _) => Impossible,
    }
}

/// Types as far as values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Decimal(u8),
    Boolean,
    Date,
    Timestamp,
    Uuid,
    Json,
}

impl Kind {
    fn of(field_type: &FieldType) -> Self {
        match field_type {
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. } => Self::Text,
            FieldType::Integer => Self::Integer,
            FieldType::Decimal { scale } => Self::Decimal(*scale),
            FieldType::Boolean => Self::Boolean,
            FieldType::Date => Self::Date,
            FieldType::Timestamp => Self::Timestamp,
            FieldType::Uuid => Self::Uuid,
            FieldType::Json => Self::Json,
        }
    }
}

/// Whether rows that are there can be given a value for a new column.
#[must_use]
pub fn is_volatile(default: Option<&ColumnDefault>) -> bool {
    match default {
        Some(ColumnDefault::Now | ColumnDefault::NewId | ColumnDefault::Counted) => true,
        Some(ColumnDefault::Value(_)) | None => false,
    }
}
