//! Queries and writes as statements of the engines that speak SQL, with `?` placeholders; what differs comes in as [`Words`].

use crate::{Listing, Lowered, Place, Summarized, Unsupported, Wanted};
use plan::Table;
use plan::database::{Column, Compared, ForeignKey, Index, NoOverlap, OnDelete, Sensitivity};
use plan::query::{
    Add, Aggregate, Assigned, Cardinality, Direction, Group, Holes, OnConflict, Order, Output, Predicate, Query,
    Related, RowLock, Write,
};
use plan::value::{Comparison, Value};
use vocab::{ColumnName, Datum, Engine, FieldName, FieldType, TableName};

/// The trigger that keeps a table's times and versions.
pub fn touch_trigger(table: &Table) -> String {
    crate::name::joined(&[table.name.as_str()], "touch")
}

/// A key to another table as a constraint.
pub fn foreign_key(quote: fn(&str) -> String, key: &ForeignKey) -> String {
    let columns = column_list(quote, &key.columns);
    format!("CONSTRAINT {} FOREIGN KEY ({columns}) {}", quote(key.name.as_str()), references(quote, key))
}

/// Where a key leads, and what happens when that row goes.
pub fn references(quote: fn(&str) -> String, key: &ForeignKey) -> String {
    let action = match key.on_delete {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Restrict => "RESTRICT",
        OnDelete::SetNull => "SET NULL",
    };
    format!("REFERENCES {} ({}) ON DELETE {action}", quote(key.table.as_str()), column_list(quote, &key.target))
}

pub fn column_list(quote: fn(&str) -> String, columns: &[ColumnName]) -> String {
    columns.iter().map(|column| quote(column.as_str())).collect::<Vec<_>>().join(", ")
}

/// The triggers that keep the times of rows apart: of new rows, of changed ones.
pub fn overlap_triggers(rule: &NoOverlap) -> [String; 2] {
    ["insert", "update"].map(|word| crate::name::joined(&[rule.name.as_str()], word))
}

/// What a trigger of the table is there for.
pub fn why_trigger(table: &Table, name: &str) -> String {
    let is_it = |rule: &&NoOverlap| overlap_triggers(rule).iter().any(|known| known == name);
    match table.rules.overlaps.iter().find(is_it) {
        Some(rule) => format!("{name}: {}", why_no_overlap(rule)),
        None => format!("{}: the database itself keeps `updated_at` and `row_version`, whoever writes", table.name),
    }
}

/// What a rule about times is there for.
pub fn why_no_overlap(rule: &NoOverlap) -> String {
    let within: Vec<&str> = rule.within.iter().map(ColumnName::as_str).collect();
    let of = if within.is_empty() { String::new() } else { format!(" of one {}", within.join(" and ")) };
    format!("no two rows{of} share any time between {} and {}", rule.from, rule.until)
}

/// What a column means, and how carefully it is handled, where the engine keeps comments.
pub fn column_comment(column: &Column) -> String {
    match column.sensitivity {
        Sensitivity::Plain => column.comment.clone(),
        Sensitivity::Personal => format!("{} [personal]", column.comment),
        Sensitivity::Secret => format!("{} [secret]", column.comment),
    }
}

/// How an engine says what the others say differently.
#[derive(Clone, Copy)]
pub struct Words {
    pub engine: Engine,
    pub quote: fn(&str) -> String,
    /// The placeholder of a value for a column of that type.
    pub holder: fn(&FieldType) -> String,
    /// What holds the rows of a query until the transaction ends.
    pub row_lock: &'static str,
    pub conflicts: Conflicts,
    pub made_keys: MadeKeys,
    /// By what lists are sorted, with `?` for a column or a value of that type, where it is not the value as the column holds it.
    pub sorted_by: fn(&FieldType) -> Option<&'static str>,
    /// Where a text begins in a column: see [`crate::position`].
    pub position: &'static str,
    /// How rows of another table come with a row; none where they cannot.
    pub nesting: Option<Nesting>,
    /// A column of days or times, `#`, as a text that begins with the day in UTC.
    pub day: fn(&FieldType) -> &'static str,
    /// The sum of a column of numbers, `#`, as a number of the same type.
    pub sum: fn(&FieldType) -> &'static str,
}

