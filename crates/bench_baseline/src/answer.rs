//! Answers: the headers every response carries, and problems as `application/problem+json`.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use uuid::Uuid;

use crate::limit::Count;
use crate::validation::FieldProblem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LONGEST_REQUEST_ID: usize = 64;

/// The caller's request id where it is well formed, else a new one.
#[derive(Clone)]
pub struct RequestId(HeaderValue);

/// Everything that can be wrong with a request.
pub enum Problem {
    /// Not JSON.
    MalformedBody,
    /// No key was sent.
    MissingCredentials,
    /// A key that does not work.
    InvalidCredentials,
    /// No such path.
    NotFound,
    /// The path answers other methods.
    MethodNotAllowed,
    /// The body came too slowly.
    RequestTimeout,
    /// The body is larger than this many bytes.
    BodyTooLarge(usize),
    /// Not JSON by its header.
    UnsupportedMediaType,
    /// Fields are wrong.
    ValidationFailed(Vec<FieldProblem>),
    /// Over the limit of so many requests per so many seconds.
    RateLimited(usize, u64),
    /// The server's own fault.
    Internal,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldProblem],
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let sent = parts.headers.get(&REQUEST_ID).filter(|value| is_request_id(value.as_bytes()));
        Ok(Self(sent.cloned().unwrap_or_else(|| header(&Uuid::now_v7().to_string()))))
    }
}

fn is_request_id(bytes: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST_REQUEST_ID).contains(&bytes.len()) && bytes.iter().all(allowed)
}

impl RequestId {
    /// A JSON answer.
    pub fn json(&self, status: StatusCode, body: &impl Serialize) -> Response {
        match serde_json::to_vec(body) {
            Ok(body) => self.json_bytes(status, body),
            Err(_) => self.problem(&Problem::Internal),
        }
    }

    /// A JSON answer that is written already.
    pub fn json_bytes(&self, status: StatusCode, body: Vec<u8>) -> Response {
        self.response(status, "application/json", body)
    }

    /// 304: the caller has it already.
    pub fn not_modified(&self) -> Response {
        let mut response = self.response(StatusCode::NOT_MODIFIED, "application/json", Vec::new());
        response.headers_mut().remove(CONTENT_TYPE);
        response
    }

    /// A problem document, with the headers its kind asks for.
    pub fn problem(&self, problem: &Problem) -> Response {
        let (status, name, title, detail) = problem.words();
        let body = ProblemBody {
            r#type: format!("urn:problem-type:{name}"),
            title,
            status: status.as_u16(),
            detail,
            request_id: self.0.to_str().unwrap_or_default(),
            errors: match problem {
                Problem::ValidationFailed(errors) => errors,
                _ => &[],
            },
        };
        // A struct of strings and numbers always serializes.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = self.response(status, "application/problem+json", body);
        if let Some((name, value)) = problem.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn response(&self, status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(REQUEST_ID, self.0.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Adds the limit's headers, and `Retry-After` where the request was refused.
pub fn add_limit(response: &mut Response, count: &Count) {
    let headers = response.headers_mut();
    headers.insert(RATE_LIMIT, header(&format!("\"contact\";r={};t={}", count.left, count.reset)));
    headers.insert(RATE_LIMIT_POLICY, header(&format!("\"contact\";q={};w={}", count.quota, count.window)));
    if !count.passed {
        headers.insert(RETRY_AFTER, header(&count.reset.max(1).to_string()));
    }
}

/// Only for text made here, which is visible ASCII.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

impl Problem {
    /// Status, name, title and detail.
    fn words(&self) -> (StatusCode, &'static str, &'static str, String) {
        let (status, name, title, detail) = match self {
            Self::MalformedBody => (400, "malformed-body", "Malformed body", "the body is not valid JSON"),
            Self::MissingCredentials => (
                401,
                "missing-credentials",
                "Authentication required",
                "send an API key in `X-API-Key` or `Authorization: Bearer`",
            ),
            Self::InvalidCredentials => {
                (401, "invalid-credentials", "Authentication failed", "the API key is unknown, expired or revoked")
            }
            Self::NotFound => (404, "not-found", "Not found", "no resource has this path"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "Method not allowed", "this path answers POST"),
            Self::RequestTimeout => (408, "request-timeout", "Request timed out", "the body did not arrive in time"),
            Self::BodyTooLarge(limit) => {
                let detail = format!("the body may have at most {limit} bytes");
                return (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "Body too large", detail);
            }
            Self::UnsupportedMediaType => {
                (415, "unsupported-media-type", "Unsupported media type", "send the body as `application/json`")
            }
            Self::ValidationFailed(errors) => {
                let fields = if errors.len() == 1 { "field is" } else { "fields are" };
                let detail = format!("{} {fields} wrong", errors.len());
                return (StatusCode::UNPROCESSABLE_ENTITY, "validation-failed", "Validation failed", detail);
            }
            Self::RateLimited(quota, window) => {
                let detail = format!("at most {quota} requests per {window} seconds");
                return (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", detail);
            }
            Self::Internal => (
                500,
                "internal-error",
                "Internal error",
                "the server failed; the request id finds the cause in its log",
            ),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, name, title, detail.to_owned())
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::MissingCredentials => Some((WWW_AUTHENTICATE, r#"Bearer realm="api""#)),
            Self::InvalidCredentials => Some((WWW_AUTHENTICATE, r#"Bearer realm="api", error="invalid_token""#)),
            Self::MethodNotAllowed => Some((ALLOW, "POST")),
            Self::RequestTimeout | Self::BodyTooLarge(_) => Some((CONNECTION, "close")),
            Self::MalformedBody
            | Self::NotFound
            | Self::UnsupportedMediaType
            | Self::ValidationFailed(_)
            | Self::RateLimited(..)
            | Self::Internal => None,
        }
    }
}
