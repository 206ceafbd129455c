//! Users of a MySQL or MariaDB server: what they may do with a database is read and changed, and each is tried by connecting as
//! itself. Statements about users are not taken back when a later one fails; the next run goes on from what is there.

use super::connect::{Maker, Server};
use super::said;
use crate::StoreError;
use crate::blocking::blocking;
use crate::permission::Tried;
use dialect::mysql::permission::{account, pattern};
use dialect::permission::PermissionProbe;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use plan::database::permission::{Grant, Granted, ObservedPermissions, ObservedRole, PermissionStatement};
use sha1::{Digest as _, Sha1};
use std::fmt::Write as _;
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// The server's numbers for a permission that is lacking.
const LACKING: [u16; 5] = [1044, 1142, 1143, 1227, 1370];

impl Server {
    /// What the server says of those users, in this database.
    pub fn permissions(&self, roles: &[RoleName]) -> Result<ObservedPermissions, StoreError> {
        let accounts: Vec<Account> = roles.iter().map(|role| (role.to_string(), account(role.as_str()))).collect();
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            let found = observe(&mut connection, version.maker, &self.name, &accounts).await?;
            connection.disconnect().await?;
            Ok(found)
        })
    }

    /// The same of whoever may do something in this database.
    pub fn everybodys_permissions(&self) -> Result<ObservedPermissions, StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            let name = &self.name;
            let grantees: Vec<String> = connection.exec(GRANTEES, (pattern(name), name, name, name)).await?;
            let known_as = |grantee: String| (grantee.replace("'@'%'", "").replace('\'', ""), grantee);
            let accounts: Vec<Account> = grantees.into_iter().map(known_as).collect();
            let found = observe(&mut connection, version.maker, name, &accounts).await?;
            connection.disconnect().await?;
            Ok(found)
        })
    }

    /// Runs the statements and sets the passwords.
    pub fn permit(
        &self,
        statements: &[PermissionStatement],
        passwords: &[(RoleName, Secret<Zeroizing<String>>)],
    ) -> Result<(), StoreError> {
        blocking(async {
            let (mut connection, version) = self.connect().await?;
            for statement in statements {
                connection.query_drop(&statement.sql).await?;
            }
            for (role, password) in passwords {
                connection.query_drop(set_password(version.maker, role, password).as_str()).await?;
            }
            connection.disconnect().await?;
            Ok(())
        })
    }

    /// Connects as somebody else, and tries each statement. None of them changes anything.
    pub fn try_as(
        &self,
        role: &RoleName,
        password: &Secret<Zeroizing<String>>,
        probes: &[PermissionProbe],
    ) -> Result<Vec<Tried>, StoreError> {
        let server = self.as_user(role, password);
        blocking(async {
            let (mut connection, _) = server.connect().await?;
            let mut tried = Vec::with_capacity(probes.len());
            for probe in probes {
                tried.push(match connection.query_drop(&probe.sql).await {
                    Ok(()) => Tried::Let,
                    Err(Error::Server(error)) if LACKING.contains(&error.code) => Tried::Refused,
                    Err(error) => Tried::Otherwise(said(&error)),
                });
            }
            connection.disconnect().await?;
            Ok(tried)
        })
    }
}

