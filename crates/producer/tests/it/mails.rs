//! Mails by a real mail server (`smtp-server`), read back by a program that reads mails: who they go to, what they say, what becomes of them
//! when the server does not take them, and where they are when there is none. Without its packages this is skipped, loudly.

use crate::harness::client::{ask, post};
use crate::harness::schema::Schema;
use crate::harness::server::{AUTH_SECRET, Kind, Server, node_modules};
use crate::harness::workspace::{Workspace, end, end_with_input};
use crate::harness::{Sample, repository};
use crate::integrations::{MEMBERS, SIGNING, integrate, with_stripe};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vocab::{Engine, Secret};

mod bounces;

const PACKAGES: [&str; 2] = ["smtp-server", "mailparser"];
const API: &str = "task_id: messages\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    rate_limiting: 1000_requests_per_minute\n    endpoints: [{ path: /api/contact, method: POST, authentication: none }, { path: /api/newsletter, method: POST, authentication: none }, { path: /api/newsletter/confirm, method: POST, authentication: none }]\n";
const THANKS: &str = "mail: contact_form\nto: email\nlink: { path: /messages, token: id }\ntexts:\n  - language: en\n    subject: Danke schön, ${event.name}\n    paragraphs: ['Hello ${event.name},', 'you wrote: ${event.message}']\n    button: Look at it\n    closing: ['You wrote to us at ${site.url}.']\n";
/// Where the server of the mails is known.
const SITE: &str = "https://shop.example";

