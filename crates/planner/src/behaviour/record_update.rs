//! Some fields of a record: those that the request gives.

use super::{Behaved, Given, slot};
use plan::procedure::Input;
use plan::query::Assigned;

pub fn lower(given: &Given<'_>) -> Behaved {
    let assigned = |name: &vocab::FieldName| Assigned::IfGiven(slot("input"), name.clone());
    given.change(Input::Patch(given.patchable()), assigned, format!("changes one {}", given.thing()))
}
