//! The pages to which a provider sends somebody back who has paid, or has not. What they are comes in, answers go out; how an order
//! stands they ask the API for, from the browser. Their files are those of the Node.js application.

use crate::answer::Answer;
use bytes::Bytes;
use plan::service::ReturnPage;

const HTML: &str = include_str!("../../emit/node/lib/return-page/page.html");
const CSS: &str = include_str!("../../emit/node/lib/return-page/page.css");
const JAVASCRIPT: &str = include_str!("../../emit/node/lib/return-page/page.js");
/// Only what comes from this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of a page for visitors: what it is and what it holds.
#[derive(Clone)]
pub(crate) struct File {
    content_type: &'static str,
    is_page: bool,
    body: Bytes,
}

/// The page and its files, each with its path.
pub(crate) fn files(page: &ReturnPage) -> [(String, File); 3] {
    let html = HTML.replace("{path}", &page.path).replace("{came}", page.came()).replace("{asks}", &page.asked());
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    [
        (page.path.clone(), File::page(html)),
        (format!("{folder}/page.js"), File::script(JAVASCRIPT)),
        (format!("{folder}/page.css"), File::style(CSS)),
    ]
}

impl File {
    /// A page.
    pub(crate) fn page(html: String) -> Self {
        Self { content_type: "text/html; charset=utf-8", is_page: true, body: html.into() }
    }

    /// What a page loads.
    pub(crate) fn script(text: &'static str) -> Self {
        Self { content_type: "text/javascript; charset=utf-8", is_page: false, body: text.into() }
    }

    /// What a page looks like.
    pub(crate) fn style(text: &'static str) -> Self {
        Self { content_type: "text/css; charset=utf-8", is_page: false, body: text.into() }
    }

    pub(crate) fn answer(&self) -> Answer {
        let guards = [("content-security-policy", POLICY.to_owned()), ("x-frame-options", "DENY".to_owned())];
        let headers = if self.is_page { guards.to_vec() } else { Vec::new() };
        Answer { content_type: self.content_type, headers, ..Answer::json(200, self.body.clone()) }
    }
}
