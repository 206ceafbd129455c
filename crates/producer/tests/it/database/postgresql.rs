//! Database tasks on a real PostgreSQL server: made, run again, changed by hand, extended, and every way in which nobody is let in.
//! `TEST_POSTGRESQL_URL` names the server; `cargo xtask test` starts one.

use crate::harness::repository;
use crate::harness::workspace::{Ended, Workspace, end_with_input};
use plan::Migration;
use plan::database::{LockClass, ObservedTable, Undo};
use std::fs;
use std::io::Write as _;
use store::{Database, Server};

/// A schema of a test's own on the server.
pub(super) struct Place {
    server: String,
    name: String,
}

impl Place {
    /// An empty one; none where there is no server, which is said.
    pub(super) fn empty(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TEST_POSTGRESQL_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
            return None;
        };
        let name = format!("{test}_{}", std::process::id());
        let place = Self { server: server.clone(), name };
        let setup = format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", place.name);
        run(&Server::parse(&server).unwrap(), &place.name, &setup);
        Some(place)
    }

    /// Its roles belong to the whole server.
    fn clean(&self) {
        let clean = format!(
            "DROP SCHEMA IF EXISTS {0} CASCADE; DO $$ DECLARE role name; BEGIN FOR role IN SELECT rolname FROM pg_roles \
             WHERE shobj_description(oid, 'pg_authid') LIKE '%, schema {0}' LOOP \
             EXECUTE format('DROP OWNED BY %I', role); EXECUTE format('DROP ROLE %I', role); END LOOP; END $$",
            self.name
        );
        run(&Server::parse(&self.server).unwrap(), &self.name, &clean);
    }

    pub(super) fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{}", self.server, self.name)
    }

    fn database(&self) -> Server {
        Server::parse(&self.url()).unwrap()
    }

    pub(super) fn execute(&self, statement: &str) {
        run(&self.database(), "by hand", statement);
    }

    pub(super) fn tables(&self) -> Vec<ObservedTable> {
        Database::PostgreSql(self.database()).look("task").unwrap().tables
    }

    /// The task with this place in its variable.
    fn run(&self, workspace: &Workspace, task: &str) -> Ended {
        let mut run = workspace.command(&["run", "-"]);
        end_with_input(run.env("SHOP_URL", self.url()), task)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clean();
    }
}

/// Runs statements, once for each text of them.
pub(super) fn run(server: &Server, scope: &str, text: &str) {
    let statement =
        plan::Statement::new(text, "a test", LockClass::Writes, Undo::Impossible("it is a test".to_owned()));
    let name = vocab::sha256_hex(text.as_bytes());
    server.migrate(scope, &[Migration { name, statements: vec![statement] }], "2026-01-02T03:04:05.678Z").unwrap();
}

fn shop() -> String {
    let task = fs::read_to_string(repository("tests/cases/tasks/shop-database.yaml")).unwrap();
    task.replace("type: \"postgresql\"", "type: \"postgresql\"\n    connection: \"${env:SHOP_URL}\"")
}

/// A table with a column of every type, under names that are keywords.
const EVERYTHING: &str = "{ name: order, columns: { user: { type: email, unique: true, default: a@example.com }, table: { type: line, default: \"it's\" }, when: { type: timestamp, default: now }, day: { type: date, default: now }, amount: { type: decimal, default: -1.5 }, number: { type: integer, default: -7 }, large: { type: integer, default: 5000000000 }, is_so: { type: boolean, default: true }, extra: { type: json, default: { bb: [1, { c: null }], a: \"x\" } }, key: { type: uuid, default: 019c0f3e-7b1a-7c3d-8e5f-0123456789ab } }, constraints: [{ check: { column: amount, at_least: -90.25, at_most: 90 } }, { check: { column: number, at_least: -7 } }, { check: { column: table, one_of: [\"it's\", \"b\"] } }, { unique: [number, day] }], indexes: [[table, when]] }";

fn everything(tables: &str) -> String {
    format!(
        "task_id: everything\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:SHOP_URL}}\n    schema_requirements:\n      tables: [{tables}]\n"
    )
}

