//! The secrets of a workspace as commands use them: what a person typed goes in; what comes out never holds a value, but for an
//! export that somebody asked for.

use crate::failure::Failure;
use crate::keys::expiry::end_of_overlap;
use crate::located::url_for;
use crate::roles;
use crate::run::{now, timestamp};
use crate::tokens::is_of_this_workspace;
use crate::workspace::{Workspace, WorkspaceFailure};
use jiff::Timestamp;
use plan::TaskPlan;
use secrets::export::{self, ExportForm};
use secrets::{ListedSecret, SecretFailure, SecretName, SecretText};
use std::path::Path;
use vocab::TaskId;

/// Why a command about secrets failed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] SecretFailure),
    /// The secret is nobody's password.
    #[error(
        "`{0}` is not the password of a database role that a task here has made: get its new value from where it comes from, and \
         `producer secrets set {0}`"
    )]
    NotARole(SecretName),
    /// The length of the overlap is none.
    #[error("the value before is taken for a length of time such as `24h`, `30m` or `7d`, at most ten years")]
    Overlap,
    /// The password could not be changed.
    #[error("{0}; {hint}", hint = .0.hint.as_deref().unwrap_or("try it again"))]
    Role(Box<Failure>),
    /// The task has no database with a role for its application.
    #[error(
        "`{0}` is no completed task on a database with roles; `producer status` lists the tasks, and without `--for` every secret is exported"
    )]
    NoDeployment(String),
    /// There is nothing to export.
    #[error("this workspace has no secrets yet: `producer secrets set NAME` sets one")]
    Nothing,
}

/// Sets a secret, in the place of the one that was; for so long as `overlap` says (`24h`) that one is taken as well.
///
/// # Errors
/// [`SecretsFailure`] when the name or the value is none, or the store cannot be opened or written.
pub fn set_secret(
    workspace: &Workspace,
    name: &str,
    value: &SecretText,
    overlap: Option<&str>,
) -> Result<(), SecretsFailure> {
    let name = SecretName::parse(name).map_err(SecretFailure::from)?;
    let until = overlap.map(|overlap| end_of_overlap(overlap, Timestamp::now())).transpose();
    let until = until.map_err(|_| SecretsFailure::Overlap)?.map(timestamp);
    workspace.make_state()?;
    let secrets = workspace.secrets();
    match until {
        Some(until) => secrets.set_beside(&name, value.expose(), &now(), &until)?,
        None => secrets.set(&name, value.expose(), &now())?,
    }
    Ok(())
}

/// All secrets by name, without their values.
///
/// # Errors
/// [`SecretsFailure`] when the store cannot be read.
pub fn list_secrets(workspace: &Workspace) -> Result<Vec<ListedSecret>, SecretsFailure> {
    Ok(workspace.secrets().list()?)
}

/// Gives the database role whose password the secret is a new one, on the server and in the store. Returns the role.
///
/// # Errors
/// [`SecretsFailure`] when it is no such secret, or the server does not take it: the old password works then, and the next run, or
/// the same command, ends what was begun.
pub fn rotate_secret(workspace: &Workspace, name: &str) -> Result<String, SecretsFailure> {
    let name = SecretName::parse(name).map_err(SecretFailure::from)?;
    let _lock = workspace.lock(|| {})?;
    let role = roles::rotate(workspace, &name).map_err(SecretsFailure::Role)?;
    role.map(|role| role.to_string()).ok_or(SecretsFailure::NotARole(name))
}

/// Forgets a secret.
///
/// # Errors
/// [`SecretsFailure`] when there is none of that name.
pub fn remove_secret(workspace: &Workspace, name: &str) -> Result<(), SecretsFailure> {
    let name = SecretName::parse(name).map_err(SecretFailure::from)?;
    if workspace.secrets().list()?.iter().all(|known| known.name != name) {
        return Err(SecretFailure::Unknown(name).into());
    }
    Ok(workspace.secrets().remove(&name)?)
}

