//! What one request and one answer do not show: raw bytes, several requests in a row, and what the database holds afterwards.

use crate::harness::client::{Connection, ask, get, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{MESSAGE, SUBSCRIPTION, on_both_servers, while_locked};
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

on_both_servers!(
    a_chunked_body_past_the_limit_is_refused_while_its_sender_goes_on,
    a_body_announced_too_large_is_refused_without_being_asked_for,
    a_body_announced_too_large_is_refused_though_it_is_sent,
    a_body_that_does_not_arrive_is_answered_408,
    what_is_not_http_is_answered_with_a_problem,
    a_header_sent_twice_has_both_values,
    a_tunnel_is_found_nowhere,
    a_connection_goes_on_after_a_refusal,
    head_has_the_headers_of_get_and_no_body,
    a_contact_message_and_its_event_are_stored_together,
    the_answer_does_not_reveal_that_an_address_is_subscribed,
    failed_attempts_to_authenticate_are_limited_by_address,
    a_revoked_key_is_refused_within_a_second,
    a_failure_is_a_500_that_says_nothing_and_keeps_nothing,
    a_database_that_does_not_answer_is_a_503,
    what_happened_is_counted,
    sigterm_finishes_what_is_under_way,
);

const CHUNKED: &[u8] = b"POST /api/newsletter HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

fn a_chunked_body_past_the_limit_is_refused_while_its_sender_goes_on(kind: Kind) {
    let (_workspace, server) = started(kind);
    let mut connection = Connection::open(server.address).unwrap();
    connection.send(CHUNKED).unwrap();
    let mut sending = connection.stream.try_clone().unwrap();
    let is_answered = AtomicBool::new(false);
    let begun = Instant::now();
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
            while !is_answered.load(Ordering::Relaxed) && sending.write_all(chunk.as_bytes()).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let answer = connection.answer("POST");
        is_answered.store(true, Ordering::Relaxed);
        answer.unwrap()
    });
    assert!(begun.elapsed() < Duration::from_millis(800), "as soon as it passes the limit: {:?}", begun.elapsed());
    must_be_problem(&answer, 413, "body-too-large", "the body may have at most 65536 bytes");
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(answer.headers["ratelimit"], r#""default";r=99;t=60"#);
    assert_eq!(asked(&server, &get("/healthz")).status, 200);
}

fn a_body_announced_too_large_is_refused_without_being_asked_for(kind: Kind) {
    let (_workspace, server) = started(kind);
    let mut connection = Connection::open(server.address).unwrap();
    connection.send(&announcing(65_537, "Expect: 100-continue\r\n")).unwrap();
    let (status, _) = connection.head().unwrap();
    assert_eq!(status, 413);
}

fn a_body_announced_too_large_is_refused_though_it_is_sent(kind: Kind) {
    let (_workspace, server) = started(kind);
    let mut connection = Connection::open(server.address).unwrap();
    let length = 1_000_000;
    connection.send(&announcing(length, "")).unwrap();
    let mut sending = connection.stream.try_clone().unwrap();
    let answer = thread::scope(|scope| {
        // The server may hang up before it has taken everything.
        scope.spawn(move || sending.write_all(&vec![b' '; length]));
        connection.answer("POST").unwrap()
    });
    must_be_problem(&answer, 413, "body-too-large", "the body may have at most 65536 bytes");
}

fn a_body_that_does_not_arrive_is_answered_408(kind: Kind) {
    let (_workspace, server) = started(kind);
    let mut connection = Connection::open(server.address).unwrap();
    let sent = Instant::now();
    connection.send(&announcing(9, "")).unwrap();
    connection.send(b"{\"em").unwrap();
    let answer = connection.answer("POST").unwrap();
    let waited = sent.elapsed();
    must_be_problem(&answer, 408, "request-timeout", "the body did not arrive in time");
    assert_eq!(answer.headers["connection"], "close");
    assert!((Duration::from_secs(10)..Duration::from_secs(13)).contains(&waited), "{waited:?}");
    assert!(connection.rest().unwrap().is_empty());
}

