//! Database tasks as people meet them, on SQLite, and on PostgreSQL in the file beside: made, run again, changed by hand, extended, and asked for what is missing.

mod backup_faults;
mod backups;
mod bucket_backups;
mod changes;
mod connection_config;
mod connections;
mod drills;
mod interruptions;
mod killed_files;
mod locks;
mod mongodb;
mod mysql;
mod mysql_backups;
mod mysql_locks;
mod mysql_roles;
mod optimize;
mod own_rows;
mod performance;
mod pooler;
mod postgresql;
mod provision;
mod replicas;
mod restarts;
mod roles;

use crate::harness::repository;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files, query};
use std::fs;
use std::path::PathBuf;

/// A task with these tables, and lines of `database_config` besides.
fn task(tables: &str, besides: &str) -> String {
    format!(
        "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    name: rooms\n{besides}\n    schema_requirements:\n      tables: {tables}\n"
    )
}

const ROOMS: &str = "[{ name: rooms, columns: { number: { type: integer, required: true } } }]";

fn file(workspace: &Workspace) -> PathBuf {
    workspace.path().join(".producer/data/rooms.sqlite")
}

fn verified(ended: &Ended) -> Vec<String> {
    let checks = ended.response()["verification"].as_array().unwrap().clone();
    checks.iter().map(|check| format!("{}: {}", check["check"], check["outcome"]).replace('"', "")).collect()
}

#[test]
fn a_second_run_changes_nothing() {
    let workspace = Workspace::new();
    let sample = repository("tests/cases/tasks/shop-sqlite.yaml");
    let ended = workspace.run(&sample).must_end_with(0);
    assert_eq!(ended.response()["changed"], true);
    for check in [
        "the statements make the schema on an empty database: passed",
        "a value that a check forbids is refused: passed",
        "a unique value is refused the second time: passed",
        "a key that leads nowhere is refused: passed",
        "removing a row does to others what the plan says: passed",
        "the database keeps times and versions by itself: passed",
        "the schema was read back from the database: passed",
    ] {
        assert!(verified(&ended).contains(&check.to_owned()), "{check}: {:?}", verified(&ended));
    }
    let before = files(workspace.path());
    let again = workspace.run(&sample).must_end_with(0).response();
    assert_eq!(again["changed"], false);
    let undated = |mut files: std::collections::BTreeMap<String, Vec<u8>>| {
        files.retain(|path, _| !path.ends_with("response.yaml"));
        files
    };
    assert!(undated(files(workspace.path())) == undated(before), "a file has changed");
}

#[test]
fn the_whole_schema_makes_the_same_database() {
    let workspace = Workspace::new();
    workspace.run(&repository("tests/cases/tasks/shop-sqlite.yaml")).must_end_with(0);
    let text = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations' ORDER BY name";
    let made = query(&workspace.path().join(".producer/data/development_db.sqlite"), text);
    let schema = workspace.path().join("output/integration/task_shop_sqlite_001/databases/schema.sql");
    let loaded = workspace.path().join("loaded.sqlite");
    load(&loaded, &fs::read_to_string(schema).unwrap());
    assert_eq!(query(&loaded, text), made);
    assert_eq!(made.len(), 10, "four tables, two indexes, four triggers");
}

#[test]
fn a_column_of_the_task_becomes_a_column_of_the_database() {
    let workspace = Workspace::new();
    workspace.run_text(&task(ROOMS, "")).must_end_with(0);
    query(&file(&workspace), "INSERT INTO rooms (number) VALUES (7)");
    let more = "[halls, { name: rooms, columns: { number: { type: integer, required: true }, seats: { type: integer, default: 4 }, hall_id: { type: uuid, references: halls } } }]";
    let ended = workspace.run_text(&task(more, "")).must_end_with(0);
    assert_eq!(ended.response()["changed"], true);
    assert_eq!(query(&file(&workspace), "SELECT number, seats, hall_id FROM rooms"), [["7", "4", "-"]]);
    let names = query(&file(&workspace), "SELECT name FROM schema_migrations ORDER BY name");
    assert_eq!(names, [["0001_initial"], ["0002_additions"]]);
    assert_eq!(workspace.run_text(&task(more, "")).must_end_with(0).response()["changed"], false);
}

