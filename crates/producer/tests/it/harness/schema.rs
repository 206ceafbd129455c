//! A place of a test's own on a real server: a schema on PostgreSQL, which `TEST_POSTGRESQL_URL` names, a database on MySQL or MariaDB,
//! which `TEST_MYSQL_URL` names, or on MongoDB (`TEST_MONGODB_URL`). It is gone with the test.

use plan::database::Pool;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use store::{Database, Ended, Store, StoreError};
use vocab::{Datum, Engine};

/// The place.
pub struct Schema {
    engine: Engine,
    server: String,
    name: String,
}

impl Schema {
    /// An empty one; none where there is no server, which is said.
    pub fn empty(engine: Engine, test: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let variable = match engine {
            Engine::MySql => "TEST_MYSQL_URL",
            Engine::MongoDb => "TEST_MONGODB_URL",
            Engine::PostgreSql | Engine::Sqlite => "TEST_POSTGRESQL_URL",
        };
        let Ok(server) = std::env::var(variable) else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test} on {engine}: `{variable}` is not set");
            return None;
        };
        // Users are named after the database, and have 32 characters on MySQL.
        let name = format!("of_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let place = Self { engine, server, name };
        place.remove();
        if engine == Engine::PostgreSql {
            place.share_extension();
        }
        match engine {
            Engine::MySql => ask(&place.server, &format!("CREATE DATABASE {}", place.name)),
            // What is written first makes it.
            Engine::MongoDb => Vec::new(),
            Engine::PostgreSql | Engine::Sqlite => ask(&place.server, &format!("CREATE SCHEMA {}", place.name)),
        };
        Some(place)
    }

    /// The extension belongs to the whole database, and two who make it at once are in each other's way.
    fn share_extension(&self) {
        static MADE: Once = Once::new();
        MADE.call_once(|| {
            ask(&self.server, "CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public");
        });
    }

    /// Leads into it.
    pub fn url(&self) -> String {
        match self.engine {
            Engine::MySql | Engine::MongoDb => format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name),
            Engine::PostgreSql | Engine::Sqlite => {
                let sign = if self.server.contains('?') { '&' } else { '?' };
                format!("{}{sign}options=-csearch_path%3D{}", self.server, self.name)
            }
        }
    }

    fn remove(&self) {
        match self.engine {
            Engine::MongoDb => drop(ask(&self.url(), r#"{"command":{"dropDatabase":"all of it"}}"#)),
            Engine::MySql => {
                ask(&self.server, &format!("DROP DATABASE IF EXISTS {}", self.name));
                let users = format!("SELECT user FROM mysql.user WHERE user LIKE '{}\\_%'", self.name);
                for user in ask(&self.server, &users) {
                    let [Datum::Text(user)] = &user[..] else { panic!("{user:?}") };
                    ask(&self.server, &format!("DROP USER '{user}'@'%'"));
                }
            }
            Engine::PostgreSql | Engine::Sqlite => {
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
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The engine of the server at a URL.
pub fn engine_of(url: &str) -> Engine {
    match url.split_once("://") {
        Some(("mysql", _)) => Engine::MySql,
        Some(("mongodb", _)) => Engine::MongoDb,
        Some(_) | None => Engine::PostgreSql,
    }
}

/// The database at a URL.
pub fn open(url: &str) -> Store {
    Database::parse(engine_of(url), url, |path| PathBuf::from(path)).unwrap().open(Pool::default()).unwrap()
}

/// What it answers to a statement.
pub fn ask(url: &str, statement: &str) -> Vec<store::Row> {
    let store = open(url);
    tokio::runtime::Runtime::new().unwrap().block_on(store.read(statement.into(), Vec::new())).unwrap()
}

/// Runs statements, all of them or none; again where a server of the test was still at work on what they are about.
fn write(store: &Store, statements: &[String]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for left in (0..5).rev() {
        let statements = statements.to_vec();
        let written = store.transaction(move |mut transaction| {
            Box::pin(async move {
                for statement in &statements {
                    transaction.execute(statement, &[]).await?;
                }
                Ok(Ended::Commit(()))
            })
        });
        match runtime.block_on(written) {
            Err(StoreError::Contended(_)) if left > 0 => {}
            ended => return ended.unwrap(),
        }
    }
}

/// Empties every table but that of the keys and what is known of migrations.
pub fn clear(url: &str) {
    let store = open(url);
    let quote = if engine_of(url) == Engine::MySql { '`' } else { '"' };
    let names = store.inspect().unwrap().into_iter().map(|table| table.name);
    let names =
        names.filter(|name| !["api_keys", "schema_migrations", "schema_migration_steps"].contains(&name.as_str()));
    if engine_of(url) == Engine::MongoDb {
        let emptied = |name| format!(r#"{{"command":{{"delete":"{name}","deletes":[{{"q":{{}},"limit":0}}]}}}}"#);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return names
            .map(emptied)
            .for_each(|text| drop(runtime.block_on(store.read(text.into(), Vec::new())).unwrap()));
    }
    let names: Vec<String> = names.map(|name| format!("{quote}{name}{quote}")).collect();
    let statements: Vec<String> = match engine_of(url) {
        Engine::MySql => {
            let delete = names.iter().map(|name| format!("DELETE FROM {name}"));
            ["SET FOREIGN_KEY_CHECKS = 0".to_owned()].into_iter().chain(delete).collect()
        }
        Engine::PostgreSql | Engine::Sqlite | Engine::MongoDb => vec![format!("TRUNCATE {}", names.join(", "))],
    };
    write(&store, &statements);
}
