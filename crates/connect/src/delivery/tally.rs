//! What a worker counts: attempts by outcome with their time and the last that came out well, breakers, what waits. Told by the worker, read by whoever shows it.

use super::breaker::BreakerState;
use super::dispatcher::Outcome;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::delivery::Backlog;

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Attempts that ended, by integration and outcome.
    pub attempts: BTreeMap<(String, &'static str), u64>,
    /// How long they have taken together, by integration.
    pub took: BTreeMap<String, Duration>,
    /// When the last one came out well, in milliseconds since 1970, by integration.
    pub delivered_at: BTreeMap<String, i64>,
    /// Deliveries under way, by integration.
    pub under_way: BTreeMap<String, u64>,
    /// How the breakers stand, by integration.
    pub breakers: BTreeMap<String, BreakerState>,
    /// What waits, is worked on or was given up.
    pub backlog: Vec<Backlog>,
}

#[derive(Default)]
pub(super) struct Tally {
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    snapshot: Snapshot,
    /// Whose the deliveries under way are, and when each began.
    whose: BTreeMap<String, (String, Instant)>,
}

impl Tally {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn snapshot(&self) -> Snapshot {
        self.counted().snapshot.clone()
    }

    pub fn begun(&self, delivery: &str, integration: &str) {
        let mut counted = self.counted();
        counted.whose.insert(delivery.to_owned(), (integration.to_owned(), Instant::now()));
        *counted.snapshot.under_way.entry(integration.to_owned()).or_default() += 1;
    }

    /// `now` is in milliseconds since 1970.
    pub fn ended(&self, delivery: &str, outcome: Outcome, now: i64) {
        let mut counted = self.counted();
        let Some((integration, begun)) = counted.whose.remove(delivery) else { return };
        if let Some(under_way) = counted.snapshot.under_way.get_mut(&integration) {
            *under_way = under_way.saturating_sub(1);
        }
        *counted.snapshot.took.entry(integration.clone()).or_default() += begun.elapsed();
        if outcome == Outcome::Delivered {
            counted.snapshot.delivered_at.insert(integration.clone(), now);
        }
        *counted.snapshot.attempts.entry((integration, outcome.as_str())).or_default() += 1;
    }

    pub fn breakers<'a>(&self, breakers: impl Iterator<Item = (&'a str, BreakerState)>) {
        let mut counted = self.counted();
        for (integration, state) in breakers {
            match counted.snapshot.breakers.get_mut(integration) {
                Some(known) => *known = state,
                None => drop(counted.snapshot.breakers.insert(integration.to_owned(), state)),
            }
        }
    }

    pub fn waits(&self, backlog: Vec<Backlog>) {
        self.counted().snapshot.backlog = backlog;
    }
}
