//! Values that keep the rules of a column, and values that break one: a column and a number come in, a value goes out that is
//! another one for each number, as far as the rules leave so many.

use plan::database::{Check, CheckRule, Column, Nullability, Table};
use vocab::{Datum, Decimal, FieldType};

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
    let beyond = |bound: &Datum, by: i64| match bound {
        Datum::Integer(number) => number.checked_add(by).map(Datum::Integer),
        Datum::Decimal(number) => {
            number.units().checked_add(by).map(|units| Datum::Decimal(Decimal::new(units, number.scale())))
        }
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::Json(_) => None,
    };
    match &check.rule {
        CheckRule::Range { minimum, maximum } => {
            let below = minimum.as_ref().and_then(|least| beyond(least, -1));
            let above = maximum.as_ref().and_then(|most| beyond(most, 1));
            below.into_iter().chain(above).collect()
        }
        CheckRule::OneOf(words) => vec![Datum::Text(words.concat() + "?")],
        CheckRule::Length { at_most } => vec![Datum::Text("x".repeat(length(*at_most).saturating_add(1)))],
    }
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
        CheckRule::OneOf(_) | CheckRule::Range { .. } => None,
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
        CheckRule::Range { .. } | CheckRule::Length { .. } => None,
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
            CheckRule::OneOf(_) | CheckRule::Length { .. } => {}
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
