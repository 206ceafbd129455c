//! `cargo xtask bench serve`: the native server against a hand-written one in the same run, and the time of `producer run`.
//! Goes out: requests per second, their ratio, seconds, each beside its aim. A run with one wrong answer gives no figure.

mod load;
pub mod overload;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::repository::Repository;
use load::{Load, Round};
use server::Server;

/// The native server is to reach this share of the hand-written one.
const RATIO_AIM: f64 = 0.9;
/// `producer run` is to answer within this many seconds.
const RUN_AIM: f64 = 0.5;
const RUNS: usize = 10;
const WARM_UP: Duration = Duration::from_secs(1);

const TASK: &str = r#"task_id: "bench_contact"
task_type: "setup_api"
specifications:
  api_requirements:
    type: "rest"
    endpoints:
      - path: "/api/contact"
        method: "POST"
        authentication: "api_key"
      - path: "/api/newsletter"
        method: "POST"
        authentication: "none"
    rate_limiting: "50000000_requests_per_minute"
output_format: "integration"
priority: "high"
"#;

/// What may be chosen on the command line.
struct Options {
    connections: usize,
    seconds: u64,
    rounds: usize,
}

/// The two programs, built the same way.
struct Programs {
    producer: PathBuf,
    baseline: PathBuf,
}

/// A folder that goes away with this value.
struct Scratch(PathBuf);

/// Builds both servers, measures, prints.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let options = Options::parse(options)?;
    let (programs, target) = build(repository)?;
    let scratch = Scratch::new(&target)?;
    print_start_to_response(&programs, &scratch)?;
    compare_servers(&programs, &scratch, &options)?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { connections: 32, seconds: 4, rounds: 3 };
        for pair in words.chunks(2) {
            let number = |least: u64| {
                let number = pair.get(1).and_then(|word| word.parse::<u64>().ok());
                number.filter(|number| *number >= least).ok_or_else(|| format!("`{}` needs a number above 0", pair[0]))
            };
            match pair[0] {
                "--connections" => options.connections = number(1)? as usize,
                "--seconds" => options.seconds = number(1)?,
                "--rounds" => options.rounds = number(1)? as usize,
                other => return Err(format!("`bench serve` does not know `{other}`")),
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
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to do about a folder that stays: it is in the build output.
        let _ = fs::remove_dir_all(&self.0);
    }
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
    Ok((Programs { producer: program("producer"), baseline: program("bench_baseline") }, target))
}

