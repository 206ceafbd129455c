//! Backups of a SQLite database: what is restored holds each row, what is damaged is refused, what is there is never written over, and the
//! runbook does what it says.

use crate::harness::repository;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, files, producer, query};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What `age-keygen` made once.
const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// How long a server may take to make what is due.
const PATIENCE: Duration = Duration::from_secs(20);

fn task(backup: &str) -> String {
    super::task(super::ROOMS, &format!("    backup: {{ {backup} }}"))
}

/// A workspace with a database of two rows, and a backup of it that knows them.
fn prepared(backup: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.run_text(&task(backup)).must_end_with(0);
    query(&super::file(&workspace), "INSERT INTO rooms (number) VALUES (7), (8)");
    db(&workspace, &["backup", "rooms"]).must_end_with(0);
    workspace
}

fn db(workspace: &Workspace, words: &[&str]) -> Ended {
    end(&mut workspace.command(&[&["db"], words].concat()))
}

fn backups(workspace: &Workspace) -> Vec<PathBuf> {
    folders(&workspace.path().join(".producer/backups/rooms"))
}

fn numbers(file: &Path) -> Vec<String> {
    query(file, "SELECT number FROM rooms ORDER BY number").into_iter().flatten().collect()
}

fn restored_file(ended: &Ended) -> PathBuf {
    ended.stdout.split(" is the state of").next().unwrap().into()
}

#[test]
fn a_run_proves_that_the_database_comes_back() {
    let workspace = Workspace::new();
    let text = task("schedule: hourly, objectives: { rpo: 2_hours, rto: 1_minute }");
    let ended = workspace.run_text(&text).must_end_with(0);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    assert_eq!(ended.response()["output"]["metadata"]["security_level"], "production_ready");
    assert_eq!(backups(&workspace).len(), 1);
    let before = files(&workspace.path().join(".producer"));
    let again = workspace.run_text(&text).must_end_with(0).response();
    assert_eq!(again["changed"], false);
    assert!(files(&workspace.path().join(".producer")) == before, "a second run makes no other backup");
    let drilled = db(&workspace, &["drill", "rooms", "--format", "json"]).must_end_with(0).stdout;
    let drilled: serde_json::Value = serde_json::from_str(&drilled).unwrap();
    assert_eq!((&drilled["tables"], &drilled["rows"]), (&2.into(), &1.into()), "the ledger is one of them");
    let history = db(&workspace, &["backups", "rooms", "--history"]).must_end_with(0).stdout;
    assert_eq!(history.lines().filter(|line| line.contains("  drill   passed")).count(), 2, "{history}");
}

