//! What a value can be turned into on its way: a closed list, each with what it takes and what it gives.

use crate::kind::Kind;
use crate::reference::Reference;
use std::fmt;

/// One change of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transformation {
    /// Without white space at both ends.
    Trim,
    /// In small letters.
    Lowercase,
    /// In capital letters.
    Uppercase,
    /// The digits alone.
    Digits,
    /// The letters alone.
    Letters,
    /// The first word.
    FirstWord,
    /// All words but the first.
    OtherWords,
    /// At most so many characters.
    Truncate(u32),
    /// What stands behind the last one of a text.
    After(String),
    /// What stands before the first one of a text.
    Before(String),
    /// Another text where there is no value.
    Or(String),
    /// Another value where there is none.
    OrElse(Reference),
    /// Nothing where another value is there.
    Unless(Reference),
    /// The MD5 digest as lower-case hex: a name, never a protection.
    Md5,
    /// The SHA-256 digest as lower-case hex.
    Sha256,
    /// Base64 with padding.
    Base64,
    /// An amount in the smallest unit of a currency: 19.99 EUR is 1999, 500 JPY is 500.
    MinorUnits(Reference),
    /// An amount from the smallest unit of a currency.
    MajorUnits(Reference),
    /// A number as text with so many digits behind the point.
    Fixed(u32),
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMilliseconds,
    /// Microseconds since 1970.
    UnixMicroseconds,
    /// A point in time from seconds since 1970.
    FromUnixSeconds,
    /// A point in time from milliseconds since 1970.
    FromUnixMilliseconds,
    /// The day of a point in time, UTC.
    Day,
    /// As text, as JSON writes it.
    JsonText,
    /// As text.
    Text,
    /// As a whole number.
    Integer,
    /// How many items a list has.
    Count,
    /// With a number added.
    Plus(Reference),
    /// With a number taken away.
    Minus(Reference),
    /// Multiplied; a list item by item with another list.
    Times(Reference),
    /// The numbers of a list together.
    Sum,
    /// Whether it is the same as another value.
    Equals(Reference),
    /// The number, where it is above zero.
    Positive,
    /// An address with another value as one more parameter, which is named like that.
    WithParameter(Reference),
}

/// A transformation takes no value of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotTake;

/// Every transformation as manifests write it.
pub const NAMES: &[&str] = &[
    "trim",
    "lowercase",
    "uppercase",
    "digits",
    "letters",
    "first_word",
    "other_words",
    "truncate",
    "after",
    "before",
    "or",
    "unless",
    "md5",
    "sha256",
    "base64",
    "minor_units",
    "major_units",
    "fixed",
    "unix_seconds",
    "unix_milliseconds",
    "unix_microseconds",
    "from_unix_seconds",
    "from_unix_milliseconds",
    "day",
    "json_text",
    "text",
    "integer",
    "count",
    "plus",
    "minus",
    "times",
    "sum",
    "equals",
    "positive",
    "with_parameter",
];

/// What stands in the brackets behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A whole number.
    Number(u32),
    /// A text in single quotes.
    Text(String),
    /// A value.
    Value(Reference),
}

