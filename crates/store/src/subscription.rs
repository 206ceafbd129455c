//! Those who are told of events at addresses of their own: their rows come out, the deliveries of an event to each go in, and how it went is
//! kept with them. Nothing is sent from here; times are handed in.

use crate::delivery::words::Words;
use crate::delivery::{NewDelivery, OutboxEvent};
use crate::read_row::{number, optional_text, text};
use crate::{Ended, Row, Store, StoreError, Transaction};
use serde_json::{Value, json};
use vocab::Datum;

const COLUMNS: &str = "id, user_id, url, events, rate_limit, secret_id, old_secret_id, old_secret_until, failing_since, warned_at, created_at";
/// Most subscriptions of a database that are told of anything.
const MOST: u32 = 10_000;

/// A subscription that is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id, by which its deliveries are called.
    pub id: String,
    /// Whose events it hears of; none: everybody's.
    pub user_id: Option<String>,
    /// Where they are sent.
    pub url: String,
    /// Their names; none: everything that is offered.
    pub events: Option<Vec<String>>,
    /// How many deliveries are begun in a second at most.
    pub rate_limit: Option<u32>,
    /// What its secret is made of.
    pub secret_id: String,
    /// What the secret before is made of, and until when that is good.
    pub old_secret: Option<(String, String)>,
    /// Since when nothing has arrived of what was sent.
    pub failing_since: Option<String>,
    /// When that was told.
    pub warned_at: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// What becomes of a subscription because of how a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// Something has arrived.
    Well,
    /// Nothing has arrived.
    Failed,
    /// The same for so long that it is told.
    FailedLong,
    /// The same for so long that it is disabled, or its address wants nothing more.
    Over,
}

/// The names of the events that tell of a subscription.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// That it fails.
    pub failing: &'a str,
    /// That it was disabled.
    pub disabled: &'a str,
}

impl Store {
    /// The subscriptions that are told of events.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let query =
            format!("SELECT {COLUMNS} FROM webhook_subscriptions WHERE status = 'active' ORDER BY id LIMIT {MOST}");
        let rows = self.read(query.into(), Vec::new()).await?;
        rows.iter().map(subscription).collect()
    }

    /// Has an event delivered to whom it is not delivered yet, at once. Returns how many deliveries were made.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; none was made then.
    pub async fn deliver_to(
        &self,
        event: &OutboxEvent,
        wanted: Vec<NewDelivery>,
        now: &str,
    ) -> Result<usize, StoreError> {
        let words = Words(self.engine());
        let (event, now) = (event.clone(), now.to_owned());
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let made = crate::delivery::deliver_to(&mut transaction, words, &event, &wanted, &now).await?;
                Ok(Ended::Commit(made))
            })
        });
        work.await
    }

    /// Keeps how a delivery to a subscription went, and tells of it where it has failed for long.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing was kept then.
    pub async fn subscription_tried(
        &self,
        known: &Subscription,
        tried: Tried,
        telling: Telling<'_>,
        now: &str,
    ) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let (known, now) = (known.clone(), now.to_owned());
        let (failing, disabled) = (telling.failing.to_owned(), telling.disabled.to_owned());
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let mut keeping = Keeping { transaction: &mut transaction, words, known: &known, now: &now };
                match tried {
                    Tried::Well => keeping.set("failing_since = NULL, warned_at = NULL", &[], "").await.map(drop)?,
                    Tried::Failed => {
                        let since = format!("failing_since = {}", words.time());
                        keeping.set(&since, &[&now], " AND failing_since IS NULL").await.map(drop)?;
                    }
                    Tried::FailedLong => {
                        let warned = format!("warned_at = {}", words.time());
                        if keeping.set(&warned, &[&now], " AND warned_at IS NULL").await? > 0 {
                            keeping.tell(&failing).await?;
                        }
                    }
                    Tried::Over => {
                        let set = format!("status = 'disabled', disabled_at = {}", words.time());
                        if keeping.set(&set, &[&now], "").await? > 0 {
                            keeping.tell(&disabled).await?;
                        }
                    }
                }
                Ok(Ended::Commit(()))
            })
        });
        work.await
    }
}

struct Keeping<'k, 't> {
    transaction: &'k mut Transaction<'t>,
    words: Words,
    known: &'k Subscription,
    now: &'k str,
}

impl Keeping<'_, '_> {
    /// Changes the subscription while it is active. Returns how many rows that were.
    async fn set(&mut self, set: &str, values: &[&str], and: &str) -> Result<u64, StoreError> {
        let text = format!("UPDATE webhook_subscriptions SET {set} WHERE id = ? AND status = 'active'{and}");
        let values = values.iter().copied().chain([self.known.id.as_str()]);
        let values: Vec<Datum> = values.map(|value| Datum::Text(value.to_owned())).collect();
        self.transaction.execute(&self.words.text(&text), &values).await
    }

    async fn tell(&mut self, event: &str) -> Result<(), StoreError> {
        let words = self.words;
        let payload: Value = json!({
            "subscription_id": self.known.id,
            "user_id": self.known.user_id,
            // What stands behind the path may be secret.
            "url": self.known.url.split('?').next(),
            "failing_since": self.known.failing_since.as_deref().unwrap_or(self.now),
        });
        let text =
            format!("INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, {})", words.time());
        let id = uuid::Uuid::now_v7().to_string();
        let values =
            [Datum::Text(id), Datum::Text(event.to_owned()), Datum::Json(payload), Datum::Text(self.now.to_owned())];
        self.transaction.execute(&words.text(&text), &values).await.map(drop)
    }
}

fn subscription(row: &Row) -> Result<Subscription, StoreError> {
    let events = optional_text(row, 3)?.and_then(|text| serde_json::from_str(&text).ok());
    let rate_limit = match row.get(4) {
        None | Some(Datum::Null) => None,
        Some(_) => u32::try_from(number(row, 4)?).ok(),
    };
    Ok(Subscription {
        id: text(row, 0)?,
        user_id: optional_text(row, 1)?,
        url: text(row, 2)?,
        events,
        rate_limit,
        secret_id: text(row, 5)?,
        old_secret: optional_text(row, 6)?.zip(optional_text(row, 7)?),
        failing_since: optional_text(row, 8)?,
        warned_at: optional_text(row, 9)?,
        created_at: text(row, 10)?,
    })
}
