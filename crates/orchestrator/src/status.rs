//! The tasks of a workspace as they stand: what is on disk and who serves comes in, one record a task goes out. Changes nothing. What only
//! a database knows is asked by `integrations`.

use crate::backups;
use crate::ending;
use crate::instances::{self, ServerStatus};
use crate::integrations::IntegrationStatus;
use crate::serving::{routes, running_server};
use crate::workspace::{RunningServer, TaskEnd, Workspace, WorkspaceFailure};
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use vocab::TaskId;

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its id.
    pub task_id: String,
    /// How its last run ended; `unfinished` while none has.
    pub status: String,
    /// Since when it stands like that, UTC.
    pub at: Option<String>,
    /// Why it failed or waits, in one line.
    pub error: Option<String>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// The number of the active plan.
    pub plan: Option<String>,
    /// The folder of its files.
    pub folder: Option<PathBuf>,
    /// Its routes: `POST /api/contact`.
    pub routes: Vec<String>,
    /// The address that serves the active plan at the moment, with its scheme.
    pub served_at: Option<String>,
    /// The private server of its database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerStatus>,
    /// How what it tells others and reads from them stands, once its database was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub integrations: Vec<IntegrationStatus>,
}

/// Why the status of a task cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// No task has that id.
    #[error("no task of this workspace has the id `{id}`; {}", way_out(nearest.as_deref()))]
    Unknown {
        /// The id that was asked for.
        id: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
}

fn way_out(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`producer status` lists those it knows".to_owned(),
    }
}

/// All tasks, by id.
///
/// # Errors
/// When the workspace cannot be read.
pub fn statuses(workspace: &Workspace) -> Result<Vec<TaskStatus>, WorkspaceFailure> {
    let server = running_server(workspace);
    workspace.task_ids()?.iter().map(|id| status_of(workspace, id, server.as_ref())).collect()
}

/// One task.
///
/// # Errors
/// [`StatusFailure`] when the workspace knows no such task.
pub fn status(workspace: &Workspace, id: &str) -> Result<TaskStatus, StatusFailure> {
    let known = workspace.task_ids()?;
    let Some(task_id) = known.iter().find(|known| known.as_str() == id) else {
        let names: Vec<&str> = known.iter().map(TaskId::as_str).collect();
        let nearest = spec::closest(id, &names).map(ToOwned::to_owned);
        return Err(StatusFailure::Unknown { id: id.to_owned(), nearest });
    };
    Ok(status_of(workspace, task_id, running_server(workspace).as_ref())?)
}

fn status_of(
    workspace: &Workspace,
    task_id: &TaskId,
    server: Option<&RunningServer>,
) -> Result<TaskStatus, WorkspaceFailure> {
    let end = workspace.last_end(task_id)?;
    let plan = workspace.active_version(task_id)?;
    let active = workspace.active_plan(task_id);
    let is_served = |server: &&RunningServer| {
        server.plans.iter().any(|(id, version)| id == task_id && Some(version) == plan.as_ref())
    };
    let served_at = server.filter(is_served).map(RunningServer::url);
    let mut status = TaskStatus {
        task_id: task_id.to_string(),
        status: "unfinished".to_owned(),
        at: None,
        error: None,
        warnings: Vec::new(),
        plan,
        folder: None,
        routes: Vec::new(),
        served_at,
        server: None,
        integrations: Vec::new(),
    };
    if let Some(TaskEnd { status: ended, at, error, warnings, folder }) = end {
        status = TaskStatus { status: ended, at: Some(at), error, warnings, folder, ..status };
    }
    match active {
        Ok(active) => {
            let service = active.as_ref().and_then(|persisted| persisted.plan.api()?.service.as_ref());
            let endings = service.map(|service| ending::endings(workspace, service)).unwrap_or_default();
            // What the last run said of them may be over.
            status.warnings.retain(|warning| !ending::is_about(&endings, warning));
            status.warnings.extend(ending::warnings(&endings, Timestamp::now()));
            status.warnings.extend(backups::warnings(workspace, task_id));
            status.routes = active.as_ref().and_then(|persisted| persisted.plan.api()).map_or_else(Vec::new, routes);
            match active.map(|persisted| instances::server_of(workspace, persisted.plan.database())).transpose() {
                Ok(server) => status.server = server.flatten(),
                Err(failure) => status.warnings.push(failure.to_string()),
            }
        }
        Err(damaged) => status.warnings.push(damaged.to_string()),
    }
    Ok(status)
}
