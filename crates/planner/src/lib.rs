//! Decides: a checked task, the catalogue and what was observed become a plan, or diagnostics that say why not.
//! Pure: the same input gives the same plan, every decision carries its reason.

mod api;
mod behaviour;
mod body_size;
mod cases;
mod codes;
mod database;
mod entity;
mod intent;
mod overrides;
mod schema;
mod subject;
mod table;

#[cfg(test)]
mod tests;

pub use codes::ALL_CODES;

use catalog::Catalog;
use plan::database::Connection;
use plan::{Decision, Observed, Phase, Plan, TaskPlan};
use spec::{Specification, Task};
use vocab::{Diagnostic, Engine, TaskId};

/// The version of the decisions this crate makes; it stands in every persisted plan.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Plans a task. `task_id` is the task's own, or the one its workspace gave it.
///
/// # Errors
/// Every reason why the task cannot be carried out, with its place.
pub fn plan(
    task: &Task,
    task_id: &TaskId,
    catalog: &Catalog,
    observed: &Observed,
) -> Result<TaskPlan, Vec<Diagnostic>> {
    let requirements = match &task.specification {
        Specification::SetupApi(requirements) => requirements,
        Specification::ConfigureDatabase(config) => {
            return database::plan(config, task_id, catalog, observed).map(TaskPlan::Database);
        }
        Specification::IntegrateService(_) => return Err(vec![not_built(task, "integrate_service")]),
    };
    let designed = api::design(requirements, catalog)?;
    let target = schema::Target { engine: Engine::Sqlite, connection: Connection::Embedded };
    let database = schema::design(&designed.tables, target, observed, &requirements.place)?;
    let cases = cases::for_api(&designed.api, &database.tables);
    let mut decisions = designed.decisions;
    decisions.push(Decision {
        phase: Phase::ProvisionDatabaseInstance,
        subject: "database".to_owned(),
        decision: "the embedded SQLite database of the workspace".to_owned(),
        reason: "no database task and no connection was given".to_owned(),
    });
    decisions.extend(schema::decisions(&database.tables));
    decisions.sort_by_key(|decision| decision.phase);
    let plan = Plan { task_id: task_id.clone(), api: designed.api, database, decisions, cases };
    Ok(TaskPlan::Api(Box::new(plan)))
}

/// The database a task is about, before anything is planned: whoever plans must have looked at it.
#[must_use]
pub fn database_of(task: &Task) -> (Engine, Connection) {
    match &task.specification {
        Specification::ConfigureDatabase(config) => database::place(config),
        Specification::SetupApi(_) | Specification::IntegrateService(_) => (Engine::Sqlite, Connection::Embedded),
    }
}

fn not_built(task: &Task, task_type: &str) -> Diagnostic {
    Diagnostic::error(
        codes::TASK_TYPE_NOT_BUILT,
        format!("this producer does not carry out `{task_type}` tasks yet"),
        &task.place,
    )
    .with_help("send a `setup_api` task with `type: \"rest\"`")
}
