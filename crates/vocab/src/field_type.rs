//! What a field holds: one closed list for request bodies, columns, responses and documents.

use crate::decimal;
use serde::{Deserialize, Serialize};

/// The type of a field. Lengths are in Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text of one line: no control characters.
    Line {
        /// Longest accepted value.
        max: u32,
    },
    /// Text of several lines: tab, line feed and carriage return are allowed.
    Text {
        /// Longest accepted value.
        max: u32,
    },
    /// An e-mail address; compared without regard to case.
    Email,
    /// A telephone number as people write them.
    Phone,
    /// An `http` or `https` URL.
    Url,
    /// One of a closed list of words.
    Choice {
        /// The words, in the order in which people think of them.
        words: Vec<String>,
    },
    /// A code of so many letters, kept in capitals: currencies (ISO 4217) have three, countries (ISO 3166-1 alpha-2) two.
    Code {
        /// How many letters.
        letters: u8,
    },
    /// A whole number of 64 bits.
    Integer,
    /// An exact number of [`decimal::DIGITS`] digits, so many of them behind the point: money, measures.
    Decimal {
        /// Digits behind the point.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// A day of the calendar, `2026-01-02`.
    Date,
    /// A point in time, UTC, milliseconds.
    Timestamp,
    /// A UUID; new ones are version 7.
    Uuid,
    /// A JSON document: an object or a list.
    Json,
}

/// Longest e-mail address: RFC 5321 gives a path 256 octets with its brackets.
pub const EMAIL_MAX: u32 = 254;
/// Longest telephone number with its separators.
pub const PHONE_MAX: u32 = 40;
/// Longest URL that common clients and servers take.
pub const URL_MAX: u32 = 2048;

impl FieldType {
    /// The longest text value, in code points; `None` for types that are not free text.
    #[must_use]
    pub fn max_length(&self) -> Option<u32> {
        match self {
            Self::Line { max } | Self::Text { max } => Some(*max),
            Self::Email => Some(EMAIL_MAX),
            Self::Phone => Some(PHONE_MAX),
            Self::Url => Some(URL_MAX),
            Self::Choice { .. }
            | Self::Code { .. }
            | Self::Integer
            | Self::Decimal { .. }
            | Self::Boolean
            | Self::Date
            | Self::Timestamp
            | Self::Uuid
            | Self::Json => None,
        }
    }

    /// How people name the type, for plans and documentation.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Line { max } => format!("text, one line, at most {max} characters"),
            Self::Text { max } => format!("text, at most {max} characters"),
            Self::Email => "e-mail address".to_owned(),
            Self::Phone => "telephone number".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::Choice { words } => format!("one of {}", quoted_list(words)),
            Self::Code { letters } => format!("code of {letters} letters"),
            Self::Integer => "whole number".to_owned(),
            Self::Decimal { scale } => {
                format!("decimal number, {} digits, {scale} of them behind the point", decimal::DIGITS)
            }
            Self::Boolean => "true or false".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Timestamp => "time (UTC)".to_owned(),
            Self::Uuid => "UUID".to_owned(),
            Self::Json => "JSON document".to_owned(),
        }
    }
}

fn quoted_list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
