//! The operational routes, which every server has beside its APIs.

use super::operation::Writer;
use super::problems::{answer_headers, plain_example};
use super::{JSON, OPERATIONS};
use plan::Problem;
use serde_json::{Map, Value, json};

pub fn operational_paths(paths: &mut Map<String, Value>, writer: &mut Writer) {
    let mut get = |path: &str, id: &str, summary: &str, content: Value, problems: &[Problem]| {
        let mut responses = Map::new();
        let success = json!({"description": "OK.", "headers": answer_headers(false, &[]), "content": content});
        responses.insert("200".to_owned(), success);
        for problem in [Problem::MalformedRequest].iter().chain(problems) {
            responses.insert(
                problem.status().to_string(),
                writer.problem(
                    &[(*problem, plain_example(*problem, problem.detail().unwrap_or_default()))],
                    false,
                    &[],
                ),
            );
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
