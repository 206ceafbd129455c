//! The database servers that the producer itself runs for a workspace: a plan's connection comes in, a server that runs goes out.
//! Its password is made once, goes straight into the secret store, and is never shown.

use crate::failure::Failure;
use crate::located::stored;
use crate::run::now;
use crate::workspace::{Workspace, WorkspaceFailure};
use dialect::permission::first_user;
use plan::DatabasePlan;
use plan::database::Connection;
use provision::{Begun, FirstUser, Instance, ProvisionFailure, State, instances};
use secrets::export::write_private;
use secrets::{SecretFailure, SecretName, SecretText, generate_password};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use vocab::Engine;
use zeroize::Zeroizing;

/// Under what the superuser's password is kept.
pub(crate) fn secret_name(engine: Engine, database: &str) -> String {
    format!("servers/{engine}_{database}/{}", provision::superuser(engine))
}

/// Where the server of a database listens; `None` while it was not made.
pub(crate) fn address(
    workspace: &Workspace,
    engine: Engine,
    database: &str,
) -> Result<Option<SocketAddr>, Box<Failure>> {
    let instance = Instance::of_database(engine, database, &workspace.servers_folder());
    instance.address().map_err(|failure| Box::new(Failure::provision(&failure)))
}

/// Starts the server of a connection, where it is one of the workspace's own that was made and does not run. `progress` hears of it.
pub(crate) fn start(
    workspace: &Workspace,
    engine: Engine,
    connection: &Connection,
    progress: &dyn Fn(&str),
) -> Result<(), Box<Failure>> {
    let Some(instance) = own(workspace, engine, connection) else { return Ok(()) };
    let started = match instance.state() {
        Ok(State::Absent | State::Running) => return Ok(()),
        Ok(State::Stopped) => {
            progress(&format!("starting the server `{}`", instance.name()));
            instance.start()
        }
        Err(failure) => Err(failure),
    };
    started.map(drop).map_err(|failure| Box::new(Failure::provision(&failure)))
}

/// What was done to have a server.
pub(crate) struct Provided {
    pub(crate) changed: bool,
    /// What there is to know of it.
    pub(crate) detail: String,
}

/// Why there is no server.
pub(crate) enum Unprovided {
    /// Somebody must do something on this machine first.
    Asks(Box<Failure>),
    Failed(Box<Failure>),
}

impl From<ProvisionFailure> for Unprovided {
    fn from(failure: ProvisionFailure) -> Self {
        let told = Box::new(Failure::provision(&failure));
        match failure {
            ProvisionFailure::NotInstalled(_)
            | ProvisionFailure::NoAccount { .. }
            | ProvisionFailure::OutOfReach { .. } => Self::Asks(told),
            ProvisionFailure::PortTaken { .. }
            | ProvisionFailure::Program { .. }
            | ProvisionFailure::File { .. }
            | ProvisionFailure::Damaged { .. } => Self::Failed(told),
        }
    }
}

impl From<Box<Failure>> for Unprovided {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failed(failure)
    }
}

/// Makes and starts the server of a connection; `None` where it is not one of the workspace's own. Whether it is to keep a log for backups,
/// where the task says how its database is backed up.
pub(crate) fn provide(
    workspace: &Workspace,
    (engine, connection): (Engine, &Connection),
    keeps_log: Option<bool>,
    progress: &dyn Fn(&str),
) -> Result<Option<Provided>, Unprovided> {
    let (Some(instance), Connection::Local { name }) = (own(workspace, engine, connection), connection) else {
        return Ok(None);
    };
    let made = instance.state()? == State::Absent;
    let instance = instance.keeping_log(keeps_log.unwrap_or_default());
    let mut changed = made;
    if made {
        // Before a password is made that nobody needs.
        if !provision::are_installed(engine) {
            return Err(ProvisionFailure::NotInstalled(engine).into());
        }
        progress(&format!("making the private server `{}`", instance.name()));
        let password = password(workspace, engine, name)?;
        let statements = first_user(engine, provision::superuser(engine), password.expose());
        instance.make(&FirstUser { password: password.expose(), statements: &Zeroizing::new(statements) })?;
    } else if keeps_log.is_some() {
        changed = instance.follow_log()?;
    }
    progress(&format!("starting the server `{}`", instance.name()));
    instance.start()?;
    let address = instance.address()?.map_or_else(String::new, |address| address.to_string());
    let detail = format!(
        "`{}` at {address}; its password is the secret `{}`; `systemctl enable --now {}` starts it with the machine",
        instance.name(),
        secret_name(engine, name),
        instance.unit_file().display(),
    );
    Ok(Some(Provided { changed, detail }))
}

