//! What must hold in `cases.yaml`: the names in it are those of the manifest, and a case says something.

use super::place::{At, Findings, ManifestFile, Rule};
use super::point::asked;
use super::scope::{Scope, required};
use crate::Manifest;
use crate::cases::{Case, Cases, Try};
use crate::operation::{Effect, Operation};
use vocab::FieldName;

pub(super) fn check(manifest: &Manifest, cases: &Cases, findings: &mut Findings) {
    let at = At::file(ManifestFile::Cases);
    let provider = &manifest.provider;
    let known: Vec<&str> = provider.credentials.names().into_iter().chain(provider.settings.names()).collect();
    for (name, _) in cases.account.iter() {
        findings.must_be_known(&at.to("account").to(name), "credential or setting", name.as_str(), &known);
    }
    for (number, case) in cases.cases.iter().enumerate() {
        one(manifest, &at.to("cases").to(number), case, findings);
    }
    tries(manifest, &at.to("tries"), &cases.tries, findings);
}

fn tries(manifest: &Manifest, at: &At, tries: &[Try], findings: &mut Findings) {
    let mut scope = Scope::new(manifest, "where something is tried").with_account().with_delivery().with_steps();
    let mut tried: Vec<&FieldName> = Vec::new();
    for (number, one) in tries.iter().enumerate() {
        let place = at.to(number);
        if tried.contains(&&one.operation) {
            let message = format!("`{}` is tried twice", one.operation);
            findings.add(&place, Rule::Contradiction, message, "leave one of them out");
        }
        tried.push(&one.operation);
        let Some(operation) = asked(manifest, &place, &one.operation, &one.input, &scope, findings) else { continue };
        scope.with_answer(&one.operation, &operation.answer);
        for (name, _) in one.answer.iter() {
            let place = place.to("answer").to(name);
            findings.must_be_known(&place, "field of the answer", name.as_str(), &operation.answer.names());
        }
        leaves_nothing(&place, one, operation, findings);
        let Some(undo) = &one.undo else { continue };
        let place = place.to("undo");
        let undoing = asked(manifest, &place, &undo.operation, &undo.input, &scope, findings);
        if undoing.is_some_and(|undoing| !undoing.effect.changes()) {
            let message = format!("`{}` changes nothing, so it takes nothing back", undo.operation);
            findings.add(&place, Rule::Contradiction, message, "name an operation with `effect: delete`");
        }
    }
}

/// What is tried at somebody's account must not stay there without a reason.
fn leaves_nothing(at: &At, one: &Try, operation: &Operation, findings: &mut Findings) {
    let name = &one.operation;
    let mut add = |message: String, help: &str| findings.add(at, Rule::Contradiction, message, help);
    match (operation.effect, one.undo.is_some() || one.stays.is_some()) {
        (Effect::Write, false) => add(
            format!("nothing takes back what `{name}` makes"),
            "add `undo` with an operation, or `stays` with the reason why it may stay",
        ),
        (Effect::Delete, _) => add(
            format!("`{name}` would take something away that nobody has made"),
            "name it as the `undo` of what makes it",
        ),
        (Effect::Link, _) => add(format!("`{name}` sends nothing that could be tried"), "leave it out"),
        (Effect::Read, true) => add(format!("`{name}` changes nothing"), "leave `undo` and `stays` out"),
        (Effect::Read, false) | (Effect::Write, true) => {}
    }
}

fn one(manifest: &Manifest, at: &At, case: &Case, findings: &mut Findings) {
    if case.sends.is_none() && case.answers.is_empty() {
        let help = "add `sends` with a request, or `answers`";
        findings.add(at, Rule::Contradiction, "the case says nothing", help);
    }
    let known = manifest.operations.names();
    if !findings.must_be_known(&at.to("operation"), "operation", case.operation.as_str(), &known) {
        return;
    }
    let Some(operation) = manifest.operations.get(case.operation.as_str()) else { return };
    let what = format!("input of `{}`", case.operation);
    for (name, _) in case.input.iter() {
        findings.must_be_known(&at.to("input").to(name), &what, name.as_str(), &operation.input.names());
    }
    required(at, &format!("`{}`", case.operation), &operation.input, &case.input.names(), findings);
    for (number, answer) in case.answers.iter().enumerate() {
        for (name, _) in answer.answer.iter() {
            let place = at.to("answers").to(number).to("answer").to(name);
            findings.must_be_known(&place, "field of the answer", name.as_str(), &operation.answer.names());
        }
    }
}
