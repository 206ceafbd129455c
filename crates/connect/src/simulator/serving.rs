//! A request to the provider's own API, from whether it is let in to what it is answered.

use super::authentication;
use super::chance::Chance;
use super::fault;
use super::given::Given;
use super::kept::{self, Key};
use super::listing;
use super::outbox::{Endpoint, Event};
use super::request::{Request, nothing};
use super::setup::{Place, Setup};
use super::told::Came;
use super::upserting;
use super::{Answer, Asked, Handled, Simulator, place_of};
use crate::fill::{self, FillError, as_text};
use crate::form;
use manifest::authentication::Authentication;
use manifest::operation::{Body, Idempotency, Request as Asks};
use manifest::outcome::{BodyTest, WaitForm};
use manifest::pointer::PathStep;
use manifest::simulator::{EVENT, Fault, FoundBy, Refusal, Route, RouteAction, Sent, member};
use manifest::{Entries, Operation, Pointer, Template};
use serde_json::{Map, Value};
use vocab::Secret;

/// Letters and digits of a secret, and of an event's id.
const SECRET_LENGTH: usize = 32;
const EVENT_ID_LENGTH: usize = 24;
const REQUEST_ID_LENGTH: usize = 14;
/// How long a mishap says to wait, in milliseconds.
const MISHAP_WAIT_MS: i64 = 1_000;

/// An object that had a part in something.
pub(super) struct Part {
    pub kind: String,
    pub id: String,
    pub value: Value,
}

/// How a request is refused.
pub(super) enum No {
    NotFound,
    Invalid(String),
    KeyReused,
    Own(Refusal),
}

/// What a request came to.
pub(super) struct Done {
    pub answer: Value,
    /// What had a part in it, what was made or changed first.
    pub parts: Vec<Part>,
    pub has_changed: bool,
    pub headers: Vec<(String, String)>,
    /// The status, where it is not the route's.
    pub status: Option<u16>,
}

impl From<FillError> for No {
    fn from(error: FillError) -> Self {
        Self::Invalid(place_of(&error))
    }
}

impl Simulator {
    /// Serves a request to the provider's API.
    pub(super) fn serve(&mut self, asked: &Asked<'_>, now_ms: i64) -> Handled {
        let path = asked.target.split('?').next().unwrap_or_default();
        let mut came = Came { method: asked.method.to_owned(), path: path.to_owned(), ..Came::default() };
        let handled = self.served(asked, now_ms, &mut came);
        came.status = match &handled {
            Handled::Answered(answer) => Some(answer.status),
            Handled::Hangs | Handled::Lost => None,
        };
        self.log.came(came);
        handled
    }

    fn served(&mut self, asked: &Asked<'_>, now_ms: i64, came: &mut Came) -> Handled {
        let refusals = self.setup.plays.refusals.clone();
        let path = came.path.clone();
        let found = self.setup.route(asked.method, &path);
        let operation = found.as_ref().and_then(|(number, _)| self.setup.operation(*number));
        let Ok(request) = asked.read(operation.and_then(json_parameter)) else {
            return Handled::Answered(self.refused(&refusals.invalid, None, "body"));
        };
        let way = self.setup.authentication(operation);
        let known = match way {
            Some(Authentication::Oauth2(_)) => self.grants.holder(request.header("authorization"), now_ms),
            Some(_) | None => authentication::known(&self.setup, way, &request),
        };
        let shown = match known {
            Ok(shown) => shown,
            Err(why) => {
                came.stranger(why);
                return Handled::Answered(self.refused(&refusals.unauthorized, Some(&request), ""));
            }
        };
        let Some((number, gaps)) = found else {
            return Handled::Answered(self.refused(&refusals.not_found, Some(&request), &path));
        };
        let who: String = shown.values().map(|secret| secret.expose().as_str()).collect::<Vec<_>>().join(" ");
        let route = &self.setup.routes[number];
        if let Err(wait_ms) = self.rates.count(&self.setup, route, &request, &who, now_ms) {
            return Handled::Answered(self.too_many(&request, wait_ms, now_ms));
        }
        self.shown.extend(shown);
        if let Some(handled) = self.mishap_before(&request, now_ms, came) {
            return handled;
        }
        let number = self.meant_route(number, &request, &gaps, now_ms);
        let answer = self.once(number, &request, &gaps, now_ms, came);
        let changes = !matches!(asked.method, "GET" | "HEAD");
        if changes && fault::happens(&mut self.mishaps, Fault::ReplyLost, &mut self.chance) {
            came.fault = Some(Fault::ReplyLost.as_str());
            return Handled::Lost;
        }
        Handled::Answered(answer)
    }