#[test]
fn what_is_restored_holds_each_row_and_writes_over_nothing() {
    let workspace = prepared("schedule: hourly");
    let own = super::file(&workspace);
    query(&own, "DELETE FROM rooms WHERE number = 7");
    let beside = restored_file(&db(&workspace, &["restore", "rooms"]).must_end_with(0));
    assert_eq!((numbers(&beside), numbers(&own)), (vec!["7".to_owned(), "8".to_owned()], vec!["8".to_owned()]));

    let again = db(&workspace, &["restore", "rooms"]).must_end_with(1);
    assert!(again.stderr.contains("IP389: ") && again.stdout.is_empty(), "{}", again.stderr);
    let other = db(&workspace, &["restore", "rooms", "--over", "shop"]).must_end_with(1);
    assert!(other.stderr.contains("the database is called `rooms`"), "{}", other.stderr);
    let before = files(&workspace.path().join(".producer/data"));
    let shown = db(&workspace, &["restore", "rooms", "--over", "rooms", "--plan"]).must_end_with(0).stdout;
    assert!(shown.contains("the last moment that can be restored is 20"), "{shown}");
    assert!(files(&workspace.path().join(".producer/data")) == before, "showing does nothing");

    let over = db(&workspace, &["restore", "rooms", "--over", "rooms"]).must_end_with(0).stdout;
    assert_eq!(numbers(&own), ["7", "8"]);
    let aside = over.lines().find_map(|line| line.strip_prefix("what was there is ")).unwrap();
    assert_eq!(numbers(Path::new(aside)), ["8"]);

    let listed = db(&workspace, &["backups", "rooms", "--format", "json"]).must_end_with(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let moment = listed["backups"][0]["moment"].as_str().unwrap();
    let old = workspace.path().join("old.sqlite");
    db(&workspace, &["restore", "rooms", "--to", moment, "--into", old.to_str().unwrap()]).must_end_with(0);
    assert!(numbers(&old).is_empty(), "then there was none yet");
    let early = db(&workspace, &["restore", "rooms", "--to", "2020-01-01T00:00:00Z"]).must_end_with(1);
    assert!(early.stderr.contains("IP388: "), "{}", early.stderr);
}

#[test]
fn what_is_damaged_is_refused_and_leaves_nothing() {
    let workspace = prepared("schedule: hourly");
    let backup = backups(&workspace).pop().unwrap();
    let whole = files(&backup);
    let changed = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole[file].clone();
        change(&mut bytes);
        fs::write(backup.join(file), bytes).unwrap();
    };
    let middle = |bytes: &mut Vec<u8>| {
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    };
    let ways: [(&str, &dyn Fn()); 6] = [
        ("IP382", &|| changed("database.gz", &|bytes| bytes.truncate(bytes.len() - 1))),
        ("IP382", &|| changed("database.gz", &middle)),
        ("IP382", &|| changed("definition.gz", &middle)),
        ("IP383", &|| fs::remove_file(backup.join("database.gz")).unwrap()),
        ("IP384", &|| changed("manifest.json", &|bytes| bytes.truncate(bytes.len() / 2))),
        ("IP384", &|| {
            let text = String::from_utf8(whole["manifest.json"].clone()).unwrap();
            fs::write(backup.join("manifest.json"), text.replace("\"moment\": \"20", "\"moment\": \"21")).unwrap();
        }),
    ];
    let data = files(&workspace.path().join(".producer/data"));
    for (code, damage) in ways {
        damage();
        for words in [&["restore", "rooms"][..], &["drill", "rooms"]] {
            let ended = db(&workspace, words).must_end_with(1);
            assert!(ended.stderr.contains(&format!("{code}: ")), "{code}: {}", ended.stderr);
        }
        assert!(files(&workspace.path().join(".producer/data")) == data, "something was restored");
        assert!(end(&mut producer(&["explain", code])).must_end_with(0).stdout.starts_with(&format!("# {code}: ")));
        whole.iter().for_each(|(file, bytes)| fs::write(backup.join(file), bytes).unwrap());
    }
    let status = end(&mut workspace.command(&["status", "rooms"])).must_end_with(0).stdout;
    assert!(status.contains("the last drill failed"), "{status}");
    db(&workspace, &["drill", "rooms"]).must_end_with(0);
    fs::remove_file(backup.join("manifest.json")).unwrap();
    let listed = db(&workspace, &["backups", "rooms"]).must_end_with(0).stdout;
    assert_eq!(listed.lines().count(), 2, "without a manifest there is no backup:\n{listed}");
}

#[test]
fn the_runbook_does_what_it_says() {
    let workspace = prepared("schedule: hourly, destination: kept");
    let runbook = workspace.path().join("output/integration/task_rooms/documentation/recovery.md");
    let text = fs::read_to_string(runbook).unwrap();
    let blocks: Vec<&str> = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 5);
    let binary = producer(&[]).get_program().to_owned();
    let folder = Path::new(&binary).parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    for block in blocks {
        let mut shell = Command::new("sh");
        shell.args(["-ec", block]).current_dir(workspace.path()).env("PATH", &path).env("BACKUPS", "kept");
        end(shell.env("XDG_CONFIG_HOME", workspace.path().join("config"))).must_end_with(0);
    }
    assert_eq!(numbers(&workspace.path().join("recovered/.producer/data/rooms.sqlite")), ["7", "8"]);
    let recovered = workspace.path().join("recovered");
    let mut again = producer(&["run", "-", "--workspace", recovered.to_str().unwrap()]);
    again.current_dir(workspace.path()).env("XDG_CONFIG_HOME", workspace.path().join("config"));
    let text = task("schedule: hourly, destination: kept");
    let ended = crate::harness::workspace::end_with_input(&mut again, &text).must_end_with(0);
    assert!(super::verified(&ended).contains(&"the schema was read back from the database: passed".to_owned()));
}

