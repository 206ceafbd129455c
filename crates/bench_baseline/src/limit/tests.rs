//! Of any window, at most the quota passes; refused requests are not counted.

use std::time::{Duration, Instant};

use super::{Caller, Limiter};

#[test]
fn the_window_slides() {
    let limiter = Limiter::new(2, Duration::from_secs(60));
    let start = Instant::now();
    let at = |milliseconds: u64| {
        let count = limiter.count_at(Caller::Key(1), start + Duration::from_millis(milliseconds));
        (count.passed, count.left, count.reset)
    };
    assert_eq!(at(0), (true, 1, 60));
    assert_eq!(at(30_500), (true, 0, 30));
    assert_eq!(at(59_999), (false, 0, 1));
    assert_eq!(at(60_000), (true, 0, 31));
    assert_eq!(at(60_001), (false, 0, 31));
    assert!(limiter.count_at(Caller::Key(2), start).passed);
}