    fn mishap_before(&mut self, request: &Request, now_ms: i64, came: &mut Came) -> Option<Handled> {
        // Each of them is asked, so that `:3` is the third request whatever came over the others.
        let mut happening = [Fault::Hang, Fault::RateLimit, Fault::ServerError].to_vec();
        happening.retain(|fault| fault::happens(&mut self.mishaps, *fault, &mut self.chance));
        let fault = *happening.first()?;
        came.fault = Some(fault.as_str());
        Some(match fault {
            Fault::Hang => Handled::Hangs,
            Fault::RateLimit => Handled::Answered(self.too_many(request, MISHAP_WAIT_MS, now_ms)),
            Fault::ServerError | Fault::ReplyLost | Fault::DuplicateWebhook | Fault::ReorderedWebhooks => {
                let refusal = self.setup.plays.refusals.server_error.clone();
                Handled::Answered(self.refused(&refusal, Some(request), ""))
            }
        })
    }

    /// Does what the route does, once for each idempotency key.
    fn once(
        &mut self,
        number: usize,
        request: &Request,
        gaps: &[(String, String)],
        now_ms: i64,
        came: &mut Came,
    ) -> Answer {
        let known = &self.setup.routes[number];
        let key = known.key.as_ref().and_then(|place| kept::key(request, place));
        let operation = known.operation.as_deref().and_then(|name| self.setup.manifest.operations.get(name));
        let (most, hours) = match operation.and_then(|operation| operation.idempotency.as_ref()) {
            Some(Idempotency::Key { max_length, kept_hours }) => (Some(*max_length), *kept_hours),
            Some(Idempotency::Natural(_) | Idempotency::None(_)) | None => (None, None),
        };
        came.key.clone_from(&key);
        let of = kept::fingerprint(request);
        if let Some(key) = &key {
            let is_long = most.is_some_and(|most| key.chars().count() > most as usize);
            let place = known.key.clone();
            match self.kept.look(key, &of, hours, now_ms) {
                _ if is_long => {
                    let name = match place {
                        Some(Place::Header(name)) => name,
                        Some(Place::Member(steps)) => form::name(&steps),
                        None => String::new(),
                    };
                    return self.no(No::Invalid(name), request);
                }
                Key::Again(mut answer) => {
                    came.replayed = true;
                    answer.headers.extend(owned(&self.setup.plays.replayed));
                    return answer;
                }
                Key::Reused => return self.no(No::KeyReused, request),
                Key::New => {}
            }
        }
        match self.done(number, request, gaps, now_ms) {
            Ok(done) => {
                if done.has_changed {
                    self.log.effect(&request.method, &request.path, key.as_deref());
                }
                let route = &self.setup.routes[number].route;
                let status = done.status.or(route.status).unwrap_or(200);
                let sends = route.sends.clone();
                let mut answer = self.answered(status, &done.answer);
                answer.headers.extend(done.headers);
                self.send(&sends, &done.parts, now_ms);
                if let Some(key) = key {
                    self.kept.keep(key, of, answer.clone(), now_ms);
                }
                answer
            }
            Err(no) => self.no(no, request),
        }
    }

