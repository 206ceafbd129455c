//! Calls of senders whose proof an endpoint declares, on both servers and the engines that speak SQL: what is kept of them, how often, and
//! who hears of it. The signatures are of the package of the standard, and of this file.

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::schema::{self, Schema};
use crate::harness::server::{Kind, Server, node_modules};
use crate::harness::workspace::{Workspace, end, end_with_input};
use crate::harness::{Sample, repository};
use plan::http_case::CaseRequest;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};
use vocab::Engine;

/// A call of the door, which is known by a token.
fn call(event: &str, body: &str) -> CaseRequest {
    let mut request = post("/hooks/door", None, body);
    request.headers.insert("x-door-token".to_owned(), "open sesame".to_owned());
    request.headers.insert("x-door-event".to_owned(), event.to_owned());
    request
}

/// A number that a statement of the workspace's database gives.
fn count(workspace: &Workspace, statement: &str) -> i64 {
    workspace.query(statement)[0][0].parse().unwrap()
}

/// The same call twenty times at once is kept once, and so is what comes of it.
fn at_once(workspace: &Workspace, place: &str) {
    for kind in Kind::all_here() {
        let workspace = workspace.copy();
        workspace.url.iter().for_each(|url| schema::clear(url));
        let server = Server::start(kind, &workspace);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let asked = (0..20).map(|number| {
                let request = call(&format!("e-{}", number % 2), r#"{"who":"Ada","times":[1,2.5]}"#);
                scope.spawn(move || ask(server.address, &request, "").unwrap().status)
            });
            asked.collect::<Vec<_>>().into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        assert!(statuses.iter().all(|status| *status == 204), "{kind:?} on {place}: {statuses:?}\n{}", server.log());
        for (table, kept) in [("webhook_events", 2), ("outbox_events", 2), ("inbox_events", 2)] {
            let found = count(&workspace, &format!("SELECT COUNT(*) FROM {table}"));
            assert_eq!(found, kept, "{table} of {kind:?} on {place}\n{}", server.log());
        }
        let of_payload = "SELECT COUNT(*) FROM webhook_events WHERE endpoint = '/hooks/door' AND event_type IS NULL";
        assert_eq!(count(&workspace, of_payload), 2, "{kind:?} on {place}");
        assert!(!server.log().contains("sesame"), "{}", server.log());
    }
}

#[test]
fn a_call_that_comes_again_is_kept_once() {
    at_once(&Workspace::completed_with(Sample::Senders), "SQLite");
    for engine in [Engine::PostgreSql, Engine::MySql] {
        let Some(schema) = Schema::empty(engine, "calls of senders") else { continue };
        at_once(&Workspace::completed_on(Sample::Senders, schema.url()), engine.as_str());
    }
}

/// No sender makes a call again after a month: what tells it apart need not be kept for ever.
#[test]
fn a_call_of_long_ago_is_forgotten() {
    for kind in Kind::all_here() {
        let workspace = Workspace::completed_with(Sample::Senders);
        let tells = |server: &Server, event: &str| {
            assert_eq!(ask(server.address, &call(event, "{}"), "").unwrap().status, 204, "{}", server.log());
        };
        let server = Server::start(kind, &workspace);
        tells(&server, "e-1");
        drop(server);
        workspace.query("UPDATE inbox_events SET received_at = '2020-01-02T03:04:05.678Z'");
        let server = Server::start(kind, &workspace);
        tells(&server, "e-2");
        let begun = Instant::now();
        while count(&workspace, "SELECT COUNT(*) FROM inbox_events") > 1 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{kind:?}\n{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        tells(&server, "e-2");
        // What came of it stays.
        assert_eq!(count(&workspace, "SELECT COUNT(*) FROM webhook_events"), 2, "{kind:?}");
    }
}

/// The package of the standard signs; what it must not sign for is refused.
#[test]
fn the_standards_own_package_is_a_sender() {
    let package = "standardwebhooks";
    let Some(modules) = node_modules().filter(|modules| modules.join(package).is_dir()) else {
        let line = format!("SKIPPED a sender of Standard Webhooks: NODE_MODULES names no folder with `{package}`\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let script = folder.path().join("script.mjs");
    fs::copy(repository("crates/producer/tests/it/senders/standard.mjs"), &script).unwrap();
    for kind in Kind::all_here() {
        let workspace = Workspace::completed_with(Sample::Senders);
        let server = Server::start(kind, &workspace);
        let mut node = Command::new("node");
        let ended = end(node.arg(&script).arg(format!("http://{}", server.address)));
        let told = (ended.status, ended.stdout.as_str());
        assert_eq!(told, (Some(0), "done\n"), "{kind:?}: {}\n{}", ended.stderr, server.log());
        assert_eq!(count(&workspace, "SELECT COUNT(*) FROM webhook_events"), 3, "{kind:?}\n{}", server.log());
        let kept = "SELECT COUNT(*) FROM webhook_events WHERE event_id = 'msg_1' AND event_type = 'contact.created'";
        assert_eq!(count(&workspace, kept), 1, "{kind:?}");
    }
}

const LEADS: &str = "task_id: leads
task_type: setup_api
specifications:
  api_requirements:
    type: webhook
    endpoints:
      - path: /hooks/leads
        method: POST
        authentication: signature
        entity: contact_message
        webhook:
          token: X-Token
          secret: \"${secret:LEADS_TOKEN}\"
          id: /id
          type: /type
          accepts: { lead.created: contact_form, lead.changed: lead_changed }
          data: /lead
";
const CRM: &str = "task_id: crm
task_type: integrate_service
specifications:
  service_integration:
    service_type: crm
    provider: hubspot
    integration_points: [contact_form]
    fields_to_sync: [name]
";

/// What a sender tells is an event of the workspace: whoever listens to it hears it, and to no other.
#[test]
fn what_a_sender_tells_is_passed_on_to_whom_it_concerns() {
    let mut workspace = Workspace::new();
    let error = workspace.run_text(LEADS).must_end_with(3).response()["error"].clone();
    assert_eq!(error["code"], "sender_secret_missing");
    assert!(error["message"].as_str().unwrap().ends_with("`LEADS_TOKEN` for `/hooks/leads`"), "{error}");
    end_with_input(&mut workspace.command(&["secrets", "set", "LEADS_TOKEN"]), "a token").must_end_with(0);
    let played = Played::start(&workspace, "hubspot", &[]);
    fs::write(
        workspace.path().join("producer.toml"),
        format!("[simulated]\nhubspot = \"{}\"\n", played.told("address")),
    )
    .unwrap();
    let mut set = workspace.command(&["secrets", "set", "HUBSPOT_ACCESS_TOKEN"]);
    end_with_input(&mut set, played.told("access_token")).must_end_with(0);
    workspace.run_text(LEADS).must_end_with(0);
    let told = workspace.run_text(CRM).must_end_with(0).response();
    assert_eq!(told["warnings"], json!([]), "somebody tells of the point");
    workspace.application = workspace.path().join("output/integration/task_leads");
    for kind in Kind::all_here() {
        let mut command = Server::command(kind, &workspace);
        command
            .env("LEADS_TOKEN", "a token")
            .env("HUBSPOT_ACCESS_TOKEN", played.told("access_token"))
            .env("HUBSPOT_API_BASE", played.told("address"));
        let server = Server::of(&mut command);
        let tells = |id: &str, what: &str, who: &str| {
            let lead = json!({ "name": "Ada King", "email": format!("{who}.{kind:?}@example.com").to_lowercase(), "message": "Hello" });
            let body = json!({ "id": format!("{kind:?}-{id}"), "type": what, "lead": lead }).to_string();
            let mut request = post("/hooks/leads", None, &body);
            request.headers.insert("x-token".to_owned(), "a token".to_owned());
            assert_eq!(ask(server.address, &request, "").unwrap().status, 204, "{}", server.log());
        };
        tells("1", "lead.changed", "eve");
        tells("2", "lead.created", "ada");
        tells("2", "lead.created", "ada");
        let begun = Instant::now();
        let there = |who: &str| {
            let address = played.told("address").trim_start_matches("http://").parse().unwrap();
            let told = ask(address, &get("/_simulator/objects/contact"), "").unwrap().body;
            let told: Value = serde_json::from_slice(&told).unwrap();
            let email = format!("{who}.{kind:?}@example.com").to_lowercase();
            told["objects"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|one| one["properties"]["email"] == email.as_str())
                .count()
        };
        while there("ada") == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!((there("ada"), there("eve")), (1, 0), "{kind:?}");
    }
}
