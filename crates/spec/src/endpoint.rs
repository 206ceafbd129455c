//! One endpoint: an item of `endpoints` comes in, a checked [`Endpoint`] goes out.
//! Authentication is never assumed: an endpoint that does not mention it is an error.

use crate::access::{self, Access, Cache};
use crate::codes::AUTHENTICATION_UNSAID;
use crate::condition::RowCondition;
use crate::document::Node;
use crate::field::{Field, optional, required};
use crate::lower::{Block, Label, Lowering};
use crate::path::{self, PathPattern};
use crate::rate_limit::{self, RateLimit};
use crate::schema;
use crate::source::{Span, Spanned};
use crate::validation::{self, FieldRule};
use crate::webhook::{self, Incoming};
use crate::word::{Word, words};
use serde_json::Value as Json;
use vocab::{BehaviorName, EntityName, EventName, FieldName, Place};

/// The most endpoints of one task.
pub const MAX_ENDPOINTS: usize = 2_000;

/// An endpoint of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Its path.
    pub path: PathPattern,
    /// Its method.
    pub method: Method,
    /// How callers prove who they are.
    pub authentication: Authentication,
    /// Where that stands. Always present today.
    pub authentication_place: Option<Place>,
    /// The fields it takes, in the task's order.
    pub validation: Vec<FieldRule>,
    /// The format of its answers, where the task names one; JSON else.
    pub response_format: Option<Spanned<ResponseFormat>>,
    /// What it does, where the task overrides the inference.
    pub behavior: Option<Spanned<BehaviorName>>,
    /// What it works on, where the task overrides the inference.
    pub entity: Option<Spanned<EntityName>>,
    /// Its own limit.
    pub rate_limiting: Option<Spanned<RateLimit>>,
    /// Events it emits besides those of its behavior.
    pub emits: Vec<Spanned<EventName>>,
    /// By what its list may be filtered, where the task says so; by everything that can be compared else.
    pub filters: Option<Vec<Spanned<FieldName>>>,
    /// By what its list may be sorted, where the task says so.
    pub sorts: Option<Vec<Spanned<FieldName>>>,
    /// Who may call it.
    pub access: Option<Spanned<Access>>,
    /// Which rows it has to do with, beside what `access` says by itself.
    pub condition: Option<Spanned<RowCondition>>,
    /// Fields that its answers do not have.
    pub hidden: Vec<Spanned<FieldName>>,
    /// The calls of a sender that it takes.
    pub webhook: Option<Incoming>,
    /// How long its answers may be kept.
    pub cache: Option<Spanned<Cache>>,
    /// Where the path stands.
    pub place: Place,
}

words! {
    /// An HTTP method.
    Method {
        /// Read.
        Get = "GET";
        /// Create or act.
        Post = "POST";
        /// Replace.
        Put = "PUT";
        /// Change.
        Patch = "PATCH";
        /// Remove.
        Delete = "DELETE";
    }
}

words! {
    /// How callers prove who they are.
    Authentication {
        /// Not at all: everybody may call.
        None = "none";
        /// A key in a header.
        ApiKey = "api_key";
        /// A signed token.
        Jwt = "jwt_token" | "jwt";
        /// A token of an OAuth provider.
        OAuth = "oauth";
        /// A cookie.
        Session = "session";
        /// Name and password with every request.
        Basic = "basic";
        /// The proof of a sender, over the call itself.
        Signature = "signature";
    }
}

words! {
    /// The format of answers.
    ResponseFormat {
        /// One JSON document, the default.
        Json = "json";
        /// A table as text.
        Csv = "csv";
        /// One JSON document per line.
        Ndjson = "ndjson";
    }
}

