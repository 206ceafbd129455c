//! A server comes back as a private one of its own, which goes on in its log to the moment that is meant. The one that is there is left
//! alone.

mod mysql;
mod postgresql;

use super::{RestoreAsked, Restored, definition, millis, moment, planned};
use crate::backups::comparing::{compare, lacking};
use crate::backups::making::{Definition, alone, follows};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::run::timestamp;
use crate::workspace::Workspace;
use backup::{Kept, Key, Manifest, Repository};
use jiff::{RoundMode, Timestamp, Unit};
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
    let own = target.own_server.as_deref().map(of_name);
    // A private server that is gone comes back where it was.
    let lost = own.filter(|own| own.address().is_ok_and(|address| address.is_none()));
    let instance = lost.unwrap_or_else(|| of_name(&format!("{}-{}", target.database.name(), manifest.id)));
    let made = instance.address().map_err(|failure| trouble::program(&failure))?;
    if made.is_some() {
        let message = format!("`{}` is there already", instance.folder().display());
        let hint = format!("it was restored before; `producer db start {}` starts it", instance.name());
        return Err(Box::new(trouble::in_the_way(message, hint)));
    }
    let until = until(asked, target, manifest)?;
    let moment = match (&until.time, until.pieces.last()) {
        (Some(time), _) => time.clone(),
        (None, Some((_, piece))) => piece.moment.clone(),
        (None, None) => manifest.moment.clone(),
    };
    let mut restored = planned(target, manifest, moment, instance.folder().to_owned());
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
    let contents = database.contents().unwrap_or(definition.contents);
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
    let (definition, took) = tried(&Until { time: None, pieces: Vec::new() })?;
    let Some(to) = any_moment_behind(target, manifest)? else { return Ok((definition, None, took)) };
    let until = until(&RestoreAsked { to: Some(to), ..RestoreAsked::default() }, target, manifest)?;
    say("restoring to a moment of its log");
    let (_, took_by_log) = tried(&until)?;
    Ok((definition, until.time, took.max(took_by_log)))
}

/// A moment between a backup and where its log ends; another one each time.
fn any_moment_behind(target: &Target, manifest: &Manifest) -> Result<Option<Timestamp>, Box<Failure>> {
    let newest = target.log.newest().map_err(|failure| trouble::told(&failure))?;
    let moments = newest.filter(|piece| piece.id > manifest.id).and_then(|last| moment(manifest).zip(moment(&last)));
    let Some((first, last)) = moments else { return Ok(None) };
    // Its log may know whole seconds, and the first of them is that of the backup.
    let (first, last) = (first.as_second() + 1, last.as_second());
    let by_chance = i64::from(Timestamp::now().subsec_nanosecond() / 1_000);
    let between = (last >= first).then(|| first + by_chance % (last - first + 1));
    Ok(between.and_then(|second| Timestamp::from_second(second).ok()))
}

/// How far the log is followed.
struct Until {
    /// To that time, UTC; without one to the last moment that is there.
    time: Option<String>,
    /// What was kept of it behind the backup, the oldest first, and where.
    pieces: Vec<(Repository, Manifest)>,
}

/// To the moment that is asked for; without one to the last there is; where the log was not kept, to that of the backup.
fn until(asked: &RestoreAsked, target: &Target, manifest: &Manifest) -> Result<Until, Box<Failure>> {
    let of_backup = || Ok(Until { time: None, pieces: Vec::new() });
    let start = moment(manifest);
    if asked.backup.is_some() || asked.to.is_some_and(|to| start.is_some_and(|start| to <= start)) {
        return of_backup();
    }
    let told = |failure| trouble::told(&failure);
    let of_log = target.log.list().map_err(told)?.into_iter().map(|kept| (&target.log, kept));
    // A later backup holds the log that was fetched for it, and nothing is known to be committed behind that.
    let of_backups = target.repository.list().map_err(told)?.into_iter().map(|kept| (&target.repository, kept));
    let of_backups = of_backups.filter(|_| matches!(target.database, Database::PostgreSql(_)));
    let mut all: Vec<(&Repository, (String, Kept))> = of_log.chain(of_backups).collect();
    all.retain(|(_, (id, _))| *id > manifest.id);
    all.sort_by(|(_, (left, _)), (_, (right, _))| left.cmp(right));
    while all.pop_if(|(repository, _)| **repository == target.repository).is_some() {}
    let mut pieces = Vec::new();
    for (repository, (_, kept)) in all {
        let piece = match kept {
            Kept::Whole(piece) => piece,
            Kept::Damaged(failure) => return Err(trouble::told(&failure)),
        };
        let is_late = asked.to.is_some_and(|to| moment(&piece).is_some_and(|moment| moment >= to));
        let is_last = is_late && *repository == target.log;
        pieces.push((repository.clone(), piece));
        if is_last {
            break;
        }
    }
    let Some((_, last)) = pieces.last() else {
        return match (asked.to, target.plan.point_in_time) {
            (Some(to), true) => {
                let message =
                    format!("the log behind backup {} was not kept, and the state of {to} is wanted", manifest.id);
                let hint = format!("`--to {}` is the moment of the backup", manifest.moment);
                Err(Box::new(trouble::none(message, hint)))
            }
            (Some(_) | None, _) => of_backup(),
        };
    };
    must_be_without_gaps(manifest, &pieces)?;
    let time = match asked.to {
        Some(to) if moment(last).is_some_and(|last| to <= last) => Some(timestamp(match &target.database {
            // Its log knows seconds.
            Database::MySql(_) => {
                to.round(jiff::TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor)).unwrap_or(to)
            }
            Database::PostgreSql(_) | Database::Sqlite(_) | Database::MongoDb(_) => to,
        })),
        // Nobody knows what was committed behind the last piece.
        Some(to) => {
            let message = format!("the log is kept until {}, and the state of {to} is wanted", last.moment);
            return Err(Box::new(trouble::none(
                message,
                "name an earlier moment, or leave `--to` out for the last there is",
            )));
        }
        None => None,
    };
    Ok(Until { time, pieces })
}

