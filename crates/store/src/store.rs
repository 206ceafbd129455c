//! A database as those see it who serve from it: read, written in transactions, asked for its keys. One value for every engine.

use crate::mongodb::{MongoStore, MongoTransaction, ScratchCollections};
use crate::mysql::{MySqlStore, MySqlTransaction, ScratchDatabase};
use crate::postgresql::{PostgreSqlStore, PostgreSqlTransaction, ScratchSchema};
use crate::sqlite::{SqliteStore, SqliteTransaction};
use crate::{ApiKeyRow, Database, Location, Row, StoreError, TransactionFuture};
use dialect::permission::ALL_USERS;
use plan::database::{DatabasePlan, Migration, ObservedTable, Pool};
use std::sync::Arc;
use vocab::{Datum, Engine, TableName};

/// Tables whose rows one statement counts: engines bound how deep a sum may be.
const COUNTED_AT_ONCE: usize = 200;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Store(pub(crate) Open);

#[derive(Clone)]
pub(crate) enum Open {
    Sqlite(SqliteStore),
    PostgreSql(PostgreSqlStore),
    MySql(MySqlStore),
    MongoDb(MongoStore),
}

/// Whose rows a statement is about, where the database can keep to that; elsewhere the statement alone says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The rows of all users, and those that are nobody's.
    Everybodys,
    /// Of those that are users' the rows of this one; an empty id: none.
    Of(String),
}

impl Whose {
    pub(crate) fn said(&self) -> &str {
        match self {
            Self::Everybodys => ALL_USERS,
            // Nobody is called so, whatever somebody makes up.
            Self::Of(user) if user == ALL_USERS => "",
            Self::Of(user) => user,
        }
    }
}

/// A transaction, for its work.
pub struct Transaction<'c>(pub(crate) Begun<'c>);

