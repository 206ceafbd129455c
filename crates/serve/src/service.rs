//! All APIs of a workspace behind one table of routes: a request comes in, its answer goes out.

use crate::answer::{Answer, Refusal};
use crate::api_key::ApiKeys;
use crate::metrics::{Metrics, RouteMetrics, UNMATCHED};
use crate::program::{Limiters, Program, UnservablePlan, compile};
use crate::rate_limit::Limiter;
use crate::run::{Facts, Failure, Run, Surroundings, Weak, names_tag};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use jiff::Timestamp;
use plan::procedure::Trigger;
use plan::{Cache, Plan, Problem, RateLimitPolicy};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Store, StoreError};
use vocab::TaskId;

/// How long a whole request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;

/// Methods that requests without a route are counted by. A caller must not be able to make up labels.
const UNMATCHED_METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];

/// A plan with the database it runs on.
pub struct Served<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its database, migrated.
    pub store: Store,
}

/// Answers requests.
pub struct Service {
    routes: matchit::Router<Route>,
    /// By method; the last is for all methods that are not in the list.
    unmatched: Vec<RouteMetrics>,
    metrics: Arc<Metrics>,
    stores: Vec<Store>,
    limiters: BTreeMap<TaskId, Limiters>,
    openapi: Bytes,
}

/// The methods that a path answers.
struct Route {
    targets: Vec<(Method, Target, RouteMetrics)>,
}

#[derive(Clone)]
enum Target {
    Procedure { program: Arc<Program>, keys: Arc<ApiKeys>, store: Store, cache: Cache },
    Health,
    Ready,
    Metrics,
    OpenApi,
}

/// What answers a request, who counts it, and the parameters of its path.
type Routed<'a> = (&'a Target, &'a RouteMetrics, Vec<(String, String)>);

