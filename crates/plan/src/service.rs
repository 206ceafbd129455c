//! A service that is integrated: the provider's manifest as far as the task uses it, copied in, and where each value of the account
//! comes from. What delivers, listens, checks and documents carries this out and looks no further left.

use manifest::Manifest;
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName, TaskId};

/// What one task of `integrate_service` comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The task this is the plan of.
    pub task_id: TaskId,
    /// Which system of the provider is meant.
    pub system: System,
    /// Credentials and settings, and where each comes from.
    pub account: Vec<AccountValue>,
    /// Settings that the provider needs and nobody has given.
    pub unanswered: Vec<FieldName>,
    /// What the task asks for, and the point of the manifest that answers it.
    pub points: Vec<ServicePoint>,
    /// The provider, with the operations, points and objects that the task uses and no others.
    pub manifest: Manifest,
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

/// A point that a task asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePoint {
    /// The event, as the task names it.
    pub event: EventName,
    /// The point of the manifest that answers it: the event itself, else a more general one. None where the manifest has neither.
    pub answered_by: Option<EventName>,
}
