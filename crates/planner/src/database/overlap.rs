//! Times that no two rows may share: what the task states and what the catalogue knows of the designed tables come in, rules and
//! their indexes go into the draft. Where the database cannot keep one, a stated rule is refused, and one of the catalogue is left
//! out with the reason.

use super::draft::Draft;
use super::rules::{known, known_column, push_check};
use crate::codes::{CANNOT_HOLD, ENGINE_LIMIT};
use crate::table::{keep_apart, overlap_name, overlaps};
use catalog::Catalog;
use plan::database::{Check, CheckRule, Column, NoOverlap, Released};
use plan::{Observed, Table};
use spec::ConstraintRule;
use vocab::{ColumnName, Comparator, ConstraintName, Engine, FieldType, TableName};

/// Why the database cannot keep the rule, and what would help.
fn limit(table: &Table, rule: &NoOverlap, engine: Engine, observed: &Observed) -> Option<(&'static str, &'static str)> {
    let has_extension = observed.place.as_ref().is_none_or(|place| place.keeps_apart);
    dialect::overlap_limit(engine, table, rule, has_extension)
}

/// Of the rules that the catalogue has for the tables of an API those that the database can keep.
pub fn keepable(tables: &mut [Table], engine: Engine, observed: &Observed) {
    for table in tables {
        let rules = std::mem::take(&mut table.rules.overlaps);
        table.rules.overlaps =
            rules.into_iter().filter(|rule| limit(table, rule, engine, observed).is_none()).collect();
    }
}

/// What the catalogue knows of the tables.
pub fn of_catalogue(draft: &mut Draft, catalog: &Catalog, engine: Engine, observed: &Observed) {
    let mut rules: Vec<(TableName, NoOverlap)> = Vec::new();
    for table in draft.tables.iter().filter(|table| !table.is_all_stated) {
        let Some(entity) = table.entity.as_ref().and_then(|entity| catalog.table_entity(entity)) else { continue };
        rules.extend(overlaps(&table.table, entity).into_iter().map(|rule| (table.table.name.clone(), rule)));
    }
    for (table, rule) in rules {
        let Some(designed) = draft.find(&table) else { continue };
        let subject = format!("times of `{table}`");
        match limit(&designed.table, &rule, engine, observed) {
            None => {
                let reason = format!("what is taken is taken once; {}", exempt(&rule));
                draft.decide(subject, described(&rule), reason);
                take(draft, &table, rule);
            }
            Some((why, _)) => draft.decide(subject, "rows may overlap".to_owned(), why),
        }
    }
}

/// What the task states of the table.
pub fn stated(draft: &mut Draft, stated: &spec::Table, engine: Engine, observed: &Observed) {
    let table = &stated.name.value;
    for constraint in &stated.constraints {
        let ConstraintRule::NoOverlap { within, from, until, unless } = &constraint.rule else { continue };
        let taken = known(draft, table, within);
        let (from, until) = (known_column(draft, table, from), known_column(draft, table, until));
        let released = unless.as_ref().map(|(column, words)| (known_column(draft, table, column), words));
        let (Some(within), Some(from), Some(until)) = (taken, from, until) else { continue };
        let unless = match released {
            Some((None, _)) => continue,
            Some((Some(column), words)) => {
                let words = words.iter().map(|word| word.value.clone()).collect();
                Some((column, words))
            }
            None => None,
        };
        if let Some((message, help)) = wrong(draft, table, &within, [&from, &until], unless.as_ref()) {
            draft.refuse(CANNOT_HOLD, message, &constraint.place, help);
            continue;
        }
        let Some(designed) = draft.find(table) else { continue };
        let said = constraint.name.as_ref().and_then(|name| ConstraintName::parse(name.value.as_str()).ok());
        let name = said.unwrap_or_else(|| overlap_name(&designed.table, &within));
        let unless = unless.map(|(column, words)| Released { column: column.name, words });
        let rule = NoOverlap { name, within, from: from.name, until: until.name, unless };
        match limit(&designed.table, &rule, engine, observed) {
            None => {
                let reason = format!("the task says so; {}", exempt(&rule));
                draft.decide(format!("times of `{table}`"), described(&rule), reason);
                take(draft, table, rule);
            }
            Some((why, help)) => {
                let message = format!("the times of `{table}` cannot be kept apart: {why}");
                draft.refuse(ENGINE_LIMIT, message, &constraint.place, help);
            }
        }
    }
}

