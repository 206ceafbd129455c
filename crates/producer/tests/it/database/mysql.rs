//! Database tasks on a real MySQL or MariaDB server: made, run again, interrupted, changed by hand, extended, and every way in which nobody
//! is let in. `TEST_MYSQL_URL` names the server; `cargo xtask test` starts a MariaDB.

use crate::harness::repository;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input};
use plan::Migration;
use plan::database::{LockClass, ObservedTable, Undo};
use std::fs;
use std::io::Write as _;
use store::{Database, MySqlServer};

/// A database of a test's own on the server; it goes with the value.
pub(super) struct Place {
    server: String,
    name: String,
}

impl Place {
    /// An empty one; none where there is no server, which is said.
    pub(super) fn empty(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TEST_MYSQL_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on MySQL: `TEST_MYSQL_URL` is not set");
            return None;
        };
        let place = Self { server, name: format!("{test}_{}", std::process::id()) };
        place.on_server(&format!("DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0}", place.name));
        Some(place)
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    pub(super) fn database(&self) -> MySqlServer {
        MySqlServer::parse(&self.url()).unwrap()
    }

    fn on_server(&self, statements: &str) {
        run(&MySqlServer::parse(&self.server).unwrap(), &self.name, statements);
    }

    pub(super) fn execute(&self, statements: &str) {
        run(&self.database(), "by hand", statements);
    }

    /// One value, as text.
    pub(super) fn value(&self, expression: &str) -> String {
        let (user, address) = self.server.trim_start_matches("mysql://").rsplit_once('@').unwrap();
        let ((user, password), address) = (user.split_once(':').unwrap(), address.split_once('/').unwrap().0);
        let (host, port) = address.split_once(':').unwrap_or((address, "3306"));
        let mut client = std::process::Command::new("mariadb");
        client.env("MYSQL_PWD", password).args(["-h", host, "-P", port, "-u", user, "-BN", &self.name, "-e"]);
        let asked = client.arg(format!("SELECT {expression}")).output().unwrap();
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    }

    /// Fails where the condition does not hold.
    fn holds(&self, condition: &str) {
        self.execute(&format!("DO IF({condition}, 1, (SELECT 1 UNION ALL SELECT 2))"));
    }

    pub(super) fn tables(&self) -> Vec<ObservedTable> {
        Database::MySql(self.database()).look("task").unwrap().tables
    }

    /// The task with this place in its variable.
    fn run(&self, workspace: &Workspace, task: &str) -> Ended {
        let mut run = workspace.command(&["run", "-"]);
        end_with_input(run.env("SHOP_URL", self.url()), task)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.on_server(&format!("DROP DATABASE {}", self.name));
        }
    }
}

/// Runs statements, once for each text of them.
fn run(server: &MySqlServer, scope: &str, text: &str) {
    let undo = Undo::Impossible("it is a test".to_owned());
    let statement = plan::Statement::new(text, "a test", LockClass::Writes, undo);
    let name = vocab::sha256_hex(text.as_bytes());
    server.migrate(scope, &[Migration { name, statements: vec![statement] }], "2026-01-02T03:04:05.678Z").unwrap();
}

fn shop() -> String {
    let task = fs::read_to_string(repository("tests/cases/tasks/shop-database.yaml")).unwrap();
    task.replace("type: \"postgresql\"", "type: \"mysql\"\n    connection: \"${env:SHOP_URL}\"")
}

/// A table with a column of every type, under names that are keywords.
const EVERYTHING: &str = "{ name: order, columns: { user: { type: email, unique: true, default: a@example.com }, table: { type: line, default: \"it's a \\\\ b\" }, when: { type: timestamp, default: now }, day: { type: date, default: now }, amount: { type: decimal, default: -1.5 }, number: { type: integer, default: -7 }, large: { type: integer, default: 5000000000 }, is_so: { type: boolean, default: true }, extra: { type: json, default: { bb: [1, { c: null }], a: \"x\" } }, key: { type: uuid, default: 019c0f3e-7b1a-7c3d-8e5f-0123456789ab }, note: { type: text, default: \"long\" }, page: url, mobile: phone }, constraints: [{ check: { column: amount, at_least: -90.25, at_most: 90 } }, { check: { column: number, at_least: -7 } }, { check: { column: table, one_of: [\"it's a \\\\ b\", \"b\"] } }, { unique: [number, day] }], indexes: [[table, when], [note], [page, mobile], { columns: [number], unique: true }] }";

