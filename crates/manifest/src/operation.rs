//! `operations.yaml`: what a provider can do, each as a request to fill in and an answer to read. Plain data.

use crate::entries::Entries;
use crate::kind::{Kind, Privacy};
use crate::outcome::{ErrorRule, Retry, When};
use crate::pointer::Pointer;
use crate::provider::AnswerFormat;
use crate::template::{Template, Text};
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// Something that a provider can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What it does, one sentence.
    pub does: String,
    /// What becomes of the world by it.
    pub effect: Effect,
    /// How the provider knows us, where it is not the first way.
    #[serde(default)]
    pub authentication: Option<FieldName>,
    /// What it is given.
    #[serde(default)]
    pub input: Entries<FieldName, Input>,
    /// What is sent.
    pub request: Request,
    /// How it is answered, where it is not as the host says.
    #[serde(default)]
    pub answers: Option<AnswerFormat>,
    /// What is kept of the answer. Nothing else is.
    #[serde(default)]
    pub answer: Entries<FieldName, Answered>,
    /// What a good answer looks like, where it is not as the provider says.
    #[serde(default)]
    pub success_when: Option<When>,
    /// Rules that are asked before those of the provider.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// What makes a repetition harmless. Needed where something changes.
    #[serde(default)]
    pub idempotency: Option<Idempotency>,
    /// What is done when nobody knows whether it happened. Needed where something changes.
    #[serde(default)]
    pub if_reply_is_lost: Option<IfReplyIsLost>,
    /// How several of them go into one request.
    #[serde(default)]
    pub batch: Option<Batch>,
    /// How a long answer goes on.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// Rates that count it beside those that count everything.
    #[serde(default)]
    pub rates: Vec<FieldName>,
    /// How often and how long it is tried, where it is not as the provider says.
    #[serde(default)]
    pub retry: Option<Retry>,
}

/// What becomes of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something is there or is otherwise.
    Write,
    /// Something is gone.
    Delete,
    /// Nothing is sent: a URL is made that lets its bearer send the request for a while.
    Link,
}

impl Effect {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Link => "link",
        }
    }

    /// Whether something changes.
    #[must_use]
    pub fn changes(self) -> bool {
        matches!(self, Self::Write | Self::Delete)
    }
}

/// A value that is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// Most characters of a text, most items of a list.
    #[serde(default)]
    pub max: Option<u32>,
    /// The only texts there are.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The fields of the items of a list.
    #[serde(default)]
    pub of: Entries<FieldName, Input>,
}

/// A value that an answer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Where it stands in the body.
    #[serde(default)]
    pub at: Option<Pointer>,
    /// The header that holds it.
    #[serde(default)]
    pub header: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How carefully it is handled.
    pub privacy: Privacy,
    /// Whether an answer without it is none.
    #[serde(default)]
    pub required: bool,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// An HTTP request.
    Http(HttpRequest),
    /// A command of a server that takes words (RESP).
    Command(Vec<Text>),
    /// Rows of a database.
    Rows(Rows),
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Which host, where it is not the first.
    #[serde(default)]
    pub host: Option<FieldName>,
    /// Its path behind the host; values in it are encoded.
    pub path: Text,
    /// Parameters of the address, in order.
    #[serde(default)]
    pub query: Entries<String, Text>,
    /// Headers beside those of the host.
    #[serde(default)]
    pub headers: Entries<String, Text>,
    /// Its body.
    #[serde(default)]
    pub body: Option<Body>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method as it is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A body and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A JSON document, members in the order in which they stand here.
    Json(Template),
    /// JSON documents, a line each, for the items of a list.
    JsonLines(Template),
    /// Names and values; what is nested is written `a[0][b]=c`.
    FormNested(Template),
    /// Names and values; an item of a list each, under the same name.
    FormRepeated(Template),
    /// One name with a JSON document as its value.
    FormJson {
        /// The name.
        name: String,
        /// The document.
        json: Template,
        /// Whether it is written in Base64.
        #[serde(default)]
        base64: bool,
    },
    /// XML text; values in it are encoded.
    Xml(Text),
    /// What an input holds, as it is.
    Bytes {
        /// The bytes.
        of: Text,
        /// What they are.
        media_type: Text,
    },
}

