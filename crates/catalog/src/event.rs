//! Events: something that happened, and what it also counts as.

use serde::Deserialize;
use vocab::EventName;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its name.
    pub event: EventName,
    /// The more general events next above it.
    #[serde(default)]
    pub also: Vec<EventName>,
}
