//! Who may do what in a task's database: the plan's roles are brought about, read back, and tried by connecting as each of them.
//! Passwords go from the random generator to the secret store and, as what the server keeps of them, to the server.

use crate::failure::Failure;
use crate::located::{Located, locate};
use crate::reach;
use crate::response::Verification;
use crate::run::now;
use crate::workspace::Workspace;
use dialect::permission;
use plan::database::Table;
use plan::database::permission::{Access, Login, ObservedPermissions, PermissionStatement, Role, RoleOrigin};
use plan::{DatabasePlan, DatabaseTaskPlan, Phase, Plan, TaskPlan};
use planner::Loss;
use secrets::{SecretFailure, SecretName, SecretText, generate_password, secret};
use std::sync::Arc;
use store::permission::Tried;
use store::{Database, Renewal, StoreError, Trouble};
use vocab::{RoleName, TaskId};

const PHASE: Phase = Phase::SetupUserPermissions;
/// What stands before the task in what a role says about itself.
const MADE_FOR: &str = "made by Integration Producer for task ";

/// What became of the roles.
pub(crate) struct Settled {
    pub verification: Vec<Verification>,
    pub warning: Option<String>,
    /// Whether anything was changed.
    pub changed: bool,
}

/// How what a server grants is not what the plan wants.
#[derive(Default)]
pub(crate) struct PermissionDrift {
    /// In words, each by itself.
    pub differences: Vec<String>,
    /// What mends them.
    pub statements: Vec<PermissionStatement>,
    /// What hides rows and is not in the plan; with what takes it away, which nobody does unasked.
    pub barriers: Vec<(String, PermissionStatement)>,
}

/// A password on its way to the server.
struct NewPassword {
    role: RoleName,
    value: SecretText,
    /// The secret whose rotation ends with it.
    rotated: Option<SecretName>,
}

/// What keeps the roles from being brought about and can be known before anything is touched.
pub(crate) fn check(workspace: &Workspace, database: &Database, plan: &TaskPlan) -> Result<(), Box<Failure>> {
    let TaskPlan::Database(plan) = plan else { return Ok(()) };
    let place = database.place();
    let names = names(plan);
    let found = database.permissions(&names).map_err(|error| Box::new(Failure::permissions(&error, database)))?;
    let Some(found) = found else { return Ok(()) };
    are_ours(plan, &found, &place)?;
    for role in &plan.permissions.roles {
        let is_there = found.roles.iter().any(|there| there.name == role.name.as_str());
        match &role.login {
            Login::Never => {}
            Login::Generated if !is_there => {}
            Login::Generated | Login::Environment(_) | Login::Secret(_) => {
                password(workspace, plan, role, &found, &place)?;
            }
        }
    }
    let (engine, wanted) = (plan.database.engine, &plan.permissions);
    let statements = permission::statements(engine, wanted, &plan.database.tables, &found);
    if !statements.is_empty() && !found.user_lacks.is_empty() {
        may_not(plan, &found, &place)?;
    }
    Ok(())
}

/// How the server differs from the plan. Tables that are missing are taken as made: what makes them runs before. Roles that every
/// database gets, and that nobody here may make, are no difference: they are an offer.
pub(crate) fn drift(
    workspace: &Workspace,
    database: &Database,
    plan: &TaskPlan,
) -> Result<PermissionDrift, Box<Failure>> {
    let failed = |error: StoreError| Box::new(Failure::permissions(&error, database));
    let nothing = PermissionDrift::default();
    let Some(made_by) = reach::made_by(workspace, plan)? else { return Ok(nothing) };
    let Some(mut found) = database.permissions(&names(&made_by)).map_err(failed)? else { return Ok(nothing) };
    let plan = reach::with_apis(workspace, made_by, plan.api(), &found)?;
    let is_asked_for = plan.permissions.roles.iter().any(|role| role.origin == RoleOrigin::Task);
    if !found.user_lacks.is_empty() && found.roles.is_empty() && !is_asked_for {
        return Ok(nothing);
    }
    let (engine, wanted, tables) = (plan.database.engine, &plan.permissions, &plan.database.tables);
    let is_there = |table: &&Table| found.owners.iter().any(|(name, _)| name == table.name.as_str());
    let (there, missing): (Vec<&Table>, Vec<&Table>) = tables.iter().partition(is_there);
    let there: Vec<Table> = there.into_iter().cloned().collect();
    let differences = permission::differences(engine, wanted, &there, &found);
    let barriers = permission::barriers(engine, wanted, tables, &found);
    found.owners.extend(missing.into_iter().map(|table| (table.name.to_string(), found.user.clone())));
    Ok(PermissionDrift { differences, statements: permission::statements(engine, wanted, tables, &found), barriers })
}

