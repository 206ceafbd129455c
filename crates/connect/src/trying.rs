//! A manifest is tried at the provider itself: an account for tests comes in with what may be tried, how each operation came out goes out,
//! in the provider's own words. What changes something is sent twice under one key and must happen once; what was made is taken back.

#[cfg(test)]
mod tests;

use crate::account::{Account, Delivery, Inputs};
use crate::answer::Outcome;
use crate::call::{Asked, Caller};
use crate::fill::{self, Scope, as_text};
use jiff::Timestamp;
use manifest::cases::{Try, Undo};
use manifest::kind::Privacy;
use manifest::operation::{Effect, Idempotency, Operation};
use manifest::provider::Currencies;
use manifest::reference::{DeliveryValue, Reference};
use manifest::{Entries, Template};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;
use vocab::{FieldName, sha256_hex};

/// How often a call is made that the provider asks to wait for, and how long each time at most.
const MAX_CALLS: usize = 3;
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How long it is waited where the provider does not say it.
const WAIT: Duration = Duration::from_secs(1);

/// How something came out that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// As the manifest says.
    AsSaid,
    /// Otherwise.
    Otherwise,
    /// It was not tried.
    Untried,
}

/// An operation that was tried, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The operation; none where the credential alone was tried.
    pub operation: Option<FieldName>,
    /// How it came out.
    pub came: Came,
    /// What there is to say about it.
    pub detail: String,
}

/// Tries the credential first, then each operation. Where `untouched` says why, nothing is changed at the account.
pub async fn try_at(caller: &Caller, account: &Account, tries: &[Try], untouched: Option<&str>) -> Vec<Tried> {
    let mut way = Way {
        caller,
        account,
        id: format!("try-{}", Uuid::now_v7()),
        time: Timestamp::now(),
        answers: BTreeMap::new(),
        takes_back: Vec::new(),
        told: Vec::new(),
    };
    let opens = way.credential().await;
    if opens {
        for (number, one) in tries.iter().enumerate() {
            way.one(number, one, untouched).await;
        }
        way.take_back().await;
    }
    for (name, operation) in account.manifest.operations.iter() {
        if !way.told.iter().any(|told| told.operation.as_ref() == Some(name)) {
            let why = match operation.effect {
                _ if !opens => "the credential has led nowhere",
                Effect::Link => "nothing is sent by it",
                Effect::Read | Effect::Write | Effect::Delete => "the manifest does not say how to try it without harm",
            };
            way.told(name, Came::Untried, why.to_owned());
        }
    }
    way.told
}

/// Something that is taken back at the end.
struct TakenBack<'m> {
    undo: &'m Undo,
    of: &'m FieldName,
    /// What was made.
    made: Inputs,
    delivery: Delivery,
}

/// A manifest on its way through.
struct Way<'m> {
    caller: &'m Caller,
    account: &'m Account,
    id: String,
    time: Timestamp,
    answers: BTreeMap<String, Inputs>,
    takes_back: Vec<TakenBack<'m>>,
    told: Vec<Tried>,
}

impl<'m> Way<'m> {
    fn told(&mut self, operation: &FieldName, came: Came, detail: String) {
        self.told.push(Tried { operation: Some(operation.clone()), came, detail });
    }

    /// Whether the credential opens anything.
    async fn credential(&mut self) -> bool {
        let (came, detail) = match self.caller.check(self.account).await {
            Some(Outcome::Done { .. }) => (Came::AsSaid, "the credential is taken".to_owned()),
            Some(other @ Outcome::Authentication { .. }) => {
                (Came::Otherwise, format!("the credential is not taken: {}", words(&other)))
            }
            Some(other) => (Came::Otherwise, format!("the provider cannot be asked: {}", words(&other))),
            None => (Came::Untried, "the credential cannot be tried by itself".to_owned()),
        };
        self.told.push(Tried { operation: None, came, detail });
        came != Came::Otherwise
    }

