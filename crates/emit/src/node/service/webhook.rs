//! What the provider tells us: how its calls are known, and what each kind of event is in our words.

use super::expression::Place;
use super::intake::function_name;
use super::operation::tests;
use super::{Members, Module, Script, Written, beyond, number, text, texts};
use crate::node::script::Expression;
use manifest::Text;
use manifest::kind::Kind;
use manifest::webhook::{
    Certificate, Encoding, Handshake, HashAlgorithm, Hmac, KeyForm, Payload, ProviderEvent, SignatureForm, SignedPart,
    TimeUnit, Timestamp, Verification, Webhooks,
};
use plan::procedure::Procedure;
use plan::service::Intake;

impl Module<'_> {
    pub(super) fn webhooks(&mut self, script: &mut Script, webhooks: &Webhooks, intake: &Intake) -> Written<()> {
        if webhooks.then_read.is_some() {
            return beyond("read what has happened when the provider rings");
        }
        self.verification(script, webhooks)?;
        let mut members = Members::default();
        members.add("path", text(&intake.path));
        members.add("maxBodyBytes", number(intake.max_body_bytes));
        members.add("body", payload(&webhooks.body));
        members.add("verify", Expression::text("verifyWebhook"));
        let brought = webhooks.verify.iter().filter_map(|way| self.brought(way).transpose());
        let brought: Vec<Expression> = brought.collect::<Written<_>>()?;
        members.maybe("proofs", (!brought.is_empty()).then_some(Expression::Array(brought)));
        let held = webhooks.verify.iter().filter_map(|way| match way {
            Verification::BodyHolds { at, value } => Some(self.told(value).map(|value| {
                Expression::Object(vec![("at".to_owned(), text(&at.to_string())), ("value".to_owned(), value)])
            })),
            _ => None,
        });
        let held: Vec<Expression> = held.collect::<Written<_>>()?;
        members.maybe("bodyHolds", (!held.is_empty()).then_some(Expression::Array(held)));
        if !webhooks.handshake.is_empty() {
            let all = webhooks.handshake.iter().map(|handshake| self.handshake(handshake)).collect::<Written<_>>()?;
            members.add("handshake", Expression::Array(all));
        }
        members
            .maybe("acceptWhen", (!webhooks.accept_when.is_empty()).then(|| tests(&webhooks.accept_when)).transpose()?);
        members.maybe("eventsAt", webhooks.events_at.as_ref().map(|pointer| text(&pointer.to_string())));
        let key = self.writer.function(|writer| {
            let parts = webhooks.dedup.key.iter().map(|part| writer.text(part, Place::Plain));
            Ok(Expression::Array(parts.collect::<Written<_>>()?))
        });
        members.add("dedup", key?);
        members.add("keepDays", number(u64::from(webhooks.dedup.keep_days)));
        members.add("kind", self.told(&webhooks.kind)?);
        members.maybe("time", webhooks.time.as_ref().map(|time| self.told(time)).transpose()?);
        members.add("acknowledge", self.acknowledge(webhooks)?);
        let events = webhooks.events.iter().zip(&intake.procedures);
        let events = events.map(|(event, becomes)| self.event(event, becomes.as_ref())).collect::<Written<_>>()?;
        members.add("events", Expression::Array(events));
        script.blank();
        let title = &self.manifest.provider.title;
        script.line(&format!("/** What {title} tells: of several entries the first that fits decides. */"));
        script.statement("const webhooks = ", &Expression::Lines(members.0));
        Ok(())
    }

    fn told(&mut self, of: &Text) -> Written<Expression> {
        self.writer.function(|writer| writer.text(of, Place::Plain))
    }

    fn verification(&mut self, script: &mut Script, webhooks: &Webhooks) -> Written<()> {
        self.writer.take_roots();
        let mut checks = Vec::new();
        for way in &webhooks.verify {
            checks.extend(self.check(way)?);
        }
        let roots = self.writer.take_roots();
        let title = &self.manifest.provider.title;
        script.blank();
        script.line("/**");
        script.line(&format!(
            " * Whether a call is {title}'s: over its bytes as they came. Throws a `Stranger` with the reason."
        ));
        script.line(" * @param {import('../lib/provider/signature.js').Call} call");
        script.line(" */");
        let scope = (!roots.is_empty()).then(|| format!("scope: {{ {} }}", roots.join(", ")));
        let is_brought = |way: &Verification| matches!(way, Verification::Certificate(_) | Verification::Ask { .. });
        let proofs = webhooks.verify.iter().any(is_brought).then(|| "proofs".to_owned());
        let given: Vec<String> = scope.into_iter().chain(proofs).collect();
        let scope = if given.is_empty() { String::new() } else { format!(", {{ {} }}", given.join(", ")) };
        script.open(&format!("export function verifyWebhook(call{scope}) {{"));
        checks.iter().for_each(|check| script.statement("", check));
        script.close("}");
        Ok(())
    }

    /// Nothing where the body has to be read first.
    fn check(&mut self, way: &Verification) -> Written<Option<Expression>> {
        let call = || Expression::text("call");
        let (function, arguments) = match way {
            Verification::Hmac(hmac) => ("verifyHmac", vec![call(), self.hmac(hmac)?]),
            Verification::Digest(digest) => {
                let mut members = Members::default();
                members.add("algorithm", text(algorithm(digest.algorithm)));
                members.add("secret", self.writer.text(&digest.secret, Place::Plain)?);
                members.add("header", text(&digest.header));
                members.add("encoding", text(encoding(digest.encoding)));
                members.add("signed", self.signed(&digest.signed)?);
                ("verifyDigest", vec![call(), members.object()])
            }
            Verification::PublicKey(key) => {
                let mut members = Members::default();
                members.add("key", self.writer.text(&key.key, Place::Plain)?);
                members.add("header", text(&key.header));
                members.add("signed", self.signed(&key.signed)?);
                members.maybe("timestamp", key.timestamp.as_ref().map(timestamp));
                ("verifyPublicKey", vec![call(), members.object()])
            }
            Verification::FixedHeader { name, value } => {
                ("verifyHeader", vec![call(), text(name), self.writer.text(value, Place::Plain)?])
            }
            Verification::Basic { user, password } => {
                let pair = [user, password].map(|of| self.writer.text(of, Place::Plain));
                let [user, password] = pair;
                ("verifyBasic", vec![call(), user?, password?])
            }
            Verification::SecretPath(_) => {
                let secret = manifest::reference::Reference::Webhook(manifest::reference::WebhookValue::Secret);
                ("verifySecretPath", vec![call(), Expression::text(self.writer.reference(&secret)?)])
            }
            Verification::BodyHolds { .. } => return Ok(None),
            Verification::Certificate(way) => {
                let mut members = Members::default();
                members.add("algorithm", text(way.algorithm.as_str()));
                members.add("header", text(&way.header));
                certificate_url(way, &mut members);
                members.add("signed", self.signed(&way.signed)?);
                let brought = Expression::text("proofs.certificate");
                ("verifyCertificate", vec![call(), brought, members.object()])
            }
            Verification::Ask { .. } => ("mustBeConfirmed", vec![Expression::text("proofs.isConfirmed")]),
        };
        self.writer.import(function);
        Ok(Some(Expression::call(function, arguments)))
    }

    /// What has to be brought from elsewhere before the call is looked at.
    fn brought(&mut self, way: &Verification) -> Written<Option<Expression>> {
        let mut members = Members::default();
        match way {
            Verification::Certificate(way) => {
                let mut url = Members::default();
                certificate_url(way, &mut url);
                members.add("certificate", url.object());
            }
            Verification::Ask { operation, input } => {
                members.add("ask", Expression::text(&self.functions[operation.as_str()]));
                let given = self.writer.function(|writer| {
                    let fields = input.iter();
                    let fields =
                        fields.map(|(name, given)| Ok((name.to_string(), writer.document(given, Place::Plain)?)));
                    Ok(Expression::Object(fields.collect::<Written<_>>()?))
                });
                members.add("input", given?);
            }
            Verification::Hmac(_)
            | Verification::Digest(_)
            | Verification::PublicKey(_)
            | Verification::FixedHeader { .. }
            | Verification::Basic { .. }
            | Verification::BodyHolds { .. }
            | Verification::SecretPath(_) => return Ok(None),
        }
        Ok(Some(members.object()))
    }

    fn hmac(&mut self, hmac: &Hmac) -> Written<Expression> {
        let key = self.writer.text(&hmac.key, Place::Plain)?;
        let signed = self.signed(&hmac.signed)?;
        Ok(keyed_digest(hmac, Some(key), signed))
    }

    fn signed(&mut self, parts: &[SignedPart]) -> Written<Expression> {
        let part = |part: &SignedPart| match part {
            SignedPart::Value(value) => Ok(named("value", self.writer.text(value, Place::Plain)?)),
            part => signed_part(part).map_or_else(|| beyond("sign that"), Ok),
        };
        Ok(Expression::Array(parts.iter().map(part).collect::<Written<_>>()?))
    }

    fn handshake(&mut self, handshake: &Handshake) -> Written<Expression> {
        let mut members = Members::default();
        match handshake {
            Handshake::Answers(method) => members.add("answers", text(method.as_str())),
            Handshake::Ping(kind) => members.add("ping", text(kind)),
            Handshake::Echo { when, answer } => {
                members.add("when", tests(when)?);
                members.add("answer", self.writer.function(|writer| writer.document(answer, Place::Plain))?);
            }
        }
        Ok(members.object())
    }

    fn acknowledge(&mut self, webhooks: &Webhooks) -> Written<Expression> {
        let wanted = &webhooks.acknowledge;
        let mut members = Members::default();
        members.add("status", Expression::text(wanted.status.to_string()));
        members.maybe("mediaType", wanted.media_type.as_ref().map(|kind| text(kind)));
        members.maybe("body", wanted.body.as_ref().map(|body| self.told(body)).transpose()?);
        Ok(members.object())
    }

    fn event(&mut self, event: &ProviderEvent, becomes: Option<&Procedure>) -> Written<Expression> {
        let mut members = Members::default();
        members.add("kinds", texts(&event.kinds));
        members.maybe("when", (!event.when.is_empty()).then(|| tests(&event.when)).transpose()?);
        let Some(procedure) = becomes else {
            members.add("ignored", text(event.ignored.as_deref().unwrap_or("it means nothing to us")));
            return Ok(Expression::Lines(members.0));
        };
        members.add("becomes", text(&function_name(procedure)));
        let required = event.fields.iter().filter(|(_, given)| given.required).map(|(name, _)| text(name.as_str()));
        members.add("required", Expression::Array(required.collect()));
        let times = event.fields.iter().filter(|(_, given)| given.kind == Kind::Timestamp);
        let times: Vec<Expression> = times.map(|(name, _)| text(name.as_str())).collect();
        members.maybe("times", (!times.is_empty()).then_some(Expression::Array(times)));
        let fields = self.writer.function(|writer| {
            let all = event.fields.iter();
            let all = all.map(|(name, given)| Ok((name.to_string(), writer.text(&given.value, Place::Plain)?)));
            Ok(Expression::Object(all.collect::<Written<_>>()?))
        });
        members.add("fields", fields?);
        if !event.remember.is_empty() {
            let kept = self.writer.function(|writer| {
                let all = event.remember.iter();
                let all = all.map(|(name, value)| Ok((name.to_string(), writer.text(value, Place::Plain)?)));
                Ok(Expression::Object(all.collect::<Written<_>>()?))
            });
            members.add("remember", kept?);
        }
        Ok(Expression::Lines(members.0))
    }
}

