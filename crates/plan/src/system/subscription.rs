//! The table of those who are told of events at addresses of their own.

use super::accounts::leading;
use super::{column_name, optional, required, table_name};
use crate::database::{Column, Nullability, Rules, Sensitivity, Table};
use vocab::FieldType;

/// The same where each is of a user, and goes with it.
///
/// # Panics
/// As [`webhook_subscriptions`].
#[must_use]
pub fn webhook_subscriptions_of_users() -> Table {
    let why = "a subscription of a user is nothing without the user";
    Table { rules: leading("webhook_subscriptions", "user_id", "users", "id", why), ..webhook_subscriptions() }
}

/// Subscriptions, each with what its secret is made of.
///
/// # Panics
/// Never: the names are literals and a test builds the table.
#[must_use]
pub fn webhook_subscriptions() -> Table {
    let plain = |name: &str, kind, comment: &str| required(name, kind, Sensitivity::Plain, comment);
    let secret = |name: &str, nullability, comment: &str| Column {
        nullability,
        ..required(name, FieldType::Uuid, Sensitivity::Secret, comment)
    };
    Table {
        name: table_name("webhook_subscriptions"),
        comment: "who is told of events, at an address of their own".to_owned(),
        columns: vec![
            plain("id", FieldType::Uuid, "also what its deliveries are called by"),
            optional("user_id", FieldType::Uuid, "whose it is, and whose events it hears of; null: all of them"),
            plain("url", FieldType::Url, "where events are sent"),
            optional("events", FieldType::Json, "their names, as a list; null: all that are offered"),
            optional("description", FieldType::Line { max: 200 }, "what its owner calls it"),
            plain(
                "status",
                FieldType::Choice { words: ["active", "disabled"].map(str::to_owned).into() },
                "whether it is told of anything",
            ),
            optional("rate_limit", FieldType::Integer, "how many deliveries are begun in a second at most"),
            secret("secret_id", Nullability::NotNull, "what its secret is made of, with that of the servers"),
            secret("old_secret_id", Nullability::Nullable, "what the secret before is made of"),
            optional("old_secret_until", FieldType::Timestamp, "until when the secret before is good too"),
            optional("failing_since", FieldType::Timestamp, "since when nothing has arrived of what was sent"),
            optional("warned_at", FieldType::Timestamp, "when that was told"),
            optional("disabled_at", FieldType::Timestamp, "when it was disabled because of that"),
            plain("created_at", FieldType::Timestamp, "when it was made: of what was before it hears nothing"),
            plain("updated_at", FieldType::Timestamp, "when its owner has changed it last"),
        ],
        primary_key: vec![column_name("id")],
        unique: Vec::new(),
        rules: Rules::default(),
    }
}
