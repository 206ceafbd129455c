//! The tables as diagrams that a person can look at: tables come in, texts for Mermaid go out. Few tables are drawn with everything
//! they have, more with their keys alone, many in groups of those that lead to each other. Nothing is drawn twice but names.

use crate::node::kind;
use minijinja::{Value, context};
use plan::database::{Column, ForeignKey, Nullability, Table};
use plan::system;
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, TableName};

/// So many tables are drawn with all their columns and what these mean.
const WHOLE_TABLES: usize = 6;
/// So many are drawn in one diagram, with their keys.
const KEYED_TABLES: usize = 12;
/// So many are in a group where there are more.
const GROUP: usize = 8;
/// So many have a diagram of their names beside that of each group.
const NAMED_TABLES: usize = 30;
/// What Mermaid draws at most, <https://mermaid.js.org/config/schema-docs/config.html>: bytes of text, lines between tables.
const DIAGRAM_TEXT: usize = 50_000;
const DIAGRAM_LINES: usize = 500;

/// What of a table is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every column, and what it means.
    Whole,
    /// The columns of its keys.
    Keys,
    /// Nothing but its name.
    Name,
}

/// The diagrams, each with a title where there are several, and what their reader must know. What becomes of events leads nowhere and
/// is the same in every API: it would only take room.
pub fn view(tables: &[Table]) -> Value {
    let further = [
        system::kept_tokens(),
        system::mail_suppressions(),
        system::webhook_subscriptions(),
        system::integration_alerts(),
    ];
    let kept = system::of_deliveries().into_iter().chain(system::of_syncs());
    let left_out: Vec<Table> = kept.chain(further).collect();
    let is_shown = |table: &&Table| !left_out.iter().any(|out| out.name == table.name);
    let tables: Vec<Table> = tables.iter().filter(is_shown).cloned().collect();
    let Diagrams { note, drawn } = diagrams(&tables);
    let diagrams: Vec<Value> = drawn.into_iter().map(|(title, text)| context! { title, text }).collect();
    context! { note, diagrams }
}

/// What is drawn, each with its title.
struct Diagrams {
    note: &'static str,
    drawn: Vec<(String, String)>,
}

fn diagrams(tables: &[Table]) -> Diagrams {
    let all: Vec<&Table> = tables.iter().collect();
    let only = |text| vec![(String::new(), text)];
    if let Some(text) = draw(&all, Detail::Whole).filter(|_| tables.len() <= WHOLE_TABLES) {
        return Diagrams { note: "", drawn: only(text) };
    }
    if let Some(text) = draw(&all, Detail::Keys).filter(|_| tables.len() <= KEYED_TABLES) {
        let note = "The diagram shows the keys alone; what else a table has stands below.";
        return Diagrams { note, drawn: only(text) };
    }
    let names = draw(&all, Detail::Name).filter(|_| tables.len() <= NAMED_TABLES);
    let mut drawn: Vec<_> = names.map(|text| ("All tables".to_owned(), text)).into_iter().collect();
    for group in groups(tables) {
        drawn.extend(draw(&group, Detail::Keys).map(|text| (title(&group), text)));
    }
    let note = "Each diagram shows the keys of tables that lead to each other, and by name alone where else they lead; what else a \
                table has stands below.";
    Diagrams { note, drawn }
}

fn title(group: &[&Table]) -> String {
    let names: Vec<String> = group.iter().map(|table| format!("`{}`", table.name)).collect();
    match &names[..] {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.join(", "),
    }
}

