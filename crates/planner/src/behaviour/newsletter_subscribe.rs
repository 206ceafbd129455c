//! A newsletter: one subscription an address. The answer is the same whether the address is new or not, so that nobody can
//! find out who reads it.

use super::{Behaved, Given, column_name, field_name, newsletter_consent, slot, unless_found};
use crate::key::Origin;
use plan::Problem;
use plan::procedure::{Item, Outcome, Response, ResponseField, Step};
use plan::query::{Cardinality, Holes, OnConflict, Output, Predicate, Query, RowLock, Write};
use plan::value::{Comparison, Value};
use vocab::{Datum, EventName, FieldName, FieldType};

pub fn lower(given: &Given<'_>) -> Behaved {
    if let Some(consents) = given.consents {
        return newsletter_consent::ask(given, consents);
    }
    let table = given.table();
    let insert = Write::Insert {
        table: table.name.clone(),
        values: given.row(),
        on_conflict: OnConflict::Keep { unique: vec![column_name("email")] },
        made: None,
    };
    let event = given.own_event("subscribed");
    let mut body = given.opening(Vec::new());
    let subscription = vec![
        Item::Let(slot("subscription"), Step::Write(insert)),
        Item::Match(
            slot("subscription"),
            vec![(Outcome::Inserted, subscribed(given, &event)), (Outcome::Present, Vec::new())],
        ),
    ];
    body.push(given.once(subscription, accepted()));
    Behaved {
        summary: "subscribes an address to the newsletter once".to_owned(),
        body,
        table: Some(table),
        events: vec![(event, given.new_event_fields())],
        example: given.example(),
    }
}

/// Tells of a new subscription; a number that the database has made for it is read first.
fn subscribed(given: &Given<'_>, event: &EventName) -> Vec<Item> {
    let address = Value::Field(slot("input"), field_name("email"));
    told_of_new(given, given.emit_new(event), address)
}

/// The same with what tells of it, of the subscription of that address.
pub(super) fn told_of_new(given: &Given<'_>, emit: Item, address: Value) -> Vec<Item> {
    let key = given.record_key();
    if key.origin != Origin::Database {
        return vec![emit];
    }
    let made = slot("made");
    let query = Query {
        from: given.entity.table.clone(),
        outputs: vec![Output::Column { column: key.column.clone(), field: key.field() }],
        filter: vec![Predicate::Compare(column_name("email"), Comparison::Equal, address)],
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::None,
    };
    let is_key = |name: &FieldName| *name == key.field();
    let emit = match emit {
        Item::Do(Step::Emit { id, event, payload }) => {
            let value = |(name, value): (FieldName, Value)| match is_key(&name) {
                true => (name, Value::Field(made.clone(), key.field())),
                false => (name, value),
            };
            Item::Do(Step::Emit { id, event, payload: payload.into_iter().map(value).collect() })
        }
        other => other,
    };
    vec![
        Item::Let(made.clone(), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
        unless_found("made", Problem::InternalError),
        emit,
    ]
}

/// Says the same to everybody.
pub(super) fn accepted() -> Response {
    Response::Answer {
        status: 202,
        body: vec![ResponseField {
            name: field_name("status"),
            value: Value::Literal(Datum::Text("accepted".to_owned())),
            field_type: FieldType::Line { max: 20 },
            entries: None,
            description: "Always `accepted`: the answer does not tell whether the address was known.".to_owned(),
        }],
        tag: None,
        location: None,
    }
}
