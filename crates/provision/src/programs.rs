//! The programs of an engine, for those to whom the engines are one: where they are (the variable that names their folders, the
//! path, the folders of packages) and what a server does with them.

use crate::account::Account;
use crate::failure::ProvisionFailure;
use crate::folder::Folder;
use crate::instance::FirstUser;
use crate::lock::{self, Process};
use crate::unit::Service;
use crate::{mysql, postgresql};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vocab::Engine;

/// An environment variable with the folders to look for programs in, written as those of the path are.
pub const PROGRAMS_VARIABLE: &str = "PRODUCER_SERVER_PROGRAMS";

/// How long programs that a killed run has started may take to end.
const ALONE_TIMEOUT: Duration = Duration::from_secs(60);
const ALONE_PAUSE: Duration = Duration::from_millis(50);

/// Whether a private server of that engine could be made here.
#[must_use]
pub fn are_installed(engine: Engine) -> bool {
    Programs::find(engine).is_ok()
}

/// The name of the role that makes everything on a server that was made for it alone; no name where there are no roles.
#[must_use]
pub fn superuser(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => postgresql::SUPERUSER,
        Engine::MySql => mysql::SUPERUSER,
        Engine::Sqlite | Engine::MongoDb => "",
    }
}

/// How somebody has them installed, for people.
#[must_use]
pub fn way_to_install(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => {
            "Debian: `apt-get install postgresql`, Red Hat: `dnf install postgresql-server`, macOS: `brew install postgresql`"
        }
        Engine::MySql => {
            "Debian: `apt-get install mariadb-server`, Red Hat: `dnf install mariadb-server`, macOS: `brew install mysql`"
        }
        Engine::MongoDb => "`mongod`",
        Engine::Sqlite => "none are needed",
    }
}

/// Programs, of those who made a server: others may not understand what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Programs {
    PostgreSql(postgresql::Programs),
    MySql(mysql::Programs),
}

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    pub port: u16,
    /// Whether it keeps a log of what is committed, where its engine can do without.
    pub keeps_log: bool,
}

impl Programs {
    /// Those that are installed.
    pub fn find(engine: Engine) -> Result<Self, ProvisionFailure> {
        let found = match engine {
            Engine::PostgreSql => postgresql::Programs::find().map(Self::PostgreSql),
            Engine::MySql => mysql::Programs::find().map(Self::MySql),
            Engine::Sqlite | Engine::MongoDb => None,
        };
        found.ok_or(ProvisionFailure::NotInstalled(engine))
    }

    /// Who runs a server of them.
    pub fn account(&self) -> Result<Account, ProvisionFailure> {
        match self {
            Self::PostgreSql(_) => Account::of(Engine::PostgreSql, postgresql::ACCOUNT),
            Self::MySql(_) => Account::of(Engine::MySql, mysql::ACCOUNT),
        }
    }

    /// Sees that nothing of a run that was killed works any more on what it has left half made. While what is returned is kept,
    /// nobody else works on it either.
    pub fn alone(&self, folder: &Folder) -> Result<fs::File, ProvisionFailure> {
        let begun = Instant::now();
        while begun.elapsed() < ALONE_TIMEOUT {
            match self.process_to_end(folder) {
                Some(process) => lock::kill(process),
                None => {
                    if let Some(file) = folder.hold()? {
                        return Ok(file);
                    }
                }
            }
            std::thread::sleep(ALONE_PAUSE);
        }
        Err(folder.failed("another run", "it still works on this server".to_owned()))
    }

    /// What does not end by itself.
    fn process_to_end(&self, folder: &Folder) -> Option<Process> {
        match self {
            Self::PostgreSql(_) => None,
            Self::MySql(_) => mysql::Programs::process(folder),
        }
    }

    /// Makes what a server keeps.
    pub fn initialise(&self, folder: &Folder, account: &Account, user: &FirstUser<'_>) -> Result<(), ProvisionFailure> {
        match self {
            Self::PostgreSql(programs) => programs.initialise(folder, account, user),
            Self::MySql(programs) => programs.initialise(folder, account, user),
        }
    }

    /// What a service manager runs.
    pub fn service(&self, folder: &Folder, runs: Runs) -> Service {
        match self {
            Self::PostgreSql(programs) => programs.service(folder, runs.port),
            Self::MySql(programs) => programs.service(folder, runs),
        }
    }

    /// Whether whoever listens at the port is the server of this folder.
    pub fn has_port(&self, folder: &Folder, port: u16) -> bool {
        match self {
            Self::PostgreSql(_) => postgresql::Programs::has_port(folder, port),
            Self::MySql(_) => mysql::Programs::is_there(folder),
        }
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&self, folder: &Folder, account: &Account, runs: Runs) -> Result<(), ProvisionFailure> {
        match self {
            Self::PostgreSql(programs) => programs.start(folder, account, runs.port),
            Self::MySql(programs) => programs.start(folder, account, runs),
        }
    }

    /// Ends it in order, if it runs.
    pub fn stop(&self, folder: &Folder, account: &Account, port: u16) -> Result<(), ProvisionFailure> {
        match self {
            Self::PostgreSql(programs) => programs.stop(folder, account, port),
            Self::MySql(programs) => programs.stop(folder),
        }
    }
}

/// The folders to look in: those that the variable names and no others, else those of the path and of packages.
pub(crate) fn search(packages: impl FnOnce() -> Vec<PathBuf>) -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os(PROGRAMS_VARIABLE) {
        return std::env::split_paths(&named).collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    on_path.chain(packages()).collect()
}

/// Folders with a version each, the newest of each parent first.
pub(crate) fn version_folders(packages: &[(&str, &str)]) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, rest) in packages {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
            .map(|entries| entries.filter_map(|entry| version_folder(&entry.ok()?.path(), rest)).collect())
            .unwrap_or_default();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    }
    folders
}

/// `/usr/lib/postgresql/15` with the number that its name ends with.
fn version_folder(folder: &Path, rest: &str) -> Option<(u32, PathBuf)> {
    let name = folder.file_name()?.to_str()?;
    let digits = name.rsplit(|character: char| !character.is_ascii_digit()).next()?;
    Some((digits.parse().ok()?, folder.join(rest)))
}
