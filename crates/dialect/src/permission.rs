//! Permissions as an engine says them: the roles wanted and what a server was seen to grant come in; what it should show, the
//! statements between the two, and what each role is to try go out.

use crate::{mysql, name, postgresql};
use plan::database::Table;
use plan::database::permission::{ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role};
use std::collections::BTreeSet;
use vocab::{Engine, MAX_IDENTIFIER_LENGTH};

/// Whether tables belong to a role there.
#[must_use]
pub fn has_owners(engine: Engine) -> bool {
    match engine {
        Engine::Sqlite | Engine::MySql => false,
        Engine::PostgreSql => true,
    }
}

/// `shop` and `app` -> `shop_app`, not longer than the engine takes.
#[must_use]
pub fn role_name(engine: Engine, prefix: &str, end: &str) -> String {
    let longest = match engine {
        Engine::Sqlite | Engine::PostgreSql => MAX_IDENTIFIER_LENGTH,
        Engine::MySql => mysql::permission::MAX_ROLE_NAME,
    };
    name::joined_within(longest, &[prefix], end)
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
        Engine::MySql => mysql::permission::wanted(permissions),
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
        Engine::MySql => mysql::permission::statements(permissions, found),
    }
}

/// All statements, for somebody who runs them by hand on the tables of the plan. Whoever that is makes tables too.
#[must_use]
pub fn script(engine: Engine, permissions: &Permissions, tables: &[Table]) -> Vec<PermissionStatement> {
    let whoever = permissions.user.clone();
    let there = tables.iter().map(|table| table.name.to_string()).chain(LEDGERS.map(str::to_owned));
    let found = ObservedPermissions {
        user: whoever.clone(),
        may_administer_database: true,
        owners: there.map(|table| (table, whoever.clone())).collect(),
        sequences: vec![LEDGER_SEQUENCE.to_owned()],
        ..ObservedPermissions::default()
    };
    statements(engine, permissions, tables, &found)
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
        Engine::MySql => mysql::permission::differences(permissions, found),
    }
}

/// What hides rows of the plan's tables from those whom the plan lets see them, in words, and the statement that takes it away.
/// Somebody has put it there for a reason, so nobody takes it away unasked.
#[must_use]
pub fn barriers(engine: Engine, tables: &[Table], found: &ObservedPermissions) -> Vec<(String, PermissionStatement)> {
    match engine {
        // Who may read a table there sees all of it.
        Engine::Sqlite | Engine::MySql => Vec::new(),
        Engine::PostgreSql => postgresql::permission::barriers(&names(tables, found), found),
    }
}

/// The statement by which somebody hands a role of theirs over to the one who has that mark.
#[must_use]
pub fn adopt(engine: Engine, role: &str, mark: &str) -> String {
    match engine {
        // Nobody says there for whom a user was made.
        Engine::Sqlite | Engine::MySql => String::new(),
        Engine::PostgreSql => postgresql::permission::adopt(role, mark),
    }
}

/// What a role that may log in tries.
#[must_use]
pub fn probes(engine: Engine, permissions: &Permissions, tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    match engine {
        Engine::Sqlite => Vec::new(),
        Engine::PostgreSql => postgresql::permission::probes(permissions, tables, role),
        Engine::MySql => mysql::permission::probes(tables, role),
    }
}

/// The ledgers of migrations: part of a copy, and what tells a server that it is ready.
pub(crate) const LEDGERS: [&str; 2] = ["schema_migrations", "schema_migration_steps"];

/// What numbers the entries of the second, where the engine keeps that apart.
const LEDGER_SEQUENCE: &str = "schema_migration_steps_entry_seq";

/// Tables that APIs on the database bring with them.
pub(crate) const OWN_TABLES: [&str; 3] = ["api_keys", "idempotency_answers", "outbox_events"];

/// The tables that permissions are about: those of the plan, and those of the producer's own that are there.
fn names(tables: &[Table], found: &ObservedPermissions) -> BTreeSet<String> {
    let own = found.owners.iter().map(|(table, _)| table).filter(|table| OWN_TABLES.contains(&table.as_str()));
    tables.iter().map(|table| table.name.to_string()).chain(own.cloned()).collect()
}
