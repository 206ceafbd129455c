//! One HTTP request with the answer it must get. The same form is used by `tests/cases/http/*.yaml`, by the verification
//! that a run does, and by the tests that travel with the emitted application.

use crate::procedure::IN_SEGMENT;
use percent_encoding::percent_encode;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// In an expected header or body: anything, but present.
pub const ANY: &str = "${any}";
/// In a request header: a valid API key.
pub const API_KEY: &str = "${api_key}";
/// In a request header: an API key that was valid until it expired.
pub const EXPIRED_API_KEY: &str = "${expired_api_key}";
/// In a request header: an API key that is valid and may be used for nothing.
pub const POWERLESS_API_KEY: &str = "${powerless_api_key}";
/// In a request header: an access token of the user of the seed, or the one that a request before was answered with.
pub const ACCESS_TOKEN: &str = "${access_token}";
/// In a request header: an access token of that user that was valid until it expired.
pub const EXPIRED_ACCESS_TOKEN: &str = "${expired_access_token}";
/// In a request header: an access token of somebody else.
pub const OTHER_ACCESS_TOKEN: &str = "${other_access_token}";
/// In a request header, with the role in its place: an access token of somebody whose account has that role.
pub const ROLE_ACCESS_TOKEN: &str = "${access_token:<role>}";
/// In a request header: a token of another issuer of the user of the seed.
pub const ISSUED_TOKEN: &str = "${issued_token}";
/// In a request header: such a token that was good until it expired.
pub const EXPIRED_ISSUED_TOKEN: &str = "${expired_issued_token}";
/// In a request header: such a token of somebody else.
pub const OTHER_ISSUED_TOKEN: &str = "${other_issued_token}";
/// In a request header: such a token for another API.
pub const ELSEWHERE_ISSUED_TOKEN: &str = "${elsewhere_issued_token}";
/// In a request header: such a token that was granted nothing.
pub const POWERLESS_ISSUED_TOKEN: &str = "${powerless_issued_token}";
/// In a request header, with the role in its place: such a token of somebody whose account has that role.
pub const ROLE_ISSUED_TOKEN: &str = "${issued_token:<role>}";
/// In a body: the refresh token that a request before was answered with.
pub const REFRESH_TOKEN: &str = "${refresh_token}";
/// In a request header: the token in the cookie of the session that a request before has begun.
pub const SESSION: &str = "${session}";
/// In a path or an expected body: the key of what the first request before made.
pub const ID: &str = "${id}";
/// In a path or an expected body: the key of what the parent of the case made.
pub const PARENT: &str = "${parent}";
/// In a path: the cursor in the answer to the last request before.
pub const NEXT: &str = "${next}";
/// In a request header: the tag of the answer to the last request before.
pub const TAG: &str = "${tag}";
/// In a body: another short text in every request, for values that must be unique.
pub const UNIQUE: &str = "${unique}";
/// Digits that stand in the place of [`UNIQUE`].
pub const UNIQUE_LENGTH: usize = 8;
/// In a body: another day in every request, for times that no two records may share.
pub const DAY: &str = "${day}";
/// In a body: a day behind [`DAY`], and before that of the next request.
pub const NEXT_DAY: &str = "${next_day}";
/// A key of the right shape, with the right checksum, that nobody was given.
pub const UNKNOWN_API_KEY: &str = "ipk_0000000000000000000000003mif3b";
/// Most repetitions of one request: a limit above it is not tried at its full height.
pub const MAX_REPEAT: u32 = 1001;

/// The keys that stand for the placeholders of a case.
#[derive(Default)]
pub struct CaseKeys {
    /// For [`API_KEY`].
    pub good: String,
    /// For [`EXPIRED_API_KEY`].
    pub expired: String,
    /// For [`POWERLESS_API_KEY`].
    pub powerless: String,
    /// For [`ACCESS_TOKEN`]; empty where nobody signs in.
    pub access_token: String,
    /// For [`EXPIRED_ACCESS_TOKEN`].
    pub expired_access_token: String,
    /// For [`OTHER_ACCESS_TOKEN`].
    pub other_access_token: String,
    /// For [`ROLE_ACCESS_TOKEN`], by the role.
    pub of_roles: BTreeMap<String, String>,
    /// Tokens of another issuer by their placeholder; none where nobody takes them.
    pub issued: BTreeMap<String, String>,
}

