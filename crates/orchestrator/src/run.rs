//! One task from text to response. Nothing outside the scratch database is touched before the plan has proved itself on it,
//! and the plan becomes the active one last: a run that is killed anywhere leaves the previous state usable, and the next
//! run finishes the work.

use crate::database;
use crate::failure::Failure;
use crate::instances;
use crate::located::{Located, locate};
use crate::response::{CheckOutcome, DatabaseState, Metadata, Output, Response, ServingState, Status, Verification};
use crate::serving::{routes, running_server};
use crate::verify;
use crate::workspace::{Changed, TaskEnd, Workspace, WorkspaceFailure};
use apply::{FileOutcome, migrate, remove_stale, write_files};
use catalog::Catalog;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use plan::database::Connection;
use plan::persisted::FORMAT;
use plan::{Observed, PersistedPlan, Phase, Plan, TaskPlan, Trigger};
use spec::{Environment, Specification, Task};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{Database, Seen, Store, StoreError, Trouble};
use vocab::{Diagnostic, Engine, TaskId, sha256_hex};

/// How long a running server may take to serve a plan that became active, and how often it is looked at meanwhile.
const TAKE_OVER: Duration = Duration::from_secs(2);
const TAKE_OVER_PAUSE: Duration = Duration::from_millis(20);

/// Where a run puts things.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The workspace.
    pub workspace: Workspace,
    /// The folder that gets the task's folder.
    pub output: PathBuf,
    /// The address that `serve` listens at by default, for the URLs of the response.
    pub listen: String,
    /// What to think of dependencies that the workspace does not know.
    pub unknown_dependencies: UnknownDependencies,
}

/// What to think of a dependency that the workspace does not know: another producer's, perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownDependencies {
    /// Whoever sent the task has seen to it.
    TakenToBeDone,
    /// The task waits.
    WaitedFor,
}

/// Hears what a run is at.
pub type Progress<'a> = &'a (dyn Fn(Phase, &str) + Sync);

/// A plan that was made and not carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: TaskPlan,
    /// SHA-256 of the task's content, lower-case hex.
    pub task_hash: String,
}

/// Why a task did not even get a plan, or did not come through.
pub(crate) enum Stop {
    Invalid(Vec<Diagnostic>),
    Workspace(WorkspaceFailure),
    World(Box<Failure>),
}

impl From<WorkspaceFailure> for Stop {
    fn from(failure: WorkspaceFailure) -> Self {
        Self::Workspace(failure)
    }
}

impl From<Box<Failure>> for Stop {
    fn from(failure: Box<Failure>) -> Self {
        Self::World(failure)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::World(Box::new(failure))
    }
}

/// Plans a task without any effect.
///
/// # Errors
/// The response that says why there is no plan.
pub fn plan_task(task: &Task, options: &RunOptions) -> Result<Planned, Box<Response>> {
    make_plan(task, &options.workspace).map_err(|stop| {
        let id = task.task_id.as_ref().map(ToString::to_string);
        Box::new(Response::failed(id, now(), failure(stop, &options.workspace)))
    })
}

/// Carries a task out and answers it.
pub async fn run_task(task: &Task, options: &RunOptions, progress: Progress<'_>) -> Response {
    let begun = Instant::now();
    let started_at = now();
    let mut response = match attempt(task, options, progress).await {
        Ok(response) => response,
        Err((id, stop)) => {
            Response::failed(id.map(|id| id.to_string()), started_at.clone(), failure(stop, &options.workspace))
        }
    };
    response.started_at = started_at;
    response.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(id) = response.task_id.as_ref().and_then(|id| TaskId::parse(id).ok()) {
        keep_end(&id, &mut response, options);
    }
    response
}

