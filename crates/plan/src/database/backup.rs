//! How copies of a database are made, and the times at which something is due. What a task left open is decided here by the planner
//! alone; whoever makes copies only reads it.

use super::LocationPart;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// How copies are made, kept and tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// When one is made.
    pub schedule: Schedule,
    /// Seconds after which one goes.
    pub keep_for: u32,
    /// How many stay however old they are.
    pub keep_at_least: u32,
    /// Where they go.
    pub destination: Destination,
    /// Where the key is that they are encrypted with; they are not without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<LocationPart>,
    /// When the newest is restored to see that it can be.
    pub drill: Schedule,
    /// Whether the log is kept too, so that every moment can be restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub point_in_time: bool,
    /// What must be met.
    pub objectives: Objectives,
}

/// How far apart pieces of the log are kept, in seconds, where no less work may be lost.
pub const LOG_INTERVAL: u32 = 60;
/// The least work that may be lost, in seconds, where the log is kept.
pub const LEAST_LOSS: u32 = 5;

impl Backup {
    /// How far apart pieces of the log are kept, in seconds. What is lost is that, what keeping a piece takes, and what passes until
    /// somebody looks.
    #[must_use]
    pub fn log_interval(&self) -> u32 {
        match self.objectives.recovery_point {
            less if less < LOG_INTERVAL => (less * 2 / LEAST_LOSS).max(1),
            _ => LOG_INTERVAL,
        }
    }
}

/// Where copies go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into the workspace's own state.
    Workspace,
    /// Into that folder, a relative one of which stands in the workspace's, or that part of a bucket (`s3://bucket/prefix`).
    #[serde(rename = "folder")]
    Named(Vec<LocationPart>),
}

/// What must be met when everything else is lost, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objectives {
    /// How much of the latest work may be lost.
    pub recovery_point: u32,
    /// How long restoring may take; it is only measured where nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_time: Option<u32>,
}

/// Times, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// So many minutes after the time before.
    Every(u32),
    /// At the times of a cron expression.
    Cron(Cron),
}

/// The times of a cron expression, which names at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cron {
    /// As written.
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
    /// Whether a day counts that days and weekdays both name, and not one that either does.
    pub both: bool,
}

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;
/// The longest that a day of a cron expression is waited for: the 29th of February comes every eight years at the least.
const MOST_DAYS: i64 = 366 * 8 + 1;
/// How many times in a row are looked at for the longest wait between two of them: more than a month of hours.
const TIMES_LOOKED_AT: usize = 1_000;

impl Schedule {
    /// The first time behind `after`, both in seconds since 1970.
    #[must_use]
    pub fn next(&self, after: i64) -> i64 {
        match self {
            Self::Every(minutes) => after + i64::from(*minutes) * MINUTE,
            Self::Cron(cron) => cron.next(after),
        }
    }

    /// The longest wait between one time and the next, in seconds.
    #[must_use]
    pub fn longest_wait(&self) -> u32 {
        let mut at = self.next(0);
        let waits = (0..TIMES_LOOKED_AT).map(|_| {
            let next = self.next(at);
            std::mem::replace(&mut at, next).abs_diff(next)
        });
        waits.max().and_then(|longest| u32::try_from(longest).ok()).unwrap_or(u32::MAX)
    }
}

impl Cron {
    fn next(&self, after: i64) -> i64 {
        let first = after.div_euclid(DAY);
        let days = (first..first + MOST_DAYS).filter(|day| self.has_day(*day));
        let mut times = days.flat_map(|day| {
            let of_hour = move |hour: &u8| (day * 24 + i64::from(*hour)) * 60;
            self.hours
                .iter()
                .map(of_hour)
                .flat_map(|hour| self.minutes.iter().map(move |minute| (hour + i64::from(*minute)) * MINUTE))
        });
        // There is one: the expression was checked where it was read.
        times.find(|time| *time > after).unwrap_or(after + MOST_DAYS * DAY)
    }

    /// `day` counts from 1970, which began on a Thursday.
    fn has_day(&self, day: i64) -> bool {
        let small = |number: i64| u8::try_from(number).unwrap_or_default();
        let [_, month, day_of_month] = vocab::moment::civil(day);
        let of_month = self.days.contains(&small(day_of_month));
        let of_week = self.weekdays.contains(&small((day + 4).rem_euclid(7)));
        let is_meant = if self.both { of_month && of_week } else { of_month || of_week };
        is_meant && self.months.contains(&small(month))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(minutes) => write!(formatter, "every {minutes} minutes"),
            Self::Cron(cron) => write!(formatter, "at `{}` (UTC)", cron.text),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace => formatter.write_str("the workspace's own folder of backups"),
            Self::Named(parts) => {
                formatter.write_str("`")?;
                parts.iter().try_for_each(|part| part.fmt(formatter))?;
                formatter.write_str("`")
            }
        }
    }
}

/// A length of time as people say it: `14 days`, `90 minutes`.
#[must_use]
pub fn spoken(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (unit, word) = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "second"));
    let number = seconds / unit;
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(days: &[u8], months: &[u8], weekdays: &[u8], both: bool) -> Schedule {
        let set = |numbers: &[u8], all: std::ops::RangeInclusive<u8>| match numbers {
            [] => all.collect(),
            some => some.iter().copied().collect(),
        };
        Schedule::Cron(Cron {
            text: String::new(),
            minutes: [30].into(),
            hours: [3].into(),
            days: set(days, 1..=31),
            months: set(months, 1..=12),
            weekdays: set(weekdays, 0..=6),
            both,
        })
    }

    fn text(seconds: i64) -> String {
        vocab::utc_text(seconds * 1_000_000).unwrap_or_default()
    }

    /// 2026-11-27, a Friday.
    const NOON: i64 = 1_795_780_800;

    #[test]
    fn the_next_time_is_the_first_one_behind() {
        assert_eq!(text(NOON), "2026-11-27T12:00:00.000Z");
        assert_eq!(text(Schedule::Every(90).next(NOON)), "2026-11-27T13:30:00.000Z");
        let daily = cron(&[], &[], &[], true);
        assert_eq!(text(daily.next(NOON)), "2026-11-28T03:30:00.000Z");
        assert_eq!(daily.next(daily.next(NOON)) - daily.next(NOON), DAY, "a time is not behind itself");
        assert_eq!(text(cron(&[], &[], &[1], true).next(NOON)), "2026-11-30T03:30:00.000Z");
        assert_eq!(text(cron(&[29], &[2], &[], true).next(NOON)), "2028-02-29T03:30:00.000Z");
        assert_eq!(text(cron(&[1], &[], &[0], false).next(NOON)), "2026-11-29T03:30:00.000Z");
    }

    #[test]
    fn the_longest_wait_is_known() {
        assert_eq!(Schedule::Every(90).longest_wait(), 90 * 60);
        assert_eq!(cron(&[], &[], &[], true).longest_wait(), 86_400);
        assert_eq!(cron(&[], &[], &[1, 3], true).longest_wait(), 5 * 86_400);
        assert_eq!(cron(&[1], &[], &[], true).longest_wait(), 31 * 86_400);
    }

    #[test]
    fn lengths_are_said_in_the_largest_unit_that_fits() {
        assert_eq!([14 * 86_400, 5_400, 3_600, 1].map(spoken), ["14 days", "90 minutes", "1 hour", "1 second"]);
    }
}
