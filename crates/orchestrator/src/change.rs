//! What `producer db` answers besides carrying a task out: how a database differs from what its task wants, what it holds, what
//! would be done to it, and the taking back of what was done last. Looking changes nothing.

use crate::base::standing;
use crate::failure::Failure;
use crate::granted;
use crate::interrupted::half_done;
use crate::located::{Located, locate};
use crate::observe::others;
use crate::response::{Response, Status};
use crate::roles::{self, PermissionDrift};
use crate::run::{Planned, RunOptions, Stop, files, identify, now, plan_task, stopped, task_folder, write};
use crate::status::StatusFailure;
use crate::workspace::Workspace;
use dialect::change::{Conversion, conversion};
use plan::database::permission::{ObservedPermissions, PermissionStatement};
use plan::database::{ColumnPresent, Connection, ObservedTable, Table};
use plan::service::ServicePlan;
use plan::{DatabasePlan, Migration, PersistedPlan, TaskPlan};
use planner::{Allowed, Drift, Loss};
use serde::Serialize;
use spec::Task;
use std::collections::BTreeMap;
use store::{Database, Seen, StoreError};
use vocab::{Engine, TaskId};

/// How a database differs from what its task wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// The database, for people.
    pub database: String,
    /// Each difference of its tables; none when they are as the task wants them.
    pub differences: Vec<Difference>,
    /// Each difference in who may do what.
    pub permissions: Vec<PermissionDifference>,
    /// What mends those in who may do what, but for what is not in the task.
    pub statements: Vec<PermissionStatement>,
}

impl Differences {
    /// Whether the database is as the task wants it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty() && self.permissions.is_empty()
    }

    /// Whether it holds what stays unless losses are allowed.
    #[must_use]
    pub fn has_unwanted(&self) -> bool {
        let of_tables = self.differences.iter().map(|difference| difference.kind);
        let mut kinds = of_tables.chain(self.permissions.iter().map(|difference| difference.kind));
        kinds.any(|kind| kind == DifferenceKind::NotWanted)
    }
}

/// A difference in who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PermissionDifference {
    /// Whether it is mended with the rest.
    pub kind: DifferenceKind,
    /// In words.
    pub what: String,
}

/// What carrying a task out would do to its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The migrations, in order.
    pub migrations: Vec<Migration>,
    /// After them: who may do what.
    pub permissions: Vec<PermissionStatement>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Which side has it.
    pub kind: DifferenceKind,
    /// In words.
    pub what: String,
}

/// Which side has what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The task wants it, and it is missing or another one.
    Wanted,
    /// It is there, and no task wants it.
    NotWanted,
}

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The database, for people.
    pub database: String,
    /// The engine with its version.
    pub version: String,
    /// Its tables.
    pub tables: Vec<ObservedTable>,
    /// Who may do what in it, as the server says; none where the engine has no roles.
    pub permissions: Option<ObservedPermissions>,
}

/// What was or would be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The database, for people.
    pub database: String,
    /// The migrations, in the order in which they are taken back.
    pub migrations: Vec<Migration>,
    /// What goes with them, in words.
    pub losses: Vec<String>,
    /// How the database is not as the migrations have left it.
    pub by_hand: Vec<String>,
    /// What could not be done besides, in words.
    pub warnings: Vec<String>,
}

/// Whether something is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// It is shown.
    Shown,
    /// It is done, unless something would be lost.
    WithoutLoss,
    /// It is done, and what is named is lost.
    WithLoss,
}

/// Why a command could not answer.
#[derive(Debug, thiserror::Error)]
pub enum ChangeFailure {
    /// The workspace knows no such task.
    #[error(transparent)]
    Unknown(#[from] StatusFailure),
    /// The task, the workspace or the database does not let it.
    #[error("{}", told(.0))]
    Failed(Box<Failure>),
    /// It would do what nobody has allowed.
    #[error("{0}")]
    Refused(String),
}

fn told(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{failure}; {hint}"),
        None => failure.to_string(),
    }
}

