//! Runs programs: one request, one frame of slots. Statements inside a transaction go to the writer's connection, others to
//! a reader; everything else is the same for both.

use crate::account::{Accounts, Caller, successor};
use crate::answer::{Answer, Refusal};
use crate::api_key::{ApiKeys, Known};
use crate::at_work::{AtWork, Place};
use crate::body::{Kind, Taken, read_json, read_raw};
use crate::cors::Origins;
use crate::csv;
use crate::encode::{self, Key};
use crate::etag::{Weak, names_tag, quoted};
use crate::export::Rest;
use crate::idempotency::{Claim, Claims, Pledge};
use crate::kept::{Answers, Keeping, Version, written};
use crate::listing::{Asked, Nested, Picked};
use crate::metrics::Metrics;
use crate::page::{self, Page};
use crate::password;
use crate::patch::Patch;
use crate::program::{
    Ahead, AnswerParts, AskedOfToken, Bound, CountedFor, Each, Expression, List, Listening, Operation, Program,
    Question, Waiting,
};
use crate::rate_limit::{Attempt, Limiter, Standing, Verdict};
use crate::reading::{Reading, typed};
use crate::request::header;
use crate::service::Service;
use crate::session_cookie;
use crate::validation::{MAX_DEPTH, Wrong, depth, parameter_number, records};
use crate::webhook::{Sent, datum, problem};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use connect::delivery::{Awaited, awaited};
use connect::fill;
use connect::webhook::{NotReceived, ToldBySender, hear};
use dialect::AnswerStatements;
use http::{HeaderMap, Method, Uri};
use hyper::body::Body;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_encode;
use plan::accounts::{NOWHERE, RESOURCE_PATH, identity_hash};
use plan::procedure::{IN_SEGMENT, Outcome, Roles, Scheme, Writes};
use plan::value::{Comparison, Preference};
use plan::{Problem, Query, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use store::{Ended, Row, Store, StoreError, Transaction, Whose};
use tokio::sync::Notify;
use vocab::{Datum, Decimal, FieldName, FieldType, sha256_hex, utc_text};

/// Longest address of an account, in bytes.
const EMAIL_MAX: usize = 254;
/// Longest password, in characters.
const PASSWORD_MAX: usize = 256;
/// How often a transaction is tried while others are at the same rows.
const MOST_TRIES: u32 = 4;
/// What stands before the id of a user who calls.
const USER: &str = "user:";

/// What a request is served with.
pub(crate) struct Surroundings<'a> {
    pub store: &'a Store,
    pub keys: &'a ApiKeys,
    pub metrics: &'a Metrics,
    pub claims: &'a Arc<Claims>,
    pub at_work: &'a AtWork,
    /// Rung when events were committed.
    pub news: &'a Notify,
    /// What everybody is answered.
    pub kept: &'a Answers,
    /// Whose pages may call; none where only those of its own origin.
    pub origins: Option<&'a Origins>,
    /// The address by which others know the server, where it is not the one that a request names.
    pub known_as: Option<&'a str>,
    /// Who knows what other requests would be told.
    pub questions: &'a Service,
}

impl Surroundings<'_> {
    /// The address by which the caller knows the server, without a slash at its end.
    pub fn site(&self, headers: &HeaderMap) -> String {
        site(self.known_as, headers)
    }
}

/// The same where it is said apart.
pub(crate) fn site(known_as: Option<&str>, headers: &HeaderMap) -> String {
    let is_encrypted = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let named = || {
        let host = header(headers, "host").unwrap_or_else(|| "localhost".to_owned());
        format!("{}://{host}", if is_encrypted { "https" } else { "http" })
    };
    known_as.map_or_else(named, ToOwned::to_owned)
}

/// What a request says, apart from its body.
#[derive(Clone)]
pub(crate) struct Facts {
    pub arrived: Timestamp,
    pub method: Method,
    pub uri: Uri,
    pub address: String,
    pub request_id: String,
    /// The path's parameters, decoded.
    pub parameters: Vec<(String, String)>,
    pub if_match: Option<String>,
    /// How it wants to be done, and how much it wants to be answered.
    pub prefer: Option<String>,
}

impl Facts {
    fn prefers(&self, preference: Preference) -> bool {
        self.prefer.as_deref().is_some_and(|header| preference.is_asked_by(header))
    }
}

