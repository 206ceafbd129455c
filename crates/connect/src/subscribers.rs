//! Those who are told of events at addresses of their own: an event comes in, and goes out as a delivery to each subscription that hears of
//! it, and each of those as a signed message (Standard Webhooks, <https://www.standardwebhooks.com>). No secret, no payload and nothing of what a
//! subscriber repeats of one is written down.

use crate::call::AttemptRecord;
use crate::client::{Bounds, Client, Sent};
use crate::delivery::{
    Carried, Carrier, Carrying, Hold, LaneRules, LaneSender, Outcome, RateBudget, from_text, happened_at, to_text,
};
use crate::mail::Successor;
use crate::message::{HttpAnswer, HttpRequest};
use crate::request::hash;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use manifest::operation::Method;
use manifest::outcome::Retry;
use plan::subscribers::{
    ANSWER_WITHIN_MS, DISABLED, FAILING, INTEGRATION, MOST_KEPT, Offer, RATE, SCHEDULE, Subscribers as Offered, TEST,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Store;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};
use store::subscription::{Subscription, Telling, Tried};
use uuid::Uuid;
use vocab::sha256_hex;

/// What happened longer ago is not told of any more, in milliseconds: three days, as with mails.
const NEWS_MS: i64 = 72 * 3_600_000;
/// How often it is looked who subscribes.
const LOOKS: Duration = Duration::from_secs(1);
/// Deliveries to one subscription under way at once.
const AT_ONCE: u32 = 8;
/// For how long one is tried, in hours: longer than the schedule takes.
const FOR_HOURS: u32 = 24 * 5;
/// The longest that a subscriber may have us wait, in milliseconds.
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// How long it is waited where a subscription is not known any more, until its deliveries are not begun any more.
const UNKNOWN_MS: i64 = 5_000;
/// Texts of an event that are shorter say too little to be looked for in an answer.
const TELLING: usize = 4;
/// What stands for them.
const REDACTED: &str = "[redacted]";

/// Who is told of the events of a database.
pub struct Subscribers {
    /// What is offered.
    offers: BTreeMap<String, Offer>,
    disable_after_ms: i64,
    store: Store,
    client: Client,
    successor: Successor,
    /// Those that were there when it was last looked.
    known: Mutex<Arc<Vec<Subscription>>>,
}

