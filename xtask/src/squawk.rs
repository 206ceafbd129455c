//! `cargo xtask squawk`: the databases of `tests/cases/trades` are made on PostgreSQL, one of them is changed under rows, and Squawk,
//! a linter of migrations, reads `schema.sql`, `permissions.sql` and the files of `migrations/`. Comes in: a server; goes out: a
//! success or a failure for each task. What it may say is in `xtask/src/squawk/squawk.toml` alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::postgresql::Server;
use crate::python::{self, Lacking};
use crate::repository::Repository;
use crate::runner::Tally;
use crate::test;

const FOLDER: &str = "target/squawk";
const CONFIGURATION: &str = "xtask/src/squawk/squawk.toml";
const REQUIREMENTS: &str = "xtask/src/squawk/requirements.txt";
const TASKS: &str = "tests/cases/trades";
/// What some of the tasks become, and the rows that are there by then.
const CHANGED: &str = "tests/cases/trades/changed";
/// The variable that the tasks take their connection from.
const VARIABLE: &str = "TRADES_DATABASE_URL";
/// What stands in a file of which a statement cannot run inside a transaction.
const ALONE: &str = "-- runs alone";
/// The roles of a task, as its database's name ends for each.
const ROLES: [&str; 5] = ["owner", "migrator", "app", "readonly", "backup"];

/// Runs it alone; the last line on standard output is `N passed, M failed, K skipped`.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let server = Server::obtain()?;
    let mut tally = Tally::default();
    match repository.cargo(&["build", "-p", "producer"]).status() {
        Ok(status) if status.success() => self::tally(repository, &server, &mut tally),
        Ok(_) | Err(_) => tally.fail("`cargo build -p producer` failed"),
    }
    test::nothing_skipped_in_ci(&mut tally);
    tally.print();
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Adds one success or failure for every task. The binary must be built.
pub fn tally(repository: &Repository, server: &Server, tally: &mut Tally) {
    match python::install(repository, FOLDER, REQUIREMENTS) {
        Ok(()) => {}
        Err(Lacking::Part(why)) => return tally.skip(format!("Squawk: {why}")),
        Err(Lacking::File(why)) => return tally.fail(why),
    }
    let tasks = match repository.files(TASKS, ".yaml") {
        Ok(files) => files.into_iter().filter(|file| !file.starts_with(CHANGED)).collect::<Vec<_>>(),
        Err(why) => return tally.fail(why),
    };
    println!("\nSquawk reads what {} tasks make:", tasks.len());
    for task in tasks {
        match read(repository, server, &task) {
            Ok(files) => {
                println!("  {task}: {files} files");
                tally.pass();
            }
            Err(why) => {
                println!("{why}");
                tally.fail(format!("Squawk: {task}"));
            }
        }
    }
}

/// A database that is there as long as this value.
struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl Database<'_> {
    fn url(&self) -> String {
        self.server.database(&self.name)
    }

    fn psql(&self, url: &str, words: &[&str]) -> Result<(), String> {
        let mut command = Command::new("psql");
        said(command.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", url]).args(words)).map(drop)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        let mut words = vec![format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")];
        words.extend(ROLES.map(|role| format!("DROP ROLE IF EXISTS {name}_{role}")));
        for statement in words {
            if let Err(why) = self.psql(&self.server.url, &["-c", &statement]) {
                println!("{why}");
            }
        }
    }
}

/// Makes the database, changes it where there is a change, and has every file read. How many they were, or what was found.
fn read(repository: &Repository, server: &Server, task: &str) -> Result<usize, String> {
    let name = Path::new(task).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let workspace = repository.root.join(FOLDER).join("runs").join(&name);
    if workspace.is_dir() {
        fs::remove_dir_all(&workspace).map_err(|error| format!("cannot clear `{}`: {error}", workspace.display()))?;
    }
    fs::create_dir_all(&workspace).map_err(|error| format!("cannot make `{}`: {error}", workspace.display()))?;
    let database = Database { server, name: format!("squawk_{name}_{}", std::process::id()) };
    database.psql(&server.url, &["-c", &format!("CREATE DATABASE {}", database.name)])?;
    let produce = |task: &str, words: &[&str]| {
        let mut command = Command::new(repository.root.join("target/debug/producer"));
        command.arg("run").arg(repository.root.join(task)).args(words).arg("--workspace").arg(&workspace);
        said(command.env(VARIABLE, database.url()).current_dir(&workspace)).map(drop)
    };
    produce(task, &[])?;
    let changed = format!("{CHANGED}/{name}.yaml");
    if repository.root.join(&changed).is_file() {
        let rows = repository.root.join(CHANGED).join(format!("{name}.sql"));
        database.psql(&database.url(), &["-f", &rows.to_string_lossy()])?;
        produce(&changed, &["--allow-destructive"])?;
    }
    let made = workspace.join("output/integration").join(format!("task_{name}")).join("databases");
    let mut files = vec![made.join("schema.sql"), made.join("permissions.sql")];
    let migrations = fs::read_dir(made.join("migrations"))
        .map_err(|error| format!("cannot list the migrations of `{task}`: {error}"))?;
    files.extend(migrations.filter_map(|entry| Some(entry.ok()?.path())));
    let found: Vec<String> = files.iter().filter_map(|file| squawk(repository, file).err()).collect();
    if found.is_empty() { Ok(files.len()) } else { Err(found.join("\n")) }
}

/// What it has to say of a file is the error.
fn squawk(repository: &Repository, file: &PathBuf) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    let mut command = Command::new(repository.root.join(FOLDER).join("bin/squawk"));
    command.arg("--config").arg(repository.root.join(CONFIGURATION)).args(["--reporter", "gcc"]);
    if !text.contains(ALONE) {
        command.arg("--assume-in-transaction");
    }
    said(command.arg(file)).map(drop)
}

/// What a command says, or everything it said when it failed.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{:?} did not start: {error}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr))),
    }
}
