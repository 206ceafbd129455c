//! The Markdown documents as views over the plan: for the API's callers, for reference, for the database, for the reviewer
//! of the plan. They say what the procedures do and add nothing.

use crate::Files;
use crate::node::kind;
use crate::openapi::{capitalised, operation_parameters, problem_example};
use crate::outline::{Body, Content, Outline, RowField, Success, answer_formats, outlines};
use crate::render::{Comment, generated, render};
use minijinja::{Value, context};
use plan::api::RateLimitPolicy;
use plan::database::{Column, LockClass, Nullability, Sensitivity, Table, Undo};
use plan::procedure::{LimitKey, ResponseField, RowsFormat, Scheme};
use plan::shape::Presence;
use plan::{EventDeclaration, Phase, Plan, Problem};
use std::collections::BTreeSet;
use vocab::{ColumnName, FieldFormat};

pub fn files(plan: &Plan) -> Files {
    let outlines = outlines(plan);
    let documents = [
        (format!("apis/{}-api/documentation.md", plan.api.name), "documentation.md", callers_view(plan, &outlines)),
        ("documentation/api-reference.md".to_owned(), "api-reference.md", reference_view(plan, &outlines)),
        ("documentation/database-schema.md".to_owned(), "database-schema.md", schema_view(plan)),
        ("plan.md".to_owned(), "plan.md", plan_view(plan)),
    ];
    documents
        .into_iter()
        .map(|(path, template, view)| (path, generated(plan, Comment::Markup, &render(template, &view))))
        .collect()
}

fn callers_view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let policies: Vec<Value> = plan
        .api
        .policies
        .iter()
        .map(|policy| {
            let text =
                format!("at most {} requests of one caller in any {}", policy.quota, seconds(policy.window_seconds));
            let left = policy.quota.saturating_sub(1);
            let example = format!("\"{}\";r={left};t={}", policy.name, policy.window_seconds);
            context! { name => policy.name.as_str(), text, header => policy.header(), example }
        })
        .collect();
    let endpoints: Vec<Value> = outlines.iter().map(|outline| endpoint_view(plan, outline)).collect();
    let error = problem_example(Problem::ValidationFailed).expect("this kind has an example");
    context! {
        api => plan.api.name.as_str(),
        version => plan.api.version.as_str(),
        formats => answer_formats(outlines),
        asks_for_keys => outlines.iter().any(|outline| outline.scheme.is_some()),
        policies,
        endpoints,
        error_example => pretty(&error),
        codes => field_codes(outlines),
        variables => path_variables(outlines),
        maker => outlines
            .iter()
            .find(|outline| outline.answers.iter().any(|answer| answer.location.is_some()))
            .map(|outline| format!("{} {}", outline.method, outline.path)),
        lists => outlines.iter().any(|outline| outline.listing.is_some()),
        versions => outlines.iter().any(Outline::is_spared),
    }
}

fn endpoint_view(plan: &Plan, outline: &Outline<'_>) -> Value {
    let access = match outline.scheme {
        Some(Scheme::ApiKey) => " Asks for an API key.",
        Some(Scheme::AccessToken) => " Asks for an access token.",
        None => " Open to everybody.",
    };
    let policy = outline.limit.and_then(|(name, _)| plan.api.policy(name));
    let limited = outline.limit.map_or_else(String::new, |(name, by)| {
        let by = match by {
            LimitKey::Principal => "API key",
            LimitKey::Address => "client address",
        };
        format!(" Counts under policy `{name}` by {by}.")
    });
    let answers: Vec<Value> = outline.answers.iter().map(|answer| answer_view(outline, answer)).collect();
    let problems: Vec<Value> = in_order(&outline.problems)
        .into_iter()
        .map(|problem| {
            let detail = problem_detail(problem, policy, Some(outline.endpoint.max_body_bytes));
            context! { status => problem.status(), name => problem.name(), detail }
        })
        .collect();
    context! {
        title => format!("{} {}", outline.method, outline.path),
        summary => sentence(&outline.endpoint.summary),
        access => format!("{access}{limited}"),
        fields => outline.body.map(body_fields),
        changes => outline.body.is_some_and(|body| matches!(body, Body::Changes(_))),
        parameters => parameters(plan, outline),
        spared => outline.is_spared(),
        max_body_bytes => outline.endpoint.max_body_bytes,
        curl => curl(outline),
        answers,
        problems,
    }
}