fn everything(tables: &str) -> String {
    format!(
        "task_id: everything\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: mysql\n    connection: ${{env:SHOP_URL}}\n    schema_requirements:\n      tables: [{tables}]\n"
    )
}

#[test]
fn the_shop_is_made_once_and_tried() {
    let Some(place) = Place::empty("shop") else { return };
    let workspace = Workspace::new();
    let ended = place.run(&workspace, &shop()).must_end_with(0);
    let response = ended.response();
    assert_eq!(response["output"]["database"]["status"], "connected");
    let version = response["output"]["metadata"]["database_version"].as_str().unwrap();
    assert!(version.starts_with("mariadb_") || version.starts_with("mysql_"), "{version}");
    for check in super::verified(&ended) {
        let is_open = check.starts_with("a backup");
        assert!(check.ends_with(": passed") || is_open, "{check}");
    }
    let names: Vec<String> = place.tables().into_iter().map(|table| table.name).collect();
    assert_eq!(names, ["order_items", "orders", "products", "users"]);
    assert_eq!(place.run(&workspace, &shop()).must_end_with(0).response()["changed"], false);
}

#[test]
fn every_type_and_rule_is_read_back_and_the_whole_schema_makes_the_same() {
    let Some(place) = Place::empty("everything") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &everything(EVERYTHING)).must_end_with(0);
    assert_eq!(place.run(&workspace, &everything(EVERYTHING)).must_end_with(0).response()["changed"], false);
    let other = Place::empty("everything_loaded").unwrap();
    let schema = workspace.path().join("output/integration/task_everything/databases/schema.sql");
    other.execute(&fs::read_to_string(schema).unwrap());
    assert_eq!(other.tables(), place.tables());
}

#[test]
fn the_database_keeps_ids_times_and_versions_also_of_many_rows_at_once() {
    let Some(place) = Place::empty("kept") else { return };
    place.run(&Workspace::new(), &everything("{ name: rooms, columns: { number: integer } }")).must_end_with(0);
    place.execute(
        "INSERT INTO rooms (number) VALUES (1), (2), (3); INSERT INTO rooms (number) SELECT number + 3 FROM rooms",
    );
    place.holds("(SELECT COUNT(DISTINCT id) FROM rooms) = 6");
    place.holds("(SELECT COUNT(*) FROM rooms WHERE id REGEXP '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$') = 6");
    let age = "ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP())) < 60";
    let of_id = "ABS(CONV(REPLACE(LEFT(id, 13), '-', ''), 16, 10) DIV 1000 - TIMESTAMPDIFF(SECOND, '1970-01-01', UTC_TIMESTAMP())) < 60";
    place.holds(&format!("(SELECT COUNT(*) FROM rooms WHERE {age} AND {of_id}) = 6"));
    place.execute("UPDATE rooms SET number = 9 WHERE number = 1; UPDATE rooms SET number = 8, updated_at = '2001-02-03', row_version = 40 WHERE number = 2");
    place.holds("(SELECT row_version = 2 AND updated_at > created_at FROM rooms WHERE number = 9)");
    place.holds("(SELECT row_version = 40 AND updated_at = '2001-02-03' FROM rooms WHERE number = 8)");
}

#[test]
fn what_the_task_gains_the_database_gains_also_under_rows() {
    let Some(place) = Place::empty("gains") else { return };
    let workspace = Workspace::new();
    let rooms = |columns: &str| everything(&format!("{{ name: rooms, columns: {{ number: integer{columns} }} }}"));
    place.run(&workspace, &rooms("")).must_end_with(0);
    place.execute("INSERT INTO rooms (number) VALUES (7)");
    let more = ", seats: { type: integer, default: 4 }, note: line, hall_id: { type: uuid, references: halls }";
    let more = rooms(more).replace("tables: [", "tables: [halls, ");
    assert_eq!(place.run(&workspace, &more).must_end_with(0).response()["changed"], true);
    assert_eq!(place.run(&workspace, &more).must_end_with(0).response()["changed"], false);
    place.holds("(SELECT seats FROM rooms) = 4");
}

