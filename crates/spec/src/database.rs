//! `database_config`: the block's node comes in, a checked [`DatabaseConfig`] goes out.
//! Columns of a bare table name and the keys behind a relationship are not decided here.

mod backup;
mod column;
mod connection;
mod constraint;
mod data;
mod pool;
mod relationship;
mod role;
mod table;

pub use backup::{Backup, MAX_BACKUPS_KEPT, Objectives};
pub use column::{Column, ColumnType, DefaultValue, ForeignKey, MAX_COLUMNS};
pub use connection::Connection;
pub use constraint::{Bound, Constraint, ConstraintRule, Index};
pub use data::{
    Data, DataFormat, Deletes, Direction, Export, Import, ImportMode, MAX_TRANSFERS, Remote, Sync, SyncMode,
};
pub use pool::{MAX_CONNECTIONS, Pool};
pub use relationship::{OnDelete, Relationship, RelationshipKind};
pub use role::{Role, RoleAccess};
pub use table::{MAX_TABLES, Table};

use crate::document::{Entry, Node};
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::name::DatabaseName;
use crate::schema;
use crate::source::Spanned;
use crate::word::words;
use serde_json::Value as Json;
use vocab::{Place, TableName};

/// What a database must be.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseConfig {
    /// Its engine.
    pub kind: Spanned<DatabaseType>,
    /// What it is for; `development` when the task does not say.
    pub environment: Environment,
    /// Its tables, in the task's order; no two have one name. Empty when the task names none.
    pub tables: Vec<Table>,
    /// How its tables belong together; every end is one of `tables`.
    pub relationships: Vec<Relationship>,
    /// Its name on the server.
    pub name: Option<Spanned<DatabaseName>>,
    /// Where it is. Excludes `provision`.
    pub connection: Option<Spanned<Connection>>,
    /// How to make a server for it.
    pub provision: Option<Spanned<Provision>>,
    /// Who may do what, in the task's order; no two have one name.
    pub roles: Vec<Role>,
    /// How many connections are kept.
    pub pool: Option<Pool>,
    /// When copies are made, and where they go.
    pub backup: Option<Backup>,
    /// What comes in and goes out.
    pub data: Data,
    /// Where `database_config` stands.
    pub place: Place,
}

words! {
    /// A database engine, as tasks name it.
    DatabaseType {
        /// PostgreSQL.
        PostgreSql = "postgresql";
        /// MySQL or MariaDB.
        MySql = "mysql";
        /// MongoDB.
        MongoDb = "mongodb";
        /// SQLite.
        Sqlite = "sqlite";
    }
}

words! {
    /// What a database is for.
    Environment {
        /// Real users.
        Production = "production";
        /// Trying what will be production.
        Staging = "staging";
        /// Building it, the default.
        Development = "development";
    }
}

words! {
    /// How a server is made.
    Provision {
        /// With the engine's programs on this machine.
        Local = "local";
        /// In a container.
        Container = "container";
    }
}

const FIELDS: &[Field] = &[
    required("type", "The database engine.", schema::word::<DatabaseType>),
    optional("environment", "What the database is for; `development` when absent.", schema::word::<Environment>),
    optional("schema_requirements", "Its tables, and how they belong together.", || schema::block(SCHEMA_FIELDS)),
    optional("name", "Its name on the server.", schema::identifier),
    optional("connection", "Where it is: `${env:DATABASE_URL}`, or a URL without a password.", connection::schema),
    optional("provision", "How to make a server for it, instead of `connection`.", schema::word::<Provision>),
    optional("roles", "Database roles, and what each may do.", role::schema),
    optional("pool", "How many connections are kept, and how long.", pool::schema),
    optional("backup", "When copies are made, and where they go.", backup::schema),
    optional("data", "What is imported, exported and kept in step with other databases.", data::schema),
];

const SCHEMA_FIELDS: &[Field] = &[
    required("tables", "A name the producer knows the columns of, or the table with its columns.", table::schema),
    optional("relationships", "How tables belong together: `users_to_orders`, or a block.", relationship::schema),
];

