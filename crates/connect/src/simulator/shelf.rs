//! What a simulated provider keeps: objects by kind and id, in the order in which they came. Bounded: the oldest falls out.

use serde_json::Value;
use std::collections::BTreeMap;

/// Most objects of a kind.
const MAX_OBJECTS: usize = 100_000;

/// Everything that is kept.
#[derive(Default)]
pub(super) struct Shelves(BTreeMap<String, Shelf>);

#[derive(Default)]
struct Shelf {
    next: u64,
    by_id: BTreeMap<String, u64>,
    in_order: BTreeMap<u64, (String, Value)>,
}

impl Shelves {
    /// Keeps an object.
    pub fn put(&mut self, kind: &str, id: &str, value: Value) {
        let shelf = self.0.entry(kind.to_owned()).or_default();
        if shelf.in_order.len() >= MAX_OBJECTS
            && let Some((_, (oldest, _))) = shelf.in_order.pop_first()
        {
            shelf.by_id.remove(&oldest);
        }
        shelf.by_id.insert(id.to_owned(), shelf.next);
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
        shelf.in_order.insert(*place, (id.to_owned(), value));
    }

    /// Takes it away.
    pub fn take(&mut self, kind: &str, id: &str) -> Option<Value> {
        let shelf = self.0.get_mut(kind)?;
        let place = shelf.by_id.remove(id)?;
        shelf.in_order.remove(&place).map(|(_, value)| value)
    }

    /// All of a kind with their ids, the newest first.
    pub fn all(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let shelf = self.0.get(kind);
        shelf.into_iter().flat_map(|shelf| shelf.in_order.values().rev().map(|(id, value)| (id.as_str(), value)))
    }
}
