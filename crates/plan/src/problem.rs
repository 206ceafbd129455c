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
    /// The idempotency key is none.
    MalformedIdempotencyKey,
    /// No API key was sent.
    MissingCredentials,
    /// The API key is wrong.
    InvalidCredentials,
    /// No access token was sent.
    MissingToken,
    /// The token is wrong, or its session has ended.
    InvalidToken,
    /// The request brings no session.
    MissingSession,
    /// The session is unknown or has ended.
    InvalidSession,
    /// The call is not proved to be its sender's.
    InvalidSignature,
    /// The request brings no address and password.
    MissingPassword,
    /// Those of the request are wrong.
    InvalidPassword,
    /// Address or password of a login are wrong.
    WrongCredentials,
    /// The account may not be used.
    AccountDisabled,
    /// The API key is right and must not be used for this.
    InsufficientScope,
    /// The account is right and has not the role that this asks for.
    InsufficientRole,
    /// The token is right, and nobody here belongs to it.
    UnknownUser,
    /// A page of another origin had a browser send the request.
    CrossOrigin,
    /// Nothing has this path.
    NotFound,
    /// The path answers other methods.
    MethodNotAllowed,
    /// The body did not arrive.
    RequestTimeout,
    /// A unique value is taken.
    Conflict,
    /// The time is another record's.
    Overlap,
    /// Other records lead to the record.
    InUse,
    /// There is not as much of something as is asked for.
    OutOfStock,
    /// The record is not so that this can be done with it.
    WrongState,
    /// The record is not so that an operation of the patch fits it.
    PatchFailed,
    /// Another request with the same idempotency key is under way.
    RequestInProgress,
    /// A token that was mailed was used, or is too old.
    LinkExpired,
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
    /// The idempotency key was sent before with another request.
    IdempotencyKeyReused,
    /// The caller is over the limit.
    RateLimited,
    /// The head of the request is over the limit.
    HeaderFieldsTooLarge,
    /// A bug, or a failure with no better name.
    InternalError,
    /// A service behind the API does not do what it was asked for.
    ServiceRefused,
    /// The database does not answer.
    Unavailable,
    /// Whoever issues the tokens does not answer.
    IssuerUnavailable,
    /// The answer took too long, or more is at work than the server takes on.
    Overloaded,
}

