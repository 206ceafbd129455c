//! Fields and parameters as rows of tables, each with every rule that holds for it.

use crate::openapi::operation_parameters;
use crate::outline::{Body, Content, Outline, Success};
use minijinja::{Value, context};
use plan::Plan;
use plan::database::Nullability;
use plan::procedure::ResponseField;
use plan::shape::{Presence, ShapeField};
use vocab::FieldType;

/// The parameters of an operation; the comparisons of a column are one row.
pub fn parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Value> {
    let parameters = operation_parameters(plan, outline);
    let is_comparison = |name: &str| name.ends_with(']');
    parameters
        .iter()
        .filter(|parameter| !is_comparison(&parameter.name))
        .map(|parameter| {
            let begin = format!("{}[", parameter.name);
            let comparisons = parameters.iter().filter_map(|other| other.name.strip_prefix(&begin));
            let also: Vec<String> = comparisons.map(|end| format!("`[{end}`")).collect();
            let also = if also.is_empty() { String::new() } else { format!(" Also with {}.", also.join(", ")) };
            let description = format!("{}{also}", parameter.description);
            context! { name => parameter.name.as_str(), place => parameter.place, type => parameter.word.as_str(), description }
        })
        .collect()
}

/// The fields of a body.
pub fn body_fields(body: Body<'_>) -> Vec<Value> {
    fields_of(body, "")
}

/// The fields of a list's records stand behind it, each with the list's name before it.
fn fields_of(body: Body<'_>, before: &str) -> Vec<Value> {
    let fields = body.shape().fields.iter().flat_map(|field| {
        let name = format!("{before}{}", field.name);
        let entries =
            field.entries.iter().flat_map(|entries| fields_of(Body::Record(&entries.shape), &format!("{name}[].")));
        let own = context! {
            name => name.as_str(),
            type => described_type(field),
            required => match (field.presence, body) {
                (Presence::Required, Body::Record(_)) => "yes",
                (Presence::Required, Body::Changes(_)) => "no, and not null",
                (Presence::Optional, _) => "no",
            },
            description => field.description.as_str(),
        };
        std::iter::once(own).chain(entries).collect::<Vec<_>>()
    });
    fields.collect()
}

/// The fields of an answer, or of the rows of a page.
pub fn answer_fields(outline: &Outline<'_>, answer: &Success<'_>) -> Vec<Value> {
    let row = |name: &str, field_type: &FieldType, nullability: Nullability, description: &str| {
        let or_null = match nullability {
            Nullability::Nullable => ", or null",
            Nullability::NotNull => "",
        };
        context! { name, type => format!("{}{or_null}", field_type.describe()), description }
    };
    match &answer.content {
        Content::Nothing => Vec::new(),
        Content::Record(body) | Content::Records(body) => {
            let own = |before: &str, field: &ResponseField| {
                let (name, nullability) = (format!("{before}{}", field.name), outline.slots.nullability(&field.value));
                match field.entries {
                    None => row(&name, &field.field_type, nullability, &field.description),
                    Some(_) => context! { name, type => "list of objects", description => field.description.as_str() },
                }
            };
            let with_entries = |field: &ResponseField| {
                let before = format!("{}[].", field.name);
                let entries = field.entries.iter().flat_map(|list| &list.fields).map(|entry| own(&before, entry));
                std::iter::once(own("", field)).chain(entries).collect::<Vec<_>>()
            };
            body.iter().flat_map(with_entries).collect()
        }
        Content::Page(fields, _) => fields
            .iter()
            .map(|field| {
                row(field.name.as_str(), &field.column.field_type, field.column.nullability, field.description)
            })
            .collect(),
    }
}

/// What a field of a body holds, in words, with every rule that holds for it: `docs/http-manners.md`, section Validation.
pub fn described_type(field: &ShapeField) -> String {
    let is_bounded = field.bounds.minimum.is_some() && field.bounds.maximum.is_some();
    let mut words = match (&field.entries, &field.field_type) {
        (Some(entries), _) => format!("list of 1 to {} objects", entries.max),
        // Its own bounds follow.
        (None, FieldType::Integer) if is_bounded => FieldType::Integer.describe(),
        (None, FieldType::Json) if !field.words.is_empty() => {
            let words: Vec<String> = field.words.iter().map(|word| format!("`{word}`")).collect();
            format!("list of some of {}, each once", words.join(", "))
        }
        (None, of) => rules(of),
    };
    if field.min_length > 1 {
        words.push_str(&format!(", at least {} characters", field.min_length));
    }
    if let Some(max) = field.max_length {
        words.push_str(&format!(", at most {max} characters"));
    }
    if let Some(bounds) = field.bounds.describe() {
        words.push_str(&format!(", {bounds}"));
    }
    if let Some(format) = field.format {
        words.push_str(&format!(", {}", format.describe()));
    }
    if let Some(default) = &field.default {
        words.push_str(&format!("; `{}` where it is not given", default.plain()));
    }
    words
}

fn rules(field_type: &FieldType) -> String {
    let more = match field_type {
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Uuid
        | FieldType::Json => "",
        FieldType::Email => ", at most 254 characters",
        FieldType::Phone => {
            ": perhaps a `+`, then 5 to 20 digits with spaces, `-`, `.`, `(`, `)` between; at most 40 characters"
        }
        FieldType::Url => " with `http://` or `https://`, without white space, at most 2048 characters",
        FieldType::Integer => " from -9007199254740991 to 9007199254740991",
        FieldType::Date => ", such as `2026-01-02`",
        FieldType::Timestamp => {
            return "time: RFC 3339 with `Z` or an offset, such as `2026-01-02T03:04:05Z`; it is answered in UTC"
                .to_owned();
        }
    };
    format!("{}{more}", field_type.describe())
}
