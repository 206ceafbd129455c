//! How each engine says what a plan means: types, definitions, queries and writes as statements.
//! One folder an engine; callers name the engine and never see which one it was.

pub mod change;
pub mod finding;
pub mod migration;
pub mod mongodb;
pub mod mysql;
pub mod name;
pub mod permission;
mod postgresql;
mod relational;
pub mod sample;
pub mod sqlite;

#[cfg(test)]
mod tests;

use plan::DatabasePlan;
use plan::database::{Column, Index, NoOverlap, Nullability, ObservedTable, Statement, Table};
use plan::query::{
    Aggregate, Cardinality, Direction, Group, Holes, OnConflict, Order, Output, Predicate, Query, Related, RowLock,
    Write,
};
use plan::system;
use plan::value::{Comparison, Value};
use relational::{Lowering, Nested, Words};
use std::borrow::Cow;
use vocab::{ColumnName, Datum, Engine, FieldName, FieldType, TableName};

/// A statement with placeholders, and where their values come from, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    /// The statement.
    pub text: String,
    /// One value a placeholder.
    pub binds: Vec<Value>,
}

/// Something a plan may say that this engine's lowering has no words for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{engine} has no statement for {what}")]
pub struct Unsupported {
    /// The engine.
    pub engine: Engine,
    /// What was asked for.
    pub what: &'static str,
}

/// How what a trigger says ends, of a row whose time another one has; the name of the rule stands before it.
pub const OVERLAPS: &str = "overlaps with another row";

/// An identifier of a plan as it stands in a statement.
#[must_use]
pub fn quoted(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Sqlite => (sqlite::WORDS.quote)(name),
        Engine::PostgreSql => postgresql::quote(name),
        Engine::MySql => mysql::quote(name),
        Engine::MongoDb => name.to_owned(),
    }
}

/// The statements that make tables with everything that belongs to them, in an order in which they can run.
#[must_use]
pub fn create_tables(engine: Engine, tables: &[Table]) -> Vec<Statement> {
    match engine {
        Engine::Sqlite => sqlite::definition::create_tables(tables),
        Engine::PostgreSql => postgresql::definition::create_tables(tables),
        Engine::MySql => mysql::definition::create_tables(tables),
        Engine::MongoDb => mongodb::definition::create_tables(tables),
    }
}

/// The statement that makes an index of a table that may hold rows.
#[must_use]
pub fn create_index(engine: Engine, table: &Table, index: &Index) -> Statement {
    match engine {
        Engine::Sqlite => sqlite::definition::create_index(table, index),
        Engine::PostgreSql => postgresql::definition::create_index(table, index),
        Engine::MySql => mysql::definition::create_index(table, index),
        Engine::MongoDb => mongodb::definition::create_index(table, index),
    }
}

/// The statement that makes a table.
#[must_use]
pub fn create_table(engine: Engine, table: &Table) -> Statement {
    match engine {
        Engine::Sqlite => sqlite::definition::create_table(table),
        Engine::PostgreSql => postgresql::definition::create_table(table),
        Engine::MySql => mysql::definition::create_table(table),
        Engine::MongoDb => mongodb::definition::create_table(table),
    }
}

/// The statements that add a column of the table, with its key and its checks, to the table that may hold rows.
#[must_use]
pub fn add_column(engine: Engine, table: &Table, column: &Column) -> Vec<Statement> {
    match engine {
        Engine::Sqlite => sqlite::definition::add_column(table, column),
        Engine::PostgreSql => postgresql::definition::add_column(table, column),
        Engine::MySql => mysql::definition::add_column(table, column),
        Engine::MongoDb => mongodb::change::add_column(table, column),
    }
}

/// By what lists are sorted, with `?` for a column or a value of the type, where the engine would sort it otherwise than the others.
///
/// E-mail addresses are sorted as if their letters were capitals, byte by byte, which is how MySQL compares them.
#[must_use]
pub fn sorted_by(engine: Engine, field_type: &FieldType) -> Option<&'static str> {
    match engine {
        // Another field of the document holds what is sorted by.
        Engine::MongoDb => None,
        Engine::Sqlite | Engine::PostgreSql | Engine::MySql => (words(engine).sorted_by)(field_type),
    }
}

