//! What can be read off a procedure without running it: who may call, what comes in and goes out, every problem it can end
//! with, what its slots hold. The code generator and all documents take it from here, so they cannot disagree.

use plan::api::Endpoint;
use plan::procedure::{Generated, Input, Item, LimitKey, Response, ResponseField, Scheme, Step, Trigger};
use plan::query::{Assigned, Cardinality, OnConflict, Output, Predicate, Query, Write};
use plan::shape::{Presence, Shape};
use plan::value::{Condition, Value};
use plan::{Plan, Problem, Table, database::Nullability};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, Datum, EventName, FieldName, FieldType, PolicyName, SlotName, TableName};

/// An endpoint as its callers see it.
pub struct Outline<'a> {
    pub endpoint: &'a Endpoint,
    pub method: &'a str,
    pub path: &'a str,
    pub scheme: Option<Scheme>,
    pub limit: Option<(&'a PolicyName, LimitKey)>,
    pub shape: Option<&'a Shape>,
    /// The ways it can succeed, in order.
    pub answers: Vec<(u16, &'a [ResponseField])>,
    pub problems: BTreeSet<Problem>,
    pub events: Vec<&'a EventName>,
    pub slots: Slots,
}

/// The outlines of the endpoints that answer a request.
pub fn outlines(plan: &Plan) -> Vec<Outline<'_>> {
    plan.api.endpoints.iter().filter_map(|endpoint| outline(plan, endpoint)).collect()
}

fn outline<'a>(plan: &'a Plan, endpoint: &'a Endpoint) -> Option<Outline<'a>> {
    let (method, path) = match &endpoint.procedure.trigger {
        Trigger::Request { method, path } => (method, path),
        Trigger::GraphQl { .. } | Trigger::Event { .. } | Trigger::Schedule { .. } | Trigger::Webhook { .. } => {
            return None;
        }
    };
    let items = flattened(&endpoint.procedure.body);
    let steps: Vec<&Step> = items.iter().filter_map(|item| step_of(item)).collect();
    let mut answers: Vec<(u16, &[ResponseField])> = Vec::new();
    let mut events: Vec<&EventName> = Vec::new();
    for item in &items {
        if let Item::Exit(Response::Answer { status, body }, _) = item
            && !answers.contains(&(*status, body.as_slice()))
        {
            answers.push((*status, body));
        }
        if let Some(Step::Emit { event, .. }) = step_of(item)
            && !events.contains(&event)
        {
            events.push(event);
        }
    }
    Some(Outline {
        endpoint,
        method,
        path,
        scheme: steps.iter().find_map(|step| match step {
            Step::Authorize { scheme, .. } => Some(*scheme),
            _ => None,
        }),
        limit: steps.iter().find_map(|step| match step {
            Step::Limit { policy, by } => Some((policy, *by)),
            _ => None,
        }),
        shape: steps.iter().find_map(|step| match step {
            Step::Validate(Input::Body(shape)) => Some(shape),
            _ => None,
        }),
        answers,
        problems: problems(plan, &items),
        events,
        slots: Slots::of(plan, &endpoint.procedure.body),
    })
}

/// Every item, those inside transactions and arms too, in the order of the text.
pub fn flattened(items: &[Item]) -> Vec<&Item> {
    let mut found = Vec::new();
    for item in items {
        found.push(item);
        match item {
            Item::Transaction(body) => found.extend(flattened(body)),
            Item::Match(_, arms) => arms.iter().for_each(|(_, body)| found.extend(flattened(body))),
            Item::Let(..) | Item::Do(_) | Item::Exit(..) => {}
        }
    }
    found
}

/// Whether every path through the items exits.
pub fn always_exits(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Exit(..) => true,
        Item::Transaction(body) => always_exits(body),
        Item::Match(_, arms) => arms.iter().all(|(_, body)| always_exits(body)),
        Item::Let(..) | Item::Do(_) => false,
    })
}

/// The slots that the items bind.
pub fn bound_slots(items: &[Item]) -> BTreeSet<SlotName> {
    flattened(items).into_iter().filter_map(bound_slot).cloned().collect()
}

