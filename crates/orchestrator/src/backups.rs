//! Backups of the databases of a workspace, and what proves them: a task comes in, a backup, a database restored from one, or what came
//! of trying that goes out. Nothing is restored that is not what was backed up, and nothing that is there is written over.

mod comparing;
mod following;
mod history;
mod keeping;
mod making;
mod restoring;
mod target;
mod trouble;

pub use history::{Event, EventKind, EventOutcome};
pub(crate) use keeping::{Keeper, Standings, metrics, warnings};
pub use restoring::{RestoreAsked, Restored};

use crate::failure::Failure;
use crate::response::Verification;
use crate::run::{Progress, Stop};
use crate::status::StatusFailure;
use crate::workspace::{Workspace, WorkspaceFailure};
use backup::{Kept, Manifest};
use plan::{PersistedPlan, Phase, TaskPlan};
use provision::ProvisionFailure;
use serde::Serialize;
use std::path::{Path, PathBuf};
use store::Database;
use target::Target;
use vocab::TaskId;

/// The check that a run makes.
const CHECK: &str = "a backup was restored";
/// What a production database should have.
const ASKED: &str = "backup: { schedule: daily, point_in_time: true, destination: \"s3://bucket/prefix\" }";

/// Why a command about backups could not answer.
#[derive(Debug, thiserror::Error)]
pub enum BackupsFailure {
    /// The workspace knows no such task.
    #[error(transparent)]
    Unknown(#[from] StatusFailure),
    /// The workspace, the database or a backup does not let it.
    #[error("{}", told(.0))]
    Failed(Box<Failure>),
}

fn told(failure: &Failure) -> String {
    match failure.code.starts_with("IP") {
        true => format!("{}: {}", failure.code, failure.with_hint()),
        false => failure.with_hint(),
    }
}

impl From<Box<Failure>> for BackupsFailure {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failed(failure)
    }
}

impl From<WorkspaceFailure> for BackupsFailure {
    fn from(failure: WorkspaceFailure) -> Self {
        Self::Failed(Box::new(Failure::workspace(&failure)))
    }
}

/// The backups of a task's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedBackups {
    /// The database, for people.
    pub database: String,
    /// Where they are.
    pub folder: PathBuf,
    /// Each, the oldest first.
    pub backups: Vec<ListedBackup>,
    /// The moment until which the log is kept, UTC, where it is: every one between the first backup and that can be restored.
    pub log_until: Option<String>,
    /// What was done with them, the oldest first.
    pub history: Vec<Event>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedBackup {
    /// Its name.
    pub id: String,
    /// The moment whose state it holds, UTC.
    pub moment: Option<String>,
    /// Bytes of its files.
    pub size: Option<u64>,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// When it was last restored and held what it must, UTC.
    pub verified_at: Option<String>,
    /// Why it cannot be believed.
    pub damage: Option<String>,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadeBackup {
    /// Its name.
    pub id: String,
    /// The moment whose state it holds, UTC.
    pub moment: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub size: u64,
}

/// What a drill came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drilled {
    /// The backup.
    pub id: String,
    /// The moment whose state it holds, UTC.
    pub moment: String,
    /// How many tables were compared.
    pub tables: usize,
    /// How many rows.
    pub rows: u64,
    /// Seconds of work that would have been lost had everything else been lost now.
    pub recovery_point_s: u64,
    /// Milliseconds that restoring and comparing took.
    pub recovery_time_ms: u64,
    /// The moment of its log to which it was restored once more, UTC, where that is kept.
    pub log_moment: Option<String>,
    /// Which objectives were not met, in words.
    pub missed: Vec<String>,
}

/// What is or would be taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The backups.
    pub backups: Vec<String>,
    /// What was begun and never finished.
    pub unfinished: Vec<String>,
}

/// Whether something is done or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruning {
    /// It is done.
    Done,
    /// It is shown.
    Shown,
}

/// Hears what a command is at.
pub type Saying<'a> = &'a (dyn Fn(&str) + Sync);

/// Makes a backup of a task's database.
///
/// # Errors
/// [`BackupsFailure`], and there is none.
pub fn back_up(task: &str, workspace: &Workspace, say: Saying<'_>) -> Result<MadeBackup, BackupsFailure> {
    let target = Target::of_task(workspace, task)?;
    let manifest = making::make(workspace, &target, None, say)?;
    Ok(MadeBackup {
        folder: target.repository.folder().join(&manifest.id),
        size: manifest.stored_size(),
        id: manifest.id,
        moment: manifest.moment,
    })
}

