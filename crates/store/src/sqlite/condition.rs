//! How a SQLite file stands. It is opened for reading alone, and of a table no more rows are counted than a bound.

use super::{connect_to_look, inspect};
use crate::StoreError;
use dialect::finding::quoted;
use plan::database::{Condition, Counter, Measure, MeasuredIndex, NumbersAsText, ObservedTable, Statistics, Trial};
use rusqlite::{Connection, OptionalExtension};
use std::io::Read as _;
use std::path::Path;
use vocab::Engine;

/// Rows that are counted of one table; more are said to be so many.
const COUNTED_ROWS: u32 = 1_000_000;

/// Rows whose texts are looked at, of one table.
const LOOKED_AT: u32 = 10_000;

/// How it stands.
pub fn condition(file: &Path) -> Result<Condition, StoreError> {
    let connection = connect_to_look(file)?;
    let tables = inspect::tables(&connection)?;
    let mut condition = Condition::default();
    for table in &tables {
        condition.indexes.extend(indexes(&connection, &table.name)?);
        condition.measures.push(measure(&connection, &table.name)?);
        condition.counters.extend(counter(&connection, table)?);
    }
    for (table, column) in dialect::finding::columns_to_look_at(&tables) {
        let (name, at) = (quoted(Engine::Sqlite, &column), quoted(Engine::Sqlite, &table));
        // Digits, a point between, a sign before: SQLite has no regular expressions of its own.
        let look = format!(
            "SELECT count({name}), count(*) FILTER (WHERE {name} GLOB '*[^0-9.-]*' OR {name} NOT GLOB '*[0-9]' OR {name} GLOB '*.*.*' OR {name} GLOB '?*-*')
             FROM (SELECT {name} FROM {at} LIMIT {LOOKED_AT})"
        );
        let (values, others): (u32, u32) = connection.query_row(&look, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if others == 0 {
            condition.numbers_as_text.push(NumbersAsText { table, column, values: values.into() });
        }
    }
    condition.tables = tables;
    let pragma = |name: &str| -> Result<u64, StoreError> {
        let number: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    let page = pragma("page_size")?;
    condition.bytes = page * pragma("page_count")?;
    condition.free_bytes = page * pragma("freelist_count")?;
    if let Some(mode) = journal_mode(file) {
        condition.settings.insert("journal_mode".to_owned(), mode.to_owned());
    }
    condition.unseen.push("unused indexes: SQLite does not count their uses".to_owned());
    Ok(condition)
}

/// What the statements of trials read.
pub fn explain(file: &Path, trials: &mut [&mut Trial]) -> Result<(), StoreError> {
    let connection = connect_to_look(file)?;
    for trial in trials {
        let explain = format!("EXPLAIN QUERY PLAN {}", trial.statement);
        let detail: String = connection.query_row(&explain, [], |row| row.get("detail"))?;
        trial.reads_all = detail.starts_with("SCAN") && !detail.contains(" INDEX ");
    }
    Ok(())
}

/// What the file itself says, in its header (<https://www.sqlite.org/fileformat.html#file_format_version_numbers>): who only looks at
/// it is told otherwise.
fn journal_mode(file: &Path) -> Option<&'static str> {
    let mut header = [0; 20];
    std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    match header[18..] {
        [2, 2] => Some("wal"),
        [1, 1] => Some("delete"),
        _ => None,
    }
}

fn measure(connection: &Connection, table: &str) -> Result<Measure, StoreError> {
    let quoted = table.replace('"', "\"\"");
    let count = format!("SELECT count(*) FROM (SELECT 1 FROM \"{quoted}\" LIMIT {COUNTED_ROWS})");
    let rows: u32 = connection.query_row(&count, [], |row| row.get(0))?;
    let mut statement = connection.prepare(
        "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type <> 'table', rowid",
    )?;
    let made_by = statement.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut known: u64 = 0;
    if inspect::has_table(connection, "sqlite_stat1")? {
        // The first number of an index is how many rows the table had.
        let mut statement = connection.prepare("SELECT stat FROM sqlite_stat1 WHERE tbl = ?")?;
        let mut found = statement.query([table])?;
        while let Some(row) = found.next()? {
            let numbers: String = row.get(0)?;
            known = known.max(numbers.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default());
        }
    }
    let rows = u64::from(rows);
    let statistics = Statistics { is_known: known > 0, changed: rows.abs_diff(known) };
    Ok(Measure { table: table.to_owned(), rows, made_by, statistics: Some(statistics), ..Measure::default() })
}

/// SQLite counts where a key says `AUTOINCREMENT`; only there can it come to an end.
fn counter(connection: &Connection, table: &ObservedTable) -> Result<Option<Counter>, StoreError> {
    let [column] = &table.primary_key[..] else { return Ok(None) };
    if !inspect::has_table(connection, "sqlite_sequence")? {
        return Ok(None);
    }
    let last = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = ?", [&table.name], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(last.map(|last| Counter {
        table: table.name.clone(),
        column: column.clone(),
        sequence: None,
        last: u64::try_from(last).unwrap_or_default(),
        most: i64::MAX.unsigned_abs(),
        can_grow: false,
    }))
}

fn indexes(connection: &Connection, table: &str) -> Result<Vec<MeasuredIndex>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT l.name, l.\"unique\", l.origin <> 'c', CASE WHEN l.partial THEN m.sql END
         FROM pragma_index_list(?) l LEFT JOIN sqlite_schema m ON m.type = 'index' AND m.name = l.name ORDER BY l.name",
    )?;
    let found = statement.query_map([table], |row| {
        Ok(MeasuredIndex {
            table: table.to_owned(),
            name: row.get(0)?,
            columns: Vec::new(),
            parts: Vec::new(),
            kind: String::new(),
            rows: row.get::<_, Option<String>>(3)?.map(|text| condition_of(&text)),
            is_unique: row.get(1)?,
            is_needed: row.get(2)?,
            is_whole: true,
            uses: None,
            bytes: 0,
        })
    })?;
    let mut indexes: Vec<MeasuredIndex> = found.collect::<Result<_, _>>()?;
    for index in &mut indexes {
        let mut statement =
            connection.prepare("SELECT name, coll, \"desc\" FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno")?;
        let mut rows = statement.query([&index.name])?;
        while let Some(row) = rows.next()? {
            let (column, collation): (Option<String>, String) = (row.get(0)?, row.get(1)?);
            // Two expressions are not known to be the same one.
            let what = column.clone().unwrap_or_else(|| format!("{} {}", index.name, index.parts.len()));
            index.parts.push(format!("{what} {collation} {}", row.get::<_, i64>(2)?));
            index.columns.push(column.unwrap_or_default());
        }
    }
    Ok(indexes)
}

/// What stands behind the last `WHERE` of an index's statement.
fn condition_of(text: &str) -> String {
    let place = text.to_ascii_uppercase().rfind("WHERE").map_or(0, |place| place + "WHERE".len());
    text[place..].trim().to_owned()
}
