//! Endpoints that have to do with rows alone of which a condition holds: over the row, the caller and the time, on every engine and both
//! servers.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::server::{AUTH_SECRET, Kind, Server};
use crate::harness::workspace::{Workspace, end};
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
        - name: notes
          columns:
            title: { type: line, required: true }
            status: { type: line, one_of: [draft, published], default: draft }
            place: integer
            opens_at: timestamp
      relationships: [users_to_notes]
---
task_id: notes_api_2025_001
task_type: setup_api
dependencies: [notes_2025_001]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/auth/login, method: POST, authentication: none }
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
    rate_limiting: 10000_requests_per_minute
"#;

#[test]
fn rows_of_which_a_condition_does_not_hold_are_not_there() {
    let workspace = Workspace::of(Sample::Notes);
    workspace.run_text(TASK).must_end_with(0);
    hold(&workspace);
}

#[test]
fn rows_of_which_a_condition_does_not_hold_are_not_there_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql] {
        let Some(place) = Schema::empty(engine, "conditions") else { continue };
        let workspace = Workspace::on(Sample::Notes, place.url());
        let stands = format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\"\n");
        workspace.run_text(&TASK.replace("type: sqlite\n    name: notes\n", &stands)).must_end_with(0);
        hold(&workspace);
    }
}

fn told(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.body)))
}

struct Caller<'s> {
    server: &'s Server,
    token: String,
    /// Before each title: what another server has made before is not looked at.
    mark: String,
}

impl<'s> Caller<'s> {
    fn signed_in(server: &'s Server, email: &str, mark: &str) -> Self {
        let who = json!({ "email": email, "password": "engine of analysis" });
        let answer = ask(server.address, &post("/api/auth/login", None, &who.to_string()), "").unwrap();
        Self { server, token: told(&answer)["access_token"].as_str().unwrap().to_owned(), mark: mark.to_owned() }
    }

    fn asks(&self, method: &str, path: &str, body: Option<Json>) -> Answer {
        let mut request = CaseRequest { method: method.to_owned(), body, ..get(path) };
        request.headers.insert("authorization".to_owned(), format!("Bearer {}", self.token));
        ask(self.server.address, &request, "").unwrap()
    }

    fn makes(&self, mut note: Json) -> String {
        note["title"] = format!("{}-{}", self.mark, note["title"].as_str().unwrap()).into();
        let answer = self.asks("POST", "/api/notes", Some(note));
        assert_eq!(answer.status, 201, "{}", told(&answer));
        told(&answer)["id"].as_str().unwrap().to_owned()
    }

    /// The titles that its list shows, sorted.
    fn sees(&self) -> String {
        let page = told(&self.asks("GET", "/api/notes?sort=title", None));
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        let titles = items.iter().map(|item| item["title"].as_str().unwrap());
        titles.filter_map(|title| title.strip_prefix(&format!("{}-", self.mark))).collect::<Vec<_>>().join(" ")
    }

    fn status(&self, method: &str, id: &str, body: Option<Json>) -> u16 {
        self.asks(method, &format!("/api/notes/{id}"), body).status
    }
}

fn hold(workspace: &Workspace) {
    for kind in Kind::all_here() {
        let mark = format!("{kind:?}").to_lowercase();
        let people = ["ada", "bob", "eve"].map(|name| format!("{name}@{mark}.example.com"));
        let server = Server::of(Server::command(kind, workspace).env("AUTH_SECRET", AUTH_SECRET));
        for email in &people {
            let who = json!({ "email": email, "password": "engine of analysis", "name": "Somebody" });
            let answer = ask(server.address, &post("/api/auth/register", None, &who.to_string()), "").unwrap();
            assert_eq!(answer.status, 202, "{}", told(&answer));
        }
        end(&mut workspace.command(&["accounts", "role", &people[2], "editor"])).must_end_with(0);
        let [ada, bob, eve] = people.each_ref().map(|email| Caller::signed_in(&server, email, &mark));

        let draft = ada.makes(json!({ "title": "a-draft", "place": 3 }));
        let published = ada.makes(json!({ "title": "b-published", "status": "published", "place": 30 }));
        let soon = ada.makes(json!({ "title": "c-soon", "status": "published", "opens_at": "2999-01-01T00:00:00Z" }));
        let open = ada.makes(json!({ "title": "d-open", "status": "published", "opens_at": "2020-01-01T00:00:00Z" }));
        assert_eq!(ada.sees(), "a-draft b-published c-soon d-open", "{kind:?}: what is the caller's");
        assert_eq!(bob.sees(), "b-published d-open", "{kind:?}: what is for everybody");
        assert_eq!(eve.sees(), "a-draft b-published c-soon d-open", "{kind:?}: what a role sees");

        for (id, seen) in [(&draft, 404), (&published, 200), (&soon, 404), (&open, 200)] {
            assert_eq!(bob.status("GET", id, None), seen, "{kind:?}");
            assert_eq!((ada.status("GET", id, None), eve.status("GET", id, None)), (200, 200), "{kind:?}");
        }
        // What is hidden is in no answer, and nobody finds it out by asking for it.
        let page = told(&bob.asks("GET", "/api/notes?limit=1", None));
        let fields: Vec<&str> = page["items"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["id", "title", "status", "opens_at", "created_at", "updated_at"], "{kind:?}");
        for query in ["place=30", "sort=user_id", "fields=place", "filter=place%3E1", "user_id[ne]=x"] {
            assert_eq!(bob.asks("GET", &format!("/api/notes?{query}"), None).status, 422, "{kind:?}: {query}");
        }
        let whole = told(&ada.asks("GET", &format!("/api/notes/{published}"), None));
        assert_eq!(whole["place"], 30, "{kind:?}: where it is not hidden");
        let unknown = bob.asks("GET", "/api/notes/01900000-0000-7000-8000-00000000dead", None);
        let hidden = bob.asks("GET", &format!("/api/notes/{draft}"), None);
        let without_id = |answer: &Answer| {
            let mut problem = told(answer);
            problem.as_object_mut().unwrap().remove("request_id");
            (answer.status, problem)
        };
        assert_eq!(without_id(&unknown), without_id(&hidden), "a refusal does not tell that a row is there");

        // Drafts, and these of their owner alone; what one becomes may be something else.
        let publish = || Some(json!({ "status": "published" }));
        assert_eq!(bob.status("PATCH", &draft, publish()), 404, "{kind:?}");
        assert_eq!(ada.status("PATCH", &published, Some(json!({ "title": "x" }))), 404, "{kind:?}");
        assert_eq!(ada.status("PATCH", &draft, publish()), 200, "{kind:?}");
        assert_eq!(ada.status("PATCH", &draft, publish()), 404, "{kind:?}");
        assert_eq!(bob.sees(), "a-draft b-published d-open", "{kind:?}");

        // What is compared with null is neither true nor false.
        assert_eq!(ada.status("DELETE", &draft, None), 403, "{kind:?}");
        let deleted = [&draft, &published, &soon].map(|id| eve.status("DELETE", id, None));
        assert_eq!(deleted, [204, 404, 404], "{kind:?}");
        assert_eq!(ada.sees(), "b-published c-soon d-open", "{kind:?}");
    }
}
