//! A procedure: what happens on a request, an event, a schedule or a webhook, as bindings, transactions, matches and exits.
//! The native server, the Node.js emitter and the documents interpret procedures; none of them knows behaviours.

use crate::hearing::Hearing;
use crate::problem::Problem;
use crate::query::{Cardinality, Holes, OnConflict, Query, Write};
use crate::scope::Scope;
use crate::shape::{self, Shape};
use crate::value::{Condition, Value};
use manifest::Entries;
use manifest::point::Given;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::{Deserialize, Serialize};
use std::fmt;
use vocab::{
    EventName, FieldName, FieldType, PolicyName, ProcedureName, ProviderName, RoleName, ScopeToken, SlotName, TaskId,
};

/// What happens, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Procedure {
    /// Its name, unique in the plan.
    pub name: ProcedureName,
    /// What starts it.
    pub trigger: Trigger,
    /// What happens. Every path ends in an exit.
    pub body: Vec<Item>,
}

/// What starts a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// An HTTP request.
    Request {
        /// Its method, upper case.
        method: String,
        /// Its path with parameters as `{name}`.
        path: String,
    },
    /// A field of a GraphQL operation.
    GraphQl {
        /// Query or mutation.
        operation: GraphQlOperation,
        /// The field of the root type.
        field: FieldName,
    },
    /// Something that happened, taken from the outbox.
    Event {
        /// Its name.
        name: EventName,
    },
    /// The clock.
    Schedule {
        /// Cron expression, UTC.
        cron: String,
    },
    /// A provider's call.
    Webhook {
        /// Whose.
        provider: ProviderName,
        /// Where it arrives.
        path: String,
    },
    /// A record that was read from a provider.
    Pulled {
        /// Whose.
        provider: ProviderName,
        /// Which records.
        sync: FieldName,
    },
}

/// The two kinds of GraphQL operation that procedures answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphQlOperation {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
}

/// One line of a procedure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// `let slot = step`: a slot is bound once on every path.
    Let(SlotName, Step),
    /// A step whose result nobody needs.
    Do(Step),
    /// All of it or nothing. It commits when its end is reached or an exit keeps its writes; it is undone when a step fails
    /// or an exit undoes them. No step inside may leave the database: [`Step::place`].
    Transaction(Vec<Item>),
    /// The same for every record of a list.
    Each(Box<Each>),
    /// In a transaction that recalls and goes on behind its end: what is answered under the claim until the request has its own
    /// answer, which takes its place. A server that dies in between has told what it had done.
    Promise(Response),
    /// Goes on with the arm of the slot's outcome. Every outcome of the step has its arm.
    Match(SlotName, Vec<(Outcome, Vec<Item>)>),
    /// Ends the procedure.
    Exit(Response, Writes),
}

/// Every item, those inside transactions, lists and arms too, in the order of the text.
#[must_use]
pub fn flattened(items: &[Item]) -> Vec<&Item> {
    let mut found = Vec::new();
    for item in items {
        found.push(item);
        match item {
            Item::Transaction(body) => found.extend(flattened(body)),
            Item::Each(each) => found.extend(flattened(&each.body)),
            Item::Match(_, arms) => arms.iter().for_each(|(_, body)| found.extend(flattened(body))),
            Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => {}
        }
    }
    found
}

/// What is done for every record of a list, in its order; an exit in it ends the procedure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Each {
    /// The record that holds the list.
    pub of: SlotName,
    /// The field that it is in.
    pub list: FieldName,
    /// What the body calls the record that it is at.
    pub item: SlotName,
    /// What is done. Slots that it binds are its own.
    pub body: Vec<Item>,
    /// The record that comes of each.
    pub gives: Vec<(FieldName, Value)>,
    /// Holds the list of those behind it.
    pub into: SlotName,
}

/// What becomes of the writes of the transaction around an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// They are committed: a failed login counts although it is refused.
    Keep,
    /// They are undone.
    Undo,
}

