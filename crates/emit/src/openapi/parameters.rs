//! What an operation takes beside its body: path, query and header parameters, for the document and for people.

use super::accepted::value_schema;
use crate::node::filter_parameter;
use crate::outline::{Guard, Listing, Outline, Repeatable};
use plan::Plan;
use plan::procedure::RowsFormat;
use plan::query::{MAX_FILTER_LENGTH, MAX_GROUPS, MOST_COUNTED, Total};
use plan::shape::Presence;
use plan::value::{Comparison, Preference};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vocab::{ColumnName, FieldName, FieldType};

/// One parameter of an operation, for the document and for people.
pub struct Parameter {
    pub name: String,
    /// `path`, `query` or `header`.
    pub place: &'static str,
    pub is_required: bool,
    pub schema: Value,
    /// Its type in words.
    pub word: String,
    pub description: String,
}

pub fn parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Value> {
    let written = |parameter: Parameter| {
        let mut value = json!({"name": parameter.name, "in": parameter.place});
        if parameter.is_required {
            value["required"] = true.into();
        }
        value["schema"] = parameter.schema;
        value["description"] = parameter.description.into();
        value
    };
    operation_parameters(plan, outline).into_iter().map(written).collect()
}

/// What an operation takes beside its body, its key and its request id.
pub fn operation_parameters(plan: &Plan, outline: &Outline<'_>) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (name, field_type) in &outline.path_parameters {
        // Another form is no error: it is found nowhere.
        found.push(Parameter {
            name: (*name).to_owned(),
            place: "path",
            is_required: true,
            schema: match field_type {
                Some(FieldType::Integer) => value_schema(&FieldType::Integer, 0),
                Some(_) | None => json!({"type": "string"}),
            },
            word: field_type.map_or_else(|| "text".to_owned(), FieldType::describe),
            description: format!("The `{name}` of the record."),
        });
    }
    for (name, description) in outline.endpoint.hearing().iter().flat_map(|hearing| hearing.headers()) {
        found.push(Parameter {
            name: name.to_owned(),
            place: "header",
            is_required: true,
            schema: json!({"type": "string"}),
            word: "text".to_owned(),
            description: description.to_owned(),
        });
    }
    for field in outline.query.iter().flat_map(|shape| &shape.fields) {
        found.push(Parameter {
            name: field.name.to_string(),
            place: "query",
            is_required: field.presence == Presence::Required,
            schema: value_schema(&field.field_type, field.min_length),
            word: field.field_type.describe(),
            description: field.description.clone(),
        });
    }
    if let Some(listing) = outline.listing {
        found.extend(list_parameters(plan, listing));
    }
    if !outline.fields.is_empty() {
        let description = "The fields that are wanted, with commas between, in this order. Without it: all of them.";
        found.push(names_parameter("fields", &outline.fields, description));
    }
    if !outline.related.is_empty() {
        let names: Vec<&FieldName> = outline.related.iter().map(|related| related.name).collect();
        let description = "The rows of others that are wanted beside the fields, with commas between: each as its own endpoint shows it.";
        let all: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let mut parameter = names_parameter("include", &names, description);
        parameter.schema["example"] = all.join(",").into();
        found.push(parameter);
        for related in &outline.related {
            let fields: Vec<&FieldName> = related.fields.iter().map(|field| field.name).collect();
            let of = |asked: &str| format!("{}.{asked}", related.name);
            let description =
                format!("The fields that are wanted of `{}`, where `include` asks for them.", related.name);
            found.push(names_parameter(&of("fields"), &fields, &description));
            let listing = related.listing().map_or_else(Vec::new, |listing| list_parameters(plan, listing));
            let asked = listing.into_iter().filter(|parameter| ["limit", "sort", "filter"].contains(&&*parameter.name));
            found.extend(asked.map(|parameter| Parameter {
                name: of(&parameter.name),
                description: format!("Of `{}`: {}", related.name, parameter.description),
                ..parameter
            }));
        }
    }
    let header = |name: &str, description: &str| Parameter {
        name: name.to_owned(),
        place: "header",
        is_required: false,
        schema: json!({"type": "string"}),
        word: "tag".to_owned(),
        description: description.to_owned(),
    };
    if outline.is_spared() {
        let description = "The `ETag` of what the caller has: it is answered 304 where nothing has changed.";
        found.push(header("If-None-Match", description));
    }
    match outline.guard {
        Guard::IfMatch => {
            let description = "The `ETag` of the record as the caller knows it: 412 where it has changed since.";
            found.push(header("If-Match", description));
        }
        Guard::None => {}
    }
    if outline.has_preferences() {
        let preferences: BTreeSet<&str> =
            outline.answers.iter().filter_map(|answer| answer.preference).map(Preference::as_str).collect();
        let preferences: Vec<String> = preferences.into_iter().map(|preference| format!("`{preference}`")).collect();
        found.push(Parameter {
            word: "text".to_owned(),
            ..header(
                "Prefer",
                &format!(
                    "{}: {}. Others are ignored.",
                    if outline.merges() { "How it is done and answered" } else { "How it is answered" },
                    preferences.join(" or ")
                ),
            )
        });
    }
    match outline.repeatable {
        Repeatable::WithKey => found.push(Parameter {
            name: "Idempotency-Key".to_owned(),
            place: "header",
            is_required: false,
            schema: json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
            word: "1 to 255 visible ASCII characters".to_owned(),
            description:
                "Names this request: sent again with the same key within a day it is answered as before and done once."
                    .to_owned(),
        }),
        Repeatable::No => {}
    }
    found
}

