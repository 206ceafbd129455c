//! People who sign in, over several servers of one database: a session is one wherever it is used, two that refresh at once stay signed
//! in, and a copy of a token ends its session.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{self, Workspace};
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use vocab::Engine;

/// Requests that refresh with one token at once, and how often that is done.
const AT_ONCE: usize = 12;
const RACES: usize = 25;

fn send(address: SocketAddr, path: &str, body: &Json) -> Answer {
    ask(address, &post(path, None, &body.to_string()), "").unwrap()
}

fn with_token(mut request: CaseRequest, token: &str) -> CaseRequest {
    request.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
    request
}

fn profile(address: SocketAddr, token: &str) -> u16 {
    ask(address, &with_token(get("/api/users/profile"), token), "").unwrap().status
}

fn told(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap()
}

/// The two tokens of an answer.
fn tokens(answer: &Answer) -> (String, String) {
    let body = told(answer);
    let token = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (token("access_token"), token("refresh_token"))
}

fn sign_in(address: SocketAddr) -> (String, String) {
    let who = json!({ "email": "ada@example.com", "password": "engine of analysis" });
    let mut registration = who.clone();
    registration["name"] = "Ada".into();
    assert_eq!(send(address, "/api/auth/register", &registration).status, 202);
    tokens(&send(address, "/api/auth/login", &who))
}

fn refresh(address: SocketAddr, token: &str) -> Answer {
    send(address, "/api/auth/refresh", &json!({ "refresh_token": token }))
}

#[test]
fn a_session_is_one_on_sqlite() {
    a_session_is_one_wherever_it_is_used(&Workspace::completed_with(Sample::Accounts));
}

#[test]
fn a_session_is_one_on_postgresql() {
    let Some(place) = Schema::empty(Engine::PostgreSql, "sessions of several servers") else { return };
    a_session_is_one_wherever_it_is_used(&Workspace::completed_on(Sample::Accounts, place.url()));
}

#[test]
fn a_session_is_one_on_mysql() {
    let Some(place) = Schema::empty(Engine::MySql, "sessions of several servers") else { return };
    a_session_is_one_wherever_it_is_used(&Workspace::completed_on(Sample::Accounts, place.url()));
}

/// One story, because each of its parts needs servers and somebody who is signed in.
fn a_session_is_one_wherever_it_is_used(workspace: &Workspace) {
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, workspace)).collect();
    let places: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let (first, last) = (places[0], places[places.len() - 1]);
    let (access, mut token) = sign_in(first);
    for place in &places {
        assert_eq!(profile(*place, &access), 200, "a token of one server is good at the other");
    }
    let of_both: BTreeSet<String> = places
        .iter()
        .map(|place| told(&ask(*place, &get("/.well-known/jwks.json"), "").unwrap()).to_string())
        .collect();
    assert_eq!(of_both.len(), 1, "the servers show the same keys");

    // Whoever refreshes at once, at whichever server, gets the same tokens and stays signed in.
    for race in 0..RACES {
        let answers: Vec<Answer> = thread::scope(|scope| {
            let ask = |number: usize| {
                let (place, token) = (places[number % places.len()], &token);
                scope.spawn(move || refresh(place, token))
            };
            let threads: Vec<_> = (0..AT_ONCE).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, BTreeSet::from([200]), "race {race}: nobody is signed out");
        let next: BTreeSet<String> = answers.iter().map(|answer| tokens(answer).1).collect();
        assert_eq!(next.len(), 1, "race {race}: there is one successor");
        token = next.into_iter().next().unwrap();
    }
    assert_eq!(workspace.count("auth_sessions"), 1);
    assert_eq!(workspace.count("auth_refresh_tokens"), u32::try_from(RACES).unwrap() + 1);

    // A copy that is used when its time is over ends the session, for the newest token too.
    let spent = token;
    let (access, newest) = tokens(&refresh(last, &spent));
    workspace.query("UPDATE auth_refresh_tokens SET reusable_until = used_at");
    thread::sleep(Duration::from_millis(5));
    assert_eq!(refresh(first, &spent).status, 401, "the copy is caught");
    assert_eq!(refresh(last, &newest).status, 401, "its session has ended");
    let ended = Instant::now();
    assert_eq!(profile(first, &access), 401, "where it was ended, at once");
    while profile(last, &access) == 200 {
        assert!(ended.elapsed() < Duration::from_secs(3), "everywhere within a second");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(workspace.query("SELECT revoked_because FROM auth_sessions")[0][0], "copied");
    let copied = workspace.query("SELECT count(*) FROM outbox_events WHERE name = 'session_copied'");
    assert_eq!(copied[0][0], "1");

    // What is over is not listed, and goes with the next login.
    workspace.query("UPDATE auth_sessions SET expires_at = created_at");

    // Another login ends where it is ended, and others go on.
    let who = json!({ "email": "ada@example.com", "password": "engine of analysis" });
    let (here, _) = tokens(&send(first, "/api/auth/login", &who));
    let (there, _) = tokens(&send(last, "/api/auth/login", &who));
    let listed = told(&ask(first, &with_token(get("/api/auth/sessions"), &here), "").unwrap());
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(workspace.count("auth_sessions"), 2);
    let newest = listed["items"][0]["id"].as_str().unwrap();
    let mut end = with_token(get(&format!("/api/auth/sessions/{newest}")), &here);
    end.method = "DELETE".to_owned();
    assert_eq!(ask(first, &end, "").unwrap().status, 204);
    assert_eq!(ask(first, &end, "").unwrap().status, 404, "it has ended already");
    assert_eq!((profile(first, &there), profile(first, &here)), (401, 200));

    // Whoever runs the workspace makes the first administrator, of whom the servers know within a second.
    let listing = |place: &SocketAddr| ask(*place, &with_token(get("/api/products"), &here), "").unwrap().status;
    assert!(places.iter().all(|place| listing(place) == 403), "an account has no role of its own");
    let role = |words: &[&str]| workspace::end(&mut workspace.command(&[&["accounts", "role"], words].concat()));
    role(&["ADA@example.com", "admin"]).must_end_with(0);
    let given = Instant::now();
    while !places.iter().all(|place| listing(place) == 200) {
        assert!(given.elapsed() < Duration::from_secs(3), "a role counts within a second");
        thread::sleep(Duration::from_millis(50));
    }
    let misspelled = role(&["ada@example.com", "admn"]).must_end_with(1);
    assert!(misspelled.stderr.contains("did you mean `admin`?"), "{}", misspelled.stderr);
    let nobody = role(&["nobody@example.com", "admin"]).must_end_with(1);
    assert!(nobody.stderr.contains("nobody with the address `nobody@example.com` has an account"), "{}", nobody.stderr);

    // Nothing of a password or a token is kept as it is.
    for (table, columns) in [("auth_accounts", "password_hash"), ("auth_refresh_tokens", "hash")] {
        for row in workspace.query(&format!("SELECT {columns} FROM {table}")) {
            assert!(row[0].starts_with("$argon2id$v=19$m=19456,t=2,p=1$") || row[0].len() == 64, "{table}: {}", row[0]);
        }
    }
    for server in &servers {
        let log = server.log();
        assert!(!log.contains("engine of analysis") && !log.contains(&here), "the log holds a secret");
    }
}
