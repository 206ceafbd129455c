//! What a copy of a PostgreSQL server needs of the server itself: a place in its log, the moment at which nobody was writing, and what a
//! database held then. The data is copied by the engine's own programs, which other crates run.

use super::connect::{Server, server_version};
use crate::StoreError;
use crate::blocking::blocking;
use crate::contents::{Contents, RowHash, Rows, TableContents};
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_postgres::Client;
use zeroize::Zeroizing;

/// What texts of values depend on.
const SETTINGS: &str =
    "SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
/// How often it is tried to have nobody write for a moment, and for how long each time: others wait behind whoever waits.
const ATTEMPTS: u32 = 20;
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '250ms'";
const PAUSE: Duration = Duration::from_millis(250);

/// A moment at which nobody was writing to a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillPoint {
    /// The last place in the server's log that belongs to it.
    pub lsn: String,
    /// When it was, UTC.
    pub moment: String,
    /// What the database held.
    pub contents: Contents,
}

/// Tables whose rows are in the log: those of a table that is not logged are empty after a restore.
const TABLES: &str =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1";

/// Everything that defines something in the database, and who may do what.
const DEFINITION: &str = "SELECT x FROM (
  SELECT format('column %I.%I.%I %s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid)) x
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL SELECT format('relation %I.%I %s %s %s', n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), c.relacl::text)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  UNION ALL SELECT format('constraint %s %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
  UNION ALL SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g WHERE NOT g.tgisinternal
  UNION ALL SELECT format('role %I %s %s %s %s', rolname, rolsuper, rolcanlogin, rolcreaterole, rolreplication) FROM pg_roles
  UNION ALL SELECT format('member %s %s', roleid::regrole, member::regrole) FROM pg_auth_members
) everything ORDER BY x COLLATE \"C\"";

