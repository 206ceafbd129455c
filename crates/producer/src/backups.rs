//! `producer db backup` and what belongs to it: arguments come in; what was made, restored, found or taken away goes to standard output,
//! and what is under way to standard error. What happens is decided by the orchestrator.

use crate::arguments::{Listing, Place, Restore};
use crate::db::DIFFERS;
use crate::pipeline::{COMPLETED, Ended};
use crate::progress::{Outcome, Steps};
use crate::show;
use orchestrator::{BackupsFailure, EventOutcome, ListedBackups, Pruning, RestoreAsked, Restored, Workspace};
use plan::Phase;
use serde::Serialize;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;

const PHASE: Phase = Phase::ConfigureBackupProcedures;

pub fn make(task: &str, only_log: bool, place: &Place, format: Listing) -> Ended {
    let workspace = Workspace::new(&place.workspace);
    let made = stepwise(|say| match only_log {
        true => orchestrator::keep_log(task, &workspace, say),
        false => orchestrator::back_up(task, &workspace, say),
    })?;
    answer(format, &made, |out| {
        let (id, moment, folder) = (&made.id, &made.moment, made.folder.display());
        writeln!(out, "{id}  state of {moment}, {}, in {folder}", bytes(made.size))
    })
}

pub fn list(task: &str, place: &Place, from: Option<&Path>, history: bool, format: Listing) -> Ended {
    let listed = orchestrator::list_backups(task, &Workspace::new(&place.workspace), from)?;
    answer(format, &listed, |out| match history {
        true => events(out, &listed),
        false => backups(out, &listed),
    })
}

pub fn restore(asked: &Restore) -> Ended {
    let to = asked.to.as_ref().map(|to| to.parse());
    let to = to.transpose().map_err(|error| format!("`--to` is a time such as 2030-01-31T12:00:00Z: {error}"))?;
    let wanted = RestoreAsked {
        task: asked.task.clone(),
        from: asked.from.clone(),
        to,
        backup: asked.backup.clone(),
        into: asked.into.clone(),
        over: asked.over.clone(),
        is_only_shown: asked.plan,
    };
    let restored = stepwise(|say| orchestrator::restore(&wanted, &Workspace::new(&asked.place.workspace), say))?;
    answer(asked.format, &restored, |out| shown(out, &restored, asked.plan))
}

pub fn drill(task: &str, id: Option<&str>, place: &Place, format: Listing) -> Ended {
    let drilled = stepwise(|say| orchestrator::drill(task, id, &Workspace::new(&place.workspace), say))?;
    answer(format, &drilled, |out| {
        writeln!(
            out,
            "{}  restored and compared in {} ms: {} tables, {} rows are the same; {} s of work would be lost now",
            drilled.id, drilled.recovery_time_ms, drilled.tables, drilled.rows, drilled.recovery_point_s
        )?;
        if let Some(moment) = &drilled.log_moment {
            writeln!(out, "the state of {moment}, chosen by chance, came back from the log too")?;
        }
        drilled.missed.iter().try_for_each(|missed| writeln!(out, "missed: {missed}"))
    })?;
    Ok(if drilled.missed.is_empty() { COMPLETED } else { DIFFERS })
}

pub fn prune(task: &str, place: &Place, is_only_shown: bool, format: Listing) -> Ended {
    let how = if is_only_shown { Pruning::Shown } else { Pruning::Done };
    let pruned = orchestrator::prune(task, &Workspace::new(&place.workspace), how)?;
    answer(format, &pruned, |out| {
        let word = if is_only_shown { "would go" } else { "is gone" };
        pruned.backups.iter().try_for_each(|id| writeln!(out, "{id}  {word}"))?;
        pruned.unfinished.iter().try_for_each(|id| writeln!(out, "{id}  {word}: it was never finished"))?;
        if pruned.backups.is_empty() && pruned.unfinished.is_empty() {
            writeln!(out, "no backup is older than it is kept for")?;
        }
        Ok(())
    })
}

