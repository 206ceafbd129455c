//! Procedures as text that people read: in `run --plan`, in `plan.md` and in tests.

mod service;

pub use service::service;

use crate::database::Undo;
use crate::database::permission::PermissionStatement;
use crate::hearing::Hearing;
use crate::procedure::{
    Each, Generated, GraphQlOperation, Input, Item, LimitKey, Outcome, Procedure, Response, RowsFormat, Scheme, Step,
    Trigger, Writes,
};
use crate::query::{
    Assigned, Cardinality, Choice, Direction, Holes, OnConflict, Output, Predicate, Query, Related, RowLock, Through,
    Total, Write,
};
use crate::shape::{Presence, Shape};
use crate::value::{Condition, RequestValue, Value};
use crate::{DatabasePlan, Decision, Migration, Plan, TaskPlan};
use manifest::webhook::Source;
use std::fmt::Write as _;
use vocab::{Datum, FieldName};

/// The whole plan of a task.
#[must_use]
pub fn task_plan(planned: &TaskPlan) -> String {
    match planned {
        TaskPlan::Api(planned) => plan(planned),
        TaskPlan::Database(planned) => {
            let mut text = format!("plan of task {}\n", planned.task_id);
            decisions(&mut text, &planned.decisions);
            migrations(&mut text, &planned.database);
            text.push_str("\nwill be tried on an empty scratch schema first\n");
            text
        }
    }
}

/// The whole plan: decisions by phase with their reasons, procedures, and the statements that will run.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let mut text = format!("plan of task {}\n", plan.task_id);
    decisions(&mut text, &plan.decisions);
    for endpoint in &plan.api.endpoints {
        text.push('\n');
        text.push_str(&procedure(&endpoint.procedure));
    }
    if let Some(planned) = &plan.service {
        let _ = write!(text, "\n{}", service(planned));
        for taken in planned.intake.iter().flat_map(|intake| intake.all()) {
            let _ = write!(text, "\n{}", procedure(taken));
        }
        for taken in planned.syncs.iter().flat_map(crate::service::SyncPlan::all) {
            let _ = write!(text, "\n{}", procedure(taken));
        }
    }
    migrations(&mut text, &plan.database);
    text.push_str("\nwill be tried on a scratch database first\n");
    for case in &plan.cases {
        let _ = writeln!(text, "  {}", case.name);
    }
    text
}

fn decisions(text: &mut String, decisions: &[Decision]) {
    let mut phase = None;
    for decision in decisions {
        if phase != Some(decision.phase) {
            phase = Some(decision.phase);
            let _ = writeln!(text, "\n{}", decision.phase);
        }
        let _ = writeln!(text, "  {}: {}\n    because: {}", decision.subject, decision.decision, decision.reason);
    }
}

fn migrations(text: &mut String, database: &DatabasePlan) {
    for migration in &database.migrations {
        let _ = writeln!(text, "\nmigration {}", migration.name);
        for statement in &migration.statements {
            let _ = writeln!(text, "  -- {}\n  -- locks: {}", statement.why, statement.lock);
            indented(text, "  ", &statement.sql);
        }
    }
}

/// Migrations that are about to run: each statement with why, what it keeps others from, and how it is taken back.
#[must_use]
pub fn pending(migrations: &[Migration]) -> String {
    let mut text = String::new();
    for migration in migrations {
        let _ = writeln!(text, "migration {}", migration.name);
        for statement in &migration.statements {
            let _ = writeln!(text, "  -- {}\n  -- locks: {}", statement.why, statement.lock);
            indented(&mut text, "  -- undo: ", &statement.undo.to_string());
            indented(&mut text, "  ", &statement.sql);
        }
    }
    text
}

/// Statements about who may do what, that were not executed yet.
#[must_use]
pub fn permissions(statements: &[PermissionStatement]) -> String {
    let mut text = String::new();
    if !statements.is_empty() {
        text.push_str("permissions\n");
    }
    for statement in statements {
        let _ = writeln!(text, "  -- {}\n  -- undo: {}", statement.why, statement.undo);
        indented(&mut text, "  ", &statement.sql);
    }
    text
}

