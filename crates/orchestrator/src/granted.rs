//! `databases/permissions.sql`: the plan of a database task and what its server says of itself come in; the statements that make its
//! roles what they are with the APIs of the workspace go out, into the folder of the task too, whenever one of those changes.
//! Nothing is executed here.

use crate::failure::Failure;
use crate::reach;
use crate::run::RunOptions;
use crate::run::{Stop, task_folder, write};
use crate::workspace::Workspace;
use dialect::permission;
use plan::database::permission::PermissionStatement;
use plan::{DatabaseTaskPlan, TaskPlan};
use store::Database;

/// What makes the roles of the task's database what they are; nothing where the engine has none.
pub(crate) fn script(
    workspace: &Workspace,
    database: &Database,
    plan: &DatabaseTaskPlan,
) -> Result<Vec<PermissionStatement>, Box<Failure>> {
    let found = database.permissions(&[]).map_err(|error| Box::new(Failure::permissions(&error, database)))?;
    let Some(found) = found else { return Ok(Vec::new()) };
    let plan = reach::with_apis(workspace, plan.clone(), None, &found)?;
    Ok(permission::script(plan.database.engine, &plan.permissions, &plan.database.tables, &found))
}

/// Has the folder of the database task say what its roles may now that an API on it has changed. Says whether it said otherwise.
pub(crate) fn rewrite(
    plan: &TaskPlan,
    database: &Database,
    options: &RunOptions,
    warnings: &mut Vec<String>,
) -> Result<bool, Stop> {
    let workspace = &options.workspace;
    match plan {
        TaskPlan::Database(_) => return Ok(false),
        TaskPlan::Api(_) => {}
    }
    let Some(made_by) = reach::made_by(workspace, plan).map_err(Stop::Asks)? else { return Ok(false) };
    let folder = task_folder(&made_by.task_id, options);
    if !folder.is_dir() {
        return Ok(false);
    }
    let granted = script(workspace, database, &made_by).map_err(Stop::Asks)?;
    write(&folder, &emit::database_files(&made_by, &granted), workspace, &made_by.task_id, warnings)
}
