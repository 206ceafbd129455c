//! The page that a person is led to, in place of the provider's own: what is shown of an object, a button for each thing that a
//! person can do there. No script; every text that is shown is escaped.

use super::given::Given;
use super::setup::{Segment, fits, pattern};
use super::{Answer, Asked, Simulator};
use crate::fill::{self, as_text};
use crate::form;
use manifest::Text;
use manifest::simulator::{Button, Page};
use serde_json::Value;

const STYLE: &str = "\
body{margin:0;background:#f4f5f7;color:#1c2230;font:16px/1.5 system-ui,sans-serif}\
main{max-width:26rem;margin:6vh auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 6px 30px #1c223018}\
h1{font-size:1.35rem;margin:.2rem 0 1.2rem}\
.note{display:inline-block;margin:0;padding:.1rem .6rem;border-radius:1rem;background:#fff3cd;color:#664d03;font-size:.8rem}\
dl{margin:0 0 1.6rem}dl div{display:flex;justify-content:space-between;gap:1rem;padding:.45rem 0;border-bottom:1px solid #e6e8ee}\
dt{color:#5b6478}dd{margin:0;text-align:right;overflow-wrap:anywhere}\
form{display:grid;gap:.6rem}\
button{padding:.75rem;border:1px solid #c8ccd8;border-radius:8px;background:#fff;color:inherit;font:inherit;cursor:pointer}\
button:first-of-type{background:#3b4bd8;border-color:#3b4bd8;color:#fff;font-weight:600}\
.said{padding:.6rem .8rem;border-radius:8px;background:#fdeceb;color:#8c1d18}";

impl Simulator {
    /// Shows the page, or does what its button says.
    pub(super) fn page(&mut self, number: usize, asked: &Asked<'_>, steps: &[String], now_ms: i64) -> Answer {
        let page = self.setup.plays.pages[number].clone();
        let known: Vec<Segment> = pattern(&page.path);
        let id = fits(&known, steps).and_then(|gaps| gaps.into_iter().next()).map(|(_, id)| id).unwrap_or_default();
        let Some(object) = self.shelves.get(page.object.as_str(), &id).cloned() else {
            return html(
                404,
                &page.title,
                "<p>There is nothing here: this page's address is not one that was given out.</p>",
            );
        };
        match asked.method {
            "GET" | "HEAD" => self.shown_page(&page, &object, None),
            "POST" => self.pressed(&page, &id, &object, asked, now_ms),
            _ => Answer { status: 405, headers: vec![("Allow".to_owned(), "GET, POST".to_owned())], body: Vec::new() },
        }
    }

    fn pressed(&mut self, page: &Page, id: &str, object: &Value, asked: &Asked<'_>, now_ms: i64) -> Answer {
        let told = form::pairs(asked.body);
        let told = told.iter().find(|(name, _)| name == "button").and_then(|(_, value)| value.parse::<usize>().ok());
        let Some(button) = told.and_then(|number| page.buttons.get(number)) else {
            return self.shown_page(page, object, Some("No button was pressed."));
        };
        let object = match &button.act {
            None => object.clone(),
            Some(act) => match self.act(act.as_str(), id, now_ms) {
                Ok(object) => object,
                Err(why) => return self.shown_page(page, object, Some(&why.to_string())),
            },
        };
        match self.address(page, button, &object) {
            Some(address) => Answer { status: 303, headers: vec![("Location".to_owned(), address)], body: Vec::new() },
            None => self.shown_page(page, &object, None),
        }
    }

    /// Where a person goes then.
    fn address(&self, page: &Page, button: &Button, object: &Value) -> Option<String> {
        let address = self.text(button.then.as_ref()?, object)?;
        let stands_for = page.stands_for.iter();
        Some(stands_for.fold(address, |address, (name, text)| {
            address.replace(name.as_str(), &self.text(text, object).unwrap_or_default())
        }))
    }

    fn text(&self, text: &Text, object: &Value) -> Option<String> {
        let given = Given { setup: Some(&self.setup), object: Some(object), ..Given::default() };
        let alone = text.as_expression().is_some();
        match fill::value(text, &given).ok().flatten()? {
            Value::Array(items) if alone => Some(items.iter().map(as_text).collect::<Vec<_>>().join(", ")),
            value => Some(as_text(&value)),
        }
    }

    fn shown_page(&self, page: &Page, object: &Value, said: Option<&str>) -> Answer {
        let line = |(name, text): (&String, &Text)| {
            let value = self.text(text, object)?;
            Some(format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(&value)))
        };
        let lines: String = page.shows.iter().filter_map(line).collect();
        let button = |(number, button): (usize, &Button)| {
            format!("<button name=\"button\" value=\"{number}\">{}</button>", escaped(&button.title))
        };
        let can_happen = |(_, button): &(usize, &Button)| {
            button.act.as_ref().is_none_or(|act| self.can_happen(act.as_str(), object))
        };
        let buttons: String = page.buttons.iter().enumerate().filter(can_happen).map(button).collect();
        let said =
            said.map(|said| format!("<p class=\"said\" role=\"alert\">{}</p>", escaped(said))).unwrap_or_default();
        let body = format!("{said}<dl>{lines}</dl><form method=\"post\">{buttons}</form>");
        html(200, &page.title, &body)
    }
}

pub(super) fn html(status: u16, title: &str, body: &str) -> Answer {
    let title = escaped(title);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main><p class=\"note\">Simulated: nothing here is real</p><h1>{title}</h1>{body}</main></html>\n"
    );
    let headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Answer { status, headers, body: page.into_bytes() }
}

pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}
