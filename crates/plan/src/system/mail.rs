//! The table of addresses to which no mail goes.

use super::{column_name, required, table_name};
use crate::database::{Column, Nullability, Rules, Sensitivity, Table};
use vocab::FieldType;

/// Longest text about an address: as long as a provider's may be.
const SAID: u32 = 2000;

/// Addresses that are not written to, each with a reason why not.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn mail_suppressions() -> Table {
    Table {
        name: table_name("mail_suppressions"),
        comment: "addresses to which mails do not go, and why".to_owned(),
        columns: vec![
            required("address", FieldType::Email, Sensitivity::Personal, "whose it is; case says nothing"),
            required("reason", FieldType::Line { max: 20 }, Sensitivity::Plain, "bounce, complaint or manual"),
            required("suppressed_at", FieldType::Timestamp, Sensitivity::Plain, "since when"),
            Column {
                nullability: Nullability::Nullable,
                ..required("said", FieldType::Text { max: SAID }, Sensitivity::Personal, "what was said of it")
            },
        ],
        primary_key: ["address", "reason"].map(column_name).to_vec(),
        unique: Vec::new(),
        rules: Rules::default(),
    }
}
