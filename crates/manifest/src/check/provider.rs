//! What must hold in `provider.yaml`.

use super::place::{At, Findings, ManifestFile, Rule};
use super::scope::{Scope, names};
use crate::Manifest;
use crate::authentication::{Authentication, Grant, Oauth2};
use crate::operation::Effect;
use crate::outcome::{BodyTest, Errors, Meaning, When};
use crate::pointer::PathStep;
use crate::provider::{Check, CountedBy, Host, TestSystem};
use crate::reference::Reference;
use crate::template::{Part, Text};

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let at = At::file(ManifestFile::Provider);
    names_once(manifest, &at, findings);
    settings(manifest, &at.to("settings"), findings);
    hosts(manifest, &at.to("hosts"), findings);
    ways(manifest, &at.to("authentication"), findings);
    tried(manifest, &at, findings);
    if let Some(good) = &manifest.provider.success_when {
        let scope = Scope::new(manifest, "in a test of an answer");
        when(&at.to("success_when"), good, &manifest.provider.errors, &scope, findings);
    }
    errors(manifest, &at.to("errors"), findings);
    rates(manifest, &at.to("rates"), findings);
    drift(manifest, &at.to("drift"), findings);
}

/// A task gives both under `credentials`, so no name may stand for two things.
fn names_once(manifest: &Manifest, at: &At, findings: &mut Findings) {
    let provider = &manifest.provider;
    if provider.service_types.is_empty() {
        let help = "name at least one: `service_types: [payment]`";
        findings.add(&at.to("service_types"), Rule::Contradiction, "a provider renders some kind of service", help);
    }
    for (name, _) in provider.settings.iter().filter(|(name, _)| provider.credentials.get(name.as_str()).is_some()) {
        let message = format!("`{name}` is a credential and a setting");
        findings.add(&at.to("settings").to(name), Rule::Contradiction, message, "give one of the two another name");
    }
    for (name, credential) in provider.credentials.iter() {
        let place = at.to("credentials").to(name);
        let form = &credential.form;
        if form.min_length.zip(form.max_length).is_some_and(|(min, max)| min > max) {
            let message = format!("nothing is as long as `{name}` must be");
            findings.add(&place.to("form"), Rule::Contradiction, message, "`min_length` is at most `max_length`");
        }
        let begins = |start: &String| {
            form.starts_with.is_empty() || form.starts_with.iter().any(|all| start.starts_with(all.as_str()))
        };
        if !credential.test_starts_with.iter().all(begins) {
            let message = format!("no `{name}` begins like those of the test system");
            findings.add(&place.to("test_starts_with"), Rule::Contradiction, message, "add the beginning to `form`");
        }
    }
}

/// What a response calls its own of an integration.
const OF_RESPONSE: [&str; 3] = ["service", "status", "webhook_url"];

fn settings(manifest: &Manifest, at: &At, findings: &mut Findings) {
    let scope = Scope::new(manifest, "in a default").with_site();
    for (name, setting) in manifest.provider.settings.iter() {
        if let Some(shown) = setting.shown_as.as_ref().filter(|shown| OF_RESPONSE.contains(&shown.as_str())) {
            let message = format!("a response says something else under `{shown}`");
            findings.add(&at.to(name).to("shown_as"), Rule::Contradiction, message, "call it otherwise: `list_id`");
        }
        let Some(default) = &setting.default else { continue };
        let place = at.to(name).to("default");
        scope.text_of(&place, default, setting.kind, findings);
        let is_chosen = default.as_literal().is_none_or(|text| setting.choices.iter().any(|choice| choice == text));
        if !setting.choices.is_empty() && !is_chosen {
            findings.add(
                &place,
                Rule::Contradiction,
                format!("`{default}` is none of the choices"),
                "take one of them",
            );
        }
    }
}

fn hosts(manifest: &Manifest, at: &At, findings: &mut Findings) {
    if manifest.provider.hosts.is_empty() {
        let help = "add one: `api: { live: \"https://api.example.com\" }`";
        findings.add(at, Rule::Contradiction, "a provider has at least one host", help);
    }
    let scope = Scope::new(manifest, "in a host").with_account().with_token();
    for (name, host) in manifest.provider.hosts.iter() {
        let place = at.to(name);
        address(&place.to("live"), host, &host.live, &scope, findings);
        if let Some(sandbox) = &host.sandbox {
            address(&place.to("sandbox"), host, sandbox, &scope, findings);
        }
        for (header, value) in host.headers.iter() {
            scope.text(&place.to("headers").to(header), value, findings);
        }
    }
}

