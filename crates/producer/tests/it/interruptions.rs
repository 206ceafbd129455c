//! Runs that are killed on the way, and runs that meet each other: what was there stays usable, and what comes out is what an
//! undisturbed run makes.

use crate::harness::client::{ask, post};
use crate::harness::server::{Kind, Server, must_answer};
use crate::harness::workspace::{Workspace, difference, end_with_input, files, outcome, sample_with, task};
use crate::harness::{CONTACT_NEWSLETTER, MESSAGE, SUBSCRIPTION, repository};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Kills in all.
const MOMENTS: usize = 50;
/// Kills that must come before the run has ended by itself, of all and of each of its steps.
const LANDED: usize = 35;
const LANDED_A_STEP: usize = 2;
/// What a run says that it is at, and the time before.
const STEPS: usize = 8;
const SEED: u64 = 0x5eed_0001;

const NEWSLETTER_LINES: &str =
    "      - path: \"/api/newsletter\"\n        method: \"POST\"\n        authentication: \"none\"\n";

/// How long each step takes when nothing disturbs it.
type Durations = [Duration; STEPS];

/// A run with its progress.
struct Run {
    child: Child,
    progress: BufReader<ChildStderr>,
}

impl Run {
    fn start(workspace: &Workspace) -> Self {
        let mut command = workspace.command(&["run"]);
        command.arg(repository(CONTACT_NEWSLETTER)).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let progress = BufReader::new(child.stderr.take().unwrap());
        Self { child, progress }
    }

    /// Waits for the next step; `false` when there is none.
    fn reaches_next_step(&mut self) -> bool {
        self.progress.read_line(&mut String::new()).unwrap() > 0
    }

    /// The shortest of three runs, step by step.
    fn durations(workspace: impl Fn() -> Workspace) -> Durations {
        let mut shortest = [Duration::MAX; STEPS];
        for _ in 0..3 {
            let workspace = workspace();
            let mut run = Self::start(&workspace);
            for (step, shortest) in shortest.iter_mut().enumerate() {
                let begun = Instant::now();
                assert_eq!(run.reaches_next_step(), step + 1 < STEPS, "step {step}");
                *shortest = begun.elapsed().min(*shortest);
            }
            assert!(run.child.wait().unwrap().success());
        }
        shortest
    }
}

/// The numbers of <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    /// Between 0 and 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn a_run_may_be_killed_at_any_moment() {
    let older = Workspace::new();
    older.run_text(&sample_with(NEWSLETTER_LINES, "")).must_end_with(0);
    let key = older.create_key();
    // What is there at the end, in a new workspace and in one where there was something before.
    let (first, second) = (Workspace::new(), older.copy());
    for workspace in [&first, &second] {
        workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
    }
    let whole = [outcome(first.path()), outcome(second.path())];
    let durations = [Run::durations(Workspace::new), Run::durations(|| older.copy())];

    let mut random = Random(SEED);
    let mut landed = [0; STEPS];
    for moment in 0..MOMENTS {
        let (step, is_second) = (moment % STEPS, moment / STEPS % 2);
        let workspace = if is_second == 1 { older.copy() } else { Workspace::new() };
        let mut run = Run::start(&workspace);
        for _ in 0..step {
            run.reaches_next_step();
        }
        thread::sleep(durations[is_second][step].mul_f64(random.fraction()));
        run.child.kill().unwrap();
        landed[step] += usize::from(run.child.wait().unwrap().code().is_none());

        let at = format!("moment {moment}, in step {step}");
        if is_second == 1 {
            must_be_usable(&older, &second, &workspace, &key, &at);
        }
        let finished = workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0).response();
        assert_eq!(finished["status"], json!("completed"), "{at}");
        assert_eq!(difference(&outcome(workspace.path()), &whole[is_second]), [""; 0], "{at}");
        if moment % 5 == 0 {
            must_answer(&Server::start(Kind::Native, &workspace), &workspace, 201, 202);
        }
    }
    assert!(landed.iter().sum::<usize>() >= LANDED, "killed on the way, by step: {landed:?}");
    assert!(landed.iter().all(|landed| *landed >= LANDED_A_STEP), "killed on the way, by step: {landed:?}");
}

/// What was there before goes on working, and every file is whole: an old one or a new one.
fn must_be_usable(before: &Workspace, after: &Workspace, killed: &Workspace, key: &str, at: &str) {
    let (old, new) = (files(&before.application), files(&after.application));
    let found = files(&killed.application);
    for (path, content) in &found {
        let is_known = path.ends_with(".tmp") || path == "response.yaml";
        assert!(is_known || old.get(path) == Some(content) || new.get(path) == Some(content), "{path} at {at}");
    }
    for path in old.keys().filter(|path| new.contains_key(*path)) {
        assert!(found.contains_key(path), "{path} is gone at {at}");
    }
    let server = Server::start(Kind::Native, killed);
    let contact = ask(server.address, &post("/api/contact", Some(key), MESSAGE), "").unwrap().status;
    let newsletter = ask(server.address, &post("/api/newsletter", None, SUBSCRIPTION), "").unwrap().status;
    assert_eq!(contact, 201, "{at}");
    assert!(matches!(newsletter, 404 | 202), "{newsletter} at {at}");
}

const MEETINGS: usize = 10;

/// Runs tasks at once, several times; each end must be that of running them one after the other, in whichever order.
fn must_not_interleave(tasks: [&str; 2]) {
    let in_order = |tasks: [&str; 2]| {
        let workspace = Workspace::new();
        tasks.iter().for_each(|task| drop(workspace.run_text(task).must_end_with(0)));
        outcome(workspace.path())
    };
    let possible: [BTreeMap<String, Vec<u8>>; 2] = [in_order(tasks), in_order([tasks[1], tasks[0]])];
    for meeting in 0..MEETINGS {
        let workspace = Workspace::new();
        thread::scope(|scope| {
            let runs = tasks.map(|task| {
                scope.spawn(|| end_with_input(&mut workspace.command(&["run", "-"]), task).must_end_with(0).response())
            });
            for run in runs {
                assert_eq!(run.join().unwrap()["status"], json!("completed"), "meeting {meeting}");
            }
        });
        let found = outcome(workspace.path());
        let differences = possible.each_ref().map(|possible| difference(&found, possible));
        assert!(differences.iter().any(Vec::is_empty), "meeting {meeting}: {differences:?}");
        // Nothing is left over, and everything is in place for either.
        let again = workspace.run_text(tasks[0]).must_end_with(0).response();
        assert_eq!(again["status"], json!("completed"), "meeting {meeting}");
    }
}

#[test]
fn two_runs_of_one_task_do_not_interleave() {
    must_not_interleave([&sample_with("", ""), &sample_with(NEWSLETTER_LINES, "")]);
}

#[test]
fn two_tasks_of_one_workspace_do_not_interleave() {
    let contact = task("task_id: contact", &[("/api/contact", "api_key")], "");
    let newsletter = task("task_id: newsletter", &[("/api/newsletter", "none")], "");
    must_not_interleave([&contact, &newsletter]);
}

#[test]
fn a_run_says_that_it_waits_for_another() {
    let workspace = Workspace::new();
    let state = workspace.path().join(".producer");
    fs::create_dir_all(&state).unwrap();
    let lock = File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut run = Run::start(&workspace);
    let mut line = String::new();
    run.progress.read_line(&mut line).unwrap();
    assert_eq!(line, "design_api_architecture: waiting for another run in this workspace\n");
    drop(lock);
    while run.reaches_next_step() {}
    assert!(run.child.wait().unwrap().success());
}
