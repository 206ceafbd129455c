//! One task from text to response. Nothing outside the scratch database is touched before the plan has proved itself on it,
//! and the plan becomes the active one last: a run that is killed anywhere leaves the previous state usable, and the next
//! run finishes the work.

use crate::alerting;
use crate::backups;
use crate::base::standing;
use crate::beside;
use crate::database;
use crate::ending;
use crate::failure::Failure;
use crate::granted;
use crate::instances;
use crate::integration;
use crate::interrupted;
use crate::issuing;
use crate::knowledge;
use crate::located::{Located, locate};
use crate::mailing;
use crate::observe::observe;
use crate::pool_proof;
use crate::provisioning::{Provisioned, provision};
use crate::registration;
use crate::response::{CheckOutcome, DatabaseState, Metadata, Output, Response, ServingState, Status, Verification};
use crate::roles;
use crate::sandbox::Sandbox;
use crate::senders;
use crate::serving::{routes, running_server, url};
use crate::settings::WorkspaceSettings;
use crate::verify;
use crate::workspace::{Changed, TaskEnd, Workspace, WorkspaceFailure};
use apply::{FileOutcome, remove_stale, write_files};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use plan::database::Connection;
use plan::persisted::FORMAT;
use plan::{DatabasePlan, Migration, PersistedPlan, Phase, Plan, TaskPlan, Trigger};
use planner::Allowed;
use spec::{Environment, Specification, Task};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::{AppliedMigration, Database, Seen, StoreError, Trouble};
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
    /// What may be done to a database besides adding to it.
    pub allowed: Allowed,
    /// Whether the run keeps to this machine.
    pub sandbox: Sandbox,
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
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// Why a task did not even get a plan, or did not come through.
pub(crate) enum Stop {
    Invalid(Vec<Diagnostic>),
    Workspace(WorkspaceFailure),
    World(Box<Failure>),
    /// Somebody must say something first.
    Asks(Box<Failure>),
}

