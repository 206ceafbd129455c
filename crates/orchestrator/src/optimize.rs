//! What `producer db optimize` answers: the database of a task is looked at, what the plans of the workspace want of it comes beside
//! that, and what could be better goes out. Nothing is changed.

use crate::change::{ChangeFailure, known, place};
use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::observe::wanted;
use crate::run::Stop;
use crate::workspace::Workspace;
use dialect::finding::{Finding, findings};
use plan::database::Connection;
use serde::Serialize;
use spec::Task;
use vocab::Engine;

/// What could be better in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Optimization {
    /// The database, for people.
    pub database: String,
    /// What was found in it.
    pub findings: Vec<Finding>,
}

/// What could be better in the database of a task.
///
/// # Errors
/// [`ChangeFailure`] when it cannot be looked at.
pub fn optimize(task: &Task, workspace: &Workspace) -> Result<Optimization, ChangeFailure> {
    let (_, engine, connection) = place(task, workspace)?;
    optimization(workspace, engine, &connection)
}

/// What could be better in the database of a task that was carried out.
///
/// # Errors
/// [`ChangeFailure`] when there is no such task, or the database cannot be looked at.
pub fn optimize_known(id: &str, workspace: &Workspace) -> Result<Optimization, ChangeFailure> {
    let (_, active) = known(id, workspace)?;
    let database = active.plan.database();
    optimization(workspace, database.engine, &database.connection)
}

fn optimization(workspace: &Workspace, engine: Engine, connection: &Connection) -> Result<Optimization, ChangeFailure> {
    let database = match locate(workspace, engine, connection).map_err(Stop::from)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(ChangeFailure::Failed(failure)),
    };
    let condition = database.condition().map_err(|error| Stop::from(Failure::database(&error, &database)))?;
    let wanted = wanted(workspace, None, engine, connection)?;
    Ok(Optimization { database: database.place(), findings: findings(engine, &condition, &wanted) })
}
