//! The one place where a connection to PostgreSQL is made: a URL comes in, a client goes out, or why there is none. The password
//! is never shown.

use super::locks::IMPATIENT;
use super::tls::Tls;
use super::trouble::{not_connected, said};
use crate::StoreError;
use crate::blocking::blocking;
use crate::error::Trouble;
use crate::renewing::Entrance;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How long a server may take to let us in, where its URL has no `connect_timeout`: to be reached, and then to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server is waited for that is starting, and one that nobody sees: perhaps it is about to be started.
const WAIT_FOR_STARTING: Duration = Duration::from_secs(30);
const WAIT_FOR_NOBODY: Duration = Duration::from_secs(5);
const WAIT_PAUSE: Duration = Duration::from_millis(250);
/// What a new database may be like: as the server is; where that does not go with UTF-8, by code points.
const NEW_LOCALES: [&str; 3] = ["", " LOCALE 'C.UTF-8'", " LOCALE 'C'"];
/// The oldest version whose words the dialect uses (`CREATE OR REPLACE TRIGGER`).
const OLDEST: u16 = 14;

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: Secret<String>,
    /// Who connects, where it is not the one of the URL.
    role: Option<(String, Secret<Zeroizing<String>>)>,
    tls: Tls,
    /// `db.example.com`, with the port where it is not the usual one.
    pub host: String,
    /// The database.
    pub name: String,
    /// The schema, where it is not the one that the URL leads to.
    schema: Option<String>,
    /// Whether of several hosts one is asked that takes no changes.
    is_replica: bool,
}

