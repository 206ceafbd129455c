//! What providers tell us: a call comes in with the manifest's part on webhooks, events in our words go out, or the reason why it is
//! none. Every event is told apart from those before by the manifest's key; nothing is kept, sent or fetched here.

mod sender;
#[cfg(test)]
mod tests;

pub use sender::{Told as ToldBySender, hear};

use crate::account::Inputs;
use crate::document;
use crate::fill::{self, FillError, Scope, as_text};
use crate::form;
use crate::proof::Proofs;
use crate::signature::{
    Call, Refusal, verify_basic, verify_certificate, verify_digest, verify_fixed_header, verify_hmac,
    verify_public_key, verify_secret_path,
};
use jiff::Timestamp;
use manifest::kind::Kind;
use manifest::operation::Method;
use manifest::point::Remembered;
use manifest::provider::{AnswerFormat, Currencies};
use manifest::reference::Reference;
use manifest::webhook::{Handshake, Payload, ProviderEvent, Verification, Webhooks};
use manifest::{Entries, Template, Text, reference};
use serde_json::Value;
use vocab::{FieldName, Secret, sha256_hex};

/// Most events of one call.
const MAX_EVENTS: usize = 10_000;
/// Longest name of a kind that is kept, in characters.
const MAX_KIND: usize = 200;

/// What a call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// It only wanted this answer.
    Reply(Reply),
    /// Events; when they are kept, this is answered.
    Events(Vec<Heard>, Reply),
}

/// An answer as the provider wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// What the body is.
    pub media_type: Option<String>,
    /// The body.
    pub body: String,
}

/// Something that a provider has told.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Which entry of the manifest's `events` it is; none where nobody has described it, or a field is missing that must be there.
    pub entry: Option<usize>,
    /// The fields of that entry, in its order; null where one is absent.
    pub fields: Vec<(FieldName, Value)>,
    /// What is to be kept for later calls of ours: of whom or what it is (SHA-256, lower-case hex), and the value; null where there is
    /// nothing to keep. In the order of that entry's `remember`.
    pub remembered: Vec<(String, Value)>,
    /// What is the same when it comes again: SHA-256, lower-case hex.
    pub dedup: String,
    /// What the provider calls such an event.
    pub kind: String,
    /// When it happened, UTC with milliseconds.
    pub time: Option<String>,
    /// The event as it came.
    pub body: Value,
}

/// Why a call is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReceived {
    /// It is not known to be the provider's.
    #[error("it is not known to be the provider's: {0}")]
    Stranger(#[from] Refusal),
    /// Its body cannot be read.
    #[error("its body cannot be read: {0}")]
    Unreadable(String),
    /// The manifest takes no such call in.
    #[error("it is none that is taken in")]
    NotTaken,
    /// What proves it has to be brought from elsewhere, and could not be now.
    #[error("what proves it could not be brought from elsewhere")]
    Unproved,
}

