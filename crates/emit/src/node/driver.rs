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
}

/// The driver of an engine.
pub fn driver(engine: Engine) -> Driver {
    match engine {
        Engine::Sqlite => Driver {
            connection_config: "connection-config.js",
            default_url: "file:./data/app.sqlite",
            url_form: "`file:` and a path; a relative one starts at this folder",
        },
    }
}
