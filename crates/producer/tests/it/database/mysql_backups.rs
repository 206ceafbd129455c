//! Backups of a MariaDB database that is on a server with others: what comes back is what was there at a moment at which somebody was
//! writing, every second until the log was kept last can be had, and what is damaged or missing is refused.

use super::mysql::Place;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn task(backup: &str) -> String {
    format!(
        "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: mysql\n    connection: \"${{env:SHOP_URL}}\"\n    backup: {{ {backup} }}\n    schema_requirements:\n      tables: {}\n",
        super::ROOMS
    )
}

/// A database on the server that tests share, and commands about it.
struct Shop {
    place: Place,
    workspace: Workspace,
}

impl Shop {
    fn command(&self, workspace: &Workspace, words: &[&str]) -> Command {
        let mut command = workspace.command(words);
        command.env("SHOP_URL", self.place.url());
        command
    }

    fn db(&self, words: &[&str]) -> Ended {
        end(&mut self.command(&self.workspace, &[&["db"], words].concat()))
    }

    fn run(&self, backup: &str) -> Ended {
        end_with_input(&mut self.command(&self.workspace, &["run", "-"]), &task(backup))
    }

    fn restored(&self, words: &[&str]) -> Value {
        let words = [&["restore", "rooms", "--format", "json"], words].concat();
        serde_json::from_str(&self.db(&words).must_end_with(0).stdout).unwrap()
    }

    fn does_what_the_runbook_says(&self) {
        let runbook = self.workspace.path().join("output/integration/task_rooms/documentation/recovery.md");
        let text = fs::read_to_string(runbook).unwrap();
        let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
        assert_eq!(commands.len(), 6, "{commands:?}");
        for command in commands {
            let words: Vec<&str> = command.split(' ').skip(1).collect();
            end(&mut self.command(&self.workspace, &words)).must_end_with(0);
        }
    }

