//! What a value is and how carefully it is handled: the words that inputs, answers and events declare.

use serde::{Deserialize, Serialize};

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text.
    Text,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An `http` or `https` URL.
    Url,
    /// A UUID.
    Uuid,
    /// A currency's code, ISO 4217.
    Currency,
    /// A country's code, ISO 3166-1 alpha-2.
    Country,
    /// A whole number.
    Integer,
    /// An exact decimal number.
    Decimal,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A point in time.
    Timestamp,
    /// Records, one after the other.
    List,
    /// A JSON document.
    Json,
}

impl Kind {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Uuid => "uuid",
            Self::Currency => "currency",
            Self::Country => "country",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::List => "list",
            Self::Json => "json",
        }
    }

    /// Whether it is written as text in every encoding.
    #[must_use]
    pub fn is_text(self) -> bool {
        match self {
            Self::Text | Self::Email | Self::Phone | Self::Url | Self::Uuid | Self::Currency | Self::Country => true,
            Self::Integer | Self::Decimal | Self::Boolean | Self::Date | Self::Timestamp | Self::List | Self::Json => {
                false
            }
        }
    }

    /// Whether a value of this kind can stand where one of the other is asked for.
    #[must_use]
    pub fn fits(self, wanted: Self) -> bool {
        self == wanted
            || (self.is_text() && wanted == Self::Text)
            || (self == Self::Integer && wanted == Self::Decimal)
            || wanted == Self::Json
    }

    /// Whether a value can be part of a longer text.
    #[must_use]
    pub fn is_scalar(self) -> bool {
        !matches!(self, Self::List | Self::Json)
    }
}

/// How carefully a value is handled, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Anybody may see it; it stands in logs and in the records of attempts as it is.
    Plain,
    /// It says something about a person: logs and records of attempts hold its hash.
    Personal,
    /// It opens something: logs and records of attempts hold `[redacted]`.
    Secret,
    /// It pays: it is neither logged nor recorded, and is never kept.
    Card,
}

impl Privacy {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Personal => "personal",
            Self::Secret => "secret",
            Self::Card => "card",
        }
    }
}