impl Stop {
    /// What becomes of the task, and why.
    pub(crate) fn into_parts(self) -> (Status, Failure) {
        match self {
            Self::Invalid(diagnostics) => (Status::Failed, Failure::invalid(diagnostics)),
            Self::Workspace(failure) => (Status::Failed, Failure::workspace(&failure)),
            Self::World(failure) => (Status::Failed, *failure),
            Self::Asks(failure) => (Status::NeedsInput, *failure),
        }
    }
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

/// Plans a task without any effect. `earlier` are plans that were made before it by the same command.
///
/// # Errors
/// The response that says why there is no plan.
pub fn plan_task(task: &Task, options: &RunOptions, earlier: &[TaskPlan]) -> Result<Planned, Box<Response>> {
    let workspace = &options.workspace;
    let task = &*options.sandbox.task(task);
    identify(task, workspace).and_then(|task_id| make_plan(task, task_id, options, earlier)).map_err(|stop| {
        let id = task.task_id.as_ref().map(ToString::to_string);
        Box::new(stopped(id, stop))
    })
}

/// Carries a task out and answers it.
pub async fn run_task(task: &Task, options: &RunOptions, progress: Progress<'_>) -> Response {
    let begun = Instant::now();
    let started_at = now();
    let mut done = Done::default();
    let mut response = match attempt(task, options, &mut done, progress).await {
        Ok(response) => response,
        Err((id, stop)) => stopped(id.map(|id| id.to_string()), stop),
    };
    response.changed = done.has_changed;
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

/// What a run has done so far, however it ends.
#[derive(Default)]
struct Done {
    has_changed: bool,
}

impl Done {
    fn note(&mut self, has_changed: bool) {
        self.has_changed |= has_changed;
    }
}

async fn attempt(
    task: &Task,
    options: &RunOptions,
    done: &mut Done,
    progress: Progress<'_>,
) -> Result<Response, (Option<TaskId>, Stop)> {
    let workspace = &options.workspace;
    let given = task.task_id.clone();
    let is_locked = || progress(Phase::DesignApiArchitecture, "waiting for another run in this workspace");
    let _lock = workspace.lock(is_locked).map_err(|failure| (given.clone(), failure.into()))?;

    // Known from now on, whatever becomes of it: what depends on it waits.
    if let Some(task_id) = &given {
        workspace
            .remember(task_id, &task.text, &sha256_hex(task.text.as_bytes()))
            .map_err(|failure| (given.clone(), failure.into()))?;
    }
    let task_id = identify(task, workspace).map_err(|stop| (given.clone(), stop))?;
    let (mut warnings, mut verification) = (Vec::new(), Vec::new());
    match unmet_dependency(task, options, &mut warnings) {
        Ok(None) => {}
        Ok(Some(on)) => return Ok(waiting(&task_id, on, warnings)),
        Err(stop) => return Err((Some(task_id), stop)),
    }
    let meant = &*options.sandbox.task(task);
    wake(meant, workspace, progress).map_err(|failure| (Some(task_id.clone()), failure.into()))?;
    progress(Phase::DesignApiArchitecture, "planning");
    let of_task = |stop| (Some(task_id.clone()), stop);
    let place = standing(meant, &task_id, workspace, &[]).map(|found| planner::database_of(meant, found.base.as_ref()));
    done.note(place.and_then(|place| interrupted::finish(workspace, &task_id, place)).map_err(of_task)?);
    let plan_anew = || make_plan(meant, task_id.clone(), options, &[]).map_err(|stop| (given.clone(), stop));
    let mut planned = plan_anew()?;
    if let Some(service) = planned.plan.service() {
        progress(Phase::AuthenticateWithServiceApi, "asking whether the credentials are taken");
        verification = integration::tried(service, workspace).await.map_err(of_task)?;
        let emitted = integration::emitted(workspace, &planned.plan).map_err(|failure| of_task(failure.into()))?;
        let catalog = knowledge::of(workspace, meant).map_err(of_task)?;
        warnings.extend(integration::warnings(service, &emitted, &catalog));
        warnings.extend(ending::warnings(&ending::endings(workspace, service), Timestamp::now()));
    }
    if let Some(api) = planned.plan.api() {
        warnings.extend(mailing::warning(workspace, api).map_err(|failure| of_task((*failure).into()))?);
        warnings.extend(alerting::warning(workspace, api).map_err(|failure| of_task((*failure).into()))?);
        if let Some(Err(unsaid)) = issuing::issuer(workspace, api).map_err(|failure| of_task((*failure).into()))? {
            match options.sandbox {
                Sandbox::On => warnings.push(issuing::warning(&unsaid)),
                Sandbox::Off => return Err(of_task(Stop::Asks(Box::new(issuing::asked(&unsaid))))),
            }
        }
        let unsaid = senders::unsaid(workspace, api).map_err(|failure| of_task((*failure).into()))?;
        match options.sandbox {
            Sandbox::On if !unsaid.is_empty() => warnings.push(senders::warning(&unsaid)),
            Sandbox::Off if !unsaid.is_empty() => {
                return Err(of_task(Stop::Asks(Box::new(senders::asked(&unsaid)))));
            }
            Sandbox::On | Sandbox::Off => {}
        }
    }
    let ready = match provision(&planned.plan, options, &mut warnings, progress).map_err(of_task)? {
        Provisioned::Ready(ready) => ready,
        Provisioned::Asks { failure, changed } => {
            done.note(changed);
            let response = Response::failed(Some(task_id.to_string()), String::new(), *failure);
            return Ok(Response { status: Status::NeedsInput, warnings, ..response });
        }
    };
    if ready.changed {
        // Only now is it known what the database is like.
        planned = plan_anew()?;
    }
    done.note(ready.changed);
    planned.warnings.splice(0..0, warnings);
    verification.extend(ready.verification);
    carry_out(task, planned, verification, options, done, progress).await.map_err(of_task)
}

/// Has the servers running that planning looks at, as far as they are the workspace's own, and waits for others that are starting.
fn wake(task: &Task, workspace: &Workspace, progress: Progress<'_>) -> Result<(), Box<Failure>> {
    let told = |doing: &str| progress(Phase::ProvisionDatabaseInstance, doing);
    let own = planner::database_of(task, None);
    for (engine, connection) in standing_places(task, workspace)?.iter().chain([&own]) {
        instances::start(workspace, *engine, connection, &told)?;
    }
    let (engine, connection) = own;
    if let Ok(Located::At(database)) = locate(workspace, engine, &connection) {
        must_be_encrypted(task, &database)?;
        // A server that lets nobody in after that says so when it is looked at, except where that would be waited for twice.
        if let Err(error @ StoreError::NotConnected(Trouble::TimedOut | Trouble::NotTheServer, _)) =
            database.wait(&told)
        {
            return Err(Box::new(Failure::database(&error, &database)));
        }
    }
    Ok(())
}

/// Where an API of the workspace could stand.
fn standing_places(task: &Task, workspace: &Workspace) -> Result<Vec<(Engine, Connection)>, Box<Failure>> {
    match &task.specification {
        Specification::SetupApi(_) | Specification::IntegrateService(_) => {}
        Specification::ConfigureDatabase(_) => return Ok(Vec::new()),
    }
    let ids = workspace.task_ids().map_err(|failure| Failure::workspace(&failure))?;
    let plans = ids.iter().filter_map(|id| workspace.seen_plan(id).ok().flatten());
    Ok(plans
        .map(|persisted| (persisted.plan.database().engine, persisted.plan.database().connection.clone()))
        .collect())
}

/// Outside of development nobody is given the chance to read along.
fn must_be_encrypted(task: &Task, database: &Database) -> Result<(), Box<Failure>> {
    let Specification::ConfigureDatabase(config) = &task.specification else { return Ok(()) };
    match config.environment != Environment::Development && database.may_be_overheard() {
        true => Err(Box::new(Failure::not_encrypted(config.environment.as_str(), database))),
        false => Ok(()),
    }
}

async fn carry_out(
    task: &Task,
    planned: Planned,
    mut verification: Vec<Verification>,
    options: &RunOptions,
    done: &mut Done,
    progress: Progress<'_>,
) -> Result<Response, Stop> {
    let workspace = &options.workspace;
    let Planned { plan, task_hash, mut warnings } = planned;
    let task_id = plan.task_id().clone();
    let database = match locate(workspace, plan.database().engine, &plan.database().connection)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(Stop::Asks(failure)),
    };
    roles::check(workspace, &database, &plan).map_err(Stop::Asks)?;
    backups::check(workspace, &plan, &database).map_err(Stop::Asks)?;
    let place = PathBuf::from(database.place());
    let files = files(&plan, &database, workspace)?;
    verification.extend(options.sandbox.check(task));
    verification.extend(prove(&plan, &database, &files, progress).await);
    if let Some(failed) = first_failure(&verification) {
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), Failure::unproved(failed));
        response.verification = verification;
        return Ok(response);
    }

    let active = workspace.active_plan(&task_id).ok().flatten();
    let planner_version = planner::VERSION.to_owned();
    let persisted = PersistedPlan { format: FORMAT, planner_version, task_hash, plan };
    workspace.remember(&task_id, &task.text, &persisted.task_hash)?;
    let is_new_plan = active.as_ref() != Some(&persisted);
    let version = if is_new_plan { Some(workspace.persist(&task_id, &persisted)?) } else { None };
    let plan = &persisted.plan;

    progress(Phase::CreateSchemaAndTables, "migrating the database");
    for (scope, migrations) in plan.migrations() {
        match database.migrate(scope.as_str(), migrations, &now()) {
            Ok(applied) => done.note(!applied.is_empty()),
            Err(error) => {
                let is_taken_back = *scope == task_id && take_back(&database, &task_id, active.as_ref(), migrations);
                let error = match error {
                    StoreError::HalfDone { why, .. } if is_taken_back => StoreError::Refused(why),
                    error => error,
                };
                done.note(leaves_some(&database, scope, active.as_ref(), migrations));
                return Err(Failure::migration(&error, &database).into());
            }
        }
    }

    progress(Phase::SetupUserPermissions, "seeing to who may do what");
    let settled = roles::settle(workspace, &database, plan, options.allowed.loss)?;
    done.note(settled.changed);
    verification.extend(settled.verification);
    warnings.extend(settled.warning);

    progress(Phase::CreateApiDocumentation, "writing files");
    let folder = task_folder(&task_id, options);
    done.note(write(&folder, &files, workspace, &task_id, &mut warnings)?);

    progress(Phase::ProvisionDatabaseInstance, "reading back what was made");
    let seen = database.look(task_id.as_str()).map_err(|error| Failure::database(&error, &database))?;
    let served = roles::as_application(workspace, &database, plan.database())?;
    verification.extend(read_back(plan, &served, &seen, &files).await);
    let proved = backups::prove(workspace, &persisted, &database, progress)?;
    done.note(proved.changed);
    verification.push(proved.verification);
    let mut pool = Vec::new();
    if let TaskPlan::Database(plan) = plan
        && pool_proof::is_due(plan)
    {
        progress(Phase::ProvisionDatabaseInstance, "trying the pool under a short load");
        let check = "a short load went through the pool";
        match pool_proof::prove(plan, &served).await {
            Ok(proved) => {
                pool = proved.figures;
                verification.push(Verification::passed(Phase::ProvisionDatabaseInstance, check, proved.said));
            }
            Err(why) => warnings.push(format!("the pool was tried under no load: {why}")),
        }
    }
    if let Some(service) = plan.service() {
        let speaking = integration::speaking(service, workspace)?;
        if let Some(registered) = registration::register(service, speaking.as_ref(), workspace).await {
            done.note(registered.changed);
            verification.push(registered.verification);
        }
        for made in registration::make_known(service, speaking.as_ref()).await {
            done.note(made.changed);
            verification.push(made.verification);
        }
    }
    verification.sort_by_key(|check| check.phase);
    if let Some(failed) = first_failure(&verification) {
        let failure = Failure::not_live(failed, &place);
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), failure);
        response.warnings = warnings;
        response.verification = verification;
        return Ok(response);
    }
    if let Some(version) = version {
        if plan.api().is_some_and(Plan::shares_secret) {
            crate::account::shared_secret(workspace)?;
        }
        workspace.activate(&task_id, version)?;
        done.note(true);
    }
    if let TaskPlan::Api(plan) = plan {
        done.note(beside::rewrite(plan, workspace, &mut warnings)?);
    }
    // Now a server that runs has taken the plan over.
    let mut output = output(plan, options, &database, seen.version, &verification);
    output.database.pool = pool;
    let is_served_as_before = output.serving.as_ref().is_some_and(|serving| serving.status == "outdated");
    if is_new_plan
        && !is_served_as_before
        && plan.api().is_some()
        && let Err(failure) = roles::narrow(workspace, &database, plan)
    {
        warnings.push(format!("the application may still do what the plan before needed: {failure}"));
    }
    done.note(granted::rewrite(plan, &database, options, &mut warnings)?);
    Ok(Response {
        status: Status::Completed,
        task_id: Some(task_id.to_string()),
        output: Some(output),
        changed: false,
        warnings,
        verification,
        files: files.keys().cloned().collect(),
        started_at: String::new(),
        duration_ms: 0,
        error: None,
    })
}

