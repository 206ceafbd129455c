//! PostgreSQL, for those who make schemas: a connection for each piece of work, which ends with it. The password is never shown.

mod api_keys;
mod connect;
mod inspect;
mod scratch;
mod serving;
mod tls;
mod trouble;
mod value;

use crate::database::Seen;
use crate::error::Trouble;
use crate::rehearsal::{Attempt, Rehearsal};
use crate::{AppliedMigration, StoreError};
use connect::{blocking, server_version};
use plan::{Migration, Statement};
use std::error::Error as _;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use trouble::said;
use value::Text;
use vocab::TableName;

pub use connect::Server;
pub use scratch::ScratchSchema;
pub use serving::{PostgreSqlStore, PostgreSqlTransaction};

/// How long a migration waits for somebody else's lock: longer, and everybody else would wait behind it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";

impl Server {
    /// What is there now.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let version = server_version(&client).await?;
            Ok(Seen {
                tables: inspect::tables(&client).await?,
                applied: applied(&client, scope).await?,
                version: format!("postgresql_{version}"),
            })
        })
    }

    /// How many rows those of the tables hold that are there.
    pub fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let mut rows = 0;
            for table in tables {
                let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&format!("\"{table}\"")]).await?;
                if there.try_get(0)? {
                    let count = format!("SELECT count(*) FROM \"{table}\"");
                    rows += client.query_one(&count, &[]).await?.try_get::<_, i64>(0)?;
                }
            }
            Ok(rows)
        })
    }

    /// Each migration with its row of the ledger in one transaction. The lock ends with the transaction, and so with its holder.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            let mut done = Vec::new();
            for migration in migrations {
                let checksum = dialect::migration::checksum(migration);
                let transaction = client.transaction().await?;
                transaction.batch_execute(LOCK_TIMEOUT).await?;
                transaction.batch_execute(LOCK).await?;
                transaction.batch_execute(LEDGER).await?;
                let find = "SELECT checksum FROM schema_migrations WHERE scope = $1 AND name = $2";
                let recorded = transaction.query_opt(find, &[&scope, &migration.name]).await?;
                match recorded.map(|row| row.try_get::<_, String>(0)).transpose()? {
                    Some(recorded) if recorded == checksum => continue,
                    Some(_) => return Err(StoreError::MigrationChanged { name: migration.name.clone() }),
                    None => {}
                }
                for statement in &migration.statements {
                    transaction.batch_execute(&statement.sql).await?;
                }
                let note = "INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
                let now = Text(&vocab::Datum::Text(now.to_owned()));
                transaction.execute(note, &[&scope, &migration.name, &checksum, &now]).await?;
                transaction.commit().await?;
                done.push(migration.name.clone());
            }
            Ok(done)
        })
    }

    /// In a schema of its own, inside a transaction that is undone.
    pub fn rehearse(&self, statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            let transaction = client.transaction().await?;
            let schema = format!("producer_rehearsal_{}", std::process::id());
            transaction.batch_execute(&format!("CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}")).await?;
            for statement in statements {
                transaction.batch_execute(&statement.sql).await?;
            }
            let tables = inspect::tables(transaction.client()).await?;
            let mut outcomes = Vec::with_capacity(attempts.len());
            for attempt in attempts {
                transaction.batch_execute("SAVEPOINT attempt").await?;
                let values: Vec<Text<'_>> = attempt.parameters.iter().map(Text).collect();
                let values: Vec<&(dyn ToSql + Sync)> =
                    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
                let outcome = transaction.execute(&attempt.text, &values).await.map_err(StoreError::from);
                if outcome.is_err() {
                    transaction.batch_execute("ROLLBACK TO SAVEPOINT attempt").await?;
                }
                transaction.batch_execute("RELEASE SAVEPOINT attempt").await?;
                outcomes.push(outcome);
            }
            transaction.rollback().await?;
            Ok(Rehearsal { tables, outcomes })
        })
    }
}

/// One migrating program at a time in a database; the number is this product's own.
const LOCK: &str = "SELECT pg_advisory_xact_lock(5241713205)";

/// Made by whoever migrates first.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  scope text NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL,
  PRIMARY KEY (scope, name)
)";

async fn applied(client: &Client, scope: &str) -> Result<Vec<AppliedMigration>, StoreError> {
    let there = client.query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let list = "SELECT name, checksum FROM schema_migrations WHERE scope = $1 ORDER BY name";
    let rows = client.query(list, &[&scope]).await?;
    rows.iter().map(|row| Ok(AppliedMigration { name: row.try_get(0)?, checksum: row.try_get(1)? })).collect()
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let said = said(&error);
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Conflict,
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Self::NotConnected(Trouble::ReadOnly, said),
            // Another transaction was in the way, or a statement was prepared before its table changed.
            Some(
                &(SqlState::T_R_SERIALIZATION_FAILURE
                | SqlState::T_R_DEADLOCK_DETECTED
                | SqlState::INVALID_SQL_STATEMENT_NAME),
            ) => Self::Contended(said),
            Some(&SqlState::FEATURE_NOT_SUPPORTED) if said.contains("cached plan") => Self::Contended(said),
            Some(
                &(SqlState::LOCK_NOT_AVAILABLE
                | SqlState::QUERY_CANCELED
                | SqlState::ADMIN_SHUTDOWN
                | SqlState::CRASH_SHUTDOWN
                | SqlState::CANNOT_CONNECT_NOW
                | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                | SqlState::TOO_MANY_CONNECTIONS
                | SqlState::DISK_FULL
                | SqlState::OUT_OF_MEMORY),
            ) => Self::Unavailable(said),
            Some(_) => Self::Refused(said),
            None if error.is_closed() || is_of_network(&error) => Self::Unavailable(said),
            None => Self::Refused(said),
        }
    }
}

fn is_of_network(error: &tokio_postgres::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}