/// How a step came out, where there is more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A row was there; the slot holds it.
    Found,
    /// No row was there.
    Missing,
    /// The row is new.
    Inserted,
    /// The row was there already.
    Present,
    /// At least one row was changed.
    Changed,
    /// No row fitted.
    Unchanged,
    /// The condition holds, the password is right.
    Yes,
    /// It does not.
    No,
    /// The body is one record, or nothing that could be several.
    Single,
    /// The body is a list.
    Several,
    /// The other side did it; the slot holds its answer.
    Answered,
    /// The other side refused for good; nothing happened there.
    Refused,
    /// Nobody knows whether it happened; to be reconciled, never repeated blindly.
    Unknown,
}

impl Outcome {
    /// Whether the slot holds a value in the arm of this outcome.
    #[must_use]
    pub fn carries_value(self) -> bool {
        match self {
            Self::Found | Self::Answered => true,
            Self::Missing
            | Self::Inserted
            | Self::Present
            | Self::Changed
            | Self::Unchanged
            | Self::Yes
            | Self::No
            | Self::Single
            | Self::Several
            | Self::Refused
            | Self::Unknown => false,
        }
    }
}

/// What a procedure can do: a small closed set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Makes the principal, or ends with 401. Failures count against the address under the policy. Whoever is known and may
    /// not do this ends with 403, which counts against the principal. Of a user the slot holds [`CALLER`]. With [`Scheme::Issued`]
    /// the principal must be a user only where there is a slot.
    Authorize {
        /// How callers prove who they are.
        scheme: Scheme,
        /// What a key must have been given; nothing where every key will do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
        /// What the caller's account must be; nothing where every account will do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Roles>,
        /// What a token of another issuer must have been granted; nothing where every token will do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<ScopeToken>,
        /// The policy that failures count against.
        failures: Option<PolicyName>,
    },
    /// Counts the request, or ends with 429.
    Limit {
        /// The policy.
        policy: PolicyName,
        /// Whom the request is counted for.
        by: LimitKey,
    },
    /// Counts each record of the list behind the first, as which the request was counted, or none of them and ends with 429.
    LimitEach {
        /// The policy.
        policy: PolicyName,
        /// Whom the records are counted for.
        by: LimitKey,
        /// The slot of an [`Input::List`].
        of: SlotName,
    },
    /// What comes with a record, in a list of its own. Where there is any, a key must be good for the scope, or it ends with 403; and each
    /// is counted like a request of its own, or none of them and it ends with 429.
    Part {
        /// The slot of an [`Input::Body`].
        of: SlotName,
        /// The field that holds the list.
        list: FieldName,
        /// What a key must be good for; nothing where callers have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<Scope>,
        /// The policy.
        policy: PolicyName,
        /// Whom they are counted for.
        by: LimitKey,
    },
    /// Ends with 429 where nothing is left under the policy, and counts nothing: what is counted comes later, where it failed.
    Spare {
        /// The policy.
        policy: PolicyName,
        /// Whom requests are counted for.
        by: LimitKey,
    },
    /// Takes the request's `Idempotency-Key`, where it brings one, or ends with 409 while another request with it is under
    /// way. Gives a claim.
    Claim,
    /// The first step of a transaction that exits on every path. Ends with the answer that was kept under the claim's key, or
    /// with 422 where it was kept for another request. Where there is none, the answer with which the transaction exits is
    /// kept together with its writes.
    Recall(SlotName),
    /// Ends with 403 where a page of an origin that may not do so had a browser send the request: it would be signed in as somebody.
    SameOrigin,
    /// Has the answer hand the browser a token as the cookie of its session; without one it takes the cookie away.
    SetSession(Option<Value>),
    /// Reads the JSON body, and tells whether it is a list.
    Form,
    /// Reads what the request brings and checks it, or ends with 4xx. Gives a record.
    Validate(Input),
    /// What the body of an [`Input::Patch`] makes of the row: a record of changes. Ends with 409 where an operation does not fit the row.
    Patched {
        /// The body.
        patch: SlotName,
        /// The row, with every field of what is patched.
        row: SlotName,
    },
    /// Asks whether who sends this request might send another one: what that one's endpoint asks for before it does anything
    /// ([`crate::question`]) is asked with the proofs of this one. Nothing is done. Gives the record [`MAY`].
    May {
        /// The other request's method.
        method: Value,
        /// Its path.
        path: Value,
    },
    /// Asks the database whether it answers, or ends with 503.
    Ping,
    /// A new value nobody can guess.
    Generate(Generated),
    /// Works out a value that is used several times.
    Evaluate(Value),
    /// Asks a question: yes or no.
    Check(Condition),
    /// SHA-256 of a value that is random already (tokens, keys), lower-case hex.
    Digest(Value),
    /// What follows a token that nobody can guess: as random as the token, and the same whenever the same token is asked about.
    /// URL-safe text, made with the secret that the servers of a database share.
    Successor(Value),
    /// A slow hash of a password: [`crate::accounts::HASH`].
    HashPassword(Value),
    /// Compares a password with a hash: yes or no. With no hash it takes as long and says no.
    VerifyPassword {
        /// What the caller sent.
        password: Value,
        /// What is stored, or null.
        hash: Value,
    },
    /// Reads one row (found, missing) or a list.
    Read {
        /// The question.
        query: Query,
        /// One row or a list.
        cardinality: Cardinality,
        /// The slot that fills the query's holes.
        filled_by: Option<SlotName>,
    },
    /// Changes rows.
    Write(Write),
    /// Puts an event into the outbox.
    Emit {
        /// Its id, a UUID of version 7, where it is not one of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<SlotName>,
        /// Its name.
        event: EventName,
        /// Its payload.
        payload: Vec<(FieldName, Value)>,
    },
    /// Waits until an event has been brought to a service: answered, refused, unknown. Gives a record.
    Await {
        /// The event's id.
        id: Value,
        /// Its name.
        event: EventName,
        /// The task that integrates the service.
        by: TaskId,
        /// What the service's answer to it holds.
        gives: Entries<FieldName, Given>,
        /// How long, in milliseconds.
        within_ms: u32,
    },
    /// Asks a provider something that changes nothing there: answered, refused, unknown.
    Fetch {
        /// Which operation.
        operation: Operation,
        /// Its input.
        input: Vec<(FieldName, Value)>,
    },
    /// Reads a call, and asks whether it is its sender's, over its bytes as they came, or ends with 401. One of a type that is not taken
    /// ends with 204. Then its fields are checked, or it ends with 4xx. Gives a record: [`Hearing::names`].
    Hear(Box<Hearing>),
    /// What a provider's call says. Its signature was checked and it was read as the manifest says before the procedure began.
    /// Gives a record.
    Received(Vec<(FieldName, FieldType)>),
    /// Makes a signed token.
    IssueToken {
        /// What it says.
        claims: Vec<(FieldName, Value)>,
        /// How long it is good for.
        lifetime_seconds: u32,
    },
    /// Makes a URL that lets its bearer read or write one object for a while.
    Presign {
        /// The store.
        provider: ProviderName,
        /// The object.
        key: Value,
        /// How long it is good for.
        lifetime_seconds: u32,
    },
}

