//! Lists: what the query string asks for, checked against what the plan allows, and the cursors that lead from page to page.

use crate::export::AT_ONCE;
use crate::filter::{self, Offer};
use crate::summary::{Summarizes, SummaryCheck};
use crate::validation::{MAX_ENTRIES, Why, Wrong, cursor_value, parameter_number, parameter_value};
use dialect::{Listing, Wanted};
use plan::procedure::RowsFormat;
use plan::query::{Cardinality, Choice, Direction, Holes, MOST_COUNTED, Order, Page, Related, Total};
use plan::value::Comparison;
use plan::{DatabasePlan, Query, Scope};
use std::borrow::Cow;
use vocab::{ColumnName, Datum, FieldName, FieldType, hex};

/// Longest cursor that is looked at.
const MAX_CURSOR: usize = 8192;

/// A parameter of a query string with its text.
pub(crate) type Pair<'q> = (Cow<'q, str>, Cow<'q, str>);

/// What a request may ask of one list.
pub(crate) struct ListingCheck {
    /// What may be asked of columns, one by one or in a `filter`.
    offers: Vec<Offer>,
    sorts: Vec<(ColumnName, FieldType)>,
    page: Page,
    /// Rows that may be asked for where they are written one after the other.
    export: u32,
    /// The unique column that every order ends with, and what it holds.
    key: (ColumnName, FieldType),
    /// The order where none is asked for.
    usual: String,
    /// Rows that may be passed over.
    offset: Option<u32>,
    total: Total,
    /// What may be picked of a row; none where it is always the whole.
    selection: Option<SelectionCheck>,
    /// What may be worked out instead.
    summary: Option<SummaryCheck>,
}

/// Which fields of a record a request may pick, and which rows of others it may have with it. What is asked for is told by its place, the
/// rows' behind the fields'.
pub(crate) struct SelectionCheck {
    pub names: Vec<FieldName>,
    pub related: Vec<RelatedCheck>,
}

/// What a request may ask of rows that come with a row: `reviews.limit`.
pub(crate) struct RelatedCheck {
    name: FieldName,
    /// What a key must be good for besides.
    scopes: Vec<Scope>,
    fields: Vec<FieldName>,
    /// Which rows, where there are several.
    listing: Option<ListingCheck>,
}

/// What one request asks of rows that come with a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nested {
    /// Which of them, in which order, how many.
    pub listings: Vec<(FieldName, Listing)>,
    /// The fields that are wanted of them.
    pub fields: Vec<(FieldName, Vec<FieldName>)>,
}

/// What one request asks of a record: its fields and the rows of others that are wanted, by their places, in this order; none where it is
/// all fields and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    pub places: Option<Vec<usize>>,
    pub nested: Nested,
}

/// How far rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// All of them.
    Exact,
    /// Up to [`MOST_COUNTED`]; whether there are more is said.
    Estimated,
}

impl Counting {
    /// How many rows are looked at: one more than are told tells that there are more.
    pub fn most(self) -> Option<u32> {
        match self {
            Self::Exact => None,
            Self::Estimated => Some(MOST_COUNTED + 1),
        }
    }
}

/// What one request asks.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub listing: Listing,
    /// As it stands in cursors: `-name`.
    pub sort: String,
    /// The fields and rows of others that are wanted, by their places, in this order; none where it is all fields and nothing else.
    pub fields: Option<Vec<usize>>,
    /// What is asked of those rows.
    pub nested: Nested,
    /// Where it is said how many rows there are.
    pub counting: Option<Counting>,
    /// How the rows are to be written, where the caller says so.
    pub format: Option<RowsFormat>,
    /// What is asked instead of the rows.
    pub summary: Option<Summarizes>,
    /// Rows a page; the listing asks for one more, to know whether there is another page.
    pub page: u32,
    /// Rows that may come behind them in the same answer.
    pub beyond: u32,
}

