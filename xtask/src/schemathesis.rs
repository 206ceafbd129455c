//! `cargo xtask schemathesis [--full]`: every API of `tests/cases/documents` is made and served by both servers, and Schemathesis
//! holds their `/openapi.json` against what they answer, with all its checks. The documents themselves are held against the
//! JSON Schema of their OpenAPI version. Whatever is found is a failure; nothing is written outside the build output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::python::{self, Lacking};
use crate::repository::Repository;
use crate::runner::Tally;
use crate::server::Server;
use crate::test::{self, Node};

/// The virtual environment, and below it a workspace for every run.
const FOLDER: &str = "target/schemathesis";
const FILES: &str = "xtask/src/schemathesis";
const REQUIREMENTS: &str = "xtask/src/schemathesis/requirements.txt";
/// One API of every family of behaviours.
const TASKS: &str = "tests/cases/documents";
/// More of them.
const MORE_TASKS: &str = "tests/cases/documents/full";
const BOUNDED_EXAMPLES: u32 = 10;
const FULL_EXAMPLES: u32 = 200;
const SEED: u64 = 1;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// One API of every family, the same requests each time, within a minute.
    Bounded,
    /// Every API, many requests, others each time.
    Full,
}

/// Runs it alone; the last line on standard output is `N passed, M failed, K skipped`.
pub fn run(repository: &Repository, extent: Extent) -> ExitCode {
    let mut tally = Tally::default();
    match repository.cargo(&["build", "-p", "producer"]).status() {
        Ok(status) if status.success() => tally_built(repository, extent, &mut tally),
        Ok(_) | Err(_) => tally.fail("`cargo build -p producer` failed"),
    }
    tally.print();
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tally_built(repository: &Repository, extent: Extent, tally: &mut Tally) {
    let node = test::obtain_node(repository);
    self::tally(repository, extent, &node, tally);
    test::nothing_skipped_in_ci(tally);
}

/// Adds one success or failure for every API on every server. The binary must be built.
pub fn tally(repository: &Repository, extent: Extent, node: &Node, tally: &mut Tally) {
    let tried = match tried(repository, extent, node) {
        Ok(tried) => tried,
        Err(Lacking::Part(why)) => return tally.skip(format!("the OpenAPI documents against the servers: {why}")),
        Err(Lacking::File(why)) => return tally.fail(why),
    };
    println!("\nOpenAPI documents against the servers (seed {}):", tried.seed);
    match node {
        Node::Ready { .. } => {}
        Node::Missing(why) => tally.skip(format!("the OpenAPI documents against the Node.js application: {why}")),
        Node::Broken(why) => tally.fail(why),
    }
    for task in &tried.tasks {
        // The two servers of one API are asked at the same time.
        let outcomes: Vec<(String, Result<String, String>)> = std::thread::scope(|scope| {
            let ask = |kind: &Kind| {
                let name = format!("{} on {}", task.file_stem().unwrap_or_default().to_string_lossy(), kind.name());
                let outcome = tried.hold(task, kind);
                (name, outcome)
            };
            let started: Vec<_> = tried.kinds.iter().map(|kind| scope.spawn(move || ask(kind))).collect();
            let failed = || ("a server".to_owned(), Err("the thread that asked it failed".to_owned()));
            started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect()
        });
        for (name, outcome) in outcomes {
            match outcome {
                Ok(said) => {
                    println!("  {name}: {said}");
                    tally.pass();
                }
                Err(why) => {
                    println!("{why}");
                    tally.fail(format!("Schemathesis: {name}"));
                }
            }
        }
    }
}

/// Everything that is tried, and with what.
struct Tried<'a> {
    repository: &'a Repository,
    tasks: Vec<PathBuf>,
    kinds: Vec<Kind>,
    seed: u64,
    examples: u32,
}

/// A server.
enum Kind {
    Native,
    /// With the folder of its packages.
    Node(PathBuf),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Native => "the native server",
            Self::Node(_) => "the Node.js application",
        }
    }

    fn folder(&self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Node(_) => "node",
        }
    }
}

fn tried<'a>(repository: &'a Repository, extent: Extent, node: &Node) -> Result<Tried<'a>, Lacking> {
    python::install(repository, FOLDER, REQUIREMENTS)?;
    let folders: &[&str] = match extent {
        Extent::Bounded => &[TASKS],
        Extent::Full => &[TASKS, MORE_TASKS],
    };
    let mut tasks = Vec::new();
    for folder in folders {
        let found = repository.files(folder, ".yaml").map_err(Lacking::File)?;
        let inside = found.iter().map(|path| repository.root.join(path));
        tasks.extend(inside.filter(|path| path.parent() == Some(&repository.root.join(folder))));
    }
    if tasks.is_empty() {
        return Err(Lacking::File(format!("no task in `{TASKS}`")));
    }
    let mut kinds = vec![Kind::Native];
    match node {
        Node::Ready { modules, .. } => kinds.push(Kind::Node(modules.clone())),
        Node::Missing(_) | Node::Broken(_) => {}
    }
    let (seed, examples) = match extent {
        Extent::Bounded => (SEED, BOUNDED_EXAMPLES),
        Extent::Full => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            (now.map_or(SEED, |elapsed| elapsed.as_secs()), FULL_EXAMPLES)
        }
    };
    Ok(Tried { repository, tasks, kinds, seed, examples })
}

