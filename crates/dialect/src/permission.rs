//! Permissions as an engine says them: the roles wanted and what a server was seen to grant come in; what it should show, the
//! statements between the two, and what each role is to try go out.

use crate::postgresql;
use plan::database::Table;
use plan::database::permission::{ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role};
use std::collections::BTreeSet;
use vocab::Engine;

/// Whether the engine has roles, and this program words for them.
#[must_use]
pub fn has_roles(engine: Engine) -> bool {
    match engine {
        Engine::Sqlite => false,
        Engine::PostgreSql => true,
    }
}

/// Something that a role tries, connected as itself, and that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionProbe {
    /// The statement.
    pub sql: String,
    /// Whether the role must be let.
    pub is_allowed: bool,
    /// What it is, in words: `drop the table users`.
    pub what: String,
}

/// The roles as the server's catalogue must show them. `found` says who makes tables, and which of the producer's own are there.
#[must_use]
pub fn wanted(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<ObservedRole> {
    match engine {
        Engine::Sqlite => Vec::new(),
        Engine::PostgreSql => postgresql::permission::wanted(permissions, &names(tables, found), found),
    }
}

/// The statements that bring what was found to what is wanted, in an order in which they can run; none when it is.
#[must_use]
pub fn statements(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    match engine {
        Engine::Sqlite => Vec::new(),
        Engine::PostgreSql => postgresql::permission::statements(permissions, &names(tables, found), found),
    }
}

/// Every way in which the permissions found are not those wanted, in words.
#[must_use]
pub fn differences(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<String> {
    match engine {
        Engine::Sqlite => Vec::new(),
        Engine::PostgreSql => postgresql::permission::differences(permissions, &names(tables, found), found),
    }
}

/// What a role that may log in tries.
#[must_use]
pub fn probes(engine: Engine, permissions: &Permissions, tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    match engine {
        Engine::Sqlite => Vec::new(),
        Engine::PostgreSql => postgresql::permission::probes(permissions, tables, role),
    }
}

/// Tables that APIs on the database bring with them.
const OWN_TABLES: [&str; 3] = ["api_keys", "idempotency_answers", "outbox_events"];

/// The tables that permissions are about: those of the plan, and those of the producer's own that are there.
fn names(tables: &[Table], found: &ObservedPermissions) -> BTreeSet<String> {
    let own = found.owners.iter().map(|(table, _)| table).filter(|table| OWN_TABLES.contains(&table.as_str()));
    tables.iter().map(|table| table.name.to_string()).chain(own.cloned()).collect()
}
