//! PostgreSQL, for those who serve from it: reads share a few connections, each transaction has one of its own. Statements are
//! prepared once a connection. Of a server that restarts those hear alone whose work was being committed.

use super::connect::Server;
use super::replicas::Replicas;
use super::value::{Cell, Text};
use crate::error::{Late, within};
use crate::renewing::{Renewal, Renewing};
use crate::{Ended, Row, StoreError, Transaction, TransactionFuture, Whose, store};
use dialect::permission::WHOSE_ROWS;
use futures_util::future::{BoxFuture, join, ready};
use plan::Migration;
use plan::database::{ObservedTable, Pool};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use vocab::{Datum, TableName};

/// Of a pool's connections those that reads share, where it has enough; what they ask goes out one behind the other, without
/// waiting for answers. The others are for transactions, each with one of its own.
const READERS: u32 = 2;
/// A pool of fewer connections has one reader.
const ENOUGH: u32 = 4;
/// How often it is looked, in the time after which a connection without work is closed.
const SWEEPS: u32 = 2;
/// So long a connection that was used is taken for one that is there: what begins a transaction on it goes out with the first statement.
const SURELY_THERE: Duration = Duration::from_secs(1);
/// Statements a connection keeps prepared.
const PREPARED_STATEMENTS: usize = 256;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// In this time a connection that has ended is found out, and another one made.
const AT_ONCE: Duration = Duration::from_millis(50);
/// How much longer than a statement a transaction may do nothing, in seconds.
const IDLE_IN_TRANSACTION: u32 = 5;
/// Nobody misses what a scratch loses when the machine stops.
const HASTE: &str = "SET synchronous_commit = off";
/// Says whose rows a session is about.
const TELL: &str = "SELECT set_config('app.user_id', $1, false)";

/// A database on a PostgreSQL server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct PostgreSqlStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Renewing<Server>,
    pool: Pool,
    /// What each connection is told when it is made.
    settings: String,
    readers: Vec<tokio::sync::Mutex<Option<Arc<Connection>>>>,
    turn: AtomicUsize,
    /// Transactions that may begin.
    places: Semaphore,
    /// Their connections, the one used last at the end.
    idle: Mutex<Vec<Arc<Connection>>>,
    /// Whether somebody closes connections that have no work.
    is_swept: AtomicBool,
    /// Those that are asked first, where the task has reads go there.
    replicas: Option<Replicas>,
}

pub(super) struct Connection {
    client: Client,
    /// Held while statements are sent that belong together.
    order: Mutex<()>,
    /// Whose rows the session is about; none where nobody knows.
    about: Mutex<Option<Whose>>,
    /// Says whose they are.
    tell: OnceCell<Statement>,
    statements: Mutex<BTreeMap<Arc<str>, Statement>>,
    used: Mutex<Instant>,
    /// The server has said that it ends it.
    is_lost: AtomicBool,
}

impl PostgreSqlStore {
    pub fn new(server: Server, pool: Pool, renewal: Option<Renewal>) -> Self {
        let replicas = server.replicas().filter(|_| pool.read_replicas).map(|replicas| {
            let server = Renewing::new(replicas, renewal.clone());
            Replicas::new(Self::with(server, pool, limits(&pool), None))
        });
        Self::with(Renewing::new(server, renewal), pool, limits(&pool), replicas)
    }

    /// One whose writes need not outlive the machine.
    pub fn hasty(server: Server) -> Self {
        let pool = Pool::default();
        Self::with(Renewing::new(server, None), pool, format!("{}; {HASTE}", limits(&pool)), None)
    }

