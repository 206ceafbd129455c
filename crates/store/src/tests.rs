//! The store against a real SQLite file: what it promises about groups, failures, migrations and inspection.

mod deliveries;
mod migrations;
mod mysql_serving;
mod serving;
mod shop;
mod wal;

use crate::{ApiKeyRow, Attempt, Database, Ended, Location, Server, Store, StoreError};
use plan::database::{LockClass, Migration, Undo};
use plan::system;
use std::path::PathBuf;
use vocab::{ColumnName, Datum, Engine};

fn scratch() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("test.sqlite"))).unwrap();
    let tables = [system::outbox_events(), system::api_keys()];
    let statements = dialect::create_tables(Engine::Sqlite, &tables);
    store.migrate("task", &[Migration { name: "0001_initial".into(), statements }], "now").unwrap();
    (folder, store)
}

async fn insert(store: &Store, id: &str, keep: bool) -> Result<u64, StoreError> {
    let parameters = [id, "contact_form", "{}", "2026-01-02T03:04:05.678Z"].map(|text| Datum::Text(text.into()));
    store
        .transaction(move |mut transaction| {
            Box::pin(async move {
                let changed = transaction.execute(&dialect::lower_emit(Engine::Sqlite), &parameters).await?;
                Ok(if keep { Ended::Commit(changed) } else { Ended::Undo(changed) })
            })
        })
        .await
}

#[tokio::test]
async fn a_failing_transaction_takes_nothing_of_its_group_with_it() {
    let (_folder, store) = scratch();
    let writes = (0..200).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { insert(&store, &format!("{}", number / 2), true).await })
    });
    let mut stored = 0;
    let mut conflicts = 0;
    for write in writes.collect::<Vec<_>>() {
        match write.await.unwrap() {
            Ok(1) => stored += 1,
            Err(StoreError::Conflict) => conflicts += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((stored, conflicts), (100, 100));
    assert_eq!(store.count_rows(&[system::outbox_events().name]).await.unwrap(), 100);
    assert_eq!(store.count_rows(&vec![system::outbox_events().name; 1_100]).await.unwrap(), 110_000);
}

/// 50 MB are written without a pause: they do not stay in the log.
#[tokio::test]
async fn the_log_is_brought_home_while_somebody_writes_and_leaves_nothing_beside_the_file() {
    let (folder, store) = scratch();
    let payload = format!("\"{}\"", "a".repeat(500_000));
    for number in 0..100 {
        let parameters =
            [&number.to_string(), "big", &payload, "2026-01-02T03:04:05.678Z"].map(|text| Datum::Text(text.to_owned()));
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move {
                Ok(Ended::Commit(transaction.execute(&dialect::lower_emit(Engine::Sqlite), &parameters).await?))
            })
        });
        assert_eq!(work.await.unwrap(), 1);
    }
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len()) / 1_000_000;
    let (log, file) = (size("test.sqlite-wal"), size("test.sqlite"));
    assert!(log < 36 && file >= 25, "{log} MB in the log, {file} MB in the file");
    drop(store);
    assert_eq!((size("test.sqlite"), folder.path().join("test.sqlite-wal").exists()), (50, false));
}

#[tokio::test]
async fn an_undone_transaction_leaves_nothing() {
    let (_folder, store) = scratch();
    assert_eq!(insert(&store, "1", false).await.unwrap(), 1);
    assert_eq!(store.count_rows(&[system::outbox_events().name]).await.unwrap(), 0);
}

#[test]
fn inspection_shows_what_the_dialect_says_was_made() {
    let (_folder, store) = scratch();
    let wanted: Vec<_> = [system::api_keys(), system::outbox_events()]
        .iter()
        .map(|table| dialect::described(Engine::Sqlite, table))
        .collect();
    assert_eq!(store.inspect().unwrap(), wanted);
}

