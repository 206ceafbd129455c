//! What can be read off a procedure without running it: who may call, what comes in and goes out, every problem it can end
//! with, what its slots hold. The code generator and all documents take it from here, so they cannot disagree.

use plan::api::Endpoint;
use plan::database::{Column, Nullability};
use plan::procedure::{
    Generated, Input, Item, LimitKey, Location, Response, ResponseField, RowsFormat, Scheme, Step, Trigger,
};
use plan::query::{Assigned, Cardinality, Holes, OnConflict, Output, Predicate, Query, Write};
use plan::shape::{Presence, Shape};
use plan::value::{Condition, RequestValue, Value};
use plan::{Plan, Problem, Table};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, Datum, EventName, FieldName, FieldType, PolicyName, SlotName, TableName};

/// An endpoint as its callers see it.
pub struct Outline<'a> {
    pub endpoint: &'a Endpoint,
    /// A body of the endpoint, or of another one of its entity, for examples of answers.
    pub example: &'a serde_json::Value,
    pub method: &'a str,
    pub path: &'a str,
    pub scheme: Option<Scheme>,
    pub limit: Option<(&'a PolicyName, LimitKey)>,
    pub body: Option<Body<'a>>,
    pub listing: Option<Listing<'a>>,
    /// The parameters of its path, with the type of the column that each is compared with.
    pub path_parameters: Vec<(&'a str, Option<FieldType>)>,
    /// Whether `If-Match` decides over the change.
    pub guard: Guard,
    /// The ways it can succeed, in order.
    pub answers: Vec<Success<'a>>,
    pub problems: BTreeSet<Problem>,
    pub events: Vec<&'a EventName>,
    pub slots: Slots,
}

/// What a body is checked against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// A whole record.
    Record(&'a Shape),
    /// A record of changes.
    Changes(&'a Shape),
}

impl<'a> Body<'a> {
    pub fn shape(self) -> &'a Shape {
        match self {
            Self::Record(shape) | Self::Changes(shape) => shape,
        }
    }

    /// Its name in documents and in code. Changes are another thing than the record, so they are called otherwise.
    pub fn name(self) -> String {
        match self {
            Self::Record(shape) => shape.name.clone(),
            Self::Changes(shape) if shape.name.ends_with(CHANGES) => shape.name.clone(),
            Self::Changes(shape) => format!("{}{CHANGES}", shape.name),
        }
    }
}

const CHANGES: &str = "Changes";

/// What a query string may ask of a list.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    pub holes: &'a Holes,
    /// The query that it fills.
    pub query: &'a Query,
}

/// Whether a caller may ask for a change of one version only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    None,
    IfMatch,
}

/// A way to succeed.
#[derive(Clone, PartialEq)]
pub struct Success<'a> {
    pub status: u16,
    pub content: Content<'a>,
    /// Whether the answer carries an `ETag`.
    pub tagged: Tagged,
    pub location: Option<&'a Location>,
}

/// What an answer brings.
#[derive(Clone, PartialEq)]
pub enum Content<'a> {
    Nothing,
    Record(&'a [ResponseField]),
    /// A page of rows with these fields.
    Page(Vec<RowField<'a>>, RowsFormat),
}

/// A field of the rows of a list.
#[derive(Clone, PartialEq)]
pub struct RowField<'a> {
    pub name: &'a FieldName,
    pub column: &'a Column,
    /// As the record's own answer describes it, or as the table does.
    pub description: &'a str,
}

/// Whether an answer tells its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    No,
    Yes,
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
    let mut answers: Vec<Success<'_>> = Vec::new();
    let mut events: Vec<&EventName> = Vec::new();
    for item in &items {
        if let Item::Exit(response, _) = item
            && let Some(answer) = success(plan, endpoint, &items, response)
            && !answers.contains(&answer)
        {
            answers.push(answer);
        }
        if let Some(Step::Emit { event, .. }) = step_of(item)
            && !events.contains(&event)
        {
            events.push(event);
        }
    }
    Some(Outline {
        endpoint,
        example: example(plan, endpoint),
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
        body: steps.iter().find_map(|step| body(step)),
        listing: items.iter().find_map(|item| match item {
            Item::Let(slot, Step::Validate(Input::Listing(holes))) => {
                Some(Listing { holes, query: filled_query(&items, slot)? })
            }
            _ => None,
        }),
        path_parameters: path_parameters(plan, path, &steps),
        guard: match steps.iter().any(|step| matches!(step, Step::Check(asked) if asks_for_version(asked))) {
            true => Guard::IfMatch,
            false => Guard::None,
        },
        answers,
        problems: problems(plan, &items),
        events,
        slots: Slots::of(plan, &endpoint.procedure.body),
    })
}

