//! A short load on a database that is there: how many callers and for how long comes in, how many transactions a second went through
//! goes out. They read, and are undone: nothing is written.

use crate::{Database, Ended, Store, StoreError};
use dialect::quoted;
use plan::database::Pool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vocab::TableName;

/// How many rows a transaction looks at: about a page.
const ROWS: u32 = 20;

impl Database {
    /// How many transactions a second go through a pool of that size while twice as many callers ask as it has connections.
    ///
    /// # Errors
    /// [`StoreError`] of the first that did not go through.
    pub async fn load(&self, pool: Pool, table: &TableName, time: Duration) -> Result<u64, StoreError> {
        let store = self.open(pool)?;
        let some = quoted(store.engine(), table.as_str());
        let text: Arc<str> = format!("SELECT count(*) FROM (SELECT 1 FROM {some} LIMIT {ROWS}) AS page").into();
        // The connections are made first.
        at_once(&store, &text, pool.max, None).await?;
        let begun = Instant::now();
        let done = at_once(&store, &text, pool.max * 2, Some(begun + time)).await?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        Ok(done * 1000 / milliseconds)
    }
}

/// How many transactions so many callers got through until then; one each where that is not said.
async fn at_once(store: &Store, text: &Arc<str>, callers: u32, until: Option<Instant>) -> Result<u64, StoreError> {
    let asked: Vec<_> = (0..callers)
        .map(|_| {
            let (store, text) = (store.clone(), Arc::clone(text));
            tokio::spawn(async move {
                let mut done = 0;
                while done == 0 || until.is_some_and(|until| Instant::now() < until) {
                    transaction(&store, &text).await?;
                    done += 1;
                }
                Ok::<u64, StoreError>(done)
            })
        })
        .collect();
    let mut done = 0;
    for one in asked {
        done += one.await.map_err(|error| StoreError::Unavailable(error.to_string()))??;
    }
    Ok(done)
}

async fn transaction(store: &Store, text: &Arc<str>) -> Result<(), StoreError> {
    let text = Arc::clone(text);
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move {
            transaction.read(&text, &[]).await?;
            Ok(Ended::Undo(()))
        })
    });
    work.await
}
