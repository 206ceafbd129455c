//! What must hold in `webhooks.yaml`.

use super::place::{At, Findings, ManifestFile, Rule};
use super::point::given;
use super::provider::{names_secret_of_webhook, tests};
use super::scope::{Scope, required};
use crate::Manifest;
use crate::kind::Privacy;
use crate::template::Text;
use crate::webhook::{
    Certificate, Handshake, Hmac, ProviderEvent, Registration, SignatureForm, SignedPart, ThroughApi, Timestamp,
    Verification, Webhooks,
};

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let Some(webhooks) = &manifest.webhooks else { return };
    let at = At::file(ManifestFile::Webhooks);
    verification(manifest, &at.to("verify"), webhooks, findings);
    registration(manifest, &at.to("registration"), &webhooks.registration, findings);
    let body = Scope::new(manifest, "in a webhook").with_account().with_body();
    for (number, handshake) in webhooks.handshake.iter().enumerate() {
        if let Handshake::Echo { when, answer } = handshake {
            let place = at.to("handshake").to(number).to("echo");
            tests(&place.to("when"), when, &body, findings);
            body.template(&place.to("answer"), answer, findings);
        }
    }
    tests(&at.to("accept_when"), &webhooks.accept_when, &body, findings);
    if webhooks.dedup.key.is_empty() || webhooks.dedup.keep_days == 0 {
        let help =
            "write what is the same in an event that comes twice: `key: [\"${body/id}\"]`, and for how many days";
        findings.add(&at.to("dedup"), Rule::Contradiction, "an event that comes twice would count twice", help);
    }
    for (number, key) in webhooks.dedup.key.iter().enumerate() {
        body.text(&at.to("dedup").to("key").to(number), key, findings);
    }
    body.text(&at.to("kind"), &webhooks.kind, findings);
    if let Some(time) = &webhooks.time {
        body.text(&at.to("time"), time, findings);
    }
    acknowledgement(&at.to("acknowledge"), webhooks, &body, findings);
    read_then(manifest, &at.to("then_read"), webhooks, findings);
    events(manifest, &at.to("events"), &webhooks.events, &body, findings);
}

fn verification(manifest: &Manifest, at: &At, webhooks: &Webhooks, findings: &mut Findings) {
    if webhooks.verify.is_empty() {
        let help = "add what the provider signs with, or `secret_path` with the reason why there is nothing better";
        findings.add(at, Rule::Contradiction, "anybody could send such a webhook", help);
    }
    let scope = Scope::new(manifest, "where a webhook is verified").with_account().with_webhook();
    for (number, way) in webhooks.verify.iter().enumerate() {
        let place = at.to(number);
        let key = match way {
            Verification::Hmac(hmac) => {
                signed(&place.to("hmac"), &hmac.signed, hmac.timestamp.as_ref(), &scope, findings);
                times(&place.to("hmac"), hmac, findings);
                Some((place.to("hmac").to("key"), &hmac.key))
            }
            Verification::Digest(digest) => {
                signed(&place.to("digest"), &digest.signed, None, &scope, findings);
                if !digest.signed.contains(&SignedPart::Secret) {
                    let message = "without the secret in it anybody can make such a digest";
                    findings.add(&place.to("digest").to("signed"), Rule::Contradiction, message, "add `secret`");
                }
                Some((place.to("digest").to("secret"), &digest.secret))
            }
            Verification::PublicKey(public) => {
                signed(&place.to("public_key"), &public.signed, public.timestamp.as_ref(), &scope, findings);
                Some((place.to("public_key").to("key"), &public.key))
            }
            Verification::Certificate(certificate) => {
                self::certificate(&place.to("certificate"), certificate, &scope, findings);
                None
            }
            Verification::FixedHeader { value, .. } => Some((place.to("fixed_header").to("value"), value)),
            Verification::Basic { user, password } => {
                scope.text(&place.to("basic").to("user"), user, findings);
                Some((place.to("basic").to("password"), password))
            }
            Verification::BodyHolds { value, .. } => Some((place.to("body_holds").to("value"), value)),
            Verification::SecretPath(_) => None,
            Verification::Ask { operation, input } => {
                let known = manifest.operations.names();
                let place = place.to("ask");
                if findings.must_be_known(&place.to("operation"), "operation", operation.as_str(), &known) {
                    let with_body = scope.clone().with_body();
                    for (name, value) in input.iter() {
                        with_body.template(&place.to("input").to(name), value, findings);
                    }
                    if let Some(asked) = manifest.operations.get(operation.as_str()) {
                        required(&place, &format!("`{operation}`"), &asked.input, &input.names(), findings);
                    }
                }
                None
            }
        };
        if let Some((place, key)) = key {
            scope.text(&place, key, findings);
            kept(&place, key, &webhooks.registration, findings);
        }
    }
}