/// Why a program ended without its own answer.
pub(crate) enum Failure {
    /// The caller is told so.
    Refusal(Refusal),
    /// The caller is told that it failed; the log is told why.
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refusal(problem.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A run with the limit that its answer must state, whatever the answer is.
pub(crate) struct Run<'a, B> {
    surroundings: &'a Surroundings<'a>,
    headers: &'a HeaderMap,
    body: &'a mut B,
    /// Who calls; empty while nobody was authorized.
    principal: String,
    /// The key with which somebody calls, where it is one.
    key: Option<Arc<Known>>,
    /// Whether it is about the caller's own rows alone.
    own_rows: bool,
    pub limit: Option<(Arc<Limiter>, Standing)>,
    claim: Option<Claim>,
    /// Something that counts if it fails, until the answer.
    attempt: Option<Attempt>,
    /// What the answer says of the session's cookie.
    cookie: Option<String>,
    /// The body's bytes, once it was read.
    bytes: Bytes,
    /// The body, where it was read and not looked at.
    body_read: Option<(serde_json::Value, Kind)>,
    /// Given back while the client is waited for.
    place: Option<Place<'a>>,
    /// The tables that its transactions write.
    writes: Arc<[Version]>,
}

/// What a slot holds.
#[derive(Clone)]
enum Slot {
    Empty,
    One(Datum),
    Record(Row),
    Changes(Vec<Option<Datum>>),
    Patch(Box<Patch>),
    Outcome(Outcome),
    Found(Row),
    /// What a service has answered.
    Answered(Row),
    /// Records with these fields.
    List(Vec<Row>, Arc<[Arc<str>]>),
    Asked(Arc<Asked>),
    /// Which fields of a record are wanted; none where it is all of them.
    Picked(Box<Picked>),
    Page(Box<Page>),
}

/// The slots of one run, and what was emitted in it.
#[derive(Clone)]
struct Frame {
    slots: Vec<Slot>,
    facts: Facts,
    emitted: Vec<Arc<str>>,
    /// The accounts of which sessions were ended.
    ended: Vec<Arc<Accounts>>,
    /// Where in a list it is.
    entry: usize,
    /// The preferences of the caller that are met.
    applied: Vec<Preference>,
    /// What a provider's call says.
    received: Row,
    pledge: Option<Pledge>,
    /// How the answer of the transaction is to be kept.
    keeps: Option<Arc<AnswerStatements>>,
}

/// Where a block leaves its program.
enum Flow {
    Continue,
    Exit(Answer, Writes),
}

/// Where statements go.
enum Executor<'a> {
    /// About those rows.
    Store(&'a Store, Whose),
    Transaction(Transaction<'a>, Gathered),
}

/// What a list has in common.
#[derive(Default)]
struct Gathered {
    /// Whether it goes through a list.
    is_open: bool,
    /// Rows that are stored together, by their statement, in the order in which each came first.
    rows: Vec<(Arc<str>, Vec<Vec<Datum>>)>,
    /// What was found since the last write, by the statement and its values.
    known: BTreeMap<Asking, Vec<Row>>,
    /// What was found for all of it together, for as long as it goes, or until it is asked.
    ahead: BTreeMap<Asking, Vec<Row>>,
    once: BTreeMap<Asking, Vec<Row>>,
}

/// A statement and its values.
type Asking = (Arc<str>, String);

impl<'a, B> Run<'a, B>
where
    B: Body<Data = Bytes, Error: Send> + Unpin + Send,
{
    pub fn new(surroundings: &'a Surroundings<'a>, headers: &'a HeaderMap, body: &'a mut B) -> Self {
        let (principal, bytes) = (String::new(), Bytes::new());
        Self {
            surroundings,
            headers,
            body,
            principal,
            key: None,
            own_rows: false,
            limit: None,
            claim: None,
            attempt: None,
            cookie: None,
            bytes,
            body_read: None,
            place: None,
            writes: Arc::default(),
        }
    }

    /// Runs the program to its answer.
    pub async fn program(&mut self, program: &Program, facts: Facts) -> Result<Answer, Failure> {
        let mut frame = Frame { slots: vec![Slot::Empty; program.slots], ..Frame::of(facts) };
        self.place = Some(self.surroundings.at_work.enter()?);
        self.own_rows = program.own_rows;
        self.writes = Arc::clone(&program.writes);
        let flow = match &program.keeping {
            None => self.block(&program.operations, &mut frame).await?,
            Some(keeping) => self.kept(keeping, &program.operations, &mut frame).await?,
        };
        match flow {
            Flow::Exit(mut answer, _) => {
                let cookie = self.cookie.take().filter(|_| answer.status < 400);
                answer.headers.extend(cookie.map(|cookie| ("set-cookie", cookie)));
                Ok(answer)
            }
            Flow::Continue => unreachable!("a checked procedure ends in an exit on every path"),
        }
    }

    /// The same where an answer may have been kept: whoever may not ask, or asks what nobody may, is told so first.
    async fn kept(&mut self, keeping: &Keeping, operations: &[Operation], frame: &mut Frame) -> Result<Flow, Failure> {
        let (before, reading) = operations.split_at(keeping.before);
        if let exit @ Flow::Exit(..) = self.block(before, frame).await? {
            return Ok(exit);
        }
        let Surroundings { kept, metrics, .. } = self.surroundings;
        let asking = match kept.find(keeping, &frame.facts, self.headers, metrics) {
            Ok(answer) => return Ok(Flow::Exit(answer, Writes::Keep)),
            Err(asking) => asking,
        };
        let flow = self.block(reading, frame).await?;
        if let Flow::Exit(answer, _) = &flow {
            kept.keep(asking, answer);
        }
        Ok(flow)
    }

    /// Whose rows its statements are about. Who was not authorized as a user has none.
    fn whose(&self) -> Whose {
        match self.own_rows {
            false => Whose::Everybodys,
            true => Whose::Of(self.principal.strip_prefix(USER).unwrap_or_default().to_owned()),
        }
    }

    /// Runs the program of a call that was read already, which nobody waits for the answer of.
    pub async fn received(&mut self, program: &Program, facts: Facts, record: Row) -> Result<(), Failure> {
        let mut frame = Frame { slots: vec![Slot::Empty; program.slots], received: record, ..Frame::of(facts) };
        self.place = Some(self.surroundings.at_work.enter()?);
        self.writes = Arc::clone(&program.writes);
        self.block(&program.operations, &mut frame).await.map(drop)
    }

    /// Runs the program of a question to the answer that its endpoint would begin with. Fails where nobody can say.
    pub async fn question(&mut self, program: &Program, facts: Facts) -> Result<Answer, Failure> {
        let request_id = facts.request_id.clone();
        let mut frame = Frame { slots: vec![Slot::Empty; program.slots], ..Frame::of(facts) };
        self.own_rows = program.own_rows;
        match self.block(&program.operations, &mut frame).await {
            Ok(Flow::Exit(answer, _)) => Ok(answer),
            Ok(Flow::Continue) => unreachable!("a checked procedure ends in an exit on every path"),
            Err(Failure::Refusal(refusal)) if refusal.is_the_callers() => Ok(refusal.into_answer(&request_id)),
            Err(failure) => Err(failure),
        }
    }

    /// What few requests do waits on the heap, for none of the others to carry room for it.
    fn block<'b>(
        &'b mut self,
        operations: &'b [Operation],
        frame: &'b mut Frame,
    ) -> Pin<Box<dyn Future<Output = Result<Flow, Failure>> + Send + 'b>> {
        Box::pin(async move {
            for operation in operations {
                match operation {
                    Operation::Authorize { scope, failures } => {
                        self.authorize(scope.as_ref(), failures.as_ref(), frame).await?;
                    }
                    Operation::AuthorizeUser { slot, scheme, accounts, role, failures, tries } => {
                        let counted = (failures.as_ref(), tries.as_ref());
                        let caller =
                            Box::pin(self.authorize_user(*scheme, accounts, role.as_ref(), counted, frame)).await?;
                        frame.set(*slot, Slot::Record(caller.record()));
                    }
                    Operation::AuthorizeIssued { slot, asked } => {
                        if let Some(caller) = Box::pin(self.authorize_issued(asked, frame)).await? {
                            frame.set(*slot, Slot::Record(caller.record()));
                        }
                    }
                    Operation::Limit { limiter, by } => {
                        let caller = self.counted_for(by, frame);
                        self.limit(limiter, &caller)?;
                    }
                    Operation::LimitEach { limiter, by, of } => {
                        let caller = self.counted_for(by, frame);
                        let more = frame.part((*of, 0)).len().saturating_sub(1);
                        self.limit_several(limiter, &caller, u32::try_from(more).unwrap_or(u32::MAX))?;
                    }
                    Operation::Part { limiter, by, of, scope } => {
                        let count = frame.part(*of).len();
                        if count > 0 {
                            self.may_all(scope.iter())?;
                            let caller = self.counted_for(by, frame);
                            self.limit_several(limiter, &caller, u32::try_from(count).unwrap_or(u32::MAX))?;
                        }
                    }
                    Operation::Form { slot, max_body_bytes } => {
                        let read = self.json(*max_body_bytes, Taken::Records).await?;
                        let form = if read.0.is_array() { Outcome::Several } else { Outcome::Single };
                        self.body_read = Some(read);
                        frame.set(*slot, Slot::Outcome(form));
                    }
                    Operation::ValidateList { slot, entries, max_body_bytes } => {
                        let (mut body, kind) = self.json(*max_body_bytes, Taken::Records).await?;
                        if kind == Kind::Csv {
                            csv::typed(&mut body, &entries.shape);
                        }
                        let list = records(entries, &body).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Record(vec![list]));
                    }
                    Operation::Spare { limiter, by } => {
                        let caller = self.counted_for(by, frame);
                        self.attempt = Some(self.begun(limiter, &caller)?);
                    }
                    Operation::HashPassword { slot, value } => {
                        let hash = password::hash(text(&frame.value(value))).await?;
                        frame.set(*slot, Slot::One(Datum::Text(hash)));
                    }
                    Operation::VerifyPassword { slot, password, hash } => {
                        let hash = match frame.value(hash) {
                            Datum::Text(hash) => Some(hash),
                            _ => None,
                        };
                        let is_right = password::verify(text(&frame.value(password)), hash).await?;
                        frame.set(*slot, Slot::Outcome(if is_right { Outcome::Yes } else { Outcome::No }));
                    }
                    Operation::IssueToken { slot, accounts, claims, lifetime_seconds } => {
                        let said = claims.iter().map(|(name, value)| (name.to_string(), frame.value(value).to_json()));
                        let token =
                            Box::pin(accounts.issue(said.collect(), *lifetime_seconds, frame.facts.arrived)).await?;
                        frame.set(*slot, Slot::One(Datum::Text(token)));
                    }
                    Operation::SameOrigin => self.same_origin(frame)?,
                    Operation::SetSession { token } => {
                        let token = token.as_ref().map(|token| text(&frame.value(token)));
                        self.cookie = Some(session_cookie::set(self.headers, token.as_deref()));
                    }
                    Operation::Claim => {
                        let caller = if self.principal.is_empty() { by_address(frame) } else { self.principal.clone() };
                        let Facts { method, uri, .. } = &frame.facts;
                        self.claim = Claims::take(self.surroundings.claims, &caller, self.headers, method, uri)?;
                    }
                    Operation::Validate { slot, check } => {
                        let (body, _) = self.json(check.max_body_bytes, Taken::Record).await?;
                        let record = check.record(&body).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Record(record));
                    }
                    Operation::ValidateChanges { slot, check } => {
                        let (body, _) = self.json(check.max_body_bytes, Taken::Changes).await?;
                        let changes = check.changes(&body).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Changes(changes));
                    }
                    Operation::ValidatePatch { slot, check } => {
                        let (body, kind) = self.json(check.check.max_body_bytes, Taken::Patch).await?;
                        let patch = check.read(&body, kind).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Patch(Box::new(patch)));
                    }
                    Operation::ValidateListing { slot, check } => {
                        let format = header(self.headers, "accept").map(|accept| page::accepted(&accept));
                        let asked = check
                            .asked(frame.facts.uri.query().unwrap_or_default(), format)
                            .map_err(Refusal::validation_failed)?;
                        self.may_all(check.scopes(asked.fields.as_deref()))?;
                        frame.set(*slot, Slot::Asked(Arc::new(asked)));
                    }
                    Operation::ValidateSelection { slot, check } => {
                        let asked = check
                            .asked(frame.facts.uri.query().unwrap_or_default())
                            .map_err(Refusal::validation_failed)?;
                        self.may_all(check.scopes(asked.places.as_deref()))?;
                        frame.set(*slot, Slot::Picked(Box::new(asked)));
                    }
                    Operation::ValidateParameters { slot, check } => {
                        let record = check.parameters(&frame.facts.parameters).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Record(record));
                    }
                    Operation::ValidateQuery { slot, check } => {
                        let query = frame.facts.uri.query().unwrap_or_default();
                        let record = check.query(query).map_err(Refusal::validation_failed)?;
                        frame.set(*slot, Slot::Record(record));
                    }
                    Operation::May { slot, method, path } => {
                        let (method, path) = (text(&frame.value(method)), text(&frame.value(path)));
                        let questions = self.surroundings.questions;
                        let told = Box::pin(questions.may(&method, &path, self.headers, &frame.facts)).await?;
                        frame.set(*slot, Slot::Record(told));
                    }
                    Operation::Received { slot } => {
                        let record = std::mem::take(&mut frame.received);
                        frame.set(*slot, Slot::Record(record));
                    }
                    Operation::Hear(listening) => match Box::pin(self.hear(listening, frame)).await? {
                        Some(record) => frame.set(listening.slot, Slot::Record(record)),
                        None => return Ok(Flow::Exit(Answer::empty(204), Writes::Keep)),
                    },
                    Operation::Ping => {
                        if let Err(error) = self.surroundings.store.ping().await {
                            tracing::warn!(request_id = frame.facts.request_id, error = %error, "the database does not answer");
                            return Err(Problem::Unavailable.into());
                        }
                    }
                    Operation::Await(waiting) => Box::pin(self.wait(waiting, frame)).await?,
                    Operation::Transaction(operations) => {
                        let flow = Box::pin(self.transaction(Arc::clone(operations), frame)).await?;
                        if let Flow::Exit(..) = flow {
                            return Ok(flow);
                        }
                    }
                    Operation::Match { slot, arms } => {
                        let arm = frame.arm(*slot, arms);
                        let flow = self.block(arm, frame).await?;
                        if let Flow::Exit(..) = flow {
                            return Ok(flow);
                        }
                    }
                    Operation::Uuid { .. }
                    | Operation::Address { .. }
                    | Operation::Token { .. }
                    | Operation::Digest { .. }
                    | Operation::Successor { .. }
                    | Operation::Evaluate { .. }
                    | Operation::Ask { .. }
                    | Operation::ReadOne { .. }
                    | Operation::ReadPicked { .. }
                    | Operation::ReadMany { .. }
                    | Operation::ReadPage { .. }
                    | Operation::Patched { .. }
                    | Operation::Write { .. }
                    | Operation::Insert { .. }
                    | Operation::Emit { .. } => {
                        data(operation, frame, &mut Executor::Store(self.surroundings.store, self.whose())).await?;
                    }
                    Operation::Recall { .. } | Operation::Each(_) | Operation::Promise(_) => {
                        unreachable!("a checked procedure does this in transactions only")
                    }
                    Operation::Answer { .. }
                    | Operation::Rows { .. }
                    | Operation::Records { .. }
                    | Operation::Problem { .. }
                    | Operation::UnknownReference { .. }
                    | Operation::Inconsistent { .. }
                    | Operation::Entry { .. }
                    | Operation::Short { .. }
                    | Operation::Done { .. } => {
                        return Ok(frame.exit(operation));
                    }
                }
            }
            Ok(Flow::Continue)
        })
    }

    /// A failed attempt counts against the address, so keys cannot be guessed faster than requests are allowed. A good key that
    /// must not do this counts for itself.
    async fn authorize(
        &mut self,
        scope: Option<&Scope>,
        failures: Option<&Arc<Limiter>>,
        frame: &Frame,
    ) -> Result<(), Failure> {
        let presented = presented_key(self.headers);
        let known = match &presented {
            Some(key) => self.surroundings.keys.find(key, frame.facts.arrived).await?,
            None => None,
        };
        if let Some(key) = known {
            self.principal.clone_from(&key.principal);
            self.key = Some(Arc::clone(&key));
            let Some(scope) = scope.filter(|scope| !key.may(scope)) else { return Ok(()) };
            if let Some(limiter) = failures {
                self.limit(limiter, &key.principal)?;
            }
            return Err(Refusal::insufficient_scope(scope).into());
        }
        if let Some(limiter) = failures {
            self.limit(limiter, &by_address(frame))?;
        }
        Err(if presented.is_some() { Problem::InvalidCredentials } else { Problem::MissingCredentials }.into())
    }

    /// Whether the key that was presented is good for all of that besides.
    fn may_all<'s>(&self, mut scopes: impl Iterator<Item = &'s Scope>) -> Result<(), Refusal> {
        let Some(key) = &self.key else { return Ok(()) };
        scopes.find(|scope| !key.may(scope)).map_or(Ok(()), |scope| Err(Refusal::insufficient_scope(scope)))
    }

    /// The same of somebody who signs in, by whichever proof the scheme takes and the request brings.
    async fn authorize_user(
        &mut self,
        scheme: Scheme,
        accounts: &Accounts,
        role: Option<&Roles>,
        (failures, tries): (Option<&Arc<Limiter>>, Option<&Arc<Limiter>>),
        frame: &Frame,
    ) -> Result<Arc<Caller>, Failure> {
        let proof = Proof::of(scheme, self.headers);
        let arrived = frame.facts.arrived;
        let known = match &proof {
            Proof::Token(token) => accounts.find(token, arrived).await?.ok_or(Problem::InvalidToken),
            Proof::Cookie(_) if self.is_foreign(frame) => Err(Problem::CrossOrigin),
            Proof::Cookie(token) => accounts.find_session(token, arrived).await?.ok_or(Problem::InvalidSession),
            Proof::Password(..) if self.is_foreign(frame) => Err(Problem::CrossOrigin),
            Proof::Password(email, password) => self.by_password(accounts, (email, password), tries).await?,
            Proof::Missing(problem) => Err(*problem),
        };
        let caller = match known {
            Ok(caller) => caller,
            Err(problem) => {
                if let Some(limiter) = failures {
                    self.limit(limiter, &by_address(frame))?;
                }
                return Err(problem.into());
            }
        };
        self.becomes(&caller, role, failures)?;
        Ok(caller)
    }

    /// Whoever another issuer proves: a user, where one must call. What cannot be checked counts for nobody.
    async fn authorize_issued(&mut self, asked: &AskedOfToken, frame: &Frame) -> Result<Option<Arc<Caller>>, Failure> {
        let AskedOfToken { issuer, users, role, grant, failures } = asked;
        let (presented, arrived) = (bearer(self.headers), frame.facts.arrived);
        let known = match (&presented, issuer) {
            (None, _) => Err(Problem::MissingToken),
            (Some(_), None) => return Err(Problem::IssuerUnavailable.into()),
            (Some(token), Some(issuer)) => issuer.check(token, arrived).await.map(|issued| (issuer, issued)),
        };
        let metadata = || format!("{}{RESOURCE_PATH}", self.surroundings.site(self.headers));
        let (issuer, issued) = match known {
            Ok(known) => known,
            Err(Problem::IssuerUnavailable) => return Err(Problem::IssuerUnavailable.into()),
            Err(problem) => {
                let refusal = Refusal::of_issued_token(problem, &metadata());
                if let Some(limiter) = failures {
                    self.limit(limiter, &by_address(frame))?;
                }
                return Err(refusal.into());
            }
        };
        self.principal = format!("subject:{}", identity_hash(issuer.name(), &issued.subject));
        if let Some(grant) = grant.as_ref().filter(|grant| !issued.grants.contains(grant.as_str())) {
            let refusal = Refusal::insufficient_grant(grant, &metadata());
            if let Some(limiter) = failures {
                self.limit(limiter, &self.principal.clone())?;
            }
            return Err(refusal.into());
        }
        let Some(users) = users else { return Ok(None) };
        let caller = match users.find(issuer.name(), &issued, arrived).await {
            Ok(caller) => caller,
            Err(failure) => {
                if let Some(limiter) = failures {
                    self.limit(limiter, &self.principal.clone())?;
                }
                return Err(failure);
            }
        };
        self.becomes(&caller, role.as_ref(), failures.as_ref())?;
        Ok(Some(caller))
    }

    /// Here alone a user becomes who calls, and is held against the role that is asked for.
    fn becomes(
        &mut self,
        caller: &Caller,
        role: Option<&Roles>,
        failures: Option<&Arc<Limiter>>,
    ) -> Result<(), Refusal> {
        self.principal = format!("{USER}{}", caller.user_id);
        let Some(roles) = role.filter(|roles| !roles.include(&caller.role)) else { return Ok(()) };
        if let Some(limiter) = failures {
            self.limit(limiter, &self.principal.clone())?;
        }
        Err(Refusal::insufficient_role(roles))
    }

    /// What fails counts for the address that was tried, whether anybody has it or not. What was found right a while ago is not kept
    /// out by others who try the address.
    async fn by_password(
        &mut self,
        accounts: &Accounts,
        (email, password): (&str, &str),
        tries: Option<&Arc<Limiter>>,
    ) -> Result<Result<Arc<Caller>, Problem>, Failure> {
        let tried = format!("name:{}", email.to_lowercase());
        let asked = tries.filter(|_| !accounts.remembers_password(email, password));
        let _attempt = asked.map(|limiter| self.begun(limiter, &tried)).transpose()?;
        if let Some(caller) = accounts.find_by_password(email, password).await? {
            return Ok(Ok(Arc::new(caller)));
        }
        if let Some(limiter) = tries {
            self.limit(limiter, &tried)?;
        }
        Ok(Err(Problem::InvalidPassword))
    }

    fn same_origin(&self, frame: &Frame) -> Result<(), Failure> {
        if self.is_foreign(frame) { Err(Problem::CrossOrigin.into()) } else { Ok(()) }
    }

    fn is_foreign(&self, frame: &Frame) -> bool {
        session_cookie::is_foreign(&frame.facts.method, self.headers, self.surroundings.origins)
    }

    fn counted_for(&self, by: &CountedFor, frame: &Frame) -> String {
        match by {
            CountedFor::Principal => self.principal.clone(),
            CountedFor::Address => by_address(frame),
            CountedFor::Field(slot, field) => {
                format!("name:{}", text(&frame.value(&Expression::Field(*slot, *field))).to_lowercase())
            }
        }
    }

    /// Whoever waits for a client keeps nobody else from being worked for.
    async fn json(&mut self, limit: u64, taken: Taken) -> Result<(serde_json::Value, Kind), Failure> {
        if let Some(read) = self.body_read.take() {
            return Ok(read);
        }
        self.place = None;
        let (value, bytes, kind) = read_json(self.headers, self.body, limit, taken).await?;
        self.place = Some(self.surroundings.at_work.enter()?);
        self.bytes = bytes;
        Ok((value, kind))
    }

    /// A call of a sender; nothing where it is of a type that is not taken. One of a stranger counts against its address.
    async fn hear(&mut self, listening: &Listening, frame: &Frame) -> Result<Option<Row>, Failure> {
        self.place = None;
        let bytes = read_raw(self.headers, self.body, listening.check.max_body_bytes).await?;
        self.place = Some(self.surroundings.at_work.enter()?);
        let Facts { method, uri, arrived, request_id, .. } = &frame.facts;
        let sent = Sent::of(uri, self.headers, self.surroundings.known_as);
        let call = sent.call(method, &bytes, *arrived);
        let told = hear(&listening.hearing, &*listening.account, uri.path(), &call);
        let ToldBySender { dedup, kind, fields } = match told {
            Ok(_) if depth(&bytes) > MAX_DEPTH => return Err(Problem::MalformedBody.into()),
            Ok(Some(told)) => told,
            Ok(None) => return Ok(None),
            Err(error) => {
                let (title, path) = (&listening.hearing.title, uri.path());
                tracing::warn!(request_id, sender = title, path, error = %error, "a call was not taken in");
                if let NotReceived::Stranger(_) = error {
                    self.limit(&listening.failures, &by_address(frame))?;
                }
                return Err(problem(&error).into());
            }
        };
        let mut record = listening.check.record(&fields).map_err(Refusal::validation_failed)?;
        record.extend([Datum::Text(dedup), Datum::Text(kind)]);
        Ok(Some(record))
    }

    fn limit(&mut self, limiter: &Arc<Limiter>, caller: &str) -> Result<(), Refusal> {
        let standing = limiter.take(caller);
        self.limit = Some((Arc::clone(limiter), standing));
        match standing.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Refuse => Err(self.refused(limiter, standing)),
        }
    }

    fn limit_several(&mut self, limiter: &Arc<Limiter>, caller: &str, count: u32) -> Result<(), Refusal> {
        let standing = limiter.take_several(caller, count);
        self.limit = Some((Arc::clone(limiter), standing));
        match standing.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Refuse => Err(self.refused(limiter, standing)),
        }
    }

    /// What counts only if it fails begins.
    fn begun(&mut self, limiter: &Arc<Limiter>, caller: &str) -> Result<Attempt, Refusal> {
        limiter.attempt(caller).map_err(|standing| {
            self.limit = Some((Arc::clone(limiter), standing));
            self.refused(limiter, standing)
        })
    }

    fn refused(&self, limiter: &Limiter, standing: Standing) -> Refusal {
        let policy = limiter.policy();
        self.surroundings.metrics.rate_limited(policy.name.as_str());
        Refusal::rate_limited(policy.quota, policy.window_seconds, standing.reset_seconds)
    }

    /// Whoever waits for a service keeps nobody else from being worked for.
    async fn wait(&mut self, waiting: &Waiting, frame: &mut Frame) -> Result<(), Failure> {
        self.place = None;
        let id = text(&frame.value(&waiting.id));
        let gives = (&waiting.gives, &*waiting.account as &(dyn fill::Scope + Sync));
        let came = awaited(self.surroundings.store, &id, &waiting.integration, gives, waiting.within).await?;
        self.place = Some(self.surroundings.at_work.enter()?);
        let slot = match came {
            Awaited::Answered(mut values) => {
                let value = |name| values.remove(name).map_or(Datum::Null, datum);
                Slot::Answered(waiting.names.iter().map(value).collect())
            }
            Awaited::Refused => Slot::Outcome(Outcome::Refused),
            Awaited::Unknown => Slot::Outcome(Outcome::Unknown),
        };
        frame.set(waiting.slot, slot);
        Ok(())
    }

    /// A copy of the frame goes into the transaction's work and comes back with its answer. Where others were at the same rows, or the
    /// connection ended before the commit, nothing was done, and it is tried again.
    async fn transaction(&mut self, operations: Arc<[Operation]>, frame: &mut Frame) -> Result<Flow, Failure> {
        frame.pledge = self.claim.as_ref().map(|claim| claim.pledge(&self.bytes));
        let (store, whose) = (self.surroundings.store, self.whose());
        let mut tries = 1;
        let (returned, flow) = loop {
            match try_transaction(store, &whose, Arc::clone(&operations), frame.clone()).await {
                Err(StoreError::Contended(why) | StoreError::Lost(why)) if tries < MOST_TRIES => {
                    tracing::debug!(request_id = frame.facts.request_id, why, "a transaction is tried again");
                    tries += 1;
                }
                // What was not there a moment ago is there now, and can be changed.
                Err(StoreError::Conflict) if tries == 1 && frame.facts.prefers(Preference::Merge) => tries += 1,
                ended => break ended??,
            }
        };
        *frame = returned;
        frame.ended.drain(..).for_each(|accounts| accounts.forget());
        let emitted = std::mem::take(&mut frame.emitted);
        if !matches!(flow, Flow::Exit(_, Writes::Undo)) {
            written(&self.writes);
            emitted.iter().for_each(|event| self.surroundings.metrics.emitted(event));
            if !emitted.is_empty() {
                self.surroundings.news.notify_one();
            }
        }
        Ok(flow)
    }
}

