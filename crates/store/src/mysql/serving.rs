//! MySQL and MariaDB, for those who serve from them: reads and transactions each take a connection for as long as they last.
//! A server that restarts costs the requests that are under way, and no others.

use super::connect::Server;
use super::value::{parameters, row};
use crate::{Ended, Row, StoreError, Transaction, TransactionFuture, store};
use dialect::mysql::{HOLD_NAME, LET_NAMES_GO, quote};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use plan::Migration;
use plan::database::ObservedTable;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use vocab::{Datum, TableName};

/// Reads at once, each with a connection; more than that wait in their callers.
const READERS: usize = 4;
/// Transactions at once, each with a connection; more than that wait in their callers.
const WRITERS: usize = 6;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// How long it may take over a statement. MariaDB gives one up before that, MySQL only one that reads.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// Others see what was committed, as on the other engines; and nothing holds anybody up for longer than anybody listens. Each
/// server reads its own words: to the other they are a comment.
const SETTINGS: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION \
    /*M! max_statement_time = 10, idle_transaction_timeout = 15 */ /*!80000 max_execution_time = 10000 */";

/// A database on a MySQL or MariaDB server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct MySqlStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    readers: Semaphore,
    writers: Semaphore,
    idle: Mutex<Vec<Conn>>,
}

impl MySqlStore {
    pub fn new(server: Server) -> Self {
        let (readers, writers) = (Semaphore::new(READERS), Semaphore::new(WRITERS));
        Self { shared: Arc::new(Shared { server, readers, writers, idle: Mutex::default() }) }
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let mut begun = self.begin().await?;
        let transaction = MySqlTransaction { connection: &mut begun.connection, holds: &mut begun.holds };
        match work(Transaction(store::Begun::MySql(transaction))).await {
            Ok(Ended::Commit(value)) => begun.end("COMMIT").await.map(|()| value),
            Ok(Ended::Undo(value)) => begun.end("ROLLBACK").await.map(|()| value),
            // A connection that fails is not used again; what it began ends with it.
            Err(error @ (StoreError::Unavailable(_) | StoreError::NotConnected(..))) => Err(error),
            Err(error) => begun.end("ROLLBACK").await.and(Err(error)),
        }
    }

    /// Reads rows outside a transaction. What a connection that has ended could not answer is asked of another one.
    pub async fn read(&self, text: Arc<str>, values: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        let _place = self.shared.readers.acquire().await.map_err(|_| closed())?;
        loop {
            let (mut connection, is_known) = self.shared.connection().await?;
            match read(&mut connection, &text, &values).await {
                Ok(rows) => {
                    self.shared.idle().push(connection);
                    return Ok(rows);
                }
                Err(Failed::Lost(_)) if is_known => {}
                // The table has changed, and the statement with it.
                Err(Failed::Refused(StoreError::Contended(_))) if is_known => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = self.read("SELECT 1 FROM schema_migrations LIMIT 1".into(), Vec::new());
        let late = |_| StoreError::Unavailable("no answer in time".to_owned());
        tokio::time::timeout(PING_TIMEOUT, asked).await.map_err(late)?.map(drop)
    }

    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        let counts: Vec<String> =
            tables.iter().map(|table| format!("(SELECT count(*) FROM {})", quote(table.as_str()))).collect();
        let rows = self.read(format!("SELECT 0 + {}", counts.join(" + ")).into(), Vec::new()).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Datum::Integer(count)]) => Ok(*count),
            _ => Err(StoreError::Refused("rows cannot be counted".to_owned())),
        }
    }

    pub fn inspect(&self) -> Result<Vec<ObservedTable>, StoreError> {
        Ok(self.shared.server.look("")?.tables)
    }

    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        self.shared.server.migrate(scope, migrations, now)
    }

    /// For work that ends before anybody else asks.
    pub(super) fn server(&self) -> &Server {
        &self.shared.server
    }

    /// A transaction on a connection of its own. A connection that ended while nobody looked is passed over.
    async fn begin(&self) -> Result<Begun<'_>, StoreError> {
        let place = self.shared.writers.acquire().await.map_err(|_| closed())?;
        loop {
            let (mut connection, is_known) = self.shared.connection().await?;
            match answered(connection.query_drop("START TRANSACTION")).await {
                Ok(()) => return Ok(Begun { connection, holds: false, shared: &self.shared, _place: place }),
                // Nothing was asked of it yet, and there are at most as many of them as places.
                Err(_) if is_known => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }
}

