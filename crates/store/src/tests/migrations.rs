//! Migrations that are taken back, that make tables anew, and that run step by step, on SQLite and on a real PostgreSQL server.

use crate::blocking::blocking;
use crate::{Database, Server, StoreError};
use plan::Statement;
use plan::database::{Execution, LockClass, Migration, Undo};
use std::io::Write as _;
use std::time::Duration;

fn migration(name: &str, statements: Vec<Statement>) -> Migration {
    Migration { name: name.to_owned(), statements }
}

fn statement(sql: &str, undo: &str) -> Statement {
    Statement::new(sql, "a test", LockClass::Writes, Undo::Statement(undo.to_owned()))
}

fn alone(sql: &str, undo: &str) -> Statement {
    Statement { execution: Execution::Alone, ..statement(sql, undo) }
}

fn names(database: &Database) -> Vec<String> {
    database.look("task").unwrap().applied.into_iter().map(|applied| applied.name).collect()
}

/// A database of its own on the server, removed when it is dropped: one program at a time migrates a database, and an index that is made
/// beside writers waits for whoever has begun something in it.
struct Place {
    server: Server,
    url: String,
    name: String,
}

impl Place {
    fn new(test: &str) -> Option<Self> {
        let Ok(url) = std::env::var("TEST_POSTGRESQL_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
            return None;
        };
        let name = format!("store_{test}_{}", std::process::id());
        let (address, query) =
            url.split_once('?').map_or((&*url, String::new()), |(url, query)| (url, format!("?{query}")));
        let (host, _) = address.rsplit_once('/').unwrap();
        let place = Self { server: Server::parse(&url).unwrap(), url: format!("{host}/{name}{query}"), name };
        execute(&place.server, &format!("CREATE DATABASE {}", place.name));
        Some(place)
    }

    fn server(&self) -> Server {
        Server::parse(&self.url).unwrap()
    }

    fn database(&self) -> Database {
        Database::PostgreSql(self.server())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        execute(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// On a connection of its own, outside of the lock of those who migrate.
fn execute(server: &Server, sql: &str) {
    blocking(async { Ok(server.connect().await?.batch_execute(sql).await?) }).unwrap();
}

/// Runs statements by hand.
fn run(database: &Database, scope: &str, sql: &str) {
    let name = vocab::sha256_hex(sql.as_bytes());
    database.migrate(scope, &[migration(&name, vec![statement(sql, "")])], "2026-01-02T03:04:05.678Z").unwrap();
}

const NOW: &str = "2026-01-02T03:04:05.678Z";

fn taken_back(database: &Database) {
    let first = migration("0001_initial", vec![statement("CREATE TABLE a (b TEXT)", "DROP TABLE a")]);
    let second =
        migration("0002_changes", vec![statement("ALTER TABLE a ADD COLUMN c TEXT", "ALTER TABLE a DROP COLUMN c")]);
    let both = [first.clone(), second.clone()];
    database.migrate("task", std::slice::from_ref(&first), NOW).unwrap();
    let before = database.look("task").unwrap();
    database.migrate("task", &both, NOW).unwrap();
    assert_ne!(database.look("task").unwrap(), before);
    assert_eq!(database.undo("task", std::slice::from_ref(&second), NOW).unwrap(), ["0002_changes"]);
    assert_eq!(database.look("task").unwrap(), before);
    assert_eq!(database.undo("task", std::slice::from_ref(&second), NOW).unwrap(), Vec::<String>::new());
    assert_eq!(database.migrate("task", &both, NOW).unwrap(), ["0002_changes"]);

    let edited = migration("0002_changes", vec![statement("SELECT 1", "SELECT 1")]);
    assert!(matches!(database.undo("task", &[edited], NOW), Err(StoreError::MigrationChanged { .. })));
    let for_good = Statement { undo: Undo::Impossible("its rows are gone".into()), ..statement("SELECT 1", "") };
    let third = migration("0003_changes", vec![statement("CREATE TABLE d (e TEXT)", "DROP TABLE d"), for_good]);
    database.migrate("task", std::slice::from_ref(&third), NOW).unwrap();
    let refused = database.undo("task", &[second, third], NOW).unwrap_err().to_string();
    assert!(refused.contains("its rows are gone"), "{refused}");
    assert_eq!(names(database), ["0001_initial", "0002_changes", "0003_changes"]);
    assert_eq!(database.look("task").unwrap().tables.len(), 2);
}

#[test]
fn what_was_applied_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    taken_back(&Database::Sqlite(folder.path().join("a.sqlite")));
    if let Some(place) = Place::new("taken_back") {
        taken_back(&place.database());
    }
}

#[test]
fn a_table_that_is_made_anew_takes_no_rows_of_others_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("a.sqlite"));
    run(
        &database,
        "hand",
        "CREATE TABLE a (b TEXT PRIMARY KEY); CREATE TABLE c (b TEXT REFERENCES a (b) ON DELETE CASCADE); INSERT INTO a VALUES ('1'); INSERT INTO c VALUES ('1')",
    );
    let anew = |b: &str| {
        let sql = format!(
            "CREATE TABLE n (b TEXT PRIMARY KEY); INSERT INTO n SELECT {b} FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a"
        );
        Statement { execution: Execution::KeysChecked, ..statement(&sql, "") }
    };
    database.migrate("task", &[migration("0001_initial", vec![anew("b")])], NOW).unwrap();
    assert_eq!(database.look("task").unwrap().filled, ["a", "c"]);
    let refused =
        database.migrate("task", &[migration("0002_changes", vec![anew("'2'")])], NOW).unwrap_err().to_string();
    assert!(refused.contains("a row of `c` would lead to a row of `a` that is not there"), "{refused}");
    assert_eq!(names(&database), ["0001_initial"]);
}

