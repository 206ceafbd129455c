//! Drills with a ledger: while backups are made and the log is kept, somebody writes a chain of entries, each with the hash of the one
//! before. What comes back at a random moment is held against what the writer knows to have been committed then; what is damaged must be
//! refused; a producer that is killed while it keeps the log must leave nothing that is taken for whole.

use super::mysql;
use crate::harness::mysql::mysql as mariadb;
use crate::harness::postgresql::{PrivateServer, psql};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, query};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Drills of each engine, where `DRILLS` says no other number, as `cargo xtask drills` does.
const DRILLS: u64 = 1;

/// A database with backups of every moment, and how one comes to it and to what came back of it.
struct Drilled {
    engine: &'static str,
    workspace: Workspace,
    /// The variable that the task's connection is in.
    url: String,
    client: fn(&str, &str) -> Result<String, String>,
    /// Milliseconds between moments that its log knows.
    tick: i64,
    numbers: Mutex<u64>,
    /// Who keeps the log of a file.
    server: Mutex<Option<Server>>,
}

/// An entry that is committed: when somebody began to write it, and when it was said to be there.
struct Entry {
    line: String,
    begun: Timestamp,
    committed: Timestamp,
}

impl Drilled {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.command(words);
        command.env("SHOP_URL", &self.url);
        command
    }

    fn db(&self, words: &[&str]) -> Ended {
        end(&mut self.command(&[&["db"], words].concat()))
    }

    fn json(&self, words: &[&str]) -> Value {
        let words = [words, &["--format", "json"]].concat();
        serde_json::from_str(&self.db(&words).must_end_with(0).stdout).unwrap()
    }

    fn execute(&self, statements: &str) {
        (self.client)(&self.url, statements).unwrap();
    }

    /// What came back answers to whom the database answers to.
    fn of_restored(&self, restored: &Value, question: &str) -> String {
        let Some(address) = restored["address"].as_str() else {
            return (self.client)(restored["file"].as_str().unwrap(), question).unwrap();
        };
        let before = self.url.rsplit_once('@').unwrap().0;
        (self.client)(&format!("{before}@{address}"), question).unwrap()
    }

    /// Whoever keeps the log is killed, and another one goes on as soon as it keeps it.
    fn kill_server(&self) {
        let mut server = self.server.lock().unwrap();
        let Some(running) = server.take() else { return };
        drop(running);
        thread::sleep(Duration::from_millis(self.random(300)));
        *server = Some(self.serving());
    }

    fn serving(&self) -> Server {
        let server = Server::start(Kind::Native, &self.workspace);
        let keeps = || super::backups::metrics(&server).contains("backup_log_kept_at_seconds{task=\"rooms\"}");
        super::backups::wait(keeps);
        server
    }

    /// The same numbers each time.
    fn random(&self, below: u64) -> u64 {
        let mut state = self.numbers.lock().unwrap();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below.max(1)
    }

    fn write(&self, entries: &Mutex<Vec<Entry>>, goes_on: &AtomicBool) {
        let mut previous = "0".repeat(64);
        for number in 1.. {
            if !goes_on.load(Ordering::Relaxed) {
                return;
            }
            let hash = hash_of(number, &previous);
            let begun = Timestamp::now();
            self.execute(&format!("INSERT INTO ledger VALUES ({number}, '{previous}', '{hash}')"));
            let line = format!("{number} {previous} {hash}");
            entries.lock().unwrap().push(Entry { line, begun, committed: Timestamp::now() });
            previous = hash;
        }
    }

    /// Keeps the log; where it does not follow what was kept before, a backup begins it anew.
    fn keep_log(&self) {
        if self.db(&["backup", "rooms", "--log"]).status != Some(0) {
            self.db(&["backup", "rooms"]).must_end_with(0);
            self.db(&["backup", "rooms", "--log"]).must_end_with(0);
        }
    }

    fn run(&self) {
        let drills = std::env::var("DRILLS").map_or(DRILLS, |number| number.parse().expect("`DRILLS` is a number"));
        self.execute(
            "CREATE TABLE ledger (number BIGINT PRIMARY KEY, previous CHAR(64) NOT NULL, hash CHAR(64) NOT NULL)",
        );
        let (entries, goes_on) = (Mutex::new(Vec::new()), AtomicBool::new(true));
        let mut figures: Vec<(u64, i64)> = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| self.write(&entries, &goes_on));
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                self.db(&["backup", "rooms"]).must_end_with(0);
                for drill in 0..drills {
                    figures.push(self.drill(drill, &entries));
                }
            }));
            // Nobody waits for a writer that goes on.
            goes_on.store(false, Ordering::Relaxed);
            ended.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
        });
        figures.sort_unstable();
        let lost = figures.iter().map(|(_, lost)| lost).max().unwrap();
        let (median, most) = (figures[figures.len() / 2].0, figures[figures.len() - 1].0);
        let entries = entries.lock().unwrap().len();
        let _ = writeln!(
            std::io::stderr(),
            "DRILLED {}: {drills} moments among {entries} entries, wrong rows 0, damages refused {drills} of {drills}; restored in {median} ms (most {most}), lost at most {lost} ms",
            self.engine
        );
    }

    /// How long restoring took, and how much of the latest work would have been lost, in milliseconds.
    fn drill(&self, drill: u64, entries: &Mutex<Vec<Entry>>) -> (u64, i64) {
        thread::sleep(Duration::from_millis(1_100 + self.random(900)));
        if drill % 2 == 1 {
            let mut killed = self.command(&["db", "backup", "rooms", "--log"]);
            let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(self.random(250)));
            killed.kill().unwrap();
            killed.wait().unwrap();
            self.kill_server();
        }
        self.keep_log();
        let listed = self.json(&["backups", "rooms"]);
        let moment = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond();
        let newest = listed["backups"].as_array().unwrap().last().unwrap();
        let (first, last) = (moment(&newest["moment"]), moment(&listed["log_until"]));
        let lost = Timestamp::now().as_millisecond() - last;
        self.refuses_what_is_damaged(newest["id"].as_str().unwrap());

        let (from, until) = (first.div_euclid(self.tick) + 1, last.div_euclid(self.tick));
        let ticks = u64::try_from(until - from + 1).unwrap();
        let at = (from + i64::try_from(self.random(ticks)).unwrap()) * self.tick;
        let at = Timestamp::from_millisecond(at).unwrap();
        let restored = self.json(&["restore", "rooms", "--to", &at.to_string()]);
        let question = "SELECT CONCAT(number, ' ', previous, ' ', hash) FROM ledger ORDER BY number";
        let found = self.of_restored(&restored, question);
        let found: Vec<&str> = found.lines().collect();
        // Of a file it is known at the times at which somebody looked, and said which one that is.
        let is: Timestamp = restored["moment"].as_str().unwrap().parse().unwrap();
        assert!(is <= at && at.duration_since(is) < SignedDuration::from_secs(5), "{is} instead of {at}");
        let at = is;
        let known = entries.lock().unwrap();
        let written: Vec<&str> = known.iter().take(found.len()).map(|entry| entry.line.as_str()).collect();
        assert_eq!(found, written, "the chain is whole, from its first entry on");
        // What is written down of a time is a little behind it.
        let slack = SignedDuration::from_millis(20);
        let last = found.len().checked_sub(1).map(|last| &known[last]);
        assert!(last.is_none_or(|last| last.begun <= at + slack), "entry {} is of later than {at}", found.len());
        let next = known.get(found.len());
        assert!(next.is_none_or(|next| next.committed >= at - slack), "entry {} is missing at {at}", found.len() + 1);
        let folder = PathBuf::from(restored["file"].as_str().unwrap());
        if folder.is_file() {
            fs::remove_file(folder).unwrap();
            return (restored["took_ms"].as_u64().unwrap(), lost);
        }
        self.db(&["stop", folder.file_name().unwrap().to_str().unwrap()]).must_end_with(0);
        fs::remove_dir_all(folder).unwrap();
        (restored["took_ms"].as_u64().unwrap(), lost)
    }

    /// One file of what is needed for the last moment is damaged in one way; then it is as it was.
    fn refuses_what_is_damaged(&self, newest: &str) {
        let kept = self.workspace.path().join("kept");
        let folders = |folder: &Path| -> Vec<PathBuf> {
            let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            found.sort();
            found
        };
        let mut files = folders(&kept.join("rooms").join(newest));
        files.retain(|path| !path.ends_with("secrets.gz"));
        let pieces = folders(&kept.join("rooms.log")).into_iter();
        files.extend(
            pieces
                .filter(|piece| piece.file_name().unwrap().to_str().unwrap() > newest)
                .flat_map(|piece| folders(&piece)),
        );
        // They are not asked for the last moment there is.
        files.retain(|path| !path.ends_with("moments.gz"));
        // A later piece has all that an earlier one has of the same file.
        let needed: BTreeMap<String, PathBuf> = files
            .into_iter()
            .map(|file| match file.file_name().unwrap().to_str().unwrap() {
                name if name.starts_with("log-") => (name.to_owned(), file),
                _ => (file.display().to_string(), file),
            })
            .collect();
        let at = usize::try_from(self.random(needed.len() as u64)).unwrap();
        let file = needed.values().nth(at).unwrap();
        let whole = fs::read(file).unwrap();
        let at = usize::try_from(self.random(whole.len() as u64)).unwrap();
        // Without its manifest the last piece is one that was never made, and the moment that comes back is said.
        let way = self.random(if file.ends_with("manifest.json") { 2 } else { 3 });
        match way {
            0 => fs::write(file, &whole[..at]).unwrap(),
            1 => {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << self.random(8);
                fs::write(file, bytes).unwrap();
            }
            _ => fs::remove_file(file).unwrap(),
        }
        let ended = self.db(&["restore", "rooms"]);
        let is_refused = ["IP382: ", "IP383: ", "IP384: ", "IP388: "].iter().any(|code| ended.stderr.contains(code));
        assert!(
            ended.status == Some(1) && is_refused,
            "{} damaged in way {way}: {}{}",
            file.display(),
            ended.stdout,
            ended.stderr
        );
        fs::write(file, whole).unwrap();
    }
}

