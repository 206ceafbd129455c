//! Manners that cases do not show: bytes that no client would send, settings, what outlives a process, too much at once, HTTP/2.

use crate::harness::client::{Connection, ask, get, on_the_wire, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{MESSAGE, SUBSCRIPTION, Sample, on_both_servers, while_locked};
use plan::http_case::Answer;
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

on_both_servers!(
    what_no_client_sends_is_refused,
    what_few_clients_send_is_answered,
    who_sends_nothing_is_not_waited_for,
    listed_origins_alone_may_have_a_browser_add_its_cookies,
    origins_that_are_listed_may_call_and_others_not,
    an_origin_that_is_none_ends_the_start,
    clients_behind_a_proxy_that_is_believed_are_counted_one_by_one,
    a_proxy_that_is_none_ends_the_start,
    exactly_the_limit_passes_of_sixteen_threads_and_outlives_a_restart,
    after_a_kill_never_more_than_the_limit_passes,
    a_database_that_is_busy_keeps_nobody_waiting_for_long,
);

/// Requests that the sample allows a minute.
const LIMIT: usize = 100;
/// Requests that the native server works on at once.
const AT_WORK: usize = 256;
const HEAD: &str = "Host: a\r\nContent-Type: application/json\r\n";

fn what_no_client_sends_is_refused(kind: Kind) {
    let (_workspace, server) = started(kind);
    let post = |version: &str, headers: &str, body: &str| {
        format!("POST /api/newsletter HTTP/{version}\r\n{HEAD}{headers}\r\n{body}")
    };
    let chunked = format!("1b\r\n{SUBSCRIPTION}\r\n0\r\n\r\n");
    let get = |headers: &str| format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let fields = |number: usize| (0..number).map(|index| format!("X-{index}: a\r\n")).collect::<String>();
    for (sent, status, name) in [
        (post("1.1", "Content-Length: 5\r\nContent-Length: 27\r\n", SUBSCRIPTION), 400, "malformed-request"),
        (post("1.1", "Content-Length: 27, 27\r\n", SUBSCRIPTION), 400, "malformed-request"),
        (post("1.1", "Content-Length: +27\r\n", SUBSCRIPTION), 400, "malformed-request"),
        (post("1.1", "Transfer-Encoding: gzip\r\n", SUBSCRIPTION), 400, "malformed-request"),
        (post("1.1", "Transfer-Encoding: xchunked\r\n", &chunked), 400, "malformed-request"),
        (post("1.1", "Transfer-Encoding: chunked\r\n", "zz\r\n"), 400, "malformed-request"),
        (post("1.0", "Transfer-Encoding: chunked\r\n", &chunked), 400, "malformed-request"),
        (get("X: a\r\n b\r\n"), 400, "malformed-request"),
        (get("X : a\r\n"), 400, "malformed-request"),
        (get("X: a\u{7f}\r\n"), 400, "malformed-request"),
        (get("Host: b\r\n"), 400, "malformed-request"),
        ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET /healthz\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("BREW /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405, "method-not-allowed"),
        ("get /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405, "method-not-allowed"),
        ("GET /health z HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET /healthz\0 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET /h\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(60_000)), 414, "uri-too-long"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)), 431, "header-fields-too-large"),
        (get(&format!("X: {}\r\n", "a".repeat(67_000))), 431, "header-fields-too-large"),
        (get(&fields(100)), 431, "header-fields-too-large"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 404, "not-found"),
    ] {
        let shown: String = sent.chars().take(200).collect();
        let mut connection = Connection::open(server.address).unwrap();
        // The server may hang up before it has taken everything.
        let _ = connection.send(sent.as_bytes());
        let answer = connection.answer("GET").unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!((answer.status, problem(&answer).as_str()), (status, name), "{shown}");
        assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", "{shown}");
    }
    assert_eq!(asked(&server, "/healthz").status, 200);
}

fn what_few_clients_send_is_answered(kind: Kind) {
    let (_workspace, server) = started(kind);
    let fields: String = (0..99).map(|index| format!("X-{index}: a\r\n")).collect();
    for sent in [
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(60_000)),
        "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n".to_owned(),
        "\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET http://other.example/healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
    ] {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send(sent.as_bytes()).unwrap();
        assert_eq!(connection.answer("GET").unwrap().status, 200, "{sent}");
    }
    let mut connection = Connection::open(server.address).unwrap();
    connection.send(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    let answer = String::from_utf8(connection.rest().unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.") && answer.contains(" 200 OK\r\n"), "{answer}");
}

fn who_sends_nothing_is_not_waited_for(kind: Kind) {
    let (_workspace, server) = started(kind);
    let begun = Instant::now();
    let ended = |sent: &[u8]| {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send(sent).unwrap();
        connection.rest().unwrap();
        let waited = begun.elapsed();
        assert!((Duration::from_secs(9)..Duration::from_secs(14)).contains(&waited), "{waited:?}");
    };
    thread::scope(|scope| {
        scope.spawn(|| ended(b"GET /healthz HTTP/1.1\r\nHo"));
        scope.spawn(|| ended(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    });
    assert_eq!(asked(&server, "/healthz").status, 200);
}

fn origins_that_are_listed_may_call_and_others_not(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let listed = "https://shop.example.com, http://localhost:3000";
    let server = Server::of(Server::command(kind, &workspace).env("CORS_ORIGINS", listed));
    let from = |method: &str, path: &str, origin: Option<&str>| {
        let mut request = get(path);
        request.method = method.to_owned();
        request.headers.extend(origin.map(|origin| ("origin".to_owned(), origin.to_owned())));
        ask(server.address, &request, "").unwrap()
    };
    for (method, path, status, vary) in [
        ("GET", "/api/products", 200, "Origin, Accept"),
        ("OPTIONS", "/api/products", 204, "Origin"),
        ("POST", "/api/products", 401, "Origin"),
        ("GET", "/nowhere", 404, "Origin"),
    ] {
        for origin in ["https://shop.example.com", "http://localhost:3000"] {
            let answer = from(method, path, Some(origin));
            assert_eq!((answer.status, answer.headers["vary"].as_str()), (status, vary), "{method} {path}");
            assert_eq!(answer.headers["access-control-allow-origin"], origin, "{method} {path}");
        }
        for origin in
            [None, Some("null"), Some("https://shop.example.com.evil.example"), Some("http://shop.example.com")]
        {
            let answer = from(method, path, origin);
            assert_eq!((answer.status, answer.headers["vary"].as_str()), (status, vary), "{method} {path}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{method} {path} {origin:?}");
        }
    }
}

fn listed_origins_alone_may_have_a_browser_add_its_cookies(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Sessions);
    let mut command = Server::command(kind, &workspace);
    command.env("CORS_ORIGINS", "https://shop.example.com").env("AUTH_SECRET", "a secret of this test");
    let server = Server::of(&mut command);
    let from = |method: &str, path: &str, origin: &str| {
        let mut request = get(path);
        request.method = method.to_owned();
        let more = [("origin", origin), ("sec-fetch-site", "same-site"), ("cookie", "session=unknown")];
        request.headers.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        ask(server.address, &request, "").unwrap()
    };
    for (method, path) in
        [("GET", "/api/users/profile"), ("OPTIONS", "/api/users/profile"), ("POST", "/api/auth/logout")]
    {
        let allowed = |origin| from(method, path, origin).headers.get("access-control-allow-credentials").cloned();
        assert_eq!(allowed("https://shop.example.com").as_deref(), Some("true"), "{method} {path}");
        assert_eq!(allowed("https://evil.example.com"), None, "{method} {path}");
    }
    assert_eq!(from("POST", "/api/auth/logout", "https://shop.example.com").status, 401, "it may ask");
    assert_eq!(from("POST", "/api/auth/logout", "https://evil.example.com").status, 403, "it may not");
}

fn an_origin_that_is_none_ends_the_start(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let ended = end(Server::command(kind, &workspace).env("CORS_ORIGINS", "shop.example.com"));
    assert_eq!(ended.status, Some(1));
    let said = "`CORS_ORIGINS`: `shop.example.com` is not an origin; write scheme, host and port as `https://shop.example.com`";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

fn clients_behind_a_proxy_that_is_believed_are_counted_one_by_one(kind: Kind) {
    for (proxies, left, is_strict) in [
        // The client is the last that is no proxy; what it wrote itself before does not count.
        ("127.0.0.0/8, 10.0.0.0/8", [99, 99, 98], true),
        ("10.0.0.0/8", [99, 98, 97], false),
        ("", [99, 98, 97], true),
    ] {
        let workspace = Workspace::completed();
        let server = Server::of(Server::command(kind, &workspace).env("TRUSTED_PROXIES", proxies));
        let from = |forwarded: &str| {
            let mut request = post("/api/newsletter", None, SUBSCRIPTION);
            let more = [("x-forwarded-for", forwarded), ("x-forwarded-proto", "https")];
            request.headers.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
            ask(server.address, &request, "").unwrap()
        };
        let callers = ["203.0.113.1", "203.0.113.1, 203.0.113.2, 10.0.0.9", "203.0.113.9,203.0.113.1:4711"];
        for (forwarded, left) in callers.into_iter().zip(left) {
            let answer = from(forwarded);
            let standing = &answer.headers["ratelimit"];
            assert!(standing.starts_with(&format!("\"default\";r={left};")), "{proxies} {forwarded}: {standing}");
            assert_eq!(answer.headers.contains_key("strict-transport-security"), is_strict, "{proxies} {forwarded}");
        }
    }
}

fn a_proxy_that_is_none_ends_the_start(kind: Kind) {
    let workspace = Workspace::completed_with(Sample::Products);
    let ended = end(Server::command(kind, &workspace).env("TRUSTED_PROXIES", "10.0.0.7, proxy"));
    assert_eq!(ended.status, Some(1));
    let said = "`TRUSTED_PROXIES`: `proxy` is no address and no network; write them as `10.0.0.7` or `172.16.0.0/12`";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

fn exactly_the_limit_passes_of_sixteen_threads_and_outlives_a_restart(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let begun = Instant::now();
    assert_eq!(passing(server.address, &key, 20), LIMIT);
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let server = Server::start(kind, &workspace);
    let answer = ask(server.address, &post("/api/contact", Some(&key), MESSAGE), "").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(55), "too slow to show anything");
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&wait) && wait + begun.elapsed().as_secs() >= 59, "the old window goes on: {wait}");
    let other = workspace.create_key();
    assert_eq!(ask(server.address, &post("/api/contact", Some(&other), MESSAGE), "").unwrap().status, 201);
}

fn after_a_kill_never_more_than_the_limit_passes(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let begun = Instant::now();
    let mut passed = passing(server.address, &key, 2);
    assert_eq!(passed, 32);
    // Killed while it works.
    let address = server.address;
    let loaded = thread::scope(|scope| {
        let load = scope.spawn(|| passing(address, &key, 3));
        thread::sleep(Duration::from_millis(30));
        drop(server);
        load.join().unwrap()
    });
    passed += loaded;
    let server = Server::start(kind, &workspace);
    passed += passing(server.address, &key, 20);
    assert!(begun.elapsed() < Duration::from_secs(55), "too slow to show anything");
    assert!(passed <= LIMIT, "{passed} passed");
    assert!(passed >= LIMIT - 16, "only what was under way is lost: {passed}");
}

fn a_database_that_is_busy_keeps_nobody_waiting_for_long(kind: Kind) {
    let (workspace, server) = started(kind);
    let key = workspace.create_key();
    let request = post("/api/contact", Some(&key), MESSAGE);
    let begun = Instant::now();
    while_locked(&workspace, || {
        thread::scope(|scope| {
            (0..8).for_each(|_| {
                scope.spawn(|| {
                    let answer = ask(server.address, &request, "").unwrap();
                    assert_eq!((answer.status, problem(&answer).as_str()), (503, "unavailable"));
                });
            });
            thread::sleep(Duration::from_millis(100));
            let asked_at = Instant::now();
            assert_eq!(asked(&server, "/healthz").status, 200);
            assert!(asked_at.elapsed() < Duration::from_secs(3), "{:?}", asked_at.elapsed());
        });
    });
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    thread::sleep(Duration::from_secs(1));
    assert_eq!(ask(server.address, &request, "").unwrap().status, 201, "once it answers again");
}

/// What the Node.js application does instead is shown with its `lib/`: there, one thread works and nothing piles up.
#[test]
fn what_is_beyond_the_bound_is_shed_at_once_while_operations_answer() {
    let (workspace, server) = started(Kind::Native);
    let keys: Vec<String> = (0..4).map(|_| workspace.create_key()).collect();
    let message = |index: usize| post("/api/contact", Some(&keys[index / LIMIT]), MESSAGE);
    let mut at_work = while_locked(&workspace, || {
        let connections: Vec<Connection> = (0..AT_WORK)
            .map(|index| {
                let mut connection = Connection::open(server.address).unwrap();
                connection.send(&on_the_wire(&message(index))).unwrap();
                connection
            })
            .collect();
        let all = format!("http_requests_in_flight {}", AT_WORK + 1);
        let is_full = || String::from_utf8(asked(&server, "/metrics").body).unwrap().contains(&all);
        let begun = Instant::now();
        while !is_full() {
            assert!(begun.elapsed() < Duration::from_secs(4), "{}", server.log());
            thread::sleep(Duration::from_millis(20));
        }
        let begun = Instant::now();
        for path in ["/api/contact", "/api/newsletter"] {
            let answer = ask(server.address, &post(path, Some(&keys[3]), MESSAGE), "").unwrap();
            assert_eq!((answer.status, problem(&answer).as_str()), (503, "overloaded"));
            assert_eq!(answer.headers["retry-after"], "1");
        }
        for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
            assert_eq!(asked(&server, path).status, 200, "{path}");
        }
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        connections
    });
    let answers: Vec<u16> = at_work.iter_mut().map(|connection| connection.answer("POST").unwrap().status).collect();
    assert!(answers.iter().all(|status| matches!(status, 201 | 503)), "{answers:?}");
    assert!(answers.contains(&201), "{answers:?}");
    assert_eq!(ask(server.address, &post("/api/contact", Some(&keys[3]), MESSAGE), "").unwrap().status, 201);
}

/// Sixteen threads send that many requests each over a connection of their own; how many were let through.
fn passing(address: SocketAddr, key: &str, each: usize) -> usize {
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let Ok(mut connection) = Connection::open(address) else { return };
                for _ in 0..each {
                    // The server may be killed meanwhile.
                    if connection.send(&on_the_wire(&post("/api/contact", Some(key), MESSAGE))).is_err() {
                        return;
                    }
                    match connection.answer("POST").map(|answer| answer.status) {
                        Ok(201) => passed.fetch_add(1, Ordering::Relaxed),
                        Ok(429) => 0,
                        Ok(other) => panic!("{other}"),
                        Err(_) => return,
                    };
                }
            });
        }
    });
    passed.into_inner()
}