/// What takes migrations back, in the order in which it runs.
#[must_use]
pub fn taken_back(migrations: &[Migration]) -> String {
    let mut text = String::new();
    for migration in migrations {
        let _ = writeln!(text, "undo {}", migration.name);
        for statement in migration.statements.iter().rev() {
            match &statement.undo {
                Undo::Statement(sql) | Undo::OldName(sql) => indented(&mut text, "  ", sql),
                Undo::Kept(_) | Undo::Impossible(_) => {}
            }
        }
    }
    text
}

fn indented(text: &mut String, indent: &str, lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(text, "{indent}{line}");
    }
}

/// The procedure, one item a line, two spaces a level.
#[must_use]
pub fn procedure(procedure: &Procedure) -> String {
    let mut text = format!("procedure {} on {}\n", procedure.name, trigger(&procedure.trigger));
    items(&mut text, 1, &procedure.body);
    text
}

fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Request { method, path } => format!("{method} {path}"),
        Trigger::GraphQl { operation: GraphQlOperation::Query, field } => format!("query {field}"),
        Trigger::GraphQl { operation: GraphQlOperation::Mutation, field } => format!("mutation {field}"),
        Trigger::Event { name } => format!("event {name}"),
        Trigger::Schedule { cron } => format!("schedule {cron}"),
        Trigger::Webhook { provider, path } => format!("webhook of {provider} at {path}"),
        Trigger::Pulled { provider, sync } => format!("a record of `{sync}` read from {provider}"),
    }
}

fn items(text: &mut String, depth: usize, list: &[Item]) {
    for item in list {
        let indent = "  ".repeat(depth);
        match item {
            Item::Let(slot, what) => line(text, &indent, &format!("let {slot} = {}", step(what))),
            Item::Do(what) => line(text, &indent, &step(what)),
            Item::Transaction(body) => {
                line(text, &indent, "transaction");
                items(text, depth + 1, body);
            }
            Item::Each(each) => {
                let Each { of, list, item, body, gives, into } = &**each;
                line(text, &indent, &format!("let {into} = each {item} of {of}.{list}"));
                items(text, depth + 1, body);
                line(text, &indent, &format!("  give {}", record(gives)));
            }
            Item::Promise(what) => line(text, &indent, &format!("until there is an answer, {}", response(what))),
            Item::Match(slot, arms) => {
                line(text, &indent, &format!("match {slot}"));
                for (outcome, body) in arms {
                    line(
                        text,
                        &indent,
                        &format!("  {}:{}", outcome_name(*outcome), if body.is_empty() { " go on" } else { "" }),
                    );
                    items(text, depth + 2, body);
                }
            }
            Item::Exit(what, writes) => line(text, &indent, &format!("{}{}", response(what), kept(*writes))),
        }
    }
}

fn line(text: &mut String, indent: &str, what: &str) {
    text.push_str(indent);
    text.push_str(what);
    text.push('\n');
}

fn kept(writes: Writes) -> &'static str {
    match writes {
        Writes::Keep => "",
        Writes::Undo => ", undoing the transaction",
    }
}

/// The outcome as one lower-case word.
#[must_use]
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Found => "found",
        Outcome::Missing => "missing",
        Outcome::Inserted => "inserted",
        Outcome::Present => "present",
        Outcome::Changed => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Yes => "yes",
        Outcome::No => "no",
        Outcome::Single => "single",
        Outcome::Several => "several",
        Outcome::Answered => "answered",
        Outcome::Refused => "refused",
        Outcome::Unknown => "unknown",
    }
}

/// The step's kind as one or two words.
#[must_use]
pub fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Authorize { .. } => "authorize",
        Step::Limit { .. } => "limit",
        Step::LimitEach { .. } => "limit each",
        Step::Part { .. } => "part",
        Step::Form => "form",
        Step::Spare { .. } => "spare",
        Step::Claim => "claim",
        Step::Recall(_) => "recall",
        Step::Validate(_) => "validate",
        Step::Patched { .. } => "apply",
        Step::May { .. } => "may",
        Step::Ping => "ping",
        Step::Generate(_) => "generate",
        Step::Evaluate(_) => "evaluate",
        Step::Check(_) => "check",
        Step::Digest(_) => "digest",
        Step::Successor(_) => "successor of",
        Step::SameOrigin => "same origin",
        Step::SetSession(_) => "set session",
        Step::HashPassword(_) => "hash password",
        Step::VerifyPassword { .. } => "verify password",
        Step::Read { .. } => "read",
        Step::Write(_) => "write",
        Step::Emit { .. } => "emit",
        Step::Await { .. } => "await",
        Step::Fetch { .. } => "fetch",
        Step::Received(_) => "receive",
        Step::Hear(_) => "hear",
        Step::IssueToken { .. } => "issue token",
        Step::Presign { .. } => "presign",
    }
}

