//! Tokens of providers in the database: each is sealed before it comes here, and leased by whoever renews it, so that of many servers
//! one does. Times and names are handed in; nothing here can open a token.

use crate::delivery::words::Words;
use crate::read_row::text;
use crate::{Ended, Store, StoreError};
use vocab::{Datum, Engine};

impl Store {
    /// The token that was kept last under that name, sealed.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn kept_token(&self, name: &str) -> Result<Option<String>, StoreError> {
        let query = Words(self.engine()).text("SELECT sealed FROM outbox_tokens WHERE name = ?");
        let rows = self.read(query.into(), vec![Datum::Text(name.to_owned())]).await?;
        let sealed = rows.first().map(|row| text(row, 0)).transpose()?;
        Ok(sealed.filter(|sealed| !sealed.is_empty()))
    }

    /// Leases the token of that name, unless somebody else has it. Whether it did.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn lease_token(&self, name: &str, lease: &str, now: &str, until: &str) -> Result<bool, StoreError> {
        let words = Words(self.engine());
        let time = words.time();
        let take = words.text(&format!(
            "UPDATE outbox_tokens SET lease = ?, leased_until = {time} WHERE name = ? AND (leased_until IS NULL OR leased_until < {time})"
        ));
        let (insert, otherwise) = match self.engine() {
            Engine::Sqlite | Engine::PostgreSql => ("INSERT", " ON CONFLICT (name) DO NOTHING"),
            Engine::MySql | Engine::MongoDb => ("INSERT IGNORE", ""),
        };
        let add = words.text(&format!(
            "{insert} INTO outbox_tokens (name, sealed, changed_at, lease, leased_until) VALUES (?, '', {time}, ?, {time}){otherwise}"
        ));
        let of = |text: &str| Datum::Text(text.to_owned());
        let (taken, added) = ([of(lease), of(until), of(name), of(now)], [of(name), of(now), of(lease), of(until)]);
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move {
                let is_taken = transaction.execute(&take, &taken).await? > 0;
                // A token of which nobody knew.
                let is_taken = is_taken || transaction.execute(&add, &added).await? > 0;
                Ok(Ended::Commit(is_taken))
            })
        });
        work.await
    }

    /// Keeps a token that was sealed, and gives its lease back: it is durable when this is done.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; it may be kept all the same.
    pub async fn keep_token(&self, name: &str, sealed: &str, now: &str) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let keep = words.text(&format!(
            "UPDATE outbox_tokens SET sealed = ?, changed_at = {}, lease = NULL, leased_until = NULL WHERE name = ?",
            words.time()
        ));
        self.execute_one(keep, [sealed, now, name].map(|text| Datum::Text(text.to_owned())).to_vec()).await
    }

    /// Has a lease last until then.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn extend_token(&self, name: &str, lease: &str, until: &str) -> Result<(), StoreError> {
        let words = Words(self.engine());
        let time = words.time();
        let extend =
            words.text(&format!("UPDATE outbox_tokens SET leased_until = {time} WHERE name = ? AND lease = ?"));
        self.execute_one(extend, [until, name, lease].map(|text| Datum::Text(text.to_owned())).to_vec()).await
    }

    /// Gives a lease back without another token.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn release_token(&self, name: &str, lease: &str) -> Result<(), StoreError> {
        let release = Words(self.engine())
            .text("UPDATE outbox_tokens SET lease = NULL, leased_until = NULL WHERE name = ? AND lease = ?");
        self.execute_one(release, [name, lease].map(|text| Datum::Text(text.to_owned())).to_vec()).await
    }

    async fn execute_one(&self, statement: String, parameters: Vec<Datum>) -> Result<(), StoreError> {
        let work = self.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&statement, &parameters).await?)) })
        });
        work.await.map(drop)
    }
}
