//! How a database fails, sorted by what a caller can do about it.

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken: another value may do.
    #[error("a row with the same unique value exists")]
    Conflict,
    /// A key to another row leads nowhere, or a row goes that others lead to.
    #[error("rows lead to each other, and one of them would be gone")]
    Reference,
    /// It does not let us in.
    #[error("{1}")]
    NotConnected(Trouble, String),
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

/// What keeps a server from letting us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody knows the host's name.
    UnknownHost,
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The user or the password is not right.
    Authentication,
    /// The server has no such database.
    DatabaseMissing,
    /// It has no connection left, or is still starting.
    Busy,
    /// It is too old.
    TooOld,
    /// It takes no changes.
    ReadOnly,
    /// Something else.
    Other,
}

impl StoreError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::NotConnected(Trouble::TimedOut | Trouble::Refused | Trouble::UnknownHost | Trouble::Busy, _) => {
                true
            }
            Self::NotConnected(_, _) => false,
            Self::Conflict | Self::Reference | Self::MigrationChanged { .. } | Self::Refused(_) => false,
        }
    }
}
