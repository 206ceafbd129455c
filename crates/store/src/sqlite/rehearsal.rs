//! A rehearsal in a private database in memory.

use super::{Parameter, connect, inspect, migrate};
use crate::rehearsal::{Attempt, Rehearsal};
use crate::{Location, StoreError};
use plan::Statement;

pub fn rehearse(statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
    let connection = connect(":memory:", &Location::Memory)?;
    // Tables that are made anew lose no rows of others here, where there are none yet.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    for statement in statements {
        if !migrate::is_superfluous(&connection, statement)? {
            connection.execute_batch(&statement.sql)?;
        }
    }
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let tables = inspect::tables(&connection)?;
    let outcomes = attempts
        .iter()
        .map(|attempt| {
            let mut statement = connection.prepare(&attempt.text)?;
            let changed = statement.execute(rusqlite::params_from_iter(attempt.parameters.iter().map(Parameter)))?;
            Ok(changed as u64)
        })
        .collect();
    Ok(Rehearsal { tables, outcomes, lacks: Vec::new() })
}
