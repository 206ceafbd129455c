//! Tasks that integrate a service: what is asked for, what is tried, what a response says of it, and that no credential is shown.

mod alerts;
mod contacts;
mod node;
mod proofs;
mod several;
mod visitors;
mod wire;

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files, query};
use plan::http_case::CaseRequest;
use plan::trouble::Trouble;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use store::{Location, Store};

/// Of the live system: the one that is played takes no such key.
pub const KEY: &str = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";

pub fn integrate(workspace: &Workspace, more: &[&str]) -> Ended {
    let task = repository("tests/cases/tasks/stripe-payments.yaml");
    end(workspace.command(&["run"]).arg(&task).args(more).env_remove("KEY"))
}

pub fn set(workspace: &Workspace, value: &str) {
    end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE_SECRET_KEY"]), value).must_end_with(0);
}

#[test]
fn a_missing_credential_is_asked_for() {
    let workspace = Workspace::new();
    let response = integrate(&workspace, &[]).must_end_with(3).response();
    assert_eq!(response["status"], "needs_input");
    let error = &response["error"];
    assert_eq!((&error["kind"], &error["code"]), (&"integration.authentication".into(), &"credentials_missing".into()));
    assert_eq!(error["message"], "Stripe needs: Secret key, or a restricted key");
    let hint = error["hint"].as_str().unwrap();
    for part in ["`producer secrets set STRIPE_SECRET_KEY`", "https://dashboard.stripe.com/apikeys", "--sandbox"] {
        assert!(hint.contains(part), "{hint}");
    }
    assert!(!workspace.path().join("output").exists(), "nothing was made");
}

#[test]
fn a_credential_of_another_form_is_none_and_is_not_shown() {
    let workspace = Workspace::new();
    set(&workspace, "pk_live_51HxyzPublishable");
    let ended = integrate(&workspace, &[]).must_end_with(3);
    let message = ended.response()["error"]["message"].to_string();
    assert!(message.contains("it begins with `sk_live_` or `sk_test_`"), "{message}");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("51Hxyz"));
}

/// A workspace whose Stripe is played beside it, and takes its key.
pub fn with_stripe(more: &[&str]) -> (Workspace, Played) {
    let workspace = Workspace::new();
    let played = Played::start(&workspace, "stripe", more);
    let settings = format!("[simulated]\nstripe = \"{}\"\n", played.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    set(&workspace, played.told("secret_key"));
    (workspace, played)
}

#[test]
fn a_credential_that_is_taken_leads_to_an_integration_and_is_nowhere() {
    let (workspace, played) = with_stripe(&[]);
    let response = integrate(&workspace, &[]).must_end_with(0).response();
    let integration = &response["output"]["integrations"][0];
    assert_eq!((&integration["service"], &integration["status"]), (&"stripe".into(), &"simulated".into()));
    assert!(integration["webhook_url"].as_str().unwrap().ends_with("/webhooks/stripe"), "{integration}");
    let again = integrate(&workspace, &[]).must_end_with(0).response();
    assert_eq!(again["changed"], false);
    let key = played.told("secret_key");
    for (path, content) in files(workspace.path()) {
        assert!(!content.windows(key.len()).any(|window| window == key.as_bytes()), "{path} holds the key");
    }
}

#[test]
fn a_credential_that_is_not_taken_is_a_failure_that_says_how_to_give_another() {
    let (workspace, _played) = with_stripe(&[]);
    set(&workspace, KEY);
    let ended = integrate(&workspace, &[]).must_end_with(1);
    let error = &ended.response()["error"];
    assert_eq!((&error["kind"], &error["code"]), (&"integration.authentication".into(), &"credentials_refused".into()));
    assert_eq!(error["message"], "Stripe does not take the credentials");
    assert!(error["hint"].as_str().unwrap().contains("`producer secrets set STRIPE_SECRET_KEY`"), "{error}");
    assert_eq!(error["retryable"], false);
    assert!(!workspace.path().join("output").exists(), "nothing was made");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(KEY));
}

