//! Bodies that an endpoint accepts, made from its example: one that may be sent again and again, and one that is known by its
//! mark.

use crate::entity::held;
use plan::Table;
use plan::api::Endpoint;
use plan::http_case::{DAY, NEXT_DAY, UNIQUE, UNIQUE_LENGTH};
use plan::procedure::{Item, Step};
use plan::query::{OnConflict, Write};
use plan::shape::{Shape, ShapeField};
use serde_json::{Value as Json, json};
use vocab::field_type::URL_MAX;
use vocab::{ColumnName, FieldType, SlotName, TableName};

/// `2026-01-02`
const DAY_LENGTH: usize = 10;

/// The example, with another value in every request where the insert cannot take the same one twice.
pub fn acceptable(endpoint: &Endpoint, tables: &[Table]) -> Json {
    let mut body = endpoint.example.clone();
    let unique = unique_fields(endpoint, tables);
    let kept = kept_once(&endpoint.procedure.body).map_or_else(Vec::new, |table| unique_of(endpoint, tables, table));
    for field in unique.into_iter().chain(kept).filter(|field| !leads(endpoint, tables, field)) {
        let Some(Json::String(text)) = body.get_mut(field.name.as_str()) else { continue };
        if let Some(other) = with_unique(field, text) {
            *text = other;
        }
    }
    with_days(&mut body, endpoint, tables);
    body
}

/// Puts other days into the times that no two records may share.
fn with_days(body: &mut Json, endpoint: &Endpoint, tables: &[Table]) {
    for rule in table(endpoint, tables).into_iter().flat_map(|table| &table.rules.overlaps) {
        for (column, day) in [(&rule.from, DAY), (&rule.until, NEXT_DAY)] {
            let Some(Json::String(text)) = body.get_mut(column.as_str()) else { continue };
            // What follows the day is the time of day.
            *text = format!("{day}{}", text.get(DAY_LENGTH..).unwrap_or_default());
        }
    }
}

/// The body with a time that the rule keeps for one record, and everything that it asks for; `None` where something of it is missing.
pub fn taking(endpoint: &Endpoint, tables: &[Table], [first, second]: [&str; 2]) -> Option<Json> {
    let body = acceptable(endpoint, tables);
    let rule = table(endpoint, tables)?.rules.overlaps.first()?;
    let is_given = |column: &ColumnName| body.get(column.as_str()).is_some_and(|value| !value.is_null());
    let is_same = |column: &ColumnName| !body[column.as_str()].to_string().contains(UNIQUE);
    let is_released = rule
        .unless
        .as_ref()
        .is_some_and(|released| released.words.iter().any(|word| body[released.column.as_str()] == json!(word)));
    if !rule.within.iter().chain([&rule.from, &rule.until]).all(is_given)
        || !rule.within.iter().all(is_same)
        || is_released
    {
        return None;
    }
    serde_json::from_str(&body.to_string().replace(DAY, first).replace(NEXT_DAY, second)).ok()
}

/// Whether the body may be sent again and again: every set of values that must be unique has one that is another each time.
pub fn can_repeat(endpoint: &Endpoint, tables: &[Table]) -> bool {
    let (Some(table), Some(shape)) = (table(endpoint, tables), shape_of(endpoint)) else { return true };
    let varies = |column: &ColumnName| {
        let field = shape.fields.iter().find(|field| field.name.as_str() == column.as_str());
        let text = |field: &&ShapeField| endpoint.example.get(field.name.as_str())?.as_str().map(ToOwned::to_owned);
        field
            .filter(|field| !leads(endpoint, tables, field))
            .is_some_and(|field| text(&field).and_then(|text| with_unique(field, &text)).is_some())
    };
    held::unique(table).all(|unique| unique.iter().any(varies))
}

/// Whether the field names a row of another table, which must be there.
fn leads(endpoint: &Endpoint, tables: &[Table], field: &ShapeField) -> bool {
    let keys = table(endpoint, tables).into_iter().flat_map(|table| &table.rules.foreign_keys);
    keys.flat_map(|key| &key.columns).any(|column| column.as_str() == field.name.as_str())
}

/// The table that the endpoint writes its body to.
fn table<'t>(endpoint: &Endpoint, tables: &'t [Table]) -> Option<&'t Table> {
    let name = strictly_unique(&endpoint.procedure.body)?;
    tables.iter().find(|known| known.name == *name)
}