/// The slots that the items use: their values, or how they came out.
pub fn used_slots(items: &[Item]) -> BTreeSet<SlotName> {
    let mut found = BTreeSet::new();
    for item in flattened(items) {
        let mut values = Vec::new();
        match item {
            Item::Let(_, step) | Item::Do(step) => values_of_step(step, &mut values),
            Item::Exit(Response::Answer { body, .. }, _) => values.extend(body.iter().map(|field| &field.value)),
            Item::Exit(Response::Redirect(value), _) => values.push(value),
            Item::Match(slot, _) | Item::Exit(Response::Rows { slot }, _) => {
                found.insert(slot.clone());
            }
            Item::Transaction(_) | Item::Exit(Response::Problem(_) | Response::Done, _) => {}
        }
        values.into_iter().for_each(|value| slots_of_value(value, &mut found));
    }
    found
}

fn bound_slot(item: &Item) -> Option<&SlotName> {
    match item {
        Item::Let(slot, _) => Some(slot),
        Item::Do(_) | Item::Transaction(_) | Item::Match(..) | Item::Exit(..) => None,
    }
}

fn step_of(item: &Item) -> Option<&Step> {
    match item {
        Item::Let(_, step) | Item::Do(step) => Some(step),
        Item::Transaction(_) | Item::Match(..) | Item::Exit(..) => None,
    }
}

fn slots_of_value(value: &Value, found: &mut BTreeSet<SlotName>) {
    match value {
        Value::Slot(slot) | Value::Field(slot, _) => {
            found.insert(slot.clone());
        }
        Value::Record(fields) => fields.iter().for_each(|(_, value)| slots_of_value(value, found)),
        Value::Literal(_) | Value::Now | Value::After(_) | Value::Request(_) => {}
    }
}

fn values_of_step<'a>(step: &'a Step, values: &mut Vec<&'a Value>) {
    match step {
        Step::Check(condition) => values_of_condition(condition, values),
        Step::Read { query, .. } => values_of_predicates(&query.filter, values),
        Step::Write(Write::Insert { values: row, .. }) => values.extend(row.iter().map(|(_, value)| value)),
        Step::Write(Write::Update { set, filter, .. }) => {
            values.extend(set.iter().filter_map(|(_, assigned)| match assigned {
                Assigned::Value(value) => Some(value),
                Assigned::Plus(_) => None,
            }));
            values_of_predicates(filter, values);
        }
        Step::Write(Write::Delete { filter, .. }) => values_of_predicates(filter, values),
        Step::Emit { payload: fields, .. }
        | Step::Fetch { input: fields, .. }
        | Step::IssueToken { claims: fields, .. } => values.extend(fields.iter().map(|(_, value)| value)),
        Step::Enqueue { input, idempotency_key, .. } => {
            values.extend(input.iter().map(|(_, value)| value));
            values.push(idempotency_key);
        }
        Step::VerifyPassword { password, hash } => values.extend([password, hash]),
        Step::Digest(value)
        | Step::HashPassword(value)
        | Step::Await { delivery: value, .. }
        | Step::Presign { key: value, .. } => values.push(value),
        Step::Authorize { .. }
        | Step::Limit { .. }
        | Step::Validate(_)
        | Step::Generate(_)
        | Step::VerifySignature { .. } => {}
    }
}

fn values_of_predicates<'a>(predicates: &'a [Predicate], values: &mut Vec<&'a Value>) {
    for predicate in predicates {
        match predicate {
            Predicate::Compare(_, _, value) => values.push(value),
            Predicate::Null(_) => {}
            Predicate::Any(inner) => values_of_predicates(inner, values),
            Predicate::Not(inner) => values_of_predicates(std::slice::from_ref(inner), values),
        }
    }
}

fn values_of_condition<'a>(condition: &'a Condition, values: &mut Vec<&'a Value>) {
    match condition {
        Condition::Compare(left, _, right) => values.extend([left, right]),
        Condition::Present(value) => values.push(value),
        Condition::All(list) | Condition::Any(list) => {
            list.iter().for_each(|condition| values_of_condition(condition, values));
        }
        Condition::Not(inner) => values_of_condition(inner, values),
    }
}

/// Every problem the procedure can end with, beside those of requests that never reach it.
fn problems(plan: &Plan, items: &[&Item]) -> BTreeSet<Problem> {
    let mut found = BTreeSet::from([Problem::InternalError, Problem::Overloaded]);
    for item in items {
        match item {
            Item::Let(_, step) | Item::Do(step) => found.extend(problems_of_step(plan, items, step)),
            Item::Transaction(_) => {
                found.insert(Problem::Unavailable);
            }
            Item::Exit(Response::Problem(problem), _) => {
                found.insert(*problem);
            }
            Item::Match(..) | Item::Exit(..) => {}
        }
    }
    found
}

