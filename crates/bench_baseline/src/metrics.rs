//! Counters and a latency histogram, without locks.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;

const BOUNDS_MICROS: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000];
const CLASSES: usize = 6;

/// What was answered, and how fast.
#[derive(Default)]
pub struct Metrics {
    by_class: [AtomicU64; CLASSES],
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    /// Counts one answer.
    pub fn record(&self, status: StatusCode, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        let class = usize::from(status.as_u16() / 100).min(CLASSES - 1);
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Prometheus text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, label: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}{label} {value}");
        };
        for (class, count) in self.by_class.iter().enumerate().skip(1) {
            let count = count.load(Ordering::Relaxed);
            line("http_requests_total", &format!("{{status=\"{class}xx\"}}"), count.to_string());
        }
        let mut sum = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            sum += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS_MICROS.get(index).map_or("+Inf".to_owned(), |micros| seconds(*micros));
            line("http_request_duration_seconds_bucket", &format!("{{le=\"{bound}\"}}"), sum.to_string());
        }
        line("http_request_duration_seconds_sum", "", seconds(self.micros.load(Ordering::Relaxed)));
        line("http_request_duration_seconds_count", "", sum.to_string());
        text
    }
}

fn seconds(micros: u64) -> String {
    (micros as f64 / 1_000_000.0).to_string()
}
