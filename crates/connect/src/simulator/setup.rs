//! What a simulated provider is before anybody calls: its manifest, its address, credentials that it takes, its routes with the
//! operations that they answer. It does not change while it runs.

use super::Chance;
use super::request::segments;
use super::serving::Part;
use crate::form;
use manifest::authentication::Authentication;
use manifest::kind::Kind;
use manifest::operation::{Body, NextPage, Request as Asks};
use manifest::reference::{DeliveryValue, Reference, WebhookValue};
use manifest::simulator::{Route, RouteAction, Simulator, member as member_of};
use manifest::webhook::{Payload, Registration, ThroughApi, Verification, Webhooks};
use manifest::{Manifest, Operation, Pointer, Template, Text};
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::Secret;

/// Why a provider cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSimulator {
    /// The manifest does not say how it behaves.
    #[error("the manifest of `{0}` has no `simulator.yaml`, which says how it behaves")]
    NotDescribed(String),
    /// What it does needs something that only the provider has.
    #[error("`{provider}` cannot be simulated: {why}")]
    Beyond {
        /// Which.
        provider: String,
        /// What it would need.
        why: &'static str,
    },
}

/// What does not change while a provider is simulated.
pub(super) struct Setup {
    pub manifest: Manifest,
    pub plays: Simulator,
    pub site: String,
    pub routes: Vec<KnownRoute>,
    credentials: BTreeMap<String, Secret<String>>,
}

/// A route, ready to be found.
pub(super) struct KnownRoute {
    pub route: Route,
    pub segments: Vec<Segment>,
    /// The operation that it answers, where the manifest has one.
    pub operation: Option<String>,
    /// Where the idempotency key stands in a request.
    pub key: Option<Place>,
    /// How its pages follow each other: as its operation says, else as others of this provider do.
    pub pages: Option<NextPage>,
    /// Where the cursor stands in a request.
    pub cursor: Option<Place>,
}

/// A segment of a route's path.
pub(super) enum Segment {
    Is(String),
    Any(String),
}

/// Where something stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Header(String),
    /// A member of the body or a parameter, step by step.
    Member(Vec<String>),
}

impl Setup {
    pub fn new(manifest: Manifest, site: &str, chance: &mut Chance) -> Result<Self, NoSimulator> {
        let plays = super::can_be_simulated(&manifest)?.clone();
        let credentials = manifest.provider.credentials.iter();
        let credentials = credentials.map(|(name, known)| (name.to_string(), Secret::new(chance.credential(known))));
        // What somebody would have to look up there is called as the setting is.
        let settings =
            manifest.provider.settings.iter().filter(|(_, setting)| setting.default.is_none() && !setting.optional);
        let settings = settings.filter(|(_, setting)| setting.kind == Kind::Text && setting.choices.is_empty());
        let settings = settings.map(|(name, _)| (name.to_string(), Secret::new(name.to_string())));
        let credentials = credentials.chain(settings).collect();
        let routes = plays.routes.iter().map(|route| KnownRoute::new(&manifest, route)).collect();
        Ok(Self { manifest, plays, site: site.to_owned(), routes, credentials })
    }

    /// A credential that is taken.
    pub fn credential(&self, name: &str) -> Option<&Secret<String>> {
        self.credentials.get(name)
    }

