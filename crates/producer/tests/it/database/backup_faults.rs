//! What goes wrong around backups: a disk that is full, a clock that was set back, a log that the server has thrown away, another server at
//! the same address. Each is told, and nothing comes back that is not what it is said to be.

use super::backups::wait;
use super::mysql::Place;
use crate::harness::mysql::{self, mysql as mariadb};
use crate::harness::postgresql::{PASSWORD_ONLY, PrivateServer, psql};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files, query};
use backup::{Manifest, Repository};
use jiff::Timestamp;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// The command in a shell that says something first.
fn behind(said: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{said}exec \"$0\" \"$@\"")]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// For it no file becomes longer than 50 KiB: more cannot be written, as where a disk is full.
fn on_a_full_disk(command: &Command) -> Ended {
    end(&mut behind("trap '' XFSZ; ulimit -f 100; ", command))
}

/// The newest backup of a folder once more under another name, of which something else is said.
fn forge(folder: &Path, id: &str, change: impl FnOnce(&mut Manifest)) {
    let repository = Repository::new(folder.to_owned());
    let newest = repository.newest().unwrap().unwrap();
    let mut writing = repository.begin(id, None).unwrap();
    for object in &newest.objects {
        let mut bytes = Vec::new();
        repository.read(&newest, &object.name, None, &mut bytes).unwrap();
        writing.add(&object.name, &mut &bytes[..]).unwrap();
    }
    let mut manifest = Manifest { id: id.to_owned(), ..newest };
    change(&mut manifest);
    writing.finish(|objects| Manifest { objects, ..manifest }).unwrap();
}

fn db(workspace: &Workspace, words: &[&str]) -> Command {
    workspace.command(&[&["db"], words].concat())
}

