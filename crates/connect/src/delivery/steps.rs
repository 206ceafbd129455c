//! A delivery carried by a provider's manifest: the event comes in with what earlier attempts have left, the calls of its point are made
//! one after the other, and what came of them goes out. What may have happened is settled before anything is sent again.

use super::dispatcher::{Carried, Outcome};
use super::moment::{from_text, happened_at};
use super::worker::{Carrier, Carrying, Hold};
use crate::account::{Account, Delivery, Inputs};
use crate::answer::{self, ItemOutcome};
use crate::call::{Asked, AttemptRecord, Called, Caller, Reconciled};
use crate::fill::{self, FillError, Scope, as_text};
use jiff::Timestamp;
use manifest::kind::Privacy;
use manifest::outcome::Retry;
use manifest::point::{Call, Calls, Point};
use manifest::provider::Currencies;
use manifest::reference::{DeliveryValue, Reference};
use plan::service::ServicePoint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Remembered, Routes};
use store::{Store, StoreError};
use uuid::Uuid;
use vocab::{EventName, sha256_hex};

/// A service that is told of events.
#[derive(Debug, Clone)]
pub struct Told {
    /// The account. Its name is that of the integration.
    pub account: Account,
    /// The events that the task asks for, and the points that answer them.
    pub points: Vec<ServicePoint>,
    /// The lower ones go first.
    pub priority: i64,
    /// Since when the service is integrated, in milliseconds since 1970: what happened before does not concern it.
    pub since_ms: i64,
}

/// The services of a database, and the events that are also more general ones.
#[derive(Debug, Clone, Default)]
pub struct Services {
    told: BTreeMap<String, Told>,
    also: BTreeMap<String, Vec<EventName>>,
    /// By event, the services that do something at it: there may be many services, and each event is asked for.
    listening: BTreeMap<String, Vec<String>>,
}

impl Services {
    /// Services, each under the name of its account.
    #[must_use]
    pub fn new(told: impl IntoIterator<Item = Told>, also: BTreeMap<EventName, Vec<EventName>>) -> Self {
        let mut services = Self {
            told: told.into_iter().map(|told| (told.account.name.clone(), told)).collect(),
            also: also.into_iter().map(|(event, also)| (event.to_string(), also)).collect(),
            listening: BTreeMap::new(),
        };
        let asked = services.told.values().flat_map(|told| &told.points).map(|point| point.event.to_string());
        let events: BTreeSet<String> = asked.chain(services.also.keys().cloned()).collect();
        for event in events {
            let listening = services.told.iter().filter(|(_, told)| services.calls(told, &event).is_some());
            let listening: Vec<String> = listening.map(|(name, _)| name.clone()).collect();
            services.listening.insert(event, listening);
        }
        services
    }

    /// The services that do something at an event, and what.
    fn listening<'s>(&'s self, event: &'s str) -> impl Iterator<Item = (&'s Told, &'s Calls)> {
        let names = self.listening.get(event).into_iter().flatten();
        let told = names.filter_map(|name| self.told.get(name));
        told.filter_map(move |told| Some((told, self.calls(told, event)?)))
    }

    /// What a service does at an event: under its own name, else under a more general one.
    fn calls<'s>(&'s self, told: &'s Told, event: &str) -> Option<&'s Calls> {
        let also = self.also.get(event).map_or(&[][..], Vec::as_slice);
        let names = std::iter::once(event).chain(also.iter().map(EventName::as_str));
        let mut points = names.filter_map(|name| told.points.iter().find(|point| point.event.as_str() == name));
        let answered = points.next()?.answered_by.as_ref()?;
        match told.account.manifest.points.points.get(answered.as_str())? {
            Point::Calls(calls) => Some(calls),
            Point::Nothing(_) | Point::InBrowser(_) => None,
        }
    }
}

