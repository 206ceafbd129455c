//! The plan of a service as text that people read.

use crate::service::{ServicePlan, System, ValueSource};
use manifest::Template;
use manifest::operation::{Body, Idempotency, IfReplyIsLost, Operation, Request};
use manifest::point::{Calls, Point};
use manifest::webhook::{SignedPart, Verification, Webhooks};
use std::fmt::Write as _;

/// What is sent, when, and what comes in.
#[must_use]
pub fn service(plan: &ServicePlan) -> String {
    let mut text = String::new();
    let system = match plan.system {
        System::Live => "the live system",
        System::Test => "the test system",
        System::Simulated => "played on this machine",
    };
    let _ = writeln!(text, "account at {}, {system}", plan.manifest.provider.title);
    for value in &plan.account {
        let _ = writeln!(text, "  {}: {}", value.name, source(&value.from));
    }
    for name in &plan.unanswered {
        let _ = writeln!(text, "  {name}: not given");
    }
    if let Some(alerts) = &plan.alerts {
        let email = alerts.email.iter().map(|address| format!("a mail to `{address}`"));
        let webhook = alerts.webhook.iter().map(|webhook| format!("a message to {}", source(&webhook.url)));
        let told: Vec<String> = email.chain(webhook).collect();
        let _ = writeln!(
            text,
            "\nfails, needs attention or works again for {} s: {}",
            alerts.after_seconds,
            told.join(" and ")
        );
    }
    for (event, point) in plan.manifest.points.points.iter() {
        match point {
            Point::Nothing(why) | Point::InBrowser(why) => {
                let _ = writeln!(text, "\npoint {event}\n  nothing is sent: {why}");
            }
            Point::Calls(calls) => self::calls(&mut text, event.as_str(), calls),
        }
    }
    for (name, operation) in plan.manifest.operations.iter() {
        self::operation(&mut text, plan, name.as_str(), operation);
    }
    if let Some(webhooks) = &plan.manifest.webhooks {
        self::webhooks(&mut text, plan.manifest.provider.provider.as_str(), webhooks);
    }
    text
}

fn source(from: &ValueSource) -> String {
    match from {
        ValueSource::Plain(plain) => format!("`{plain}`"),
        ValueSource::Environment(name) => format!("${{env:{name}}}"),
        ValueSource::Secret(name) => format!("${{secret:{name}}}"),
        ValueSource::Default => "as the manifest says".to_owned(),
    }
}

fn calls(text: &mut String, event: &str, calls: &Calls) {
    let takes: Vec<String> = calls
        .takes
        .iter()
        .map(|(name, input)| {
            let mark = if input.required { "" } else { "?" };
            format!("{name}{mark}: {} ({})", input.kind.as_str(), input.privacy.as_str())
        })
        .collect();
    let _ = writeln!(text, "\npoint {event} takes {}", takes.join(", "));
    if let Some(order) = &calls.in_order_of {
        let _ = writeln!(text, "  one after the other for each {order}");
    }
    for call in &calls.steps {
        let unless = call.unless.iter().map(|value| format!(" unless {value}")).collect::<String>();
        let only_if = call.only_if.iter().map(|value| format!(" if {value}")).collect::<String>();
        let _ = writeln!(text, "  {}{unless}{only_if}", call.operation);
        for (name, value) in call.input.iter() {
            let _ = writeln!(text, "    {name}: {}", template(value));
        }
        for (name, value) in call.remember.iter() {
            let _ = writeln!(text, "    remember {name}: {value}");
        }
    }
    for (name, given) in calls.gives.iter() {
        let _ = writeln!(text, "  answers {name}: {}", given.value);
    }
}

