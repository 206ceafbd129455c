//! Roles and grants as PostgreSQL statements, and as PostgreSQL's catalogue shows them. A role belongs to the whole server; what
//! it may do is said for one schema of one database.

use super::{quote, row_security, text};
use crate::permission::{Columns, LEDGERS, PermissionProbe, between, on_table, secret, together, tried_on};
use plan::database::permission::{
    Access, Grant, Granted, Login, ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role,
};
use plan::database::{Column, Table};
use std::collections::BTreeSet;
use vocab::TableName;

/// The schema that sessions look in without being told to.
const USUAL_SCHEMA: &str = "public";

pub fn wanted(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<ObservedRole> {
    let of_role = |role: &Role| ObservedRole {
        name: role.name.to_string(),
        may_log_in: role.login != Login::Never,
        mark: Some(mark(permissions, role, found)),
        powers: BTreeSet::new(),
        member_of: owner_of(permissions, role).into_iter().collect(),
        settings: settings(permissions, role),
        grants: grants(permissions, role, tables, found),
    };
    permissions.roles.iter().map(of_role).collect()
}

/// A role that another task of the workspace has made is shared with it.
fn mark(permissions: &Permissions, role: &Role, found: &ObservedPermissions) -> String {
    let there = found.roles.iter().find(|there| there.name == role.name.as_str());
    there.and_then(|there| there.mark.clone()).unwrap_or_else(|| permissions.mark.clone())
}

/// The owner, for a role that may become it.
fn owner_of(permissions: &Permissions, role: &Role) -> Option<String> {
    match role.access {
        Access::Migrate => owner(permissions),
        Access::Owner | Access::ReadWrite | Access::ReadOnly | Access::Backup => None,
    }
}

fn owner(permissions: &Permissions) -> Option<String> {
    permissions.roles.iter().find(|role| role.access == Access::Owner).map(|role| role.name.to_string())
}

/// Whoever migrates is the owner from the first moment, so that what is made is the owner's.
fn settings(permissions: &Permissions, role: &Role) -> BTreeSet<String> {
    let mut settings = BTreeSet::new();
    if let Some(owner) = owner_of(permissions, role) {
        settings.insert(format!("role={owner}"));
    }
    if role.login != Login::Never && permissions.schema != USUAL_SCHEMA {
        settings.insert(format!("search_path={}", quote_any(&permissions.schema)));
    }
    settings
}

fn grants(permissions: &Permissions, role: &Role, tables: &[Table], found: &ObservedPermissions) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    let mut grant = |on: Granted, privileges: &[&str]| {
        grants.extend(privileges.iter().map(|privilege| Grant {
            on: on.clone(),
            privilege: (*privilege).to_owned(),
            may_be_handed_on: false,
        }));
    };
    if role.login != Login::Never && found.may_administer_database {
        grant(Granted::Database, &["CONNECT"]);
    }
    match role.access {
        Access::Owner => grant(Granted::Schema, &["CREATE", "USAGE"]),
        // All of it comes with the owner.
        Access::Migrate => {}
        Access::ReadWrite | Access::ReadOnly | Access::Backup => grant(Granted::Schema, &["USAGE"]),
    }
    for table in tables {
        let may = on_table(role, table);
        let on = |name: &TableName| Granted::Table(name.to_string());
        if may.delete {
            grant(on(&table.name), &["DELETE"]);
        }
        for (privilege, columns) in may.of_columns() {
            match columns {
                Columns::None => {}
                Columns::All => grant(on(&table.name), &[privilege]),
                Columns::Some(columns) => columns.iter().for_each(|column| {
                    grant(Granted::Column(table.name.to_string(), column.to_string()), &[privilege]);
                }),
            }
        }
    }
    if !role.tables.is_empty() {
        return grants;
    }
    let ledgers = || {
        let there = found.owners.iter().map(|(table, _)| table);
        there.filter(|table| LEDGERS.contains(&table.as_str())).map(|table| Granted::Table(table.clone()))
    };
    match role.access {
        // A server says that it is ready when it has seen the ledger.
        Access::ReadWrite => ledgers().for_each(|ledger| grant(ledger, &["SELECT"])),
        Access::Backup => {
            ledgers().for_each(|ledger| grant(ledger, &["SELECT"]));
            found.sequences.iter().for_each(|sequence| grant(Granted::Sequence(sequence.clone()), &["SELECT"]));
        }
        Access::Owner | Access::Migrate | Access::ReadOnly => {}
    }
    for maker in makers(permissions, found) {
        match (role.access, &role.uses) {
            (Access::ReadWrite, None) => {
                grant(Granted::FutureTables(maker.clone()), &["DELETE", "INSERT", "SELECT", "UPDATE"]);
                grant(Granted::FutureSequences(maker), &["SELECT", "USAGE"]);
            }
            (Access::Backup, _) => {
                grant(Granted::FutureTables(maker.clone()), &["SELECT"]);
                grant(Granted::FutureSequences(maker), &["SELECT"]);
            }
            // Nobody knows yet which columns of a table to come are secret, or what is done with it.
            (Access::Owner | Access::Migrate | Access::ReadOnly, _) | (Access::ReadWrite, Some(_)) => {}
        }
    }
    grants
}

