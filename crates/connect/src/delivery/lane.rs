//! One destination with what is its own: places, breaker, budget, pauses. What goes wrong here keeps nobody waiting elsewhere.

use super::breaker::{Breaker, BreakerState};
use super::budget::Budget;
use manifest::outcome::Retry;
use manifest::provider::{Counted, Provider};
use std::collections::BTreeSet;

/// Deliveries to one destination that are under way at once.
const AT_ONCE: u32 = 32;
/// Into what parts of a second the times are put at which something is due, in milliseconds, and how many are known.
const DUE_PART: i64 = 20;
const DUE_KNOWN: usize = 1_000;

/// How a destination is treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRules {
    /// Most deliveries under way.
    pub at_once: u32,
    /// How often and how long one is tried.
    pub retry: Retry,
    /// The longest that a destination may have us wait, in milliseconds.
    pub longest_wait_ms: i64,
    /// How many may be begun in a time.
    pub budget: Option<RateBudget>,
    /// The lower ones are asked first what waits.
    pub priority: i64,
    /// What the destination knows us by, as a digest: with another one it is as good as new.
    pub known_as: String,
}

/// So many in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateBudget {
    /// How many; at least 1.
    pub limit: u32,
    /// The time in milliseconds; at least 1.
    pub per_ms: i64,
}

impl Default for LaneRules {
    fn default() -> Self {
        let (retry, longest_wait_ms) = (Retry::default(), 600_000);
        Self { at_once: AT_ONCE, retry, longest_wait_ms, budget: None, priority: 0, known_as: String::new() }
    }
}

impl LaneRules {
    /// As a provider's manifest has it. Of several rates for everything the one that lets the least through counts; `calls` says of
    /// how many requests a delivery is at most.
    #[must_use]
    pub fn of(provider: &Provider, is_sandbox: bool, calls: u32) -> Self {
        let (mut at_once, mut budget): (u32, Option<RateBudget>) = (AT_ONCE, None);
        for (_, rate) in provider.rates.iter().filter(|(_, rate)| rate.everywhere && rate.of == Counted::Requests) {
            let limit = rate.sandbox_limit.filter(|_| is_sandbox).unwrap_or(rate.limit);
            let limit = (limit / calls.max(1)).max(1);
            match rate.per_seconds {
                None => at_once = at_once.min(limit),
                Some(seconds) => {
                    let rate = RateBudget { limit, per_ms: i64::from(seconds.max(1)) * 1000 };
                    let lets = |rate: &RateBudget| i64::from(rate.limit) * 1_000_000 / rate.per_ms;
                    if budget.is_none_or(|known| lets(&rate) < lets(&known)) {
                        budget = Some(rate);
                    }
                }
            }
        }
        let longest_wait_ms = i64::from(provider.wait.most_seconds) * 1000;
        Self { at_once, retry: provider.retry.clone(), longest_wait_ms, budget, ..Self::default() }
    }
}

/// A destination.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub rules: LaneRules,
    pub breaker: Breaker,
    budget: Option<Budget>,
    /// Deliveries under way.
    pub under_way: u32,
    /// Nothing is begun before that: the destination has said so.
    pub paused_until: i64,
    /// Whether deliveries may wait that are due.
    pub looks: bool,
    /// When those are due that are known: times that are full parts of a second, so that few rounds look for many deliveries.
    due: BTreeSet<i64>,
    /// Whether it is no longer wanted; it goes when nothing is under way.
    pub is_closing: bool,
}

impl Lane {
    pub fn new(rules: LaneRules, now: i64) -> Self {
        let budget = rules.budget.map(|of| Budget::new(of, now));
        Self {
            rules,
            breaker: Breaker::default(),
            budget,
            under_way: 0,
            paused_until: now,
            looks: true,
            due: BTreeSet::new(),
            is_closing: false,
        }
    }

    /// Goes on by other rules. Who is known by something else is not spared for what became of the one before.
    pub fn follow(&mut self, rules: LaneRules, now: i64) {
        if rules.known_as != self.rules.known_as {
            (self.breaker, self.due) = (Breaker::default(), BTreeSet::from([now]));
        }
        if rules.budget.is_none_or(|of| !self.budget.as_ref().is_some_and(|known| known.is_of(of))) {
            self.budget = rules.budget.map(|of| Budget::new(of, now));
        }
        (self.rules, self.is_closing, self.looks) = (rules, false, true);
    }

    /// How many more may be begun.
    pub fn places(&mut self, now: i64) -> u32 {
        if self.is_closing || now < self.paused_until {
            return 0;
        }
        let free = self.rules.at_once.saturating_sub(self.under_way);
        let free = self.budget.as_mut().map_or(free, |budget| free.min(budget.left(now)));
        self.breaker.lets(now, free)
    }

    /// Whether it is to be asked what waits.
    pub fn wants_to_look(&self, now: i64) -> bool {
        self.looks || self.due.first().is_some_and(|due| *due <= now)
    }

    pub fn begun(&mut self, now: i64) {
        self.under_way += 1;
        self.breaker.begun(now);
        if let Some(budget) = &mut self.budget {
            budget.spend(now);
        }
    }

    pub fn state(&self, now: i64) -> BreakerState {
        self.breaker.state(now)
    }

    /// A delivery is due at that time.
    pub fn awaits(&mut self, due: i64) {
        self.due.insert((due + DUE_PART - 1).div_euclid(DUE_PART) * DUE_PART);
        // What is due last is found without it, a while later.
        if self.due.len() > DUE_KNOWN {
            self.due.pop_last();
        }
    }

    /// What is due is looked for.
    pub fn looked(&mut self, now: i64) {
        self.looks = false;
        self.due = self.due.split_off(&(now + 1));
    }

    /// When it is worth looking again; none where that depends on something that happens.
    pub fn wakes_at(&mut self, now: i64) -> Option<i64> {
        let wanted = if self.looks { Some(now) } else { self.due.first().copied() }?;
        if self.is_closing || self.under_way >= self.rules.at_once {
            return None;
        }
        let mut at = wanted.max(self.paused_until);
        if let Some(until) = self.breaker.until(now) {
            at = at.max(until);
        }
        if let Some(budget) = &mut self.budget
            && budget.left(now) == 0
        {
            at = at.max(budget.good_at(now));
        }
        // An attempt that finds out how it is has to end first.
        (self.breaker.state(at) != BreakerState::HalfOpen || self.breaker.lets(at, 1) > 0).then_some(at)
    }
}
