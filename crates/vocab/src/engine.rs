//! The database engines by name. How each behaves is the business of `dialect` and `store`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// SQLite, also the embedded default.
    Sqlite,
    /// PostgreSQL, from version 14.
    #[serde(rename = "postgresql")]
    PostgreSql,
    /// MySQL from version 8.0.29, MariaDB from 10.11.
    #[serde(rename = "mysql")]
    MySql,
    /// MongoDB: collections of documents.
    #[serde(rename = "mongodb")]
    MongoDb,
}

impl Engine {
    /// Whether a database is a file that is made when it is not there, and not a name on a server.
    #[must_use]
    pub fn keeps_files(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::PostgreSql | Self::MySql | Self::MongoDb => false,
        }
    }

    /// Whether definitions can be part of a transaction; where they cannot, a migration may be left half done.
    #[must_use]
    pub fn defines_in_transactions(self) -> bool {
        match self {
            Self::Sqlite | Self::PostgreSql => true,
            Self::MySql | Self::MongoDb => false,
        }
    }

    /// Whether it keeps documents in collections, and not rows in tables.
    #[must_use]
    pub fn keeps_documents(self) -> bool {
        match self {
            Self::Sqlite | Self::PostgreSql | Self::MySql => false,
            Self::MongoDb => true,
        }
    }

    /// Whether it knows roles and grants that can be brought about.
    #[must_use]
    pub fn has_roles(self) -> bool {
        match self {
            Self::Sqlite | Self::MongoDb => false,
            Self::PostgreSql | Self::MySql => true,
        }
    }

    /// The engine's name in tasks and responses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::PostgreSql => "postgresql",
            Self::MySql => "mysql",
            Self::MongoDb => "mongodb",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
