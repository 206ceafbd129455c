//! A service that is integrated: the provider's manifest as far as the task uses it, copied in, and where each value of the account
//! comes from. What delivers, listens, checks and documents carries this out and looks no further left.

use crate::alerts::Alerts;
use crate::database::Schedule;
use crate::procedure::Procedure;
use crate::shape::Shape;
use manifest::Manifest;
use manifest::kind::Kind;
use manifest::point::{Calls, Point};
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName, FieldType, TableName, TaskId};

/// What one task of `integrate_service` comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The task this is the plan of.
    pub task_id: TaskId,
    /// Which system of the provider is meant.
    pub system: System,
    /// How urgent what it is told is among what others are told.
    #[serde(default)]
    pub priority: Priority,
    /// Credentials and settings, and where each comes from.
    pub account: Vec<AccountValue>,
    /// Settings that the provider needs and nobody has given.
    pub unanswered: Vec<FieldName>,
    /// What the task asks for, and the point of the manifest that answers it.
    pub points: Vec<ServicePoint>,
    /// Every event that the provider is told of, also those that are asked for by a more general name, and the point of the manifest that
    /// answers it.
    #[serde(default)]
    pub listens: Vec<(EventName, EventName)>,
    /// The pages of ours to which the provider sends people back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<ReturnPage>,
    /// What becomes of the provider's calls; none where it makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intake: Option<Intake>,
    /// Records of the provider that come into tables of ours again and again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syncs: Vec<SyncPlan>,
    /// Who is told when it fails; nobody where the task names nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Alerts>,
    /// The provider, with the operations, points and objects that the task uses and no others.
    pub manifest: Manifest,
}

/// A page of ours to which a provider sends somebody back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnPage {
    /// Where it is.
    pub path: String,
    /// Whether who comes there has paid, as far as he says.
    pub is_paid: bool,
    /// Parameters of its address, each with the path below which the API tells how that stands.
    pub asks: Vec<(FieldName, String)>,
}

impl ReturnPage {
    /// In one word, for the page.
    #[must_use]
    pub fn came(&self) -> &'static str {
        if self.is_paid { "paid" } else { "unpaid" }
    }

    /// What it asks, for the page: `order_id=/api/checkout/`, with a space between.
    #[must_use]
    pub fn asked(&self) -> String {
        self.asks.iter().map(|(name, path)| format!("{name}={path}")).collect::<Vec<_>>().join(" ")
    }
}

impl ServicePlan {
    /// What is called at an event that the task asks for.
    #[must_use]
    pub fn calls_at(&self, event: &EventName) -> Option<&Calls> {
        let point = self.points.iter().find(|point| point.event == *event)?;
        match self.manifest.points.points.get(point.answered_by.as_ref()?.as_str())? {
            Point::Calls(calls) => Some(calls),
            Point::Nothing(_) | Point::InBrowser(_) => None,
        }
    }
}

/// A system of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// The one that counts.
    Live,
    /// The provider's own system for tests.
    Test,
    /// None: the provider is played on this machine.
    Simulated,
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others.
    High,
    /// As most are.
    #[default]
    Normal,
    /// Behind all others.
    Low,
}

/// A value of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountValue {
    /// Its name in the manifest.
    pub name: FieldName,
    /// Where it comes from.
    pub from: ValueSource,
}

/// Where a value of the account comes from. Nothing secret is part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueSource {
    /// The task says it.
    Plain(String),
    /// An environment variable of the producer.
    Environment(String),
    /// An entry of the workspace's secret store.
    Secret(String),
    /// The manifest's own default.
    Default,
}

impl ValueSource {
    /// The name under which somebody gives it; none where nobody has to.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Environment(name) | Self::Secret(name) => Some(name),
            Self::Plain(_) | Self::Default => None,
        }
    }
}

/// A point that a task asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePoint {
    /// The event, as the task names it.
    pub event: EventName,
    /// The point of the manifest that answers it: the event itself, else a more general one. None where the manifest has neither.
    pub answered_by: Option<EventName>,
}

