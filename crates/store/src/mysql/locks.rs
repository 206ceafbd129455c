//! Somebody else's locks: work on a connection comes in, and is given up and tried again within a bound while somebody else keeps what it
//! needs. Who that is goes to the log while it is waited for, and into the error at the end; where the server does not tell, who it may
//! be. Never what their statements say: only which kind of statement it was.

use super::connect::{Maker, Server, Version};
use crate::StoreError;
use crate::patience::{self, Look, Patience};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use std::future::Future;

/// A statement waits so long for somebody's lock: longer, and everybody else would wait behind it.
pub(super) const IMPATIENT: &str = "SET SESSION lock_wait_timeout = 3, innodb_lock_wait_timeout = 3";
/// The number of the error that says so.
const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// Each of these lists shows who it is: connection, user, host, what it does, since when its transaction is open (UTC), the kind of its
/// last statement, and the table. The server itself knows who holds what another one waits for, where `performance_schema` is on, as it
/// is on MySQL and is not on MariaDB.
const HOLDERS: &str = "SELECT DISTINCT t.processlist_id, t.processlist_user, t.processlist_host, t.processlist_command,
  DATE_FORMAT(CONVERT_TZ(x.trx_started, 'SYSTEM', '+00:00'), '%Y-%m-%dT%H:%i:%sZ'),
  UPPER(REGEXP_SUBSTR(TRIM(s.sql_text), '^[A-Za-z]+')), w.object_name
FROM performance_schema.threads me
JOIN performance_schema.metadata_locks w ON w.owner_thread_id = me.thread_id AND w.lock_status = 'PENDING'
JOIN performance_schema.metadata_locks g ON g.object_type = w.object_type AND g.object_schema <=> w.object_schema
  AND g.object_name <=> w.object_name AND g.lock_status = 'GRANTED' AND g.owner_thread_id <> me.thread_id
JOIN performance_schema.threads t ON t.thread_id = g.owner_thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = t.processlist_id
LEFT JOIN performance_schema.events_statements_current s ON s.thread_id = t.thread_id
WHERE me.processlist_id = ? LIMIT 3";

/// Of rows instead of tables, on MySQL.
const ROW_HOLDERS: &str =
    "SELECT DISTINCT t.processlist_id, t.processlist_user, t.processlist_host, t.processlist_command,
  DATE_FORMAT(CONVERT_TZ(x.trx_started, 'SYSTEM', '+00:00'), '%Y-%m-%dT%H:%i:%sZ'), NULL, l.object_name
FROM performance_schema.threads me
JOIN performance_schema.data_lock_waits w ON w.requesting_thread_id = me.thread_id
JOIN performance_schema.data_locks l ON l.engine_lock_id = w.requesting_engine_lock_id
JOIN performance_schema.threads t ON t.thread_id = w.blocking_thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = t.processlist_id
WHERE me.processlist_id = ? LIMIT 3";

/// The same on MariaDB.
const MARIADB_ROW_HOLDERS: &str = "SELECT p.id, p.user, p.host, p.command,
  DATE_FORMAT(CONVERT_TZ(b.trx_started, 'SYSTEM', '+00:00'), '%Y-%m-%dT%H:%i:%sZ'), NULL, NULL
FROM information_schema.innodb_trx r
JOIN information_schema.innodb_lock_waits w ON w.requesting_trx_id = r.trx_id
JOIN information_schema.innodb_trx b ON b.trx_id = w.blocking_trx_id
JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id
WHERE r.trx_mysql_thread_id = ? LIMIT 3";

/// Where MariaDB's plugin `metadata_lock_info` is loaded: whoever holds a table that the waiting statement names.
const PLUGIN_HOLDERS: &str = "SELECT DISTINCT p.id, p.user, p.host, p.command,
  DATE_FORMAT(CONVERT_TZ(x.trx_started, 'SYSTEM', '+00:00'), '%Y-%m-%dT%H:%i:%sZ'), NULL, l.table_name
