//! Values that keep the rules of a column, and values that break one: a column and a number come in, a value goes out that is
//! another one for each number, as far as the rules leave so many.

use plan::database::{Check, CheckRule, Column, Nullability, Table};
use std::collections::BTreeMap;
use vocab::comparator::beyond;
use vocab::{ColumnName, Comparator, Datum, Decimal, FieldType};

/// How far from its one bound a number may be: less than any column's digits allow.
const FAR: i128 = 1_000_000_000;

/// A value that keeps every check of its column; none where they leave none.
pub fn right(table: &Table, column: &Column, number: u32) -> Option<Datum> {
    let value = match words(table, column) {
        Some(words) => Datum::Text(pick(&words, number)?.clone()),
        None => of_type(table, column, number)?,
    };
    Some(value).filter(|value| keeps(table, column, value))
}

/// Whether every check of the column lets the value pass.
pub fn keeps(table: &Table, column: &Column, value: &Datum) -> bool {
    if *value == Datum::Null {
        return column.nullability == Nullability::Nullable;
    }
    checks(table, column).all(|check| check.rule.passes(value))
}

/// Values on the wrong side of each edge of a check.
pub fn wrong(check: &Check) -> Vec<Datum> {
    let beyond = |bound: &Datum, by: i64| beyond(bound, by, &FieldType::Integer);
    match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let below = minimum.as_ref().and_then(|least| beyond(least, -1));
            let above = maximum.as_ref().and_then(|most| beyond(most, 1));
            below.into_iter().chain(above).collect()
        }
        CheckRule::OneOf(words) => vec![Datum::Text(words.concat() + "?")],
        CheckRule::Length { at_most } => vec![Datum::Text("x".repeat(length(*at_most).saturating_add(1)))],
        CheckRule::Capitals { letters } => {
            let (letters, shorter) = (usize::from(*letters), usize::from(letters.saturating_sub(1)));
            let wrong = ["X".repeat(shorter), "X".repeat(letters + 1), "x".repeat(letters), "X".repeat(shorter) + "1"];
            wrong.map(Datum::Text).to_vec()
        }
        CheckRule::NotBlank => [String::new(), " ".to_owned()].map(Datum::Text).to_vec(),
        // Two values are needed for it.
        CheckRule::Against { .. } => Vec::new(),
    }
}

/// Gives the values that stand wrongly to each other others; whether that could be done. What is `given` stays.
pub fn arrange(table: &Table, row: &mut BTreeMap<ColumnName, Datum>, given: &BTreeMap<ColumnName, Datum>) -> bool {
    let is_free = |check: &&Check| !check.columns().all(|column| given.contains_key(column));
    let open = table.rules.checks.iter().filter(is_free);
    let broken = |row: &BTreeMap<ColumnName, Datum>| open.clone().find(|check| stands(check, row) == Some(false));
    for _ in 0..=table.rules.checks.len() {
        let Some(Check { column, rule: CheckRule::Against { comparator, other }, .. }) = broken(row) else {
            return true;
        };
        let (greater, less) = match comparator {
            Comparator::MoreThan | Comparator::AtLeast => (column, other),
            Comparator::LessThan | Comparator::AtMost => (other, column),
        };
        let moved = |from: &ColumnName, to: &ColumnName, by: i64| {
            let column = table.columns.iter().find(|known| known.name == *to && !given.contains_key(to))?;
            beyond(row.get(from)?, by, &column.field_type).filter(|value| keeps(table, column, value))
        };
        let (name, value) = match (moved(less, greater, 1), moved(greater, less, -1)) {
            (Some(value), _) => (greater, value),
            (None, Some(value)) => (less, value),
            (None, None) => return false,
        };
        row.insert(name.clone(), value);
    }
    broken(row).is_none()
}

/// Whether the two values of a check stand as they must; none where one of them is not there, or the check looks at one only.
pub fn stands(check: &Check, row: &BTreeMap<ColumnName, Datum>) -> Option<bool> {
    let CheckRule::Against { comparator, other } = &check.rule else { return None };
    Some(comparator.holds(row.get(&check.column)?.compare(row.get(other)?)?))
}

/// The two values of a check the wrong way round, each right by itself.
pub fn wrong_pair(
    table: &Table,
    check: &Check,
    row: &BTreeMap<ColumnName, Datum>,
) -> Option<BTreeMap<ColumnName, Datum>> {
    let CheckRule::Against { comparator, other } = &check.rule else { return None };
    let column = |name: &ColumnName| table.columns.iter().find(|column| column.name == *name);
    let (own, theirs) = (column(&check.column)?, column(other)?);
    let by = match comparator {
        Comparator::AtLeast => -1,
        Comparator::AtMost => 1,
        Comparator::MoreThan | Comparator::LessThan => 0,
    };
    let pair = |own: Datum, theirs: Datum| BTreeMap::from([(check.column.clone(), own), (other.clone(), theirs)]);
    let held = row.get(other).filter(|value| **value != Datum::Null)?;
    let mine = row.get(&check.column).filter(|value| **value != Datum::Null)?;
    let own_moved = beyond(held, by, &own.field_type).filter(|value| keeps(table, own, value));
    let theirs_moved = beyond(mine, -by, &theirs.field_type).filter(|value| keeps(table, theirs, value));
    own_moved.map(|own| pair(own, held.clone())).or_else(|| Some(pair(mine.clone(), theirs_moved?)))
}