impl Routes for Services {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let payload: Map<String, Value> = serde_json::from_str(&event.payload).unwrap_or_default();
        let is_there = |name: &str| payload.get(name).is_some_and(|value| !value.is_null());
        let happened_ms = from_text(&event.occurred_at).unwrap_or(i64::MAX);
        let made = |(told, calls): (&Told, &Calls)| {
            if happened_ms < told.since_ms {
                return None;
            }
            let has_all = calls.takes.iter().all(|(name, taken)| !taken.required || is_there(name.as_str()));
            if !has_all {
                return None;
            }
            let scope = OfEvent { account: &told.account, payload: &payload };
            let order = calls.in_order_of.as_ref().and_then(|text| fill::text(text, &scope).ok().flatten());
            Some(NewDelivery {
                id: self.new_id(),
                integration: told.account.name.clone(),
                provider: told.account.manifest.provider.provider.to_string(),
                priority: told.priority,
                order_key: order.map(|text| sha256_hex(text.as_bytes())),
                due_at: None,
            })
        };
        self.listening(&event.name).filter_map(made).collect()
    }

    fn new_id(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

/// Carries deliveries by calls of providers.
pub struct Steps {
    services: Arc<Services>,
    caller: Caller,
    store: Store,
}

impl Steps {
    /// Carries the deliveries of a database to its services.
    #[must_use]
    pub fn new(services: Arc<Services>, caller: Caller, store: Store) -> Self {
        Self { services, caller, store }
    }

    async fn steps(&self, delivery: &Leased, hold: &Hold) -> Carried {
        let Some(told) = self.services.told.get(&delivery.integration) else {
            return Carried::failed(Outcome::Transient, "this server does not know the integration");
        };
        let Some(calls) = self.services.calls(told, &delivery.event) else {
            return Carried::failed(Outcome::Permanent, "nothing is done at this event any more");
        };
        let Ok(payload) = serde_json::from_str::<Map<String, Value>>(&delivery.payload) else {
            return Carried::failed(Outcome::Permanent, "what is known of the event cannot be read");
        };
        let remembered = match self.remembered(told, &payload).await {
            Ok(remembered) => remembered,
            Err(error) => {
                return Carried::failed(Outcome::Transient, &format!("what is remembered was not read: {error}"));
            }
        };
        let mut way = Way {
            told,
            caller: &self.caller,
            payload,
            remembered,
            progress: delivery.progress.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
            in_doubt: delivery.in_doubt,
            records: Vec::new(),
            keeps: Vec::new(),
            retry: None,
            delivery,
        };
        for (number, call) in calls.steps.iter().enumerate() {
            if let Err(carried) = way.step(number, call).await {
                return *carried;
            }
            let is_last = number + 1 == calls.steps.len();
            if !is_last && !way.keeps.is_empty() | way.progress.answers.contains_key(call.step().as_str()) {
                let keeps = std::mem::take(&mut way.keeps);
                if hold.save(way.kept(), keeps).await.is_err() {
                    return way.carried(Outcome::Interrupted, None, None);
                }
            }
        }
        way.carried(Outcome::Delivered, None, None)
    }

    /// What was kept of earlier events of the same person or thing.
    async fn remembered(
        &self,
        told: &Told,
        payload: &Map<String, Value>,
    ) -> Result<BTreeMap<String, Value>, StoreError> {
        let mut found = BTreeMap::new();
        for (name, known) in told.account.manifest.points.remembers.iter() {
            let Some(of) = payload.get(known.of.as_str()).filter(|value| !value.is_null()) else { continue };
            let whose = sha256_hex(as_text(of).as_bytes());
            if let Some(value) = self.store.remembered(&told.account.name, name.as_str(), &whose).await? {
                found.insert(name.to_string(), serde_json::from_str(&value).unwrap_or(Value::String(value)));
            }
        }
        Ok(found)
    }
}

impl Carrier for Steps {
    fn carry<'a>(&'a self, delivery: &'a Leased, hold: &'a Hold) -> Carrying<'a> {
        Box::pin(self.steps(delivery, hold))
    }
}

/// What earlier steps and attempts have left.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// The answers of the steps that are done.
    #[serde(default)]
    answers: BTreeMap<String, Inputs>,
}

/// The answers of the steps that a delivery has kept.
pub(super) fn answers(progress: Option<&str>) -> BTreeMap<String, Inputs> {
    progress.and_then(|text| serde_json::from_str::<Progress>(text).ok()).unwrap_or_default().answers
}

/// One delivery on its way.
struct Way<'w> {
    told: &'w Told,
    caller: &'w Caller,
    delivery: &'w Leased,
    payload: Map<String, Value>,
    remembered: BTreeMap<String, Value>,
    progress: Progress,
    in_doubt: bool,
    records: Vec<AttemptRecord>,
    keeps: Vec<Remembered>,
    /// How the call that is made is tried again, where the manifest says it.
    retry: Option<Retry>,
}