/// Leaves word of how the task ended, for `status` and in the task's folder. The response goes out all the same.
fn keep_end(task_id: &TaskId, response: &mut Response, options: &RunOptions) {
    let folder = task_folder(task_id, options);
    let end = TaskEnd {
        status: response.status.as_str().to_owned(),
        at: now(),
        error: response.error.as_ref().map(ToString::to_string),
        warnings: response.warnings.clone(),
        folder: Some(std::path::absolute(&folder).unwrap_or_else(|_| folder.clone())),
    };
    let changed = if response.changed { Changed::Something } else { Changed::Nothing };
    if let Err(error) = options.workspace.note_end(task_id, &end, changed) {
        response.warnings.push(format!("how the task ended was not noted: {error}"));
    }
    // A folder that says how an older run ended must not go on saying so.
    if response.status != Status::Completed && !folder.is_dir() {
        return;
    }
    if let Ok(text) = response.to_yaml()
        && let Err(error) = apply::write_atomically(&folder.join("response.yaml"), text.as_bytes())
    {
        response.warnings.push(format!("response.yaml was not written: {error}"));
    }
}

pub(crate) fn task_folder(task_id: &TaskId, options: &RunOptions) -> PathBuf {
    options.output.join(format!("task_{task_id}"))
}

async fn attempt(
    task: &Task,
    options: &RunOptions,
    progress: Progress<'_>,
) -> Result<Response, (Option<TaskId>, Stop)> {
    let workspace = &options.workspace;
    let given = task.task_id.clone();
    let waiting = || progress(Phase::DesignApiArchitecture, "waiting for another run in this workspace");
    let _lock = workspace.lock(waiting).map_err(|failure| (given.clone(), failure.into()))?;

    // Known from now on, whatever becomes of it: what depends on it waits.
    if let Some(task_id) = &given {
        workspace
            .remember(task_id, &task.text, &sha256_hex(task.text.as_bytes()))
            .map_err(|failure| (given.clone(), failure.into()))?;
    }
    let (engine, connection) = planner::database_of(task);
    let ready = |doing: &str| progress(Phase::ProvisionDatabaseInstance, doing);
    instances::start(workspace, engine, &connection, &ready).map_err(|failure| (given.clone(), failure.into()))?;
    if let Ok(Located::At(database)) = locate(workspace, engine, &connection) {
        must_be_private(task, &database).map_err(|failure| (given.clone(), failure.into()))?;
        // A server that lets nobody in after that says so when it is looked at.
        let _ = database.wait(&ready);
    }
    progress(Phase::DesignApiArchitecture, "planning");
    let planned = make_plan(task, workspace).map_err(|stop| (given, stop))?;
    let task_id = planned.plan.task_id().clone();
    let Planned { plan, task_hash } = planned;
    let carried_out = match plan {
        TaskPlan::Database(plan) => database::carry_out(task, plan, task_hash, options, progress),
        TaskPlan::Api(plan) => carry_out(task, *plan, task_hash, options, progress).await,
    };
    carried_out.map_err(|stop| (Some(task_id), stop))
}

