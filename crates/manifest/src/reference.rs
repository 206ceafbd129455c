//! What an expression names: `input.email`, `credential.secret_key`, `body/data/object/id`. Text in, a checked name out; whether
//! there is such a thing is asked by the checks.

use crate::pointer::Pointer;
use std::fmt;
use vocab::FieldName;

/// Something that has a value when a request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `credential.NAME`: what the user was given by the provider.
    Credential(FieldName),
    /// `setting.NAME`: what the user chooses.
    Setting(FieldName),
    /// `value.NAME`: what the manifest says once.
    Value(FieldName),
    /// `host.NAME`: the address of a host, of the test system where that is meant.
    Host(FieldName),
    /// `token.NAME`: what came with the access token.
    Token(FieldName),
    /// `input.NAME`: what the operation is given.
    Input(FieldName),
    /// `item.NAME`: a field of the item of a list that is written.
    Item(FieldName),
    /// `event.NAME`: a field of what happened.
    Event(FieldName),
    /// `answer.STEP.NAME`: a field of what an earlier step was answered.
    Answer(FieldName, FieldName),
    /// `remembered.NAME`: what was kept of an earlier time.
    Remembered(FieldName),
    /// `fields`: the block of those fields that are passed on. Nothing is left of it in a plan.
    Fields,
    /// `delivery.id`, `delivery.key`, `delivery.time`, `delivery.event`.
    Delivery(DeliveryValue),
    /// `page.next`: what leads to the next page; nothing on the first.
    NextPage,
    /// `webhook.url`, `webhook.id`, `webhook.secret`, `webhook.kinds`.
    Webhook(WebhookValue),
    /// `site.url`: where the API can be reached from outside.
    Site,
    /// `body/PATH`: something in what the provider sends.
    Body(Pointer),
    /// `header.NAME`: a header of what the provider sends.
    Header(String),
    /// `made.id`, `made.time`, `made.kind`, `made.list`, `made.refused`, `made.secret`: what a simulated provider has just made.
    Made(MadeValue),
    /// `made/PATH`: something in the object that a simulated provider has just made.
    MadeObject(Pointer),
    /// `path.NAME`: a parameter of the path that a simulated provider was called by.
    Path(FieldName),
    /// `object/PATH`: something in an object that a simulated provider keeps.
    Object(Pointer),
    /// `problem.at`: where a simulated provider found something wrong.
    ProblemPlace,
}

/// What a simulated provider has just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeValue {
    /// A new id.
    Id,
    /// Now, in seconds since 1970.
    Time,
    /// The kind of event.
    Kind,
    /// Objects of a kind.
    List,
    /// What was not taken of a list of items.
    Refused,
    /// A new secret.
    Secret,
}

/// What is known of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryValue {
    /// Its id, the same in every attempt.
    Id,
    /// Its idempotency key, the same in every attempt.
    Key,
    /// When what it tells of happened.
    Time,
    /// What happened, by the name of its event.
    Event,
}

/// What is known of our address at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookValue {
    /// Our address.
    Url,
    /// Its id at the provider.
    Id,
    /// What the provider signs with.
    Secret,
    /// The kinds of events that we want, as `item.kind`.
    Kinds,
}

/// The first words of references, as people write them.
pub const ROOTS: &[&str] = &[
    "credential",
    "setting",
    "value",
    "host",
    "token",
    "input",
    "item",
    "event",
    "answer",
    "remembered",
    "fields",
    "delivery",
    "page",
    "webhook",
    "site",
    "body",
    "header",
    "made",
    "path",
    "object",
    "problem",
];

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        for (root, made) in
            [("body", Self::Body as fn(Pointer) -> Self), ("object", Self::Object), ("made", Self::MadeObject)]
        {
            if let Some(path) = text.strip_prefix(root).filter(|path| path.is_empty() || path.starts_with('/')) {
                return Pointer::parse(path).map(made).map_err(|error| error.to_string());
            }
        }
        if text == "fields" {
            return Ok(Self::Fields);
        }
        let (root, rest) = text.split_once('.').ok_or_else(|| not_a_reference(text))?;
        if root == "header" {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let is_header = !rest.is_empty() && rest.bytes().all(is_name);
            return if is_header {
                Ok(Self::Header(rest.to_owned()))
            } else {
                Err(format!("`{rest}` is no name of a header"))
            };
        }
        let name = |text: &str| FieldName::parse(text).map_err(|error| error.to_string());
        Ok(match root {
            "credential" => Self::Credential(name(rest)?),
            "setting" => Self::Setting(name(rest)?),
            "value" => Self::Value(name(rest)?),
            "host" => Self::Host(name(rest)?),
            "token" => Self::Token(name(rest)?),
            "input" => Self::Input(name(rest)?),
            "item" => Self::Item(name(rest)?),
            "event" => Self::Event(name(rest)?),
            "remembered" => Self::Remembered(name(rest)?),
            "answer" => {
                let (step, field) =
                    rest.split_once('.').ok_or_else(|| format!("`{text}` lacks the field: `answer.STEP.FIELD`"))?;
                Self::Answer(name(step)?, name(field)?)
            }
            "delivery" => Self::Delivery(match rest {
                "id" => DeliveryValue::Id,
                "key" => DeliveryValue::Key,
                "time" => DeliveryValue::Time,
                "event" => DeliveryValue::Event,
                _ => return Err(one_of(text, "delivery", &["id", "key", "time", "event"])),
            }),
            "webhook" => Self::Webhook(match rest {
                "url" => WebhookValue::Url,
                "id" => WebhookValue::Id,
                "secret" => WebhookValue::Secret,
                "kinds" => WebhookValue::Kinds,
                _ => return Err(one_of(text, "webhook", &["url", "id", "secret", "kinds"])),
            }),
            "path" => Self::Path(name(rest)?),
            "made" => Self::Made(match rest {
                "id" => MadeValue::Id,
                "time" => MadeValue::Time,
                "kind" => MadeValue::Kind,
                "list" => MadeValue::List,
                "refused" => MadeValue::Refused,
                "secret" => MadeValue::Secret,
                _ => return Err(one_of(text, "made", &["id", "time", "kind", "list", "refused", "secret"])),
            }),
            "problem" if rest == "at" => Self::ProblemPlace,
            "problem" => return Err(one_of(text, "problem", &["at"])),
            "page" if rest == "next" => Self::NextPage,
            "page" => return Err(one_of(text, "page", &["next"])),
            "site" if rest == "url" => Self::Site,
            "site" => return Err(one_of(text, "site", &["url"])),
            _ => return Err(not_a_reference(text)),
        })
    }
}

