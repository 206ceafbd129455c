//! Calls from their inputs to their outcome, against servers on this machine.

use super::{Asked, AttemptRecord, Called, Caller, Reconciled};
use crate::account::{Account, Inputs};
use crate::answer::Outcome;
use crate::authentication::tokens::KeepNothing;
use crate::testbed::{account, delivery, field, inputs, now, served};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const STRIPE: &[(&str, &str)] = &[("secret_key", "sk_test_1234567890")];
const TWILIO: &[(&str, &str)] =
    &[("account_sid", "AC00000000000000000000000000000001"), ("auth_token", "tok-4711"), ("sender", "+15550001111")];

/// A provider that answers so, and who calls it.
async fn provider(
    name: &str,
    values: &[(&str, &str)],
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (Caller, Account) {
    let (client, at) = served(answer).await;
    let mut account = account(name, values);
    account.instead = Some(at);
    account.webhook.url = Some("https://shop.example/webhooks".to_owned());
    (Caller::new(client, Arc::new(KeepNothing), Arc::new(now)), account)
}

async fn call(caller: &Caller, account: &Account, operation: &str, given: Value) -> Called {
    let (operation, inputs, delivery) = (field(operation), inputs(given), delivery());
    caller.call(&Asked { account, operation: &operation, inputs: &inputs, delivery: Some(&delivery) }).await
}

fn customer() -> Value {
    json!({ "email": "Ada.Lovelace@example.org", "name": "Ada Lovelace", "user_id": "u-1" })
}

#[tokio::test]
async fn an_attempt_is_written_down() {
    let answer = |_: &str| (200, json!({ "id": "cus_1", "email": "Ada.Lovelace@example.org" }).to_string());
    let (caller, account) = provider("stripe", STRIPE, answer).await;
    let called = call(&caller, &account, "create_customer", customer()).await;
    assert_eq!(called.outcome, Outcome::Done { answer: inputs(json!({ "id": "cus_1" })) });
    let record = called.record;
    assert_eq!((record.method.as_str(), record.status), ("POST", Some(200)));
    assert!(record.url.ends_with("/v1/customers"), "{}", record.url);
    assert!(record.request_body.starts_with("email=sha256:"), "{}", record.request_body);
    assert_eq!(record.answer_body, r#"{"id":"cus_1"}"#);
    assert_eq!(record.answer_headers, [("content-type".to_owned(), "application/json".to_owned())]);
}

/// Whatever a provider says, and however: nothing of what is personal or secret is written down or told.
#[tokio::test]
async fn nothing_that_is_not_plain_is_written_down() {
    let echo = |request: &str| {
        let words = format!("no such user ADA.LOVELACE@EXAMPLE.ORG, Ada Lovelace: {request}");
        (402, json!({ "error": { "code": "Ada Lovelace", "message": words } }).to_string())
    };
    let (caller, account) = provider("stripe", STRIPE, echo).await;
    let called = call(&caller, &account, "create_customer", customer()).await;
    let told = format!("{:?} {}", called.outcome, serde_json::to_string(&called.record).unwrap()).to_lowercase();
    for value in ["lovelace", "sk_test_1234567890"] {
        assert!(!told.contains(value), "{value} stands in {told}");
    }
    assert!(told.contains("sha256:") && told.contains("[redacted]"), "{told}");

    let echo = |request: &str| (400, json!({ "code": 21211, "message": request }).to_string());
    let (caller, account) = provider("twilio", TWILIO, echo).await;
    let called =
        call(&caller, &account, "send_message", json!({ "to": "+49301234567", "text": "Your code is 998877" })).await;
    let told = format!("{:?} {}", called.outcome, serde_json::to_string(&called.record).unwrap());
    for value in ["301234567", "998877", "tok-4711"] {
        assert!(!told.contains(value), "{value} stands in {told}");
    }

    let answer = |_: &str| (200, json!({ "url": "https://billing.example/p/session/secret-1" }).to_string());
    let (caller, account) = provider("stripe", STRIPE, answer).await;
    let called = call(&caller, &account, "create_portal_session", json!({ "customer": "cus_1" })).await;
    assert_eq!(called.record.answer_body, r#"{"url":"[redacted]"}"#);
    assert!(
        matches!(called.outcome, Outcome::Done { answer } if answer["url"] == "https://billing.example/p/session/secret-1")
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_not_sent() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let answer = move |_: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        (200, String::new())
    };
    let (caller, account) = provider("stripe", STRIPE, answer).await;
    let called = call(&caller, &account, "create_customer", json!({ "email": "no address" })).await;
    let message = "the input `email` is not of the type `email`".to_owned();
    assert_eq!(called.outcome, Outcome::Permanent { code: Some("request".to_owned()), message });
    assert_eq!((called.record, asked.load(Ordering::SeqCst)), (AttemptRecord::default(), 0));
    let called = call(&caller, &account, "make_coffee", json!({})).await;
    assert!(
        matches!(called.outcome, Outcome::Permanent { message, .. } if message == "no operation is called `make_coffee`")
    );
}

#[tokio::test]
async fn a_lost_reply_may_have_had_an_effect_and_a_reading_has_none() {
    let (caller, account) = provider("stripe", STRIPE, |_| (0, String::new())).await;
    let lost = call(&caller, &account, "create_customer", customer()).await;
    assert!(matches!(lost.outcome, Outcome::UnknownEffect { .. }), "{:?}", lost.outcome);
    assert_eq!(lost.record.status, None);
    let read = call(&caller, &account, "get_balance", json!({})).await;
    assert!(matches!(read.outcome, Outcome::Transient { .. }), "{:?}", read.outcome);
    let mut nobody = account;
    nobody.instead = Some("http://127.0.0.1:1".to_owned());
    let refused = call(&caller, &nobody, "create_customer", customer()).await;
    assert!(
        matches!(&refused.outcome, Outcome::Permanent { message, .. } if message.contains("public internet")),
        "{:?}",
        refused.outcome
    );
}

/// What a server was asked: the first line of each request.
type Lines = Arc<Mutex<Vec<String>>>;

/// Another token for each request for one, else this answer.
fn token_or(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (impl Fn(&str) -> (u16, String) + Send + Sync + 'static, Lines) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&seen);
    let answer = move |request: &str| {
        let mut seen = written.lock().unwrap();
        let first = request.lines().next().unwrap_or_default().to_owned();
        let tokens = seen.iter().filter(|line: &&String| line.contains("oauth2/token")).count();
        seen.push(first.clone());
        if first.contains("oauth2/token") {
            let body = json!({ "access_token": format!("t{}", tokens + 1), "expires_in": 3600 });
            return (200, body.to_string());
        }
        answer(request)
    };
    (answer, seen)
}

fn order() -> Value {
    json!({ "order": "O-1" })
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let captured =
        json!({ "purchase_units": [{ "payments": { "captures": [{ "id": "c", "status": "COMPLETED" }] } }] })
            .to_string();
    let (answer, seen) = token_or(move |request| match request.contains("authorization: Bearer t2") {
        true => (201, captured.clone()),
        false => (401, json!({ "name": "INVALID_TOKEN" }).to_string()),
    });
    let paypal = [("client_id", "id"), ("client_secret", "s3cret")];
    let (caller, account) = provider("paypal", &paypal, answer).await;
    let called = call(&caller, &account, "capture_order", order()).await;
    assert_eq!(called.outcome, Outcome::Done { answer: inputs(json!({ "id": "c", "status": "COMPLETED" })) });
    assert_eq!(seen.lock().unwrap().len(), 4, "a token, a refusal, another token, the answer");

    let (answer, seen) = token_or(|_| (401, json!({ "name": "INVALID_TOKEN" }).to_string()));
    let (caller, account) = provider("paypal", &paypal, answer).await;
    let called = call(&caller, &account, "capture_order", order()).await;
    assert!(matches!(called.outcome, Outcome::Authentication { .. }), "{:?}", called.outcome);
    assert_eq!(seen.lock().unwrap().len(), 4, "not once more");
    let told = serde_json::to_string(&called.record).unwrap();
    assert!(!told.contains("t2") && told.contains("Bearer [redacted]"), "{told}");
}

#[tokio::test]
async fn a_credential_is_tried_as_the_manifest_says() {
    let (caller, stripe) = provider("stripe", STRIPE, |_| {
        (401, json!({ "error": { "message": "Invalid API Key provided: sk_test_1234567890" } }).to_string())
    })
    .await;
    let Some(Outcome::Authentication { message, .. }) = caller.check(&stripe).await else { panic!() };
    assert_eq!(message, "Invalid API Key provided: [redacted]");
    let (answer, _) = token_or(|_| (500, String::new()));
    let (caller, paypal) = provider("paypal", &[("client_id", "i"), ("client_secret", "s")], answer).await;
    assert_eq!(caller.check(&paypal).await, Some(Outcome::Done { answer: Inputs::new() }));
    let (caller, analytics) = provider("google_analytics", &[], |_| (500, String::new())).await;
    assert_eq!(caller.check(&analytics).await, None);
}

#[tokio::test]
async fn a_long_answer_is_read_page_by_page() {
    let answer = |request: &str| {
        let first = request.lines().next().unwrap();
        match first.contains("starting_after=e2") {
            true => (200, json!({ "data": [{ "id": "e3" }], "has_more": false }).to_string()),
            false => (200, json!({ "data": [{ "id": "e1" }, { "id": "e2" }], "has_more": true }).to_string()),
        }
    };
    let (caller, account) = provider("stripe", STRIPE, answer).await;
    let (operation, given) = (field("list_events"), Inputs::new());
    let mut pages = caller.pages(Asked { account: &account, operation: &operation, inputs: &given, delivery: None });
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        ids.extend(page.unwrap().items.into_iter().map(|item| item["id"].clone()));
    }
    assert_eq!(ids, ["e1", "e2", "e3"]);

    let (caller, account) = provider("stripe", STRIPE, |_| (500, String::new())).await;
    let mut pages = caller.pages(Asked { account: &account, operation: &operation, inputs: &given, delivery: None });
    assert!(matches!(pages.next().await, Some(Err(_))));
    assert!(pages.next().await.is_none());
}

async fn reconciled(caller: &Caller, account: &Account, operation: &str, given: Value, hours: u64) -> Reconciled {
    let (operation, inputs, delivery) = (field(operation), inputs(given), delivery());
    let asked = Asked { account, operation: &operation, inputs: &inputs, delivery: Some(&delivery) };
    caller.reconcile(&asked, Duration::from_secs(hours * 3600)).await
}

#[tokio::test]
async fn a_lost_reply_is_looked_into_before_anything_is_sent_again() {
    let seen = Arc::new(Mutex::new(String::new()));
    let written = Arc::clone(&seen);
    let answer = move |request: &str| {
        request.lines().next().unwrap().clone_into(&mut written.lock().unwrap());
        (200, json!({ "messages": [{ "body": "other" }, { "body": "Your code is 998877" }] }).to_string())
    };
    let (caller, account) = provider("twilio", TWILIO, answer).await;
    let message = |text: &str| json!({ "to": "+49301234567", "text": text });
    let found = reconciled(&caller, &account, "send_message", message("Your code is 998877"), 1).await;
    assert_eq!(found, Reconciled::Happened { answer: Inputs::new() });
    assert!(seen.lock().unwrap().contains("?To=%2B49301234567&DateSent%3E=2026-01-31 "), "{seen:?}");
    let absent = reconciled(&caller, &account, "send_message", message("Your code is 112233"), 1).await;
    assert_eq!(absent, Reconciled::DidNot);
    let (caller, account) = provider("twilio", TWILIO, |_| (503, String::new())).await;
    let later = reconciled(&caller, &account, "send_message", message("x"), 1).await;
    assert!(matches!(later, Reconciled::NotKnownYet(_)), "{later:?}");
    let (caller, account) = provider("twilio", TWILIO, |_| (403, String::new())).await;
    assert!(matches!(reconciled(&caller, &account, "send_message", message("x"), 1).await, Reconciled::Stop { .. }));
}

#[tokio::test]
async fn a_key_makes_a_repetition_safe_as_long_as_it_is_known() {
    let (caller, account) = provider("stripe", STRIPE, |_| (500, String::new())).await;
    let safe = reconciled(&caller, &account, "create_customer", customer(), 23).await;
    assert_eq!(safe, Reconciled::RepeatIsSafe);
    let over = reconciled(&caller, &account, "create_customer", customer(), 24).await;
    assert!(matches!(over, Reconciled::Stop { .. }), "{over:?}");
    let natural = reconciled(&caller, &account, "delete_customer", json!({ "customer": "c" }), 99).await;
    assert_eq!(natural, Reconciled::RepeatIsSafe);
    let (caller, account) = provider("google_analytics", &[], |_| (500, String::new())).await;
    let stop = reconciled(&caller, &account, "collect", json!({}), 0).await;
    assert!(matches!(stop, Reconciled::Stop { .. }));
}

#[test]
fn a_call_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn never(caller: &Caller, asked: &Asked<'_>) {
        is_send(&caller.call(asked));
        is_send(&caller.reconcile(asked, Duration::ZERO));
    }
    let _ = never;
}

#[test]
fn a_link_is_made_without_sending_anything() {
    let account = account("aws_s3", &[("bucket", "b"), ("access_key_id", "AKIA"), ("secret_access_key", "s")]);
    let client = crate::client::Client::new(Vec::new()).unwrap();
    let caller = Caller::new(client, Arc::new(KeepNothing), Arc::new(now));
    let (operation, given) = (field("download_link"), inputs(json!({ "key": "a/b c.txt" })));
    let asked = Asked { account: &account, operation: &operation, inputs: &given, delivery: None };
    let link = caller.link(&asked, Duration::from_secs(60)).unwrap();
    assert!(link.starts_with("https://b.s3.us-east-1.amazonaws.com/a/b%20c.txt?X-Amz-Algorithm="), "{link}");
}
