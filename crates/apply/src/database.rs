//! The database of a plan: its migrations applied.

use plan::DatabasePlan;
use store::{Store, StoreError};
use vocab::TaskId;

/// Applies what the ledger does not have yet. Returns the names of the migrations applied now. `now` stands in the ledger.
///
/// # Errors
/// [`StoreError`] of the first migration that fails; it and those after it were not applied.
pub fn migrate(store: &Store, task_id: &TaskId, plan: &DatabasePlan, now: &str) -> Result<Vec<String>, StoreError> {
    store.migrate(task_id.as_str(), &plan.migrations, now)
}
