//! The one place where a connection to PostgreSQL is made: a URL comes in, a client goes out, or why there is none. The password is never shown.

use crate::StoreError;
use crate::error::Trouble;
use std::error::Error as _;
use std::future::Future;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use vocab::Secret;

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
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

    /// A connection of its own, to a server that will do: new enough, and one that takes changes.
    pub(super) async fn connect(&self) -> Result<Client, StoreError> {
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

fn unreachable_url() -> StoreError {
    StoreError::NotConnected(Trouble::Other, "the URL cannot be read".to_owned())
}

/// The work on a thread of its own: callers may be inside a runtime, which must not be blocked from within.
pub(super) fn blocking<T: Send>(work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
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

/// The server's major version.
pub(super) async fn server_version(client: &Client) -> Result<i32, StoreError> {
    let row = client.query_one("SELECT current_setting('server_version_num')::integer / 10000", &[]).await?;
    Ok(row.try_get(0)?)
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
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