#[test]
fn a_database_that_was_changed_by_hand_is_not_built_upon() {
    let workspace = Workspace::new();
    workspace.run(&repository("tests/cases/tasks/shop-sqlite.yaml")).must_end_with(0);
    let shop = workspace.path().join(".producer/data/development_db.sqlite");
    query(&shop, "DROP INDEX orders_user_id_idx");
    query(&shop, "DROP TRIGGER users_touch");
    let mut check = workspace.command(&["check", "shop-sqlite.yaml"]);
    let checked = end(check.current_dir(repository("tests/cases/tasks"))).must_end_with(2).stdout;
    assert_eq!(
        checked,
        "shop-sqlite.yaml:4:3: IP208: table `users` is there and differs: trigger `users_touch` is missing\n\
         shop-sqlite.yaml:4:3: IP208: table `orders` is there and differs: index `orders_user_id_idx` is missing\n"
    );
}

#[test]
fn what_is_missing_is_asked_for() {
    let workspace = Workspace::new();
    let ended = workspace.run_text(&task(ROOMS, "    environment: production")).must_end_with(3).response();
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&"needs_input".into(), &"connection_missing".into()));
    assert_eq!(ended["error"]["kind"], "database.connection");
    assert!(ended["error"]["hint"].as_str().unwrap().contains("connection: \"${env:DATABASE_URL}\""), "{ended}");

    let by_variable = task(ROOMS, "    environment: production\n    connection: ${env:ROOMS_URL}");
    let mut run = workspace.command(&["run", "-"]);
    let ended = end_with_input(run.env_remove("ROOMS_URL"), &by_variable).must_end_with(3).response();
    assert_eq!(ended["error"]["code"], "variable_missing");
    assert!(!file(&workspace).exists());

    let elsewhere = workspace.path().join("elsewhere/rooms.sqlite");
    let mut run = workspace.command(&["run", "-"]);
    run.env("ROOMS_URL", format!("file:{}", elsewhere.display()));
    let ended = end_with_input(&mut run, &by_variable).must_end_with(0).response();
    assert_eq!(ended["output"]["database"]["name"], elsewhere.to_str().unwrap());
    assert_eq!(query(&elsewhere, "SELECT count(*) FROM rooms"), [["0"]]);

    let mut run = workspace.command(&["run", "-"]);
    let ended = end_with_input(run.env("ROOMS_URL", "file:x?password=hunter2"), &by_variable).must_end_with(1);
    assert_eq!(ended.response()["error"]["code"], "location");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"), "{}", ended.stdout);
}

#[test]
fn a_file_that_is_no_database_is_a_failed_connection() {
    let workspace = Workspace::new();
    let other = workspace.path().join("letter.txt");
    fs::write(&other, "Dear Ada, this is not a database, however long one looks at it.").unwrap();
    let ended = workspace.run_text(&task(ROOMS, &format!("    connection: \"file:{}\"", other.display())));
    let error = ended.must_end_with(1).response()["error"].clone();
    assert_eq!(error["kind"], "database.connection");
    assert_eq!(error["place"], other.to_str().unwrap());
}

#[test]
fn a_migration_that_was_edited_in_the_ledger_is_refused() {
    let workspace = Workspace::new();
    workspace.run_text(&task(ROOMS, "")).must_end_with(0);
    query(&file(&workspace), "UPDATE schema_migrations SET checksum = 'another'");
    let error = workspace.run_text(&task(ROOMS, "")).must_end_with(1).response()["error"].clone();
    assert_eq!((&error["kind"], &error["code"]), (&"database.migration".into(), &"migration_changed".into()));
}

