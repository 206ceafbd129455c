//! Proving an address: whoever has the token of the mail reads it. Also the mail once more, for whoever is signed in.

use super::super::newsletter_subscribe::accepted;
use super::super::{Behaved, Given, slot};
use super::mailed::{self, Uses, VERIFICATION};
use super::{body, caller, is, nothing, one, refused, row, tables, update};
use crate::account::SEED_VERIFICATION_TOKEN;
use plan::procedure::{Item, LimitKey, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock};
use plan::{Problem, Value};
use vocab::PolicyName;

/// What asks somebody to prove the address.
pub const EVENT: &str = "account_verification";
/// Tells that it was done.
const DONE: &str = "email_verified";

/// With the token.
pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let of_user = vec![is("id", row("mailed", "user_id")), is("email", row("mailed", "email"))];
    let first = vec![is("user_id", row("mailed", "user_id")), Predicate::Null(super::column_name("email_verified_at"))];
    let told = mailed::noticed(DONE, row("mailed", "user_id"), row("mailed", "email"));
    let mut items = given.guards();
    items.extend([body("MailedToken", vec![mailed::sent_back()]), mailed::digested()]);
    let mut proved = Vec::new();
    // A link that is opened twice has proved the same twice.
    proved.extend(mailed::good("mailed", VERIFICATION, Uses::Again, RowLock::ForUpdate));
    proved.extend([
        Item::Let(slot("user"), one(&given.table(), &["id"], of_user, RowLock::None)),
        mailed::unless_expired("user"),
        Item::Let(slot("proved"), update(&accounts, vec![("email_verified_at", Value::Now)], first)),
        Item::Match(slot("proved"), vec![(Outcome::Changed, vec![told]), (Outcome::Unchanged, Vec::new())]),
        mailed::used(VERIFICATION),
        nothing(Writes::Keep),
    ]);
    items.push(Item::Transaction(proved));
    Behaved {
        summary: "proves the address of an account with the token that was mailed to it".to_owned(),
        body: items,
        table: Some(given.table()),
        events: vec![mailed::told_as_notice(DONE)],
        example: serde_json::json!({ "token": SEED_VERIFICATION_TOKEN }),
    }
}

/// The mail once more.
pub fn again(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let policy = PolicyName::parse(mailed::MAILS).expect("a literal that is a name");
    let gone = vec![refused(Problem::InvalidToken, Writes::Undo)];
    let (id, email) = (|| row("user", "id"), || row("user", "email"));
    let unproved = vec![is("user_id", caller("user_id")), Predicate::Null(super::column_name("email_verified_at"))];
    let mut mails = mailed::kept(VERIFICATION, id(), email());
    mails.push(mailed::mailed(EVENT, id(), email()));
    let mut items = given.guards();
    items.push(Item::Do(Step::Limit { policy, by: LimitKey::Principal }));
    items.extend(mailed::made());
    items.push(Item::Transaction(vec![
        Item::Let(
            slot("user"),
            one(&given.table(), &["id", "email"], vec![is("id", caller("user_id"))], RowLock::None),
        ),
        Item::Match(slot("user"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
        Item::Let(slot("unproved"), one(&accounts, &["user_id"], unproved, RowLock::None)),
        Item::Match(slot("unproved"), vec![(Outcome::Found, mails), (Outcome::Missing, Vec::new())]),
        Item::Exit(accepted(), Writes::Keep),
    ]));
    Behaved {
        summary: "mails the caller once more what proves the address, where it is not proved yet".to_owned(),
        body: items,
        table: Some(given.table()),
        events: vec![mailed::told_by_mail(EVENT)],
        example: serde_json::Value::Null,
    }
}
