//! An account at a provider: what the user was given and has chosen, on which system, and where the provider is to be found. Names of a
//! manifest come in, what they stand for here goes out. Nothing is read from anywhere: whoever makes an account hands the values in.

use crate::fill::{self, Scope};
use crate::message::HttpRequest;
use jiff::Timestamp;
use manifest::kind::Kind;
use manifest::provider::{Currencies, Host};
use manifest::reference::{DeliveryValue, Reference, WebhookValue};
use manifest::{Manifest, Operation};
use plan::service::System;
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use vocab::{FieldName, Secret};

/// What an operation is given: the inputs of its manifest by name.
pub type Inputs = Map<String, Value>;

/// An account at a provider.
#[derive(Debug, Clone)]
pub struct Account {
    /// What tells it apart from every other account, for tokens that are kept.
    pub name: String,
    /// The provider.
    pub manifest: Arc<Manifest>,
    /// Which of the provider's systems is meant.
    pub system: System,
    /// Credentials and settings that were given; no two have one name.
    pub values: BTreeMap<FieldName, Secret<String>>,
    /// Where the API can be reached from outside, without a slash at its end.
    pub site_url: Option<String>,
    /// What stands in for every host of the provider, without a slash at its end: a simulated one.
    pub instead: Option<String>,
    /// Our address at the provider.
    pub webhook: WebhookAddress,
    /// What tells somebody's agreement there from the one before.
    pub agreed: Option<String>,
}

/// Our address at a provider, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct WebhookAddress {
    /// Our address.
    pub url: Option<String>,
    /// Its id there.
    pub id: Option<String>,
    /// What is signed with there.
    pub secret: Option<Secret<String>>,
    /// The kinds of events that we want.
    pub kinds: Vec<String>,
}

/// What is known of a delivery: the same in every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// Its idempotency key: one for each step, as the provider may refuse the same key with another content.
    pub key: String,
    /// When what it tells of happened.
    pub time: Timestamp,
}

/// A token and what came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What a request bears.
    pub access: Secret<String>,
    /// When it ends, where one knows.
    pub ends_at: Option<Timestamp>,
    /// What the next one is got with.
    pub refresh: Option<Secret<String>>,
    /// What else was kept, for `token.NAME`.
    pub kept: BTreeMap<String, String>,
}

impl Account {
    /// What a name of the account stands for, in any request or webhook: credentials, settings, values, hosts, the site, our address.
    #[must_use]
    pub fn value(&self, name: &Reference) -> Option<Value> {
        let text = |value: &Secret<String>| Value::String(value.expose().clone());
        match name {
            Reference::Credential(name) => self.values.get(name).map(text),
            Reference::Setting(name) => self.setting(name),
            Reference::Value(name) => self.manifest.provider.values.get(name.as_str()).map(|value| json!(value)),
            Reference::Host(name) => {
                let host = self.manifest.provider.hosts.get(name.as_str())?;
                self.base(host, self).map(Value::String)
            }
            Reference::Site => self.site_url.clone().map(Value::String),
            Reference::Webhook(WebhookValue::Url) => self.webhook.url.clone().map(Value::String),
            Reference::Webhook(WebhookValue::Id) => self.webhook.id.clone().map(Value::String),
            Reference::Webhook(WebhookValue::Secret) => self.webhook.secret.as_ref().map(text),
            Reference::Webhook(WebhookValue::Kinds) => {
                Some(self.webhook.kinds.iter().map(|kind| json!({ "kind": kind })).collect())
            }
            Reference::Token(_)
            | Reference::Input(_)
            | Reference::Item(_)
            | Reference::Event(_)
            | Reference::Answer(..)
            | Reference::Remembered(_)
            | Reference::Fields
            | Reference::Delivery(_)
            | Reference::NextPage
            | Reference::Body(_)
            | Reference::Header(_)
            | Reference::Made(_)
            | Reference::MadeObject(_)
            | Reference::Path(_)
            | Reference::Object(_)
            | Reference::ProblemPlace => None,
        }
    }

    /// A setting keeps its kind. Where nobody has given one its default counts, which names other settings only where those are given.
    fn setting(&self, name: &FieldName) -> Option<Value> {
        let declared = self.manifest.provider.settings.get(name.as_str())?;
        let text = match self.values.get(name) {
            Some(given) => given.expose().clone(),
            None => {
                let default = declared.default.as_ref()?;
                let names_itself = default.expressions().any(|part| {
                    part.references()
                        .any(|other| matches!(other, Reference::Setting(named) if !self.values.contains_key(named)))
                });
                if names_itself { None } else { fill::text(default, self).ok().flatten() }?
            }
        };
        Some(match declared.kind {
            Kind::Integer => text.parse::<i64>().map_or(Value::String(text), Value::from),
            Kind::Boolean => text.parse::<bool>().map_or(Value::String(text), Value::from),
            Kind::List | Kind::Json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Kind::Text
            | Kind::Email
            | Kind::Phone
            | Kind::Url
            | Kind::Uuid
            | Kind::Currency
            | Kind::Country
            | Kind::Decimal
            | Kind::Date
            | Kind::Timestamp => Value::String(text),
        })
    }