fn names(plan: &DatabaseTaskPlan) -> Vec<RoleName> {
    plan.permissions.roles.iter().map(|role| role.name.clone()).collect()
}

/// Brings the roles about and tries them; what hides rows goes only where losses are allowed. An API makes none: it connects as
/// one of those of its database, which gets what its server does.
pub(crate) fn settle(
    workspace: &Workspace,
    database: &Database,
    plan: &TaskPlan,
    loss: Loss,
) -> Result<Settled, Box<Failure>> {
    let plan = match plan {
        TaskPlan::Database(plan) => plan,
        TaskPlan::Api(api) => return of_api(workspace, database, plan, api),
    };
    let place = database.place();
    let failed = |error: &StoreError| Box::new(Failure::permissions(error, database));
    let names = names(plan);
    let Some(found) = database.permissions(&names).map_err(|error| failed(&error))? else {
        return Ok(without_roles(database));
    };
    are_ours(plan, &found, &place)?;
    let plan = &reach::with_apis(workspace, (**plan).clone(), None, &found)?;
    let (engine, wanted, tables) = (plan.database.engine, &plan.permissions, &plan.database.tables);
    let mut statements = permission::statements(engine, wanted, tables, &found);
    if !statements.is_empty() && !found.user_lacks.is_empty() {
        return may_not(plan, &found, &place);
    }
    let mut mended = match found.roles.is_empty() {
        true => Vec::new(),
        false => permission::differences(engine, wanted, tables, &found),
    };
    match loss {
        Loss::Allowed => {
            for (what, statement) in permission::barriers(engine, wanted, tables, &found) {
                mended.push(what);
                statements.push(statement);
            }
        }
        Loss::Refused => {}
    }
    let passwords = passwords(workspace, plan, &found, &place)?;
    let to_server: Vec<_> = passwords.iter().map(|one| (one.role.clone(), one.value.clone())).collect();
    let mut changed = !statements.is_empty() || !to_server.is_empty();
    if changed {
        database.permit(&statements, &to_server).map_err(|error| failed(&error))?;
    }
    for name in passwords.iter().filter_map(|one| one.rotated.as_ref()) {
        workspace.secrets().promote(name).map_err(|failure| store_failure(workspace, &failure))?;
    }
    let now_found = database.permissions(&names).map_err(|error| failed(&error))?.unwrap_or_default();
    let differences = permission::differences(engine, wanted, tables, &now_found);
    let read_back = "roles and grants were read back from the database";
    let mut read_back = Verification::of(PHASE, read_back, &differences);
    if differences.is_empty() && !mended.is_empty() {
        read_back.detail = format!("mended: {}", mended.join("; "));
    }
    let mut verification = vec![read_back];
    for role in &wanted.roles {
        let (tried, was_mended) = try_role(workspace, database, plan, role, &now_found)?;
        verification.push(tried);
        changed |= was_mended;
    }
    Ok(Settled { verification, warning: None, changed })
}

/// Gives the role whose password that secret is another one. The new one is in the store before the server hears of it, and the
/// old one until the server has it: a run ends what was interrupted. Returns the role; `None` when no task here has made such a role.
pub(crate) fn rotate(workspace: &Workspace, name: &SecretName) -> Result<Option<RoleName>, Box<Failure>> {
    let failed = |failure: SecretFailure| store_failure(workspace, &failure);
    let Some((plan, role)) = role_of(workspace, name)? else { return Ok(None) };
    let database = match locate(workspace, plan.database.engine, &plan.database.connection)? {
        Located::At(database) => database,
        Located::Asks(failure) => return Err(failure),
    };
    let store = workspace.secrets();
    let next = match store.next(name).map_err(failed)? {
        Some(begun) => begun,
        None => {
            let made = generate_password().map_err(failed)?;
            store.set_next(name, made.expose(), &now()).map_err(failed)?;
            made
        }
    };
    let new = [(role.clone(), next.clone())];
    database.permit(&[], &new).map_err(|error| Box::new(Failure::permissions(&error, &database)))?;
    store.promote(name).map_err(failed)?;
    match database.try_as(&role, &next, &[]) {
        Err(error @ StoreError::NotConnected(Trouble::Authentication, _)) => {
            Err(Box::new(Failure::permissions(&error, &database)))
        }
        // The server may let this role in from elsewhere only.
        Ok(_) | Err(_) => Ok(Some(role)),
    }
}

