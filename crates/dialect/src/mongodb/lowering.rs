//! Queries and writes as commands. A text is JSON: `command`, the `columns` that a row gives, and what whoever runs it sees to,
//! because the server does not: the rows that must be there, and those that lead to what goes.

use super::definition::{default, keeps_times};
use super::{compared_field, field, is_folded, literal};
use crate::{Listing, Lowered, Place, Unsupported, Wanted};
use plan::Table;
use plan::database::{Column, OnDelete};
use plan::query::{Assigned, Direction, Holes, OnConflict, Order, Output, Predicate, Query, RowLock, Write};
use plan::value::{Comparison, Value as Source};
use serde_json::{Map, Value, json};
use vocab::{ColumnName, Datum, Engine, FieldType, TableName};

/// How far rows that go take others with them.
const CASCADE_DEPTH: u8 = 8;

/// Holds a name until the transaction ends: of two that write one document the second is told to try again.
pub const HOLD_NAME: &str = r#"{"command":{"update":"producer_holds","updates":[{"q":{"_id":{"$bind":0}},"u":{"$inc":{"held":1}},"upsert":true}]}}"#;

/// The commands over one collection.
#[derive(Clone, Copy)]
pub struct Lowering<'t> {
    tables: &'t [Table],
    table: &'t Table,
}

impl<'t> Lowering<'t> {
    /// `None` where no such collection is known, or its documents are embedded in others.
    pub fn new(tables: &'t [Table], name: &TableName) -> Result<Self, Unsupported> {
        let table = tables.iter().find(|table| table.name == *name);
        let table = table.ok_or(unsupported("documents that are embedded in others, asked for by themselves"))?;
        Ok(Self { tables, table })
    }

    fn column(self, name: &ColumnName) -> Option<&'t Column> {
        self.table.columns.iter().find(|column| column.name == *name)
    }

    fn is(self, name: &ColumnName, field_type: &FieldType) -> bool {
        self.column(name).is_some_and(|column| column.field_type == *field_type)
    }

    /// The place of a value that is compared or stored.
    fn holder(self, name: &ColumnName, index: usize, way: Way) -> Value {
        let mut holder = json!({ "$bind": index });
        if self.is(name, &FieldType::Timestamp) {
            holder["as"] = json!("date");
        }
        if self.is(name, &FieldType::Json) {
            holder["as"] = json!("json");
        }
        match way {
            Way::Stored => {}
            Way::Folded => holder["as"] = json!("folded"),
            Way::Negated => holder["as"] = json!("negated"),
        }
        holder
    }

    fn compared(self, name: &ColumnName, index: usize) -> Value {
        self.holder(name, index, if is_folded(self.table, name) { Way::Folded } else { Way::Stored })
    }
}

#[derive(Clone, Copy)]
enum Way {
    Stored,
    Folded,
    Negated,
}

fn unsupported(what: &'static str) -> Unsupported {
    Unsupported { engine: Engine::MongoDb, what }
}

/// A text and its values, under way.
#[derive(Default)]
struct Binds(Vec<Source>);

impl Binds {
    fn add(&mut self, value: &Source) -> usize {
        self.0.push(value.clone());
        self.0.len() - 1
    }
}

pub fn query(lowering: Lowering<'_>, query: &Query) -> Result<Lowered, Unsupported> {
    // Whoever asks for some of the outputs picks them out of the row.
    if query.holes != (Holes { selection: query.holes.selection, ..Holes::default() }) {
        return Err(unsupported("a query that a request completes, in one piece"));
    }
    let mut binds = Binds::default();
    let mut find = find(lowering, query, &mut binds)?;
    if !query.order.is_empty() {
        find["command"]["sort"] = sort(lowering, &query.order);
    }
    if query.lock == RowLock::ForUpdate {
        find["hold"] = json!(true);
    }
    Ok(Lowered { text: find.to_string(), binds: binds.0 })
}

pub fn listing_base(lowering: Lowering<'_>, query: &Query) -> Result<Lowered, Unsupported> {
    let mut binds = Binds::default();
    let mut find = find(lowering, query, &mut binds)?;
    // Who has no plan at hand when a request comes finds here by what a column is asked for.
    let filters = query.holes.filters.iter().map(|(column, _)| column);
    let order = query.order.iter().map(|level| &level.column);
    let asked = filters.chain(&query.holes.sorts).chain(order).chain(&lowering.table.primary_key);
    let asked = asked.map(|column| {
        let place = lowering.compared(column, 0);
        (column.to_string(), json!([compared_field(lowering.table, column), place["as"]]))
    });
    find["asked"] = Value::Object(asked.collect());
    Ok(Lowered { text: find.to_string(), binds: binds.0 })
}

