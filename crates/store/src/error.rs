//! How a database fails, sorted by what a caller can do about it.

use std::fmt;

/// A failure of the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken: another value may do.
    #[error("a row with the same unique value exists")]
    Conflict,
    /// Others were at the same rows: nothing was done, and the same work may succeed at once.
    #[error("others are at work on the same rows: {0}")]
    Contended(String),
    /// The time is taken by another row: another time may do.
    #[error("another row takes some of the same time")]
    Overlap,
    /// A key to another row leads nowhere, or a row goes that others lead to.
    #[error("rows lead to each other, and one of them would be gone")]
    Reference,
    /// It does not let us in.
    #[error("{1}")]
    NotConnected(Trouble, String),
    /// It does not answer now: trying again may help.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The connection ended before the work did: of a transaction nothing is left, and the same work may succeed at once.
    #[error("the connection to the database ended: {0}")]
    Lost(String),
    /// The connection ended while work was committed: it may be there, and it may not.
    #[error("the connection to the database ended while work was committed, and nobody knows whether it was: {0}")]
    Uncertain(String),
    /// Something took longer than it may, and nothing was done: trying again may help.
    #[error("{0}: {1}")]
    Late(Late, String),
    /// Somebody else keeps what is needed: trying again may help.
    #[error("{who}")]
    Locked {
        /// Who keeps what.
        who: String,
        /// What to do about it.
        way: String,
    },
    /// A migration was changed after it was applied.
    #[error("migration `{name}` was applied with another content: it must not be edited, add a new one")]
    MigrationChanged {
        /// The migration.
        name: String,
    },
    /// A migration was stopped half way on a server that makes none whole or not at all. The next run goes on there.
    #[error("{why}; of the {of} statements of `{migration}` these are done and stay: {}", done.join("; "))]
    HalfDone {
        /// The migration.
        migration: String,
        /// Why each statement that is done was there.
        done: Vec<String>,
        /// How many statements there are.
        of: usize,
        /// What stopped it.
        why: String,
    },
    /// The statement or the data is wrong: trying again will not help.
    #[error("the database refused: {0}")]
    Refused(String),
}

/// What took longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// A statement.
    Statement,
    /// Waiting for a connection of the pool.
    Pool,
    /// Waiting for what another transaction has locked.
    Lock,
    /// A read, as the engine estimates it: it was not begun.
    Plan,
}

impl Late {
    /// Its name in logs and responses.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Statement => "statement_timeout",
            Self::Pool => "pool_exhausted",
            Self::Lock => "lock_timeout",
            Self::Plan => "plan_over_budget",
        }
    }
}

/// Whether a read may be begun; where nobody knows what it comes to it may.
#[allow(clippy::cast_precision_loss, reason = "an estimate has no digits that matter")]
pub(crate) fn within(budget: u64, estimate: Option<f64>) -> Result<(), StoreError> {
    match estimate.filter(|estimate| *estimate > budget as f64) {
        Some(estimate) => {
            Err(StoreError::Late(Late::Plan, format!("it is estimated at {estimate:.0}, and the budget is {budget}")))
        }
        None => Ok(()),
    }
}

impl fmt::Display for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Statement => "a statement took too long",
            Self::Pool => "all connections of the pool were at work",
            Self::Lock => "others kept rows locked for too long",
            Self::Plan => "a read would take more than its budget",
        })
    }
}

/// What keeps a server from letting us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody knows the host's name.
    UnknownHost,
    /// There is no way to the host.
    Unreachable,
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Somebody answers who is no such server.
    NotTheServer,
    /// Encryption was wanted, and the server offers none.
    TlsNotOffered,
    /// Nobody who is trusted has signed the server's certificate.
    UnknownAuthority,
    /// The server's certificate is another host's.
    OtherName,
    /// The server's certificate has ended, has not begun, or cannot be read.
    BadCertificate,
    /// No agreement about encryption.
    Tls,
    /// The authorities that are to be trusted cannot be read here.
    NoRoots,
    /// The password is not right, or was asked for and not given.
    Authentication,
    /// The server has no such role, or it may not log in.
    RoleMissing,
    /// The server's rules do not let this role in from here, or not like this.
    NotAdmitted,
    /// The role may not enter the database.
    NotAllowed,
    /// The server has no such database.
    DatabaseMissing,
    /// It has no connection left.
    Busy,
    /// It is starting, or ending.
    Starting,
    /// It is too old.
    TooOld,
    /// It takes no changes.
    ReadOnly,
    /// What stands at the path of a database's file is none.
    NotAFile,
    /// The folder of a database's file cannot be used.
    NoFolder,
    /// Something else.
    Other,
}

impl Trouble {
    /// Whether it may pass by itself.
    #[must_use]
    pub fn may_pass(self) -> bool {
        match self {
            Self::UnknownHost
            | Self::Unreachable
            | Self::Refused
            | Self::TimedOut
            | Self::Busy
            | Self::Starting
            | Self::NoFolder => true,
            Self::NotTheServer
            | Self::TlsNotOffered
            | Self::UnknownAuthority
            | Self::OtherName
            | Self::BadCertificate
            | Self::Tls
            | Self::NoRoots
            | Self::Authentication
            | Self::RoleMissing
            | Self::NotAdmitted
            | Self::NotAllowed
            | Self::DatabaseMissing
            | Self::TooOld
            | Self::ReadOnly
            | Self::NotAFile
            | Self::Other => false,
        }
    }
}

impl StoreError {
    /// The same for who serves from a server: one that hangs up while it lets somebody in is ending or starting, since it was seen to
    /// be one before.
    pub(crate) fn passing(self) -> Self {
        match self {
            Self::NotConnected(Trouble::NotTheServer, why) => Self::NotConnected(Trouble::Starting, why),
            other => other,
        }
    }

    /// Whether it is a server that restarts, or has a connection again in a moment.
    pub(crate) fn passes_soon(&self) -> bool {
        matches!(self, Self::NotConnected(Trouble::Refused | Trouble::Starting | Trouble::Busy, _))
    }

    /// What took too long, where that is what failed.
    #[must_use]
    pub fn late(&self) -> Option<Late> {
        match self {
            Self::Late(late, _) => Some(*late),
            Self::Locked { .. } => Some(Late::Lock),
            _ => None,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Contended(_)
            | Self::Lost(_)
            | Self::Uncertain(_)
            | Self::Late(..)
            | Self::Locked { .. }
            | Self::HalfDone { .. } => true,
            Self::NotConnected(trouble, _) => trouble.may_pass(),
            Self::Conflict | Self::Overlap | Self::Reference | Self::MigrationChanged { .. } | Self::Refused(_) => {
                false
            }
        }
    }
}
