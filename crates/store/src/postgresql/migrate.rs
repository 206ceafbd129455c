//! Migrating a PostgreSQL database: migrations come in, each is applied whole or not at all and noted in the ledger, or taken
//! back the same way. What cannot run inside a transaction is noted step by step. The lock that keeps others from migrating
//! belongs to the connection, and so dies with whoever holds it.

use super::locks::{IMPATIENT, PATIENT};
use super::value::Text;
use super::{Server, inspect, locks};
use crate::blocking::blocking;
use crate::patience::Patience;
use crate::{AppliedMigration, StoreError};
use futures_util::future::join_all;
use plan::database::{Execution, Undo};
use plan::{Migration, Statement};
use std::borrow::Cow;
use std::time::Duration;
use tokio_postgres::{Client, GenericClient};
use vocab::Datum;

/// A server notices within a second that whoever asked for a long statement is gone.
const SESSION: &str = "SET client_connection_check_interval = '1s'";
/// How often somebody else's migrating is waited for, and how long each time. Asked again and again: who waits in a statement
/// would be waited for by an index that is made meanwhile.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);

/// So many statements of a transaction are on their way at a time.
pub const ON_THE_WAY: usize = 64;

/// One migrating program at a time in a database; the number is this product's own.
const LOCK: &str = "SELECT pg_try_advisory_lock($1)";
const LOCK_NUMBER: i64 = 5_241_713_205;

/// Made by whoever migrates first.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  scope text NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL,
  PRIMARY KEY (scope, name)
)";

/// What happened step by step, and what was taken back. Nothing is ever removed from it.
const STEPS: &str = "CREATE TABLE IF NOT EXISTS schema_migration_steps (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  step integer NOT NULL,
  event text NOT NULL,
  at timestamp with time zone NOT NULL
)";

/// The step of a note about the whole migration.
const WHOLE: i32 = 0;

impl Server {
    /// Applies what the ledger does not have. Where the rows or the statements of one do not let it through, those that were applied
    /// just before it are taken back too, unless they came to a table that was there already.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            begin(&client).await?;
            // Both at once: who may read them is seen to once.
            client.batch_execute(LEDGER).await?;
            client.batch_execute(STEPS).await?;
            let mut done: Vec<Noted<'_>> = Vec::new();
            let mut is_all_new = true;
            for migration in migrations {
                let noted = Noted { scope, migration, checksum: dialect::migration::checksum(migration), now };
                match noted.recorded(&client).await? {
                    Some(recorded) if recorded == noted.checksum => continue,
                    Some(_) => return Err(StoreError::MigrationChanged { name: migration.name.clone() }),
                    None => {}
                }
                is_all_new = is_all_new && noted.finds_no_table(&client).await?;
                if let Err(error) = noted.persistently(self, &mut client, Direction::Forth).await {
                    let is_final = !error.is_retryable() && !client.is_closed();
                    while let Some(earlier) = done.pop().filter(|_| is_final && is_all_new) {
                        if let Err(left) = earlier.persistently(self, &mut client, Direction::Back).await {
                            let name = &earlier.migration.name;
                            tracing::warn!("`{name}` stays applied, the next run goes on behind it: {left}");
                            break;
                        }
                    }
                    return Err(error);
                }
                done.push(noted);
            }
            Ok(done.into_iter().map(|noted| noted.migration.name.clone()).collect())
        })
    }

    /// Takes back, the last first, those of the migrations that the ledger has.
    pub fn undo(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            begin(&client).await?;
            // Both at once: who may read them is seen to once.
            client.batch_execute(LEDGER).await?;
            client.batch_execute(STEPS).await?;
            let mut undone = Vec::new();
            for migration in migrations.iter().rev() {
                let noted = Noted { scope, migration, checksum: dialect::migration::checksum(migration), now };
                match noted.recorded(&client).await? {
                    Some(recorded) if recorded == noted.checksum => {}
                    Some(_) => return Err(StoreError::MigrationChanged { name: migration.name.clone() }),
                    None => continue,
                }
                noted.persistently(self, &mut client, Direction::Back).await?;
                undone.push(migration.name.clone());
            }
            Ok(undone)
        })
    }
}

#[cfg(test)]
impl Server {
    /// Statements on a connection of their own, beside whoever migrates.
    pub fn run_by_hand(&self, sql: &str) -> Result<(), StoreError> {
        blocking(async { Ok(self.connect().await?.batch_execute(sql).await?) })
    }
}

