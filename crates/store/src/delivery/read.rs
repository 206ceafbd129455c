//! Deliveries as people see them: listed, shown with their attempts, counted, given another chance, forgotten when they are old.

use super::DeliveryState;
use super::words::{Change, Kind, Words, member, row};
use crate::read_row::{flag, number, optional_text, text};
use crate::{Ended, Row, Store, StoreError};
use vocab::Datum;

/// Deliveries that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 1000;
/// Deliveries that one transaction gives another chance.
const REPLAYED_AT_ONCE: u32 = 1000;

const COLUMNS: &str = "id, event_id, event, integration, provider, state, attempts, due_at, in_doubt, problem, created_at, ended_at, leased_at, progress";

/// Which deliveries are meant. What is not said leaves all of them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The one of that id.
    pub id: Option<String>,
    /// In that state.
    pub state: Option<DeliveryState>,
    /// To that integration.
    pub integration: Option<String>,
    /// Of that provider.
    pub provider: Option<String>,
    /// Of events of that name.
    pub event: Option<String>,
    /// Of the event of that id.
    pub event_id: Option<String>,
}

/// A delivery as it stands in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// The event's id.
    pub event_id: String,
    /// The event's name.
    pub event: String,
    /// To whom.
    pub integration: String,
    /// Whose service that is.
    pub provider: String,
    /// Where it is.
    pub state: DeliveryState,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Before that it is not tried.
    pub due_at: String,
    /// Whether the last attempt may have had an effect.
    pub in_doubt: bool,
    /// What went wrong last.
    pub problem: Option<String>,
    /// When it was made of its event.
    pub created_at: String,
    /// When it was delivered or given up.
    pub ended_at: Option<String>,
    /// When whoever works on it began.
    pub leased_at: Option<String>,
    /// What its steps have left, JSON.
    pub progress: Option<String>,
}

/// An attempt as it stands in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// When it began.
    pub started_at: String,
    /// When it ended, or was found to have ended.
    pub ended_at: String,
    /// What came of it.
    pub outcome: String,
    /// The provider's own code of what went wrong.
    pub code: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Requests and answers without secrets, JSON.
    pub record: Option<String>,
}

/// How many deliveries of an integration are in one state that is not their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The integration.
    pub integration: String,
    /// The state.
    pub state: DeliveryState,
    /// How many.
    pub count: i64,
    /// When the oldest of them was made.
    pub oldest: String,
}

/// What came of giving deliveries another chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Those that wait again.
    pub replayed: u64,
    /// Those that were left, because they may have had their effect.
    pub in_doubt: u64,
}

