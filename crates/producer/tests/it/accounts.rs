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
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use vocab::{Engine, sha256_hex};

/// Requests that refresh with one token at once, and how often that is done where nobody says more.
const AT_ONCE: usize = 12;
const RACES: usize = 25;

/// `cargo xtask races` says how often.
fn races() -> usize {
    std::env::var("RACES").ok().and_then(|races| races.parse().ok()).unwrap_or(RACES)
}

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
    if races() > RACES {
        // More requests than the sample allows a caller.
        let limited = fs::read_to_string(Sample::Accounts.task()).unwrap();
        let open = limited.replace("rate_limiting: 200_requests", "rate_limiting: 5000000_requests");
        assert_ne!(open, limited);
        workspace.run_text(&open).must_end_with(0);
    }
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
    for race in 0..races() {
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
    assert_eq!(workspace.count("auth_refresh_tokens"), u32::try_from(races()).unwrap() + 1);

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

    // A burst has no more tries than there are one after the other.
    for place in &places {
        let wrong = json!({ "email": "burst@example.com", "password": "some other words" });
        let statuses: Vec<u16> = thread::scope(|scope| {
            let burst: Vec<_> =
                (0..16).map(|_| scope.spawn(|| send(*place, "/api/auth/login", &wrong).status)).collect();
            burst.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let counted = |status| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((counted(401), counted(429)), (10, 6), "{statuses:?}");
    }

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

#[test]
fn mailed_tokens_do_what_they_are_for_on_sqlite() {
    mailed_tokens_do_what_they_are_for(&Workspace::completed_with(Sample::Accounts));
}

#[test]
fn mailed_tokens_do_what_they_are_for_on_postgresql() {
    let Some(place) = Schema::empty(Engine::PostgreSql, "tokens of mails") else { return };
    mailed_tokens_do_what_they_are_for(&Workspace::completed_on(Sample::Accounts, place.url()));
}

#[test]
fn mailed_tokens_do_what_they_are_for_on_mysql() {
    let Some(place) = Schema::empty(Engine::MySql, "tokens of mails") else { return };
    mailed_tokens_do_what_they_are_for(&Workspace::completed_on(Sample::Accounts, place.url()));
}

/// Several tasks on one database have the same accounts: what belongs to them is at the first.
#[test]
fn what_belongs_to_accounts_is_at_the_first_of_several_tasks() {
    let workspace = Workspace::new();
    let task = |name: &str, endpoints: &str| {
        format!(
            "task_id: {name}\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}"
        )
    };
    let first = task("first", "      - { path: /api/auth/login, method: POST, authentication: none }\n");
    let second = task(
        "second",
        "      - { path: /api/members/me, method: GET, authentication: jwt_token, behavior: account_profile }\n      - { path: /api/notes, method: GET, authentication: jwt_token }\n",
    );
    workspace.run_text(&first).must_end_with(0);
    let response = workspace.run_text(&second).must_end_with(0).response();
    assert_eq!(response["status"], "completed", "{response}");
    let decisions = fs::read_to_string(workspace.path().join("output/integration/task_second/plan.md")).unwrap();
    assert!(decisions.contains("are those of task `first`"), "{decisions}");
    assert_eq!(workspace.run_text(&first).must_end_with(0).response()["changed"], false, "the first stays the first");
    let server = Server::start(Kind::Native, &workspace);
    let (access, _) = sign_in(server.address);
    for path in ["/api/members/me", "/api/notes", "/api/auth/profile"] {
        assert_eq!(ask(server.address, &with_token(get(path), &access), "").unwrap().status, 200, "{path}");
    }
    let both = task("third", "      - { path: /api/auth/login, method: POST, authentication: none }\n");
    let refused = workspace.run_text(&both).must_end_with(1).response();
    let said = refused.to_string();
    assert!(said.contains("`POST /api/auth/login` is served by task `first` already"), "{said}");
    assert!(said.contains("leave the endpoint out where that answer will do"), "{said}");
}

/// The newest token for that, as if it had come by mail.
fn mailed(workspace: &Workspace, purpose: &str) -> Json {
    let of_purpose = format!("WHERE purpose = '{purpose}' AND used_at IS NULL ORDER BY id DESC LIMIT 1");
    let id = workspace.query(&format!("SELECT id FROM auth_mailed_tokens {of_purpose}")).swap_remove(0).swap_remove(0);
    let token = format!("the token {id}");
    let hash = sha256_hex(token.as_bytes());
    workspace.query(&format!("UPDATE auth_mailed_tokens SET hash = '{hash}' WHERE id = '{id}'"));
    Json::String(token)
}

/// What the outbox holds of the event, oldest first.
fn emitted(workspace: &Workspace, event: &str) -> Vec<Json> {
    let rows = workspace.query(&format!("SELECT payload FROM outbox_events WHERE name = '{event}' ORDER BY id"));
    rows.iter().map(|row| serde_json::from_str(&row[0]).unwrap()).collect()
}

/// One story over both servers, each of which does what the other one began.
fn mailed_tokens_do_what_they_are_for(workspace: &Workspace) {
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, workspace)).collect();
    let (first, last) = (servers[0].address, servers[servers.len() - 1].address);
    let login =
        |email: &str, password: &str| send(last, "/api/auth/login", &json!({ "email": email, "password": password }));
    let (access, _) = sign_in(first);
    let told = emitted(workspace, "account_verification");
    assert_eq!((told.len(), &told[0]["email"]), (1, &json!("ada@example.com")));
    let proved = |workspace: &Workspace| {
        let row = workspace.query("SELECT email_verified_at IS NOT NULL FROM auth_accounts").swap_remove(0);
        ["1", "t", "true"].contains(&row[0].as_str())
    };

    // The address is proved once, however often the link is opened.
    assert!(!proved(workspace), "nobody has proved it");
    let token = mailed(workspace, "verification");
    for place in [last, first] {
        assert_eq!(send(place, "/api/auth/verify-email", &json!({ "token": token })).status, 204);
    }
    assert!(proved(workspace));
    assert_eq!(emitted(workspace, "email_verified").len(), 1);
    let mut again = with_token(post("/api/auth/resend-verification", None, ""), &access);
    again.text = None;
    assert_eq!(ask(first, &again, "").unwrap().status, 202);
    assert_eq!(emitted(workspace, "account_verification").len(), 1, "what is proved is not asked for again");

    // A lost password: the token is good once, and for nothing else; every session ends.
    assert_eq!(send(first, "/api/auth/forgot-password", &json!({ "email": "ADA@example.com" })).status, 202);
    assert_eq!(emitted(workspace, "password_reset").len(), 1);
    let token = mailed(workspace, "password_reset");
    assert_eq!(send(last, "/api/auth/confirm-email", &json!({ "token": token })).status, 410, "it is for passwords");
    let reset = json!({ "token": token, "new_password": "difference engine no 2" });
    assert_eq!(send(last, "/api/auth/reset-password", &reset).status, 204);
    assert_eq!(send(first, "/api/auth/reset-password", &reset).status, 410, "it is spent");
    assert_eq!(profile(last, &access), 401, "the session has ended");
    assert_eq!(login("ada@example.com", "engine of analysis").status, 401);
    let (access, _) = tokens(&login("ada@example.com", "difference engine no 2"));
    assert_eq!(emitted(workspace, "password_changed").len(), 1);

    // Where nobody has the address as much is written, and what is kept is good for nothing.
    assert_eq!(send(first, "/api/auth/forgot-password", &json!({ "email": "nobody@example.com" })).status, 202);
    assert_eq!(emitted(workspace, "password_reset_unmatched"), [json!({})]);
    let token = mailed(workspace, "nothing");
    let reset = json!({ "token": token, "new_password": "difference engine no 3" });
    for path in ["/api/auth/reset-password", "/api/auth/accept-invitation", "/api/auth/confirm-email"] {
        let body = if path.ends_with("confirm-email") { json!({ "token": token }) } else { reset.clone() };
        assert_eq!(send(last, path, &body).status, 410, "{path}");
    }

    // A token whose time is over does nothing.
    assert_eq!(send(first, "/api/auth/forgot-password", &json!({ "email": "ada@example.com" })).status, 202);
    let token = mailed(workspace, "password_reset");
    workspace.query("UPDATE auth_mailed_tokens SET expires_at = created_at WHERE used_at IS NULL");
    let late = json!({ "token": token, "new_password": "difference engine no 3" });
    assert_eq!(send(last, "/api/auth/reset-password", &late).status, 410);

    // Another address: not before its token comes back. What was mailed to the old one is good for nothing then.
    let wanted = json!({ "email": "lovelace@example.com", "password": "difference engine no 2" });
    let change = with_token(post("/api/auth/change-email", None, &wanted.to_string()), &access);
    assert_eq!(ask(last, &change, "").unwrap().status, 202);
    assert_eq!(emitted(workspace, "email_change")[0]["email"], "lovelace@example.com");
    assert_eq!(login("lovelace@example.com", "difference engine no 2").status, 401);
    assert_eq!(send(first, "/api/auth/forgot-password", &json!({ "email": "ada@example.com" })).status, 202);
    let old = mailed(workspace, "password_reset");
    let token = mailed(workspace, "email_change");
    assert_eq!(send(first, "/api/auth/confirm-email", &json!({ "token": token })).status, 204);
    assert_eq!(login("lovelace@example.com", "difference engine no 2").status, 200);
    assert_eq!(login("ada@example.com", "difference engine no 2").status, 401);
    let late = json!({ "token": old, "new_password": "difference engine no 3" });
    assert_eq!(send(last, "/api/auth/reset-password", &late).status, 410, "it was mailed to the old address");
    assert_eq!(emitted(workspace, "email_changed")[0]["email"], "ada@example.com", "the old one is told");

    // An address that somebody has: its owner is told, and can set a password.
    let twice = json!({ "email": "lovelace@example.com", "name": "Eve", "password": "no engine at all" });
    assert_eq!(send(last, "/api/auth/register", &twice).status, 202);
    let told = emitted(workspace, "account_exists");
    assert_eq!((told.len(), &told[0]["email"]), (1, &json!("lovelace@example.com")));

    // Who is known without an account gets one by it: the address was proved.
    workspace.query("DELETE FROM auth_accounts");
    let token = mailed(workspace, "password_reset");
    let claim = json!({ "token": token, "new_password": "difference engine no 4" });
    assert_eq!(send(first, "/api/auth/reset-password", &claim).status, 204);
    assert_eq!(login("lovelace@example.com", "difference engine no 4").status, 200);
    assert!(proved(workspace));
    assert_eq!(emitted(workspace, "user_registration").len(), 2, "it is a new account");

    administrators(workspace, first, last);
    newsletter(workspace, first, last);

    // Neither the outbox nor the table of tokens lets anybody in.
    for row in workspace.query("SELECT payload FROM outbox_events") {
        assert!(!row[0].contains("engine"), "the outbox holds a secret: {}", row[0]);
    }

    // What is over goes by itself, at whichever server.
    drop(servers);
    for kind in Kind::all_here() {
        let over = "'2020-01-01 00:00:00'";
        workspace.query(&format!("UPDATE auth_mailed_tokens SET expires_at = {over}"));
        workspace.query(&format!("UPDATE auth_sessions SET expires_at = {over}"));
        let left = |table: &str, column: &str| {
            let left = workspace.query(&format!("SELECT count(*) FROM {table} WHERE {column} = {over}"));
            left[0][0].parse::<u32>().unwrap()
        };
        assert!(left("auth_mailed_tokens", "expires_at") > 0);
        let server = Server::start(kind, workspace);
        let asked = json!({ "email": "somebody@example.com" });
        assert_eq!(send(server.address, "/api/auth/forgot-password", &asked).status, 202);
        let begun = Instant::now();
        while left("auth_mailed_tokens", "expires_at") + left("auth_sessions", "expires_at") > 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "what is over is still there");
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(workspace.count("auth_refresh_tokens"), 0, "its tokens went with each session");
    }
}

