//! The tables that APIs and services bring with them: the outbox and what becomes of its events, to whom no mail goes, who subscribes to them, the inbox, the API
//! keys and the answers kept for idempotency keys.

mod accounts;
mod alert;
mod delivery;
mod mail;
mod subscription;
mod sync;

pub use accounts::{accounts, identities, mailed_tokens, of_accounts, refresh_tokens, sessions, signing_keys};
pub use alert::integration_alerts;
pub use delivery::{deliveries, delivery_attempts, kept_tokens, of_deliveries, remembered_values};
pub use mail::mail_suppressions;
pub use subscription::{webhook_subscriptions, webhook_subscriptions_of_users};
pub use sync::{REMOTE_KEY, of_syncs, sync_links, sync_states};

use crate::database::{Column, Compared, Index, Nullability, Rules, Sensitivity, Table, Uniqueness};
use vocab::{ColumnName, FieldType, IndexName, TableName};

/// Longest answer that is kept for an idempotency key, in characters.
pub const MAX_KEPT_BODY: u32 = 4_194_304;

/// Events, written in the transaction of the change they tell of.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn outbox_events() -> Table {
    Table {
        name: table_name("outbox_events"),
        comment: "events, written in the transaction of the change they tell of".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "also the order of events"),
            required("name", FieldType::Line { max: 63 }, Sensitivity::Plain, "what happened"),
            required("payload", FieldType::Json, Sensitivity::Personal, "what there is to know about it"),
            required("occurred_at", FieldType::Timestamp, Sensitivity::Plain, "when"),
            optional("dispatched_at", FieldType::Timestamp, "when its deliveries were made of it; null: not yet"),
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: indexed(vec![index(
            "outbox_events",
            &["dispatched_at", "id"],
            "events of which no deliveries were made yet",
        )]),
    }
}

/// API keys: never the key, only its hash.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn api_keys() -> Table {
    Table {
        name: table_name("api_keys"),
        comment: "API keys by their hash; the key itself is shown once and kept nowhere".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "names the key in logs and limits"),
            required("name", FieldType::Line { max: 100 }, Sensitivity::Plain, "who uses it"),
            required("hint", FieldType::Line { max: 8 }, Sensitivity::Plain, "its first characters"),
            required("hash", FieldType::Line { max: 64 }, Sensitivity::Secret, "SHA-256, lower-case hex"),
            required("created_at", FieldType::Timestamp, Sensitivity::Plain, "when it was made"),
            optional("revoked_at", FieldType::Timestamp, "when it stopped being good"),
            optional("expires_at", FieldType::Timestamp, "from when on it is no longer good"),
            optional("scopes", FieldType::Text { max: 4000 }, "what it may be used for; null: everything"),
            optional("last_used_at", FieldType::Timestamp, "when it was used last, within a minute"),
            optional("replaces", FieldType::Uuid, "the key that it was made to replace"),
            optional("caller", FieldType::Uuid, "the first key of its line, for limits; null: itself"),
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("hash")]],
        rules: Rules::default(),
    }
}

/// Answers by the idempotency key that they were given to. Rows are forgotten after a day; their ids sort by time.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn idempotency_answers() -> Table {
    Table {
        name: table_name("idempotency_answers"),
        comment: "answers by idempotency key, kept for a day with the writes that they tell of".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "sorts by time"),
            required(
                "claim",
                FieldType::Line { max: 64 },
                Sensitivity::Plain,
                "SHA-256 of caller and key, lower-case hex",
            ),
            required(
                "fingerprint",
                FieldType::Line { max: 64 },
                Sensitivity::Plain,
                "SHA-256 of method, path and body, lower-case hex",
            ),
            required("status", FieldType::Integer, Sensitivity::Plain, "the answer's status"),
            required("headers", FieldType::Json, Sensitivity::Plain, "the answer's own headers by lower-case name"),
            Column {
                nullability: Nullability::Nullable,
                ..required("body", FieldType::Text { max: MAX_KEPT_BODY }, Sensitivity::Personal, "the answer's body")
            },
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("claim")]],
        rules: Rules::default(),
    }
}

/// What providers have told, each once.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn inbox_events() -> Table {
    Table {
        name: table_name("inbox_events"),
        comment: "what providers have told, each once".to_owned(),
        columns: vec![
            required("id", FieldType::Uuid, Sensitivity::Plain, "sorts by time"),
            required(
                "integration",
                FieldType::Line { max: 100 },
                Sensitivity::Plain,
                "the task that integrates the service",
            ),
            required(
                "dedup",
                FieldType::Line { max: 64 },
                Sensitivity::Plain,
                "the same where the provider says it again",
            ),
            required("kind", FieldType::Line { max: 200 }, Sensitivity::Plain, "what the provider calls such an event"),
            optional("happened_at", FieldType::Timestamp, "when it happened, as the provider says"),
            required("received_at", FieldType::Timestamp, Sensitivity::Plain, "when it came"),
            Column {
                nullability: Nullability::Nullable,
                ..required(
                    "body",
                    FieldType::Json,
                    Sensitivity::Personal,
                    "the event, where nobody has said what it means",
                )
            },
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("integration"), column_name("dedup")]],
        rules: Rules::default(),
    }
}

fn required(name: &str, field_type: FieldType, sensitivity: Sensitivity, comment: &str) -> Column {
    Column {
        name: column_name(name),
        field_type,
        nullability: Nullability::NotNull,
        default: None,
        sensitivity,
        comment: comment.to_owned(),
    }
}

fn optional(name: &str, field_type: FieldType, comment: &str) -> Column {
    Column { nullability: Nullability::Nullable, ..required(name, field_type, Sensitivity::Plain, comment) }
}

fn indexed(indexes: Vec<Index>) -> Rules {
    Rules { indexes, ..Rules::default() }
}

/// Its name is the table's with the columns'.
fn index(table: &str, columns: &[&str], why: &str) -> Index {
    Index {
        name: IndexName::parse(&format!("{table}_{}_idx", columns.join("_"))).expect("a literal that is a name"),
        columns: columns.iter().map(|column| column_name(column)).collect(),
        uniqueness: Uniqueness::Repeating,
        compared: Compared::Values,
        why: why.to_owned(),
    }
}

fn table_name(text: &str) -> TableName {
    TableName::parse(text).expect("a literal that is a name")
}

fn column_name(text: &str) -> ColumnName {
    ColumnName::parse(text).expect("a literal that is a name")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_can_be_built() {
        assert_eq!(super::outbox_events().columns.len(), 5);
        assert_eq!(super::deliveries().columns.len(), 19);
        assert_eq!(super::delivery_attempts().columns.len(), 8);
        assert_eq!(super::remembered_values().columns.len(), 5);
        assert_eq!(super::kept_tokens().columns.len(), 5);
        assert_eq!(super::of_syncs().map(|table| table.columns.len()), [15, 7]);
        assert_eq!(super::integration_alerts().columns.len(), 5);
        assert_eq!(super::mail_suppressions().columns.len(), 4);
        assert_eq!(super::webhook_subscriptions().columns.len(), 15);
        assert_eq!(super::api_keys().columns.len(), 11);
        assert_eq!(super::idempotency_answers().columns.len(), 6);
        assert_eq!(super::inbox_events().columns.len(), 7);
        assert_eq!(super::of_accounts().map(|table| table.columns.len()), [7, 9, 5, 9, 7]);
        assert_eq!(super::identities().columns.len(), 5);
    }
}
