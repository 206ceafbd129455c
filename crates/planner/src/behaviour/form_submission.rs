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
    body.push(Item::Transaction(vec![Item::Do(Step::Write(insert)), given.emit()]));
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
    let thing = given.entity.entity.as_str().replace('_', " ");
    Behaved {
        summary: format!("stores a {thing}"),
        body,
        table,
        event_fields: given.event_fields(),
        example: given.example(),
    }
}
