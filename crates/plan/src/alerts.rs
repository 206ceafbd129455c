//! Who is told when an integration begins to fail, and when it works again. How it stands comes from the database that all servers share, so
//! that each change is told once; what is said of it are numbers and codes, and nothing of anybody.

use crate::service::ValueSource;
use serde::{Deserialize, Serialize};

/// What the delivery of a message to a webhook is called among those of integrations.
pub const INTEGRATION: &str = "alert_webhook";

/// Who is told, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// Whom a mail goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Where a message is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<AlertWebhook>,
    /// How many seconds an integration stands otherwise until that is told.
    pub after_seconds: u32,
}

/// Where messages are posted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertWebhook {
    /// The address.
    pub url: ValueSource,
    /// What they are signed with; none where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<ValueSource>,
}

/// How an integration stands, as far as somebody is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing has to be done.
    Well,
    /// It works, and a person has to look at what did not.
    NeedsAttention,
    /// It does not work.
    Failing,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Well, Self::NeedsAttention, Self::Failing];

    /// The word that stands in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::NeedsAttention => "needs_attention",
            Self::Failing => "failing",
        }
    }

    /// The event that tells that an integration stands so from now on.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Self::Well => "integration_recovered",
            Self::NeedsAttention => "integration_needs_attention",
            Self::Failing => "integration_failing",
        }
    }
}