fn answer_view(outline: &Outline<'_>, answer: &Success<'_>) -> Value {
    let fields: Vec<Value> = match &answer.content {
        Content::Nothing => Vec::new(),
        Content::Record(body) => body.iter().map(|field| answer_field(outline, field)).collect(),
        Content::Page(fields, _) => fields.iter().map(row_field).collect(),
    };
    context! {
        status => answer.status,
        example => outline.sample_content(&answer.content).map(|content| match content.as_str() {
            Some(text) => text.trim_end().replace('\r', ""),
            None => pretty(&content),
        }),
        page => match answer.content {
            Content::Page(_, RowsFormat::Json) => Some("Each of the `items`"),
            Content::Page(_, RowsFormat::Csv) => Some("The columns"),
            Content::Page(_, RowsFormat::Ndjson) => Some("Each line"),
            Content::Nothing | Content::Record(_) => None,
        },
        language => match answer.content {
            Content::Page(_, RowsFormat::Csv) => "csv",
            Content::Page(_, RowsFormat::Ndjson) => "ndjson",
            Content::Page(_, RowsFormat::Json) | Content::Nothing | Content::Record(_) => "json",
        },
        location => answer.location.map(|location| location.path.as_str()),
        fields,
    }
}

fn row_field(field: &RowField<'_>) -> Value {
    context! {
        name => field.name.as_str(),
        type => format!("{}{}", field.column.field_type.describe(), or_null(field.column.nullability)),
        description => field.description,
    }
}

/// What a value looks like beside its type.
fn formed(format: Option<FieldFormat>) -> String {
    format.map_or_else(String::new, |format| format!(", {}", format.describe()))
}

fn or_null(nullability: Nullability) -> &'static str {
    match nullability {
        Nullability::Nullable => ", or null",
        Nullability::NotNull => "",
    }
}

fn parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Value> {
    let parameters = operation_parameters(plan, outline).into_iter();
    parameters
        .map(|parameter| {
            let (name, place) = (parameter.name, parameter.place);
            context! { name, place, type => parameter.word, description => parameter.description }
        })
        .collect()
}

/// The shell variables that stand for path parameters in the examples, each once: `ID`.
fn path_variables(outlines: &[Outline<'_>]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (name, _) in outlines.iter().flat_map(|outline| &outline.path_parameters) {
        let variable = variable(name);
        if !found.contains(&variable) {
            found.push(variable);
        }
    }
    found
}

fn variable(parameter: &str) -> String {
    parameter.to_ascii_uppercase().replace('-', "_")
}

fn answer_field(outline: &Outline<'_>, field: &ResponseField) -> Value {
    let or_null = or_null(outline.slots.nullability(&field.value));
    context! {
        name => field.name.as_str(),
        type => format!("{}{or_null}", field.field_type.describe()),
        description => field.description.as_str(),
    }
}

fn body_fields(body: Body<'_>) -> Vec<Value> {
    let fields = body.shape().fields.iter().map(|field| {
        let least =
            if field.min_length > 1 { format!(", at least {} characters", field.min_length) } else { String::new() };
        context! {
            name => field.name.as_str(),
            type => format!("{}{least}{}", field.field_type.describe(), formed(field.format)),
            required => match (field.presence, body) {
                (Presence::Required, Body::Record(_)) => "yes",
                (Presence::Required, Body::Changes(_)) => "no, and not null",
                (Presence::Optional, _) => "no",
            },
            description => field.description.as_str(),
        }
    });
    fields.collect()
}

/// A command that works as it is pasted.
fn curl(outline: &Outline<'_>) -> String {
    let path = outline.path_parameters.iter().fold(outline.path.to_owned(), |path, (name, _)| {
        path.replace(&format!("{{{name}}}"), &format!("${}", variable(name)))
    });
    let mut parts = vec![format!("curl --include --request {} \"$BASE_URL{path}\"", outline.method)];
    match outline.scheme {
        Some(Scheme::ApiKey) => parts.push("--header \"X-API-Key: $API_KEY\"".to_owned()),
        Some(Scheme::AccessToken) | None => {}
    }
    if outline.body.is_some() {
        parts.push("--header 'Content-Type: application/json'".to_owned());
        parts.push(format!("--data '{}'", pretty(&outline.endpoint.example).replace('\'', "'\\''")));
    }
    parts.join(" \\\n  ")
}

