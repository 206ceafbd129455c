//! Errors and headers: the schema of a problem, an answer for each kind with an example, and what the headers of answers say.

use super::PROBLEM_JSON;
use crate::outline::Outline;
use plan::procedure::Roles;
use plan::shape::Presence;
use plan::{Plan, Problem};
use serde_json::{Map, Value, json};

pub fn headers(plans: &[&Plan]) -> Value {
    let policy = plans.iter().flat_map(|plan| &plan.api.policies).next();
    let with_example = |mut schema: Value, example: Option<String>| {
        if let Some(example) = example {
            schema["example"] = example.into();
        }
        schema
    };
    let limit = policy
        .map(|policy| format!("\"{}\";r={};t={}", policy.name, policy.quota.saturating_sub(1), policy.window_seconds));
    json!({
        "X-Request-Id": {
            "description": "Names this request in the server's log. A request may bring its own.",
            "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        },
        "RateLimit": with_example(json!({
            "description": "The policy, the requests left (`r`), and the seconds until there is room for more (`t`).",
            "schema": {"type": "string", "pattern": "^\"[^\"]+\";r=[0-9]+;t=[0-9]+$"},
        }), limit),
        "RateLimit-Policy": with_example(json!({
            "description": "The policy, its quota (`q`) and its window in seconds (`w`).",
            "schema": {"type": "string", "pattern": "^\"[^\"]+\";q=[0-9]+;w=[0-9]+$"},
        }), policy.map(plan::RateLimitPolicy::header)),
        "Retry-After": {
            "description": "Seconds until the request may be sent again.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "How to authenticate, and what the key lacks.",
            "required": true,
            "schema": {"type": "string"},
        },
        "Preference-Applied": {
            "description": "The preference of `Prefer` that the answer meets, where it meets one.",
            "schema": {"type": "string"},
        },
        "Accept-Patch": {
            "description": "The media types of changes that are taken, where it is for that.",
            "schema": {"type": "string"},
        },
        "ETag": {
            "description": "The version of what is answered, in quotes.",
            "required": true,
            "schema": {"type": "string", "pattern": "^\"[^\"]*\"$"},
            "example": "\"1\"",
        },
        "Idempotency-Replayed": {
            "description": "`true` where the answer was given before to a request with the same key.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Link": {
            "description": "The next page, where there is one: `<?...>; rel=\"next\"` (RFC 8288).",
            "schema": {"type": "string"},
        },
        "Cache-Control": {
            "description": "How long the answer may be kept, and by whom.",
            "required": true,
            "schema": {"type": "string"},
        },
        "Location": {
            "description": "The path of the new record.",
            "required": true,
            "schema": {"type": "string", "format": "uri-reference"},
        },
    })
}

pub fn answer_headers(limited: bool, more: &[&str]) -> Value {
    let limits: &[&str] = if limited { &["RateLimit", "RateLimit-Policy"] } else { &[] };
    let names = ["X-Request-Id"].iter().chain(limits).chain(more);
    let headers = names.map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")})));
    Value::Object(headers.collect())
}

pub fn problem_schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": "An error, RFC 9457.",
        "required": ["type", "title", "status", "detail", "request_id"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "The kind of error: `urn:problem-type:` and its name."},
            "title": text("The kind of error in words."),
            "status": {"type": "integer", "description": "The status code of the answer."},
            "detail": text("What is wrong with this request."),
            "request_id": text("Names this request in the server's log."),
            "errors": {
                "type": "array",
                "description": "One entry for each wrong field or parameter; only where single ones are wrong.",
                "items": {
                    "type": "object",
                    "required": ["code", "detail"],
                    "properties": {
                        "pointer": text("Where in the body the field is, RFC 6901; empty for the whole body."),
                        "parameter": text("The name of the query parameter, where it is not the body."),
                        "code": {
                            "type": "string",
                            "enum": [
                                "required", "type", "too_long", "too_short", "format", "invalid_character", "unknown_field",
                                "range", "unknown_parameter", "repeated", "unknown_reference", "inconsistent", "read_only", "missing",
                                "test_failed", "weak", "out_of_stock",
                            ],
                        },
                        "detail": text("What the field must be."),
                    },
                },
            },
        },
    })
}

