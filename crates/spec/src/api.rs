//! `api_requirements`: the block's node comes in, checked requirements go out.
//! What an endpoint does is not decided here.

use crate::codes::{BOUND_EXCEEDED, ENDPOINT_TWICE, NO_ENDPOINTS};
use crate::document::{Entry, Node};
use crate::endpoint::{self, Endpoint, MAX_ENDPOINTS};
use crate::field::{Field, optional, required};
use crate::lower::{Block, Label, Lowering};
use crate::rate_limit::{self, RateLimit};
use crate::schema;
use crate::source::Spanned;
use crate::subscribers::{self, Subscribers};
use crate::word::words;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vocab::{Diagnostic, Place};

/// What an API must be.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiRequirements {
    /// How clients speak to it.
    pub kind: Spanned<ApiKind>,
    /// Its endpoints, in the task's order; no two have one method and path.
    pub endpoints: Vec<Endpoint>,
    /// The limit of all endpoints together, unless one has its own.
    pub rate_limiting: Option<Spanned<RateLimit>>,
    /// What the task asks for by name, without repetition.
    pub security_features: Vec<Spanned<SecurityFeature>>,
    /// Who else is told of its events; nobody where nothing is said.
    pub subscribers: Option<Subscribers>,
    /// The documentation to write.
    pub documentation_format: DocumentationFormat,
    /// Where `api_requirements` stands.
    pub place: Place,
}

words! {
    /// How clients speak to an API.
    ApiKind {
        /// Resources and methods.
        Rest = "rest";
        /// One endpoint that takes queries.
        GraphQl = "graphql";
        /// Other services call in.
        Webhook = "webhook";
    }
}

words! {
    /// The format of the documentation.
    DocumentationFormat {
        /// OpenAPI 3.0.
        OpenApi30 = "openapi_3.0";
        /// OpenAPI 3.1, the default.
        OpenApi31 = "openapi_3.1";
        /// Markdown only.
        Markdown = "markdown";
    }
}

words! {
    /// A protection that a task can ask for by name.
    SecurityFeature {
        /// Limits on requests.
        RateLimiting = "rate_limiting";
        /// Checks of what clients send.
        InputValidation = "input_validation";
        /// Rules for browsers of other origins.
        Cors = "cors";
        /// Response headers that browsers act on.
        SecurityHeaders = "security_headers";
        /// A repeated write happens once.
        Idempotency = "idempotency";
    }
}

const FIELDS: &[Field] = &[
    required("type", "How clients speak to the API.", schema::word::<ApiKind>),
    required("endpoints", "What the API offers; at least one.", || schema::some(endpoint::schema())),
    optional("rate_limiting", "The limit of every endpoint that has none of its own.", rate_limit::schema),
    optional(
        "security_features",
        "Protections asked for by name; sensible ones are on anyway.",
        schema::list_of_words::<SecurityFeature>,
    ),
    optional(
        "subscribers",
        "Which events others may subscribe to, at addresses of their own, and who may do so.",
        subscribers::schema,
    ),
    optional(
        "documentation_format",
        "The documentation to write; `openapi_3.1` when absent.",
        schema::word::<DocumentationFormat>,
    ),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks `api_requirements`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<ApiRequirements> {
    let block = lowering.block("`api_requirements`", &entry.node, entry.key_span, FIELDS)?;
    let kind = lowering
        .required(&block, "type", "add `type: \"rest\"`, `\"graphql\"` or `\"webhook\"`")
        .and_then(|entry| lowering.word(Label::Field("type"), &entry.node));
    let endpoints = endpoints(lowering, &block);
    let rate_limiting = block.node("rate_limiting").and_then(|node| rate_limit::lower(lowering, node));
    let security_features = block.node("security_features").map_or_else(Vec::new, |node| {
        lowering.distinct("security_features", node, |lowering, label, item| lowering.word(label, item))
    });
    let subscribers = block.node("subscribers").map(|node| subscribers::lower(lowering, node));
    let documentation_format = block
        .node("documentation_format")
        .and_then(|node| lowering.word(Label::Field("documentation_format"), node))
        .map_or(DocumentationFormat::OpenApi31, |format| format.value);
    let subscribers = match subscribers {
        Some(found) => Some(found?),
        None => None,
    };
    Some(ApiRequirements {
        kind: kind?,
        endpoints: endpoints?,
        rate_limiting,
        security_features,
        subscribers,
        documentation_format,
        place: lowering.source.place(entry.key_span),
    })
}

/// The endpoints that have no error; absent when the list itself is wrong.
fn endpoints(lowering: &mut Lowering<'_>, api: &Block<'_>) -> Option<Vec<Endpoint>> {
    let help = "add `endpoints:` with at least one `path`, `method` and `authentication`";
    let entry = lowering.required(api, "endpoints", help)?;
    let items = lowering.list("endpoints", &entry.node)?;
    if items.is_empty() {
        lowering.error(NO_ENDPOINTS, "`endpoints` is empty", entry.node.span, help);
        return None;
    }
    if let Some(excess) = items.get(MAX_ENDPOINTS) {
        let message = format!("{} endpoints, at most {MAX_ENDPOINTS} fit in one task", items.len());
        lowering.error(BOUND_EXCEEDED, message, excess.span, "split the task");
        return None;
    }
    Some(distinct_endpoints(lowering, items))
}

fn distinct_endpoints(lowering: &mut Lowering<'_>, items: &[Node]) -> Vec<Endpoint> {
    let mut lines = BTreeMap::new();
    let mut endpoints = Vec::with_capacity(items.len());
    for item in items {
        let Some(endpoint) = endpoint::lower(lowering, item) else { continue };
        let key = (endpoint.method, endpoint.path.shape());
        if let Some(line) = lines.get(&key) {
            let message = format!("`{} {}` is already the endpoint of line {line}", endpoint.method, endpoint.path);
            lowering.report(
                Diagnostic::error(ENDPOINT_TWICE, message, &endpoint.place)
                    .with_help("remove one of the two, or change its path"),
            );
            continue;
        }
        lines.insert(key, endpoint.place.line);
        endpoints.push(endpoint);
    }
    endpoints
}
