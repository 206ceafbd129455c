//! What must hold in `sign_in.yaml` and `browser.yaml`: what a visitor meets.

use super::operation::inputs;
use super::place::{At, Findings, ManifestFile, Rule};
use super::provider::when;
use super::scope::Scope;
use crate::Manifest;
use crate::browser::{Browser, BrowserCall};
use crate::sign_in::{IdToken, Identity, SignIn};
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
    for (number, script) in browser.scripts.iter().enumerate() {
        open(
            &at.to("scripts").to(number),
            scope.text(&at.to("scripts").to(number), script, findings).privacy,
            findings,
        );
    }
    let calls = |place: &At, calls: &[BrowserCall], scope: &Scope<'_>, findings: &mut Findings| {
        for (number, call) in calls.iter().enumerate() {
            for (position, argument) in call.arguments.iter().enumerate() {
                let place = place.to(number).to("arguments").to(position);
                open(&place, scope.template(&place, argument, findings), findings);
            }
        }
    };
    calls(&at.to("start"), &browser.start, &scope, findings);
    for (event, point) in browser.points.iter() {
        let place = at.to("points").to(event);
        inputs(&place.to("takes"), &point.takes, findings);
        calls(&place.to("calls"), &point.calls, &scope.clone().with_event(&point.takes), findings);
    }
}

/// Whoever looks at a page reads everything in it.
fn open(at: &At, privacy: crate::kind::Privacy, findings: &mut Findings) {
    if privacy >= crate::kind::Privacy::Secret {
        findings.add(at, Rule::Privacy, "a secret would stand in a page that anybody reads", "take it out");
    }
}
