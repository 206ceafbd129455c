//! Why an address is not written to, as a word.

use serde::{Deserialize, Serialize};

/// Why an address is not written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionReason {
    /// Whoever keeps its mails has said that there is nobody of that name.
    Bounce,
    /// Whoever reads its mails has called one of ours unwanted.
    Complaint,
    /// Somebody who runs the server has said so.
    Manual,
}

impl SuppressionReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bounce, Self::Complaint, Self::Manual];

    /// The word that stands in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }

    /// The reason of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Whether it stops a mail; `is_essential` where the owner of an account has to know what it says.
    #[must_use]
    pub fn stops(self, is_essential: bool) -> bool {
        match self {
            Self::Bounce | Self::Manual => true,
            Self::Complaint => !is_essential,
        }
    }
}
