//! A database with one table and an API on it, for what is about the database server and not about what is stored: rooms with numbers.

use super::client::post;
use plan::http_case::CaseRequest;
use vocab::Engine;

const DATABASE: &str = r#"task_id: base
task_type: configure_database
specifications:
  database_config:
    type: ENGINE
    connection: "${env:DATABASE_OF_TEST}"
    pool: POOL
    schema_requirements: { tables: [{ name: rooms, columns: { number: { type: integer, required: true } } }] }
"#;

/// The task of the API on it. Nobody is kept out and nothing is limited in practice.
pub const API: &str = r#"task_id: integration_2025_001
task_type: setup_api
dependencies: [base]
specifications:
  api_requirements:
    type: rest
    rate_limiting: 1000000_requests_per_minute
    endpoints:
      - { path: /api/rooms, method: POST, authentication: none }
      - { path: /api/rooms, method: GET, authentication: none }
      - { path: "/api/rooms/{id}", method: PATCH, authentication: none }
"#;

/// The task of the database, with `{ max: 3 }` or other settings of its pool.
pub fn database(engine: Engine, pool: &str) -> String {
    DATABASE.replace("ENGINE", &engine.to_string()).replace("POOL", pool)
}

/// Both tasks, one behind the other.
pub fn tasks(engine: Engine, pool: &str) -> String {
    format!("{}---\n{API}", database(engine, pool))
}

/// The request that stores one.
pub fn room(number: u32) -> CaseRequest {
    post("/api/rooms", None, &format!(r#"{{"number":{number}}}"#))
}
