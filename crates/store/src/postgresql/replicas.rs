//! Reads from replicas: a read comes in beside the server that takes changes; the rows come out as a replica has them that knows all that was
//! committed before, or nothing where none does, and the read is for that server.

use super::serving::{Connection, PostgreSqlStore};
use crate::{Row, StoreError, Whose};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vocab::Datum;

/// How long a replica may take to catch up, and how often it is looked.
const CATCHES_UP: Duration = Duration::from_millis(30);
const LOOK: Duration = Duration::from_millis(5);
/// How long it may take to answer that, a connection included.
const ANSWERS: Duration = Duration::from_millis(300);
/// For how long one is left alone that is away, or far behind.
const REST: Duration = Duration::from_secs(2);
/// What was committed is written until there, on the server that takes changes.
const WRITTEN: &str = "SELECT pg_current_wal_flush_lsn()::text";
/// Whether a replica has come so far.
const KNOWN: &str = "SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1::text::pg_lsn";

/// The replicas of a server.
pub(super) struct Replicas {
    store: PostgreSqlStore,
    rests_until: Mutex<Option<Instant>>,
}

impl Replicas {
    pub fn new(store: PostgreSqlStore) -> Self {
        Self { store, rests_until: Mutex::default() }
    }

    /// The rows; nothing where the primary is to be asked.
    pub async fn read(
        &self,
        primary: &PostgreSqlStore,
        whose: &Whose,
        text: &str,
        parameters: &[Datum],
    ) -> Option<Result<Vec<Row>, StoreError>> {
        let now = Instant::now();
        if self.rest().is_some_and(|until| now < until) {
            return None;
        }
        let written = primary.read_by(now + ANSWERS, &Whose::Everybodys, WRITTEN, &[]).await.ok()?.pop()?;
        let Ok(Some(replica)) = tokio::time::timeout(ANSWERS, self.knowing(now, &written)).await else {
            *self.rest() = Some(Instant::now() + REST);
            return None;
        };
        match replica.read_about(whose, text, parameters).await {
            // It went away, or had to give the read up for what came from the primary.
            Err(
                StoreError::Lost(_)
                | StoreError::Contended(_)
                | StoreError::Unavailable(_)
                | StoreError::NotConnected(..),
            ) => {
                replica.give_up();
                None
            }
            read => Some(read),
        }
    }

    /// A connection to one that knows what was written until there, soon. The rows are read on that very connection: another one may
    /// lead to another replica.
    async fn knowing(&self, now: Instant, written: &[Datum]) -> Option<Arc<Connection>> {
        let replica = self.store.reader(now + ANSWERS).await.ok()?;
        let until = Instant::now() + CATCHES_UP;
        loop {
            let rows = replica.read_about(&Whose::Everybodys, KNOWN, written).await;
            if rows.as_ref().is_ok_and(|rows| matches!(rows.first().map(Vec::as_slice), Some([Datum::Boolean(true)]))) {
                return Some(replica);
            }
            if rows.is_err() || Instant::now() >= until {
                // The next one may lead elsewhere: this one is away, behind, or takes changes by now.
                replica.give_up();
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn rest(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
