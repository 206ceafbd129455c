//! A database as those see it who make its schema: looked at, migrated, rehearsed on. One value for every engine.

use crate::contents::Contents;
use crate::error::Trouble;
use crate::mongodb::MongoStore;
use crate::mysql::MySqlStore;
use crate::postgresql::PostgreSqlStore;
use crate::rehearsal::{Attempt, Rehearsal};
use crate::renewing::Renewal;
use crate::sqlite::{self, SqliteStore};
use crate::store::Open;
use crate::{AppliedMigration, Location, MongoServer, MySqlServer, Server, Store, StoreError};
use plan::Migration;
use plan::database::{Condition, DatabasePlace, ObservedTable, Pool, Trial};
use std::path::{Path, PathBuf};
use vocab::{Engine, TableName};

/// Where a schema is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file, made with its folder when it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL database that exists.
    PostgreSql(Server),
    /// A MySQL or MariaDB database that exists.
    MySql(MySqlServer),
    /// A MongoDB database.
    MongoDb(MongoServer),
}

/// What a database was seen to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its tables.
    pub tables: Vec<ObservedTable>,
    /// The migrations of the scope that was asked for.
    pub applied: Vec<AppliedMigration>,
    /// Those of the scope that were begun and not finished, as far as the engine cannot make them whole or not at all.
    pub begun: Vec<AppliedMigration>,
    /// What it is called there, where the engine has a name for it.
    pub place: Option<DatabasePlace>,
    /// The most connections that one may have at a time, where somebody counts them.
    pub most_connections: Option<u32>,
    /// Those of the tables that may hold rows, by name.
    pub filled: Vec<String>,
    /// The engine's version, as responses show it: `sqlite_3.50`.
    pub version: String,
}

impl Database {
    /// The database of a URL or a path. `beside` gives a relative path its place.
    ///
    /// # Errors
    /// What is wrong with the text; it is not repeated, because it may hold a password.
    pub fn parse(engine: Engine, text: &str, beside: impl FnOnce(&str) -> PathBuf) -> Result<Self, String> {
        match engine {
            Engine::PostgreSql => Server::parse(text).map(Self::PostgreSql),
            Engine::MySql => MySqlServer::parse(text).map(Self::MySql),
            Engine::MongoDb => MongoServer::parse(text).map(Self::MongoDb),
            Engine::Sqlite => {
                let path = text.strip_prefix("sqlite:").or_else(|| text.strip_prefix("file:")).unwrap_or(text);
                let path = path.strip_prefix("//").unwrap_or(path);
                if path == ":memory:" {
                    return Err(
                        "a database in memory would be gone with the run; a SQLite database is `file:` and a path"
                            .to_owned(),
                    );
                }
                if path.is_empty() || path.contains(['?', '#', '\0']) || text.contains("://") && path == text {
                    return Err("a SQLite database is `file:` and a path".to_owned());
                }
                Ok(Self::Sqlite(beside(path)))
            }
        }
    }

