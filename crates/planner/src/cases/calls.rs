//! The calls of a provider that prove what listens to it: a right one, one that comes again, one of somebody else, one that is too old.
//! What they tell nobody has described, so that they are about nothing but who calls. A provider whose calls cannot be made here has none.

use manifest::Text;
use manifest::pointer::{PathStep, Pointer};
use manifest::reference::Reference;
use manifest::webhook::{Handshake, Payload, SignedPart, Source, Verification, Webhooks};
use plan::Hearing;
use plan::http_case::{CaseRequest, Expectation, HttpCase, Signer, Signing};
use plan::service::ServicePlan;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// When it happened, where that tells events apart: a number of seconds or of less.
const A_TIME: &str = "1750000000";
/// What such an event is called.
const KIND: &str = "case.of.the.plan";
/// How much longer ago than it may be a call was signed, and how long before it is told anew, in seconds.
const TOO_LONG: u32 = 60;
const A_WHILE: u32 = 20;

pub fn for_calls(service: &ServicePlan) -> Vec<HttpCase> {
    let calls = service.intake.as_ref().zip(service.manifest.webhooks.as_ref()).and_then(|(intake, webhooks)| {
        let Proof { past } = Proof::of(service, webhooks)?;
        Some(Calls { title: &service.manifest.provider.title, path: &intake.path, service, webhooks, past })
    });
    calls.and_then(|calls| calls.cases()).unwrap_or_default()
}

/// What proves a call can be made with what stands for the secrets.
struct Proof {
    /// How long ago it may have been signed, in seconds, where that matters.
    past: Option<u32>,
}

impl Proof {
    /// None where nobody but the provider can make it.
    fn of(service: &ServicePlan, webhooks: &Webhooks) -> Option<Self> {
        let mut past = None;
        for way in &webhooks.verify {
            match way {
                Verification::Hmac(hmac) => {
                    service.case_text(&hmac.key)?;
                    signable(service, &hmac.signed)?;
                    past = hmac.timestamp.as_ref().and_then(|rule| rule.past_seconds);
                }
                Verification::Digest(digest) => {
                    service.case_text(&digest.secret)?;
                    signable(service, &digest.signed)?;
                }
                Verification::FixedHeader { value, .. } | Verification::BodyHolds { value, .. } => {
                    service.case_text(value)?;
                }
                Verification::Basic { user, password } => {
                    service.case_text(user)?;
                    service.case_text(password)?;
                }
                Verification::SecretPath(_) => {}
                Verification::PublicKey(way) => {
                    service.case_key().filter(|(known, ..)| *known == way)?;
                    signable(service, &way.signed)?;
                    past = way.timestamp.as_ref().and_then(|rule| rule.past_seconds);
                }
                Verification::Certificate(_) | Verification::Ask { .. } => return None,
            }
        }
        Some(Self { past })
    }
}

/// Whether everything that is signed is known here.
fn signable(service: &ServicePlan, signed: &[SignedPart]) -> Option<()> {
    let known = |part: &SignedPart| match part {
        SignedPart::Value(value) => service.case_text(value).is_some(),
        SignedPart::Header(_) => false,
        SignedPart::Body
        | SignedPart::Url
        | SignedPart::Method
        | SignedPart::Timestamp
        | SignedPart::SortedParameters
        | SignedPart::Secret
        | SignedPart::Crc32OfBody
        | SignedPart::Text(_) => true,
    };
    signed.iter().all(known).then_some(())
}