/// A step as one line of text.
#[must_use]
pub fn step(step: &Step) -> String {
    let name = step_name(step);
    match step {
        Step::Authorize { scheme, scope, role, grant, failures } => {
            let scheme = match scheme {
                Scheme::ApiKey => "api key",
                Scheme::AccessToken => "access token",
                Scheme::Session => "session",
                Scheme::Basic => "address and password",
                Scheme::SignedIn => "access token or session",
                Scheme::Issued => "token of the issuer",
            };
            let scope = scope.as_ref().map_or(String::new(), |scope| format!(" with scope {scope}"));
            let role = role.as_ref().map_or(String::new(), |role| format!(" with role {role}"));
            let grant = grant.as_ref().map_or(String::new(), |grant| format!(" granted {grant}"));
            let failures =
                failures.as_ref().map_or(String::new(), |policy| format!(", failures count against {policy}"));
            format!("{name} by {scheme}{scope}{role}{grant}{failures}")
        }
        Step::Form => format!("{name} of the body"),
        Step::Limit { policy, by }
        | Step::Spare { policy, by }
        | Step::LimitEach { policy, by, of: _ }
        | Step::Part { policy, by, .. } => {
            let name = match step {
                Step::Part { of, list, scope, .. } => {
                    let scope = scope.as_ref().map_or_else(String::new, |scope| format!(" needs {scope}"));
                    format!("{name} {of}.{list}{scope}")
                }
                _ => name.to_owned(),
            };
            let by = match by {
                LimitKey::Principal => "principal".to_owned(),
                LimitKey::Address => "address".to_owned(),
                LimitKey::Field(slot, field) => format!("{slot}.{field}"),
            };
            format!("{name} {policy} by {by}")
        }
        Step::Claim => format!("{name} the idempotency key"),
        Step::Recall(claim) => format!("{name} the answer kept for {claim}"),
        Step::Validate(input) => match input {
            Input::Body(what) => format!("{name} body as {}", shape(what)),
            Input::Changes(what) => format!("{name} body as changes of {}", shape(what)),
            Input::Patch(what) => {
                let kept: Vec<&str> = what.kept.iter().map(FieldName::as_str).collect();
                format!("{name} body as changes of {} or operations, beside {}", shape(&what.shape), kept.join(", "))
            }
            Input::List(what) => format!("{name} body as at most {} of {}", what.max, shape(&what.shape)),
            Input::Parameters(what) => format!("{name} parameters as {}", shape(what)),
            Input::Query(what) => format!("{name} query string as {}", shape(what)),
            Input::Listing(open) => format!("{name} query string for{}", holes(open)),
            Input::Selection(open) => format!("{name} query string for{}", holes(open)),
        },
        Step::Patched { patch, row } => format!("{name} {patch} to {row}"),
        Step::May { method, path } => format!("{name} the caller send {} {}", value(method), value(path)),
        Step::Ping => format!("{name} the database"),
        Step::SameOrigin => name.to_owned(),
        Step::SetSession(token) => {
            format!(
                "{name} {}",
                token.as_ref().map_or_else(|| "to nothing".to_owned(), |token| format!("to {}", value(token)))
            )
        }
        Step::Generate(Generated::Uuid) => format!("{name} uuid"),
        Step::Generate(Generated::Address) => format!("{name} address of nobody"),
        Step::Generate(Generated::Token { bytes }) => format!("{name} token of {bytes} bytes"),
        Step::Check(asked) => format!("{name} {}", condition(asked)),
        Step::Evaluate(given) | Step::Digest(given) | Step::Successor(given) | Step::HashPassword(given) => {
            format!("{name} {}", value(given))
        }
        Step::VerifyPassword { password, hash } => format!("{name} {} against {}", value(password), value(hash)),
        Step::Read { query: asked, cardinality, filled_by } => {
            let one = match cardinality {
                Cardinality::One => "one",
                Cardinality::Many => "many",
            };
            let filled = filled_by.as_ref().map_or(String::new(), |slot| format!(" filled by {slot}"));
            format!("{name} {one} {}{filled}", query(asked))
        }
        Step::Write(change) => write(change),
        Step::Emit { id, event, payload } => {
            let id = id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
            format!("{name} {event}{id} {}", record(payload))
        }
        Step::Await { id, event, by, gives, within_ms } => {
            let names = gives.names().join(", ");
            format!("{name} {event} {} by {by} within {within_ms} ms for {{ {names} }}", value(id))
        }
        Step::Fetch { operation, input } => {
            format!("{name} {}.{} {}", operation.provider, operation.name, record(input))
        }
        Step::Received(fields) => {
            let names: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
            format!("{name} {{ {} }}", names.join(", "))
        }
        Step::Hear(hearing) => hear(name, hearing),
        Step::IssueToken { claims, lifetime_seconds } => format!("{name} {} for {lifetime_seconds} s", record(claims)),
        Step::Presign { provider, key, lifetime_seconds } => {
            format!("{name} {provider} {} for {lifetime_seconds} s", value(key))
        }
    }
}

