//! Where a request goes: the host's address comes in, filled in with what users, tokens and answers have a say in, and goes out only where
//! it lies in the domains that the manifest names.

use super::{RequestError, host};
use crate::account::Call;
use reqwest::Url;

/// The beginning of the address of a call, without a slash at its end.
pub(super) fn base(call: &Call<'_>) -> Result<String, RequestError> {
    let (name, host) = host(call).ok_or_else(|| RequestError::Absent("the host".to_owned()))?;
    let base = call.account.base(host, call).ok_or_else(|| RequestError::Absent(format!("the host `{name}`")))?;
    checked(&base, name, &host.within, call.account.instead.is_some())
}

/// The address, where it is one and lies where it may.
fn checked(base: &str, name: &str, within: &[String], is_ours: bool) -> Result<String, RequestError> {
    let base = base.trim_end_matches('/');
    if is_ours {
        return Ok(base.to_owned());
    }
    let url = Url::parse(base).map_err(|_| RequestError::NoAddress(name.to_owned()))?;
    let is_plain = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && !base.contains(['?', '#', '@', '\\'])
        && !base.chars().any(|character| character.is_control() || character.is_whitespace());
    if !is_plain {
        return Err(RequestError::NoAddress(name.to_owned()));
    }
    match within.is_empty() || url.host_str().is_some_and(|host| is_within(host, within)) {
        true => Ok(base.to_owned()),
        false => Err(RequestError::Elsewhere { host: name.to_owned(), within: within.join(", ") }),
    }
}

/// A whole address of a manifest, where it is one and lies where it may.
pub(crate) fn checked_address(url: &str, name: &str, within: &[String]) -> Result<String, RequestError> {
    checked(url, name, within, false)
}

/// Whether a host is one of the domains, or lies in one.
fn is_within(host: &str, within: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    within
        .iter()
        .any(|domain| host == *domain || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')))
}