async fn try_transaction(
    store: &Store,
    whose: &Whose,
    operations: Arc<[Operation]>,
    mut frame: Frame,
) -> Result<Result<(Frame, Flow), Failure>, StoreError> {
    let work = store.transaction_about(whose, move |transaction| {
        Box::pin(async move {
            let mut executor = Executor::Transaction(transaction, Gathered::default());
            let ended = data_block(&operations, &mut frame, &mut executor).await;
            if let (Ok(Flow::Exit(answer, Writes::Keep)), Some(answers), Some(pledge)) =
                (&ended, &frame.keeps, &frame.pledge)
            {
                executor.send(&answers.keep, pledge.keep(answer)).await?;
            }
            match ended {
                Ok(flow @ Flow::Exit(_, Writes::Undo)) => Ok(Ended::Undo(Ok((frame, flow)))),
                Ok(flow) => Ok(Ended::Commit(Ok((frame, flow)))),
                Err(Failure::Store(error)) => Err(error),
                Err(refusal) => Ok(Ended::Undo(Err(refusal))),
            }
        })
    });
    work.await
}

/// The block of a transaction: nothing in it waits for the client or the network.
fn data_block<'b>(
    operations: &'b [Operation],
    frame: &'b mut Frame,
    executor: &'b mut Executor<'_>,
) -> Pin<Box<dyn Future<Output = Result<Flow, Failure>> + Send + 'b>> {
    Box::pin(async move {
        for operation in operations {
            match operation {
                Operation::Match { slot, arms } => {
                    let arm = frame.arm(*slot, arms);
                    let flow = data_block(arm, frame, executor).await?;
                    if let Flow::Exit(..) = flow {
                        return Ok(flow);
                    }
                }
                Operation::Each(each) => {
                    if let flow @ Flow::Exit(..) = gone_through(each, frame, executor).await? {
                        return Ok(flow);
                    }
                }
                Operation::Promise(parts) => {
                    let promised = frame.answer(parts);
                    if let (Some(answers), Some(pledge)) = (&frame.keeps, &frame.pledge) {
                        executor.send(&answers.keep, pledge.keep(&promised)).await?;
                    }
                }
                Operation::Answer { .. }
                | Operation::Rows { .. }
                | Operation::Records { .. }
                | Operation::Problem { .. }
                | Operation::UnknownReference { .. }
                | Operation::Inconsistent { .. }
                | Operation::Entry { .. }
                | Operation::Short { .. }
                | Operation::Done { .. } => {
                    return Ok(frame.exit(operation));
                }
                Operation::Uuid { .. }
                | Operation::Address { .. }
                | Operation::Token { .. }
                | Operation::Digest { .. }
                | Operation::Successor { .. }
                | Operation::Evaluate { .. }
                | Operation::Ask { .. }
                | Operation::ReadOne { .. }
                | Operation::ReadPicked { .. }
                | Operation::ReadMany { .. }
                | Operation::ReadPage { .. }
                | Operation::Patched { .. }
                | Operation::Write { .. }
                | Operation::Insert { .. }
                | Operation::Emit { .. } => data(operation, frame, executor).await?,
                Operation::Recall { answers } => {
                    if let Some(answer) = recall(answers, frame, executor).await? {
                        return Ok(Flow::Exit(answer, Writes::Undo));
                    }
                }
                Operation::Authorize { .. }
                | Operation::AuthorizeUser { .. }
                | Operation::AuthorizeIssued { .. }
                | Operation::SameOrigin
                | Operation::SetSession { .. }
                | Operation::Limit { .. }
                | Operation::LimitEach { .. }
                | Operation::Part { .. }
                | Operation::Form { .. }
                | Operation::ValidateList { .. }
                | Operation::Spare { .. }
                | Operation::HashPassword { .. }
                | Operation::VerifyPassword { .. }
                | Operation::IssueToken { .. }
                | Operation::Claim
                | Operation::Validate { .. }
                | Operation::ValidateChanges { .. }
                | Operation::ValidatePatch { .. }
                | Operation::ValidateListing { .. }
                | Operation::ValidateSelection { .. }
                | Operation::ValidateParameters { .. }
                | Operation::ValidateQuery { .. }
                | Operation::May { .. }
                | Operation::Received { .. }
                | Operation::Hear(_)
                | Operation::Ping
                | Operation::Await(_)
                | Operation::Transaction(_) => unreachable!("a checked procedure has no such step in a transaction"),
            }
        }
        Ok(Flow::Continue)
    })
}

