//! A server comes back as a private one of its own, which goes on in its log to the moment that is meant. The one that is there is left
//! alone.

use super::{RestoreAsked, Restored, definition, millis, moment, planned};
use crate::backups::comparing::{compare, lacking};
use crate::backups::making::{BASE, Definition, LOG, alone, follows};
use crate::backups::target::Target;
use crate::backups::{Saying, trouble};
use crate::failure::Failure;
use crate::run::timestamp;
use crate::workspace::Workspace;
use backup::{Kept, Manifest, Repository};
use provision::{Instance, Recovery, RecoveryTarget, State, WritesFile};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use store::{Database, Server};

/// How long a server may take to come to the moment that is meant: as long as it took to write what is in its log.
const LONGEST_RECOVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// A private server of the workspace's own that goes on.
pub fn restore(
    asked: &RestoreAsked,
    workspace: &Workspace,
    (target, server): (&Target, &Server),
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
    let instance = lost.unwrap_or_else(|| of_name(&format!("{}-{}", server.name, manifest.id)));
    let made = instance.address().map_err(|failure| trouble::program(&failure))?;
    if made.is_some() {
        let message = format!("`{}` is there already", instance.folder().display());
        let hint = format!("it was restored before; `producer db start {}` starts it", instance.name());
        return Err(Box::new(trouble::in_the_way(message, hint)));
    }
    let until = until(asked, target, manifest)?;
    let moment = match (&until.target, until.pieces.last()) {
        (RecoveryTarget::Time(time), _) => time.clone(),
        (RecoveryTarget::Point(_), Some((_, piece))) => piece.moment.clone(),
        (RecoveryTarget::Point(_), None) => manifest.moment.clone(),
    };
    let mut restored = planned(target, manifest, moment, instance.folder().to_owned());
    if asked.is_only_shown {
        return Ok(restored);
    }
    let _alone = alone(workspace, "backup", &target.task_id)?;
    say("restoring into a private server of its own");
    let brought = bring_back(target, server, (manifest, &until), &instance, say);
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

/// One that nobody sees, to the moment of the backup itself; nothing of it stays.
pub fn drill(
    workspace: &Workspace,
    (target, server): (&Target, &Server),
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Definition, Box<Failure>> {
    let told = |failure| trouble::program(&failure);
    let folder = workspace.drills_folder(&target.task_id);
    let _alone = alone(workspace, "drill", &target.task_id)?;
    // One that was killed has left its own.
    for left in provision::instances(&folder).map_err(told)? {
        left.discard().map_err(told)?;
    }
    let instance = Instance::of_database(target.database.engine(), &manifest.id, &folder);
    instance.discard().map_err(told)?;
    let _gone = Discarded(&instance);
    let until = Until { target: RecoveryTarget::Point(point(manifest)?), pieces: Vec::new() };
    Ok(bring_back(target, server, (manifest, &until), &instance, say)?.0)
}

/// How far the log is followed.
struct Until {
    target: RecoveryTarget,
    /// What was kept of it behind the backup, the oldest first, and where.
    pieces: Vec<(Repository, Manifest)>,
}

/// To the moment that is asked for; without one to the last there is; where the log was not kept, to that of the backup.
fn until(asked: &RestoreAsked, target: &Target, manifest: &Manifest) -> Result<Until, Box<Failure>> {
    let of_backup = || Ok(Until { target: RecoveryTarget::Point(point(manifest)?), pieces: Vec::new() });
    let start = moment(manifest);
    if asked.backup.is_some() || asked.to.is_some_and(|to| start.is_some_and(|start| to <= start)) {
        return of_backup();
    }
    let told = |failure| trouble::told(&failure);
    let of_log = target.log.list().map_err(told)?.into_iter().map(|kept| (&target.log, kept));
    // A later backup holds the log that was fetched for it, and nothing is known to be committed behind that.
    let of_backups = target.repository.list().map_err(told)?.into_iter().map(|kept| (&target.repository, kept));
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
    let target = match asked.to {
        Some(to) if moment(last).is_some_and(|last| to <= last) => RecoveryTarget::Time(timestamp(to)),
        // Nobody knows what was committed behind the last piece.
        Some(to) => {
            let message = format!("the log is kept until {}, and the state of {to} is wanted", last.moment);
            return Err(Box::new(trouble::none(
                message,
                "name an earlier moment, or leave `--to` out for the last there is",
            )));
        }
        None => RecoveryTarget::Point(point(last)?),
    };
    Ok(Until { target, pieces })
}

/// Files of the log follow each other by their names; whoever restores over a gap gets less than he believes.
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

fn point(manifest: &Manifest) -> Result<String, Box<Failure>> {
    let unnamed = || Box::new(trouble::different(&manifest.id, &["its moment has no name".to_owned()]));
    manifest.point.clone().ok_or_else(unnamed)
}

/// Brings a backup back as a server that runs, and compares the database with what it held.
fn bring_back(
    target: &Target,
    server: &Server,
    (manifest, until): (&Manifest, &Until),
    instance: &Instance,
    say: Saying<'_>,
) -> Result<(Definition, Database), Box<Failure>> {
    let definition = definition(&target.repository, manifest, target.key.as_ref())?;
    let different = |why: String| Box::new(trouble::different(&manifest.id, &[why]));
    let version = manifest.engine_version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let version: i32 = version.parse().map_err(|_| different("nobody knows the version of its server".to_owned()))?;
    // Why an object could not be read is told, and not that somebody else did not get it.
    let unread: RefCell<Option<Box<Failure>>> = RefCell::new(None);
    let give = |repository: &Repository, of: &Manifest, name: &str, to: &mut dyn Write| {
        repository.read(of, name, target.key.as_ref(), to).map_err(|failure| {
            let said = io::Error::other(failure.to_string());
            *unread.borrow_mut() = Some(trouble::told(&failure));
            said
        })
    };
    let mut base = |to: &mut dyn Write| give(&target.repository, manifest, BASE, to);
    // A later piece has more of a file that an earlier one has the beginning of.
    let mut newest: BTreeMap<&str, (&Repository, &Manifest)> = BTreeMap::new();
    let pieces = until.pieces.iter().map(|(repository, piece)| (repository, piece));
    for (repository, of) in std::iter::once((&target.repository, manifest)).chain(pieces) {
        let names = of.objects.iter().map(|object| object.name.as_str()).filter(|name| name.starts_with(LOG));
        newest.extend(names.map(|name| (name, (repository, of))));
    }
    let log = newest.into_iter().map(|(name, (repository, of))| {
        let give = &give;
        let file: WritesFile<'_> = Box::new(move |to: &mut dyn Write| give(repository, of, name, to));
        (name.trim_start_matches(LOG).to_owned(), file)
    });
    let mut recovery = Recovery { base: &mut base, log: log.collect(), target: until.target.clone() };
    let recovered = instance.recover(version, &mut recovery);
    drop(recovery);
    if let Err(failure) = recovered {
        return Err(unread.take().unwrap_or_else(|| trouble::program(&failure)));
    }
    let gone = || different("the server that came back is not there".to_owned());
    let address = instance.address().map_err(|failure| trouble::program(&failure))?.ok_or_else(gone)?;
    let database = server.moved_to(address).map(Database::PostgreSql).map_err(|error| different(error.to_string()))?;
    // It takes connections when it has come to that moment.
    let begun = Instant::now();
    while let Err(error) = database.wait(&|_| ()) {
        if begun.elapsed() > LONGEST_RECOVERY || instance.state().is_ok_and(|state| state != State::Running) {
            return Err(different(error.to_string()));
        }
    }
    say("comparing it with what was backed up");
    match until.pieces.is_empty() {
        true => compare(&manifest.id, &database, &definition)?,
        // What it held at that moment nobody has counted.
        false => {
            let found = database.check().map_err(|error| different(error.to_string()))?;
            if !found.is_empty() {
                return Err(Box::new(trouble::different(&manifest.id, &found)));
            }
        }
    }
    Ok((definition, database))
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
    use backup::Object;
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
    }
}