/// Every table once: the one with the most neighbours that is left, and with it, one by one, whoever has the most keys to or from
/// the group. What leads nowhere is together.
fn groups(tables: &[Table]) -> Vec<Vec<&Table>> {
    let mut neighbours: BTreeMap<&TableName, BTreeSet<&TableName>> = BTreeMap::new();
    for table in tables {
        let others = table.rules.foreign_keys.iter().map(|key| &key.table).filter(|other| **other != table.name);
        for other in others.filter(|other| tables.iter().any(|table| table.name == **other)) {
            neighbours.entry(&table.name).or_default().insert(other);
            neighbours.entry(other).or_default().insert(&table.name);
        }
    }
    let (linked, alone): (Vec<&Table>, Vec<&Table>) =
        tables.iter().partition(|table| neighbours.contains_key(&table.name));
    let mut left = linked;
    let mut groups: Vec<Vec<&Table>> = Vec::new();
    while !left.is_empty() {
        let open = |table: &Table| {
            neighbours[&table.name].iter().filter(|other| left.iter().any(|table| table.name == ***other)).count()
        };
        let mut group = vec![left.remove(first_of_most(&left, open))];
        while group.len() < GROUP {
            let shared =
                |table: &Table| group.iter().filter(|member| neighbours[&table.name].contains(&member.name)).count();
            let next = first_of_most(&left, shared);
            if left.get(next).is_none_or(|table| shared(table) == 0) {
                break;
            }
            group.push(left.remove(next));
        }
        groups.push(group);
    }
    // Whoever was left over between groups stands beside a neighbour.
    let (mut whole, small): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.len() > 1);
    for table in small.into_iter().flatten() {
        let is_near = |group: &&mut Vec<&Table>| {
            group.len() < 2 * GROUP && group.iter().any(|member| neighbours[&table.name].contains(&member.name))
        };
        match whole.iter_mut().filter(is_near).min_by_key(|group| group.len()) {
            Some(group) => group.push(table),
            None => whole.push(vec![table]),
        }
    }
    whole.extend(alone.chunks(2 * GROUP).map(<[&Table]>::to_vec));
    whole
}

/// Where the first of those stands that have the most.
fn first_of_most(tables: &[&Table], count: impl Fn(&Table) -> usize) -> usize {
    let most = tables.iter().map(|table| count(table)).max();
    tables.iter().position(|table| Some(count(table)) == most).unwrap_or_default()
}

/// The tables with the keys that lead from them; none where there are more than can be drawn.
fn draw(tables: &[&Table], detail: Detail) -> Option<String> {
    let keys: Vec<(&Table, &ForeignKey)> =
        tables.iter().flat_map(|table| table.rules.foreign_keys.iter().map(|key| (*table, key))).collect();
    let mut text = String::from("erDiagram\n");
    for table in tables {
        let is_shown = |column: &&Column| match detail {
            Detail::Whole => true,
            Detail::Keys => !marks(table, column).is_empty(),
            Detail::Name => false,
        };
        let columns: Vec<&Column> = table.columns.iter().filter(is_shown).collect();
        // Quoted: `end`, `one` and `style` are words of the diagram's language.
        text.push_str(&format!("  \"{}\"", table.name));
        if !columns.is_empty() {
            text.push_str(" {\n");
            columns.iter().for_each(|column| text.push_str(&format!("    {}\n", column_line(table, column, detail))));
            text.push_str("  }");
        }
        text.push('\n');
    }
    for (table, key) in &keys {
        text.push_str(&format!("  {}\n", key_line(table, key, detail)));
    }
    (text.len() <= DIAGRAM_TEXT && keys.len() <= DIAGRAM_LINES).then_some(text)
}

/// `uuid id PK "what it is"`
fn column_line(table: &Table, column: &Column, detail: Detail) -> String {
    let name = match column.name.as_str() {
        // These would be the mark of a key.
        name @ ("pk" | "fk" | "uk") => format!("{name}_"),
        name => name.to_owned(),
    };
    let marks = marks(table, column);
    let marks = if marks.is_empty() { String::new() } else { format!(" {}", marks.join(", ")) };
    let says_nothing = column.comment == column.name.as_str().replace('_', " ");
    let remark = match detail {
        Detail::Whole if !says_nothing => format!(" \"{}\"", column.comment.replace('"', "'")),
        Detail::Whole | Detail::Keys | Detail::Name => String::new(),
    };
    format!("{} {name}{marks}{remark}", kind(&column.field_type))
}

