//! Another address: the password is asked for, the new address is mailed to, and nothing changes before its token comes back. The old
//! address is told then. Whether somebody has the new one already shows to nobody before that.

use super::super::newsletter_subscribe::accepted;
use super::super::{Behaved, Given, column_name, slot};
use super::mailed::{self, EMAIL_CHANGE, RESET, Uses, VERIFICATION};
use super::{address, body, caller, input, is, nothing, one, password, row, tables, update};
use crate::account::{SEED_EMAIL_TOKEN, SEED_PASSWORD};
use plan::Value;
use plan::procedure::{Item, Outcome, Step, Writes};
use plan::query::{Assigned, RowLock, Write};

/// What mails the token to the new address.
const EVENT: &str = "email_change";
/// Tells the old address.
const DONE: &str = "email_changed";
/// What is told where somebody has the new address.
const TAKEN: &str = "email_change_unmatched";

/// Asks for it.
pub fn ask(given: &Given<'_>) -> Behaved {
    let users = given.table();
    let mut mails = mailed::kept(EMAIL_CHANGE, caller("user_id"), input("email"));
    mails.push(mailed::mailed(EVENT, caller("user_id"), input("email")));
    let mut items = given.guards();
    let fields = vec![address(), password("password", "The password of the account.")];
    items.push(body("EmailChange", fields));
    items.extend(super::proved_by_password("password"));
    items.push(mailed::counted());
    items.extend(mailed::made());
    items.push(Item::Transaction(vec![
        Item::Let(slot("other"), one(&users, &["id"], vec![is("email", input("email"))], RowLock::None)),
        Item::Match(slot("other"), vec![(Outcome::Found, mailed::unmatched(TAKEN)), (Outcome::Missing, mails)]),
        Item::Exit(accepted(), Writes::Keep),
    ]));
    Behaved {
        summary: "mails a link to another address, which becomes the account's when it is opened".to_owned(),
        body: items,
        table: Some(users),
        events: vec![mailed::told_by_mail(EVENT), mailed::told_of_nobody(TAKEN)],
        example: serde_json::json!({ "email": "ada.lovelace@example.com", "password": SEED_PASSWORD }),
    }
}

/// With the token.
pub fn confirm(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let user_id = || row("mailed", "user_id");
    let moved = Write::Update {
        table: users.name.clone(),
        set: vec![
            (column_name("email"), Assigned::Value(row("mailed", "email"))),
            (column_name("updated_at"), Assigned::Value(Value::Now)),
            (column_name("row_version"), Assigned::Plus(1)),
        ],
        filter: vec![is("id", user_id())],
    };
    let proved = update(&accounts, vec![("email_verified_at", Value::Now)], vec![is("user_id", user_id())]);
    let mut items = given.guards();
    items.extend([body("MailedToken", vec![mailed::sent_back()]), mailed::digested()]);
    let mut changes = Vec::new();
    changes.extend(mailed::good("mailed", EMAIL_CHANGE, Uses::Once, RowLock::ForUpdate));
    changes.extend([
        Item::Let(slot("user"), one(&users, &["email"], vec![is("id", user_id())], RowLock::ForUpdate)),
        mailed::unless_expired("user"),
        Item::Do(Step::Write(moved)),
        Item::Do(proved),
        mailed::used(EMAIL_CHANGE),
        // What was mailed to the old address is good for nothing any more.
        mailed::used(VERIFICATION),
        mailed::used(RESET),
        mailed::noticed(DONE, user_id(), row("user", "email")),
        nothing(Writes::Keep),
    ]);
    items.push(Item::Transaction(changes));
    Behaved {
        summary: "makes another address the account's with the token that was mailed to it, and tells the old one"
            .to_owned(),
        body: items,
        table: Some(users),
        events: vec![mailed::told_as_notice(DONE)],
        example: serde_json::json!({ "token": SEED_EMAIL_TOKEN }),
    }
}