/// A mail server, until this is dropped.
struct MailServer {
    child: Child,
    port: u16,
    told: Arc<Mutex<Vec<Value>>>,
    folder: tempfile::TempDir,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MailServer {
    fn start(options: &Value) -> Option<Self> {
        let modules = node_modules().filter(|modules| PACKAGES.iter().all(|name| modules.join(name).is_dir()));
        let Some(modules) = modules else {
            let line = format!("SKIPPED mails: NODE_MODULES names no folder with {PACKAGES:?}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        // Packages are found from where a script really is.
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
        let script = folder.path().join("server.mjs");
        fs::copy(repository("crates/producer/tests/it/mails/server.mjs"), &script).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        fs::write(&certificate, made.cert.pem()).unwrap();
        let mut options = options.clone();
        options["key"] = json!(key);
        options["certificate"] = json!(certificate);
        let mut node = Command::new("node");
        node.arg(script).arg(options.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = node.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { child, port, told, folder })
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn told(&self, kind: &str) -> Vec<Value> {
        self.told.lock().unwrap().iter().filter(|told| told["kind"] == kind).cloned().collect()
    }

    /// The mails that arrived for an address.
    fn mails_to(&self, address: &str) -> Vec<Value> {
        self.told("mail").into_iter().filter(|mail| mail["envelope"]["to"] == address).collect()
    }
}

/// A workspace whose API writes to who writes to it.
fn workspace() -> Workspace {
    let mut workspace = Workspace::new();
    workspace.application = workspace.path().join("output/integration/task_messages");
    fs::create_dir(workspace.path().join("mails")).unwrap();
    fs::write(workspace.path().join("mails/contact_form.yaml"), THANKS).unwrap();
    fs::write(workspace.path().join("producer.toml"), format!("public_url = \"{SITE}\"\n")).unwrap();
    workspace.run_text(API).must_end_with(0);
    workspace
}

/// A server of the workspace that sends by that mail server.
fn sending(kind: Kind, workspace: &Workspace, mails: &MailServer, url: &str) -> Server {
    sending_with(kind, workspace, mails, url, &[])
}

/// The same with more in its environment.
fn sending_with(kind: Kind, workspace: &Workspace, mails: &MailServer, url: &str, more: &[(&str, &str)]) -> Server {
    let url = url.replace("PORT", &mails.port.to_string());
    let mut command = Server::command(kind, workspace);
    command
        .env("AUTH_SECRET", AUTH_SECRET)
        .env("SMTP_URL", url)
        .env("MAIL_FROM", "Der Müller <shop@shop.example>")
        .env("PUBLIC_URL", SITE)
        .env("SSL_CERT_FILE", mails.certificate())
        .env("NODE_EXTRA_CA_CERTS", mails.certificate())
        .envs(more.iter().copied());
    Server::of(&mut command)
}

fn write(server: &Server, email: &str) {
    let message = json!({ "name": "Zoë <b>&", "email": email, "message": "one\ntwo & three" }).to_string();
    let answer = ask(server.address, &post("/api/contact", None, &message), "").unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}

#[track_caller]
fn wait_until(server: &Server, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// State, attempts, problem and id of the delivery to an address; nothing where none was made yet.
fn delivery_to(workspace: &Workspace, email: &str) -> Vec<String> {
    let rows = workspace.query(&format!(
        "SELECT d.state, d.attempts, COALESCE(d.problem, ''), d.id FROM outbox_deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE e.payload LIKE '%{email}%'"
    ));
    rows.into_iter().next().unwrap_or_default()
}

#[track_caller]
fn wait_for(server: &Server, workspace: &Workspace, email: &str, state: &str) -> Vec<String> {
    wait_until(server, &format!("the mail to {email} is not {state}"), || {
        delivery_to(workspace, email).first().is_some_and(|known| known == state)
    });
    delivery_to(workspace, email)
}

/// Once it was tried in vain.
#[track_caller]
fn wait_for_problem(server: &Server, workspace: &Workspace, email: &str) -> Vec<String> {
    wait_until(server, "not tried", || delivery_to(workspace, email).get(2).is_some_and(|problem| !problem.is_empty()));
    delivery_to(workspace, email)
}

const SECURE: &str = "smtp://ann%40shop.example:p%40ss%20word@localhost:PORT?tls=required";

fn a_mail_arrives_whole(kind: Kind) {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let workspace = workspace();
    let server = sending(kind, &workspace, &mails, SECURE);
    write(&server, "zoe@guest.example");
    wait_until(&server, "no mail", || !mails.mails_to("zoe@guest.example").is_empty());
    let [mail] = &mails.mails_to("zoe@guest.example")[..] else { panic!("more than one mail") };
    assert_eq!(
        mails.told("sign-in")[0],
        json!({ "kind": "sign-in", "username": "ann@shop.example", "is_encrypted": true })
    );
    assert_eq!(mail["envelope"]["from"], "shop@shop.example");
    assert_eq!(
        (&mail["from"], &mail["to"]),
        (&json!("\"Der Müller\" <shop@shop.example>"), &json!("zoe@guest.example"))
    );
    assert_eq!((&mail["subject"], &mail["type"]), (&json!("Danke schön, Zoë <b>&"), &json!("multipart/alternative")));
    assert_eq!(
        (&mail["is_encrypted"], &mail["is_ascii"], &mail["automatic"]),
        (&json!(true), &json!(true), &json!("auto-generated"))
    );
    let delivery = wait_for(&server, &workspace, "zoe@guest.example", "delivered");
    assert_eq!(mail["id"], format!("<{}@shop.example>", delivery[3]));
    assert!(mail["date"].is_string(), "{mail}");
    let event = workspace.query("SELECT id FROM contact_messages")[0][0].clone();
    let link = format!("{SITE}/messages#token={}", serve::successor(&Secret::new(AUTH_SECRET.to_owned()), &event));
    let text = format!(
        "Hello Zoë <b>&,\n\nyou wrote: one\ntwo & three\n\nLook at it:\n{link}\n\nYou wrote to us at {SITE}.\n"
    );
    assert_eq!(mail["text"], text);
    let html = mail["html"].as_str().unwrap();
    for part in ["Zoë &lt;b&gt;&amp;", "one<br>two &amp; three", &format!("<a href=\"{link}\"")] {
        assert!(html.contains(part), "{part} in {html}");
    }
    // Nothing of whom it went to stands where people look for what went wrong.
    let records = workspace.query("SELECT record FROM outbox_attempts");
    assert!(records[0][0].contains("250") && !records[0][0].contains("guest.example"), "{records:?}");
    assert!(!server.log().contains("guest.example") && !server.log().contains("p@ss"), "{}", server.log());
    no_header_can_be_slipped_in(&workspace, &server, &mails);
    refusals_are_told_apart(&workspace, &server, &mails);
    a_newsletter_begins_and_ends_with_a_mail(&workspace, &server, &mails, "reader@guest.example");
}

/// What the links of the mails lead to is called as the page, and a mail program, call it.
fn a_newsletter_begins_and_ends_with_a_mail(workspace: &Workspace, server: &Server, mails: &MailServer, reader: &str) {
    let readers = || workspace.query("SELECT email FROM newsletter_subscribers");
    let send = |path: &str, media_type: &str, body: &str| {
        let mut request = post(path, None, body);
        request.headers.insert("content-type".to_owned(), media_type.to_owned());
        ask(server.address, &request, "").unwrap().status
    };
    assert_eq!(send("/api/newsletter", "application/json", &json!({ "email": reader }).to_string()), 202);
    wait_until(server, "nothing to confirm", || !mails.mails_to(reader).is_empty());
    let mail = mails.mails_to(reader).remove(0);
    let link = format!("{SITE}/newsletter/confirm#token=");
    let (_, behind) = mail["text"].as_str().unwrap().split_once(&link).unwrap_or_else(|| panic!("no link: {mail}"));
    let token = behind.split_whitespace().next().unwrap();
    assert_eq!(mail["unsubscribe"], Value::Null, "nobody can wish away what they asked for just now");
    assert!(readers().is_empty());
    assert_eq!(send("/api/newsletter/confirm", "application/json", &json!({ "token": token }).to_string()), 204);
    assert_eq!(readers(), [[reader]]);
    wait_until(server, "no welcome", || mails.mails_to(reader).len() > 1);
    let welcome = mails.mails_to(reader).remove(1);
    let ends = welcome["unsubscribe"]["url"].as_str().unwrap_or_else(|| panic!("no way out: {welcome}"));
    assert!(welcome["text"].as_str().unwrap().contains(ends) && welcome["html"].as_str().unwrap().contains(ends));
    let lines = welcome["headers"].as_array().unwrap();
    assert!(lines.contains(&json!("List-Unsubscribe-Post: List-Unsubscribe=One-Click")), "{lines:?}");
    let path = ends.strip_prefix(SITE).unwrap();
    assert_eq!(send(path, "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click"), 204);
    assert!(readers().is_empty());
}

/// What no request can bring may still come from somebody who writes events.
fn no_header_can_be_slipped_in(workspace: &Workspace, server: &Server, mails: &MailServer) {
    let payload = json!({ "id": "01900000-0000-7000-8000-00000000000a", "name": "Eve\r\nBcc: all@guest.example\r\n\r\nHi", "email": "eve@guest.example", "message": "-" });
    let at = workspace.query("SELECT occurred_at FROM outbox_events")[0][0].clone();
    workspace.query(&format!(
        "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ('01ffffff-0000-7000-8000-00000000000b', 'contact_form', '{payload}', '{at}')"
    ));
    wait_until(server, "no mail to Eve", || !mails.mails_to("eve@guest.example").is_empty());
    let mail = &mails.mails_to("eve@guest.example")[0];
    assert_eq!((&mail["subject"], &mail["bcc"]), (&json!("Danke schön, Eve Bcc: all@guest.example Hi"), &Value::Null));
    let names: Vec<&str> =
        mail["headers"].as_array().unwrap().iter().filter_map(|line| line.as_str()?.split(':').next()).collect();
    assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("bcc")), "{names:?}");
}

fn refusals_are_told_apart(workspace: &Workspace, server: &Server, mails: &MailServer) {
    write(server, "never-1@guest.example");
    let problem = "the mail server does not take the recipient: 550 5.1.1 <[recipient]> is nobody here";
    assert_eq!(wait_for(server, workspace, "never-1", "dead")[..3], ["dead", "1", problem]);
    assert_eq!(
        workspace.query("SELECT outcome, code FROM outbox_attempts ORDER BY id DESC LIMIT 1")[0],
        ["permanent", "550 5.1.1"]
    );
    nobody_is_written_to_twice(workspace, server, mails);
    write(server, "later-1@guest.example");
    assert_eq!(wait_for(server, workspace, "later-1", "delivered")[1], "1", "one attempt was in vain");
    assert_eq!(mails.mails_to("later-1@guest.example").len(), 1);
    // The answer was lost: the mail is sent again under the same name.
    write(server, "lost-1@guest.example");
    wait_for(server, workspace, "lost-1", "delivered");
    let twice = mails.mails_to("lost-1@guest.example");
    assert_eq!((twice.len(), &twice[0]["id"]), (2, &twice[1]["id"]));
    let outcomes = workspace.query("SELECT outcome FROM outbox_attempts ORDER BY id DESC LIMIT 2").concat();
    assert_eq!(outcomes, ["delivered", "unknown_effect"]);
}

/// The server has said that nobody has the address: it is not asked again, until somebody says so.
fn nobody_is_written_to_twice(workspace: &Workspace, server: &Server, mails: &MailServer) {
    let suppressed = |words: &[&str]| end(&mut workspace.command(&[&["mail", "suppressed"], words].concat()));
    let listed = suppressed(&["list", "--reason", "bounce", "--format", "json"]).must_end_with(0).stdout;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let [known] = &listed[..] else { panic!("{listed:?}") };
    let said = "550 5.1.1 <[recipient]> is nobody here";
    assert_eq!(
        (&known["address"], &known["reason"], &known["said"]),
        (&json!("never-1@guest.example"), &json!("bounce"), &json!(said))
    );
    let refused = mails.told("refused").len();
    write(server, "Never-1@Guest.example");
    let given_up = || {
        workspace.query(
            "SELECT d.state, d.attempts, d.problem, d.id FROM outbox_deliveries d JOIN outbox_attempts a ON a.delivery_id = d.id WHERE a.code = 'suppressed'",
        )
    };
    wait_until(server, "not given up", || !given_up().is_empty());
    let given_up = given_up().remove(0);
    let since = known["suppressed_at"].as_str().unwrap();
    let problem = format!(
        "it was not sent: the address is suppressed since {since} (`bounce`); `producer mail suppressed list` says why"
    );
    assert_eq!(given_up[..3], ["dead", "1", &problem]);
    let shown = end(&mut workspace.command(&["deliveries", "show", &given_up[3]])).must_end_with(0).stdout;
    assert!(shown.contains("suppressed") && shown.contains("it was not sent"), "{shown}");
    assert_eq!(mails.told("refused").len(), refused, "the mail server was asked again");
    // By hand, and back again.
    suppressed(&["add", "eva@guest.example", "--said", "she has asked for it"]).must_end_with(0);
    write(server, "eva@guest.example");
    assert!(wait_for(server, workspace, "eva@guest.example", "dead")[2].contains("(`manual`)"));
    let removed = suppressed(&["remove", "EVA@guest.example", "never-2@guest.example"]).must_end_with(1);
    assert!(removed.stderr.contains("nothing keeps mails from `never-2@guest.example`"), "{}", removed.stderr);
    let again = end(&mut workspace.command(&["deliveries", "replay", &delivery_to(workspace, "eva@guest.example")[3]]));
    again.must_end_with(0);
    wait_until(server, "nothing to Eva", || mails.mails_to("eva@guest.example").len() == 1);
    let wrong = suppressed(&["add", "nobody"]).must_end_with(1);
    assert!(wrong.stderr.contains("`nobody` is no address"), "{}", wrong.stderr);
}

#[test]
fn a_mail_arrives_whole_and_what_becomes_of_others_is_known() {
    a_mail_arrives_whole(Kind::Native);
}

#[test]
fn a_mail_of_the_node_application_arrives_as_whole() {
    a_mail_arrives_whole(Kind::Node);
}

#[test]
fn two_servers_of_one_database_send_each_mail_once() {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let workspace = workspace();
    let servers = [Kind::Native, Kind::Node].map(|kind| sending(kind, &workspace, &mails, SECURE));
    let addresses: Vec<String> = (0..40).map(|number| format!("guest-{number}@guest.example")).collect();
    for (server, address) in servers.iter().cycle().zip(&addresses) {
        write(server, address);
    }
    wait_until(&servers[0], "not all were sent", || {
        workspace.query("SELECT COUNT(*) FROM outbox_deliveries WHERE state = 'delivered'")[0][0] == "40"
    });
    // Longer than either waits before it looks again.
    std::thread::sleep(Duration::from_millis(1500));
    for address in &addresses {
        assert_eq!(mails.mails_to(address).len(), 1, "{address}");
    }
    // Four at once of each server, which stay open for the next mails.
    let connections = mails.told("sign-in").len();
    assert!((1..20).contains(&connections), "{connections} connections for 40 mails");
}

/// The application of a service makes the deliveries of an event and knows nothing of the API's mails: they are sent all the same, each once.
#[test]
fn mails_of_what_the_application_of_a_service_has_dispatched_are_sent_once() {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let (mut workspace, played) = with_stripe(&[]);
    fs::create_dir(workspace.path().join("mails")).unwrap();
    let welcome =
        THANKS.replace("contact_form", "user_registration").replace("link: { path: /messages, token: id }\n", "");
    let welcome = welcome.replace("    button: Look at it\n", "").replace("${event.message}", "-");
    fs::write(workspace.path().join("mails/user_registration.yaml"), welcome).unwrap();
    workspace.run_text(MEMBERS).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    workspace.application = workspace.path().join("output/integration/task_integration_2025_003");
    let happens = |number: u32| {
        let id = format!("01900000-0000-7000-8000-{number:012}");
        let payload = json!({ "user_id": id, "email": format!("guest-{number}@guest.example"), "name": "Ada" });
        workspace.query(&format!(
            "INSERT INTO outbox_events (id, name, payload, occurred_at) VALUES ('{id}', 'user_registration', '{payload}', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
        ));
    };
    happens(0);
    let database = workspace.path().join(".producer/data/embedded.sqlite");
    let mut service = Server::command(Kind::Node, &workspace);
    service
        .env("DATABASE_URL", format!("file:{}", database.display()))
        .env("STRIPE_SECRET_KEY", played.told("secret_key"))
        .env("STRIPE_API_BASE", played.told("address"))
        .env("STRIPE_WEBHOOK_SECRET", SIGNING);
    let service = Server::of(&mut service);
    wait_until(&service, "not told to the service", || {
        delivery_to(&workspace, "guest-0@").first().is_some_and(|state| state == "delivered")
    });
    let of_mails =
        || workspace.query("SELECT COUNT(*) FROM outbox_deliveries WHERE integration = 'mail'")[0][0].clone();
    assert_eq!(of_mails(), "0", "the application of the service sends no mails");
    let server = sending(Kind::Native, &workspace, &mails, SECURE);
    (1..20).for_each(happens);
    let has_mail = |number: u32| mails.mails_to(&format!("guest-{number}@guest.example")).len();
    wait_until(&server, "not all were sent", || (0..20).all(|number| has_mail(number) > 0));
    std::thread::sleep(Duration::from_millis(1500));
    assert!((0..20).all(|number| has_mail(number) == 1), "a mail was sent twice");
    assert_eq!(of_mails(), "20");
}

#[test]
fn mails_leave_from_postgresql() {
    mails_leave_from(Engine::PostgreSql);
}

#[test]
fn mails_leave_from_mysql() {
    mails_leave_from(Engine::MySql);
}

/// Both servers on one database: what the one was asked, either may write about.
fn mails_leave_from(engine: Engine) {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let Some(place) = Schema::empty(engine, "mails") else { return };
    let workspace = Workspace::completed_on(Sample::Accounts, place.url());
    fs::write(workspace.path().join("producer.toml"), format!("public_url = \"{SITE}\"\n")).unwrap();
    let servers = [Kind::Native, Kind::Node].map(|kind| sending(kind, &workspace, &mails, SECURE));
    for (server, reader) in servers.iter().zip(["first@guest.example", "second@guest.example"]) {
        a_newsletter_begins_and_ends_with_a_mail(&workspace, server, &mails, reader);
        assert_eq!(mails.mails_to(reader).len(), 2, "one to confirm and one to welcome");
    }
    for (server, name) in servers.iter().zip(["first", "second"]) {
        who_has_complained_is_told_what_they_must_know(
            &workspace,
            server,
            &mails,
            &format!("{name}-ada@guest.example"),
        );
        who_asks_does_not_learn_that_nobody_is_written_to(
            &workspace,
            server,
            &mails,
            &format!("never-{name}@guest.example"),
        );
    }
}

/// Deliveries of the event that were given up for a reason.
fn given_up(workspace: &Workspace, event: &str, reason: &str) -> usize {
    let words = ["deliveries", "list", "--state", "dead", "--event", event, "--format", "json"];
    let listed: Vec<Value> =
        serde_json::from_str(&end(&mut workspace.command(&words)).must_end_with(0).stdout).unwrap();
    listed.iter().filter(|one| one["problem"].as_str().is_some_and(|problem| problem.contains(reason))).count()
}

#[track_caller]
fn send(server: &Server, path: &str, body: &Value) -> Vec<u8> {
    let answer = ask(server.address, &post(path, None, &body.to_string()), "").unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.body
}

/// A password can be had anew; a newsletter cannot be begun.
fn who_has_complained_is_told_what_they_must_know(
    workspace: &Workspace,
    server: &Server,
    mails: &MailServer,
    address: &str,
) {
    let account = json!({ "email": address, "name": "Ada", "password": "engine of analysis" });
    send(server, "/api/auth/register", &account);
    wait_until(server, "no mail to prove the address", || mails.mails_to(address).len() == 1);
    end(&mut workspace.command(&["mail", "suppressed", "add", address, "--reason", "complaint"])).must_end_with(0);
    let before = given_up(workspace, "newsletter_confirmation", "(`complaint`)");
    send(server, "/api/newsletter", &json!({ "email": address }));
    send(server, "/api/auth/forgot-password", &json!({ "email": address }));
    wait_until(server, "no way to another password", || mails.mails_to(address).len() == 2);
    wait_until(server, "the newsletter was not given up", || {
        given_up(workspace, "newsletter_confirmation", "(`complaint`)") == before + 1
    });
    assert!(mails.mails_to(address)[1]["text"].as_str().unwrap().contains("/account/reset-password#token="));
}

/// What is known of an address is asked by the worker, and answers are alike.
fn who_asks_does_not_learn_that_nobody_is_written_to(
    workspace: &Workspace,
    server: &Server,
    mails: &MailServer,
    address: &str,
) {
    let refused = || mails.told("refused").into_iter().filter(|told| told["address"] == address).count();
    let before = given_up(workspace, "newsletter_confirmation", "(`bounce`)");
    let first = send(server, "/api/newsletter", &json!({ "email": address }));
    wait_until(server, "not tried", || refused() == 1);
    wait_until(server, "not kept", || {
        let words = ["mail", "suppressed", "list", "--format", "json"];
        end(&mut workspace.command(&words)).must_end_with(0).stdout.contains(address)
    });
    assert_eq!(send(server, "/api/newsletter", &json!({ "email": address })), first);
    wait_until(server, "not given up", || given_up(workspace, "newsletter_confirmation", "(`bounce`)") == before + 1);
    assert_eq!(refused(), 1, "the mail server was asked again");
}

fn nothing_is_said_in_the_clear(kind: Kind) {
    let Some(mails) = MailServer::start(&json!({ "is_plain": true })) else { return };
    let workspace = workspace();
    let server = sending(kind, &workspace, &mails, SECURE);
    write(&server, "zoe@guest.example");
    let tried = wait_for_problem(&server, &workspace, "zoe@guest.example");
    assert!(
        tried[2].starts_with("the conversation was not encrypted: the server does not offer STARTTLS"),
        "{tried:?}"
    );
    assert_eq!((mails.told("sign-in"), mails.told("mail")), (vec![], vec![]));
    drop(server);
    // A certificate that nobody vouches for is none.
    let Some(mails) = MailServer::start(&json!({})) else { return };
    let other = MailServer::start(&json!({})).unwrap();
    let url = SECURE.replace("PORT", &mails.port.to_string());
    workspace
        .query("UPDATE outbox_deliveries SET problem = NULL, attempts = 0, due_at = created_at, state = 'waiting'");
    let server = sending(kind, &workspace, &other, &url);
    let tried = wait_for_problem(&server, &workspace, "zoe@guest.example");
    assert!(tried[2].starts_with("the conversation was not encrypted: "), "{tried:?}");
    assert_eq!((mails.told("sign-in"), mails.told("mail")), (vec![], vec![]));
}

#[test]
fn a_server_that_cannot_be_trusted_is_told_nothing() {
    nothing_is_said_in_the_clear(Kind::Native);
    nothing_is_said_in_the_clear(Kind::Node);
}

/// A wrong password is no fault of the mail: it waits, and goes when the right one was set, without a new start.
#[test]
fn mails_wait_for_the_right_password_and_without_a_server_they_are_files() {
    let Some(mails) = MailServer::start(&json!({ "asks_who": true })) else { return };
    let workspace = workspace();
    let mut command = Server::command(Kind::Native, &workspace);
    let server = Server::of(command.env("SSL_CERT_FILE", mails.certificate()).env("PRODUCER_LOG", "info"));
    let folder = workspace.path().join(".producer/mail");
    write(&server, "zoe@guest.example");
    wait_until(&server, "no file", || fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()));
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("To: zoe@guest.example") && text.contains("From: no-reply@localhost"), "{text}");
    let kept = wait_for(&server, &workspace, "zoe@guest.example", "delivered");
    assert!(kept[2].starts_with("no mail leaves this machine: it is in `"), "{kept:?}");
    assert!(server.log().contains("no mail leaves this machine: `SMTP_URL` is not set"), "{}", server.log());
    let set = |name: &str, value: &str| {
        end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
    };
    let url = SECURE.replace("PORT", &mails.port.to_string());
    set("SMTP_URL", &url.replace("p%40ss", "wrong"));
    wait_until(&server, "not heard", || server.log().contains("mails leave by this server"));
    write(&server, "waits@guest.example");
    let tried = wait_for_problem(&server, &workspace, "waits@guest.example");
    let problem = "the mail server does not let us in: 535 5.7.8 that is not [redacted]";
    assert_eq!(tried[..3], ["waiting", "0", problem]);
    set("SMTP_URL", &url);
    wait_until(&server, "still waiting", || mails.mails_to("waits@guest.example").len() == 1);
    wait_for(&server, &workspace, "waits@guest.example", "delivered");
    let listed = end(&mut workspace.command(&["deliveries", "list"])).must_end_with(0).stdout;
    assert!(listed.contains("mail"), "{listed}");
}

#[test]
fn a_mail_is_looked_at_before_it_is_sent() {
    let workspace = Workspace::new();
    fs::create_dir(workspace.path().join("mails")).unwrap();
    fs::write(workspace.path().join("mails/contact_form.yaml"), THANKS).unwrap();
    let said = |words: &[&str]| end(&mut workspace.command(words)).must_end_with(0).stdout;
    let listed = said(&["mail", "list"]);
    for line in [
        "contact_form                 en         /messages                   mails/contact_form.yaml",
        "password_changed             en,de      -                           -",
    ] {
        assert!(listed.contains(line), "{listed}");
    }
    assert_eq!(
        said(&["mail", "preview", "contact_form"]),
        "Danke schön, Ada Lovelace\n\nHello Ada Lovelace,\n\nyou wrote: [message]\n\nLook at it:\nhttps://example.com/messages#token=...\n\nYou wrote to us at https://example.com.\n"
    );
    let german = said(&["mail", "preview", "password_reset", "--language", "de", "--as", "html"]);
    assert!(
        german.starts_with("<!doctype html>\n<html lang=\"de\">") && german.contains("Neues Passwort wählen</a>"),
        "{german}"
    );
    let file = workspace.path().join("preview.html");
    said(&[
        "mail",
        "preview",
        "password_reset",
        "--language",
        "de",
        "--as",
        "html",
        "--output",
        file.to_str().unwrap(),
    ]);
    assert_eq!(fs::read_to_string(file).unwrap(), german);
    for (words, says) in [
        (["mail", "preview", "pasword_reset", "--language", "de"], "did you mean `password_reset`?"),
        (["mail", "preview", "contact_form", "--language", "de"], "is not written in `de`: it is in `en`"),
    ] {
        let refused = end(&mut workspace.command(&words)).must_end_with(1);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}