fn problems_of_step(plan: &Plan, items: &[&Item], step: &Step) -> Vec<Problem> {
    match step {
        Step::Authorize { failures, .. } => {
            let mut found = vec![Problem::MissingCredentials, Problem::InvalidCredentials, Problem::Unavailable];
            found.extend(failures.is_some().then_some(Problem::RateLimited));
            found
        }
        Step::Limit { .. } => vec![Problem::RateLimited],
        Step::Validate(Input::Body(_)) => vec![
            Problem::MalformedBody,
            Problem::RequestTimeout,
            Problem::BodyTooLarge,
            Problem::UnsupportedMediaType,
            Problem::ValidationFailed,
        ],
        Step::Validate(Input::Parameters(_) | Input::Listing(_) | Input::Selection(_)) => {
            vec![Problem::ValidationFailed]
        }
        Step::Read { .. } => vec![Problem::Unavailable],
        Step::Write(write) => {
            let conflict = may_conflict(plan, items, write).then_some(Problem::Conflict);
            std::iter::once(Problem::Unavailable).chain(conflict).collect()
        }
        Step::Generate(_)
        | Step::Check(_)
        | Step::Digest(_)
        | Step::HashPassword(_)
        | Step::VerifyPassword { .. }
        | Step::Emit { .. }
        | Step::Enqueue { .. }
        | Step::Await { .. }
        | Step::Fetch { .. }
        | Step::VerifySignature { .. }
        | Step::IssueToken { .. }
        | Step::Presign { .. } => Vec::new(),
    }
}

/// Whether a unique value that the write brings may be taken, with nothing said about what happens then.
fn may_conflict(plan: &Plan, items: &[&Item], write: &Write) -> bool {
    let (table, columns, settled): (_, Vec<(&ColumnName, &Value)>, Option<&[ColumnName]>) = match write {
        Write::Insert { table, values, on_conflict } => {
            let settled = match on_conflict {
                OnConflict::Fail => None,
                OnConflict::Keep { unique } | OnConflict::Replace { unique, .. } => Some(unique.as_slice()),
            };
            (table, values.iter().map(|(column, value)| (column, value)).collect(), settled)
        }
        Write::Update { table, set, .. } => {
            let set = set.iter().filter_map(|(column, assigned)| match assigned {
                Assigned::Value(value) => Some((column, value)),
                Assigned::Plus(_) => None,
            });
            (table, set.collect(), None)
        }
        Write::Delete { .. } => return false,
    };
    let Some(table) = table_of(plan, table) else { return true };
    let is_fresh = |value: &Value| {
        match value {
        Value::Slot(slot) => items.iter().any(|item| {
            matches!(item, Item::Let(bound, Step::Generate(Generated::Uuid | Generated::Token { .. })) if bound == slot)
        }),
        _ => false,
    }
    };
    std::iter::once(&table.primary_key).chain(&table.unique).any(|unique| {
        let mut brought = columns.iter().filter(|(column, _)| unique.contains(column)).peekable();
        settled != Some(unique.as_slice()) && brought.peek().is_some() && !brought.any(|(_, value)| is_fresh(value))
    })
}

fn table_of<'a>(plan: &'a Plan, name: &TableName) -> Option<&'a Table> {
    plan.database.tables.iter().find(|table| table.name == *name)
}

/// What the slots of a procedure hold.
pub struct Slots(BTreeMap<SlotName, Held>);

/// What a slot holds.
pub enum Held {
    /// Who calls.
    Principal,
    /// A record with these fields.
    Record(Vec<HeldField>),
    /// A list of records.
    Rows,
    /// One value that is never null.
    Plain,
    /// Only how its step came out.
    Outcome,
}

/// A field of a record.
pub struct HeldField {
    pub name: FieldName,
    pub nullability: Nullability,
}

impl Slots {
    pub fn of(plan: &Plan, body: &[Item]) -> Self {
        let held = flattened(body).into_iter().filter_map(|item| match item {
            Item::Let(slot, step) => Some((slot.clone(), held(plan, step))),
            Item::Do(_) | Item::Transaction(_) | Item::Match(..) | Item::Exit(..) => None,
        });
        Self(held.collect())
    }

