//! What is emitted for operators, held against the servers: alerts and dashboard ask for nothing that a server does not count, and the
//! health checks of the images tell a server from none. That Prometheus can read every expression is what `cargo xtask promtool` tries.

use crate::harness::client::{ask, get, post};
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{MESSAGE, Sample, on_both_servers};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// Labels that Prometheus itself adds to what it scrapes.
const ADDED: [&str; 2] = ["job", "instance"];
/// They are counted while something waits.
const OF_BACKLOG: [&str; 2] = ["deliveries", "delivery_oldest_seconds"];
/// The metric that Prometheus itself makes.
const OWN: &str = "up";

type Exposed = BTreeMap<String, BTreeSet<String>>;

/// Alerts and dashboard of integrations, held against what a server counts that has integrations. What is counted of requests is another's.
pub fn expressions_about_integrations_are_answered(server: &Server, workspace: &Workspace) {
    let exposed = told(server);
    let is_of_integrations = |metric: &str| {
        ["sync_", "delivery_"].iter().any(|start| metric.starts_with(start)) && !OF_BACKLOG.contains(&metric)
    };
    let mut found = expressions(workspace);
    let dashboard = fs::read(workspace.application.join("monitoring/integrations-dashboard.json")).unwrap();
    collect(&serde_json::from_slice(&dashboard).unwrap(), &mut found);
    let asked: Vec<_> = found.iter().flat_map(|expression| asked(expression)).collect();
    let asked: Vec<_> = asked.iter().filter(|(metric, _)| is_of_integrations(metric)).collect();
    for metric in ["sync_due_timestamp_seconds", "sync_readings_total", "delivery_attempts_total"] {
        assert!(asked.iter().any(|(name, _)| name == metric), "nobody asks for {metric}: {asked:?}");
    }
    for (metric, labels) in asked {
        let known = exposed.get(metric).unwrap_or_else(|| panic!("{metric} is not counted: {exposed:?}"));
        for label in labels {
            assert!(known.contains(label) || ADDED.contains(&label.as_str()), "`{metric}` has no `{label}`: {known:?}");
        }
    }
}

fn every_expression_asks_for_what_is_counted(kind: Kind) {
    let workspace = Workspace::completed();
    let exposed = exposed(kind, &workspace);
    for name in ["http_requests_total", "rate_limited_total", "outbox_events_total"] {
        assert!(exposed.contains_key(name), "{name} was not counted: {exposed:?}");
    }
    let expressions = expressions(&workspace);
    assert!(expressions.len() >= 12, "{expressions:?}");
    for expression in expressions {
        let asked = asked(&expression);
        assert!(!asked.is_empty(), "no metric in `{expression}`");
        for (metric, labels) in asked {
            let Some(known) = exposed.get(&metric) else {
                assert_eq!(metric, OWN, "`{expression}` asks for a metric that is not counted");
                continue;
            };
            for label in labels {
                let is_known = known.contains(&label) || ADDED.contains(&label.as_str());
                assert!(is_known, "`{expression}` asks for `{label}`, which `{metric}` does not have");
            }
        }
    }
}

on_both_servers!(every_expression_asks_for_what_is_counted);

#[test]
fn the_dashboard_shows_limits_and_events_where_there_are_any() {
    let titles = |sample: Sample| -> Vec<String> {
        let dashboard = dashboard(&Workspace::completed_with(sample));
        let panels = dashboard["panels"].as_array().unwrap();
        panels.iter().map(|panel| panel["title"].as_str().unwrap().to_owned()).collect()
    };
    let shown = [
        "Requests, by route",
        "Requests, by status",
        "Latency",
        "Latency (p95), by route",
        "In flight",
        "Over a limit, by policy",
        "Events, by name",
    ];
    assert_eq!(titles(Sample::ContactNewsletter), shown);
    assert_eq!(titles(Sample::Products), shown);
}

#[test]
fn the_health_check_of_the_native_image_tells_a_server_from_none() {
    let workspace = Workspace::completed();
    let server = Server::start(Kind::Native, &workspace);
    let check = |port: u16| {
        let words = health_check(&workspace, "Dockerfile.native", &[("/8080 ", &format!("/{port} "))]);
        Command::new(&words[0]).args(&words[1..]).output().unwrap().status.success()
    };
    assert!(check(server.address.port()));
    let port = server.address.port();
    server.terminate();
    assert!(server.wait().success());
    assert!(!check(port));
}

