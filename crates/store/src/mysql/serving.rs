//! MySQL and MariaDB, for those who serve from them: reads and transactions each take a connection for as long as they last.
//! A server that restarts costs the requests that are under way, and no others.

use super::connect::Server;
use super::value::{parameters, row};
use crate::error::Late;
use crate::renewing::{Renewal, Renewing};
use crate::{Ended, Row, StoreError, Transaction, TransactionFuture, store};
use dialect::mysql::{HOLD_NAME, LET_NAMES_GO, quote};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use plan::Migration;
use plan::database::{ObservedTable, Pool};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use vocab::{Datum, TableName};

/// Of a pool's connections this part is for reads; the others are for transactions. At least one is for each.
const READERS_OF: u32 = 3;
/// How often it is looked, in the time after which a connection without work is closed.
const SWEEPS: u32 = 2;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// In this time a connection that has ended is found out, and another one made.
const AT_ONCE: Duration = Duration::from_millis(50);
/// How much later than the server a statement is given up: MySQL ends none that writes. In seconds, like the next.
const ANSWER_GRACE: u32 = 2;
/// How much longer than a statement a transaction may do nothing, where the server looks after that.
const IDLE_IN_TRANSACTION: u32 = 5;

/// A database on a MySQL or MariaDB server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct MySqlStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Renewing<Server>,
    pool: Pool,
    readers: Semaphore,
    writers: Semaphore,
    /// Connections without work since then, the one used last at the end.
    idle: Mutex<Vec<(Conn, Instant)>>,
    /// Whether somebody closes connections that have no work.
    is_swept: AtomicBool,
}

impl MySqlStore {
    pub fn new(server: Server, pool: Pool, renewal: Option<Renewal>) -> Self {
        let server = Renewing::new(server, renewal);
        let readers = (pool.max / READERS_OF).max(1);
        let places = |count: u32| Semaphore::new(count as usize);
        let (readers, writers) = (places(readers), places(pool.max.saturating_sub(readers).max(1)));
        let (idle, is_swept) = (Mutex::default(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { server, pool, readers, writers, idle, is_swept }) }
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
        let transaction = MySqlTransaction {
            connection: &mut begun.connection,
            holds: &mut begun.holds,
            answer_timeout: self.shared.answer_timeout(),
        };
        match work(Transaction(store::Begun::MySql(transaction))).await {
            Ok(Ended::Commit(value)) => begun.commit().await.map(|()| value),
            Ok(Ended::Undo(value)) => begun.undo().await.map(|()| value),
            // A connection that fails is not used again; what it began ends with it.
            Err(
                error @ (StoreError::Unavailable(_)
                | StoreError::NotConnected(..)
                | StoreError::Lost(_)
                | StoreError::Late(..)),
            ) => Err(error),
            Err(error) => begun.undo().await.and(Err(error)),
        }
    }

    /// Reads rows outside a transaction. What a connection that has ended could not answer is asked of another one.
    pub async fn read(&self, text: Arc<str>, values: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        self.read_by(self.patience(), &text, &values).await
    }

    async fn read_by(&self, until: Instant, text: &str, values: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let _place = self.shared.place(&self.shared.readers).await?;
        loop {
            let (mut connection, is_known) = self.connection(until).await?;
            match read(&mut connection, text, values, self.shared.answer_timeout()).await {
                Ok(rows) => {
                    self.shared.give_back(connection);
                    return Ok(rows);
                }
                Err(Failed::Lost(_)) if is_known || Instant::now() < until => {}
                // The table has changed, and the statement with it.
                Err(Failed::Refused(StoreError::Contended(_))) if is_known => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    /// Nobody is waited for but a connection that has ended meanwhile.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if let Some(error) = self.shared.server.is_away() {
            return Err(error);
        }
        let asked = self.read_by(Instant::now() + AT_ONCE, "SELECT 1 FROM schema_migrations LIMIT 1", &[]);
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
        self.server().tables()
    }

    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        self.server().migrate(scope, migrations, now)
    }

    /// For work that ends before anybody else asks.
    pub(super) fn server(&self) -> Server {
        self.shared.server.server()
    }

    /// Until when a server is waited for that is away.
    fn patience(&self) -> Instant {
        Instant::now() + Duration::from_secs(self.shared.pool.acquire_timeout.into())
    }

    /// A transaction on a connection of its own. A connection that ended while nobody looked is passed over.
    async fn begin(&self) -> Result<Begun<'_>, StoreError> {
        let until = self.patience();
        let place = self.shared.place(&self.shared.writers).await?;
        loop {
            let (mut connection, is_known) = self.connection(until).await?;
            match answered(connection.query_drop("START TRANSACTION"), self.shared.answer_timeout()).await {
                Ok(()) => return Ok(Begun { connection, holds: false, shared: &self.shared, _place: place }),
                // Nothing was asked of it yet, and there are at most as many of them as places.
                Err(_) if is_known => {}
                Err(Failed::Lost(_)) if Instant::now() < until => {}
                Err(failed) => return Err(failed.into()),
            }
        }
    }

    /// One that nobody uses, which may have ended meanwhile, or a new one; and whether it is known.
    async fn connection(&self, until: Instant) -> Result<(Conn, bool), StoreError> {
        let known = self.shared.idle().pop();
        if let Some((connection, _)) = known {
            return Ok((connection, true));
        }
        let mut connection = self.shared.server.enter_by(until).await?;
        connection.query_drop(settings(&self.shared.pool)).await?;
        if !self.shared.is_swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(&self.shared)));
        }
        Ok((connection, false))
    }
}

