//! What a request has worked out of the rows of a list instead of reading them, `aggregate=count,sum(total)&group=status`: checked against
//! what the plan allows, and its results made of what the statement gives. `lib/summary.js` of the Node.js application does the same.

use crate::answer::Refusal;
use crate::encode::Key;
use crate::filter::{self, Offer};
use crate::listing::{Pair, limit_of, several_of};
use crate::page::{Columns, Page};
use crate::reading::typed;
use crate::validation::{MAX_ENTRIES, Why, Wrong};
use dialect::{Summarized, Wanted};
use plan::procedure::RowsFormat;
use plan::query::{Aggregate, Direction, Group, MAX_GROUPS, Summary, average_scale};
use store::Row;
use vocab::{ColumnName, Datum, Decimal, FieldType};

/// Whole numbers that every reader of JSON knows are less than this.
const MOST: u64 = 1 << 53;
/// Decimal numbers have fewer units than this.
const MOST_UNITS: u64 = 10_u64.pow(15);

/// What may be asked: groups with what they hold, aggregates with what their column holds.
pub(crate) struct SummaryCheck {
    groups: Vec<(Group, FieldType)>,
    aggregates: Vec<(Aggregate, FieldType)>,
}

/// What one request asks.
#[derive(Debug, Clone)]
pub(crate) struct Summarizes {
    pub asked: Summarized,
    /// What the columns hold of which each of the groups and then each of the aggregates is.
    types: Vec<FieldType>,
    /// Whether it is said how many groups are wanted.
    is_limited: bool,
    format: Option<RowsFormat>,
}

impl SummaryCheck {
    /// `None` where a column has no type.
    pub fn new(summary: &Summary, field_type: impl Fn(&ColumnName) -> Option<FieldType>) -> Option<Self> {
        let group = |group: Group| match &group {
            Group::Value(column) => Some((group.clone(), field_type(column)?)),
            Group::Part(part, _) => Some((group.clone(), FieldType::Line { max: u32::try_from(part.length()).ok()? })),
        };
        let aggregate = |aggregate: Aggregate| {
            let of = match &aggregate {
                Aggregate::Count => FieldType::Integer,
                Aggregate::Sum(column)
                | Aggregate::Average(column)
                | Aggregate::Least(column)
                | Aggregate::Greatest(column) => field_type(column)?,
            };
            Some((aggregate, of))
        };
        Some(Self {
            groups: summary.groups().into_iter().map(group).collect::<Option<_>>()?,
            aggregates: summary.aggregates().into_iter().map(aggregate).collect::<Option<_>>()?,
        })
    }

    /// What a query string asks that names one of the two parameters, or everything that is wrong with it. `filtered` reads what is asked of
    /// a column; `knows` are parameters that lists have besides.
    pub fn asked(
        &self,
        pairs: &[Pair<'_>],
        format: Option<RowsFormat>,
        offers: &[Offer],
        filtered: impl Fn(&str, &str) -> Option<Result<Wanted, Why>>,
        knows: impl Fn(&str) -> bool,
    ) -> Result<Summarizes, Vec<Wrong>> {
        let text_of = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_ref());
        let groups = text_of("group").map_or(Some(Vec::new()), |text| picked(&self.groups, text));
        let aggregates = text_of("aggregate").and_then(|text| picked(&self.aggregates, text));
        let results: Vec<String> = groups
            .iter()
            .flatten()
            .map(|(group, _)| group.to_string())
            .chain(aggregates.iter().flatten().map(|(aggregate, _)| aggregate.to_string()))
            .collect();
        let (mut wrong, mut filters, mut order, mut limit) = (Vec::new(), Vec::new(), None, None);
        for (place, (name, text)) in pairs.iter().enumerate() {
            let why = match name.as_ref() {
                _ if pairs[..place].iter().any(|(known, _)| known == name) => {
                    Some(Why::new("repeated", "must be given once"))
                }
                "aggregate" => aggregates.is_none().then(|| why_not(&self.aggregates)),
                "group" if text_of("aggregate").is_none() => {
                    Some(Why::new("inconsistent", "must be given together with `aggregate`"))
                }
                "group" => groups.is_none().then(|| why_not(&self.groups)),
                // What it is made of can be read only where that is right.
                "sort" if groups.is_none() || aggregates.is_none() => None,
                "sort" => {
                    order = sorted(&results, text);
                    order.is_none().then(|| several_of(results.iter().map(String::as_str)))
                }
                "limit" => limit_of(text, MAX_GROUPS).map(|most| limit = Some(most)).err(),
                "filter" if !offers.is_empty() => filter::read(text, offers).map(|wanted| filters.push(wanted)).err(),
                name => match filtered(name, text) {
                    Some(read) => read.map(|wanted| filters.push(wanted)).err(),
                    None if knows(name) => {
                        Some(Why::new("inconsistent", "must not be given together with `aggregate`"))
                    }
                    None => Some(Why::new("unknown_parameter", "is not a known parameter")),
                },
            };
            wrong.extend(why.map(|why| Wrong::parameter(name, why)));
        }
        let (Some(groups), Some(aggregates), true) = (groups, aggregates, wrong.is_empty()) else {
            wrong.truncate(MAX_ENTRIES);
            return Err(wrong);
        };
        let types = groups.iter().map(|(_, of)| of).chain(aggregates.iter().map(|(_, of)| of)).cloned().collect();
        // Their groups decide among results that are equal otherwise.
        let mut order: Vec<(usize, Direction)> = order.unwrap_or_default();
        order.extend((0..groups.len()).map(|place| (place, Direction::Ascending)));
        Ok(Summarizes {
            types,
            is_limited: limit.is_some(),
            format,
            asked: Summarized {
                filters,
                groups: groups.into_iter().map(|(group, _)| group).collect(),
                aggregates: aggregates.into_iter().map(|(aggregate, _)| aggregate).collect(),
                order,
                // One more tells that there are too many.
                limit: limit.unwrap_or(MAX_GROUPS + 1),
            },
        })
    }
}