impl Subscribers {
    /// Those of APIs that offer events; none where no API does.
    #[must_use]
    pub fn of<'o>(
        offered: impl IntoIterator<Item = &'o Offered>,
        store: Store,
        client: Client,
        successor: Successor,
    ) -> Option<Self> {
        let (mut offers, mut disable_after) = (BTreeMap::new(), None::<u32>);
        for one in offered {
            offers.extend(one.offers.iter().map(|offer| (offer.event.to_string(), offer.clone())));
            disable_after =
                Some(disable_after.map_or(one.disable_after_seconds, |known| known.min(one.disable_after_seconds)));
        }
        let disable_after_ms = i64::from(disable_after?) * 1000;
        Some(Self { offers, disable_after_ms, store, client, successor, known: Mutex::default() })
    }

    /// How the delivery that makes all others of an event is treated.
    #[must_use]
    pub fn lane(&self) -> (String, LaneRules) {
        (INTEGRATION.to_owned(), LaneRules::default())
    }

    /// Looks who subscribes, again and again, and has deliveries to them begun.
    pub async fn watch(self: Arc<Self>, lanes: LaneSender) {
        let mut before = Vec::new();
        loop {
            match self.look().await {
                Ok(found) => {
                    let rules: Vec<(String, LaneRules)> = found.iter().map(lane).collect();
                    if rules != before {
                        lanes.follow(rules.clone()).await;
                        before = rules;
                    }
                }
                Err(error) => tracing::warn!(error = %error, "who subscribes to events was not read"),
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Looks who subscribes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(&self) -> Result<Arc<Vec<Subscription>>, store::StoreError> {
        let found = Arc::new(self.store.subscriptions().await?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&found);
        Ok(found)
    }

    /// Makes the deliveries of an event, to everybody who hears of it.
    async fn spread(&self, delivery: &Leased) -> Carried {
        let found = match self.look().await {
            Ok(found) => found,
            Err(error) => return Carried::failed(Outcome::Transient, &error.to_string()),
        };
        let payload: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        let made_at = happened_at(&delivery.event_id).as_millisecond();
        let hears = |one: &&Subscription| self.hears(one, &delivery.event, &payload, made_at);
        let wanted = found.iter().filter(hears).map(|one| NewDelivery {
            id: Uuid::now_v7().to_string(),
            integration: one.id.clone(),
            provider: INTEGRATION.to_owned(),
            priority: 0,
            order_key: None,
            due_at: None,
        });
        let event = OutboxEvent {
            id: delivery.event_id.clone(),
            name: delivery.event.clone(),
            payload: String::new(),
            occurred_at: String::new(),
        };
        let now = to_text(Timestamp::now().as_millisecond());
        match self.store.deliver_to(&event, wanted.collect(), &now).await {
            Ok(_) => Carried::of(Outcome::Delivered),
            Err(error) => Carried::failed(Outcome::Transient, &error.to_string()),
        }
    }

    /// Whether the subscription hears of that event: it has asked for it, was there when it happened, and the event is not somebody else's.
    fn hears(&self, one: &Subscription, event: &str, payload: &Value, made_at: i64) -> bool {
        if event == TEST {
            return payload["subscription_id"] == one.id.as_str();
        }
        let Some(Offer { owner, .. }) = self.offers.get(event) else { return false };
        let asks = one.events.as_ref().is_none_or(|events| events.iter().any(|name| name == event));
        let was_there = from_text(&one.created_at).is_some_and(|created| created <= made_at);
        let is_theirs = one
            .user_id
            .as_ref()
            .is_none_or(|user| owner.as_ref().is_some_and(|owner| payload[owner.as_str()] == user.as_str()));
        asks && was_there && is_theirs
    }

    /// Sends a message, and keeps how that went.
    async fn send(&self, delivery: &Leased) -> Carried {
        let known = Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(one) = known.iter().find(|one| one.id == delivery.integration).cloned() else {
            return Carried::failed(
                Outcome::RateLimited(Some(UNKNOWN_MS)),
                "nobody subscribes there any more, or not now",
            );
        };
        let started = Instant::now();
        let request = self.message(&one, delivery, Timestamp::now());
        let bounds = Bounds { within: Duration::from_millis(ANSWER_WITHIN_MS.into()), most_bytes: MOST_KEPT };
        let sent = self.client.send(&request, bounds).await;
        let (outcome, problem) = meaning(&sent);
        let mut record = AttemptRecord {
            method: "POST".to_owned(),
            url: one.url.split('?').next().unwrap_or_default().to_owned(),
            request_headers: request.headers.iter().filter(|(name, _)| name != "webhook-signature").cloned().collect(),
            request_body: hash(&Value::String(String::from_utf8_lossy(&request.body).into_owned())),
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..AttemptRecord::default()
        };
        let mut code = None;
        if let Sent::Answered(answer) = &sent {
            record.status = Some(answer.status);
            record.answer_body = repeated(answer, &delivery.payload);
            code = (outcome != Outcome::Delivered).then(|| answer.status.to_string());
        }
        self.keep(&one, outcome, &sent).await;
        Carried {
            in_doubt: false,
            code,
            problem,
            record: serde_json::to_string(&[record]).ok(),
            wait_ms: waits(delivery.attempts),
            ..Carried::of(outcome)
        }
    }

    fn message(&self, one: &Subscription, delivery: &Leased, now: Timestamp) -> HttpRequest {
        let mut data: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        if let (Some(data), Some(offer)) = (data.as_object_mut(), self.offers.get(&delivery.event)) {
            offer.without.iter().for_each(|field| drop(data.remove(field.as_str())));
        }
        let happened = to_text(happened_at(&delivery.event_id).as_millisecond());
        let body = json!({ "type": delivery.event, "timestamp": happened, "data": data }).to_string();
        let time = now.as_second().to_string();
        let old = one
            .old_secret
            .as_ref()
            .filter(|(_, until)| from_text(until).is_some_and(|until| now.as_millisecond() < until));
        let ids = std::iter::once(one.secret_id.as_str()).chain(old.map(|(id, _)| id.as_str()));
        let signed = ids.map(|id| signature(&key(&(self.successor)(id)), &delivery.event_id, &time, &body));
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", delivery.event_id.clone()),
            ("webhook-timestamp", time.clone()),
            ("webhook-signature", signed.collect::<Vec<_>>().join(" ")),
        ];
        HttpRequest {
            method: Method::Post,
            url: one.url.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: body.into_bytes(),
        }
    }

    /// Where that is not kept the next attempt keeps it.
    async fn keep(&self, one: &Subscription, outcome: Outcome, sent: &Sent) {
        let now = Timestamp::now().as_millisecond();
        let failing = |since: &String| now - from_text(since).unwrap_or(now);
        let is_gone = matches!(sent, Sent::Answered(answer) if answer.status == 410);
        let tried = match (outcome, one.failing_since.as_ref().map(failing)) {
            (Outcome::Delivered, None) | (Outcome::RateLimited(_), _) => return,
            (Outcome::Delivered, Some(_)) => Tried::Well,
            _ if is_gone => Tried::Over,
            (_, None) => Tried::Failed,
            (_, Some(failing)) if failing >= self.disable_after_ms => Tried::Over,
            (_, Some(failing)) if failing >= self.disable_after_ms / 2 && one.warned_at.is_none() => Tried::FailedLong,
            (_, Some(_)) => return,
        };
        match tried {
            Tried::FailedLong => tracing::warn!(subscription = one.id, "nothing arrives at a subscription"),
            Tried::Over => tracing::warn!(subscription = one.id, "a subscription was disabled: nothing arrives there"),
            Tried::Well | Tried::Failed => {}
        }
        let telling = Telling { failing: FAILING, disabled: DISABLED };
        let kept = self.store.subscription_tried(one, tried, telling, &to_text(now)).await;
        if let Err(error) = kept {
            tracing::warn!(error = %error, subscription = one.id, "how a delivery went was not kept");
        }
    }
}

impl Routes for Subscribers {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let is_news = from_text(&event.occurred_at)
            .is_none_or(|happened| happened >= Timestamp::now().as_millisecond() - NEWS_MS);
        let is_offered = event.name == TEST || self.offers.contains_key(&event.name);
        let made = || NewDelivery {
            id: self.new_id(),
            integration: INTEGRATION.to_owned(),
            provider: INTEGRATION.to_owned(),
            priority: 0,
            order_key: None,
            due_at: None,
        };
        (is_news && is_offered).then(made).into_iter().collect()
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        vec![(INTEGRATION, self.offers.keys().map(String::as_str).chain([TEST]).collect())]
    }

    fn new_id(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

impl Subscribers {
    /// Whether deliveries of that name are carried here.
    #[must_use]
    pub fn carries(&self, integration: &str) -> bool {
        integration == INTEGRATION || Uuid::parse_str(integration).is_ok()
    }
}

impl Carrier for Subscribers {
    fn carry<'a>(&'a self, delivery: &'a Leased, _: &'a Hold) -> Carrying<'a> {
        match delivery.integration == INTEGRATION {
            true => Box::pin(self.spread(delivery)),
            false => Box::pin(self.send(delivery)),
        }
    }
}

