//! Addresses to which mails do not go: an address comes in, the reasons why not go out. Addresses are compared without their case, as the
//! tables compare all of them; times are handed in.

use crate::delivery::words::Words;
use crate::read_row::{optional_text, text};
use crate::{Ended, Row, Store, StoreError};
use vocab::{Datum, SuppressionReason};

const COLUMNS: &str = "address, reason, suppressed_at, said";

/// An address with a reason why it is not written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSuppression {
    /// The address, in lower case.
    pub address: String,
    /// Why.
    pub reason: SuppressionReason,
    /// Since when.
    pub suppressed_at: String,
    /// What was said of it.
    pub said: Option<String>,
}

impl Store {
    /// Why an address is not written to; nothing where it is.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn mail_suppressions_of(&self, address: &str) -> Result<Vec<MailSuppression>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM mail_suppressions WHERE address = ? ORDER BY reason");
        let parameters = vec![Datum::Text(address.to_lowercase())];
        let rows = self.read(Words(self.engine()).text(&query).into(), parameters).await?;
        rows.iter().map(suppression).collect()
    }

    /// Addresses that are not written to, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn mail_suppressions(
        &self,
        reason: Option<SuppressionReason>,
        limit: u32,
    ) -> Result<Vec<MailSuppression>, StoreError> {
        let condition = if reason.is_some() { "reason = ?" } else { "1 = 1" };
        let query = format!(
            "SELECT {COLUMNS} FROM mail_suppressions WHERE {condition} ORDER BY suppressed_at DESC, address, reason LIMIT {limit}"
        );
        let parameters = reason.map(|reason| Datum::Text(reason.as_str().to_owned())).into_iter().collect();
        let rows = self.read(Words(self.engine()).text(&query).into(), parameters).await?;
        rows.iter().map(suppression).collect()
    }

    /// Keeps that an address is not written to. `false` where that was known already; what was said first stays.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn suppress_mail(&self, suppression: &MailSuppression) -> Result<bool, StoreError> {
        let words = Words(self.engine());
        let find = words.text("SELECT reason FROM mail_suppressions WHERE address = ? AND reason = ?");
        let time = words.time();
        let insert = words.text(&format!("INSERT INTO mail_suppressions ({COLUMNS}) VALUES (?, ?, {time}, ?)"));
        let MailSuppression { address, reason, suppressed_at, said } = suppression;
        let values = [
            Datum::Text(address.to_lowercase()),
            Datum::Text(reason.as_str().to_owned()),
            Datum::Text(suppressed_at.clone()),
            said.clone().map_or(Datum::Null, Datum::Text),
        ];
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let is_new = transaction.read(&find, &values[..2]).await?.is_empty();
                if is_new {
                    transaction.execute(&insert, &values).await?;
                }
                Ok(Ended::Commit(is_new))
            })
        });
        match work.await {
            // Another server has kept it meanwhile.
            Err(_) if self.mail_suppressions_of(address).await?.iter().any(|known| known.reason == *reason) => {
                Ok(false)
            }
            kept => kept,
        }
    }

    /// Has an address be written to again, whatever the reason was. Returns how many reasons there were.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn unsuppress_mail(&self, address: &str) -> Result<u64, StoreError> {
        let remove = Words(self.engine()).text("DELETE FROM mail_suppressions WHERE address = ?");
        let address = [Datum::Text(address.to_lowercase())];
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&remove, &address).await?)) })
        });
        work.await
    }
}

fn suppression(row: &Row) -> Result<MailSuppression, StoreError> {
    // Another word has been written there by hand.
    let reason = SuppressionReason::parse(&text(row, 1)?).unwrap_or(SuppressionReason::Manual);
    Ok(MailSuppression { address: text(row, 0)?, reason, suppressed_at: text(row, 2)?, said: optional_text(row, 3)? })
}
