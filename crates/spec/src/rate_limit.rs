//! `rate_limiting`: a phrase like `100_requests_per_minute` or a block comes in, a [`RateLimit`] goes out.

use crate::codes::NOT_A_RATE_LIMIT;
use crate::document::{Node, Value};
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::schema;
use crate::source::Spanned;
use crate::word::{Word, words};
use serde_json::Value as Json;

/// The highest limit.
pub const MAX_RATE_LIMIT: u32 = 1_000_000_000;

/// How many requests are let through in how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per window, from 1 to [`MAX_RATE_LIMIT`].
    pub limit: u32,
    /// The window, in seconds.
    pub window_seconds: u32,
    /// What shares one count; absent when the task leaves it to the planner.
    pub by: Option<LimitBy>,
}

words! {
    /// What shares one count of requests.
    LimitBy {
        /// Callers from one network address.
        Ip = "ip";
        /// Callers with one key.
        Key = "key";
        /// Callers signed in as one user.
        User = "user";
    }
}

words! {
    /// The window of a limit.
    Window {
        /// One second.
        Second = "second";
        /// Sixty seconds.
        Minute = "minute";
        /// Sixty minutes.
        Hour = "hour";
        /// 24 hours.
        Day = "day";
    }
}

impl Window {
    fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }
}

const FIELDS: &[Field] = &[
    required("limit", "How many requests are let through in one window.", || {
        schema::whole_number(1..=MAX_RATE_LIMIT.into())
    }),
    required("per", "The window.", schema::word::<Window>),
    optional("by", "What shares one count; the producer chooses when absent.", schema::word::<LimitBy>),
];
const EXAMPLE: &str = "write `100_requests_per_minute`, or another number with `second`, `hour` or `day`";

pub(crate) fn schema() -> Json {
    // From 1 to a thousand million, as `MAX_RATE_LIMIT` says.
    let phrase = format!("0*([1-9][0-9]{{0,8}}|{MAX_RATE_LIMIT})_requests?_per_{}", schema::alternatives::<Window>());
    schema::either([schema::pattern(&phrase), schema::block(FIELDS)])
}

/// Checks the value of `rate_limiting`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<RateLimit>> {
    let limit = match &node.value {
        Value::Text(text) => phrase(lowering, node, text)?,
        Value::Mapping(_) => block(lowering, node)?,
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Sequence(_) => {
            let expected = "a text like `100_requests_per_minute` or a block";
            lowering.wrong_kind(Label::Field("rate_limiting"), expected, node, EXAMPLE);
            return None;
        }
    };
    Some(lowering.source.spanned(limit, node.span))
}

fn phrase(lowering: &mut Lowering<'_>, node: &Node, text: &str) -> Option<RateLimit> {
    let parts = text
        .split_once("_requests_per_")
        .or_else(|| text.split_once("_request_per_"))
        .and_then(|(number, unit)| Some((digits(number)?, Window::from_word(unit)?)));
    if let Some((number, window)) = parts {
        return limit(lowering, node, number).map(|limit| RateLimit {
            limit,
            window_seconds: window.seconds(),
            by: None,
        });
    }
    let help = meant(text).map_or_else(|| EXAMPLE.to_owned(), |phrase| format!("did you mean `{phrase}`?"));
    lowering.error(NOT_A_RATE_LIMIT, format!("`{text}` is not a rate limit"), node.span, help);
    None
}

fn block(lowering: &mut Lowering<'_>, node: &Node) -> Option<RateLimit> {
    let block = lowering.own_block("`rate_limiting`", node, FIELDS)?;
    let number = lowering.required(&block, "limit", "add `limit: 100`").and_then(|entry| {
        let number = lowering.whole_number(Label::Field("limit"), &entry.node)?;
        limit(lowering, &entry.node, number)
    });
    let window = lowering
        .required(&block, "per", "add `per: \"minute\"`")
        .and_then(|entry| lowering.word::<Window>(Label::Field("per"), &entry.node));
    let by = block.node("by").and_then(|node| lowering.word(Label::Field("by"), node));
    Some(RateLimit { limit: number?, window_seconds: window?.value.seconds(), by: by.map(|by| by.value) })
}

/// Digits only; more than a `u64` holds is its maximum, which the bound refuses.
fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn limit(lowering: &mut Lowering<'_>, node: &Node, number: u64) -> Option<u32> {
    let limit = u32::try_from(number).ok().filter(|limit| (1..=MAX_RATE_LIMIT).contains(limit));
    if limit.is_none() {
        let message = format!("a rate limit is a number from 1 to {MAX_RATE_LIMIT}");
        lowering.error(NOT_A_RATE_LIMIT, message, node.span, "change the number");
    }
    limit
}

/// The phrase behind spellings such as `100/min` and `100 requests per minute`.
fn meant(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let (number, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    let number = digits(number)?;
    let unit = rest.rsplit(|character: char| !character.is_ascii_alphabetic()).find(|word| !word.is_empty())?;
    let unit = Window::words().into_iter().find(|word| word.starts_with(unit.trim_end_matches('s')))?;
    Some(format!("{number}_requests_per_{unit}"))
}
