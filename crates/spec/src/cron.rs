//! Cron expressions: five fields come in, the sets of times they name go out.
//! The rules are those of `man 5 crontab`; `@daily` and seconds are not among them.

use crate::codes::NOT_A_FREQUENCY;
use crate::document::Node;
use crate::lower::Lowering;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

/// A time table of five fields, in UTC. It names at least one time that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// As written, with one blank between fields.
    pub text: String,
    /// Minutes, 0 to 59.
    pub minutes: BTreeSet<u8>,
    /// Hours, 0 to 23.
    pub hours: BTreeSet<u8>,
    /// Days of the month, 1 to 31.
    pub days: BTreeSet<u8>,
    /// Months, 1 to 12.
    pub months: BTreeSet<u8>,
    /// Days of the week, 0 (Sunday) to 6.
    pub weekdays: BTreeSet<u8>,
    /// Which days count.
    pub day_rule: DayRule,
}

/// How days of the month and days of the week come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayRule {
    /// A day counts that both name: one of the two fields begins with `*`.
    Both,
    /// A day counts that either names.
    Either,
}

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The longest month each month can be, in days.
const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

pub(crate) const PATTERN: &str = r"\s*[0-9A-Za-z*,/-]+(\s+[0-9A-Za-z*,/-]+){4}\s*";

struct Part {
    name: &'static str,
    range: RangeInclusive<u8>,
    /// Words for the numbers, from the range's start on.
    words: &'static [&'static str],
}

const PARTS: [Part; 5] = [
    Part { name: "minute", range: 0..=59, words: &[] },
    Part { name: "hour", range: 0..=23, words: &[] },
    Part { name: "day", range: 1..=31, words: &[] },
    Part { name: "month", range: 1..=12, words: MONTHS },
    // 7 is Sunday too.
    Part { name: "weekday", range: 0..=7, words: WEEKDAYS },
];

/// Whether a text is an attempt at a cron expression.
pub(crate) fn is_meant(text: &str) -> bool {
    let starts = text.trim_start().starts_with(|first: char| first.is_ascii_digit() || first == '*');
    starts && (text.contains('*') || text.split_whitespace().count() == PARTS.len())
}

/// Checks an expression; reports the first part that is wrong.
pub(crate) fn lower(lowering: &mut Lowering<'_>, name: &str, node: &Node, text: &str) -> Option<Cron> {
    match parse(text) {
        Ok(cron) => Some(cron),
        Err(refusal) => {
            let message = format!("the cron expression of `{name}` {}", refusal.message);
            lowering.error(NOT_A_FREQUENCY, message, node.span, refusal.help);
            None
        }
    }
}

struct Refusal {
    message: String,
    help: &'static str,
}

fn refusal(message: impl Into<String>, help: &'static str) -> Refusal {
    Refusal { message: message.into(), help }
}

fn parse(text: &str) -> Result<Cron, Refusal> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        let message = format!("has {} fields instead of 5", fields.len());
        return Err(refusal(message, "write minute, hour, day, month and weekday, like `0 3 * * *`"));
    };
    let [minute_part, hour_part, day_part, month_part, weekday_part] = &PARTS;
    let cron = Cron {
        minutes: times(minute, minute_part)?,
        hours: times(hour, hour_part)?,
        days: times(day, day_part)?,
        months: times(month, month_part)?,
        weekdays: times(weekday, weekday_part)?.into_iter().map(|day| day % 7).collect(),
        day_rule: if day.starts_with('*') || weekday.starts_with('*') { DayRule::Both } else { DayRule::Either },
        text: fields.join(" "),
    };
    let longest = cron.months.iter().map(|month| LENGTHS[usize::from(*month) - 1]).max().unwrap_or(31);
    let never = cron.day_rule == DayRule::Both && cron.days.iter().all(|day| *day > longest);
    if never {
        return Err(refusal("names a day that never comes", "change its day or its month"));
    }
    Ok(cron)
}

fn times(field: &str, part: &Part) -> Result<BTreeSet<u8>, Refusal> {
    let mut times = BTreeSet::new();
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => {
                let step = number(step).filter(|step| *step > 0);
                (range, Some(step.ok_or_else(|| wrong(item, part))?))
            }
        };
        let (first, last) = if range == "*" {
            (*part.range.start(), *part.range.end())
        } else if let Some((first, last)) = range.split_once('-') {
            (value(first, part, item)?, value(last, part, item)?)
        } else {
            let first = value(range, part, item)?;
            (first, if step.is_some() { *part.range.end() } else { first })
        };
        if first > last {
            let message = format!("has `{item}` in the {} field, which runs backwards", part.name);
            return Err(refusal(message, "exchange the two ends, or write two ranges with a comma"));
        }
        times.extend((first..=last).step_by(usize::from(step.unwrap_or(1))));
    }
    Ok(times)
}

fn number(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn value(text: &str, part: &Part, item: &str) -> Result<u8, Refusal> {
    let word = part.words.iter().position(|word| word.eq_ignore_ascii_case(text));
    let value = match word {
        Some(position) => u8::try_from(position).ok().map(|position| position + part.range.start()),
        None => number(text),
    };
    value.filter(|value| part.range.contains(value)).ok_or_else(|| wrong(item, part))
}

fn wrong(item: &str, part: &Part) -> Refusal {
    let (first, last) = (part.range.start(), part.range.end());
    let words = match part.words {
        [first, .., last] => format!(" or `{first}` to `{last}`"),
        _ => String::new(),
    };
    let message = format!("has `{item}` in the {} field, which takes {first} to {last}{words}", part.name);
    refusal(message, "write a number, a range like `1-5`, a list like `1,3`, a step like `*/2`, or `*`")
}