    /// An address of the provider's, where something is simulated in its place the same there.
    pub(crate) fn stood_in(&self, url: String) -> String {
        let Some(instead) = self.instead.as_ref().filter(|instead| !url.starts_with(instead.as_str())) else {
            return url;
        };
        let behind = url.split_once("://").map_or("", |(_, rest)| rest);
        let path = behind.find('/').map_or("", |slash| &behind[slash..]);
        format!("{instead}{path}")
    }

    /// The beginning of every address at a host; what is simulated stands in for all of them.
    pub(crate) fn base(&self, host: &Host, scope: &dyn Scope) -> Option<String> {
        if let Some(instead) = &self.instead {
            return Some(instead.clone());
        }
        let meant = match (self.system, &host.sandbox) {
            (System::Test, Some(sandbox)) => sandbox,
            (System::Test, None) | (System::Live, _) => &host.live,
            // Without what stands in for it nothing is called, least of all the real one.
            (System::Simulated, _) => return None,
        };
        fill::text(meant, scope).ok().flatten()
    }
}

impl Scope for Account {
    fn value(&self, name: &Reference) -> Option<Value> {
        Account::value(self, name)
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.manifest.provider.currencies.as_ref()
    }
}

/// What one request is made of.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The account.
    pub account: &'c Account,
    /// The operation's name.
    pub name: &'c FieldName,
    /// The operation.
    pub operation: &'c Operation,
    /// What it is given.
    pub inputs: &'c Inputs,
    /// The delivery that it is part of.
    pub delivery: Option<&'c Delivery>,
    /// What leads to the page that is asked for; nothing on the first.
    pub page: Option<&'c Value>,
    /// The token, where the way of authentication has one.
    pub token: Option<&'c Token>,
    /// Now.
    pub now: Timestamp,
}

impl Scope for Call<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        match name {
            Reference::Input(name) => self.inputs.get(name.as_str()).cloned(),
            Reference::NextPage => self.page.cloned(),
            Reference::Token(name) => self.token?.kept.get(name.as_str()).map(|kept| json!(kept)),
            Reference::Delivery(value) => {
                let delivery = self.delivery?;
                match value {
                    DeliveryValue::Id => Some(Value::String(delivery.id.clone())),
                    DeliveryValue::Key => Some(Value::String(delivery.key.clone())),
                    DeliveryValue::Time => Some(Value::String(delivery.time.to_string())),
                    // What happened is known where a point says what an operation is given.
                    DeliveryValue::Event => None,
                }
            }
            Reference::Host(name) => {
                let host = self.account.manifest.provider.hosts.get(name.as_str())?;
                self.account.base(host, self).map(Value::String)
            }
            Reference::Credential(_)
            | Reference::Setting(_)
            | Reference::Value(_)
            | Reference::Webhook(_)
            | Reference::Site => self.account.value(name),
            Reference::Item(_)
            | Reference::Event(_)
            | Reference::Answer(..)
            | Reference::Remembered(_)
            | Reference::Fields
            | Reference::Body(_)
            | Reference::Header(_)
            | Reference::Made(_)
            | Reference::MadeObject(_)
            | Reference::Path(_)
            | Reference::Object(_)
            | Reference::ProblemPlace => None,
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.account.currencies()
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.name, self.account.manifest.provider.provider)
    }
}

/// A request as it is sent, and as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// As it is sent.
    pub sent: HttpRequest,
    /// As logs and records hold it: what is personal as a hash, what is secret not at all.
    pub shown: HttpRequest,
    /// What stands in the one and not in the other.
    pub hides: Vec<Hidden>,
}

/// A value that is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The value.
    pub value: Secret<String>,
    /// What is shown in its place.
    pub stands_for: String,
}

/// A decimal number as JSON writes numbers, where that loses nothing.
pub(crate) fn as_number(text: &str) -> Option<Number> {
    let number: Number = match text.parse::<i64>() {
        Ok(whole) => whole.into(),
        Err(_) => Number::from_f64(text.parse().ok()?)?,
    };
    let written = number.to_string();
    let kept = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    (written == kept || written.trim_end_matches(".0") == kept).then_some(number)
}