fn hear(name: &str, hearing: &Hearing) -> String {
    let secrets: Vec<&str> = hearing.proofs.iter().map(|proof| proof.secret.as_str()).collect();
    let said = |what: &str, source: &Option<Source>| {
        source.as_ref().map_or_else(String::new, |source| format!(", {what} at `{source}`"))
    };
    let types = match &hearing.accepts[..] {
        [] => String::new(),
        types => format!(", of {}", types.join(" or ")),
    };
    let fields = hearing.fields.iter().map(|(field, source)| format!("{field} at `{source}`"));
    format!(
        "{name} {} by {}{}{}{types}, as {} with {}",
        hearing.title,
        secrets.join(" or "),
        said("which", &hearing.id),
        said("type", &hearing.kind),
        shape(&hearing.shape),
        fields.collect::<Vec<_>>().join(", "),
    )
}

fn shape(of: &Shape) -> String {
    let fields: Vec<String> = of
        .fields
        .iter()
        .map(|field| match (field.presence, &field.default) {
            (Presence::Required, _) => match &field.entries {
                Some(entries) => format!("{}: 1 to {} of {}", field.name, entries.max, shape(&entries.shape)),
                None => field.name.to_string(),
            },
            (Presence::Optional, None) => format!("{}?", field.name),
            (Presence::Optional, Some(default)) => format!("{} = {}", field.name, default.to_json()),
        })
        .collect();
    format!("{} {{ {} }}", of.name, fields.join(", "))
}

fn holes(holes: &Holes) -> String {
    let mut text = String::new();
    if !holes.filters.is_empty() {
        let filters: Vec<String> = holes
            .filters
            .iter()
            .map(|(column, comparisons)| {
                let signs: Vec<&str> = comparisons.iter().map(|comparison| comparison.as_str()).collect();
                format!("{column} {}", signs.join(" "))
            })
            .collect();
        let _ = write!(text, " filter ({})", filters.join(", "));
    }
    if !holes.sorts.is_empty() {
        let _ = write!(text, " sort ({})", join(&holes.sorts));
    }
    match holes.selection {
        Choice::Fixed => {}
        Choice::Open => text.push_str(" fields"),
    }
    if let Some(page) = holes.page {
        let _ = write!(text, " page (default {}, at most {})", page.default, page.max);
    }
    if let Some(most) = holes.export {
        let _ = write!(text, " export (at most {most})");
    }
    if let Some(most) = holes.offset {
        let _ = write!(text, " offset (at most {most})");
    }
    match holes.total {
        Total::Untold => {}
        Total::Asked => text.push_str(" total"),
    }
    if let Some(summary) = &holes.summary {
        let (groups, aggregates) = (join(&summary.groups()), join(&summary.aggregates()));
        let _ = write!(text, " summary ({aggregates} by {groups})");
    }
    text
}