/// An address whose name comes from elsewhere must say where it may lie: else an answer, or whoever fills in a form, decides whom
/// our secrets are sent to.
fn address(at: &At, host: &Host, address: &Text, scope: &Scope<'_>, findings: &mut Findings) {
    scope.text(at, address, findings);
    let help = "write `https://api.example.com`, or let a value say the whole of it";
    match address.parts() {
        [Part::Literal(text), ..] => {
            let is_whole = ["https://", "rediss://", "redis://", "postgresql://", "mysql://"]
                .iter()
                .any(|scheme| text.starts_with(scheme));
            if !is_whole {
                findings.add(at, Rule::Contradiction, format!("`{address}` is no address that can be used"), help);
            }
        }
        [Part::Value(_)] => {}
        _ => findings.add(at, Rule::Contradiction, format!("`{address}` is no address that can be used"), help),
    }
    if address.parts().last().is_some_and(|part| matches!(part, Part::Literal(text) if text.ends_with('/'))) {
        findings.add(at, Rule::Contradiction, "a host ends without `/`", "take it away: paths begin with one");
    }
    let comes_from_elsewhere = named_from_elsewhere(address);
    let is_endpoint_of_our_own =
        |part: &Part| matches!(part, Part::Value(value) if matches!(value.from, Reference::Credential(_)));
    let is_whole = matches!(address.parts(), [part] if is_endpoint_of_our_own(part));
    if comes_from_elsewhere && host.within.is_empty() && !is_whole {
        let message = format!("nothing says where `{address}` may lie");
        findings.add(at, Rule::Contradiction, message, "add `within: [example.com]` to the host");
    }
}

/// Whether the name of the host depends on something that the manifest does not say itself.
fn named_from_elsewhere(address: &Text) -> bool {
    let mut before = String::new();
    for part in address.parts() {
        match part {
            Part::Literal(text) => before.push_str(text),
            Part::Value(value) if matches!(value.from, Reference::Value(_) | Reference::Host(_)) => {}
            Part::Value(_) => {
                let name = before.split_once("://").map_or("", |(_, behind)| behind);
                return !name.contains('/');
            }
        }
    }
    false
}

fn ways(manifest: &Manifest, at: &At, findings: &mut Findings) {
    if manifest.provider.authentication.is_empty() {
        let help = "add one: `key: { bearer: { token: \"${credential.api_key}\" } }`";
        findings.add(at, Rule::Contradiction, "a provider has at least one way of authentication", help);
    }
    let scope = Scope::new(manifest, "in a way of authentication").with_account();
    for (name, way) in manifest.provider.authentication.iter() {
        let place = at.to(name);
        match way {
            Authentication::None(_) | Authentication::InAddress(_) => {}
            Authentication::Bearer { token } => {
                scope.text(&place.to("bearer").to("token"), token, findings);
            }
            Authentication::Basic { user, password } => {
                scope.text(&place.to("basic").to("user"), user, findings);
                scope.text(&place.to("basic").to("password"), password, findings);
            }
            Authentication::Header { value, .. } => {
                scope.text(&place.to("header").to("value"), value, findings);
            }
            Authentication::Query(parameters) => {
                for (name, value) in parameters.iter() {
                    scope.text(&place.to("query").to(name), value, findings);
                }
            }
            Authentication::Body(body) => {
                for (name, value) in body.fields.iter() {
                    scope.template(&place.to("body").to("fields").to(name), value, findings);
                }
            }
            Authentication::Oauth2(way) => oauth2(&place.to("oauth2"), way, &scope, findings),
            Authentication::Sigv4(way) => {
                let place = place.to("sigv4");
                scope.text(&place.to("region"), &way.region, findings);
                scope.text(&place.to("access_key_id"), &way.access_key_id, findings);
                scope.text(&place.to("secret_access_key"), &way.secret_access_key, findings);
                if let Some(token) = &way.session_token {
                    scope.text(&place.to("session_token"), token, findings);
                }
            }
        }
    }
}