/// Nobody else migrates from now on, until the connection ends.
pub(super) async fn begin(client: &Client) -> Result<(), StoreError> {
    client.batch_execute(SESSION).await?;
    for _ in 0..TRIES {
        if client.query_one(LOCK, &[&LOCK_NUMBER]).await?.try_get(0)? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(locks::migrating(client, LOCK_NUMBER).await)
}

async fn take_back(client: &impl GenericClient, statement: &Statement) -> Result<(), StoreError> {
    match &statement.undo {
        Undo::Statement(sql) | Undo::OldName(sql) => Ok(client.batch_execute(sql).await?),
        Undo::Kept(_) => Ok(()),
        Undo::Impossible(why) => Err(StoreError::Refused(format!("it cannot be taken back: {why}"))),
    }
}

/// A statement that keeps nobody waiting.
async fn patiently(client: &Client, sql: &str) -> Result<(), StoreError> {
    client.batch_execute(PATIENT).await?;
    let ended = client.batch_execute(sql).await;
    // A connection that has ended says so below.
    let _ = client.batch_execute(IMPATIENT).await;
    Ok(ended?)
}

async fn run_alone(client: &Client, undo: &Undo) -> Result<(), StoreError> {
    match undo {
        Undo::Statement(sql) | Undo::OldName(sql) => patiently(client, sql).await,
        Undo::Kept(_) | Undo::Impossible(_) => Ok(()),
    }
}

/// Which way a migration goes.
#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}

/// A migration as the ledger knows it.
struct Noted<'m> {
    scope: &'m str,
    migration: &'m Migration,
    checksum: String,
    now: &'m str,
}