fn find(lowering: Lowering<'_>, query: &Query, binds: &mut Binds) -> Result<Value, Unsupported> {
    let mut projection = Map::from_iter([("_id".to_owned(), json!(0))]);
    let mut columns = Vec::new();
    for output in &query.outputs {
        let Output::Column { column, field: name } = output else { return Err(unsupported("nested rows")) };
        let stored = field(lowering.table, column);
        projection.insert(stored.clone(), json!(1));
        let kind = if lowering.is(column, &FieldType::Json) { "json" } else { "" };
        columns.push(json!([stored, kind, name]));
    }
    let filter = all(lowering, &query.filter, binds);
    Ok(json!({
        "command": { "find": query.from, "filter": filter, "projection": projection },
        "columns": columns,
    }))
}

/// What a request adds: to the filter, the order, how many.
pub fn listing(lowering: Lowering<'_>, base: &str, asked: &Listing) -> (String, Vec<Datum>) {
    let mut find: Value = serde_json::from_str(base).unwrap_or_default();
    find.as_object_mut().map(|find| find.remove("asked"));
    let first = base.matches("\"$bind\":").count();
    let mut values = Vec::new();
    let mut bind = |value: &Datum| {
        values.push(value.clone());
        first + values.len() - 1
    };
    let mut conditions: Vec<Value> = Vec::new();
    if find["command"]["filter"].as_object().is_some_and(|filter| !filter.is_empty()) {
        conditions.push(find["command"]["filter"].take());
    }
    for filter in &asked.filters {
        conditions.push(wanted(lowering, filter, Truth::Holds, &mut bind));
    }
    if let Some(after) = &asked.after {
        let mut ways = Vec::new();
        for last in 0..asked.order.len().min(after.len()) {
            let mut parts = Vec::new();
            for (level, value) in asked.order[..last].iter().zip(after) {
                parts.push(comparison_of(lowering, &level.column, Comparison::Equal, bind(value)));
            }
            let comparison = match asked.order[last].direction {
                Direction::Ascending => Comparison::Greater,
                Direction::Descending => Comparison::Less,
            };
            parts.push(comparison_of(lowering, &asked.order[last].column, comparison, bind(&after[last])));
            ways.push(json!({ "$and": parts }));
        }
        conditions.push(json!({ "$or": ways }));
    }
    find["command"]["filter"] = if conditions.is_empty() { json!({}) } else { json!({ "$and": conditions }) };
    find["command"]["sort"] = sort(lowering, &asked.order);
    find["command"]["limit"] = json!(asked.limit);
    if asked.offset > 0 {
        find["command"]["skip"] = json!(asked.offset);
    }
    (find.to_string(), values)
}

/// How many documents there are, wherever the page begins, of which no more than `most` are looked at; none at all where there are none.
pub fn count(lowering: Lowering<'_>, base: &str, asked: &Listing, most: Option<u32>) -> (String, Vec<Datum>) {
    let (page, values) = listing(lowering, base, &Listing { after: None, ..asked.clone() });
    let page: Value = serde_json::from_str(&page).unwrap_or_default();
    let matched = json!({ "$match": page["command"]["filter"] });
    let stages = [Some(matched), most.map(|most| json!({ "$limit": most })), Some(json!({ "$count": "total" }))];
    let pipeline: Vec<Value> = stages.into_iter().flatten().collect();
    let command = json!({ "aggregate": page["command"]["find"], "pipeline": pipeline, "cursor": {} });
    (json!({ "command": command, "columns": [["total", "", "total"]] }).to_string(), values)
}

/// Whether a condition is to hold, or to be false.
#[derive(Clone, Copy, PartialEq)]
enum Truth {
    Holds,
    Fails,
}

