//! `syncs.yaml`: records that are read from a provider again and again. Plain data.

use crate::Manifest;
use crate::entries::Entries;
use crate::kind::{Kind, Privacy};
use crate::pointer::Pointer;
use crate::provider::{Counted, Rate};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vocab::{EntityName, FieldName};

/// Records that are read again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    /// What they are, one sentence.
    pub does: String,
    /// The operation that reads them, page by page.
    pub read: FieldName,
    /// Where a record says which it is, in the item.
    pub key: Pointer,
    /// What is taken of a record.
    pub fields: Entries<FieldName, Taken>,
    /// How only what has changed is read; without it everything is.
    #[serde(default)]
    pub cursor: Option<Cursor>,
    /// How the first time goes.
    pub backfill: Backfill,
    /// How one sees that a record is gone.
    pub deletes: Deletes,
    /// The rows of ours that they become; without it they are kept nowhere here.
    #[serde(default)]
    pub into: Option<Rows>,
}

impl Sync {
    /// How long to wait between two requests that read, so that the provider's own limits are kept.
    #[must_use]
    pub fn pause(&self, manifest: &Manifest) -> Duration {
        let operation = manifest.operations.get(self.read.as_str());
        let is_named = |name: &FieldName| operation.is_some_and(|operation| operation.rates.contains(name));
        let counts =
            |(name, rate): &(&FieldName, &Rate)| rate.of == Counted::Requests && (rate.everywhere || is_named(name));
        let pause = |rate: &Rate| {
            let seconds = rate.per_seconds.filter(|seconds| *seconds <= 60)?;
            Some(Duration::from_millis(u64::from(seconds) * 1000 / u64::from(rate.limit.max(1))))
        };
        manifest.provider.rates.iter().filter(counts).filter_map(|(_, rate)| pause(rate)).max().unwrap_or_default()
    }
}

/// Rows of ours that records of a provider become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// What a row is. Its fields are called like those that are taken.
    pub entity: EntityName,
    /// The field by which a record that is seen for the first time finds the row of the same person or thing.
    pub by: FieldName,
    /// The field with the time since when the record is gone there.
    pub gone: FieldName,
}

/// A value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// Where it stands, in the item.
    pub at: Pointer,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
}

/// How only what has changed is read. What is kept moves on together with the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Where the item, or with `of_answer` the answer, says how far one has come.
    pub at: Pointer,
    /// Whether it stands in the answer and not in the items.
    #[serde(default)]
    pub of_answer: bool,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The input of the reading operation that it goes into.
    pub into: FieldName,
    /// So far back, in seconds, because clocks and commits overlap.
    #[serde(default)]
    pub overlap_seconds: u32,
    /// Most records of one reading, where the provider ends there; then one reads on from the last.
    #[serde(default)]
    pub most_records: Option<u32>,
}

/// How the first time goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backfill {
    /// Everything that is there.
    Everything,
    /// What has changed in so many days: the provider keeps no more, or nobody wants more.
    Days(u32),
    /// Only what comes from now on; why.
    Nothing(String),
}

/// How one sees that a record is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// An operation lists them.
    Read {
        /// The operation.
        operation: FieldName,
        /// Where an item says which record.
        key: Pointer,
    },
    /// The record says it.
    Flag {
        /// Where, in the item.
        at: Pointer,
        /// What stands there then.
        is: String,
    },
    /// Everything is read every so many hours; what is not there is gone.
    FullScan {
        /// How often.
        every_hours: u32,
    },
    /// One does not; why.
    Unseen(String),
}
