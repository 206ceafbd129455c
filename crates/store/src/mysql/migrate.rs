//! Migrations on servers whose definitions commit by themselves: each statement is a step, the ledger says how many are done and which
//! one was begun, and a run that was killed is finished by the next one. A statement that is refused takes those before it back; what
//! cannot be taken back is said, statement by statement.

use super::connect::Server;
use super::inspect;
use super::locks::{self, IMPATIENT, Stopped, Waiting};
use crate::blocking::blocking;
use crate::{AppliedMigration, StoreError};
use dialect::mysql::may_be_so_already;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use plan::database::Undo;
use plan::{Migration, Statement};
use std::collections::BTreeSet;
use vocab::sha256_hex;

/// Seconds that a migrating program waits for another one.
const LOCK_WAIT: u32 = 12;

/// Made by whoever migrates first. `begun` is ahead of `done` while a statement runs; `applied_at` comes last.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  scope varchar(191) NOT NULL,
  name varchar(191) NOT NULL,
  checksum char(64) NOT NULL,
  begun int NOT NULL,
  done int NOT NULL,
  applied_at datetime(3),
  PRIMARY KEY (scope, name)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin";

/// The steps that found what they would have made: it is another task's, and stays when they are taken back.
const FOUND: &str = "CREATE TABLE IF NOT EXISTS schema_migration_steps (
  scope varchar(191) NOT NULL,
  name varchar(191) NOT NULL,
  step int NOT NULL,
  PRIMARY KEY (scope, name, step)
) ENGINE=InnoDB DEFAULT CHARACTER SET ascii COLLATE ascii_bin";

