//! A record as a whole: every field becomes what the request says, those left out become empty.

use super::{Behaved, Given};
use plan::procedure::Input;
use plan::query::Assigned;

pub fn lower(given: &Given<'_>) -> Behaved {
    let assigned = |name: &vocab::FieldName| Assigned::Value(given.given(name));
    given.change(Input::Body(given.shape()), assigned, format!("replaces one {}", given.thing()))
}
