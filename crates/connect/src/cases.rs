//! Cases of a manifest are played: what each operation really comes to is held against what somebody else says. A manifest and its cases come
//! in, every difference goes out. Nothing is sent.

#[cfg(test)]
mod tests;

use crate::account::{Account, Call, Delivery, Inputs, WebhookAddress};
use crate::answer::{self, Outcome};
use crate::authentication;
use crate::fill::{self, Scope};
use crate::message::HttpAnswer;
use crate::request::render;
use jiff::Timestamp;
use manifest::cases::{Case, CaseAnswer, CaseRequest, Cases};
use manifest::outcome::Meaning;
use manifest::reference::Reference;
use manifest::{Entries, Manifest, Template};
use plan::service::System;
use serde_json::Value;
use std::sync::Arc;
use vocab::{FieldName, Secret};

/// How much of a text is shown where it is not what it should be, in characters, and how much of that before it.
const SHOWN: usize = 100;
const BEFORE: usize = 20;

/// A case that comes to something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number of the case, from 0.
    pub case: usize,
    /// Where in the case it says what it should be.
    pub path: Vec<String>,
    /// What is different, in one line.
    pub what: String,
}

/// Plays every case.
#[must_use]
pub fn play(manifest: &Manifest, cases: &Cases) -> Vec<Difference> {
    let account = account(manifest, cases);
    let one = |(number, case)| {
        played(&account, case).into_iter().map(move |(path, what)| Difference { case: number, path, what })
    };
    cases.cases.iter().enumerate().flat_map(one).collect()
}

fn account(manifest: &Manifest, cases: &Cases) -> Account {
    Account {
        name: "cases".to_owned(),
        manifest: Arc::new(manifest.clone()),
        system: System::Live,
        values: cases.account.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect(),
        site_url: cases.site_url.clone(),
        instead: None,
        webhook: WebhookAddress {
            url: cases.webhook.url.clone(),
            id: cases.webhook.id.clone(),
            secret: None,
            kinds: cases.webhook.kinds.clone(),
        },
        agreed: None,
    }
}

/// A difference: where in the case, and what.
type Different = (Vec<String>, String);

fn at(path: &[&str]) -> Vec<String> {
    path.iter().map(|member| (*member).to_owned()).collect()
}

fn played(account: &Account, case: &Case) -> Vec<Different> {
    let Some(operation) = account.manifest.operations.get(case.operation.as_str()) else {
        return vec![(at(&["operation"]), format!("no operation is called `{}`", case.operation))];
    };
    // 2026-01-31T12:00:00Z
    let now = Timestamp::from_second(1_769_860_800).unwrap_or_default();
    let delivery = Delivery { id: "d-1".to_owned(), key: "d-1:0".to_owned(), time: now };
    let (inputs, page) = (filled(&case.input), case.page.clone().map(Value::String));
    let call = Call {
        account,
        name: &case.operation,
        operation,
        inputs: &inputs,
        delivery: Some(&delivery),
        page: page.as_ref(),
        token: None,
        now,
    };
    let sent = case.sends.iter().flat_map(|expected| request(&call, expected));
    let answers = case.answers.iter().enumerate();
    let read = answers.flat_map(|(number, expected)| answered(&call, &number.to_string(), expected));
    sent.chain(read).collect()
}

/// Templates of cases are values already.
struct Nothing;

impl Scope for Nothing {
    fn value(&self, _: &Reference) -> Option<Value> {
        None
    }
}

fn filled(fields: &Entries<FieldName, Template>) -> Inputs {
    let one = |(name, template): (&FieldName, &Template)| {
        Some((name.as_str().to_owned(), fill::document(template, &Nothing).ok()??))
    };
    fields.iter().filter_map(one).collect()
}

fn request(call: &Call<'_>, expected: &CaseRequest) -> Vec<Different> {
    if let Ok(manifest::authentication::Authentication::Oauth2(_)) = authentication::way(call) {
        return vec![(at(&["sends"]), "a request with a token cannot be played: leave `sends` out".to_owned())];
    }
    let sent = match render(call) {
        Ok(rendered) => rendered.sent,
        Err(why) => return vec![(at(&["sends"]), format!("the request cannot be written: {why}"))],
    };
    let body = String::from_utf8_lossy(&sent.body).into_owned();
    let mut different = Vec::new();
    let mut compare = |path: &[&str], what: &str, is: &str, should: &str| {
        if is != should {
            different.push((at(path), format!("{what} is {}", instead_of(is, should))));
        }
    };
    compare(&["sends", "method"], "the method", sent.method.as_str(), expected.method.as_str());
    compare(&["sends", "url"], "the address", &sent.url, &expected.url);
    compare(&["sends", "body"], "the body", &body, &expected.body);
    for (name, should) in expected.headers.iter() {
        let is = sent.header(name).unwrap_or_default();
        compare(&["sends", "headers", name], &format!("the header `{name}`"), is, should);
    }
    different
}

/// Two texts that are not the same, from a little before they part.
fn instead_of(is: &str, should: &str) -> String {
    let same = is.chars().zip(should.chars()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(BEFORE);
    let shown = |text: &str| {
        let mut part: String = text.chars().skip(from).take(SHOWN).collect();
        if from > 0 {
            part.insert_str(0, "...");
        }
        if text.chars().count() > from + SHOWN {
            part.push_str("...");
        }
        part.replace('\n', "\\n")
    };
    format!("`{}` instead of `{}`", shown(is), shown(should))
}

fn answered(call: &Call<'_>, number: &str, expected: &CaseAnswer) -> Vec<Different> {
    let headers = expected.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let answer =
        HttpAnswer { status: expected.status, headers, body: expected.body.clone().into_bytes(), is_cut: false };
    let outcome = answer::read(call, &answer).outcome;
    let (means, code, fields) = match outcome {
        Outcome::Done { answer } => (Meaning::Done, None, answer),
        Outcome::Permanent { code, .. } => (Meaning::Permanent, code, Inputs::new()),
        Outcome::Transient { code, .. } => (Meaning::Transient, code, Inputs::new()),
        Outcome::RateLimited { code, .. } => (Meaning::RateLimited, code, Inputs::new()),
        Outcome::Authentication { code, .. } => (Meaning::Authentication, code, Inputs::new()),
        Outcome::UnknownEffect { code, .. } => (Meaning::UnknownEffect, code, Inputs::new()),
    };
    let mut different = Vec::new();
    let mut add = |member: &str, what: String| different.push((at(&["answers", number, member]), what));
    if means != expected.means {
        let (is, should) = (means.as_str(), expected.means.as_str());
        add("means", format!("an answer with {} means `{is}` instead of `{should}`", expected.status));
    }
    if let Some(should) = expected.code.as_ref().filter(|_| expected.code != code) {
        add("code", format!("the code is {}", instead_of(&code.unwrap_or_default(), should)));
    }
    let should = filled(&expected.answer);
    if !should.is_empty() && should != fields {
        let (is, should) = (Value::Object(fields).to_string(), Value::Object(should).to_string());
        add("answer", format!("what is read of the answer is {}", instead_of(&is, &should)));
    }
    different
}
