//! How a MySQL or MariaDB database stands, as its catalogue says. Nothing but the catalogue is read.

use super::Server;
use super::connect::Maker;
use super::inspect::{said, tables, value};
use crate::StoreError;
use crate::blocking::blocking;
use dialect::finding::quoted;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use plan::database::{Condition, Counter, Measure, MeasuredIndex, MeasuredStatement, NumbersAsText, Trial};
use vocab::Engine;

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
            for (table, column) in dialect::finding::columns_to_look_at(&condition.tables) {
                let (name, at) = (quoted(Engine::MySql, &column), quoted(Engine::MySql, &table));
                let look = format!(
                    "SELECT COUNT({name}), COALESCE(SUM({name} NOT REGEXP '{NUMBER}'), 0) FROM (SELECT {name} FROM {at} LIMIT {LOOKED_AT}) looked_at"
                );
                // Who may not read the table says nothing of it.
                let row = connection.query_first::<Row, _>(look).await.ok().flatten();
                if let Some(row) = row.filter(|row| number(row, 1) == 0) {
                    condition.numbers_as_text.push(NumbersAsText { table, column, values: number(&row, 0) });
                }
            }
            settings(&mut connection, &mut condition).await?;
            connection.disconnect().await?;
            Ok(condition)
        })
    }
}

impl Server {
    /// What the statements of trials read.
    pub fn explain(&self, trials: &mut [&mut Trial]) -> Result<(), StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            for trial in trials {
                let explained = connection.query_first::<Row, _>(format!("EXPLAIN {}", trial.statement)).await?;
                let how = explained.and_then(|row| row.get::<Option<String>, _>("type")).flatten();
                trial.reads_all = how.as_deref() == Some("ALL");
            }
            connection.disconnect().await?;
            Ok(())
        })
    }
}

/// Rows that are looked at of one table.
const LOOKED_AT: u32 = 10_000;
const NUMBER: &str = "^-?[0-9]+([.][0-9]+)?$";

const INDEXES: &str = "SELECT table_name, index_name, column_name, sub_part, collation, index_type, non_unique
FROM information_schema.statistics WHERE table_schema = DATABASE()
ORDER BY table_name, index_name, seq_in_index";

/// What is free of a table is its own only where each table has a file of its own.
const MEASURES: &str =
    "SELECT table_name, table_rows, data_length + index_length, IF(@@innodb_file_per_table, data_free, 0)
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
    let next = number(row, 3);
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
            uses: None,
            bytes: 0,
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
    Measure {
        table: said(row, 0),
        rows: number(row, 1),
        bytes: number(row, 2),
        free_bytes: number(row, 3),
        ..Measure::default()
    }
}

const SETTINGS: &str =
    "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.innodb_doublewrite, @@GLOBAL.innodb_buffer_pool_size,
  @@GLOBAL.sql_mode, @@GLOBAL.performance_schema,
  (SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE())";

/// Since the server was started.
const UPTIME: &str = "SHOW GLOBAL STATUS LIKE 'Uptime'";

const USES: &str =
    "SELECT object_name, index_name, count_star FROM performance_schema.table_io_waits_summary_by_index_usage
WHERE object_schema = DATABASE() AND index_name IS NOT NULL";

/// Times are in picoseconds.
const STATEMENTS: &str = "SELECT digest_text, count_star, avg_timer_wait DIV 1000000000
FROM performance_schema.events_statements_summary_by_digest
WHERE schema_name = DATABASE() AND count_star >= 10 AND avg_timer_wait >= 100000000000
  AND digest_text REGEXP '^(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE) '
ORDER BY sum_timer_wait DESC LIMIT 5";

/// The settings, and what is counted where the server counts.
async fn settings(connection: &mut Conn, condition: &mut Condition) -> Result<(), StoreError> {
    let Some(row) = connection.query_first::<Row, _>(SETTINGS).await? else { return Ok(()) };
    let names = ["innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_buffer_pool_size", "sql_mode"];
    condition.settings = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), said(&row, at))).collect();
    condition.bytes = number(&row, 5);
    if said(&row, 4) != "1" {
        let unseen = ["slow statements", "unused indexes"].map(|what| format!("{what}: `performance_schema` is off"));
        condition.unseen.extend(unseen);
        return Ok(());
    }
    condition.counted_for = connection.query_first::<Row, _>(UPTIME).await?.map(|row| number(&row, 1));
    for row in connection.query::<Row, _>(USES).await? {
        let (table, name) = (said(&row, 0), said(&row, 1));
        if let Some(index) = condition.indexes.iter_mut().find(|index| (&index.table, &index.name) == (&table, &name)) {
            index.uses = Some(number(&row, 2));
        }
    }
    let statements = connection.query::<Row, _>(STATEMENTS).await?;
    condition.statements = statements
        .iter()
        .map(|row| MeasuredStatement { text: said(row, 0), calls: number(row, 1), milliseconds: number(row, 2) })
        .collect();
    Ok(())
}

/// A number that is never less than nothing.
fn number(row: &Row, place: usize) -> u64 {
    said(row, place).parse().unwrap_or_default()
}
