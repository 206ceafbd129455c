//! MongoDB, for those who make collections: a client for each piece of work, which ends with it. What a server can do is tried, never
//! read from its name. The password is never shown.

mod abilities;
mod api_keys;
mod command;
mod connect;
mod inspect;
mod migrate;
mod rehearse;
mod serving;
mod turn;
mod value;

use crate::StoreError;
use crate::blocking::blocking;
use crate::database::Seen;
use crate::error::Trouble;
use ::mongodb::error::{Error, ErrorKind, WriteFailure};
use plan::database::{DatabasePlace, ObservedTable};
use vocab::TableName;

pub use abilities::Abilities;
pub use connect::Server;
pub use rehearse::ScratchCollections;
pub use serving::{MongoStore, MongoTransaction};

/// Collections of ours beside those of the plan.
const LEDGER: &str = "schema_migrations";
/// What each collection was made to hold, for servers that keep no validators.
const VALIDATORS: &str = "producer_validators";
const COUNTERS: &str = "producer_counters";
const HOLDS: &str = "producer_holds";
const OWN: [&str; 5] = [LEDGER, VALIDATORS, COUNTERS, HOLDS, turn::TURNS];

impl Server {
    /// What is there now.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        blocking(async {
            let (database, version) = self.connect().await?;
            let (name, user) = (self.name.clone(), self.user());
            Ok(Seen {
                place: Some(DatabasePlace { database: name, schema: String::new(), user, keeps_apart: true }),
                tables: inspect::collections(&database).await?,
                applied: migrate::recorded(&database, scope, true).await?,
                begun: migrate::recorded(&database, scope, false).await?,
                filled: inspect::filled(&database).await?,
                version,
                most_connections: None,
            })
        })
    }

    /// The collections, each as its validator and its indexes describe it.
    pub fn tables(&self) -> Result<Vec<ObservedTable>, StoreError> {
        blocking(async { inspect::collections(&self.connect().await?.0).await })
    }

    /// How many documents those of the collections hold that are there.
    pub fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        blocking(async { inspect::count(&self.connect().await?.0, tables).await })
    }

    /// What it was seen to be able to do.
    pub fn abilities(&self) -> Result<Abilities, StoreError> {
        blocking(async { abilities::of(self, self.connect().await?.0.client()).await })
    }
}

/// By the numbers of <https://www.mongodb.com/docs/manual/reference/error-codes/>.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if error.contains_label("TransientTransactionError") {
            return Self::Contended(error.to_string());
        }
        match *error.kind {
            ErrorKind::Command(ref said) => of_code(said.code, &said.message),
            ErrorKind::Write(WriteFailure::WriteError(ref said)) => of_code(said.code, &said.message),
            ErrorKind::Authentication { ref message, .. } => {
                Self::NotConnected(Trouble::Authentication, message.clone())
            }
            ErrorKind::ServerSelection { ref message, .. } => connect::not_reached(message),
            ErrorKind::DnsResolve { ref message, .. } => Self::NotConnected(Trouble::UnknownHost, message.clone()),
            ErrorKind::InvalidTlsConfig { ref message, .. } => Self::NotConnected(Trouble::Tls, message.clone()),
            ErrorKind::Io(ref said) => Self::Unavailable(said.to_string()),
            ErrorKind::ConnectionPoolCleared { ref message, .. } => Self::Unavailable(message.clone()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// What FerretDB passes on of the database under it, where an update meets a unique value, as if it were a failure of its own.
const UNIQUE_BELOW: [&str; 2] = ["UNIQUE constraint failed", "duplicate key value violates unique constraint"];

fn of_code(code: i32, message: &str) -> StoreError {
    match code {
        1 if UNIQUE_BELOW.iter().any(|words| message.contains(words)) => StoreError::Conflict,
        11000 | 11001 => StoreError::Conflict,
        112 | 251 => StoreError::Contended(message.to_owned()),
        18 => StoreError::NotConnected(Trouble::Authentication, message.to_owned()),
        13 => StoreError::NotConnected(Trouble::NotAllowed, message.to_owned()),
        50 | 89 | 91 | 189 | 262 | 10107 | 11600 | 11602 | 13435 => StoreError::Unavailable(message.to_owned()),
        _ => StoreError::Refused(message.to_owned()),
    }
}
