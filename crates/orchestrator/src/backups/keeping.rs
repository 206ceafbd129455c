//! Backups while a workspace is served: each that is due is made, old ones are taken away, and the newest is restored where nobody sees it
//! when that is due. What goes wrong is in the log, in the metrics and in `producer status`, and stops nothing else.

use super::following::Follower;
use super::history::{self, Event, EventKind, EventOutcome};
use super::making::Wanted;
use super::target::Target;
use super::{Pruning, asked, drilled, making};
use crate::failure::Failure;
use crate::workspace::Workspace;
use backup::Manifest;
use jiff::Timestamp;
use plan::database::LOG_INTERVAL;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use vocab::TaskId;

/// How often it is looked whether something is due, and where some log is kept more often than usual.
const LOOK: Duration = Duration::from_secs(5);
const CLOSE_LOOK: Duration = Duration::from_secs(1);
/// How many seconds the clocks of two machines differ at most while both are right.
const SKEW: i64 = 60;
/// How many seconds after a failure it is tried again.
const RETRY: i64 = 300;
const GAP: &str = "the log has a gap, or nobody has kept it: a backup begins it anew";

/// How the backups of each task stand.
pub(crate) type Standings = Arc<Mutex<BTreeMap<TaskId, Standing>>>;

/// How the backups of a task stand, as far as this process knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    made_at: Option<i64>,
    drilled_at: Option<i64>,
    /// What the last drill came to.
    drill: Option<Event>,
    bytes: u64,
    failures: u64,
    log_at: Option<i64>,
    /// Whether a server's log is kept more often than usual.
    is_looked_at_closely: bool,
    /// Of those that keep the log by themselves.
    log_failures: u64,
}

/// Those that keep the log of a file.
type Followers = Arc<Mutex<BTreeMap<TaskId, Follower>>>;

/// Looks after backups until it is dropped.
pub(crate) struct Keeper(JoinHandle<()>, Followers);

impl Keeper {
    pub fn start(workspace: &Workspace, standings: &Standings) -> Self {
        let (workspace, standings) = (workspace.remembering(), Arc::clone(standings));
        let followers = Followers::default();
        let all = Arc::clone(&followers);
        let looking = tokio::spawn(async move {
            loop {
                let (of, told, followers) = (workspace.clone(), Arc::clone(&standings), Arc::clone(&all));
                // One that panicked says so; the next look is another try.
                let pause = tokio::task::spawn_blocking(move || look(&of, &told, &followers)).await;
                tokio::time::sleep(pause.unwrap_or(LOOK)).await;
            }
        });
        Self(looking, followers)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
        let mut followers = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        followers.values().for_each(Follower::leaves_log);
        // Each keeps what is committed first.
        followers.clear();
    }
}

/// Says how long one waits until the next look.
fn look(workspace: &Workspace, standings: &Standings, followers: &Followers) -> Duration {
    let tasks = match asked(workspace) {
        Ok(tasks) => tasks,
        Err(error) => {
            tracing::error!(error = %error, "nobody knows which backups are due");
            return LOOK;
        }
    };
    let mut pause = LOOK;
    followers.lock().unwrap_or_else(PoisonError::into_inner).retain(|task_id, _| tasks.contains(task_id));
    for task_id in tasks {
        let mut standing =
            standings.lock().unwrap_or_else(PoisonError::into_inner).get(&task_id).cloned().unwrap_or_default();
        if let Err(failure) = look_after(workspace, &task_id, &mut standing, followers) {
            standing.failures += 1;
            tracing::error!(task = %task_id, code = failure.code, "{}", failure.with_hint());
        }
        if standing.is_looked_at_closely {
            pause = CLOSE_LOOK;
        }
        standings.lock().unwrap_or_else(PoisonError::into_inner).insert(task_id, standing);
    }
    pause
}

