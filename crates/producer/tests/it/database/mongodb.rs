//! Database tasks on a server that speaks MongoDB's protocol: made, read back, run again, extended with backfill, changed by hand. What the
//! server cannot prove is `not_verified` by name. `TEST_MONGODB_URL` names the server; `cargo xtask test` finds one.

use crate::harness::workspace::{Ended, Workspace, end_with_input};
use std::io::Write as _;
use store::{Database, MongoServer};

const SHOP: &str = "task_id: shop_db\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: mongodb\n    connection: ${env:SHOP_URL}\n    environment: development\n    schema_requirements:\n      tables: [users, products, orders, order_items, contact_messages]\n      relationships: [users_to_orders, orders_to_products]\n";

/// A database of a test's own on the server.
struct Place(String);

impl Place {
    fn empty(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TEST_MONGODB_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on MongoDB: `TEST_MONGODB_URL` is not set");
            return None;
        };
        let (before, _) = server.rsplit_once('/').unwrap();
        let id = uuid_like();
        Some(Self(format!("{before}/{test}_{id}")))
    }

    fn server(&self) -> MongoServer {
        MongoServer::parse(&self.0).unwrap()
    }

    fn ended(&self, workspace: &Workspace, words: &[&str], task: &str) -> Ended {
        end_with_input(workspace.command(words).env("SHOP_URL", &self.0), task)
    }
}

/// A word that no other run of the tests has.
fn uuid_like() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}_{}", std::process::id(), now.as_nanos())
}

#[test]
fn collections_are_made_read_back_and_what_cannot_be_proved_is_named() {
    let Some(place) = Place::empty("shop") else { return };
    let workspace = Workspace::new();
    let ended = place.ended(&workspace, &["run", "-"], SHOP).must_end_with(0);
    let response = ended.response();
    assert!(response["output"]["metadata"]["database_version"].as_str().unwrap().starts_with("mongodb_"));
    let abilities = place.server().abilities().unwrap();
    let open = |check: &str| match check {
        "a row without a required value is refused" | "a value that a check forbids is refused" => {
            !abilities.validators
        }
        "changes of several documents come about together or not at all" => !abilities.transactions,
        "each role may do what it must, and nothing else" | "a backup was restored" => true,
        _ => false,
    };
    let verified = super::verified(&ended);
    for line in &verified {
        let (check, outcome) = line.rsplit_once(": ").unwrap();
        let wanted = if open(check) { "not_verified" } else { "passed" };
        assert_eq!(outcome, wanted, "{check}");
    }
    let keeps = |check: &str| verified.iter().any(|line| line.starts_with(check));
    assert!(
        keeps("a unique value is refused the second time") && keeps("removing a row does to others what the plan says")
    );
    let tables = place.server().tables().unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["contact_messages", "orders", "products", "users"], "order items are inside of orders");
    let orders = tables.iter().find(|table| table.name == "orders").unwrap();
    assert!(orders.checks.iter().any(|check| check.name == "items" && check.text.contains("product_id")), "{orders:?}");
    let indexed: Vec<&str> = orders.indexes.iter().map(|index| index.name.as_str()).collect();
    assert_eq!(indexed, ["order_items_product_id_idx", "orders_user_id_idx"]);
    let again = place.ended(&workspace, &["run", "-"], SHOP).must_end_with(0);
    assert_eq!(again.response()["changed"], false);
    let folder = workspace.path().join("output/integration/task_shop_db/databases");
    let schema = std::fs::read_to_string(folder.join("schema.js")).unwrap();
    assert!(schema.contains("db.runCommand({\n  \"create\": \"users\""), "{schema}");
    assert!(folder.join("migrations/0001_initial.js").is_file());
}

