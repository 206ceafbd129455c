//! `GET /api/products` and `GET /api/products/{id}`: admit, validate, read, answer, with tags and cursors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::Service;
use crate::admission::{admit, internal};
use crate::answer::{Problem, RequestId};
use crate::validation::{FieldProblem, wrong_parameter};

const DEFAULT_PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 100;
const TAG_LENGTH: usize = 32;

/// What a list is asked for: rows a page, and the id that the page before ended with.
struct Asked {
    limit: u32,
    before: Option<String>,
}

/// One record.
pub async fn read(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Path(product): Path<String>,
    headers: HeaderMap,
    id: RequestId,
) -> Response {
    let start = Instant::now();
    let (count, admitted) = admit(&service, &headers, address).await;
    let found = match admitted {
        Ok(()) => service.database.product(product).await.map_err(|error| internal(&*error)),
        Err(problem) => Err(problem),
    };
    let response = match found {
        Ok(Some(found)) => {
            let tag = format!("\"{}\"", found.version);
            tagged(&headers, tag, &id, || id.json_bytes(StatusCode::OK, found.body))
        }
        Ok(None) => id.problem(&Problem::NotFound),
        Err(problem) => id.problem(&problem),
    };
    service.finish(response, &count, start)
}

/// A page of records, newest first.
pub async fn list(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    id: RequestId,
) -> Response {
    let start = Instant::now();
    let (count, admitted) = admit(&service, &headers, address).await;
    let asked = admitted.and_then(|()| asked(&query.unwrap_or_default()).map_err(Problem::ValidationFailed));
    let outcome = match asked {
        Ok(Asked { limit, before }) => {
            service.database.products(limit, before).await.map_err(|error| internal(&*error))
        }
        Err(problem) => Err(problem),
    };
    let response = match outcome {
        Ok(body) => {
            let tag = format!("\"{}\"", &crate::keys::hex(&Sha256::digest(&body))[..TAG_LENGTH]);
            tagged(&headers, tag, &id, || id.json_bytes(StatusCode::OK, body))
        }
        Err(problem) => id.problem(&problem),
    };
    service.finish(response, &count, start)
}

fn id_in(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = digits.collect::<Option<_>>()?;
    let [sort, id]: [String; 2] = serde_json::from_slice(&bytes).ok()?;
    (sort == "-id").then_some(id)
}

fn asked(query: &str) -> Result<Asked, Vec<FieldProblem>> {
    let mut asked = Asked { limit: DEFAULT_PAGE, before: None };
    let mut wrong = Vec::new();
    for (name, value) in
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        match name {
            "limit" => match value.parse() {
                Ok(limit) if (1..=LARGEST_PAGE).contains(&limit) => asked.limit = limit,
                Ok(_) => wrong.push(wrong_parameter(name, "range", format!("must be between 1 and {LARGEST_PAGE}"))),
                Err(_) => wrong.push(wrong_parameter(name, "type", "must be a whole number")),
            },
            "cursor" => match id_in(value) {
                Some(id) => asked.before = Some(id),
                None => wrong.push(wrong_parameter(name, "format", "must be the `next` of a page with the same sort")),
            },
            _ => wrong.push(wrong_parameter(name, "unknown_parameter", "is not a known parameter")),
        }
    }
    if wrong.is_empty() { Ok(asked) } else { Err(wrong) }
}

/// The answer with its tag, or 304 where the caller has it already.
fn tagged(headers: &HeaderMap, tag: String, id: &RequestId, answer: impl FnOnce() -> Response) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = known == "*" || known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_known { id.not_modified() } else { answer() };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