/// Those who make tables: what they make later is within reach of the roles from the beginning.
fn makers(permissions: &Permissions, found: &ObservedPermissions) -> BTreeSet<String> {
    owner(permissions).into_iter().chain([found.user.clone()]).collect()
}

/// What was found, without that which is nobody's business here: tables of others, and what owners may do by themselves.
fn regarded(
    found: &ObservedRole,
    wanted: &ObservedRole,
    permissions: &Permissions,
    tables: &[Table],
    all: &ObservedPermissions,
) -> BTreeSet<Grant> {
    let makers = makers(permissions, all);
    let is_own = |table: &String| all.owners.iter().any(|(name, owner)| name == table && *owner == found.name);
    let is_regarded = |grant: &&Grant| match &grant.on {
        Granted::Database => all.may_administer_database,
        Granted::Schema => true,
        Granted::Table(table) => (is_one_of(table, tables) || LEDGERS.contains(&table.as_str())) && !is_own(table),
        Granted::Column(table, _) => is_one_of(table, tables) && !is_own(table),
        // Whoever makes one has said who may use it.
        Granted::Sequence(_) => wanted.grants.contains(grant),
        Granted::FutureTables(maker) | Granted::FutureSequences(maker) => {
            makers.contains(maker) && *maker != found.name
        }
    };
    found.grants.iter().filter(is_regarded).cloned().collect()
}

fn is_one_of(name: &str, tables: &[Table]) -> bool {
    tables.iter().any(|table| table.name.as_str() == name)
}

/// Tables whose owner is another one than wanted.
fn to_be_handed_over<'f>(
    permissions: &Permissions,
    tables: &[Table],
    found: &'f ObservedPermissions,
) -> Vec<&'f (String, String)> {
    let Some(owner) = owner(permissions) else { return Vec::new() };
    let is_guest = |table: &str| permissions.guests.iter().any(|guest| guest.as_str() == table);
    let is_ours = |table: &String| LEDGERS.contains(&table.as_str()) || is_one_of(table, tables) && !is_guest(table);
    found.owners.iter().filter(|(table, held_by)| is_ours(table) && *held_by != owner).collect()
}