pub(crate) enum Begun<'c> {
    Sqlite(SqliteTransaction<'c>),
    PostgreSql(PostgreSqlTransaction<'c>),
    MySql(MySqlTransaction<'c>),
    MongoDb(MongoTransaction<'c>),
}

/// An empty database of an engine on which something is tried. It is gone when this is dropped.
pub struct Scratch {
    /// To serve from.
    pub store: Store,
    _place: Place,
}

/// What goes with a scratch.
enum Place {
    Memory,
    Schema { _dropped: ScratchSchema },
    Database { _dropped: ScratchDatabase },
    Collections { _dropped: ScratchCollections },
}

impl Scratch {
    /// An empty one of the same engine; on a server a schema of its own in the same database, or a database of its own where the
    /// engine knows no schemas.
    ///
    /// # Errors
    /// [`StoreError`] when there is none to be had.
    pub fn beside(database: &Database) -> Result<Self, StoreError> {
        match database {
            Database::Sqlite(_) => Ok(Self { store: Store::open(&Location::Memory)?, _place: Place::Memory }),
            Database::PostgreSql(server) => {
                let schema = ScratchSchema::make(server)?;
                let store = Store(Open::PostgreSql(PostgreSqlStore::hasty(schema.server.clone())));
                Ok(Self { store, _place: Place::Schema { _dropped: schema } })
            }
            Database::MySql(server) => {
                let made = ScratchDatabase::make(server)?;
                let store = Store(Open::MySql(MySqlStore::new(made.server.clone(), Pool::default(), None)));
                Ok(Self { store, _place: Place::Database { _dropped: made } })
            }
            Database::MongoDb(server) => {
                let made = ScratchCollections::make(server)?;
                let store = Store(Open::MongoDb(MongoStore::new(made.server.clone(), Pool::default(), None)));
                Ok(Self { store, _place: Place::Collections { _dropped: made } })
            }
        }
    }
}

impl Store {
    /// Opens a SQLite database, making it when it is not there. Those on servers are opened by [`Database::open`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(Self(Open::Sqlite(SqliteStore::open(location)?)))
    }

    /// Whose words it takes.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.0 {
            Open::Sqlite(_) => Engine::Sqlite,
            Open::PostgreSql(_) => Engine::PostgreSql,
            Open::MySql(_) => Engine::MySql,
            Open::MongoDb(_) => Engine::MongoDb,
        }
    }

    /// Whether both are the same open database.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Open::Sqlite(left), Open::Sqlite(right)) => left.is(right),
            (Open::PostgreSql(left), Open::PostgreSql(right)) => left.is(right),
            (Open::MySql(left), Open::MySql(right)) => left.is(right),
            (Open::MongoDb(left), Open::MongoDb(right)) => left.is(right),
            (Open::Sqlite(_) | Open::PostgreSql(_) | Open::MySql(_) | Open::MongoDb(_), _) => false,
        }
    }

    /// Runs work in a transaction. The work may only wait for the transaction itself.
    ///
    /// # Errors
    /// What the work answered, or the commit's failure; nothing was written then. [`StoreError::Contended`] when the same work
    /// may succeed at once.
    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        self.transaction_about(&Whose::Everybodys, work).await
    }

    /// The same about those rows alone.
    ///
    /// # Errors
    /// As [`Self::transaction`].
    pub async fn transaction_about<T, F>(&self, whose: &Whose, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        match &self.0 {
            Open::Sqlite(store) => store.transaction(work).await,
            Open::PostgreSql(store) => store.transaction(whose, work).await,
            Open::MySql(store) => store.transaction(work).await,
            Open::MongoDb(store) => store.transaction(work).await,
        }
    }

    /// Reads rows outside a transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the statement is refused or the database does not answer.
    pub async fn read(&self, text: Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        self.read_about(&Whose::Everybodys, text, parameters).await
    }

    /// The same about those rows alone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_about(
        &self,
        whose: &Whose,
        text: Arc<str>,
        parameters: Vec<Datum>,
    ) -> Result<Vec<Row>, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.read(text, parameters).await,
            Open::PostgreSql(store) => store.read(whose, text, parameters).await,
            Open::MySql(store) => store.read(text, parameters).await,
            Open::MongoDb(store) => store.read(text, parameters).await,
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.ping().await,
            Open::PostgreSql(store) => store.ping().await,
            Open::MySql(store) => store.ping().await,
            Open::MongoDb(store) => store.ping().await,
        }
    }

    /// The tables, without the engine's own.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn inspect(&self) -> Result<Vec<ObservedTable>, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.inspect(),
            Open::PostgreSql(store) => store.inspect(),
            Open::MySql(store) => store.inspect(),
            Open::MongoDb(store) => store.inspect(),
        }
    }

    /// Every table of the plan that is not there as it should be, in words; empty when all are. What else the database holds
    /// does no harm.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn differences(&self, plan: &DatabasePlan) -> Result<Vec<String>, StoreError> {
        Ok(crate::differences(plan, &self.inspect()?))
    }

    /// Applies the migrations that the ledger does not have, each whole or not at all. Returns the names applied now.
    ///
    /// # Errors
    /// [`StoreError::MigrationChanged`] when one of them was applied with another content, [`StoreError`] when a statement fails.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.migrate(scope, migrations, now),
            Open::PostgreSql(store) => store.migrate(scope, migrations, now),
            Open::MySql(store) => store.migrate(scope, migrations, now),
            Open::MongoDb(store) => store.migrate(scope, migrations, now),
        }
    }

    /// How many rows the tables hold together.
    ///
    /// # Errors
    /// [`StoreError`] when there is no such table or the database does not answer.
    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        let mut rows = 0;
        for tables in tables.chunks(COUNTED_AT_ONCE) {
            rows += match &self.0 {
                Open::Sqlite(store) => store.count_rows(tables).await,
                Open::PostgreSql(store) => store.count_rows(tables).await,
                Open::MySql(store) => store.count_rows(tables).await,
                Open::MongoDb(store) => store.count_rows(tables).await,
            }?;
        }
        Ok(rows)
    }

    /// Keeps a new API key.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.insert_api_key(key),
            Open::PostgreSql(store) => store.insert_api_key(key),
            Open::MySql(store) => store.insert_api_key(key),
            Open::MongoDb(store) => store.insert_api_key(key),
        }
    }

    /// Keeps a new API key that replaces another one, which goes on working until `end`. `false` when that one was revoked or
    /// replaced meanwhile; nothing is kept then.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn replace_api_key(&self, old: &str, end: &str, new: &ApiKeyRow) -> Result<bool, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.replace_api_key(old, end, new),
            Open::PostgreSql(store) => store.replace_api_key(old, end, new),
            Open::MySql(store) => store.replace_api_key(old, end, new),
            Open::MongoDb(store) => store.replace_api_key(old, end, new),
        }
    }

    /// All API keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.api_keys(),
            Open::PostgreSql(store) => store.api_keys(),
            Open::MySql(store) => store.api_keys(),
            Open::MongoDb(store) => store.api_keys(),
        }
    }

    /// Makes a key useless. `false` when it was revoked before, or there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn revoke_api_key(&self, id: &str, now: &str) -> Result<bool, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.revoke_api_key(id, now),
            Open::PostgreSql(store) => store.revoke_api_key(id, now),
            Open::MySql(store) => store.revoke_api_key(id, now),
            Open::MongoDb(store) => store.revoke_api_key(id, now),
        }
    }

    /// The key with that hash, if it was not revoked. It may have expired.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn find_api_key(&self, hash: String) -> Result<Option<ApiKeyRow>, StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.find_api_key(hash).await,
            Open::PostgreSql(store) => store.find_api_key(hash).await,
            Open::MySql(store) => store.find_api_key(hash).await,
            Open::MongoDb(store) => store.find_api_key(hash).await,
        }
    }

    /// Notes when keys were used, by id, all in one transaction. A time that is older than the one that is there is passed over:
    /// several servers may share the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing was noted then.
    pub async fn note_api_key_uses(&self, uses: Vec<(String, String)>) -> Result<(), StoreError> {
        match &self.0 {
            Open::Sqlite(store) => store.note_api_key_uses(uses).await,
            Open::PostgreSql(store) => store.note_api_key_uses(uses).await,
            Open::MySql(store) => store.note_api_key_uses(uses).await,
            Open::MongoDb(store) => store.note_api_key_uses(uses).await,
        }
    }
}

