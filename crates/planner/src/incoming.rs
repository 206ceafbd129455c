//! The calls of senders: what a task says of them becomes what an endpoint knows of them, or what is wrong with it.

use crate::codes::CALLS_UNSAID;
use crate::entity::Resolved;
use catalog::{Catalog, Sender};
use manifest::Text;
use manifest::pointer::{PathStep, Pointer};
use manifest::webhook::{
    Encoding, HashAlgorithm, Hmac, KeyForm, SignatureForm, SignedPart, Source, TimeUnit, Timestamp, Verification,
};
use plan::Hearing;
use plan::hearing::{ProofBy, secret_name};
use plan::shape::Shape;
use serde_json::{Map, Value as Json};
use spec::{
    ApiKind, Authentication, Endpoint, Incoming, KeyEncoding, Method, Reference, Signature, SignatureEncoding,
    SignatureHash, Spanned, closest,
};
use vocab::suggestion::list;
use vocab::{Diagnostic, EventName, FieldName, Place, PolicyName};

/// How far the time of a signature may be from ours where nothing is said, in seconds.
const TOLERANCE: u32 = 300;
/// What keeps the calls of which nobody says what becomes of them.
pub const ENTITY: &str = "webhook_event";
/// What such an event is called in examples, where the task names no type.
const KIND: &str = "something.happened";
/// What tells the call of an example apart.
const CALL: &str = "evt_8f3c";

/// What is wrong with who calls the endpoint, before it is known what it does.
pub fn check(endpoint: &Endpoint, kind: ApiKind) -> Option<Diagnostic> {
    let said = |message: String, help: &str, place: &Place| {
        Some(Diagnostic::error(CALLS_UNSAID, message, place).with_help(help))
    };
    let subject = format!("{} {}", endpoint.method, endpoint.path);
    let is_signed = endpoint.authentication == Authentication::Signature;
    let by = endpoint.authentication_place.as_ref().unwrap_or(&endpoint.place);
    match (kind, &endpoint.webhook) {
        (ApiKind::Webhook, None) => said(
            format!("nothing says who calls `{subject}`, and how that is proved"),
            "add `webhook: { sender: standard_webhooks, secret: \"${env:WEBHOOK_SECRET}\" }`",
            &endpoint.place,
        ),
        (ApiKind::Rest | ApiKind::GraphQl, Some(webhook)) => said(
            format!("`{subject}` is called by a sender, and the API is none for senders"),
            "give it a task of its own, with `type: \"webhook\"`",
            &webhook.place,
        ),
        (ApiKind::Rest | ApiKind::GraphQl, None) if is_signed => said(
            format!("nothing says what `{subject}` is signed with"),
            "`authentication: \"signature\"` is for APIs with `type: \"webhook\"`",
            by,
        ),
        (ApiKind::Rest | ApiKind::GraphQl, None) => None,
        (ApiKind::Webhook, Some(_)) if !is_signed => said(
            format!("the sender of `{subject}` proves its calls itself"),
            "write `authentication: \"signature\"`",
            by,
        ),
        (ApiKind::Webhook, Some(_)) if endpoint.method != Method::Post => {
            said(format!("senders call with POST, and `{subject}` is another method"), "write `method: \"POST\"`", by)
        }
        (ApiKind::Webhook, Some(_)) => {
            let behavior = endpoint.behavior.as_ref()?;
            let message = format!("`{subject}` keeps what a sender tells, and does nothing else");
            said(message, "leave `behavior` out", &behavior.place)
        }
    }
}

/// What the endpoint knows of the calls of its sender, and the events that some types are here besides.
pub struct Heard {
    pub hearing: Hearing,
    pub emits: Vec<(String, EventName)>,
    /// A call, as its sender could send it.
    pub example: Json,
}

