//! The one place where a connection to MySQL or MariaDB is made: a URL comes in, a connection goes out, or why there is none. The
//! password is never shown.

use super::said;
use crate::StoreError;
use crate::blocking::blocking;
use crate::error::Trouble;
use crate::renewing::Entrance;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, SslOpts};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The oldest versions that have the words of the dialect (`CREATE TRIGGER IF NOT EXISTS`, the collations) and that are still kept.
const OLDEST_MYSQL: [u16; 3] = [8, 0, 29];
const OLDEST_MARIADB: [u16; 3] = [10, 11, 0];
/// After so long a server that has said nothing is listened to: it speaks first, and says at once who it is.
const SILENCE: Duration = Duration::from_secs(2);
const LISTEN: Duration = Duration::from_secs(1);
/// How long a server is waited for that is starting or ending, and one that nobody sees: one that starts is seen late.
const WAIT_FOR_STARTING: Duration = Duration::from_secs(30);
const WAIT_FOR_NOBODY: Duration = Duration::from_secs(2);
const WAIT_PAUSE: Duration = Duration::from_millis(250);
const USUAL_PORT: u16 = 3306;

/// Statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;

/// What each connection is set to, whatever the server's own settings are: wrong values are refused, times are UTC, and nothing waits
/// longer for somebody else's lock, because everybody else would wait behind it.
const SETUP: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
    NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', group_concat_max_len = 67108864, lock_wait_timeout = 5, \
    innodb_lock_wait_timeout = 5";

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub(super) url: Secret<String>,
    /// The URLs of the others, where several are named: one of them takes changes at a time.
    pub(super) others: Vec<Secret<String>>,
    encryption: Encryption,
    /// Whoever connects in the place of the one whom the URL names.
    user: Option<(String, Secret<Zeroizing<String>>)>,
    /// `db.example.com`, with the port where it is not the usual one.
    pub host: String,
    /// The database.
    pub name: String,
}

/// Whether what goes over the network can be read there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Encryption {
    None,
    /// Whoever answers is believed.
    Unverified,
    /// Whoever answers proves it: by a certificate from `authority`, or else from one that browsers trust.
    Verified {
        authority: Option<PathBuf>,
    },
}

/// Who made a server, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub maker: Maker,
    number: [u16; 3],
}

/// The two servers of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    MySql,
    MariaDb,
}

impl fmt::Display for Version {
    /// As responses show it: `mariadb_10.11`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let maker = match self.maker {
            Maker::MySql => "mysql",
            Maker::MariaDb => "mariadb",
        };
        write!(formatter, "{maker}_{}.{}", self.number[0], self.number[1])
    }
}

const FORM: &str = "a MySQL database is `mysql://user:password@host:port/database`";