/// Whether the ledger knows any of the migrations that the active plan has not; so it may where nobody can look.
fn leaves_some(database: &Database, scope: &TaskId, active: Option<&PersistedPlan>, migrations: &[Migration]) -> bool {
    let known = active.map_or(&[][..], |active| &active.plan.database().migrations);
    let Ok(seen) = database.look(scope.as_str()) else { return true };
    let mut new = migrations.iter().filter(|migration| !known.contains(migration)).map(AppliedMigration::from);
    !seen.begun.is_empty() || new.any(|migration| seen.applied.contains(&migration))
}

/// A plan's migrations are all applied or none: where one was refused, those that this plan has brought are taken back. What was
/// lost for good comes last in them, and so was not reached. Should that fail too, the next run finds a plan half way.
/// Says whether nothing of them is left.
fn take_back(database: &Database, task_id: &TaskId, active: Option<&PersistedPlan>, migrations: &[Migration]) -> bool {
    let Some(before) = active.map(|active| &active.plan.database().migrations) else { return false };
    if !migrations.starts_with(before) {
        return false;
    }
    let undone = database.undo(task_id.as_str(), &migrations[before.len()..], &now());
    if let Err(error) = &undone {
        tracing::warn!(error = %error, "the migrations before the one that was refused were not taken back");
    }
    undone.is_ok()
}

