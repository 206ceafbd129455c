//! Proofs that are brought: certificates made for the test and a provider that is asked on this machine.

use super::{Fetch, Proofs, Prover};
use crate::account::Account;
use crate::authentication::tokens::KeepNothing;
use crate::call::Caller;
use crate::client::Client;
use crate::signature::Refusal;
use crate::signature::tests::{Chain, Sent};
use crate::testbed::{account, now, served};
use crate::webhook::{NotReceived, Received, receive};
use manifest::Entries;
use manifest::webhook::Webhooks;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const BODY: &str = r#"{"id":"1","type":"paid"}"#;
/// Half way through the time for which certificates of the test hold.
const NOW_MS: i64 = Chain::BEGINS_MS + 15_000_000_000;

fn webhooks(verify: &Value) -> Webhooks {
    serde_json::from_value(json!({
        "body": "json", "verify": [verify],
        "registration": { "by_hand": { "page": "https://acme.example", "steps": "enter it" } },
        "dedup": { "key": ["${body/id}"], "keep_days": 7 }, "kind": "${body/type}",
        "acknowledge": { "status": 200, "within_seconds": 10 },
        "events": [{ "kinds": ["paid"], "ignored": "nobody asked" }],
    }))
    .unwrap()
}

fn by_certificate() -> Webhooks {
    webhooks(&json!({ "certificate": {
        "algorithm": "ecdsa_p256_sha256", "header": "PAYPAL-TRANSMISSION-SIG",
        "certificate_url_header": "PAYPAL-CERT-URL", "within": ["provider.example"],
        "signed": [
            { "header": "PAYPAL-TRANSMISSION-ID" }, { "text": "|" }, { "header": "PAYPAL-TRANSMISSION-TIME" },
            { "text": "|" }, { "value": "${webhook.id}" }, { "text": "|" }, "crc32_of_body",
        ],
    } }))
}

fn paypal() -> Account {
    let mut account = account("paypal", &[("client_id", "id"), ("client_secret", "secret")]);
    account.webhook.id = Some("wh1".to_owned());
    account
}

/// Who proves by what lies at addresses; how often anything was fetched.
fn prover(chain: &Chain, file: Arc<Mutex<Result<String, String>>>) -> (Prover, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let fetch: Fetch = Arc::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let file = file.lock().unwrap().clone();
        Box::pin(async move { file.map(String::into_bytes) })
    });
    let caller = Caller::new(Client::new(Vec::new()).unwrap(), Arc::new(KeepNothing), Arc::new(now));
    (Prover::trusting(fetch, vec![chain.root.clone()], caller, paypal()), count)
}

async fn heard(prover: &Prover, webhooks: &Webhooks, sent: &Sent) -> Result<Received, NotReceived> {
    let proofs = prover.bring(webhooks, &sent.call()).await?;
    receive(webhooks, &Entries::default(), &paypal(), &sent.call(), &proofs)
}

#[tokio::test]
async fn a_certificate_is_fetched_once_and_believed_for_a_while() {
    let chain = Chain::new("certs.provider.example");
    let (prover, count) = prover(&chain, Arc::new(Mutex::new(Ok(chain.file.clone()))));
    let webhooks = by_certificate();
    let call = |at: i64| chain.signed_call("wh1", BODY).at(at);
    for _ in 0..3 {
        assert!(matches!(heard(&prover, &webhooks, &call(NOW_MS)).await, Ok(Received::Events(..))));
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    heard(&prover, &webhooks, &call(NOW_MS + 3_600_001)).await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2, "an hour later it is looked at again");
    // Of another address of ours there, or by somebody else.
    let wrong = heard(&prover, &webhooks, &chain.signed_call("wh2", BODY).at(NOW_MS)).await;
    assert_eq!(wrong, Err(NotReceived::Stranger(Refusal::Wrong)));
    let other = Chain::new("certs.provider.example").signed_call("wh1", BODY).at(NOW_MS);
    assert_eq!(heard(&prover, &webhooks, &other).await, Err(NotReceived::Stranger(Refusal::Wrong)));
    let without = receive(&webhooks, &Entries::default(), &paypal(), &call(NOW_MS).call(), &Proofs::default());
    assert_eq!(without, Err(NotReceived::Unproved));
}

