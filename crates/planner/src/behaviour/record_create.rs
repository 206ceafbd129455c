//! A new record: stored, told of, and answered whole with its path and its first version, or by its key alone where the caller prefers little.

use super::{Behaved, Given};
use plan::procedure::{Location, Response};
use plan::value::Value;
use vocab::Datum;

pub fn lower(given: &Given<'_>) -> Behaved {
    let event = given.own_event("created");
    let mut body = given.opening(given.several(&event, 201));
    let key = given.record_key();
    let whole = given.answer(|name| given.new_value(name.as_str()));
    let of_key = whole.iter().filter(|field| field.name == key.field()).cloned().collect();
    let answer = |body| Response::Answer {
        status: 201,
        body,
        tag: Some(Value::Literal(Datum::Integer(1))),
        location: Some(Location { path: format!("{}/", given.path), key: given.new_value(key.column.as_str()) }),
    };
    body.push(given.stored(&event, answer(whole), Some(answer(of_key))));
    Behaved {
        summary: format!("creates {}", given.a_thing()),
        body,
        table: Some(given.table()),
        events: std::iter::once((event, given.new_event_fields()))
            .chain(given.merge().map(|merge| merge.event()))
            .collect(),
        example: given.example(),
    }
}