/// The role whose generated password that secret is, with the task's plan.
fn role_of(
    workspace: &Workspace,
    name: &SecretName,
) -> Result<Option<(Box<DatabaseTaskPlan>, RoleName)>, Box<Failure>> {
    let failed = |failure| Box::new(Failure::workspace(&failure));
    for task_id in workspace.task_ids().map_err(failed)? {
        let active = workspace.active_plan(&task_id).map_err(failed)?;
        let Some(TaskPlan::Database(plan)) = active.map(|active| active.plan) else { continue };
        let is_meant = |role: &&Role| {
            let known = SecretName::of_role(plan.task_id.as_str(), role.name.as_str());
            role.login == Login::Generated && known.is_ok_and(|known| known == *name)
        };
        let role = plan.permissions.roles.iter().find(is_meant).map(|role| role.name.clone());
        if let Some(role) = role {
            return Ok(Some((plan, role)));
        }
    }
    Ok(None)
}

/// An API connects as its database's application role, which may then do what the servers of all APIs there do, and no more.
fn of_api(workspace: &Workspace, database: &Database, plan: &TaskPlan, api: &Plan) -> Result<Settled, Box<Failure>> {
    let is_file = database.is_open_to_others().is_some();
    if is_file {
        return Ok(without_roles(database));
    }
    let not_verified = |why: &str| {
        let check = "the API connects as a role that may do what its server does and nothing else";
        let verification = vec![Verification::not_verified(PHASE, check, why)];
        Ok(Settled { verification, warning: None, changed: false })
    };
    let Some(made_by) = reach::made_by(workspace, plan)? else {
        return not_verified("no database task here has made one");
    };
    if as_application(workspace, database, &api.database)? == *database {
        return not_verified("no database task here has made one");
    }
    let failed = |error: StoreError| Box::new(Failure::permissions(&error, database));
    let names = names(&made_by);
    let found = database.permissions(&names).map_err(failed)?.unwrap_or_default();
    if found.roles.len() < names.len() || !found.user_lacks.is_empty() {
        return not_verified(
            "the roles of the database are not as its task has made them, or may not be looked after from here",
        );
    }
    let wanted = reach::with_apis(workspace, made_by, Some(api), &found)?;
    let (engine, tables) = (wanted.database.engine, &wanted.database.tables);
    let statements = permission::statements(engine, &wanted.permissions, tables, &found);
    let mut changed = !statements.is_empty();
    if changed {
        database.permit(&statements, &[]).map_err(failed)?;
    }
    let found = database.permissions(&names).map_err(failed)?.unwrap_or_default();
    let differences = permission::differences(engine, &wanted.permissions, tables, &found);
    let read_back = "what the application may do was read back from the database";
    let mut verification = vec![Verification::of(PHASE, read_back, &differences)];
    for role in wanted.permissions.roles.iter().filter(|role| role.uses.is_some()) {
        let (tried, was_mended) = try_role(workspace, database, &wanted, role, &found)?;
        verification.push(tried);
        changed |= was_mended;
    }
    Ok(Settled { verification, warning: None, changed })
}

/// Takes from the roles what only another plan needed, once nobody serves that any more. `plan` is what has come in its place, or
/// was the last.
pub(crate) fn narrow(workspace: &Workspace, database: &Database, plan: &TaskPlan) -> Result<(), Box<Failure>> {
    let failed = |error: StoreError| Box::new(Failure::permissions(&error, database));
    let Some(made_by) = reach::made_by(workspace, plan)? else { return Ok(()) };
    let names = names(&made_by);
    let Some(found) = database.permissions(&names).map_err(failed)? else { return Ok(()) };
    if found.roles.len() < names.len() || !found.user_lacks.is_empty() {
        return Ok(());
    }
    let wanted = reach::with_apis(workspace, made_by, None, &found)?;
    let (engine, tables) = (wanted.database.engine, &wanted.database.tables);
    let statements = permission::statements(engine, &wanted.permissions, tables, &found);
    if statements.is_empty() { Ok(()) } else { database.permit(&statements, &[]).map_err(failed) }
}

