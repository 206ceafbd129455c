//! Every task of a workspace at a glance.

use crate::serving::{routes, running_server};
use crate::workspace::{Workspace, WorkspaceFailure};
use serde::Serialize;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskStatus {
    /// Its id.
    pub task_id: String,
    /// How its last run ended; `running` while none has.
    pub status: String,
    /// When that was, UTC.
    pub at: Option<String>,
    /// The number of the active plan.
    pub plan: Option<String>,
    /// Its routes: `POST /api/contact`.
    pub routes: Vec<String>,
    /// The address that serves the active plan at the moment.
    pub served_at: Option<String>,
}

/// All tasks, by id.
///
/// # Errors
/// When the workspace cannot be read.
pub fn statuses(workspace: &Workspace) -> Result<Vec<TaskStatus>, WorkspaceFailure> {
    let server = running_server(workspace);
    let mut found = Vec::new();
    for task_id in workspace.task_ids()? {
        let end = workspace.last_end(&task_id)?;
        let plan = workspace.active_version(&task_id)?;
        let active = workspace.active_plan(&task_id).ok().flatten();
        let is_served = |server: &&crate::workspace::RunningServer| {
            server.plans.iter().any(|(id, version)| *id == task_id && Some(version) == plan.as_ref())
        };
        found.push(TaskStatus {
            status: end.as_ref().map_or_else(|| "running".to_owned(), |end| end.status.clone()),
            at: end.map(|end| end.at),
            served_at: server.as_ref().filter(is_served).map(|server| server.address.clone()),
            routes: active.map_or_else(Vec::new, |persisted| routes(&persisted.plan)),
            plan,
            task_id: task_id.to_string(),
        });
    }
    Ok(found)
}
