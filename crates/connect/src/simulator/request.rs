//! A request to a simulated provider: its bytes come in, its path and what it says go out as one document, however it was written.

use crate::form;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method, upper case.
    pub method: &'a str,
    /// Its path with its parameters.
    pub target: &'a str,
    /// Its headers in order, names of either case.
    pub headers: &'a [(String, String)],
    /// Its body.
    pub body: &'a [u8],
}

/// A request that was read.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path, as it stands in the address.
    pub path: String,
    /// Names and values of its address.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Parameters of the address and members of the body, as one document.
    pub says: Value,
    /// Whether it has a body that is written as a form.
    pub is_form: bool,
    /// The bytes of its body.
    pub length: usize,
}

/// A body that is not what its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl Asked<'_> {
    /// What a header holds.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Reads it. `json_parameter` is the name of a form under which a JSON document stands, where the provider takes such.
    pub(super) fn read(&self, json_parameter: Option<&str>) -> Result<Request, Unreadable> {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let query: Vec<(String, String)> = form::pairs(query.as_bytes());
        let media_type = self.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_form = media_type == "application/x-www-form-urlencoded";
        let body = if self.body.is_empty() {
            Value::Null
        } else if is_form {
            self.form(json_parameter)?
        } else if media_type == "application/json" || media_type.ends_with("+json") {
            serde_json::from_slice(self.body).map_err(|_| Unreadable)?
        } else {
            Value::String(String::from_utf8(self.body.to_vec()).map_err(|_| Unreadable)?)
        };
        Ok(Request {
            method: self.method.to_owned(),
            path: path.to_owned(),
            says: together(form::nested(&query), body),
            query,
            headers: self.headers.to_vec(),
            is_form,
            length: self.body.len(),
        })
    }

    fn form(&self, json_parameter: Option<&str>) -> Result<Value, Unreadable> {
        let pairs = form::pairs(self.body);
        match json_parameter.and_then(|name| pairs.iter().find(|(known, _)| known == name)) {
            Some((_, text)) => serde_json::from_str(text).map_err(|_| Unreadable),
            None => Ok(form::nested(&pairs)),
        }
    }
}

impl Request {
    /// What a header holds.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Parameters with the members of the body over them; a body that is no object stands alone.
fn together(parameters: Value, body: Value) -> Value {
    match (parameters, body) {
        (Value::Object(mut parameters), Value::Object(body)) => {
            parameters.extend(body);
            Value::Object(parameters)
        }
        (parameters, Value::Null) => parameters,
        (_, body) => body,
    }
}

/// The segments of a path without their percent signs.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/').skip(1).map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect()
}

/// No members.
pub(super) fn nothing() -> Value {
    Value::Object(Map::new())
}
