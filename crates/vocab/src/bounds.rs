//! The least and the greatest number that a field takes.

use crate::{Datum, Decimal, FieldType};
use serde::{Deserialize, Serialize};

/// Bounds of a number, both included. Each is a [`Datum`] of the field's own type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least.
    pub minimum: Option<Datum>,
    /// The greatest.
    pub maximum: Option<Datum>,
}

impl Bounds {
    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.minimum.is_none() && self.maximum.is_none()
    }

    /// The bounds with those that the type has by itself.
    #[must_use]
    pub fn of_type(&self, field_type: &FieldType) -> Self {
        match field_type {
            FieldType::Decimal { scale } => {
                let greatest = Decimal::greatest(*scale);
                let least = Decimal::new(-greatest.units(), *scale);
                Self {
                    minimum: Some(self.minimum.clone().unwrap_or(Datum::Decimal(least))),
                    maximum: Some(self.maximum.clone().unwrap_or(Datum::Decimal(greatest))),
                }
            }
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Choice { .. }
            | FieldType::Code { .. }
            | FieldType::Integer
            | FieldType::Boolean
            | FieldType::Date
            | FieldType::Timestamp
            | FieldType::Uuid
            | FieldType::Json => self.clone(),
        }
    }

    /// Whether the value is within them.
    #[must_use]
    pub fn allow(&self, value: &Datum) -> bool {
        let is_less = |left: &Datum, right: &Datum| left.compare(right) == Some(std::cmp::Ordering::Less);
        !self.minimum.as_ref().is_some_and(|minimum| is_less(value, minimum))
            && !self.maximum.as_ref().is_some_and(|maximum| is_less(maximum, value))
    }

    /// In words that follow `must be`: `between 1 and 5`, `at least 0.00`.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        match (&self.minimum, &self.maximum) {
            (Some(minimum), Some(maximum)) => Some(format!("between {} and {}", minimum.plain(), maximum.plain())),
            (Some(minimum), None) => Some(format!("at least {}", minimum.plain())),
            (None, Some(maximum)) => Some(format!("at most {}", maximum.plain())),
            (None, None) => None,
        }
    }
}
