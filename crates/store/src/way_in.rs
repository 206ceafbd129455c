//! What to do where a database does not let us in: the trouble comes in, a word for it and a hint in the words of its engine go out.

use crate::Database;
use crate::error::Trouble;
use vocab::Engine;

impl Database {
    /// Its engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::PostgreSql(_) => Engine::PostgreSql,
            Self::MySql(_) => Engine::MySql,
            Self::MongoDb(_) => Engine::MongoDb,
        }
    }

    /// A word for what keeps the database from letting us in, and what to do about it.
    #[must_use]
    pub fn way_in(&self, trouble: Trouble) -> (&'static str, &'static str) {
        (word(trouble), own_hint(self.engine(), trouble).unwrap_or_else(|| hint(trouble)))
    }

    /// What limits how many connections one may have there.
    #[must_use]
    pub fn connection_limits(&self) -> &'static str {
        match self.engine() {
            Engine::PostgreSql | Engine::Sqlite => "the server's `max_connections` or the role's `CONNECTION LIMIT`",
            Engine::MySql => "the server's `max_connections` or the user's `MAX_USER_CONNECTIONS`",
            Engine::MongoDb => "the server's `net.maxIncomingConnections`",
        }
    }

    /// How the connection is encrypted.
    #[must_use]
    pub fn way_to_encrypt(&self) -> &'static str {
        match self.engine() {
            Engine::PostgreSql | Engine::Sqlite => {
                "add `?sslmode=verify-full` to `connection`, with `sslrootcert=FILE` where the authority is your own, or at the least \
                 `?sslmode=require`"
            }
            Engine::MySql => {
                "add `?ssl-mode=VERIFY_IDENTITY` to `connection`, with `ssl-ca=FILE` where the authority is your own, or at the least \
                 `?ssl-mode=REQUIRED`"
            }
            Engine::MongoDb => "add `?tls=true` to `connection`, with `tlsCAFile=FILE` where the authority is your own",
        }
    }
}

fn word(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::UnknownHost => "unknown_host",
        Trouble::Unreachable => "unreachable",
        Trouble::Refused => "refused",
        Trouble::TimedOut => "timed_out",
        Trouble::NotTheServer => "not_the_server",
        Trouble::TlsNotOffered => "tls_not_offered",
        Trouble::UnknownAuthority => "tls_unknown_authority",
        Trouble::OtherName => "tls_host_name",
        Trouble::BadCertificate => "tls_certificate",
        Trouble::Tls => "tls",
        Trouble::NoRoots => "tls_roots",
        Trouble::Authentication => "authentication",
        Trouble::RoleMissing => "role_missing",
        Trouble::NotAdmitted => "not_admitted",
        Trouble::NotAllowed => "not_allowed",
        Trouble::DatabaseMissing => "database_missing",
        Trouble::Busy => "too_many_connections",
        Trouble::Starting => "starting",
        Trouble::TooOld => "too_old",
        Trouble::ReadOnly => "read_only",
        Trouble::NotAFile => "not_a_file",
        Trouble::NoFolder => "no_folder",
        Trouble::Other => "not_connected",
    }
}

/// What to do, whatever the engine.
fn hint(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::UnknownHost => "see that the host in `connection` is spelled right and can be found from here",
        Trouble::Unreachable => "see that this machine has a way to that host: its network, a VPN, a route",
        Trouble::Refused => "see that the server runs, listens at that host and port, and that no firewall is between",
        Trouble::TimedOut => "see that the host and the port are right and that no firewall drops the packets",
        Trouble::NotTheServer => "see that the port in `connection` is the database's and not another program's",
        Trouble::TlsNotOffered => "turn TLS on in the server, with a certificate and a key",
        Trouble::UnknownAuthority => "name the certificate of the authority that signed the server's",
        Trouble::OtherName => {
            "use the host's name as it stands in the server's certificate, or have a certificate made for the name that you use"
        }
        Trouble::BadCertificate => "renew the server's certificate",
        Trouble::Tls => {
            "see that the server speaks TLS 1.2 or newer and wants no certificate of its clients; its log says more"
        }
        Trouble::NoRoots => "see that the file of certificates can be read here and holds them as PEM",
        Trouble::Authentication => "see that user and password in `connection` are right",
        Trouble::RoleMissing => "name a role that exists and may log in",
        Trouble::NotAdmitted => "have the server let this role in from here",
        Trouble::NotAllowed => "let the role into the database",
        Trouble::DatabaseMissing => "have the database made, or name one that exists at the end of `connection`",
        Trouble::Busy => {
            "close connections that nobody needs, raise the server's `max_connections`, or put a pooler before it"
        }
        Trouble::Starting => "wait until the server has started, and run again; its log says what it is at",
        Trouble::TooOld => "use a newer server",
        Trouble::ReadOnly => "connect to the server that takes changes",
        Trouble::NotAFile => "end `connection` with the name of a file: `file:/srv/data/shop.sqlite`",
        Trouble::NoFolder => {
            "see that this user may write in that folder, that it has space, and that no file stands in its way, or name another one in `connection`"
        }
        Trouble::Other => "do what the cause asks for, and run again",
    }
}

