//! Migrations: each command of a statement once, noted in the ledger step by step, because a server takes no definition back by itself.

use super::command::Values;
use super::inspect::text;
use super::{LEDGER, Server, VALIDATORS, abilities};
use crate::blocking::blocking;
use crate::{AppliedMigration, StoreError};
use ::mongodb::Database;
use ::mongodb::bson::{Bson, Document, doc};
use ::mongodb::error::{Error, ErrorKind};
use dialect::mongodb::commands;
use futures_util::TryStreamExt;
use plan::Migration;
use plan::database::Undo;
use serde_json::{Map, Value};

/// What is there already, or gone already: a collection, an index.
const IS_SO_ALREADY: [i32; 3] = [48, 26, 27];

impl Server {
    /// Applies the migrations that the ledger does not have; one that was stopped goes on where it was.
    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (database, _) = self.connect().await?;
            let keeps_validators = abilities::of(self, database.client()).await?.validators;
            let maker = Maker { database: &database, keeps_validators };
            let mut applied = Vec::new();
            for migration in migrations {
                if maker.apply(scope, migration, now).await? {
                    applied.push(migration.name.clone());
                }
            }
            Ok(applied)
        })
    }

    /// Takes back, the last first, those of the migrations that the ledger has.
    pub fn undo(&self, scope: &str, migrations: &[Migration], _now: &str) -> Result<Vec<String>, StoreError> {
        blocking(async {
            let (database, _) = self.connect().await?;
            let keeps_validators = abilities::of(self, database.client()).await?.validators;
            let maker = Maker { database: &database, keeps_validators };
            let mut undone = Vec::new();
            for migration in migrations.iter().rev() {
                if maker.progress(scope, migration).await?.is_some() {
                    maker.take_back(migration, migration.statements.len()).await?;
                    maker.ledger().delete_one(named(scope, migration)).await?;
                    undone.push(migration.name.clone());
                }
            }
            Ok(undone)
        })
    }
}

/// The migrations of the scope that were applied, as a whole or not.
pub async fn recorded(database: &Database, scope: &str, whole: bool) -> Result<Vec<AppliedMigration>, StoreError> {
    let wanted = doc! { "scope": scope, "applied_at": { "$exists": whole } };
    let found: Vec<Document> =
        database.collection(LEDGER).find(wanted).sort(doc! { "name": 1 }).await?.try_collect().await?;
    let entry = |found: Document| AppliedMigration { name: text(&found, "name"), checksum: text(&found, "checksum") };
    Ok(found.into_iter().map(entry).collect())
}

fn named(scope: &str, migration: &Migration) -> Document {
    doc! { "_id": format!("{scope}/{}", migration.name) }
}

/// Whoever runs commands of migrations.
pub struct Maker<'d> {
    pub database: &'d Database,
    pub keeps_validators: bool,
}