fn print_start_to_response(programs: &Programs, scratch: &Scratch) -> Result<(), String> {
    let mut seconds = Vec::with_capacity(RUNS);
    for run in 0..RUNS {
        let workspace = scratch.folder(&format!("run-{run}"))?;
        let task = write_task(&workspace)?;
        let start = Instant::now();
        run_task(programs, &workspace, &task)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!("producer run, process start to response, {RUNS} empty workspaces");
    println!(
        "  median {:.3} s   min {:.3}   max {:.3}   aim {RUN_AIM} s or less",
        median(&seconds),
        min(&seconds),
        max(&seconds)
    );
    Ok(())
}

fn write_task(workspace: &Path) -> Result<PathBuf, String> {
    let path = workspace.join("task.yaml");
    fs::write(&path, TASK).map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    Ok(path)
}

fn run_task(programs: &Programs, workspace: &Path, task: &Path) -> Result<(), String> {
    let mut command = Command::new(&programs.producer);
    command.arg("run").arg(task).arg("--workspace").arg(workspace).current_dir(workspace);
    said(&mut command).map(|_| ())
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

/// The native server over a workspace in that folder, and a key for it.
fn native(programs: &Programs, workspace: &Path) -> Result<(Server, String), String> {
    let task = write_task(workspace)?;
    run_task(programs, workspace, &task)?;
    let mut create_key = Command::new(&programs.producer);
    create_key.args(["keys", "create", "--name", "bench", "--workspace"]).arg(workspace).current_dir(workspace);
    let key = said(&mut create_key)?;
    let mut serve = Command::new(&programs.producer);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--workspace"]).arg(workspace).current_dir(workspace);
    Ok((Server::start("native server", &mut serve)?, key))
}

fn compare_servers(programs: &Programs, scratch: &Scratch, options: &Options) -> Result<(), String> {
    let workspace = scratch.folder("native")?;
    let (server, key) = native(programs, &workspace)?;
    let baseline_folder = scratch.folder("baseline")?;
    let mut by_hand = Command::new(&programs.baseline);
    by_hand.arg("--database").arg(baseline_folder.join("baseline.db")).arg("--key").arg(&key);

    let mut native = Side::new("native server", server, workspace, &key, options);
    let mut baseline =
        Side::new("hand-written", Server::start("hand-written", &mut by_hand)?, baseline_folder, &key, options);
    for round in 0..options.rounds {
        let order = if round % 2 == 0 { [&mut native, &mut baseline] } else { [&mut baseline, &mut native] };
        for side in order {
            side.round(options)?;
        }
    }
    println!(
        "POST /api/contact, {} connections, {} rounds of {} s after {} s of warm-up, requests/s",
        options.connections,
        options.rounds,
        options.seconds,
        WARM_UP.as_secs()
    );
    native.print();
    baseline.print();
    println!("  ratio of medians {:.2}   aim {RATIO_AIM} or more", native.median() / baseline.median());
    let native_rows = native.finish()?;
    let baseline_rows = baseline.finish()?;
    println!("  {native_rows}\n  {baseline_rows}");
    Ok(())
}

/// One server under load, and what it did so far.
struct Side {
    name: &'static str,
    server: Server,
    folder: PathBuf,
    load: Load,
    rates: Vec<f64>,
    /// Requests answered with 201, the warm-up's among them.
    stored: u64,
}

impl Side {
    fn new(name: &'static str, server: Server, folder: PathBuf, key: &str, options: &Options) -> Self {
        let load = Load::new(server.address, key, options.connections);
        Self { name, server, folder, load, rates: Vec::new(), stored: 0 }
    }

    fn round(&mut self, options: &Options) -> Result<(), String> {
        let Round { counted, stored } = self
            .load
            .run(WARM_UP, Duration::from_secs(options.seconds))
            .map_err(|error| format!("no figure: {}: {error}\n{}", self.name, self.server.last_words()))?;
        self.rates.push(counted as f64 / options.seconds as f64);
        self.stored += stored;
        Ok(())
    }

    fn median(&self) -> f64 {
        median(&self.rates)
    }

    fn print(&self) {
        let (least, most) = (min(&self.rates), max(&self.rates));
        println!("  {:14} median {:8.0}   min {least:8.0}   max {most:8.0}", self.name, self.median());
    }

    /// Stops the server and compares the rows in its database with the answers it gave.
    fn finish(self) -> Result<String, String> {
        self.server.stop()?;
        match stored_rows(&self.folder) {
            Some(rows) if rows == self.stored => {
                Ok(format!("{}: {rows} answers of 201, as many rows stored", self.name))
            }
            Some(rows) => Err(format!("{}: {} answers of 201 but {rows} rows stored", self.name, self.stored)),
            None => Ok(format!(
                "{}: {} answers of 201; rows not checked (no `sqlite3` command, or no table found)",
                self.name, self.stored
            )),
        }
    }
}

/// Rows in the first database under `folder` that has the table.
fn stored_rows(folder: &Path) -> Option<u64> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if let Some(rows) = rows_in(&path) {
                return Some(rows);
            }
        }
    }
    None
}

fn rows_in(path: &Path) -> Option<u64> {
    if !fs::read(path).ok()?.starts_with(b"SQLite format 3\0") {
        return None;
    }
    let mut command = Command::new("sqlite3");
    command.arg(path).arg("SELECT count(*) FROM contact_messages");
    said(&mut command).ok()?.parse().ok()
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
