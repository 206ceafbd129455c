//! The OpenAPI document: what the procedures take, answer and end with, and the operational routes beside them.
//! Comes in: the plans of the APIs that one server serves; goes out: JSON text, the same for the same plans.

mod accepted;
mod operation;
mod operational;
mod parameters;
mod patch;
mod problems;
mod schema;
mod subscribed;

pub use parameters::{Parameter, comparison_text, operation_parameters};
pub use problems::problem_example;

use crate::outline::{Outline, answer_formats, outlines};
use operation::{Components, Writer};
use operational::operational_paths;
use plan::Plan;
use plan::accounts::SESSION_COOKIE;
use plan::accounts::{CASE_ISSUER, RESOURCE_PATH};
use plan::api::DocumentationFormat;
use plan::procedure::Scheme;
use problems::{headers, problem_schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";
const OPERATIONS: &str = "operations";
const NOT_MODIFIED: u16 = 304;

pub fn document(plans: &[&Plan]) -> String {
    let mut writer = Writer { format: format(plans), schemas: Components::default(), responses: Components::default() };
    writer.schemas.all.insert("Problem".to_owned(), problem_schema());
    let mut paths = Map::new();
    let mut schemes = BTreeSet::new();
    for plan in plans {
        for outline in outlines(plan) {
            match outline.scheme {
                Some(Scheme::ApiKey) => schemes.extend(["ApiKeyHeader", "Bearer"]),
                Some(Scheme::AccessToken) => schemes.extend(["AccessToken"]),
                Some(Scheme::Basic) => schemes.extend(["Password"]),
                Some(Scheme::Issued) => schemes.extend(["IssuedToken", "OpenIdConnect"]),
                Some(Scheme::Session) => schemes.extend(["SessionCookie"]),
                Some(Scheme::SignedIn) => schemes.extend(["AccessToken", "SessionCookie"]),
                None => {}
            }
            let operation = writer.operation(plan, &outline);
            let path = paths.entry(outline.path).or_insert_with(|| Value::Object(Map::new()));
            path[outline.method.to_ascii_lowercase()] = operation;
        }
    }
    operational_paths(&mut paths, &mut writer);
    let mut components = Map::new();
    components.insert("schemas".to_owned(), Value::Object(writer.schemas.all));
    components.insert("responses".to_owned(), Value::Object(writer.responses.all));
    let mut known_headers = headers(plans);
    if schemes.contains("SessionCookie") {
        known_headers["Set-Cookie"] = json!({
            "description": "The session's cookie: `HttpOnly`, `SameSite=Lax`, and `Secure` but on this machine itself.",
            "required": true,
            "schema": {"type": "string"},
        });
    }
    components.insert("headers".to_owned(), known_headers);
    if !schemes.is_empty() {
        components.insert("securitySchemes".to_owned(), security_schemes(&schemes));
    }
    let mut document = json!({
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
    let messages = subscribed::messages(plans);
    if writer.format == DocumentationFormat::OpenApi31 && !messages.is_empty() {
        document["webhooks"] = messages.into();
    }
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
         `X-Request-Id`. Lengths count characters (Unicode code points) as they are sent; white space at both ends of a text \
         is dropped. Other paths are answered 404, other methods 405 with `Allow`; `GET` operations answer `HEAD`. A request's \
         head may have at most 65536 bytes.",
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

fn security_schemes(asked: &BTreeSet<&str>) -> Value {
    let mut known = json!({
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
        "AccessToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` that a login or a refresh answers with.",
        },
        "IssuedToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": format!("An access token of the issuer that `{RESOURCE_PATH}` names, for this API (RFC 9068)."),
        },
        "OpenIdConnect": {
            "type": "openIdConnect",
            "openIdConnectUrl": format!("{CASE_ISSUER}/.well-known/openid-configuration"),
            "description": "Where the issuer says how its tokens are got. The document that a server answers names the issuer that it was told.",
        },
        "Password": {
            "type": "http",
            "scheme": "basic",
            "description": "The e-mail address and the password of an account, with each request (RFC 7617, UTF-8).",
        },
        "SessionCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "The cookie that a login sets; a browser sends it by itself, also from this page. On this machine itself without TLS it is called `session`.",
        },
    });
    if let Some(known) = known.as_object_mut() {
        known.retain(|name, _| asked.contains(name.as_str()));
    }
    known
}