    /// All of them.
    pub fn credentials(&self) -> impl Iterator<Item = (&str, &Secret<String>)> {
        self.credentials.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    /// The way by which an operation's caller is known.
    pub fn authentication(&self, operation: Option<&Operation>) -> Option<&Authentication> {
        let ways = &self.manifest.provider.authentication;
        match operation.and_then(|operation| operation.authentication.as_ref()) {
            Some(name) => ways.get(name.as_str()),
            None => ways.first().map(|(_, way)| way),
        }
    }

    /// The number of the route that answers, with what varies in its path. Where several do, the one with the fewest gaps.
    pub fn route(&self, method: &str, path: &str) -> Option<(usize, Vec<(String, String)>)> {
        let asked = segments(path);
        let routes = self.routes.iter().enumerate().filter(|(_, known)| known.route.method.as_str() == method);
        let fitting = routes.filter_map(|(number, known)| Some((number, fits(&known.segments, &asked)?)));
        fitting.min_by_key(|(_, gaps)| gaps.len())
    }

    /// The operation that a route answers.
    pub fn operation(&self, route: usize) -> Option<&Operation> {
        self.manifest.operations.get(self.routes.get(route)?.operation.as_deref()?)
    }

    /// How addresses are entered through its API, where they are.
    pub fn registration(&self) -> Option<&ThroughApi> {
        match &self.manifest.webhooks.as_ref()?.registration {
            Registration::ThroughApi(through) => Some(through),
            Registration::ByHand { .. } | Registration::WithEachRequest(_) => None,
        }
    }

    /// How an address that was entered is kept.
    pub fn entered(&self) -> Option<Entered> {
        let through = self.registration()?;
        let route = self.route_of(through.create.as_str())?;
        let RouteAction::Makes(kind) = &route.route.does else { return None };
        let create = self.manifest.operations.get(through.create.as_str())?;
        let secret = through.secret.as_ref().and_then(|name| create.answer.get(name.as_str())?.at.clone());
        let kinds = match place(create, &|name| *name == Reference::Webhook(WebhookValue::Kinds)) {
            Some(Place::Member(steps)) => self.kept_as(kind.as_str(), &format!("/{}", steps.join("/"))),
            Some(Place::Header(_)) | None => None,
        };
        Some(Entered { kind: kind.to_string(), url: through.url_at.clone(), secret, kinds })
    }

    /// Where an object holds what the request that made it said there.
    fn kept_as(&self, kind: &str, said_at: &str) -> Option<Pointer> {
        let Template::Fields(fields) = &self.plays.objects.get(kind)?.holds else { return None };
        let is_it = |template: &Template| match template {
            Template::Text(text) => text.as_expression().is_some_and(|expression| match &expression.from {
                Reference::Body(pointer) => pointer.to_string() == said_at,
                _ => false,
            }),
            _ => false,
        };
        let (name, _) = fields.iter().find(|(_, template)| is_it(template))?;
        member_of(name)
    }

    /// An object as an answer or an event shows it.
    pub fn shown(&self, part: &Part, is_new: bool) -> Value {
        self.shown_value(&part.kind, &part.value, is_new)
    }

    /// The same of what is kept under a kind.
    pub fn shown_value(&self, kind: &str, value: &Value, is_new: bool) -> Value {
        let mut value = value.clone();
        if let (Some(object), Some(members)) = (self.plays.objects.get(kind), value.as_object_mut()) {
            let once = object.shown_once.iter().filter(|_| !is_new);
            for name in object.hidden.iter().chain(once) {
                // Not `remove`, which would put the last member in its place.
                members.shift_remove(name);
            }
        }
        value
    }

    /// Gives out the public half of a key in the place of a credential.
    pub fn publish(&mut self, key: &Text, public: String) {
        if let Some(Reference::Credential(name)) = key.as_expression().map(|expression| &expression.from) {
            self.credentials.insert(name.to_string(), Secret::new(public));
        }
    }

    /// The route that an operation leads to.
    pub fn route_of(&self, operation: &str) -> Option<&KnownRoute> {
        self.routes.iter().find(|known| known.operation.as_deref() == Some(operation))
    }
}

/// How an address that was entered is kept.
pub(super) struct Entered {
    pub kind: String,
    pub url: Pointer,
    pub secret: Option<Pointer>,
    pub kinds: Option<Pointer>,
}

/// What varies in a path, where it fits.
pub(super) fn fits(known: &[Segment], asked: &[String]) -> Option<Vec<(String, String)>> {
    let mut gaps = Vec::new();
    let all = known.len() == asked.len()
        && known.iter().zip(asked).all(|(known, asked)| match known {
            Segment::Is(text) => text == asked,
            Segment::Any(name) => {
                gaps.push((name.clone(), asked.clone()));
                !asked.is_empty()
            }
        });
    all.then_some(gaps)
}

/// The segments of a path with `{name}` in it.
pub(super) fn pattern(path: &str) -> Vec<Segment> {
    let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) => Segment::Any(name.to_owned()),
        None => Segment::Is(text.to_owned()),
    };
    path.split('/').skip(1).map(segment).collect()
}

