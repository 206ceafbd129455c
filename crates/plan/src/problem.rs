//! Every error a served API can answer with: `docs/http-manners.md` as data.

use serde::{Deserialize, Serialize};

/// A kind of `application/problem+json` answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The bytes are not an HTTP request.
    MalformedRequest,
    /// The body is not JSON.
    MalformedBody,
    /// No API key was sent.
    MissingCredentials,
    /// The API key is wrong.
    InvalidCredentials,
    /// Nothing has this path.
    NotFound,
    /// The path answers other methods.
    MethodNotAllowed,
    /// The body did not arrive.
    RequestTimeout,
    /// A unique value is taken.
    Conflict,
    /// The record has changed since the caller read it.
    PreconditionFailed,
    /// The body is over the limit.
    BodyTooLarge,
    /// The request's target is over the limit.
    UriTooLong,
    /// The body is of another media type.
    UnsupportedMediaType,
    /// Fields are wrong.
    ValidationFailed,
    /// The caller is over the limit.
    RateLimited,
    /// The head of the request is over the limit.
    HeaderFieldsTooLarge,
    /// A bug, or a failure with no better name.
    InternalError,
    /// The database does not answer.
    Unavailable,
    /// The answer took too long, or more is at work than the server takes on.
    Overloaded,
}

impl Problem {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::MalformedRequest,
        Self::MalformedBody,
        Self::MissingCredentials,
        Self::InvalidCredentials,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::RateLimited,
        Self::HeaderFieldsTooLarge,
        Self::InternalError,
        Self::Unavailable,
        Self::Overloaded,
    ];

    /// The name in `type`, with hyphens.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The `type` member of an answer.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("urn:problem-type:{}", self.name())
    }

    /// The status code.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// The title.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The detail, where it says the same every time.
    #[must_use]
    pub fn detail(self) -> Option<&'static str> {
        self.row().3
    }

    fn row(self) -> (&'static str, u16, &'static str, Option<&'static str>) {
        match self {
            Self::MalformedRequest => {
                ("malformed-request", 400, "Malformed request", Some("the request is not valid HTTP"))
            }
            Self::MalformedBody => ("malformed-body", 400, "Malformed body", Some("the body is not valid JSON")),
            Self::MissingCredentials => (
                "missing-credentials",
                401,
                "Authentication required",
                Some("send an API key in `X-API-Key` or `Authorization: Bearer`"),
            ),
            Self::InvalidCredentials => (
                "invalid-credentials",
                401,
                "Authentication failed",
                Some("the API key is unknown, expired or revoked"),
            ),
            Self::NotFound => ("not-found", 404, "Not found", Some("no resource has this path")),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed", None),
            Self::RequestTimeout => {
                ("request-timeout", 408, "Request timed out", Some("the body did not arrive in time"))
            }
            Self::Conflict => ("conflict", 409, "Conflict", Some("a record with the same unique value exists")),
            Self::PreconditionFailed => (
                "precondition-failed",
                412,
                "Precondition failed",
                Some("the record has changed since it was read; read it again"),
            ),
            Self::BodyTooLarge => ("body-too-large", 413, "Body too large", None),
            Self::UriTooLong => {
                ("uri-too-long", 414, "URI too long", Some("path and query may have at most 8192 bytes together"))
            }
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "Unsupported media type", Some("send the body as `application/json`"))
            }
            Self::ValidationFailed => ("validation-failed", 422, "Validation failed", None),
            Self::RateLimited => ("rate-limited", 429, "Too many requests", None),
            Self::HeaderFieldsTooLarge => (
                "header-fields-too-large",
                431,
                "Header fields too large",
                Some("the head of a request may have at most 16384 bytes and 100 fields"),
            ),
            Self::InternalError => (
                "internal-error",
                500,
                "Internal error",
                Some("the server failed; the request id finds the cause in its log"),
            ),
            Self::Unavailable => ("unavailable", 503, "Service unavailable", Some("the database does not answer")),
            Self::Overloaded => ("overloaded", 503, "Service overloaded", Some("the answer took too long")),
        }
    }
}