async fn carry_out(
    task: &Task,
    plan: Plan,
    task_hash: String,
    options: &RunOptions,
    progress: Progress<'_>,
) -> Result<Response, Stop> {
    let workspace = &options.workspace;
    let task_id = &plan.task_id.clone();
    let folder = task_folder(task_id, options);
    let mut warnings = Vec::new();
    if let Some(waiting_for) = unmet_dependency(task, options, &mut warnings)? {
        return Ok(waiting(task_id, waiting_for, warnings));
    }
    check_routes(&plan, workspace)?;
    let openapi = emit::openapi(&[&plan]);
    let files = emit::files(&plan).map_err(|error| Failure::application(&error))?;

    progress(Phase::ImplementEndpointLogic, "proving the plan on a scratch database");
    let mut verification = verify::on_scratch(&plan, &openapi, &now()).await;
    if let Some(failed) = first_failure(&verification) {
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), Failure::unproved(failed));
        response.verification = verification;
        return Ok(response);
    }

    let active = workspace.active_plan(task_id).ok().flatten();
    let planner_version = planner::VERSION.to_owned();
    let planned = TaskPlan::Api(Box::new(plan.clone()));
    let persisted = PersistedPlan { format: FORMAT, planner_version, task_hash, plan: planned };
    let plan = &plan;
    workspace.remember(task_id, &task.text, &persisted.task_hash)?;
    let is_new_plan = active.as_ref() != Some(&persisted);
    let version = if is_new_plan { Some(workspace.persist(task_id, &persisted)?) } else { None };

    progress(Phase::CreateSchemaAndTables, "migrating the database");
    let store = workspace.open_database()?;
    let migrated = migrate(&store, task_id, &plan.database, &now())
        .map_err(|error| Failure::migration(&error, &workspace.database_file()))?;

    progress(Phase::CreateApiDocumentation, "writing files");
    let wrote = write(&folder, &files, workspace, task_id, &mut warnings)?;

    progress(Phase::ProvisionDatabaseInstance, "reading back what was made");
    verification.extend(verify::on_live(plan, &store, &openapi).await);
    verification.extend(verify::not_tried(plan));
    verification.sort_by_key(|check| check.phase);
    if let Some(failed) = first_failure(&verification) {
        let failure = Failure::not_live(failed, &workspace.database_file());
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), failure);
        response.warnings = warnings;
        response.verification = verification;
        return Ok(response);
    }
    if let Some(version) = version {
        workspace.activate(task_id, version)?;
    }
    let output = output(plan, options, &folder, &store, &verification);
    Ok(Response {
        status: Status::Completed,
        task_id: Some(task_id.to_string()),
        output: Some(output),
        changed: is_new_plan || wrote || !migrated.is_empty(),
        warnings,
        verification,
        files: files.keys().cloned().collect(),
        started_at: String::new(),
        duration_ms: 0,
        error: None,
    })
}

fn make_plan(task: &Task, workspace: &Workspace) -> Result<Planned, Stop> {
    let catalog =
        Catalog::built_in().unwrap_or_else(|error| unreachable!("a test loads the built-in catalogue: {error}"));
    let task_hash = sha256_hex(task.text.as_bytes());
    let task_id = match &task.task_id {
        Some(id) => id.clone(),
        None => workspace.give_id(&task_hash, Timestamp::now().to_zoned(TimeZone::UTC).year())?,
    };
    let observed = observe(workspace, &task_id, planner::database_of(task))?;
    let plan = planner::plan(task, &task_id, &catalog, &observed).map_err(Stop::Invalid)?;
    Ok(Planned { plan, task_hash })
}

/// What is there. A run that was stopped after it migrated left a database that no active plan describes: the newest
/// persisted plan whose migrations were all applied does.
fn observe(
    workspace: &Workspace,
    task_id: &TaskId,
    (engine, connection): (Engine, Connection),
) -> Result<Observed, Stop> {
    let Seen { tables, applied, .. } = match locate(workspace, engine, &connection)? {
        Located::At(database) => match database.look(task_id.as_str()) {
            // It is made when the plan is carried out.
            Err(StoreError::NotConnected(Trouble::DatabaseMissing, _)) => Seen::default(),
            // So may be whoever listens there.
            Err(StoreError::NotConnected(Trouble::Refused, _)) if is_container(&connection) => Seen::default(),
            seen => seen.map_err(|error| Failure::database(&error, Path::new(&database.place())))?,
        },
        // What must be said first is asked when the plan is carried out; until then nothing is known to be there.
        Located::Asks(_) => Seen::default(),
    };
    let is_applied = |persisted: &PersistedPlan| {
        let migrations = &persisted.plan.database().migrations;
        !migrations.is_empty() && migrations.iter().all(|migration| applied.contains(&migration.into()))
    };
    let applied_plan = workspace.persisted_plans(task_id)?.into_iter().find(is_applied);
    // A plan that this program cannot read is planned anew from the task in hand.
    let base = applied_plan.or_else(|| workspace.active_plan(task_id).ok().flatten());
    Ok(Observed { tables, active: base.map(|persisted| persisted.plan.database().clone()) })
}

