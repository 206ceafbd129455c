//! Those who are told of events at addresses of their own: an event comes in, and goes out as a delivery to each subscription that hears of
//! it, and each of those as a signed message (Standard Webhooks, <https://www.standardwebhooks.com>). No secret, no payload and nothing of what a
//! subscriber repeats of one is written down.

use crate::client::{Client, Sent};
use crate::delivery::{
    Carried, Carrier, Carrying, Hold, LaneRules, LaneSender, Outcome, RateBudget, from_text, happened_at, to_text,
};
use crate::mail::Successor;
use crate::signed_message::{Message, is_news, new_delivery, rules};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use plan::subscribers::{DISABLED, FAILING, INTEGRATION, Offer, RATE, Subscribers as Offered, TEST};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Store;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};
use store::subscription::{Subscription, Telling, Tried};
use uuid::Uuid;
use vocab::sha256_hex;

/// How often it is looked who subscribes.
const LOOKS: Duration = Duration::from_secs(1);
/// Deliveries to one subscription under way at once.
const AT_ONCE: u32 = 8;
/// How long it is waited where a subscription is not known any more, until its deliveries are not begun any more.
const UNKNOWN_MS: i64 = 5_000;

/// Who is told of the events of a database.
pub struct Subscribers {
    /// What is offered.
    offers: BTreeMap<String, Offer>,
    disable_after_ms: i64,
    store: Store,
    client: Client,
    successor: Successor,
    /// Those that were there when it was last looked.
    known: Mutex<Arc<Vec<Subscription>>>,
}

