//! Events: something that happened, and what it also counts as.

use serde::Deserialize;
use vocab::{EntityName, EventName, FieldName, SuppressionReason};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its name.
    pub event: EventName,
    /// The more general events next above it.
    #[serde(default)]
    pub also: Vec<EventName>,
    /// What people call the point of an integration at which it happens.
    #[serde(default)]
    pub spelled: Vec<EventName>,
    /// The endpoint that tells of it, where nobody has another: `POST /api/contact`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Points that come along where somebody asks for this one.
    #[serde(default)]
    pub with: Vec<EventName>,
    /// What it makes of a record, where the database has such records.
    #[serde(default)]
    pub changes: Option<Change>,
    /// Why no mail goes any more to the address in its field `email`.
    #[serde(default)]
    pub suppresses: Option<SuppressionReason>,
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
    /// What it can have been besides, where the event is later than what is known.
    #[serde(default)]
    pub from_before: Vec<String>,
    /// What it becomes.
    pub to: String,
    /// The field that keeps as of when it is known: where the record has it, an event that is older than that changes nothing.
    #[serde(default)]
    pub as_of: Option<FieldName>,
    /// Fields of the event that the record takes over, where the event says them and the record has them.
    #[serde(default)]
    pub takes: Vec<FieldName>,
    /// From which of `from` what the lines of the record had taken is there again, where the database counts it.
    #[serde(default)]
    pub puts_back_from: Vec<String>,
}
