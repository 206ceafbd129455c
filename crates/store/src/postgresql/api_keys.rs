//! The rows of `api_keys`: kept, listed, replaced, revoked, found by their hash, and when they were used. Never a key itself.

use super::serving::PostgreSqlStore;
use super::value::{Cell, Text};
use crate::blocking::blocking;
use crate::{ApiKeyRow, Ended, StoreError, Whose};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use vocab::Datum;

const ALL: &str = "SELECT id, name, hint, hash, created_at, revoked_at, expires_at, scopes, last_used_at, replaces, caller FROM api_keys";

impl PostgreSqlStore {
    pub fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        blocking(async {
            let client = self.server().connect().await?;
            insert(&client, key).await
        })
    }

    pub fn replace_api_key(&self, old: &str, end: &str, new: &ApiKeyRow) -> Result<bool, StoreError> {
        let (old, end) = (text(old), text(end));
        blocking(async {
            let mut client = self.server().connect().await?;
            let transaction = client.transaction().await?;
            // Of two at once the second waits here, and then sees what the first has done.
            transaction.execute("SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE", &[&Text(&old)]).await?;
            let changed = transaction
                .execute(
                    "UPDATE api_keys SET expires_at = least(coalesce(expires_at, $1), $1) WHERE id = $2 AND revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM api_keys AS newer WHERE newer.replaces = $2)",
                    &[&Text(&end), &Text(&old)],
                )
                .await?;
            if changed == 1 {
                insert(transaction.client(), new).await?;
                transaction.commit().await?;
            }
            Ok(changed == 1)
        })
    }

    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        blocking(async {
            let client = self.server().connect().await?;
            let rows = client.query(&format!("{ALL} ORDER BY id"), &[]).await?;
            let cells = |row: &tokio_postgres::Row| {
                (0..row.len())
                    .map(|index| row.try_get::<_, Cell>(index).map(|cell| cell.0))
                    .collect::<Result<Vec<_>, _>>()
            };
            rows.iter().map(|row| Ok(ApiKeyRow::read(cells(row)?))).collect()
        })
    }

    pub fn revoke_api_key(&self, id: &str, now: &str) -> Result<bool, StoreError> {
        let (id, now) = (text(id), text(now));
        blocking(async {
            let client = self.server().connect().await?;
            let revoke = "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
            Ok(client.execute(revoke, &[&Text(&now), &Text(&id)]).await? == 1)
        })
    }

    pub async fn find_api_key(&self, hash: String) -> Result<Option<ApiKeyRow>, StoreError> {
        let find = format!("{ALL} WHERE hash = $1 AND revoked_at IS NULL");
        let rows = self.read(&Whose::Everybodys, find.into(), vec![Datum::Text(hash)]).await?;
        Ok(rows.into_iter().next().map(ApiKeyRow::read))
    }

    pub async fn note_api_key_uses(&self, mut uses: Vec<(String, String)>) -> Result<(), StoreError> {
        // Servers that share the database lock the rows in one order.
        uses.sort();
        self.transaction(&Whose::Everybodys, move |mut transaction| {
            Box::pin(async move {
                for (id, at) in uses {
                    let note = "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)";
                    transaction.execute(note, &[Datum::Text(at), Datum::Text(id)]).await?;
                }
                Ok(Ended::Commit(()))
            })
        })
        .await
    }
}

async fn insert(client: &Client, key: &ApiKeyRow) -> Result<(), StoreError> {
    let optional = |value: &Option<String>| value.as_deref().map_or(Datum::Null, text);
    let values = [
        text(&key.id),
        text(&key.name),
        text(&key.hint),
        text(&key.hash),
        text(&key.created_at),
        optional(&key.expires_at),
        optional(&key.scopes),
        optional(&key.replaces),
        optional(&key.caller),
    ];
    let values: Vec<Text<'_>> = values.iter().map(Text).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let insert = "INSERT INTO api_keys (id, name, hint, hash, created_at, expires_at, scopes, replaces, caller) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    client.execute(insert, &values).await?;
    Ok(())
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}
