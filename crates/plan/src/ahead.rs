//! What can be asked of the database for all records of a list together, before the first is gone through.

use crate::procedure::{Each, Item, Step, flattened};
use crate::query::{Assigned, Cardinality, Output, Predicate, Query, Write};
use crate::value::{Comparison, Value};
use std::collections::BTreeSet;
use vocab::{ColumnName, FieldName, SlotName};

/// A read of one row by a field of the record, which no other record of the list has a part in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead<'p> {
    /// The slot that it is read into.
    pub slot: &'p SlotName,
    /// The read. Its first predicate compares the column with the field.
    pub query: &'p Query,
    /// The field of the record.
    pub field: &'p FieldName,
    /// Which of the outputs is the column.
    pub output: usize,
    /// Whether what is done with a record changes the row: who has the same value is told of that, and has to ask again.
    pub changes: bool,
}

impl Each {
    /// The reads of its body that find, for every record, what they would find once the records before it were gone through: at
    /// most the row of the same value was changed or made meanwhile.
    #[must_use]
    pub fn ahead(&self) -> Vec<Ahead<'_>> {
        let items = flattened(&self.body);
        items.iter().filter_map(|item| self.ahead_in(item, &items)).collect()
    }

    fn ahead_in<'p>(&'p self, item: &'p Item, items: &[&'p Item]) -> Option<Ahead<'p>> {
        let Item::Let(slot, Step::Read { query, cardinality: Cardinality::One, filled_by: None }) = item else {
            return None;
        };
        let [Predicate::Compare(column, Comparison::Equal, Value::Field(of, field)), rest @ ..] = &query.filter[..]
        else {
            return None;
        };
        let is_column = |output: &Output| matches!(output, Output::Column { column: known, .. } if known == column);
        let output = query.outputs.iter().position(is_column)?;
        let mut named = BTreeSet::new();
        rest.iter().for_each(|predicate| predicate.slots(&mut named));
        let bound = |item: &&Item| matches!(item, Item::Let(slot, _) if named.contains(slot));
        if *of != self.item || named.contains(&self.item) || items.iter().any(bound) || query.related().count() > 0 {
            return None;
        }
        let mut changes = false;
        for item in items {
            let (Item::Let(_, Step::Write(write)) | Item::Do(Step::Write(write))) = item else { continue };
            if *write.table() == query.from {
                if !self.is_about(write, (column, field), items, query) {
                    return None;
                }
                changes = true;
            }
        }
        Some(Ahead { slot, query, field, output, changes })
    }

    /// Whether the write is about the row with the record's own value, which it has or gets.
    fn is_about(&self, write: &Write, by: (&ColumnName, &FieldName), items: &[&Item], query: &Query) -> bool {
        let is_own = |value: &Value| matches!(value, Value::Field(of, field) if *of == self.item && field == by.1);
        let is_kept = |(column, assigned): &(ColumnName, Assigned)| {
            let own = match assigned {
                Assigned::Value(Value::Else(said, _)) => is_own(said),
                _ => false,
            };
            column != by.0 || own
        };
        let filter = match write {
            Write::Insert { values, .. } => {
                return values.iter().any(|(column, value)| column == by.0 && is_own(value));
            }
            Write::Update { filter, set, .. } if set.iter().all(is_kept) => filter,
            Write::Delete { filter, .. } => filter,
            Write::Update { .. } | Write::Add(_) => return false,
        };
        let was_read = |slot: &SlotName, field: &FieldName, column: &ColumnName| {
            let gives = |output: &Output| matches!(output, Output::Column { column: known, field: named } if known == column && named == field);
            items.iter().any(|item| match item {
                Item::Let(bound, Step::Read { query: read, .. }) => {
                    let is_same = read.from == query.from && read.filter == query.filter;
                    bound == slot && is_same && read.outputs.iter().any(gives)
                }
                _ => false,
            })
        };
        filter.iter().any(|predicate| match predicate {
            Predicate::Compare(column, Comparison::Equal, value) if column == by.0 && is_own(value) => true,
            Predicate::Compare(column, Comparison::Equal, Value::Field(slot, field)) => was_read(slot, field, column),
            _ => false,
        })
    }
}
