//! Idempotency keys: which requests are under way, what an answer is kept under, and kept answers back as answers. The rows
//! are read and written inside the transaction of the change, so that both are there or neither; nothing here is needed for
//! that, only for telling a caller at once that its first request has not ended.

#![allow(clippy::disallowed_types)] // claims are looked up by hash; their order never shows

use crate::answer::Answer;
use http::{HeaderMap, Method, Uri};
use jiff::{SignedDuration, Timestamp};
use plan::Problem;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use store::Row;
use vocab::{Datum, sha256_hex};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Longest key.
const MAX_KEY: usize = 255;
const HEADER: &str = "idempotency-key";
/// Says that an answer was given before.
const REPLAYED: &str = "idempotency-replayed";
/// The headers that an answer brings of its own.
const KEPT_HEADERS: [&str; 2] = ["etag", "location"];

/// The keys whose requests are under way.
#[derive(Default)]
pub(crate) struct Claims {
    under_way: Mutex<HashSet<String>>,
}

/// A key that nobody else uses until this is dropped.
pub(crate) struct Claim {
    name: String,
    request: String,
    claims: Arc<Claims>,
}

/// What the transaction of a request with a key knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Pledge {
    name: String,
    fingerprint: String,
}

impl Claims {
    /// The claim of a caller's request, if it brings a key.
    ///
    /// # Errors
    /// The problem of a key that is none, or whose first request has not ended.
    pub fn take(
        claims: &Arc<Self>,
        caller: &str,
        headers: &HeaderMap,
        method: &Method,
        uri: &Uri,
    ) -> Result<Option<Claim>, Problem> {
        let Some(key) = presented(headers)? else { return Ok(None) };
        let name = sha256_hex(format!("{caller}\n{key}").as_bytes());
        let is_free = claims.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        if !is_free {
            return Err(Problem::RequestInProgress);
        }
        let request = format!("{method} {}", uri.path_and_query().map_or("", |target| target.as_str()));
        Ok(Some(Claim { name, request, claims: Arc::clone(claims) }))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Claim {
    /// The pledge for a request with that body.
    pub fn pledge(&self, body: &[u8]) -> Pledge {
        let fingerprint = sha256_hex(format!("{}\n{}", self.request, sha256_hex(body)).as_bytes());
        Pledge { name: self.name.clone(), fingerprint }
    }
}

impl Pledge {
    /// The parameters that find an answer.
    pub fn find(&self, now: Timestamp) -> Vec<Datum> {
        vec![Datum::Text(self.name.clone()), Datum::Text(oldest_kept(now))]
    }

    /// The answer in a row that was found.
    ///
    /// # Errors
    /// The problem of a key that came with another request.
    pub fn recalled(&self, row: &Row) -> Result<Answer, Problem> {
        let [Datum::Text(fingerprint), Datum::Integer(status), Datum::Text(headers), body] = row.as_slice() else {
            return Err(Problem::InternalError);
        };
        if *fingerprint != self.fingerprint {
            return Err(Problem::IdempotencyKeyReused);
        }
        let status = u16::try_from(*status).map_err(|_| Problem::InternalError)?;
        let mut answer = match body {
            Datum::Text(body) => Answer::json(status, body.clone()),
            Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => {
                Answer::empty(status)
            }
        };
        let headers: serde_json::Value = serde_json::from_str(headers).map_err(|_| Problem::InternalError)?;
        for name in KEPT_HEADERS {
            answer.headers.extend(headers[name].as_str().map(|value| (name, value.to_owned())));
        }
        answer.headers.push((REPLAYED, "true".to_owned()));
        Ok(answer)
    }

    /// The parameters that keep an answer, in the order of the table's columns.
    pub fn keep(&self, answer: &Answer) -> Vec<Datum> {
        let headers = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into()));
        let body = match answer.body.is_empty() {
            true => Datum::Null,
            false => Datum::Text(String::from_utf8_lossy(&answer.body).into_owned()),
        };
        vec![
            Datum::Text(uuid::Uuid::now_v7().to_string()),
            Datum::Text(self.name.clone()),
            Datum::Text(self.fingerprint.clone()),
            Datum::Integer(i64::from(answer.status)),
            Datum::Json(serde_json::Value::Object(headers.collect())),
            body,
        ]
    }
}

/// The least id of an answer that is not too old: ids are UUIDs of version 7, which begin with their time.
pub(crate) fn oldest_kept(now: Timestamp) -> String {
    let oldest = now.saturating_sub(KEPT).map_or(0, Timestamp::as_millisecond).max(0);
    format!("{:08x}-{:04x}-7000-8000-000000000000", oldest >> 16, oldest & 0xffff)
}

fn presented(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().map_err(|_| Problem::MalformedIdempotencyKey)?;
    let is_key = (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && values.next().is_none() { Ok(Some(key)) } else { Err(Problem::MalformedIdempotencyKey) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn take(claims: &Arc<Claims>, caller: &str, key: &str) -> Result<Option<Claim>, Problem> {
        let headers =
            HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), HeaderValue::from_str(key).unwrap())]);
        Claims::take(claims, caller, &headers, &Method::POST, &Uri::from_static("/api/orders?x=1"))
    }

    #[test]
    fn a_key_is_taken_until_its_request_ends() {
        let claims = Arc::new(Claims::default());
        let first = take(&claims, "a", "k").unwrap();
        assert!(matches!(take(&claims, "a", "k"), Err(Problem::RequestInProgress)));
        assert!(take(&claims, "b", "k").unwrap().is_some());
        drop(first);
        assert!(take(&claims, "a", "k").unwrap().is_some());
    }

    #[test]
    fn keys_are_visible_ascii() {
        let claims = Arc::new(Claims::default());
        for bad in ["", "a b", &"k".repeat(256)] {
            assert!(matches!(take(&claims, "a", bad), Err(Problem::MalformedIdempotencyKey)), "{bad}");
        }
        assert!(take(&claims, "a", &"k".repeat(255)).unwrap().is_some());
        assert!(
            Claims::take(&claims, "a", &HeaderMap::new(), &Method::POST, &Uri::from_static("/")).unwrap().is_none()
        );
    }

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let claim = take(&Arc::new(Claims::default()), "a", "k").unwrap().unwrap();
        let pledge = claim.pledge(b"{}");
        let mut answer = Answer::json(201, r#"{"id":"1"}"#);
        answer.headers = vec![("etag", "\"1\"".to_owned()), ("location", "/api/orders/1".to_owned())];
        let kept = pledge.keep(&answer);
        let row = vec![kept[2].clone(), kept[3].clone(), Datum::Text(kept[4].to_json().to_string()), kept[5].clone()];
        answer.headers.push((REPLAYED, "true".to_owned()));
        let recalled = pledge.recalled(&row).unwrap();
        let parts = |answer: Answer| (answer.status, answer.content_type, answer.headers, answer.body);
        assert_eq!(parts(recalled), parts(answer));
        assert!(matches!(claim.pledge(b"[]").recalled(&row), Err(Problem::IdempotencyKeyReused)));
    }

    #[test]
    fn answers_of_the_last_day_are_not_too_old() {
        let now = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        let before = Timestamp::from_millisecond(1_700_000_000_000 - 24 * 3_600_000).unwrap();
        let id = |time: Timestamp| {
            let seconds = u64::try_from(time.as_second()).unwrap();
            uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)).to_string()
        };
        assert!(id(before) >= oldest_kept(now));
        assert!(id(before.saturating_sub(SignedDuration::from_secs(1)).unwrap()) < oldest_kept(now));
    }
}
