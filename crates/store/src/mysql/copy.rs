//! What copies a MariaDB database and says what it holds: a moment at which nobody writes, the place of it in the binary log, who may do
//! something, and every table's rows as a number and a hash. The copying itself is done by the engine's own programs.

use super::connect::{Maker, Server};
use super::roles::GRANTEES;
use crate::StoreError;
use crate::blocking::blocking;
use crate::contents::{Contents, RowHash, Rows, TableContents};
use crate::error::Late;
use dialect::mysql::permission::pattern;
use dialect::mysql::{expression_in_one_form, quote};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// How often it is tried to have nobody write for a moment, and for how long each time: others wait behind whoever waits.
const ATTEMPTS: u32 = 20;
const LOCK_TIMEOUT: &str = "SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, autocommit = 0";
const PAUSE: Duration = Duration::from_millis(250);
const SNAPSHOT: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
];

const TABLES: &str = "SELECT CAST(TABLE_NAME AS CHAR) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1";

/// What tells a server from others; versions have more or fewer of them.
const ORIGIN: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uid', 'server_id', 'hostname', 'port')";

/// Tables that no snapshot holds.
const UNSAFE: &str = "SELECT CONCAT('table `', TABLE_NAME, '` is kept by ', ENGINE, ', of which there is no copy of one moment: `ALTER TABLE ',
  TABLE_NAME, ' ENGINE = InnoDB`') FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' ORDER BY 1";

/// Everything that defines something in the database, in parts with tabs between them; those that are expressions begin with [`EXPRESSION`].
const DEFINITION: &str = "SELECT CONCAT_WS('\\t', 'column', TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, CONCAT(CHAR(11 USING utf8mb4), COLUMN_DEFAULT), IS_NULLABLE,
  COLUMN_TYPE, COLLATION_NAME, EXTRA, COLUMN_COMMENT, CONCAT(CHAR(11 USING utf8mb4), GENERATION_EXPRESSION)) x FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'index', TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART)
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'key', TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE)
  FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'check', TABLE_NAME, CONSTRAINT_NAME, CONCAT(CHAR(11 USING utf8mb4), CHECK_CLAUSE))
  FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'trigger', EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER,
  ACTION_STATEMENT) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'view', TABLE_NAME, SECURITY_TYPE) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'routine', ROUTINE_TYPE, ROUTINE_NAME, DTD_IDENTIFIER, ROUTINE_DEFINITION)
  FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION ALL SELECT CONCAT_WS('\\t', 'event', EVENT_NAME, EVENT_DEFINITION) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";

/// `CHAR(11)`, which no name begins with.
const EXPRESSION: char = '\u{b}';

