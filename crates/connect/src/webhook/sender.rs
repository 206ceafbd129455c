//! Calls of any sender whose proof an endpoint declares: a call comes in, what it tells goes out, or the reason why it is none. Every secret
//! that it may be made with is tried; nothing is kept or sent here.

use super::{MAX_KIND, NotReceived, proved};
use crate::fill::{self, Scope, as_text};
use crate::proof::Proofs;
use crate::signature::{Call, Refusal};
use manifest::webhook::Source;
use plan::Hearing;
use serde_json::{Map, Value};
use vocab::sha256_hex;

/// What a call tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What is the same when it comes again: SHA-256 of the path and the sender's id, lower-case hex.
    pub dedup: String,
    /// Its type; empty where nothing says it.
    pub kind: String,
    /// The fields that stand in it, as far as they do: not checked yet.
    pub fields: Value,
}

/// Reads a call; nothing where it is of a type that is not taken. `account` stands for the secrets.
///
/// # Errors
/// [`NotReceived`] with the reason.
pub fn hear(hearing: &Hearing, account: &dyn Scope, path: &str, call: &Call<'_>) -> Result<Option<Told>, NotReceived> {
    // Every one is tried, so that the time taken does not tell which was right.
    let mut tried: Vec<Result<(), NotReceived>> = Vec::with_capacity(hearing.proofs.len());
    tried.extend(hearing.proofs.iter().map(|proof| proved(&proof.way, account, call, &Proofs::default())));
    if !tried.iter().any(Result::is_ok) {
        return Err(tried.into_iter().find_map(Result::err).unwrap_or(NotReceived::Stranger(Refusal::Wrong)));
    }
    let unreadable = |_| NotReceived::Unreadable("it is no JSON".to_owned());
    let body: Value = serde_json::from_slice(call.body).map_err(unreadable)?;
    if !body.is_object() && !body.is_array() {
        return Err(NotReceived::Unreadable("it is no object".to_owned()));
    }
    let found = |source: &Source| found(source, call, &body);
    let text = |source: &Source| found(source).map(|value| as_text(&value)).filter(|text| !text.is_empty());
    let kind: String = hearing.kind.as_ref().and_then(text).unwrap_or_default().chars().take(MAX_KIND).collect();
    if !hearing.accepts.is_empty() && !hearing.accepts.contains(&kind) {
        return Ok(None);
    }
    let dedup = match &hearing.id {
        Some(source) => {
            let id = text(source);
            let id = id.ok_or_else(|| NotReceived::Unreadable("it does not say which event it is".to_owned()))?;
            sha256_hex(format!("{path}\n{id}").as_bytes())
        }
        None => sha256_hex(&[path.as_bytes(), b"\n", call.body].concat()),
    };
    let fields = hearing.fields.iter().filter_map(|(name, source)| Some((name.to_string(), found(source)?)));
    let fields = Value::Object(fields.collect::<Map<_, _>>());
    Ok(Some(Told { dedup, kind, fields }))
}

fn found(source: &Source, call: &Call<'_>, body: &Value) -> Option<Value> {
    match source {
        Source::Body(pointer) => fill::first(body, pointer).cloned(),
        Source::Header(name) => {
            let found = call.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| Value::String(value.clone()))
        }
        Source::Says(text) => Some(Value::String(text.clone())),
    }
}
