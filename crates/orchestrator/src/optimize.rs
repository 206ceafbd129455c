//! What `producer db optimize` answers: the database of a task is looked at, what the plans of the workspace want of it comes beside
//! that, and what could be better goes out. Nothing is changed.

use crate::change::{ChangeFailure, known, place};
use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::observe::wanted;
use crate::run::Stop;
use crate::workspace::Workspace;
use dialect::finding::{Finding, findings, of_server};
use plan::database::{Connection, Trial};
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
    /// What was found in the settings of its server, or of its file.
    pub server: Vec<Finding>,
    /// What could not be looked at, with the reason.
    pub unseen: Vec<String>,
}

impl Optimization {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.server.is_empty()
    }
}

/// Seconds of a day.
const DAY: u64 = 86_400;

/// What could be better in the database of a task. An index counts as unused after so many days.
///
/// # Errors
/// [`ChangeFailure`] when it cannot be looked at.
pub fn optimize(task: &Task, workspace: &Workspace, unused_after: u32) -> Result<Optimization, ChangeFailure> {
    let (_, engine, connection) = place(task, workspace)?;
    optimization(workspace, engine, &connection, unused_after)
}

/// What could be better in the database of a task that was carried out.
///
/// # Errors
/// [`ChangeFailure`] when there is no such task, or the database cannot be looked at.
pub fn optimize_known(id: &str, workspace: &Workspace, unused_after: u32) -> Result<Optimization, ChangeFailure> {
    let (_, active) = known(id, workspace)?;
    let database = active.plan.database();
    optimization(workspace, database.engine, &database.connection, unused_after)
}

fn optimization(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
    unused_after: u32,
) -> Result<Optimization, ChangeFailure> {
    let database = match locate(workspace, engine, connection).map_err(Stop::from)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(ChangeFailure::Failed(failure)),
    };
    let condition = database.condition().map_err(|error| Stop::from(Failure::database(&error, &database)))?;
    let wanted = wanted(workspace, None, engine, connection)?;
    let unused_after = u64::from(unused_after) * DAY;
    let mut unseen = condition.unseen.clone();
    if let Some(seconds) = condition.counted_for.filter(|seconds| *seconds < unused_after) {
        let (days, after) = (seconds / DAY, unused_after / DAY);
        unseen.push(format!("unused indexes: their uses have been counted for {days} days, and {after} are asked for"));
    }
    let mut findings = findings(engine, &condition, &wanted, unused_after);
    let mut trials: Vec<&mut Trial> = findings.iter_mut().filter_map(|finding| finding.trial.as_mut()).collect();
    if !trials.is_empty() {
        database.explain(&mut trials).map_err(|error| Stop::from(Failure::database(&error, &database)))?;
    }
    let memory = if database.is_on_this_machine() { memory() } else { None };
    Ok(Optimization { database: database.place(), findings, server: of_server(engine, &condition, memory), unseen })
}

/// The memory of this machine, in bytes, or of the part of it that this program may have; none where it does not say.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total: u64 = total.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    let bound = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(bound.map_or(total * 1024, |bound: u64| bound.min(total * 1024)))
}