impl Way<'_> {
    /// Makes a call unless it was made, or is to be left out.
    async fn step(&mut self, number: usize, call: &Call) -> Result<(), Box<Carried>> {
        if self.progress.answers.contains_key(call.step().as_str()) {
            return Ok(());
        }
        // Providers are told whole seconds.
        let time = Timestamp::from_second(happened_at(&self.delivery.event_id).as_second()).unwrap_or_default();
        let delivery = Delivery { id: self.delivery.id.clone(), key: self.key(number, call), time };
        let inputs = self.inputs(call, &delivery).map_err(|error| Box::new(self.refused(&error)))?;
        let Some(inputs) = inputs else { return Ok(()) };
        let operation = self.told.account.manifest.operations.get(call.operation.as_str());
        self.retry = operation.and_then(|operation| operation.retry.clone());
        let asked = Asked {
            account: &self.told.account,
            operation: &call.operation,
            inputs: &inputs,
            delivery: Some(&delivery),
        };
        if self.in_doubt {
            match self.caller.reconcile(&asked, self.tried_for()).await {
                Reconciled::Happened { answer } => return self.done(call, answer, &delivery),
                Reconciled::DidNot => self.in_doubt = false,
                Reconciled::RepeatIsSafe => {}
                Reconciled::Stop { why } => return Err(Box::new(self.carried(Outcome::PutAside, None, Some(why)))),
                Reconciled::NotKnownYet(called) => {
                    let (_, code, problem) = meaning(&called.outcome);
                    self.records.push(called.record);
                    return Err(Box::new(self.carried(Outcome::UnknownEffect, code, problem)));
                }
            }
        }
        let Called { outcome, items, record } = self.caller.call(&asked).await;
        self.records.push(record);
        let refused = items.into_iter().find_map(|item| match item {
            ItemOutcome::Done => None,
            ItemOutcome::Failed { code, message } => {
                let message = message.unwrap_or_else(|| "the provider does not take it".to_owned());
                Some(answer::Outcome::Permanent { code, message })
            }
        });
        match refused.unwrap_or(outcome) {
            answer::Outcome::Done { answer } => self.done(call, answer, &delivery),
            other => {
                let (outcome, code, problem) = meaning(&other);
                self.in_doubt |= outcome == Outcome::UnknownEffect;
                Err(Box::new(self.carried(outcome, code, problem)))
            }
        }
    }

    /// One key for each step: a provider may refuse the same key with another content.
    fn key(&self, number: usize, call: &Call) -> String {
        use manifest::operation::Idempotency;
        let key = format!("{}-{number}", self.delivery.id);
        let operation = self.told.account.manifest.operations.get(call.operation.as_str());
        match operation.and_then(|operation| operation.idempotency.as_ref()) {
            Some(Idempotency::Key { max_length, .. }) if key.len() > *max_length as usize => {
                sha256_hex(key.as_bytes()).chars().take(*max_length as usize).collect()
            }
            Some(_) | None => key,
        }
    }

    /// What the operation is given; nothing where it is to be left out.
    fn inputs(&self, call: &Call, delivery: &Delivery) -> Result<Option<Inputs>, FillError> {
        let scope = OfStep { way: self, delivery };
        if let Some(unless) = &call.unless
            && fill::value(unless, &scope)?.is_some()
        {
            return Ok(None);
        }
        if let Some(only_if) = &call.only_if
            && fill::value(only_if, &scope)?.is_none()
        {
            return Ok(None);
        }
        let mut inputs = Inputs::new();
        for (name, template) in call.input.iter() {
            if let Some(value) = fill::document(template, &scope)? {
                inputs.insert(name.to_string(), value);
            }
        }
        Ok(Some(inputs))
    }

    fn done(&mut self, call: &Call, answer: Inputs, delivery: &Delivery) -> Result<(), Box<Carried>> {
        self.in_doubt = false;
        self.progress.answers.insert(call.step().to_string(), answer);
        for (name, text) in call.remember.iter() {
            let value =
                fill::value(text, &OfStep { way: self, delivery }).map_err(|error| Box::new(self.refused(&error)))?;
            let known = self.told.account.manifest.points.remembers.get(name.as_str());
            let of = known.and_then(|known| self.payload.get(known.of.as_str()));
            if let (Some(value), Some(of)) = (value, of) {
                self.keeps.push(Remembered {
                    integration: self.told.account.name.clone(),
                    name: name.to_string(),
                    whose: sha256_hex(as_text(of).as_bytes()),
                    value: value.to_string(),
                });
                self.remembered.insert(name.to_string(), value);
            }
        }
        Ok(())
    }

    fn refused(&self, error: &FillError) -> Carried {
        self.carried(Outcome::Permanent, Some("request".to_owned()), Some(error.to_string()))
    }

    fn tried_for(&self) -> Duration {
        let since = from_text(&self.delivery.tried_since).unwrap_or_default();
        let now = Timestamp::now().as_millisecond();
        Duration::from_millis(u64::try_from(now - since).unwrap_or_default())
    }

    /// What later attempts need. No secret is kept: a step whose answer holds one is made again.
    fn kept(&self) -> String {
        let operations = &self.told.account.manifest.operations;
        let is_plain = |step: &String, answer: &Inputs| {
            let declared = operations.get(step.as_str());
            let is_secret = |name: &String| {
                declared.and_then(|known| known.answer.get(name)).is_some_and(|field| field.privacy >= Privacy::Secret)
            };
            !answer.keys().any(is_secret)
        };
        let mut kept = self.progress.clone();
        kept.answers.retain(|step, answer| is_plain(step, answer));
        serde_json::to_string(&kept).unwrap_or_default()
    }

    fn carried(&self, outcome: Outcome, code: Option<String>, problem: Option<String>) -> Carried {
        Carried {
            outcome,
            in_doubt: self.in_doubt && outcome != Outcome::Delivered,
            progress: Some(self.kept()),
            code,
            problem,
            record: serde_json::to_string(&self.records).ok(),
            remembered: self.keeps.clone(),
            retry: self.retry.clone(),
            wait_ms: None,
        }
    }
}

