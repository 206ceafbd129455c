//! A run that was ended amid a migration, on an engine that makes none whole or not at all: the next one finishes it before anything is
//! planned, because a schema that is half there is no plan's.

use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::run::{Stop, now};
use crate::workspace::Workspace;
use plan::PersistedPlan;
use plan::database::Connection;
use std::path::Path;
use vocab::{Engine, TaskId};

/// Finishes what the ledger says was begun, by the persisted plan that it belongs to.
pub(crate) fn finish(
    workspace: &Workspace,
    task_id: &TaskId,
    (engine, connection): (Engine, Connection),
) -> Result<(), Stop> {
    let plans = workspace.persisted_plans(task_id)?;
    // Where nothing was planned nothing was begun, and nobody need be connected to.
    if plans.is_empty() || engine.defines_in_transactions() {
        return Ok(());
    }
    let Located::At(database) = locate(workspace, engine, &connection)? else { return Ok(()) };
    let place = database.place();
    let seen = database.look(task_id.as_str()).map_err(|error| Failure::database(&error, Path::new(&place)))?;
    if seen.begun.is_empty() {
        return Ok(());
    }
    let is_meant = |persisted: &&PersistedPlan| {
        let migrations = &persisted.plan.database().migrations;
        let known = |migration: &plan::Migration| {
            let noted = migration.into();
            seen.applied.contains(&noted) || seen.begun.contains(&noted)
        };
        migrations.iter().all(known) && seen.begun.iter().all(|begun| migrations.iter().any(|one| *begun == one.into()))
    };
    if let Some(persisted) = plans.iter().map(|(_, persisted)| persisted).find(is_meant) {
        database
            .migrate(task_id.as_str(), &persisted.plan.database().migrations, &now())
            .map_err(|error| Failure::migration(&error, Path::new(&place)))?;
    }
    Ok(())
}