/// An engine without roles: whoever can read the file can read the database.
fn without_roles(database: &Database) -> Settled {
    let check = "nobody else on this machine can open the database's file";
    // A server has no file that would be ours to look at.
    let verification = database.is_open_to_others().map(|is_open| match is_open {
        true => {
            let why = format!("others can open `{}`: `chmod 600` it, unless they are meant to", database.name());
            Verification::not_verified(PHASE, check, why)
        }
        false => Verification::of(PHASE, check, &[]),
    });
    Settled { verification: verification.into_iter().collect(), warning: None, changed: false }
}

/// A role that nobody of this workspace has made is not taken over.
fn are_ours(plan: &DatabaseTaskPlan, found: &ObservedPermissions, place: &str) -> Result<(), Box<Failure>> {
    let here = plan.permissions.mark.split_once(", database ").map(|(_, here)| here);
    for role in &found.roles {
        // An engine that keeps no such word is told by the password: nobody else has it.
        let Some(mark) = &role.mark else { continue };
        let is_ours = mark.starts_with(MADE_FOR) && mark.split_once(", database ").map(|(_, there)| there) == here;
        if !is_ours {
            let way = permission::adopt(plan.database.engine, &role.name, &plan.permissions.mark);
            return Err(Box::new(Failure::role_taken(&role.name, &way, place)));
        }
    }
    Ok(())
}

/// Roles that every database gets are an offer; roles that the task names are part of what it asks for.
fn may_not(plan: &DatabaseTaskPlan, found: &ObservedPermissions, place: &str) -> Result<Settled, Box<Failure>> {
    let why = found.user_lacks.join("; ");
    if let Some(role) = plan.permissions.roles.iter().find(|role| role.origin == RoleOrigin::Task) {
        return Err(Box::new(Failure::may_not_make_roles(&role.name, &why, place)));
    }
    let warning = format!(
        "the roles of the plan were not made, and the connection's own user does everything: {why}; have `databases/permissions.sql` run by \
         somebody who may, or connect as one"
    );
    let verification = Verification::not_verified(PHASE, "database roles", format!("they were not made: {why}"));
    Ok(Settled { verification: vec![verification], warning: Some(warning), changed: false })
}

/// The passwords that the server does not have yet. Each is in the store before the server hears of it.
fn passwords(
    workspace: &Workspace,
    plan: &DatabaseTaskPlan,
    found: &ObservedPermissions,
    place: &str,
) -> Result<Vec<NewPassword>, Box<Failure>> {
    let mut new = Vec::new();
    for role in &plan.permissions.roles {
        let is_there = found.roles.iter().any(|there| there.name == role.name.as_str());
        let (value, rotated) = match &role.login {
            Login::Never => continue,
            Login::Generated => match generated(workspace, plan, role, found, is_there, place)? {
                Some(password) => password,
                None => continue,
            },
            Login::Environment(_) | Login::Secret(_) if is_there => continue,
            Login::Environment(_) | Login::Secret(_) => (password(workspace, plan, role, found, place)?, None),
        };
        new.push(NewPassword { role: role.name.clone(), value, rotated });
    }
    Ok(new)
}

type Rotation = (SecretText, Option<SecretName>);

/// A new role gets a new password, unless a run that did not come through has made it; a rotation that did not come through is
/// ended.
fn generated(
    workspace: &Workspace,
    plan: &DatabaseTaskPlan,
    role: &Role,
    found: &ObservedPermissions,
    is_there: bool,
    place: &str,
) -> Result<Option<Rotation>, Box<Failure>> {
    let failed = |failure: SecretFailure| store_failure(workspace, &failure);
    let (store, name) = (workspace.secrets(), secret_name(plan, role, found).map_err(failed)?);
    if let Some(next) = store.next(&name).map_err(failed)? {
        return Ok(Some((next, Some(name))));
    }
    match (store.get(&name).map_err(failed)?, is_there) {
        (Some(_), true) => Ok(None),
        (Some(known), false) => Ok(Some((known, None))),
        (None, false) => {
            let made = generate_password().map_err(failed)?;
            store.set(&name, made.expose(), &now()).map_err(failed)?;
            Ok(Some((made, None)))
        }
        (None, true) => Err(Box::new(Failure::password_unknown(&role.name, &name, place))),
    }
}