/// The body that the step checks, if it does.
pub fn body(step: &Step) -> Option<Body<'_>> {
    match step {
        Step::Validate(Input::Body(shape)) => Some(Body::Record(shape)),
        Step::Validate(Input::Changes(shape)) => Some(Body::Changes(shape)),
        _ => None,
    }
}

/// The query that the slot of a listing fills.
pub fn filled_query<'a>(items: &[&'a Item], asked: &SlotName) -> Option<&'a Query> {
    items.iter().find_map(|item| match step_of(item)? {
        Step::Read { query, filled_by: Some(slot), .. } if slot == asked => Some(query),
        _ => None,
    })
}

/// An example of another endpoint stands in for that of one that takes no body.
fn example<'a>(plan: &'a Plan, endpoint: &'a Endpoint) -> &'a serde_json::Value {
    let others = plan.api.endpoints.iter().filter(|other| other.entity == endpoint.entity);
    let mut examples = std::iter::once(endpoint).chain(others).map(|endpoint| &endpoint.example);
    examples.find(|example| !example.is_null()).unwrap_or(&endpoint.example)
}

fn success<'a>(
    plan: &'a Plan,
    endpoint: &'a Endpoint,
    items: &[&'a Item],
    response: &'a Response,
) -> Option<Success<'a>> {
    match response {
        Response::Answer { status, body, tag, location } => Some(Success {
            status: *status,
            content: if body.is_empty() { Content::Nothing } else { Content::Record(body) },
            tagged: if tag.is_some() { Tagged::Yes } else { Tagged::No },
            location: location.as_ref(),
        }),
        Response::Rows { slot, format } => {
            let query = items.iter().find_map(|item| match item {
                Item::Let(bound, Step::Read { query, .. }) if bound == slot => Some(query),
                _ => None,
            })?;
            let fields = query.outputs.iter().filter_map(|output| match output {
                Output::Column { column, field } => {
                    let column = plan.database.column(&query.from, column)?;
                    let description = described(plan, endpoint, field).unwrap_or(&column.comment);
                    Some(RowField { name: field, column, description })
                }
                Output::Related { .. } => None,
            });
            let content = Content::Page(fields.collect(), *format);
            Some(Success { status: 200, content, tagged: Tagged::Yes, location: None })
        }
        Response::Problem(_) | Response::Redirect(_) | Response::Done => None,
    }
}

/// How the answers with one record of the endpoint's entity describe a field.
fn described<'a>(plan: &'a Plan, endpoint: &Endpoint, name: &FieldName) -> Option<&'a str> {
    let same = plan.api.endpoints.iter().filter(|other| other.entity == endpoint.entity);
    let items = same.flat_map(|other| flattened(&other.procedure.body));
    let bodies = items.filter_map(|item| match item {
        Item::Exit(Response::Answer { body, tag: Some(_), .. }, _) => Some(body),
        _ => None,
    });
    bodies.flatten().find(|field| field.name == *name).map(|field| field.description.as_str())
}

fn path_parameters<'a>(plan: &Plan, path: &'a str, steps: &[&Step]) -> Vec<(&'a str, Option<FieldType>)> {
    let compared = |name: &str| {
        steps.iter().find_map(|step| {
            let (table, filter) = match step {
                Step::Read { query, .. } => (&query.from, &query.filter),
                Step::Write(Write::Update { table, filter, .. } | Write::Delete { table, filter }) => (table, filter),
                _ => return None,
            };
            filter.iter().find_map(|predicate| match predicate {
                Predicate::Compare(column, _, Value::Request(RequestValue::Path(given))) if given.as_str() == name => {
                    Some(plan.database.column(table, column)?.field_type)
                }
                _ => None,
            })
        })
    };
    parameters_in(path).map(|name| (name, compared(name))).collect()
}