#[test]
fn the_health_check_of_the_application_s_image_tells_a_server_from_none() {
    if !Kind::Node.is_here() {
        return;
    }
    let workspace = Workspace::completed();
    let server = Server::start(Kind::Node, &workspace);
    let port = server.address.port().to_string();
    let words = health_check(&workspace, "Dockerfile", &[]);
    assert_eq!(words[0], "node");
    let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let check = || end(node(&workspace, &arguments).env("PORT", &port)).status;
    assert_eq!(check(), Some(0));
    server.terminate();
    assert!(server.wait().success());
    assert_eq!(check(), Some(1));
}

/// The command in a file's `HEALTHCHECK`, with some of its text replaced.
fn health_check(workspace: &Workspace, file: &str, replaced: &[(&str, &str)]) -> Vec<String> {
    let text = fs::read_to_string(workspace.application.join(file)).unwrap();
    let (_, check) = text.split_once("HEALTHCHECK").unwrap();
    let line = check.lines().find_map(|line| line.trim().strip_prefix("CMD ")).unwrap();
    let line = replaced.iter().fold(line.to_owned(), |line, (from, to)| {
        assert!(line.contains(from), "no `{from}` in {line}");
        line.replace(from, to)
    });
    serde_json::from_str(&line).unwrap()
}

/// What a server counts once everything has happened that it counts, with the labels.
fn exposed(kind: Kind, workspace: &Workspace) -> Exposed {
    let key = workspace.create_key();
    let server = Server::start(kind, workspace);
    let send = || ask(server.address, &post("/api/contact", Some(&key), MESSAGE), "").unwrap().status;
    assert!((0..101).any(|_| send() == 429));
    told(&server)
}

fn told(server: &Server) -> Exposed {
    let metrics = ask(server.address, &get("/metrics"), "").unwrap();
    let text = String::from_utf8(metrics.body).unwrap();
    let mut exposed = Exposed::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name: String = line.chars().take_while(|letter| is_of_name(*letter)).collect();
        let labels = line[name.len()..].strip_prefix('{').map(labels).unwrap_or_default();
        exposed.entry(name).or_default().extend(labels);
    }
    exposed
}

fn expressions(workspace: &Workspace) -> Vec<String> {
    let alerts = fs::read_to_string(workspace.application.join("monitoring/alerts.yaml")).unwrap();
    let mut found = Vec::new();
    collect(&serde_saphyr::from_str(&alerts).unwrap(), &mut found);
    collect(&dashboard(workspace), &mut found);
    found
}

fn dashboard(workspace: &Workspace) -> Json {
    serde_json::from_slice(&fs::read(workspace.application.join("monitoring/grafana-dashboard.json")).unwrap()).unwrap()
}

/// Every text under the key `expr`.
fn collect(document: &Json, found: &mut Vec<String>) {
    match document {
        Json::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Json::Object(fields) => {
            found.extend(fields.get("expr").and_then(Json::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, found));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The metrics of an expression with the labels that it asks of them: those between braces, and of all metrics those after `by`.
fn asked(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let grouped = expression.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
    let grouped: BTreeSet<String> =
        grouped.flat_map(|list| list.split(',')).map(|label| label.trim().to_owned()).collect();
    let selectors = expression.match_indices('{').map(|(brace, _)| {
        let before = &expression[..brace];
        let start = before.rfind(|letter| !is_of_name(letter)).map_or(0, |index| index + 1);
        let mut wanted: BTreeSet<String> = labels(&expression[brace + 1..]).into_iter().collect();
        wanted.extend(grouped.clone());
        (before[start..].to_owned(), wanted)
    });
    selectors.collect()
}

/// The labels up to the brace that closes; a value may hold anything but a quote.
fn labels(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 0 {
            if part.starts_with('}') {
                break;
            }
            found.push(part.trim_matches(|letter| !is_of_name(letter)).to_owned());
        }
    }
    found
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}
