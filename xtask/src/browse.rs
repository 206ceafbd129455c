//! `cargo xtask browse`: the reference page of both servers in a real browser, which calls the API from it.
//! Comes in: Chromium on the path; goes out: what was tried, and pictures in the build output. It is no part of the gate: not
//! every machine has a browser, and what holds without one is tested there.

use std::process::{Command, ExitCode};

use crate::repository::Repository;
use crate::test::{install, install_application_packages, program};

const DRIVER: &str = "xtask/src/browse/drive.js";
const TASK: &str = "tests/cases/tasks/products-api.yaml";
const FOLDER: &str = "target/browse";
/// The newest that Node.js 20 runs.
const PACKAGE: &str = r#"{ "private": true, "type": "module", "dependencies": { "puppeteer-core": "24.43.1" } }"#;
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
    // Beside its packages: ES modules are resolved from where a file really is.
    let driver = folder.join("drive.js");
    std::fs::copy(repository.root.join(DRIVER), &driver).map_err(|error| format!("cannot copy `{DRIVER}`: {error}"))?;
    println!("{version} ({})", browser.display());
    let pictures = folder.join("pictures");
    let mut command = Command::new("node");
    command.arg(driver).arg(repository.root.join("target/debug/producer")).arg(repository.root.join(TASK));
    command.arg(modules).arg(browser).arg(&pictures);
    let status = command.status().map_err(|error| format!("`node` did not start: {error}"))?;
    if !status.success() {
        return Err("the reference page does not work in a browser".to_owned());
    }
    println!("pictures in `{}`", pictures.display());
    Ok(ExitCode::SUCCESS)
}
