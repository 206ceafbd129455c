//! SQLite: one writer thread that commits waiting transactions together, and a few readers.
//!
//! With `synchronous=FULL` every commit waits for the disk. Grouping the transactions that wait meanwhile makes durable the
//! fast case: each runs in its own savepoint, so one that fails takes nothing of the others with it.

mod api_keys;
mod condition;
mod copy;
mod inspect;
mod log;
mod migrate;
mod readers;
mod rehearsal;
mod wal;

pub use condition::{condition, explain};
pub use copy::{check, contents_of_file, copy, must_be_closed};
pub use rehearsal::rehearse;
pub use wal::{Frames, HeldWal, WalCut, WalKept, WalPlace, WalReplay, WalSeen, WriteAheadLog};

use self::readers::Readers;
use crate::database::Seen;
use crate::error::{Late, Trouble};
use crate::store::Begun;
use crate::{Ended, Location, Row, StoreError, Transaction, TransactionFuture};
use plan::database::{Migration, ObservedTable};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use vocab::{Datum, TableName};

/// Transactions that may wait for the writer; more than that wait in their callers.
const QUEUE_LENGTH: usize = 1024;
/// Transactions that are committed together at most.
const GROUP_LENGTH: usize = 128;
/// How long a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory that the writer keeps pages in, in KiB: what a large group changes stays there until it is committed. With less, pages go to
/// the log and come back from it within one transaction.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;

/// A SQLite database. Clones share it.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// Present until the store is closed.
    writer: Option<(mpsc::Sender<Job>, JoinHandle<()>)>,
    /// Present once somebody has read.
    readers: OnceLock<Readers>,
    location: Location,
    /// A database in memory lives as long as a connection to it; its URI names it.
    uri: String,
}

impl Drop for Shared {
    /// Waits for the transactions under way, so that the last connection closes the file and leaves nothing beside it.
    fn drop(&mut self) {
        drop(self.readers.take());
        if let Some((writer, thread)) = self.writer.take() {
            drop(writer);
            if thread.join().is_err() {
                tracing::error!("the writer of the database panicked");
            }
        }
    }
}

/// One transaction, with its answer inside.
type Job = Box<dyn Work>;