/// The fields of the record that stands for a user who calls: the user, the session, the role.
pub const CALLER: [&str; 3] = ["user_id", "session_id", "role"];

/// The fields of the record that says whether a request might be sent: whether it would be let through, else the status, the type and
/// the detail of the problem that it would end with.
pub const MAY: [&str; 4] = ["allowed", "status", "type", "detail"];

/// Roles of which an account must have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(Vec<RoleName>);

impl Roles {
    /// These; without any there is nothing to have.
    #[must_use]
    pub fn of(names: Vec<RoleName>) -> Option<Self> {
        (!names.is_empty()).then_some(Self(names))
    }

    /// As they were named.
    #[must_use]
    pub fn names(&self) -> &[RoleName] {
        &self.0
    }

    /// The one that was named first.
    #[must_use]
    pub fn first(&self) -> &RoleName {
        &self.0[0]
    }

    /// Whether an account with that role will do.
    #[must_use]
    pub fn include(&self, role: &str) -> bool {
        self.0.iter().any(|name| name.as_str() == role)
    }

    /// What whoever has none of them is told.
    #[must_use]
    pub fn lacked(&self) -> String {
        match &self.0[..] {
            [only] => format!("the account has not the role `{only}`"),
            several => {
                let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
                format!("the account has none of the roles {}", names.join(", "))
            }
        }
    }

