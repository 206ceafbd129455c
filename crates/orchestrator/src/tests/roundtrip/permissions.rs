//! Roles there and back: a plan whose tables are made comes in; its roles are brought about on the server, read back, tried by
//! connecting as each, and taken away again by the statements' own undo. What is not as it must be is the error.

use dialect::permission::{PermissionProbe, differences, probes, statements};
use plan::DatabaseTaskPlan;
use plan::database::permission::{Login, ObservedPermissions, PermissionStatement};
use serde_json::{Value as Json, json};
use store::permission::Tried;
use store::{Database, StoreError};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// Roles that a task asks for besides those that every database gets: as different as schemas are, and always the same for one.
pub fn roles(schema: &Json) -> Json {
    let hash = vocab::sha256_hex(schema.to_string().as_bytes());
    let chance = |at: usize| hash.as_bytes()[at].is_multiple_of(2);
    let access = |at: usize| if chance(at) { "read_only" } else { "read_write" };
    let tables = schema["tables"].as_array().into_iter().flatten();
    let names = tables.map(|table| table.get("name").unwrap_or(table)).filter(|name| name.is_string());
    let some: Vec<&Json> = names.enumerate().filter(|(at, _)| chance(at % 32)).map(|(_, name)| name).collect();
    let mut roles = vec![json!({ "name": format!("r{}", &hash[..40]), "access": access(40) })];
    if !some.is_empty() {
        roles.push(json!({ "name": format!("s{}", &hash[..4]), "access": access(41), "tables": some }));
    }
    if chance(42) {
        // In the place of one of those that every database gets.
        roles.push(json!({ "name": "app", "access": access(43) }));
    }
    Json::Array(roles)
}

/// Roles that were made.
pub struct Made(Vec<PermissionStatement>);

/// Makes the roles; nothing is left to do then, and each may do what the plan says and nothing more.
pub fn make(plan: &DatabaseTaskPlan, database: &Database) -> Result<Made, String> {
    let made = missing(plan, database)?;
    let password = password();
    database.permit(&made, &passwords(plan)).map_err(failed("grant"))?;
    must_be_there(plan, database)?;
    for role in plan.permissions.roles.iter().filter(|role| role.login != Login::Never) {
        let probes = probes(plan.database.engine, &plan.permissions, &plan.database.tables, role);
        let tried = database.try_as(&role.name, &password, &probes).map_err(failed("connect as a role"))?;
        if let Some((probe, tried)) = probes.iter().zip(tried).find(|(probe, tried)| !is_as_wanted(probe, tried)) {
            return Err(format!("{}: {}: {tried:?}: {}", role.name, probe.what, probe.sql));
        }
    }
    Ok(Made(made))
}

fn password() -> Secret<Zeroizing<String>> {
    Secret::new(Zeroizing::new("of a test".to_owned()))
}

/// Of everybody who may log in.
fn passwords(plan: &DatabaseTaskPlan) -> Vec<(RoleName, Secret<Zeroizing<String>>)> {
    let log_in = plan.permissions.roles.iter().filter(|role| role.login != Login::Never);
    log_in.map(|role| (role.name.clone(), password())).collect()
}

/// Makes what is missing: roles, or grants on tables that were made anew.
pub fn mend(plan: &DatabaseTaskPlan, database: &Database) -> Result<(), String> {
    let mended = missing(plan, database)?;
    database.permit(&mended, &passwords(plan)).map_err(failed("grant again"))?;
    must_be_there(plan, database)
}

/// Takes the roles away; none is left.
pub fn take_away(made: Made, plan: &DatabaseTaskPlan, database: &Database) -> Result<(), String> {
    let undo =
        |statement: PermissionStatement| PermissionStatement { sql: statement.undo, ..PermissionStatement::default() };
    let undone: Vec<PermissionStatement> = made.0.into_iter().rev().map(undo).collect();
    database.permit(&undone, &[]).map_err(failed("take the roles away"))?;
    match found(plan, database)?.roles.as_slice() {
        [] => Ok(()),
        left => Err(format!("roles are left: {left:?}")),
    }
}

fn missing(plan: &DatabaseTaskPlan, database: &Database) -> Result<Vec<PermissionStatement>, String> {
    let found = found(plan, database)?;
    Ok(statements(plan.database.engine, &plan.permissions, &plan.database.tables, &found))
}

fn found(plan: &DatabaseTaskPlan, database: &Database) -> Result<ObservedPermissions, String> {
    let names: Vec<RoleName> = plan.permissions.roles.iter().map(|role| role.name.clone()).collect();
    Ok(database.permissions(&names).map_err(failed("look at roles"))?.unwrap_or_default())
}

fn must_be_there(plan: &DatabaseTaskPlan, database: &Database) -> Result<(), String> {
    let found = found(plan, database)?;
    let differences = differences(plan.database.engine, &plan.permissions, &plan.database.tables, &found);
    let left = missing(plan, database)?;
    match (differences.as_slice(), left.as_slice()) {
        ([], []) => Ok(()),
        (differences, left) => Err(format!("permissions differ: {}; left to do: {left:?}", differences.join("; "))),
    }
}

fn is_as_wanted(probe: &PermissionProbe, tried: &Tried) -> bool {
    *tried == if probe.is_allowed { Tried::Let } else { Tried::Refused }
}

fn failed(what: &'static str) -> impl Fn(StoreError) -> String {
    move |error| format!("{what}: {error}")
}
