//! Answers: JSON objects and problems, as bytes with their headers.

use crate::body::{ACCEPT_CHANGES, ACCEPT_PATCH, Taken};
use crate::export::Rows;
use crate::validation::{Spot, Wrong};
use bytes::Bytes;
use plan::procedure::Roles;
use plan::{Problem, Scope};
use serde_json::json;
use store::Late;
use vocab::ScopeToken;

/// An answer before the headers that every response carries.
#[derive(Clone)]
pub(crate) struct Answer {
    pub status: u16,
    /// Empty where there is no body.
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// What follows the body, a page at a time.
    pub rows: Option<Box<Rows>>,
}

/// A problem with what only this request knows of it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub problem: Problem,
    detail: Option<String>,
    headers: Vec<(&'static str, String)>,
    errors: Vec<Wrong>,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "application/json", headers: Vec::new(), body: body.into(), rows: None }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: "", headers: Vec::new(), body: Bytes::new(), rows: None }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let headers = match problem {
            Problem::MissingCredentials | Problem::MissingToken => {
                vec![("www-authenticate", "Bearer realm=\"api\"".to_owned())]
            }
            Problem::InvalidCredentials | Problem::InvalidToken => {
                vec![("www-authenticate", "Bearer realm=\"api\", error=\"invalid_token\"".to_owned())]
            }
            Problem::MissingSession | Problem::InvalidSession => {
                vec![("www-authenticate", "Cookie realm=\"api\"".to_owned())]
            }
            Problem::InvalidSignature => vec![("www-authenticate", "Signature realm=\"api\"".to_owned())],
            Problem::MissingPassword | Problem::InvalidPassword => {
                vec![("www-authenticate", "Basic realm=\"api\", charset=\"UTF-8\"".to_owned())]
            }
            Problem::RequestTimeout
            | Problem::MalformedRequest
            | Problem::BodyTooLarge
            | Problem::UriTooLong
            | Problem::HeaderFieldsTooLarge => vec![("connection", "close".to_owned())],
            Problem::IssuerUnavailable => vec![("retry-after", "5".to_owned())],
            Problem::RequestInProgress | Problem::Unavailable | Problem::Overloaded => {
                vec![("retry-after", "1".to_owned())]
            }
            Problem::MalformedBody
            | Problem::MalformedIdempotencyKey
            | Problem::WrongCredentials
            | Problem::AccountDisabled
            | Problem::InsufficientScope
            | Problem::InsufficientRole
            | Problem::UnknownUser
            | Problem::CrossOrigin
            | Problem::NotFound
            | Problem::MethodNotAllowed
            | Problem::Conflict
            | Problem::Overlap
            | Problem::InUse
            | Problem::OutOfStock
            | Problem::WrongState
            | Problem::PatchFailed
            | Problem::LinkExpired
            | Problem::PreconditionFailed
            | Problem::UnsupportedMediaType
            | Problem::ValidationFailed
            | Problem::IdempotencyKeyReused
            | Problem::RateLimited
            | Problem::InternalError
            | Problem::ServiceRefused => Vec::new(),
        };
        Self { problem, detail: None, headers, errors: Vec::new() }
    }
}

impl Refusal {
    pub fn method_not_allowed(allow: &str) -> Self {
        Self {
            detail: Some(format!("this path answers {allow}")),
            headers: vec![("allow", allow.to_owned())],
            ..Problem::MethodNotAllowed.into()
        }
    }

    pub fn insufficient_scope(scope: &Scope) -> Self {
        let challenge = format!("Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"{scope}\"");
        Self {
            detail: Some(format!("the API key lacks the scope `{scope}`")),
            headers: vec![("www-authenticate", challenge)],
            ..Problem::InsufficientScope.into()
        }
    }

    /// RFC 9728, 5.1: says besides where it is said who issues the tokens that are taken here.
    pub fn of_issued_token(problem: Problem, metadata: &str) -> Self {
        let error = if problem == Problem::MissingToken { "" } else { ", error=\"invalid_token\"" };
        let challenge = format!("Bearer realm=\"api\"{error}, resource_metadata=\"{metadata}\"");
        Self { headers: vec![("www-authenticate", challenge)], ..problem.into() }
    }

    pub fn insufficient_grant(grant: &ScopeToken, metadata: &str) -> Self {
        let challenge = format!(
            "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"{grant}\", resource_metadata=\"{metadata}\""
        );
        Self {
            detail: Some(format!("the token was not granted the scope `{grant}`")),
            headers: vec![("www-authenticate", challenge)],
            ..Problem::InsufficientScope.into()
        }
    }