impl Server {
    /// The database of a URL.
    ///
    /// # Errors
    /// What is wrong with the URL; it is not repeated, because it may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let form = "a PostgreSQL database is `postgresql://user:password@host:port/database`";
        if !url.starts_with("postgresql://") && !url.starts_with("postgres://") {
            return Err(form.to_owned());
        }
        let (url, tls) = Tls::take_from(url)?;
        let config = Config::from_str(&url).map_err(|_| form.to_owned())?;
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
        Ok(Self {
            host,
            name: name.to_owned(),
            url: Secret::new(url),
            role: None,
            schema: None,
            tls,
            is_replica: false,
        })
    }

    /// The same database, for somebody else.
    pub(crate) fn as_role(&self, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        Self { role: Some((role.to_string(), password.clone())), ..self.clone() }
    }

    /// Whether what is said may leave the machine without encryption.
    pub(crate) fn may_be_overheard(&self) -> bool {
        let Ok(config) = self.config() else { return true };
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        let stays_here = match config.get_hostaddrs() {
            [] => config.get_hosts().iter().all(is_here),
            addresses => addresses.iter().all(IpAddr::is_loopback),
        };
        !stays_here && config.get_ssl_mode() != SslMode::Require
    }

    /// Waits, within a bound, for a server that does not let anybody in yet: one that starts, or that somebody is about to start.
    ///
    /// # Errors
    /// [`StoreError`] when it lets nobody in after that, or for a reason that does not pass by waiting.
    pub fn wait(&self, waiting: &dyn Fn(&str)) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            let error = match blocking(async { self.connect().await.map(drop) }) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let (bound, why) = match error {
                StoreError::NotConnected(Trouble::Starting, _) => (WAIT_FOR_STARTING, "is starting"),
                StoreError::NotConnected(Trouble::Refused, _) => (WAIT_FOR_NOBODY, "does not listen yet"),
                _ => return Err(error),
            };
            if begun.elapsed() >= bound {
                return Err(error);
            }
            waiting(&format!("waiting for the database server: {} {why}", self.host));
            std::thread::sleep(WAIT_PAUSE);
        }
    }

    /// Makes the database where the server has none of that name. Says what it is like if it was made now.
    ///
    /// # Errors
    /// [`StoreError`] when there is none and this role may not make one.
    pub fn create(&self) -> Result<Option<String>, StoreError> {
        blocking(async {
            match self.connect().await {
                Ok(_) => return Ok(None),
                Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => {}
                Err(error) => return Err(error),
            }
            let client = self.connect_beside().await?;
            let mut refused = None;
            for locale in NEW_LOCALES {
                match client.batch_execute(&create_statement(&self.name, locale)).await {
                    Ok(()) => {
                        // Another statement, since a database is made in no transaction; without it the database is as any other.
                        client.batch_execute(&mark_statement(&self.name)).await?;
                        return self.described().await.map(Some);
                    }
                    // Somebody else was quicker.
                    Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => return Ok(None),
                    Err(error) => refused = Some(error),
                }
            }
            let why = refused.map_or_else(String::new, |error| said(&error));
            let why = format!("the server has no database `{}`, and none could be made: {why}", self.name);
            Err(StoreError::NotConnected(Trouble::DatabaseMissing, why))
        })
    }

    /// Another database of the same server, one that every server has.
    async fn connect_beside(&self) -> Result<Client, StoreError> {
        let mut config = self.config()?;
        match self.open(config.dbname("postgres")).await {
            Err(StoreError::NotConnected(Trouble::DatabaseMissing | Trouble::NotAllowed | Trouble::NotAdmitted, _)) => {
                self.open(config.dbname("template1")).await
            }
            opened => opened,
        }
    }

    async fn described(&self) -> Result<String, StoreError> {
        let look = "SELECT pg_encoding_to_char(encoding), datcollate::text FROM pg_database WHERE datname = current_database()";
        let row = self.connect().await?.query_one(look, &[]).await?;
        Ok(format!("{}, {}", row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?))
    }

    /// The most connections that this role can have at a time.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not let us in.
    pub fn most_connections(&self) -> Result<u32, StoreError> {
        blocking(async {
            match self.connect().await {
                Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => {
                    most_connections(&self.connect_beside().await?).await
                }
                client => most_connections(&client?).await,
            }
        })
    }

    /// A session that is idle is given to whoever comes next, with its settings.
    pub(crate) fn keeps_sessions(&self) -> Result<bool, StoreError> {
        blocking(async {
            let (one, other) = (self.connect().await?, self.connect().await?);
            one.batch_execute("SET app.session_of = 'one'").await?;
            let look = "SELECT COALESCE(current_setting('app.session_of', true), '') <> 'one'";
            let is_own = other.query_one(look, &[]).await?.try_get(0)?;
            one.batch_execute("RESET app.session_of").await?;
            Ok(is_own)
        })
    }

    /// The connections that somebody has, without the one that asks.
    pub(crate) fn taken_connections(&self) -> Result<u32, StoreError> {
        blocking(async {
            // Of sessions of others not everybody is told what they are.
            let look = "SELECT COALESCE(sum(numbackends), 1)::integer - 1 FROM pg_stat_database";
            let taken: i32 = self.connect().await?.query_one(look, &[]).await?.try_get(0)?;
            Ok(u32::try_from(taken).unwrap_or(0))
        })
    }

    /// A connection of its own, to a server that will do: new enough, and one that takes changes where no replica is asked for.
    pub(crate) async fn connect(&self) -> Result<Client, StoreError> {
        let client = self.open(&self.config()?).await?;
        client.batch_execute(IMPATIENT).await?;
        if let Some(schema) = &self.schema {
            client.batch_execute(&format!("SET search_path TO {schema}")).await?;
        }
        if self.is_replica {
            return Ok(client);
        }
        let look = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
        let row = client.query_one(look, &[]).await?;
        let why = match (row.try_get(0)?, row.try_get(1)?) {
            (false, false) => return Ok(client),
            (true, _) => "it is a replica, which takes no changes",
            (false, true) => {
                "it takes no changes: `default_transaction_read_only` is on for this role, database or server"
            }
        };
        Err(StoreError::NotConnected(Trouble::ReadOnly, why.to_owned()))
    }

    /// Its replicas, where the URL names several hosts.
    pub(super) fn replicas(&self) -> Option<Self> {
        let hosts = self.config().map_or(0, |config| config.get_hosts().len());
        (hosts > 1).then(|| Self { is_replica: true, ..self.clone() })
    }

    /// The same, in a schema of that name.
    pub(super) fn in_schema(&self, schema: &str) -> Self {
        Self { schema: Some(schema.to_owned()), ..self.clone() }
    }

    fn config(&self) -> Result<Config, StoreError> {
        let mut config = Config::from_str(self.url.expose()).map_err(|_| unreadable_url())?;
        if let Some((user, password)) = &self.role {
            config.user(user).password(password.expose().as_bytes());
        }
        if config.get_application_name().is_none() {
            config.application_name("integration_producer");
        }
        let timeout = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        config.connect_timeout(timeout);
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(match self.is_replica {
                true => TargetSessionAttrs::ReadOnly,
                false => TargetSessionAttrs::ReadWrite,
            });
        }
        // As libpq: nothing is encrypted that does not leave the machine.
        let is_socket = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(_) => false,
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        config.ssl_mode(if is_socket { SslMode::Disable } else { self.tls.mode() });
        Ok(config)
    }

    /// The parts of the URL, for those who connect by other means.
    pub(super) fn reach(&self) -> Result<Reach, StoreError> {
        let config = self.config()?;
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
        let ports = match config.get_ports() {
            [] => vec![USUAL_PORT; hosts.len()],
            [port] => vec![*port; hosts.len()],
            ports => ports.to_vec(),
        };
        let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        let (ssl_mode, roots) = self.tls.for_programs();
        Ok(Reach {
            hosts,
            ports,
            user: config.get_user().unwrap_or_default().to_owned(),
            password: Zeroizing::new(password.unwrap_or_default()),
            ssl_mode,
            roots,
        })
    }

    /// A connection as the configuration says, to a server that is new enough.
    async fn open(&self, config: &Config) -> Result<Client, StoreError> {
        let timeout = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
        let (client, connection) = tokio::time::timeout(timeout * 2 * hosts, config.connect(self.tls.connector()?))
            .await
            .map_err(|_| StoreError::NotConnected(Trouble::TimedOut, "the server did not answer in time".to_owned()))?
            .map_err(|error| match not_connected(&error) {
                // One of them becomes the primary.
                StoreError::NotConnected(Trouble::ReadOnly, _) if hosts > 1 => {
                    let why = "of the servers none takes changes now".to_owned();
                    StoreError::NotConnected(Trouble::Starting, why)
                }
                other => other,
            })?;
        let version = connection.parameter("server_version").and_then(major);
        // Ends when the client is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection to PostgreSQL ended");
            }
        });
        match version {
            Some(OLDEST..) => Ok(client),
            Some(version) => {
                let why = format!("it is PostgreSQL {version}, and {OLDEST} is the oldest that will do");
                Err(StoreError::NotConnected(Trouble::TooOld, why))
            }
            None => Err(StoreError::NotConnected(Trouble::NotTheServer, "it does not say its version".to_owned())),
        }
    }
}

