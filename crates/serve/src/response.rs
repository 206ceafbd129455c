//! What every answer passes on its way out: the tag that spares it, its coding, and the headers that every answer carries. A
//! header of the answer's own wins over the standing one of the same name.

use crate::answer::Answer;
use crate::coding::{Coding, LEAST, is_compressible};
use crate::cors::{Cookies, Origins};
use crate::etag::{Weak, coded, names_tag};
use crate::export::Chunks;
use crate::request::header;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{Either, Full};

/// Headers of every response. They are for what no browser shows as a page; who serves a page brings its own policy.
/// <https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html>
pub(crate) const STANDING: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];
/// What an answer keeps of its own headers where the caller has it already: what guides caches (RFC 9110, 15.4.5).
const OF_KNOWN: [&str; 4] = ["age", "etag", "cache-control", "vary"];
/// Said where the request came over TLS: a year. Not for subdomains, which may be somebody else's.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// The bytes of an answer: all of them, or as they are made.
pub type Sent = Either<Full<Bytes>, Chunks>;

/// What an answer must know of its request.
pub(crate) struct Asked<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub request_id: &'a str,
    /// Present where pages of other origins may read the answer.
    pub origins: Option<&'a Origins>,
    /// Whether they may have a browser add its cookies.
    pub cookies: Cookies,
}

/// The answer with everything that goes with it.
pub(crate) async fn response(
    mut answer: Answer,
    limit: Vec<(&'static str, String)>,
    asked: &Asked<'_>,
) -> Response<Sent> {
    let coding = coding(&answer, asked.headers);
    let mut vary: Vec<&str> = can_be_coded(&answer).then_some("Accept-Encoding").into_iter().collect();
    let is_known = is_known(&answer, asked);
    // The tag names the bytes as they are sent, in a 304 those that would have been.
    if let (Some(coding), Some((_, tag))) = (coding, answer.headers.iter_mut().find(|(name, _)| *name == "etag")) {
        *tag = coded(tag, coding);
    }
    if is_known {
        let mut headers = answer.headers;
        headers.retain(|(name, _)| OF_KNOWN.contains(name));
        answer = Answer { headers, ..Answer::empty(304) };
    } else if let Some(coding) = coding {
        answer.headers.push(("content-encoding", coding.name().to_owned()));
    }
    let body = match (answer.rows.take(), coding) {
        (Some(_), _) if *asked.method == Method::HEAD => Either::Right(Chunks::none()),
        (Some(rows), coding) => Either::Right(rows.behind(answer.body, coding, asked.request_id)),
        (None, Some(coding)) if !is_known => Either::Left(Full::new(coding.encode(answer.body).await)),
        (None, _) => Either::Left(Full::new(answer.body)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in STANDING {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if asked.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https") {
        headers.insert("strict-transport-security", HeaderValue::from_static(TRANSPORT_SECURITY));
    }
    let own_vary: Vec<String> =
        answer.headers.extract_if(.., |(name, _)| *name == "vary").map(|(_, value)| value).collect();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if let Some(origins) = asked.origins {
        origins.headers(asked.headers, asked.cookies).iter().for_each(|(name, value)| set(name, value));
        vary.extend(origins.vary().then_some("Origin"));
    }
    vary.extend(own_vary.iter().map(String::as_str));
    if !answer.content_type.is_empty() {
        set("content-type", answer.content_type);
    }
    if !vary.is_empty() {
        set("vary", &vary.join(", "));
    }
    set("x-request-id", asked.request_id);
    limit.iter().chain(&answer.headers).for_each(|(name, value)| set(name, value));
    response
}

/// The coding that the caller likes best, where it takes one and the answer gains by it.
fn coding(answer: &Answer, headers: &HeaderMap) -> Option<Coding> {
    Coding::accepted(&header(headers, "accept-encoding")?).filter(|_| can_be_coded(answer))
}

fn can_be_coded(answer: &Answer) -> bool {
    is_compressible(answer.content_type) && answer.body.len() >= LEAST && !has_chosen(answer)
}

/// Whether the answer has looked for the best coding itself.
fn has_chosen(answer: &Answer) -> bool {
    answer.headers.iter().any(|(name, value)| match *name {
        "content-encoding" => true,
        "vary" => value.contains("Accept-Encoding"),
        _ => false,
    })
}

/// Whether the caller has the answer already.
fn is_known(answer: &Answer, asked: &Asked<'_>) -> bool {
    let is_read = answer.status == 200 && matches!(*asked.method, Method::GET | Method::HEAD);
    let tag = answer.headers.iter().find(|(name, _)| *name == "etag").filter(|_| is_read);
    match (tag, header(asked.headers, "if-none-match")) {
        (Some((_, tag)), Some(known)) => names_tag(&known, tag, Weak::Same),
        (None, _) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(own: &[(&'static str, &str)], request: &[(&'static str, &'static str)]) -> HeaderMap {
        let headers = own.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = Answer { headers, ..Answer::json(200, "1".repeat(LEAST)) };
        let request: HeaderMap = request
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let origins = Origins::Listed(vec!["https://a.example".to_owned()]);
        let asked = Asked {
            method: &Method::GET,
            headers: &request,
            request_id: "1",
            origins: Some(&origins),
            cookies: Cookies::None,
        };
        response(answer, Vec::new(), &asked).await.into_parts().0.headers
    }

    #[tokio::test]
    async fn everything_that_an_answer_varies_by_is_named() {
        let own = [("vary", "X-API-Key"), ("cache-control", "private"), ("etag", "\"1\""), ("link", "<?a>")];
        let found = sent(&own, &[("accept-encoding", "gzip")]).await;
        assert_eq!(found["vary"], "Accept-Encoding, Origin, X-API-Key");
        assert_eq!(found["cache-control"], "private");
        assert_eq!(found["content-encoding"], "gzip");
        let known = sent(&own, &[("if-none-match", "\"1\"")]).await;
        assert_eq!(known["vary"], "Accept-Encoding, Origin, X-API-Key");
        assert!(known.contains_key("etag") && !known.contains_key("link"), "{known:?}");
    }

    #[tokio::test]
    async fn what_chose_its_coding_is_not_coded_again() {
        for own in [&[("content-encoding", "gzip"), ("vary", "Accept-Encoding")][..], &[("vary", "Accept-Encoding")]] {
            let found = sent(own, &[("accept-encoding", "br")]).await;
            assert_eq!(found["vary"], "Origin, Accept-Encoding");
            assert_ne!(found.get("content-encoding").map(HeaderValue::as_bytes), Some(&b"br"[..]));
        }
    }
}