impl From<Stop> for ChangeFailure {
    fn from(stop: Stop) -> Self {
        let response = stopped(None, stop);
        match response.error {
            Some(failure) => Self::Failed(Box::new(failure)),
            None => Self::Refused("nothing is known of it".to_owned()),
        }
    }
}

impl From<crate::workspace::WorkspaceFailure> for ChangeFailure {
    fn from(failure: crate::workspace::WorkspaceFailure) -> Self {
        Stop::from(failure).into()
    }
}

/// Compares what the task wants with what the server holds.
///
/// # Errors
/// The response that says why there is nothing to compare.
pub fn differences(task: &Task, options: &RunOptions) -> Result<Differences, Box<Response>> {
    let allowed = Allowed { drift: Drift::Mended, loss: Loss::Allowed };
    let options = RunOptions { allowed, ..options.clone() };
    let Planned { plan, .. } = plan_task(task, &options, &[])?;
    let task_id = plan.task_id().clone();
    compare(&plan, &task_id, &options.workspace).map_err(|stop| Box::new(stopped(Some(task_id.to_string()), stop)))
}

fn compare(plan: &TaskPlan, task_id: &TaskId, workspace: &Workspace) -> Result<Differences, Stop> {
    let wanted = plan.database();
    let (database, seen) = look(workspace, wanted.engine, &wanted.connection, task_id)?;
    let others = others(workspace, task_id, wanted.engine, &wanted.connection)?;
    let mut differences = Vec::new();
    let mut push = |table: &str, kind, what| differences.push(Difference { table: table.to_owned(), kind, what });
    for table in &wanted.tables {
        let described = dialect::described(wanted.engine, table);
        let Some(found) = seen.tables.iter().find(|found| found.name == described.name) else {
            push(&described.name, DifferenceKind::Wanted, "the table is missing".to_owned());
            continue;
        };
        for what in described.lacking(found) {
            push(&described.name, DifferenceKind::Wanted, what);
        }
        let elsewhere: Vec<String> = others
            .iter()
            .filter(|other| other.name == table.name)
            .flat_map(|other| described.strangers(&dialect::described(wanted.engine, other)))
            .collect();
        for what in described.strangers(found).into_iter().filter(|what| !elsewhere.contains(what)) {
            push(&described.name, DifferenceKind::NotWanted, format!("{what} is not in the task"));
        }
    }
    let active = workspace.active_plan(task_id).ok().flatten();
    for gone in active.iter().flat_map(|active| &active.plan.database().tables) {
        let is_wanted = wanted.tables.iter().chain(&others).any(|table| table.name == gone.name);
        if !is_wanted && seen.tables.iter().any(|found| found.name == gone.name.as_str()) {
            push(gone.name.as_str(), DifferenceKind::NotWanted, "the table is no longer in the task".to_owned());
        }
    }
    let PermissionDrift { differences: mended, statements, barriers } = roles::drift(workspace, &database, plan)?;
    let of_kind = |kind| move |what| PermissionDifference { kind, what };
    let permissions = mended.into_iter().map(of_kind(DifferenceKind::Wanted));
    let unwanted = barriers.into_iter().map(|(what, _)| what).map(of_kind(DifferenceKind::NotWanted));
    let permissions = permissions.chain(unwanted).collect();
    Ok(Differences { database: database.place(), differences, permissions, statements })
}