/// A keyed digest; without a key, where that comes from elsewhere.
fn keyed_digest(hmac: &Hmac, key: Option<Expression>, signed: Expression) -> Expression {
    let mut members = Members::default();
    members.add("algorithm", text(algorithm(hmac.algorithm)));
    members.maybe("key", key);
    match &hmac.key_form {
        KeyForm::Text => {}
        KeyForm::Base64 => members.add("keyForm", text("base64")),
        KeyForm::Base64Behind(before) => {
            members.add("keyForm", text("base64"));
            members.add("keyBehind", text(before));
        }
    }
    members.add("header", text(&hmac.header));
    match &hmac.form {
        SignatureForm::Plain => {}
        SignatureForm::Behind(mark) => {
            members.add("form", Expression::Object(vec![("behind".to_owned(), text(mark))]));
        }
        SignatureForm::Versions(version) => {
            members.add("form", Expression::Object(vec![("version".to_owned(), text(version))]));
        }
        SignatureForm::Pairs { signature, timestamp } => {
            let mut pairs = Members::default();
            pairs.add("signature", text(signature));
            pairs.maybe("timestamp", timestamp.as_ref().map(|name| text(name)));
            members.add("form", Expression::Object(vec![("pairs".to_owned(), pairs.object())]));
        }
    }
    members.add("encoding", text(encoding(hmac.encoding)));
    members.add("signed", signed);
    members.maybe("timestamp", hmac.timestamp.as_ref().map(timestamp));
    members.maybe("bodyDigestParameter", hmac.body_digest_parameter.as_ref().map(|name| text(name)));
    members.maybe("portEitherWay", hmac.port_either_way.then(|| Expression::text("true")));
    members.object()
}

