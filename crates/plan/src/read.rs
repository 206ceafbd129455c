//! A plan as it is read: its fields come in one after the other, an API or a database alone goes out. What kind it is stands in none of
//! them first, and to keep all of a large plan until that is known takes several times the plan.

use crate::api::{ApiPlan, Seed};
use crate::database::{Backup, Base, permission::Permissions};
use crate::{DatabasePlan, DatabaseTaskPlan, Decision, HttpCase, Plan, ServicePlan, TaskPlan};
use serde::Deserialize;
use vocab::TaskId;

/// The fields of both kinds.
#[derive(Deserialize)]
pub struct Fields {
    task_id: TaskId,
    database: DatabasePlan,
    decisions: Vec<Decision>,
    api: Option<ApiPlan>,
    base: Option<Base>,
    service: Option<ServicePlan>,
    cases: Option<Vec<HttpCase>>,
    #[serde(default)]
    seed: Seed,
    environment: Option<String>,
    #[serde(default)]
    permissions: Permissions,
    backup: Option<Backup>,
}

impl TryFrom<Fields> for TaskPlan {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, &'static str> {
        let Fields { task_id, database, decisions, api, base, service, cases, seed, environment, permissions, backup } =
            fields;
        match (api, cases, environment) {
            (Some(api), Some(cases), _) => {
                Ok(Self::Api(Box::new(Plan { task_id, api, database, base, service, decisions, cases, seed })))
            }
            (_, _, Some(environment)) => Ok(Self::Database(Box::new(DatabaseTaskPlan {
                task_id,
                environment,
                database,
                permissions,
                backup,
                decisions,
            }))),
            (_, _, None) => Err("it is neither that of an API nor that of a database"),
        }
    }
}
