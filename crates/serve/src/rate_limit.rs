//! Exact sliding windows: of any `window` at most `quota` requests of one caller pass. A log of times a caller, bounded.

#![allow(clippy::disallowed_types)] // callers are looked up by hash; their order never shows

use crate::counts::{Clock, Counts, Past};
use plan::RateLimitPolicy;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vocab::TaskId;

/// Parts of the table, so that callers seldom wait for each other.
const SHARDS: usize = 16;
/// Callers a shard remembers. Past that, new callers share one log until others have expired: the limit stays a limit.
const CALLERS_PER_SHARD: usize = 8192;
/// Least time between two sweeps of a full shard: a flood of callers must not make every request sweep.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// The log that callers share once their shard is full.
const OVERFLOW: &str = "overflow";

/// Counts the requests of every caller under one policy.
pub(crate) struct Limiter {
    policy: RateLimitPolicy,
    header: String,
    window: Duration,
    clock: Clock,
    /// Task and policy, as the counts name it.
    scope: String,
    counts: Option<Arc<Counts>>,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// An attempt of which is not known yet whether it fails, and so counts; until this goes it takes a place among those that may.
pub(crate) struct Attempt {
    limiter: Arc<Limiter>,
    caller: String,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut shard = self.limiter.shard(&self.caller);
        if let Some(attempts) = shard.attempts.get_mut(&self.caller) {
            *attempts -= 1;
            if *attempts == 0 {
                shard.attempts.remove(&self.caller);
            }
        }
    }
}

/// Some of the callers.
#[derive(Default)]
struct Shard {
    logs: HashMap<String, VecDeque<Duration>>,
    /// Attempts under way; no more than requests are at work.
    attempts: HashMap<String, u32>,
    /// When those who had not come for a window were last forgotten.
    swept: Duration,
}

/// What the limiter says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether the request passes; only then it was counted.
    pub verdict: Verdict,
    /// Requests left.
    pub remaining: u32,
    /// Whole seconds, rounded up, until the oldest counted request leaves the window.
    pub reset_seconds: u64,
}

/// Whether a request passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes and was counted.
    Pass,
    /// It is one too many and was not counted.
    Refuse,
}

impl Limiter {
    /// A limiter that goes on where the counts left it, and without them one without a past.
    pub fn kept(policy: &RateLimitPolicy, task_id: &TaskId, counts: Option<&Arc<Counts>>) -> Arc<Self> {
        let limiter = Arc::new(Self {
            header: policy.header(),
            window: Duration::from_secs(u64::from(policy.window_seconds)),
            policy: policy.clone(),
            clock: counts.map_or_else(Clock::new, |counts| counts.clock()),
            scope: format!("{task_id}:{}", policy.name),
            counts: counts.cloned(),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        });
        if let Some(counts) = counts {
            counts.keep(&limiter);
        }
        limiter
    }

    /// What its lines are called by.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Adds requests that passed before; one that is known already is not added.
    pub fn recall(&self, past: Past) {
        let now = self.clock.now();
        for (caller, time) in past.into_iter().filter(|(_, time)| *time + self.window > now) {
            let mut shard = self.shard(&caller);
            let (_, log) = shard.log(&caller, now, self.window);
            let place = log.partition_point(|known| *known < time);
            if log.get(place) != Some(&time) {
                log.insert(place, time);
            }
        }
    }

    /// What it knows, one part after the other; each is locked only while it is looked at.
    pub fn parts<T>(&self, mut look: impl FnMut(Vec<(&str, Duration)>) -> T) -> impl Iterator<Item = T> {
        let now = self.clock.now();
        self.shards.iter().map(move |shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let all = shard.logs.iter().flat_map(|(caller, log)| log.iter().map(|time| (caller.as_str(), *time)));
            look(all.filter(|(_, time)| *time + self.window > now).collect())
        })
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &RateLimitPolicy {
        &self.policy
    }

    /// The value of `RateLimit-Policy`.
    #[must_use]
    pub fn policy_header(&self) -> &str {
        &self.header
    }

