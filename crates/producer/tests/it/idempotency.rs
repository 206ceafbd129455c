//! Requests that are sent again with their idempotency key, over several connections, servers and lives of a server.

use crate::harness::client::{Connection, ask, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use crate::harness::{MESSAGE, Sample, on_both_servers};
use plan::http_case::{Answer, CaseRequest};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;
use vocab::Engine;

on_both_servers!(
    a_request_is_refused_while_the_first_is_under_way,
    of_many_at_once_one_is_done,
    what_was_answered_survives_a_kill,
    an_answer_is_forgotten_after_a_day,
    a_key_sent_twice_is_none,
);

fn message(key: &str, idempotency_key: &str) -> CaseRequest {
    let mut request = post("/api/contact", Some(key), MESSAGE);
    request.headers.insert("idempotency-key".to_owned(), idempotency_key.to_owned());
    request
}

fn send(address: SocketAddr, key: &str, idempotency_key: &str) -> Answer {
    ask(address, &message(key, idempotency_key), key).unwrap()
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.contains_key("idempotency-replayed")
}

fn a_request_is_refused_while_the_first_is_under_way(kind: Kind) {
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let server = Server::start(kind, &workspace);
    let mut first = Connection::open(server.address).unwrap();
    let head = format!(
        "POST /api/contact HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nIdempotency-Key: slow\r\n\
         Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        MESSAGE.len()
    );
    first.send(head.as_bytes()).unwrap();
    // The first request's headers have arrived when it is asked for its body.
    assert_eq!(first.head().unwrap().0, 100);
    let refused = send(server.address, &key, "slow");
    assert_eq!(refused.status, 409);
    assert!(String::from_utf8_lossy(&refused.body).contains("urn:problem-type:request-in-progress"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(send(server.address, &key, "another").status, 201);
    first.send(MESSAGE.as_bytes()).unwrap();
    let answer = first.answer("POST").unwrap();
    assert_eq!((answer.status, is_replayed(&answer)), (201, false));
    let again = send(server.address, &key, "slow");
    assert_eq!((again.status, is_replayed(&again), &again.body), (201, true, &answer.body));
    assert_eq!(workspace.count("contact_messages"), 2);
}

fn of_many_at_once_one_is_done(kind: Kind) {
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let server = Server::start(kind, &workspace);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(|| send(server.address, &key, "race"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(refused.iter().all(|answer| answer.status == 409));
    assert_eq!(done.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert_eq!(done.iter().map(|answer| &answer.body).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(workspace.count("contact_messages"), 1);
    assert_eq!(workspace.count("outbox_events"), 1);
}

fn what_was_answered_survives_a_kill(kind: Kind) {
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    for round in 0..5 {
        let name = format!("round-{round}");
        let server = Server::start(kind, &workspace);
        let address = server.address;
        // Killed while requests come in: whatever was answered must be known afterwards, whatever was not is done once.
        let (sending, sent_key) = (name.clone(), key.clone());
        let sender = thread::spawn(move || ask(address, &message(&sent_key, &sending), &sent_key).ok());
        thread::sleep(Duration::from_millis(round * 3));
        drop(server);
        let before = sender.join().unwrap();
        let server = Server::start(kind, &workspace);
        let after = send(server.address, &key, &name);
        assert_eq!(after.status, 201);
        if let Some(before) = before {
            assert_eq!((is_replayed(&after), &after.body), (true, &before.body));
        }
        assert_eq!(u64::from(workspace.count("contact_messages")), round + 1);
    }
}

fn an_answer_is_forgotten_after_a_day(kind: Kind) {
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let server = Server::start(kind, &workspace);
    assert_eq!(send(server.address, &key, "old").status, 201);
    // Older than a day: the id of a row begins with its time.
    let aged = workspace.query("UPDATE idempotency_answers SET id = '00' || substr(id, 3) RETURNING id");
    assert_eq!(aged.len(), 1);
    let again = send(server.address, &key, "old");
    assert_eq!((again.status, is_replayed(&again)), (201, false));
    assert_eq!(workspace.count("contact_messages"), 2);
    assert_eq!(workspace.count("idempotency_answers"), 1);
    assert!(is_replayed(&send(server.address, &key, "old")));
}

fn a_key_sent_twice_is_none(kind: Kind) {
    let workspace = Workspace::completed();
    let server = Server::start(kind, &workspace);
    let mut connection = Connection::open(server.address).unwrap();
    let head = "POST /api/newsletter HTTP/1.1\r\nHost: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\
                Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    connection.send(head.as_bytes()).unwrap();
    let answer = connection.answer("POST").unwrap();
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8_lossy(&answer.body).contains("urn:problem-type:malformed-idempotency-key"));
}

#[test]
fn servers_that_share_a_database_know_each_others_answers() {
    if !Kind::Node.is_here() {
        return;
    }
    let workspace = Workspace::completed();
    let key = workspace.create_key();
    let (native, node) = (Server::start(Kind::Native, &workspace), Server::start(Kind::Node, &workspace));
    for (first, second, name) in [(&native, &node, "native-first"), (&node, &native, "node-first")] {
        let before = send(first.address, &key, name);
        let after = send(second.address, &key, name);
        assert_eq!((after.status, is_replayed(&after), &after.body), (201, true, &before.body), "{name}");
    }
    assert_eq!(workspace.count("contact_messages"), 2);
}

#[test]
fn of_two_servers_that_get_a_request_at_once_one_does_it() {
    for engine in [Engine::PostgreSql, Engine::MySql, Engine::MongoDb] {
        if let Some(schema) = Schema::empty(engine, "two servers at one request").filter(|_| Kind::Node.is_here()) {
            must_do_it_once(&schema);
        }
    }
}

fn must_do_it_once(schema: &Schema) {
    let workspace = Workspace::completed_on(Sample::ContactNewsletter, schema.url());
    let key = workspace.create_key();
    let (native, node) = (Server::start(Kind::Native, &workspace), Server::start(Kind::Node, &workspace));
    for round in 0..10 {
        let name = format!("round-{round}");
        let (left, right) = thread::scope(|scope| {
            let left = scope.spawn(|| send(native.address, &key, &name));
            (send(node.address, &key, &name), left.join().unwrap())
        });
        assert_eq!((left.status, right.status), (201, 201), "{left:?} {right:?}");
        assert_eq!(left.body, right.body);
        assert!(is_replayed(&left) != is_replayed(&right), "one of them did it");
    }
    assert_eq!(workspace.count("contact_messages"), 10);
}