/// Outside of development nobody is given the chance to read along.
fn must_be_private(task: &Task, database: &Database) -> Result<(), Failure> {
    let Specification::ConfigureDatabase(config) = &task.specification else { return Ok(()) };
    match config.environment == Environment::Development || database.is_private() {
        true => Ok(()),
        false => Err(Failure::in_the_clear(config.environment.as_str(), database.place())),
    }
}

fn is_container(connection: &Connection) -> bool {
    match connection {
        Connection::Container { .. } => true,
        Connection::Embedded
        | Connection::File { .. }
        | Connection::Local { .. }
        | Connection::Location(_)
        | Connection::Missing => false,
    }
}

/// A known dependency must be completed.
pub(crate) fn unmet_dependency<'t>(
    task: &'t Task,
    options: &RunOptions,
    warnings: &mut Vec<String>,
) -> Result<Option<&'t TaskId>, Stop> {
    for id in &task.dependencies {
        if options.workspace.knows(id) {
            if options.workspace.active_version(id)?.is_none() {
                return Ok(Some(id));
            }
            continue;
        }
        match options.unknown_dependencies {
            UnknownDependencies::WaitedFor => return Ok(Some(id)),
            UnknownDependencies::TakenToBeDone => {
                warnings.push(format!("dependency `{id}` is not known here and is taken to be done"));
            }
        }
    }
    Ok(None)
}

pub(crate) fn waiting(task_id: &TaskId, on: &TaskId, warnings: Vec<String>) -> Response {
    let mut response = Response::failed(Some(task_id.to_string()), String::new(), Failure::waiting(on));
    response.status = Status::Waiting;
    response.warnings = warnings;
    response
}

/// Two tasks of a workspace cannot answer one route.
fn check_routes(plan: &Plan, workspace: &Workspace) -> Result<(), Stop> {
    let wanted = routes(plan);
    for other in workspace.task_ids()?.iter().filter(|id| **id != plan.task_id) {
        let Some(active) = workspace.active_plan(other)? else { continue };
        let Some(other_plan) = active.plan.api() else { continue };
        if let Some(route) = routes(other_plan).into_iter().find(|route| wanted.contains(route)) {
            return Err(Failure::route_taken(&route, other).into());
        }
    }
    Ok(())
}

fn route(trigger: &Trigger) -> Option<(&str, &str)> {
    match trigger {
        Trigger::Request { method, path } => Some((method, path)),
        Trigger::GraphQl { .. } | Trigger::Event { .. } | Trigger::Schedule { .. } | Trigger::Webhook { .. } => None,
    }
}

/// Writes the task's files; whether anything changed there. What was edited is kept, and a warning.
pub(crate) fn write(
    folder: &Path,
    files: &emit::Files,
    workspace: &Workspace,
    task_id: &TaskId,
    warnings: &mut Vec<String>,
) -> Result<bool, Stop> {
    let told = |failure: apply::FileFailure| Failure::file(&failure, folder);
    let mut ledger = workspace.file_ledger(task_id)?;
    ledger.announce(files);
    workspace.keep_file_ledger(task_id, &ledger)?;
    let outcomes = write_files(folder, files, &ledger).map_err(told)?;
    let removed = remove_stale(folder, files, &mut ledger).map_err(told)?;
    ledger.settle(files);
    workspace.keep_file_ledger(task_id, &ledger)?;
    warnings.extend(outcomes.iter().filter_map(|(path, outcome)| match outcome {
        FileOutcome::Beside(beside) => Some(format!("`{path}` was edited and is kept; its new version is `{beside}`")),
        FileOutcome::Kept => Some(format!("`{path}` was edited and is kept")),
        FileOutcome::Written | FileOutcome::Unchanged => None,
    }));
    let wrote = outcomes.values().any(|outcome| match outcome {
        FileOutcome::Written | FileOutcome::Beside(_) => true,
        FileOutcome::Kept | FileOutcome::Unchanged => false,
    });
    Ok(wrote || !removed.is_empty())
}

