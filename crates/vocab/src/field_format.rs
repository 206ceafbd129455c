//! What the value of a field must look like beside its type: a closed list, checked alike by every server.

use serde::{Deserialize, Serialize};

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldFormat {
    /// The name of a file alone: no `/` and no `\\`, neither `.` nor `..`.
    FileName,
    /// A media type such as `image/png`, RFC 6838, without parameters.
    MediaType,
    /// A SHA-256 digest: 64 digits of lower-case hex.
    Sha256,
    /// A number of bytes, from 0 to [`BYTE_COUNT_MAX`].
    ByteCount,
    /// A password as it was set: taken as it stands, white space and all.
    Password,
    /// The same of a password that is set: one that is not easily guessed.
    NewPassword,
}

/// The largest file that is taken note of: 5 TiB, the largest object that the usual stores keep.
pub const BYTE_COUNT_MAX: i64 = 5 << 40;

impl FieldFormat {
    /// What a value must be, for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::FileName => "a file name without a path",
            Self::MediaType => "a media type such as image/png",
            Self::Sha256 => "64 digits of lower-case hex",
            Self::ByteCount => "between 0 and 5497558138880",
            Self::Password => "a password",
            Self::NewPassword => "a password that is not easily guessed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_described() {
        assert_eq!(FieldFormat::ByteCount.describe(), format!("between 0 and {BYTE_COUNT_MAX}"));
    }
}
