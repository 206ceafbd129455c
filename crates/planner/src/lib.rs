//! Decides: a checked task, the catalogue and what was observed become a plan, or diagnostics that say why not.
//! Pure: the same input gives the same plan, every decision carries its reason.

mod account;
mod api;
mod base;
mod behaviour;
mod body_size;
mod cases;
mod codes;
mod condition;
mod database;
mod deletion;
mod documents;
mod entity;
mod incoming;
mod intent;
mod key;
mod lookup;
mod mail;
mod newsletter;
mod overrides;
mod own_rows;
mod parts;
mod relations;
mod schema;
mod seed;
mod selling;
mod service;
mod subject;
mod subscribers;
mod summary;
mod table;

#[cfg(test)]
mod tests;

pub use codes::ALL_CODES;
pub use mail::mail_texts;
pub use schema::{Allowed, Drift, Loss};
pub use service::plan_service;

use catalog::Catalog;
use plan::database::{Base, Connection, Pool};
use plan::service::{self as services, ServicePlan};
use plan::{Observed, Plan, TaskPlan};
use schema::{Circumstances, Renames, Unnamed};
use spec::{Priority, Specification, Task};
use vocab::{Diagnostic, Engine, TaskId};

/// The version of the decisions this crate makes; it stands in every persisted plan.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

fn priority(asked: Priority) -> services::Priority {
    match asked {
        Priority::High => services::Priority::High,
        Priority::Normal => services::Priority::Normal,
        Priority::Low => services::Priority::Low,
    }
}

/// Plans a task that only adds to its database. `task_id` is the task's own, or the one its workspace gave it.
///
/// # Errors
/// Every reason why the task cannot be carried out, with its place.
pub fn plan(
    task: &Task,
    task_id: &TaskId,
    catalog: &Catalog,
    observed: &Observed,
) -> Result<TaskPlan, Vec<Diagnostic>> {
    plan_allowing(task, task_id, catalog, observed, Allowed::default())
}

/// Plans a task that may do to its database what is allowed besides adding to it.
///
/// # Errors
/// As [`plan`].
pub fn plan_allowing(
    task: &Task,
    task_id: &TaskId,
    catalog: &Catalog,
    observed: &Observed,
    allowed: Allowed,
) -> Result<TaskPlan, Vec<Diagnostic>> {
    documents::hold_no_service(task, observed)?;
    let held = observed.base.as_ref().map_or(&[][..], |base| &base.database.tables);
    let (mut designed, place, service) = match &task.specification {
        Specification::SetupApi(requirements) => {
            let payments = api::Payments { services: &observed.services, dependencies: &task.dependencies };
            (
                api::design(requirements, catalog, held, payments, observed.accounts_of.as_ref())?,
                &requirements.place,
                None,
            )
        }
        Specification::ConfigureDatabase(config) => {
            return database::plan(config, task_id, catalog, observed, allowed)
                .map(|plan| TaskPlan::Database(Box::new(plan)));
        }
        Specification::IntegrateService(integration) => {
            let (designed, service) = service::design(integration, task_id, catalog, held, &observed.taken_over)?;
            let service = ServicePlan { priority: priority(task.priority), ..service };
            (designed, &integration.place, Some(service))
        }
    };
    mail::add(&mut designed, catalog)?;
    let base = observed.base.as_ref();
    let (engine, connection) = standing_on(base);
    designed.decisions.extend(parts::offer(&mut designed.api, held));
    if dialect::nests(engine) {
        designed.decisions.extend(relations::offer(&mut designed.api, held));
        summary::offer(&mut designed.api, |table, column| {
            let table = designed.tables.iter().chain(held).find(|known| known.name == *table)?;
            Some(table.columns.iter().find(|known| known.name == *column)?.field_type.clone())
        });
    }
    let base::Divided { mut own, shared } = base::divide(designed.tables, base);
    database::keepable(&mut own, engine, observed);
    let mut decisions = designed.decisions;
    for table in &mut own {
        let indexes = lookup::with_kept(lookup::indexes(engine, table, &designed.lookups), table, observed);
        decisions.extend(lookup::decisions(&indexes));
        table.rules.indexes.extend(indexes);
    }
    let shared: Vec<base::Shared> =
        shared.into_iter().map(|table| base::Shared::of(engine, table, &designed.lookups, observed)).collect();
    decisions.extend(shared.iter().flat_map(|shared| lookup::decisions(&shared.indexes)));
    let there: Vec<_> = shared.iter().map(base::Shared::there).collect();
    schema::check_drift(engine, &there, observed, place)?;
    let further = shared.iter().flat_map(|shared| shared.statements.clone()).collect();
    let pool = base.map_or_else(Pool::default, |base| base.database.pool);
    let circumstances = Circumstances {
        target: schema::Target { engine, connection, pool },
        unnamed: Unnamed::Stays,
        observed,
        renames: &Renames::default(),
        allowed,
        place,
    };
    let mut database = schema::design(&own, further, circumstances)?;
    let shared: Vec<plan::Table> = shared.into_iter().map(base::Shared::whole).collect();
    decisions.extend(base::decisions(observed, &shared));
    decisions.extend(schema::decisions(&own));
    decisions.sort_by_key(|decision| decision.phase);
    let seeded = base.map(|base| seed::of(&designed.api, base, &own, &shared, catalog)).unwrap_or_default();
    database.tables.extend(shared);
    let seeded = seed::with_caller(seeded, &designed.api, engine, &database.tables, catalog);
    let seeded = seed::with_reader(seeded, designed.consents.as_ref(), engine, &database.tables, catalog);
    let mut cases = cases::for_api(&designed.api, &database.tables, &seeded);
    cases.extend(service.iter().flat_map(cases::for_calls));
    let (base, seed) = (base.cloned(), seeded.seed);
    let api = designed.api;
    let plan = Plan { task_id: task_id.clone(), api, database, base, service, decisions, cases, seed };
    documents::hold(&plan, place)?;
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
