//! The emitted Node.js application beside a provider that is played: what `producer serve` does with a service it does too, on the same tables,
//! alone or at the same time.

use super::{MEMBERS, SHOP, SIGNING, call, integrate, member, order, rows, session, shop_with, with_stripe, write};
use crate::harness::client::{ask, get};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end, end_with_input};
use catalog::{Catalog, ProviderFolder};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The folder of the application that speaks with Stripe.
const APPLICATION: &str = "output/integration/task_integration_2025_003";

/// What starts the application of a folder over a database of the workspace.
fn application(workspace: &mut Workspace, folder: &str, database: &str) -> Command {
    workspace.application = workspace.path().join(folder);
    let mut command = Server::command(Kind::Node, workspace);
    let file = workspace.path().join(".producer/data").join(database);
    command.env("DATABASE_URL", format!("file:{}", file.display()));
    command
}

/// The same with the account at Stripe that is played.
fn with_account(workspace: &mut Workspace, played: &Played, database: &str) -> Command {
    let mut command = application(workspace, APPLICATION, database);
    command
        .env("STRIPE_SECRET_KEY", played.told("secret_key"))
        .env("STRIPE_API_BASE", played.told("address"))
        .env("STRIPE_WEBHOOK_SECRET", SIGNING);
    command
}