/// Pieces of the log follow each other; whoever restores over a gap gets less than he believes.
fn must_be_without_gaps(manifest: &Manifest, pieces: &[(Repository, Manifest)]) -> Result<(), Box<Failure>> {
    let mut before = manifest;
    for (_, piece) in pieces {
        if !follows(before, piece) {
            let message = format!("the log has a gap before its piece {}", piece.id);
            let hint = "name a moment before it, or one behind a later backup";
            return Err(Box::new(trouble::gap(message, hint)));
        }
        before = piece;
    }
    Ok(())
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
    let found = database.check().map_err(|error| different(manifest, error.to_string()))?;
    match found.is_empty() {
        true => Ok((definition, database)),
        false => Err(Box::new(trouble::different(&manifest.id, &found))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backups::making::LOG;
    use backup::Object;
    use std::collections::BTreeMap;
    use vocab::{Engine, TaskId};

    fn piece(id: &str, files: &[&str]) -> Manifest {
        let object = |file: &&str| Object {
            name: format!("{LOG}{file}"),
            file: format!("{LOG}{file}.gz"),
            is_encrypted: false,
            size: 0,
            sha256: String::new(),
            stored_size: 0,
            stored_sha256: String::new(),
        };
        Manifest {
            id: id.to_owned(),
            task_id: TaskId::parse("shop").unwrap(),
            engine: Engine::PostgreSql,
            engine_version: "postgresql_15".to_owned(),
            moment: "2026-01-02T03:04:05.678Z".to_owned(),
            completed_at: "2026-01-02T03:04:06.678Z".to_owned(),
            plans: BTreeMap::new(),
            point: None,
            objects: files.iter().map(object).collect(),
        }
    }

    #[test]
    fn a_gap_in_the_log_is_seen() {
        let base = piece("1", &["0000000100000000000000FE", "0000000100000000000000FF"]);
        let next = piece("2", &["0000000100000000000000FF", "000000010000000100000000"]);
        let then = piece("3", &["000000010000000100000001", "00000002.history"]);
        let kept = |pieces: &[&Manifest]| -> Vec<(Repository, Manifest)> {
            pieces.iter().map(|piece| (Repository::new("log".into()), (*piece).clone())).collect()
        };
        assert!(must_be_without_gaps(&base, &kept(&[&next, &then])).is_ok());
        let gap = must_be_without_gaps(&base, &kept(&[&then])).unwrap_err();
        assert_eq!((gap.code.as_str(), gap.message.as_str()), ("IP383", "the log has a gap before its piece 3"));
        assert!(
            must_be_without_gaps(&base, &kept(&[&next, &piece("4", &[])])).is_err(),
            "a piece without files is one"
        );

        let at = |point: &str, piece: Manifest| Manifest { point: Some(point.to_owned()), ..piece };
        let base = at("binlog.000007/500", piece("1", &[]));
        let next = at("binlog.000008/90", piece("2", &["binlog.000007@400", "binlog.000008@4"]));
        let then = at("binlog.000008/95", piece("3", &["binlog.000008@90"]));
        assert!(must_be_without_gaps(&base, &kept(&[&next, &then])).is_ok());
        assert!(must_be_without_gaps(&base, &kept(&[&then])).is_err());
        assert!(must_be_without_gaps(&next, &kept(&[&piece("4", &["binlog.000008@91"])])).is_err());
    }
}
