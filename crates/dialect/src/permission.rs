//! Permissions as an engine says them: the roles wanted and what a server was seen to grant come in; what it should show, the
//! statements between the two, and what each role is to try go out.

use crate::{mysql, name, postgresql};
use plan::database::permission::{
    Access, Grant, Granted, ObservedPermissions, ObservedRole, PermissionStatement, Permissions, Role,
};
use plan::database::{ColumnDefault, Sensitivity, Table};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{ColumnName, Engine, MAX_IDENTIFIER_LENGTH};

/// The setting of a session, or of the rest of a transaction, that says of which user the rows are that it is about, where the
/// engine keeps the application to that. Where it says nothing no row is seen.
pub const WHOSE_ROWS: &str = "app.user_id";
/// What it says where the rows of all users are meant.
pub const ALL_USERS: &str = "*";

/// Whether tables belong to a role there.
#[must_use]
pub fn has_owners(engine: Engine) -> bool {
    match engine {
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => false,
        Engine::PostgreSql => true,
    }
}

/// `shop` and `app` -> `shop_app`, not longer than the engine takes.
#[must_use]
pub fn role_name(engine: Engine, prefix: &str, end: &str) -> String {
    let longest = match engine {
        Engine::Sqlite | Engine::PostgreSql | Engine::MongoDb => MAX_IDENTIFIER_LENGTH,
        Engine::MySql => mysql::permission::MAX_ROLE_NAME,
    };
    name::joined_within(longest, &[prefix], end)
}

/// Something that a role tries, connected as itself, and that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionProbe {
    /// The statement.
    pub sql: String,
    /// Whether the role must be let.
    pub is_allowed: bool,
    /// What it is, in words: `drop the table users`.
    pub what: String,
}

