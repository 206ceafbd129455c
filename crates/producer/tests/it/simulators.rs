//! Simulated providers as their own packages see them: `producer simulate` plays one, the vendor's package calls it, and what it
//! takes for the vendor's own is what we have. The packages are of the tests alone; without them this is skipped, loudly.

use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::server::node_modules;
use crate::harness::workspace::{Workspace, end};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Runs a script of the vendor's package against the provider; it must say that it is done.
fn convinces(name: &str, package: &str, credential: &str) {
    let Some(modules) = node_modules().filter(|modules| modules.join(package).is_dir()) else {
        let line = format!("SKIPPED the simulator of `{name}`: NODE_MODULES names no folder with `{package}`\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let workspace = Workspace::new();
    let played = Played::start(&workspace, name, &["--seed", "7"]);
    passes(&modules, name, &[played.told("address"), played.told(credential)]);
}

/// Runs a script of a package with what it is told; it must say that it is done.
fn passes(modules: &Path, name: &str, told: &[&str]) {
    // Packages are found from where a script really is.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let script = folder.path().join("script.mjs");
    fs::copy(repository("crates/producer/tests/it/simulators").join(format!("{name}.mjs")), &script).unwrap();
    let mut node = Command::new("node");
    node.arg(script).args(told);
    let ended = end(&mut node);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "done\n"), "{}", ended.stderr);
}

#[test]
fn stripes_own_package_takes_it_for_stripe() {
    convinces("stripe", "stripe", "secret_key");
}

#[test]
fn hubspots_own_package_takes_it_for_hubspot() {
    convinces("hubspot", "@hubspot/api-client", "access_token");
}

#[test]
fn mailchimps_own_package_takes_it_for_mailchimp() {
    convinces("mailchimp", "@mailchimp/mailchimp_marketing", "api_key");
}

/// A provider whose tokens come of somebody's agreement.
const AGREED: [(&str, &str); 4] = [
    (
        "provider.yaml",
        r#"provider: agreed
title: Agreed
about: lets in who was agreed to
service_types: [crm]
specification: { kind: standard, source: "RFC 6749", version: "2012", read_on: "2026-11-26" }
values: { version: v1 }
credentials:
  client_id: { title: Client id, secret: false, find: "Settings", form: { min_length: 8, characters: word } }
  client_secret: { title: Client secret, secret: true, find: "Settings", form: { min_length: 8, characters: word } }
hosts: { api: { live: "https://api.agreed.example" } }
authentication:
  consent:
    oauth2:
      grant: authorization_code
      token_url: "https://login.agreed.example/oauth/${value.version}/token"
      authorize_url: "https://login.agreed.example/oauth/authorize"
      client: basic
      client_id: "${credential.client_id}"
      client_secret: "${credential.client_secret}"
      scopes: [read, write]
      pkce: required
      token: { expires_in: /expires_in, refresh_token: /refresh_token }
      renew: { before_seconds: 60, on_status: [401], rotates: true, repeated: refused }
test_system: none
check: { operation: get_me }
errors: { code: /error, message: /message, rules: [{ when: { status: [401] }, means: authentication }], otherwise: permanent }
rates: { all: { limit: 100, per_seconds: 1 } }
wait: { most_seconds: 60 }
drift: { unseen: it has no version }
"#,
    ),
    (
        "operations.yaml",
        "get_me:\n  does: tells whose token it is\n  effect: read\n  request: { http: { method: GET, path: \"/v1/me\" } }\n  answer: { name: { at: /name, type: text, privacy: plain, required: true } }\nput_person:\n  does: keeps somebody\n  effect: write\n  input: { email: { type: email, privacy: personal, required: true } }\n  request: { http: { method: POST, path: \"/v1/people\", headers: { Idempotency-Key: \"${delivery.key}\" }, body: { json: { email: \"${input.email}\" } } } }\n  answer: { id: { at: /id, type: text, privacy: plain, required: true } }\n  idempotency: { key: { max_length: 64, kept_hours: 24 } }\n  if_reply_is_lost: repeat\n",
    ),
    (
        "points.yaml",
        "points:\n  user_registration:\n    calls:\n      takes: { email: { type: email, privacy: personal, required: true } }\n      in_order_of: \"${event.email}\"\n      steps: [{ operation: put_person, input: { email: \"${event.email}\" } }]\n",
    ),
    (
        "simulator.yaml",
        r#"objects: { person: { id_starts_with: p_, id_length: 8, holds: { id: "${made.id}", email: "${body/email}" } } }
routes:
  - { method: GET, path: /v1/me, does: { answers: { name: Ada } } }
  - { method: POST, path: /v1/people, does: { makes: person } }
refusals:
  unauthorized: { status: 401, body: { error: unauthorized } }
  not_found: { status: 404, body: { error: not_found } }
  invalid: { status: 400, body: { error: invalid } }
  rate_limited: { status: 429, body: { error: rate_limited } }
  server_error: { status: 500, body: { error: server_error } }
  key_reused: { status: 409, body: { error: key_reused } }
faults: [rate_limit]
"#,
    ),
];

/// A workspace that describes it. Its tokens are renewed so long before they end.
pub fn with_agreed(renewed_before_seconds: u32) -> Workspace {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/agreed");
    fs::create_dir_all(&folder).unwrap();
    for (name, content) in AGREED {
        let renewed = format!("before_seconds: {renewed_before_seconds}");
        fs::write(folder.join(name), content.replace("before_seconds: 60", &renewed)).unwrap();
    }
    end(&mut workspace.command(&["providers", "lint"])).must_end_with(0);
    workspace
}

/// The same, and it, played.
pub fn agreed() -> (Workspace, Played) {
    let workspace = with_agreed(60);
    let played = Played::start(&workspace, "agreed", &["--seed", "7"]);
    (workspace, played)
}

/// A client of OAuth 2.0 that is not ours does everything that a manifest's way has.
#[test]
fn a_client_that_knows_nothing_of_us_is_agreed_to_at_a_provider_that_is_played() {
    const PACKAGE: &str = "oauth4webapi";
    let Some(modules) = node_modules().filter(|modules| modules.join(PACKAGE).is_dir()) else {
        let line = format!("SKIPPED tokens of a simulator: NODE_MODULES names no folder with `{PACKAGE}`\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let (_workspace, played) = agreed();
    passes(&modules, "agreed", &[played.told("address"), played.told("client_id"), played.told("client_secret")]);
}

#[test]
fn the_same_seed_prints_the_same_key_and_what_cannot_be_played_is_refused() {
    let workspace = Workspace::new();
    let key = |seed: &str| Played::start(&workspace, "stripe", &["--seed", seed]).told("secret_key").to_owned();
    assert_eq!(key("7"), key("7"));
    assert_ne!(key("7"), key("8"));
    let told = |arguments: &[&str]| end(&mut workspace.command(arguments)).must_end_with(1).stderr;
    assert!(told(&["simulate", "strip"]).contains("did you mean `stripe`?"));
    let not_built = told(&["simulate", "twilio"]);
    assert!(not_built.contains("no manifest of it yet"), "{not_built}");
    let storm = told(&["simulate", "stripe", "--listen", "127.0.0.1:0", "--fault", "storm"]);
    assert!(storm.contains("`--fault`: `storm` is no fault of this provider: it has `rate_limit`"), "{storm}");
}
