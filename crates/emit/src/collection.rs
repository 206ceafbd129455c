//! A collection for API clients, in Postman's format 2.1, which Bruno and Insomnia import too: a folder for each thing that the API is about, a
//! request for each endpoint, in an order in which they can be sent one after the other. What an answer gives (the key of a new record, an
//! access token, an `ETag`) is kept in a variable for the requests that need it. Comes in: the plan; goes out: JSON.

use crate::documents::record_variable;
use crate::openapi::{Parameter, operation_parameters};
use crate::outline::{Content, Outline, outlines, sample};
use crate::render::capitalised;
use plan::procedure::{Item, Location, Response, ResponseField, Scheme, Step, flattened};
use plan::query::{Predicate, Query};
use plan::{Plan, Value as Bound, Write};
use serde_json::{Value, json};
use vocab::{FieldName, TableName};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
/// Where the application listens unless it is told otherwise.
const BASE_URL: &str = "http://127.0.0.1:8080";
/// In the order in which a record lives.
const METHODS: [&str; 4] = ["POST", "GET", "PUT", "PATCH"];
/// Fields of answers for which later requests ask.
const TOKENS: [&str; 2] = ["access_token", "refresh_token"];
/// What somebody signs in with.
const CREDENTIALS: [&str; 2] = ["email", "password"];
const KEEPS_TAG: &str =
    "if (pm.response.headers.has('ETag')) pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));";

pub fn collection(plan: &Plan) -> String {
    let outlines = outlines(plan);
    let about = format!(
        "Set `base_url` to where the API is served{}. A request that makes a record keeps its key for the requests behind it, and a login its \
         tokens.",
        if outlines.iter().any(|outline| outline.scheme == Some(Scheme::ApiKey)) { ", and `api_key`" } else { "" }
    );
    let document = json!({
        "info": {"name": format!("{} API", plan.api.name), "description": about, "version": plan.api.version, "schema": SCHEMA},
        "item": items(plan, &outlines, &outlines.iter().collect::<Vec<_>>(), 0),
        "event": [test(&[KEEPS_TAG.to_owned()])],
        "variable": variables(&outlines),
    });
    format!("{document:#}\n")
}

