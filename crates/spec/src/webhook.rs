//! `webhook` of an endpoint: who calls it and how that is proved, what tells calls apart, where what they say stands. A block comes in, a
//! checked [`Incoming`] goes out. Which senders are known, and whether a place is one, is not decided here.

use crate::credential;
use crate::document::{Node, Value};
use crate::duration;
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::Spanned;
use crate::word::words;
use serde_json::{Value as Json, json};
use vocab::{EventName, FieldName, Place};

/// Most secrets of one endpoint, types that it takes, fields that it looks for.
const MAX_SECRETS: usize = 10;
const MAX_TYPES: usize = 200;
const MAX_FIELDS: usize = 200;

/// The calls of a sender.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// A sender, or a standard, whose proof is known.
    pub sender: Option<Spanned<String>>,
    /// A keyed digest of another sender.
    pub signature: Option<Signature>,
    /// The header that holds what the sender was told.
    pub token: Option<Spanned<String>>,
    /// What the proof may be made with: one must hold.
    pub secrets: Vec<Spanned<Reference>>,
    /// How far the time of a signature may be from ours, in seconds.
    pub tolerance: Option<Spanned<u32>>,
    /// Where it stands which call it is.
    pub id: Option<Spanned<String>>,
    /// Where it stands of which type it is.
    pub kind: Option<Spanned<String>>,
    /// The types that are taken, each with the event that it is here besides; all where there are none.
    pub accepts: Vec<(Spanned<String>, Option<Spanned<EventName>>)>,
    /// The part of the body in which the fields stand; the whole where nothing is said.
    pub data: Option<Spanned<String>>,
    /// Where fields stand that are called otherwise there.
    pub fields: Vec<(Spanned<FieldName>, Spanned<String>)>,
    /// Where the block stands.
    pub place: Place,
}

/// A keyed digest, and how it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// Over which hash.
    pub algorithm: Spanned<SignatureHash>,
    /// The header that holds it.
    pub header: Spanned<String>,
    /// What stands before it there.
    pub prefix: Option<Spanned<String>>,
    /// How it is written.
    pub encoding: Spanned<SignatureEncoding>,
    /// How the key is written.
    pub key: Spanned<KeyEncoding>,
    /// What is signed: `{body}`, `{timestamp}`, `{header:NAME}` and text.
    pub signed: Option<Spanned<String>>,
    /// The header that holds when it was signed.
    pub timestamp_header: Option<Spanned<String>>,
    /// Where the block stands.
    pub place: Place,
}

words! {
    /// The hash of a keyed digest.
    SignatureHash {
        /// SHA-256.
        Sha256 = "sha256";
        /// SHA-1, which old senders insist on.
        Sha1 = "sha1";
        /// SHA-512.
        Sha512 = "sha512";
    }
}

words! {
    /// How a signature is written.
    SignatureEncoding {
        /// Hex.
        Hex = "hex";
        /// Base64.
        Base64 = "base64";
    }
}

words! {
    /// How the key of a signature is written.
    KeyEncoding {
        /// It is the text itself.
        Text = "text";
        /// In Base64.
        Base64 = "base64";
    }
}

const FIELDS: &[Field] = &[
    optional(
        "sender",
        "A sender or a standard whose proof is known: `standard_webhooks`, `github`, `shopify`, `stripe`.",
        schema::identifier,
    ),
    optional("signature", "The keyed digest (HMAC) of any other sender.", signature_schema),
    optional("token", "The header that holds the secret itself, where nothing is signed.", schema::text),
    required(
        "secret",
        "Where the secret is: `${env:NAME}` or `${secret:NAME}`; a list while one is replaced.",
        secret_schema,
    ),
    optional("tolerance", "How far the time of a signature may be from ours: `5_minutes`.", duration::schema),
    optional("id", "Where it stands which call it is: `/id`, `header:X-Event-Id`.", schema::text),
    optional("type", "Where it stands of which type it is: `/type`, `header:X-Event-Type`.", schema::text),
    optional(
        "accepts",
        "The types that are taken, all when absent: a list, or each with the event that it is here.",
        accepts_schema,
    ),
    optional("data", "The part of the body in which the fields stand: `/data`.", schema::text),
    optional("fields", "Where fields stand that are called otherwise there: `amount: /data/total`.", fields_schema),
];

const SIGNATURE: &[Field] = &[
    required("header", "The header that holds it.", schema::text),
    optional("algorithm", "Over which hash; `sha256` when absent.", schema::word::<SignatureHash>),
    optional("prefix", "What stands before it: `sha256=`.", schema::text),
    optional("encoding", "How it is written; `hex` when absent.", schema::word::<SignatureEncoding>),
    optional("key", "How the secret is written; `text` when absent.", schema::word::<KeyEncoding>),
    optional("signed", "What is signed; `{body}` when absent: `{timestamp}.{body}`, `{header:NAME}`.", schema::text),
    optional("timestamp_header", "The header that holds when it was signed, in seconds.", schema::text),
];

pub(crate) fn schema() -> Json {
    schema::block(FIELDS)
}

fn signature_schema() -> Json {
    schema::block(SIGNATURE)
}

fn secret_schema() -> Json {
    schema::either([reference::schema(), schema::some(reference::schema())])
}

fn accepts_schema() -> Json {
    let of_events = json!({ "type": "object", "minProperties": 1, "additionalProperties": schema::identifier() });
    schema::either([schema::some(schema::text()), of_events])
}

