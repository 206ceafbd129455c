//! What a workspace knows: the built-in catalogue with the workspace's own entities, relations and mails. Reads files, writes none.

use crate::providers::{self, NoManifest};
use crate::read::read_source;
use crate::run::Stop;
use crate::workspace::{Workspace, WorkspaceFailure};
use catalog::{Catalog, OwnFile, OwnFiles};
use spec::{Specification, Task};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The folder of the workspace's own entities, a file each.
const ENTITIES: &str = "entities";
/// The file that says how entities belong together.
const RELATIONS: &str = "relations.yaml";
/// The folder of its own mails, a file each.
const MAILS: &str = "mails";
/// What a file's name ends with.
const EXTENSION: &str = "yaml";

/// The catalogue of the workspace, with the provider that the task is about.
pub(crate) fn of(workspace: &Workspace, task: &Task) -> Result<Catalog, Stop> {
    let catalog = with_own(workspace)?;
    let Specification::IntegrateService(integration) = &task.specification else { return Ok(catalog) };
    let manifest = providers::manifest(workspace, &integration.provider.value).map_err(|failure| match failure {
        NoManifest::Unreadable { path, source } => WorkspaceFailure::File { path, source }.into(),
        NoManifest::Wrong(diagnostics) => Stop::Invalid(diagnostics),
    })?;
    Ok(match manifest {
        Some(manifest) => catalog.with_provider(manifest),
        None => catalog,
    })
}

/// The catalogue of the workspace, without any provider.
pub(crate) fn with_own(workspace: &Workspace) -> Result<Catalog, Stop> {
    let built_in =
        Catalog::built_in().unwrap_or_else(|error| unreachable!("a test loads the built-in catalogue: {error}"));
    let relations = read(workspace, RELATIONS)?;
    let own = OwnFiles { entities: all(workspace, ENTITIES)?, relations, mails: all(workspace, MAILS)? };
    built_in.with_own(&own).map_err(Stop::Invalid)
}

/// What the files of a folder say.
fn all(workspace: &Workspace, folder: &str) -> Result<Vec<OwnFile>, Stop> {
    let path = workspace.root().join(folder);
    let mut files = Vec::new();
    for name in names(&path).map_err(|source| WorkspaceFailure::File { path: path.clone(), source })? {
        files.extend(read(workspace, &format!("{folder}/{name}"))?);
    }
    Ok(files)
}

/// The files of the folder, sorted; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_data = path.extension().is_some_and(|extension| extension == EXTENSION) && !name.starts_with('.');
        if is_data && path.is_file() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn read(workspace: &Workspace, name: &str) -> Result<Option<OwnFile>, Stop> {
    let path = workspace.root().join(name);
    let source = match File::open(&path).and_then(|file| read_source(name, file)) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(WorkspaceFailure::File { path, source }.into()),
    };
    match source.problem {
        Some(problem) => Err(Stop::Invalid(vec![problem])),
        None => Ok(Some(OwnFile { name: source.name, text: source.text })),
    }
}
