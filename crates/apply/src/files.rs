//! Files that belong to the program and to the user at once. A file is the program's while its content is one the program
//! wrote; from the first edit on it is the user's, and new versions land beside it.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use vocab::sha256_hex;

/// What a new version is called when the user has edited the file.
const BESIDE: &str = "new";

/// What the program wrote, by path: kept outside the folder, so that deleting the folder loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLedger {
    files: BTreeMap<String, Versions>,
}

/// The versions of one file, as SHA-256 in lower-case hex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Versions {
    /// Every content that the program wrote, or was about to write when it was stopped.
    written: BTreeSet<String>,
    /// The newest that reached the folder, in its place or beside it.
    newest: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOutcome {
    /// It is new, or took the place of an older version.
    Written,
    /// It was there already.
    Unchanged,
    /// The user edited it and there is no newer version: it stays.
    Kept,
    /// The user edited it: it stays, and the new version lies beside it under this path.
    Beside(String),
}

/// A file that could not be written; everything before it was.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct FileFailure {
    /// The path.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl FileLedger {
    /// Notes what is about to be written. To be saved before [`write_files`]: a run that is killed in between then still
    /// knows its own files.
    pub fn announce(&mut self, files: &BTreeMap<String, String>) {
        for (path, content) in files {
            self.files.entry(path.clone()).or_default().written.insert(sha256_hex(content.as_bytes()));
        }
    }

    /// Notes what was written. To be saved after [`write_files`].
    pub fn settle(&mut self, files: &BTreeMap<String, String>) {
        for (path, content) in files {
            let hash = sha256_hex(content.as_bytes());
            let versions = self.files.entry(path.clone()).or_default();
            versions.written.insert(hash.clone());
            versions.newest = Some(hash);
        }
    }

    fn is_ours(&self, path: &str, content: &[u8]) -> bool {
        self.files.get(path).is_some_and(|versions| versions.written.contains(&sha256_hex(content)))
    }

    fn is_newest(&self, path: &str, content: &str) -> bool {
        let newest = self.files.get(path).and_then(|versions| versions.newest.as_deref());
        newest.is_some_and(|newest| newest == sha256_hex(content.as_bytes()))
    }
}

/// Brings the files into the folder. Each is written whole or not at all.
///
/// # Errors
/// [`FileFailure`] at the first file that cannot be written.
pub fn write_files(
    folder: &Path,
    files: &BTreeMap<String, String>,
    ledger: &FileLedger,
) -> Result<BTreeMap<String, FileOutcome>, FileFailure> {
    let mut outcomes = BTreeMap::new();
    for (path, content) in files {
        let target = folder.join(path);
        let outcome =
            write_file(&target, path, content, ledger).map_err(|source| FileFailure { path: target, source })?;
        outcomes.insert(path.clone(), outcome);
    }
    Ok(outcomes)
}

fn write_file(target: &Path, path: &str, content: &str, ledger: &FileLedger) -> io::Result<FileOutcome> {
    let found = match fs::read(target) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match found {
        Some(found) if found == content.as_bytes() => Ok(FileOutcome::Unchanged),
        Some(found) if !ledger.is_ours(path, &found) => {
            if ledger.is_newest(path, content) {
                return Ok(FileOutcome::Kept);
            }
            let beside = format!("{path}.{BESIDE}");
            let mut name = target.as_os_str().to_owned();
            name.push(format!(".{BESIDE}"));
            write_atomically(Path::new(&name), content.as_bytes())?;
            Ok(FileOutcome::Beside(beside))
        }
        Some(_) | None => {
            write_atomically(target, content.as_bytes())?;
            Ok(FileOutcome::Written)
        }
    }
}

/// Removes what the program wrote for an older plan and nobody edited. Returns the paths removed.
///
/// # Errors
/// [`FileFailure`] when such a file cannot be removed.
pub fn remove_stale(
    folder: &Path,
    files: &BTreeMap<String, String>,
    ledger: &mut FileLedger,
) -> Result<Vec<String>, FileFailure> {
    let stale: Vec<String> = ledger.files.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
    let mut removed = Vec::new();
    for path in stale {
        let target = folder.join(&path);
        match fs::read(&target) {
            Ok(found) if ledger.is_ours(&path, &found) => {
                fs::remove_file(&target).map_err(|source| FileFailure { path: target, source })?;
                removed.push(path.clone());
            }
            Ok(_) => continue,
            Err(_) => {}
        }
        ledger.files.remove(&path);
    }
    Ok(removed)
}

/// Writes a file whole or not at all, making its folder when it is not there.
///
/// # Errors
/// Of the file system; the old content is in place then.
pub fn write_atomically(target: &Path, content: &[u8]) -> io::Result<()> {
    let folder = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    fs::create_dir_all(folder)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Always the same name: what a killed run left is taken over by the next. Runs of one workspace exclude each other.
    write_by_way_of(&folder.join(format!(".{name}.tmp")), target, content)
}

/// The same by way of another file in the same folder: for those whom nobody excludes from writing at the same time.
///
/// # Errors
/// Of the file system; the old content is in place then.
pub fn write_by_way_of(temporary: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(temporary)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(temporary, target));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written
}
