//! Roles as users of MySQL and MariaDB, whose grants are on a database or on its tables. Nobody owns a table there: whoever has the
//! privilege changes it, so there is no owner, and a migrator that has the privileges itself. A grant on the database holds for
//! tables that come later.

use super::{quote, text};
use crate::permission::{Columns, LEDGERS, PermissionProbe, between, on_table, secret, together, tried_on};
use plan::database::permission::{
    Access, Grant, Granted, Login, ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role,
};
use plan::database::{Column, Sensitivity, Table};
use std::collections::BTreeSet;
use vocab::ColumnName;

/// The longest name of a user on MySQL; MariaDB takes more.
pub const MAX_ROLE_NAME: usize = 32;

pub(crate) fn wanted(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<ObservedRole> {
    let of_role = |role: &Role| ObservedRole {
        name: role.name.to_string(),
        may_log_in: role.login != Login::Never,
        grants: grants(role, tables, found),
        ..ObservedRole::default()
    };
    permissions.roles.iter().map(of_role).collect()
}

/// On the database for who has to do with all of it, else table by table.
fn grants(role: &Role, tables: &[Table], found: &ObservedPermissions) -> BTreeSet<Grant> {
    let grant = |on: Granted, privilege: &str| Grant { on, privilege: privilege.to_owned(), may_be_handed_on: false };
    let is_of_all = match role.access {
        Access::Owner | Access::Migrate | Access::Backup => true,
        Access::ReadWrite => role.tables.is_empty() && role.uses.is_none(),
        Access::ReadOnly => false,
    };
    if is_of_all {
        return privileges(role.access).iter().map(|privilege| grant(Granted::Database, privilege)).collect();
    }
    let mut grants = BTreeSet::new();
    for table in tables {
        let (may, on) = (on_table(role, table), || Granted::Table(table.name.to_string()));
        if may.delete {
            grants.insert(grant(on(), "DELETE"));
        }
        for (privilege, columns) in may.of_columns() {
            match (privilege, columns) {
                (_, Columns::None) => {}
                // Single columns are written by way of others: a row that is there already is found by them.
                ("SELECT", Columns::Some(columns)) if hides_a_secret(table, columns) => {
                    let open = table.columns.iter().filter(|column| is_open(role, column, columns));
                    grants.extend(open.map(|column| {
                        grant(Granted::Column(table.name.to_string(), column.name.to_string()), "SELECT")
                    }));
                }
                (_, Columns::Some(_) | Columns::All) => {
                    grants.insert(grant(on(), privilege));
                }
            }
        }
    }
    // A server says that it is ready when it has seen the ledger.
    let is_of_server = role.tables.is_empty() && role.access == Access::ReadWrite;
    let ledgers = found.owners.iter().map(|(table, _)| table).filter(|table| LEDGERS.contains(&table.as_str()));
    let ledgers = ledgers.filter(|_| is_of_server).map(|table| grant(Granted::Table(table.clone()), "SELECT"));
    grants.extend(ledgers);
    grants
}

fn hides_a_secret(table: &Table, read: &BTreeSet<ColumnName>) -> bool {
    table.columns.iter().any(|column| column.sensitivity == Sensitivity::Secret && !read.contains(&column.name))
}

/// Who writes reads all that is not secret: a statement there may have to look at more than it changes.
fn is_open(role: &Role, column: &Column, read: &BTreeSet<ColumnName>) -> bool {
    match role.access {
        Access::ReadWrite => column.sensitivity != Sensitivity::Secret || read.contains(&column.name),
        Access::Owner | Access::Migrate | Access::ReadOnly | Access::Backup => read.contains(&column.name),
    }
}

fn privileges(access: Access) -> &'static [&'static str] {
    match access {
        Access::Owner => &[],
        Access::Migrate => &[
            "ALTER",
            "CREATE",
            "CREATE VIEW",
            "DELETE",
            "DROP",
            "INDEX",
            "INSERT",
            "LOCK TABLES",
            "REFERENCES",
            "SELECT",
            "SHOW VIEW",
            "TRIGGER",
            "UPDATE",
        ],
        Access::ReadWrite => &["DELETE", "INSERT", "SELECT", "UPDATE"],
        Access::ReadOnly => &["SELECT"],
        Access::Backup => &["LOCK TABLES", "SELECT", "SHOW VIEW", "TRIGGER"],
    }
}

