//! What the server counts, in a registry of its own. Labels come from the plan, never from a caller.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds: those of the Prometheus client libraries.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The route of requests that matched none.
pub(crate) const UNMATCHED: &str = "unmatched";

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// The registry of one server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    in_flight: Gauge,
}

/// The counters of one method on one route.
pub(crate) struct RouteMetrics {
    labels: [Label; 2],
    duration: Histogram,
    /// Few statuses ever occur on a route: looking through them beats hashing.
    by_status: RwLock<Vec<(u16, Counter)>>,
}

impl Metrics {
    pub fn new() -> Self {
        let recorder =
            PrometheusBuilder::new().set_buckets(&BUCKETS).expect("the list of buckets is not empty").build_recorder();
        for (name, help) in [
            ("http_requests_total", "Answered requests."),
            ("rate_limited_total", "Requests refused by a rate limit."),
            ("outbox_events_total", "Events written to the outbox."),
            ("kept_answers_total", "Questions of which the answer was kept, or was not."),
        ] {
            recorder.describe_counter(name.into(), None, help.into());
        }
        recorder.describe_gauge("http_requests_in_flight".into(), None, "Requests being worked on.".into());
        recorder.describe_histogram(
            "http_request_duration_seconds".into(),
            None,
            "Time from a request's arrival to its answer.".into(),
        );
        let in_flight = recorder.register_gauge(&Key::from_static_name("http_requests_in_flight"), &METADATA);
        Self { handle: recorder.handle(), recorder, in_flight }
    }

    pub fn in_flight(&self) -> &Gauge {
        &self.in_flight
    }

    pub fn route(&self, method: &str, route: &str) -> RouteMetrics {
        let labels = [Label::new("method", method.to_owned()), Label::new("route", route.to_owned())];
        let key = Key::from_parts("http_request_duration_seconds", labels.to_vec());
        let duration = self.recorder.register_histogram(&key, &METADATA);
        RouteMetrics { labels, duration, by_status: RwLock::new(Vec::new()) }
    }

    pub fn answered(&self, route: &RouteMetrics, status: u16, after: Duration) {
        route.duration.record(after.as_secs_f64());
        let known = {
            let counters = route.by_status.read().unwrap_or_else(PoisonError::into_inner);
            counters.iter().find(|(known, _)| *known == status).map(|(_, counter)| counter.increment(1))
        };
        if known.is_none() {
            let mut labels = route.labels.to_vec();
            labels.push(Label::new("status", status.to_string()));
            let counter = self.counter("http_requests_total", labels);
            counter.increment(1);
            route.by_status.write().unwrap_or_else(PoisonError::into_inner).push((status, counter));
        }
    }

    pub fn rate_limited(&self, policy: &str) {
        self.counter("rate_limited_total", vec![Label::new("policy", policy.to_owned())]).increment(1);
    }

    /// An answer that may be kept was asked for, and was there or not.
    pub fn kept(&self, is_there: bool) {
        let found = if is_there { "hit" } else { "miss" };
        self.counter("kept_answers_total", vec![Label::new("found", found)]).increment(1);
    }

    pub fn emitted(&self, event: &str) {
        self.counter("outbox_events_total", vec![Label::new("event", event.to_owned())]).increment(1);
    }

    /// Prometheus text.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Moves recorded durations into their buckets; without it they pile up between two renderings.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>) -> Counter {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
    }
}