/// One that takes some of these names.
fn names_parameter(parameter: &str, names: &[&FieldName], description: &str) -> Parameter {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let words: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let one = format!("({})", names.join("|"));
    Parameter {
        name: parameter.to_owned(),
        place: "query",
        is_required: false,
        schema: json!({"type": "string", "pattern": format!("^{one}(,{one})*$")}),
        word: words.join(", "),
        description: description.to_owned(),
    }
}

fn list_parameters(plan: &Plan, listing: Listing<'_>) -> Vec<Parameter> {
    let query = |name: &str, schema: Value, word: String, description: String| Parameter {
        name: name.to_owned(),
        place: "query",
        is_required: false,
        schema,
        word,
        description,
    };
    let mut found = Vec::new();
    if let Some(page) = listing.holes.page {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": page.max, "default": page.default});
        let word = format!("whole number, 1 to {}", page.max);
        let more = listing.holes.export.map(|most| {
            let [csv, lines] = [RowsFormat::Csv, RowsFormat::Ndjson].map(RowsFormat::media_type);
            format!(" As `{csv}` or `{lines}` there may be up to {most} in one answer.")
        });
        let description = format!("Rows a page; {} where it is not given.{}", page.default, more.unwrap_or_default());
        found.push(query("limit", schema, word, description));
    }
    if !listing.holes.sorts.is_empty() {
        let names: Vec<&str> = listing.holes.sorts.iter().map(ColumnName::as_str).collect();
        let words: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let usual = listing.usual_order();
        let description = format!(
            "The column to sort by, with `-` before it for the reverse; several with commas between, the first one first. Without it: {usual}."
        );
        let level = format!("-?({})", names.join("|"));
        let schema = json!({"type": "string", "pattern": format!("^{level}(,{level})*$")});
        found.push(query("sort", schema, words.join(", "), description));
    }
    let description = "The `next` of the page before, asked for with the same `sort`.";
    found.push(query("cursor", json!({"type": "string"}), "text".to_owned(), description.to_owned()));
    if let Some(most) = listing.holes.offset {
        let schema = json!({"type": "integer", "minimum": 0, "maximum": most, "default": 0});
        let description = "Rows that are passed over, instead of a `cursor`.";
        found.push(query("offset", schema, format!("whole number, 0 to {most}"), description.to_owned()));
    }
    if listing.holes.total == Total::Asked {
        let description = format!(
            "With `exact` the answer says how many rows there are on all pages together, as `total`. With `estimated` no more than \
             {MOST_COUNTED} are counted, and `total_is` says `exact`, or `at_least` where there are more."
        );
        let schema = json!({"type": "string", "enum": ["exact", "estimated"]});
        found.push(query("count", schema, "`exact` or `estimated`".to_owned(), description));
    }
    for (column, comparisons) in &listing.holes.filters {
        let Some(declared) = plan.database.column(&listing.query.from, column) else { continue };
        for comparison in comparisons {
            let schema = value_schema(&declared.field_type, 0);
            let description = format!("Only rows whose `{column}` {} this.", comparison_text(*comparison));
            let name = filter_parameter(column, *comparison);
            found.push(query(&name, schema, declared.field_type.describe(), description));
        }
    }
    if !listing.holes.filters.is_empty() {
        let names: Vec<String> = listing.holes.filters.iter().map(|(column, _)| format!("`{column}`")).collect();
        let description = format!(
            "Only rows of which this holds: comparisons that `and`, `or`, `not` and parentheses join. A column is one of {}; it stands \
             before `=`, `!=`, `<`, `<=`, `>`, `>=` and a value, `= null`, `in (a, b)`, or, where it is a text, `contains \"part\"` or \
             `starts \"part\"`. A value with other characters than letters, digits and `_.:+-` stands in quotes.",
            names.join(", ")
        );
        let example = format!("{} != null", listing.holes.filters[0].0);
        let schema = json!({"type": "string", "minLength": 1, "maxLength": MAX_FILTER_LENGTH, "example": example});
        found.push(query("filter", schema, "an expression".to_owned(), description));
    }
    if let Some(summary) = &listing.holes.summary {
        let several = |name: &str, known: &[String], word: String, description: &str| {
            let one =
                known.iter().map(|known| known.replace('(', "\\(").replace(')', "\\)")).collect::<Vec<_>>().join("|");
            let schema = json!({"type": "string", "pattern": format!("^({one})(,({one}))*$")});
            query(name, schema, word, description.to_owned())
        };
        let columns =
            |columns: &[ColumnName]| columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        let of =
            |what: &str, known: &[ColumnName]| (!known.is_empty()).then(|| format!("{what} of {}", columns(known)));
        let aggregates: Vec<String> = summary.aggregates().iter().map(ToString::to_string).collect();
        let description = "What is worked out of the rows instead of them, several with commas between: each of the `items` has what is asked \
                           for, by these names. Beside it stand filters, `group`, `sort` by what is asked for, and `limit`.";
        let words =
            [of("`sum(...)` and `avg(...)`", &summary.numbers), of("`min(...)` and `max(...)`", &summary.ordered)];
        let words = ["`count`".to_owned()].into_iter().chain(words.into_iter().flatten());
        found.push(several("aggregate", &aggregates, words.collect::<Vec<_>>().join("; "), description));
        let groups: Vec<String> = summary.groups().iter().map(ToString::to_string).collect();
        if !groups.is_empty() {
            let description = format!(
                "With `aggregate`: what rows have in common of which one result is made; at most {MAX_GROUPS}."
            );
            let values = (!summary.values.is_empty()).then(|| columns(&summary.values));
            let times = of("`year(...)`, `month(...)` and `day(...)`", &summary.times);
            let words = values.into_iter().chain(times).collect::<Vec<_>>().join("; ");
            found.push(several("group", &groups, words, &description));
        }
    }
    found
}

/// What a filter asks of a column, in words.
pub fn comparison_text(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "is",
        Comparison::NotEqual => "is neither null nor",
        Comparison::Less => "is less than",
        Comparison::AtMost => "is at most",
        Comparison::Greater => "is greater than",
        Comparison::AtLeast => "is at least",
    }
}
