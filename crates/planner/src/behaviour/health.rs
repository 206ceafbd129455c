//! Health: whether the API can work, for those who watch it through the same door as its callers.

use super::{Behaved, Given, field_name};
use plan::procedure::{Item, Response, ResponseField, Step, Writes};
use plan::value::Value;
use vocab::{Datum, FieldType};

pub fn lower(given: &Given<'_>) -> Behaved {
    let word = |name: &str, description: &str| ResponseField {
        name: field_name(name),
        value: Value::Literal(Datum::Text("ok".to_owned())),
        field_type: FieldType::Line { max: 20 },
        entries: None,
        description: description.to_owned(),
    };
    let fields = vec![
        word("status", "Always `ok`: what cannot work answers 503."),
        word("database", "Always `ok`: the database has just answered."),
    ];
    let mut body = given.guards();
    body.push(Item::Do(Step::Ping));
    body.push(Item::Exit(Response::Answer { status: 200, body: fields, tag: None, location: None }, Writes::Keep));
    Behaved {
        summary: "says whether the API and its database can work".to_owned(),
        body,
        table: None,
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}
