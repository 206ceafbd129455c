//! The fields of an answer that a manifest declares, each as what it is declared to be. The rest of the answer stays here.

use super::Seen;
use crate::account::{Call, Inputs};
use crate::fill::{self, as_text};
use manifest::kind::Kind;
use manifest::operation::Answered;
use manifest::pointer::PathStep;
use serde_json::Value;

/// Longest text of a provider that is shown to a person.
const MAX_SHOWN: usize = 500;

/// The declared fields, or the name of the first that is required and not there.
pub(super) fn declared(call: &Call<'_>, seen: &Seen<'_>) -> Result<Inputs, String> {
    let answer = found(call, seen);
    let is_missing = |name: &str| !answer.contains_key(name);
    let missing = call.operation.answer.iter().find(|(name, field)| field.required && is_missing(name.as_str()));
    match missing {
        Some((name, _)) => Err(name.as_str().to_owned()),
        None => Ok(answer),
    }
}

/// The declared fields that are there.
pub(super) fn found(call: &Call<'_>, seen: &Seen<'_>) -> Inputs {
    let fields = call.operation.answer.iter();
    fields.filter_map(|(name, field)| Some((name.as_str().to_owned(), one(field, seen)?))).collect()
}

fn one(field: &Answered, seen: &Seen<'_>) -> Option<Value> {
    let value = match (&field.at, &field.header) {
        (Some(pointer), _) if pointer.steps().contains(&PathStep::Each) && field.kind == Kind::List => {
            Value::Array(fill::at(&seen.document, pointer).into_iter().cloned().collect())
        }
        (Some(pointer), _) => fill::first(&seen.document, pointer)?.clone(),
        (None, Some(name)) => Value::String(seen.answer.header(name)?.to_owned()),
        (None, None) => return None,
    };
    as_kind(value, field.kind)
}

/// A value as the kind that it is declared to be. Forms, headers and XML know text alone, and some providers write numbers as text.
fn as_kind(value: Value, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Json => Some(value),
        Kind::List => match value {
            Value::Array(_) => Some(value),
            // One element of XML is no list yet.
            one => Some(Value::Array(vec![one])),
        },
        Kind::Integer => as_text(&value).parse::<i64>().ok().map(Value::from),
        Kind::Boolean => as_text(&value).parse::<bool>().ok().map(Value::from),
        Kind::Decimal
        | Kind::Text
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::Uuid
        | Kind::Currency
        | Kind::Country
        | Kind::Date
        | Kind::Timestamp => match value {
            Value::Array(_) | Value::Object(_) | Value::Null => None,
            one => Some(Value::String(as_text(&one))),
        },
    }
}

/// A provider's words as a person may be shown them: one line, not too long.
#[must_use]
pub fn clean(text: &str) -> String {
    let line: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(MAX_SHOWN).collect();
    line.trim().to_owned()
}
