//! A message by webhook as Standard Webhooks has it (<https://www.standardwebhooks.com>), whoever it goes to: an event comes in, what was sent and what it
//! means goes out. No secret, and nothing of what the other side repeats of the event, is written down.

use crate::call::AttemptRecord;
use crate::client::{Bounds, Client, Sent};
use crate::delivery::{Carried, LaneRules, Outcome, from_text, happened_at, to_text};
use crate::message::{HttpAnswer, HttpRequest};
use crate::request::hash;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use manifest::operation::Method;
use manifest::outcome::Retry;
use plan::subscribers::{ANSWER_WITHIN_MS, MOST_KEPT, SCHEDULE};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::delivery::{Leased, NewDelivery, OutboxEvent};
use uuid::Uuid;
use vocab::sha256_hex;

/// What happened longer ago is not told of any more, in milliseconds: three days, as with mails.
const NEWS_MS: i64 = 72 * 3_600_000;
/// For how long one is tried, in hours: longer than the schedule takes.
const FOR_HOURS: u32 = 24 * 5;
/// The longest that a subscriber may have us wait, in milliseconds.
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// Texts of an event that are shorter say too little to be looked for in an answer.
const TELLING: usize = 4;
/// What stands for them.
const REDACTED: &str = "[redacted]";
/// The header that holds signatures.
const SIGNATURE: &str = "webhook-signature";

/// What is sent of an event.
pub struct Message<'a> {
    /// Where to.
    pub url: &'a str,
    /// What is kept of that.
    pub shown: String,
    /// What is told.
    pub data: Value,
    /// What it is signed with, once with each; it may be with none.
    pub keys: Vec<Vec<u8>>,
}

impl Message<'_> {
    /// Sends it.
    pub async fn post(self, client: &Client, delivery: &Leased, now: Timestamp) -> (Carried, Sent) {
        let started = Instant::now();
        let (request, shown) = (self.request(delivery, now), self.shown);
        let bounds = Bounds { within: Duration::from_millis(ANSWER_WITHIN_MS.into()), most_bytes: MOST_KEPT };
        let sent = client.send(&request, bounds).await;
        let (outcome, problem) = meaning(&sent);
        let mut record = AttemptRecord {
            method: "POST".to_owned(),
            url: shown,
            request_headers: request.headers.iter().filter(|(name, _)| name != SIGNATURE).cloned().collect(),
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
        let carried = Carried {
            in_doubt: false,
            code,
            problem,
            record: serde_json::to_string(&[record]).ok(),
            wait_ms: waits(delivery.attempts),
            ..Carried::of(outcome)
        };
        (carried, sent)
    }

    fn request(&self, delivery: &Leased, now: Timestamp) -> HttpRequest {
        let happened = to_text(happened_at(&delivery.event_id).as_millisecond());
        let body = json!({ "type": delivery.event, "timestamp": happened, "data": self.data }).to_string();
        let time = now.as_second().to_string();
        let signed = self.keys.iter().map(|key| signature(key, &delivery.event_id, &time, &body));
        let signed = signed.collect::<Vec<_>>().join(" ");
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", delivery.event_id.clone()),
            ("webhook-timestamp", time),
            (SIGNATURE, signed),
        ];
        let headers = headers.into_iter().filter(|(_, value)| !value.is_empty());
        HttpRequest {
            method: Method::Post,
            url: self.url.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
            body: body.into_bytes(),
        }
    }
}

/// How deliveries of messages are treated, of which so many are under way at once: how long and how often each is tried. Who has other
/// addresses is as good as new.
pub fn rules(at_once: u32, addresses: &str) -> LaneRules {
    let attempts = u32::try_from(SCHEDULE.len()).unwrap_or(u32::MAX) + 1;
    LaneRules {
        at_once,
        retry: Retry { attempts, for_hours: FOR_HOURS, ..Retry::default() },
        longest_wait_ms: LONGEST_WAIT_MS,
        budget: None,
        priority: 1,
        known_as: sha256_hex(addresses.as_bytes()),
    }
}

/// Whether something has happened so lately that it is told of.
pub fn is_news(event: &OutboxEvent) -> bool {
    from_text(&event.occurred_at).is_none_or(|happened| happened >= Timestamp::now().as_millisecond() - NEWS_MS)
}

/// A delivery of a message that may begin at once, in no order with others.
pub fn new_delivery(integration: &str, provider: &str) -> NewDelivery {
    NewDelivery {
        id: Uuid::now_v7().to_string(),
        integration: integration.to_owned(),
        provider: provider.to_owned(),
        priority: 0,
        order_key: None,
        due_at: None,
    }
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
