//! `cargo xtask bench`: how long commands take, and with `serve` the native server against hand-written ones and the Node.js application
//! in the same run. Goes out: figures and their ratios, each beside its aim. A run with one wrong answer gives no figure.

pub mod accounts;
pub mod backup;
mod commands;
mod comparison;
pub mod database;
pub mod deliver;
mod ground;
mod load;
mod mails;
pub mod overload;
pub mod records;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use self::ground::Ground;
use crate::repository::Repository;
use crate::test::install_application_packages;

/// A form, and records that are read one by one and in lists; everything with a key, a limit and validation.
const TASK: &str = r#"task_id: "bench"
task_type: "setup_api"
specifications:
  api_requirements:
    type: "rest"
    endpoints:
      - { path: "/api/contact", method: "POST", authentication: "api_key" }
      - path: "/api/products"
        method: "POST"
        authentication: "api_key"
        validation:
          name: { type: "line", required: true, max_length: 80 }
          stock: { type: "integer", required: true }
          active: { type: "boolean" }
          released_at: { type: "timestamp" }
          notes: { type: "text" }
      - { path: "/api/products", method: "GET", authentication: "api_key" }
      - { path: "/api/products/:id", method: "GET", authentication: "api_key" }
    rate_limiting: "50000000_requests_per_minute"
"#;

const ENGINES: [&str; 3] = ["sqlite", "postgresql", "mysql"];

/// What may be chosen on the command line.
struct Options {
    connections: usize,
    seconds: u64,
    rounds: usize,
}

/// The programs, built the same way, and what the Node.js application needs.
struct Programs {
    producer: PathBuf,
    baseline: PathBuf,
    node_modules: Option<PathBuf>,
}

/// A folder that goes away with this value.
struct Scratch(PathBuf);

/// Builds the producer, measures commands, prints.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let (programs, target) = build(repository)?;
    commands::measure(&programs, &Scratch::new(&target)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the servers, measures them on each engine, on the one that is named, or beside those of others, prints.
pub fn serve(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let (engines, options) = match options {
        ["--peers", options @ ..] => {
            let options = Options::parse(options)?;
            let (programs, target) = build(repository)?;
            let peers = install_peers(&target)?;
            let (scratch, ground) = (Scratch::new(&target)?, Ground::of("postgresql")?);
            comparison::measure_peers(&programs, &scratch, &peers, &ground, &options)?;
            return Ok(ExitCode::SUCCESS);
        }
        ["--engine", engine, options @ ..] => (std::slice::from_ref(engine), options),
        options => (&ENGINES[..], options),
    };
    let options = Options::parse(options)?;
    let (programs, target) = build(repository)?;
    for engine in engines {
        let scratch = Scratch::new(&target)?;
        comparison::measure(&programs, &scratch, &Ground::of(engine)?, &options)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { connections: 32, seconds: 2, rounds: 5 };
        for pair in words.chunks(2) {
            let number = |least: u64| {
                let number = pair.get(1).and_then(|word| word.parse::<u64>().ok());
                number.filter(|number| *number >= least).ok_or_else(|| format!("`{}` needs a number above 0", pair[0]))
            };
            match pair[0] {
                "--connections" => options.connections = number(1)? as usize,
                "--seconds" => options.seconds = number(1)?,
                "--rounds" => options.rounds = number(1)? as usize,
                other => return Err(format!("`bench` does not know `{other}`")),
            }
        }
        Ok(options)
    }
}

impl Scratch {
    /// On the disk of the build output: a temporary folder in memory would make every commit free.
    fn new(target: &Path) -> Result<Self, String> {
        let path = target.join("bench").join(std::process::id().to_string());
        let scratch = Self(path);
        scratch.folder("")?;
        Ok(scratch)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.join(name);
        fs::create_dir_all(&path).map_err(|error| format!("cannot make `{}`: {error}", path.display()))?;
        Ok(path)
    }

    /// A workspace in which the task was completed.
    fn workspace(&self, name: &str, programs: &Programs) -> Result<PathBuf, String> {
        let workspace = self.folder(name)?;
        let task = write(&workspace.join("task.yaml"), TASK)?;
        said(programs.producer(&["run"], &workspace).arg(task))?;
        Ok(workspace)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to do about a folder that stays: it is in the build output.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Programs {
    /// A command of the producer in a workspace.
    fn producer(&self, words: &[&str], workspace: &Path) -> Command {
        let mut command = Command::new(&self.producer);
        command.args(words).arg("--workspace").arg(workspace).current_dir(workspace);
        command
    }
}

/// The producer alone, and the folder of what is built.
fn build_producer(repository: &Repository) -> Result<(PathBuf, PathBuf), String> {
    let status = repository.cargo(&["build", "--profile", "quick", "-p", "producer"]).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("`producer` does not build".to_owned());
    }
    let metadata = repository.metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().ok_or("cargo names no target folder")?);
    Ok((target.join("quick").join(format!("producer{}", std::env::consts::EXE_SUFFIX)), target))
}

/// Built one by one: together they would share the features each asks of its dependencies.
fn build(repository: &Repository) -> Result<(Programs, PathBuf), String> {
    for package in ["producer", "bench_baseline"] {
        let status = repository.cargo(&["build", "--profile", "quick", "-p", package]).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("`{package}` does not build"));
        }
    }
    let metadata = repository.metadata()?;
    let target = PathBuf::from(metadata["target_directory"].as_str().ok_or("cargo names no target folder")?);
    let program = |name: &str| target.join("quick").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let node_modules = install_application_packages(repository);
    if let Err(why) = &node_modules {
        println!("the Node.js application is left out: {why}");
    }
    let programs = Programs {
        producer: program("producer"),
        baseline: program("bench_baseline"),
        node_modules: node_modules.ok(),
    };
    Ok((programs, target))
}

/// The folder with the servers of others and their packages.
fn install_peers(target: &Path) -> Result<PathBuf, String> {
    let folder = target.join("peers");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    for (file, text) in [
        ("package.json", include_str!("bench/peers/package.json")),
        ("fastify.js", include_str!("bench/peers/fastify.js")),
        ("postgraphile.js", include_str!("bench/peers/postgraphile.js")),
    ] {
        write(&folder.join(file), text)?;
    }
    said(Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<PathBuf, String> {
    fs::write(path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    Ok(path.to_owned())
}

/// Standard output of a command that must succeed.
fn said(command: &mut Command) -> Result<String, String> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?} did not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{command:?} failed, {}:\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr)))
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The middle value, or the mean of the two in the middle; `values` is not empty.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The value that this share of the others does not exceed; none at all where there are no values.
fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
