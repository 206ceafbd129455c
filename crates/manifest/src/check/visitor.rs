//! What must hold in `sign_in.yaml` and `browser.yaml`: what a visitor meets.

use super::operation::inputs;
use super::place::{At, Findings, ManifestFile, Rule};
use super::provider::when;
use super::scope::Scope;
use crate::browser::{Browser, BrowserCall};
use crate::reference::Reference;
use crate::sign_in::{IdToken, Identity, SignIn};
use crate::template::Part;
use crate::{Manifest, Template, Text};
use vocab::FieldName;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    if let Some(sign_in) = &manifest.sign_in {
        signed_in(manifest, sign_in, findings);
    }
    if let Some(browser) = &manifest.browser {
        self::browser(manifest, browser, findings);
    }
}

fn signed_in(manifest: &Manifest, sign_in: &SignIn, findings: &mut Findings) {
    let at = At::file(ManifestFile::SignIn);
    let scope = Scope::new(manifest, "where people sign in").with_account().with_site();
    let texts = [
        ("authorize_url", Some(&sign_in.authorize_url)),
        ("token_url", Some(&sign_in.token_url)),
        ("client_id", Some(&sign_in.client_id)),
        ("client_secret", Some(&sign_in.client_secret)),
        ("sign_out_url", sign_in.sign_out_url.as_ref()),
    ];
    for (member, text) in texts {
        if let Some(text) = text {
            scope.text(&at.to(member), text, findings);
        }
    }
    for (member, texts) in [("token_headers", &sign_in.token_headers), ("parameters", &sign_in.parameters)] {
        for (name, text) in texts.iter() {
            scope.text(&at.to(member).to(name), text, findings);
        }
    }
    if let Some(good) = &sign_in.token_success_when {
        when(&at.to("token_success_when"), good, &manifest.provider.errors, &scope, findings);
    }
    match &sign_in.identity {
        Identity::IdToken(token) => id_token(&at.to("identity").to("id_token"), token, &scope, findings),
        Identity::Operations { who, key, name, email_from, email, .. } => {
            let place = at.to("identity").to("operations");
            let of_address = email_from.as_ref().unwrap_or(who);
            let fields = [("key", who, Some(key)), ("name", who, name.as_ref()), ("email", of_address, Some(email))];
            for (member, operation) in [("who", Some(who)), ("email_from", email_from.as_ref())] {
                if let Some(operation) = operation {
                    let known = manifest.operations.names();
                    findings.must_be_known(&place.to(member), "operation", operation.as_str(), &known);
                }
            }
            for (member, operation, field) in fields {
                if let Some(field) = field {
                    answered(manifest, &place.to(member), operation, field, findings);
                }
            }
        }
    }
}

fn answered(manifest: &Manifest, at: &At, operation: &FieldName, field: &FieldName, findings: &mut Findings) {
    if let Some(known) = manifest.operations.get(operation.as_str()) {
        let what = format!("field of the answer of `{operation}`");
        findings.must_be_known(at, &what, field.as_str(), &known.answer.names());
    }
}

fn id_token(at: &At, token: &IdToken, scope: &Scope<'_>, findings: &mut Findings) {
    if token.issuers.is_empty() {
        findings.add(&at.to("issuers"), Rule::Contradiction, "anybody could have issued it", "name who may");
    }
    for (number, issuer) in token.issuers.iter().enumerate() {
        scope.text(&at.to("issuers").to(number), issuer, findings);
    }
    scope.text(&at.to("keys_url"), &token.keys_url, findings);
    scope.text(&at.to("audience"), &token.audience, findings);
    for (name, text) in token.claims.iter() {
        scope.text(&at.to("claims").to(name), text, findings);
    }
    if token.algorithms.is_empty() || token.algorithms.iter().any(|name| name.eq_ignore_ascii_case("none")) {
        let help = "name the signatures that are taken: `algorithms: [RS256]`";
        findings.add(&at.to("algorithms"), Rule::Contradiction, "a token without a signature proves nothing", help);
    }
}

