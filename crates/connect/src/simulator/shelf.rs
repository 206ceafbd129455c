//! What a simulated provider keeps: objects by kind and id, in the order in which they came. Bounded: the oldest falls out.

use crate::fill::{as_text, first};
use manifest::Pointer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most objects of a kind.
const MAX_OBJECTS: usize = 250_000;

/// Everything that is kept.
#[derive(Default)]
pub(super) struct Shelves(BTreeMap<String, Shelf>);

#[derive(Default)]
struct Shelf {
    next: u64,
    by_id: BTreeMap<String, u64>,
    in_order: BTreeMap<u64, (String, Value)>,
    /// Places by what stands somewhere in the object, for what was looked for there once.
    by_member: BTreeMap<String, Index>,
}

struct Index {
    at: Pointer,
    places: BTreeMap<String, BTreeSet<u64>>,
}

impl Index {
    fn add(&mut self, place: u64, value: &Value) {
        if let Some(member) = first(value, &self.at) {
            self.places.entry(as_text(member)).or_default().insert(place);
        }
    }

    fn remove(&mut self, place: u64, value: &Value) {
        let Some(member) = first(value, &self.at).map(as_text) else { return };
        if let Some(places) = self.places.get_mut(&member) {
            places.remove(&place);
            if places.is_empty() {
                self.places.remove(&member);
            }
        }
    }
}

impl Shelves {
    /// Keeps an object.
    pub fn put(&mut self, kind: &str, id: &str, value: Value) {
        let shelf = self.0.entry(kind.to_owned()).or_default();
        if shelf.in_order.len() >= MAX_OBJECTS
            && let Some((place, (oldest, value))) = shelf.in_order.pop_first()
        {
            shelf.by_id.remove(&oldest);
            shelf.by_member.values_mut().for_each(|index| index.remove(place, &value));
        }
        shelf.by_id.insert(id.to_owned(), shelf.next);
        shelf.by_member.values_mut().for_each(|index| index.add(shelf.next, &value));
        shelf.in_order.insert(shelf.next, (id.to_owned(), value));
        shelf.next += 1;
    }

    /// The object of that id.
    pub fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        let shelf = self.0.get(kind)?;
        shelf.in_order.get(shelf.by_id.get(id)?).map(|(_, value)| value)
    }

    /// Puts another in its place.
    pub fn replace(&mut self, kind: &str, id: &str, value: Value) {
        let Some(shelf) = self.0.get_mut(kind) else { return };
        let Some(place) = shelf.by_id.get(id) else { return };
        shelf.by_member.values_mut().for_each(|index| index.add(*place, &value));
        if let Some((_, before)) = shelf.in_order.insert(*place, (id.to_owned(), value)) {
            let now = shelf.in_order.get(place).map(|(_, value)| value);
            for index in shelf.by_member.values_mut() {
                if first(&before, &index.at) != now.and_then(|now| first(now, &index.at)) {
                    index.remove(*place, &before);
                }
            }
        }
    }

    /// The newest that has this member, with its id. What is looked for there is found at once from then on.
    pub fn find(&mut self, kind: &str, at: &Pointer, wanted: &str) -> Option<(&str, &Value)> {
        let shelf = self.0.get_mut(kind)?;
        let index = shelf.by_member.entry(at.to_string()).or_insert_with(|| {
            let mut index = Index { at: at.clone(), places: BTreeMap::new() };
            shelf.in_order.iter().for_each(|(place, (_, value))| index.add(*place, value));
            index
        });
        let place = index.places.get(wanted)?.last()?;
        shelf.in_order.get(place).map(|(id, value)| (id.as_str(), value))
    }

    /// Takes it away.
    pub fn take(&mut self, kind: &str, id: &str) -> Option<Value> {
        let shelf = self.0.get_mut(kind)?;
        let place = shelf.by_id.remove(id)?;
        let (_, value) = shelf.in_order.remove(&place)?;
        shelf.by_member.values_mut().for_each(|index| index.remove(place, &value));
        Some(value)
    }

    /// All of a kind with their ids, the newest first.
    pub fn all(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let shelf = self.0.get(kind);
        shelf.into_iter().flat_map(|shelf| shelf.in_order.values().rev().map(|(id, value)| (id.as_str(), value)))
    }
}
