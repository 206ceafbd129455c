//! Migrations on servers whose definitions commit by themselves: each statement is a step, the ledger says how many are done and which
//! one was begun, and a run that was killed is finished by the next one. A statement that is refused takes those before it back.

use super::connect::Server;
use super::inspect;
use crate::blocking::blocking;
use crate::{AppliedMigration, StoreError};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};
use plan::database::Undo;
use plan::{Migration, Statement};
use vocab::sha256_hex;

/// Seconds that a migrating program waits for another one.
const LOCK_WAIT: u32 = 30;

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

impl Server {
    /// Each migration that the ledger does not have. The lock ends with the connection, and so with its holder.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            self.lock(&mut connection).await?;
            connection.query_drop(LEDGER).await?;
            let mut applied = Vec::new();
            for migration in migrations {
                if apply(&mut connection, scope, migration, now).await? {
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
            connection.query_drop(LEDGER).await?;
            let mut undone = Vec::new();
            for migration in migrations.iter().rev() {
                let ledger = Ledger { scope, migration };
                let Some(found) = ledger.recorded(&mut connection).await? else { continue };
                undo(&mut connection, &ledger, &found).await?;
                undone.push(migration.name.clone());
            }
            connection.disconnect().await?;
            Ok(undone)
        })
    }

    /// One migrating program at a time in a database; names of locks belong to the whole server and have 64 characters.
    async fn lock(&self, connection: &mut Conn) -> Result<(), StoreError> {
        let name = format!("producer_migration_{}", &sha256_hex(self.name.as_bytes())[..32]);
        let got: Option<Option<u8>> = connection.exec_first("SELECT GET_LOCK(?, ?)", (name, LOCK_WAIT)).await?;
        match got.flatten() {
            Some(1) => Ok(()),
            _ => Err(StoreError::Unavailable("another program is migrating the database".to_owned())),
        }
    }
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
struct Progress {
    begun: usize,
    done: usize,
    is_applied: bool,
}

async fn apply(connection: &mut Conn, scope: &str, migration: &Migration, now: &str) -> Result<bool, StoreError> {
    let ledger = Ledger { scope, migration };
    let found = ledger.find(connection).await?;
    if found.is_applied {
        return Ok(false);
    }
    // What this run itself has done, so that it can be taken back.
    let mut made: Vec<(usize, &Statement)> = Vec::new();
    for (step, statement) in migration.statements.iter().enumerate().skip(found.done) {
        ledger.note(connection, step + 1, step).await?;
        match run(connection, statement).await {
            Ok(Effect::Made) => made.push((step, statement)),
            Ok(Effect::WasThere) => {}
            // The run before was ended between the statement and its note.
            Err(Error::Server(said)) if found.begun == step + 1 && IS_SO_ALREADY.contains(&said.code) => {}
            Err(error) => {
                let whole = found.done == 0 && found.begun == 0;
                return Err(take_back(connection, &ledger, whole.then_some(made), error).await);
            }
        }
        ledger.note(connection, step + 1, step + 1).await?;
    }
    let finish = "UPDATE schema_migrations SET applied_at = ? WHERE scope = ? AND name = ?";
    let moment = now.trim_end_matches('Z').replace('T', " ");
    connection.exec_drop(finish, (moment, scope, &migration.name)).await?;
    Ok(true)
}

/// Each statement that is done is undone, the last one first, and noted before the next.
async fn undo(connection: &mut Conn, ledger: &Ledger<'_>, found: &Progress) -> Result<(), StoreError> {
    if let Some((_, why)) = ledger.migration.impossible_to_undo() {
        return Err(StoreError::Refused(format!("it cannot be taken back: {why}")));
    }
    ledger.reopen(connection).await?;
    for (step, statement) in ledger.migration.statements.iter().enumerate().take(found.done.max(found.begun)).rev() {
        match &statement.undo {
            Undo::Statement(sql) | Undo::OldName(sql) => match connection.query_drop(sql.as_str()).await {
                // A statement that was begun and had no effect yet, or whose undoing was not noted any more.
                Err(Error::Server(said)) if !found.is_applied && IS_SO_ALREADY.contains(&said.code) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {}
            },
            Undo::Kept(_) | Undo::Impossible(_) => {}
        }
        ledger.note(connection, step, step).await?;
    }
    Ok(ledger.forget(connection).await?)
}

