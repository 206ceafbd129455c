//! From a plan's connection to a database that can be worked on: a private server is made and started, a container is described,
//! a database that is missing is made. What only a person can do becomes a question that says how.

use crate::failure::Failure;
use crate::instances::{self, Unprovided};
use crate::located::{Located, locate};
use crate::response::Verification;
use crate::run::{Progress, RunOptions, Stop, task_folder, write};
use crate::workspace::Workspace;
use plan::database::Connection;
use plan::{Phase, TaskPlan};
use std::path::Path;
use store::{StoreError, Trouble};
use vocab::{Engine, TaskId};

/// Describes the container, in the folder of the task whose database is in it.
const COMPOSE_FILE: &str = "databases/compose.yaml";

/// Whether there is a database to work on.
pub(crate) enum Provisioned {
    Ready(Ready),
    /// What must be done first, by somebody else.
    Asks {
        failure: Box<Failure>,
        changed: bool,
    },
}

/// A database that lets us in.
pub(crate) struct Ready {
    /// Whether a server or a database was made.
    pub(crate) changed: bool,
    pub(crate) verification: Vec<Verification>,
}

/// Has the plan's database ready.
pub(crate) fn provision(
    plan: &TaskPlan,
    options: &RunOptions,
    warnings: &mut Vec<String>,
    progress: Progress<'_>,
) -> Result<Provisioned, Stop> {
    const PHASE: Phase = Phase::ProvisionDatabaseInstance;
    let workspace = &options.workspace;
    let (engine, connection) = (plan.database().engine, &plan.database().connection);
    let asks = |failure, changed| Ok(Provisioned::Asks { failure, changed });
    let mut verification = Vec::new();
    let mut changed = false;
    let keeps_log = match plan {
        TaskPlan::Database(plan) => Some(plan.backup.as_ref().is_some_and(|backup| backup.point_in_time)),
        TaskPlan::Api(_) => None,
    };
    let provided = instances::provide(workspace, (engine, connection), keeps_log, &|doing| progress(PHASE, doing));
    match provided {
        Ok(Some(provided)) => {
            changed = provided.changed;
            let mut check = Verification::of(PHASE, "a private server of the workspace runs", &[]);
            check.detail = provided.detail;
            verification.push(check);
        }
        Ok(None) => {}
        Err(Unprovided::Asks(failure)) => return asks(failure, false),
        Err(Unprovided::Failed(failure)) => return Err(failure.into()),
    }
    if let Connection::Container { name, port } = connection {
        let folder = task_folder(describing(plan), options);
        let password_file = instances::write_password(workspace, engine, name)?;
        if let Some(Err(StoreError::NotConnected(Trouble::Refused, _))) = tried(workspace, engine, connection)? {
            // Who may do what is said once the server can be asked.
            if let TaskPlan::Database(plan) = plan {
                progress(Phase::CreateApiDocumentation, "writing files");
                changed |= write(&folder, &emit::database_files(plan, &[]), workspace, &plan.task_id, warnings)?;
            }
            let command = start_command(&folder, &password_file);
            let failure = Failure::container_not_started(&format!("127.0.0.1:{port}"), &command);
            return asks(Box::new(failure), changed);
        }
    }
    let database = match locate(workspace, engine, connection)? {
        Located::At(database) => database,
        Located::Asks(failure) => return asks(failure, changed),
    };
    progress(PHASE, "looking for the database");
    let told = |error: StoreError| Failure::database(&error, &database);
    if let Some(made) = database.create().map_err(told)? {
        changed = true;
        let mut check = Verification::of(PHASE, "the database was made on its server", &[]);
        check.detail = format!("`{}`: {made}", database.name());
        verification.push(check);
    }
    if !database.keeps_sessions().map_err(told)? {
        return Err(Failure::sessions_shared(&database).into());
    }
    if let Some(most) = database.most_connections().map_err(told)? {
        let wanted = plan.database().pool.max;
        if wanted > most {
            return Err(Failure::pool_too_large(wanted, most, &database).into());
        }
        let mut check = Verification::of(PHASE, "the server has connections for the pool", &[]);
        check.detail = format!("{wanted} of {most}");
        verification.push(check);
    }
    Ok(Provisioned::Ready(Ready { changed, verification }))
}

/// The task whose folder describes the container: the one that the database is of.
fn describing(plan: &TaskPlan) -> &TaskId {
    match plan {
        TaskPlan::Database(plan) => &plan.task_id,
        TaskPlan::Api(plan) => plan.base.as_ref().map_or(&plan.task_id, |base| &base.task_id),
    }
}

fn tried(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
) -> Result<Option<Result<(), StoreError>>, Stop> {
    Ok(match locate(workspace, engine, connection)? {
        Located::At(database) => Some(database.look("").map(drop)),
        Located::Asks(_) => None,
    })
}

/// What starts the container that the task's folder describes.
fn start_command(folder: &Path, password_file: &Path) -> String {
    let compose = folder.join(COMPOSE_FILE);
    let compose = std::path::absolute(&compose).unwrap_or(compose);
    format!(
        "DATABASE_PASSWORD_FILE={} docker compose --file {} up --detach --wait",
        quoted(password_file),
        quoted(&compose)
    )
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
