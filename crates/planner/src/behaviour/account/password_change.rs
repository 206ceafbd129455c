//! Another password, by whoever knows the old one. Every other session of the account ends with it.

use super::super::{Behaved, Given, column_name, slot};
use super::{body, caller, input, is, new_password, nothing, one, password, refused, row, tables, text, update};
use crate::account::SEED_PASSWORD;
use plan::procedure::{Item, LimitKey, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock};
use plan::value::Comparison;
use plan::{Problem, Value};
use vocab::PolicyName;

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, _] = tables();
    let own = || vec![is("user_id", caller("user_id"))];
    let policy = || PolicyName::parse(super::FAILED_LOGINS).expect("a literal that is a name");
    let gone = vec![refused(Problem::InvalidToken, Writes::Keep)];
    let wrong = vec![
        Item::Do(Step::Limit { policy: policy(), by: LimitKey::Principal }),
        refused(Problem::WrongCredentials, Writes::Keep),
    ];
    let others = vec![
        is("user_id", caller("user_id")),
        Predicate::Compare(column_name("id"), Comparison::NotEqual, caller("session_id")),
        Predicate::Null(column_name("revoked_at")),
    ];
    let mut items = given.guards();
    items.extend([
        body(
            "PasswordChange",
            vec![password("current_password", "The password so far."), new_password("new_password")],
        ),
        Item::Do(Step::Spare { policy: policy(), by: LimitKey::Principal }),
        Item::Let(slot("account"), one(&accounts, &["password_hash"], own(), RowLock::None)),
        Item::Match(slot("account"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
        Item::Let(
            slot("right"),
            Step::VerifyPassword { password: input("current_password"), hash: row("account", "password_hash") },
        ),
        Item::Match(slot("right"), vec![(Outcome::Yes, Vec::new()), (Outcome::No, wrong)]),
        Item::Let(slot("hash"), Step::HashPassword(input("new_password"))),
        Item::Transaction(vec![
            Item::Do(update(
                &accounts,
                vec![("password_hash", Value::Slot(slot("hash"))), ("password_changed_at", Value::Now)],
                own(),
            )),
            Item::Do(update(
                &sessions,
                vec![("revoked_at", Value::Now), ("revoked_because", text("password"))],
                others,
            )),
            nothing(Writes::Keep),
        ]),
    ]);
    Behaved {
        summary: "changes the caller's password and ends every other session of the account".to_owned(),
        body: items,
        table: Some(given.table()),
        event: None,
        example: serde_json::json!({ "current_password": SEED_PASSWORD, "new_password": "another horse, battery & staple" }),
    }
}
