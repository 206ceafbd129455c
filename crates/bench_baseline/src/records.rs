//! Records of two tables on PostgreSQL: a list with what its rows lead to, rows that are made or changed a thousand at a time, and
//! rows as CSV while they are read. Statements are prepared once a connection; what is stored and what is told of it is one transaction.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use crate::Service;
use crate::admission::{admit, internal};
use crate::answer::{Problem, RequestId};
use crate::database::Failure;
use crate::database::postgresql::{Id, Time, connect};
use crate::validation::{FieldProblem, wrong_field, wrong_parameter};

const CONNECTIONS: usize = 8;
const MOST_RECORDS: usize = 1000;
const LARGEST_BODY: usize = 4 * 1024 * 1024;
const LONGEST_SKU: usize = 40;
const LONGEST_NAME: usize = 80;
/// Bytes of CSV that go out together.
const PIECE: usize = 64 * 1024;

const OUTBOX: &str = "CREATE TABLE IF NOT EXISTS outbox_events (
    id uuid PRIMARY KEY, name text NOT NULL, payload jsonb NOT NULL, occurred_at timestamptz(3) NOT NULL)";
const LIST: &str = "SELECT i.id, i.category_id, i.sku, i.name, i.stock, i.active, i.created_at, i.updated_at,
    c.id, c.name, c.created_at, c.updated_at
    FROM items i LEFT JOIN categories c ON c.id = i.category_id
    WHERE i.active = true AND i.stock >= $1 ORDER BY i.id DESC LIMIT $2";
const MERGE: &str = "INSERT INTO items (id, sku, name, stock, active, created_at, updated_at, row_version)
    SELECT u.id, u.sku, u.name, u.stock, u.active, $6, $6, 1
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::boolean[]) AS u (id, sku, name, stock, active)
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, stock = excluded.stock, active = excluded.active,
        updated_at = excluded.updated_at, row_version = items.row_version + 1
    RETURNING id, category_id, sku, name, stock, active, created_at, updated_at, row_version";
const TELL: &str = "INSERT INTO outbox_events (id, name, payload, occurred_at)
    SELECT u.id, u.name, u.payload::jsonb, $4 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u (id, name, payload)";
const EXPORT: &str =
    "SELECT id, category_id, sku, name, stock, active, created_at, updated_at FROM items ORDER BY id DESC LIMIT $1";

/// The database, and connections that nobody uses.
pub struct Records {
    url: String,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    client: Client,
    list: Statement,
    merge: Statement,
    tell: Statement,
    export: Statement,
}

#[derive(Serialize)]
struct Item<'r> {
    id: Id,
    category_id: Option<Id>,
    sku: &'r str,
    name: &'r str,
    stock: i64,
    active: Option<bool>,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct Category<'r> {
    id: Id,
    name: &'r str,
    created_at: Time,
    updated_at: Time,
}

#[derive(Serialize)]
struct Listed<'r> {
    #[serde(flatten)]
    item: Item<'r>,
    category: Option<Category<'r>>,
}

#[derive(Serialize)]
struct Page<'r> {
    items: Vec<Listed<'r>>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    sku: String,
    name: String,
    stock: i64,
    active: Option<bool>,
}

impl Records {
    pub async fn open(url: &str) -> Result<Self, Failure> {
        connect(url).await?.batch_execute(OUTBOX).await?;
        Ok(Self { url: url.to_owned(), places: Arc::new(Semaphore::new(CONNECTIONS)), idle: Mutex::default() })
    }

    async fn take(&self) -> Result<(OwnedSemaphorePermit, Connection), Failure> {
        let place = Arc::clone(&self.places).acquire_owned().await?;
        let known = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok((
            place,
            match known {
                Some(connection) => connection,
                None => Connection::open(&self.url).await?,
            },
        ))
    }

