//! What must hold in `points.yaml` and `syncs.yaml`.

use super::operation::inputs;
use super::place::{At, Findings, ManifestFile, Rule};
use super::scope::{Scope, not_below, required};
use crate::kind::Kind;
use crate::operation::{Effect, NextPage, Operation};
use crate::point::{Call, Calls, Given, Point};
use crate::sync::{Cursor, Deletes, Rows, Sync};
use crate::{Entries, Manifest, Template};
use vocab::FieldName;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let file = At::file(ManifestFile::Points);
    fields(manifest, &file.to("fields"), findings);
    let at = file.to("points");
    // With every field that a task could choose.
    let filled = manifest.points.with_fields(&manifest.points.fields);
    for (event, point) in filled.points.iter() {
        let place = at.to(event);
        match point {
            Point::Nothing(_) => {}
            Point::InBrowser(_) => {
                let known = manifest.browser.as_ref().map(|browser| browser.points.names()).unwrap_or_default();
                findings.must_be_known(&place.to("in_browser"), "point of `browser.yaml`", event.as_str(), &known);
            }
            Point::Calls(calls) => self::calls(manifest, &place.to("calls"), calls, findings),
        }
    }
}

/// What a task may have passed on is something there, and what makes it known exists.
fn fields(manifest: &Manifest, at: &At, findings: &mut Findings) {
    for (name, field) in manifest.points.fields.iter() {
        let place = at.to(name);
        // What must be there may be said elsewhere: as the id of whom it is about.
        if field.is.is_empty() && !field.required {
            findings.add(&place.to("is"), Rule::Contradiction, "it is nothing there", "name a field of the provider");
        }
        if let Some(making) = &field.made_known_by {
            let scope = Scope::new(manifest, "where something is made known").with_account();
            asked(manifest, &place.to("made_known_by"), &making.operation, &making.input, &scope, findings);
        }
    }
}

fn calls<'m>(manifest: &'m Manifest, at: &At, calls: &'m Calls, findings: &mut Findings) {
    inputs(&at.to("takes"), &calls.takes, findings);
    let mut scope = Scope::new(manifest, "at a point")
        .with_account()
        .with_site()
        .with_delivery()
        .with_remembered()
        .with_event(&calls.takes);
    if let Some(order) = &calls.in_order_of {
        scope.text(&at.to("in_order_of"), order, findings);
    }
    if calls.steps.is_empty() {
        findings.add(&at.to("steps"), Rule::Contradiction, "nothing is called", "write `nothing:` with the reason");
    }
    let mut steps: Vec<&FieldName> = Vec::new();
    for (number, call) in calls.steps.iter().enumerate() {
        let place = at.to("steps").to(number);
        if steps.contains(&call.step()) {
            let message = format!("two steps are called `{}`", call.step());
            findings.add(&place, Rule::Contradiction, message, "give one of them a `name`");
        }
        steps.push(call.step());
        step(manifest, &place, call, &mut scope, findings);
        remembered(manifest, &place, calls, call, &scope, findings);
    }
    for (name, given) in calls.gives.iter() {
        self::given(&at.to("gives").to(name), name, given, &scope, findings);
    }
}

fn step<'m>(manifest: &'m Manifest, at: &At, call: &'m Call, scope: &mut Scope<'m>, findings: &mut Findings) {
    for (member, text) in [("unless", &call.unless), ("only_if", &call.only_if)] {
        if let Some(text) = text {
            scope.text(&at.to(member), text, findings);
        }
    }
    if let Some(operation) = asked(manifest, at, &call.operation, &call.input, scope, findings) {
        scope.with_answer(call.step(), &operation.answer);
    }
}

/// An operation that is called with values of a place; nothing where there is no such operation.
pub(super) fn asked<'m>(
    manifest: &'m Manifest,
    at: &At,
    name: &FieldName,
    given: &Entries<FieldName, Template>,
    scope: &Scope<'_>,
    findings: &mut Findings,
) -> Option<&'m Operation> {
    let known = manifest.operations.names();
    if !findings.must_be_known(&at.to("operation"), "operation", name.as_str(), &known) {
        return None;
    }
    let operation = manifest.operations.get(name.as_str())?;
    for (field, value) in given.iter() {
        let place = at.to("input").to(field);
        let what = format!("input of `{name}`");
        if findings.must_be_known(&place, &what, field.as_str(), &operation.input.names())
            && let Some(input) = operation.input.get(field.as_str())
        {
            let privacy = scope.given(&place, value, input, findings);
            not_below(&place, field.as_str(), privacy, input.privacy, findings);
        }
    }
    required(at, &format!("`{name}`"), &operation.input, &given.names(), findings);
    Some(operation)
}

