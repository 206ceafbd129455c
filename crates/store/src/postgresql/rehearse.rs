//! A rehearsal on a PostgreSQL server: a schema of its own inside a transaction that is undone, so that nobody ever sees it.

use super::value::Text;
use super::{Server, inspect, migrate};
use crate::StoreError;
use crate::blocking::blocking;
use crate::rehearsal::{Attempt, Rehearsal};
use futures_util::future::join_all;
use plan::Statement;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

/// What is sent around an attempt, in an order that undoes one that was refused without waiting for its answer: `tried` is
/// put behind one that was taken, fails behind one that was refused, and so is either way what is gone back to.
const BEFORE: &str = "SAVEPOINT attempt; SAVEPOINT tried";
const BEHIND: &str = "SAVEPOINT tried";
const AFTER: &str = "ROLLBACK TO SAVEPOINT tried; RELEASE SAVEPOINT attempt";

impl Server {
    /// In a schema of its own, inside a transaction that is undone.
    pub fn rehearse(&self, statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            let transaction = client.transaction().await?;
            let schema = format!("producer_rehearsal_{}", std::process::id());
            transaction.batch_execute(&format!("CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}")).await?;
            migrate::make(transaction.client(), statements, dialect::migration::rehearsed).await?;
            let tables = inspect::tables(transaction.client()).await?;
            let mut outcomes = Vec::with_capacity(attempts.len());
            for some in attempts.chunks(migrate::ON_THE_WAY) {
                // Statements are sent in the order in which they are first polled.
                let answers = join_all(some.iter().map(|attempt| make(transaction.client(), attempt))).await;
                for answer in answers {
                    outcomes.push(answer?.map_err(StoreError::from));
                }
            }
            transaction.rollback().await?;
            Ok(Rehearsal { tables, outcomes, lacks: Vec::new() })
        })
    }
}

/// How the attempt came out. It is an error where what surrounds it does not come out as it must.
async fn make(client: &Client, attempt: &Attempt) -> Result<Result<u64, Error>, Error> {
    let values: Vec<Text<'_>> = attempt.parameters.iter().map(Text).collect();
    // The server finds out the types, as it does where a statement is prepared first.
    let values: Vec<(&(dyn ToSql + Sync), Type)> =
        values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
    let (before, outcome, behind, after) = tokio::join!(
        biased;
        client.batch_execute(BEFORE),
        client.execute_typed(&attempt.text, &values),
        client.batch_execute(BEHIND),
        client.batch_execute(AFTER),
    );
    before?;
    after?;
    if outcome.is_ok() {
        behind?;
    }
    Ok(outcome)
}
