//! Which rows the application sees, as PostgreSQL keeps to it: tables whose rows are users' come in with what the server shows of
//! their policies; what it should show, and the statements between the two, go out. Policies that are not ours stay as they are.

use super::permission::quote_any;
use super::quote;
use crate::permission::{ALL_USERS, PermissionProbe, WHOSE_ROWS};
use plan::database::Table;
use plan::database::permission::{
    Access, ObservedPermissions, OwnedBy, PermissionStatement, Permissions, Policy, Role, RowSecurity,
};

/// The policy that keeps the application to the rows of that user.
const OWN_ROWS: &str = "own_rows";
/// The policy that leaves everybody else as their grants have it.
const ALL_ROWS: &str = "all_rows";

/// The policies of a table, as the server prints them; none where everybody sees all of its rows.
fn wanted(permissions: &Permissions, table: &str) -> Vec<Policy> {
    let roles: Vec<String> = kept(permissions).map(|role| role.name.to_string()).collect();
    let by = permissions.owned.iter().find(|(owned, _)| owned.as_str() == table).map(|(_, by)| by);
    let Some(by) = by.filter(|_| !roles.is_empty()) else { return Vec::new() };
    let said = format!("current_setting('{WHOSE_ROWS}'::text, true)");
    let is_own = match by {
        OwnedBy::User(column) => format!("(({})::text = {said})", quote(column.as_str())),
        // Whose rows of that table are seen is its own policy.
        OwnedBy::Row { column, table: other, key } => format!(
            "(EXISTS ( SELECT 1\n   FROM {} owner\n  WHERE (owner.{} = {}.{})))",
            quote(other.as_str()),
            quote(key.as_str()),
            quote(table),
            quote(column.as_str())
        ),
    };
    let policy = |name: &str, roles, using: String, is_permissive| Policy {
        name: name.to_owned(),
        command: "ALL".to_owned(),
        roles,
        using: Some(using),
        check: None,
        is_permissive,
    };
    vec![
        policy(ALL_ROWS, vec!["public".to_owned()], "true".to_owned(), true),
        // Of an `OR` the server expects that it lets one row in two hundred through, and sorts all of a user's rows for a page of them; of a
        // `CASE` one in two, and it goes on reading pages by their index.
        policy(OWN_ROWS, roles, format!("CASE WHEN ({said} = '{ALL_USERS}'::text) THEN true ELSE {is_own} END"), false),
    ]
}

/// The roles that do what APIs do and nothing else.
fn kept(permissions: &Permissions) -> impl Iterator<Item = &Role> {
    permissions.roles.iter().filter(|role| role.access == Access::ReadWrite && role.uses.is_some())
}

/// Whether the policy is one of those that are made here, whatever somebody has made of it.
fn is_ours(policy: &Policy) -> bool {
    let using = policy.using.as_deref().unwrap_or_default();
    policy.name == OWN_ROWS && using.contains(WHOSE_ROWS) || policy.name == ALL_ROWS && using == "true"
}

/// Whether both say the same: the server has its own mind about lines and quotes.
fn is_same(left: &Policy, right: &Policy) -> bool {
    let plain = |using: &Option<String>| {
        using.as_ref().map(|using| using.chars().filter(|one| !one.is_whitespace() && *one != '"').collect::<String>())
    };
    let known = |policy: &Policy| (policy.command.clone(), policy.roles.clone(), policy.is_permissive);
    let rows = |policy: &Policy| (plain(&policy.using), plain(&policy.check));
    known(left) == known(right) && rows(left) == rows(right)
}

fn found_of<'f>(found: &'f ObservedPermissions, table: &str) -> Option<&'f RowSecurity> {
    found.row_security.iter().find(|security| security.table == table)
}

/// How the policies of the plan's tables are not those wanted, in words.
pub fn differences(permissions: &Permissions, tables: &[Table], found: &ObservedPermissions) -> Vec<String> {
    let of = |table: &Table| statements_of(permissions, table.name.as_str(), found).into_iter().map(|(what, _)| what);
    tables.iter().flat_map(of).collect()
}

/// What brings them to what is wanted.
pub fn statements(
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    let of = |table: &Table| statements_of(permissions, table.name.as_str(), found).into_iter().map(|(_, made)| made);
    tables.iter().flat_map(of).collect()
}