/// `$nor` would take documents without a value: what is compared with nothing is neither true nor false, so each `Not` is brought
/// to the comparisons themselves.
fn wanted(lowering: Lowering<'_>, filter: &Wanted, truth: Truth, bind: &mut impl FnMut(&Datum) -> usize) -> Value {
    let is_held = truth == Truth::Holds;
    let condition =
        |column: &ColumnName, condition: Value| json!({ compared_field(lowering.table, column): condition });
    match filter {
        Wanted::Compare(column, comparison, value) => {
            let comparison = if is_held { *comparison } else { opposite(*comparison) };
            comparison_of(lowering, column, comparison, bind(value))
        }
        Wanted::OneOf(column, values) => {
            let values: Vec<Value> = values.iter().map(|value| lowering.compared(column, bind(value))).collect();
            condition(
                column,
                if is_held { json!({ "$in": values }) } else { json!({ "$nin": values, "$exists": true }) },
            )
        }
        Wanted::Null(column) => condition(column, if is_held { Value::Null } else { json!({ "$ne": null }) }),
        Wanted::Holds(column, place, text) => {
            let way = match place {
                Place::Anywhere => "pattern",
                Place::Beginning => "beginning",
            };
            let found = json!({ "$regex": { "$bind": bind(text), "as": way }, "$options": "i" });
            condition(column, if is_held { found } else { json!({ "$not": found, "$exists": true }) })
        }
        Wanted::All(inner) | Wanted::Any(inner) => {
            let parts: Vec<Value> = inner.iter().map(|filter| wanted(lowering, filter, truth, bind)).collect();
            match (matches!(filter, Wanted::All(_)), is_held) {
                (true, true) | (false, false) => json!({ "$and": parts }),
                (true, false) | (false, true) => json!({ "$or": parts }),
            }
        }
        Wanted::Not(inner) => wanted(lowering, inner, if is_held { Truth::Fails } else { Truth::Holds }, bind),
    }
}

fn opposite(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::AtLeast,
        Comparison::AtLeast => Comparison::Less,
        Comparison::Greater => Comparison::AtMost,
        Comparison::AtMost => Comparison::Greater,
    }
}

fn sort(lowering: Lowering<'_>, levels: &[Order]) -> Value {
    let level = |level: &Order| {
        let way = match level.direction {
            Direction::Ascending => 1,
            Direction::Descending => -1,
        };
        (compared_field(lowering.table, &level.column), json!(way))
    };
    Value::Object(levels.iter().map(level).collect())
}

fn all(lowering: Lowering<'_>, predicates: &[Predicate], binds: &mut Binds) -> Value {
    match predicates {
        [] => json!({}),
        [one] => predicate(lowering, one, binds),
        several => {
            let parts: Vec<Value> = several.iter().map(|one| predicate(lowering, one, binds)).collect();
            json!({ "$and": parts })
        }
    }
}

fn predicate(lowering: Lowering<'_>, asked: &Predicate, binds: &mut Binds) -> Value {
    let many = |inner: &[Predicate], binds: &mut Binds| {
        inner.iter().map(|asked| predicate(lowering, asked, binds)).collect::<Vec<_>>()
    };
    match asked {
        Predicate::Compare(column, comparison, value) => {
            let index = binds.add(value);
            comparison_of(lowering, column, *comparison, index)
        }
        Predicate::Test(left, comparison, right) => {
            let [left, right] = [left, right].map(|value| json!({ "$bind": binds.add(value) }));
            json!({ "$expr": { operator(*comparison): [left, right] } })
        }
        Predicate::Null(column) => json!({ field(lowering.table, column): null }),
        Predicate::Any(inner) => json!({ "$or": many(inner, binds) }),
        Predicate::All(inner) => json!({ "$and": many(inner, binds) }),
        Predicate::Not(inner) => json!({ "$nor": [predicate(lowering, inner, binds)] }),
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "$eq",
        Comparison::NotEqual => "$ne",
        Comparison::Less => "$lt",
        Comparison::AtMost => "$lte",
        Comparison::Greater => "$gt",
        Comparison::AtLeast => "$gte",
    }
}

/// To null nothing compares: whoever puts the values in makes of it what no document holds.
fn comparison_of(lowering: Lowering<'_>, column: &ColumnName, comparison: Comparison, index: usize) -> Value {
    let value = lowering.compared(column, index);
    let condition = match comparison {
        Comparison::NotEqual => json!({ "$ne": value, "$exists": true }),
        _ => json!({ operator(comparison): value }),
    };
    json!({ compared_field(lowering.table, column): condition })
}

