//! A workspace in a folder of its own, and the command line at work in it.

use super::{CONTACT_NEWSLETTER, SENDERS, Sample, repository, schema};
use plan::http_case::CaseKeys;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use store::{Location, Store};
use tempfile::TempDir;
use vocab::{Datum, Engine};

/// A folder that is gone afterwards.
pub struct Workspace {
    folder: TempDir,
    sample: Sample,
    /// The database of a server that its API stands on; without one, the embedded one.
    pub url: Option<String>,
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

/// What an API that is tried on a server stands on.
const BASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    name: base\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";

impl Workspace {
    /// An empty one.
    pub fn new() -> Self {
        Self::of(Sample::ContactNewsletter)
    }

    /// An empty one for a sample task.
    pub fn of(sample: Sample) -> Self {
        Self::at(tempfile::tempdir().unwrap(), sample)
    }

    fn at(folder: TempDir, sample: Sample) -> Self {
        let application = folder.path().join("output/integration").join(format!("task_{}", sample.id()));
        Self { folder, sample, url: None, application }
    }

    /// One in which the first sample task was completed.
    pub fn completed() -> Self {
        Self::completed_with(Sample::ContactNewsletter)
    }

    /// One in which a sample task was completed: a copy of what this binary made of it when it was first asked for.
    pub fn completed_with(sample: Sample) -> Self {
        static MAKING: Mutex<()> = Mutex::new(());
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("completed");
        let mut hasher = DefaultHasher::new();
        fs::read(sample.task()).unwrap().hash(&mut hasher);
        fs::metadata(env!("CARGO_BIN_EXE_producer")).unwrap().modified().unwrap().hash(&mut hasher);
        let made = all.join(format!("{}-{:016x}", sample.id(), hasher.finish()));
        let alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.is_dir() {
            fs::create_dir_all(&all).unwrap();
            for old in fs::read_dir(&all).unwrap().map(|entry| entry.unwrap()) {
                if old.file_name().to_str().is_some_and(|name| name.starts_with(&format!("{}-", sample.id()))) {
                    fs::remove_dir_all(old.path()).unwrap();
                }
            }
            let workspace = Self::at(tempfile::tempdir_in(&all).unwrap(), sample);
            workspace.run(&sample.task()).must_end_with(0);
            fs::rename(workspace.folder.keep(), &made).unwrap();
        }
        drop(alone);
        let workspace = Self::of(sample);
        copy_files(&made, workspace.path());
        workspace
    }

    /// An empty one for a sample task on the server's database at that URL.
    pub fn on(sample: Sample, url: String) -> Self {
        Self { url: Some(url), ..Self::of(sample) }
    }

    /// One in which a sample task was completed on the server's database at that URL.
    pub fn completed_on(sample: Sample, url: String) -> Self {
        let workspace = Self::on(sample, url);
        let text = fs::read_to_string(sample.task()).unwrap();
        let place = workspace.place();
        // A sample that brings a database of its own is told where it is.
        let moved = text.replace(&format!("type: sqlite\n    name: {}\n", sample.database()), &place);
        if moved == text {
            workspace.run_base();
        }
        workspace.run_text(&moved).must_end_with(0);
        workspace
    }

    /// What a database task says of the server's database.
    fn place(&self) -> String {
        let engine = self.url.as_deref().map(schema::engine_of).unwrap();
        format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\"\n")
    }

    /// Has the APIs of the workspace stand on the server's database.
    pub fn run_base(&self) {
        self.run_text(&BASE.replace("type: sqlite\n    name: base\n", &self.place())).must_end_with(0);
    }

