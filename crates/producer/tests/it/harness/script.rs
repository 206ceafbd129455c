//! A script of a test that stands on a package of Node.js: it runs beside the test, and what it prints first comes out. Without the
//! package the test is skipped, loudly.

use super::repository;
use super::server::node_modules;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The script, until this is dropped.
pub struct Script {
    child: Child,
    /// The first line that it has printed.
    pub told: String,
    /// Where it goes on writing.
    _output: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Script {
    /// Starts the script at that path in `tests/it`; nothing where the package is not there, which is said of `what`.
    pub fn start(path: &str, package: &str, what: &str) -> Option<Self> {
        let Some(modules) = node_modules().filter(|modules| modules.join(package).is_dir()) else {
            let line = format!("SKIPPED {what}: NODE_MODULES names no folder with `{package}`\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            return None;
        };
        // Packages are found from where a script really is.
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
        let script = folder.path().join("script.mjs");
        fs::copy(repository("crates/producer/tests/it").join(path), &script).unwrap();
        let mut node = Command::new("node");
        let mut child = node.arg(script).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        Some(Self { child, told: line.trim().to_owned(), _output: output, _folder: folder })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
