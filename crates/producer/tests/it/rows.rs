//! Which rows an endpoint shows to whom: those of which its condition holds, and those of other tables that come with them. Each engine has one
//! API, and each server of it three people who sign in.

mod conditions;
mod exports;
mod relations;
mod summaries;

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use crate::typed_client;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use vocab::Engine;

/// Its API is `notes_api_2025_001`, as the harness knows it.
const TASK: &str = r#"
task_id: notes_2025_001
task_type: configure_database
specifications:
  database_config:
    type: sqlite
    name: notes
    environment: development
    schema_requirements:
      tables:
        - users
        - { name: boards, columns: { title: { type: line, required: true } } }
        - name: notes
          columns:
            title: { type: line, required: true }
            status: { type: line, one_of: [draft, published], default: draft }
            place: integer
            opens_at: timestamp
        - { name: pins, columns: { title: { type: line, required: true } } }
        - { name: checks, columns: { title: { type: line, required: true } } }
        - { name: trays, columns: { title: { type: line, required: true } } }
        - { name: goods, columns: { title: { type: line, required: true } } }
        - name: remarks
          columns:
            words: { type: text, required: true }
            status: { type: line, one_of: [hidden, shown], default: shown }
            price: { type: decimal, scale: 3 }
            stars: integer
            is_true: boolean
            day: date
            heard_at: timestamp
            document: json
        - name: sales
          columns:
            title: { type: line, required: true }
            status: { type: line, one_of: [open, closed], default: open }
            total: { type: decimal, scale: 2 }
            pieces: integer
            sold_on: date
            sold_at: timestamp
            is_paid: boolean
        - { name: marks, columns: { title: { type: line, required: true } } }
        - { name: crates, columns: { title: { type: line, required: true } } }
        - { name: memos, columns: { words: { type: line, required: true } } }
        - { name: racks, columns: { title: { type: line, required: true } } }
        - { name: slots, columns: { title: { type: line, required: true } } }
      relationships:
        - users_to_notes
        - { from: boards, to: notes, on_delete: set_null }
        - users_to_pins
        - boards_to_pins
        - boards_to_checks
        - { from: trays, to: goods, on_delete: set_null }
        - goods_to_remarks
        - { from: goods, to: marks, kind: many_to_many }
        - users_to_crates
        - users_to_sales
        - crates_to_memos
        - racks_to_slots
---
task_id: notes_api_2025_001
task_type: setup_api
dependencies: [notes_2025_001]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/auth/login, method: POST, authentication: none }
      - { path: /api/boards, method: POST, authentication: jwt_token }
      - { path: /api/boards, method: GET, authentication: jwt_token, access: authenticated }
      - { path: /api/checked/boards, method: GET, authentication: jwt_token, access: "role:editor" }
      - { path: /api/notes, method: POST, authentication: jwt_token }
      - path: /api/notes
        method: GET
        authentication: jwt_token
        access: { who: authenticated, where: "status = published and (opens_at = null or opens_at <= now) or user_id = caller.id or caller.role in (editor, auditor)", hide: [place, user_id] }
      - path: "/api/notes/{id}"
        method: GET
        authentication: jwt_token
        access: { who: authenticated, where: "status = published and (opens_at = null or opens_at <= now) or user_id = caller.id or caller.role in (editor, auditor)" }
      - { path: "/api/notes/{id}", method: PATCH, authentication: jwt_token, access: { where: "status = 'draft'" } }
      - { path: "/api/notes/{id}", method: DELETE, authentication: jwt_token, access: { who: "role:editor", where: "not place > 10 and place != null" } }
      - { path: /api/pins, method: POST, authentication: jwt_token }
      - { path: /api/pins, method: GET, authentication: jwt_token }
      - { path: /api/checks, method: POST, authentication: jwt_token, access: "role:editor" }
      - { path: /api/checks, method: GET, authentication: jwt_token, access: "role:editor" }
      - { path: /api/trays, method: POST, authentication: none }
      - { path: "/api/trays/{id}", method: GET, authentication: none }
      - { path: /api/goods, method: POST, authentication: none }
      - { path: /api/goods, method: GET, authentication: none }
      - { path: "/api/goods/{id}", method: GET, authentication: none }
      - { path: "/api/goods/{good_id}/remarks", method: POST, authentication: none }
      - { path: "/api/goods/{good_id}/remarks", method: GET, authentication: none, access: { where: status = shown } }
      - { path: /api/marks, method: POST, authentication: none }
      - { path: /api/marks, method: GET, authentication: none }
      - { path: /api/crates, method: POST, authentication: jwt_token }
      - { path: /api/crates, method: GET, authentication: jwt_token, access: authenticated }
      - { path: /api/own/crates, method: GET, authentication: jwt_token }
      - { path: "/api/crates/{crate_id}/memos", method: POST, authentication: jwt_token }
      - { path: "/api/crates/{crate_id}/memos", method: GET, authentication: jwt_token }
      - { path: /api/sales, method: POST, authentication: jwt_token }
      - { path: /api/sales, method: GET, authentication: jwt_token }
      - { path: /api/racks, method: POST, authentication: api_key }
      - { path: /api/racks, method: GET, authentication: api_key }
      - { path: "/api/racks/{rack_id}/slots", method: POST, authentication: api_key }
      - { path: "/api/racks/{rack_id}/slots", method: GET, authentication: api_key }
    rate_limiting: 10000_requests_per_minute