    /// Another one beside it with the same files, on the same server where it stands on one.
    pub fn copy(&self) -> Self {
        let mut copy = Self::at(tempfile::tempdir_in(self.path().parent().unwrap()).unwrap(), self.sample);
        copy_files(self.path(), copy.path());
        copy.url.clone_from(&self.url);
        copy
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database_file(&self) -> PathBuf {
        self.path().join(format!(".producer/data/{}.sqlite", self.sample.database()))
    }

    /// A command of the binary in this workspace. Keys of secrets are made in it, not in the home of whoever runs the tests.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = producer(words);
        command.arg("--workspace").arg(self.path());
        if let Some(url) = &self.url {
            command.env("DATABASE_OF_TEST", url);
        }
        command.envs(SENDERS);
        command.env("XDG_CONFIG_HOME", self.path().join("config")).env_remove("PRODUCER_SECRET_KEY");
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

    /// The keys of the cases. No command makes a key that has expired, or one that may do nothing.
    pub fn case_keys(&self) -> CaseKeys {
        let engine = self.url.as_deref().map_or(Engine::Sqlite, schema::engine_of);
        let changed = |change: &str| {
            let key = self.create_key();
            if engine == Engine::MongoDb {
                let newest = r#"{"command":{"find":"api_keys","sort":{"_id":-1},"limit":1},"columns":[["_id",""]]}"#;
                let newest = self.query(newest)[0][0].clone();
                let update = format!(r#"{{"q":{{"_id":"{newest}"}},"u":{{"$set":{{{change}}}}}}}"#);
                self.query(&format!(r#"{{"command":{{"update":"api_keys","updates":[{update}]}}}}"#));
                return key;
            }
            let newest = self.query("SELECT id FROM api_keys ORDER BY id DESC LIMIT 1")[0][0].clone();
            self.query(&format!("UPDATE api_keys SET {change} WHERE id = '{newest}'"));
            key
        };
        let (past, powerless) = match engine {
            Engine::Sqlite | Engine::PostgreSql => ("expires_at = '2026-01-02T03:04:05.678Z'", "scopes = ''"),
            Engine::MySql => ("expires_at = '2026-01-02 03:04:05.678'", "scopes = ''"),
            Engine::MongoDb => (r#""expires_at":{"$date":"2026-01-02T03:04:05.678Z"}"#, r#""scopes":"""#),
        };
        CaseKeys {
            good: self.create_key(),
            expired: changed(past),
            powerless: changed(powerless),
            ..CaseKeys::default()
        }
    }

    /// What the database answers to a statement, as text; a missing value is `-`.
    pub fn query(&self, statement: &str) -> Vec<Vec<String>> {
        match &self.url {
            Some(url) => {
                schema::ask(url, statement).into_iter().map(|row| row.into_iter().map(shown).collect()).collect()
            }
            None => query(&self.database_file(), statement),
        }
    }

    /// How many rows a table holds.
    pub fn count(&self, table: &str) -> u32 {
        if let Some(url) = self.url.as_deref().filter(|url| schema::engine_of(url) == Engine::MongoDb) {
            let all = format!(r#"{{"command":{{"find":"{table}","filter":{{}}}},"columns":[]}}"#);
            return schema::ask(url, &all).len().try_into().unwrap();
        }
        self.query(&format!("SELECT count(*) FROM {table}"))[0][0].parse().unwrap()
    }

    /// The migrations in the database's ledger, sorted.
    pub fn migrations(&self) -> Vec<String> {
        let rows = self.query("SELECT scope || ' ' || name FROM schema_migrations ORDER BY scope, name");
        rows.into_iter().flatten().collect()
    }
}

/// What a database file answers to a statement, as text; a missing value is `-`.
pub fn query(database: &Path, statement: &str) -> Vec<Vec<String>> {
    let store = Store::open(&Location::File(database.to_owned())).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rows = runtime.block_on(store.read(statement.into(), Vec::new())).unwrap();
    rows.into_iter().map(|row| row.into_iter().map(shown).collect()).collect()
}

/// Everything that runs made in the workspace of that folder and that is the same wherever and whenever they are made: the
/// tasks' files, their active plans, the ledgers, the tables.
pub fn outcome(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut made = files(&root.join("output"));
    // What a killed run was writing stays beside the file until the next one writes it.
    made.retain(|path, _| !path.ends_with("/response.yaml") && !path.ends_with(".tmp"));
    for (path, content) in files(&root.join(".producer/tasks")) {
        if let Some(folder) = path.strip_suffix("/active") {
            let version = String::from_utf8(content).unwrap();
            let plan = root.join(".producer/tasks").join(folder).join("plans").join(format!("{}.json", version.trim()));
            made.insert(format!("{folder} active"), fs::read(plan).unwrap());
        } else if path.ends_with("/files.json") {
            made.insert(path, content);
        }
    }
    let database = root.join(".producer/data/embedded.sqlite");
    for statement in [
        "SELECT scope, name, checksum FROM schema_migrations ORDER BY scope, name",
        // A run that took back what it had migrated has noted that, and nothing else stays of it.
        "SELECT name, sql FROM sqlite_schema WHERE name <> 'schema_migration_steps' ORDER BY name",
    ] {
        let rows: Vec<String> = query(&database, statement).into_iter().map(|row| row.join(" ")).collect();
        made.insert(statement.to_owned(), rows.join("\n").into_bytes());
    }
    made
}

/// The paths at which two outcomes differ.
pub fn difference(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let paths: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    paths.into_iter().filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
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

/// An API task whose endpoints are paths with their authentication; `head` and `tail` stand around its specification.
pub fn task(head: &str, endpoints: &[(&str, &str)], tail: &str) -> String {
    let endpoints: String = endpoints
        .iter()
        .map(|(path, authentication)| {
            format!("      - {{ path: {path}, method: POST, authentication: {authentication} }}\n")
        })
        .collect();
    format!(
        "{head}\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}{tail}"
    )
}

/// The first sample task with another text in it.
pub fn sample_with(old: &str, new: &str) -> String {
    let text = fs::read_to_string(repository(CONTACT_NEWSLETTER)).unwrap();
    assert!(text.contains(old));
    text.replace(old, new)
}

/// Every file of a folder by its path in it, without links; empty where there is no folder.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walk(folder).into_iter().map(|(path, file)| (path, fs::read(file).unwrap())).collect()
}

/// When every file of a folder was changed last.
pub fn change_times(folder: &Path) -> BTreeMap<String, SystemTime> {
    walk(folder).into_iter().map(|(path, file)| (path, fs::metadata(file).unwrap().modified().unwrap())).collect()
}

fn copy_files(from: &Path, to: &Path) {
    for (path, file) in walk(from) {
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
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
