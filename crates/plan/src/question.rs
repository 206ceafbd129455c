//! What a procedure asks before it does anything: a procedure comes in, one that ends with the same refusals and changes nothing goes
//! out. It depends on who calls and on the path alone, so that it can be asked whether a request would be let through
//! ([`Step::May`]) before there is a body to send.

use crate::procedure::{Input, Item, Outcome, Procedure, Response, Step, Writes, always_exits};
use crate::query::{Cardinality, Holes, Output, Predicate, Query, RowLock, Write};
use crate::value::{Condition, RequestValue, Value};
use crate::{Cache, Plan};
use std::collections::BTreeSet;
use vocab::{FieldName, SlotName};

/// The procedure's question: every path ends with a problem of the procedure's, or lets the request through. What hangs on the body, on
/// the query string or on another header than the proofs is taken to be right; limits count nothing.
#[must_use]
pub fn of(procedure: &Procedure) -> Procedure {
    let mut asker = Asker { known: BTreeSet::new() };
    let mut body = Vec::new();
    if !asker.items(&procedure.body, &mut body) {
        end(&mut body);
    }
    Procedure { name: procedure.name.clone(), trigger: procedure.trigger.clone(), body }
}

/// The plan with the questions of its endpoints in the place of their procedures. Their answers are kept by nobody.
#[must_use]
pub fn of_plan(plan: &Plan) -> Plan {
    let mut asking = plan.clone();
    for endpoint in &mut asking.api.endpoints {
        endpoint.procedure = of(&endpoint.procedure);
        endpoint.cache = Cache::NoStore;
    }
    asking
}

/// How a question ends that nothing refuses.
fn let_through() -> Item {
    Item::Exit(Response::Answer { status: 204, body: Vec::new(), tag: None, location: None }, Writes::Keep)
}

/// Ends the question so; outcomes before it that decide nothing need not be asked.
fn end(asked: &mut Vec<Item>) -> bool {
    let decides_nothing =
        |arms: &[(Outcome, Vec<Item>)]| arms.iter().all(|(_, body)| body.is_empty() || *body == [let_through()]);
    while let Some(Item::Match(slot, arms)) = asked.last()
        && decides_nothing(arms)
    {
        let slot = slot.clone();
        asked.pop();
        asked.pop_if(|item| matches!(item, Item::Let(bound, _) if *bound == slot));
    }
    asked.push(let_through());
    true
}

struct Asker {
    /// Slots that the question binds too.
    known: BTreeSet<SlotName>,
}

impl Asker {
    /// What the items ask; whether every path of it has ended.
    fn items(&mut self, items: &[Item], asked: &mut Vec<Item>) -> bool {
        let mut rest = items.iter().peekable();
        while let Some(item) = rest.next() {
            let has_ended = match item {
                Item::Let(slot, Step::Write(write)) => {
                    let question = self.existence(write);
                    let missing = rest.peek().and_then(|next| unchanged(slot, next));
                    match (question, missing) {
                        (Some(question), Some(missing)) => {
                            asked.push(Item::Let(slot.clone(), question));
                            let mut refusal = Vec::new();
                            if !self.clone_of().items(missing, &mut refusal) {
                                end(&mut refusal);
                            }
                            let found = (Outcome::Found, vec![let_through()]);
                            asked.push(Item::Match(slot.clone(), vec![found, (Outcome::Missing, refusal)]));
                        }
                        _ => drop(end(asked)),
                    }
                    true
                }
                Item::Let(_, step) | Item::Do(step) if does(step) => end(asked),
                Item::Let(slot, step) => {
                    if let Some(step) = self.kept(step) {
                        self.known.insert(slot.clone());
                        asked.push(Item::Let(slot.clone(), step));
                    }
                    false
                }
                Item::Do(step) => {
                    asked.extend(self.kept(step).map(Item::Do));
                    false
                }
                Item::Transaction(body) => self.items(body, asked),
                Item::Match(slot, arms) => self.arms(slot, arms, asked),
                Item::Exit(response @ Response::Problem(_), _) => {
                    asked.push(Item::Exit(response.clone(), Writes::Keep));
                    true
                }
                Item::Exit(..) => end(asked),
                // They go through what the body brings, or promise an answer.
                Item::Each(_) | Item::Promise(_) => false,
            };
            if has_ended {
                return true;
            }
        }
        false
    }

