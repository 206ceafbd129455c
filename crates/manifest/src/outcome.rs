//! What an answer means: tests over status, headers and body, and the five things that a bad answer can say.

use crate::entries::Entries;
use crate::pointer::Pointer;
use crate::template::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A test of an answer. Everything that stands in it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Its status is one of these.
    #[serde(default)]
    pub status: Vec<Status>,
    /// The provider's own code, which stands where `errors.code` says, is one of these.
    #[serde(default)]
    pub code: Vec<String>,
    /// Headers with the values of which one must be there.
    #[serde(default)]
    pub header: Entries<String, Vec<String>>,
    /// Tests of its body.
    #[serde(default)]
    pub body: Vec<BodyTest>,
}

impl When {
    /// Whether it tests nothing and so always holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.status.is_empty() && self.code.is_empty() && self.header.is_empty() && self.body.is_empty()
    }
}

/// A test of something in a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyTest {
    /// Where it stands; with `*` in it, every one must pass.
    pub at: Pointer,
    /// One of them is enough.
    #[serde(default)]
    pub some: bool,
    /// It is one of these, as text.
    #[serde(default)]
    pub is: Vec<Text>,
    /// It is none of these.
    #[serde(default)]
    pub is_not: Vec<Text>,
    /// It holds this text.
    #[serde(default)]
    pub contains: Option<String>,
    /// It is a number not below this.
    #[serde(default)]
    pub at_least: Option<i64>,
    /// Whether it is there at all.
    #[serde(default)]
    pub present: Option<bool>,
}

/// A status, or a hundred of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `429`
    Exactly(u16),
    /// `5xx`
    Hundred(u16),
}

impl Status {
    /// Whether the status is meant.
    #[must_use]
    pub fn is(self, status: u16) -> bool {
        match self {
            Self::Exactly(known) => known == status,
            Self::Hundred(first) => status / 100 == first,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => write!(formatter, "{status}"),
            Self::Hundred(first) => write!(formatter, "{first}xx"),
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_suffix("xx").unwrap_or(&text);
        let status = digits.parse().ok().filter(|number| match text.len() == digits.len() {
            true => (100..=599).contains(number),
            false => (1..=5).contains(number),
        });
        match status {
            Some(status) if text.len() == digits.len() => Ok(Self::Exactly(status)),
            Some(first) => Ok(Self::Hundred(first)),
            None => Err(serde::de::Error::custom(format!("`{text}` is no status: write `429` or `5xx`"))),
        }
    }
}

/// What bad answers mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Where the provider's own code stands.
    #[serde(default)]
    pub code: Option<Pointer>,
    /// Where its words for people stand.
    #[serde(default)]
    pub message: Option<Pointer>,
    /// The header that names the request, for a letter to the provider.
    #[serde(default)]
    pub request_id_header: Option<String>,
    /// Asked one after the other; the first that holds decides.
    pub rules: Vec<ErrorRule>,
    /// What every other bad answer means.
    pub otherwise: Meaning,
}

/// What one kind of bad answer means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Which answers.
    pub when: When,
    /// What they mean.
    pub means: Meaning,
    /// Why, where it is not plain.
    #[serde(default)]
    pub because: Option<String>,
}

/// What a bad answer can say. A connection that was never made is `transient`; one that broke behind the request is
/// `unknown_effect` where something would have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nothing happened, and it will be no better next time.
    Permanent,
    /// Nothing happened; later it may be better.
    Transient,
    /// Nothing happened; we were too fast.
    RateLimited,
    /// Nothing happened; the credential is to be renewed, once, else it is wrong.
    Authentication,
    /// It may have happened.
    UnknownEffect,
    /// It has happened before: as good as done.
    Done,
}

impl Meaning {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::RateLimited => "rate_limited",
            Self::Authentication => "authentication",
            Self::UnknownEffect => "unknown_effect",
            Self::Done => "done",
        }
    }
}

/// How a provider says that we shall wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Headers that say how long, the first that is there decides.
    #[serde(default)]
    pub headers: Vec<WaitHeader>,
    /// How long where no header says it, in seconds; without this the wait grows as behind every failure.
    #[serde(default)]
    pub otherwise_seconds: Option<u32>,
    /// Whatever a header says, no longer than this.
    pub most_seconds: u32,
}

/// A header that says how long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitHeader {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub holds: WaitForm,
}

/// How long is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitForm {
    /// Seconds, or an HTTP date.
    SecondsOrDate,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// The second at which it goes on, since 1970.
    UnixSeconds,
}

/// How often and how long a delivery is tried. The wait grows twofold from `first_wait_ms`, each time by chance between nothing
/// and all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Most attempts.
    pub attempts: u32,
    /// For how long, in hours.
    pub for_hours: u32,
    /// The first wait, in milliseconds.
    pub first_wait_ms: u32,
    /// The longest wait, in seconds.
    pub most_wait_seconds: u32,
    /// How long an answer may take, in milliseconds.
    pub answer_within_ms: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 20, for_hours: 72, first_wait_ms: 500, most_wait_seconds: 14_400, answer_within_ms: 30_000 }
    }
}