    pub fn get(&self, slot: &SlotName) -> Option<&Held> {
        self.0.get(slot)
    }

    /// The field of the record in the slot.
    pub fn field(&self, slot: &SlotName, name: &FieldName) -> Option<&HeldField> {
        match self.0.get(slot)? {
            Held::Record(fields) => fields.iter().find(|field| field.name == *name),
            Held::Principal | Held::Rows | Held::Plain | Held::Outcome => None,
        }
    }

    /// Whether the value may be null.
    pub fn nullability(&self, value: &Value) -> Nullability {
        match value {
            Value::Literal(Datum::Null) => Nullability::Nullable,
            Value::Field(slot, name) => self.field(slot, name).map_or(Nullability::Nullable, |field| field.nullability),
            Value::Literal(Datum::Boolean(_) | Datum::Integer(_) | Datum::Text(_) | Datum::Json(_))
            | Value::Slot(_)
            | Value::Now
            | Value::After(_)
            | Value::Request(_)
            | Value::Record(_) => Nullability::NotNull,
        }
    }
}

fn held(plan: &Plan, step: &Step) -> Held {
    match step {
        Step::Authorize { .. } => Held::Principal,
        Step::Validate(Input::Body(shape) | Input::Parameters(shape)) => Held::Record(
            shape
                .fields
                .iter()
                .map(|field| HeldField {
                    name: field.name.clone(),
                    nullability: match field.presence {
                        Presence::Required => Nullability::NotNull,
                        Presence::Optional => Nullability::Nullable,
                    },
                })
                .collect(),
        ),
        Step::Read { query, cardinality: Cardinality::One, .. } => Held::Record(row(plan, query)),
        Step::Read { cardinality: Cardinality::Many, .. } => Held::Rows,
        Step::Check(_) | Step::Write(_) | Step::VerifyPassword { .. } | Step::VerifySignature { .. } => Held::Outcome,
        Step::Limit { .. }
        | Step::Validate(Input::Listing(_) | Input::Selection(_))
        | Step::Generate(_)
        | Step::Digest(_)
        | Step::HashPassword(_)
        | Step::Emit { .. }
        | Step::Enqueue { .. }
        | Step::Await { .. }
        | Step::Fetch { .. }
        | Step::IssueToken { .. }
        | Step::Presign { .. } => Held::Plain,
    }
}

fn row(plan: &Plan, query: &Query) -> Vec<HeldField> {
    let columns = table_of(plan, &query.from).map_or(&[][..], |table| &table.columns);
    query
        .outputs
        .iter()
        .map(|output| match output {
            Output::Column { column, field } => HeldField {
                name: field.clone(),
                nullability: columns
                    .iter()
                    .find(|known| known.name == *column)
                    .map_or(Nullability::Nullable, |known| known.nullability),
            },
            Output::Related { field, .. } => HeldField { name: field.clone(), nullability: Nullability::NotNull },
        })
        .collect()
}

/// A value of the type, for examples in documents.
pub fn sample(field_type: FieldType) -> serde_json::Value {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } => "text".into(),
        FieldType::Email => "ada@example.com".into(),
        FieldType::Phone => "+44 20 7946 0018".into(),
        FieldType::Url => "https://example.com/".into(),
        FieldType::Integer => 1.into(),
        FieldType::Boolean => true.into(),
        FieldType::Timestamp => "2026-01-02T03:04:05.678Z".into(),
        FieldType::Uuid => "019c0f3e-7b1a-7c3d-8e5f-0123456789ab".into(),
        FieldType::Json => serde_json::json!({}),
    }
}

impl Outline<'_> {
    /// An answer's body as an example: literals as they are, the rest as a sample of its type.
    pub fn sample_answer(&self, body: &[ResponseField]) -> serde_json::Value {
        let fields = body.iter().map(|field| {
            let value = match &field.value {
                Value::Literal(datum) => datum.to_json(),
                Value::Field(_, name) => {
                    self.endpoint.example.get(name.as_str()).cloned().unwrap_or_else(|| sample(field.field_type))
                }
                Value::Slot(_) | Value::Now | Value::After(_) | Value::Request(_) | Value::Record(_) => {
                    sample(field.field_type)
                }
            };
            (field.name.to_string(), value)
        });
        serde_json::Value::Object(fields.collect())
    }
}
