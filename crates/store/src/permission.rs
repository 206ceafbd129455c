//! Permissions on a database, for every engine: seen, changed, tried. An engine without roles has nothing to see.

use crate::{Database, StoreError};
use dialect::permission::PermissionProbe;
use plan::database::permission::{ObservedPermissions, PermissionStatement};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How something that a role tried came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It was let.
    Let,
    /// It was refused for want of a permission.
    Refused,
    /// It failed for another reason.
    Otherwise(String),
}

impl Database {
    /// What the server says of those roles. `None`: the engine has none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn permissions(&self, roles: &[RoleName]) -> Result<Option<ObservedPermissions>, StoreError> {
        match self {
            Self::Sqlite(_) | Self::MongoDb(_) => Ok(None),
            Self::PostgreSql(server) => server.permissions(roles).map(Some),
            Self::MySql(server) => server.permissions(roles).map(Some),
        }
    }

    /// What the server says of whoever may do something in this database. `None`: the engine has no roles.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be connected to or does not answer.
    pub fn everybodys_permissions(&self) -> Result<Option<ObservedPermissions>, StoreError> {
        match self {
            Self::Sqlite(_) | Self::MongoDb(_) => Ok(None),
            Self::PostgreSql(server) => server.everybodys_permissions().map(Some),
            Self::MySql(server) => server.everybodys_permissions().map(Some),
        }
    }

    /// Runs the statements and sets the passwords of roles: all or none where the engine can, else in order.
    ///
    /// # Errors
    /// [`StoreError`] when one is refused.
    pub fn permit(
        &self,
        statements: &[PermissionStatement],
        passwords: &[(RoleName, Secret<Zeroizing<String>>)],
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) | Self::MongoDb(_) => Ok(()),
            Self::PostgreSql(server) => server.permit(statements, passwords),
            Self::MySql(server) => server.permit(statements, passwords),
        }
    }

    /// Connects as a role and tries each statement; whatever it does is undone.
    ///
    /// # Errors
    /// [`StoreError::NotConnected`] when the role is not let in.
    pub fn try_as(
        &self,
        role: &RoleName,
        password: &Secret<Zeroizing<String>>,
        probes: &[PermissionProbe],
    ) -> Result<Vec<Tried>, StoreError> {
        match self {
            Self::Sqlite(_) | Self::MongoDb(_) => Ok(Vec::new()),
            Self::PostgreSql(server) => server.try_as(role, password, probes),
            Self::MySql(server) => server.try_as(role, password, probes),
        }
    }

    /// The same database, as somebody who connects as that role.
    #[must_use]
    pub fn as_role(&self, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Self {
        match self {
            Self::Sqlite(file) => Self::Sqlite(file.clone()),
            Self::PostgreSql(server) => Self::PostgreSql(server.as_role(role, password)),
            Self::MySql(server) => Self::MySql(server.as_user(role, password)),
            Self::MongoDb(server) => Self::MongoDb(server.as_user(role, password)),
        }
    }

    /// Whether what is said to it may leave the machine without encryption.
    #[must_use]
    pub fn may_be_overheard(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::PostgreSql(server) => server.may_be_overheard(),
            Self::MySql(server) => server.may_be_overheard(),
            Self::MongoDb(server) => server.may_be_overheard(),
        }
    }

    /// Whether others on the machine can read its file. `None`: it is no file.
    #[must_use]
    pub fn is_open_to_others(&self) -> Option<bool> {
        match self {
            Self::Sqlite(file) => Some(is_open(file)),
            Self::PostgreSql(_) | Self::MySql(_) | Self::MongoDb(_) => None,
        }
    }
}

#[cfg(unix)]
fn is_open(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_file: &std::path::Path) -> bool {
    false
}