/// Keeps what the server's log holds since it was kept last, so that every moment until now can be restored.
///
/// # Errors
/// [`BackupsFailure`] when it cannot be kept, or the task does not ask for that.
pub fn keep_log(task: &str, workspace: &Workspace, say: Saying<'_>) -> Result<MadeBackup, BackupsFailure> {
    let target = Target::of_task(workspace, task)?;
    say("copying the server's log");
    let kept = if target.plan.point_in_time {
        making::make_log(workspace, &target, making::Wanted::ThisMoment)?
    } else {
        None
    };
    let Some(manifest) = kept else {
        let message = format!("the log of {} is not kept", target.database.place());
        let hint = "say `point_in_time: true` in `backup`; the next backup begins it";
        return Err(Box::new(trouble::none(message, hint)).into());
    };
    Ok(MadeBackup {
        folder: target.log.folder().join(&manifest.id),
        size: manifest.stored_size(),
        id: manifest.id,
        moment: manifest.moment,
    })
}

/// The backups of a task's database, and what was done with them.
///
/// # Errors
/// [`BackupsFailure`] when they cannot be looked at.
pub fn list_backups(task: &str, workspace: &Workspace, from: Option<&Path>) -> Result<ListedBackups, BackupsFailure> {
    let target = Target::of_backups(workspace, task, from)?;
    let history = history::read(workspace, &target.task_id)?;
    let kept = target.repository.list().map_err(|failure| trouble::told(&failure))?;
    let backups = kept.into_iter().map(|(id, kept)| {
        let verified_at = history::verified_at(&history, &id);
        match kept {
            Kept::Whole(manifest) => ListedBackup {
                size: Some(manifest.stored_size()),
                is_encrypted: manifest.objects.iter().any(|object| object.is_encrypted),
                moment: Some(manifest.moment),
                damage: None,
                verified_at,
                id,
            },
            Kept::Damaged(failure) => ListedBackup {
                moment: None,
                size: None,
                is_encrypted: false,
                verified_at,
                damage: Some(told(&trouble::told(&failure))),
                id,
            },
        }
    });
    Ok(ListedBackups {
        database: target.place(workspace)?,
        folder: target.repository.folder().to_owned(),
        backups: backups.collect(),
        log_until: target.log.newest().map_err(|failure| trouble::told(&failure))?.map(|piece| piece.moment),
        history,
    })
}

/// Restores a database from a backup.
///
/// # Errors
/// [`BackupsFailure`], and nothing was restored.
pub fn restore(asked: &RestoreAsked, workspace: &Workspace, say: Saying<'_>) -> Result<Restored, BackupsFailure> {
    restoring::restore(asked, workspace, say)
}

/// Restores the newest backup, or that one, where nobody sees it, compares, and keeps what came of it.
///
/// # Errors
/// [`BackupsFailure`] when it is not what was backed up, or cannot be restored.
pub fn drill(task: &str, id: Option<&str>, workspace: &Workspace, say: Saying<'_>) -> Result<Drilled, BackupsFailure> {
    let target = Target::of_backups(workspace, task, None)?;
    Ok(drilled(workspace, &target, id, say)?)
}

/// Takes away what is older than it is kept for.
///
/// # Errors
/// [`BackupsFailure`] when it cannot be taken away.
pub fn prune(task: &str, workspace: &Workspace, how: Pruning) -> Result<Pruned, BackupsFailure> {
    let target = Target::of_backups(workspace, task, None)?;
    Ok(making::prune(workspace, &target, how)?)
}

fn drilled(workspace: &Workspace, target: &Target, id: Option<&str>, say: Saying<'_>) -> Result<Drilled, Box<Failure>> {
    let chosen = restoring::choose(target, id, None);
    let named = chosen.as_ref().map_or(id.map(str::to_owned), |manifest| Some(manifest.id.clone()));
    let result = chosen.and_then(|manifest| restoring::drill(workspace, target, &manifest, say));
    history::note(workspace, &target.task_id, &Event::of_drill(named.as_deref(), &result))?;
    result
}