/// Locks the store with another key. Returns what the key is known by; `None` when nothing was ever locked.
///
/// # Errors
/// [`SecretsFailure`] when a secret cannot be opened; nothing was changed then.
pub fn rekey_secrets(workspace: &Workspace) -> Result<Option<String>, SecretsFailure> {
    if list_secrets(workspace)?.is_empty() {
        return Ok(None);
    }
    Ok(workspace.secrets().rekey()?)
}

/// The secrets in clear, as one text: those of the names, or all; for the deployment of a task the variable by which its application
/// reaches its database. With a file they are written there, for this user alone, and
/// nothing comes back.
///
/// # Errors
/// [`SecretsFailure`] when there is no such secret, or the form cannot hold one.
pub fn export_secrets(
    workspace: &Workspace,
    names: &[String],
    deployment: Option<&str>,
    form: ExportForm,
    file: Option<&Path>,
) -> Result<Option<SecretText>, SecretsFailure> {
    let store = workspace.secrets();
    if let Some(task) = deployment {
        let url = deployment_url(workspace, task)?;
        let name = SecretName::parse("DATABASE_URL").map_err(SecretFailure::from)?;
        let mut values = vec![(name, url)];
        values.extend(shared_by_servers(workspace, task)?);
        return write_out(&values, form, file);
    }
    let names: Vec<SecretName> = match names {
        [] => store.list()?.into_iter().map(|listed| listed.name).filter(|name| !is_of_this_workspace(name)).collect(),
        names => {
            names.iter().map(|name| SecretName::parse(name).map_err(SecretFailure::from)).collect::<Result<_, _>>()?
        }
    };
    if names.is_empty() {
        return Err(SecretsFailure::Nothing);
    }
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        let value = store.get(&name)?.ok_or_else(|| SecretFailure::Unknown(name.clone()))?;
        values.push((name, value));
    }
    write_out(&values, form, file)
}

/// What all servers of its database must have alike, where the API of the task calculates tokens.
fn shared_by_servers(workspace: &Workspace, task: &str) -> Result<Option<(SecretName, SecretText)>, SecretsFailure> {
    let Ok(task_id) = TaskId::parse(task) else { return Ok(None) };
    let mut shares = false;
    // Its application speaks with the services of other tasks too.
    for of in workspace.task_ids()? {
        let plan = workspace.active_plan(&of)?.and_then(|active| active.plan.into_api());
        shares |= plan.is_some_and(|plan| plan.keeps_tokens() || (of == task_id && plan.shares_secret()));
    }
    if !shares {
        return Ok(None);
    }
    let name = SecretName::parse(plan::accounts::SECRET).map_err(SecretFailure::from)?;
    Ok(workspace.secrets().get(&name)?.map(|value| (name, value)))
}

/// What the application of a task needs to reach its database: a URL with the application's role.
fn deployment_url(workspace: &Workspace, task: &str) -> Result<SecretText, SecretsFailure> {
    let unknown = || SecretsFailure::NoDeployment(task.to_owned());
    let task_id = TaskId::parse(task).map_err(|_| unknown())?;
    let plan = workspace.active_plan(&task_id)?.ok_or_else(unknown)?.plan;
    let made_by = match &plan {
        TaskPlan::Api(plan) => plan.base.as_ref().map(|base| base.task_id.clone()).ok_or_else(unknown)?,
        TaskPlan::Database(_) => task_id,
    };
    let application = roles::application(workspace, &made_by).map_err(SecretsFailure::Role)?.ok_or_else(unknown)?;
    let database = plan.database();
    url_for(workspace, database.engine, &database.connection, (&application.0, &application.1))
        .map_err(SecretsFailure::Role)
}

fn write_out(
    values: &[(SecretName, SecretText)],
    form: ExportForm,
    file: Option<&Path>,
) -> Result<Option<SecretText>, SecretsFailure> {
    let text = export::text(values, form)?;
    match file {
        Some(file) => export::write_private(file, text.as_bytes()).map(|()| None),
        None => Ok(Some(SecretText::new(text))),
    }
    .map_err(SecretsFailure::from)
}
