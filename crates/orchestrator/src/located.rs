//! Where the database of a plan is on this machine: references are looked up here, and nowhere else. What is missing becomes a
//! question that says how to answer it.

use crate::failure::Failure;
use crate::instances;
use crate::roles;
use crate::workspace::Workspace;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plan::DatabasePlan;
use plan::database::{Connection, LocationPart};
use secrets::{SecretFailure, SecretName, SecretText, secret};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use store::{Database, Store};
use vocab::{Engine, RoleName};
use zeroize::Zeroizing;

/// A place, or what must be known to have one.
pub(crate) enum Located {
    At(Database),
    Asks(Box<Failure>),
}

pub(crate) fn locate(workspace: &Workspace, engine: Engine, connection: &Connection) -> Result<Located, Box<Failure>> {
    let parts = match connection {
        Connection::Embedded => return Ok(Located::At(Database::Sqlite(workspace.database_file()))),
        Connection::File { name } => return Ok(Located::At(Database::Sqlite(workspace.named_database_file(name)))),
        Connection::Local { name } => {
            let Some(address) = instances::address(workspace, engine, name)? else {
                return Ok(Located::Asks(Box::new(Failure::not_made(name))));
            };
            return own(workspace, engine, name, address);
        }
        Connection::Container { name, port } => {
            return own(workspace, engine, name, (Ipv4Addr::LOCALHOST, *port).into());
        }
        Connection::Missing => return Ok(Located::Asks(Box::new(Failure::no_connection(engine)))),
        Connection::Location(parts) => parts,
    };
    let text = match text(workspace, parts)? {
        Ok(text) => text,
        Err(asks) => return Ok(Located::Asks(asks)),
    };
    Database::parse(engine, &text, |path| workspace.root().join(Path::new(path)))
        .map(Located::At)
        .map_err(|why| Box::new(Failure::no_location(engine, why)))
}

/// The URL of a server for somebody else than the one whom the task names.
pub(crate) fn url_for(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
    (role, password): (&RoleName, &SecretText),
) -> Result<SecretText, Box<Failure>> {
    let text = match connection {
        Connection::Location(parts) => text(workspace, parts)??,
        Connection::Local { name } => {
            let address = instances::address(workspace, engine, name)?;
            let address = address.ok_or_else(|| Box::new(Failure::not_made(name)))?;
            Zeroizing::new(format!("{engine}://{address}/{name}"))
        }
        Connection::Container { name, port } => Zeroizing::new(format!("{engine}://127.0.0.1:{port}/{name}")),
        Connection::Embedded | Connection::File { .. } | Connection::Missing => {
            return Err(Box::new(Failure::no_connection(engine)));
        }
    };
    let no_url = || Box::new(Failure::no_location(engine, "it is no URL with a host".to_owned()));
    let (scheme, rest) = text.split_once("://").ok_or_else(no_url)?;
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    let mut url = Zeroizing::new(format!("{scheme}://{role}:"));
    url.extend(utf8_percent_encode(password.expose(), NON_ALPHANUMERIC));
    url.push('@');
    url.push_str(&rest[host..]);
    Ok(SecretText::new(url))
}

/// The text of the parts, or what must be known to have it.
fn text(
    workspace: &Workspace,
    parts: &[LocationPart],
) -> Result<Result<Zeroizing<String>, Box<Failure>>, Box<Failure>> {
    let mut text = Zeroizing::new(String::new());
    for (index, part) in parts.iter().enumerate() {
        let value = match part {
            LocationPart::Text(part) => secret(part.clone()),
            LocationPart::Environment(name) => match std::env::var(name).ok().filter(|value| !value.is_empty()) {
                Some(value) => secret(value),
                None => return Ok(Err(Box::new(Failure::no_variable(name)))),
            },
            LocationPart::Secret(name) => match stored(workspace, name)? {
                Some(value) => value,
                None => return Ok(Err(Box::new(Failure::no_secret(name)))),
            },
        };
        match is_password(parts, index) {
            true => text.extend(utf8_percent_encode(value.expose(), NON_ALPHANUMERIC)),
            false => text.push_str(value.expose()),
        }
    }
    Ok(Ok(text))
}

/// The databases that were opened, each once however many plans stand on it.
#[derive(Default)]
pub(crate) struct Opened(Vec<(Database, Store)>);

impl Opened {
    /// The database of a plan.
    pub fn store(&mut self, workspace: &Workspace, plan: &DatabasePlan) -> Result<Store, Box<Failure>> {
        instances::start(workspace, plan.engine, &plan.connection, &|_| ())?;
        let database = match locate(workspace, plan.engine, &plan.connection)? {
            Located::At(database) => database,
            Located::Asks(failure) => return Err(failure),
        };
        if let Some((_, store)) = self.0.iter().find(|(known, _)| *known == database) {
            return Ok(store.clone());
        }
        let failed = |error| Box::new(Failure::database(&error, &database));
        let renewal = roles::renewal(workspace, plan)?;
        let served = roles::as_application(workspace, &database, plan)?;
        let store = served.open_renewing(plan.pool, renewal).map_err(failed)?;
        self.0.push((database, store.clone()));
        Ok(store)
    }

    /// All that were opened.
    pub fn into_all(self) -> Vec<(Database, Store)> {
        self.0
    }
}

/// The database of a private server that is to come back: nobody listens for it yet.
pub(crate) fn not_there_yet(workspace: &Workspace, engine: Engine, name: &str) -> Result<Located, Box<Failure>> {
    own(workspace, engine, name, (Ipv4Addr::LOCALHOST, 0).into())
}

/// A database on a server whose password this workspace has made.
fn own(workspace: &Workspace, engine: Engine, name: &str, address: SocketAddr) -> Result<Located, Box<Failure>> {
    let secret_name = instances::secret_name(engine, name);
    let Some(password) = stored(workspace, &secret_name)? else {
        return Ok(Located::Asks(Box::new(Failure::no_secret(&secret_name))));
    };
    let password = utf8_percent_encode(password.expose(), NON_ALPHANUMERIC);
    let url = Zeroizing::new(format!("{engine}://{}:{password}@{address}/{name}", provision::superuser(engine)));
    Database::parse(engine, &url, |path| PathBuf::from(path))
        .map(Located::At)
        .map_err(|why| Box::new(Failure::no_location(engine, why)))
}

/// What the store holds.
pub(crate) fn stored(workspace: &Workspace, name: &str) -> Result<Option<SecretText>, Box<Failure>> {
    let value = SecretName::parse(name).map_err(SecretFailure::from).and_then(|name| workspace.secrets().get(&name));
    value.map_err(|failure| Box::new(Failure::secrets(&failure, &workspace.secrets().file())))
}

/// Whether a reference is the password of a URL, as in `postgresql://user:${env:PASSWORD}@host/name`: it may hold characters that
/// mean something in a URL, and means none of that.
fn is_password(parts: &[LocationPart], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| parts.get(before));
    match (before, &parts[index], parts.get(index + 1)) {
        (
            Some(LocationPart::Text(before)),
            LocationPart::Environment(_) | LocationPart::Secret(_),
            Some(LocationPart::Text(after)),
        ) => before.ends_with(':') && after.starts_with('@'),
        (Some(_) | None, LocationPart::Text(_) | LocationPart::Environment(_) | LocationPart::Secret(_), _) => false,
    }
}
