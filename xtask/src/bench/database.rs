//! `cargo xtask bench database`: how long it takes to plan 1,000 tables with 2,000 relationships, and to apply 200 tables on PostgreSQL
//! beside `psql` with the same statements. Goes out: medians, and the ratio of rounds that took turns on one durable server.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::{Scratch, build_producer, median, said, write};
use crate::postgresql::Server;
use crate::repository::Repository;

const ROUNDS: usize = 7;
const PLANNED: (usize, usize) = (1_000, 2_000);
const APPLIED: (usize, usize) = (200, 400);
/// What a run says when it begins to migrate.
const MIGRATES: &str = "migrating the database";
/// The variable that the task takes its connection from.
const VARIABLE: &str = "BENCH_DATABASE_URL";

/// Builds, measures, prints.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let (producer, target) = build_producer(repository)?;
    let scratch = Scratch::new(&target)?;
    plan(&producer, &scratch)?;
    let server = Server::durable()?;
    println!("PostgreSQL: {}, durable", server.origin);
    apply(&producer, &scratch, &server)?;
    Ok(ExitCode::SUCCESS)
}

fn plan(producer: &Path, scratch: &Scratch) -> Result<(), String> {
    let folder = scratch.folder("plan")?;
    let task = write(&folder.join("task.yaml"), &task("plan", PLANNED))?;
    let mut seconds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut command = Command::new(producer);
        command.args(["run", "--plan"]).arg(&task).arg("--workspace").arg(&folder);
        said(command.stdout(Stdio::null()))?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let (tables, relationships) = PLANNED;
    println!(
        "plan of {tables} tables, {relationships} relationships, with start: {:.3} s (aim: under 1)",
        median(&seconds)
    );
    Ok(())
}

fn apply(producer: &Path, scratch: &Scratch, server: &Server) -> Result<(), String> {
    let task_text = task("apply", APPLIED);
    let (mut ours, mut theirs, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let folder = scratch.folder(&format!("apply_{round}"))?;
        let task = write(&folder.join("task.yaml"), &task_text)?;
        let (made, loaded) = (format!("bench_made_{round}"), format!("bench_loaded_{round}"));
        for name in [&made, &loaded] {
            psql(&server.url, &["-c", &format!("create database {name}")])?;
        }
        let mut command = Command::new(producer);
        command.arg("run").arg(&task).arg("--workspace").arg(&folder).current_dir(&folder);
        command.env(VARIABLE, server.database(&made));
        let (all, migrating) = run_and_time(&mut command)?;
        whole.push(all.as_secs_f64());
        ours.push(migrating.as_secs_f64());
        let statements = folder.join("output/integration/task_apply/databases/migrations/0001_initial.sql");
        let statements = statements.to_str().ok_or("the build output has a name that is no text")?;
        let begun = Instant::now();
        // One transaction, as the producer makes it.
        psql(&server.database(&loaded), &["-1", "-f", statements])?;
        theirs.push(begun.elapsed().as_secs_f64());
    }
    let ratio = median(&ours) / median(&theirs);
    println!(
        "apply of {} tables: {:.3} s, psql {:.3} s, ratio {ratio:.2} (aim: at most 1.2); the whole run with rehearsal and files {:.3} s",
        APPLIED.0,
        median(&ours),
        median(&theirs),
        median(&whole)
    );
    Ok(())
}

/// How long the whole run took, and the step that migrates.
fn run_and_time(command: &mut Command) -> Result<(Duration, Duration), String> {
    let begun = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("{command:?} did not start: {error}"))?;
    let lines = child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let (mut began, mut took, mut said) = (None, None, String::new());
    for line in lines.map_while(Result::ok) {
        match began {
            None if line.ends_with(MIGRATES) => began = Some(Instant::now()),
            Some(began) if took.is_none() => took = Some(began.elapsed()),
            None | Some(_) => {}
        }
        said = line;
    }
    let status = child.wait().map_err(|error| format!("{command:?}: {error}"))?;
    match took {
        Some(took) if status.success() => Ok((begun.elapsed(), took)),
        _ => Err(format!("{command:?} failed, {status}: {said}")),
    }
}

fn psql(url: &str, words: &[&str]) -> Result<(), String> {
    let mut command = Command::new("psql");
    command
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-d", url])
        .args(words)
        .env("PGOPTIONS", "-c client_min_messages=warning");
    said(&mut command).map(drop)
}

/// A task of so many tables: a tree, and more keys across it.
fn task(id: &str, (tables, relationships): (usize, usize)) -> String {
    let name = |number: usize| format!("things_{number:04}");
    let tree = (1..tables).map(|many| ((many - 1) / 2, many));
    // Each round over the tables leads a step further back; none twice, because no step is that of the tree.
    let across = (3..).flat_map(|step| (2 * step + 2..tables).map(move |many| (many - step, many)));
    let pairs = tree.chain(across).take(relationships);
    let names: Vec<String> = (0..tables).map(name).collect();
    let pairs: Vec<String> = pairs.map(|(one, many)| format!("{}_to_{}", name(one), name(many))).collect();
    format!(
        "task_id: {id}\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:{VARIABLE}}}\n    schema_requirements:\n      tables: [{}]\n      relationships: [{}]\n",
        names.join(", "),
        pairs.join(", ")
    )
}
