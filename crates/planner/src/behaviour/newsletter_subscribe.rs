//! A newsletter: one subscription an address. The answer is the same whether the address is new or not, so that nobody can
//! find out who reads it.

use super::{Behaved, Given, column_name, field_name, slot};
use plan::procedure::{Item, Outcome, Response, ResponseField, Step};
use plan::query::{OnConflict, Write};
use plan::value::Value;
use vocab::{Datum, FieldType};

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let insert = Write::Insert {
        table: table.name.clone(),
        values: given.row(),
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
    };
    let event = given.own_event("subscribed");
    let mut body = given.opening();
    let subscription = vec![
        Item::Let(slot("subscription"), Step::Write(insert)),
        Item::Match(
            slot("subscription"),
            vec![(Outcome::Inserted, vec![given.emit_new(&event)]), (Outcome::Present, Vec::new())],
        ),
    ];
    body.push(given.once(subscription, accepted()));
    Behaved {
        summary: "subscribes an address to the newsletter once".to_owned(),
        body,
        table: Some(table),
        event: Some((event, given.new_event_fields())),
        example: given.example(),
    }
}

/// Says the same to everybody.
pub(super) fn accepted() -> Response {
    Response::Answer {
        status: 202,
        body: vec![ResponseField {
            name: field_name("status"),
            value: Value::Literal(Datum::Text("accepted".to_owned())),
            field_type: FieldType::Line { max: 20 },
            description: "Always `accepted`: the answer does not tell whether the address was known.".to_owned(),
        }],
        tag: None,
        location: None,
    }
}
