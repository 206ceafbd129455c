//! A rehearsal on a PostgreSQL server: a schema of its own inside a transaction that is undone, so that nobody ever sees it.

use super::connect::blocking;
use super::value::Text;
use super::{Server, inspect, migrate};
use crate::StoreError;
use crate::rehearsal::{Attempt, Rehearsal};
use plan::Statement;
use tokio_postgres::types::ToSql;

impl Server {
    /// In a schema of its own, inside a transaction that is undone.
    pub fn rehearse(&self, statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            let transaction = client.transaction().await?;
            let schema = format!("producer_rehearsal_{}", std::process::id());
            transaction.batch_execute(&format!("CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}")).await?;
            for statement in statements {
                if !migrate::is_superfluous(transaction.client(), statement).await? {
                    transaction.batch_execute(&dialect::migration::rehearsed(statement)).await?;
                }
            }
            let tables = inspect::tables(transaction.client()).await?;
            let mut outcomes = Vec::with_capacity(attempts.len());
            for attempt in attempts {
                transaction.batch_execute("SAVEPOINT attempt").await?;
                let values: Vec<Text<'_>> = attempt.parameters.iter().map(Text).collect();
                let values: Vec<&(dyn ToSql + Sync)> =
                    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
                let outcome = transaction.execute(&attempt.text, &values).await.map_err(StoreError::from);
                if outcome.is_err() {
                    transaction.batch_execute("ROLLBACK TO SAVEPOINT attempt").await?;
                }
                transaction.batch_execute("RELEASE SAVEPOINT attempt").await?;
                outcomes.push(outcome);
            }
            transaction.rollback().await?;
            Ok(Rehearsal { tables, outcomes })
        })
    }
}
