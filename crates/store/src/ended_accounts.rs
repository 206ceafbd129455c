//! What of accounts is over: sessions, refresh tokens and mailed tokens that nobody can use any more. Times come in; the rows are gone
//! afterwards, a bounded number of them in a transaction.

use crate::delivery::words::Words;
use crate::{Store, StoreError};
use vocab::Datum;

/// Rows that one transaction forgets.
const FORGOTTEN_AT_ONCE: u32 = 1000;

impl Store {
    /// Forgets sessions and mailed tokens that ended before the one time, and refresh tokens that were used before the other: a copy of one
    /// of those is refused still, and ends no session any more.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn forget_ended_accounts(&self, ended_before: &str, used_before: &str) -> Result<(), StoreError> {
        let parts: [(&str, &str, &str, &str, &[&str]); 3] = [
            (
                "auth_sessions",
                "id",
                "expires_at",
                ended_before,
                &["DELETE FROM auth_refresh_tokens WHERE session_id = ?", "DELETE FROM auth_sessions WHERE id = ?"],
            ),
            (
                "auth_refresh_tokens",
                "hash",
                "used_at",
                used_before,
                &["DELETE FROM auth_refresh_tokens WHERE hash = ?"],
            ),
            ("auth_mailed_tokens", "id", "expires_at", ended_before, &["DELETE FROM auth_mailed_tokens WHERE id = ?"]),
        ];
        for (table, key, over, before, removes) in parts {
            let time = Words(self.engine()).time();
            let found =
                format!("SELECT {key} FROM {table} WHERE {over} < {time} ORDER BY {over} LIMIT {FORGOTTEN_AT_ONCE}");
            while self.forget(&found, vec![Datum::Text(before.to_owned())], removes).await? > 0 {}
        }
        Ok(())
    }
}
