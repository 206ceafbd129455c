//! What may be worked out of the rows of a list instead of reading them: offered where callers are known, of the columns that the list may be
//! filtered by, so that it tells nothing that the list itself does not.

use plan::ApiPlan;
use plan::procedure::{Input, Item, Step};
use plan::query::{Holes, Summary};
use plan::value::Comparison;
use vocab::{ColumnName, FieldType, TableName};

/// What asks for it. A column that is called so is asked for by its name.
const PARAMETERS: [&str; 2] = ["aggregate", "group"];

/// Adds to every list what it may be asked. `field_type` knows the columns.
pub fn offer(api: &mut ApiPlan, field_type: impl Fn(&TableName, &ColumnName) -> Option<FieldType>) {
    for endpoint in &mut api.endpoints {
        let body = &mut endpoint.procedure.body;
        let is_open = !body
            .iter()
            .any(|item| matches!(item, Item::Let(_, Step::Authorize { .. }) | Item::Do(Step::Authorize { .. })));
        let list = body.iter().find_map(|item| match item {
            Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) if query.holes.page.is_some() => Some(query),
            _ => None,
        });
        let Some(query) = list.filter(|_| !is_open) else { continue };
        let Some(summary) = summary(&query.holes, |column| field_type(&query.from, column)) else { continue };
        for item in body {
            match item {
                Item::Let(_, Step::Validate(Input::Listing(holes))) => holes.summary = Some(summary.clone()),
                Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => {
                    query.holes.summary = Some(summary.clone());
                }
                _ => {}
            }
        }
    }
}

fn summary(holes: &Holes, field_type: impl Fn(&ColumnName) -> Option<FieldType>) -> Option<Summary> {
    let mut found = Summary { values: Vec::new(), times: Vec::new(), numbers: Vec::new(), ordered: Vec::new() };
    for (column, comparisons) in &holes.filters {
        if PARAMETERS.contains(&column.as_str()) {
            return None;
        }
        let compares = |comparison| comparisons.contains(&comparison);
        let of = field_type(column)?;
        let (is_value, is_time, is_number) = match of {
            FieldType::Line { .. }
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Boolean
            | FieldType::Uuid => (true, false, false),
            FieldType::Integer => (true, false, true),
            FieldType::Decimal { .. } => (false, false, true),
            FieldType::Date => (true, true, false),
            FieldType::Timestamp => (false, true, false),
            FieldType::Email | FieldType::Phone | FieldType::Url | FieldType::Text { .. } | FieldType::Json => continue,
        };
        // Who may ask for rows of one value may ask which values there are, unless the value is called as what is counted.
        found
            .values
            .extend((is_value && compares(Comparison::Equal) && column.as_str() != "count").then(|| column.clone()));
        found.times.extend((is_time && compares(Comparison::Less)).then(|| column.clone()));
        found.numbers.extend((is_number && compares(Comparison::Less)).then(|| column.clone()));
        found.ordered.extend(((is_number || is_time) && compares(Comparison::Less)).then(|| column.clone()));
    }
    Some(found)
}