/// The body for every record of the list.
async fn gone_through(each: &Each, frame: &mut Frame, executor: &mut Executor<'_>) -> Result<Flow, Failure> {
    let entries = frame.part(each.of).to_vec();
    executor.begun().1.is_open = true;
    for ahead in &each.ahead {
        let (name, field_type) = &each.fields[ahead.field];
        let values = entries.iter().map(|entry| entry_value(&entry[&**name], field_type)).collect();
        let rest: Vec<Datum> = ahead.rest.iter().map(|expression| frame.value(expression)).collect();
        executor.look_ahead(ahead, values, &rest).await?;
    }
    let mut given = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let value = |(name, field_type): &(Arc<str>, FieldType)| entry_value(&entry[&**name], field_type);
        frame.slots[each.item] = Slot::Record(each.fields.iter().map(value).collect());
        frame.entry = index;
        match data_block(&each.body, frame, executor).await? {
            Flow::Continue => {}
            flow @ Flow::Exit(_, Writes::Keep) => {
                executor.closed().await?;
                return Ok(flow);
            }
            flow @ Flow::Exit(_, Writes::Undo) => return Ok(flow),
        }
        given.push(each.gives.iter().map(|(_, expression)| frame.value(expression)).collect());
    }
    executor.closed().await?;
    let names = each.gives.iter().map(|(name, _)| Arc::clone(name)).collect();
    frame.slots[each.into] = Slot::List(given, names);
    Ok(Flow::Continue)
}

