//! PostgreSQL, for those who serve from it: reads share a few connections, each transaction has one of its own. Statements are
//! prepared once a connection. A server that restarts costs the requests that are under way, and no others.

use super::connect::Server;
use super::value::{Cell, Text};
use crate::{Ended, Row, StoreError, Transaction, TransactionFuture, store};
use plan::Migration;
use plan::database::ObservedTable;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use vocab::{Datum, TableName};

/// Connections that reads share; what they ask goes out one behind the other, without waiting for answers.
const READERS: usize = 2;
/// Transactions at once, each with a connection; more than that wait in their callers.
const WRITERS: usize = 8;
/// Statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// What keeps a request from holding others up for longer than anybody listens.
const LIMITS: &str =
    "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '15s'";
/// Nobody misses what a scratch loses when the machine stops.
const HASTE: &str = "SET synchronous_commit = off";

/// A database on a PostgreSQL server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct PostgreSqlStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    /// What each connection is told when it is made.
    settings: String,
    readers: [tokio::sync::Mutex<Option<Arc<Connection>>>; READERS],
    turn: AtomicUsize,
    places: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    client: Client,
    statements: Mutex<BTreeMap<Arc<str>, Statement>>,
}

impl PostgreSqlStore {
    pub fn new(server: Server) -> Self {
        Self::with(server, LIMITS.to_owned())
    }

    /// One whose writes need not outlive the machine.
    pub fn hasty(server: Server) -> Self {
        Self::with(server, format!("{LIMITS}; {HASTE}"))
    }

    fn with(server: Server, settings: String) -> Self {
        let shared = Shared {
            server,
            settings,
            readers: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            turn: AtomicUsize::new(0),
            places: Semaphore::new(WRITERS),
            idle: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let begun = self.begin().await?;
        let transaction = PostgreSqlTransaction { connection: &begun.connection };
        match work(Transaction(store::Begun::PostgreSql(transaction))).await {
            Ok(Ended::Commit(value)) => begun.end("COMMIT").await.map(|()| value),
            Ok(Ended::Undo(value)) => begun.end("ROLLBACK").await.map(|()| value),
            // A connection that fails, or knows statements that are no longer right, is not used again.
            Err(error @ (StoreError::Unavailable(_) | StoreError::NotConnected(..))) => Err(error),
            Err(StoreError::Contended(why)) => {
                self.shared.idle().clear();
                Err(StoreError::Contended(why))
            }
            Err(error) => begun.end("ROLLBACK").await.and(Err(error)),
        }
    }

    /// Reads rows outside a transaction. What a connection that has ended could not answer is asked of a new one.
    pub async fn read(&self, text: Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        let reader = self.reader().await?;
        match reader.read(&text, &parameters).await {
            Err(StoreError::Contended(_)) => {
                reader.forget();
                reader.read(&text, &parameters).await
            }
            Err(StoreError::Unavailable(_)) if reader.client.is_closed() => {
                self.reader().await?.read(&text, &parameters).await
            }
            answered => answered,
        }
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = self.read("SELECT 1 FROM schema_migrations LIMIT 1".into(), Vec::new());
        let late = |_| StoreError::Unavailable("no answer in time".to_owned());
        tokio::time::timeout(PING_TIMEOUT, asked).await.map_err(late)?.map(drop)
    }

    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        let counts: Vec<String> = tables.iter().map(|table| format!("(SELECT count(*) FROM \"{table}\")")).collect();
        let rows = self.read(format!("SELECT (0 + {})::bigint", counts.join(" + ")).into(), Vec::new()).await?;
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

    /// One of the shared connections, in turn.
    async fn reader(&self) -> Result<Arc<Connection>, StoreError> {
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        let mut reader = self.shared.readers[turn].lock().await;
        if let Some(connection) = reader.as_ref().filter(|connection| !connection.client.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let made = Arc::new(self.shared.connect().await?);
        *reader = Some(Arc::clone(&made));
        Ok(made)
    }

    /// A transaction on a connection of its own. A connection that ended while nobody looked is passed over.
    async fn begin(&self) -> Result<Begun<'_>, StoreError> {
        let closed = |_| StoreError::Unavailable("the database was closed".to_owned());
        let place = self.shared.places.acquire().await.map_err(closed)?;
        loop {
            let known = self.shared.idle().pop();
            let is_known = known.is_some();
            let connection = match known {
                Some(connection) => connection,
                None => self.shared.connect().await?,
            };
            match connection.client.batch_execute("BEGIN").await {
                Ok(()) => return Ok(Begun { connection, shared: &self.shared, _place: place }),
                // Nothing was asked of it yet, and there are at most as many of them as places.
                Err(_) if is_known => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Shared {
    async fn connect(&self) -> Result<Connection, StoreError> {
        let client = self.server.connect().await?;
        client.batch_execute(&self.settings).await?;
        Ok(Connection { client, statements: Mutex::default() })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction that was begun. When it is dropped before its end its connection goes with it, and the server undoes it.
struct Begun<'s> {
    connection: Connection,
    shared: &'s Shared,
    _place: SemaphorePermit<'s>,
}

impl Begun<'_> {
    async fn end(self, how: &str) -> Result<(), StoreError> {
        self.connection.client.batch_execute(how).await?;
        self.shared.idle().push(self.connection);
        Ok(())
    }
}

/// A transaction, for its work.
pub struct PostgreSqlTransaction<'c> {
    connection: &'c Connection,
}

impl PostgreSqlTransaction<'_> {
    pub async fn execute(&mut self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        let statement = self.connection.statement(text).await?;
        Ok(self.connection.client.execute_raw(&statement, texts(parameters)).await?)
    }

    pub async fn read(&mut self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        self.connection.read(text, parameters).await
    }
}

impl Connection {
    async fn read(&self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(text).await?;
        let parameters = texts(parameters);
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&statement, &parameters).await?;
        let width = statement.columns().len();
        let row = |row: tokio_postgres::Row| {
            (0..width).map(|index| row.try_get::<_, Cell>(index).map(|cell| cell.0)).collect::<Result<Row, _>>()
        };
        Ok(rows.into_iter().map(row).collect::<Result<_, _>>()?)
    }

    async fn statement(&self, text: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.statements().get(text) {
            return Ok(known.clone());
        }
        let made = self.client.prepare(text).await?;
        let mut statements = self.statements();
        if statements.len() >= PREPARED_STATEMENTS {
            statements.clear();
        }
        statements.insert(Arc::from(text), made.clone());
        Ok(made)
    }

    /// The tables have changed, and so have the statements.
    fn forget(&self) {
        self.statements().clear();
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn texts(parameters: &[Datum]) -> Vec<Text<'_>> {
    parameters.iter().map(Text).collect()
}
