//! A call of a sender: what it tells is kept once with everything that comes of it, or not at all. One that comes again is answered the same
//! and changes nothing.

use super::{Behaved, Given, field_name, slot};
use crate::table::column_name;
use plan::hearing::{HEARD_DEDUP, HEARD_KIND, INTEGRATION};
use plan::procedure::{Generated, Item, Outcome, Response, Step, Writes};
use plan::query::{OnConflict, Write};
use plan::system;
use plan::value::{Comparison, Condition, Value};
use vocab::Datum;

pub fn lower(given: &Given<'_>) -> Behaved {
    let heard = given.heard.expect("an endpoint without a sender was refused");
    let said = |name: &str| Value::Field(slot("input"), field_name(name));
    let text = |text: &str| Value::Literal(Datum::Text(text.to_owned()));
    let event = given.own_event("received");
    let mut body = vec![Item::Let(slot("input"), Step::Hear(Box::new(heard.hearing.clone())))];
    body.extend(given.consistent(|name| given.given(name)));
    body.extend(given.made_id());
    body.push(Item::Let(slot("call"), Step::Generate(Generated::Uuid)));
    let inbox = system::inbox_events();
    let values = vec![
        (column_name("id"), Value::Slot(slot("call"))),
        (column_name("integration"), text(INTEGRATION)),
        (column_name("dedup"), said(HEARD_DEDUP)),
        (column_name("kind"), said(HEARD_KIND)),
        (column_name("received_at"), Value::Now),
    ];
    let on_conflict = OnConflict::Keep { unique: vec![column_name("integration"), column_name("dedup")] };
    let write = Step::Write(Write::Insert { table: inbox.name, values, on_conflict, made: None });
    let mut means = given.find_references();
    means.push(given.insert());
    means.push(given.emit_new(&event));
    let mut events = vec![(event, given.new_event_fields())];
    for (number, (kind, event)) in heard.emits.iter().enumerate() {
        let is_it = slot(&format!("is_type_{}", number + 1));
        let asked = Condition::Compare(said(HEARD_KIND), Comparison::Equal, text(kind));
        let arms = vec![(Outcome::Yes, vec![given.emit_new(event)]), (Outcome::No, Vec::new())];
        means.extend([Item::Let(is_it.clone(), Step::Check(asked)), Item::Match(is_it, arms)]);
        if !events.iter().any(|(known, _)| known == event) {
            events.push((event.clone(), given.new_event_fields()));
        }
    }
    body.push(Item::Transaction(vec![
        Item::Let(slot("kept"), write),
        Item::Match(slot("kept"), vec![(Outcome::Inserted, means), (Outcome::Present, Vec::new())]),
    ]));
    let done = Response::Answer { status: 204, body: Vec::new(), tag: None, location: None };
    body.push(Item::Exit(done, Writes::Keep));
    Behaved {
        summary: format!("keeps {} that {} tells, once", given.a_thing(), heard.hearing.title),
        body,
        table: Some(given.table()),
        events,
        example: heard.example.clone(),
    }
}
