//! How deliveries to one integration have gone lately: what waits, what was tried, when one came out well last. Reads only; times are
//! handed in, and what is good or bad is for others to say.

use super::words::Words;
use crate::read_row::{number, optional_text, text};
use crate::{Row, Store, StoreError};
use vocab::Datum;

/// Most attempts that are looked at, the newest first.
pub const ATTEMPTS_READ: u32 = 1000;

/// What is known of deliveries to an integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryStanding {
    /// Deliveries that wait or are worked on.
    pub waiting: i64,
    /// When the oldest of them was made of its event.
    pub oldest: Option<String>,
    /// Deliveries that were given up.
    pub dead: i64,
    /// When one came out well last, as far back as they are kept.
    pub delivered_at: Option<String>,
    /// What was tried lately, the newest first; at most [`ATTEMPTS_READ`].
    pub attempts: Vec<LateAttempt>,
}

/// An attempt, as far as it says how an integration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAttempt {
    /// Of which delivery.
    pub delivery_id: String,
    /// What came of it.
    pub outcome: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The provider's own code of what went wrong.
    pub code: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
}

impl Store {
    /// How deliveries to an integration stand, with the attempts since a time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn delivery_standing(&self, integration: &str, since_ms: u64) -> Result<DeliveryStanding, StoreError> {
        let words = Words(self.engine());
        let whose = || Datum::Text(integration.to_owned());
        let counted = "SELECT state, COUNT(*), MIN(created_at), MAX(ended_at) FROM outbox_deliveries WHERE integration = ? GROUP BY state";
        let mut standing = DeliveryStanding::default();
        for row in &self.read(words.text(counted).into(), vec![whose()]).await? {
            let (count, oldest) = (number(row, 1)?, optional_text(row, 2)?);
            match text(row, 0)?.as_str() {
                "delivered" => standing.delivered_at = optional_text(row, 3)?,
                "dead" => standing.dead = count,
                _ => {
                    standing.waiting += count;
                    // Times that are kept sort as texts.
                    standing.oldest = [standing.oldest.take(), oldest].into_iter().flatten().min();
                }
            }
        }
        // Ids of attempts begin with their time, and the table is in their order.
        let tried = format!(
            "SELECT a.outcome, a.started_at, a.ended_at, a.problem, a.delivery_id, a.code FROM outbox_attempts a \
             JOIN outbox_deliveries d ON d.id = a.delivery_id \
             WHERE d.integration = ? AND a.id >= ? ORDER BY a.id DESC LIMIT {ATTEMPTS_READ}"
        );
        let parameters = vec![whose(), Datum::Text(first_id(since_ms))];
        let rows = self.read(words.text(&tried).into(), parameters).await?;
        standing.attempts = rows.iter().map(attempt).collect::<Result<_, StoreError>>()?;
        Ok(standing)
    }
}

/// The least UUID of version 7 of that millisecond.
fn first_id(ms: u64) -> String {
    let time = format!("{:012x}", ms & 0xffff_ffff_ffff);
    format!("{}-{}-7000-8000-000000000000", &time[..8], &time[8..])
}

fn attempt(row: &Row) -> Result<LateAttempt, StoreError> {
    Ok(LateAttempt {
        delivery_id: text(row, 4)?,
        outcome: text(row, 0)?,
        started_at: text(row, 1)?,
        ended_at: text(row, 2)?,
        code: optional_text(row, 5)?,
        problem: optional_text(row, 3)?,
    })
}
