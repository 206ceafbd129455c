//! What a simulated provider was asked and what came of it, for tests to look at: requests without their bodies, and how often
//! something really changed by which idempotency key. Bounded; no credential is ever part of it.

use super::authentication::Stranger;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Most requests that are told of.
const MAX_REQUESTS: usize = 10_000;
/// Most keys whose effects are counted.
const MAX_KEYS: usize = 1_000_000;

/// A request that came.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Came {
    pub method: String,
    pub path: String,
    /// The idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// None where it was not answered.
    pub status: Option<u16>,
    /// Whether it got the answer of an earlier one.
    pub replayed: bool,
    /// The mishap that came over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// Why it was refused, where the answer does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Effect {
    method: String,
    path: String,
    count: u64,
}

#[derive(Default)]
pub(super) struct Log {
    requests: VecDeque<Came>,
    effects: BTreeMap<String, Effect>,
    without_key: u64,
    total: u64,
}

impl Log {
    pub fn came(&mut self, came: Came) {
        if self.requests.len() >= MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(came);
    }

    /// Something has changed by a request.
    pub fn effect(&mut self, method: &str, path: &str, key: Option<&str>) {
        self.total += 1;
        let Some(key) = key else {
            self.without_key += 1;
            return;
        };
        if self.effects.len() < MAX_KEYS || self.effects.contains_key(key) {
            let effect = self.effects.entry(key.to_owned()).or_default();
            (effect.method, effect.path) = (method.to_owned(), path.to_owned());
            effect.count += 1;
        }
    }

    pub fn requests(&self) -> Value {
        json!({ "requests": self.requests })
    }

    pub fn effects(&self) -> Value {
        let most = self.effects.values().map(|effect| effect.count).max().unwrap_or(0);
        json!({ "total": self.total, "without_key": self.without_key, "most_of_one_key": most, "by_key": self.effects })
    }
}

impl Came {
    pub fn stranger(&mut self, why: Stranger) {
        self.because = Some(why.as_str());
    }
}