/// A column as the engine's own catalogue names it among those of an index.
#[must_use]
pub fn index_column(engine: Engine, name: &str) -> String {
    match engine {
        Engine::PostgreSql => postgresql::quote(name),
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => name.to_owned(),
    }
}

/// The table as the engine's own catalogue describes it once it is made: what inspection must show.
#[must_use]
pub fn described(engine: Engine, table: &Table) -> ObservedTable {
    match engine {
        Engine::Sqlite => sqlite::definition::described(table),
        Engine::PostgreSql => postgresql::definition::described(table),
        Engine::MySql => mysql::definition::described(table),
        Engine::MongoDb => mongodb::definition::described(table),
    }
}

/// The names of the triggers that keep what no two rows may share, on engines that do it by triggers.
#[must_use]
pub fn overlap_triggers(rule: &NoOverlap) -> [String; 2] {
    relational::overlap_triggers(rule)
}

/// The name of the trigger that keeps a table's times and versions.
#[must_use]
pub fn touch_trigger(table: &Table) -> String {
    relational::touch_trigger(table)
}

/// Why the engine cannot keep the rule about times, and what would help; none where it can. `has_extension` says whether a PostgreSQL
/// database has `btree_gist` or may get it.
#[must_use]
pub fn overlap_limit(
    engine: Engine,
    table: &Table,
    rule: &NoOverlap,
    has_extension: bool,
) -> Option<(&'static str, &'static str)> {
    match engine {
        Engine::Sqlite => None,
        Engine::PostgreSql => (!rule.within.is_empty() && !has_extension).then_some((
            "the server has no `btree_gist`, or this user may not make it in the database",
            "have somebody who may do so run `CREATE EXTENSION btree_gist` in the database, or leave the rule out",
        )),
        Engine::MySql => (!mysql::has_row_to_lock(table, rule)).then_some((
            "MySQL keeps the times of two who come at once apart by a lock on the row that they take, and there is none",
            "name a column in `within` that leads to the row of another table, or leave the rule out",
        )),
        Engine::MongoDb => Some((
            "MongoDB holds no rule over several documents but that a value is there once",
            "leave the rule out, or keep what is booked in a PostgreSQL, MySQL or SQLite database",
        )),
    }
}

/// What the engine cannot hold of the table, each in a sentence.
#[must_use]
pub fn limits(engine: Engine, table: &Table) -> Vec<String> {
    match engine {
        Engine::Sqlite | Engine::PostgreSql => Vec::new(),
        Engine::MySql => mysql::limits(table),
        Engine::MongoDb => mongodb::limits(table),
    }
}

/// The most columns of rows that come with another one: PostgreSQL's functions take no more values.
pub const MOST_NESTED_COLUMNS: usize = 100;

/// Whether a row may come with rows of other tables that it leads to. Each such output is a text with a line for each row, an array of
/// JSON: of whole numbers, of `true` or 1 for what is so, of units of the last digit or the text of a decimal number, and else
/// of the texts of the values.
#[must_use]
pub fn nests(engine: Engine) -> bool {
    engine != Engine::MongoDb && words(engine).nesting.is_some()
}

/// A query as a statement.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_query(database: &DatabasePlan, query: &Query) -> Result<Lowered, Unsupported> {
    query_over(database.engine, &database.tables, query)
}

fn query_over(engine: Engine, tables: &[Table], query: &Query) -> Result<Lowered, Unsupported> {
    if engine == Engine::MongoDb {
        return mongodb::lowering::query(mongodb::lowering::Lowering::new(tables, &query.from)?, query);
    }
    let lowered = relational::query(Lowering::new(words(engine), tables, &query.from), query)?;
    Ok(finished(engine, lowered))
}

fn words(engine: Engine) -> Words {
    match engine {
        Engine::Sqlite => sqlite::WORDS,
        Engine::PostgreSql => postgresql::WORDS,
        // It has a lowering of its own; nothing of it comes here.
        Engine::MySql | Engine::MongoDb => mysql::WORDS,
    }
}

