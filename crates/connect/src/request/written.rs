//! What an expression is written as where it stands: encoded in a path or in XML, as a number in JSON, as a hash or not at all where it is
//! shown. A value comes in, what stands there goes out.

use crate::account::{Call, Hidden, as_number};
use crate::encode;
use crate::fill::{Scope, as_text};
use manifest::Expression;
use manifest::kind::{Kind, Privacy};
use manifest::operation::Input;
use manifest::provider::Currencies;
use manifest::reference::{Reference, WebhookValue};
use manifest::transformation::Transformation;
use serde_json::Value;
use std::cell::RefCell;
use vocab::Secret;

/// What stands in the place of what opens something or pays.
pub(crate) const HIDDEN: &str = "[redacted]";
/// What stands in the place of a value of a path that is no text at all: encoded text never holds it.
pub(super) const NOTHING: char = '\0';
/// A value of fewer characters cannot be told from other words of a sentence.
const SHORTEST_TOLD_APART: usize = 3;
/// How many characters of a digest tell people apart in a log.
const HASH_LENGTH: usize = 16;

/// What stands in the place of what says something about a person: the same for the same value, and no way back for who has not guessed it.
pub(crate) fn hash(value: &Value) -> String {
    let digest = vocab::sha256_hex(as_text(value).as_bytes());
    format!("sha256:{}", &digest[..HASH_LENGTH])
}

/// A scope whose values may be shown.
pub(super) struct Shown<'s> {
    pub call: &'s Call<'s>,
    pub inner: &'s dyn Scope,
    /// What was not shown.
    pub hides: RefCell<Vec<Hidden>>,
}

impl Scope for Shown<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        self.inner.value(name)
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.inner.currencies()
    }

    fn becomes(&self, of: &Expression, value: Value) -> Value {
        let stands_for = match of.references().map(|name| privacy(self.call, name)).max() {
            None | Some(Privacy::Plain) => return value,
            Some(Privacy::Personal) => hash(&value),
            Some(Privacy::Secret | Privacy::Card) => HIDDEN.to_owned(),
        };
        let text = as_text(&value);
        if text.chars().count() >= SHORTEST_TOLD_APART {
            self.hides.borrow_mut().push(Hidden { value: Secret::new(text), stands_for: stands_for.clone() });
        }
        Value::String(stands_for)
    }
}

/// How carefully a value is handled.
fn privacy(call: &Call<'_>, name: &Reference) -> Privacy {
    match name {
        Reference::Credential(name) => {
            let is_secret =
                call.account.manifest.provider.credentials.get(name.as_str()).is_none_or(|known| known.secret);
            if is_secret { Privacy::Secret } else { Privacy::Plain }
        }
        Reference::Input(name) => call.operation.input.get(name.as_str()).map_or(Privacy::Secret, with_items),
        Reference::Item(name) => fields(call, name.as_str()).map(|field| field.privacy).max().unwrap_or(Privacy::Plain),
        Reference::Webhook(WebhookValue::Secret) => Privacy::Secret,
        Reference::Webhook(WebhookValue::Url | WebhookValue::Id | WebhookValue::Kinds)
        | Reference::Setting(_)
        | Reference::Value(_)
        | Reference::Host(_)
        | Reference::Token(_)
        | Reference::Delivery(_)
        | Reference::NextPage
        | Reference::Site => Privacy::Plain,
        Reference::Event(_)
        | Reference::Answer(..)
        | Reference::Remembered(_)
        | Reference::Fields
        | Reference::Body(_)
        | Reference::Header(_)
        | Reference::Made(_)
        | Reference::MadeObject(_)
        | Reference::Path(_)
        | Reference::Object(_)
        | Reference::ProblemPlace => Privacy::Secret,
    }
}

/// A list is handled as carefully as its items.
fn with_items(input: &Input) -> Privacy {
    input.of.iter().map(|(_, field)| field.privacy).fold(input.privacy, Privacy::max)
}

/// The fields of that name in the items of the lists that the operation is given.
fn fields<'c>(call: &'c Call<'_>, name: &'c str) -> impl Iterator<Item = &'c Input> {
    call.operation.input.iter().filter_map(move |(_, list)| list.of.get(name))
}

/// A scope whose values are written into JSON: a decimal number is one there too, unless a transformation has made text of it.
pub(super) struct Numbers<'s> {
    pub call: &'s Call<'s>,
    pub inner: &'s dyn Scope,
}

impl Scope for Numbers<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        self.inner.value(name)
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.inner.currencies()
    }

    fn becomes(&self, of: &Expression, value: Value) -> Value {
        let value = self.inner.becomes(of, value);
        let is_left = of.through.iter().all(|step| matches!(step, Transformation::OrElse(_)));
        let is_decimal = match &of.from {
            Reference::Input(name) => {
                self.call.operation.input.get(name.as_str()).is_some_and(|input| input.kind == Kind::Decimal)
            }
            Reference::Item(name) => fields(self.call, name.as_str()).any(|field| field.kind == Kind::Decimal),
            _ => false,
        } || matches!(of.through.last(), Some(Transformation::MajorUnits(_)));
        let is_left = is_left || matches!(of.through.last(), Some(Transformation::MajorUnits(_)));
        match value.as_str().filter(|_| is_left && is_decimal).and_then(as_number) {
            Some(number) => Value::Number(number),
            None => value,
        }
    }
}

/// A scope whose values are steps of a path.
pub(super) struct InPath<'s> {
    pub inner: &'s dyn Scope,
    pub keeps_slashes: bool,
}

impl Scope for InPath<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        self.inner.value(name)
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.inner.currencies()
    }

    fn becomes(&self, of: &Expression, value: Value) -> Value {
        let text = as_text(&self.inner.becomes(of, value));
        if text.is_empty() {
            return Value::String(NOTHING.to_string());
        }
        Value::String(if self.keeps_slashes { encode::percent_but_slashes(&text) } else { encode::percent(&text) })
    }
}

/// A scope whose values stand in XML.
pub(super) struct InXml<'s> {
    pub inner: &'s dyn Scope,
}

impl Scope for InXml<'_> {
    fn value(&self, name: &Reference) -> Option<Value> {
        self.inner.value(name)
    }

    fn currencies(&self) -> Option<&Currencies> {
        self.inner.currencies()
    }

    fn becomes(&self, of: &Expression, value: Value) -> Value {
        Value::String(encode::xml(&as_text(&self.inner.becomes(of, value))))
    }
}