#[test]
fn a_provider_that_does_not_answer_is_told_apart_from_one_that_refuses() {
    for (fault, code) in [("server_error", "service_unavailable"), ("rate_limit", "rate_limited")] {
        let (workspace, _played) = with_stripe(&["--fault", fault]);
        let error = integrate(&workspace, &[]).must_end_with(1).response()["error"].clone();
        assert_eq!(
            (&error["kind"], &error["code"]),
            (&"integration.service_unavailable".into(), &code.into()),
            "{error}"
        );
        assert_eq!(error["retryable"], true);
    }
    let (workspace, played) = with_stripe(&[]);
    drop(played);
    let error = integrate(&workspace, &[]).must_end_with(1).response()["error"].clone();
    assert_eq!(
        (&error["kind"], &error["code"]),
        (&"integration.service_unavailable".into(), &"service_unavailable".into())
    );
}

/// Every line of the guide's troubleshooting is brought about, and told in the words of that line.
#[test]
fn everything_the_guide_knows_to_go_wrong_does_and_says_so() {
    let (workspace, played) = shop_with();
    let guide =
        workspace.path().join("output/integration/task_integration_2025_003/documentation/integration-guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    for trouble in Trouble::ALL {
        assert!(guide.contains(&format!("\n| {} |", trouble.seen())), "{trouble:?}: {guide}");
        let told = brought_about(trouble, &workspace, &played);
        for word in [trouble.kind(), trouble.code()].into_iter().flatten() {
            assert!(told.contains(word), "{trouble:?} is not called `{word}`: {told}");
        }
    }
}