#[test]
fn a_migration_is_applied_once_and_never_changed() {
    let (_folder, store) = scratch();
    let statements = vec![dialect::create_table(Engine::Sqlite, &system::api_keys())];
    let changed = Migration { name: "0001_initial".into(), statements };
    assert!(matches!(
        store.migrate("task", std::slice::from_ref(&changed), "now"),
        Err(StoreError::MigrationChanged { .. })
    ));
    assert_eq!(store.migrate("another", std::slice::from_ref(&changed), "now").unwrap(), ["0001_initial"]);
    assert_eq!(store.migrate("another", &[changed], "now").unwrap(), Vec::<String>::new());
}

#[test]
fn a_migration_that_fails_half_way_leaves_nothing() {
    let (folder, store) = scratch();
    let mut statements = vec![dialect::create_table(Engine::Sqlite, &system::api_keys())];
    statements[0].sql = "CREATE TABLE half (id TEXT)".into();
    statements.push(plan::Statement { sql: "CREATE TABLE broken (".into(), ..statements[0].clone() });
    let migration = Migration { name: "0002_broken".into(), statements };
    assert!(matches!(store.migrate("task", &[migration], "now"), Err(StoreError::Refused(_))));
    let seen = crate::sqlite::SqliteStore::look(&folder.path().join("test.sqlite"), "task").unwrap();
    assert_eq!(seen.tables.len(), 2);
    assert_eq!(seen.applied.len(), 1);
}

#[test]
fn a_column_that_is_there_is_not_added_again() {
    let (_folder, store) = scratch();
    let add = |name: &str| {
        let mut column = system::api_keys().columns.pop().unwrap();
        column.name = ColumnName::parse(name).unwrap();
        dialect::add_column(Engine::Sqlite, &system::api_keys(), &column)
    };
    // Within one migration, and in that of another task.
    for task in ["task", "another"] {
        let statements = ["scopes", "colour", "colour"].into_iter().flat_map(add).collect();
        let migration = Migration { name: "0002_additions".into(), statements };
        assert_eq!(store.migrate(task, &[migration], "now").unwrap(), ["0002_additions"]);
    }
    let table = store.inspect().unwrap().into_iter().find(|table| table.name == "api_keys").unwrap();
    assert_eq!(table.columns.len(), system::api_keys().columns.len() + 1);
}

fn key(id: &str) -> ApiKeyRow {
    ApiKeyRow {
        id: id.to_owned(),
        name: "web".to_owned(),
        hint: "ipk_abcd".to_owned(),
        hash: format!("hash {id}"),
        created_at: "2026-01-01".to_owned(),
        revoked_at: None,
        expires_at: None,
        scopes: None,
        last_used_at: None,
        replaces: None,
        caller: None,
    }
}

#[tokio::test]
async fn a_revoked_key_is_not_found() {
    let (_folder, store) = scratch();
    let key = ApiKeyRow { expires_at: Some("2026-01-02".into()), scopes: Some("a:read".into()), ..key("1") };
    store.insert_api_key(&key).unwrap();
    assert_eq!(store.find_api_key(key.hash.clone()).await.unwrap().as_ref(), Some(&key));
    assert!(store.revoke_api_key("1", "later").unwrap());
    assert!(!store.revoke_api_key("1", "later").unwrap());
    assert_eq!(store.find_api_key(key.hash).await.unwrap(), None);
}

#[test]
fn a_key_is_replaced_once() {
    let (_folder, store) = scratch();
    store.insert_api_key(&key("1")).unwrap();
    let new = |id: &str, old: &str| ApiKeyRow { replaces: Some(old.into()), caller: Some("1".into()), ..key(id) };
    assert!(store.replace_api_key("1", "2026-01-05", &new("2", "1")).unwrap());
    assert!(!store.replace_api_key("1", "2026-01-06", &new("3", "1")).unwrap());
    assert!(store.replace_api_key("2", "2026-01-07", &new("3", "2")).unwrap());
    store.revoke_api_key("3", "later").unwrap();
    assert!(!store.replace_api_key("3", "2026-01-08", &new("4", "3")).unwrap());
    let rows = store.api_keys().unwrap();
    let ends: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.caller(), row.expires_at.as_deref())).collect();
    assert_eq!(ends, [("1", "1", Some("2026-01-05")), ("2", "1", Some("2026-01-07")), ("3", "1", None)]);
    let earlier = ApiKeyRow { expires_at: Some("2026-01-01".into()), ..key("5") };
    store.insert_api_key(&earlier).unwrap();
    assert!(store.replace_api_key("5", "2026-01-05", &new("6", "5")).unwrap());
    assert_eq!(store.api_keys().unwrap()[3], earlier, "a rotation lengthens no life");
}