FROM information_schema.processlist me
JOIN information_schema.metadata_lock_info l ON l.thread_id <> me.id AND l.lock_type = 'Table metadata lock'
  AND l.table_schema = me.db AND me.info LIKE CONCAT('%`', l.table_name, '`%')
JOIN information_schema.processlist p ON p.id = l.thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
WHERE me.id = ? LIMIT 3";

/// Whoever has a transaction open in that database; without one, whoever is there, and may have said `LOCK TABLES`.
const SUSPECTS: &str = "SELECT p.id, p.user, p.host, p.command,
  DATE_FORMAT(CONVERT_TZ(x.trx_started, 'SYSTEM', '+00:00'), '%Y-%m-%dT%H:%i:%sZ'), NULL, NULL
FROM information_schema.processlist me
JOIN information_schema.processlist p ON p.db = me.db AND p.id NOT IN (me.id, CONNECTION_ID())
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
WHERE me.id = ? AND me.state LIKE '%lock%'
  AND ((x.trx_started IS NOT NULL) OR NOT EXISTS (SELECT 1 FROM information_schema.innodb_trx o
    JOIN information_schema.processlist q ON q.id = o.trx_mysql_thread_id AND q.db = me.db AND q.id <> me.id))
ORDER BY x.trx_started, p.id LIMIT 3";

/// One connection.
const CONNECTION: &str = "SELECT p.id, p.user, p.host, p.command, NULL, NULL, NULL
FROM information_schema.processlist p WHERE p.id = ?";

/// Why work was not done.
pub(super) enum Stopped {
    /// Somebody else kept what it needs.
    Locked(Option<Holders>),
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stopped> for StoreError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Failed(error) => error.into(),
            Stopped::Locked(Some(holders)) => Self::Locked { who: holders.sentence(), way: holders.way() },
            Stopped::Locked(None) => Self::Locked {
                who: "somebody else's transaction must end first, and this user may not see whose it is".to_owned(),
                way: "let it end, and run again; `SHOW PROCESSLIST` by a user with the privilege `PROCESS` shows who is there".to_owned(),
            },
        }
    }
}

/// Work on a connection that is tried again for a while where somebody's lock keeps it from its end. It must have left nothing then.
pub(super) struct Waiting<'s> {
    patience: Patience,
    watcher: Watcher<'s>,
}

impl<'s> Waiting<'s> {
    pub(super) fn new(server: &'s Server, connection: &Conn) -> Self {
        let watcher = Watcher { server, waits: connection.id(), connection: None, seen: None };
        Self { patience: Patience::new(), watcher }
    }

    /// What came of one try; `None` where another one is worth it.
    pub(super) async fn tried<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Stopped>> {
        match patience::watched(work, &mut self.watcher).await {
            Err(Error::Server(said)) if said.code == LOCK_WAIT_TIMEOUT => {
                let tries = self.patience.tries_again(&Stopped::Locked(None).into()).await;
                (!tries).then(|| Err(Stopped::Locked(self.watcher.seen.clone())))
            }
            ended => Some(ended.map_err(Stopped::Failed)),
        }
    }
}

/// Nobody but one program migrates at a time, and that connection does.
pub(super) async fn migrating(connection: &mut Conn, holder: Option<u32>) -> StoreError {
    let found = match holder {
        Some(holder) => connection.exec(CONNECTION, (holder,)).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let holders = Holders::read(&found, Certainty::Known);
    let who = holders.as_ref().map_or_else(|| "another program".to_owned(), |holders| holders.who.clone());
    StoreError::Locked {
        who: format!("{who} has been migrating the database for a while"),
        way: holders.map_or_else(|| "let it end, and run again".to_owned(), |holders| holders.way()),
    }
}

/// Whether the server has told, or it is what is likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Known,
    Likely,
}

/// Those who keep a connection waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holders {
    who: String,
    connections: Vec<u64>,
    table: Option<String>,
    certainty: Certainty,
}

