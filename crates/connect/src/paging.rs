//! How a long answer goes on: the page that was read comes in, what leads to the next one goes out. It ends where the provider says so,
//! where it leads in a circle, and where the manifest says that it is enough.

#[cfg(test)]
mod tests;

use crate::answer::listed;
use crate::fill::{self, as_text};
use crate::message::HttpAnswer;
use manifest::Pointer;
use manifest::operation::{NextPage, Paging};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What leads to a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// `page.next` of the request.
    Value(Value),
    /// The whole address.
    Address(String),
}

/// How far a reading has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    pages: u32,
    items: u64,
    last: Option<Lead>,
}

/// A page and what comes behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its items.
    pub items: Vec<Value>,
    /// What leads to the next one; none where this is the last.
    pub next: Option<Lead>,
    /// Whether there are more and the manifest says that it is enough.
    pub is_cut: bool,
}

impl Reading {
    /// Takes a page that was read from this address.
    ///
    /// # Errors
    /// Where the answer leads to another host.
    pub fn page(
        &mut self,
        paging: &Paging,
        url: &str,
        answer: &HttpAnswer,
        document: &Value,
    ) -> Result<Page, LeadsElsewhere> {
        let items: Vec<Value> = listed(document, &paging.items).into_iter().cloned().collect();
        self.pages += 1;
        self.items += items.len() as u64;
        let next =
            self.next(&paging.next, url, answer, document, &items)?.filter(|next| self.last.as_ref() != Some(next));
        let is_cut = next.is_some() && self.pages >= paging.most_pages;
        let next = next.filter(|_| !is_cut);
        self.last.clone_from(&next);
        Ok(Page { items, next, is_cut })
    }

    fn next(
        &self,
        next: &NextPage,
        url: &str,
        answer: &HttpAnswer,
        document: &Value,
        items: &[Value],
    ) -> Result<Option<Lead>, LeadsElsewhere> {
        let says_more = |pointer: &Pointer| fill::first(document, pointer).is_some_and(|more| as_text(more) == "true");
        let there = |value: &Value| !as_text(value).is_empty();
        Ok(match next {
            NextPage::Cursor { at, more } => {
                let goes_on = more.as_ref().is_none_or(says_more);
                fill::first(document, at).filter(|value| goes_on && there(value)).cloned().map(Lead::Value)
            }
            NextPage::LastItem { at, more } => {
                let last = items.last().filter(|_| says_more(more)).and_then(|item| fill::first(item, at));
                last.cloned().map(Lead::Value)
            }
            NextPage::Offset { page_size } => {
                let is_full = items.len() >= *page_size as usize;
                (is_full && !items.is_empty()).then(|| Lead::Value(self.items.into()))
            }
            NextPage::Number { first } => (!items.is_empty()).then(|| Lead::Value((first + self.pages).into())),
            NextPage::Address(at) => {
                let told = fill::first(document, at).map(as_text).filter(|address| !address.is_empty());
                told.map(|address| same_host(url, &address)).transpose()?
            }
            NextPage::LinkHeader => {
                let told = answer.header("Link").and_then(next_link);
                told.map(|address| same_host(url, address)).transpose()?
            }
        })
    }
}

/// An answer leads to another host: with our credential nobody goes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the next page lies on another host")]
pub struct LeadsElsewhere;

/// The address of a page, where it lies on the host of the one before.
fn same_host(url: &str, address: &str) -> Result<Lead, LeadsElsewhere> {
    let here = Url::parse(url).map_err(|_| LeadsElsewhere)?;
    let there = here.join(address).map_err(|_| LeadsElsewhere)?;
    let is_same = here.scheme() == there.scheme()
        && here.host_str() == there.host_str()
        && here.port_or_known_default() == there.port_or_known_default()
        && there.username().is_empty()
        && there.password().is_none();
    if is_same { Ok(Lead::Address(there.to_string())) } else { Err(LeadsElsewhere) }
}

/// The address of `rel="next"` in a header `Link`, RFC 8288.
fn next_link(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| {
            let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split(' ').any(|rel| rel == "next")
        };
        parameters.split(';').any(is_next).then_some(address)
    })
}