/// As after a kill between a statement and its note, with the plan persisted and not yet active.
#[test]
fn a_migration_that_was_interrupted_is_finished_by_the_next_run() {
    let Some(place) = Place::empty("interrupted") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &shop()).must_end_with(0);
    let whole = place.tables();
    fs::remove_file(workspace.path().join(".producer/tasks/integration_2025_002/active")).unwrap();
    place.execute(
        "DROP TRIGGER users_touch; DROP TRIGGER orders_touch; DROP TRIGGER products_touch; DROP TABLE order_items",
    );
    place.execute("UPDATE schema_migrations SET applied_at = NULL, begun = 3, done = 2 WHERE name = '0001_initial'");
    assert_eq!(place.run(&workspace, &shop()).must_end_with(0).response()["changed"], true);
    assert_eq!(place.tables(), whole);
    assert_eq!(place.run(&workspace, &shop()).must_end_with(0).response()["changed"], false);
}

#[test]
fn a_migration_that_is_refused_takes_back_what_it_has_done() {
    let Some(place) = Place::empty("refused") else { return };
    place.execute("CREATE TABLE kept (id int PRIMARY KEY)");
    let before = place.tables();
    let statement = |sql: &str, undo: &str| {
        plan::Statement::new(sql, "a test", LockClass::Writes, Undo::Statement(undo.to_owned()))
    };
    let statements = vec![
        statement("CREATE TABLE IF NOT EXISTS kept (id int PRIMARY KEY)", "DROP TABLE kept"),
        statement("CREATE TABLE made (id int PRIMARY KEY)", "DROP TABLE made"),
        statement("CREATE TABLE wrong (id int, id int)", "DROP TABLE wrong"),
    ];
    let migration = |statements| Migration { name: "0001_initial".to_owned(), statements };
    let now = "2026-01-02T03:04:05.678Z";
    let refused = place.database().migrate("task", &[migration(statements.clone())], now);
    assert!(matches!(refused, Err(store::StoreError::Refused(_))), "{refused:?}");
    assert_eq!(place.tables(), before, "what was there stays, what was made goes");
    let mended = [migration(statements[..2].to_vec())];
    assert_eq!(place.database().migrate("task", &mended, now).unwrap(), ["0001_initial"]);
    assert_eq!(place.database().undo("task", &mended, now).unwrap(), ["0001_initial"]);
    assert_eq!(place.database().look("task").unwrap().applied, []);
}

/// As after a kill between two steps of a change: the first is done and noted, the second is done and not noted, nothing is active.
fn stopped_between_steps(place: &Place, workspace: &Workspace) {
    let tables = |rooms: &str| everything(&format!("{{ name: rooms, columns: {{ number: integer{rooms} }} }}"));
    place.run(workspace, &tables(", note: line")).must_end_with(0);
    place.execute("INSERT INTO rooms (number, note) VALUES (7, 'n'), (7, 'm')");
    let before = place.tables();
    let active = workspace.path().join(".producer/tasks/everything/active");
    let first = fs::read(&active).unwrap();
    let more =
        tables(", remark: { type: line, renamed_from: note }, floor: integer, seats: { type: integer, default: 4 }");
    place.run(workspace, &more).must_end_with(0);
    let whole = place.tables();
    fs::write(active, first).unwrap();
    place.execute("ALTER TABLE rooms DROP COLUMN seats");
    place.execute(
        "UPDATE schema_migrations SET applied_at = NULL, begun = 2, done = 1 WHERE scope = 'everything' AND name = '0002_changes'",
    );
    assert_ne!(before, place.tables());
    assert_ne!(whole, place.tables());
}