impl Server {
    /// The database of a URL.
    ///
    /// # Errors
    /// What is wrong with the URL; it is not repeated, because it may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://")).ok_or(FORM)?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let mut urls = one_host_each(place).into_iter().map(|place| format!("mysql://{place}"));
        let url = urls.next().unwrap_or_default();
        let others: Vec<_> = urls.map(Secret::new).collect();
        if others.iter().any(|other| Opts::from_url(other.expose()).is_err()) {
            return Err(FORM.to_owned());
        }
        let options = Opts::from_url(&url).map_err(|_| FORM.to_owned())?;
        let host = options.ip_or_hostname();
        let authority = place.split('/').next().unwrap_or_default();
        if authority.rsplit('@').next().unwrap_or_default().is_empty() {
            return Err(format!("{FORM}; the host is missing"));
        }
        let host = match options.tcp_port() {
            USUAL_PORT => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let name = options.db_name().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| format!("{FORM}; the database is missing"))?.to_owned();
        Ok(Self { url: Secret::new(url), others, encryption: encryption(parameters)?, user: None, host, name })
    }

    /// The same database, as somebody else.
    pub(crate) fn as_user(&self, user: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        Self { user: Some((user.to_string(), password.clone())), ..self.clone() }
    }

    /// Another database of the same server.
    pub(super) fn in_database(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Whether what is said may leave the machine without encryption.
    pub(crate) fn may_be_overheard(&self) -> bool {
        let address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>();
        let stays_here = |url: &Secret<String>| {
            let host = Opts::from_url(url.expose()).map(|options| options.ip_or_hostname().to_owned());
            host.is_ok_and(|host| host == "localhost" || address(&host).is_ok_and(|address| address.is_loopback()))
        };
        let all_stay_here = std::iter::once(&self.url).chain(&self.others).all(stays_here);
        !all_stay_here && self.encryption == Encryption::None
    }

    /// Waits, within a bound, for a server that is starting or about to be started.
    pub fn wait(&self, waiting: &dyn Fn(&str)) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            let error = match blocking(async { Ok(self.connect().await?.0.disconnect().await?) }) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let bound = match error {
                StoreError::NotConnected(Trouble::Starting, _) => WAIT_FOR_STARTING,
                StoreError::NotConnected(Trouble::Refused, _) => WAIT_FOR_NOBODY,
                _ => return Err(error),
            };
            if begun.elapsed() >= bound {
                return Err(error);
            }
            waiting(&format!("waiting for the database server: {}", self.host));
            std::thread::sleep(WAIT_PAUSE);
        }
    }

    /// Makes the database where the server has none of that name. Says what it is like if it was made now.
    pub fn create(&self) -> Result<Option<String>, StoreError> {
        blocking(async {
            match self.connect().await {
                Ok((connection, _)) => {
                    connection.disconnect().await?;
                    return Ok(None);
                }
                Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => {}
                Err(error) => return Err(error),
            }
            let options = OptsBuilder::from_opts(self.options()?).db_name(None::<String>);
            let mut connection = Conn::new(options).await.map_err(|error| not_connected(&error))?;
            let create =
                format!("CREATE DATABASE IF NOT EXISTS `{}` CHARACTER SET utf8mb4", self.name.replace('`', "``"));
            connection.query_drop(create).await.map_err(|error| {
                let (name, why) = (&self.name, said(&error));
                let why = format!("the server has no database `{name}`, and none could be made: {why}");
                StoreError::NotConnected(Trouble::DatabaseMissing, why)
            })?;
            connection.disconnect().await?;
            Ok(Some("utf8mb4".to_owned()))
        })
    }

    /// The most connections that the server lets in.
    pub fn most_connections(&self) -> Result<u32, StoreError> {
        blocking(async {
            let mut connection = match self.connect().await {
                Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => {
                    let options = OptsBuilder::from_opts(self.options()?).db_name(None::<String>);
                    Conn::new(options).await.map_err(|error| not_connected(&error))?
                }
                connected => connected?.0,
            };
            let most = connection.query_first("SELECT @@max_connections").await?.unwrap_or_default();
            connection.disconnect().await?;
            Ok(most)
        })
    }

    /// The connections that somebody has, without the one that asks.
    pub(crate) fn taken_connections(&self) -> Result<u32, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let taken: Option<(String, u32)> =
                connection.query_first("SHOW GLOBAL STATUS LIKE 'Threads_connected'").await?;
            connection.disconnect().await?;
            Ok(taken.map_or(0, |(_, taken)| taken.saturating_sub(1)))
        })
    }

    /// A connection of its own, to a server that will do: new enough, and one that takes changes.
    pub(super) async fn connect(&self) -> Result<(Conn, Version), StoreError> {
        let mut failed = match self.connect_first().await {
            Err(error) if !self.others.is_empty() => error,
            ended => return ended,
        };
        for url in &self.others {
            let other = Self { url: url.clone(), ..self.clone() };
            match other.connect_first().await {
                Ok(connected) => return Ok(connected),
                Err(error) => failed = error,
            }
        }
        Err(match failed {
            // One of them becomes the primary.
            StoreError::NotConnected(Trouble::ReadOnly, _) => {
                let why = "of the servers none takes changes now".to_owned();
                StoreError::NotConnected(Trouble::Starting, why)
            }
            other => other,
        })
    }

    pub(super) async fn connect_first(&self) -> Result<(Conn, Version), StoreError> {
        let options = self.options()?;
        let (host, port) = (options.ip_or_hostname().to_owned(), options.tcp_port());
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(options));
        let connected = tokio::select! {
            connected = connecting => connected,
            () = silence(&host, port) => {
                let why = "it takes connections and says nothing, where this server would speak first".to_owned();
                return Err(StoreError::NotConnected(Trouble::NotTheServer, why));
            }
        };
        let mut connection = connected
            .map_err(|_| StoreError::NotConnected(Trouble::TimedOut, "the server did not answer in time".to_owned()))?
            .map_err(|error| not_connected(&error))?;
        let version = version(&mut connection).await?;
        let (oldest, maker) = match version.maker {
            Maker::MySql => (OLDEST_MYSQL, "MySQL"),
            Maker::MariaDb => (OLDEST_MARIADB, "MariaDB"),
        };
        if version.number < oldest {
            let dotted = |number: [u16; 3]| number.map(|part| part.to_string()).join(".");
            let why =
                format!("it is {maker} {}, and {} is the oldest that will do", dotted(version.number), dotted(oldest));
            return Err(StoreError::NotConnected(Trouble::TooOld, why));
        }
        let read_only: Option<String> = connection.query_first("SELECT CAST(@@global.read_only AS CHAR)").await?;
        if !matches!(read_only.as_deref(), Some("0" | "OFF") | None) {
            let why = "it is a replica, which takes no changes".to_owned();
            return Err(StoreError::NotConnected(Trouble::ReadOnly, why));
        }
        Ok((connection, version))
    }

    /// The words by which the engine's own programs come to this server, and the password, which is none of them.
    pub(super) fn words_for_programs(&self) -> Result<(Vec<String>, Zeroizing<String>), StoreError> {
        let options = self.options()?;
        let (user, password) = self.user_and_password()?;
        let mut words = vec![
            "--protocol=TCP".to_owned(),
            format!("--host={}", options.ip_or_hostname().trim_matches(['[', ']'])),
            format!("--port={}", options.tcp_port()),
            format!("--user={user}"),
        ];
        match &self.encryption {
            Encryption::None => words.push("--skip-ssl".to_owned()),
            Encryption::Unverified => words.push("--ssl".to_owned()),
            Encryption::Verified { authority } => {
                words.extend(["--ssl".to_owned(), "--ssl-verify-server-cert".to_owned()]);
                words.extend(authority.as_ref().map(|path| format!("--ssl-ca={}", path.display())));
            }
        }
        Ok((words, password))
    }

    /// Who connects.
    ///
    /// # Errors
    /// [`StoreError`] when the URL cannot be read.
    pub fn user_and_password(&self) -> Result<(String, Zeroizing<String>), StoreError> {
        let options = self.options()?;
        let password = Zeroizing::new(options.pass().unwrap_or_default().to_owned());
        Ok((options.user().unwrap_or_default().to_owned(), password))
    }

    fn options(&self) -> Result<Opts, StoreError> {
        let unreadable = || StoreError::NotConnected(Trouble::Other, "the URL cannot be read".to_owned());
        let options = Opts::from_url(self.url.expose()).map_err(|_| unreadable())?;
        let (host, port) = (options.ip_or_hostname().to_owned(), options.tcp_port());
        let ssl = match &self.encryption {
            Encryption::None => None,
            Encryption::Unverified => Some(SslOpts::default().with_danger_accept_invalid_certs(true)),
            Encryption::Verified { authority: Some(path) } => {
                let roots = SslOpts::default().with_root_certs(vec![path.clone().into()]);
                Some(roots.with_disable_built_in_roots(true))
            }
            Encryption::Verified { authority: None } => Some(SslOpts::default()),
        };
        // A row that is found counts as changed, as with the other engines; the host is looked up within the time limit.
        let builder = OptsBuilder::from_opts(options).ip_or_hostname(host).tcp_port(port).client_found_rows(true);
        let builder = builder.db_name(Some(&self.name)).stmt_cache_size(PREPARED_STATEMENTS);
        let builder = match &self.user {
            Some((user, password)) => builder.user(Some(user)).pass(Some(password.expose().as_str())),
            None => builder,
        };
        Ok(builder.prefer_socket(false).setup(vec!["SET NAMES utf8mb4", SETUP]).ssl_opts(ssl).into())
    }
}

