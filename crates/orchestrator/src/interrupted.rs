//! A run that was ended amid a migration that is not made whole or not at all: the next one finishes it before anything is
//! planned, because a schema that is half there is no plan's.

use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::run::{Stop, now};
use crate::workspace::Workspace;
use plan::PersistedPlan;
use plan::database::Connection;
use store::{AppliedMigration, Seen, StoreError};
use vocab::{Engine, TaskId};

/// Finishes what the ledger says was begun, by the persisted plan that it belongs to. Says whether there was anything.
pub(crate) fn finish(
    workspace: &Workspace,
    task_id: &TaskId,
    (engine, connection): (Engine, Connection),
) -> Result<bool, Stop> {
    let plans = workspace.persisted_plans(task_id)?;
    // Where nothing was planned nothing was begun, and nobody need be connected to.
    if plans.is_empty() {
        return Ok(false);
    }
    let Located::At(database) = locate(workspace, engine, &connection)? else { return Ok(false) };
    let seen = match database.look(task_id.as_str()) {
        // Whoever plans is told, unless it is about to be made.
        Err(StoreError::NotConnected(..)) => return Ok(false),
        seen => seen.map_err(|error| Failure::database(&error, &database))?,
    };
    if let Some(plan) = half_done(&seen, plans.into_iter().map(|(_, persisted)| persisted)) {
        match database.migrate(task_id.as_str(), &plan.plan.database().migrations, &now()) {
            Ok(_) => return Ok(true),
            // What the rows did not let through is taken back, and the task may be another one by now.
            Err(StoreError::Refused(_) | StoreError::Conflict | StoreError::Overlap | StoreError::Reference) => {}
            Err(error) => return Err(Failure::migration(&error, &database).into()),
        }
    }
    Ok(false)
}

/// The persisted plan of which a migration was begun and not finished.
pub(crate) fn half_done(seen: &Seen, mut plans: impl Iterator<Item = PersistedPlan>) -> Option<PersistedPlan> {
    let is_meant = |persisted: &PersistedPlan| {
        let migrations: Vec<AppliedMigration> =
            persisted.plan.database().migrations.iter().map(AppliedMigration::from).collect();
        let applied = migrations.iter().take_while(|migration| seen.applied.contains(migration)).count();
        migrations.get(applied).is_some_and(|next| seen.begun.contains(next))
            && seen.begun.iter().all(|begun| migrations.contains(begun))
    };
    if seen.begun.is_empty() { None } else { plans.find(is_meant) }
}
