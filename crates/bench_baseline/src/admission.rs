//! Who may go on: headers and address of a request come in, the count of its limit and a refusal, if there is one, go out.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::Service;
use crate::answer::Problem;
use crate::limit::{Caller, Count};

/// Authorizes and counts one request; one without a good key counts against its address.
pub async fn admit(service: &Service, headers: &HeaderMap, address: SocketAddr) -> (Count, Result<(), Problem>) {
    let (caller, refusal) = match authorize(service, headers).await {
        Ok(key) => (Caller::Key(key), None),
        Err(problem) => (Caller::Address(address.ip()), Some(problem)),
    };
    let count = service.limiter.count(caller);
    let admitted = match refusal {
        _ if !count.passed => Err(Problem::RateLimited(count.quota, count.window)),
        Some(problem) => Err(problem),
        None => Ok(()),
    };
    (count, admitted)
}

/// The key's row in the table of keys.
async fn authorize(service: &Service, headers: &HeaderMap) -> Result<i64, Problem> {
    let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    let sent = headers.get("x-api-key").map(|value| value.to_str().unwrap_or_default()).or_else(bearer);
    let key = sent.filter(|key| !key.is_empty()).ok_or(Problem::MissingCredentials)?;
    match service.keys.find(key).await {
        Ok(found) => found.ok_or(Problem::InvalidCredentials),
        Err(error) => Err(internal(&*error)),
    }
}

/// The caller hears that it failed, the log hears why.
pub fn internal(error: &dyn std::error::Error) -> Problem {
    eprintln!("error: {error}");
    Problem::Internal
}