impl Store {
    /// Deliveries, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: u32) -> Result<Vec<DeliveryRow>, StoreError> {
        let (condition, parameters) = condition(filter);
        let query = format!("SELECT {COLUMNS} FROM outbox_deliveries WHERE {condition} ORDER BY id DESC LIMIT {limit}");
        let rows = self.read(Words(self.engine()).text(&query).into(), parameters).await?;
        rows.iter().map(delivery).collect()
    }

    /// The attempts of a delivery, the first one first.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn delivery_attempts(&self, delivery: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let query = "SELECT started_at, ended_at, outcome, code, problem, record FROM outbox_attempts WHERE delivery_id = ? ORDER BY id";
        let parameters = vec![Datum::Text(delivery.to_owned())];
        let rows = self.read(Words(self.engine()).text(query).into(), parameters).await?;
        rows.iter().map(attempt).collect()
    }

    /// What waits, is worked on or was given up, by integration and state.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn delivery_backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let query = "SELECT integration, state, COUNT(*), MIN(created_at) FROM outbox_deliveries WHERE state IN ('waiting', 'working', 'dead') GROUP BY integration, state ORDER BY integration, state";
        let rows = self.read(query.into(), Vec::new()).await?;
        let backlog = |row: &Row| {
            Ok(Backlog {
                integration: text(row, 0)?,
                state: state(row, 1)?,
                count: number(row, 2)?,
                oldest: text(row, 3)?,
            })
        };
        rows.iter().map(backlog).collect()
    }

    /// How many events wait for their deliveries to be made.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn undispatched_events(&self) -> Result<i64, StoreError> {
        let query = "SELECT COUNT(*) FROM outbox_events WHERE dispatched_at IS NULL";
        let rows = self.read(query.into(), Vec::new()).await?;
        rows.first().map_or(Ok(0), |row| number(row, 0))
    }

    /// What an integration has kept of somebody.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn remembered(&self, integration: &str, name: &str, whose: &str) -> Result<Option<String>, StoreError> {
        let words = Words(self.engine());
        let value = words.quote("value");
        let query = format!("SELECT {value} FROM outbox_remembered WHERE integration = ? AND name = ? AND whose = ?");
        let parameters = [integration, name, whose].map(|text| Datum::Text(text.to_owned()));
        let rows = self.read(words.text(&query).into(), parameters.to_vec()).await?;
        rows.first().map_or(Ok(None), |row| optional_text(row, 0))
    }

    /// Gives deliveries that were given up another chance, as if they were new; those that may have had their effect only with
    /// `in_doubt`, and then they are told so.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; some may wait again then.
    pub async fn replay_deliveries(
        &self,
        filter: &DeliveryFilter,
        in_doubt: bool,
        now: &str,
    ) -> Result<Replayed, StoreError> {
        let mut total = Replayed::default();
        loop {
            let round = self.replay_some(filter, in_doubt, now).await?;
            total.replayed += round.replayed;
            total.in_doubt = round.in_doubt;
            if round.replayed < u64::from(REPLAYED_AT_ONCE) {
                return Ok(total);
            }
        }
    }

    async fn replay_some(&self, filter: &DeliveryFilter, in_doubt: bool, now: &str) -> Result<Replayed, StoreError> {
        let words = Words(self.engine());
        let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..filter.clone() };
        let (condition, parameters) = condition(&dead);
        let now = now.to_owned();
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let with = |flag| parameters.iter().cloned().chain([Datum::Boolean(flag)]).collect::<Vec<_>>();
                let (sure, asked, left) = match in_doubt {
                    true => ("", parameters.clone(), 0),
                    false => {
                        let doubted =
                            format!("SELECT COUNT(*) FROM outbox_deliveries WHERE {condition} AND in_doubt = ?");
                        let rows = transaction.read(&words.text(&doubted), &with(true)).await?;
                        (" AND in_doubt = ?", with(false), rows.first().map_or(Ok(0), |row| number(row, 0))?)
                    }
                };
                let found = format!(
                    "SELECT id FROM outbox_deliveries WHERE {condition}{sure} ORDER BY id LIMIT {REPLAYED_AT_ONCE}{}",
                    words.locking()
                );
                let rows = transaction.read(&words.text(&found), &asked).await?;
                let members = &[
                    member("id", Kind::Id),
                    member("state", Kind::Text),
                    member("attempts", Kind::Number),
                    member("due_at", Kind::Time),
                    member("tried_since", Kind::Time),
                    member("ended_at", Kind::Time),
                ];
                let waiting = rows.iter().map(|found| {
                    Ok(row([
                        ("id", Some(text(found, 0)?.into())),
                        ("state", Some(DeliveryState::Waiting.as_str().into())),
                        ("attempts", Some(0.into())),
                        ("due_at", Some(now.as_str().into())),
                        ("tried_since", Some(now.as_str().into())),
                        ("ended_at", None),
                    ]))
                });
                let waiting = waiting.collect::<Result<Vec<_>, StoreError>>()?;
                let replayed = waiting.len() as u64;
                words.change(&mut transaction, Change::Update("outbox_deliveries"), members, &waiting).await?;
                Ok(Ended::Commit(Replayed { replayed, in_doubt: u64::try_from(left).unwrap_or_default() }))
            })
        });
        work.await
    }

    /// Forgets deliveries that ended well before a time, with their attempts; a part of them where there are many. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing was forgotten then.
    pub async fn forget_deliveries(&self, before: &str) -> Result<u64, StoreError> {
        let words = Words(self.engine());
        let found = format!(
            "SELECT id FROM outbox_deliveries WHERE state = 'delivered' AND ended_at < {} LIMIT {FORGOTTEN_AT_ONCE}{}",
            words.time(),
            words.locking_free()
        );
        let removes =
            ["DELETE FROM outbox_attempts WHERE delivery_id = ?", "DELETE FROM outbox_deliveries WHERE id = ?"];
        self.forget(&found, vec![Datum::Text(before.to_owned())], &removes).await
    }

    /// Forgets events whose deliveries were made before a time, and of which none is left; a part of them where there are many. Returns
    /// how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn forget_events(&self, before: &str) -> Result<u64, StoreError> {
        let words = Words(self.engine());
        let found = format!(
            "SELECT id FROM outbox_events WHERE dispatched_at < {} AND NOT EXISTS (SELECT 1 FROM outbox_deliveries WHERE outbox_deliveries.event_id = outbox_events.id) LIMIT {FORGOTTEN_AT_ONCE}",
            words.time()
        );
        let removes = ["DELETE FROM outbox_events WHERE id = ?"];
        self.forget(&found, vec![Datum::Text(before.to_owned())], &removes).await
    }

    /// Forgets what an integration was told before a time; not what was put aside for a person. A part of it where there is much. Returns
    /// how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn forget_heard(&self, integration: &str, before: &str) -> Result<u64, StoreError> {
        let words = Words(self.engine());
        let found = format!(
            "SELECT id FROM inbox_events WHERE integration = ? AND received_at < {} AND body IS NULL LIMIT {FORGOTTEN_AT_ONCE}",
            words.time()
        );
        let parameters = [integration, before].map(|text| Datum::Text(text.to_owned())).to_vec();
        self.forget(&found, parameters, &["DELETE FROM inbox_events WHERE id = ?"]).await
    }

    /// Forgets what was kept of an integration's answers for its next events.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn forget_remembered(&self, integration: &str) -> Result<(), StoreError> {
        let text = Words(self.engine()).text("DELETE FROM outbox_remembered WHERE integration = ?");
        let integration = [Datum::Text(integration.to_owned())];
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&text, &integration).await?)) })
        });
        work.await.map(drop)
    }

    /// Removes what a query finds, by the ids that it gives.
    pub(crate) async fn forget(
        &self,
        found: &str,
        parameters: Vec<Datum>,
        removes: &[&str],
    ) -> Result<u64, StoreError> {
        let words = Words(self.engine());
        let found = words.text(found);
        let removes: Vec<String> = removes.iter().map(|remove| words.text(remove)).collect();
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let rows = transaction.read(&found, &parameters).await?;
                for found in &rows {
                    let id = [Datum::Text(text(found, 0)?)];
                    for remove in &removes {
                        transaction.execute(remove, &id).await?;
                    }
                }
                Ok(Ended::Commit(rows.len() as u64))
            })
        });
        work.await
    }
}