#[test]
fn a_field_that_is_new_is_given_to_the_documents_that_are_there() {
    let Some(place) = Place::empty("backfill") else { return };
    let workspace = Workspace::new();
    let rooms = |columns: &str| {
        format!(
            "task_id: rooms_db\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: mongodb\n    connection: ${{env:SHOP_URL}}\n    schema_requirements:\n      tables: [{{ name: rooms, columns: {{ {columns} }} }}]\n"
        )
    };
    place.ended(&workspace, &["run", "-"], &rooms("number: integer")).must_end_with(0);
    let database = Database::MongoDb(place.server());
    let store = database.open(plan::database::Pool::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let execute = |text: &'static str| {
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move { transaction.execute(text, &[]).await.map(store::Ended::Commit) })
        });
        runtime.block_on(work).unwrap()
    };
    assert_eq!(
        execute(r#"{"command":{"insert":"rooms","documents":[{"_id":"a","number":1},{"_id":"b","number":2}]}}"#),
        2
    );
    let more = rooms("number: integer, floor: { type: integer, default: 3 }");
    let differs = place.ended(&workspace, &["db", "diff", "-"], &more).must_end_with(4);
    assert!(differs.stdout.contains("floor"), "{}", differs.stdout);
    place.ended(&workspace, &["db", "migrate", "-"], &more).must_end_with(0);
    let read = r#"{"command":{"find":"rooms","filter":{},"sort":{"_id":1}},"columns":[["_id",""],["floor",""]]}"#;
    let rows = runtime.block_on(store.read(read.into(), Vec::new())).unwrap();
    assert!(rows.iter().all(|row| row[1] == vocab::Datum::Integer(3)) && rows.len() == 2, "{rows:?}");
    place.ended(&workspace, &["db", "diff", "-"], &more).must_end_with(0);
}

/// What is written in vain is taken back, whether the server has transactions or not.
#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let Some(place) = Place::empty("undone") else { return };
    let store = Database::MongoDb(place.server()).open(plan::database::Pool::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let insert = r#"{"command":{"insert":"things","documents":[{"_id":"a","count":1}]}}"#;
    let update = r#"{"command":{"update":"things","updates":[{"q":{"_id":"a"},"u":{"$inc":{"count":5}}}]}}"#;
    let run = |texts: [&'static str; 2], fails: bool| {
        let work = store.transaction(move |mut transaction| {
            Box::pin(async move {
                for text in texts {
                    transaction.execute(text, &[]).await?;
                }
                Ok(if fails { store::Ended::Undo(()) } else { store::Ended::Commit(()) })
            })
        });
        runtime.block_on(work)
    };
    let find = r#"{"command":{"find":"things","filter":{}},"columns":[["count",""]]}"#;
    let counts = || runtime.block_on(store.read(find.into(), Vec::new())).unwrap();
    run([insert, update], true).unwrap();
    assert!(counts().is_empty());
    run([insert, update], false).unwrap();
    run([update, insert], false).unwrap_err();
    assert_eq!(counts(), [vec![vocab::Datum::Integer(6)]]);
}

/// What somebody has begun to write who is gone is taken back by whoever writes next; on a server with transactions the server does it.
#[test]
fn whoever_dies_in_between_leaves_nothing() {
    let Some(place) = Place::empty("died") else { return };
    if place.server().abilities().unwrap().transactions {
        return;
    }
    let open = || Database::MongoDb(place.server()).open(plan::database::Pool::default()).unwrap();
    let execute = |texts: Vec<&'static str>, dies: bool| {
        let store = open();
        let (began, beginning) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let work = async move {
            let work = store.transaction(move |mut transaction| {
                Box::pin(async move {
                    for text in texts {
                        transaction.execute(text, &[]).await?;
                    }
                    began.send(()).unwrap();
                    if dies {
                        std::future::pending::<()>().await;
                    }
                    Ok(store::Ended::Commit(()))
                })
            });
            work.await
        };
        let work = runtime.spawn(work);
        beginning.recv().unwrap();
        if !dies {
            runtime.block_on(work).unwrap().unwrap();
        }
        runtime.shutdown_background();
    };
    let things = || {
        let find = r#"{"command":{"find":"things","filter":{},"sort":{"_id":1}},"columns":[["_id",""],["count",""]]}"#;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rows = runtime.block_on(open().read(find.into(), Vec::new())).unwrap();
        rows.into_iter().map(|row| (row[0].plain(), row[1].clone())).collect::<Vec<_>>()
    };
    let number = |id: &str, number| (id.to_owned(), vocab::Datum::Integer(number));
    execute(vec![r#"{"command":{"insert":"things","documents":[{"_id":"a","count":1}]}}"#], false);
    let raise = r#"{"command":{"update":"things","updates":[{"q":{"_id":"a"},"u":{"$inc":{"count":5}}}]}}"#;
    let insert = r#"{"command":{"insert":"things","documents":[{"_id":"b","count":2}]}}"#;
    execute(vec![raise, insert], true);
    assert_eq!(things(), [number("a", 6), number("b", 2)], "what is under way can be seen");
    execute(vec![r#"{"command":{"insert":"things","documents":[{"_id":"c","count":3}]}}"#], false);
    assert_eq!(things(), [number("a", 1), number("c", 3)]);
}
