//! The one place of this crate that tells database engines apart: which connection file, and where the database is.

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
    /// The template of what shares the server's connections among programs, and its file; none where there is nothing of the kind.
    pub pooler: Option<(&'static str, &'static str)>,
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
    /// What ids are compared with.
    pub ids: Ids,
    /// Whether the database keeps whoever asks to the rows of one user, where that is said.
    pub keeps_rows: bool,
    /// The template of `test/scratch-database.js`.
    pub scratch: &'static str,
    /// What runs the database, where that is no part of the application.
    pub server: Option<DatabaseServer>,
}

/// What an engine keeps values as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types {
    /// Numbers, texts and times; who reads says what they mean.
    Few,
    /// Each as what it is.
    All,
}

/// What an engine lets ids be compared with, as the API means it: to anything but a UUID in lower case none is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// Any text.
    Texts,
    /// UUIDs in lower case: others are refused, or taken for an id that they are not.
    Uuids,
}

/// A database that is a program of its own.
pub struct DatabaseServer {
    /// Which one, for people.
    pub name: &'static str,
    /// The template of its service in `compose.yaml`.
    pub service: &'static str,
    /// Its URL there.
    pub service_url: &'static str,
    /// What a test makes for itself, and where: `schema`, `in the database`.
    pub scratch: (&'static str, &'static str),
}

/// What the engines share that are servers.
const PATIENCE: (&str, &str) = ("lib/database/patience.js", include_str!("../../node/lib/database/patience.js"));

const REPLICAS: (&str, &str) = ("lib/database/replicas.js", include_str!("../../node/lib/database/replicas.js"));

const PLACES: (&str, &str) = ("lib/database/places.js", include_str!("../../node/lib/database/places.js"));

/// The versions of drivers stand in manifests that are installed and tried.
const SQLITE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/sqlite/package.json"));

const POSTGRESQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/postgresql/package.json"));

const MYSQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/mysql/package.json"));

const MONGODB: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/mongodb/package.json"));

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
            pooler: None,
            package: ("@photostructure/sqlite", || version(SQLITE, "@photostructure/sqlite")),
        },
        Engine::PostgreSql => Driver {
            default_url: "",
            url_form: "`postgresql://user:password@host:port/database`; outside of development with `?sslmode=verify-full`",
            stand_alone: "postgresql-connection.js",
            container: Some("postgresql.compose.yaml"),
            pooler: Some(("databases/pgbouncer.ini", "pgbouncer.ini")),
            package: ("pg", || version(POSTGRESQL, "pg")),
        },
        Engine::MySql => Driver {
            default_url: "",
            url_form: "`mysql://user:password@host:port/database`; outside of development with `?ssl-mode=VERIFY_IDENTITY`",
            stand_alone: "mysql-connection.js",
            container: Some("mysql.compose.yaml"),
            pooler: None,
            package: ("mysql2", || version(MYSQL, "mysql2")),
        },
        Engine::MongoDb => Driver {
            default_url: "",
            url_form: "`mongodb://user:password@host:port/database`; outside of development with `?tls=true`",
            stand_alone: "mongodb-connection.js",
            container: None,
            pooler: None,
            package: ("mongodb", || version(MONGODB, "mongodb")),
        },
    }
}

/// What an application needs of the engine.
#[must_use]
pub fn application(engine: Engine) -> Application {
    match engine {
        Engine::Sqlite => Application {
            lib: &[("lib/database/sqlite.js", include_str!("../../node/lib/database/sqlite.js"))],
            module: "sqlite",
            types: Types::Few,
            ids: Ids::Texts,
            keeps_rows: false,
            scratch: "sqlite-scratch-database.js",
            server: None,
        },
        Engine::PostgreSql => Application {
            lib: &[
                ("lib/database/postgresql.js", include_str!("../../node/lib/database/postgresql.js")),
                PATIENCE,
                PLACES,
                REPLICAS,
            ],
            module: "postgresql",
            types: Types::All,
            ids: Ids::Uuids,
            keeps_rows: true,
            scratch: "postgresql-scratch-database.js",
            server: Some(DatabaseServer {
                name: "PostgreSQL 14 or newer",
                service: "postgresql-service.yaml",
                service_url: "postgresql://app:${DATABASE_PASSWORD}@db:5432/app",
                scratch: ("schema", "in the database"),
            }),
        },
        Engine::MongoDb => Application {
            lib: &[
                ("lib/database/mongodb.js", include_str!("../../node/lib/database/mongodb.js")),
                ("lib/database/mongodb-commands.js", include_str!("../../node/lib/database/mongodb-commands.js")),
                ("lib/database/mongodb-turn.js", include_str!("../../node/lib/database/mongodb-turn.js")),
                PATIENCE,
            ],
            module: "mongodb",
            types: Types::Few,
            ids: Ids::Texts,
            keeps_rows: false,
            scratch: "mongodb-scratch-database.js",
            server: Some(DatabaseServer {
                name: "MongoDB 6 or newer",
                service: "mongodb-service.yaml",
                service_url: "mongodb://app:${DATABASE_PASSWORD}@db:27017/app?authSource=admin",
                scratch: ("database", "on the server"),
            }),
        },
        Engine::MySql => Application {
            lib: &[("lib/database/mysql.js", include_str!("../../node/lib/database/mysql.js")), PATIENCE, PLACES],
            module: "mysql",
            types: Types::Few,
            ids: Ids::Uuids,
            keeps_rows: false,
            scratch: "mysql-scratch-database.js",
            server: Some(DatabaseServer {
                name: "MariaDB 10.11 or newer, or MySQL 8.0.29 or newer",
                service: "mysql-service.yaml",
                service_url: "mysql://app:${DATABASE_PASSWORD}@db:3306/app",
                scratch: ("database", "on the server"),
            }),
        },
    }
}
