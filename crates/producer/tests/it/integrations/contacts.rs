//! People who fill in a form, ask for a newsletter or make an account become contacts of a CRM that is played, and readers of a newsletter
//! members of an audience: each by either server, with the fields that the task names.

mod readings;

use super::hmac;
use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::schema::Schema;
use crate::harness::server::{AUTH_SECRET, Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input};
use crate::monitoring::expressions_about_integrations_are_answered;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use vocab::Engine;

const SAMPLE: &str = "tests/cases/tasks/hubspot-contacts.yaml";

fn integrate(workspace: &Workspace, more: &[&str]) -> Ended {
    end(workspace.command(&["run"]).arg(repository(SAMPLE)).args(more))
}

#[test]
fn the_token_is_asked_for_and_a_sandbox_needs_none() {
    let workspace = Workspace::new();
    let error = integrate(&workspace, &[]).must_end_with(3).response()["error"].clone();
    assert_eq!(error["code"], "credentials_missing");
    let hint = error["hint"].as_str().unwrap();
    for part in ["`producer secrets set HUBSPOT_ACCESS_TOKEN`", "Legacy apps", "crm.objects.contacts.write"] {
        assert!(hint.contains(part), "{hint}");
    }
    let response = integrate(&workspace, &["--sandbox"]).must_end_with(0).response();
    assert_eq!(
        (&response["status"], &response["output"]["integrations"][0]["status"]),
        (&json!("completed"), &json!("simulated"))
    );
    // Nobody tells of anything yet, and what would is said.
    let warnings = response["warnings"].to_string();
    for endpoint in ["`POST /api/contact`", "`POST /api/newsletter`", "`POST /api/auth/register`"] {
        assert!(warnings.contains(endpoint), "{endpoint}: {warnings}");
    }
}

/// A HubSpot that is played, and a workspace that has its token.
pub fn with_hubspot() -> (Workspace, Played) {
    let workspace = Workspace::new();
    let played = Played::start(&workspace, "hubspot", &[]);
    hubspot_of(workspace, played)
}

