//! Whether the caller might send another request: what its endpoint asks of callers before it does anything.

use super::super::{Behaved, Given, slot};
use super::{input, row, said, told};
use plan::procedure::{Input, Item, Response, Step, Writes};
use plan::shape::Shape;
use serde_json::json;
use vocab::FieldType;

/// Longest method, and longest path, in characters.
const METHOD_MAX: u32 = 20;
const PATH_MAX: u32 = 2_000;
const STATUS_MAX: u32 = 100;

pub fn lower(given: &Given<'_>) -> Behaved {
    let line = |max| FieldType::Line { max };
    let fields = vec![
        said("method", line(METHOD_MAX), None, 1, "The method of the request that is asked about: `DELETE`."),
        said("path", line(PATH_MAX), None, 1, "Its path, with what stands for the parameters."),
    ];
    let asked = Shape { name: "PermissionRequest".to_owned(), fields };
    let mut items = given.guards();
    items.push(Item::Let(slot("input"), Step::Validate(Input::Query(asked))));
    items.push(Item::Let(slot("may"), Step::May { method: input("method"), path: input("path") }));
    let told = |name: &str, of, says: &str| told(name, row("may", name), of, says);
    let body = vec![
        told("allowed", FieldType::Boolean, "Whether it would be let through, as far as caller and path decide it."),
        told("status", FieldType::Integer, "Else the status that it would be answered with."),
        told("type", line(STATUS_MAX), "Else the type of its problem."),
        told("detail", line(PATH_MAX), "Else what the problem says."),
    ];
    items.push(Item::Exit(Response::Answer { status: 200, body, tag: None, location: None }, Writes::Keep));
    Behaved {
        summary: "tells callers whether they might send a request, without sending it".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        // What is asked, and what is told of it.
        example: json!({
            "method": "GET", "path": given.path, "allowed": true, "status": null, "type": null, "detail": null,
        }),
    }
}
