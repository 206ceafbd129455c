//! All APIs of a workspace behind one table of routes: a request comes in, its answer goes out.

use crate::account::{Accounts, CaseTokens};
use crate::account_page;
use crate::answer::{Answer, Refusal};
use crate::api_key::ApiKeys;
use crate::at_work::AtWork;
use crate::cors::{Cookies, Origins, preflight};
use crate::counts::Counts;
use crate::idempotency::{Claims, oldest_kept};
use crate::issuer::Issuer;
use crate::kept::Answers;
use crate::metrics::{Metrics, RouteMetrics, UNMATCHED};
use crate::program::{Limiters, Operation, Program, Shared, UnservablePlan, compile};
use crate::proxies::{Peer, Proxies};
use crate::pulled::Shelf;
use crate::rate_limit::Limiter;
use crate::reference_page;
use crate::request::{decoded, header, is_well_formed, request_id};
use crate::response::{Asked, Sent, response};
use crate::return_page;
use crate::run::{Facts, Failure, Run, Surroundings, site};
use crate::webhook::{AccountScope, Counterpart, Hook};
use bytes::Bytes;
use connect::syncing::{NotTaken, Pulled};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Body;
use jiff::Timestamp;
use manifest::webhook::Verification;
use plan::accounts::{CASE_ISSUER, KEYS_PATH, RESOURCE_PATH};
use plan::api::{ApiPlan, Cors, Endpoint};
use plan::procedure::Trigger;
use plan::{Cache, Plan, Problem, RateLimitPolicy, question, system};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Ended, Store, StoreError};
use tokio::sync::{Notify, watch};
use vocab::{Datum, FieldName, Secret, TaskId};

/// How long a whole request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long others may keep the set of public keys, in seconds; a new key is in it for longer before it signs.
const KEYS_KEPT: u32 = 300;
/// Longest target, in bytes of path and query.
const MAX_TARGET: usize = 56 * 1024;

/// Methods that requests without a route are counted by. A caller must not be able to make up labels.
const UNMATCHED_METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];

/// A plan with the database it runs on.
pub struct Served<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its database, migrated.
    pub store: Store,
    /// What is known of the provider whose service it integrates.
    pub counterpart: Counterpart,
    /// What the servers of the database share, where people sign in.
    pub secret: Option<Secret<String>>,
}

/// What is decided where plans are served, and not in them.
#[derive(Clone, Default)]
pub struct Settings {
    /// Whose pages may call the APIs that allow other origins.
    pub origins: Origins,
    /// Which proxies are believed.
    pub proxies: Proxies,
    /// Where the counts of rate limits outlive the process; without it they end with it.
    pub counts: Option<Arc<Counts>>,
    /// The address by which others know the server, without a slash at its end; without it, the one that a request names.
    pub site: Option<String>,
    /// Rung when events were committed, for whoever brings them on.
    pub news: Arc<Notify>,
    /// Rung when a provider has told of something.
    pub heard: watch::Sender<()>,
    /// Who issues the tokens that endpoints take of another issuer; without it none can be checked.
    pub issuer: Option<Arc<Issuer>>,
    /// What others have counted, as Prometheus text: it stands behind what the server counts.
    pub counted_by_others: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

/// Answers requests.
pub struct Service {
    routes: matchit::Router<Route>,
    /// By method; the last is for all methods that are not in the list.
    unmatched: Vec<RouteMetrics>,
    counted: Counted,
    stores: Vec<Store>,
    /// The databases that keep answers, with the statement that forgets the old ones.
    answers: Vec<(Store, String)>,
    /// What everybody is answered.
    kept: Answers,
    openapi: Bytes,
    reference_page: reference_page::Page,
    settings: Settings,
    at_work: AtWork,
    /// Whether pages of other origins may read that nobody has a path.
    cors: Cors,
    /// Whether somebody is known by a cookie.
    cookies: Cookies,
    /// What tokens of another issuer may have to be granted.
    grants: BTreeSet<String>,
    /// What puts records of providers where they belong, by the task and which records.
    shelves: BTreeMap<(TaskId, FieldName), Shelf>,
}

/// What a service counts and goes on counting when another takes its place.
#[derive(Clone)]
struct Counted {
    metrics: Arc<Metrics>,
    limiters: BTreeMap<TaskId, Limiters>,
    /// One for each database.
    keys: Vec<Arc<ApiKeys>>,
    accounts: Vec<Arc<Accounts>>,
    claims: Arc<Claims>,
}

/// The methods that a path answers.
struct Route {
    /// As the plan has it.
    path: Box<str>,
    cors: Cors,
    targets: Vec<(Method, Target, RouteMetrics)>,
}

/// How a call is proved, and where what it is proved with is.
pub(crate) struct Proved<'s> {
    pub ways: Vec<&'s Verification>,
    pub account: &'s AccountScope,
}