/// How others come to a database.
pub(super) struct Reach {
    pub hosts: Vec<String>,
    pub ports: Vec<u16>,
    pub user: String,
    pub password: Zeroizing<String>,
    /// As libpq means it.
    pub ssl_mode: &'static str,
    pub roots: Option<String>,
}

const USUAL_PORT: u16 = 5432;

/// `15` of `15.18 (Debian 15.18-0+deb12u1)`, `18` of `18beta1`.
fn major(version: &str) -> Option<u16> {
    let end = version.find(|character: char| !character.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

/// From `template0`: nothing that somebody has put into the other template is in it.
fn create_statement(name: &str, locale: &str) -> String {
    let name = name.replace('"', "\"\"");
    format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'{locale}")
}

/// What a database says of itself that the producer has made.
pub(super) const MADE: &str = "made by producer";

fn mark_statement(name: &str) -> String {
    format!("COMMENT ON DATABASE \"{}\" IS '{MADE}'", name.replace('"', "\"\""))
}

fn unreadable_url() -> StoreError {
    StoreError::NotConnected(Trouble::Other, "the URL cannot be read".to_owned())
}

pub(super) async fn most_connections(client: &Client) -> Result<u32, StoreError> {
    let look = "SELECT current_setting('max_connections')::integer \
        - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::integer END, \
        rolconnlimit FROM pg_roles WHERE rolname = current_user";
    let row = client.query_one(look, &[]).await?;
    let (server, role): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
    let most = if role < 0 { server } else { server.min(role) };
    Ok(u32::try_from(most).unwrap_or(0))
}

/// The server's major version.
pub(super) async fn server_version(client: &Client) -> Result<i32, StoreError> {
    let row = client.query_one("SELECT current_setting('server_version_num')::integer / 10000", &[]).await?;
    Ok(row.try_get(0)?)
}

impl Entrance for Server {
    type Connection = Client;

    async fn enter(&self) -> Result<Client, StoreError> {
        self.connect().await
    }

    fn with_password(&self, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        self.as_role(role, password)
    }
}
