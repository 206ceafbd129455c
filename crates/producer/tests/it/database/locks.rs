//! Tables of a real PostgreSQL server that somebody else keeps: nobody waits without a word or without end, who keeps what is named with
//! what can be done about it, nothing is changed by halves, and what is let go in time is waited for.

use super::postgresql::Place;
use crate::harness::postgresql::Session;
use crate::harness::workspace::{Ended, Workspace, end_with_input};
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A command may wait so long for somebody else, and some time to work.
const BOUND: Duration = Duration::from_secs(30);
const FIRST: &str = "{ name: rooms, columns: { number: integer } }";
const SECOND: &str = "{ name: rooms, columns: { number: integer, seats: integer }, indexes: [number] }";

struct Site {
    workspace: Workspace,
    place: Place,
}

impl Site {
    /// With the first form of the task, and a row.
    fn new(test: &str) -> Option<Self> {
        let site = Self { workspace: Workspace::new(), place: Place::empty(test)? };
        site.with_task(&["run", "-"], FIRST).must_end_with(0);
        site.place.execute("INSERT INTO rooms (number) VALUES (7)");
        Some(site)
    }

    fn task(tables: &str) -> String {
        format!(
            "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:ROOMS_URL}}\n    schema_requirements:\n      tables: [{tables}]\n"
        )
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.command(words);
        command.env("ROOMS_URL", self.place.url());
        command
    }

    fn with_task(&self, words: &[&str], tables: &str) -> Ended {
        end_with_input(&mut self.command(words), &Self::task(tables))
    }

    /// The failure, which must come in time and name the session.
    fn kept_waiting(&self, session: &Session, words: &[&str], tables: &str) -> Json {
        let begun = Instant::now();
        let ended = self.with_task(words, tables).must_end_with(1);
        assert!(begun.elapsed() < BOUND, "{words:?} has waited for {:?}", begun.elapsed());
        assert!(ended.stderr.contains("waiting: "), "it has waited without a word: {}", ended.stderr);
        let response = ended.response();
        assert_eq!(response["changed"], false, "{response}");
        let error = response["error"].clone();
        let says = |part: &str, what: &str| error[part].as_str().is_some_and(|text| text.contains(what));
        assert_eq!((&error["code"], &error["retryable"]), (&"locked".into(), &true.into()), "{error}");
        assert!(says("cause", &format!("table `rooms` is kept by process {} (", session.process)), "{error}");
        assert!(says("cause", "program `psql`") && says("cause", "idle in transaction, since 20"), "{error}");
        assert!(says("hint", &format!("pg_terminate_backend({})", session.process)), "{error}");
        error
    }
}

#[test]
fn who_keeps_a_table_is_named_in_time() {
    let Some(site) = Site::new("kept") else { return };
    let made = site.place.tables();
    let session = Session::holding(&site.place.url(), "LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE");
    thread::scope(|scope| {
        for words in [["db", "diff", "-"].as_slice(), &["run", "-"]] {
            let (site, session) = (&site, &session);
            scope.spawn(move || {
                let error = site.kept_waiting(session, words, SECOND);
                assert_eq!(error["kind"], "database.performance", "{words:?}: {error}");
            });
        }
    });
    session.end();
    // Whoever has only read lets others look, and lets nobody change the table.
    let session = Session::holding(&site.place.url(), "SELECT 'a secret' FROM rooms");
    site.with_task(&["db", "diff", "-"], FIRST).must_end_with(0);
    let error = site.kept_waiting(&session, &["db", "migrate", "-"], SECOND);
    assert_eq!(
        (&error["kind"], &error["message"]),
        (&"database.migration".into(), &"the database was not changed".into())
    );
    assert!(!error.to_string().contains("a secret"), "{error}");
    session.end();
    assert_eq!(site.place.tables(), made);
    site.with_task(&["run", "-"], SECOND).must_end_with(0);
    site.with_task(&["db", "diff", "-"], SECOND).must_end_with(0);
}

#[test]
fn what_is_let_go_in_time_is_waited_for() {
    let Some(site) = Site::new("let_go") else { return };
    for statement in ["LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE", "SELECT FROM rooms"] {
        let session = Session::holding(&site.place.url(), statement);
        let mut command = site.command(&["run", "-"]);
        let mut run = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        run.stdin.take().unwrap().write_all(Site::task(SECOND).as_bytes()).unwrap();
        let mut progress = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
        progress.find(|line| line.contains("waiting: table `rooms`")).expect("it says whom it waits for");
        session.end();
        progress.for_each(drop);
        assert!(run.wait().unwrap().success(), "{statement}");
        site.with_task(&["db", "diff", "-"], SECOND).must_end_with(0);
        site.with_task(&["db", "migrate", "-", "--allow-destructive"], FIRST).must_end_with(0);
    }
}
