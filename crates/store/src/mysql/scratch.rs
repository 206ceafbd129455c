//! A database of its own in which an API is tried: made empty, dropped at the end whatever happens. While it is in use its maker
//! holds its name as a lock, which dies with him, as in rehearsals; what nobody holds any more is dropped by whoever comes next.

use super::connect::Server;
use super::rehearse::{drop_left_behind, no_scratch, scratch_name};
use crate::StoreError;
use crate::blocking::blocking;
use dialect::mysql::quote;
use mysql_async::prelude::Queryable;
use tokio::sync::oneshot;

/// The database, until this is dropped.
pub struct ScratchDatabase {
    /// The server, and on it this database.
    pub server: Server,
    end: Option<oneshot::Sender<()>>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

impl ScratchDatabase {
    /// Makes one, and drops those that somebody has left behind.
    pub fn make(server: &Server) -> Result<Self, StoreError> {
        let name = scratch_name();
        let (end, ended) = oneshot::channel::<()>();
        let (made, waiting) = std::sync::mpsc::channel();
        let (kept, whole) = (name.clone(), server.clone());
        // The lock belongs to a connection, which lives as long as this thread's work.
        let keeper = std::thread::spawn(move || {
            let (name, tell) = (&kept, &made);
            let ended = blocking(async move {
                let (mut connection, _) = whole.connect().await?;
                drop_left_behind(&mut connection).await?;
                connection.exec_drop("DO GET_LOCK(?, 0)", (name,)).await?;
                let create = format!("CREATE DATABASE {}", quote(name));
                connection.query_drop(create).await.map_err(|error| no_scratch(error, &whole.name))?;
                // The maker may have given up; then there is nobody to wait for.
                let _ = tell.send(Ok(()));
                let _ = ended.await;
                connection.query_drop(format!("DROP DATABASE IF EXISTS {}", quote(name))).await?;
                Ok(connection.disconnect().await?)
            });
            if let Err(error) = ended {
                tracing::debug!(error = %error, "a scratch database");
                let _ = made.send(Err(error));
            }
        });
        let gone = || StoreError::Unavailable("the scratch database was not made".to_owned());
        waiting.recv().map_err(|_| gone())??;
        Ok(Self { server: server.in_database(&name), end: Some(end), keeper: Some(keeper) })
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        drop(self.end.take());
        if self.keeper.take().is_some_and(|keeper| keeper.join().is_err()) {
            tracing::error!(database = self.server.name, "a scratch database was not dropped");
        }
    }
}