/// A statement with `?` for its values, as the engine writes its placeholders.
#[must_use]
pub fn placeholders(engine: Engine, text: &str) -> String {
    match engine {
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => text.to_owned(),
        Engine::PostgreSql => postgresql::number(text),
    }
}

/// The statement with the engine's own placeholders.
fn finished(engine: Engine, lowered: Lowered) -> Lowered {
    match engine {
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => lowered,
        Engine::PostgreSql => Lowered { text: postgresql::number(&lowered.text), binds: lowered.binds },
    }
}

/// What a request asks of a listing, checked against the query's holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// What rows must hold, besides what the query always asks for; joined by AND.
    pub filters: Vec<Wanted>,
    /// The order; its last column is unique.
    pub order: Vec<Order>,
    /// The values of the order's columns in the row behind which the page begins.
    pub after: Option<Vec<Datum>>,
    /// Rows that are passed over.
    pub offset: u32,
    /// Rows at most.
    pub limit: u32,
}

/// What a request has worked out of the rows of a list, checked against the query's holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Summarized {
    /// What rows must hold, as of a [`Listing`].
    pub filters: Vec<Wanted>,
    /// What makes groups; without it all rows are one.
    pub groups: Vec<Group>,
    /// What is worked out of each group.
    pub aggregates: Vec<Aggregate>,
    /// By which of the groups and aggregates, counted together, the results are sorted.
    pub order: Vec<(usize, Direction)>,
    /// Groups at most.
    pub limit: u32,
}

/// What a request wants of the rows of a list. What is compared with null is neither true nor false, and neither is its `Not`.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// The comparison holds.
    Compare(ColumnName, Comparison, Datum),
    /// The column is one of these, of which there is at least one.
    OneOf(ColumnName, Vec<Datum>),
    /// The column is null.
    Null(ColumnName),
    /// The text is somewhere in the column, or at its beginning; A to Z without regard to their case.
    Holds(ColumnName, Place, Datum),
    /// Every one of them.
    All(Vec<Wanted>),
    /// At least one of them.
    Any(Vec<Wanted>),
    /// Not that.
    Not(Box<Wanted>),
}

/// Where a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Wherever it is.
    Anywhere,
    /// Where the column begins.
    Beginning,
}

/// At which character of a column a text begins, 1 being the first and 0 saying that it is nowhere: an expression in which `#` stands
/// for the column and `?` for the text. A to Z are compared without regard to their case, and other letters as the engine folds
/// them. None where an engine has no expressions of SQL.
#[must_use]
pub fn position(engine: Engine) -> Option<&'static str> {
    match engine {
        Engine::Sqlite | Engine::PostgreSql | Engine::MySql => Some(words(engine).position),
        Engine::MongoDb => None,
    }
}

/// The query that gives these fields of its rows, and what it is in the order of.
#[must_use]
pub fn narrowed(query: &Query, fields: &[FieldName], order: &[Order]) -> Query {
    let is_kept = |output: &Output| match output {
        Output::Column { column, field } => fields.contains(field) || order.iter().any(|level| level.column == *column),
        Output::Related(related) => fields.contains(&related.field),
    };
    Query { outputs: query.outputs.iter().filter(|output| is_kept(output)).cloned().collect(), ..query.clone() }
}

/// The part of a listing that no request changes: outputs and the filter that always holds.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_listing_base(database: &DatabasePlan, query: &Query) -> Result<Lowered, Unsupported> {
    lower_listing_base_with(database, query, &[])
}

/// The same with rows of others of which the request asks something: which of them, in which order, how many. The values of each one's
/// filters ([`values`]) follow those that it has anyway.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_listing_base_with(
    database: &DatabasePlan,
    query: &Query,
    related: &[(FieldName, Listing)],
) -> Result<Lowered, Unsupported> {
    if database.engine == Engine::MongoDb {
        return mongodb::lowering::listing_base(
            mongodb::lowering::Lowering::new(&database.tables, &query.from)?,
            query,
        );
    }
    // Placeholders become the engine's own when the request has added its part.
    relational::listing_base(Lowering::new(words(database.engine), &database.tables, &query.from), query, related)
}

