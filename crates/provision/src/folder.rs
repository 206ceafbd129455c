//! The folder of a server: where it keeps its data and its logs, and where programs that work on them are carried out. Nothing
//! that is said to them is shown, and of what they say the end.

use crate::failure::ProvisionFailure;
use crate::lock;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a program that are repeated when it fails.
const LINES_SAID: usize = 3;
/// Complaints that are repeated.
const COMPLAINTS: usize = 2;

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the server keeps.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Holds it for this process and all that it starts from now on, until the last of them ends or lets go. `None` while others do.
    pub fn hold(&self) -> Result<Option<fs::File>, ProvisionFailure> {
        let file = self.lock_file();
        lock::hold(&file).map_err(ProvisionFailure::file(file))
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        lock::is_held(&self.lock_file())
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join("server.lock")
    }

    /// Runs a program to its end.
    pub fn carry_out(&self, name: &str, command: &mut Command) -> Result<(), ProvisionFailure> {
        // The server keeps what it was given as its output for as long as it runs: nobody would see the end of a pipe.
        let output = self.0.join("output");
        let file = fs::File::create(&output).map_err(ProvisionFailure::file(&output))?;
        let copy = file.try_clone().map_err(ProvisionFailure::file(&output))?;
        let ended = command.stdout(file).stderr(copy).status();
        let said = fs::read_to_string(&output).unwrap_or_default();
        // It is read; nobody misses it.
        let _ = fs::remove_file(&output);
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.failed(name, complaints(&said))),
            Err(error) => Err(self.failed(name, error.to_string())),
        }
    }

    /// A program of that name that has failed.
    pub fn failed(&self, name: &str, said: String) -> ProvisionFailure {
        ProvisionFailure::Program { program: name.to_owned(), said, log: self.log() }
    }
}

/// What a program complains of, first the cause and then what follows from it; the end of what it says where it has no word for that.
pub fn complaints(text: &str) -> String {
    let complaints: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).take(COMPLAINTS).collect();
    if complaints.is_empty() { last_lines(text) } else { complaints.join("; ") }
}

pub fn last_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.drain(..lines.len().saturating_sub(LINES_SAID));
    lines.join("; ")
}
