//! The codes this crate reports: a data file that a workspace brings itself is wrong.

use vocab::Code;

/// A file of the workspace's own entities or relations cannot be used.
pub const OWN_FILE_WRONG: Code = Code("IP245");

/// Every code of this crate.
pub const ALL_CODES: &[Code] = &[OWN_FILE_WRONG];