fn look_after(
    workspace: &Workspace,
    task_id: &TaskId,
    standing: &mut Standing,
    followers: &Followers,
) -> Result<(), Box<Failure>> {
    let history = history::read(workspace, task_id)?;
    let now = Timestamp::now().as_second();
    let is_spared = |kind| {
        let last = history.iter().rev().find(|event| event.kind == kind);
        last.is_some_and(|event| event.outcome == EventOutcome::Failed && !is_over(seconds(&event.at), RETRY, now))
    };
    let say = |doing: &str| tracing::debug!(task = %task_id, "{doing}");
    let found = Target::of_task(workspace, task_id.as_str()).and_then(|target| {
        let newest = target.repository.newest().map_err(|failure| super::trouble::told(&failure))?;
        Ok((target, newest))
    });
    let (target, newest) = match found {
        Ok(found) => found,
        // It is gone meanwhile.
        Err(super::BackupsFailure::Unknown(_)) => return Ok(()),
        Err(super::BackupsFailure::Failed(_)) if is_spared(EventKind::Backup) => return Ok(()),
        Err(super::BackupsFailure::Failed(failure)) => {
            history::note(workspace, task_id, &Event::of(EventKind::Backup, None, Err(&failure)))?;
            return Err(failure);
        }
    };
    standing.made_at = newest.as_ref().map(|manifest| seconds(&manifest.moment));
    standing.bytes = newest.as_ref().map_or(0, Manifest::stored_size);
    let passed = |event: &&Event| event.kind == EventKind::Drill && event.outcome == EventOutcome::Passed;
    standing.drill = history.iter().rev().find(|event| event.kind == EventKind::Drill).cloned();
    standing.drilled_at = history.iter().rev().find(passed).map(|event| seconds(&event.at));
    // It holds the log before the backup is made that begins it.
    let follows = follows(workspace, &target, standing, followers);
    let interval = target.plan.log_interval();
    standing.is_looked_at_closely = target.plan.point_in_time && follows == Follows::Not && interval < LOG_INTERVAL;
    let is_to_come = |at: i64| at > now + SKEW;
    // One that was made by a clock which was ahead does not keep others from being made until that time comes.
    let is_of_future = newest.as_ref().is_some_and(|manifest| is_to_come(seconds(&manifest.completed_at)));
    let is_due = standing.made_at.is_none_or(|made| target.plan.schedule.next(made) <= now)
        || is_of_future
        || follows == Follows::Lacking;
    if is_due && !is_spared(EventKind::Backup) {
        if follows == Follows::Lacking && standing.made_at.is_some() {
            tracing::warn!(task = %task_id, "{GAP}");
        }
        let manifest = making::make(workspace, &target, None, &say)?;
        tracing::info!(task = %task_id, backup = manifest.id, bytes = manifest.stored_size(), "a backup was made");
        standing.made_at = Some(seconds(&manifest.moment));
        standing.bytes = manifest.stored_size();
        if let Some(follower) = followers.lock().unwrap_or_else(PoisonError::into_inner).get(task_id) {
            follower.has_backup();
        }
        making::prune(workspace, &target, Pruning::Done)?;
    }
    if target.plan.point_in_time
        && follows == Follows::Not
        && standing.log_at.is_none_or(|at| is_over(at, interval.into(), now))
        && !is_spared(EventKind::Log)
    {
        match making::make_log(workspace, &target, Wanted::WhatIsNew) {
            Ok(Some(_)) => {}
            Ok(None) => {
                tracing::warn!(task = %task_id, "{GAP}");
                making::make(workspace, &target, None, &say)?;
            }
            Err(failure) => {
                history::note(workspace, task_id, &Event::of(EventKind::Log, None, Err(&failure)))?;
                return Err(failure);
            }
        }
        standing.log_at = Some(now);
    }
    if standing.made_at.is_some()
        && standing.drilled_at.is_none_or(|at| is_to_come(at) || target.plan.drill.next(at) <= now)
        && !is_spared(EventKind::Drill)
    {
        let drilled = drilled(workspace, &target, None, &say);
        standing.drill =
            history::read(workspace, task_id)?.into_iter().rev().find(|event| event.kind == EventKind::Drill);
        let drilled = drilled?;
        tracing::info!(task = %task_id, backup = drilled.id, ms = drilled.recovery_time_ms, "a backup was restored");
        for missed in &drilled.missed {
            tracing::warn!(task = %task_id, "{missed}");
        }
        standing.drilled_at = Some(now);
    }
    Ok(())
}

