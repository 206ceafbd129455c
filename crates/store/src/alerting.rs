//! What was told of integrations: how each stands is noted, and told once, whoever of several servers sees it first. Times and words are handed
//! in; what is good or bad is for others to say.

use crate::delivery::words::Words;
use crate::read_row::text;
use crate::{Ended, Row, Store, StoreError};
use serde_json::Value;
use vocab::{Datum, Engine};

/// How an integration stands, and what was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertState {
    /// The word that was told last.
    pub told: String,
    /// The word for how it stands.
    pub stands: String,
    /// Since when.
    pub since: String,
}

impl Store {
    /// What is known of an integration; none where nobody has looked yet.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn alert_state(&self, integration: &str) -> Result<Option<AlertState>, StoreError> {
        let query = "SELECT told, stands, since FROM integration_alerts WHERE integration = ?";
        let rows = self.read(Words(self.engine()).text(query).into(), vec![of(integration)]).await?;
        rows.first().map(state).transpose()
    }

    /// Notes the first look at an integration, of which nothing was told yet: `well` is the word for that.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn alert_begins(&self, integration: &str, well: &str, stands: &str, now: &str) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let (insert, otherwise) = match self.engine() {
            Engine::Sqlite | Engine::PostgreSql => ("INSERT", " ON CONFLICT (integration) DO NOTHING"),
            Engine::MySql | Engine::MongoDb => ("INSERT IGNORE", ""),
        };
        let add = format!(
            "{insert} INTO integration_alerts (integration, told, stands, since) VALUES (?, ?, ?, {}){otherwise}",
            words.time()
        );
        self.alert_changes(words.text(&add), [integration, well, stands, now].map(of).to_vec(), None).await.map(drop)
    }

    /// Notes that an integration stands otherwise than it did.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn alert_stands(
        &self,
        integration: &str,
        before: &AlertState,
        stands: &str,
        now: &str,
    ) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let change = format!(
            "UPDATE integration_alerts SET stands = ?, since = {} WHERE integration = ? AND stands = ?",
            words.time()
        );
        let values = [stands, now, integration, &before.stands].map(of).to_vec();
        self.alert_changes(words.text(&change), values, None).await.map(drop)
    }

    /// Tells how an integration stands, with an event of that name: both are kept together. Whether it was told now; else somebody else
    /// has, or it stands otherwise by now.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; it may have been told all the same, and whoever asks again tells it no second time.
    pub async fn alert_tells(
        &self,
        integration: &str,
        known: &AlertState,
        (event, payload): (&str, Value),
        now: &str,
    ) -> Result<bool, StoreError> {
        let words = Words(self.engine());
        let change = format!(
            "UPDATE integration_alerts SET told = stands, told_at = {} WHERE integration = ? AND told = ? AND stands = ?",
            words.time()
        );
        let values = [now, integration, &known.told, &known.stands].map(of).to_vec();
        let id = uuid::Uuid::now_v7().to_string();
        let event = vec![of(&id), of(event), Datum::Json(payload), of(now)];
        self.alert_changes(words.text(&change), values, Some(event)).await
    }

    /// Does a change, with the event where a row was changed. Whether one was.
    async fn alert_changes(
        &self,
        change: String,
        values: Vec<Datum>,
        event: Option<Vec<Datum>>,
    ) -> Result<bool, StoreError> {
        let words = Words(self.engine());
        let insert = words.text(&format!(
            "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES (?, ?, ?, {})",
            words.time()
        ));
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let is_changed = transaction.execute(&change, &values).await? > 0;
                if let Some(event) = event.filter(|_| is_changed) {
                    transaction.execute(&insert, &event).await?;
                }
                Ok(Ended::Commit(is_changed))
            })
        });
        work.await
    }
}

fn of(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn state(row: &Row) -> Result<AlertState, StoreError> {
    Ok(AlertState { told: text(row, 0)?, stands: text(row, 1)?, since: text(row, 2)? })
}
