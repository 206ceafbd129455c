//! `POST /api/contact`: admit, read, validate, store, answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::Service;
use crate::admission::{admit, internal};
use crate::answer::{Problem, RequestId};
use crate::database::Stored;
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
    let (count, admitted) = admit(&service, request.headers(), address).await;
    let outcome = match admitted {
        Ok(()) => store(&service, request).await,
        Err(problem) => Err(problem),
    };
    let response = match outcome {
        Ok(Stored { id: row, at }) => id.json(StatusCode::CREATED, &Receipt { id: row, received_at: at }),
        Err(problem) => id.problem(&problem),
    };
    service.finish(response, &count, start)
}

async fn store(service: &Service, request: Request) -> Result<Stored, Problem> {
    let body = read(request).await?;
    let message = validation::check(&body)?;
    service.database.store(message).await.map_err(|error| internal(&*error))
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