/// The names of the parameters in a path.
pub fn parameters_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn asks_for_version(asked: &Condition) -> bool {
    match asked {
        Condition::Current(_) => true,
        Condition::Compare(..) | Condition::Present(_) => false,
        Condition::All(list) | Condition::Any(list) => list.iter().any(asks_for_version),
        Condition::Not(inner) => asks_for_version(inner),
    }
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
            Item::Let(_, step) | Item::Do(step) => {
                values_of_step(step, &mut values);
                found.extend(slots_of_step(step));
            }
            Item::Exit(Response::Answer { body, tag, location, .. }, _) => {
                values.extend(body.iter().map(|field| &field.value));
                values.extend(tag);
                values.extend(location.as_ref().map(|location| &location.key));
            }
            Item::Exit(Response::Redirect(value), _) => values.push(value),
            Item::Match(slot, _) | Item::Exit(Response::Rows { slot, .. }, _) => {
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
        Value::Slot(slot) | Value::Field(slot, _) | Value::Given(slot, _) => {
            found.insert(slot.clone());
        }
        Value::Record(fields) => fields.iter().for_each(|(_, value)| slots_of_value(value, found)),
        Value::Literal(_) | Value::Now | Value::After(_) | Value::Request(_) => {}
    }
}

/// The slots that the step names by themselves, outside of values.
fn slots_of_step(step: &Step) -> Vec<SlotName> {
    match step {
        Step::Read { filled_by, .. } => filled_by.iter().cloned().collect(),
        Step::Write(Write::Update { set, .. }) => set
            .iter()
            .filter_map(|(_, assigned)| match assigned {
                Assigned::IfGiven(slot, _) => Some(slot.clone()),
                Assigned::Value(_) | Assigned::Plus(_) => None,
            })
            .collect(),
        _ => Vec::new(),
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
                Assigned::Plus(_) | Assigned::IfGiven(..) => None,
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
        | Step::Ping
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
        Condition::Present(value) | Condition::Current(value) => values.push(value),
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
        Step::Validate(Input::Body(_) | Input::Changes(_)) => vec![
            Problem::MalformedBody,
            Problem::RequestTimeout,
            Problem::BodyTooLarge,
            Problem::UnsupportedMediaType,
            Problem::ValidationFailed,
        ],
        Step::Validate(Input::Parameters(_) | Input::Listing(_) | Input::Selection(_)) => {
            vec![Problem::ValidationFailed]
        }
        Step::Read { .. } | Step::Ping => vec![Problem::Unavailable],
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
    type Brought<'a> = (&'a ColumnName, Option<&'a Value>);
    let (table, columns, settled): (_, Vec<Brought<'_>>, Option<&[ColumnName]>) = match write {
        Write::Insert { table, values, on_conflict } => {
            let settled = match on_conflict {
                OnConflict::Fail => None,
                OnConflict::Keep { unique } | OnConflict::Replace { unique, .. } => Some(unique.as_slice()),
            };
            (table, values.iter().map(|(column, value)| (column, Some(value))).collect(), settled)
        }
        Write::Update { table, set, .. } => {
            let set = set.iter().filter_map(|(column, assigned)| match assigned {
                Assigned::Value(value) => Some((column, Some(value))),
                Assigned::IfGiven(..) => Some((column, None)),
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
        settled != Some(unique.as_slice())
            && brought.peek().is_some()
            && !brought.any(|(_, value)| value.is_some_and(is_fresh))
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
    /// A record of changes: a field that was not given is undefined.
    Changes(Vec<HeldField>),
    /// A list of records.
    Rows,
    /// A page of records with the cursor of the next.
    Page,
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
            Held::Record(fields) | Held::Changes(fields) => fields.iter().find(|field| field.name == *name),
            Held::Principal | Held::Rows | Held::Page | Held::Plain | Held::Outcome => None,
        }
    }

    /// Whether the value may be null.
    pub fn nullability(&self, value: &Value) -> Nullability {
        match value {
            Value::Literal(Datum::Null) => Nullability::Nullable,
            Value::Field(slot, name) => self.field(slot, name).map_or(Nullability::Nullable, |field| field.nullability),
            Value::Literal(Datum::Boolean(_) | Datum::Integer(_) | Datum::Text(_) | Datum::Json(_))
            | Value::Slot(_)
            | Value::Given(..)
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
        Step::Validate(Input::Changes(shape)) => {
            let field = |name: &FieldName| HeldField { name: name.clone(), nullability: Nullability::Nullable };
            Held::Changes(shape.fields.iter().map(|declared| field(&declared.name)).collect())
        }
        Step::Read { query, cardinality: Cardinality::One, .. } => Held::Record(row(plan, query)),
        Step::Read { cardinality: Cardinality::Many, filled_by: None, .. } => Held::Rows,
        Step::Read { cardinality: Cardinality::Many, filled_by: Some(_), .. } => Held::Page,
        Step::Check(_) | Step::Write(_) | Step::VerifyPassword { .. } | Step::VerifySignature { .. } => Held::Outcome,
        Step::Limit { .. }
        | Step::Ping
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

/// What the answers of these endpoints are, for the first sentence of a document.
pub fn answer_formats(outlines: &[Outline<'_>]) -> &'static str {
    let is_text =
        |answer: &Success<'_>| matches!(answer.content, Content::Page(_, RowsFormat::Csv | RowsFormat::Ndjson));
    match outlines.iter().flat_map(|outline| &outline.answers).any(is_text) {
        true => "Bodies are JSON, and so are answers where an endpoint says nothing else.",
        false => "Bodies and answers are JSON.",
    }
}

/// One row, as text where the page is no JSON document.
fn sample_page(row: serde_json::Map<String, serde_json::Value>, format: RowsFormat) -> serde_json::Value {
    match format {
        RowsFormat::Json => serde_json::json!({"items": [row], "next": null}),
        RowsFormat::Ndjson => format!("{}\n", serde_json::Value::Object(row)).into(),
        RowsFormat::Csv => {
            let cell = |value: &serde_json::Value| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
            };
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            let cells: Vec<String> = row.values().map(cell).collect();
            format!("{}\r\n{}\r\n", names.join(","), cells.join(",")).into()
        }
    }
}

impl Outline<'_> {
    /// Whether an answer may be spared a caller who has it: a tagged answer to `GET`.
    pub fn is_spared(&self) -> bool {
        self.method == "GET" && self.answers.iter().any(|answer| answer.tagged == Tagged::Yes)
    }

    /// An answer's body as an example, if it has one.
    pub fn sample_content(&self, content: &Content<'_>) -> Option<serde_json::Value> {
        match content {
            Content::Nothing => None,
            Content::Record(body) => Some(self.sample_answer(body)),
            Content::Page(fields, format) => {
                let fields = fields.iter().map(|field| {
                    let known = self.example.get(field.name.as_str()).cloned();
                    (field.name.to_string(), known.unwrap_or_else(|| sample(field.column.field_type)))
                });
                let row: serde_json::Map<_, _> = fields.collect();
                Some(sample_page(row, *format))
            }
        }
    }

    /// An answer's body as an example: literals as they are, the rest as a sample of its type.
    fn sample_answer(&self, body: &[ResponseField]) -> serde_json::Value {
        let fields = body.iter().map(|field| {
            let value = match &field.value {
                Value::Literal(datum) => datum.to_json(),
                Value::Field(_, name) => {
                    self.example.get(name.as_str()).cloned().unwrap_or_else(|| sample(field.field_type))
                }
                Value::Slot(_)
                | Value::Given(..)
                | Value::Now
                | Value::After(_)
                | Value::Request(_)
                | Value::Record(_) => sample(field.field_type),
            };
            (field.name.to_string(), value)
        });
        serde_json::Value::Object(fields.collect())
    }
}