/// The superuser's password: the one that was made, else a new one.
pub(crate) fn password(workspace: &Workspace, engine: Engine, database: &str) -> Result<SecretText, Box<Failure>> {
    let name = secret_name(engine, database);
    if let Some(password) = stored(workspace, &name)? {
        return Ok(password);
    }
    let store = workspace.secrets();
    let new = || -> Result<SecretText, SecretFailure> {
        let password = generate_password()?;
        store.set(&SecretName::parse(&name)?, password.expose(), &now())?;
        Ok(password)
    };
    new().map_err(|failure| Box::new(Failure::secrets(&failure, &store.file())))
}

/// Writes the superuser's password where a container reads it, for this user alone.
pub(crate) fn write_password(workspace: &Workspace, engine: Engine, database: &str) -> Result<PathBuf, Box<Failure>> {
    let password = password(workspace, engine, database)?;
    let path = workspace.servers_folder().join(format!("{engine}_{database}")).join("password");
    let written = std::fs::create_dir_all(path.with_file_name(""))
        .map_err(|source| SecretFailure::File { path: path.clone(), source })
        .and_then(|()| write_private(&path, password.expose().as_bytes()));
    written.map_err(|failure| Box::new(Failure::secrets(&failure, &path)))?;
    Ok(path)
}

fn own(workspace: &Workspace, engine: Engine, connection: &Connection) -> Option<Instance> {
    match connection {
        Connection::Local { name } => Some(Instance::of_database(engine, name, &workspace.servers_folder())),
        Connection::Embedded
        | Connection::File { .. }
        | Connection::Container { .. }
        | Connection::Location(_)
        | Connection::Missing => None,
    }
}

/// A server as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerStatus {
    /// Its name: `postgresql_shop`.
    pub name: String,
    /// `running` or `stopped`.
    pub state: &'static str,
    /// Where it listens when it runs.
    pub address: String,
    /// Its folder.
    pub folder: PathBuf,
}

/// Why a server of the workspace cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerFailure {
    /// The workspace cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceFailure),
    /// The server cannot.
    #[error("{failure}; {hint}")]
    Provision {
        /// Why.
        failure: ProvisionFailure,
        /// What to do.
        hint: String,
    },
    /// There is none of that name.
    #[error("this workspace has no server `{name}`; {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
}

impl From<ProvisionFailure> for ServerFailure {
    fn from(failure: ProvisionFailure) -> Self {
        let hint = Failure::provision(&failure).hint.unwrap_or_default();
        Self::Provision { failure, hint }
    }
}

/// The servers of a workspace, by name.
///
/// # Errors
/// When their folder cannot be read.
pub fn servers(workspace: &Workspace) -> Result<Vec<ServerStatus>, ServerFailure> {
    instances(&workspace.servers_folder())?.iter().map(status).collect()
}

/// The workspace's own server of a plan's database.
pub(crate) fn server_of(workspace: &Workspace, plan: &DatabasePlan) -> Result<Option<ServerStatus>, ServerFailure> {
    own(workspace, plan.engine, &plan.connection).map(|instance| status(&instance)).transpose()
}

/// Starts one server of the workspace, or all of them. Returns how each stands.
///
/// # Errors
/// [`ServerFailure`] of the first that cannot be started.
pub fn start_servers(workspace: &Workspace, name: Option<&str>) -> Result<Vec<ServerStatus>, ServerFailure> {
    each(workspace, name, |instance| instance.start().map(|_: Begun| ()))
}

/// Stops one server of the workspace, or all of them. Returns how each stands.
///
/// # Errors
/// [`ServerFailure`] of the first that goes on.
pub fn stop_servers(workspace: &Workspace, name: Option<&str>) -> Result<Vec<ServerStatus>, ServerFailure> {
    each(workspace, name, Instance::stop)
}

fn each(
    workspace: &Workspace,
    name: Option<&str>,
    act: impl Fn(&Instance) -> Result<(), ProvisionFailure>,
) -> Result<Vec<ServerStatus>, ServerFailure> {
    let all = instances(&workspace.servers_folder())?;
    let chosen: Vec<&Instance> =
        all.iter().filter(|instance| name.is_none_or(|name| instance.name() == name)).collect();
    if let (Some(name), []) = (name, chosen.as_slice()) {
        let names: Vec<String> = all.iter().map(|instance| format!("`{}`", instance.name())).collect();
        let known = match names.as_slice() {
            [] => "a task with `provision: local` makes one".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        return Err(ServerFailure::Unknown { name: name.to_owned(), known });
    }
    // A run that is making a server is not disturbed.
    let _lock = (!chosen.is_empty()).then(|| workspace.lock(|| {})).transpose()?;
    for instance in &chosen {
        act(instance)?;
    }
    chosen.into_iter().map(status).collect()
}

fn status(instance: &Instance) -> Result<ServerStatus, ServerFailure> {
    let state = match instance.state()? {
        State::Running => "running",
        State::Stopped | State::Absent => "stopped",
    };
    let address = instance.address()?.map_or_else(String::new, |address| address.to_string());
    Ok(ServerStatus { name: instance.name().to_owned(), state, address, folder: instance.folder().to_owned() })
}
