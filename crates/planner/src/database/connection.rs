//! Where the database is: the task's engine, environment and `connection` come in, the target goes out. The value of a reference
//! is never looked up here.

use super::draft::Draft;
use crate::codes::{NO_REPLICAS, NO_SERVER_TO_PROVISION, NOTHING_ESTIMATED};
use crate::schema::Target;
use plan::database::{Connection, LocationPart, Pool};
use plan::{Decision, Phase};
use spec::{DatabaseConfig, DatabaseType, Environment, Provision, Reference, Spanned};
use vocab::Engine;

/// Ports of this machine for containers.
const FIRST_PORT: u16 = 30_000;
const PORTS: u16 = 2_000;

fn engine(kind: DatabaseType) -> Engine {
    match kind {
        DatabaseType::Sqlite => Engine::Sqlite,
        DatabaseType::PostgreSql => Engine::PostgreSql,
        DatabaseType::MySql => Engine::MySql,
        DatabaseType::MongoDb => Engine::MongoDb,
    }
}

pub fn target(config: &DatabaseConfig, draft: &mut Draft, most_connections: Option<u32>) -> Target {
    let engine = engine(config.kind.value);
    let name = match &config.name {
        Some(name) => name.value.to_string(),
        None => format!("{}_db", config.environment.as_str()),
    };
    let is_development = config.environment == Environment::Development;
    let provision = config.provision.as_ref();
    let (connection, decision, reason) = match (&config.connection, provision.map(|provision| provision.value)) {
        (Some(given), _) => {
            let parts = parts(&given.value);
            let shown: String = parts.iter().map(ToString::to_string).collect();
            let made = if engine.keeps_files() { "" } else { ", made there if the server has none of that name" };
            (Connection::Location(parts), format!("the one at `{shown}`{made}"), "the task says so".to_owned())
        }
        (None, Some(Provision::Local)) if !engine.keeps_files() => (
            Connection::Local { name: name.clone() },
            format!("`{name}` on a private {engine} server of the workspace"),
            "the task says `provision: local`: installed programs, a port that only this machine reaches, a generated password"
                .to_owned(),
        ),
        (None, Some(Provision::Container)) if !engine.keeps_files() => {
            let port = port(engine, &name);
            (
                Connection::Container { name: name.clone(), port },
                format!("`{name}` in a container, at port {port} of this machine"),
                "the task says `provision: container`: `databases/compose.yaml` describes it".to_owned(),
            )
        }
        (None, Some(Provision::Local | Provision::Container)) => (
            Connection::File { name: name.clone() },
            format!("the {engine} file `{name}` of the workspace"),
            "the task says `provision: local`, and such a database is a file".to_owned(),
        ),
        (None, None) if engine.keeps_files() && is_development => (
            Connection::File { name: name.clone() },
            format!("the SQLite file `{name}` of the workspace"),
            "in development a file of the workspace does; the task names no other place".to_owned(),
        ),
        (None, None) => (
            Connection::Missing,
            "not known yet".to_owned(),
            format!("{} data needs a place of its own, and the task names none", config.environment),
        ),
    };
    if let Some(Spanned { value: Provision::Container, place }) = provision
        && engine.keeps_files()
    {
        let message = format!("a {engine} database is a file: there is no server for a container");
        draft.refuse(NO_SERVER_TO_PROVISION, message, place, "write `provision: \"local\"`");
    }
    draft.decisions.push(Decision {
        phase: Phase::ProvisionDatabaseInstance,
        subject: "database".to_owned(),
        decision,
        reason,
    });
    Target { engine, connection, pool: pool(config, engine, most_connections, draft) }
}

/// Of the connections that a server gives so many programs shall find their pool: two that serve, one that takes over from one of them,
/// and somebody who looks.
const PROGRAMS: u32 = 4;
/// One for reads, one for a transaction.
const LEAST: u32 = 2;

/// What the task leaves open is what a program with some dozen requests at a time needs, and no more than the server has for it.
fn pool(config: &DatabaseConfig, engine: Engine, most_connections: Option<u32>, draft: &mut Draft) -> Pool {
    let usual = Pool::default();
    let share = most_connections.map_or(usual.max, |most| (most / PROGRAMS).max(LEAST));
    let usual = Pool { max: usual.max.min(share), ..usual };
    let Some(asked) = &config.pool else {
        if let Some(most) = most_connections.filter(|_| usual.max < Pool::default().max) {
            let reason = format!("the server gives {most}, and {PROGRAMS} programs shall find room");
            decide(usual, reason, draft);
        }
        return usual;
    };
    let min = asked.min.unwrap_or(usual.min);
    if let Some(budget) = asked.plan_budget.as_ref().filter(|_| engine != Engine::PostgreSql) {
        let message =
            format!("what a read costs is known beforehand on PostgreSQL alone, and the database is {engine}");
        draft.refuse(
            NOTHING_ESTIMATED,
            message,
            &budget.place,
            "remove it; `statement_timeout` bounds a read on a server",
        );
    }
    if let Some(wanted) = asked.read_replicas.as_ref().filter(|wanted| wanted.value && engine != Engine::PostgreSql) {
        let message = format!("reads are sent to replicas of PostgreSQL alone, and the database is {engine}");
        draft.refuse(
            NO_REPLICAS,
            message,
            &wanted.place,
            "remove it: every read goes to the server that takes changes",
        );
    }
    let pool = Pool {
        min,
        max: asked.max.unwrap_or(usual.max.max(min)),
        idle_timeout: asked.idle_timeout.unwrap_or(usual.idle_timeout),
        acquire_timeout: asked.acquire_timeout.unwrap_or(usual.acquire_timeout),
        statement_timeout: asked.statement_timeout.unwrap_or(usual.statement_timeout),
        plan_budget: asked.plan_budget.as_ref().map(|budget| budget.value),
        read_replicas: asked.read_replicas.as_ref().is_some_and(|asked| asked.value),
    };
    let pool = Pool { min: pool.min.min(pool.max), ..pool };
    let reason = match engine.keeps_files() {
        true => format!(
            "the task says so; whoever opens a {engine} file has one connection that writes, and these bounds do nothing"
        ),
        false => "the task says so; what it leaves open is the usual".to_owned(),
    };
    decide(pool, reason, draft);
    pool
}

fn decide(pool: Pool, reason: String, draft: &mut Draft) {
    let replicas = if pool.read_replicas { "; reads go to replicas that know what was committed" } else { "" };
    let budget = pool.plan_budget.map(|budget| format!("; no read is begun that the engine estimates above {budget}"));
    draft.decisions.push(Decision {
        phase: Phase::ProvisionDatabaseInstance,
        subject: "pool".to_owned(),
        decision: format!(
            "{} to {} connections a program, closed after {} s without work; waits {} s for one; a statement may take {} s{}{replicas}",
            pool.min,
            pool.max,
            pool.idle_timeout,
            pool.acquire_timeout,
            pool.statement_timeout,
            budget.unwrap_or_default()
        ),
        reason,
    });
}

/// The same for the same name, below the ports that systems give away by themselves and beside those of private servers.
fn port(engine: Engine, name: &str) -> u16 {
    let digest = vocab::sha256_hex(format!("{engine} {name}").as_bytes());
    FIRST_PORT + u16::from_str_radix(&digest[..4], 16).unwrap_or(0) % PORTS
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