#[test]
fn the_shop_is_made_once_and_tried() {
    let Some(place) = Place::empty("shop") else { return };
    let workspace = Workspace::new();
    let ended = place.run(&workspace, &shop()).must_end_with(0);
    let response = ended.response();
    assert_eq!(response["output"]["database"]["status"], "connected");
    assert!(response["output"]["metadata"]["database_version"].as_str().unwrap().starts_with("postgresql_"));
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
    place.execute("DO $$ BEGIN ASSERT (SELECT seats FROM rooms) = 4; END $$");
}

#[test]
fn what_was_changed_by_hand_is_named() {
    let Some(place) = Place::empty("drift") else { return };
    let workspace = Workspace::new();
    place.run(&workspace, &shop()).must_end_with(0);
    for (change, says) in [
        ("DROP INDEX orders_user_id_idx", "index `orders_user_id_idx` is missing"),
        ("ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'paid'", "column `status` has another default"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_total_range", "check `orders_total_range` is missing"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey", "`user_id` is no key to `users` as it was"),
        ("DROP TRIGGER orders_touch ON orders", "trigger `orders_touch` is missing"),
        ("COMMENT ON COLUMN orders.total IS 'x'", "column `total` has another comment"),
    ] {
        place.execute(change);
        let error = place.run(&workspace, &shop()).must_end_with(2).response()["error"].clone();
        assert_eq!(error["code"], "IP208");
        assert!(error["message"].as_str().unwrap().contains(says), "{change}: {error}");
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
        ("postgresql://ada:hunter2@127.0.0.1:1/shop".to_owned(), "refused"),
        ("postgresql://ada:hunter2@nowhere.invalid/shop?sslmode=require".to_owned(), "unknown_host"),
        ("postgresql://ada:hunter2@127.0.0.1/shop?sslmode=verify".to_owned(), "location"),
        ("mysql://ada:hunter2@127.0.0.1/shop".to_owned(), "location"),
        ("postgresql://ada:hunter2@127.0.0.1:port/shop".to_owned(), "location"),
    ] {
        let mut run = workspace.command(&["run", "-"]);
        let ended = end_with_input(run.env("SHOP_URL", &url), &shop()).must_end_with(1);
        let error = ended.response()["error"].clone();
        assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &code.into()), "{url}: {error}");
        assert!(error["hint"].is_string(), "{error}");
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"), "{}", ended.stdout);
    }
    assert!(!workspace.path().join("output").exists());
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

#[test]
fn without_a_connection_the_sample_asks_for_one() {
    let ended = Workspace::new().run(&repository("tests/cases/tasks/shop-database.yaml")).must_end_with(3);
    let response = ended.response();
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&"needs_input".into(), &"connection_missing".into())
    );
}

#[test]
fn every_table_of_the_catalogue_is_made_and_kept() {
    let Some(place) = Place::empty("catalogue") else { return };
    let workspace = Workspace::new();
    let task = super::every_table("postgresql", "connection: \"${env:SHOP_URL}\"");
    place.run(&workspace, &task).must_end_with(0);
    assert_eq!(place.run(&workspace, &task).must_end_with(0).response()["changed"], false);
}

/// Every request of the plan is tried on a scratch schema: fields from the tables, keys that lead nowhere, rows that others keep.
#[test]
fn an_api_works_on_its_tables() {
    let Some(place) = Place::empty("workshop") else { return };
    let workspace = Workspace::new();
    let sample = fs::read_to_string(repository("tests/cases/tasks/together/workshop-on-tables.yaml")).unwrap();
    let task = sample
        .replace("type: sqlite", "type: postgresql")
        .replace("    name: workshop\n", "    connection: \"${env:SHOP_URL}\"\n");
    let ended = place.run(&workspace, &task).must_end_with(0);
    for check in ["refuses a value of `customer_id` that names no record", "keeps what others lead to"] {
        assert!(ended.stdout.contains(check), "{check}: {}", ended.stdout);
    }
    let orders = place.tables().into_iter().find(|table| table.name == "orders").unwrap();
    assert!(orders.foreign_keys.iter().any(|key| key.table == "customers"), "{orders:?}");
}