    /// The operation with its name, where what it is given is there.
    fn inputs(&self, given: &Entries<FieldName, Template>, scope: &dyn Scope) -> Result<Inputs, String> {
        let mut inputs = Inputs::new();
        for (name, template) in given.iter() {
            match fill::document(template, scope) {
                Ok(Some(value)) => drop(inputs.insert(name.to_string(), value)),
                Ok(None) => return Err(format!("there is no `{name}` to give it: what brings it did not come")),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(inputs)
    }

    async fn one(&mut self, number: usize, one: &'m Try, untouched: Option<&str>) {
        let name = &one.operation;
        let account = self.account;
        let Some(operation) = account.manifest.operations.get(name.as_str()) else { return };
        if let Some(why) = untouched.filter(|_| operation.effect.changes()) {
            return self.told(name, Came::Untried, why.to_owned());
        }
        let delivery = self.delivery(number, operation);
        let inputs = match self.inputs(&one.input, &OfTry { way: self, delivery: &delivery, made: None }) {
            Ok(inputs) => inputs,
            Err(why) => return self.told(name, Came::Untried, why),
        };
        let first = match self.call(name, &inputs, &delivery).await {
            Outcome::Done { answer } => answer,
            other => return self.told(name, Came::Otherwise, words(&other)),
        };
        let mut made = vec![first.clone()];
        let (came, mut detail) = match differs(operation, &one.answer, &first) {
            Some(detail) => (Came::Otherwise, detail),
            None if operation.effect.changes() => self.again(name, operation, &inputs, &delivery, &mut made).await,
            None => (Came::AsSaid, "read".to_owned()),
        };
        if let Some(stays) = &one.stays {
            detail.push_str("; it stays there: ");
            detail.push_str(stays);
        }
        self.answers.insert(name.to_string(), first);
        if let Some(undo) = &one.undo {
            self.takes_back.extend(made.into_iter().map(|made| TakenBack {
                undo,
                of: name,
                made,
                delivery: Delivery { key: format!("{}-back", delivery.key), ..delivery.clone() },
            }));
        }
        self.told(name, came, detail);
    }

    /// Sends it again as it was sent: it must come to the same. What it has made besides is added to `made`.
    async fn again(
        &mut self,
        name: &FieldName,
        operation: &Operation,
        inputs: &Inputs,
        delivery: &Delivery,
        made: &mut Vec<Inputs>,
    ) -> (Came, String) {
        let by_key = match &operation.idempotency {
            Some(Idempotency::Key { .. }) => true,
            Some(Idempotency::Natural(_)) => false,
            Some(Idempotency::None(why)) => return (Came::AsSaid, format!("sent once, as nothing tells twice: {why}")),
            None => return (Came::AsSaid, "sent once".to_owned()),
        };
        match self.call(name, inputs, delivery).await {
            Outcome::Done { answer } if by_key => match other_than(operation, &made[0], &answer) {
                Some(other) => {
                    made.push(answer);
                    (Came::Otherwise, format!("sent twice under one key, it was done twice: {other}"))
                }
                None if answer.is_empty() => (Came::AsSaid, "sent twice under one key, and taken".to_owned()),
                None => (Came::AsSaid, "sent twice under one key, done once".to_owned()),
            },
            Outcome::Done { .. } => (Came::AsSaid, "sent twice, and it came to the same".to_owned()),
            other => (Came::Otherwise, format!("sent again as it was: {}", words(&other))),
        }
    }

    /// What was made last goes first.
    async fn take_back(&mut self) {
        while let Some(back) = self.takes_back.pop() {
            let account = self.account;
            let name = &back.undo.operation;
            let Some(operation) = account.manifest.operations.get(name.as_str()) else { continue };
            let scope = OfTry { way: self, delivery: &back.delivery, made: Some((back.of, &back.made)) };
            let inputs = self.inputs(&back.undo.input, &scope);
            let outcome = match inputs {
                Ok(inputs) => match self.call(name, &inputs, &back.delivery).await {
                    Outcome::Done { answer } => {
                        Ok(self.again(name, operation, &inputs, &back.delivery, &mut vec![answer]).await)
                    }
                    other => Err(words(&other)),
                },
                Err(why) => Err(why),
            };
            let (came, detail) = match outcome {
                Ok((came, detail)) => (came, format!("takes back `{}`: {detail}", back.of)),
                Err(why) => {
                    let made = shown(account.manifest.operations.get(back.of.as_str()), &back.made);
                    (Came::Otherwise, format!("`{}` is not taken back ({made}): {why}", back.of))
                }
            };
            self.told(name, came, detail);
        }
    }

    async fn call(&self, operation: &FieldName, inputs: &Inputs, delivery: &Delivery) -> Outcome {
        let asked = Asked { account: self.account, operation, inputs, delivery: Some(delivery) };
        let mut calls = 1;
        loop {
            match self.caller.call(&asked).await.outcome {
                Outcome::RateLimited { wait, .. } if calls < MAX_CALLS => {
                    tokio::time::sleep(wait.unwrap_or(WAIT).min(MAX_WAIT)).await;
                    calls += 1;
                }
                other => return other,
            }
        }
    }

    fn delivery(&self, number: usize, operation: &Operation) -> Delivery {
        let id = format!("{}-{number}", self.id);
        let most = match &operation.idempotency {
            Some(Idempotency::Key { max_length, .. }) => *max_length as usize,
            Some(Idempotency::Natural(_) | Idempotency::None(_)) | None => usize::MAX,
        };
        let key = if id.len() <= most { id.clone() } else { sha256_hex(id.as_bytes()).chars().take(most).collect() };
        Delivery { id, key, time: self.time }
    }
}

/// What the provider says instead of yes.
fn words(outcome: &Outcome) -> String {
    match outcome.problem() {
        None => String::new(),
        Some((message, Some(code))) if !message.contains(code) => format!("{message} ({code})"),
        Some((message, _)) => message.to_owned(),
    }
}

/// What an answer does not say that it must say.
fn differs(operation: &Operation, wanted: &Entries<FieldName, Template>, answer: &Inputs) -> Option<String> {
    wanted.iter().find_map(|(name, template)| {
        let wanted = fill::document(template, &NothingKnown).ok().flatten().unwrap_or_default();
        let found = answer.get(name.as_str()).cloned().unwrap_or_default();
        let (found, wanted) = (as_text(&found), as_text(&wanted));
        let found_shown = if is_plain(operation, name.as_str()) { found.as_str() } else { "another" };
        (found != wanted).then(|| format!("`{name}` is `{found_shown}` instead of `{wanted}`"))
    })
}

/// The first field in which a second answer is another than the first.
fn other_than(operation: &Operation, first: &Inputs, second: &Inputs) -> Option<String> {
    let (name, _) = first.iter().find(|(name, value)| second.get(*name) != Some(*value))?;
    let of = |answer: &Inputs| answer.get(name).map(as_text).unwrap_or_default();
    Some(match is_plain(operation, name) {
        true => format!("`{name}` is `{}`, then `{}`", of(first), of(second)),
        false => format!("`{name}` is another one the second time"),
    })
}

/// What a person needs to find it there.
fn shown(operation: Option<&Operation>, made: &Inputs) -> String {
    let is_shown = |name: &&String| operation.is_some_and(|operation| is_plain(operation, name));
    let fields = made.keys().filter(is_shown).map(|name| format!("{name}: {}", as_text(&made[name])));
    fields.collect::<Vec<_>>().join(", ")
}

fn is_plain(operation: &Operation, field: &str) -> bool {
    operation.answer.get(field).is_some_and(|field| field.privacy == Privacy::Plain)
}

/// What answers must say stands there as it is.
struct NothingKnown;

impl Scope for NothingKnown {
    fn value(&self, _: &Reference) -> Option<Value> {
        None
    }
}

/// What names stand for where something is tried.
struct OfTry<'w> {
    way: &'w Way<'w>,
    delivery: &'w Delivery,
    /// What is taken back, of which operation.
    made: Option<(&'w FieldName, &'w Inputs)>,
}

impl Scope for OfTry<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Answer(step, field) => match self.made {
                Some((of, made)) if of == step => made.get(field.as_str()).cloned(),
                Some(_) | None => self.way.answers.get(step.as_str())?.get(field.as_str()).cloned(),
            },
            Reference::Delivery(DeliveryValue::Id) => Some(Value::String(self.delivery.id.clone())),
            Reference::Delivery(DeliveryValue::Key) => Some(Value::String(self.delivery.key.clone())),
            Reference::Delivery(DeliveryValue::Time) => Some(Value::String(self.delivery.time.to_string())),
            _ => self.way.account.value(name),
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.way.account.manifest.provider.currencies.as_ref()
    }
}