/// `user:password@first:3306,second:3307/database` with a host each.
fn one_host_each(place: &str) -> Vec<String> {
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    let sign = if user.is_empty() { "" } else { "@" };
    hosts.split(',').map(|host| format!("{user}{sign}{host}/{path}")).collect()
}

/// Ends where somebody takes connections and waits to be spoken to, as PostgreSQL and most others do. It is only looked at when the
/// server has let nobody in for a while: what hangs up without a word counts as a failure with the server.
async fn silence(host: &str, port: u16) {
    tokio::time::sleep(SILENCE).await;
    if let Ok(Ok(socket)) = tokio::time::timeout(LISTEN, TcpStream::connect((host, port))).await
        && tokio::time::timeout(LISTEN, socket.readable()).await.is_err()
    {
        return;
    }
    // It speaks, or is not reached: whoever connects says how that ends.
    std::future::pending().await
}

/// What the URL says behind its `?`: `ssl-mode` and `ssl-ca`, as MySQL's own programs have them.
fn encryption(parameters: &str) -> Result<Encryption, String> {
    let mut mode = String::new();
    let mut authority = None;
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "ssl-mode" => mode = value.to_ascii_uppercase(),
            "ssl-ca" => {
                let path = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                authority = Some(PathBuf::from(path.as_ref()));
            }
            _ => return Err("of what follows the `?` of the URL, `ssl-mode` and `ssl-ca` are understood".to_owned()),
        }
    }
    match mode.as_str() {
        "" if authority.is_some() => Ok(Encryption::Verified { authority }),
        "" | "DISABLED" | "PREFERRED" => Ok(Encryption::None),
        "REQUIRED" => Ok(Encryption::Unverified),
        // The driver looks at the name whenever it looks at the certificate: more is refused than asked for, and nothing less.
        "VERIFY_CA" | "VERIFY_IDENTITY" => Ok(Encryption::Verified { authority }),
        _ => Err("`ssl-mode` is `DISABLED`, `PREFERRED`, `REQUIRED`, `VERIFY_CA` or `VERIFY_IDENTITY`".to_owned()),
    }
}