/// A value that a checked document holds.
fn entry_value(given: &serde_json::Value, field_type: &FieldType) -> Datum {
    match (field_type, given) {
        (FieldType::Decimal { scale }, serde_json::Value::String(text)) => {
            Decimal::parse(text, *scale).map_or(Datum::Null, Datum::Decimal)
        }
        _ => datum(given.clone()),
    }
}

/// The answer that was kept for the request, if it brings a key and was answered before. Else the answer to come is kept.
async fn recall(
    answers: &Arc<AnswerStatements>,
    frame: &mut Frame,
    executor: &mut Executor<'_>,
) -> Result<Option<Answer>, Failure> {
    let Some(pledge) = &frame.pledge else { return Ok(None) };
    let asked = pledge.find(frame.facts.arrived);
    if let (Some(hold), Some(claim)) = (&answers.hold, asked.first()) {
        executor.read(&Arc::from(hold.as_str()), vec![claim.clone()]).await?;
    }
    let rows = executor.read(&Arc::from(answers.find.as_str()), asked).await?;
    match rows.first() {
        Some(row) => Ok(Some(pledge.recalled(row)?)),
        None => {
            frame.keeps = Some(Arc::clone(answers));
            Ok(None)
        }
    }
}

/// One step that needs nothing but slots and the database.
async fn data(operation: &Operation, frame: &mut Frame, executor: &mut Executor<'_>) -> Result<(), Failure> {
    match operation {
        Operation::Uuid { slot } => frame.set(*slot, Slot::One(Datum::Text(uuid::Uuid::now_v7().to_string()))),
        Operation::Address { slot } => {
            let address = format!("deleted-{}@{NOWHERE}", uuid::Uuid::now_v7());
            frame.set(*slot, Slot::One(Datum::Text(address)));
        }
        Operation::Token { slot, bytes } => {
            let mut random = vec![0; usize::from(*bytes)];
            getrandom::fill(&mut random).map_err(|_| Problem::InternalError)?;
            frame.set(*slot, Slot::One(Datum::Text(URL_SAFE_NO_PAD.encode(random))));
        }
        Operation::Digest { slot, value } => {
            let digest = sha256_hex(text(&frame.value(value)).as_bytes());
            frame.set(*slot, Slot::One(Datum::Text(digest)));
        }
        Operation::Successor { slot, secret, value } => {
            let next = successor(secret, &text(&frame.value(value)));
            frame.set(*slot, Slot::One(Datum::Text(next)));
        }
        Operation::Evaluate { slot, value } => {
            let value = frame.value(value);
            frame.set(*slot, Slot::One(value));
        }
        Operation::Ask { slot, condition } => {
            let outcome = if frame.holds(condition) { Outcome::Yes } else { Outcome::No };
            if let (Question::Prefers(preference), Outcome::Yes) = (condition, outcome) {
                frame.applied.push(*preference);
            }
            frame.set(*slot, Slot::Outcome(outcome));
        }
        Operation::ReadOne { slot, statement, types } => {
            let rows = executor.look_up(&statement.text, frame.binds(statement)).await?;
            let found = rows.into_iter().next().map(|row| Slot::Found(typed(row, types)));
            frame.set(*slot, found.unwrap_or(Slot::Outcome(Outcome::Missing)));
        }
        Operation::ReadPicked { slot, list, asked, plain } => {
            let Slot::Picked(picked) = &frame.slots[*asked] else {
                unreachable!("a checked procedure fills a read by what was asked of it")
            };
            let nested = &picked.nested;
            let asked = picked.places.iter().flatten();
            let related: Vec<usize> = asked.filter_map(|place| place.checked_sub(*plain)).collect();
            let mut places: Vec<usize> = (0..list.columns()).collect();
            let mut text = Arc::clone(&list.base.text);
            let mut parameters = Vec::new();
            if !related.is_empty() {
                places.extend(related.iter().map(|place| list.columns() + place));
                let query = list.narrowed(&places, &[]);
                let lowered = dialect::lower_query_with(&list.database, &query, &nested.listings);
                text = lowered.map_err(|_| Problem::InternalError)?.text.into();
                parameters = frame.binds_of_related(list, &query, nested);
                places = list.places(&query);
            }
            parameters.extend(frame.binds(&list.base));
            let rows = executor.read(&text, parameters).await?;
            let found = rows.into_iter().next().map(|row| list.typed(&places, nested, row)).transpose()?;
            // What nobody has asked for has a place in the slot, too.
            let whole = |row: Row| {
                let mut whole = vec![Datum::Null; list.query.outputs.len()];
                places.iter().zip(row).for_each(|(place, datum)| whole[*place] = datum);
                Slot::Found(whole)
            };
            frame.set(*slot, found.map_or(Slot::Outcome(Outcome::Missing), whole));
        }
        Operation::ReadMany { slot, statement, types, names } => {
            let rows = executor.read(&statement.text, frame.binds(statement)).await?;
            let rows = rows.into_iter().map(|row| typed(row, types)).collect();
            frame.set(*slot, Slot::List(rows, Arc::clone(names)));
        }
        Operation::ReadPage { slot, list, asked } => {
            let Slot::Asked(asked) = &frame.slots[*asked] else {
                unreachable!("a checked procedure fills a list by what was asked of it")
            };
            let of_related = |query: &Query| frame.binds_of_related(list, query, &asked.nested);
            let reading = Reading::new(list, asked, frame.binds(&list.base), of_related)?;
            if let Some(summary) = &asked.summary {
                let (text, parameters) = reading.summary(&summary.asked)?;
                let page = summary.page(executor.read(&text, parameters).await?)?;
                frame.set(*slot, Slot::Page(Box::new(page)));
                return Ok(());
            }
            let (text, parameters) = reading.statement(&asked.listing);
            let rows = executor.read(&text, parameters).await.map_err(|error| reading.explained(error))?;
            let (mut page, after) = reading.page(rows, asked.page)?;
            if let Some(counting) = asked.counting {
                let (text, parameters) = reading.count(counting);
                let counted = executor.read(&text, parameters).await.map_err(|error| reading.explained(error))?;
                // A document database counts nothing where there is nothing.
                let total = match counted.first().and_then(|row| row.first()) {
                    Some(Datum::Integer(total)) => *total,
                    _ => 0,
                };
                page.total = Some((total, counting));
            }
            if let Some(after) = after.filter(|_| asked.beyond > 0) {
                let Executor::Store(store, whose) = executor else {
                    unreachable!("a long answer is read in no transaction: it would last as long as its client likes")
                };
                let (store, whose, left) = (store.clone(), whose.clone(), asked.beyond);
                page.rest = Some(Arc::new(Rest { store, whose, reading, after, left }));
            }
            frame.set(*slot, Slot::Page(Box::new(page)));
        }
        Operation::Write { slot, statement, outcomes, ends } => {
            let values = frame.binds(statement);
            if outcomes.is_none() && ends.is_none() {
                return Ok(executor.send(&statement.text, values).await?);
            }
            let changed = executor.execute(&statement.text, &values).await?;
            frame.ended.extend(ends.iter().filter(|_| changed > 0).cloned());
            if let Some([some, none]) = outcomes {
                frame.set(*slot, Slot::Outcome(if changed > 0 { *some } else { *none }));
            }
        }
        Operation::Insert { slot, statement } => {
            let key = executor.insert(&statement.text, &frame.binds(statement)).await?;
            frame.set(*slot, Slot::One(key));
        }
        Operation::Patched { slot, patch, row, check } => {
            let row = row.iter().map(|(slot, position)| frame.value(&Expression::Field(*slot, *position))).collect();
            let Slot::Patch(patch) = &frame.slots[*patch] else {
                unreachable!("a checked procedure applies patches only")
            };
            let changes = check.applied(Patch::clone(patch), row)?;
            frame.set(*slot, Slot::Changes(changes));
        }
        Operation::Emit { id, event, payload, text } => {
            let parameters = vec![
                match id {
                    Some(id) => frame.value(&Expression::Slot(*id)),
                    None => Datum::Text(uuid::Uuid::now_v7().to_string()),
                },
                Datum::Text(event.to_string()),
                Datum::Json(frame.object(payload)),
                Datum::Text(timestamp(frame.facts.arrived)),
            ];
            executor.send(text, parameters).await?;
            frame.emitted.push(Arc::clone(event));
        }
        Operation::Authorize { .. }
        | Operation::AuthorizeUser { .. }
        | Operation::AuthorizeIssued { .. }
        | Operation::SameOrigin
        | Operation::SetSession { .. }
        | Operation::Limit { .. }
        | Operation::LimitEach { .. }
        | Operation::Part { .. }
        | Operation::Form { .. }
        | Operation::ValidateList { .. }
        | Operation::Spare { .. }
        | Operation::HashPassword { .. }
        | Operation::VerifyPassword { .. }
        | Operation::IssueToken { .. }
        | Operation::Claim
        | Operation::Recall { .. }
        | Operation::Validate { .. }
        | Operation::ValidateChanges { .. }
        | Operation::ValidatePatch { .. }
        | Operation::ValidateListing { .. }
        | Operation::ValidateSelection { .. }
        | Operation::ValidateParameters { .. }
        | Operation::ValidateQuery { .. }
        | Operation::May { .. }
        | Operation::Received { .. }
        | Operation::Hear(_)
        | Operation::Ping
        | Operation::Await(_)
        | Operation::Transaction(_)
        | Operation::Each(_)
        | Operation::Promise(_)
        | Operation::Match { .. }
        | Operation::Answer { .. }
        | Operation::Rows { .. }
        | Operation::Records { .. }
        | Operation::Problem { .. }
        | Operation::UnknownReference { .. }
        | Operation::Inconsistent { .. }
        | Operation::Entry { .. }
        | Operation::Short { .. }
        | Operation::Done { .. } => unreachable!("blocks handle these themselves"),
    }
    Ok(())
}

