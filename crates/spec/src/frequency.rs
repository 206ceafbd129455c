//! How often something happens: a phrase or a cron expression comes in, a [`Frequency`] goes out.

use crate::codes::NOT_A_FREQUENCY;
use crate::cron::{self, Cron};
use crate::document::{Node, Value};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::suggestion::{closest, list};
use crate::word::{Word, words};
use serde_json::Value as Json;

/// The longest time between two runs that is said in minutes: one day.
pub const MAX_INTERVAL_MINUTES: u32 = 24 * 60;

/// How often something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frequency {
    /// `real_time`: at once, whenever something changes.
    RealTime,
    /// `every_<n>_minutes`: from 1 to [`MAX_INTERVAL_MINUTES`].
    EveryMinutes(u32),
    /// `hourly`.
    Hourly,
    /// `daily`.
    Daily,
    /// A cron expression, in UTC.
    Cron(Cron),
}

/// Whether something can happen at once, or only at times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    RealTimeToo,
    AtTimesOnly,
}

words! {
    /// A frequency that is one word.
    FrequencyWord {
        /// Whenever something changes.
        RealTime = "real_time";
        /// Once an hour.
        Hourly = "hourly";
        /// Once a day.
        Daily = "daily";
    }
}

impl Pace {
    fn words(self) -> Vec<&'static str> {
        let is_allowed = |word: &FrequencyWord| match (word, self) {
            (FrequencyWord::RealTime, Self::AtTimesOnly) => false,
            (FrequencyWord::RealTime | FrequencyWord::Hourly | FrequencyWord::Daily, _) => true,
        };
        FrequencyWord::SPELLINGS.iter().filter(|(_, word)| is_allowed(word)).map(|(text, _)| *text).collect()
    }

    fn schema(self) -> Json {
        schema::either([
            serde_json::json!({ "enum": self.words() }),
            schema::pattern("every_0*[1-9][0-9]{0,3}_minutes?"),
            schema::pattern(cron::PATTERN),
        ])
    }
}

pub(crate) fn schema() -> Json {
    Pace::RealTimeToo.schema()
}

pub(crate) fn schema_of_times() -> Json {
    Pace::AtTimesOnly.schema()
}

/// Checks the value of a field that says how often something happens.
pub(crate) fn lower(lowering: &mut Lowering<'_>, name: &str, node: &Node, pace: Pace) -> Option<Spanned<Frequency>> {
    let words = pace.words();
    let Value::Text(text) = &node.value else {
        let help = match &node.value {
            Value::Number(number) => format!("write `{name}: every_{number}_minutes`"),
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Sequence(_) | Value::Mapping(_) => {
                example(&words)
            }
        };
        lowering.wrong_kind(Label::Field(name), "a text", node, &help);
        return None;
    };
    let frequency = if let Some(word) = FrequencyWord::from_word(text).filter(|_| words.contains(&text.as_str())) {
        match word {
            FrequencyWord::RealTime => Frequency::RealTime,
            FrequencyWord::Hourly => Frequency::Hourly,
            FrequencyWord::Daily => Frequency::Daily,
        }
    } else if let Some(minutes) = interval(text) {
        Frequency::EveryMinutes(bounded(lowering, name, node, minutes)?)
    } else if cron::is_meant(text) {
        Frequency::Cron(cron::lower(lowering, name, node, text)?)
    } else {
        refuse(lowering, Label::Field(name), node, text, &words);
        return None;
    };
    Some(lowering.source.spanned(frequency, node.span))
}

/// The number of `every_<n>_minutes`; more than a `u32` holds is its maximum, which the bound refuses.
fn interval(text: &str) -> Option<u32> {
    let rest = text.strip_prefix("every_")?;
    let number = rest.strip_suffix("_minutes").or_else(|| rest.strip_suffix("_minute"))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().unwrap_or(u32::MAX))
}

fn bounded(lowering: &mut Lowering<'_>, name: &str, node: &Node, minutes: u32) -> Option<u32> {
    if (1..=MAX_INTERVAL_MINUTES).contains(&minutes) {
        return Some(minutes);
    }
    let message = format!("`{name}` counts from 1 to {MAX_INTERVAL_MINUTES} minutes");
    lowering.error(NOT_A_FREQUENCY, message, node.span, "change the number, or write a cron expression");
    None
}

fn refuse(lowering: &mut Lowering<'_>, label: Label<'_>, node: &Node, text: &str, words: &[&str]) {
    if text.contains(" | ") {
        return lowering.offers_alternatives(label, node.span, text);
    }
    let help = match meant(text).or_else(|| closest(text, words).map(str::to_owned)) {
        Some(phrase) => format!("did you mean `{phrase}`?"),
        None => example(words),
    };
    lowering.error(NOT_A_FREQUENCY, format!("`{text}` does not say how often"), node.span, help);
}

fn example(words: &[&str]) -> String {
    format!("write one of {}, `every_15_minutes`, or a cron expression like `0 3 * * *`", list(words))
}

/// What other tools call some of the times.
const FOREIGN_WORDS: &[(&str, &str)] = &[("weekly", "0 3 * * 0"), ("monthly", "0 3 1 * *"), ("yearly", "0 3 1 1 *")];

/// The phrase behind spellings such as `every 15 minutes`, `15m` and `every_2_hours`.
fn meant(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    if let Some((_, phrase)) = FOREIGN_WORDS.iter().find(|(word, _)| *word == text.trim_start_matches('@')) {
        return Some((*phrase).to_owned());
    }
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    let number: u32 = number.parse().ok()?;
    let unit = text.rsplit(|character: char| !character.is_ascii_alphabetic()).find(|word| !word.is_empty())?;
    let minutes = match unit {
        "m" | "min" | "mins" | "minute" | "minutes" => number,
        "h" | "hour" | "hours" => number.checked_mul(60)?,
        _other => return None,
    };
    (1..=MAX_INTERVAL_MINUTES).contains(&minutes).then(|| format!("every_{minutes}_minutes"))
}
