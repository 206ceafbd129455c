//! MySQL and MariaDB by mysql_async: a pool of as many connections, each keeping its statements; rows as structs, structs as JSON.

use std::fmt;

use mysql_async::prelude::Queryable;
use mysql_async::{Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row, TxOpts, Value, params};
use serde::{Serialize, Serializer};

use super::{Failure, Found, NOTES, SHARED, Stored, Submission, WRITERS, id_of, page};
use crate::validation::Message;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS api_keys (
        id bigint AUTO_INCREMENT PRIMARY KEY, hash varchar(64) NOT NULL UNIQUE, revoked_at datetime(3)
    )",
    "CREATE TABLE IF NOT EXISTS contact_messages (
        id char(36) CHARACTER SET ascii NOT NULL PRIMARY KEY, name varchar(200) NOT NULL, email varchar(254) NOT NULL, phone varchar(40),
        company varchar(200), subject varchar(200), message text NOT NULL, created_at datetime(3) NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS products (
        id char(36) CHARACTER SET ascii NOT NULL PRIMARY KEY, name varchar(80) NOT NULL, stock bigint NOT NULL, active tinyint(1),
        released_at datetime(3), notes text, created_at datetime(3) NOT NULL, updated_at datetime(3) NOT NULL, row_version bigint NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS outbox_events (
        id char(36) CHARACTER SET ascii NOT NULL PRIMARY KEY, name varchar(63) NOT NULL, payload json NOT NULL, occurred_at datetime(3) NOT NULL
    )",
];
/// What a careful engineer sets, and the producer too.
const SETTINGS: [&str; 2] = [
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE', time_zone = '+00:00', innodb_lock_wait_timeout = 5, \
     /*M! max_statement_time = 10, */ wait_timeout = 600",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];
const FIND_KEY: &str = "SELECT id FROM api_keys WHERE hash = ? AND revoked_at IS NULL";
const ADD_KEY: &str = "INSERT IGNORE INTO api_keys (hash) VALUES (?)";
const INSERT_PRODUCT: &str = "INSERT INTO products
    (id, name, stock, active, released_at, notes, created_at, updated_at, row_version) VALUES (?, ?, ?, true, now(3), ?, now(3), now(3), 1)";
const INSERT_MESSAGE: &str = "INSERT INTO contact_messages
    (id, name, email, phone, company, subject, message, created_at) VALUES (:id, :name, :email, :phone, :company, :subject, :message, :at)";
const INSERT_EVENT: &str =
    "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, 'contact_form', ?, ?)";
const PRODUCT: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products WHERE id = ?";
const FIRST: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products ORDER BY id DESC LIMIT ?";
const BEHIND: &str = "SELECT id, name, stock, active, released_at, notes, created_at, updated_at, row_version FROM products WHERE id < ? ORDER BY id DESC LIMIT ?";

/// A pool.
pub struct MySql {
    pool: Pool,
}

type Product = super::Product<String, String, Time>;

impl MySql {
    pub async fn open(url: &str) -> Result<Self, Failure> {
        // The pool closes those above the least number as soon as they are given back.
        let most = SHARED + WRITERS;
        let constraints = PoolConstraints::new(most, most).ok_or("a pool of no connections")?;
        let pool = PoolOpts::new().with_constraints(constraints).with_reset_connection(false);
        let options = OptsBuilder::from_opts(Opts::from_url(url)?).prefer_socket(false).stmt_cache_size(256);
        let pool = Pool::new(options.setup(SETTINGS.to_vec()).pool_opts(pool));
        let mut connection = pool.get_conn().await?;
        for statement in SCHEMA {
            connection.query_drop(statement).await?;
        }
        Ok(Self { pool })
    }

    pub async fn fill(&self, rows: u32) -> Result<(), Failure> {
        let mut transaction = self.pool.start_transaction(TxOpts::default()).await?;
        for number in 0..rows {
            let name = format!("Product {number}");
            transaction.exec_drop(INSERT_PRODUCT, (id_of(number), name, number, NOTES)).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub async fn product(&self, id: &str) -> Result<Option<Found>, Failure> {
        let row: Option<Row> = self.pool.get_conn().await?.exec_first(PRODUCT, (id,)).await?;
        row.map(|row| product(row)?.found()).transpose()
    }

    pub async fn products(&self, limit: u32, before: Option<&str>) -> Result<Vec<u8>, Failure> {
        let (statement, values): (_, Params) = match before {
            None => (FIRST, (limit + 1,).into()),
            Some(before) => (BEHIND, (before, limit + 1).into()),
        };
        let rows: Vec<Row> = self.pool.get_conn().await?.exec(statement, values).await?;
        page(rows.into_iter().map(product).collect::<Result<_, _>>()?, limit)
    }

    pub async fn add_key(&self, hash: &str) -> Result<(), Failure> {
        Ok(self.pool.get_conn().await?.exec_drop(ADD_KEY, (hash,)).await?)
    }

    pub async fn find_key(&self, hash: &str) -> Result<Option<i64>, Failure> {
        Ok(self.pool.get_conn().await?.exec_first(FIND_KEY, (hash,)).await?)
    }

    pub async fn store(&self, message: &Message) -> Result<Stored, Failure> {
        let submission = Submission::of(message)?;
        let Submission { id, event, at, payload } = &submission;
        let at = at.trim_end_matches('Z').replace('T', " ");
        let Message { name, email, phone, company, subject, message } = message;
        let mut transaction = self.pool.start_transaction(TxOpts::default()).await?;
        let values = params! { id, name, email, phone, company, subject, message, "at" => &at };
        transaction.exec_drop(INSERT_MESSAGE, values).await?;
        transaction.exec_drop(INSERT_EVENT, (event, payload, &at)).await?;
        transaction.commit().await?;
        Ok(submission.stored())
    }
}

fn product(mut row: Row) -> Result<Product, Failure> {
    fn column<T: mysql_async::prelude::FromValue>(row: &mut Row, index: usize) -> Result<T, Failure> {
        row.take_opt(index).ok_or("a row that ends too soon")?.map_err(Into::into)
    }
    Ok(Product {
        id: column(&mut row, 0)?,
        name: column(&mut row, 1)?,
        stock: column(&mut row, 2)?,
        active: column(&mut row, 3)?,
        released_at: row.take(4).and_then(Time::of),
        notes: column(&mut row, 5)?,
        created_at: row.take(6).and_then(Time::of).ok_or("no time")?,
        updated_at: row.take(7).and_then(Time::of).ok_or("no time")?,
        row_version: column(&mut row, 8)?,
    })
}

/// A time as the server gives it.
struct Time([u32; 7]);

impl Time {
    fn of(value: Value) -> Option<Self> {
        let Value::Date(year, month, day, hour, minute, second, micros) = value else { return None };
        Some(Self([year.into(), month.into(), day.into(), hour.into(), minute.into(), second.into(), micros / 1000]))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second, milli] = self.0;
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
