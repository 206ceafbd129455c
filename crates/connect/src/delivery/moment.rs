//! Points in time: milliseconds since 1970 where they are reckoned with, RFC 3339 in UTC where they are kept.

use jiff::Timestamp;
use uuid::Uuid;

/// The time as it is kept.
#[must_use]
pub fn to_text(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The time that is kept; none where it is no time.
#[must_use]
pub fn from_text(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// When an event happened: its id begins with the time, to the millisecond.
#[must_use]
pub fn happened_at(event_id: &str) -> Timestamp {
    let time = Uuid::parse_str(event_id).ok().and_then(|id| id.get_timestamp());
    let (seconds, nanos) = time.map_or((0, 0), |time| time.to_unix());
    let nanos = i32::try_from(nanos).unwrap_or_default();
    i64::try_from(seconds).ok().and_then(|seconds| Timestamp::new(seconds, nanos).ok()).unwrap_or_default()
}
