//! Another password, by whoever knows the old one. Every other session of the account ends with it, and its address is told.

use super::super::{Behaved, Given, column_name, slot};
use super::password_reset::DONE;
use super::{
    body, caller, input, is, mailed, new_password, nothing, one, password, refused, row, tables, text, update,
};
use crate::account::SEED_PASSWORD;
use plan::procedure::{Item, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock};
use plan::value::Comparison;
use plan::{Problem, Value};

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, _] = tables();
    let gone = vec![refused(Problem::InvalidToken, Writes::Undo)];
    let others = vec![
        is("user_id", caller("user_id")),
        Predicate::Compare(column_name("id"), Comparison::NotEqual, caller("session_id")),
        Predicate::Null(column_name("revoked_at")),
    ];
    let mut items = given.guards();
    items.push(body(
        "PasswordChange",
        vec![password("current_password", "The password so far."), new_password("new_password")],
    ));
    items.extend(super::proved_by_password("current_password"));
    items.extend([
        Item::Let(slot("hash"), Step::HashPassword(input("new_password"))),
        Item::Transaction(vec![
            Item::Let(slot("user"), one(&given.table(), &["email"], vec![is("id", caller("user_id"))], RowLock::None)),
            Item::Match(slot("user"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
            Item::Do(update(
                &accounts,
                vec![("password_hash", Value::Slot(slot("hash"))), ("password_changed_at", Value::Now)],
                vec![is("user_id", caller("user_id"))],
            )),
            Item::Do(update(
                &sessions,
                vec![("revoked_at", Value::Now), ("revoked_because", text("password"))],
                others,
            )),
            // A link for another password that is still under way would let somebody in who was locked out by this.
            mailed::used_of(mailed::RESET, caller("user_id")),
            mailed::noticed(DONE, caller("user_id"), row("user", "email")),
            nothing(Writes::Keep),
        ]),
    ]);
    Behaved {
        summary: "changes the caller's password and ends every other session of the account".to_owned(),
        body: items,
        table: Some(given.table()),
        events: vec![mailed::told_as_notice(DONE)],
        example: serde_json::json!({ "current_password": SEED_PASSWORD, "new_password": "another horse, battery & staple" }),
    }
}
