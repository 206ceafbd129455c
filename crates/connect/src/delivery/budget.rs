//! How much a provider takes in a time: so many at once at most, and then as many as come back with time.

use super::lane::RateBudget;

/// What is left of a budget.
#[derive(Debug, Clone)]
pub struct Budget {
    of: RateBudget,
    /// In attempts times the budget's time, so that nothing is lost by rounding.
    left: i64,
    counted_at: i64,
}

impl Budget {
    pub fn new(of: RateBudget, now: i64) -> Self {
        Self { of, left: i64::from(of.limit) * of.per_ms, counted_at: now }
    }

    pub fn is_of(&self, of: RateBudget) -> bool {
        self.of == of
    }

    fn count(&mut self, now: i64) {
        let since = (now - self.counted_at).clamp(0, self.of.per_ms);
        let full = i64::from(self.of.limit) * self.of.per_ms;
        self.left = (self.left + since * i64::from(self.of.limit)).min(full);
        self.counted_at = now;
    }

    /// How many attempts it is good for now.
    pub fn left(&mut self, now: i64) -> u32 {
        self.count(now);
        u32::try_from(self.left / self.of.per_ms).unwrap_or_default()
    }

    pub fn spend(&mut self, now: i64) {
        self.count(now);
        self.left -= self.of.per_ms;
    }

    /// When it is good for another attempt.
    pub fn good_at(&mut self, now: i64) -> i64 {
        self.count(now);
        let lacking = (self.of.per_ms - self.left).max(0);
        now + lacking.div_euclid(i64::from(self.of.limit)) + i64::from(lacking % i64::from(self.of.limit) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_goes_out_in_any_time_but_a_whole_budget_once() {
        let mut budget = Budget::new(RateBudget { limit: 3, per_ms: 1000 }, 0);
        let mut sent = Vec::new();
        for now in 0..10_000 {
            while budget.left(now) > 0 {
                budget.spend(now);
                sent.push(now);
            }
            let good = budget.good_at(now);
            assert!(good > now && budget.clone().left(good) == 1 && budget.clone().left(good - 1) == 0, "{now} {good}");
        }
        assert_eq!(sent.len(), 3 + 29);
    }
}