/// What stands behind `WHERE`, and its values.
fn condition(filter: &DeliveryFilter) -> (String, Vec<Datum>) {
    let DeliveryFilter { id, state, integration, provider, event, event_id } = filter;
    let state = state.map(|state| state.as_str().to_owned());
    let asked = [
        ("id", id),
        ("state", &state),
        ("integration", integration),
        ("provider", provider),
        ("event", event),
        ("event_id", event_id),
    ];
    let asked: Vec<(&str, &String)> =
        asked.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
    let conditions: Vec<String> = asked.iter().map(|(name, _)| format!("{name} = ?")).collect();
    let values = asked.into_iter().map(|(_, value)| Datum::Text(value.clone())).collect();
    (if conditions.is_empty() { "1 = 1".to_owned() } else { conditions.join(" AND ") }, values)
}

fn state(row: &Row, index: usize) -> Result<DeliveryState, StoreError> {
    let word = text(row, index)?;
    DeliveryState::parse(&word).ok_or_else(|| StoreError::Refused(format!("`{word}` is no state of a delivery")))
}

fn delivery(row: &Row) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        id: text(row, 0)?,
        event_id: text(row, 1)?,
        event: text(row, 2)?,
        integration: text(row, 3)?,
        provider: text(row, 4)?,
        state: state(row, 5)?,
        attempts: u32::try_from(number(row, 6)?).unwrap_or(u32::MAX),
        due_at: text(row, 7)?,
        in_doubt: flag(row, 8)?,
        problem: optional_text(row, 9)?,
        created_at: text(row, 10)?,
        ended_at: optional_text(row, 11)?,
        leased_at: optional_text(row, 12)?,
        progress: optional_text(row, 13)?,
    })
}

fn attempt(row: &Row) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        started_at: text(row, 0)?,
        ended_at: text(row, 1)?,
        outcome: text(row, 2)?,
        code: optional_text(row, 3)?,
        problem: optional_text(row, 4)?,
        record: optional_text(row, 5)?,
    })
}
