//! `cases.yaml`: what somebody else than the manifest says that it must come to: requests as a provider's own package sends them, answers
//! as its specification shows them; and what may be tried at the provider itself. Plain data.

use crate::entries::Entries;
use crate::operation::Method;
use crate::outcome::Meaning;
use crate::provider::SpecificationKind;
use crate::template::Template;
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// Cases of a provider, with the account that they are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// Credentials and settings of the account.
    #[serde(default)]
    pub account: Entries<FieldName, String>,
    /// Where the API can be reached.
    #[serde(default)]
    pub site_url: Option<String>,
    /// Our address at the provider.
    #[serde(default)]
    pub webhook: CaseWebhook,
    /// The cases.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// What may be tried at the provider, with an account for tests, one after the other.
    #[serde(default)]
    pub tries: Vec<Try>,
}

/// An operation that may be tried at the provider itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// The operation.
    pub operation: FieldName,
    /// What it is given; `answer.OPERATION.FIELD` is what an earlier one was answered.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
    /// What its answer must say, field by field.
    #[serde(default)]
    pub answer: Entries<FieldName, Template>,
    /// What takes it back.
    #[serde(default)]
    pub undo: Option<Undo>,
    /// Why nothing has to be taken back, where it changes something.
    #[serde(default)]
    pub stays: Option<String>,
}

/// What takes back what was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The operation.
    pub operation: FieldName,
    /// What it is given.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
}

/// Our address at the provider, in cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseWebhook {
    /// Our address.
    pub url: Option<String>,
    /// Its id there.
    pub id: Option<String>,
    /// The kinds of events that we want.
    pub kinds: Vec<String>,
}

/// A case. The delivery's id is `d-1`, its key `d-1:0`, its time 2026-01-31T12:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Who says so.
    pub origin: CaseOrigin,
    /// The operation.
    pub operation: FieldName,
    /// What it is given.
    #[serde(default)]
    pub input: Entries<FieldName, Template>,
    /// What leads to the page.
    #[serde(default)]
    pub page: Option<String>,
    /// What is sent.
    #[serde(default)]
    pub sends: Option<CaseRequest>,
    /// Answers, and what they mean.
    #[serde(default)]
    pub answers: Vec<CaseAnswer>,
}

/// Who says what a case must come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseOrigin {
    /// What it is.
    pub kind: SpecificationKind,
    /// Its address, or the package as `npm:stripe`.
    pub source: String,
    /// Its version, commit or date.
    pub version: String,
}

/// A request, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// Its method.
    pub method: Method,
    /// Its whole address.
    pub url: String,
    /// Headers that it has, beside others.
    #[serde(default)]
    pub headers: Entries<String, String>,
    /// Its body; without one it has none.
    #[serde(default)]
    pub body: String,
}

/// An answer and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    #[serde(default)]
    pub headers: Entries<String, String>,
    /// Its body.
    #[serde(default)]
    pub body: String,
    /// What it means.
    pub means: Meaning,
    /// The provider's code that is read from it.
    #[serde(default)]
    pub code: Option<String>,
    /// The fields that are read from it.
    #[serde(default)]
    pub answer: Entries<FieldName, Template>,
}