fn browser(manifest: &Manifest, browser: &Browser, findings: &mut Findings) {
    let at = At::file(ManifestFile::Browser);
    let scope = Scope::new(manifest, "in a page").with_account();
    let shown = |place: &At, text: &Text, findings: &mut Findings| {
        open(place, scope.text(place, text, findings).privacy, findings);
        in_page(place, text, findings);
    };
    for (number, script) in browser.scripts.iter().enumerate() {
        shown(&at.to("scripts").to(number), script, findings);
    }
    if let Some(name) = &browser.switched_off_by {
        shown(&at.to("switched_off_by"), name, findings);
    }
    let call = |place: &At, call: &BrowserCall, scope: &Scope<'_>, findings: &mut Findings| {
        is_name(&place.to("function"), &call.function, findings);
        for (position, argument) in call.arguments.iter().enumerate() {
            let place = place.to("arguments").to(position);
            open(&place, scope.template(&place, argument, findings), findings);
            all_in_page(&place, argument, findings);
        }
    };
    let calls = |place: &At, calls: &[BrowserCall], scope: &Scope<'_>, findings: &mut Findings| {
        for (number, one) in calls.iter().enumerate() {
            call(&place.to(number), one, scope, findings);
        }
    };
    for (function, queue) in browser.queues.iter() {
        is_name(&at.to("queues").to(function), function, findings);
        is_name(&at.to("queues").to(function), queue, findings);
    }
    calls(&at.to("start"), &browser.start, &scope, findings);
    calls(&at.to("again"), &browser.again, &scope, findings);
    calls(&at.to("stop"), &browser.stop, &scope, findings);
    for (name, one) in browser.identifies.iter() {
        call(&at.to("identifies").to(name), one, &scope, findings);
    }
    for (event, point) in browser.points.iter() {
        let place = at.to("points").to(event);
        inputs(&place.to("takes"), &point.takes, findings);
        calls(&place.to("calls"), &point.calls, &scope.clone().with_event(&point.takes), findings);
    }
}

/// It is called as `window.NAME`.
fn is_name(at: &At, name: &str, findings: &mut Findings) {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '$');
    let is_good =
        name.starts_with(is_letter) && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit());
    if !is_good {
        findings.add(at, Rule::Contradiction, format!("`{name}` is no name in a page"), "letters, digits, `_` and `$`");
    }
}

fn all_in_page(at: &At, template: &Template, findings: &mut Findings) {
    match template {
        Template::Null | Template::Boolean(_) | Template::Number(_) => {}
        Template::Text(text) => in_page(at, text, findings),
        Template::List(items) => items.iter().for_each(|item| all_in_page(at, item, findings)),
        Template::Fields(fields) => fields.iter().for_each(|(_, value)| all_in_page(at, value, findings)),
        Template::Each { .. } => {
            findings.add(at, Rule::Contradiction, "a page repeats no items", "give the list as it is");
        }
    }
}

/// A page has the values of the account and of what happened, and nothing that becomes of them.
fn in_page(at: &At, text: &Text, findings: &mut Findings) {
    for part in text.parts() {
        let Part::Value(expression) = part else { continue };
        let is_known = matches!(
            expression.from,
            Reference::Credential(_) | Reference::Setting(_) | Reference::Value(_) | Reference::Event(_)
        );
        if !is_known || !expression.through.is_empty() {
            let help = "in a page stand `credential.NAME`, `setting.NAME`, `value.NAME` and `event.NAME` as they are";
            findings.add(at, Rule::Contradiction, "a page cannot work that out", help);
        }
    }
}

/// Whoever looks at a page reads everything in it.
fn open(at: &At, privacy: crate::kind::Privacy, findings: &mut Findings) {
    if privacy >= crate::kind::Privacy::Secret {
        findings.add(at, Rule::Privacy, "a secret would stand in a page that anybody reads", "take it out");
    }
}