/// A row with rows of others of which the request asks something, as a statement: see [`lower_listing_base_with`].
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_query_with(
    database: &DatabasePlan,
    query: &Query,
    related: &[(FieldName, Listing)],
) -> Result<Lowered, Unsupported> {
    Ok(finished(database.engine, lower_listing_base_with(database, query, related)?))
}

/// The values of a listing's filters, in the order of their placeholders.
#[must_use]
pub fn values(listing: &Listing) -> Vec<Datum> {
    fn of(filter: &Wanted, values: &mut Vec<Datum>) {
        match filter {
            Wanted::Compare(_, _, value) | Wanted::Holds(_, _, value) => values.push(value.clone()),
            Wanted::OneOf(_, several) => values.extend(several.iter().cloned()),
            Wanted::Null(_) => {}
            Wanted::All(inner) | Wanted::Any(inner) => inner.iter().for_each(|filter| of(filter, values)),
            Wanted::Not(inner) => of(inner, values),
        }
    }
    let mut values = Vec::new();
    listing.filters.iter().for_each(|filter| of(filter, &mut values));
    values
}

/// A listing as a statement, at request time. `base` is the text of [`lower_listing_base`] for the query; the values
/// follow those of the base.
#[must_use]
pub fn lower_listing(database: &DatabasePlan, query: &Query, base: &str, asked: &Listing) -> (String, Vec<Datum>) {
    if database.engine == Engine::MongoDb
        && let Ok(lowering) = mongodb::lowering::Lowering::new(&database.tables, &query.from)
    {
        return mongodb::lowering::listing(lowering, base, asked);
    }
    let lowering = Lowering::new(words(database.engine), &database.tables, &query.from);
    let (text, binds) = relational::listing(lowering, base, !query.filter.is_empty(), asked);
    let lowered = finished(database.engine, Lowered { text, binds: Vec::new() });
    (lowered.text, binds)
}

/// How many rows a listing has on all its pages together, of which no more than `most` are looked at, as a statement that gives no row or one
/// with that number. The values follow those of the base, which come first.
#[must_use]
pub fn lower_count(
    database: &DatabasePlan,
    query: &Query,
    base: &str,
    asked: &Listing,
    most: Option<u32>,
) -> (String, Vec<Datum>) {
    if database.engine == Engine::MongoDb
        && let Ok(lowering) = mongodb::lowering::Lowering::new(&database.tables, &query.from)
    {
        return mongodb::lowering::count(lowering, base, asked, most);
    }
    let lowering = Lowering::new(words(database.engine), &database.tables, &query.from);
    let (text, binds) = relational::count(lowering, query, asked, most);
    let lowered = finished(database.engine, Lowered { text, binds: Vec::new() });
    (lowered.text, binds)
}

/// A summary as a statement, at request time: it gives a row for each group, with the values of its groups, and then what is asked of it; of an
/// average the sum and how many values it is of. The values follow those of the query's own condition.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_summary(
    database: &DatabasePlan,
    query: &Query,
    asked: &Summarized,
) -> Result<(String, Vec<Datum>), Unsupported> {
    if database.engine == Engine::MongoDb {
        return Err(Unsupported { engine: database.engine, what: "summaries" });
    }
    let lowering = Lowering::new(words(database.engine), &database.tables, &query.from);
    let (text, binds) = relational::summary(lowering, query, asked);
    Ok((finished(database.engine, Lowered { text, binds: Vec::new() }).text, binds))
}

/// A column of days or times, `#`, as a text that begins with the day in UTC.
///
/// # Errors
/// [`Unsupported`] where the engine has no expressions of SQL.
pub fn day(engine: Engine, field_type: &FieldType) -> Result<&'static str, Unsupported> {
    match engine {
        Engine::Sqlite | Engine::PostgreSql | Engine::MySql => Ok((words(engine).day)(field_type)),
        Engine::MongoDb => Err(Unsupported { engine, what: "summaries" }),
    }
}

