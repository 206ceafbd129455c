//! The requests that prove an API: for each endpoint a right one, wrong ones, and one over the limit. Derived from the
//! procedures, so a behaviour needs no list of its own.

use plan::api::{ApiPlan, Endpoint, RateLimitPolicy};
use plan::http_case::{
    ANY, API_KEY, CaseRequest, Expectation, HttpCase, ID, MAX_REPEAT, PARENT, UNIQUE, UNKNOWN_API_KEY,
};
use plan::procedure::{Input, Item, Response, RowsFormat, Scheme, Step, Trigger};
use plan::query::{Holes, OnConflict, Write};
use plan::shape::{Presence, Shape};
use plan::value::Value;
use plan::{Problem, Table};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use vocab::{FieldFormat, FieldType, TableName};

/// A key that no record has.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";
/// A version that no record of a case reaches.
const OTHER_VERSION: &str = "\"999\"";
/// Room that is left in a text for what makes it unique.
const UNIQUE_LENGTH: usize = 8;
/// The version of a record that was just made.
const FIRST_VERSION: &str = "\"1\"";

pub fn for_api(api: &ApiPlan, tables: &[Table]) -> Vec<HttpCase> {
    let askers = api.endpoints.iter().filter_map(|endpoint| Asker::of(api, tables, endpoint));
    askers.flat_map(|asker| asker.cases()).collect()
}

/// What the cases of one endpoint are made from.
struct Asker<'a> {
    method: &'a str,
    path: &'a str,
    endpoint: &'a Endpoint,
    scheme: Option<Scheme>,
    policy: Option<&'a RateLimitPolicy>,
    /// A body that is accepted, however often; null where there is none.
    right: Json,
    /// A request that makes what the records of this endpoint belong to, and where its id stands in the path.
    parent: Option<CaseRequest>,
    parent_parameter: Option<&'a str>,
    /// A request that makes a record for this endpoint to work on.
    before: Option<CaseRequest>,
}