/// `more` are headers of this endpoint's own.
pub fn problem_response(kinds: &[(Problem, Value)], limited: bool, more: &[&str]) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|(kind, _)| kind.title()).collect();
    let examples: Map<String, Value> =
        kinds.iter().map(|(kind, example)| (kind.name().to_owned(), json!({"value": example}))).collect();
    let content = json!({"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples});
    let own = match kinds[0].0.status() {
        401 | 403
            if kinds.iter().all(|(kind, _)| {
                !matches!(
                    kind,
                    Problem::InsufficientRole | Problem::CrossOrigin | Problem::UnknownUser | Problem::AccountDisabled
                )
            }) =>
        {
            &["WWW-Authenticate"][..]
        }
        429 | 503 => &["Retry-After"][..],
        _ => more,
    };
    let mut headers = answer_headers(limited, own);
    if kinds.iter().any(|(kind, _)| *kind == Problem::RequestInProgress) {
        headers["Retry-After"] = json!({
            "description": "Seconds until the request may be sent again, where one with its key is being answered.",
            "schema": {"type": "integer", "minimum": 1},
        });
    }
    json!({
        "description": format!("{}.", titles.join(". ")),
        "headers": headers,
        "content": {PROBLEM_JSON: content},
    })
}

/// What the endpoint answers with that problem.
pub fn problem_example(plan: &Plan, outline: &Outline<'_>, problem: Problem) -> Value {
    let detail = match problem {
        Problem::MethodNotAllowed => format!("this path answers {}", outline.method),
        Problem::UnsupportedMediaType => {
            let types = outline.media_types();
            match types.split_last() {
                Some((last, others)) if !others.is_empty() => {
                    let others: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
                    format!("send the body as {} or `{last}`", others.join(", "))
                }
                Some(_) | None => problem.detail().unwrap_or_default().to_owned(),
            }
        }
        Problem::BodyTooLarge => format!("the body may have at most {} bytes", outline.endpoint.max_body_bytes),
        Problem::ValidationFailed => "1 field is wrong".to_owned(),
        Problem::InsufficientScope => match (outline.endpoint.scope(), outline.endpoint.grant()) {
            (Some(scope), _) => format!("the API key lacks the scope `{scope}`"),
            (None, Some(grant)) => format!("the token was not granted the scope `{grant}`"),
            (None, None) => String::new(),
        },
        Problem::InsufficientRole => outline.endpoint.role().map_or_else(String::new, Roles::lacked),
        Problem::RateLimited => {
            outline.limit.and_then(|(name, _)| plan.api.policy(name)).map_or_else(String::new, |policy| {
                format!("at most {} requests per {} seconds", policy.quota, policy.window_seconds)
            })
        }
        Problem::MalformedRequest
        | Problem::MalformedBody
        | Problem::MalformedIdempotencyKey
        | Problem::RequestInProgress
        | Problem::IdempotencyKeyReused
        | Problem::UriTooLong
        | Problem::HeaderFieldsTooLarge
        | Problem::MissingCredentials
        | Problem::InvalidCredentials
        | Problem::MissingToken
        | Problem::MissingPassword
        | Problem::InvalidPassword
        | Problem::MissingSession
        | Problem::InvalidSession
        | Problem::InvalidSignature
        | Problem::CrossOrigin
        | Problem::UnknownUser
        | Problem::IssuerUnavailable
        | Problem::InvalidToken
        | Problem::WrongCredentials
        | Problem::AccountDisabled
        | Problem::NotFound
        | Problem::RequestTimeout
        | Problem::Conflict
        | Problem::Overlap
        | Problem::InUse
        | Problem::OutOfStock
        | Problem::WrongState
        | Problem::PatchFailed
        | Problem::LinkExpired
        | Problem::PreconditionFailed
        | Problem::InternalError
        | Problem::ServiceRefused
        | Problem::Unavailable
        | Problem::Overloaded => problem.detail().unwrap_or_default().to_owned(),
    };
    let mut example = plain_example(problem, &detail);
    if problem == Problem::ValidationFailed {
        example["errors"] = json!([wrong_entry(outline)]);
    }
    example
}

/// The entry of a field that is missing, or of a parameter out of its range.
fn wrong_entry(outline: &Outline<'_>) -> Value {
    let fields = outline.body.map(|body| &body.shape().fields);
    let required = fields.and_then(|fields| fields.iter().find(|field| field.presence == Presence::Required));
    match (required, outline.listing.and_then(|listing| listing.holes.page)) {
        (Some(field), _) => {
            json!({"pointer": format!("/{}", field.name), "code": "required", "detail": "is required"})
        }
        (None, Some(page)) => {
            let detail = format!("must be between 1 and {}", page.max);
            json!({"parameter": "limit", "code": "range", "detail": detail})
        }
        (None, None) => {
            json!({"pointer": "/no_such_field", "code": "unknown_field", "detail": "is not a known field"})
        }
    }
}

/// What is answered whatever was asked.
pub fn plain_example(problem: Problem, detail: &str) -> Value {
    json!({
        "type": problem.type_uri(),
        "title": problem.title(),
        "status": problem.status(),
        "detail": detail,
        "request_id": "019c0f3e-7b1a-7c3d-8e5f-0123456789ab",
    })
}
