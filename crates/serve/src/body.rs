//! A request's JSON body, read within bounds of size and time. Nothing is read before the headers passed.

use crate::answer::Refusal;
use crate::csv;
use crate::request::header;
use crate::validation::{MAX_DEPTH, depth};
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http_body_util::BodyExt;
use hyper::body::Body;
use plan::Problem;
use plan::procedure::JSON_PATCH;
use std::time::Duration;

/// How long a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long the rest of a refused body is taken in and thrown away, so that its sender gets to read the answer: closing a
/// connection with unread data resets it. The answer waits meanwhile.
const LINGER: Duration = Duration::from_millis(50);

/// The media types of changes, as a header says them.
pub(crate) const ACCEPT_CHANGES: &str = "application/merge-patch+json, application/json";
/// The same where operations are taken too.
pub(crate) const ACCEPT_PATCH: &str = "application/merge-patch+json, application/json-patch+json, application/json";

/// As what a body may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Record,
    /// A record or several, which may be rows of CSV.
    Records,
    Changes,
    /// Changes, or operations.
    Patch,
}

/// As what a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    /// Rows, whose values are texts.
    Csv,
    /// Operations (RFC 6902).
    JsonPatch,
}

/// The value, the bytes it came as, and as what.
pub(crate) async fn read_json<B>(
    headers: &HeaderMap,
    body: &mut B,
    limit: u64,
    taken: Taken,
) -> Result<(serde_json::Value, Bytes, Kind), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().exact();
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).or(announced);
    if !chunked && length.unwrap_or(0) == 0 && body.is_end_stream() {
        return Err(Problem::MalformedBody.into());
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::unsupported_coding());
    }
    let media_type = header(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = match () {
        () if taken == Taken::Records && is_csv(&media_type) => Kind::Csv,
        () if is_json_patch(&media_type) => Kind::JsonPatch,
        () => Kind::Json,
    };
    let is_taken = kind != Kind::JsonPatch || taken != Taken::Changes;
    if kind != Kind::Csv && !is_json_media_type(&media_type) || !is_taken {
        return Err(Refusal::unsupported_media_type(taken));
    }
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::body_too_large(limit));
    }
    let bytes = match tokio::time::timeout(ARRIVAL, read_bytes(body, limit)).await {
        Ok(read) => read?,
        Err(_) => return Err(Problem::RequestTimeout.into()),
    };
    if kind == Kind::Csv {
        let records = csv::records(&bytes).map_err(|wrong| Refusal::validation_failed(vec![wrong]))?;
        return Ok((records, bytes, kind));
    }
    if depth(&bytes) > MAX_DEPTH {
        return Err(Problem::MalformedBody.into());
    }
    let value = serde_json::from_slice(&bytes).map_err(|_| Problem::MalformedBody)?;
    Ok((value, bytes, kind))
}

/// A body of any kind, as it came.
pub(crate) async fn read_raw<B>(headers: &HeaderMap, body: &mut B, limit: u64) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::body_too_large(limit));
    }
    tokio::time::timeout(ARRIVAL, read_bytes(body, limit)).await.unwrap_or_else(|_| Err(Problem::RequestTimeout.into()))
}

async fn read_bytes<B>(body: &mut B, limit: u64) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Problem::MalformedRequest.into()) };
        let Ok(data) = frame.into_data() else { continue };
        let size = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
        if size as u64 > limit {
            let _ = tokio::time::timeout(LINGER, discard(body)).await;
            return Err(Refusal::body_too_large(limit));
        }
        match (&first, rest.is_empty()) {
            (None, true) => first = Some(data),
            (Some(begin), true) => {
                rest.extend_from_slice(begin);
                rest.extend_from_slice(&data);
                first = None;
            }
            (_, false) => rest.extend_from_slice(&data),
        }
    }
    Ok(first.unwrap_or_else(|| rest.freeze()))
}

async fn discard<B: Body + Unpin>(body: &mut B) {
    while let Some(Ok(_)) = body.frame().await {}
}

fn is_json_patch(text: &str) -> bool {
    text.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(JSON_PATCH))
}

/// `application/json` or `application/<x>+json`, in UTF-8.
fn is_json_media_type(text: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    in_utf8(text, |media_type| {
        let subtype = media_type.strip_prefix("application/");
        media_type == "application/json" || subtype.and_then(|of| of.strip_suffix("+json")).is_some_and(is_token)
    })
}

fn is_csv(text: &str) -> bool {
    in_utf8(text, |media_type| media_type == "text/csv")
}

fn in_utf8(text: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    is_it(&parts.next().unwrap_or_default())
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim() == "charset" => matches!(value.trim(), "utf-8" | "\"utf-8\""),
            Some(_) | None => true,
        })
}

#[cfg(test)]
mod tests {
    use super::is_json_media_type;

    #[test]
    fn media_types() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.a.b+json", "application/json;v=1"]
        {
            assert!(is_json_media_type(good), "{good}");
        }
        for bad in ["", "text/json", "application/json; charset=latin1", "application/+json", "application/jsonp"] {
            assert!(!is_json_media_type(bad), "{bad}");
        }
    }
}
