//! A page of a list: everything of a kind and what was asked come in, the items of the page and what leads to the next one go out,
//! as the manifest says that the operation's pages follow each other.

use super::at_member;
use super::request::Request;
use super::serving::put;
use super::setup::{KnownRoute, Place, Setup};
use crate::fill::{as_text, first, moment};
use crate::form;
use manifest::operation::NextPage;
use manifest::reference::Reference;
use manifest::simulator::PageSize;
use manifest::{Entries, Pointer};
use serde_json::Value;

/// How many items a page holds where nobody says it.
const PAGE_SIZE: usize = 100;
/// The member that tells items apart where the manifest does not say which.
const ID: &str = "/id";

/// What was asked.
pub(super) struct Asked<'a> {
    pub route: &'a KnownRoute,
    pub page: Option<&'a PageSize>,
    pub filters: &'a Entries<String, Pointer>,
    pub request: &'a Request,
}

/// The items of a page.
pub(super) struct Chosen {
    pub items: Vec<Value>,
    /// What leads to the next page, where there is one.
    next: Option<String>,
}

/// Chooses; or says which parameter makes no sense.
pub(super) fn choose<'a>(setup: &Setup, asked: &Asked<'a>, all: Vec<&Value>) -> Result<Chosen, &'a str> {
    let says = &asked.request.says;
    let wanted =
        asked.filters.iter().filter_map(|(name, at)| Some((at, as_text(at_member(says, &form::steps(name))?))));
    let wanted: Vec<(&Pointer, String)> = wanted.collect();
    let since = since(setup, asked);
    let mut filtered = all;
    filtered.retain(|item| wanted.iter().all(|(at, wanted)| first(item, at).map(as_text).as_ref() == Some(wanted)));
    filtered.retain(|item| since.iter().all(|since| since.is_met_by(item)));
    if let Some(Ordered { at, most }) = ordered(setup, asked) {
        filtered.sort_by_cached_key(|item| first(item, at).map(as_text).as_deref().map(moment));
        filtered.truncate(most);
    }
    let size = page_size(asked)?;
    let cursor = cursor(asked);
    let begin = begin(asked, &filtered, size, cursor.as_deref())?;
    let items: Vec<Value> = filtered.iter().skip(begin).take(size).map(|item| (*item).clone()).collect();
    let next = (begin + items.len() < filtered.len()).then(|| next(asked, &items, begin, cursor.as_deref()));
    Ok(Chosen { items, next: next.flatten() })
}

/// Puts what leads to the next page where the manifest looks for it.
pub(super) fn finish(
    setup: &Setup,
    asked: &Asked<'_>,
    chosen: &Chosen,
    mut answer: Value,
) -> (Value, Vec<(String, String)>) {
    let mut headers = Vec::new();
    match (&asked.route.pages, &chosen.next) {
        (Some(NextPage::LastItem { more, .. }), next) => put(&mut answer, more, Value::Bool(next.is_some())),
        (Some(NextPage::Cursor { at, more }), next) => {
            if let Some(next) = next {
                put(&mut answer, at, Value::String(next.clone()));
            }
            if let Some(more) = more {
                put(&mut answer, more, Value::Bool(next.is_some()));
            }
        }
        (Some(NextPage::Address(at)), Some(next)) => {
            put(&mut answer, at, Value::String(address(setup, asked, next)));
        }
        (Some(NextPage::LinkHeader), Some(next)) => {
            headers.push(("Link".to_owned(), format!("<{}>; rel=\"next\"", address(setup, asked, next))));
        }
        (Some(NextPage::Address(_) | NextPage::LinkHeader), None)
        | (Some(NextPage::Offset { .. } | NextPage::Number { .. }) | None, _) => {}
    }
    (answer, headers)
}

/// The parameter of an address that leads on, where the address as a whole is the cursor.
const AFTER: &str = "after_item";

fn address(setup: &Setup, asked: &Asked<'_>, next: &str) -> String {
    let others = asked.request.query.iter().filter(|(name, _)| name != AFTER);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(others).append_pair(AFTER, next);
    format!("{}{}?{}", setup.site, asked.request.path, query.finish())
}

fn page_size<'a>(asked: &Asked<'a>) -> Result<usize, &'a str> {
    let Some(page) = asked.page else { return Ok(PAGE_SIZE) };
    match at_member(&asked.request.says, &form::steps(&page.parameter)).map(as_text) {
        None => Ok(page.default as usize),
        Some(told) => match told.parse::<u32>() {
            Ok(told) if (1..=page.most).contains(&told) => Ok(told as usize),
            Ok(_) | Err(_) => Err(&page.parameter),
        },
    }
}