/// What must be known before a run that makes backups begins.
pub(crate) fn check(workspace: &Workspace, plan: &TaskPlan, database: &Database) -> Result<(), Box<Failure>> {
    let backup = match plan {
        TaskPlan::Database(plan) => plan.backup.as_ref(),
        // Who asked for them has been asked.
        TaskPlan::Api(_) => None,
    };
    let Some(backup) = backup else { return Ok(()) };
    target::key(workspace, backup)?;
    target::place(workspace, backup)?;
    let hindrances = match database {
        Database::PostgreSql(server) => server.hindrances(),
        Database::MySql(server) => server.hindrances(backup.point_in_time),
        Database::Sqlite(_) | Database::MongoDb(_) => Ok(Vec::new()),
    };
    let hindrances = hindrances.map_err(|error| Box::new(Failure::database(&error, database)))?;
    if !hindrances.is_empty() {
        return Err(Box::new(trouble::hindered(&hindrances, database)));
    }
    match database {
        // It comes back as a server of its own.
        Database::MySql(_) if !provision::are_installed(database.engine()) => {
            Err(trouble::program(&ProvisionFailure::NotInstalled(database.engine())))
        }
        Database::MySql(server) => making::mysql::dumper(server, database).map(drop),
        Database::Sqlite(_) | Database::PostgreSql(_) | Database::MongoDb(_) => Ok(()),
    }
}

/// What a run says of backups: that one which knows the plan was restored, made now where there is none.
pub(crate) struct Proved {
    pub verification: Verification,
    pub changed: bool,
}

/// Proves that the database of a plan comes back, where somebody has asked for backups of it.
pub(crate) fn prove(
    workspace: &Workspace,
    persisted: &PersistedPlan,
    database: &Database,
    progress: Progress<'_>,
) -> Result<Proved, Stop> {
    let phase = Phase::ConfigureBackupProcedures;
    let Some(target) = Target::asked_for(workspace, persisted, database)? else {
        let verification = Verification::not_verified(phase, CHECK, unasked(persisted, database));
        return Ok(Proved { verification, changed: false });
    };
    let say = |doing: &str| progress(phase, doing);
    let knows =
        |manifest: &Manifest| manifest.plans.get(persisted.plan.task_id()) == Some(&making::plan_hash(persisted));
    let history = history::read(workspace, &target.task_id)?;
    let newest = target.repository.newest().map_err(|failure| trouble::told(&failure))?;
    let newest = newest.filter(|manifest| knows(manifest));
    if let Some(at) = newest.as_ref().and_then(|manifest| history::verified_at(&history, &manifest.id)) {
        return Ok(Proved { verification: Verification::passed(phase, CHECK, said(&at, &newest)), changed: false });
    }
    let made = match newest {
        Some(manifest) => manifest,
        None => making::make(workspace, &target, Some(persisted), &say)?,
    };
    drilled(workspace, &target, Some(&made.id), &say)?;
    let history = history::read(workspace, &target.task_id)?;
    let at = history::verified_at(&history, &made.id).unwrap_or_default();
    Ok(Proved { verification: Verification::passed(phase, CHECK, said(&at, &Some(made))), changed: true })
}

/// Why there is none, and in production how one comes by backups.
fn unasked(persisted: &PersistedPlan, database: &Database) -> String {
    let none = "no backup was asked for";
    match (&persisted.plan, database) {
        // Nobody makes them.
        (_, Database::MongoDb(_)) | (TaskPlan::Api(_), _) => none.to_owned(),
        (TaskPlan::Database(plan), _) if plan.environment == "production" => {
            format!("{none}: `{ASKED}` would have one made every day")
        }
        (TaskPlan::Database(_), _) => none.to_owned(),
    }
}

fn said(at: &str, of: &Option<Manifest>) -> String {
    let id = of.as_ref().map_or("", |manifest| &manifest.id);
    format!("backup {id} was restored at {at} and held what the database had held")
}

/// The tasks whose databases somebody has asked for backups of.
fn asked(workspace: &Workspace) -> Result<Vec<TaskId>, WorkspaceFailure> {
    let mut tasks = workspace.task_ids()?;
    tasks.retain(|task_id| {
        let plan = workspace.seen_plan(task_id).ok().flatten();
        plan.is_some_and(|persisted| match &persisted.plan {
            TaskPlan::Database(plan) => plan.backup.is_some(),
            TaskPlan::Api(_) => false,
        })
    });
    Ok(tasks)
}
