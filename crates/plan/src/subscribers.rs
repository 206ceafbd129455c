//! Who outside is told of events at addresses of their own: which events are offered, and whose they are. Both servers bring them there; the
//! subscriptions themselves are rows of the database.

use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What the delivery is called that makes those to each subscription of an event. That to a subscription is called by its id.
pub const INTEGRATION: &str = "subscribers";
/// What a subscription is sent when its owner asks for it.
pub const TEST: &str = "webhook_test";
/// Tells that a subscription fails, before it is disabled.
pub const FAILING: &str = "webhook_subscription_failing";
/// Tells that it was disabled.
pub const DISABLED: &str = "webhook_subscription_disabled";
/// For how long the secret before is good too, in seconds: a day.
pub const BOTH_SECRETS: u32 = 86_400;
/// What stands before a secret.
pub const SECRET_PREFIX: &str = "whsec_";
/// Behind how many seconds a delivery is tried again, after each attempt in vain, as Standard Webhooks recommends it
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
pub const SCHEDULE: [u32; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// How long an answer may take, in milliseconds.
pub const ANSWER_WITHIN_MS: u32 = 20_000;
/// Deliveries to a subscription that are begun in a second, where it says nothing.
pub const RATE: u32 = 10;
/// Most bytes of an answer that are kept.
pub const MOST_KEPT: usize = 1_024;

/// What an API offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribers {
    /// Where subscriptions are managed.
    pub path: String,
    /// The events.
    pub offers: Vec<Offer>,
    /// Behind how many seconds of failures alone a subscription is disabled.
    pub disable_after_seconds: u32,
}

/// An event that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name.
    pub event: EventName,
    /// The field that says whose it is, where each subscription of a user hears of the user's own alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<FieldName>,
    /// Fields that nobody outside hears of: an endpoint hides them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<FieldName>,
}
