//! The time of a signature: what a header says of it comes in, a no goes out when it is too long ago or ahead of the clock.

use super::{Call, Refusal};
use manifest::webhook::{TimeUnit, Timestamp};

/// Most digits of a time: milliseconds until the year 2286 have 13.
const MAX_DIGITS: usize = 13;

/// Whether a signature of that time may be taken now. `header` is where the text stood.
pub(super) fn check(call: &Call<'_>, header: &str, text: &str, rule: &Timestamp) -> Result<(), Refusal> {
    let is_number = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = match text.parse() {
        Ok(number) if is_number => number,
        Ok(_) | Err(_) => return Err(Refusal::HeaderUnreadable(header.to_owned())),
    };
    let signed_ms = match rule.unit {
        TimeUnit::Seconds => number.saturating_mul(1_000),
        TimeUnit::Milliseconds => number,
    };
    let age_ms = call.arrived_ms.saturating_sub(signed_ms);
    let too_much = |allowed: &u32, ms: i64| ms > i64::from(*allowed) * 1_000;
    if let Some(allowed) = rule.past_seconds.filter(|allowed| too_much(allowed, age_ms)) {
        return Err(Refusal::TooOld { seconds: age_ms / 1_000, allowed });
    }
    if let Some(allowed) = rule.future_seconds.filter(|allowed| too_much(allowed, -age_ms)) {
        return Err(Refusal::TooNew { seconds: -age_ms / 1_000, allowed });
    }
    Ok(())
}