impl Holders {
    /// `None` where nobody does.
    fn read(rows: &[Row], certainty: Certainty) -> Option<Self> {
        let connections: Vec<u64> = rows.iter().filter_map(|row| row.get_opt(0)?.ok()).collect();
        let who: Vec<String> = rows.iter().filter_map(described).collect();
        let table = rows.first().and_then(|row| text(row, 6));
        (!who.is_empty()).then(|| Self { who: who.join(", and "), connections, table, certainty })
    }

    fn sentence(&self) -> String {
        match (self.certainty, &self.table) {
            (Certainty::Known, Some(table)) => format!("table `{table}` is kept by {}", self.who),
            (Certainty::Known, None) => format!("somebody else's transaction must end first: {}", self.who),
            (Certainty::Likely, _) => format!("somebody else keeps a table, probably {}", self.who),
        }
    }

    fn way(&self) -> String {
        let kills: Vec<String> = self.connections.iter().map(|connection| format!("`KILL {connection}`")).collect();
        let ways =
            format!("let it end (`COMMIT`, `ROLLBACK` or `UNLOCK TABLES` there), or end it: {}", kills.join(", "));
        match self.certainty {
            Certainty::Known => format!("{ways}; then run again"),
            Certainty::Likely => format!(
                "{ways}; then run again. `performance_schema`, or MariaDB's plugin `metadata_lock_info`, lets the server say for certain"
            ),
        }
    }
}

fn text(row: &Row, index: usize) -> Option<String> {
    row.get_opt::<Option<String>, _>(index)?.ok().flatten().filter(|text| !text.is_empty())
}

/// `connection 812 (user `ada`, from 10.0.0.7), idle, in a transaction since ..., last statement `LOCK``.
fn described(row: &Row) -> Option<String> {
    let connection: u64 = row.get_opt(0)?.ok()?;
    let mut about = Vec::new();
    about.extend(text(row, 1).map(|user| format!("user `{user}`")));
    about.extend(
        text(row, 2).map(|host| format!("from {}", host.rsplit_once(':').map_or(host.as_str(), |host| host.0))),
    );
    let mut said = match about.is_empty() {
        true => format!("connection {connection}"),
        false => format!("connection {connection} ({})", about.join(", ")),
    };
    let doing =
        text(row, 3).map(|doing| if doing == "Sleep" { "idle".to_owned() } else { format!("at work (`{doing}`)") });
    let states = [
        doing,
        text(row, 4).map(|since| format!("in a transaction since {since}")),
        text(row, 5).map(|word| format!("last statement `{word}`")),
    ];
    for state in states.into_iter().flatten() {
        said.push_str(", ");
        said.push_str(&state);
    }
    Some(said)
}

/// Looks, from a connection of its own, for whom another one waits.
struct Watcher<'s> {
    server: &'s Server,
    waits: u32,
    connection: Option<(Conn, Version)>,
    seen: Option<Holders>,
}

impl Look for Watcher<'_> {
    async fn look(&mut self) -> Result<(), StoreError> {
        let (mut connection, version) = match self.connection.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        let holders = look(&mut connection, version, self.waits).await;
        self.connection = Some((connection, version));
        if let Some(holders) = holders {
            if self.seen.as_ref() != Some(&holders) {
                tracing::warn!("waiting: {}", holders.sentence());
            }
            self.seen = Some(holders);
        }
        Ok(())
    }
}

/// What the server can tell this user, the most certain first. A list that is not there, or that it may not see, tells nothing.
async fn look(connection: &mut Conn, version: Version, waits: u32) -> Option<Holders> {
    let known: &[&str] = match version.maker {
        Maker::MySql => &[HOLDERS, ROW_HOLDERS],
        Maker::MariaDb => &[HOLDERS, PLUGIN_HOLDERS, MARIADB_ROW_HOLDERS],
    };
    let known = known.iter().map(|list| (*list, Certainty::Known));
    for (list, certainty) in known.chain([(SUSPECTS, Certainty::Likely)]) {
        let rows: Vec<Row> = connection.exec(list, (waits,)).await.unwrap_or_default();
        if let Some(holders) = Holders::read(&rows, certainty) {
            return Some(holders);
        }
    }
    None
}
