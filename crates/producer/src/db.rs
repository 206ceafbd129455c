//! `producer db`: arguments come in; how a database differs from its task, what would be or was done to it, and what it holds go
//! to standard output. What happens is decided by the orchestrator.

use crate::arguments::{DbCommand, FindingsForm, Format, Listing, Migrate, Place};
use crate::backups;
use crate::pipeline::{self, COMPLETED, Ended, answer, answer_task, options, read_task};
use crate::show;
use orchestrator::{
    Allowed, DifferenceKind, Differences, Drift, Finding, Inspection, Loss, Mend, Optimization, Pending, RunOptions,
    Undo, Undone, Workspace,
};

use plan::database::permission::{Grant, Granted, ObservedPermissions, RowSecurity};
use plan::database::{Nullability, ObservedTable, Uniqueness};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::Path;
use vocab::Severity;

/// The database, or a drill, is not as its task wants it.
pub const DIFFERS: u8 = 4;
/// Something in the database could be better.
const FOUND: u8 = 5;

/// Does what was asked.
pub async fn command(asked: &DbCommand) -> Ended {
    match asked {
        DbCommand::Start(servers) => pipeline::start_servers(servers),
        DbCommand::Stop(servers) => pipeline::stop_servers(servers),
        DbCommand::Diff { task, place, format } => diff(task, place, *format),
        DbCommand::Migrate(migrate) => self::migrate(migrate).await,
        DbCommand::Undo { task, place, output, plan, allow_destructive, migration } => {
            let how = match (plan, allow_destructive) {
                (true, _) => Undo::Shown,
                (false, false) => Undo::WithoutLoss,
                (false, true) => Undo::WithLoss,
            };
            let options = options(place, output.as_deref(), "");
            undo(task, &options, how, migration.as_deref())
        }
        DbCommand::Backup { task, log, place, format } => backups::make(task, *log, place, *format),
        DbCommand::Backups { task, from, history, place, format } => {
            backups::list(task, place, from.as_deref(), *history, *format)
        }
        DbCommand::Restore(asked) => backups::restore(asked),
        DbCommand::Drill { task, backup, place, format } => backups::drill(task, backup.as_deref(), place, *format),
        DbCommand::Prune { task, plan, place, format } => backups::prune(task, place, *plan, *format),
        DbCommand::Inspect { task, place, format } => inspect(task, place, *format),
        DbCommand::Optimize { task, unused_after, place, format } => optimize(task, *unused_after, place, *format),
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
                if !found.is_empty() {
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
    if found.is_empty() {
        return writeln!(out, "{} is as the task wants it", found.database);
    }
    let sign = |kind| match kind {
        DifferenceKind::Wanted => '~',
        DifferenceKind::NotWanted => '+',
    };
    for difference in &found.differences {
        writeln!(out, "{} {}: {}", sign(difference.kind), difference.table, difference.what)?;
    }
    for difference in &found.permissions {
        writeln!(out, "{} {}", sign(difference.kind), difference.what)?;
    }
    out.write_all(plan::print::permissions(&found.statements).as_bytes())?;
    eprintln!("`producer db migrate TASK` makes it as the task wants it; with `--plan` it shows how");
    if found.has_unwanted() {
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
            Ok(pending) => show_pending(&pending)?,
            Err(response) => {
                show::response_diagnostics(&source, &response);
                ended = ended.max(answer(&response, asked.format)?);
            }
        }
    }
    Ok(ended)
}

fn show_pending(pending: &Pending) -> io::Result<()> {
    let migrations = plan::print::pending(&pending.migrations);
    let text = migrations + &plan::print::permissions(&pending.permissions);
    let text = if text.is_empty() { "nothing is to be done\n" } else { &text };
    io::stdout().lock().write_all(text.as_bytes())
}

fn undo(task: &str, options: &RunOptions, how: Undo, migration: Option<&str>) -> Ended {
    if !is_file(task) {
        undone(&orchestrator::undo(task, options, how, migration)?, how)?;
        return Ok(COMPLETED);
    }
    let (_, tasks) = match read_task(task, Format::Yaml)? {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    // What was made last is taken back first.
    for task in tasks.iter().rev() {
        let id = orchestrator::id_of(task, &options.workspace)?;
        undone(&orchestrator::undo(id.as_str(), options, how, migration)?, how)?;
    }
    Ok(COMPLETED)
}

/// Whether a task is named by its file, and not by its id.
pub fn is_file(task: &str) -> bool {
    task == "-" || Path::new(task).exists()
}

fn undone(undone: &Undone, how: Undo) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match (how, &undone.migrations[..]) {
        (_, []) => writeln!(out, "nothing is to be taken back in {}", undone.database)?,
        (Undo::Shown, migrations) => {
            out.write_all(plan::print::taken_back(migrations).as_bytes())?;
            undone.losses.iter().try_for_each(|loss| writeln!(out, "lost: {loss}"))?;
            undone.by_hand.iter().try_for_each(|change| writeln!(out, "changed since: {change}"))?;
        }
        (Undo::WithoutLoss | Undo::WithLoss, migrations) => {
            for migration in migrations {
                writeln!(out, "{} is taken back in {}", migration.name, undone.database)?;
            }
            undone.losses.iter().try_for_each(|loss| writeln!(out, "lost: {loss}"))?;
            undone.warnings.iter().for_each(|warning| eprintln!("producer: {warning}"));
        }
    }
    Ok(())
}

fn inspect(task: &str, place: &Place, format: Listing) -> Ended {
    let workspace = Workspace::new(&place.workspace);
    if !is_file(task) {
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

fn optimize(task: &str, unused_after: u32, place: &Place, format: FindingsForm) -> Ended {
    let workspace = Workspace::new(&place.workspace);
    if !is_file(task) {
        return Ok(optimization(&orchestrator::optimize_known(task, &workspace, unused_after)?, format)?);
    }
    let (_, tasks) = match read_task(task, Format::Yaml)? {
        Ok(read) => read,
        Err(status) => return Ok(status),
    };
    let mut ended = COMPLETED;
    for task in &tasks {
        ended = ended.max(optimization(&orchestrator::optimize(task, &workspace, unused_after)?, format)?);
    }
    Ok(ended)
}

fn optimization(found: &Optimization, format: FindingsForm) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let mut all = found.findings.iter().chain(&found.server);
    match format {
        FindingsForm::Json => writeln!(out, "{}", serde_json::to_string_pretty(found)?)?,
        FindingsForm::Text => {
            found.findings.iter().try_for_each(|finding| for_people(&mut out, finding))?;
            if !found.server.is_empty() {
                writeln!(out, "settings:")?;
            }
            found.server.iter().try_for_each(|finding| for_people(&mut out, finding))?;
        }
        FindingsForm::Sql => all.try_for_each(|finding| for_client(&mut out, finding))?,
    }
    if format == FindingsForm::Text {
        if found.is_empty() {
            writeln!(out, "nothing was found in {}", found.database)?;
        }
        found.unseen.iter().for_each(|unseen| eprintln!("not looked at: {unseen}"));
    }
    Ok(if found.is_empty() { COMPLETED } else { FOUND })
}

fn for_people(out: &mut impl io::Write, finding: &Finding) -> io::Result<()> {
    writeln!(out, "{} {} {}: {}", finding.code, word(finding.severity), finding.place, finding.message)?;
    writeln!(out, "  {}", finding.why)?;
    if let Some(trial) = &finding.trial {
        let how = match (trial.cost, trial.cost_with_index) {
            (Some(cost), Some(with_index)) => format!("costs {cost}, and {with_index} with the index (hypopg)"),
            (Some(cost), None) => format!("costs {cost}"),
            (None, _) if trial.reads_all => "reads the whole table".to_owned(),
            (None, _) => "is served by another index".to_owned(),
        };
        writeln!(out, "  EXPLAIN {}: it {how}", trial.statement)?;
    }
    match &finding.mend {
        Mend::Statements(statements) => {
            statements.iter().try_for_each(|statement| writeln!(out, "    {};", statement.replace('\n', "\n    ")))
        }
        Mend::Setting(setting) => writeln!(out, "    {setting}"),
        Mend::ByHand(way) => writeln!(out, "  {way}"),
    }
}

/// What is no statement is a comment, in a form that every engine's client knows.
fn for_client(out: &mut impl io::Write, finding: &Finding) -> io::Result<()> {
    let comment = |text: &str| text.replace(char::is_control, " ");
    writeln!(out, "-- {} {}: {}", finding.code, comment(&finding.place), comment(&finding.message))?;
    match &finding.mend {
        Mend::Statements(statements) => statements.iter().try_for_each(|statement| writeln!(out, "{statement};")),
        Mend::Setting(way) | Mend::ByHand(way) => writeln!(out, "-- {}", comment(way)),
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

fn inspection(found: &Inspection, format: Listing) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        return writeln!(out, "{}", serde_json::to_string_pretty(found)?);
    }
    writeln!(out, "{} ({}), {} tables", found.database, found.version, found.tables.len())?;
    found.tables.iter().try_for_each(|found| table(&mut out, found))?;
    found.permissions.iter().try_for_each(|found| permissions(&mut out, found))
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

fn permissions(out: &mut impl io::Write, found: &ObservedPermissions) -> io::Result<()> {
    for role in &found.roles {
        let mark = role.mark.iter().filter(|mark| !mark.is_empty());
        let mark: String = mark.map(|mark| format!(" -- {mark}")).collect();
        writeln!(out, "\nrole {}{mark}", role.name)?;
        writeln!(out, "  {}", if role.may_log_in { "logs in" } else { "cannot log in" })?;
        for power in &role.powers {
            writeln!(out, "  on the whole server: {power}")?;
        }
        for other in &role.member_of {
            writeln!(out, "  member of {other}")?;
        }
        for setting in &role.settings {
            writeln!(out, "  setting {setting}")?;
        }
        let owned: Vec<&str> =
            found.owners.iter().filter(|(_, owner)| *owner == role.name).map(|(table, _)| table.as_str()).collect();
        if !owned.is_empty() {
            writeln!(out, "  owns {}", owned.join(", "))?;
        }
        grants(out, &role.grants)?;
    }
    if !found.everybody.is_empty() {
        writeln!(out, "\neverybody")?;
        grants(out, &found.everybody)?;
    }
    found.row_security.iter().try_for_each(|security| row_security(out, security))
}

/// What may be done with one thing is on one line.
fn grants(out: &mut impl io::Write, grants: &BTreeSet<Grant>) -> io::Result<()> {
    let mut by_target: BTreeMap<&Granted, Vec<String>> = BTreeMap::new();
    for grant in grants {
        let how = if grant.may_be_handed_on { " (and hand that on)" } else { "" };
        by_target.entry(&grant.on).or_default().push(format!("{}{how}", grant.privilege));
    }
    by_target.iter().try_for_each(|(on, privileges)| writeln!(out, "  {on}: {}", privileges.join(", ")))
}

fn row_security(out: &mut impl io::Write, security: &RowSecurity) -> io::Result<()> {
    let state = match (security.is_on, security.is_forced) {
        (false, _) => "off",
        (true, false) => "on",
        (true, true) => "on, for the owner too",
    };
    writeln!(out, "\nrow security of {}: {state}", security.table)?;
    for policy in &security.policies {
        let kind = if policy.is_permissive { "allows" } else { "forbids all but" };
        write!(out, "  policy {}: {kind} {} for {}", policy.name, policy.command, policy.roles.join(", "))?;
        policy.using.iter().try_for_each(|rows| write!(out, ", rows {rows}"))?;
        policy.check.iter().try_for_each(|rows| write!(out, ", new rows {rows}"))?;
        writeln!(out)?;
    }
    Ok(())
}
