//! Another password without the old one: a mail to the address of the account, and its token. Whoever asks is told nothing of whether
//! there is such an account; whoever has the token reads the account's mail, so the address is proved too. Every session ends.

use super::super::newsletter_subscribe::accepted;
use super::super::{Behaved, Given, slot};
use super::mailed::{self, RESET, Uses};
use super::{address, body, input, is, new_password, nothing, one, register, row, tables, text, update};
use crate::account::{SEED_EMAIL, SEED_RESET_TOKEN};
use plan::Value;
use plan::procedure::{Item, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock};

/// What mails the token.
const EVENT: &str = "password_reset";
/// Tells the owner of the account.
pub const DONE: &str = "password_changed";
/// What is told where nobody has the address.
const NOBODY: &str = "password_reset_unmatched";

/// Asks for the mail.
pub fn ask(given: &Given<'_>) -> Behaved {
    let (id, email) = (|| row("user", "id"), || row("user", "email"));
    let mut mails = mailed::kept(RESET, id(), email());
    mails.push(mailed::mailed(EVENT, id(), email()));
    let users = given.table();
    let mut items = given.guards();
    items.extend([body("PasswordResetRequest", vec![address()]), mailed::counted()]);
    items.extend(mailed::made());
    items.push(Item::Transaction(vec![
        Item::Let(slot("user"), one(&users, &["id", "email"], vec![is("email", input("email"))], RowLock::None)),
        Item::Match(slot("user"), vec![(Outcome::Found, mails), (Outcome::Missing, mailed::unmatched(NOBODY))]),
        Item::Exit(accepted(), Writes::Keep),
    ]));
    Behaved {
        summary: "mails a link for another password, and says the same where nobody has the address".to_owned(),
        body: items,
        table: Some(users),
        events: vec![mailed::told_by_mail(EVENT), mailed::told_of_nobody(NOBODY)],
        example: serde_json::json!({ "email": SEED_EMAIL }),
    }
}

/// With the token.
pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, _] = tables();
    let users = given.table();
    let (user_id, email) = (|| row("mailed", "user_id"), || row("mailed", "email"));
    let (registered, declared) = register::event(given);
    let (columns, tells) = register::of_user(given);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    // Whoever has bought without an account has a row and no account: this makes it one.
    let claimed = vec![mailed::account(text(register::ROLE)), tells];
    let changed = update(
        &accounts,
        vec![
            ("password_hash", Value::Slot(slot("password_hash"))),
            ("password_changed_at", Value::Now),
            ("email_verified_at", Value::Now),
        ],
        vec![is("user_id", user_id())],
    );
    let ended = update(
        &sessions,
        vec![("revoked_at", Value::Now), ("revoked_because", text("password"))],
        vec![is("user_id", user_id()), Predicate::Null(super::column_name("revoked_at"))],
    );
    let mut items = given.guards();
    items.extend([body("PasswordReset", vec![mailed::sent_back(), new_password("new_password")]), mailed::digested()]);
    // Nobody has passwords hashed here with a token that is none.
    items.extend(mailed::good("offered", RESET, Uses::Once, RowLock::None));
    items.push(Item::Let(slot("password_hash"), Step::HashPassword(input("new_password"))));
    let mut reset = Vec::new();
    reset.extend(mailed::good("mailed", RESET, Uses::Once, RowLock::ForUpdate));
    reset.extend([
        Item::Let(slot("user"), one(&users, &columns, vec![is("id", user_id()), is("email", email())], RowLock::None)),
        mailed::unless_expired("user"),
        Item::Let(slot("changed"), changed),
        Item::Match(slot("changed"), vec![(Outcome::Changed, Vec::new()), (Outcome::Unchanged, claimed)]),
        Item::Do(ended),
        mailed::used(RESET),
        mailed::noticed(DONE, user_id(), email()),
        nothing(Writes::Keep),
    ]);
    items.push(Item::Transaction(reset));
    Behaved {
        summary: "sets another password with the token that was mailed, and ends every session of the account"
            .to_owned(),
        body: items,
        table: Some(users),
        events: vec![mailed::told_as_notice(DONE), (registered, declared)],
        example: serde_json::json!({ "token": SEED_RESET_TOKEN, "new_password": "another horse, battery & staple" }),
    }
}