/// Of which keys the column is a part.
fn marks(table: &Table, column: &Column) -> Vec<&'static str> {
    [
        ("PK", table.primary_key.contains(&column.name)),
        ("UK", table.unique.iter().any(|unique| unique.contains(&column.name))),
        ("FK", table.rules.foreign_keys.iter().any(|key| key.columns.contains(&column.name))),
    ]
    .into_iter()
    .filter_map(|(mark, is_part)| is_part.then_some(mark))
    .collect()
}

/// The line between two tables: how many on each side, and the column that says so.
fn key_line(table: &Table, key: &ForeignKey, detail: Detail) -> String {
    let is_nullable = |column: &ColumnName| {
        table.columns.iter().any(|known| known.name == *column && known.nullability == Nullability::Nullable)
    };
    let one = if key.columns.iter().any(is_nullable) { "|o" } else { "||" };
    let is_single = table.unique.contains(&key.columns) || table.primary_key == key.columns;
    let many = if is_single { "o|" } else { "o{" };
    let label = match detail {
        Detail::Whole | Detail::Keys => key.columns.iter().map(ColumnName::as_str).collect::<Vec<_>>().join(", "),
        Detail::Name => String::new(),
    };
    format!("\"{}\" {one}--{many} \"{}\" : \"{label}\"", key.table, table.name)
}

#[cfg(test)]
mod tests {
    use super::{Diagrams, diagrams, system};
    use plan::database::{ForeignKey, OnDelete, Table};
    use vocab::{ColumnName, ConstraintName, TableName};

    /// A table with a key to each of the others.
    fn table(name: &str, others: &[&str]) -> Table {
        let key = |other: &&str| ForeignKey {
            name: ConstraintName::parse(&format!("{name}_{other}_fkey")).unwrap(),
            columns: vec![ColumnName::parse("id").unwrap()],
            table: TableName::parse(other).unwrap(),
            target: vec![ColumnName::parse("id").unwrap()],
            on_delete: OnDelete::Restrict,
            why: "a test".to_owned(),
        };
        let mut table = system::outbox_events();
        table.name = TableName::parse(name).unwrap();
        table.rules.foreign_keys = others.iter().map(key).collect();
        table
    }

    #[test]
    fn many_tables_are_drawn_in_groups_each_with_its_keys_once() {
        let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
        let tables: Vec<Table> = (0..40_usize)
            .map(|number| match number {
                0 | 36.. => table(&names[number], &[]),
                _ => table(&names[number], &[names[(number - 1) / 3].as_str(), names[number / 2].as_str()]),
            })
            .collect();
        let Diagrams { drawn, .. } = diagrams(&tables);
        assert!(drawn.len() > 4, "{drawn:?}");
        for table in &tables {
            let begins = format!("\n  \"{}\" {{", table.name);
            let times: usize = drawn.iter().map(|(_, text)| text.matches(&begins).count()).sum();
            assert_eq!(times, 1, "{begins}");
        }
        let lines: usize = drawn.iter().map(|(_, text)| text.matches("--").count()).sum();
        assert_eq!(lines, 70);
        assert!(drawn.iter().all(|(_, text)| text.matches(" {\n").count() <= 16), "{drawn:?}");
        let title = &drawn.last().unwrap().0;
        assert_eq!(title, "`t36`, `t37`, `t38` and `t39`");
    }

    #[test]
    fn few_tables_are_drawn_whole_and_more_with_their_keys() {
        let of = |count: usize| {
            let tables: Vec<Table> = (0..count).map(|number| table(&format!("t{number}"), &[])).collect();
            diagrams(&tables)
        };
        let few = of(6);
        assert_eq!((few.note, few.drawn.len()), ("", 1));
        assert!(few.drawn[0].1.contains("json payload"), "{}", few.drawn[0].1);
        let more = of(12);
        assert_eq!(more.drawn.len(), 1);
        assert!(
            !more.drawn[0].1.contains("payload") && more.drawn[0].1.contains("uuid id PK\n"),
            "{}",
            more.drawn[0].1
        );
        let many = of(13);
        assert_eq!(many.drawn[0].0, "All tables");
        assert!(!many.drawn[0].1.contains("PK"), "{}", many.drawn[0].1);
    }
}
