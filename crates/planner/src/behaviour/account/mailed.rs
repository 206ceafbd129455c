//! Tokens that are mailed: whoever sends one back reads the mail of its address. The outbox tells of a token by its id; what is mailed is
//! made of that and the servers' secret, so that neither the outbox nor the table of tokens lets anybody in.

use super::super::{column_name, field_name, slot};
use super::{fields, input, insert, is, one, refused, row, said, text};
use plan::procedure::{Generated, Item, LimitKey, Outcome, Step, Writes};
use plan::query::{Predicate, RowLock, Write};
use plan::shape::ShapeField;
use plan::value::Comparison;
use plan::{Problem, Value, system};
use vocab::{Datum, EventName, FieldName, FieldType, PolicyName};

/// The policy under which mails to one address count.
pub const MAILS: &str = "account_mails";

/// What a token may be used for.
#[derive(Clone, Copy)]
pub struct Purpose {
    pub word: &'static str,
    lifetime_seconds: u32,
}

/// The address is the account's own.
pub const VERIFICATION: Purpose = Purpose { word: "verification", lifetime_seconds: 259_200 };
/// Another password.
pub const RESET: Purpose = Purpose { word: "password_reset", lifetime_seconds: 3_600 };
/// Another address.
pub const EMAIL_CHANGE: Purpose = Purpose { word: "email_change", lifetime_seconds: 86_400 };

/// An account for somebody who was invited.
pub const INVITATION: Purpose = Purpose { word: "invitation", lifetime_seconds: 604_800 };
/// Nothing at all: it is mailed to nobody, and no step looks for it.
const NOTHING: Purpose = Purpose { word: "nothing", lifetime_seconds: 3_600 };

/// An event with its name and what it holds.
pub type Told = (EventName, Vec<(FieldName, FieldType)>);

/// Counts a mail to the address that the request names, whether anybody has it or not.
pub fn counted() -> Item {
    let policy = PolicyName::parse(MAILS).expect("a literal that is a name");
    Item::Do(Step::Limit { policy, by: LimitKey::Field(slot("input"), field_name("email")) })
}

/// `let token_id = ...`, `let token_hash = ...`
pub fn made() -> [Item; 3] {
    [
        Item::Let(slot("token_id"), Step::Generate(Generated::Uuid)),
        Item::Let(slot("token"), Step::Successor(Value::Slot(slot("token_id")))),
        Item::Let(slot("token_hash"), Step::Digest(Value::Slot(slot("token")))),
    ]
}

/// Keeps the hash of the token; those of the address that are over go.
pub fn kept(purpose: Purpose, user: Value, email: Value) -> Vec<Item> {
    kept_for(purpose, user, email, None)
}

/// The same with the role of an invitation.
pub fn kept_for(purpose: Purpose, user: Value, email: Value, role: Option<Value>) -> Vec<Item> {
    let table = system::mailed_tokens();
    let over =
        vec![is("email", email.clone()), Predicate::Compare(column_name("expires_at"), Comparison::AtMost, Value::Now)];
    let mut values = vec![
        ("id", Value::Slot(slot("token_id"))),
        ("hash", Value::Slot(slot("token_hash"))),
        ("purpose", text(purpose.word)),
        ("user_id", user),
        ("email", email),
        ("created_at", Value::Now),
        ("expires_at", Value::After(purpose.lifetime_seconds)),
    ];
    values.extend(role.map(|role| ("role", role)));
    vec![Item::Do(Step::Write(Write::Delete { table: table.name.clone(), filter: over })), insert(&table, values)]
}

/// Has it mailed.
pub fn mailed(event: &str, user: Value, email: Value) -> Item {
    let token = (field_name("token"), Value::Slot(slot("token_id")));
    let payload = [(field_name("user_id"), user), (field_name("email"), email), token];
    Item::Do(Step::Emit { id: None, event: named(event), payload: payload.into() })
}

/// Tells somebody of what was done, without a token.
pub fn noticed(event: &str, user: Value, email: Value) -> Item {
    let payload = [(field_name("user_id"), user), (field_name("email"), email)];
    Item::Do(Step::Emit { id: None, event: named(event), payload: payload.into() })
}

/// What is written where nobody is mailed to, so that it takes as long: a token that is good for nothing, and an event that says nothing.
pub fn unmatched(event: &str) -> Vec<Item> {
    let mut items = kept(NOTHING, Value::Literal(Datum::Null), input("email"));
    items.push(Item::Do(Step::Emit { id: None, event: named(event), payload: Vec::new() }));
    items
}

pub fn told_by_mail(event: &str) -> Told {
    let held = [("user_id", FieldType::Uuid), ("email", FieldType::Email), ("token", FieldType::Uuid)];
    (named(event), fields(&held))
}

pub fn told_as_notice(event: &str) -> Told {
    (named(event), fields(&[("user_id", FieldType::Uuid), ("email", FieldType::Email)]))
}

pub fn told_of_nobody(event: &str) -> Told {
    (named(event), Vec::new())
}

fn named(event: &str) -> EventName {
    EventName::parse(event).expect("a literal that is a name")
}

/// The token that somebody sends back.
pub fn sent_back() -> ShapeField {
    said(
        "token",
        FieldType::Line { max: 100 },
        None,
        1,
        "The token of the mail, which stands behind `#token=` in its link.",
    )
}

/// `let hash = ...`
pub fn digested() -> Item {
    Item::Let(slot("hash"), Step::Digest(input("token")))
}

/// Whether a token may be used again while it lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    Once,
    Again,
}

/// `let <name> = ...`: whose token it is; or the end, where it is good for nothing.
pub fn good(name: &str, purpose: Purpose, uses: Uses, lock: RowLock) -> [Item; 2] {
    let mut filter = vec![
        is("hash", Value::Slot(slot("hash"))),
        is("purpose", text(purpose.word)),
        Predicate::Compare(column_name("expires_at"), Comparison::Greater, Value::Now),
    ];
    if uses == Uses::Once {
        filter.push(Predicate::Null(column_name("used_at")));
    }
    let read = one(&system::mailed_tokens(), &["user_id", "email", "role"], filter, lock);
    [Item::Let(slot(name), read), unless_expired(name)]
}

/// The account of whoever has sent a token back: the address is proved by it, and the password is the one of this request.
pub fn account(role: Value) -> Item {
    insert(
        &system::accounts(),
        vec![
            ("user_id", row("mailed", "user_id")),
            ("password_hash", Value::Slot(slot("password_hash"))),
            ("role", role),
            ("email_verified_at", Value::Now),
            ("password_changed_at", Value::Now),
            ("created_at", Value::Now),
        ],
    )
}

/// The end, where the row is not there.
pub fn unless_expired(name: &str) -> Item {
    let gone = vec![refused(Problem::LinkExpired, Writes::Undo)];
    Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)])
}

/// No token for that is good any more of whoever has sent one back.
pub fn used(purpose: Purpose) -> Item {
    used_of(purpose, row("mailed", "user_id"))
}

/// No token of the user for that is good any more.
pub fn used_of(purpose: Purpose, user: Value) -> Item {
    let of_user = vec![is("user_id", user), is("purpose", text(purpose.word)), Predicate::Null(column_name("used_at"))];
    Item::Do(super::update(&system::mailed_tokens(), vec![("used_at", Value::Now)], of_user))
}
