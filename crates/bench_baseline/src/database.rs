//! The database of the hand-written server, by what its URL says: a file of SQLite, or a server by its driver. Records come out as the
//! bytes of answers.

mod mysql;
pub mod postgresql;
mod sqlite;
mod sqlx;

use std::error::Error;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::validation::Message;

/// Why the database gave nothing; the log hears it.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Connections to a server: those that readers share, and those for transactions.
const SHARED: usize = 2;
const WRITERS: usize = 8;
const NOTES: &str = "A short description of what this is, who needs it and how it is packed.";

/// An open database.
pub enum Database {
    Sqlite(sqlite::Sqlite),
    PostgreSql(postgresql::PostgreSql),
    Sqlx(sqlx::Sqlx),
    MySql(mysql::MySql),
}

/// A record as it is answered.
#[derive(Debug, Serialize)]
struct Product<T, I, A> {
    /// UUIDv7.
    id: I,
    name: T,
    stock: i64,
    active: Option<bool>,
    released_at: Option<A>,
    notes: Option<T>,
    created_at: A,
    updated_at: A,
    /// Grows with every change.
    #[serde(skip)]
    row_version: i64,
}

#[derive(Serialize)]
struct Page<'a, P> {
    items: &'a [P],
    next: Option<String>,
}

/// A record as bytes, and its version.
pub struct Found {
    pub version: i64,
    pub body: Vec<u8>,
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

/// A message with what is stored beside it.
struct Submission {
    id: String,
    event: String,
    at: String,
    payload: String,
}

impl Database {
    /// Opens it: `postgresql://`, `sqlx+postgresql://`, `mysql://`, or the path of a file.
    pub async fn open(url: &str) -> Result<Self, Failure> {
        if let Some(rest) = url.strip_prefix("sqlx+") {
            return Ok(Self::Sqlx(sqlx::Sqlx::open(rest).await?));
        }
        Ok(match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("mysql") => Self::MySql(mysql::MySql::open(url).await?),
            Some("postgresql") => Self::PostgreSql(postgresql::PostgreSql::open(url).await?),
            _ => Self::Sqlite(sqlite::Sqlite::open(url.as_ref())?),
        })
    }

    /// Puts in products whose ids tell their number.
    pub async fn fill(&self, rows: u32) -> Result<(), Failure> {
        match self {
            Self::Sqlite(database) => database.fill(rows),
            Self::PostgreSql(database) => database.fill(rows).await,
            Self::MySql(database) => database.fill(rows).await,
            Self::Sqlx(_) => Err("rows are put in by the other driver".into()),
        }
    }

    /// One product.
    pub async fn product(&self, id: String) -> Result<Option<Found>, Failure> {
        match self {
            Self::Sqlite(database) => database.product(id).await,
            Self::PostgreSql(database) => database.product(&id).await,
            Self::Sqlx(database) => database.product(&id).await,
            Self::MySql(database) => database.product(&id).await,
        }
    }

    /// A page of products, newest first, of those with a smaller id than that.
    pub async fn products(&self, limit: u32, before: Option<String>) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Sqlite(database) => database.products(limit, before).await,
            Self::PostgreSql(database) => database.products(limit, before.as_deref()).await,
            Self::Sqlx(database) => database.products(limit, before.as_deref()).await,
            Self::MySql(database) => database.products(limit, before.as_deref()).await,
        }
    }

    /// Makes a key with this hash work; a key that is there stays as it is.
    pub async fn add_key(&self, hash: &str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(database) => database.add_key(hash),
            Self::PostgreSql(database) => database.add_key(hash).await,
            Self::Sqlx(database) => database.add_key(hash).await,
            Self::MySql(database) => database.add_key(hash).await,
        }
    }

    /// The row of the working key with this hash.
    pub async fn find_key(&self, hash: String) -> Result<Option<i64>, Failure> {
        match self {
            Self::Sqlite(database) => database.find_key(hash).await,
            Self::PostgreSql(database) => database.find_key(&hash).await,
            Self::Sqlx(database) => database.find_key(&hash).await,
            Self::MySql(database) => database.find_key(&hash).await,
        }
    }

    /// Stores the message and its event in one transaction.
    pub async fn store(&self, message: Message) -> Result<Stored, Failure> {
        match self {
            Self::Sqlite(database) => database.store(message).await,
            Self::PostgreSql(database) => database.store(&message).await,
            Self::Sqlx(database) => database.store(&message).await,
            Self::MySql(database) => database.store(&message).await,
        }
    }
}

impl Submission {
    fn of(message: &Message) -> Result<Self, Failure> {
        let (id, event) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
        let at = now();
        let payload = serde_json::to_string(&Event { id: &id, message, created_at: &at })?;
        Ok(Self { id, event, at, payload })
    }

    fn stored(self) -> Stored {
        Stored { id: self.id, at: self.at }
    }
}

impl<T: Serialize, I: Serialize, A: Serialize> Product<T, I, A> {
    fn found(&self) -> Result<Found, Failure> {
        Ok(Found { version: self.row_version, body: serde_json::to_vec(self)? })
    }
}

/// The page of rows of which there is one more than asked for, where there is another page.
fn page<T: Serialize, I: Serialize + ToString, A: Serialize>(
    mut rows: Vec<Product<T, I, A>>,
    limit: u32,
) -> Result<Vec<u8>, Failure> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|last| cursor(&last.id.to_string()));
    Ok(serde_json::to_vec(&Page { items: &rows, next })?)
}

/// Hex of the JSON array `["-id","<id>"]`.
fn cursor(id: &str) -> String {
    crate::keys::hex(format!("[\"-id\",\"{id}\"]").as_bytes())
}

/// The id of a product that is put in.
fn id_of(number: u32) -> String {
    format!("01900000-0000-7000-8000-{number:012}")
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}
