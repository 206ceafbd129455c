//! Reads from a standby that streams, on both servers: what somebody has just written is read at once, wherever it was written; a standby that
//! is behind or away fails nobody, and is read again when it is back.

use crate::harness::client::{ask, get, post};
use crate::harness::postgresql::{PASSWORD_ONLY, PrivateServer, psql};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

const TASKS: &str = r#"task_id: base
task_type: configure_database
specifications:
  database_config:
    type: postgresql
    connection: "${env:DATABASE_OF_TEST}"
    pool: { max: 4, read_replicas: true }
    schema_requirements: { tables: [{ name: rooms, columns: { number: { type: integer, required: true } } }] }
---
task_id: integration_2025_001
task_type: setup_api
dependencies: [base]
specifications:
  api_requirements:
    type: rest
    rate_limiting: 100000_requests_per_minute
    endpoints:
      - { path: /api/rooms, method: POST, authentication: none }
      - { path: "/api/rooms/{id}", method: GET, authentication: none }
"#;

/// Who has read rooms on a server, by the name of the program.
const READERS: &str = "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%rooms%'";

fn must_be_read_at_once(servers: &[Server], rounds: u32) {
    for number in 0..rounds {
        for writes in servers {
            let made = ask(writes.address, &post("/api/rooms", None, &format!("{{\"number\":{number}}}")), "").unwrap();
            assert_eq!(made.status, 201, "{}", writes.log());
            for reads in servers {
                let read = ask(reads.address, &get(&made.headers["location"]), "").unwrap();
                assert_eq!(read.status, 200, "{number}: {}", reads.log());
            }
        }
    }
}

/// Until each of the servers has read from there.
fn must_read_from(standby: &PrivateServer, servers: &[Server]) {
    let begun = Instant::now();
    while psql(&standby.url(), READERS).unwrap().trim() != servers.len().to_string() {
        assert!(begun.elapsed() < Duration::from_secs(15), "{}", servers.iter().map(Server::log).collect::<String>());
        must_be_read_at_once(servers, 1);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_replica_is_read_that_knows_what_was_committed() {
    let admits = format!("{PASSWORD_ONLY}\nhost replication all 127.0.0.1/32 scram-sha-256\n");
    let Some(primary) = PrivateServer::start("read replicas", &admits, "") else { return };
    let mut workspace = Workspace::new();
    workspace.url = Some(primary.url());
    workspace.run_text(TASKS).must_end_with(0);
    primary.stop();
    let standby = primary.copy();
    fs::write(standby.path("data/standby.signal"), "").unwrap();
    let url = primary.url();
    let (_, rest) = url.split_once("://").unwrap();
    let (who, rest) = rest.split_once('@').unwrap();
    let (user, password) = who.split_once(':').unwrap();
    let port = rest.split([':', '/']).nth(1).unwrap();
    let mut settings = OpenOptions::new().append(true).open(standby.path("data/postgresql.auto.conf")).unwrap();
    writeln!(settings, "primary_conninfo = 'host=127.0.0.1 port={port} user={user} password={password}'").unwrap();
    primary.launch("");
    standby.launch("");
    let place = |server: &PrivateServer| server.url().split(['@', '/']).nth(3).unwrap().to_owned();
    workspace.url = Some(url.replace(&place(&primary), &format!("{},{}", place(&standby), place(&primary))));
    let servers: Vec<_> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();

    must_be_read_at_once(&servers, 20);
    must_read_from(&standby, &servers);

    // Behind.
    psql(&standby.url(), "SELECT pg_wal_replay_pause()").unwrap();
    must_be_read_at_once(&servers, 5);
    psql(&standby.url(), "SELECT pg_wal_replay_resume()").unwrap();

    // Away, and back.
    standby.stop();
    must_be_read_at_once(&servers, 5);
    standby.launch("");
    must_read_from(&standby, &servers);
    must_be_read_at_once(&servers, 5);
}
