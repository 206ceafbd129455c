//! The requests that prove an API: for each endpoint a right one, wrong ones, and one over the limit. Derived from the
//! procedures, so a behaviour needs no list of its own.

mod body;
mod caller;
mod calls;
mod input;
mod permission;

use crate::account::can_be_two;
use crate::key::RecordKey;
use crate::seed::Seeded;
use body::{acceptable, can_repeat, marked, shape_of, taken, taking};
use caller::request;
pub use calls::for_calls;
use plan::accounts::{CaseCaller, case_callers};
use plan::api::{ApiPlan, Endpoint, RateLimitPolicy};
use plan::database::{Nullability, OnDelete};
use plan::http_case::{
    ANY, CaseRequest, DAY, Expectation, HttpCase, ID, MAX_REPEAT, NEXT, NEXT_DAY, PARENT, TAG, UNIQUE, in_path,
};
use plan::procedure::{Input, Item, Response, ResponseField, RowsFormat, Scheme, Step, Trigger};
use plan::query::{Predicate, Query};
use plan::shape::Shape;
use plan::value::{Comparison, Condition, Value};
use plan::{Problem, Table};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use vocab::{ColumnName, Datum, FieldName, FieldType, RoleName, TableName};

/// A key that no record has, where keys are no numbers.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";
/// A number that no record has.
const NO_NUMBER: i64 = 999_999_999_999;
/// A version that no record of a case reaches.
const OTHER_VERSION: &str = "\"999\"";
/// The version of a record that was just made.
const FIRST_VERSION: &str = "\"1\"";

/// `seeded` are rows that are there before each case.
pub fn for_api(api: &ApiPlan, tables: &[Table], seeded: &Seeded) -> Vec<HttpCase> {
    let whole = Whole::of(api, tables);
    let askers = api.endpoints.iter().filter_map(|endpoint| Asker::of(&whole, seeded, endpoint));
    askers.flat_map(|asker| asker.cases()).collect()
}

/// What the cases of all endpoints ask of the API, looked up once.
struct Whole<'a> {
    api: &'a ApiPlan,
    tables: &'a [Table],
    /// By the path that they are asked at.
    makers: BTreeMap<&'a str, &'a Endpoint>,
    roles: Vec<&'a RoleName>,
    callers: Vec<CaseCaller>,
    told_at: Option<(&'a Endpoint, &'a str)>,
}

impl<'a> Whole<'a> {
    fn of(api: &'a ApiPlan, tables: &'a [Table]) -> Self {
        let mut makers = BTreeMap::new();
        for endpoint in api.endpoints.iter().filter(|endpoint| tells_key(endpoint)) {
            if let Some(("POST", path)) = request_of(endpoint) {
                makers.entry(path).or_insert(endpoint);
            }
        }
        let (roles, callers) = (api.roles().into_iter().collect(), case_callers(api));
        Self { api, tables, makers, roles, callers, told_at: permission::told_at(api) }
    }
}

/// What the cases of one endpoint are made from.
struct Asker<'a> {
    method: &'a str,
    path: &'a str,
    endpoint: &'a Endpoint,
    scheme: Option<Scheme>,
    /// The roles that endpoints of the API ask for.
    roles: Vec<&'a RoleName>,
    /// Who calls in them.
    callers: Vec<CaseCaller>,
    policy: Option<&'a RateLimitPolicy>,
    /// What a request that nothing stops is counted under last.
    last_policy: Option<&'a RateLimitPolicy>,
    /// A body that is accepted, however often; null where there is none.
    right: Json,
    tables: &'a [Table],
    seeded: &'a Seeded,
    /// What names the records that it works on.
    key: Option<RecordKey>,
    /// A request that makes what the records of this endpoint belong to, and where its id stands in the path.
    parent: Option<CaseRequest>,
    /// What stands there.
    parent_key: Stand,
    /// What stands there for a thing that is not there.
    no_parent: String,
    parent_parameter: Option<&'a str>,
    /// The endpoint that makes the records this one works on, if it is not a maker itself.
    maker: Option<Maker<'a>>,
    /// The table of who signs in.
    users: Option<&'a TableName>,
    /// What its query string must say, where it is no list.
    query: Option<&'a Shape>,
    /// Where callers are told what they may do.
    told_at: Option<(&'a Endpoint, &'a str)>,
}

/// What stands for a key in a path.
#[derive(Clone, PartialEq)]
enum Stand {
    /// What a request before has made: its placeholder.
    Made(&'static str),
    /// A row that is there anyway.
    Seed(Datum),
    /// Nothing that is there.
    Nobody(String),
}

impl Stand {
    fn in_path(&self) -> String {
        match self {
            Self::Made(placeholder) => (*placeholder).to_owned(),
            Self::Seed(key) => in_path(&key.to_json()),
            Self::Nobody(key) => key.clone(),
        }
    }