/// What carrying the task out would do to its database.
///
/// # Errors
/// The response that says why there is no plan.
pub fn pending(task: &Task, options: &RunOptions) -> Result<Pending, Box<Response>> {
    let Planned { plan, .. } = plan_task(task, options, &[])?;
    let told = |stop| Box::new(stopped(Some(plan.task_id().to_string()), stop));
    let database = plan.database();
    let mut pending = Pending { migrations: Vec::new(), permissions: Vec::new() };
    for (scope, migrations) in plan.migrations() {
        let (place, seen) = look(&options.workspace, database.engine, &database.connection, scope).map_err(told)?;
        let is_new = |migration: &&Migration| !seen.applied.contains(&(*migration).into());
        pending.migrations.extend(migrations.iter().filter(is_new).cloned());
        if scope == plan.task_id() {
            let drift = roles::drift(&options.workspace, &place, &plan).map_err(|failure| told(failure.into()))?;
            pending.permissions = drift.statements;
            match options.allowed.loss {
                Loss::Allowed => pending.permissions.extend(drift.barriers.into_iter().map(|(_, statement)| statement)),
                Loss::Refused => {}
            }
        }
    }
    Ok(pending)
}

/// What the database of a task holds.
///
/// # Errors
/// [`ChangeFailure`] when it cannot be looked at.
pub fn inspect(task: &Task, workspace: &Workspace) -> Result<Inspection, ChangeFailure> {
    let (task_id, engine, connection) = place(task, workspace)?;
    inspection(workspace, engine, &connection, &task_id)
}

/// Where the database of a task is.
pub(crate) fn place(task: &Task, workspace: &Workspace) -> Result<(TaskId, Engine, Connection), ChangeFailure> {
    let task_id = identify(task, workspace)?;
    let standing = standing(task, &task_id, workspace, &[])?;
    let (engine, connection) = planner::database_of(task, standing.base.as_ref());
    Ok((task_id, engine, connection))
}

/// The id that a task has in a workspace.
///
/// # Errors
/// [`ChangeFailure`] when the workspace cannot be read.
pub fn id_of(task: &Task, workspace: &Workspace) -> Result<TaskId, ChangeFailure> {
    Ok(identify(task, workspace)?)
}

/// What the database of a task that was carried out holds.
///
/// # Errors
/// [`ChangeFailure`] when there is no such task, or the database cannot be looked at.
pub fn inspect_known(id: &str, workspace: &Workspace) -> Result<Inspection, ChangeFailure> {
    let (task_id, active) = known(id, workspace)?;
    let database = active.plan.database();
    inspection(workspace, database.engine, &database.connection, &task_id)
}

fn inspection(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
    task_id: &TaskId,
) -> Result<Inspection, ChangeFailure> {
    let (database, seen) = look(workspace, engine, connection, task_id)?;
    let permissions = database.everybodys_permissions();
    let permissions = permissions.map_err(|error| Stop::from(Failure::permissions(&error, &database)))?;
    Ok(Inspection { database: database.place(), version: seen.version, tables: seen.tables, permissions })
}

fn look(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
    scope: &TaskId,
) -> Result<(Database, Seen), Stop> {
    let database = match locate(workspace, engine, connection)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(Stop::Asks(failure)),
    };
    let seen = database.look(scope.as_str()).map_err(|error| Failure::database(&error, &database))?;
    Ok((database, seen))
}

pub(crate) fn known(id: &str, workspace: &Workspace) -> Result<(TaskId, PersistedPlan), ChangeFailure> {
    let task_id = named(id, workspace)?;
    let active = workspace.active_plan(&task_id)?.ok_or_else(|| never_carried_out(&task_id))?;
    Ok((task_id, active))
}

/// The service that a task of the workspace integrates.
///
/// # Errors
/// [`ChangeFailure`] when there is no such task, or it integrates none.
pub fn active_service(workspace: &Workspace, id: &str) -> Result<ServicePlan, ChangeFailure> {
    let (_, active) = known(id, workspace)?;
    let service = active.plan.service().cloned();
    service.ok_or_else(|| ChangeFailure::Refused(format!("task `{id}` integrates no service")))
}

fn named(id: &str, workspace: &Workspace) -> Result<TaskId, ChangeFailure> {
    let status = crate::status::status(workspace, id)?;
    TaskId::parse(&status.task_id).map_err(|_| ChangeFailure::Refused(format!("`{id}` is no task's id")))
}

