//! Lengths of time: a phrase like `30_seconds` comes in, seconds go out.

use crate::codes::NOT_A_DURATION;
use crate::document::{Node, Value};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::word::{Word, words};
use serde_json::Value as Json;

/// The longest time a task may name: ten years, in seconds.
pub const MAX_DURATION_SECONDS: u32 = 10 * 366 * 24 * 60 * 60;

words! {
    /// A unit of time.
    Unit {
        /// One second.
        Second = "seconds" | "second";
        /// Sixty seconds.
        Minute = "minutes" | "minute";
        /// Sixty minutes.
        Hour = "hours" | "hour";
        /// 24 hours.
        Day = "days" | "day";
    }
}

impl Unit {
    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }
}

/// What the phrase looks like.
pub(crate) fn pattern() -> String {
    format!("0*[1-9][0-9]{{0,8}}_{}", schema::alternatives::<Unit>())
}

pub(crate) fn schema() -> Json {
    schema::pattern(&pattern())
}

/// Checks the value of a field that holds a length of time; gives seconds.
pub(crate) fn lower(lowering: &mut Lowering<'_>, name: &str, node: &Node) -> Option<Spanned<u32>> {
    let Value::Text(text) = &node.value else {
        let help = match &node.value {
            Value::Number(number) => format!("write `{name}: {number}_seconds`"),
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Sequence(_) | Value::Mapping(_) => {
                format!("write `{name}: 30_seconds`")
            }
        };
        lowering.wrong_kind(Label::Field(name), "a text like `30_seconds`", node, &help);
        return None;
    };
    match seconds(text) {
        Some(seconds) => Some(lowering.source.spanned(seconds, node.span)),
        None => {
            refuse(lowering, Label::Field(name), node, text, "write `30_seconds`, or `minutes`, `hours`, `days`");
            None
        }
    }
}

/// The seconds of a phrase, from 1 to [`MAX_DURATION_SECONDS`].
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let (number, unit) = text.split_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = is_number.then(|| number.parse().ok())??;
    let seconds = number.checked_mul(Unit::from_word(unit)?.seconds())?;
    (1..=MAX_DURATION_SECONDS).contains(&seconds).then_some(seconds)
}

/// Whether only the number of a phrase is wrong.
fn is_phrase(text: &str) -> bool {
    text.split_once('_').is_some_and(|(number, unit)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && Unit::from_word(unit).is_some()
    })
}

/// Reports a text that is no length of time.
pub(crate) fn refuse(lowering: &mut Lowering<'_>, label: Label<'_>, node: &Node, text: &str, example: &str) {
    let help = meant(text).map_or_else(|| example.to_owned(), |phrase| format!("did you mean `{phrase}`?"));
    if text.contains(" | ") {
        return lowering.offers_alternatives(label, node.span, text);
    }
    let message = match is_phrase(text) {
        true => format!("`{text}` is not between a second and ten years"),
        false => format!("`{text}` is not a length of time"),
    };
    lowering.error(NOT_A_DURATION, message, node.span, help);
}

/// The phrase behind spellings such as `30s`, `5 min` and `1h`.
fn meant(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (number, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let unit = rest.trim_matches(|character: char| !character.is_ascii_alphabetic());
    let unit = Unit::words().into_iter().find(|word| !unit.is_empty() && word.starts_with(unit))?;
    let phrase = format!("{number}_{unit}");
    seconds(&phrase).map(|_| phrase)
}
