//! Two services of one database: each is told of one event, once, by either server or by both, and one that fails keeps nothing from the
//! other. The Node.js application of the API speaks with both in one process.

use super::{MEMBERS, SIGNING, call, hmac, integrate, member, session, set};
use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end, end_with_input};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use vocab::Engine;

const ACME: &str = "task_id: crm\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: acme\n    integration_points: [user_registration, newsletter_signup]\n    credentials: { api_key: \"${secret:ACME_API_KEY}\" }\n";
const ACME_KEY: &str = "ak_test_private";
/// How the provider of the page behaves.
const PLAYED: &str = "objects:\n  account: { id_starts_with: a_, id_length: 6, holds: { id: \"${made.id}\" } }\n  contact: { id_starts_with: c_, id_length: 12, holds: { id: \"${made.id}\", email: \"${body/email}\" } }\nroutes:\n  - { method: GET, path: /v2/account, does: { answers: { name: ours } } }\n  - { method: POST, path: \"/v2/lists/{list}/contacts\", status: 201, does: { makes: contact } }\nrefusals:\n  unauthorized: { status: 401, body: { error: { code: unauthorized, text: no } } }\n  not_found: { status: 404, body: { error: { code: missing, text: no } } }\n  invalid: { status: 422, body: { error: { code: invalid, text: no } } }\n  rate_limited: { status: 429, body: { error: { code: many, text: no } } }\n  server_error: { status: 500, body: { error: { code: broken, text: no } } }\n  key_reused: { status: 409, body: { error: { code: reused, text: no } } }\nfaults: [server_error, hang]\n";

