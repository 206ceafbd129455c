//! What a simulated provider sends: events wait for their time, are signed as they leave, and come again when they are not taken.
//! Nothing is sent here; who sends asks what is due and says how it came out.

use super::authentication::Shown;
use super::given::{Given, WebhookGiven};
use super::setup::Setup;
use crate::fill;
use crate::form;
use crate::signature::{self, Call, PrivateKey, Signed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::Text;
use manifest::webhook::{Payload, Verification, Webhooks};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vocab::Secret;

/// How often an event is sent until it is taken; the wait doubles from the first to the longest. A real provider goes on for days.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT_MS: i64 = 1_000;
const LONGEST_WAIT_MS: i64 = 60_000;
/// How much later an event comes that is to be overtaken.
const OVERTAKEN_MS: i64 = 1_500;
/// Most events that wait; more are not sent.
const MAX_WAITING: usize = 100_000;
/// Most deliveries that are told of afterwards.
const MAX_TOLD: usize = 10_000;

/// A call that is to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which it is, for [`Simulator::was_sent`](super::Simulator::was_sent).
    pub number: u64,
    /// The address.
    pub url: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An address that is called.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub id: String,
    pub url: String,
    pub secret: Secret<String>,
    /// The kinds that it wants; empty for all.
    pub kinds: Vec<String>,
}

/// A call that was made, for tests to look at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Told {
    event: String,
    kind: String,
    url: String,
    attempt: u32,
    /// What was answered; none where nothing was.
    status: Option<u16>,
}

struct Waiting {
    endpoint: Endpoint,
    event: String,
    kind: String,
    body: Vec<u8>,
    attempt: u32,
}

#[derive(Default)]
pub(super) struct Outbox {
    next: u64,
    waiting: BTreeMap<(i64, u64), Waiting>,
    under_way: BTreeMap<u64, Waiting>,
    told: Vec<Told>,
    key: Option<PrivateKey>,
}

/// An event that is to be sent.
pub(super) struct Event {
    pub id: String,
    pub kind: String,
    pub body: Value,
    pub is_twice: bool,
    pub is_late: bool,
}

impl Outbox {
    pub fn new(key: Option<PrivateKey>) -> Self {
        Self { key, ..Self::default() }
    }

