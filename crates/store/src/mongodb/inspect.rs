//! What a database holds: collections, each as its validator and its indexes describe it. Reads alone.

use super::value::json;
use super::{OWN, VALIDATORS};
use crate::StoreError;
use ::mongodb::Database;
use ::mongodb::bson::{Bson, Document, doc};
use dialect::mongodb::{ID, column_of, described_validator, is_set_index};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use plan::database::{ObservedIndex, ObservedTable, Uniqueness};
use std::collections::BTreeMap;
use vocab::TableName;

/// The text of a field, or none.
pub fn text(document: &Document, field: &str) -> String {
    document.get_str(field).unwrap_or_default().to_owned()
}

pub async fn collections(database: &Database) -> Result<Vec<ObservedTable>, StoreError> {
    let listed = all(database, doc! { "listCollections": 1 }).await?;
    let names: Vec<(String, Option<Document>)> = listed
        .into_iter()
        .map(|found| {
            let options = found.get_document("options").ok();
            let validator = options.and_then(|options| options.get_document("validator").ok().cloned());
            (text(&found, "name"), validator)
        })
        .filter(|(name, _)| is_others(name))
        .collect();
    let noted = noted(database).await?;
    let mut tables = Vec::new();
    for (name, kept) in names {
        let validator = kept.map(|kept| json(&Bson::Document(kept))).or_else(|| noted.get(&name).cloned());
        let mut table = described_validator(&name, &validator.unwrap_or_default());
        indexes(database, &mut table).await?;
        tables.push(table);
    }
    tables.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(tables)
}

fn is_others(name: &str) -> bool {
    !OWN.contains(&name) && !name.starts_with("system.")
}

/// What collections were made to hold, where the server does not keep it.
async fn noted(database: &Database) -> Result<BTreeMap<String, serde_json::Value>, StoreError> {
    let notes: Vec<Document> = database.collection(VALIDATORS).find(doc! {}).await?.try_collect().await?;
    let note = |note: Document| Some((text(&note, "_id"), serde_json::from_str(&text(&note, "validator")).ok()?));
    Ok(notes.into_iter().filter_map(note).collect())
}

async fn indexes(database: &Database, table: &mut ObservedTable) -> Result<(), StoreError> {
    let key = table.primary_key.first().cloned();
    for found in all(database, doc! { "listIndexes": &table.name }).await? {
        let Ok(fields) = found.get_document("key") else { continue };
        if fields.keys().eq([ID]) {
            continue;
        }
        let unique = found.get_bool("unique").unwrap_or_default();
        let index = ObservedIndex {
            name: text(&found, "name"),
            columns: fields.keys().map(|field| column_of(field, key.as_deref())).collect(),
            uniqueness: if unique { Uniqueness::Unique } else { Uniqueness::Repeating },
        };
        match is_set_index(&table.name, &index) {
            false => table.indexes.push(index),
            // A collection whose documents have no key of one column has that of several.
            true if table.primary_key.is_empty() => table.primary_key = index.columns,
            true => table.unique.push(index.columns),
        }
    }
    table.unique.sort();
    table.indexes.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(())
}

/// Everything that a command lists.
pub async fn all(database: &Database, command: Document) -> Result<Vec<Document>, StoreError> {
    let cursor = database.run_cursor_command(command).await?;
    Ok(cursor.try_collect().await?)
}

/// The collections that hold a document.
pub async fn filled(database: &Database) -> Result<Vec<String>, StoreError> {
    let mut filled = Vec::new();
    for name in database.list_collection_names().await?.into_iter().filter(|name| is_others(name)) {
        if database.collection::<Document>(&name).find_one(doc! {}).await?.is_some() {
            filled.push(name);
        }
    }
    filled.sort();
    Ok(filled)
}

pub async fn count(database: &Database, tables: &[TableName]) -> Result<i64, StoreError> {
    let counts = tables.iter().map(async |table| {
        let found = database.run_command(doc! { "count": table.as_str(), "query": {} }).await?;
        Ok::<i64, StoreError>(match found.get("n") {
            Some(Bson::Int32(number)) => i64::from(*number),
            Some(Bson::Int64(number)) => *number,
            Some(Bson::Double(number)) => *number as i64,
            _ => 0,
        })
    });
    Ok(try_join_all(counts).await?.into_iter().sum())
}