impl Shared {
    /// One that nobody uses, which may have ended meanwhile, or a new one; and whether it is known.
    async fn connection(&self) -> Result<(Conn, bool), StoreError> {
        let known = self.idle().pop();
        if let Some(connection) = known {
            return Ok((connection, true));
        }
        let (mut connection, _) = self.server.connect().await?;
        connection.query_drop(SETTINGS).await?;
        Ok((connection, false))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Conn>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction that was begun. When it is dropped before its end its connection goes with it, and the server undoes it.
struct Begun<'s> {
    connection: Conn,
    /// Whether names are held, which do not end with a transaction by themselves.
    holds: bool,
    shared: &'s Shared,
    _place: SemaphorePermit<'s>,
}

impl Begun<'_> {
    async fn end(mut self, how: &str) -> Result<(), StoreError> {
        answered(self.connection.query_drop(how)).await?;
        // Where it fails the connection goes, and the names with it.
        if !self.holds || answered(self.connection.query_drop(LET_NAMES_GO)).await.is_ok() {
            self.shared.idle().push(self.connection);
        }
        Ok(())
    }
}

/// A transaction, for its work.
pub struct MySqlTransaction<'c> {
    connection: &'c mut Conn,
    holds: &'c mut bool,
}

impl MySqlTransaction<'_> {
    /// A conflict is asked once more: an insert that keeps the row that is there could not see the one that was stored meanwhile.
    pub async fn execute(&mut self, text: &str, values: &[Datum]) -> Result<u64, StoreError> {
        match self.changed(text, values).await {
            Err(StoreError::Conflict) => self.changed(text, values).await,
            ended => ended,
        }
    }

    async fn changed(&mut self, text: &str, values: &[Datum]) -> Result<u64, StoreError> {
        answered(self.connection.exec_drop(text, parameters(values))).await?;
        Ok(self.connection.affected_rows())
    }

    pub async fn read(&mut self, text: &str, values: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let asks_for_name = text == HOLD_NAME;
        *self.holds |= asks_for_name;
        let rows = read(self.connection, text, values).await?;
        match (asks_for_name, rows.first().map(Vec::as_slice)) {
            (false, _) | (true, Some([Datum::Integer(1)])) => Ok(rows),
            (true, _) => Err(StoreError::Unavailable("somebody else has held a name for too long".to_owned())),
        }
    }
}

async fn read(connection: &mut Conn, text: &str, values: &[Datum]) -> Result<Vec<Row>, Failed> {
    let rows: Vec<mysql_async::Row> = answered(connection.exec(text, parameters(values))).await?;
    rows.into_iter().map(row).collect::<Result<_, _>>().map_err(Failed::Refused)
}

/// How a statement failed.
enum Failed {
    /// The connection is no more.
    Lost(StoreError),
    /// The server says why.
    Refused(StoreError),
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Lost(error) | Failed::Refused(error) => error,
        }
    }
}

/// A connection was ended by somebody, by a server that ends, or because nobody used it.
const ENDED: [u16; 4] = [1053, 1927, 4031, 1158];

async fn answered<T>(statement: impl Future<Output = Result<T, Error>>) -> Result<T, Failed> {
    match tokio::time::timeout(ANSWER_TIMEOUT, statement).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Error::Server(said))) if !ENDED.contains(&said.code) => {
            Err(Failed::Refused(Error::Server(said).into()))
        }
        Ok(Err(error)) => Err(Failed::Lost(error.into())),
        Err(_) => Err(Failed::Refused(StoreError::Unavailable("no answer in time".to_owned()))),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database was closed".to_owned())
}