impl<'a> Executor<'a> {
    async fn read(&mut self, text: &Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Store(store, whose) => store.read_about(whose, Arc::clone(text), parameters).await,
            Self::Transaction(..) => self.settled().await?.read(text, &parameters).await,
        }
    }

    /// The same; of a list what was asked already is not asked again.
    async fn look_up(&mut self, text: &Arc<str>, parameters: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        let gathered = match self {
            Self::Transaction(_, gathered) if gathered.is_open => gathered,
            Self::Transaction(..) | Self::Store(..) => return self.read(text, parameters).await,
        };
        let key = known_by(text, &parameters);
        if let Some(rows) = gathered.once.remove(&key).or_else(|| gathered.ahead.get(&key).cloned()) {
            return Ok(rows);
        }
        if let Some(rows) = gathered.known.get(&key) {
            return Ok(rows.clone());
        }
        let rows = self.read(text, parameters).await?;
        self.begun().1.known.insert(key, rows.clone());
        Ok(rows)
    }

    /// Looks for many together; what the answer leaves open is asked for by itself when it is needed.
    async fn look_ahead(&mut self, ahead: &Ahead, values: Vec<Datum>, rest: &[Datum]) -> Result<(), StoreError> {
        let values = told_apart(values, ahead.changes);
        // What is compared by other rules than those of bytes: only then it is known that there is no such row.
        let are_plain = values.iter().all(|value| value.to_json().to_string().is_ascii());
        let mut left = values.as_slice();
        while let Some((text, count)) = dialect::finds(&ahead.text, left.len()) {
            let (part, more) = left.split_at(count);
            let rows = self.read(&Arc::from(text), [part, rest].concat()).await?;
            let key = |value: &Datum| known_by(&ahead.text, &[std::slice::from_ref(value), rest].concat());
            let asked: BTreeSet<_> = part.iter().map(key).collect();
            let mut found: BTreeMap<_, Vec<Row>> = BTreeMap::new();
            rows.into_iter().for_each(|row| found.entry(key(&row[ahead.output])).or_default().push(row));
            if are_plain && found.keys().all(|key| asked.contains(key)) {
                for key in asked {
                    found.entry(key).or_default();
                }
            }
            let gathered = self.begun().1;
            let known = if ahead.changes { &mut gathered.once } else { &mut gathered.ahead };
            known.extend(found);
            left = more;
        }
        Ok(())
    }

    async fn execute(&mut self, text: &str, parameters: &[Datum]) -> Result<u64, StoreError> {
        self.writing();
        self.settled().await?.execute(text, parameters).await
    }

    /// The same where nobody asks what it changes. Of a list, rows of one statement go out together, before anything else is asked or changed.
    async fn send(&mut self, text: &str, parameters: Vec<Datum>) -> Result<(), StoreError> {
        let (transaction, gathered) = self.writing();
        if !gathered.is_open {
            return transaction.send(text, parameters).await;
        }
        match gathered.rows.iter_mut().find(|(known, _)| **known == *text) {
            Some((_, rows)) => rows.push(parameters),
            None => gathered.rows.push((Arc::from(text), vec![parameters])),
        }
        Ok(())
    }

    /// The key that the database has made for the new row, which leads to none of those that are gathered.
    async fn insert(&mut self, text: &str, parameters: &[Datum]) -> Result<Datum, StoreError> {
        self.writing().0.insert(text, parameters).await
    }

    /// A list is at its end.
    async fn closed(&mut self) -> Result<(), StoreError> {
        self.settled().await?;
        *self.begun().1 = Gathered::default();
        Ok(())
    }

    /// What was found before may be otherwise from here on.
    fn writing(&mut self) -> (&mut Transaction<'a>, &mut Gathered) {
        let (transaction, gathered) = self.begun();
        gathered.known.clear();
        (transaction, gathered)
    }

    fn begun(&mut self) -> (&mut Transaction<'a>, &mut Gathered) {
        match self {
            Self::Store(..) => unreachable!("a checked procedure writes in transactions only"),
            Self::Transaction(transaction, gathered) => (transaction, gathered),
        }
    }

    /// The transaction, once what was gathered is stored.
    async fn settled(&mut self) -> Result<&mut Transaction<'a>, StoreError> {
        let (transaction, gathered) = self.begun();
        for (text, rows) in std::mem::take(&mut gathered.rows) {
            let mut rest = rows.as_slice();
            while !rest.is_empty() {
                let (statement, count) = dialect::stores(&text, rest.len());
                transaction.send(&statement, rest[..count].concat()).await?;
                rest = &rest[count..];
            }
        }
        Ok(transaction)
    }
}

