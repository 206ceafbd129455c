//! What is there before planning: the workspace and the server come in, what they hold goes out. Nothing is made or changed.

use crate::base::Standing;
use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::run::Stop;
use crate::workspace::Workspace;
use plan::database::{Applied, Connection, DatabasePlan, Table};
use plan::{Observed, PersistedPlan, Plan, TaskPlan};
use std::sync::Arc;
use store::{AppliedMigration, Seen, StoreError, Trouble};
use vocab::{Engine, TaskId};

/// What the database of a task holds, and which plan has made it.
pub(crate) fn observe(
    workspace: &Workspace,
    task_id: &TaskId,
    (engine, connection): (Engine, Connection),
    standing: Standing,
    earlier: &[TaskPlan],
) -> Result<Observed, Stop> {
    let Seen { tables, applied, filled, place, most_connections, .. } = match locate(workspace, engine, &connection)? {
        Located::At(database) => match database.look(task_id.as_str()) {
            // It is made when the plan is carried out.
            Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => {
                Seen { most_connections: database.most_connections().ok().flatten(), ..Seen::default() }
            }
            // So may be whoever listens there.
            Err(StoreError::NotConnected(Trouble::Refused, _)) if is_container(&connection) => Seen::default(),
            seen => seen.map_err(|error| Failure::database(&error, &database))?,
        },
        // What must be said first is asked when the plan is carried out; until then nothing is known to be there.
        Located::Asks(_) => Seen::default(),
    };
    let persisted = workspace.persisted_plans(task_id)?.into_iter().map(|(_, plan)| plan);
    let others = others(workspace, task_id, engine, &connection)?;
    let made = furthest(persisted, &applied);
    // A plan that this program cannot read is planned anew from the task in hand, and one of another place says nothing of this one.
    let is_here = |plan: &DatabasePlan| (plan.engine, &plan.connection) == (engine, &connection);
    let (active, applied) = match made {
        Some((plan, applied)) => (Some(plan), applied),
        None => {
            let active = workspace.seen_plan(task_id).ok().flatten();
            (active.map(|persisted| persisted.plan.database().clone()).filter(is_here), Applied::Not)
        }
    };
    let Standing { base, chosen, .. } = standing;
    let others_of_workspace = active_but_for(task_id, workspace, earlier)?;
    let made_before = earlier.iter().filter(|plan| plan.task_id() != task_id);
    let apis: Vec<&Plan> =
        made_before.chain(others_of_workspace.iter().map(|other| &other.plan)).filter_map(TaskPlan::api).collect();
    let taken_over = Plan::taken_over(apis.iter().copied(), task_id);
    let is_on = |plan: &Plan| (plan.database.engine, &plan.database.connection) == (engine, &connection);
    let of_accounts = apis.iter().find(|plan| is_on(plan) && plan.api.has_whole_accounts());
    let own = workspace.seen_plan(task_id).ok().flatten();
    let own = own.as_ref().and_then(|persisted| persisted.plan.api());
    // Whoever has brought them keeps them.
    let accounts_of =
        of_accounts.filter(|_| !own.is_some_and(|plan| plan.api.has_whole_accounts())).map(|plan| plan.task_id.clone());
    let services = apis.iter().filter(|plan| is_on(plan)).filter_map(|plan| plan.service.clone()).collect();
    Ok(Observed {
        tables,
        filled,
        active,
        applied,
        others,
        base,
        chosen,
        services,
        taken_over,
        accounts_of,
        place,
        most_connections,
    })
}

/// The active plans of the other tasks of the workspace, but for those that the same command planned anew before.
fn active_but_for(
    task_id: &TaskId,
    workspace: &Workspace,
    earlier: &[TaskPlan],
) -> Result<Vec<Arc<PersistedPlan>>, Stop> {
    let ids = workspace.task_ids()?;
    let others = ids.iter().filter(|other| {
        let is_planned = |plan: &TaskPlan| plan.api().is_some() && plan.task_id() == *other;
        *other != task_id && !earlier.iter().any(is_planned)
    });
    Ok(others.filter_map(|other| workspace.seen_plan(other).ok().flatten()).collect())
}

/// A run that was stopped after it migrated left a database that no active plan describes: of the persisted plans, newest
/// first, the one of which the most migrations were applied does. Of one that was stopped half way, these migrations.
fn furthest(
    persisted: impl Iterator<Item = PersistedPlan>,
    applied: &[AppliedMigration],
) -> Option<(DatabasePlan, Applied)> {
    let mut best: Option<(DatabasePlan, Applied)> = None;
    for persisted in persisted {
        let mut plan = persisted.plan.database().clone();
        let count = plan.migrations.iter().take_while(|migration| applied.contains(&(*migration).into())).count();
        let state = if count == plan.migrations.len() { Applied::Wholly } else { Applied::HalfWay };
        plan.migrations.truncate(count);
        let is_further = best.as_ref().is_none_or(|(known, known_state)| {
            count > known.migrations.len()
                || (count == known.migrations.len() && state == Applied::Wholly && *known_state == Applied::HalfWay)
        });
        if count > 0 && is_further {
            best = Some((plan, state));
        }
    }
    best
}

/// The tables that other tasks of the workspace want in the same place.
pub(crate) fn others(
    workspace: &Workspace,
    task_id: &TaskId,
    engine: Engine,
    connection: &Connection,
) -> Result<Vec<Table>, Stop> {
    wanted(workspace, Some(task_id), engine, connection)
}

/// The tables that tasks of the workspace want in a place, but for one task.
pub(crate) fn wanted(
    workspace: &Workspace,
    but_for: Option<&TaskId>,
    engine: Engine,
    connection: &Connection,
) -> Result<Vec<Table>, Stop> {
    let mut tables = Vec::new();
    for other in workspace.task_ids()?.iter().filter(|other| Some(*other) != but_for) {
        let Some(active) = workspace.seen_plan(other).ok().flatten() else { continue };
        let database = active.plan.database();
        if (database.engine, &database.connection) == (engine, connection) {
            tables.extend(database.tables.clone());
        }
    }
    Ok(tables)
}

fn is_container(connection: &Connection) -> bool {
    match connection {
        Connection::Container { .. } => true,
        Connection::Embedded
        | Connection::File { .. }
        | Connection::Local { .. }
        | Connection::Location(_)
        | Connection::Missing => false,
    }
}