#[test]
fn databases_are_not_served() {
    let workspace = Workspace::new();
    workspace.run_text(&task(ROOMS, "")).must_end_with(0);
    let served = end(&mut workspace.command(&["serve", "--listen", "127.0.0.1:0"])).must_end_with(1);
    assert!(served.stderr.contains("no completed API"), "{}", served.stderr);
    let status = end(&mut workspace.command(&["status"])).must_end_with(0).stdout;
    assert!(status.contains("rooms") && status.contains("completed"), "{status}");
}

/// Runs the statements of a file, one migration of a ledger that is not looked at.
fn load(database: &std::path::Path, text: &str) {
    let statement = plan::Statement::new(
        text,
        "the whole schema",
        plan::database::LockClass::NewObject,
        plan::database::Undo::Impossible("it is a test".to_owned()),
    );
    let migration = plan::Migration { name: "0001_whole".to_owned(), statements: vec![statement] };
    store::Database::Sqlite(database.to_owned()).migrate("whole", &[migration], "now").unwrap();
}

/// A task with every table of the catalogue, by its bare name.
fn every_table(kind: &str, place: &str) -> String {
    let mut tables: Vec<String> = Vec::new();
    for folder in ["crates/catalog/entities", "crates/catalog/tables"] {
        for file in fs::read_dir(repository(folder)).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            tables.push(text.lines().find_map(|line| line.strip_prefix("table: ")).unwrap().to_owned());
        }
    }
    tables.sort();
    let tables = tables.join(", ");
    format!(
        "task_id: all\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: {kind}\n    environment: development\n    {place}\n    schema_requirements: {{ tables: [{tables}] }}\n"
    )
}

#[test]
fn every_table_of_the_catalogue_is_made_and_kept() {
    let workspace = Workspace::new();
    let task = every_table("sqlite", "name: all");
    workspace.run_text(&task).must_end_with(0);
    assert_eq!(workspace.run_text(&task).must_end_with(0).response()["changed"], false);
    let file = workspace.path().join(".producer/data/all.sqlite");
    // A column that is called after another table leads there, and no circle keeps the first row from being written.
    let leads = |table: &str, column: &str| {
        let text = format!(
            "SELECT \"table\" || ' ' || on_delete FROM pragma_foreign_key_list('{table}') WHERE \"from\" = '{column}'"
        );
        query(&file, &text).concat().concat()
    };
    for (table, column, target) in [
        ("invoices", "customer_id", "customers RESTRICT"),
        ("payments", "invoice_id", "invoices RESTRICT"),
        ("subscriptions", "plan_id", "plans RESTRICT"),
        ("enrollments", "course_id", "courses RESTRICT"),
        ("order_items", "order_id", "orders CASCADE"),
        ("order_items", "product_id", "products RESTRICT"),
        ("comments", "parent_id", "comments CASCADE"),
        ("time_entries", "task_id", "tasks SET NULL"),
        ("likes", "target_id", ""),
        ("followers", "follower_id", "users CASCADE"),
        ("followers", "followed_id", "users CASCADE"),
    ] {
        assert_eq!(leads(table, column), target, "{table}.{column}");
    }
    let unindexed = "SELECT m.name || '.' || k.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) k WHERE m.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) l, pragma_index_info(l.name) c WHERE c.seqno = 0 AND c.name = k.\"from\")";
    assert_eq!(query(&file, unindexed), Vec::<Vec<String>>::new(), "an index behind every key");
    // Money is exact and has its currency beside it; that of a line is its order's.
    let without = "SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.type = 'INTEGER' AND c.name IN ('price', 'total', 'amount', 'balance', 'value', 'salary', 'unit_price')) AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'currency') ORDER BY 1";
    assert_eq!(query(&file, without).concat(), ["order_items"], "money without a currency");
    let document = workspace.path().join("output/integration/task_all/documentation/database-schema.md");
    let document = fs::read_to_string(document).unwrap();
    assert!(document.contains("personal"), "the sensitivity of columns is printed");
}

