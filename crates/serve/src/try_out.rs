//! Cases tried on a service without a socket: the same service, the same bytes, no network.

use crate::response::Sent;
use crate::service::{Proved, Service};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connect::fill;
use connect::signature::{Call, PrivateKey, Signed, case_key, sign_digest, sign_hmac, sign_with_key};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use manifest::Text;
use manifest::reference::{Reference, WebhookValue};
use manifest::webhook::Verification;
use plan::http_case::{Answer, CaseKeys, CaseRequest, HttpCase, Known, Signer, Signing, distinct};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use vocab::Secret;

/// By which name the service is called.
const HOST: &str = "localhost";

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
        let answer = reduce(service.handle(request(service, before, &known, keys)?, address).await).await;
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
        let answer = service.handle(request(service, &case.request, &known, keys)?, address).await;
        differences = case.expect.differences(&reduce(answer).await, &known);
    }
    Ok(differences)
}

fn request(
    service: &Service,
    sent: &CaseRequest,
    known: &Known,
    keys: &CaseKeys,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = match (&sent.body, &sent.text) {
        (Some(body), _) => distinct(&known.filled_body(body).to_string(), number()),
        (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    let stated = sent.headers.contains_key("content-type");
    let json = (sent.body.is_some() && !stated).then(|| ("content-type".to_owned(), "application/json".to_owned()));
    let named = sent.headers.iter().map(|(name, value)| (name.clone(), keys.filled(&known.filled(value))));
    let mut path = known.filled(&sent.path);
    let mut headers: Vec<(String, String)> = json.into_iter().chain(named).collect();
    if let (Some(signing), Some(proved)) = (sent.signed, service.proved_at(&path)) {
        (path, headers) = signed(&proved, signing, &sent.method, path, headers, body.as_bytes());
    }
    let request = Request::builder().method(sent.method.as_str()).uri(path).header("host", HOST);
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Full::new(Bytes::from(body)))
}

/// Where a request goes, and with which headers, when the provider has signed it, or somebody who does not know its secret.
fn signed(
    proved: &Proved<'_>,
    signing: Signing,
    method: &str,
    mut path: String,
    mut headers: Vec<(String, String)>,
    body: &[u8],
) -> (String, Vec<(String, String)>) {
    let arrived_ms = Timestamp::now().as_millisecond() - i64::from(signing.seconds_ago) * 1000;
    let known = |text: &Text| fill::text(text, &**proved.account).ok().flatten();
    let value = |text: &Text| match (known(text), signing.by) {
        (Some(secret), Signer::Stranger) => Some(another(&secret)),
        (secret, Signer::Provider | Signer::Stranger) => secret,
    };
    let values = |text: &Text| value(text).map(Secret::new);
    for way in &proved.ways {
        let url = format!("http://{HOST}{path}");
        let call = Call { method, url: &url, headers: &headers, body, arrived_ms };
        let made = match way {
            Verification::Hmac(way) => sign_hmac(way, &call, &values).ok(),
            Verification::Digest(way) => sign_digest(way, &call, &values).ok(),
            Verification::FixedHeader { name, value: text } => {
                value(text).map(|text| Signed { url: url.clone(), headers: vec![(name.clone(), text)] })
            }
            Verification::Basic { user, password } => known(user).zip(value(password)).map(|(user, password)| {
                let pair = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                Signed { url: url.clone(), headers: vec![("authorization".to_owned(), pair)] }
            }),
            Verification::SecretPath(_) => {
                let secret = proved.account.value(&Reference::Webhook(WebhookValue::Secret));
                let secret = secret.and_then(|secret| secret.as_str().map(str::to_owned));
                let secret = secret.map(|secret| match signing.by {
                    Signer::Provider => secret,
                    Signer::Stranger => another(&secret),
                });
                secret.map(|secret| Signed { url: format!("{url}/{secret}"), headers: Vec::new() })
            }
            Verification::PublicKey(way) => {
                let another = PrivateKey::make(way.algorithm);
                let key = match signing.by {
                    Signer::Provider => case_key(way.algorithm),
                    Signer::Stranger => another.as_ref(),
                };
                key.and_then(|key| sign_with_key(way, key, &call, &values).ok())
            }
            // No case has the first two; the last stands in the body.
            Verification::Certificate(_) | Verification::Ask { .. } | Verification::BodyHolds { .. } => None,
        };
        let Some(made) = made else { continue };
        path = made.url.trim_start_matches(&format!("http://{HOST}")).to_owned();
        headers.extend(made.headers);
    }
    (path, headers)
}

/// Another secret of the same form.
fn another(secret: &str) -> String {
    let first = if secret.starts_with('b') { "a" } else { "b" };
    secret.chars().next().map_or_else(String::new, |old| format!("{first}{}", &secret[old.len_utf8()..]))
}

fn number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

async fn reduce(response: Response<Sent>) -> Answer {
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        // A client would have seen it break off.
        Err(error) => format!("broken off: {error}").into_bytes(),
    };
    Answer { status: parts.status.as_u16(), headers, body }
}
