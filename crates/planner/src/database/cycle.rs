//! Tables whose keys lead in a circle: where each must have the other, no first row can be written. One key of every circle may
//! be absent.

use super::draft::Draft;
use crate::codes::CANNOT_HOLD;
use plan::database::Nullability;
use vocab::{ColumnName, TableName};

/// Opens every circle at the key whose table stands last in the task, as long as the task does not insist on it.
pub fn open(draft: &mut Draft) {
    // Each round opens one circle for good; there are no more circles than keys.
    while let Some(circle) = circle(draft) {
        let free = circle.iter().rev().find(|(table, column)| {
            draft
                .find(table)
                .is_some_and(|table| !table.stated.contains(column) && !table.table.primary_key.contains(column))
        });
        let tables: Vec<String> = circle.iter().map(|(table, _)| format!("`{table}`")).collect();
        let Some((table, column)) = free.cloned() else {
            let place = draft.find(&circle[0].0).map(|table| table.place.clone());
            if let Some(place) = place {
                let message = format!("the keys of {} lead in a circle, and each is required", tables.join(", "));
                draft.refuse(CANNOT_HOLD, message, &place, "leave one of them optional");
            }
            return;
        };
        if let Some(found) = draft.find_mut(&table).and_then(|table| table.column_mut(&column)) {
            found.nullability = Nullability::Nullable;
        }
        let reason = format!("the keys of {} lead in a circle: else no first row could be written", tables.join(", "));
        draft.decide(format!("`{table}.{column}`"), "may be absent".to_owned(), reason);
    }
}

type Key = (TableName, ColumnName);

/// Keys that must be there and lead from table to table back to the first; in the order of the tables of the task.
fn circle(draft: &Draft) -> Option<Vec<Key>> {
    let mut done: Vec<TableName> = Vec::new();
    for table in &draft.tables {
        let mut path = Vec::new();
        if let Some(mut found) = walk(draft, &table.table.name, &mut path, &mut done) {
            let position = |name: &TableName| draft.tables.iter().position(|known| known.table.name == *name);
            found.sort_by_key(|(table, _)| position(table));
            return Some(found);
        }
    }
    None
}

fn walk(draft: &Draft, at: &TableName, path: &mut Vec<Key>, done: &mut Vec<TableName>) -> Option<Vec<Key>> {
    if let Some(begin) = path.iter().position(|(table, _)| table == at) {
        return Some(path[begin..].to_vec());
    }
    if done.contains(at) {
        return None;
    }
    let table = draft.find(at)?;
    for key in &table.table.rules.foreign_keys {
        let column = &key.columns[0];
        if table.column(column).is_some_and(|column| column.nullability == Nullability::NotNull) {
            path.push((at.clone(), column.clone()));
            if let Some(found) = walk(draft, &key.table, path, done) {
                return Some(found);
            }
            path.pop();
        }
    }
    done.push(at.clone());
    None
}
