//! Headers that say who we are: `Bearer`, `Basic` (RFC 7617) and those of a provider's own. Values come in, a header is set.

use crate::account::Token;
use crate::request::{Draft, HIDDEN, Proof, RequestError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const AUTHORIZATION: &str = "Authorization";

pub(super) fn bearer(token: &str, draft: &mut Draft) -> Result<(), RequestError> {
    draft.set_header(AUTHORIZATION, format!("Bearer {token}"));
    Ok(())
}

pub(super) fn basic(user: &str, password: &str, draft: &mut Draft, proof: Proof) -> Result<(), RequestError> {
    let pair = match proof {
        Proof::Sent => basic_pair(user, password)?,
        Proof::Shown => HIDDEN.to_owned(),
    };
    draft.set_header(AUTHORIZATION, format!("Basic {pair}"));
    Ok(())
}

/// A name with its password as `Basic` writes them.
pub(super) fn basic_pair(user: &str, password: &str) -> Result<String, RequestError> {
    match user.contains(':') {
        true => Err(RequestError::Proof("a name with a colon cannot be written in `Basic`".to_owned())),
        false => Ok(STANDARD.encode(format!("{user}:{password}"))),
    }
}

pub(super) fn own(name: &str, value: String, draft: &mut Draft) -> Result<(), RequestError> {
    draft.set_header(name, value);
    Ok(())
}

pub(super) fn token(token: &Token, draft: &mut Draft, proof: Proof) -> Result<(), RequestError> {
    match proof {
        Proof::Sent => bearer(token.access.expose(), draft),
        Proof::Shown => bearer(HIDDEN, draft),
    }
}
