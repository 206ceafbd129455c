//! What a step is given: literals, slots, and what the request or the clock says. Conditions over them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
pub use vocab::Comparison;
use vocab::{Datum, FieldName, SlotName};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Always the same.
    Literal(Datum),
    /// The whole of a slot.
    Slot(SlotName),
    /// A field of the record in a slot.
    Field(SlotName, FieldName),
    /// Whether the field of a record of changes was given.
    Given(SlotName, FieldName),
    /// The field of a record of changes where it was given, else that field of the row in the second slot.
    Changed(SlotName, FieldName, SlotName),
    /// When the request arrived or the work began.
    Now,
    /// The day on which the request arrived, UTC.
    Today,
    /// That many seconds after now.
    After(u32),
    /// The first, or the second where the first is null.
    Else(Box<Value>, Box<Value>),
    /// A decimal number times a whole one; null where either is, or where it has more digits than a decimal number may.
    Times(Box<Value>, Box<Value>),
    /// The sum of the decimal numbers in that field of a list of records; null as above.
    Sum(SlotName, FieldName),
    /// A text with a value behind it.
    Prefixed(String, Box<Value>),
    /// What only the request knows.
    Request(RequestValue),
    /// A record.
    Record(Vec<(FieldName, Value)>),
}

impl Value {
    /// Adds the slots that it is made of.
    pub fn slots(&self, found: &mut BTreeSet<SlotName>) {
        match self {
            Self::Slot(slot) | Self::Field(slot, _) | Self::Given(slot, _) | Self::Sum(slot, _) => {
                found.insert(slot.clone());
            }
            Self::Changed(changes, _, row) => found.extend([changes.clone(), row.clone()]),
            Self::Record(fields) => fields.iter().for_each(|(_, value)| value.slots(found)),
            Self::Else(first, second) | Self::Times(first, second) => {
                first.slots(found);
                second.slots(found);
            }
            Self::Prefixed(_, inner) => inner.slots(found),
            Self::Literal(_) | Self::Now | Self::Today | Self::After(_) | Self::Request(_) => {}
        }
    }
}

/// What only the request knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestValue {
    /// The client's address.
    Address,
    /// The request id.
    Id,
    /// A path parameter.
    Path(FieldName),
    /// A query parameter.
    Query(FieldName),
    /// A cookie.
    Cookie(FieldName),
}

/// A question over values with the answer yes or no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The comparison holds.
    Compare(Value, Comparison, Value),
    /// There is a value.
    Present(Value),
    /// The request's `If-Match` is absent, `*`, or names this tag: the caller has seen the newest version.
    Current(Value),
    /// The request's `Prefer` asks for this way of answering (RFC 7240, 4.2); where it does, the answer says so.
    Prefers(Preference),
    /// Every one of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not that.
    Not(Box<Condition>),
}

/// How a request wants to be done, and how much of that it wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// As little as will do.
    Minimal,
    /// The record.
    Representation,
    /// What is there already is changed instead of made.
    Merge,
}

impl Preference {
    /// As the header has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "return=minimal",
            Self::Representation => "return=representation",
            Self::Merge => "resolution=merge-duplicates",
        }
    }

    /// Whether the header asks for it. Of several of one name the first counts.
    #[must_use]
    pub fn is_asked_by(self, header: &str) -> bool {
        let Some((name, value)) = self.as_str().split_once('=') else { return false };
        let preferences = header.split(',').filter_map(|preference| preference.split(';').next());
        let mut wanted = preferences.filter_map(|preference| preference.split_once('='));
        let first = wanted.find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        first.is_some_and(|(_, wanted)| wanted.trim().trim_matches('"') == value)
    }
}

#[cfg(test)]
mod tests {
    use super::Preference;

    #[test]
    fn of_several_preferences_of_a_name_the_first_counts() {
        let (minimal, merge) = (Some(Preference::Minimal), Some(Preference::Merge));
        for (header, expected) in [
            ("return=minimal", minimal),
            ("wait=10, Return = \"minimal\"; why=speed", minimal),
            ("return=minimal, return=representation", minimal),
            ("return=representation, return=minimal", Some(Preference::Representation)),
            ("return=Minimal", None),
            ("minimal", None),
            ("resolution=merge-duplicates", merge),
            ("resolution=ignore-duplicates, resolution=merge-duplicates", None),
        ] {
            let all = [Preference::Minimal, Preference::Representation, Preference::Merge];
            assert_eq!(all.into_iter().find(|preference| preference.is_asked_by(header)), expected, "{header}");
        }
        let both = "return=minimal, resolution=merge-duplicates";
        assert!(Preference::Minimal.is_asked_by(both) && Preference::Merge.is_asked_by(both));
    }
}