    /// How they are named at an endpoint: `admin,editor`.
    #[must_use]
    pub fn listed(&self) -> String {
        self.0.iter().map(RoleName::as_str).collect::<Vec<_>>().join(",")
    }
}

/// `admin`, `admin or editor`.
impl fmt::Display for Roles {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" or "))
    }
}

/// How callers prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// A key of table `api_keys`.
    ApiKey,
    /// A token made by [`Step::IssueToken`].
    AccessToken,
    /// The cookie of a session ([`Step::SetSession`]).
    Session,
    /// Either of the two, whichever the request brings; a token wins.
    SignedIn,
    /// Address and password of an account with each request (RFC 7617). What fails counts for the address that was tried under
    /// [`crate::accounts::FAILED_LOGINS`]. It has no session.
    Basic,
    /// An access token of the issuer that the servers are told (RFC 9068): whom it is about is known by its `sub`. It has no session.
    Issued,
}

impl Scheme {
    /// Whether the principal is a user, with the record [`CALLER`].
    #[must_use]
    pub fn is_user(self) -> bool {
        match self {
            Self::ApiKey => false,
            Self::AccessToken | Self::Session | Self::SignedIn | Self::Basic | Self::Issued => true,
        }
    }

    /// Whether a browser adds the proof by itself, to what pages of other origins send too.
    #[must_use]
    pub fn is_added_by_browsers(self) -> bool {
        match self {
            Self::ApiKey | Self::AccessToken | Self::Issued => false,
            Self::Session | Self::SignedIn | Self::Basic => true,
        }
    }

    /// Whether a cookie will do, which browsers add by themselves.
    #[must_use]
    pub fn takes_cookies(self) -> bool {
        match self {
            Self::ApiKey | Self::AccessToken | Self::Basic | Self::Issued => false,
            Self::Session | Self::SignedIn => true,
        }
    }

    /// Whether an access token of this API will do.
    #[must_use]
    pub fn takes_tokens(self) -> bool {
        match self {
            Self::ApiKey | Self::Session | Self::Basic | Self::Issued => false,
            Self::AccessToken | Self::SignedIn => true,
        }
    }
}

/// Whom a request is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKey {
    /// The principal.
    Principal,
    /// The client's address.
    Address,
    /// What that field of a record says, in lower case: a name that is tried, whether anybody has it or not.
    Field(SlotName, FieldName),
}

/// What a request brings, and what it is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The JSON body: a whole record.
    Body(Shape),
    /// The JSON body: a record of changes. A field that is absent stays as it is, one that is null is emptied
    /// (RFC 7396, one level deep).
    Changes(Shape),
    /// The JSON body: a record of changes as above, or by its media type operations on a record (RFC 6902). What it comes to is known with
    /// the row: [`Step::Patched`].
    Patch(Patchable),
    /// The JSON body: a list of whole records, never empty. The slot holds a record with them as [`RECORDS`].
    List(shape::Entries),
    /// The parameters of the path.
    Parameters(Shape),
    /// The parameters of the query string: every one of them, once.
    Query(Shape),
    /// The query string of a list: filters, order, page.
    Listing(Holes),
    /// The selection of a GraphQL field with its arguments, or the query string of one record: which of its fields are wanted.
    Selection(Holes),
}

impl Input {
    /// What the fields of a body are checked against, where it brings a body.
    #[must_use]
    pub fn shape_of_body(&self) -> Option<&Shape> {
        match self {
            Self::Body(shape) | Self::Changes(shape) | Self::Patch(Patchable { shape, .. }) => Some(shape),
            Self::List(_) | Self::Parameters(_) | Self::Query(_) | Self::Listing(_) | Self::Selection(_) => None,
        }
    }
}

/// A record that operations may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patchable {
    /// The fields that may be changed.
    pub shape: Shape,
    /// Those beside them that a caller sees of the record: they can be tested and copied, and stay as they are.
    pub kept: Vec<FieldName>,
}

/// The field of a body that is a list.
pub const RECORDS: &str = "records";