fn oauth2(at: &At, way: &Oauth2, scope: &Scope<'_>, findings: &mut Findings) {
    let scope = &scope.clone().with_host();
    scope.text(&at.to("token_url"), &way.token_url, findings);
    scope.text(&at.to("client_id"), &way.client_id, findings);
    for (member, text) in [
        ("authorize_url", &way.authorize_url),
        ("client_secret", &way.client_secret),
        ("refresh_token", &way.refresh_token),
    ] {
        if let Some(text) = text {
            scope.text(&at.to(member), text, findings);
        }
    }
    for (name, text) in way.parameters.iter() {
        scope.text(&at.to("parameters").to(name), text, findings);
    }
    if let Some(assertion) = &way.assertion {
        let place = at.to("assertion");
        let texts = [
            ("issuer", &assertion.issuer),
            ("subject", &assertion.subject),
            ("audience", &assertion.audience),
            ("key", &assertion.key),
        ];
        for (member, text) in texts {
            scope.text(&place.to(member), text, findings);
        }
    }
    if named_from_elsewhere(&way.token_url) && way.token_within.is_empty() {
        let message = format!("nothing says where `{}` may lie", way.token_url);
        findings.add(&at.to("token_url"), Rule::Contradiction, message, "add `token_within: [example.com]`");
    }
    let wanted = match way.grant {
        Grant::AuthorizationCode => way.authorize_url.is_none().then_some("authorize_url"),
        Grant::JwtBearer => way.assertion.is_none().then_some("assertion"),
        Grant::ClientCredentials => way.client_secret.is_none().then_some("client_secret"),
    };
    if let Some(wanted) = wanted {
        let message = format!("this grant needs `{wanted}`");
        findings.add(&at.to("grant"), Rule::Contradiction, message, format!("add `{wanted}: ...`"));
    }
    if way.renew.rotates && way.renew.repeated.is_none() {
        let message = "nothing says what comes of a refresh token that was used before";
        let help = "write `repeated: accepted`, or `repeated: refused` where a lost answer cannot be asked for again";
        findings.add(&at.to("renew").to("rotates"), Rule::Contradiction, message, help);
    }
    let is_never_renewed = way.renew.before_seconds.is_none() && way.renew.on_status.is_empty();
    let has_end = way.token.expires_in.is_some() || way.token.lifetime_seconds.is_some();
    if is_never_renewed || (way.renew.before_seconds.is_some() && !has_end) {
        let message = if is_never_renewed { "the token is never renewed" } else { "nobody knows when the token ends" };
        let help = "write `on_status: [401]`, or `before_seconds` together with `expires_in` or `lifetime_seconds` of the token";
        findings.add(&at.to("renew"), Rule::Contradiction, message, help);
    }
}

/// How a credential and the test system are reached.
fn tried(manifest: &Manifest, at: &At, findings: &mut Findings) {
    let provider = &manifest.provider;
    match &provider.check {
        Check::Operation(name) => {
            let place = at.to("check").to("operation");
            if findings.must_be_known(&place, "operation", name.as_str(), &manifest.operations.names()) {
                let operation = manifest.operations.get(name.as_str());
                if operation.is_some_and(|operation| operation.effect != Effect::Read) {
                    let message = format!("`{name}` changes something, so a credential is not tried with it");
                    findings.add(&place, Rule::Contradiction, message, "name an operation with `effect: read`");
                }
                if operation.is_some_and(|operation| operation.input.iter().any(|(_, input)| input.required)) {
                    let message = format!("`{name}` needs input, and trying a credential has none");
                    findings.add(&place, Rule::Contradiction, message, "name an operation that needs none");
                }
            }
        }
        Check::Token => {
            let has_token = provider.authentication.iter().any(|(_, way)| matches!(way, Authentication::Oauth2(_)));
            if !has_token {
                let help = "name an operation that changes nothing: `operation: get_account`";
                findings.add(&at.to("check"), Rule::Contradiction, "there is no token to get", help);
            }
        }
        Check::Form(_) => {}
    }
    let is_there = match provider.test_system {
        TestSystem::Hosts => provider.hosts.iter().any(|(_, host)| host.sandbox.is_some()),
        TestSystem::Credential => provider.credentials.iter().any(|(_, known)| !known.test_starts_with.is_empty()),
        TestSystem::Account | TestSystem::None => true,
    };
    if !is_there {
        let help = "give a host `sandbox`, or a credential `test_starts_with`, or write `test_system: none`";
        findings.add(&at.to("test_system"), Rule::Contradiction, "nothing leads to that test system", help);
    }
}

fn errors(manifest: &Manifest, at: &At, findings: &mut Findings) {
    let errors = &manifest.provider.errors;
    let scope = Scope::new(manifest, "in a test of an answer");
    for (number, rule) in errors.rules.iter().enumerate() {
        let place = at.to("rules").to(number);
        when(&place.to("when"), &rule.when, errors, &scope, findings);
    }
    if errors.otherwise == Meaning::Done {
        let message = "an answer that nothing explains is not taken for a success";
        findings.add(&at.to("otherwise"), Rule::Contradiction, message, "write `otherwise: permanent`");
    }
}

