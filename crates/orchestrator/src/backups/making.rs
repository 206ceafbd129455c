//! Making backups and taking old ones away. What stands on the database goes along with it, so that what comes back is a whole system.

pub mod mysql;
mod postgresql;
pub mod sqlite;

use super::history::{self, Event, EventKind};
use super::target::Target;
use super::{Pruned, Pruning, Saying, trouble};
use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::run::timestamp;
use crate::workspace::Workspace;
use backup::{BackupFailure, Kept, Manifest, Object, Repository};
use jiff::{SignedDuration, Timestamp};
use plan::PersistedPlan;
use plan::database::LOG_INTERVAL;
use provision::ProvisionFailure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Contents, Database, StoreError};
use vocab::{TaskId, sha256_hex};

/// The object that is the database.
pub const DATABASE: &str = "database";
/// The object that is the data of a server, as a tar archive.
pub const BASE: &str = "base";
/// The object that is a database as statements.
pub const DUMP: &str = "dump.sql";
/// How the objects that are its log begin.
pub const LOG: &str = "log-";
/// The object that says what it held, and what stands on it.
pub const DEFINITION: &str = "definition";
/// The object that is the workspace's store of secrets, sealed as it is: its key is elsewhere.
pub const SECRETS: &str = "secrets";
/// What was begun is still under way for so long, wherever somebody makes it.
const UNDER_WAY: SignedDuration = SignedDuration::from_hours(24);

/// What goes along with a database.
#[derive(Serialize, Deserialize)]
pub struct Definition {
    /// What the database held when it was copied.
    pub contents: Contents,
    /// The tasks that stand on it.
    pub tasks: Vec<DefinedTask>,
}

/// A task with its plan.
#[derive(Serialize, Deserialize)]
pub struct DefinedTask {
    pub task_id: TaskId,
    /// What somebody sent.
    pub text: String,
    /// The plan, as it is persisted.
    pub plan: String,
}

/// SHA-256 of a plan as it is kept.
pub fn plan_hash(persisted: &PersistedPlan) -> String {
    sha256_hex(persisted.to_text().as_bytes())
}

/// Makes a backup. `current` is a plan that is about to become active.
pub fn make(
    workspace: &Workspace,
    target: &Target,
    current: Option<&PersistedPlan>,
    say: Saying<'_>,
) -> Result<Manifest, Box<Failure>> {
    let made = attempt(workspace, target, current, say);
    let id = made.as_ref().ok().map(|manifest| manifest.id.as_str());
    let result = made.as_ref().map(|manifest| format!("{} bytes", manifest.stored_size()));
    let event = Event::of(EventKind::Backup, id, result.map_err(|failure| &**failure));
    history::note(workspace, &target.task_id, &event)?;
    made
}

fn attempt(
    workspace: &Workspace,
    target: &Target,
    current: Option<&PersistedPlan>,
    say: Saying<'_>,
) -> Result<Manifest, Box<Failure>> {
    let _alone = alone(workspace, "backup", &target.task_id)?;
    let tasks = standing_on(workspace, target, current)?;
    let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    let engine_version = target.database.look("").map_err(|error| not_copied(target, &error))?.version;
    let plans = tasks.iter().map(|task| (task.task_id.clone(), sha256_hex(task.plan.as_bytes()))).collect();
    let begun = match &target.database {
        Database::Sqlite(file) => sqlite::begin(workspace, target, file, scratch.path())?,
        Database::PostgreSql(_) | Database::MySql(_) | Database::MongoDb(_) => None,
    };
    let id = next_id(target)?;
    let told = |failure| trouble::told(&failure);
    let mut writing = target.repository.begin(&id, target.key.as_ref()).map_err(told)?;
    let Copied { contents, moment, point, origin, log } = match &target.database {
        Database::PostgreSql(server) => postgresql::copy(target, server, &mut writing, scratch.path(), say)?,
        Database::MySql(server) => mysql::copy(target, server, &mut writing, say)?,
        Database::Sqlite(_) | Database::MongoDb(_) => sqlite::copy(target, begun, &mut writing, scratch.path(), say)?,
    };
    let definition = Definition { contents, tasks };
    let definition =
        serde_json::to_vec(&definition).map_err(|error| Box::new(trouble::file(scratch.path(), &error.into())))?;
    writing.add(DEFINITION, &mut &definition[..]).map_err(told)?;
    let secrets = workspace.secrets().file();
    match File::open(&secrets) {
        Ok(mut sealed) => writing.add(SECRETS, &mut sealed).map_err(told)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Box::new(trouble::file(&secrets, &error))),
    }
    let manifest = writing.finish(|objects| Manifest {
        id,
        task_id: target.task_id.clone(),
        engine: target.database.engine(),
        engine_version,
        moment,
        completed_at: timestamp(Timestamp::now()),
        plans,
        point,
        origin,
        objects,
    });
    let manifest = manifest.map_err(told)?;
    if let Some(log) = log.filter(|_| target.plan.point_in_time) {
        log.goes_on();
    }
    Ok(manifest)
}

