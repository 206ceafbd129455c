//! Applications that speak with the services of other tasks: those services go out for a plan, and when a task was carried out the
//! applications of the others on its database are written anew, where they are. Edited files are kept as everywhere.

use crate::failure::Failure;
use crate::integration;
use crate::run::{Stop, write};
use crate::workspace::{Workspace, WorkspaceFailure};
use plan::{Plan, TaskPlan};

/// The plans of other tasks that integrate services and stand on the database of this one, as they are served.
pub(crate) fn services(plan: &Plan, workspace: &Workspace) -> Result<Vec<Plan>, Stop> {
    let others = others(plan, workspace)?;
    Ok(others.into_iter().filter(|other| other.service.is_some()).collect())
}

/// Writes the applications of the other tasks on the database anew; whether anything changed in them.
pub(crate) fn rewrite(plan: &Plan, workspace: &Workspace, warnings: &mut Vec<String>) -> Result<bool, Stop> {
    let mut has_changed = false;
    let others = others(plan, workspace)?;
    // Applications that speak with no service are nobody else's concern.
    if !others.iter().chain([plan]).any(|one| one.service.is_some()) {
        return Ok(false);
    }
    for other in others {
        // Where nobody knows its folder, or somebody has removed it, its own next run writes it.
        let folder = workspace.last_end(&other.task_id)?.and_then(|end| end.folder);
        let Some(folder) = folder.filter(|folder| folder.is_dir()) else { continue };
        let beside = services(&other, workspace)?;
        let files = emit::files(&other, &beside).map_err(|error| Failure::application(&error))?;
        let mut told = Vec::new();
        has_changed |= write(&folder, &files, workspace, &other.task_id, &mut told)?;
        warnings.extend(told.into_iter().map(|warning| format!("in `{}`: {warning}", folder.display())));
    }
    Ok(has_changed)
}

/// The active plans of other tasks on the database of this one, with what only the tasks of the workspace know: what they answer for
/// each other, and which events they tell.
fn others(plan: &Plan, workspace: &Workspace) -> Result<Vec<Plan>, WorkspaceFailure> {
    let mut plans = vec![plan.clone()];
    for task_id in workspace.task_ids()?.iter().filter(|id| **id != plan.task_id) {
        // One that this program cannot read is written anew when its task runs.
        let Some(active) = workspace.active_plan(task_id).ok().flatten() else { continue };
        let mut other = active.plan;
        integration::listen(&mut other, workspace, &[TaskPlan::Api(Box::new(plan.clone()))])?;
        plans.extend(other.into_api());
    }
    let taken: Vec<_> = plans.iter().map(|of| Plan::taken_over(plans.iter(), &of.task_id)).collect();
    plans.iter_mut().zip(taken).for_each(|(of, taken)| of.give_way(&taken));
    let place = |of: &Plan| (of.database.engine, of.database.connection.clone());
    Ok(plans.into_iter().skip(1).filter(|other| place(other) == place(plan)).collect())
}
