//! Times that no two rows may share, as PostgreSQL keeps them apart: a rule of a table comes in, an exclusion constraint goes out.

use super::{quote, text};
use plan::database::{Column, NoOverlap, Nullability, Table};
use vocab::{ColumnName, FieldType};

/// What compares single values in the index of ranges. It is made in the database once, whoever makes it, and in the schema that
/// stays: with another one it would go, and take the constraints of every schema along.
pub const EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public";

/// The constraint as PostgreSQL itself writes it.
pub fn constraint_text(table: &Table, rule: &NoOverlap) -> String {
    let name = |column: &ColumnName| quote(column.as_str());
    let range = match column(table, &rule.from).map(|column| &column.field_type) {
        Some(FieldType::Date) => "daterange",
        Some(_) | None => "tstzrange",
    };
    let mut parts: Vec<String> = rule.within.iter().map(|column| format!("{} WITH =", name(column))).collect();
    parts.push(format!("{range}({}, {}) WITH &&", name(&rule.from), name(&rule.until)));
    let may_be_absent =
        |name: &ColumnName| column(table, name).is_some_and(|column| column.nullability == Nullability::Nullable);
    // A range without an end would be one that never ends.
    let times = [&rule.from, &rule.until].into_iter().filter(|column| may_be_absent(column));
    let mut conditions: Vec<String> = times.map(|column| format!("{} IS NOT NULL", name(column))).collect();
    if let Some(released) = &rule.unless {
        let words: Vec<String> = released.words.iter().map(|word| format!("{}::text", text(word))).collect();
        let takes = format!("{} <> ALL (ARRAY[{}])", name(&released.column), words.join(", "));
        conditions.push(match may_be_absent(&released.column) {
            true => format!("({} IS NULL) OR ({takes})", name(&released.column)),
            false => takes,
        });
    }
    let condition = match &conditions[..] {
        [] => String::new(),
        [only] => format!(" WHERE (({only}))"),
        several => {
            let several: Vec<String> = several.iter().map(|condition| format!("({condition})")).collect();
            format!(" WHERE (({}))", several.join(" AND "))
        }
    };
    format!("EXCLUDE USING gist ({}){condition}", parts.join(", "))
}

fn column<'t>(table: &'t Table, name: &ColumnName) -> Option<&'t Column> {
    table.columns.iter().find(|column| column.name == *name)
}
