//! The next tokens of a session. A refresh token is good once; sent again within a moment it gives the same successor, because two tabs
//! refresh at once and replies get lost; sent again later it is a copy, and ends the session for whoever has the tokens of it.

use super::super::{Behaved, Given, slot};
use super::{access, body, fields, input, insert, is, one, refused, row, said, tables, text, tokens, update};
use crate::account::SEED_REFRESH_TOKEN;
use plan::procedure::{Item, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock};
use plan::value::{Comparison, Condition};
use plan::{Problem, Value, accounts};
use vocab::{EventName, FieldType};

/// Tells that somebody has a copy of a token.
const EVENT: &str = "session_copied";

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, refresh_tokens] = tables();
    let event = EventName::parse(EVENT).expect("a literal that is a name");
    let unless = |name: &str, problem| {
        let missing = vec![refused(problem, Writes::Keep)];
        Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, missing)])
    };
    let payload = [("user_id", "user_id"), ("session_id", "id")];
    let payload = payload.map(|(name, column)| (super::field_name(name), row("session", column)));
    let copied = vec![
        Item::Do(update(
            &sessions,
            vec![("revoked_at", Value::Now), ("revoked_because", text("copied"))],
            vec![is("id", row("session", "id"))],
        )),
        Item::Do(Step::Emit { id: None, event: event.clone(), payload: payload.to_vec() }),
        refused(Problem::InvalidToken, Writes::Keep),
    ];
    let first = vec![
        Item::Do(update(
            &refresh_tokens,
            vec![("used_at", Value::Now), ("reusable_until", Value::After(accounts::REUSE_WINDOW))],
            vec![is("hash", Value::Slot(slot("hash")))],
        )),
        insert(
            &refresh_tokens,
            vec![
                ("hash", Value::Slot(slot("next_hash"))),
                ("session_id", row("session", "id")),
                ("created_at", Value::Now),
            ],
        ),
        Item::Do(update(
            &sessions,
            vec![("refreshed_at", Value::Now), ("expires_at", Value::After(accounts::SESSION_LIFETIME))],
            vec![is("id", row("session", "id"))],
        )),
    ];
    let was_used = Condition::Present(row("token", "used_at"));
    let is_repeatable = Condition::Compare(row("token", "reusable_until"), Comparison::AtLeast, Value::Now);
    let lives = vec![
        is("id", row("token", "session_id")),
        Predicate::Null(super::column_name("revoked_at")),
        Predicate::Compare(super::column_name("expires_at"), Comparison::Greater, Value::Now),
    ];
    let mut items = given.guards();
    items.extend([
        body(
            "Refresh",
            vec![said(
                "refresh_token",
                FieldType::Line { max: 100 },
                None,
                1,
                "The newest refresh token of the session.",
            )],
        ),
        Item::Let(slot("hash"), Step::Digest(input("refresh_token"))),
        Item::Let(slot("next"), Step::Successor(input("refresh_token"))),
        Item::Let(slot("next_hash"), Step::Digest(Value::Slot(slot("next")))),
        Item::Transaction(vec![
            Item::Let(
                slot("token"),
                one(
                    &refresh_tokens,
                    &["session_id", "used_at", "reusable_until"],
                    vec![is("hash", Value::Slot(slot("hash")))],
                    RowLock::ForUpdate,
                ),
            ),
            unless("token", Problem::InvalidToken),
            Item::Let(slot("session"), one(&sessions, &["id", "user_id"], lives, RowLock::ForUpdate)),
            unless("session", Problem::InvalidToken),
            Item::Let(
                slot("account"),
                one(
                    &accounts,
                    &["role"],
                    vec![is("user_id", row("session", "user_id")), Predicate::Null(super::column_name("disabled_at"))],
                    RowLock::None,
                ),
            ),
            unless("account", Problem::AccountDisabled),
            Item::Let(slot("used"), Step::Check(was_used)),
            Item::Match(
                slot("used"),
                vec![
                    (
                        Outcome::Yes,
                        vec![
                            Item::Let(slot("repeated"), Step::Check(is_repeatable)),
                            Item::Match(slot("repeated"), vec![(Outcome::Yes, Vec::new()), (Outcome::No, copied)]),
                        ],
                    ),
                    (Outcome::No, first),
                ],
            ),
        ]),
        access(row("session", "user_id"), row("session", "id"), row("account", "role")),
        Item::Exit(tokens(Value::Slot(slot("next"))), Writes::Keep),
    ]);
    Behaved {
        summary: "gives the next tokens of a session, and ends one whose token was copied".to_owned(),
        body: items,
        table: Some(given.table()),
        events: vec![(event, fields(&[("user_id", FieldType::Uuid), ("session_id", FieldType::Uuid)]))],
        example: serde_json::json!({ "refresh_token": SEED_REFRESH_TOKEN }),
    }
}
