//! A schema of its own in which an API is tried: made empty, dropped at the end whatever happens. While it is in use its maker holds
//! a lock that dies with him; what nobody holds any more is dropped by whoever comes next.

use super::connect::Server;
use crate::StoreError;
use crate::blocking::blocking;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::oneshot;
use tokio_postgres::Client;

/// How the names of such schemas begin.
const PREFIX: &str = "producer_scratch_";

/// The schema, until this is dropped.
pub struct ScratchSchema {
    /// The server, and on it this schema.
    pub server: Server,
    name: String,
    end: Option<oneshot::Sender<()>>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

impl ScratchSchema {
    /// Makes one, and drops those that somebody has left behind.
    pub fn make(server: &Server) -> Result<Self, StoreError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", std::process::id());
        let (end, ended) = oneshot::channel::<()>();
        let (made, waiting) = std::sync::mpsc::channel();
        let (kept, whole) = (name.clone(), server.clone());
        // The lock belongs to a connection, which lives as long as this thread's work.
        let keeper = std::thread::spawn(move || {
            let (name, tell) = (&kept, &made);
            let ended = blocking(async move {
                let client = whole.connect().await?;
                make(&client, name).await?;
                // The maker may have given up; then there is nobody to wait for.
                let _ = tell.send(Ok(()));
                let _ = ended.await;
                Ok(client.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await?)
            });
            if let Err(error) = ended {
                tracing::debug!(error = %error, "a scratch schema");
                let _ = made.send(Err(error));
            }
        });
        let gone = || StoreError::Unavailable("the scratch schema was not made".to_owned());
        waiting.recv().map_err(|_| gone())??;
        Ok(Self { server: server.in_schema(&name), name, end: Some(end), keeper: Some(keeper) })
    }
}

impl Drop for ScratchSchema {
    fn drop(&mut self) {
        drop(self.end.take());
        if self.keeper.take().is_some_and(|keeper| keeper.join().is_err()) {
            tracing::error!(schema = self.name, "a scratch schema was not dropped");
        }
    }
}

async fn make(client: &Client, name: &str) -> Result<(), StoreError> {
    let all = format!("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '{}%'", PREFIX.replace('_', "\\_"));
    for row in client.query(&all, &[]).await? {
        let left: String = row.try_get(0)?;
        if try_lock(client, &left).await? {
            client.batch_execute(&format!("DROP SCHEMA IF EXISTS {left} CASCADE")).await?;
        }
    }
    if !try_lock(client, name).await? {
        return Err(StoreError::Unavailable(format!("another program uses the schema `{name}`")));
    }
    client.batch_execute(&format!("CREATE SCHEMA {name}")).await?;
    Ok(())
}

/// Held until the connection ends.
async fn try_lock(client: &Client, name: &str) -> Result<bool, StoreError> {
    let row = client.query_one("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", &[&name]).await?;
    Ok(row.try_get(0)?)
}
