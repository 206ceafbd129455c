//! Where things are: the repository's root, its crates as cargo sees them, its files in a fixed order.
//! Reads only. Paths handed out are relative to the root, with `/`, so that reports are the same everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The checkout this command was started in.
pub struct Repository {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Repository {
    /// Walks up from the current folder to the workspace manifest.
    pub fn find() -> Result<Self, String> {
        let here = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
        here.ancestors()
            .find(|folder| is_workspace(&folder.join("Cargo.toml")))
            .map(|root| Self { root: root.to_owned() })
            .ok_or_else(|| "no workspace `Cargo.toml` here or above".to_owned())
    }

    /// `cargo` in the root. The toolchain file decides which one.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// What `cargo metadata --no-deps` says of the workspace.
    pub fn metadata(&self) -> Result<Value, String> {
        let output = self
            .cargo(&["metadata", "--format-version", "1", "--no-deps"])
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("`cargo metadata` did not start: {error}"))?;
        if !output.status.success() {
            return Err("`cargo metadata` failed".to_owned());
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("`cargo metadata` said no JSON: {error}"))
    }

    /// Every file under `folder` whose name ends with `suffix`, relative to the root, sorted.
    /// A folder that is not there holds no files. Build output and installed packages are left out.
    pub fn files(&self, folder: &str, suffix: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if path.is_dir() && name != "target" && name != "node_modules" {
                    folders.push(path);
                } else if path.is_file() && name.ends_with(suffix) {
                    found.push(self.relative(&path));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The names of the folders directly under `folder`, sorted; none when it is not there.
    pub fn folders(&self, folder: &str) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = entries(&self.root.join(folder))?
            .iter()
            .filter(|path| path.is_dir())
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// The text of a file named relative to the root.
    pub fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("cannot read `{path}`: {error}"))
    }

    /// `path` without the root, with `/` between its parts.
    pub fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        inside.to_string_lossy().replace('\\', "/")
    }
}

fn is_workspace(manifest: &Path) -> bool {
    fs::read_to_string(manifest).is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}

/// The paths in one folder; none when the folder is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| format!("cannot list `{}`: {error}", folder.display()))
}