"#;

#[test]
fn conditions_and_relations_say_which_rows_are_shown() {
    let workspace = Workspace::of(Sample::Notes);
    workspace.run_text(TASK).must_end_with(0);
    shown(&workspace);
}

#[test]
fn conditions_and_relations_say_which_rows_are_shown_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql] {
        let Some(place) = Schema::empty(engine, "rows") else { continue };
        let workspace = Workspace::on(Sample::Notes, place.url());
        let stands = format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\"\n");
        workspace.run_text(&TASK.replace("type: sqlite\n    name: notes\n", &stands)).must_end_with(0);
        shown(&workspace);
    }
}

fn shown(workspace: &Workspace) {
    for kind in Kind::all_here() {
        let server = Server::start(kind, workspace);
        let nobody = Caller { server: &server, kind, proof: String::new() };
        let people = ["ada", "bob", "eve"].map(|name| nobody.signs_in(name, workspace));
        conditions::hold(&people);
        relations::come_with_a_row(&nobody, workspace);
        relations::are_refused(&nobody);
        relations::are_the_callers(&people);
        relations::are_what_the_caller_sees_there(&people);
        relations::ask_the_key(&nobody, workspace);
        if kind == Kind::Node && workspace.url.is_none() {
            typed_client::is_used(workspace, &server, "rows.ts", &people[0].proof);
        }
        exports::are_one_answer(&people);
        summaries::are_of_the_rows_that_are_shown(&people);
        exports::have_rows_of_others(&nobody, workspace);
    }
}

/// Somebody who calls a server.
struct Caller<'s> {
    server: &'s Server,
    kind: Kind,
    proof: String,
}

impl<'s> Caller<'s> {
    fn with(&self, proof: String) -> Self {
        Self { proof, ..*self }
    }

    /// A new account by that name; `eve` is an editor.
    fn signs_in(&self, name: &str, workspace: &Workspace) -> Self {
        let email = format!("{name}@{}.example.com", self.mark());
        let who = json!({ "email": email, "password": "engine of analysis", "name": name });
        self.told(post("/api/auth/register", None, &who.to_string()), 202);
        if name == "eve" {
            end(&mut workspace.command(&["accounts", "role", &email, "editor"])).must_end_with(0);
        }
        let proof = json!({ "email": email, "password": "engine of analysis" });
        let signed_in = self.told(post("/api/auth/login", None, &proof.to_string()), 200);
        self.with(signed_in["access_token"].as_str().unwrap().to_owned())
    }

    /// What its server has made is told by it from what another one has.
    fn mark(&self) -> String {
        format!("{:?}", self.kind).to_lowercase()
    }

    fn answer(&self, mut request: CaseRequest) -> Answer {
        if !self.proof.is_empty() {
            request.headers.insert("authorization".to_owned(), format!("Bearer {}", self.proof));
        }
        ask(self.server.address, &request, "").unwrap()
    }

    fn told(&self, request: CaseRequest, status: u16) -> Json {
        let (path, answer) = (request.path.clone(), self.answer(request));
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{:?} {path}: {text}", self.kind);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn reads(&self, path: &str) -> Json {
        self.told(get(path), 200)
    }

    fn makes(&self, path: &str, body: &Json) -> Json {
        self.told(post(path, None, &body.to_string()), 201)
    }
}

fn id(record: &Json) -> &str {
    record["id"].as_str().unwrap()
}
