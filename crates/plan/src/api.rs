//! An API: its endpoints with their procedures, rate limits and events.

use crate::procedure::Procedure;
use serde::{Deserialize, Serialize};
use vocab::{EntityName, EventName, FieldName, FieldType, PolicyName};

/// A REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiPlan {
    /// What the API is called in files and documents: `contact-newsletter`.
    pub name: String,
    /// From the paths (`/v2/...`), or `v1`.
    pub version: String,
    /// The endpoints in the order of the task.
    pub endpoints: Vec<Endpoint>,
    /// The rate limits its procedures name.
    pub policies: Vec<RateLimitPolicy>,
    /// The events its procedures emit.
    pub events: Vec<EventDeclaration>,
    /// Which document the task asked for.
    pub documentation: DocumentationFormat,
}

/// The format of the API's machine-readable description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentationFormat {
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1.
    OpenApi31,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// What it does, step by step. Its trigger holds method and path.
    pub procedure: Procedure,
    /// The entity it works on.
    pub entity: EntityName,
    /// One sentence for documents.
    pub summary: String,
    /// Largest accepted body, in bytes.
    pub max_body_bytes: u64,
    /// A body that the endpoint accepts, for documents and verification.
    pub example: serde_json::Value,
    /// How long its successful answers may be kept.
    #[serde(default)]
    pub cache: Cache,
}

/// How long a successful answer to a read may be kept, and by whom. Anything else is never kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// Not at all.
    #[default]
    NoStore,
    /// By the caller alone, for so many seconds: somebody else may be answered otherwise, or not at all.
    Private(u32),
    /// By everybody between, for so many seconds.
    Public(u32),
}

impl Cache {
    /// The value of the `Cache-Control` header.
    #[must_use]
    pub fn header(self) -> String {
        match self {
            Self::NoStore => "no-store".to_owned(),
            Self::Private(seconds) => format!("private, max-age={seconds}"),
            Self::Public(seconds) => format!("public, max-age={seconds}"),
        }
    }

    /// The value of the `Vary` header: what of a request decides whether a kept answer is the right one.
    #[must_use]
    pub fn vary(self) -> Option<&'static str> {
        match self {
            Self::Private(_) => Some("X-API-Key, Authorization"),
            Self::NoStore | Self::Public(_) => None,
        }
    }
}

/// At most `quota` requests of one caller in any `window_seconds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitPolicy {
    /// Its name, also in the `RateLimit` headers.
    pub name: PolicyName,
    /// Requests.
    pub quota: u32,
    /// Seconds.
    pub window_seconds: u32,
}

/// An event that procedures emit, and what it also counts as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDeclaration {
    /// Its name.
    pub name: EventName,
    /// The more general events a listener may have asked for, nearest first.
    pub also: Vec<EventName>,
    /// What its payload holds.
    pub fields: Vec<(FieldName, FieldType)>,
}

impl RateLimitPolicy {
    /// The value of the `RateLimit-Policy` header.
    #[must_use]
    pub fn header(&self) -> String {
        format!("\"{}\";q={};w={}", self.name, self.quota, self.window_seconds)
    }
}

impl ApiPlan {
    /// The policy of that name. The planner declares every policy that its procedures name.
    #[must_use]
    pub fn policy(&self, name: &PolicyName) -> Option<&RateLimitPolicy> {
        self.policies.iter().find(|policy| policy.name == *name)
    }
}