async fn version(connection: &mut Conn) -> Result<Version, StoreError> {
    let said: Option<String> = connection.query_first("SELECT VERSION()").await?;
    Ok(read_version(&said.unwrap_or_default()))
}

/// `10.11.19-MariaDB-0+deb12u1`, `8.4.3`.
fn read_version(said: &str) -> Version {
    let maker = if said.contains("MariaDB") { Maker::MariaDb } else { Maker::MySql };
    let mut parts = said.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or_default());
    let number = [(); 3].map(|()| parts.next().unwrap_or_default());
    Version { maker, number }
}

/// What kept us from being let in.
fn not_connected(error: &Error) -> StoreError {
    let trouble = match error {
        Error::Server(said) => match said.code {
            1045 | 1698 => Trouble::Authentication,
            1044 => Trouble::NotAllowed,
            // A user that is locked.
            3118 | 4151 => Trouble::RoleMissing,
            1129 | 1130 => Trouble::NotAdmitted,
            1049 => Trouble::DatabaseMissing,
            1040 | 1203 | 1226 => Trouble::Busy,
            1053 => Trouble::Starting,
            _ => Trouble::Other,
        },
        // What is said about a certificate while hands are shaken comes as an error of the connection.
        Error::Io(IoError::Io(io)) if io.to_string().contains("peer certificate") => trouble_of_tls(&io.to_string()),
        Error::Io(IoError::Io(io)) => match io.kind() {
            // Of all that is done here only the authorities are a file.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::IsADirectory => {
                Trouble::NoRoots
            }
            std::io::ErrorKind::ConnectionRefused => Trouble::Refused,
            std::io::ErrorKind::TimedOut => Trouble::TimedOut,
            std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => Trouble::Unreachable,
            std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::InvalidData => Trouble::NotTheServer,
            _ if io.to_string().contains("lookup") => Trouble::UnknownHost,
            _ => Trouble::Other,
        },
        Error::Driver(DriverError::UnknownAuthPlugin { .. } | DriverError::MysqlOldPasswordDisabled) => {
            Trouble::Authentication
        }
        Error::Driver(DriverError::NoClientSslFlagFromServer) => Trouble::TlsNotOffered,
        Error::Driver(
            DriverError::PacketOutOfOrder
            | DriverError::UnexpectedPacket { .. }
            | DriverError::ConnectionClosed
            | DriverError::CantParseServerVersion { .. },
        ) => Trouble::NotTheServer,
        Error::Io(IoError::Tls(tls)) => trouble_of_tls(&tls.to_string()),
        Error::Driver(_) | Error::Url(_) | Error::Other(_) => Trouble::Other,
    };
    StoreError::NotConnected(trouble, said(error))
}