impl ListingCheck {
    /// `None` when the plan does not say what is needed: a page, columns that exist, a key.
    pub fn new(query: &Query, holes: &Holes, database: &DatabasePlan) -> Option<Self> {
        let field_type = |column: &ColumnName| Some(database.column(&query.from, column)?.field_type.clone());
        let offer = |(column, comparisons): &(ColumnName, Vec<Comparison>)| {
            Some(Offer { column: column.clone(), field_type: field_type(column)?, comparisons: comparisons.clone() })
        };
        let offers = holes.filters.iter().map(offer).collect::<Option<_>>()?;
        let sorts =
            holes.sorts.iter().map(|column| Some((column.clone(), field_type(column)?))).collect::<Option<_>>()?;
        let (first, key) = (query.order.first()?, &query.order.last()?.column);
        let sign = match first.direction {
            Direction::Ascending => "",
            Direction::Descending => "-",
        };
        let usual = format!("{sign}{}", first.column);
        let selection = match holes.selection {
            Choice::Fixed => None,
            Choice::Open => Some(SelectionCheck {
                names: query.of_columns().outputs.iter().map(|output| output.field().clone()).collect(),
                related: related(query, database)?,
            }),
        };
        let summary = match &holes.summary {
            None => None,
            Some(summary) => Some(SummaryCheck::new(summary, field_type)?),
        };
        Some(Self {
            offers,
            summary,
            sorts,
            page: holes.page?,
            export: holes.export.unwrap_or(holes.page?.max),
            key: (key.clone(), field_type(key)?),
            usual,
            offset: holes.offset,
            total: holes.total,
            selection,
        })
    }

    /// What the query string asks, where the rows are to be written so, or everything that is wrong with it.
    pub fn asked(&self, query_string: &str, format: Option<RowsFormat>) -> Result<Asked, Vec<Wrong>> {
        let pairs: Vec<Pair<'_>> = form_urlencoded::parse(query_string.as_bytes()).collect();
        if let Some(check) = self.summary.as_ref().filter(|_| asks_for_summary(&pairs)) {
            let summary = self.summarized(check, &pairs, format)?;
            let listing = self.usual();
            let (sort, fields, nested) = (self.usual.clone(), None, Nested::default());
            let summary = Some(summary);
            return Ok(Asked { listing, sort, fields, nested, counting: None, format, summary, page: 0, beyond: 0 });
        }
        let most = match format {
            None | Some(RowsFormat::Json) => self.page.max,
            Some(RowsFormat::Csv | RowsFormat::Ndjson) => self.export,
        };
        // Each with the place of its parameter.
        let mut wrong: Vec<(usize, Wrong)> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut limit = self.page.default;
        let mut sort = self.usual.clone();
        let mut cursor = None;
        let mut filters = Vec::new();
        let mut fields = None;
        let mut included = None;
        let mut nested = Nested::default();
        let mut offset = None;
        let mut counting = None;
        for (place, (name, text)) in pairs.into_iter().enumerate() {
            let mut refuse = |why| wrong.push((place, Wrong::parameter(&name, why)));
            if seen.iter().any(|known| *known == name) {
                refuse(Why::new("repeated", "must be given once"));
                continue;
            }
            seen.push(name.to_string());
            match name.as_ref() {
                "limit" => match limit_of(&text, most) {
                    Ok(number) => limit = number,
                    Err(why) => refuse(why),
                },
                "sort" => match self.sorted(&text) {
                    Ok(_) => sort = text.into_owned(),
                    Err(why) => refuse(why),
                },
                dotted if dotted.contains('.') && self.selection.is_some() => {
                    let taken = self.selection.iter().find_map(|check| check.take(&mut nested, dotted, &text).err());
                    taken.into_iter().for_each(refuse);
                }
                "offset" if self.offset.is_some() => {
                    let most = self.offset.unwrap_or_default();
                    match parameter_number(&text).map(u32::try_from) {
                        None => refuse(Why::new("type", "must be a whole number")),
                        Some(Ok(number)) if number <= most => offset = Some((place, number)),
                        Some(_) => refuse(Why::new("range", format!("must be between 0 and {most}"))),
                    }
                }
                "count" if self.total == Total::Asked => match &*text {
                    "exact" => counting = Some(Counting::Exact),
                    "estimated" => counting = Some(Counting::Estimated),
                    _ => refuse(Why::new("format", "must be one of exact, estimated")),
                },
                "cursor" => cursor = Some((place, text.into_owned())),
                "fields" | "include" if self.takes(&name) => {
                    let asked = if name == "fields" { &mut fields } else { &mut included };
                    match self.selection.iter().find_map(|selection| selection.picked(&name, &text)) {
                        Some(picked) => *asked = Some(picked),
                        None => self.selection.iter().for_each(|selection| refuse(selection.why(&name))),
                    }
                }
                "filter" if !self.offers.is_empty() => match filter::read(&text, &self.offers) {
                    Ok(wanted) => filters.push(wanted),
                    Err(why) => refuse(why),
                },
                name => match self.offered(name) {
                    None => refuse(Why::new("unknown_parameter", "is not a known parameter")),
                    Some((offer, comparison)) => match compared(offer, comparison, &text) {
                        Ok(wanted) => filters.push(wanted),
                        Err(why) => refuse(why),
                    },
                },
            }
        }
        // Where a page begins is said once.
        if let (Some((place, _)), Some(_)) = (offset, &cursor) {
            let why = Why::new("inconsistent", "must not be given together with `cursor`");
            wrong.push((place, Wrong::parameter("offset", why)));
        }
        // A cursor can be read only once the sort is known, wherever it stood.
        let mut after = None;
        if let Some((place, text)) = cursor {
            after = self.after(&text, &sort);
            if after.is_none() {
                let why = Why::new("format", "must be the `next` of a page with the same sort");
                wrong.push((place, Wrong::parameter("cursor", why)));
            }
        }
        if !wrong.is_empty() {
            wrong.sort_by_key(|(place, _)| *place);
            wrong.truncate(MAX_ENTRIES);
            return Err(wrong.into_iter().map(|(_, wrong)| wrong).collect());
        }
        let order = self.order(&sort).unwrap_or_default();
        let offset = offset.map_or(0, |(_, offset)| offset);
        let fields = self.selection.as_ref().and_then(|selection| selection.joined(fields, included));
        let page = limit.min(AT_ONCE);
        let listing = Listing { filters, order, after, offset, limit: page + 1 };
        Ok(Asked { listing, sort, fields, nested, counting, format, summary: None, page, beyond: limit - page })
    }