    fn with(server: Renewing<Server>, pool: Pool, settings: String, replicas: Option<Replicas>) -> Self {
        let readers = if pool.max < ENOUGH { 1 } else { READERS };
        let writers = pool.max.saturating_sub(readers).max(1);
        let shared = Shared {
            server,
            pool,
            settings,
            readers: (0..readers).map(|_| tokio::sync::Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
            places: Semaphore::new(writers as usize),
            idle: Mutex::default(),
            is_swept: AtomicBool::new(false),
            replicas,
        };
        Self { shared: Arc::new(shared) }
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub async fn transaction<T, F>(&self, whose: &Whose, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let mut begun = self.begin(whose).await?;
        let transaction = PostgreSqlTransaction { connection: &begun.connection, under_way: &mut begun.under_way };
        let ended = match work(Transaction(store::Begun::PostgreSql(transaction))).await {
            Ok(Ended::Commit(value)) => begun.commit().await.map(|()| value),
            Ok(Ended::Undo(value)) => begun.undo().await.map(|()| value),
            // A connection that fails is not used again.
            Err(error) if is_of_connection(&error) => Err(error),
            Err(error) => begun.undo().await.and(Err(error)),
        };
        if let Err(StoreError::Contended(_)) = &ended {
            // Perhaps they know statements that are no longer right.
            self.shared.idle().clear();
        }
        ended
    }

    /// Reads rows outside a transaction. What a connection that has ended could not answer is asked of a new one.
    pub async fn read(&self, whose: &Whose, text: Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        let until = self.patience();
        if let Some(budget) = self.shared.pool.plan_budget {
            let plan = self.read_by(until, whose, &format!("EXPLAIN {text}"), &parameters).await?;
            within(budget, cost(&plan))?;
        }
        if let Some(replicas) = &self.shared.replicas
            && let Some(read) = replicas.read(self, whose, &text, &parameters).await
        {
            return read;
        }
        self.read_by(until, whose, &text, &parameters).await
    }

    pub(super) async fn read_by(
        &self,
        until: Instant,
        whose: &Whose,
        text: &str,
        parameters: &[Datum],
    ) -> Result<Vec<Row>, StoreError> {
        loop {
            let reader = self.reader(until).await?;
            match reader.read_about(whose, text, parameters).await {
                Err(StoreError::Contended(_)) => {
                    reader.forget();
                    return reader.read_about(whose, text, parameters).await;
                }
                Err(StoreError::Lost(why)) => {
                    reader.give_up();
                    if Instant::now() >= until {
                        return Err(StoreError::Lost(why));
                    }
                }
                answered => return answered,
            }
        }
    }

    /// Nobody is waited for but a connection that has ended meanwhile.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if let Some(error) = self.shared.server.is_away() {
            return Err(error);
        }
        let ledger = "SELECT 1 FROM schema_migrations LIMIT 1";
        let asked = self.read_by(Instant::now() + AT_ONCE, &Whose::Everybodys, ledger, &[]);
        let late = |_| StoreError::Unavailable("no answer in time".to_owned());
        tokio::time::timeout(PING_TIMEOUT, asked).await.map_err(late)?.map(drop)
    }

    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        let counts: Vec<String> = tables.iter().map(|table| format!("(SELECT count(*) FROM \"{table}\")")).collect();
        let sum = format!("SELECT (0 + {})::bigint", counts.join(" + "));
        let rows = self.read_by(self.patience(), &Whose::Everybodys, &sum, &[]).await?;
        match rows.first().map(Vec::as_slice) {
            Some([Datum::Integer(count)]) => Ok(*count),
            _ => Err(StoreError::Refused("rows cannot be counted".to_owned())),
        }
    }

    pub fn inspect(&self) -> Result<Vec<ObservedTable>, StoreError> {
        Ok(self.server().look("")?.tables)
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

    /// One of the shared connections, in turn.
    pub(super) async fn reader(&self, until: Instant) -> Result<Arc<Connection>, StoreError> {
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed) % self.shared.readers.len();
        let mut reader = self.shared.readers[turn].lock().await;
        if let Some(connection) = reader.as_ref().filter(|connection| connection.is_open()) {
            connection.is_used();
            return Ok(Arc::clone(connection));
        }
        let made = Arc::new(self.connect(until).await?);
        *reader = Some(Arc::clone(&made));
        Ok(made)
    }

    /// A transaction on a connection of its own. A connection that ended while nobody looked is passed over.
    async fn begin(&self, whose: &Whose) -> Result<Begun<'_>, StoreError> {
        let words = begin(whose);
        let seconds = self.shared.pool.acquire_timeout;
        let until = self.patience();
        let late = |_| StoreError::Late(Late::Pool, format!("none was free for {seconds} s"));
        let closed = |_| StoreError::Unavailable("the database was closed".to_owned());
        let free = tokio::time::timeout(Duration::from_secs(seconds.into()), self.shared.places.acquire());
        let place = free.await.map_err(late)?.map_err(closed)?;
        loop {
            let known = self.shared.idle().pop();
            let is_known = known.is_some();
            let connection = match known {
                Some(connection) => connection,
                None => Arc::new(self.connect(until).await?),
            };
            let is_there = is_known && connection.idle_for() < SURELY_THERE && connection.is_open();
            let mut under_way = UnderWay::default();
            under_way.send(connection.batch(words.clone())).await;
            let begun = if is_there { Ok(()) } else { under_way.heard().await };
            match begun.map_err(StoreError::from) {
                Ok(()) => return Ok(Begun { connection, under_way, shared: &self.shared, _place: place }),
                // Nothing was asked of it yet, and there are at most as many of them as places.
                Err(_) if is_known => {}
                Err(StoreError::Lost(_)) if Instant::now() < until => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn connect(&self, until: Instant) -> Result<Connection, StoreError> {
        let client = self.shared.server.enter_by(until).await?;
        client.batch_execute(&self.shared.settings).await?;
        if !self.shared.is_swept.swap(true, Ordering::Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(&self.shared)));
        }
        Ok(Connection {
            client,
            order: Mutex::default(),
            about: Mutex::new(Some(Whose::Everybodys)),
            tell: OnceCell::new(),
            statements: Mutex::default(),
            used: Mutex::new(Instant::now()),
            is_lost: AtomicBool::new(false),
        })
    }
}

