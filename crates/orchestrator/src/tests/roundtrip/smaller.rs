//! What fails is made smaller, so that it can be read: a JSON value comes in, and one from which nothing can be taken goes out.

use serde_json::Value as Json;

/// How often a smaller one is tried.
const ATTEMPTS: usize = 400;

/// The smallest value that still `fails`.
pub fn smallest(mut value: Json, mut fails: impl FnMut(&Json) -> bool) -> Json {
    let mut attempts = 0;
    loop {
        let candidates = smaller(&value);
        let next = candidates.into_iter().find(|candidate| {
            attempts += 1;
            attempts <= ATTEMPTS && fails(candidate)
        });
        match next {
            Some(candidate) => value = candidate,
            None => return value,
        }
    }
}

/// Every value with one item, one field or a half of one text less.
fn smaller(value: &Json) -> Vec<Json> {
    let mut found = Vec::new();
    match value {
        Json::Array(items) => {
            for at in 0..items.len() {
                let mut without = items.clone();
                without.remove(at);
                found.push(Json::Array(without));
            }
            for (at, item) in items.iter().enumerate() {
                found.extend(smaller(item).into_iter().map(|item| {
                    let mut changed = items.clone();
                    changed[at] = item;
                    Json::Array(changed)
                }));
            }
        }
        Json::Object(fields) => {
            for name in fields.keys() {
                let mut without = fields.clone();
                without.shift_remove(name);
                found.push(Json::Object(without));
            }
            for (name, field) in fields {
                found.extend(smaller(field).into_iter().map(|field| {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), field);
                    Json::Object(changed)
                }));
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
    found
}
