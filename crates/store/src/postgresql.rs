//! PostgreSQL, for those who make schemas: a connection for each piece of work, which ends with it. The password is never shown.

mod connect;
mod inspect;
mod migrate;
mod rehearse;
mod roles;
mod tls;
mod trouble;
mod value;

use crate::StoreError;
use crate::database::Seen;
use crate::error::Trouble;
use connect::{blocking, server_version};
use plan::database::DatabasePlace;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use trouble::said;
use vocab::TableName;

pub use connect::Server;

impl Server {
    /// What is there now.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let version = server_version(&client).await?;
            Ok(Seen {
                tables: inspect::tables(&client).await?,
                applied: migrate::applied(&client, scope).await?,
                place: Some(place(&client).await?),
                filled: inspect::filled(&client).await?,
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
}

/// The schema is where new tables are made.
async fn place(client: &Client) -> Result<DatabasePlace, StoreError> {
    let row = client
        .query_one("SELECT current_database()::text, COALESCE(current_schema()::text, ''), current_user::text", &[])
        .await?;
    Ok(DatabasePlace { database: row.try_get(0)?, schema: row.try_get(1)?, user: row.try_get(2)? })
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Conflict,
            Some(&(SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION)) => Self::Reference,
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Self::NotConnected(Trouble::ReadOnly, said(&error)),
            Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED | SqlState::ADMIN_SHUTDOWN)) => {
                Self::Unavailable(said(&error))
            }
            Some(_) => Self::Refused(said(&error)),
            None if error.is_closed() => Self::Unavailable(said(&error)),
            None => Self::Refused(said(&error)),
        }
    }
}
