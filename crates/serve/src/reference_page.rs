//! The page at `/docs` that shows the API and can call it, and the files that the page needs. Comes in: the OpenAPI document and
//! what a request accepts; goes out: answers. Everything is inside the binary: the page asks nothing of any other server.

use crate::answer::Answer;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Uri};
use plan::accounts::CASE_ISSUER;
use serde::Deserialize;
use serde_json::Value as Json;
use std::io::Read as _;
use std::sync::LazyLock;

/// Where the page is.
pub(crate) const PAGE: &str = "/docs";
/// Where its files are.
pub(crate) const FILES: &str = "/docs/{file}";

/// Of Swagger UI, see `assets/swagger-ui/README.md`.
const VERSION: &str = include_str!("../assets/swagger-ui/VERSION").trim_ascii_end();
/// Only what comes from this server, and what an issuer says of itself. The style sheet of Swagger UI holds pictures.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'{issuer}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A year: the name of such a file holds its version.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file of Swagger UI. Its name in URLs is `<stem>-<version>.<ending>`.
struct Asset {
    stem: &'static str,
    ending: &'static str,
    content_type: &'static str,
    content: Content,
}

enum Content {
    Plain(&'static [u8]),
    Compressed { gzip: &'static [u8], plain: LazyLock<Bytes> },
}

static ASSETS: [Asset; 3] = [
    Asset {
        stem: "swagger-ui",
        ending: "js",
        content_type: "text/javascript; charset=utf-8",
        content: Content::Compressed {
            gzip: include_bytes!("../assets/swagger-ui/swagger-ui.js.gz"),
            plain: LazyLock::new(|| inflated(include_bytes!("../assets/swagger-ui/swagger-ui.js.gz"))),
        },
    },
    Asset {
        stem: "swagger-ui",
        ending: "css",
        content_type: "text/css; charset=utf-8",
        content: Content::Compressed {
            gzip: include_bytes!("../assets/swagger-ui/swagger-ui.css.gz"),
            plain: LazyLock::new(|| inflated(include_bytes!("../assets/swagger-ui/swagger-ui.css.gz"))),
        },
    },
    Asset {
        stem: "favicon",
        ending: "png",
        content_type: "image/png",
        content: Content::Plain(include_bytes!("../assets/swagger-ui/favicon.png")),
    },
];

/// What the page says of the document, of which there may be megabytes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    info: Json,
    components: Components,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Components {
    security_schemes: Json,
}

/// The page about an API.
pub(crate) struct Page {
    body: Bytes,
    policy: String,
}

impl Page {
    /// About the API with this document.
    pub fn about(openapi: &[u8]) -> Self {
        let document: Document = serde_json::from_slice(openapi).unwrap_or_default();
        let title = document.info["title"].as_str().unwrap_or("API");
        let title = title.replace('&', "&amp;").replace('<', "&lt;");
        let body = include_str!("../assets/page.html").replace("{version}", VERSION).replace("{title}", &title);
        let issuer =
            issuer(&document.components.security_schemes).map(|origin| format!(" {origin}")).unwrap_or_default();
        Self { body: body.into(), policy: POLICY.replace("{issuer}", &issuer) }
    }

    /// The answer with the page.
    pub fn answer(&self) -> Answer {
        let headers = vec![("content-security-policy", self.policy.clone()), ("x-frame-options", "DENY".to_owned())];
        Answer { content_type: "text/html; charset=utf-8", headers, ..Answer::json(200, self.body.clone()) }
    }
}

/// Where the page asks who issues the API's tokens: nowhere, where the document names nobody.
fn issuer(schemes: &Json) -> Option<String> {
    let url = schemes.as_object()?.values().find_map(|scheme| scheme["openIdConnectUrl"].as_str())?;
    let url: Uri = url.strip_prefix(CASE_ISSUER).is_none().then(|| url.parse().ok())??;
    let (scheme, authority) = (url.scheme_str()?, url.authority()?.as_str());
    let is_plain = authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    is_plain.then(|| format!("{scheme}://{authority}"))
}

/// The file of that name, in the encoding that the request accepts; `None` where there is none.
pub(crate) fn file(name: &str, request: &HeaderMap) -> Option<Answer> {
    let own = |content_type, text: &'static str| Answer {
        content_type,
        ..Answer::json(200, Bytes::from_static(text.as_bytes()))
    };
    match name {
        "initialize.js" => Some(own("text/javascript; charset=utf-8", include_str!("../assets/initialize.js"))),
        "page.css" => Some(own("text/css; charset=utf-8", include_str!("../assets/page.css"))),
        _ => ASSETS.iter().find(|asset| asset.is_called(name)).map(|asset| asset.answer(request)),
    }
}

impl Asset {
    fn is_called(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.stem).and_then(|rest| rest.strip_suffix(self.ending));
        rest.and_then(|rest| rest.strip_prefix('-')?.strip_suffix('.')) == Some(VERSION)
    }