#[tokio::test]
async fn strangers_cannot_have_us_fetch_what_they_like() {
    let chain = Chain::new("certs.provider.example");
    let file = Arc::new(Mutex::new(Err("no connection".to_owned())));
    let (prover, count) = prover(&chain, Arc::clone(&file));
    let webhooks = by_certificate();
    let call = |url: &str| {
        let mut sent = chain.signed_call("wh1", BODY).at(NOW_MS);
        sent.headers.retain(|(name, _)| name != "PAYPAL-CERT-URL");
        sent.headers.push(("PAYPAL-CERT-URL".to_owned(), url.to_owned()));
        sent
    };
    for elsewhere in
        ["https://evil.example/1", "http://certs.provider.example/1", "https://certs.provider.example:8443/"]
    {
        let refused = heard(&prover, &webhooks, &call(elsewhere)).await;
        assert!(matches!(refused, Err(NotReceived::Stranger(Refusal::Certificate(_)))), "{elsewhere}: {refused:?}");
    }
    assert_eq!(count.load(Ordering::Relaxed), 0);
    // What does not come is not asked for again at once, even if it would come by now; later it is.
    let first = "https://certs.provider.example/1";
    assert_eq!(heard(&prover, &webhooks, &call(first)).await, Err(NotReceived::Unproved));
    *file.lock().unwrap() = Ok(chain.file.clone());
    assert_eq!(heard(&prover, &webhooks, &call(first)).await, Err(NotReceived::Unproved));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    heard(&prover, &webhooks, &call(first).at(NOW_MS + 60_001)).await.unwrap();
    // However many addresses are named, so many are fetched in a minute and no more.
    for number in 0..100 {
        let url = format!("https://certs.provider.example/{number}x");
        let _ = heard(&prover, &webhooks, &call(&url).at(NOW_MS + 200_000)).await;
    }
    assert_eq!(count.load(Ordering::Relaxed), 2 + 20);
}

#[tokio::test]
async fn the_provider_is_asked_whether_a_call_is_its_own() {
    let ask = webhooks(&json!({ "ask": { "operation": "verify_call", "input": { "event": "${body/id}" } } }));
    let outcome = async |status: u16, says: &'static str| {
        let asked = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&asked);
        let (client, at) = served(move |request| {
            seen.lock().unwrap().push_str(request);
            match request.contains("/v1/oauth2/token") {
                true => (200, json!({ "access_token": "t1", "expires_in": 60_000 }).to_string()),
                false => (status, json!({ "verification_status": says }).to_string()),
            }
        })
        .await;
        let mut account = paypal();
        let mut manifest = serde_json::to_value(&*account.manifest).unwrap();
        manifest["operations"]["verify_call"] = json!({
            "does": "tells whether a call is its own", "effect": "read",
            "input": { "event": { "type": "text", "privacy": "plain", "required": true } },
            "request": { "http": { "method": "POST", "path": "/v1/notifications/verify", "body": { "json": { "event": "${input.event}" } } } },
            "success_when": { "status": ["200"], "body": [{ "at": "/verification_status", "is": ["SUCCESS"] }] },
            "errors": [{ "when": { "status": ["200"] }, "means": "permanent" }],
        });
        account.manifest = Arc::new(serde_json::from_value(manifest).unwrap());
        account.instead = Some(at);
        let caller = Caller::new(client.clone(), Arc::new(KeepNothing), Arc::new(now));
        let prover = Prover::new(client, caller, account);
        let chain = Chain::new("certs.provider.example");
        let heard = heard(&prover, &ask, &chain.signed_call("wh1", BODY).at(NOW_MS)).await;
        assert!(asked.lock().unwrap().contains(r#"{"event":"1"}"#), "{}", asked.lock().unwrap());
        heard
    };
    assert!(matches!(outcome(200, "SUCCESS").await, Ok(Received::Events(..))));
    assert_eq!(outcome(200, "FAILURE").await, Err(NotReceived::Stranger(Refusal::Denied)));
    assert_eq!(outcome(503, "SUCCESS").await, Err(NotReceived::Unproved));
}

#[tokio::test]
async fn a_file_is_fetched_as_far_as_a_certificate_goes() {
    let (client, at) = served(|request| match request.starts_with("GET /long") {
        true => (200, "x".repeat(100_000)),
        false => (404, String::new()),
    })
    .await;
    let fetched = async |path: &str| super::fetched(&client, format!("{at}{path}")).await.unwrap_err();
    assert_eq!(fetched("/long").await, "its file is longer than a certificate");
    assert_eq!(fetched("/none").await, "its address answers with 404");
}