fn never_carried_out(id: &TaskId) -> ChangeFailure {
    ChangeFailure::Refused(format!("no plan of task `{id}` is active: `producer run` carries it out"))
}

/// The plan of which something is to be taken back: one that a run was stopped in, else the active one.
fn last(task_id: &TaskId, workspace: &Workspace) -> Result<(PersistedPlan, Database, Seen), ChangeFailure> {
    let active = workspace.active_plan(task_id)?;
    let plans = workspace.persisted_plans(task_id)?;
    let newest = active.as_ref().or(plans.first().map(|(_, persisted)| persisted));
    let place = newest.ok_or_else(|| never_carried_out(task_id))?.plan.database();
    let (database, seen) = look(workspace, place.engine, &place.connection, task_id)?;
    let last = match half_done(&seen, plans.into_iter().map(|(_, persisted)| persisted)) {
        Some(stopped) => stopped,
        None => active.ok_or_else(|| never_carried_out(task_id))?,
    };
    Ok((last, database, seen))
}

/// Takes back what the last plan has added to the plan before it, or everything where there was none. One that a run was stopped in
/// is the last, whether it is active or not.
///
/// # Errors
/// [`ChangeFailure`] when something cannot be taken back, would be lost without leave, is used by another task, or is not what
/// `migration` names. The database is as it was then, or the failure says what of it is not.
pub fn undo(id: &str, options: &RunOptions, how: Undo, migration: Option<&str>) -> Result<Undone, ChangeFailure> {
    let workspace = &options.workspace;
    let _lock = workspace.lock(|| ())?;
    let task_id = named(id, workspace)?;
    let (last, database, seen) = last(&task_id, workspace)?;
    let after = &own(&last.plan);
    let before = plan_before(workspace, &task_id, after)?;
    let kept = before.as_ref().map_or(0, |(_, before)| before.plan.database().migrations.len());
    let is_there = |migration: &&Migration| {
        let noted = (*migration).into();
        seen.applied.contains(&noted) || seen.begun.contains(&noted)
    };
    let applied: Vec<Migration> = after.migrations[kept..].iter().filter(is_there).cloned().collect();
    must_be_meant(workspace, &task_id, &applied, &seen, migration)?;
    // Of one that was stopped half way the database says itself what is done.
    let mut whole = applied.iter().rev().filter(|migration| seen.applied.contains(&(*migration).into()));
    if let Some((statement, why)) = whole.find_map(Migration::impossible_to_undo) {
        return Err(ChangeFailure::Refused(format!("it cannot be taken back: {why} ({})", statement.why)));
    }
    let remaining: &[Table] = before.as_ref().map_or(&[], |(_, before)| &before.plan.database().tables);
    used_elsewhere(workspace, &task_id, after, remaining)?;
    let losses = losses(after, remaining, &applied, &seen);
    let by_hand = if applied.is_empty() { Vec::new() } else { changed_by_hand(after, &seen) };
    let migrations = applied.iter().rev().cloned().collect();
    let mut undone = Undone { database: database.place(), migrations, losses, by_hand, warnings: Vec::new() };
    match how {
        Undo::Shown => return Ok(undone),
        Undo::WithoutLoss if !undone.losses.is_empty() => {
            let losses = undone.losses.join(", ");
            let message = format!("{losses} would be lost; `--allow-destructive` allows it, `--plan` shows how");
            return Err(ChangeFailure::Refused(message));
        }
        Undo::WithoutLoss | Undo::WithLoss => {}
    }
    database.undo(task_id.as_str(), &applied, &now()).map_err(|error| match error {
        StoreError::Refused(why) if !undone.by_hand.is_empty() => ChangeFailure::Refused(not_as_left(&undone, &why)),
        error => Stop::from(Failure::migration(&error, &database)).into(),
    })?;
    let remaining = remaining_of(last.plan, &before);
    return_to(workspace, &task_id, before, &database, options)?;
    if let Err(failure) = roles::narrow(workspace, &database, &remaining) {
        undone.warnings.push(format!("the roles may still do what they needed before: {failure}"));
    }
    granted::rewrite(&remaining, &database, options, &mut undone.warnings)?;
    Ok(undone)
}