#[tokio::test]
async fn the_latest_use_of_a_key_counts() {
    let (_folder, store) = scratch();
    store.insert_api_key(&key("1")).unwrap();
    for at in ["2026-01-03", "2026-01-02"] {
        store.note_api_key_uses(vec![("1".into(), at.into()), ("gone".into(), at.into())]).await.unwrap();
    }
    assert_eq!(store.api_keys().unwrap()[0].last_used_at.as_deref(), Some("2026-01-03"));
}

#[tokio::test]
async fn the_keys_of_an_older_database_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("test.sqlite"))).unwrap();
    let mut older = system::api_keys();
    let added = older.columns.split_off(6);
    let create = |statements| Migration { name: "0001_initial".into(), statements };
    store.migrate("a", &[create(vec![dialect::create_table(Engine::Sqlite, &older)])], "now").unwrap();
    let insert = "INSERT INTO api_keys (id, name, hint, hash, created_at) VALUES ('1', 'web', 'ipk_abcd', 'hash 1', '2026-01-01')";
    store.read(insert.into(), Vec::new()).await.unwrap();
    assert_eq!(store.find_api_key("hash 1".into()).await.unwrap(), Some(key("1")));
    assert!(store.insert_api_key(&key("2")).is_err());
    // A server that has it open sees the columns as soon as they are there.
    let add = added.iter().flat_map(|column| dialect::add_column(Engine::Sqlite, &older, column)).collect();
    store.migrate("b", &[create(add)], "now").unwrap();
    store.read("UPDATE api_keys SET scopes = 'a:read'".into(), Vec::new()).await.unwrap();
    let found = store.find_api_key("hash 1".into()).await.unwrap().unwrap();
    assert_eq!(found.scopes.as_deref(), Some("a:read"));
}

#[tokio::test]
async fn every_rule_is_read_back_as_it_was_made_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("shop.sqlite"))).unwrap();
    let tables = shop::shop();
    let migration =
        Migration { name: "0001_initial".into(), statements: dialect::create_tables(Engine::Sqlite, &tables) };
    store.migrate("shop", &[migration], "now").unwrap();
    let mut wanted: Vec<_> = tables.iter().map(|table| dialect::described(Engine::Sqlite, table)).collect();
    wanted.sort_by(|left, right| left.name.cmp(&right.name));
    assert_eq!(store.inspect().unwrap(), wanted);

    let run = async |text: &'static str| {
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(text, &[]).await?)) })
        });
        work.await.map_err(|error| error.to_string())
    };
    run("INSERT INTO people (email) VALUES ('ada@example.com')").await.unwrap();
    run("INSERT INTO \"order\" (person_id, quantity) SELECT id, 1 FROM people").await.unwrap();
    for (wrong, why) in [
        ("INSERT INTO people (email) VALUES ('ADA@example.com')", "unique"),
        ("INSERT INTO \"order\" (person_id, quantity) VALUES ('nobody', 1)", "rows lead to each other"),
        ("INSERT INTO \"order\" (person_id, quantity) SELECT id, 0 FROM people", "order_quantity_range"),
        ("INSERT INTO \"order\" (person_id, quantity, status) SELECT id, 1, 'new' FROM people", "order_status_words"),
        ("DELETE FROM people", "rows lead to each other"),
    ] {
        let error = run(wrong).await.unwrap_err();
        assert!(error.contains(why), "{wrong}: {error}");
    }
    let read = async |text: &str| store.read(text.into(), Vec::new()).await.unwrap();
    let id = &read("SELECT id FROM people").await[0][0];
    let Datum::Text(id) = id else { panic!("{id:?}") };
    let made: String = id.chars().map(|letter| if letter.is_ascii_hexdigit() { 'x' } else { letter }).collect();
    assert_eq!((made.as_str(), &id[14..15]), ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "7"), "{id}");

    run("UPDATE \"order\" SET updated_at = '2026-01-01T00:00:00.000Z'").await.unwrap();
    run("UPDATE \"order\" SET quantity = 2").await.unwrap();
    let kept = read("SELECT updated_at > '2026-01-01T00:00:00.000Z', row_version FROM \"order\"").await;
    assert_eq!(kept, [[Datum::Integer(1), Datum::Integer(2)]]);
}

