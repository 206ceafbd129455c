//! What a MySQL or MariaDB database holds, read from its own catalogue. What the two show of one thing in different words is brought to
//! one form here, so that everybody behind compares one text with one text.

use super::connect::Maker;
use crate::StoreError;
use dialect::mysql::{collation_in_one_form, expression_in_one_form, is_set_index, quote, text, type_in_one_form};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use plan::database::{
    Nullability, ObservedColumn, ObservedForeignKey, ObservedIndex, ObservedRule, ObservedTable, OnDelete, Uniqueness,
};
use std::collections::BTreeMap;

/// The tables by name, without the ledger. The catalogue is asked once for each kind of thing, however many tables there are.
pub async fn tables(connection: &mut Conn, maker: Maker) -> Result<Vec<ObservedTable>, StoreError> {
    let mut tables: BTreeMap<String, ObservedTable> = BTreeMap::new();
    for row in connection.query::<Row, _>(TABLES).await? {
        let name = said(&row, 0);
        let table = ObservedTable {
            name: name.clone(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            comment: value(&row, 1),
        };
        tables.insert(name, table);
    }
    let (column, checks): (Take, (_, Take)) = match maker {
        Maker::MariaDb => (column_of_mariadb, (CHECKS_OF_MARIADB, check)),
        Maker::MySql => (column_of_mysql, (CHECKS_OF_MYSQL, check_of_mysql)),
    };
    let questions: [(&str, Take); 5] = [(COLUMNS, column), (INDEXES, index), (KEYS, key), checks, (TRIGGERS, trigger)];
    for (question, take) in questions {
        for row in connection.query::<Row, _>(question).await? {
            if let Some(table) = tables.get_mut(&said(&row, 0)) {
                take(&row, table);
            }
        }
    }
    Ok(tables.into_values().map(finished).collect())
}

/// Whether there is such a table.
pub async fn has_table(connection: &mut Conn, name: &str) -> Result<bool, StoreError> {
    let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
    Ok(connection.exec_first::<u8, _, _>(count, (name,)).await?.unwrap_or_default() > 0)
}

/// The tables that hold a row, by name.
pub async fn filled(connection: &mut Conn) -> Result<Vec<String>, StoreError> {
    let mut filled = Vec::new();
    for row in connection.query::<Row, _>(TABLES).await? {
        let name = said(&row, 0);
        let any = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(&name));
        if connection.query_first::<u8, _>(any).await?.unwrap_or_default() == 1 {
            filled.push(name);
        }
    }
    Ok(filled)
}

type Take = fn(&Row, &mut ObservedTable);

const TABLES: &str = "SELECT table_name, table_comment FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name NOT IN ('schema_migrations', 'schema_migration_steps')
ORDER BY table_name";

const COLUMNS: &str =
    "SELECT table_name, column_name, column_type, is_nullable, collation_name, column_default, column_comment, extra
FROM information_schema.columns WHERE table_schema = DATABASE()
ORDER BY table_name, ordinal_position";

const INDEXES: &str = "SELECT table_name, index_name, non_unique, column_name, sub_part
FROM information_schema.statistics WHERE table_schema = DATABASE()
ORDER BY table_name, index_name, seq_in_index";

const KEYS: &str = "SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule
FROM information_schema.key_column_usage k
JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema
  AND r.table_name = k.table_name AND r.constraint_name = k.constraint_name
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_name, k.constraint_name, k.ordinal_position";

const CHECKS_OF_MARIADB: &str = "SELECT table_name, constraint_name, check_clause
FROM information_schema.check_constraints WHERE constraint_schema = DATABASE()";

/// A check that is switched off is none.
const CHECKS_OF_MYSQL: &str = "SELECT t.table_name, c.constraint_name, c.check_clause
FROM information_schema.check_constraints c
JOIN information_schema.table_constraints t
  ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK'
WHERE c.constraint_schema = DATABASE() AND t.enforced = 'YES'";

const TRIGGERS: &str = "SELECT event_object_table, trigger_name, action_timing, event_manipulation, action_statement
FROM information_schema.triggers WHERE trigger_schema = DATABASE()";

/// The index of the primary key.
const PRIMARY: &str = "PRIMARY";

