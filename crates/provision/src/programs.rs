//! Where the programs of an engine are: the variable that names their folder, the path, the folders of packages. The newest wins.

use crate::failure::ProvisionFailure;
use crate::postgresql;
use std::fs;
use std::path::{Path, PathBuf};
use vocab::Engine;

/// An environment variable with the one folder to look for programs in.
pub const PROGRAMS_VARIABLE: &str = "PRODUCER_SERVER_PROGRAMS";

/// Whether a private server of that engine could be made here.
#[must_use]
pub fn are_installed(engine: Engine) -> bool {
    find(engine).is_ok()
}

/// The name of the role that makes everything on a server that was made for it alone; no name where there are no roles.
#[must_use]
pub fn superuser(engine: Engine) -> &'static str {
    match engine {
        Engine::PostgreSql => postgresql::SUPERUSER,
        Engine::Sqlite | Engine::MySql => "",
    }
}

/// The folder of the newest programs.
pub(crate) fn find(engine: Engine) -> Result<PathBuf, ProvisionFailure> {
    let (names, packages) = match engine {
        Engine::PostgreSql => (postgresql::PROGRAMS, postgresql::PACKAGES),
        Engine::Sqlite | Engine::MySql => return Err(ProvisionFailure::NotInstalled(engine)),
    };
    folders(packages)
        .into_iter()
        .find(|folder| names.iter().all(|name| folder.join(name).is_file()))
        .ok_or(ProvisionFailure::NotInstalled(engine))
}

fn folders(packages: &[(&str, &str)]) -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(PROGRAMS_VARIABLE) {
        return vec![PathBuf::from(folder)];
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
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