    /// The arms of an outcome that the question knows too; else what lies behind the only arm that goes on.
    fn arms(&mut self, slot: &SlotName, arms: &[(Outcome, Vec<Item>)], asked: &mut Vec<Item>) -> bool {
        if self.known.contains(slot) {
            let mut have_ended = true;
            let mut after: Option<BTreeSet<SlotName>> = None;
            let arm = |(outcome, body): &(Outcome, Vec<Item>)| {
                let (mut inner, mut items) = (self.clone_of(), Vec::new());
                if !inner.items(body, &mut items) {
                    have_ended = false;
                    after = Some(match after.take() {
                        None => inner.known,
                        Some(others) => others.intersection(&inner.known).cloned().collect(),
                    });
                }
                (*outcome, items)
            };
            let arms: Vec<(Outcome, Vec<Item>)> = arms.iter().map(arm).collect();
            asked.push(Item::Match(slot.clone(), arms));
            self.known.extend(after.into_iter().flatten());
            return have_ended;
        }
        let mut going_on = arms.iter().filter(|(_, body)| !always_exits(body));
        match (going_on.next(), going_on.next()) {
            (Some((_, body)), None) => self.items(body, asked),
            (None, _) | (Some(_), Some(_)) => end(asked),
        }
    }

    fn clone_of(&self) -> Self {
        Self { known: self.known.clone() }
    }

    /// The step as the question takes it, where it says something of the caller or of the path.
    fn kept(&self, step: &Step) -> Option<Step> {
        match step {
            Step::Authorize { .. } | Step::Validate(Input::Parameters(_)) => Some(step.clone()),
            // Which of its fields are wanted says nothing of whether it is there.
            Step::Read { query, cardinality: Cardinality::One, filled_by: _ } => {
                let query = Query { lock: RowLock::None, holes: Holes::default(), ..query.of_columns() };
                let is_known = self.know_predicates(&query.filter);
                is_known.then_some(Step::Read { query, cardinality: Cardinality::One, filled_by: None })
            }
            Step::Check(condition) => self.knows_condition(condition).then(|| step.clone()),
            Step::Evaluate(value) | Step::Digest(value) | Step::Successor(value) => {
                self.knows(value).then(|| step.clone())
            }
            Step::Validate(
                Input::Body(_)
                | Input::Changes(_)
                | Input::Patch(_)
                | Input::List(_)
                | Input::Query(_)
                | Input::Listing(_)
                | Input::Selection(_),
            )
            | Step::Read { .. }
            | Step::Limit { .. }
            | Step::LimitEach { .. }
            | Step::Part { .. }
            | Step::Form
            | Step::Spare { .. }
            | Step::Claim
            | Step::Recall(_)
            | Step::SameOrigin
            | Step::Patched { .. }
            | Step::May { .. }
            | Step::Ping
            | Step::Generate(_)
            | Step::HashPassword(_)
            | Step::VerifyPassword { .. }
            | Step::Received(_)
            | Step::Hear(_)
            | Step::SetSession(_)
            | Step::Write(_)
            | Step::Emit { .. }
            | Step::Await { .. }
            | Step::Fetch { .. }
            | Step::IssueToken { .. }
            | Step::Presign { .. } => None,
        }
    }

