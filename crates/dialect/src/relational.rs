//! Queries and writes as statements of the engines that speak SQL, with `?` placeholders; what differs comes in as [`Words`].

use crate::{Listing, Lowered, Unsupported};
use plan::query::{Assigned, Choice, Direction, Holes, OnConflict, Order, Output, Predicate, Query, RowLock, Write};
use plan::value::Value;
use vocab::{ColumnName, Datum, Engine};

/// How an engine says what the others say differently.
#[derive(Clone, Copy)]
pub struct Words {
    pub engine: Engine,
    pub quote: fn(&str) -> String,
    /// What holds the rows of a query until the transaction ends.
    pub row_lock: &'static str,
}

impl Words {
    fn list(self, columns: &[ColumnName]) -> String {
        columns.iter().map(|column| (self.quote)(column.as_str())).collect::<Vec<_>>().join(", ")
    }
}

pub fn query(words: Words, query: &Query) -> Result<Lowered, Unsupported> {
    if query.holes != Holes::default() {
        return Err(Unsupported { engine: words.engine, what: "a query that a request completes, in one piece" });
    }
    let mut lowered = select(words, query)?;
    filter(words, &query.filter, &mut lowered);
    if !query.order.is_empty() {
        lowered.text.push_str(" ORDER BY ");
        lowered.text.push_str(&order(words, &query.order));
    }
    match query.lock {
        RowLock::None => {}
        RowLock::ForUpdate => lowered.text.push_str(words.row_lock),
    }
    Ok(lowered)
}

/// The part of a listing that no request changes.
pub fn listing_base(words: Words, query: &Query) -> Result<Lowered, Unsupported> {
    match query.holes.selection {
        Choice::Fixed => {}
        Choice::Open => return Err(Unsupported { engine: words.engine, what: "outputs that a request chooses" }),
    }
    let mut lowered = select(words, query)?;
    filter(words, &query.filter, &mut lowered);
    Ok(lowered)
}

/// The whole listing. The order's last column is unique, so that a page begins exactly behind the one before.
pub fn listing(words: Words, base: &str, has_filter: bool, asked: &Listing) -> (String, Vec<Datum>) {
    let mut conditions = Vec::new();
    let mut binds = Vec::new();
    for (column, comparison, value) in &asked.filters {
        conditions.push(format!("{} {} ?", (words.quote)(column.as_str()), comparison.as_str()));
        binds.push(value.clone());
    }
    if let Some(after) = &asked.after {
        // (a, b) behind (x, y): a > x, or a = x and b > y; each column in its own direction.
        let mut ways = Vec::new();
        for last in 0..asked.order.len().min(after.len()) {
            let mut parts: Vec<String> = asked.order[..last]
                .iter()
                .map(|level| format!("{} = ?", (words.quote)(level.column.as_str())))
                .collect();
            let sign = match asked.order[last].direction {
                Direction::Ascending => ">",
                Direction::Descending => "<",
            };
            parts.push(format!("{} {sign} ?", (words.quote)(asked.order[last].column.as_str())));
            binds.extend(after[..=last].iter().cloned());
            ways.push(parts.join(" AND "));
        }
        conditions.push(format!("({})", ways.join(" OR ")));
    }
    let mut text = base.to_owned();
    if !conditions.is_empty() {
        text.push_str(if has_filter { " AND " } else { " WHERE " });
        text.push_str(&conditions.join(" AND "));
    }
    text.push_str(&format!(" ORDER BY {} LIMIT {}", order(words, &asked.order), asked.limit));
    (text, binds)
}

fn order(words: Words, levels: &[Order]) -> String {
    let levels: Vec<String> = levels
        .iter()
        .map(|level| match level.direction {
            Direction::Ascending => (words.quote)(level.column.as_str()),
            Direction::Descending => format!("{} DESC", (words.quote)(level.column.as_str())),
        })
        .collect();
    levels.join(", ")
}

