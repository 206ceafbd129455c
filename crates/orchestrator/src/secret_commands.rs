//! The secrets of a workspace as commands use them: what a person typed goes in; what comes out never holds a value, but for an
//! export that somebody asked for.

use crate::run::now;
use crate::workspace::{Workspace, WorkspaceFailure};
use secrets::export::{self, ExportForm};
use secrets::{ListedSecret, SecretFailure, SecretName, SecretText};
use std::path::Path;

/// Why a command about secrets failed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] SecretFailure),
    /// There is nothing to export.
    #[error("this workspace has no secrets yet: `producer secrets set NAME` sets one")]
    Nothing,
}

/// Sets a secret, in the place of the one that was.
///
/// # Errors
/// [`SecretsFailure`] when the name or the value is none, or the store cannot be opened or written.
pub fn set_secret(workspace: &Workspace, name: &str, value: &SecretText) -> Result<(), SecretsFailure> {
    let name = SecretName::parse(name).map_err(SecretFailure::from)?;
    workspace.make_state()?;
    Ok(workspace.secrets().set(&name, value.expose(), &now())?)
}

/// All secrets by name, without their values.
///
/// # Errors
/// [`SecretsFailure`] when the store cannot be read.
pub fn list_secrets(workspace: &Workspace) -> Result<Vec<ListedSecret>, SecretsFailure> {
    Ok(workspace.secrets().list()?)
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

/// The secrets in clear, as one text: those of the names, or all. With a file they are written there, for this user alone, and
/// nothing comes back.
///
/// # Errors
/// [`SecretsFailure`] when there is no such secret, or the form cannot hold one.
pub fn export_secrets(
    workspace: &Workspace,
    names: &[String],
    form: ExportForm,
    file: Option<&Path>,
) -> Result<Option<SecretText>, SecretsFailure> {
    let store = workspace.secrets();
    let names: Vec<SecretName> = match names {
        [] => store.list()?.into_iter().map(|listed| listed.name).collect(),
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
    let text = export::text(&values, form)?;
    match file {
        Some(file) => export::write_private(file, text.as_bytes()).map(|()| None),
        None => Ok(Some(SecretText::new(text))),
    }
    .map_err(SecretsFailure::from)
}
