//! `points.yaml`: what a provider does when something happens in the API. Plain data.

use crate::entries::Entries;
use crate::kind::{Kind, Privacy};
use crate::operation::Input;
use crate::template::{Template, Text};
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What is done at which point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// What is kept from one time to the next, as `remembered.NAME`.
    #[serde(default)]
    pub remembers: Entries<FieldName, Remembered>,
    /// The points.
    pub points: Entries<EventName, Point>,
}

/// Something that is kept from one time to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The field of the event that says of whom or of what: it stands in `takes` of every point that uses it.
    pub of: FieldName,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
}

/// What is done at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Nothing; why.
    Nothing(String),
    /// Operations are called.
    Calls(Calls),
    /// A page in a browser tells it, as `browser.yaml` says.
    InBrowser(String),
}

/// Operations that are called at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// What is needed of the event.
    pub takes: Entries<FieldName, Input>,
    /// Events with the same text are delivered one after the other.
    #[serde(default)]
    pub in_order_of: Option<Text>,
    /// The calls, one after the other.
    pub steps: Vec<Call>,
    /// What whoever made the request is answered; then it waits for the calls.
    #[serde(default)]
    pub gives: Entries<FieldName, Given>,
}

/// A call of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The operation.
    pub operation: FieldName,
    /// What later steps call it, where it is not the operation's name.
    #[serde(default)]
    pub name: Option<FieldName>,
    /// It is left out where this has a value.
    #[serde(default)]
    pub unless: Option<Text>,
    /// It is left out where this has none.
    #[serde(default)]
    pub only_if: Option<Text>,
    /// What the operation is given.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
    /// What is kept of its answer.
    #[serde(default)]
    pub remember: Entries<FieldName, Text>,
}

impl Call {
    /// What later steps call it.
    #[must_use]
    pub fn step(&self) -> &FieldName {
        self.name.as_ref().unwrap_or(&self.operation)
    }
}

/// A value that somebody is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The value.
    pub value: Text,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// One sentence for whoever gets it.
    #[serde(default)]
    pub about: Option<String>,
}