    /// Of the routes of that method and path the first whose needs the request meets, else the last.
    fn meant_route(&self, number: usize, request: &Request, gaps: &[(String, String)], now_ms: i64) -> usize {
        let given = Given {
            setup: Some(&self.setup),
            says: Some(&request.says),
            headers: &request.headers,
            path: gaps,
            seconds: Some(now_ms / 1_000),
            ..Given::default()
        };
        let same = |known: &Route| {
            let first = &self.setup.routes[number].route;
            known.method == first.method && known.path == first.path
        };
        let mut last = number;
        for (at, known) in self.setup.routes.iter().enumerate().filter(|(_, known)| same(&known.route)) {
            if matches!(first_failing(&known.route.needs, &request.says, &given), Ok(None)) {
                return at;
            }
            last = at;
        }
        last
    }

    fn done(&mut self, number: usize, request: &Request, gaps: &[(String, String)], now_ms: i64) -> Result<Done, No> {
        let route = self.setup.routes[number].route.clone();
        let given = Given {
            setup: Some(&self.setup),
            shown: Some(&self.shown),
            says: Some(&request.says),
            headers: &request.headers,
            path: gaps,
            seconds: Some(now_ms / 1_000),
            ..Given::default()
        };
        if let Some(place) = first_failing(&route.needs, &request.says, &given)? {
            return Err(No::Invalid(place));
        }
        let wanted = route.of.as_ref().map(|of| fill::text(&of.is, &given)).transpose()?.flatten();
        let about = match (&route.of, wanted) {
            (Some(of), Some(wanted)) => {
                let found = self.shelves.find(of.kind.as_str(), &of.at, &wanted);
                match found.map(|(id, value)| (id.to_owned(), value.clone())) {
                    Some((id, value)) => Some(Part { kind: of.kind.to_string(), id, value }),
                    None => return Err(of.missing.clone().map_or(No::NotFound, No::Own)),
                }
            }
            (Some(_) | None, _) => None,
        };
        let meant = match &route.does {
            RouteAction::Reads(by)
            | RouteAction::Changes { object: by, .. }
            | RouteAction::Removes { object: by, .. } => Some(self.meant(by, gaps)?),
            RouteAction::Makes(_) | RouteAction::Upserts(_) | RouteAction::Lists { .. } | RouteAction::Answers(_) => {
                None
            }
        };
        if let Some(object) = about.as_ref().or(meant.as_ref()) {
            let given = Given { object: Some(&object.value), ..given };
            for refuses in &route.refuses {
                if first_failing(&refuses.when, &object.value, &given)?.is_none() {
                    return Err(No::Own(refuses.answer.clone()));
                }
            }
        }
        let around = given;
        let given = Given { object: about.as_ref().map(|about| &about.value), ..around };
        let mut done = match (&route.does, meant) {
            (RouteAction::Makes(kind), _) => {
                let id = new_id(&self.setup, &mut self.chance, kind.as_str());
                let made = make(&self.setup, &mut self.chance, kind.as_str(), id, given)?;
                if let Some(unique) = &route.unique {
                    let of = |value: &Value| fill::first(value, &unique.at).map(as_text);
                    let wanted = of(&made.value);
                    if self.shelves.all(kind.as_str()).any(|(_, value)| wanted.is_some() && of(value) == wanted) {
                        return Err(No::Own(unique.answer.clone()));
                    }
                }
                self.shelves.put(kind.as_str(), &made.id, made.value.clone());
                Done::of(self.setup.shown(&made, true), vec![made], true)
            }
            (RouteAction::Upserts(upserts), _) => {
                let (setup, shelves) = (&self.setup, &mut self.shelves);
                upserting::upsert(upserts, setup, &mut self.chance, shelves, given)?
            }
            (RouteAction::Lists { object, answer, page, filters, only }, _) => {
                let kind = object.as_str();
                let mut all: Vec<&Value> = Vec::new();
                for (_, value) in self.shelves.all(kind) {
                    if first_failing(only, value, &given)?.is_none() {
                        all.push(value);
                    }
                }
                let asked = listing::Asked { route: &self.setup.routes[number], page: page.as_ref(), filters, request };
                let mut chosen = listing::choose(&self.setup, &asked, all).map_err(|at| No::Invalid(at.to_owned()))?;
                chosen.items.iter_mut().for_each(|item| *item = self.setup.shown_value(kind, item, false));
                let given = Given { list: Some(&chosen.items), ..given };
                let answer = fill::document(answer, &given)?.unwrap_or_else(nothing);
                let (answer, headers) = listing::finish(&self.setup, &asked, &chosen, answer);
                Done { headers, ..Done::of(answer, Vec::new(), false) }
            }
            (RouteAction::Changes { set, .. }, Some(mut object)) => {
                change(&mut object.value, set, given)?;
                self.shelves.replace(&object.kind, &object.id, object.value.clone());
                Done::of(self.setup.shown(&object, false), vec![object], true)
            }
            (RouteAction::Removes { answer, .. }, Some(object)) => {
                let answer = fill::document(answer, &Given { object: Some(&object.value), ..given })?;
                self.shelves.take(&object.kind, &object.id);
                Done::of(answer.unwrap_or_else(nothing), vec![object], true)
            }
            (RouteAction::Reads(_), Some(object)) => Done::of(self.setup.shown(&object, false), Vec::new(), false),
            (RouteAction::Answers(answer), _) => {
                Done::of(fill::document(answer, &given)?.unwrap_or_else(nothing), Vec::new(), false)
            }
            (RouteAction::Changes { .. } | RouteAction::Removes { .. } | RouteAction::Reads(_), None) => {
                return Err(No::NotFound);
            }
        };
        if let (Some(of), Some(mut about)) = (&route.of, about) {
            let made = done.parts.first().map(|made| made.value.clone());
            change(&mut about.value, &of.set, Given { made: made.as_ref(), ..around })?;
            self.shelves.replace(&about.kind, &about.id, about.value.clone());
            done.parts.push(about);
        }
        Ok(done)
    }