/// Others see what was committed, as on the other engines; and nothing holds anybody up for longer than anybody listens. Each
/// server reads its own words: to the other they are a comment.
fn settings(pool: &Pool) -> String {
    let statement = pool.statement_timeout;
    let (idle, milliseconds) = (statement + IDLE_IN_TRANSACTION, u64::from(statement) * 1000);
    let lock = pool.lock_timeout().as_secs().max(1);
    format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION \
         lock_wait_timeout = {lock}, innodb_lock_wait_timeout = {lock}; SET SESSION \
         /*M! max_statement_time = {statement}, idle_transaction_timeout = {idle} */ \
         /*!80000 max_execution_time = {milliseconds} */"
    )
}

/// Closes connections that have had no work for a while, until nobody serves from the database.
async fn sweep(shared: Weak<Shared>) {
    while let Some(idle_timeout) = shared.upgrade().map(|shared| shared.pool.idle_timeout) {
        tokio::time::sleep(Duration::from_secs(idle_timeout.into()) / SWEEPS).await;
        if let Some(shared) = shared.upgrade() {
            shared.close_idle();
        }
    }
}

impl Shared {
    /// One of the places, in the time that somebody may wait for it.
    async fn place<'s>(&self, places: &'s Semaphore) -> Result<SemaphorePermit<'s>, StoreError> {
        let seconds = self.pool.acquire_timeout;
        let late = |_| StoreError::Late(Late::Pool, format!("none was free for {seconds} s"));
        let closed = |_| StoreError::Unavailable("the database was closed".to_owned());
        let free = tokio::time::timeout(Duration::from_secs(seconds.into()), places.acquire());
        free.await.map_err(late)?.map_err(closed)
    }

    fn answer_timeout(&self) -> Duration {
        Duration::from_secs((self.pool.statement_timeout + ANSWER_GRACE).into())
    }

    fn give_back(&self, connection: Conn) {
        self.idle().push((connection, Instant::now()));
    }

    /// As many stay as the pool has at least.
    fn close_idle(&self) {
        let limit = Duration::from_secs(self.pool.idle_timeout.into());
        let mut idle = self.idle();
        let spare = idle.len().saturating_sub(self.pool.min as usize);
        let old = idle.iter().take(spare).take_while(|(_, since)| since.elapsed() >= limit).count();
        idle.drain(..old);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Conn, Instant)>> {
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
    async fn commit(self) -> Result<(), StoreError> {
        match self.end("COMMIT").await {
            // A server that says nothing may have committed it as well.
            Err(StoreError::Lost(why) | StoreError::Late(_, why)) => Err(StoreError::Uncertain(why)),
            ended => ended,
        }
    }

    async fn undo(self) -> Result<(), StoreError> {
        match self.end("ROLLBACK").await {
            // The server has undone it.
            Err(StoreError::Lost(_)) => Ok(()),
            ended => ended,
        }
    }

    async fn end(mut self, how: &str) -> Result<(), StoreError> {
        let limit = self.shared.answer_timeout();
        answered(self.connection.query_drop(how), limit).await?;
        // Where it fails the connection goes, and the names with it.
        if !self.holds || answered(self.connection.query_drop(LET_NAMES_GO), limit).await.is_ok() {
            self.shared.give_back(self.connection);
        }
        Ok(())
    }
}

/// A transaction, for its work.
pub struct MySqlTransaction<'c> {
    connection: &'c mut Conn,
    holds: &'c mut bool,
    answer_timeout: Duration,
}

impl MySqlTransaction<'_> {
    /// A conflict is asked once more: an insert that keeps the row that is there could not see the one that was stored meanwhile.
    pub async fn execute(&mut self, text: &str, values: &[Datum]) -> Result<u64, StoreError> {
        match self.changed(text, values).await {
            Err(StoreError::Conflict) => self.changed(text, values).await,
            ended => ended,
        }
    }

    /// The key is part of what the server answers; MySQL cannot return rows from an insert.
    pub async fn insert(&mut self, text: &str, values: &[Datum]) -> Result<Datum, StoreError> {
        self.changed(text, values).await?;
        let made = self.connection.last_insert_id().and_then(|id| i64::try_from(id).ok());
        made.map(Datum::Integer).ok_or_else(|| StoreError::Refused("the database tells no key of a new row".to_owned()))
    }

    async fn changed(&mut self, text: &str, values: &[Datum]) -> Result<u64, StoreError> {
        answered(self.connection.exec_drop(text, parameters(values)), self.answer_timeout).await?;
        Ok(self.connection.affected_rows())
    }

    pub async fn read(&mut self, text: &str, values: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let asks_for_name = text == HOLD_NAME;
        *self.holds |= asks_for_name;
        let rows = read(self.connection, text, values, self.answer_timeout).await?;
        match (asks_for_name, rows.first().map(Vec::as_slice)) {
            (false, _) | (true, Some([Datum::Integer(1)])) => Ok(rows),
            (true, _) => Err(StoreError::Late(Late::Lock, "somebody else has held a name".to_owned())),
        }
    }
}

async fn read(connection: &mut Conn, text: &str, values: &[Datum], limit: Duration) -> Result<Vec<Row>, Failed> {
    let rows: Vec<mysql_async::Row> = answered(connection.exec(text, parameters(values)), limit).await?;
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

async fn answered<T>(statement: impl Future<Output = Result<T, Error>>, limit: Duration) -> Result<T, Failed> {
    match tokio::time::timeout(limit, statement).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Error::Server(said))) if !ENDED.contains(&said.code) => Err(Failed::Refused(Error::Server(said).into())),
        Ok(Err(error)) => Err(Failed::Lost(error.into())),
        Err(_) => Err(Failed::Refused(StoreError::Late(Late::Statement, "no answer in time".to_owned()))),
    }
}