impl Problem {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 42] = [
        Self::MalformedRequest,
        Self::MalformedBody,
        Self::MalformedIdempotencyKey,
        Self::MissingCredentials,
        Self::InvalidCredentials,
        Self::MissingToken,
        Self::InvalidToken,
        Self::MissingSession,
        Self::InvalidSession,
        Self::InvalidSignature,
        Self::MissingPassword,
        Self::InvalidPassword,
        Self::WrongCredentials,
        Self::AccountDisabled,
        Self::InsufficientScope,
        Self::InsufficientRole,
        Self::UnknownUser,
        Self::CrossOrigin,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::Overlap,
        Self::InUse,
        Self::OutOfStock,
        Self::WrongState,
        Self::PatchFailed,
        Self::RequestInProgress,
        Self::LinkExpired,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::HeaderFieldsTooLarge,
        Self::InternalError,
        Self::ServiceRefused,
        Self::Unavailable,
        Self::IssuerUnavailable,
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
            Self::MalformedIdempotencyKey => (
                "malformed-idempotency-key",
                400,
                "Malformed idempotency key",
                Some("an `Idempotency-Key` is sent once and has 1 to 255 visible ASCII characters"),
            ),
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
            Self::MissingToken => (
                "missing-token",
                401,
                "Authentication required",
                Some("send an access token in `Authorization: Bearer`"),
            ),
            Self::InvalidToken => (
                "invalid-token",
                401,
                "Authentication failed",
                Some("the token is unknown or malformed, has expired, or its session has ended"),
            ),
            Self::MissingSession => (
                "missing-session",
                401,
                "Authentication required",
                Some("sign in first: the request brings no session"),
            ),
            Self::InvalidSession => {
                ("invalid-session", 401, "Authentication failed", Some("the session is unknown, or it has ended"))
            }
            Self::InvalidSignature => (
                "invalid-signature",
                401,
                "Authentication failed",
                Some("the call is not proved to be that of its sender"),
            ),
            Self::MissingPassword => (
                "missing-password",
                401,
                "Authentication required",
                Some("send the e-mail address and the password of an account in `Authorization: Basic`"),
            ),
            Self::InvalidPassword => {
                ("invalid-password", 401, "Authentication failed", Some("the e-mail address or the password is wrong"))
            }
            Self::WrongCredentials => {
                ("wrong-credentials", 401, "Login failed", Some("the e-mail address or the password is wrong"))
            }
            Self::AccountDisabled => ("account-disabled", 403, "Account disabled", Some("the account may not be used")),
            Self::InsufficientScope => ("insufficient-scope", 403, "Insufficient scope", None),
            Self::InsufficientRole => ("insufficient-role", 403, "Insufficient role", None),
            Self::UnknownUser => (
                "unknown-user",
                403,
                "Unknown user",
                Some("no user here belongs to the token, and none can be made for it"),
            ),
            Self::CrossOrigin => (
                "cross-origin",
                403,
                "Cross-origin request",
                Some("a page of another origin had the browser send this request"),
            ),
            Self::NotFound => ("not-found", 404, "Not found", Some("no resource has this path")),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed", None),
            Self::RequestTimeout => {
                ("request-timeout", 408, "Request timed out", Some("the body did not arrive in time"))
            }
            Self::Conflict => ("conflict", 409, "Conflict", Some("a record with the same unique value exists")),
            Self::Overlap => ("overlap", 409, "Overlap", Some("another record takes some of this time")),
            Self::InUse => {
                ("in-use", 409, "In use", Some("other records lead to this one: change or remove them first"))
            }
            Self::OutOfStock => {
                ("out-of-stock", 409, "Out of stock", Some("there is less of something than was asked for"))
            }
            Self::WrongState => {
                ("wrong-state", 409, "Wrong state", Some("the record is in a state in which this cannot be done"))
            }
            Self::PatchFailed => (
                "patch-failed",
                409,
                "Patch failed",
                Some("the record is not as the patch takes it to be; nothing has changed"),
            ),
            Self::RequestInProgress => (
                "request-in-progress",
                409,
                "Request in progress",
                Some("another request with this `Idempotency-Key` is still being worked on"),
            ),
            Self::LinkExpired => {
                ("link-expired", 410, "Link expired", Some("the link was used, or is too old: ask for another one"))
            }
            Self::PreconditionFailed => (
                "precondition-failed",
                412,
                "Precondition failed",
                Some("the record has changed since it was read; read it again"),
            ),
            Self::BodyTooLarge => ("body-too-large", 413, "Body too large", None),
            Self::UriTooLong => {
                ("uri-too-long", 414, "URI too long", Some("path and query may have at most 57344 bytes together"))
            }
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "Unsupported media type", Some("send the body as `application/json`"))
            }
            Self::ValidationFailed => ("validation-failed", 422, "Validation failed", None),
            Self::IdempotencyKeyReused => (
                "idempotency-key-reused",
                422,
                "Idempotency key reused",
                Some("this `Idempotency-Key` was sent before with another request"),
            ),
            Self::RateLimited => ("rate-limited", 429, "Too many requests", None),
            Self::HeaderFieldsTooLarge => (
                "header-fields-too-large",
                431,
                "Header fields too large",
                Some("the head of a request may have at most 65536 bytes and 100 fields"),
            ),
            Self::InternalError => (
                "internal-error",
                500,
                "Internal error",
                Some("the server failed; the request id finds the cause in its log"),
            ),
            Self::ServiceRefused => (
                "service-refused",
                502,
                "Refused by a service",
                Some("a service behind this API does not do what it was asked for; nothing is left of it"),
            ),
            Self::Unavailable => ("unavailable", 503, "Service unavailable", Some("the database does not answer")),
            Self::IssuerUnavailable => (
                "issuer-unavailable",
                503,
                "Issuer unavailable",
                Some("whoever issues the tokens does not answer, so this one cannot be checked now"),
            ),
            Self::Overloaded => ("overloaded", 503, "Service overloaded", Some("the answer took too long")),
        }
    }
}