/// Records of a provider that come into a table of ours: which, when, and what becomes of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncPlan {
    /// The entry of `syncs` of the manifest.
    pub name: FieldName,
    /// The table.
    pub table: TableName,
    /// When it is looked what has changed.
    pub pace: Pace,
    /// What is taken of a record, held against this first: what the record of `take` holds behind [`PULLED`].
    pub shape: Shape,
    /// What becomes of a record that is there.
    pub take: Procedure,
    /// What becomes of one that is gone: its record holds [`PULLED`] without the digest.
    pub gone: Procedure,
}

impl SyncPlan {
    /// What can become of a record.
    pub fn all(&self) -> [&Procedure; 2] {
        [&self.take, &self.gone]
    }
}

/// When it is looked what has changed at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// When the provider tells of a change, and each minute.
    RealTime,
    /// At these times.
    At(Schedule),
}

impl Pace {
    /// The next time, both in seconds since 1970.
    #[must_use]
    pub fn next(&self, after: i64) -> i64 {
        match self {
            Self::RealTime => Schedule::Every(1).next(after),
            Self::At(schedule) => schedule.next(after),
        }
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RealTime => formatter.write_str("each minute, and at once where its calls tell of a change"),
            Self::At(schedule) => schedule.fmt(formatter),
        }
    }
}

/// What the record that a provider's record is read into holds before the fields.
#[derive(Debug, Clone, Copy)]
pub struct Pulled {
    /// Which one it is there.
    pub key: &'static str,
    /// When it was changed last there.
    pub changed: &'static str,
    /// SHA-256 of what is taken of it, lower-case hex: the same where nothing of that has changed.
    pub digest: &'static str,
}

/// The names of those fields.
pub const PULLED: Pulled = Pulled { key: "pulled_key", changed: "pulled_changed", digest: "pulled_digest" };

/// What becomes of a provider's calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intake {
    /// Where they arrive.
    pub path: String,
    /// The largest, in bytes.
    pub max_body_bytes: u64,
    /// What becomes of each entry of `webhooks.events` of the manifest, in its order; nothing where it is ignored.
    pub procedures: Vec<Option<Procedure>>,
    /// What becomes of events that nobody has described: they are kept for a person.
    pub aside: Procedure,
}

impl Intake {
    /// Everything that can become of a call.
    pub fn all(&self) -> impl Iterator<Item = &Procedure> {
        self.procedures.iter().flatten().chain([&self.aside])
    }
}

/// What the record that a call is read into holds beside the fields of its event.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// What is the same when it comes again: SHA-256 of the integration and the manifest's key, lower-case hex.
    pub dedup: &'static str,
    /// What the provider calls such an event.
    pub kind: &'static str,
    /// When it happened, where the provider says it.
    pub time: &'static str,
    /// The event as it came.
    pub body: &'static str,
}

/// The names of those fields.
pub const HEARD: Heard = Heard { dedup: "heard_dedup", kind: "heard_kind", time: "heard_time", body: "heard_body" };

impl Heard {
    /// All of them, in the order in which they stand behind the fields of the event.
    #[must_use]
    pub fn all(&self) -> [(&'static str, FieldType); 4] {
        [
            (self.dedup, FieldType::Line { max: 64 }),
            (self.kind, FieldType::Line { max: 200 }),
            (self.time, FieldType::Timestamp),
            (self.body, FieldType::Json),
        ]
    }
}

/// What an event declares of a value of a manifest.
#[must_use]
pub fn field_type(kind: Kind) -> FieldType {
    match kind {
        Kind::Text => FieldType::Text { max: 2000 },
        Kind::Email => FieldType::Email,
        Kind::Phone => FieldType::Phone,
        Kind::Url => FieldType::Url,
        Kind::Uuid => FieldType::Uuid,
        Kind::Currency => FieldType::Code { letters: 3 },
        Kind::Country => FieldType::Code { letters: 2 },
        Kind::Integer => FieldType::Integer,
        Kind::Decimal => FieldType::Decimal { scale: 2 },
        Kind::Boolean => FieldType::Boolean,
        Kind::Date => FieldType::Date,
        Kind::Timestamp => FieldType::Timestamp,
        Kind::List | Kind::Json => FieldType::Json,
    }
}
