//! What a field holds: one closed list for request bodies, columns, responses and documents.

use serde::{Deserialize, Serialize};

/// The type of a field. Lengths are in Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// A point in time, UTC, milliseconds.
    Timestamp,
    /// A UUID; new ones are version 7.
    Uuid,
    /// A JSON document.
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
    pub fn max_length(self) -> Option<u32> {
        match self {
            Self::Line { max } | Self::Text { max } => Some(max),
            Self::Email => Some(EMAIL_MAX),
            Self::Phone => Some(PHONE_MAX),
            Self::Url => Some(URL_MAX),
            Self::Integer | Self::Boolean | Self::Timestamp | Self::Uuid | Self::Json => None,
        }
    }

    /// How people name the type, for plans and documentation.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Line { max } => format!("text, one line, at most {max} characters"),
            Self::Text { max } => format!("text, at most {max} characters"),
            Self::Email => "e-mail address".to_owned(),
            Self::Phone => "telephone number".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::Integer => "whole number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Timestamp => "time (UTC)".to_owned(),
            Self::Uuid => "UUID".to_owned(),
            Self::Json => "JSON".to_owned(),
        }
    }
}