/// What a list holds that is gone through, wherever among the items it is brought.
#[must_use]
pub fn entries_of<'a>(items: &'a [Item], of: &SlotName, list: &FieldName) -> Option<&'a shape::Entries> {
    items.iter().find_map(|item| match item {
        Item::Let(slot, Step::Validate(Input::Body(shape))) if slot == of => {
            shape.fields.iter().find(|field| field.name == *list)?.entries.as_deref()
        }
        Item::Let(slot, Step::Validate(Input::List(entries))) if slot == of => Some(entries),
        Item::Transaction(body) => entries_of(body, of, list),
        Item::Match(_, arms) => arms.iter().find_map(|(_, body)| entries_of(body, of, list)),
        Item::Each(each) => entries_of(&each.body, of, list),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => None,
    })
}

/// The media type of a body of changes (RFC 7396); JSON of any other name is taken for one too.
pub const MERGE_PATCH: &str = "application/merge-patch+json";
/// The media type of a body of operations (RFC 6902).
pub const JSON_PATCH: &str = "application/json-patch+json";
/// Most operations of one body.
pub const MAX_OPERATIONS: usize = 100;

/// What [`Step::Generate`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// A UUID of version 7.
    Uuid,
    /// An e-mail address that nobody has, and nobody else gets.
    Address,
    /// Random bytes as URL-safe text.
    Token {
        /// How many bytes.
        bytes: u8,
    },
}

/// An operation of a provider's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Whose.
    pub provider: ProviderName,
    /// Which.
    pub name: FieldName,
}

/// How a procedure ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// An answer with a JSON object.
    Answer {
        /// The status code.
        status: u16,
        /// The object's fields in order. None at all: no body.
        body: Vec<ResponseField>,
        /// What tells this version of the record from others: the `ETag` header, quoted.
        tag: Option<Value>,
        /// Where the new record can be read: the `Location` header.
        location: Option<Location>,
    },
    /// An answer with one record (200), or with those of its fields that were asked for.
    Record {
        /// The slot that says which.
        asked: SlotName,
        /// The record's fields in order.
        body: Vec<ResponseField>,
        /// What tells this version of it from others, whichever fields are shown.
        tag: Value,
    },
    /// An answer with a page of rows. Its tag is made from its bytes; `Link` leads to the page behind it.
    Rows {
        /// The slot of a read.
        slot: SlotName,
        /// How they are written.
        format: RowsFormat,
    },
    /// An answer with the records of a list, as a JSON list.
    Records {
        /// The status code.
        status: u16,
        /// The list that [`Item::Each`] has made.
        slot: SlotName,
        /// What it holds of each record, in order.
        fields: Vec<ResponseField>,
    },
    /// An error.
    Problem(Problem),
    /// The error that this field of the body names no record.
    UnknownReference(FieldName),
    /// The error that this field of the body does not stand to another one as it must.
    Inconsistent {
        /// The field.
        field: FieldName,
        /// What it must do, for people: `must be after starts_at`.
        detail: String,
    },
    /// The same where the field stands in a list: that field of the record which [`Item::Each`] is at. `detail` says what it must
    /// do; none: it names no record.
    Entry {
        /// The field that holds the list; none where the body is the list.
        list: Option<FieldName>,
        /// The field of the record.
        field: FieldName,
        /// What it must do, for people; none where it must name a record.
        detail: Option<String>,
    },
    /// The error that there is less than this field of the record which [`Item::Each`] is at asks for.
    Short {
        /// The field that holds the list.
        list: FieldName,
        /// The field of the record.
        field: FieldName,
    },
    /// See other.
    Redirect(Value),
    /// Nobody waits for an answer: events and schedules end so.
    Done,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsFormat {
    /// One document: `{"items": [...], "next": cursor or null}`.
    Json,
    /// RFC 4180, with a header row.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl RowsFormat {
    /// By what a request asks for such an answer.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// The `Content-Type` of such an answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json | Self::Ndjson => self.media_type(),
        }
    }
}

/// What is written otherwise in a segment of a path; as `encodeURIComponent` has it.
pub const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The path of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// The path up to the record's key, with its last slash. A parameter in it (`{post_id}`) is that of the request.
    pub path: String,
    /// The record's key.
    pub key: Value,
}

