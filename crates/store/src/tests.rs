//! The store against a real SQLite file: what it promises about groups, failures, migrations and inspection.

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
