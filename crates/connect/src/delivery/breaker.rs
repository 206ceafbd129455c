//! Whether a destination is spared for a while: what came of attempts comes in, whether another one may be made goes out. Where it
//! was spared long enough a single attempt finds out how it is.

use super::chance::{Chance, back_off};

/// Failures in a row after which a destination is spared.
const FAILURES: u32 = 5;
/// How long it is spared first, and at most. In milliseconds.
const FIRST_REST: i64 = 1_000;
const LONGEST_REST: i64 = 300_000;

/// How a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// As far as anybody knows it is well.
    Closed,
    /// It is spared.
    Open,
    /// One attempt finds out.
    HalfOpen,
}

/// Spares a destination that fails.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    /// How often in a row it was spared.
    rests: u32,
    until: Option<i64>,
    is_probed: bool,
}

impl Breaker {
    /// How it stands.
    pub fn state(&self, now: i64) -> BreakerState {
        match self.until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// How many attempts it lets through, of so many.
    pub fn lets(&self, now: i64, wanted: u32) -> u32 {
        match self.state(now) {
            BreakerState::Closed => wanted,
            BreakerState::Open => 0,
            BreakerState::HalfOpen => wanted.min(u32::from(!self.is_probed)),
        }
    }

    /// From when on it may let something through again; none where it does now.
    pub fn until(&self, now: i64) -> Option<i64> {
        self.until.filter(|until| now < *until)
    }

    /// An attempt is made.
    pub fn begun(&mut self, now: i64) {
        self.is_probed |= self.state(now) == BreakerState::HalfOpen;
    }

    /// The destination has answered like one that is well.
    pub fn well(&mut self) {
        *self = Self::default();
    }

    /// Nothing was learnt of it.
    pub fn unknown(&mut self) {
        self.is_probed = false;
    }

    /// It has failed. Attempts that were under way when it was spared already say nothing new.
    pub fn failed(&mut self, now: i64, chance: &mut Chance) {
        self.failures += 1;
        match self.state(now) {
            BreakerState::Closed if self.failures >= FAILURES => self.rest(now, chance),
            BreakerState::HalfOpen if self.is_probed => self.rest(now, chance),
            BreakerState::Closed | BreakerState::Open | BreakerState::HalfOpen => {}
        }
    }

    /// It is spared at once, whatever came before.
    pub fn trip(&mut self, now: i64, chance: &mut Chance) {
        match self.state(now) {
            BreakerState::Open => {}
            BreakerState::Closed | BreakerState::HalfOpen => self.rest(now, chance),
        }
    }

    /// At least half of the time, so that it is a rest.
    fn rest(&mut self, now: i64, chance: &mut Chance) {
        self.rests += 1;
        let whole = FIRST_REST.saturating_mul(1 << self.rests.min(20)).min(LONGEST_REST);
        self.until = Some(now + whole / 2 + back_off(chance, whole / 2, whole / 2, 1));
        (self.failures, self.is_probed) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_is_spared_longer_each_time_and_one_attempt_finds_out() {
        let (mut breaker, mut chance) = (Breaker::default(), Chance::new(1));
        for _ in 0..FAILURES - 1 {
            breaker.failed(0, &mut chance);
        }
        assert_eq!((breaker.state(0), breaker.lets(0, 9)), (BreakerState::Closed, 9));
        breaker.failed(0, &mut chance);
        let mut until = breaker.until(0).unwrap();
        assert_eq!((breaker.lets(until - 1, 9), breaker.lets(until, 9)), (0, 1));
        for _ in 0..12 {
            breaker.begun(until);
            assert_eq!(breaker.lets(until, 9), 0);
            breaker.failed(until, &mut chance);
            let next = breaker.until(until).unwrap();
            assert!(next - until >= FIRST_REST && next - until <= LONGEST_REST, "{}", next - until);
            until = next;
        }
        assert!(breaker.until(until - 1).is_some() && breaker.until(until).is_none());
        breaker.begun(until);
        breaker.unknown();
        assert_eq!(breaker.lets(until, 9), 1);
        breaker.well();
        assert_eq!(breaker.lets(until, 9), 9);
    }
}
