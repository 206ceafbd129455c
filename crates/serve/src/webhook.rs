//! Calls of providers: a request comes in with its bytes as they were sent, what it tells is kept once with everything that comes of
//! it, and only then it is acknowledged. What it means stands in the plan; this only reads, runs and answers.

use crate::answer::Answer;
use crate::api_key::ApiKeys;
use crate::body::read_raw;
use crate::kept::Answers;
use crate::program::{Limiters, Program, Shared, UnservablePlan, compile_procedure};
use crate::run::{Facts, Failure, Run, Surroundings};
use bytes::Bytes;
use connect::fill::Scope;
use connect::proof::{Proofs, Prover};
use connect::signature::Call;
use connect::webhook::{Heard, NotReceived, Received, Reply, receive};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::Empty;
use hyper::body::Body;
use jiff::Timestamp;
use manifest::Entries;
use manifest::operation::Method as Asking;
use manifest::point::Remembered;
use manifest::webhook::{Handshake, Webhooks};
use plan::service::ServicePlan;
use plan::{Plan, Problem};
use serde_json::Value;
use std::sync::Arc;
use store::Store;
use vocab::{Datum, FieldName};

/// What the names of a manifest stand for in an account: credentials, settings, what is known of our address at the provider.
pub type AccountScope = Arc<dyn Scope + Send + Sync>;

/// What a server knows of the provider whose calls come in.
#[derive(Clone)]
pub struct Counterpart {
    /// The account.
    pub account: AccountScope,
    /// The account as it was before a secret of it was replaced, and until when what is proved by that one is taken too.
    pub before: Option<(AccountScope, Timestamp)>,
    /// What brings proofs that do not come with the calls, where the provider's calls need any.
    pub prover: Option<Arc<Prover>>,
}

/// A place where a provider's calls arrive.
pub(crate) struct Hook {
    pub path: String,
    /// Methods beside POST by which the provider asks whether somebody is there.
    pub asks: Vec<Asking>,
    pub keys: Arc<ApiKeys>,
    pub store: Store,
    title: String,
    pub webhooks: Webhooks,
    remembers: Entries<FieldName, Remembered>,
    pub counterpart: Counterpart,
    programs: Vec<Option<Program>>,
    aside: Program,
    max_body_bytes: u64,
}

impl Hook {
    /// What listens to the plan's provider; nothing where it makes no calls.
    pub fn new(
        plan: &Plan,
        counterpart: &Counterpart,
        keys: &Arc<ApiKeys>,
        kept: (&Answers, &Store),
    ) -> Result<Option<Self>, UnservablePlan> {
        let (_, store) = kept;
        let Some(ServicePlan { intake: Some(intake), manifest, .. }) = &plan.service else { return Ok(None) };
        let Some(webhooks) = &manifest.webhooks else { return Ok(None) };
        let limiters = Limiters::new();
        let database = Arc::new(plan.database.clone());
        let shared = Shared { database: &database, accounts: None, issuer: None, secret: None, kept };
        let compiled = |procedure| {
            compile_procedure(plan, &counterpart.account, shared, procedure, intake.max_body_bytes, &limiters)
        };
        let asks = webhooks.handshake.iter().filter_map(|handshake| match handshake {
            Handshake::Answers(method) if *method != Asking::Post => Some(*method),
            Handshake::Answers(_) | Handshake::Echo { .. } | Handshake::Ping(_) => None,
        });
        let programs = intake.procedures.iter().map(|known| known.as_ref().map(compiled).transpose());
        Ok(Some(Self {
            path: intake.path.clone(),
            asks: asks.collect(),
            keys: Arc::clone(keys),
            store: store.clone(),
            title: manifest.provider.title.clone(),
            webhooks: webhooks.clone(),
            remembers: manifest.points.remembers.clone(),
            counterpart: counterpart.clone(),
            programs: programs.collect::<Result<_, _>>()?,
            aside: compiled(&intake.aside)?,
            max_body_bytes: intake.max_body_bytes,
        }))
    }