#[derive(Clone)]
enum Target {
    Procedure(Arc<Procedure>),
    Webhook(Arc<Hook>),
    Preflight,
    Health,
    Ready,
    Metrics,
    OpenApi,
    SigningKeys,
    ProtectedResource,
    ReferencePage,
    FileOfReferencePage,
    VisitorPage(return_page::File),
}

/// What answers the requests of an endpoint.
struct Procedure {
    program: Program,
    /// What it asks before it does anything, where callers are told what they may do.
    question: Option<Program>,
    keys: Arc<ApiKeys>,
    store: Store,
    cache: Cache,
}

/// What answers a request, who counts it, and the parameters of its path.
type Routed<'a> = (&'a Target, &'a RouteMetrics, Vec<(String, String)>);

impl Service {
    /// Makes plans ready to be served. `openapi` is the document that describes them.
    ///
    /// # Errors
    /// [`UnservablePlan`] when a plan holds what this server cannot run, or two plans want one route.
    pub fn new(served: &[Served<'_>], openapi: impl Into<Bytes>) -> Result<Self, UnservablePlan> {
        Self::with_settings(served, openapi, Settings::default())
    }

    /// The same with what is decided where the plans are served.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_settings(
        served: &[Served<'_>],
        openapi: impl Into<Bytes>,
        settings: Settings,
    ) -> Result<Self, UnservablePlan> {
        let metrics = Arc::new(Metrics::new());
        let claims = Arc::new(Claims::default());
        let counted = Counted { metrics, limiters: BTreeMap::new(), keys: Vec::new(), accounts: Vec::new(), claims };
        Self::with(served, openapi, &counted, settings)
    }

    /// The same in the place of this service: it goes on counting what this one counted, for metrics and for rate limits that
    /// stay as they are.
    ///
    /// # Errors
    /// As [`Self::new`]; this service is as it was then.
    pub fn succeeded_by(&self, served: &[Served<'_>], openapi: impl Into<Bytes>) -> Result<Self, UnservablePlan> {
        Self::with(served, openapi, &self.counted, self.settings.clone())
    }

    fn with(
        served: &[Served<'_>],
        openapi: impl Into<Bytes>,
        known: &Counted,
        settings: Settings,
    ) -> Result<Self, UnservablePlan> {
        let metrics = Arc::clone(&known.metrics);
        let mut table: BTreeMap<String, Vec<(Method, Target)>> = BTreeMap::new();
        for (path, target) in [
            ("/healthz", Target::Health),
            ("/readyz", Target::Ready),
            ("/metrics", Target::Metrics),
            ("/openapi.json", Target::OpenApi),
            (reference_page::PAGE, Target::ReferencePage),
            (reference_page::FILES, Target::FileOfReferencePage),
        ] {
            table.insert(path.to_owned(), vec![(Method::GET, target.clone()), (Method::HEAD, target)]);
        }
        let mut all_limiters = BTreeMap::new();
        let mut all_keys: Vec<Arc<ApiKeys>> = Vec::new();
        let mut all_accounts: Vec<Arc<Accounts>> = Vec::new();
        let mut answers = Vec::new();
        let mut shelves = BTreeMap::new();
        let kept = Answers::default();
        let answers_questions = served.iter().any(|served| served.plan.api.answers_questions());
        for Served { plan, store, counterpart, secret } in served {
            let limiter = |policy: &RateLimitPolicy| {
                let same = known.limiters.get(&plan.task_id).and_then(|limiters| limiters.get(&policy.name));
                let same = same.filter(|limiter| limiter.policy() == policy);
                same.map_or_else(|| Limiter::kept(policy, &plan.task_id, settings.counts.as_ref()), Arc::clone)
            };
            let limiters: Limiters =
                plan.api.policies.iter().map(|policy| (policy.name.clone(), limiter(policy))).collect();
            all_limiters.insert(plan.task_id.clone(), limiters.clone());
            let same = all_keys.iter().chain(&known.keys).find(|keys| keys.are_of(store));
            let keys = same.map_or_else(|| Arc::new(ApiKeys::new(store.clone())), Arc::clone);
            if !all_keys.iter().any(|keys| keys.are_of(store)) {
                all_keys.push(Arc::clone(&keys));
            }
            let accounts = match (&plan.api.accounts, secret) {
                (Some(declared), Some(secret)) => {
                    let known = all_accounts.iter().chain(&known.accounts).find(|known| known.are_of(store, secret));
                    let accounts = match known {
                        Some(known) => Arc::clone(known),
                        None => Arc::new(Accounts::new(store.clone(), &plan.database, declared, secret)?),
                    };
                    if !all_accounts.iter().any(|known| known.are_of(store, secret)) {
                        all_accounts.push(Arc::clone(&accounts));
                    }
                    Some(accounts)
                }
                (None, _) | (Some(_), None) => None,
            };
            if plan.database.tables.contains(&system::idempotency_answers()) {
                answers.push((store.clone(), dialect::lower_answers(plan.database.engine)?.forget));
            }
            if let Some(hook) = Hook::new(plan, counterpart, &keys, (&kept, store))?.map(Arc::new) {
                for path in [hook.path.clone(), format!("{}/{{token}}", hook.path)] {
                    let targets = table.entry(path).or_default();
                    let asks =
                        hook.asks.iter().filter_map(|method| Method::from_bytes(method.as_str().as_bytes()).ok());
                    targets
                        .extend(asks.chain([Method::POST]).map(|method| (method, Target::Webhook(Arc::clone(&hook)))));
                }
            }
            for sync in plan.syncs() {
                let shelf = Shelf::new(plan, sync, counterpart, &keys, (&kept, store))?;
                shelves.insert((plan.task_id.clone(), sync.name.clone()), shelf);
            }
            let returns = plan.service.iter().flat_map(|service| &service.returns).flat_map(return_page::files);
            let of_mails = plan.api.pages.iter().flat_map(account_page::files);
            for (path, file) in returns.chain(of_mails) {
                let target = Target::VisitorPage(file);
                // Several services and APIs of a workspace may send people to the same page.
                table.entry(path).or_insert_with(|| vec![(Method::GET, target.clone()), (Method::HEAD, target)]);
            }
            let database = Arc::new(plan.database.clone());
            let (accounts, issuer, secret) = (accounts.as_ref(), settings.issuer.as_ref(), secret.as_ref());
            let shared = Shared { database: &database, accounts, issuer, secret, kept: (&kept, store) };
            for endpoint in &plan.api.endpoints {
                let Trigger::Request { method, path } = &endpoint.procedure.trigger else { continue };
                let program = compile(plan, &counterpart.account, shared, endpoint, &limiters)?;
                let asking = || {
                    let asking = Endpoint { procedure: question::of(&endpoint.procedure), ..endpoint.clone() };
                    compile(plan, &counterpart.account, shared, &asking, &limiters)
                };
                let question = answers_questions.then(asking).transpose()?;
                let taken = || UnservablePlan::RouteTaken { method: method.clone(), path: path.clone() };
                let method = Method::from_bytes(method.as_bytes()).map_err(|_| taken())?;
                let targets = table.entry(path.clone()).or_default();
                if plan.api.cors == Cors::On && !targets.iter().any(|(method, _)| *method == Method::OPTIONS) {
                    targets.push((Method::OPTIONS, Target::Preflight));
                }
                if targets.iter().any(|(known, _)| *known == method) {
                    return Err(taken());
                }
                let target = Target::Procedure(Arc::new(Procedure {
                    program,
                    question,
                    keys: Arc::clone(&keys),
                    store: store.clone(),
                    cache: endpoint.cache,
                }));
                if method == Method::GET {
                    targets.push((Method::HEAD, target.clone()));
                }
                targets.push((method, target));
            }
        }
        if !all_accounts.is_empty() {
            let target = Target::SigningKeys;
            table.insert(KEYS_PATH.to_owned(), vec![(Method::GET, target.clone()), (Method::HEAD, target)]);
        }
        let grants: BTreeSet<String> = served
            .iter()
            .flat_map(|served| &served.plan.api.endpoints)
            .filter_map(|endpoint| endpoint.grant().map(ToString::to_string))
            .collect();
        if served.iter().any(|served| served.plan.api.takes_issued_tokens()) {
            let target = Target::ProtectedResource;
            table.insert(RESOURCE_PATH.to_owned(), vec![(Method::GET, target.clone()), (Method::HEAD, target)]);
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
            let route = Route::new(path.as_str().into(), targets);
            routes.insert(path, route).map_err(|_| taken)?;
        }
        let stores = served.iter().map(|served| served.store.clone()).collect();
        let unmatched = UNMATCHED_METHODS.iter().map(|method| metrics.route(method, UNMATCHED)).collect();
        let claims = Arc::clone(&known.claims);
        let counted = Counted { metrics, limiters: all_limiters, keys: all_keys, accounts: all_accounts, claims };
        let openapi = named_issuer(openapi.into(), settings.issuer.as_deref());
        let reference_page = reference_page::Page::about(&openapi);
        let cors = match served.iter().any(|served| served.plan.api.cors == Cors::On) {
            true => Cors::On,
            false => Cors::Off,
        };
        let takes_cookies =
            |endpoint: &Endpoint| endpoint.authorization().is_some_and(|(scheme, _)| scheme.takes_cookies());
        let cookies = match served.iter().any(|served| served.plan.api.endpoints.iter().any(takes_cookies)) {
            true => Cookies::Taken,
            false => Cookies::None,
        };
        let at_work = AtWork::default();
        Ok(Self {
            routes,
            unmatched,
            counted,
            stores,
            answers,
            kept,
            openapi,
            reference_page,
            settings,
            at_work,
            cors,
            cookies,
            grants,
            shelves,
        })
    }

    /// Answers one request that came over a connection.
    pub async fn handle<B>(&self, request: Request<B>, peer: impl Into<Peer>) -> Response<Sent>
    where
        B: Body<Data = Bytes, Error: Send> + Unpin + Send,
    {
        let started = Instant::now();
        self.counted.metrics.in_flight().increment(1.0);
        let (mut parts, mut body) = request.into_parts();
        let client = self.settings.proxies.client(peer.into(), &mut parts.headers);
        let mut facts = Facts {
            arrived: Timestamp::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            address: client.to_string(),
            request_id: request_id(&parts.headers),
            parameters: Vec::new(),
            if_match: header(&parts.headers, "if-match"),
            prefer: header(&parts.headers, "prefer"),
        };
        let request_id = facts.request_id.clone();
        let (cors, routed) = self.routed(&parts);
        let (counters, answer, limit) = match routed {
            Err(refusal) => (None, refusal.into_answer(&request_id), Vec::new()),
            Ok((target, counters, parameters)) => {
                facts.parameters = parameters;
                let (answer, limit) = self.target(target, cors, &parts, &mut body, facts).await;
                (Some(counters), target.kept(answer), limit)
            }
        };
        let (origins, cookies) = (self.origins(cors), self.cookies);
        let asked = Asked { method: &parts.method, headers: &parts.headers, request_id: &request_id, origins, cookies };
        let response = response(answer, limit, &asked).await;
        let elapsed = started.elapsed();
        match counters {
            Some(counters) => self.counted.metrics.answered(counters, response.status().as_u16(), elapsed),
            None => {
                let last = UNMATCHED_METHODS.len() - 1;
                let index = UNMATCHED_METHODS.iter().position(|known| *known == parts.method.as_str()).unwrap_or(last);
                self.counted.metrics.answered(&self.unmatched[index], response.status().as_u16(), elapsed);
            }
        }
        self.counted.metrics.in_flight().decrement(1.0);
        response
    }

    /// Forgets what was counted for rate limits and what is known of sessions, so that what is tried next does not depend on what
    /// was tried before.
    pub fn forget_callers(&self) {
        self.counted.accounts.iter().for_each(|accounts| accounts.forget());
        self.counted.limiters.values().flat_map(BTreeMap::values).for_each(|limiter| limiter.forget());
    }

    /// Access tokens of those who call in the cases of the API's plan; none where nobody signs in.
    ///
    /// # Errors
    /// When no key that signs can be made.
    pub async fn tokens_of_cases(&self, api: &ApiPlan) -> Result<CaseTokens, String> {
        let Some(accounts) = self.counted.accounts.first() else { return Ok(CaseTokens::default()) };
        let made = Box::pin(accounts.of_cases(api, Timestamp::now())).await;
        made.map_err(|_| "no token can be made for the cases: the log says why".to_owned())
    }

    /// What was counted so far, as Prometheus text.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.counted.metrics.render()
    }

    /// Forgets answers that were kept long enough; to be called every minute or so.
    pub async fn forget_answers(&self) {
        for (store, statement) in &self.answers {
            let (statement, oldest) = (statement.clone(), [Datum::Text(oldest_kept(Timestamp::now()))]);
            let forgotten = store.transaction(move |mut transaction| {
                Box::pin(async move { Ok(Ended::Commit(transaction.execute(&statement, &oldest).await?)) })
            });
            if let Err(error) = forgotten.await {
                tracing::warn!(error = %error, "old answers were not forgotten");
            }
        }
    }

    /// Forgets what of accounts is over; to be called every hour or so.
    pub async fn forget_ended_accounts(&self) {
        for accounts in &self.counted.accounts {
            accounts.forget_ended(Timestamp::now()).await;
        }
    }

    /// Moves measurements into their buckets, and keeps the file of counts short; to be called every few seconds.
    pub fn upkeep(&self) {
        self.counted.metrics.upkeep();
        self.settings.counts.iter().for_each(|counts| counts.upkeep());
    }

    /// Writes when API keys were used last; to be called every minute at least, and at the end.
    pub async fn write_key_uses(&self) {
        for keys in &self.counted.keys {
            keys.write_uses().await;
        }
    }

    /// The path of a request as the plan has it: with the names of its parameters.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&str> {
        self.routes.at(path).ok().map(|found| &*found.value.path)
    }

    /// How calls are proved that come in at a path.
    pub(crate) fn proved_at(&self, path: &str) -> Option<Proved<'_>> {
        let route = self.routes.at(path).ok()?.value;
        route.targets.iter().find_map(|(_, target, _)| match target {
            Target::Webhook(hook) => {
                Some(Proved { ways: hook.webhooks.verify.iter().collect(), account: &hook.counterpart.account })
            }
            Target::Procedure(procedure) => procedure.program.operations.iter().find_map(|operation| match operation {
                Operation::Hear(listening) => {
                    let first = listening.hearing.proofs.first();
                    let ways = first.iter().map(|proof| &proof.way).collect();
                    Some(Proved { ways, account: &listening.account })
                }
                _ => None,
            }),
            Target::Preflight
            | Target::Health
            | Target::Ready
            | Target::Metrics
            | Target::OpenApi
            | Target::SigningKeys
            | Target::ReferencePage
            | Target::FileOfReferencePage
            | Target::ProtectedResource
            | Target::VisitorPage(_) => None,
        })
    }

