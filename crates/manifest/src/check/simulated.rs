//! What must hold in `simulator.yaml`.

use super::place::{At, Findings, ManifestFile, Rule};
use super::provider::tests;
use super::scope::Scope;
use crate::Entries;
use crate::Manifest;
use crate::operation::{Method, Request};
use crate::simulator::{
    EVENT, FoundBy, Of, Page, Refusal, Refusals, Route, RouteAction, Sent, Simulator, Upserts, member,
};
use crate::template::Template;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let Some(simulator) = &manifest.simulator else { return };
    let at = At::file(ManifestFile::Simulator);
    for (name, object) in simulator.objects.iter() {
        // Which route makes it is not known here: each of their parameters can be named.
        let scope = Scope::new(manifest, "in an object").simulated(every_parameter(simulator));
        scope.template(&at.to("objects").to(name).to("holds"), &object.holds, findings);
    }
    routes(manifest, &at.to("routes"), simulator, findings);
    acts(manifest, &at.to("acts"), simulator, findings);
    if let Some(event) = &simulator.event {
        Scope::new(manifest, "in an event").simulated(Vec::new()).template(&at.to("event"), event, findings);
    }
    for (number, page) in simulator.pages.iter().enumerate() {
        pages(manifest, &at.to("pages").to(number), simulator, page, findings);
    }
    refusals(manifest, &at.to("refusals"), &simulator.refusals, findings);
    answers_every_operation(manifest, &at, simulator, findings);
}

fn parameters(path: &str) -> Vec<String> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).map(ToOwned::to_owned).collect()
}

fn every_parameter(simulator: &Simulator) -> Vec<String> {
    simulator.routes.iter().flat_map(|route| parameters(&route.path)).collect()
}

fn routes(manifest: &Manifest, at: &At, simulator: &Simulator, findings: &mut Findings) {
    let mut whole: Vec<(Method, &str)> = Vec::new();
    for (number, route) in simulator.routes.iter().enumerate() {
        let place = at.to(number);
        if whole.contains(&(route.method, route.path.as_str())) {
            let message = format!("`{} {}` stands twice", route.method.as_str(), route.path);
            let help = "keep one of the two, or say in `needs` of the first which requests it is for";
            findings.add(&place.to("path"), Rule::Contradiction, message, help);
        }
        if route.needs.is_empty() {
            whole.push((route.method, &route.path));
        }
        let names = parameters(&route.path);
        let scope = Scope::new(manifest, "on a route").simulated(names.clone());
        tests(&place.to("needs"), &route.needs, &scope, findings);
        let found = |place: &At, by: &FoundBy, findings: &mut Findings| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            findings.must_be_known(&place.to("kind"), "object", by.kind.as_str(), &kinds_of_objects(simulator));
            findings.must_be_known(&place.to("id"), "parameter of the path", by.id.as_str(), &names);
        };
        if let Some(of) = &route.of {
            another_object(&place.to("of"), of, simulator, &scope, findings);
        }
        for (number, refuses) in route.refuses.iter().enumerate() {
            let place = place.to("refuses").to(number);
            tests(&place.to("when"), &refuses.when, &scope, findings);
            scope.template(&place.to("answer").to("body"), &refuses.answer.body, findings);
        }
        if let Some(unique) = &route.unique {
            let place = place.to("unique");
            scope.template(&place.to("answer").to("body"), &unique.answer.body, findings);
            if !matches!(route.does, RouteAction::Makes(_)) {
                findings.add(&place, Rule::Contradiction, "nothing is made here", "put it at the route that makes it");
            }
        }
        let does = place.to("does");
        match &route.does {
            RouteAction::Makes(kind) => {
                findings.must_be_known(&does.to("makes"), "object", kind.as_str(), &simulator.objects.names());
            }
            RouteAction::Reads(by) => found(&does.to("reads"), by, findings),
            RouteAction::Changes { object, set } => {
                found(&does.to("changes").to("object"), object, findings);
                members(&does.to("changes").to("set"), set, &scope, findings);
            }
            RouteAction::Lists { object, answer, page: _, filters: _, only } => {
                let place = does.to("lists");
                tests(&place.to("only"), only, &scope, findings);
                findings.must_be_known(&place.to("object"), "object", object.as_str(), &kinds_of_objects(simulator));
                scope.template(&place.to("answer"), answer, findings);
            }
            RouteAction::Removes { object, answer } => {
                found(&does.to("removes").to("object"), object, findings);
                scope.template(&does.to("removes").to("answer"), answer, findings);
            }
            RouteAction::Upserts(upserts) => self::upserts(&does.to("upserts"), upserts, simulator, &scope, findings),
            RouteAction::Answers(answer) => {
                scope.template(&does.to("answers"), answer, findings);
            }
        }
        sends(&place.to("sends"), simulator, &route.sends, findings);
    }
}

fn upserts(at: &At, upserts: &Upserts, simulator: &Simulator, scope: &Scope<'_>, findings: &mut Findings) {
    findings.must_be_known(&at.to("object"), "object", upserts.object.as_str(), &simulator.objects.names());
    scope.text(&at.to("is"), &upserts.is, findings);
    members(&at.to("set"), &upserts.set, scope, findings);
    scope.template(&at.to("answer"), &upserts.answer, findings);
    if let Some(partly) = &upserts.partly {
        let at = at.to("partly");
        tests(&at.to("needs"), &partly.needs, scope, findings);
        scope.template(&at.to("refused"), &partly.refused, findings);
        scope.template(&at.to("answer").to("body"), &partly.answer.body, findings);
    }
}

