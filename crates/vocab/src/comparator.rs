//! How a value of a row must stand to another value of the same row: `ends_at` after `starts_at`. Two values come in, whether it
//! holds comes out; what has no value is the caller's to judge.

use crate::{Datum, Decimal, FieldType};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How one of two values of a row stands to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparator {
    /// It is greater, or later.
    MoreThan,
    /// It is greater or equal, or not earlier.
    AtLeast,
    /// It is less, or earlier.
    LessThan,
    /// It is less or equal, or not later.
    AtMost,
}

impl Comparator {
    /// All of them, in the order in which they are proposed.
    pub const ALL: [Self; 4] = [Self::MoreThan, Self::AtLeast, Self::LessThan, Self::AtMost];

    /// The word of tasks and of the catalogue.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MoreThan => "more_than",
            Self::AtLeast => "at_least",
            Self::LessThan => "less_than",
            Self::AtMost => "at_most",
        }
    }

    /// The operator, as people and SQL write it.
    #[must_use]
    pub fn operator(self) -> &'static str {
        match self {
            Self::MoreThan => ">",
            Self::AtLeast => ">=",
            Self::LessThan => "<",
            Self::AtMost => "<=",
        }
    }

    /// Whether it holds where the first value stands so to the second.
    #[must_use]
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::MoreThan => ordering == Ordering::Greater,
            Self::AtLeast => ordering != Ordering::Less,
            Self::LessThan => ordering == Ordering::Less,
            Self::AtMost => ordering != Ordering::Greater,
        }
    }

    /// Values of which types can be compared so: numbers, days and times.
    #[must_use]
    pub fn compares(field_type: &FieldType) -> bool {
        match field_type {
            FieldType::Integer | FieldType::Decimal { .. } | FieldType::Date | FieldType::Timestamp => true,
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Boolean
            | FieldType::Uuid
            | FieldType::Json => false,
        }
    }

    /// In words that follow what must be so: `must be after starts_at`, of values of that type.
    #[must_use]
    pub fn describe(self, other: &str, field_type: &FieldType) -> String {
        let is_time = matches!(field_type, FieldType::Date | FieldType::Timestamp);
        let words = match (self, is_time) {
            (Self::MoreThan, true) => "be after",
            (Self::AtLeast, true) => "not be before",
            (Self::LessThan, true) => "be before",
            (Self::AtMost, true) => "not be after",
            (Self::MoreThan, false) => "be more than",
            (Self::AtLeast, false) => "be at least",
            (Self::LessThan, false) => "be less than",
            (Self::AtMost, false) => "be at most",
        };
        format!("must {words} {other}")
    }
}

/// A value of the type that is greater by so many steps, or less: units of its last digit, years of a day or a time. None where
/// there is none.
#[must_use]
pub fn beyond(value: &Datum, by: i64, field_type: &FieldType) -> Option<Datum> {
    match (value, field_type) {
        (Datum::Integer(number), _) => number.checked_add(by).map(Datum::Integer),
        (Datum::Decimal(number), _) => {
            number.units().checked_add(by).map(|units| Datum::Decimal(Decimal::new(units, number.scale())))
        }
        (Datum::Text(text), FieldType::Date | FieldType::Timestamp) => {
            let year = text.get(..4)?.parse::<i64>().ok()?.checked_add(by).filter(|year| (1..=9999).contains(year))?;
            // Not every year has the 29th of February.
            let rest = if by == 0 { text.get(4..)?.to_owned() } else { text.get(4..)?.replacen("-02-29", "-02-28", 1) };
            Some(Datum::Text(format!("{year:04}{rest}")))
        }
        _ => None,
    }
}
