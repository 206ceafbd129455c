//! Who may do what in a database: the roles wanted, what a server was seen to grant, and how the two differ.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use vocab::{ColumnName, RoleName, TableName};

/// The roles of a database task, and where they are roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// The database on its server.
    pub database: String,
    /// The schema in it; empty where the engine has none.
    pub schema: String,
    /// What each role says about itself on the server, so that nobody takes it for another's.
    pub mark: String,
    /// The roles, in the order in which they are made. Empty where the engine has none.
    pub roles: Vec<Role>,
    /// Tables that APIs on the database have brought: they belong to whoever made them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub guests: BTreeSet<TableName>,
    /// Tables of which the application sees the rows of one user alone, unless it says that it means all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owned: Owned,
}

/// Tables whose rows are users', and how it is told whose one is.
pub type Owned = BTreeMap<TableName, OwnedBy>;

/// How it is told whose a row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnedBy {
    /// This column names the user.
    User(ColumnName),
    /// It is whose that row of another such table is which it leads to.
    Row {
        /// What leads there.
        column: ColumnName,
        /// The other table.
        table: TableName,
        /// What is led to.
        key: ColumnName,
    },
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name on the server.
    pub name: RoleName,
    /// What it may do.
    pub access: Access,
    /// The tables it may do it with; empty: all of them, and those that come later.
    pub tables: Vec<TableName>,
    /// What it does, where that is known; else all that its access says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Uses>,
    /// How it is let in.
    pub login: Login,
    /// Who asked for it.
    pub origin: RoleOrigin,
    /// What it is for.
    pub why: String,
}

/// What a program does with the tables of a database.
pub type Uses = BTreeMap<TableName, TableUse>;

/// What a program does with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUse {
    /// The columns that it reads.
    pub reads: BTreeSet<ColumnName>,
    /// The columns that it gives to new rows.
    pub inserts: BTreeSet<ColumnName>,
    /// The columns that it changes.
    pub updates: BTreeSet<ColumnName>,
    /// Whether it removes rows.
    pub deletes: bool,
}

impl TableUse {
    /// Takes what another program does with the table in.
    pub fn extend(&mut self, other: &Self) {
        self.reads.extend(other.reads.iter().cloned());
        self.inserts.extend(other.inserts.iter().cloned());
        self.updates.extend(other.updates.iter().cloned());
        self.deletes |= other.deletes;
    }
}

/// What a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Own the tables.
    Owner,
    /// Become the owner, and so change tables.
    Migrate,
    /// Read, add, change and remove rows.
    ReadWrite,
    /// Read rows.
    ReadOnly,
    /// Read everything that a copy must have.
    Backup,
}

/// How a role is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Not at all.
    Never,
    /// With a password that is made, and kept in the secret store under the task and the role.
    Generated,
    /// With the password that an environment variable holds.
    Environment(String),
    /// With the password that the secret store holds under that name.
    Secret(String),
}

/// Who asked for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleOrigin {
    /// Every database gets it where that can be.
    Default,
    /// The task: the database would not be the task's without it.
    Task,
}

/// A statement that brings permissions to what is wanted. No password is part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PermissionStatement {
    /// The text that is printed and the text that is executed.
    pub sql: String,
    /// Why it is there.
    pub why: String,
    /// How it is taken back.
    pub undo: String,
}

/// What a server was seen to say of roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ObservedPermissions {
    /// Who looked.
    pub user: String,
    /// What that one lacks to bring permissions to what is wanted, in words; empty when it may.
    pub user_lacks: Vec<String>,
    /// Whether that one may say who is let into the database.
    pub may_administer_database: bool,
    /// Whether the producer has made the database: then nobody else's programs count on entering it.
    pub database_was_made: bool,
    /// The roles of the task that the one who looked may act as.
    pub acts_as: BTreeSet<String>,
    /// The roles that were asked about and are there.
    pub roles: Vec<ObservedRole>,
    /// The tables of the schema with their owners, by name. Where tables belong to nobody an owner has no name.
    pub owners: Vec<(String, String)>,
    /// The sequences of the schema, by name.
    pub sequences: Vec<String>,
    /// What everybody may do: enter the database, make things in the schema, and anything with what is in it.
    pub everybody: BTreeSet<Grant>,
    /// The tables of the schema whose rows not everybody sees who may read them.
    pub row_security: Vec<RowSecurity>,
}