    /// A connection that has failed is never given back.
    fn give(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    async fn page(&self, least: i64, limit: i64) -> Result<Vec<u8>, Failure> {
        let (_place, connection) = self.take().await?;
        let mut rows = connection.client.query(&connection.list, &[&least, &(limit + 1)]).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let items = rows.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let next = items.last().filter(|_| more).map(|last| format!("[\"-id\",\"{}\"]", last.item.id));
        let body = serde_json::to_vec(&Page { next: next.map(|next| crate::keys::hex(next.as_bytes())), items })?;
        self.give(connection);
        Ok(body)
    }

    async fn merge(&self, sent: &[Sent]) -> Result<Vec<u8>, Failure> {
        let now = Time::of(&format!("{:.3}", Timestamp::now()))?;
        let ids: Vec<Id> = sent.iter().map(|_| Id(Uuid::now_v7())).collect();
        let skus: Vec<&str> = sent.iter().map(|item| item.sku.as_str()).collect();
        let names: Vec<&str> = sent.iter().map(|item| item.name.as_str()).collect();
        let stocks: Vec<i64> = sent.iter().map(|item| item.stock).collect();
        let active: Vec<Option<bool>> = sent.iter().map(|item| item.active).collect();
        let (_place, mut connection) = self.take().await?;
        let Connection { client, merge, tell, .. } = &mut connection;
        let transaction = client.transaction().await?;
        let rows = transaction.query(&*merge, &[&ids, &skus, &names, &stocks, &active, &now]).await?;
        let items = rows.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let told: Vec<Id> = rows.iter().map(|_| Id(Uuid::now_v7())).collect();
        let event = |row: &Row| Ok(if row.try_get::<_, i64>(8)? == 1 { "item_created" } else { "item_updated" });
        let events = rows.iter().map(event).collect::<Result<Vec<&str>, tokio_postgres::Error>>()?;
        let payloads = items.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        transaction.execute(&*tell, &[&told, &events, &payloads, &now]).await?;
        transaction.commit().await?;
        let body = serde_json::to_vec(&items)?;
        self.give(connection);
        Ok(body)
    }

    /// Pieces of CSV while the rows come; the last one says why there are no more.
    async fn export(&self, limit: i64, to: &mpsc::Sender<Result<Bytes, Failure>>) -> Result<(), Failure> {
        let (_place, connection) = self.take().await?;
        let rows = connection.client.query_raw(&connection.export, [limit]).await?;
        let mut rows = pin!(rows);
        let mut piece = b"id,category_id,sku,name,stock,active,created_at,updated_at\r\n".to_vec();
        while let Some(row) = rows.try_next().await? {
            write_row(&mut piece, &item(&row)?)?;
            if piece.len() >= PIECE && to.send(Ok(Bytes::from(std::mem::take(&mut piece)))).await.is_err() {
                return Ok(());
            }
        }
        // A caller that has gone needs nothing more.
        let _ = to.send(Ok(Bytes::from(piece))).await;
        self.give(connection);
        Ok(())
    }
}

impl Connection {
    async fn open(url: &str) -> Result<Self, Failure> {
        let client = connect(url).await?;
        let (list, merge) = (client.prepare(LIST).await?, client.prepare(MERGE).await?);
        let (tell, export) = (client.prepare(TELL).await?, client.prepare(EXPORT).await?);
        Ok(Self { client, list, merge, tell, export })
    }
}

fn item(row: &Row) -> Result<Item<'_>, tokio_postgres::Error> {
    Ok(Item {
        id: row.try_get(0)?,
        category_id: row.try_get(1)?,
        sku: row.try_get(2)?,
        name: row.try_get(3)?,
        stock: row.try_get(4)?,
        active: row.try_get(5)?,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
    })
}

fn listed(row: &Row) -> Result<Listed<'_>, tokio_postgres::Error> {
    let category = match row.try_get(8)? {
        Some(id) => {
            let (name, created_at, updated_at) = (row.try_get(9)?, row.try_get(10)?, row.try_get(11)?);
            Some(Category { id, name, created_at, updated_at })
        }
        None => None,
    };
    Ok(Listed { item: item(row)?, category })
}

fn write_row(to: &mut Vec<u8>, item: &Item<'_>) -> Result<(), Failure> {
    use std::io::Write as _;
    write!(to, "{},", item.id)?;
    if let Some(category) = &item.category_id {
        write!(to, "{category}")?;
    }
    for text in [item.sku, item.name] {
        to.push(b',');
        cell(to, text);
    }
    write!(to, ",{},", item.stock)?;
    if let Some(active) = item.active {
        write!(to, "{active}")?;
    }
    Ok(write!(to, ",{},{}\r\n", item.created_at, item.updated_at)?)
}

/// A text that a spreadsheet would run gets a `'` before it.
fn cell(to: &mut Vec<u8>, text: &str) {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        to.extend_from_slice(format!("\"{guard}{}\"", text.replace('"', "\"\"")).as_bytes());
    } else {
        to.extend_from_slice(guard.as_bytes());
        to.extend_from_slice(text.as_bytes());
    }
}

