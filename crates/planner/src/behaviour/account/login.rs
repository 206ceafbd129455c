//! Signing in: address and password begin a session. What is wrong with them is told to nobody: an unknown address costs as much time
//! and gets the same answer as a wrong password, and both count for the address that was tried.

use super::super::{Behaved, Given, column_name, slot};
use super::{access, address, body, failure, insert, is, nothing, one, password, refused, row, tables, tokens};
use crate::account::{SEED_EMAIL, SEED_PASSWORD};
use plan::procedure::{Generated, Item, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock, Write};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Problem, Table, Value, accounts};
use vocab::Datum;

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, refresh_tokens] = tables();
    let users = given.table();
    let (policy, by) = failure("email");
    let count = || Item::Do(Step::Limit { policy: policy.clone(), by: by.clone() });
    let wrong = || vec![count(), refused(Problem::WrongCredentials, Writes::Keep)];
    // Nobody is there: the time that a comparison takes is spent all the same.
    let nobody = |name: &str| {
        let hash = Value::Literal(Datum::Null);
        let compared = Step::VerifyPassword { password: super::input("password"), hash };
        std::iter::once(Item::Let(slot(name), compared)).chain(wrong()).collect::<Vec<_>>()
    };
    let over = vec![
        is("user_id", row("user", "id")),
        Predicate::Compare(column_name("expires_at"), Comparison::AtMost, Value::Now),
    ];
    let mut items = given.guards();
    if given.known_by.takes_cookies() {
        // A page that signs somebody in as another would get to see what they enter then.
        items.push(Item::Do(Step::SameOrigin));
    }
    items.extend([
        body("Login", vec![address(), password("password", "The password of the account.")]),
        Item::Do(Step::Spare { policy: policy.clone(), by: by.clone() }),
        Item::Let(slot("user"), one(&users, &["id"], vec![is("email", super::input("email"))], RowLock::None)),
        Item::Match(slot("user"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, nobody("unknown"))]),
        Item::Let(
            slot("account"),
            one(
                &accounts,
                &["password_hash", "role", "disabled_at"],
                vec![is("user_id", row("user", "id"))],
                RowLock::None,
            ),
        ),
        Item::Match(slot("account"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, nobody("no_account"))]),
        Item::Let(
            slot("right"),
            Step::VerifyPassword { password: super::input("password"), hash: row("account", "password_hash") },
        ),
        Item::Match(slot("right"), vec![(Outcome::Yes, Vec::new()), (Outcome::No, wrong())]),
        Item::Let(slot("disabled"), Step::Check(Condition::Present(row("account", "disabled_at")))),
        Item::Match(
            slot("disabled"),
            vec![(Outcome::Yes, vec![refused(Problem::AccountDisabled, Writes::Keep)]), (Outcome::No, Vec::new())],
        ),
        Item::Let(slot("session"), Step::Generate(Generated::Uuid)),
    ]);
    items.extend(begun(given, &sessions, &refresh_tokens, over));
    Behaved {
        summary: "signs somebody in with address and password".to_owned(),
        body: items,
        table: Some(users),
        events: Vec::new(),
        example: serde_json::json!({ "email": SEED_EMAIL, "password": SEED_PASSWORD }),
    }
}

/// A session, with what proves it from now on, and the answer that hands this over.
fn begun(given: &Given<'_>, sessions: &Table, refresh_tokens: &Table, over: Vec<Predicate>) -> Vec<Item> {
    let (tokens_taken, cookies_taken) = (given.known_by.takes_tokens(), given.known_by.takes_cookies());
    let secret = |name: &str, hash: &str| {
        let made = Item::Let(slot(name), Step::Generate(Generated::Token { bytes: 32 }));
        [made, Item::Let(slot(hash), Step::Digest(Value::Slot(slot(name))))]
    };
    let mut session = vec![
        ("id", Value::Slot(slot("session"))),
        ("user_id", row("user", "id")),
        ("created_at", Value::Now),
        ("refreshed_at", Value::Now),
        ("expires_at", Value::After(accounts::SESSION_LIFETIME)),
        ("address", Value::Request(RequestValue::Address)),
    ];
    let (mut items, mut rows) = (Vec::new(), Vec::new());
    if cookies_taken {
        items.extend(secret("cookie", "cookie_hash"));
        session.push(("token_hash", Value::Slot(slot("cookie_hash"))));
    }
    if tokens_taken {
        items.extend(secret("refresh", "refresh_hash"));
        rows.push(insert(
            refresh_tokens,
            vec![
                ("hash", Value::Slot(slot("refresh_hash"))),
                ("session_id", Value::Slot(slot("session"))),
                ("created_at", Value::Now),
            ],
        ));
    }
    // What has ended long ago goes with its tokens, so that nothing grows with the years.
    let mut changes = vec![Item::Do(Step::Write(Write::Delete { table: sessions.name.clone(), filter: over }))];
    changes.push(insert(sessions, session));
    changes.extend(rows);
    items.push(Item::Transaction(changes));
    if cookies_taken {
        items.push(Item::Do(Step::SetSession(Some(Value::Slot(slot("cookie"))))));
    }
    if tokens_taken {
        items.push(access(row("user", "id"), Value::Slot(slot("session")), row("account", "role")));
        items.push(Item::Exit(tokens(Value::Slot(slot("refresh"))), Writes::Keep));
    } else {
        items.push(nothing(Writes::Keep));
    }
    items
}