/// Rows of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// What becomes of them.
    pub action: RowsAction,
    /// Which table.
    pub table: Text,
    /// The columns that say which row is which.
    #[serde(default)]
    pub key: Vec<String>,
    /// The columns and what they hold.
    #[serde(default)]
    pub values: Entries<String, Text>,
}

/// What becomes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsAction {
    /// They are there, new or changed.
    Upsert,
    /// They are gone.
    Delete,
    /// They are read in the order of the key, from the values on.
    Read,
    /// The server is asked whether it answers.
    Ping,
}

/// What makes a repetition harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// The provider knows it by `${delivery.key}`, wherever that stands in the request.
    Key {
        /// Longest key.
        max_length: u32,
        /// For how long it is known there, where the provider says it.
        #[serde(default)]
        kept_hours: Option<u32>,
    },
    /// Doing it twice comes to the same; why.
    Natural(String),
    /// Nothing; why one knows.
    None(String),
}

/// What is done when nobody knows whether it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfReplyIsLost {
    /// It is sent again.
    Repeat,
    /// It is put aside for a person.
    Stop,
    /// The provider is asked.
    LookUp(LookUp),
}

/// How the provider is asked whether something has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// The operation that tells.
    pub operation: FieldName,
    /// What it is given, made of the inputs of the one that was lost.
    #[serde(default)]
    pub input: Entries<FieldName, Text>,
    /// It has happened when this holds.
    pub found_when: When,
}

/// How several go into one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The input that lists them.
    pub list: FieldName,
    /// Most of them.
    pub most: u32,
    /// Most bytes of the body.
    #[serde(default)]
    pub most_bytes: Option<u32>,
    /// How each of them came out.
    pub outcome: BatchOutcome,
}

/// How the items of a batch came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchOutcome {
    /// All of them or none.
    Together,
    /// The answer has an item for each, in their order.
    InOrder {
        /// The list.
        at: Pointer,
        /// What a good one looks like.
        success_when: Vec<crate::outcome::BodyTest>,
        /// Where the provider's code of a bad one stands, in the item.
        #[serde(default)]
        code: Option<Pointer>,
    },
    /// The answer lists those that failed, each by what one of its fields holds.
    ByName {
        /// The list.
        at: Pointer,
        /// Where that stands.
        name: Pointer,
        /// The field of the item.
        item: FieldName,
        /// Where the provider's words stand.
        #[serde(default)]
        message: Option<Pointer>,
    },
    /// The answer lists those that failed.
    Failures {
        /// The list.
        at: Pointer,
        /// Where the number of the item stands, from 0.
        position: Pointer,
        /// Where the provider's words stand.
        #[serde(default)]
        message: Option<Pointer>,
    },
}

/// How a long answer goes on. `${page.next}` in the request leads there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// Where the items stand.
    pub items: Pointer,
    /// What leads to the next page.
    pub next: NextPage,
    /// Most pages of one reading.
    pub most_pages: u32,
}

/// What leads to the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextPage {
    /// Something in the answer; where it is absent, there is none.
    Cursor {
        /// Where.
        at: Pointer,
        /// Where the answer says that there are more, if it does.
        #[serde(default)]
        more: Option<Pointer>,
    },
    /// Something in the last item.
    LastItem {
        /// Where, in the item.
        at: Pointer,
        /// Where the answer says that there are more.
        more: Pointer,
    },
    /// The whole address of it in the answer.
    Address(Pointer),
    /// The header `Link`.
    LinkHeader,
    /// How many items were read; a page that is not full is the last.
    Offset {
        /// Items of a full page.
        page_size: u32,
    },
    /// The number of the page; one without items is the last.
    Number {
        /// That of the first page.
        first: u32,
    },
}