impl<'a> Asker<'a> {
    fn of(api: &'a ApiPlan, tables: &[Table], endpoint: &'a Endpoint) -> Option<Self> {
        let (method, path) = request_of(endpoint)?;
        let policy = endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Do(Step::Limit { policy, .. }) => api.policy(policy),
            _ => None,
        });
        let maker = |collection: &str| {
            let creates = |other: &&Endpoint| request_of(other) == Some(("POST", collection)) && answers_id(other);
            let maker = api.endpoints.iter().find(creates)?;
            Some(request("POST", collection, scheme_of(maker)).with_body(&acceptable(maker, tables)))
        };
        let (collection, is_item) = match path.strip_suffix('}').and_then(|path| path.rsplit_once("/{")) {
            Some((collection, _)) => (collection, true),
            None => (path, false),
        };
        let nested = collection.split_once("/{").and_then(|(outer, rest)| Some((outer, rest.split_once('}')?.0)));
        let parent = nested.and_then(|(outer, _)| maker(outer));
        let parent_parameter = nested.map(|(_, parameter)| parameter);
        let before = maker(collection).filter(|_| is_item).map(|mut request| {
            request.path = in_parent(&request.path, parent_parameter, parent.is_some());
            request
        });
        let right = acceptable(endpoint, tables);
        let scheme = scheme_of(endpoint);
        Some(Self { method, path, endpoint, scheme, policy, right, parent, parent_parameter, before })
    }

    fn is_item(&self) -> bool {
        self.path.ends_with('}')
    }

    /// Whether a right request can be made: what it works on, and what that belongs to, can be made before.
    fn can_be_right(&self) -> bool {
        let has_record = !self.is_item() || self.before.is_some();
        has_record && (self.parent.is_some() || !asks_for_parent(&self.endpoint.procedure.body))
    }

    fn cases(&self) -> Vec<HttpCase> {
        let body = &self.endpoint.procedure.body;
        let mut cases = Vec::new();
        match body.last() {
            Some(Item::Exit(Response::Answer { status, body, tag, .. }, _)) => {
                cases.extend(self.answers(*status, body.iter().map(|field| field.name.as_str()), tag.as_ref()));
            }
            Some(Item::Exit(Response::Rows { format, .. }, _)) => {
                cases.extend(self.can_be_right().then(|| self.page("lists", self.request(), *format)));
                cases.extend(asks_for_parent(body).then(|| self.missing()));
            }
            _ => {}
        }
        for item in body {
            match item {
                Item::Let(_, Step::Validate(Input::Body(shape))) => cases.extend(self.wrong_bodies(shape)),
                Item::Let(_, Step::Validate(Input::Changes(shape))) => cases.extend(self.wrong_changes(shape)),
                Item::Let(_, Step::Validate(Input::Listing(holes))) => cases.extend(self.wrong_parameters(holes)),
                _ => {}
            }
        }
        if self.scheme.is_some() {
            cases.extend(self.wrong_keys());
        }
        cases.extend(self.over_the_limit());
        cases
    }

    /// The right request, and what a record's version decides.
    fn answers<'n>(&self, status: u16, fields: impl Iterator<Item = &'n str>, tag: Option<&Value>) -> Vec<HttpCase> {
        if !self.can_be_right() {
            return vec![self.missing()];
        }
        let request = || match &self.right {
            Json::Null => self.request(),
            example => self.request().with_body(example),
        };
        let body = fields.map(|name| (name.to_owned(), Json::from(ANY))).collect::<serde_json::Map<_, _>>();
        let mut right = self.case("answers a right request", request(), status);
        if !body.is_empty() {
            right = right.with_body(&Json::Object(body));
        }
        if tag.is_some() {
            right.expect.headers.insert("etag".to_owned(), ANY.to_owned());
        }
        if !self.is_item() {
            let missing = asks_for_parent(&self.endpoint.procedure.body).then(|| self.missing());
            return std::iter::once(right).chain(missing).collect();
        }
        if tag.is_some() {
            right = right.with_body(&json!({"id": ID}));
        }
        let with = |name: &str, value: &str| {
            let mut request = request();
            request.headers.insert(name.to_owned(), value.to_owned());
            request
        };
        let mut cases = vec![right, self.missing()];
        cases.extend(self.parent_parameter.map(|parameter| {
            let mut elsewhere = request();
            elsewhere.path = self.path.replace(&format!("{{{parameter}}}"), NOBODY);
            elsewhere.path = with_key(&elsewhere.path, ID);
            self.problem_of_record("knows no such record of something else", elsewhere, Problem::NotFound)
        }));
        if self.method == "GET" {
            cases.push(self.case(
                "is not modified for whoever has the version",
                with("if-none-match", FIRST_VERSION),
                304,
            ));
        } else {
            cases.push(self.case("accepts the version that is there", with("if-match", FIRST_VERSION), status));
            let stale = with("if-match", OTHER_VERSION);
            cases.push(self.problem("refuses another version", stale, Problem::PreconditionFailed));
        }
        cases
    }

    fn missing(&self) -> HttpCase {
        let mut request = match &self.right {
            Json::Null => self.request(),
            example => self.request().with_body(example),
        };
        request.path = self.path_with(NOBODY);
        let shows =
            if self.is_item() { "knows no record of another key" } else { "knows nothing else it could belong to" };
        self.problem(shows, request, Problem::NotFound)
    }

    fn path_with(&self, key: &str) -> String {
        with_key(&in_parent(self.path, self.parent_parameter, self.parent.is_some()), key)
    }

    fn request(&self) -> CaseRequest {
        request(self.method, &self.path_with(ID), self.scheme)
    }

    fn page(&self, shows: &str, request: CaseRequest, format: RowsFormat) -> HttpCase {
        let mut case = self.case(shows, request, 200);
        case.expect.headers.insert("content-type".to_owned(), format.content_type().to_owned());
        match format {
            RowsFormat::Json => case.with_body(&json!({"items": ANY, "next": ANY})),
            RowsFormat::Csv | RowsFormat::Ndjson => case,
        }
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
            parent: self.parent.clone(),
            before: self.before.clone(),
            request,
            expect: Expectation { status, headers, body: None, text: None },
        }
    }

    fn problem(&self, shows: &str, request: CaseRequest, problem: Problem) -> HttpCase {
        // Only the version of a record that is there can be another one.
        if problem == Problem::PreconditionFailed {
            return self.problem_of_record(shows, request, problem);
        }
        let mut case = self.problem_of_record(shows, request, problem);
        (case.parent, case.before) = (None, None);
        case.request.path = case.request.path.replace(PARENT, NOBODY).replace(ID, NOBODY);
        case
    }

    /// A problem that only a record which is there can have.
    fn problem_of_record(&self, shows: &str, request: CaseRequest, problem: Problem) -> HttpCase {
        let mut case = self.case(shows, request, problem.status());
        case.expect.headers.insert("content-type".to_owned(), "application/problem+json".to_owned());
        case.with_body(&json!({"type": problem.type_uri(), "status": problem.status()}))
    }

    fn wrong_bodies(&self, shape: &Shape) -> Vec<HttpCase> {
        let missing: Vec<Json> = shape
            .fields
            .iter()
            .filter(|field| field.presence == Presence::Required)
            .map(|field| entry(field.name.as_str(), "required"))
            .collect();
        let mut cases = vec![self.problem(
            "refuses a body that is not JSON",
            self.request().with_text("{"),
            Problem::MalformedBody,
        )];
        if !missing.is_empty() {
            cases.push(self.invalid("refuses an empty object", self.request().with_body(&json!({})), missing));
        }
        cases.extend(self.wrong_fields(shape, &self.right));
        cases
    }

    /// Changes may leave everything out, so one field alone is enough to be wrong.
    fn wrong_changes(&self, shape: &Shape) -> Vec<HttpCase> {
        let mut cases = self.wrong_fields(shape, &json!({}));
        if let Some(field) = shape.fields.iter().find(|field| field.presence == Presence::Required) {
            let name = field.name.as_str();
            let emptied = self.request().with_body(&json!({ (name): null }));
            cases.push(self.invalid(&format!("does not empty `{name}`"), emptied, vec![entry(name, "required")]));
        }
        cases
    }

    fn wrong_fields(&self, shape: &Shape, example: &Json) -> Vec<HttpCase> {
        let with = |name: &str, value: Json| {
            let mut body = example.clone();
            body[name] = value;
            self.request().with_body(&body)
        };
        let mut cases = Vec::new();
        for field in &shape.fields {
            let name = field.name.as_str();
            if let Some(format) = field.format {
                let (value, code): (Json, &str) = match format {
                    FieldFormat::FileName => ("../secrets".into(), "format"),
                    FieldFormat::MediaType => ("pdf".into(), "format"),
                    FieldFormat::Sha256 => ("ABC".into(), "format"),
                    FieldFormat::ByteCount => ((-1).into(), "range"),
                };
                let shows = format!("refuses a value of `{name}` that is not {}", format.describe());
                cases.push(self.invalid(&shows, with(name, value), vec![entry(name, code)]));
            }
            let (shows, value, code): (&str, Json, &str) = match field.field_type {
                FieldType::Email => ("that is no e-mail address", "nobody".into(), "format"),
                FieldType::Phone => ("that is no telephone number", "none".into(), "format"),
                FieldType::Url => ("that is no URL", "nowhere".into(), "format"),
                FieldType::Timestamp => ("that is no time", "yesterday".into(), "format"),
                FieldType::Uuid => ("that is no UUID", "one".into(), "format"),
                FieldType::Line { max } | FieldType::Text { max } => {
                    ("that is too long", "x".repeat(max as usize + 1).into(), "too_long")
                }
                FieldType::Integer => ("that is no whole number", "many".into(), "type"),
                FieldType::Boolean => ("that is neither true nor false", "perhaps".into(), "type"),
                FieldType::Json => continue,
            };
            let shows = format!("refuses a value of `{name}` {shows}");
            cases.push(self.invalid(&shows, with(name, value), vec![entry(name, code)]));
        }
        let unknown = with("no_such_field", "x".into());
        cases.push(self.invalid(
            "refuses a field it does not know",
            unknown,
            vec![entry("no_such_field", "unknown_field")],
        ));
        cases
    }

    fn wrong_parameters(&self, holes: &Holes) -> Vec<HttpCase> {
        let with = |query: &str| {
            let mut request = self.request();
            request.path = format!("{}?{query}", request.path);
            request
        };
        let wrong = |name: &str, code: &str| vec![json!({"parameter": name, "code": code})];
        let mut cases = vec![
            self.invalid("refuses a page of no rows", with("limit=0"), wrong("limit", "range")),
            self.invalid("refuses a limit that is no number", with("limit=all"), wrong("limit", "type")),
            self.invalid("refuses an order it does not know", with("sort=no_such_column"), wrong("sort", "format")),
            self.invalid("refuses a cursor it did not make", with("cursor=00"), wrong("cursor", "format")),
            self.invalid(
                "refuses a parameter it does not know",
                with("no_such_parameter=1"),
                wrong("no_such_parameter", "unknown_parameter"),
            ),
            self.invalid("refuses a parameter given twice", with("limit=1&limit=2"), wrong("limit", "repeated")),
        ];
        let format = self.endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Exit(Response::Rows { format, .. }, _) => Some(*format),
            _ => None,
        });
        if let (Some(sort), Some(format), true) = (holes.sorts.last(), format, self.can_be_right()) {
            let sorted = with(&format!("sort=-{sort}&limit=1"));
            cases.push(self.page("lists in another order", sorted, format));
        }
        cases
    }

    fn invalid(&self, shows: &str, request: CaseRequest, errors: Vec<Json>) -> HttpCase {
        self.problem(shows, request, Problem::ValidationFailed).with_body(&json!({ "errors": errors }))
    }

    fn wrong_keys(&self) -> Vec<HttpCase> {
        let request = |key: Option<&str>| {
            let mut request = match &self.right {
                Json::Null => self.request(),
                example => self.request().with_body(example),
            };
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
    fn over_the_limit(&self) -> Option<HttpCase> {
        let policy = self.policy?;
        let repeat = policy.quota.checked_add(1).filter(|repeat| *repeat <= MAX_REPEAT)?;
        let shows = format!("refuses request {repeat} within {} seconds", policy.window_seconds);
        let request = match &self.right {
            Json::Null => self.request(),
            _ => self.request().with_text("{"),
        };
        let mut case = self.problem(&shows, request, Problem::RateLimited);
        case.expect.headers.insert("retry-after".to_owned(), ANY.to_owned());
        case.repeat = repeat;
        Some(case)
    }
}

/// The path with the id of what was made for it to belong to, or with the key of nothing that anybody knows.
fn in_parent(path: &str, parameter: Option<&str>, is_made: bool) -> String {
    let key = if is_made { PARENT } else { NOBODY };
    parameter.map_or_else(|| path.to_owned(), |parameter| path.replace(&format!("{{{parameter}}}"), key))
}

/// The path with a key in the place of its last parameter.
fn with_key(path: &str, key: &str) -> String {
    match path.strip_suffix('}').and_then(|path| path.rsplit_once("/{")) {
        Some((collection, _)) => format!("{collection}/{key}"),
        None => path.to_owned(),
    }
}

/// Whether the items end with 404 where what the records belong to is not there.
fn asks_for_parent(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Let(slot, Step::Read { .. }) => slot.as_str() == "parent",
        Item::Transaction(body) => asks_for_parent(body),
        Item::Let(..) | Item::Do(_) | Item::Match(..) | Item::Exit(..) => false,
    })
}

