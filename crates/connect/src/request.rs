//! A request is made of an operation and what it is given: bytes exactly as the manifest says, twice, once to be sent and once as it may
//! be shown. Nothing is sent here, and nothing that is wrong gets this far: the address lies where the manifest lets it, and no value can
//! leave the place where it stands.

mod body;
mod place;
mod written;

#[cfg(test)]
mod tests;

use crate::account::{Call, Rendered};
use crate::authentication;
use crate::fill::{self, FillError, Scope};
use crate::input::{self, InputError};
use crate::message::HttpRequest;
use manifest::authentication::Authentication;
use manifest::operation::{HttpRequest as Template, Idempotency, Request};
use manifest::provider::{AnswerFormat, Host};
use std::cell::RefCell;
use std::time::Duration;
use vocab::FieldName;

pub(crate) use place::checked_address;
pub(crate) use written::{HIDDEN, hash};
use written::{InPath, InXml, NOTHING, Numbers, Shown};

/// Why a request cannot be made. No value is ever part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The provider has no such operation.
    #[error("no operation is called `{0}`")]
    NoOperation(FieldName),
    /// The operation is no request of HTTP.
    #[error("the operation `{0}` is no request of HTTP")]
    NotHttp(FieldName),
    /// An input is wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A value cannot be what it should become.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// Something that must be there is absent.
    #[error("{0} has no value")]
    Absent(String),
    /// The host's address is none, or holds more than it may.
    #[error("the address of the host `{0}` is none: it is `https://`, a name, and at most a path")]
    NoAddress(String),
    /// The host's address lies elsewhere than it may.
    #[error("the address of the host `{host}` does not lie in {within}")]
    Elsewhere {
        /// The host.
        host: String,
        /// The domains.
        within: String,
    },
    /// A value leads out of its place in the path.
    #[error("a value in the path is `.`, `..` or nothing")]
    LeavesPath,
    /// A header cannot hold it.
    #[error("the header `{0}` cannot hold a line break or another control character")]
    Header(String),
    /// The idempotency key is longer than the provider takes.
    #[error("the key of the delivery has more than {0} characters")]
    KeyTooLong(u32),
    /// A token, a key or another proof of who we are is missing or is none.
    #[error("{0}")]
    Proof(String),
}

/// Makes the request of a call.
///
/// # Errors
/// [`RequestError`]: nothing was sent.
pub fn render(call: &Call<'_>) -> Result<Rendered, RequestError> {
    input::check(call.inputs, &call.operation.input)?;
    if let (Some(Idempotency::Key { max_length, .. }), Some(delivery)) = (&call.operation.idempotency, call.delivery)
        && delivery.key.chars().count() > *max_length as usize
    {
        return Err(RequestError::KeyTooLong(*max_length));
    }
    let sent = written(call, call, Proof::Sent)?;
    let scope = Shown { call, inner: call, hides: RefCell::default() };
    let shown = written(call, &scope, Proof::Shown)?;
    Ok(Rendered { sent, shown: shown_plainly(shown), hides: scope.hides.into_inner() })
}

/// Makes an address at which its bearer can send the request of a call, for as long as it holds.
///
/// # Errors
/// [`RequestError`]: also where the way of authentication knows no such address.
pub fn link(call: &Call<'_>, holds: Duration) -> Result<String, RequestError> {
    input::check(call.inputs, &call.operation.input)?;
    let way = authentication::way(call)?;
    let Authentication::Sigv4(signs) = way else {
        return Err(RequestError::Proof("an address that proves itself is made by a signature only".to_owned()));
    };
    authentication::link(signs, call, &mut draft(call, way, call)?, holds)
}

/// Whether who we are is proved, or only that it was is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Sent,
    Shown,
}

/// How the answer to an operation is written.
pub(crate) fn answers(call: &Call<'_>) -> AnswerFormat {
    let of_host = || host(call).map_or(AnswerFormat::Json, |(_, host)| host.answers);
    call.operation.answers.unwrap_or_else(of_host)
}

/// The host that an operation is meant for.
pub(crate) fn host<'c>(call: &Call<'c>) -> Option<(&'c str, &'c Host)> {
    let hosts = &call.account.manifest.provider.hosts;
    let named = match &call.operation.request {
        Request::Http(http) => http.host.as_ref(),
        Request::Command(_) | Request::Rows(_) => None,
    };
    match named {
        Some(name) => hosts.get(name.as_str()).map(|host| (name.as_str(), host)),
        None => hosts.first().map(|(name, host)| (name.as_str(), host)),
    }
}