impl Server {
    /// What the engine's own programs are told by their environment to come to the same database. The password is among it.
    ///
    /// # Errors
    /// [`StoreError`] when the URL cannot be read.
    pub fn for_programs(&self) -> Result<Vec<(&'static str, Zeroizing<String>)>, StoreError> {
        let reach = self.reach()?;
        let mut variables = vec![
            ("PGHOST", Zeroizing::new(reach.hosts.join(","))),
            ("PGPORT", Zeroizing::new(reach.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","))),
            ("PGUSER", Zeroizing::new(reach.user)),
            ("PGDATABASE", Zeroizing::new(self.name.clone())),
            ("PGPASSWORD", reach.password),
            ("PGSSLMODE", Zeroizing::new(reach.ssl_mode.to_owned())),
            ("PGAPPNAME", Zeroizing::new("integration_producer".to_owned())),
        ];
        variables.extend(reach.roots.map(|roots| ("PGSSLROOTCERT", Zeroizing::new(roots))));
        if reach.hosts.len() > 1 {
            variables.push(("PGTARGETSESSIONATTRS", Zeroizing::new("read-write".to_owned())));
        }
        Ok(variables)
    }

    /// The same database, for the same role, on a server of this machine.
    ///
    /// # Errors
    /// [`StoreError`] when the URL cannot be read.
    pub fn moved_to(&self, address: SocketAddr) -> Result<Self, StoreError> {
        let reach = self.reach()?;
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let (user, name) = (encoded(&reach.user), encoded(&self.name));
        let url = Zeroizing::new(format!(
            "postgresql://{user}:{}@{address}/{name}?sslmode=disable",
            *Zeroizing::new(encoded(&reach.password))
        ));
        let unreadable = |why| StoreError::Refused(why);
        Self::parse(&url).map_err(unreadable)
    }

    /// What keeps this role, or this server, from copying everything; nothing where it may.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not answer.
    pub fn hindrances(&self) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let look = "SELECT r.rolreplication OR r.rolsuper, has_function_privilege('pg_create_restore_point(text)', 'EXECUTE'),
                current_setting('wal_level'), current_setting('max_wal_senders')::integer,
                current_setting('max_replication_slots')::integer - (SELECT count(*) FROM pg_replication_slots)::integer,
                (SELECT count(*) FROM pg_tablespace)::integer, current_user::text
                FROM pg_roles r WHERE r.rolname = current_user";
            let row = self.connect().await?.query_one(look, &[]).await?;
            let role: String = row.try_get(6)?;
            let mut found = Vec::new();
            if !row.try_get::<_, bool>(0)? {
                found.push(format!("role `{role}` has not `REPLICATION`: `ALTER ROLE {role} REPLICATION`"));
            }
            if !row.try_get::<_, bool>(1)? {
                let grant = format!("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO {role}");
                found.push(format!("role `{role}` may not mark a moment of the log: `{grant}`"));
            }
            if row.try_get::<_, String>(2)? == "minimal" {
                found.push("the server's log is not enough for copies: `wal_level = replica`".to_owned());
            }
            if row.try_get::<_, i32>(3)? < 2 {
                found.push("the server lets nobody copy it: `max_wal_senders = 10`".to_owned());
            }
            if row.try_get::<_, i32>(4)? < 1 {
                found.push("the server has no replication slot left: raise `max_replication_slots`".to_owned());
            }
            if row.try_get::<_, i32>(5)? > 2 {
                found.push("the server keeps data in tablespaces of its own, which are not copied yet".to_owned());
            }
            Ok(found)
        })
    }

    /// Has the server keep its log from now on, for whoever asks by that name.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub fn keep_log(&self, slot: &str) -> Result<(), StoreError> {
        blocking(async {
            self.connect().await?.query("SELECT pg_create_physical_replication_slot($1, true)", &[&slot]).await?;
            Ok(())
        })
    }

    /// It need not any more.
    ///
    /// # Errors
    /// [`StoreError`] when somebody still reads it.
    pub fn forget_log(&self, slot: &str) -> Result<(), StoreError> {
        blocking(async {
            let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";
            self.connect().await?.query(drop, &[&slot]).await?;
            Ok(())
        })
    }

    /// Marks a moment of the log at which nobody was writing to this database, and says what it held then. Writers wait for a moment,
    /// not for the counting.
    ///
    /// # Errors
    /// [`StoreError`] when somebody writes for longer than others can be kept waiting.
    pub fn still_point(&self, name: &str) -> Result<StillPoint, StoreError> {
        blocking(async {
            let (holder, reader) = (self.connect().await?, self.connect().await?);
            reader.batch_execute(SETTINGS).await?;
            let mut attempt = 0;
            let (lsn, moment) = loop {
                attempt += 1;
                match hold(&holder, &reader, name).await {
                    Ok(point) => break point,
                    Err(StoreError::Locked { .. }) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
                    Err(error) => return Err(error),
                }
            };
            let contents = contents(&reader).await?;
            reader.batch_execute("COMMIT").await?;
            Ok(StillPoint { lsn, moment, contents })
        })
    }

    /// Whether the server keeps its log for whoever asks by that name.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub fn keeps_log(&self, slot: &str) -> Result<bool, StoreError> {
        blocking(async {
            let look = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND wal_status <> 'lost'";
            let found: i64 = self.connect().await?.query_one(look, &[&slot]).await?.try_get(0)?;
            Ok(found > 0)
        })
    }

    /// Whether the server has written anything behind what was fetched under that name.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub fn has_log_behind(&self, slot: &str) -> Result<bool, StoreError> {
        blocking(async {
            // The mark at which fetching ends goes one byte further than it.
            let look = "SELECT count(*) FROM pg_replication_slots
                WHERE slot_name = $1 AND pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) <= 1";
            let still: i64 = self.connect().await?.query_one(look, &[&slot]).await?.try_get(0)?;
            Ok(still == 0)
        })
    }

    /// Marks this moment of the log, and says where its last place is, and when it was. Everything that was committed until then is
    /// before it, and something is committed behind it: a restore to that moment stops there.
    ///
    /// # Errors
    /// [`StoreError`] when this role may not.
    pub fn log_point(&self, name: &str) -> Result<(String, String), StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
            let moment: String = client.query_one(now, &[]).await?.try_get(0)?;
            client.query_one("SELECT pg_current_xact_id()::text", &[]).await?;
            let mark = "SELECT (pg_create_restore_point($1) - 1)::text";
            Ok((client.query_one(mark, &[&name]).await?.try_get(0)?, moment))
        })
    }

    /// What the database holds; nobody writes to it meanwhile.
    pub(crate) fn contents(&self) -> Result<Contents, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            client.batch_execute(SETTINGS).await?;
            contents(&client).await
        })
    }

    /// What the engine's own checks of tables and indexes find, where it has them (`amcheck`). Nothing of it stays.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            client.batch_execute("SET statement_timeout = 0; BEGIN").await?;
            let look = "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'";
            if client.query_one(look, &[]).await?.try_get::<_, i64>(0)? == 0 {
                return Ok(Vec::new());
            }
            client.batch_execute("CREATE EXTENSION IF NOT EXISTS amcheck").await?;
            let heaps = "SELECT format('%s: %s', c.oid::regclass, v.msg) FROM pg_class c JOIN pg_am a ON a.oid = c.relam,
                LATERAL verify_heapam(c.oid) v WHERE c.relkind = 'r' AND a.amname = 'heap' AND c.relpersistence = 'p' LIMIT 10";
            let mut found = Vec::new();
            for row in client.query(heaps, &[]).await? {
                found.push(row.try_get(0)?);
            }
            let indexes = "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid";
            if let Err(error) = client.query(indexes, &[]).await {
                found.push(super::trouble::said(&error));
            }
            client.batch_execute("ROLLBACK").await?;
            Ok(found)
        })
    }

    /// What tells the server from others to which the same address may lead: its own number, which copies of it share.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub fn origin(&self) -> Result<String, StoreError> {
        blocking(async {
            let look = "SELECT system_identifier::text FROM pg_control_system()";
            Ok(self.connect().await?.query_one(look, &[]).await?.try_get(0)?)
        })
    }

    /// The version whose programs understand its data: `15`.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not answer.
    pub fn major_version(&self) -> Result<i32, StoreError> {
        blocking(async { server_version(&self.connect().await?).await })
    }
}