fn reference_view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let endpoints: Vec<Value> = outlines
        .iter()
        .map(|outline| {
            let mut successes: BTreeSet<u16> = outline.answers.iter().map(|answer| answer.status).collect();
            successes.extend(outline.is_spared().then_some(304));
            let errors: BTreeSet<u16> = outline.problems.iter().map(|problem| problem.status()).collect();
            context! {
                method => outline.method,
                path => outline.path,
                summary => outline.endpoint.summary.as_str(),
                key => if outline.scheme.is_some() { "yes" } else { "no" },
                limit => outline.limit.map_or_else(String::new, |(policy, _)| format!("`{policy}`")),
                success => join(successes),
                errors => join(errors),
            }
        })
        .collect();
    let policies: Vec<Value> = plan
        .api
        .policies
        .iter()
        .map(|policy| {
            context! { name => policy.name.as_str(), quota => policy.quota, window_seconds => policy.window_seconds }
        })
        .collect();
    let mut bodies: Vec<(Body<'_>, Vec<String>)> = Vec::new();
    for outline in outlines {
        let Some(body) = outline.body else { continue };
        let taker = format!("`{} {}`", outline.method, outline.path);
        match bodies.iter_mut().find(|(known, _)| *known == body) {
            Some((_, takers)) => takers.push(taker),
            None => bodies.push((body, vec![taker])),
        }
    }
    let shapes: Vec<Value> = bodies
        .into_iter()
        .map(|(body, takers)| {
            let takers = takers.join(" and of ");
            context! { name => body.name(), takers, fields => body_fields(body) }
        })
        .collect();
    let parameters: Vec<Value> = outlines
        .iter()
        .filter_map(|outline| {
            let parameters = parameters(plan, outline);
            let title = format!("{} {}", outline.method, outline.path);
            (!parameters.is_empty()).then(|| context! { title, parameters })
        })
        .collect();
    let problems: Vec<Value> = Problem::ALL
        .into_iter()
        .map(|problem| {
            let detail = problem_detail(problem, None, None);
            context! { status => problem.status(), name => problem.name(), title => problem.title(), detail }
        })
        .collect();
    let (api, version) = (plan.api.name.as_str(), plan.api.version.as_str());
    context! { api, version, endpoints, policies, parameters, shapes, problems }
}

fn schema_view(plan: &Plan) -> Value {
    let tables: Vec<Value> = plan.database.tables.iter().map(table_view).collect();
    let events: Vec<Value> = plan.api.events.iter().map(event_view).collect();
    context! { api => plan.api.name.as_str(), engine => plan.database.engine.as_str(), tables, events }
}

fn table_view(table: &Table) -> Value {
    let columns: Vec<Value> = table.columns.iter().map(|column| column_view(table, column)).collect();
    let unique: String = table.unique.iter().map(|unique| format!(" Unique: {}.", column_list(unique))).collect();
    context! {
        name => table.name.as_str(),
        comment => capitalised(&table.comment),
        columns,
        primary_key => column_list(&table.primary_key),
        unique,
    }
}

fn column_view(table: &Table, column: &Column) -> Value {
    let mut keys: Vec<&str> = Vec::new();
    if table.primary_key.contains(&column.name) {
        keys.push("PK");
    }
    if table.unique.iter().any(|unique| unique.contains(&column.name)) {
        keys.push("UK");
    }
    let keys = if keys.is_empty() { String::new() } else { format!(" {}", keys.join(", ")) };
    context! {
        name => column.name.as_str(),
        word => kind(column.field_type),
        keys,
        quoted => column.comment.replace('"', "'"),
        type => column.field_type.describe(),
        null => match column.nullability {
            Nullability::NotNull => "no",
            Nullability::Nullable => "yes",
        },
        sensitivity => match column.sensitivity {
            Sensitivity::Plain => "plain",
            Sensitivity::Personal => "personal",
            Sensitivity::Secret => "secret",
        },
        comment => column.comment.as_str(),
    }
}

fn event_view(event: &EventDeclaration) -> Value {
    let also: Vec<String> = event.also.iter().map(|name| format!("`{name}`")).collect();
    let also = if also.is_empty() {
        "It counts as no other event.".to_owned()
    } else {
        format!("It also counts as {}: who listens to that hears of this too.", also.join(", "))
    };
    let fields: Vec<Value> = event
        .fields
        .iter()
        .map(|(name, field_type)| context! { name => name.as_str(), type => field_type.describe() })
        .collect();
    context! { name => event.name.as_str(), also, fields }
}