/// A secret that the provider shows when our address is entered must be kept then.
fn kept(at: &At, key: &Text, registration: &Registration, findings: &mut Findings) {
    let keeps = matches!(registration, Registration::ThroughApi(ThroughApi { secret: Some(_), .. }));
    if names_secret_of_webhook(key) && !keeps {
        let message = "nothing keeps `webhook.secret`";
        let help = "name the field of the answer in `registration`, or make the secret a credential";
        findings.add(at, Rule::Reference, message, help);
    }
}

fn signed(at: &At, parts: &[SignedPart], timestamp: Option<&Timestamp>, scope: &Scope<'_>, findings: &mut Findings) {
    let place = at.to("signed");
    let covers_body =
        |part: &SignedPart| matches!(part, SignedPart::Body | SignedPart::SortedParameters | SignedPart::Crc32OfBody);
    if !parts.iter().any(covers_body) {
        let message = "the body is not signed, so anybody could change it";
        findings.add(&place, Rule::Contradiction, message, "add `body`");
    }
    for (number, part) in parts.iter().enumerate() {
        if let SignedPart::Value(value) = part {
            scope.text(&place.to(number).to("value"), value, findings);
        }
    }
    if timestamp.is_some() != parts.contains(&SignedPart::Timestamp) {
        let message = "a time is looked at only where it is signed, and signed only where it is looked at";
        findings.add(&place, Rule::Contradiction, message, "write `timestamp` in both places, or in neither");
    }
}

fn times(at: &At, hmac: &Hmac, findings: &mut Findings) {
    let Some(timestamp) = &hmac.timestamp else { return };
    let stands_with_it = matches!(&hmac.form, SignatureForm::Pairs { timestamp: Some(_), .. });
    if timestamp.header.is_some() == stands_with_it {
        let message = "the time stands in a header of its own, or with the signature";
        findings.add(&at.to("timestamp"), Rule::Contradiction, message, "add `header`, or `timestamp` to `pairs`");
    }
}

fn certificate(at: &At, certificate: &Certificate, scope: &Scope<'_>, findings: &mut Findings) {
    signed(at, &certificate.signed, None, scope, findings);
    if certificate.within.is_empty() {
        let message = "the call itself would say whose certificate proves it";
        findings.add(&at.to("within"), Rule::Contradiction, message, "add the domains that it may come from");
    }
}

fn registration(manifest: &Manifest, at: &At, registration: &Registration, findings: &mut Findings) {
    let Registration::ThroughApi(api) = registration else { return };
    let at = at.to("through_api");
    let known = manifest.operations.names();
    let operations = [
        ("list", Some(&api.list)),
        ("create", Some(&api.create)),
        ("update", api.update.as_ref()),
        ("delete", Some(&api.delete)),
        ("refresh", api.refresh.as_ref().map(|refresh| &refresh.operation)),
    ];
    for (member, operation) in operations {
        if let Some(operation) = operation {
            findings.must_be_known(&at.to(member), "operation", operation.as_str(), &known);
        }
    }
    let Some(create) = manifest.operations.get(api.create.as_str()) else { return };
    for (member, field) in [("id", Some(&api.id)), ("secret", api.secret.as_ref())] {
        let Some(field) = field else { continue };
        let what = format!("field of the answer of `{}`", api.create);
        findings.must_be_known(&at.to(member), &what, field.as_str(), &create.answer.names());
        let is_open = create.answer.get(field.as_str()).is_some_and(|field| field.privacy != Privacy::Secret);
        if member == "secret" && is_open {
            let message = format!("`{field}` of the answer is not declared as a secret");
            findings.add(&at.to(member), Rule::Privacy, message, "declare it with `privacy: secret`");
        }
    }
}

