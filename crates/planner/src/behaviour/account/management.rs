//! Accounts as administrators see them: looked at, given another role, disabled, and invited. Nobody changes the own account here, so that an
//! administrator is always left.

use super::super::{Behaved, Given, column_name, field_name, slot};
use super::mailed::{self, INVITATION, Uses};
use super::{
    body, caller, input, is, new_password, nothing, one, refused, register, row, said, tables, text, told, update,
};
use crate::account::SEED_INVITATION_TOKEN;
use plan::procedure::{Generated, Input, Item, Outcome, Response, ResponseField, Step, Writes};
use plan::query::{Assigned, OnConflict, RowLock, Write};
use plan::shape::{Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Problem, Value};
use vocab::{Datum, EventName, FieldType};

/// What administrators see of an account beside the address.
const SHOWN: [(&str, &str); 5] = [
    ("role", "What the account may do."),
    ("email_verified_at", "When its address was proved."),
    ("disabled_at", "Since when it may not be used."),
    ("password_changed_at", "When its password was set."),
    ("created_at", "When it was made."),
];
/// Tells of a change.
const CHANGED: &str = "account_changed";
/// What mails an invitation.
const INVITED: &str = "account_invitation";

/// Looks at one.
pub fn get(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    items.extend(found(given, "account", RowLock::None));
    items.push(Item::Exit(answer("account"), Writes::Keep));
    Behaved {
        summary: "shows what makes a user an account".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// Gives one another role, disables it, or lets it be used again.
pub fn change(given: &Given<'_>) -> Behaved {
    let [accounts, sessions, _] = tables();
    let optional = |field: ShapeField| ShapeField { presence: Presence::Optional, ..field };
    let shape = Shape {
        name: "AccountChange".to_owned(),
        fields: vec![
            optional(role(given)),
            optional(said(
                "disabled",
                FieldType::Boolean,
                None,
                0,
                "Whether it may not be used; its sessions end with that.",
            )),
        ],
    };
    let whose = || vec![is("user_id", id(given))];
    let asked = |disabled| {
        Step::Check(Condition::Compare(input("disabled"), Comparison::Equal, Value::Literal(Datum::Boolean(disabled))))
    };
    let given_role = Write::Update {
        table: accounts.name.clone(),
        set: vec![(column_name("role"), Assigned::IfGiven(slot("input"), field_name("role")))],
        filter: whose(),
    };
    let disabled = vec![
        Item::Do(update(
            &accounts,
            vec![("disabled_at", Value::Else(Box::new(row("account", "disabled_at")), Box::new(Value::Now)))],
            whose(),
        )),
        Item::Do(update(&sessions, vec![("revoked_at", Value::Now), ("revoked_because", text("disabled"))], whose())),
    ];
    let enabled = vec![Item::Do(update(&accounts, vec![("disabled_at", Value::Literal(Datum::Null))], whose()))];
    let held =
        [("user_id", FieldType::Uuid), ("role", FieldType::Line { max: 63 }), ("disabled_at", FieldType::Timestamp)];
    let payload = held.iter().map(|(name, _)| (field_name(name), row("fresh", name))).collect();
    let event = EventName::parse(CHANGED).expect("a literal that is a name");
    let mut changes = found(given, "account", RowLock::ForUpdate);
    changes.extend([
        Item::Let(
            slot("own"),
            Step::Check(Condition::Compare(row("account", "user_id"), Comparison::Equal, caller("user_id"))),
        ),
        Item::Match(
            slot("own"),
            vec![(Outcome::Yes, vec![refused(Problem::WrongState, Writes::Undo)]), (Outcome::No, Vec::new())],
        ),
        Item::Do(Step::Write(given_role)),
        Item::Let(slot("disables"), asked(true)),
        Item::Match(slot("disables"), vec![(Outcome::Yes, disabled), (Outcome::No, Vec::new())]),
        Item::Let(slot("enables"), asked(false)),
        Item::Match(slot("enables"), vec![(Outcome::Yes, enabled), (Outcome::No, Vec::new())]),
    ]);
    changes.extend(found(given, "fresh", RowLock::None));
    changes.push(Item::Do(Step::Emit { id: None, event: event.clone(), payload }));
    changes.push(Item::Exit(answer("fresh"), Writes::Keep));
    let mut items = given.guards();
    items.push(Item::Let(slot("input"), Step::Validate(Input::Changes(shape))));
    items.push(Item::Transaction(changes));
    Behaved {
        summary: "gives an account another role, disables it, or lets it be used again".to_owned(),
        body: items,
        table: Some(given.table()),
        events: vec![(event, super::fields(&held))],
        example: serde_json::json!({ "disabled": true }),
    }
}

/// Invites somebody: the user is made, and its account when the invitation is accepted.
pub fn invite(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let own: Vec<&catalog::Field> = given.said_of_oneself().collect();
    let mut fields = register::said_of(&own);
    fields.push(role(given));
    let fresh = Write::Insert {
        table: users.name.clone(),
        values: register::user_row(&own),
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
        made: None,
    };
    let missing = vec![refused(Problem::InternalError, Writes::Undo)];
    let taken = vec![refused(Problem::Conflict, Writes::Undo)];
    let (user_id, email) = (|| row("user", "id"), || row("user", "email"));
    let mut invited = vec![
        Item::Do(Step::Write(fresh)),
        Item::Let(slot("user"), one(&users, &["id", "email"], vec![is("email", input("email"))], RowLock::ForUpdate)),
        Item::Match(slot("user"), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, missing)]),
        Item::Let(slot("account"), one(&accounts, &["user_id"], vec![is("user_id", user_id())], RowLock::None)),
        Item::Match(slot("account"), vec![(Outcome::Found, taken), (Outcome::Missing, Vec::new())]),
    ];
    invited.extend(mailed::kept_for(INVITATION, user_id(), email(), Some(input("role"))));
    invited.push(mailed::mailed(INVITED, user_id(), email()));
    invited.push(Item::Exit(super::super::newsletter_subscribe::accepted(), Writes::Keep));
    let mut items = given.guards();
    items.push(body("Invitation", fields));
    items.push(mailed::counted());
    items.push(Item::Let(slot("id"), Step::Generate(Generated::Uuid)));
    items.extend(mailed::made());
    items.push(Item::Transaction(invited));
    let mut example: serde_json::Value =
        own.iter().map(|field| (field.name.to_string(), field.example_value().to_json())).collect();
    example["email"] = "guest@example.com".into();
    example["role"] = register::ROLE.into();
    Behaved {
        summary: "invites somebody by mail to an account with a role".to_owned(),
        body: items,
        table: Some(users),
        events: vec![mailed::told_by_mail(INVITED)],
        example,
    }
}

