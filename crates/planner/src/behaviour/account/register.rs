//! A new account. The answer is the same whether the address has one or not, and takes as long.

use super::super::newsletter_subscribe::accepted;
use super::super::{Behaved, Given, column_name, field_name, shape_field, slot};
use super::{input, insert, is, mailed, new_password, one, row, tables, text, verify};
use crate::account::SEED_PASSWORD;
use plan::Value;
use plan::procedure::{Generated, Input, Item, Outcome, Step, Writes};
use plan::query::{OnConflict, RowLock, Write};
use plan::shape::{Presence, Shape};
use vocab::{Datum, EventName, FieldName, FieldType};

/// Tells of a new account.
const EVENT: &str = "user_registration";
/// Tells the owner of an address that somebody has tried to register it.
const KNOWN: &str = "account_exists";
/// What a new account may do.
pub const ROLE: &str = "user";

/// What tells of a new account, and what it holds: the user as the user has said it.
pub fn event(given: &Given<'_>) -> mailed::Told {
    let held = ["id", "user_id"]
        .map(|name| (field_name(name), FieldType::Uuid))
        .into_iter()
        .chain(given.said_of_oneself().map(|field| (field.name.clone(), field.field_type.clone())))
        .chain([(field_name("created_at"), FieldType::Timestamp)]);
    (EventName::parse(EVENT).expect("a literal that is a name"), held.collect())
}

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let (event, declared) = event(given);
    let own: Vec<&catalog::Field> = given.said_of_oneself().collect();
    let mut fields: Vec<_> = own
        .iter()
        .map(|field| {
            let is_needed = field.presence == catalog::Presence::Required;
            shape_field(field, if is_needed { Presence::Required } else { Presence::Optional })
        })
        .collect();
    fields.push(new_password("password"));
    let shape = Shape { name: "Registration".to_owned(), fields };
    let id = || Value::Slot(slot("id"));
    let mut values = vec![(column_name("id"), id())];
    values.extend(own.iter().map(|field| (column_name(field.name.as_str()), input(field.name.as_str()))));
    values.extend(["created_at", "updated_at"].map(|name| (column_name(name), Value::Now)));
    values.push((column_name("row_version"), Value::Literal(Datum::Integer(1))));
    // `user_id` is what services know people by.
    let payload: Vec<(FieldName, Value)> = [(field_name("id"), id()), (field_name("user_id"), id())]
        .into_iter()
        .chain(own.iter().map(|field| (field.name.clone(), input(field.name.as_str()))))
        .chain([(field_name("created_at"), Value::Now)])
        .collect();
    let fresh = Write::Insert {
        table: users.name.clone(),
        values,
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
        made: None,
    };
    let mut account = vec![
        insert(
            &accounts,
            vec![
                ("user_id", id()),
                ("password_hash", Value::Slot(slot("hash"))),
                ("role", text(ROLE)),
                ("password_changed_at", Value::Now),
                ("created_at", Value::Now),
            ],
        ),
        Item::Do(Step::Emit { id: None, event: event.clone(), payload }),
    ];
    account.extend(mailed::kept(mailed::VERIFICATION, id(), input("email")));
    account.push(mailed::mailed(verify::EVENT, id(), input("email")));
    // Who has the address is told, and can set a password: it may have been that person, and nobody else learns of it.
    let mut known = mailed::kept(mailed::RESET, row("known", "id"), row("known", "email"));
    known.push(mailed::mailed(KNOWN, row("known", "id"), row("known", "email")));
    let by_address = vec![is("email", input("email"))];
    let present = vec![
        Item::Let(slot("known"), one(&users, &["id", "email"], by_address, RowLock::None)),
        Item::Match(slot("known"), vec![(Outcome::Found, known), (Outcome::Missing, Vec::new())]),
    ];
    let mut items = given.guards();
    let mut example: serde_json::Value =
        own.iter().map(|field| (field.name.to_string(), field.example_value().to_json())).collect();
    example["password"] = SEED_PASSWORD.into();
    items.extend([
        Item::Let(slot("input"), Step::Validate(Input::Body(shape))),
        // Also where the address has an account: that must not show in the time.
        Item::Let(slot("hash"), Step::HashPassword(input("password"))),
        mailed::counted(),
        Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
    ]);
    items.extend(mailed::made());
    items.push(Item::Transaction(vec![
        Item::Let(slot("fresh"), Step::Write(fresh)),
        Item::Match(slot("fresh"), vec![(Outcome::Inserted, account), (Outcome::Present, present)]),
        Item::Exit(accepted(), Writes::Keep),
    ]));
    Behaved {
        summary: "makes an account, and says the same where there is one".to_owned(),
        body: items,
        table: Some(users),
        events: vec![(event, declared), mailed::told_by_mail(verify::EVENT), mailed::told_by_mail(KNOWN)],
        example,
    }
}
