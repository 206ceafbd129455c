//! The rows of `api_keys`: kept, listed, replaced, revoked, found by their hash, and when they were used. Never a key itself.
//!
//! A database that was made before a column came is read all the same: what it lacks is null. Writing what it has no place for
//! is refused by the database.

use super::SqliteStore;
use crate::{ApiKeyRow, Ended, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use vocab::Datum;

impl SqliteStore {
    /// Keeps a new API key.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        self.blocking(|connection| insert(connection, key))
    }

    /// Keeps a new API key that replaces another one, which goes on working until `end`. `false` when that one was revoked or
    /// replaced meanwhile; nothing is kept then.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn replace_api_key(&self, old: &str, end: &str, new: &ApiKeyRow) -> Result<bool, StoreError> {
        self.blocking(|connection| {
            let transaction = connection.unchecked_transaction()?;
            // The first statement writes, so of two at once the second one sees what the first has done.
            let changed = transaction.execute(
                "UPDATE api_keys SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE id = ?2 AND revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM api_keys AS newer WHERE newer.replaces = ?2)",
                [end, old],
            )?;
            if changed == 1 {
                insert(&transaction, new)?;
                transaction.commit()?;
            }
            Ok(changed == 1)
        })
    }

    /// All API keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        self.blocking(|connection| {
            let mut statement = connection.prepare("SELECT * FROM api_keys ORDER BY id")?;
            let rows = statement.query_map([], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Makes a key useless. `false` when it was revoked before, or there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub fn revoke_api_key(&self, id: &str, now: &str) -> Result<bool, StoreError> {
        self.blocking(|connection| {
            let changed = connection
                .execute("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", [now, id])?;
            Ok(changed == 1)
        })
    }

    /// The key with that hash, if it was not revoked. It may have expired.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn find_api_key(&self, hash: String) -> Result<Option<ApiKeyRow>, StoreError> {
        self.with_reader(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM api_keys WHERE hash = ? AND revoked_at IS NULL")?;
            Ok(statement.query_row([&hash], read).optional()?)
        })
        .await
    }

    /// Notes when keys were used, by id, all in one transaction. A time that is older than the one that is there is passed over:
    /// several servers may share the database.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing was noted then.
    pub async fn note_api_key_uses(&self, uses: Vec<(String, String)>) -> Result<(), StoreError> {
        self.transaction(move |mut transaction| {
            Box::pin(async move {
                for (id, at) in uses {
                    let parameters = [&at, &id, &at].map(|text| Datum::Text(text.clone()));
                    let text = "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, '') < ?";
                    transaction.execute(text, &parameters).await?;
                }
                Ok(Ended::Commit(()))
            })
        })
        .await
    }
}

fn insert(connection: &Connection, key: &ApiKeyRow) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO api_keys (id, name, hint, hash, created_at, expires_at, scopes, replaces, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            key.id,
            key.name,
            key.hint,
            key.hash,
            key.created_at,
            key.expires_at,
            key.scopes,
            key.replaces,
            key.caller
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiKeyRow> {
    let optional = |name: &str| match row.get(name) {
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(None),
        read => read,
    };
    Ok(ApiKeyRow {
        id: row.get("id")?,
        name: row.get("name")?,
        hint: row.get("hint")?,
        hash: row.get("hash")?,
        created_at: row.get("created_at")?,
        revoked_at: row.get("revoked_at")?,
        expires_at: optional("expires_at")?,
        scopes: optional("scopes")?,
        last_used_at: optional("last_used_at")?,
        replaces: optional("replaces")?,
        caller: optional("caller")?,
    })
}
