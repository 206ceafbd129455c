//! A record as a whole: every field becomes what the request says, those left out become empty.

use super::{Behaved, Given, slot};
use plan::procedure::Input;
use plan::query::Assigned;
use plan::value::Value;

pub fn lower(given: &Given<'_>) -> Behaved {
    let assigned = |name: &vocab::FieldName| Assigned::Value(Value::Field(slot("input"), name.clone()));
    given.change(Input::Body(given.shape()), assigned, format!("replaces one {}", given.thing()))
}