/// The same for an endpoint of which `shape` is what its calls are checked against.
///
/// # Errors
/// What nobody can make sense of.
pub fn heard(
    endpoint: &Endpoint,
    webhook: &Incoming,
    resolved: &Resolved,
    shape: &Shape,
    failures: &PolicyName,
    catalog: &Catalog,
) -> Result<Heard, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let proof = proof(webhook, catalog).map_err(|problem| problems.push(problem)).ok();
    let mut source = |text: &Option<Spanned<String>>| {
        let text = text.as_ref()?;
        source(text).map_err(|problem| problems.push(problem)).ok()
    };
    let (id, kind) = (source(&webhook.id), source(&webhook.kind));
    let data = match source(&webhook.data) {
        Some(Source::Body(pointer)) => pointer,
        Some(Source::Header(_) | Source::Says(_)) => {
            let place = webhook.data.as_ref().map_or(&webhook.place, |data| &data.place);
            problems.push(wrong("`data` is a part of the body".to_owned(), "write `data: /data`", place));
            Pointer::default()
        }
        None => Pointer::default(),
    };
    let sender = webhook.sender.as_ref().and_then(|name| catalog.sender(&name.value));
    let id = id.or_else(|| sender.map(|sender| sender.id.clone()));
    let kind = kind.or_else(|| sender.map(|sender| sender.kind.clone()));
    if let (None, Some((first, _))) = (&kind, webhook.accepts.first()) {
        let message = "`accepts` names types, and nothing says where the type stands".to_owned();
        problems.push(wrong(message, "add `type: /type`, or `type: header:X-Event-Type`", &first.place));
    }
    let places = Places { endpoint, webhook, data, id: id.as_ref(), kind: kind.as_ref() };
    let fields = places.of(shape).map_err(|found| problems.extend(found)).unwrap_or_default();
    let (Some((title, way)), true) = (proof, problems.is_empty()) else { return Err(problems) };
    let secret = |reference: &Spanned<Reference>| match &reference.value {
        Reference::Environment(name) => name.to_string(),
        Reference::Secret(name) => name.to_string(),
    };
    let proofs = webhook.secrets.iter().map(secret).map(|secret| ProofBy { way: with_secret(&way, &secret), secret });
    let accepts: Vec<String> = webhook.accepts.iter().map(|(kind, _)| kind.value.clone()).collect();
    let emits =
        webhook.accepts.iter().filter_map(|(kind, event)| Some((kind.value.clone(), event.as_ref()?.value.clone())));
    let hearing = Hearing {
        title,
        proofs: proofs.collect(),
        id,
        kind,
        accepts,
        fields,
        shape: shape.clone(),
        failures: failures.clone(),
    };
    let example = example(&hearing, resolved);
    Ok(Heard { emits: emits.collect(), hearing, example })
}

fn wrong(message: String, help: &str, place: &Place) -> Diagnostic {
    Diagnostic::error(CALLS_UNSAID, message, place).with_help(help)
}

fn source(text: &Spanned<String>) -> Result<Source, Diagnostic> {
    let help = "write a place in the body (`/data/id`), or a header (`header:X-Event-Id`)";
    Source::parse(&text.value).map_err(|error| wrong(error.to_string(), help, &text.place))
}

/// Where what an endpoint keeps stands in a call.
struct Places<'a> {
    endpoint: &'a Endpoint,
    webhook: &'a Incoming,
    data: Pointer,
    id: Option<&'a Source>,
    kind: Option<&'a Source>,
}

impl Places<'_> {
    fn of(&self, shape: &Shape) -> Result<Vec<(FieldName, Source)>, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        for (name, _) in &self.webhook.fields {
            if !shape.fields.iter().any(|field| field.name == name.value) {
                let known: Vec<&str> = shape.fields.iter().map(|field| field.name.as_str()).collect();
                let help = match closest(name.value.as_str(), &known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("name it in `validation` too; known are {}", list(&known)),
                };
                problems.push(wrong(format!("nothing is kept as `{}`", name.value), &help, &name.place));
            }
        }
        let mut fields = Vec::new();
        for field in &shape.fields {
            let said = self.webhook.fields.iter().find(|(name, _)| name.value == field.name);
            let place = match said {
                Some((_, text)) => source(text),
                None => Ok(self.own(&field.name)),
            };
            match place {
                Ok(place) => fields.push((field.name.clone(), place)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(fields) } else { Err(problems) }
    }

    /// Where a field stands of which nothing is said.
    fn own(&self, name: &FieldName) -> Source {
        let says = |text: &str| Source::Says(text.to_owned());
        let is_of_all = self.endpoint.entity.is_none();
        match name.as_str() {
            "endpoint" if is_of_all => says(self.endpoint.path.as_str()),
            "event_id" if is_of_all => self.id.cloned().unwrap_or_else(|| says("")),
            "event_type" if is_of_all => self.kind.cloned().unwrap_or_else(|| says("")),
            "payload" if is_of_all => Source::Body(Pointer::default()),
            name => {
                let text = format!("{}/{name}", self.data);
                Source::Body(Pointer::parse(&text).expect("a place and the name of a field"))
            }
        }
    }
}