/// The example, with another value in every request where the insert cannot take the same one twice.
fn acceptable(endpoint: &Endpoint, tables: &[Table]) -> Json {
    let mut body = endpoint.example.clone();
    let Some(table) = strictly_unique(&endpoint.procedure.body) else { return body };
    let unique = tables.iter().filter(|known| known.name == *table).flat_map(|table| table.unique.iter().flatten());
    for column in unique {
        let field = shape_of(endpoint)
            .and_then(|shape| shape.fields.iter().find(|field| field.name.as_str() == column.as_str()));
        let max = field.and_then(|field| field.field_type.max_length()).unwrap_or(u32::MAX) as usize;
        if let Some(Json::String(text)) = body.get_mut(column.as_str()) {
            *text = match text.split_once('@') {
                Some((local, domain)) => format!("{local}{UNIQUE}@{domain}"),
                None => text.chars().take(max.saturating_sub(UNIQUE_LENGTH)).chain(UNIQUE.chars()).collect(),
            };
        }
    }
    body
}

/// Whether the answer tells which record was made.
fn answers_id(endpoint: &Endpoint) -> bool {
    match endpoint.procedure.body.last() {
        Some(Item::Exit(Response::Answer { body, .. }, _)) => body.iter().any(|field| field.name.as_str() == "id"),
        _ => false,
    }
}