    /// What a statement says on a server that came back, whose user and password are those of the server that there was.
    fn asked(&self, restored: &Value, statement: &str) -> String {
        let address = restored["address"].as_str().unwrap();
        let (socket, name) = address.split_once('/').unwrap();
        let (_, port) = socket.split_once(':').unwrap();
        let url = self.place.url();
        let (user, password) = url["mysql://".len()..].split_once('@').unwrap().0.split_once(':').unwrap();
        let mut client = Command::new("mariadb");
        client.env("MYSQL_PWD", password).args(["-h127.0.0.1", "-P", port, "-u", user, "-BN", name, "-e", statement]);
        let ended = client.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // What came back runs on by itself, also where the test has failed.
        let _ = end(&mut self.command(&self.workspace, &["db", "stop"]));
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn a_database_on_a_shared_server_comes_back_to_the_second() {
    let Some(place) = Place::empty("kept_backups") else { return };
    if Command::new("mariadb-binlog").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED backups of MariaDB: its client programs are not installed");
        return;
    }
    let shop = Shop { place, workspace: Workspace::new() };
    shop.place.execute("CREATE PROCEDURE answer() SELECT 42");
    let ended = shop.run("schedule: hourly, destination: kept, point_in_time: true").must_end_with(0);
    assert!(super::verified(&ended).contains(&"a backup was restored: passed".to_owned()));
    let drills = shop.workspace.path().join(".producer/drills-rooms");
    assert!(!drills.read_dir().unwrap().any(|_| true), "nothing of a drill stays");

    // Somebody writes while it is copied, and somebody else to another database of the same log.
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 100.. {
                if !writing.load(Ordering::Relaxed) {
                    break;
                }
                shop.place.execute(&format!("INSERT INTO rooms (number) VALUES ({number})"));
            }
        });
        thread::sleep(Duration::from_millis(100));
        let ended = shop.db(&["backup", "rooms"]);
        writing.store(false, Ordering::Relaxed);
        ended.must_end_with(0);
    });
    shop.db(&["drill", "rooms"]).must_end_with(0);

    // A row that is there at a second, and gone at the next.
    shop.place.execute("DELETE FROM rooms; INSERT INTO rooms (number) VALUES (7), (8)");
    thread::sleep(Duration::from_millis(1_100));
    let moment = shop.place.value("DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')");
    thread::sleep(Duration::from_millis(1_100));
    shop.place.execute("INSERT INTO rooms (number) VALUES (9)");
    let unkept = shop.db(&["restore", "rooms", "--to", &moment]).must_end_with(1).stderr;
    assert!(unkept.contains("IP388: "), "{unkept}");
    shop.db(&["backup", "rooms", "--log"]).must_end_with(0);
    shop.place.execute("DELETE FROM rooms WHERE number = 7");
    shop.db(&["backup", "rooms", "--log"]).must_end_with(0);
    let listed = shop.db(&["backups", "rooms"]).must_end_with(0).stdout;
    assert!(listed.contains("\nevery moment until 20"), "{listed}");

    let then = shop.restored(&["--to", &moment]);
    assert_eq!(shop.asked(&then, "SELECT GROUP_CONCAT(number ORDER BY number) FROM rooms"), "7,8");
    assert_eq!(shop.asked(&then, "CALL answer()"), "42");
    let name = then["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    shop.db(&["stop", &name]).must_end_with(0);
    fs::remove_dir_all(then["file"].as_str().unwrap()).unwrap();
    let last = shop.restored(&[]);
    assert_eq!(shop.asked(&last, "SELECT GROUP_CONCAT(number ORDER BY number) FROM rooms"), "8,9");
    shop.db(&["stop"]).must_end_with(0);
    fs::remove_dir_all(last["file"].as_str().unwrap()).unwrap();
    assert_eq!(shop.place.value("COUNT(*) FROM rooms"), "2", "the database itself is as it was");

    // What is damaged or missing is refused, and leaves nothing.
    let kept = shop.workspace.path().join("kept");
    let [first, second] = &folders(&kept.join("rooms.log"))[..] else { panic!("two pieces were kept") };
    let object = folders(second).into_iter().find(|path| path.display().to_string().contains("/log-")).unwrap();
    let whole = fs::read(&object).unwrap();
    fs::write(&object, &whole[..whole.len() - 1]).unwrap();
    assert!(shop.db(&["restore", "rooms"]).must_end_with(1).stderr.contains("IP382: object `log-"));
    fs::write(&object, &whole).unwrap();
    let aside = shop.workspace.path().join("aside");
    fs::rename(first, &aside).unwrap();
    let gap = shop.db(&["restore", "rooms"]).must_end_with(1).stderr;
    assert!(gap.contains("IP383: the log has a gap before its piece"), "{gap}");
    fs::rename(&aside, first).unwrap();
    shop.does_what_the_runbook_says();
    shop.db(&["stop"]).must_end_with(0);
    let servers = shop.workspace.path().join(".producer/servers");
    fs::remove_dir_all(&folders(&servers)[0]).unwrap();
    let newest = folders(&kept.join("rooms")).pop().unwrap();
    fs::remove_file(newest.join("users.sql.gz")).unwrap();
    assert!(shop.db(&["drill", "rooms"]).must_end_with(1).stderr.contains("IP383: object `users.sql`"));
    assert!(!drills.read_dir().unwrap().any(|_| true));
    assert!(folders(&servers).is_empty(), "a server was left behind");
    for option in [["--over", "rooms"], ["--into", "rooms.sqlite"]] {
        let refused = shop.db(&[&["restore", "rooms"][..], &option].concat()).must_end_with(1).stderr;
        assert!(refused.contains("IP391: "), "{refused}");
    }

    // Another machine has the folder of backups, and the key of the secrets that are in it.
    let other = Workspace::new();
    for (path, key) in files(&shop.workspace.path().join("config")) {
        let copy = other.path().join("config").join(path);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(&copy, key).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let written = folders(&kept.join("rooms"))[0].file_name().unwrap().to_str().unwrap().to_owned();
    let from = ["db", "restore", "rooms", "--from", kept.to_str().unwrap(), "--backup", &written, "--format", "json"];
    let ended = end(&mut shop.command(&other, &from)).must_end_with(0).stdout;
    let came: Value = serde_json::from_str(&ended).unwrap();
    assert_eq!(came["tasks"], serde_json::json!(["rooms"]));
    assert_eq!(shop.asked(&came, "SELECT COUNT(*) FROM rooms"), "0", "the first backup was made of an empty table");
    end(&mut shop.command(&other, &["db", "stop"])).must_end_with(0);
}

#[test]
fn who_may_not_copy_a_database_of_mariadb_is_told_what_is_lacking() {
    let Some(place) = Place::empty("hindered_backups") else { return };
    let (name, user) = (place.value("DATABASE()"), format!("ada_{}", std::process::id()));
    place.execute(&format!(
        "CREATE USER {user}@'%' IDENTIFIED BY 'ada'; GRANT ALL ON {name}.* TO {user}@'%'; GRANT CREATE, DROP, CREATE USER ON *.* TO {user}@'%'"
    ));
    let url = place.url();
    let (_, rest) = url.rsplit_once('@').unwrap();
    let workspace = Workspace::new();
    let run = |url: &str, programs: Option<&Path>| {
        let mut run = workspace.command(&["run", "-"]);
        run.env("SHOP_URL", url);
        if let Some(programs) = programs {
            run.env("PRODUCER_SERVER_PROGRAMS", programs);
        }
        end_with_input(&mut run, &task("schedule: hourly, point_in_time: true")).must_end_with(3).response()
    };
    let asks = run(&format!("mysql://{user}:ada@{rest}"), None);
    assert_eq!(asks["error"]["code"], "IP392", "{asks}");
    let cause = asks["error"]["cause"].as_str().unwrap();
    assert!(cause.contains("`GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO "), "{cause}");
    let asks = run(&url, Some(workspace.path()));
    assert_eq!(asks["error"]["code"], "IP390", "{asks}");
    assert!(asks["error"]["hint"].as_str().unwrap().contains("apt-get install mariadb-server"), "{asks}");
    place.execute("CREATE TABLE old (id INT) ENGINE = MyISAM");
    let cause = run(&url, None)["error"]["cause"].as_str().unwrap().to_owned();
    assert!(cause.contains("table `old` is kept by MyISAM"), "{cause}");
    place.execute(&format!("DROP USER {user}@'%'"));
}