/// A copy whose objects are written.
pub struct Copied<'s> {
    contents: Contents,
    moment: String,
    point: Option<String>,
    origin: Option<String>,
    /// The log that the server keeps behind it.
    log: Option<postgresql::KeptLog<'s>>,
}

/// What a piece of a log is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That this moment can be restored.
    ThisMoment,
    /// That nothing is lost: where nothing is new, the last piece will do for a while.
    WhatIsNew,
}

impl Wanted {
    /// Whether what was kept last will do where nothing is new.
    fn is_met_by(self, before: &Manifest) -> bool {
        let age = before.completed_at.parse().map(|completed: Timestamp| Timestamp::now().duration_since(completed));
        let is_young = |age: SignedDuration| age.is_positive() && age < SignedDuration::from_secs(LOG_INTERVAL.into());
        self == Self::WhatIsNew && age.is_ok_and(is_young)
    }
}

/// Keeps another piece of the server's log; nothing where no backup has begun it, or where it does not follow what was kept before.
pub fn make_log(workspace: &Workspace, target: &Target, wanted: Wanted) -> Result<Option<Manifest>, Box<Failure>> {
    let _alone = alone(workspace, "backup", &target.task_id)?;
    let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    let id = next_id(target)?;
    match &target.database {
        Database::PostgreSql(server) => postgresql::keep_log(target, server, scratch.path(), (&id, wanted)),
        Database::MySql(server) => mysql::keep_log(target, server, scratch.path(), (&id, wanted)),
        Database::Sqlite(file) => sqlite::keep_log(workspace, target, file, scratch.path()),
        Database::MongoDb(_) => Ok(None),
    }
}

/// Whether a piece of a log begins where what was kept before it ends.
pub fn follows(before: &Manifest, piece: &Manifest) -> bool {
    if !is_of(before, piece.origin.as_deref()) {
        return false;
    }
    match (sqlite::begin_of(piece), mysql::begin(piece)) {
        (Some((_, begin)), _) => sqlite::follows(before, &begin),
        (None, Some(begin)) => mysql::follows(before, &begin),
        (None, None) => postgresql::follows(before, piece),
    }
}

/// Whether what was kept is of that server; nobody knows of which one what was kept earlier is.
fn is_of(before: &Manifest, origin: Option<&str>) -> bool {
    before.origin.as_deref().zip(origin).is_none_or(|(before, origin)| before == origin)
}

/// A piece of a log whose objects are written.
struct Piece<'p> {
    id: &'p str,
    moment: String,
    point: String,
    origin: Option<String>,
    engine_version: String,
}

impl Piece<'_> {
    fn manifest(self, target: &Target, objects: Vec<Object>) -> Manifest {
        Manifest {
            id: self.id.to_owned(),
            task_id: target.task_id.clone(),
            engine: target.database.engine(),
            engine_version: self.engine_version,
            moment: self.moment,
            completed_at: timestamp(Timestamp::now()),
            plans: BTreeMap::new(),
            point: Some(self.point),
            origin: self.origin,
            objects,
        }
    }
}

/// What was kept last: a backup, or a piece of the log.
pub fn newest_before(target: &Target) -> Result<Option<Manifest>, Box<Failure>> {
    let newest = |repository: &Repository| repository.newest().map_err(|failure| trouble::told(&failure));
    let all = [newest(&target.repository)?, newest(&target.log)?];
    Ok(all.into_iter().flatten().max_by(|left, right| left.id.cmp(&right.id)))
}

/// The name of what is made now: that time, and behind all names that there are, also where the clock was set back, for their order is
/// that in which they were made.
fn next_id(target: &Target) -> Result<String, Box<Failure>> {
    let mut next = Timestamp::now();
    for repository in [&target.repository, &target.log] {
        let names = repository.names().map_err(|failure| trouble::told(&failure))?;
        let last = names.iter().filter_map(|name| time_of(name)).max();
        let behind = last.and_then(|last| last.checked_add(SignedDuration::from_millis(1)).ok());
        next = behind.map_or(next, |behind| behind.max(next));
    }
    Ok(next.strftime("%Y%m%dT%H%M%S%.3fZ").to_string())
}