/// A test that can hold, and does not always.
pub(super) fn when(at: &At, when: &When, errors: &Errors, scope: &Scope<'_>, findings: &mut Findings) {
    if when.is_empty() {
        let help = "say which answers are meant: `status: [429]`";
        findings.add(at, Rule::Contradiction, "this holds for every answer", help);
    }
    if !when.code.is_empty() && errors.code.is_none() {
        let help = "add `code: /error/code` to `errors`";
        findings.add(&at.to("code"), Rule::Contradiction, "nothing says where the provider's code stands", help);
    }
    tests(&at.to("body"), &when.body, scope, findings);
}

pub(super) fn tests(at: &At, tests: &[BodyTest], scope: &Scope<'_>, findings: &mut Findings) {
    for (number, test) in tests.iter().enumerate() {
        for (member, texts) in [("is", &test.is), ("is_not", &test.is_not)] {
            for (position, text) in texts.iter().enumerate() {
                scope.text(&at.to(number).to(member).to(position), text, findings);
            }
        }
        if test.some && !test.at.steps().contains(&PathStep::Each) {
            let message = format!("`{}` is one thing, not several", test.at);
            findings.add(&at.to(number).to("some"), Rule::Contradiction, message, "leave `some` out");
        }
        let asks = [
            !test.is.is_empty(),
            !test.is_not.is_empty(),
            test.contains.is_some(),
            test.at_least.is_some(),
            test.present.is_some(),
        ];
        if !asks.contains(&true) {
            let help = "add `is: [...]`, `is_not: [...]`, `contains`, `at_least` or `present`";
            findings.add(&at.to(number), Rule::Contradiction, format!("nothing is asked of `{}`", test.at), help);
        }
    }
}

fn rates(manifest: &Manifest, at: &At, findings: &mut Findings) {
    for (name, rate) in manifest.provider.rates.iter() {
        let place = at.to(name);
        if rate.limit == 0 || rate.per_seconds == Some(0) || rate.sandbox_limit == Some(0) {
            findings.add(
                &place,
                Rule::Contradiction,
                format!("`{name}` lets nothing through"),
                "give it a number above 0",
            );
        }
        if let CountedBy::Setting(setting) = &rate.by {
            let known = manifest.provider.settings.names();
            findings.must_be_known(&place.to("by").to("setting"), "setting", setting.as_str(), &known);
        }
        let is_used =
            rate.everywhere || manifest.operations.iter().any(|(_, operation)| operation.rates.contains(name));
        if !is_used {
            let help = "name it in `rates` of an operation, or leave `everywhere` out";
            findings.add(&place, Rule::Contradiction, format!("`{name}` counts nothing"), help);
        }
    }
}

fn drift(manifest: &Manifest, at: &At, findings: &mut Findings) {
    let drift = &manifest.provider.drift;
    if let Some(version) = &drift.version {
        Scope::new(manifest, "in `drift`").text(&at.to("version"), version, findings);
    }
    if let Some(fields) = &drift.fields {
        let place = at.to("fields");
        let known = manifest.operations.names();
        if findings.must_be_known(&place.to("operation"), "operation", fields.operation.as_str(), &known) {
            let answer = manifest.operations.get(fields.operation.as_str()).map(|operation| operation.answer.names());
            let what = format!("field of the answer of `{}`", fields.operation);
            findings.must_be_known(&place.to("names"), &what, fields.names.as_str(), &answer.unwrap_or_default());
        }
    }
    let is_seen = drift.version.is_some() || !drift.ending_headers.is_empty() || drift.fields.is_some();
    match (&drift.unseen, is_seen) {
        (None, false) => {
            let help = "say how a change is seen (`version`, `ending_headers`, `fields`), or in `unseen` why it is not";
            findings.add(at, Rule::Contradiction, "nothing says how a change of the provider is seen", help);
        }
        (Some(_), true) => {
            let message = "`unseen` says that a change is not seen, and another field how it is";
            findings.add(&at.to("unseen"), Rule::Contradiction, message, "leave one of the two out");
        }
        (None, true) | (Some(_), false) => {}
    }
    if drift.version_header.is_some() && drift.version.is_none() {
        let help = "add `version: \"${value.api_version}\"`";
        findings.add(&at.to("version_header"), Rule::Contradiction, "there is no version to compare with", help);
    }
}

/// Whether something of a manifest names what belongs to our address at the provider.
pub(super) fn names_secret_of_webhook(text: &Text) -> bool {
    names(text, |reference| matches!(reference, Reference::Webhook(crate::reference::WebhookValue::Secret)))
}
