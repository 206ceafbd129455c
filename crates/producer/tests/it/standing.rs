//! Which database an API stands on: named, guessed where there is one, asked where there are two, and never left without a word.

use crate::harness::Sample;
use crate::harness::client::{ask, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Ended, Workspace, end, query};
use serde_json::Value as Json;
use std::path::PathBuf;
use vocab::Engine;

fn database(name: &str) -> String {
    format!(
        "task_id: {name}\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    name: {name}\n    environment: development\n    schema_requirements:\n      tables: [users, orders, products]\n      relationships: [users_to_orders, orders_to_products]\n"
    )
}

/// An API over a table of the database, and one that is its own.
fn api(dependencies: &str) -> String {
    format!(
        "task_id: api\ntask_type: setup_api\ndependencies: [{dependencies}]\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - {{ path: /api/products, method: GET, authentication: none }}\n      - {{ path: /api/products, method: POST, authentication: api_key }}\n      - {{ path: \"/api/products/{{id}}\", method: GET, authentication: none }}\n      - {{ path: /api/contact, method: POST, authentication: api_key }}\n"
    )
}

const PRODUCT: &str = r#"{"name":"Tea","price":"4.50"}"#;

fn file(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.path().join(format!(".producer/data/{name}.sqlite"))
}

/// The file that the API of a response stands on.
fn stands_on(ended: &Ended) -> String {
    let name = ended.response()["output"]["database"]["name"].as_str().unwrap().to_owned();
    PathBuf::from(name).file_stem().unwrap().to_str().unwrap().to_owned()
}

fn warnings(ended: &Ended) -> Vec<Json> {
    ended.response()["warnings"].as_array().unwrap().clone()
}

#[test]
fn it_serves_the_tables_of_the_task_that_it_depends_on() {
    let workspace = Workspace::new();
    for name in ["shop", "other"] {
        workspace.run_text(&database(name)).must_end_with(0);
    }
    let ended = workspace.run_text(&api("shop")).must_end_with(0);
    assert_eq!(stands_on(&ended), "shop");
    assert_eq!(workspace.run_text(&api("shop")).must_end_with(0).response()["changed"], false);
    assert!(!workspace.database_file().exists());
    let key = workspace.create_key();
    let server = Server::start(Kind::Native, &workspace);
    let made = ask(server.address, &post("/api/products", Some(&key), PRODUCT), "").unwrap();
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let rows = query(&file(&workspace, "shop"), "SELECT name, price, currency, row_version FROM products");
    assert_eq!(rows, [["Tea", "450", "USD", "1"]]);
    assert_eq!(query(&file(&workspace, "other"), "SELECT count(*) FROM products"), [["0"]]);
    let text = std::fs::read_to_string(workspace.path().join("output/integration/task_api/plan.md")).unwrap();
    assert!(
        text.contains("| database | the sqlite database of task `shop` | it is among the `dependencies` |"),
        "{text}"
    );
}

#[test]
fn on_a_server_a_second_run_changes_nothing() {
    for engine in [Engine::PostgreSql, Engine::MySql, Engine::MongoDb] {
        let Some(place) = Schema::empty(engine, "a second run") else { continue };
        let workspace = Workspace::completed_on(Sample::ContactNewsletter, place.url());
        let again = workspace.run(&Sample::ContactNewsletter.task()).must_end_with(0);
        assert_eq!(again.response()["changed"], false, "{engine}: {}", again.stdout);
    }
}

/// Its folder makes the other task's tables as well, where they are not there.
#[test]
fn the_emitted_application_brings_the_tables_that_it_stands_on() {
    if !Kind::Node.is_here() {
        return;
    }
    let mut workspace = Workspace::new();
    workspace.run_text(&database("shop")).must_end_with(0);
    workspace.run_text(&api("shop")).must_end_with(0);
    workspace.application = workspace.path().join("output/integration/task_api");
    end(&mut node(&workspace, &["--test", "test/api.test.js"])).must_end_with(0);
}