/// What the writer thread does for one caller.
trait Work: Send {
    /// Runs the statements; `true` when the writes should stay.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Tells the caller how the group's commit ended.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

impl SqliteStore {
    /// Opens the database, making it when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        static MEMORY_NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let uri = match location {
            Location::File(path) => path.display().to_string(),
            Location::Memory => {
                let number = MEMORY_NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                format!("file:scratch{number}?mode=memory&cache=shared")
            }
        };
        let mut connection = connect(&uri, location)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        log::bring_home(&mut connection, &uri, location)?;
        let (writer, queue) = mpsc::channel(QUEUE_LENGTH);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(connection, queue))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let writer = Some((writer, thread));
        let shared = Shared { writer, readers: OnceLock::new(), location: location.clone(), uri };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether both are the same open database.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Runs work in a transaction. The work may only wait for the transaction itself.
    ///
    /// # Errors
    /// What the work answered, or the commit's failure; nothing was written then.
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let (answer, waiting) = oneshot::channel();
        let job = TransactionWork { work: Some(work), result: None, answer };
        let gone = || StoreError::Unavailable("the database was closed".to_owned());
        let (writer, _) = self.shared.writer.as_ref().ok_or_else(gone)?;
        writer.send(Box::new(job)).await.map_err(|_| gone())?;
        waiting.await.map_err(|_| gone())?
    }

    /// Reads rows outside a transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the statement is refused or the database does not answer.
    pub async fn read(&self, text: Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        self.with_reader(move |connection| select(connection, &text, &parameters)).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        // Reads the file; `SELECT 1` would succeed without it.
        let read = "SELECT 1 FROM schema_migrations LIMIT 1";
        self.with_reader(move |connection| {
            connection.query_row(read, [], |_| Ok(())).optional()?;
            Ok(())
        })
        .await
    }

    /// What a file that is only looked at holds, with the migrations of that scope: nothing is made or changed.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such file or it is no database.
    pub fn look(path: &Path, scope: &str) -> Result<Seen, StoreError> {
        let connection = connect_to_look(path)?;
        let tables = inspect::tables(&connection)?;
        let applied = migrate::applied(&connection, scope)?;
        Ok(Seen {
            most_connections: None,
            filled: inspect::filled(&connection, &tables)?,
            tables,
            applied,
            version: version(),
            ..Seen::default()
        })
    }

    /// How many rows those of the tables hold that are there; the file is only looked at.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such file or it is no database.
    pub fn count_rows_of_file(path: &Path, tables: &[TableName]) -> Result<i64, StoreError> {
        let connection = connect_to_look(path)?;
        let mut rows = 0;
        for table in tables {
            if inspect::has_table(&connection, table.as_str())? {
                let count = format!("SELECT count(*) FROM \"{table}\"");
                rows += connection.query_row(&count, [], |row| row.get::<_, i64>(0))?;
            }
        }
        Ok(rows)
    }

    /// The tables, without SQLite's own.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn inspect(&self) -> Result<Vec<ObservedTable>, StoreError> {
        self.blocking(inspect::tables)
    }

    /// Applies the migrations that the ledger does not have, each whole or not at all. Returns the names applied now.
    /// Safe against another process doing the same: the ledger is read inside the writing transaction.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] when one of them was applied with another content, [`StoreError`] when a statement fails.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        migrate::migrate(&mut connect(&self.shared.uri, &self.shared.location)?, scope, migrations, now)
    }

    /// Takes back, the last first, those of the migrations that the ledger has: all of them or none. Returns their names.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] when one of them was applied with another content, [`StoreError`] when a statement fails.
    pub fn undo(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        migrate::undo(&mut connect(&self.shared.uri, &self.shared.location)?, scope, migrations, now)
    }

    /// How many rows the tables hold together.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such table or the database does not answer.
    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        let counts: Vec<String> = tables.iter().map(|table| format!("(SELECT count(*) FROM \"{table}\")")).collect();
        let text = format!("SELECT 0 + {}", counts.join(" + "));
        self.with_reader(move |connection| Ok(connection.query_row(&text, [], |row| row.get(0))?)).await
    }

    /// On a reading thread.
    async fn with_reader<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let Shared { readers, uri, location, .. } = &*self.shared;
        readers.get_or_init(|| Readers::start(uri, location)).read(work).await
    }

    /// On this thread, for commands that do one thing and end.
    fn blocking<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&connect(&self.shared.uri, &self.shared.location)?)
    }
}

/// As responses show it: `sqlite_3.50`.
pub fn version() -> String {
    let version = rusqlite::version();
    let short: Vec<&str> = version.split('.').take(2).collect();
    format!("sqlite_{}", short.join("."))
}

/// A new file is this user's alone, and so are those that SQLite puts beside it. Where it cannot be made SQLite says why.
fn make_file(path: &Path) {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

fn connect(uri: &str, location: &Location) -> Result<Connection, StoreError> {
    if let Location::File(path) = location {
        make_file(path);
    }
    let connection = Connection::open(uri)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", "ON")?;
    match location {
        Location::File(_) => {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        // A shared cache locks whole tables; readers of a scratch database do not wait for its writer.
        Location::Memory => connection.pragma_update(None, "read_uncommitted", "ON")?,
    }
    Ok(connection)
}

/// Makes and changes nothing.
fn connect_to_look(path: &Path) -> Result<Connection, StoreError> {
    // A log beside the file means that somebody has it open; without one, reading as if nobody ever will makes no log.
    let log = format!("{}-wal", path.display());
    let immutable = if Path::new(&log).exists() { "0" } else { "1" };
    let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{name}?immutable={immutable}");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// A transaction on the writer's connection.
pub struct SqliteTransaction<'c> {
    connection: &'c mut Connection,
}

impl SqliteTransaction<'_> {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] when it is refused.
    pub fn execute(&mut self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(text)?;
        let changed = statement.execute(rusqlite::params_from_iter(parameters.iter().map(Parameter)))?;
        Ok(changed as u64)
    }

    /// Reads rows.
    ///
    /// # Errors
    /// [`StoreError`] when the statement is refused.
    pub fn read(&mut self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        select(self.connection, text, parameters)
    }
}

fn select(connection: &Connection, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached(text)?;
    let width = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters.iter().map(Parameter)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(width);
        for index in 0..width {
            values.push(match row.get_ref(index)? {
                ValueRef::Null => Datum::Null,
                ValueRef::Integer(number) => Datum::Integer(number),
                ValueRef::Text(bytes) => Datum::Text(String::from_utf8_lossy(bytes).into_owned()),
                ValueRef::Real(_) | ValueRef::Blob(_) => {
                    return Err(StoreError::Refused(format!("column {index} holds a type that no plan makes")));
                }
            });
        }
        found.push(values);
    }
    Ok(found)
}

