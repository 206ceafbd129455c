//! `cargo xtask browse`: the reference page of both servers in a real browser, which calls the API from it, and the diagrams of databases
//! as Mermaid draws them, and what a page tells a provider once the visitor has agreed. Comes in: Chromium on the path; goes out: what was tried, and pictures in the build output. It is no part of the gate: not
//! every machine has a browser, and what holds without one is tested there.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::repository::Repository;
use crate::test::{install, install_application_packages, program};

const DRIVER: &str = "xtask/src/browse/drive.js";
const TASK: &str = "tests/cases/tasks/products-api.yaml";
const TRACKING: &str = "xtask/src/browse/tracking.js";
const TRACKED: &str = "xtask/src/browse/tracked.yaml";
const DIAGRAMS: &str = "xtask/src/browse/diagrams.js";
/// Databases of few tables, of more and of many.
const DRAWN: [&str; 3] =
    ["tests/cases/tasks/shop-sqlite.yaml", "tests/cases/trades/support_desk.yaml", "tests/cases/trades/shop.yaml"];
/// How many tables the last one has, which no file holds.
const MANY: usize = 80;
const FOLDER: &str = "target/browse";
/// The newest that Node.js 20 runs.
const PACKAGE: &str =
    r#"{ "private": true, "type": "module", "dependencies": { "mermaid": "11.17.2", "puppeteer-core": "24.43.1" } }"#;
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Builds, installs, opens the page.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let Some((browser, version)) = BROWSERS.iter().find_map(|name| program(name)) else {
        return Err(format!("none of {} is on the path", BROWSERS.join(", ")));
    };
    let status = repository.cargo(&["build", "-p", "producer"]).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err("`cargo build -p producer` failed".to_owned());
    }
    let modules = install_application_packages(repository)?;
    let folder = repository.root.join(FOLDER);
    install(&folder, PACKAGE)?;
    println!("{version} ({})", browser.display());
    let pictures = folder.join("pictures");
    let mut command = Command::new("node");
    command
        .arg(beside_packages(repository, &folder, DRIVER)?)
        .arg(repository.root.join("target/debug/producer"))
        .arg(repository.root.join(TASK));
    command.arg(modules).arg(&browser).arg(&pictures);
    let status = command.status().map_err(|error| format!("`node` did not start: {error}"))?;
    if !status.success() {
        return Err("the reference page does not work in a browser".to_owned());
    }
    let mut command = Command::new("node");
    command
        .arg(beside_packages(repository, &folder, TRACKING)?)
        .arg(repository.root.join("target/debug/producer"))
        .arg(repository.root.join(TRACKED))
        .arg(install_application_packages(repository)?)
        .arg(&browser)
        .arg(&pictures);
    let status = command.status().map_err(|error| format!("`node` did not start: {error}"))?;
    if !status.success() {
        return Err("what a page tells a provider is not as it must be".to_owned());
    }
    let mut command = Command::new("node");
    command.arg(beside_packages(repository, &folder, DIAGRAMS)?).arg(repository.root.join("target/debug/producer"));
    command.arg(browser).arg(&pictures).args(drawn(repository, &folder)?).current_dir(&folder);
    let status = command.status().map_err(|error| format!("`node` did not start: {error}"))?;
    if !status.success() {
        return Err("a diagram is not as it must be".to_owned());
    }
    println!("pictures in `{}`", pictures.display());
    Ok(ExitCode::SUCCESS)
}

/// ES modules are resolved from where a file really is.
fn beside_packages(repository: &Repository, folder: &Path, script: &str) -> Result<PathBuf, String> {
    let name = Path::new(script).file_name().unwrap_or_default();
    let copy = folder.join(name);
    std::fs::copy(repository.root.join(script), &copy).map_err(|error| format!("cannot copy `{script}`: {error}"))?;
    Ok(copy)
}

/// The tasks that are drawn. A file is database enough for that.
fn drawn(repository: &Repository, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut tasks = Vec::new();
    for path in DRAWN {
        let text = repository.read(path)?.replace("type: postgresql", "type: sqlite");
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("connection:"));
        tasks.push((path, lines.map(|line| format!("{line}\n")).collect::<String>()));
    }
    let names: Vec<String> = (0..MANY).map(|number| format!("parts_{number:02}")).collect();
    let pairs: Vec<String> = (1..MANY)
        .map(|many| format!("{{ from: {}, to: {}, kind: one_to_many }}", names[(many - 1) / 3], names[many]))
        .collect();
    let many = format!(
        "task_id: many\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    schema_requirements:\n      tables: [{}]\n      relationships: [{}]\n",
        names.join(", "),
        pairs.join(", ")
    );
    tasks.push(("many.yaml", many));
    let write = |(path, text): (&str, String)| {
        let task = folder.join(Path::new(path).file_name().unwrap_or_default());
        std::fs::write(&task, text).map_err(|error| format!("cannot write `{}`: {error}", task.display()))?;
        Ok(task)
    };
    tasks.into_iter().map(write).collect()
}
