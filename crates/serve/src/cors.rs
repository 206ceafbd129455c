//! Which pages of other origins a browser lets read the answers (the Fetch standard, 3.2). Credentials are
//! allowed where an API takes cookies, and to listed origins alone; keys and tokens are attached by hand.

use http::HeaderMap;

/// Headers that callers may send beside the ones every page may.
const ALLOWED_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-API-Key, X-Request-Id";
/// Headers of answers that pages get to see beside the ones every page may.
const EXPOSED_HEADERS: &str = "Accept-Patch, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";
/// Seconds for which a browser need not ask again. Short, so that a change of the API is known soon.
const MAX_AGE: &str = "600";

/// Whether an API knows somebody by a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookies {
    None,
    Taken,
}

/// The origins whose pages may call APIs that allow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    /// All of them.
    #[default]
    Any,
    /// These, each as a browser writes it: `https://shop.example.com`.
    Listed(Vec<String>),
}

/// A text that is no origin.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an origin; write scheme, host and port as `https://shop.example.com`, several with commas between"
)]
pub struct WrongOrigin(String);

impl Origins {
    /// Reads a list with commas between; an empty one means any.
    ///
    /// # Errors
    /// [`WrongOrigin`] when one of them could never match what a browser sends.
    pub fn parse(text: &str) -> Result<Self, WrongOrigin> {
        let listed: Vec<String> =
            text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
        if listed.is_empty() || listed == ["*"] {
            return Ok(Self::Any);
        }
        match listed.iter().find(|origin| !is_origin(origin)) {
            Some(wrong) => Err(WrongOrigin(wrong.clone())),
            None => Ok(Self::Listed(listed)),
        }
    }

    /// The headers of every answer of an API that allows other origins.
    pub(crate) fn headers(&self, request: &HeaderMap, cookies: Cookies) -> Vec<(&'static str, String)> {
        let allowed = match self {
            Self::Any => Some("*".to_owned()),
            Self::Listed(listed) => {
                let origin = request.get("origin").and_then(|origin| origin.to_str().ok());
                origin.filter(|origin| listed.iter().any(|known| known == origin)).map(str::to_owned)
            }
        };
        let mut headers = Vec::new();
        if let Some(origin) = allowed {
            headers.push(("access-control-allow-origin", origin));
            headers.push(("access-control-expose-headers", EXPOSED_HEADERS.to_owned()));
            if let (Self::Listed(_), Cookies::Taken) = (self, cookies) {
                headers.push(("access-control-allow-credentials", "true".to_owned()));
            }
        }
        headers
    }

    /// Whether answers differ between origins.
    pub(crate) fn vary(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Listed(_) => true,
        }
    }
}

/// What a preflight is told of a path that answers these methods.
pub(crate) fn preflight(methods: String, allow: String) -> Vec<(&'static str, String)> {
    vec![
        ("allow", allow),
        ("access-control-allow-methods", methods),
        ("access-control-allow-headers", ALLOWED_HEADERS.to_owned()),
        ("access-control-max-age", MAX_AGE.to_owned()),
    ]
}

/// `https://shop.example.com` or `http://localhost:3000`: lower case, no path, nothing at the end.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    !host.is_empty() && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_origins() {
        assert_eq!(Origins::parse(" ").unwrap(), Origins::Any);
        assert_eq!(Origins::parse("*").unwrap(), Origins::Any);
        let listed = Origins::parse("https://a.example, http://localhost:3000").unwrap();
        assert_eq!(listed, Origins::Listed(vec!["https://a.example".into(), "http://localhost:3000".into()]));
        for wrong in
            ["a.example", "https://a.example/", "https://A.example", "https://*.a.example", "*, https://a.example"]
        {
            assert!(Origins::parse(wrong).is_err(), "{wrong}");
        }
    }
}