fn started(kind: Kind) -> (Workspace, Server) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    (workspace, server)
}

#[track_caller]
fn asked(server: &Server, path: &str) -> Answer {
    ask(server.address, &get(path), "").unwrap()
}

/// The name of the problem that an answer is.
fn problem(answer: &Answer) -> String {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["type"].as_str().and_then(|name| name.strip_prefix("urn:problem-type:")).unwrap_or_default().to_owned()
}

/// HTTP/2 in the clear, as a client that knows it beforehand speaks it. The Node.js application speaks HTTP/1.1 only.
mod http2 {
    use super::*;
    use h2::client::{Builder, SendRequest};
    use http::{Method, Request, Response};
    use tokio::net::TcpStream;

    type Sender = SendRequest<&'static [u8]>;

    fn connected<F: Future<Output = ()>>(address: SocketAddr, work: impl FnOnce(Sender) -> F) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (sender, connection) = Builder::new().handshake(stream).await.unwrap();
            let connection = tokio::spawn(connection);
            work(sender).await;
            connection.await.unwrap().unwrap();
        });
    }

    fn request(method: Method, path: &str) -> Request<()> {
        Request::builder().method(method).uri(format!("http://localhost{path}")).body(()).unwrap()
    }

    async fn sent(
        sender: &mut Sender,
        request: Request<()>,
        body: &'static [u8],
    ) -> Result<Response<Vec<u8>>, h2::Error> {
        *sender = sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        let (parts, mut received) = response.await?.into_parts();
        let mut whole = Vec::new();
        while let Some(data) = received.data().await {
            whole.extend_from_slice(&data?);
        }
        Ok(Response::from_parts(parts, whole))
    }

    #[test]
    fn requests_are_answered_as_over_the_other() {
        let (_workspace, server) = started(Kind::Native);
        connected(server.address, |mut sender| async move {
            let answer = sent(&mut sender, request(Method::GET, "/healthz"), b"").await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, &b"{\"status\":\"ok\"}"[..]));
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            let mut subscription = request(Method::POST, "/api/newsletter");
            subscription.headers_mut().insert("content-type", "application/json".parse().unwrap());
            let answer = sent(&mut sender, subscription.clone(), SUBSCRIPTION.as_bytes()).await.unwrap();
            assert_eq!(answer.status(), 202);
            assert_eq!(answer.headers()["ratelimit"], "\"default\";r=99;t=60");
            let large: &'static [u8] = Box::leak(vec![b' '; 70_000].into_boxed_slice());
            assert_eq!(sent(&mut sender, subscription, large).await.unwrap().status(), 413);
            assert_eq!(sent(&mut sender, request(Method::GET, "/nowhere"), b"").await.unwrap().status(), 404);
            let long = format!("/{}", "a".repeat(58_000));
            assert_eq!(sent(&mut sender, request(Method::GET, &long), b"").await.unwrap().status(), 414);
            let mut wide = request(Method::GET, "/healthz");
            wide.headers_mut().insert("x", "a".repeat(70_000).parse().unwrap());
            let refused = sent(&mut sender, wide, b"").await;
            assert!(refused.as_ref().map_or(true, |answer| answer.status() == 431), "{refused:?}");
        });
    }

    #[test]
    fn a_client_may_have_many_requests_at_once_but_not_any_number() {
        let (_workspace, server) = started(Kind::Native);
        connected(server.address, |sender| async move {
            let mut sender = sender.ready().await.unwrap();
            sent(&mut sender, request(Method::GET, "/healthz"), b"").await.unwrap();
            assert_eq!(sender.current_max_send_streams(), 128);
        });
    }

    /// By hand: a client of a library would not send what it has taken back.
    #[test]
    fn a_client_that_takes_back_its_requests_is_sent_away() {
        const SETTINGS: u8 = 4;
        const HEADERS: u8 = 1;
        const RST_STREAM: u8 = 3;
        const GOAWAY: u8 = 7;
        const ENHANCE_YOUR_CALM: u32 = 11;
        let (_workspace, server) = started(Kind::Native);
        let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
            let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
            [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
        };
        // POST, http, and the path and authority as literals (RFC 7541).
        let head = *b"\x83\x86\x04\x08/healthz\x01\x01a";
        let mut sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b"")].concat();
        for stream in (1..4000).step_by(2) {
            sent.extend(frame(HEADERS, 4, stream, &head));
            sent.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        let mut connection = Connection::open(server.address).unwrap();
        // The server hangs up while it is sent.
        let _ = connection.send(&sent);
        let received = connection.rest().unwrap_or_default();
        let reason = last_frame(&received, GOAWAY).map(|payload| u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        assert_eq!(reason, Some(ENHANCE_YOUR_CALM));
        assert_eq!(asked(&server, "/healthz").status, 200);
    }

    /// The payload of the last frame of that kind.
    fn last_frame(mut bytes: &[u8], kind: u8) -> Option<&[u8]> {
        let mut found = None;
        while let [high, middle, low, of, _, _, _, _, _, rest @ ..] = bytes {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let (payload, next) = rest.split_at_checked(length)?;
            found = if *of == kind { Some(payload) } else { found };
            bytes = next;
        }
        found
    }
}