impl Transaction<'_> {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] when it is refused.
    pub async fn execute(&mut self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        match &mut self.0 {
            Begun::Sqlite(transaction) => transaction.execute(text, parameters),
            Begun::PostgreSql(transaction) => transaction.execute(text, parameters).await,
            Begun::MySql(transaction) => transaction.execute(text, parameters).await,
            Begun::MongoDb(transaction) => transaction.execute(text, parameters).await,
        }
    }

    /// Runs a statement whose answer nobody needs. Where it is refused that is told now, by a statement behind it, or at the end.
    ///
    /// # Errors
    /// [`StoreError`] when it, or one before it, is refused.
    pub async fn send(&mut self, text: &str, parameters: Vec<Datum>) -> Result<(), StoreError> {
        match &mut self.0 {
            Begun::PostgreSql(transaction) => transaction.send(text, parameters).await,
            Begun::Sqlite(_) | Begun::MySql(_) | Begun::MongoDb(_) => self.execute(text, &parameters).await.map(drop),
        }
    }

    /// Inserts a row by a statement of `dialect` that has the database make its key, and returns that.
    ///
    /// # Errors
    /// [`StoreError`] when it is refused.
    pub async fn insert(&mut self, text: &str, parameters: &[Datum]) -> Result<Datum, StoreError> {
        let rows = match &mut self.0 {
            Begun::Sqlite(transaction) => transaction.read(text, parameters)?,
            Begun::PostgreSql(transaction) => transaction.read(text, parameters).await?,
            Begun::MySql(transaction) => return transaction.insert(text, parameters).await,
            Begun::MongoDb(transaction) => return transaction.insert(text, parameters).await,
        };
        let key = rows.into_iter().next().and_then(|row| row.into_iter().next());
        key.ok_or_else(|| StoreError::Refused("the database tells no key of a new row".to_owned()))
    }

    /// Reads rows.
    ///
    /// # Errors
    /// [`StoreError`] when the statement is refused.
    pub async fn read(&mut self, text: &str, parameters: &[Datum]) -> Result<Vec<Row>, StoreError> {
        match &mut self.0 {
            Begun::Sqlite(transaction) => transaction.read(text, parameters),
            Begun::PostgreSql(transaction) => transaction.read(text, parameters).await,
            Begun::MySql(transaction) => transaction.read(text, parameters).await,
            Begun::MongoDb(transaction) => transaction.read(text, parameters).await,
        }
    }
}
