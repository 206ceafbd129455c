//! The intermediate representation: everything that will happen, as plain data that can be persisted.
//! The planner writes it; emit, apply and serve only carry it out and never look further left.

pub mod accounts;
pub mod api;
pub mod check;
pub mod database;
pub mod decision;
pub mod http_case;
pub mod mail;
pub mod persisted;
pub mod print;
pub mod problem;
pub mod procedure;
pub mod query;
pub mod scope;
pub mod service;
pub mod shape;
pub mod system;
pub mod uses;
pub mod value;

pub use api::{ApiPlan, Cache, Endpoint, EventDeclaration, RateLimitPolicy, Seed};
pub use database::{Base, DatabasePlan, Migration, Observed, Statement, Table};
pub use decision::{Decision, Phase};
pub use http_case::HttpCase;
pub use mail::Mail;
pub use persisted::PersistedPlan;
pub use problem::Problem;
pub use procedure::{Item, Outcome, Procedure, Step, Trigger};
pub use query::{Query, Write};
pub use scope::{Access, Scope};
pub use service::ServicePlan;
pub use shape::{Entries, Shape, ShapeField};
pub use value::Value;

use serde::{Deserialize, Serialize};
use vocab::TaskId;

/// What one task comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TaskPlan {
    /// Of `setup_api`.
    Api(Box<Plan>),
    /// Of `configure_database`.
    Database(Box<DatabaseTaskPlan>),
}

impl TaskPlan {
    /// The task this is the plan of.
    #[must_use]
    pub fn task_id(&self) -> &TaskId {
        match self {
            Self::Api(plan) => &plan.task_id,
            Self::Database(plan) => &plan.task_id,
        }
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &DatabasePlan {
        match self {
            Self::Api(plan) => &plan.database,
            Self::Database(plan) => &plan.database,
        }
    }

    /// What was decided and why.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        match self {
            Self::Api(plan) => &plan.decisions,
            Self::Database(plan) => &plan.decisions,
        }
    }

    /// The API alone, where the task has one.
    #[must_use]
    pub fn into_api(self) -> Option<Plan> {
        match self {
            Self::Api(plan) => Some(*plan),
            Self::Database(_) => None,
        }
    }

    /// The service that the task integrates, where it integrates one.
    #[must_use]
    pub fn service(&self) -> Option<&ServicePlan> {
        self.api()?.service.as_ref()
    }

    /// The migrations that make the database, with the task that each belongs to, in the order in which they are applied.
    #[must_use]
    pub fn migrations(&self) -> Vec<(&TaskId, &[Migration])> {
        match self {
            Self::Api(plan) => plan.migrations().collect(),
            Self::Database(plan) => vec![(&plan.task_id, &plan.database.migrations[..])],
        }
    }

    /// The API, where the task has one.
    #[must_use]
    pub fn api(&self) -> Option<&Plan> {
        match self {
            Self::Api(plan) => Some(plan),
            Self::Database(_) => None,
        }
    }
}

/// A database without an API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseTaskPlan {
    /// The task this is the plan of.
    pub task_id: TaskId,
    /// What the database is for, in the word of the task.
    pub environment: String,
    /// The database.
    pub database: DatabasePlan,
    /// Who may do what in it.
    #[serde(default)]
    pub permissions: database::permission::Permissions,
    /// What was decided and why, in the order of the phases.
    pub decisions: Vec<Decision>,
}

impl Plan {
    /// Whether what happens can be brought to services from its database.
    #[must_use]
    pub fn has_deliveries(&self) -> bool {
        let deliveries = system::deliveries().name;
        self.database.tables.iter().any(|table| table.name == deliveries)
    }

    /// What becomes of the calls of a provider.
    #[must_use]
    pub fn intake(&self) -> Option<&service::Intake> {
        self.service.as_ref()?.intake.as_ref()
    }

    /// The migrations that make the database, with the task that each belongs to, in the order in which they are applied.
    pub fn migrations(&self) -> impl Iterator<Item = (&TaskId, &[Migration])> {
        let base = self.base.iter().map(|base| (&base.task_id, &base.database.migrations[..]));
        base.chain([(&self.task_id, &self.database.migrations[..])])
    }
}

/// An API with the database it stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The task this is the plan of.
    pub task_id: TaskId,
    /// The API to serve.
    pub api: ApiPlan,
    /// The database it stands on, with the tables that it works on.
    pub database: DatabasePlan,
    /// The task that made the database; none where it is the workspace's own. Its migrations come before those of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The service that the task integrates; none where the task sets an API up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServicePlan>,
    /// What was decided and why, in the order of the phases.
    pub decisions: Vec<Decision>,
    /// Requests that prove the API, sent to it over a scratch database that is empty but for the seed.
    pub cases: Vec<HttpCase>,
    /// What is there before each of them.
    #[serde(default, skip_serializing_if = "Seed::is_empty")]
    pub seed: Seed,
}

#[cfg(test)]
mod tests;