/// What the whole of a plan costs: `Limit  (cost=0.15..3.98 rows=51 width=24)`.
fn cost(plan: &[Row]) -> Option<f64> {
    let Some(Datum::Text(whole)) = plan.first().and_then(|row| row.first()) else { return None };
    let (_, behind) = whole.split_once("cost=")?.1.split_once("..")?;
    behind.split(' ').next()?.parse().ok()
}

/// What begins a transaction about those rows. A session is about everybody's.
fn begin(whose: &Whose) -> Cow<'static, str> {
    match whose {
        Whose::Everybodys => "BEGIN".into(),
        Whose::Of(_) => format!("BEGIN; SET LOCAL {WHOSE_ROWS} = '{}'", whose.said().replace('\'', "''")).into(),
    }
}

/// What keeps a request from holding others up for longer than anybody listens.
fn limits(pool: &Pool) -> String {
    let statement = pool.statement_timeout;
    let (lock, idle) = (pool.lock_timeout().as_millis(), statement + IDLE_IN_TRANSACTION);
    format!(
        "SET statement_timeout = '{statement}s'; SET lock_timeout = '{lock}ms'; SET idle_in_transaction_session_timeout = '{idle}s'; SET {WHOSE_ROWS} = '{}'",
        Whose::Everybodys.said()
    )
}

/// Closes connections that have had no work for a while, until nobody serves from the database.
async fn sweep(shared: Weak<Shared>) {
    while let Some(idle_timeout) = shared.upgrade().map(|shared| shared.pool.idle_timeout) {
        tokio::time::sleep(Duration::from_secs(idle_timeout.into()) / SWEEPS).await;
        if let Some(shared) = shared.upgrade() {
            shared.close_idle().await;
        }
    }
}

