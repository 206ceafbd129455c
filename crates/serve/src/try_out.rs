//! Cases tried on a service without a socket: the same service, the same bytes, no network.

use crate::service::Service;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use plan::http_case::{Answer, CaseKeys, CaseRequest, HttpCase, Known, distinct};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

/// Sends the case as often as it says and returns every way in which the last answer differs; empty when it is as expected.
/// `keys` stand for those that the case asks for.
///
/// # Errors
/// When the case is no HTTP request.
pub async fn try_case(service: &Service, case: &HttpCase, keys: &CaseKeys) -> Result<Vec<String>, http::Error> {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut known = Known::default();
    for (before, is_parent) in
        case.parent.iter().map(|parent| (parent, true)).chain(case.before.iter().map(|before| (before, false)))
    {
        let answer = reduce(service.handle(request(before, &known, keys)?, address).await).await;
        if !(200..300).contains(&answer.status) {
            return Ok(vec![format!("the request before was answered {}", answer.status)]);
        }
        match is_parent {
            true => known.note_parent(&answer),
            false => known.note(&answer),
        }
    }
    let mut differences = Vec::new();
    for _ in 0..case.repeat {
        let answer = service.handle(request(&case.request, &known, keys)?, address).await;
        differences = case.expect.differences(&reduce(answer).await, &known);
    }
    Ok(differences)
}

fn request(sent: &CaseRequest, known: &Known, keys: &CaseKeys) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut request =
        Request::builder().method(sent.method.as_str()).uri(known.filled(&sent.path)).header("host", "localhost");
    let stated = sent.headers.contains_key("content-type");
    if sent.body.is_some() && !stated {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &sent.headers {
        request = request.header(name, known.filled(&keys.filled(value)));
    }
    let body = match (&sent.body, &sent.text) {
        (Some(body), _) => distinct(&body.to_string(), number()),
        (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    request.body(Full::new(Bytes::from(body)))
}

fn number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

async fn reduce(response: Response<Full<Bytes>>) -> Answer {
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(never) => match never {},
    };
    Answer { status: parts.status.as_u16(), headers, body }
}
