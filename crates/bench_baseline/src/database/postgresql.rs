//! PostgreSQL by tokio-postgres: reads share a few connections, one behind the other without waiting for answers; a transaction has one
//! of its own, and its statements go out together. Columns are read where they lie and written as JSON.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::{try_join_all, try_join4};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio::sync::Semaphore;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

use super::{Failure, Found, NOTES, SHARED, Stored, Submission, WRITERS, id_of, page};
use crate::validation::Message;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS api_keys (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash text NOT NULL UNIQUE, revoked_at timestamptz
    );
    CREATE TABLE IF NOT EXISTS contact_messages (
        id uuid PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text, company text, subject text,
        message text NOT NULL, created_at timestamptz(3) NOT NULL
    );
    CREATE TABLE IF NOT EXISTS products (
        id uuid PRIMARY KEY, name text NOT NULL, stock bigint NOT NULL, active boolean, released_at timestamptz(3), notes text,
        created_at timestamptz(3) NOT NULL, updated_at timestamptz(3) NOT NULL, row_version bigint NOT NULL
    );
    CREATE TABLE IF NOT EXISTS outbox_events (
        id uuid PRIMARY KEY, name text NOT NULL, payload jsonb NOT NULL, occurred_at timestamptz(3) NOT NULL
    );
";
/// What a careful engineer sets, and the producer too.
pub const SETTINGS: &str =
    "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '15s'";
pub const FIND_KEY: &str = "SELECT id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
pub const ADD_KEY: &str = "INSERT INTO api_keys (hash) VALUES ($1) ON CONFLICT DO NOTHING";
const INSERT_PRODUCT: &str = "INSERT INTO products
    (id, name, stock, active, released_at, notes, created_at, updated_at, row_version) VALUES ($1, $2, $3, true, now(), $4, now(), now(), 1)";
pub const INSERT_MESSAGE: &str = "INSERT INTO contact_messages
    (id, name, email, phone, company, subject, message, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_EVENT: &str =
    "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ($1, 'contact_form', $2, $3)";
/// The same where the document goes out as a text.
pub const INSERT_EVENT_TEXT: &str =
    "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ($1, 'contact_form', $2::text::jsonb, $3)";
pub const PRODUCT: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products WHERE id = $1";
pub const FIRST: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products ORDER BY id DESC LIMIT $1";
pub const BEHIND: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products WHERE id < $2 ORDER BY id DESC LIMIT $1";

/// A server, and the connections to it.
pub struct PostgreSql {
    url: String,
    readers: Vec<Reader>,
    turn: AtomicUsize,
    places: Semaphore,
    idle: Mutex<Vec<Writer>>,
}

struct Reader {
    client: Client,
    find_key: Statement,
    product: Statement,
    first: Statement,
    behind: Statement,
}

struct Writer {
    client: Client,
    message: Statement,
    event: Statement,
}

type Product<'r> = super::Product<&'r str, Id, Time>;

impl PostgreSql {
    pub async fn open(url: &str) -> Result<Self, Failure> {
        connect(url).await?.batch_execute(SCHEMA).await?;
        let readers = try_join_all((0..SHARED).map(|_| Reader::connect(url))).await?;
        let (places, idle) = (Semaphore::new(WRITERS), Mutex::default());
        Ok(Self { url: url.to_owned(), readers, turn: AtomicUsize::new(0), places, idle })
    }

    pub async fn fill(&self, rows: u32) -> Result<(), Failure> {
        let client = &self.reader().client;
        for number in 0..rows {
            let name = format!("Product {number}");
            client.execute(INSERT_PRODUCT, &[&Id::of(&id_of(number))?, &name, &i64::from(number), &NOTES]).await?;
        }
        Ok(())
    }

    pub async fn product(&self, id: &str) -> Result<Option<Found>, Failure> {
        let reader = self.reader();
        let Ok(id) = Id::of(id) else { return Ok(None) };
        let row = reader.client.query_opt(&reader.product, &[&id]).await?;
        row.map(|row| product(&row)?.found()).transpose()
    }

    pub async fn products(&self, limit: u32, before: Option<&str>) -> Result<Vec<u8>, Failure> {
        let reader = self.reader();
        let most = i64::from(limit) + 1;
        let rows = match before {
            None => reader.client.query(&reader.first, &[&most]).await?,
            Some(before) => reader.client.query(&reader.behind, &[&most, &Id::of(before)?]).await?,
        };
        page(rows.iter().map(product).collect::<Result<_, _>>()?, limit)
    }

    pub async fn add_key(&self, hash: &str) -> Result<(), Failure> {
        self.reader().client.execute(ADD_KEY, &[&hash]).await?;
        Ok(())
    }

    pub async fn find_key(&self, hash: &str) -> Result<Option<i64>, Failure> {
        let reader = self.reader();
        let row = reader.client.query_opt(&reader.find_key, &[&hash]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub async fn store(&self, message: &Message) -> Result<Stored, Failure> {
        let submission = Submission::of(message)?;
        let Submission { id, event, at, payload } = &submission;
        let (id, event, at, payload) = (Id::of(id)?, Id::of(event)?, Time::of(at)?, Json(payload));
        let _place = self.places.acquire().await?;
        let known = self.idle().pop();
        let writer = match known {
            Some(writer) => writer,
            None => Writer::connect(&self.url).await?,
        };
        let Message { name, email, phone, company, subject, message } = message;
        let message: [&(dyn ToSql + Sync); 8] = [&id, name, email, phone, company, subject, message, &at];
        let event: [&(dyn ToSql + Sync); 3] = [&event, &payload, &at];
        // A connection that has failed goes, and with it what it had begun.
        try_join4(
            writer.client.batch_execute("BEGIN"),
            writer.client.execute(&writer.message, &message),
            writer.client.execute(&writer.event, &event),
            writer.client.batch_execute("COMMIT"),
        )
        .await?;
        self.idle().push(writer);
        Ok(submission.stored())
    }

    fn reader(&self) -> &Reader {
        &self.readers[self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len()]
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Writer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    async fn connect(url: &str) -> Result<Self, Failure> {
        let client = connect(url).await?;
        let (find_key, product) = (client.prepare(FIND_KEY).await?, client.prepare(PRODUCT).await?);
        let (first, behind) = (client.prepare(FIRST).await?, client.prepare(BEHIND).await?);
        Ok(Self { client, find_key, product, first, behind })
    }
}

impl Writer {
    async fn connect(url: &str) -> Result<Self, Failure> {
        let client = connect(url).await?;
        let (message, event) = (client.prepare(INSERT_MESSAGE).await?, client.prepare(INSERT_EVENT).await?);
        Ok(Self { client, message, event })
    }
}

pub async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("error: {error}");
        }
    });
    client.batch_execute(SETTINGS).await?;
    Ok(client)
}