    fn meant(&self, by: &FoundBy, gaps: &[(String, String)]) -> Result<Part, No> {
        let id = gaps.iter().find(|(name, _)| name == by.id.as_str()).map(|(_, id)| id.as_str()).ok_or(No::NotFound)?;
        let value = self.shelves.get(by.kind.as_str(), id).ok_or(No::NotFound)?;
        Ok(Part { kind: by.kind.to_string(), id: id.to_owned(), value: value.clone() })
    }

    /// Makes events of what has happened and has them sent.
    pub(super) fn send(&mut self, sends: &[Sent], parts: &[Part], now_ms: i64) {
        let Some(template) = self.setup.plays.event.clone() else { return };
        let endpoints = self.endpoints();
        for sent in sends {
            let part = match &sent.of {
                None => parts.first(),
                Some(kind) => parts.iter().find(|part| part.kind == kind.as_str()),
            };
            let Some(part) = part else { continue };
            let object = self.setup.shown(part, false);
            let id = self.chance.word(EVENT_ID_LENGTH);
            let given = Given {
                setup: Some(&self.setup),
                shown: Some(&self.shown),
                object: Some(&object),
                id: Some(&id),
                seconds: Some(now_ms / 1_000),
                kind: Some(&sent.kind),
                ..Given::default()
            };
            let Ok(Some(body)) = fill::document(&template, &given) else { continue };
            let own_id = body.get("id").map(as_text).unwrap_or(id);
            self.shelves.put(EVENT, &own_id, body.clone());
            let is_twice = fault::happens(&mut self.mishaps, Fault::DuplicateWebhook, &mut self.chance);
            let is_late = fault::happens(&mut self.mishaps, Fault::ReorderedWebhooks, &mut self.chance);
            if let Some(webhooks) = &self.setup.manifest.webhooks {
                let event = Event { id: own_id, kind: sent.kind.clone(), body, is_twice, is_late };
                self.outbox.add(webhooks, &event, &endpoints, now_ms);
            }
        }
    }

