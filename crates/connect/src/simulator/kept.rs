//! Idempotency keys: the same key with the same request gets the answer of the first time, with another request it is refused.

use super::request::Request;
use super::setup::Place;
use super::{Answer, at_member};
use crate::fill::as_text;
use aws_lc_rs::digest;
use std::collections::{BTreeMap, VecDeque};

/// Most keys; the oldest is forgotten first.
const MAX_KEYS: usize = 100_000;
/// For how long a key is known where the manifest does not say it, in hours.
const KEPT_HOURS: u32 = 24;

/// The keys that were used.
#[derive(Default)]
pub(super) struct Kept {
    by_key: BTreeMap<String, Known>,
    in_order: VecDeque<String>,
}

struct Known {
    of: Vec<u8>,
    answer: Answer,
    at_ms: i64,
}

/// What a key is.
pub(super) enum Key {
    /// There is none, or it was not used yet.
    New,
    /// It was used for the same request.
    Again(Answer),
    /// It was used for another one.
    Reused,
}

impl Kept {
    pub fn look(&self, key: &str, of: &[u8], hours: Option<u32>, now_ms: i64) -> Key {
        let lasts_ms = i64::from(hours.unwrap_or(KEPT_HOURS)) * 3_600_000;
        match self.by_key.get(key).filter(|known| now_ms - known.at_ms < lasts_ms) {
            None => Key::New,
            Some(known) if known.of == of => Key::Again(known.answer.clone()),
            Some(_) => Key::Reused,
        }
    }

    pub fn keep(&mut self, key: String, of: Vec<u8>, answer: Answer, at_ms: i64) {
        if self.by_key.insert(key.clone(), Known { of, answer, at_ms }).is_none() {
            self.in_order.push_back(key);
        }
        if self.in_order.len() > MAX_KEYS
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}

/// The key of a request.
pub(super) fn key(request: &Request, place: &Place) -> Option<String> {
    let key = match place {
        Place::Header(name) => request.header(name).map(ToOwned::to_owned),
        Place::Member(steps) => at_member(&request.says, steps).map(as_text),
    };
    key.filter(|key| !key.is_empty())
}

/// What makes a request the same as another one: its method, its path and what it says.
pub(super) fn fingerprint(request: &Request) -> Vec<u8> {
    let whole = format!("{} {} {}", request.method, request.path, request.says);
    digest::digest(&digest::SHA256, whole.as_bytes()).as_ref().to_vec()
}