impl Shared {
    /// Of the connections without work as many as the pool may do without; those of transactions first, since more can be made.
    async fn close_idle(&self) {
        let limit = Duration::from_secs(self.pool.idle_timeout.into());
        let mut kept = self.pool.min as usize;
        for reader in &self.readers {
            let mut reader = reader.lock().await;
            let is_old = reader.as_ref().is_some_and(|connection| connection.idle_for() >= limit);
            match kept.checked_sub(1).filter(|_| reader.is_some()) {
                Some(left) => kept = left,
                None if is_old => *reader = None,
                None => {}
            }
        }
        let mut idle = self.idle();
        let spare = idle.len().saturating_sub(kept);
        let old = idle.iter().take(spare).take_while(|connection| connection.idle_for() >= limit).count();
        idle.drain(..old);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction that was begun. When it is dropped before its end its connection goes with it, and the server undoes it.
struct Begun<'s> {
    connection: Arc<Connection>,
    under_way: UnderWay,
    shared: &'s Shared,
    _place: SemaphorePermit<'s>,
}

impl Begun<'_> {
    /// The commit goes out behind what is under way. Where that has failed PostgreSQL makes an undoing of it.
    async fn commit(mut self) -> Result<(), StoreError> {
        let mut commit = UnderWay::default();
        commit.send(self.connection.batch("COMMIT".into())).await;
        let (before, committed) = (self.under_way.heard().await, commit.heard().await);
        let ended = match before {
            // The server did not come to the commit.
            Err(error) if error.as_db_error().is_some() => Err(error.into()),
            ended => match ended.and(committed).map_err(StoreError::from) {
                Err(StoreError::Lost(why)) => Err(StoreError::Uncertain(why)),
                ended => ended,
            },
        };
        self.over(ended)
    }

    async fn undo(mut self) -> Result<(), StoreError> {
        self.under_way.send(self.connection.batch("ROLLBACK".into())).await;
        match self.under_way.heard().await.map_err(StoreError::from) {
            // The server has undone it.
            Err(StoreError::Lost(_)) => Ok(()),
            ended => self.over(ended),
        }
    }

    /// The connection may be used again, unless it is what failed.
    fn over(self, ended: Result<(), StoreError>) -> Result<(), StoreError> {
        if !ended.as_ref().is_err_and(is_of_connection) {
            self.connection.is_used();
            self.shared.idle().push(self.connection);
        }
        ended
    }
}

/// Whether the connection is no more, or is better not used again.
fn is_of_connection(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable(_)
            | StoreError::NotConnected(..)
            | StoreError::Lost(_)
            | StoreError::Uncertain(_)
            | StoreError::Late(..)
    )
}

/// Statements that were sent and that nobody has listened to yet, in their order.
#[derive(Default)]
struct UnderWay(Vec<BoxFuture<'static, Result<u64, tokio_postgres::Error>>>);

impl UnderWay {
    async fn send(&mut self, statement: impl Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'static) {
        let mut statement: BoxFuture<'static, _> = Box::pin(statement);
        // It goes out when it is looked at first.
        let looked = poll_fn(|context| Poll::Ready(statement.as_mut().poll(context))).await;
        self.0.push(match looked {
            Poll::Ready(ended) => Box::pin(ready(ended)),
            Poll::Pending => statement,
        });
    }

    /// Waits for all of them; the first failure is why the others fail.
    async fn heard(&mut self) -> Result<(), tokio_postgres::Error> {
        let mut failure = None;
        for statement in self.0.drain(..) {
            failure = failure.or(statement.await.err());
        }
        failure.map_or(Ok(()), Err)
    }
}

/// A transaction, for its work.
pub struct PostgreSqlTransaction<'c> {
    connection: &'c Arc<Connection>,
    under_way: &'c mut UnderWay,
}