/// MySQL writes no password of such a statement into a log; MariaDB does, and is handed what it keeps of one.
fn set_password(maker: Maker, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Zeroizing<String> {
    let account = account(role.as_str());
    let password = password.expose();
    Zeroizing::new(match maker {
        Maker::MySql => {
            let quoted = Zeroizing::new(password.replace('\\', "\\\\").replace('\'', "\\'"));
            format!("ALTER USER {account} IDENTIFIED BY '{}' ACCOUNT UNLOCK", *quoted)
        }
        Maker::MariaDb => {
            let mut kept = String::from("*");
            for byte in Sha1::digest(Sha1::digest(password.as_bytes())) {
                let _ = write!(kept, "{byte:02X}");
            }
            format!("ALTER USER {account} IDENTIFIED VIA mysql_native_password USING '{kept}' ACCOUNT UNLOCK")
        }
    })
}

/// A user by the name that the plan knows it by, and as the server writes it.
type Account = (String, String);

async fn observe(
    connection: &mut Conn,
    maker: Maker,
    database: &str,
    accounts: &[Account],
) -> Result<ObservedPermissions, StoreError> {
    let user: Option<String> = connection.query_first("SELECT CURRENT_USER()").await?;
    let user = user.unwrap_or_default();
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let own = format!("'{name}'@'{host}'");
    let mut found = ObservedPermissions { user: user.clone(), ..ObservedPermissions::default() };
    let powers: Vec<(String, String)> = connection.exec(POWERS, (&own,)).await?;
    if !powers.iter().any(|(power, _)| power == "CREATE USER") {
        found.user_lacks.push(format!("`{user}` may not make users (`CREATE USER`)"));
    }
    let everywhere = powers.iter().any(|(_, grantable)| grantable == "YES");
    let here: Vec<(String, String)> = connection.exec(ON_DATABASE, (&own, pattern(database), database)).await?;
    if !everywhere && !here.iter().any(|(_, grantable)| grantable == "YES") {
        found.user_lacks.push(format!("`{user}` may not hand on what it may (`GRANT OPTION`)"));
    }
    let tables: Vec<String> = connection.exec(TABLES, (database,)).await?;
    // Tables have no owner there.
    found.owners = tables.into_iter().map(|table| (table, String::new())).collect();
    for account in accounts {
        let Some(mut role) = role(connection, database, account).await? else { continue };
        itself(connection, maker, account, &mut role).await?;
        found.roles.push(role);
    }
    Ok(found)
}

/// Whether the user is let in, and of what roles it is a member. The server tells only those who may read its own tables; for
/// anybody else a user is as it should be.
async fn itself(
    connection: &mut Conn,
    maker: Maker,
    (_, account): &Account,
    role: &mut ObservedRole,
) -> Result<(), StoreError> {
    let (locked, memberships) = match maker {
        Maker::MySql => (MYSQL_LOCKED, MYSQL_MEMBERSHIPS),
        Maker::MariaDb => (MARIADB_LOCKED, MARIADB_MEMBERSHIPS),
    };
    let is_locked: Vec<bool> = connection.exec(locked, (account,)).await.or_else(unless_lacking)?;
    role.may_log_in = !is_locked.contains(&true);
    let member_of: Vec<String> = connection.exec(memberships, (account,)).await.or_else(unless_lacking)?;
    role.member_of = member_of.into_iter().collect();
    Ok(())
}

fn unless_lacking<T>(error: Error) -> Result<Vec<T>, StoreError> {
    match error {
        Error::Server(error) if LACKING.contains(&error.code) => Ok(Vec::new()),
        Error::Server(_) | Error::Driver(_) | Error::Io(_) | Error::Url(_) | Error::Other(_) => Err(error.into()),
    }
}

async fn role(
    connection: &mut Conn,
    database: &str,
    (name, account): &Account,
) -> Result<Option<ObservedRole>, StoreError> {
    let powers: Vec<(String, String)> = connection.exec(POWERS, (account,)).await?;
    if powers.is_empty() {
        return Ok(None);
    }
    let mut role = ObservedRole { name: name.clone(), may_log_in: true, ..ObservedRole::default() };
    // `USAGE` is no power: it says that there is nothing else.
    role.powers = powers.into_iter().map(|(power, _)| power).filter(|power| power != "USAGE").collect();
    let mut grant = |on: Granted, privilege: String, grantable: &str| {
        role.grants.insert(Grant { on, privilege, may_be_handed_on: grantable == "YES" });
    };
    let on_database: Vec<(String, String)> =
        connection.exec(ON_DATABASE, (account, pattern(database), database)).await?;
    on_database.into_iter().for_each(|(privilege, grantable)| grant(Granted::Database, privilege, &grantable));
    let on_tables: Vec<(String, String, String)> = connection.exec(ON_TABLES, (account, database)).await?;
    on_tables.into_iter().for_each(|(table, privilege, grantable)| {
        grant(Granted::Table(table), privilege, &grantable);
    });
    let on_columns: Vec<(String, String, String, String)> = connection.exec(ON_COLUMNS, (account, database)).await?;
    on_columns.into_iter().for_each(|(table, column, privilege, grantable)| {
        grant(Granted::Column(table, column), privilege, &grantable);
    });
    Ok(Some(role))
}

const POWERS: &str = "SELECT PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ?";
const ON_DATABASE: &str = "SELECT PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.SCHEMA_PRIVILEGES
WHERE GRANTEE = ? AND TABLE_SCHEMA IN (?, ?) AND PRIVILEGE_TYPE <> 'USAGE'";
const ON_TABLES: &str = "SELECT TABLE_NAME, PRIVILEGE_TYPE, IS_GRANTABLE FROM information_schema.TABLE_PRIVILEGES
WHERE GRANTEE = ? AND TABLE_SCHEMA = ? AND PRIVILEGE_TYPE <> 'USAGE'";
const ON_COLUMNS: &str = "SELECT TABLE_NAME, COLUMN_NAME, PRIVILEGE_TYPE, IS_GRANTABLE
FROM information_schema.COLUMN_PRIVILEGES WHERE GRANTEE = ? AND TABLE_SCHEMA = ?";
const MYSQL_LOCKED: &str =
    "SELECT account_locked = 'Y' FROM mysql.user WHERE CONCAT(QUOTE(User), '@', QUOTE(Host)) = ?";
const MARIADB_LOCKED: &str = "SELECT COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) = 1 FROM mysql.global_priv
WHERE CONCAT(QUOTE(User), '@', QUOTE(Host)) = ?";
const MYSQL_MEMBERSHIPS: &str =
    "SELECT FROM_USER FROM mysql.role_edges WHERE CONCAT(QUOTE(TO_USER), '@', QUOTE(TO_HOST)) = ?";
const MARIADB_MEMBERSHIPS: &str =
    "SELECT Role FROM mysql.roles_mapping WHERE CONCAT(QUOTE(User), '@', QUOTE(Host)) = ?";
const TABLES: &str = "SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1";
pub(super) const GRANTEES: &str =
    "SELECT GRANTEE FROM information_schema.SCHEMA_PRIVILEGES WHERE TABLE_SCHEMA IN (?, ?)
UNION SELECT GRANTEE FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = ?
UNION SELECT GRANTEE FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = ? ORDER BY 1";