fn select(words: Words, query: &Query) -> Result<Lowered, Unsupported> {
    let mut outputs = Vec::new();
    for output in &query.outputs {
        match output {
            Output::Column { column, field } if column.as_str() == field.as_str() => {
                outputs.push((words.quote)(column.as_str()))
            }
            Output::Column { column, field } => {
                outputs.push(format!("{} AS {}", (words.quote)(column.as_str()), (words.quote)(field.as_str())));
            }
            Output::Related { .. } => return Err(Unsupported { engine: words.engine, what: "nested rows" }),
        }
    }
    let text = format!("SELECT {} FROM {}", outputs.join(", "), (words.quote)(query.from.as_str()));
    Ok(Lowered { text, binds: Vec::new() })
}

pub fn write(words: Words, write: &Write) -> Lowered {
    match write {
        Write::Insert { table, values, on_conflict } => {
            let columns: Vec<_> = values.iter().map(|(column, _)| column.clone()).collect();
            let holders = vec!["?"; values.len()].join(", ");
            let mut text =
                format!("INSERT INTO {} ({}) VALUES ({holders})", (words.quote)(table.as_str()), words.list(&columns));
            match on_conflict {
                OnConflict::Fail => {}
                OnConflict::Keep { unique } => {
                    text.push_str(&format!(" ON CONFLICT ({}) DO NOTHING", words.list(unique)));
                }
                OnConflict::Replace { unique, columns } => {
                    let set: Vec<String> = columns
                        .iter()
                        .map(|column| format!("{0} = excluded.{0}", (words.quote)(column.as_str())))
                        .collect();
                    text.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", words.list(unique), set.join(", ")));
                }
            }
            Lowered { text, binds: values.iter().map(|(_, value)| value.clone()).collect() }
        }
        Write::Update { table, set, filter: wanted } => {
            let mut binds = Vec::new();
            let set: Vec<String> = set
                .iter()
                .map(|(column, assigned)| {
                    let column = (words.quote)(column.as_str());
                    match assigned {
                        Assigned::Value(value) => {
                            binds.push(value.clone());
                            format!("{column} = ?")
                        }
                        Assigned::Plus(amount) => format!("{column} = {column} + ({amount})"),
                        Assigned::IfGiven(slot, field) => {
                            binds.push(Value::Given(slot.clone(), field.clone()));
                            binds.push(Value::Field(slot.clone(), field.clone()));
                            format!("{column} = CASE WHEN ? THEN ? ELSE {column} END")
                        }
                    }
                })
                .collect();
            let text = format!("UPDATE {} SET {}", (words.quote)(table.as_str()), set.join(", "));
            let mut lowered = Lowered { text, binds };
            filter(words, wanted, &mut lowered);
            lowered
        }
        Write::Delete { table, filter: wanted } => {
            let mut lowered =
                Lowered { text: format!("DELETE FROM {}", (words.quote)(table.as_str())), binds: Vec::new() };
            filter(words, wanted, &mut lowered);
            lowered
        }
    }
}

fn filter(words: Words, predicates: &[Predicate], lowered: &mut Lowered) {
    if predicates.is_empty() {
        return;
    }
    let parts: Vec<String> = predicates.iter().map(|asked| predicate(words, asked, &mut lowered.binds)).collect();
    lowered.text.push_str(" WHERE ");
    lowered.text.push_str(&parts.join(" AND "));
}

fn predicate(words: Words, asked: &Predicate, binds: &mut Vec<Value>) -> String {
    match asked {
        Predicate::Compare(column, comparison, value) => {
            binds.push(value.clone());
            format!("{} {} ?", (words.quote)(column.as_str()), comparison.as_str())
        }
        Predicate::Null(column) => format!("{} IS NULL", (words.quote)(column.as_str())),
        Predicate::Any(inner) => {
            let parts: Vec<String> = inner.iter().map(|asked| predicate(words, asked, binds)).collect();
            format!("({})", parts.join(" OR "))
        }
        Predicate::Not(inner) => format!("NOT ({})", predicate(words, inner, binds)),
    }
}
