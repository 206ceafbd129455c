//! The rows of a list that one request asks for: what a request asks comes in, the statement of a page and what its rows are go out.

use crate::listing::{Asked, Counting, cursor};
use crate::nested;
use crate::page::Page;
use crate::program::List;
use dialect::{Listing, Summarized, Wanted};
use plan::query::Output;
use plan::value::Comparison;
use plan::{Problem, Query};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Late, Row, StoreError};
use vocab::{ColumnName, Datum, FieldType};

/// What one request asks of a list, with every value but those of the page.
#[derive(Clone)]
pub(crate) struct Reading {
    list: Arc<List>,
    pub asked: Arc<Asked>,
    /// What gives the rows, where it is not what gives them where nothing is asked for.
    narrowed: Option<Query>,
    base: Arc<str>,
    /// What stands behind the placeholders of rows of others.
    of_related: Vec<Datum>,
    /// What stands behind those of the list itself.
    own: Vec<Datum>,
}

impl Reading {
    /// `of_related` gives what stands behind the placeholders of those outputs of a query that are rows of others.
    pub fn new(
        list: &Arc<List>,
        asked: &Arc<Asked>,
        own: Vec<Datum>,
        of_related: impl FnOnce(&Query) -> Vec<Datum>,
    ) -> Result<Self, Problem> {
        let narrowed = asked.fields.as_ref().map(|fields| list.narrowed(fields, &asked.listing.order));
        let base = match &narrowed {
            Some(query) => dialect::lower_listing_base_with(&list.database, query, &asked.nested.listings)
                .map_err(|_| Problem::InternalError)?
                .text
                .into(),
            None => Arc::clone(&list.base.text),
        };
        let of_related = narrowed.as_ref().map_or_else(Vec::new, of_related);
        Ok(Self { list: Arc::clone(list), asked: Arc::clone(asked), narrowed, base, of_related, own })
    }

    fn query(&self) -> &Query {
        self.narrowed.as_ref().unwrap_or(&self.list.of_columns)
    }

    /// The statement of a page, with what stands behind its placeholders.
    pub fn statement(&self, listing: &Listing) -> (Arc<str>, Vec<Datum>) {
        let (text, binds) = dialect::lower_listing(&self.list.database, self.query(), &self.base, listing);
        (text.into(), self.of_related.iter().chain(&self.own).cloned().chain(binds).collect())
    }

    /// The statement of how many rows there are on all pages together.
    pub fn count(&self, counting: Counting) -> (Arc<str>, Vec<Datum>) {
        let (database, listing) = (&self.list.database, &self.asked.listing);
        let (text, binds) = dialect::lower_count(database, self.query(), &self.base, listing, counting.most());
        (text.into(), self.own.iter().cloned().chain(binds).collect())
    }

    /// The statement of what is worked out of the rows.
    pub fn summary(&self, asked: &Summarized) -> Result<(Arc<str>, Vec<Datum>), Problem> {
        let lowered = dialect::lower_summary(&self.list.database, self.query(), asked);
        let (text, binds) = lowered.map_err(|_| Problem::InternalError)?;
        Ok((text.into(), self.own.iter().cloned().chain(binds).collect()))
    }

    /// Says of a read that would take more than its budget which index may keep it within, where one may.
    pub fn explained(&self, error: StoreError) -> StoreError {
        match (error, self.index()) {
            (StoreError::Late(Late::Plan, text), Some(columns)) => {
                let index = format!("an index of `{}` on ({})", self.query().from, columns.join(", "));
                StoreError::Late(Late::Plan, format!("{text}; {index} may keep it within"))
            }
            (error, _) => error,
        }
    }

    /// The columns of an index by which the rows are found: what must be equal, and behind it a range or what they are in the order of.
    fn index(&self) -> Option<Vec<&str>> {
        let listing = &self.asked.listing;
        let (mut columns, mut ranges) = (Vec::new(), Vec::new());
        let mut all: Vec<&Wanted> = listing.filters.iter().collect();
        while let Some(wanted) = all.pop() {
            match wanted {
                Wanted::Compare(column, Comparison::Equal, _) | Wanted::OneOf(column, _) | Wanted::Null(column) => {
                    columns.push(column);
                }
                Wanted::Compare(_, Comparison::NotEqual, _) | Wanted::Holds(..) | Wanted::Any(_) | Wanted::Not(_) => {}
                Wanted::Compare(column, ..) => ranges.push(column),
                Wanted::All(wanted) => all.extend(wanted),
            }
        }
        if columns.is_empty() && ranges.is_empty() && listing.order.len() == 1 {
            return None;
        }
        columns.sort();
        match ranges.into_iter().min() {
            Some(range) => columns.push(range),
            None => columns.extend(listing.order.iter().map(|order| &order.column)),
        }
        let mut seen = BTreeSet::new();
        columns.retain(|column| seen.insert(*column));
        Some(columns.into_iter().map(ColumnName::as_str).collect())
    }

    /// The page of at most so many rows, of which one more tells that there is another, and behind what that one begins.
    pub fn page(&self, rows: Vec<Row>, most: u32) -> Result<(Page, Option<Vec<Datum>>), Problem> {
        let more = rows.len() > most as usize;
        // Where its outputs stand among those of the list.
        let places = self.narrowed.as_ref().map(|query| self.list.places(query));
        let rows = rows.into_iter().take(most as usize).map(|row| match &places {
            None => Ok(typed(row, &self.list.types)),
            Some(places) => self.list.typed(places, &self.asked.nested, row),
        });
        let rows = rows.collect::<Result<Vec<Row>, _>>()?;
        let position = |column: &ColumnName| {
            let is_it = |output: &Output| matches!(output, Output::Column { column: known, .. } if known == column);
            self.query().outputs.iter().position(is_it)
        };
        let order = &self.asked.listing.order;
        let after: Option<Vec<Datum>> = rows.last().filter(|_| more).map(|row| {
            order.iter().filter_map(|level| position(&level.column).map(|position| row[position].clone())).collect()
        });
        let next = after.as_ref().map(|values| cursor(&self.asked.sort, values));
        let page = Page { rows, next, fields: None, total: None, format: self.asked.format, columns: None, rest: None };
        let (Some(fields), Some(places)) = (&self.asked.fields, &places) else { return Ok((page, after)) };
        let positions: Vec<usize> =
            fields.iter().filter_map(|field| places.iter().position(|place| place == field)).collect();
        let picked = |row: Row| positions.iter().map(|position| row[*position].clone()).collect();
        let rows = page.rows.into_iter().map(picked).collect();
        Ok((Page { rows, fields: Some(fields.clone()), ..page }, after))
    }
}

/// A row in the types of its columns: engines without a type for one keep it in another.
pub(crate) fn typed(row: Row, types: &[FieldType]) -> Row {
    row.into_iter().zip(types).map(|(datum, field_type)| nested::typed(datum, field_type)).collect()
}