/// The folders of these endpoints, whose paths have so many subjects before: `remarks` stands in `posts`, before what deletes a post.
fn items(plan: &Plan, all: &[Outline<'_>], these: &[&Outline<'_>], depth: usize) -> Vec<Value> {
    let mut folders: Vec<(&str, Vec<&Outline<'_>>)> = Vec::new();
    for outline in these {
        let Some(name) = subjects(outline.path).nth(depth) else { continue };
        match folders.iter_mut().find(|(known, _)| *known == name) {
            Some((_, folder)) => folder.push(outline),
            None => folders.push((name, vec![outline])),
        }
    }
    let folder = |(name, folder): (&str, Vec<&Outline<'_>>)| {
        let (own, deeper): (Vec<_>, Vec<_>) =
            folder.into_iter().partition(|outline| subjects(outline.path).count() == depth + 1);
        let (ends, mut lives): (Vec<_>, Vec<_>) = own.into_iter().partition(|outline| outline.method == "DELETE");
        // What makes no record is no life of one: it stays in the order of the task.
        if lives.iter().any(|outline| made(all, outline).is_some()) {
            lives.sort_by_key(|outline| METHODS.iter().position(|method| *method == outline.method));
        }
        let requests =
            |part: Vec<&Outline<'_>>| part.into_iter().map(|one| request(plan, all, one)).collect::<Vec<_>>();
        let item = [requests(lives), items(plan, all, &deeper, depth + 1), requests(ends)].concat();
        json!({"name": name, "item": item})
    };
    in_order(folders).into_iter().map(folder).collect()
}

/// What an endpoint is about: `posts` and `remarks` of `/api/v1/posts/{post_id}/remarks/{id}`, `posts` of `/api/posts/export`.
fn subjects(path: &str) -> impl Iterator<Item = &str> {
    let is_version =
        |part: &str| part.strip_prefix('v').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let mut parts =
        path.split('/').filter(move |part| !part.is_empty() && *part != "api" && !is_version(part)).peekable();
    let first = parts.next_if(|part| !part.starts_with('{'));
    let mut is_behind = false;
    first.into_iter().chain(parts.filter(move |part| {
        let is_parameter = part.starts_with('{');
        std::mem::replace(&mut is_behind, is_parameter) && !is_parameter
    }))
}

/// What others lead to comes before them, where nothing goes in a circle.
fn in_order<'o, 'a>(mut folders: Vec<(&'o str, Vec<&'o Outline<'a>>)>) -> Vec<(&'o str, Vec<&'o Outline<'a>>)> {
    let mut placed = Vec::new();
    while !folders.is_empty() {
        let makes = |folder: &[&Outline<'_>], table: &TableName| folder.iter().any(|other| stores(other, table));
        let waits = |at: usize| {
            let leads_to = |table: &TableName| {
                folders.iter().enumerate().any(|(other, (_, folder))| other != at && makes(folder, table))
            };
            folders[at].1.iter().any(|outline| references(outline).iter().any(|(_, table)| leads_to(table)))
        };
        let next = (0..folders.len()).find(|at| !waits(*at)).unwrap_or(0);
        placed.push(folders.remove(next));
    }
    placed
}

fn request(plan: &Plan, outlines: &[Outline<'_>], outline: &Outline<'_>) -> Value {
    let parameters = operation_parameters(plan, outline);
    let mut request = json!({
        "method": outline.method,
        "description": format!("{}.", capitalised(&outline.endpoint.summary)),
        "auth": authorization(outline.scheme),
        "header": parameters.iter().filter(|parameter| parameter.place == "header").map(header).collect::<Vec<_>>(),
        "url": url(outlines, outline, &parameters),
    });
    if outline.body.is_some() {
        let raw = format!("{:#}", body(outlines, outline));
        request["body"] = json!({"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}});
    }
    let name = format!("{} {}", outline.method, outline.path);
    json!({"name": name, "request": request, "event": [test(&script(outlines, outline))], "response": []})
}

fn authorization(scheme: Option<Scheme>) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": value, "type": "string"});
    match scheme {
        Some(Scheme::ApiKey) => json!({
            "type": "apikey",
            "apikey": [attribute("key", "X-API-Key"), attribute("value", "{{api_key}}"), attribute("in", "header")],
        }),
        Some(Scheme::AccessToken | Scheme::SignedIn | Scheme::Issued) => {
            json!({"type": "bearer", "bearer": [attribute("token", "{{access_token}}")]})
        }
        Some(Scheme::Basic) => json!({
            "type": "basic",
            "basic": [attribute("username", "{{email}}"), attribute("password", "{{password}}")],
        }),
        // Clients keep the cookie of a session by themselves.
        Some(Scheme::Session) | None => json!({"type": "noauth"}),
    }
}

fn header(parameter: &Parameter) -> Value {
    let value = match parameter.name.as_str() {
        "If-Match" | "If-None-Match" => "{{etag}}",
        "Idempotency-Key" => "{{$guid}}",
        _ => "",
    };
    json!({"key": parameter.name, "value": value, "description": parameter.description, "disabled": !parameter.is_required})
}

fn url(outlines: &[Outline<'_>], outline: &Outline<'_>, parameters: &[Parameter]) -> Value {
    let path = outline.path_parameters.iter().fold(outline.path.to_owned(), |path, (name, _)| {
        path.replace(&format!("{{{name}}}"), &format!("{{{{{}}}}}", variable(outlines, outline, name)))
    });
    let query = parameters.iter().filter(|parameter| parameter.place == "query").map(|parameter| {
        let value = outline.endpoint.example[&parameter.name].as_str().unwrap_or_default();
        json!({
            "key": parameter.name,
            "value": value,
            "description": parameter.description,
            "disabled": !parameter.is_required,
        })
    });
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    json!({"raw": format!("{{{{base_url}}}}{path}"), "host": ["{{base_url}}"], "path": parts, "query": query.collect::<Vec<_>>()})
}

/// The endpoint's example, with what other requests have made and been told.
fn body(outlines: &[Outline<'_>], outline: &Outline<'_>) -> Value {
    let mut body = outline.endpoint.example.clone();
    let Some(fields) = body.as_object_mut() else { return body };
    for (field, table) in references(outline) {
        let made = outlines.iter().filter(|other| stores(other, table)).find_map(|other| made(outlines, other));
        if let (Some((variable, _)), Some(value)) = (made, fields.get_mut(field.as_str())) {
            // A number stays one: the variable stands in the place of the whole value.
            *value = format!("{{{{{variable}}}}}").into();
        }
    }
    let credentials = signs_in(outline).then_some(CREDENTIALS).into_iter().flatten();
    for name in TOKENS.into_iter().chain(credentials) {
        if let Some(value) = fields.get_mut(name) {
            *value = format!("{{{{{name}}}}}").into();
        }
    }
    body
}

/// Whether its body is the address and the password of somebody.
fn signs_in(outline: &Outline<'_>) -> bool {
    CREDENTIALS.iter().all(|name| outline.endpoint.example[name].is_string())
}

/// What is checked of an answer, and what is kept of it.
fn script(outlines: &[Outline<'_>], outline: &Outline<'_>) -> Vec<String> {
    let mut statuses: Vec<u16> =
        outline.answers.iter().filter(|answer| answer.preference.is_none()).map(|answer| answer.status).collect();
    statuses.dedup();
    let listed: Vec<String> = statuses.iter().map(u16::to_string).collect();
    let name = listed.join(" or ");
    let listed = listed.join(", ");
    let mut lines =
        vec![format!("pm.test('answers {name}', () => pm.expect(pm.response.code).to.be.oneOf([{listed}]));")];
    let mut keep = |variable: &str, field: &str| {
        lines.push(format!(
            "if (pm.response.code < 300) pm.collectionVariables.set('{variable}', pm.response.json().{field});"
        ));
    };
    if let Some((variable, field)) = made(outlines, outline) {
        keep(&variable, &field);
    }
    for token in TOKENS {
        if answered(outline).any(|field| field.name.as_str() == token) {
            keep(token, token);
        }
    }
    lines
}

fn answered<'a>(outline: &Outline<'a>) -> impl Iterator<Item = &'a ResponseField> {
    let fields = outline.answers.iter().filter_map(|answer| match answer.content {
        Content::Record(body) => Some(body),
        Content::Nothing | Content::Records(_) | Content::Page(..) => None,
    });
    fields.flatten().collect::<Vec<_>>().into_iter()
}

/// The variable for the key of what the endpoint makes, and the field of its answer that holds it.
fn made(outlines: &[Outline<'_>], outline: &Outline<'_>) -> Option<(String, String)> {
    let Location { path, key } = outline.answers.iter().find_map(|answer| answer.location)?;
    let field = answered(outline).find(|field| field.value == *key)?;
    Some((variable_behind(outlines, path)?, field.name.to_string()))
}

/// The variable for a parameter of the path: the same for `/api/posts/{id}` and `/api/posts/{post_id}/remarks`.
fn variable(outlines: &[Outline<'_>], outline: &Outline<'_>, parameter: &str) -> String {
    let before = outline.path.split(&format!("{{{parameter}}}")).next().unwrap_or_default();
    variable_behind(outlines, before).unwrap_or_else(|| record_variable(outline, parameter))
}

/// The variable for the key of the record whose path begins so, and ends in the key.
fn variable_behind(outlines: &[Outline<'_>], before: &str) -> Option<String> {
    outlines.iter().find_map(|other| {
        let (name, _) = other.path_parameters.last()?;
        (other.path == format!("{before}{{{name}}}")).then(|| record_variable(other, name))
    })
}

/// The fields of the body that must name a row of another table.
fn references<'o>(outline: &Outline<'o>) -> Vec<(&'o FieldName, &'o TableName)> {
    let items = flattened(&outline.endpoint.procedure.body);
    let must_lead = |wanted: &FieldName| {
        items.iter().any(|item| matches!(item, Item::Exit(Response::UnknownReference(field), _) if field == wanted))
    };
    let read = |item: &&'o Item| match item {
        Item::Let(_, Step::Read { query: Query { from, filter, .. }, .. }) => match filter.as_slice() {
            [Predicate::Compare(_, _, Bound::Field(_, field))] if must_lead(field) => Some((field, from)),
            _ => None,
        },
        _ => None,
    };
    items.iter().filter_map(read).collect()
}

/// Whether it makes rows of the table.
fn stores(outline: &Outline<'_>, table: &TableName) -> bool {
    let items = flattened(&outline.endpoint.procedure.body);
    items.iter().any(|item| {
        matches!(item, Item::Let(_, Step::Write(Write::Insert { table: into, .. })) | Item::Do(Step::Write(Write::Insert { table: into, .. })) if into == table)
    })
}

fn test(lines: &[String]) -> Value {
    json!({"listen": "test", "script": {"type": "text/javascript", "exec": lines}})
}

/// Those that no request keeps a value in have one to begin with.
fn variables(outlines: &[Outline<'_>]) -> Value {
    let mut found = vec![("base_url".to_owned(), BASE_URL.to_owned())];
    let mut add = |name: &str, value: &str| {
        if !found.iter().any(|(known, _)| known == name) {
            found.push((name.to_owned(), value.to_owned()));
        }
    };
    let kept: Vec<String> = outlines.iter().filter_map(|outline| Some(made(outlines, outline)?.0)).collect();
    for outline in outlines {
        if signs_in(outline) {
            CREDENTIALS.iter().for_each(|name| add(name, outline.endpoint.example[name].as_str().unwrap_or_default()));
        }
        match outline.scheme {
            Some(Scheme::ApiKey) => add("api_key", ""),
            Some(Scheme::AccessToken | Scheme::SignedIn | Scheme::Issued) => add("access_token", ""),
            Some(Scheme::Basic) => CREDENTIALS.iter().for_each(|name| add(name, "")),
            Some(Scheme::Session) | None => {}
        }
        for (name, field_type) in &outline.path_parameters {
            let name = variable(outlines, outline, name);
            match field_type.map(sample) {
                _ if kept.contains(&name) => add(&name, ""),
                Some(Value::String(text)) => add(&name, &text),
                Some(other) => add(&name, &other.to_string()),
                None => add(&name, "1"),
            }
        }
    }
    found.into_iter().map(|(key, value)| json!({"key": key, "value": value, "type": "string"})).collect()
}
