//! What those see who serve from a real MySQL or MariaDB server, which `TEST_MYSQL_URL` names: transactions that stay or are undone,
//! names that are held, connections that end while nobody looks, and scratch databases of which nothing is left.

use crate::{Database, Ended, Late, MySqlServer, Scratch, Store, StoreError};
use dialect::mysql::HOLD_NAME;
use plan::database::Pool;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vocab::Datum;

/// The server; none where there is none, which is said.
fn server() -> Option<Database> {
    let url = std::env::var("TEST_MYSQL_URL").ok();
    if url.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED serving from MySQL: `TEST_MYSQL_URL` is not set");
    }
    url.map(|url| Database::MySql(MySqlServer::parse(&url).unwrap()))
}

async fn table(scratch: &Scratch) {
    let create = "CREATE TABLE numbers (number bigint PRIMARY KEY, of bigint REFERENCES numbers (number))";
    scratch.store.read(create.into(), Vec::new()).await.unwrap();
}

async fn numbers(store: &Store) -> Vec<i64> {
    let rows = store.read("SELECT number FROM numbers ORDER BY number".into(), Vec::new()).await.unwrap();
    rows.into_iter()
        .map(|row| match row[..] {
            [Datum::Integer(number)] => number,
            _ => panic!("{row:?}"),
        })
        .collect()
}

async fn write(store: &Store, number: i64, ended: fn(u64) -> Ended<u64>) -> Result<u64, StoreError> {
    run(store, "INSERT INTO numbers (number) VALUES (?)", vec![number], ended).await
}