fn cursor(asked: &Asked<'_>) -> Option<String> {
    let told = match &asked.route.cursor {
        Some(Place::Member(steps)) => at_member(&asked.request.says, steps).map(as_text),
        Some(Place::Header(name)) => asked.request.header(name).map(ToOwned::to_owned),
        None => None,
    };
    let followed = || asked.request.query.iter().find(|(name, _)| name == AFTER).map(|(_, value)| value.clone());
    told.or_else(followed).filter(|cursor| !cursor.is_empty())
}

/// How an item is called by a cursor.
fn name_of(way: Option<&NextPage>, item: &Value) -> Option<String> {
    let id = Pointer::parse(ID).unwrap_or_default();
    let at = match way {
        Some(NextPage::LastItem { at, .. }) => at,
        Some(
            NextPage::Cursor { .. }
            | NextPage::Address(_)
            | NextPage::LinkHeader
            | NextPage::Offset { .. }
            | NextPage::Number { .. },
        )
        | None => &id,
    };
    first(item, at).map(as_text)
}

/// How many items come before the page.
fn begin<'a>(asked: &Asked<'a>, items: &[&Value], size: usize, cursor: Option<&str>) -> Result<usize, &'a str> {
    let Some(cursor) = cursor else { return Ok(0) };
    let way = asked.route.pages.as_ref();
    let wrong = match &asked.route.cursor {
        Some(Place::Member(steps)) => steps.first().map_or(AFTER, String::as_str),
        Some(Place::Header(name)) => name,
        None => AFTER,
    };
    match way {
        Some(NextPage::Offset { .. }) => cursor.parse().map_err(|_| wrong),
        Some(NextPage::Number { first }) => {
            let number: usize = cursor.parse().map_err(|_| wrong)?;
            Ok(number.saturating_sub(*first as usize).saturating_mul(size))
        }
        Some(NextPage::LastItem { .. } | NextPage::Cursor { .. } | NextPage::Address(_) | NextPage::LinkHeader)
        | None => {
            let place = items.iter().position(|item| name_of(way, item).as_deref() == Some(cursor));
            place.map(|place| place + 1).ok_or(wrong)
        }
    }
}

fn next(asked: &Asked<'_>, items: &[Value], begin: usize, cursor: Option<&str>) -> Option<String> {
    let way = asked.route.pages.as_ref();
    match way {
        Some(NextPage::Offset { .. }) => Some((begin + items.len()).to_string()),
        Some(NextPage::Number { first }) => {
            let number: u32 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(*first);
            Some((number + 1).to_string())
        }
        Some(NextPage::LastItem { .. } | NextPage::Cursor { .. } | NextPage::Address(_) | NextPage::LinkHeader)
        | None => name_of(way, items.last()?),
    }
}

/// How old an item may be; what is no time is compared as a text, behind all times.
struct Since<'s> {
    at: &'s Pointer,
    from: Result<i64, String>,
}

impl Since<'_> {
    fn is_met_by(&self, item: &Value) -> bool {
        let at = first(item, self.at).map(as_text);
        at.is_none_or(|at| moment(&at).ok_or(at) >= self.from)
    }
}

/// Which parameter says since when is told by the sync that reads with this operation.
fn since<'s>(setup: &'s Setup, asked: &Asked<'_>) -> Vec<Since<'s>> {
    let Some(name) = asked.route.operation.as_deref() else { return Vec::new() };
    let Some(operation) = setup.manifest.operations.get(name) else { return Vec::new() };
    let syncs = setup.manifest.syncs.iter().filter(|(_, sync)| sync.read.as_str() == name);
    let since = syncs.filter_map(|(_, sync)| {
        let cursor = sync.cursor.as_ref().filter(|cursor| !cursor.of_answer)?;
        let is_since = |known: &Reference| *known == Reference::Input(cursor.into.clone());
        let Some(Place::Member(steps)) = super::setup::place(operation, &is_since) else { return None };
        let since = at_member(&asked.request.says, &steps).map(as_text)?;
        Some(Since { at: &cursor.at, from: moment(&since).ok_or(since) })
    });
    since.collect()
}

/// Where a list stands in the order of its changes, and ends after so many.
struct Ordered<'s> {
    at: &'s Pointer,
    most: usize,
}

/// The sync that reads with this operation says so.
fn ordered<'s>(setup: &'s Setup, asked: &Asked<'_>) -> Option<Ordered<'s>> {
    let name = asked.route.operation.as_deref()?;
    let mut cursors = setup.manifest.syncs.iter().filter(|(_, sync)| sync.read.as_str() == name);
    cursors.find_map(|(_, sync)| {
        let cursor = sync.cursor.as_ref()?;
        Some(Ordered { at: &cursor.at, most: cursor.most_records? as usize })
    })
}