/// The calls of a sender that prove an endpoint: a right one, one that comes again, one of somebody else, one that is too old, one of a type that
/// is not taken. None where something of it stands where no call can be made to say it.
pub fn for_sender(path: &str, hearing: &Hearing, example: &Json) -> Vec<HttpCase> {
    let past = hearing.past_seconds();
    let call = |id: &str, by: Signer, seconds_ago: u32| {
        let mut body = example.clone();
        let mut headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let kind = hearing.accepts.first().map_or(KIND, String::as_str);
        for (source, says) in [(&hearing.kind, kind), (&hearing.id, id)] {
            match source {
                Some(Source::Body(at)) => set(&mut body, at, says)?,
                Some(Source::Header(name)) => drop(headers.insert(name.to_lowercase(), says.to_owned())),
                Some(Source::Says(_)) | None => {}
            }
        }
        if hearing.id.is_none() {
            body.as_object_mut()?.insert("case".to_owned(), id.into());
        }
        let signed = Some(Signing { by, seconds_ago });
        let (method, text) = ("POST".to_owned(), Some(body.to_string()));
        Some(CaseRequest { method, path: path.to_owned(), headers, body: None, text, signed })
    };
    let case = |shows: &str, status: u16, heard: u32, before: Vec<CaseRequest>, request: CaseRequest| HttpCase {
        name: format!("POST {path} {shows}"),
        repeat: 1,
        parent: None,
        before,
        request,
        expect: Expectation { status, headers: BTreeMap::new(), body: None, text: None, heard: Some(heard) },
    };
    let all = || {
        let mut cases = vec![
            case("keeps a call of its sender", 204, 1, Vec::new(), call("case-1", Signer::Provider, 0)?),
            case(
                "keeps a call that comes again once",
                204,
                1,
                vec![call("case-2", Signer::Provider, 0)?],
                call("case-2", Signer::Provider, 0)?,
            ),
            case("refuses a call of somebody else", 401, 0, Vec::new(), call("case-3", Signer::Stranger, 0)?),
        ];
        if let Some(past) = past {
            let old = call("case-4", Signer::Provider, past + TOO_LONG)?;
            cases.push(case("refuses a call that was signed too long ago", 401, 0, Vec::new(), old));
        }
        if !hearing.accepts.is_empty() {
            let mut other = call("case-5", Signer::Provider, 0)?;
            match &hearing.kind {
                Some(Source::Body(at)) => {
                    let mut body: Json = serde_json::from_str(other.text.as_ref()?).ok()?;
                    set(&mut body, at, KIND)?;
                    other.text = Some(body.to_string());
                }
                Some(Source::Header(name)) => drop(other.headers.insert(name.to_lowercase(), KIND.to_owned())),
                Some(Source::Says(_)) | None => return None,
            }
            cases.push(case("keeps nothing of a type that it does not take", 204, 0, Vec::new(), other));
        }
        Some(cases)
    };
    all().unwrap_or_default()
}

/// Has a document say something, whatever stands there. None where there can be no such place.
fn set(document: &mut Json, at: &Pointer, says: &str) -> Option<()> {
    let mut place = document;
    for step in at.steps() {
        let PathStep::Name(name) = step else { return None };
        place = place.as_object_mut()?.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
    }
    (!at.steps().is_empty()).then(|| *place = Json::String(says.to_owned()))
}

struct Calls<'a> {
    title: &'a str,
    path: &'a str,
    service: &'a ServicePlan,
    webhooks: &'a Webhooks,
    past: Option<u32>,
}