    /// The database answers, and not in time; nothing was done.
    pub fn late(late: Late) -> Self {
        let detail = match late {
            Late::Statement => "the database took too long for this request",
            Late::Pool => "all connections to the database are at work",
            Late::Lock => "others kept what this request needs for too long",
            Late::Plan => "the database would have to look at too much for this request",
        };
        Self { detail: Some(detail.to_owned()), ..Problem::Unavailable.into() }
    }

    /// Nobody knows whether it was done.
    pub fn uncertain() -> Self {
        let detail = "the database was lost while this was stored, so it may be stored or not";
        Self { detail: Some(detail.to_owned()), ..Problem::Unavailable.into() }
    }

    pub fn out_of_stock(wrong: Wrong) -> Self {
        Self { errors: vec![wrong], ..Problem::OutOfStock.into() }
    }

    /// The record is not as the operation takes it to be.
    pub fn patch_failed(wrong: Wrong) -> Self {
        Self { errors: vec![wrong], ..Problem::PatchFailed.into() }
    }

    /// The body is not of a media type that is taken. RFC 5789, 2.2: which would do.
    pub fn unsupported_media_type(taken: Taken) -> Self {
        let (detail, accepted) = match taken {
            Taken::Record => return Problem::UnsupportedMediaType.into(),
            Taken::Records => {
                let detail = "send the body as `application/json` or `text/csv`".to_owned();
                return Self { detail: Some(detail), ..Problem::UnsupportedMediaType.into() };
            }
            Taken::Changes => ("send the body as `application/merge-patch+json` or `application/json`", ACCEPT_CHANGES),
            Taken::Patch => (
                "send the body as `application/merge-patch+json`, `application/json-patch+json` or `application/json`",
                ACCEPT_PATCH,
            ),
        };
        let headers = vec![("accept-patch", accepted.to_owned())];
        Self { detail: Some(detail.to_owned()), headers, ..Problem::UnsupportedMediaType.into() }
    }

    pub fn insufficient_role(roles: &Roles) -> Self {
        Self { detail: Some(roles.lacked()), ..Problem::InsufficientRole.into() }
    }

    pub fn body_too_large(limit: u64) -> Self {
        Self { detail: Some(format!("the body may have at most {limit} bytes")), ..Problem::BodyTooLarge.into() }
    }

    /// RFC 9110, 15.5.16: the header says that it is the coding, and which one would do.
    pub fn unsupported_coding() -> Self {
        Self {
            detail: Some("send the body without `Content-Encoding`".to_owned()),
            headers: vec![("accept-encoding", "identity".to_owned())],
            ..Problem::UnsupportedMediaType.into()
        }
    }

    /// More is at work than the server takes on.
    pub fn busy() -> Self {
        Self { detail: Some("too many requests are at work; try again".to_owned()), ..Problem::Overloaded.into() }
    }

    pub fn validation_failed(errors: Vec<Wrong>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is wrong".to_owned(),
            several => format!("{several} fields are wrong"),
        };
        Self { detail: Some(detail), errors, ..Problem::ValidationFailed.into() }
    }

    pub fn rate_limited(quota: u32, window_seconds: u32, retry_after: u64) -> Self {
        Self {
            detail: Some(format!("at most {quota} requests per {window_seconds} seconds")),
            headers: vec![("retry-after", retry_after.to_string())],
            ..Problem::RateLimited.into()
        }
    }

    /// Whether it comes of who calls and of what is asked for; not of how much is asked, or of the server.
    pub fn is_the_callers(&self) -> bool {
        self.problem.status() < 500 && self.problem != Problem::RateLimited
    }

    pub fn into_answer(self, request_id: &str) -> Answer {
        let problem = self.problem;
        let detail = self.detail.as_deref().or(problem.detail()).unwrap_or_default();
        let mut body = json!({
            "type": problem.type_uri(),
            "title": problem.title(),
            "status": problem.status(),
            "detail": detail,
            "request_id": request_id,
        });
        if !self.errors.is_empty() {
            body["errors"] = self
                .errors
                .iter()
                .map(|wrong| match &wrong.place {
                    Spot::Body(pointer) => json!({"pointer": pointer, "code": wrong.code, "detail": wrong.detail}),
                    Spot::Parameter(name) => json!({"parameter": name, "code": wrong.code, "detail": wrong.detail}),
                })
                .collect();
        }
        Answer {
            status: problem.status(),
            content_type: "application/problem+json",
            headers: self.headers,
            body: body.to_string().into(),
            rows: None,
        }
    }
}