#[test]
fn what_is_encrypted_opens_with_its_key_alone() {
    let workspace = Workspace::new();
    let text = task("schedule: hourly, encryption_key: \"${env:KEY_OF_TEST}\"");
    let asks = workspace.run_text(&text).must_end_with(3).response();
    assert_eq!((&asks["error"]["kind"], &asks["error"]["code"]), (&"database.backup_recovery".into(), &"IP385".into()));
    let with = |words: &[&str], key: &str| end(workspace.command(words).env("KEY_OF_TEST", key));
    let mut run = workspace.command(&["run", "-"]);
    crate::harness::workspace::end_with_input(run.env("KEY_OF_TEST", KEY), &text).must_end_with(0);
    let stored = fs::read(backups(&workspace)[0].join("database.gz.age")).unwrap();
    assert!(stored.starts_with(b"age-encryption.org/v1\n"));
    with(&["db", "restore", "rooms"], KEY).must_end_with(0);
    for wrong in ["a passphrase of somebody else", "AGE-SECRET-KEY-1QQQ", "short"] {
        let refused = with(&["db", "drill", "rooms"], wrong).must_end_with(1).stderr;
        assert!(refused.contains("IP385: ") && !refused.contains(wrong), "{refused}");
    }
    let production =
        "    environment: production\n    connection: \"file:rooms.sqlite\"\n    backup: { schedule: hourly }";
    let asks = Workspace::new().run_text(&super::task(super::ROOMS, production)).must_end_with(3).response();
    assert!(asks["error"]["hint"].as_str().unwrap().contains("producer secrets set BACKUP_KEY"), "{asks}");
}

#[test]
fn old_ones_go_but_for_those_that_are_needed() {
    let workspace = prepared("schedule: hourly, keep_for: 1_second, keep_at_least: 1");
    db(&workspace, &["backup", "rooms"]).must_end_with(0);
    let [verified, old, newest] = &backups(&workspace)[..] else { panic!("three were made") };
    std::thread::sleep(Duration::from_millis(1_100));
    let shown = db(&workspace, &["prune", "rooms", "--plan"]).must_end_with(0).stdout;
    assert_eq!(shown, format!("{}  would go\n", name(old)));
    db(&workspace, &["prune", "rooms"]).must_end_with(0);
    assert_eq!(backups(&workspace), [verified.clone(), newest.clone()], "the newest that was restored stays");
}

#[test]
fn every_moment_of_a_file_comes_back_while_it_is_served() {
    let workspace = Workspace::completed();
    let text = task("schedule: daily, destination: kept, point_in_time: true");
    let ended = workspace.run_text(&text).must_end_with(0);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    let own = super::file(&workspace);
    // Nobody has held the log since: what was written meanwhile is in none, and that is said.
    query(&own, "INSERT INTO rooms (number) VALUES (1)");
    let refused = db(&workspace, &["backup", "rooms", "--log"]).must_end_with(1).stderr;
    assert!(refused.contains("IP388: the log of "), "{refused}");

    let server = Server::start(Kind::Native, &workspace);
    wait(|| metrics(&server).contains("backup_log_kept_at_seconds{task=\"rooms\"}"));
    let now = || jiff::Timestamp::now().to_string();
    let pause = || std::thread::sleep(Duration::from_millis(600));
    pause();
    let first = now();
    pause();
    query(&own, "INSERT INTO rooms (number) VALUES (7)");
    pause();
    let second = now();
    pause();
    query(&own, "DELETE FROM rooms");
    let unkept = db(&workspace, &["restore", "rooms", "--to", &second]).must_end_with(1).stderr;
    assert!(unkept.contains("IP388: "), "{unkept}");
    db(&workspace, &["backup", "rooms", "--log"]).must_end_with(0);
    let listed = db(&workspace, &["backups", "rooms"]).must_end_with(0).stdout;
    assert!(listed.contains("\nevery moment until 20"), "{listed}");
    let restored = |to: &[&str]| {
        let ended = db(&workspace, &[&["restore", "rooms"], to].concat()).must_end_with(0);
        let file = restored_file(&ended);
        let found = numbers(&file).join(" ");
        std::fs::remove_file(file).unwrap();
        found
    };
    assert_eq!(restored(&["--to", &second]), "1 7");
    assert_eq!(restored(&["--to", &first]), "1");
    assert_eq!(restored(&[]), "");
    let drilled = db(&workspace, &["drill", "rooms"]).must_end_with(0).stdout;
    assert!(drilled.contains("chosen by chance, came back from the log too"), "{drilled}");

    must_be_counted(&workspace, &metrics(&server));

    // A piece that is gone is missed, where it has anything.
    query(&own, "INSERT INTO rooms (number) VALUES (5)");
    query(&own, "DELETE FROM rooms");
    db(&workspace, &["backup", "rooms", "--log"]).must_end_with(0);
    let pieces = folders(&workspace.path().join("kept/rooms.log"));
    let [.., before, last] = &pieces[..] else { panic!("{pieces:?}") };
    let aside = workspace.path().join("aside");
    fs::rename(before, &aside).unwrap();
    let gap = db(&workspace, &["restore", "rooms"]).must_end_with(1).stderr;
    assert!(gap.contains(&format!("IP383: the log has a gap before its piece {}", name(last))), "{gap}");
    fs::rename(&aside, before).unwrap();

    // While nobody looks nobody knows when something came, and the moment that is said is one that is known.
    server.signal("STOP");
    let known_until = jiff::Timestamp::now();
    query(&own, "INSERT INTO rooms (number) VALUES (6)");
    query(&own, "DELETE FROM rooms");
    pause();
    let unseen = now();
    pause();
    db(&workspace, &["backup", "rooms", "--log"]).must_end_with(0);
    server.signal("CONT");
    let ended = db(&workspace, &["restore", "rooms", "--to", &unseen, "--format", "json"]).must_end_with(0);
    let ended: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let moment: jiff::Timestamp = ended["moment"].as_str().unwrap().parse().unwrap();
    assert!(moment <= known_until, "{moment}, and it is known until {known_until}");
    fs::remove_file(ended["file"].as_str().unwrap()).unwrap();

    // A stop keeps what there is; what is written while nobody serves is in the next backup, and a moment in between is refused.
    query(&own, "INSERT INTO rooms (number) VALUES (8)");
    server.terminate();
    assert!(server.wait().success());
    assert_eq!(restored(&[]), "8");
    let before = folders(&workspace.path().join("kept/rooms")).len();
    let server = Server::start(Kind::Native, &workspace);
    wait(|| metrics(&server).contains("backup_log_kept_at_seconds{task=\"rooms\"}"));
    server.terminate();
    assert!(server.wait().success());
    assert_eq!(folders(&workspace.path().join("kept/rooms")).len(), before, "the log was gone on with");
    assert_eq!(restored(&[]), "8");
    query(&own, "INSERT INTO rooms (number) VALUES (9)");
    let between = now();
    pause();
    let before = folders(&workspace.path().join("kept/rooms")).len();
    let server = Server::start(Kind::Native, &workspace);
    wait(|| metrics(&server).contains("backup_log_kept_at_seconds{task=\"rooms\"}"));
    assert_eq!(folders(&workspace.path().join("kept/rooms")).len(), before + 1, "a backup begins the log anew");
    let refused = db(&workspace, &["restore", "rooms", "--to", &between]).must_end_with(1).stderr;
    assert!(refused.contains("IP383: the log has a gap"), "{refused}");
    assert_eq!(restored(&[]), "8 9");
}