impl Summarizes {
    /// The results as a page. Refused where there are more groups than can be told, or a sum has too many digits.
    pub fn page(&self, rows: Vec<Row>) -> Result<Page, Refusal> {
        if !self.is_limited && rows.len() > MAX_GROUPS as usize {
            let detail = format!("must make at most {MAX_GROUPS} groups: ask for fewer rows, or give a `limit`");
            let why = Why::new("range", detail);
            return Err(Refusal::validation_failed(vec![Wrong::parameter("group", why)]));
        }
        let rows = rows.into_iter().map(|row| self.result(row)).collect::<Option<Vec<Row>>>().ok_or_else(|| {
            let why = Why::new("range", "must be of fewer rows: a sum has too many digits");
            Refusal::validation_failed(vec![Wrong::parameter("aggregate", why)])
        })?;
        let of_groups = self.asked.groups.iter().map(|group| (group.to_string(), None));
        let of_aggregates = self.asked.aggregates.iter().map(|of| (of.to_string(), Some(of)));
        let (names, types): (Vec<String>, Vec<FieldType>) = of_groups
            .chain(of_aggregates)
            .zip(&self.types)
            .map(|((name, aggregate), of)| match aggregate {
                Some(Aggregate::Average(_)) => (name, FieldType::Decimal { scale: average_scale(scale(of)) }),
                _ => (name, of.clone()),
            })
            .unzip();
        let columns = Columns {
            keys: names.iter().map(|name| Key::new(name)).collect(),
            plain: names.len(),
            names: names.into_iter().map(Into::into).collect(),
            types,
        };
        Ok(Page {
            rows,
            next: None,
            fields: None,
            total: None,
            format: self.format,
            rest: None,
            columns: Some(columns),
        })
    }

    /// None where a number has more digits than are kept.
    fn result(&self, row: Row) -> Option<Row> {
        let mut given = row.into_iter();
        let mut result = Vec::with_capacity(self.types.len());
        for (place, of) in self.types.iter().enumerate() {
            let aggregate = place.checked_sub(self.asked.groups.len()).map(|place| &self.asked.aggregates[place]);
            let value = typed(vec![given.next()?], std::slice::from_ref(of)).pop()?;
            result.push(match aggregate {
                Some(Aggregate::Average(_)) => average(&value, &given.next()?)?,
                _ => kept(value)?,
            });
        }
        Some(result)
    }
}

/// A number, where its digits are kept by everybody.
fn kept(value: Datum) -> Option<Datum> {
    let fits = match &value {
        Datum::Integer(number) => number.unsigned_abs() < MOST,
        Datum::Decimal(number) => number.units().unsigned_abs() < MOST_UNITS,
        Datum::Text(_) | Datum::Null | Datum::Boolean(_) | Datum::Json(_) => true,
    };
    fits.then_some(value)
}

fn scale(of: &FieldType) -> u8 {
    match of {
        FieldType::Decimal { scale } => *scale,
        _ => 0,
    }
}

/// The average of so many values that make this sum; null of none. None where its digits are not kept.
fn average(sum: &Datum, count: &Datum) -> Option<Datum> {
    let (units, scale) = match sum {
        Datum::Integer(number) => (*number, 0),
        Datum::Decimal(number) => (number.units(), number.scale()),
        Datum::Null => return Some(Datum::Null),
        Datum::Text(_) | Datum::Boolean(_) | Datum::Json(_) => return None,
    };
    let Datum::Integer(count) = count else { return None };
    let more = average_scale(scale);
    // Twice as many, and one of half a unit, so that nothing is lost before it is rounded.
    let doubled = i128::from(units) * 2 * 10_i128.pow(u32::from(more - scale));
    let rounded = (doubled + i128::from(*count) * doubled.signum()) / (2 * i128::from(*count));
    kept(Datum::Decimal(Decimal::new(i64::try_from(rounded).ok()?, more)))
}

/// Those that a text names; one that is named again is there once.
fn picked<T: Clone + ToString>(known: &[(T, FieldType)], text: &str) -> Option<Vec<(T, FieldType)>> {
    let mut places = Vec::new();
    for name in text.split(',') {
        let place = known.iter().position(|(of, _)| of.to_string() == name)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Some(places.into_iter().map(|place| known[place].clone()).collect())
}

/// The places of the results by which a text sorts.
fn sorted(results: &[String], text: &str) -> Option<Vec<(usize, Direction)>> {
    let level = |level: &str| {
        let (name, direction) = match level.strip_prefix('-') {
            Some(name) => (name, Direction::Descending),
            None => (level, Direction::Ascending),
        };
        Some((results.iter().position(|known| known == name)?, direction))
    };
    text.split(',').map(level).collect()
}

fn why_not<T: ToString>(known: &[(T, FieldType)]) -> Why {
    let names: Vec<String> = known.iter().map(|(of, _)| of.to_string()).collect();
    several_of(names.iter().map(String::as_str))
}
