//! Deliveries by the built server on each engine: what was committed is done at the provider once, whoever is killed meanwhile, and
//! whatever the provider does.

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{mysql, postgresql, schema::Schema};
use crate::integrations::{MEMBERS, integrate, member, with_stripe};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vocab::Engine;

/// Kills of each kind, where `KILLS` says no other number, as `cargo xtask kills` does.
const KILLS: u64 = 5;
/// How long nothing may come of what waits behind the last kill: leases have to run out. With many kills more waits than the provider
/// takes in that time.
const DRAIN: Duration = Duration::from_secs(90);

const BASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: ENGINE\n    connection: \"${env:DATABASE_OF_TEST}\"\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";

/// A workspace whose members are told to a played Stripe; on the server's database at that URL where there is one.
fn members_of(url: Option<String>, faults: &[&str]) -> (Workspace, Played) {
    let (mut workspace, played) = with_stripe(faults);
    if let Some(url) = url {
        let engine = crate::harness::schema::engine_of(&url).to_string();
        workspace.url = Some(url);
        workspace.run_text(&BASE.replace("ENGINE", &engine)).must_end_with(0);
    }
    let api = MEMBERS.replace("type: rest", "type: rest\n    rate_limiting: 100000_requests_per_minute");
    workspace.run_text(&api).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    (workspace, played)
}

fn kills() -> u64 {
    std::env::var("KILLS").map_or(KILLS, |number| number.parse().expect("`KILLS` is a number"))
}

/// Between two requests: not so many for each kill where there are many kills, or the provider's rate would say how long a test takes.
fn pace() -> Duration {
    Duration::from_millis(5 * (kills() / KILLS).clamp(1, 12))
}

fn number(workspace: &Workspace, query: &str) -> u64 {
    workspace.query(query)[0][0].parse().unwrap()
}

