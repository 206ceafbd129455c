//! Whether what a backup brings back is what was backed up: by the engine's own checks, by every table's number and hash of rows, and by
//! the migrations that the plans say were applied.

use super::making::Definition;
use super::trouble;
use crate::failure::Failure;
use plan::PersistedPlan;
use std::thread;
use store::{AppliedMigration, Database, StoreError};

/// Every way in which it is not.
pub fn compare(id: &str, restored: &Database, definition: &Definition) -> Result<(), Box<Failure>> {
    // Both read everything, and neither waits for the other.
    let (is_sound, contents) = thread::scope(|scope| {
        let counting = scope.spawn(|| restored.contents());
        let panicked = |_| Err(StoreError::Unavailable("the work on the database panicked".to_owned()));
        (sound(id, restored), counting.join().unwrap_or_else(panicked))
    });
    is_sound?;
    let different = |differences| none(id, differences);
    let unreadable = |error: StoreError| Box::new(trouble::different(id, &[error.to_string()]));
    different(definition.contents.differences(&contents.map_err(unreadable)?))?;
    different(missing_migrations(restored, definition).map_err(unreadable)?)
}

/// What the engine's own checks find.
pub fn sound(id: &str, restored: &Database) -> Result<(), Box<Failure>> {
    let found = restored.check().map_err(|error| Box::new(trouble::different(id, &[error.to_string()])))?;
    none(id, found)
}

fn none(id: &str, differences: Vec<String>) -> Result<(), Box<Failure>> {
    if differences.is_empty() { Ok(()) } else { Err(Box::new(trouble::different(id, &differences))) }
}

/// Migrations of the plans that the ledger does not have.
fn missing_migrations(restored: &Database, definition: &Definition) -> Result<Vec<String>, StoreError> {
    let mut missing = Vec::new();
    for task in &definition.tasks {
        let Ok(persisted) = PersistedPlan::from_text(&task.plan) else {
            missing.push(format!("the plan of task `{}` cannot be read", task.task_id));
            continue;
        };
        missing.extend(lacking(restored, &persisted)?);
    }
    Ok(missing)
}

/// Migrations of a plan that a database does not have, in words.
pub fn lacking(database: &Database, persisted: &PersistedPlan) -> Result<Vec<String>, StoreError> {
    let mut lacking = Vec::new();
    for (scope, migrations) in persisted.plan.migrations() {
        let applied = database.look(scope.as_str())?.applied;
        let wanted = migrations.iter().filter(|migration| !applied.contains(&AppliedMigration::from(*migration)));
        lacking
            .extend(wanted.map(|migration| format!("migration `{}` of task `{scope}` is not there", migration.name)));
    }
    Ok(lacking)
}