/// What stands for an access token of somebody with the role.
#[must_use]
pub fn access_token_of(role: &str) -> String {
    ROLE_ACCESS_TOKEN.replace("<role>", role)
}

/// What stands for a token of another issuer of somebody with the role.
#[must_use]
pub fn issued_token_of(role: &str) -> String {
    ROLE_ISSUED_TOKEN.replace("<role>", role)
}

impl CaseKeys {
    /// The text with the keys in the place of their placeholders.
    #[must_use]
    pub fn filled(&self, text: &str) -> String {
        let of_roles = self.of_roles.iter();
        let text = of_roles.fold(text.to_owned(), |text, (role, token)| text.replace(&access_token_of(role), token));
        let text = self.issued.iter().fold(text, |text, (placeholder, token)| text.replace(placeholder, token));
        text.replace(API_KEY, &self.good)
            .replace(EXPIRED_API_KEY, &self.expired)
            .replace(POWERLESS_API_KEY, &self.powerless)
            .replace(ACCESS_TOKEN, &self.access_token)
            .replace(EXPIRED_ACCESS_TOKEN, &self.expired_access_token)
            .replace(OTHER_ACCESS_TOKEN, &self.other_access_token)
    }
}

/// A request and its expected answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCase {
    /// A sentence: `contact refuses a wrong key`.
    pub name: String,
    /// How often the request is sent; the last answer is compared.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeat: u32,
    /// A request that is sent once before all others; its answer must be 2xx, and the key in it stands for [`PARENT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CaseRequest>,
    /// Requests that are sent once before, in this order; each must be answered 2xx. Their answers say what [`ID`], [`NEXT`]
    /// and [`TAG`] stand for. A single one needs no list.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<CaseRequest>,
    /// What is sent.
    pub request: CaseRequest,
    /// What must come back.
    pub expect: Expectation,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by lower-case name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body; `content-type: application/json` goes with it unless the headers say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// A body of any text instead of `body`; no `content-type` goes with it unless the headers name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How it is signed, where it is a call of a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signing>,
}

/// How a call of a provider is signed, as its manifest says, with what stands for its secrets in the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// By whom.
    pub by: Signer,
    /// How long ago.
    #[serde(default, skip_serializing_if = "is_now")]
    pub seconds_ago: u32,
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// The provider.
    Provider,
    /// Somebody who does not know its secret.
    Stranger,
}

/// What must come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name; [`ANY`] means present.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body. Of objects the given keys are compared, arrays are compared whole; [`ANY`] means present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// A body that is no JSON, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many events of a provider were kept, with those of the requests before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<u32>,
}

/// A body with what is another thing in every request; `number` is the request's.
#[must_use]
pub fn distinct(body: &str, number: u64) -> String {
    // Days that every month has.
    let day = |number: u64| format!("{:04}-{:02}-{:02}", 2100 + number / 336, 1 + number / 28 % 12, 1 + number % 28);
    body.replace(UNIQUE, &format!("{number:0UNIQUE_LENGTH$}"))
        .replace(DAY, &day(2 * number))
        .replace(NEXT_DAY, &day(2 * number + 1))
}

/// A key as a segment of a path.
#[must_use]
pub fn in_path(key: &serde_json::Value) -> String {
    let text = key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned);
    percent_encode(text.as_bytes(), IN_SEGMENT).to_string()
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CaseRequest>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(CaseRequest),
        Many(Vec<CaseRequest>),
    }
    Written::deserialize(deserializer).map(|written| match written {
        Written::One(request) => vec![request],
        Written::Many(requests) => requests,
    })
}

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_once(repeat: &u32) -> bool {
    *repeat == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_now(seconds_ago: &u32) -> bool {
    *seconds_ago == 0
}

impl HttpCase {
    /// The same, and the body must hold these fields too.
    #[must_use]
    pub fn with_body(mut self, body: &serde_json::Value) -> Self {
        match (&mut self.expect.body, body) {
            (Some(serde_json::Value::Object(wanted)), serde_json::Value::Object(more)) => {
                wanted.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            (wanted, body) => *wanted = Some(body.clone()),
        }
        self
    }
}

impl CaseRequest {
    /// The same with a JSON body.
    #[must_use]
    pub fn with_body(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(body.clone());
        self
    }

    /// The same with a text that claims to be JSON.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.headers.insert("content-type".to_owned(), "application/json".to_owned());
        self.text = Some(text.to_owned());
        self
    }
}

/// What came back, reduced to what a case compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// The key of what the request has made: its answer says it at the end of `Location`, else as `id`.
    #[must_use]
    pub fn key(&self) -> Option<serde_json::Value> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let Some((_, segment)) = self.headers.get("location").and_then(|location| location.rsplit_once('/')) else {
            return body.get("id").cloned();
        };
        body.as_object()?.values().find(|value| in_path(value) == segment).cloned()
    }

    fn text_of(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        body.get(name).and_then(serde_json::Value::as_str).map(str::to_owned)
    }
}