fn plan_view(plan: &Plan) -> Value {
    let mut order: Vec<Phase> = Vec::new();
    for decision in &plan.decisions {
        if !order.contains(&decision.phase) {
            order.push(decision.phase);
        }
    }
    let phases: Vec<Value> = order
        .into_iter()
        .map(|phase| {
            let decisions = plan.decisions.iter().filter(|decision| decision.phase == phase);
            let decisions: Vec<Value> = decisions
                .map(|made| context! { subject => made.subject.as_str(), decision => made.decision.as_str(), reason => made.reason.as_str() })
                .collect();
            context! { name => capitalised(&phase.as_str().replace('_', " ")), decisions }
        })
        .collect();
    let endpoints = plan.api.endpoints.iter();
    let procedures: Vec<String> =
        endpoints.map(|endpoint| plan::print::procedure(&endpoint.procedure).trim_end().to_owned()).collect();
    let migrations: Vec<Value> = plan
        .database
        .migrations
        .iter()
        .map(|migration| {
            let statements: Vec<Value> = migration
                .statements
                .iter()
                .map(|statement| {
                    let lock = match statement.lock {
                        LockClass::NewObject => "nothing",
                        LockClass::Writes => "writing, for a moment",
                    };
                    let undo = match &statement.undo {
                        Undo::Statement(sql) => format!("`{sql}`"),
                        Undo::Impossible(why) => format!("none: {why}"),
                    };
                    context! { why => statement.why.as_str(), lock, undo }
                })
                .collect();
            context! { name => migration.name.as_str(), statements }
        })
        .collect();
    context! { task => plan.task_id.as_str(), phases, procedures, migrations }
}

fn problem_detail(problem: Problem, policy: Option<&RateLimitPolicy>, max_body_bytes: Option<u64>) -> String {
    let bytes = max_body_bytes.map_or_else(|| "`<n>`".to_owned(), |bytes| bytes.to_string());
    match problem {
        Problem::MethodNotAllowed => "this path answers `<methods>`".to_owned(),
        Problem::BodyTooLarge => format!("the body may have at most {bytes} bytes"),
        Problem::ValidationFailed => "`<n>` fields are wrong".to_owned(),
        Problem::RateLimited => match policy {
            Some(policy) => format!("at most {} requests per {} seconds", policy.quota, policy.window_seconds),
            None => "at most `<n>` requests per `<n>` seconds".to_owned(),
        },
        Problem::MalformedRequest
        | Problem::MalformedBody
        | Problem::MissingCredentials
        | Problem::InvalidCredentials
        | Problem::NotFound
        | Problem::RequestTimeout
        | Problem::Conflict
        | Problem::PreconditionFailed
        | Problem::UnsupportedMediaType
        | Problem::InternalError
        | Problem::Unavailable
        | Problem::Overloaded => problem.detail().unwrap_or_default().to_owned(),
    }
}

/// What can be wrong with a field: `docs/http-manners.md`, section Validation.
fn field_codes(outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut codes = vec![
        ("required", "a required field is absent, `null`, or empty"),
        ("type", "the value is of another type than the field"),
        ("too_long", "it has more characters than allowed"),
        ("too_short", "it has fewer characters than asked for"),
        ("format", "it is not of the field's format"),
        ("invalid_character", "it holds a control character"),
        ("unknown_field", "the endpoint has no such field"),
    ];
    if outlines.iter().any(|outline| outline.listing.is_some()) {
        codes.extend([
            ("range", "the number is too small or too large"),
            ("unknown_parameter", "the endpoint has no such query parameter"),
            ("repeated", "the query parameter was given more than once"),
        ]);
    }
    codes.into_iter().map(|(name, when)| context! { name, when }).collect()
}

/// By status, and among equals as in the documentation.
fn in_order(problems: &BTreeSet<Problem>) -> Vec<Problem> {
    let mut ordered: Vec<Problem> = problems.iter().copied().collect();
    ordered.sort_by_key(|problem| problem.status());
    ordered
}

fn column_list(columns: &[ColumnName]) -> String {
    columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(" + ")
}

fn join(statuses: BTreeSet<u16>) -> String {
    statuses.into_iter().map(|status| status.to_string()).collect::<Vec<_>>().join(", ")
}

fn seconds(count: u32) -> String {
    if count == 1 { "second".to_owned() } else { format!("{count} seconds") }
}

fn sentence(text: &str) -> String {
    format!("{}.", capitalised(text).trim_end_matches('.'))
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("plain data with text keys")
}
