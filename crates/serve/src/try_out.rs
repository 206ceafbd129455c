//! Cases tried on a service without a socket: the same service, the same bytes, no network.

use crate::service::Service;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use plan::http_case::{API_KEY, Answer, CaseRequest, HttpCase, ID, PARENT, UNIQUE};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};

/// Sends the case as often as it says and returns every way in which the last answer differs; empty when it is as expected.
/// `api_key` stands for the key that the case asks for.
///
/// # Errors
/// When the case is no HTTP request.
pub async fn try_case(service: &Service, case: &HttpCase, api_key: &str) -> Result<Vec<String>, http::Error> {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut known = Known { api_key: api_key.to_owned(), parent: None, id: None };
    for (before, is_parent) in [(&case.parent, true), (&case.before, false)] {
        let Some(before) = before else { continue };
        let answer = reduce(service.handle(request(before, &known)?, address).await).await;
        if !(200..300).contains(&answer.status) {
            return Ok(vec![format!("the request before was answered {}", answer.status)]);
        }
        *(if is_parent { &mut known.parent } else { &mut known.id }) = answer.id();
    }
    let mut differences = Vec::new();
    for _ in 0..case.repeat {
        let answer = service.handle(request(&case.request, &known)?, address).await;
        differences = case.expect.differences(&reduce(answer).await, known.id.as_deref());
    }
    Ok(differences)
}

/// What stands for the placeholders of a case.
struct Known {
    api_key: String,
    parent: Option<String>,
    id: Option<String>,
}

fn request(sent: &CaseRequest, known: &Known) -> Result<Request<Full<Bytes>>, http::Error> {
    let made = [(PARENT, &known.parent), (ID, &known.id)];
    let path = made.into_iter().fold(sent.path.clone(), |path, (placeholder, id)| match id {
        Some(id) => path.replace(placeholder, id),
        None => path,
    });
    let mut request = Request::builder().method(sent.method.as_str()).uri(path).header("host", "localhost");
    let stated = sent.headers.contains_key("content-type");
    if sent.body.is_some() && !stated {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &sent.headers {
        request = request.header(name, value.replace(API_KEY, &known.api_key));
    }
    let body = match (&sent.body, &sent.text) {
        (Some(body), _) => body.to_string().replace(UNIQUE, &unique()),
        (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    request.body(Full::new(Bytes::from(body)))
}

fn unique() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed).to_string()
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
