//! What the names in a manifest's templates stand for at a simulated provider.

use super::setup::Setup;
use crate::fill::{Scope, at};
use manifest::pointer::PathStep;
use manifest::provider::Currencies;
use manifest::reference::{MadeValue, Reference, WebhookValue};
use manifest::{Pointer, Text};
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::Secret;

/// What is known while a template is filled in; what is absent stands for nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct Given<'g> {
    pub setup: Option<&'g Setup>,
    /// Credentials that the caller has shown.
    pub shown: Option<&'g BTreeMap<String, Secret<String>>>,
    pub says: Option<&'g Value>,
    pub headers: &'g [(String, String)],
    pub path: &'g [(String, String)],
    pub object: Option<&'g Value>,
    /// The object that was made, and what is made beside it.
    pub made: Option<&'g Value>,
    pub id: Option<&'g str>,
    pub secret: Option<&'g str>,
    pub seconds: Option<i64>,
    pub kind: Option<&'g str>,
    pub list: Option<&'g [Value]>,
    pub refused: Option<&'g [Value]>,
    pub problem: Option<&'g str>,
    pub webhook: Option<WebhookGiven<'g>>,
}

/// What is known of an address that is called.
#[derive(Clone, Copy)]
pub(super) struct WebhookGiven<'g> {
    pub url: &'g str,
    pub id: &'g str,
    pub secret: &'g str,
    pub kinds: &'g [String],
}

impl Scope for Given<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        let text = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
        match name {
            Reference::Credential(name) => {
                let shown = self.shown.and_then(|shown| shown.get(name.as_str()));
                text(shown.or_else(|| self.setup?.credential(name.as_str())).map(|secret| secret.expose().as_str()))
            }
            Reference::Value(name) => text(self.setup?.manifest.provider.values.get(name.as_str()).map(String::as_str)),
            Reference::Host(_) | Reference::Site => text(self.setup.map(|setup| setup.site.as_str())),
            Reference::Body(pointer) => found(self.says?, pointer),
            Reference::Header(name) => {
                let known = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                text(known.map(|(_, value)| value.as_str()))
            }
            Reference::Path(name) => {
                let known = self.path.iter().find(|(known, _)| known == name.as_str());
                text(known.map(|(_, value)| value.as_str()))
            }
            Reference::Object(pointer) => found(self.object?, pointer),
            Reference::MadeObject(pointer) => found(self.made?, pointer),
            Reference::Made(MadeValue::Id) => text(self.id),
            Reference::Made(MadeValue::Secret) => text(self.secret),
            Reference::Made(MadeValue::Time) => self.seconds.map(Value::from),
            Reference::Made(MadeValue::Kind) => text(self.kind),
            Reference::Made(MadeValue::List) => self.list.map(|list| Value::Array(list.to_vec())),
            Reference::Made(MadeValue::Refused) => self.refused.map(|refused| Value::Array(refused.to_vec())),
            Reference::ProblemPlace => text(self.problem),
            Reference::Webhook(WebhookValue::Url) => text(self.webhook.map(|webhook| webhook.url)),
            Reference::Webhook(WebhookValue::Id) => text(self.webhook.map(|webhook| webhook.id)),
            Reference::Webhook(WebhookValue::Secret) => text(self.webhook.map(|webhook| webhook.secret)),
            Reference::Webhook(WebhookValue::Kinds) => self.webhook.map(|webhook| {
                let kinds = webhook.kinds.iter().map(|kind| serde_json::json!({ "kind": kind }));
                Value::Array(kinds.collect())
            }),
            // Nobody's own: these are known where an operation is carried out, never at the provider.
            Reference::Setting(_)
            | Reference::Token(_)
            | Reference::Input(_)
            | Reference::Item(_)
            | Reference::Event(_)
            | Reference::Answer(..)
            | Reference::Remembered(_)
            | Reference::Fields
            | Reference::Delivery(_)
            | Reference::NextPage => None,
        }
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.setup?.manifest.provider.currencies.as_ref()
    }
}

impl Given<'_> {
    /// A text that is a secret or is signed with one.
    pub fn secret_text(&self, of: &Text) -> Option<Secret<String>> {
        crate::fill::text(of, self).ok().flatten().map(Secret::new)
    }
}

/// What stands there; with `*` in the path, the list of all of them.
fn found(document: &Value, pointer: &Pointer) -> Option<Value> {
    let mut all = at(document, pointer).into_iter().filter(|value| !value.is_null()).cloned();
    if pointer.steps().contains(&PathStep::Each) {
        let all: Vec<Value> = all.collect();
        return (!all.is_empty()).then_some(Value::Array(all));
    }
    all.next()
}
