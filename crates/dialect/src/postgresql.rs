//! PostgreSQL: its own types for times, UUIDs, numbers and JSON; texts with a check for their length; e-mail addresses under a
//! collation that does not regard case.

pub mod change;
pub mod definition;
mod overlap;
pub mod permission;
pub mod row_security;

use crate::relational::{Conflicts, MadeKeys, Nesting, Words, aggregated, plain};
use vocab::decimal::DIGITS;
use vocab::{Datum, Engine, FieldType};

/// What differs from the other engines that speak SQL.
pub const WORDS: Words = Words {
    engine: Engine::PostgreSql,
    quote,
    holder: plain,
    row_lock: " FOR UPDATE",
    conflicts: Conflicts::Named,
    made_keys: MadeKeys::Returned,
    sorted_by,
    position: "strpos(lower(#), lower(?))",
    day: |field_type| match field_type {
        FieldType::Timestamp => "to_char(# AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        _ => "to_char(#, 'YYYY-MM-DD')",
    },
    // Of whole numbers it would be a decimal number.
    sum: |field_type| match field_type {
        FieldType::Integer => "CAST(SUM(#) AS bigint)",
        _ => "SUM(#)",
    },
    nesting: Some(Nesting {
        cell,
        statement: |lines| {
            aggregated("string_agg(line, chr(10))", &format!("json_build_array({})::text", lines.cells), lines)
        },
    }),
};

/// Holds a name until the transaction ends; `lib/database/postgresql.js` of the emitted application holds it in the same way.
pub const HOLD_NAME: &str = "SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended($1, 0))";

/// The identifier as PostgreSQL itself writes it, so that what is made and what is read back are the same text.
pub fn quote(name: &str) -> String {
    if KEYWORDS.binary_search(&name).is_ok() { format!("\"{name}\"") } else { name.to_owned() }
}

/// The statement with `$1`, `$2` ... for its placeholders: nothing else of a lowered statement is a question mark, because
/// values are bound and names have none.
pub fn number(text: &str) -> String {
    let mut parts = text.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        numbered.push_str(&format!("${}", index + 1));
        numbered.push_str(part);
    }
    numbered
}

/// A part of a numbered statement with placeholders that are so many further; what has none stays as it is.
pub fn further(part: &str, by: usize) -> String {
    let mut pieces = part.split('$');
    let mut moved = pieces.next().unwrap_or_default().to_owned();
    for (index, piece) in pieces.enumerate() {
        moved.push_str(&format!("${}", by + index + 1));
        moved.push_str(piece.trim_start_matches(|next: char| next.is_ascii_digit()));
    }
    moved
}

/// Times are those of UTC whatever the zone of the session, and no number loses a digit.
fn cell(field_type: &FieldType, column: &str) -> String {
    match field_type {
        FieldType::Timestamp => {
            format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
        }
        FieldType::Date => format!("to_char({column}, 'YYYY-MM-DD')"),
        FieldType::Integer | FieldType::Boolean => column.to_owned(),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Uuid
        | FieldType::Json => format!("{column}::text"),
    }
}

/// The collation of addresses, which sorts them in an order of its own, is for comparing them.
fn sorted_by(field_type: &FieldType) -> Option<&'static str> {
    match field_type {
        FieldType::Email => Some("upper(? COLLATE \"C\")"),
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

/// The column's type, as PostgreSQL itself writes it.
pub fn sql_type(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => "text".to_owned(),
        FieldType::Integer => "bigint".to_owned(),
        FieldType::Decimal { scale } => format!("numeric({DIGITS},{scale})"),
        FieldType::Boolean => "boolean".to_owned(),
        FieldType::Date => "date".to_owned(),
        FieldType::Timestamp => "timestamp(3) with time zone".to_owned(),
        FieldType::Uuid => "uuid".to_owned(),
        FieldType::Json => "jsonb".to_owned(),
    }
}

/// How the column's texts are compared; empty where that does not apply.
pub fn collation(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Email => CASE_INSENSITIVE,
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => BY_BYTES,
        FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => "",
    }
}

/// The collation of other texts: they are sorted as on the other engines, whatever locale the server has.
pub const BY_BYTES: &str = "C";

/// The collation of e-mail addresses.
pub const CASE_INSENSITIVE: &str = "case_insensitive";

/// The value as PostgreSQL itself writes it in a check or a default.
pub fn literal(datum: &Datum, field_type: &FieldType) -> String {
    match datum {
        Datum::Null => "NULL".to_owned(),
        Datum::Boolean(value) => value.to_string(),
        Datum::Integer(value) if i32::try_from(*value).is_ok() && *value < 0 => format!("'{value}'::integer"),
        Datum::Integer(value) if *value < 0 || i32::try_from(*value).is_err() => format!("'{value}'::bigint"),
        Datum::Integer(value) => value.to_string(),
        Datum::Decimal(value) if value.units() < 0 => format!("'{value}'::numeric"),
        Datum::Decimal(value) => value.to_string(),
        Datum::Text(value) => format!("{}::{}", text(value), sql_type(field_type)),
        Datum::Json(value) => format!("{}::jsonb", text(&jsonb(value))),
    }
}

/// A text as it stands in a statement. Backslashes mean themselves (`standard_conforming_strings`).
pub fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A document as `jsonb` writes it: keys by length, then by their bytes; a blank behind each `:` and `,`.
fn jsonb(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(jsonb).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(left, _), (right, _)| (left.len(), left).cmp(&(right.len(), right)));
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{}: {}", serde_json::Value::from(name.as_str()), jsonb(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        serde_json::Value::Number(number) => written_out(&number.to_string()),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => value.to_string(),
    }
}

/// A number of JSON as `numeric` writes it: without exponent, and nothing is less than nothing.
fn written_out(number: &str) -> String {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else {
        let is_nothing = number.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
        return if is_nothing { number.trim_start_matches('-').to_owned() } else { number.to_owned() };
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let before_point = i32::try_from(whole.len()).unwrap_or(0) + exponent;
    match usize::try_from(before_point) {
        Ok(place) if place > 0 => {
            while digits.len() < place {
                digits.push('0');
            }
            let (whole, fraction) = digits.split_at(place);
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{sign}{whole}{point}{fraction}")
        }
        Ok(_) | Err(_) => format!("{sign}0.{}{digits}", "0".repeat(before_point.unsigned_abs() as usize)),
    }
}

/// PostgreSQL's keywords that it quotes itself, <https://www.postgresql.org/docs/15/sql-keywords-appendix.html>, sorted.
pub const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];