impl Calls<'_> {
    fn cases(&self) -> Option<Vec<HttpCase>> {
        let taken = self.webhooks.acknowledge.status;
        let mut cases = vec![
            self.case("takes a call of NAME in", taken, Vec::new(), self.call("case-1", Signer::Provider, 0)?),
            self.case(
                "takes a call of NAME that comes again in once",
                taken,
                vec![self.call("case-2", Signer::Provider, 0)?],
                self.call("case-2", Signer::Provider, 0)?,
            ),
        ];
        if !self.webhooks.verify.is_empty() {
            let stranger = self.call("case-3", Signer::Stranger, 0)?;
            cases.push(self.case("refuses a call that somebody else has signed", 401, Vec::new(), stranger));
        }
        if let Some(past) = self.past {
            let early = vec![self.call("case-4", Signer::Provider, A_WHILE.min(past))?];
            let anew = self.call("case-4", Signer::Provider, 0)?;
            cases.push(self.case("takes what NAME signs anew in once", taken, early, anew));
            let old = self.call("case-5", Signer::Provider, past + TOO_LONG)?;
            cases.push(self.case("refuses a call that NAME has signed too long ago", 401, Vec::new(), old));
        }
        Some(cases)
    }

    fn case(&self, shows: &str, status: u16, before: Vec<CaseRequest>, request: CaseRequest) -> HttpCase {
        HttpCase {
            name: format!("POST {} {}", self.path, shows.replace("NAME", self.title)),
            repeat: 1,
            parent: None,
            before,
            request,
            expect: Expectation {
                status,
                headers: BTreeMap::new(),
                body: None,
                text: None,
                heard: Some(u32::from(status < 400)),
            },
        }
    }

    /// A call that tells of an event with that id.
    fn call(&self, id: &str, by: Signer, seconds_ago: u32) -> Option<CaseRequest> {
        let mut headers = BTreeMap::new();
        let mut event = Json::Object(Map::new());
        self.say(&self.webhooks.kind, KIND, &mut event, &mut headers)?;
        let mut says_which = false;
        let of_time: Vec<&Reference> =
            self.webhooks.time.iter().flat_map(Text::expressions).map(|expression| &expression.from).collect();
        for part in &self.webhooks.dedup.key {
            match part.expressions().any(|expression| of_time.contains(&&expression.from)) {
                true => drop(self.say(part, A_TIME, &mut event, &mut headers)?),
                false => says_which |= self.say(part, id, &mut event, &mut headers)?,
            }
        }
        if !says_which {
            return None;
        }
        let document = match &self.webhooks.events_at {
            Some(at) => within(at.steps(), event)?,
            None => event,
        };
        let document = self.held(document)?;
        let (content_type, text) = match &self.webhooks.body {
            Payload::Json => ("application/json", document.to_string()),
            Payload::Form | Payload::FormNested => {
                let fields = document.as_object()?.iter();
                let pair = |(name, value): (&String, &Json)| Some(format!("{name}={}", value.as_str()?));
                ("application/x-www-form-urlencoded", fields.map(pair).collect::<Option<Vec<_>>>()?.join("&"))
            }
            Payload::FormJson(name) => {
                ("application/x-www-form-urlencoded", format!("{}={}", percent(name), percent(&document.to_string())))
            }
            Payload::Xml => ("application/xml", xml(&document)?),
        };
        headers.insert("content-type".to_owned(), content_type.to_owned());
        Some(CaseRequest {
            method: "POST".to_owned(),
            path: self.path.to_owned(),
            headers,
            body: None,
            text: Some(text),
            signed: Some(Signing { by, seconds_ago }),
        })
    }

    /// Has the event say something where a text of the manifest looks for it, unless it says something there already. Whether it did.
    fn say(
        &self,
        looked_for: &Text,
        says: &str,
        event: &mut Json,
        headers: &mut BTreeMap<String, String>,
    ) -> Option<bool> {
        let mut has_said = false;
        for expression in looked_for.expressions() {
            match &expression.from {
                Reference::Body(at) => has_said |= put(event, at, says)?,
                Reference::Header(name) => has_said |= headers.insert(name.to_lowercase(), says.to_owned()).is_none(),
                _ => {}
            }
        }
        Some(has_said)
    }

    /// The document with what the provider's calls hold, whatever they tell.
    fn held(&self, mut document: Json) -> Option<Json> {
        for way in &self.webhooks.verify {
            if let Verification::BodyHolds { at, value } = way {
                put(&mut document, at, &self.service.case_text(value)?)?;
            }
        }
        for test in &self.webhooks.accept_when {
            put(&mut document, &test.at, &self.service.case_text(test.is.first()?)?)?;
        }
        let asks = self.webhooks.handshake.iter().any(|handshake| match handshake {
            Handshake::Ping(kind) => kind == KIND,
            Handshake::Echo { when, .. } => when.is_empty(),
            Handshake::Answers(_) => false,
        });
        (!asks).then_some(document)
    }
}

/// Puts a text into a document where nothing is yet; whether it did. None where there can be no such place.
fn put(document: &mut Json, at: &Pointer, says: &str) -> Option<bool> {
    if at.steps().is_empty() {
        return None;
    }
    let mut place = document;
    for step in at.steps() {
        let PathStep::Name(name) = step else { return None };
        // A number might be that of an item.
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        place = place.as_object_mut()?.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
    }
    if place.as_object().is_none_or(|members| !members.is_empty()) {
        return Some(false);
    }
    *place = Json::String(says.to_owned());
    Some(true)
}

/// As forms write it.
fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The document as one element; none where it is several.
fn xml(document: &Json) -> Option<String> {
    document.as_object().filter(|members| members.len() == 1)?;
    elements(document)
}

fn elements(of: &Json) -> Option<String> {
    let element = |(name, inside): (&String, &Json)| {
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let inside = elements(inside).filter(|_| is_name)?;
        Some(format!("<{name}>{inside}</{name}>"))
    };
    match of {
        Json::Object(members) => members.iter().map(element).collect(),
        Json::String(text) => Some(text.replace('&', "&amp;").replace('<', "&lt;")),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => None,
    }
}

/// A document in which the event stands there, alone.
fn within(steps: &[PathStep], event: Json) -> Option<Json> {
    let Some((first, rest)) = steps.split_first() else { return Some(event) };
    let inner = within(rest, event)?;
    Some(match first {
        PathStep::Name(name) => Json::Object(Map::from_iter([(name.clone(), inner)])),
        PathStep::Each => Json::Array(vec![inner]),
        PathStep::Where { .. } => return None,
    })
}
