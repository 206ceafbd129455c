//! The database file: one connection behind a lock, statements prepared once, one transaction per message.

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
    CREATE TABLE IF NOT EXISTS outbox_events (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, payload TEXT NOT NULL, occurred_at TEXT NOT NULL
    ) WITHOUT ROWID;
";
const INSERT_MESSAGE: &str = "INSERT INTO contact_messages
    (id, name, email, phone, company, subject, message, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_EVENT: &str =
    "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?1, 'contact_form', ?2, ?3)";

/// An open database.
pub struct Database {
    connection: Mutex<Connection>,
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
        Ok(Self { connection: Mutex::new(connection) })
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

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
