//! Credentials while a workspace is served: a wrong one, another one, the one before, one that ends. What is delivered, what is taken
//! in and what somebody is told comes out; nothing is started anew.

use crate::harness::client::{ask, get};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{end, end_with_input, query};
use crate::integrations::{KEY, MEMBERS, SHOP, SIGNING, call, integrate, member, session, set, shop, with_stripe};
use std::time::{Duration, Instant};

#[track_caller]
fn wait_for(what: &str, server: &Server, within: u64, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < within, "{what}: {}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Deliveries wait while the provider does not take the credential, none is given up, and they go on with the next one.
#[test]
fn deliveries_wait_for_a_credential_that_is_taken() {
    let (workspace, played) = with_stripe(&[]);
    workspace.run_text(MEMBERS).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    set(&workspace, KEY);
    // Time to see it.
    std::thread::sleep(Duration::from_secs(1));
    for number in 0..40 {
        assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201);
    }
    let count = |state: &str| {
        workspace.query(&format!("SELECT count(*) FROM outbox_deliveries WHERE state = '{state}'"))[0][0].clone()
    };
    let refused = || {
        workspace.query("SELECT count(*) FROM outbox_attempts WHERE outcome = 'authentication'")[0][0]
            .parse::<u32>()
            .unwrap()
    };
    wait_for("nothing is refused", &server, 20, || refused() > 0);
    wait_for("not all wait", &server, 20, || count("waiting") == "40");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((count("waiting").as_str(), count("dead").as_str()), ("40", "0"));
    // It is asked now and then whether the credential is taken, not once for each delivery.
    assert!(refused() <= 40, "{}", refused());
    let shown = end(&mut workspace.command(&["deliveries", "list", "--format", "json"])).must_end_with(0).stdout;
    assert!(!shown.contains(KEY) && !server.log().contains(KEY));
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    assert!(metrics.contains("delivery_breaker_open{integration=\"integration_2025_003\"} 1"), "{metrics}");
    set(&workspace, played.told("secret_key"));
    wait_for("it does not go on", &server, 10, || count("delivered") == "40");
}

/// While a provider goes over to another secret, calls that are signed with either are taken.
#[test]
fn calls_are_taken_with_the_secret_before_for_as_long_as_is_said() {
    let (workspace, _played, server) = shop();
    let replace = |value: &str, overlap: &[&str]| {
        let words: Vec<&str> = ["secrets", "set", "STRIPE_WEBHOOK_SECRET"].iter().chain(overlap).copied().collect();
        end_with_input(&mut workspace.command(&words), value)
    };
    let mut number = 0;
    let mut tell = |key: &str| {
        number += 1;
        let body =
            session(&format!("evt_{number}"), "checkout.session.completed", "019c0f3e-7b1a-7c3d-8e5f-000000000001");
        ask(server.address, &call(&body, key), "").unwrap().status
    };
    assert_eq!((tell(SIGNING), tell("whsec_new")), (200, 401));
    replace("whsec_new", &["--overlap", "24h"]).must_end_with(0);
    let begun = Instant::now();
    while tell("whsec_new") != 200 {
        assert!(begun.elapsed().as_secs() < 10, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((tell(SIGNING), tell("whsec_other")), (200, 401));
    let listed = end(&mut workspace.command(&["secrets", "list"])).must_end_with(0).stdout;
    assert!(listed.contains("the one before is taken until 20"), "{listed}");
    replace("whsec_newer", &[]).must_end_with(0);
    let begun = Instant::now();
    while tell(SIGNING) != 401 {
        assert!(begun.elapsed().as_secs() < 10, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((tell("whsec_new"), tell("whsec_newer")), (401, 200));
    let wrong = replace("whsec_newest", &["--overlap", "a while"]).must_end_with(1);
    assert!(wrong.stderr.contains("`24h`"), "{}", wrong.stderr);
}

/// An API that stands on another database now leaves the one before alone.
#[test]
fn a_database_that_is_served_no_longer_is_left_alone() {
    let (workspace, _played) = with_stripe(&[]);
    workspace.run_text(MEMBERS).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    let server = Server::start(Kind::Native, &workspace);
    let before = workspace.database_file();
    let file = |name: &str| workspace.path().join(format!(".producer/data/{name}.sqlite"));
    let emit = |database: &std::path::Path, id: u32| {
        crate::integrations::write_into(
            database,
            format!(
                "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ('019c0f3e-7b1a-7c3d-8e5f-{id:012}', 'nothing_special', '{{}}', '2026-01-01T00:00:00.000Z')"
            ),
        );
    };
    let waiting = |database: &std::path::Path| {
        query(database, "SELECT count(*) FROM outbox_events WHERE dispatched_at IS NULL")[0][0] == "0"
    };
    emit(&before, 1);
    wait_for("nobody is there", &server, 10, || waiting(&before));
    // What holds rows is not left.
    crate::integrations::write_into(&before, "DELETE FROM outbox_events".to_owned());
    workspace.run_text(SHOP).must_end_with(0);
    workspace.run_text(MEMBERS).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    let now = file("development_db");
    emit(&now, 2);
    wait_for("nobody came", &server, 10, || waiting(&now));
    emit(&before, 3);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!waiting(&before), "somebody is still there: {}", server.log());
}