/// What the answers to the requests before said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    parent: Option<serde_json::Value>,
    id: Option<serde_json::Value>,
    next: Option<String>,
    tag: Option<String>,
    access_token: Option<String>,
    refresh_token: Option<String>,
    session: Option<String>,
}

impl Known {
    /// Takes note of the answer to the parent of a case.
    pub fn note_parent(&mut self, answer: &Answer) {
        self.parent = answer.key();
    }

    /// Takes note of the answer to a request before.
    pub fn note(&mut self, answer: &Answer) {
        self.id = self.id.take().or_else(|| answer.key());
        self.next = answer.text_of("next");
        self.tag = answer.headers.get("etag").cloned();
        self.access_token = answer.text_of("access_token").or_else(|| self.access_token.take());
        let cookie = answer.headers.get("set-cookie").and_then(|cookie| cookie.split(';').next()?.split_once('='));
        self.session =
            cookie.map(|(_, token)| token.to_owned()).filter(|token| !token.is_empty()).or_else(|| self.session.take());
        self.refresh_token = answer.text_of("refresh_token").or_else(|| self.refresh_token.take());
    }

    /// The text with what is known in the place of [`PARENT`], [`ID`], [`NEXT`], [`TAG`] and the tokens.
    #[must_use]
    pub fn filled(&self, text: &str) -> String {
        let keys = [(PARENT, self.parent.as_ref().map(in_path)), (ID, self.id.as_ref().map(in_path))];
        let others = [
            (NEXT, self.next.clone()),
            (TAG, self.tag.clone()),
            (ACCESS_TOKEN, self.access_token.clone()),
            (REFRESH_TOKEN, self.refresh_token.clone()),
            (SESSION, self.session.clone()),
        ];
        let said = keys.into_iter().chain(others).filter_map(|(placeholder, said)| Some((placeholder, said?)));
        said.fold(text.to_owned(), |text, (placeholder, said)| text.replace(placeholder, &said))
    }