pub(crate) fn files(plan: &TaskPlan, database: &Database, workspace: &Workspace) -> Result<emit::Files, Stop> {
    match plan {
        TaskPlan::Database(plan) => Ok(emit::database_files(plan, &granted::script(workspace, database, plan)?)),
        TaskPlan::Api(plan) => {
            check_routes(plan, workspace)?;
            beside::files(plan, workspace)
        }
    }
}

/// Nothing but a scratch is written to.
async fn prove(plan: &TaskPlan, database: &Database, files: &emit::Files, progress: Progress<'_>) -> Vec<Verification> {
    match plan {
        TaskPlan::Database(plan) => {
            progress(Phase::CreateSchemaAndTables, "rehearsing on an empty scratch schema");
            database::on_scratch(&plan.database, database)
        }
        TaskPlan::Api(plan) if plan.api.endpoints.is_empty() => {
            progress(Phase::CreateSchemaAndTables, "rehearsing on an empty scratch schema");
            // It may stand on another task's tables.
            let migrations = plan.migrations().flat_map(|(_, migrations)| migrations.to_vec()).collect();
            let mut tried = database::on_scratch(&DatabasePlan { migrations, ..plan.database.clone() }, database);
            if !plan.cases.is_empty() {
                progress(Phase::ImplementIntegrationLogic, "trying calls of the provider on a scratch database");
                tried.extend(verify::on_scratch(plan, database, openapi(files), &now()).await);
            }
            tried
        }
        TaskPlan::Api(plan) => {
            progress(Phase::ImplementEndpointLogic, "proving the plan on a scratch database");
            verify::on_scratch(plan, database, openapi(files), &now()).await
        }
    }
}