#[test]
fn what_somebody_has_added_to_a_table_outlives_its_being_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("a.sqlite"));
    let additions = [
        "CREATE INDEX by_c ON a (lower(c)) WHERE c IS NOT NULL",
        "CREATE TRIGGER heard AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.c); END",
    ];
    run(
        &database,
        "hand",
        &format!("CREATE TABLE a (b TEXT, c TEXT); CREATE TABLE log (c TEXT); {}", additions.join("; ")),
    );
    let anew = |columns: &str, undo: &str| Statement {
        execution: Execution::KeysChecked,
        keeps: vec!["by_c".to_owned(), "heard".to_owned()],
        ..statement(&format!("CREATE TABLE n ({columns}); DROP TABLE a; ALTER TABLE n RENAME TO a"), undo)
    };
    let back = "CREATE TABLE n (b TEXT, c TEXT); DROP TABLE a; ALTER TABLE n RENAME TO a";
    let first = migration("0001_initial", vec![anew("b TEXT, c TEXT, d TEXT", back)]);
    database.migrate("task", std::slice::from_ref(&first), NOW).unwrap();
    let seen = || {
        let seen = database.look("task").unwrap().tables.into_iter().find(|table| table.name == "a").unwrap();
        (seen.columns.len(), seen.indexes[0].name.clone(), seen.triggers[0].name.clone())
    };
    assert_eq!(seen(), (3, "by_c".to_owned(), "heard".to_owned()));
    run(&database, "hand", "INSERT INTO a (c) VALUES ('heard')");
    assert_eq!(database.look("task").unwrap().filled, ["a", "log"]);
    database.undo("task", &[first], NOW).unwrap();
    assert_eq!(seen(), (2, "by_c".to_owned(), "heard".to_owned()));
    let refused = database.migrate("task", &[migration("0001_other", vec![anew("b TEXT", "")])], NOW).unwrap_err();
    assert!(
        refused.to_string().contains("`by_c`, which somebody has added to `a`, does not fit it any more"),
        "{refused}"
    );
    assert_eq!(seen(), (2, "by_c".to_owned(), "heard".to_owned()), "nothing was done");
    let dropped = Statement { execution: Execution::KeysChecked, ..statement("DROP TABLE a", "") };
    database.migrate("task", &[migration("0001_other", vec![dropped])], NOW).unwrap();
}

#[test]
fn steps_are_noted_and_one_that_is_refused_leaves_nothing() {
    let Some(place) = Place::new("steps") else { return };
    let database = place.database();
    run(&database, "hand", "CREATE TABLE a (b text, c text); INSERT INTO a VALUES ('1', '1'), ('1', '2')");
    let before = database.look("task").unwrap();
    let first = alone("CREATE INDEX CONCURRENTLY a_c_idx ON a (c)", "DROP INDEX CONCURRENTLY IF EXISTS a_c_idx");
    let unique =
        alone("CREATE UNIQUE INDEX CONCURRENTLY a_b_key ON a (b)", "DROP INDEX CONCURRENTLY IF EXISTS a_b_key");
    let migration = [migration("0001_indexes", vec![first, unique])];
    assert!(matches!(database.migrate("task", &migration, NOW), Err(StoreError::Conflict)));
    assert_eq!(database.look("task").unwrap(), before, "the index that was made before the refused one is taken back");
    run(&database, "hand", "UPDATE a SET b = c");
    // As a program leaves it that was killed inside of the second step: the server keeps half an index.
    run(
        &database,
        "hand",
        "INSERT INTO schema_migration_steps (scope, name, checksum, step, event, at) SELECT scope, name, checksum, 1, 'done', at FROM schema_migration_steps WHERE step = 1 AND event = 'begun'; CREATE INDEX a_c_idx ON a (c)",
    );
    run(
        &database,
        "hand",
        "INSERT INTO schema_migration_steps (scope, name, checksum, step, event, at) SELECT scope, name, checksum, 2, 'begun', at FROM schema_migration_steps WHERE step = 2 AND event = 'begun'; CREATE INDEX a_b_key ON a (c)",
    );
    assert_eq!(database.migrate("task", &migration, NOW).unwrap(), ["0001_indexes"]);
    let indexes = &database.look("task").unwrap().tables[0].indexes;
    assert_eq!(
        indexes.iter().map(|index| (index.name.as_str(), index.columns.join(","))).collect::<Vec<_>>(),
        [("a_b_key", "b".to_owned()), ("a_c_idx", "c".to_owned())]
    );
    assert_eq!(database.undo("task", &migration, NOW).unwrap(), ["0001_indexes"]);
    assert_eq!(database.look("task").unwrap(), before);
}

#[test]
fn a_lock_of_somebody_else_is_not_waited_for_without_end() {
    let Some(place) = Place::new("locks") else { return };
    let database = place.database();
    run(&database, "hand", "CREATE TABLE a (b text)");
    std::thread::scope(|scope| {
        // It is ended from outside.
        let holds = scope.spawn(|| place.server().run_by_hand("BEGIN; LOCK TABLE a; SELECT pg_sleep(30)").is_err());
        std::thread::sleep(Duration::from_secs(1));
        let change = migration("0001_initial", vec![statement("ALTER TABLE a ADD COLUMN c text", "")]);
        let error = database.migrate("task", &[change], NOW).unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("table `a` is kept by process "), "{error}");
        execute(
            &place.server(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE a;%' AND datname = current_database() AND pid <> pg_backend_pid()",
        );
        assert!(holds.join().unwrap());
    });
    assert_eq!(database.look("task").unwrap().tables[0].columns.len(), 1);
    assert_eq!(names(&database), Vec::<String>::new());
}
