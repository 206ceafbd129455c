//! SQLite: `STRICT` tables, texts for times and UUIDs, `NOCASE` for e-mail addresses.

pub(crate) mod change;
pub(crate) mod definition;
mod overlap;

pub use change::can_be_kept;
pub use definition::COUNTED;

use crate::relational::{Conflicts, MadeKeys, Nesting, Words, aggregated, plain};
use vocab::{Datum, Engine, FieldType};

/// What differs from the other engines that speak SQL. SQLite has one writer: a row read inside a transaction cannot change
/// before its end.
pub(crate) const WORDS: Words = Words {
    engine: Engine::Sqlite,
    quote,
    holder: plain,
    row_lock: "",
    conflicts: Conflicts::Named,
    made_keys: MadeKeys::Returned,
    sorted_by,
    position: "instr(lower(#), lower(?))",
    day: |_| "#",
    sum: |_| "SUM(#)",
    nesting: Some(Nesting {
        cell: |_, column| column.to_owned(),
        statement: |lines| aggregated("group_concat(line, char(10))", &format!("json_array({})", lines.cells), lines),
    }),
};

/// The identifier as it stands in a statement. The only place that writes one: names are checked when they are parsed, so
/// quoting is needed for SQLite's keywords alone.
#[must_use]
pub fn quote(name: &str) -> String {
    if KEYWORDS.binary_search(&name).is_ok() { format!("\"{name}\"") } else { name.to_owned() }
}

/// The collation of addresses, which sorts them in an order of its own, is for comparing them.
fn sorted_by(field_type: &FieldType) -> Option<&'static str> {
    match field_type {
        FieldType::Email => Some("upper(?)"),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => None,
    }
}

/// The column's type in a `STRICT` table.
pub(crate) fn sql_type(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => "TEXT",
        // A decimal number is kept in units of its last digit, so that order and equality are those of numbers.
        FieldType::Integer | FieldType::Decimal { .. } | FieldType::Boolean => "INTEGER",
    }
}

/// How the column's texts are compared.
pub(crate) fn collation(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Email => "NOCASE",
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => "BINARY",
    }
}

/// The value as it stands in a statement, for what cannot be bound: defaults and checks.
pub(crate) fn literal(datum: &Datum) -> String {
    match datum {
        Datum::Null => "NULL".to_owned(),
        Datum::Boolean(value) => i64::from(*value).to_string(),
        Datum::Integer(value) => value.to_string(),
        Datum::Decimal(value) => value.units().to_string(),
        Datum::Text(value) => text(value),
        Datum::Json(value) => text(&value.to_string()),
    }
}

/// A text as it stands in a statement.
pub(crate) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The time as texts have it: `2026-01-02T03:04:05.678Z`.
pub(crate) fn now() -> String {
    "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')".to_owned()
}

/// SQLite's keywords, <https://sqlite.org/lang_keywords.html>, sorted.
pub const KEYWORDS: &[&str] = &[
    "abort",
    "action",
    "add",
    "after",
    "all",
    "alter",
    "always",
    "analyze",
    "and",
    "as",
    "asc",
    "attach",
    "autoincrement",
    "before",
    "begin",
    "between",
    "by",
    "cascade",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "commit",
    "conflict",
    "constraint",
    "create",
    "cross",
    "current",
    "current_date",
    "current_time",
    "current_timestamp",
    "database",
    "default",
    "deferrable",
    "deferred",
    "delete",
    "desc",
    "detach",
    "distinct",
    "do",
    "drop",
    "each",
    "else",
    "end",
    "escape",
    "except",
    "exclude",
    "exclusive",
    "exists",
    "explain",
    "fail",
    "filter",
    "first",
    "following",
    "for",
    "foreign",
    "from",
    "full",
    "generated",
    "glob",
    "group",
    "groups",
    "having",
    "if",
    "ignore",
    "immediate",
    "in",
    "index",
    "indexed",
    "initially",
    "inner",
    "insert",
    "instead",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "key",
    "last",
    "left",
    "like",
    "limit",
    "match",
    "materialized",
    "natural",
    "no",
    "not",
    "nothing",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "others",
    "outer",
    "over",
    "partition",
    "plan",
    "pragma",
    "preceding",
    "primary",
    "query",
    "raise",
    "range",
    "recursive",
    "references",
    "regexp",
    "reindex",
    "release",
    "rename",
    "replace",
    "restrict",
    "returning",
    "right",
    "rollback",
    "row",
    "rows",
    "savepoint",
    "select",
    "set",
    "table",
    "temp",
    "temporary",
    "then",
    "ties",
    "to",
    "transaction",
    "trigger",
    "unbounded",
    "union",
    "unique",
    "update",
    "using",
    "vacuum",
    "values",
    "view",
    "virtual",
    "when",
    "where",
    "window",
    "with",
    "without",
];
