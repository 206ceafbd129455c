//! What a service has answered to an event, for whoever waits for it. The delivery is carried by a worker, of this process or of
//! another: one of this process rings when it has recorded the end, and for the others the row is looked at until it has ended.
//! Nothing is sent from here.

use crate::account::Inputs;
use crate::fill::{self, Scope};
use manifest::Entries;
use manifest::point::Given;
use manifest::provider::Currencies;
use manifest::reference::Reference;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::delivery::{DeliveryFilter, DeliveryRow, DeliveryState};
use store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;
use vocab::FieldName;

/// The first pause between two looks; each is twice as long as the one before.
const FIRST_LOOK: Duration = Duration::from_millis(4);
/// The longest.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// Where nobody has taken up the event by then, nobody carries deliveries at present.
const TAKEN_UP_WITHIN: Duration = Duration::from_millis(500);

/// Who waits for the end of which delivery in this process. An id is that of one delivery in all databases.
static WAITING: Mutex<BTreeMap<String, Vec<Arc<Notify>>>> = Mutex::new(BTreeMap::new());

fn waiting() -> MutexGuard<'static, BTreeMap<String, Vec<Arc<Notify>>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker has recorded the end of these deliveries.
pub(super) fn ring<'d>(ended: impl Iterator<Item = &'d String>) {
    let mut waiting = waiting();
    if !waiting.is_empty() {
        ended.filter_map(|delivery| waiting.remove(delivery)).flatten().for_each(|bell| bell.notify_one());
    }
}

/// A place among those who wait, as long as it is kept.
struct Place {
    delivery: String,
    bell: Arc<Notify>,
}

impl Place {
    fn take(delivery: &str) -> Self {
        let bell = Arc::new(Notify::new());
        waiting().entry(delivery.to_owned()).or_default().push(Arc::clone(&bell));
        Self { delivery: delivery.to_owned(), bell }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = waiting();
        let Some(bells) = waiting.get_mut(&self.delivery) else { return };
        bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
        if bells.is_empty() {
            waiting.remove(&self.delivery);
        }
    }
}

/// How a delivery came out.
#[derive(Debug, Clone, PartialEq)]
pub enum Awaited {
    /// The service did it, and gives these values.
    Answered(BTreeMap<FieldName, Value>),
    /// The service does not do it, and nothing was done there.
    Refused,
    /// It has not ended, or nobody knows how.
    Unknown,
}

/// The delivery of an event to an integration when it has ended, or as it is after a while. None where nobody takes it up.
///
/// # Errors
/// [`StoreError`] when the database does not answer.
pub async fn ended(
    store: &Store,
    event_id: &str,
    integration: &str,
    within: Duration,
) -> Result<Option<DeliveryRow>, StoreError> {
    let filter = DeliveryFilter {
        event_id: Some(event_id.to_owned()),
        integration: Some(integration.to_owned()),
        ..DeliveryFilter::default()
    };
    let begin = Instant::now();
    let (mut pause, mut place) = (FIRST_LOOK, None);
    loop {
        let found = store.deliveries(&filter, 1).await?.pop();
        let has_ended = |row: &DeliveryRow| matches!(row.state, DeliveryState::Delivered | DeliveryState::Dead);
        let end = begin + if found.is_some() { within } else { within.min(TAKEN_UP_WITHIN) };
        if found.as_ref().is_some_and(has_ended) || Instant::now() >= end {
            return Ok(found);
        }
        let next = (Instant::now() + pause).min(end);
        match (&place, &found) {
            (Some(Place { bell, .. }), _) => drop(tokio::time::timeout_at(next, bell.notified()).await),
            // It may have ended before anybody knew that somebody waits: another look tells.
            (None, Some(row)) => {
                place = Some(Place::take(&row.id));
                continue;
            }
            (None, None) => tokio::time::sleep_until(next).await,
        }
        pause = (pause * 2).min(LAST_LOOK);
    }
}

/// What an integration has answered to an event; `gives` says what of its answers is wanted, in terms of `account`.
///
/// # Errors
/// [`StoreError`] when the database does not answer.
pub async fn awaited(
    store: &Store,
    event_id: &str,
    integration: &str,
    (gives, account): (&Entries<FieldName, Given>, &(dyn Scope + Sync)),
    within: Duration,
) -> Result<Awaited, StoreError> {
    let Some(row) = ended(store, event_id, integration, within).await? else { return Ok(Awaited::Unknown) };
    Ok(match row.state {
        DeliveryState::Delivered => given(&row, gives, account).map_or(Awaited::Unknown, Awaited::Answered),
        DeliveryState::Dead if !row.in_doubt => Awaited::Refused,
        DeliveryState::Dead | DeliveryState::Waiting | DeliveryState::Working => Awaited::Unknown,
    })
}

/// The values, where all that must be there are.
fn given(
    row: &DeliveryRow,
    gives: &Entries<FieldName, Given>,
    account: &dyn Scope,
) -> Option<BTreeMap<FieldName, Value>> {
    let answers = super::steps::answers(row.progress.as_deref());
    let scope = OfAnswers { account, answers: &answers };
    let mut found = BTreeMap::new();
    for (name, given) in gives.iter() {
        match fill::value(&given.value, &scope).ok()? {
            Some(value) => drop(found.insert(name.clone(), value)),
            None if given.required => return None,
            None => drop(found.insert(name.clone(), Value::Null)),
        }
    }
    Some(found)
}

/// What names stand for where a delivery has ended.
struct OfAnswers<'a> {
    account: &'a dyn Scope,
    answers: &'a BTreeMap<String, Inputs>,
}

impl Scope for OfAnswers<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Answer(step, field) => self.answers.get(step.as_str())?.get(field.as_str()).cloned(),
            _ => self.account.value(name),
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.account.currencies()
    }
}
