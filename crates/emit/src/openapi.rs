//! The OpenAPI document: what the procedures take, answer and end with, and the operational routes beside them.
//! Comes in: the plans of the APIs that one server serves; goes out: JSON text, the same for the same plans.

use crate::node::NO_CONTENT;
use crate::node::names::{camel_case, pascal_case};
use crate::outline::{Outline, outlines};
use plan::api::DocumentationFormat;
use plan::database::Nullability;
use plan::procedure::{ResponseField, Scheme};
use plan::shape::{Presence, Shape};
use plan::{Plan, Problem};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use vocab::FieldType;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const OPERATIONS: &str = "operations";

pub fn document(plans: &[&Plan]) -> String {
    let mut writer = Writer { format: format(plans), schemas: Map::new(), responses: Map::new() };
    writer.schemas.insert("Problem".to_owned(), problem_schema());
    let mut paths = Map::new();
    let mut schemes = BTreeSet::new();
    for plan in plans {
        for outline in outlines(plan) {
            if let Some(Scheme::ApiKey) = outline.scheme {
                schemes.insert("ApiKeyHeader");
                schemes.insert("Bearer");
            }
            let operation = writer.operation(plan, &outline);
            let path = paths.entry(outline.path).or_insert_with(|| Value::Object(Map::new()));
            path[outline.method.to_ascii_lowercase()] = operation;
        }
    }
    operational_paths(&mut paths, &mut writer);
    let mut components = Map::new();
    components.insert("schemas".to_owned(), Value::Object(writer.schemas));
    components.insert("responses".to_owned(), Value::Object(writer.responses));
    components.insert("headers".to_owned(), headers(plans));
    if !schemes.is_empty() {
        components.insert("securitySchemes".to_owned(), security_schemes());
    }
    let document = json!({
        "openapi": match writer.format {
            DocumentationFormat::OpenApi30 => "3.0.3",
            DocumentationFormat::OpenApi31 => "3.1.0",
        },
        "info": info(plans),
        "servers": [{"url": "/"}],
        "tags": tags(plans),
        "paths": paths,
        "components": components,
    });
    let mut text = serde_json::to_string_pretty(&document).expect("plain data with text keys");
    text.push('\n');
    text
}

fn format(plans: &[&Plan]) -> DocumentationFormat {
    let all_old = plans.iter().all(|plan| plan.api.documentation == DocumentationFormat::OpenApi30);
    if all_old && !plans.is_empty() { DocumentationFormat::OpenApi30 } else { DocumentationFormat::OpenApi31 }
}

fn info(plans: &[&Plan]) -> Value {
    let names: Vec<&str> = plans.iter().map(|plan| plan.api.name.as_str()).collect();
    let versions: BTreeSet<&str> = plans.iter().map(|plan| plan.api.version.as_str()).collect();
    let title = if names.is_empty() { "API".to_owned() } else { format!("{} API", names.join(", ")) };
    let version =
        if versions.is_empty() { "v1".to_owned() } else { versions.into_iter().collect::<Vec<_>>().join(", ") };
    let description = "Bodies and answers are JSON. Errors are `application/problem+json` (RFC 9457) with one entry for each \
                       wrong field. Every answer carries `X-Request-Id`.";
    json!({"title": title, "version": version, "description": description})
}

fn tags(plans: &[&Plan]) -> Value {
    let names: BTreeSet<&str> = plans.iter().map(|plan| plan.api.name.as_str()).collect();
    let apis = names.into_iter().map(|name| json!({"name": name, "description": format!("The {name} API.")}));
    let operations = json!({"name": OPERATIONS, "description": "What operators and their tools ask the server."});
    apis.chain([operations]).collect()
}

fn security_schemes() -> Value {
    json!({
        "ApiKeyHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An API key. Where both headers are sent, this one counts.",
        },
        "Bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "The same API key as `Authorization: Bearer <key>`.",
        },
    })
}

fn headers(plans: &[&Plan]) -> Value {
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
            "description": "How to authenticate.",
            "schema": text,
        },
    })
}

fn problem_schema() -> Value {
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
                "description": "One entry for each wrong field; only where single fields are wrong.",
                "items": {
                    "type": "object",
                    "required": ["pointer", "code", "detail"],
                    "properties": {
                        "pointer": text("Where the field is, RFC 6901; empty for the whole body."),
                        "code": {
                            "type": "string",
                            "enum": [
                                "required", "type", "too_long", "too_short", "format", "invalid_character", "unknown_field",
                            ],
                        },
                        "detail": text("What the field must be."),
                    },
                },
            },
        },
    })
}

