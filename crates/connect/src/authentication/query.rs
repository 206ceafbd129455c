//! Parameters of the address that say who we are. They stand behind all others.

use super::needed;
use crate::encode::percent;
use crate::fill::Scope;
use crate::request::{Draft, RequestError};
use manifest::{Entries, Text};

pub(super) fn add(
    parameters: &Entries<String, Text>,
    scope: &dyn Scope,
    draft: &mut Draft,
) -> Result<(), RequestError> {
    for (name, value) in parameters.iter() {
        draft.query.push((percent(name), percent(&needed(value, scope)?)));
    }
    Ok(())
}