/// What it keeps, and what it has sent.
fn kinds_of_objects(simulator: &Simulator) -> Vec<&str> {
    let mut known = simulator.objects.names();
    known.extend(simulator.event.iter().map(|_| EVENT));
    known
}

fn another_object(at: &At, of: &Of, simulator: &Simulator, scope: &Scope<'_>, findings: &mut Findings) {
    findings.must_be_known(&at.to("kind"), "object", of.kind.as_str(), &simulator.objects.names());
    scope.text(&at.to("is"), &of.is, findings);
    members(&at.to("set"), &of.set, scope, findings);
    if let Some(Refusal { body, .. }) = &of.missing {
        scope.template(&at.to("missing").to("body"), body, findings);
    }
}

fn pages(manifest: &Manifest, at: &At, simulator: &Simulator, page: &Page, findings: &mut Findings) {
    findings.must_be_known(&at.to("object"), "object", page.object.as_str(), &simulator.objects.names());
    if parameters(&page.path) != ["id"] {
        let message = "the path of a page tells which object is meant";
        findings.add(
            &at.to("path"),
            Rule::Contradiction,
            message,
            "let it hold `{id}` once, and nothing else that varies",
        );
    }
    let scope = Scope::new(manifest, "on a page").simulated(Vec::new());
    for (name, text) in page.shows.iter() {
        scope.text(&at.to("shows").to(name), text, findings);
    }
    for (name, text) in page.stands_for.iter() {
        scope.text(&at.to("stands_for").to(name), text, findings);
    }
    for (number, button) in page.buttons.iter().enumerate() {
        let place = at.to("buttons").to(number);
        if let Some(act) = &button.act {
            findings.must_be_known(&place.to("act"), "act", act.as_str(), &simulator.acts.names());
        }
        if let Some(then) = &button.then {
            scope.text(&place.to("then"), then, findings);
        }
    }
}

fn members(at: &At, set: &Entries<String, Template>, scope: &Scope<'_>, findings: &mut Findings) {
    for (name, value) in set.iter() {
        if member(name).is_none() {
            let message = format!("`{name}` is no member of an object");
            findings.add(&at.to(name), Rule::Name, message, "write its name, or a path that begins with `/`");
        }
        scope.template(&at.to(name), value, findings);
    }
}

fn sends(at: &At, simulator: &Simulator, kinds: &[Sent], findings: &mut Findings) {
    for (number, sent) in kinds.iter().enumerate() {
        if let Some(of) = &sent.of {
            findings.must_be_known(&at.to(number).to("of"), "object", of.as_str(), &simulator.objects.names());
        }
    }
    if !kinds.is_empty() && simulator.event.is_none() {
        let message = "nothing says what an event looks like";
        findings.add(at, Rule::Contradiction, message, "add `event` to the simulator");
    }
}

fn acts(manifest: &Manifest, at: &At, simulator: &Simulator, findings: &mut Findings) {
    for (name, act) in simulator.acts.iter() {
        let place = at.to(name);
        let known = simulator.objects.names();
        findings.must_be_known(&place.to("object"), "object", act.object.as_str(), &known);
        for (number, made) in act.makes.iter().enumerate() {
            findings.must_be_known(&place.to("makes").to(number), "object", made.as_str(), &known);
        }
        let scope = Scope::new(manifest, "in an act").simulated(Vec::new());
        tests(&place.to("needs"), &act.needs, &scope, findings);
        members(&place.to("set"), &act.set, &scope, findings);
        sends(&place.to("sends"), simulator, &act.sends, findings);
    }
}

fn refusals(manifest: &Manifest, at: &At, refusals: &Refusals, findings: &mut Findings) {
    let scope = Scope::new(manifest, "in a refusal").simulated(Vec::new());
    let all = [
        ("unauthorized", Some(&refusals.unauthorized)),
        ("not_found", Some(&refusals.not_found)),
        ("invalid", Some(&refusals.invalid)),
        ("rate_limited", Some(&refusals.rate_limited)),
        ("server_error", Some(&refusals.server_error)),
        ("key_reused", refusals.key_reused.as_ref()),
    ];
    for (member, refusal) in all {
        if let Some(refusal) = refusal {
            scope.template(&at.to(member).to("body"), &refusal.body, findings);
        }
    }
}

/// Whatever the manifest can ask, its simulator answers: else a beginner's first try ends in nothing.
fn answers_every_operation(manifest: &Manifest, at: &At, simulator: &Simulator, findings: &mut Findings) {
    let first = manifest.provider.hosts.first().map(|(name, _)| name);
    for (name, operation) in manifest.operations.iter() {
        let Request::Http(http) = &operation.request else { continue };
        let is_first_host = http.host.is_none() || http.host.as_ref() == first;
        let is_answered = |route: &Route| route.answers(manifest, operation);
        if is_first_host && !simulator.routes.iter().any(is_answered) {
            let message = format!("no route answers `{name}`: {} {}", http.method.as_str(), http.path);
            findings.add(&at.to("routes"), Rule::Contradiction, message, "add one for it");
        }
    }
}
