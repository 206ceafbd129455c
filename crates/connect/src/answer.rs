//! What an answer means: a call and the answer to it come in, the outcome goes out with the fields that the manifest declares and no
//! others. Tests and rules are asked in the order in which they stand there. Nothing is sent here, and the time is handed in.

mod batch;
mod fields;
mod wait;

#[cfg(test)]
mod tests;

pub(crate) use batch::listed;
pub use batch::{ItemOutcome, items};
pub use fields::clean;

use crate::account::{Call, Inputs};
use crate::document;
use crate::fill::{self, Scope, as_text};
use crate::message::HttpAnswer;
use crate::request::answers;
use manifest::outcome::{ErrorRule, Meaning, When};
use manifest::provider::AnswerFormat;
use serde_json::Value;
use std::time::Duration;

/// How a call came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It happened, now or before.
    Done {
        /// The fields of the answer that the manifest declares.
        answer: Inputs,
    },
    /// Nothing happened, and it will be no better next time.
    Permanent {
        /// The provider's code, or ours.
        code: Option<String>,
        /// What to tell a person.
        message: String,
    },
    /// Nothing happened; later it may be better.
    Transient {
        /// The provider's code.
        code: Option<String>,
        /// What to tell a person.
        message: String,
        /// How long to wait at least, where the provider says it.
        wait: Option<Duration>,
    },
    /// Nothing happened; we were too fast.
    RateLimited {
        /// The provider's code.
        code: Option<String>,
        /// What to tell a person.
        message: String,
        /// How long to wait at least; where there is none the wait grows as behind every failure.
        wait: Option<Duration>,
    },
    /// Nothing happened; the provider does not take the credential.
    Authentication {
        /// The provider's code.
        code: Option<String>,
        /// What to tell a person.
        message: String,
    },
    /// It may have happened: [`crate::call::Caller::reconcile`] tells what to do.
    UnknownEffect {
        /// The provider's code.
        code: Option<String>,
        /// What to tell a person.
        message: String,
    },
}

impl Outcome {
    /// What to tell a person, and the code that stands beside it; nothing where it was done.
    #[must_use]
    pub fn problem(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Done { .. } => None,
            Self::Permanent { code, message }
            | Self::Transient { code, message, .. }
            | Self::RateLimited { code, message, .. }
            | Self::Authentication { code, message }
            | Self::UnknownEffect { code, message } => Some((message, code.as_deref())),
        }
    }
}

/// An answer that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// How the call came out.
    pub outcome: Outcome,
    /// The whole document, for pages and look-ups: it is neither kept nor logged.
    pub document: Value,
    /// What the provider calls the request.
    pub request_id: Option<String>,
}

/// An answer with all that tests look at.
pub(crate) struct Seen<'a> {
    pub answer: &'a HttpAnswer,
    pub document: Value,
    pub code: Option<String>,
    message: Option<String>,
    is_readable: bool,
}

impl<'a> Seen<'a> {
    pub fn of(call: &Call<'_>, answer: &'a HttpAnswer) -> Self {
        let errors = &call.account.manifest.provider.errors;
        let format = answers(call);
        // A beginning is no document, but as text it says something.
        let read = match (answer.is_cut, format) {
            (false, _) | (true, AnswerFormat::Text) => document::read(format, &answer.body).ok(),
            (true, AnswerFormat::Json | AnswerFormat::Form | AnswerFormat::Xml | AnswerFormat::Rows) => None,
        };
        let is_readable = read.is_some();
        let document = read.unwrap_or(Value::Null);
        let at = |pointer| fill::first(&document, pointer).map(as_text).filter(|text| !text.is_empty());
        let code = errors.code.as_ref().and_then(at).map(|text| clean(&text));
        let message = errors.message.as_ref().and_then(at).map(|text| clean(&text));
        Self { answer, document, code, message, is_readable }
    }

    /// Whether all that a test asks holds.
    pub fn fits(&self, when: &When, scope: &dyn Scope) -> bool {
        let has_header = |(name, values): (&String, &Vec<String>)| {
            self.answer.header(name).is_some_and(|value| values.iter().any(|one| one == value.trim()))
        };
        (when.status.is_empty() || when.status.iter().any(|status| status.is(self.answer.status)))
            && (when.code.is_empty() || self.code.as_ref().is_some_and(|code| when.code.contains(code)))
            && when.header.iter().all(has_header)
            && when.body.iter().all(|test| fill::holds(test, &self.document, scope).unwrap_or(false))
    }

    fn told(&self) -> (Option<String>, String) {
        let status = format!("the provider answered with {}", self.answer.status);
        (self.code.clone(), self.message.clone().unwrap_or(status))
    }
}

/// Reads an answer.
#[must_use]
pub fn read(call: &Call<'_>, answer: &HttpAnswer) -> Answered {
    let seen = Seen::of(call, answer);
    let errors = &call.account.manifest.provider.errors;
    let request_id = errors.request_id_header.as_ref().and_then(|name| answer.header(name)).map(clean);
    let outcome = if is_good(call, &seen) { good(call, &seen) } else { bad(call, &seen) };
    Answered { outcome, document: seen.document, request_id }
}

fn is_good(call: &Call<'_>, seen: &Seen<'_>) -> bool {
    match call.operation.success_when.as_ref().or(call.account.manifest.provider.success_when.as_ref()) {
        Some(when) => seen.fits(when, call),
        None => (200..300).contains(&seen.answer.status),
    }
}

/// A good answer must hold what the manifest says that it holds: otherwise nobody knows what has happened.
fn good(call: &Call<'_>, seen: &Seen<'_>) -> Outcome {
    match fields::declared(call, seen) {
        Ok(answer) => Outcome::Done { answer },
        Err(name) => {
            let why = match (seen.answer.is_cut, seen.is_readable) {
                (true, _) => "the answer is longer than what is read of one".to_owned(),
                (false, false) => "the answer cannot be read".to_owned(),
                (false, true) => format!("the answer has no `{name}`"),
            };
            broken(call, why)
        }
    }
}

/// What it means that no usable answer came behind a request.
pub(crate) fn broken(call: &Call<'_>, message: String) -> Outcome {
    match call.operation.effect.changes() {
        true => Outcome::UnknownEffect { code: None, message },
        false => Outcome::Transient { code: None, message, wait: None },
    }
}

fn bad(call: &Call<'_>, seen: &Seen<'_>) -> Outcome {
    let provider = &call.account.manifest.provider;
    let fits = |rule: &&ErrorRule| seen.fits(&rule.when, call);
    let rule = call.operation.errors.iter().chain(&provider.errors.rules).find(fits);
    let (code, message) = seen.told();
    match rule.map_or(provider.errors.otherwise, |rule| rule.means) {
        Meaning::Permanent => Outcome::Permanent { code, message },
        Meaning::Transient => {
            let wait = wait::told(&provider.wait, seen.answer, call.now);
            Outcome::Transient { code, message, wait }
        }
        Meaning::RateLimited => {
            let wait = wait::told(&provider.wait, seen.answer, call.now).or_else(|| wait::otherwise(&provider.wait));
            Outcome::RateLimited { code, message, wait }
        }
        Meaning::Authentication => Outcome::Authentication { code, message },
        Meaning::UnknownEffect if call.operation.effect.changes() => Outcome::UnknownEffect { code, message },
        Meaning::UnknownEffect => {
            let wait = wait::told(&provider.wait, seen.answer, call.now);
            Outcome::Transient { code, message, wait }
        }
        Meaning::Done => Outcome::Done { answer: fields::found(call, seen) },
    }
}
