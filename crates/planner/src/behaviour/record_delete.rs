//! The end of a record.

use super::{Behaved, Given, answered_where, column_name, field_name, is_not_sent, slot};
use plan::procedure::{Item, Response, Step};
use plan::query::{Assigned, Write};
use plan::value::{Preference, Value};
use vocab::FieldType;

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let event = given.own_event("deleted");
    let key = given.record_key();
    let payload = vec![(key.field(), Value::Field(slot("row"), key.field())), (field_name("deleted_at"), Value::Now)];
    let mut deletion = given.find_owned_parent();
    deletion.extend(given.find_current());
    deletion.extend(given.puts_back(is_not_sent("row")));
    let (from, filter) = (table.name.clone(), given.has_key());
    deletion.push(Item::Do(Step::Write(match given.deleted {
        None => Write::Delete { table: from, filter },
        Some(deleted) => {
            let now = || Assigned::Value(Value::Now);
            let version = (column_name("row_version"), Assigned::Plus(1));
            let set = vec![(deleted.clone(), now()), (column_name("updated_at"), now()), version];
            Write::Update { table: from, set, filter }
        }
    })));
    deletion.push(Item::Do(Step::Emit { id: None, event: event.clone(), payload }));
    let whole = given.answer(|name| Value::Field(slot("row"), name.clone()));
    let representation = Response::Answer { status: 200, body: whole, tag: None, location: None };
    deletion.extend(answered_where(Preference::Representation, representation));
    let mut body = given.write_guards();
    body.push(given.once(deletion, Response::Answer { status: 204, body: Vec::new(), tag: None, location: None }));
    let fields = vec![(key.field(), key.field_type), (field_name("deleted_at"), FieldType::Timestamp)];
    Behaved {
        summary: format!("deletes one {}", given.thing()),
        body,
        table: Some(table),
        events: vec![(event, fields)],
        example: serde_json::Value::Null,
    }
}
