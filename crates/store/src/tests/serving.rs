//! What those see who serve from a real PostgreSQL server, which `TEST_POSTGRESQL_URL` names: transactions that stay or are undone,
//! connections that end while nobody looks, and scratch schemas of which nothing is left.

use crate::{Database, Ended, Late, Scratch, Server, Store, StoreError, Trouble, Whose};
use plan::database::Pool;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use vocab::{Datum, Engine};

/// The server; none where there is none, which is said.
fn server() -> Option<String> {
    let url = std::env::var("TEST_POSTGRESQL_URL").ok();
    if url.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED serving from PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
    }
    url
}

fn database(url: &str) -> Database {
    Database::PostgreSql(Server::parse(url).unwrap())
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

async fn write(store: &Store, number: i64, ended: fn(()) -> Ended<()>) -> Result<(), StoreError> {
    store
        .transaction(move |mut transaction| {
            Box::pin(async move {
                transaction.execute("INSERT INTO numbers VALUES ($1)", &[Datum::Integer(number)]).await?;
                Ok(ended(()))
            })
        })
        .await
}

async fn table(scratch: &Scratch) {
    scratch.store.read("CREATE TABLE numbers (number bigint PRIMARY KEY)".into(), Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_stays_or_leaves_nothing() {
    let Some(url) = server() else { return };
    let scratch = Scratch::beside(&database(&url)).unwrap();
    table(&scratch).await;
    let store = &scratch.store;
    write(store, 1, Ended::Commit).await.unwrap();
    write(store, 2, Ended::Undo).await.unwrap();
    assert!(matches!(write(store, 1, Ended::Commit).await, Err(StoreError::Conflict)));
    // Nobody waits for it any more: it is undone, and its connection is not used again.
    let dropped = store.transaction(|mut transaction| {
        Box::pin(async move {
            transaction.execute("INSERT INTO numbers VALUES (3)", &[]).await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Ended::Commit(()))
        })
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), dropped).await.is_err());
    write(store, 4, Ended::Commit).await.unwrap();
    assert_eq!(numbers(store).await, [1, 4]);
}

/// Statements whose answers nobody needs are heard at the end, or by whatever stands behind them.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_without_listening_counts_as_what_was_asked() {
    let Some(url) = server() else { return };
    let scratch = Scratch::beside(&database(&url)).unwrap();
    table(&scratch).await;
    let store = &scratch.store;
    let send = async |sent: &'static [i64], then: &'static str, ended: fn(()) -> Ended<()>| {
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move {
                for number in sent {
                    transaction.send("INSERT INTO numbers VALUES ($1)", vec![Datum::Integer(*number)]).await?;
                }
                if !then.is_empty() {
                    transaction.read(then, &[]).await?;
                }
                Ok(ended(()))
            })
        });
        work.await
    };
    send(&[1, 2], "", Ended::Commit).await.unwrap();
    send(&[3], "SELECT 1 / (count(*) - 2) FROM numbers", Ended::Commit).await.unwrap();
    send(&[4], "", Ended::Undo).await.unwrap();
    for (sent, then, ended) in [
        (&[5, 1][..], "", Ended::Commit as fn(()) -> _),
        (&[1, 5], "", Ended::Commit),
        (&[5, 1], "", Ended::Undo),
        // The statement behind is refused as well; why, that in front says. This one is new to the connection.
        (&[5, 1], "SELECT number FROM numbers LIMIT 1", Ended::Commit),
        (&[5, 1], "SELECT number FROM numbers LIMIT 1", Ended::Commit),
    ] {
        let refused = send(sent, then, ended).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{sent:?}, {then}: {refused:?}");
    }
    assert_eq!(numbers(store).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ended_meanwhile_are_made_anew() {
    let Some(url) = server() else { return };
    let name = format!("ends_{}", std::process::id());
    let sign = if url.contains('?') { '&' } else { '?' };
    let scratch = Scratch::beside(&database(&format!("{url}{sign}application_name={name}"))).unwrap();
    table(&scratch).await;
    let other = database(&url).open(Pool::default()).unwrap();
    for number in 1..4 {
        write(&scratch.store, number, Ended::Commit).await.unwrap();
        assert_eq!(numbers(&scratch.store).await.len(), usize::try_from(number).unwrap());
        // As a restart does; but for the connection that keeps the scratch.
        let those =
            format!("FROM pg_stat_activity WHERE application_name = '{name}' AND query NOT LIKE 'CREATE SCHEMA%'");
        let end = format!("SELECT pg_terminate_backend(pid) {those}");
        assert!(!other.read(end.into(), Vec::new()).await.unwrap().is_empty());
        // They are told to end; what is asked of one that is still there is lost with it.
        let left: Arc<str> = format!("SELECT pid {those}").into();
        while !other.read(Arc::clone(&left), Vec::new()).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(numbers(&scratch.store).await, [1, 2, 3]);
}

/// One connection for reads, two for transactions; each second somebody waits too long.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_keeps_its_bounds() {
    let Some(url) = server() else { return };
    let name = format!("pool_{}", std::process::id());
    let sign = if url.contains('?') { '&' } else { '?' };
    let pool = Pool { min: 1, max: 3, idle_timeout: 1, acquire_timeout: 1, statement_timeout: 1, ..Pool::default() };
    let store = database(&format!("{url}{sign}application_name={name}")).open(pool).unwrap();
    let watcher = database(&url).open(Pool::default()).unwrap();
    let connections = async || {
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
        match watcher.read(count.into(), Vec::new()).await.unwrap()[0][..] {
            [Datum::Integer(count)] => count,
            ref row => panic!("{row:?}"),
        }
    };
    let barrier = Arc::new(tokio::sync::Barrier::new(3));
    let held = [(); 2].map(|()| {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let work = store.transaction(move |mut transaction| {
                Box::pin(async move {
                    transaction.read("SELECT 1", &[]).await?;
                    barrier.wait().await;
                    barrier.wait().await;
                    Ok(Ended::Commit(()))
                })
            });
            work.await
        })
    });
    barrier.wait().await;
    let refused = store.transaction(|_| Box::pin(async { Ok(Ended::Commit(())) })).await.unwrap_err();
    assert!(matches!(refused, StoreError::Late(Late::Pool, _)), "{refused:?}");
    store.read("SELECT 1".into(), Vec::new()).await.unwrap();
    assert_eq!(connections().await, 3);
    barrier.wait().await;
    for held in held {
        held.await.unwrap().unwrap();
    }
    let late = store.read("SELECT pg_sleep(5)::text".into(), Vec::new()).await.unwrap_err();
    assert!(matches!(late, StoreError::Late(Late::Statement, _)), "{late:?}");
    // Those without work are closed, but for one.
    let closed = async {
        while connections().await > 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(connections().await, 1);
}

