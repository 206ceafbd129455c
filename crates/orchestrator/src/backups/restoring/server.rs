//! A server comes back as a private one of its own, which goes on in its log to the moment that is meant. The one that is there is left
//! alone.

mod mysql;
mod postgresql;

use super::log::{Until, any_moment_behind, until};
use super::{RestoreAsked, Restored, definition, millis, planned};
use crate::backups::comparing::{compare, lacking, sound};
use crate::backups::making::{Definition, alone};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::workspace::Workspace;
use backup::{Key, Manifest, Repository};
use provision::{Instance, ProvisionFailure};
use std::cell::RefCell;
use std::io::{self, Write};
use std::time::Instant;
use store::Database;

/// A private server of the workspace's own that goes on.
pub fn restore(
    asked: &RestoreAsked,
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Restored, Box<Failure>> {
    let begun = Instant::now();
    if asked.over.is_some() || asked.into.is_some() {
        let option = if asked.over.is_some() { "--over" } else { "--into" };
        return Err(Box::new(trouble::of_files(option)));
    }
    let of_name = |name: &str| Instance::of_database(target.database.engine(), name, &workspace.servers_folder());
    let own = target.own_server.as_deref().map(of_name).map(|own| own.keeping_log(target.plan.point_in_time));
    // A private server that is gone comes back where it was.
    let lost = own.filter(|own| own.address().is_ok_and(|address| address.is_none()));
    let instance = lost.unwrap_or_else(|| of_name(&format!("{}-{}", target.database.name(), manifest.id)));
    // What cannot come back is said before what is in its way.
    let until = until(asked, target, manifest)?;
    let made = instance.address().map_err(|failure| trouble::program(&failure))?;
    if made.is_some() {
        let message = format!("`{}` is there already", instance.folder().display());
        let hint = format!("it was restored before; `producer db start {}` starts it", instance.name());
        return Err(Box::new(trouble::in_the_way(message, hint)));
    }
    let mut restored = planned(target, manifest, until.moment(manifest), instance.folder().to_owned());
    if asked.is_only_shown {
        return Ok(restored);
    }
    let _alone = alone(workspace, "backup", &target.task_id)?;
    say("restoring into a private server of its own");
    let brought = bring_back(workspace, target, (manifest, &until), &instance, say);
    let (definition, database) = match brought {
        Ok(brought) => brought,
        Err(failure) => {
            drop(Discarded(&instance));
            return Err(failure);
        }
    };
    restored.address = Some(database.place());
    let contents = match until.pieces.is_empty() {
        true => definition.contents,
        false => database.contents().unwrap_or(definition.contents),
    };
    (restored.tables, restored.rows) = (contents.tables.len(), contents.rows());
    for task in &definition.tasks {
        if let Ok(Some(active)) = workspace.seen_plan(&task.task_id) {
            restored.lacking.extend(lacking(&database, &active).unwrap_or_default());
        }
    }
    restored.took_ms = millis(begun);
    Ok(restored)
}

/// One that nobody sees, to the moment of the backup itself, and where its log is kept another one to any moment behind that, which is said;
/// nothing of them stays. Milliseconds are those of the slower one.
pub fn drill(
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<(Definition, Option<String>, u64), Box<Failure>> {
    let told = |failure| trouble::program(&failure);
    let folder = workspace.drills_folder(&target.task_id);
    let _alone = alone(workspace, "drill", &target.task_id)?;
    // One that was killed has left its own.
    for left in provision::instances(&folder).map_err(told)? {
        left.discard().map_err(told)?;
    }
    let instance = Instance::of_database(target.database.engine(), &manifest.id, &folder);
    let tried = |until: &Until| -> Result<(Definition, u64), Box<Failure>> {
        instance.discard().map_err(told)?;
        let _gone = Discarded(&instance);
        let begun = Instant::now();
        let (definition, _) = bring_back(workspace, target, (manifest, until), &instance, say)?;
        Ok((definition, millis(begun)))
    };
    let (definition, took) = tried(&Until::of_backup())?;
    let Some(to) = any_moment_behind(target, manifest)? else { return Ok((definition, None, took)) };
    let until = until(&RestoreAsked { to: Some(to), ..RestoreAsked::default() }, target, manifest)?;
    say("restoring to a moment of its log");
    let (_, took_by_log) = tried(&until)?;
    Ok((definition, until.time, took.max(took_by_log)))
}

/// Brings a backup back as a server that runs, and compares the database with what it held.
fn bring_back(
    workspace: &Workspace,
    target: &Target,
    (manifest, until): (&Manifest, &Until),
    instance: &Instance,
    say: Saying<'_>,
) -> Result<(Definition, Database), Box<Failure>> {
    let definition = definition(&target.repository, manifest, target.key.as_ref())?;
    let database = match &target.database {
        Database::PostgreSql(server) => postgresql::bring_back(target, server, (manifest, until), instance)?,
        Database::MySql(server) => mysql::bring_back(workspace, (target, server), (manifest, until), instance, say)?,
        Database::Sqlite(_) | Database::MongoDb(_) => {
            return Err(Box::new(trouble::engine_without_backups(&target.database)));
        }
    };
    say("comparing it with what was backed up");
    if until.pieces.is_empty() {
        compare(&manifest.id, &database, &definition)?;
        return Ok((definition, database));
    }
    // What it held at that moment nobody has counted.
    sound(&manifest.id, &database)?;
    Ok((definition, database))
}

fn different(manifest: &Manifest, why: String) -> Box<Failure> {
    Box::new(trouble::different(&manifest.id, &[why]))
}

/// Why an object could not be read is told, and not that somebody else did not get it.
#[derive(Default)]
struct Reading(RefCell<Option<Box<Failure>>>);

impl Reading {
    fn give(
        &self,
        (repository, manifest): (&Repository, &Manifest),
        name: &str,
        key: Option<&Key>,
        to: &mut dyn Write,
    ) -> io::Result<()> {
        repository.read(manifest, name, key, to).map_err(|failure| {
            let said = io::Error::other(failure.to_string());
            *self.0.borrow_mut() = Some(trouble::told(&failure));
            said
        })
    }

    fn told(&self, failure: &ProvisionFailure) -> Box<Failure> {
        self.0.take().unwrap_or_else(|| trouble::program(failure))
    }
}

/// A server that is gone when this is dropped.
struct Discarded<'i>(&'i Instance);

impl Drop for Discarded<'_> {
    fn drop(&mut self) {
        if let Err(failure) = self.0.discard() {
            tracing::error!(server = self.0.name(), "a server that nobody was to see is still there: {failure}");
        }
    }
}