/// Accepts an invitation.
pub fn accept(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let (user_id, email) = (|| row("mailed", "user_id"), || row("mailed", "email"));
    let (registered, declared) = register::event(given);
    let (columns, tells) = register::of_user(given);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let made = mailed::account(row("mailed", "role"));
    let has_one = vec![refused(Problem::LinkExpired, Writes::Undo)];
    let mut items = given.guards();
    items.extend([body("Acceptance", vec![mailed::sent_back(), new_password("new_password")]), mailed::digested()]);
    items.extend(mailed::good("offered", INVITATION, Uses::Once, RowLock::None));
    items.push(Item::Let(slot("password_hash"), Step::HashPassword(input("new_password"))));
    let mut accepted = Vec::new();
    accepted.extend(mailed::good("mailed", INVITATION, Uses::Once, RowLock::ForUpdate));
    accepted.extend([
        Item::Let(slot("user"), one(&users, &columns, vec![is("id", user_id()), is("email", email())], RowLock::None)),
        mailed::unless_expired("user"),
        Item::Let(slot("account"), one(&accounts, &["user_id"], vec![is("user_id", user_id())], RowLock::None)),
        Item::Match(slot("account"), vec![(Outcome::Found, has_one), (Outcome::Missing, Vec::new())]),
        made,
        mailed::used(INVITATION),
        tells,
        nothing(Writes::Keep),
    ]);
    items.push(Item::Transaction(accepted));
    Behaved {
        summary: "makes the account of somebody who was invited, with the token that was mailed".to_owned(),
        body: items,
        table: Some(users),
        events: vec![(registered, declared)],
        example: serde_json::json!({ "token": SEED_INVITATION_TOKEN, "new_password": "a guest with long words" }),
    }
}

/// The key in the path.
fn id(given: &Given<'_>) -> Value {
    Value::Request(RequestValue::Path(given.key.cloned().unwrap_or_else(|| field_name("id"))))
}

/// The roles that there are: those that endpoints ask for, and the two that every API has.
fn role(given: &Given<'_>) -> ShapeField {
    let words = given.roles.iter().map(ToString::to_string).collect();
    said("role", FieldType::Choice { words }, None, 0, "What the account may do.")
}

/// `let <name> = ...`: the account with its address; 404 where there is none.
fn found(given: &Given<'_>, name: &str, lock: RowLock) -> Vec<Item> {
    let [accounts, ..] = tables();
    let none = || vec![refused(Problem::NotFound, Writes::Undo)];
    let columns: Vec<&str> = std::iter::once("user_id").chain(SHOWN.map(|(column, _)| column)).collect();
    let of = format!("{name}_of");
    let read = one(&given.table(), &["email"], vec![is("id", id(given))], RowLock::None);
    vec![
        Item::Let(slot(name), one(&accounts, &columns, vec![is("user_id", id(given))], lock)),
        Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, none())]),
        Item::Let(slot(&of), read),
        Item::Match(slot(&of), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, none())]),
    ]
}

fn answer(name: &str) -> Response {
    let [accounts, ..] = tables();
    let field_type = |name: &str| {
        let column = accounts.columns.iter().find(|column| column.name.as_str() == name);
        column.map_or(FieldType::Timestamp, |column| column.field_type.clone())
    };
    let of = format!("{name}_of");
    let mut body: Vec<ResponseField> = vec![
        told("user_id", row(name, "user_id"), FieldType::Uuid, "The user."),
        told("email", row(&of, "email"), FieldType::Email, "The address of the account."),
    ];
    body.extend(SHOWN.map(|(column, description)| told(column, row(name, column), field_type(column), description)));
    Response::Answer { status: 200, body, tag: None, location: None }
}