/// The same of a workspace on any database.
pub fn hubspot_of(workspace: Workspace, played: Played) -> (Workspace, Played) {
    let settings = format!("[simulated]\nhubspot = \"{}\"\n", played.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    let mut set = workspace.command(&["secrets", "set", "HUBSPOT_ACCESS_TOKEN"]);
    end_with_input(&mut set, played.told("access_token")).must_end_with(0);
    (workspace, played)
}

/// The three samples as they are, and a HubSpot that is played beside them.
fn samples() -> (Workspace, Played) {
    let (mut workspace, played) = with_hubspot();
    for sample in ["contact-newsletter-api", "user-accounts-api"] {
        workspace.run(&repository(&format!("tests/cases/tasks/{sample}.yaml"))).must_end_with(0);
    }
    let response = integrate(&workspace, &[]).must_end_with(0).response();
    assert_eq!(response["warnings"], json!([]));
    let made = "HubSpot knows `website_source`, where `source` goes";
    let verification = response["verification"].as_array().unwrap();
    let made = verification.iter().find(|check| check["check"] == made).unwrap();
    assert_eq!((&made["outcome"], &made["detail"]), (&json!("simulated"), &json!("it was made")));
    assert_eq!(integrate(&workspace, &[]).must_end_with(0).response()["changed"], false);
    workspace.application = workspace.path().join("output/integration/task_integration_2025_001");
    (workspace, played)
}

pub fn command(kind: Kind, folder: &str, workspace: &mut Workspace, played: &Played) -> Command {
    workspace.application = workspace.path().join("output/integration").join(folder);
    let mut command = Server::command(kind, workspace);
    command
        .env("AUTH_SECRET", AUTH_SECRET)
        .env("HUBSPOT_ACCESS_TOKEN", played.told("access_token"))
        .env("HUBSPOT_API_BASE", played.told("address"));
    command
}

/// What HubSpot holds of somebody.
fn contact(played: &Played, email: &str) -> Option<Value> {
    let told = at(played, &get("/_simulator/objects/contact"));
    let all = told["objects"].as_array().unwrap();
    let found: Vec<&Value> = all.iter().filter(|contact| contact["properties"]["email"] == email).collect();
    assert!(found.len() < 2, "{email} is there twice: {told}");
    found.first().map(|contact| contact["properties"].clone())
}

pub fn at(played: &Played, request: &plan::http_case::CaseRequest) -> Value {
    let address = played.told("address").trim_start_matches("http://").parse().unwrap();
    serde_json::from_slice(&ask(address, request, "").unwrap().body).unwrap_or_default()
}

#[track_caller]
fn becomes(server: &Server, played: &Played, email: &str, expected: Value) {
    let begun = Instant::now();
    while contact(played, email).as_ref() != Some(&expected) {
        let known = contact(played, email);
        assert!(begun.elapsed() < Duration::from_secs(30), "{email} is {known:?}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn people_of_forms_newsletters_and_accounts_become_contacts() {
    let (mut workspace, played) = samples();
    let key = workspace.create_key();
    for kind in Kind::all_here() {
        let word = format!("{kind:?}").to_lowercase();
        let tells = |server: &Server, path: &str, body: Value, status: u16| {
            let answer = ask(server.address, &post(path, Some(&key), &body.to_string()), "").unwrap();
            assert_eq!(answer.status, status, "{path} {}", String::from_utf8_lossy(&answer.body));
        };
        let email = |name: &str| format!("{name}.{word}@example.com");
        let server = Server::of(&mut command(kind, "task_integration_2025_001", &mut workspace, &played));
        // What goes wrong there once is told again.
        at(&played, &post("/_simulator/faults", None, r#"{"faults":["server_error:1"]}"#));
        let asked = json!({ "email": format!("Ada.{word}@Example.com") });
        tells(&server, "/api/newsletter", asked, 202);
        let of_newsletter = json!({ "email": email("ada"), "website_source": "newsletter_signup" });
        becomes(&server, &played, &email("ada"), of_newsletter);
        // The same person writes: what was known stays, and the form says more.
        let message = json!({
            "name": "Ada King Lovelace", "email": email("ada"), "company": "Engines", "phone": "+44 20 7946 0018",
            "subject": "A question", "message": "Can it compute?",
        });
        tells(&server, "/api/contact", message, 201);
        let of_form = json!({
            "email": email("ada"), "firstname": "Ada", "lastname": "King Lovelace", "company": "Engines",
            "phone": "+44 20 7946 0018", "website_source": "contact_form",
        });
        becomes(&server, &played, &email("ada"), of_form);
        drop(server);
        let server = Server::of(&mut command(kind, "task_integration_2026_001", &mut workspace, &played));
        let registered = json!({ "email": email("eve"), "name": "Eve", "password": "a long horse battery staple" });
        tells(&server, "/api/auth/register", registered, 202);
        let of_account = json!({ "email": email("eve"), "firstname": "Eve", "website_source": "user_registration" });
        becomes(&server, &played, &email("eve"), of_account);
        assert!(!server.log().contains("eve."), "{}", server.log());
    }
    for attempt in workspace.query("SELECT record FROM outbox_attempts") {
        let token = played.told("access_token");
        assert!(!attempt[0].contains("example.com") && !attempt[0].contains(token), "{}", attempt[0]);
    }
}

const READERS: &str = "task_id: readers
task_type: setup_api
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/newsletter, method: POST, authentication: none }
      - { path: /api/newsletter/unsubscribe, method: POST, authentication: none }
";
const AUDIENCE: &str = "task_id: audience
task_type: integrate_service
specifications:
  service_integration:
    service_type: email
    provider: mailchimp
    integration_points: [newsletter_signup, newsletter_unsubscribed]
    fields_to_sync: [name]
    credentials: { audience: a1b2c3 }
";

/// Whoever asks for the newsletter is a member of the audience until the newsletter is left; the answer that was lost is asked for again.
#[test]
fn readers_of_a_newsletter_are_members_of_an_audience_until_they_leave() {
    let mut workspace = Workspace::new();
    let played = Played::start(&workspace, "mailchimp", &[]);
    let settings = format!("[simulated]\nmailchimp = \"{}\"\n", played.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    let mut set = workspace.command(&["secrets", "set", "MAILCHIMP_API_KEY"]);
    end_with_input(&mut set, played.told("api_key")).must_end_with(0);
    workspace.run_text(READERS).must_end_with(0);
    let told = workspace.run_text(AUDIENCE).must_end_with(0).response();
    let integration = json!({ "service": "mailchimp", "status": "simulated", "list_id": "a1b2c3" });
    assert_eq!(told["output"]["integrations"], json!([integration]), "{told}");
    workspace.application = workspace.path().join("output/integration/task_readers");
    for kind in Kind::all_here() {
        let mut command = Server::command(kind, &workspace);
        command
            .env("MAILCHIMP_API_KEY", played.told("api_key"))
            .env("MAILCHIMP_AUDIENCE", "a1b2c3")
            .env("MAILCHIMP_API_BASE", played.told("address"));
        let server = Server::of(&mut command);
        let email = format!("ada.{kind:?}@example.com").to_lowercase();
        let tells = |path: &str, body: Value| {
            assert_eq!(ask(server.address, &post(path, None, &body.to_string()), "").unwrap().status, 202);
        };
        let is = |status: &str, fields: Value| {
            let begun = Instant::now();
            let expected = json!([status, "a1b2c3", fields]);
            loop {
                let told = at(&played, &get("/_simulator/objects/member"));
                let all = told["objects"].as_array().unwrap();
                let found: Vec<&Value> =
                    all.iter().filter(|member| member["email_address"] == email.as_str()).collect();
                let [found] = found[..] else {
                    std::thread::sleep(Duration::from_millis(50));
                    assert!(found.is_empty() && begun.elapsed() < Duration::from_secs(30), "{told}\n{}", server.log());
                    continue;
                };
                let now = json!([found["status"], found["list_id"], found["merge_fields"]]);
                if now == expected {
                    return;
                }
                assert!(begun.elapsed() < Duration::from_secs(30), "{now}\n{}", server.log());
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        at(&played, &post("/_simulator/faults", None, r#"{"faults":["reply_lost:1"]}"#));
        tells("/api/newsletter", json!({ "email": email }));
        is("subscribed", json!({}));
        tells("/api/newsletter/unsubscribe", json!({ "email": email }));
        is("unsubscribed", json!({}));
        // Who comes back is asked: whoever has left is nobody's to subscribe.
        tells("/api/newsletter", json!({ "email": email, "name": "Ada King" }));
        is("pending", json!({ "FNAME": "Ada", "LNAME": "King" }));
    }
}

const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A task whose calls are known by that secret; without it there are none.
fn heard(more: &str) -> String {
    format!(
        "task_id: crm\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: hubspot\n    integration_points: [contact_form]\n{more}"
    )
}

#[test]
fn what_a_crm_tells_of_a_contact_is_kept_once_where_its_signature_is_right() {
    let (mut workspace, played) = with_hubspot();
    let told = workspace.run_text(&heard("")).must_end_with(0).response();
    assert_eq!(told["output"]["integrations"][0].get("webhook_url"), None, "{told}");
    end_with_input(&mut workspace.command(&["secrets", "set", "HUBSPOT_CLIENT_SECRET"]), CLIENT_SECRET)
        .must_end_with(0);
    let given = "    credentials: { client_secret: \"${secret:HUBSPOT_CLIENT_SECRET}\" }\n";
    let told = workspace.run_text(&heard(given)).must_end_with(0).response();
    let url = told["output"]["integrations"][0]["webhook_url"].as_str().unwrap();
    assert!(url.ends_with("/webhooks/hubspot"), "{url}");
    for (number, kind) in Kind::all_here().into_iter().enumerate() {
        let mut command = command(kind, "task_crm", &mut workspace, &played);
        let server = Server::of(command.env("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET));
        let event = |id: usize, source: &str| {
            json!({
                "eventId": id, "subscriptionId": 5, "portalId": 7, "appId": 9, "occurredAt": 1_750_000_000_000_u64,
                "subscriptionType": "contact.propertyChange", "attemptNumber": 0, "objectId": 123 + number,
                "propertyName": "phone", "propertyValue": "+1 555 0100", "changeSource": source,
            })
        };
        let body = json!([event(1, "CRM_UI"), event(2, "INTEGRATION")]).to_string();
        let call = |secret: &str, seconds_ago: i64| {
            let at = (jiff::Timestamp::now().as_millisecond() - 1_000 * seconds_ago).to_string();
            let digest = hmac(secret, &format!("POSThttp://localhost/webhooks/hubspot{body}{at}"));
            let digest: Vec<u8> =
                (0..32).map(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap()).collect();
            let mut request = post("/webhooks/hubspot", None, &body);
            request.headers.insert("X-HubSpot-Signature-v3".to_owned(), STANDARD.encode(digest));
            request.headers.insert("X-HubSpot-Request-Timestamp".to_owned(), at);
            ask(server.address, &request, "").unwrap().status
        };
        assert_eq!((call("another secret of another app", 0), call(CLIENT_SECRET, 400)), (401, 401));
        assert_eq!((call(CLIENT_SECRET, 0), call(CLIENT_SECRET, 200)), (200, 200), "{}", server.log());
        let told = workspace.query("SELECT payload FROM outbox_events WHERE name = 'crm_contact_changed' ORDER BY id");
        assert_eq!(told.len(), number + 1, "once, and what we have told it ourselves not at all");
        let last: Value = serde_json::from_str(&told[number][0]).unwrap();
        let contact = (123 + number).to_string();
        assert_eq!(last, json!({ "contact": contact, "property": "phone", "value": "+1 555 0100" }));
    }
}

const PEOPLE: &str = "task_id: people
task_type: setup_api
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: \"/api/crm-people/{id}\", method: PATCH, authentication: api_key }
";

/// The same signed as the app of that secret does.
fn tells(server: &Server, secret: &str, event: &str) -> u16 {
    let event = json!({
        "eventId": 1, "subscriptionId": 5, "portalId": 7, "appId": 9,
        "occurredAt": jiff::Timestamp::now().as_millisecond(),
        "subscriptionType": event, "attemptNumber": 0, "objectId": 123, "propertyName": "phone", "changeSource": "CRM_UI",
    });
    let body = json!([event]).to_string();
    let at = jiff::Timestamp::now().as_millisecond().to_string();
    let digest = hmac(secret, &format!("POSThttp://localhost/webhooks/hubspot{body}{at}"));
    let digest: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut request = post("/webhooks/hubspot", None, &body);
    request.headers.insert("X-HubSpot-Signature-v3".to_owned(), STANDARD.encode(digest));
    request.headers.insert("X-HubSpot-Request-Timestamp".to_owned(), at);
    ask(server.address, &request, "").unwrap().status
}

#[track_caller]
fn holds(workspace: &Workspace, server: &Server, sql: &str, expected: &[&[&str]]) {
    let begun = Instant::now();
    loop {
        let rows = workspace.query(sql);
        if rows == expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{rows:?}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Somebody whom HubSpot's own users make; where it refuses, nobody.
fn person(played: &Played, email: &str, name: &str) {
    let input = json!({ "id": email, "idProperty": "email", "properties": { "email": email, "firstname": name } });
    let mut request = post("/crm/v3/objects/contacts/batch/upsert", None, &json!({ "inputs": [input] }).to_string());
    request.headers.insert("Authorization".to_owned(), format!("Bearer {}", played.told("access_token")));
    at(played, &request);
}

/// People whom HubSpot has at first, as its own users would have made them.
fn people(played: &Played, from: usize, to: usize) {
    for from in (from..to).step_by(100) {
        let input = |number: usize| {
            let email = format!("p{number}@example.com");
            json!({ "id": email, "idProperty": "email", "properties": { "email": email, "firstname": format!("P{number}") } })
        };
        let inputs: Vec<Value> = (from..to.min(from + 100)).map(input).collect();
        let mut request = post("/crm/v3/objects/contacts/batch/upsert", None, &json!({ "inputs": inputs }).to_string());
        request.headers.insert("Authorization".to_owned(), format!("Bearer {}", played.told("access_token")));
        assert_eq!(at(played, &request)["status"], "COMPLETE");
    }
}

/// Each server on each engine, at once: they mostly wait.
#[test]
fn what_is_changed_at_a_crm_comes_back_once_whatever_is_killed_meanwhile() {
    std::thread::scope(|scope| {
        for kind in Kind::all_here() {
            scope.spawn(move || comes_back(kind, with_hubspot()));
            for engine in [Engine::PostgreSql, Engine::MySql] {
                let Some(schema) = Schema::empty(engine, "records of a CRM") else { continue };
                scope.spawn(move || {
                    let workspace = Workspace::on(Sample::Notes, schema.url());
                    let played = Played::start(&workspace, "hubspot", &[]);
                    let made = hubspot_of(workspace, played);
                    made.0.run_base();
                    comes_back(kind, made);
                });
            }
        }
    });
}

fn comes_back(kind: Kind, (mut workspace, played): (Workspace, Played)) {
    end_with_input(&mut workspace.command(&["secrets", "set", "HUBSPOT_CLIENT_SECRET"]), CLIENT_SECRET)
        .must_end_with(0);
    let given = "    credentials: { client_secret: \"${secret:HUBSPOT_CLIENT_SECRET}\" }\n";
    workspace.run_text(PEOPLE).must_end_with(0);
    let given = heard(given).replace("[contact_form]", "[contact_form, crm_person_updated]");
    workspace.run_text(&given).must_end_with(0);
    let key = workspace.create_key();
    people(&played, 0, 1_100);
    let serve = |workspace: &mut Workspace| {
        let mut command = command(kind, "task_people", workspace, &played);
        Server::of(command.env("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET))
    };
    // It is killed in the midst of the first reading, and read on from there.
    let server = serve(&mut workspace);
    let begun = Instant::now();
    let count =
        |workspace: &Workspace| workspace.query("SELECT count(*) FROM crm_people")[0][0].parse::<u32>().unwrap();
    while count(&workspace) < 300 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(server);
    let so_far = count(&workspace);
    assert!(so_far < 1_100, "nothing was left to do");
    let server = serve(&mut workspace);
    let all = "SELECT count(*), count(DISTINCT email), min(row_version), max(row_version) FROM crm_people";
    holds(&workspace, &server, all, &[&["1100", "1100", "1", "1"]]);
    let is_over = "SELECT failures, left_out FROM sync_states WHERE reading_since IS NULL AND ended_at IS NOT NULL";
    holds(&workspace, &server, is_over, &[&["0", "0"]]);
    // Somebody there writes a number down, and somebody else is deleted there.
    let ids = "SELECT remote_key FROM sync_links l JOIN crm_people c ON c.id = l.row_id WHERE email IN ('p7@example.com', 'p8@example.com') ORDER BY email";
    let ids = workspace.query(ids);
    std::thread::sleep(Duration::from_secs(11));
    at(&played, &post("/_simulator/acts/call", None, &json!({ "id": ids[0][0] }).to_string()));
    at(&played, &post("/_simulator/acts/archive", None, &json!({ "id": ids[1][0] }).to_string()));
    assert_eq!(tells(&server, CLIENT_SECRET, "contact.propertyChange"), 200, "{}", server.log());
    let changed = "SELECT email, coalesce(phone, '-'), row_version, CASE WHEN removed_at IS NULL THEN 'here' ELSE 'gone' END FROM crm_people WHERE row_version > 1 ORDER BY email";
    let expected: [&[&str]; 2] =
        [&["p7@example.com", "+1 555 0100", "2", "here"], &["p8@example.com", "-", "2", "gone"]];
    holds(&workspace, &server, changed, &expected);
    // What does not fit is left out and told, by its field and never by its value.
    let long = "x".repeat(300);
    person(&played, "long@example.com", &long);
    assert_eq!(tells(&server, CLIENT_SECRET, "contact.creation"), 200, "{}", server.log());
    holds(&workspace, &server, "SELECT problem_code, failures FROM sync_states", &[&["record_left_out", "0"]]);
    let log = server.log();
    for word in
        ["integration.data_synchronization", "record_left_out", "`/first_name` must have at most 200 characters"]
    {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(!log.contains(&long), "{log}");
    // What the provider does not answer is read on when it does.
    at(&played, &post("/_simulator/faults", None, r#"{"faults":["server_error"]}"#));
    assert_eq!(tells(&server, CLIENT_SECRET, "contact.deletion"), 200, "{}", server.log());
    holds(&workspace, &server, "SELECT problem_code FROM sync_states", &[&["service_unavailable"]]);
    at(&played, &post("/_simulator/faults", None, r#"{"faults":[]}"#));
    person(&played, "late@example.com", "Late");
    holds(&workspace, &server, "SELECT first_name FROM crm_people WHERE email = 'late@example.com'", &[&["Late"]]);
    // What the API changes goes there, and comes back as what is here.
    let id = &workspace.query("SELECT id FROM crm_people WHERE email = 'p9@example.com'")[0][0];
    let body = json!({ "phone": "+44 20 7946 0018" }).to_string();
    let mut patch = post(&format!("/api/crm-people/{id}"), Some(&key), &body);
    patch.method = "PATCH".to_owned();
    let answer = ask(server.address, &patch, "").unwrap();
    assert_eq!(answer.status, 200, "{}\n{}", String::from_utf8_lossy(&answer.body), server.log());
    let known = json!({
        "email": "p9@example.com", "firstname": "P9", "lastname": "", "company": "", "phone": "+44 20 7946 0018",
    });
    becomes(&server, &played, "p9@example.com", known);
    assert_eq!(tells(&server, CLIENT_SECRET, "contact.propertyChange"), 200, "{}", server.log());
    let same = "SELECT phone, coalesce(last_name, '-') FROM crm_people WHERE email = 'p9@example.com'";
    holds(&workspace, &server, same, &[&["+44 20 7946 0018", "-"]]);
    // What came from there is told nobody, so nothing goes back.
    let told = "SELECT DISTINCT name FROM outbox_events ORDER BY name";
    let told: Vec<String> = workspace.query(told).concat();
    assert_eq!(told, ["crm_contact_changed", "crm_contact_created", "crm_contact_deleted", "crm_person_updated"]);
    assert_eq!(workspace.query("SELECT count(*) FROM outbox_events WHERE name = 'crm_person_updated'"), [["1"]]);
    assert_eq!(count(&workspace), 1_101);
    assert!(!server.log().contains("p7@example.com"), "{}", server.log());
    stands(&workspace, &server);
}

/// How the integrations of a task stand.
fn stands_at(workspace: &Workspace, task: &str) -> Vec<Value> {
    let told = end(&mut workspace.command(&["status", task, "--format", "json"])).must_end_with(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    // Others may say that nothing makes an event of these tasks.
    assert!(!told["warnings"].to_string().contains("is not known"), "{told}");
    told["integrations"].as_array().unwrap().clone()
}

/// What a server counts, and what `producer status` says, once something was brought there, something came from there, and one was left out.
fn stands(workspace: &Workspace, server: &Server) {
    expressions_about_integrations_are_answered(server, workspace);
    let [crm] = &stands_at(workspace, "crm")[..] else { panic!("one integration") };
    assert_eq!((&crm["integration"], &crm["service"]), (&json!("crm"), &json!("hubspot")));
    assert_eq!((&crm["waiting"], &crm["given_up"], &crm["error_rate"]), (&json!(0), &json!(0), &json!(0.0)), "{crm}");
    assert!(crm["last_success"].is_string() && crm["latency_ms"].is_u64(), "{crm}");
    let [sync] = &crm["syncs"].as_array().unwrap()[..] else { panic!("{crm}") };
    assert_eq!(
        (&sync["sync"], &sync["failures"], &sync["left_out"].as_u64().is_some_and(|count| count > 0)),
        (&json!("contacts"), &json!(0), &true)
    );
    assert_eq!((&sync["status"], &crm["status"]), (&json!("needs_attention"), &json!("needs_attention")), "{crm}");
    assert!(sync["problem"].as_str().unwrap().contains("was left out"), "{sync}");
    let table = end(&mut workspace.command(&["status"])).must_end_with(0).stdout;
    assert!(table.contains("INTEGRATION") && table.contains("crm: contacts"), "{table}");
}