fn product(row: &Row) -> Result<Product<'_>, tokio_postgres::Error> {
    Ok(Product {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        stock: row.try_get(2)?,
        active: row.try_get(3)?,
        released_at: row.try_get(4)?,
        notes: row.try_get(5)?,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
        row_version: row.try_get(8)?,
    })
}

type Unusable = Box<dyn Error + Sync + Send>;

/// A UUID in the form of the server.
#[derive(Debug)]
pub struct Id(pub Uuid);

impl Id {
    pub fn of(text: &str) -> Result<Self, Failure> {
        Ok(Self(Uuid::try_parse(text)?))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl FromSql<'_> for Id {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Unusable> {
        Ok(Self(Uuid::from_slice(raw)?))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Unusable> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}

/// Seconds from 1970 to 2000, from which the server counts.
const EPOCH: i64 = 946_684_800;

/// A time in the form of the server.
#[derive(Debug)]
pub struct Time(Timestamp);

impl Time {
    pub fn of(text: &str) -> Result<Self, Failure> {
        Ok(Self(text.parse()?))
    }

    pub fn of_server(raw: &[u8]) -> Result<Self, Failure> {
        Ok(Self(Timestamp::from_microsecond(i64::from_be_bytes(raw.try_into()?) + EPOCH * 1_000_000)?))
    }

    pub fn in_server(&self) -> [u8; 8] {
        (self.0.as_microsecond() - EPOCH * 1_000_000).to_be_bytes()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromSql<'_> for Time {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Unusable> {
        Self::of_server(raw)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }
}

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Unusable> {
        out.extend_from_slice(&self.in_server());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// A document that is text already.
#[derive(Debug)]
struct Json<'a>(&'a str);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Unusable> {
        out.extend_from_slice(b"\x01");
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::JSONB
    }

    to_sql_checked!();
}