#[test]
fn every_rule_is_read_back_from_postgresql_as_it_was_made() {
    let Ok(url) = std::env::var("TEST_POSTGRESQL_URL") else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED rules on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
        return;
    };
    let tables = shop::shop();
    let statements = dialect::create_tables(Engine::PostgreSql, &tables);
    let migration = Migration { name: "0001_initial".into(), statements };
    let database = Database::PostgreSql(Server::parse(&url).unwrap());
    let rehearsal = database.rehearse(&[migration], &[]).unwrap();
    let mut wanted: Vec<_> = tables.iter().map(|table| dialect::described(Engine::PostgreSql, table)).collect();
    wanted.sort_by(|left, right| left.name.cmp(&right.name));
    assert_eq!(rehearsal.tables, wanted);
}

/// More of them than are sent before an answer is waited for, and what is refused is refused in many ways.
fn rehearsed(database: &Database) {
    let statement = plan::Statement::new(
        "CREATE TABLE stones (name varchar(9) NOT NULL UNIQUE, weight bigint CHECK (weight > 0))",
        "a test",
        LockClass::NewObject,
        Undo::Kept("it is a test".into()),
    );
    let insert = match database {
        Database::PostgreSql(_) => "INSERT INTO stones (name, weight) VALUES ($1, $2)",
        Database::Sqlite(_) | Database::MySql(_) | Database::MongoDb(_) => {
            "INSERT INTO stones (name, weight) VALUES (?1, ?2)"
        }
    };
    let stone = |number: i64, weight: i64| Attempt {
        text: insert.to_owned(),
        parameters: vec![Datum::Text(format!("{number}")), Datum::Integer(weight)],
    };
    let bare = |text: &str| Attempt { text: text.to_owned(), parameters: Vec::new() };
    let (mut attempts, mut wanted) = (Vec::new(), Vec::new());
    for number in 1..=100 {
        attempts.extend([stone(number, number), stone(number, 1), stone(-number, 0), bare("DELETE FROM stone")]);
        attempts.extend([bare("no statement"), bare("UPDATE stones SET weight = weight + 1")]);
        wanted.extend([Some(1), None, None, None, None, Some(u64::try_from(number).unwrap())]);
    }
    let migration = Migration { name: "0001_initial".into(), statements: vec![statement] };
    let rehearsal = database.rehearse(&[migration], &attempts).unwrap();
    let outcomes: Vec<_> = rehearsal.outcomes.iter().map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(outcomes, wanted);
    let is_told_apart =
        |at: usize, kind: &dyn Fn(&StoreError) -> bool| kind(rehearsal.outcomes[at].as_ref().unwrap_err());
    assert!(is_told_apart(1, &|error| matches!(error, StoreError::Conflict)), "{:?}", rehearsal.outcomes[1]);
    assert!(is_told_apart(2, &|error| matches!(error, StoreError::Refused(_))), "{:?}", rehearsal.outcomes[2]);
}

#[test]
fn an_attempt_that_is_refused_changes_nothing_for_the_next() {
    rehearsed(&Database::Sqlite(PathBuf::new()));
    let Ok(url) = std::env::var("TEST_POSTGRESQL_URL") else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED attempts on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
        return;
    };
    rehearsed(&Database::PostgreSql(Server::parse(&url).unwrap()));
}
