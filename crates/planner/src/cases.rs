//! The requests that prove an API: for each endpoint a right one, wrong ones, and one over the limit. Derived from the
//! procedures, so a behaviour needs no list of its own.

use plan::Problem;
use plan::api::{ApiPlan, Endpoint, RateLimitPolicy};
use plan::http_case::{ANY, API_KEY, CaseRequest, Expectation, HttpCase, MAX_REPEAT, UNKNOWN_API_KEY};
use plan::procedure::{Input, Item, Response, Scheme, Step, Trigger};
use plan::shape::{Presence, Shape};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use vocab::FieldType;

pub fn for_api(api: &ApiPlan) -> Vec<HttpCase> {
    api.endpoints.iter().flat_map(|endpoint| for_endpoint(api, endpoint)).collect()
}

fn for_endpoint(api: &ApiPlan, endpoint: &Endpoint) -> Vec<HttpCase> {
    let Trigger::Request { method, path } = &endpoint.procedure.trigger else { return Vec::new() };
    let body = &endpoint.procedure.body;
    let scheme = body.iter().find_map(|item| match item {
        Item::Do(Step::Authorize { scheme, .. }) | Item::Let(_, Step::Authorize { scheme, .. }) => Some(*scheme),
        _ => None,
    });
    let policy = body.iter().find_map(|item| match item {
        Item::Do(Step::Limit { policy, .. }) => api.policy(policy),
        _ => None,
    });
    let writer = Writer { method, path, scheme, policy };
    let mut cases = Vec::new();
    if let Some(Item::Exit(Response::Answer { status, body }, _)) = body.last() {
        let fields =
            body.iter().map(|field| (field.name.to_string(), Json::from(ANY))).collect::<serde_json::Map<_, _>>();
        let case = writer.case("answers a right request", writer.request().with_body(&endpoint.example), *status);
        cases.push(case.with_body(&Json::Object(fields)));
    }
    let shape = body.iter().find_map(|item| match item {
        Item::Let(_, Step::Validate(Input::Body(shape))) => Some(shape),
        _ => None,
    });
    if let Some(shape) = shape {
        cases.extend(writer.wrong_bodies(shape, &endpoint.example));
    }
    if scheme.is_some() {
        cases.extend(writer.wrong_keys(&endpoint.example));
    }
    cases.extend(policy.and_then(|policy| writer.over_the_limit(policy)));
    cases
}

struct Writer<'a> {
    method: &'a str,
    path: &'a str,
    scheme: Option<Scheme>,
    policy: Option<&'a RateLimitPolicy>,
}

impl Writer<'_> {
    fn request(&self) -> CaseRequest {
        let headers = match self.scheme {
            Some(Scheme::ApiKey) => BTreeMap::from([("x-api-key".to_owned(), API_KEY.to_owned())]),
            Some(Scheme::AccessToken) | None => BTreeMap::new(),
        };
        CaseRequest { method: self.method.to_owned(), path: self.path.to_owned(), headers, body: None, text: None }
    }

    /// A case named after what it shows. An answer of a limited route carries the limit's headers.
    fn case(&self, shows: &str, request: CaseRequest, status: u16) -> HttpCase {
        let mut headers = BTreeMap::from([("x-request-id".to_owned(), ANY.to_owned())]);
        if let Some(policy) = self.policy {
            headers.insert("ratelimit".to_owned(), ANY.to_owned());
            headers.insert("ratelimit-policy".to_owned(), policy.header());
        }
        HttpCase {
            name: format!("{} {} {shows}", self.method, self.path),
            repeat: 1,
            request,
            expect: Expectation { status, headers, body: None },
        }
    }

    fn problem(&self, shows: &str, request: CaseRequest, problem: Problem) -> HttpCase {
        let mut case = self.case(shows, request, problem.status());
        case.expect.headers.insert("content-type".to_owned(), "application/problem+json".to_owned());
        case.with_body(&json!({"type": problem.type_uri(), "status": problem.status()}))
    }

    fn wrong_bodies(&self, shape: &Shape, example: &Json) -> Vec<HttpCase> {
        let invalid = Problem::ValidationFailed;
        let entry = |name: &str, code: &str| json!({"pointer": format!("/{name}"), "code": code});
        let missing: Vec<Json> = shape
            .fields
            .iter()
            .filter(|field| field.presence == Presence::Required)
            .map(|field| entry(field.name.as_str(), "required"))
            .collect();
        let mut cases = vec![
            self.problem("refuses a body that is not JSON", self.request().with_text("{"), Problem::MalformedBody),
            self.problem("refuses an empty object", self.request().with_body(&json!({})), invalid)
                .with_body(&json!({"errors": missing})),
        ];
        let with = |name: &str, value: &str| {
            let mut body = example.clone();
            body[name] = value.into();
            self.request().with_body(&body)
        };
        for field in &shape.fields {
            let name = field.name.as_str();
            let (shows, value, code) = match field.field_type {
                FieldType::Email => ("that is no e-mail address", "nobody".to_owned(), "format"),
                FieldType::Phone => ("that is no telephone number", "none".to_owned(), "format"),
                FieldType::Url => ("that is no URL", "nowhere".to_owned(), "format"),
                FieldType::Line { max } | FieldType::Text { max } => {
                    ("that is too long", "x".repeat(max as usize + 1), "too_long")
                }
                FieldType::Integer | FieldType::Boolean | FieldType::Timestamp | FieldType::Uuid | FieldType::Json => {
                    continue;
                }
            };
            let case = self.problem(&format!("refuses a `{name}` {shows}"), with(name, &value), invalid);
            cases.push(case.with_body(&json!({"errors": [entry(name, code)]})));
        }
        let unknown = self.problem("refuses a field it does not know", with("no_such_field", "x"), invalid);
        cases.push(unknown.with_body(&json!({"errors": [entry("no_such_field", "unknown_field")]})));
        cases
    }

    fn wrong_keys(&self, example: &Json) -> Vec<HttpCase> {
        let request = |key: Option<&str>| {
            let mut request = self.request().with_body(example);
            request.headers = key.map(|key| ("x-api-key".to_owned(), key.to_owned())).into_iter().collect();
            request
        };
        vec![
            self.problem("asks for a key", request(None), Problem::MissingCredentials),
            self.problem("refuses a text that is no key", request(Some("wrong")), Problem::InvalidCredentials),
            self.problem("refuses an unknown key", request(Some(UNKNOWN_API_KEY)), Problem::InvalidCredentials),
        ]
    }

    /// The requests up to the limit are cheap ones: a counted request need not be a right one.
    fn over_the_limit(&self, policy: &RateLimitPolicy) -> Option<HttpCase> {
        let repeat = policy.quota.checked_add(1).filter(|repeat| *repeat <= MAX_REPEAT)?;
        let shows = format!("refuses request {repeat} within {} seconds", policy.window_seconds);
        let mut case = self.problem(&shows, self.request().with_text("{"), Problem::RateLimited);
        case.expect.headers.insert("retry-after".to_owned(), ANY.to_owned());
        case.repeat = repeat;
        Some(case)
    }
}
