//! A form: what it brings is stored, and an event tells of it.

use super::{Behaved, Given, field_name};
use plan::procedure::{Response, ResponseField};
use plan::value::Value;
use vocab::FieldType;

pub fn lower(given: &Given<'_>) -> Behaved {
    let mut body = given.opening(Vec::new());
    let event = given.own_event("submitted");
    let key = given.record_key();
    let answer = Response::Answer {
        status: 201,
        body: vec![
            ResponseField {
                value: given.new_value(key.column.as_str()),
                name: key.field(),
                field_type: key.field_type,
                entries: None,
                description: "Names what was stored.".to_owned(),
            },
            ResponseField {
                name: field_name("received_at"),
                value: Value::Now,
                field_type: FieldType::Timestamp,
                entries: None,
                description: "When the request arrived.".to_owned(),
            },
        ],
        tag: None,
        location: None,
    };
    body.push(given.stored(&event, answer, None));
    Behaved {
        summary: format!("stores {}", given.a_thing()),
        body,
        table: Some(given.table()),
        events: vec![(event, given.new_event_fields())],
        example: given.example(),
    }
}
