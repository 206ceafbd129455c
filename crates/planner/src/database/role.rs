//! Who may do what: the task's `roles` and where the database is come in, the roles it gets go out, each with its reason. What the
//! task says of a role wins over what every database gets.

use super::draft::Draft;
use crate::codes::ROLE_CANNOT_BE;
use dialect::permission::{has_owners, role_name};
use plan::database::permission::{Access, Login, Permissions, Role, RoleOrigin};
use plan::{Decision, Observed, Phase};
use spec::{DatabaseConfig, Reference, RoleAccess};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{Engine, RoleName, TaskId};

/// The schema that is meant where nobody says another.
const USUAL_SCHEMA: &str = "public";

/// What every database gets: the end of the name, what it may do, what it is for.
const DEFAULTS: [(&str, Access, &str); 5] = [
    ("owner", Access::Owner, "owns the tables and cannot log in, so no password that leaks can drop one"),
    ("migrator", Access::Migrate, "becomes the owner when it logs in, for whoever changes the schema by hand"),
    (
        "app",
        Access::ReadWrite,
        "reads, adds, changes and removes rows, for the application; it makes, drops and empties nothing",
    ),
    ("readonly", Access::ReadOnly, "reads rows but for secret columns, for reports and for people"),
    ("backup", Access::Backup, "reads all that a copy must have, and writes nothing"),
];

pub fn permissions(
    draft: &mut Draft,
    config: &DatabaseConfig,
    engine: Engine,
    task_id: &TaskId,
    observed: &Observed,
) -> Permissions {
    if !engine.has_roles() {
        if let Some(role) = config.roles.first() {
            let (message, help) = match engine.keeps_files() {
                true => (
                    format!("{engine} knows no roles"),
                    "remove `roles`: whoever can open the file can read it, so its mode is the permission",
                ),
                false => (
                    format!("this producer makes no roles on {engine} yet"),
                    "remove `roles`, and make the users of the database yourself",
                ),
            };
            draft.refuse(ROLE_CANNOT_BE, message, &role.name.place, help);
        }
        return Permissions::default();
    }
    let database = match (&observed.place, &config.name) {
        (Some(place), _) => place.database.clone(),
        (None, Some(name)) => name.value.to_string(),
        (None, None) => format!("{}_db", config.environment.as_str()),
    };
    let schema = observed.place.as_ref().map_or_else(|| USUAL_SCHEMA.to_owned(), |place| place.schema.clone());
    let names = Names { engine, prefix: prefix(&database, &schema) };
    let defaults = DEFAULTS.iter().filter(|(_, access, _)| *access != Access::Owner || has_owners(engine));
    let mut roles: Vec<Role> = defaults.map(|(end, access, why)| default(&names, end, *access, why)).collect();
    for stated in &config.roles {
        state(draft, &names, stated, &mut roles);
    }
    decide(draft, &roles);
    let mark = format!("made by Integration Producer for task {task_id}, database {database}, schema {schema}");
    Permissions { database, schema, mark, roles, guests: BTreeSet::new(), owned: BTreeMap::new() }
}

/// What roles are called.
struct Names {
    engine: Engine,
    prefix: String,
}

impl Names {
    fn of(&self, end: &str) -> RoleName {
        let is_whole = end.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('_'));
        let end = if is_whole { &end[self.prefix.len() + 1..] } else { end };
        let name = role_name(self.engine, &self.prefix, end);
        RoleName::parse(&name).unwrap_or_else(|error| unreachable!("two words joined are a name: {error}"))
    }
}

/// Roles belong to the whole server, so their names say whose they are.
fn prefix(database: &str, schema: &str) -> String {
    let whole =
        if schema.is_empty() || schema == USUAL_SCHEMA { database.to_owned() } else { format!("{database}_{schema}") };
    let word = |character: char| match character.to_ascii_lowercase() {
        plain if plain.is_ascii_alphanumeric() => plain,
        _ => '_',
    };
    let word: String = whole.chars().map(word).collect();
    if word.starts_with(|first: char| first.is_ascii_lowercase()) { word } else { format!("db_{word}") }
}

fn default(names: &Names, end: &str, access: Access, why: &str) -> Role {
    Role {
        name: names.of(end),
        access,
        tables: Vec::new(),
        uses: None,
        login: if access == Access::Owner { Login::Never } else { Login::Generated },
        origin: RoleOrigin::Default,
        why: why.to_owned(),
    }
}

fn state(draft: &mut Draft, names: &Names, stated: &spec::Role, roles: &mut Vec<Role>) {
    let (access, why) = match stated.access.value {
        RoleAccess::ReadOnly => (Access::ReadOnly, "reads rows but for secret columns, as the task says"),
        RoleAccess::ReadWrite => (Access::ReadWrite, "reads, adds, changes and removes rows, as the task says"),
        RoleAccess::Owner => (Access::Migrate, "becomes the owner when it logs in, as the task says"),
    };
    if let (Access::Migrate, Some(table)) = (access, stated.tables.first()) {
        let message = format!("role `{}` owns everything, and `tables` names some", stated.name.value);
        let help = "remove `tables`, or write `access: \"read_write\"`";
        draft.refuse(ROLE_CANNOT_BE, message, &table.place, help);
    }
    let role = Role {
        name: names.of(stated.name.value.as_str()),
        access,
        tables: stated.tables.iter().map(|table| table.value.clone()).collect(),
        uses: None,
        login: match stated.password.as_ref().map(|password| &password.value) {
            None => Login::Generated,
            Some(Reference::Environment(name)) => Login::Environment(name.to_string()),
            Some(Reference::Secret(name)) => Login::Secret(name.to_string()),
        },
        origin: RoleOrigin::Task,
        why: why.to_owned(),
    };
    match roles.iter_mut().find(|known| known.name == role.name) {
        Some(known) if known.access == Access::Owner => {
            let message = format!("`{}` is the role that owns the tables and cannot log in", role.name);
            draft.refuse(ROLE_CANNOT_BE, message, &stated.name.place, "give the role another name");
        }
        Some(known) => *known = role,
        None => roles.push(role),
    }
}

fn decide(draft: &mut Draft, roles: &[Role]) {
    for role in roles {
        let tables: Vec<&str> = role.tables.iter().map(vocab::TableName::as_str).collect();
        let within = if tables.is_empty() { String::new() } else { format!(" of {}", tables.join(", ")) };
        let may = match role.access {
            Access::Owner => "owns the tables",
            Access::Migrate => "may change the schema",
            Access::ReadWrite => "may read and write rows",
            Access::ReadOnly => "may read rows",
            Access::Backup => "may read everything",
        };
        let login = match &role.login {
            Login::Never => "no login".to_owned(),
            Login::Generated => "its password is made and kept in the secret store".to_owned(),
            Login::Environment(name) => format!("its password is `${{env:{name}}}`"),
            Login::Secret(name) => format!("its password is `${{secret:{name}}}`"),
        };
        draft.decisions.push(Decision {
            phase: Phase::SetupUserPermissions,
            subject: format!("role {}", role.name),
            decision: format!("{may}{within}; {login}"),
            reason: role.why.clone(),
        });
    }
}
