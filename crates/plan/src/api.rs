//! An API: its endpoints with their procedures, rate limits and events.

use crate::accounts::{AccountPage, AccountTask, Accounts};
use crate::hearing::Hearing;
use crate::mail::Mail;
use crate::procedure::{Item, Procedure, Roles, Scheme, Step, Trigger};
use crate::scope::Scope;
use crate::subscribers::Subscribers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vocab::{EntityName, EventName, FieldName, FieldType, PolicyName, RoleName, ScopeToken, TaskId};

/// A REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiPlan {
    /// What the API is called in files and documents: `contact-newsletter`.
    pub name: String,
    /// From the paths (`/v2/...`), or `v1`.
    pub version: String,
    /// The endpoints in the order of the task.
    pub endpoints: Vec<Endpoint>,
    /// The rate limits its procedures name.
    pub policies: Vec<RateLimitPolicy>,
    /// The events its procedures emit.
    pub events: Vec<EventDeclaration>,
    /// The mails that some of them make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mails: Vec<Mail>,
    /// The pages to which the links of mails lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<AccountPage>,
    /// Who signs in here; none where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Accounts>,
    /// Who else is told of its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribers: Option<Subscribers>,
    /// Whether pages of other origins may call it.
    pub cors: Cors,
    /// Which document the task asked for.
    pub documentation: DocumentationFormat,
}

/// What a scratch database is given before each case of an API: rows that its requests take for granted. Statements, because
/// nobody decides anything about them any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Takes away what the case before left.
    pub clear: Vec<String>,
    /// Makes the rows.
    pub rows: Vec<String>,
}

impl ApiPlan {
    /// Whether somebody else than senders can call it, who sign what they send.
    #[must_use]
    pub fn has_clients(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.hearing().is_none())
    }

    /// What the secrets are called by which senders of calls are known, each once.
    #[must_use]
    pub fn senders_secrets(&self) -> BTreeSet<&str> {
        let proofs = self.endpoints.iter().filter_map(Endpoint::hearing).flat_map(|hearing| &hearing.proofs);
        proofs.map(|proof| proof.secret.as_str()).collect()
    }
}

impl Seed {
    /// Whether nothing is taken for granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Whether browsers let pages of other origins call an API. Which origins is said where it is served, not in the plan: they differ
/// between a trial and the real thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cors {
    /// Pages of its own origin only.
    Off,
    /// Pages of the origins that the server is told, or of any where it is told none.
    On,
}

/// The format of the API's machine-readable description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentationFormat {
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1.
    OpenApi31,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What it does, step by step. Its trigger holds method and path.
    pub procedure: Procedure,
    /// The entity it works on.
    pub entity: EntityName,
    /// One sentence for documents.
    pub summary: String,
    /// Largest accepted body, in bytes.
    pub max_body_bytes: u64,
    /// A body that the endpoint accepts, for documents and verification.
    pub example: serde_json::Value,
    /// How long its successful answers may be kept.
    #[serde(default)]
    pub cache: Cache,
    /// Whether all that it does with tables of [`Accounts::owned`] it does with the caller's own rows: a database that can keep to that does.
    #[serde(default)]
    pub own_rows: bool,
}

/// How long a successful answer to a read may be kept, and by whom. Anything else is never kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Not at all.
    #[default]
    NoStore,
    /// By the caller alone, for so many seconds: somebody else may be answered otherwise, or not at all.
    Private(u32),
    /// By everybody between, for so many seconds.
    Public(u32),
}

impl Cache {
    /// The value of the `Cache-Control` header.
    #[must_use]
    pub fn header(self) -> String {
        match self {
            Self::NoStore => "no-store".to_owned(),
            Self::Private(seconds) => format!("private, max-age={seconds}"),
            Self::Public(seconds) => format!("public, max-age={seconds}"),
        }
    }

    /// The value of the `Vary` header: what of a request decides whether a kept answer is the right one.
    #[must_use]
    pub fn vary(self) -> Option<&'static str> {
        match self {
            Self::Private(_) => Some("X-API-Key, Authorization"),
            Self::NoStore | Self::Public(_) => None,
        }
    }
}

/// At most `quota` requests of one caller in any `window_seconds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitPolicy {
    /// Its name, also in the `RateLimit` headers.
    pub name: PolicyName,
    /// Requests.
    pub quota: u32,
    /// Seconds.
    pub window_seconds: u32,
}

/// An event that procedures emit, and what it also counts as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDeclaration {
    /// Its name.
    pub name: EventName,
    /// The more general events a listener may have asked for, nearest first.
    pub also: Vec<EventName>,
    /// What its payload holds.
    pub fields: Vec<(FieldName, FieldType)>,
}