/// Rows that come with a row of another table: one text, with an array of JSON a line for each.
#[derive(Clone, Copy)]
pub struct Nesting {
    /// What stands in the array for a column of that type: a number for whole numbers, `true` or 1 for what is so, else the text of which
    /// the value is read.
    pub cell: fn(&FieldType, &str) -> String,
    /// The statement that gives the text.
    pub statement: fn(&Lines) -> String,
}

/// What a statement about rows that come with another one is made of.
pub struct Lines {
    /// The values of a line.
    pub cells: String,
    /// Where they come from: the table and which of its rows.
    pub from: String,
    /// ` ORDER BY ...`, where they have an order.
    pub order: String,
    /// How many at most.
    pub most: String,
}

/// What is asked of rows that come with another one.
#[derive(Clone, Copy)]
pub enum Nested<'a> {
    /// Nothing.
    Usual,
    /// What the request asks of them.
    Asked(&'a Listing),
    /// What a request asks of them is not known yet: [`crate::RELATED_HOLES`].
    Open,
}

/// The text of engines that aggregate what comes of a query with an order and a limit of its own, which they keep.
pub fn aggregated(aggregate: &str, array: &str, lines: &Lines) -> String {
    let Lines { from, order, most, .. } = lines;
    format!("SELECT {aggregate} FROM (SELECT {array} AS line FROM {from}{order} LIMIT {most}) AS all_lines")
}

/// How an engine tells the key that it has made.
#[derive(Clone, Copy)]
pub enum MadeKeys {
    /// As a row of the statement that inserts.
    Returned,
    /// To whoever asks the connection afterwards, which `store` does.
    Remembered,
}

/// What an engine can say of rows that are there already.
#[derive(Clone, Copy)]
pub enum Conflicts {
    /// Which unique columns are meant; a conflict of others is an error.
    Named,
    /// That some unique column is taken, whichever.
    AnyKey,
}

/// An engine's words for statements over one table.
#[derive(Clone, Copy)]
pub struct Lowering<'t> {
    words: Words,
    tables: &'t [Table],
    columns: &'t [Column],
}

impl<'t> Lowering<'t> {
    pub fn new(words: Words, tables: &'t [Table], name: &TableName) -> Self {
        let columns = tables.iter().find(|table| table.name == *name).map_or(&[][..], |table| &table.columns);
        Self { words, tables, columns }
    }

    fn quote(self, name: &str) -> String {
        (self.words.quote)(name)
    }

    fn list(self, columns: &[ColumnName]) -> String {
        columns.iter().map(|column| self.quote(column.as_str())).collect::<Vec<_>>().join(", ")
    }

    fn field_type(self, name: &ColumnName) -> Option<&'t FieldType> {
        self.columns.iter().find(|column| column.name == *name).map(|column| &column.field_type)
    }

    /// The placeholder of a value for the column.
    fn holder(self, name: &ColumnName) -> String {
        self.field_type(name).map_or_else(|| "?".to_owned(), self.words.holder)
    }

    /// The column as lists are sorted by it.
    fn sorted(self, name: &ColumnName) -> String {
        sorted(self.words, self.field_type(name), &self.quote(name.as_str()))
    }

    /// The placeholder of a value of the column that is compared in that order.
    fn sorted_holder(self, name: &ColumnName) -> String {
        sorted(self.words, self.field_type(name), &self.holder(name))
    }
}

/// A column, or a value of it, as lists are sorted by it.
pub fn sorted(words: Words, field_type: Option<&FieldType>, text: &str) -> String {
    match field_type.and_then(words.sorted_by) {
        Some(by) => by.replacen('?', text, 1),
        None => text.to_owned(),
    }
}

/// The columns of an index as its statement names them.
pub fn indexed(words: Words, table: &Table, index: &Index) -> Vec<String> {
    let field_type = |name: &ColumnName| {
        let known = table.columns.iter().find(|column| column.name == *name)?;
        (index.compared == Compared::Order).then_some(&known.field_type)
    };
    index.columns.iter().map(|name| sorted(words, field_type(name), &(words.quote)(name.as_str()))).collect()
}

/// The placeholder of engines to which a text is as good as any type.
pub fn plain(_: &FieldType) -> String {
    "?".to_owned()
}