    /// The body in the same way. A text that is a placeholder becomes what it stands for, which may be a number.
    #[must_use]
    pub fn filled_body(&self, body: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match body {
            Value::String(text) => self.key(text).cloned().unwrap_or_else(|| self.filled(text).into()),
            Value::Array(items) => items.iter().map(|item| self.filled_body(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), self.filled_body(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
        }
    }

    /// The key that the whole text stands for.
    fn key(&self, text: &str) -> Option<&serde_json::Value> {
        match text {
            PARENT => self.parent.as_ref(),
            ID => self.id.as_ref(),
            _ => None,
        }
    }
}

impl Expectation {
    /// Every way in which the answer differs, as sentences; empty when it is as expected.
    #[must_use]
    pub fn differences(&self, answer: &Answer, known: &Known) -> Vec<String> {
        let mut found = Vec::new();
        if self.status != answer.status {
            found.push(format!("status {} instead of {}", answer.status, self.status));
        }
        for (name, wanted) in &self.headers {
            match answer.headers.get(name) {
                None => found.push(format!("header `{name}` is missing")),
                Some(got) if wanted != ANY && got != wanted => {
                    found.push(format!("header `{name}` is `{got}` instead of `{wanted}`"));
                }
                Some(_) => {}
            }
        }
        if let Some(wanted) = &self.text
            && wanted.as_bytes() != answer.body
        {
            found.push(format!("the body is {:?} instead of {wanted:?}", String::from_utf8_lossy(&answer.body)));
        }
        if let Some(wanted) = &self.body {
            match serde_json::from_slice(&answer.body) {
                Ok(got) => compare("", &known.filled_body(wanted), &got, &mut found),
                Err(_) => found.push("the body is not JSON".to_owned()),
            }
        }
        found
    }
}

fn compare(pointer: &str, wanted: &serde_json::Value, got: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value;
    match (wanted, got) {
        (Value::String(text), _) if text == ANY => {}
        (Value::Object(wanted), Value::Object(got)) => {
            for (key, value) in wanted {
                let pointer = format!("{pointer}/{key}");
                match got.get(key) {
                    Some(got) => compare(&pointer, value, got, found),
                    None => found.push(format!("body `{pointer}` is missing")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (index, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                compare(&format!("{pointer}/{index}"), wanted, got, found);
            }
        }
        (wanted, got) if wanted == got => {}
        (wanted, got) => found.push(format!("body `{pointer}` is {got} instead of {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(body: &serde_json::Value) -> Answer {
        let headers = BTreeMap::from([("retry-after".to_owned(), "3".to_owned())]);
        Answer { status: 200, headers, body: body.to_string().into_bytes() }
    }

    fn expectation(body: serde_json::Value) -> Expectation {
        Expectation { status: 200, headers: BTreeMap::new(), body: Some(body), text: None, heard: None }
    }

    #[test]
    fn a_body_is_matched_by_the_keys_that_were_named() {
        let got = answer(&json!({"id": "1", "extra": true, "errors": [{"code": "a", "x": 1}]}));
        assert!(
            expectation(json!({"id": ANY, "errors": [{"code": "a"}]})).differences(&got, &Known::default()).is_empty()
        );
        assert_eq!(
            expectation(json!({"id": "2", "gone": 1, "errors": []})).differences(&got, &Known::default()),
            [
                "body `/id` is \"1\" instead of \"2\"",
                "body `/gone` is missing",
                "body `/errors` is [{\"code\":\"a\",\"x\":1}] instead of []",
            ]
        );
    }

    #[test]
    fn the_first_answer_says_the_id_and_the_last_one_the_rest() {
        let mut known = Known::default();
        for (body, tag) in [(json!({"id": "1"}), "a"), (json!({"id": "2", "next": "n"}), "b")] {
            known.note(&Answer { headers: BTreeMap::from([("etag".to_owned(), tag.to_owned())]), ..answer(&body) });
        }
        assert_eq!(known.filled("/${id}?cursor=${next}#${tag}${unique}"), "/1?cursor=n#b${unique}");
        assert_eq!(Known::default().filled("/${id}"), "/${id}");
        assert_eq!(known_by("/api/orders/7", &json!({"note": "7a", "order_no": 7})).filled("/${id}"), "/7");
        let by_text = known_by("/api/products/a%20b", &json!({"sku": "a b"}));
        assert_eq!(by_text.filled("/${id}"), "/a%20b");
        assert!(expectation(json!({"sku": "${id}"})).differences(&answer(&json!({"sku": "a b"})), &by_text).is_empty());
        assert!(expectation(json!([{"id": "${id}"}])).differences(&answer(&json!([{"id": "1"}])), &known).is_empty());
    }

    fn known_by(location: &str, body: &serde_json::Value) -> Known {
        let mut known = Known::default();
        let headers = BTreeMap::from([("location".to_owned(), location.to_owned())]);
        known.note(&Answer { headers, ..answer(body) });
        known
    }

    #[test]
    fn one_request_before_needs_no_list() {
        let request = json!({"method": "GET", "path": "/"});
        let read = |before: serde_json::Value| {
            let case = json!({"name": "a", "before": before, "request": request, "expect": {"status": 200}});
            serde_json::from_value::<HttpCase>(case).unwrap()
        };
        assert_eq!(read(request.clone()), read(json!([request])));
    }

    #[test]
    fn headers_and_status_are_matched() {
        let mut wanted = expectation(json!({}));
        wanted.status = 201;
        wanted.headers =
            BTreeMap::from([("retry-after".to_owned(), ANY.to_owned()), ("etag".to_owned(), ANY.to_owned())]);
        assert_eq!(
            wanted.differences(&answer(&json!({})), &Known::default()),
            ["status 200 instead of 201", "header `etag` is missing"]
        );
    }
}