/// Reads only. What cannot be tried here is named.
async fn read_back(plan: &TaskPlan, database: &Database, seen: &Seen, files: &emit::Files) -> Vec<Verification> {
    let differences = store::differences(plan.database(), &seen.tables);
    let schema = "the schema was read back from the database";
    let mut verification = vec![Verification::of(Phase::CreateSchemaAndTables, schema, &differences)];
    match plan {
        TaskPlan::Database(_) => verification.extend(database::on_live()),
        TaskPlan::Api(plan) if plan.api.endpoints.is_empty() => verification.extend(database::on_live()),
        TaskPlan::Api(plan) => {
            verification.extend(verify::on_live(plan, database, openapi(files)).await);
            verification.extend(verify::not_tried());
        }
    }
    verification
}

fn openapi(files: &emit::Files) -> &str {
    files.get("documentation/openapi.json").map_or("", String::as_str)
}

/// The task's own id, or the one that the workspace gives it.
pub(crate) fn identify(task: &Task, workspace: &Workspace) -> Result<TaskId, Stop> {
    match &task.task_id {
        Some(id) => Ok(id.clone()),
        None => {
            let year = Timestamp::now().to_zoned(TimeZone::UTC).year();
            Ok(workspace.give_id(&sha256_hex(task.text.as_bytes()), year)?)
        }
    }
}

pub(crate) fn make_plan(
    task: &Task,
    task_id: TaskId,
    options: &RunOptions,
    earlier: &[TaskPlan],
) -> Result<Planned, Stop> {
    let workspace = &options.workspace;
    let catalog = knowledge::of(workspace, task)?;
    let standing = standing(task, &task_id, workspace, earlier)?;
    let warnings = standing.warning.iter().cloned().collect();
    let observed = observe(workspace, &task_id, planner::database_of(task, standing.base.as_ref()), standing, earlier)?;
    let mut plan =
        planner::plan_allowing(task, &task_id, &catalog, &observed, options.allowed).map_err(Stop::Invalid)?;
    options.sandbox.play(&mut plan);
    integration::listen(&mut plan, workspace, earlier)?;
    Ok(Planned { plan, task_hash: sha256_hex(task.text.as_bytes()), warnings })
}

/// A known dependency must be completed.
fn unmet_dependency<'t>(
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

fn waiting(task_id: &TaskId, on: &TaskId, warnings: Vec<String>) -> Response {
    let mut response = Response::failed(Some(task_id.to_string()), String::new(), Failure::waiting(on));
    response.status = Status::Waiting;
    response.warnings = warnings;
    response
}

/// Two tasks of a workspace cannot answer one route, but that a service leaves to an API what that answers itself.
fn check_routes(plan: &Plan, workspace: &Workspace) -> Result<(), Stop> {
    let wanted = routes(plan);
    for other in workspace.task_ids()?.iter().filter(|id| **id != plan.task_id) {
        let active = workspace.seen_plan(other)?;
        let Some(other_plan) = active.as_ref().and_then(|active| active.plan.api()) else { continue };
        if !routes(other_plan).iter().any(|route| wanted.contains(route)) {
            continue;
        }
        let mut other_plan = other_plan.clone();
        other_plan.give_way(&Plan::taken_over(std::iter::once(plan), other));
        if let Some(route) = routes(&other_plan).into_iter().find(|route| wanted.contains(route)) {
            return Err(Failure::route_taken(&route, other).into());
        }
    }
    Ok(())
}