fn output(plan: &Plan, options: &RunOptions, folder: &Path, store: &Store, verification: &[Verification]) -> Output {
    let passed = |phase: Phase| {
        let mut checks = verification.iter().filter(|check| check.phase == phase).peekable();
        checks.peek().is_some() && checks.all(|check| check.outcome == CheckOutcome::Passed)
    };
    let missing: Vec<&'static str> = [
        (Phase::SetupAuthenticationMiddleware, "authentication and limits that were tried"),
        (Phase::ImplementEndpointLogic, "a try of the Node.js application"),
        (Phase::SetupUserPermissions, "database roles with least privilege"),
        (Phase::ConfigureBackupProcedures, "a backup that was restored"),
    ]
    .into_iter()
    .filter_map(|(phase, what)| (!passed(phase)).then_some(what))
    .collect();
    let (serving, address) = serving_state(plan, options);
    Output {
        format: "integration",
        location: format!("{}/", std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display()),
        endpoints: urls(plan, &address),
        serving: Some(serving),
        database: DatabaseState {
            host: "embedded".to_owned(),
            name: options.workspace.database_file().display().to_string(),
            status: if passed(Phase::ProvisionDatabaseInstance) { "connected" } else { "not_connected" },
        },
        metadata: Metadata {
            api_version: Some(plan.api.version.clone()),
            database_version: store.version(),
            security_level: if missing.is_empty() { "production_ready" } else { "development" },
            security_missing: missing,
            monitoring_enabled: passed(Phase::ConfigureMonitoringAndAlerts),
        },
    }
}

/// The URLs in the order of the task; methods of one path share theirs.
fn urls(plan: &Plan, address: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for (_, path) in plan.api.endpoints.iter().filter_map(|endpoint| route(&endpoint.procedure.trigger)) {
        let url = format!("http://{address}{path}");
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Whether a server answers for this plan at the moment, and where it does or would. A server that runs takes the plan over
/// by itself, which is waited for.
fn serving_state(plan: &Plan, options: &RunOptions) -> (ServingState, String) {
    let workspace = &options.workspace;
    let command = match workspace.root() {
        root if root == Path::new(".") => "producer serve".to_owned(),
        root => format!("producer serve --workspace {}", root.display()),
    };
    let Some(mut server) = running_server(workspace) else {
        return (ServingState { status: "not_listening", command: Some(command) }, options.listen.clone());
    };
    let active = workspace.active_version(&plan.task_id).ok().flatten();
    let begun = Instant::now();
    loop {
        let served = server.plans.iter().find(|(id, _)| *id == plan.task_id).map(|(_, version)| version);
        if served.is_some() && served == active.as_ref() {
            return (ServingState { status: "listening", command: None }, server.address);
        }
        if begun.elapsed() > TAKE_OVER {
            let command = format!("stop the server at {} and start `{command}` again", server.address);
            return (ServingState { status: "outdated", command: Some(command) }, server.address);
        }
        std::thread::sleep(TAKE_OVER_PAUSE);
        server = workspace.announced_server().ok().flatten().unwrap_or(server);
    }
}

pub(crate) fn first_failure(verification: &[Verification]) -> Option<&Verification> {
    verification.iter().find(|check| check.outcome == CheckOutcome::Failed)
}

fn failure(stop: Stop, workspace: &Workspace) -> Failure {
    match stop {
        Stop::Invalid(diagnostics) => Failure::invalid(diagnostics),
        Stop::Workspace(failure) => Failure::workspace(&failure, &workspace.database_file()),
        Stop::World(failure) => *failure,
    }
}

/// UTC with milliseconds.
pub(crate) fn now() -> String {
    timestamp(Timestamp::now())
}

/// UTC with milliseconds.
pub(crate) fn timestamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
