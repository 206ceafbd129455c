//! Whose backups are meant: a task comes in, its database, the folder of its backups and the key that opens them go out.

use super::BackupsFailure;
use super::trouble;
use crate::failure::Failure;
use crate::instances;
use crate::located::{Located, locate, not_there_yet, stored};
use crate::status::StatusFailure;
use crate::workspace::Workspace;
use backup::{Bucket, Key, Repository};
use plan::database::{Backup, Connection, Destination, LocationPart, Objectives, Schedule};
use plan::{PersistedPlan, TaskPlan};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Database;
use vocab::{Secret, TaskId};

/// How long a backup is kept of a database for which nobody has asked for any: somebody gave the command.
const UNASKED_KEPT: u32 = 14 * 24 * 60 * 60;
const UNASKED_KEPT_AT_LEAST: u32 = 3;
const DAY: u32 = 24 * 60 * 60;

/// The environment variable that holds the key where the place that the plan names does not.
pub const KEY_VARIABLE: &str = "BACKUP_KEY";

/// The backups of a database.
pub struct Target {
    /// The task that they are named after: the one that made the database, or the one that was asked about.
    pub task_id: TaskId,
    pub plan: Backup,
    pub database: Database,
    pub repository: Repository,
    pub key: Option<Key>,
    /// The pieces of its log.
    pub log: Repository,
    /// The name of the database on a private server of the workspace.
    pub own_server: Option<String>,
}

impl Target {
    /// Of a task of the workspace by its id, whose database is there.
    pub fn of_task(workspace: &Workspace, task: &str) -> Result<Self, BackupsFailure> {
        Self::find(workspace, task, None, OwnServer::Needed)
    }

    /// The same, also where the database is on a private server that is gone. `from` is where the backups are, if not where the plan says.
    pub fn of_backups(workspace: &Workspace, task: &str, from: Option<&Path>) -> Result<Self, BackupsFailure> {
        Self::find(workspace, task, from, OwnServer::MayBeGone)
    }

    fn find(workspace: &Workspace, task: &str, from: Option<&Path>, server: OwnServer) -> Result<Self, BackupsFailure> {
        let known = workspace.task_ids()?;
        let Some(task_id) = known.iter().find(|known| known.as_str() == task) else {
            let names: Vec<&str> = known.iter().map(TaskId::as_str).collect();
            let nearest = spec::closest(task, &names).map(ToOwned::to_owned);
            return Err(StatusFailure::Unknown { id: task.to_owned(), nearest }.into());
        };
        let Some(active) = workspace.seen_plan(task_id)? else {
            return Err(Box::new(trouble::not_completed(task_id)).into());
        };
        let (task_id, active) = match active.plan.api().and_then(|plan| plan.base.as_ref()) {
            Some(base) => match workspace.seen_plan(&base.task_id)? {
                Some(of_base) => (base.task_id.clone(), of_base),
                None => (task_id.clone(), active),
            },
            None => (task_id.clone(), active),
        };
        let plan = asked_in(&active.plan).cloned().unwrap_or_else(unasked);
        let database = at(workspace, &active, server)?;
        let own_server = match &active.plan.database().connection {
            Connection::Local { name } => Some(name.clone()),
            Connection::Embedded
            | Connection::File { .. }
            | Connection::Container { .. }
            | Connection::Location(_)
            | Connection::Missing => None,
        };
        Ok(Self { own_server, ..Self::new(workspace, task_id, plan, database, from)? })
    }

    /// Where the database is, or was.
    pub fn place(&self, workspace: &Workspace) -> Result<String, Box<Failure>> {
        match &self.own_server {
            Some(name) if instances::address(workspace, self.database.engine(), name)?.is_none() => {
                Ok(format!("a private server that is gone, {name}"))
            }
            Some(_) | None => Ok(self.database.place()),
        }
    }

    /// Of a plan, where somebody has asked for backups of its database.
    pub fn asked_for(
        workspace: &Workspace,
        persisted: &PersistedPlan,
        database: &Database,
    ) -> Result<Option<Self>, Box<Failure>> {
        let (task_id, plan) = match persisted.plan.api().and_then(|plan| plan.base.as_ref()) {
            Some(base) => {
                let of_base = workspace.seen_plan(&base.task_id).map_err(|failure| Failure::workspace(&failure))?;
                (base.task_id.clone(), of_base.and_then(|active| asked_in(&active.plan).cloned()))
            }
            None => (persisted.plan.task_id().clone(), asked_in(&persisted.plan).cloned()),
        };
        let Some(plan) = plan else { return Ok(None) };
        Self::new(workspace, task_id, plan, database.clone(), None).map(Some)
    }

    fn new(
        workspace: &Workspace,
        task_id: TaskId,
        plan: Backup,
        database: Database,
        from: Option<&Path>,
    ) -> Result<Self, Box<Failure>> {
        if matches!(database, Database::MongoDb(_)) {
            return Err(Box::new(trouble::engine_without_backups(&database)));
        }
        let place = match from {
            Some(folder) => Place::of(workspace, folder)?,
            None => place(workspace, &plan)?,
        };
        let key = key(workspace, &plan)?;
        Ok(Self {
            repository: place.repository(task_id.as_str()),
            log: place.repository(&format!("{task_id}.log")),
            task_id,
            plan,
            database,
            key,
            own_server: None,
        })
    }
}

fn asked_in(plan: &TaskPlan) -> Option<&Backup> {
    match plan {
        TaskPlan::Database(plan) => plan.backup.as_ref(),
        TaskPlan::Api(_) => None,
    }
}