impl Maker<'_> {
    fn ledger(&self) -> ::mongodb::Collection<Document> {
        self.database.collection(LEDGER)
    }

    /// How many statements are done and whether that is all; none where nobody has begun.
    async fn progress(&self, scope: &str, migration: &Migration) -> Result<Option<(usize, bool)>, StoreError> {
        let Some(found) = self.ledger().find_one(named(scope, migration)).await? else { return Ok(None) };
        if text(&found, "checksum") != dialect::migration::checksum(migration) {
            return Err(StoreError::MigrationChanged { name: migration.name.clone() });
        }
        let done = found.get_i32("done").map_or(0, |done| usize::try_from(done).unwrap_or_default());
        Ok(Some((done, found.contains_key("applied_at"))))
    }

    async fn apply(&self, scope: &str, migration: &Migration, now: &str) -> Result<bool, StoreError> {
        let done = match self.progress(scope, migration).await? {
            Some((_, true)) => return Ok(false),
            Some((done, false)) => done,
            None => {
                let checksum = dialect::migration::checksum(migration);
                let mut entry = named(scope, migration);
                entry.extend(doc! { "scope": scope, "name": &migration.name, "checksum": checksum, "done": 0_i32 });
                self.ledger().insert_one(entry).await?;
                0
            }
        };
        for (step, statement) in migration.statements.iter().enumerate().skip(done) {
            if let Err(error) = self.run(&statement.sql).await {
                return Err(self.stopped(scope, migration, step, error).await);
            }
            self.note(scope, migration, doc! { "done": i32::try_from(step + 1).unwrap_or(i32::MAX) }).await?;
        }
        self.note(scope, migration, doc! { "applied_at": now }).await?;
        Ok(true)
    }

    async fn note(&self, scope: &str, migration: &Migration, set: Document) -> Result<(), StoreError> {
        self.ledger().update_one(named(scope, migration), doc! { "$set": set }).await?;
        Ok(())
    }

    /// What was done is taken back where that loses nothing; else it stays, and the next run goes on.
    async fn stopped(&self, scope: &str, migration: &Migration, step: usize, error: StoreError) -> StoreError {
        let is_gone = |done: usize| {
            let statements = migration.statements.iter().take(done);
            statements.map(|statement| &statement.undo).any(|undo| matches!(undo, Undo::Impossible(_)))
        };
        if matches!(error, StoreError::Refused(_) | StoreError::Conflict)
            && !is_gone(step)
            && self.take_back(migration, step).await.is_ok()
            && self.ledger().delete_one(named(scope, migration)).await.is_ok()
        {
            return error;
        }
        let done: Vec<String> = migration.statements.iter().take(step).map(|statement| statement.why.clone()).collect();
        match done.is_empty() {
            true => error,
            false => StoreError::HalfDone {
                migration: migration.name.clone(),
                done,
                of: migration.statements.len(),
                why: error.to_string(),
            },
        }
    }

    async fn take_back(&self, migration: &Migration, steps: usize) -> Result<(), StoreError> {
        for statement in migration.statements.iter().take(steps).rev() {
            match &statement.undo {
                Undo::Statement(text) | Undo::OldName(text) => self.run(text).await?,
                Undo::Kept(_) => {}
                Undo::Impossible(why) => {
                    return Err(StoreError::Refused(format!("it cannot be taken back: {why}")));
                }
            }
        }
        Ok(())
    }

    /// The commands of a statement, one after the other.
    pub async fn run(&self, statement: &str) -> Result<(), StoreError> {
        for command in commands(statement) {
            let command: Map<String, Value> = serde_json::from_str(command)
                .map_err(|error| StoreError::Refused(format!("a statement that is no command: {error}")))?;
            self.command(&command).await?;
        }
        Ok(())
    }

    async fn command(&self, command: &Map<String, Value>) -> Result<(), StoreError> {
        let Some((word, on)) = command.iter().next().map(|(word, on)| (word.as_str(), on.as_str().unwrap_or_default()))
        else {
            return Ok(());
        };
        let mut document = Values { bound: &[], counted: None }.document(command)?;
        let notes = self.database.collection::<Document>(VALIDATORS);
        let validator = command.get("validator").map(ToString::to_string);
        if validator.is_some() && !self.keeps_validators {
            document.remove("validator");
        }
        let is_superfluous = word == "collMod" && !self.keeps_validators;
        let ran = match word {
            _ if is_superfluous => Ok(Document::new()),
            "renameCollection" => {
                let name = self.database.name();
                let to = command.get("to").and_then(Value::as_str).unwrap_or_default();
                let full = doc! { "renameCollection": format!("{name}.{on}"), "to": format!("{name}.{to}") };
                let ran = self.database.client().database("admin").run_command(full).await;
                if ran.is_ok()
                    && let Some(mut note) = notes.find_one_and_delete(doc! { "_id": on }).await?
                {
                    note.insert("_id", to);
                    notes.insert_one(note).await?;
                }
                ran
            }
            _ => self.database.run_command(document).await,
        };
        let was_so = match ran {
            Ok(said) => {
                written(&said)?;
                false
            }
            Err(error) if is_so_already(&error) => true,
            Err(error) => return Err(error.into()),
        };
        match (word, validator) {
            // What another task has made stays as it is.
            ("create", _) if was_so => {}
            ("create" | "collMod", Some(validator)) => {
                let set = doc! { "$set": { "validator": validator } };
                notes.update_one(doc! { "_id": on }, set).upsert(true).await?;
            }
            ("drop", _) => {
                notes.delete_one(doc! { "_id": on }).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_so_already(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::Command(ref said) if IS_SO_ALREADY.contains(&said.code))
}

/// A command that writes says in its answer what it could not write.
pub fn written(said: &Document) -> Result<(), StoreError> {
    let Some(first) = said.get_array("writeErrors").ok().and_then(|errors| errors.first()) else { return Ok(()) };
    let (code, why) = match first {
        Bson::Document(error) => (error.get_i32("code").unwrap_or_default(), text(error, "errmsg")),
        _ => (0, String::new()),
    };
    Err(super::of_code(code, &why))
}
