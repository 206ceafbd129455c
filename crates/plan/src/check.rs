//! Whether a procedure is well formed: slots are bound before they are used, every outcome has its arm, every path ends,
//! nothing leaves the database inside a transaction. The planner asserts it, and `serve` asks again before it runs a plan.

use crate::procedure::{Input, Item, LimitKey, Outcome, Procedure, Response, Step, StepPlace};
use crate::query::{Assigned, Output, Predicate, Query, Write};
use crate::value::{Condition, Value};
use std::collections::BTreeMap;
use vocab::SlotName;

/// What a slot holds at some point of a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotState {
    /// A value.
    Value,
    /// An outcome that must be matched first; these are the ways it may come out.
    Pending(&'static [Outcome]),
    /// Matched, and the outcome carries no value.
    Empty,
}

type Slots = BTreeMap<SlotName, SlotState>;

/// Every way in which the procedure is not well formed, as sentences; empty when it is.
#[must_use]
pub fn violations(procedure: &Procedure) -> Vec<String> {
    let mut checker = Checker { found: Vec::new() };
    let end = checker.block(&procedure.body, Slots::new(), Surroundings::Plain);
    if end.is_some() {
        checker.found.push("a path does not end in an exit".to_owned());
    }
    checker.found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Surroundings {
    Plain,
    Transaction,
}

struct Checker {
    found: Vec<String>,
}

impl Checker {
    /// The slots at the block's end, or `None` when every path of it exits.
    fn block(&mut self, items: &[Item], mut slots: Slots, surroundings: Surroundings) -> Option<Slots> {
        for (index, item) in items.iter().enumerate() {
            slots = match self.item(item, slots, surroundings) {
                Some(slots) => slots,
                None => {
                    if index + 1 < items.len() {
                        self.found.push("items after an exit are never reached".to_owned());
                    }
                    return None;
                }
            };
        }
        Some(slots)
    }

    fn item(&mut self, item: &Item, mut slots: Slots, surroundings: Surroundings) -> Option<Slots> {
        match item {
            Item::Let(slot, step) => {
                self.step(step, &slots, surroundings);
                let state = step.outcomes().map_or(SlotState::Value, SlotState::Pending);
                if slots.insert(slot.clone(), state).is_some() {
                    self.found.push(format!("slot `{slot}` is bound twice"));
                }
                Some(slots)
            }
            Item::Do(step) => {
                self.step(step, &slots, surroundings);
                Some(slots)
            }
            Item::Transaction(body) => {
                if surroundings == Surroundings::Transaction {
                    self.found.push("a transaction inside a transaction".to_owned());
                }
                let end = self.block(body, slots, Surroundings::Transaction);
                let promises = body.iter().any(promises);
                let recalls = |item: &&Item| matches!(item, Item::Let(_, Step::Recall(_)) | Item::Do(Step::Recall(_)));
                if body.iter().skip(1).any(|item| recalls(&item)) {
                    self.found.push("a transaction recalls an answer after its first step".to_owned());
                }
                if promises && body.first().filter(recalls).is_none() {
                    self.found.push("a transaction promises an answer that it does not recall".to_owned());
                }
                if end.is_some() && body.first().filter(recalls).is_some() && !promises {
                    self.found.push("a transaction that keeps its answer goes on behind it".to_owned());
                }
                end
            }
            Item::Each(each) => {
                self.slot(&each.of, &slots);
                let mut inner = slots.clone();
                inner.insert(each.item.clone(), SlotState::Value);
                match self.block(&each.body, inner, surroundings) {
                    Some(end) => each.gives.iter().for_each(|(_, value)| self.value(value, &end)),
                    None => self.found.push(format!("`{}` ends with its first record", each.into)),
                }
                if slots.insert(each.into.clone(), SlotState::Value).is_some() {
                    self.found.push(format!("slot `{}` is bound twice", each.into));
                }
                Some(slots)
            }
            Item::Promise(response) => {
                if surroundings == Surroundings::Plain {
                    self.found.push("an answer is promised outside a transaction".to_owned());
                }
                self.response(response, &slots);
                Some(slots)
            }
            Item::Match(slot, arms) => self.arms(slot, arms, &slots, surroundings),
            Item::Exit(response, _) => {
                self.response(response, &slots);
                None
            }
        }
    }

    /// A slot lives on after the match when every arm that goes on has bound it.
    fn arms(
        &mut self,
        slot: &SlotName,
        arms: &[(Outcome, Vec<Item>)],
        slots: &Slots,
        surroundings: Surroundings,
    ) -> Option<Slots> {
        let outcomes = match slots.get(slot) {
            Some(SlotState::Pending(outcomes)) => *outcomes,
            Some(SlotState::Value | SlotState::Empty) => {
                self.found.push(format!("slot `{slot}` has no outcome to match"));
                return Some(slots.clone());
            }
            None => {
                self.found.push(format!("slot `{slot}` is matched before it is bound"));
                return Some(slots.clone());
            }
        };
        let given: Vec<Outcome> = arms.iter().map(|(outcome, _)| *outcome).collect();
        if given != outcomes {
            self.found.push(format!("slot `{slot}` comes out as {outcomes:?}, the arms are {given:?}"));
        }
        let mut after: Option<Slots> = None;
        for (outcome, body) in arms {
            let mut slots = slots.clone();
            let state = if outcome.carries_value() { SlotState::Value } else { SlotState::Empty };
            slots.insert(slot.clone(), state);
            if let Some(end) = self.block(body, slots, surroundings) {
                after = Some(match after {
                    None => end,
                    Some(others) => others.into_iter().filter(|(name, state)| end.get(name) == Some(state)).collect(),
                });
            }
        }
        after
    }

    fn step(&mut self, step: &Step, slots: &Slots, surroundings: Surroundings) {
        match (step.place(), surroundings) {
            (StepPlace::Outside, Surroundings::Transaction) => {
                self.found.push(format!("{} inside a transaction", crate::print::step_name(step)));
            }
            (StepPlace::Inside, Surroundings::Plain) => {
                self.found.push(format!("{} outside a transaction", crate::print::step_name(step)));
            }
            (StepPlace::Anywhere, _)
            | (StepPlace::Outside, Surroundings::Plain)
            | (StepPlace::Inside, Surroundings::Transaction) => {}
        }
        match step {
            Step::Limit { by: LimitKey::Field(slot, _), .. } | Step::Spare { by: LimitKey::Field(slot, _), .. } => {
                self.slot(slot, slots);
            }
            Step::LimitEach { by: LimitKey::Field(slot, _), of, .. }
            | Step::Part { by: LimitKey::Field(slot, _), of, .. } => {
                self.slot(slot, slots);
                self.slot(of, slots);
            }
            Step::LimitEach { by: LimitKey::Principal | LimitKey::Address, of, .. }
            | Step::Part { by: LimitKey::Principal | LimitKey::Address, of, .. } => self.slot(of, slots),
            Step::Authorize { .. }
            | Step::Form
            | Step::Limit { by: LimitKey::Principal | LimitKey::Address, .. }
            | Step::Spare { by: LimitKey::Principal | LimitKey::Address, .. }
            | Step::Claim
            | Step::SameOrigin
            | Step::SetSession(None)
            | Step::Ping
            | Step::Generate(_)
            | Step::Received(_)
            | Step::Hear(_) => {}
            Step::Recall(claim) => self.slot(claim, slots),
            Step::Validate(
                Input::Body(_)
                | Input::Changes(_)
                | Input::Patch(_)
                | Input::List(_)
                | Input::Parameters(_)
                | Input::Query(_)
                | Input::Listing(_)
                | Input::Selection(_),
            ) => {}
            Step::Patched { patch, row } => {
                self.slot(patch, slots);
                self.slot(row, slots);
            }
            Step::May { method, path } => {
                self.value(method, slots);
                self.value(path, slots);
            }
            Step::Check(condition) => self.condition(condition, slots),
            Step::Evaluate(value)
            | Step::Digest(value)
            | Step::Successor(value)
            | Step::SetSession(Some(value))
            | Step::HashPassword(value) => {
                self.value(value, slots);
            }
            Step::VerifyPassword { password, hash } => {
                self.value(password, slots);
                self.value(hash, slots);
            }
            Step::Read { query, filled_by, .. } => {
                self.query(query, slots);
                if let Some(slot) = filled_by {
                    self.slot(slot, slots);
                }
            }
            Step::Write(write) => self.write(write, slots),
            Step::Emit { payload: input, id, .. } => {
                id.iter().for_each(|id| self.slot(id, slots));
                input.iter().for_each(|(_, value)| self.value(value, slots));
            }
            Step::Fetch { input, .. } | Step::IssueToken { claims: input, .. } => {
                input.iter().for_each(|(_, value)| self.value(value, slots));
            }
            Step::Await { id: value, .. } | Step::Presign { key: value, .. } => self.value(value, slots),
        }
    }

    fn write(&mut self, write: &Write, slots: &Slots) {
        match write {
            Write::Insert { values, .. } => values.iter().for_each(|(_, value)| self.value(value, slots)),
            Write::Update { set, filter, .. } => {
                for (_, assigned) in set {
                    match assigned {
                        Assigned::Value(value) | Assigned::Known(value) | Assigned::Less(value) => {
                            self.value(value, slots)
                        }
                        Assigned::Plus(_) => {}
                        Assigned::IfGiven(slot, _) => self.slot(slot, slots),
                    }
                }
                self.predicates(filter, slots);
            }
            Write::Delete { filter, .. } => self.predicates(filter, slots),
            Write::Add(add) => self.predicates(&add.filter, slots),
        }
    }

    fn query(&mut self, query: &Query, slots: &Slots) {
        self.predicates(&query.filter, slots);
        for output in &query.outputs {
            match output {
                Output::Column { .. } => {}
                Output::Related(related) => {
                    related.through.iter().for_each(|through| self.predicates(&through.filter, slots));
                    self.query(&related.query, slots);
                }
            }
        }
    }

    fn predicates(&mut self, predicates: &[Predicate], slots: &Slots) {
        for predicate in predicates {
            match predicate {
                Predicate::Compare(_, _, value) => self.value(value, slots),
                Predicate::Test(left, _, right) => {
                    self.value(left, slots);
                    self.value(right, slots);
                }
                Predicate::Null(_) => {}
                Predicate::Any(inner) | Predicate::All(inner) => self.predicates(inner, slots),
                Predicate::Not(inner) => self.predicates(std::slice::from_ref(inner), slots),
            }
        }
    }

    fn condition(&mut self, condition: &Condition, slots: &Slots) {
        match condition {
            Condition::Compare(left, _, right) => {
                self.value(left, slots);
                self.value(right, slots);
            }
            Condition::Present(value) | Condition::Current(value) => self.value(value, slots),
            Condition::Prefers(_) => {}
            Condition::All(inner) | Condition::Any(inner) => {
                inner.iter().for_each(|condition| self.condition(condition, slots));
            }
            Condition::Not(inner) => self.condition(inner, slots),
        }
    }

    fn response(&mut self, response: &Response, slots: &Slots) {
        match response {
            Response::Answer { body, tag, location, .. } => {
                body.iter().for_each(|field| self.value(&field.value, slots));
                tag.iter().for_each(|tag| self.value(tag, slots));
                location.iter().for_each(|location| self.value(&location.key, slots));
            }
            Response::Record { asked, body, tag } => {
                self.slot(asked, slots);
                body.iter().for_each(|field| self.value(&field.value, slots));
                self.value(tag, slots);
            }
            Response::Rows { slot, .. } | Response::Records { slot, .. } => self.slot(slot, slots),
            Response::Redirect(value) => self.value(value, slots),
            Response::Problem(_)
            | Response::UnknownReference(_)
            | Response::Inconsistent { .. }
            | Response::Entry { .. }
            | Response::Short { .. }
            | Response::Done => {}
        }
    }

    fn value(&mut self, value: &Value, slots: &Slots) {
        match value {
            Value::Literal(_) | Value::Now | Value::Today | Value::After(_) | Value::Request(_) => {}
            Value::Else(first, second) | Value::Times(first, second) => {
                self.value(first, slots);
                self.value(second, slots);
            }
            Value::Prefixed(_, inner) => self.value(inner, slots),
            Value::Sum(slot, _) => self.slot(slot, slots),
            Value::Slot(slot) | Value::Field(slot, _) | Value::Given(slot, _) => self.slot(slot, slots),
            Value::Changed(changes, _, row) => {
                self.slot(changes, slots);
                self.slot(row, slots);
            }
            Value::Record(fields) => fields.iter().for_each(|(_, value)| self.value(value, slots)),
        }
    }

    fn slot(&mut self, slot: &SlotName, slots: &Slots) {
        match slots.get(slot) {
            Some(SlotState::Value) => {}
            Some(SlotState::Pending(_)) => self.found.push(format!("slot `{slot}` is used before it is matched")),
            Some(SlotState::Empty) => self.found.push(format!("slot `{slot}` holds no value here")),
            None => self.found.push(format!("slot `{slot}` is used before it is bound")),
        }
    }
}

/// Whether an answer is promised somewhere in the item.
fn promises(item: &Item) -> bool {
    match item {
        Item::Promise(_) => true,
        Item::Match(_, arms) => arms.iter().any(|(_, body)| body.iter().any(promises)),
        Item::Transaction(body) => body.iter().any(promises),
        Item::Each(each) => each.body.iter().any(promises),
        Item::Let(..) | Item::Do(_) | Item::Exit(..) => false,
    }
}