pub fn query(lowering: Lowering<'_>, query: &Query) -> Result<Lowered, Unsupported> {
    // Whoever asks for some of the outputs picks them out of the row.
    if query.holes != (Holes { selection: query.holes.selection, ..Holes::default() }) {
        return Err(Unsupported {
            engine: lowering.words.engine,
            what: "a query that a request completes, in one piece",
        });
    }
    let mut lowered = select(lowering, query, &[])?;
    filter(lowering, &query.filter, &mut lowered);
    if !query.order.is_empty() {
        lowered.text.push_str(" ORDER BY ");
        lowered.text.push_str(&order(lowering, &query.order));
    }
    match query.lock {
        RowLock::None => {}
        RowLock::ForUpdate => lowered.text.push_str(lowering.words.row_lock),
    }
    Ok(lowered)
}

/// The part of a listing that no request changes.
pub fn listing_base(
    lowering: Lowering<'_>,
    query: &Query,
    related: &[(FieldName, Listing)],
) -> Result<Lowered, Unsupported> {
    let mut lowered = select(lowering, query, related)?;
    filter(lowering, &query.filter, &mut lowered);
    Ok(lowered)
}

/// The whole listing. The order's last column is unique, so that a page begins exactly behind the one before.
pub fn listing(lowering: Lowering<'_>, base: &str, has_filter: bool, asked: &Listing) -> (String, Vec<Datum>) {
    let mut conditions = Vec::new();
    let mut binds = Vec::new();
    for filter in &asked.filters {
        conditions.push(wanted(lowering, filter, &mut binds));
    }
    if let Some(after) = &asked.after {
        // (a, b) behind (x, y): a > x, or a = x and b > y; each column in its own direction.
        let mut ways = Vec::new();
        for last in 0..asked.order.len().min(after.len()) {
            let mut parts: Vec<String> = asked.order[..last]
                .iter()
                .map(|level| format!("{} = {}", lowering.sorted(&level.column), lowering.sorted_holder(&level.column)))
                .collect();
            let sign = match asked.order[last].direction {
                Direction::Ascending => ">",
                Direction::Descending => "<",
            };
            let column = &asked.order[last].column;
            parts.push(format!("{} {sign} {}", lowering.sorted(column), lowering.sorted_holder(column)));
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
    text.push_str(&format!(" ORDER BY {} LIMIT {}", order(lowering, &asked.order), asked.limit));
    if asked.offset > 0 {
        text.push_str(&format!(" OFFSET {}", asked.offset));
    }
    (text, binds)
}

/// How many rows there are, wherever the page begins; no more than `most` of them are looked at.
pub fn count(lowering: Lowering<'_>, query: &Query, asked: &Listing, most: Option<u32>) -> (String, Vec<Datum>) {
    let what = most.map_or("COUNT(*) AS total", |_| "1 AS counted");
    let text = format!("SELECT {what} FROM {}", lowering.quote(query.from.as_str()));
    let (text, binds) = filtered(lowering, text, query, &asked.filters);
    match most {
        None => (text, binds),
        Some(most) => (format!("SELECT COUNT(*) AS total FROM ({text} LIMIT {most}) AS counted_rows"), binds),
    }
}

/// A statement with the query's own condition and what a request wants besides, of which the values are given.
fn filtered(lowering: Lowering<'_>, text: String, query: &Query, filters: &[Wanted]) -> (String, Vec<Datum>) {
    let mut lowered = Lowered { text, binds: Vec::new() };
    filter(lowering, &query.filter, &mut lowered);
    let mut binds = Vec::new();
    let conditions: Vec<String> = filters.iter().map(|filter| wanted(lowering, filter, &mut binds)).collect();
    if !conditions.is_empty() {
        lowered.text.push_str(if query.filter.is_empty() { " WHERE " } else { " AND " });
        lowered.text.push_str(&conditions.join(" AND "));
    }
    (lowered.text, binds)
}

/// What is worked out of the rows, a row for each group: its groups' values, then what is asked of it; an average is a sum and how many
/// values it is of. What is null stands behind the others.
pub fn summary(lowering: Lowering<'_>, query: &Query, asked: &Summarized) -> (String, Vec<Datum>) {
    let typed = |column: &ColumnName, of: fn(&FieldType) -> &'static str| {
        let by = lowering.field_type(column).map_or("#", of);
        by.replace('#', &lowering.quote(column.as_str()))
    };
    let group = |group: &Group| match group {
        Group::Value(column) => lowering.quote(column.as_str()),
        Group::Part(part, column) => format!("substr({}, 1, {})", typed(column, lowering.words.day), part.length()),
    };
    let groups: Vec<String> = asked.groups.iter().map(group).collect();
    let of = |what: &str, column: &ColumnName| format!("{what}({})", lowering.quote(column.as_str()));
    let worked_out = |aggregate: &Aggregate| match aggregate {
        Aggregate::Count => vec!["COUNT(*)".to_owned()],
        Aggregate::Sum(column) => vec![typed(column, lowering.words.sum)],
        Aggregate::Average(column) => vec![typed(column, lowering.words.sum), of("COUNT", column)],
        Aggregate::Least(column) => vec![of("MIN", column)],
        Aggregate::Greatest(column) => vec![of("MAX", column)],
    };
    let aggregates: Vec<String> = asked.aggregates.iter().flat_map(worked_out).collect();
    let outputs: Vec<&str> = groups.iter().chain(&aggregates).map(String::as_str).collect();
    let text = format!("SELECT {} FROM {}", outputs.join(", "), lowering.quote(query.from.as_str()));
    let (mut text, binds) = filtered(lowering, text, query, &asked.filters);
    if !groups.is_empty() {
        let levels: Vec<String> = asked
            .order
            .iter()
            .map(|(place, direction)| {
                let by = match (asked.groups.get(*place), asked.aggregates.get(place.saturating_sub(groups.len()))) {
                    (Some(Group::Value(column)), _) => lowering.sorted(column),
                    (Some(part @ Group::Part(..)), _) => group(part),
                    (None, Some(Aggregate::Average(column))) => of("AVG", column),
                    (None, aggregate) => {
                        aggregate.map_or_else(String::new, |aggregate| worked_out(aggregate).remove(0))
                    }
                };
                let reverse = match direction {
                    Direction::Ascending => "",
                    Direction::Descending => " DESC",
                };
                format!("({by} IS NULL), {by}{reverse}")
            })
            .collect();
        let (groups, order) = (groups.join(", "), levels.join(", "));
        text.push_str(&format!(" GROUP BY {groups} ORDER BY {order} LIMIT {}", asked.limit));
    }
    (text, binds)
}

fn wanted(lowering: Lowering<'_>, filter: &Wanted, binds: &mut Vec<Datum>) -> String {
    let quoted = |column: &ColumnName| lowering.quote(column.as_str());
    let joined = |inner: &[Wanted], word: &str, binds: &mut Vec<Datum>| {
        let parts: Vec<String> = inner.iter().map(|filter| wanted(lowering, filter, binds)).collect();
        format!("({})", parts.join(word))
    };
    match filter {
        Wanted::Compare(column, comparison, value) => {
            binds.push(value.clone());
            format!("{} {} {}", quoted(column), comparison.as_str(), lowering.holder(column))
        }
        Wanted::OneOf(column, values) => {
            binds.extend(values.iter().cloned());
            format!("{} IN ({})", quoted(column), vec![lowering.holder(column); values.len()].join(", "))
        }
        Wanted::Null(column) => format!("{} IS NULL", quoted(column)),
        Wanted::Holds(column, place, text) => {
            binds.push(text.clone());
            let position = lowering.words.position.replacen('#', &quoted(column), 1);
            match place {
                Place::Anywhere => format!("{position} > 0"),
                Place::Beginning => format!("{position} = 1"),
            }
        }
        Wanted::All(inner) => joined(inner, " AND ", binds),
        Wanted::Any(inner) => joined(inner, " OR ", binds),
        Wanted::Not(inner) => format!("NOT ({})", wanted(lowering, inner, binds)),
    }
}

fn order(lowering: Lowering<'_>, levels: &[Order]) -> String {
    let levels: Vec<String> = levels
        .iter()
        .map(|level| match level.direction {
            Direction::Ascending => lowering.sorted(&level.column),
            Direction::Descending => format!("{} DESC", lowering.sorted(&level.column)),
        })
        .collect();
    levels.join(", ")
}

fn select(lowering: Lowering<'_>, query: &Query, asked: &[(FieldName, Listing)]) -> Result<Lowered, Unsupported> {
    let mut outputs = Vec::new();
    let mut binds = Vec::new();
    for output in &query.outputs {
        match output {
            Output::Column { column, field } if column.as_str() == field.as_str() => {
                outputs.push(lowering.quote(column.as_str()))
            }
            Output::Column { column, field } => {
                outputs.push(format!("{} AS {}", lowering.quote(column.as_str()), lowering.quote(field.as_str())));
            }
            Output::Related(related) => {
                let asked = asked.iter().find(|(name, _)| *name == related.field);
                let asked = asked.map_or(Nested::Usual, |(_, listing)| Nested::Asked(listing));
                let rows = nested(lowering, &query.from, related, asked)?;
                outputs.push(format!("({}) AS {}", rows.text, lowering.quote(related.field.as_str())));
                binds.extend(rows.binds);
            }
        }
    }
    let text = format!("SELECT {} FROM {}", outputs.join(", "), lowering.quote(query.from.as_str()));
    Ok(Lowered { text, binds })
}

/// What rows of another table are called where a row of `outer` has them with it: a table may lead to itself.
const OTHERS: &str = "other_rows";
/// The rows in between.
const LINKS: &str = "link_rows";

/// The rows that a row of `outer` leads to, as one text.
pub fn nested(
    lowering: Lowering<'_>,
    outer: &TableName,
    related: &Related,
    asked: Nested<'_>,
) -> Result<Lowered, Unsupported> {
    let unsupported = || Unsupported { engine: lowering.words.engine, what: "nested rows" };
    let nesting = lowering.words.nesting.ok_or_else(unsupported)?;
    let Related { local, foreign, cardinality, through, query, .. } = related;
    let quote = |name: &str| lowering.quote(name);
    let of = |table: &TableName| Lowering::new(lowering.words, lowering.tables, table);
    let others = of(&query.from);
    let cell = |output: &Output| match output {
        Output::Column { column, .. } => {
            let field_type = others.field_type(column).ok_or_else(unsupported)?;
            Ok((nesting.cell)(field_type, &quote(column.as_str())))
        }
        Output::Related(_) => Err(unsupported()),
    };
    let cells = query.outputs.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
    let text = format!("{} AS {OTHERS}", quote(query.from.as_str()));
    let mut rows = Lowered { text, binds: Vec::new() };
    filter(others, &query.filter, &mut rows);
    rows.text.push_str(if query.filter.is_empty() { " WHERE " } else { " AND " });
    let (foreign, local) = (quote(foreign.as_str()), format!("{}.{}", quote(outer.as_str()), quote(local.as_str())));
    match through {
        None => rows.text.push_str(&format!("{OTHERS}.{foreign} = {local}")),
        Some(through) => {
            let (table, there) = (quote(through.table.as_str()), quote(through.foreign.as_str()));
            let mut links =
                Lowered { text: format!("SELECT {LINKS}.{there} FROM {table} AS {LINKS}"), binds: Vec::new() };
            filter(of(&through.table), &through.filter, &mut links);
            links.text.push_str(if through.filter.is_empty() { " WHERE " } else { " AND " });
            links.text.push_str(&format!("{LINKS}.{} = {local}", quote(through.local.as_str())));
            rows.text.push_str(&format!("{OTHERS}.{foreign} IN ({})", links.text));
            rows.binds.extend(links.binds);
        }
    }
    let most = match cardinality {
        Cardinality::One => 1,
        Cardinality::Many => query.holes.page.ok_or_else(unsupported)?.default,
    };
    let in_order = |levels: &[Order]| match levels {
        [] => String::new(),
        levels => format!(" ORDER BY {}", order(others, levels)),
    };
    let (order, most) = match asked {
        Nested::Usual => (in_order(&query.order), most.to_string()),
        Nested::Asked(listing) => {
            let mut binds = Vec::new();
            for filter in &listing.filters {
                rows.text.push_str(&format!(" AND {}", wanted(others, filter, &mut binds)));
            }
            rows.binds.extend(binds.into_iter().map(Value::Literal));
            (in_order(&listing.order), listing.limit.to_string())
        }
        Nested::Open => {
            let [more, order, most] = crate::RELATED_HOLES;
            rows.text.push_str(more);
            (format!(" ORDER BY {order}"), most.to_owned())
        }
    };
    let text = (nesting.statement)(&Lines { cells: cells.join(", "), from: rows.text, order, most });
    Ok(Lowered { text, binds: rows.binds })
}

pub fn write(lowering: Lowering<'_>, write: &Write) -> Lowered {
    match write {
        Write::Insert { table, values, on_conflict, made } => {
            let mut lowered = insert(lowering, table, values, on_conflict);
            if let (Some(key), MadeKeys::Returned) = (made, lowering.words.made_keys) {
                lowered.text.push_str(&format!(" RETURNING {}", lowering.quote(key.as_str())));
            }
            lowered
        }
        Write::Update { table, set, filter: wanted } => {
            let mut binds = Vec::new();
            let set: Vec<String> = set
                .iter()
                .map(|(column, assigned)| {
                    let (holder, column) = (lowering.holder(column), lowering.quote(column.as_str()));
                    match assigned {
                        Assigned::Value(value) => {
                            binds.push(value.clone());
                            format!("{column} = {holder}")
                        }
                        Assigned::Known(value) => {
                            binds.push(value.clone());
                            format!("{column} = COALESCE({holder}, {column})")
                        }
                        Assigned::Plus(amount) => format!("{column} = {column} + ({amount})"),
                        Assigned::Less(value) => {
                            binds.push(value.clone());
                            format!("{column} = {column} - {holder}")
                        }
                        Assigned::IfGiven(slot, field) => {
                            binds.push(Value::Given(slot.clone(), field.clone()));
                            binds.push(Value::Field(slot.clone(), field.clone()));
                            format!("{column} = CASE WHEN ? THEN {holder} ELSE {column} END")
                        }
                    }
                })
                .collect();
            let text = format!("UPDATE {} SET {}", lowering.quote(table.as_str()), set.join(", "));
            let mut lowered = Lowered { text, binds };
            filter(lowering, wanted, &mut lowered);
            lowered
        }
        Write::Delete { table, filter: wanted } => {
            let mut lowered =
                Lowered { text: format!("DELETE FROM {}", lowering.quote(table.as_str())), binds: Vec::new() };
            filter(lowering, wanted, &mut lowered);
            lowered
        }
        Write::Add(add) => added(lowering, add),
    }
}

/// One statement, so that no other one comes between what was there and what is there then.
fn added(lowering: Lowering<'_>, add: &Add) -> Lowered {
    let quoted = |name: &ColumnName| lowering.quote(name.as_str());
    let (table, from) = (lowering.quote(add.table.as_str()), lowering.quote(add.from.as_str()));
    let (column, key) = (quoted(&add.column), quoted(&add.key));
    let (leads, amount) = (quoted(&add.leads), quoted(&add.amount));
    let mut wanted = Lowered { text: String::new(), binds: Vec::new() };
    filter(lowering, &add.filter, &mut wanted);
    let text = format!(
        "UPDATE {table} SET {column} = {column} + (SELECT SUM({amount}) FROM {from}{filter} AND {leads} = {table}.{key}) \
         WHERE {key} IN (SELECT {leads} FROM {from}{filter})",
        filter = wanted.text,
    );
    Lowered { text, binds: [wanted.binds.clone(), wanted.binds].concat() }
}

fn insert(
    lowering: Lowering<'_>,
    table: &TableName,
    values: &[(ColumnName, Value)],
    on_conflict: &OnConflict,
) -> Lowered {
    let columns: Vec<_> = values.iter().map(|(column, _)| column.clone()).collect();
    let holders: Vec<String> = columns.iter().map(|column| lowering.holder(column)).collect();
    let into = format!("INSERT INTO {} ({})", lowering.quote(table.as_str()), lowering.list(&columns));
    let plain = format!("{into} VALUES ({})", holders.join(", "));
    let set = |columns: &[ColumnName], value: &dyn Fn(&str) -> String| {
        let one = |column: &ColumnName| {
            let column = lowering.quote(column.as_str());
            format!("{column} = {}", value(&column))
        };
        columns.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let mut binds: Vec<Value> = values.iter().map(|(_, value)| value.clone()).collect();
    let text = match (on_conflict, lowering.words.conflicts) {
        (OnConflict::Fail, _) => plain,
        (OnConflict::Keep { unique }, Conflicts::Named) => {
            format!("{plain} ON CONFLICT ({}) DO NOTHING", lowering.list(unique))
        }
        (OnConflict::Replace { unique, columns }, Conflicts::Named) => {
            let set = set(columns, &|column| format!("excluded.{column}"));
            format!("{plain} ON CONFLICT ({}) DO UPDATE SET {set}", lowering.list(unique))
        }
        // `INSERT IGNORE` would take rows that are wrong as well. A row that another connection stores meanwhile is a conflict:
        // whoever runs the statement runs it once more, and then that row is seen.
        (OnConflict::Keep { unique }, Conflicts::AnyKey) => {
            let same: Vec<Predicate> = values
                .iter()
                .filter(|(column, _)| unique.contains(column))
                .map(|(column, value)| Predicate::Compare(column.clone(), Comparison::Equal, value.clone()))
                .collect();
            let mut found = Lowered { text: format!("SELECT 1 FROM {}", lowering.quote(table.as_str())), binds };
            filter(lowering, &same, &mut found);
            binds = found.binds;
            format!("{into} SELECT {} FROM DUAL WHERE NOT EXISTS ({})", holders.join(", "), found.text)
        }
        // A row that is in the way by another key is left as it is: two rows where one belongs are an error.
        (OnConflict::Replace { unique, columns }, Conflicts::AnyKey) => {
            let given = |column: &str| format!("VALUES({column})");
            let same = set(unique, &given).replace(", ", " AND ");
            let meant = set(&unique[..unique.len().min(1)], &|column| {
                format!("IF({same}, {column}, (SELECT 1 UNION ALL SELECT 2))")
            });
            format!("{plain} ON DUPLICATE KEY UPDATE {meant}, {}", set(columns, &given))
        }
    };
    Lowered { text, binds }
}

fn filter(lowering: Lowering<'_>, predicates: &[Predicate], lowered: &mut Lowered) {
    if predicates.is_empty() {
        return;
    }
    let parts: Vec<String> = predicates.iter().map(|asked| predicate(lowering, asked, &mut lowered.binds)).collect();
    lowered.text.push_str(" WHERE ");
    lowered.text.push_str(&parts.join(" AND "));
}

fn predicate(lowering: Lowering<'_>, asked: &Predicate, binds: &mut Vec<Value>) -> String {
    match asked {
        Predicate::Compare(column, comparison, value) => {
            binds.push(value.clone());
            format!("{} {} {}", lowering.quote(column.as_str()), comparison.as_str(), lowering.holder(column))
        }
        Predicate::Test(left, comparison, right) => {
            binds.extend([left.clone(), right.clone()]);
            format!("? {} ?", comparison.as_str())
        }
        Predicate::Null(column) => format!("{} IS NULL", lowering.quote(column.as_str())),
        Predicate::Any(inner) => {
            let parts: Vec<String> = inner.iter().map(|asked| predicate(lowering, asked, binds)).collect();
            format!("({})", parts.join(" OR "))
        }
        Predicate::All(inner) => {
            let parts: Vec<String> = inner.iter().map(|asked| predicate(lowering, asked, binds)).collect();
            format!("({})", parts.join(" AND "))
        }
        Predicate::Not(inner) => format!("NOT ({})", predicate(lowering, inner, binds)),
    }
}

/// What must hold of a new row, and of another one that has some of its time: for the triggers of engines without a constraint for it.
pub fn overlap_conditions(
    rule: &NoOverlap,
    quote: fn(&str) -> String,
    text: fn(&str) -> String,
) -> (Vec<String>, Vec<String>) {
    let (from, until) = (quote(rule.from.as_str()), quote(rule.until.as_str()));
    let mut new = vec![format!("NEW.{from} < NEW.{until}")];
    let within = rule.within.iter().map(|column| quote(column.as_str()));
    let mut other: Vec<String> = within.map(|column| format!("other.{column} = NEW.{column}")).collect();
    other.push(format!("other.{from} < NEW.{until} AND other.{until} > NEW.{from} AND other.{from} < other.{until}"));
    if let Some(released) = &rule.unless {
        let words: Vec<String> = released.words.iter().map(|word| text(word)).collect();
        let column = quote(released.column.as_str());
        let takes = |row: &str| format!("coalesce({row}.{column} NOT IN ({}), true)", words.join(", "));
        new.push(takes("NEW"));
        other.push(takes("other"));
    }
    (new, other)
}
