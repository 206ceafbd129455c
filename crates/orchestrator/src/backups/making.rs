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
    let id = id_now();
    let told = |failure| trouble::told(&failure);
    let mut writing = target.repository.begin(&id, target.key.as_ref()).map_err(told)?;
    let Copied { contents, moment, point, log } = match &target.database {
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
    /// The log that the server keeps behind it.
    log: Option<postgresql::KeptLog<'s>>,
}

/// Keeps another piece of the server's log; nothing where no backup has begun it, or where it does not follow what was kept before.
pub fn make_log(workspace: &Workspace, target: &Target) -> Result<Option<Manifest>, Box<Failure>> {
    let _alone = alone(workspace, "backup", &target.task_id)?;
    let scratch = workspace.scratch().map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    let id = id_now();
    match &target.database {
        Database::PostgreSql(server) => postgresql::keep_log(target, server, scratch.path(), &id),
        Database::MySql(server) => mysql::keep_log(target, server, scratch.path(), &id),
        Database::Sqlite(file) => sqlite::keep_log(workspace, target, file, scratch.path()),
        Database::MongoDb(_) => Ok(None),
    }
}

/// Whether a piece of a log begins where what was kept before it ends.
pub fn follows(before: &Manifest, piece: &Manifest) -> bool {
    match (sqlite::begin_of(piece), mysql::begin(piece)) {
        (Some((_, begin)), _) => sqlite::follows(before, &begin),
        (None, Some(begin)) => mysql::follows(before, &begin),
        (None, None) => postgresql::follows(before, piece),
    }
}

/// A piece of a log whose objects are written.
struct Piece<'p> {
    id: &'p str,
    moment: String,
    point: String,
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
            objects,
        }
    }
}

/// What was kept last: a backup, or a piece of the log.
fn newest_before(target: &Target) -> Result<Option<Manifest>, Box<Failure>> {
    let newest = |repository: &Repository| repository.newest().map_err(|failure| trouble::told(&failure));
    let all = [newest(&target.repository)?, newest(&target.log)?];
    Ok(all.into_iter().flatten().max_by(|left, right| left.id.cmp(&right.id)))
}

fn id_now() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string()
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
    let is_old = |id: &str, time: SignedDuration| age(id, now).is_some_and(|age| age > time);
    let keep_for = SignedDuration::from_secs(target.plan.keep_for.into());
    let whole = kept.iter().filter(|(_, kept)| matches!(kept, Kept::Whole(_))).count();
    let spare = whole.saturating_sub(usize::try_from(target.plan.keep_at_least).unwrap_or(usize::MAX));
    let (mut backups, mut seen) = (Vec::new(), 0);
    for (id, kept) in &kept {
        let may_go = match kept {
            Kept::Whole(_) => {
                seen += 1;
                seen <= spare
            }
            Kept::Damaged(_) => true,
        };
        if may_go && is_old(id, keep_for) && verified.as_deref() != Some(id) {
            backups.push(id.clone());
        }
    }
    let mut unfinished = target.repository.unfinished().map_err(told)?;
    unfinished.retain(|id| is_old(id, UNDER_WAY));
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
    for (id, _) in target.log.list().map_err(told)? {
        if id < *oldest {
            target.log.remove(&id).map_err(told)?;
        }
    }
    Ok(())
}

/// How old a backup of that name is; nobody knows of a folder that is called otherwise, and it stays.
fn age(id: &str, now: Timestamp) -> Option<SignedDuration> {
    let moment = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", id).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(now.duration_since(moment))
}