pub fn write(lowering: Lowering<'_>, write: &Write) -> Result<Lowered, Unsupported> {
    let mut binds = Binds::default();
    let value = match write {
        Write::Insert { values, on_conflict, .. } => insert(lowering, values, on_conflict, &mut binds),
        Write::Update { set, filter, .. } => update(lowering, set, filter, &mut binds),
        Write::Delete { filter, table } => {
            let filter = all(lowering, filter, &mut binds);
            json!({
                "command": { "delete": table, "deletes": [{ "q": filter, "limit": 0 }] },
                "followers": followers(lowering.tables, lowering.table, CASCADE_DEPTH),
            })
        }
        Write::Add(_) => return Err(unsupported("adding what documents of another collection hold together")),
    };
    Ok(Lowered { text: value.to_string(), binds: binds.0 })
}

/// A document with everything that belongs to it: what is given, what the column holds otherwise, what addresses are compared by.
fn insert(
    lowering: Lowering<'_>,
    values: &[(ColumnName, Source)],
    on_conflict: &OnConflict,
    binds: &mut Binds,
) -> Value {
    let table = lowering.table;
    let mut document = Map::new();
    let mut keys = Vec::new();
    for (column, value) in values {
        let index = binds.add(value);
        document.insert(field(table, column), lowering.holder(column, index, Way::Stored));
        if is_folded(table, column) {
            document.insert(compared_field(table, column), lowering.holder(column, index, Way::Folded));
        }
        keys.extend(key_of(lowering, column, index));
    }
    for column in &table.columns {
        if let (false, Some(made)) = (document.contains_key(&field(table, &column.name)), default(column)) {
            document.insert(field(table, &column.name), made);
        }
    }
    let at = |column: &ColumnName| values.iter().position(|(name, _)| name == column);
    let same = |unique: &[ColumnName]| {
        let parts =
            unique.iter().filter_map(|column| Some(comparison_of(lowering, column, Comparison::Equal, at(column)?)));
        json!({ "$and": parts.collect::<Vec<_>>() })
    };
    let upsert = |query: Value, update: Value| json!({ "update": table.name, "updates": [{ "q": query, "u": update, "upsert": true }] });
    match on_conflict {
        OnConflict::Fail => json!({
            "command": { "insert": table.name, "documents": [document] },
            "references": keys,
        }),
        OnConflict::Keep { unique } => json!({
            "command": upsert(same(unique), json!({ "$setOnInsert": document })),
            "counts": "upserted",
            "references": keys,
        }),
        // The key of a document cannot change: another one takes its place.
        OnConflict::Replace { unique, columns } if columns.iter().any(|column| field(table, column) == super::ID) => {
            json!({
                "command": { "insert": table.name, "documents": [document] },
                "replaces": same(unique),
                "references": keys,
            })
        }
        OnConflict::Replace { unique, columns } => {
            let fields: Vec<String> =
                columns.iter().flat_map(|column| [field(table, column), compared_field(table, column)]).collect();
            let (set, others): (Map<_, _>, Map<_, _>) =
                document.into_iter().partition(|(name, _)| fields.contains(name));
            json!({
                "command": upsert(same(unique), json!({ "$set": set, "$setOnInsert": others })),
                "references": keys,
            })
        }
    }
}

/// What must be there where the column leads to another collection.
fn key_of(lowering: Lowering<'_>, column: &ColumnName, index: usize) -> Option<Value> {
    let keys = lowering.table.rules.foreign_keys.iter();
    let key = keys.clone().find(|key| key.columns[..] == [column.clone()])?;
    let target = lowering.tables.iter().find(|table| table.name == key.table);
    // A collection of another task is known by its key alone.
    let place = target.map_or_else(|| super::ID.to_owned(), |table| field(table, &key.target[0]));
    Some(json!({ "collection": key.table, "filter": { place: { "$eq": { "$bind": index } } } }))
}