impl Server {
    /// Each migration that the ledger does not have. The lock ends with the connection, and so with its holder.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            self.lock(&mut connection).await?;
            prepare(&mut connection).await?;
            let mut applied = Vec::new();
            for migration in migrations {
                if self.apply(&mut connection, &Ledger { scope, migration }, now).await? {
                    applied.push(migration.name.clone());
                }
            }
            connection.disconnect().await?;
            Ok(applied)
        })
    }

    /// Takes back, the last first, those of the migrations that the ledger has. One that an undoing before was interrupted in is
    /// taken back from where that was.
    pub fn undo(&self, scope: &str, migrations: &[Migration], _now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            self.lock(&mut connection).await?;
            prepare(&mut connection).await?;
            let mut undone = Vec::new();
            for migration in migrations.iter().rev() {
                let ledger = Ledger { scope, migration };
                let Some(found) = ledger.recorded(&mut connection).await? else { continue };
                self.take_away(&mut connection, &ledger, &found).await?;
                undone.push(migration.name.clone());
            }
            connection.disconnect().await?;
            Ok(undone)
        })
    }

    /// One migrating program at a time in a database; names of locks belong to the whole server and have 64 characters.
    async fn lock(&self, connection: &mut Conn) -> Result<(), StoreError> {
        let name = format!("producer_migration_{}", &sha256_hex(self.name.as_bytes())[..32]);
        let got: Option<Option<u8>> = connection.exec_first("SELECT GET_LOCK(?, ?)", (&name, LOCK_WAIT)).await?;
        match got.flatten() {
            Some(1) => Ok(connection.query_drop(IMPATIENT).await?),
            _ => {
                let holder: Option<Option<u32>> = connection.exec_first("SELECT IS_USED_LOCK(?)", (name,)).await?;
                Err(locks::migrating(connection, holder.flatten()).await)
            }
        }
    }

    async fn apply(&self, connection: &mut Conn, ledger: &Ledger<'_>, now: &str) -> Result<bool, StoreError> {
        let mut found = ledger.find(connection).await?;
        if found.applied_at.is_some() {
            return Ok(false);
        }
        let begun_before = found.begun;
        for (step, statement) in ledger.migration.statements.iter().enumerate().skip(found.done) {
            ledger.note(connection, step + 1, step).await?;
            // The run before was ended at this statement, perhaps between it and its note.
            let is_resumed = begun_before == step + 1;
            match self.run(connection, statement).await {
                Ok(Effect::WasThere) if !is_resumed => {
                    ledger.note_found(connection, step).await?;
                    found.found.insert(step);
                }
                Ok(Effect::Made | Effect::WasThere) => {}
                Err(Stopped::Failed(Error::Server(said))) if is_resumed && IS_SO_ALREADY.contains(&said.code) => {}
                Err(error) => {
                    found.done = step;
                    return Err(self.take_back(connection, ledger, &found, error).await);
                }
            }
            ledger.note(connection, step + 1, step + 1).await?;
        }
        let moment = now.trim_end_matches('Z').replace('T', " ");
        ledger.finish(connection, &moment).await?;
        Ok(true)
    }

    /// A statement, tried for a while where somebody keeps what it needs.
    async fn run(&self, connection: &mut Conn, statement: &Statement) -> Result<Effect, Stopped> {
        let mut waiting = Waiting::new(self, connection);
        loop {
            if let Some(ended) = waiting.tried(run(connection, statement)).await {
                return ended;
            }
        }
    }

    async fn run_text(&self, connection: &mut Conn, text: &str) -> Result<(), Stopped> {
        let mut waiting = Waiting::new(self, connection);
        loop {
            if let Some(ended) = waiting.tried(connection.query_drop(text)).await {
                return ended;
            }
        }
    }

    /// Each statement that is done is undone, the last one first, and noted before the next.
    async fn take_away(&self, connection: &mut Conn, ledger: &Ledger<'_>, found: &Progress) -> Result<(), StoreError> {
        if let Some(why) = ledger.keeps(found) {
            return Err(ledger.half_done(found, StoreError::Refused(format!("it cannot be taken back: {why}"))));
        }
        ledger.reopen(connection).await?;
        let steps = found.done.max(found.begun);
        for (step, statement) in ledger.migration.statements.iter().enumerate().take(steps).rev() {
            if let Err(error) = self.run_back(connection, ledger, found, step, statement).await {
                if let (true, Some(moment)) = (step + 1 == steps, &found.applied_at) {
                    ledger.finish(connection, moment).await?;
                    return Err(error);
                }
                let left = Progress { done: step + 1, applied_at: None, ..found.clone() };
                return Err(ledger.half_done(&left, error));
            }
        }
        Ok(ledger.forget(connection).await?)
    }

    /// One step is undone and noted.
    async fn run_back(
        &self,
        connection: &mut Conn,
        ledger: &Ledger<'_>,
        found: &Progress,
        step: usize,
        statement: &Statement,
    ) -> Result<(), StoreError> {
        match &statement.undo {
            Undo::Statement(_) | Undo::OldName(_) if found.found.contains(&step) => {}
            Undo::Statement(sql) | Undo::OldName(sql) => {
                match self.run_text(connection, sql).await {
                    // A statement that was begun and had no effect yet, or whose undoing was not noted any more.
                    Err(Stopped::Failed(Error::Server(said)))
                        if (found.applied_at.is_none() || may_be_so_already(sql))
                            && IS_SO_ALREADY.contains(&said.code) => {}
                    ended => ended?,
                }
            }
            Undo::Kept(_) | Undo::Impossible(_) => {}
        }
        ledger.note(connection, step, step).await
    }

    /// The statements that were done are undone, the last one first. What cannot be undone stays, with its place in the ledger.
    async fn take_back(
        &self,
        connection: &mut Conn,
        ledger: &Ledger<'_>,
        found: &Progress,
        stopped: Stopped,
    ) -> StoreError {
        let may_go_on = matches!(stopped, Stopped::Locked(_) | Stopped::Failed(Error::Server(_)));
        let error: StoreError = stopped.into();
        if !may_go_on || ledger.keeps(found).is_some() {
            return ledger.half_done(found, error);
        }
        // A statement of several parts may have ended amid them.
        let checked = connection.query_drop("SET foreign_key_checks = 1").await;
        for (step, statement) in ledger.migration.statements.iter().enumerate().take(found.done).rev() {
            if checked.is_err() || self.run_back(connection, ledger, found, step, statement).await.is_err() {
                return ledger.half_done(&Progress { done: step + 1, ..found.clone() }, error);
            }
        }
        // A row of the ledger of which nothing is done does no harm.
        let _ = ledger.forget(connection).await;
        error
    }
}

