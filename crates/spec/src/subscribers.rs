//! `subscribers` of an API: which of its events others may subscribe to at addresses of their own, and who may do so. A block comes in,
//! checked [`Subscribers`] go out. Whether the API has such events is not decided here.

use crate::access::{self, Access};
use crate::codes::AUTHENTICATION_UNSAID;
use crate::document::Node;
use crate::duration;
use crate::endpoint::Authentication;
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::path::{self, PathPattern};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;
use vocab::{EventName, Place};

/// Those who are told of events at addresses of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribers {
    /// What they may hear of; at least one.
    pub events: Vec<Spanned<EventName>>,
    /// Where subscriptions are managed.
    pub path: Option<Spanned<PathPattern>>,
    /// How whoever manages them proves who that is.
    pub authentication: Spanned<Authentication>,
    /// Who may manage them.
    pub access: Option<Spanned<Access>>,
    /// Behind how many seconds of failures alone a subscription is disabled.
    pub disable_after: Option<Spanned<u32>>,
    /// Where the block stands.
    pub place: Place,
}

const FIELDS: &[Field] = &[
    required("events", "The events that they may subscribe to: `order_created`.", schema::list_of_identifiers),
    required(
        "authentication",
        "How whoever manages a subscription proves who that is.",
        schema::word::<Authentication>,
    ),
    optional("path", "Where subscriptions are managed; `/api/webhooks` when absent.", path::schema),
    optional(
        "access",
        "Who manages which: `owner` (each user those of its own, and its own events; when absent, where users sign in), `authenticated`, `role:<name>`.",
        access::who_schema,
    ),
    optional(
        "disable_after",
        "Behind how long a time of failures alone a subscription is disabled; `5_days` when absent.",
        duration::schema,
    ),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks the value of `subscribers`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Subscribers> {
    let block = lowering.own_block("`subscribers`", node, FIELDS)?;
    let events = lowering.required(&block, "events", "add `events: [order_created]`").map(|entry| {
        lowering.distinct("events", &entry.node, |lowering, label, item| lowering.name(label, item, EventName::parse))
    });
    let authentication = match block.node("authentication") {
        Some(node) => lowering.word(Label::Field("authentication"), node),
        None if block.is_misspelled("authentication") => None,
        None => {
            let help = "add `authentication: \"jwt_token\"` where users subscribe, or `\"api_key\"` where programs do";
            lowering.error(AUTHENTICATION_UNSAID, "nothing says who may subscribe", node.beginning(), help);
            None
        }
    };
    let path = block.node("path").and_then(|node| path::lower(lowering, node));
    let access = block.node("access").and_then(|node| access::lower_who(lowering, node));
    let disable_after = block.node("disable_after").and_then(|node| duration::lower(lowering, "disable_after", node));
    let place = lowering.source.place(node.beginning());
    Some(Subscribers { events: events?, path, authentication: authentication?, access, disable_after, place })
}
