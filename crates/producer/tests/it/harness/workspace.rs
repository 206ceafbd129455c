//! A workspace in a folder of its own, and the command line at work in it.

use super::Sample;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;
use store::{Location, Store};
use tempfile::TempDir;
use vocab::Datum;

/// A folder that is gone afterwards.
pub struct Workspace {
    folder: TempDir,
    sample: Sample,
    /// The folder of the sample task.
    pub application: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Workspace {
    /// An empty one.
    pub fn new() -> Self {
        Self::of(Sample::ContactNewsletter)
    }

    /// An empty one for a sample task.
    pub fn of(sample: Sample) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let application = folder.path().join("output/integration").join(format!("task_{}", sample.id()));
        Self { folder, sample, application }
    }

    /// One in which the first sample task was completed.
    pub fn completed() -> Self {
        Self::completed_with(Sample::ContactNewsletter)
    }

    /// One in which a sample task was completed.
    pub fn completed_with(sample: Sample) -> Self {
        let workspace = Self::of(sample);
        workspace.run(&sample.task()).must_end_with(0);
        workspace
    }

    /// Another one with the same files.
    pub fn copy(&self) -> Self {
        let copy = Self::of(self.sample);
        for (path, file) in walk(self.path()) {
            let target = copy.path().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(file, target).unwrap();
        }
        copy
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database_file(&self) -> PathBuf {
        self.path().join(".producer/data/embedded.sqlite")
    }

    /// A command of the binary in this workspace.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = producer(words);
        command.arg("--workspace").arg(self.path());
        command
    }

    /// `producer run` of a task file.
    pub fn run(&self, task: &Path) -> Ended {
        end(self.command(&["run"]).arg(task))
    }

    /// `producer run` of a task that is written to standard input.
    pub fn run_text(&self, task: &str) -> Ended {
        end_with_input(&mut self.command(&["run", "-"]), task)
    }

    /// A new API key.
    pub fn create_key(&self) -> String {
        let made = end(&mut self.command(&["keys", "create", "--name", "test"])).must_end_with(0);
        made.stdout.trim_end().to_owned()
    }

    /// What the database answers to a statement, as text; a missing value is `-`.
    pub fn query(&self, statement: &str) -> Vec<Vec<String>> {
        let store = Store::open(&Location::File(self.database_file())).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rows = runtime.block_on(store.read(statement.into(), Vec::new())).unwrap();
        rows.into_iter().map(|row| row.into_iter().map(shown).collect()).collect()
    }

    /// How many rows a table holds.
    pub fn count(&self, table: &str) -> u32 {
        self.query(&format!("SELECT count(*) FROM {table}"))[0][0].parse().unwrap()
    }

    /// The migrations in the database's ledger, sorted.
    pub fn migrations(&self) -> Vec<String> {
        let rows = self.query("SELECT scope || ' ' || name FROM schema_migrations ORDER BY scope, name");
        rows.into_iter().flatten().collect()
    }
}

fn shown(datum: Datum) -> String {
    match datum {
        Datum::Null => "-".to_owned(),
        Datum::Boolean(value) => value.to_string(),
        Datum::Integer(value) => value.to_string(),
        Datum::Decimal(value) => value.to_string(),
        Datum::Text(value) => value,
        Datum::Json(value) => value.to_string(),
    }
}

impl Ended {
    #[track_caller]
    pub fn must_end_with(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The one response on standard output.
    #[track_caller]
    pub fn response(&self) -> Json {
        serde_saphyr::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}", self.stdout))
    }
}

/// A command of the binary.
pub fn producer(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_producer"));
    command.args(words).env_remove("PRODUCER_LOG").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same with a text on standard input.
pub fn end_with_input(command: &mut Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file of a folder by its path in it, without links; empty where there is no folder.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walk(folder).into_iter().map(|(path, file)| (path, fs::read(file).unwrap())).collect()
}

/// When every file of a folder was changed last.
pub fn change_times(folder: &Path) -> BTreeMap<String, SystemTime> {
    walk(folder).into_iter().map(|(path, file)| (path, fs::metadata(file).unwrap().modified().unwrap())).collect()
}

fn walk(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(walk(&entry.path()).into_iter().map(|(path, file)| (format!("{name}/{path}"), file)));
        } else if kind.is_file() {
            found.insert(name, entry.path());
        }
    }
    found
}
