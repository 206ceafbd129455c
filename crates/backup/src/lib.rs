//! Backups as they are kept: what is to be kept comes in as objects, a folder or a part of a bucket goes out that holds all of it or does not
//! count, and what was kept comes back byte for byte or not at all. What the objects are is not known here.
#![allow(clippy::disallowed_methods)] // this crate does effects: files, requests to buckets

mod bucket;
mod compressing;
mod failure;
mod key;
mod manifest;
mod object;
mod repository;

#[cfg(test)]
mod tests;

pub use bucket::Bucket;
pub use failure::BackupFailure;
pub use key::{Key, WrongKey};
pub use manifest::{Manifest, Object};
pub use repository::{Kept, Repository, Writing};