/// Whether the log of a database is kept by somebody of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// It is asked for when it is due.
    Not,
    /// It is.
    Going,
    /// It is as soon as there is a backup that it goes on from.
    Lacking,
}

/// Sees that the log of a file is kept.
fn follows(workspace: &Workspace, target: &Target, standing: &mut Standing, followers: &Followers) -> Follows {
    let mut followers = followers.lock().unwrap_or_else(PoisonError::into_inner);
    let file = target.database.file().filter(|_| target.plan.point_in_time);
    let Some(file) = file.filter(|file| file.exists()) else {
        followers.remove(&target.task_id);
        return Follows::Not;
    };
    followers.retain(|task_id, follower| *task_id != target.task_id || !follower.is_over());
    let start = || Follower::start(workspace, &target.task_id, file);
    let followed = followers.entry(target.task_id.clone()).or_insert_with(start).followed();
    standing.log_at = followed.kept_at;
    standing.log_failures = followed.failures;
    if followed.lacks_backup { Follows::Lacking } else { Follows::Going }
}

/// Whether so many seconds have gone since. Where the clock was set back behind it, nobody knows, and nothing is put off.
fn is_over(since: i64, wait: i64, now: i64) -> bool {
    !(since..since + wait).contains(&now)
}

fn seconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

/// What somebody should know of the backups of a task: that the last one failed, or does not come.
pub(crate) fn warnings(workspace: &Workspace, task_id: &TaskId) -> Vec<String> {
    let history = history::read(workspace, task_id).unwrap_or_default();
    let last = |kind| history.iter().rev().find(move |event| event.kind == kind);
    let failed = |event: &&Event| event.outcome == EventOutcome::Failed;
    let of =
        [EventKind::Backup, EventKind::Log, EventKind::Drill].into_iter().filter_map(|kind| last(kind).filter(failed));
    of.map(|event| format!("the last {} failed on {}: {}", event.kind.as_str(), event.at, event.detail)).collect()
}

/// The same as Prometheus text.
pub(crate) fn metrics(standings: &Standings) -> String {
    let standings = standings.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    if standings.is_empty() {
        return text;
    }
    type Value = fn(&Standing) -> Option<f64>;
    let lines: [(&str, &str, &str, Value); 8] = [
        (
            "backup_made_at_seconds",
            "gauge",
            "The moment that the newest backup holds, in seconds since 1970.",
            |standing| standing.made_at.map(|at| at as f64),
        ),
        (
            "backup_drilled_at_seconds",
            "gauge",
            "When a backup was last restored and held what it must, in seconds since 1970.",
            |standing| standing.drilled_at.map(|at| at as f64),
        ),
        ("backup_drill_failed", "gauge", "1 where the last drill failed, else 0.", |standing| {
            standing.drill.as_ref().map(|drill| f64::from(u8::from(drill.outcome == EventOutcome::Failed)))
        }),
        (
            "backup_recovery_point_seconds",
            "gauge",
            "Seconds of work that would have been lost at the last drill.",
            |standing| standing.drill.as_ref()?.recovery_point_s.map(|seconds| seconds as f64),
        ),
        ("backup_recovery_time_seconds", "gauge", "Seconds that restoring took at the last drill.", |standing| {
            standing.drill.as_ref()?.recovery_time_ms.map(|milliseconds| milliseconds as f64 / 1_000.0)
        }),
        (
            "backup_log_kept_at_seconds",
            "gauge",
            "When this server last kept a piece of the log, in seconds since 1970.",
            |standing| standing.log_at.map(|at| at as f64),
        ),
        ("backup_bytes", "gauge", "Bytes of the newest backup.", |standing| Some(standing.bytes as f64)),
        (
            "backup_failures_total",
            "counter",
            "Backups, drills and pieces of the log that this server tried and that failed.",
            |standing| Some((standing.failures + standing.log_failures) as f64),
        ),
    ];
    for (name, kind, help, value) in lines {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (task_id, standing) in standings.iter() {
            if let Some(value) = value(standing) {
                let _ = writeln!(text, "{name}{{task=\"{task_id}\"}} {value}");
            }
        }
    }
    text
}
