//! Queries and writes as SQLite statements with `?` placeholders.

use super::definition::column_list;
use super::quote;
use crate::{Lowered, Unsupported};
use plan::query::{Assigned, Direction, Holes, OnConflict, Output, Predicate, Query, RowLock, Write};
use plan::value::Value;
use vocab::Engine;

pub fn query(query: &Query) -> Result<Lowered, Unsupported> {
    let unsupported = |what| Err(Unsupported { engine: Engine::Sqlite, what });
    if query.holes != Holes::default() {
        return unsupported("a query that a request completes");
    }
    let mut outputs = Vec::new();
    for output in &query.outputs {
        match output {
            Output::Column { column, field } if column.as_str() == field.as_str() => {
                outputs.push(quote(column.as_str()))
            }
            Output::Column { column, field } => {
                outputs.push(format!("{} AS {}", quote(column.as_str()), quote(field.as_str())));
            }
            Output::Related { .. } => return unsupported("nested rows"),
        }
    }
    // SQLite has one writer: a row read inside a transaction cannot change before its end.
    match query.lock {
        RowLock::None | RowLock::ForUpdate => {}
    }
    let mut lowered = Lowered {
        text: format!("SELECT {} FROM {}", outputs.join(", "), quote(query.from.as_str())),
        binds: Vec::new(),
    };
    filter(&query.filter, &mut lowered);
    if !query.order.is_empty() {
        let order: Vec<String> = query
            .order
            .iter()
            .map(|order| match order.direction {
                Direction::Ascending => quote(order.column.as_str()),
                Direction::Descending => format!("{} DESC", quote(order.column.as_str())),
            })
            .collect();
        lowered.text.push_str(" ORDER BY ");
        lowered.text.push_str(&order.join(", "));
    }
    Ok(lowered)
}

pub fn write(write: &Write) -> Lowered {
    match write {
        Write::Insert { table, values, on_conflict } => {
            let columns: Vec<_> = values.iter().map(|(column, _)| column.clone()).collect();
            let holders = vec!["?"; values.len()].join(", ");
            let mut text =
                format!("INSERT INTO {} ({}) VALUES ({holders})", quote(table.as_str()), column_list(&columns));
            match on_conflict {
                OnConflict::Fail => {}
                OnConflict::Keep { unique } => {
                    text.push_str(&format!(" ON CONFLICT ({}) DO NOTHING", column_list(unique)));
                }
                OnConflict::Replace { unique, columns } => {
                    let set: Vec<String> =
                        columns.iter().map(|column| format!("{0} = excluded.{0}", quote(column.as_str()))).collect();
                    text.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", column_list(unique), set.join(", ")));
                }
            }
            Lowered { text, binds: values.iter().map(|(_, value)| value.clone()).collect() }
        }
        Write::Update { table, set, filter: wanted } => {
            let mut binds = Vec::new();
            let set: Vec<String> = set
                .iter()
                .map(|(column, assigned)| {
                    let column = quote(column.as_str());
                    match assigned {
                        Assigned::Value(value) => {
                            binds.push(value.clone());
                            format!("{column} = ?")
                        }
                        Assigned::Plus(amount) => format!("{column} = {column} + ({amount})"),
                    }
                })
                .collect();
            let text = format!("UPDATE {} SET {}", quote(table.as_str()), set.join(", "));
            let mut lowered = Lowered { text, binds };
            filter(wanted, &mut lowered);
            lowered
        }
        Write::Delete { table, filter: wanted } => {
            let mut lowered = Lowered { text: format!("DELETE FROM {}", quote(table.as_str())), binds: Vec::new() };
            filter(wanted, &mut lowered);
            lowered
        }
    }
}

fn filter(predicates: &[Predicate], lowered: &mut Lowered) {
    if predicates.is_empty() {
        return;
    }
    let parts: Vec<String> = predicates.iter().map(|asked| predicate(asked, &mut lowered.binds)).collect();
    lowered.text.push_str(" WHERE ");
    lowered.text.push_str(&parts.join(" AND "));
}

fn predicate(asked: &Predicate, binds: &mut Vec<Value>) -> String {
    match asked {
        Predicate::Compare(column, comparison, value) => {
            binds.push(value.clone());
            format!("{} {} ?", quote(column.as_str()), comparison.as_str())
        }
        Predicate::Null(column) => format!("{} IS NULL", quote(column.as_str())),
        Predicate::Any(inner) => {
            let parts: Vec<String> = inner.iter().map(|asked| predicate(asked, binds)).collect();
            format!("({})", parts.join(" OR "))
        }
        Predicate::Not(inner) => format!("NOT ({})", predicate(inner, binds)),
    }
}