fn update(lowering: Lowering<'_>, set: &[(ColumnName, Assigned)], filter: &[Predicate], binds: &mut Binds) -> Value {
    let table = lowering.table;
    let (mut values, mut added, mut keys) = (Map::new(), Map::new(), Vec::new());
    for (column, assigned) in set {
        let name = field(table, column);
        let mut put = |index: usize, more: &[(&str, Value)]| {
            let mut holder = lowering.holder(column, index, Way::Stored);
            let mut folded = lowering.holder(column, index, Way::Folded);
            for (word, value) in more {
                holder[word] = value.clone();
                folded[word] = value.clone();
            }
            values.insert(name.clone(), holder);
            if is_folded(table, column) {
                values.insert(compared_field(table, column), folded);
            }
            keys.extend(key_of(lowering, column, index));
        };
        match assigned {
            Assigned::Value(value) => put(binds.add(value), &[]),
            Assigned::Known(value) => put(binds.add(value), &[("known", json!(true))]),
            Assigned::IfGiven(slot, given) => {
                let asked = binds.add(&Source::Given(slot.clone(), given.clone()));
                put(binds.add(&Source::Field(slot.clone(), given.clone())), &[("if", json!(asked))]);
            }
            Assigned::Plus(amount) => {
                added.insert(name.clone(), json!(amount));
            }
            Assigned::Less(value) => {
                let index = binds.add(value);
                added.insert(name.clone(), lowering.holder(column, index, Way::Negated));
            }
        }
    }
    if keeps_times(table) {
        values.entry("updated_at").or_insert_with(|| json!({ "$made": "now" }));
        // A change that leaves the version raises it; one that sets it sets it.
        if !values.contains_key("row_version") && added.get("row_version").is_none_or(|amount| *amount == json!(0)) {
            added.insert("row_version".to_owned(), json!(1));
        }
    }
    let mut change = Map::new();
    if !values.is_empty() {
        change.insert("$set".to_owned(), Value::Object(values));
    }
    if !added.is_empty() {
        change.insert("$inc".to_owned(), Value::Object(added));
    }
    let wanted = all(lowering, filter, binds);
    json!({
        "command": { "update": table.name, "updates": [{ "q": wanted, "u": change, "multi": true }] },
        "references": keys,
    })
}

/// The collections whose documents lead to those that go, and what becomes of them.
fn followers(tables: &[Table], of: &Table, depth: u8) -> Vec<Value> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let mut followers = Vec::new();
    for table in tables {
        for key in table.rules.foreign_keys.iter().filter(|key| key.table == of.name) {
            let (Some(column), Some(target)) = (key.columns.first(), key.target.first()) else { continue };
            let further =
                if key.on_delete == OnDelete::Cascade { self::followers(tables, table, depth) } else { Vec::new() };
            followers.push(json!({
                "collection": table.name,
                "field": field(table, column),
                "leads": field(of, target),
                "on_delete": key.on_delete.as_str(),
                "followers": further,
            }));
        }
        // What is inside of a document keeps others from going as well as if it were one itself.
        for embedded in &table.rules.embedded {
            let keys = embedded.table.rules.foreign_keys.iter();
            for key in keys.filter(|key| key.table == of.name && key.columns[..] != [embedded.by.clone()]) {
                let (Some(column), Some(target)) = (key.columns.first(), key.target.first()) else { continue };
                followers.push(json!({
                    "collection": table.name,
                    "field": format!("{}.{column}", embedded.field),
                    "leads": field(of, target),
                    "on_delete": "restrict",
                }));
            }
        }
    }
    followers
}

/// A document that is said in full.
pub fn row(table: &Table, values: &[(ColumnName, Datum)]) -> String {
    let mut document = Map::new();
    for (name, datum) in values.iter().filter(|(_, datum)| *datum != Datum::Null) {
        let known = table.columns.iter().find(|column| column.name == *name);
        let value = known.map_or_else(|| datum.to_json(), |column| literal(datum, &column.field_type));
        document.insert(field(table, name), value);
        if let (true, Datum::Text(text)) = (is_folded(table, name), datum) {
            document.insert(compared_field(table, name), json!(text.to_ascii_uppercase()));
        }
    }
    for column in &table.columns {
        if let (false, Some(made)) = (values.iter().any(|(name, _)| *name == column.name), default(column)) {
            document.insert(field(table, &column.name), made);
        }
    }
    json!({ "command": { "insert": table.name, "documents": [document] } }).to_string()
}

/// Every document loses the fields.
pub fn emptied(table: &Table, columns: &[&ColumnName]) -> String {
    let fields: Map<String, Value> = columns.iter().map(|column| (field(table, column), json!(""))).collect();
    json!({ "command": { "update": table.name, "updates": [{ "q": {}, "u": { "$unset": fields }, "multi": true }] } })
        .to_string()
}

/// Every document goes.
pub fn cleared(table: &Table) -> String {
    json!({ "command": { "delete": table.name, "deletes": [{ "q": {}, "limit": 0 }] } }).to_string()
}