#[test]
fn a_path_that_can_hold_no_database_says_so() {
    let workspace = Workspace::new();
    let folder = workspace.path().join("a folder");
    fs::create_dir(&folder).unwrap();
    let below = workspace.path().join("letter.txt");
    fs::write(&below, "Dear Ada").unwrap();
    for (place, code) in [
        (format!("file:{}", folder.display()), "not_a_file"),
        ("file:/dev/null".to_owned(), "not_a_file"),
        (format!("file:{}/rooms.sqlite", below.display()), "no_folder"),
        (":memory:".to_owned(), "location"),
        ("postgresql://ada@127.0.0.1/rooms".to_owned(), "location"),
        ("file:".to_owned(), "location"),
    ] {
        let mut run = workspace.command(&["run", "-"]);
        let task = task(ROOMS, "    connection: ${env:ROOMS_URL}");
        let response = end_with_input(run.env("ROOMS_URL", &place), &task).must_end_with(1).response();
        let error = &response["error"];
        assert_eq!((&error["kind"], &error["code"]), (&"database.connection".into(), &code.into()), "{place}: {error}");
        assert!(error["hint"].is_string() && error["cause"].is_string() && error["place"].is_string(), "{error}");
        assert_eq!(response["changed"], false, "{place}");
    }
    assert!(!workspace.path().join("output").exists() && fs::read_dir(folder).unwrap().next().is_none());
}

/// What SQLite cannot change in place makes the table anew: indexes and triggers of somebody else's come with it, and what is part of the
/// table itself keeps it from being done at all.
#[test]
fn a_table_that_is_made_anew_keeps_what_somebody_has_added() {
    let workspace = Workspace::new();
    let run = |task: &str| end_with_input(&mut workspace.command(&["run", "-"]), task);
    run(&task(ROOMS, "")).must_end_with(0);
    let file = file(&workspace);
    for by_hand in [
        "CREATE TABLE log (number INTEGER)",
        "CREATE INDEX late ON rooms (number) WHERE number > 100",
        "CREATE TRIGGER heard AFTER INSERT ON rooms BEGIN INSERT INTO log VALUES (new.number); END",
    ] {
        query(&file, by_hand);
    }
    let stricter = task(&ROOMS.replace("required: true", "required: true, at_least: 1"), "");
    run(&stricter).must_end_with(0);
    let additions = || {
        query(&file, "SELECT sql FROM sqlite_schema WHERE name IN ('late', 'heard', 'rooms') ORDER BY name")
            .into_iter()
            .map(|row| row[0].clone())
            .collect::<Vec<_>>()
    };
    let kept = additions();
    assert!(kept.len() == 3 && kept[1].contains("WHERE number > 100") && kept[2].contains("CHECK"), "{kept:?}");
    query(&file, "INSERT INTO rooms (number) VALUES (101)");
    assert_eq!(query(&file, "SELECT number FROM log"), [["101"]]);

    query(&file, "ALTER TABLE rooms ADD COLUMN note TEXT");
    let stricter_still = task(&ROOMS.replace("required: true", "required: true, at_least: 2"), "");
    let refused = run(&stricter_still).must_end_with(2);
    assert!(
        refused.stdout.contains("somebody has added to it: column `note` of table `rooms` with what it holds\""),
        "{}",
        refused.stdout
    );
    assert_eq!(additions().len(), 3);

    // Who allows losses has all of it taken away.
    let migrate = ["db", "migrate", "-", "--allow-destructive"];
    end_with_input(&mut workspace.command(&migrate), &stricter_still).must_end_with(0);
    assert_eq!(additions().len(), 1);
    assert_eq!(run(&stricter_still).must_end_with(0).response()["changed"], false);
}