/// A snapshot for the reader, taken while nobody can be writing, and where in the log that is.
async fn hold(holder: &Client, reader: &Client, name: &str) -> Result<(String, String), StoreError> {
    holder.batch_execute("BEGIN").await?;
    let held = async {
        holder.batch_execute(LOCK_TIMEOUT).await?;
        let mut tables = Vec::new();
        for row in holder.query(TABLES, &[]).await? {
            tables.push(row.try_get::<_, String>(0)?);
        }
        if !tables.is_empty() {
            holder.batch_execute(&format!("LOCK TABLE {} IN SHARE MODE", tables.join(", "))).await?;
        }
        reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        // Whoever brings the log until a place in it stops behind that place, and the mark may be the last thing in it.
        let mark = "SELECT (pg_create_restore_point($1) - 1)::text,
            to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
        let row = reader.query_one(mark, &[&name]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    };
    let held: Result<(String, String), StoreError> = held.await;
    holder.batch_execute("ROLLBACK").await?;
    if held.is_err() {
        reader.batch_execute("ROLLBACK").await?;
    }
    held
}

async fn contents(client: &Client) -> Result<Contents, StoreError> {
    let mut definition = Sha256::new();
    for row in client.query(DEFINITION, &[]).await? {
        let part: Option<String> = row.try_get(0)?;
        let part = part.unwrap_or_default();
        definition.update((part.len() as u64).to_le_bytes());
        definition.update(part.as_bytes());
    }
    let mut tables = BTreeMap::new();
    for row in client.query(TABLES, &[]).await? {
        let name: String = row.try_get(0)?;
        let contents = table(client, &name).await?;
        tables.insert(name, contents);
    }
    Ok(Contents { definition: vocab::hex(&definition.finalize()), tables })
}

/// The server sends a row at a time.
async fn table(client: &Client, name: &str) -> Result<TableContents, StoreError> {
    let mut rows = Rows::default();
    let sent = client.copy_out(&format!("COPY {name} TO STDOUT")).await?;
    let mut sent = std::pin::pin!(sent);
    while let Some(bytes) = sent.try_next().await? {
        let mut hash = RowHash::default();
        hash.value(b't', &bytes);
        rows.add(hash);
    }
    Ok(rows.finish())
}