    /// Waits, within a bound, for a server that is starting or about to be started. `waiting` hears what for.
    ///
    /// # Errors
    /// [`StoreError`] when it lets nobody in after that, or for a reason that does not pass by waiting.
    pub fn wait(&self, waiting: &dyn Fn(&str)) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::PostgreSql(server) => server.wait(waiting),
            Self::MySql(server) => server.wait(waiting),
            Self::MongoDb(server) => server.wait(waiting),
        }
    }

    /// Makes the database where its server has none of that name; a file is made when it is migrated. Says what the new one is
    /// like.
    ///
    /// # Errors
    /// [`StoreError`] when there is none and none may be made.
    pub fn create(&self) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::PostgreSql(server) => server.create(),
            Self::MySql(server) => server.create(),
            // Its first collection makes it.
            Self::MongoDb(_) => Ok(None),
        }
    }

    /// The most connections that one may have at a time; `None` where nobody counts them.
    ///
    /// # Errors
    /// [`StoreError`] when it does not let us in.
    pub fn most_connections(&self) -> Result<Option<u32>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::PostgreSql(server) => server.most_connections().map(Some),
            Self::MySql(server) => server.most_connections().map(Some),
            Self::MongoDb(_) => Ok(None),
        }
    }

    /// Whether who connects has a session of its own, or a pooler between gives each transaction any of them: then what one says of
    /// its session is heard by others.
    ///
    /// # Errors
    /// [`StoreError`] when it does not let us in.
    pub fn keeps_sessions(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) | Self::MySql(_) | Self::MongoDb(_) => Ok(true),
            Self::PostgreSql(server) => server.keeps_sessions(),
        }
    }

    /// How many of them nobody has now.
    ///
    /// # Errors
    /// [`StoreError`] when it does not let us in.
    pub fn free_connections(&self) -> Result<Option<u32>, StoreError> {
        let taken = match self {
            Self::Sqlite(_) | Self::MongoDb(_) => return Ok(None),
            Self::PostgreSql(server) => server.taken_connections()?,
            Self::MySql(server) => server.taken_connections()?,
        };
        Ok(self.most_connections()?.map(|most| most.saturating_sub(taken)))
    }

    /// What is there now; nothing is made or changed. `scope` is the task's id in the ledger.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        match self {
            Self::PostgreSql(server) => server.look(scope),
            Self::MySql(server) => server.look(scope),
            Self::MongoDb(server) => server.look(scope),
            Self::Sqlite(file) => {
                must_be_a_file(file)?;
                match file.exists() {
                    true => SqliteStore::look(file, scope),
                    false => Ok(Seen { version: sqlite::version(), ..Seen::default() }),
                }
            }
        }
    }

    /// How it stands: its indexes, how large it is, how it is used. Nothing is made or changed.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn condition(&self) -> Result<Condition, StoreError> {
        match self {
            Self::PostgreSql(server) => server.condition(),
            Self::MySql(server) => server.condition(),
            Self::MongoDb(_) => {
                Err(StoreError::Refused("what could be better is not looked for in MongoDB yet".to_owned()))
            }
            Self::Sqlite(file) => {
                must_be_a_file(file)?;
                match file.exists() {
                    true => sqlite::condition(file),
                    false => Ok(Condition::default()),
                }
            }
        }
    }

    /// Has the engine explain the statements of trials, with their indexes where it can plan with what is not there. Nothing is left.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn explain(&self, trials: &mut [&mut Trial]) -> Result<(), StoreError> {
        match self {
            Self::PostgreSql(server) => server.explain(trials),
            Self::MySql(server) => server.explain(trials),
            Self::MongoDb(_) => {
                Err(StoreError::Refused("what could be better is not looked for in MongoDB yet".to_owned()))
            }
            Self::Sqlite(file) => sqlite::explain(file, trials),
        }
    }

    /// Applies the migrations that the ledger does not have, each whole or not at all. Returns the names applied now.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] when one of them was applied with another content, [`StoreError`] when a statement fails.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::PostgreSql(server) => server.migrate(scope, migrations, now),
            Self::MySql(server) => server.migrate(scope, migrations, now),
            Self::MongoDb(server) => server.migrate(scope, migrations, now),
            Self::Sqlite(file) => open_file(file)?.migrate(scope, migrations, now),
        }
    }

    /// Opens it for those who serve from it. A file is made when it is not there, and has one connection that writes, whatever
    /// the pool; a server is not asked for anything yet.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened.
    pub fn open(&self, pool: Pool) -> Result<Store, StoreError> {
        self.open_renewing(pool, None)
    }

    /// The same for somebody whose password may change while it is open.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_renewing(&self, pool: Pool, renewal: Option<Renewal>) -> Result<Store, StoreError> {
        let open = match self {
            Self::Sqlite(file) => Open::Sqlite(open_file(file)?),
            Self::PostgreSql(server) => Open::PostgreSql(PostgreSqlStore::new(server.clone(), pool, renewal)),
            Self::MySql(server) => Open::MySql(MySqlStore::new(server.clone(), pool, renewal)),
            Self::MongoDb(server) => Open::MongoDb(MongoStore::new(server.clone(), pool, renewal)),
        };
        Ok(Store(open))
    }

    /// Takes back, the last first, those of the migrations that the ledger has. Returns their names.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] when one of them was applied with another content, [`StoreError`] when a statement fails;
    /// what it belongs to is as it was.
    pub fn undo(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::PostgreSql(server) => server.undo(scope, migrations, now),
            Self::MySql(server) => server.undo(scope, migrations, now),
            Self::MongoDb(server) => server.undo(scope, migrations, now),
            Self::Sqlite(file) => SqliteStore::open(&Location::File(file.clone()))?.undo(scope, migrations, now),
        }
    }

    /// How many rows those of the tables hold that are there. Nothing is made or changed.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        match self {
            Self::PostgreSql(server) => server.count_rows(tables),
            Self::MySql(server) => server.count_rows(tables),
            Self::MongoDb(server) => server.count_rows(tables),
            Self::Sqlite(file) => match file.exists() {
                true => SqliteStore::count_rows_of_file(file, tables),
                false => Ok(0),
            },
        }
    }

    /// Makes the migrations' schema on an empty scratch, makes the attempts on it, and leaves nothing.
    ///
    /// # Errors
    /// [`StoreError`] when a migration's statement is refused, or there is no scratch to be had.
    pub fn rehearse(&self, migrations: &[Migration], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        let statements: Vec<_> = migrations.iter().flat_map(|migration| &migration.statements).collect();
        match self {
            Self::Sqlite(_) => sqlite::rehearse(&statements, attempts),
            Self::PostgreSql(server) => server.rehearse(&statements, attempts),
            Self::MySql(server) => server.rehearse(&statements, attempts),
            Self::MongoDb(server) => server.rehearse(&statements, attempts),
        }
    }

    /// Copies it to a new file by the engine's own means, and says what it held at that moment. Nobody is kept from it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or the file cannot be written.
    pub fn copy(&self, to: &Path) -> Result<Contents, StoreError> {
        match self {
            Self::Sqlite(file) => sqlite::copy(file, to),
            Self::PostgreSql(_) | Self::MySql(_) | Self::MongoDb(_) => Err(Self::no_copies()),
        }
    }

    /// What it holds, table by table. Nobody writes to it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn contents(&self) -> Result<Contents, StoreError> {
        match self {
            Self::Sqlite(file) => sqlite::contents_of_file(file),
            Self::PostgreSql(server) => server.contents(),
            Self::MySql(server) => server.contents(),
            Self::MongoDb(_) => Err(Self::no_copies()),
        }
    }

    /// What the engine's own checks find wrong in it; nothing where all is well.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(file) => sqlite::check(file),
            Self::PostgreSql(server) => server.check(),
            Self::MySql(server) => server.check(),
            Self::MongoDb(_) => Err(Self::no_copies()),
        }
    }

    /// Sees that nobody has a file open that another is to take the place of.
    ///
    /// # Errors
    /// [`StoreError`] when somebody has.
    pub fn must_be_closed(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(file) => sqlite::must_be_closed(file),
            Self::PostgreSql(_) | Self::MySql(_) | Self::MongoDb(_) => Err(Self::no_copies()),
        }
    }

    /// The file that it is, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            Self::PostgreSql(_) | Self::MySql(_) | Self::MongoDb(_) => None,
        }
    }

    fn no_copies() -> StoreError {
        StoreError::Refused("this producer makes no copies of databases of that engine yet".to_owned())
    }

    /// Where it is, for people: a host, or `embedded`. Never a password.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::Sqlite(_) => "embedded".to_owned(),
            Self::PostgreSql(server) => server.host.clone(),
            Self::MySql(server) => server.host.clone(),
            Self::MongoDb(server) => server.host.clone(),
        }
    }

    /// Whether the server is on this machine, as far as its address tells.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        let host = self.host();
        let name = host.trim_start_matches('[').split([':', ']']).next().unwrap_or_default();
        let is_loopback = |text: &str| text.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match self {
            Self::Sqlite(_) => true,
            Self::PostgreSql(_) | Self::MySql(_) | Self::MongoDb(_) => {
                host.starts_with('/') || name == "localhost" || is_loopback(name) || is_loopback(&host)
            }
        }
    }

    /// Both together, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(_) => self.name(),
            Self::PostgreSql(server) => format!("{}/{}", server.host, server.name),
            Self::MySql(server) => format!("{}/{}", server.host, server.name),
            Self::MongoDb(server) => format!("{}/{}", server.host, server.name),
        }
    }

    /// What it is called there: a name, or a file.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(file) => file.display().to_string(),
            Self::PostgreSql(server) => server.name.clone(),
            Self::MySql(server) => server.name.clone(),
            Self::MongoDb(server) => server.name.clone(),
        }
    }
}

/// What stands at a path and is no file can never be a database.
fn must_be_a_file(file: &Path) -> Result<(), StoreError> {
    match file.metadata() {
        Ok(found) if found.is_dir() => {
            Err(StoreError::NotConnected(Trouble::NotAFile, "there is a folder of that name".to_owned()))
        }
        Ok(found) if !found.is_file() => {
            Err(StoreError::NotConnected(Trouble::NotAFile, "what stands there is no file".to_owned()))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn open_file(file: &Path) -> Result<SqliteStore, StoreError> {
    must_be_a_file(file)?;
    if let Some(folder) = file.parent() {
        let failed = |error| StoreError::NotConnected(Trouble::NoFolder, format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    SqliteStore::open(&Location::File(file.to_owned()))
}
