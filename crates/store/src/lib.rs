//! The only home of database drivers: open, inspect, migrate, read, and transactions that commit in groups.
//! Statements come from `dialect`; this crate adds only what belongs to its own bookkeeping (ledger, keys, counts).
#![allow(clippy::disallowed_methods)] // this crate does effects: files, threads

pub mod alerting;
mod api_key;
mod blocking;
mod contents;
mod database;
pub mod delivery;
mod ended_accounts;
mod error;
mod kept_tokens;
mod load;
pub mod mail_suppression;
mod mongodb;
mod mysql;
mod patience;
pub mod permission;
mod postgresql;
mod read_row;
mod rehearsal;
mod renewing;
mod sqlite;
mod store;
pub mod subscription;
pub mod sync;
mod way_in;

pub use api_key::ApiKeyRow;
pub use contents::{Contents, TableContents};
pub use database::{Database, Seen};
pub use error::{Late, StoreError, Trouble};
pub use mongodb::{Abilities, Server as MongoServer};
pub use mysql::{LogPlace, Server as MySqlServer, StillDatabase};
pub use postgresql::{Server, StillPoint};
pub use rehearsal::{Attempt, Lack, Rehearsal};
pub use renewing::{Passwords, Renewal};
pub use sqlite::{Frames, HeldWal, WalCut, WalKept, WalPlace, WalReplay, WalSeen, WriteAheadLog};
pub use store::{Scratch, Store, Transaction, Whose};

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

/// Where a database is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, made when it is not there.
    File(PathBuf),
    /// A private database in memory that ends with its store.
    Memory,
}

/// What a transaction's work answers, and whether its writes stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<T> {
    /// Commit.
    Commit(T),
    /// Undo, and give the value all the same.
    Undo(T),
}

/// The work of a transaction, bound to its connection.
pub type TransactionFuture<'a, T> = Pin<Box<dyn Future<Output = Result<Ended<T>, StoreError>> + Send + 'a>>;

/// A row: one datum a column.
pub type Row = Vec<vocab::Datum>;

/// Every way in which a table of the plan is not there as it should be, in words.
#[must_use]
pub fn differences(plan: &plan::DatabasePlan, observed: &[plan::database::ObservedTable]) -> Vec<String> {
    let described = plan.tables.iter().map(|table| dialect::described(plan.engine, table));
    described
        .flat_map(|wanted| match observed.iter().find(|found| found.name == wanted.name) {
            None => vec![format!("table `{}` is missing", wanted.name)],
            Some(found) => {
                let differences = wanted.differences(found);
                differences.into_iter().map(|difference| format!("table `{}`: {difference}", wanted.name)).collect()
            }
        })
        .collect()
}

impl From<&plan::Migration> for AppliedMigration {
    /// As the ledger will have it.
    fn from(migration: &plan::Migration) -> Self {
        Self { name: migration.name.clone(), checksum: dialect::migration::checksum(migration) }
    }
}

/// A migration that stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file.
    pub checksum: String,
}
