//! Times that no two rows may share, as SQLite keeps them apart: a rule of a table comes in, a trigger for new rows and one for
//! changed ones go out. SQLite has one writer, so what a trigger has looked at stays so until its row is there.

use super::{quote, text};
use crate::OVERLAPS;
use plan::database::{NoOverlap, ObservedRule, Released, Table};

/// The triggers of the table's rules, as the catalogue shows them.
pub fn triggers(table: &Table) -> impl Iterator<Item = ObservedRule> {
    table.rules.overlaps.iter().flat_map(|rule| {
        let [insert, update] = crate::relational::overlap_triggers(rule);
        let on_insert = body(table, rule, "BEFORE INSERT", "");
        let columns: Vec<String> = rule.columns().map(|column| quote(column.as_str())).collect();
        let is_itself = itself(table);
        let on_update = body(
            table,
            rule,
            &format!("BEFORE UPDATE OF {}", columns.join(", ")),
            &format!("\n    AND NOT ({is_itself})"),
        );
        [ObservedRule { name: insert, text: on_insert }, ObservedRule { name: update, text: on_update }]
    })
}

fn itself(table: &Table) -> String {
    let same = |column: &vocab::ColumnName| {
        let column = quote(column.as_str());
        format!("other.{column} = OLD.{column}")
    };
    table.primary_key.iter().map(same).collect::<Vec<_>>().join(" AND ")
}

fn body(table: &Table, rule: &NoOverlap, moment: &str, besides: &str) -> String {
    let name = quote(table.name.as_str());
    let (from, until) = (quote(rule.from.as_str()), quote(rule.until.as_str()));
    let mut new = vec![format!("NEW.{from} < NEW.{until}")];
    let mut other: Vec<String> = rule
        .within
        .iter()
        .map(|column| quote(column.as_str()))
        .map(|column| format!("other.{column} = NEW.{column}"))
        .collect();
    other.push(format!("other.{from} < NEW.{until} AND other.{until} > NEW.{from} AND other.{from} < other.{until}"));
    if let Some(released) = &rule.unless {
        new.push(takes("NEW", released));
        other.push(takes("other", released));
    }
    format!(
        "{moment} ON {name} FOR EACH ROW WHEN {}\nBEGIN\n  SELECT RAISE(ABORT, {})\n  FROM {name} AS other\n  WHERE {}{besides};\nEND",
        new.join(" AND "),
        text(&format!("{}: {OVERLAPS}", rule.name)),
        other.join("\n    AND ")
    )
}

/// Whether a row takes its time.
fn takes(row: &str, released: &Released) -> String {
    let words: Vec<String> = released.words.iter().map(|word| text(word)).collect();
    format!("coalesce({row}.{} NOT IN ({}), true)", quote(released.column.as_str()), words.join(", "))
}
