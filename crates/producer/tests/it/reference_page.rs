//! The page at `/docs` and its files: everything that the page names is there, packed for whoever takes it so, may be kept, and is
//! the same on both servers. That a browser shows the page and calls the API from it is what `cargo xtask browse` tries.

use crate::harness::client::{ask, get};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use crate::harness::{on_both_servers, repository};
use flate2::read::GzDecoder;
use plan::http_case::Answer;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

/// What a browser says that it takes.
const BROWSER: &str = "gzip, deflate, br, zstd";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// A server with a page, and the workspace that it needs for as long as it runs.
struct Page {
    server: Server,
    _workspace: Workspace,
}

impl Page {
    fn on(kind: Kind) -> Self {
        let workspace = Workspace::completed();
        Self { server: Server::start(kind, &workspace), _workspace: workspace }
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = get(path);
        request.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ask(self.server.address, &request, "").unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.get("/docs", &[]).body).unwrap()
    }

    /// The files that the page names, by what they hold.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let names = names(&self.text());
        names.into_iter().map(|name| (name.clone(), self.get(&format!("/docs/{name}"), &[]).body)).collect()
    }
}

fn names(page: &str) -> Vec<String> {
    let links = page.split("\"docs/").skip(1);
    links.map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
}

fn inflated(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut plain).unwrap();
    plain
}

fn the_page_names_the_api_and_files_of_this_server_alone(kind: Kind) {
    let page = Page::on(kind).text();
    assert!(page.contains("<title>contact-newsletter API</title>"), "{page}");
    assert_eq!(names(&page).len(), 5, "{page}");
    assert!(!page.contains("//"), "a link leaves the server, or there is a script inside:\n{page}");
    assert_eq!(page.matches("<script src=\"docs/").count(), page.matches("<script").count(), "{page}");
}

fn a_file_comes_packed_or_plain_as_it_is_asked_for(kind: Kind) {
    let server = Page::on(kind);
    let mut packed_ones = 0;
    for (name, plain) in server.files() {
        let path = format!("/docs/{name}");
        let packed = server.get(&path, &[("accept-encoding", BROWSER)]);
        assert_eq!(packed.status, 200, "{name}");
        if packed.headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
            packed_ones += 1;
            assert_eq!(packed.headers["vary"], "Accept-Encoding", "{name}");
            assert!(inflated(&packed.body) == plain, "{name} unpacks to something else");
            let refused = server.get(&path, &[("accept-encoding", "gzip;q=0, *")]);
            assert_eq!(refused.headers.get("content-encoding"), None, "{name}");
            assert!(refused.headers["etag"] != packed.headers["etag"], "{name}: two encodings, one tag");
        }
    }
    assert_eq!(packed_ones, 2, "the script and the style sheet of Swagger UI");
}

fn a_file_with_a_version_is_kept_and_not_sent_twice(kind: Kind) {
    let server = Page::on(kind);
    let version = version();
    let names = names(&server.text());
    let kept: Vec<&String> = names.iter().filter(|name| name.contains(&version)).collect();
    assert_eq!(kept.len(), 3, "{names:?}");
    for name in kept {
        for encoding in ["identity", BROWSER] {
            let path = format!("/docs/{name}");
            let first = server.get(&path, &[("accept-encoding", encoding)]);
            assert_eq!(first.headers["cache-control"], FOREVER, "{name}");
            let tag = first.headers["etag"].as_str();
            let again = server.get(&path, &[("accept-encoding", encoding), ("if-none-match", tag)]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
            assert_eq!(again.headers["cache-control"], FOREVER, "{name}");
        }
    }
}

fn the_page_and_its_files_are_counted(kind: Kind) {
    let server = Page::on(kind);
    server.files();
    let metrics = String::from_utf8(server.get("/metrics", &[]).body).unwrap();
    for line in [
        r#"http_requests_total{method="GET",route="/docs",status="200"} 1"#,
        r#"http_requests_total{method="GET",route="/docs/{file}",status="200"} 5"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
}

on_both_servers!(
    the_page_names_the_api_and_files_of_this_server_alone,
    a_file_comes_packed_or_plain_as_it_is_asked_for,
    a_file_with_a_version_is_kept_and_not_sent_twice,
    the_page_and_its_files_are_counted,
);

#[test]
fn both_servers_give_the_same_page_and_files() {
    if Kind::Node.is_here() {
        let (native, node) = (Page::on(Kind::Native), Page::on(Kind::Node));
        assert_eq!(native.text(), node.text());
        let emitted = node.files();
        for (name, plain) in native.files() {
            // What is emitted says above it where it comes from.
            assert!(emitted[&name].ends_with(&plain), "{name} differs");
        }
    }
}

/// Of Swagger UI in the manifest of the emitted application.
fn version() -> String {
    let manifest = fs::read(repository("crates/emit/node/package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["dependencies"]["swagger-ui-dist"].as_str().unwrap().to_owned()
}
