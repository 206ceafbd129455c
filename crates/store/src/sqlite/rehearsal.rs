//! A rehearsal in a private database in memory.

use super::{Parameter, connect, inspect};
use crate::rehearsal::{Attempt, Rehearsal};
use crate::{Location, StoreError};
use plan::Statement;

pub fn rehearse(statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
    let connection = connect(":memory:", &Location::Memory)?;
    for statement in statements {
        connection.execute_batch(&statement.sql)?;
    }
    let tables = inspect::tables(&connection)?;
    let outcomes = attempts
        .iter()
        .map(|attempt| {
            let mut statement = connection.prepare(&attempt.text)?;
            let changed = statement.execute(rusqlite::params_from_iter(attempt.parameters.iter().map(Parameter)))?;
            Ok(changed as u64)
        })
        .collect();
    Ok(Rehearsal { tables, outcomes })
}