fn what_is_not_http_is_answered_with_a_problem(kind: Kind) {
    let (_workspace, server) = started(kind);
    for bytes in [
        "GET /healthz HTTP/1.1\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    ] {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send(bytes.as_bytes()).unwrap();
        let answer = connection.answer("GET").unwrap();
        must_be_problem(&answer, 400, "malformed-request", "the request is not valid HTTP");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("connection", "close")]
        {
            assert_eq!(answer.headers[name], value, "{bytes}");
        }
        assert_eq!(json_of(&answer)["request_id"], answer.headers["x-request-id"].as_str());
        assert!(connection.rest().unwrap().is_empty());
    }
    assert_eq!(asked(&server, &get("/healthz")).status, 200);
}

fn a_header_sent_twice_has_both_values(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let answer = |headers: &str| {
        let mut connection = Connection::open(server.address).unwrap();
        let length = MESSAGE.len();
        let head = format!(
            "POST /api/contact HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        );
        connection.send(format!("{head}{headers}\r\n{MESSAGE}").as_bytes()).unwrap();
        connection.answer("POST").unwrap()
    };
    let sent = format!("X-API-Key: {key}\r\n");
    assert_eq!(answer(&format!("{sent}X-Request-Id: a\r\n")).headers["x-request-id"], "a");
    let twice = answer(&format!("{sent}X-Request-Id: a\r\nX-Request-Id: a\r\n"));
    assert_eq!((twice.status, twice.headers["x-request-id"].len()), (201, 36));
    must_be_problem(
        &answer(&format!("{sent}{sent}")),
        401,
        "invalid-credentials",
        "the API key is unknown, expired or revoked",
    );
    let bearer = format!("Authorization: Bearer {key}\r\n");
    assert_eq!(answer(&bearer).status, 201);
    assert_eq!(answer(&format!("{bearer}{bearer}")).status, 401);
    assert_eq!(answer(&format!("{sent}Content-Type: application/json\r\n")).status, 415);
}

fn a_tunnel_is_found_nowhere(kind: Kind) {
    let (_workspace, server) = started(kind);
    let mut connection = Connection::open(server.address).unwrap();
    connection.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n").unwrap();
    let answer = connection.answer("POST").unwrap();
    must_be_problem(&answer, 404, "not-found", "no resource has this path");
}

fn a_connection_goes_on_after_a_refusal(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let mut connection = Connection::open(server.address).unwrap();
    let message = |headers: &str| {
        let length = MESSAGE.len();
        format!("POST /api/contact HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n{MESSAGE}")
    };
    let mut ask = |request: &str| {
        connection.send(request.as_bytes()).unwrap();
        connection.answer("POST").unwrap().status
    };
    assert_eq!(ask(&message("")), 401);
    assert_eq!(ask(&message(&format!("X-API-Key: {key}\r\n"))), 415);
    assert_eq!(ask(&message("").replace("/contact", "/nowhere")), 404);
    assert_eq!(ask(&message(&format!("X-API-Key: {key}\r\nContent-Type: application/json\r\n"))), 201);
    let two = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.send(two.as_bytes()).unwrap();
    assert_eq!(connection.answer("GET").unwrap().status, 200);
    assert_eq!(connection.answer("GET").unwrap().status, 404);
}

fn head_has_the_headers_of_get_and_no_body(kind: Kind) {
    let (_workspace, server) = started(kind);
    let request = |method: &str| {
        let text = format!("{method} /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: same\r\nConnection: close\r\n\r\n");
        let mut connection = Connection::open(server.address).unwrap();
        connection.send(text.as_bytes()).unwrap();
        let (_, mut headers) = connection.head().unwrap();
        headers.remove("date");
        (headers, connection.rest().unwrap())
    };
    let (get, body) = request("GET");
    assert_eq!(body, br#"{"status":"ok"}"#);
    assert_eq!(request("HEAD"), (get, Vec::new()));
}

fn a_contact_message_and_its_event_are_stored_together(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let body = r#"{"name":" Ada ","email":"Ada@example.com","message":"one\ntwo"}"#;
    let answer = json_of(&asked(&server, &post("/api/contact", Some(&key), body)));
    let id = answer["id"].as_str().unwrap();
    let received_at = answer["received_at"].as_str().unwrap();
    assert_eq!(received_at.len(), "2026-01-02T03:04:05.678Z".len());
    assert_eq!(
        workspace.query("SELECT id, name, email, phone, company, subject, message, created_at FROM contact_messages"),
        [[id, "Ada", "Ada@example.com", "-", "-", "-", "one\ntwo", received_at]]
    );
    let payload = format!(
        r#"{{"id":"{id}","name":"Ada","email":"Ada@example.com","phone":null,"company":null,"subject":null,"message":"one\ntwo","created_at":"{received_at}"}}"#
    );
    assert_eq!(
        workspace.query("SELECT name, payload, occurred_at FROM outbox_events"),
        [["contact_form", &payload, received_at]]
    );
}

fn the_answer_does_not_reveal_that_an_address_is_subscribed(kind: Kind) {
    let (workspace, server) = started(kind);
    let subscribe = |email: &str| {
        let mut request = post("/api/newsletter", None, &json!({ "email": email }).to_string());
        request.headers.insert("x-request-id".to_owned(), "same".to_owned());
        let mut answer = asked(&server, &request);
        answer.headers.retain(|name, _| name != "date" && name != "ratelimit");
        answer
    };
    let first = subscribe("ada@example.com");
    assert_eq!(first.status, 202);
    assert_eq!(subscribe("ada@example.com"), first);
    assert_eq!(subscribe("ADA@example.com"), first);
    assert_eq!(workspace.query("SELECT email FROM newsletter_subscribers"), [["ada@example.com"]]);
    assert_eq!(workspace.query("SELECT name FROM outbox_events"), [["newsletter_signup"]]);
}

fn failed_attempts_to_authenticate_are_limited_by_address(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let attempt = |key: &str| asked(&server, &post("/api/contact", Some(key), MESSAGE));
    let first = attempt("wrong");
    assert_eq!((first.status, first.headers["ratelimit"].as_str()), (401, r#""default";r=99;t=60"#));
    (0..99).for_each(|_| assert_eq!(attempt("wrong").status, 401));
    assert_eq!(attempt("wrong").status, 429);
    assert_eq!(attempt(&key).status, 201, "a good key has a count of its own");
    assert_eq!(asked(&server, &post("/api/newsletter", None, SUBSCRIPTION)).status, 429, "an address has one count");
}

fn a_revoked_key_is_refused_within_a_second(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let request = post("/api/contact", Some(&key), MESSAGE);
    assert_eq!(asked(&server, &request).status, 201);
    let listed = end(&mut workspace.command(&["keys", "list"])).must_end_with(0).stdout;
    let id = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    end(&mut workspace.command(&["keys", "revoke", id])).must_end_with(0);
    thread::sleep(Duration::from_secs(1));
    let answer = asked(&server, &request);
    must_be_problem(&answer, 401, "invalid-credentials", "the API key is unknown, expired or revoked");
    assert_eq!(workspace.count("contact_messages"), 1);
}

fn a_failure_is_a_500_that_says_nothing_and_keeps_nothing(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    workspace.query("DROP TABLE outbox_events");
    let answer = asked(&server, &post("/api/contact", Some(&key), MESSAGE));
    must_be_problem(&answer, 500, "internal-error", "the server failed; the request id finds the cause in its log");
    assert_eq!(answer.headers["ratelimit"], r#""default";r=99;t=60"#);
    assert_eq!(workspace.count("contact_messages"), 0);
    let log = wait_for_log(&server, &answer.headers["x-request-id"]);
    assert!(log.contains("no such table: outbox_events"), "{log}");
    assert!(!log.contains(&key) && !log.contains("ada@example.com"), "{log}");
}

fn a_database_that_does_not_answer_is_a_503(kind: Kind) {
    let (workspace, server) = started(kind);
    let request = post("/api/newsletter", None, SUBSCRIPTION);
    let answer = while_locked(&workspace, || asked(&server, &request));
    must_be_problem(&answer, 503, "unavailable", "others kept what this request needs for too long");
    assert_eq!(answer.headers["retry-after"], "1");
    let log = wait_for_log(&server, &answer.headers["x-request-id"]);
    assert!(log.contains("database.performance") && log.contains("lock_timeout"), "{log}");
    assert_eq!(asked(&server, &request).status, 202, "once it answers again");
}

fn what_happened_is_counted(kind: Kind) {
    let (_workspace, server) = started(kind);
    asked(&server, &post("/api/newsletter", None, SUBSCRIPTION));
    asked(&server, &get("/nowhere"));
    (0..100).for_each(|_| drop(asked(&server, &post("/api/newsletter", None, "{"))));
    let answer = asked(&server, &get("/metrics"));
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        r#"http_requests_total{method="POST",route="/api/newsletter",status="202"} 1"#,
        r#"http_requests_total{method="POST",route="/api/newsletter",status="400"} 99"#,
        r#"http_requests_total{method="POST",route="/api/newsletter",status="429"} 1"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",route="unmatched"} 1"#,
        "http_requests_in_flight 1",
        r#"rate_limited_total{policy="default"} 1"#,
        r#"outbox_events_total{event="newsletter_signup"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}

fn sigterm_finishes_what_is_under_way(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let mut idle = Connection::open(server.address).unwrap();
    idle.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(idle.answer("GET").unwrap().status, 200);

    let mut connection = Connection::open(server.address).unwrap();
    let head = format!(
        "POST /api/contact HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        MESSAGE.len()
    );
    connection.send(head.as_bytes()).unwrap();
    assert_eq!(connection.head().unwrap().0, 100, "the request is under way");
    server.terminate();
    assert!(idle.rest().unwrap().is_empty(), "a connection without a request is closed");
    assert!(within(Duration::from_secs(1), || Connection::open(server.address).is_err()), "nobody new is let in");
    thread::sleep(Duration::from_millis(300));
    connection.send(MESSAGE.as_bytes()).unwrap();
    assert_eq!(connection.answer("POST").unwrap().status, 201);
    let answered = Instant::now();
    assert_eq!(server.wait().code(), Some(0));
    assert!(answered.elapsed() < Duration::from_secs(5), "nothing more to wait for");
    assert_eq!(workspace.count("contact_messages"), 1);
}

#[test]
fn both_servers_work_on_one_database() {
    const EACH: u32 = 40;
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::start(kind, &workspace)).collect();
    thread::scope(|scope| {
        for server in servers.iter().chain(&servers) {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let answer = asked(server, &post("/api/contact", Some(&key), MESSAGE));
                    assert_eq!(answer.status, 201, "{}", server.log());
                }
            });
        }
    });
    let sent = 2 * EACH * u32::try_from(servers.len()).unwrap();
    assert_eq!((workspace.count("contact_messages"), workspace.count("outbox_events")), (sent, sent));
    assert_eq!(workspace.migrations(), ["integration_2025_001 0001_initial"]);
}

fn started(kind: Kind) -> (Workspace, Server) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    (workspace, server)
}

#[track_caller]
fn asked(server: &Server, request: &CaseRequest) -> Answer {
    ask(server.address, request, "").unwrap()
}

/// The head of a subscription whose body has that length.
fn announcing(length: usize, more: &str) -> Vec<u8> {
    format!(
        "POST /api/newsletter HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
    .into_bytes()
}

fn json_of(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn must_be_problem(answer: &Answer, status: u16, name: &str, detail: &str) {
    let body = json_of(answer);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(
        (answer.status, &body["status"], &body["type"], &body["detail"]),
        (status, &json!(status), &json!(format!("urn:problem-type:{name}")), &json!(detail))
    );
}

/// The log, once it holds that text: it comes from another process.
fn wait_for_log(server: &Server, text: &str) -> String {
    within(Duration::from_secs(5), || server.log().contains(text));
    server.log()
}

/// Whether something becomes true in that time.
fn within(time: Duration, is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    is_so()
}
