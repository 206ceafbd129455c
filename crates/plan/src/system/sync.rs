//! The tables of what is read from providers again and again: how far that has come, and which row each record there belongs to.

use super::{column_name, optional, required, table_name};
use crate::database::{Rules, Sensitivity, Table};
use vocab::FieldType;

/// Longest name of an integration: that of a task.
const TASK_ID: u32 = 100;
/// Longest name of a sync.
const NAME: u32 = 63;
/// Longest key of a record at a provider.
pub const REMOTE_KEY: u32 = 255;

/// Both of them.
#[must_use]
pub fn of_syncs() -> [Table; 2] {
    [sync_states(), sync_links()]
}

/// How far a sync has come: written with each page, so that whoever comes next goes on there.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn sync_states() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    Table {
        name: table_name("sync_states"),
        comment: "how far records of providers were read".to_owned(),
        columns: vec![
            plain("integration", FieldType::Line { max: TASK_ID }, "the task that integrates the service"),
            plain("sync", FieldType::Line { max: NAME }, "which records"),
            optional("changed_until", FieldType::Timestamp, "changes up to then are here; null: not everything is yet"),
            optional("reading_since", FieldType::Timestamp, "what the reading that is under way has come to"),
            optional("page", FieldType::Text { max: 10_000 }, "what leads to its next page, JSON"),
            plain("records", FieldType::Integer, "records that were read, and seen anew"),
            plain("left_out", FieldType::Integer, "of those, the ones that could not be kept"),
            optional("problem", FieldType::Text { max: 1000 }, "what went wrong last"),
            optional("problem_code", FieldType::Line { max: 200 }, "the same in one word"),
            plain("failures", FieldType::Integer, "how often in a row it went wrong"),
            plain("due_at", FieldType::Timestamp, "before that nothing is read"),
            optional("ended_at", FieldType::Timestamp, "when everything that had changed was here last"),
            optional("gone_read_at", FieldType::Timestamp, "when it was read last what is gone there"),
            optional("lease", FieldType::Uuid, "who reads; nobody else may record anything"),
            optional("leased_until", FieldType::Timestamp, "then somebody else may"),
        ],
        primary_key: ["integration", "sync"].map(column_name).to_vec(),
        unique: Vec::new(),
        rules: Rules::default(),
    }
}

/// Which row a record of a provider belongs to.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn sync_links() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    Table {
        name: table_name("sync_links"),
        comment: "which row each record of a provider belongs to".to_owned(),
        columns: vec![
            plain("integration", FieldType::Line { max: TASK_ID }, "the task that integrates the service"),
            plain("sync", FieldType::Line { max: NAME }, "which records"),
            plain("remote_key", FieldType::Line { max: REMOTE_KEY }, "which one it is there"),
            plain("row_id", FieldType::Uuid, "the row"),
            plain("digest", FieldType::Line { max: 64 }, "the SHA-256 of what was taken of it last"),
            plain("changed_at", FieldType::Timestamp, "when it was changed there, as of then"),
            optional("gone_at", FieldType::Timestamp, "since when it is gone there"),
        ],
        primary_key: ["integration", "sync", "remote_key"].map(column_name).to_vec(),
        unique: Vec::new(),
        rules: Rules::default(),
    }
}