/// Which rows of a table may be seen and written, by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowSecurity {
    /// The table.
    pub table: String,
    /// Whether the policies hold. Where they do and there is none, nobody but the owner sees a row.
    pub is_on: bool,
    /// Whether they hold for the owner as well.
    pub is_forced: bool,
    /// The policies.
    pub policies: Vec<Policy>,
}

/// A rule about rows, as the server prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// For which statements: `SELECT`, `ALL`.
    pub command: String,
    /// For whom; `public` is everybody.
    pub roles: Vec<String>,
    /// Which rows may be seen.
    pub using: Option<String>,
    /// Which rows may be written.
    pub check: Option<String>,
    /// Whether it allows what it names, or forbids all else.
    pub is_permissive: bool,
}

/// A role as the server describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ObservedRole {
    /// Its name.
    pub name: String,
    /// Whether it may log in.
    pub may_log_in: bool,
    /// What it says about itself.
    pub mark: Option<String>,
    /// What it may do on the whole server, in the server's words: `SUPERUSER`.
    pub powers: BTreeSet<String>,
    /// The roles it is a member of.
    pub member_of: BTreeSet<String>,
    /// Settings of its sessions in this database: `role=shop_owner`.
    pub settings: BTreeSet<String>,
    /// What it was granted in this database.
    pub grants: BTreeSet<Grant>,
}

/// Something that may be done with something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    /// With what.
    pub on: Granted,
    /// What, in the server's words: `SELECT`.
    pub privilege: String,
    /// Whether it may be handed on.
    pub may_be_handed_on: bool,
}

/// What a grant is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Granted {
    /// The database.
    Database,
    /// The schema.
    Schema,
    /// A table of it.
    Table(String),
    /// A sequence of it.
    Sequence(String),
    /// A column of a table.
    Column(String, String),
    /// Tables that somebody will make.
    FutureTables(String),
    /// Sequences that somebody will make.
    FutureSequences(String),
}

impl fmt::Display for Granted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => formatter.write_str("the database"),
            Self::Schema => formatter.write_str("the schema"),
            Self::Table(table) => write!(formatter, "table `{table}`"),
            Self::Sequence(sequence) => write!(formatter, "sequence `{sequence}`"),
            Self::Column(table, column) => write!(formatter, "column `{table}.{column}`"),
            Self::FutureTables(maker) => write!(formatter, "tables that `{maker}` will make"),
            Self::FutureSequences(maker) => write!(formatter, "sequences that `{maker}` will make"),
        }
    }
}

impl ObservedRole {
    /// Every way in which `found` is not what `self` describes, in words; empty when it is. More than is wanted is a
    /// difference as well.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.may_log_in != found.may_log_in {
            differences.push(if found.may_log_in { "may log in" } else { "may not log in" }.to_owned());
        }
        for power in found.powers.difference(&self.powers) {
            differences.push(format!("has {power}"));
        }
        for role in self.member_of.difference(&found.member_of) {
            differences.push(format!("is no member of `{role}`"));
        }
        for role in found.member_of.difference(&self.member_of) {
            differences.push(format!("is a member of `{role}`"));
        }
        for setting in self.settings.symmetric_difference(&found.settings) {
            differences.push(format!("has another setting: {setting}"));
        }
        for grant in self.grants.difference(&found.grants) {
            differences.push(format!("may not {} {}", grant.privilege, grant.on));
        }
        for grant in found.grants.difference(&self.grants) {
            let how = if grant.may_be_handed_on { " and hand that on" } else { "" };
            differences.push(format!("may {} {}{how}", grant.privilege, grant.on));
        }
        differences
    }
}
