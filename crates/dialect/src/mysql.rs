//! MySQL and MariaDB, one set of words for both: times without a zone that are UTC, UUIDs as texts, e-mail addresses under a collation
//! that does not regard case. What the two show differently of what they hold is brought to one form in `expression`.

pub(crate) mod change;
pub(crate) mod definition;
mod expression;
mod overlap;
pub mod permission;

#[cfg(test)]
mod tests;

pub use definition::{is_set_index, limits, type_in_one_form};
pub use expression::{expression_in_one_form, text};
pub(crate) use overlap::has_row_to_lock;

use crate::relational::{Conflicts, Lines, MadeKeys, Nesting, Words};
use vocab::decimal::DIGITS;
use vocab::{Datum, Engine, FieldType};

/// What differs from the other engines that speak SQL.
pub(crate) const WORDS: Words = Words {
    engine: Engine::MySql,
    quote,
    holder,
    row_lock: " FOR UPDATE",
    conflicts: Conflicts::AnyKey,
    made_keys: MadeKeys::Remembered,
    sorted_by: |_| None,
    position: "LOCATE(LOWER(?), LOWER(#))",
    day: |_| "#",
    // Of whole numbers it would be a decimal number.
    sum: |field_type| match field_type {
        FieldType::Integer => "CAST(SUM(#) AS SIGNED)",
        _ => "SUM(#)",
    },
    nesting: Some(Nesting { cell, statement: lines }),
};

/// Holds a name, in this database alone, until it is let go by [`LET_NAMES_GO`] or the connection ends; 1 where it is held.
/// `lib/database/mysql.js` of the emitted application holds it in the same way.
pub const HOLD_NAME: &str = "SELECT GET_LOCK(SHA2(CONCAT(DATABASE(), '.', ?), 256), 5) AS held";
/// Lets go every name that the connection holds.
pub const LET_NAMES_GO: &str = "DO RELEASE_ALL_LOCKS()";

/// The identifier as it stands in a statement. Always quoted, as the servers themselves do: what is a keyword differs between them
/// and grows with every version.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("`{name}`")
}

/// MariaDB lets no query below another one look at the rows of the one around it, and MySQL's aggregate has no limit: what is too much there
/// is cut off. Both keep as many bytes as the session allows, which `store` and `lib/database/mysql.js` raise.
fn lines(lines: &Lines) -> String {
    let Lines { cells, from, order, most } = lines;
    format!(
        "SELECT SUBSTRING_INDEX(GROUP_CONCAT(JSON_ARRAY({cells}){order} SEPARATOR 0x0A /*M! LIMIT {most} */), \
         CHAR(10 USING utf8mb4), {most}) FROM {from}"
    )
}

/// What is JSON to a server would stand in the array as such, a number loses no digit as a text, and texts must be of one collation.
fn cell(field_type: &FieldType, column: &str) -> String {
    let text = match field_type {
        FieldType::Integer | FieldType::Boolean => return column.to_owned(),
        FieldType::Timestamp => format!("CONCAT(LEFT(DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')"),
        FieldType::Date => format!("DATE_FORMAT({column}, '%Y-%m-%d')"),
        FieldType::Decimal { .. } | FieldType::Json => format!("CONCAT({column}, '')"),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Uuid => column.to_owned(),
    };
    format!("CONVERT({text} USING utf8mb4) COLLATE utf8mb4_bin")
}

/// A value becomes a point in time or an exact number before anything is compared with it: the servers take no `Z`, and compare
/// a text with a number as doubles.
fn holder(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Timestamp => "CAST(LEFT(?, 23) AS DATETIME(3))".to_owned(),
        FieldType::Decimal { scale } => format!("CAST(? AS DECIMAL({DIGITS},{scale}))"),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Uuid
        | FieldType::Json => "?".to_owned(),
    }
}

/// What MariaDB reads as `IF EXISTS`; to MySQL, which has no such words here, it is a comment.
pub(crate) const IF_EXISTS: &str = "/*M! IF EXISTS */";
/// What MariaDB reads as `IF NOT EXISTS`.
pub(crate) const IF_NOT_EXISTS: &str = "/*M! IF NOT EXISTS */";

/// Whether it is no error of the statement that all is so already: MariaDB is told so by the statement itself, and whoever runs it on
/// MySQL regards the number of the error. Such a statement makes or takes away one thing.
#[must_use]
pub fn may_be_so_already(sql: &str) -> bool {
    sql.contains(IF_EXISTS) || sql.contains(IF_NOT_EXISTS)
}

/// Whether the statement has others within it.
pub(crate) fn has_block(sql: &str) -> bool {
    sql.starts_with("CREATE TRIGGER ") && sql.contains(" FOR EACH ROW\nBEGIN\n")
}

/// The most characters of a column that is part of its row and that an index can hold whole: 3,072 bytes, four for each.
pub const ROW_TEXT_MAX: u32 = 768;
/// The most bytes of an index over several columns.
pub const INDEX_BYTES: u32 = 3072;
/// The most bytes of the columns of a row that are kept in it.
pub const ROW_BYTES: u32 = 65_535;
/// Bytes of a character, at most.
const CHARACTER_BYTES: u32 = 4;
/// Letters of the longest word of a choice, at least, so that a longer one can be added later.
const CHOICE_MIN: u32 = 40;