/// Why no row could hold to the rule, or no engine could keep it, and what would help.
fn wrong(
    draft: &Draft,
    table: &TableName,
    within: &[ColumnName],
    [from, until]: [&Column; 2],
    unless: Option<&(Column, Vec<String>)>,
) -> Option<(String, &'static str)> {
    let is_time = matches!(from.field_type, FieldType::Date | FieldType::Timestamp);
    if !is_time || from.field_type != until.field_type || from.name == until.name {
        let message = format!(
            "`{table}.{}` holds {}, and `{}` holds {}: two days or two times are the ends of what is taken",
            from.name,
            from.field_type.describe(),
            until.name,
            until.field_type.describe()
        );
        return Some((message, "give both the type `timestamp`, or both the type `date`"));
    }
    let ends_first = |check: &Check| {
        let CheckRule::Against { comparator, other } = &check.rule else { return false };
        let is_less = matches!(comparator, Comparator::LessThan | Comparator::AtMost);
        [&check.column, other] == [&until.name, &from.name] && is_less
            || [&check.column, other] == [&from.name, &until.name] && !is_less
    };
    if draft.find(table)?.table.rules.checks.iter().any(ends_first) {
        let message =
            format!("a check of `{table}` lets nothing end after it began: `{}`, `{}`", from.name, until.name);
        return Some((message, "turn the check round, or exchange `from` and `until`"));
    }
    let can_be_taken = |kind: &FieldType| match kind {
        FieldType::Uuid
        | FieldType::Integer
        | FieldType::Line { .. }
        | FieldType::Choice { .. }
        | FieldType::Code { .. } => true,
        FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Decimal { .. }
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Json => false,
    };
    let columns = within.iter().filter_map(|name| draft.find(table)?.column(name));
    if let Some(column) = columns.into_iter().find(|column| !can_be_taken(&column.field_type)) {
        let message = format!(
            "`{table}.{}` holds {}, which names nothing that is taken",
            column.name,
            column.field_type.describe()
        );
        return Some((message, "name keys, whole numbers or texts of a line in `within`"));
    }
    match unless {
        Some((column, _)) if column.field_type.max_length().is_none() => {
            let message = format!("`{table}.{}` holds {}, not words", column.name, column.field_type.describe());
            Some((message, "give the column the type `line`"))
        }
        Some(_) | None => None,
    }
}

/// The rule, and that what begins ends later: a time that ends before it begins is none.
fn take(draft: &mut Draft, table: &TableName, rule: NoOverlap) {
    let ends = |check: &Check| {
        let CheckRule::Against { other, .. } = &check.rule else { return false };
        [&check.column, other] == [&rule.until, &rule.from] || [&check.column, other] == [&rule.from, &rule.until]
    };
    let Some(found) = draft.find_mut(table) else { return };
    let is_ordered = found.table.rules.checks.iter().any(ends);
    let (from, until) = (rule.from.clone(), rule.until.clone());
    keep_apart(&mut found.table, rule);
    if !is_ordered {
        let rule = CheckRule::Against { comparator: Comparator::MoreThan, other: from };
        push_check(draft, table, None, &until, "check", rule);
    }
}

fn described(rule: &NoOverlap) -> String {
    let within: Vec<String> = rule.within.iter().map(|column| format!("`{column}`")).collect();
    let of = if within.is_empty() { String::new() } else { format!(" of one {}", within.join(" and ")) };
    format!("no two rows{of} share any time between `{}` and `{}`", rule.from, rule.until)
}

fn exempt(rule: &NoOverlap) -> String {
    match &rule.unless {
        Some(released) => {
            let words: Vec<String> = released.words.iter().map(|word| format!("`{word}`")).collect();
            format!("a row whose `{}` is {} takes nothing", released.column, words.join(" or "))
        }
        None => "every row counts".to_owned(),
    }
}