#[test]
fn without_a_word_it_stands_on_the_only_one() {
    let workspace = Workspace::new();
    workspace.run_text(&database("shop")).must_end_with(0);
    assert_eq!(stands_on(&workspace.run_text(&api("")).must_end_with(0)), "shop");
    // Another one that comes later is no reason to ask.
    workspace.run_text(&database("other")).must_end_with(0);
    assert_eq!(stands_on(&workspace.run_text(&api("")).must_end_with(0)), "shop");
}

#[test]
fn rows_are_not_left_without_a_word() {
    let workspace = Workspace::new();
    assert_eq!(stands_on(&workspace.run_text(&api("")).must_end_with(0)), "embedded");
    workspace.create_key();
    workspace.run_text(&database("shop")).must_end_with(0);
    let kept = workspace.run_text(&api("")).must_end_with(0);
    assert_eq!(stands_on(&kept), "embedded");
    assert!(warnings(&kept)[0].as_str().unwrap().contains("`dependencies: [shop]`"), "{}", kept.stdout);

    let asked = workspace.run_text(&api("shop")).must_end_with(3).response();
    assert_eq!((&asked["status"], &asked["error"]["code"]), (&"needs_input".into(), &"rows_elsewhere".into()));
    assert_eq!(asked["error"]["cause"], "its tables hold 1 rows in the embedded database");

    workspace.query("DELETE FROM api_keys");
    let moved = workspace.run_text(&api("shop")).must_end_with(0);
    assert_eq!(stands_on(&moved), "shop");
    assert_eq!(warnings(&moved), ["this API leaves the embedded database, which holds no rows of it"]);
    let after = workspace.run_text(&api("shop")).must_end_with(0);
    assert_eq!((&after.response()["changed"], warnings(&after)), (&false.into(), Vec::new()));
}

#[test]
fn a_plan_builds_upon_those_before_it() {
    let workspace = Workspace::new();
    let both = format!("{}---\n{}", api("shop"), database("shop"));
    for words in [&["check", "-"][..], &["run", "--plan", "-"]] {
        let ended = crate::harness::workspace::end_with_input(&mut workspace.command(words), &both).must_end_with(0);
        let is_plan = words[0] == "run";
        assert_eq!(ended.stdout.contains("the sqlite database of task `shop`"), is_plan, "{}", ended.stdout);
    }
}

#[test]
fn what_is_not_made_yet_is_waited_for() {
    let workspace = Workspace::new();
    let shop = database("shop").replace("environment: development", "environment: production");
    workspace.run_text(&shop).must_end_with(3);
    let waiting = workspace.run_text(&api("shop")).must_end_with(3).response();
    assert_eq!(
        (&waiting["status"], &waiting["error"]["message"]),
        (&"waiting".into(), &"`shop` is not completed".into())
    );
}

/// What a key says is no column of its own, and an API on the table has a field for the key alone; who asks for the words is told.
#[test]
fn words_that_gave_way_to_a_key_are_no_field() {
    let workspace = Workspace::new();
    let tables = database("shop").replace(", products]\n", ", products, categories]\n");
    workspace
        .run_text(&tables.replace("orders_to_products]", "orders_to_products, products_to_categories]"))
        .must_end_with(0);
    let asked = api("shop").replace(
        "path: /api/products, method: POST, authentication: api_key",
        "path: /api/products, method: POST, authentication: api_key, validation: [name, price, category]",
    );
    let refused = workspace.run_text(&asked).must_end_with(2);
    let error = &refused.response()["error"];
    assert_eq!(error["code"], "IP231");
    assert_eq!(error["hint"], "`category_id` leads to the row that says it: write `category_id`");
    workspace.run_text(&asked.replace(", category]", "]")).must_end_with(0);
    let key = workspace.create_key();
    let server = Server::start(Kind::Native, &workspace);
    let made = ask(server.address, &post("/api/products", Some(&key), PRODUCT), "").unwrap();
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let made: Json = serde_json::from_slice(&made.body).unwrap();
    assert_eq!((&made["category_id"], made.get("category")), (&Json::Null, None));
}