    /// Answers a call. `site` is the address by which providers know us, where it is not the one that the call names.
    pub async fn hear<B>(
        &self,
        parts: &Parts,
        body: &mut B,
        facts: Facts,
        surroundings: &Surroundings<'_>,
        site: Option<&str>,
    ) -> Result<Answer, Failure>
    where
        B: Body<Data = Bytes, Error: Send> + Unpin + Send,
    {
        let bytes = read_raw(&parts.headers, body, self.max_body_bytes).await?;
        let (heard, reply) = match self.read(parts, &bytes, &facts, site).await {
            Ok(Received::Reply(reply)) => return Ok(answer(&reply)),
            Ok(Received::Events(heard, reply)) => (heard, reply),
            Err(error) => {
                tracing::warn!(request_id = facts.request_id, provider = self.title, error = %error, "a call was not taken in");
                return Err(problem(&error).into());
            }
        };
        for event in heard {
            let program = event.entry.and_then(|entry| self.programs.get(entry)?.as_ref()).unwrap_or(&self.aside);
            if event.entry.is_none() {
                tracing::warn!(
                    request_id = facts.request_id,
                    provider = self.title,
                    kind = event.kind,
                    "an event that nobody has described was put aside"
                );
            }
            let mut nothing = Empty::<Bytes>::new();
            Run::new(surroundings, &parts.headers, &mut nothing)
                .received(program, facts.clone(), record(event))
                .await?;
        }
        Ok(answer(&reply))
    }

    async fn read(
        &self,
        parts: &Parts,
        bytes: &Bytes,
        facts: &Facts,
        site: Option<&str>,
    ) -> Result<Received, NotReceived> {
        let sent = Sent::of(&parts.uri, &parts.headers, site);
        let call = sent.call(&parts.method, bytes, facts.arrived);
        let proofs = match &self.counterpart.prover {
            Some(prover) if parts.method == Method::POST => prover.bring(&self.webhooks, &call).await?,
            Some(_) | None => Proofs::default(),
        };
        let known_by = |account: &AccountScope| receive(&self.webhooks, &self.remembers, &**account, &call, &proofs);
        match (known_by(&self.counterpart.account), &self.counterpart.before) {
            (Err(NotReceived::Stranger(_)), Some((before, until))) if facts.arrived < *until => known_by(before),
            (received, _) => received,
        }
    }
}

/// A request as whoever has signed it knows it.
pub(crate) struct Sent {
    url: String,
    headers: Vec<(String, String)>,
}

impl Sent {
    /// `site` is the address by which others know the server, where it is not the one that the request names.
    pub fn of(uri: &Uri, headers: &HeaderMap, site: Option<&str>) -> Self {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let host = headers.get("host").and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or_default();
        let url = site.map_or_else(|| format!("http://{host}{target}"), |site| format!("{site}{target}"));
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Self { url, headers }
    }

    pub fn call<'c>(&'c self, method: &'c Method, body: &'c [u8], arrived: Timestamp) -> Call<'c> {
        let arrived_ms = arrived.as_millisecond();
        Call { method: method.as_str(), url: &self.url, headers: &self.headers, body, arrived_ms }
    }
}

/// The record that the procedure of an event begins with.
fn record(event: Heard) -> Vec<Datum> {
    let mut record: Vec<Datum> = event.fields.into_iter().map(|(_, value)| datum(value)).collect();
    record.extend([
        Datum::Text(event.dedup),
        Datum::Text(event.kind),
        event.time.map_or(Datum::Null, Datum::Text),
        Datum::Json(event.body),
    ]);
    for (whose, value) in event.remembered {
        let value = if value.is_null() { Datum::Null } else { Datum::Json(value) };
        record.extend([Datum::Text(whose), value]);
    }
    record
}

pub(crate) fn datum(value: Value) -> Datum {
    match value {
        Value::Null => Datum::Null,
        Value::Bool(value) => Datum::Boolean(value),
        Value::String(text) => Datum::Text(text),
        Value::Number(ref number) => number.as_i64().map_or_else(|| Datum::Text(number.to_string()), Datum::Integer),
        Value::Array(_) | Value::Object(_) => Datum::Json(value),
    }
}

fn answer(reply: &Reply) -> Answer {
    let content_type = match reply.media_type.as_deref() {
        _ if reply.body.is_empty() => "",
        Some("application/json") => "application/json",
        Some("text/xml" | "application/xml") => "application/xml",
        Some(_) | None => "text/plain; charset=utf-8",
    };
    let body = Bytes::from(reply.body.clone());
    Answer { content_type, ..Answer::json(reply.status, body) }
}

pub(crate) fn problem(error: &NotReceived) -> Problem {
    match error {
        NotReceived::Stranger(_) => Problem::InvalidSignature,
        NotReceived::Unreadable(_) | NotReceived::NotTaken => Problem::MalformedBody,
        NotReceived::Unproved => Problem::Unavailable,
    }
}

/// An account that says nothing: everything that needs a secret is refused.
#[must_use]
pub fn no_account() -> Counterpart {
    struct Nothing;
    impl Scope for Nothing {
        fn value(&self, _: &manifest::reference::Reference) -> Option<Value> {
            None
        }
    }
    Counterpart { account: Arc::new(Nothing), before: None, prover: None }
}
