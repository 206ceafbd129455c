//! `alerts` of a service: who is told when it fails and when it works again. A block comes in, checked [`Alerts`] go out. Whether an address
//! is one is not decided here.

use crate::credential::{self, CredentialValue};
use crate::document::Node;
use crate::duration;
use crate::field::{Field, optional};
use crate::lower::{Label, Lowering};
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::Spanned;
use serde_json::Value as Json;
use vocab::Place;

/// Who is told how an integration stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// Whom a mail goes to.
    pub email: Option<Spanned<String>>,
    /// Where a message is posted to.
    pub webhook: Option<Spanned<CredentialValue>>,
    /// What it is signed with.
    pub webhook_secret: Option<Spanned<Reference>>,
    /// How many seconds it stands otherwise until that is told.
    pub after: Option<Spanned<u32>>,
    /// Where the block stands.
    pub place: Place,
}

const FIELDS: &[Field] = &[
    optional("email", "Whom a mail goes to: `ops@example.com`.", schema::text),
    optional(
        "webhook",
        "Where a message is posted to: a URL, or `${env:NAME}` where nobody else may know it.",
        reference::schema_of_values,
    ),
    optional(
        "webhook_secret",
        "What messages are signed with (Standard Webhooks), as `${secret:NAME}` or `${env:NAME}`.",
        reference::schema,
    ),
    optional("after", "How long it stands otherwise until that is told; `5_minutes` when absent.", duration::schema),
];

pub(super) fn schema() -> Json {
    schema::block(FIELDS)
}

/// Checks the value of `alerts`.
pub(super) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Alerts> {
    let block = lowering.own_block("`alerts`", node, FIELDS)?;
    let email = block.node("email").and_then(|node| {
        let text = lowering.text(Label::Field("email"), node)?.to_owned();
        Some(lowering.source.spanned(text, node.span))
    });
    let webhook = block.node("webhook").and_then(|node| webhook(lowering, node));
    let webhook_secret =
        block.node("webhook_secret").and_then(|node| credential::lower_reference(lowering, "webhook_secret", node));
    let after = block.node("after").and_then(|node| duration::lower(lowering, "after", node));
    Some(Alerts { email, webhook, webhook_secret, after, place: lowering.source.place(node.beginning()) })
}

fn webhook(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<CredentialValue>> {
    let text = lowering.text(Label::Field("webhook"), node)?;
    let value = match Reference::parse(text) {
        Some(reference) => CredentialValue::Reference(reference),
        None if reference::is_meant(text) => {
            reference::refuse(lowering, "`webhook`", node.span, text);
            return None;
        }
        None => CredentialValue::Plain(text.to_owned()),
    };
    Some(lowering.source.spanned(value, node.span))
}