impl Transformation {
    /// The transformation of that name with what stands in its brackets.
    ///
    /// # Errors
    /// What it should have been.
    pub fn of(name: &str, argument: Option<Argument>) -> Result<Self, String> {
        use Argument::{Number, Text, Value};
        Ok(match (name, argument) {
            ("trim", None) => Self::Trim,
            ("lowercase", None) => Self::Lowercase,
            ("uppercase", None) => Self::Uppercase,
            ("digits", None) => Self::Digits,
            ("letters", None) => Self::Letters,
            ("first_word", None) => Self::FirstWord,
            ("other_words", None) => Self::OtherWords,
            ("truncate", Some(Number(length))) => Self::Truncate(length),
            ("after", Some(Text(text))) => Self::After(text),
            ("before", Some(Text(text))) => Self::Before(text),
            ("or", Some(Text(text))) => Self::Or(text),
            ("or", Some(Value(value))) => Self::OrElse(value),
            ("unless", Some(Value(value))) => Self::Unless(value),
            ("md5", None) => Self::Md5,
            ("sha256", None) => Self::Sha256,
            ("base64", None) => Self::Base64,
            ("minor_units", Some(Value(currency))) => Self::MinorUnits(currency),
            ("major_units", Some(Value(currency))) => Self::MajorUnits(currency),
            ("fixed", Some(Number(digits))) => Self::Fixed(digits),
            ("unix_seconds", None) => Self::UnixSeconds,
            ("unix_milliseconds", None) => Self::UnixMilliseconds,
            ("unix_microseconds", None) => Self::UnixMicroseconds,
            ("from_unix_seconds", None) => Self::FromUnixSeconds,
            ("from_unix_milliseconds", None) => Self::FromUnixMilliseconds,
            ("day", None) => Self::Day,
            ("json_text", None) => Self::JsonText,
            ("text", None) => Self::Text,
            ("integer", None) => Self::Integer,
            ("count", None) => Self::Count,
            ("plus", Some(Value(value))) => Self::Plus(value),
            ("minus", Some(Value(value))) => Self::Minus(value),
            ("times", Some(Value(value))) => Self::Times(value),
            ("sum", None) => Self::Sum,
            ("equals", Some(Value(value))) => Self::Equals(value),
            ("positive", None) => Self::Positive,
            ("with_parameter", Some(Value(value))) => Self::WithParameter(value),
            ("truncate" | "fixed", _) => return Err(format!("write a whole number behind it: `{name}(2)`")),
            ("after" | "before" | "or", _) => return Err(format!("write a text behind it: `{name}('-')`")),
            ("minor_units" | "major_units", _) => {
                return Err(format!("write the currency behind it: `{name}(input.currency)`"));
            }
            ("plus" | "minus" | "times" | "equals" | "unless" | "with_parameter", _) => {
                return Err(format!("write a value behind it: `{name}(object/amount)`"));
            }
            (known, Some(_)) if NAMES.contains(&known) => return Err(format!("`{known}` takes no brackets")),
            _ => return Err(unknown(name)),
        })
    }

    /// What comes out of a value of that kind: no kind where nobody knows before it is there.
    ///
    /// # Errors
    /// [`CannotTake`] where it takes no value of that kind.
    pub fn gives(&self, taken: Option<Kind>) -> Result<Option<Kind>, CannotTake> {
        let takes = |allowed: fn(Kind) -> bool, gives: Kind| match taken.is_none_or(allowed) {
            true => Ok(Some(gives)),
            false => Err(CannotTake),
        };
        match self {
            Self::Trim | Self::Lowercase | Self::Uppercase => takes(Kind::is_text, taken.unwrap_or(Kind::Text)),
            Self::Digits
            | Self::Letters
            | Self::FirstWord
            | Self::OtherWords
            | Self::Truncate(_)
            | Self::After(_)
            | Self::Before(_)
            | Self::Md5
            | Self::Sha256
            | Self::Base64 => takes(Kind::is_text, Kind::Text),
            Self::OrElse(_) | Self::Unless(_) => Ok(taken),
            Self::Or(_) => takes(Kind::is_text, taken.unwrap_or(Kind::Text)),
            Self::MinorUnits(_) => takes(|kind| matches!(kind, Kind::Decimal | Kind::Integer), Kind::Integer),
            Self::MajorUnits(_) => takes(|kind| kind == Kind::Integer, Kind::Decimal),
            Self::Fixed(_) => takes(|kind| matches!(kind, Kind::Decimal | Kind::Integer), Kind::Text),
            Self::UnixSeconds | Self::UnixMilliseconds | Self::UnixMicroseconds => {
                takes(|kind| kind == Kind::Timestamp, Kind::Integer)
            }
            Self::FromUnixSeconds | Self::FromUnixMilliseconds => {
                takes(|kind| matches!(kind, Kind::Integer | Kind::Text), Kind::Timestamp)
            }
            Self::Day => takes(|kind| kind == Kind::Timestamp, Kind::Date),
            Self::JsonText => Ok(Some(Kind::Text)),
            Self::Text => takes(Kind::is_scalar, Kind::Text),
            Self::Integer => takes(|kind| kind.is_text(), Kind::Integer),
            Self::Count | Self::Sum => takes(|kind| kind == Kind::List, Kind::Integer),
            Self::Plus(_) | Self::Minus(_) => takes(|kind| kind == Kind::Integer, Kind::Integer),
            Self::Times(_) => match taken {
                None => Ok(None),
                Some(kind @ (Kind::Integer | Kind::List)) => Ok(Some(kind)),
                Some(_) => Err(CannotTake),
            },
            Self::Equals(_) => Ok(Some(Kind::Boolean)),
            Self::Positive => takes(|kind| kind == Kind::Integer, Kind::Integer),
            Self::WithParameter(_) => takes(Kind::is_text, Kind::Url),
        }
    }

