//! The caller's own record: read, and changed where it is the caller's to say.

use super::super::{Behaved, Given, field_name, shape_field, slot};
use super::{caller, is, one, refused};
use plan::procedure::{Input, Item, Outcome, Patchable, Response, ResponseField, Step, Writes};
use plan::query::{Assigned, RowLock, Write};
use plan::shape::{Presence, Shape};
use plan::value::Condition;
use plan::{Problem, Value};
use vocab::{EventName, FieldName};

/// Reads it.
pub fn read(given: &Given<'_>) -> Behaved {
    let mut items = given.guards();
    items.extend(found(given, "row", RowLock::None));
    items.push(Item::Exit(answer(given, "row"), Writes::Keep));
    Behaved {
        summary: "reads the caller's own record".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// Changes it.
pub fn change(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let event = EventName::parse("user_updated").expect("a literal that is a name");
    let fields: Vec<_> = given.said_of_oneself().filter(|field| field.name.as_str() != "email").collect();
    let shape = Shape {
        name: "ProfileChange".to_owned(),
        fields: fields
            .iter()
            .map(|field| {
                let is_needed = field.presence == catalog::Presence::Required;
                shape_field(field, if is_needed { Presence::Required } else { Presence::Optional })
            })
            .collect(),
    };
    let given_or_kept = |name: &FieldName| Assigned::IfGiven(slot("input"), name.clone());
    let mut set: Vec<_> =
        fields.iter().map(|field| (super::column_name(field.name.as_str()), given_or_kept(&field.name))).collect();
    set.push((super::column_name("updated_at"), Assigned::Value(Value::Now)));
    set.push((super::column_name("row_version"), Assigned::Plus(1)));
    let own = vec![is("id", caller("user_id"))];
    let version = Value::Field(slot("row"), field_name("row_version"));
    let representation = given.representation();
    let is_kept = |name: &FieldName| !shape.fields.iter().any(|field| field.name == *name);
    let kept = representation.iter().map(|(name, _)| name.clone()).filter(is_kept).collect();
    let payload = representation.iter().map(|(name, _)| (name.clone(), Value::Field(slot("fresh"), name.clone())));
    let mut changes = found(given, "row", RowLock::ForUpdate);
    changes.extend([
        Item::Let(slot("current"), Step::Check(Condition::Current(version))),
        Item::Match(
            slot("current"),
            vec![(Outcome::Yes, Vec::new()), (Outcome::No, vec![refused(Problem::PreconditionFailed, Writes::Undo)])],
        ),
        Item::Let(slot("input"), Step::Patched { patch: slot("patch"), row: slot("row") }),
        Item::Do(Step::Write(Write::Update { table: table.name.clone(), set, filter: own })),
    ]);
    changes.extend(found(given, "fresh", RowLock::None));
    changes.push(Item::Do(Step::Emit { id: None, event: event.clone(), payload: payload.collect() }));
    changes.push(Item::Exit(answer(given, "fresh"), Writes::Keep));
    let mut items = given.guards();
    items.push(Item::Let(slot("patch"), Step::Validate(Input::Patch(Patchable { shape, kept }))));
    items.push(Item::Transaction(changes));
    let example = fields.iter().map(|field| (field.name.to_string(), field.example_value().to_json())).collect();
    Behaved {
        summary: "changes the caller's own record".to_owned(),
        body: items,
        table: Some(table),
        events: vec![(event, representation)],
        example,
    }
}

/// `let row = ...`; a caller without a record has an account that is just going.
fn found(given: &Given<'_>, name: &str, lock: RowLock) -> Vec<Item> {
    let columns: Vec<String> = given
        .representation()
        .into_iter()
        .map(|(name, _)| name.to_string())
        .chain(["row_version".to_owned()])
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let gone = vec![refused(Problem::InvalidToken, Writes::Undo)];
    vec![
        Item::Let(slot(name), one(given.table, &columns, vec![is("id", caller("user_id"))], lock)),
        Item::Match(slot(name), vec![(Outcome::Found, Vec::new()), (Outcome::Missing, gone)]),
    ]
}

fn answer(given: &Given<'_>, name: &str) -> Response {
    let body: Vec<ResponseField> = given.answer(|field| Value::Field(slot(name), field.clone()));
    let tag = Some(Value::Field(slot(name), field_name("row_version")));
    Response::Answer { status: 200, body, tag, location: None }
}
