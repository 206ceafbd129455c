//! How a database fails, sorted by what a caller can do about it.

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken: another value may do.
    #[error("a row with the same unique value exists")]
    Conflict,
    /// It does not answer now: trying again may help.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// A migration was changed after it was applied.
    #[error("migration `{name}` was applied with another content: it must not be edited, add a new one")]
    MigrationChanged {
        /// The migration.
        name: String,
    },
    /// The statement or the data is wrong: trying again will not help.
    #[error("the database refused: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Conflict | Self::MigrationChanged { .. } | Self::Refused(_) => false,
        }
    }
}