impl KnownRoute {
    fn new(manifest: &Manifest, route: &Route) -> Self {
        let answered = manifest.operations.iter().find(|(_, operation)| route.answers(manifest, operation));
        let operation = answered.map(|(_, operation)| operation);
        let is_key = |name: &Reference| *name == Reference::Delivery(DeliveryValue::Key);
        let is_cursor = |name: &Reference| *name == Reference::NextPage;
        let has_pages = |operation: &&Operation| operation.paging.is_some();
        let paged = operation.filter(has_pages);
        let paged = paged.or_else(|| manifest.operations.iter().map(|(_, operation)| operation).find(has_pages));
        Self {
            route: route.clone(),
            segments: pattern(&route.path),
            operation: answered.map(|(name, _)| name.to_string()),
            key: operation.and_then(|operation| place(operation, &is_key)),
            pages: paged.and_then(|operation| operation.paging.as_ref()).map(|paging| paging.next.clone()),
            cursor: paged.and_then(|operation| place(operation, &is_cursor)),
        }
    }
}

/// Where a value stands in an operation's request.
pub(super) fn place(operation: &Operation, is_meant: &dyn Fn(&Reference) -> bool) -> Option<Place> {
    let Asks::Http(http) = &operation.request else { return None };
    let holds = |text: &Text| text.expressions().any(|expression| expression.references().any(is_meant));
    if let Some((name, _)) = http.headers.iter().find(|(_, text)| holds(text)) {
        return Some(Place::Header(name.clone()));
    }
    if let Some((name, _)) = http.query.iter().find(|(_, text)| holds(text)) {
        return Some(Place::Member(form::steps(name)));
    }
    let body = match http.body.as_ref()? {
        Body::Json(template) | Body::FormNested(template) | Body::FormRepeated(template) => template,
        Body::FormJson { json, .. } => json,
        Body::JsonLines(_) | Body::Xml(_) | Body::Bytes { .. } => return None,
    };
    member(body, is_meant).map(Place::Member)
}

fn member(template: &Template, is_meant: &dyn Fn(&Reference) -> bool) -> Option<Vec<String>> {
    let behind = |step: String, template: &Template| {
        member(template, is_meant).map(|rest| std::iter::once(step).chain(rest).collect())
    };
    match template {
        Template::Text(text) => {
            let is_here = text.expressions().any(|expression| expression.references().any(is_meant));
            is_here.then(Vec::new)
        }
        Template::List(items) => items.iter().enumerate().find_map(|(number, item)| behind(number.to_string(), item)),
        Template::Fields(fields) => fields.iter().find_map(|(name, field)| behind(name.clone(), field)),
        Template::Each { list, .. } => is_meant(list).then(Vec::new),
        Template::Null | Template::Boolean(_) | Template::Number(_) => None,
    }
}

/// What of a manifest's webhooks cannot be done here.
pub(super) fn beyond(webhooks: &Webhooks) -> Option<&'static str> {
    let way = |way: &Verification| match way {
        Verification::Certificate(_) => Some("what it sends is signed with a certificate of its own"),
        Verification::Ask { .. }
        | Verification::Hmac(_)
        | Verification::Digest(_)
        | Verification::PublicKey(_)
        | Verification::FixedHeader { .. }
        | Verification::Basic { .. }
        | Verification::BodyHolds { .. }
        | Verification::SecretPath(_) => None,
    };
    let payload = match webhooks.body {
        Payload::Xml => Some("what it sends is written in XML"),
        Payload::Json | Payload::FormNested | Payload::Form | Payload::FormJson(_) => None,
    };
    webhooks.verify.iter().find_map(way).or(payload)
}