/// No alert and no panel is about something that nobody counts.
fn must_be_counted(workspace: &Workspace, counted: &str) {
    let folder = workspace.path().join("output/integration/task_rooms/monitoring");
    for file in ["backup-alerts.yaml", "backup-dashboard.json"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        // `cargo xtask promtool` has Prometheus' own tool read these.
        let golden = repository("tests/cases/golden/backups/files/monitoring").join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(golden.parent().unwrap()).unwrap();
            fs::write(&golden, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&golden).unwrap(), "`UPDATE_GOLDEN=1` writes {} anew", golden.display());
        let is_of_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let words = text.split(|letter| !is_of_name(letter)).filter(|word| {
            word.starts_with("backup_")
                && ["_seconds", "_total", "_bytes", "_failed"].iter().any(|end| word.ends_with(end))
        });
        let words: Vec<&str> = words.collect();
        assert!(words.len() > 4, "{text}");
        for word in words {
            assert!(
                counted.contains(&format!("\n{word}{{task=\"rooms\"}} ")),
                "{file}: nobody counts {word}:\n{counted}"
            );
        }
    }
}

pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_server_makes_what_is_due_and_tells_what_fails() {
    let workspace = Workspace::completed();
    workspace.run_text(&task("schedule: daily")).must_end_with(0);
    let folder = workspace.path().join(".producer/backups/rooms");
    fs::remove_dir_all(&folder).unwrap();
    let server = Server::start(Kind::Native, &workspace);
    wait(|| metrics(&server).contains("backup_made_at_seconds{task=\"rooms\"}"));
    assert_eq!(backups(&workspace).len(), 1);
    drop(server);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let server = Server::start(Kind::Native, &workspace);
    wait(|| metrics(&server).contains("backup_failures_total{task=\"rooms\"} 1"));
    assert!(server.log().contains("IP386"), "{}", server.log());
    let status = end(&mut workspace.command(&["status", "rooms"])).must_end_with(0).stdout;
    assert!(status.contains("the last backup failed"), "{status}");
}

pub fn metrics(server: &Server) -> String {
    let asked = Command::new("curl").args(["--silent", &format!("http://{}/metrics", server.address)]).output();
    String::from_utf8(asked.unwrap().stdout).unwrap()
}

pub fn wait(is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}