#[test]
fn a_change_that_was_stopped_between_two_steps_is_finished() {
    let Some(place) = Place::empty("finished") else { return };
    let workspace = Workspace::new();
    stopped_between_steps(&place, &workspace);
    let more = everything(
        "{ name: rooms, columns: { number: integer, remark: { type: line, renamed_from: note }, floor: integer, seats: { type: integer, default: 4 } } }",
    );
    place.run(&workspace, &more).must_end_with(0);
    assert_eq!(place.run(&workspace, &more).must_end_with(0).response()["changed"], false);
    assert_eq!(place.value("group_concat(seats, remark order by remark) FROM rooms"), "4m,4n");
}

#[test]
fn a_change_that_was_stopped_between_two_steps_is_taken_back() {
    let Some(place) = Place::empty("taken_back") else { return };
    let workspace = Workspace::new();
    stopped_between_steps(&place, &workspace);
    let undo = |words: &[&str]| {
        let mut command = workspace.command(&["db", "undo", "everything"]);
        end(command.args(words).env("SHOP_URL", place.url()))
    };
    let shown = undo(&["--plan"]).must_end_with(0).stdout;
    assert!(shown.contains("0002_changes") && !shown.contains("0001_initial"), "{shown}");
    undo(&["--allow-destructive"]).must_end_with(0);
    assert_eq!(place.value("group_concat(number, note order by note) FROM rooms"), "7m,7n");
    let first = everything("{ name: rooms, columns: { number: integer, note: line } }");
    assert_eq!(place.run(&workspace, &first).must_end_with(0).response()["changed"], false);
}

/// What was found stays when the rest is taken back, also by a run that comes after the one that was killed.
#[test]
fn a_migration_that_is_refused_after_a_kill_takes_back_all_that_it_has_made() {
    let Some(place) = Place::empty("refused_later") else { return };
    let statement = |sql: &str, undo: &str| {
        plan::Statement::new(sql, "a test", LockClass::Writes, Undo::Statement(undo.to_owned()))
    };
    place.execute("CREATE TABLE kept (id int PRIMARY KEY)");
    let before = place.tables();
    let statements = vec![
        statement("CREATE TABLE IF NOT EXISTS kept (id int PRIMARY KEY)", "DROP TABLE kept"),
        statement("CREATE TABLE made (id int PRIMARY KEY)", "DROP TABLE made"),
        statement("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'", "DO 0"),
    ];
    let migration = Migration { name: "0001_initial".to_owned(), statements };
    let now = "2026-01-02T03:04:05.678Z";
    assert!(place.database().migrate("task", std::slice::from_ref(&migration), now).is_err());
    assert_eq!(place.tables(), before);
    // As if that run had been killed in its third step.
    place.execute("CREATE TABLE made (id int PRIMARY KEY)");
    let checksum = store::AppliedMigration::from(&migration).checksum;
    place.execute(&format!(
        "INSERT INTO schema_migrations (scope, name, checksum, begun, done) VALUES ('task', '0001_initial', '{checksum}', 3, 2);
         INSERT INTO schema_migration_steps VALUES ('task', '0001_initial', 0)"
    ));
    let refused = place.database().migrate("task", &[migration], now);
    assert!(matches!(refused, Err(store::StoreError::Refused(_))), "{refused:?}");
    assert_eq!(place.tables(), before);
    assert_eq!(place.database().look("task").unwrap().begun, []);
}

/// What is lost for good is not brought back, so what is done is said.
#[test]
fn a_migration_that_cannot_be_taken_back_says_what_of_it_is_done() {
    let Some(place) = Place::empty("half_done") else { return };
    let lost = |sql: &str, why: &str| {
        plan::Statement::new(sql, why, LockClass::Writes, Undo::Impossible("the rows are gone".to_owned()))
    };
    let statements = vec![
        plan::Statement::new(
            "CREATE TABLE made (id int)",
            "made: a thing",
            LockClass::Writes,
            Undo::Kept("so".to_owned()),
        ),
        lost("DROP TABLE IF EXISTS other", "other: no longer wanted"),
        lost("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'", "never"),
    ];
    let now = "2026-01-02T03:04:05.678Z";
    let migrations = [Migration { name: "0001_initial".to_owned(), statements }];
    for _ in 0..2 {
        let stopped = place.database().migrate("task", &migrations, now).unwrap_err().to_string();
        assert_eq!(
            stopped,
            "no; of the 3 statements of `0001_initial` these are done and stay: made: a thing; other: no longer wanted"
        );
    }
    let kept = place.database().undo("task", &migrations, now).unwrap_err().to_string();
    assert!(kept.starts_with("it cannot be taken back: the rows are gone; of the 3 statements"), "{kept}");
}