/// What to do in an engine's own words, where it has some.
fn own_hint(engine: Engine, trouble: Trouble) -> Option<&'static str> {
    let said = match (engine, trouble) {
        (Engine::PostgreSql, Trouble::TlsNotOffered) => {
            "turn TLS on in the server (`ssl = on` with a certificate and a key), or, on a network that nobody else can read, write `sslmode=disable`"
        }
        (Engine::PostgreSql, Trouble::UnknownAuthority) => {
            "name the certificate of the authority that signed the server's, a PEM file: `sslrootcert=/path/to/ca.pem`"
        }
        (Engine::PostgreSql, Trouble::NoRoots) => {
            "see that `sslrootcert` names a file that can be read here and holds certificates as PEM; without it the system's own list is used"
        }
        (Engine::PostgreSql, Trouble::RoleMissing) => {
            "name a role that exists and may log in, or have it made: `CREATE ROLE name LOGIN PASSWORD '...'`"
        }
        (Engine::PostgreSql, Trouble::NotAdmitted) => {
            "add a line for this role, database and address to the server's `pg_hba.conf` and reload it; if its line there is `hostssl`, write `sslmode=require`"
        }
        (Engine::PostgreSql, Trouble::NotAllowed) => "let the role in: `GRANT CONNECT ON DATABASE name TO role`",
        (Engine::PostgreSql, Trouble::DatabaseMissing) => {
            "let the role make databases (`ALTER ROLE name CREATEDB`), have it made (`CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'`), or name one that exists at the end of `connection`"
        }
        (Engine::PostgreSql, Trouble::ReadOnly) => {
            "connect to the primary server, or name all of them and let the right one be found: `host1,host2/name?target_session_attrs=read-write`"
        }
        (Engine::MySql, Trouble::TlsNotOffered) => {
            "turn TLS on in the server (`ssl_cert` and `ssl_key`), or, on a network that nobody else can read, write `ssl-mode=DISABLED`"
        }
        (Engine::MySql, Trouble::UnknownAuthority) => {
            "name the certificate of the authority that signed the server's, a PEM file: `ssl-ca=/path/to/ca.pem`"
        }
        (Engine::MySql, Trouble::OtherName) => {
            "use the host's name as it stands in the server's certificate, or have a certificate made for the name that you use: those that MySQL makes for itself are for none"
        }
        (Engine::MySql, Trouble::NoRoots) => {
            "see that `ssl-ca` names a file that can be read here and holds certificates as PEM; without it the list that comes with this program is used"
        }
        (Engine::MySql, Trouble::RoleMissing) => {
            "name a user that exists and is not locked, or have it made: `CREATE USER name IDENTIFIED BY '...'`"
        }
        (Engine::MySql, Trouble::NotAdmitted) => {
            "let this user in from here: its name on the server goes with hosts (`'name'@'%'`, `SELECT user, host FROM mysql.user`)"
        }
        (Engine::MySql, Trouble::NotAllowed) => "let the user in: `GRANT ALL ON name.* TO user`",
        (Engine::MySql, Trouble::DatabaseMissing) => {
            "let the user make databases (`GRANT ALL ON name.* TO user`), have it made (`CREATE DATABASE name`), or name one that exists at the end of `connection`"
        }
        (Engine::MySql, Trouble::ReadOnly) => "connect to the server that takes changes: `SELECT @@read_only` tells",
        (Engine::Sqlite | Engine::PostgreSql | Engine::MySql | Engine::MongoDb, _) => return None,
    };
    Some(said)
}