    /// The value in its brackets.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::MinorUnits(value)
            | Self::MajorUnits(value)
            | Self::OrElse(value)
            | Self::Unless(value)
            | Self::Plus(value)
            | Self::Minus(value)
            | Self::Times(value)
            | Self::Equals(value)
            | Self::WithParameter(value) => Some(value),
            Self::Trim
            | Self::Lowercase
            | Self::Uppercase
            | Self::Digits
            | Self::Letters
            | Self::FirstWord
            | Self::OtherWords
            | Self::Truncate(_)
            | Self::After(_)
            | Self::Before(_)
            | Self::Or(_)
            | Self::Md5
            | Self::Sha256
            | Self::Base64
            | Self::Fixed(_)
            | Self::UnixSeconds
            | Self::UnixMilliseconds
            | Self::UnixMicroseconds
            | Self::FromUnixSeconds
            | Self::FromUnixMilliseconds
            | Self::Day
            | Self::JsonText
            | Self::Text
            | Self::Integer
            | Self::Count
            | Self::Sum
            | Self::Positive => None,
        }
    }
}

fn unknown(name: &str) -> String {
    match vocab::closest(name, NAMES) {
        Some(meant) => format!("no transformation is called `{name}`: did you mean `{meant}`?"),
        None => format!("no transformation is called `{name}`: they are {}", vocab::suggestion::list(NAMES)),
    }
}

impl fmt::Display for Transformation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trim => formatter.write_str("trim"),
            Self::Lowercase => formatter.write_str("lowercase"),
            Self::Uppercase => formatter.write_str("uppercase"),
            Self::Digits => formatter.write_str("digits"),
            Self::Letters => formatter.write_str("letters"),
            Self::FirstWord => formatter.write_str("first_word"),
            Self::OtherWords => formatter.write_str("other_words"),
            Self::Truncate(length) => write!(formatter, "truncate({length})"),
            Self::After(text) => write!(formatter, "after('{text}')"),
            Self::Before(text) => write!(formatter, "before('{text}')"),
            Self::Or(text) => write!(formatter, "or('{text}')"),
            Self::OrElse(value) => write!(formatter, "or({value})"),
            Self::Unless(value) => write!(formatter, "unless({value})"),
            Self::Md5 => formatter.write_str("md5"),
            Self::Sha256 => formatter.write_str("sha256"),
            Self::Base64 => formatter.write_str("base64"),
            Self::MinorUnits(currency) => write!(formatter, "minor_units({currency})"),
            Self::MajorUnits(currency) => write!(formatter, "major_units({currency})"),
            Self::Fixed(digits) => write!(formatter, "fixed({digits})"),
            Self::UnixSeconds => formatter.write_str("unix_seconds"),
            Self::UnixMilliseconds => formatter.write_str("unix_milliseconds"),
            Self::UnixMicroseconds => formatter.write_str("unix_microseconds"),
            Self::FromUnixSeconds => formatter.write_str("from_unix_seconds"),
            Self::FromUnixMilliseconds => formatter.write_str("from_unix_milliseconds"),
            Self::Day => formatter.write_str("day"),
            Self::JsonText => formatter.write_str("json_text"),
            Self::Text => formatter.write_str("text"),
            Self::Integer => formatter.write_str("integer"),
            Self::Count => formatter.write_str("count"),
            Self::Plus(value) => write!(formatter, "plus({value})"),
            Self::Minus(value) => write!(formatter, "minus({value})"),
            Self::Times(value) => write!(formatter, "times({value})"),
            Self::Sum => formatter.write_str("sum"),
            Self::Equals(value) => write!(formatter, "equals({value})"),
            Self::Positive => formatter.write_str("positive"),
            Self::WithParameter(value) => write!(formatter, "with_parameter({value})"),
        }
    }
}
