//! The sessions of the caller: looked at, newest first, and ended one by one.

use super::super::{Behaved, Given, column_name, field_name, slot};
use super::{caller, is, nothing, refused, tables, text, update};
use plan::procedure::{Input, Item, Outcome, Response, RowsFormat, Step, Writes};
use plan::query::{Cardinality, Direction, Holes, Order, Output, Page, Predicate, Query, RowLock};
use plan::value::{Comparison, RequestValue};
use plan::{Problem, Value};

const PAGE: Page = Page { default: 20, max: 100 };
/// What people see of a session.
const SHOWN: [&str; 5] = ["id", "created_at", "refreshed_at", "expires_at", "address"];

/// Those that live.
pub fn list(given: &Given<'_>) -> Behaved {
    let [_, sessions, _] = tables();
    let query = Query {
        from: sessions.name,
        outputs: SHOWN.map(|name| Output::Column { column: column_name(name), field: field_name(name) }).into(),
        filter: vec![
            is("user_id", caller("user_id")),
            Predicate::Null(column_name("revoked_at")),
            Predicate::Compare(column_name("expires_at"), Comparison::Greater, Value::Now),
        ],
        order: vec![Order { column: column_name("id"), direction: Direction::Descending }],
        holes: Holes { page: Some(PAGE), ..Holes::default() },
        lock: RowLock::None,
    };
    let mut items = given.guards();
    items.push(Item::Let(slot("asked"), Step::Validate(Input::Listing(query.holes.clone()))));
    items.push(Item::Let(
        slot("rows"),
        Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) },
    ));
    items.push(Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep));
    Behaved {
        summary: "lists the caller's sessions".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// One of them, by its key.
pub fn end(given: &Given<'_>) -> Behaved {
    let [_, sessions, _] = tables();
    let key = given.key.cloned().unwrap_or_else(|| field_name("id"));
    let ended = update(
        &sessions,
        vec![("revoked_at", Value::Now), ("revoked_because", text("ended"))],
        vec![
            is("id", Value::Request(RequestValue::Path(key))),
            is("user_id", caller("user_id")),
            Predicate::Null(column_name("revoked_at")),
        ],
    );
    let mut items = given.guards();
    items.push(Item::Transaction(vec![
        Item::Let(slot("ended"), ended),
        Item::Match(
            slot("ended"),
            vec![(Outcome::Changed, Vec::new()), (Outcome::Unchanged, vec![refused(Problem::NotFound, Writes::Undo)])],
        ),
        nothing(Writes::Keep),
    ]));
    Behaved {
        summary: "ends one of the caller's sessions".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}
