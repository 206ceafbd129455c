//! The Markdown documents as views over the plan: for the API's callers, for reference, for the database, for the reviewer
//! of the plan. They say what the procedures do and add nothing.

use crate::Files;
use crate::node::NO_CONTENT;
use crate::openapi::{capitalised, problem_example};
use crate::outline::{Outline, outlines};
use crate::render::{Comment, generated, render};
use minijinja::{Value, context};
use plan::api::RateLimitPolicy;
use plan::database::{Column, LockClass, Nullability, Sensitivity, Table, Undo};
use plan::procedure::{LimitKey, ResponseField, Scheme};
use plan::shape::{Presence, Shape};
use plan::{EventDeclaration, Phase, Plan, Problem};
use std::collections::BTreeSet;
use vocab::{ColumnName, FieldType};

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
        asks_for_keys => outlines.iter().any(|outline| outline.scheme.is_some()),
        policies,
        endpoints,
        error_example => pretty(&error),
        codes => field_codes(),
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
    let answers: Vec<Value> = outline
        .answers
        .iter()
        .map(|(status, body)| {
            let fields: Vec<Value> = body.iter().map(|field| answer_field(outline, field)).collect();
            let example = (*status != NO_CONTENT).then(|| pretty(&outline.sample_answer(body)));
            context! { status, example, fields }
        })
        .collect();
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
        fields => outline.shape.map(shape_fields),
        max_body_bytes => outline.endpoint.max_body_bytes,
        curl => curl(outline),
        answers,
        problems,
    }
}

fn answer_field(outline: &Outline<'_>, field: &ResponseField) -> Value {
    let or_null = match outline.slots.nullability(&field.value) {
        Nullability::Nullable => ", or null",
        Nullability::NotNull => "",
    };
    context! {
        name => field.name.as_str(),
        type => format!("{}{or_null}", field.field_type.describe()),
        description => field.description.as_str(),
    }
}

fn shape_fields(shape: &Shape) -> Vec<Value> {
    let fields = shape.fields.iter().map(|field| {
        let least =
            if field.min_length > 1 { format!(", at least {} characters", field.min_length) } else { String::new() };
        context! {
            name => field.name.as_str(),
            type => format!("{}{least}", field.field_type.describe()),
            required => match field.presence {
                Presence::Required => "yes",
                Presence::Optional => "no",
            },
            description => field.description.as_str(),
        }
    });
    fields.collect()
}

/// A command that works as it is pasted.
fn curl(outline: &Outline<'_>) -> String {
    let mut parts = vec![format!("curl --include --request {} \"$BASE_URL{}\"", outline.method, outline.path)];
    match outline.scheme {
        Some(Scheme::ApiKey) => parts.push("--header \"X-API-Key: $API_KEY\"".to_owned()),
        Some(Scheme::AccessToken) | None => {}
    }
    if outline.shape.is_some() {
        parts.push("--header 'Content-Type: application/json'".to_owned());
        parts.push(format!("--data '{}'", pretty(&outline.endpoint.example).replace('\'', "'\\''")));
    }
    parts.join(" \\\n  ")
}

fn reference_view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let endpoints: Vec<Value> = outlines
        .iter()
        .map(|outline| {
            let successes: BTreeSet<u16> = outline.answers.iter().map(|(status, _)| *status).collect();
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
    let shapes: Vec<Value> = outlines
        .iter()
        .filter_map(|outline| {
            let shape = outline.shape?;
            let takers = format!("`{} {}`", outline.method, outline.path);
            Some(context! { name => shape.name.as_str(), takers, fields => shape_fields(shape) })
        })
        .collect();
    let problems: Vec<Value> = Problem::ALL
        .into_iter()
        .map(|problem| {
            let detail = problem_detail(problem, None, None);
            context! { status => problem.status(), name => problem.name(), title => problem.title(), detail }
        })
        .collect();
    context! { api => plan.api.name.as_str(), version => plan.api.version.as_str(), endpoints, policies, shapes, problems }
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
        word => type_word(column.field_type),
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
        | Problem::UnsupportedMediaType
        | Problem::InternalError
        | Problem::Unavailable
        | Problem::Overloaded => problem.detail().unwrap_or_default().to_owned(),
    }
}

/// What can be wrong with a field: `docs/http-manners.md`, section Validation.
fn field_codes() -> Vec<Value> {
    let codes = [
        ("required", "a required field is absent, `null`, or empty"),
        ("type", "the value is of another type than the field"),
        ("too_long", "it has more characters than allowed"),
        ("too_short", "it has fewer characters than asked for"),
        ("format", "it is not of the field's format"),
        ("invalid_character", "it holds a control character"),
        ("unknown_field", "the endpoint has no such field"),
    ];
    codes.into_iter().map(|(name, when)| context! { name, when }).collect()
}

fn type_word(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Line { .. } => "line",
        FieldType::Text { .. } => "text",
        FieldType::Email => "email",
        FieldType::Phone => "phone",
        FieldType::Url => "url",
        FieldType::Integer => "integer",
        FieldType::Boolean => "boolean",
        FieldType::Timestamp => "timestamp",
        FieldType::Uuid => "uuid",
        FieldType::Json => "json",
    }
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
