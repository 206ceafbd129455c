//! Every operation of the provider that this build describes, as the engine writes it, before two judges: the simulator, which has to
//! do it, and the vendor's own mock server, which holds requests against the vendor's official specification. The second is
//! an installed program (`STRIPE_MOCK` names it, else the path is searched); without it this is skipped, loudly.

use crate::account::{Account, WebhookAddress};
use crate::answer::Outcome;
use crate::client::{Bounds, Client, Sent};
use crate::message::{HttpAnswer, HttpRequest};
use crate::simulator::{Asked, Handled, Simulator};
use crate::testbed::{Given, account, given};
use serde_json::{Map, Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use vocab::Secret;

const SITE: &str = "http://127.0.0.1:4000";
const NOW_MS: i64 = 1_800_000_000_000;
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(20), most_bytes: 4 * 1024 * 1024 };

/// Every operation with its inputs, in an order in which each finds what it needs; `@NAME` is the id that an earlier one answered.
const OPERATIONS: &str = r#"[
    ["get_balance", {}],
    ["create_customer", { "email": "ada@example.org", "name": "Ada", "user_id": "u1" }],
    ["create_checkout_session", { "order_id": "o1", "email": "ada@example.org", "currency": "EUR",
        "items": [{ "name": "Tea & cups", "unit_price": "19.99", "quantity": 2 }] }],
    ["create_subscription_session", { "subscription_id": "s1", "email": "ada@example.org", "plan": "Team", "price": "29.00",
        "currency": "GBP", "interval": "month", "quantity": 3, "trial_days": 14 }],
    ["get_checkout_session", { "id": "@create_checkout_session" }],
    ["create_refund", { "payment": "@payment", "amount": "5.00", "currency": "EUR", "order_id": "o1" }],
    ["create_subscription", { "customer": "@create_customer", "price": "price_1", "subscription_id": "s1" }],
    ["end_subscription_with_period", { "subscription": "@create_subscription" }],
    ["resume_subscription", { "subscription": "@create_subscription" }],
    ["cancel_subscription", { "subscription": "@create_subscription" }],
    ["create_portal_session", { "customer": "@create_customer" }],
    ["list_events", { "since": "2026-01-31T12:00:00Z" }],
    ["create_webhook_endpoint", {}],
    ["list_webhook_endpoints", {}],
    ["update_webhook_endpoint", {}],
    ["delete_webhook_endpoint", {}],
    ["delete_customer", { "customer": "@create_customer" }]
]"#;

fn operations() -> Vec<(String, Map<String, Value>)> {
    serde_json::from_str(OPERATIONS).unwrap()
}

/// The inputs with what earlier operations have answered.
fn with_ids(inputs: &Map<String, Value>, ids: &Map<String, Value>) -> Value {
    let known = |value: &Value| value.as_str().and_then(|text| text.strip_prefix('@')).and_then(|name| ids.get(name));
    inputs.iter().map(|(name, value)| (name.clone(), known(value).unwrap_or(value).clone())).collect()
}

fn stripe(instead: &str, endpoint: &str) -> Account {
    let webhook = WebhookAddress {
        url: Some(format!("{SITE}/webhooks/stripe")),
        id: Some(endpoint.to_owned()),
        secret: Some(Secret::new("whsec_1".to_owned())),
        kinds: vec!["checkout.session.completed".to_owned(), "charge.refunded".to_owned()],
    };
    let known = account("stripe", &[("secret_key", "sk_test_0123456789abcdef")]);
    Account { instead: Some(instead.to_owned()), webhook, ..known }
}

/// The call with a key of idempotency of its own, as each delivery has.
fn call(account: Account, name: &str, inputs: Value) -> Given {
    let mut call = given(account, name, inputs);
    call.delivery.key = format!("key-{name}");
    call
}

