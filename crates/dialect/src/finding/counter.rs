//! Keys that the engine counts, and how much of what they can hold is used.

use super::{About, COUNTER_ENDS, Finding, Mend, SMALL_KEY, digits, mend};
use plan::database::Counter;
use vocab::Severity;

/// From this part of its range on a counter comes to its end.
const ENDS_AT_PERCENT: u64 = 75;
/// From this part on a key of 32 bits is worth a word: of one that hardly grows nobody has to think.
const GROWS_AT_PERCENT: u64 = 10;

/// Counters that come to their end, and those of 32 bits that are on the way.
pub fn ending(about: &About<'_>) -> Vec<Finding> {
    let finding = |counter: &Counter| {
        let used = counter.last / (counter.most / 100).max(1);
        let (code, severity, what) = match used {
            ENDS_AT_PERCENT.. => (COUNTER_ENDS, Severity::Warning, "comes to its end"),
            GROWS_AT_PERCENT.. if counter.can_grow => (SMALL_KEY, Severity::Advice, "is on the way to its end"),
            _ => return None,
        };
        let by_hand = match counter.can_grow {
            true => "drop the keys that lead there, make both columns `bigint`, and add the keys again",
            false => "no type holds more: give the rows other keys, and have it begin anew",
        };
        Some(Finding {
            code,
            severity,
            place: about.place(&counter.table, std::slice::from_ref(&counter.column)),
            message: format!("what counts `{}.{}` {what}", counter.table, counter.column),
            why: format!(
                "{used} % are used: {} of {}; behind the last one no row can be added",
                digits(counter.last),
                digits(counter.most)
            ),
            mend: mend::grow(about, counter).map_or_else(|| Mend::ByHand(by_hand.to_owned()), Mend::Statements),
            trial: None,
        })
    };
    about.condition.counters.iter().filter_map(finding).collect()
}