/// The roles as the server's catalogue must show them. `found` says who makes tables, and which of the producer's own are there.
#[must_use]
pub fn wanted(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<ObservedRole> {
    match engine {
        Engine::Sqlite | Engine::MongoDb => Vec::new(),
        Engine::PostgreSql => postgresql::permission::wanted(permissions, tables, found),
        Engine::MySql => mysql::permission::wanted(permissions, tables, found),
    }
}

/// The statements that bring what was found to what is wanted, in an order in which they can run; none when it is.
#[must_use]
pub fn statements(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    match engine {
        Engine::Sqlite | Engine::MongoDb => Vec::new(),
        Engine::PostgreSql => postgresql::permission::statements(permissions, tables, found),
        Engine::MySql => mysql::permission::statements(permissions, tables, found),
    }
}

/// What leaves a server that was just made to one user of this machine, who may do everything, and then ends it: statements, one a
/// line. None for an engine that is told its first user when a server is made.
#[must_use]
pub fn first_user(engine: Engine, name: &str, password: &str) -> String {
    match engine {
        Engine::Sqlite | Engine::PostgreSql | Engine::MongoDb => String::new(),
        Engine::MySql => mysql::permission::first_user(name, password),
    }
}

/// All statements that have made the roles what they are, for reading, and for somebody who runs them by hand where `found.user`,
/// who makes the tables, may not.
#[must_use]
pub fn script(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<PermissionStatement> {
    let there = tables.iter().map(|table| table.name.to_string()).chain(LEDGERS.map(str::to_owned));
    let before = ObservedPermissions {
        user: found.user.clone(),
        may_administer_database: found.may_administer_database || !found.user_lacks.is_empty(),
        database_was_made: found.database_was_made,
        owners: there.map(|table| (table, found.user.clone())).collect(),
        sequences: tables.iter().filter_map(sequence).chain([LEDGER_SEQUENCE.to_owned()]).collect(),
        everybody: match engine {
            Engine::Sqlite | Engine::MySql | Engine::MongoDb => BTreeSet::new(),
            Engine::PostgreSql => postgresql::permission::everybody(permissions),
        },
        ..ObservedPermissions::default()
    };
    statements(engine, permissions, tables, &before)
}

/// What numbers the rows of a table, by the name that PostgreSQL gives it: of the table and its column, neither longer than needed.
fn sequence(table: &Table) -> Option<String> {
    const END: &str = "_seq";
    let column = table.columns.iter().find(|column| column.default == Some(ColumnDefault::Counted))?;
    let (mut table, mut column) = (table.name.as_str(), column.name.as_str());
    while table.len() + 1 + column.len() + END.len() > MAX_IDENTIFIER_LENGTH {
        let longer = if table.len() > column.len() { &mut table } else { &mut column };
        *longer = &longer[..longer.char_indices().last()?.0];
    }
    Some(format!("{table}_{column}{END}"))
}

/// Every way in which the permissions found are not those wanted, in words.
#[must_use]
pub fn differences(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<String> {
    match engine {
        Engine::Sqlite | Engine::MongoDb => Vec::new(),
        Engine::PostgreSql => postgresql::permission::differences(permissions, tables, found),
        Engine::MySql => mysql::permission::differences(permissions, tables, found),
    }
}

/// What hides rows of the plan's tables from those whom the plan lets see them, in words, and the statement that takes it away.
/// Somebody has put it there for a reason, so nobody takes it away unasked.
#[must_use]
pub fn barriers(
    engine: Engine,
    permissions: &Permissions,
    tables: &[Table],
    found: &ObservedPermissions,
) -> Vec<(String, PermissionStatement)> {
    match engine {
        // Who may read a table there sees all of it.
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => Vec::new(),
        Engine::PostgreSql => postgresql::row_security::barriers(permissions, tables, found),
    }
}

/// The statement by which somebody hands a role of theirs over to the one who has that mark.
#[must_use]
pub fn adopt(engine: Engine, role: &str, mark: &str) -> String {
    match engine {
        // Nobody says there for whom a user was made.
        Engine::Sqlite | Engine::MySql | Engine::MongoDb => String::new(),
        Engine::PostgreSql => postgresql::permission::adopt(role, mark),
    }
}

/// What a role that may log in tries.
#[must_use]
pub fn probes(engine: Engine, permissions: &Permissions, tables: &[Table], role: &Role) -> Vec<PermissionProbe> {
    match engine {
        Engine::Sqlite | Engine::MongoDb => Vec::new(),
        Engine::PostgreSql => postgresql::permission::probes(permissions, tables, role),
        Engine::MySql => mysql::permission::probes(tables, role),
    }
}

/// The ledgers of migrations: part of a copy, and what tells a server that it is ready.
pub(crate) const LEDGERS: [&str; 2] = ["schema_migrations", "schema_migration_steps"];

/// What numbers the entries of the second, where the engine keeps that apart.
const LEDGER_SEQUENCE: &str = "schema_migration_steps_entry_seq";

/// What a role may do with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableGrants {
    pub select: Columns,
    pub insert: Columns,
    pub update: Columns,
    pub delete: bool,
}

/// The columns that a privilege holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Columns {
    #[default]
    None,
    /// These and no others.
    Some(BTreeSet<ColumnName>),
    /// The table as a whole.
    All,
}

impl Columns {
    fn of(table: &Table, wanted: &BTreeSet<ColumnName>) -> Self {
        let there: BTreeSet<ColumnName> =
            table.columns.iter().map(|column| &column.name).filter(|name| wanted.contains(name)).cloned().collect();
        match there.len() {
            0 => Self::None,
            all if all == table.columns.len() => Self::All,
            _ => Self::Some(there),
        }
    }

    pub fn contains(&self, column: &ColumnName) -> bool {
        match self {
            Self::None => false,
            Self::Some(columns) => columns.contains(column),
            Self::All => true,
        }
    }

    /// One of them.
    pub fn any<'t>(&self, table: &'t Table) -> Option<&'t ColumnName> {
        table.columns.iter().map(|column| &column.name).find(|name| self.contains(name))
    }
}

