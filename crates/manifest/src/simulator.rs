//! `simulator.yaml`: the provider as it behaves towards us, for tests and for beginners without an account. Plain data.

use crate::entries::Entries;
use crate::operation::Method;
use crate::outcome::BodyTest;
use crate::pointer::Pointer;
use crate::template::Template;
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// A provider that is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulator {
    /// What it keeps.
    pub objects: Entries<FieldName, Object>,
    /// What it answers to.
    pub routes: Vec<Route>,
    /// What happens there without a request of ours: somebody pays.
    #[serde(default)]
    pub acts: Entries<FieldName, Act>,
    /// What it sends when something has happened; `${object}` is the object, `${made.kind}` the kind of event.
    #[serde(default)]
    pub event: Option<Template>,
    /// How it refuses.
    pub refusals: Refusals,
    /// What can be made to go wrong there.
    pub faults: Vec<Fault>,
}

/// Something that the provider keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What its ids begin with.
    pub id_starts_with: String,
    /// How many characters follow.
    pub id_length: u32,
    /// What it is at first, made of the request.
    pub holds: Template,
}

/// Something that the provider answers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for what varies.
    pub path: String,
    /// Tests of the request's body or parameters; what fails them is refused as invalid.
    #[serde(default)]
    pub needs: Vec<BodyTest>,
    /// What it does.
    pub does: RouteAction,
    /// Kinds of events that it sends afterwards.
    #[serde(default)]
    pub sends: Vec<String>,
}

/// What a route does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// Makes an object and answers it.
    Makes(FieldName),
    /// Answers an object.
    Reads(FoundBy),
    /// Changes members of an object and answers it.
    Changes {
        /// Which one.
        object: FoundBy,
        /// The members.
        set: Entries<String, Template>,
    },
    /// Answers all objects of a kind, the newest first; `${made.list}` is the list of them. `event` is what was sent.
    Lists {
        /// Which kind.
        object: FieldName,
        /// The answer around them.
        answer: Template,
    },
    /// Removes an object.
    Removes {
        /// Which one.
        object: FoundBy,
        /// The answer.
        answer: Template,
    },
    /// Answers always the same.
    Answers(Template),
}

/// An object of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundBy {
    /// Which kind.
    pub kind: FieldName,
    /// The parameter of the path that is its id.
    pub id: FieldName,
}

/// Something that happens at the provider by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// What it is, one sentence.
    pub does: String,
    /// To which kind of object.
    pub object: FieldName,
    /// The members that change.
    pub set: Entries<String, Template>,
    /// Other objects that come to be.
    #[serde(default)]
    pub makes: Vec<FieldName>,
    /// Kinds of events that are sent.
    #[serde(default)]
    pub sends: Vec<String>,
}

/// How a provider refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// A credential that it does not know.
    pub unauthorized: Refusal,
    /// An object that it does not know.
    pub not_found: Refusal,
    /// A request that fails `needs`; `${problem.at}` is where.
    pub invalid: Refusal,
    /// Too many requests.
    pub rate_limited: Refusal,
    /// Something inside has failed.
    pub server_error: Refusal,
    /// An idempotency key that was used for something else.
    #[serde(default)]
    pub key_reused: Option<Refusal>,
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: Entries<String, String>,
    /// The body.
    pub body: Template,
}

/// What can be made to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// 429, with the header that says how long to wait.
    RateLimit,
    /// 500, and nothing has happened.
    ServerError,
    /// No answer comes.
    Hang,
    /// It has happened and the answer is lost.
    ReplyLost,
    /// A webhook comes twice.
    DuplicateWebhook,
    /// Webhooks come in another order.
    ReorderedWebhooks,
}

/// Where a member of an object stands: a name, or a path that begins with `/`.
#[must_use]
pub fn member(name: &str) -> Option<Pointer> {
    Pointer::parse(&if name.starts_with('/') { name.to_owned() } else { format!("/{name}") }).ok()
}
