//! Databases in which something is tried, and that go again whatever comes of it.

use super::connect::Server;
use super::migrate::Maker;
use super::serving::MongoStore;
use super::{abilities, inspect};
use crate::Ended;
use crate::StoreError;
use crate::blocking::blocking;
use crate::rehearsal::{Attempt, Lack, Rehearsal};
use plan::Statement;
use plan::database::Pool;

/// A name that nobody else has.
pub fn scratch_name() -> String {
    format!("producer_trial_{}", uuid::Uuid::now_v7().simple())
}

impl Server {
    /// In a database of its own, which is dropped.
    pub fn rehearse(&self, statements: &[&Statement], attempts: &[Attempt]) -> Result<Rehearsal, StoreError> {
        let scratch = self.in_database(&scratch_name());
        blocking(async {
            let (database, _) = scratch.connect().await?;
            let abilities = abilities::of(self, database.client()).await?;
            let maker = Maker { database: &database, keeps_validators: abilities.validators };
            let rehearsal = async {
                for statement in statements {
                    maker.run(&statement.sql).await?;
                }
                let tables = inspect::collections(&database).await?;
                let store = MongoStore::new(scratch.clone(), Pool::default(), None);
                let mut outcomes = Vec::new();
                for attempt in attempts {
                    outcomes.push(tried(&store, attempt).await);
                }
                let lacks = [(abilities.validators, Lack::Validators), (abilities.transactions, Lack::Transactions)];
                let lacks = lacks.into_iter().filter(|(has, _)| !has).map(|(_, lack)| lack).collect();
                Ok(Rehearsal { tables, outcomes, lacks })
            };
            let rehearsal = rehearsal.await;
            database.drop().await?;
            rehearsal
        })
    }
}

async fn tried(store: &MongoStore, attempt: &Attempt) -> Result<u64, StoreError> {
    let Attempt { text, parameters } = attempt.clone();
    store
        .transaction(move |mut transaction| {
            Box::pin(async move { transaction.execute(&text, &parameters).await.map(Ended::Commit) })
        })
        .await
}

/// A database of its own, which goes when this is dropped.
pub struct ScratchCollections {
    pub server: Server,
}

impl ScratchCollections {
    pub fn make(beside: &Server) -> Result<Self, StoreError> {
        let server = beside.in_database(&scratch_name());
        // A server that does not answer says so now.
        blocking(async { server.connect().await.map(drop) })?;
        Ok(Self { server })
    }
}

impl Drop for ScratchCollections {
    fn drop(&mut self) {
        let dropped = blocking(async { Ok(self.server.connect().await?.0.drop().await?) });
        if let Err(error) = dropped {
            tracing::warn!(error = %error, database = %self.server.name, "a database for trials was not dropped");
        }
    }
}
