//! Times that no two rows may share, as SQLite keeps them apart: a rule of a table comes in, a trigger for new rows and one for
//! changed ones go out. SQLite has one writer, so what a trigger has looked at stays so until its row is there.

use super::{quote, text};
use crate::OVERLAPS;
use plan::database::{NoOverlap, ObservedRule, Table};

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
    let (new, other) = crate::relational::overlap_conditions(rule, quote, text);
    format!(
        "{moment} ON {name} FOR EACH ROW WHEN {}\nBEGIN\n  SELECT RAISE(ABORT, {})\n  FROM {name} AS other\n  WHERE {}{besides};\nEND",
        new.join(" AND "),
        text(&format!("{}: {OVERLAPS}", rule.name)),
        other.join("\n    AND ")
    )
}