    fn summarized(
        &self,
        check: &SummaryCheck,
        pairs: &[Pair<'_>],
        format: Option<RowsFormat>,
    ) -> Result<Summarizes, Vec<Wrong>> {
        let filtered =
            |name: &str, text: &str| self.offered(name).map(|(offer, comparison)| compared(offer, comparison, text));
        let knows = |name: &str| match name {
            "cursor" => true,
            "offset" => self.offset.is_some(),
            "count" => self.total == Total::Asked,
            name => self.selection.as_ref().is_some_and(|selection| selection.takes(name) || selection.knows(name)),
        };
        check.asked(pairs, format, &self.offers, filtered, knows)
    }

    fn sorted(&self, text: &str) -> Result<Vec<Order>, Why> {
        self.order(text).ok_or_else(|| several_of(self.sorts.iter().map(|(column, _)| column.as_str())))
    }

    /// What is asked where nothing is.
    fn usual(&self) -> Listing {
        let order = self.order(&self.usual).unwrap_or_default();
        Listing { filters: Vec::new(), order, after: None, offset: 0, limit: self.page.default }
    }

    /// What a key must be good for besides, for what is asked.
    pub fn scopes(&self, fields: Option<&[usize]>) -> impl Iterator<Item = &Scope> {
        self.selection.iter().flat_map(move |selection| selection.scopes(fields))
    }

    fn takes(&self, parameter: &str) -> bool {
        self.selection.as_ref().is_some_and(|selection| selection.takes(parameter))
    }

    /// The column and the comparison that a parameter is about: `stock[gte]`.
    fn offered(&self, parameter: &str) -> Option<(&Offer, Comparison)> {
        self.offers.iter().find_map(|offer| {
            let ending = parameter.strip_prefix(offer.column.as_str())?;
            let comparison = offer.comparisons.iter().find(|comparison| suffix(**comparison) == ending)?;
            Some((offer, *comparison))
        })
    }

    /// The order that a sort means: its columns, and the key, which decides among equals in the direction of the last one. A column
    /// that comes again, and what comes behind the key, decides nothing.
    fn order(&self, sort: &str) -> Option<Vec<Order>> {
        let (key, _) = &self.key;
        let mut order: Vec<Order> = Vec::new();
        for level in sort.split(',') {
            let (name, direction) = match level.strip_prefix('-') {
                Some(name) => (name, Direction::Descending),
                None => (level, Direction::Ascending),
            };
            let column = match self.sorts.iter().find(|(column, _)| column.as_str() == name) {
                Some((column, _)) => column,
                None if name == key.as_str() => key,
                None => return None,
            };
            let is_decided = order.iter().any(|known| known.column == *column || known.column == *key);
            if !is_decided {
                order.push(Order { column: column.clone(), direction });
            }
        }
        let last = order.last().filter(|last| last.column != *key).map(|last| last.direction);
        order.extend(last.map(|direction| Order { column: key.clone(), direction }));
        Some(order)
    }

    /// The values in a cursor that was made for the same sort.
    fn after(&self, cursor: &str, sort: &str) -> Option<Vec<Datum>> {
        let bytes = unhex(cursor)?;
        let parts: Vec<serde_json::Value> = serde_json::from_slice(&bytes).ok()?;
        let (first, values) = parts.split_first()?;
        let order = self.order(sort)?;
        if first.as_str() != Some(sort) || values.len() != order.len() {
            return None;
        }
        values
            .iter()
            .zip(&order)
            .map(|(value, level)| {
                let sort = self.sorts.iter().find(|(column, _)| *column == level.column);
                let (_, field_type) = sort.unwrap_or(&self.key);
                cursor_value(field_type, value)
            })
            .collect()
    }
}

impl SelectionCheck {
    /// What the query string of a record asks for.
    pub fn asked(&self, query_string: &str) -> Result<Picked, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut nested = Nested::default();
        let (mut fields, mut included) = (None, None);
        for (name, text) in form_urlencoded::parse(query_string.as_bytes()) {
            let asked = if name == "fields" { &mut fields } else { &mut included };
            let why = match self.takes(&name).then(|| self.picked(&name, &text)) {
                _ if seen.iter().any(|known| *known == name) => Some(Why::new("repeated", "must be given once")),
                Some(Some(picked)) => {
                    *asked = Some(picked);
                    None
                }
                Some(None) => Some(self.why(&name)),
                None => self.take(&mut nested, &name, &text).err(),
            };
            wrong.extend(why.map(|why| Wrong::parameter(&name, why)));
            seen.push(name.into_owned());
        }
        wrong.truncate(MAX_ENTRIES);
        match wrong.is_empty() {
            true => Ok(Picked { places: self.joined(fields, included), nested }),
            false => Err(wrong),
        }
    }