/// What is under way is told as steps.
fn stepwise<T>(work: impl FnOnce(&(dyn Fn(&str) + Sync)) -> Result<T, BackupsFailure>) -> Result<T, Box<dyn Error>> {
    let steps = Steps::new();
    let result = work(&|doing| steps.begin(PHASE, doing));
    steps.end(if result.is_ok() { Outcome::Good } else { Outcome::Bad });
    Ok(result?)
}

fn answer<T: Serialize>(
    format: Listing,
    value: &T,
    text: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>,
) -> Ended {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(value)?)?,
        Listing::Text => text(&mut out)?,
    }
    Ok(COMPLETED)
}

fn backups(out: &mut impl io::Write, listed: &ListedBackups) -> io::Result<()> {
    if listed.backups.is_empty() {
        return writeln!(out, "there is no backup of {} in {}", listed.database, listed.folder.display());
    }
    let head = ["BACKUP", "STATE OF", "SIZE", "ENCRYPTED", "VERIFIED"].map(ToOwned::to_owned);
    let dash = || "-".to_owned();
    let rows = listed.backups.iter().map(|backup| {
        [
            backup.id.clone(),
            backup.moment.clone().unwrap_or_else(|| "damaged".to_owned()),
            backup.size.map_or_else(dash, bytes),
            if backup.is_encrypted { "yes" } else { "no" }.to_owned(),
            backup.verified_at.clone().unwrap_or_else(|| "never".to_owned()),
        ]
    });
    out.write_all(show::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
    if let Some(until) = &listed.log_until {
        writeln!(out, "\nevery moment until {until} can be restored")?;
    }
    let damages = listed.backups.iter().filter_map(|backup| backup.damage.as_ref());
    damages.for_each(|damage| eprintln!("producer: {damage}"));
    Ok(())
}

fn events(out: &mut impl io::Write, listed: &ListedBackups) -> io::Result<()> {
    let head = ["AT", "WHAT", "OUTCOME", "BACKUP", "DETAIL"].map(ToOwned::to_owned);
    let rows = listed.history.iter().map(|event| {
        let outcome = match event.outcome {
            EventOutcome::Passed => "passed",
            EventOutcome::Failed => "failed",
        };
        let mut detail = event.detail.replace('\n', " ");
        if let (Some(point), Some(time)) = (event.recovery_point_s, event.recovery_time_ms) {
            detail = format!("{detail}; restored in {time} ms, {point} s of work would have been lost");
        }
        let backup = event.backup.clone().unwrap_or_else(|| "-".to_owned());
        [event.at.clone(), event.kind.as_str().to_owned(), outcome.to_owned(), backup, detail]
    });
    out.write_all(show::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())
}

fn shown(out: &mut impl io::Write, restored: &Restored, is_only_shown: bool) -> io::Result<()> {
    let word = if is_only_shown { "would become" } else { "is" };
    writeln!(out, "{} {word} the state of {}, from backup {}", restored.file.display(), restored.moment, restored.id)?;
    if let Some(address) = &restored.address {
        writeln!(out, "its server listens: {address}, with the roles and passwords of that moment")?;
    }
    if let Some(aside) = &restored.put_aside {
        writeln!(out, "what was there {} {}", if is_only_shown { "would be kept as" } else { "is" }, aside.display())?;
    }
    if is_only_shown {
        return writeln!(out, "the last moment that can be restored is {}", restored.last_moment);
    }
    writeln!(out, "{} tables, {} rows, compared, in {} ms", restored.tables, restored.rows, restored.took_ms)?;
    restored.tasks.iter().try_for_each(|task| writeln!(out, "task {task} is known to this workspace now"))?;
    for lacking in &restored.lacking {
        eprintln!("producer: {lacking}: `producer db migrate` brings the database to what its task wants");
    }
    Ok(())
}

/// Bytes as people read them.
fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, word)) => format!("{}.{} {word}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}
