//! Messages that tell how integrations stand: an event comes in, and goes out as a message to the address that the task of its integration names,
//! signed where it says by what (Standard Webhooks). Neither secret nor address is written down; the address may be all the proof there is.

use crate::client::Client;
use crate::delivery::{Carried, Carrier, Carrying, Hold, LaneRules, Outcome};
use crate::signed_message::{Message, is_news, new_delivery, rules};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use plan::alerts::{INTEGRATION, Level};
use plan::subscribers::SECRET_PREFIX;
use serde_json::Value;
use std::collections::BTreeMap;
use store::delivery::{Leased, NewDelivery, OutboxEvent, Routes};
use uuid::Uuid;
use vocab::Secret;

/// How long it is waited, in milliseconds, where something is missing that somebody has to give.
const MISSING_MS: i64 = 60_000;
/// Messages under way at once.
const AT_ONCE: u32 = 4;

/// Where messages about one integration are posted to.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The address.
    pub url: Option<Secret<String>>,
    /// What they are signed with.
    pub secret: Option<Secret<String>>,
    /// Where that which is missing of it would be given.
    pub missing: Option<String>,
}

/// Whoever is told how integrations stand.
pub struct AlertWebhook {
    targets: BTreeMap<String, Target>,
    client: Client,
}

impl AlertWebhook {
    /// The targets by their integrations; none where there are none.
    #[must_use]
    pub fn of(targets: BTreeMap<String, Target>, client: Client) -> Option<Self> {
        (!targets.is_empty()).then_some(Self { targets, client })
    }

    /// How their deliveries are treated.
    #[must_use]
    pub fn lane(&self) -> (String, LaneRules) {
        let urls = self.targets.values().filter_map(|target| target.url.as_ref());
        let urls: String = urls.map(|url| format!("{}\n", url.expose())).collect();
        (INTEGRATION.to_owned(), rules(AT_ONCE, &urls))
    }

    async fn send(&self, delivery: &Leased) -> Carried {
        let mut data: Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
        let Some(target) = data["integration"].as_str().and_then(|name| self.targets.get(name)) else {
            return Carried::failed(Outcome::Permanent, "nobody is told of that integration any more");
        };
        let (Some(url), None) = (&target.url, &target.missing) else {
            let missing = target.missing.as_deref().unwrap_or("the address");
            return Carried::failed(Outcome::RateLimited(Some(MISSING_MS)), &format!("`{missing}` is not set"));
        };
        let keys = target.secret.iter().map(|secret| key(secret.expose())).collect::<Option<Vec<_>>>();
        let Some(keys) = keys else {
            let why = format!("what it is signed with is no secret: `{SECRET_PREFIX}` and 24 to 64 bytes in Base64");
            return Carried::failed(Outcome::RateLimited(Some(MISSING_MS)), &why);
        };
        if let Some(data) = data.as_object_mut() {
            data.remove("email");
        }
        let message = Message { url: url.expose(), shown: host_of(url.expose()), data, keys };
        message.post(&self.client, delivery, Timestamp::now()).await.0
    }
}

/// What a secret of the standard stands for.
fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.trim().strip_prefix(SECRET_PREFIX)?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

/// The address as far as its host: what follows may be secret.
fn host_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
}

impl Routes for AlertWebhook {
    fn deliveries(&self, event: &OutboxEvent) -> Vec<NewDelivery> {
        let tells = Level::ALL.iter().any(|level| level.event() == event.name);
        let payload = || serde_json::from_str::<Value>(&event.payload).unwrap_or_default();
        let is_told = is_news(event)
            && tells
            && payload()["integration"].as_str().is_some_and(|name| self.targets.contains_key(name));
        is_told.then(|| new_delivery(INTEGRATION, INTEGRATION)).into_iter().collect()
    }

    fn overlooked(&self) -> Vec<(&str, Vec<&str>)> {
        vec![(INTEGRATION, Level::ALL.map(Level::event).to_vec())]
    }

    fn new_id(&self) -> String {
        Uuid::now_v7().to_string()
    }
}

impl Carrier for AlertWebhook {
    fn carry<'a>(&'a self, delivery: &'a Leased, _: &'a Hold) -> Carrying<'a> {
        Box::pin(self.send(delivery))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_that_of_the_standard_or_none() {
        assert_eq!(key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").map(|key| key.len()), Some(24));
        assert_eq!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
        assert_eq!((key("whsec_"), key("whsec_c2hvcnQ="), key("whsec_not base64")), (None, None, None));
    }

    #[test]
    fn of_an_address_its_host_is_kept() {
        assert_eq!(host_of("https://hooks.example.com/T0/B0/hidden?x=1"), "https://hooks.example.com");
        assert_eq!(host_of("http://u:p@127.0.0.1:80/a"), "http://127.0.0.1:80");
    }
}
