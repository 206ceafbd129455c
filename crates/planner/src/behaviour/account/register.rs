//! A new account. The answer is the same whether the address has one or not, and takes as long.

use super::super::newsletter_subscribe::accepted;
use super::super::{Behaved, Given, column_name, field_name, shape_field, slot};
use super::{input, insert, new_password, tables, text};
use crate::account::SEED_PASSWORD;
use plan::Value;
use plan::procedure::{Generated, Input, Item, Outcome, Step, Writes};
use plan::query::{OnConflict, Write};
use plan::shape::{Presence, Shape};
use vocab::{Datum, EventName, FieldName, FieldType};

/// Tells of a new account.
const EVENT: &str = "user_registration";

pub fn lower(given: &Given<'_>) -> Behaved {
    let [accounts, ..] = tables();
    let users = given.table();
    let event = EventName::parse(EVENT).expect("a literal that is a name");
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
    let declared: Vec<(FieldName, FieldType)> = ["id", "user_id"]
        .map(|name| (field_name(name), FieldType::Uuid))
        .into_iter()
        .chain(own.iter().map(|field| (field.name.clone(), field.field_type.clone())))
        .chain([(field_name("created_at"), FieldType::Timestamp)])
        .collect();
    let fresh = Write::Insert {
        table: users.name.clone(),
        values,
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
        made: None,
    };
    let account = vec![
        insert(
            &accounts,
            vec![
                ("user_id", id()),
                ("password_hash", Value::Slot(slot("hash"))),
                ("role", text("user")),
                ("password_changed_at", Value::Now),
                ("created_at", Value::Now),
            ],
        ),
        Item::Do(Step::Emit { id: None, event: event.clone(), payload }),
    ];
    let mut items = given.guards();
    let mut example: serde_json::Value =
        own.iter().map(|field| (field.name.to_string(), field.example_value().to_json())).collect();
    example["password"] = SEED_PASSWORD.into();
    items.extend([
        Item::Let(slot("input"), Step::Validate(Input::Body(shape))),
        // Also where the address has an account: that must not show in the time.
        Item::Let(slot("hash"), Step::HashPassword(input("password"))),
        Item::Let(slot("id"), Step::Generate(Generated::Uuid)),
        Item::Transaction(vec![
            Item::Let(slot("fresh"), Step::Write(fresh)),
            Item::Match(slot("fresh"), vec![(Outcome::Inserted, account), (Outcome::Present, Vec::new())]),
            Item::Exit(accepted(), Writes::Keep),
        ]),
    ]);
    Behaved {
        summary: "makes an account, and says the same where there is one".to_owned(),
        body: items,
        table: Some(users),
        event: Some((event, declared)),
        example,
    }
}