impl Noted<'_> {
    async fn recorded(&self, client: &Client) -> Result<Option<String>, StoreError> {
        let find = "SELECT checksum FROM schema_migrations WHERE scope = $1 AND name = $2";
        let recorded = client.query_opt(find, &[&self.scope, &self.migration.name]).await?;
        Ok(recorded.map(|row| row.try_get(0)).transpose()?)
    }

    /// Whether none of the tables that it makes is there already, as another task's would be.
    async fn finds_no_table(&self, client: &Client) -> Result<bool, StoreError> {
        for statement in &self.migration.statements {
            let Undo::Statement(sql) = &statement.undo else { continue };
            if let Some(table) = sql.strip_prefix("DROP TABLE ")
                && inspect::has_table(client, table).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whoever keeps it waiting is named, and waited for within a bound. What comes to no good end leaves nothing: of one that runs
    /// step by step, the steps are taken back.
    async fn persistently(&self, server: &Server, client: &mut Client, direction: Direction) -> Result<(), StoreError> {
        let process = locks::process(client).await?;
        let patience = Patience::new();
        loop {
            let work = self.carry_out(client, direction);
            let error = match locks::watched(server, process, work).await {
                Ok(()) => return Ok(()),
                Err(error) if patience.tries_again(&error).await => continue,
                Err(error) => error,
            };
            let leaves_steps =
                matches!(direction, Direction::Forth) && self.migration.is_stepwise() && !client.is_closed();
            if leaves_steps && let Err(left) = locks::watched(server, process, self.take_back_steps(client)).await {
                let name = &self.migration.name;
                tracing::warn!("the first steps of `{name}` are still there, the next run goes on behind them: {left}");
            }
            return Err(error);
        }
    }

    async fn carry_out(&self, client: &mut Client, direction: Direction) -> Result<(), StoreError> {
        match (direction, self.migration.is_stepwise()) {
            (Direction::Forth, true) => self.apply_stepwise(client).await,
            (Direction::Forth, false) => self.apply(client).await,
            (Direction::Back, _) => self.undo(client).await,
        }
    }

    async fn apply(&self, client: &mut Client) -> Result<(), StoreError> {
        let transaction = client.transaction().await?;
        let statements: Vec<&Statement> = self.migration.statements.iter().collect();
        make(transaction.client(), &statements, |statement| Cow::Borrowed(&statement.sql)).await?;
        self.note_applied(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn undo(&self, client: &mut Client) -> Result<(), StoreError> {
        if self.migration.is_stepwise() {
            self.take_back_steps(client).await?;
        }
        let transaction = client.transaction().await?;
        if !self.migration.is_stepwise() {
            for statement in self.migration.statements.iter().rev() {
                take_back(&transaction, statement).await?;
            }
        }
        self.forget(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// A step that was done is not done again; one that was begun and not finished is taken back first.
    async fn apply_stepwise(&self, client: &mut Client) -> Result<(), StoreError> {
        for (index, statement) in self.migration.statements.iter().enumerate() {
            let step = index + 1;
            let last = self.last_event(client, step).await?;
            if last.as_deref() == Some("done") || is_superfluous(client, statement).await? {
                continue;
            }
            match statement.execution {
                Execution::Alone => {
                    if last.as_deref() == Some("begun") {
                        run_alone(client, &statement.undo).await?;
                    }
                    self.note(client, number(step), "begun").await?;
                    patiently(client, &statement.sql).await?;
                    self.note(client, number(step), "done").await?;
                }
                Execution::Together | Execution::KeysChecked => {
                    let transaction = client.transaction().await?;
                    transaction.batch_execute(&statement.sql).await?;
                    self.note(&transaction, number(step), "done").await?;
                    transaction.commit().await?;
                }
            }
        }
        self.note_applied(client).await
    }

    /// The steps that are done or begun, in reverse.
    async fn take_back_steps(&self, client: &mut Client) -> Result<(), StoreError> {
        for (index, statement) in self.migration.statements.iter().enumerate().rev() {
            let step = index + 1;
            if !matches!(self.last_event(client, step).await?.as_deref(), Some("begun" | "done")) {
                continue;
            }
            match statement.execution {
                Execution::Alone => {
                    run_alone(client, &statement.undo).await?;
                    self.note(client, number(step), "undone").await?;
                }
                Execution::Together | Execution::KeysChecked => {
                    let transaction = client.transaction().await?;
                    take_back(&transaction, statement).await?;
                    self.note(&transaction, number(step), "undone").await?;
                    transaction.commit().await?;
                }
            }
        }
        Ok(())
    }

    async fn last_event(&self, client: &Client, step: usize) -> Result<Option<String>, StoreError> {
        let find = "SELECT event FROM schema_migration_steps
WHERE scope = $1 AND name = $2 AND checksum = $3 AND step = $4 ORDER BY entry DESC LIMIT 1";
        let step = number(step);
        let found = client.query_opt(find, &[&self.scope, &self.migration.name, &self.checksum, &step]).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    async fn note(&self, client: &impl GenericClient, step: i32, event: &str) -> Result<(), StoreError> {
        let note = "INSERT INTO schema_migration_steps (scope, name, checksum, step, event, at) VALUES ($1, $2, $3, $4, $5, $6)";
        let now = Datum::Text(self.now.to_owned());
        let (name, checksum) = (&self.migration.name, &self.checksum);
        client.execute(note, &[&self.scope, name, checksum, &step, &event, &Text(&now)]).await?;
        Ok(())
    }

    async fn note_applied(&self, client: &impl GenericClient) -> Result<(), StoreError> {
        let note = "INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
        let now = Datum::Text(self.now.to_owned());
        client.execute(note, &[&self.scope, &self.migration.name, &self.checksum, &Text(&now)]).await?;
        Ok(())
    }

    /// It is no longer applied; that it was stays noted.
    async fn forget(&self, client: &impl GenericClient) -> Result<(), StoreError> {
        let forget = "DELETE FROM schema_migrations WHERE scope = $1 AND name = $2";
        client.execute(forget, &[&self.scope, &self.migration.name]).await?;
        self.note(client, WHOLE, "undone").await
    }
}

fn number(step: usize) -> i32 {
    i32::try_from(step).unwrap_or(i32::MAX)
}

/// Runs the statements inside a transaction in their order, many on their way at a time: when one is refused, so are all behind it,
/// and the first error is told. `text` says what is run of a statement.
pub async fn make(
    client: &Client,
    statements: &[&Statement],
    text: fn(&Statement) -> Cow<'_, str>,
) -> Result<(), StoreError> {
    let mut waiting: Vec<Cow<'_, str>> = Vec::new();
    for statement in statements {
        if waiting.len() == ON_THE_WAY || statement.unless.is_some() {
            send(client, &mut waiting).await?;
        }
        if !is_superfluous(client, statement).await? {
            waiting.push(text(statement));
        }
    }
    send(client, &mut waiting).await
}

async fn send(client: &Client, statements: &mut Vec<Cow<'_, str>>) -> Result<(), StoreError> {
    // They are sent in the order in which they are first polled.
    let answers = join_all(statements.iter().map(|sql| client.batch_execute(sql))).await;
    statements.clear();
    Ok(answers.into_iter().collect::<Result<(), _>>()?)
}

/// Asked just before the statement would run: one before it may have made the column.
pub async fn is_superfluous(client: &impl GenericClient, statement: &Statement) -> Result<bool, StoreError> {
    let Some(there) = &statement.unless else { return Ok(false) };
    let find = "SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = $1 AND a.attname = $2 AND NOT a.attisdropped";
    Ok(client.query_opt(find, &[&there.table.as_str(), &there.column.as_str()]).await?.is_some())
}

/// The migrations that the ledger has.
pub async fn applied(client: &Client, scope: &str) -> Result<Vec<AppliedMigration>, StoreError> {
    if !inspect::has_table(client, "schema_migrations").await? {
        return Ok(Vec::new());
    }
    let list = "SELECT name, checksum FROM schema_migrations WHERE scope = $1 ORDER BY name";
    let rows = client.query(list, &[&scope]).await?;
    rows.iter().map(|row| Ok(AppliedMigration { name: row.try_get(0)?, checksum: row.try_get(1)? })).collect()
}

/// Those that run step by step, were begun, and are neither applied nor taken back.
pub async fn begun(client: &Client, scope: &str) -> Result<Vec<AppliedMigration>, StoreError> {
    if !inspect::has_table(client, "schema_migration_steps").await? {
        return Ok(Vec::new());
    }
    let list = "SELECT DISTINCT s.name, s.checksum FROM schema_migration_steps s
WHERE s.scope = $1 AND s.step > 0 AND s.event IN ('begun', 'done')
  AND NOT EXISTS (SELECT FROM schema_migration_steps later WHERE later.scope = s.scope AND later.name = s.name
    AND later.checksum = s.checksum AND later.step = s.step AND later.entry > s.entry)
  AND NOT EXISTS (SELECT FROM schema_migrations m WHERE m.scope = s.scope AND m.name = s.name)
ORDER BY 1, 2";
    let rows = client.query(list, &[&scope]).await?;
    rows.iter().map(|row| Ok(AppliedMigration { name: row.try_get(0)?, checksum: row.try_get(1)? })).collect()
}