    /// Notes what a parameter asks of rows that come with a row.
    fn take(&self, nested: &mut Nested, parameter: &str, text: &str) -> Result<(), Why> {
        let unknown = || Why::new("unknown_parameter", "is not a known parameter");
        let (name, asks) = parameter.split_once('.').ok_or_else(unknown)?;
        let check = self.related.iter().find(|check| check.name.as_str() == name).ok_or_else(unknown)?;
        if asks == "fields" {
            let fields = picked(&check.fields, text).ok_or_else(|| why_not(check.fields.iter()))?;
            nested.fields.push((check.name.clone(), fields));
        } else {
            let of = check.listing.as_ref().ok_or_else(unknown)?;
            let listing = nested.listing(&check.name, of);
            match asks {
                "limit" => listing.limit = limit_of(text, of.page.max)?,
                "sort" => listing.order = of.sorted(text)?,
                "filter" if !of.offers.is_empty() => listing.filters.push(filter::read(text, &of.offers)?),
                _ => return Err(unknown()),
            }
        }
        Ok(())
    }

    /// Whether a parameter asks something of rows that come with a row.
    fn knows(&self, parameter: &str) -> bool {
        let Some((name, asks)) = parameter.split_once('.') else { return false };
        let check = self.related.iter().find(|check| check.name.as_str() == name);
        check.is_some_and(|check| match (asks, &check.listing) {
            ("fields", _) | ("limit" | "sort", Some(_)) => true,
            ("filter", Some(listing)) => !listing.offers.is_empty(),
            _ => false,
        })
    }

    fn takes(&self, parameter: &str) -> bool {
        parameter == "fields" || parameter == "include" && !self.related.is_empty()
    }

    /// The fields that are asked for, or all of them, and the rows behind them.
    fn joined(&self, fields: Option<Vec<usize>>, included: Option<Vec<usize>>) -> Option<Vec<usize>> {
        let Some(included) = included else { return fields };
        let fields = fields.unwrap_or_else(|| (0..self.names.len()).collect());
        Some(fields.into_iter().chain(included).collect())
    }

