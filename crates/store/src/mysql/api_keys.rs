//! The rows of `api_keys`: kept, listed, replaced, revoked, found by their hash, and when they were used. Never a key itself.

use super::serving::MySqlStore;
use super::value::{parameters, row};
use crate::blocking::blocking;
use crate::{ApiKeyRow, Ended, StoreError};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vocab::Datum;

const ALL: &str = "SELECT id, name, hint, hash, created_at, revoked_at, expires_at, scopes, last_used_at, replaces, caller FROM api_keys";

impl MySqlStore {
    pub fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        blocking(async {
            let (mut connection, _) = self.server().connect().await?;
            insert(&mut connection, key).await?;
            Ok(connection.disconnect().await?)
        })
    }

    pub fn replace_api_key(&self, old: &str, end: &str, new: &ApiKeyRow) -> Result<bool, StoreError> {
        let (old, end) = (text(old), moment(end));
        blocking(async {
            let (mut connection, _) = self.server().connect().await?;
            // Of two at once the second waits here, and then sees what the first has done.
            connection.query_drop("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION").await?;
            let hold = "SELECT 1 FROM api_keys WHERE id = ? FOR UPDATE";
            connection.exec_drop(hold, parameters(std::slice::from_ref(&old))).await?;
            let newer = "SELECT 1 FROM api_keys WHERE replaces = ?";
            let newer: Option<u8> = connection.exec_first(newer, parameters(std::slice::from_ref(&old))).await?;
            let replace = "UPDATE api_keys SET expires_at = LEAST(COALESCE(expires_at, ?), ?) WHERE id = ? AND revoked_at IS NULL";
            connection.exec_drop(replace, parameters(&[end.clone(), end, old])).await?;
            let is_replaced = newer.is_none() && connection.affected_rows() == 1;
            if is_replaced {
                insert(&mut connection, new).await?;
            }
            connection.query_drop(if is_replaced { "COMMIT" } else { "ROLLBACK" }).await?;
            connection.disconnect().await?;
            Ok(is_replaced)
        })
    }

    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        blocking(async {
            let (mut connection, _) = self.server().connect().await?;
            let rows: Vec<mysql_async::Row> = connection.exec(format!("{ALL} ORDER BY id"), ()).await?;
            connection.disconnect().await?;
            rows.into_iter().map(|found| row(found).map(ApiKeyRow::read)).collect()
        })
    }

    pub fn revoke_api_key(&self, id: &str, now: &str) -> Result<bool, StoreError> {
        let values = [moment(now), text(id)];
        blocking(async {
            let (mut connection, _) = self.server().connect().await?;
            let revoke = "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
            connection.exec_drop(revoke, parameters(&values)).await?;
            let is_revoked = connection.affected_rows() == 1;
            connection.disconnect().await?;
            Ok(is_revoked)
        })
    }

    pub async fn find_api_key(&self, hash: String) -> Result<Option<ApiKeyRow>, StoreError> {
        let find = format!("{ALL} WHERE hash = ? AND revoked_at IS NULL");
        let rows = self.read(find.into(), vec![Datum::Text(hash)]).await?;
        Ok(rows.into_iter().next().map(ApiKeyRow::read))
    }

    pub async fn note_api_key_uses(&self, mut uses: Vec<(String, String)>) -> Result<(), StoreError> {
        // Servers that share the database lock the rows in one order.
        uses.sort();
        self.transaction(move |mut transaction| {
            Box::pin(async move {
                for (id, at) in uses {
                    let note = "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)";
                    transaction.execute(note, &[moment(&at), text(&id), moment(&at)]).await?;
                }
                Ok(Ended::Commit(()))
            })
        })
        .await
    }
}

async fn insert(connection: &mut Conn, key: &ApiKeyRow) -> Result<(), StoreError> {
    let optional = |value: &Option<String>| value.as_deref().map_or(Datum::Null, text);
    let values = [
        text(&key.id),
        text(&key.name),
        text(&key.hint),
        text(&key.hash),
        moment(&key.created_at),
        key.expires_at.as_deref().map_or(Datum::Null, moment),
        optional(&key.scopes),
        optional(&key.replaces),
        optional(&key.caller),
    ];
    let insert = "INSERT INTO api_keys (id, name, hint, hash, created_at, expires_at, scopes, replaces, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Ok(connection.exec_drop(insert, parameters(&values)).await?)
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

/// A time, which the servers take without the zone, UTC.
fn moment(text: &str) -> Datum {
    Datum::Text(text.trim_end_matches('Z').to_owned())
}