pub(crate) fn differences(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<String> {
    let mut differences = Vec::new();
    for wanted in wanted(permissions, tables, found) {
        match found.roles.iter().find(|role| role.name == wanted.name) {
            None => differences.push(format!("user `{}` is missing", wanted.name)),
            Some(there) => {
                differences.extend(wanted.differences(there).iter().map(|how| format!("user `{}` {how}", wanted.name)));
            }
        }
    }
    differences
}

pub(crate) fn statements(
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    let nothing = ObservedRole::default();
    let mut statements = Vec::new();
    for (role, wanted) in permissions.roles.iter().zip(wanted(permissions, tables, found)) {
        let account = account(role.name.as_str());
        let there = found.roles.iter().find(|there| there.name == wanted.name);
        if there.is_none() {
            statements.push(PermissionStatement {
                sql: format!("CREATE USER {account} ACCOUNT LOCK"),
                why: format!("{}: {}; locked until it has a password", role.name, role.why),
                undo: format!("DROP USER {account}"),
            });
        }
        let there = there.unwrap_or(&nothing);
        if role.login != Login::Never && !there.may_log_in && there.name == wanted.name {
            statements.push(PermissionStatement {
                sql: format!("ALTER USER {account} ACCOUNT UNLOCK"),
                why: format!("{}: {}", role.name, role.why),
                undo: format!("ALTER USER {account} ACCOUNT LOCK"),
            });
        }
        for other in there.member_of.difference(&wanted.member_of) {
            let other = quote_any(other);
            statements.push(PermissionStatement {
                sql: format!("REVOKE {other} FROM {account}"),
                why: format!("{}: has nothing to do with {other}", role.name),
                undo: format!("GRANT {other} TO {account}"),
            });
        }
        for power in &there.powers {
            statements.push(PermissionStatement {
                sql: format!("REVOKE {power} ON *.* FROM {account}"),
                why: format!("{}: it needs nothing of the server as a whole", role.name),
                undo: format!("GRANT {power} ON *.* TO {account}"),
            });
        }
        let both_ways = |target: &Granted, privileges: &[String]| {
            let (on, privileges) = (target_text(permissions, target), privileges.join(", "));
            (format!("REVOKE {privileges} ON {on} FROM {account}"), format!("GRANT {privileges} ON {on} TO {account}"))
        };
        let (extra, lacking) = between(&there.grants, &wanted.grants);
        for (target, mut privileges) in each(extra.iter().copied()) {
            if extra.iter().any(|grant| grant.on == *target && grant.may_be_handed_on) {
                privileges.push("GRANT OPTION".to_owned());
            }
            let (revoke, grant) = both_ways(target, &privileges);
            let why = format!("{}: does not need that", role.name);
            statements.push(PermissionStatement { sql: revoke, why, undo: grant });
        }
        for (target, privileges) in each(lacking.into_iter()) {
            let (revoke, grant) = both_ways(target, &privileges);
            let why = format!("{}: {}", role.name, role.why);
            statements.push(PermissionStatement { sql: grant, why, undo: revoke });
        }
    }
    statements
}

/// A statement there is about one thing.
fn each<'g>(grants: impl Iterator<Item = &'g Grant>) -> Vec<(&'g Granted, Vec<String>)> {
    let groups = together(grants, quote);
    let alone = |(targets, privileges): (Vec<&'g Granted>, Vec<String>)| {
        targets.into_iter().map(move |target| (target, privileges.clone())).collect::<Vec<_>>()
    };
    groups.into_iter().flat_map(alone).collect()
}