/// What a statement did.
enum Effect {
    Made,
    WasThere,
}

/// What the server answers to a definition that was made before: a table, a column, an index, a trigger, a constraint that is there, or
/// one that is gone.
const IS_SO_ALREADY: &[u16] = &[1050, 1060, 1061, 1091, 1051, 1359, 1360, 1826, 3822, 3821, 3940];

/// Asked just before the statement would run: one before it may have made the column.
pub async fn is_superfluous(connection: &mut Conn, statement: &Statement) -> Result<bool, Error> {
    let Some(there) = &statement.unless else { return Ok(false) };
    let look = "SELECT COUNT(*) FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let found: Option<u8> = connection.exec_first(look, (there.table.as_str(), there.column.as_str())).await?;
    Ok(found.unwrap_or_default() > 0)
}

async fn run(connection: &mut Conn, statement: &Statement) -> Result<Effect, Error> {
    if is_superfluous(connection, statement).await? {
        return Ok(Effect::WasThere);
    }
    connection.query_drop(&statement.sql).await?;
    if connection.get_warnings() == 0 {
        return Ok(Effect::Made);
    }
    // `IF NOT EXISTS` that found something says so in a note.
    let notes: Vec<Row> = connection.query("SHOW WARNINGS").await?;
    let was_there = notes.iter().any(|note| note.get::<u16, _>(1).is_some_and(|code| IS_SO_ALREADY.contains(&code)));
    Ok(if was_there { Effect::WasThere } else { Effect::Made })
}

/// The statements that were done are undone, the last one first. What cannot be undone stays, with its place in the ledger.
async fn take_back(
    connection: &mut Conn,
    ledger: &Ledger<'_>,
    made: Option<Vec<(usize, &Statement)>>,
    error: Error,
) -> StoreError {
    let broke = !matches!(error, Error::Server(_));
    let error = StoreError::from(error);
    if broke {
        return error;
    }
    let stays = |error: StoreError| match error {
        StoreError::Refused(why) => StoreError::Refused(format!(
            "{why}; the statements of `{}` before this one are done and stay, and the next run goes on behind them",
            ledger.migration.name
        )),
        other => other,
    };
    let Some(made) = made else { return stays(error) };
    for (step, statement) in made.into_iter().rev() {
        let undone = match &statement.undo {
            Undo::Statement(sql) | Undo::OldName(sql) => connection.query_drop(sql).await.is_ok(),
            Undo::Kept(_) => true,
            Undo::Impossible(_) => false,
        };
        if !undone || ledger.note(connection, step, step).await.is_err() {
            return stays(error);
        }
    }
    match ledger.forget(connection).await {
        Ok(()) => error,
        Err(_) => stays(error),
    }
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
        Ok(Progress { begun: 0, done: 0, is_applied: false })
    }

    async fn recorded(&self, connection: &mut Conn) -> Result<Option<Progress>, StoreError> {
        let find =
            "SELECT checksum, begun, done, applied_at IS NOT NULL FROM schema_migrations WHERE scope = ? AND name = ?";
        let row: Option<(String, usize, usize, bool)> =
            connection.exec_first(find, (self.scope, &self.migration.name)).await?;
        match row {
            None => Ok(None),
            Some((recorded, begun, done, is_applied)) if recorded == dialect::migration::checksum(self.migration) => {
                Ok(Some(Progress { begun, done, is_applied }))
            }
            Some(_) => Err(StoreError::MigrationChanged { name: self.migration.name.clone() }),
        }
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

    async fn forget(&self, connection: &mut Conn) -> Result<(), Error> {
        let forget = "DELETE FROM schema_migrations WHERE scope = ? AND name = ?";
        connection.exec_drop(forget, (self.scope, &self.migration.name)).await
    }
}