pub fn differences(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<String> {
    let mut differences = Vec::new();
    for wanted in wanted(permissions, tables, found) {
        let Some(there) = found.roles.iter().find(|role| role.name == wanted.name) else {
            differences.push(format!("role `{}` is missing", wanted.name));
            continue;
        };
        let there = ObservedRole { grants: regarded(there, &wanted, permissions, tables, found), ..there.clone() };
        differences.extend(wanted.differences(&there).iter().map(|how| format!("role `{}` {how}", wanted.name)));
    }
    for (table, held_by) in to_be_handed_over(permissions, tables, found) {
        differences.push(format!("table `{table}` is owned by `{held_by}`"));
    }
    let everybody = regarded_of_everybody(permissions, tables, found);
    differences.extend(everybody.iter().map(|grant| format!("everybody may {} {}", grant.privilege, grant.on)));
    differences.extend(row_security::differences(permissions, tables, found));
    differences
}

/// What everybody may do beyond looking into the database and the schema.
fn regarded_of_everybody(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> BTreeSet<Grant> {
    let makers = makers(permissions, found);
    let is_regarded = |grant: &&Grant| match &grant.on {
        Granted::Schema => true,
        Granted::Table(table) | Granted::Column(table, _) => {
            is_one_of(table, tables) || LEDGERS.contains(&table.as_str())
        }
        Granted::FutureTables(maker) | Granted::FutureSequences(maker) => makers.contains(maker),
        // On a database that is not ours others may count on being let in.
        Granted::Database => found.database_was_made && found.may_administer_database,
        Granted::Sequence(_) => false,
    };
    found.everybody.iter().filter(is_regarded).cloned().collect()
}

/// What a new database lets everybody do; before version 15 everybody made things in its usual schema.
pub fn everybody(permissions: &Permissions) -> BTreeSet<Grant> {
    let grant = |on, privilege: &str| Grant { on, privilege: privilege.to_owned(), may_be_handed_on: false };
    let on_database = ["CONNECT", "TEMPORARY"].map(|privilege| grant(Granted::Database, privilege));
    let on_schema = (permissions.schema == USUAL_SCHEMA).then(|| grant(Granted::Schema, "CREATE"));
    on_database.into_iter().chain(on_schema).collect()
}

pub fn statements(
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    let wanted = wanted(permissions, tables, found);
    let nothing = |role: &ObservedRole| ObservedRole { name: role.name.clone(), ..ObservedRole::default() };
    let pairs: Vec<(&Role, &ObservedRole, ObservedRole)> = permissions
        .roles
        .iter()
        .zip(&wanted)
        .map(|(role, wanted)| {
            let there = found.roles.iter().find(|there| there.name == wanted.name);
            let there = there.map_or_else(
                || nothing(wanted),
                |there| ObservedRole { grants: regarded(there, wanted, permissions, tables, found), ..there.clone() },
            );
            (role, wanted, there)
        })
        .collect();
    let mut statements = Vec::new();
    for (role, wanted, there) in &pairs {
        statements.extend(itself(role, wanted, there));
    }
    for (_, wanted, there) in &pairs {
        statements.extend(memberships(wanted, there));
    }
    statements.extend(ownership(permissions, tables, found));
    for (targets, privileges) in together(regarded_of_everybody(permissions, tables, found).iter(), quote_any) {
        let (revoke, grant) = both_ways(permissions, "PUBLIC", &targets, &privileges);
        let why = match targets.first() {
            Some(Granted::Database) => "who enters the database is said role by role",
            Some(Granted::Schema) => "nobody but the owner makes things in the schema",
            Some(_) | None => "who may do what is said role by role",
        };
        statements.push(PermissionStatement { sql: revoke, why: why.to_owned(), undo: grant });
    }
    for (role, wanted, there) in &pairs {
        statements.extend(changes(permissions, role, &there.grants, &wanted.grants));
    }
    for (_, wanted, there) in &pairs {
        statements.extend(session_settings(permissions, wanted, there));
    }
    statements.extend(row_security::statements(permissions, tables, found));
    statements
}

/// The role itself: whether it is there, whether it logs in, and that it may do nothing on the server as a whole.
fn itself(role: &Role, wanted: &ObservedRole, there: &ObservedRole) -> Vec<PermissionStatement> {
    let name = quote(&wanted.name);
    let login = |may: bool| if may { "LOGIN" } else { "NOLOGIN" };
    let mut statements = Vec::new();
    match &there.mark {
        None => {
            let mark = wanted.mark.as_deref().unwrap_or_default();
            statements.push(PermissionStatement {
                sql: format!("CREATE ROLE {name} {};\n{}", login(wanted.may_log_in), adopt(&wanted.name, mark)),
                why: format!("{}: {}", wanted.name, role.why),
                undo: format!("DROP ROLE {name}"),
            });
        }
        Some(_) if wanted.may_log_in != there.may_log_in => statements.push(PermissionStatement {
            sql: format!("ALTER ROLE {name} {}", login(wanted.may_log_in)),
            why: format!("{}: {}", wanted.name, role.why),
            undo: format!("ALTER ROLE {name} {}", login(there.may_log_in)),
        }),
        Some(_) => {}
    }
    for power in &there.powers {
        statements.push(PermissionStatement {
            sql: format!("ALTER ROLE {name} NO{power}"),
            why: format!("{}: it needs nothing of the server as a whole", wanted.name),
            undo: format!("ALTER ROLE {name} {power}"),
        });
    }
    statements
}

pub fn adopt(role: &str, mark: &str) -> String {
    format!("COMMENT ON ROLE {} IS {}", quote_any(role), text(mark))
}

fn memberships(wanted: &ObservedRole, there: &ObservedRole) -> Vec<PermissionStatement> {
    let name = quote(&wanted.name);
    let grant = |role: &String| format!("GRANT {} TO {name}", quote_any(role));
    let revoke = |role: &String| format!("REVOKE {} FROM {name}", quote_any(role));
    let more = wanted.member_of.difference(&there.member_of).map(|role| PermissionStatement {
        sql: grant(role),
        why: format!("{}: may become `{role}`", wanted.name),
        undo: revoke(role),
    });
    let fewer = there.member_of.difference(&wanted.member_of).map(|role| PermissionStatement {
        sql: revoke(role),
        why: format!("{}: has nothing to do with `{role}`", wanted.name),
        undo: grant(role),
    });
    more.chain(fewer).collect()
}

/// Tables belong to the owner, who cannot log in: no password that leaks can drop one.
fn ownership(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<PermissionStatement> {
    let Some(owner) = owner(permissions) else { return Vec::new() };
    let name = quote(&owner);
    let mut statements = Vec::new();
    if !found.acts_as.contains(&owner) {
        statements.push(PermissionStatement {
            sql: format!("GRANT {name} TO {}", user(&found.user)),
            why: "whoever migrates by the connection acts as the owner".to_owned(),
            undo: format!("REVOKE {name} FROM {}", user(&found.user)),
        });
    }
    // Before the tables change hands: the new owner must be allowed to make something there.
    let in_schema = Granted::Schema;
    let there = found.roles.iter().find(|role| role.name == owner);
    let has = |privilege: &str| {
        there.is_some_and(|role| role.grants.iter().any(|grant| grant.on == in_schema && grant.privilege == privilege))
    };
    if !has("CREATE") || !has("USAGE") {
        let schema = quote_any(&permissions.schema);
        statements.push(PermissionStatement {
            sql: format!("GRANT CREATE, USAGE ON SCHEMA {schema} TO {name}"),
            why: format!("{owner}: makes tables there"),
            undo: format!("REVOKE CREATE, USAGE ON SCHEMA {schema} FROM {name}"),
        });
    }
    statements.extend(to_be_handed_over(permissions, tables, found).into_iter().map(|(table, held_by)| {
        let (table, held_by) = (quote(table), user(held_by));
        PermissionStatement {
            sql: format!("ALTER TABLE {table} OWNER TO {name}"),
            why: format!("{owner}: owns the tables, and cannot log in"),
            undo: format!("ALTER TABLE {table} OWNER TO {held_by}"),
        }
    }));
    statements
}

/// Grants that are too many are taken first, then those that lack are given; tables with the same privileges together.
fn changes(
    permissions: &Permissions,
    role: &Role,
    there: &BTreeSet<Grant>,
    wanted: &BTreeSet<Grant>,
) -> Vec<PermissionStatement> {
    let is_for_owner = role.access == Access::Owner;
    let (revoked, granted) = between(there, wanted);
    let granted = granted.into_iter();
    // The owner's own were given before the tables changed hands.
    let granted = granted.filter(|grant| !(is_for_owner && grant.on == Granted::Schema));
    let name = role.name.as_str();
    let grantee = quote(name);
    let mut statements = Vec::new();
    for (targets, privileges) in together(revoked.into_iter(), quote_any) {
        let (revoke, grant) = both_ways(permissions, &grantee, &targets, &privileges);
        statements.push(PermissionStatement { sql: revoke, why: format!("{name}: does not need that"), undo: grant });
    }
    for (targets, privileges) in together(granted, quote_any) {
        let (revoke, grant) = both_ways(permissions, &grantee, &targets, &privileges);
        statements.push(PermissionStatement { sql: grant, why: format!("{name}: {}", role.why), undo: revoke });
    }
    statements
}

/// The statement that takes privileges and the one that gives them.
fn both_ways(permissions: &Permissions, role: &str, targets: &[&Granted], privileges: &[String]) -> (String, String) {
    let (privileges, schema) = (privileges.join(", "), quote_any(&permissions.schema));
    let plain = |on: String| {
        (format!("REVOKE {privileges} ON {on} FROM {role}"), format!("GRANT {privileges} ON {on} TO {role}"))
    };
    let future = |maker: &str, kind: &str| {
        let head = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {schema}", user(maker));
        (
            format!("{head} REVOKE {privileges} ON {kind} FROM {role}"),
            format!("{head} GRANT {privileges} ON {kind} TO {role}"),
        )
    };
    match targets {
        [] => plain(String::new()),
        [Granted::Database, ..] => plain(format!("DATABASE {}", quote_any(&permissions.database))),
        [Granted::Schema, ..] => plain(format!("SCHEMA {schema}")),
        [Granted::Column(table, _), ..] => plain(quote(table)),
        [Granted::Sequence(sequence), ..] => plain(format!("SEQUENCE {}", quote_any(sequence))),
        [Granted::FutureTables(maker), ..] => future(maker, "TABLES"),
        [Granted::FutureSequences(maker), ..] => future(maker, "SEQUENCES"),
        [Granted::Table(_), ..] => {
            let tables = targets.iter().filter_map(|target| match target {
                Granted::Table(table) => Some(quote(table)),
                Granted::Database
                | Granted::Schema
                | Granted::Sequence(_)
                | Granted::Column(..)
                | Granted::FutureTables(_)
                | Granted::FutureSequences(_) => None,
            });
            plain(tables.collect::<Vec<_>>().join(", "))
        }
    }
}

fn session_settings(
    permissions: &Permissions,
    wanted: &ObservedRole,
    there: &ObservedRole,
) -> Vec<PermissionStatement> {
    let head = format!("ALTER ROLE {} IN DATABASE {}", quote(&wanted.name), quote_any(&permissions.database));
    let key = |setting: &String| setting.split('=').next().unwrap_or_default().to_owned();
    let set = |setting: &String| {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        format!("{head} SET {key} TO {value}")
    };
    let mut statements: Vec<PermissionStatement> = Vec::new();
    for setting in there.settings.difference(&wanted.settings) {
        statements.push(PermissionStatement {
            sql: format!("{head} RESET {}", key(setting)),
            why: format!("{}: its sessions need no such setting", wanted.name),
            undo: set(setting),
        });
    }
    for setting in wanted.settings.difference(&there.settings) {
        statements.push(PermissionStatement {
            sql: set(setting),
            why: format!("{}: so its sessions find, and make, things where they belong", wanted.name),
            undo: format!("{head} RESET {}", key(setting)),
        });
    }
    statements
}

pub fn probes(permissions: &Permissions, tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    let probe = |sql: String, is_allowed: bool, what: String| PermissionProbe { sql, is_allowed, what };
    let may_change_tables = match role.access {
        Access::Owner | Access::Migrate => true,
        Access::ReadWrite | Access::ReadOnly | Access::Backup => false,
    };
    // What an API has brought is not the owner's, and so not within reach of whoever becomes the owner.
    let is_guest = |table: &&Table| may_change_tables && permissions.guests.contains(&table.name);
    let tables: &[Table] = &tables.iter().filter(|table| !is_guest(table)).cloned().collect::<Vec<_>>();
    let mut probes = vec![
        probe("CREATE TABLE producer_probe ()".to_owned(), may_change_tables, "make a table".to_owned()),
        probe("CREATE ROLE producer_probe".to_owned(), false, "make a role".to_owned()),
    ];
    probes.extend(reach(permissions, role, tables));
    probes.extend(row_security::probes(permissions, tables, role));
    // One of them is tried in earnest, with statements that touch no row.
    let Some(table) = tried_on(role, tables) else { return probes };
    let may = on_table(role, table);
    let name = quote(table.name.as_str());
    let first = table.columns.first().map(|column| &column.name);
    let column = |of: &Columns| of.any(table).or(first).map_or_else(String::new, |column| quote(column.as_str()));
    let is_let = |of: &Columns| may_change_tables || *of != Columns::None;
    let (read, added, changed) = (column(&may.select), column(&may.insert), column(&may.update));
    for (is_allowed, sql, what) in [
        (is_let(&may.select), format!("SELECT {read} FROM {name} WHERE false"), "read rows of"),
        (is_let(&may.insert), format!("INSERT INTO {name} ({added}) SELECT NULL WHERE false"), "add rows to"),
        (is_let(&may.update), format!("UPDATE {name} SET {changed} = NULL WHERE false"), "change rows of"),
        (may_change_tables || may.delete, format!("DELETE FROM {name} WHERE false"), "remove rows of"),
    ] {
        probes.push(probe(sql, is_allowed, format!("{what} `{}`", table.name)));
    }
    if let Some(secret) = secret(table) {
        let sql = format!("SELECT {} FROM {name} WHERE false", quote(secret.as_str()));
        let is_allowed = may_change_tables || may.select.contains(secret);
        probes.push(probe(sql, is_allowed, format!("read `{}.{secret}`", table.name)));
    }
    if !may_change_tables {
        for (sql, what) in [
            (format!("DROP TABLE {name} CASCADE"), "drop"),
            (format!("TRUNCATE {name} CASCADE"), "empty"),
            (format!("ALTER TABLE {name} ADD COLUMN producer_probe text"), "change"),
        ] {
            probes.push(probe(sql, false, format!("{what} `{}`", table.name)));
        }
    }
    probes
}

/// All tables at once, by the server's own word: a division by zero where a privilege is not as it must be.
fn reach(permissions: &Permissions, role: &Role, tables: &[Table]) -> Option<PermissionProbe> {
    let may_change_tables = owner_of(permissions, role).is_some();
    let row = |table: &Table| {
        let may = on_table(role, table);
        let name = text(&quote(table.name.as_str()));
        let mut rows = Vec::new();
        for (privilege, is_let) in [("DELETE", may.delete), ("TRUNCATE", false)] {
            rows.push(format!("({name}, NULL, '{privilege}', {})", may_change_tables || is_let));
        }
        for (privilege, columns) in may.of_columns() {
            let is_let = may_change_tables || *columns == Columns::All;
            rows.push(format!("({name}, NULL, '{privilege}', {is_let})"));
            if matches!(columns, Columns::Some(_)) {
                let of_column = |column: &Column| {
                    let is_let = columns.contains(&column.name);
                    format!("({name}, {}, '{privilege}', {is_let})", text(column.name.as_str()))
                };
                rows.extend(table.columns.iter().map(of_column));
            }
        }
        rows.join(", ")
    };
    if tables.is_empty() {
        return None;
    }
    let rows: Vec<String> = tables.iter().map(row).collect();
    Some(PermissionProbe {
        sql: format!(
            "SELECT 1 / (CASE WHEN bool_and(CASE WHEN of_column IS NULL THEN has_table_privilege(of_table, privilege)\n  ELSE has_column_privilege(of_table, of_column, privilege) END = is_let) THEN 1 ELSE 0 END)\nFROM (VALUES {}) AS wanted (of_table, of_column, privilege, is_let)",
            rows.join(",\n  ")
        ),
        is_allowed: true,
        what: "have exactly the privileges of the plan on every table and column".to_owned(),
    })
}

/// A user by name; without one whoever runs the statement.
fn user(name: &str) -> String {
    if name.is_empty() { "CURRENT_USER".to_owned() } else { quote_any(name) }
}

/// An identifier that nobody has checked.
pub fn quote_any(name: &str) -> String {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_plain =
        begins && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { quote(name) } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