/// The sum of a column of numbers, `#`, as a number of the same type.
///
/// # Errors
/// [`Unsupported`] where the engine has no expressions of SQL.
pub fn sum(engine: Engine, field_type: &FieldType) -> Result<&'static str, Unsupported> {
    match engine {
        Engine::Sqlite | Engine::PostgreSql | Engine::MySql => Ok((words(engine).sum)(field_type)),
        Engine::MongoDb => Err(Unsupported { engine, what: "summaries" }),
    }
}

/// What stands in [`lower_related`] for more that the rows must hold, for their order, and for how many there are at most.
pub const RELATED_HOLES: [&str; 3] = ["#more", "#order", "#most"];

/// The rows of another table that come with a row of `from`, as the statement that makes one text of them ([`nests`]): an output of a
/// statement about that row. Its placeholders are `?`; of a list it has [`RELATED_HOLES`], which a request fills.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_related(database: &DatabasePlan, from: &TableName, related: &Related) -> Result<Lowered, Unsupported> {
    let what = "nested rows";
    if database.engine == Engine::MongoDb {
        return Err(Unsupported { engine: database.engine, what });
    }
    let asked = match related.cardinality {
        Cardinality::One => Nested::Usual,
        Cardinality::Many => Nested::Open,
    };
    relational::nested(Lowering::new(words(database.engine), &database.tables, from), from, related, asked)
}

/// A write as a statement.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_write(database: &DatabasePlan, write: &Write) -> Result<Lowered, Unsupported> {
    write_over(database.engine, &database.tables, write)
}

fn write_over(engine: Engine, tables: &[Table], write: &Write) -> Result<Lowered, Unsupported> {
    if engine == Engine::MongoDb {
        return mongodb::lowering::write(mongodb::lowering::Lowering::new(tables, write.table())?, write);
    }
    // The columns that values are compared with and stored in.
    let table = match write {
        Write::Insert { table, .. } | Write::Update { table, .. } | Write::Delete { table, .. } => table,
        Write::Add(add) => &add.from,
    };
    Ok(finished(engine, relational::write(Lowering::new(words(engine), tables, table), write)))
}

/// Most values of one statement: SQLite takes 32,766, the others more.
const MOST_VALUES: usize = 32_000;
/// How many rows a statement stores at once, the most first: few enough that each is prepared once.
const ROWS: [usize; 3] = [100, 10, 1];

/// A statement of [`lower_write`] or [`lower_emit`] that stores one row and is not looked at, for so many of the rows as it can store at once:
/// itself where that is one.
#[must_use]
pub fn stores(statement: &str, rows: usize) -> (Cow<'_, str>, usize) {
    const VALUES: &str = " VALUES (";
    let is_plain = statement.starts_with("INSERT INTO ") && statement.ends_with(')');
    let Some(at) = statement.rfind(VALUES).filter(|_| is_plain && rows > 1) else { return (statement.into(), 1) };
    let row = &statement[at + VALUES.len() - 1..];
    let values = row.matches(['?', '$']).count().max(1);
    let count = ROWS.into_iter().find(|count| *count <= rows && count * values <= MOST_VALUES).unwrap_or(1);
    let more = (1..count).map(|before| format!(", {}", postgresql::further(row, before * values)));
    (format!("{statement}{}", more.collect::<String>()).into(), count)
}

/// A statement of [`lower_query`] whose first predicate compares a column with a value, for so many of the values as it can look for at once:
/// its placeholders are those values, and then the others. None where it is of another form, or there is no value.
#[must_use]
pub fn finds(statement: &str, values: usize) -> Option<(String, usize)> {
    let (before, filter) = statement.strip_prefix("SELECT ").and(statement.split_once(" WHERE "))?;
    let (column, compared) = filter.split_once(" = ").filter(|(column, _)| !column.contains(' '))?;
    let end = [" AND ", " FOR "].into_iter().filter_map(|word| compared.find(word)).min().unwrap_or(compared.len());
    let (place, rest) = compared.split_at(end);
    let count = ROWS.into_iter().find(|count| *count <= values && place.matches(['?', '$']).count() == 1)?;
    let places: Vec<String> = (0..count).map(|before| postgresql::further(place, before)).collect();
    // What is counted on goes on behind the values.
    let (mut rest, mut next) = (rest.split('$'), count);
    let mut further = rest.next().unwrap_or_default().to_owned();
    for piece in rest {
        next += 1;
        further.push_str(&format!("${next}{}", piece.trim_start_matches(|digit: char| digit.is_ascii_digit())));
    }
    Some((format!("{before} WHERE {column} IN ({}){further}", places.join(", ")), count))
}