/// What is told where that goes wrong.
fn brought_about(trouble: Trouble, shop: &Workspace, played: &Played) -> String {
    let failed = |(workspace, _played): (Workspace, Played)| integrate(&workspace, &[]).must_end_with(1).stdout;
    let warned = |workspace: &Workspace| {
        integrate(workspace, &["--sandbox"]).must_end_with(0).response()["warnings"].to_string()
    };
    match trouble {
        Trouble::CredentialsMissing => integrate(&Workspace::new(), &[]).must_end_with(3).stdout,
        Trouble::CredentialsRefused => {
            let stripe = with_stripe(&[]);
            set(&stripe.0, KEY);
            failed(stripe)
        }
        Trouble::CheckRefused => {
            let stripe = with_stripe(&[]);
            let settings = format!("[simulated]\nstripe = \"http://{}\"\n", forbids());
            fs::write(stripe.0.path().join("producer.toml"), settings).unwrap();
            failed(stripe)
        }
        Trouble::RateLimited => failed(with_stripe(&["--fault", "rate_limit"])),
        Trouble::ServiceUnavailable => failed(with_stripe(&["--fault", "server_error"])),
        Trouble::NotTold => {
            let stripe = with_stripe(&["--fault", "server_error:2"]);
            let settings = fs::read_to_string(stripe.0.path().join("producer.toml")).unwrap();
            let settings = format!("public_url = \"http://127.0.0.1:9\"\n{settings}");
            fs::write(stripe.0.path().join("producer.toml"), settings).unwrap();
            failed(stripe)
        }
        Trouble::CallUnproved => {
            let server = Server::start(Kind::Native, shop);
            let paid = session("evt_1", "checkout.session.completed", "019c0f3e-7b1a-7c3d-8e5f-000000000001");
            let refused = ask(server.address, &call(&paid, "whsec_of_somebody_else"), "").unwrap();
            assert_eq!(refused.status, 401);
            assert!(server.log().contains("stripe"), "{}", server.log());
            String::from_utf8(refused.body).unwrap()
        }
        Trouble::GivenUp => {
            // The address is none, which the provider does not take.
            let workspace = Workspace::new();
            let settings = format!("[simulated]\nstripe = \"{}\"\n", played.told("address"));
            fs::write(workspace.path().join("producer.toml"), settings).unwrap();
            set(&workspace, played.told("secret_key"));
            workspace.run_text(&MEMBERS.replace("email: email", "email: string")).must_end_with(0);
            integrate(&workspace, &[]).must_end_with(0);
            let server = Server::start(Kind::Native, &workspace);
            let body = r#"{"user_id":"019c0f3e-7b1a-7c3d-8e5f-000000000001","email":"somebody","name":"Ada"}"#;
            assert_eq!(ask(server.address, &post("/api/members", None, body), "").unwrap().status, 201);
            let begun = std::time::Instant::now();
            loop {
                let listed = end(&mut workspace.command(&["deliveries", "list"])).must_end_with(0).stdout;
                if listed.contains("dead") {
                    break listed;
                }
                assert!(begun.elapsed().as_secs() < 30, "{listed}\n{}", server.log());
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        Trouble::NobodyEmits => {
            let warnings = warned(&Workspace::new());
            assert!(warnings.contains("nothing in this workspace emits `user_registration`"), "{warnings}");
            warnings
        }
        Trouble::EventLacks => {
            let workspace = Workspace::new();
            let lacks = MEMBERS.replace("user_id: { required: true, type: uuid }, ", "");
            assert_ne!(lacks, MEMBERS);
            workspace.run_text(&lacks).must_end_with(0);
            let warnings = warned(&workspace);
            assert!(warnings.contains("`user_registration` does not say `user_id`"), "{warnings}");
            warnings
        }
    }
}

/// The address of a provider that knows everybody and lets nobody do anything.
fn forbids() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut lines = std::io::BufReader::new(&connection).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = r#"{"error":{"type":"invalid_request_error","message":"This key may not read the balance."}}"#;
            let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let _ = write!(&connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

#[test]
fn a_sandbox_needs_no_account_and_says_so_everywhere() {
    let workspace = Workspace::new();
    let response = integrate(&workspace, &["--sandbox"]).must_end_with(0).response();
    assert_eq!(response["output"]["integrations"][0]["status"], "simulated");
    assert_eq!(response["output"]["database"]["status"], "connected", "the database is the real one");
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("nothing in this workspace emits `user_registration`"), "{warnings}");
    let guide =
        workspace.path().join("output/integration/task_integration_2025_003/documentation/integration-guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    for part in [
        "a simulated provider on this machine",
        "`create_checkout_session`",
        "`payment_succeeded`",
        "credentials_missing",
    ] {
        assert!(guide.contains(part), "{part}");
    }
}

/// What the task asks for at an event that an endpoint emits under another name, or without a field, is said.
#[test]
fn an_event_without_a_needed_field_is_said() {
    let workspace = Workspace::new();
    let api = "task_id: api\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/customers, method: POST, authentication: none, validation: [email, name], emits: [user_registration] }\n";
    workspace.run_text(api).must_end_with(0);
    let warnings = integrate(&workspace, &["--sandbox"]).must_end_with(0).response()["warnings"].to_string();
    assert!(warnings.contains("`user_registration` does not say `user_id`, which Stripe needs"), "{warnings}");
}

pub const SHOP: &str = "task_id: integration_2025_002\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    environment: development\n    schema_requirements:\n      tables: [users, orders, products]\n      relationships: [users_to_orders, orders_to_products]\n";
pub const SIGNING: &str = "whsec_private_to_the_tests";

/// HMAC-SHA-256, RFC 2104.
fn hmac(key: &str, message: &str) -> String {
    let padded = |pad: u8| -> Vec<u8> {
        let mut block = [pad; 64];
        block.iter_mut().zip(key.bytes()).for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = vocab::sha256_hex(&[padded(0x36), message.as_bytes().to_vec()].concat());
    let inner = (0..32).map(|at| u8::from_str_radix(&inner[2 * at..2 * at + 2], 16).unwrap()).collect();
    vocab::sha256_hex(&[padded(0x5c), inner].concat())
}

/// What a provider sends: the same bytes whoever receives them.
pub fn call(body: &str, key: &str) -> CaseRequest {
    let at = jiff::Timestamp::now().as_second();
    let signature = format!("t={at},v1={}", hmac(key, &format!("{at}.{body}")));
    let mut request = post("/webhooks/stripe", None, body);
    request.headers.insert("Stripe-Signature".to_owned(), signature);
    request
}

pub fn session(event: &str, kind: &str, order: &str) -> String {
    format!(
        r#"{{"id":"{event}","object":"event","type":"{kind}","created":1700000000,"data":{{"object":{{"payment_status":"paid","client_reference_id":"{order}","payment_intent":"pi_1","amount_total":1999,"currency":"usd"}}}}}}"#
    )
}

/// The shop's database, and a service that listens to Stripe.
fn shop_with() -> (Workspace, Played) {
    let (workspace, played) = with_stripe(&[]);
    workspace.run_text(SHOP).must_end_with(0);
    end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE_WEBHOOK_SECRET"]), SIGNING).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    (workspace, played)
}

/// The same, served.
pub fn shop() -> (Workspace, Played, Server) {
    let (workspace, played) = shop_with();
    let server = Server::start(Kind::Native, &workspace);
    (workspace, played, server)
}

fn rows(workspace: &Workspace, statement: &str) -> Vec<Vec<String>> {
    query(&workspace.path().join(".producer/data/development_db.sqlite"), statement)
}

fn write(workspace: &Workspace, statement: String) {
    write_into(&workspace.path().join(".producer/data/development_db.sqlite"), statement);
}

pub fn write_into(database: &Path, statement: String) {
    let store = Store::open(&Location::File(database.to_owned())).unwrap();
    let written = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(store::Ended::Commit(transaction.execute(&statement, &[]).await?)) })
    });
    tokio::runtime::Runtime::new().unwrap().block_on(written).unwrap();
}

