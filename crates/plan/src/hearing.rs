//! What an endpoint knows of the calls of a sender: how they are proved, what tells them apart, where their fields stand. Plain data;
//! what is secret stands in the environment or the secret store, and here by its name alone.

use crate::service_case::SIGNING;
use crate::shape::Shape;
use manifest::Text;
use manifest::reference::Reference;
use manifest::webhook::{Source, Verification};
use serde::{Deserialize, Serialize};
use vocab::{FieldName, PolicyName};

/// How calls come in whose sender proves that they are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hearing {
    /// Who sends them, for documents.
    pub title: String,
    /// The proof, with each secret that it may be made with: one must hold.
    pub proofs: Vec<ProofBy>,
    /// What tells a call apart from those before; the body itself where nothing is said.
    pub id: Option<Source>,
    /// What says of which type it is.
    pub kind: Option<Source>,
    /// The types that are taken; all of them where there are none here. Others are answered and come to nothing.
    pub accepts: Vec<String>,
    /// Where each field of the shape stands in the call.
    pub fields: Vec<(FieldName, Source)>,
    /// What those must be.
    pub shape: Shape,
    /// The policy that calls of strangers count against, by their address.
    pub failures: PolicyName,
}

/// A proof by one secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofBy {
    /// What the secret is called in the environment and in the secret store.
    pub secret: String,
    /// The proof. Its key is [`secret_name`] of that.
    pub way: Verification,
}

/// What a secret of the environment is called in a proof.
#[must_use]
pub fn secret_name(variable: &str) -> String {
    variable.to_lowercase()
}

/// What senders are called in the table of what was heard, as no task can be; the path tells them apart.
pub const INTEGRATION: &str = "(senders)";
/// For how many days a call is remembered by what tells it apart: longer than senders try again, by themselves or because somebody asks them.
pub const KEEP_DAYS: u32 = 30;

/// What tells of a call beside its fields: what is the same when it comes again (SHA-256, lower-case hex), and its type.
pub const HEARD_DEDUP: &str = "heard_dedup";
/// See [`HEARD_DEDUP`]: the type that the call is of; an empty text where nothing says it.
pub const HEARD_KIND: &str = "heard_kind";

impl Hearing {
    /// The fields of its record, in order.
    pub fn names(&self) -> impl Iterator<Item = FieldName> + '_ {
        let heard = [HEARD_DEDUP, HEARD_KIND].map(|name| FieldName::parse(name).expect("a literal that is a name"));
        self.shape.fields.iter().map(|field| field.name.clone()).chain(heard)
    }

    /// How long ago a call may have been signed, in seconds, where that matters.
    #[must_use]
    pub fn past_seconds(&self) -> Option<u32> {
        match &self.proofs.first()?.way {
            Verification::Hmac(hmac) => hmac.timestamp.as_ref()?.past_seconds,
            _ => None,
        }
    }

    /// The headers that a call must have, for documents: each with what it holds.
    #[must_use]
    pub fn headers(&self) -> Vec<(&str, &'static str)> {
        let mut found: Vec<(&str, &'static str)> = Vec::new();
        match self.proofs.first().map(|proof| &proof.way) {
            Some(Verification::Hmac(hmac)) => {
                found.push((&hmac.header, "The signature of the call, over its bytes as they are sent."));
                let time = hmac.timestamp.as_ref().and_then(|rule| rule.header.as_deref());
                found.extend(time.map(|name| (name, "When it was signed; it is signed too.")));
            }
            Some(Verification::FixedHeader { name, .. }) => found.push((name, "What the sender was told.")),
            Some(_) | None => {}
        }
        for (source, what) in [(&self.id, "What tells the call apart."), (&self.kind, "The type of the event.")] {
            if let Some(Source::Header(name)) = source
                && !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                found.push((name, what));
            }
        }
        found
    }
}

/// What stands for every secret of senders in the cases of a plan.
#[must_use]
pub fn case_value(name: &Reference) -> Option<&'static str> {
    matches!(name, Reference::Credential(_)).then_some(SIGNING)
}

/// A text of a proof with that in it.
#[must_use]
pub fn case_text(text: &Text) -> Option<String> {
    match text.as_literal() {
        Some(literal) => Some(literal.to_owned()),
        None => case_value(&text.as_expression()?.from).map(str::to_owned),
    }
}
