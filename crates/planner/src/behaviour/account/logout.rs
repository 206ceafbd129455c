//! The end of the caller's session: its tokens are good for nothing from then on.

use super::super::{Behaved, Given};
use super::{caller, is, nothing, tables, text, update};
use plan::Value;
use plan::procedure::{Item, Step, Writes};

pub fn lower(given: &Given<'_>) -> Behaved {
    let [_, sessions, _] = tables();
    let ended = update(
        &sessions,
        vec![("revoked_at", Value::Now), ("revoked_because", text("logout"))],
        vec![is("id", caller("session_id"))],
    );
    let mut items = given.guards();
    if given.known_by.takes_cookies() {
        items.push(Item::Do(Step::SetSession(None)));
    }
    items.push(Item::Transaction(vec![Item::Do(ended), nothing(Writes::Keep)]));
    Behaved {
        summary: "ends the caller's session".to_owned(),
        body: items,
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}
