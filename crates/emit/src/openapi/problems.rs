//! Errors and headers: the schema of a problem, an answer for each kind with an example, and what the headers of answers say.

use super::PROBLEM_JSON;
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
    let text = json!({"type": "string"});
    let limit = policy
        .map(|policy| format!("\"{}\";r={};t={}", policy.name, policy.quota.saturating_sub(1), policy.window_seconds));
    json!({
        "X-Request-Id": {
            "description": "Names this request in the server's log. A request may bring its own.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        },
        "RateLimit": with_example(json!({
            "description": "The policy, the requests left (`r`), and the seconds until there is room for more (`t`).",
            "schema": text,
        }), limit),
        "RateLimit-Policy": with_example(json!({
            "description": "The policy, its quota (`q`) and its window in seconds (`w`).",
            "schema": text,
        }), policy.map(plan::RateLimitPolicy::header)),
        "Retry-After": {
            "description": "Seconds until the request may be sent again.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "How to authenticate, and what the key lacks.",
            "schema": text,
        },
        "ETag": {
            "description": "The version of what is answered, in quotes.",
            "schema": text,
            "example": "\"1\"",
        },
        "Idempotency-Replayed": {
            "description": "`true` where the answer was given before to a request with the same key.",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Location": {
            "description": "The path of the new record.",
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
                                "range", "unknown_parameter", "repeated",
                            ],
                        },
                        "detail": text("What the field must be."),
                    },
                },
            },
        },
    })
}

pub fn problem_response(kinds: &[Problem], limited: bool) -> Value {
    let titles: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
    let mut examples = Map::new();
    for kind in kinds {
        if let Some(example) = problem_example(*kind) {
            examples.insert(kind.name().to_owned(), json!({"value": example}));
        }
    }
    let mut content = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    if !examples.is_empty() {
        content["examples"] = Value::Object(examples);
    }
    let retry = match kinds[0].status() {
        401 | 403 => &["WWW-Authenticate"][..],
        429 | 503 => &["Retry-After"][..],
        _ if kinds.contains(&Problem::RequestInProgress) => &["Retry-After"][..],
        _ => &[],
    };
    json!({
        "description": format!("{}.", titles.join(". ")),
        "headers": answer_headers(limited, retry),
        "content": {PROBLEM_JSON: content},
    })
}

/// What such an answer says; nothing where its detail depends on the route.
pub fn problem_example(problem: Problem) -> Option<Value> {
    let (detail, errors) = match (problem, problem.detail()) {
        (Problem::ValidationFailed, _) => {
            ("1 field is wrong", Some(json!([{"pointer": "/email", "code": "required", "detail": "is required"}])))
        }
        (_, Some(detail)) => (detail, None),
        (_, None) => return None,
    };
    let mut example = json!({
        "type": problem.type_uri(),
        "title": problem.title(),
        "status": problem.status(),
        "detail": detail,
        "request_id": "019c0f3e-7b1a-7c3d-8e5f-0123456789ab",
    });
    if let Some(errors) = errors {
        example["errors"] = errors;
    }
    Some(example)
}
