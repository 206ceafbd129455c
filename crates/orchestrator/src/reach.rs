//! How far the roles of a database reach with the APIs that stand on it: the plan of its task comes in, with the active plans of
//! the workspace and perhaps one that is about to be; out goes the same plan with the tables of all and what the application does
//! with each. Nothing is asked of the server.

use crate::failure::Failure;
use crate::workspace::Workspace;
use plan::database::Table;
use plan::database::permission::{Access, ObservedPermissions, RoleOrigin, Uses};
use plan::{DatabasePlan, DatabaseTaskPlan, Plan, TaskPlan};

/// The database task whose roles a plan has to do with: itself, or that on which it stands.
pub(crate) fn made_by(workspace: &Workspace, plan: &TaskPlan) -> Result<Option<DatabaseTaskPlan>, Box<Failure>> {
    let api = match plan {
        TaskPlan::Database(plan) => return Ok(Some((**plan).clone())),
        TaskPlan::Api(api) => api,
    };
    let Some(base) = &api.base else { return Ok(None) };
    let active = workspace.active_plan(&base.task_id).map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    Ok(active.and_then(|active| match active.plan {
        TaskPlan::Database(plan) => Some(*plan),
        TaskPlan::Api(_) => None,
    }))
}

/// The plan with its APIs. Where there are any, the application gets what their servers do and no more, unless the task itself says
/// what it may. Whoever may not say who may do what leaves it as somebody else has made it.
pub(crate) fn with_apis(
    workspace: &Workspace,
    mut plan: DatabaseTaskPlan,
    planned: Option<&Plan>,
    found: &ObservedPermissions,
) -> Result<DatabaseTaskPlan, Box<Failure>> {
    if !found.user_lacks.is_empty() {
        return Ok(plan);
    }
    let apis = apis(workspace, &plan.database, planned)?;
    let mut uses = Uses::new();
    for api in &apis {
        for (table, used) in plan::uses::uses(api) {
            uses.entry(table).or_default().extend(&used);
        }
        let owned = api.api.accounts.iter().flat_map(|accounts| accounts.owned.clone());
        plan.permissions.owned.extend(owned);
        api.database.tables.iter().for_each(|table| bring(&mut plan, table));
    }
    if !apis.is_empty() {
        let is_application = |access, origin| access == Access::ReadWrite && origin == RoleOrigin::Default;
        for role in plan.permissions.roles.iter_mut().filter(|role| is_application(role.access, role.origin)) {
            role.uses = Some(uses.clone());
        }
    }
    Ok(plan)
}

/// The APIs on a database. Of one that is about to change both plans: a server that runs goes on with the old one for a while.
fn apis(workspace: &Workspace, database: &DatabasePlan, planned: Option<&Plan>) -> Result<Vec<Plan>, Box<Failure>> {
    let failed = |failure| Box::new(Failure::workspace(&failure));
    let mut apis: Vec<Plan> = planned.into_iter().cloned().collect();
    for task_id in workspace.task_ids().map_err(failed)? {
        // One that cannot be read is not served either.
        let active = workspace.active_plan(&task_id).ok().flatten();
        apis.extend(active.and_then(|active| active.plan.into_api()));
    }
    let is_here =
        |api: &Plan| (api.database.engine, &api.database.connection) == (database.engine, &database.connection);
    apis.retain(is_here);
    Ok(apis)
}

/// A table of an API, or the columns that it has added to one.
fn bring(plan: &mut DatabaseTaskPlan, table: &Table) {
    let Some(known) = plan.database.tables.iter_mut().find(|known| known.name == table.name) else {
        plan.permissions.guests.insert(table.name.clone());
        plan.database.tables.push(table.clone());
        return;
    };
    for column in &table.columns {
        if known.columns.iter().all(|other| other.name != column.name) {
            known.columns.push(column.clone());
        }
    }
}