/// What is not as it should be at a table, each with what mends it.
fn statements_of(
    permissions: &Permissions,
    table: &str,
    found: &ObservedPermissions,
) -> Vec<(String, PermissionStatement)> {
    let there = found_of(found, table);
    let policies = there.map_or(&[][..], |security| &security.policies);
    let (wanted, name) = (wanted(permissions, table), quote(table));
    let why = match wanted.is_empty() {
        true => format!("{table}: no API shows its callers their own rows alone any more"),
        false => format!("{table}: the application sees the rows of the user alone for whom it asks"),
    };
    let mut changes = Vec::new();
    let mut change = |what: String, sql: String, undo: String| {
        changes.push((what, PermissionStatement { sql, why: why.clone(), undo }));
    };
    let enable = format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY");
    let disable = format!("ALTER TABLE {name} DISABLE ROW LEVEL SECURITY");
    let drop = |policy: &Policy| format!("DROP POLICY {} ON {name}", quote_any(&policy.name));
    let create = |policy: &Policy| create(&quote_any(&policy.name), &name, policy);
    for policy in policies {
        let is_wanted = wanted.iter().any(|wanted| wanted.name == policy.name && is_same(wanted, policy));
        let is_named = wanted.iter().any(|wanted| wanted.name == policy.name);
        if !is_wanted && (is_named || is_ours(policy)) {
            let what = match is_named {
                true => format!("table `{table}` has another policy `{}`", policy.name),
                false => format!("table `{table}` has the policy `{}`", policy.name),
            };
            change(what, drop(policy), create(policy));
        }
    }
    for policy in &wanted {
        if !policies.iter().any(|known| known.name == policy.name && is_same(known, policy)) {
            change(format!("table `{table}` has no policy `{}`", policy.name), create(policy), drop(policy));
        }
    }
    let is_on = there.is_some_and(|security| security.is_on);
    match wanted.is_empty() {
        true if is_on && !policies.is_empty() && policies.iter().all(is_ours) => {
            change(format!("table `{table}` hides the rows that no policy shows"), disable, enable);
        }
        false if !is_on => change(format!("table `{table}` shows all of its rows to the application"), enable, disable),
        true | false => {}
    }
    changes
}

/// What keeps rows of the plan's tables from those whom the plan lets see them.
pub fn barriers(
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<(String, PermissionStatement)> {
    let mut barriers = Vec::new();
    let is_of_plan = |security: &&RowSecurity| tables.iter().any(|table| table.name.as_str() == security.table);
    for security in found.row_security.iter().filter(is_of_plan) {
        let (table, why) = (quote(&security.table), format!("{}: no rule of the plan hides rows", security.table));
        let mut barrier = |what: String, sql: String, undo: String| {
            barriers.push((what, PermissionStatement { sql, why: why.clone(), undo }));
        };
        let wanted = wanted(permissions, &security.table);
        let is_others = |policy: &&Policy| !is_ours(policy) && !wanted.iter().any(|wanted| wanted.name == policy.name);
        let others: Vec<&Policy> = security.policies.iter().filter(is_others).collect();
        let is_all_ours = !security.policies.is_empty() && others.is_empty();
        if security.is_on && wanted.is_empty() && !is_all_ours {
            barrier(
                format!("table `{}` hides the rows that no policy shows", security.table),
                format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
                format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            );
        }
        if security.is_forced {
            barrier(
                format!("table `{}` hides them from its owner too", security.table),
                format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"),
                format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
            );
        }
        for policy in others {
            let name = quote_any(&policy.name);
            barrier(
                format!("table `{}` has the policy `{}`", security.table, policy.name),
                format!("DROP POLICY {name} ON {table}"),
                create(&name, &table, policy),
            );
        }
    }
    barriers
}

fn create(name: &str, table: &str, policy: &Policy) -> String {
    let kind = if policy.is_permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
    let is_everybody = |role: &&String| role.as_str() == "public";
    let roles = match policy.roles.iter().find(is_everybody) {
        Some(_) => "PUBLIC".to_owned(),
        None => policy.roles.iter().map(|role| quote_any(role)).collect::<Vec<_>>().join(", "),
    };
    let mut sql = format!("CREATE POLICY {name} ON {table} AS {kind} FOR {} TO {roles}", policy.command);
    if let Some(using) = &policy.using {
        sql.push_str(&format!(" USING ({using})"));
    }
    if let Some(check) = &policy.check {
        sql.push_str(&format!(" WITH CHECK ({check})"));
    }
    sql
}

/// A role that is kept to rows of one user sees none where it does not say whose: a division by zero where it sees one.
pub fn probes(permissions: &Permissions, tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    if !kept(permissions).any(|kept| kept.name == role.name) {
        return Vec::new();
    }
    let reads = |table: &&Table| {
        let used = role.uses.as_ref().and_then(|uses| uses.get(&table.name));
        permissions.owned.contains_key(&table.name) && used.is_some_and(|used| !used.reads.is_empty())
    };
    let probe = |table: &Table| PermissionProbe {
        sql: format!("SELECT 1 / (CASE WHEN EXISTS (SELECT FROM {}) THEN 0 ELSE 1 END)", quote(table.name.as_str())),
        is_allowed: true,
        what: format!("see rows of `{}` only where it says whose", table.name),
    };
    tables.iter().filter(reads).map(probe).collect()
}