/// Whatever of the shop somebody changes by hand is named, is made as it should be, and comes back as it was when that is taken back.
#[test]
fn what_was_changed_by_hand_is_named_and_mended_and_taken_back() {
    let Some(place) = Place::empty("drift") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &shop()).must_end_with(0);
    place.execute(
        "INSERT INTO users (id, email, name) VALUES ('019c0f3e-7b1a-7c3d-8e5f-0123456789ab', 'a@example.com', 'a')",
    );
    let made = place.tables();
    let db = |words: &[&str]| {
        let mut command = workspace.command(&[&["db"], words].concat());
        end_with_input(command.env("SHOP_URL", place.url()), &shop())
    };
    for (change, says) in [
        ("ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'paid'", "column `status` has another default"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_total_range", "check `orders_total_range` is missing"),
        (
            "ALTER TABLE orders DROP CONSTRAINT orders_total_range, ADD CONSTRAINT orders_total_range CHECK (total > 5)",
            "check `orders_total_range` is another one",
        ),
        ("ALTER TABLE orders DROP FOREIGN KEY orders_user_id_fkey", "`user_id` is no key to `users` as it was"),
        (
            "ALTER TABLE orders DROP FOREIGN KEY orders_user_id_fkey, DROP INDEX orders_user_id_idx",
            "index `orders_user_id_idx` is missing",
        ),
        (
            "ALTER TABLE orders DROP INDEX orders_user_id_idx, ADD INDEX orders_user_id_idx (user_id, status)",
            "index `orders_user_id_idx` is another one",
        ),
        ("DROP TRIGGER orders_touch", "trigger `orders_touch` is missing"),
        (
            "DROP TRIGGER orders_touch; CREATE TRIGGER orders_touch BEFORE UPDATE ON orders FOR EACH ROW SET NEW.total = 1",
            "trigger `orders_touch` is another one",
        ),
        ("ALTER TABLE users MODIFY email varchar(254) NOT NULL COMMENT 'x'", "column `email` is of another kind"),
        (
            "ALTER TABLE users MODIFY name varchar(300) COLLATE latin1_swedish_ci NULL DEFAULT 'it''s'",
            "column `name` is of another kind",
        ),
        ("ALTER TABLE users DROP INDEX users_email_unique", "`email` is not unique"),
        ("ALTER TABLE orders COMMENT 'x'", "its comment is another one"),
        ("ALTER TABLE users MODIFY updated_at datetime(3) NOT NULL DEFAULT current_timestamp(3)", "another default"),
    ] {
        place.execute(change);
        let changed = place.tables();
        let error = place.run(&workspace, &shop()).must_end_with(2).response()["error"].clone();
        assert_eq!(error["code"], "IP208");
        assert!(error.to_string().contains(says), "{change}: {error}");
        assert!(db(&["diff", "-"]).must_end_with(4).stdout.contains(says), "{change}");
        db(&["migrate", "-", "--allow-destructive"]).must_end_with(0);
        assert_eq!(place.tables(), made, "{change}");
        db(&["diff", "-"]).must_end_with(0);
        let mut undo = workspace.command(&["db", "undo", "integration_2025_002"]);
        end(undo.env("SHOP_URL", place.url())).must_end_with(0);
        assert_eq!(place.tables(), changed, "{change}");
        db(&["migrate", "-", "--allow-destructive"]).must_end_with(0);
        assert_eq!(place.value("group_concat(email, name) FROM users"), "a@example.coma");
    }
}

