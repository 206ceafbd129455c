//! What a step is given: literals, slots, and what the request or the clock says. Conditions over them.

use serde::{Deserialize, Serialize};
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
    /// What only the request knows.
    Request(RequestValue),
    /// A record.
    Record(Vec<(FieldName, Value)>),
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

/// How much of what it has done a request wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// As little as will do.
    Minimal,
    /// The record.
    Representation,
}

impl Preference {
    /// As the header has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "return=minimal",
            Self::Representation => "return=representation",
        }
    }

    /// What the header asks for. Of several the first counts, and what nobody knows is ignored.
    #[must_use]
    pub fn of(header: &str) -> Option<Self> {
        let preferences = header.split(',').filter_map(|preference| preference.split(';').next());
        let wanted = preferences.filter_map(|preference| preference.split_once('='));
        let mut returns = wanted.filter(|(name, _)| name.trim().eq_ignore_ascii_case("return"));
        match returns.next()?.1.trim().trim_matches('"') {
            "minimal" => Some(Self::Minimal),
            "representation" => Some(Self::Representation),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Preference;

    #[test]
    fn of_several_preferences_for_an_answer_the_first_counts() {
        let minimal = Some(Preference::Minimal);
        for (header, expected) in [
            ("return=minimal", minimal),
            ("wait=10, Return = \"minimal\"; why=speed", minimal),
            ("return=minimal, return=representation", minimal),
            ("return=representation, return=minimal", Some(Preference::Representation)),
            ("return=Minimal", None),
            ("minimal", None),
        ] {
            assert_eq!(Preference::of(header), expected, "{header}");
        }
    }
}