/// `<task>/<role>`, of the task that the role says it was made for.
fn secret_name(plan: &DatabaseTaskPlan, role: &Role, found: &ObservedPermissions) -> Result<SecretName, SecretFailure> {
    let there = found.roles.iter().find(|there| there.name == role.name.as_str());
    let mark = there.and_then(|there| there.mark.as_deref()).unwrap_or(&plan.permissions.mark);
    let task = mark.strip_prefix(MADE_FOR).and_then(|rest| rest.split_once(", database ")).map(|(task, _)| task);
    Ok(SecretName::of_role(task.unwrap_or(plan.task_id.as_str()), role.name.as_str())?)
}

/// The password of a role that logs in.
fn password(
    workspace: &Workspace,
    plan: &DatabaseTaskPlan,
    role: &Role,
    found: &ObservedPermissions,
    place: &str,
) -> Result<SecretText, Box<Failure>> {
    let failed = |failure: SecretFailure| store_failure(workspace, &failure);
    match &role.login {
        Login::Never => generate_password().map_err(failed),
        Login::Generated => {
            let name = secret_name(plan, role, found).map_err(failed)?;
            let value = workspace.secrets().get(&name).map_err(failed)?;
            value.ok_or_else(|| Box::new(Failure::password_unknown(&role.name, &name, place)))
        }
        Login::Environment(name) => match std::env::var(name).ok().filter(|value| !value.is_empty()) {
            Some(value) => Ok(secret(value)),
            None => Err(Box::new(Failure { place: place_of_roles(), ..Failure::no_variable(name) })),
        },
        Login::Secret(name) => {
            let parsed = SecretName::parse(name).map_err(|error| failed(error.into()))?;
            let value = workspace.secrets().get(&parsed).map_err(failed)?;
            value.ok_or_else(|| Box::new(Failure { place: place_of_roles(), ..Failure::no_secret(name) }))
        }
    }
}

fn place_of_roles() -> Option<String> {
    Some("database_config.roles".to_owned())
}

/// Connects as the role and tries what it may and may not. A password that the server does not know is set again, once; whether
/// it was is the second part.
fn try_role(
    workspace: &Workspace,
    database: &Database,
    plan: &DatabaseTaskPlan,
    role: &Role,
    found: &ObservedPermissions,
) -> Result<(Verification, bool), Box<Failure>> {
    let place = database.place();
    let password = password(workspace, plan, role, found, &place)?;
    let probes = permission::probes(plan.database.engine, &plan.permissions, &plan.database.tables, role);
    if role.login == Login::Never {
        let check = format!("`{}` cannot log in", role.name);
        return Ok((cannot_log_in(&check, database.try_as(&role.name, &password, &[])), false));
    }
    let check = format!("connected as `{}`, which may do what the plan says and nothing more", role.name);
    let mut outcome = database.try_as(&role.name, &password, &probes);
    let is_refused =
        matches!(outcome, Err(StoreError::NotConnected(Trouble::Authentication | Trouble::RoleMissing, _)));
    if is_refused {
        let again = [(role.name.clone(), password.clone())];
        database.permit(&[], &again).map_err(|error| Box::new(Failure::permissions(&error, database)))?;
        outcome = database.try_as(&role.name, &password, &probes);
    }
    let tried = match outcome {
        Err(error @ StoreError::NotConnected(Trouble::Authentication, _)) => {
            Verification::of(PHASE, &check, &[error.to_string()])
        }
        // The server lets this role in from elsewhere, or has no connection left: that is no fault of the role.
        Err(error) => Verification::not_verified(PHASE, &check, error.to_string()),
        Ok(outcomes) => {
            let differences: Vec<String> =
                probes.iter().zip(&outcomes).filter_map(|(probe, outcome)| difference(probe, outcome)).collect();
            let mut verification = Verification::of(PHASE, &check, &differences);
            if differences.is_empty() {
                verification.detail = told(&probes);
            }
            verification
        }
    };
    Ok((tried, is_refused))
}

fn cannot_log_in(check: &str, outcome: Result<Vec<Tried>, StoreError>) -> Verification {
    match outcome {
        Ok(_) => Verification::of(PHASE, check, &["it was let in".to_owned()]),
        Err(StoreError::NotConnected(
            Trouble::Authentication | Trouble::RoleMissing | Trouble::NotAllowed | Trouble::NotAdmitted,
            _,
        )) => Verification::of(PHASE, check, &[]),
        Err(error) => Verification::not_verified(PHASE, check, error.to_string()),
    }
}

