//! `producer db`: arguments come in; how a database differs from its task, what would be or was done to it, and what it holds go
//! to standard output. What happens is decided by the orchestrator.

use crate::arguments::{DbCommand, Format, Listing, Migrate, Place};
use crate::pipeline::{self, COMPLETED, Ended, answer, answer_task, options, read_task};
use crate::show;
use orchestrator::{
    Allowed, DifferenceKind, Differences, Drift, Inspection, Loss, RunOptions, Undo, Undone, Workspace,
};
use plan::database::{Nullability, ObservedTable, Uniqueness};
use std::io::{self, Write as _};
use std::path::Path;

/// The database is not as its task wants it.
const DIFFERS: u8 = 4;

/// Does what was asked.
pub async fn command(asked: &DbCommand) -> Ended {
    match asked {
        DbCommand::Start(servers) => pipeline::start_servers(servers),
        DbCommand::Stop(servers) => pipeline::stop_servers(servers),
        DbCommand::Diff { task, place, format } => diff(task, place, *format),
        DbCommand::Migrate(migrate) => self::migrate(migrate).await,
        DbCommand::Undo { task_id, place, output, plan, allow_destructive, migration } => {
            let how = match (plan, allow_destructive) {
                (true, _) => Undo::Shown,
                (false, false) => Undo::WithoutLoss,
                (false, true) => Undo::WithLoss,
            };
            let options = options(place, output.as_deref(), "");
            undone(&orchestrator::undo(task_id, &options, how, migration.as_deref())?, how)
        }
        DbCommand::Inspect { task, place, format } => inspect(task, place, *format),
    }
}

/// What may be done to a database besides adding to it.
pub fn allowed(drift: Drift, allow_destructive: bool) -> Allowed {
    Allowed { drift, loss: if allow_destructive { Loss::Allowed } else { Loss::Refused } }
}

fn diff(task: &str, place: &Place, format: Listing) -> Ended {
    let (source, tasks) = match read_task(task, Format::Yaml)? {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    let options = options(place, None, "");
    let mut ended = COMPLETED;
    for task in &tasks {
        match orchestrator::differences(task, &options) {
            Ok(found) => {
                differences(&found, format)?;
                if !found.differences.is_empty() {
                    ended = ended.max(DIFFERS);
                }
            }
            Err(response) => {
                show::response_diagnostics(&source, &response);
                return answer(&response, Format::Yaml);
            }
        }
    }
    Ok(ended)
}

fn differences(found: &Differences, format: Listing) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        return writeln!(out, "{}", serde_json::to_string_pretty(found)?);
    }
    if found.differences.is_empty() {
        return writeln!(out, "{} is as the task wants it", found.database);
    }
    for difference in &found.differences {
        let sign = match difference.kind {
            DifferenceKind::Wanted => '~',
            DifferenceKind::NotWanted => '+',
        };
        writeln!(out, "{sign} {}: {}", difference.table, difference.what)?;
    }
    eprintln!("`producer db migrate TASK` makes it as the task wants it; with `--plan` it shows how");
    if found.differences.iter().any(|difference| difference.kind == DifferenceKind::NotWanted) {
        eprintln!("what is not in the task (`+`) stays, unless `--allow-destructive` takes it away");
    }
    Ok(())
}

async fn migrate(asked: &Migrate) -> Ended {
    let (source, tasks) = match read_task(&asked.task, asked.format)? {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    let allowed = allowed(Drift::Mended, asked.allow_destructive);
    let options = RunOptions { allowed, ..options(&asked.place, asked.output.as_deref(), "127.0.0.1:8080") };
    let mut ended = COMPLETED;
    for task in &tasks {
        if !asked.plan {
            ended = ended.max(answer_task(task, &source, &options, asked.format).await?);
            continue;
        }
        match orchestrator::pending(task, &options) {
            Ok(pending) if pending.is_empty() => writeln!(io::stdout().lock(), "nothing is to be done")?,
            Ok(pending) => io::stdout().lock().write_all(plan::print::pending(&pending).as_bytes())?,
            Err(response) => {
                show::response_diagnostics(&source, &response);
                ended = ended.max(answer(&response, asked.format)?);
            }
        }
    }
    Ok(ended)
}

fn undone(undone: &Undone, how: Undo) -> Ended {
    let mut out = io::stdout().lock();
    match (how, &undone.migrations[..]) {
        (_, []) => writeln!(out, "nothing is to be taken back in {}", undone.database)?,
        (Undo::Shown, migrations) => {
            out.write_all(plan::print::taken_back(migrations).as_bytes())?;
            undone.losses.iter().try_for_each(|loss| writeln!(out, "lost: {loss}"))?;
        }
        (Undo::WithoutLoss | Undo::WithLoss, migrations) => {
            for migration in migrations {
                writeln!(out, "{} is taken back in {}", migration.name, undone.database)?;
            }
            undone.losses.iter().try_for_each(|loss| writeln!(out, "lost: {loss}"))?;
        }
    }
    Ok(COMPLETED)
}

fn inspect(task: &str, place: &Place, format: Listing) -> Ended {
    let workspace = Workspace::new(&place.workspace);
    if task != "-" && !Path::new(task).exists() {
        inspection(&orchestrator::inspect_known(task, &workspace)?, format)?;
        return Ok(COMPLETED);
    }
    let (_, tasks) = match read_task(task, Format::Yaml)? {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    for task in &tasks {
        inspection(&orchestrator::inspect(task, &workspace)?, format)?;
    }
    Ok(COMPLETED)
}

fn inspection(found: &Inspection, format: Listing) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        return writeln!(out, "{}", serde_json::to_string_pretty(found)?);
    }
    writeln!(out, "{} ({}), {} tables", found.database, found.version, found.tables.len())?;
    found.tables.iter().try_for_each(|found| table(&mut out, found))
}

fn table(out: &mut impl io::Write, table: &ObservedTable) -> io::Result<()> {
    let comment = table.comment.as_ref().map_or_else(String::new, |comment| format!(" -- {comment}"));
    writeln!(out, "\n{}{comment}", table.name)?;
    for column in &table.columns {
        let mut line = format!("  {} {}", column.name, column.sql_type);
        if !matches!(column.collation.as_str(), "" | "default" | "BINARY") {
            line.push_str(&format!(", compared by {}", column.collation));
        }
        if column.nullability == Nullability::NotNull {
            line.push_str(", required");
        }
        if let Some(default) = &column.default {
            line.push_str(&format!(", default {default}"));
        }
        if let Some(comment) = &column.comment {
            line.push_str(&format!(" -- {comment}"));
        }
        writeln!(out, "{line}")?;
    }
    writeln!(out, "  primary key: {}", table.primary_key.join(", "))?;
    for columns in &table.unique {
        writeln!(out, "  unique: {}", columns.join(", "))?;
    }
    for key in &table.foreign_keys {
        let on_delete = key.on_delete.map_or("no action", plan::database::OnDelete::as_str);
        let (from, to) = (key.columns.join(", "), key.target.join(", "));
        writeln!(out, "  key: {from} -> {}.{to}, on delete {on_delete}", key.table)?;
    }
    for check in &table.checks {
        writeln!(out, "  check {}: {}", check.name, check.text)?;
    }
    for index in &table.indexes {
        let unique = if index.uniqueness == Uniqueness::Unique { "unique " } else { "" };
        writeln!(out, "  {unique}index {}: {}", index.name, index.columns.join(", "))?;
    }
    for trigger in &table.triggers {
        writeln!(out, "  trigger {}: {}", trigger.name, trigger.text.replace('\n', " "))?;
    }
    Ok(())
}