fn wait_until(server: &Server, what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn effects(played: &Played) -> Value {
    let stripe = played.told("address").trim_start_matches("http://").parse().unwrap();
    serde_json::from_slice(&ask(stripe, &get("/_simulator/effects"), "").unwrap().body).unwrap()
}

/// An API that tells of members, and a Stripe that is told of them.
fn members(more: &str) -> (Workspace, Played) {
    let (workspace, played) = with_stripe(&[]);
    workspace.run_text(&MEMBERS.replace("type: rest", &format!("type: rest{more}"))).must_end_with(0);
    integrate(&workspace, &[]).must_end_with(0);
    (workspace, played)
}

const MANY: &str = "\n    rate_limiting: 100000_requests_per_minute";

/// A provider's folder, wherever it is kept.
fn folder(path: &str) -> ProviderFolder {
    let path = repository(path);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = std::fs::read_dir(&path).unwrap().map(|entry| {
        let file = entry.unwrap().path();
        (file.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(file).unwrap())
    });
    ProviderFolder { name, path: path.display().to_string(), files: files.collect() }
}

/// What a task that asks for every point of a provider, and changes nothing else, is emitted as.
fn emitted(provider: &ProviderFolder) -> emit::Files {
    emit::files(&planned(provider, "task"), &[]).unwrap()
}

fn planned(provider: &ProviderFolder, task_id: &str) -> plan::Plan {
    let manifest = provider.read().unwrap();
    let mut points: Vec<&str> = manifest.points.points.names();
    // A task asks for something.
    if points.is_empty() {
        points.push("checkout");
    }
    let kind = manifest.provider.service_types[0].as_str();
    let text = format!(
        "task_id: {task_id}\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: {kind}\n    provider: {}\n    integration_points: [{}]\n",
        provider.name,
        points.join(", ")
    );
    let parsed = spec::parse("task.yaml", &text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    let catalog = Catalog::built_in().unwrap().with_provider(manifest);
    let observed = plan::Observed::default();
    let task_id = vocab::TaskId::parse(task_id).unwrap();
    planner::plan(&parsed.tasks[0], &task_id, &catalog, &observed).unwrap().into_api().unwrap()
}

/// Two accounts of one provider on one database: each has its files.
#[test]
fn services_of_one_provider_have_modules_of_their_own() {
    let provider = folder("crates/catalog/providers/hubspot");
    let (own, other) = (planned(&provider, "own"), planned(&provider, "other"));
    let files = emit::files(&own, &[&emit::Beside::of(&other).unwrap()]).unwrap();
    for (path, task) in [("hubspot-integration.js", "own"), ("hubspot-other-integration.js", "other")] {
        assert!(files[&format!("services/{path}")].contains(&format!("name: '{task}'")), "{path}");
        assert!(files["application.js"].contains(&format!("from './services/{path}'")), "{}", files["application.js"]);
    }
    assert!(files.contains_key("documentation/hubspot-other-integration-guide.md"));
}

/// An application in the workspace's folder for it.
fn written(provider: &ProviderFolder) -> Option<Workspace> {
    let mut workspace = Workspace::new();
    workspace.application = workspace.path().join("application");
    let files = emitted(provider);
    let guide = &files["documentation/integration-guide.md"];
    if !files.contains_key(&format!("services/{}-integration.js", provider.name)) {
        assert!(guide.contains("`producer serve` does. The Node.js application does not: it cannot "), "{guide}");
        return None;
    }
    assert!(guide.contains("or the Node.js application in this folder"), "{guide}");
    // What the environment has to say reaches a container as well.
    let settings = files[".env.example"].lines().filter_map(|line| line.strip_suffix('='));
    for name in settings.filter(|name| !name.starts_with('#')) {
        assert!(files["compose.yaml"].contains(&format!("{name}: ${{{name}:-}}")), "{name}");
    }
    for (path, text) in files {
        let file = workspace.application.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/integrations/cases.js");
    std::fs::copy(script, workspace.application.join("cases.mjs")).unwrap();
    Some(workspace)
}

/// The module's requests are byte for byte those that somebody else than the manifest says: the vendors' own packages.
#[test]
fn requests_are_those_of_the_cases() {
    if !Kind::Node.is_here() {
        return;
    }
    // Nothing that the application does asks how a payment stands, begins a subscription without a page, or makes a billing page.
    let providers = [
        (
            "crates/catalog/providers/stripe",
            30,
            json!(["get_checkout_session", "create_subscription", "create_portal_session"]),
        ),
        ("crates/catalog/providers/hubspot", 11, json!([])),
        ("crates/catalog/providers/mailchimp", 5, json!([])),
        ("crates/catalog/providers/google_analytics", 6, json!([])),
        ("crates/catalog/tests/manifests/twilio", 3, json!(["start_verification"])),
        ("crates/producer/tests/it/integrations/acme", 4, json!([])),
    ];
    for (path, least, unknown) in providers {
        let provider = folder(path);
        let workspace = written(&provider).unwrap();
        let cases = &provider.files.iter().find(|(name, _)| name == "cases.yaml").unwrap().1;
        let cases: Value = serde_saphyr::from_str(cases).unwrap();
        let mut command = node(&workspace, &["cases.mjs", &provider.name]);
        let ended = end_with_input(&mut command, &cases.to_string()).must_end_with(0);
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((&told["differences"], &told["unknown"]), (&json!([]), &unknown), "{path}");
        assert!(told["compared"].as_u64().unwrap() >= least, "{told}");
    }
}

/// Providers that are as different as they come have a module that can be loaded, or it is said what the application cannot do.
#[test]
fn every_provider_has_a_module_or_a_reason() {
    if !Kind::Node.is_here() {
        return;
    }
    let mut with_module = Vec::new();
    for entry in std::fs::read_dir(repository("crates/catalog/tests/manifests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(workspace) = written(&folder(&format!("crates/catalog/tests/manifests/{name}"))) else { continue };
        let loads = format!("await import('./services/{name}-integration.js'); await import('./application.js');");
        end(&mut node(&workspace, &["--input-type=module", "--eval", &loads])).must_end_with(0);
        with_module.push(name);
    }
    with_module.sort();
    assert_eq!(with_module, ["auth0", "authorize_net", "github", "hotjar", "paypal", "salesforce", "twilio"]);
}

#[test]
fn what_happens_here_is_done_at_the_provider() {
    if !Kind::Node.is_here() {
        return;
    }
    let (mut workspace, played) = members("");
    let api = Server::of(&mut application(&mut workspace, "output/integration/task_members", "embedded.sqlite"));
    let server = Server::of(&mut with_account(&mut workspace, &played, "embedded.sqlite"));
    for number in 0..5 {
        assert_eq!(ask(api.address, &member(number), "").unwrap().status, 201);
    }
    let states = || workspace.query("SELECT state, count(*) FROM outbox_deliveries GROUP BY state");
    wait_until(&server, "nothing is delivered", || states() == [["delivered", "5"]]);
    let done = effects(&played);
    assert_eq!((&done["total"], &done["most_of_one_key"]), (&5.into(), &1.into()), "{done}");
    let remembered = workspace.query("SELECT name, value FROM outbox_remembered");
    assert_eq!(remembered.len(), 5);
    assert!(remembered.iter().all(|row| row[0] == "customer" && row[1].contains("cus_")), "{remembered:?}");
    let records = workspace.query("SELECT record FROM outbox_attempts");
    assert_eq!(records.len(), 5);
    for record in records {
        assert!(record[0].contains("/v1/customers") && record[0].contains("[redacted]"), "{}", record[0]);
        assert!(!record[0].contains("example.com") && !record[0].contains(played.told("secret_key")), "{}", record[0]);
    }
    let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
    let counted = "delivery_attempts_total{integration=\"integration_2025_003\",outcome=\"delivered\"} 5\n";
    assert!(metrics.contains(counted) && metrics.contains("delivery_breaker_open{"), "{metrics}");
    // What the application did the command of the native server reads.
    let listed = end(&mut workspace.command(&["deliveries", "list", "--format", "json"])).must_end_with(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let shown =
        end(&mut workspace.command(&["deliveries", "show", listed[0]["id"].as_str().unwrap()])).must_end_with(0);
    assert!(shown.stdout.contains("/v1/customers"), "{}", shown.stdout);
}

#[test]
fn what_a_provider_tells_is_kept_once_and_changes_the_order() {
    if !Kind::Node.is_here() {
        return;
    }
    let (mut workspace, played) = shop_with();
    let server = Server::of(&mut with_account(&mut workspace, &played, "development_db.sqlite"));
    let (first, second) = ("019c0f3e-7b1a-7c3d-8e5f-000000000001", "019c0f3e-7b1a-7c3d-8e5f-000000000002");
    let user = "019c0f3e-7b1a-7c3d-8e5f-00000000000a";
    write(&workspace, format!("INSERT INTO users (id, email, name) VALUES ('{user}', 'ada@example.com', 'Ada')"));
    for id in [first, second] {
        write(&workspace, format!("INSERT INTO orders (id, user_id, total) VALUES ('{id}', '{user}', 1999)"));
    }
    let tell = |request| ask(server.address, &request, "").unwrap().status;
    let paid = session("evt_1", "checkout.session.completed", first);
    assert_eq!(tell(call(&paid, "whsec_of_somebody_else")), 401);
    assert_eq!(order(&workspace, first), "pending", "a stranger changes nothing");
    for _ in 0..3 {
        assert_eq!(tell(call(&paid, SIGNING)), 200);
    }
    assert_eq!(order(&workspace, first), "paid");
    let outbox = rows(&workspace, "SELECT name, payload FROM outbox_events");
    assert_eq!(outbox.len(), 1, "once, however often it is told");
    assert!(outbox[0][1].contains(r#""amount":"19.99""#) && outbox[0][1].contains(first), "{}", outbox[0][1]);
    assert_eq!(rows(&workspace, "SELECT name, value FROM outbox_remembered"), [["payment", "\"pi_1\""]]);
    let refund = format!(
        r#"{{"id":"evt_2","object":"event","type":"charge.refunded","created":1700000001,"data":{{"object":{{"refunded":true,"amount_refunded":1999,"currency":"usd","metadata":{{"order_id":"{second}"}}}}}}}}"#
    );
    assert_eq!(tell(call(&refund, SIGNING)), 200);
    assert_eq!(tell(call(&session("evt_3", "checkout.session.completed", second), SIGNING)), 200);
    assert_eq!(order(&workspace, second), "refunded");
    assert_eq!(tell(call(&session("evt_4", "invoice.of_tomorrow", first), SIGNING)), 200);
    let aside = rows(&workspace, "SELECT kind, body FROM inbox_events WHERE body IS NOT NULL");
    assert_eq!((aside.len(), aside[0][0].as_str()), (1, "invoice.of_tomorrow"));
    assert_eq!(tell(call("{", SIGNING)), 400);
    assert_eq!(tell(crate::harness::client::post("/webhooks/stripe", None, "{}")), 401);
    assert!(!server.log().contains(SIGNING) && server.log().contains("the signature is wrong"), "{}", server.log());
    // The native server knows what was told to the application.
    drop(server);
    let native = Server::start(Kind::Native, &workspace);
    assert_eq!(ask(native.address, &call(&paid, SIGNING), "").unwrap().status, 200);
    assert_eq!(rows(&workspace, "SELECT count(*) FROM inbox_events"), [["4"]]);
}

/// Without its key the application says what is missing and goes on; events wait, and are brought when the key is there.
#[test]
fn without_a_key_events_wait_and_the_log_says_so() {
    if !Kind::Node.is_here() {
        return;
    }
    let (mut workspace, played) = members("");
    let api = Server::of(&mut application(&mut workspace, "output/integration/task_members", "embedded.sqlite"));
    let mut without = application(&mut workspace, APPLICATION, "embedded.sqlite");
    let server = Server::of(without.env_remove("STRIPE_SECRET_KEY").env("STRIPE_API_BASE", "http://192.0.2.1:80"));
    assert_eq!(ask(api.address, &member(1), "").unwrap().status, 201);
    assert_eq!(ask(server.address, &get("/readyz"), "").unwrap().status, 200);
    std::thread::sleep(Duration::from_millis(1500));
    let log = server.log();
    for part in ["nothing is brought to Stripe", "`STRIPE_SECRET_KEY` is not set", "`http://127.0.0.1:PORT`"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert_eq!(
        workspace.query("SELECT name FROM outbox_events WHERE dispatched_at IS NULL ORDER BY name"),
        [["member_created"], ["user_registration"]]
    );
    drop(server);
    let server = Server::of(&mut with_account(&mut workspace, &played, "embedded.sqlite"));
    wait_until(&server, "what waited is not brought", || {
        workspace.query("SELECT state FROM outbox_deliveries") == [["delivered"]]
    });
}

/// The application is killed again and again while events come in, and the native server works beside it: whatever was committed is done at
/// the provider, and each of it once.
#[test]
fn killed_or_beside_the_native_server_it_loses_nothing_and_doubles_nothing() {
    if !Kind::Node.is_here() {
        return;
    }
    let (mut workspace, played) = members(MANY);
    let native = Server::start(Kind::Native, &workspace);
    let (mut number, mut accepted) = (0, 0);
    for alive_ms in [400, 900, 1500] {
        let server = Server::of(&mut with_account(&mut workspace, &played, "embedded.sqlite"));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(alive_ms) {
            number += 1;
            accepted += u32::from(ask(native.address, &member(number), "").is_ok_and(|answer| answer.status == 201));
            std::thread::sleep(Duration::from_millis(10));
        }
        // `kill -9`.
        drop(server);
    }
    assert!(accepted > 50, "{accepted}");
    // What the native server leaves the application finishes.
    drop(native);
    let server = Server::of(&mut with_account(&mut workspace, &played, "embedded.sqlite"));
    let one = |statement: &str| workspace.query(statement)[0][0].parse::<u32>().unwrap();
    let begun = Instant::now();
    loop {
        let waits = one("SELECT count(*) FROM outbox_events WHERE dispatched_at IS NULL")
            + one("SELECT count(*) FROM outbox_deliveries WHERE state <> 'delivered'");
        if waits == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{waits} wait: {}", server.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let delivered = one("SELECT count(*) FROM outbox_deliveries");
    assert_eq!(delivered, one("SELECT count(*) FROM members"));
    assert!(delivered >= accepted);
    let done = effects(&played);
    assert_eq!((&done["total"], &done["most_of_one_key"]), (&delivered.into(), &1.into()), "{done}");
}

/// Whoever is stopped finishes what is under way and leaves nothing leased.
#[test]
fn who_is_stopped_gives_back_what_it_has() {
    if !Kind::Node.is_here() {
        return;
    }
    let (mut workspace, played) = members(MANY);
    let api = Server::of(&mut application(&mut workspace, "output/integration/task_members", "embedded.sqlite"));
    for number in 0..60 {
        assert_eq!(ask(api.address, &member(number), "").unwrap().status, 201);
    }
    let server = Server::of(&mut with_account(&mut workspace, &played, "embedded.sqlite"));
    wait_until(&server, "nothing is begun", || workspace.count("outbox_deliveries") > 0);
    server.terminate();
    assert!(server.wait().success());
    let working = "SELECT count(*) FROM outbox_deliveries WHERE state = 'working' OR lease IS NOT NULL OR in_doubt";
    assert_eq!(workspace.query(working), [["0"]]);
    let done = effects(&played)["total"].as_u64().unwrap();
    assert_eq!(
        workspace.query("SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered'"),
        [[done.to_string()]]
    );
}

/// The whole loop on a server of a database: what is told there is brought, what is told here changes the order.
#[test]
fn it_does_so_on_every_engine() {
    if !Kind::Node.is_here() {
        return;
    }
    for engine in [vocab::Engine::PostgreSql, vocab::Engine::MySql] {
        let Some(schema) = Schema::empty(engine, "the Node.js application with a service") else { continue };
        let (mut workspace, played) = with_stripe(&[]);
        workspace.url = Some(schema.url());
        let place = format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\"\n");
        workspace.run_text(&SHOP.replace("type: sqlite\n", &place)).must_end_with(0);
        workspace.run_text(MEMBERS).must_end_with(0);
        end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE_WEBHOOK_SECRET"]), SIGNING).must_end_with(0);
        integrate(&workspace, &[]).must_end_with(0);
        let start = |workspace: &mut Workspace, folder: &str| {
            workspace.application = workspace.path().join(folder);
            let mut command = Server::command(Kind::Node, workspace);
            command
                .env("STRIPE_SECRET_KEY", played.told("secret_key"))
                .env("STRIPE_API_BASE", played.told("address"))
                .env("STRIPE_WEBHOOK_SECRET", SIGNING);
            Server::of(&mut command)
        };
        let api = start(&mut workspace, "output/integration/task_members");
        let server = start(&mut workspace, APPLICATION);
        let native = Server::start(Kind::Native, &workspace);
        for number in 0..20 {
            assert_eq!(ask(api.address, &member(number), "").unwrap().status, 201);
        }
        let delivered = "SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered'";
        wait_until(&server, "not everything is delivered", || workspace.query(delivered) == [["20"]]);
        let done = effects(&played);
        assert_eq!((&done["total"], &done["most_of_one_key"]), (&20.into(), &1.into()), "{engine}: {done}");
        drop(native);
        let (id, user) = ("019c0f3e-7b1a-7c3d-8e5f-000000000001", "019c0f3e-7b1a-7c3d-8e5f-00000000000a");
        workspace.query(&format!("INSERT INTO users (id, email, name) VALUES ('{user}', 'ada@example.com', 'Ada')"));
        workspace.query(&format!("INSERT INTO orders (id, user_id, total) VALUES ('{id}', '{user}', 1999)"));
        let paid = session("evt_1", "checkout.session.completed", id);
        for _ in 0..2 {
            assert_eq!(ask(server.address, &call(&paid, SIGNING), "").unwrap().status, 200, "{}", server.log());
        }
        assert_eq!(workspace.query(&format!("SELECT status FROM orders WHERE id = '{id}'")), [["paid"]], "{engine}");
        let kept = workspace.query("SELECT count(*) FROM outbox_remembered WHERE name = 'payment'");
        assert_eq!(kept, [["1"]], "{engine}");
    }
}