/// The words are those of `rustls`.
fn trouble_of_tls(said: &str) -> Trouble {
    match said {
        _ if said.contains("UnknownIssuer") => Trouble::UnknownAuthority,
        _ if said.contains("NotValidForName") || said.contains("not valid for name") => Trouble::OtherName,
        _ if said.contains("invalid peer certificate") => Trouble::BadCertificate,
        _ => Trouble::Tls,
    }
}

impl Entrance for Server {
    type Connection = Conn;

    async fn enter(&self) -> Result<Conn, StoreError> {
        Ok(self.connect().await?.0)
    }

    fn with_password(&self, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        self.as_user(role, password)
    }
}

#[cfg(test)]
mod tests {
    use super::{Encryption, Maker, Server, not_connected, read_version};
    use crate::{StoreError, Trouble};
    use std::io::ErrorKind;

    #[test]
    fn urls() {
        let server = Server::parse("mariadb://ada:hunter2@db.example.com/shop?ssl-mode=verify_identity").unwrap();
        assert_eq!((server.host.as_str(), server.name.as_str()), ("db.example.com", "shop"));
        assert_eq!(server.encryption, Encryption::Verified { authority: None });
        let server = Server::parse("mysql://ada:p%40ss@[::1]:3307/shop?ssl-ca=%2Fetc%2Fca.pem").unwrap();
        assert_eq!(server.host, "[::1]:3307");
        assert_eq!(server.encryption, Encryption::Verified { authority: Some("/etc/ca.pem".into()) });
        let several = Server::parse("mysql://ada:p%40ss@first,second.example.com:3307/shop").unwrap();
        let urls = several.others.iter().map(|url| url.expose().as_str()).collect::<Vec<_>>();
        assert_eq!((several.host.as_str(), urls), ("first", vec!["mysql://ada:p%40ss@second.example.com:3307/shop"]));
        assert!(several.may_be_overheard());
        for wrong in [
            "mysql://ada:hunter2@h,i:port/shop",
            "postgresql://ada:hunter2@h/shop",
            "mysql://ada:hunter2@/shop",
            "mysql://ada:hunter2@h",
            "mysql://ada:hunter2@h/",
            "mysql://ada:hunter2@h:port/shop",
            "mysql://ada:hunter2@h/shop?ssl-mode=maybe",
            "mysql://ada:hunter2@h/shop?charset=latin1",
        ] {
            let why = Server::parse(wrong).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(!format!("{server:?}").contains("p%40ss"));
    }

    #[test]
    fn what_is_said_about_certificates_has_its_word() {
        let io = |kind, text: &str| mysql_async::Error::from(std::io::Error::new(kind, text.to_owned()));
        for (kind, text, expected) in [
            (ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer", Trouble::UnknownAuthority),
            (
                ErrorKind::InvalidData,
                "invalid peer certificate: certificate not valid for name \"a\"; it is for \"b\"",
                Trouble::OtherName,
            ),
            (ErrorKind::InvalidData, "invalid peer certificate: Expired", Trouble::BadCertificate),
            (ErrorKind::NotFound, "No such file or directory (os error 2)", Trouble::NoRoots),
            (ErrorKind::InvalidData, "received corrupt message", Trouble::NotTheServer),
        ] {
            let StoreError::NotConnected(trouble, _) = not_connected(&io(kind, text)) else { panic!("{text}") };
            assert_eq!(trouble, expected, "{text}");
        }
    }

    #[test]
    fn versions() {
        let version = read_version("10.11.19-MariaDB-0+deb12u1");
        assert_eq!((version.maker, version.number), (Maker::MariaDb, [10, 11, 19]));
        assert_eq!(version.to_string(), "mariadb_10.11");
        assert_eq!(read_version("8.4.3").to_string(), "mysql_8.4");
        assert!(read_version("8.0.28-0ubuntu0.20.04.3").number < [8, 0, 29]);
    }
}