/// The proof, and whose it is.
fn proof(webhook: &Incoming, catalog: &Catalog) -> Result<(String, Verification), Diagnostic> {
    let (title, mut way) = match (&webhook.sender, &webhook.signature, &webhook.token) {
        (Some(name), ..) => {
            let Sender { title, proof, .. } = catalog.sender(&name.value).ok_or_else(|| unknown(name, catalog))?;
            (title.clone(), proof.clone())
        }
        (None, Some(signature), _) => ("the sender".to_owned(), Verification::Hmac(hmac(signature)?)),
        (None, None, Some(header)) => {
            let name = header_name(header)?;
            ("the sender".to_owned(), Verification::FixedHeader { name, value: secret_text("secret") })
        }
        (None, None, None) => {
            return Err(wrong(
                "nothing says how calls are proved".to_owned(),
                "add `sender: standard_webhooks`, or `signature: { header: \"X-Signature\" }`, or `token: \"X-Token\"`",
                &webhook.place,
            ));
        }
    };
    let Some(seconds) = &webhook.tolerance else { return Ok((title, way)) };
    if let Verification::Hmac(Hmac { timestamp: Some(rule), .. }) = &mut way {
        rule.past_seconds = Some(seconds.value);
        rule.future_seconds = Some(seconds.value);
        return Ok((title, way));
    }
    Err(wrong(
        "`tolerance` is about a time, and none is signed".to_owned(),
        "leave it out, or write `timestamp_header` and `signed: \"{timestamp}.{body}\"`",
        &seconds.place,
    ))
}

fn unknown(name: &Spanned<String>, catalog: &Catalog) -> Diagnostic {
    let known: Vec<&str> = catalog.senders().collect();
    let help = match closest(&name.value, &known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known are {}; for any other write `signature: {{ header: \"X-Signature\" }}`", list(&known)),
    };
    wrong(format!("how `{}` proves its calls is not known", name.value), &help, &name.place)
}

fn header_name(text: &Spanned<String>) -> Result<String, Diagnostic> {
    let help = "write its name alone: `X-Signature`";
    match Source::parse(&format!("header:{}", text.value)) {
        Ok(Source::Header(name)) => Ok(name),
        Ok(_) => Err(wrong(format!("`{}` is no name of a header", text.value), help, &text.place)),
        Err(error) => Err(wrong(error.to_string(), help, &text.place)),
    }
}

