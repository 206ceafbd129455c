//! The records of a collection, a page at a time, unless the request says otherwise newest first, or by their keys where these
//! say nothing of time.

use super::{Behaved, Given, column_name, slot};
use crate::key::Origin;
use plan::database::{Column, Nullability};
use plan::procedure::{Input, Item, Response, RowsFormat, Step, Writes};
use plan::query::{Cardinality, Choice, Direction, Holes, Order, Output, Page, Query, RowLock, Total};
use plan::value::Comparison;
use vocab::FieldType;

/// Rows a page at most.
pub const MAX_PAGE: u32 = 100;
const PAGE: Page = Page { default: 20, max: MAX_PAGE };
/// Rows that whoever is known may have in one answer, where these are written one after the other.
const MAX_EXPORT: u32 = 1_000_000;
/// Rows that a request may pass over: each is read.
const MAX_OFFSET: u32 = 10_000;

pub fn lower(given: &Given<'_>) -> Behaved {
    let table = given.table();
    let visible = || {
        let shown = given.columns().filter(|column| column.name.as_str() != "row_version");
        shown.filter(|column| !given.hidden.contains(&column.name))
    };
    // Rows without a value have no place in an order that pages can be cut from.
    let sorts = visible()
        .filter(|column| {
            column.nullability == Nullability::NotNull
                && !matches!(column.field_type, FieldType::Text { .. } | FieldType::Json)
        })
        .map(|column| column.name.clone())
        .collect();
    let key = given.record_key();
    // What somebody has made by itself tells a record and nothing else of it.
    let is_value = |column: &Column| key.origin == Origin::Client || column.name != key.column;
    let filters = visible()
        .filter(|column| {
            is_value(column) && !given.is_parent(column.name.as_str()) && !given.is_owner(column.name.as_str())
        })
        .filter_map(|column| comparisons(&column.field_type).map(|list| (column.name.clone(), list)))
        .collect();
    // A column that is called so is asked for by its name.
    let is_free = |name: &str| given.columns().all(|column| column.name.as_str() != name);
    let query = Query {
        from: table.name.clone(),
        outputs: given
            .representation()
            .into_iter()
            .map(|(field, _)| Output::Column { column: column_name(field.as_str()), field })
            .collect(),
        filter: given.within(),
        order: vec![Order {
            direction: if key.grows() { Direction::Descending } else { Direction::Ascending },
            column: key.column,
        }],
        holes: Holes {
            filters,
            sorts,
            selection: if is_free("fields") { Choice::Open } else { Choice::Fixed },
            page: Some(PAGE),
            export: given.guarded.scheme.is_some().then_some(MAX_EXPORT),
            offset: is_free("offset").then_some(MAX_OFFSET),
            total: if is_free("count") { Total::Asked } else { Total::Untold },
            summary: None,
        },
        lock: RowLock::None,
    };
    let mut body = given.guards();
    body.push(Item::Let(slot("asked"), Step::Validate(Input::Listing(query.holes.clone()))));
    body.extend(given.find_parent(RowLock::None));
    body.push(Item::Let(
        slot("rows"),
        Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) },
    ));
    body.push(Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep));
    Behaved {
        summary: format!("lists the {}", table.name.as_str().replace('_', " ")),
        body,
        table: Some(table),
        events: Vec::new(),
        example: serde_json::Value::Null,
    }
}

/// How values of a type can be compared usefully.
fn comparisons(field_type: &FieldType) -> Option<Vec<Comparison>> {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    match field_type {
        FieldType::Integer | FieldType::Decimal { .. } | FieldType::Date | FieldType::Timestamp => {
            Some(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast])
        }
        FieldType::Line { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => Some(vec![Equal, NotEqual]),
        FieldType::Boolean | FieldType::Uuid => Some(vec![Equal]),
        FieldType::Text { .. } | FieldType::Json => None,
    }
}