/// Until nothing waits any more.
#[track_caller]
fn must_drain(workspace: &Workspace, server: &Server) {
    let (mut begun, mut least) = (Instant::now(), u64::MAX);
    loop {
        let waits = number(workspace, "SELECT count(*) FROM outbox_events WHERE dispatched_at IS NULL")
            + number(workspace, "SELECT count(*) FROM outbox_deliveries WHERE state <> 'delivered'");
        if waits == 0 {
            return;
        }
        if waits < least {
            (begun, least) = (Instant::now(), waits);
        }
        assert!(begun.elapsed() < DRAIN, "{waits} wait: {}", server.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What was accepted is there, what is there was delivered, and each of it has had one effect.
#[track_caller]
fn must_be_single(workspace: &Workspace, played: &Played, accepted: &BTreeSet<u32>) {
    let kept: BTreeSet<u32> = workspace
        .query("SELECT user_id FROM members")
        .into_iter()
        .map(|row| row[0].rsplit('-').next().unwrap().parse().unwrap())
        .collect();
    let lost: Vec<&u32> = accepted.difference(&kept).collect();
    assert!(lost.is_empty(), "accepted and lost: {lost:?}");
    let delivered = number(workspace, "SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered'");
    assert_eq!(delivered, kept.len() as u64);
    let stripe: SocketAddr = played.told("address").trim_start_matches("http://").parse().unwrap();
    let effects: serde_json::Value =
        serde_json::from_slice(&ask(stripe, &get("/_simulator/effects"), "").unwrap().body).unwrap();
    let (total, most) = (&effects["total"], &effects["most_of_one_key"]);
    assert_eq!((total, most), (&delivered.into(), &1.into()), "{effects}");
}

#[test]
fn what_happens_is_done_at_the_provider_on_servers_too() {
    for engine in [Engine::PostgreSql, Engine::MySql] {
        let Some(place) = Schema::empty(engine, "deliveries") else { continue };
        let (workspace, played) = members_of(Some(place.url()), &[]);
        let server = Server::start(Kind::Native, &workspace);
        let accepted: BTreeSet<u32> = (0..40).collect();
        for number in &accepted {
            assert_eq!(ask(server.address, &member(*number), "").unwrap().status, 201);
        }
        must_drain(&workspace, &server);
        must_be_single(&workspace, &played, &accepted);
        assert_eq!(number(&workspace, "SELECT count(*) FROM outbox_remembered"), 40);
        let records = workspace.query("SELECT record FROM outbox_attempts");
        assert!(records.iter().all(|row| row[0].contains("[redacted]") && !row[0].contains("example.com")));
        drop(server);
    }
}

/// The worker is killed while requests come in and deliveries go out, and answers of the provider are lost beside it.
fn killed_workers(url: Option<String>) {
    let (workspace, played) = members_of(url, &["--fault", "reply_lost:0.1"]);
    let (mut next, mut accepted) = (0, BTreeSet::new());
    for kill in 0..kills() {
        let server = Server::start(Kind::Native, &workspace);
        let alive = Duration::from_millis(150 + 150 * (kill % KILLS));
        let begun = Instant::now();
        while begun.elapsed() < alive {
            next += 1;
            if ask(server.address, &member(next), "").is_ok_and(|answer| answer.status == 201) {
                accepted.insert(next);
            }
            std::thread::sleep(pace());
        }
        // `kill -9`.
        drop(server);
    }
    assert!(accepted.len() > 20, "{}", accepted.len());
    let server = Server::start(Kind::Native, &workspace);
    drained(&workspace, &server, &played, &accepted);
}

/// Says how long the rest took, too.
#[track_caller]
fn drained(workspace: &Workspace, server: &Server, played: &Played, accepted: &BTreeSet<u32>) {
    let begun = Instant::now();
    must_drain(workspace, server);
    must_be_single(workspace, played, accepted);
    println!("{} kills, {} accepted, drained in {:.1} s", kills(), accepted.len(), begun.elapsed().as_secs_f64());
}

#[test]
fn killed_workers_lose_no_event_and_double_none() {
    killed_workers(None);
}

#[test]
fn killed_workers_lose_no_event_and_double_none_on_postgresql() {
    if let Some(place) = Schema::empty(Engine::PostgreSql, "killed workers") {
        killed_workers(Some(place.url()));
    }
}

#[test]
fn killed_workers_lose_no_event_and_double_none_on_mysql() {
    if let Some(place) = Schema::empty(Engine::MySql, "killed workers") {
        killed_workers(Some(place.url()));
    }
}

/// The database is killed while requests come in and deliveries go out, and comes back; the server stays.
fn killed_databases(url: String, mut kill_and_start: impl FnMut()) {
    let (workspace, played) = members_of(Some(url), &["--fault", "reply_lost:0.1"]);
    let server = Server::start(Kind::Native, &workspace);
    let (is_over, mut accepted) = (AtomicBool::new(false), BTreeSet::new());
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let (mut next, mut accepted) = (0, BTreeSet::new());
            while !is_over.load(Ordering::Relaxed) {
                next += 1;
                if ask(server.address, &member(next), "").is_ok_and(|answer| answer.status == 201) {
                    accepted.insert(next);
                }
                std::thread::sleep(pace());
            }
            accepted
        });
        for kill in 0..kills() {
            std::thread::sleep(Duration::from_millis(300 + 100 * (kill % KILLS)));
            kill_and_start();
        }
        std::thread::sleep(Duration::from_millis(500));
        is_over.store(true, Ordering::Relaxed);
        accepted = posting.join().unwrap();
    });
    assert!(accepted.len() > 20, "{}", accepted.len());
    drained(&workspace, &server, &played, &accepted);
}

#[test]
fn killed_databases_lose_no_event_and_double_none_on_postgresql() {
    let Some(server) = postgresql::PrivateServer::start("killed databases", postgresql::PASSWORD_ONLY, "") else {
        return;
    };
    killed_databases(server.url(), || {
        server.kill();
        server.launch("");
    });
}

