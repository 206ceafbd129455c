//! What can be read off a procedure without running it: who may call, what comes in and goes out, every problem it can end
//! with, what its slots hold. The code generator and all documents take it from here, so they cannot disagree.

mod problems;
mod sample;
mod slots;
mod uses;

pub use problems::of_callers;
pub use sample::{answer_formats, sample};
pub use slots::{Held, Slots};
pub use uses::{bound_slots, used_slots};

use plan::api::Endpoint;
use plan::database::Column;
use plan::procedure::{
    Input, Item, JSON_PATCH, LimitKey, Location, MERGE_PATCH, Outcome, Patchable, Response, ResponseField, RowsFormat,
    Scheme, Step, Trigger, flattened,
};
use plan::query::{Cardinality, Choice, Direction, Holes, Order, Output, Predicate, Query, Related, Write};
use plan::shape::{Entries, Shape};
use plan::value::{Condition, Preference, RequestValue, Value};
use plan::{Plan, Problem, Table};
use std::collections::BTreeSet;
use vocab::{EventName, FieldName, FieldType, PolicyName, SlotName, TableName};

/// An endpoint as its callers see it.
pub struct Outline<'a> {
    pub endpoint: &'a Endpoint,
    /// A body of the endpoint, or of another one of its entity, for examples of answers.
    pub example: &'a serde_json::Value,
    pub method: &'a str,
    pub path: &'a str,
    pub scheme: Option<Scheme>,
    /// Whether it hands a browser the cookie of a session, or takes it away.
    pub cookie: Option<Cookie>,
    pub limit: Option<(&'a PolicyName, &'a LimitKey)>,
    pub body: Option<Body<'a>>,
    /// What a list of records may bring, where one is taken.
    pub several: Option<&'a Entries>,
    /// What operations may be asked for, where they may.
    pub patchable: Option<&'a Patchable>,
    pub listing: Option<Listing<'a>>,
    /// The fields that may be picked of its records; none where they are always whole.
    pub fields: Vec<&'a FieldName>,
    /// The rows of other tables that may be asked for beside.
    pub related: Vec<RelatedRows<'a>>,
    /// The parameters of its query string, where it is no list.
    pub query: Option<&'a Shape>,
    /// The parameters of its path, with the type of the column that each is compared with.
    pub path_parameters: Vec<(&'a str, Option<&'a FieldType>)>,
    /// Whether `If-Match` decides over the change.
    pub guard: Guard,
    /// Whether `Idempotency-Key` is honoured.
    pub repeatable: Repeatable,
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

impl Outline<'_> {
    /// The fields that come with a record alone, and with none of a list; as code.
    pub fn alone(&self) -> Vec<String> {
        let (Some(body), Some(several)) = (self.body, self.several) else { return Vec::new() };
        let of_list = &several.shape.fields;
        let alone = body.shape().fields.iter().filter(|field| of_list.iter().all(|known| known.name != field.name));
        alone.map(|field| format!("`{}`", field.name)).collect()
    }

    /// Whether callers may prefer another answer than the usual one.
    pub fn has_preferences(&self) -> bool {
        self.answers.iter().any(|answer| answer.preference.is_some())
    }

    /// Whether callers may have a record that is there changed instead of made.
    pub fn merges(&self) -> bool {
        self.answers.iter().any(|answer| answer.preference == Some(Preference::Merge))
    }

    /// As what its body may come, what JSON is taken for last.
    pub fn media_types(&self) -> Vec<&'static str> {
        let operations = self.patchable.map(|_| JSON_PATCH);
        let changes = self.body.filter(|body| matches!(body, Body::Changes(_))).map(|_| MERGE_PATCH);
        changes.into_iter().chain(operations).chain(self.body.map(|_| "application/json")).collect()
    }

    /// Whom it counts requests for, in words.
    pub fn counts_by(&self) -> Option<(&PolicyName, &'static str)> {
        let (policy, by) = self.limit?;
        let by = match (by, self.scheme) {
            (
                LimitKey::Principal,
                Some(Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued),
            ) => "user",
            (LimitKey::Principal, Some(Scheme::ApiKey) | None) => "API key",
            (LimitKey::Address, _) => "client address",
            (LimitKey::Field(..), _) => "what is tried",
        };
        Some((policy, by))
    }
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

impl Listing<'_> {
    /// The order where none is asked for, in words. Keys that are counted or made of the time tell which rows are new.
    pub fn usual_order(self) -> String {
        match self.query.order.first() {
            Some(Order { column, direction: Direction::Ascending }) => format!("by `{column}`"),
            Some(Order { direction: Direction::Descending, .. }) | None => "newest first".to_owned(),
        }
    }
}

/// Whether a caller may ask for a change of one version only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    None,
    IfMatch,
}

/// Whether a request may be sent again with its idempotency key and is done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    No,
    WithKey,
}