impl Endpoint {
    /// What it knows of the calls of a sender, where it is called by one.
    #[must_use]
    pub fn hearing(&self) -> Option<&Hearing> {
        self.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Hear(hearing)) => Some(&**hearing),
            _ => None,
        })
    }

    /// What it needs of the key that it is called with.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.authorization()?.1
    }

    /// What the account of who calls must be.
    #[must_use]
    pub fn role(&self) -> Option<&Roles> {
        self.first(|step| match step {
            Step::Authorize { role, .. } => role.as_ref(),
            _ => None,
        })
    }

    /// What a token of another issuer must have been granted.
    #[must_use]
    pub fn grant(&self) -> Option<&ScopeToken> {
        self.first(|step| match step {
            Step::Authorize { grant, .. } => grant.as_ref(),
            _ => None,
        })
    }

    /// How its callers prove who they are, and what it needs of their key.
    #[must_use]
    pub fn authorization(&self) -> Option<(Scheme, Option<&Scope>)> {
        self.first(|step| match step {
            Step::Authorize { scheme, scope, .. } => Some((*scheme, scope.as_ref())),
            _ => None,
        })
    }
}

/// Adds the roles that conditions over rows name.
fn roles_in(items: &[Item], roles: &mut BTreeSet<RoleName>) {
    for item in items {
        match item {
            Item::Let(_, Step::Read { query, .. }) => query.filter.iter().for_each(|predicate| predicate.roles(roles)),
            Item::Transaction(body) => roles_in(body, roles),
            Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => {}
        }
    }
}

impl Endpoint {
    /// The first of its own steps, in no transaction and no arm, of which something is wanted.
    fn first<'p, T>(&'p self, wanted: impl Fn(&'p Step) -> Option<T>) -> Option<T> {
        self.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, step) | Item::Do(step) => wanted(step),
            Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => None,
        })
    }

    /// The event for whose answer its callers wait, and the task that integrates whoever answers it.
    #[must_use]
    pub fn awaits(&self) -> Option<(&EventName, &TaskId)> {
        self.first(|step| match step {
            Step::Await { event, by, .. } => Some((event, by)),
            _ => None,
        })
    }

    /// Its method and its path.
    #[must_use]
    pub fn route(&self) -> Option<(&str, &str)> {
        match &self.procedure.trigger {
            Trigger::Request { method, path } => Some((method, path)),
            Trigger::GraphQl { .. }
            | Trigger::Event { .. }
            | Trigger::Schedule { .. }
            | Trigger::Webhook { .. }
            | Trigger::Pulled { .. } => None,
        }
    }
}

impl RateLimitPolicy {
    /// The value of the `RateLimit-Policy` header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("\"{}\";q={};w={}", self.name, self.quota, self.window_seconds)
    }
}

impl ApiPlan {
    /// Whether everything that belongs to accounts is there, and not only what a task happened to name: there is a page for each mail.
    #[must_use]
    pub fn has_whole_accounts(&self) -> bool {
        use AccountTask::{AcceptInvitation, ConfirmEmail, ResetPassword, Verify};
        let has = |task: &AccountTask| self.pages.iter().any(|page| page.does == *task);
        self.accounts.is_some() && [Verify, ResetPassword, ConfirmEmail, AcceptInvitation].iter().all(has)
    }

    /// Whether its servers share [`crate::accounts::SECRET`]: people sign in, or tokens are calculated.
    #[must_use]
    pub fn shares_secret(&self) -> bool {
        let calculates = |endpoint: &Endpoint| endpoint.first(|step| matches!(step, Step::Successor(_)).then_some(()));
        self.accounts.is_some()
            || self.subscribers.is_some()
            || self.mails.iter().any(Mail::has_token)
            || self.endpoints.iter().any(|endpoint| calculates(endpoint).is_some())
    }

    /// The policy of that name. The planner declares every policy that its procedures name.
    #[must_use]
    pub fn policy(&self, name: &PolicyName) -> Option<&RateLimitPolicy> {
        self.policies.iter().find(|policy| policy.name == *name)
    }

    /// Whether any of its endpoints takes tokens of another issuer.
    #[must_use]
    pub fn takes_issued_tokens(&self) -> bool {
        self.endpoints.iter().any(|endpoint| matches!(endpoint.authorization(), Some((Scheme::Issued, _))))
    }

    /// Whether any of its endpoints tells callers what they may do.
    #[must_use]
    pub fn answers_questions(&self) -> bool {
        let answers = |endpoint: &Endpoint| endpoint.first(|step| matches!(step, Step::May { .. }).then_some(()));
        self.endpoints.iter().any(|endpoint| answers(endpoint).is_some())
    }

    /// The roles that its endpoints ask for.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<&RoleName> {
        self.endpoints.iter().filter_map(Endpoint::role).flat_map(Roles::names).collect()
    }

    /// The roles that make a difference in it: those that its endpoints ask for, and those that conditions over rows name.
    #[must_use]
    pub fn meant_roles(&self) -> BTreeSet<RoleName> {
        let mut roles: BTreeSet<RoleName> = self.roles().into_iter().cloned().collect();
        self.endpoints.iter().for_each(|endpoint| roles_in(&endpoint.procedure.body, &mut roles));
        roles
    }
}