impl Subscribers {
    /// Those of APIs that offer events; none where no API does.
    #[must_use]
    pub fn of<'o>(
        offered: impl IntoIterator<Item = &'o Offered>,
        store: Store,
        client: Client,
        successor: Successor,
    ) -> Option<Self> {
        let (mut offers, mut disable_after) = (BTreeMap::new(), None::<u32>);
        for one in offered {
            offers.extend(one.offers.iter().map(|offer| (offer.event.to_string(), offer.clone())));
            disable_after =
                Some(disable_after.map_or(one.disable_after_seconds, |known| known.min(one.disable_after_seconds)));
        }
        let disable_after_ms = i64::from(disable_after?) * 1000;
        Some(Self { offers, disable_after_ms, store, client, successor, known: Mutex::default() })
    }

    /// How the delivery that makes all others of an event is treated.
    #[must_use]
    pub fn lane(&self) -> (String, LaneRules) {
        (INTEGRATION.to_owned(), LaneRules::default())
    }

    /// Looks who subscribes, again and again, and has deliveries to them begun.
    pub async fn watch(self: Arc<Self>, lanes: LaneSender) {
        let mut before = Vec::new();
        loop {
            match self.look().await {
                Ok(found) => {
                    let rules: Vec<(String, LaneRules)> = found.iter().map(lane).collect();
                    if rules != before {
                        lanes.follow(rules.clone()).await;
                        before = rules;
                    }
                }
                Err(error) => tracing::warn!(error = %error, "who subscribes to events was not read"),
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Looks who subscribes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(&self) -> Result<Arc<Vec<Subscription>>, store::StoreError> {
        let found = Arc::new(self.store.subscriptions().await?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&found);
        Ok(found)
    }

    /// Makes the deliveries of an event, to everybody who hears of it.
    async fn spread(&self, delivery: &Leased) -> Carried {
        let found = match self.look().await {
            Ok(found) => found,
            Err(error) => return Carried::failed(Outcome::Transient, &error.to_string()),
        };
        let payload: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        let made_at = happened_at(&delivery.event_id).as_millisecond();
        let hears = |one: &&Subscription| self.hears(one, &delivery.event, &payload, made_at);
        let wanted = found.iter().filter(hears).map(|one| new_delivery(&one.id, INTEGRATION));
        let event = OutboxEvent {
            id: delivery.event_id.clone(),
            name: delivery.event.clone(),
            payload: String::new(),
            occurred_at: String::new(),
        };
        let now = to_text(Timestamp::now().as_millisecond());
        match self.store.deliver_to(&event, wanted.collect(), &now).await {
            Ok(_) => Carried::of(Outcome::Delivered),
            Err(error) => Carried::failed(Outcome::Transient, &error.to_string()),
        }
    }

    /// Whether the subscription hears of that event: it has asked for it, was there when it happened, and the event is not somebody else's.
    fn hears(&self, one: &Subscription, event: &str, payload: &Value, made_at: i64) -> bool {
        if event == TEST {
            return payload["subscription_id"] == one.id.as_str();
        }
        let Some(Offer { owner, .. }) = self.offers.get(event) else { return false };
        let asks = one.events.as_ref().is_none_or(|events| events.iter().any(|name| name == event));
        let was_there = from_text(&one.created_at).is_some_and(|created| created <= made_at);
        let is_theirs = one
            .user_id
            .as_ref()
            .is_none_or(|user| owner.as_ref().is_some_and(|owner| payload[owner.as_str()] == user.as_str()));
        asks && was_there && is_theirs
    }

    /// Sends a message, and keeps how that went.
    async fn send(&self, delivery: &Leased) -> Carried {
        let known = Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(one) = known.iter().find(|one| one.id == delivery.integration).cloned() else {
            return Carried::failed(
                Outcome::RateLimited(Some(UNKNOWN_MS)),
                "nobody subscribes there any more, or not now",
            );
        };
        let now = Timestamp::now();
        let mut data: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        if let (Some(data), Some(offer)) = (data.as_object_mut(), self.offers.get(&delivery.event)) {
            offer.without.iter().for_each(|field| drop(data.remove(field.as_str())));
        }
        let old = one
            .old_secret
            .as_ref()
            .filter(|(_, until)| from_text(until).is_some_and(|until| now.as_millisecond() < until));
        let ids = std::iter::once(one.secret_id.as_str()).chain(old.map(|(id, _)| id.as_str()));
        let keys = ids.map(|id| key(&(self.successor)(id))).collect();
        let shown = one.url.split('?').next().unwrap_or_default().to_owned();
        let (carried, sent) = Message { url: &one.url, shown, data, keys }.post(&self.client, delivery, now).await;
        self.keep(&one, carried.outcome, &sent).await;
        carried
    }

    /// Where that is not kept the next attempt keeps it.
    async fn keep(&self, one: &Subscription, outcome: Outcome, sent: &Sent) {
        let now = Timestamp::now().as_millisecond();
        let failing = |since: &String| now - from_text(since).unwrap_or(now);
        let is_gone = matches!(sent, Sent::Answered(answer) if answer.status == 410);
        let tried = match (outcome, one.failing_since.as_ref().map(failing)) {
            (Outcome::Delivered, None) | (Outcome::RateLimited(_), _) => return,
            (Outcome::Delivered, Some(_)) => Tried::Well,
            _ if is_gone => Tried::Over,
            (_, None) => Tried::Failed,
            (_, Some(failing)) if failing >= self.disable_after_ms => Tried::Over,
            (_, Some(failing)) if failing >= self.disable_after_ms / 2 && one.warned_at.is_none() => Tried::FailedLong,
            (_, Some(_)) => return,
        };
        match tried {
            Tried::FailedLong => tracing::warn!(subscription = one.id, "nothing arrives at a subscription"),
            Tried::Over => tracing::warn!(subscription = one.id, "a subscription was disabled: nothing arrives there"),
            Tried::Well | Tried::Failed => {}
        }
        let telling = Telling { failing: FAILING, disabled: DISABLED };
        let kept = self.store.subscription_tried(one, tried, telling, &to_text(now)).await;
        if let Err(error) = kept {
            tracing::warn!(error = %error, subscription = one.id, "how a delivery went was not kept");
        }
    }
}

impl Routes for Subscribers {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let is_offered = event.name == TEST || self.offers.contains_key(&event.name);
        (is_news(event) && is_offered).then(|| new_delivery(INTEGRATION, INTEGRATION)).into_iter().collect()
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        vec![(INTEGRATION, self.offers.keys().map(String::as_str).chain([TEST]).collect())]
    }

    fn new_id(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

impl Subscribers {
    /// Whether deliveries of that name are carried here.
    #[must_use]
    pub fn carries(&self, integration: &str) -> bool {
        integration == INTEGRATION || Uuid::parse_str(integration).is_ok()
    }
}

impl Carrier for Subscribers {
    fn carry<'a>(&'a self, delivery: &'a Leased, _: &'a Hold) -> Carrying<'a> {
        match delivery.integration == INTEGRATION {
            true => Box::pin(self.spread(delivery)),
            false => Box::pin(self.send(delivery)),
        }
    }
}

/// How a subscription is treated.
fn lane(one: &Subscription) -> (String, LaneRules) {
    let budget = Some(RateBudget { limit: one.rate_limit.unwrap_or(RATE).max(1), per_ms: 1000 });
    (one.id.clone(), LaneRules { budget, ..rules(AT_ONCE, &one.url) })
}

/// What the secret is for a signature: `whsec_` with these 64 digits of hex is read as Base64.
fn key(successor: &str) -> Vec<u8> {
    STANDARD.decode(sha256_hex(successor.as_bytes())).unwrap_or_default()
}