pub(crate) fn schema() -> Json {
    let mut schema = schema::block(FIELDS);
    schema::not_both(&mut schema, ["connection", "provision"]);
    schema
}

/// Checks `database_config`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, entry: &Entry) -> Option<DatabaseConfig> {
    let block = lowering.block("`database_config`", &entry.node, entry.key_span, FIELDS)?;
    let kind = lowering
        .required(&block, "type", "add `type: \"postgresql\"`, `\"mysql\"`, `\"mongodb\"` or `\"sqlite\"`")
        .and_then(|entry| lowering.word::<DatabaseType>(Label::Field("type"), &entry.node));
    let environment = block.node("environment").and_then(|node| lowering.word(Label::Field("environment"), node));
    let (tables, relationships) = match block.entry("schema_requirements") {
        Some(entry) => schema_requirements(lowering, entry),
        None => (Vec::new(), Vec::new()),
    };
    let name = block.node("name").and_then(|node| lowering.name(Label::Field("name"), node, DatabaseName::parse));
    let engine = kind.as_ref().map(|kind| kind.value);
    let connection = block.node("connection").and_then(|node| connection::lower(lowering, node, engine));
    let provision = block.node("provision").and_then(|node| lowering.word(Label::Field("provision"), node));
    lowering.exclude(&block, ["connection", "provision"], "keep `connection` if the database exists, else `provision`");
    let declared = Declared { tables: &tables };
    let roles = block.node("roles").map_or_else(Vec::new, |node| role::lower(lowering, node, &declared));
    let pool = block.entry("pool").and_then(|entry| pool::lower(lowering, entry));
    let backup = block.entry("backup").and_then(|entry| backup::lower(lowering, entry));
    let data = block.entry("data").map_or_else(Data::default, |entry| data::lower(lowering, entry, &declared));
    Some(DatabaseConfig {
        kind: kind?,
        environment: environment.map_or(Environment::Development, |environment| environment.value),
        tables,
        relationships,
        name,
        connection,
        provision,
        roles,
        pool,
        backup,
        data,
        place: lowering.source.place(entry.key_span),
    })
}

fn schema_requirements(lowering: &mut Lowering<'_>, entry: &Entry) -> (Vec<Table>, Vec<Relationship>) {
    let block = lowering.block("`schema_requirements`", &entry.node, entry.key_span, SCHEMA_FIELDS);
    let Some(block) = block else { return (Vec::new(), Vec::new()) };
    let tables = lowering
        .required(&block, "tables", "add `tables: [\"users\", \"orders\"]`")
        .and_then(|entry| table::lower(lowering, &entry.node));
    // Relationships between tables that could not be read would only be reported for the tables' mistakes.
    let relationships = match (block.node("relationships"), &tables) {
        (Some(node), Some(tables)) => relationship::lower(lowering, node, &Declared { tables }),
        (Some(_) | None, _) => Vec::new(),
    };
    (tables.unwrap_or_default(), relationships)
}

/// The tables that other parts of the block may name.
pub(crate) struct Declared<'t> {
    tables: &'t [Table],
}

impl Declared<'_> {
    fn names(&self) -> Vec<&str> {
        self.tables.iter().map(|table| table.name.value.as_str()).collect()
    }

    /// A table by its name. A task that declares no tables leaves them to others, who check the name.
    fn table(&self, lowering: &mut Lowering<'_>, label: Label<'_>, node: &Node) -> Option<Spanned<TableName>> {
        let name = lowering.name(label, node, TableName::parse)?;
        if !self.tables.is_empty() && !self.names().contains(&name.value.as_str()) {
            lowering.not_declared("table", "tables", node.span, name.value.as_str(), &self.names());
            return None;
        }
        Some(name)
    }

    /// A list of tables, none twice.
    fn some_tables(&self, lowering: &mut Lowering<'_>, node: &Node) -> Vec<Spanned<TableName>> {
        if lowering.some_items("tables", node, "\"orders\"", MAX_TABLES).is_none() {
            return Vec::new();
        }
        lowering.distinct("tables", node, |lowering, label, item| self.table(lowering, label, item))
    }
}
