//! Relations: which rows belong to which, and what becomes of them when the other row goes.

use serde::Deserialize;
use vocab::{ColumnName, EntityName};

/// All that is known of how entities belong together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relations {
    /// One to many, or one to one.
    pub belongs: Vec<Belonging>,
    /// Many to many.
    pub links: Vec<Link>,
    /// Many to many with whatever they stand beside, where no line above speaks of the two.
    pub shared: Shared,
}

/// Things of which a row may have several, and each of which is for many rows: tags.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// What they are called, one of them.
    pub words: Vec<String>,
    /// Why, as a sentence without its full stop.
    pub because: String,
}

/// Rows of one entity that each belong to one row of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belonging {
    /// The entity of which there is one.
    pub one: EntityName,
    /// The entity whose rows belong to it.
    pub many: EntityName,
    /// The column that names the one; absent: after the one's table.
    #[serde(default)]
    pub column: Option<ColumnName>,
    /// Whether each must belong to one.
    pub ownership: Ownership,
    /// How many belong to one.
    #[serde(default)]
    pub count: Count,
    /// What becomes of it when the one goes.
    pub on_delete: OnDelete,
    /// Why, as a sentence without its full stop.
    pub because: String,
}

/// Rows of two entities that are linked by rows of a third.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The one whose rows the links are part of.
    pub whole: EntityName,
    /// The other.
    pub part: EntityName,
    /// The entity of a link, which may have fields of its own; absent: nothing is known of a link but its ends.
    #[serde(default)]
    pub through: Option<EntityName>,
    /// What becomes of the link when the whole goes.
    pub whole_deleted: OnDelete,
    /// What becomes of the link when the part goes.
    pub part_deleted: OnDelete,
    /// Why, as a sentence without its full stop.
    pub because: String,
}

/// Whether a row must belong to one of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// It must.
    Required,
    /// It may belong to none.
    Optional,
    /// It must where there is only one thing in the database that it can belong to.
    Alone,
}

/// How many rows may belong to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Any number.
    #[default]
    Many,
    /// At most one.
    One,
}

/// What becomes of a row when the row it belongs to goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// It goes too.
    Cascade,
    /// It keeps the other from going.
    Restrict,
    /// It stays, and belongs to none.
    SetNull,
}