/// The values that differ by more than their case, each once; with `alone` none that several have.
fn told_apart(mut values: Vec<Datum>, alone: bool) -> Vec<Datum> {
    let written = |value: &Datum| value.to_json().to_string();
    let mut alike: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for value in &values {
        let value = written(value);
        *alike.entry(value.to_lowercase()).or_default().entry(value).or_default() += 1;
    }
    let mut seen = BTreeSet::new();
    values.retain(|value| {
        let text = written(value);
        let others = &alike[&text.to_lowercase()];
        *value != Datum::Null && others.len() == 1 && (!alone || others[&text] == 1) && seen.insert(text)
    });
    values
}

fn known_by(text: &Arc<str>, values: &[Datum]) -> Asking {
    (Arc::clone(text), values.iter().map(Datum::to_json).collect::<serde_json::Value>().to_string())
}

impl Frame {
    fn of(facts: Facts) -> Self {
        let (slots, emitted, received) = (Vec::new(), Vec::new(), Row::new());
        Self {
            slots,
            facts,
            emitted,
            ended: Vec::new(),
            entry: 0,
            applied: Vec::new(),
            received,
            pledge: None,
            keeps: None,
        }
    }

    /// The records in that field of a body's record; none where nothing was sent.
    fn part(&self, (slot, field): (usize, usize)) -> &[serde_json::Value] {
        match &self.slots[slot] {
            Slot::Record(record) => match &record[field] {
                Datum::Json(serde_json::Value::Array(list)) => list,
                Datum::Null => &[],
                _ => unreachable!("a list was checked to be one"),
            },
            _ => unreachable!("a checked procedure goes through lists of a body"),
        }
    }

    fn set(&mut self, slot: Option<usize>, value: Slot) {
        if let Some(slot) = slot {
            self.slots[slot] = value;
        }
    }

    fn arm<'o>(&self, slot: usize, arms: &'o [(Outcome, Vec<Operation>)]) -> &'o [Operation] {
        let outcome = match &self.slots[slot] {
            Slot::Outcome(outcome) => *outcome,
            Slot::Found(_) => Outcome::Found,
            Slot::Answered(_) => Outcome::Answered,
            Slot::Empty
            | Slot::One(_)
            | Slot::Record(_)
            | Slot::List(..)
            | Slot::Changes(_)
            | Slot::Patch(_)
            | Slot::Asked(_)
            | Slot::Picked(_)
            | Slot::Page(_) => {
                unreachable!("a checked procedure matches outcomes only")
            }
        };
        let arm = arms.iter().find(|(of, _)| *of == outcome);
        arm.map_or_else(
            || unreachable!("a checked procedure has an arm for every outcome"),
            |(_, body)| body.as_slice(),
        )
    }

    fn exit(&self, operation: &Operation) -> Flow {
        match operation {
            Operation::Answer { answer: parts, writes } => Flow::Exit(self.answer(parts), *writes),
            Operation::Rows { slot, columns, format, is_asked, writes } => {
                let Slot::Page(page) = &self.slots[*slot] else {
                    unreachable!("a checked procedure answers with the rows of a list")
                };
                let query = self.facts.uri.query().unwrap_or_default();
                if !is_asked {
                    return Flow::Exit(page::answer(page, columns, *format, query), *writes);
                }
                let mut answer = page::answer(page, columns, page.format.unwrap_or(*format), query);
                answer.headers.push(("vary", "Accept".to_owned()));
                Flow::Exit(answer, *writes)
            }
            Operation::Records { status, slot, writes } => {
                let list = self.value(&Expression::Slot(*slot)).to_json();
                let mut answer = Answer::json(*status, list.to_string());
                answer.headers.extend(self.applied());
                Flow::Exit(answer, *writes)
            }
            Operation::Problem { problem, writes } => {
                Flow::Exit(Refusal::from(*problem).into_answer(&self.facts.request_id), *writes)
            }
            Operation::Inconsistent { field, detail, writes } => {
                let refusal = Refusal::validation_failed(vec![Wrong::inconsistent(field.as_str(), detail)]);
                Flow::Exit(refusal.into_answer(&self.facts.request_id), *writes)
            }
            Operation::UnknownReference { field, writes } => {
                let refusal = Refusal::validation_failed(vec![Wrong::unknown_reference(field.as_str())]);
                Flow::Exit(refusal.into_answer(&self.facts.request_id), *writes)
            }
            Operation::Entry { list, field, detail, writes } => {
                let wrong = Wrong::in_entry(
                    list.as_ref().map(FieldName::as_str),
                    self.entry,
                    field.as_str(),
                    detail.as_deref(),
                );
                Flow::Exit(Refusal::validation_failed(vec![wrong]).into_answer(&self.facts.request_id), *writes)
            }
            Operation::Short { list, field, writes } => {
                let short = Wrong::short(list.as_str(), self.entry, field.as_str());
                Flow::Exit(Refusal::out_of_stock(short).into_answer(&self.facts.request_id), *writes)
            }
            Operation::Done { writes } => Flow::Exit(Answer::empty(204), *writes),
            _ => unreachable!("called for exits only"),
        }
    }

    fn answer(&self, parts: &AnswerParts) -> Answer {
        let mut answer = match parts.body.is_empty() {
            true => Answer::empty(parts.status),
            false => Answer::json(parts.status, self.encoded(parts)),
        };
        answer.headers.extend(self.applied());
        if let Some(tag) = parts.tag.as_ref().filter(|_| !self.has_related(parts)) {
            answer.headers.push(("etag", quoted(&text(&self.value(tag)))));
        }
        if let Some((path, key)) = &parts.location {
            let key = text(&self.value(key));
            let key = percent_encode(key.as_bytes(), IN_SEGMENT);
            answer.headers.push(("location", format!("{}{key}", self.filled(path))));
        }
        answer
    }

    fn applied(&self) -> Option<(&'static str, String)> {
        let applied: Vec<&str> = self.applied.iter().map(|preference| preference.as_str()).collect();
        (!applied.is_empty()).then(|| ("preference-applied", applied.join(", ")))
    }

    /// The path with this request's parameters in it.
    fn filled(&self, path: &str) -> String {
        self.facts.parameters.iter().fold(path.to_owned(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), &percent_encode(value.as_bytes(), IN_SEGMENT).to_string())
        })
    }

    fn binds(&self, statement: &Bound) -> Vec<Datum> {
        statement.binds.iter().map(|expression| self.value(expression)).collect()
    }

    /// What stands behind the placeholders of those outputs that are rows of others.
    fn binds_of_related(&self, list: &List, query: &Query, asked: &Nested) -> Vec<Datum> {
        let mut values = Vec::new();
        for place in list.places(query) {
            let Some(related) = place.checked_sub(list.columns()).and_then(|place| list.related.get(place)) else {
                continue;
            };
            values.extend(related.binds.iter().map(|expression| self.value(expression)));
            let name = list.query.outputs[place].field();
            let listing = asked.listings.iter().find(|(known, _)| known == name);
            values.extend(listing.into_iter().flat_map(|(_, listing)| dialect::values(listing)));
        }
        values
    }

    /// Whether the answer holds rows of others, which change without the record: its version is no tag of them.
    fn has_related(&self, parts: &AnswerParts) -> bool {
        match parts.asked.map(|(slot, plain)| (&self.slots[slot], plain)) {
            Some((Slot::Picked(picked), plain)) => picked.places.iter().flatten().any(|place| *place >= plain),
            _ => false,
        }
    }

    /// The body, or what the request has picked of it.
    fn encoded(&self, parts: &AnswerParts) -> Vec<u8> {
        match parts.asked.map(|(slot, plain)| (&self.slots[slot], plain)) {
            Some((Slot::Picked(picked), plain)) => match &picked.places {
                Some(places) => self.written(places.iter().map(|place| &parts.body[*place])),
                None => self.written(parts.body[..plain].iter()),
            },
            Some((_, plain)) => self.written(parts.body[..plain].iter()),
            None => self.written(parts.body.iter()),
        }
    }

    fn written<'a>(&self, fields: impl ExactSizeIterator<Item = &'a (Key, Expression)>) -> Vec<u8> {
        let mut body = Vec::with_capacity(64 + fields.len() * 32);
        encode::object(&mut body, fields.map(|(key, expression)| (key, expression)), |body, expression| {
            match self.held(expression) {
                Some(datum) => encode::value(body, datum),
                None => encode::value(body, &self.value(expression)),
            }
        });
        body
    }

    fn object(&self, fields: &[(Arc<str>, Expression)]) -> serde_json::Value {
        fields.iter().map(|(name, expression)| (name.to_string(), self.value(expression).to_json())).collect()
    }

    /// The value where it lies, if it lies anywhere.
    fn held<'a>(&'a self, expression: &'a Expression) -> Option<&'a Datum> {
        match expression {
            Expression::Literal(datum) => Some(datum),
            Expression::Field(slot, position) => match &self.slots[*slot] {
                Slot::Record(row) | Slot::Found(row) | Slot::Answered(row) => Some(&row[*position]),
                _ => None,
            },
            _ => None,
        }
    }

    fn value(&self, expression: &Expression) -> Datum {
        match expression {
            Expression::Literal(datum) => datum.clone(),
            Expression::Slot(slot) => match &self.slots[*slot] {
                Slot::One(datum) => datum.clone(),
                Slot::List(rows, names) => Datum::Json(rows.iter().map(|row| listed(row, names)).collect()),
                Slot::Empty
                | Slot::Record(_)
                | Slot::Answered(_)
                | Slot::Changes(_)
                | Slot::Patch(_)
                | Slot::Outcome(_)
                | Slot::Found(_)
                | Slot::Asked(_)
                | Slot::Picked(_)
                | Slot::Page(_) => unreachable!("a checked procedure uses whole slots of one value only"),
            },
            Expression::Field(slot, position) => match &self.slots[*slot] {
                Slot::Record(row) | Slot::Found(row) | Slot::Answered(row) => row[*position].clone(),
                Slot::Changes(changes) => changes[*position].clone().unwrap_or(Datum::Null),
                Slot::Empty
                | Slot::One(_)
                | Slot::Patch(_)
                | Slot::List(..)
                | Slot::Outcome(_)
                | Slot::Asked(_)
                | Slot::Picked(_)
                | Slot::Page(_) => {
                    unreachable!("a checked procedure uses fields of records only")
                }
            },
            Expression::Given(slot, position) => match &self.slots[*slot] {
                Slot::Changes(changes) => Datum::Boolean(changes[*position].is_some()),
                _ => unreachable!("a checked procedure asks for changes only whether they were given"),
            },
            Expression::Changed(parts) => {
                let [given, change, kept] = &**parts;
                self.value(if self.value(given) == Datum::Boolean(true) { change } else { kept })
            }
            Expression::Path(name) => {
                let known = self.facts.parameters.iter().find(|(known, _)| **known == **name);
                known.map_or(Datum::Null, |(_, value)| Datum::Text(value.clone()))
            }
            Expression::Id(inner) => match self.value(inner) {
                Datum::Text(text) if !is_id(&text) => Datum::Null,
                value => value,
            },
            Expression::Number(inner) => match self.value(inner) {
                Datum::Text(text) => number_in_path(&text).map_or(Datum::Null, Datum::Integer),
                value => value,
            },
            Expression::Now => Datum::Text(timestamp(self.facts.arrived)),
            Expression::Today => Datum::Text(self.facts.arrived.strftime("%Y-%m-%d").to_string()),
            Expression::Else(first, second) => match self.value(first) {
                Datum::Null => self.value(second),
                value => value,
            },
            Expression::Times(first, second) => match (self.value(first), self.value(second)) {
                (Datum::Decimal(number), Datum::Integer(factor)) => {
                    number.times(factor).map_or(Datum::Null, Datum::Decimal)
                }
                _ => Datum::Null,
            },
            Expression::Prefixed(before, inner) => match self.value(inner) {
                Datum::Null => Datum::Null,
                value => Datum::Text(format!("{before}{}", value.plain())),
            },
            Expression::Sum(slot, position) => {
                let Slot::List(rows, _) = &self.slots[*slot] else {
                    unreachable!("a checked procedure sums up lists only")
                };
                let sum = rows.iter().map(|row| &row[*position]).try_fold(None, |sum: Option<Decimal>, datum| {
                    let Datum::Decimal(number) = datum else { return None };
                    Some(Some(sum.map_or(Some(*number), |sum| sum.plus(*number))?))
                });
                sum.flatten().map_or(Datum::Null, Datum::Decimal)
            }
            Expression::After(seconds) => {
                let later = self.facts.arrived.saturating_add(SignedDuration::from_secs(i64::from(*seconds)));
                Datum::Text(timestamp(later.unwrap_or(Timestamp::MAX)))
            }
            Expression::Address => Datum::Text(self.facts.address.clone()),
            Expression::RequestId => Datum::Text(self.facts.request_id.clone()),
            Expression::Record(fields) => Datum::Json(self.object(fields)),
        }
    }

    /// A null compares false with everything.
    fn holds(&self, question: &Question) -> bool {
        match question {
            Question::Compare(left, comparison, right) => compare(&self.value(left), *comparison, &self.value(right)),
            Question::Present(expression) => self.value(expression) != Datum::Null,
            Question::Current(tag) => match &self.facts.if_match {
                None => true,
                Some(header) => names_tag(header, &quoted(&text(&self.value(tag))), Weak::Different),
            },
            Question::Prefers(preference) => self.facts.prefers(*preference),
            Question::All(list) => list.iter().all(|question| self.holds(question)),
            Question::Any(list) => list.iter().any(|question| self.holds(question)),
            Question::Not(inner) => !self.holds(inner),
        }
    }
}