    /// The value of `RateLimit`.
    #[must_use]
    pub fn header(&self, standing: Standing) -> String {
        format!("\"{}\";r={};t={}", self.policy.name, standing.remaining, standing.reset_seconds)
    }

    /// Counts a request that arrives now, if it passes.
    pub fn take(&self, caller: &str) -> Standing {
        self.take_at(caller, self.clock.now())
    }

    /// Counts so many requests that arrive now, if all of them pass.
    pub fn take_several(&self, caller: &str, count: u32) -> Standing {
        let (mut shard, now) = (self.shard(caller), self.clock.now());
        let mut standing = self.standing(&mut shard, caller, now, false);
        let verdict = if standing.remaining < count { Verdict::Refuse } else { Verdict::Pass };
        if verdict == Verdict::Pass {
            for _ in 0..count {
                standing = self.standing(&mut shard, caller, now, true);
            }
        }
        Standing { verdict, ..standing }
    }

    /// Begins what counts only if it fails, where it would pass even if all that is under way failed too.
    pub fn attempt(self: &Arc<Self>, caller: &str) -> Result<Attempt, Standing> {
        let mut shard = self.shard(caller);
        let standing = self.standing(&mut shard, caller, self.clock.now(), false);
        let under_way = shard.attempts.get(caller).copied().unwrap_or_default();
        if standing.verdict == Verdict::Refuse || under_way >= standing.remaining {
            return Err(Standing { verdict: Verdict::Refuse, remaining: 0, ..standing });
        }
        shard.attempts.insert(caller.to_owned(), under_way + 1);
        drop(shard);
        Ok(Attempt { limiter: Arc::clone(self), caller: caller.to_owned() })
    }

    /// Forgets all callers, as if none had come.
    pub fn forget(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.logs.clear();
        }
    }

    fn shard(&self, caller: &str) -> MutexGuard<'_, Shard> {
        let shard = usize::try_from(self.hasher.hash_one(caller) % SHARDS as u64).unwrap_or(0);
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same at a moment that the caller names. A moment before the last one counts as the one after it: no two requests of
    /// one caller are counted at one time.
    fn take_at(&self, caller: &str, now: Duration) -> Standing {
        self.standing(&mut self.shard(caller), caller, now, true)
    }

    fn standing(&self, shard: &mut Shard, caller: &str, now: Duration, counts: bool) -> Standing {
        let (name, log) = shard.log(caller, now, self.window);
        let now = log.back().map_or(now, |newest| now.max(*newest + Duration::from_nanos(1)));
        while log.front().is_some_and(|oldest| *oldest + self.window <= now) {
            log.pop_front();
        }
        let quota = self.policy.quota as usize;
        let verdict = if log.len() < quota {
            if counts {
                log.push_back(now);
                if let Some(counts) = &self.counts {
                    counts.note(&self.scope, name, now);
                }
            }
            Verdict::Pass
        } else {
            Verdict::Refuse
        };
        let oldest = log.front().copied().unwrap_or(now);
        let left = (oldest + self.window).saturating_sub(now).min(self.window);
        Standing {
            verdict,
            remaining: u32::try_from(quota.saturating_sub(log.len())).unwrap_or(u32::MAX),
            reset_seconds: u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1),
        }
    }
}