/// The provider of the page, as far as it is needed here, which is told of accounts too.
fn put_acme_into(workspace: &Workspace) {
    let folder = workspace.path().join("providers/acme");
    fs::create_dir_all(&folder).unwrap();
    let page = fs::read_to_string(repository("docs/providers.md")).unwrap();
    for block in page.split("```yaml\n# ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        let text = rest.split("```").next().unwrap();
        let text = match name {
            "operations.yaml" => text.split("list_contacts:").next().unwrap().to_owned(),
            "points.yaml" => {
                let calls = text.split("newsletter_signup:\n").nth(1).unwrap().split("  checkout:").next().unwrap();
                text.replace("  checkout:", &format!("  user_registration:\n{calls}  checkout:"))
            }
            "provider.yaml" | "webhooks.yaml" => text.to_owned(),
            _ => continue,
        };
        fs::write(folder.join(name), text).unwrap();
    }
    fs::write(folder.join("simulator.yaml"), PLAYED).unwrap();
}

struct Both {
    workspace: Workspace,
    stripe: Played,
    acme: Played,
    _place: Option<Schema>,
}

/// The database of a server, on which everything stands then.
const BASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: ENGINE\n    connection: \"${env:DATABASE_OF_TEST}\"\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";

/// An API that tells of members, and two services that are told of them; in that place, or in the workspace's own database.
fn both(place: Option<(Engine, Schema)>) -> Both {
    let mut workspace = Workspace::new();
    put_acme_into(&workspace);
    if let Some((engine, place)) = &place {
        workspace.url = Some(place.url());
        workspace.run_text(&BASE.replace("ENGINE", &engine.to_string())).must_end_with(0);
    }
    let (stripe, acme) = (Played::start(&workspace, "stripe", &[]), Played::start(&workspace, "acme", &[]));
    let settings =
        format!("[simulated]\nstripe = \"{}\"\nacme = \"{}\"\n", stripe.told("address"), acme.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    set(&workspace, stripe.told("secret_key"));
    for (name, value) in [("ACME_API_KEY", ACME_KEY), ("STRIPE_WEBHOOK_SECRET", SIGNING)] {
        end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
    }
    let api = MEMBERS.replace("type: rest", "type: rest\n    rate_limiting: 100000_requests_per_minute");
    workspace.run_text(&api).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    workspace.run_text(ACME).must_end_with(0);
    workspace.application = workspace.path().join("output/integration/task_members");
    // Whoever runs again finds everything as it is.
    assert_eq!(workspace.run_text(&api).must_end_with(0).response()["changed"], false);
    assert_eq!(integrate(&workspace, &[]).must_end_with(0).response()["changed"], false);
    assert_eq!(workspace.run_text(ACME).must_end_with(0).response()["changed"], false);
    Both { workspace, stripe, acme, _place: place.map(|(_, place)| place) }
}

impl Both {
    fn command(&self, kind: Kind) -> Command {
        let mut command = Server::command(kind, &self.workspace);
        command
            .env("STRIPE_SECRET_KEY", self.stripe.told("secret_key"))
            .env("STRIPE_API_BASE", self.stripe.told("address"))
            .env("STRIPE_WEBHOOK_SECRET", SIGNING)
            .env("ACME_API_KEY", ACME_KEY)
            .env("ACME_API_BASE", self.acme.told("address"));
        command
    }

    fn delivered(&self, integration: &str) -> u64 {
        let count = format!(
            "SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered' AND integration = '{integration}'"
        );
        self.workspace.query(&count)[0][0].parse().unwrap()
    }

    #[track_caller]
    fn wait_for(&self, server: &Server, stripe: u64, acme: u64, within: u64) {
        let begun = Instant::now();
        loop {
            let now = (self.delivered("integration_2025_003"), self.delivered("crm"));
            if now == (stripe, acme) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(within), "{now:?}: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// So many effects at each, and none twice.
    #[track_caller]
    fn must_be_single(&self, stripe: u64, acme: u64) {
        for (played, count) in [(&self.stripe, stripe), (&self.acme, acme)] {
            let done = asked(played, &get("/_simulator/effects"));
            assert_eq!((&done["total"], &done["most_of_one_key"]), (&count.into(), &1.into()), "{done}");
        }
    }
}

fn asked(played: &Played, request: &plan::http_case::CaseRequest) -> Value {
    let address = played.told("address").trim_start_matches("http://").parse().unwrap();
    serde_json::from_slice(&ask(address, request, "").unwrap().body).unwrap_or_default()
}

fn faults(played: &Played, faults: &str) {
    asked(played, &post("/_simulator/faults", None, &format!(r#"{{"faults":[{faults}]}}"#)));
}

fn register(server: &Server, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201, "{}", server.log());
    }
}

#[test]
fn one_event_goes_to_two_services_and_one_that_fails_keeps_nothing_from_the_other() {
    let both = both(None);
    let mut told = 0;
    for kind in Kind::all_here() {
        told = tell_both(&both, &[Server::of(&mut both.command(kind))], told);
    }
    must_have_heard(&both, Kind::all_here().len());
    // Both at once, on one database.
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::of(&mut both.command(kind))).collect();
    for server in &servers {
        register(server, told..told + 20);
        told += 20;
    }
    both.wait_for(&servers[0], told.into(), told.into(), 60);
    both.must_be_single(told.into(), told.into());
}

#[test]
fn both_servers_tell_two_services_of_one_database_on_postgresql() {
    both_at_once(Engine::PostgreSql);
}

#[test]
fn both_servers_tell_two_services_of_one_database_on_mysql() {
    both_at_once(Engine::MySql);
}

/// The whole of it, with both servers at once from the beginning.
fn both_at_once(engine: Engine) {
    let Some(place) = Schema::empty(engine, "two services of one database") else { return };
    let both = both(Some((engine, place)));
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| Server::of(&mut both.command(kind))).collect();
    tell_both(&both, &servers, 0);
    must_have_heard(&both, servers.len());
}

/// Tells of members from the one with that number on, until each service knows them once, whatever happens to the other; how many are
/// told of then.
fn tell_both(both: &Both, servers: &[Server], mut told: u32) -> u32 {
    for server in servers {
        register(server, told..told + 10);
        told += 10;
    }
    both.wait_for(&servers[0], told.into(), told.into(), 20);

    // One that never answers, and then one that fails: the other is told as fast as ever.
    faults(&both.acme, r#""hang""#);
    let healthy = both.delivered("crm");
    register(&servers[0], told..told + 40);
    told += 40;
    both.wait_for(&servers[0], told.into(), healthy, 5);
    faults(&both.acme, "");
    both.wait_for(&servers[0], told.into(), told.into(), 90);
    for integration in ["integration_2025_003", "crm"] {
        let counted = format!("delivery_attempts_total{{integration=\"{integration}\",outcome=\"delivered\"}}");
        let metrics = servers.iter().map(|server| ask(server.address, &get("/metrics"), "").unwrap().body);
        assert!(metrics.into_iter().any(|text| String::from_utf8(text).unwrap().contains(&counted)), "{counted}");
    }

    // Each has its own way in, at every server.
    for (number, server) in (told..).zip(servers) {
        assert_eq!(ask(server.address, &get("/readyz"), "").unwrap().status, 200);
        let tell = |request| ask(server.address, &request, "").unwrap().status;
        let event = format!(r#"{{"id":"{number}","type":"contact.left","contact":{{"email":"ada@example.com"}}}}"#);
        let signed = |key: &str| {
            let mut request = post("/webhooks/acme", None, &event);
            request.headers.insert("Acme-Signature".to_owned(), hmac(key, &event));
            request
        };
        assert_eq!((tell(signed("ak_test_other")), tell(signed(ACME_KEY)), tell(signed(ACME_KEY))), (401, 200, 200));
        let paid = session(&format!("evt_{number}"), "checkout.session.completed", "order");
        assert_eq!(tell(call(&paid, SIGNING)), 200);
    }
    both.must_be_single(told.into(), told.into());
    told
}

/// So many calls of each provider were kept, each once.
#[track_caller]
fn must_have_heard(both: &Both, calls: usize) {
    let heard = both.workspace.query("SELECT integration, count(*) FROM inbox_events GROUP BY integration ORDER BY 1");
    let each = calls.to_string();
    assert_eq!(heard, [["crm", &each], ["integration_2025_003", &each]]);
}

/// What is integrated later is in the application that was there before, and the other way round.
#[test]
fn every_application_of_a_database_knows_its_services() {
    let mut both = both(None);
    let output = both.workspace.path().join("output/integration");
    let folder = |task: &str| output.join(format!("task_{task}"));
    for task in ["members", "integration_2025_003", "crm"] {
        for file in ["services/stripe-integration.js", "services/acme-integration.js", "services/acme-events.js"] {
            assert!(folder(task).join(file).is_file(), "{task}: {file}");
        }
        let example = fs::read_to_string(folder(task).join(".env.example")).unwrap();
        assert!(example.contains("\nSTRIPE_SECRET_KEY=\n") && example.contains("\nACME_API_KEY=\n"), "{example}");
        assert_eq!(example.matches("PUBLIC_URL=").count(), 1, "{example}");
    }
    // Somebody else's changes stay, and are said.
    let application = folder("members").join("application.js");
    let edited = fs::read_to_string(&application).unwrap() + "\n// ours\n";
    fs::write(&application, &edited).unwrap();
    let more = ACME.replace("[user_registration, newsletter_signup]", "[user_registration]");
    let response = both.workspace.run_text(&more).must_end_with(0).response();
    let warnings = response["warnings"].to_string();
    assert_eq!(fs::read_to_string(&application).unwrap(), edited);
    assert!(warnings.contains("task_members`: `application.js` was edited and is kept"), "{warnings}");
    // Calls of the providers prove the plan, and then each application that takes them in.
    let tried = response["verification"].as_array().unwrap();
    let of_calls = tried.iter().filter(|check| check["check"].as_str().unwrap().starts_with("POST /webhooks/acme "));
    let outcomes: Vec<&str> = of_calls.map(|check| check["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["passed"; 3], "{tried:?}");
    for task in ["members", "crm"].into_iter().filter(|_| Kind::Node.is_here()) {
        both.workspace.application = folder(task);
        let words = ["--test", "--test-reporter=tap", "test/api.test.js"];
        let told = end(&mut node(&both.workspace, &words)).must_end_with(0).stdout;
        for shows in [
            "ok 1 - ",
            "/webhooks/stripe takes a call of Stripe in",
            "/webhooks/stripe takes a call of Stripe that comes again in once",
            "/webhooks/stripe takes what Stripe signs anew in once",
            "/webhooks/stripe refuses a call that somebody else has signed",
            "/webhooks/stripe refuses a call that Stripe has signed too long ago",
            "/webhooks/acme refuses a call that somebody else has signed",
        ] {
            assert!(told.contains(shows), "{task}: {shows}: {told}");
        }
    }
}

fn change_acme(workspace: &Workspace, name: &str, change: &dyn Fn(String) -> String) {
    let file = workspace.path().join("providers/acme").join(name);
    let before = fs::read_to_string(&file).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{name}");
    fs::write(file, after).unwrap();
}

/// Where the provider keeps what it signs with, the cases sign with a pair of their own, whatever the calls are written in.
#[test]
fn calls_that_a_public_key_proves_are_tried_too() {
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----";
    let other = Workspace::new();
    put_acme_into(&other);
    let acme = Played::start(&other, "acme", &[]);
    for (algorithm, body, has_module) in [
        ("ecdsa_p256_sha256", "json", true),
        ("rsa_sha256", "{ form_json: event }", true),
        ("ecdsa_p256_sha256", "xml", false),
    ] {
        let mut workspace = Workspace::new();
        put_acme_into(&workspace);
        change_acme(&workspace, "provider.yaml", &|text| {
            let key =
                "  webhook_key: { title: Key of calls, secret: false, find: Settings, form: { characters: pem } }\n";
            text.replace("settings:\n", &format!("{key}settings:\n"))
        });
        change_acme(&workspace, "webhooks.yaml", &|text| {
            let (before, rest) = text.split_once("verify:").unwrap();
            let (_, after) = rest.split_once("registration:").unwrap();
            let before = before.replace("body: json", &format!("body: {body}"));
            let way = format!(
                "algorithm: {algorithm}, key: \"${{credential.webhook_key}}\", header: Acme-Signature, signed: [timestamp, body], timestamp: {{ header: Acme-Time, unit: seconds, past_seconds: 300 }}"
            );
            let text = format!("{before}verify: [{{ public_key: {{ {way} }} }}]\nregistration:{after}");
            // A document of XML is one element.
            if has_module { text } else { text.replace("${body/", "${body/event/") }
        });
        end(&mut workspace.command(&["providers", "lint"])).must_end_with(0);
        fs::write(
            workspace.path().join("producer.toml"),
            format!("[simulated]\nacme = \"{}\"\n", acme.told("address")),
        )
        .unwrap();
        for (name, value) in [("ACME_API_KEY", ACME_KEY), ("ACME_WEBHOOK_KEY", KEY)] {
            end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
        }
        let task = ACME.replace(
            "\"${secret:ACME_API_KEY}\"",
            "\"${secret:ACME_API_KEY}\", webhook_key: \"${secret:ACME_WEBHOOK_KEY}\"",
        );
        let response = workspace.run_text(&task).must_end_with(0).response();
        let tried = response["verification"].as_array().unwrap();
        let of_calls =
            tried.iter().filter(|check| check["check"].as_str().unwrap().starts_with("POST /webhooks/acme "));
        let outcomes: Vec<&str> = of_calls.map(|check| check["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["passed"; 5], "{algorithm} {body}: {tried:?}");
        if has_module && Kind::Node.is_here() {
            workspace.application = workspace.path().join("output/integration/task_crm");
            let words = ["--test", "--test-reporter=tap", "test/api.test.js"];
            let told = end(&mut node(&workspace, &words)).must_end_with(0).stdout;
            for shows in ["takes a call of Acme Contacts in", "refuses a call that somebody else has signed"] {
                assert!(told.contains(&format!("/webhooks/acme {shows}")), "{body}: {told}");
            }
        }
    }
}

/// A provider that signs nothing says itself what is its own; while it does not answer nobody can tell.
#[test]
fn a_provider_is_asked_whether_a_call_is_its_own() {
    let mut workspace = Workspace::new();
    put_acme_into(&workspace);
    let change = |name: &str, change: &dyn Fn(String) -> String| change_acme(&workspace, name, change);
    change("operations.yaml", &|text| {
        text + "verify_call:\n  does: tells whether a call is its own\n  effect: read\n  input: { event: { type: text, privacy: plain, required: true } }\n  request: { http: { method: POST, path: \"/${value.version}/calls/verify\", body: { json: { event: \"${input.event}\" } } } }\n"
    });
    change("webhooks.yaml", &|text| {
        let (before, rest) = text.split_once("verify:").unwrap();
        let (_, after) = rest.split_once("registration:").unwrap();
        format!(
            "{before}verify: [{{ ask: {{ operation: verify_call, input: {{ event: \"${{body/id}}\" }} }} }}]\nregistration:{after}"
        )
    });
    change("simulator.yaml", &|text| {
        let route = "  - { method: POST, path: /v2/calls/verify, needs: [{ at: /event, is_not: [forged] }], does: { answers: { ok: true } } }\n";
        text.replace("refusals:", &format!("{route}refusals:"))
    });
    let acme = Played::start(&workspace, "acme", &[]);
    fs::write(workspace.path().join("producer.toml"), format!("[simulated]\nacme = \"{}\"\n", acme.told("address")))
        .unwrap();
    end_with_input(&mut workspace.command(&["secrets", "set", "ACME_API_KEY"]), ACME_KEY).must_end_with(0);
    workspace.run_text(ACME).must_end_with(0);
    workspace.application = workspace.path().join("output/integration/task_crm");
    let tell = |server: &Server, id: &str| {
        let event = format!(r#"{{"id":"{id}","type":"contact.left","contact":{{"email":"ada@example.com"}}}}"#);
        ask(server.address, &post("/webhooks/acme", None, &event), "").unwrap().status
    };
    let start = |kind: Kind| {
        let mut command = Server::command(kind, &workspace);
        Server::of(command.env("ACME_API_KEY", ACME_KEY).env("ACME_API_BASE", acme.told("address")))
    };
    let servers: Vec<Server> = Kind::all_here().into_iter().map(start).collect();
    for server in &servers {
        assert_eq!((tell(server, "1"), tell(server, "forged")), (200, 401), "{}", server.log());
    }
    drop(acme);
    for server in &servers {
        assert_eq!(tell(server, "2"), 503, "{}", server.log());
    }
    assert_eq!(workspace.count("inbox_events"), 1);
}