impl TableGrants {
    /// With their words.
    pub fn of_columns(&self) -> [(&'static str, &Columns); 3] {
        [("INSERT", &self.insert), ("SELECT", &self.select), ("UPDATE", &self.update)]
    }
}

/// What the role may do with rows of the table, besides what it may as the owner. Secret columns are for who writes and who makes
/// copies.
pub(crate) fn on_table(role: &Role, table: &Table) -> TableGrants {
    let all = || Columns::All;
    let is_in_reach = role.tables.is_empty() || role.tables.contains(&table.name);
    if !is_in_reach {
        return TableGrants::default();
    }
    match (role.access, &role.uses) {
        (Access::Owner | Access::Migrate, _) => TableGrants::default(),
        (Access::Backup, _) => TableGrants { select: all(), ..TableGrants::default() },
        (Access::ReadOnly, _) => {
            let open = table.columns.iter().filter(|column| column.sensitivity != Sensitivity::Secret);
            let open = open.map(|column| column.name.clone()).collect();
            TableGrants { select: Columns::of(table, &open), ..TableGrants::default() }
        }
        (Access::ReadWrite, None) => TableGrants { select: all(), insert: all(), update: all(), delete: true },
        (Access::ReadWrite, Some(uses)) => match uses.get(&table.name) {
            None => TableGrants::default(),
            Some(used) => TableGrants {
                select: Columns::of(table, &used.reads),
                insert: Columns::of(table, &used.inserts),
                update: Columns::of(table, &used.updates),
                delete: used.deletes,
            },
        },
    }
}

/// A column that only few may read.
pub(crate) fn secret(table: &Table) -> Option<&ColumnName> {
    let mut columns = table.columns.iter();
    columns.find(|column| column.sensitivity == Sensitivity::Secret).map(|column| &column.name)
}

/// The table on which a role tries in earnest: one with a secret, else one that it has something to do with, else any in its reach.
pub(crate) fn tried_on<'t>(role: &Role, tables: &'t [Table]) -> Option<&'t Table> {
    let may_something = |table: &&Table| on_table(role, table) != TableGrants::default();
    let mut in_reach = tables.iter().filter(|table| role.tables.is_empty() || role.tables.contains(&table.name));
    let with_secret = in_reach.clone().filter(may_something).find(|table| secret(table).is_some());
    with_secret.or_else(|| in_reach.clone().find(may_something)).or_else(|| in_reach.next())
}

/// What must be taken, and then given. What is taken goes with the right to hand it on, and what is taken of a table is taken of
/// its columns with it.
pub(crate) fn between<'g>(there: &'g BTreeSet<Grant>, wanted: &'g BTreeSet<Grant>) -> (Vec<&'g Grant>, Vec<&'g Grant>) {
    let taken: Vec<&Grant> = there.difference(wanted).collect();
    let is_of = |on: &Granted, gone: &Granted| match (on, gone) {
        (Granted::Column(table, _), Granted::Table(whole)) => table == whole,
        (on, gone) => on == gone,
    };
    let is_taken =
        |grant: &Grant| taken.iter().any(|gone| gone.privilege == grant.privilege && is_of(&grant.on, &gone.on));
    let given = wanted.iter().filter(|grant| !there.contains(grant) || is_taken(grant)).collect();
    (taken, given)
}

/// Grants by what they are on, and those with the same privileges on tables together; columns of a table are in one statement.
pub(crate) fn together<'g>(
    grants: impl Iterator<Item = &'g Grant>,
    quote: impl Fn(&str) -> String,
) -> Vec<(Vec<&'g Granted>, Vec<String>)> {
    let mut by_target: BTreeMap<&Granted, Vec<String>> = BTreeMap::new();
    let mut of_columns: BTreeMap<&str, (&Granted, BTreeMap<&str, Vec<String>>)> = BTreeMap::new();
    for grant in grants {
        match &grant.on {
            Granted::Column(table, column) => {
                let (_, privileges) = of_columns.entry(table).or_insert_with(|| (&grant.on, BTreeMap::new()));
                privileges.entry(&grant.privilege).or_default().push(quote(column));
            }
            Granted::Database
            | Granted::Schema
            | Granted::Table(_)
            | Granted::Sequence(_)
            | Granted::FutureTables(_)
            | Granted::FutureSequences(_) => by_target.entry(&grant.on).or_default().push(grant.privilege.clone()),
        }
    }
    let mut groups: Vec<(Vec<&Granted>, Vec<String>)> = Vec::new();
    for (target, privileges) in by_target {
        let fits = |(targets, known): &&mut (Vec<&Granted>, Vec<String>)| {
            *known == privileges && matches!((targets.first(), target), (Some(Granted::Table(_)), Granted::Table(_)))
        };
        match groups.iter_mut().find(fits) {
            Some((targets, _)) => targets.push(target),
            None => groups.push((vec![target], privileges)),
        }
    }
    let of_columns = of_columns.into_values().map(|(target, privileges)| {
        let privileges = privileges.into_iter();
        let said = privileges.map(|(privilege, columns)| format!("{privilege} ({})", columns.join(", ")));
        (vec![target], said.collect())
    });
    groups.extend(of_columns);
    groups
}
