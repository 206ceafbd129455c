//! The documents of `api_keys`: kept, listed, replaced, revoked, found by their hash, and when they were used. Never a key itself.

use super::inspect::text;
use super::serving::MongoStore;
use super::value::date;
use crate::blocking::blocking;
use crate::{ApiKeyRow, Ended, StoreError};
use ::mongodb::bson::{Bson, Document, doc};
use ::mongodb::{Collection, Database};
use futures_util::TryStreamExt;
use serde_json::json;
use vocab::Datum;

const COLLECTION: &str = "api_keys";

fn keys(database: &Database) -> Collection<Document> {
    database.collection(COLLECTION)
}

impl MongoStore {
    pub fn insert_api_key(&self, key: &ApiKeyRow) -> Result<(), StoreError> {
        blocking(async {
            keys(&self.server().connect().await?.0).insert_one(document(key)).await?;
            Ok(())
        })
    }

    pub fn replace_api_key(&self, old: &str, end: &str, new: &ApiKeyRow) -> Result<bool, StoreError> {
        blocking(async {
            let database = self.server().connect().await?.0;
            let keys = keys(&database);
            let wanted = doc! { "_id": old, "revoked_at": { "$exists": false }, "replaced": { "$exists": false } };
            let change =
                doc! { "$set": { "replaced": &new.id }, "$min": { "expires_at": date(end).unwrap_or(Bson::Null) } };
            // Of two at once one finds it: what says so is of the same document.
            if keys.find_one_and_update(wanted, change).await?.is_none() {
                return Ok(false);
            }
            keys.insert_one(document(new)).await?;
            Ok(true)
        })
    }

    pub fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        blocking(async {
            let database = self.server().connect().await?.0;
            let found: Vec<Document> =
                keys(&database).find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
            Ok(found.iter().map(row).collect())
        })
    }

    pub fn revoke_api_key(&self, id: &str, now: &str) -> Result<bool, StoreError> {
        blocking(async {
            let database = self.server().connect().await?.0;
            let wanted = doc! { "_id": id, "revoked_at": { "$exists": false } };
            let revoked = doc! { "$set": { "revoked_at": date(now).unwrap_or(Bson::Null) } };
            Ok(keys(&database).update_one(wanted, revoked).await?.matched_count == 1)
        })
    }

    pub async fn find_api_key(&self, hash: String) -> Result<Option<ApiKeyRow>, StoreError> {
        let fields = [
            "_id",
            "name",
            "hint",
            "hash",
            "created_at",
            "revoked_at",
            "expires_at",
            "scopes",
            "last_used_at",
            "replaces",
            "caller",
        ];
        let columns: Vec<_> = fields.iter().map(|field| json!([field, ""])).collect();
        let filter = json!({ "hash": { "$eq": { "$bind": 0 } }, "revoked_at": { "$exists": false } });
        let find = json!({ "command": { "find": COLLECTION, "filter": filter }, "columns": columns }).to_string();
        let rows = self.read(find.into(), vec![Datum::Text(hash)]).await?;
        Ok(rows.into_iter().next().map(ApiKeyRow::read))
    }

    pub async fn note_api_key_uses(&self, uses: Vec<(String, String)>) -> Result<(), StoreError> {
        let at = json!({ "$bind": 1, "as": "date" });
        let older = json!([{ "last_used_at": { "$exists": false } }, { "last_used_at": { "$lt": at } }]);
        let wanted = json!({ "_id": { "$eq": { "$bind": 0 } }, "$or": older });
        let change = json!({ "q": wanted, "u": { "$set": { "last_used_at": at } } });
        let note = json!({ "command": { "update": COLLECTION, "updates": [change] } }).to_string();
        self.transaction(move |mut transaction| {
            Box::pin(async move {
                for (id, at) in uses {
                    transaction.execute(&note, &[Datum::Text(id), Datum::Text(at)]).await?;
                }
                Ok(Ended::Commit(()))
            })
        })
        .await
    }
}

fn document(key: &ApiKeyRow) -> Document {
    let mut document = doc! { "_id": &key.id, "name": &key.name, "hint": &key.hint, "hash": &key.hash };
    let moments = [("created_at", Some(&key.created_at)), ("expires_at", key.expires_at.as_ref())];
    let moments = moments.into_iter().filter_map(|(name, moment)| Some((name, date(moment?)?)));
    moments.for_each(|(name, moment)| drop(document.insert(name, moment)));
    let texts = [("scopes", &key.scopes), ("replaces", &key.replaces), ("caller", &key.caller)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
    texts.for_each(|(name, text)| drop(document.insert(name, text)));
    document
}

fn row(found: &Document) -> ApiKeyRow {
    let said = |field: &str| match super::value::datum(found.get(field), "") {
        Ok(Datum::Text(text)) => Some(text),
        _ => None,
    };
    ApiKeyRow {
        id: text(found, "_id"),
        name: text(found, "name"),
        hint: text(found, "hint"),
        hash: text(found, "hash"),
        created_at: said("created_at").unwrap_or_default(),
        revoked_at: said("revoked_at"),
        expires_at: said("expires_at"),
        scopes: said("scopes"),
        last_used_at: said("last_used_at"),
        replaces: said("replaces"),
        caller: said("caller"),
    }
}
