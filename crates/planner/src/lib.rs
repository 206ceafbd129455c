//! Decides: a checked task, the catalogue and what was observed become a plan, or diagnostics that say why not.
//! Pure: the same input gives the same plan, every decision carries its reason.

mod api;
mod behaviour;
mod body_size;
mod cases;
mod codes;
mod entity;
mod intent;
mod overrides;
mod schema;
mod subject;

#[cfg(test)]
mod tests;

pub use codes::ALL_CODES;

use catalog::Catalog;
use plan::{Observed, Plan};
use spec::{Specification, Task};
use vocab::{Diagnostic, TaskId};

/// The version of the decisions this crate makes; it stands in every persisted plan.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Plans a task. `task_id` is the task's own, or the one its workspace gave it.
///
/// # Errors
/// Every reason why the task cannot be carried out, with its place.
pub fn plan(task: &Task, task_id: &TaskId, catalog: &Catalog, observed: &Observed) -> Result<Plan, Vec<Diagnostic>> {
    let requirements = match &task.specification {
        Specification::SetupApi(requirements) => requirements,
        Specification::ConfigureDatabase(_) => return Err(vec![not_built(task, "configure_database")]),
        Specification::IntegrateService(_) => return Err(vec![not_built(task, "integrate_service")]),
    };
    let designed = api::design(requirements, catalog)?;
    let database = schema::design(&designed.tables, observed, &requirements.place)?;
    let cases = cases::for_api(&designed.api, &database.plan.tables);
    let mut decisions = designed.decisions;
    decisions.extend(database.decisions);
    decisions.sort_by_key(|decision| decision.phase);
    Ok(Plan { task_id: task_id.clone(), api: designed.api, database: database.plan, decisions, cases })
}

fn not_built(task: &Task, task_type: &str) -> Diagnostic {
    Diagnostic::error(
        codes::TASK_TYPE_NOT_BUILT,
        format!("this producer does not carry out `{task_type}` tasks yet"),
        &task.place,
    )
    .with_help("send a `setup_api` task with `type: \"rest\"`")
}
