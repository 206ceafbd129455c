//! The files of a plan, written without ever touching one that a person edited.
#![allow(clippy::disallowed_methods)] // this crate does effects: files

mod files;

#[cfg(test)]
mod tests;

pub use files::{FileFailure, FileLedger, FileOutcome, remove_stale, write_atomically, write_by_way_of, write_files};