async fn prepare(connection: &mut Conn) -> Result<(), Error> {
    connection.query_drop(LEDGER).await?;
    connection.query_drop(FOUND).await
}

/// How much of a migration is done.
pub enum Part {
    Whole,
    Begun,
}

/// The migrations of the scope of which so much is done.
pub async fn recorded(connection: &mut Conn, scope: &str, part: Part) -> Result<Vec<AppliedMigration>, StoreError> {
    if !inspect::has_table(connection, "schema_migrations").await? {
        return Ok(Vec::new());
    }
    let list = match part {
        Part::Whole => {
            "SELECT name, checksum FROM schema_migrations WHERE scope = ? AND applied_at IS NOT NULL ORDER BY name"
        }
        Part::Begun => {
            "SELECT name, checksum FROM schema_migrations WHERE scope = ? AND applied_at IS NULL ORDER BY name"
        }
    };
    let rows: Vec<(String, String)> = connection.exec(list, (scope,)).await?;
    Ok(rows.into_iter().map(|(name, checksum)| AppliedMigration { name, checksum }).collect())
}

/// How far a migration is.
#[derive(Debug, Clone, Default)]
struct Progress {
    begun: usize,
    done: usize,
    /// When it was applied as a whole.
    applied_at: Option<String>,
    /// Steps that made nothing.
    found: BTreeSet<usize>,
}

/// What a statement did.
enum Effect {
    Made,
    WasThere,
}

/// What the server answers to a definition that was made before: a table, a column, an index, a trigger, a constraint that is there, or
/// one that is gone.
const IS_SO_ALREADY: &[u16] = &[1050, 1060, 1061, 1091, 1051, 1176, 1359, 1360, 1826, 3822, 3821, 3940];

/// Asked just before the statement would run: one before it may have made the column.
pub async fn is_superfluous(connection: &mut Conn, statement: &Statement) -> Result<bool, Error> {
    let Some(there) = &statement.unless else { return Ok(false) };
    let look = "SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let found: Option<u8> = connection.exec_first(look, (there.table.as_str(), there.column.as_str())).await?;
    Ok(found.unwrap_or_default() > 0)
}

/// Runs the statement, on a scratch as on the database itself.
pub async fn define(connection: &mut Conn, statement: &Statement) -> Result<(), Error> {
    run(connection, statement).await.map(|_| ())
}

async fn run(connection: &mut Conn, statement: &Statement) -> Result<Effect, Error> {
    if is_superfluous(connection, statement).await? {
        return Ok(Effect::WasThere);
    }
    match connection.query_drop(&statement.sql).await {
        Err(Error::Server(said)) if may_be_so_already(&statement.sql) && IS_SO_ALREADY.contains(&said.code) => {
            return Ok(Effect::WasThere);
        }
        ended => ended?,
    }
    // What is altered was looked at before it was planned; what is created may be another task's.
    if connection.get_warnings() == 0 || !statement.sql.starts_with("CREATE") {
        return Ok(Effect::Made);
    }
    // `IF NOT EXISTS` that found something says so in a note.
    let notes: Vec<Row> = connection.query("SHOW WARNINGS").await?;
    let was_there = notes.iter().any(|note| note.get::<u16, _>(1).is_some_and(|code| IS_SO_ALREADY.contains(&code)));
    Ok(if was_there { Effect::WasThere } else { Effect::Made })
}

/// The row of one migration.
struct Ledger<'m> {
    scope: &'m str,
    migration: &'m Migration,
}

