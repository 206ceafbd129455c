//! One record by its key.

use super::{Behaved, Given, field_name, slot, unless_found};
use plan::Problem;
use plan::procedure::{Input, Item, Response, Step, Writes};
use plan::query::{Cardinality, Choice, RowLock};
use plan::value::Value;

pub fn lower(given: &Given<'_>) -> Behaved {
    let mut query = given.find(|_| true, RowLock::None);
    query.holes.selection = Choice::Open;
    let mut body = given.guards();
    body.push(Item::Let(slot("asked"), Step::Validate(Input::Selection(query.holes.clone()))));
    body.extend(given.find_owned_parent());
    let filled_by = Some(slot("asked"));
    body.push(Item::Let(slot("row"), Step::Read { query, cardinality: Cardinality::One, filled_by }));
    body.push(unless_found("row", Problem::NotFound));
    body.push(Item::Exit(
        Response::Record {
            asked: slot("asked"),
            body: given.answer(|name| Value::Field(slot("row"), name.clone())),
            tag: Value::Field(slot("row"), field_name("row_version")),
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
