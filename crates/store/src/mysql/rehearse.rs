//! A rehearsal in a database of its own, which goes whatever comes of it. One that a program left behind when it was killed goes with
//! the next rehearsal: its name is a lock, and nobody holds that any more.

use super::connect::{Maker, Server};
use super::value::parameters;
use super::{inspect, migrate};
use crate::StoreError;
use crate::blocking::blocking;
use crate::rehearsal::{Attempt, Rehearsal};
use dialect::mysql::quote;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use plan::Statement;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &str = "producer_rehearsal_";

const LEFT_BEHIND: &str = "SELECT schema_name FROM information_schema.schemata
WHERE schema_name LIKE 'producer\\_rehearsal\\_%' AND IS_FREE_LOCK(schema_name) = 1";

impl Server {
    /// In a database of its own, which is dropped.
    pub fn rehearse(&self, statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            drop_left_behind(&mut connection).await?;
            let name = scratch_name();
            connection.exec_drop("DO GET_LOCK(?, 0)", (&name,)).await?;
            connection
                .query_drop(format!("CREATE DATABASE {0}; USE {0}", quote(&name)))
                .await
                .map_err(|error| no_scratch(error, &self.name))?;
            let rehearsal = on_scratch(&mut connection, version.maker, statements, attempts).await;
            let dropped = connection.query_drop(format!("DROP DATABASE {}", quote(&name))).await;
            let rehearsal = rehearsal?;
            dropped?;
            connection.disconnect().await?;
            Ok(rehearsal)
        })
    }
}

/// A name that nobody else has.
pub(super) fn scratch_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{PREFIX}{}_{moment}_{number}", std::process::id())
}

/// Drops the databases that programs have left behind which were killed.
pub(super) async fn drop_left_behind(connection: &mut Conn) -> Result<(), StoreError> {
    for name in connection.query::<String, _>(LEFT_BEHIND).await? {
        connection.query_drop(format!("DROP DATABASE IF EXISTS {}", quote(&name))).await?;
    }
    Ok(())
}

async fn on_scratch(
    connection: &mut Conn,
    maker: Maker,
    statements: &[&Statement],
    attempts: &[Attempt],
) -> Result<Rehearsal, StoreError> {
    for statement in statements {
        migrate::define(connection, statement).await?;
    }
    let tables = inspect::tables(connection, maker).await?;
    let mut outcomes = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        // A statement that is refused changes nothing by itself.
        let outcome = connection.exec_drop(&attempt.text, parameters(&attempt.parameters)).await;
        outcomes.push(outcome.map(|()| connection.affected_rows()).map_err(StoreError::from));
    }
    Ok(Rehearsal { tables, outcomes, lacks: Vec::new() })
}

/// Why there is no database to rehearse in; what helps is a right that the user lacks.
pub(super) fn no_scratch(error: Error, database: &str) -> StoreError {
    match error {
        Error::Server(said) if [1044, 1142, 1227].contains(&said.code) => StoreError::Refused(format!(
            "{}. Before `{database}` is touched, its tables are made and tried in a scratch database `{PREFIX}...`, which \
             the user may not make: GRANT ALL ON `producer\\_rehearsal\\_%`.* TO that user",
            said.message
        )),
        other => other.into(),
    }
}