    /// Everybody who is told.
    fn endpoints(&self) -> Vec<Endpoint> {
        let mut endpoints = self.addresses.clone();
        let Some(entered) = self.setup.entered() else { return endpoints };
        for (id, value) in self.shelves.all(&entered.kind) {
            let at = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|at| fill::first(value, at));
            let kinds = at(&entered.kinds).and_then(Value::as_array);
            let Some(url) = fill::first(value, &entered.url).map(as_text) else { continue };
            endpoints.push(Endpoint {
                id: id.to_owned(),
                url,
                secret: Secret::new(at(&entered.secret).map(as_text).unwrap_or_default()),
                kinds: kinds.into_iter().flatten().map(as_text).collect(),
            });
        }
        endpoints
    }

    /// Has events sent to an address from now on; its secret, where the provider gives each address one of its own.
    pub fn tell(&mut self, url: &str) -> Option<Secret<String>> {
        let secret = self.chance.word(SECRET_LENGTH);
        let template = self.setup.entered().and_then(|entered| self.setup.plays.objects.get(&entered.kind).cloned());
        let secret = template.and_then(|object| {
            let at = self.setup.entered()?.secret?;
            let given = Given { setup: Some(&self.setup), secret: Some(&secret), ..Given::default() };
            fill::first(&filled(&object.holds, &given).ok()?, &at).map(as_text)
        });
        let endpoint = Endpoint {
            id: format!("given_{}", self.addresses.len() + 1),
            url: url.to_owned(),
            secret: Secret::new(secret.clone().unwrap_or_default()),
            kinds: Vec::new(),
        };
        self.addresses.push(endpoint);
        secret.map(Secret::new)
    }

    fn no(&mut self, no: No, request: &Request) -> Answer {
        let refusals = self.setup.plays.refusals.clone();
        match no {
            No::NotFound => self.refused(&refusals.not_found, Some(request), ""),
            No::Invalid(at) => {
                let steps: Vec<String> = at.split('/').filter(|step| !step.is_empty()).map(ToOwned::to_owned).collect();
                let at = if request.is_form { form::name(&steps) } else { steps.join(".") };
                self.refused(&refusals.invalid, Some(request), &at)
            }
            No::KeyReused => {
                let refusal = refusals.key_reused.unwrap_or(refusals.invalid);
                self.refused(&refusal, Some(request), "")
            }
            No::Own(refusal) => self.refused(&refusal, Some(request), ""),
        }
    }

    fn refused(&mut self, refusal: &Refusal, request: Option<&Request>, problem: &str) -> Answer {
        let given = Given {
            setup: Some(&self.setup),
            says: request.map(|request| &request.says),
            headers: request.map_or(&[], |request| &request.headers),
            problem: Some(problem),
            ..Given::default()
        };
        let body = fill::document(&refusal.body, &given).ok().flatten().unwrap_or_else(nothing);
        let mut answer = self.answered(refusal.status, &body);
        answer.headers.extend(owned(&refusal.headers));
        answer
    }

    fn too_many(&mut self, request: &Request, wait_ms: i64, now_ms: i64) -> Answer {
        let refusal = self.setup.plays.refusals.rate_limited.clone();
        let mut answer = self.refused(&refusal, Some(request), "");
        let seconds = (wait_ms + 999) / 1_000;
        answer.headers.push(match self.setup.manifest.provider.wait.headers.first() {
            // HTTP's own, RFC 9110, 10.2.3.
            None => ("Retry-After".to_owned(), seconds.to_string()),
            Some(header) => {
                let text = match header.holds {
                    WaitForm::SecondsOrDate | WaitForm::Seconds => seconds.to_string(),
                    WaitForm::Milliseconds => wait_ms.to_string(),
                    WaitForm::UnixSeconds => ((now_ms + wait_ms + 999) / 1_000).to_string(),
                };
                (header.name.clone(), text)
            }
        });
        answer
    }

    fn answered(&mut self, status: u16, body: &Value) -> Answer {
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let provider = &self.setup.manifest.provider;
        if let Some(name) = &provider.errors.request_id_header {
            headers.push((name.clone(), format!("req_{}", self.chance.word(REQUEST_ID_LENGTH))));
        }
        let given = Given { setup: Some(&self.setup), ..Given::default() };
        let version = provider.drift.version.as_ref().and_then(|version| fill::text(version, &given).ok().flatten());
        if let (Some(name), Some(version)) = (&provider.drift.version_header, version) {
            headers.push((name.clone(), version));
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Answer { status, headers, body }
    }
}

