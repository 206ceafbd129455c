//! Records over several requests, and what a case cannot say: what is not in an answer, and what the database holds.

use crate::harness::client::{Connection, ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, task};
use crate::harness::{Sample, repository};
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;
use vocab::Engine;

crate::harness::on_both_servers!(
    a_record_through_its_life,
    answers_without_a_body_have_none,
    an_id_may_be_percent_encoded,
    of_many_changes_to_one_version_one_is_made,
    what_is_refused_changes_nothing,
);

#[test]
fn every_kind_of_record_of_the_catalogue_is_proved() {
    let mut endpoints = String::new();
    for file in fs::read_dir(repository("crates/catalog/entities")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let entity = text.lines().find_map(|line| line.strip_prefix("entity: ")).unwrap();
        for (method, key, behavior) in
            [("POST", "", "create"), ("GET", "", "list"), ("PUT", "/{id}", "replace"), ("DELETE", "/{id}", "delete")]
        {
            endpoints.push_str(&format!(
                "      - {{ path: \"/api/all/{entity}{key}\", method: {method}, authentication: none, entity: {entity}, behavior: record_{behavior} }}\n"
            ));
        }
    }
    let limit = "    rate_limiting: 100000_requests_per_minute\n";
    Workspace::new().run_text(&task("task_id: all", &[], &format!("{endpoints}{limit}"))).must_end_with(0);
}

struct Api {
    server: Server,
    key: String,
    workspace: Workspace,
}

impl Api {
    fn start(kind: Kind) -> Self {
        let workspace = Workspace::completed_with(Sample::Products);
        Self { server: Server::start(kind, &workspace), key: workspace.create_key(), workspace }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Json>) -> Answer {
        let mut headers: BTreeMap<String, String> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.insert("x-api-key".to_owned(), self.key.clone());
        let request = CaseRequest { method: method.to_owned(), headers, body, ..get(path) };
        ask(self.server.address, &request, &self.key).unwrap()
    }

