//! The cookie of a session: its name, what a request brings of it, what an answer says of it, and whether a page that may not do so had
//! a browser send it along. Who calls is found by `account`.

use crate::cors::Origins;
use crate::request::header;
use http::{HeaderMap, Method};
use plan::accounts::{LOOPBACK_SESSION_COOKIE, SESSION_COOKIE, SESSION_LIFETIME};

/// The token of the session that the request brings. Two of the name are none.
pub(crate) fn presented(headers: &HeaderMap) -> Option<String> {
    let (name, sent) = (name(headers), headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok()));
    let pairs = sent.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, token)| token);
    found.next().filter(|token| !token.is_empty() && found.next().is_none()).map(str::to_owned)
}

/// The `Set-Cookie` that hands a token over, or takes the cookie away.
pub(crate) fn set(headers: &HeaderMap, token: Option<&str>) -> String {
    let secure = if is_loopback(headers) { "" } else { "; Secure" };
    let lifetime = if token.is_some() { SESSION_LIFETIME } else { 0 };
    let (name, token) = (name(headers), token.unwrap_or_default());
    format!("{name}={token}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Lax{secure}")
}

/// Whether a page of another origin had a browser send the request, and it may change something. What is sent by no browser says
/// nothing of origins, and nobody adds cookies to it. <https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site>
pub(crate) fn is_foreign(method: &Method, headers: &HeaderMap, trusted: Option<&Origins>) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let origin = header(headers, "origin");
    if let (Some(Origins::Listed(listed)), Some(origin)) = (trusted, &origin)
        && listed.contains(origin)
    {
        return false;
    }
    if let Some(site) = header(headers, "sec-fetch-site") {
        return !["same-origin", "none"].contains(&site.as_str());
    }
    let own = header(headers, "host");
    origin.is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != own.as_deref())
}

fn name(headers: &HeaderMap) -> &'static str {
    if is_loopback(headers) { LOOPBACK_SESSION_COOKIE } else { SESSION_COOKIE }
}

/// Whether the request is from this machine to itself and came without TLS, as far as it says.
fn is_loopback(headers: &HeaderMap) -> bool {
    let host = header(headers, "host").unwrap_or_default().to_ascii_lowercase();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_here = address || name == "localhost" || name.ends_with(".localhost");
    is_here && headers.get("x-forwarded-proto").is_none_or(|proto| proto != "https")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn of(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_cookie_is_of_its_own_host_alone_but_on_this_machine() {
        for host in ["localhost:8080", "127.0.0.1", "[::1]:80", "api.localhost"] {
            assert!(
                set(&of(&[("host", host)]), Some("t")).starts_with("session=t; Path=/; Max-Age=2592000; HttpOnly; ")
            );
        }
        let elsewhere = set(&of(&[("host", "localhost.example.com")]), None);
        assert_eq!(elsewhere, "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
        let behind =
            of(&[("host", "localhost"), ("x-forwarded-proto", "https"), ("cookie", "session=a; __Host-session=b")]);
        assert_eq!(presented(&behind).as_deref(), Some("b"));
        assert_eq!(presented(&of(&[("host", "localhost"), ("cookie", "session=a; session=b")])), None);
    }

    #[test]
    fn a_page_of_another_origin_is_foreign() {
        let listed = Origins::Listed(vec!["https://shop.example.com".to_owned()]);
        let foreign = |pairs: &[(&'static str, &'static str)], trusted| {
            let all = [&[("host", "api.example.com")], pairs].concat();
            is_foreign(&Method::POST, &of(&all), trusted)
        };
        let (site, origin) = ("sec-fetch-site", "origin");
        for (pairs, wanted) in [
            (&[][..], false),
            (&[(site, "same-origin")], false),
            (&[(site, "none")], false),
            (&[(site, "same-site")], true),
            (&[(site, "cross-site")], true),
            (&[(origin, "https://api.example.com")], false),
            (&[(origin, "https://evil.example.com")], true),
            (&[(origin, "null")], true),
            (&[(site, "cross-site"), (origin, "https://shop.example.com")], false),
            (&[(site, "cross-site"), (origin, "https://evil.example.com")], true),
        ] {
            assert_eq!(foreign(pairs, Some(&listed)), wanted, "{pairs:?}");
        }
        assert!(foreign(&[(site, "cross-site"), (origin, "https://shop.example.com")], Some(&Origins::Any)));
        assert!(!is_foreign(&Method::GET, &of(&[(site, "cross-site")]), None));
    }
}