pub(super) fn value(row: &Row, place: usize) -> Option<String> {
    match row.as_ref(place)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

pub(super) fn said(row: &Row, place: usize) -> String {
    value(row, place).unwrap_or_default()
}

fn column(row: &Row, default: Option<String>) -> ObservedColumn {
    let is_made = ["auto_increment", " generated"].iter().any(|how| said(row, 7).to_lowercase().ends_with(how));
    ObservedColumn {
        name: said(row, 1),
        sql_type: type_in_one_form(&said(row, 2)),
        nullability: if said(row, 3) == "YES" { Nullability::Nullable } else { Nullability::NotNull },
        collation: collation_in_one_form(&said(row, 4)).to_owned(),
        // Whoever writes a row need not bring what the server makes.
        default: default.or_else(|| is_made.then(|| said(row, 7))),
        comment: value(row, 6),
    }
}

fn column_of_mariadb(row: &Row, table: &mut ObservedTable) {
    let default = value(row, 5).filter(|default| default != "NULL");
    table.columns.push(column(row, default.map(|default| expression_in_one_form(&default))));
}

/// MySQL shows a plain value as it is, and says so of an expression.
fn column_of_mysql(row: &Row, table: &mut ObservedTable) {
    let is_expression = said(row, 7).contains("DEFAULT_GENERATED");
    let is_text = value(row, 4).is_some();
    let default = value(row, 5).map(|default| match (is_expression, is_text) {
        (true, _) => expression_in_one_form(&put_together(&default)),
        (false, true) => text(&default),
        (false, false) => default,
    });
    table.columns.push(column(row, default));
}

fn index(row: &Row, table: &mut ObservedTable) {
    let name = said(row, 1);
    let column = match (value(row, 3), value(row, 4)) {
        (Some(column), None) => column,
        (Some(column), Some(length)) => format!("{column}({length})"),
        (None, _) => "an expression".to_owned(),
    };
    match table.indexes.last_mut().filter(|last| last.name == name) {
        Some(last) => last.columns.push(column),
        None => {
            let uniqueness = if said(row, 2) == "0" { Uniqueness::Unique } else { Uniqueness::Repeating };
            table.indexes.push(ObservedIndex { name, columns: vec![column], uniqueness });
        }
    }
}

fn key(row: &Row, table: &mut ObservedTable) {
    let (name, column, target) = (said(row, 1), said(row, 2), said(row, 4));
    match table.foreign_keys.last_mut().filter(|last| last.name == name) {
        Some(last) => {
            last.columns.push(column);
            last.target.push(target);
        }
        None => {
            let on_delete = match said(row, 5).as_str() {
                "CASCADE" => Some(OnDelete::Cascade),
                "RESTRICT" => Some(OnDelete::Restrict),
                "SET NULL" => Some(OnDelete::SetNull),
                _ => None,
            };
            let (columns, target) = (vec![column], vec![target]);
            table.foreign_keys.push(ObservedForeignKey { name, columns, table: said(row, 3), target, on_delete });
        }
    }
}

fn check(row: &Row, table: &mut ObservedTable) {
    table.checks.push(ObservedRule { name: said(row, 1), text: expression_in_one_form(&said(row, 2)) });
}

fn check_of_mysql(row: &Row, table: &mut ObservedTable) {
    let text = expression_in_one_form(&put_together(&said(row, 2)));
    table.checks.push(ObservedRule { name: said(row, 1), text });
}

/// What MySQL's catalogue shows of an expression has a character for each byte of its UTF-8.
fn put_together(shown: &str) -> String {
    let bytes: Option<Vec<u8>> = shown.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| shown.to_owned())
}

fn trigger(row: &Row, table: &mut ObservedTable) {
    let statement = said(row, 4);
    // Of a text of several statements MySQL keeps what ends this one.
    let text = format!("{} {}\n{}", said(row, 2), said(row, 3), statement.trim_end_matches(';'));
    table.triggers.push(ObservedRule { name: said(row, 1), text });
}

/// Keys are told from other indexes, a document from a text, and everything is sorted.
fn finished(mut table: ObservedTable) -> ObservedTable {
    for index in std::mem::take(&mut table.indexes) {
        let columns: Vec<&str> = index.columns.iter().map(String::as_str).collect();
        if index.name == PRIMARY {
            table.primary_key = index.columns;
        } else if index.uniqueness == Uniqueness::Unique && is_set_index(&table.name, &index.name, &columns) {
            table.unique.push(index.columns);
        } else {
            table.indexes.push(index);
        }
    }
    for column in &mut table.columns {
        // MariaDB keeps a document as a text with a check, which has the column's name, or one that the column had before.
        let of_json = format!("json_valid({})", quote(&column.name));
        if column.sql_type == "longtext" && table.checks.iter().any(|check| check.text == of_json) {
            table.checks.retain(|check| check.text != of_json);
            column.sql_type = "json".to_owned();
            column.collation = String::new();
        }
    }
    table.unique.sort();
    table.foreign_keys.sort();
    table.checks.sort();
    table.triggers.sort();
    table.indexes.sort_by(|left, right| left.name.cmp(&right.name));
    table
}