impl Drop for Drilled {
    fn drop(&mut self) {
        // What came back runs on by itself, also where a drill has failed.
        let _ = end(&mut self.command(&["db", "stop"]));
    }
}

fn hash_of(number: u64, previous: &str) -> String {
    vocab::sha256_hex(format!("{number} {previous}").as_bytes())
}

fn task(engine: &str, connection: &str) -> String {
    let backup = "    backup: { schedule: hourly, destination: kept, point_in_time: true }";
    super::task(super::ROOMS, &format!("    {connection}\n{backup}"))
        .replace("type: sqlite", &format!("type: {engine}"))
}

fn sqlite(file: &str, statements: &str) -> Result<String, String> {
    Ok(query(Path::new(file), statements).into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_ledger_on_sqlite_comes_back_at_random_moments() {
    let workspace = Workspace::completed();
    workspace.run_text(&task("sqlite", "environment: development")).must_end_with(0);
    let file = super::file(&workspace);
    // As an application has it open.
    let _open = store::Store::open(&store::Location::File(file.clone())).unwrap();
    let url = file.to_str().unwrap().to_owned();
    let server = Mutex::default();
    let drilled = Drilled { engine: "sqlite", workspace, url, client: sqlite, tick: 1, numbers: Mutex::new(7), server };
    *drilled.server.lock().unwrap() = Some(drilled.serving());
    drilled.run();
    let said = drilled.json(&["drill", "rooms"]);
    assert!(said["log_moment"].is_string(), "{said}");
}

#[test]
fn a_ledger_on_mariadb_comes_back_at_random_moments() {
    let Some(place) = mysql::Place::empty("ledger") else { return };
    let workspace = Workspace::new();
    let url = place.url();
    let drilled = Drilled {
        engine: "mysql",
        workspace,
        url,
        client: mariadb,
        tick: 1_000,
        numbers: Mutex::new(7),
        server: Mutex::default(),
    };
    let task = task("mysql", "connection: \"${env:SHOP_URL}\"").replace("    name: rooms\n    c", "    c");
    end_with_input(&mut drilled.command(&["run", "-"]), &task).must_end_with(0);
    drilled.run();
}

#[test]
fn a_ledger_on_postgresql_comes_back_at_random_moments() {
    if !PrivateServer::is_possible() {
        let _ = writeln!(std::io::stderr(), "SKIPPED drills on PostgreSQL: no programs are installed");
        return;
    }
    let workspace = Workspace::new();
    #[cfg(unix)]
    fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    workspace.run_text(&task("postgresql", "provision: local")).must_end_with(0);
    let exported = ["secrets", "export", "servers/postgresql_rooms/postgres", "--stdout", "--format", "json"];
    let exported = end(&mut workspace.command(&exported)).must_end_with(0).stdout;
    let exported: Value = serde_json::from_str(&exported).unwrap();
    let password = exported.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
    let status = end(&mut workspace.command(&["status", "rooms", "--format", "json"])).must_end_with(0).stdout;
    let address = serde_json::from_str::<Value>(&status).unwrap()["server"]["address"].as_str().unwrap().to_owned();
    let url = format!("postgresql://postgres:{password}@{address}/rooms");
    let drilled = Drilled {
        engine: "postgresql",
        workspace,
        url,
        client: psql,
        tick: 1,
        numbers: Mutex::new(7),
        server: Mutex::default(),
    };
    drilled.run();
    let said = drilled.json(&["drill", "rooms"]);
    assert!(said["log_moment"].is_string(), "{said}");
    let history = drilled.db(&["backups", "rooms", "--history"]).must_end_with(0).stdout;
    assert!(history.contains("came back too"), "{history}");
}