impl PostgreSqlTransaction<'_> {
    pub async fn execute(&mut self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        let executed = self.connection.execute(text, parameters).await;
        self.explained(executed).await
    }

    /// The same where nobody asks how many rows it changes: a refusal is heard by whoever listens next.
    pub async fn send(&mut self, text: &str, parameters: Vec<Datum>) -> Result<(), StoreError> {
        let prepared = self.connection.statement(text).await;
        let statement = self.explained(prepared).await?;
        let connection = Arc::clone(self.connection);
        let sent = async move { connection.client.execute_raw(&statement, texts(&parameters)).await };
        self.under_way.send(sent).await;
        Ok(())
    }

    pub async fn read(&mut self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let rows = self.connection.read(text, parameters).await;
        self.explained(rows).await
    }

    /// What has failed before is why this failed.
    async fn explained<T>(&mut self, ended: Result<T, StoreError>) -> Result<T, StoreError> {
        if ended.is_err() {
            self.under_way.heard().await?;
        }
        ended
    }
}

impl Connection {
    /// Statements without values, to be sent.
    fn batch(
        self: &Arc<Self>,
        words: Cow<'static, str>,
    ) -> impl Future<Output = Result<u64, tokio_postgres::Error>> + use<> {
        let connection = Arc::clone(self);
        async move { connection.client.batch_execute(&words).await.map(|()| 0) }
    }

    async fn execute(&self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        let statement = self.statement(text).await?;
        Ok(self.client.execute_raw(&statement, texts(parameters)).await?)
    }

    async fn read(&self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(text).await?;
        let parameters = texts(parameters);
        let rows = self.client.query(&statement, &borrowed(&parameters)).await?;
        rows_of(&statement, rows)
    }

    /// The same on a connection that others share: where the one before asked for another's rows, the session hears first whose are
    /// meant. Both go out together, and nothing of anybody else comes between.
    pub(super) async fn read_about(
        &self,
        whose: &Whose,
        text: &str,
        parameters: &[Datum],
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(text).await?;
        let parameters = texts(parameters);
        let parameters = borrowed(&parameters);
        if let Whose::Of(_) = whose {
            self.tell.get_or_try_init(|| self.client.prepare(TELL)).await?;
        }
        let telling = async {
            let before = self.about().replace(whose.clone());
            // Whoever made it another's has prepared that, perhaps a moment ago: it is looked for in turn, not before.
            match self.tell.get().filter(|_| before.as_ref() != Some(whose)) {
                Some(tell) => self.client.execute(tell, &[&whose.said()]).await.map(drop),
                None => Ok(()),
            }
        };
        let mut both = pin!(join(telling, self.client.query(&statement, &parameters)));
        // They are sent when they are looked at first.
        let sent = poll_fn(|context| {
            let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            Poll::Ready(both.as_mut().poll(context))
        });
        let (told, rows) = match sent.await {
            Poll::Ready(ended) => ended,
            Poll::Pending => both.await,
        };
        if let Err(error) = told {
            *self.about() = None;
            return Err(error.into());
        }
        rows_of(&statement, rows?)
    }

    fn about(&self) -> MutexGuard<'_, Option<Whose>> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn is_open(&self) -> bool {
        !self.client.is_closed() && !self.is_lost.load(Ordering::Relaxed)
    }

    fn is_used(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn idle_for(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Nobody begins anything on it any more.
    pub(super) fn give_up(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// The tables have changed, and so have the statements.
    fn forget(&self) {
        self.statements().clear();
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rows_of(statement: &Statement, rows: Vec<tokio_postgres::Row>) -> Result<Vec<Row>, StoreError> {
    let width = statement.columns().len();
    let row = |row: tokio_postgres::Row| {
        (0..width).map(|index| row.try_get::<_, Cell>(index).map(|cell| cell.0)).collect::<Result<Row, _>>()
    };
    Ok(rows.into_iter().map(row).collect::<Result<_, _>>()?)
}

fn borrowed<'t>(parameters: &'t [Text<'_>]) -> Vec<&'t (dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn texts(parameters: &[Datum]) -> Vec<Text<'_>> {
    parameters.iter().map(Text).collect()
}
