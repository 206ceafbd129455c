//! Calls of providers as their packages and pages show them, and what they come to.

use super::{Heard, NotReceived, Received, receive};
use crate::fill::Scope;
use crate::proof::Proofs;
use crate::signature::{Call, Refusal};
use aws_lc_rs::hmac;
use manifest::Entries;
use manifest::point::Remembered;
use manifest::reference::{Reference, WebhookValue};
use manifest::webhook::Webhooks;
use serde_json::{Value, json};
use vocab::{FieldName, sha256_hex};

const SECRET: &str = "whsec_test_secret";
const NOW: i64 = 1_700_000_000;

struct Account;

impl Scope for Account {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Webhook(WebhookValue::Secret) => Some(json!(SECRET)),
            _ => None,
        }
    }
}

fn webhooks(changes: Value) -> Webhooks {
    let mut whole = json!({
        "body": "json",
        "verify": [{ "hmac": { "algorithm": "sha256", "key": "${webhook.secret}", "header": "Acme-Signature",
            "form": { "pairs": { "signature": "v1", "timestamp": "t" } }, "encoding": "hex",
            "signed": ["timestamp", { "text": "." }, "body"],
            "timestamp": { "unit": "seconds", "past_seconds": 300, "future_seconds": 300 } } }],
        "registration": { "by_hand": { "page": "https://acme.example", "steps": "enter it" } },
        "dedup": { "key": ["${body/id}"], "keep_days": 7 },
        "kind": "${body/type}",
        "time": "${body/created | from_unix_seconds}",
        "acknowledge": { "status": 200, "within_seconds": 10 },
        "events": [
            { "kinds": ["paid"], "when": [{ "at": "/data/status", "is": ["paid"] }], "emits": "payment_succeeded",
              "fields": { "order_id": { "value": "${body/data/order}", "type": "uuid", "privacy": "plain", "required": true },
                          "amount": { "value": "${body/data/amount | major_units(body/data/currency)}", "type": "decimal", "privacy": "plain" },
                          "note": { "value": "${body/data/note}", "type": "text", "privacy": "plain" } },
              "remember": { "payment": "${body/data/payment}" } },
            { "kinds": ["seen"], "ignored": "nobody asked" },
        ],
    });
    for (name, value) in changes.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn signed(body: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

fn remembers() -> Entries<FieldName, Remembered> {
    serde_json::from_value(json!({ "payment": { "of": "order_id", "type": "text", "privacy": "plain" } })).unwrap()
}

fn told(webhooks: &Webhooks, body: &str, signature: &str) -> Result<Received, NotReceived> {
    let headers = [("acme-signature".to_owned(), signature.to_owned())];
    let url = "https://shop.example/webhooks/acme";
    let call = Call { method: "POST", url, headers: &headers, body: body.as_bytes(), arrived_ms: NOW * 1000 };
    receive(webhooks, &remembers(), &Account, &call, &Proofs::default())
}

fn events(webhooks: &Webhooks, body: &str) -> Vec<Heard> {
    match told(webhooks, body, &signed(body, NOW)).unwrap() {
        Received::Events(heard, reply) => {
            assert_eq!((reply.status, reply.body.as_str()), (200, ""));
            heard
        }
        Received::Reply(reply) => panic!("{reply:?}"),
    }
}

const PAID: &str = r#"{"id":"evt_1","type":"paid","created":1700000000,"data":{"status":"paid","order":"o-1","amount":1999,"currency":"eur"}}"#;

#[test]
fn an_event_is_read_into_our_words() {
    let heard = events(&webhooks(json!({})), PAID);
    let [event] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((event.entry, event.kind.as_str()), (Some(0), "paid"));
    assert_eq!(event.time.as_deref(), Some("2023-11-14T22:13:20.000Z"));
    let fields: Vec<String> = event.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(fields, [r#"order_id="o-1""#, r#"amount="19.99""#, "note=null"]);
    assert_eq!(event.remembered, [(sha256_hex(b"o-1"), Value::Null)], "it says nothing of the payment");
    let heard = events(&webhooks(json!({})), &PAID.replace(r#""order""#, r#""payment":"pi_1","order""#));
    assert_eq!(heard[0].remembered, [(sha256_hex(b"o-1"), json!("pi_1"))]);
}

#[test]
fn the_same_event_has_the_same_key_whatever_else_it_says() {
    let again = PAID.replace("1999", "2000");
    let other = PAID.replace("evt_1", "evt_2");
    let keys: Vec<String> =
        [PAID, &again, &other].iter().map(|body| events(&webhooks(json!({})), body)[0].dedup.clone()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn what_means_nothing_is_left_out_and_what_nobody_knows_is_put_aside() {
    assert_eq!(events(&webhooks(json!({})), &PAID.replace(r#""type":"paid""#, r#""type":"seen""#)), []);
    for body in [PAID.replace(r#""type":"paid""#, r#""type":"else""#), PAID.replace(r#""order""#, r#""odder""#)] {
        let heard = events(&webhooks(json!({})), &body);
        assert_eq!((heard[0].entry, heard[0].fields.len()), (None, 0), "{body}");
        assert_eq!(heard[0].body["id"], "evt_1");
    }
}

#[test]
fn strangers_are_refused() {
    let known = webhooks(json!({}));
    let tampered = told(&known, &PAID.replace("1999", "1"), &signed(PAID, NOW));
    assert_eq!(tampered, Err(NotReceived::Stranger(Refusal::Wrong)));
    let old = told(&known, PAID, &signed(PAID, NOW - 301));
    assert_eq!(old, Err(NotReceived::Stranger(Refusal::TooOld { seconds: 301, allowed: 300 })));
    let torn = r#"{"id":"#;
    assert!(matches!(told(&known, torn, &signed(torn, NOW)), Err(NotReceived::Unreadable(_))));
    let nameless = PAID.replace(r#""id":"evt_1","#, "");
    assert!(matches!(told(&known, &nameless, &signed(&nameless, NOW)), Err(NotReceived::Unreadable(_))));
}

#[test]
fn handshakes_are_answered() {
    let known = webhooks(json!({ "handshake": [
        { "answers": "GET" },
        { "echo": { "when": [{ "at": "/challenge", "present": true }], "answer": "${body/challenge}" } },
        { "ping": "ping" },
    ] }));
    let call = Call { method: "GET", url: "https://shop.example/", headers: &[], body: b"", arrived_ms: 0 };
    assert!(
        matches!(receive(&known, &remembers(), &Account, &call, &Proofs::default()), Ok(Received::Reply(reply)) if reply.status == 200)
    );
    let body = r#"{"challenge":"abc"}"#;
    assert!(told(&known, body, "t=1,v1=00").is_err(), "a stranger is answered nothing");
    assert!(matches!(told(&known, body, &signed(body, NOW)), Ok(Received::Reply(reply)) if reply.body == "abc"));
    assert_eq!(events(&known, &PAID.replace(r#""type":"paid""#, r#""type":"ping""#)), []);
    let not_asked = receive(&webhooks(json!({})), &remembers(), &Account, &call, &Proofs::default());
    assert_eq!(not_asked, Err(NotReceived::NotTaken));
}

#[test]
fn several_events_come_in_one_call() {
    let known = webhooks(json!({ "events_at": "/events" }));
    let body = format!(r#"{{"events":[{PAID},{}]}}"#, PAID.replace("evt_1", "evt_2"));
    assert_eq!(events(&known, &body).len(), 2);
}

#[test]
fn what_the_manifest_does_not_take_in_is_refused() {
    let known = webhooks(json!({ "accept_when": [{ "at": "/object", "is": ["event"] }] }));
    assert_eq!(told(&known, PAID, &signed(PAID, NOW)), Err(NotReceived::NotTaken));
}

/// https://github.com/sendgrid/sendgrid-python, test/unit/test_eventwebhook.py, and in the vendor's other packages: key, time, signature and body.
#[test]
fn what_the_vendor_of_a_mail_service_signs_is_a_bounce() {
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    const TIME: i64 = 1_600_112_502;
    let account = crate::testbed::account("sendgrid", &[("verification_key", KEY)]);
    let signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
    let body = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";
    let webhooks = account.manifest.webhooks.as_ref().unwrap();
    let called = |body: &str, seconds_later: i64| {
        let headers = [("signature", signature.to_owned()), ("timestamp", TIME.to_string())];
        let headers = headers.map(|(name, value)| (format!("x-twilio-email-event-webhook-{name}"), value));
        let url = "https://shop.example/webhooks/sendgrid";
        let arrived_ms = (TIME + seconds_later) * 1000;
        let call = Call { method: "POST", url, headers: &headers, body: body.as_bytes(), arrived_ms };
        receive(webhooks, &Entries::default(), &account, &call, &Proofs::default())
    };
    let Ok(Received::Events(heard, _)) = called(body, 5) else { panic!("{:?}", called(body, 5)) };
    let [Heard { entry: Some(entry), fields, time, .. }] = &heard[..] else { panic!("{heard:?}") };
    let emits = webhooks.events[*entry].emits.as_ref().map(ToString::to_string);
    assert_eq!(emits.as_deref(), Some("mail_bounced"));
    let said: Vec<&str> = fields.iter().filter_map(|(_, value)| value.as_str()).collect();
    assert_eq!(said, ["hello@world.com", "Bounced Address"]);
    assert_eq!(time.as_deref(), Some("2020-09-14T19:41:32.000Z"));
    for wrong in [called(body.trim_end(), 5), called(body, 2 * 24 * 3600)] {
        assert!(matches!(wrong, Err(NotReceived::Stranger(_))), "{wrong:?}");
    }
}