impl Shard {
    /// The caller's log with its name; past the bound the one that all further callers share.
    fn log<'a>(
        &'a mut self,
        caller: &'a str,
        now: Duration,
        window: Duration,
    ) -> (&'a str, &'a mut VecDeque<Duration>) {
        let known = self.logs.contains_key(caller);
        if !known && self.logs.len() >= CALLERS_PER_SHARD && now >= self.swept + SWEEP_PAUSE {
            self.logs.retain(|_, log| log.back().is_some_and(|newest| *newest + window > now));
            self.swept = now;
        }
        let name = if known || self.logs.len() < CALLERS_PER_SHARD { caller } else { OVERFLOW };
        if !self.logs.contains_key(name) {
            self.logs.insert(name.to_owned(), VecDeque::new());
        }
        (name, self.logs.get_mut(name).expect("inserted above"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::PolicyName;

    fn limiter(quota: u32, window_seconds: u32) -> Arc<Limiter> {
        let policy = RateLimitPolicy { name: PolicyName::parse("default").unwrap(), quota, window_seconds };
        Limiter::kept(&policy, &TaskId::parse("task").unwrap(), None)
    }

    #[test]
    fn of_any_window_no_more_than_the_quota_pass() {
        let limiter = limiter(5, 10);
        let mut passed: Vec<Duration> = Vec::new();
        // Every 700 ms for 100 s: the windows that begin at each passed request are all within the quota.
        for step in 0..143 {
            let now = Duration::from_millis(step * 700);
            if limiter.take_at("a", now).verdict == Verdict::Pass {
                passed.push(now);
            }
        }
        for (index, begin) in passed.iter().enumerate() {
            let inside = passed[index..].iter().filter(|time| **time < *begin + Duration::from_secs(10)).count();
            assert!(inside <= 5, "{inside} in the window that begins at {begin:?}");
        }
        assert_eq!(passed.len(), 50);
    }

    #[test]
    fn callers_do_not_share_a_quota_and_threads_do_not_exceed_one() {
        let limiter = limiter(100, 60);
        let passed = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| (0..50).filter(|_| limiter.take("a").verdict == Verdict::Pass).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(passed, 100);
        assert_eq!(limiter.take("b").remaining, 99);
    }

    #[test]
    fn the_standing_says_when_to_come_back() {
        let limiter = limiter(2, 60);
        let at = |millis| limiter.take_at("a", Duration::from_millis(millis));
        assert_eq!(at(0), Standing { verdict: Verdict::Pass, remaining: 1, reset_seconds: 60 });
        assert_eq!(at(1500), Standing { verdict: Verdict::Pass, remaining: 0, reset_seconds: 59 });
        assert_eq!(at(59_999), Standing { verdict: Verdict::Refuse, remaining: 0, reset_seconds: 1 });
        assert_eq!(at(60_000), Standing { verdict: Verdict::Pass, remaining: 0, reset_seconds: 2 });
    }

    #[test]
    fn attempts_under_way_count_as_if_they_failed() {
        let limiter = limiter(3, 60);
        assert_eq!(limiter.take("a").verdict, Verdict::Pass);
        let (first, second) = (limiter.attempt("a"), limiter.attempt("a"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(limiter.attempt("a").err().map(|standing| standing.remaining), Some(0));
        assert!(limiter.attempt("b").is_ok(), "others do not wait");
        drop(first);
        assert!(limiter.attempt("a").is_ok(), "one that came out well takes no place");
        assert_eq!(limiter.take("a").verdict, Verdict::Pass);
        assert_eq!(limiter.take("a").verdict, Verdict::Pass);
        drop(second);
        assert!(limiter.attempt("a").is_err());
    }

    #[test]
    fn of_several_at_once_all_are_counted_or_none() {
        let limiter = limiter(4, 60);
        let several = |count| {
            let standing = limiter.take_several("a", count);
            (standing.verdict, standing.remaining)
        };
        assert_eq!(several(3), (Verdict::Pass, 1));
        assert_eq!(several(2), (Verdict::Refuse, 1));
        assert_eq!(several(1), (Verdict::Pass, 0));
        assert_eq!(several(0), (Verdict::Pass, 0), "no more than one was counted already");
    }

    #[test]
    fn a_flood_of_callers_is_still_limited() {
        let limiter = limiter(1, 60);
        let passed = (0..SHARDS * CALLERS_PER_SHARD + 50_000)
            .filter(|number| limiter.take_at(&number.to_string(), Duration::ZERO).verdict == Verdict::Pass)
            .count();
        assert!(passed <= SHARDS * (CALLERS_PER_SHARD + 1), "{passed}");
    }
}
