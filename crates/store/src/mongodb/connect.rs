//! The one place where a client of MongoDB is made: a URL comes in, a database goes out, or why there is none.

use super::inspect::text;
use crate::StoreError;
use crate::blocking::blocking;
use crate::error::Trouble;
use ::mongodb::bson::doc;
use ::mongodb::options::{ClientOptions, Credential};
use ::mongodb::{Client, Database};
use plan::database::Pool;
use std::time::{Duration, Instant};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one is looked for: of a server that is away that is said soon.
const SELECTION_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long one is waited for that nobody sees.
const WAIT_FOR_NOBODY: Duration = Duration::from_secs(2);
const WAIT_PAUSE: Duration = Duration::from_millis(250);
const USUAL_PORT: u16 = 27017;

const FORM: &str = "a MongoDB database is `mongodb://user:password@host:port/database`";

/// A database on a server, or on a set of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    url: Secret<String>,
    /// Whoever connects in the place of the one whom the URL names.
    user: Option<(String, Secret<Zeroizing<String>>)>,
    /// `db.example.com`, with the port where it is not the usual one; the first where there are several.
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
        let rest = url.strip_prefix("mongodb+srv://").or_else(|| url.strip_prefix("mongodb://")).ok_or(FORM)?;
        let (place, _) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = place.split_once('/').unwrap_or((place, ""));
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        let first = hosts.split(',').next().unwrap_or_default();
        if first.is_empty() {
            return Err(format!("{FORM}; the host is missing"));
        }
        if name.is_empty() {
            return Err(format!("{FORM}; the database is missing"));
        }
        let host = first.strip_suffix(&format!(":{USUAL_PORT}")).unwrap_or(first).to_owned();
        Ok(Self { url: Secret::new(url.to_owned()), user: None, host, name: name.to_owned() })
    }

    /// The same database, as somebody else.
    pub(crate) fn as_user(&self, user: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        Self { user: Some((user.to_string(), password.clone())), ..self.clone() }
    }

    /// Another database of the same server.
    pub(super) fn in_database(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Who connects.
    pub(super) fn user(&self) -> String {
        if let Some((user, _)) = &self.user {
            return user.clone();
        }
        let rest = self.url.expose().split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user).split(':').next().unwrap_or_default();
        percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned()
    }

    /// Whether what is said may leave the machine without encryption.
    pub(crate) fn may_be_overheard(&self) -> bool {
        let url = self.url.expose();
        let is_encrypted = url.starts_with("mongodb+srv://") || url.contains("tls=true") || url.contains("ssl=true");
        let host = self.host.trim_start_matches('[');
        let name = host.split([':', ']']).next().unwrap_or_default();
        let stays_here = name == "localhost"
            || [name, host].iter().any(|text| text.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()));
        !stays_here && !is_encrypted
    }

    /// Waits, within a bound, for a server that is about to be started.
    pub fn wait(&self, waiting: &dyn Fn(&str)) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            match blocking(async { self.connect().await.map(drop) }) {
                Err(StoreError::NotConnected(Trouble::Refused, _)) if begun.elapsed() < WAIT_FOR_NOBODY => {
                    waiting(&format!("waiting for the database server: {}", self.host));
                    std::thread::sleep(WAIT_PAUSE);
                }
                ended => return ended,
            }
        }
    }

    /// The database, of a server that answers, and its version as responses show it.
    pub(super) async fn connect(&self) -> Result<(Database, String), StoreError> {
        let database = self.client(Pool { max: 2, ..Pool::default() }).await?.database(&self.name);
        let said = database.run_command(doc! { "buildInfo": 1 }).await?;
        // One that takes no changes is of no use.
        let hello = database.run_command(doc! { "hello": 1 }).await?;
        if matches!(hello.get_bool("isWritablePrimary"), Ok(false)) {
            let why = "it is a secondary, which takes no changes".to_owned();
            return Err(StoreError::NotConnected(Trouble::ReadOnly, why));
        }
        let version = text(&said, "version");
        let short: Vec<&str> = version.split('.').take(2).collect();
        Ok((database, format!("mongodb_{}", short.join("."))))
    }

    /// A client with so many connections; none is made yet.
    pub(super) async fn client(&self, pool: Pool) -> Result<Client, StoreError> {
        let mut options = ClientOptions::parse(self.url.expose().as_str()).await?;
        options.connect_timeout = Some(CONNECT_TIMEOUT);
        options.server_selection_timeout = Some(SELECTION_TIMEOUT);
        options.app_name = Some("Integration Producer".to_owned());
        options.max_pool_size = Some(pool.max);
        options.min_pool_size = Some(pool.min);
        options.max_idle_time = Some(Duration::from_secs(pool.idle_timeout.into()));
        // A member of a set that is named alone is meant alone.
        if options.hosts.len() == 1 && options.repl_set_name.is_none() && !self.url.expose().starts_with("mongodb+srv")
        {
            options.direct_connection.get_or_insert(true);
        }
        if let Some((user, password)) = &self.user {
            let credential = Credential::builder()
                .username(user.clone())
                .password(password.expose().to_string())
                .source(self.name.clone())
                .build();
            options.credential = Some(credential);
        }
        Ok(Client::with_options(options)?)
    }
}

/// What kept us from finding a server, by what the driver says of it.
pub(super) fn not_reached(message: &str) -> StoreError {
    let has = |word: &str| message.contains(word);
    let trouble = match () {
        () if has("refused") => Trouble::Refused,
        () if has("failed to lookup") || has("Name or service") => Trouble::UnknownHost,
        () if has("UnknownIssuer") => Trouble::UnknownAuthority,
        () if has("certificate") => Trouble::BadCertificate,
        () if has("Authentication failed") || has("authentication failed") => Trouble::Authentication,
        () if has("timed out") || has("timeout") => Trouble::TimedOut,
        () => Trouble::Unreachable,
    };
    StoreError::NotConnected(trouble, message.to_owned())
}