fn target_text(permissions: &Permissions, target: &Granted) -> String {
    match target {
        Granted::Table(table) | Granted::Column(table, _) => {
            format!("{}.{}", quote_any(&permissions.database), quote(table))
        }
        // The engine has nothing of the others.
        Granted::Database
        | Granted::Schema
        | Granted::Sequence(_)
        | Granted::FutureTables(_)
        | Granted::FutureSequences(_) => format!("{}.*", quote_any(&pattern(&permissions.database))),
    }
}

/// A database as grants on a whole database name it, where `_` and `%` stand for anything.
pub fn pattern(database: &str) -> String {
    database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// A user, wherever it comes from.
pub fn account(name: &str) -> String {
    format!("'{name}'@'%'")
}

/// By address, since a server of one machine asks nobody for the names of hosts. The user that a maker has made by itself goes.
pub(crate) fn first_user(name: &str, password: &str) -> String {
    let (user, password) = (format!("{}@'127.0.0.1'", text(name)), text(password));
    let statements = [
        format!("CREATE USER IF NOT EXISTS {user}"),
        format!("ALTER USER {user} IDENTIFIED BY {password}"),
        format!("GRANT ALL ON *.* TO {user} WITH GRANT OPTION"),
        format!("DROP USER IF EXISTS {}@'localhost'", text(name)),
        "SHUTDOWN".to_owned(),
    ];
    statements.map(|statement| format!("{statement};\n")).concat()
}

fn quote_any(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// What changes nothing even if it should be let: statements about a table that is not there, or about no row.
pub(crate) fn probes(tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    let probe = |sql: String, is_allowed: bool, what: String| PermissionProbe { sql, is_allowed, what };
    let may = |privilege: &str| privileges(role.access).contains(&privilege);
    let mut probes = vec![
        probe("DROP TABLE IF EXISTS producer_probe".to_owned(), may("DROP"), "drop a table".to_owned()),
        probe("CREATE USER IF NOT EXISTS CURRENT_USER()".to_owned(), false, "make a user".to_owned()),
    ];
    let is_in_reach = |table: &Table| role.tables.is_empty() || role.tables.contains(&table.name);
    if let Some(table) = tried_on(role, tables) {
        let may_all = role.access == Access::Migrate;
        let (may, name) = (on_table(role, table), quote(table.name.as_str()));
        let first = table.columns.first().map(|column| &column.name);
        let column = |of: &Columns| of.any(table).or(first).map_or_else(String::new, |column| quote(column.as_str()));
        let is_let = |of: &Columns| may_all || *of != Columns::None;
        let (read, added, changed) = (column(&may.select), column(&may.insert), column(&may.update));
        for (is_allowed, sql, what) in [
            (is_let(&may.select), format!("SELECT {read} FROM {name} WHERE FALSE"), "read rows of"),
            (is_let(&may.insert), format!("EXPLAIN INSERT INTO {name} ({added}) VALUES (NULL)"), "add rows to"),
            (is_let(&may.update), format!("UPDATE {name} SET {changed} = NULL WHERE FALSE"), "change rows of"),
            (may_all || may.delete, format!("DELETE FROM {name} WHERE FALSE"), "remove rows of"),
            (may_all, format!("CREATE TABLE IF NOT EXISTS {name} (producer_probe INT)"), "make a table like"),
        ] {
            probes.push(probe(sql, is_allowed, format!("{what} `{}`", table.name)));
        }
        if let Some(secret) = secret(table) {
            let sql = format!("SELECT {} FROM {name} WHERE FALSE", quote(secret.as_str()));
            let is_allowed = may_all || may.select.contains(secret);
            probes.push(probe(sql, is_allowed, format!("read `{}.{secret}`", table.name)));
        }
    }
    for table in tables.iter().filter(|table| !is_in_reach(table)).take(1) {
        let sql = format!("SELECT 1 FROM {} WHERE FALSE", quote(table.name.as_str()));
        probes.push(probe(sql, false, format!("read rows of `{}`", table.name)));
    }
    probes
}