impl Ledger<'_> {
    /// The row, made when it is not there.
    async fn find(&self, connection: &mut Conn) -> Result<Progress, StoreError> {
        if let Some(found) = self.recorded(connection).await? {
            return Ok(found);
        }
        let begin = "INSERT INTO schema_migrations (scope, name, checksum, begun, done) VALUES (?, ?, ?, 0, 0)";
        let checksum = dialect::migration::checksum(self.migration);
        connection.exec_drop(begin, (self.scope, &self.migration.name, checksum)).await?;
        Ok(Progress::default())
    }

    async fn recorded(&self, connection: &mut Conn) -> Result<Option<Progress>, StoreError> {
        let find = "SELECT checksum, begun, done, CAST(applied_at AS CHAR) FROM schema_migrations
            WHERE scope = ? AND name = ?";
        let row: Option<(String, usize, usize, Option<String>)> =
            connection.exec_first(find, (self.scope, &self.migration.name)).await?;
        let Some((recorded, begun, done, applied_at)) = row else { return Ok(None) };
        if recorded != dialect::migration::checksum(self.migration) {
            return Err(StoreError::MigrationChanged { name: self.migration.name.clone() });
        }
        let steps = "SELECT step FROM schema_migration_steps WHERE scope = ? AND name = ?";
        let found: Vec<usize> = connection.exec(steps, (self.scope, &self.migration.name)).await?;
        Ok(Some(Progress { begun, done, applied_at, found: found.into_iter().collect() }))
    }

    /// Why what is done cannot be taken back, if it cannot.
    fn keeps(&self, found: &Progress) -> Option<&str> {
        let done = self.migration.statements.iter().take(found.done);
        done.filter_map(|statement| match &statement.undo {
            Undo::Impossible(why) => Some(why.as_str()),
            Undo::Statement(_) | Undo::OldName(_) | Undo::Kept(_) => None,
        })
        .next()
    }

    /// What is done and stays, for whoever must know.
    fn half_done(&self, found: &Progress, error: StoreError) -> StoreError {
        let statements = &self.migration.statements;
        if found.applied_at.is_some() || found.done == 0 {
            return error;
        }
        let why = match error {
            StoreError::Refused(why) => why,
            other => other.to_string(),
        };
        let done = statements.iter().take(found.done).map(|statement| statement.why.clone()).collect();
        StoreError::HalfDone { migration: self.migration.name.clone(), done, of: statements.len(), why }
    }

    async fn finish(&self, connection: &mut Conn, moment: &str) -> Result<(), Error> {
        let finish = "UPDATE schema_migrations SET applied_at = ? WHERE scope = ? AND name = ?";
        connection.exec_drop(finish, (moment, self.scope, &self.migration.name)).await
    }

    /// It is no longer applied as a whole.
    async fn reopen(&self, connection: &mut Conn) -> Result<(), Error> {
        let reopen = "UPDATE schema_migrations SET applied_at = NULL WHERE scope = ? AND name = ?";
        connection.exec_drop(reopen, (self.scope, &self.migration.name)).await
    }

    async fn note(&self, connection: &mut Conn, begun: usize, done: usize) -> Result<(), StoreError> {
        let note = "UPDATE schema_migrations SET begun = ?, done = ? WHERE scope = ? AND name = ?";
        Ok(connection.exec_drop(note, (begun, done, self.scope, &self.migration.name)).await?)
    }

    async fn note_found(&self, connection: &mut Conn, step: usize) -> Result<(), StoreError> {
        let note = "INSERT INTO schema_migration_steps (scope, name, step) VALUES (?, ?, ?)";
        Ok(connection.exec_drop(note, (self.scope, &self.migration.name, step)).await?)
    }

    async fn forget(&self, connection: &mut Conn) -> Result<(), Error> {
        for table in ["schema_migration_steps", "schema_migrations"] {
            let forget = format!("DELETE FROM {table} WHERE scope = ? AND name = ?");
            connection.exec_drop(forget, (self.scope, &self.migration.name)).await?;
        }
        Ok(())
    }
}
