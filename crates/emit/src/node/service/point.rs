//! What is done at which event: the points of the manifest with their steps.

use super::expression::Place;
use super::{Members, Module, Script, Written, text};
use crate::node::script::Expression;
use manifest::Manifest;
use manifest::operation::IfReplyIsLost;
use manifest::point::{Call, Calls, Point};
use manifest::sync::Deletes;
use manifest::webhook::Verification;

/// The operations that points call, those that tell whether these have happened, and those that are asked about a call.
pub(super) fn operations(manifest: &Manifest) -> Vec<&str> {
    let called = calls(manifest).flat_map(|(_, calls)| calls.steps.iter().map(|call| call.operation.as_str()));
    let mut names: Vec<&str> = called.collect();
    let looks = |name: &&str| match &manifest.operations.get(name)?.if_reply_is_lost {
        Some(IfReplyIsLost::LookUp(look_up)) => Some(look_up.operation.as_str()),
        Some(IfReplyIsLost::Repeat | IfReplyIsLost::Stop) | None => None,
    };
    let asked: Vec<&str> = names.iter().filter_map(looks).collect();
    names.extend(asked);
    let of_calls = manifest.webhooks.iter().flat_map(|webhooks| &webhooks.verify).filter_map(|way| match way {
        Verification::Ask { operation, .. } => Some(operation.as_str()),
        _ => None,
    });
    names.extend(of_calls);
    let read = manifest.syncs.iter().filter(|(_, sync)| sync.into.is_some());
    let read: Vec<_> = read.map(|(_, sync)| sync).collect();
    names.extend(read.iter().map(|sync| sync.read.as_str()));
    names.extend(read.iter().filter_map(|sync| match &sync.deletes {
        Deletes::Read { operation, .. } => Some(operation.as_str()),
        Deletes::Flag { .. } | Deletes::FullScan { .. } | Deletes::Unseen(_) => None,
    }));
    let drift = manifest.provider.drift.fields.iter().filter(|_| !read.is_empty());
    names.extend(drift.map(|fields| fields.operation.as_str()));
    names
}

fn calls(manifest: &Manifest) -> impl Iterator<Item = (&str, &Calls)> {
    manifest.points.points.iter().filter_map(|(name, point)| match point {
        Point::Calls(calls) => Some((name.as_str(), calls)),
        Point::Nothing(_) | Point::InBrowser(_) => None,
    })
}

impl Module<'_> {
    pub(super) fn points(&mut self, script: &mut Script) -> Written<()> {
        let mut points = Vec::new();
        for (name, calls) in calls(self.manifest) {
            points.push((name.to_owned(), self.point(calls)?));
        }
        script.blank();
        script.line("/** What is done at which event. `needs` are the fields without which it is not. */");
        script.statement("const points = ", &Expression::Lines(points));
        Ok(())
    }

    fn point(&mut self, calls: &Calls) -> Written<Expression> {
        let mut members = Members::default();
        let needs = calls.takes.iter().filter(|(_, taken)| taken.required).map(|(name, _)| text(name.as_str()));
        members.add("needs", Expression::Array(needs.collect()));
        if let Some(order) = &calls.in_order_of {
            members.add("inOrderOf", self.writer.function(|writer| writer.text(order, Place::Plain))?);
        }
        let steps = calls.steps.iter().map(|call| self.step(call)).collect::<Written<_>>()?;
        members.add("steps", Expression::Array(steps));
        Ok(Expression::Lines(members.0))
    }

    fn step(&mut self, call: &Call) -> Written<Expression> {
        let mut members = Members::default();
        members.add("name", text(call.step().as_str()));
        members.add("operation", Expression::text(&self.functions[call.operation.as_str()]));
        for (name, asked) in [("unless", &call.unless), ("onlyIf", &call.only_if)] {
            if let Some(asked) = asked {
                members.add(name, self.writer.function(|writer| writer.text(asked, Place::Plain))?);
            }
        }
        let input = self.writer.function(|writer| {
            let fields = call.input.iter();
            let fields = fields.map(|(name, given)| Ok((name.to_string(), writer.document(given, Place::Plain)?)));
            Ok(Expression::Object(fields.collect::<Written<_>>()?))
        });
        members.add("input", input?);
        if !call.remember.is_empty() {
            let kept = self.writer.function(|writer| {
                let fields = call.remember.iter();
                let fields = fields.map(|(name, value)| Ok((name.to_string(), writer.text(value, Place::Plain)?)));
                Ok(Expression::Object(fields.collect::<Written<_>>()?))
            });
            members.add("remember", kept?);
        }
        Ok(Expression::Lines(members.0))
    }
}