    /// What a key must be good for besides, for what is asked.
    pub fn scopes(&self, asked: Option<&[usize]>) -> impl Iterator<Item = &Scope> {
        let related = asked.unwrap_or_default().iter().filter_map(|place| place.checked_sub(self.names.len()));
        related.flat_map(|place| &self.related[place].scopes)
    }

    /// What may be named by a parameter, each with its place.
    fn named(&self, parameter: &str) -> impl Iterator<Item = (usize, &FieldName)> {
        let related = self.related.iter().map(|check| &check.name);
        let is_related = parameter == "include";
        let all = self.names.iter().chain(related).enumerate();
        all.filter(move |(place, _)| (*place >= self.names.len()) == is_related)
    }

    /// The places of what these are the names of; one that is named again is there once.
    fn picked(&self, parameter: &str, text: &str) -> Option<Vec<usize>> {
        let mut picked = Vec::new();
        for name in text.split(',') {
            let (place, _) = self.named(parameter).find(|(_, known)| known.as_str() == name)?;
            if !picked.contains(&place) {
                picked.push(place);
            }
        }
        Some(picked)
    }

    fn why(&self, parameter: &str) -> Why {
        why_not(self.named(parameter).map(|(_, name)| name))
    }
}

impl Nested {
    fn listing(&mut self, name: &FieldName, check: &ListingCheck) -> &mut Listing {
        let listings = &mut self.listings;
        let known = listings.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            listings.push((name.clone(), check.usual()));
            listings.len() - 1
        });
        &mut listings[known].1
    }
}

/// What may be asked of the rows of others that come with rows of the query; none where the plan does not say what is needed.
pub(crate) fn related(query: &Query, database: &DatabasePlan) -> Option<Vec<RelatedCheck>> {
    let check = |related: &Related| {
        let listing = match related.cardinality {
            Cardinality::One => None,
            Cardinality::Many => Some(ListingCheck::new(&related.query, &related.query.holes, database)?),
        };
        Some(RelatedCheck {
            name: related.field.clone(),
            scopes: related.scopes.clone(),
            fields: related.query.outputs.iter().map(|output| output.field().clone()).collect(),
            listing,
        })
    };
    query.related().map(check).collect()
}

/// Whether a query string asks for what is worked out of the rows.
fn asks_for_summary(pairs: &[Pair<'_>]) -> bool {
    pairs.iter().any(|(name, _)| name == "aggregate" || name == "group")
}

fn compared(offer: &Offer, comparison: Comparison, text: &str) -> Result<Wanted, Why> {
    Ok(Wanted::Compare(offer.column.clone(), comparison, parameter_value(&offer.field_type, text)?))
}

/// A number of rows.
pub(crate) fn limit_of(text: &str, most: u32) -> Result<u32, Why> {
    match parameter_number(text).map(u32::try_from) {
        None => Err(Why::new("type", "must be a whole number")),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err(Why::new("range", format!("must be between 1 and {most}"))),
    }
}

/// Those that a text names; one that is named again is there once.
fn picked(known: &[FieldName], text: &str) -> Option<Vec<FieldName>> {
    let mut picked = Vec::new();
    for name in text.split(',') {
        let field = known.iter().find(|field| field.as_str() == name)?;
        if !picked.contains(field) {
            picked.push(field.clone());
        }
    }
    Some(picked)
}

fn why_not<'n>(names: impl Iterator<Item = &'n FieldName>) -> Why {
    several_of(names.map(FieldName::as_str))
}

/// That a text is none of what may be asked for.
pub(crate) fn several_of<'n>(names: impl Iterator<Item = &'n str>) -> Why {
    let names: Vec<&str> = names.collect();
    Why::new("format", format!("must be one of {}, or several with commas between", names.join(", ")))
}

/// The cursor behind a row, of which `values` are those of the order's columns.
pub(crate) fn cursor(sort: &str, values: &[Datum]) -> String {
    let mut parts = vec![serde_json::Value::from(sort)];
    parts.extend(values.iter().map(Datum::to_json));
    hex(serde_json::Value::from(parts).to_string().as_bytes())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_CURSOR || !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// What a parameter's name ends with.
fn suffix(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "",
        Comparison::NotEqual => "[ne]",
        Comparison::Less => "[lt]",
        Comparison::AtMost => "[lte]",
        Comparison::Greater => "[gt]",
        Comparison::AtLeast => "[gte]",
    }
}
