//! How a MySQL or MariaDB database stands, as its catalogue says. Nothing but the catalogue is read.

use super::Server;
use super::connect::Maker;
use super::inspect::{said, tables, value};
use crate::StoreError;
use crate::blocking::blocking;
use mysql_async::Row;
use mysql_async::prelude::Queryable;
use plan::database::{Condition, Counter, Measure, MeasuredIndex};

impl Server {
    /// How it stands.
    pub fn condition(&self) -> Result<Condition, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            if version.maker == Maker::MySql {
                // What it keeps of its statistics may be a day old.
                connection.query_drop("SET SESSION information_schema_stats_expiry = 0").await?;
            }
            let mut condition =
                Condition { tables: tables(&mut connection, version.maker).await?, ..Condition::default() };
            for row in connection.query::<Row, _>(INDEXES).await? {
                index(&row, &mut condition.indexes);
            }
            for row in connection.query::<Row, _>(MEASURES).await? {
                condition.measures.push(measure(&row));
            }
            for row in connection.query::<Row, _>(COUNTERS).await? {
                condition.counters.push(counter(&row));
            }
            connection.disconnect().await?;
            Ok(condition)
        })
    }
}

const INDEXES: &str = "SELECT table_name, index_name, column_name, sub_part, collation, index_type, non_unique
FROM information_schema.statistics WHERE table_schema = DATABASE()
ORDER BY table_name, index_name, seq_in_index";

const MEASURES: &str = "SELECT table_name, table_rows
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
ORDER BY table_name";

const COUNTERS: &str = "SELECT c.table_name, c.column_name, c.column_type, t.auto_increment
FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = DATABASE() AND c.extra LIKE '%auto_increment%' AND t.table_type = 'BASE TABLE'
ORDER BY c.table_name";

/// <https://dev.mysql.com/doc/refman/8.4/en/integer-types.html>
fn counter(row: &Row) -> Counter {
    let sql_type = said(row, 2);
    let bits = match sql_type.split(['(', ' ']).next().unwrap_or_default() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        _ => 64,
    };
    let signs = u32::from(!sql_type.contains("unsigned"));
    let next: u64 = said(row, 3).parse().unwrap_or_default();
    Counter {
        table: said(row, 0),
        column: said(row, 1),
        sequence: None,
        last: next.saturating_sub(1),
        most: u64::MAX >> (64 - bits + signs),
        can_grow: bits < 64,
    }
}

fn index(row: &Row, indexes: &mut Vec<MeasuredIndex>) {
    let (table, name) = (said(row, 0), said(row, 1));
    if indexes.last().is_none_or(|last| (&last.table, &last.name) != (&table, &name)) {
        let is_unique = said(row, 6) == "0";
        indexes.push(MeasuredIndex {
            is_needed: name == "PRIMARY",
            table,
            name,
            columns: Vec::new(),
            parts: Vec::new(),
            kind: said(row, 5),
            rows: None,
            is_unique,
            is_whole: true,
        });
    }
    let Some(index) = indexes.last_mut() else { return };
    // Two expressions are not known to be the same one, and a part of a text finds no whole one.
    let column = value(row, 2).filter(|_| value(row, 3).is_none());
    let what = value(row, 2).unwrap_or_else(|| format!("{} {}", index.name, index.parts.len()));
    index.parts.push(format!("{what} {} {}", said(row, 3), said(row, 4)));
    index.columns.push(column.unwrap_or_default());
}

fn measure(row: &Row) -> Measure {
    Measure { table: said(row, 0), rows: said(row, 1).parse().unwrap_or_default(), made_by: Vec::new() }
}