async fn run(
    store: &Store,
    text: &'static str,
    values: Vec<i64>,
    ended: fn(u64) -> Ended<u64>,
) -> Result<u64, StoreError> {
    let values: Vec<Datum> = values.into_iter().map(Datum::Integer).collect();
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(ended(transaction.execute(text, &values).await?)) })
    });
    work.await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_stays_or_leaves_nothing() {
    let Some(database) = server() else { return };
    let scratch = Scratch::beside(&database).unwrap();
    table(&scratch).await;
    let store = &scratch.store;
    assert_eq!(write(store, 1, Ended::Commit).await.unwrap(), 1);
    write(store, 2, Ended::Undo).await.unwrap();
    assert!(matches!(write(store, 1, Ended::Commit).await, Err(StoreError::Conflict)));
    // A row that is found counts as changed, whatever becomes of it.
    let same = "UPDATE numbers SET number = number WHERE number = ?";
    assert_eq!(run(store, same, vec![1], Ended::Commit).await.unwrap(), 1);
    let lead = "UPDATE numbers SET of = ? WHERE number = ?";
    assert!(matches!(run(store, lead, vec![9, 1], Ended::Commit).await, Err(StoreError::Reference)));
    // Nobody waits for it any more: it is undone, and its connection is not used again.
    let dropped = store.transaction(|mut transaction| {
        Box::pin(async move {
            transaction.execute("INSERT INTO numbers (number) VALUES (3)", &[]).await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Ended::Commit(()))
        })
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), dropped).await.is_err());
    write(store, 4, Ended::Commit).await.unwrap();
    assert_eq!(numbers(store).await, [1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ended_meanwhile_are_made_anew() {
    let Some(database) = server() else { return };
    let scratch = Scratch::beside(&database).unwrap();
    table(&scratch).await;
    let other = database.open(Pool::default()).unwrap();
    let name = scratch.store.read("SELECT DATABASE()".into(), Vec::new()).await.unwrap();
    let [Datum::Text(name)] = &name[0][..] else { panic!("{name:?}") };
    for number in 1..4 {
        write(&scratch.store, number, Ended::Commit).await.unwrap();
        assert_eq!(numbers(&scratch.store).await.len(), usize::try_from(number).unwrap());
        // As a restart does; the connection that keeps the scratch is in another database.
        let all = format!("SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = '{name}'");
        let ends = other.read(all.into(), Vec::new()).await.unwrap();
        assert!(!ends.is_empty());
        for end in ends {
            let [Datum::Text(end)] = &end[..] else { panic!("{end:?}") };
            other.read(end.as_str().into(), Vec::new()).await.unwrap();
        }
    }
    assert_eq!(numbers(&scratch.store).await, [1, 2, 3]);
}

/// Both lock a row and then want the other's.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_in_each_others_way_one_is_told_to_try_again() {
    let Some(database) = server() else { return };
    let scratch = Scratch::beside(&database).unwrap();
    table(&scratch).await;
    for number in [1, 2] {
        write(&scratch.store, number, Ended::Commit).await.unwrap();
    }
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let both = |first: i64, second: i64| {
        let (store, barrier) = (scratch.store.clone(), Arc::clone(&barrier));
        async move {
            store
                .transaction(move |mut transaction| {
                    Box::pin(async move {
                        let hold = "SELECT number FROM numbers WHERE number = ? FOR UPDATE";
                        transaction.read(hold, &[Datum::Integer(first)]).await?;
                        barrier.wait().await;
                        transaction.read(hold, &[Datum::Integer(second)]).await?;
                        Ok(Ended::Commit(()))
                    })
                })
                .await
        }
    };
    let (one, other) = tokio::join!(both(1, 2), both(2, 1));
    let contended = [&one, &other].into_iter().filter(|ended| matches!(ended, Err(StoreError::Contended(_)))).count();
    assert_eq!((contended, [one.is_ok(), other.is_ok()].contains(&true)), (1, true));
}

/// The one that comes second does not see the row of the first while that is not committed, and meets it as a conflict.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_one_stores_meanwhile_is_kept() {
    let Some(database) = server() else { return };
    let scratch = Scratch::beside(&database).unwrap();
    table(&scratch).await;
    let (begun, wait_begun) = tokio::sync::oneshot::channel();
    let store = scratch.store.clone();
    let first = tokio::spawn(async move {
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move {
                transaction.execute("INSERT INTO numbers (number) VALUES (1)", &[]).await?;
                begun.send(()).unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(Ended::Commit(()))
            })
        });
        work.await
    });
    wait_begun.await.unwrap();
    let keep =
        "INSERT INTO numbers (number) SELECT ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE number = ?)";
    assert_eq!(run(&scratch.store, keep, vec![1, 1], Ended::Commit).await.unwrap(), 0);
    first.await.unwrap().unwrap();
    assert_eq!(run(&scratch.store, keep, vec![2, 2], Ended::Commit).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_held_until_its_transaction_ends() {
    let Some(database) = server() else { return };
    let scratch = Scratch::beside(&database).unwrap();
    let hold = |pause: u64, ended: fn(()) -> Ended<()>| {
        let store = scratch.store.clone();
        async move {
            let work = store.transaction(move |mut transaction| {
                Box::pin(async move {
                    transaction.read(HOLD_NAME, &[Datum::Text("a name".to_owned())]).await?;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    Ok(ended(()))
                })
            });
            work.await
        }
    };
    let begun = Instant::now();
    let (one, other) = tokio::join!(hold(200, Ended::Commit), hold(200, Ended::Undo));
    one.unwrap();
    other.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400), "one waits for the other");
    // Neither of the connections that were given back holds it any more.
    let begun = Instant::now();
    for _ in 0..3 {
        hold(0, Ended::Commit).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_keeps_its_bounds() {
    let Some(database) = server() else { return };
    let pool = Pool { max: 2, acquire_timeout: 1, statement_timeout: 1, idle_timeout: 1, ..Pool::default() };
    let store = database.open(pool).unwrap();
    let slow = store.read("SELECT SLEEP(5) FROM information_schema.tables LIMIT 1".into(), Vec::new()).await;
    assert!(matches!(slow, Err(StoreError::Late(Late::Statement, _))), "{slow:?}");
    let (begun, wait_begun) = tokio::sync::oneshot::channel();
    let other = store.clone();
    let held = tokio::spawn(async move {
        let work = other.transaction(move |mut transaction| {
            Box::pin(async move {
                transaction.execute("DO 1", &[]).await?;
                begun.send(()).unwrap();
                tokio::time::sleep(Duration::from_millis(1500)).await;
                Ok(Ended::Commit(()))
            })
        });
        work.await
    });
    wait_begun.await.unwrap();
    let late = store.transaction(|_transaction| Box::pin(async { Ok(Ended::Commit(())) })).await;
    assert!(matches!(late, Err(StoreError::Late(Late::Pool, _))), "{late:?}");
    held.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_scratch() {
    let Some(database) = server() else { return };
    let store = database.open(Pool::default()).unwrap();
    let left = format!("producer_rehearsal_left_{}", std::process::id());
    store.read(format!("CREATE DATABASE {left}").into(), Vec::new()).await.unwrap();
    let scratch = Scratch::beside(&database).unwrap();
    let found = scratch.store.read("SELECT DATABASE()".into(), Vec::new()).await.unwrap();
    let [Datum::Text(name)] = &found[0][..] else { panic!("{found:?}") };
    let databases = async |name: &str| {
        let text = format!("SELECT schema_name FROM information_schema.schemata WHERE schema_name = '{name}'");
        store.read(text.into(), Vec::new()).await.unwrap().len()
    };
    assert_eq!((databases(&left).await, databases(name).await), (0, 1));
    let name = name.clone();
    drop(scratch);
    assert_eq!(databases(&name).await, 0);
}