fn meaning(outcome: &answer::Outcome) -> (Outcome, Option<String>, Option<String>) {
    let (meant, code, message) = match outcome {
        answer::Outcome::Done { .. } => return (Outcome::Delivered, None, None),
        answer::Outcome::Permanent { code, message } => (Outcome::Permanent, code, message),
        answer::Outcome::Transient { code, message, wait: Some(wait) }
        | answer::Outcome::RateLimited { code, message, wait: Some(wait) } => {
            (Outcome::RateLimited(i64::try_from(wait.as_millis()).ok()), code, message)
        }
        answer::Outcome::Transient { code, message, wait: None } => (Outcome::Transient, code, message),
        answer::Outcome::RateLimited { code, message, wait: None } => (Outcome::RateLimited(None), code, message),
        answer::Outcome::Authentication { code, message } => (Outcome::Authentication, code, message),
        answer::Outcome::UnknownEffect { code, message } => (Outcome::UnknownEffect, code, message),
    };
    (meant, code.clone(), Some(message.clone()))
}

/// What names stand for where an event is only looked at.
struct OfEvent<'e> {
    account: &'e Account,
    payload: &'e Map<String, Value>,
}

impl Scope for OfEvent<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Event(field) => self.payload.get(field.as_str()).cloned(),
            _ => self.account.value(name),
        }
    }
}

/// What names stand for in a step.
struct OfStep<'s> {
    way: &'s Way<'s>,
    delivery: &'s Delivery,
}

impl Scope for OfStep<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Event(field) => self.way.payload.get(field.as_str()).cloned(),
            Reference::Answer(step, field) => {
                self.way.progress.answers.get(step.as_str())?.get(field.as_str()).cloned()
            }
            Reference::Remembered(name) => self.way.remembered.get(name.as_str()).cloned(),
            Reference::Delivery(DeliveryValue::Id) => Some(Value::String(self.delivery.id.clone())),
            Reference::Delivery(DeliveryValue::Key) => Some(Value::String(self.delivery.key.clone())),
            Reference::Delivery(DeliveryValue::Time) => Some(Value::String(self.delivery.time.to_string())),
            Reference::Delivery(DeliveryValue::Event) => Some(Value::String(self.way.delivery.event.clone())),
            _ => self.way.told.account.value(name),
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.way.told.account.manifest.provider.currencies.as_ref()
    }
}