fn order(workspace: &Workspace, id: &str) -> String {
    rows(workspace, &format!("SELECT status FROM orders WHERE id = '{id}'"))[0][0].clone()
}

#[test]
fn what_a_provider_tells_is_kept_once_and_changes_the_order() {
    let (workspace, _played, server) = shop();
    let (first, second) = ("019c0f3e-7b1a-7c3d-8e5f-000000000001", "019c0f3e-7b1a-7c3d-8e5f-000000000002");
    let user = "019c0f3e-7b1a-7c3d-8e5f-00000000000a";
    write(&workspace, format!("INSERT INTO users (id, email, name) VALUES ('{user}', 'ada@example.com', 'Ada')"));
    for id in [first, second] {
        write(&workspace, format!("INSERT INTO orders (id, user_id, total) VALUES ('{id}', '{user}', 1999)"));
    }
    let tell = |request: CaseRequest| ask(server.address, &request, "").unwrap().status;

    let paid = session("evt_1", "checkout.session.completed", first);
    assert_eq!(tell(call(&paid, "whsec_of_somebody_else")), 401);
    assert_eq!(order(&workspace, first), "pending", "a stranger changes nothing");
    for _ in 0..3 {
        assert_eq!(tell(call(&paid, SIGNING)), 200);
    }
    assert_eq!(order(&workspace, first), "paid");
    let outbox = rows(&workspace, "SELECT name, payload FROM outbox_events");
    assert_eq!(outbox.len(), 1, "once, however often it is told");
    assert_eq!(outbox[0][0], "payment_succeeded");
    assert!(outbox[0][1].contains(r#""amount":"19.99""#) && outbox[0][1].contains(first), "{}", outbox[0][1]);

    let remembered = rows(&workspace, "SELECT name, value FROM outbox_remembered");
    assert_eq!(remembered, [["payment", "\"pi_1\""]]);

    // A refund that is told before the payment is not undone by it.
    let refund = format!(
        r#"{{"id":"evt_2","object":"event","type":"charge.refunded","created":1700000001,"data":{{"object":{{"refunded":true,"amount_refunded":1999,"currency":"usd","metadata":{{"order_id":"{second}"}}}}}}}}"#
    );
    assert_eq!(tell(call(&refund, SIGNING)), 200);
    assert_eq!(tell(call(&session("evt_3", "checkout.session.completed", second), SIGNING)), 200);
    assert_eq!(order(&workspace, second), "refunded");

    // What nobody has described is kept for a person, what cannot be read is refused.
    assert_eq!(tell(call(&session("evt_4", "invoice.of_tomorrow", first), SIGNING)), 200);
    let aside = rows(&workspace, "SELECT kind, body FROM inbox_events WHERE body IS NOT NULL");
    assert_eq!((aside.len(), aside[0][0].as_str()), (1, "invoice.of_tomorrow"));
    assert_eq!(tell(call("{", SIGNING)), 400);
    assert_eq!(tell(post("/webhooks/stripe", None, "{}")), 401);
    assert!(!server.log().contains(SIGNING));
}

/// The whole way back: our address is entered at the provider once, its secret is kept unseen, somebody pays there, and the order here
/// is paid.
#[test]
fn a_payment_at_the_provider_pays_the_order_here() {
    let (workspace, played) = with_stripe(&[]);
    workspace.run_text(SHOP).must_end_with(0);
    let site = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = fs::read_to_string(workspace.path().join("producer.toml")).unwrap();
    fs::write(workspace.path().join("producer.toml"), format!("public_url = \"http://{site}\"\n{settings}")).unwrap();
    let first = integrate(&workspace, &[]).must_end_with(0);
    let told = |ended: &Ended| {
        let response = ended.response();
        let checks = response["verification"].as_array().unwrap().clone();
        let of_calls = checks.into_iter().find(|check| check["check"] == "Stripe knows where its calls go").unwrap();
        (of_calls["outcome"].clone(), of_calls["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (outcome, detail) = told(&first);
    assert_eq!(outcome, "simulated");
    assert!(detail.contains("kept as the secret `STRIPE_WEBHOOK_SECRET`"), "{detail}");
    let again = integrate(&workspace, &[]).must_end_with(0);
    assert!(told(&again).1.contains("was entered there before"), "{:?}", told(&again));
    assert_eq!(again.response()["changed"], false);

    let server = Server::of(&mut workspace.command(&["serve", "--listen", &site.to_string()]));
    let (id, user) = ("019c0f3e-7b1a-7c3d-8e5f-000000000001", "019c0f3e-7b1a-7c3d-8e5f-00000000000a");
    write(&workspace, format!("INSERT INTO users (id, email, name) VALUES ('{user}', 'ada@example.com', 'Ada')"));
    write(&workspace, format!("INSERT INTO orders (id, user_id, total) VALUES ('{id}', '{user}', 1999)"));
    let stripe = played.told("address").trim_start_matches("http://").parse().unwrap();
    let mut session = post(
        "/v1/checkout/sessions",
        None,
        &format!(
            "mode=payment&success_url=http://{site}/thanks&client_reference_id={id}&line_items[0][quantity]=1&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=1999&line_items[0][price_data][product_data][name]=Tea"
        ),
    );
    session.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    session.headers.insert("authorization".to_owned(), format!("Bearer {}", played.told("secret_key")));
    let made = ask(stripe, &session, "").unwrap();
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
    let paid = post("/_simulator/acts/pay", None, &serde_json::json!({ "id": made["id"] }).to_string());
    assert_eq!(ask(stripe, &paid, "").unwrap().status, 200);
    let begun = std::time::Instant::now();
    while order(&workspace, id) != "paid" {
        assert!(begun.elapsed().as_secs() < 10, "the payment does not arrive: {}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(rows(&workspace, "SELECT name FROM outbox_events"), [["payment_succeeded"]]);
}

pub const MEMBERS: &str = "task_id: members\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/members, method: POST, authentication: none, validation: { user_id: { required: true, type: uuid }, email: email, name: string }, emits: [user_registration] }\n";

pub fn member(number: u32) -> CaseRequest {
    let body = serde_json::json!({
        "user_id": format!("019c0f3e-7b1a-7c3d-8e5f-{number:012}"), "email": format!("ada{number}@example.com"), "name": "Ada",
    });
    post("/api/members", None, &body.to_string())
}

/// What happens here is done at the provider, once, and what was tried can be looked at without a secret or an address in it.
#[test]
fn what_happens_here_is_done_at_the_provider() {
    let (workspace, played) = with_stripe(&[]);
    workspace.run_text(MEMBERS).must_end_with(0);
    let warnings = integrate(&workspace, &[]).must_end_with(0).response()["warnings"].to_string();
    assert!(!warnings.contains("user_registration"), "{warnings}");
    let server = Server::start(Kind::Native, &workspace);
    for number in 0..5 {
        assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201);
    }
    let states = || workspace.query("SELECT state, count(*) FROM outbox_deliveries GROUP BY state");
    let begun = std::time::Instant::now();
    while states() != [["delivered", "5"]] {
        assert!(begun.elapsed().as_secs() < 20, "{:?}\n{}", states(), server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    let counted = "delivery_attempts_total{integration=\"integration_2025_003\",outcome=\"delivered\"} 5\n";
    assert!(metrics.contains(counted) && metrics.contains("delivery_breaker_open{"), "{metrics}");
    let stripe = played.told("address").trim_start_matches("http://").parse().unwrap();
    let effects = ask(stripe, &get("/_simulator/effects"), "").unwrap();
    let effects: serde_json::Value = serde_json::from_slice(&effects.body).unwrap();
    assert_eq!((&effects["total"], &effects["most_of_one_key"]), (&5.into(), &1.into()), "{effects}");
    let remembered = workspace.query("SELECT name, value FROM outbox_remembered");
    assert_eq!(remembered.len(), 5);
    assert!(remembered.iter().all(|row| row[0] == "customer" && row[1].contains("cus_")), "{remembered:?}");
    let records = workspace.query("SELECT record FROM outbox_attempts");
    assert_eq!(records.len(), 5);
    for record in records {
        assert!(record[0].contains("/v1/customers") && record[0].contains("[redacted]"), "{}", record[0]);
        assert!(!record[0].contains("example.com") && !record[0].contains(played.told("secret_key")), "{}", record[0]);
    }
}

/// What a provider will never take is given up, shown with its reason, and tried again when somebody asks for it.
#[test]
fn what_was_given_up_is_shown_and_given_another_chance() {
    let (workspace, _played) = with_stripe(&[]);
    workspace.run_text(&MEMBERS.replace("email: email", "email: string")).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    let body = r#"{"user_id":"019c0f3e-7b1a-7c3d-8e5f-000000000001","email":"somebody","name":"Ada"}"#;
    assert_eq!(ask(server.address, &post("/api/members", None, body), "").unwrap().status, 201);
    let deliveries = |words: &[&str]| {
        let words: Vec<&str> = ["deliveries"].iter().chain(words).copied().collect();
        end(&mut workspace.command(&words))
    };
    let read = |words: &[&str]| -> serde_json::Value {
        let words: Vec<&str> = words.iter().chain(&["--format", "json"]).copied().collect();
        serde_json::from_str(&deliveries(&words).must_end_with(0).stdout).unwrap()
    };
    let begun = std::time::Instant::now();
    let wait_for = |tried: usize| loop {
        let dead = read(&["list", "--state", "dead", "--provider", "stripe"]);
        if let Some(id) = dead[0]["id"].as_str() {
            let shown = read(&["show", id]);
            if shown["tried"].as_array().unwrap().len() == tried {
                break shown;
            }
        }
        assert!(begun.elapsed().as_secs() < 30, "{dead}\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let shown = wait_for(1);
    assert_eq!((&shown["event"], &shown["in_doubt"]), (&"user_registration".into(), &false.into()));
    let problem = shown["problem"].as_str().unwrap();
    assert!(problem.contains("email") && !problem.contains("somebody"), "{problem}");
    let id = shown["id"].as_str().unwrap();
    assert!(deliveries(&["replay", id]).must_end_with(0).stderr.contains("1 delivery waits again"));
    wait_for(2);
    assert!(deliveries(&["replay", "--all", "--event", "no_such"]).must_end_with(0).stderr.contains("0 deliveries"));
    deliveries(&["show", "no-such-id"]).must_end_with(1);
    deliveries(&["replay"]).must_end_with(1);
    let wrong = deliveries(&["list", "--state", "daed"]).must_end_with(1);
    assert!(wrong.stderr.contains("did you mean `dead`?"), "{}", wrong.stderr);
    let table = deliveries(&["list"]).must_end_with(0).stdout;
    assert!(table.starts_with("ID") && table.contains("dead"), "{table}");
}