fn numbers(file: &Path) -> Vec<String> {
    query(file, "SELECT number FROM rooms ORDER BY number").into_iter().flatten().collect()
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing_that_counts() {
    let workspace = Workspace::new();
    let task = super::task(super::ROOMS, "    backup: { schedule: hourly, destination: kept }");
    workspace.run_text(&task).must_end_with(0);
    query(&super::file(&workspace), "CREATE TABLE large (bytes BLOB)");
    query(&super::file(&workspace), "INSERT INTO large VALUES (randomblob(300000))");
    end(&mut db(&workspace, &["backup", "rooms"])).must_end_with(0);
    let kept = workspace.path().join("kept");
    let data = workspace.path().join(".producer/data");
    let before = (files(&kept), files(&data));

    let made = on_a_full_disk(&db(&workspace, &["backup", "rooms"])).must_end_with(1);
    assert!(made.stderr.contains("IP390: ") && made.stdout.is_empty(), "{}", made.stderr);
    for words in [&["restore", "rooms"][..], &["drill", "rooms"]] {
        let ended = on_a_full_disk(&db(&workspace, words)).must_end_with(1);
        assert!(ended.stderr.contains("IP386: ") && ended.stdout.is_empty(), "{}", ended.stderr);
    }
    assert!((files(&kept), files(&data)) == before, "something is left");

    // A file system of its own where backups go, with room for half of one.
    let mut full = db(&workspace, &["backup", "rooms"]);
    full.current_dir(workspace.path());
    let mount =
        "mount -t tmpfs -o size=200k tmpfs kept || exit 77; \"$0\" \"$@\"; ended=$?; find kept -type f; exit $ended; ";
    let mut alone = Command::new("unshare");
    let full = behind(mount, &full);
    alone.args(["--map-root-user", "--mount"]).arg(full.get_program()).args(full.get_args());
    alone.envs(full.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(workspace.path());
    match end(&mut alone) {
        Ended { status: Some(1), stderr, stdout } if !stderr.contains("unshare") => {
            assert!(stderr.contains("IP386: ") && stderr.contains("No space left"), "{stderr}");
            assert!(stdout.is_empty(), "something is left: {stdout}");
        }
        Ended { stderr, .. } => {
            let _ = writeln!(std::io::stderr(), "SKIPPED a full file system: it cannot be mounted here: {stderr}");
        }
    }
    end(&mut db(&workspace, &["drill", "rooms"])).must_end_with(0);
}

#[test]
fn a_clock_that_was_ahead_neither_hides_backups_nor_keeps_others_from_being_made() {
    let workspace = Workspace::completed();
    let backup = "    backup: { schedule: daily, keep_for: 1_second, keep_at_least: 1 }";
    workspace.run_text(&super::task(super::ROOMS, backup)).must_end_with(0);
    let folder = workspace.path().join(".producer/backups/rooms");
    forge(&folder, "20990101T000000.000Z", |manifest| {
        manifest.moment = "2099-01-01T00:00:00.000Z".to_owned();
        manifest.completed_at.clone_from(&manifest.moment);
    });
    query(&super::file(&workspace), "INSERT INTO rooms (number) VALUES (7)");
    let server = Server::start(Kind::Native, &workspace);
    let newest = folder.join("20990101T000000.001Z");
    wait(|| newest.join("manifest.json").exists());
    drop(server);
    let now = Timestamp::now().to_string();
    for (index, to) in [&[][..], &["--to", &now], &["--to", "2099-01-01T00:00:01Z"]].iter().enumerate() {
        let file = workspace.path().join(format!("{index}.sqlite"));
        let words = [&["restore", "rooms", "--into", file.to_str().unwrap()], *to].concat();
        end(&mut db(&workspace, &words)).must_end_with(0);
        assert_eq!(numbers(&file), ["7"], "{to:?}");
    }
    thread::sleep(Duration::from_millis(1_100));
    let shown = end(&mut db(&workspace, &["prune", "rooms", "--plan"])).must_end_with(0).stdout;
    assert_eq!(shown, "20990101T000000.000Z  would go\n", "it is no younger than the next one");
}

/// A database of a server whose log is kept.
struct Shop {
    workspace: Workspace,
    url: String,
    client: fn(&str, &str) -> Result<String, String>,
}

impl Shop {
    fn new(engine: &str, url: String, client: fn(&str, &str) -> Result<String, String>) -> Self {
        let workspace = Workspace::new();
        #[cfg(unix)]
        fs::set_permissions(workspace.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let shop = Self { workspace, url, client };
        let lines = "    connection: \"${env:SHOP_URL}\"\n    backup: { schedule: hourly, destination: kept, point_in_time: true }";
        let task = super::task(super::ROOMS, lines);
        let task = task.replace("type: sqlite", &format!("type: {engine}")).replace("    name: rooms\n    c", "    c");
        end_with_input(shop.workspace.command(&["run", "-"]).env("SHOP_URL", &shop.url), &task).must_end_with(0);
        shop
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = db(&self.workspace, words);
        command.env("SHOP_URL", &self.url);
        command
    }

    fn db(&self, words: &[&str]) -> Ended {
        end(&mut self.command(words))
    }

    fn execute(&self, statements: &str) {
        (self.client)(&self.url, statements).unwrap();
    }

    fn must_have_no_room(&self) {
        let before = files(&self.workspace.path().join("kept"));
        let full = on_a_full_disk(&self.command(&["backup", "rooms"])).must_end_with(1);
        assert!(full.stderr.contains("IP386: a file of a backup cannot be written or read"), "{}", full.stderr);
        assert!(files(&self.workspace.path().join("kept")) == before, "something is left");
    }

    /// What was committed until now and is in no backup is lost to whoever restores, who is told so: also when there is a later backup.
    fn must_have_a_gap(&self) {
        let now = Timestamp::now().to_string();
        thread::sleep(Duration::from_millis(10));
        let refused = self.db(&["backup", "rooms", "--log"]).must_end_with(1).stderr;
        assert!(refused.contains("IP388: the log of "), "{refused}");
        let unkept = self.db(&["restore", "rooms", "--to", &now]).must_end_with(1).stderr;
        assert!(unkept.contains("IP388: ") || unkept.contains("IP383: the log has a gap"), "{unkept}");
        self.db(&["backup", "rooms"]).must_end_with(0);
        self.execute("INSERT INTO rooms (number) VALUES (100)");
        self.db(&["backup", "rooms", "--log"]).must_end_with(0);
        let gap = self.db(&["restore", "rooms", "--to", &now]).must_end_with(1).stderr;
        assert!(gap.contains("IP383: the log has a gap"), "{gap}");
        // What came later comes back.
        let shown = self.db(&["restore", "rooms", "--plan"]).must_end_with(0).stdout;
        assert!(shown.contains("would become the state of"), "{shown}");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.db(&["stop"]);
    }
}

#[test]
fn a_log_that_is_gone_or_another_servers_is_never_gone_on_with_on_postgresql() {
    let admits = format!("{PASSWORD_ONLY}host replication all 127.0.0.1/32 scram-sha-256\n");
    let Some(server) = PrivateServer::start("faults of backups", &admits, "") else { return };
    let mut shop = Shop::new("postgresql", server.url(), psql);
    shop.must_have_no_room();
    // The server may keep no more than a megabyte for us, and has written more.
    shop.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    shop.execute("SELECT pg_reload_conf()");
    for number in 1..5 {
        shop.execute(&format!("INSERT INTO rooms (number) VALUES ({number})"));
        shop.execute("SELECT pg_switch_wal()");
    }
    shop.execute("CHECKPOINT");
    // Nor does it keep what is written while it is copied.
    let refused = shop.db(&["backup", "rooms"]).must_end_with(1).stderr;
    assert!(refused.contains("IP390: ") && refused.contains("raise `max_slot_wal_keep_size`"), "{refused}");
    shop.execute("ALTER SYSTEM RESET max_slot_wal_keep_size");
    shop.execute("SELECT pg_reload_conf()");
    shop.must_have_a_gap();

    // What came back takes over, and has committed what the other one has not. Somebody's lock does not stay with it.
    let restore = shop.command(&["restore", "rooms", "--format", "json"]);
    let held = shop.workspace.path().join("held");
    let restored = end(&mut behind(&format!("exec 9>'{}'; flock 9; ", held.display()), &restore)).must_end_with(0);
    let free = Command::new("flock").args(["-n", held.to_str().unwrap(), "true"]).status();
    assert!(free.unwrap().success(), "the server that came back has what its caller had open");
    let restored: Value = serde_json::from_str(&restored.stdout).unwrap();
    let (before, _) = shop.url.rsplit_once('@').unwrap();
    shop.url = format!("{before}@{}", restored["address"].as_str().unwrap());
    shop.execute("INSERT INTO rooms (number) VALUES (7)");
    let slot = &vocab::sha256_hex(b"rooms")[..16];
    shop.execute(&format!("SELECT pg_create_physical_replication_slot('producer_backup_{slot}', true)"));
    shop.must_have_a_gap();
}

#[test]
fn a_log_that_is_gone_or_another_servers_is_never_gone_on_with_on_mariadb() {
    let Some(other) = Place::empty("taken_over") else { return };
    let (port, password) = (mysql::free_port(), "private-to-this-test");
    let options = ["--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"];
    let Some(_server) = mysql::PrivateServer::start(port, "shop", password, &options) else { return };
    let mut shop = Shop::new("mysql", format!("mysql://root:{password}@127.0.0.1:{port}/shop"), mariadb);
    shop.execute("CREATE TABLE large (bytes LONGBLOB) ENGINE = InnoDB");
    shop.execute("INSERT INTO large SELECT RANDOM_BYTES(1000) FROM seq_1_to_300");
    shop.must_have_no_room();
    shop.db(&["backup", "rooms", "--log"]).must_end_with(0);
    shop.execute("INSERT INTO rooms (number) VALUES (1)");
    // It keeps what it believes to be read still, by a program that has ended, until it has more to tell it.
    for _ in 0..100 {
        shop.execute("FLUSH BINARY LOGS");
        let current = (shop.client)(&shop.url, "SHOW MASTER STATUS").unwrap();
        let current = current.split_whitespace().next().unwrap();
        shop.execute(&format!("PURGE BINARY LOGS TO '{current}'"));
        if (shop.client)(&shop.url, "SHOW BINARY LOGS").unwrap().starts_with(current) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    shop.must_have_a_gap();

    // Another server has the same rows, and files of its log that are called alike.
    let mut dump = Command::new("mariadb-dump");
    dump.args(["--no-defaults", "-h127.0.0.1", "-P", &port.to_string(), "-uroot", "--hex-blob", "shop"]);
    let dump = dump.env("MYSQL_PWD", password).stdin(Stdio::null()).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let loaded = end_with_input(&mut mysql::client(&other.url()), &String::from_utf8(dump.stdout).unwrap());
    loaded.must_end_with(0);
    shop.url = other.url();
    shop.execute("INSERT INTO rooms (number) VALUES (7)");
    shop.must_have_a_gap();
}