fn shape_of(endpoint: &Endpoint) -> Option<&Shape> {
    endpoint.procedure.body.iter().find_map(|item| match item {
        Item::Let(_, Step::Validate(Input::Body(shape) | Input::Changes(shape))) => Some(shape),
        _ => None,
    })
}

/// The table that the items write to in a way that a taken value makes fail.
fn strictly_unique(items: &[Item]) -> Option<&TableName> {
    items.iter().find_map(|item| match item {
        Item::Let(_, Step::Write(write)) | Item::Do(Step::Write(write)) => match write {
            Write::Insert { table, on_conflict: OnConflict::Fail, .. } | Write::Update { table, .. } => Some(table),
            Write::Insert { .. } | Write::Delete { .. } => None,
        },
        Item::Transaction(body) => strictly_unique(body),
        Item::Match(_, arms) => arms.iter().find_map(|(_, body)| strictly_unique(body)),
        Item::Let(..) | Item::Do(_) | Item::Exit(..) => None,
    })
}

fn request_of(endpoint: &Endpoint) -> Option<(&str, &str)> {
    match &endpoint.procedure.trigger {
        Trigger::Request { method, path } => Some((method, path)),
        Trigger::GraphQl { .. } | Trigger::Event { .. } | Trigger::Schedule { .. } | Trigger::Webhook { .. } => None,
    }
}

fn scheme_of(endpoint: &Endpoint) -> Option<Scheme> {
    endpoint.procedure.body.iter().find_map(|item| match item {
        Item::Do(Step::Authorize { scheme, .. }) | Item::Let(_, Step::Authorize { scheme, .. }) => Some(*scheme),
        _ => None,
    })
}

fn request(method: &str, path: &str, scheme: Option<Scheme>) -> CaseRequest {
    let headers = match scheme {
        Some(Scheme::ApiKey) => BTreeMap::from([("x-api-key".to_owned(), API_KEY.to_owned())]),
        Some(Scheme::AccessToken) | None => BTreeMap::new(),
    };
    CaseRequest { method: method.to_owned(), path: path.to_owned(), headers, body: None, text: None }
}

fn entry(name: &str, code: &str) -> Json {
    json!({"pointer": format!("/{name}"), "code": code})
}
