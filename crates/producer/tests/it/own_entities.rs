//! A workspace's own entities: files in, tables and APIs of both kinds of tasks out.

use crate::harness::client::{ask, get, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end_with_input, query};
use crate::harness::{TASK_ID, repository};
use plan::http_case::CaseRequest;
use std::fs;

crate::harness::on_both_servers!(a_secret_of_an_entity_is_neither_taken_nor_shown);

/// The blocks of YAML in the page that describes the format.
fn examples() -> Vec<String> {
    let page = fs::read_to_string(repository("docs/entities.md")).unwrap();
    page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn with_file(workspace: &Workspace, name: &str, text: &str) {
    let path = workspace.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Status and text of an answer.
fn said(server: &Server, request: &CaseRequest) -> (u16, String) {
    let answer = ask(server.address, request, "").unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn plain(entity: &str, table: &str) -> String {
    format!(
        "entity: {entity}\ntable: {table}\ncomment: one of them\nfields: [{{ name: title, type: line, max: 50, presence: required }}]\n"
    )
}

fn api(endpoints: &[(&str, &str)]) -> String {
    let endpoints: String = endpoints
        .iter()
        .map(|(method, path)| format!("      - {{ path: \"{path}\", method: {method}, authentication: none }}\n"))
        .collect();
    format!(
        "task_id: {TASK_ID}\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}"
    )
}

const DATABASE: &str = "task_id: workshop
task_type: configure_database
specifications:
  database_config:
    type: sqlite
    name: workshop
    schema_requirements:
      tables: [workshops, abacuses, orders]
      relationships: [workshops_to_abacuses, orders_to_abacuses]
";

#[test]
fn the_examples_of_the_page_are_what_it_says() {
    let workspace = Workspace::new();
    let [abacus, relations] = &examples()[..] else { panic!("two examples") };
    with_file(&workspace, "entities/abacus.yaml", abacus);
    with_file(&workspace, "entities/workshop.yaml", &plain("workshop", "workshops"));
    with_file(&workspace, "entities/order_line.yaml", &plain("order_line", "order_lines"));
    with_file(&workspace, "relations.yaml", relations);
    workspace.run_text(DATABASE).must_end_with(0);
    let file = workspace.path().join(".producer/data/workshop.sqlite");
    let columns = |table: &str| {
        let rows = query(&file, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"));
        rows.into_iter().flatten().collect::<Vec<_>>()
    };
    let times = ["created_at", "updated_at", "row_version"];
    let own = ["id", "maker_id", "serial_number", "rods", "wood", "price", "owner_email"];
    assert_eq!(columns("abacuses"), [&own[..], &times].concat());
    assert_eq!(columns("order_lines"), [&["id", "order_id", "abacus_id", "title"][..], &times].concat());
    let keys = |table: &str| {
        query(&file, &format!("SELECT \"from\", on_delete FROM pragma_foreign_key_list('{table}') ORDER BY 1"))
    };
    assert_eq!(keys("abacuses"), [["maker_id", "SET NULL"]]);
    assert_eq!(keys("order_lines"), [["abacus_id", "RESTRICT"], ["order_id", "CASCADE"]]);
    assert_eq!(workspace.run_text(DATABASE).must_end_with(0).response()["changed"], false);
}

#[test]
fn an_api_has_them_under_every_name() {
    let workspace = Workspace::new();
    with_file(&workspace, "entities/abacus.yaml", &examples()[0]);
    let task = api(&[("POST", "/api/counting-frames"), ("GET", "/api/abacuses"), ("PATCH", "/api/abacuses/{id}")]);
    workspace.run_text(&task).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    let made = said(&server, &post("/api/counting-frames", None, r#"{"serial_number": "A1", "rods": 13}"#));
    assert_eq!(made.0, 201, "{}", made.1);
    let listed = said(&server, &get("/api/abacuses?wood=oak"));
    assert!(listed.1.contains("\"A1\""), "{}", listed.1);
    let wrong = said(&server, &post("/api/counting-frames", None, r#"{"serial_number": "A2", "rods": 31}"#));
    assert!(wrong.0 == 422 && wrong.1.contains("must be between 1 and 30"), "{}", wrong.1);
}

#[test]
fn one_of_the_catalogue_gives_way_and_the_plan_says_so() {
    let workspace = Workspace::new();
    with_file(&workspace, "entities/product.yaml", &plain("product", "products"));
    let planned =
        |task: &str| end_with_input(&mut workspace.command(&["run", "--plan", "-"]), task).must_end_with(0).stdout;
    let shown = planned(&api(&[("POST", "/api/products")]));
    assert!(shown.contains("entity `product`: as `entities/product.yaml` says"), "{shown}");
    assert!(shown.contains("the catalogue's own entity of that name gives way"), "{shown}");
    assert!(!shown.contains("sku"), "{shown}");
    let shown = planned(
        &DATABASE
            .replace("[workshops, abacuses, orders]", "[products]")
            .replace("[workshops_to_abacuses, orders_to_abacuses]", "[]"),
    );
    assert!(shown.contains("`entities/product.yaml` says them; the catalogue's own give way"), "{shown}");
}

fn a_secret_of_an_entity_is_neither_taken_nor_shown(kind: Kind) {
    let workspace = Workspace::new();
    let member = "entity: member\ntable: members\ncomment: somebody who may come in\nfields:\n  - { name: name, type: line, max: 50, presence: required }\n  - { name: password_hash, type: line, max: 200 }\n  - { name: door_word, type: line, max: 20, sensitivity: secret, default: sesame }\n";
    with_file(&workspace, "entities/member.yaml", member);
    let task = api(&[("POST", "/api/members"), ("GET", "/api/members"), ("PUT", "/api/members/{id}")]);
    workspace.run_text(&task).must_end_with(0);
    let server = Server::start(kind, &workspace);
    let made = said(&server, &post("/api/members", None, r#"{"name": "Ada"}"#));
    assert!(made.0 == 201 && !made.1.contains("password_hash") && !made.1.contains("door_word"), "{}", made.1);
    workspace.query("UPDATE members SET password_hash = 'kept'");
    let sent = said(&server, &post("/api/members", None, r#"{"name": "Eve", "password_hash": "mine"}"#));
    assert!(sent.0 == 422 && sent.1.contains("unknown_field"), "{}", sent.1);
    let listed = said(&server, &get("/api/members"));
    assert!(listed.1.contains("Ada") && !listed.1.contains("sesame"), "{}", listed.1);
    let filtered = said(&server, &get("/api/members?door_word=sesame"));
    assert_eq!(filtered.0, 422, "{}", filtered.1);
    let id = workspace.query("SELECT id FROM members")[0][0].clone();
    let mut put = post(&format!("/api/members/{id}"), None, r#"{"name": "Ada Lovelace"}"#);
    "PUT".clone_into(&mut put.method);
    assert_eq!(said(&server, &put).0, 200);
    assert_eq!(
        workspace.query("SELECT name, password_hash, door_word FROM members"),
        [["Ada Lovelace", "kept", "sesame"]]
    );
    assert!(!workspace.query("SELECT payload FROM outbox_events").concat().concat().contains("sesame"));
}

#[test]
fn a_record_that_needs_a_secret_is_not_made_by_a_request() {
    let workspace = Workspace::new();
    let member = "entity: member\ntable: members\ncomment: somebody\nfields:\n  - { name: password_hash, type: line, max: 200, presence: required }\n";
    with_file(&workspace, "entities/member.yaml", member);
    let checked = end_with_input(
        &mut workspace.command(&["check", "-"]),
        &api(&[("POST", "/api/members"), ("GET", "/api/members")]),
    );
    let lines: Vec<&str> = checked.stdout.lines().collect();
    assert!(
        matches!(lines[..], [line] if line.contains("IP210") && line.contains("needs `password_hash`")),
        "{lines:?}"
    );
}