    /// Has an event sent to everybody who wants it.
    pub fn add(&mut self, webhooks: &Webhooks, event: &Event, endpoints: &[Endpoint], now_ms: i64) {
        let body = written(webhooks, &event.body);
        let times = if event.is_twice { 2 } else { 1 };
        let at_ms = now_ms + if event.is_late { OVERTAKEN_MS } else { 0 };
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.wants(&event.kind)) {
            for _ in 0..times {
                if self.waiting.len() >= MAX_WAITING {
                    return;
                }
                let (event, kind) = (event.id.clone(), event.kind.clone());
                let waiting = Waiting { endpoint: endpoint.clone(), event, kind, body: body.clone(), attempt: 1 };
                self.waiting.insert((at_ms, self.next), waiting);
                self.next += 1;
            }
        }
    }

    /// When the next one is due.
    pub fn next_ms(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// What is due, signed.
    pub fn due(&mut self, setup: &Setup, shown: &Shown, now_ms: i64) -> Vec<Outgoing> {
        let mut due = Vec::new();
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now_ms) {
            let ((_, number), waiting) = entry.remove_entry();
            match self.signed(setup, shown, &waiting, now_ms) {
                Some(Signed { url, headers }) => {
                    due.push(Outgoing { number, url, headers, body: waiting.body.clone() });
                    self.under_way.insert(number, waiting);
                }
                None => self.tell(&waiting, None),
            }
        }
        due
    }

    /// Notes how a call came out; it comes again where it was not taken.
    pub fn was_sent(&mut self, number: u64, status: Option<u16>, now_ms: i64) {
        let Some(mut waiting) = self.under_way.remove(&number) else { return };
        self.tell(&waiting, status);
        let was_taken = status.is_some_and(|status| (200..300).contains(&status));
        if !was_taken && waiting.attempt < ATTEMPTS {
            let wait_ms = (FIRST_WAIT_MS << (waiting.attempt - 1).min(20)).min(LONGEST_WAIT_MS);
            waiting.attempt += 1;
            self.waiting.insert((now_ms + wait_ms, number), waiting);
        }
    }

    /// The calls that were made, and how many wait.
    pub fn told(&self) -> Value {
        json!({ "calls": self.told, "waiting": self.waiting.len() + self.under_way.len() })
    }

    fn tell(&mut self, waiting: &Waiting, status: Option<u16>) {
        if self.told.len() >= MAX_TOLD {
            self.told.remove(0);
        }
        self.told.push(Told {
            event: waiting.event.clone(),
            kind: waiting.kind.clone(),
            url: waiting.endpoint.url.clone(),
            attempt: waiting.attempt,
            status,
        });
    }

    fn signed(&self, setup: &Setup, shown: &Shown, waiting: &Waiting, now_ms: i64) -> Option<Signed> {
        let webhooks = setup.manifest.webhooks.as_ref()?;
        let endpoint = &waiting.endpoint;
        let webhook = WebhookGiven {
            url: &endpoint.url,
            id: &endpoint.id,
            secret: endpoint.secret.expose(),
            kinds: &endpoint.kinds,
        };
        let given = Given { setup: Some(setup), shown: Some(shown), webhook: Some(webhook), ..Given::default() };
        let values = |of: &Text| given.secret_text(of);
        let media_type = match webhooks.body {
            Payload::Json => "application/json; charset=utf-8",
            Payload::FormNested | Payload::Form | Payload::FormJson(_) => "application/x-www-form-urlencoded",
            Payload::Xml => "application/xml",
        };
        let mut url = endpoint.url.clone();
        let mut headers = vec![("Content-Type".to_owned(), media_type.to_owned())];
        for way in &webhooks.verify {
            let own = headers.clone();
            let call = Call { method: "POST", url: &url, headers: &own, body: &waiting.body, arrived_ms: now_ms };
            let signed = match way {
                Verification::Hmac(way) => signature::sign_hmac(way, &call, &values).ok()?,
                Verification::Digest(way) => signature::sign_digest(way, &call, &values).ok()?,
                Verification::PublicKey(way) => {
                    signature::sign_with_key(way, self.key.as_ref()?, &call, &values).ok()?
                }
                Verification::FixedHeader { name, value } => {
                    let value = fill::text(value, &given).ok().flatten()?;
                    Signed { url: url.clone(), headers: vec![(name.clone(), value)] }
                }
                Verification::Basic { user, password } => {
                    let text = |of: &Text| fill::text(of, &given).ok().flatten();
                    let pair = STANDARD.encode(format!("{}:{}", text(user)?, text(password)?));
                    Signed { url: url.clone(), headers: vec![("Authorization".to_owned(), format!("Basic {pair}"))] }
                }
                // The address is ours as it is, and what the body holds is the event's own affair.
                Verification::SecretPath(_) | Verification::BodyHolds { .. } | Verification::Ask { .. } => continue,
                Verification::Certificate(_) => return None,
            };
            url = signed.url;
            headers.extend(signed.headers);
        }
        Some(Signed { url, headers })
    }
}

impl Endpoint {
    fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind || known == "*")
    }
}

/// The body as the provider writes it.
fn written(webhooks: &Webhooks, event: &Value) -> Vec<u8> {
    let whole = match &webhooks.events_at {
        None => event.clone(),
        Some(pointer) => {
            let steps = pointer.to_string();
            // The list itself is what `*` stands for.
            let names = steps.split('/').filter(|name| !name.is_empty() && *name != "*").rev();
            names.fold(json!([event]), |inside, name| Value::Object(Map::from_iter([(name.to_owned(), inside)])))
        }
    };
    let form = |pairs: Vec<(String, String)>| {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
    };
    match &webhooks.body {
        Payload::Json | Payload::Xml => format!("{whole:#}").into_bytes(),
        Payload::FormNested | Payload::Form => form(form::flat(&whole)),
        Payload::FormJson(name) => form(vec![(name.clone(), whole.to_string())]),
    }
}
