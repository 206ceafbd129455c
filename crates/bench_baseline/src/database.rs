//! The database file: one writing connection behind a lock, a few for readers, statements prepared once, one transaction per message.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use uuid::Uuid;

use crate::validation::Message;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS api_keys (
        id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, revoked_at TEXT
    );
    CREATE TABLE IF NOT EXISTS contact_messages (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT, company TEXT, subject TEXT,
        message TEXT NOT NULL, created_at TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS products (
        id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL, active INTEGER, released_at TEXT, notes TEXT,
        created_at TEXT NOT NULL, updated_at TEXT NOT NULL, row_version INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS outbox_events (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, payload TEXT NOT NULL, occurred_at TEXT NOT NULL
    ) WITHOUT ROWID;
";
const INSERT_MESSAGE: &str = "INSERT INTO contact_messages
    (id, name, email, phone, company, subject, message, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_EVENT: &str =
    "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?1, 'contact_form', ?2, ?3)";

const INSERT_PRODUCT: &str = "INSERT INTO products
    (id, name, stock, active, released_at, notes, created_at, updated_at, row_version) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?4, ?4, 1)";
const PRODUCT: &str =
    "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products";
const NOTES: &str = "A short description of what this is, who needs it and how it is packed.";
/// Reading connections.
pub const READERS: usize = 4;

/// An open database.
pub struct Database {
    connection: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
}

/// A record as it is answered.
#[derive(Debug, Serialize)]
pub struct Product {
    /// UUIDv7.
    pub id: String,
    name: String,
    stock: i64,
    active: Option<bool>,
    released_at: Option<String>,
    notes: Option<String>,
    created_at: String,
    updated_at: String,
    /// Grows with every change.
    #[serde(skip)]
    pub row_version: i64,
}

/// What storing a message made.
#[derive(Debug)]
pub struct Stored {
    /// UUIDv7 of the row.
    pub id: String,
    /// RFC 3339, UTC.
    pub at: String,
}

#[derive(Serialize)]
struct Event<'a> {
    id: &'a str,
    #[serde(flatten)]
    message: &'a Message,
    created_at: &'a str,
}

impl Database {
    /// Opens or makes the file; a commit is on the disk before it is answered.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        let reader = || Connection::open(path).map(Mutex::new);
        Ok(Self { connection: Mutex::new(connection), readers: [reader()?, reader()?, reader()?, reader()?] })
    }

    /// Puts in products whose ids tell their number.
    pub fn fill(&self, rows: u32) -> rusqlite::Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for number in 0..rows {
            let id = format!("01900000-0000-7000-8000-{number:012}");
            transaction.prepare_cached(INSERT_PRODUCT)?.execute(params![
                id,
                format!("Product {number}"),
                number,
                now(),
                NOTES
            ])?;
        }
        transaction.commit()
    }

    /// One product.
    pub fn product(&self, id: &str) -> rusqlite::Result<Option<Product>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!("{PRODUCT} WHERE id = ?1"))?;
        statement.query_row([id], product).optional()
    }

    /// Products, newest first, of those with a smaller id than that.
    pub fn products(&self, limit: u32, before: Option<&str>) -> rusqlite::Result<Vec<Product>> {
        let reader = self.reader();
        let mut statement =
            reader.prepare_cached(&format!("{PRODUCT} WHERE ?2 IS NULL OR id < ?2 ORDER BY id DESC LIMIT ?1"))?;
        statement.query_map(params![limit, before], product)?.collect()
    }

    /// A reader that nobody uses; the first one where all are in use.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let idle = self.readers.iter().find_map(|reader| reader.try_lock().ok());
        idle.unwrap_or_else(|| self.readers[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a key with this hash work; a key that is there stays as it is.
    pub fn add_key(&self, hash: &str) -> rusqlite::Result<()> {
        let statement = "INSERT INTO api_keys (hash, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.lock().execute(statement, params![hash, now()])?;
        Ok(())
    }

    /// The row of the working key with this hash.
    pub fn find_key(&self, hash: &str) -> rusqlite::Result<Option<i64>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT id FROM api_keys WHERE hash = ?1 AND revoked_at IS NULL")?;
        statement.query_row([hash], |row| row.get(0)).optional()
    }

    /// Stores the message and its event in one transaction.
    pub fn store(&self, message: &Message) -> rusqlite::Result<Stored> {
        let (id, event) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
        let at = now();
        let payload = serde_json::to_string(&Event { id: &id, message, created_at: &at })
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let Message { name, email, phone, company, subject, message } = message;
        transaction
            .prepare_cached(INSERT_MESSAGE)?
            .execute(params![id, name, email, phone, company, subject, message, at])?;
        transaction.prepare_cached(INSERT_EVENT)?.execute(params![event, payload, at])?;
        transaction.commit()?;
        Ok(Stored { id, at })
    }

    /// A panic in another thread rolled its transaction back; the connection is sound.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn product(row: &rusqlite::Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: row.get(0)?,
        name: row.get(1)?,
        stock: row.get(2)?,
        active: row.get(3)?,
        released_at: row.get(4)?,
        notes: row.get(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
        row_version: row.get(8)?,
    })
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