fn query(query: &Query) -> String {
    let outputs: Vec<String> = query
        .outputs
        .iter()
        .map(|output| match output {
            Output::Column { column, field } if column.as_str() == field.as_str() => column.to_string(),
            Output::Column { column, field } => format!("{field}: {column}"),
            Output::Related(related) => self::related(related),
        })
        .collect();
    let mut text = format!("{} ({})", query.from, outputs.join(", "));
    text.push_str(&filters(&query.filter));
    if !query.order.is_empty() {
        let order: Vec<String> = query
            .order
            .iter()
            .map(|order| match order.direction {
                Direction::Ascending => order.column.to_string(),
                Direction::Descending => format!("{} descending", order.column),
            })
            .collect();
        let _ = write!(text, " ordered by {}", order.join(", "));
    }
    match query.lock {
        RowLock::None => {}
        RowLock::ForUpdate => text.push_str(" for update"),
    }
    text
}

/// Rows of another table that may come with a row, in one line.
#[must_use]
pub fn related(related: &Related) -> String {
    let Related { field, local, foreign, cardinality, through, scopes, query } = related;
    let list = match (cardinality, query.holes.page) {
        (Cardinality::One, _) => "one".to_owned(),
        (Cardinality::Many, None) => "many".to_owned(),
        (Cardinality::Many, Some(page)) => format!("at most {}", page.default),
    };
    let by = match through {
        Some(Through { table, local: back, foreign: there, filter }) => {
            format!("{foreign} = {there} and {back} = {local} of {table}{}", filters(filter))
        }
        None => format!("{foreign} = {local}"),
    };
    let scopes = if scopes.is_empty() { String::new() } else { format!(" for keys with {}", join(scopes)) };
    format!("{field}: {list} {{ {} }} by {by}{scopes}", self::query(query))
}

fn write(change: &Write) -> String {
    match change {
        Write::Insert { table, values, on_conflict, made } => {
            let conflict = match on_conflict {
                OnConflict::Fail => String::new(),
                OnConflict::Keep { unique } => format!(", keeping a row with the same {}", join(unique)),
                OnConflict::Replace { unique, columns } => {
                    format!(", replacing {} of a row with the same {}", join(columns), join(unique))
                }
            };
            let made = made.as_ref().map_or_else(String::new, |key| format!(", the database makes {key}"));
            format!("insert {table} {}{conflict}{made}", record(values))
        }
        Write::Update { table, set, filter } => {
            let set: Vec<String> = set
                .iter()
                .map(|(column, assigned)| match assigned {
                    Assigned::Value(given) => format!("{column}: {}", value(given)),
                    Assigned::Known(given) => format!("{column}: {} if known", value(given)),
                    Assigned::Plus(amount) => format!("{column}: {column} + {amount}"),
                    Assigned::Less(given) => format!("{column}: {column} - {}", value(given)),
                    Assigned::IfGiven(slot, field) => format!("{column}: {slot}.{field} if given"),
                })
                .collect();
            format!("update {table} {{ {} }}{}", set.join(", "), filters(filter))
        }
        Write::Delete { table, filter } => format!("delete {table}{}", filters(filter)),
        Write::Add(add) => {
            let crate::query::Add { table, column, key, from, leads, amount, filter } = &**add;
            format!("add {from}.{amount} to {table}.{column} where {from}.{leads} is {table}.{key}{}", also(filter))
        }
    }
}

fn also(list: &[Predicate]) -> String {
    filters(list).replacen(" where ", " and ", 1)
}

fn filters(list: &[Predicate]) -> String {
    if list.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = list.iter().map(predicate).collect();
    format!(" where {}", parts.join(" and "))
}

/// A predicate in one line.
#[must_use]
pub fn predicate(asked: &Predicate) -> String {
    match asked {
        Predicate::Compare(column, comparison, given) => format!("{column} {} {}", comparison.as_str(), value(given)),
        Predicate::Test(left, comparison, right) => {
            format!("{} {} {}", value(left), comparison.as_str(), value(right))
        }
        Predicate::Null(column) => format!("{column} is null"),
        Predicate::Any(inner) => {
            let parts: Vec<String> = inner.iter().map(predicate).collect();
            format!("({})", parts.join(" or "))
        }
        Predicate::All(inner) => {
            let parts: Vec<String> = inner.iter().map(predicate).collect();
            format!("({})", parts.join(" and "))
        }
        Predicate::Not(inner) => format!("not ({})", predicate(inner)),
    }
}

