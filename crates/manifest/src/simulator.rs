//! `simulator.yaml`: the provider as it behaves towards us, for tests and for beginners without an account. Plain data.

use crate::Manifest;
use crate::entries::Entries;
use crate::operation::{Method, Operation, Request};
use crate::outcome::BodyTest;
use crate::pointer::Pointer;
use crate::reference::Reference;
use crate::template::{Part, Template, Text};
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// The kind of object that events are once they were sent.
pub const EVENT: &str = "event";

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
    /// Pages of its own that it leads people to.
    #[serde(default)]
    pub pages: Vec<Page>,
    /// Headers of an answer that was given before, to the same idempotency key.
    #[serde(default)]
    pub replayed: Entries<String, String>,
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
    /// What it is at first, made of the request. A member of the outermost block whose value is absent is null there.
    pub holds: Template,
    /// Members that only the answer to what made it shows.
    #[serde(default)]
    pub shown_once: Vec<String>,
    /// Members that no answer and no event shows: what the provider has to count.
    #[serde(default)]
    pub hidden: Vec<String>,
}

/// Something that the provider answers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{name}` for what varies.
    pub path: String,
    /// The status of a good answer, where it is not 200.
    #[serde(default)]
    pub status: Option<u16>,
    /// Tests of the request's body or parameters; what fails them is left to the next route of that method and path, and refused as
    /// invalid by the last.
    #[serde(default)]
    pub needs: Vec<BodyTest>,
    /// Another object that it is about.
    #[serde(default)]
    pub of: Option<Of>,
    /// A member of what it makes that nothing else of its kind may have; such a request is refused.
    #[serde(default)]
    pub unique: Option<Unique>,
    /// What it refuses though the request is whole: the first whose tests of the object hold decides.
    #[serde(default)]
    pub refuses: Vec<Refuses>,
    /// What it does.
    pub does: RouteAction,
    /// Kinds of events that it sends afterwards.
    #[serde(default)]
    pub sends: Vec<Sent>,
}

/// An object that a request is about beside the one that it makes: `${object}` in what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Which kind.
    pub kind: FieldName,
    /// The member that tells which one.
    pub at: Pointer,
    /// What that member holds. Where the request says nothing of it, it is about no other object; where none holds it, the request
    /// is refused.
    pub is: Text,
    /// What becomes of it afterwards, one after the other; `${made/PATH}` is what was made.
    #[serde(default)]
    pub set: Entries<String, Template>,
    /// How the request is refused where there is no such object; else as one that is not found.
    #[serde(default)]
    pub missing: Option<Refusal>,
}

/// A member that is of one object alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// Where it stands.
    pub at: Pointer,
    /// How a second one is refused.
    pub answer: Refusal,
}

/// A refusal with what leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuses {
    /// Tests of the object that the request is about.
    pub when: Vec<BodyTest>,
    /// The answer.
    pub answer: Refusal,
}

/// A kind of event that is sent, and about what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SentForm", into = "SentForm")]
pub struct Sent {
    /// The kind, as the provider calls it.
    pub kind: String,
    /// Which of the objects that had a part in it; else the one that was made or changed.
    pub of: Option<FieldName>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SentForm {
    Kind(String),
    Of { kind: String, of: FieldName },
}

impl From<SentForm> for Sent {
    fn from(form: SentForm) -> Self {
        match form {
            SentForm::Kind(kind) => Self { kind, of: None },
            SentForm::Of { kind, of } => Self { kind, of: Some(of) },
        }
    }
}

impl From<Sent> for SentForm {
    fn from(sent: Sent) -> Self {
        match sent.of {
            None => Self::Kind(sent.kind),
            Some(of) => Self::Of { kind: sent.kind, of },
        }
    }
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
    /// Goes through a list of the request: each item changes the object that it is about, or makes it.
    Upserts(Box<Upserts>),
    /// Answers all objects of a kind, the newest first; `${made.list}` is the list of them. `event` is what was sent.
    Lists {
        /// Which kind.
        object: FieldName,
        /// The answer around them. What leads to the next page is put in as the operation's `paging` says.
        answer: Template,
        /// How many of them a page holds.
        #[serde(default)]
        page: Option<PageSize>,
        /// Parameters that choose among them, with the member that must hold the same text.
        #[serde(default)]
        filters: Entries<String, Pointer>,
        /// Tests of an object; one that fails them is not among those that are listed.
        #[serde(default)]
        only: Vec<BodyTest>,
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

/// Objects that the items of a list are about. In its templates `${body/PATH}` is of the item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upserts {
    /// Where the list stands in the request; the request itself is the only item where it holds none.
    #[serde(default)]
    pub each: Pointer,
    /// Which kind they are of.
    pub object: FieldName,
    /// The member that tells which one.
    pub at: Pointer,
    /// What that member holds.
    pub is: Text,
    /// The block of the item whose members come over those that the object has there.
    pub over: String,
    /// What else changes of an object that was there.
    #[serde(default)]
    pub set: Entries<String, Template>,
    /// The answer; `${made.list}` is the list of the objects, `${object}` the first of them.
    pub answer: Template,
    /// How an item may be left out and the others be taken.
    #[serde(default)]
    pub partly: Option<Partly>,
}

/// Items of a list of which some are not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partly {
    /// Tests of an item; one that fails them is not taken.
    pub needs: Vec<BodyTest>,
    /// What is said of such an item.
    pub refused: Template,
    /// The status and the answer then; `${made.refused}` is the list of what is said.
    pub answer: Refusal,
}

/// How many objects a page of a list holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSize {
    /// The parameter that says it.
    pub parameter: String,
    /// Where the request does not say.
    pub default: u32,
    /// Whatever the request says, no more than this.
    pub most: u32,
}

