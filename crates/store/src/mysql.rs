//! MySQL and MariaDB, for those who make schemas: a connection for each piece of work, which ends with it. The password is never shown.

mod api_keys;
mod condition;
mod connect;
mod copy;
mod inspect;
mod locks;
mod migrate;
mod rehearse;
mod roles;
mod scratch;
mod serving;
mod value;

use crate::StoreError;
use crate::blocking::blocking;
use crate::database::Seen;
use crate::error::{Late, Trouble};
use dialect::mysql::quote;
use migrate::Part;
use mysql_async::Error;
use mysql_async::prelude::Queryable;
use plan::database::{DatabasePlace, ObservedTable};
use vocab::TableName;

pub use connect::Server;
pub use copy::{LogPlace, StillDatabase};
pub use scratch::ScratchDatabase;
pub use serving::{MySqlStore, MySqlTransaction};

impl Server {
    /// What is there now.
    pub fn look(&self, scope: &str) -> Result<Seen, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            let user: Option<String> = connection.query_first("SELECT CURRENT_USER()").await?;
            let (database, schema, user) = (self.name.clone(), String::new(), user.unwrap_or_default());
            let seen = Seen {
                place: Some(DatabasePlace { database, schema, user, keeps_apart: true }),
                tables: inspect::tables(&mut connection, version.maker).await?,
                applied: migrate::recorded(&mut connection, scope, Part::Whole).await?,
                begun: migrate::recorded(&mut connection, scope, Part::Begun).await?,
                filled: inspect::filled(&mut connection).await?,
                most_connections: connection.query_first("SELECT @@max_connections").await?,
                version: version.to_string(),
            };
            connection.disconnect().await?;
            Ok(seen)
        })
    }

    /// The tables that the user may see; no row is read, which it need not be let.
    pub fn tables(&self) -> Result<Vec<ObservedTable>, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            let tables = inspect::tables(&mut connection, version.maker).await?;
            connection.disconnect().await?;
            Ok(tables)
        })
    }

    /// How many rows those of the tables hold that are there.
    pub fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        blocking(async {
            let (mut connection, _) = self.connect().await?;
            let mut rows = 0;
            for table in tables {
                if inspect::has_table(&mut connection, table.as_str()).await? {
                    let count = format!("SELECT COUNT(*) FROM {}", quote(table.as_str()));
                    rows += connection.query_first::<i64, _>(count).await?.unwrap_or_default();
                }
            }
            connection.disconnect().await?;
            Ok(rows)
        })
    }
}

/// What the server or the driver says.
fn said(error: &Error) -> String {
    match error {
        Error::Server(said) => said.message.clone(),
        Error::Io(said) => said.to_string(),
        Error::Driver(said) => said.to_string(),
        Error::Url(_) => "the URL cannot be read".to_owned(),
        Error::Other(said) => said.to_string(),
    }
}

impl From<Error> for StoreError {
    /// By the numbers of <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>, which MariaDB shares.
    fn from(error: Error) -> Self {
        let why = said(&error);
        match error {
            Error::Server(said) => match said.code {
                1062 | 1586 => Self::Conflict,
                // What a trigger says.
                1644 if said.message.ends_with(dialect::OVERLAPS) => Self::Overlap,
                1216 | 1217 | 1451 | 1452 => Self::Reference,
                1290 | 1792 | 1836 => Self::NotConnected(Trouble::ReadOnly, why),
                // Another transaction was in the way, or a statement was prepared before its table changed.
                1213 | 1412 | 1615 => Self::Contended(why),
                1205 => Self::Late(Late::Lock, why),
                1969 | 3024 => Self::Late(Late::Statement, why),
                // The server ends, or somebody has ended the connection.
                1053 | 1158 | 1927 | 4031 => Self::Lost(why),
                // A statement that somebody has stopped; no room.
                1021 | 1037 | 1038 | 1040 | 1114 | 1317 => Self::Unavailable(why),
                1419 => Self::Refused(format!(
                    "{why}. Set `log_bin_trust_function_creators = 1` on the server, or connect as a user that may make triggers"
                )),
                _ => Self::Refused(why),
            },
            Error::Io(_) | Error::Driver(mysql_async::DriverError::ConnectionClosed) => Self::Lost(why),
            Error::Driver(_) | Error::Url(_) | Error::Other(_) => Self::Refused(why),
        }
    }
}