fn difference(probe: &permission::PermissionProbe, outcome: &Tried) -> Option<String> {
    match (probe.is_allowed, outcome) {
        (true, Tried::Let) | (false, Tried::Refused) => None,
        (true, Tried::Refused) => Some(format!("may not {}", probe.what)),
        (false, Tried::Let) => Some(format!("may {}", probe.what)),
        (_, Tried::Otherwise(why)) => Some(format!("{}: {why}", probe.what)),
    }
}

fn told(probes: &[permission::PermissionProbe]) -> String {
    let list = |is_allowed: bool| {
        let of_kind = probes.iter().filter(|probe| probe.is_allowed == is_allowed);
        of_kind.map(|probe| probe.what.as_str()).collect::<Vec<_>>().join(", ")
    };
    format!("may {}; may not {}", list(true), list(false))
}

fn store_failure(workspace: &Workspace, failure: &SecretFailure) -> Box<Failure> {
    Box::new(Failure::secrets(failure, &workspace.secrets().file()))
}

/// The same database as the application's role sees it, where a task here has made one: whoever serves an API may not do more.
pub(crate) fn as_application(
    workspace: &Workspace,
    database: &Database,
    plan: &DatabasePlan,
) -> Result<Database, Box<Failure>> {
    let application = application_of(workspace, plan)?;
    Ok(application.map_or_else(|| database.clone(), |(_, role, password)| database.as_role(&role, &password)))
}

/// Where the password of whoever serves from that database is, once it is another one. `None`: nobody but the connection's own user.
pub(crate) fn renewal(workspace: &Workspace, plan: &DatabasePlan) -> Result<Option<Renewal>, Box<Failure>> {
    let Some((task_id, role, _)) = application_of(workspace, plan)? else { return Ok(None) };
    let (workspace, asked) = (workspace.clone(), role.clone());
    let passwords = move || {
        let name = SecretName::of_role(task_id.as_str(), asked.as_str()).ok();
        // Of a rotation that was interrupted nobody knows how far it came.
        let begun = name.and_then(|name| workspace.secrets().next(&name).ok().flatten());
        let known = application(&workspace, &task_id).ok().flatten().map(|(_, password)| password);
        known.into_iter().chain(begun).collect()
    };
    Ok(Some(Renewal { role, passwords: Arc::new(passwords) }))
}

/// The application's role of the task that has made that database, with its password.
fn application_of(
    workspace: &Workspace,
    plan: &DatabasePlan,
) -> Result<Option<(TaskId, RoleName, SecretText)>, Box<Failure>> {
    let failed = |failure| Box::new(Failure::workspace(&failure));
    for task_id in workspace.task_ids().map_err(failed)? {
        let active = workspace.seen_plan(&task_id).map_err(failed)?;
        let Some(TaskPlan::Database(task)) = active.as_ref().map(|active| &active.plan) else { continue };
        if (task.database.engine, &task.database.connection) != (plan.engine, &plan.connection) {
            continue;
        }
        if let Some((role, password)) = application(workspace, &task_id)? {
            return Ok(Some((task_id, role, password)));
        }
    }
    Ok(None)
}

/// The application's role of a database task, with its password; `None` where no run has made one.
pub(crate) fn application(
    workspace: &Workspace,
    task_id: &TaskId,
) -> Result<Option<(RoleName, SecretText)>, Box<Failure>> {
    let active = workspace.active_plan(task_id).map_err(|failure| Box::new(Failure::workspace(&failure)))?;
    let Some(TaskPlan::Database(plan)) = active.map(|active| active.plan) else { return Ok(None) };
    let is_meant = |role: &&Role| role.access == Access::ReadWrite && role.tables.is_empty();
    let Some(role) = plan.permissions.roles.iter().find(is_meant) else { return Ok(None) };
    let password = match &role.login {
        Login::Never => None,
        Login::Generated => {
            let name = SecretName::of_role(task_id.as_str(), role.name.as_str()).map_err(SecretFailure::from);
            let value = name.and_then(|name| workspace.secrets().get(&name));
            value.map_err(|failure| store_failure(workspace, &failure))?
        }
        Login::Environment(_) | Login::Secret(_) => {
            Some(password(workspace, &plan, role, &ObservedPermissions::default(), "")?)
        }
    };
    Ok(password.map(|password| (role.name.clone(), password)))
}