fn fields_schema() -> Json {
    schema::map(schema::IDENTIFIER, schema::text())
}

/// Checks the value of `webhook`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node) -> Option<Incoming> {
    let block = lowering.own_block("`webhook`", node, FIELDS)?;
    for [first, second] in [["sender", "signature"], ["sender", "token"], ["signature", "token"]] {
        lowering.exclude(&block, [first, second], "keep the one that the sender uses");
    }
    let secrets = lowering.required(&block, "secret", "add `secret: \"${env:WEBHOOK_SECRET}\"`");
    let secrets = secrets.map(|entry| secrets_of(lowering, &entry.node)).unwrap_or_default();
    let mut text = |name: &'static str| {
        let node = block.node(name)?;
        let text = lowering.text(Label::Field(name), node)?.to_owned();
        Some(lowering.source.spanned(text, node.span))
    };
    let (sender, token, data) = (text("sender"), text("token"), text("data"));
    let (id, kind) = (text("id"), text("type"));
    let signature = block.node("signature").map(|node| signature(lowering, node));
    let tolerance = block.node("tolerance").and_then(|node| duration::lower(lowering, "tolerance", node));
    let accepts = block.node("accepts").map_or_else(Vec::new, |node| accepts(lowering, node));
    let fields = block.node("fields").map_or_else(Vec::new, |node| fields(lowering, node));
    let place = lowering.source.place(node.beginning());
    // What is wrong in it was said: no other proof stands in its place.
    let signature = match signature {
        Some(found) => Some(found?),
        None => None,
    };
    (!secrets.is_empty()).then_some(Incoming {
        sender,
        signature,
        token,
        secrets,
        tolerance,
        id,
        kind,
        accepts,
        data,
        fields,
        place,
    })
}

fn secrets_of(lowering: &mut Lowering<'_>, node: &Node) -> Vec<Spanned<Reference>> {
    let Value::Sequence(_) = &node.value else {
        return credential::lower_reference(lowering, "secret", node).into_iter().collect();
    };
    let items = lowering.some_items("secret", node, "\"${env:WEBHOOK_SECRET}\"", MAX_SECRETS).unwrap_or_default();
    items.iter().filter_map(|item| credential::lower_reference(lowering, "secret", item)).collect()
}

fn signature(lowering: &mut Lowering<'_>, node: &Node) -> Option<Signature> {
    let block = lowering.own_block("`signature`", node, SIGNATURE)?;
    let header = lowering.required(&block, "header", "add `header: \"X-Signature\"`");
    let header = header.and_then(|entry| {
        let text = lowering.text(Label::Field("header"), &entry.node)?.to_owned();
        Some(lowering.source.spanned(text, entry.node.span))
    });
    let algorithm = block.node("algorithm").and_then(|node| lowering.word(Label::Field("algorithm"), node));
    let encoding = block.node("encoding").and_then(|node| lowering.word(Label::Field("encoding"), node));
    let key = block.node("key").and_then(|node| lowering.word(Label::Field("key"), node));
    let mut text = |name: &'static str| {
        let node = block.node(name)?;
        let text = lowering.text(Label::Field(name), node)?.to_owned();
        Some(lowering.source.spanned(text, node.span))
    };
    let (prefix, signed, timestamp_header) = (text("prefix"), text("signed"), text("timestamp_header"));
    let beginning = node.beginning();
    Some(Signature {
        algorithm: algorithm.unwrap_or_else(|| lowering.source.spanned(SignatureHash::Sha256, beginning)),
        header: header?,
        prefix,
        encoding: encoding.unwrap_or_else(|| lowering.source.spanned(SignatureEncoding::Hex, beginning)),
        key: key.unwrap_or_else(|| lowering.source.spanned(KeyEncoding::Text, beginning)),
        signed,
        timestamp_header,
        place: lowering.source.place(beginning),
    })
}

type Accepted = (Spanned<String>, Option<Spanned<EventName>>);

fn accepts(lowering: &mut Lowering<'_>, node: &Node) -> Vec<Accepted> {
    if let Value::Mapping(_) = &node.value {
        let entries = lowering.some_entries("accepts", node, "invoice.paid: invoice_paid", MAX_TYPES);
        let entry = |entry: &crate::document::Entry| {
            let event = lowering.name(Label::Field(&entry.key), &entry.node, EventName::parse)?;
            Some((lowering.source.spanned(entry.key.clone(), entry.key_span), Some(event)))
        };
        return entries.unwrap_or_default().iter().filter_map(entry).collect();
    }
    let items = lowering.some_items("accepts", node, "invoice.paid", MAX_TYPES).unwrap_or_default();
    let item = |item: &Node| {
        let text = lowering.text(Label::Item("accepts"), item)?.to_owned();
        Some((lowering.source.spanned(text, item.span), None))
    };
    items.iter().filter_map(item).collect()
}

fn fields(lowering: &mut Lowering<'_>, node: &Node) -> Vec<(Spanned<FieldName>, Spanned<String>)> {
    let entries = lowering.some_entries("fields", node, "amount: /data/total", MAX_FIELDS).unwrap_or_default();
    let entry = |entry: &crate::document::Entry| {
        let name = lowering.parse_name(&entry.key, entry.key_span, FieldName::parse);
        let text = lowering.text(Label::Field(&entry.key), &entry.node)?.to_owned();
        Some((name?, lowering.source.spanned(text, entry.node.span)))
    };
    entries.iter().filter_map(entry).collect()
}
