//! Somebody else's locks: work on a connection comes in, and is given up and tried again within a bound while somebody else keeps what it
//! needs. Who that is goes to the log while it is waited for, and into the error at the end. Never what their statements say: only which
//! kind of statement it was.

use super::Server;
use crate::StoreError;
use crate::patience::{self, Look};
use std::future::Future;
use tokio_postgres::{Client, Row};

/// A statement waits so long for somebody's lock: longer, and everybody else would wait behind it.
pub(super) const IMPATIENT: &str = "SET lock_timeout = '3s'";
/// Statements that run alone keep nobody waiting, and may wait themselves.
pub(super) const PATIENT: &str = "SET lock_timeout = '10min'";

/// Who keeps a process waiting, the oldest first, and what it waits for.
const HOLDERS: &str = "SELECT a.pid, a.usename::text, a.application_name, a.client_addr::text, a.state, a.backend_type,
  to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), upper(substring(a.query FROM '^\\s*([A-Za-z]+)')),
  (SELECT c.relname::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = $1 AND NOT l.granted LIMIT 1),
  (SELECT count(*) FROM unnest(pg_blocking_pids($1)) pid WHERE pid = 0)
FROM (SELECT 1) one LEFT JOIN pg_stat_activity a ON a.pid = ANY(pg_blocking_pids($1))
ORDER BY a.xact_start LIMIT 3";

/// Whoever holds the lock of those who migrate.
const MIGRATING: &str = "SELECT a.pid, a.usename::text, a.application_name, a.client_addr::text, a.state, a.backend_type,
  to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), upper(substring(a.query FROM '^\\s*([A-Za-z]+)')),
  NULL::text, 0::bigint
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = $1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Does work on the connection of that process; whoever keeps it waiting is named.
pub(super) async fn watched<T>(
    server: &Server,
    process: i32,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut watcher = Watcher { server, process, client: None, seen: None };
    let ended = patience::watched(work, &mut watcher).await;
    ended.map_err(|error| watcher.named(error))
}

/// The number of a connection's process.
pub(super) async fn process(client: &Client) -> Result<i32, StoreError> {
    Ok(client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?)
}

/// Nobody but one program migrates at a time, and another one does.
pub(super) async fn migrating(client: &Client, lock: i64) -> StoreError {
    let found = client.query_opt(MIGRATING, &[&lock]).await.ok().flatten();
    let holder = found.and_then(|row| Holders::read(std::slice::from_ref(&row)));
    let who = holder.as_ref().map_or_else(|| "another program".to_owned(), |holder| holder.who.clone());
    StoreError::Locked {
        who: format!("{who} has been migrating the database for a while"),
        way: holder.map_or_else(|| WAIT.to_owned(), |holder| holder.way),
    }
}

const WAIT: &str = "let whoever holds it end, and run again";

/// Those who keep a process waiting.
#[derive(Clone, PartialEq, Eq)]
struct Holders {
    who: String,
    way: String,
    table: Option<String>,
}

impl Holders {
    /// `None` where nobody does.
    fn read(rows: &[Row]) -> Option<Self> {
        let table = rows.first().and_then(|row| row.try_get(8).ok().flatten());
        let prepared = rows.first().and_then(|row| row.try_get::<_, i64>(9).ok()).is_some_and(|count| count > 0);
        let mut who: Vec<String> = rows.iter().filter_map(described).collect();
        let pids: Vec<String> = rows
            .iter()
            .filter_map(|row| row.try_get::<_, i32>(0).ok())
            .map(|pid| format!("`SELECT pg_terminate_backend({pid})`"))
            .collect();
        let mut ways = Vec::new();
        if let [_, ..] = pids[..] {
            ways.push(format!("let it end (`COMMIT` or `ROLLBACK` there), or end it: {}", pids.join(", ")));
        }
        if prepared {
            who.push("a prepared transaction".to_owned());
            ways.push("`SELECT gid FROM pg_prepared_xacts` names it, `ROLLBACK PREPARED 'gid'` ends it".to_owned());
        }
        if who.is_empty() {
            return None;
        }
        Some(Self { who: who.join(", and "), way: format!("{}; then run again", ways.join("; ")), table })
    }

    fn sentence(&self) -> String {
        match &self.table {
            Some(table) => format!("table `{table}` is kept by {}", self.who),
            None => format!("somebody else's transaction must end first: {}", self.who),
        }
    }
}

/// `process 812 (user `ada`, program `psql`, from 10.0.0.7), idle in transaction, in a transaction since ..., last statement `LOCK``.
fn described(row: &Row) -> Option<String> {
    let text = |index: usize| row.try_get::<_, Option<String>>(index).ok().flatten().filter(|text| !text.is_empty());
    let pid: i32 = row.try_get(0).ok()?;
    let mut about = Vec::new();
    about.extend(text(1).map(|user| format!("user `{user}`")));
    about.extend(text(2).map(|program| format!("program `{program}`")));
    about.extend(text(3).map(|address| format!("from {}", address.trim_end_matches("/32"))));
    about.extend(text(5).filter(|kind| kind != "client backend"));
    let mut said = match about.is_empty() {
        true => format!("process {pid}"),
        false => format!("process {pid} ({})", about.join(", ")),
    };
    let states = [text(4), text(6).map(|since| format!("since {since}"))];
    let states = states.into_iter().flatten().chain(text(7).map(|word| format!("last statement `{word}`")));
    for state in states {
        said.push_str(", ");
        said.push_str(&state);
    }
    Some(said)
}

/// Looks, from a connection of its own, for whom another one waits.
struct Watcher<'s> {
    server: &'s Server,
    process: i32,
    client: Option<Client>,
    seen: Option<Holders>,
}

impl Look for Watcher<'_> {
    async fn look(&mut self) -> Result<(), StoreError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.server.connect().await?,
        };
        let holders = Holders::read(&client.query(HOLDERS, &[&self.process]).await?);
        self.client = Some(client);
        if let Some(holders) = holders {
            if self.seen.as_ref() != Some(&holders) {
                tracing::warn!("waiting: {}", holders.sentence());
            }
            self.seen = Some(holders);
        }
        Ok(())
    }
}

impl Watcher<'_> {
    fn named(self, error: StoreError) -> StoreError {
        match (error, self.seen) {
            (StoreError::Locked { .. }, Some(holders)) => {
                StoreError::Locked { who: holders.sentence(), way: holders.way }
            }
            (error, _) => error,
        }
    }
}