/// What the user of the connection, and roles that it has, may do on the server and in the database.
const PRIVILEGES: &str = "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
  WHERE GRANTEE = ? OR GRANTEE IN (SELECT CONCAT('''', ROLE_NAME, '''@''''') FROM information_schema.ENABLED_ROLES)
UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE ? LIKE TABLE_SCHEMA
  AND (GRANTEE = ? OR GRANTEE IN (SELECT CONCAT('''', ROLE_NAME, '''@''''') FROM information_schema.ENABLED_ROLES))";
/// What a copy needs to be allowed to in the database, and the log on the server.
const OF_DATABASE: &[&str] = &["SELECT", "LOCK TABLES", "SHOW VIEW", "TRIGGER", "EVENT"];
const OF_LOG: &[&str] = &["REPLICATION SLAVE", "BINLOG MONITOR"];

/// A place in a binary log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// The file.
    pub file: String,
    /// The byte.
    pub position: u64,
    /// The transactions until there, where they are known: another log of the same name has others.
    pub transactions: Option<String>,
}

/// What a database was at a moment at which nobody was writing to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillDatabase {
    /// When it was, UTC.
    pub moment: String,
    /// The place in the server's log behind everything that belongs to it, where that was asked for.
    pub place: Option<LogPlace>,
    /// Statements that make whoever may do something in the database, and let them.
    pub users: String,
    /// What the database held.
    pub contents: Contents,
}

/// The part of it that is known while nobody writes.
type Begun = (String, Option<LogPlace>, String);

impl Server {
    /// What the engine's own programs are told to come to the same server: words, and the password, which is none of them.
    ///
    /// # Errors
    /// [`StoreError`] when the URL cannot be read.
    pub fn for_programs(&self) -> Result<(Vec<String>, Zeroizing<String>), StoreError> {
        blocking(async {
            let mut reached = self.clone();
            for url in &self.others {
                if reached.connect_first().await.is_ok() {
                    break;
                }
                reached.url = url.clone();
            }
            // The last one says for itself how it is.
            reached.words_for_programs()
        })
    }

    /// The same database, for the same user, on a server of this machine.
    ///
    /// # Errors
    /// [`StoreError`] when the URL cannot be read.
    pub fn moved_to(&self, address: SocketAddr) -> Result<Self, StoreError> {
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let (user, password) = self.user_and_password()?;
        let password = Zeroizing::new(encoded(&password));
        let url = Zeroizing::new(format!("mysql://{}:{}@{address}/{}", encoded(&user), *password, encoded(&self.name)));
        Self::parse(&url).map_err(StoreError::Refused)
    }

    /// What keeps this user, or this server, from copying the database, and its log where that is to be kept; nothing where it may.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not answer.
    pub fn hindrances(&self, with_log: bool) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            if version.maker == Maker::MySql {
                return Ok(vec!["it is a server of MySQL, and only those of MariaDB are backed up yet".to_owned()]);
            }
            let user: String = connection.query_first("SELECT CURRENT_USER()").await?.unwrap_or_default();
            let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
            let grantee = format!("'{name}'@'{host}'");
            let may: Vec<String> = connection.exec(PRIVILEGES, (&grantee, &self.name, &grantee)).await?;
            let lacks = |wanted: &[&str]| -> Vec<String> {
                let lacking = wanted.iter().filter(|wanted| !may.iter().any(|may| may == *wanted));
                lacking.map(|lacking| (*lacking).to_owned()).collect()
            };
            let mut found = Vec::new();
            let mut say = |lacking: Vec<String>, on: String| {
                if !lacking.is_empty() {
                    let privileges = lacking.join(", ");
                    let grant = format!("GRANT {privileges} ON {on} TO {grantee}");
                    found.push(format!("user {grantee} has not `{privileges}`: `{grant}`"));
                }
            };
            say(lacks(OF_DATABASE), format!("{}.*", quote(&self.name)));
            if with_log {
                say(lacks(OF_LOG), "*.*".to_owned());
                let settings: Option<(bool, String, String)> =
                    connection.query_first("SELECT @@log_bin, @@binlog_format, @@binlog_row_image").await?;
                let (is_kept, format, image) = settings.unwrap_or_default();
                if !is_kept {
                    found.push("the server keeps no binary log: start it with `log_bin`".to_owned());
                }
                if is_kept && (format != "ROW" || image != "FULL") {
                    let wanted = "`binlog_format = ROW` and `binlog_row_image = FULL`";
                    found.push(format!("the server's binary log does not hold whole rows: {wanted}"));
                }
            }
            found.extend(connection.query::<String, _>(UNSAFE).await?);
            connection.disconnect().await?;
            Ok(found)
        })
    }

    /// Has nobody write to the database until `copy` says that its own snapshot stands, and says what it held at that moment. Who writes
    /// waits for that, and not for the copy, nor for the counting.
    ///
    /// # Errors
    /// What `copy` says; [`StoreError`] when somebody writes for longer than others can be kept waiting.
    pub fn still<E: From<StoreError>>(
        &self,
        with_place: bool,
        copy: impl FnOnce(&dyn Fn()) -> Result<(), E>,
    ) -> Result<StillDatabase, E> {
        let (tell, told) = mpsc::channel::<Begun>();
        let (let_go, is_let_go) = oneshot::channel::<()>();
        std::thread::scope(|scope| {
            let holding = scope.spawn(move || blocking(self.hold(with_place, tell, is_let_go)));
            let ended = || {
                let gone = || StoreError::Unavailable("the work on the database panicked".to_owned());
                holding.join().unwrap_or_else(|_| Err(gone()))
            };
            let Ok((moment, place, users)) = told.recv() else {
                let why = StoreError::Unavailable("nobody knows what the database held".to_owned());
                return Err(ended().err().unwrap_or(why).into());
            };
            let let_go = Mutex::new(Some(let_go));
            let stands = || {
                let taken = let_go.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                // Whoever held is gone, and says why.
                let _ = taken.map(|let_go| let_go.send(()));
            };
            let copied = copy(&stands);
            if copied.is_ok() {
                stands();
            }
            // Nobody counts for a copy that there is not.
            drop(let_go);
            let contents = ended();
            copied?;
            Ok(StillDatabase { moment, place, users, contents: contents? })
        })
    }

    async fn hold(
        &self,
        with_place: bool,
        tell: mpsc::Sender<Begun>,
        is_let_go: oneshot::Receiver<()>,
    ) -> Result<Contents, StoreError> {
        let ((mut holder, _), (mut reader, _)) = (self.connect().await?, self.connect().await?);
        holder.query_drop(LOCK_TIMEOUT).await?;
        let tables: Vec<String> = holder.query(TABLES).await?;
        let locked: Vec<String> = tables.iter().map(|table| format!("{} READ", quote(table))).collect();
        let mut attempt = 0;
        while !locked.is_empty() {
            attempt += 1;
            match holder.query_drop(format!("LOCK TABLES {}", locked.join(", "))).await.map_err(StoreError::from) {
                Ok(()) => break,
                Err(StoreError::Late(Late::Lock, _) | StoreError::Contended(_)) if attempt < ATTEMPTS => {
                    holder.query_drop("UNLOCK TABLES").await?;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        for statement in SNAPSHOT {
            reader.query_drop(statement).await?;
        }
        let place = match with_place {
            true => Some(place(&mut reader).await?),
            false => None,
        };
        let moment = now(&mut reader).await?;
        let users = users(&mut reader, &self.name).await?;
        // Whoever waits for it may have given up.
        let _ = tell.send((moment, place, users));
        let is_copied = is_let_go.await.is_ok();
        holder.query_drop("COMMIT").await?;
        holder.query_drop("UNLOCK TABLES").await?;
        holder.disconnect().await?;
        match is_copied {
            true => contents(&mut reader).await,
            false => Err(StoreError::Unavailable("nobody copies the database".to_owned())),
        }
    }

    /// Where the server's log ends, and when that was. Everything that was committed until then is before it.
    ///
    /// # Errors
    /// [`StoreError`] when this user may not know.
    pub fn log_end(&self) -> Result<(LogPlace, String), StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let moment = now(&mut connection).await?;
            Ok((place(&mut connection).await?, moment))
        })
    }

    /// What tells the server from others to which the same address may lead, as a hash.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub fn origin(&self) -> Result<String, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let mut known: Vec<(String, String)> = connection.query(ORIGIN).await?;
            known.sort();
            let text: Vec<String> = known.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            Ok(vocab::sha256_hex(text.concat().as_bytes()))
        })
    }

    /// The same place with the transactions until there.
    ///
    /// # Errors
    /// [`StoreError`] when the server does not answer.
    pub fn with_transactions(&self, place: LogPlace) -> Result<LogPlace, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let transactions = transactions(&mut connection, &place).await?;
            Ok(LogPlace { transactions, ..place })
        })
    }

    /// Whether the server still has its log from that place on, and it is the same log.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer.
    pub fn has_log_from(&self, place: &LogPlace) -> Result<bool, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let files: Vec<Row> = connection.query("SHOW BINARY LOGS").await?;
            let has = |row: &Row| {
                let (file, size) = (row.get::<String, _>(0), row.get::<u64, _>(1));
                file.as_ref() == Some(&place.file) && size.is_some_and(|size| size >= place.position)
            };
            let is_same = match &place.transactions {
                Some(known) => transactions(&mut connection, place).await?.as_ref() == Some(known),
                None => true,
            };
            Ok(files.iter().any(has) && is_same)
        })
    }

    /// What the database holds; nobody writes to it meanwhile.
    pub(crate) fn contents(&self) -> Result<Contents, StoreError> {
        blocking(async { contents(&mut self.connect().await?.0).await })
    }

    /// What the engine's own check of tables finds.
    pub(crate) fn check(&self) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let tables: Vec<String> = connection.query(TABLES).await?;
            let mut found = Vec::new();
            for table in tables {
                let said: Vec<(String, String, String, String)> =
                    connection.query(format!("CHECK TABLE {} EXTENDED", quote(&table))).await?;
                let bad = said.into_iter().filter(|(.., kind, text)| kind != "status" || text != "OK");
                found.extend(bad.map(|(table, _, kind, text)| format!("{table}: {kind}: {text}")));
            }
            Ok(found)
        })
    }
}

async fn place(connection: &mut Conn) -> Result<LogPlace, StoreError> {
    let row: Option<Row> = connection.query_first("SHOW MASTER STATUS").await?;
    let unkept = || StoreError::Refused("the server keeps no binary log".to_owned());
    let row = row.ok_or_else(unkept)?;
    match (row.get(0), row.get(1)) {
        (Some(file), Some(position)) => Ok(LogPlace { file, position, transactions: None }),
        (None, _) | (_, None) => Err(unkept()),
    }
}

/// Nothing where the log has no such place. <https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/miscellaneous-functions/binlog_gtid_pos>
async fn transactions(connection: &mut Conn, place: &LogPlace) -> Result<Option<String>, StoreError> {
    let found: Option<Option<String>> =
        connection.exec_first("SELECT BINLOG_GTID_POS(?, ?)", (&place.file, place.position)).await?;
    let mut each: Vec<String> =
        found.flatten().map_or_else(Vec::new, |all| all.split(',').map(str::to_owned).collect());
    each.sort();
    Ok((!each.is_empty()).then(|| each.join(",")))
}

async fn now(connection: &mut Conn) -> Result<String, StoreError> {
    let now = "SELECT CONCAT(REPLACE(LEFT(CAST(UTC_TIMESTAMP(3) AS CHAR), 23), ' ', 'T'), 'Z')";
    Ok(connection.query_first(now).await?.unwrap_or_default())
}

/// Each user's own statements are asked of the server; of what they let, those about this database are meant.
async fn users(connection: &mut Conn, database: &str) -> Result<String, StoreError> {
    let written = pattern(database);
    let grantees: Vec<String> = connection.exec(GRANTEES, (&written, database, database, database)).await?;
    let mut statements = String::new();
    for grantee in grantees {
        let made: Option<String> = connection.query_first(format!("SHOW CREATE USER {grantee}")).await?;
        let Some(made) = made else { continue };
        statements.push_str(&made.replacen("CREATE USER", "CREATE USER IF NOT EXISTS", 1));
        statements.push_str(";\n");
        let grants: Vec<String> = connection.query(format!("SHOW GRANTS FOR {grantee}")).await?;
        let meant = [quote(database), format!("`{}`", written.replace('`', "``"))].map(|name| format!(" ON {name}."));
        for grant in grants.iter().filter(|grant| meant.iter().any(|meant| grant.contains(meant))) {
            statements.push_str(grant);
            statements.push_str(";\n");
        }
    }
    Ok(statements)
}

async fn contents(connection: &mut Conn) -> Result<Contents, StoreError> {
    let parts: Vec<String> = connection.query(DEFINITION).await?;
    let mut parts: Vec<String> = parts.iter().map(|part| in_one_form(part)).collect();
    parts.sort();
    let mut definition = Sha256::new();
    for part in parts {
        definition.update((part.len() as u64).to_le_bytes());
        definition.update(part.as_bytes());
    }
    let mut tables = BTreeMap::new();
    for name in connection.query::<String, _>(TABLES).await? {
        let contents = table(connection, &name).await?;
        tables.insert(name, contents);
    }
    Ok(Contents { definition: vocab::hex(&definition.finalize()), tables })
}

/// MariaDB prints an expression in another way once it was used: with `convert(... using utf8mb4)` around what it converts.
fn in_one_form(part: &str) -> String {
    let one = |part: &str| part.strip_prefix(EXPRESSION).map_or_else(|| part.to_owned(), expression_in_one_form);
    part.split('\t').map(one).collect::<Vec<_>>().join("\t")
}

/// The server sends a row at a time, each value as text.
async fn table(connection: &mut Conn, name: &str) -> Result<TableContents, StoreError> {
    let mut rows = Rows::default();
    let mut sent = connection.query_iter(format!("SELECT * FROM {}", quote(name))).await?;
    while let Some(row) = sent.next().await? {
        let mut hash = RowHash::default();
        for value in row.unwrap() {
            match value {
                Value::NULL => hash.value(b'n', &[]),
                Value::Bytes(bytes) => hash.value(b't', &bytes),
                other => hash.value(b'o', other.as_sql(true).as_bytes()),
            }
        }
        rows.add(hash);
    }
    Ok(rows.finish())
}

#[cfg(test)]
mod tests {
    use super::in_one_form;

    #[test]
    fn an_expression_is_the_same_before_and_after_it_was_used() {
        let new = "column\trooms\tid\t1\t\u{b}lcase(lpad(hex(utc_timestamp(3) DIV 1000),12,'0'))\tNO\tof `convert(a using utf8mb4)`";
        let used = "column\trooms\tid\t1\t\u{b}lcase(lpad(convert(hex(utc_timestamp(3) DIV 1000) using utf8mb4),12,'0'))\tNO\tof `convert(a using utf8mb4)`";
        assert_eq!(in_one_form(new), in_one_form(used));
        assert!(in_one_form(new).ends_with("\tNO\tof `convert(a using utf8mb4)`"), "{}", in_one_form(new));
        assert_ne!(in_one_form(new), in_one_form(&used.replace("12,", "13,")));
    }
}
