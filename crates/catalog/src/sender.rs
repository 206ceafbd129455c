//! Senders of calls, and standards of senders, whose proof is known: a data file in, checked values out.

use manifest::webhook::{Source, Verification};
use serde::Deserialize;

/// A sender whose proof is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// For people.
    pub title: String,
    /// Where its own documents say so.
    pub source: String,
    /// How its calls are proved; `credential.secret` stands for the secret.
    pub proof: Verification,
    /// Where it stands which call it is.
    pub id: Source,
    /// Where it stands of which type it is.
    #[serde(rename = "type")]
    pub kind: Source,
}
