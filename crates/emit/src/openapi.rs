//! The OpenAPI document: what the procedures take, answer and end with, and the operational routes beside them.
//! Comes in: the plans of the APIs that one server serves; goes out: JSON text, the same for the same plans.

use crate::node::filter_parameter;
use crate::node::names::{camel_case, pascal_case};
use crate::outline::{Body, Content, Guard, Listing, Outline, RowField, Success, Tagged, answer_formats, outlines};
use plan::api::DocumentationFormat;
use plan::database::Nullability;
use plan::procedure::{ResponseField, RowsFormat, Scheme};
use plan::shape::Presence;
use plan::value::Comparison;
use plan::{Cache, Plan, Problem};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use vocab::field_format::BYTE_COUNT_MAX;
use vocab::{FieldFormat, FieldType};

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const OPERATIONS: &str = "operations";
const NOT_MODIFIED: u16 = 304;

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
    let outlines: Vec<Outline<'_>> = plans.iter().flat_map(|plan| outlines(plan)).collect();
    let description = format!(
        "{} Errors are `application/problem+json` (RFC 9457) with one entry for each wrong field. Every answer carries \
         `X-Request-Id`.",
        answer_formats(&outlines)
    );
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
        "ETag": {
            "description": "The version of what is answered, in quotes.",
            "schema": text,
            "example": "\"1\"",
        },
        "Link": {
            "description": "The next page, where there is one: `<?...>; rel=\"next\"` (RFC 8288).",
            "schema": text,
        },
        "Cache-Control": {
            "description": "How long the answer may be kept, and by whom.",
            "schema": text,
        },
        "Location": {
            "description": "The path of the new record.",
            "schema": {"type": "string", "format": "uri-reference"},
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
        let parameters = parameters(plan, outline);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = outline.body {
            let schema = self.component(&body.name(), self.body_schema(body));
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
        let mut statuses: Vec<u16> = outline.answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        for status in statuses {
            responses.insert(status.to_string(), self.success(outline, status));
        }
        if outline.is_spared() {
            responses.insert(NOT_MODIFIED.to_string(), self.not_modified(outline.limit.is_some()));
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
        let answers: Vec<&Success<'_>> = outline.answers.iter().filter(|answer| answer.status == status).collect();
        let mut own: Vec<&str> = Vec::new();
        own.extend(answers.iter().any(|answer| answer.tagged == Tagged::Yes).then_some("ETag"));
        own.extend(answers.iter().any(|answer| answer.location.is_some()).then_some("Location"));
        own.extend(answers.iter().any(|answer| matches!(answer.content, Content::Page(..))).then_some("Link"));
        own.extend((outline.endpoint.cache != Cache::NoStore && status == 200).then_some("Cache-Control"));
        let headers = answer_headers(outline.limit.is_some(), &own);
        let mut schemas: Vec<Value> =
            answers.iter().filter_map(|answer| self.content_schema(outline, answer)).collect();
        let schema = match schemas.len() {
            0 => return json!({"description": status_text(status), "headers": headers}),
            1 => schemas.remove(0),
            _ => json!({"oneOf": schemas}),
        };
        let example = answers.iter().find_map(|answer| outline.sample_content(&answer.content));
        let format = answers.iter().find_map(|answer| match answer.content {
            Content::Page(_, format) => Some(format),
            Content::Nothing | Content::Record(_) => None,
        });
        let media_type = format.map_or(JSON, RowsFormat::content_type);
        json!({
            "description": status_text(status),
            "headers": headers,
            "content": {media_type: {"schema": schema, "example": example}},
        })
    }

    /// Records and the rows of lists are components named after the entity, so that endpoints share them.
    fn content_schema(&mut self, outline: &Outline<'_>, answer: &Success<'_>) -> Option<Value> {
        let record = format!("{}Record", pascal_case(outline.endpoint.entity.as_str()));
        match (&answer.content, answer.tagged) {
            (Content::Nothing, _) => None,
            (Content::Record(body), Tagged::No) => {
                let name = format!("{}Answer", pascal_case(outline.endpoint.procedure.name.as_str()));
                Some(self.component(&name, self.answer_schema(outline, body)))
            }
            (Content::Record(body), Tagged::Yes) => Some(self.component(&record, self.answer_schema(outline, body))),
            (Content::Page(_, RowsFormat::Csv), _) => {
                let description =
                    "RFC 4180 with a header row. A text that a spreadsheet would run gets a `'` before it.";
                Some(json!({"type": "string", "description": description}))
            }
            (Content::Page(_, RowsFormat::Ndjson), _) => {
                Some(json!({"type": "string", "description": "One JSON object a line."}))
            }
            (Content::Page(fields, RowsFormat::Json), _) => {
                let item = self.component(&record, self.row_schema(fields));
                let mut next =
                    json!({"type": "string", "description": "The `cursor` of the next page; null on the last."});
                self.nullable(&mut next);
                let items = json!({"type": "array", "items": item});
                Some(json!({
                    "type": "object",
                    "required": ["items", "next"],
                    "properties": {"items": items, "next": next},
                }))
            }
        }
    }

    /// What a caller is answered who has it already.
    fn not_modified(&mut self, limited: bool) -> Value {
        let headers = answer_headers(limited, &["ETag"]);
        let response = json!({"description": "Not modified: the caller has this version.", "headers": headers});
        if !limited {
            return response;
        }
        self.responses.entry("NotModified").or_insert(response);
        json!({"$ref": "#/components/responses/NotModified"})
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

    fn body_schema(&self, body: Body<'_>) -> Value {
        let mut properties = Map::new();
        let mut required: Vec<&str> = Vec::new();
        for field in &body.shape().fields {
            let mut schema = type_schema(field.field_type);
            field.format.into_iter().for_each(|format| narrow(&mut schema, format));
            if let Some(max) = field.field_type.max_length() {
                schema["maxLength"] = max.into();
                match field.presence {
                    Presence::Required => schema["minLength"] = field.min_length.max(1).into(),
                    // Empty counts as absent, so only a single character may be too short.
                    Presence::Optional => {}
                }
            }
            describe(&mut schema, &field.description);
            match (field.presence, body) {
                (Presence::Required, Body::Record(_)) => required.push(field.name.as_str()),
                // It may be left out, and never be emptied.
                (Presence::Required, Body::Changes(_)) => {}
                (Presence::Optional, _) => self.nullable(&mut schema),
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
            describe(&mut schema, &field.description);
            match outline.slots.nullability(&field.value) {
                Nullability::Nullable => self.nullable(&mut schema),
                Nullability::NotNull => {}
            }
            properties.insert(field.name.to_string(), schema);
        }
        object_schema(properties)
    }

    fn row_schema(&self, fields: &[RowField<'_>]) -> Value {
        let mut properties = Map::new();
        for field in fields {
            let mut schema = type_schema(field.column.field_type);
            describe(&mut schema, field.description);
            match field.column.nullability {
                Nullability::Nullable => self.nullable(&mut schema),
                Nullability::NotNull => {}
            }
            properties.insert(field.name.to_string(), schema);
        }
        object_schema(properties)
    }

    fn nullable(&self, schema: &mut Value) {
        let Some(name) = schema.get("type").cloned() else { return };
        match self.format {
            DocumentationFormat::OpenApi30 => schema["nullable"] = true.into(),
            DocumentationFormat::OpenApi31 => schema["type"] = json!([name, "null"]),
        }
    }
}

/// The form that values have beside their type.
fn narrow(schema: &mut Value, format: FieldFormat) {
    match format {
        FieldFormat::FileName => schema["pattern"] = r"^(?!\.{1,2}$)[^/\\]+$".into(),
        FieldFormat::MediaType => {
            schema["pattern"] = r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$".into();
        }
        FieldFormat::Sha256 => schema["pattern"] = "^[0-9a-f]{64}$".into(),
        FieldFormat::ByteCount => {
            schema["minimum"] = 0.into();
            schema["maximum"] = BYTE_COUNT_MAX.into();
        }
    }
}

/// A field that the task alone names has no description.
fn describe(schema: &mut Value, description: &str) {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
}

/// An object that always has these properties.
fn object_schema(properties: Map<String, Value>) -> Value {
    let required: Vec<&String> = properties.keys().collect();
    let mut schema = json!({"type": "object"});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["properties"] = Value::Object(properties);
    schema
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

/// One parameter of an operation, for the document and for people.
pub struct Parameter {
    pub name: String,
    /// `path`, `query` or `header`.
    pub place: &'static str,
    pub schema: Value,
    /// Its type in words.
    pub word: String,
    pub description: String,
}

fn parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Value> {
    let written = |parameter: Parameter| {
        let mut value = json!({"name": parameter.name, "in": parameter.place});
        if parameter.place == "path" {
            value["required"] = true.into();
        }
        value["schema"] = parameter.schema;
        value["description"] = parameter.description.into();
        value
    };
    operation_parameters(plan, outline).into_iter().map(written).collect()
}

/// What an operation takes beside its body, its key and its request id.
pub fn operation_parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (name, field_type) in &outline.path_parameters {
        // Another form is no error: it is found nowhere.
        found.push(Parameter {
            name: (*name).to_owned(),
            place: "path",
            schema: json!({"type": "string"}),
            word: field_type.map_or_else(|| "text".to_owned(), FieldType::describe),
            description: format!("The `{name}` of the record."),
        });
    }
    if let Some(listing) = outline.listing {
        found.extend(list_parameters(plan, listing));
    }
    let header = |name: &str, description: &str| Parameter {
        name: name.to_owned(),
        place: "header",
        schema: json!({"type": "string"}),
        word: "tag".to_owned(),
        description: description.to_owned(),
    };
    if outline.is_spared() {
        let description = "The `ETag` of what the caller has: it is answered 304 where nothing has changed.";
        found.push(header("If-None-Match", description));
    }
    match outline.guard {
        Guard::IfMatch => {
            let description = "The `ETag` of the record as the caller knows it: 412 where it has changed since.";
            found.push(header("If-Match", description));
        }
        Guard::None => {}
    }
    found
}

fn list_parameters(plan: &Plan, listing: Listing<'_>) -> Vec<Parameter> {
    let query = |name: &str, schema: Value, word: String, description: String| Parameter {
        name: name.to_owned(),
        place: "query",
        schema,
        word,
        description,
    };
    let mut found = Vec::new();
    if let Some(page) = listing.holes.page {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": page.max, "default": page.default});
        let word = format!("whole number, 1 to {}", page.max);
        found.push(query("limit", schema, word, format!("Rows a page; {} where it is not given.", page.default)));
    }
    if !listing.holes.sorts.is_empty() {
        let sorts = listing.holes.sorts.iter().flat_map(|column| [column.to_string(), format!("-{column}")]);
        let names: Vec<String> = listing.holes.sorts.iter().map(|column| format!("`{column}`")).collect();
        let description = "The column to sort by, with `-` before it for the reverse. Without it: newest first.";
        let schema = json!({"type": "string", "enum": sorts.collect::<Vec<_>>()});
        found.push(query("sort", schema, names.join(", "), description.to_owned()));
    }
    let description = "The `next` of the page before, asked for with the same `sort`.";
    found.push(query("cursor", json!({"type": "string"}), "text".to_owned(), description.to_owned()));
    for (column, comparisons) in &listing.holes.filters {
        let Some(declared) = plan.database.column(&listing.query.from, column) else { continue };
        for comparison in comparisons {
            let mut schema = type_schema(declared.field_type);
            if let Some(max) = declared.field_type.max_length() {
                schema["maxLength"] = max.into();
            }
            let description = format!("Only rows whose `{column}` {} this.", comparison_text(*comparison));
            let name = filter_parameter(column, *comparison);
            found.push(query(&name, schema, declared.field_type.describe(), description));
        }
    }
    found
}

fn comparison_text(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "is",
        Comparison::NotEqual => "is neither null nor",
        Comparison::Less => "is less than",
        Comparison::AtMost => "is at most",
        Comparison::Greater => "is greater than",
        Comparison::AtLeast => "is at least",
    }
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
        204 => "Done; there is nothing to say.",
        _ => "Done.",
    }
}

/// The sentence with a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
