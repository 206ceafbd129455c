//! Times that no two rows may share, as MySQL and MariaDB keep them apart: a rule of a table comes in, a trigger for new rows and one
//! for changed ones go out. The row that is taken is locked first, so that of two who come at once the second waits for the first, at
//! whatever isolation; then the others are read as they are now, not as they were when the transaction began.

use super::{quote, text};
use crate::OVERLAPS;
use plan::database::{NoOverlap, ObservedRule, Table};

/// The triggers of the table's rules, as the servers show them.
pub fn triggers(table: &Table) -> impl Iterator<Item = ObservedRule> {
    table.rules.overlaps.iter().flat_map(|rule| {
        let [insert, update] = crate::relational::overlap_triggers(rule);
        [
            ObservedRule { name: insert, text: format!("BEFORE INSERT\n{}", body(table, rule, None)) },
            ObservedRule { name: update, text: format!("BEFORE UPDATE\n{}", body(table, rule, Some(&changed(rule)))) },
        ]
    })
}

/// Whether the rule has anything to say of a change.
fn changed(rule: &NoOverlap) -> String {
    let same = |column: &vocab::ColumnName| {
        let column = quote(column.as_str());
        format!("NEW.{column} <=> OLD.{column}")
    };
    format!("NOT ({})", rule.columns().map(same).collect::<Vec<_>>().join(" AND "))
}

fn body(table: &Table, rule: &NoOverlap, changed: Option<&str>) -> String {
    let (mut new, mut other) = crate::relational::overlap_conditions(rule, quote, text);
    if let Some(changed) = changed {
        new.push(changed.to_owned());
        let same = |column: &vocab::ColumnName| format!("other.{0} = OLD.{0}", quote(column.as_str()));
        let itself: Vec<String> = table.primary_key.iter().map(same).collect();
        other.push(format!("NOT ({})", itself.join(" AND ")));
    }
    let mut lines = vec!["BEGIN".to_owned(), "  DECLARE found int;".to_owned()];
    lines.push(format!("  IF {} THEN", new.join(" AND ")));
    lines.extend(taken_rows(table, rule));
    lines.push(format!("    SELECT count(*) INTO found FROM {} AS other", quote(table.name.as_str())));
    lines.push(format!("      WHERE {} LOCK IN SHARE MODE;", other.join("\n        AND ")));
    lines.push("    IF found > 0 THEN".to_owned());
    let message = text(&format!("{}: {OVERLAPS}", rule.name));
    lines.push(format!("      SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {message};"));
    lines.extend(["    END IF;", "  END IF;", "END"].map(str::to_owned));
    lines.join("\n")
}

/// Whether a key leads to what is taken.
pub fn has_row_to_lock(table: &Table, rule: &NoOverlap) -> bool {
    taken_rows(table, rule).next().is_some()
}

/// Locks what the time is taken of, where a key leads to it.
fn taken_rows(table: &Table, rule: &NoOverlap) -> impl Iterator<Item = String> {
    let keys = rule.within.iter().filter_map(|column| {
        let key = table.rules.foreign_keys.iter().find(|key| key.columns[..] == [column.clone()])?;
        // A trigger may lock no row for changing in the table whose row it was called for.
        (key.table != table.name).then_some((column, key))
    });
    keys.map(|(column, key)| {
        let (other, target, column) =
            (quote(key.table.as_str()), quote(key.target[0].as_str()), quote(column.as_str()));
        format!("    SELECT count(*) INTO found FROM {other} AS taken WHERE taken.{target} = NEW.{column} FOR UPDATE;")
    })
}
