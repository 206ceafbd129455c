//! Roles as users of MySQL and MariaDB, whose grants are on a database or on its tables. Nobody owns a table there: whoever has the
//! privilege changes it, so there is no owner, and a migrator that has the privileges itself. A grant on the database holds for
//! tables that come later.

use super::quote;
use crate::permission::PermissionProbe;
use plan::database::Table;
use plan::database::permission::{
    Access, Grant, Granted, Login, ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role,
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest name of a user on MySQL; MariaDB takes more.
pub const MAX_ROLE_NAME: usize = 32;

pub(crate) fn wanted(permissions: &Permissions) -> Vec<ObservedRole> {
    let of_role = |role: &Role| ObservedRole {
        name: role.name.to_string(),
        may_log_in: role.login != Login::Never,
        grants: grants(role),
        ..ObservedRole::default()
    };
    permissions.roles.iter().map(of_role).collect()
}

fn grants(role: &Role) -> BTreeSet<Grant> {
    let targets: Vec<Granted> = match role.tables.as_slice() {
        [] => vec![Granted::Database],
        tables => tables.iter().map(|table| Granted::Table(table.to_string())).collect(),
    };
    let on = |target: &Granted| {
        let grant = |privilege: &&str| Grant {
            on: target.clone(),
            privilege: (*privilege).to_owned(),
            may_be_handed_on: false,
        };
        privileges(role.access).iter().map(grant).collect::<Vec<_>>()
    };
    targets.iter().flat_map(on).collect()
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

pub(crate) fn differences(permissions: &Permissions, found: &ObservedPermissions) -> Vec<String> {
    let mut differences = Vec::new();
    for wanted in wanted(permissions) {
        match found.roles.iter().find(|role| role.name == wanted.name) {
            None => differences.push(format!("user `{}` is missing", wanted.name)),
            Some(there) => {
                differences.extend(wanted.differences(there).iter().map(|how| format!("user `{}` {how}", wanted.name)));
            }
        }
    }
    differences
}

pub(crate) fn statements(permissions: &Permissions, found: &ObservedPermissions) -> Vec<PermissionStatement> {
    let nothing = ObservedRole::default();
    let mut statements = Vec::new();
    for (role, wanted) in permissions.roles.iter().zip(wanted(permissions)) {
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
        let extra: Vec<&Grant> = there.grants.difference(&wanted.grants).collect();
        for (target, privileges) in together(extra.iter().copied()) {
            let (revoke, grant) = both_ways(target, &privileges);
            let why = format!("{}: does not need that", role.name);
            statements.push(PermissionStatement { sql: revoke, why, undo: grant });
        }
        // What could be handed on was taken with the right to do so.
        let taken =
            |grant: &Grant| extra.iter().any(|gone| (&gone.on, &gone.privilege) == (&grant.on, &grant.privilege));
        let lacking = wanted.grants.iter().filter(|grant| !there.grants.contains(grant) || taken(grant));
        for (target, privileges) in together(lacking) {
            let (revoke, grant) = both_ways(target, &privileges);
            let why = format!("{}: {}", role.name, role.why);
            statements.push(PermissionStatement { sql: grant, why, undo: revoke });
        }
    }
    statements
}

fn together<'g>(grants: impl Iterator<Item = &'g Grant>) -> BTreeMap<&'g Granted, Vec<String>> {
    let mut by_target: BTreeMap<&Granted, Vec<String>> = BTreeMap::new();
    for grant in grants {
        let privileges = by_target.entry(&grant.on).or_default();
        privileges.push(match &grant.on {
            Granted::Column(_, column) => format!("{} ({})", grant.privilege, quote(column)),
            Granted::Database
            | Granted::Schema
            | Granted::Table(_)
            | Granted::Sequence(_)
            | Granted::FutureTables(_)
            | Granted::FutureSequences(_) => grant.privilege.clone(),
        });
        if grant.may_be_handed_on {
            privileges.push("GRANT OPTION".to_owned());
        }
    }
    by_target
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
    for table in tables.iter().filter(|table| is_in_reach(table)).take(1) {
        let name = quote(table.name.as_str());
        let column = table.columns.first().map_or_else(String::new, |column| quote(column.name.as_str()));
        for (privilege, sql, what) in [
            ("SELECT", format!("SELECT {column} FROM {name} WHERE FALSE"), "read rows of"),
            ("INSERT", format!("INSERT INTO {name} SELECT * FROM {name} WHERE FALSE"), "add rows to"),
            ("UPDATE", format!("UPDATE {name} SET {column} = NULL WHERE FALSE"), "change rows of"),
            ("DELETE", format!("DELETE FROM {name} WHERE FALSE"), "remove rows of"),
            ("CREATE", format!("CREATE TABLE IF NOT EXISTS {name} (producer_probe INT)"), "make a table like"),
        ] {
            probes.push(probe(sql, may(privilege), format!("{what} `{}`", table.name)));
        }
    }
    for table in tables.iter().filter(|table| !is_in_reach(table)).take(1) {
        let sql = format!("SELECT 1 FROM {} WHERE FALSE", quote(table.name.as_str()));
        probes.push(probe(sql, false, format!("read rows of `{}`", table.name)));
    }
    probes
}
