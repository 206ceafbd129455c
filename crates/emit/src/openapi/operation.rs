//! One operation: its parameters, its body, every answer. Schemas and answers that operations share become components.

use super::parameters::parameters;
use super::problems::{answer_headers, problem_example, problem_response};
use super::{JSON, NOT_MODIFIED};
use crate::node::names::{camel_case, pascal_case};
use crate::outline::{Body, Content, Outline, RelatedRows, Repeatable, Success, Tagged};
use crate::render::capitalised;
use plan::api::DocumentationFormat;
use plan::procedure::{JSON_PATCH, MAX_OPERATIONS, MERGE_PATCH, ResponseField, RowsFormat, Scheme};
use plan::query::Total;
use plan::value::Preference;
use plan::{Cache, Plan, Problem};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vocab::RoleName;

/// Writes operations, and gathers the components that they refer to.
pub struct Writer {
    pub format: DocumentationFormat,
    pub schemas: Components,
    pub responses: Components,
}

/// Components of one kind by their names. Many endpoints want the same name for what they say differently.
#[derive(Default)]
pub struct Components {
    pub all: Map<String, Value>,
    /// The names that were given, by the name that was wanted and the component as text.
    given: BTreeMap<(String, String), String>,
    /// The first number of a wanted name that was not looked at.
    next: BTreeMap<String, usize>,
}

impl Components {
    /// The name under which the component is kept: the one that is wanted, with a number where something else has it.
    fn keep(&mut self, name: &str, component: Value) -> String {
        let wanted = (name.to_owned(), component.to_string());
        if let Some(given) = self.given.get(&wanted) {
            return given.clone();
        }
        let next = self.next.entry(name.to_owned()).or_insert(1);
        let free = loop {
            let free = if *next == 1 { name.to_owned() } else { format!("{name}{next}") };
            *next += 1;
            if self.all.get(&free).is_none_or(|known| *known == component) {
                break free;
            }
        };
        self.given.insert(wanted, free.clone());
        self.all.insert(free.clone(), component);
        free
    }
}

impl Writer {
    pub fn operation(&mut self, plan: &Plan, outline: &Outline<'_>) -> Value {
        let mut operation = json!({
            "operationId": camel_case(outline.endpoint.procedure.name.as_str()),
            "summary": capitalised(&outline.endpoint.summary),
            "tags": [plan.api.name],
            "security": match outline.scheme {
                Some(Scheme::ApiKey) => json!([{"ApiKeyHeader": []}, {"Bearer": []}]),
                Some(Scheme::AccessToken) => json!([{"AccessToken": []}]),
                Some(Scheme::Basic) => json!([{"Password": []}]),
                Some(Scheme::Issued) => {
                    let grants: Vec<&str> = outline.endpoint.grant().iter().map(|grant| grant.as_str()).collect();
                    json!([{"IssuedToken": []}, {"OpenIdConnect": grants}])
                }
                Some(Scheme::Session) => json!([{"SessionCookie": []}]),
                Some(Scheme::SignedIn) => json!([{"AccessToken": []}, {"SessionCookie": []}]),
                None => json!([]),
            },
        });
        let description = description(plan, outline);
        if let Some(scope) = outline.endpoint.scope() {
            // Also read by the command of the Node.js application that makes keys.
            operation["x-required-scope"] = scope.to_string().into();
        }
        if let Some(roles) = outline.endpoint.role() {
            let names: Vec<&str> = roles.names().iter().map(RoleName::as_str).collect();
            operation["x-required-role"] = if let [only] = names[..] { only.into() } else { names.into() };
        }
        if !description.is_empty() {
            operation["description"] = description.into();
        }
        let parameters = parameters(plan, outline);
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = outline.body {
            let schema = self.body_schema(body);
            let schema = self.component(&body.name(), schema);
            let schema = match outline.several {
                Some(several) => {
                    let each = Body::Record(&several.shape);
                    let items = self.body_schema(each);
                    let items = self.component(&each.name(), items);
                    json!({"oneOf": [schema, {"type": "array", "items": items, "minItems": 1, "maxItems": several.max}]})
                }
                None => schema,
            };
            let whole = json!({"schema": schema, "example": outline.endpoint.example});
            let mut content = json!({JSON: whole});
            if let Body::Changes(_) = body {
                content[MERGE_PATCH] = whole;
            }
            if let Some(patchable) = outline.patchable {
                let schema = self.patch_schema(patchable);
                let schema = self.component(&format!("{}Patch", patchable.shape.name), schema);
                content[JSON_PATCH] = json!({"schema": schema, "example": operations(&outline.endpoint.example)});
            }
            operation["requestBody"] = json!({"required": true, "content": content});
            if let Some(several) = outline.several {
                let description = format!(
                    "A record, or a list of up to {}. As `{}` each row behind the header row is a record of such a list.",
                    several.max,
                    RowsFormat::Csv.media_type()
                );
                operation["requestBody"]["description"] = description.into();
            }
        }
        if outline.endpoint.hearing().is_some() {
            // What else its sender says of it is the sender's to document.
            let whole = json!({"schema": {"type": "object"}, "example": outline.endpoint.example});
            operation["requestBody"] = json!({"required": true, "content": {JSON: whole}});
        }
        operation["responses"] = self.responses(plan, outline);
        operation
    }