/// The plan before; where there was none, the last one without tables of its own.
fn remaining_of(mut last: TaskPlan, before: &Option<(u32, PersistedPlan)>) -> TaskPlan {
    match (before, &mut last) {
        (Some((_, before)), _) => return before.plan.clone(),
        (None, TaskPlan::Database(plan)) => plan.database.tables.clear(),
        (None, TaskPlan::Api(_)) => {}
    }
    last
}

/// What somebody has taken away or made another since the plan was carried out.
fn changed_by_hand(after: &DatabasePlan, seen: &Seen) -> Vec<String> {
    let described = after.tables.iter().map(|table| dialect::described(after.engine, table));
    described
        .flat_map(|wanted| match seen.tables.iter().find(|found| found.name == wanted.name) {
            None => vec![format!("table `{}` is missing", wanted.name)],
            Some(found) => {
                wanted.lacking(found).into_iter().map(|what| format!("table `{}`: {what}", wanted.name)).collect()
            }
        })
        .collect()
}

fn not_as_left(undone: &Undone, why: &str) -> String {
    format!(
        "nothing was taken back in {}: it is not as the last run has left it: {}; the database refused: {why}. Change that back and undo \
         again, or leave it so and go on from what is there: `producer db migrate TASK`, with the task as it was before",
        undone.database,
        undone.by_hand.join("; ")
    )
}

/// A run that failed has left nothing: what would be taken back is an earlier one's, and nobody has named that.
fn must_be_meant(
    workspace: &Workspace,
    task_id: &TaskId,
    applied: &[Migration],
    seen: &Seen,
    named: Option<&str>,
) -> Result<(), ChangeFailure> {
    let Some(last) = applied.last() else { return Ok(()) };
    let refused = |message: String| Err(ChangeFailure::Refused(message));
    match named {
        Some(name) if applied.iter().all(|migration| migration.name != name) => {
            refused(format!("`{name}` is not what would be taken back: that is `{}`", last.name))
        }
        Some(_) => Ok(()),
        None => {
            let has_failed = workspace.last_end(task_id)?.is_some_and(|end| end.status == Status::Failed.as_str());
            if !has_failed || !seen.begun.is_empty() {
                return Ok(());
            }
            refused(format!(
                "the last run of `{task_id}` failed and has left nothing in the database; what would be taken back is `{0}`, which an \
                 earlier one applied: `producer db undo {task_id} --migration {0}` does so",
                last.name
            ))
        }
    }
}

/// The database without what another task has made, which an API may stand on.
fn own(plan: &TaskPlan) -> DatabasePlan {
    let mut database = plan.database().clone();
    if let Some(base) = plan.api().and_then(|plan| plan.base.as_ref()) {
        database.tables.retain(|table| !base.database.tables.iter().any(|other| other.name == table.name));
    }
    database
}

/// The newest plan that the migrations of this one go on from.
fn plan_before(
    workspace: &Workspace,
    task_id: &TaskId,
    after: &DatabasePlan,
) -> Result<Option<(u32, PersistedPlan)>, ChangeFailure> {
    let is_before = |before: &DatabasePlan| {
        before.migrations.len() < after.migrations.len() && after.migrations.starts_with(&before.migrations)
    };
    let mut plans = workspace.persisted_plans(task_id)?.into_iter();
    Ok(plans.find(|(_, persisted)| is_before(persisted.plan.database())))
}