fn condition(asked: &Condition) -> String {
    match asked {
        Condition::Compare(left, comparison, right) => {
            format!("{} {} {}", value(left), comparison.as_str(), value(right))
        }
        Condition::Present(given) => format!("{} is present", value(given)),
        Condition::Prefers(preference) => format!("caller prefers {}", preference.as_str()),
        Condition::Current(tag) => format!("if-match allows {}", value(tag)),
        Condition::All(inner) => inner.iter().map(condition).collect::<Vec<_>>().join(" and "),
        Condition::Any(inner) => format!("({})", inner.iter().map(condition).collect::<Vec<_>>().join(" or ")),
        Condition::Not(inner) => format!("not ({})", condition(inner)),
    }
}

fn response(response: &Response) -> String {
    match response {
        Response::Answer { status, body, tag, location } => {
            let fields: Vec<(FieldName, Value)> =
                body.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
            let tag = tag.as_ref().map_or_else(String::new, |tag| format!(" tagged {}", value(tag)));
            let location = location
                .as_ref()
                .map_or_else(String::new, |location| format!(" at {}{{{}}}", location.path, value(&location.key)));
            format!("respond {status} {}{tag}{location}", record(&fields))
        }
        Response::Record { asked, body, tag } => {
            let fields: Vec<(FieldName, Value)> =
                body.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
            format!("respond 200 with what {asked} says of {} tagged {}", record(&fields), value(tag))
        }
        Response::Rows { slot, format } => {
            let format = match format {
                RowsFormat::Json => "",
                RowsFormat::Csv => " as CSV",
                RowsFormat::Ndjson => " as NDJSON",
            };
            format!("respond 200 with the rows of {slot}{format}")
        }
        Response::Records { status, slot, fields } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("respond {status} with the list {slot} of {{ {} }}", names.join(", "))
        }
        Response::Problem(problem) => format!("respond {} {}", problem.status(), problem.name()),
        Response::UnknownReference(field) => format!("respond 422 because {field} names no record"),
        Response::Entry { list, field, detail } => {
            let of = list.as_ref().map_or_else(String::new, |list| format!(" of {list}"));
            let detail = detail.as_deref().unwrap_or("names no record");
            format!("respond 422 because {field} of this record{of} {detail}")
        }
        Response::Short { list, field } => {
            format!("respond 409 because there is less than {field} of this record of {list}")
        }
        Response::Inconsistent { field, detail } => format!("respond 422 because {field} {detail}"),
        Response::Redirect(to) => format!("redirect to {}", value(to)),
        Response::Done => "done".to_owned(),
    }
}

/// `{ a: x, b: y }`.
fn record<N: std::fmt::Display>(fields: &[(N, Value)]) -> String {
    if fields.is_empty() {
        return "{}".to_owned();
    }
    let parts: Vec<String> = fields.iter().map(|(name, given)| format!("{name}: {}", value(given))).collect();
    format!("{{ {} }}", parts.join(", "))
}

fn value(given: &Value) -> String {
    match given {
        Value::Literal(Datum::Null) => "null".to_owned(),
        Value::Literal(datum) => datum.to_json().to_string(),
        Value::Slot(slot) => slot.to_string(),
        Value::Field(slot, field) => format!("{slot}.{field}"),
        Value::Given(slot, field) => format!("{slot}.{field} is given"),
        Value::Changed(changes, field, row) => format!("{changes}.{field} if given, {row}.{field} if not"),
        Value::Now => "now".to_owned(),
        Value::Today => "today".to_owned(),
        Value::After(seconds) => format!("now + {seconds} s"),
        Value::Else(first, second) => format!("{} else {}", value(first), value(second)),
        Value::Times(first, second) => format!("{} times {}", value(first), value(second)),
        Value::Sum(slot, field) => format!("sum of {field} of {slot}"),
        Value::Prefixed(text, inner) => format!("`{text}` and {}", value(inner)),
        Value::Request(RequestValue::Address) => "request.address".to_owned(),
        Value::Request(RequestValue::Id) => "request.id".to_owned(),
        Value::Request(RequestValue::Path(name)) => format!("request.path.{name}"),
        Value::Request(RequestValue::Query(name)) => format!("request.query.{name}"),
        Value::Request(RequestValue::Cookie(name)) => format!("request.cookie.{name}"),
        Value::Record(fields) => record(fields),
    }
}

fn join<N: std::fmt::Display>(names: &[N]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
