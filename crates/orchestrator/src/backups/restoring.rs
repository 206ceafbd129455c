//! Restoring: which backup is meant, and what is done with it. Files and servers come back in their own ways; both are compared before
//! anybody sees them, and neither takes the place of what is there.

mod file;
mod log;
mod server;

use super::history::{self, Event, EventKind};
use super::making::{DEFINITION, Definition, SECRETS, newest_before};
use super::target::{KEY_VARIABLE, Place, Target};
use super::{BackupsFailure, Drilled, Saying, trouble};
use crate::failure::Failure;
use crate::workspace::{Workspace, WorkspaceFailure};
use backup::{Kept, Manifest, Repository};
use jiff::Timestamp;
use plan::PersistedPlan;
use plan::database::spoken;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;
use store::Database;
use vocab::TaskId;

/// What somebody wants restored.
#[derive(Debug, Clone, Default)]
pub struct RestoreAsked {
    /// The task whose database it is.
    pub task: String,
    /// The folder of backups, if not where the plan says: needed where the workspace does not know the task.
    pub from: Option<PathBuf>,
    /// The moment whose state is wanted; the newest there is without.
    pub to: Option<Timestamp>,
    /// The backup.
    pub backup: Option<String>,
    /// A new file for it.
    pub into: Option<PathBuf>,
    /// The name of the database whose place it takes.
    pub over: Option<String>,
    /// Whether it is only said what would be done.
    pub is_only_shown: bool,
}

/// What was or would be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The backup.
    pub id: String,
    /// The moment whose state it is, UTC.
    pub moment: String,
    /// The last moment that could be restored, UTC.
    pub last_moment: String,
    /// The file, or the folder of the server.
    pub file: PathBuf,
    /// Where the server listens, where it is one.
    pub address: Option<String>,
    /// What was there, and is kept.
    pub put_aside: Option<PathBuf>,
    /// Tables and rows; none while it is only shown.
    pub tables: usize,
    /// All of them.
    pub rows: u64,
    /// Milliseconds.
    pub took_ms: u64,
    /// Tasks that the workspace did not know, and knows now.
    pub tasks: Vec<TaskId>,
    /// What the plans of the workspace need and the state that was restored has not.
    pub lacking: Vec<String>,
}

pub fn restore(asked: &RestoreAsked, workspace: &Workspace, say: Saying<'_>) -> Result<Restored, BackupsFailure> {
    let mut tasks = Vec::new();
    if let (Some(from), Ok(task_id)) = (&asked.from, TaskId::parse(&asked.task))
        && workspace.seen_plan(&task_id)?.is_none()
    {
        tasks = made_known(asked, &task_id, from, workspace, say)?;
    }
    let target = Target::of_backups(workspace, &asked.task, asked.from.as_deref())?;
    let manifest = choose(&target, asked.backup.as_deref(), asked.to)?;
    let result = match &target.database {
        Database::PostgreSql(_) | Database::MySql(_) => server::restore(asked, workspace, &target, &manifest, say),
        Database::Sqlite(_) | Database::MongoDb(_) => file::restore(asked, workspace, &target, &manifest, say),
    };
    if !asked.is_only_shown {
        let told = result.as_ref().map(|restored| restored.file.display().to_string());
        let event = Event::of(EventKind::Restore, Some(&manifest.id), told.map_err(|failure| &**failure));
        history::note(workspace, &target.task_id, &event)?;
    }
    Ok(Restored { tasks, ..result? })
}

/// Restores a backup where nobody sees it and compares it; nothing of it stays.
pub fn drill(
    workspace: &Workspace,
    target: &Target,
    manifest: &Manifest,
    say: Saying<'_>,
) -> Result<Drilled, Box<Failure>> {
    let recovery_point_s = last_moment(target, manifest).parse().map_or(0, |last: Timestamp| {
        u64::try_from(Timestamp::now().duration_since(last).as_secs()).unwrap_or_default()
    });
    say("restoring where nobody sees it");
    let (definition, log_moment, recovery_time_ms) = match &target.database {
        Database::PostgreSql(_) | Database::MySql(_) => server::drill(workspace, target, manifest, say)?,
        Database::Sqlite(_) | Database::MongoDb(_) => file::drill(workspace, target, manifest, say)?,
    };
    let objectives = &target.plan.objectives;
    let mut missed = Vec::new();
    if recovery_point_s > u64::from(objectives.recovery_point) {
        missed.push(format!(
            "{recovery_point_s} s of work would be lost, and no more than {} may be",
            spoken(objectives.recovery_point)
        ));
    }
    if let Some(most) = objectives.recovery_time.filter(|most| recovery_time_ms > u64::from(*most) * 1_000) {
        missed.push(format!("restoring took {recovery_time_ms} ms, and may take {}", spoken(most)));
    }
    Ok(Drilled {
        id: manifest.id.clone(),
        moment: manifest.moment.clone(),
        tables: definition.contents.tables.len(),
        rows: definition.contents.rows(),
        recovery_point_s,
        recovery_time_ms,
        log_moment,
        missed,
    })
}

