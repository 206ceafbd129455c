//! Whether what a backup brings back is what was backed up: by the engine's own checks, by every table's number and hash of rows, and by
//! the migrations that the plans say were applied.

use super::making::Definition;
use super::trouble;
use crate::failure::Failure;
use plan::PersistedPlan;
use store::{AppliedMigration, Database};

/// Every way in which it is not.
pub fn compare(id: &str, restored: &Database, definition: &Definition) -> Result<(), Box<Failure>> {
    let different = |differences: Vec<String>| match differences.is_empty() {
        true => Ok(()),
        false => Err(Box::new(trouble::different(id, &differences))),
    };
    let unreadable = |error: store::StoreError| Box::new(trouble::different(id, &[error.to_string()]));
    different(restored.check().map_err(unreadable)?)?;
    different(definition.contents.differences(&restored.contents().map_err(unreadable)?))?;
    different(missing_migrations(restored, definition).map_err(unreadable)?)
}

/// Migrations of the plans that the ledger does not have.
fn missing_migrations(restored: &Database, definition: &Definition) -> Result<Vec<String>, store::StoreError> {
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
pub fn lacking(database: &Database, persisted: &PersistedPlan) -> Result<Vec<String>, store::StoreError> {
    let mut lacking = Vec::new();
    for (scope, migrations) in persisted.plan.migrations() {
        let applied = database.look(scope.as_str())?.applied;
        let wanted = migrations.iter().filter(|migration| !applied.contains(&AppliedMigration::from(*migration)));
        lacking
            .extend(wanted.map(|migration| format!("migration `{}` of task `{scope}` is not there", migration.name)));
    }
    Ok(lacking)
}
