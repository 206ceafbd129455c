//! What was done with the backups of a database, kept in the workspace: an event comes in, the list of them goes out. It is for people
//! and for schedules; nothing needs it to restore.

use super::Drilled;
use crate::failure::Failure;
use crate::run::now;
use crate::workspace::Workspace;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use vocab::TaskId;

/// The most events that are kept of a database.
const MOST: usize = 1_000;

/// Something that was done, or tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, UTC.
    pub at: String,
    /// What.
    pub kind: EventKind,
    /// With which backup, where it is known.
    pub backup: Option<String>,
    /// How it came out.
    pub outcome: EventOutcome,
    /// What there is to say about it.
    pub detail: String,
    /// Seconds of work that would have been lost: of a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_point_s: Option<u64>,
    /// Milliseconds that restoring took: of a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_time_ms: Option<u64>,
}

/// What is done with backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// One is made.
    Backup,
    /// A piece of the log is kept; only what fails is noted.
    Log,
    /// One is restored where nobody sees it, and compared.
    Drill,
    /// One is restored.
    Restore,
    /// Some are taken away.
    Prune,
}

/// How it came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOutcome {
    /// Well.
    Passed,
    /// Not.
    Failed,
}

impl EventKind {
    /// Its name in lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Log => "log",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Prune => "prune",
        }
    }
}

impl Event {
    /// What was tried, with what it came to.
    pub(crate) fn of(kind: EventKind, backup: Option<&str>, result: Result<String, &Failure>) -> Self {
        let (outcome, detail) = match result {
            Ok(detail) => (EventOutcome::Passed, detail),
            Err(failure) => (EventOutcome::Failed, format!("{}: {failure}", failure.code)),
        };
        let (at, backup) = (now(), backup.map(str::to_owned));
        Self { at, kind, backup, outcome, detail, recovery_point_s: None, recovery_time_ms: None }
    }

    pub(crate) fn of_drill(backup: Option<&str>, result: &Result<Drilled, Box<Failure>>) -> Self {
        match result {
            Ok(drilled) => {
                let mut detail = format!("{} tables and {} rows are the same", drilled.tables, drilled.rows);
                if let Some(moment) = &drilled.log_moment {
                    detail.push_str(&format!("; the state of {moment} came back too"));
                }
                for missed in &drilled.missed {
                    detail.push_str("; ");
                    detail.push_str(missed);
                }
                Self {
                    recovery_point_s: Some(drilled.recovery_point_s),
                    recovery_time_ms: Some(drilled.recovery_time_ms),
                    ..Self::of(EventKind::Drill, backup, Ok(detail))
                }
            }
            Err(failure) => Self::of(EventKind::Drill, backup, Err(failure)),
        }
    }
}

/// Every event, the oldest first. A line that a killed process has left half is passed over.
pub fn read(workspace: &Workspace, task_id: &TaskId) -> Result<Vec<Event>, Box<Failure>> {
    let path = workspace.backup_history_file(task_id);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Box::new(super::trouble::file(&path, &error))),
    }
}

/// Keeps another one.
pub fn note(workspace: &Workspace, task_id: &TaskId, event: &Event) -> Result<(), Box<Failure>> {
    let path = workspace.backup_history_file(task_id);
    let failed = |error: io::Error| Box::new(super::trouble::file(&path, &error));
    let mut events = read(workspace, task_id)?;
    let line = |event: &Event| serde_json::to_string(event).map(|line| line + "\n").map_err(io::Error::other);
    if events.len() >= MOST {
        events.drain(..events.len() - MOST / 2);
        let text: String = events.iter().map(line).collect::<Result<_, _>>().map_err(failed)?;
        apply::write_atomically(&path, text.as_bytes()).map_err(failed)?;
    }
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        let mut file = fs::File::options().create(true).append(true).open(&path)?;
        file.write_all(line(event)?.as_bytes())
    };
    write().map_err(failed)
}

/// When a backup was last restored and held what it must.
pub fn verified_at(history: &[Event], id: &str) -> Option<String> {
    let of = |event: &&Event| event.kind == EventKind::Drill && event.backup.as_deref() == Some(id);
    let last = history.iter().rev().find(of)?;
    (last.outcome == EventOutcome::Passed).then(|| last.at.clone())
}
