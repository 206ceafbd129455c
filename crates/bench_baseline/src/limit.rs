//! The rate limit: an exact sliding window, kept as a log of the requests that passed, per caller.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers remembered before idle ones are forgotten.
const MANY_CALLERS: usize = 100_000;

/// Who is counted.
#[derive(PartialEq, Eq, Hash)]
pub enum Caller {
    /// A key that works, by its row.
    Key(i64),
    /// Anyone else.
    Address(IpAddr),
}

/// At most `quota` requests in any `window`.
pub struct Limiter {
    quota: usize,
    window: Duration,
    log: Mutex<HashMap<Caller, VecDeque<Instant>>>,
}

/// What the headers say.
#[derive(Debug, PartialEq)]
pub struct Count {
    /// Whether the request may go on; only then it was counted.
    pub passed: bool,
    /// Requests left in this window.
    pub left: usize,
    /// Whole seconds, rounded up, until the oldest counted request leaves the window.
    pub reset: u64,
    /// The quota.
    pub quota: usize,
    /// The window in seconds.
    pub window: u64,
}

impl Limiter {
    /// A limit nobody has used yet.
    pub fn new(quota: usize, window: Duration) -> Self {
        Self { quota, window, log: Mutex::default() }
    }

    /// Counts one request of `caller`.
    pub fn count(&self, caller: Caller) -> Count {
        self.count_at(caller, Instant::now())
    }

    fn count_at(&self, caller: Caller, now: Instant) -> Count {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= MANY_CALLERS {
            log.retain(|_, passed| passed.back().is_some_and(|last| now.duration_since(*last) < self.window));
        }
        let recent = log.entry(caller).or_default();
        while recent.front().is_some_and(|first| now.duration_since(*first) >= self.window) {
            recent.pop_front();
        }
        let passed = recent.len() < self.quota;
        if passed {
            recent.push_back(now);
        }
        let oldest = recent.front().copied().unwrap_or(now);
        let reset = self.window.saturating_sub(now.duration_since(oldest));
        Count {
            passed,
            left: self.quota - recent.len(),
            reset: reset.as_secs() + u64::from(reset.subsec_nanos() > 0),
            quota: self.quota,
            window: self.window.as_secs(),
        }
    }
}

#[cfg(test)]
mod tests;