#[test]
fn each_way_of_not_being_let_in_has_its_word() {
    let Some(place) = Place::empty("refusals") else { return };
    let workspace = Workspace::new();
    let (before, after) = place.server.rsplit_once('@').unwrap();
    let user = before.rsplit_once(':').unwrap().0;
    for (url, code) in [
        (format!("{user}:hunter2@{after}"), "authentication"),
        ("mysql://ada:hunter2@127.0.0.1:1/shop".to_owned(), "refused"),
        ("mysql://ada:hunter2@nowhere.invalid/shop?ssl-mode=REQUIRED".to_owned(), "unknown_host"),
        ("mysql://ada:hunter2@127.0.0.1".to_owned(), "location"),
        ("postgresql://ada:hunter2@127.0.0.1/shop".to_owned(), "location"),
        ("mysql://ada:hunter2@127.0.0.1:port/shop".to_owned(), "location"),
    ] {
        let mut run = workspace.command(&["run", "-"]);
        let ended = end_with_input(run.env("SHOP_URL", &url), &shop()).must_end_with(1);
        let error = ended.response()["error"].clone();
        assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &code.into()), "{url}: {error}");
        assert!(error["hint"].is_string(), "{error}");
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"), "{}", ended.stdout);
    }
    assert!(!workspace.path().join("output").exists());
    let new = Place { server: place.server.clone(), name: format!("{}_new", place.name) };
    new.run(&workspace, &shop()).must_end_with(0);
    assert_eq!(new.tables().len(), 4, "a database that is missing is made by who may");
}

/// What listens and speaks only when it is spoken to, as PostgreSQL does, and what does not listen at all.
#[test]
fn what_is_no_such_server_is_told_soon() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, code) in [(silent.local_addr().unwrap(), "not_the_server"), (nobody, "refused")] {
        let workspace = Workspace::new();
        let mut run = workspace.command(&["run", "-"]);
        let begun = std::time::Instant::now();
        let ended = end_with_input(run.env("SHOP_URL", format!("mysql://ada:hunter2@{address}/shop")), &shop());
        let error = ended.must_end_with(1).response()["error"].clone();
        assert!(begun.elapsed() < std::time::Duration::from_secs(6), "{code}: {:?}", begun.elapsed());
        assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &code.into()), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("port"), "{error}");
    }
}

#[test]
fn a_user_who_may_make_no_scratch_database_is_told_which_right_is_missing() {
    let Some(place) = Place::empty("unscratched") else { return };
    let user = format!("u{}", std::process::id());
    place.on_server(&format!(
        "CREATE USER {user}@'%' IDENTIFIED BY 'hunter2'; GRANT ALL ON {}.* TO {user}@'%'",
        place.name
    ));
    let (scheme, after) = place.server.split_once("://").unwrap();
    let (address, _) = after.rsplit_once('@').unwrap().1.split_once('/').unwrap();
    let url = format!("{scheme}://{user}:hunter2@{address}/{}", place.name);
    let workspace = Workspace::new();
    let mut run = workspace.command(&["run", "-"]);
    let ended = end_with_input(run.env("SHOP_URL", &url), &shop()).must_end_with(1).response();
    let cause = ended["error"]["cause"].as_str().unwrap();
    assert!(cause.contains("GRANT ALL ON `producer\\_rehearsal\\_%`.*"), "{cause}");
    assert_eq!(place.tables(), []);
    place.on_server(&format!("GRANT ALL ON `producer\\_rehearsal\\_%`.* TO {user}@'%'"));
    let mut run = workspace.command(&["run", "-"]);
    end_with_input(run.env("SHOP_URL", &url), &shop()).must_end_with(0);
    place.on_server(&format!("DROP USER {user}@'%'"));
}

#[test]
fn a_password_is_kept_nowhere() {
    let Some(place) = Place::empty("secrets") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &shop()).must_end_with(0);
    let password = place.server.split('@').next().unwrap().rsplit(':').next().unwrap().to_owned();
    for (path, content) in crate::harness::workspace::files(workspace.path()) {
        let holds = content.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!holds, "{path} holds the password");
    }
}
