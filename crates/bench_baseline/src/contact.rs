//! `POST /api/contact`: authorize, limit, read, validate, store, answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::Service;
use crate::answer::{Problem, RequestId, add_limit};
use crate::database::Stored;
use crate::limit::{Caller, Count};
use crate::validation;

const LARGEST_BODY: usize = 65_536;
const BODY_TIME: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Receipt {
    id: String,
    received_at: String,
}

/// Answers one request and counts it.
pub async fn submit(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    id: RequestId,
    request: Request,
) -> Response {
    let start = Instant::now();
    let (caller, refusal) = match authorize(&service, request.headers()).await {
        Ok(key) => (Caller::Key(key), None),
        Err(problem) => (Caller::Address(address.ip()), Some(problem)),
    };
    let count = service.limiter.count(caller);
    let outcome = match refusal {
        _ if !count.passed => Err(Problem::RateLimited(count.quota, count.window)),
        Some(problem) => Err(problem),
        None => store(&service, request).await,
    };
    let response = respond(&id, &count, outcome);
    service.metrics.record(response.status(), start.elapsed());
    response
}

fn respond(id: &RequestId, count: &Count, outcome: Result<Stored, Problem>) -> Response {
    let mut response = match outcome {
        Ok(Stored { id: row, at }) => id.json(StatusCode::CREATED, &Receipt { id: row, received_at: at }),
        Err(problem) => id.problem(&problem),
    };
    add_limit(&mut response, count);
    response
}

/// The key's row in the table of keys.
async fn authorize(service: &Service, headers: &HeaderMap) -> Result<i64, Problem> {
    let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    let sent = headers.get("x-api-key").map(|value| value.to_str().unwrap_or_default()).or_else(bearer);
    let key = sent.filter(|key| !key.is_empty()).ok_or(Problem::MissingCredentials)?;
    match service.keys.find(key).await {
        Ok(found) => found.ok_or(Problem::InvalidCredentials),
        Err(error) => Err(internal(&error)),
    }
}

async fn store(service: &Service, request: Request) -> Result<Stored, Problem> {
    let body = read(request).await?;
    let message = validation::check(&body)?;
    let database = Arc::clone(&service.database);
    let stored = tokio::task::spawn_blocking(move || database.store(&message)).await;
    match stored {
        Ok(Ok(stored)) => Ok(stored),
        Ok(Err(error)) => Err(internal(&error)),
        Err(error) => Err(internal(&error)),
    }
}

async fn read(request: Request) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::UnsupportedMediaType);
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY) {
        return Err(Problem::BodyTooLarge(LARGEST_BODY));
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(request.into_body(), LARGEST_BODY)).await {
        Err(_) => Err(Problem::RequestTimeout),
        Ok(Err(_)) => Err(Problem::BodyTooLarge(LARGEST_BODY)),
        Ok(Ok(body)) => Ok(body),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(sent) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    if sent == "application/json" {
        return true;
    }
    let sent = sent.to_ascii_lowercase();
    let mut parts = sent.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let json = media_type == "application/json"
        || media_type.strip_prefix("application/").is_some_and(|subtype| subtype.ends_with("+json"));
    let mut charsets = parts.filter_map(|part| part.strip_prefix("charset="));
    json && charsets.all(|charset| charset.trim_matches('"') == "utf-8")
}

fn internal(error: &dyn std::error::Error) -> Problem {
    eprintln!("error: {error}");
    Problem::Internal
}
