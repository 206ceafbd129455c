//! `cargo xtask promtool`: what is emitted for Prometheus and Grafana, read by Prometheus' own tool. Comes in: `promtool` on the path and
//! the golden files, and what the binary emits for a task with an integration; goes out: what it says. It is no part of the gate: not every machine has the tool, and npm has no package of it.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::{Value, json};

use crate::repository::Repository;
use crate::test::program;

const GOLDEN: &str = "tests/cases/golden";
/// The sample whose alerts are rung.
const RUNG: &str = "contact-newsletter";
const ALERTS_TEST: &str = "xtask/src/promtool/alerts.test.yaml";
/// The sample whose alerts of backups are rung.
const RUNG_BACKUPS: &str = "backups";
const BACKUPS_TEST: &str = "xtask/src/promtool/backup-alerts.test.yaml";
const FOLDER: &str = "target/promtool";
/// A task whose files have every rule and panel about integrations, where those of an API are, and how its alerts are rung.
const INTEGRATED: &str = "xtask/src/promtool/crm.yaml";
const INTEGRATED_FILES: &str = "output/integration/task_people/monitoring";
const INTEGRATED_TEST: &str = "xtask/src/promtool/crm.test.yaml";

/// Reads configuration, rules and the dashboards' expressions of each sample, and rings the alerts of one.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let Some((_, version)) = program("promtool") else {
        return Err("no `promtool` on the path: Debian has it in the package `prometheus`".to_owned());
    };
    println!("{}", version.lines().next().unwrap_or_default());
    let folder = repository.root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    for sample in repository.folders(GOLDEN)? {
        let monitoring = format!("{GOLDEN}/{sample}/files/monitoring");
        let path = repository.root.join(&monitoring);
        if path.join("prometheus.yaml").exists() {
            promtool(&["check", "config", "prometheus.yaml"], &path)?;
        }
        if path.join("backup-alerts.yaml").exists() {
            promtool(&["check", "rules", "backup-alerts.yaml"], &path)?;
        }
        for dashboard in ["grafana-dashboard", "backup-dashboard"] {
            let file = format!("{monitoring}/{dashboard}.json");
            if repository.root.join(&file).exists() {
                check_dashboard(&repository.read(&file)?, &format!("{sample}-{dashboard}"), &folder)?;
            }
        }
    }
    for (sample, alerts, test) in
        [(RUNG, "alerts.yaml", ALERTS_TEST), (RUNG_BACKUPS, "backup-alerts.yaml", BACKUPS_TEST)]
    {
        write(&folder.join(alerts), &repository.read(&format!("{GOLDEN}/{sample}/files/monitoring/{alerts}"))?)?;
        write(&folder.join(format!("of-{alerts}")), &repository.read(test)?)?;
        promtool(&["test", "rules", &format!("of-{alerts}")], &folder)?;
    }
    integrated(repository, &folder)?;
    Ok(ExitCode::SUCCESS)
}

/// The same of an API with an integration, which no golden file has.
fn integrated(repository: &Repository, folder: &Path) -> Result<(), String> {
    let status = repository.cargo(&["build", "--workspace"]).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("`cargo build --workspace` failed".to_owned());
    }
    let workspace = folder.join("crm");
    // What an earlier run has left may be another plan.
    let _ = fs::remove_dir_all(&workspace);
    fs::create_dir_all(&workspace).map_err(|error| format!("cannot make `{}`: {error}", workspace.display()))?;
    let mut run = Command::new(repository.root.join("target/debug/producer"));
    run.args(["run", "--sandbox"]).arg(repository.root.join(INTEGRATED)).current_dir(&workspace);
    let ended = run.stdin(Stdio::null()).stdout(Stdio::null()).status();
    if !ended.is_ok_and(|status| status.success()) {
        return Err(format!("`producer run --sandbox {INTEGRATED}` failed"));
    }
    let monitoring = workspace.join(INTEGRATED_FILES);
    let read = |file: &str| {
        let path = monitoring.join(file);
        fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    };
    promtool(&["check", "config", "prometheus.yaml"], &monitoring)?;
    check_dashboard(&read("grafana-dashboard.json")?, "crm-dashboard", folder)?;
    check_dashboard(&read("integrations-dashboard.json")?, "crm-integrations-dashboard", folder)?;
    write(&folder.join("crm-alerts.yaml"), &read("alerts.yaml")?)?;
    write(&folder.join("crm.test.yaml"), &repository.read(INTEGRATED_TEST)?)?;
    promtool(&["test", "rules", "crm.test.yaml"], folder)
}

fn check_dashboard(dashboard: &str, name: &str, folder: &Path) -> Result<(), String> {
    let file = format!("{name}.yaml");
    write(&folder.join(&file), &recording_rules(dashboard)?)?;
    promtool(&["check", "rules", &file], folder)
}

/// The expressions of a dashboard as rules, for `promtool` reads no dashboards. JSON is YAML.
fn recording_rules(dashboard: &str) -> Result<String, String> {
    let dashboard: Value =
        serde_json::from_str(dashboard).map_err(|error| format!("a dashboard is not JSON: {error}"))?;
    let targets = dashboard["panels"].as_array().into_iter().flatten();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<&str> = targets.filter_map(|target| target["expr"].as_str()).collect();
    if expressions.is_empty() {
        return Err("a dashboard has no expressions".to_owned());
    }
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        // Grafana fills these in.
        .map(|(number, expression)| (number, expression.replace("$__rate_interval", "1m").replace("$route", ".+")))
        .map(|(number, expression)| json!({ "record": format!("expression_{number}"), "expr": expression }))
        .collect();
    Ok(json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())
}

fn promtool(words: &[&str], folder: &Path) -> Result<(), String> {
    let status = Command::new("promtool").args(words).current_dir(folder).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`promtool {}` found something in `{}`", words.join(" "), folder.display())),
        Err(error) => Err(format!("`promtool` did not start: {error}")),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
