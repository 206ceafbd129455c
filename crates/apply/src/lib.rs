//! Carries a plan out: migrates its database, and writes its files without ever touching one that a
//! person edited.
#![allow(clippy::disallowed_methods)] // this crate does effects: files

mod database;
mod files;

#[cfg(test)]
mod tests;

pub use database::migrate;
pub use files::{FileFailure, FileLedger, FileOutcome, remove_stale, write_atomically, write_by_way_of, write_files};