impl From<FillError> for NotReceived {
    fn from(error: FillError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Reads a call. `account` stands for credentials, settings and what is known of our address there; `remembers` says of what each
/// value is that is kept; `proofs` are what was brought of what does not come with it.
///
/// # Errors
/// [`NotReceived`] with the reason.
pub fn receive(
    webhooks: &Webhooks,
    remembers: &Entries<FieldName, Remembered>,
    account: &dyn Scope,
    call: &Call<'_>,
    proofs: &Proofs,
) -> Result<Received, NotReceived> {
    let answered =
        |handshake: &Handshake| matches!(handshake, Handshake::Answers(method) if method.as_str() == call.method);
    if webhooks.handshake.iter().any(answered) {
        return Ok(Received::Reply(Reply { status: 200, media_type: None, body: String::new() }));
    }
    if call.method != Method::Post.as_str() {
        return Err(NotReceived::NotTaken);
    }
    webhooks.verify.iter().try_for_each(|way| proved(way, account, call, proofs))?;
    let document = read(&webhooks.body, call.body)?;
    let told = Told { account, call, body: &document };
    for way in &webhooks.verify {
        if let Verification::BodyHolds { at, value } = way {
            let expected = fill::text(value, &told)?.ok_or_else(|| Refusal::NoValue(value.to_string()))?;
            let said = fill::first(&document, at).map(as_text).unwrap_or_default();
            verify_secret_path(&said, &Secret::new(expected))?;
        }
    }
    for handshake in &webhooks.handshake {
        if let Handshake::Echo { when, answer } = handshake
            && all_hold(when, &document, &told)?
        {
            let body = fill::document(answer, &told)?.unwrap_or_default();
            let media_type = (!body.is_string()).then(|| "application/json".to_owned());
            return Ok(Received::Reply(Reply { status: 200, media_type, body: as_text(&body) }));
        }
    }
    if !all_hold(&webhooks.accept_when, &document, &told)? {
        return Err(NotReceived::NotTaken);
    }
    let heard: Vec<Option<Heard>> = events(webhooks, &document)?
        .iter()
        .map(|event| heard(webhooks, remembers, event, &told))
        .collect::<Result<_, _>>()?;
    let acknowledge = &webhooks.acknowledge;
    let body = acknowledge.body.as_ref().map(|body| fill::text(body, &told)).transpose()?.flatten().unwrap_or_default();
    let reply = Reply { status: acknowledge.status, media_type: acknowledge.media_type.clone(), body };
    Ok(Received::Events(heard.into_iter().flatten().collect(), reply))
}

/// Whether a call is its sender's, as far as that can be told before its body is read.
fn proved(way: &Verification, account: &dyn Scope, call: &Call<'_>, proofs: &Proofs) -> Result<(), NotReceived> {
    let early = Told { account, call, body: &Value::Null };
    let values = |text: &Text| fill::text(text, &early).ok().flatten().map(Secret::new);
    match way {
        Verification::Hmac(hmac) => verify_hmac(hmac, call, &values)?,
        Verification::Digest(digest) => verify_digest(digest, call, &values)?,
        Verification::PublicKey(key) => verify_public_key(key, call, &values)?,
        Verification::FixedHeader { name, value } => verify_fixed_header(name, value, call, &values)?,
        Verification::Basic { user, password } => verify_basic(user, password, call, &values)?,
        Verification::SecretPath(_) => secret_path(account, call)?,
        Verification::BodyHolds { .. } => {}
        Verification::Certificate(certificate) => {
            let (file, trusted) = proofs.certificate.as_ref().ok_or(NotReceived::Unproved)?;
            verify_certificate(certificate, call, &values, file, trusted)?;
        }
        Verification::Ask { .. } if !proofs.is_confirmed => return Err(NotReceived::Unproved),
        Verification::Ask { .. } => {}
    }
    Ok(())
}

/// What the provider is asked about a call with.
pub(crate) fn inputs_of(
    webhooks: &Webhooks,
    given: &Entries<FieldName, Template>,
    account: &dyn Scope,
    call: &Call<'_>,
) -> Result<Inputs, NotReceived> {
    let document = read(&webhooks.body, call.body)?;
    let told = Told { account, call, body: &document };
    let mut inputs = Inputs::new();
    for (name, template) in given.iter() {
        if let Some(value) = fill::document(template, &told)? {
            inputs.insert(name.to_string(), value);
        }
    }
    Ok(inputs)
}

fn all_hold(tests: &[manifest::outcome::BodyTest], document: &Value, told: &Told<'_>) -> Result<bool, FillError> {
    for test in tests {
        if !fill::holds(test, document, told)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The last segment of the address is what nobody can guess.
fn secret_path(account: &dyn Scope, call: &Call<'_>) -> Result<(), Refusal> {
    let secret = account.value(&Reference::Webhook(reference::WebhookValue::Secret));
    let secret = secret.ok_or_else(|| Refusal::NoValue("webhook.secret".to_owned()))?;
    let path = call.url.split(['?', '#']).next().unwrap_or_default();
    verify_secret_path(path.rsplit('/').next().unwrap_or_default(), &Secret::new(as_text(&secret)))
}

fn read(payload: &Payload, body: &[u8]) -> Result<Value, NotReceived> {
    let unreadable = |error: document::Unreadable| NotReceived::Unreadable(error.to_string());
    match payload {
        Payload::Json => document::read(AnswerFormat::Json, body).map_err(unreadable),
        Payload::Form => document::read(AnswerFormat::Form, body).map_err(unreadable),
        Payload::Xml => document::read(AnswerFormat::Xml, body).map_err(unreadable),
        Payload::FormNested => Ok(form::nested(&form::pairs(body))),
        Payload::FormJson(name) => {
            let form = document::read(AnswerFormat::Form, body).map_err(unreadable)?;
            let inner = form.get(name.as_str()).and_then(Value::as_str);
            let inner = inner.ok_or_else(|| NotReceived::Unreadable(format!("it has no `{name}`")))?;
            document::read(AnswerFormat::Json, inner.as_bytes()).map_err(unreadable)
        }
    }
}

fn events(webhooks: &Webhooks, document: &Value) -> Result<Vec<Value>, NotReceived> {
    let Some(pointer) = &webhooks.events_at else { return Ok(vec![document.clone()]) };
    let found = fill::at(document, pointer);
    let events: Vec<Value> = match &found[..] {
        [Value::Array(items)] => items.clone(),
        found => found.iter().map(|event| (*event).clone()).collect(),
    };
    if events.len() > MAX_EVENTS {
        return Err(NotReceived::Unreadable(format!("it holds more than {MAX_EVENTS} events")));
    }
    Ok(events)
}

/// The event in our words; nothing where it means nothing to us.
fn heard(
    webhooks: &Webhooks,
    remembers: &Entries<FieldName, Remembered>,
    event: &Value,
    told: &Told<'_>,
) -> Result<Option<Heard>, NotReceived> {
    let told = Told { body: event, ..*told };
    let kind: String = fill::text(&webhooks.kind, &told)?.unwrap_or_default().chars().take(MAX_KIND).collect();
    if webhooks.handshake.iter().any(|handshake| matches!(handshake, Handshake::Ping(ping) if *ping == kind)) {
        return Ok(None);
    }
    let mut key = Vec::new();
    for part in &webhooks.dedup.key {
        let part = fill::text(part, &told)?;
        key.push(part.ok_or_else(|| NotReceived::Unreadable("it does not say which event it is".to_owned()))?);
    }
    let dedup = sha256_hex(key.join("\n").as_bytes());
    let time = webhooks.time.as_ref().map(|time| fill::text(time, &told)).transpose()?.flatten();
    let time = time.and_then(|time| moment(&time));
    let mut meant = None;
    for (number, entry) in webhooks.events.iter().enumerate() {
        if entry.kinds.contains(&kind) && all_hold(&entry.when, event, &told)? {
            meant = Some((number, entry));
            break;
        }
    }
    let found = match meant {
        Some((_, entry)) if entry.emits.is_none() => return Ok(None),
        Some((number, entry)) => match fields(entry, &told)? {
            Some(fields) => Some((number, kept(entry, remembers, &fields, &told)?, fields)),
            None => None,
        },
        None => None,
    };
    let (entry, remembered, fields) =
        found.map_or((None, Vec::new(), Vec::new()), |(number, remembered, fields)| (Some(number), remembered, fields));
    Ok(Some(Heard { entry, fields, remembered, dedup, kind, time, body: event.clone() }))
}

/// A point in time as it is kept; nothing where it is none.
fn moment(text: &str) -> Option<String> {
    let time = text.parse::<Timestamp>().ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// The fields of an entry; nothing where one is missing that must be there.
fn fields(entry: &ProviderEvent, told: &Told<'_>) -> Result<Option<Vec<(FieldName, Value)>>, FillError> {
    let mut fields = Vec::new();
    for (name, given) in entry.fields.iter() {
        let mut value = fill::value(&given.value, told)?;
        if given.kind == Kind::Timestamp {
            value = value.and_then(|value| moment(value.as_str()?)).map(Value::String);
        }
        if value.is_none() && given.required {
            return Ok(None);
        }
        fields.push((name.clone(), value.unwrap_or_default()));
    }
    Ok(Some(fields))
}

/// What is to be kept of it.
fn kept(
    entry: &ProviderEvent,
    remembers: &Entries<FieldName, Remembered>,
    fields: &[(FieldName, Value)],
    told: &Told<'_>,
) -> Result<Vec<(String, Value)>, FillError> {
    let kept = entry.remember.iter().map(|(name, text)| {
        let of = remembers.get(name.as_str()).map(|known| &known.of);
        let whose = of.and_then(|of| fields.iter().find(|(field, value)| field == of && !value.is_null()));
        let value = fill::value(text, told)?.filter(|_| whose.is_some());
        let whose = whose.map(|(_, whose)| sha256_hex(as_text(whose).as_bytes()));
        Ok((whose.unwrap_or_default(), value.unwrap_or_default()))
    });
    kept.collect()
}

/// What names stand for in a call.
#[derive(Clone, Copy)]
struct Told<'t> {
    account: &'t dyn Scope,
    call: &'t Call<'t>,
    body: &'t Value,
}

impl Scope for Told<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Body(pointer) => fill::first(self.body, pointer).cloned(),
            Reference::Header(name) => {
                let found = self.call.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| Value::String(value.clone()))
            }
            _ => self.account.value(name),
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.account.currencies()
    }
}