    /// Whose pages may call, where pages of other origins may.
    fn origins(&self, cors: Cors) -> Option<&Origins> {
        match cors {
            Cors::On => Some(&self.settings.origins),
            Cors::Off => None,
        }
    }

    /// What answers the request, and whether pages of other origins may read the answer.
    fn routed(&self, parts: &Parts) -> (Cors, Result<Routed<'_>, Refusal>) {
        if !is_well_formed(parts) {
            return (Cors::Off, Err(Problem::MalformedRequest.into()));
        }
        if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            return (self.cors, Err(Problem::UriTooLong.into()));
        }
        let Ok(found) = self.routes.at(parts.uri.path()) else { return (self.cors, Err(Problem::NotFound.into())) };
        let route = found.value;
        let target = route.targets.iter().find(|(known, ..)| *known == parts.method);
        let Some((_, target, counters)) = target else {
            return (route.cors, Err(Refusal::method_not_allowed(&route.allow())));
        };
        let parameters = found.params.iter().map(|(name, raw)| Some((name.to_owned(), decoded(raw)?)));
        let parameters = parameters.collect::<Option<_>>().ok_or(Refusal::from(Problem::NotFound));
        (route.cors, parameters.map(|parameters| (target, counters, parameters)))
    }

    async fn target<B>(
        &self,
        target: &Target,
        cors: Cors,
        parts: &Parts,
        body: &mut B,
        facts: Facts,
    ) -> (Answer, Vec<(&'static str, String)>)
    where
        B: Body<Data = Bytes, Error: Send> + Unpin + Send,
    {
        match target {
            Target::Procedure(procedure) => {
                let Procedure { program, keys, store, .. } = &**procedure;
                let surroundings = self.surroundings(store, keys, self.origins(cors));
                let request_id = facts.request_id.clone();
                let mut run = Run::new(&surroundings, &parts.headers, body);
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
            Target::Webhook(hook) => {
                let surroundings = self.surroundings(&hook.store, &hook.keys, None);
                let request_id = facts.request_id.clone();
                let hearing = Box::pin(hook.hear(parts, body, facts, &surroundings, self.settings.site.as_deref()));
                let answer = match tokio::time::timeout(ANSWER_TIMEOUT, hearing).await {
                    Ok(Ok(answer)) => {
                        self.settings.heard.send_replace(());
                        answer
                    }
                    Ok(Err(failure)) => refusal(failure, &request_id).into_answer(&request_id),
                    Err(_) => Refusal::from(Problem::Overloaded).into_answer(&request_id),
                };
                (answer, Vec::new())
            }
            Target::Preflight => {
                let allowed =
                    self.routes.at(parts.uri.path()).map_or_else(|_| Vec::new(), |found| found.value.preflight());
                (Answer { headers: allowed, ..Answer::empty(204) }, Vec::new())
            }
            Target::Health => (Answer::json(200, r#"{"status":"ok"}"#), Vec::new()),
            Target::Ready => (self.ready(&facts.request_id).await, Vec::new()),
            Target::Metrics => {
                let others = self.settings.counted_by_others.as_ref().map(|counted| counted()).unwrap_or_default();
                let body = self.counted.metrics.render() + &others;
                let content_type = "text/plain; version=0.0.4; charset=utf-8";
                (Answer { content_type, ..Answer::json(200, body) }, Vec::new())
            }
            Target::OpenApi => (Answer::json(200, self.openapi.clone()), Vec::new()),
            Target::SigningKeys => (self.signing_keys(&facts).await, Vec::new()),
            Target::ProtectedResource => (self.protected_resource(&parts.headers), Vec::new()),
            Target::ReferencePage => (self.reference_page.answer(), Vec::new()),
            Target::VisitorPage(file) => (file.answer(), Vec::new()),
            Target::FileOfReferencePage => {
                let file = facts.parameters.iter().find_map(|(_, name)| reference_page::file(name, &parts.headers));
                let missing = || Refusal::from(Problem::NotFound).into_answer(&facts.request_id);
                (file.unwrap_or_else(missing), Vec::new())
            }
        }
    }

    /// What a request of that database is served with.
    fn surroundings<'a>(
        &'a self,
        store: &'a Store,
        keys: &'a ApiKeys,
        origins: Option<&'a Origins>,
    ) -> Surroundings<'a> {
        let Counted { metrics, claims, .. } = &self.counted;
        let (at_work, news, kept) = (&self.at_work, &*self.settings.news, &self.kept);
        let known_as = self.settings.site.as_deref();
        Surroundings { store, keys, metrics, claims, at_work, news, kept, origins, known_as, questions: self }
    }

    /// Puts a record of a provider where it belongs, durable when this is done.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn take(&self, task: &TaskId, sync: &FieldName, record: &Pulled) -> Result<(), NotTaken> {
        let shelf = self.shelves.get(&(task.clone(), sync.clone()));
        let shelf = shelf.ok_or_else(|| NotTaken::Later(format!("`{task}` is not served any more")))?;
        let surroundings = self.surroundings(&shelf.store, &shelf.keys, None);
        shelf.take(&surroundings, record).await
    }

    /// What whoever sends these headers would be told at an endpoint before it does anything: the record [`MAY`].
    pub(crate) async fn may(
        &self,
        method: &str,
        path: &str,
        headers: &HeaderMap,
        asking: &Facts,
    ) -> Result<Vec<Datum>, Failure> {
        let refused = |refusal: Refusal| Ok(told(&refusal.into_answer(&asking.request_id)));
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let Ok(found) = self.routes.at(path) else { return refused(Problem::NotFound.into()) };
        let parameters = found.params.iter().map(|(name, raw)| Some((name.to_owned(), decoded(raw)?)));
        let Some(parameters) = parameters.collect::<Option<_>>() else { return refused(Problem::NotFound.into()) };
        let procedures = found.value.targets.iter().filter_map(|(method, target, _)| match target {
            Target::Procedure(procedure) => Some((method, procedure)),
            _ => None,
        });
        let procedures: Vec<(&Method, &Arc<Procedure>)> = procedures.collect();
        if procedures.is_empty() {
            return refused(Problem::NotFound.into());
        }
        let Some((known, procedure)) = procedures.into_iter().find(|(known, _)| known.as_str() == method) else {
            return refused(Refusal::method_not_allowed(&found.value.allow()));
        };
        let Procedure { question: Some(question), keys, store, .. } = &**procedure else {
            return refused(Problem::NotFound.into());
        };
        let facts = Facts { method: known.clone(), parameters, if_match: None, prefer: None, ..asking.clone() };
        let surroundings = self.surroundings(store, keys, self.origins(found.value.cors));
        let mut no_body = Empty::<Bytes>::new();
        let answer = Run::new(&surroundings, headers, &mut no_body).question(question, facts).await?;
        Ok(told(&answer))
    }

    /// RFC 7517: what proves an access token.
    async fn signing_keys(&self, facts: &Facts) -> Answer {
        let mut keys = Vec::new();
        for accounts in &self.counted.accounts {
            match accounts.public_keys(facts.arrived).await {
                Ok(public) => keys.extend(public),
                Err(failure) => return refusal(failure, &facts.request_id).into_answer(&facts.request_id),
            }
        }
        Answer::json(200, serde_json::json!({ "keys": keys }).to_string())
    }

    /// RFC 9728: who issues the tokens that are taken here.
    fn protected_resource(&self, headers: &HeaderMap) -> Answer {
        let issuers: Vec<&str> = self.settings.issuer.iter().map(|issuer| issuer.name()).collect();
        let mut told = serde_json::json!({
            "resource": site(self.settings.site.as_deref(), headers),
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        if !self.grants.is_empty() {
            told["scopes_supported"] = serde_json::json!(self.grants);
        }
        Answer::json(200, told.to_string())
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
            Self::Procedure(procedure) if answer.status == 200 => procedure.cache,
            Self::SigningKeys if answer.status == 200 => Cache::Public(KEYS_KEPT),
            Self::SigningKeys
            | Self::ProtectedResource
            | Self::Procedure(_)
            | Self::Webhook(_)
            | Self::Preflight
            | Self::Health
            | Self::Ready
            | Self::Metrics
            | Self::OpenApi
            | Self::ReferencePage
            | Self::FileOfReferencePage
            | Self::VisitorPage(_) => Cache::NoStore,
        };
        if cache != Cache::NoStore {
            answer.headers.push(("cache-control", cache.header()));
            answer.headers.extend(cache.vary().map(|vary| ("vary", vary.to_owned())));
        }
        answer
    }
}

impl Route {
    fn new(path: Box<str>, targets: Vec<(Method, Target, RouteMetrics)>) -> Self {
        let cors = match targets.iter().any(|(_, target, _)| matches!(target, Target::Preflight)) {
            true => Cors::On,
            false => Cors::Off,
        };
        Self { path, cors, targets }
    }

    /// The methods, sorted, as in the `Allow` header.
    fn allow(&self) -> String {
        listed(self.targets.iter().map(|(method, ..)| method))
    }

    /// What a preflight is told.
    fn preflight(&self) -> Vec<(&'static str, String)> {
        let methods = self.targets.iter().map(|(method, ..)| method).filter(|method| **method != Method::OPTIONS);
        let accepted = self.targets.iter().find_map(|(_, target, _)| match target {
            Target::Procedure(procedure) => procedure.program.accept_patch,
            _ => None,
        });
        let mut headers = preflight(listed(methods), self.allow());
        headers.extend(accepted.map(|accepted| ("accept-patch", accepted.to_owned())));
        headers
    }
}

/// An answer as the record [`MAY`].
fn told(answer: &Answer) -> Vec<Datum> {
    if answer.status < 400 {
        return vec![Datum::Boolean(true), Datum::Null, Datum::Null, Datum::Null];
    }
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |name: &str| problem[name].as_str().map_or(Datum::Null, |text| Datum::Text(text.to_owned()));
    vec![Datum::Boolean(false), Datum::Integer(answer.status.into()), text("type"), text("detail")]
}

/// The document with who issues the tokens in the place of nobody.
fn named_issuer(openapi: Bytes, issuer: Option<&Issuer>) -> Bytes {
    let Some(issuer) = issuer else { return openapi };
    match std::str::from_utf8(&openapi) {
        Ok(text) if text.contains(CASE_ISSUER) => {
            let name = serde_json::Value::from(issuer.name().trim_end_matches('/')).to_string();
            text.replace(CASE_ISSUER, name.trim_matches('"')).into()
        }
        Ok(_) | Err(_) => openapi,
    }
}

fn listed<'a>(methods: impl Iterator<Item = &'a Method>) -> String {
    let mut methods: Vec<&str> = methods.map(Method::as_str).collect();
    methods.sort_unstable();
    methods.join(", ")
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
        Failure::Store(StoreError::Overlap) => Problem::Overlap.into(),
        Failure::Store(StoreError::Reference) => Problem::InUse.into(),
        Failure::Store(error) if let Some(late) = error.late() => {
            tracing::error!(request_id, kind = "database.performance", code = late.code(), error = %error, "a request failed");
            Refusal::late(late)
        }
        Failure::Store(error @ StoreError::Uncertain(_)) => {
            tracing::error!(request_id, error = %error, "a request failed");
            Refusal::uncertain()
        }
        Failure::Store(error) => {
            tracing::error!(request_id, error = %error, "a request failed");
            if error.is_retryable() { Problem::Unavailable } else { Problem::InternalError }.into()
        }
    }
}
