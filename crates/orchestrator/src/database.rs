//! A database task from plan to response: rehearsed on a scratch schema, migrated, read back. Nothing but the scratch is written
//! to before the plan has proved itself, and no row of the database is ever touched.

use crate::failure::Failure;
use crate::probe::{self, Promise};
use crate::provisioning::{Provisioned, Ready, provision};
use crate::response::{CheckOutcome, DatabaseState, Metadata, Output, Response, Status, Verification};
use crate::run::{Progress, RunOptions, Stop, first_failure, now, task_folder, unmet_dependency, waiting, write};
use plan::persisted::FORMAT;
use plan::{DatabasePlan, DatabaseTaskPlan, PersistedPlan, Phase, TaskPlan};
use spec::Task;
use std::path::Path;
use store::Database;

/// Carries the task out.
pub(crate) fn carry_out(
    task: &Task,
    plan: DatabaseTaskPlan,
    task_hash: String,
    options: &RunOptions,
    progress: Progress<'_>,
) -> Result<Response, Stop> {
    let workspace = &options.workspace;
    let task_id = plan.task_id.clone();
    let mut warnings = Vec::new();
    if let Some(waiting_for) = unmet_dependency(task, options, &mut warnings)? {
        return Ok(waiting(&task_id, waiting_for, warnings));
    }
    let files = emit::database_files(&plan);
    let Ready { database, changed: provisioned, mut verification } =
        match provision(&plan, &files, options, &mut warnings, progress)? {
            Provisioned::Ready(ready) => ready,
            Provisioned::Asks { failure, changed } => {
                let response = Response::failed(Some(task_id.to_string()), String::new(), *failure);
                return Ok(Response { status: Status::NeedsInput, changed, warnings, ..response });
            }
        };
    let place = database.place();

    progress(Phase::CreateSchemaAndTables, "rehearsing on an empty scratch schema");
    verification.extend(on_scratch(&plan.database, &database));
    if let Some(failed) = first_failure(&verification) {
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), Failure::unproved(failed));
        response.verification = verification;
        return Ok(response);
    }

    let active = workspace.active_plan(&task_id).ok().flatten();
    let planner_version = planner::VERSION.to_owned();
    let persisted = PersistedPlan { format: FORMAT, planner_version, task_hash, plan: TaskPlan::Database(plan) };
    workspace.remember(&task_id, &task.text, &persisted.task_hash)?;
    let is_new_plan = active.as_ref() != Some(&persisted);
    let version = if is_new_plan { Some(workspace.persist(&task_id, &persisted)?) } else { None };
    let plan = persisted.plan.database();

    progress(Phase::CreateSchemaAndTables, "migrating the database");
    let migrated = database
        .migrate(task_id.as_str(), &plan.migrations, &now())
        .map_err(|error| Failure::migration(&error, Path::new(&place)))?;

    progress(Phase::CreateApiDocumentation, "writing files");
    let folder = task_folder(&task_id, options);
    let wrote = write(&folder, &files, workspace, &task_id, &mut warnings)?;

    progress(Phase::ProvisionDatabaseInstance, "reading back what was made");
    let seen = database.look(task_id.as_str()).map_err(|error| Failure::database(&error, Path::new(&place)))?;
    let differences = store::differences(plan, &seen.tables);
    verification.push(Verification::of(Phase::ProvisionDatabaseInstance, "the database answers", &[]));
    verification.push(Verification::of(
        Phase::CreateSchemaAndTables,
        "the schema was read back from the database",
        &differences,
    ));
    verification.extend(not_tried(plan));
    verification.sort_by_key(|check| check.phase);
    if let Some(failed) = first_failure(&verification) {
        let failure = Failure::not_live(failed, Path::new(&place));
        let mut response = Response::failed(Some(task_id.to_string()), String::new(), failure);
        response.warnings = warnings;
        response.verification = verification;
        return Ok(response);
    }
    if let Some(version) = version {
        workspace.activate(&task_id, version)?;
    }
    Ok(Response {
        status: Status::Completed,
        task_id: Some(task_id.to_string()),
        output: Some(output(&folder, &database, seen.version, &verification)),
        changed: provisioned || is_new_plan || wrote || !migrated.is_empty(),
        warnings,
        verification,
        files: files.keys().cloned().collect(),
        started_at: String::new(),
        duration_ms: 0,
        error: None,
    })
}

/// The migrations make the schema from nothing, and each rule of it refuses a wrong row.
fn on_scratch(plan: &DatabasePlan, database: &Database) -> Vec<Verification> {
    let probes = probe::probes(plan);
    let attempts: Vec<_> = probes.iter().map(|probe| probe.attempt.clone()).collect();
    let made = "the statements make the schema on an empty database";
    let rehearsal = match database.rehearse(&plan.migrations, &attempts) {
        Ok(rehearsal) => rehearsal,
        Err(error) => return vec![Verification::of(Phase::CreateSchemaAndTables, made, &[error.to_string()])],
    };
    let differences = store::differences(plan, &rehearsal.tables);
    let mut verifications = vec![Verification::of(Phase::CreateSchemaAndTables, made, &differences)];
    for promise in Promise::ALL {
        let tried: Vec<_> =
            probes.iter().zip(&rehearsal.outcomes).filter(|(probe, _)| probe.promise == promise).collect();
        if tried.is_empty() {
            continue;
        }
        let differences: Vec<String> = tried.iter().filter_map(|(probe, outcome)| probe.difference(outcome)).collect();
        let mut verification = Verification::of(Phase::CreateSchemaAndTables, promise.check(), &differences);
        if verification.outcome == CheckOutcome::Passed {
            verification.detail = format!("{} statements", tried.len());
        }
        verifications.push(verification);
    }
    verifications
}

fn not_tried(plan: &DatabasePlan) -> Vec<Verification> {
    vec![
        Verification::not_verified(
            Phase::SetupUserPermissions,
            "database roles",
            match plan.engine.has_roles() {
                true => "this producer grants nothing yet: whoever the connection is owns the tables".to_owned(),
                false => format!("{} knows no roles: whoever can open the file can read it", plan.engine),
            },
        ),
        Verification::not_verified(
            Phase::ConfigureBackupProcedures,
            "a backup was restored",
            "no backup was asked for",
        ),
    ]
}

fn output(folder: &Path, database: &Database, version: String, verification: &[Verification]) -> Output {
    let answers = verification
        .iter()
        .any(|check| check.phase == Phase::ProvisionDatabaseInstance && check.outcome == CheckOutcome::Passed);
    Output {
        format: "integration",
        location: format!("{}/", std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display()),
        endpoints: Vec::new(),
        serving: None,
        database: DatabaseState {
            host: database.host(),
            name: database.name(),
            status: if answers { "connected" } else { "not_connected" },
        },
        metadata: Metadata {
            api_version: None,
            database_version: version,
            security_level: "development",
            security_missing: vec!["database roles with least privilege", "a backup that was restored"],
            monitoring_enabled: false,
        },
    }
}
