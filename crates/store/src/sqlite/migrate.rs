//! Migrating a SQLite database: migrations come in, each is applied whole or not at all and noted in the ledger, or all are taken
//! back together. SQLite's write lock keeps others away, and dies with whoever holds it.

use super::inspect;
use crate::{AppliedMigration, StoreError};
use plan::database::{Execution, Undo};
use plan::{Migration, Statement};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Made by whoever migrates first, this program or the Node.js application.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  PRIMARY KEY (scope, name)
) STRICT";

/// What was taken back. Nothing is ever removed from it.
const STEPS: &str = "CREATE TABLE IF NOT EXISTS schema_migration_steps (
  entry INTEGER PRIMARY KEY,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  step INTEGER NOT NULL,
  event TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT";

/// Applies what the ledger does not have.
pub fn migrate(
    connection: &mut Connection,
    scope: &str,
    migrations: &[Migration],
    now: &str,
) -> Result<Vec<String>, StoreError> {
    let mut done = Vec::new();
    for migration in migrations {
        let is_applied = match checks_keys_afterwards(migration) {
            true => without_keys(connection, |connection| apply(connection, scope, migration, now)),
            false => apply(connection, scope, migration, now),
        }?;
        if is_applied {
            done.push(migration.name.clone());
        }
    }
    Ok(done)
}

/// Takes back, the last first, what the ledger has of them, in one transaction.
pub fn undo(
    connection: &mut Connection,
    scope: &str,
    migrations: &[Migration],
    now: &str,
) -> Result<Vec<String>, StoreError> {
    // Tables that lead to each other could not be dropped one after the other.
    without_keys(connection, |connection| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(LEDGER)?;
        transaction.execute_batch(STEPS)?;
        let mut undone = Vec::new();
        for migration in migrations.iter().rev() {
            let checksum = dialect::migration::checksum(migration);
            match recorded(&transaction, scope, migration)? {
                Some(recorded) if recorded == checksum => {}
                Some(_) => return Err(StoreError::MigrationChanged { name: migration.name.clone() }),
                None => continue,
            }
            for statement in migration.statements.iter().rev() {
                match &statement.undo {
                    Undo::Statement(sql) | Undo::OldName(sql) => execute(&transaction, statement, sql)?,
                    Undo::Kept(_) => {}
                    Undo::Impossible(why) => {
                        return Err(StoreError::Refused(format!("it cannot be taken back: {why}")));
                    }
                }
            }
            transaction
                .execute("DELETE FROM schema_migrations WHERE scope = ? AND name = ?", [scope, &migration.name])?;
            transaction.execute(
                "INSERT INTO schema_migration_steps (scope, name, checksum, step, event, at) VALUES (?, ?, ?, 0, 'undone', ?)",
                [scope, &migration.name, &checksum, now],
            )?;
            undone.push(migration.name.clone());
        }
        check_keys(&transaction)?;
        transaction.commit()?;
        Ok(undone)
    })
}

/// Keys between tables are looked at or not for a whole transaction; a table that is made anew would take the rows of others
/// with it.
fn without_keys<T>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    let ended = work(connection);
    connection.pragma_update(None, "foreign_keys", "ON")?;
    ended
}

fn checks_keys_afterwards(migration: &Migration) -> bool {
    migration.statements.iter().any(|statement| statement.execution == Execution::KeysChecked)
}

/// Whether it was applied now.
fn apply(connection: &mut Connection, scope: &str, migration: &Migration, now: &str) -> Result<bool, StoreError> {
    let checksum = dialect::migration::checksum(migration);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(LEDGER)?;
    match recorded(&transaction, scope, migration)? {
        Some(recorded) if recorded == checksum => return Ok(false),
        Some(_) => return Err(StoreError::MigrationChanged { name: migration.name.clone() }),
        None => {}
    }
    for statement in &migration.statements {
        if !is_superfluous(&transaction, statement)? {
            execute(&transaction, statement, &statement.sql)?;
        }
    }
    if checks_keys_afterwards(migration) {
        check_keys(&transaction)?;
    }
    transaction.execute(
        "INSERT INTO schema_migrations (scope, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
        [scope, &migration.name, &checksum, now],
    )?;
    transaction.commit()?;
    Ok(true)
}

/// The statement's own text, or that which takes it back.
fn execute(connection: &Connection, statement: &Statement, sql: &str) -> Result<(), StoreError> {
    match statement.execution {
        Execution::KeysChecked => execute_anew(connection, sql, &statement.keeps),
        Execution::Together | Execution::Alone => Ok(connection.execute_batch(sql)?),
    }
}

/// A table that is made anew loses the indexes and triggers that somebody has added to it: those come again as they were written. One
/// that does not fit the new table refuses the whole.
fn execute_anew(connection: &Connection, sql: &str, keeps: &[String]) -> Result<(), StoreError> {
    let before = inspect::additions(connection)?;
    connection.execute_batch(sql)?;
    let after = inspect::additions(connection)?;
    for lost in before
        .iter()
        .filter(|before| keeps.contains(&before.name) && !after.iter().any(|after| after.name == before.name))
    {
        if inspect::has_table(connection, &lost.table)? {
            connection.execute_batch(&lost.text).map_err(|error| {
                let (name, table) = (&lost.name, &lost.table);
                StoreError::Refused(format!(
                    "`{name}`, which somebody has added to `{table}`, does not fit it any more: {error}"
                ))
            })?;
        }
    }
    Ok(())
}

/// Every key of every table leads somewhere; asked where keys were not looked at meanwhile.
fn check_keys(connection: &Connection) -> Result<(), StoreError> {
    let broken: Option<(String, String)> = connection
        .query_row("SELECT \"table\", parent FROM pragma_foreign_key_check LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match broken {
        None => Ok(()),
        Some((table, parent)) => {
            Err(StoreError::Refused(format!("a row of `{table}` would lead to a row of `{parent}` that is not there")))
        }
    }
}

fn recorded(connection: &Connection, scope: &str, migration: &Migration) -> Result<Option<String>, StoreError> {
    let find = "SELECT checksum FROM schema_migrations WHERE scope = ? AND name = ?";
    Ok(connection.query_row(find, [scope, &migration.name], |row| row.get(0)).optional()?)
}

/// The migrations that the ledger has.
pub fn applied(connection: &Connection, scope: &str) -> Result<Vec<AppliedMigration>, StoreError> {
    if !inspect::has_table(connection, "schema_migrations")? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare("SELECT name, checksum FROM schema_migrations WHERE scope = ? ORDER BY name")?;
    let rows = statement.query_map([scope], |row| Ok(AppliedMigration { name: row.get(0)?, checksum: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Asked just before the statement would run: one before it may have made the column.
pub fn is_superfluous(connection: &Connection, statement: &Statement) -> Result<bool, StoreError> {
    let Some(there) = &statement.unless else { return Ok(false) };
    let found = connection
        .query_row(
            "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
            [there.table.as_str(), there.column.as_str()],
            |_| Ok(()),
        )
        .optional()?;
    Ok(found.is_some())
}
