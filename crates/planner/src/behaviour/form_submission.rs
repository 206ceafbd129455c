//! A form: what it brings is stored, and an event tells of it.

use super::{Behaved, Given, field_name, slot};
use plan::procedure::{Item, Response, ResponseField, Writes};
use plan::value::Value;
use vocab::FieldType;

pub fn lower(given: &Given<'_>) -> Behaved {
    let mut body = given.opening();
    let event = given.own_event("submitted");
    body.push(given.stored(&event));
    body.push(Item::Exit(
        Response::Answer {
            status: 201,
            body: vec![
                ResponseField {
                    name: field_name("id"),
                    value: Value::Slot(slot("id")),
                    field_type: FieldType::Uuid,
                    description: "Names what was stored.".to_owned(),
                },
                ResponseField {
                    name: field_name("received_at"),
                    value: Value::Now,
                    field_type: FieldType::Timestamp,
                    description: "When the request arrived.".to_owned(),
                },
            ],
            tag: None,
            location: None,
        },
        Writes::Keep,
    ));
    Behaved {
        summary: format!("stores a {}", given.thing()),
        body,
        table: Some(given.table()),
        event: Some((event, given.new_event_fields())),
        example: given.example(),
    }
}