fn with_method(method: &str, path: &str, token: &str, body: &Json) -> CaseRequest {
    let mut request = with_token(post(path, None, &body.to_string()), token);
    method.clone_into(&mut request.method);
    request
}

/// A subscription counts once it was confirmed, at whichever server, and ends with a click in a mail program.
fn newsletter(workspace: &Workspace, first: SocketAddr, last: SocketAddr) {
    let ask_for =
        |place, email: &str| send(place, "/api/newsletter", &json!({ "email": email, "name": "Grace" })).status;
    let readers = || workspace.query("SELECT COUNT(*) FROM newsletter_subscribers")[0][0].clone();
    let told = |event| emitted(workspace, event).len();
    assert_eq!(ask_for(first, "reader@example.com"), 202);
    let asked = emitted(workspace, "newsletter_confirmation");
    assert_eq!((asked.len(), &asked[0]["email"]), (1, &json!("reader@example.com")));
    assert_eq!((readers().as_str(), told("newsletter_signup")), ("0", 0), "nobody has confirmed it");
    let (confirms, leaves) = ("the token that confirms", "the-token-that-ends-it");
    workspace.query(&format!(
        "UPDATE newsletter_subscribers_consents SET consent_hash = '{}', leave_hash = '{}'",
        sha256_hex(confirms.as_bytes()),
        sha256_hex(leaves.as_bytes())
    ));
    let confirm = |place| send(place, "/api/newsletter/confirm", &json!({ "token": confirms })).status;
    assert_eq!([confirm(last), confirm(first)], [204, 204], "it confirms the same twice");
    assert_eq!((readers().as_str(), told("newsletter_signup"), told("newsletter_welcome")), ("1", 1, 1));
    assert_eq!(emitted(workspace, "newsletter_signup")[0]["name"], "Grace");

    // Who has it is not written to again, and nobody learns of it.
    assert_eq!(ask_for(last, "READER@example.com"), 202);
    assert_eq!((told("newsletter_confirmation"), told("newsletter_confirmation_unmatched")), (1, 1));

    // What a mail program posts by itself: RFC 8058.
    let leave = |place, token: &str| {
        let mut click = post(&format!("/api/newsletter/unsubscribe/{token}"), None, "List-Unsubscribe=One-Click");
        click.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        ask(place, &click, "").unwrap().status
    };
    assert_eq!(leave(first, "another-token"), 404);
    assert_eq!([leave(last, leaves), leave(first, leaves)], [204, 204], "it may be repeated");
    assert_eq!((readers().as_str(), told("newsletter_unsubscribed")), ("0", 1));
    assert_eq!(confirm(first), 410, "the link of before subscribes nobody again");
}