fn acknowledgement(at: &At, webhooks: &Webhooks, scope: &Scope<'_>, findings: &mut Findings) {
    let acknowledge = &webhooks.acknowledge;
    if !(200..300).contains(&acknowledge.status) {
        let message = format!("`{}` acknowledges nothing", acknowledge.status);
        findings.add(&at.to("status"), Rule::Contradiction, message, "write a status of 2xx");
    }
    if let Some(body) = &acknowledge.body {
        scope.text(&at.to("body"), body, findings);
    }
}

fn read_then(manifest: &Manifest, at: &At, webhooks: &Webhooks, findings: &mut Findings) {
    let Some(then) = &webhooks.then_read else { return };
    let known = manifest.operations.names();
    if findings.must_be_known(&at.to("operation"), "operation", then.operation.as_str(), &known) {
        let read = manifest.operations.get(then.operation.as_str());
        let inputs = read.map(|read| read.input.names()).unwrap_or_default();
        let what = format!("input of `{}`", then.operation);
        findings.must_be_known(&at.to("from"), &what, then.from.as_str(), &inputs);
        if read.is_some_and(|read| read.paging.is_none()) {
            let message = format!("`{}` has no pages, so nothing says where its items stand", then.operation);
            findings.add(&at.to("operation"), Rule::Contradiction, message, "give it `paging`");
        }
    }
}

fn remembered(manifest: &Manifest, at: &At, event: &ProviderEvent, scope: &Scope<'_>, findings: &mut Findings) {
    for (name, value) in event.remember.iter() {
        let place = at.to(name);
        let known = &manifest.points.remembers;
        if !findings.must_be_known(&place, "thing that is remembered", name.as_str(), &known.names()) {
            continue;
        }
        let Some(kept) = known.get(name.as_str()) else { continue };
        scope.text_of(&place, value, kept.kind, findings);
        if event.fields.get(kept.of.as_str()).is_none() {
            let message = format!("`{name}` is remembered of `{}`, which this event does not hold", kept.of);
            findings.add(&place, Rule::Name, message, format!("add `{}` to `fields`", kept.of));
        }
    }
}

fn events(manifest: &Manifest, at: &At, events: &[ProviderEvent], scope: &Scope<'_>, findings: &mut Findings) {
    let mut always: Vec<&str> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let place = at.to(number);
        tests(&place.to("when"), &event.when, scope, findings);
        match (&event.emits, &event.ignored) {
            (Some(_), None) => {}
            (None, Some(_)) if event.fields.is_empty() && event.about.is_none() => {}
            (None, Some(_)) => {
                let message = "what means nothing holds nothing";
                findings.add(&place, Rule::Contradiction, message, "leave `fields` and `about` out");
            }
            (Some(_), Some(_)) | (None, None) => {
                let help = "add `emits` with our event, or `ignored` with the reason";
                findings.add(&place, Rule::Contradiction, "an event is one of ours, or means nothing to us", help);
            }
        }
        if event.kinds.is_empty() {
            findings.add(&place.to("kinds"), Rule::Contradiction, "no event is meant", "name a kind of event");
        }
        for kind in &event.kinds {
            if always.contains(&kind.as_str()) {
                let message = format!("an entry above takes every `{kind}`");
                findings.add(&place.to("kinds"), Rule::Contradiction, message, "put this one before it");
            } else if event.when.is_empty() {
                always.push(kind);
            }
        }
        if let Some(about) = &event.about {
            scope.text(&place.to("about"), about, findings);
        }
        for (name, field) in event.fields.iter() {
            given(&place.to("fields").to(name), name, field, scope, findings);
        }
        remembered(manifest, &place.to("remember"), event, scope, findings);
    }
}