    fn in_body(&self) -> Json {
        match self {
            Self::Made(placeholder) => (*placeholder).into(),
            Self::Seed(key) => key.to_json(),
            Self::Nobody(key) => key.as_str().into(),
        }
    }
}

/// The body as text, with one value where there would be another in every request.
fn settled(body: &Json, unique: &str, [first, second]: [&str; 2]) -> String {
    body.to_string().replace(UNIQUE, unique).replace(DAY, first).replace(NEXT_DAY, second)
}

/// A key of the kind that names nothing.
fn nobody(key: Option<&RecordKey>) -> Datum {
    match key.map(|key| &key.field_type) {
        Some(FieldType::Integer) => Datum::Integer(NO_NUMBER),
        Some(_) | None => Datum::Text(NOBODY.to_owned()),
    }
}

/// An endpoint that makes records.
struct Maker<'a> {
    endpoint: &'a Endpoint,
    path: String,
    tables: &'a [Table],
    callers: Vec<CaseCaller>,
}

impl<'a> Maker<'a> {
    fn of(whole: &Whole<'a>, collection: &str) -> Option<Self> {
        let (endpoint, callers) = (*whole.makers.get(collection)?, whole.callers.clone());
        Some(Self { endpoint, path: collection.to_owned(), tables: whole.tables, callers })
    }

    /// A request that makes a record, however often it is sent.
    fn any(&self) -> CaseRequest {
        self.with(&acceptable(self.endpoint, self.tables))
    }

    /// A request that makes a record with the mark in what must be unique.
    fn taken(&self, mark: &str) -> Option<CaseRequest> {
        Some(self.with(&taken(self.endpoint, self.tables, mark)?))
    }

    fn with(&self, body: &Json) -> CaseRequest {
        request("POST", &self.path, self.endpoint, &self.callers).with_body(body)
    }
}