/// A field of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseField {
    /// Its name.
    pub name: FieldName,
    /// Where it comes from.
    pub value: Value,
    /// What it holds.
    pub field_type: FieldType,
    /// The records of a list; the field holds a document then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<RecordList>,
    /// One sentence for documents.
    pub description: String,
}

/// A list of records in an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordList {
    /// What each of them is called in documents: `BinOfRackRecord`.
    pub name: String,
    /// What each holds, in order.
    pub fields: Vec<ResponseField>,
}

/// Whether every path through the items exits.
#[must_use]
pub fn always_exits(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Exit(..) => true,
        Item::Transaction(body) => always_exits(body),
        Item::Match(_, arms) => arms.iter().all(|(_, body)| always_exits(body)),
        // A list may be gone through to its end.
        Item::Let(..) | Item::Do(_) | Item::Each(_) | Item::Promise(_) => false,
    })
}

/// Where a step may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepPlace {
    /// Anywhere.
    Anywhere,
    /// Only inside a transaction: its effect must not outlive the writes around it.
    Inside,
    /// Only outside: it waits for the client, the network or a slow hash, and must not hold a transaction meanwhile.
    Outside,
}

impl Step {
    /// The ways a step can come out, or `None` when there is one way only and the slot holds the result.
    #[must_use]
    pub fn outcomes(&self) -> Option<&'static [Outcome]> {
        use Outcome::{
            Answered, Changed, Found, Inserted, Missing, No, Present, Refused, Several, Single, Unchanged, Unknown, Yes,
        };
        match self {
            Self::Read { cardinality: Cardinality::One, .. } => Some(&[Found, Missing]),
            Self::Write(Write::Insert { on_conflict: OnConflict::Keep { .. }, .. }) => Some(&[Inserted, Present]),
            Self::Write(Write::Update { .. } | Write::Delete { .. } | Write::Add(_)) => Some(&[Changed, Unchanged]),
            Self::Check(_) | Self::VerifyPassword { .. } => Some(&[Yes, No]),
            Self::Form => Some(&[Single, Several]),
            Self::Await { .. } | Self::Fetch { .. } => Some(&[Answered, Refused, Unknown]),
            Self::Authorize { .. }
            | Self::Limit { .. }
            | Self::LimitEach { .. }
            | Self::Part { .. }
            | Self::Spare { .. }
            | Self::Claim
            | Self::Recall(_)
            | Self::SameOrigin
            | Self::SetSession(_)
            | Self::Validate(_)
            | Self::Patched { .. }
            | Self::May { .. }
            | Self::Ping
            | Self::Generate(_)
            | Self::Evaluate(_)
            | Self::Digest(_)
            | Self::Successor(_)
            | Self::HashPassword(_)
            | Self::Read { cardinality: Cardinality::Many, .. }
            | Self::Write(Write::Insert { on_conflict: OnConflict::Fail | OnConflict::Replace { .. }, .. })
            | Self::Emit { .. }
            | Self::Received(_)
            | Self::Hear(_)
            | Self::IssueToken { .. }
            | Self::Presign { .. } => None,
        }
    }

    /// Where the step may stand.
    #[must_use]
    pub fn place(&self) -> StepPlace {
        match self {
            Self::Authorize { .. }
            | Self::Limit { .. }
            | Self::LimitEach { .. }
            | Self::Part { .. }
            | Self::Form
            | Self::Spare { .. }
            | Self::Claim
            | Self::SameOrigin
            | Self::SetSession(_)
            | Self::Validate(_)
            | Self::May { .. }
            | Self::Ping
            | Self::HashPassword(_)
            | Self::VerifyPassword { .. }
            | Self::Await { .. }
            | Self::Fetch { .. }
            | Self::Received(_)
            | Self::Hear(_) => StepPlace::Outside,
            Self::Recall(_) | Self::Patched { .. } | Self::Write(_) | Self::Emit { .. } => StepPlace::Inside,
            Self::Generate(_)
            | Self::Evaluate(_)
            | Self::Check(_)
            | Self::Digest(_)
            | Self::Successor(_)
            | Self::Read { .. }
            | Self::IssueToken { .. }
            | Self::Presign { .. } => StepPlace::Anywhere,
        }
    }
}
