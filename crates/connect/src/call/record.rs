//! What is written down of an attempt: request and answer come in, what may be kept of them goes out. Of a value that says something about a
//! person its hash is kept, of a secret nothing; of an answer only the fields that the manifest declares, the code and the message. What
//! a provider repeats of a request in its words is taken out of them.

use crate::account::{Call, Hidden, Rendered};
use crate::answer::{Answered, ItemOutcome, Outcome};
use crate::encode::percent;
use crate::message::HttpAnswer;
use crate::request::{HIDDEN, hash};
use manifest::kind::Privacy;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use vocab::Secret;

/// Most bytes of a body, and of an address or a header, that are written down.
const MAX_BODY: usize = 8 * 1024;
const MAX_LINE: usize = 2 * 1024;

/// What is written down of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The method; empty where nothing was sent.
    pub method: String,
    /// The address.
    pub url: String,
    /// The request's headers.
    pub request_headers: Vec<(String, String)>,
    /// The request's body.
    pub request_body: String,
    /// The answer's status; none where none came.
    pub status: Option<u16>,
    /// The answer's headers, those that say something.
    pub answer_headers: Vec<(String, String)>,
    /// The declared fields of the answer, or code and message, as JSON.
    pub answer_body: String,
    /// How long it took.
    pub duration_ms: u64,
    /// What the provider calls the request.
    pub request_id: Option<String>,
}

/// Writes an attempt down.
pub(super) struct Recorder {
    record: AttemptRecord,
    hides: Vec<Hidden>,
}

impl Recorder {
    pub fn new(call: &Call<'_>, rendered: &Rendered, took: Duration) -> Self {
        let shown = &rendered.shown;
        let mut hides = rendered.hides.clone();
        hides.extend(secrets(call));
        let encoded: Vec<Hidden> = hides.iter().flat_map(as_encoded).collect();
        hides.extend(encoded);
        // The longest first, so that no part of a value is left where a shorter one stands in it.
        hides.sort_by_key(|hidden| std::cmp::Reverse(hidden.value.expose().len()));
        let line = |(name, value): &(String, String)| (name.clone(), cut(value, MAX_LINE));
        let record = AttemptRecord {
            method: shown.method.as_str().to_owned(),
            url: cut(&shown.url, MAX_LINE),
            request_headers: shown.headers.iter().map(line).collect(),
            request_body: cut(&String::from_utf8_lossy(&shown.body), MAX_BODY),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            ..AttemptRecord::default()
        };
        Self { record, hides }
    }

    pub fn answered(&mut self, call: &Call<'_>, answer: &HttpAnswer, read: &Answered) {
        self.record.status = Some(answer.status);
        self.record.request_id.clone_from(&read.request_id);
        let tells = |(name, _): &&(String, String)| telling_headers(call).any(|known| known.eq_ignore_ascii_case(name));
        let headers = answer.headers.iter().filter(tells);
        self.record.answer_headers =
            headers.map(|(name, value)| (name.clone(), cut(&self.scrubbed(value), MAX_LINE))).collect();
        let body = match &read.outcome {
            Outcome::Done { answer } => shown_fields(call, answer),
            Outcome::Permanent { code, message }
            | Outcome::Transient { code, message, .. }
            | Outcome::RateLimited { code, message, .. }
            | Outcome::Authentication { code, message }
            | Outcome::UnknownEffect { code, message } => {
                let code = code.as_ref().map(|code| self.scrubbed(code));
                json!({ "code": code, "message": self.scrubbed(message) })
            }
        };
        self.record.answer_body = cut(&body.to_string(), MAX_BODY);
    }

    /// A provider's words without what they repeat of the request.
    fn scrubbed(&self, text: &str) -> String {
        self.hides
            .iter()
            .fold(text.to_owned(), |text, hidden| replaced(&text, hidden.value.expose(), &hidden.stands_for))
    }

