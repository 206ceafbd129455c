//! A list of items, each of which changes the object that it is about or makes it: a request comes in with what is kept, how each item
//! came out goes out. One that is not taken leaves the others as they are.

use super::chance::Chance;
use super::given::Given;
use super::request::nothing;
use super::serving::{Done, No, Part, change, first_failing, make, new_id};
use super::setup::Setup;
use super::shelf::Shelves;
use crate::fill;
use manifest::simulator::Upserts;
use serde_json::Value;

pub(super) fn upsert(
    upserts: &Upserts,
    setup: &Setup,
    chance: &mut Chance,
    shelves: &mut Shelves,
    given: Given<'_>,
) -> Result<Done, No> {
    let kind = upserts.object.as_str();
    let items = match given.says.and_then(|says| fill::first(says, &upserts.each)) {
        Some(Value::Array(items)) => items.clone(),
        Some(only) => vec![only.clone()],
        None => Vec::new(),
    };
    let (mut parts, mut refused) = (Vec::new(), Vec::new());
    for item in &items {
        let given = Given { says: Some(item), ..given };
        if let Some(partly) = &upserts.partly
            && first_failing(&partly.needs, item, &given)?.is_some()
        {
            refused.push(fill::document(&partly.refused, &given)?.unwrap_or_else(nothing));
            continue;
        }
        let Some(wanted) = fill::text(&upserts.is, &given)? else {
            return Err(No::Invalid(upserts.at.to_string()));
        };
        let known = shelves.find(kind, &upserts.at, &wanted);
        let part = match known.map(|(id, value)| (id.to_owned(), value.clone())) {
            Some((id, mut value)) => {
                if let (Value::Object(members), Some(new)) = (&mut value, item.get(&upserts.over)) {
                    match (members.get_mut(&upserts.over), new) {
                        (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
                        (_, new) => drop(members.insert(upserts.over.clone(), new.clone())),
                    }
                }
                change(&mut value, &upserts.set, given)?;
                shelves.replace(kind, &id, value.clone());
                Part { kind: kind.to_owned(), id, value }
            }
            None => {
                let is_id = upserts.at.to_string() == "/id";
                let id = if is_id { wanted } else { new_id(setup, chance, kind) };
                let made = make(setup, chance, kind, id, given)?;
                shelves.put(kind, &made.id, made.value.clone());
                made
            }
        };
        parts.push(part);
    }
    let list: Vec<Value> = parts.iter().map(|part| setup.shown(part, true)).collect();
    let given = Given { list: Some(&list), object: list.first(), refused: Some(&refused), ..given };
    let partly = upserts.partly.as_ref().filter(|_| !refused.is_empty());
    let answer = partly.map_or(&upserts.answer, |partly| &partly.answer.body);
    let answer = fill::document(answer, &given)?.unwrap_or_else(nothing);
    let has_changed = !parts.is_empty();
    Ok(Done { status: partly.map(|partly| partly.answer.status), ..Done::of(answer, parts, has_changed) })
}