impl<'a> Asker<'a> {
    fn of(whole: &Whole<'a>, seeded: &'a Seeded, endpoint: &'a Endpoint) -> Option<Self> {
        let Whole { api, tables, .. } = *whole;
        let (method, path) = request_of(endpoint)?;
        let mut counted = endpoint.procedure.body.iter().filter_map(|item| match item {
            Item::Do(Step::Limit { policy, .. }) => api.policy(policy),
            _ => None,
        });
        let policy = counted.next();
        let last_policy = counted.next_back().or(policy);
        let collection = match path.strip_suffix('}').and_then(|path| path.rsplit_once("/{")) {
            Some((collection, _)) => collection,
            None => path,
        };
        let nested = collection.split_once("/{").and_then(|(outer, rest)| Some((outer, rest.split_once('}')?.0)));
        let parent = nested.and_then(|(outer, _)| Maker::of(whole, outer)).map(|maker| maker.any());
        let parent_parameter = nested.map(|(_, parameter)| parameter);
        let key_of = |name: &TableName| RecordKey::of(tables.iter().find(|table| table.name == *name)?);
        let of_parent = parent_table(&endpoint.procedure.body);
        let no_parent = nobody(of_parent.and_then(key_of).as_ref()).plain();
        let parent_key = match (&parent, of_parent.and_then(|table| seeded.key_of(table))) {
            (Some(_), _) => Stand::Made(PARENT),
            (None, Some(seed)) => Stand::Seed(seed.clone()),
            (None, None) => Stand::Nobody(no_parent.clone()),
        };
        let key = worked_on(&endpoint.procedure.body).and_then(key_of);
        let maker = Maker::of(whole, collection)
            .map(|maker| Maker { path: in_parent(&maker.path, parent_parameter, &parent_key.in_path()), ..maker });
        let right = acceptable(endpoint, tables);
        let scheme = scheme_of(endpoint);
        let query = endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Validate(Input::Query(shape))) => Some(shape),
            _ => None,
        });
        // What a request brings besides is no body.
        let right = if query.is_some() { Json::Null } else { right };
        Some(Self {
            method,
            path,
            endpoint,
            scheme,
            roles: whole.roles.clone(),
            callers: whole.callers.clone(),
            policy,
            last_policy,
            right,
            tables,
            seeded,
            key,
            parent,
            parent_key,
            no_parent,
            parent_parameter,
            maker,
            users: api.accounts.as_ref().map(|accounts| &accounts.users),
            query,
            told_at: whole.told_at,
        })
    }

    fn is_item(&self) -> bool {
        self.path.ends_with('}')
    }

    /// Whether a right request can be made, that has to do with what was made before.
    fn can_be_right(&self) -> bool {
        self.has_place() && !is_conditional(&self.endpoint.procedure.body)
    }

    /// Whether what it works on, and what that belongs to, can be made before.
    fn has_place(&self) -> bool {
        let has_record = !self.is_item() || self.maker.is_some() || self.has_seed();
        let has_parent = !matches!(self.parent_key, Stand::Nobody(_));
        has_record && (has_parent || !asks_for_parent(&self.endpoint.procedure.body))
    }

    /// Whether a row that is there anyway may stand for the record. Others may keep it from being deleted.
    fn has_seed(&self) -> bool {
        self.belongs_to_seed() && self.method != "DELETE" && self.seed().is_some()
    }

    /// Whether rows that are there anyway are found under the path.
    fn belongs_to_seed(&self) -> bool {
        self.parent_parameter.is_none() || matches!(self.parent_key, Stand::Seed(_))
    }

    /// The key of the row that is there anyway.
    fn seed(&self) -> Option<&Datum> {
        self.seeded.key_of(worked_on(&self.endpoint.procedure.body)?)
    }

    /// What stands for the key of the record.
    fn record(&self) -> Stand {
        match self.seed().filter(|_| self.maker.is_none() && self.is_item() && self.has_seed()) {
            Some(seed) => Stand::Seed(seed.clone()),
            None => Stand::Made(ID),
        }
    }

    /// The field that names the record.
    fn key_name(&self) -> &str {
        self.key.as_ref().map_or("id", |key| key.column.as_str())
    }

    fn cases(&self) -> Vec<HttpCase> {
        if let Some(hearing) = self.endpoint.hearing() {
            return calls::for_sender(self.path, hearing, &self.endpoint.example);
        }
        let body = &self.endpoint.procedure.body;
        if self.endpoint.role().is_some() && !self.can_be_two() {
            let of = |scheme| self.wrong_proofs(scheme).into_iter().chain(self.wrong_roles(scheme)).collect();
            return self.scheme.map_or_else(Vec::new, of);
        }
        let mut cases = Vec::new();
        match final_response(body) {
            Some(Response::Answer { status, body, tag, .. }) => {
                cases.extend(self.answers(*status, body.iter().map(|field| field.name.as_str()), tag.as_ref()));
            }
            Some(Response::Record { body, tag, .. }) => {
                cases.extend(self.answers(200, body.iter().map(|field| field.name.as_str()), Some(tag)));
                cases.extend(self.parts(body));
            }
            Some(Response::Rows { format, .. }) => {
                if self.has_place() {
                    cases.push(self.page("lists", self.request(), *format));
                }
                if self.can_be_right() {
                    cases.extend(self.lists(*format));
                }
                cases.extend(asks_for_parent(body).then(|| self.missing()));
            }
            Some(
                Response::Records { .. }
                | Response::Problem(_)
                | Response::UnknownReference(_)
                | Response::Inconsistent { .. }
                | Response::Entry { .. }
                | Response::Short { .. }
                | Response::Redirect(_)
                | Response::Done,
            )
            | None => {}
        }
        cases.extend(self.repetitions());
        for item in body {
            match item {
                Item::Let(_, Step::Validate(Input::Body(shape))) => cases.extend(self.wrong_bodies(shape)),
                Item::Let(_, Step::Validate(Input::Changes(shape))) => cases.extend(self.wrong_changes(shape)),
                Item::Let(_, Step::Validate(Input::Patch(patchable))) => {
                    cases.extend(self.wrong_changes(&patchable.shape));
                    cases.extend(self.operations(patchable));
                }
                Item::Match(_, arms) => cases.extend(arms.iter().flat_map(|(_, body)| self.lists_of_records(body))),
                Item::Let(_, Step::Validate(Input::Listing(holes))) => cases.extend(self.wrong_parameters(holes)),
                Item::Let(_, Step::Validate(Input::Selection(_))) => cases.extend(self.wrong_selection()),
                Item::Let(_, Step::Validate(Input::Query(shape))) => cases.extend(self.wrong_query(shape)),
                _ => {}
            }
        }
        match self.scheme {
            Some(Scheme::ApiKey) => cases.extend(self.wrong_keys()),
            Some(
                scheme @ (Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued),
            ) => {
                cases.extend(self.wrong_proofs(scheme));
                cases.extend(self.wrong_roles(scheme));
                cases.extend(self.anothers(scheme));
            }
            None => {}
        }
        cases.extend(self.permissions());
        cases.extend(self.wrong_passwords(body));
        cases.extend(self.taken());
        cases.extend(self.overlapping());
        cases.extend(self.unknown_references(body));
        cases.extend(self.inconsistent(body));
        cases.extend(self.short(body));
        cases.extend(self.in_use());
        cases.extend(self.over_the_limit());
        cases
    }

    /// The right request, and what a record's version decides.
    fn answers<'n>(&self, status: u16, fields: impl Iterator<Item = &'n str>, tag: Option<&Value>) -> Vec<HttpCase> {
        if !self.can_be_right() {
            return vec![self.missing()];
        }
        let request = || self.right_request();
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
            right = right.with_body(&json!({ (self.key_name()): self.record().in_body() }));
        }
        let with = |name: &str, value: &str| {
            let mut request = request();
            request.headers.insert(name.to_owned(), value.to_owned());
            request
        };
        let mut cases = vec![right, self.missing()];
        cases.extend(self.parent_parameter.map(|parameter| {
            let mut elsewhere = request();
            elsewhere.path = self.path.replace(&format!("{{{parameter}}}"), &self.no_parent);
            elsewhere.path = with_key(&elsewhere.path, &self.record().in_path());
            self.problem_of_record("knows no such record of something else", elsewhere, Problem::NotFound)
        }));
        let has_version = match self.method {
            "GET" => tag.is_some(),
            _ => asks_for_version(&self.endpoint.procedure.body),
        };
        if !has_version {
            return cases;
        }
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

    /// Some fields of a record, under the tag of the whole.
    fn parts(&self, body: &[ResponseField]) -> Option<HttpCase> {
        let field = body.last().filter(|_| self.can_be_right())?.name.as_str();
        let mut request = self.request();
        request.path = format!("{}?fields={field}", request.path);
        let mut case = self.case("gives the fields that are wanted", request, 200);
        case.expect.headers.insert("etag".to_owned(), ANY.to_owned());
        Some(case.with_body(&json!({ (field): ANY })))
    }

    /// A request that makes something is sent again with its idempotency key: as it was, and otherwise.
    fn repetitions(&self) -> Vec<HttpCase> {
        let claims = |item: &Item| matches!(item, Item::Let(_, Step::Claim));
        if !self.endpoint.procedure.body.iter().any(claims)
            || !self.can_be_right()
            || self.is_item()
            || self.right.is_null()
        {
            return Vec::new();
        }
        let keyed = |key: &str, body: &Json| {
            let mut request = self.request().with_body(body);
            request.headers.insert("idempotency-key".to_owned(), format!("{key}-{}", self.endpoint.procedure.name));
            request
        };
        let text = settled(&self.right, "fffffff0", ["9990-01-01", "9990-01-02"]);
        let once: Json = serde_json::from_str(&text).unwrap_or_else(|_| self.right.clone());
        let Some(Response::Answer { status, .. }) = final_response(&self.endpoint.procedure.body) else {
            return Vec::new();
        };
        let mut replayed = self.case("answers a repeated request as before", keyed("same", &once), *status);
        replayed.before = vec![keyed("same", &once)];
        replayed.expect.headers.insert("idempotency-replayed".to_owned(), "true".to_owned());
        if tells_key(self.endpoint) {
            replayed = replayed.with_body(&json!({ (self.key_name()): ID }));
        }
        let malformed = keyed(&"k".repeat(256), &once);
        let mut cases =
            vec![replayed, self.problem("refuses a malformed key", malformed, Problem::MalformedIdempotencyKey)];
        if let Some(other) = self.another(&once) {
            let shows = "refuses another request with the same key";
            let mut reused = self.problem_of_record(shows, keyed("other", &other), Problem::IdempotencyKeyReused);
            // It is looked at behind every limit.
            let policy = self.last_policy.map(|policy| ("ratelimit-policy".to_owned(), policy.header()));
            reused.expect.headers.extend(policy);
            let text = settled(&self.right, "fffffff1", ["9990-02-01", "9990-02-02"]);
            reused.before = serde_json::from_str(&text).ok().map(|body| keyed("other", &body)).into_iter().collect();
            cases.push(reused);
        }
        cases
    }

    /// The body with another text in it.
    fn another(&self, body: &Json) -> Option<Json> {
        let is_text = |field: &&plan::shape::ShapeField| match field.field_type {
            FieldType::Line { max } | FieldType::Text { max } => max >= field.min_length.max(7),
            _ => false,
        };
        let mut other = body.clone();
        match shape_of(self.endpoint)?.fields.iter().find(is_text) {
            Some(field) => other[field.name.as_str()] = "another".into(),
            None => other = serde_json::from_str(&body.to_string().replacen('@', ".another@", 1)).ok()?,
        }
        (other != *body).then_some(other)
    }

    fn missing(&self) -> HttpCase {
        let mut request = self.right_request();
        request.path = self.unmade_path();
        let shows =
            if self.is_item() { "knows no record of another key" } else { "knows nothing else it could belong to" };
        self.problem(shows, request, Problem::NotFound)
    }

    /// What must be unique and is another record's already.
    fn taken(&self) -> Option<HttpCase> {
        let maker = self.maker.as_ref()?;
        let mark = format!("taken-{}", self.method.to_ascii_lowercase());
        let body = taken(self.endpoint, self.tables, &mark)?;
        let mut case = self.case("refuses what another record has", self.request().with_body(&body), 409);
        // The first record is the one that is asked for.
        case.before.push(maker.taken(&mark)?);
        Some(as_problem(case, Problem::Conflict))
    }

    /// A time that is another record's already.
    fn overlapping(&self) -> Option<HttpCase> {
        let maker = self.maker.as_ref()?;
        let day = match self.method {
            "POST" => "9991-01-0",
            "PUT" => "9991-02-0",
            _ => "9991-03-0",
        };
        let [first, second, third] = [1, 2, 3].map(|last| format!("{day}{last}"));
        let body = taking(self.endpoint, self.tables, [&first, &third])?;
        let before = taking(maker.endpoint, maker.tables, [&second, &third])?;
        let mut case = self.case("refuses a time that is another record's", self.request().with_body(&body), 409);
        // The first record is the one that is asked for.
        case.before.push(maker.with(&before));
        Some(as_problem(case, Problem::Overlap))
    }

    /// A field that names a row which is not there.
    fn unknown_references(&self, items: &[Item]) -> Vec<HttpCase> {
        let fields = if self.can_be_right() { references(items) } else { Vec::new() };
        let listed = if self.can_be_right() { listed_references(items) } else { Vec::new() };
        let case = |field: &FieldName| {
            let name = field.as_str();
            let known = shape_of(self.endpoint)?.fields.iter().find(|known| known.name == *field)?;
            let unknown = match known.field_type {
                FieldType::Uuid => Some(NOBODY.into()),
                FieldType::Integer => Some(NO_NUMBER.into()),
                _ => None,
            };
            let mut body = self.right.clone();
            *body.get_mut(name)? = unknown?;
            let shows = format!("refuses a value of `{name}` that names no record");
            let refused = self.problem_of_record(&shows, self.request().with_body(&body), Problem::ValidationFailed);
            Some(refused.with_body(&json!({ "errors": [entry(name, "unknown_reference")] })))
        };
        let entry_case = |(list, field): (&FieldName, &FieldName)| {
            let (list, field) = (list.as_str(), field.as_str());
            let mut body = self.right.clone();
            let value = body.get_mut(list)?.get_mut(0)?.get_mut(field)?;
            *value = if value.is_i64() { NO_NUMBER.into() } else { NOBODY.into() };
            let shows = format!("refuses one of `{list}` whose `{field}` names no record");
            let refused = self.problem_of_record(&shows, self.request().with_body(&body), Problem::ValidationFailed);
            let pointer = format!("{list}/0/{field}");
            Some(refused.with_body(&json!({ "errors": [entry(&pointer, "unknown_reference")] })))
        };
        let listed = listed.into_iter().filter_map(entry_case);
        fields.into_iter().filter_map(case).chain(listed).collect()
    }

    /// More of something than there is: as much as may be asked for at all.
    fn short(&self, items: &[Item]) -> Option<HttpCase> {
        let (list, field) = asks_for_stock(items).filter(|_| self.can_be_right())?;
        let known = shape_of(self.endpoint)?.fields.iter().find(|known| known.name == *list)?;
        let entry_field = known.entries.as_ref()?.shape.fields.iter().find(|known| known.name == *field)?;
        let (list, field) = (list.as_str(), field.as_str());
        let mut body = self.right.clone();
        *body.get_mut(list)?.get_mut(0)?.get_mut(field)? = entry_field.bounds.maximum.as_ref()?.to_json();
        let shows = format!("refuses one of `{list}` whose `{field}` is more than there is");
        let refused = self.problem_of_record(&shows, self.request().with_body(&body), Problem::OutOfStock);
        let pointer = format!("{list}/0/{field}");
        Some(refused.with_body(&json!({ "errors": [entry(&pointer, "out_of_stock")] })))
    }

    /// Two fields that do not stand to each other as they must: their examples exchanged, which do where they are not equal.
    fn inconsistent(&self, items: &[Item]) -> Vec<HttpCase> {
        let pairs = if self.can_be_right() { compared(items) } else { Vec::new() };
        let case = |(field, other): (&FieldName, &FieldName)| {
            let (field, other) = (field.as_str(), other.as_str());
            let mut body = self.right.clone();
            let values = (body.get(field)?.clone(), body.get(other)?.clone());
            if values.0 == values.1 {
                return None;
            }
            (body[field], body[other]) = (values.1, values.0);
            let shows = format!("refuses a value of `{field}` that does not go with `{other}`");
            let refused = self.problem_of_record(&shows, self.request().with_body(&body), Problem::ValidationFailed);
            Some(refused.with_body(&json!({ "errors": [entry(field, "inconsistent")] })))
        };
        pairs.into_iter().filter_map(case).collect()
    }

    /// A record that the rows which are there keep from going.
    fn in_use(&self) -> Option<HttpCase> {
        let table = worked_on(&self.endpoint.procedure.body).filter(|_| self.method == "DELETE" && self.is_item())?;
        let keeps = |other: &Table| {
            let is_filled = |column: &ColumnName| {
                other.columns.iter().any(|known| known.name == *column && known.nullability == Nullability::NotNull)
            };
            let mut keys = other.rules.foreign_keys.iter();
            keys.any(|key| {
                key.table == *table && key.on_delete == OnDelete::Restrict && key.columns.iter().all(is_filled)
            })
        };
        let seed = self.seeded.key_of(table).filter(|_| self.seeded.tables.iter().any(keeps));
        let path = self.path_with(&Stand::Seed(seed.filter(|_| self.belongs_to_seed())?.clone()).in_path());
        let mut case = self.problem_of_record(
            "keeps what others lead to",
            request(self.method, &path, self.endpoint, &self.callers),
            Problem::InUse,
        );
        case.before.clear();
        Some(case)
    }

    /// A list that the caller has, one that a filter makes shorter, and the page behind a page.
    fn lists(&self, format: RowsFormat) -> Vec<HttpCase> {
        if format != RowsFormat::Json {
            return Vec::new();
        }
        let with = |query: &str| {
            let mut request = self.request();
            request.path = format!("{}?{query}", request.path);
            request
        };
        let mut known = self.case("is not modified for whoever has the list", self.request(), 304);
        known.before = vec![self.request()];
        known.request.headers.insert("if-none-match".to_owned(), TAG.to_owned());
        let mut cases = vec![known];
        let Some(maker) = &self.maker else { return cases };
        if can_repeat(maker.endpoint, maker.tables) {
            let mut second = self.case("goes on behind a page", with(&format!("limit=1&cursor={NEXT}")), 200);
            // By keys that their makers choose the order says nothing of time.
            let grows = self.key.as_ref().is_none_or(RecordKey::grows);
            second.before = vec![maker.any(), maker.any(), with("limit=1")];
            let row = if grows { json!({ (self.key_name()): ID }) } else { ANY.into() };
            cases.push(second.with_body(&json!({"items": [row], "next": ANY})));
        }
        let found = |name: &str, value: String, shows: &str, query: &str| {
            let mut found = self.case(shows, with(query), 200);
            let mut body = acceptable(maker.endpoint, maker.tables);
            body[name] = value.into();
            found.before = vec![maker.with(&body)];
            found.with_body(&json!({"items": [{ (self.key_name()): ID }], "next": null}))
        };
        if let Some((name, value)) = self.filter(maker, "found-by-filter") {
            let query = form_urlencoded(&name, &value);
            cases.push(found(&name, value, &format!("keeps the rows of one `{name}`"), &query));
        }
        if let Some((name, value)) = self.filter(maker, "by-expression") {
            let query = form_urlencoded("filter", &format!("{name} in ('{value}') and not {name} = null"));
            cases.push(found(&name, value, &format!("keeps the rows of an expression about `{name}`"), &query));
        }
        cases
    }

    /// A column that may be asked for a value, and a value that no other case gives it.
    fn filter(&self, maker: &Maker<'_>, mark: &str) -> Option<(String, String)> {
        let fields = &shape_of(maker.endpoint)?.fields;
        let holes = self.endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Validate(Input::Listing(holes))) => Some(holes),
            _ => None,
        })?;
        holes.filters.iter().filter(|(_, comparisons)| comparisons.contains(&Comparison::Equal)).find_map(
            |(column, _)| {
                let field = fields.iter().find(|field| field.name.as_str() == column.as_str())?;
                let value = marked(field, mark)?;
                Some((column.to_string(), value.as_str()?.to_owned()))
            },
        )
    }

    fn path_with(&self, key: &str) -> String {
        let path = with_key(&in_parent(self.path, self.parent_parameter, &self.parent_key.in_path()), key);
        let asked = self.query.iter().flat_map(|shape| &shape.fields).map(|field| {
            let name = field.name.as_str();
            form_urlencoded(name, self.endpoint.example[name].as_str().unwrap_or_default())
        });
        let asked: Vec<String> = asked.collect();
        if asked.is_empty() { path } else { format!("{path}?{}", asked.join("&")) }
    }

    /// The path with the keys of nothing that is there.
    fn unmade_path(&self) -> String {
        let parent = in_parent(self.path, self.parent_parameter, &self.no_parent);
        with_key(&parent, &nobody(self.key.as_ref()).plain())
    }

    fn request(&self) -> CaseRequest {
        request(self.method, &self.path_with(&self.record().in_path()), self.endpoint, &self.callers)
    }

    /// The same with the body that is accepted, where there is one.
    fn right_request(&self) -> CaseRequest {
        match &self.right {
            Json::Null => self.request(),
            example => self.request().with_body(example),
        }
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
        if let Some(policy) = if status < 400 { self.last_policy } else { self.policy } {
            headers.insert("ratelimit".to_owned(), ANY.to_owned());
            headers.insert("ratelimit-policy".to_owned(), policy.header());
        }
        HttpCase {
            name: format!("{} {} {shows}", self.method, self.path),
            repeat: 1,
            parent: self.parent.clone(),
            before: self.maker.iter().filter(|_| self.is_item()).map(Maker::any).collect(),
            request,
            expect: Expectation { status, headers, body: None, text: None, heard: None },
        }
    }

    fn problem(&self, shows: &str, request: CaseRequest, problem: Problem) -> HttpCase {
        // Only the version of a record that is there can be another one.
        if problem == Problem::PreconditionFailed {
            return self.problem_of_record(shows, request, problem);
        }
        let mut case = self.problem_of_record(shows, request, problem);
        case.parent = None;
        case.before.clear();
        let path = self.unmade_path();
        case.request.path = match case.request.path.split_once('?') {
            Some((_, query)) => format!("{path}?{query}"),
            None => path,
        };
        case
    }

    /// A problem that only a record which is there can have.
    fn problem_of_record(&self, shows: &str, request: CaseRequest, problem: Problem) -> HttpCase {
        as_problem(self.case(shows, request, problem.status()), problem)
    }

    /// The table of the people, where the seed may hold more than one of them.
    fn people(&self) -> Option<&Table> {
        self.tables.iter().find(|table| Some(&table.name) == self.users).filter(|users| can_be_two(users))
    }

    fn can_be_two(&self) -> bool {
        self.people().is_some()
    }

    /// The requests up to the limit are cheap ones: a counted request need not be a right one.
    fn over_the_limit(&self) -> Option<HttpCase> {
        let policy = self.policy?;
        let repeat = policy.quota.checked_add(1).filter(|repeat| *repeat <= MAX_REPEAT)?;
        let shows = format!("refuses request {repeat} within {} seconds", policy.window_seconds);
        let request = match &self.right {
            // What a caller does to the own session can be done once; that nobody calls counts too.
            Json::Null if self.scheme.is_some_and(Scheme::is_user) && self.method != "GET" => {
                CaseRequest { headers: BTreeMap::new(), ..self.request() }
            }
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
fn in_parent(path: &str, parameter: Option<&str>, key: &str) -> String {
    parameter.map_or_else(|| path.to_owned(), |parameter| path.replace(&format!("{{{parameter}}}"), key))
}

/// The path with a key in the place of its last parameter.
fn with_key(path: &str, key: &str) -> String {
    match path.strip_suffix('}').and_then(|path| path.rsplit_once("/{")) {
        Some((collection, _)) => format!("{collection}/{key}"),
        None => path.to_owned(),
    }
}

/// Whether the items end with 412 where the caller has seen another version.
fn asks_for_version(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Let(_, Step::Check(Condition::Current(_))) => true,
        Item::Transaction(body) => asks_for_version(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => false,
    })
}

/// Whether the items end with 404 where what the records belong to is not there.
fn asks_for_parent(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Let(slot, Step::Read { .. }) => slot.as_str() == "parent",
        Item::Transaction(body) => asks_for_parent(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => false,
    })
}