    fn responses(&mut self, plan: &Plan, outline: &Outline<'_>) -> Value {
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
            let kinds = outline.problems.iter().filter(|problem| problem.status() == status);
            let kinds: Vec<(Problem, Value)> =
                kinds.map(|problem| (*problem, problem_example(plan, outline, *problem))).collect();
            let names_types = status == Problem::UnsupportedMediaType.status() && outline.media_types().len() > 1;
            let more: &[&str] = if names_types { &["Accept-Patch"] } else { &[] };
            let response = self.problem(&kinds, outline.limit.is_some(), more);
            responses.insert(status.to_string(), response);
        }
        Value::Object(responses)
    }

    fn success(&mut self, outline: &Outline<'_>, status: u16) -> Value {
        let answers: Vec<&Success<'_>> = outline.answers.iter().filter(|answer| answer.status == status).collect();
        let mut own: Vec<&str> = Vec::new();
        own.extend(answers.iter().any(|answer| answer.tagged == Tagged::Yes).then_some("ETag"));
        own.extend(answers.iter().any(|answer| answer.location.is_some()).then_some("Location"));
        own.extend(answers.iter().any(|answer| answer.preference.is_some()).then_some("Preference-Applied"));
        own.extend(outline.cookie.map(|_| "Set-Cookie"));
        own.extend(answers.iter().any(|answer| matches!(answer.content, Content::Page(..))).then_some("Link"));
        own.extend((outline.endpoint.cache != Cache::NoStore && status == 200).then_some("Cache-Control"));
        own.extend((outline.repeatable == Repeatable::WithKey).then_some("Idempotency-Replayed"));
        let mut headers = answer_headers(outline.limit.is_some(), &own);
        if answers.iter().any(|answer| matches!(answer.content, Content::Records(_))) {
            for name in ["ETag", "Location"] {
                headers[name] = json!({"description": format!("`{name}` of the record, where it is one."), "schema": {"type": "string"}});
            }
        }
        let mut schemas: Vec<Value> =
            answers.iter().filter_map(|answer| self.content_schema(outline, answer)).collect();
        let schema = match schemas.len() {
            0 => return json!({"description": status_text(status), "headers": headers}),
            1 => schemas.remove(0),
            // Who prefers little is answered with a part of the record.
            _ if answers.iter().any(|answer| answer.preference.is_some()) => json!({"anyOf": schemas}),
            _ => json!({"oneOf": schemas}),
        };
        let example = answers.iter().find_map(|answer| outline.sample_content(&answer.content));
        let format = answers.iter().find_map(|answer| match answer.content {
            Content::Page(_, format) => Some(format),
            Content::Nothing | Content::Record(_) | Content::Records(_) => None,
        });
        let media_type = format.map_or(JSON, RowsFormat::content_type);
        let mut content = json!({media_type: {"schema": schema, "example": example}});
        if format == Some(RowsFormat::Json) && outline.listing.is_some() {
            for format in [RowsFormat::Csv, RowsFormat::Ndjson] {
                content[format.content_type()] = json!({"schema": text_schema(format)});
            }
        }
        json!({"description": status_text(status), "headers": headers, "content": content})
    }

    /// Records and the rows of lists are components named after the entity, so that endpoints share them.
    fn content_schema(&mut self, outline: &Outline<'_>, answer: &Success<'_>) -> Option<Value> {
        let record = format!("{}Record", pascal_case(outline.endpoint.entity.as_str()));
        match (&answer.content, answer.tagged) {
            (Content::Nothing, _) => None,
            (Content::Record(body), Tagged::Yes) if answer.preference == Some(Preference::Minimal) => {
                let name = format!("{}Key", pascal_case(outline.endpoint.entity.as_str()));
                Some(self.record_component(&name, outline, body))
            }
            (Content::Record(body), Tagged::No) if answer.preference.is_some() => {
                Some(self.record_component(&record, outline, body))
            }
            (Content::Record(body), Tagged::No) => {
                let name = format!("{}Answer", pascal_case(outline.endpoint.procedure.name.as_str()));
                Some(self.record_component(&name, outline, body))
            }
            (Content::Record(body), Tagged::Yes) => {
                let (lists, own): (Vec<_>, Vec<_>) = body.iter().partition(|field| field.entries.is_some());
                let schema = self.answer_schema(outline, own);
                let whole = self.picked(outline, &record, schema);
                Some(match lists.is_empty() {
                    true => whole,
                    false => json!({"allOf": [whole, self.answer_schema(outline, lists)]}),
                })
            }
            (Content::Records(fields), _) => {
                let item = self.record_component(&record, outline, fields);
                Some(json!({"type": "array", "items": item}))
            }
            (Content::Page(_, format @ (RowsFormat::Csv | RowsFormat::Ndjson)), _) => Some(text_schema(*format)),
            (Content::Page(fields, RowsFormat::Json), _) => {
                let item = self.picked(outline, &record, self.row_schema(fields));
                let mut next =
                    json!({"type": "string", "description": "The `cursor` of the next page; null on the last."});
                self.nullable(&mut next);
                let items = json!({"type": "array", "items": item});
                let mut properties = json!({"items": items, "next": next});
                if outline.listing.is_some_and(|listing| listing.holes.total == Total::Asked) {
                    let description = "How many rows there are on all pages together, where `count` asks.";
                    properties["total"] = json!({"type": "integer", "minimum": 0, "description": description});
                    let description = "Whether the `total` is all of them, where `count` asks for an estimate.";
                    properties["total_is"] =
                        json!({"type": "string", "enum": ["exact", "at_least"], "description": description});
                }
                Some(json!({"type": "object", "required": ["items", "next"], "properties": properties}))
            }
        }
    }

    /// A record, or where the request may say so some of its fields.
    fn picked(&mut self, outline: &Outline<'_>, name: &str, whole: Value) -> Value {
        let mut part = whole.clone();
        let record = self.component(name, whole);
        if outline.fields.is_empty() {
            return record;
        }
        let related = outline.related.iter().map(|related| (related.name.to_string(), self.related_schema(related)));
        let related: Map<String, Value> = related.collect();
        if let Some(part) = part.as_object_mut() {
            part.remove("required");
            part.insert("minProperties".to_owned(), 1.into());
            part.insert("description".to_owned(), "The fields that `fields` names.".into());
        }
        let part = self.component(&format!("{name}Part"), part);
        let fields = json!({"anyOf": [record, part]});
        if related.is_empty() {
            return fields;
        }
        let description = "The rows of others that `include` names.";
        json!({"allOf": [fields, {"type": "object", "description": description, "properties": related}]})
    }

    fn related_schema(&self, related: &RelatedRows<'_>) -> Value {
        let mut row = self.row_schema(&related.fields);
        // The request may say which fields.
        if let Some(row) = row.as_object_mut() {
            row.remove("required");
        }
        match related.query.holes.page {
            Some(page) => json!({"type": "array", "maxItems": page.max, "items": row}),
            None => {
                self.nullable(&mut row);
                row
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
        self.responses.all.entry("NotModified").or_insert(response);
        json!({"$ref": "#/components/responses/NotModified"})
    }

    /// Answers of limited routes are shared components; they all carry the limit's headers. Another answer of the same name, such
    /// as one with another limit of bytes, gets a number.
    pub fn problem(&mut self, kinds: &[(Problem, Value)], limited: bool, more: &[&str]) -> Value {
        let response = problem_response(kinds, limited, more);
        if !limited {
            return response;
        }
        let name = match kinds {
            [(kind, _)] => pascal_case(&kind.title().to_ascii_lowercase().replace(' ', "_")),
            _ => kinds.iter().map(|(kind, _)| pascal_case(kind.name())).collect::<Vec<_>>().join("Or"),
        };
        json!({"$ref": format!("#/components/responses/{}", self.responses.keep(&name, response))})
    }

    fn record_component(&mut self, name: &str, outline: &Outline<'_>, body: &[ResponseField]) -> Value {
        let schema = self.answer_schema(outline, body);
        self.component(name, schema)
    }

    /// A reference to the schema under that name; another schema of the same name gets a number.
    pub(super) fn component(&mut self, name: &str, schema: Value) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.schemas.keep(name, schema))})
    }
}