fn remembered(manifest: &Manifest, at: &At, calls: &Calls, call: &Call, scope: &Scope<'_>, findings: &mut Findings) {
    for (name, value) in call.remember.iter() {
        let place = at.to("remember").to(name);
        let known = &manifest.points.remembers;
        if !findings.must_be_known(&place, "thing that is remembered", name.as_str(), &known.names()) {
            continue;
        }
        let Some(kept) = known.get(name.as_str()) else { continue };
        let found = scope.text_of(&place, value, kept.kind, findings);
        not_below(&place, name.as_str(), found.privacy, kept.privacy, findings);
        if calls.takes.get(kept.of.as_str()).is_none() {
            let message = format!("`{name}` is remembered of `{}`, which this point does not take", kept.of);
            findings.add(&place, Rule::Name, message, format!("add `{}` to `takes`", kept.of));
        }
    }
}

/// A value that somebody is given.
pub(super) fn given(at: &At, name: &FieldName, given: &Given, scope: &Scope<'_>, findings: &mut Findings) {
    let found = scope.text_of(&at.to("value"), &given.value, given.kind, findings);
    not_below(&at.to("value"), name.as_str(), found.privacy, given.privacy, findings);
}

pub(super) fn check_syncs(manifest: &Manifest, findings: &mut Findings) {
    let file = At::file(ManifestFile::Syncs);
    let operations = manifest.operations.names();
    for (name, sync) in manifest.syncs.iter() {
        let at = file.to(name);
        if sync.fields.is_empty() {
            findings.add(&at.to("fields"), Rule::Contradiction, "nothing is taken of a record", "name a field");
        }
        if let Deletes::Read { operation, .. } = &sync.deletes {
            let place = at.to("deletes").to("read").to("operation");
            findings.must_be_known(&place, "operation", operation.as_str(), &operations);
        }
        if !findings.must_be_known(&at.to("read"), "operation", sync.read.as_str(), &operations) {
            continue;
        }
        let Some(read) = manifest.operations.get(sync.read.as_str()) else { continue };
        if read.effect != Effect::Read || read.paging.is_none() {
            let message = format!("`{}` does not read page by page", sync.read);
            findings.add(&at.to("read"), Rule::Contradiction, message, "give it `effect: read` and `paging`");
        }
        if let Some(into) = &sync.into {
            rows(&at, sync, into, read, findings);
        }
        let Some(cursor) = &sync.cursor else { continue };
        let place = at.to("cursor").to("into");
        let what = format!("input of `{}`", sync.read);
        if findings.must_be_known(&place, &what, cursor.into.as_str(), &read.input.names()) {
            let input = read.input.get(cursor.into.as_str());
            if input.is_some_and(|input| !cursor.kind.fits(input.kind)) {
                let message = format!("`{}` is no `{}`", cursor.into, cursor.kind.as_str());
                let help = format!("give the input the type `{}`", cursor.kind.as_str());
                findings.add(&place, Rule::Kind, message, help);
            } else if input.is_some_and(|input| input.required) {
                let message = format!("`{}` must be given, and the first time there is nothing to give", cursor.into);
                findings.add(&place, Rule::Contradiction, message, "leave `required` out of the input");
            }
        }
    }
}

/// What has to be known of records that become rows of ours.
fn rows(at: &At, sync: &Sync, into: &Rows, read: &Operation, findings: &mut Findings) {
    findings.must_be_known(&at.to("into").to("by"), "field", into.by.as_str(), &sync.fields.names());
    let tells_when = |cursor: &Cursor| cursor.kind == Kind::Timestamp && !cursor.of_answer;
    if !sync.cursor.as_ref().is_some_and(tells_when) {
        let message = "nothing says when a record was changed last, so that no side is known to be the newer one";
        findings.add(&at.to("cursor"), Rule::Contradiction, message, "give it a `cursor` of the type `timestamp`");
    }
    if matches!(sync.deletes, Deletes::FullScan { .. }) {
        let message = "records that become rows are not read anew to see which are gone";
        findings.add(&at.to("deletes"), Rule::Contradiction, message, "say `read`, `flag` or `unseen`");
    }
    let next = read.paging.as_ref().map(|paging| &paging.next);
    if matches!(next, Some(NextPage::Offset { .. } | NextPage::Number { .. })) {
        let message = format!("`{}` counts its pages, and records move among them while they are read", sync.read);
        findings.add(&at.to("read"), Rule::Contradiction, message, "read them by a cursor");
    }
}
