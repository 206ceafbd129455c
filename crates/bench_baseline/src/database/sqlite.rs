//! The database file: one writing connection behind a lock, a few for readers, statements prepared once, one transaction per message.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Failure, Found, NOTES, Stored, Submission, id_of, now, page};
use crate::validation::Message;

type Product = super::Product<String, String, String>;

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
/// Reading connections.
const READERS: usize = 4;

/// An open file.
pub struct Sqlite {
    file: Arc<File>,
    /// As many reads at once as there are connections to read with: more threads would only wait for each other.
    places: Semaphore,
}

struct File {
    connection: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
}

impl Sqlite {
    /// Opens or makes the file; a commit is on the disk before it is answered.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        let reader = || Connection::open(path).map(Mutex::new);
        let readers = [reader()?, reader()?, reader()?, reader()?];
        let file = Arc::new(File { connection: Mutex::new(connection), readers });
        Ok(Self { file, places: Semaphore::new(READERS) })
    }

    pub fn fill(&self, rows: u32) -> Result<(), Failure> {
        let mut connection = self.file.lock();
        let transaction = connection.transaction()?;
        for number in 0..rows {
            let name = format!("Product {number}");
            let values = params![id_of(number), name, number, now(), NOTES];
            transaction.prepare_cached(INSERT_PRODUCT)?.execute(values)?;
        }
        Ok(transaction.commit()?)
    }

    pub async fn product(&self, id: String) -> Result<Option<Found>, Failure> {
        let found = self.read(move |file| file.product(&id)).await?;
        found.map(|product| product.found()).transpose()
    }

    pub async fn products(&self, limit: u32, before: Option<String>) -> Result<Vec<u8>, Failure> {
        page(self.read(move |file| file.products(limit + 1, before.as_deref())).await?, limit)
    }

    pub fn add_key(&self, hash: &str) -> Result<(), Failure> {
        let statement = "INSERT INTO api_keys (hash, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.file.lock().execute(statement, params![hash, now()])?;
        Ok(())
    }

    pub async fn find_key(&self, hash: String) -> Result<Option<i64>, Failure> {
        let file = Arc::clone(&self.file);
        Ok(spawn_blocking(move || file.find_key(&hash)).await??)
    }

    pub async fn store(&self, message: Message) -> Result<Stored, Failure> {
        let file = Arc::clone(&self.file);
        spawn_blocking(move || file.store(&message)).await?
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = self.places.acquire().await?;
        let file = Arc::clone(&self.file);
        Ok(spawn_blocking(move || work(&file)).await??)
    }
}

impl File {
    fn product(&self, id: &str) -> rusqlite::Result<Option<Product>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!("{PRODUCT} WHERE id = ?1"))?;
        statement.query_row([id], product).optional()
    }

    fn products(&self, limit: u32, before: Option<&str>) -> rusqlite::Result<Vec<Product>> {
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

    fn find_key(&self, hash: &str) -> rusqlite::Result<Option<i64>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT id FROM api_keys WHERE hash = ?1 AND revoked_at IS NULL")?;
        statement.query_row([hash], |row| row.get(0)).optional()
    }

    fn store(&self, message: &Message) -> Result<Stored, Failure> {
        let submission = Submission::of(message)?;
        let Submission { id, event, at, payload } = &submission;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let Message { name, email, phone, company, subject, message } = message;
        transaction
            .prepare_cached(INSERT_MESSAGE)?
            .execute(params![id, name, email, phone, company, subject, message, at])?;
        transaction.prepare_cached(INSERT_EVENT)?.execute(params![event, payload, at])?;
        transaction.commit()?;
        Ok(submission.stored())
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
