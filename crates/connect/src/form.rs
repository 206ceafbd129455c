//! Forms: names and values come in, a document goes out. `a[0][b]=c` is nested, a name that comes again is a list.

use crate::fill::as_text;
use serde_json::{Map, Value};

/// Most steps of a name: what lies deeper is kept under its whole name.
const MAX_STEPS: usize = 20;
/// Most items of a list that a name can ask for: `a[999999999]` is no reason to make so many.
const MAX_ITEMS: usize = 10_000;

/// Names and values in order.
pub(crate) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The document that names and values are.
pub(crate) fn nested(pairs: &[(String, String)]) -> Value {
    let mut document = Value::Object(Map::new());
    for (name, value) in pairs {
        put(&mut document, &steps(name), value);
    }
    listed(document)
}

/// `a[0][b]` is `a`, `0`, `b`.
pub(crate) fn steps(name: &str) -> Vec<String> {
    let whole = || vec![name.to_owned()];
    let Some((first, rest)) = name.split_once('[') else { return whole() };
    let Some(inside) = rest.strip_suffix(']') else { return whole() };
    let steps: Vec<String> = std::iter::once(first).chain(inside.split("][")).map(ToOwned::to_owned).collect();
    if first.is_empty() || steps.len() > MAX_STEPS { whole() } else { steps }
}

/// How a place in a document is called where it was written as a form.
pub(crate) fn name(steps: &[String]) -> String {
    let mut name = String::new();
    for (number, step) in steps.iter().enumerate() {
        if number == 0 {
            name.push_str(step);
        } else {
            name.push('[');
            name.push_str(step);
            name.push(']');
        }
    }
    name
}

/// The names and values that a document is; null is an empty text.
pub(crate) fn flat(document: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    flatten(document, &mut Vec::new(), &mut pairs);
    pairs
}

fn flatten(value: &Value, steps: &mut Vec<String>, pairs: &mut Vec<(String, String)>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(number, value)| (number.to_string(), value)).collect(),
        Value::Null => return pairs.push((name(steps), String::new())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => return pairs.push((name(steps), as_text(value))),
    };
    for (step, value) in inside {
        steps.push(step);
        flatten(value, steps, pairs);
        steps.pop();
    }
}

/// Lists are objects with numbers for names until everything is there.
fn put(document: &mut Value, steps: &[String], value: &str) {
    let Some((step, rest)) = steps.split_first() else { return };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Some(members) = document.as_object_mut() else { return };
    // `a[]=b` is the next one.
    let step = if step.is_empty() { members.len().to_string() } else { step.clone() };
    match (members.get_mut(&step), rest.is_empty()) {
        (None, true) => drop(members.insert(step, Value::String(value.to_owned()))),
        (Some(Value::Array(items)), true) => items.push(Value::String(value.to_owned())),
        (Some(there), true) => {
            let first = there.take();
            *there = Value::Array(vec![first, Value::String(value.to_owned())]);
        }
        (_, false) => put(members.entry(step).or_insert(Value::Null), rest, value),
    }
}

/// With objects whose names are 0, 1, 2 ... made lists.
fn listed(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            let is_list = !members.is_empty()
                && members.len() <= MAX_ITEMS
                && (0..members.len()).all(|number| members.contains_key(&number.to_string()));
            if is_list {
                let mut members = members;
                let items = (0..members.len()).filter_map(|number| members.remove(&number.to_string()));
                return Value::Array(items.collect::<Vec<_>>().into_iter().map(listed).collect());
            }
            Value::Object(members.into_iter().map(|(name, value)| (name, listed(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(listed).collect()),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}
