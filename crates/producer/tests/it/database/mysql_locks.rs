//! Tables of a real MariaDB server that somebody else keeps: nobody waits without a word or without end, who keeps what is named, for
//! certain where the server knows and as what is likely where it does not, nothing is changed by halves, and what is let go in time is
//! waited for.

use crate::harness::mysql::{PrivateServer, Session, free_port, mysql};
use crate::harness::workspace::{Ended, Workspace, end_with_input};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command may wait so long for somebody else, and some time to work.
const BOUND: Duration = Duration::from_secs(30);
const FIRST: &str = "{ name: rooms, columns: { number: integer } }";
const SECOND: &str =
    "{ name: halls, columns: { name: line } }, { name: rooms, columns: { number: integer, seats: integer } }";
const PASSWORD: &str = "private-to-this-test";

struct Site {
    workspace: Workspace,
    url: String,
    _server: PrivateServer,
}

impl Site {
    /// With the first form of the task, and a row.
    fn new(test: &str, options: &[&str]) -> Option<Self> {
        let port = free_port();
        let Some(server) = PrivateServer::start(port, "rooms", PASSWORD, options) else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no programs of MariaDB are installed");
            return None;
        };
        let url = format!("mysql://root:{PASSWORD}@127.0.0.1:{port}/rooms");
        let site = Self { workspace: Workspace::new(), url, _server: server };
        site.with_task(&["run", "-"], FIRST).must_end_with(0);
        mysql(&site.url, "INSERT INTO rooms (number) VALUES (7)").unwrap();
        Some(site)
    }

    fn task(tables: &str) -> String {
        format!(
            "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: mysql\n    connection: ${{env:ROOMS_URL}}\n    schema_requirements:\n      tables: [{tables}]\n"
        )
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.command(words);
        command.env("ROOMS_URL", &self.url);
        command
    }

    fn with_task(&self, words: &[&str], tables: &str) -> Ended {
        end_with_input(&mut self.command(words), &Self::task(tables))
    }

    fn tables(&self) -> String {
        mysql(&self.url, "SHOW TABLES; SHOW CREATE TABLE rooms").unwrap()
    }
}

#[test]
fn who_keeps_a_table_is_named_in_time() {
    let known =
        |connection: &str| format!("table `rooms` is kept by connection {connection} (user `root`, from 127.0.0.1)");
    let likely =
        |connection: &str| format!("somebody else keeps a table, probably connection {connection} (user `root`");
    std::thread::scope(|scope| {
        scope.spawn(|| is_named(&[], likely));
        scope.spawn(|| {
            is_named(
                &["--performance-schema=ON", "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"],
                known,
            )
        });
        scope.spawn(|| is_named(&["--plugin-load-add=metadata_lock_info", "--plugin-maturity=unknown"], known));
    });
}

/// On a server with these options, by the words for that connection.
fn is_named(options: &[&str], who: fn(&str) -> String) {
    let Some(site) = Site::new("kept", options) else { return };
    let made = site.tables();
    for (holds, says) in [
        ("START TRANSACTION; SELECT 'a secret' FROM rooms", ", idle, in a transaction since 20"),
        ("LOCK TABLES rooms READ", ", idle"),
    ] {
        let session = Session::holding(&site.url, holds);
        let begun = Instant::now();
        let ended = site.with_task(&["db", "migrate", "-"], SECOND).must_end_with(1);
        assert!(begun.elapsed() < BOUND, "{options:?}: it has waited for {:?}", begun.elapsed());
        assert!(ended.stderr.contains("waiting: "), "{options:?}: it has waited without a word: {}", ended.stderr);
        let response = ended.response();
        assert_eq!(response["changed"], false, "{response}");
        let error = response["error"].clone();
        let has = |part: &str, what: &str| error[part].as_str().is_some_and(|text| text.contains(what));
        assert_eq!((&error["code"], &error["retryable"]), (&"locked".into(), &true.into()), "{error}");
        assert!(has("cause", &who(&session.connection)) && has("cause", says), "{options:?} {holds}: {error}");
        assert!(has("hint", &format!("`KILL {}`", session.connection)), "{error}");
        assert!(!error.to_string().contains("a secret"), "{error}");
        session.end();
        assert_eq!(site.tables(), made, "{options:?}: nothing is changed by halves");
    }
    site.with_task(&["run", "-"], SECOND).must_end_with(0);
    site.with_task(&["db", "diff", "-"], SECOND).must_end_with(0);
}

#[test]
fn what_is_let_go_in_time_is_waited_for() {
    let Some(site) = Site::new("let_go", &[]) else { return };
    let session = Session::holding(&site.url, "START TRANSACTION; SELECT * FROM rooms");
    let mut command = site.command(&["run", "-"]);
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(Site::task(SECOND).as_bytes()).unwrap();
    let mut progress = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    progress.find(|line| line.contains("waiting: somebody else keeps a table")).expect("it says whom it waits for");
    // Longer than one try.
    std::thread::sleep(Duration::from_secs(4));
    session.end();
    progress.for_each(drop);
    assert!(run.wait().unwrap().success());
    site.with_task(&["db", "diff", "-"], SECOND).must_end_with(0);
}

#[test]
fn whoever_migrates_at_the_same_time_is_named() {
    let Some(site) = Site::new("migrating", &[]) else { return };
    let lock = "SELECT GET_LOCK(CONCAT('producer_migration_', LEFT(SHA2('rooms', 256), 32)), 0)";
    let session = Session::holding(&site.url, lock);
    let error = site.with_task(&["db", "migrate", "-"], SECOND).must_end_with(1).response()["error"].clone();
    let cause = error["cause"].as_str().unwrap();
    assert!(cause.contains(&format!("connection {} (user `root`", session.connection)), "{error}");
    assert!(cause.contains("has been migrating the database for a while"), "{error}");
    session.end();
}