/// The statement behind [`plan::Step::Emit`]. Its four placeholders are the columns of [`system::outbox_events`] that always hold
/// something, in order: id, name, payload, time.
#[must_use]
pub fn lower_emit(engine: Engine) -> String {
    let outbox = system::outbox_events();
    let given = outbox.columns.iter().filter(|column| column.nullability == Nullability::NotNull);
    let values = given.map(|column| (column.name.clone(), Value::Literal(Datum::Null))).collect();
    let insert = Write::Insert { table: outbox.name.clone(), values, on_conflict: OnConflict::Fail, made: None };
    write_over(engine, &[outbox], &insert).expect("every engine stores one row").text
}

/// The statements behind [`plan::Step::Recall`], over [`system::idempotency_answers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerStatements {
    /// Waits until no other transaction, of whatever server, is at the same claim, and keeps others from it until this one
    /// ends, which is seen to by whoever runs it where the engine does not. Placeholder: the claim. None where a transaction that
    /// writes has the database for itself.
    pub hold: Option<String>,
    /// Finds fingerprint, status, headers and body. Placeholders: the claim, the least id that is not too old.
    pub find: String,
    /// Keeps an answer in the place of one that is too old. Placeholders: the table's columns in order.
    pub keep: String,
    /// Forgets answers. Placeholder: the least id that is not too old.
    pub forget: String,
}

/// How answers are kept for idempotency keys.
///
/// # Errors
/// [`Unsupported`] where the engine's lowering has no words for it.
pub fn lower_answers(engine: Engine) -> Result<AnswerStatements, Unsupported> {
    let table = system::idempotency_answers();
    let column = |name: &str| {
        let known = table.columns.iter().find(|column| column.name.as_str() == name);
        known.map(|column| column.name.clone()).expect("a column of the table above")
    };
    let given = || Value::Literal(Datum::Null);
    let outputs = ["fingerprint", "status", "headers", "body"].map(|name| Output::Column {
        column: column(name),
        field: FieldName::parse(name).expect("a column's name is a field's name"),
    });
    let find = Query {
        from: table.name.clone(),
        outputs: outputs.into(),
        filter: vec![
            Predicate::Compare(column("claim"), Comparison::Equal, given()),
            Predicate::Compare(column("id"), Comparison::AtLeast, given()),
        ],
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::None,
    };
    let others = table.columns.iter().map(|column| column.name.clone()).filter(|name| name.as_str() != "claim");
    let keep = Write::Insert {
        table: table.name.clone(),
        values: table.columns.iter().map(|column| (column.name.clone(), given())).collect(),
        on_conflict: OnConflict::Replace { unique: vec![column("claim")], columns: others.collect() },
        made: None,
    };
    let too_old = Predicate::Compare(column("id"), Comparison::Less, given());
    let forget = Write::Delete { table: table.name.clone(), filter: vec![too_old] };
    let tables = [table];
    Ok(AnswerStatements {
        hold: match engine {
            Engine::Sqlite => None,
            Engine::PostgreSql => Some(postgresql::HOLD_NAME.to_owned()),
            Engine::MySql => Some(mysql::HOLD_NAME.to_owned()),
            Engine::MongoDb => Some(mongodb::lowering::HOLD_NAME.to_owned()),
        },
        find: query_over(engine, &tables, &find)?.text,
        keep: write_over(engine, &tables, &keep)?.text,
        forget: write_over(engine, &tables, &forget)?.text,
    })
}
