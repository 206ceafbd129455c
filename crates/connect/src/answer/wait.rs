//! How long a provider says that we shall wait, never longer than the manifest lets it.

use crate::message::HttpAnswer;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use manifest::outcome::{Wait, WaitForm};
use std::time::Duration;

/// What the first header that can be read says.
pub(super) fn told(wait: &Wait, answer: &HttpAnswer, now: Timestamp) -> Option<Duration> {
    let said = wait.headers.iter().find_map(|header| read(answer.header(&header.name)?.trim(), header.holds, now))?;
    Some(bounded(said, wait))
}

/// What the manifest says where no header does.
pub(super) fn otherwise(wait: &Wait) -> Option<Duration> {
    wait.otherwise_seconds.map(|seconds| bounded(Duration::from_secs(seconds.into()), wait))
}

fn bounded(said: Duration, wait: &Wait) -> Duration {
    said.min(Duration::from_secs(wait.most_seconds.into()))
}

fn read(text: &str, holds: WaitForm, now: Timestamp) -> Option<Duration> {
    let until = |moment: Timestamp| Duration::try_from(moment.duration_since(now)).unwrap_or_default();
    // Some write `1.5` where whole seconds are meant: half a second more does no harm.
    let whole = || text.split('.').next()?.parse::<u64>().ok().map(|number| number + u64::from(text.contains('.')));
    match holds {
        WaitForm::Seconds => whole().map(Duration::from_secs),
        WaitForm::Milliseconds => whole().map(Duration::from_millis),
        WaitForm::UnixSeconds => {
            let second = whole().and_then(|second| i64::try_from(second).ok())?;
            Timestamp::from_second(second).ok().map(until)
        }
        WaitForm::SecondsOrDate => {
            let date = || DateTimeParser::new().parse_timestamp(text).ok().map(until);
            whole().map(Duration::from_secs).or_else(date)
        }
    }
}
