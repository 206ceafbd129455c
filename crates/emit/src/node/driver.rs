//! The one place of this crate that tells database engines apart: which connection file, and where the database is.

use crate::EmitError;
use vocab::Engine;

/// How a program in Node.js connects to an engine.
pub struct Driver {
    /// `DATABASE_URL` where nobody sets it.
    pub default_url: &'static str,
    /// What `DATABASE_URL` may be, for people.
    pub url_form: &'static str,
    /// The template of `databases/connection-config.js` where there is no API beside it.
    pub stand_alone: &'static str,
    /// The template of what describes a server in a container; none where there is no server.
    pub container: Option<&'static str>,
    /// The package of the driver, and what tells its version.
    pub package: (&'static str, fn() -> String),
}

/// What an engine needs in an application.
pub struct Application {
    /// The module of `lib/` that speaks with the engine, and what it needs beside it.
    pub lib: &'static [(&'static str, &'static str)],
    /// Its name: `lib/database/<name>.js`.
    pub module: &'static str,
    /// How values come back.
    pub types: Types,
    /// The template of `test/scratch-database.js`.
    pub scratch: &'static str,
    /// What runs the database, where that is no part of the application.
    pub server: Option<DatabaseServer>,
}

/// What an engine keeps values as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// Numbers and texts; who reads says what they mean. An id is a text like others.
    Few,
    /// Each as what it is. Nothing can be compared with an id but a UUID.
    All,
}

/// A database that is a program of its own.
pub struct DatabaseServer {
    /// Which one, for people.
    pub name: &'static str,
    /// The template of its service in `compose.yaml`.
    pub service: &'static str,
    /// Its URL there.
    pub service_url: &'static str,
}

/// The versions of drivers stand in manifests that are installed and tried.
const SQLITE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/sqlite/package.json"));

const POSTGRESQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/postgresql/package.json"));

const MYSQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/mysql/package.json"));

fn version(manifest: &str, package: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_str(manifest).expect("a manifest is JSON");
    manifest["dependencies"][package].as_str().expect("a dependency with its version").to_owned()
}

/// The driver of an engine.
pub fn driver(engine: Engine) -> Driver {
    match engine {
        Engine::Sqlite => Driver {
            default_url: "file:./data/app.sqlite",
            url_form: "`file:` and a path; a relative one starts at this folder",
            stand_alone: "sqlite-connection.js",
            container: None,
            package: ("@photostructure/sqlite", || version(SQLITE, "@photostructure/sqlite")),
        },
        Engine::PostgreSql => Driver {
            default_url: "",
            url_form: "`postgresql://user:password@host:port/database`; outside of development with `?sslmode=verify-full`",
            stand_alone: "postgresql-connection.js",
            container: Some("postgresql.compose.yaml"),
            package: ("pg", || version(POSTGRESQL, "pg")),
        },
        Engine::MySql => Driver {
            default_url: "",
            url_form: "`mysql://user:password@host:port/database`; outside of development with `?ssl-mode=VERIFY_IDENTITY`",
            stand_alone: "mysql-connection.js",
            container: None,
            package: ("mysql2", || version(MYSQL, "mysql2")),
        },
    }
}

/// What an application needs of the engine.
///
/// # Errors
/// [`EmitError::Engine`] where no application stands on it yet.
pub fn application(engine: Engine) -> Result<Application, EmitError> {
    match engine {
        Engine::Sqlite => Ok(Application {
            lib: &[("lib/database/sqlite.js", include_str!("../../node/lib/database/sqlite.js"))],
            module: "sqlite",
            types: Types::Few,
            scratch: "sqlite-scratch-database.js",
            server: None,
        }),
        Engine::PostgreSql => Ok(Application {
            lib: &[("lib/database/postgresql.js", include_str!("../../node/lib/database/postgresql.js"))],
            module: "postgresql",
            types: Types::All,
            scratch: "postgresql-scratch-database.js",
            server: Some(DatabaseServer {
                name: "PostgreSQL 14 or newer",
                service: "postgresql-service.yaml",
                service_url: "postgresql://app:${DATABASE_PASSWORD}@db:5432/app",
            }),
        }),
        Engine::MySql => Err(EmitError::Engine(engine)),
    }
}
