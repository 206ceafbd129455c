//! Which slots the items of a procedure bind, and which they use. It reads items and says names; it knows no plan.

use plan::procedure::{Item, Response, Step, flattened};
use plan::query::{Assigned, Predicate, Write};
use plan::value::{Condition, Value};
use std::collections::BTreeSet;
use vocab::SlotName;

/// The slots that the items bind.
pub fn bound_slots(items: &[Item]) -> BTreeSet<SlotName> {
    flattened(items).into_iter().flat_map(bound_by).cloned().collect()
}

/// The slots that the items use: their values, or how they came out.
pub fn used_slots(items: &[Item]) -> BTreeSet<SlotName> {
    let mut found = BTreeSet::new();
    for item in flattened(items) {
        let mut values = Vec::new();
        match item {
            Item::Let(_, step) | Item::Do(step) => {
                values_of_step(step, &mut values);
                found.extend(slots_of_step(step));
            }
            Item::Each(each) => {
                found.insert(each.of.clone());
                values.extend(each.gives.iter().map(|(_, value)| value));
            }
            Item::Exit(Response::Answer { body, tag, location, .. }, _)
            | Item::Promise(Response::Answer { body, tag, location, .. }) => {
                values.extend(body.iter().map(|field| &field.value));
                values.extend(tag);
                values.extend(location.as_ref().map(|location| &location.key));
            }
            Item::Exit(Response::Record { asked, body, tag }, _) => {
                found.insert(asked.clone());
                values.extend(body.iter().map(|field| &field.value));
                values.push(tag);
            }
            Item::Exit(Response::Redirect(value), _) => values.push(value),
            Item::Match(slot, _) | Item::Exit(Response::Rows { slot, .. } | Response::Records { slot, .. }, _) => {
                found.insert(slot.clone());
            }
            Item::Transaction(_)
            | Item::Promise(_)
            | Item::Exit(
                Response::Problem(_)
                | Response::UnknownReference(_)
                | Response::Inconsistent { .. }
                | Response::Entry { .. }
                | Response::Short { .. }
                | Response::Done,
                _,
            ) => {}
        }
        values.into_iter().for_each(|value| value.slots(&mut found));
    }
    found
}

fn bound_by(item: &Item) -> Vec<&SlotName> {
    match item {
        Item::Let(slot, _) => vec![slot],
        Item::Each(each) => vec![&each.item, &each.into],
        Item::Do(_) | Item::Transaction(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => Vec::new(),
    }
}

/// The slots that the step names by themselves, outside of values.
fn slots_of_step(step: &Step) -> Vec<SlotName> {
    match step {
        Step::Read { filled_by, .. } => filled_by.iter().cloned().collect(),
        Step::Recall(claim) => vec![claim.clone()],
        Step::LimitEach { of, .. } | Step::Part { of, .. } => vec![of.clone()],
        Step::Patched { patch, row } => vec![patch.clone(), row.clone()],
        Step::Emit { id, .. } => id.iter().cloned().collect(),
        Step::Write(Write::Update { set, .. }) => set
            .iter()
            .filter_map(|(_, assigned)| match assigned {
                Assigned::IfGiven(slot, _) => Some(slot.clone()),
                Assigned::Value(_) | Assigned::Known(_) | Assigned::Plus(_) | Assigned::Less(_) => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn values_of_step<'a>(step: &'a Step, values: &mut Vec<&'a Value>) {
    match step {
        Step::Check(condition) => values_of_condition(condition, values),
        Step::Read { query, .. } => {
            values_of_predicates(&query.filter, values);
            for related in query.related() {
                values_of_predicates(&related.query.filter, values);
                related.through.iter().for_each(|through| values_of_predicates(&through.filter, values));
            }
        }
        Step::Write(Write::Insert { values: row, .. }) => values.extend(row.iter().map(|(_, value)| value)),
        Step::Write(Write::Update { set, filter, .. }) => {
            values.extend(set.iter().filter_map(|(_, assigned)| match assigned {
                Assigned::Value(value) | Assigned::Known(value) | Assigned::Less(value) => Some(value),
                Assigned::Plus(_) | Assigned::IfGiven(..) => None,
            }));
            values_of_predicates(filter, values);
        }
        Step::Write(Write::Delete { filter, .. }) => values_of_predicates(filter, values),
        Step::Write(Write::Add(add)) => values_of_predicates(&add.filter, values),
        Step::Emit { payload: fields, .. }
        | Step::Fetch { input: fields, .. }
        | Step::IssueToken { claims: fields, .. } => values.extend(fields.iter().map(|(_, value)| value)),
        Step::VerifyPassword { password, hash } => values.extend([password, hash]),
        Step::May { method, path } => values.extend([method, path]),
        Step::Evaluate(value)
        | Step::Digest(value)
        | Step::Successor(value)
        | Step::HashPassword(value)
        | Step::SetSession(Some(value))
        | Step::Await { id: value, .. }
        | Step::Presign { key: value, .. } => values.push(value),
        Step::Authorize { .. }
        | Step::Limit { .. }
        | Step::LimitEach { .. }
        | Step::Part { .. }
        | Step::Form
        | Step::Spare { .. }
        | Step::Claim
        | Step::SameOrigin
        | Step::SetSession(None)
        | Step::Recall(_)
        | Step::Patched { .. }
        | Step::Validate(_)
        | Step::Ping
        | Step::Generate(_)
        | Step::Received(_)
        | Step::Hear(_) => {}
    }
}

fn values_of_predicates<'a>(predicates: &'a [Predicate], values: &mut Vec<&'a Value>) {
    for predicate in predicates {
        match predicate {
            Predicate::Compare(_, _, value) => values.push(value),
            Predicate::Test(left, _, right) => values.extend([left, right]),
            Predicate::Null(_) => {}
            Predicate::Any(inner) | Predicate::All(inner) => values_of_predicates(inner, values),
            Predicate::Not(inner) => values_of_predicates(std::slice::from_ref(inner), values),
        }
    }
}

fn values_of_condition<'a>(condition: &'a Condition, values: &mut Vec<&'a Value>) {
    match condition {
        Condition::Compare(left, _, right) => values.extend([left, right]),
        Condition::Present(value) | Condition::Current(value) => values.push(value),
        Condition::Prefers(_) => {}
        Condition::All(list) | Condition::Any(list) => {
            list.iter().for_each(|condition| values_of_condition(condition, values));
        }
        Condition::Not(inner) => values_of_condition(inner, values),
    }
}
