//! PostgreSQL, for those who make schemas: a connection for each piece of work, which ends with it. The password is never shown.

mod inspect;
mod value;

use crate::database::Seen;
use crate::error::Trouble;
use crate::rehearsal::{Attempt, Rehearsal};
use crate::{AppliedMigration, StoreError};
use plan::{Migration, Statement};
use std::error::Error as _;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls};
use value::Text;
use vocab::{Secret, TableName};

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a migration waits for somebody else's lock: longer, and everybody else would wait behind it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '5s'";
/// The oldest version whose words the dialect uses (`CREATE OR REPLACE TRIGGER`).
const OLDEST: i32 = 14;

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: Secret<String>,
    /// `db.example.com`, with the port where it is not the usual one.
    pub host: String,
    /// The database.
    pub name: String,
}

impl Server {
    /// The database of a URL.
    ///
    /// # Errors
    /// What is wrong with the URL; it is not repeated, because it may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
        let form = "a PostgreSQL database is `postgresql://user:password@host:port/database`";
        if !is_url {
            return Err(form.to_owned());
        }
        if url.contains("sslmode=verify") {
            return Err(NO_TLS.to_owned());
        }
        let config = Config::from_str(url).map_err(|_| form.to_owned())?;
        match config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => {}
            _ => return Err(NO_TLS.to_owned()),
        }
        let host = match config.get_hosts() {
            [Host::Tcp(host), ..] => host.clone(),
            #[cfg(unix)]
            [Host::Unix(path), ..] => path.display().to_string(),
            [] => return Err(format!("{form}; the host is missing")),
        };
        let host = match config.get_ports() {
            [] | [5432, ..] => host,
            [port, ..] => format!("{host}:{port}"),
        };
        let name =
            config.get_dbname().or(config.get_user()).ok_or_else(|| format!("{form}; the database is missing"))?;
        Ok(Self { host, name: name.to_owned(), url: Secret::new(url.to_owned()) })
    }

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

    async fn connect(&self) -> Result<Client, StoreError> {
        let mut config = Config::from_str(self.url.expose()).map_err(|_| unreachable_url())?;
        config.connect_timeout(CONNECT_TIMEOUT).application_name("integration_producer");
        let connecting = config.connect(NoTls);
        let (client, connection) = tokio::time::timeout(CONNECT_TIMEOUT * 2, connecting)
            .await
            .map_err(|_| StoreError::NotConnected(Trouble::TimedOut, "the server did not answer in time".to_owned()))?
            .map_err(|error| not_connected(&error))?;
        // Ends when the client is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection to PostgreSQL ended");
            }
        });
        let version = server_version(&client).await?;
        if version < OLDEST {
            let why = format!("it is PostgreSQL {version}, and {OLDEST} is the oldest that will do");
            return Err(StoreError::NotConnected(Trouble::TooOld, why));
        }
        if client.query_one("SELECT pg_is_in_recovery()", &[]).await?.try_get(0)? {
            let why = "it is a replica, which takes no changes".to_owned();
            return Err(StoreError::NotConnected(Trouble::ReadOnly, why));
        }
        Ok(client)
    }
}

const NO_TLS: &str = "this producer does not connect with TLS yet: only `sslmode=disable` and `prefer` are understood";

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

fn unreachable_url() -> StoreError {
    StoreError::NotConnected(Trouble::Other, "the URL cannot be read".to_owned())
}

/// The work on a thread of its own: callers may be inside a runtime, which must not be blocked from within.
fn blocking<T: Send>(work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        runtime.block_on(work)
    };
    let gone = || StoreError::Unavailable("the work on the database panicked".to_owned());
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(gone())))
}

async fn server_version(client: &Client) -> Result<i32, StoreError> {
    let row = client.query_one("SELECT current_setting('server_version_num')::integer / 10000", &[]).await?;
    Ok(row.try_get(0)?)
}

async fn applied(client: &Client, scope: &str) -> Result<Vec<AppliedMigration>, StoreError> {
    let there = client.query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let list = "SELECT name, checksum FROM schema_migrations WHERE scope = $1 ORDER BY name";
    let rows = client.query(list, &[&scope]).await?;
    rows.iter().map(|row| Ok(AppliedMigration { name: row.try_get(0)?, checksum: row.try_get(1)? })).collect()
}

/// What kept us from being let in.
fn not_connected(error: &tokio_postgres::Error) -> StoreError {
    let trouble = match error.as_db_error().map(|error| error.code().clone()) {
        Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => Trouble::Authentication,
        Some(SqlState::INVALID_CATALOG_NAME) => Trouble::DatabaseMissing,
        Some(SqlState::TOO_MANY_CONNECTIONS | SqlState::CANNOT_CONNECT_NOW) => Trouble::Busy,
        Some(_) => Trouble::Other,
        None => trouble_of_network(error),
    };
    StoreError::NotConnected(trouble, said(error))
}

fn trouble_of_network(error: &tokio_postgres::Error) -> Trouble {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::ConnectionRefused => Trouble::Refused,
                std::io::ErrorKind::TimedOut => Trouble::TimedOut,
                _ if io.to_string().contains("lookup") => Trouble::UnknownHost,
                _ => Trouble::Other,
            };
        }
        source = inner.source();
    }
    // The driver has no code for a password that is asked for and not given.
    if said(error).contains("password") { Trouble::Authentication } else { Trouble::Other }
}

/// What the server or the driver says, without the details of rows.
fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::Conflict,
            Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED | SqlState::ADMIN_SHUTDOWN)) => {
                Self::Unavailable(said(&error))
            }
            Some(_) => Self::Refused(said(&error)),
            None if error.is_closed() => Self::Unavailable(said(&error)),
            None => Self::Refused(said(&error)),
        }
    }
}
