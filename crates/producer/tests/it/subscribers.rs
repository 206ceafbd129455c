//! Subscribers of events, on both servers and the engines that speak SQL: what they are sent, what they are not, and how they manage that. The
//! package of the standard is the receiver.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::{self, Schema};
use crate::harness::script::Script;
use crate::harness::server::{AUTH_SECRET, Kind, Server};
use crate::harness::workspace::Workspace;
use plan::http_case::CaseRequest;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use vocab::Engine;

const TASK: &str = "task_id: order_api
task_type: setup_api
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/orders, method: POST, authentication: api_key, validation: [customer_name, total] }
      - { path: \"/api/orders/{id}\", method: PATCH, authentication: api_key }
      - { path: \"/api/orders/{id}\", method: GET, authentication: api_key, access: { hide: [created_at] } }
    rate_limiting: 5000_requests_per_minute
    subscribers: { events: [order_created, order_updated], authentication: api_key, disable_after: 6_seconds }
";
/// How long something may take that nobody waits for long.
const SOON: Duration = Duration::from_secs(20);

/// The subscriber.
pub struct Receiver {
    _script: Script,
    address: SocketAddr,
}

impl Receiver {
    pub fn start() -> Option<Self> {
        let script = Script::start("subscribers/receiver.mjs", "standardwebhooks", "subscribers of events")?;
        let address = script.told.parse().unwrap();
        Some(Self { _script: script, address })
    }

    pub fn tell(&self, path: &str, what: &Value) {
        assert_eq!(ask(self.address, &post(path, None, &what.to_string()), "").unwrap().status, 200);
    }

    pub fn received(&self) -> Vec<Value> {
        let answer = ask(self.address, &get("/_received"), "").unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A server with somebody who may call it.
struct Caller<'w> {
    server: Server,
    workspace: &'w Workspace,
    key: String,
}

impl<'w> Caller<'w> {
    fn start(kind: Kind, workspace: &'w Workspace, addresses: &str) -> Self {
        let mut command = Server::command(kind, workspace);
        command.env("AUTH_SECRET", AUTH_SECRET).env("WEBHOOK_PRIVATE_ADDRESSES", addresses);
        Self { server: Server::of(&mut command), workspace, key: workspace.create_key() }
    }

    #[track_caller]
    fn asks(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let mut request = match body {
            Value::Null => get(path),
            body => post(path, None, &body.to_string()),
        };
        request.method = method.to_owned();
        request.headers.insert("x-api-key".to_owned(), self.key.clone());
        let answer = ask(self.server.address, &CaseRequest { ..request }, "").unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{method} {path}: {text}\n{}", self.server.log());
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    fn subscribes(&self, subscription: &Value) -> (String, String) {
        let made = self.asks("POST", "/api/webhooks", subscription, 201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    fn orders(&self, who: &str) -> String {
        let made = self.asks("POST", "/api/orders", &json!({ "customer_name": who, "total": "5.00" }), 201);
        made["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            let rows = self.workspace.query("SELECT event, integration, state, problem FROM outbox_deliveries");
            assert!(begun.elapsed() < SOON, "{what}\n{rows:?}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn deliveries(&self, id: &str) -> Vec<Value> {
        self.asks("GET", &format!("/api/webhooks/{id}/deliveries"), &Value::Null, 200)["items"]
            .as_array()
            .unwrap()
            .clone()
    }
}

/// The whole life of subscriptions.
fn lives(kind: Kind, mut workspace: Workspace, place: &str) {
    let Some(receiver) = Receiver::start() else { return };
    workspace.application = workspace.path().join("output/integration/task_order_api");
    let caller = Caller::start(kind, &workspace, "allow");
    let of = format!("{kind:?} on {place}");
    let unknown = json!({ "url": receiver.url("/hook"), "events": ["order_paid"] });
    let wrong = caller.asks("POST", "/api/webhooks", &unknown, 422);
    assert_eq!(wrong["errors"][0]["pointer"], "/events", "{of}: {wrong}");
    let subscription =
        json!({ "url": receiver.url("/hook?of=partner"), "events": ["order_created"], "rate_limit": 50 });
    let (id, first) = caller.subscribes(&subscription);
    assert!(first.starts_with("whsec_"), "{of}");
    receiver.tell("/_secrets", &json!([first, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]));
    receiver.tell("/_forget", &json!([]));

    // What it has asked for comes, signed, and nothing else does.
    let order = caller.orders("Ada Lovelace");
    caller.until("the first message", || !receiver.received().is_empty());
    caller.asks("PATCH", &format!("/api/orders/{order}"), &json!({ "total": "6.00" }), 200);
    let message = receiver.received()[0].clone();
    assert_eq!(message["signed"], json!([true, false]), "{of}");
    let told = &message["message"];
    assert_eq!((&told["type"], &told["data"]["id"]), (&json!("order_created"), &json!(order)), "{of}");
    assert_eq!(told["data"]["customer_name"], "Ada Lovelace", "{of}");
    assert_eq!(told["data"].get("created_at"), None, "{of}: what an endpoint hides");
    assert!(told["timestamp"].as_str().unwrap().ends_with('Z'), "{of}");

    // Another secret: for a day both are good.
    let rotated = caller.asks("POST", &format!("/api/webhooks/{id}/secret"), &json!({}), 200);
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second, "{of}");
    assert_eq!(caller.asks("GET", &format!("/api/webhooks/{id}/secret"), &Value::Null, 200)["secret"], second, "{of}");
    receiver.tell("/_secrets", &json!([first, second]));
    let signs = |both: bool| {
        caller.until("a message with those signatures", || {
            caller.asks("POST", &format!("/api/webhooks/{id}/test"), &json!({}), 202);
            std::thread::sleep(Duration::from_millis(300));
            let all = receiver.received();
            let last = all.last().unwrap();
            last["message"]["type"] == "webhook_test" && last["signed"] == json!([both, true])
        });
    };
    signs(true);
    let past = match workspace.url.as_deref().map(schema::engine_of) {
        Some(Engine::MySql) => "2026-01-02 03:04:05.678",
        _ => "2026-01-02T03:04:05.678Z",
    };
    workspace.query(&format!("UPDATE webhook_subscriptions SET old_secret_until = '{past}'"));
    signs(false);

    // What was not taken comes again, under the same id; a redirect is not followed.
    receiver.tell("/_forget", &json!([]));
    receiver.tell("/_answers", &json!([302]));
    let (broken, _) = caller.subscribes(&json!({ "url": receiver.url("/broken") }));
    let (gone, _) = caller.subscribes(&json!({ "url": receiver.url("/gone") }));
    let failed = Instant::now();
    let order = caller.orders("Grace Hopper");
    let about = |path: &str| {
        let all = receiver.received().into_iter();
        all.filter(|one| one["url"].as_str().unwrap().starts_with(path)).collect::<Vec<_>>()
    };
    caller.until("the first attempts", || ["/hook", "/broken", "/gone"].iter().all(|path| !about(path).is_empty()));
    std::thread::sleep(Duration::from_millis(3_300));
    caller.orders("Annie Easley");
    caller.until("the second attempt", || {
        about("/hook").iter().filter(|one| one["message"]["data"]["id"] == order.as_str()).count() == 2
    });
    assert!(failed.elapsed() >= Duration::from_secs(5), "{of}: {:?}", failed.elapsed());
    let tried: Vec<Value> =
        about("/hook").into_iter().filter(|one| one["message"]["data"]["id"] == order.as_str()).collect();
    assert_eq!((&tried[0]["status"], &tried[1]["status"]), (&json!(302), &json!(204)), "{of}");
    assert_eq!(tried[0]["id"], tried[1]["id"], "{of}");
    assert!(about("/elsewhere").is_empty(), "{of}");

    // Who fails for long is disabled, behind a warning; who wants nothing more, at once. Both are told.
    let is_disabled =
        |id: &str| caller.asks("GET", &format!("/api/webhooks/{id}"), &Value::Null, 200)["status"] == "disabled";
    caller.until("those that fail are disabled", || is_disabled(&broken) && is_disabled(&gone));
    let told = |name: &str| {
        let asked = format!("SELECT COUNT(*) FROM outbox_events WHERE name = '{name}'");
        workspace.query(&asked)[0][0].parse::<i64>().unwrap()
    };
    assert_eq!((told("webhook_subscription_disabled"), told("webhook_subscription_failing")), (2, 1), "{of}");
    assert!(!is_disabled(&id), "{of}");

    // What was given up is sent again: to whom it is made active again, and of what came the one that is asked for.
    let delivered = caller.deliveries(&id);
    assert!(delivered.iter().all(|one| one["state"] == "delivered"), "{of}: {delivered:?}");
    receiver.tell("/_forget", &json!([]));
    let again = json!({ "delivery_id": delivered[0]["id"] });
    caller.asks("POST", &format!("/api/webhooks/{id}/replay"), &again, 202);
    caller.until("one is sent again", || about("/hook").len() == 1);
    assert_eq!(about("/hook")[0]["id"], delivered[0]["event_id"], "{of}");
    caller.asks("POST", &format!("/api/webhooks/{gone}/replay"), &again, 404);
    assert_eq!(caller.deliveries(&gone)[0]["problem"], "it answered 410", "{of}");
    let mended = json!({ "url": receiver.url("/mended"), "status": "active" });
    caller.asks("PATCH", &format!("/api/webhooks/{gone}"), &mended, 200);
    caller.asks("POST", &format!("/api/webhooks/{gone}/replay"), &json!({ "since": "2026-01-02T03:04:05Z" }), 202);
    caller.until("what was given up is sent again", || !about("/mended").is_empty());

    // Nobody is told any more.
    caller.asks("DELETE", &format!("/api/webhooks/{gone}"), &Value::Null, 204);
    caller.asks("DELETE", &format!("/api/webhooks/{broken}"), &Value::Null, 204);
    let waiting =
        format!("SELECT COUNT(*) FROM outbox_deliveries WHERE integration = '{broken}' AND state = 'waiting'");
    assert_eq!(workspace.query(&waiting)[0][0], "0", "{of}");

    // No secret, and nothing that is said of a person, is written down, whatever a subscriber repeats.
    let records = format!("{:?}", workspace.query("SELECT record, problem FROM outbox_attempts"));
    let kept = format!("{records}\n{}", caller.server.log());
    assert!(records.contains("you said") && records.contains("[redacted]"), "{of}: {records}");
    for secret in ["Ada Lovelace", "Grace Hopper", "Annie Easley", "of=partner", &first[6..], &second[6..], "v1,"] {
        assert!(!kept.contains(secret), "{of}: `{secret}` in {kept}");
    }
    let metrics = ask(caller.server.address, &get("/metrics"), "").unwrap();
    let metrics = String::from_utf8(metrics.body).unwrap();
    let counted = format!("delivery_attempts_total{{integration=\"{id}\",outcome=\"delivered\"}}");
    assert!(metrics.contains(&counted), "{of}: {metrics}");
    // Alerts ask for what is counted, and for nothing else.
    let alerts = fs::read_to_string(workspace.application.join("monitoring/alerts.yaml")).unwrap();
    let asked = alerts.match_indices("deliver").map(|(at, _)| &alerts[at..]).filter_map(|rest| rest.split_once('{'));
    let asked: BTreeSet<&str> = asked.map(|(name, _)| name).filter(|name| !name.contains([' ', '\n'])).collect();
    assert_eq!(asked.len(), 4, "{of}: {asked:?}");
    let of_time = ["delivery_attempt_seconds_total", "delivery_last_success_timestamp_seconds"];
    for name in asked.into_iter().chain(of_time) {
        assert!(metrics.contains(&format!("\n{name}{{integration=\"")), "{of}: {name} in {metrics}");
    }
    drop(caller);

    // Nothing is sent where nothing public is, unless somebody allows it.
    receiver.tell("/_forget", &json!([]));
    let caller = Caller::start(kind, &workspace, "");
    caller.orders("Ada Lovelace");
    caller.until("the message is refused", || caller.deliveries(&id)[0]["state"] == "dead");
    let problem = caller.deliveries(&id)[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.ends_with("no address of the public internet"), "{of}: {problem}");
    assert!(receiver.received().is_empty(), "{of}");
}

/// Both servers on both places at once: they mostly wait.
#[test]
fn subscribers_are_told_signed_again_and_no_more_than_they_want() {
    let embedded = Workspace::of(Sample::Senders);
    embedded.run_text(TASK).must_end_with(0);
    std::thread::scope(|scope| {
        for kind in Kind::all_here() {
            let workspace = embedded.copy();
            scope.spawn(move || lives(kind, workspace, "SQLite"));
            for engine in [Engine::PostgreSql, Engine::MySql] {
                let Some(schema) = Schema::empty(engine, "subscribers of events") else { continue };
                scope.spawn(move || {
                    let workspace = Workspace::on(Sample::Senders, schema.url());
                    workspace.run_base();
                    workspace.run_text(TASK).must_end_with(0);
                    lives(kind, workspace, engine.as_str());
                });
            }
        }
    });
}

const OF_USERS: &str = "task_id: notes
task_type: configure_database
specifications:
  database_config:
    type: sqlite
    name: notes
    schema_requirements:
      tables: [users, { name: notes, columns: { title: { type: string, required: true } } }]
      relationships: [users_to_notes]
---
task_id: notes_api
task_type: setup_api
dependencies: [notes]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/auth/login, method: POST, authentication: none }
      - { path: /api/notes, method: POST, authentication: jwt_token }
    subscribers: { events: [note_created], authentication: jwt_token, path: /api/hooks }
";

/// Users hear of their own, and have to do with their own subscriptions alone.
#[test]
fn users_hear_of_their_own_alone() {
    let Some(receiver) = Receiver::start() else { return };
    let mut completed = Workspace::of(Sample::Notes);
    completed.run_text(OF_USERS).must_end_with(0);
    completed.application = completed.path().join("output/integration/task_notes_api");
    for kind in Kind::all_here() {
        let mut workspace = completed.copy();
        workspace.application = workspace.path().join("output/integration/task_notes_api");
        let mut command = Server::command(kind, &workspace);
        command.env("AUTH_SECRET", AUTH_SECRET).env("WEBHOOK_PRIVATE_ADDRESSES", "allow");
        let server = Server::of(&mut command);
        let asks = |token: &str, method: &str, path: &str, body: &Value| {
            let mut request = if body.is_null() { get(path) } else { post(path, None, &body.to_string()) };
            request.method = method.to_owned();
            if !token.is_empty() {
                request.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
            }
            let answer = ask(server.address, &request, "").unwrap();
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            (answer.status, serde_json::from_str::<Value>(&text).unwrap_or_default())
        };
        let tokens = ["ada", "eve"].map(|name| {
            let email = format!("{name}@example.com");
            let who = json!({ "email": email, "name": name, "password": "correct horse battery" });
            assert_eq!(asks("", "POST", "/api/auth/register", &who).0, 202, "{}", server.log());
            workspace.query(&format!(
                "UPDATE auth_accounts SET email_verified_at = '2026-01-02T03:04:05.678Z' WHERE user_id = (SELECT id FROM users WHERE email = '{email}')"
            ));
            let proof = json!({ "email": email, "password": "correct horse battery" });
            let (status, told) = asks("", "POST", "/api/auth/login", &proof);
            assert_eq!(status, 200, "{told}\n{}", server.log());
            told["access_token"].as_str().unwrap().to_owned()
        });
        let ids = ["ada", "eve"].into_iter().zip(&tokens).map(|(name, token)| {
            let url = json!({ "url": receiver.url(&format!("/{name}")) });
            let (status, made) = asks(token, "POST", "/api/hooks", &url);
            assert_eq!(status, 201, "{made}\n{}", server.log());
            made["id"].as_str().unwrap().to_owned()
        });
        let ids: Vec<String> = ids.collect();
        let [ada, eve] = &tokens;
        let (_, listed) = asks(ada, "GET", "/api/hooks", &Value::Null);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{kind:?}: {listed}");
        for (method, behind) in
            [("GET", ""), ("DELETE", ""), ("GET", "/secret"), ("POST", "/test"), ("GET", "/deliveries")]
        {
            let body = if method == "POST" { json!({}) } else { Value::Null };
            let path = format!("/api/hooks/{}{behind}", ids[1]);
            assert_eq!(asks(ada, method, &path, &body).0, 404, "{kind:?}: {method} {path}");
        }
        receiver.tell("/_forget", &json!([]));
        for (token, title) in [(ada, "Ada's"), (eve, "Eve's"), (ada, "Ada's other")] {
            assert_eq!(asks(token, "POST", "/api/notes", &json!({ "title": title })).0, 201, "{}", server.log());
        }
        let begun = Instant::now();
        while receiver.received().len() < 3 {
            assert!(begun.elapsed() < SOON, "{:?}\n{}", receiver.received(), server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        // Whoever is told too much would be told by then.
        std::thread::sleep(Duration::from_millis(300));
        let mut told: Vec<(String, String)> = receiver
            .received()
            .iter()
            .map(|one| {
                (one["url"].as_str().unwrap().to_owned(), one["message"]["data"]["title"].as_str().unwrap().to_owned())
            })
            .collect();
        told.sort();
        let expected = [("/ada", "Ada's"), ("/ada", "Ada's other"), ("/eve", "Eve's")];
        assert_eq!(told, expected.map(|(url, title)| (url.to_owned(), title.to_owned())), "{kind:?}");
    }
}
