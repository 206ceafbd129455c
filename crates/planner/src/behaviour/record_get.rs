//! One record by its key.

use super::{Behaved, Given, field_name, slot, unless_found};
use plan::Problem;
use plan::procedure::{Item, Response, Step, Writes};
use plan::query::{Cardinality, RowLock};
use plan::value::Value;

pub fn lower(given: &Given<'_>) -> Behaved {
    let query = given.find(|_| true, RowLock::None);
    let mut body = given.guards();
    body.extend(given.find_owned_parent());
    body.push(Item::Let(slot("row"), Step::Read { query, cardinality: Cardinality::One, filled_by: None }));
    body.push(unless_found("row", Problem::NotFound));
    body.push(Item::Exit(
        Response::Answer {
            status: 200,
            body: given.answer(|name| Value::Field(slot("row"), name.clone())),
            tag: Some(Value::Field(slot("row"), field_name("row_version"))),
            location: None,
        },
        Writes::Keep,
    ));
    Behaved {
        summary: format!("reads one {}", given.thing()),
        body,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}