/// What people who run it do to accounts, and what their owners take away and end.
fn administrators(workspace: &Workspace, first: SocketAddr, last: SocketAddr) {
    let login = |place: SocketAddr, email: &str, password: &str| {
        send(place, "/api/auth/login", &json!({ "email": email, "password": password }))
    };
    let words = "difference engine no 4";
    let (token, _) = tokens(&login(first, "lovelace@example.com", words));
    let refused = ask(last, &with_token(get("/api/auth/users"), &token), "").unwrap();
    assert_eq!(refused.status, 403, "it is nobody's but administrators'");
    workspace.query("UPDATE auth_accounts SET role = 'admin'");
    let (token, _) = tokens(&login(first, "lovelace@example.com", words));
    let page = told(&ask(last, &with_token(get("/api/auth/users"), &token), "").unwrap());
    assert_eq!(page["items"][0]["email"], "lovelace@example.com", "{page}");
    let admin = page["items"][0]["id"].as_str().unwrap();

    // An invitation: a user at once, an account when it is accepted, with the role that was meant.
    let guest = json!({ "email": "charles@example.com", "name": "Charles", "role": "user" });
    let invite = with_method("POST", "/api/auth/invitations", &token, &guest);
    assert_eq!(ask(first, &invite, "").unwrap().status, 202);
    assert_eq!(emitted(workspace, "account_invitation").len(), 1);
    let accepts = json!({ "token": mailed(workspace, "invitation"), "new_password": "nine digit tables" });
    assert_eq!(send(last, "/api/auth/accept-invitation", &accepts).status, 204);
    assert_eq!(send(first, "/api/auth/accept-invitation", &accepts).status, 410, "it is spent");
    assert_eq!(ask(last, &invite, "").unwrap().status, 409, "there is such an account");
    let unknown = json!({ "email": "x@example.com", "name": "X", "role": "root" });
    assert_eq!(ask(last, &with_method("POST", "/api/auth/invitations", &token, &unknown), "").unwrap().status, 422);
    let (guests, _) = tokens(&login(last, "charles@example.com", "nine digit tables"));

    // Disabled, everywhere within a second; and used again.
    let id = workspace.query("SELECT id FROM users WHERE email = 'charles@example.com'").swap_remove(0).swap_remove(0);
    let path = format!("/api/auth/accounts/{id}");
    let shown = told(&ask(last, &with_token(get(&path), &token), "").unwrap());
    assert_eq!((&shown["email"], &shown["role"]), (&json!("charles@example.com"), &json!("user")), "{shown}");
    assert!(shown["email_verified_at"].is_string() && shown["disabled_at"].is_null(), "{shown}");
    assert_eq!(profile(last, &guests), 200);
    let disabled = ask(first, &with_method("PATCH", &path, &token, &json!({ "disabled": true })), "").unwrap();
    assert!(disabled.status == 200 && told(&disabled)["disabled_at"].is_string());
    let since = Instant::now();
    assert_eq!(profile(first, &guests), 401, "where it was disabled, at once");
    while profile(last, &guests) == 200 {
        assert!(since.elapsed() < Duration::from_secs(3), "everywhere within a second");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(login(last, "charles@example.com", "nine digit tables").status, 403);
    let change = json!({ "disabled": false, "role": "admin" });
    let enabled = told(&ask(last, &with_method("PATCH", &path, &token, &change), "").unwrap());
    assert_eq!((&enabled["role"], &enabled["disabled_at"]), (&json!("admin"), &Json::Null));
    let own = with_method("PATCH", &format!("/api/auth/accounts/{admin}"), &token, &json!({ "role": "user" }));
    assert_eq!(ask(first, &own, "").unwrap().status, 409, "an administrator is left");

    // What is kept of somebody, and its end.
    let (guests, _) = tokens(&login(first, "charles@example.com", "nine digit tables"));
    let kept = told(&ask(last, &with_token(get("/api/auth/export"), &guests), "").unwrap());
    assert_eq!((&kept["user"]["name"], &kept["account"]["role"]), (&json!("Charles"), &json!("admin")), "{kept}");
    assert_eq!(kept["sessions"].as_array().unwrap().len(), 2, "{kept}");
    assert!(!kept.to_string().contains("argon2"), "{kept}");
    let end =
        |password: &str| with_method("POST", "/api/auth/delete-account", &guests, &json!({ "password": password }));
    assert_eq!(ask(last, &end("some other words"), "").unwrap().status, 401);
    assert_eq!(ask(last, &end("nine digit tables"), "").unwrap().status, 204);
    assert_eq!(login(first, "charles@example.com", "nine digit tables").status, 401);
    assert_eq!(workspace.query("SELECT count(*) FROM users")[0][0], "1");
    assert_eq!(workspace.count("auth_accounts"), 1);
    assert_eq!(emitted(workspace, "account_deleted")[0]["email"], "charles@example.com");
}
