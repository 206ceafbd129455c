//! What a request says of itself before anybody looks what it is for: whether it is well formed, its id, the text in its path.

use http::request::Parts;
use http::{HeaderMap, Method};

/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;

/// What the parser lets through and HTTP does not: RFC 9112, 3.2 (`Host`, forms of targets).
pub(crate) fn is_well_formed(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all("host").iter();
    let has_host = match (hosts.next(), hosts.next()) {
        (None, _) => parts.version != http::Version::HTTP_11,
        (Some(host), None) => host.as_bytes().iter().all(is_of_host),
        (Some(_), Some(_)) => false,
    };
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let is_path = target.starts_with(['/', '*']) || parts.method == Method::CONNECT;
    has_host && is_path && target.is_ascii()
}

/// Whether the byte may stand in a host with its port (RFC 3986, 3.2.2).
fn is_of_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte)
}

/// A segment of a path without its percent signs; `None` when it is not UTF-8 or not well formed.
pub(crate) fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The id that the caller proposes, or a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let is_good = |text: &String| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    header(headers, "x-request-id").filter(is_good).unwrap_or_else(|| uuid::Uuid::now_v7().to_string())
}

/// All values of a header as one (RFC 9110, 5.3): two keys are no key.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("\u{fffd}")).collect();
    (!values.is_empty()).then(|| values.join(", "))
}
