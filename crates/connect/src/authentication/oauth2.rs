//! OAuth 2.0: how a token is asked for and what its answer holds. An account comes in, a request goes out; an answer comes in, a token goes
//! out. Nothing is sent or kept here: `tokens` does that, one at a time.

use super::assertion::{Statement, signed};
use super::header::basic_pair;
use super::needed;
use crate::account::{Account, Token};
use crate::encode::percent;
use crate::fill::{self, as_text};
use crate::message::{HttpAnswer, HttpRequest};
use crate::request::{RequestError, checked_address};
use jiff::{SignedDuration, Timestamp};
use manifest::authentication::{ClientAuthentication, Grant, Oauth2};
use manifest::operation::Method;
use serde_json::Value;
use vocab::Secret;

/// Longest time for which a token is believed, whatever its answer says: a year.
const MAX_LIFETIME_SECONDS: i64 = 366 * 24 * 3600;

/// What is given for a token.
#[derive(Debug, Clone)]
pub enum Given {
    /// What the account has: its name and password, or what it signs.
    Own,
    /// What an earlier token brought.
    Refresh(Secret<String>),
    /// A code that a person's agreement brought.
    Code {
        /// The code.
        code: Secret<String>,
        /// Where the person came back to.
        redirect: String,
        /// What the code is bound to, where it is.
        verifier: Option<Secret<String>>,
    },
}

/// The request for a token.
///
/// # Errors
/// What is missing.
pub fn token_request(
    account: &Account,
    way: &Oauth2,
    given: &Given,
    now: Timestamp,
) -> Result<HttpRequest, RequestError> {
    let url = token_url(account, way)?;
    let mut form: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| form.push((name.to_owned(), value));
    match given {
        Given::Own => match way.grant {
            Grant::ClientCredentials => add("grant_type", "client_credentials".to_owned()),
            Grant::JwtBearer => {
                add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned());
                add("assertion", assertion(account, way, now)?);
            }
            Grant::AuthorizationCode => {
                return Err(RequestError::Proof("nobody has agreed at the provider yet".to_owned()));
            }
        },
        Given::Refresh(token) => {
            add("grant_type", "refresh_token".to_owned());
            add("refresh_token", token.expose().clone());
        }
        Given::Code { code, redirect, verifier } => {
            add("grant_type", "authorization_code".to_owned());
            add("code", code.expose().clone());
            add("redirect_uri", redirect.clone());
            if let Some(verifier) = verifier {
                add("code_verifier", verifier.expose().clone());
            }
        }
    }
    if matches!(given, Given::Own) && !way.scopes.is_empty() {
        add("scope", way.scopes.join(" "));
    }
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ("Accept".to_owned(), "application/json".to_owned()),
    ];
    let secret = || way.client_secret.as_ref().map(|text| needed(text, account)).transpose();
    match way.client {
        ClientAuthentication::Basic => {
            // Encoded before they are joined, RFC 6749 section 2.3.1.
            let id = percent(&needed(&way.client_id, account)?);
            let password = percent(&secret()?.unwrap_or_default());
            headers.push(("Authorization".to_owned(), format!("Basic {}", basic_pair(&id, &password)?)));
        }
        ClientAuthentication::Post => {
            add("client_id", needed(&way.client_id, account)?);
            if let Some(secret) = secret()? {
                add("client_secret", secret);
            }
        }
        ClientAuthentication::None => add("client_id", needed(&way.client_id, account)?),
    }
    for (name, value) in way.parameters.iter() {
        if let Some(value) = fill::text(value, account)? {
            add(name, value);
        }
    }
    let pair = |(name, value): &(String, String)| format!("{}={}", percent(name), percent(value));
    let body = form.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes();
    Ok(HttpRequest { method: Method::Post, url, headers, body })
}

fn token_url(account: &Account, way: &Oauth2) -> Result<String, RequestError> {
    let url = needed(&way.token_url, account)?;
    match &account.instead {
        Some(_) => Ok(account.stood_in(url)),
        None => checked_address(&url, "token_url", &way.token_within),
    }
}

fn assertion(account: &Account, way: &Oauth2, now: Timestamp) -> Result<String, RequestError> {
    let missing = || RequestError::Proof("the manifest says nothing of what is signed".to_owned());
    let parts = way.assertion.as_ref().ok_or_else(missing)?;
    let (issuer, subject) = (needed(&parts.issuer, account)?, needed(&parts.subject, account)?);
    let (audience, key) = (needed(&parts.audience, account)?, needed(&parts.key, account)?);
    let lifetime_seconds = parts.lifetime_seconds;
    signed(&Statement { issuer: &issuer, subject: &subject, audience: &audience, lifetime_seconds }, &key, now)
}

/// The token that an answer holds. What leads to the next one is kept from the last one where the answer brings none.
///
/// # Errors
/// What is wrong with the answer; nothing of it is said.
pub fn read_token(
    way: &Oauth2,
    answer: &HttpAnswer,
    before: Option<&Secret<String>>,
    now: Timestamp,
) -> Result<Token, String> {
    let document: Value =
        serde_json::from_slice(&answer.body).map_err(|_| "the answer with the token is no JSON".to_owned())?;
    let text = |pointer| fill::first(&document, pointer).map(as_text).filter(|text| !text.is_empty());
    let access = text(&way.token.access_token).ok_or_else(|| "the answer holds no token".to_owned())?;
    let said = way.token.expires_in.as_ref().and_then(text).and_then(|seconds| seconds.parse::<i64>().ok());
    let lifetime = said.or(way.token.lifetime_seconds.map(i64::from)).map(|seconds| seconds.min(MAX_LIFETIME_SECONDS));
    let ends_at = lifetime.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
    let refresh = way.token.refresh_token.as_ref().and_then(text).map(Secret::new).or_else(|| before.cloned());
    let kept = way.token.keep.iter().filter_map(|(name, pointer)| Some((name.as_str().to_owned(), text(pointer)?)));
    Ok(Token { access: Secret::new(access), ends_at, refresh, kept: kept.collect() })
}
