//! A checkout that a task names itself: the one that a payment provider would bring, at the path of the task and with its guards. Who
//! signs in buys for himself, and sees his own orders alone.

use super::{Behaved, Given};
use crate::service::checkout::{Counter, Selling};

pub fn sell(given: &Given<'_>) -> Behaved {
    let selling = selling(given);
    let event = selling.event();
    Behaved {
        summary: selling.sells(),
        body: selling.sell(&counter(given, given.path)),
        table: Some(given.table()),
        events: vec![(event.name, event.fields)],
        example: selling.example(),
    }
}

pub fn tell(given: &Given<'_>) -> Behaved {
    let selling = selling(given);
    let path = given.path.rsplit_once('/').map_or(given.path, |(path, _)| path);
    Behaved {
        summary: selling.tells(),
        body: selling.tell(&counter(given, path)),
        table: Some(given.table()),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

fn selling<'g>(given: &Given<'g>) -> &'g Selling<'g> {
    given.selling.expect("a checkout without a shop was refused")
}

fn counter<'g>(given: &Given<'g>, path: &'g str) -> Counter<'g> {
    Counter { path, guards: given.guards(), required: given.required }
}
