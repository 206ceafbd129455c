//! The store against a real SQLite file: what it promises about groups, failures, migrations and inspection.

mod shop;

use crate::{ApiKeyRow, Ended, Location, Store, StoreError};
use plan::database::Migration;
use plan::system;
use vocab::{Datum, Engine};

fn scratch() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Location::File(folder.path().join("test.sqlite"))).unwrap();
    let tables = [system::outbox_events(), system::api_keys()];
    let statements = tables.iter().map(|table| dialect::create_table(Engine::Sqlite, table)).collect();
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
    let (tables, applied) = Store::look(&folder.path().join("test.sqlite"), "task").unwrap();
    assert_eq!(tables.len(), 2);
    assert_eq!(applied.len(), 1);
}

#[tokio::test]
async fn a_revoked_key_is_not_found() {
    let (_folder, store) = scratch();
    let text = |text: &str| text.to_owned();
    let key = ApiKeyRow {
        id: text("1"),
        name: text("web"),
        hint: text("ipk_abcd"),
        hash: text("ff"),
        created_at: text("now"),
        revoked_at: None,
    };
    store.insert_api_key(&key).unwrap();
    assert_eq!(store.find_api_key(text("ff")).await.unwrap(), Some(key));
    assert!(store.revoke_api_key("1", "later").unwrap());
    assert!(!store.revoke_api_key("1", "later").unwrap());
    assert_eq!(store.find_api_key(text("ff")).await.unwrap(), None);
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
        ("INSERT INTO \"order\" (person_id, quantity) VALUES ('nobody', 1)", "FOREIGN KEY"),
        ("INSERT INTO \"order\" (person_id, quantity) SELECT id, 0 FROM people", "order_quantity_range"),
        ("INSERT INTO \"order\" (person_id, quantity, status) SELECT id, 1, 'new' FROM people", "order_status_words"),
        ("DELETE FROM people", "FOREIGN KEY"),
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