fn hmac(signature: &Signature) -> Result<Hmac, Diagnostic> {
    let signed = match &signature.signed {
        Some(text) => signed(text)?,
        None => vec![SignedPart::Body],
    };
    let time = signature.timestamp_header.as_ref();
    if signed.contains(&SignedPart::Timestamp) != time.is_some() {
        let place = signature.signed.as_ref().or(time).map_or(&signature.place, |text| &text.place);
        let message = "a time counts only where it is signed, and is signed only where a header holds it".to_owned();
        let help = "write `timestamp_header` and `{timestamp}` in `signed`, or neither";
        return Err(wrong(message, help, place));
    }
    let timestamp = time.map(|header| {
        Ok(Timestamp {
            header: Some(header_name(header)?),
            unit: TimeUnit::Seconds,
            past_seconds: Some(TOLERANCE),
            future_seconds: Some(TOLERANCE),
        })
    });
    Ok(Hmac {
        algorithm: match signature.algorithm.value {
            SignatureHash::Sha256 => HashAlgorithm::Sha256,
            SignatureHash::Sha1 => HashAlgorithm::Sha1,
            SignatureHash::Sha512 => HashAlgorithm::Sha512,
        },
        key: secret_text("secret"),
        key_form: match signature.key.value {
            KeyEncoding::Text => KeyForm::Text,
            KeyEncoding::Base64 => KeyForm::Base64,
        },
        header: header_name(&signature.header)?,
        form: match &signature.prefix {
            Some(prefix) => SignatureForm::Behind(prefix.value.clone()),
            None => SignatureForm::Plain,
        },
        encoding: match signature.encoding.value {
            SignatureEncoding::Hex => Encoding::Hex,
            SignatureEncoding::Base64 => Encoding::Base64,
        },
        signed,
        timestamp: timestamp.transpose()?,
        body_digest_parameter: None,
        port_either_way: false,
    })
}

/// `{timestamp}.{body}` as its parts.
fn signed(text: &Spanned<String>) -> Result<Vec<SignedPart>, Diagnostic> {
    let help = "write `{body}`, `{timestamp}`, `{header:NAME}` and text between them";
    let refused = |what: String| wrong(what, help, &text.place);
    let mut parts = Vec::new();
    let mut rest = text.value.as_str();
    while !rest.is_empty() {
        let Some((before, behind)) = rest.split_once('{') else {
            parts.push(SignedPart::Text(rest.to_owned()));
            break;
        };
        if !before.is_empty() {
            parts.push(SignedPart::Text(before.to_owned()));
        }
        let closed = behind.split_once('}');
        let (name, behind) = closed.ok_or_else(|| refused("a `{` has no `}`".to_owned()))?;
        parts.push(match name {
            "body" => SignedPart::Body,
            "timestamp" => SignedPart::Timestamp,
            name => match Source::parse(name) {
                Ok(Source::Header(name)) => SignedPart::Header(name),
                Ok(_) | Err(_) => return Err(refused(format!("`{{{name}}}` is nothing that is signed"))),
            },
        });
        rest = behind;
    }
    if parts.contains(&SignedPart::Body) {
        Ok(parts)
    } else {
        Err(refused("the body is not signed, so anybody could change it".to_owned()))
    }
}

fn secret_text(name: &str) -> Text {
    Text::parse(&format!("${{credential.{name}}}")).expect("a credential's name")
}

/// The proof by a secret of that name.
fn with_secret(way: &Verification, secret: &str) -> Verification {
    let text = secret_text(&secret_name(secret));
    match way.clone() {
        Verification::Hmac(hmac) => Verification::Hmac(Hmac { key: text, ..hmac }),
        Verification::FixedHeader { name, .. } => Verification::FixedHeader { name, value: text },
        other => other,
    }
}

/// A call as its sender could send it: every field where it stands, as far as it stands in the body.
fn example(hearing: &Hearing, resolved: &Resolved) -> Json {
    let mut document = Json::Object(Map::new());
    let kind = hearing.accepts.first().map_or(KIND, String::as_str);
    for (source, says) in [(&hearing.id, CALL), (&hearing.kind, kind)] {
        if let Some(Source::Body(pointer)) = source {
            put(&mut document, pointer, says.into());
        }
    }
    for (name, source) in &hearing.fields {
        let field = resolved.asked.iter().find(|field| field.name == *name);
        if let (Source::Body(pointer), Some(field)) = (source, field) {
            put(&mut document, pointer, field.example_value().to_json());
        }
    }
    document
}

/// Puts a value where nothing is yet, as far as there can be such a place.
fn put(document: &mut Json, at: &Pointer, says: Json) {
    let mut place = document;
    for step in at.steps() {
        let PathStep::Name(name) = step else { return };
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
    }
    if !at.steps().is_empty() && place.as_object().is_some_and(Map::is_empty) {
        *place = says;
    }
}