/// How a subscription is treated: with another address it is as good as new.
fn lane(one: &Subscription) -> (String, LaneRules) {
    let attempts = u32::try_from(SCHEDULE.len()).unwrap_or(u32::MAX) + 1;
    let retry = Retry { attempts, for_hours: FOR_HOURS, ..Retry::default() };
    let rules = LaneRules {
        at_once: AT_ONCE,
        retry,
        longest_wait_ms: LONGEST_WAIT_MS,
        budget: Some(RateBudget { limit: one.rate_limit.unwrap_or(RATE).max(1), per_ms: 1000 }),
        priority: 1,
        known_as: sha256_hex(one.url.as_bytes()),
    };
    (one.id.clone(), rules)
}

/// What the secret is for a signature: `whsec_` with these 64 digits of hex is read as Base64.
fn key(successor: &str) -> Vec<u8> {
    STANDARD.decode(sha256_hex(successor.as_bytes())).unwrap_or_default()
}

fn signature(key: &[u8], id: &str, time: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

/// What came of a message. Whoever gets it twice knows it by its id, so what may have arrived is sent again.
fn meaning(sent: &Sent) -> (Outcome, Option<String>) {
    match sent {
        Sent::NeverConnected(why) if why.is_permanent() => (Outcome::Permanent, Some(why.to_string())),
        Sent::NeverConnected(why) => (Outcome::Transient, Some(why.to_string())),
        Sent::BrokenBehindRequest(why) => (Outcome::Transient, Some(why.clone())),
        Sent::Answered(answer) => {
            let problem = Some(format!("it answered {}", answer.status));
            match answer.status {
                200..=299 => (Outcome::Delivered, None),
                410 => (Outcome::Permanent, problem),
                429 => (Outcome::RateLimited(retry_after(answer)), problem),
                _ => (Outcome::Transient, problem),
            }
        }
    }
}

fn retry_after(answer: &HttpAnswer) -> Option<i64> {
    let seconds: i64 = answer.header("retry-after")?.trim().parse().ok()?;
    Some(seconds.clamp(0, LONGEST_WAIT_MS / 1000) * 1000)
}

/// Behind how long it is tried again after so many attempts in vain before this one, not in step with others.
fn waits(attempts: u32) -> Option<i64> {
    let seconds = *SCHEDULE.get(attempts as usize)?;
    let seconds = i64::from(seconds);
    Some(seconds * 1000 + fastrand::i64(0..=seconds * 100))
}

/// What an answer says, without what it repeats of the event.
fn repeated(answer: &HttpAnswer, payload: &str) -> String {
    let mut text: String =
        String::from_utf8_lossy(&answer.body).chars().filter(|letter| !letter.is_control()).collect();
    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
    let mut told = Vec::new();
    texts(&payload, &mut told);
    told.sort_by_key(|one| std::cmp::Reverse(one.len()));
    for one in &told {
        text = text.replace(one, REDACTED);
    }
    let is_cut = answer.is_cut || text.len() > MOST_KEPT;
    if let Some((at, _)) = text.char_indices().find(|(at, letter)| at + letter.len_utf8() > MOST_KEPT) {
        text.truncate(at);
    }
    // What was cut off may have been one of them.
    if is_cut && let Some(end) = told.iter().filter_map(|one| begun(&text, one)).max() {
        text.truncate(text.len() - end);
    }
    if is_cut { format!("{text} ...") } else { text }
}

/// How many bytes at the end of the text are the beginning of the other one.
fn begun(text: &str, other: &str) -> Option<usize> {
    let mut ends = other.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    ends.rfind(|at| text.ends_with(&other[..*at]))
}
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= TELLING => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(object) => object.values().for_each(|one| texts(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the specification's libraries, whose secret is Base64 of 24 bytes
    /// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/rust/src/lib.rs>).
    #[test]
    fn a_published_message_has_its_published_signature() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_kept_of_an_answer_repeats_nothing_of_the_event() {
        let answer = |body: &str| HttpAnswer { body: body.into(), ..HttpAnswer::default() };
        let payload = r#"{"email":"ada@shop.example","name":"Ada Lovelace","n":7,"lines":[{"note":"ring twice"}]}"#;
        let said = answer("no such ada@shop.example\r\nAda Lovelace said: ring twice, 7");
        assert_eq!(repeated(&said, payload), "no such [redacted][redacted] said: [redacted], 7");
        assert!(repeated(&answer(&"x".repeat(5_000)), payload).len() <= MOST_KEPT + 8);
        assert!(repeated(&answer(&"ä".repeat(600)), payload).ends_with("ä ..."));
        let half = HttpAnswer { is_cut: true, ..answer("nobody is called Ada Love") };
        assert_eq!(repeated(&half, payload), "nobody is called  ...");
    }

    #[test]
    fn the_schedule_is_that_of_the_standard_and_ends() {
        for (attempts, seconds) in SCHEDULE.iter().enumerate() {
            let wait = waits(u32::try_from(attempts).unwrap()).unwrap();
            let least = i64::from(*seconds) * 1000;
            assert!((least..=least + least / 10).contains(&wait), "{attempts}: {wait}");
        }
        assert_eq!(waits(9), None);
    }

    #[test]
    fn answers_mean_what_the_standard_says() {
        let of = |status, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            meaning(&Sent::Answered(HttpAnswer { status, headers, ..HttpAnswer::default() })).0
        };
        assert_eq!((of(200, &[]), of(204, &[])), (Outcome::Delivered, Outcome::Delivered));
        assert_eq!(
            (of(302, &[]), of(400, &[]), of(500, &[])),
            (Outcome::Transient, Outcome::Transient, Outcome::Transient)
        );
        assert_eq!(of(410, &[]), Outcome::Permanent);
        assert_eq!(of(429, &[("Retry-After", "7")]), Outcome::RateLimited(Some(7_000)));
    }
}
