//! The intermediate representation: everything that will happen, as plain data that can be persisted.
//! The planner writes it; emit, apply and serve only carry it out and never look further left.

pub mod api;
pub mod check;
pub mod database;
pub mod decision;
pub mod http_case;
pub mod persisted;
pub mod print;
pub mod problem;
pub mod procedure;
pub mod query;
pub mod scope;
pub mod shape;
pub mod system;
pub mod value;

pub use api::{ApiPlan, Cache, Endpoint, EventDeclaration, RateLimitPolicy};
pub use database::{DatabasePlan, Migration, Observed, Statement, Table};
pub use decision::{Decision, Phase};
pub use http_case::HttpCase;
pub use persisted::PersistedPlan;
pub use problem::Problem;
pub use procedure::{Item, Outcome, Procedure, Step, Trigger};
pub use query::{Query, Write};
pub use scope::{Access, Scope};
pub use shape::{Shape, ShapeField};
pub use value::Value;

use serde::{Deserialize, Serialize};
use vocab::TaskId;

/// What one task comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The task this is the plan of.
    pub task_id: TaskId,
    /// The API to serve.
    pub api: ApiPlan,
    /// The database it stands on.
    pub database: DatabasePlan,
    /// What was decided and why, in the order of the phases.
    pub decisions: Vec<Decision>,
    /// Requests that prove the API, sent to it over an empty scratch database.
    pub cases: Vec<HttpCase>,
}

#[cfg(test)]
mod tests;
