//! What a service that carries mails tells of addresses, signed as it signs: who has bounced or complained is not written to, by either server
//! on each engine.

use super::{API, MailServer, SECURE, THANKS, given_up, send, sending_with, wait_for, wait_until, write};
use crate::harness::Sample;
use crate::harness::client::{ask, post};
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end, end_with_input};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use std::fs;
use vocab::Engine;

const BOUNCES: &str = "task_id: bounces\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: email\n    provider: sendgrid\n    integration_points: [mail_bounced]\n";
const KEY: &str = "SENDGRID_VERIFICATION_KEY";

/// The half of the service's key that is told.
fn told_half(key: &KeyPair) -> String {
    STANDARD.encode(key.subject_public_key_info())
}

/// The key of a service that the task integrates, which knows one half of it.
fn integrated(workspace: &Workspace, task: &str) -> KeyPair {
    let key = KeyPair::generate().unwrap();
    end_with_input(&mut workspace.command(&["secrets", "set", KEY]), &told_half(&key)).must_end_with(0);
    workspace.run_text(task).must_end_with(0);
    key
}

/// How a call is answered that is signed with that key.
fn call(server: &Server, key: &KeyPair, events: &Value) -> u16 {
    let body = format!("{events}\r\n");
    let time = jiff::Timestamp::now().as_second();
    let signature = STANDARD.encode(key.sign(format!("{time}{body}").as_bytes()).unwrap());
    let mut request = post("/webhooks/sendgrid", None, &body);
    for (name, value) in [("signature", signature), ("timestamp", time.to_string())] {
        request.headers.insert(format!("x-twilio-email-event-webhook-{name}"), value);
    }
    ask(server.address, &request, "").unwrap().status
}

/// As its documentation shows them.
fn event(id: &str, kind: &str, address: &str, more: &Value) -> Value {
    let mut event = json!({
        "email": address, "timestamp": 1_700_000_000, "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>", "event": kind,
        "category": ["cat facts"], "sg_event_id": id, "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// Address and reason of who is not written to, sorted.
fn suppressed(workspace: &Workspace) -> Vec<(String, String)> {
    let words = ["mail", "suppressed", "list", "--format", "json"];
    let listed = end(&mut workspace.command(&words)).must_end_with(0).stdout;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_lowercase();
    let mut listed: Vec<_> = listed.iter().map(|one| (text(one, "address"), text(one, "reason"))).collect();
    listed.sort();
    listed
}

/// One call tells of everything; what comes again, or is signed by somebody else, changes nothing.
fn who_is_told_of_is_not_written_to(workspace: &Workspace, server: &Server, key: &KeyPair, name: &str) {
    let of = |number: u32| format!("{name}-{number}@guest.example");
    let id = |number: u32| format!("{name}-event-{number}");
    let before = suppressed(workspace);
    let events = json!([
        event(
            &id(1),
            "bounce",
            &of(1).to_uppercase(),
            &json!({ "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 nobody here" })
        ),
        event(
            &id(2),
            "bounce",
            &of(2),
            &json!({ "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 not from there" })
        ),
        event(&id(3), "deferred", &of(3), &json!({ "response": "400 try again later", "attempt": "5" })),
        event(&id(4), "spamreport", &of(4), &json!({})),
        event(&id(5), "dropped", &of(5), &json!({ "reason": "Bounced Address", "status": "5.0.0" })),
        event(&id(6), "dropped", &of(6), &json!({ "reason": "Unsubscribed Address", "status": "5.0.0" })),
        event(&id(7), "delivered", &of(7), &json!({ "response": "250 OK" })),
    ]);
    assert_eq!(call(server, &KeyPair::generate().unwrap(), &events), 401, "{}", server.log());
    assert_eq!(suppressed(workspace), before);
    assert_eq!(call(server, key, &events), 200, "{}", server.log());
    assert_eq!(call(server, key, &events), 200, "{}", server.log());
    let mut known = before;
    known.extend(
        [(1, "bounce"), (4, "complaint"), (5, "bounce")].map(|(number, reason)| (of(number), reason.to_owned())),
    );
    known.sort();
    assert_eq!(suppressed(workspace), known);
}

fn on_the_embedded_database(kind: Kind) {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let mut workspace = Workspace::new();
    workspace.application = workspace.path().join("output/integration/task_messages");
    fs::create_dir(workspace.path().join("mails")).unwrap();
    fs::write(workspace.path().join("mails/contact_form.yaml"), THANKS).unwrap();
    workspace.run_text(API).must_end_with(0);
    let key = integrated(&workspace, BOUNCES);
    let server = sending_with(kind, &workspace, &mails, SECURE, &[(KEY, &told_half(&key))]);
    who_is_told_of_is_not_written_to(&workspace, &server, &key, "ada");
    for (number, reason) in [(1, "(`bounce`)"), (4, "(`complaint`)")] {
        write(&server, &format!("ada-{number}@guest.example"));
        assert!(wait_for(&server, &workspace, &format!("ada-{number}@"), "dead")[2].contains(reason));
    }
    write(&server, "ada-2@guest.example");
    wait_until(&server, "what passes has stopped a mail", || mails.mails_to("ada-2@guest.example").len() == 1);
    assert_eq!(mails.told("mail").len(), 1);
}

#[test]
fn what_a_service_tells_of_an_address_is_kept() {
    on_the_embedded_database(Kind::Native);
}

#[test]
fn what_a_service_tells_the_node_application_of_an_address_is_kept() {
    on_the_embedded_database(Kind::Node);
}

#[test]
fn what_a_service_tells_of_an_address_is_kept_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql] {
        let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
        let Some(place) = Schema::empty(engine, "bounces") else { continue };
        let workspace = Workspace::completed_on(Sample::Accounts, place.url());
        let key = integrated(&workspace, &format!("{BOUNCES}dependencies: [base]\n"));
        for (kind, name) in [(Kind::Native, "ada"), (Kind::Node, "bob")] {
            let server = sending_with(kind, &workspace, &mails, SECURE, &[(KEY, &told_half(&key))]);
            who_is_told_of_is_not_written_to(&workspace, &server, &key, name);
            let before = given_up(&workspace, "newsletter_confirmation", "(`bounce`)");
            send(&server, "/api/newsletter", &json!({ "email": format!("{name}-1@guest.example") }));
            wait_until(&server, "not given up", || {
                given_up(&workspace, "newsletter_confirmation", "(`bounce`)") == before + 1
            });
        }
    }
}