impl Service {
    /// Makes plans ready to be served. `openapi` is the document that describes them.
    ///
    /// # Errors
    /// [`UnservablePlan`] when a plan holds what this server cannot run, or two plans want one route.
    pub fn new(served: &[Served<'_>], openapi: impl Into<Bytes>) -> Result<Self, UnservablePlan> {
        Self::with(served, openapi, Arc::new(Metrics::new()), &BTreeMap::new())
    }

    /// The same in the place of this service: it goes on counting what this one counted, for metrics and for rate limits that
    /// stay as they are.
    ///
    /// # Errors
    /// As [`Self::new`]; this service is as it was then.
    pub fn succeeded_by(&self, served: &[Served<'_>], openapi: impl Into<Bytes>) -> Result<Self, UnservablePlan> {
        Self::with(served, openapi, Arc::clone(&self.metrics), &self.limiters)
    }

    fn with(
        served: &[Served<'_>],
        openapi: impl Into<Bytes>,
        metrics: Arc<Metrics>,
        known: &BTreeMap<TaskId, Limiters>,
    ) -> Result<Self, UnservablePlan> {
        let mut table: BTreeMap<String, Vec<(Method, Target)>> = BTreeMap::new();
        for (path, target) in [
            ("/healthz", Target::Health),
            ("/readyz", Target::Ready),
            ("/metrics", Target::Metrics),
            ("/openapi.json", Target::OpenApi),
        ] {
            table.insert(path.to_owned(), vec![(Method::GET, target.clone()), (Method::HEAD, target)]);
        }
        let mut all_limiters = BTreeMap::new();
        for Served { plan, store } in served {
            let limiter = |policy: &RateLimitPolicy| {
                let same = known.get(&plan.task_id).and_then(|limiters| limiters.get(&policy.name));
                let same = same.filter(|limiter| limiter.policy() == policy);
                same.map_or_else(|| Arc::new(Limiter::new(policy)), Arc::clone)
            };
            let limiters: Limiters =
                plan.api.policies.iter().map(|policy| (policy.name.clone(), limiter(policy))).collect();
            all_limiters.insert(plan.task_id.clone(), limiters.clone());
            let keys = Arc::new(ApiKeys::new(store.clone()));
            for endpoint in &plan.api.endpoints {
                let Trigger::Request { method, path } = &endpoint.procedure.trigger else { continue };
                let program = compile(plan, endpoint, &limiters)?;
                let taken = || UnservablePlan::RouteTaken { method: method.clone(), path: path.clone() };
                let method = Method::from_bytes(method.as_bytes()).map_err(|_| taken())?;
                let targets = table.entry(path.clone()).or_default();
                if targets.iter().any(|(known, _)| *known == method) {
                    return Err(taken());
                }
                let target = Target::Procedure {
                    program: Arc::new(program),
                    keys: Arc::clone(&keys),
                    store: store.clone(),
                    cache: endpoint.cache,
                };
                if method == Method::GET {
                    targets.push((Method::HEAD, target.clone()));
                }
                targets.push((method, target));
            }
        }
        let mut routes = matchit::Router::new();
        for (path, targets) in table {
            let targets = targets
                .into_iter()
                .map(|(method, target)| {
                    let counters = metrics.route(method.as_str(), &path);
                    (method, target, counters)
                })
                .collect();
            let taken = UnservablePlan::RouteTaken { method: "any method".to_owned(), path: path.clone() };
            routes.insert(path, Route { targets }).map_err(|_| taken)?;
        }
        let stores = served.iter().map(|served| served.store.clone()).collect();
        let unmatched = UNMATCHED_METHODS.iter().map(|method| metrics.route(method, UNMATCHED)).collect();
        Ok(Self { routes, unmatched, metrics, stores, limiters: all_limiters, openapi: openapi.into() })
    }

    /// Answers one request of a client at that address.
    pub async fn handle<B>(&self, request: Request<B>, address: IpAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes, Error: Send> + Unpin + Send,
    {
        let started = Instant::now();
        self.metrics.in_flight().increment(1.0);
        let (parts, mut body) = request.into_parts();
        let mut facts = Facts {
            arrived: Timestamp::now(),
            address: address.to_canonical().to_string(),
            request_id: request_id(&parts.headers),
            parameters: Vec::new(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            if_match: header(&parts.headers, "if-match"),
        };
        let request_id = facts.request_id.clone();
        // RFC 9112, 3.2.
        let has_host = parts.version != http::Version::HTTP_11 || parts.headers.contains_key("host");
        let routed = match has_host {
            true => self.route(&parts.method, parts.uri.path()),
            false => Err(Problem::MalformedRequest.into()),
        };
        let (counters, answer, limit) = match routed {
            Err(refusal) => (None, refusal.into_answer(&request_id), Vec::new()),
            Ok((target, counters, parameters)) => {
                facts.parameters = parameters;
                let (answer, limit) = self.target(target, &parts.headers, &mut body, facts).await;
                let answer = unless_known(answer, &parts.method, &parts.headers);
                (Some(counters), target.kept(answer), limit)
            }
        };
        let response = response(answer, limit, &request_id);
        let elapsed = started.elapsed();
        match counters {
            Some(counters) => self.metrics.answered(counters, response.status().as_u16(), elapsed),
            None => {
                let last = UNMATCHED_METHODS.len() - 1;
                let index = UNMATCHED_METHODS.iter().position(|known| *known == parts.method.as_str()).unwrap_or(last);
                self.metrics.answered(&self.unmatched[index], response.status().as_u16(), elapsed);
            }
        }
        self.metrics.in_flight().decrement(1.0);
        response
    }

    /// Forgets what was counted for rate limits, so that what is tried next does not depend on what was tried before.
    pub fn forget_callers(&self) {
        self.limiters.values().flat_map(BTreeMap::values).for_each(|limiter| limiter.forget());
    }

    /// What was counted so far, as Prometheus text.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.render()
    }

    /// Moves measurements into their buckets; to be called every few seconds.
    pub fn upkeep(&self) {
        self.metrics.upkeep();
    }

    fn route(&self, method: &Method, path: &str) -> Result<Routed<'_>, Refusal> {
        let Ok(found) = self.routes.at(path) else { return Err(Problem::NotFound.into()) };
        let route = found.value;
        let target = route.targets.iter().find(|(known, ..)| known == method);
        let (_, target, counters) = target.ok_or_else(|| Refusal::method_not_allowed(&route.allow()))?;
        let parameters = found.params.iter().map(|(name, raw)| Some((name.to_owned(), decoded(raw)?)));
        let parameters = parameters.collect::<Option<_>>().ok_or(Refusal::from(Problem::NotFound))?;
        Ok((target, counters, parameters))
    }

    async fn target<B>(
        &self,
        target: &Target,
        headers: &HeaderMap,
        body: &mut B,
        facts: Facts,
    ) -> (Answer, Vec<(&'static str, String)>)
    where
        B: Body<Data = Bytes, Error: Send> + Unpin + Send,
    {
        match target {
            Target::Procedure { program, keys, store, .. } => {
                let surroundings = Surroundings { store, keys, metrics: &self.metrics };
                let request_id = facts.request_id.clone();
                let mut run = Run::new(&surroundings, headers, body);
                let ended = tokio::time::timeout(ANSWER_TIMEOUT, run.program(program, facts)).await;
                let answer = match ended {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(failure)) => refusal(failure, &request_id).into_answer(&request_id),
                    Err(_) => Refusal::from(Problem::Overloaded).into_answer(&request_id),
                };
                let limit = run.limit.map_or_else(Vec::new, |(limiter, standing)| {
                    vec![
                        ("ratelimit-policy", limiter.policy_header().to_owned()),
                        ("ratelimit", limiter.header(standing)),
                    ]
                });
                (answer, limit)
            }
            Target::Health => (Answer::json(200, r#"{"status":"ok"}"#), Vec::new()),
            Target::Ready => (self.ready(&facts.request_id).await, Vec::new()),
            Target::Metrics => {
                let body = self.metrics.render().into();
                let content_type = "text/plain; version=0.0.4; charset=utf-8";
                (Answer { status: 200, content_type, headers: Vec::new(), body }, Vec::new())
            }
            Target::OpenApi => (Answer::json(200, self.openapi.clone()), Vec::new()),
        }
    }

    async fn ready(&self, request_id: &str) -> Answer {
        for store in &self.stores {
            if let Err(error) = store.ping().await {
                tracing::warn!(request_id, error = %error, "not ready");
                return Refusal::from(Problem::Unavailable).into_answer(request_id);
            }
        }
        Answer::json(200, r#"{"status":"ready","checks":{"database":"ok"}}"#)
    }
}

impl Target {
    /// The answer with the headers that say how long it may be kept: only a success may be kept at all.
    fn kept(&self, mut answer: Answer) -> Answer {
        let cache = match self {
            Self::Procedure { cache, .. } if matches!(answer.status, 200 | 304) => *cache,
            Self::Procedure { .. } | Self::Health | Self::Ready | Self::Metrics | Self::OpenApi => Cache::NoStore,
        };
        if cache != Cache::NoStore {
            answer.headers.push(("cache-control", cache.header()));
            answer.headers.extend(cache.vary().map(|vary| ("vary", vary.to_owned())));
        }
        answer
    }
}

impl Route {
    /// The methods, sorted, as in the `Allow` header.
    fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.targets.iter().map(|(method, ..)| method.as_str()).collect();
        methods.sort_unstable();
        methods.join(", ")
    }
}

/// What the caller hears of a failure; the log hears why.
fn refusal(failure: Failure, request_id: &str) -> Refusal {
    match failure {
        Failure::Refusal(refusal) => {
            if refusal.problem.status() >= 500 {
                tracing::error!(request_id, problem = refusal.problem.name(), "a request failed");
            }
            refusal
        }
        Failure::Store(StoreError::Conflict) => Problem::Conflict.into(),
        Failure::Store(error) => {
            tracing::error!(request_id, error = %error, "a request failed");
            if error.is_retryable() { Problem::Unavailable } else { Problem::InternalError }.into()
        }
    }
}

fn response(answer: Answer, limit: Vec<(&'static str, String)>, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    if !answer.content_type.is_empty() {
        set("content-type", answer.content_type);
    }
    set("x-content-type-options", "nosniff");
    set("cache-control", "no-store");
    set("x-request-id", request_id);
    limit.iter().chain(&answer.headers).for_each(|(name, value)| set(name, value));
    response
}

/// 304 instead of what the caller has already.
fn unless_known(answer: Answer, method: &Method, headers: &HeaderMap) -> Answer {
    if answer.status != 200 || !matches!(*method, Method::GET | Method::HEAD) {
        return answer;
    }
    let tag = answer.headers.iter().find(|(name, _)| *name == "etag").map(|(_, tag)| tag);
    match (tag, header(headers, "if-none-match")) {
        (Some(tag), Some(known)) if names_tag(&known, tag, Weak::Same) => {
            // RFC 9110, 15.4.5: what guides caches, and nothing else.
            let headers = answer.headers.into_iter().filter(|(name, _)| *name == "etag").collect();
            Answer { headers, ..Answer::empty(304) }
        }
        _ => answer,
    }
}

/// All values of a header that is a list, as one.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// A segment of a path without its percent signs; `None` when it is not UTF-8 or not well formed.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

fn request_id(headers: &HeaderMap) -> String {
    let is_good = |text: &&str| {
        (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(is_good)
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}
