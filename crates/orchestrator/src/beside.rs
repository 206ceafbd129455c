//! Applications that speak with the services of other tasks: the files of one go out for a plan, and when a task was carried out those
//! of the others on its database are written anew, where they are. Edited files are kept as everywhere.

use crate::failure::Failure;
use crate::integration;
use crate::run::{Stop, write};
use crate::workspace::{Workspace, WorkspaceFailure};
use emit::{Beside, Files};
use plan::{EventDeclaration, Plan};

/// The files of a plan, whose application speaks with the services of the other tasks on its database as they are served.
pub(crate) fn files(plan: &Plan, workspace: &Workspace) -> Result<Files, Stop> {
    let together = together(plan, workspace)?;
    application(plan, &together.iter().filter_map(Beside::of).collect::<Vec<_>>())
}

fn application(plan: &Plan, services: &[Beside<'_>]) -> Result<Files, Stop> {
    let beside: Vec<&Beside<'_>> = services.iter().filter(|one| one.plan().task_id != plan.task_id).collect();
    Ok(emit::files(plan, &beside).map_err(|error| Failure::application(&error))?)
}

/// Writes the applications of the other tasks on the database anew; whether anything changed in them.
pub(crate) fn rewrite(plan: &Plan, workspace: &Workspace, warnings: &mut Vec<String>) -> Result<bool, Stop> {
    let mut has_changed = false;
    let together = together(plan, workspace)?;
    // Applications that speak with no service are nobody else's concern.
    let services: Vec<Beside<'_>> = together.iter().filter_map(Beside::of).collect();
    if services.is_empty() {
        return Ok(false);
    }
    for other in together.iter().filter(|other| other.task_id != plan.task_id) {
        // Where nobody knows its folder, or somebody has removed it, its own next run writes it.
        let folder = workspace.last_end(&other.task_id)?.and_then(|end| end.folder);
        let Some(folder) = folder.filter(|folder| folder.is_dir()) else { continue };
        let files = application(other, &services)?;
        let mut told = Vec::new();
        has_changed |= write(&folder, &files, workspace, &other.task_id, &mut told)?;
        warnings.extend(told.into_iter().map(|warning| format!("in `{}`: {warning}", folder.display())));
    }
    Ok(has_changed)
}

/// This plan and the active ones of the other tasks on its database, in the order of their names, with what only the tasks of the
/// workspace know: what they answer for each other, and which events they tell. Each plan is read once.
fn together(plan: &Plan, workspace: &Workspace) -> Result<Vec<Plan>, WorkspaceFailure> {
    let mut plans = vec![plan.clone()];
    for task_id in workspace.task_ids()?.iter().filter(|id| **id != plan.task_id) {
        // One that this program cannot read is written anew when its task runs.
        plans.extend(workspace.active_plan(task_id).ok().flatten().and_then(|active| active.plan.into_api()));
    }
    plans.sort_by(|one, other| one.task_id.cmp(&other.task_id));
    let told: Vec<Vec<EventDeclaration>> = plans.iter().map(|of| of.api.events.clone()).collect();
    for (index, of) in plans.iter_mut().enumerate() {
        if let Some(service) = &mut of.service {
            let others = told.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, events)| events);
            integration::hear(service, std::iter::once(&told[index]).chain(others).flatten());
        }
    }
    let taken: Vec<_> = plans.iter().map(|of| Plan::taken_over(plans.iter(), &of.task_id)).collect();
    plans.iter_mut().zip(taken).for_each(|(of, taken)| of.give_way(&taken));
    let place = |of: &Plan| (of.database.engine, of.database.connection.clone());
    plans.retain(|other| place(other) == place(plan));
    Ok(plans)
}