/// The changes of a body as operations.
fn operations(changes: &Value) -> Value {
    let operation = |(name, value)| json!({"op": "replace", "path": format!("/{name}"), "value": value});
    changes.as_object().into_iter().flatten().take(MAX_OPERATIONS).map(operation).collect()
}

/// Who may call, how often, how much, and what it tells others.
fn description(plan: &Plan, outline: &Outline<'_>) -> String {
    let mut sentences = Vec::new();
    sentences.extend(outline.counts_by().and_then(|(name, by)| {
        let policy = plan.api.policy(name)?;
        let (quota, window) = (policy.quota, policy.window_seconds);
        Some(format!("At most {quota} requests per {window} seconds by {by}, policy `{name}`."))
    }));
    if outline.body.is_some() {
        sentences.push(format!("The body may have at most {} bytes.", outline.endpoint.max_body_bytes));
    }
    if !outline.events.is_empty() {
        let events: Vec<String> = outline.events.iter().map(|event| format!("`{event}`")).collect();
        sentences.push(format!("Emits {}.", events.join(", ")));
    }
    sentences.join(" ")
}

fn status_text(status: u16) -> &'static str {
    match status {
        201 => "Created.",
        202 => "Accepted.",
        204 => "Done; there is nothing to say.",
        _ => "Done.",
    }
}

/// Rows that are one text.
fn text_schema(format: RowsFormat) -> Value {
    let description = match format {
        RowsFormat::Csv => "RFC 4180 with a header row. A text that a spreadsheet would run gets a `'` before it.",
        RowsFormat::Json | RowsFormat::Ndjson => "One JSON object a line.",
    };
    json!({"type": "string", "description": description})
}