fn operation(text: &mut String, plan: &ServicePlan, name: &str, operation: &Operation) {
    let hosts = &plan.manifest.provider.hosts;
    let _ = writeln!(text, "\n{} {name}: {}", operation.effect.as_str(), operation.does);
    match &operation.request {
        Request::Http(http) => {
            let host =
                http.host.as_ref().map_or_else(|| hosts.first().map(|(_, host)| host), |name| hosts.get(name.as_str()));
            let address = host.map(|host| match (plan.system, &host.sandbox) {
                (System::Test, Some(sandbox)) => sandbox.to_string(),
                (System::Test, None) | (System::Live | System::Simulated, _) => host.live.to_string(),
            });
            let address = address.unwrap_or_default();
            let _ = writeln!(text, "  {} {address}{}", http.method.as_str(), http.path);
            for (name, value) in http.query.iter() {
                let _ = writeln!(text, "  ?{name}={value}");
            }
            for (name, value) in http.headers.iter() {
                let _ = writeln!(text, "  {name}: {value}");
            }
            if let Some((form, body)) = http.body.as_ref().map(self::body) {
                let _ = writeln!(text, "  {form} {body}");
            }
        }
        Request::Command(words) => {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "  {}", words.join(" "));
        }
        Request::Rows(rows) => {
            let _ = writeln!(text, "  rows of {} by {}", rows.table, rows.key.join(", "));
        }
    }
    if let Some(idempotency) = &operation.idempotency {
        let _ = match idempotency {
            Idempotency::Key { max_length, .. } => {
                writeln!(text, "  once: by its key of at most {max_length} characters")
            }
            Idempotency::Natural(why) => writeln!(text, "  once: {why}"),
            Idempotency::None(why) => writeln!(text, "  perhaps twice: {why}"),
        };
    }
    if let Some(lost) = &operation.if_reply_is_lost {
        let _ = match lost {
            IfReplyIsLost::Repeat => writeln!(text, "  a lost reply: it is sent again"),
            IfReplyIsLost::Stop => writeln!(text, "  a lost reply: a person looks"),
            IfReplyIsLost::LookUp(look_up) => writeln!(text, "  a lost reply: {} tells", look_up.operation),
        };
    }
}

fn body(body: &Body) -> (&'static str, String) {
    match body {
        Body::Json(document) => ("json", template(document)),
        Body::JsonLines(document) => ("json lines", template(document)),
        Body::FormNested(document) | Body::FormRepeated(document) => ("form", template(document)),
        Body::FormJson { json, .. } => ("form with json", template(json)),
        Body::Xml(text) => ("xml", text.to_string()),
        Body::Bytes { of, .. } => ("bytes", of.to_string()),
    }
}

fn template(document: &Template) -> String {
    match document {
        Template::Null => "null".to_owned(),
        Template::Boolean(value) => value.to_string(),
        Template::Number(value) => value.to_string(),
        Template::Text(text) => text.to_string(),
        Template::List(items) => format!("[{}]", items.iter().map(template).collect::<Vec<_>>().join(", ")),
        Template::Fields(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", template(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Template::Each { list, item } => format!("[{} for each of {list}]", template(item)),
    }
}

fn webhooks(text: &mut String, provider: &str, webhooks: &Webhooks) {
    let _ = writeln!(text, "\nwebhooks of {provider}");
    for way in &webhooks.verify {
        let _ = writeln!(text, "  known by {}", verification(way));
    }
    let key: Vec<String> = webhooks.dedup.key.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "  once for each {}, remembered for {} days", key.join(" with "), webhooks.dedup.keep_days);
    for event in &webhooks.events {
        let kinds = event.kinds.join(", ");
        let meaning = match (&event.emits, &event.ignored) {
            (Some(ours), _) => ours.to_string(),
            (None, Some(why)) => format!("nothing: {why}"),
            (None, None) => "nothing".to_owned(),
        };
        let limits = if event.when.is_empty() { "" } else { ", under conditions," };
        let _ = writeln!(text, "  {kinds}{limits} becomes {meaning}");
    }
}

fn verification(way: &Verification) -> String {
    match way {
        Verification::Hmac(hmac) => format!("{}, keyed by {}, of {}", hmac.header, hmac.key, signed(&hmac.signed)),
        Verification::Digest(digest) => format!("{}, a digest of {}", digest.header, signed(&digest.signed)),
        Verification::PublicKey(public) => {
            format!("{}, checked by {}, of {}", public.header, public.key, signed(&public.signed))
        }
        Verification::Certificate(certificate) => {
            let within = certificate.within.join(", ");
            format!("{}, checked by a certificate of {within}, of {}", certificate.header, signed(&certificate.signed))
        }
        Verification::FixedHeader { name, value } => format!("{name}, which holds {value}"),
        Verification::Basic { user, .. } => format!("the password of {user}"),
        Verification::BodyHolds { at, value } => format!("{at} of the body, which holds {value}"),
        Verification::SecretPath(why) => format!("an address that nobody can guess: {why}"),
        Verification::Ask { operation, .. } => format!("asking {operation}"),
    }
}

fn signed(parts: &[SignedPart]) -> String {
    let part = |part: &SignedPart| match part {
        SignedPart::Body => "body".to_owned(),
        SignedPart::Url => "address".to_owned(),
        SignedPart::Method => "method".to_owned(),
        SignedPart::Timestamp => "time".to_owned(),
        SignedPart::SortedParameters => "sorted parameters".to_owned(),
        SignedPart::Secret => "secret".to_owned(),
        SignedPart::Crc32OfBody => "CRC-32 of the body".to_owned(),
        SignedPart::Text(text) => format!("`{text}`"),
        SignedPart::Header(name) => name.clone(),
        SignedPart::Value(value) => value.to_string(),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(" + ")
}