/// How a sender that an endpoint knows proves its calls; nothing where only a provider can.
pub fn proof_of_sender(way: &Verification) -> Option<Expression> {
    match way {
        Verification::Hmac(hmac) => {
            let signed: Option<Vec<Expression>> = hmac.signed.iter().map(signed_part).collect();
            Some(named("hmac", keyed_digest(hmac, None, Expression::Array(signed?))))
        }
        Verification::FixedHeader { name, .. } => Some(named("header", text(name))),
        _ => None,
    }
}

fn named(name: &str, value: Expression) -> Expression {
    Expression::Object(vec![(name.to_owned(), value)])
}

/// A piece of what is signed; nothing where it is a value of an account.
fn signed_part(part: &SignedPart) -> Option<Expression> {
    Some(match part {
        SignedPart::Body => text("body"),
        SignedPart::Url => text("url"),
        SignedPart::Method => text("method"),
        SignedPart::Timestamp => text("timestamp"),
        SignedPart::SortedParameters => text("sorted_parameters"),
        SignedPart::Secret => text("secret"),
        SignedPart::Crc32OfBody => text("crc32_of_body"),
        SignedPart::Text(literal) => named("text", text(literal)),
        SignedPart::Header(name) => named("header", text(name)),
        SignedPart::Value(_) => return None,
    })
}

/// Where the certificate is, and in whose domains it must lie.
fn certificate_url(way: &Certificate, members: &mut Members) {
    members.add("urlHeader", text(&way.certificate_url_header));
    members.add("within", texts(&way.within));
}

fn payload(payload: &Payload) -> Expression {
    match payload {
        Payload::Json => text("json"),
        Payload::Form => text("form"),
        Payload::FormNested => text("form_nested"),
        Payload::FormJson(name) => Expression::Object(vec![("formJson".to_owned(), text(name))]),
        Payload::Xml => text("xml"),
    }
}

fn algorithm(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "sha1",
        HashAlgorithm::Sha256 => "sha256",
        HashAlgorithm::Sha512 => "sha512",
    }
}

fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    }
}

fn timestamp(rule: &Timestamp) -> Expression {
    let mut members = Members::default();
    members.maybe("header", rule.header.as_ref().map(|name| text(name)));
    let unit = match rule.unit {
        TimeUnit::Seconds => "seconds",
        TimeUnit::Milliseconds => "milliseconds",
    };
    members.add("unit", text(unit));
    members.maybe("past", rule.past_seconds.map(number));
    members.maybe("future", rule.future_seconds.map(number));
    members.object()
}