const FIELDS: &[Field] = &[
    required("path", "Where it is: `/api/orders/{id}`; `:id` means a parameter too.", path::schema),
    required("method", "The HTTP method.", method_schema),
    required(
        "authentication",
        "How callers prove who they are; `none` lets everybody in.",
        schema::word::<Authentication>,
    ),
    optional("validation", "The fields it takes: a list of names, or each name with its rules.", validation::schema),
    optional("response_format", "The format of its answers; `json` when absent.", schema::word::<ResponseFormat>),
    optional("behavior", "What it does, where the producer would infer something else.", schema::identifier),
    optional("entity", "What it works on, where the producer would infer something else.", schema::identifier),
    optional(
        "access",
        "Who may call it: `public`, `authenticated`, `owner`, `role:<name>`, `role:<name>,<name>`, `scope:<name>`; `{ who, where, hide }` with a condition over its rows, and fields that are hidden.",
        access::access_schema,
    ),
    optional("rate_limiting", "Its own limit, instead of that of the whole API.", rate_limit::schema),
    optional("cache", "How long its answers may be kept: `no_store`, `60_seconds`.", access::cache_schema),
    optional("filters", "By what its list may be filtered; each gets an index.", schema::list_of_identifiers),
    optional("sorts", "By what its list may be sorted; each gets an index.", schema::list_of_identifiers),
    optional("webhook", "Who calls it, and how that is proved: with `type: webhook`.", webhook::schema),
    optional("emits", "Events it emits besides those of its behavior.", schema::list_of_identifiers),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks one item of `endpoints`; all of its fields, even after one of them is wrong.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Endpoint> {
    let owner = node.beginning();
    let block = lowering.block("an endpoint", node, owner, FIELDS)?;
    let path = lowering
        .required(&block, "path", "add `path: \"/api/...\"`")
        .and_then(|entry| path::lower(lowering, &entry.node));
    let method = lowering
        .required(&block, "method", "add `method: \"GET\"` or another method")
        .and_then(|entry| method(lowering, &entry.node));
    let authentication = authentication(lowering, &block, owner);
    let validation = block.node("validation").map_or_else(Vec::new, |node| validation::lower(lowering, node));
    let response_format =
        block.node("response_format").and_then(|node| lowering.word(Label::Field("response_format"), node));
    let behavior =
        block.node("behavior").and_then(|node| lowering.name(Label::Field("behavior"), node, BehaviorName::parse));
    let entity = block.node("entity").and_then(|node| lowering.name(Label::Field("entity"), node, EntityName::parse));
    let rate_limiting = block.node("rate_limiting").and_then(|node| rate_limit::lower(lowering, node));
    let emits = block.node("emits").map_or_else(Vec::new, |node| {
        lowering.distinct("emits", node, |lowering, label, item| lowering.name(label, item, EventName::parse))
    });
    let mut names = |field: &'static str| {
        let node = block.node(field)?;
        Some(lowering.distinct(field, node, |lowering, label, item| lowering.name(label, item, FieldName::parse)))
    };
    let (filters, sorts) = (names("filters"), names("sorts"));
    let access = block.node("access").map_or_else(Default::default, |node| access::lower_access(lowering, node));
    let webhook = block.node("webhook").map(|node| webhook::lower(lowering, node));
    let cache = block.node("cache").and_then(|node| access::lower_cache(lowering, node));
    let (path, authentication) = (path?, authentication?);
    let webhook = match webhook {
        Some(found) => Some(found?),
        None => None,
    };
    Some(Endpoint {
        path: path.value,
        method: method?,
        authentication: authentication.value,
        authentication_place: Some(authentication.place),
        validation,
        response_format,
        behavior,
        entity,
        rate_limiting,
        emits,
        filters,
        sorts,
        access: access.who,
        condition: access.condition,
        hidden: access.hidden,
        webhook,
        cache,
        place: path.place,
    })
}

/// The list's words for editors to propose, and the same in any letter case.
fn method_schema() -> Json {
    let any_case = |word: &str| -> String {
        word.chars().map(|letter| format!("[{letter}{}]", letter.to_ascii_lowercase())).collect()
    };
    let words: Vec<String> = Method::words().into_iter().map(any_case).collect();
    schema::either([schema::word::<Method>(), schema::pattern(&words.join("|"))])
}

/// A method in any letter case.
fn method(lowering: &mut Lowering<'_>, node: &Node) -> Option<Method> {
    let label = Label::Field("method");
    let text = lowering.word_text(label, node, &Method::words())?;
    let method = Method::from_word(&text.to_ascii_uppercase());
    if method.is_none() {
        lowering.unknown_word(label, node.span, text, &Method::words());
    }
    method
}

fn authentication(lowering: &mut Lowering<'_>, block: &Block<'_>, owner: Span) -> Option<Spanned<Authentication>> {
    if let Some(node) = block.node("authentication") {
        return lowering.word(Label::Field("authentication"), node);
    }
    if !block.is_misspelled("authentication") {
        let span = block.node("path").map_or(owner, |path| path.span);
        let help = "add `authentication: \"none\"` if everybody may call it, else `\"api_key\"` or `\"jwt_token\"`";
        lowering.error(AUTHENTICATION_UNSAID, "this endpoint says nothing about authentication", span, help);
    }
    None
}
