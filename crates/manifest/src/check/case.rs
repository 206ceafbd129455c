//! What must hold in `cases.yaml`: the names in it are those of the manifest, and a case says something.

use super::place::{At, Findings, ManifestFile, Rule};
use super::scope::required;
use crate::Manifest;
use crate::cases::{Case, Cases};

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
