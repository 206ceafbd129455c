//! `browser.yaml`: what a provider is told by the page in a visitor's browser and not by the server. Plain data.

use crate::entries::Entries;
use crate::operation::Input;
use crate::template::{Template, Text};
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What a page needs to tell a provider something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Browser {
    /// What the visitor must have agreed to before anything of it is loaded.
    pub consent: Consent,
    /// The scripts, in the order in which they are loaded.
    pub scripts: Vec<Text>,
    /// Functions that note what they are given in a list of the page until a script comes that reads it: each with the list.
    #[serde(default)]
    pub queues: Entries<String, String>,
    /// What the page's content security policy must allow: directives with their sources.
    pub policy: Entries<String, Vec<String>>,
    /// The calls that begin it.
    #[serde(default)]
    pub start: Vec<BrowserCall>,
    /// The calls with which it goes on, where the visitor had withdrawn and agrees again.
    #[serde(default)]
    pub again: Vec<BrowserCall>,
    /// The calls that end it, where the visitor withdraws.
    #[serde(default)]
    pub stop: Vec<BrowserCall>,
    /// A variable of the page by which its scripts know that they must be silent.
    #[serde(default)]
    pub switched_off_by: Option<Text>,
    /// Cookies that it keeps, which go when the visitor withdraws; a name may end with `*`.
    #[serde(default)]
    pub cookies: Vec<String>,
    /// What requests to our server say of the visitor: a field with the call whose last argument is called with it.
    #[serde(default)]
    pub identifies: Entries<FieldName, BrowserCall>,
    /// The calls at each point.
    #[serde(default)]
    pub points: Entries<EventName, BrowserPoint>,
}

/// What a page tells at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserPoint {
    /// What is needed of the event.
    #[serde(default)]
    pub takes: Entries<FieldName, Input>,
    /// The calls.
    pub calls: Vec<BrowserCall>,
}

/// What a visitor agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// To be counted.
    Statistics,
    /// To be recognised elsewhere.
    Marketing,
}

/// A call of a function in the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserCall {
    /// The function.
    pub function: String,
    /// What it is given; `event.NAME` is a field of what happened.
    #[serde(default)]
    pub arguments: Vec<Template>,
    /// Whether the time of the visit is given behind them.
    #[serde(default)]
    pub with_time: bool,
}
