//! Points in time: milliseconds since 1970 where they are reckoned with, RFC 3339 in UTC where they are kept.

use jiff::Timestamp;

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