    /// The path of a new product.
    fn make(&self) -> String {
        let request = post("/api/products", Some(&self.key), r#"{"name":"Abacus","stock":3,"notes":"Wood"}"#);
        let made = ask(self.server.address, &request, &self.key).unwrap();
        assert_eq!(made.status, 201);
        made.headers["location"].clone()
    }

    fn events(&self) -> Vec<String> {
        self.workspace.query("SELECT name FROM outbox_events ORDER BY id").into_iter().flatten().collect()
    }
}

fn body(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap()
}

fn a_record_through_its_life(kind: Kind) {
    let api = Api::start(kind);
    let path = api.make();
    let first = body(&api.ask("GET", &path, &[], None));
    assert_eq!(path, format!("/api/products/{}", first["id"].as_str().unwrap()));
    assert_eq!(first["created_at"], first["updated_at"]);
    assert_eq!(first["created_at"].as_str().unwrap().len(), "2026-01-02T03:04:05.678Z".len());

    // So that a later time differs.
    thread::sleep(Duration::from_millis(5));
    let changed = api.ask("PATCH", &path, &[("if-match", "\"1\"")], Some(json!({"stock": 4})));
    assert_eq!((changed.status, changed.headers["etag"].as_str()), (200, "\"2\""));
    let second = body(&changed);
    assert_eq!(second["created_at"], first["created_at"]);
    assert!(second["updated_at"].as_str() > first["updated_at"].as_str(), "{second}");
    assert_eq!(api.ask("PATCH", &path, &[("if-match", "\"1\"")], Some(json!({"stock": 5}))).status, 412);

    let replaced = api.ask("PUT", &path, &[("if-match", "\"2\"")], Some(json!({"name": "Bell", "stock": 1})));
    assert_eq!((replaced.status, replaced.headers["etag"].as_str()), (200, "\"3\""));
    let third = body(&replaced);
    assert_eq!(third["created_at"], first["created_at"]);
    let read = api.ask("GET", &path, &[("if-none-match", "\"1\", \"2\"")], None);
    assert_eq!((read.status, body(&read)), (200, third));
    assert_eq!(api.ask("GET", &path, &[("if-none-match", "\"3\"")], None).status, 304);

    assert_eq!(api.ask("DELETE", &path, &[("if-match", "\"2\"")], None).status, 412);
    assert_eq!(api.ask("DELETE", &path, &[("if-match", "\"3\"")], None).status, 204);
    for (method, body) in [
        ("GET", None),
        ("HEAD", None),
        ("PATCH", Some(json!({"stock": 4}))),
        ("PUT", Some(json!({"name": "Bell", "stock": 1}))),
        ("DELETE", None),
    ] {
        assert_eq!(api.ask(method, &path, &[], body).status, 404, "{method}");
    }
    assert_eq!(body(&api.ask("GET", "/api/products", &[], None)), json!({"items": [], "next": null}));
    assert_eq!(api.workspace.count("products"), 0);
    assert_eq!(api.events(), ["product_created", "product_updated", "product_updated", "product_deleted"]);
}

fn answers_without_a_body_have_none(kind: Kind) {
    let api = Api::start(kind);
    let path = api.make();
    for (method, header, status) in
        [("GET", "If-None-Match: \"1\"", "304"), ("HEAD", "Accept: */*", "200"), ("DELETE", "If-Match: *", "204")]
    {
        let key = &api.key;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n{header}\r\nConnection: close\r\n\r\n");
        let mut connection = Connection::open(api.server.address).unwrap();
        connection.send(request.as_bytes()).unwrap();
        let answer = String::from_utf8(connection.rest().unwrap()).unwrap().to_ascii_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n") && answer.matches("\r\n\r\n").count() == 1, "{answer}");
        assert_eq!(answer.contains("\r\ncontent-type:"), status == "200", "{answer}");
        assert!(!answer.contains("\r\ntransfer-encoding:"), "{answer}");
        if status != "200" {
            // A 204 must not name a length, a 304 not one that is wrong.
            assert!(!answer.contains("\r\ncontent-length:"), "{answer}");
        }
    }
}

fn an_id_may_be_percent_encoded(kind: Kind) {
    let api = Api::start(kind);
    let path = api.make();
    let id = path.rsplit('/').next().unwrap();
    let whole: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for encoded in [id.replace('-', "%2D"), id.replace('-', "%2d"), whole] {
        let path = format!("/api/products/{encoded}");
        let read = api.ask("GET", &path, &[], None);
        assert_eq!((read.status, read.key().as_ref().and_then(serde_json::Value::as_str)), (200, Some(id)), "{path}");
        assert_eq!(api.ask("PATCH", &path, &[], Some(json!({"stock": 4}))).status, 200, "{path}");
    }
    assert_eq!(api.ask("GET", &format!("/api/products/{}", id.replace('-', "%252D")), &[], None).status, 404);
    assert_eq!(api.ask("DELETE", &format!("/api/products/{}", id.replace('-', "%2D")), &[], None).status, 204);
}

fn of_many_changes_to_one_version_one_is_made(kind: Kind) {
    let api = Api::start(kind);
    let path = api.make();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let change = |stock: u32| api.ask("PATCH", &path, &[("if-match", "\"1\"")], Some(json!({"stock": stock})));
        let threads: Vec<_> = (0..20).map(|stock| scope.spawn(move || change(stock).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 19, "{statuses:?}");
    assert_eq!(api.events(), ["product_created", "product_updated"]);
}

/// Whoever comes first makes it, and every other one changes what the one before has left.
#[test]
fn of_many_that_merge_a_new_record_one_makes_it() {
    for engine in [Engine::Sqlite, Engine::PostgreSql, Engine::MySql] {
        let schema = match engine {
            Engine::Sqlite => None,
            _ => match Schema::empty(engine, "merged_by_many") {
                Some(schema) => Some(schema),
                None => continue,
            },
        };
        let workspace = match &schema {
            None => Workspace::completed_with(Sample::Invoices),
            Some(schema) => Workspace::completed_on(Sample::Invoices, schema.url()),
        };
        let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
        let invoice = |turn: usize| {
            let body =
                json!({"invoice_number": "A-1", "customer_name": "Ada", "issued_on": "2026-05-04", "total": turn});
            let mut request = post("/api/invoices", None, &body.to_string());
            request.headers.insert("prefer".to_owned(), "resolution=merge-duplicates".to_owned());
            ask(servers[turn % servers.len()].address, &request, "").unwrap().status
        };
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let invoice = &invoice;
            let threads: Vec<_> = (0..12).map(|turn| scope.spawn(move || invoice(turn))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [[200; 11].as_slice(), &[201]].concat(), "{engine:?}");
        assert_eq!(workspace.query("SELECT row_version FROM invoices"), [["12"]], "{engine:?}");
        let told = "SELECT name, COUNT(*) FROM outbox_events GROUP BY name ORDER BY name";
        assert_eq!(workspace.query(told), [["invoice_created", "1"], ["invoice_updated", "11"]], "{engine:?}");
    }
}

fn what_is_refused_changes_nothing(kind: Kind) {
    let api = Api::start(kind);
    let path = api.make();
    let before = api.ask("GET", &path, &[], None);
    let stale = [("if-match", "\"9\"")];
    for (method, headers, body) in [
        ("PATCH", stale.as_slice(), Some(json!({"stock": 9}))),
        ("PATCH", &[], Some(json!({"stock": 9, "name": null}))),
        ("PATCH", &[], Some(json!({"stock": 9, "colour": "red"}))),
        ("PUT", &stale, Some(json!({"name": "Bell", "stock": 9}))),
        ("PUT", &[], Some(json!({"name": "Bell"}))),
        ("DELETE", &stale, None),
    ] {
        assert!([412, 422].contains(&api.ask(method, &path, headers, body).status), "{method}");
    }
    let after = api.ask("GET", &path, &[], None);
    assert_eq!((body(&after), &after.headers["etag"]), (body(&before), &before.headers["etag"]));
    assert_eq!(api.events(), ["product_created"]);
}
