//! PostgreSQL by sqlx: a pool of as many connections, rows as structs, structs as JSON.

use sqlx_core::decode::Decode;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::query::query;
use sqlx_core::row::Row;
use sqlx_core::types::Type;
use sqlx_postgres::{PgArgumentBuffer, PgPool, PgPoolOptions, PgRow, PgTypeInfo, PgValueRef, Postgres};

use super::postgresql::{
    ADD_KEY, BEHIND, FIND_KEY, FIRST, INSERT_EVENT_TEXT, INSERT_MESSAGE, Id, PRODUCT, SETTINGS, Time,
};
use super::{Failure, Found, SHARED, Stored, Submission, WRITERS, page};
use crate::validation::Message;

/// A pool.
pub struct Sqlx {
    pool: PgPool,
}

type Product = super::Product<String, Id, Time>;

impl Sqlx {
    /// A database that has its tables.
    pub async fn open(url: &str) -> Result<Self, Failure> {
        let options = PgPoolOptions::new().max_connections((SHARED + WRITERS) as u32);
        let options = options.after_connect(|connection, _| {
            Box::pin(async move { sqlx_core::raw_sql::raw_sql(SETTINGS).execute(connection).await.map(drop) })
        });
        Ok(Self { pool: options.connect(url).await? })
    }

    pub async fn product(&self, id: &str) -> Result<Option<Found>, Failure> {
        let Ok(Id(id)) = Id::of(id) else { return Ok(None) };
        let row = query(PRODUCT).bind(id).fetch_optional(&self.pool).await?;
        row.map(|row| product(&row)?.found()).transpose()
    }

    pub async fn products(&self, limit: u32, before: Option<&str>) -> Result<Vec<u8>, Failure> {
        let most = i64::from(limit) + 1;
        let rows = match before {
            None => query(FIRST).bind(most).fetch_all(&self.pool).await?,
            Some(before) => query(BEHIND).bind(most).bind(Id::of(before)?.0).fetch_all(&self.pool).await?,
        };
        page(rows.iter().map(product).collect::<Result<_, _>>()?, limit)
    }

    pub async fn add_key(&self, hash: &str) -> Result<(), Failure> {
        query(ADD_KEY).bind(hash).execute(&self.pool).await?;
        Ok(())
    }

    pub async fn find_key(&self, hash: &str) -> Result<Option<i64>, Failure> {
        let row = query(FIND_KEY).bind(hash).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub async fn store(&self, message: &Message) -> Result<Stored, Failure> {
        let submission = Submission::of(message)?;
        let Submission { id, event, at, payload } = &submission;
        let Message { name, email, phone, company, subject, message } = message;
        let mut transaction = self.pool.begin().await?;
        let insert = query(INSERT_MESSAGE).bind(Id::of(id)?.0).bind(name).bind(email).bind(phone).bind(company);
        insert.bind(subject).bind(message).bind(Time::of(at)?).execute(&mut *transaction).await?;
        let insert = query(INSERT_EVENT_TEXT).bind(Id::of(event)?.0).bind(payload).bind(Time::of(at)?);
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(submission.stored())
    }
}

fn product(row: &PgRow) -> Result<Product, sqlx_core::Error> {
    Ok(Product {
        id: Id(row.try_get(0)?),
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

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Time::of_server(value.as_bytes()?)
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.extend_from_slice(&self.in_server());
        Ok(IsNull::No)
    }
}
