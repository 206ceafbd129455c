//! A schema of a test's own on a real PostgreSQL server, which `TEST_POSTGRESQL_URL` names; gone with the test.

use plan::database::Pool;
use std::io::Write as _;
use store::{Database, Server, Store};

/// The schema.
pub struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// An empty one; none where there is no server, which is said.
    pub fn empty(test: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TEST_POSTGRESQL_URL") else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on PostgreSQL: `TEST_POSTGRESQL_URL` is not set");
            return None;
        };
        let schema = Self { name: format!("{test}_{}", std::process::id()), server };
        ask(&schema.server, &format!("DROP SCHEMA IF EXISTS {} CASCADE", schema.name));
        ask(&schema.server, &format!("CREATE SCHEMA {}", schema.name));
        Some(schema)
    }

    /// Leads into it.
    pub fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{}", self.server, self.name)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        ask(&self.server, &format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
        // Roles belong to the whole server. Without the client they stay, and are in nobody's way.
        let roles = format!(
            "DO $$ DECLARE role name; BEGIN FOR role IN SELECT rolname FROM pg_roles \
             WHERE shobj_description(oid, 'pg_authid') LIKE '%, schema {}' LOOP \
             EXECUTE format('DROP OWNED BY %I', role); EXECUTE format('DROP ROLE %I', role); END LOOP; END $$",
            self.name
        );
        let _ = super::postgresql::psql(&self.server, &roles);
    }
}

/// The database at a URL.
pub fn open(url: &str) -> Store {
    Database::PostgreSql(Server::parse(url).unwrap()).open(Pool::default()).unwrap()
}

/// What it answers to a statement.
pub fn ask(url: &str, statement: &str) -> Vec<store::Row> {
    let store = open(url);
    tokio::runtime::Runtime::new().unwrap().block_on(store.read(statement.into(), Vec::new())).unwrap()
}

/// Empties every table but that of the keys and what is known of migrations.
pub fn clear(url: &str) {
    let names = open(url).inspect().unwrap().into_iter().map(|table| table.name);
    let names: Vec<String> = names
        .filter(|name| !["api_keys", "schema_migrations", "schema_migration_steps"].contains(&name.as_str()))
        .map(|name| format!("\"{name}\""))
        .collect();
    ask(url, &format!("TRUNCATE {}", names.join(", ")));
}
