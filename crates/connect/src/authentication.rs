//! How a request says who we are: one file for each mechanism, none of them knows a company. A draft of a request comes in, one that proves
//! who sends it goes out; where it is only shown, that something stood there is all that is said.

mod assertion;
mod body;
pub mod consent;
mod header;
pub mod oauth2;
mod query;
mod sigv4;
pub mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use body::in_body;
pub(crate) use sigv4::link;

use crate::account::Call;
use crate::fill::{self, Scope};
use crate::request::{Draft, Proof, RequestError};
use manifest::Text;
use manifest::authentication::{Authentication, PathEncoding};

/// The way that a call goes: the operation's, else the first.
pub(crate) fn way<'c>(call: &Call<'c>) -> Result<&'c Authentication, RequestError> {
    named_way(call).map(|(_, way)| way)
}

/// The way with its name.
pub(crate) fn named_way<'c>(call: &Call<'c>) -> Result<(&'c str, &'c Authentication), RequestError> {
    let ways = &call.account.manifest.provider.authentication;
    let found = match &call.operation.authentication {
        Some(name) => ways.get(name.as_str()).map(|way| (name.as_str(), way)),
        None => ways.first().map(|(name, way)| (name.as_str(), way)),
    };
    found.ok_or_else(|| RequestError::Absent("the way of authentication".to_owned()))
}

/// Whether slashes of a value stay what they are in the path: names there are paths, and they are signed as they are.
pub(crate) fn signs_path_once(way: &Authentication) -> bool {
    matches!(way, Authentication::Sigv4(way) if way.path_encoding == PathEncoding::Once)
}

/// Adds what proves who we are. What stands in the body is there already.
pub(crate) fn apply(
    way: &Authentication,
    call: &Call<'_>,
    scope: &dyn Scope,
    draft: &mut Draft,
    proof: Proof,
) -> Result<(), RequestError> {
    match way {
        Authentication::None(_) | Authentication::InAddress(_) | Authentication::Body(_) => Ok(()),
        Authentication::Bearer { token } => header::bearer(&needed(token, scope)?, draft),
        Authentication::Basic { user, password } => {
            header::basic(&needed(user, call)?, &needed(password, call)?, draft, proof)
        }
        Authentication::Header { name, value } => header::own(name, needed(value, scope)?, draft),
        Authentication::Query(parameters) => query::add(parameters, scope, draft),
        Authentication::Oauth2(_) => {
            let token = call.token.ok_or_else(|| RequestError::Proof("there is no token".to_owned()))?;
            header::token(token, draft, proof)
        }
        Authentication::Sigv4(way) => sigv4::sign(way, call, draft, proof),
    }
}

/// What a text of a way of authentication comes to: it must be there.
pub(crate) fn needed(text: &Text, scope: &dyn Scope) -> Result<String, RequestError> {
    fill::text(text, scope)?.ok_or_else(|| RequestError::Proof(format!("`{text}` has no value")))
}