/// A datum as SQLite takes it.
struct Parameter<'a>(&'a Datum);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Datum::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Datum::Boolean(value) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*value))),
            Datum::Integer(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Datum::Decimal(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value.units())),
            Datum::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Datum::Json(value) => ToSqlOutput::Owned(rusqlite::types::Value::Text(value.to_string())),
        })
    }
}

struct TransactionWork<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for TransactionWork<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
{
    fn run(&mut self, connection: &mut Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let mut future = work(Transaction(Begun::Sqlite(SqliteTransaction { connection })));
        // SQLite never waits, so the first poll is the whole work.
        let ended = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended,
            Poll::Pending => Err(StoreError::Refused("work inside a transaction waited for something else".to_owned())),
        };
        let (result, stays) = match ended {
            Ok(Ended::Commit(value)) => (Ok(value), true),
            Ok(Ended::Undo(value)) => (Ok(value), false),
            Err(error) => (Err(error), false),
        };
        self.result = Some(result);
        stays
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Unavailable("the transaction was not run".to_owned())),
        };
        // The caller may have given up waiting; its transaction stands all the same.
        let _ = self.answer.send(result);
    }
}

/// Ends when the last store is dropped.
fn write_loop(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        let committed = run_group(&mut connection, &mut group, &mut queue);
        if let Err(error) = &committed {
            tracing::error!(error = %error, transactions = group.len(), "a group of transactions was not committed");
            let _ = connection.execute_batch("ROLLBACK");
        }
        for job in group {
            job.finish(committed.as_ref().copied().map_err(StoreError::clone));
        }
    }
}

/// Runs the group's transactions and those that arrive meanwhile, then commits them all.
fn run_group(
    connection: &mut Connection,
    group: &mut Vec<Job>,
    queue: &mut mpsc::Receiver<Job>,
) -> Result<(), StoreError> {
    if let Err(error) = connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])) {
        // Whoever waits behind the first has waited as well: one after the other would wait longer than anybody listens.
        while let Ok(job) = queue.try_recv() {
            group.push(job);
        }
        return Err(error.into());
    }
    let mut next = 0;
    while let Some(job) = group.get_mut(next) {
        connection.prepare_cached("SAVEPOINT work")?.execute([])?;
        if !job.run(connection) {
            connection.prepare_cached("ROLLBACK TO work")?.execute([])?;
        }
        connection.prepare_cached("RELEASE work")?.execute([])?;
        next += 1;
        if group.len() < GROUP_LENGTH
            && let Ok(job) = queue.try_recv()
        {
            group.push(job);
        }
    }
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // Ours say so of their own accord; one of SQLite's own carries `RESTRICT` out.
        if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
            && error.to_string().ends_with(dialect::OVERLAPS)
        {
            return Self::Overlap;
        }
        let is_reference = |code: i32| {
            matches!(code, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY | rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER)
        };
        if error.sqlite_error().is_some_and(|error| is_reference(error.extended_code)) {
            return Self::Reference;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation)
                if matches!(
                    error.sqlite_error().map(|error| error.extended_code),
                    Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
                ) =>
            {
                Self::Conflict
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Late(Late::Lock, error.to_string()),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Self::Unavailable(error.to_string()),
            Some(ErrorCode::CannotOpen) => Self::NotConnected(Trouble::NoFolder, error.to_string()),
            Some(_) | None => Self::Refused(error.to_string()),
        }
    }
}
