//! What a step is given: literals, slots, and what the request or the clock says. Conditions over them.

use serde::{Deserialize, Serialize};
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
    /// Every one of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not that.
    Not(Box<Condition>),
}

/// How two values are compared. `null` compares false with everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

impl Comparison {
    /// The operator as people and SQL write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}
