//! Runs of database tasks on SQLite that are killed at moments spread over all that they do: the next run finishes the work, and the
//! database, its ledger and the files are those of a run that nobody has disturbed.

use crate::harness::workspace::{Ended, Workspace, difference, end_with_input, files, query};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::Instant;
use store::Database;

const FIRST: &str = "halls, { name: rooms, columns: { number: { type: integer, required: true }, size: line, hall_id: { type: uuid, references: halls } } }";
/// A column, a rule and an index, and a type that has the whole table written anew.
const SECOND: &str = "halls, { name: rooms, columns: { number: { type: integer, required: true, unique: true }, size: integer, seats: { type: integer, default: 4 }, hall_id: { type: uuid, references: halls } }, indexes: [size] }";
/// Moments of a run, from its beginning to its end.
const MOMENTS: u32 = 7;

fn task(tables: &str) -> String {
    format!(
        "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    name: rooms\n    schema_requirements:\n      tables: [{tables}]\n"
    )
}

fn with_task(workspace: &Workspace, words: &[&str], tables: &str) -> Ended {
    end_with_input(&mut workspace.command(words), &task(tables))
}

/// A run of the first form, and rows.
fn furnished() -> Workspace {
    let workspace = Workspace::new();
    with_task(&workspace, &["run", "-"], FIRST).must_end_with(0);
    let file = workspace.path().join(".producer/data/rooms.sqlite");
    query(&file, "INSERT INTO halls (name) VALUES ('h')");
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO rooms (number, size, hall_id) SELECT i, '12', id FROM halls, n";
    query(&file, rows);
    workspace
}

/// Everything that is the same wherever and whenever it is made.
fn outcome(workspace: &Workspace) -> BTreeMap<String, Vec<u8>> {
    let mut made = files(&workspace.path().join("output"));
    made.retain(|path, _| !path.ends_with("/response.yaml") && !path.ends_with(".tmp"));
    let file = workspace.path().join(".producer/data/rooms.sqlite");
    let seen = Database::Sqlite(file.clone()).look("rooms").unwrap();
    made.insert("tables".to_owned(), format!("{:#?}", seen.tables).into_bytes());
    made.insert("ledger".to_owned(), format!("{:#?} {:#?}", seen.applied, seen.begun).into_bytes());
    let rows = query(&file, "SELECT count(*), sum(number), sum(size) FROM rooms");
    made.insert("rows".to_owned(), format!("{rows:?}").into_bytes());
    made
}

fn killed_runs_are_finished(before: fn() -> Workspace, tables: &str) {
    let undisturbed = before();
    let begun = Instant::now();
    with_task(&undisturbed, &["run", "-"], tables).must_end_with(0);
    let (takes, whole) = (begun.elapsed(), outcome(&undisturbed));
    let mut killed = 0;
    for moment in 1..=MOMENTS {
        let workspace = before();
        let mut command = workspace.command(&["run", "-"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = command.spawn().unwrap();
        run.stdin.take().unwrap().write_all(task(tables).as_bytes()).unwrap();
        thread::sleep(takes * moment / (MOMENTS + 1));
        run.kill().unwrap();
        killed += usize::from(run.wait().unwrap().code().is_none());
        with_task(&workspace, &["run", "-"], tables).must_end_with(0);
        assert_eq!(difference(&outcome(&workspace), &whole), [""; 0], "killed at {moment} of {MOMENTS}");
        assert_eq!(with_task(&workspace, &["run", "-"], tables).must_end_with(0).response()["changed"], false);
        with_task(&workspace, &["db", "diff", "-"], tables).must_end_with(0);
    }
    assert!(killed > 0, "each run ended within {takes:?}, before it was killed");
}

#[test]
fn a_run_that_makes_a_file_may_be_killed_at_any_moment() {
    killed_runs_are_finished(Workspace::new, FIRST);
}

#[test]
fn a_migration_of_a_file_under_rows_may_be_killed_at_any_moment() {
    killed_runs_are_finished(furnished, SECOND);
}