/// Other tasks stand on what would go.
fn used_elsewhere(
    workspace: &Workspace,
    task_id: &TaskId,
    after: &DatabasePlan,
    remaining: &[Table],
) -> Result<(), ChangeFailure> {
    for other in workspace.task_ids()?.iter().filter(|other| *other != task_id) {
        let Some(active) = workspace.active_plan(other).ok().flatten() else { continue };
        let database = active.plan.database();
        if (database.engine, &database.connection) != (after.engine, &after.connection) {
            continue;
        }
        for (table, column) in gone(after, remaining) {
            let used = database.tables.iter().find(|used| used.name == table.name);
            let is_used = used.is_some_and(|used| {
                column.is_none_or(|column| used.columns.iter().any(|known| known.name.as_str() == column))
            });
            if is_used {
                let what = column.map_or_else(
                    || format!("table `{}`", table.name),
                    |column| format!("column `{column}` of table `{}`", table.name),
                );
                return Err(ChangeFailure::Refused(format!("task `{other}` stands on {what}: undo that task first")));
            }
        }
    }
    Ok(())
}

/// What would no longer be there: a table, or a column of one.
fn gone<'p>(after: &'p DatabasePlan, remaining: &[Table]) -> Vec<(&'p Table, Option<&'p str>)> {
    let mut gone = Vec::new();
    for table in &after.tables {
        match remaining.iter().find(|other| other.name == table.name) {
            None => gone.push((table, None)),
            Some(other) => {
                let is_gone = |name: &&str| !other.columns.iter().any(|known| known.name.as_str() == *name);
                let names = table.columns.iter().map(|column| column.name.as_str());
                gone.extend(names.filter(is_gone).map(|name| (table, Some(name))));
            }
        }
    }
    gone
}

/// What rows would lose. A table without rows loses nothing.
fn losses(after: &DatabasePlan, remaining: &[Table], migrations: &[Migration], seen: &Seen) -> Vec<String> {
    let is_filled = |table: &Table| seen.filled.iter().any(|name| name == table.name.as_str());
    let renamed = renamed(migrations);
    let was_renamed = |table: &Table, column: Option<&str>| {
        renamed
            .iter()
            .any(|there| there.table == table.name && column.is_none_or(|column| column == there.column.as_str()))
    };
    let mut losses: Vec<String> = gone(after, remaining)
        .into_iter()
        .filter(|(table, _)| is_filled(table))
        .filter(|(table, column)| !was_renamed(table, *column))
        .map(|(table, column)| match column {
            None => format!("table `{}` with its rows", table.name),
            Some(column) => format!("column `{column}` of table `{}` with what it holds", table.name),
        })
        .collect();
    for table in after.tables.iter().filter(|table| is_filled(table)) {
        let Some(before) = remaining.iter().find(|other| other.name == table.name) else { continue };
        for column in &table.columns {
            let Some(other) = before.columns.iter().find(|other| other.name == column.name) else { continue };
            if let Conversion::Loses(what) = conversion(&column.field_type, &other.field_type) {
                losses.push(format!("{what} of column `{}` of table `{}`", column.name, table.name));
            }
        }
    }
    losses
}

/// What the migrations gave another name: a table by its first column, or a column of one.
fn renamed(migrations: &[Migration]) -> Vec<&ColumnPresent> {
    let statements = migrations.iter().flat_map(|migration| &migration.statements);
    statements
        .filter(|statement| matches!(statement.undo, plan::database::Undo::OldName(_)))
        .filter_map(|statement| statement.unless.as_ref())
        .collect()
}

/// The plan before is the active one again, and its files are in place.
fn return_to(
    workspace: &Workspace,
    task_id: &TaskId,
    before: Option<(u32, PersistedPlan)>,
    database: &Database,
    options: &RunOptions,
) -> Result<(), ChangeFailure> {
    let files = match &before {
        Some((version, persisted)) => {
            workspace.activate(task_id, *version)?;
            files(&persisted.plan, database, workspace)?
        }
        None => {
            workspace.deactivate(task_id)?;
            BTreeMap::new()
        }
    };
    write(&task_folder(task_id, options), &files, workspace, task_id, &mut Vec::new())?;
    Ok(())
}
