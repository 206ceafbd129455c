//! Where the database is: the task's engine, environment and `connection` come in, the target goes out. The value of a reference
//! is never looked up here.

use super::draft::Draft;
use crate::schema::Target;
use plan::database::{Connection, LocationPart};
use plan::{Decision, Phase};
use spec::{DatabaseConfig, DatabaseType, Environment, Reference};
use vocab::Engine;

/// The engine of a task that [`super::unbuilt`] let through.
pub fn engine(kind: DatabaseType) -> Option<Engine> {
    match kind {
        DatabaseType::Sqlite => Some(Engine::Sqlite),
        DatabaseType::PostgreSql => Some(Engine::PostgreSql),
        DatabaseType::MySql => Some(Engine::MySql),
        DatabaseType::MongoDb => None,
    }
}

pub fn target(config: &DatabaseConfig, draft: &mut Draft) -> Target {
    let engine = engine(config.kind.value).unwrap_or(Engine::Sqlite);
    let name = match &config.name {
        Some(name) => name.value.to_string(),
        None => format!("{}_db", config.environment.as_str()),
    };
    let is_development = config.environment == Environment::Development;
    let (connection, decision, reason) = match &config.connection {
        Some(given) => {
            let parts = parts(&given.value);
            let shown: String = parts.iter().map(ToString::to_string).collect();
            (Connection::Location(parts), format!("the one at `{shown}`"), "the task says so".to_owned())
        }
        None if engine.keeps_files() && is_development => (
            Connection::File { name: name.clone() },
            format!("the SQLite file `{name}` of the workspace"),
            "in development a file of the workspace does; the task names no other place".to_owned(),
        ),
        None => (
            Connection::Missing,
            "not known yet".to_owned(),
            format!("{} data needs a place of its own, and the task names none", config.environment),
        ),
    };
    draft.decisions.push(Decision {
        phase: Phase::ProvisionDatabaseInstance,
        subject: "database".to_owned(),
        decision,
        reason,
    });
    Target { engine, connection }
}

fn parts(connection: &spec::Connection) -> Vec<LocationPart> {
    let reference = |reference: &Reference| match reference {
        Reference::Environment(name) => LocationPart::Environment(name.to_string()),
        Reference::Secret(name) => LocationPart::Secret(name.to_string()),
    };
    match connection {
        spec::Connection::Reference(whole) => vec![reference(whole)],
        spec::Connection::Url(location) => location
            .parts()
            .iter()
            .map(|part| match part {
                spec::LocationPart::Text(text) => LocationPart::Text(text.clone()),
                spec::LocationPart::Reference(part) => reference(part),
            })
            .collect(),
    }
}