fn route(trigger: &Trigger) -> Option<(&str, &str)> {
    match trigger {
        Trigger::Request { method, path } => Some((method, path)),
        Trigger::GraphQl { .. }
        | Trigger::Event { .. }
        | Trigger::Schedule { .. }
        | Trigger::Webhook { .. }
        | Trigger::Pulled { .. } => None,
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

fn output(
    plan: &TaskPlan,
    options: &RunOptions,
    database: &Database,
    database_version: String,
    verification: &[Verification],
) -> Output {
    let passed = |phase: Phase| {
        let mut checks = verification.iter().filter(|check| check.phase == phase).peekable();
        checks.peek().is_some() && checks.all(|check| check.outcome == CheckOutcome::Passed)
    };
    let is_stand_in = |check: &Verification| {
        check.phase == Phase::ProvisionDatabaseInstance && check.outcome == CheckOutcome::Simulated
    };
    let is_simulated = verification.iter().any(is_stand_in);
    let of_api = [
        (Phase::SetupAuthenticationMiddleware, "authentication and limits that were tried"),
        (Phase::ImplementEndpointLogic, "a try of the Node.js application"),
    ];
    let of_database = [
        (Phase::SetupUserPermissions, "database roles with least privilege"),
        (Phase::ConfigureBackupProcedures, "a backup that was restored"),
    ];
    let has_endpoints = plan.api().is_some_and(|plan| !plan.api.endpoints.is_empty());
    let of_api = if has_endpoints { &of_api[..] } else { &[] };
    let missing: Vec<&'static str> =
        of_api.iter().chain(&of_database).filter_map(|(phase, what)| (!passed(*phase)).then_some(*what)).collect();
    let (serving, endpoints, address) = match plan.api() {
        None => (None, Vec::new(), url(false, &options.listen)),
        Some(plan) => {
            let (serving, address) = serving_state(plan, options);
            (Some(serving), urls(plan, &address), address)
        }
    };
    let folder = task_folder(plan.task_id(), options);
    let public = WorkspaceSettings::read(&options.workspace).ok().and_then(|settings| settings.public_url);
    let site = public.unwrap_or(address);
    Output {
        format: "integration",
        location: format!("{}/", std::path::absolute(&folder).unwrap_or(folder).display()),
        endpoints,
        serving,
        database: DatabaseState {
            host: database.host(),
            name: database.name(),
            status: match passed(Phase::ProvisionDatabaseInstance) {
                _ if is_simulated => "simulated",
                true => "connected",
                false => "not_connected",
            },
            pool: Vec::new(),
        },
        integrations: plan
            .service()
            .map(|service| integration::shown(service, verification, &site))
            .into_iter()
            .collect(),
        metadata: Metadata {
            api_version: plan.api().map(|plan| plan.api.version.clone()),
            database_version,
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
        let url = format!("{address}{path}");
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Whether a server answers for this plan at the moment, and where it does or would, with the scheme. A server that runs takes the plan over
/// by itself, which is waited for.
fn serving_state(plan: &Plan, options: &RunOptions) -> (ServingState, String) {
    let workspace = &options.workspace;
    let command = match workspace.root() {
        root if root == Path::new(".") => "producer serve".to_owned(),
        root => format!("producer serve --workspace {}", root.display()),
    };
    let Some(mut server) = running_server(workspace) else {
        return (ServingState { status: "not_listening", command: Some(command) }, url(false, &options.listen));
    };
    let active = workspace.active_version(&plan.task_id).ok().flatten();
    let begun = Instant::now();
    loop {
        let served = server.plans.iter().find(|(id, _)| *id == plan.task_id).map(|(_, version)| version);
        if served.is_some() && served == active.as_ref() {
            return (ServingState { status: "listening", command: None }, server.url());
        }
        if begun.elapsed() > TAKE_OVER {
            let command = format!("stop the server at {} and start `{command}` again", server.address);
            return (ServingState { status: "outdated", command: Some(command) }, server.url());
        }
        std::thread::sleep(TAKE_OVER_PAUSE);
        server = workspace.announced_server().ok().flatten().unwrap_or(server);
    }
}

fn first_failure(verification: &[Verification]) -> Option<&Verification> {
    verification.iter().find(|check| check.outcome == CheckOutcome::Failed)
}

/// The response to a task that came no further.
pub(crate) fn stopped(task_id: Option<String>, stop: Stop) -> Response {
    let (status, failure) = stop.into_parts();
    Response { status, ..Response::failed(task_id, now(), failure) }
}

/// UTC with milliseconds.
pub(crate) fn now() -> String {
    timestamp(Timestamp::now())
}

/// UTC with milliseconds.
pub(crate) fn timestamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