fn listed(row: &Row, names: &[Arc<str>]) -> serde_json::Value {
    names.iter().zip(row).map(|(name, datum)| (name.to_string(), datum.to_json())).collect()
}

fn compare(left: &Datum, comparison: Comparison, right: &Datum) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let Some(ordering) = left.compare(right) else { return false };
    match comparison {
        Comparison::Equal => ordering == Equal,
        Comparison::NotEqual => ordering != Equal,
        Comparison::Less => ordering == Less,
        Comparison::AtMost => ordering != Greater,
        Comparison::Greater => ordering == Greater,
        Comparison::AtLeast => ordering != Less,
    }
}

/// A row in the types of its columns, which an engine may keep in others.
fn text(datum: &Datum) -> String {
    match datum {
        Datum::Text(text) => text.clone(),
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => datum.plain(),
    }
}

/// A UUID as ids are written: in lower case, with hyphens.
fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// A whole number in the one way in which an answer writes it.
fn number_in_path(text: &str) -> Option<i64> {
    parameter_number(text).filter(|number| number.to_string() == text)
}

fn by_address(frame: &Frame) -> String {
    format!("address:{}", frame.facts.address)
}

/// `X-API-Key` wins where both are sent; an empty one is none.
fn presented_key(headers: &HeaderMap) -> Option<String> {
    header(headers, "x-api-key").filter(|key| !key.is_empty()).or_else(|| bearer(headers))
}

/// What a request brings to tell which user calls.
enum Proof {
    Token(String),
    Cookie(String),
    /// Address and password.
    Password(String, String),
    /// Nothing that the scheme takes, and what is said then.
    Missing(Problem),
}

impl Proof {
    /// A header is added on purpose, a cookie by itself: the header wins.
    fn of(scheme: Scheme, headers: &HeaderMap) -> Self {
        if scheme == Scheme::Basic {
            return Self::basic(headers);
        }
        let token = bearer(headers).filter(|_| scheme.takes_tokens()).map(Self::Token);
        let cookie = || session_cookie::presented(headers).filter(|_| scheme.takes_cookies()).map(Self::Cookie);
        let missing = if scheme.takes_cookies() { Problem::MissingSession } else { Problem::MissingToken };
        token.or_else(cookie).unwrap_or(Self::Missing(missing))
    }

    /// RFC 7617.
    fn basic(headers: &HeaderMap) -> Self {
        let Some(sent) = credentials(headers, "basic") else { return Self::Missing(Problem::MissingPassword) };
        let bytes = STANDARD.decode(sent).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let fits = |email: &str, password: &str| {
            (1..=EMAIL_MAX).contains(&email.len()) && (1..=PASSWORD_MAX).contains(&password.chars().count())
        };
        match text.as_deref().and_then(|text| text.split_once(':')).filter(|(email, password)| fits(email, password)) {
            Some((email, password)) => Self::Password(email.to_owned(), password.to_owned()),
            None => Self::Missing(Problem::InvalidPassword),
        }
    }
}

/// What stands in `Authorization: Bearer`; an empty text is none.
fn bearer(headers: &HeaderMap) -> Option<String> {
    credentials(headers, "bearer")
}

/// What stands in `Authorization` behind that word.
fn credentials(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let sent = header(headers, "authorization")?;
    let (scheme, rest) = sent.split_once(' ')?;
    let found = rest.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case(wanted) && !found.is_empty()).then(|| found.to_owned())
}

/// UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
pub(crate) fn timestamp(time: Timestamp) -> String {
    utc_text(time.as_microsecond()).unwrap_or_else(|| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