/// Whether the items look for rows that a column leading to users gives to the caller.
fn is_owned(items: &[Item], users: &Table, tables: &[Table]) -> bool {
    let is_callers = |query: &Query| {
        let leads = |column: &ColumnName| {
            let table = tables.iter().find(|table| table.name == query.from);
            table.is_some_and(|table| {
                let mut keys = table.rules.foreign_keys.iter();
                keys.any(|key| key.table == users.name && key.columns.contains(column))
            })
        };
        query.filter.iter().any(|predicate| match predicate {
            Predicate::Compare(column, _, Value::Field(slot, _)) => slot.as_str() == "caller" && leads(column),
            _ => false,
        })
    };
    items.iter().any(|item| match item {
        Item::Let(_, Step::Read { query, .. }) => is_callers(query),
        Item::Transaction(body) => is_owned(body, users, tables),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => false,
    })
}

/// Whether more is asked of a record than that the path names it and that it is the caller's: no case knows one of which it holds.
fn is_conditional(items: &[Item]) -> bool {
    let is_plain = |predicate: &Predicate| match predicate {
        Predicate::Compare(_, Comparison::Equal, Value::Request(_)) => true,
        Predicate::Compare(_, Comparison::Equal, Value::Field(slot, _)) => slot.as_str() == "caller",
        _ => false,
    };
    items.iter().any(|item| match item {
        Item::Let(slot, Step::Read { query, .. }) if ["row", "rows"].contains(&slot.as_str()) => {
            !query.filter.iter().all(is_plain)
        }
        Item::Transaction(body) => is_conditional(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => false,
    })
}

/// The table of what the records belong to, where it is looked at.
fn parent_table(items: &[Item]) -> Option<&TableName> {
    items.iter().find_map(|item| match item {
        Item::Let(slot, Step::Read { query, .. }) if slot.as_str() == "parent" => Some(&query.from),
        Item::Transaction(body) => parent_table(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => None,
    })
}

/// The table of the records that the items work on.
fn worked_on(items: &[Item]) -> Option<&TableName> {
    items.iter().find_map(|item| match item {
        Item::Let(_, Step::Write(write)) | Item::Do(Step::Write(write)) => Some(write.table()),
        Item::Let(slot, Step::Read { query, .. }) if ["row", "rows"].contains(&slot.as_str()) => Some(&query.from),
        Item::Transaction(body) => worked_on(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => None,
    })
}

/// The fields whose values must name a record.
fn references(items: &[Item]) -> Vec<&FieldName> {
    let of = |item| match item {
        &Item::Exit(Response::UnknownReference(ref field), _) => vec![field],
        Item::Transaction(body) => references(body),
        Item::Match(_, arms) => arms.iter().flat_map(|(_, body)| references(body)).collect(),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Exit(..) => Vec::new(),
    };
    items.iter().flat_map(of).collect()
}

/// The fields of the records of lists whose values must name a record.
fn listed_references(items: &[Item]) -> Vec<(&FieldName, &FieldName)> {
    let of = |item| match item {
        &Item::Exit(Response::Entry { list: Some(ref list), ref field, detail: None }, _) => vec![(list, field)],
        Item::Transaction(body) => listed_references(body),
        Item::Each(each) => listed_references(&each.body),
        Item::Match(_, arms) => arms.iter().flat_map(|(_, body)| listed_references(body)).collect(),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => Vec::new(),
    };
    items.iter().flat_map(of).collect()
}

/// The list whose records ask for some of what there is, and the field that says how much.
fn asks_for_stock(items: &[Item]) -> Option<(&FieldName, &FieldName)> {
    items.iter().find_map(|item| match item {
        Item::Exit(Response::Short { list, field }, _) => Some((list, field)),
        Item::Transaction(body) => asks_for_stock(body),
        Item::Each(each) => asks_for_stock(&each.body),
        Item::Match(_, arms) => arms.iter().find_map(|(_, body)| asks_for_stock(body)),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => None,
    })
}

/// The fields that are compared, each with its other.
fn compared(items: &[Item]) -> Vec<(&FieldName, &FieldName)> {
    let here = items.windows(2).filter_map(compared_pair);
    let inside =
        items.iter().flat_map(|item| if let Item::Transaction(body) = item { compared(body) } else { Vec::new() });
    here.chain(inside).collect()
}

fn compared_pair(pair: &[Item]) -> Option<(&FieldName, &FieldName)> {
    let [Item::Let(_, Step::Check(Condition::Compare(left, _, right))), Item::Match(_, arms)] = pair else {
        return None;
    };
    let refuses = |item: &Item| matches!(item, Item::Exit(Response::Inconsistent { .. }, _));
    arms.iter().any(|(_, body)| body.iter().any(refuses)).then_some((compared_name(left)?, compared_name(right)?))
}

fn compared_name(value: &Value) -> Option<&FieldName> {
    match value {
        Value::Field(_, name) | Value::Changed(_, name, _) => Some(name),
        _ => None,
    }
}

/// Whether the answer tells which record was made.
fn tells_key(endpoint: &Endpoint) -> bool {
    match final_response(&endpoint.procedure.body) {
        Some(Response::Answer { body, location, .. }) => {
            location.is_some() || body.iter().any(|field| field.name.as_str() == "id")
        }
        Some(
            Response::Record { .. }
            | Response::Rows { .. }
            | Response::Records { .. }
            | Response::Problem(_)
            | Response::UnknownReference(_)
            | Response::Inconsistent { .. }
            | Response::Entry { .. }
            | Response::Short { .. }
            | Response::Redirect(_)
            | Response::Done,
        )
        | None => false,
    }
}

/// What a request that nothing stops is answered with.
fn final_response(items: &[Item]) -> Option<&Response> {
    match items.last()? {
        Item::Exit(response, _) => Some(response),
        Item::Transaction(body) => final_response(body),
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) => None,
    }
}

fn request_of(endpoint: &Endpoint) -> Option<(&str, &str)> {
    match &endpoint.procedure.trigger {
        Trigger::Request { method, path } => Some((method, path)),
        Trigger::GraphQl { .. }
        | Trigger::Event { .. }
        | Trigger::Schedule { .. }
        | Trigger::Webhook { .. }
        | Trigger::Pulled { .. } => None,
    }
}

fn scheme_of(endpoint: &Endpoint) -> Option<Scheme> {
    endpoint.procedure.body.iter().find_map(|item| match item {
        Item::Do(Step::Authorize { scheme, .. }) | Item::Let(_, Step::Authorize { scheme, .. }) => Some(*scheme),
        _ => None,
    })
}

/// What the answer of the case must say to be that problem.
fn as_problem(mut case: HttpCase, problem: Problem) -> HttpCase {
    case.expect.headers.insert("content-type".to_owned(), "application/problem+json".to_owned());
    case.with_body(&json!({"type": problem.type_uri(), "status": problem.status()}))
}

/// The parameter as it stands in a query string. Marks are made of letters that need no escaping but `@`, `:` and `/`.
fn form_urlencoded(parameter: &str, value: &str) -> String {
    let value = value.replace('@', "%40").replace(':', "%3A").replace('/', "%2F").replace(' ', "%20");
    format!("{parameter}={value}")
}

fn entry(name: &str, code: &str) -> Json {
    json!({"pointer": format!("/{name}"), "code": code})
}