/// The backup of that name; else the newest of that moment or an earlier one. One that is damaged is never passed over without a word.
pub fn choose(target: &Target, id: Option<&str>, to: Option<Timestamp>) -> Result<Manifest, Box<Failure>> {
    let folder = target.repository.folder().display();
    let kept = target.repository.list().map_err(|failure| trouble::told(&failure))?;
    if let Some(id) = id {
        return match kept.into_iter().find(|(known, _)| known == id) {
            Some((_, Kept::Whole(manifest))) => Ok(manifest),
            Some((_, Kept::Damaged(failure))) => Err(trouble::told(&failure)),
            None => {
                let message = format!("there is no backup {id} in {folder}");
                Err(Box::new(trouble::none(message, "`producer db backups TASK` lists those that there are")))
            }
        };
    }
    let is_early = |(id, kept): &(String, Kept)| match (to, kept) {
        (None, _) => true,
        (Some(to), Kept::Whole(manifest)) => moment(manifest).is_some_and(|moment| moment <= to),
        // Its name says when it was made.
        (Some(to), Kept::Damaged(_)) => *id <= to.strftime("%Y%m%dT%H%M%S%.3fZ").to_string(),
    };
    let first = kept.first().map(|(id, kept)| match kept {
        Kept::Whole(manifest) => manifest.moment.clone(),
        Kept::Damaged(_) => id.clone(),
    });
    match (kept.into_iter().rfind(is_early), to, first) {
        (Some((_, Kept::Whole(manifest))), ..) => Ok(manifest),
        (Some((_, Kept::Damaged(failure))), ..) => Err(trouble::told(&failure)),
        (None, Some(to), Some(first)) => {
            let message = format!("no backup in {folder} holds the state of {to}: the first is of {first}");
            Err(Box::new(trouble::none(message, "name a later moment, or leave `--to` out for the newest")))
        }
        (None, ..) => {
            let message = format!("there is no backup in {folder}");
            Err(Box::new(trouble::none(message, "`producer db backup TASK` makes one")))
        }
    }
}

fn moment(manifest: &Manifest) -> Option<Timestamp> {
    manifest.moment.parse().ok()
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What is known of a restore before anything is done.
fn planned(target: &Target, manifest: &Manifest, moment: String, file: PathBuf) -> Restored {
    Restored {
        id: manifest.id.clone(),
        moment,
        last_moment: last_moment(target, manifest),
        file,
        address: None,
        put_aside: None,
        tables: 0,
        rows: 0,
        took_ms: 0,
        tasks: Vec::new(),
        lacking: Vec::new(),
    }
}

/// The last moment that can be restored: that of the newest backup, or of what was kept of the log behind it.
fn last_moment(target: &Target, known: &Manifest) -> String {
    newest_before(target).ok().flatten().map_or_else(|| known.moment.clone(), |newest| newest.moment)
}

fn definition(
    repository: &Repository,
    manifest: &Manifest,
    key: Option<&backup::Key>,
) -> Result<Definition, Box<Failure>> {
    let mut bytes = Vec::new();
    repository.read(manifest, DEFINITION, key, &mut bytes).map_err(|failure| trouble::told(&failure))?;
    serde_json::from_slice(&bytes).map_err(|error| Box::new(trouble::different(&manifest.id, &[error.to_string()])))
}

/// Has a workspace that does not know the task know everything that stands on its database.
fn made_known(
    asked: &RestoreAsked,
    task_id: &TaskId,
    from: &Path,
    workspace: &Workspace,
    say: Saying<'_>,
) -> Result<Vec<TaskId>, BackupsFailure> {
    let repository = Place::of(workspace, from)?.repository(task_id.as_str());
    let Some(manifest) = repository.newest().map_err(|failure| trouble::told(&failure))? else {
        let message = format!("there is no backup in {}", repository.folder().display());
        let hint = "name the folder that holds a folder for each task";
        return Err(Box::new(trouble::none(message, hint)).into());
    };
    let key = key_of_stranger(&manifest)?;
    let definition = definition(&repository, &manifest, key.as_ref())?;
    if asked.is_only_shown {
        let message =
            format!("this workspace does not know task `{task_id}`, which backup {} brings along", manifest.id);
        let hint = "leave `--plan` out: nothing that is there is written over";
        return Err(Box::new(trouble::none(message, hint)).into());
    }
    say("making its tasks known");
    let lock = workspace.lock(|| say("waiting for another run in this workspace"))?;
    workspace.make_state()?;
    let secrets = workspace.secrets().file();
    if manifest.objects.iter().any(|object| object.name == SECRETS) && !secrets.exists() {
        let mut sealed = Vec::new();
        repository.read(&manifest, SECRETS, key.as_ref(), &mut sealed).map_err(|failure| trouble::told(&failure))?;
        keep_sealed(&secrets, &sealed).map_err(|error| Box::new(trouble::file(&secrets, &error)))?;
    }
    let mut known = Vec::new();
    for task in definition.tasks {
        if workspace.seen_plan(&task.task_id)?.is_some() {
            continue;
        }
        let plan = PersistedPlan::from_text(&task.plan).map_err(|error| WorkspaceFailure::Damaged {
            path: repository.folder().join(&manifest.id),
            why: error.to_string(),
        })?;
        workspace.remember(&task.task_id, &task.text, &plan.task_hash)?;
        let version = workspace.persist(&task.task_id, &plan)?;
        workspace.activate(&task.task_id, version)?;
        known.push(task.task_id);
    }
    drop(lock);
    Ok(known)
}

/// A new file that only this user reads.
fn keep_sealed(path: &Path, sealed: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(sealed)?;
    file.sync_all()
}

/// Nobody knows yet what the plan says of it.
fn key_of_stranger(manifest: &Manifest) -> Result<Option<backup::Key>, Box<Failure>> {
    if !manifest.objects.iter().any(|object| object.is_encrypted) {
        return Ok(None);
    }
    let text = std::env::var(KEY_VARIABLE).unwrap_or_default();
    let reference = plan::database::LocationPart::Environment(KEY_VARIABLE.to_owned());
    backup::Key::parse(&text).map(Some).map_err(|wrong| Box::new(trouble::no_key(&reference, &wrong)))
}
