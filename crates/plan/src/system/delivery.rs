//! The tables of deliveries: what is to become of events, what was tried, and what is remembered of the answers.

use super::{column_name, index, indexed, optional, required, table_name};
use crate::database::{Column, Nullability, Rules, Sensitivity, Table};
use vocab::FieldType;

/// Longest name of an integration: that of a task.
const TASK_ID: u32 = 100;
/// A SHA-256 as lower-case hex.
const DIGEST: u32 = 64;
/// Longest word of a state or an outcome.
const WORD: u32 = 20;
/// Longest sentence about what went wrong.
const PROBLEM: u32 = 1000;

/// All of them.
#[must_use]
pub fn of_deliveries() -> [Table; 3] {
    [deliveries(), delivery_attempts(), remembered_values()]
}

/// One event that is brought to one integration, and how far it is.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn deliveries() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    let lease =
        index("outbox_deliveries", &["integration", "state", "priority", "due_at"], "what is due for an integration");
    Table {
        name: table_name("outbox_deliveries"),
        comment: "events on their way to the services that are integrated".to_owned(),
        columns: vec![
            plain("id", FieldType::Uuid, "also the key by which a provider knows a repetition"),
            plain("event_id", FieldType::Uuid, "the event in `outbox_events`"),
            plain("event", FieldType::Line { max: 63 }, "the event's name"),
            plain("integration", FieldType::Line { max: TASK_ID }, "the task that integrates the service"),
            plain("provider", FieldType::Line { max: 63 }, "whose service it is"),
            plain("priority", FieldType::Integer, "the lower ones go first"),
            optional("order_key", FieldType::Line { max: DIGEST }, "those with the same go one behind the other"),
            plain("state", FieldType::Line { max: WORD }, "waiting, working, delivered or dead"),
            plain("attempts", FieldType::Integer, "how often it was tried in vain"),
            plain("due_at", FieldType::Timestamp, "before that it is not tried"),
            optional("lease", FieldType::Uuid, "who works on it; nobody else may record anything"),
            optional("leased_at", FieldType::Timestamp, "when they began with it"),
            optional("leased_until", FieldType::Timestamp, "then it is taken from whoever works on it"),
            plain("in_doubt", FieldType::Boolean, "whether the last attempt may have had an effect"),
            Column {
                nullability: Nullability::Nullable,
                ..required("progress", FieldType::Json, Sensitivity::Personal, "answers of the steps that are done")
            },
            optional("problem", FieldType::Text { max: PROBLEM }, "what went wrong last"),
            plain("created_at", FieldType::Timestamp, "when it was made of its event"),
            plain("tried_since", FieldType::Timestamp, "from when on it counts how long it was tried"),
            optional("ended_at", FieldType::Timestamp, "when it was delivered or given up"),
        ],
        primary_key: vec![column_name("id")],
        unique: vec![vec![column_name("event_id"), column_name("integration")]],
        rules: indexed(vec![
            lease,
            index("outbox_deliveries", &["order_key", "integration", "state"], "what goes before one of the same key"),
            index("outbox_deliveries", &["state", "leased_until"], "what nobody works on any more"),
        ]),
    }
}

/// What was tried, for people to look at.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn delivery_attempts() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    Table {
        name: table_name("outbox_attempts"),
        comment: "what was tried to deliver events".to_owned(),
        columns: vec![
            plain("id", FieldType::Uuid, "sorts by time"),
            plain("delivery_id", FieldType::Uuid, "the delivery"),
            plain("started_at", FieldType::Timestamp, "when it began"),
            plain("ended_at", FieldType::Timestamp, "when it ended, or was found to have ended"),
            plain("outcome", FieldType::Line { max: WORD }, "what came of it"),
            optional("code", FieldType::Line { max: 200 }, "the provider's own code of what went wrong"),
            optional("problem", FieldType::Text { max: PROBLEM }, "what went wrong"),
            Column {
                nullability: Nullability::Nullable,
                ..required("record", FieldType::Json, Sensitivity::Personal, "requests and answers, without secrets")
            },
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: indexed(vec![index("outbox_attempts", &["delivery_id", "id"], "the attempts of a delivery")]),
    }
}

/// Tokens of providers at which somebody has agreed: every server of the database uses the same, and one renews them at a time.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn kept_tokens() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    Table {
        name: table_name("outbox_tokens"),
        comment: "tokens of providers at which somebody has agreed; sealed".to_owned(),
        columns: vec![
            plain("name", FieldType::Line { max: 255 }, "of which task, which way and which account"),
            required(
                "sealed",
                FieldType::Text { max: 65_535 },
                Sensitivity::Secret,
                "AES-256-GCM under the servers' secret: nonce and text, base64url; empty: there is none yet",
            ),
            plain("changed_at", FieldType::Timestamp, "when it was kept"),
            optional("lease", FieldType::Uuid, "who renews it; nobody else may"),
            optional("leased_until", FieldType::Timestamp, "then somebody else may"),
        ],
        primary_key: vec![column_name("name")],
        unique: Vec::new(),
        rules: Rules::default(),
    }
}

/// What points keep from one event to the next.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn remembered_values() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    let key = ["integration", "name", "whose"];
    Table {
        name: table_name("outbox_remembered"),
        comment: "what integrations keep from one event to the next".to_owned(),
        columns: vec![
            plain("integration", FieldType::Line { max: TASK_ID }, "the task that integrates the service"),
            plain("name", FieldType::Line { max: 63 }, "what it is"),
            plain(
                "whose",
                FieldType::Line { max: DIGEST },
                "the SHA-256 of the event's field that says of whom or what",
            ),
            required("value", FieldType::Json, Sensitivity::Personal, "what is kept"),
            plain("updated_at", FieldType::Timestamp, "when it was kept"),
        ],
        primary_key: key.map(column_name).to_vec(),
        unique: Vec::new(),
        rules: Rules::default(),
    }
}