/// The time that a name says; nothing where a folder is called otherwise.
fn time_of(id: &str) -> Option<Timestamp> {
    let moment = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", id).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

fn not_copied(target: &Target, error: &StoreError) -> Box<Failure> {
    Box::new(trouble::not_copied(error, &target.database))
}

/// Why there is no copy of a server's data.
enum Uncopied {
    Program(ProvisionFailure),
    Backup(BackupFailure),
    Store(StoreError),
}

impl Uncopied {
    /// A copy that breaks off is first seen by whoever reads it.
    fn told(&self, target: &Target) -> Box<Failure> {
        match self {
            Self::Program(failure) => trouble::program(failure),
            Self::Backup(failure) => trouble::told(failure),
            Self::Store(error) => not_copied(target, error),
        }
    }
}

impl From<ProvisionFailure> for Uncopied {
    fn from(failure: ProvisionFailure) -> Self {
        Self::Program(failure)
    }
}

impl From<StoreError> for Uncopied {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The tasks whose active plans are about this database.
fn standing_on(
    workspace: &Workspace,
    target: &Target,
    current: Option<&PersistedPlan>,
) -> Result<Vec<DefinedTask>, Box<Failure>> {
    let failed = |failure| Box::new(Failure::workspace(&failure));
    let mut plans: BTreeMap<TaskId, Arc<PersistedPlan>> = BTreeMap::new();
    for task_id in workspace.task_ids().map_err(failed)? {
        if let Some(active) = workspace.seen_plan(&task_id).map_err(failed)? {
            plans.insert(task_id, active);
        }
    }
    if let Some(current) = current {
        plans.insert(current.plan.task_id().clone(), Arc::new(current.clone()));
    }
    let mut tasks = Vec::new();
    for (task_id, persisted) in plans {
        let plan = persisted.plan.database();
        let place = locate(workspace, plan.engine, &plan.connection)?;
        if !matches!(place, Located::At(database) if database == target.database) {
            continue;
        }
        let text = workspace.task_text(&task_id).map_err(failed)?.unwrap_or_default();
        tasks.push(DefinedTask { task_id, text, plan: persisted.to_text() });
    }
    Ok(tasks)
}

/// Nobody else does that with backups of that task in this workspace until what is returned is dropped.
pub fn alone(workspace: &Workspace, doing: &str, task_id: &TaskId) -> Result<File, Box<Failure>> {
    let path = lock_path(workspace, doing, task_id);
    let file = lock_file(workspace, &path)?;
    file.lock().map_err(|error| Box::new(trouble::file(&path, &error)))?;
    Ok(file)
}

/// The same, and nothing where somebody does.
pub fn alone_if_free(workspace: &Workspace, doing: &str, task_id: &TaskId) -> Result<Option<File>, Box<Failure>> {
    let path = lock_path(workspace, doing, task_id);
    let file = lock_file(workspace, &path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Box::new(trouble::file(&path, &error))),
    }
}

pub fn lock_path(workspace: &Workspace, doing: &str, task_id: &TaskId) -> PathBuf {
    workspace.locks_folder().join(format!("{doing}-{task_id}"))
}

/// What is in it stays.
pub fn lock_file(workspace: &Workspace, path: &Path) -> Result<File, Box<Failure>> {
    let open = || {
        fs::create_dir_all(workspace.locks_folder())?;
        File::options().create(true).truncate(false).read(true).write(true).open(path)
    };
    open().map_err(|error: io::Error| Box::new(trouble::file(path, &error)))
}

/// Takes away what is older than it is kept for: never the newest that were asked to stay, nor the newest that was restored.
pub fn prune(workspace: &Workspace, target: &Target, how: Pruning) -> Result<Pruned, Box<Failure>> {
    let _alone = alone(workspace, "backup", &target.task_id)?;
    let told = |failure| trouble::told(&failure);
    let history = history::read(workspace, &target.task_id)?;
    let now = Timestamp::now();
    let kept = target.repository.list().map_err(told)?;
    let verified = kept.iter().rev().find(|(id, _)| history::verified_at(&history, id).is_some());
    let verified = verified.map(|(id, _)| id.clone());
    let is_older = |made: Option<Timestamp>, time| made.is_some_and(|made| now.duration_since(made) > time);
    let keep_for = SignedDuration::from_secs(target.plan.keep_for.into());
    let whole = kept.iter().filter(|(_, kept)| matches!(kept, Kept::Whole(_))).count();
    let spare = whole.saturating_sub(usize::try_from(target.plan.keep_at_least).unwrap_or(usize::MAX));
    let (mut backups, mut seen) = (Vec::new(), 0);
    for ((id, kept), made) in kept.iter().zip(made(&kept, now)) {
        let may_go = match kept {
            Kept::Whole(_) => {
                seen += 1;
                seen <= spare
            }
            Kept::Damaged(_) => true,
        };
        if may_go && is_older(made, keep_for) && verified.as_deref() != Some(id) {
            backups.push(id.clone());
        }
    }
    let mut unfinished = target.repository.unfinished().map_err(told)?;
    unfinished.retain(|id| is_older(time_of(id), UNDER_WAY));
    let pruned = Pruned { backups, unfinished };
    if how == Pruning::Done {
        prune_log(target, kept.iter().map(|(id, _)| id).find(|id| !pruned.backups.contains(id)))?;
    }
    if how == Pruning::Shown || (pruned.backups.is_empty() && pruned.unfinished.is_empty()) {
        return Ok(pruned);
    }
    for id in pruned.backups.iter().chain(&pruned.unfinished) {
        target.repository.remove(id).map_err(told)?;
    }
    let detail = pruned.backups.iter().chain(&pruned.unfinished).cloned().collect::<Vec<_>>().join(", ");
    let event = Event::of(EventKind::Prune, None, Ok(detail));
    history::note(workspace, &target.task_id, &event)?;
    Ok(pruned)
}

/// The log before the oldest backup leads nowhere.
fn prune_log(target: &Target, oldest: Option<&String>) -> Result<(), Box<Failure>> {
    let told = |failure| trouble::told(&failure);
    let Some(oldest) = oldest else { return Ok(()) };
    for id in target.log.names().map_err(told)? {
        if id < *oldest && time_of(&id).is_some() {
            target.log.remove(&id).map_err(told)?;
        }
    }
    Ok(())
}

/// When each was made, the oldest first, as far as clocks that were set wrong let one say: never before those that were there already; and
/// one whose time is still to come, no later than the next. Nobody knows of a folder that is called otherwise, and it stays.
fn made(kept: &[(String, Kept)], now: Timestamp) -> Vec<Option<Timestamp>> {
    let said = |(id, kept): &(String, Kept)| match kept {
        Kept::Whole(manifest) => manifest.completed_at.parse().ok(),
        Kept::Damaged(_) => time_of(id),
    };
    let (mut latest, mut next) = (None, None);
    let mut made = Vec::new();
    for kept in kept {
        let said = said(kept).filter(|said| *said <= now);
        latest = latest.max(said);
        made.push(said.and(latest));
    }
    for ((id, _), made) in kept.iter().zip(&mut made).rev() {
        next = made.or(next);
        *made = next.filter(|_| time_of(id).is_some());
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::Engine;

    fn kept(id: &str, completed_at: &str) -> (String, Kept) {
        let manifest = Manifest {
            id: id.to_owned(),
            task_id: TaskId::parse("shop").unwrap(),
            engine: Engine::Sqlite,
            engine_version: "sqlite_3.50".to_owned(),
            moment: completed_at.to_owned(),
            completed_at: completed_at.to_owned(),
            plans: BTreeMap::new(),
            point: None,
            origin: None,
            objects: Vec::new(),
        };
        (id.to_owned(), Kept::Whole(manifest))
    }

    #[test]
    fn a_clock_that_was_set_wrong_makes_none_older_than_it_is() {
        let now: Timestamp = "2026-01-20T00:00:00Z".parse().unwrap();
        let all = [
            kept("20260101T000000.000Z", "2026-01-01T00:00:00Z"),
            // The clock had lost its battery, and then its mind.
            kept("20260101T000000.001Z", "1970-01-01T00:00:00Z"),
            kept("20990101T000000.000Z", "2099-01-01T00:00:00Z"),
            kept("20990101T000000.001Z", "2026-01-10T00:00:00Z"),
            kept("20990101T000000.002Z", "2099-01-02T00:00:00Z"),
        ];
        let days: Vec<_> =
            made(&all, now).iter().map(|made| made.map(|made| made.strftime("%d").to_string())).collect();
        let day = |day: &str| Some(day.to_owned());
        assert_eq!(days, [day("01"), day("01"), day("10"), day("10"), None], "the last may be of this moment");
    }
}