impl Tried<'_> {
    /// Makes the API, serves it, asks it. What was tried in one line, or everything that was found.
    fn hold(&self, task: &Path, kind: &Kind) -> Result<String, String> {
        let name = task.file_stem().unwrap_or_default().to_string_lossy();
        let workspace = self.repository.root.join(FOLDER).join("runs").join(format!("{name}-{}", kind.folder()));
        if workspace.is_dir() {
            fs::remove_dir_all(&workspace)
                .map_err(|error| format!("cannot clear `{}`: {error}", workspace.display()))?;
        }
        fs::create_dir_all(&workspace).map_err(|error| format!("cannot make `{}`: {error}", workspace.display()))?;
        self.answer_of(self.producer(&["run"], &workspace).arg(task))?;
        let key = self.answer_of(&mut self.producer(&["keys", "create", "--name", "schemathesis"], &workspace))?;
        let server = Server::start(kind.name(), &mut self.server(kind, &workspace)?)?;
        let url = format!("http://{}/openapi.json", server.address);
        self.validate(task, &url)?;
        let begun = Instant::now();
        let said = self
            .schemathesis(&workspace, &url, key.trim())
            .map_err(|found| format!("{found}\n{}", server.last_words()))?;
        server.stop()?;
        let sums = said.lines().find(|line| line.contains(" generated, ")).unwrap_or("nothing was tried");
        match sums.contains(" passed") {
            true => Ok(format!("{}, {:.1} s", sums.trim(), begun.elapsed().as_secs_f64())),
            false => Err(said),
        }
    }

    fn producer(&self, words: &[&str], workspace: &Path) -> Command {
        let mut command = Command::new(self.repository.root.join("target/debug/producer"));
        command.args(words).arg("--workspace").arg(workspace).stdin(Stdio::null());
        command
    }

    fn server(&self, kind: &Kind, workspace: &Path) -> Result<Command, String> {
        let modules = match kind {
            Kind::Native => return Ok(self.producer(&["serve", "--listen", "127.0.0.1:0"], workspace)),
            Kind::Node(modules) => modules,
        };
        let output = workspace.join("output/integration");
        let mut folders =
            fs::read_dir(&output).map_err(|error| format!("cannot list `{}`: {error}", output.display()))?;
        let application =
            folders.find_map(|entry| Some(entry.ok()?.path()).filter(|path| path.join("server.js").is_file()));
        let application = application.ok_or_else(|| format!("no application in `{}`", output.display()))?;
        // Packages are found upwards from where a file is.
        std::os::unix::fs::symlink(modules, application.join("node_modules"))
            .map_err(|error| format!("cannot link the packages: {error}"))?;
        let mut command = Command::new("node");
        let data = workspace.join(".producer/data");
        let mut files = fs::read_dir(&data).map_err(|error| format!("cannot list `{}`: {error}", data.display()))?;
        let is_database = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sqlite");
        let database = files.find_map(|entry| Some(entry.ok()?.path()).filter(is_database));
        let database = database.ok_or_else(|| format!("no database in `{}`", data.display()))?;
        let database = format!("file:{}", database.display());
        command.arg("server.js").current_dir(application);
        command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", database).env_remove("NODE_OPTIONS");
        Ok(command)
    }

    fn validate(&self, task: &Path, url: &str) -> Result<(), String> {
        let text = fs::read_to_string(task).map_err(|error| format!("cannot read `{}`: {error}", task.display()))?;
        let version = if text.contains("openapi_3.0") { "3.0" } else { "3.1" };
        let script = self.repository.root.join(FILES).join("validate.py");
        self.answer_of(self.python("python").arg(script).args([url, version])).map(|_| ())
    }

    fn schemathesis(&self, workspace: &Path, url: &str, key: &str) -> Result<String, String> {
        let mut command = self.python("schemathesis");
        // It leaves what it noted where it runs.
        command.current_dir(workspace).env("SCHEMATHESIS_HOOKS", self.repository.root.join(FILES).join("hooks.py"));
        command.arg("--config-file").arg(self.repository.root.join(FILES).join("schemathesis.toml"));
        command.args(["run", url, "--checks", "all", "--generation-database", "none", "--no-color"]);
        command.args(["--seed", &self.seed.to_string(), "--max-examples", &self.examples.to_string()]);
        self.answer_of(command.env("API_KEY", key))
    }

    /// A program of the virtual environment.
    fn python(&self, name: &str) -> Command {
        let mut command = Command::new(self.repository.root.join(FOLDER).join("bin").join(name));
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
        command
    }

    /// What a command says, or everything it said when it failed.
    fn answer_of(&self, command: &mut Command) -> Result<String, String> {
        let output = command.output().map_err(|error| format!("{:?} did not start: {error}", command.get_program()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("{said}\n{}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}