    /// Whether there is a row that the write would change.
    fn existence(&self, write: &Write) -> Option<Step> {
        let (Write::Update { .. } | Write::Delete { .. }) = write else { return None };
        let (table, filter) = write.filter();
        let column = filter.iter().find_map(|predicate| match predicate {
            Predicate::Compare(column, ..) => Some(column),
            Predicate::Test(..) | Predicate::Null(_) | Predicate::Any(_) | Predicate::All(_) | Predicate::Not(_) => {
                None
            }
        })?;
        let field = FieldName::parse(column.as_str()).ok()?;
        let query = Query {
            from: table.clone(),
            outputs: vec![Output::Column { column: column.clone(), field }],
            filter: filter.to_vec(),
            order: Vec::new(),
            holes: Holes::default(),
            lock: RowLock::None,
        };
        let is_known = self.know_predicates(filter);
        is_known.then_some(Step::Read { query, cardinality: Cardinality::One, filled_by: None })
    }

    fn know_predicates(&self, predicates: &[Predicate]) -> bool {
        predicates.iter().all(|predicate| match predicate {
            Predicate::Compare(_, _, value) => self.knows(value),
            Predicate::Test(left, _, right) => self.knows(left) && self.knows(right),
            Predicate::Null(_) => true,
            Predicate::Any(inner) | Predicate::All(inner) => self.know_predicates(inner),
            Predicate::Not(inner) => self.know_predicates(std::slice::from_ref(inner)),
        })
    }

    fn knows_condition(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Compare(left, _, right) => self.knows(left) && self.knows(right),
            Condition::Present(value) => self.knows(value),
            Condition::Current(_) | Condition::Prefers(_) => false,
            Condition::All(inner) | Condition::Any(inner) => inner.iter().all(|one| self.knows_condition(one)),
            Condition::Not(inner) => self.knows_condition(inner),
        }
    }

    fn knows(&self, value: &Value) -> bool {
        match value {
            Value::Literal(_)
            | Value::Now
            | Value::Today
            | Value::After(_)
            | Value::Request(RequestValue::Path(_) | RequestValue::Address) => true,
            Value::Request(RequestValue::Query(_) | RequestValue::Cookie(_) | RequestValue::Id) => false,
            Value::Slot(slot) | Value::Field(slot, _) | Value::Given(slot, _) | Value::Sum(slot, _) => {
                self.known.contains(slot)
            }
            Value::Changed(changes, _, row) => self.known.contains(changes) && self.known.contains(row),
            Value::Else(first, second) | Value::Times(first, second) => self.knows(first) && self.knows(second),
            Value::Prefixed(_, inner) => self.knows(inner),
            Value::Record(fields) => fields.iter().all(|(_, value)| self.knows(value)),
        }
    }
}

/// Whether the step does something, so that what lies behind it cannot be asked without having done it.
fn does(step: &Step) -> bool {
    match step {
        Step::SetSession(_)
        | Step::Write(_)
        | Step::Emit { .. }
        | Step::Await { .. }
        | Step::Fetch { .. }
        | Step::IssueToken { .. }
        | Step::Presign { .. } => true,
        Step::Authorize { .. }
        | Step::Limit { .. }
        | Step::LimitEach { .. }
        | Step::Part { .. }
        | Step::Form
        | Step::Spare { .. }
        | Step::Claim
        | Step::Recall(_)
        | Step::SameOrigin
        | Step::Validate(_)
        | Step::Patched { .. }
        | Step::May { .. }
        | Step::Ping
        | Step::Generate(_)
        | Step::Evaluate(_)
        | Step::Check(_)
        | Step::Digest(_)
        | Step::Successor(_)
        | Step::HashPassword(_)
        | Step::VerifyPassword { .. }
        | Step::Read { .. }
        | Step::Received(_)
        | Step::Hear(_) => false,
    }
}

/// What happens where the write in that slot has changed nothing.
fn unchanged<'a>(slot: &SlotName, next: &'a Item) -> Option<&'a [Item]> {
    let Item::Match(matched, arms) = next else { return None };
    let arm = arms.iter().find(|(outcome, _)| *outcome == Outcome::Unchanged).filter(|_| matched == slot);
    arm.map(|(_, body)| &body[..])
}