    fn answer(&self, request: &HeaderMap) -> Answer {
        let mut headers = vec![("cache-control", FOREVER.to_owned())];
        let mut tag = format!("\"{VERSION}\"");
        let body = match &self.content {
            Content::Plain(bytes) => Bytes::from_static(bytes),
            Content::Compressed { gzip, plain } => {
                headers.push(("vary", "Accept-Encoding".to_owned()));
                if accepts_gzip(request) {
                    headers.push(("content-encoding", "gzip".to_owned()));
                    tag = format!("\"{VERSION}-gzip\"");
                    Bytes::from_static(gzip)
                } else {
                    Bytes::clone(plain)
                }
            }
        };
        headers.push(("etag", tag));
        Answer { content_type: self.content_type, headers, ..Answer::json(200, body) }
    }
}

/// RFC 9110, 12.5.3. Of `gzip` and `*` the first that is named decides; a weight of 0 refuses.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let codings = request.get_all("accept-encoding").iter().filter_map(|value| value.to_str().ok());
    let codings = codings.flat_map(|value| value.split(','));
    let weights = codings.filter_map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let name = name.trim();
        let weight: f32 = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()).unwrap_or(0.0);
        (name.eq_ignore_ascii_case("gzip") || name == "*").then_some((name == "*", weight))
    });
    weights.min_by_key(|(any, _)| *any).is_some_and(|(_, weight)| weight > 0.0)
}

fn inflated(gzip: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut plain).expect("a file of this crate, which its tests unpack");
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::header::ACCEPT_ENCODING, value.parse().expect("a header's value"))])
    }

    #[test]
    fn gzip_is_accepted_where_it_is_named_or_everything_is() {
        for (value, accepted) in [
            ("gzip", true),
            ("GZIP;q=0.5", true),
            ("br, gzip", true),
            ("*", true),
            ("gzip;q=0", false),
            ("*, gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(&accepting(value)), accepted, "{value}");
        }
    }

    #[test]
    fn the_page_may_ask_the_issuer_and_nobody_else() {
        for (url, allowed) in [
            (
                "https://login.example/realms/a/.well-known/openid-configuration",
                "connect-src 'self' https://login.example;",
            ),
            ("http://127.0.0.1:8080/.well-known/openid-configuration", "connect-src 'self' http://127.0.0.1:8080;"),
            ("https://issuer.invalid/.well-known/openid-configuration", "connect-src 'self';"),
            ("https://a.example;script-src/x", "connect-src 'self';"),
            ("nothing", "connect-src 'self';"),
        ] {
            let scheme = serde_json::json!({ "type": "openIdConnect", "openIdConnectUrl": url });
            let document = serde_json::json!({ "components": { "securitySchemes": { "issued": scheme } } });
            let policy = Page::about(document.to_string().as_bytes()).policy;
            assert!(policy.contains(allowed) && policy.matches("script-src").count() == 1, "{url}: {policy}");
        }
    }

    #[test]
    fn every_file_of_the_page_unpacks() {
        let page = Page::about(br#"{"info":{"title":"a<b"}}"#);
        let page = String::from_utf8(page.body.to_vec()).expect("UTF-8");
        assert!(page.contains("<title>a&lt;b</title>"), "{page}");
        let names: Vec<&str> = page.split("\"docs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(names.len(), 5);
        for name in names {
            let plain = file(name, &HeaderMap::new()).unwrap_or_else(|| panic!("no {name}"));
            let packed = file(name, &accepting("gzip")).unwrap_or_else(|| panic!("no {name}"));
            let is_packed = packed.headers.iter().any(|(name, _)| *name == "content-encoding");
            assert_eq!(if is_packed { inflated(&packed.body) } else { packed.body }, plain.body, "{name}");
        }
        assert!(file("swagger-ui.js", &HeaderMap::new()).is_none());
    }
}
