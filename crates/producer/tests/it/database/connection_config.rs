//! `databases/connection-config.js` in Node.js, on its real driver, at servers with and without TLS, and at one that starts late.

use super::connections::{Authority, certify};
use crate::harness::postgresql::{PASSWORD, PASSWORD_ONLY, PrivateServer};
use crate::harness::server::node_modules;
use crate::harness::workspace::{Workspace, end_with_input};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Says whether the connection is encrypted, and how the pool is made; or why there is none.
const SCRIPT: &str = "import { connect, isHealthy } from './databases/connection-config.js';
const [url, wait] = process.argv.slice(2);
try {
  const pool = await connect(url, { wait: Number(wait) });
  const { rows } = await pool.query('SELECT ssl, (SELECT setting FROM pg_settings WHERE name = $1) AS bound FROM pg_stat_ssl WHERE pid = pg_backend_pid()', ['statement_timeout']);
  console.log(rows[0].ssl, pool.options.max, pool.options.min, rows[0].bound, await isHealthy(pool));
  await pool.end();
} catch (error) {
  console.log('none:', error.code, error.message);
}
";

/// The folder of a task that was made at that URL, with a script in it; none where the driver is not installed, which is said.
fn made(workspace: &Workspace, url: &str) -> Option<PathBuf> {
    let modules = node_modules().filter(|folder| folder.join("pg").is_dir());
    let Some(modules) = modules else {
        let _ = writeln!(std::io::stderr(), "SKIPPED connection-config.js: NODE_MODULES names no folder with `pg`");
        return None;
    };
    let task = "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${env:ROOMS_URL}\n    pool: { min: 1, max: 7, statement_timeout: 3_seconds }\n    schema_requirements:\n      tables: [{ name: rooms, columns: { number: integer } }]\n";
    let mut run = workspace.command(&["run", "-"]);
    end_with_input(run.env("ROOMS_URL", url), task).must_end_with(0);
    let folder = workspace.path().join("output/integration/task_rooms");
    std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    fs::write(folder.join("try.mjs"), SCRIPT).unwrap();
    Some(folder)
}

fn answer(folder: &PathBuf, url: &str, wait: &str) -> String {
    let mut node = Command::new("node");
    node.args(["try.mjs", url, wait]).current_dir(folder).env_remove("NODE_OPTIONS").stdin(Stdio::null());
    let output = node.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!said.is_empty(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(PASSWORD));
    said
}

#[test]
fn the_file_for_nodejs_encrypts_as_the_url_says() {
    let Some(server) = PrivateServer::make("node_tls", "hostssl all all 127.0.0.1/32 scram-sha-256\n") else { return };
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    certify(&server, &right, 2100);
    let [right_file, wrong_file] = [("right.pem", &right.1), ("wrong.pem", &wrong.1)].map(|(name, content)| {
        fs::write(server.path(name), content).unwrap();
        server.path(name).display().to_string()
    });
    server.launch("-c ssl=on");
    let workspace = Workspace::new();
    let Some(folder) = made(&workspace, &server.url()) else { return };
    let (encrypted, none) = ("true 7 1 3000 true", "none:");
    for (host, parameters, wanted) in [
        ("127.0.0.1", String::new(), encrypted),
        ("127.0.0.1", "?sslmode=require".to_owned(), encrypted),
        ("127.0.0.1", "?sslmode=disable".to_owned(), none),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={right_file}"), encrypted),
        ("127.0.0.1", format!("?sslmode=verify-full&sslrootcert={right_file}"), none),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={right_file}"), encrypted),
        ("localhost", format!("?sslmode=verify-ca&sslrootcert={wrong_file}"), none),
        ("localhost", format!("?sslmode=require&sslrootcert={wrong_file}"), none),
        ("localhost", "?sslmode=verify-full".to_owned(), none),
    ] {
        let said = answer(&folder, &server.url_at(host, &parameters), "0");
        assert!(said.starts_with(wanted), "{host} {parameters}: {said}");
    }
}

#[test]
fn the_file_for_nodejs_waits_for_a_server_and_takes_one_without_tls() {
    let Some(server) = PrivateServer::start("node_plain", PASSWORD_ONLY, "") else { return };
    let workspace = Workspace::new();
    let Some(folder) = made(&workspace, &server.url()) else { return };
    let plain = "false 7 1 3000 true";
    assert_eq!(answer(&folder, &server.url(), "0"), plain);
    assert_eq!(answer(&folder, &server.url_at("127.0.0.1", "?sslmode=disable"), "0"), plain);
    assert!(answer(&folder, &server.url_at("127.0.0.1", "?sslmode=require"), "0").starts_with("none:"));
    server.stop();
    assert!(answer(&folder, &server.url(), "0").starts_with("none: ECONNREFUSED"));
    std::thread::scope(|scope| {
        let late = scope.spawn(|| answer(&folder, &server.url(), "30000"));
        std::thread::sleep(Duration::from_secs(1));
        server.launch("");
        assert_eq!(late.join().unwrap(), plain);
    });
}

#[test]
fn a_pool_that_the_server_has_no_connections_for_is_refused() {
    let Some(server) = PrivateServer::start("pool", PASSWORD_ONLY, "-c max_connections=9") else { return };
    let workspace = Workspace::new();
    let task = |most: &str| {
        format!(
            "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${{env:ROOMS_URL}}\n{most}    schema_requirements:\n      tables: [{{ name: rooms, columns: {{ number: integer }} }}]\n"
        )
    };
    let run = |most: &str| {
        let mut run = workspace.command(&["run", "-"]);
        end_with_input(run.env("ROOMS_URL", server.url()), &task(most))
    };
    let error = run("    pool: { max: 10 }\n").must_end_with(1).response()["error"].clone();
    assert_eq!((error["kind"].as_str(), error["code"].as_str()), (Some("database.connection"), Some("pool_too_large")));
    assert!(!workspace.path().join("output").exists());
    let ended = run("    pool: { max: 9 }\n").must_end_with(0);
    assert!(super::verified(&ended).contains(&"the server has connections for the pool: passed".to_owned()));
    let warnings = ended.response()["warnings"].to_string();
    assert!(warnings.contains("the pool was tried under no load: of 9 connections"), "{warnings}");

    // A load goes through half, all and twice of it, where the server has room for that.
    let response = run("    pool: { max: 3 }\n").must_end_with(0).response();
    let figures = response["output"]["database"]["pool"].as_array().unwrap();
    let sizes: Vec<_> = figures.iter().map(|one| one["connections"].as_u64().unwrap()).collect();
    assert!(sizes.len() == 3 && sizes[..2] == [2, 3] && (4..=6).contains(&sizes[2]), "{sizes:?}");
    assert!(figures.iter().all(|one| one["transactions_per_second"].as_u64() > Some(0)), "{figures:?}");

    // Who names no size gets what leaves room for others, and a development database is not kept busy for that.
    let response = run("    environment: development\n").must_end_with(0).response();
    let has = response["verification"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["check"].as_str().unwrap().ends_with("for the pool"));
    assert_eq!(has.unwrap()["detail"], "2 of 9");
}
