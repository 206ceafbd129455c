//! The one place of this crate that tells database engines apart: which connection file, and where the database is.

use vocab::Engine;

/// What an engine needs in the application.
pub struct Driver {
    /// The template of `databases/connection-config.js`.
    pub connection_config: &'static str,
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

/// The versions of drivers stand in manifests that are installed and tried.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/package.json"));

const POSTGRESQL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node/postgresql/package.json"));

fn version(manifest: &str, package: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_str(manifest).expect("a manifest is JSON");
    manifest["dependencies"][package].as_str().expect("a dependency with its version").to_owned()
}

/// The driver of an engine.
pub fn driver(engine: Engine) -> Driver {
    match engine {
        Engine::Sqlite => Driver {
            connection_config: "connection-config.js",
            default_url: "file:./data/app.sqlite",
            url_form: "`file:` and a path; a relative one starts at this folder",
            stand_alone: "sqlite-connection.js",
            container: None,
            package: ("@photostructure/sqlite", || version(REFERENCE, "@photostructure/sqlite")),
        },
        Engine::PostgreSql => Driver {
            connection_config: "postgresql-connection.js",
            default_url: "",
            url_form: "`postgresql://user:password@host:port/database`; outside of development with `?sslmode=verify-full`",
            stand_alone: "postgresql-connection.js",
            container: Some("postgresql.compose.yaml"),
            package: ("pg", || version(POSTGRESQL, "pg")),
        },
    }
}