fn at_the_simulator(simulator: &mut Simulator, request: &HttpRequest) -> HttpAnswer {
    let target = request.url.strip_prefix(SITE).unwrap();
    let asked = Asked { method: request.method.as_str(), target, headers: &request.headers, body: &request.body };
    match simulator.handle(&asked, NOW_MS) {
        Handled::Answered(answer) => {
            HttpAnswer { status: answer.status, headers: answer.headers, body: answer.body, is_cut: false }
        }
        Handled::Hangs | Handled::Lost => panic!("no fault was asked for"),
    }
}

#[test]
fn every_operation_is_done_by_the_simulator() {
    let manifest = crate::testbed::manifest("stripe");
    let named: Vec<String> = operations().into_iter().map(|(name, _)| name).collect();
    let mut known: Vec<&str> = manifest.operations.names();
    known.retain(|name| !named.iter().any(|named| named == name));
    assert!(known.is_empty(), "not tried: {known:?}");

    let mut simulator = Simulator::new(manifest, SITE, 7).unwrap();
    let (mut ids, mut endpoint) = (Map::new(), String::new());
    for (name, inputs) in operations() {
        let call = call(stripe(SITE, &endpoint), &name, with_ids(&inputs, &ids));
        let answer = at_the_simulator(&mut simulator, &call.sent().unwrap());
        let headers: Vec<(&str, &str)> = answer.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let read = call.read(answer.status, &headers, std::str::from_utf8(&answer.body).unwrap());
        assert!(matches!(read.outcome, Outcome::Done { .. }), "{name}: {:?}", read.outcome);
        let id = read.document["id"].as_str().unwrap_or_default().to_owned();
        if name == "create_checkout_session" {
            let paid = simulator.act("pay", &id, NOW_MS).unwrap();
            ids.insert("payment".to_owned(), paid["payment_intent"].clone());
        }
        if name == "create_webhook_endpoint" {
            endpoint.clone_from(&id);
        }
        ids.insert(name, json!(id));
    }
}

/// The vendor's mock server, until this is dropped.
struct Mock {
    child: Child,
    /// Held open: a program whose output nobody takes ends.
    _says: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Mock {
    fn start() -> Option<Self> {
        let named = std::env::var_os("STRIPE_MOCK").map(PathBuf::from).unwrap_or_else(|| "stripe-mock".into());
        let mut command = Command::new(named);
        command.args(["-http-addr", "127.0.0.1:", "-https-addr", "127.0.0.1:"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut says = BufReader::new(child.stdout.take()?);
        let lines = says.by_ref().lines().map_while(Result::ok);
        let address =
            lines.filter_map(|line| line.strip_prefix("Listening for HTTP at address: ")?.parse().ok()).next();
        Some(Self { child, _says: says, address: address? })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn every_operation_is_what_the_official_specification_says() {
    let Some(mock) = Mock::start() else {
        let line = b"SKIPPED the official specification of Stripe: no `stripe-mock`, which STRIPE_MOCK may name\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    };
    let client = Client::new(vec![mock.address]).unwrap();
    let instead = format!("http://{}", mock.address);
    for (name, inputs) in operations() {
        let call = call(stripe(&instead, "we_1"), &name, with_ids(&inputs, &Map::new()));
        let request = call.sent().unwrap();
        let Sent::Answered(answer) = client.send(&request, BOUNDS).await else { panic!("{name}: no answer") };
        let body = String::from_utf8_lossy(&answer.body);
        assert!((200..300).contains(&answer.status), "{name}: {} {body}", answer.status);
    }
    // It is a judge: it refuses what the specification does not know.
    let mut wrong =
        call(stripe(&instead, "we_1"), "create_customer", json!({ "email": "a@b.example", "user_id": "u" }))
            .sent()
            .unwrap();
    wrong.body = b"colour=blue".to_vec();
    let Sent::Answered(refused) = client.send(&wrong, BOUNDS).await else { panic!("no answer") };
    assert_eq!(refused.status, 400);
}