#[test]
fn killed_databases_lose_no_event_and_double_none_on_mysql() {
    let (port, password) = (mysql::free_port(), "private-to-this-test");
    // As it is by itself: a commit is written before it is answered.
    let options = ["--innodb-flush-log-at-trx-commit=1"];
    let Some(mut server) = mysql::PrivateServer::start(port, "shop", password, &options) else { return };
    killed_databases(format!("mysql://root:{password}@127.0.0.1:{port}/shop"), || server.kill_and_start());
}

/// While a provider fails, nothing of what is told to it and no credential stands where people look.
#[test]
fn nothing_personal_and_no_secret_is_shown_while_a_provider_fails() {
    let (workspace, played) = members_of(None, &[]);
    let stripe: SocketAddr = played.told("address").trim_start_matches("http://").parse().unwrap();
    let faults = post("/_simulator/faults", None, r#"{"faults":["server_error:0.7","rate_limit:0.2"]}"#);
    assert_eq!(ask(stripe, &faults, "").unwrap().status, 200);
    let mut serve = Server::command(Kind::Native, &workspace);
    let server = Server::of(serve.env("PRODUCER_LOG", "debug"));
    for number in 0..12 {
        assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201);
    }
    let begun = Instant::now();
    while number(&workspace, "SELECT count(*) FROM outbox_attempts WHERE outcome <> 'delivered'") < 3 {
        assert!(begun.elapsed() < DRAIN, "nothing fails: {}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    assert!(metrics.contains("delivery_attempts_total{"), "{metrics}");
    let said = |words: &[&str]| {
        let ended = end(&mut workspace.command(words)).must_end_with(0);
        ended.stdout + &ended.stderr
    };
    let mut shown = metrics + &server.log() + &said(&["deliveries", "list"]);
    shown += &said(&["deliveries", "list", "--format", "json"]);
    for row in workspace.query("SELECT DISTINCT delivery_id FROM outbox_attempts") {
        shown += &said(&["deliveries", "show", &row[0], "--format", "json"]);
    }
    shown += &workspace.query("SELECT record FROM outbox_attempts").concat().concat();
    assert!(shown.contains("/v1/customers"), "{shown}");
    for planted in ["example.com", "Ada", played.told("secret_key")] {
        assert!(!shown.contains(planted), "`{planted}` is shown");
    }
}

/// The provider takes the credentials, and fails when it is told where its calls go.
#[test]
fn an_address_that_the_provider_does_not_take_is_a_failure_of_webhook_delivery() {
    let (workspace, _played) = with_stripe(&["--fault", "server_error:2"]);
    let settings = fs::read_to_string(workspace.path().join("producer.toml")).unwrap();
    fs::write(workspace.path().join("producer.toml"), format!("public_url = \"http://127.0.0.1:9\"\n{settings}"))
        .unwrap();
    workspace.run_text(MEMBERS).must_end_with(0);
    let ended = integrate(&workspace, &[]);
    let error = ended.response()["error"].clone();
    assert_eq!(error["kind"], "integration.webhook_delivery", "{}", ended.stdout);
    assert!(!error["hint"].as_str().unwrap_or_default().is_empty(), "{error}");
    // The fault was of one request: the same again comes through.
    integrate(&workspace, &[]).must_end_with(0);
}

/// A provider that takes the question and never answers it.
#[test]
fn a_provider_that_hangs_is_a_failure_of_its_service_and_says_when_to_come_back() {
    let (workspace, _played) = with_stripe(&["--fault", "hang"]);
    let error = integrate(&workspace, &[]).must_end_with(1).response()["error"].clone();
    assert_eq!(
        (&error["kind"], &error["code"], &error["retryable"]),
        (&"integration.service_unavailable".into(), &"service_unavailable".into(), &true.into()),
        "{error}"
    );
    assert!(error["hint"].as_str().unwrap().contains("again"), "{error}");
    assert!(!workspace.path().join("output").exists(), "nothing was made");
}