/// A way to succeed.
#[derive(Clone, PartialEq)]
pub struct Success<'a> {
    pub status: u16,
    pub content: Content<'a>,
    /// Whether the answer carries an `ETag`.
    pub tagged: Tagged,
    pub location: Option<&'a Location>,
    /// The preference of a caller that it meets, where it is for that.
    pub preference: Option<Preference>,
}

/// What an answer brings.
#[derive(Clone, PartialEq)]
pub enum Content<'a> {
    Nothing,
    Record(&'a [ResponseField]),
    /// A list of records.
    Records(&'a [ResponseField]),
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

/// Rows of another table that may come with a record.
pub struct RelatedRows<'a> {
    pub name: &'a FieldName,
    pub fields: Vec<RowField<'a>>,
    /// How many there are at most of a list; none where it is one row or null.
    pub most: Option<u32>,
    /// The query of them, with what may be asked of it.
    pub query: &'a Query,
}

/// What becomes of the cookie of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    Set,
    Cleared,
}

/// Whether an answer tells its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    No,
    Yes,
}

impl Outline<'_> {
    /// Whether an answer may be spared a caller who has it: a tagged answer to `GET`.
    pub fn is_spared(&self) -> bool {
        self.method == "GET" && self.answers.iter().any(|answer| answer.tagged == Tagged::Yes)
    }
}

/// The outlines of the endpoints that answer a request.
pub fn outlines(plan: &Plan) -> Vec<Outline<'_>> {
    plan.api.endpoints.iter().filter_map(|endpoint| outline(plan, endpoint)).collect()
}

fn outline<'a>(plan: &'a Plan, endpoint: &'a Endpoint) -> Option<Outline<'a>> {
    let (method, path) = match &endpoint.procedure.trigger {
        Trigger::Request { method, path } => (method, path),
        Trigger::GraphQl { .. }
        | Trigger::Event { .. }
        | Trigger::Schedule { .. }
        | Trigger::Webhook { .. }
        | Trigger::Pulled { .. } => {
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
        {
            let answer = Success { preference: preference(&items, response), ..answer };
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
        if let Some(Step::Emit { event, .. }) = step_of(item)
            && !events.contains(&event)
        {
            events.push(event);
        }
    }
    // What is answered to whoever says nothing of it comes first.
    answers.sort_by_key(|answer| (matches!(answer.content, Content::Records(_)), answer.preference));
    Some(Outline {
        endpoint,
        example: example(plan, endpoint),
        method,
        path,
        scheme: steps.iter().find_map(|step| match step {
            Step::Authorize { scheme, .. } => Some(*scheme),
            _ => None,
        }),
        cookie: steps.iter().find_map(|step| match step {
            Step::SetSession(Some(_)) => Some(Cookie::Set),
            Step::SetSession(None) => Some(Cookie::Cleared),
            _ => None,
        }),
        limit: steps.iter().find_map(|step| match step {
            Step::Limit { policy, by } => Some((policy, by)),
            _ => None,
        }),
        body: steps.iter().find_map(|step| body(step)),
        several: steps.iter().find_map(|step| match step {
            Step::Validate(Input::List(entries)) => Some(entries),
            _ => None,
        }),
        patchable: steps.iter().find_map(|step| match step {
            Step::Validate(Input::Patch(patchable)) => Some(patchable),
            _ => None,
        }),
        listing: items.iter().find_map(|item| match item {
            Item::Let(slot, Step::Validate(Input::Listing(holes))) => {
                Some(Listing { holes, query: filled_query(&items, slot)? })
            }
            _ => None,
        }),
        fields: fields(&items),
        related: related(plan, &items),
        query: steps.iter().find_map(|step| match step {
            Step::Validate(Input::Query(shape)) => Some(shape),
            _ => None,
        }),
        path_parameters: path_parameters(plan, path, &steps),
        guard: match steps.iter().any(|step| matches!(step, Step::Check(asked) if asks_for_version(asked))) {
            true => Guard::IfMatch,
            false => Guard::None,
        },
        repeatable: match steps.iter().any(|step| matches!(step, Step::Claim)) {
            true => Repeatable::WithKey,
            false => Repeatable::No,
        },
        answers,
        problems: problems::problems(plan, method, &items),
        events,
        slots: Slots::of(plan, &endpoint.procedure.body),
    })
}

impl<'a> RelatedRows<'a> {
    /// What may be asked of them, where there are several.
    pub fn listing(&self) -> Option<Listing<'a>> {
        self.most.map(|_| Listing { holes: &self.query.holes, query: self.query })
    }
}

/// The rows of other tables that may come with what a read gives.
fn related<'a>(plan: &'a Plan, items: &[&'a Item]) -> Vec<RelatedRows<'a>> {
    let read = items.iter().find_map(|item| match item {
        Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => Some(query),
        _ => None,
    });
    let rows = |related: &'a Related| {
        let fields = related.query.outputs.iter().filter_map(|output| match output {
            Output::Column { column, field } => {
                let column = plan.database.column(&related.query.from, column)?;
                Some(RowField { name: field, column, description: &column.comment })
            }
            Output::Related(_) => None,
        });
        let most = related.query.holes.page.map(|page| page.default);
        RelatedRows { name: &related.field, fields: fields.collect(), most, query: &related.query }
    };
    read.into_iter().flat_map(Query::related).map(rows).collect()
}

/// What may be picked of the rows of a list, or of a record.
fn fields<'a>(items: &[&'a Item]) -> Vec<&'a FieldName> {
    let picked = items.iter().find_map(|item| match item {
        Item::Let(_, Step::Read { query, filled_by: Some(_), cardinality: Cardinality::Many })
            if query.holes.selection == Choice::Open =>
        {
            let columns = query.outputs.iter().filter(|output| matches!(output, Output::Column { .. }));
            Some(columns.map(Output::field).collect())
        }
        Item::Exit(Response::Record { body, .. }, _) => Some(body.iter().map(|field| &field.name).collect()),
        _ => None,
    });
    picked.unwrap_or_default()
}