/// Both lock a row and then want the other's.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_in_each_others_way_one_is_told_to_try_again() {
    let Some(url) = server() else { return };
    let scratch = Scratch::beside(&database(&url)).unwrap();
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
                        let hold = "SELECT number FROM numbers WHERE number = $1 FOR UPDATE";
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

/// The table changes under a statement that was prepared for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_may_change_while_it_is_read() {
    let Some(url) = server() else { return };
    let scratch = Scratch::beside(&database(&url)).unwrap();
    table(&scratch).await;
    let all = || scratch.store.read("SELECT * FROM numbers".into(), Vec::new());
    // As often as there are connections.
    for _ in 0..3 {
        assert!(all().await.unwrap().is_empty());
    }
    scratch.store.read("ALTER TABLE numbers ADD COLUMN more text".into(), Vec::new()).await.unwrap();
    for _ in 0..3 {
        assert!(all().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_scratch() {
    let Some(url) = server() else { return };
    let store = database(&url).open(Pool::default()).unwrap();
    let left = "producer_scratch_left_behind";
    store.read(format!("CREATE SCHEMA IF NOT EXISTS {left}").into(), Vec::new()).await.unwrap();
    let scratch = Scratch::beside(&database(&url)).unwrap();
    table(&scratch).await;
    let own = format!("producer_scratch_{}_", std::process::id());
    let schemas = async |name: &str| {
        let text = format!("SELECT nspname::text FROM pg_namespace WHERE nspname = '{name}'");
        store.read(text.into(), Vec::new()).await.unwrap().len()
    };
    assert_eq!(schemas(left).await, 0);
    let found = scratch.store.read("SELECT current_schema()::text".into(), Vec::new()).await.unwrap();
    let [Datum::Text(name)] = &found[0][..] else { panic!("{found:?}") };
    assert!(name.starts_with(&own));
    assert_eq!(schemas(name).await, 1);
    let name = name.clone();
    drop(scratch);
    assert_eq!(schemas(&name).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_on_who_serves_from_it_is_starting_or_ending() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    for (engine, url) in [
        (Engine::PostgreSql, format!("postgresql://ada:x@{address}/shop")),
        (Engine::MySql, format!("mysql://ada:x@{address}/shop")),
    ] {
        let database = Database::parse(engine, &url, |path| path.into()).unwrap();
        let store = database.open(Pool { acquire_timeout: 0, ..Pool::default() }).unwrap();
        let read = store.read("SELECT 1".into(), Vec::new()).await.unwrap_err();
        let begun = store.transaction(|_| Box::pin(async { Ok(Ended::Undo(())) })).await.unwrap_err();
        for error in [read, begun] {
            assert!(matches!(error, StoreError::NotConnected(Trouble::Starting, _)), "{engine}: {error:?}");
            assert!(error.is_retryable());
        }
        // Whoever has never seen it is told that it may be something else.
        let looked = std::thread::spawn(move || database.look("shop").unwrap_err()).join().unwrap();
        assert!(matches!(looked, StoreError::NotConnected(Trouble::NotTheServer, _)), "{engine}: {looked:?}");
    }
}

/// Many users at once on the connections that reads share, with somebody between who means all: each is heard as who they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whose_rows_are_asked_for_is_said_with_each_statement() {
    const ASKED: usize = 120;
    let Some(url) = server() else { return };
    let store = database(&url).open(Pool::default()).unwrap();
    let said = "SELECT current_setting('app.user_id')";
    let asked = (0..ASKED).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let user = format!("user'{}", number % 7);
            let (whose, wanted) = match number % 3 {
                0 => (Whose::Everybodys, "*".to_owned()),
                _ => (Whose::Of(user.clone()), user),
            };
            let read = store.read_about(&whose, said.into(), Vec::new()).await.unwrap();
            assert_eq!(read, [[Datum::Text(wanted.clone())]], "read {number}");
            let work = store.transaction_about(&whose, move |mut transaction| {
                Box::pin(async move { Ok(Ended::Commit(transaction.read(said, &[]).await?)) })
            });
            assert_eq!(work.await.unwrap(), [[Datum::Text(wanted)]], "transaction {number}");
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    // Whoever says nothing means all, and nobody is called so.
    let all = store.read(said.into(), Vec::new()).await.unwrap();
    let nobody = store.read_about(&Whose::Of("*".to_owned()), said.into(), Vec::new()).await.unwrap();
    assert_eq!((all, nobody), (vec![vec![Datum::Text("*".to_owned())]], vec![vec![Datum::Text(String::new())]]));
}