/// The name of a form under which a JSON document stands.
fn json_parameter(operation: &Operation) -> Option<&str> {
    let Asks::Http(http) = &operation.request else { return None };
    match http.body.as_ref()? {
        Body::FormJson { name, .. } => Some(name),
        Body::Json(_)
        | Body::JsonLines(_)
        | Body::FormNested(_)
        | Body::FormRepeated(_)
        | Body::Xml(_)
        | Body::Bytes { .. } => None,
    }
}

impl Done {
    pub(super) fn of(answer: Value, parts: Vec<Part>, has_changed: bool) -> Self {
        Self { answer, parts, has_changed, headers: Vec::new(), status: None }
    }
}

fn owned(headers: &Entries<String, String>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Where the first test that does not hold looks.
pub(super) fn first_failing(
    tests: &[BodyTest],
    document: &Value,
    given: &Given<'_>,
) -> Result<Option<String>, FillError> {
    for test in tests {
        if !fill::holds(test, document, given)? {
            return Ok(Some(test.at.to_string()));
        }
    }
    Ok(None)
}

/// An id for an object.
pub(super) fn new_id(setup: &Setup, chance: &mut Chance, kind: &str) -> String {
    match setup.plays.objects.get(kind) {
        Some(object) => format!("{}{}", object.id_starts_with, chance.word(object.id_length as usize)),
        None => chance.word(EVENT_ID_LENGTH),
    }
}

/// Makes an object. It is not kept yet.
pub(super) fn make(
    setup: &Setup,
    chance: &mut Chance,
    kind: &str,
    id: String,
    given: Given<'_>,
) -> Result<Part, FillError> {
    let secret = chance.word(SECRET_LENGTH);
    let value = match setup.plays.objects.get(kind) {
        Some(object) => filled(&object.holds, &Given { id: Some(&id), secret: Some(&secret), ..given })?,
        None => nothing(),
    };
    Ok(Part { kind: kind.to_owned(), id, value })
}

/// What an object holds; a member of the outermost block whose value is absent is null.
fn filled(holds: &Template, given: &Given<'_>) -> Result<Value, FillError> {
    let Template::Fields(fields) = holds else {
        return Ok(fill::document(holds, given)?.unwrap_or(Value::Null));
    };
    let mut members = Map::new();
    for (name, field) in fields.iter() {
        members.insert(name.clone(), fill::document(field, given)?.unwrap_or(Value::Null));
    }
    Ok(Value::Object(members))
}

/// Changes members one after the other, so that a later one sees the earlier. What is absent stays as it is.
pub(super) fn change(object: &mut Value, set: &Entries<String, Template>, given: Given<'_>) -> Result<(), FillError> {
    for (name, template) in set.iter() {
        let value = fill::document(template, &Given { object: Some(object), ..given })?;
        if let (Some(value), Some(place)) = (value, member(name)) {
            put(object, &place, value);
        }
    }
    Ok(())
}

/// Puts a value where a path leads; blocks that are not there yet are made.
pub(super) fn put(document: &mut Value, place: &Pointer, value: Value) {
    let mut at = document;
    for step in place.steps() {
        let PathStep::Name(name) = step else { return };
        at = match at {
            Value::Array(items) => match name.parse().ok().and_then(|number: usize| items.get_mut(number)) {
                Some(item) => item,
                None => return,
            },
            Value::Object(members) => members.entry(name.clone()).or_insert(Value::Null),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                *other = nothing();
                match other.as_object_mut() {
                    Some(members) => members.entry(name.clone()).or_insert(Value::Null),
                    None => return,
                }
            }
        };
    }
    *at = value;
}
