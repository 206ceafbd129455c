//! A form: what it brings is stored, and an event tells of it.

use super::{Behaved, Given, field_name, slot};
use plan::procedure::{Item, Response, ResponseField, Step, Writes};
use plan::query::{OnConflict, Write};
use plan::value::Value;
use vocab::FieldType;

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let insert = Write::Insert { table: table.name.clone(), values: given.row(), on_conflict: OnConflict::Fail };
    let mut body = given.opening();
    let event = given.own_event("submitted");
    body.push(Item::Transaction(vec![Item::Do(Step::Write(insert)), given.emit_new(&event)]));
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
        summary: format!("stores {}", given.a_thing()),
        body,
        table,
        event: Some((event, given.new_event_fields())),
        example: given.example(),
    }
}