/// A page that a person is led to, in place of the provider's own: what is shown of an object, and what a person can do there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The path, with `{id}` for the object's id.
    pub path: String,
    /// Which kind of object.
    pub object: FieldName,
    /// What stands above it.
    pub title: String,
    /// Lines, each with its name. A line whose value is absent is left out.
    pub shows: Entries<String, Text>,
    /// What a person can do.
    pub buttons: Vec<Button>,
    /// Texts in the address of `then` that stand for something.
    #[serde(default)]
    pub stands_for: Entries<String, Text>,
}

/// Something that a person can do on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// What stands on it.
    pub title: String,
    /// What happens; nothing where the person only goes.
    #[serde(default)]
    pub act: Option<FieldName>,
    /// Where the person goes then; absent, the page stays.
    #[serde(default)]
    pub then: Option<Text>,
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
    /// Tests of the object; it happens only where they hold.
    #[serde(default)]
    pub needs: Vec<BodyTest>,
    /// The members that change, one after the other; `${made.id}` is the id of the first object that comes to be.
    pub set: Entries<String, Template>,
    /// Other objects that come to be, of the object as it is then.
    #[serde(default)]
    pub makes: Vec<FieldName>,
    /// Kinds of events that are sent.
    #[serde(default)]
    pub sends: Vec<Sent>,
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

impl Fault {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::ServerError => "server_error",
            Self::Hang => "hang",
            Self::ReplyLost => "reply_lost",
            Self::DuplicateWebhook => "duplicate_webhook",
            Self::ReorderedWebhooks => "reordered_webhooks",
        }
    }
}

/// Where a member of an object stands: a name, or a path that begins with `/`.
#[must_use]
pub fn member(name: &str) -> Option<Pointer> {
    Pointer::parse(&if name.starts_with('/') { name.to_owned() } else { format!("/{name}") }).ok()
}

impl Route {
    /// Whether it is the route that an operation of the manifest leads to.
    #[must_use]
    pub fn answers(&self, manifest: &Manifest, operation: &Operation) -> bool {
        match &operation.request {
            Request::Http(http) => self.method == http.method && fits(&shown(manifest, &http.path), &self.path),
            Request::Command(_) | Request::Rows(_) => false,
        }
    }
}

/// The path with its constants, and `{}` for what varies.
fn shown(manifest: &Manifest, path: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => text.clone(),
        Part::Value(value) => {
            let constant = match &value.from {
                Reference::Value(name) => manifest.provider.values.get(name.as_str()),
                _ => None,
            };
            constant.cloned().unwrap_or_else(|| "{}".to_owned())
        }
    };
    path.parts().iter().map(part).collect()
}

/// Whether a request's path leads to a route.
fn fits(path: &str, route: &str) -> bool {
    let (asked, known): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), route.split('/').collect());
    let same = |(left, right): (&&str, &&str)| left == right || (left.contains("{}") && right.starts_with('{'));
    asked.len() == known.len() && asked.iter().zip(&known).all(same)
}
