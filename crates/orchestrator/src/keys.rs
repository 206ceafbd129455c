//! API keys of the workspace's database.

use crate::workspace::{Workspace, WorkspaceFailure};
use serve::NewApiKey;
use store::{ApiKeyRow, Store};

/// Why a command about keys failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// There is no database yet.
    #[error("this workspace has no database yet: run a task first")]
    NoDatabase,
    /// The name is not one.
    #[error("a key needs a name of 1 to 100 characters")]
    Name,
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// No good key has that id.
    #[error("no key that works has the id `{0}`")]
    Unknown(String),
}

/// Makes a key and returns it; it is kept nowhere else.
///
/// # Errors
/// [`KeyFailure`] when there is nothing to keep it in, or the name is not one.
pub fn create_key(workspace: &Workspace, name: &str) -> Result<NewApiKey, KeyFailure> {
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(KeyFailure::Name);
    }
    let store = database(workspace)?;
    let new =
        NewApiKey::generate(name, &crate::run::now()).map_err(|error| KeyFailure::Randomness(error.to_string()))?;
    store.insert_api_key(&new.row).map_err(WorkspaceFailure::from)?;
    Ok(new)
}

/// All keys, oldest first, without the keys themselves.
///
/// # Errors
/// [`KeyFailure`] when there is no database.
pub fn list_keys(workspace: &Workspace) -> Result<Vec<ApiKeyRow>, KeyFailure> {
    Ok(database(workspace)?.api_keys().map_err(WorkspaceFailure::from)?)
}

/// Makes a key useless, within a second everywhere.
///
/// # Errors
/// [`KeyFailure::Unknown`] when no good key has that id.
pub fn revoke_key(workspace: &Workspace, id: &str) -> Result<(), KeyFailure> {
    let revoked = database(workspace)?.revoke_api_key(id, &crate::run::now()).map_err(WorkspaceFailure::from)?;
    if revoked { Ok(()) } else { Err(KeyFailure::Unknown(id.to_owned())) }
}

fn database(workspace: &Workspace) -> Result<Store, KeyFailure> {
    if workspace.database_file().exists() { Ok(workspace.open_database()?) } else { Err(KeyFailure::NoDatabase) }
}
