//! A new record: stored, told of, and answered whole with its path and its first version.

use super::{Behaved, Given, slot};
use plan::procedure::{Item, Location, Response, Step, Writes};
use plan::query::{OnConflict, Write};
use plan::value::Value;
use vocab::Datum;

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let insert = Write::Insert { table: table.name.clone(), values: given.row(), on_conflict: OnConflict::Fail };
    let event = given.own_event("created");
    let mut body = given.opening();
    body.push(Item::Transaction(vec![Item::Do(Step::Write(insert)), given.emit_new(&event)]));
    body.push(Item::Exit(
        Response::Answer {
            status: 201,
            body: given.answer(|name| given.new_value(name.as_str())),
            tag: Some(Value::Literal(Datum::Integer(1))),
            location: Some(Location { path: format!("{}/", given.path), key: Value::Slot(slot("id")) }),
        },
        Writes::Keep,
    ));
    Behaved {
        summary: format!("creates {}", given.a_thing()),
        body,
        table,
        event: Some((event, given.new_event_fields())),
        example: given.example(),
    }
}
