//! Database tasks on a real MySQL or MariaDB server: made, run again, interrupted, changed by hand, extended, and every way in which nobody
//! is let in. `TEST_MYSQL_URL` names the server; `cargo xtask test` starts a MariaDB.

use crate::harness::repository;
use crate::harness::workspace::{Ended, Workspace, end_with_input};
use plan::Migration;
use plan::database::{LockClass, ObservedTable, Undo};
use std::fs;
use std::io::Write as _;
use store::{Database, MySqlServer};

/// A database of a test's own on the server; it goes with the value.
struct Place {
    server: String,
    name: String,
}

impl Place {
    /// An empty one; none where there is no server, which is said.
    fn empty(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TEST_MYSQL_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on MySQL: `TEST_MYSQL_URL` is not set");
            return None;
        };
        let place = Self { server, name: format!("{test}_{}", std::process::id()) };
        place.on_server(&format!("DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0}", place.name));
        Some(place)
    }

    fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    fn database(&self) -> MySqlServer {
        MySqlServer::parse(&self.url()).unwrap()
    }

    fn on_server(&self, statements: &str) {
        run(&MySqlServer::parse(&self.server).unwrap(), &self.name, statements);
    }

    fn execute(&self, statements: &str) {
        run(&self.database(), "by hand", statements);
    }

    /// Fails where the condition does not hold.
    fn holds(&self, condition: &str) {
        self.execute(&format!("DO IF({condition}, 1, (SELECT 1 UNION ALL SELECT 2))"));
    }

    fn tables(&self) -> Vec<ObservedTable> {
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

#[test]
fn what_was_changed_by_hand_is_named() {
    let Some(place) = Place::empty("drift") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &shop()).must_end_with(0);
    for (change, says) in [
        ("ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'paid'", "column `status` has another default"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_total_range", "check `orders_total_range` is missing"),
        ("ALTER TABLE orders DROP FOREIGN KEY orders_user_id_fkey", "`user_id` is no key to `users` as it was"),
        ("DROP INDEX orders_user_id_idx ON orders", "index `orders_user_id_idx` is missing"),
        ("DROP TRIGGER orders_touch", "trigger `orders_touch` is missing"),
        ("ALTER TABLE users MODIFY email varchar(254) NOT NULL", "column `email` is of another kind"),
        ("ALTER TABLE orders COMMENT 'x'", "its comment is another one"),
    ] {
        place.execute(change);
        let error = place.run(&workspace, &shop()).must_end_with(2).response()["error"].clone();
        assert_eq!(error["code"], "IP208");
        assert!(error.to_string().contains(says), "{change}: {error}");
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
