//! PostgreSQL, for those who make schemas: a connection for each piece of work, which ends with it. The password is never shown.

mod api_keys;
mod condition;
mod connect;
mod copy;
mod inspect;
mod locks;
mod migrate;
mod rehearse;
mod replicas;
mod roles;
mod scratch;
mod serving;
mod tls;
mod trouble;
mod value;

use crate::StoreError;
use crate::blocking::blocking;
use crate::database::Seen;
use crate::error::{Late, Trouble};
use crate::patience::Patience;
use connect::server_version;
use plan::database::DatabasePlace;
use std::error::Error as _;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use trouble::said;
use vocab::TableName;

pub use connect::Server;
pub use copy::StillPoint;
pub use scratch::ScratchSchema;
pub use serving::{PostgreSqlStore, PostgreSqlTransaction};

impl Server {
    /// What is there now.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let process = locks::process(&client).await?;
            // Expressions of the catalogue are told with the table at hand, so whoever has locked it keeps lookers out too.
            let patience = Patience::new();
            loop {
                match locks::watched(self, process, look(&client, scope)).await {
                    Err(error) if patience.tries_again(&error).await => {}
                    ended => return ended,
                }
            }
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
}

async fn look(client: &Client, scope: &str) -> Result<Seen, StoreError> {
    Ok(Seen {
        tables: inspect::tables(client).await?,
        applied: migrate::applied(client, scope).await?,
        begun: migrate::begun(client, scope).await?,
        place: Some(place(client).await?),
        filled: inspect::filled(client).await?,
        most_connections: Some(connect::most_connections(client).await?),
        version: format!("postgresql_{}", server_version(client).await?),
    })
}

/// An extension that is trusted is made by whoever may make schemas in the database.
const PLACE: &str = "SELECT current_database()::text, COALESCE(current_schema()::text, ''), current_user::text,
  EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist')
  OR EXISTS (SELECT FROM pg_available_extensions WHERE name = 'btree_gist')
    AND has_database_privilege(current_database(), 'CREATE')";

/// The schema is where new tables are made.
async fn place(client: &Client) -> Result<DatabasePlace, StoreError> {
    let row = client.query_one(PLACE, &[]).await?;
    Ok(DatabasePlace {
        database: row.try_get(0)?,
        schema: row.try_get(1)?,
        user: row.try_get(2)?,
        keeps_apart: row.try_get(3)?,
    })
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let said = said(&error);
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Conflict,
            Some(&SqlState::EXCLUSION_VIOLATION) => Self::Overlap,
            Some(&(SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION)) => Self::Reference,
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Self::NotConnected(Trouble::ReadOnly, said),
            // Another transaction was in the way, or a statement was prepared before its table changed.
            Some(
                &(SqlState::T_R_SERIALIZATION_FAILURE
                | SqlState::T_R_DEADLOCK_DETECTED
                | SqlState::INVALID_SQL_STATEMENT_NAME),
            ) => Self::Contended(said),
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Self::Locked {
                who: format!("another session holds a lock: {said}"),
                way: "let it end (`SELECT * FROM pg_locks WHERE NOT granted` shows who waits for what), and run again"
                    .to_owned(),
            },
            Some(&SqlState::FEATURE_NOT_SUPPORTED) if said.contains("cached plan") => Self::Contended(said),
            Some(&SqlState::QUERY_CANCELED) => Self::Late(Late::Statement, said),
            // The server ends, or somebody has ended the connection.
            Some(&(SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW)) => {
                Self::Lost(said)
            }
            Some(
                &(SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                | SqlState::TOO_MANY_CONNECTIONS
                | SqlState::DISK_FULL
                | SqlState::OUT_OF_MEMORY),
            ) => Self::Unavailable(said),
            // Views, keys, functions: the detail names them, and no row.
            Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                let detail = error.as_db_error().and_then(|said| said.detail()).unwrap_or_default();
                Self::Refused(format!("{said}: {}", detail.replace('\n', "; ")))
            }
            Some(_) => Self::Refused(said),
            None if error.is_closed() || is_of_network(&error) => Self::Lost(said),
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