impl Reference {
    /// The last of its names: `order_id` of `input.order_id`.
    #[must_use]
    pub fn last_name(&self) -> String {
        let text = self.to_string();
        text.rsplit(['.', '/']).next().unwrap_or_default().to_owned()
    }
}

fn not_a_reference(text: &str) -> String {
    let root = text.split(['.', '/']).next().unwrap_or(text);
    match vocab::closest(root, ROOTS).filter(|meant| *meant != root) {
        Some(meant) => format!("`{text}` names nothing: did you mean `{meant}`?"),
        None if ROOTS.contains(&root) => format!("`{text}` lacks a name: `{root}.NAME`"),
        None => format!("`{text}` names nothing: a value begins with one of {}", vocab::suggestion::list(ROOTS)),
    }
}

fn one_of(text: &str, root: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{root}.{name}`")).collect();
    format!("there is no `{text}`: there is {}", names.join(", "))
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(formatter, "credential.{name}"),
            Self::Setting(name) => write!(formatter, "setting.{name}"),
            Self::Value(name) => write!(formatter, "value.{name}"),
            Self::Host(name) => write!(formatter, "host.{name}"),
            Self::Token(name) => write!(formatter, "token.{name}"),
            Self::Input(name) => write!(formatter, "input.{name}"),
            Self::Item(name) => write!(formatter, "item.{name}"),
            Self::Event(name) => write!(formatter, "event.{name}"),
            Self::Answer(step, name) => write!(formatter, "answer.{step}.{name}"),
            Self::Remembered(name) => write!(formatter, "remembered.{name}"),
            Self::Delivery(DeliveryValue::Id) => formatter.write_str("delivery.id"),
            Self::Delivery(DeliveryValue::Key) => formatter.write_str("delivery.key"),
            Self::Delivery(DeliveryValue::Time) => formatter.write_str("delivery.time"),
            Self::Delivery(DeliveryValue::Event) => formatter.write_str("delivery.event"),
            Self::Fields => formatter.write_str("fields"),
            Self::NextPage => formatter.write_str("page.next"),
            Self::Webhook(WebhookValue::Url) => formatter.write_str("webhook.url"),
            Self::Webhook(WebhookValue::Id) => formatter.write_str("webhook.id"),
            Self::Webhook(WebhookValue::Secret) => formatter.write_str("webhook.secret"),
            Self::Webhook(WebhookValue::Kinds) => formatter.write_str("webhook.kinds"),
            Self::Site => formatter.write_str("site.url"),
            Self::Body(pointer) => write!(formatter, "body{pointer}"),
            Self::Header(name) => write!(formatter, "header.{name}"),
            Self::Made(MadeValue::Id) => formatter.write_str("made.id"),
            Self::Made(MadeValue::Time) => formatter.write_str("made.time"),
            Self::Made(MadeValue::Kind) => formatter.write_str("made.kind"),
            Self::Made(MadeValue::List) => formatter.write_str("made.list"),
            Self::Made(MadeValue::Refused) => formatter.write_str("made.refused"),
            Self::Made(MadeValue::Secret) => formatter.write_str("made.secret"),
            Self::MadeObject(pointer) => write!(formatter, "made{pointer}"),
            Self::Path(name) => write!(formatter, "path.{name}"),
            Self::Object(pointer) => write!(formatter, "object{pointer}"),
            Self::ProblemPlace => formatter.write_str("problem.at"),
        }
    }
}