fn of_type(table: &Table, column: &Column, number: u32) -> Option<Datum> {
    let day = || format!("{:04}-{:02}-{:02}", 2001 + number / 336, 1 + number / 28 % 12, 1 + number % 28);
    Some(match &column.field_type {
        FieldType::Line { .. } | FieldType::Text { .. } => text(table, column, number, format!("{number:06}")),
        FieldType::Email => text(table, column, number, format!("probe{number}@example.com")),
        FieldType::Phone => text(table, column, number, format!("+44 20 {number:07}")),
        FieldType::Url => text(table, column, number, format!("https://example.com/{number}")),
        FieldType::Choice { words } => Datum::Text(pick(words, number)?.clone()),
        FieldType::Code { letters } => {
            let letter =
                |place: u8| char::from(b'A' + u8::try_from(number / 26_u32.pow(u32::from(place)) % 26).unwrap_or(0));
            Datum::Text((0..*letters).map(letter).collect())
        }
        FieldType::Integer => Datum::Integer(in_range(table, column, number)?),
        FieldType::Decimal { scale } => Datum::Decimal(Decimal::new(in_range(table, column, number)?, *scale)),
        FieldType::Boolean => Datum::Boolean(number.is_multiple_of(2)),
        FieldType::Date => Datum::Text(day()),
        FieldType::Timestamp => Datum::Text(format!("{}T04:05:06.789Z", day())),
        FieldType::Uuid => Datum::Text(format!("00000000-0000-7000-8000-{number:012x}")),
        FieldType::Json => Datum::Json(serde_json::json!({ "number": number })),
    })
}

/// What people would write, or the number's last digits where that is too long.
fn text(table: &Table, column: &Column, number: u32, usual: String) -> Datum {
    let limits = checks(table, column).filter_map(|check| match &check.rule {
        CheckRule::Length { at_most } => Some(length(*at_most)),
        CheckRule::Capitals { letters } => Some(usize::from(*letters)),
        CheckRule::OneOf(_) | CheckRule::Range { .. } | CheckRule::NotBlank | CheckRule::Against { .. } => None,
    });
    let at_most = limits.min().unwrap_or(usize::MAX);
    if usual.chars().count() <= at_most {
        return Datum::Text(usual);
    }
    let digits = format!("{number:06}");
    Datum::Text(digits[digits.len().saturating_sub(at_most)..].to_owned())
}

/// The words that every list of the column has; none where it has no list.
fn words(table: &Table, column: &Column) -> Option<Vec<String>> {
    let lists = checks(table, column).filter_map(|check| match &check.rule {
        CheckRule::OneOf(words) => Some(words.clone()),
        CheckRule::Range { .. }
        | CheckRule::Length { .. }
        | CheckRule::Capitals { .. }
        | CheckRule::NotBlank
        | CheckRule::Against { .. } => None,
    });
    let fits = |word: &String| keeps(table, column, &Datum::Text(word.clone()));
    lists.reduce(|first, _| first).map(|words| words.into_iter().filter(fits).collect())
}

/// A number that all bounds of the column let pass, in units.
fn in_range(table: &Table, column: &Column, number: u32) -> Option<i64> {
    let (mut least, mut most) = (None, None);
    for check in checks(table, column) {
        match &check.rule {
            CheckRule::Range { minimum, maximum } => {
                least = least.max(minimum.as_ref().and_then(units));
                most = match (most, maximum.as_ref().and_then(units)) {
                    (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
                    (one, other) => one.or(other),
                };
            }
            CheckRule::OneOf(_)
            | CheckRule::Length { .. }
            | CheckRule::Capitals { .. }
            | CheckRule::NotBlank
            | CheckRule::Against { .. } => {}
        }
    }
    let (least, most) = match (least, most) {
        (None, None) => (0, FAR),
        (Some(least), None) => (least, least.saturating_add(FAR).min(i128::from(i64::MAX))),
        (None, Some(most)) => (most.saturating_sub(FAR).max(i128::from(i64::MIN)), most),
        (Some(least), Some(most)) => (least, most),
    };
    let many = most - least + 1;
    if many <= 0 { None } else { i64::try_from(least + i128::from(number) % many).ok() }
}

/// A number in units of its last digit.
fn units(value: &Datum) -> Option<i128> {
    match value {
        Datum::Integer(number) => Some(i128::from(*number)),
        Datum::Decimal(number) => Some(i128::from(number.units())),
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::Json(_) => None,
    }
}

fn checks<'t>(table: &'t Table, column: &'t Column) -> impl Iterator<Item = &'t Check> {
    table.rules.checks.iter().filter(|check| check.column == column.name)
}

fn pick(words: &[String], number: u32) -> Option<&String> {
    let at = usize::try_from(number).ok()?.checked_rem(words.len())?;
    words.get(at)
}

fn length(at_most: u32) -> usize {
    usize::try_from(at_most).unwrap_or(usize::MAX)
}