/// The text with what makes it unique, where its type has room for that.
fn with_unique(field: &ShapeField, text: &str) -> Option<String> {
    let shortened = |text: &str, max: usize| text.chars().take(max.saturating_sub(UNIQUE_LENGTH)).collect::<String>();
    match &field.field_type {
        FieldType::Line { max } | FieldType::Text { max } => Some(shortened(text, *max as usize) + UNIQUE),
        FieldType::Url => Some(shortened(text, URL_MAX as usize) + UNIQUE),
        FieldType::Email => text.split_once('@').map(|(local, domain)| format!("{local}{UNIQUE}@{domain}")),
        // Digits are hexadecimal ones too.
        FieldType::Uuid => Some(shortened(text, text.len()) + UNIQUE),
        FieldType::Phone
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Json => None,
    }
}

/// The example with the mark in every field whose value must be unique; `None` where there is no such field, or one that
/// cannot hold it.
pub fn taken(endpoint: &Endpoint, tables: &[Table], mark: &str) -> Option<Json> {
    let mut body = endpoint.example.clone();
    let unique = unique_fields(endpoint, tables);
    for field in &unique {
        body[field.name.as_str()] = marked(field, mark)?;
    }
    with_days(&mut body, endpoint, tables);
    (!unique.is_empty()).then_some(body)
}

/// A value of the field that holds the mark.
pub fn marked(field: &ShapeField, mark: &str) -> Option<Json> {
    let longest =
        |max: &u32| (mark.len() <= *max as usize && field.min_length as usize <= mark.len()).then(|| json!(mark));
    match &field.field_type {
        FieldType::Line { max } | FieldType::Text { max } => longest(max),
        FieldType::Email => Some(json!(format!("{mark}@example.com"))),
        FieldType::Url => Some(json!(format!("https://example.com/{mark}"))),
        FieldType::Phone
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => None,
    }
}

/// The fields of the body whose values no other record may have.
fn unique_fields<'a>(endpoint: &'a Endpoint, tables: &[Table]) -> Vec<&'a ShapeField> {
    strictly_unique(&endpoint.procedure.body).map_or_else(Vec::new, |table| unique_of(endpoint, tables, table))
}

fn unique_of<'a>(endpoint: &'a Endpoint, tables: &[Table], table: &TableName) -> Vec<&'a ShapeField> {
    let Some(shape) = shape_of(endpoint) else { return Vec::new() };
    let unique: Vec<_> = tables.iter().filter(|known| known.name == *table).flat_map(held::unique).flatten().collect();
    let is_unique = |field: &&ShapeField| unique.iter().any(|column| column.as_str() == field.name.as_str());
    shape.fields.iter().filter(is_unique).collect()
}

/// What the body of the endpoint is checked against.
pub fn shape_of(endpoint: &Endpoint) -> Option<&Shape> {
    endpoint.procedure.body.iter().find_map(|item| match item {
        Item::Let(_, Step::Validate(input)) => input.shape_of_body(),
        _ => None,
    })
}

/// The table of a row that is kept where it is there already, and else brings other rows with it: only the first request stores
/// something.
fn kept_once(items: &[Item]) -> Option<&TableName> {
    let kept = items.iter().find_map(|item| match item {
        Item::Let(slot, Step::Write(Write::Insert { table, on_conflict: OnConflict::Keep { .. }, .. })) => {
            Some((slot, table))
        }
        _ => None,
    });
    let brings = |slot: &SlotName| {
        items.iter().any(|item| match item {
            Item::Match(matched, arms) => {
                matched == slot && arms.iter().any(|(_, body)| strictly_unique(body).is_some())
            }
            _ => false,
        })
    };
    let inner = || {
        items.iter().find_map(|item| match item {
            Item::Transaction(body) => kept_once(body),
            _ => None,
        })
    };
    kept.filter(|(slot, _)| brings(slot)).map(|(_, table)| table).or_else(inner)
}

/// The table that the items write to in a way that a taken value makes fail.
fn strictly_unique(items: &[Item]) -> Option<&TableName> {
    items.iter().find_map(|item| match item {
        Item::Let(_, Step::Write(write)) | Item::Do(Step::Write(write)) => match write {
            Write::Insert { table, on_conflict: OnConflict::Fail, .. } | Write::Update { table, .. } => Some(table),
            Write::Insert { .. } | Write::Delete { .. } | Write::Add(_) => None,
        },
        Item::Transaction(body) => strictly_unique(body),
        Item::Match(_, arms) => arms.iter().find_map(|(_, body)| strictly_unique(body)),
        Item::Each(each) => strictly_unique(&each.body),
        Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => None,
    })
}