    pub fn scrubbed_outcome(&self, outcome: Outcome) -> Outcome {
        let all =
            |code: Option<String>, message: String| (code.map(|code| self.scrubbed(&code)), self.scrubbed(&message));
        match outcome {
            Outcome::Done { answer } => Outcome::Done { answer },
            Outcome::Permanent { code, message } => {
                let (code, message) = all(code, message);
                Outcome::Permanent { code, message }
            }
            Outcome::Transient { code, message, wait } => {
                let (code, message) = all(code, message);
                Outcome::Transient { code, message, wait }
            }
            Outcome::RateLimited { code, message, wait } => {
                let (code, message) = all(code, message);
                Outcome::RateLimited { code, message, wait }
            }
            Outcome::Authentication { code, message } => {
                let (code, message) = all(code, message);
                Outcome::Authentication { code, message }
            }
            Outcome::UnknownEffect { code, message } => {
                let (code, message) = all(code, message);
                Outcome::UnknownEffect { code, message }
            }
        }
    }

    pub fn scrubbed_items(&self, items: Vec<ItemOutcome>) -> Vec<ItemOutcome> {
        let words = |text: Option<String>| text.map(|text| self.scrubbed(&text));
        let one = |item| match item {
            ItemOutcome::Done => ItemOutcome::Done,
            ItemOutcome::Failed { code, message } => ItemOutcome::Failed { code: words(code), message: words(message) },
        };
        items.into_iter().map(one).collect()
    }

    pub fn record(self) -> AttemptRecord {
        self.record
    }
}

/// A value as it stands in addresses, forms and JSON: a provider may repeat those as they came.
fn as_encoded(hidden: &Hidden) -> impl Iterator<Item = Hidden> {
    let value = hidden.value.expose();
    let json = json!(value).to_string();
    let forms = [percent(value), percent(value).replace("%20", "+"), json[1..json.len() - 1].to_owned()];
    let differs = |text: &String| text != hidden.value.expose();
    let written = |text| Hidden { value: Secret::new(text), stands_for: hidden.stands_for.clone() };
    forms.into_iter().filter(differs).map(written)
}

/// What of the account opens something.
fn secrets(call: &Call<'_>) -> impl Iterator<Item = Hidden> {
    let account = call.account;
    let is_secret = |name: &str| account.manifest.provider.credentials.get(name).is_some_and(|known| known.secret);
    let given = account.values.iter().filter(move |(name, _)| is_secret(name.as_str())).map(|(_, value)| value);
    let token = call.token.into_iter().flat_map(|token| std::iter::once(&token.access).chain(&token.refresh));
    let hidden = |value: &Secret<String>| Hidden { value: value.clone(), stands_for: HIDDEN.to_owned() };
    given.chain(token).chain(&account.webhook.secret).map(hidden)
}

/// Headers of an answer that say something and nothing about a person.
fn telling_headers<'c>(call: &'c Call<'_>) -> impl Iterator<Item = &'c str> {
    let provider = &call.account.manifest.provider;
    let of_answer = call.operation.answer.iter().filter(|(_, field)| field.privacy == Privacy::Plain);
    std::iter::once("Content-Type")
        .chain(provider.errors.request_id_header.as_deref())
        .chain(provider.wait.headers.iter().map(|header| header.name.as_str()))
        .chain(provider.drift.version_header.as_deref())
        .chain(provider.drift.ending_headers.iter().map(String::as_str))
        .chain(of_answer.filter_map(|(_, field)| field.header.as_deref()))
}

fn shown_fields(call: &Call<'_>, answer: &Map<String, Value>) -> Value {
    let shown = |(name, value): (&String, &Value)| {
        let privacy = call.operation.answer.get(name).map_or(Privacy::Secret, |field| field.privacy);
        let shown = match privacy {
            Privacy::Plain => value.clone(),
            Privacy::Personal => Value::String(hash(value)),
            Privacy::Secret => Value::String(HIDDEN.to_owned()),
            Privacy::Card => return None,
        };
        Some((name.clone(), shown))
    };
    Value::Object(answer.iter().filter_map(shown).collect())
}

/// Replaces a value wherever it stands, in capital or small letters. ASCII alone is compared without regard to case: that never moves a byte.
fn replaced(text: &str, value: &str, by: &str) -> String {
    if value.is_empty() {
        return text.to_owned();
    }
    let (lower, wanted) = (text.to_ascii_lowercase(), value.to_ascii_lowercase());
    let mut left = 0;
    let mut clean = String::with_capacity(text.len());
    while let Some(found) = lower[left..].find(&wanted) {
        clean.push_str(&text[left..left + found]);
        clean.push_str(by);
        left += found + wanted.len();
    }
    clean.push_str(&text[left..]);
    clean
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= most).last().unwrap_or_default();
    format!("{} ... ({} bytes in all)", &text[..end], text.len())
}
