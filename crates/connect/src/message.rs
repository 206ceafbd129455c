//! A request and an answer of HTTP as plain data. Neither prints what stands in it: requests hold secrets, answers hold what is said of
//! people.

use manifest::operation::Method;
use std::fmt;

/// A request, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Its whole address, encoded.
    pub url: String,
    /// Its headers in order.
    pub headers: Vec<(String, String)>,
    /// Its body; empty where it has none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of that name, in either case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.url.split('?').next().unwrap_or_default();
        write!(formatter, "{} {place} ({} bytes)", self.method.as_str(), self.body.len())
    }
}

/// An answer, as far as it was read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the body is longer than what is read of one; then `body` holds its beginning.
    pub is_cut: bool,
}

impl HttpAnswer {
    /// The first header of that name, in either case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = if self.is_cut { ", cut" } else { "" };
        write!(formatter, "{} ({} bytes{cut})", self.status, self.body.len())
    }
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