/// A page as JSON, or as many rows as are asked for as CSV.
pub async fn list(
    State((service, records)): State<(Arc<Service>, Arc<Records>)>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    id: RequestId,
) -> Response {
    let start = Instant::now();
    let (count, admitted) = admit(&service, &headers, address).await;
    let is_csv = headers.get(ACCEPT).is_some_and(|accepted| accepted == "text/csv");
    let asked = admitted.and_then(|()| asked(&query.unwrap_or_default(), is_csv).map_err(Problem::ValidationFailed));
    let response = match asked {
        Ok((_, limit)) if is_csv => exported(records, limit, &id),
        Ok((least, limit)) => match records.page(least, limit).await {
            Ok(body) => id.json_bytes(StatusCode::OK, body),
            Err(error) => id.problem(&internal(&*error)),
        },
        Err(problem) => id.problem(&problem),
    };
    service.finish(response, &count, start)
}

fn exported(records: Arc<Records>, limit: i64, id: &RequestId) -> Response {
    let (to, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        if let Err(error) = records.export(limit, &to).await {
            // Whoever listens no more hears nothing of it.
            let _ = to.send(Err(error)).await;
        }
    });
    let pieces = futures_util::stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    let mut response = id.json_bytes(StatusCode::OK, Vec::new());
    *response.body_mut() = Body::from_stream(pieces.boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    response
}

/// The least stock, and how many rows.
fn asked(query: &str, is_csv: bool) -> Result<(i64, i64), Vec<FieldProblem>> {
    let (mut least, mut limit, mut wrong) = (i64::MIN, 20, Vec::new());
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (name, value.parse::<i64>()) {
            ("active", _) if value == "true" => {}
            ("include", _) if value == "category" => {}
            ("stock[gte]" | "stock%5Bgte%5D", Ok(number)) => least = number,
            ("limit", Ok(number)) if (1..=if is_csv { 1_000_000 } else { 100 }).contains(&number) => limit = number,
            _ => wrong.push(wrong_parameter(name, "unknown_parameter", "is not a known parameter")),
        }
    }
    if wrong.is_empty() { Ok((least, limit)) } else { Err(wrong) }
}

/// Records that are made, or changed where their `sku` is there.
pub async fn merge(
    State((service, records)): State<(Arc<Service>, Arc<Records>)>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    id: RequestId,
    request: Request,
) -> Response {
    let start = Instant::now();
    let (count, admitted) = admit(&service, request.headers(), address).await;
    let outcome = match admitted {
        Ok(()) => match to_bytes(request.into_body(), LARGEST_BODY).await {
            Ok(body) => match checked(&body) {
                Ok(sent) => records.merge(&sent).await.map_err(|error| internal(&*error)),
                Err(problem) => Err(problem),
            },
            Err(_) => Err(Problem::BodyTooLarge(LARGEST_BODY)),
        },
        Err(problem) => Err(problem),
    };
    let response = match outcome {
        Ok(body) => id.json_bytes(StatusCode::OK, body),
        Err(problem) => id.problem(&problem),
    };
    service.finish(response, &count, start)
}

fn checked(body: &[u8]) -> Result<Vec<Sent>, Problem> {
    let sent: Vec<Sent> = serde_json::from_slice(body).map_err(|_| Problem::MalformedBody)?;
    let mut wrong = Vec::new();
    if sent.is_empty() || sent.len() > MOST_RECORDS {
        wrong.push(wrong_field("", "range", format!("must have between 1 and {MOST_RECORDS} entries")));
    }
    for (index, item) in sent.iter().enumerate() {
        for (name, text, most) in [("sku", &item.sku, LONGEST_SKU), ("name", &item.name, LONGEST_NAME)] {
            let pointer = || format!("/{index}/{name}");
            match text.chars().count() {
                0 => wrong.push(wrong_field(&pointer(), "required", "is required")),
                length if length > most => {
                    wrong.push(wrong_field(&pointer(), "too_long", format!("must have at most {most} characters")));
                }
                _ if text.chars().any(char::is_control) => {
                    wrong.push(wrong_field(&pointer(), "invalid_character", "must not hold control characters"));
                }
                _ => {}
            }
        }
    }
    if wrong.is_empty() { Ok(sent) } else { Err(Problem::ValidationFailed(wrong)) }
}
