//! The intermediate representation: everything that will happen, as plain data that can be persisted.
//! The planner writes it; emit, apply and serve only carry it out and never look further left.

pub mod accounts;
mod ahead;
pub mod alerts;
pub mod api;
pub mod check;
pub mod database;
pub mod decision;
pub mod hearing;
pub mod http_case;
pub mod mail;
pub mod persisted;
pub mod print;
pub mod problem;
pub mod procedure;
pub mod query;
pub mod question;
mod read;
pub mod scope;
pub mod service;
pub mod service_case;
pub mod shape;
pub mod subscribers;
pub mod system;
pub mod trouble;
pub mod uses;
pub mod value;

pub use ahead::Ahead;
pub use api::{ApiPlan, Cache, Endpoint, EventDeclaration, RateLimitPolicy, Seed};
pub use database::{Base, DatabasePlan, Migration, Observed, Statement, Table};
pub use decision::{Decision, Phase};
pub use hearing::Hearing;
pub use http_case::HttpCase;
pub use mail::Mail;
pub use persisted::PersistedPlan;
pub use problem::Problem;
pub use procedure::{Item, Outcome, Procedure, Step, Trigger};
pub use query::{Query, Write};
pub use scope::{Access, Scope};
pub use service::{ReturnPage, ServicePlan};
pub use shape::{Entries, Shape, ShapeField};
pub use subscribers::Subscribers;
pub use value::Value;

use serde::{Deserialize, Serialize};
use vocab::{EventName, TaskId};

/// What an API of the workspace answers instead of a service that would bring it: whoever waits for the event waits there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenOver {
    /// The event that the service answers.
    pub event: EventName,
    /// The task of the API.
    pub by: TaskId,
    /// Where it tells how something stands, up to the key, if this is the endpoint that does.
    pub told_below: Option<String>,
}

/// Takes away the endpoints of a service that others answer, and has its pages ask those.
pub fn give_way(endpoints: &mut Vec<Endpoint>, pages: &mut [ReturnPage], taken: &[TakenOver]) {
    let is_taken = |endpoint: &Endpoint| {
        let event = endpoint.awaits().map(|(event, _)| event.clone());
        event.filter(|event| taken.iter().any(|taken| taken.event == *event))
    };
    for endpoint in endpoints.iter() {
        let asked = endpoint.route().and_then(|(_, path)| path.strip_suffix("{id}"));
        let (Some(asked), Some(event)) = (asked, is_taken(endpoint)) else { continue };
        let mut told = taken.iter().filter(|taken| taken.event == event).filter_map(|taken| taken.told_below.clone());
        let Some(below) = told.next() else { continue };
        let asks = pages.iter_mut().flat_map(|page| &mut page.asks);
        asks.filter(|(_, path)| path == asked).for_each(|(_, path)| path.clone_from(&below));
    }
    endpoints.retain(|endpoint| is_taken(endpoint).is_none());
}

/// What one task comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "read::Fields")]
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
    /// How copies of it are made; none where nobody has asked for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<database::Backup>,
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

    /// Whether its database keeps tokens of a provider.
    #[must_use]
    pub fn keeps_tokens(&self) -> bool {
        let tokens = system::kept_tokens().name;
        self.service.is_some() && self.database.tables.iter().any(|table| table.name == tokens)
    }

    /// Whether its servers share [`accounts::SECRET`].
    #[must_use]
    pub fn shares_secret(&self) -> bool {
        self.keeps_tokens() || self.api.shares_secret()
    }

    /// Whether its database says to whom no mail goes: one of a plan that an earlier version made may not.
    #[must_use]
    pub fn has_suppressions(&self) -> bool {
        let suppressions = system::mail_suppressions().name;
        self.database.tables.iter().any(|table| table.name == suppressions)
    }

    /// Who is told how its integration stands.
    #[must_use]
    pub fn alerts(&self) -> Option<&alerts::Alerts> {
        self.service.as_ref()?.alerts.as_ref()
    }

    /// What becomes of the calls of a provider.
    #[must_use]
    pub fn intake(&self) -> Option<&service::Intake> {
        self.service.as_ref()?.intake.as_ref()
    }

    /// Records of a provider that come into its tables.
    #[must_use]
    pub fn syncs(&self) -> &[service::SyncPlan] {
        self.service.as_ref().map_or(&[], |service| &service.syncs)
    }

    /// What APIs of the workspace answer themselves, of all that could be brought by the service of that task.
    #[must_use]
    pub fn taken_over<'p>(apis: impl Iterator<Item = &'p Self>, from: &TaskId) -> Vec<TakenOver> {
        let endpoints = apis.flat_map(|plan| plan.api.endpoints.iter().map(move |endpoint| (&plan.task_id, endpoint)));
        let taken = endpoints.filter(|(task_id, _)| *task_id != from).filter_map(|(task_id, endpoint)| {
            let (event, _) = endpoint.awaits().filter(|(_, by)| *by == from)?;
            let (method, path) = endpoint.route()?;
            let told_below = path.strip_suffix("{id}").filter(|_| method == "GET").map(str::to_owned);
            Some(TakenOver { event: event.clone(), by: task_id.clone(), told_below })
        });
        taken.collect()
    }

    /// Leaves to others what they answer instead of the service of this plan, and has its pages ask them.
    pub fn give_way(&mut self, taken: &[TakenOver]) {
        if let Some(service) = &mut self.service {
            give_way(&mut self.api.endpoints, &mut service.returns, taken);
        }
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