struct Writer {
    format: DocumentationFormat,
    schemas: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Writer {
    fn operation(&mut self, plan: &Plan, outline: &Outline<'_>) -> Value {
        let mut operation = json!({
            "operationId": camel_case(outline.endpoint.procedure.name.as_str()),
            "summary": capitalised(&outline.endpoint.summary),
            "tags": [plan.api.name],
            "security": match outline.scheme {
                Some(Scheme::ApiKey) => json!([{"ApiKeyHeader": []}, {"Bearer": []}]),
                Some(Scheme::AccessToken) | None => json!([]),
            },
        });
        if !outline.events.is_empty() {
            let events: Vec<String> = outline.events.iter().map(|event| format!("`{event}`")).collect();
            operation["description"] = format!("Emits {}.", events.join(", ")).into();
        }
        let parameters = path_parameters(outline.path);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(shape) = outline.shape {
            let schema = self.component(&shape.name, self.shape_schema(shape));
            operation["requestBody"] = json!({
                "required": true,
                "content": {JSON: {"schema": schema, "example": outline.endpoint.example}},
            });
        }
        operation["responses"] = self.responses(outline);
        operation
    }

    fn responses(&mut self, outline: &Outline<'_>) -> Value {
        let mut responses = Map::new();
        let mut statuses: Vec<u16> = outline.answers.iter().map(|(status, _)| *status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        for status in statuses {
            responses.insert(status.to_string(), self.success(outline, status));
        }
        let mut problems: Vec<u16> = outline.problems.iter().map(|problem| problem.status()).collect();
        problems.sort_unstable();
        problems.dedup();
        for status in problems {
            let kinds: Vec<Problem> =
                outline.problems.iter().copied().filter(|problem| problem.status() == status).collect();
            let response = self.problem(&kinds, outline.limit.is_some());
            responses.insert(status.to_string(), response);
        }
        Value::Object(responses)
    }

    fn success(&mut self, outline: &Outline<'_>, status: u16) -> Value {
        let bodies: Vec<&[ResponseField]> =
            outline.answers.iter().filter(|(known, _)| *known == status).map(|(_, body)| *body).collect();
        let headers = answer_headers(outline.limit.is_some(), &[]);
        if status == NO_CONTENT {
            return json!({"description": status_text(status), "headers": headers});
        }
        let name = format!("{}Answer", pascal_case(outline.endpoint.procedure.name.as_str()));
        let mut schemas: Vec<Value> =
            bodies.iter().map(|body| self.component(&name, self.answer_schema(outline, body))).collect();
        let schema = if schemas.len() == 1 { schemas.remove(0) } else { json!({"oneOf": schemas}) };
        let example = bodies.first().map(|body| outline.sample_answer(body));
        json!({
            "description": status_text(status),
            "headers": headers,
            "content": {JSON: {"schema": schema, "example": example}},
        })
    }

    /// Answers of limited routes are shared components; they all carry the limit's headers.
    fn problem(&mut self, kinds: &[Problem], limited: bool) -> Value {
        let response = problem_response(kinds, limited);
        if !limited {
            return response;
        }
        let mut name = pascal_case(&kinds[0].title().to_ascii_lowercase().replace(' ', "_"));
        if kinds.len() > 1 {
            name = kinds.iter().map(|kind| pascal_case(kind.name())).collect::<Vec<_>>().join("Or");
        }
        self.responses.entry(name.clone()).or_insert(response);
        json!({"$ref": format!("#/components/responses/{name}")})
    }

    /// A reference to the schema under that name; another schema of the same name gets a number.
    fn component(&mut self, name: &str, schema: Value) -> Value {
        let mut free = name.to_owned();
        let mut number = 2;
        while self.schemas.get(&free).is_some_and(|known| *known != schema) {
            free = format!("{name}{number}");
            number += 1;
        }
        let reference = json!({"$ref": format!("#/components/schemas/{free}")});
        self.schemas.insert(free, schema);
        reference
    }

    fn shape_schema(&self, shape: &Shape) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for field in &shape.fields {
            let mut schema = type_schema(field.field_type);
            if let Some(max) = field.field_type.max_length() {
                schema["maxLength"] = max.into();
                match field.presence {
                    Presence::Required => schema["minLength"] = field.min_length.max(1).into(),
                    // Empty counts as absent, so only a single character may be too short.
                    Presence::Optional => {}
                }
            }
            schema["description"] = field.description.as_str().into();
            match field.presence {
                Presence::Required => required.push(field.name.as_str()),
                Presence::Optional => self.nullable(&mut schema),
            }
            properties.insert(field.name.to_string(), schema);
        }
        let mut schema = json!({"type": "object", "additionalProperties": false});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema["properties"] = Value::Object(properties);
        schema
    }

    fn answer_schema(&self, outline: &Outline<'_>, body: &[ResponseField]) -> Value {
        let mut properties = Map::new();
        for field in body {
            let mut schema = type_schema(field.field_type);
            if !field.description.is_empty() {
                schema["description"] = field.description.as_str().into();
            }
            match outline.slots.nullability(&field.value) {
                Nullability::Nullable => self.nullable(&mut schema),
                Nullability::NotNull => {}
            }
            properties.insert(field.name.to_string(), schema);
        }
        let required: Vec<&str> = body.iter().map(|field| field.name.as_str()).collect();
        let mut schema = json!({"type": "object"});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema["properties"] = Value::Object(properties);
        schema
    }

    fn nullable(&self, schema: &mut Value) {
        let Some(name) = schema.get("type").cloned() else { return };
        match self.format {
            DocumentationFormat::OpenApi30 => schema["nullable"] = true.into(),
            DocumentationFormat::OpenApi31 => schema["type"] = json!([name, "null"]),
        }
    }
}

fn problem_response(kinds: &[Problem], limited: bool) -> Value {
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
        401 => &["WWW-Authenticate"][..],
        429 | 503 => &["Retry-After"][..],
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

fn answer_headers(limited: bool, more: &[&str]) -> Value {
    let limits: &[&str] = if limited { &["RateLimit", "RateLimit-Policy"] } else { &[] };
    let names = ["X-Request-Id"].iter().chain(limits).chain(more);
    let headers = names.map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")})));
    Value::Object(headers.collect())
}

fn type_schema(field_type: FieldType) -> Value {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Phone => json!({"type": "string"}),
        FieldType::Email => json!({"type": "string", "format": "email"}),
        FieldType::Url => json!({"type": "string", "format": "uri"}),
        FieldType::Integer => json!({"type": "integer", "format": "int64"}),
        FieldType::Boolean => json!({"type": "boolean"}),
        FieldType::Timestamp => json!({"type": "string", "format": "date-time"}),
        FieldType::Uuid => json!({"type": "string", "format": "uuid"}),
        FieldType::Json => json!({}),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect()
}

fn operational_paths(paths: &mut Map<String, Value>, writer: &mut Writer) {
    let mut get = |path: &str, id: &str, summary: &str, content: Value, problems: &[Problem]| {
        let mut responses = Map::new();
        let success = json!({"description": "OK.", "headers": answer_headers(false, &[]), "content": content});
        responses.insert("200".to_owned(), success);
        for problem in problems {
            responses.insert(problem.status().to_string(), writer.problem(&[*problem], false));
        }
        let operation = json!({
            "operationId": id, "summary": summary, "tags": [OPERATIONS], "security": [], "responses": responses,
        });
        paths.insert(path.to_owned(), json!({"get": operation}));
    };
    let object = |properties: Value, required: &[&str], example: Value| json!({JSON: {"schema": {"type": "object", "required": required, "properties": properties}, "example": example}});
    let word = json!({"type": "string"});
    let alive = object(json!({"status": word}), &["status"], json!({"status": "ok"}));
    get("/healthz", "isAlive", "Says that the server is alive", alive, &[]);
    let checks = json!({"type": "object", "required": ["database"], "properties": {"database": word}});
    let ready = object(
        json!({"status": word, "checks": checks}),
        &["status", "checks"],
        json!({"status": "ready", "checks": {"database": "ok"}}),
    );
    get("/readyz", "isReady", "Says whether the server can work", ready, &[Problem::Unavailable]);
    let document = json!({JSON: {"schema": {"type": "object"}}});
    get("/openapi.json", "getDescription", "Gives this document", document, &[]);
    let metrics = json!({"text/plain": {"schema": {"type": "string"}}});
    get("/metrics", "getMetrics", "Gives what was counted, for Prometheus", metrics, &[]);
}

fn status_text(status: u16) -> &'static str {
    match status {
        201 => "Created.",
        202 => "Accepted.",
        _ => "Done.",
    }
}

/// The sentence with a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