/// A request before it is known how many of its bytes prove who we are.
pub(crate) struct Draft {
    /// The beginning of its address.
    pub base: String,
    /// Its path, encoded.
    pub path: String,
    /// Its parameters, encoded, in order.
    pub query: Vec<(String, String)>,
    /// What is sent.
    pub request: HttpRequest,
}

impl Draft {
    /// Sets a header; one that stands there already is replaced.
    pub fn set_header(&mut self, name: &str, value: String) {
        let headers = &mut self.request.headers;
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(known) => known.1 = value,
            None => headers.push((name.to_owned(), value)),
        }
    }

    /// Its parameters as they stand in the address.
    pub fn query_text(&self) -> String {
        let pair = |(name, value): &(String, String)| format!("{name}={value}");
        self.query.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

fn written(call: &Call<'_>, scope: &dyn Scope, proof: Proof) -> Result<HttpRequest, RequestError> {
    let way = authentication::way(call)?;
    let mut draft = draft(call, way, scope)?;
    authentication::apply(way, call, scope, &mut draft, proof)?;
    let query = draft.query_text();
    let mark = if query.is_empty() { "" } else { "?" };
    draft.request.url = format!("{}{}{mark}{query}", draft.base, draft.path);
    // What a line break would begin is another header, or another request.
    match draft.request.headers.iter().find(|(_, value)| value.chars().any(|one| one.is_control() && one != '\t')) {
        Some((name, _)) => Err(RequestError::Header(name.clone())),
        None => Ok(draft.request),
    }
}

fn draft(call: &Call<'_>, way: &Authentication, scope: &dyn Scope) -> Result<Draft, RequestError> {
    let Request::Http(http) = &call.operation.request else { return Err(RequestError::NotHttp(call.name.clone())) };
    let base = place::base(call)?;
    let path = path(http, way, scope)?;
    let mut query = Vec::new();
    for (name, value) in http.query.iter() {
        if let Some(value) = fill::text(value, scope)? {
            query.push((crate::encode::percent_but_brackets(name), crate::encode::percent_but_brackets(&value)));
        }
    }
    let mut headers = Vec::new();
    let of_host = host(call).into_iter().flat_map(|(_, host)| host.headers.iter());
    for (name, value) in of_host.chain(http.headers.iter()) {
        if let Some(value) = fill::text(value, scope)? {
            headers.retain(|(known, _): &(String, String)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone(), value));
        }
    }
    let mut draft = Draft {
        base,
        path,
        query,
        request: HttpRequest { method: http.method, url: String::new(), headers, body: Vec::new() },
    };
    let (body, media_type) = body::of(http.body.as_ref(), way, scope, &Numbers { call, inner: scope })?;
    draft.request.body = body;
    if let Some(media_type) = media_type
        && draft.request.header("Content-Type").is_none()
    {
        draft.request.headers.push(("Content-Type".to_owned(), media_type));
    }
    Ok(draft)
}

/// The path behind the host. A value stays the one step that it stands for.
fn path(http: &Template, way: &Authentication, scope: &dyn Scope) -> Result<String, RequestError> {
    let keeps_slashes = authentication::signs_path_once(way);
    let filled = fill::text(&http.path, &InPath { inner: scope, keeps_slashes })?;
    let path = filled.ok_or_else(|| RequestError::Absent("the path".to_owned()))?;
    match path.contains(NOTHING) || path.split('/').any(|step| matches!(step, "." | "..")) {
        true => Err(RequestError::LeavesPath),
        false => Ok(path),
    }
}

/// Marks of what is hidden are read by people: they stand as they are, whatever they stand in.
fn shown_plainly(mut shown: HttpRequest) -> HttpRequest {
    let plain = |text: &str| text.replace("%5Bredacted%5D", "[redacted]").replace("sha256%3A", "sha256:");
    shown.url = plain(&shown.url);
    if let Ok(text) = std::str::from_utf8(&shown.body) {
        shown.body = plain(text).into_bytes();
    }
    shown
}

/// Fills a text in for XML.
pub(crate) fn xml_text(text: &manifest::Text, scope: &dyn Scope) -> Result<Option<String>, FillError> {
    fill::text(text, &InXml { inner: scope })
}
