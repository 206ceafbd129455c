//! Decides: a checked task, the catalogue and what was observed become a plan, or diagnostics that say why not.
//! Pure: the same input gives the same plan, every decision carries its reason.

mod api;
mod base;
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
use plan::database::{Base, Connection, Pool};
use plan::{Observed, Plan, TaskPlan};
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
    let base = observed.base.as_ref();
    let (engine, connection) = standing_on(base);
    let pool = base.map_or_else(Pool::default, |base| base.database.pool);
    let base::Divided { own, shared } = base::divide(designed.tables, base);
    schema::check_drift(engine, &shared, observed, &requirements.place)?;
    let target = schema::Target { engine, connection, pool };
    let mut database = schema::design(&own, target, observed, &requirements.place)?;
    let mut decisions = designed.decisions;
    decisions.extend(base::decisions(observed, &shared));
    decisions.extend(schema::decisions(&own));
    decisions.sort_by_key(|decision| decision.phase);
    database.tables.extend(shared);
    let cases = cases::for_api(&designed.api, &database.tables);
    let base = base.cloned();
    let plan = Plan { task_id: task_id.clone(), api: designed.api, database, base, decisions, cases };
    Ok(TaskPlan::Api(Box::new(plan)))
}

/// The database a task is about, before anything is planned: whoever plans must have looked at it. `base` is the database task
/// that an API stands on.
#[must_use]
pub fn database_of(task: &Task, base: Option<&Base>) -> (Engine, Connection) {
    match &task.specification {
        Specification::ConfigureDatabase(config) => database::place(config),
        Specification::SetupApi(_) | Specification::IntegrateService(_) => standing_on(base),
    }
}

/// The database of an API: that of the task it stands on, else the embedded one.
#[must_use]
pub fn standing_on(base: Option<&Base>) -> (Engine, Connection) {
    base.map_or((Engine::Sqlite, Connection::Embedded), |base| (base.database.engine, base.database.connection.clone()))
}

fn not_built(task: &Task, task_type: &str) -> Diagnostic {
    Diagnostic::error(
        codes::TASK_TYPE_NOT_BUILT,
        format!("this producer does not carry out `{task_type}` tasks yet"),
        &task.place,
    )
    .with_help("send a `setup_api` task with `type: \"rest\"`")
}
