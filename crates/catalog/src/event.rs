//! Events: something that happened, and what it also counts as.

use serde::Deserialize;
use vocab::{EntityName, EventName, FieldName};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its name.
    pub event: EventName,
    /// The more general events next above it.
    #[serde(default)]
    pub also: Vec<EventName>,
    /// What it makes of a record, where the database has such records.
    #[serde(default)]
    pub changes: Option<Change>,
}

/// What an event makes of a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The kind of record.
    pub entity: EntityName,
    /// The field of the event that holds its id.
    pub found_by: FieldName,
    /// Only where this field of the event is true.
    #[serde(default)]
    pub only_if: Option<FieldName>,
    /// The field that changes: a choice.
    pub column: FieldName,
    /// What it can have been: an event that comes late undoes nothing.
    pub from: Vec<String>,
    /// What it becomes.
    pub to: String,
}