/// The column's type, as both servers name it.
pub fn sql_type(field_type: &FieldType) -> String {
    match field_type {
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => text_type(characters(field_type).unwrap_or(ROW_TEXT_MAX)),
        FieldType::Integer => "bigint".to_owned(),
        FieldType::Decimal { scale } => format!("decimal({DIGITS},{scale})"),
        FieldType::Boolean => "tinyint(1)".to_owned(),
        FieldType::Date => "date".to_owned(),
        FieldType::Timestamp => "datetime(3)".to_owned(),
        FieldType::Uuid => "char(36)".to_owned(),
        FieldType::Json => "json".to_owned(),
    }
}

/// The most characters of a text; none for what is no text.
fn characters(field_type: &FieldType) -> Option<u32> {
    match field_type {
        FieldType::Choice { words } => {
            let longest = words.iter().map(|word| word.chars().count()).max().unwrap_or_default();
            Some(u32::try_from(longest).unwrap_or(u32::MAX).max(CHOICE_MIN))
        }
        FieldType::Code { letters } => Some(u32::from(*letters)),
        other => other.max_length(),
    }
}

fn text_type(at_most: u32) -> String {
    match u64::from(at_most) * u64::from(CHARACTER_BYTES) {
        _ if at_most <= ROW_TEXT_MAX => format!("varchar({at_most})"),
        bytes if bytes < 1 << 16 => "text".to_owned(),
        bytes if bytes < 1 << 24 => "mediumtext".to_owned(),
        _ => "longtext".to_owned(),
    }
}

/// The most characters of a text whose type holds longer ones: those are kept off by a check.
fn unbounded(field_type: &FieldType) -> bool {
    characters(field_type).is_some_and(|at_most| at_most > ROW_TEXT_MAX)
}

/// Bytes of the column in an index and in its row.
fn bytes(field_type: &FieldType) -> u32 {
    match (characters(field_type), field_type) {
        (Some(at_most), _) => at_most.saturating_mul(CHARACTER_BYTES),
        // Numbers and times take 8 at most.
        (None, kind) => {
            if *kind == FieldType::Uuid {
                36
            } else {
                8
            }
        }
    }
}

/// A collation: its name on MariaDB, on MySQL, and the one that stands for both. Blanks at the end of a text count.
struct Collation {
    mariadb: &'static str,
    mysql: &'static str,
    name: &'static str,
}

/// Of texts: every byte counts, as on the other engines.
const BINARY: Collation = Collation { mariadb: "utf8mb4_nopad_bin", mysql: "utf8mb4_0900_bin", name: "binary" };
/// Of e-mail addresses: case does not count, and they are sorted as if their letters were capitals. Addresses are ASCII; of other
/// letters, which somebody may have put there by hand, accents do not count either.
const CASE_INSENSITIVE: Collation =
    Collation { mariadb: "utf8mb4_general_nopad_ci", mysql: "utf8mb4_general_ci", name: "case_insensitive" };
/// Of UUIDs: `A` and `a` are one digit.
const ASCII: &str = "ascii_general_ci";

impl Collation {
    /// Each server reads its own name: to the other it is a comment.
    fn clause(&self) -> String {
        format!("COLLATE /*M! {} */ /*!80017 {} */", self.mariadb, self.mysql)
    }
}

/// What says of the column how its texts are kept and compared, where that is not as the table's.
fn character_clause(field_type: &FieldType) -> String {
    match collation(field_type) {
        ASCII => " CHARACTER SET ascii".to_owned(),
        kind if kind == CASE_INSENSITIVE.name => format!(" {}", CASE_INSENSITIVE.clause()),
        _ => String::new(),
    }
}

/// The collation that a server names, in the word that stands for both.
#[must_use]
pub fn collation_in_one_form(named: &str) -> &str {
    let known = [BINARY, CASE_INSENSITIVE].into_iter().find(|known| [known.mariadb, known.mysql].contains(&named));
    known.map_or(named, |known| known.name)
}

/// How the column's texts are compared; empty where that does not apply.
pub fn collation(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Email => CASE_INSENSITIVE.name,
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => BINARY.name,
        FieldType::Uuid => ASCII,
        FieldType::Integer
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Json => "",
    }
}

/// The value as it stands where a column of that type takes it: times without the zone, which is UTC.
pub(crate) fn value(datum: &Datum, field_type: Option<&FieldType>) -> String {
    match (datum, field_type) {
        (Datum::Text(moment), Some(FieldType::Timestamp)) => text(moment.trim_end_matches('Z')),
        (datum, _) => literal(datum),
    }
}

/// The value as it stands in a check or a default.
pub fn literal(datum: &Datum) -> String {
    match datum {
        Datum::Null => "NULL".to_owned(),
        Datum::Boolean(value) => i64::from(*value).to_string(),
        Datum::Integer(value) => value.to_string(),
        Datum::Decimal(value) => value.to_string(),
        Datum::Text(value) => text(value),
        Datum::Json(value) => text(&value.to_string()),
    }
}
