//! Until when a key is good, as people write it: `90d`, `12h`, `30m`, or a time. Text and the present go in, a time comes out.

use jiff::{SignedDuration, Timestamp};

/// The longest a key may be good for: ten years.
const LONGEST: SignedDuration = SignedDuration::from_hours(3653 * 24);

/// Why a text names no time until which a key could be good. It holds what the text is, never the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongExpiry {
    /// It is neither form.
    #[error(
        "a key expires after a length of time such as `90d`, `12h` or `30m`, or at a time such as `2030-01-31T00:00:00Z`"
    )]
    Form,
    /// It names no later time.
    #[error("a key cannot have expired already: name a time in the future")]
    Past,
    /// It is too far away.
    #[error("a key is good for at most ten years")]
    TooLong,
}

/// The time that a text names, seen from `now`.
pub fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, WrongExpiry> {
    let length = match length(text) {
        Some(length) => length,
        None => text.parse::<Timestamp>().map_err(|_| WrongExpiry::Form)?.duration_since(now),
    };
    if length <= SignedDuration::ZERO {
        return Err(WrongExpiry::Past);
    }
    later(now, length)
}

/// The end of a length of time that begins now; it may be nothing at all (`0`).
pub fn end_of_overlap(text: &str, now: Timestamp) -> Result<Timestamp, WrongExpiry> {
    let length = if text == "0" { Some(SignedDuration::ZERO) } else { length(text) };
    later(now, length.ok_or(WrongExpiry::Form)?)
}

fn later(now: Timestamp, length: SignedDuration) -> Result<Timestamp, WrongExpiry> {
    if length > LONGEST {
        return Err(WrongExpiry::TooLong);
    }
    now.checked_add(length).map_err(|_| WrongExpiry::TooLong)
}

/// `90d`, `12h`, `30m`. Too many digits are just very long.
fn length(text: &str) -> Option<SignedDuration> {
    let hours = match text.chars().last()? {
        'd' => 24,
        'h' => 1,
        'm' => 0,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let minutes: i64 = if hours == 0 { 1 } else { hours * 60 };
    let number: i64 = digits.parse().unwrap_or(i64::MAX);
    Some(SignedDuration::from_secs(number.saturating_mul(minutes).saturating_mul(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn lengths_and_times_are_understood_and_all_else_is_refused() {
        let now = at("2026-01-02T03:04:05.678Z");
        for (text, expected) in [
            ("90d", Ok("2026-04-02T03:04:05.678Z")),
            ("12h", Ok("2026-01-02T15:04:05.678Z")),
            ("30m", Ok("2026-01-02T03:34:05.678Z")),
            ("2030-01-31T00:00:00Z", Ok("2030-01-31T00:00:00Z")),
            ("2030-01-31T00:00:00+02:00", Ok("2030-01-30T22:00:00Z")),
            ("3653d", Ok("2036-01-03T03:04:05.678Z")),
            ("3654d", Err(WrongExpiry::TooLong)),
            ("99999999999999999999d", Err(WrongExpiry::TooLong)),
            ("2999-01-01T00:00:00Z", Err(WrongExpiry::TooLong)),
            ("0d", Err(WrongExpiry::Past)),
            ("2026-01-02T03:04:05.678Z", Err(WrongExpiry::Past)),
            ("", Err(WrongExpiry::Form)),
            ("d", Err(WrongExpiry::Form)),
            ("-1d", Err(WrongExpiry::Form)),
            ("1.5h", Err(WrongExpiry::Form)),
            ("90", Err(WrongExpiry::Form)),
            ("90s", Err(WrongExpiry::Form)),
            ("90 d", Err(WrongExpiry::Form)),
            ("90é", Err(WrongExpiry::Form)),
            ("2030-01-31", Err(WrongExpiry::Form)),
        ] {
            assert_eq!(expiry(text, now), expected.map(at), "{text}");
        }
    }

    #[test]
    fn an_overlap_may_be_nothing() {
        let now = at("2026-01-02T03:04:05.678Z");
        assert_eq!(end_of_overlap("0", now), Ok(now));
        assert_eq!(end_of_overlap("24h", now), Ok(at("2026-01-03T03:04:05.678Z")));
        assert_eq!(end_of_overlap("2030-01-31T00:00:00Z", now), Err(WrongExpiry::Form));
    }
}
