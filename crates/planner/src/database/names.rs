//! Names that the tables of a task cannot have: those of something else, and those that an engine keeps for itself. The designed
//! tables come in, diagnostics go out. All engines refuse the same names, so that a task can move from one to another.

use super::draft::{Draft, DraftTable};
use crate::codes::NAME_TAKEN;
use plan::database::{NoOverlap, Times};
use std::collections::BTreeMap;
use vocab::{ColumnName, Place};

/// What triggers call the row before and after. SQLite looks for such a table's own columns where its foreign keys mean the row.
const WORDS_OF_TRIGGERS: [&str; 2] = ["old", "new"];
/// PostgreSQL gives every table these, <https://www.postgresql.org/docs/15/ddl-system-columns.html>.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Why no table of a task may be called that, behind the name.
pub fn kept_table(name: &str) -> Option<&'static str> {
    if catalog::OWN_TABLES.contains(&name) {
        Some("is a table of the producer's own")
    } else if WORDS_OF_TRIGGERS.contains(&name) {
        Some("is what triggers call a row, and a table of that name confuses SQLite")
    } else if name.starts_with("sqlite_") {
        Some("begins as only SQLite's own tables do")
    } else {
        None
    }
}

/// Tables and indexes share one set of names, constraints of a table another.
pub fn check(draft: &mut Draft) {
    let mut refused = Vec::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for DraftTable { table, place, .. } in &draft.tables {
        take(&mut taken, table.name.to_string(), format!("the table `{}`", table.name), place, &mut refused);
    }
    for DraftTable { table, place, .. } in &draft.tables {
        // PostgreSQL names the index of a key so, and would take the one for the other.
        let own = |columns: &[ColumnName], ending| {
            let words: Vec<&str> =
                [table.name.as_str()].into_iter().chain(columns.iter().map(ColumnName::as_str)).collect();
            dialect::name::joined(&words, ending)
        };
        let key = (own(&[], "pkey"), format!("the primary key of `{}`", table.name));
        let unique =
            table.unique.iter().map(|columns| (own(columns, "key"), format!("a unique rule of `{}`", table.name)));
        let indexes = table.rules.indexes.iter();
        let indexes = indexes.map(|index| (index.name.to_string(), format!("an index of `{}`", table.name)));
        // PostgreSQL has an index behind such a rule.
        let apart = |rule: &NoOverlap| (rule.name.to_string(), format!("a rule about times of `{}`", table.name));
        let overlaps = table.rules.overlaps.iter().map(apart);
        for (name, what) in [key].into_iter().chain(unique).chain(indexes).chain(overlaps) {
            take(&mut taken, name, what, place, &mut refused);
        }
        let mut of_table = BTreeMap::new();
        let checks =
            table.rules.checks.iter().map(|check| (check.name.to_string(), format!("a check of `{}`", check.column)));
        let keys = table.rules.foreign_keys.iter();
        let keys = keys.map(|key| (key.name.to_string(), format!("the key to `{}`", key.table)));
        let overlaps = table.rules.overlaps.iter().map(apart);
        for (name, what) in checks.chain(keys).chain(overlaps) {
            take(&mut of_table, name, what, place, &mut refused);
        }
        for column in table.columns.iter().filter(|column| SYSTEM_COLUMNS.contains(&column.name.as_str())) {
            let message = format!("`{}.{}` is a column that PostgreSQL gives every table", table.name, column.name);
            refused.push((message, place.clone()));
        }
    }
    let mut triggers = BTreeMap::new();
    for DraftTable { table, place, .. } in &draft.tables {
        let touch = (table.rules.times == Times::KeptByDatabase).then(|| dialect::touch_trigger(table));
        let touch = touch.map(|name| (name, format!("the trigger that keeps the times of `{}`", table.name)));
        let apart = table.rules.overlaps.iter().flat_map(|rule| {
            dialect::overlap_triggers(rule).map(|name| (name, format!("a trigger of the rule `{}`", rule.name)))
        });
        for (name, what) in touch.into_iter().chain(apart) {
            take(&mut triggers, name, what, place, &mut refused);
        }
    }
    for (message, place) in refused {
        draft.refuse(NAME_TAKEN, message, &place, "give one of them another `name`");
    }
}

fn take(
    taken: &mut BTreeMap<String, String>,
    name: String,
    what: String,
    place: &Place,
    refused: &mut Vec<(String, Place)>,
) {
    match taken.get(&name) {
        Some(other) => refused.push((format!("{other} and {what} would both be called `{name}`"), place.clone())),
        None => {
            taken.insert(name, what);
        }
    }
}