/// The body that the step checks, if it does.
pub fn body(step: &Step) -> Option<Body<'_>> {
    match step {
        Step::Validate(Input::Body(shape)) => Some(Body::Record(shape)),
        Step::Validate(Input::Changes(shape) | Input::Patch(Patchable { shape, .. })) => Some(Body::Changes(shape)),
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
            preference: None,
        }),
        Response::Record { body, .. } => Some(Success {
            status: 200,
            content: Content::Record(body),
            tagged: Tagged::Yes,
            location: None,
            preference: None,
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
                Output::Related(_) => None,
            });
            let content = Content::Page(fields.collect(), *format);
            Some(Success { status: 200, content, tagged: Tagged::Yes, location: None, preference: None })
        }
        Response::Records { status, slot: _, fields } => Some(Success {
            status: *status,
            content: Content::Records(fields),
            tagged: Tagged::No,
            location: None,
            preference: None,
        }),
        Response::Problem(_)
        | Response::UnknownReference(_)
        | Response::Inconsistent { .. }
        | Response::Entry { .. }
        | Response::Short { .. }
        | Response::Redirect(_)
        | Response::Done => None,
    }
}

/// The preference that the answer meets; of several the one that decides last.
fn preference(items: &[&Item], response: &Response) -> Option<Preference> {
    items.iter().rev().find_map(|item| {
        let Item::Let(slot, Step::Check(Condition::Prefers(preference))) = item else { return None };
        let is_answered = |body: &[Item]| {
            flattened(body).iter().any(|item| matches!(item, Item::Exit(known, _) if std::ptr::eq(known, response)))
        };
        let meets = |item: &&Item| match item {
            Item::Match(matched, arms) => {
                matched == slot && arms.iter().any(|(outcome, body)| *outcome == Outcome::Yes && is_answered(body))
            }
            _ => false,
        };
        items.iter().any(meets).then_some(*preference)
    })
}

/// How the answers with one record of the endpoint's entity describe a field.
fn described<'a>(plan: &'a Plan, endpoint: &Endpoint, name: &FieldName) -> Option<&'a str> {
    let same = plan.api.endpoints.iter().filter(|other| other.entity == endpoint.entity);
    let items = same.flat_map(|other| flattened(&other.procedure.body));
    let bodies = items.filter_map(|item| match item {
        Item::Exit(Response::Answer { body, tag: Some(_), .. } | Response::Record { body, .. }, _) => Some(body),
        _ => None,
    });
    bodies.flatten().find(|field| field.name == *name).map(|field| field.description.as_str())
}

fn path_parameters<'a>(plan: &'a Plan, path: &'a str, steps: &[&Step]) -> Vec<(&'a str, Option<&'a FieldType>)> {
    let compared = |name: &str| {
        steps.iter().find_map(|step| {
            let (table, filter) = match step {
                Step::Read { query, .. } => (&query.from, &query.filter),
                Step::Write(Write::Update { table, filter, .. } | Write::Delete { table, filter }) => (table, filter),
                _ => return None,
            };
            filter.iter().find_map(|predicate| match predicate {
                Predicate::Compare(column, _, Value::Request(RequestValue::Path(given))) if given.as_str() == name => {
                    Some(&plan.database.column(table, column)?.field_type)
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
        Condition::Compare(..) | Condition::Present(_) | Condition::Prefers(_) => false,
        Condition::All(list) | Condition::Any(list) => list.iter().any(asks_for_version),
        Condition::Not(inner) => asks_for_version(inner),
    }
}

fn step_of(item: &Item) -> Option<&Step> {
    match item {
        Item::Let(_, step) | Item::Do(step) => Some(step),
        Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => None,
    }
}

fn table_of<'a>(plan: &'a Plan, name: &TableName) -> Option<&'a Table> {
    plan.database.tables.iter().find(|table| table.name == *name)
}