fn unasked() -> Backup {
    Backup {
        schedule: Schedule::Every(DAY / 60),
        keep_for: UNASKED_KEPT,
        keep_at_least: UNASKED_KEPT_AT_LEAST,
        destination: Destination::Workspace,
        encryption_key: None,
        drill: Schedule::Every(DAY / 60),
        point_in_time: false,
        objectives: Objectives { recovery_point: DAY, recovery_time: None },
    }
}

/// A private server of the workspace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnServer {
    Needed,
    /// It comes back, or only its backups are looked at.
    MayBeGone,
}

fn at(workspace: &Workspace, active: &Arc<PersistedPlan>, server: OwnServer) -> Result<Database, Box<Failure>> {
    let plan = active.plan.database();
    let located = match (locate(workspace, plan.engine, &plan.connection)?, &plan.connection) {
        (Located::Asks(_), Connection::Local { name }) if server == OwnServer::MayBeGone => {
            not_there_yet(workspace, plan.engine, name)?
        }
        (located, ..) => located,
    };
    match located {
        Located::At(database) => Ok(database),
        Located::Asks(failure) => Err(failure),
    }
}

/// What holds a folder of backups for each task.
pub enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl Place {
    /// A folder, or what the URL of a bucket names.
    pub fn of(workspace: &Workspace, text: &Path) -> Result<Self, Box<Failure>> {
        match text.to_str().and_then(Bucket::place) {
            Some(place) => bucket(workspace, place).map(Self::Bucket),
            None => Ok(Self::Folder(text.to_owned())),
        }
    }

    pub fn repository(&self, name: &str) -> Repository {
        match self {
            Self::Folder(folder) => Repository::new(folder.join(name)),
            Self::Bucket(bucket) => Repository::in_bucket(bucket, name),
        }
    }
}

/// Where a plan's backups go.
pub fn place(workspace: &Workspace, plan: &Backup) -> Result<Place, Box<Failure>> {
    let parts = match &plan.destination {
        Destination::Workspace => return Ok(Place::Folder(workspace.backups_folder())),
        Destination::Named(parts) => parts,
    };
    let mut text = String::new();
    for part in parts {
        match part {
            LocationPart::Text(part) => text.push_str(part),
            LocationPart::Environment(_) | LocationPart::Secret(_) => {
                text.push_str(value(workspace, part)?.as_str());
            }
        }
    }
    let path = text.strip_prefix("file:").unwrap_or(&text);
    let path = path.strip_prefix("//").unwrap_or(path);
    match Place::of(workspace, Path::new(path))? {
        Place::Folder(folder) => Ok(Place::Folder(workspace.root().join(folder))),
        bucket @ Place::Bucket(_) => Ok(bucket),
    }
}

/// A bucket with what opens it: as variables of the environment, by the names that everybody has for them, or secrets of these names.
fn bucket(workspace: &Workspace, (name, prefix): (String, String)) -> Result<Bucket, Box<Failure>> {
    let set = |name: &str| -> Result<Option<zeroize::Zeroizing<String>>, Box<Failure>> {
        match std::env::var(name).ok().filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(value.into())),
            None => Ok(stored(workspace, name)?.map(|value| value.expose().to_string().into())),
        }
    };
    let needed = |name: &str| set(name)?.ok_or_else(|| Box::new(trouble::no_bucket(format!("`{name}` is not set"))));
    let region = match set("AWS_REGION")? {
        Some(region) => Some(region),
        None => set("AWS_DEFAULT_REGION")?,
    };
    let endpoint = set("AWS_ENDPOINT_URL")?.map(|endpoint| endpoint.to_string());
    if let Some(host) = endpoint.as_deref().and_then(|endpoint| endpoint.strip_prefix("http://")) {
        let host = host.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
        let is_here = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if name != "localhost" && !is_here {
            let why = "`AWS_ENDPOINT_URL` is not `https:`, and leads to another machine";
            return Err(Box::new(trouble::no_bucket(why.to_owned())));
        }
    }
    Ok(Bucket {
        name,
        prefix,
        endpoint,
        region: region.map_or_else(|| "us-east-1".to_owned(), |region| region.to_string()),
        key_id: needed("AWS_ACCESS_KEY_ID")?.to_string(),
        key: Secret::new(needed("AWS_SECRET_ACCESS_KEY")?),
        session: set("AWS_SESSION_TOKEN")?.map(Secret::new),
    })
}

/// The key of a plan's backups; none where they are not encrypted.
pub fn key(workspace: &Workspace, plan: &Backup) -> Result<Option<Key>, Box<Failure>> {
    let Some(reference) = &plan.encryption_key else { return Ok(None) };
    let given = std::env::var(KEY_VARIABLE).ok().filter(|value| !value.is_empty());
    let text = match (value(workspace, reference), given) {
        (Ok(text), _) => text,
        // A workspace that is only now coming back has no secrets yet.
        (Err(_), Some(given)) => zeroize::Zeroizing::new(given),
        (Err(failure), None) => return Err(failure),
    };
    Key::parse(&text).map(Some).map_err(|wrong| Box::new(trouble::no_key(reference, &wrong)))
}

fn value(workspace: &Workspace, part: &LocationPart) -> Result<zeroize::Zeroizing<String>, Box<Failure>> {
    match part {
        LocationPart::Text(text) => Ok(zeroize::Zeroizing::new(text.clone())),
        LocationPart::Environment(name) => {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.map(zeroize::Zeroizing::new).ok_or_else(|| Box::new(trouble::not_set(part)))
        }
        LocationPart::Secret(name) => match stored(workspace, name)? {
            Some(value) => Ok(zeroize::Zeroizing::new(value.expose().to_string())),
            None => Err(Box::new(trouble::not_set(part))),
        },
    }
}
