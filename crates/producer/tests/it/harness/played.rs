//! `producer simulate` as a process beside a test: a provider's name comes in, what it has printed goes out.

use crate::harness::workspace::Workspace;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

/// A provider that is played until this is dropped.
pub struct Played {
    child: Child,
    /// What it has printed: names and values.
    told: Vec<(String, String)>,
}

impl Played {
    /// Plays it; `more` are options of the command.
    pub fn start(workspace: &Workspace, name: &str, more: &[&str]) -> Self {
        let mut command = workspace.command(&["simulate", name, "--listen", "127.0.0.1:0"]);
        let mut child = command.args(more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
            let (name, value) = line.rsplit_once("  ").map_or(("", ""), |(name, value)| (name.trim(), value.trim()));
            told.push((name.to_owned(), value.to_owned()));
            // The last line it prints.
            if name == "seed" {
                break;
            }
        }
        Self { child, told }
    }

    /// A value that it has printed.
    pub fn told(&self, name: &str) -> &str {
        &self.told.iter().find(|(known, _)| known == name).unwrap().1
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
