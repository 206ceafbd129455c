//! Simulated providers as their own packages see them: `producer simulate` plays one, the vendor's package calls it, and what it
//! takes for the vendor's own is what we have. The packages are of the tests alone; without them this is skipped, loudly.

use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::server::node_modules;
use crate::harness::workspace::{Workspace, end};
use std::fs;
use std::io::Write as _;
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
    // Packages are found from where a script really is.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let script = folder.path().join("script.mjs");
    fs::copy(repository("crates/producer/tests/it/simulators").join(format!("{name}.mjs")), &script).unwrap();
    let mut node = Command::new("node");
    node.arg(script).args([played.told("address"), played.told(credential)]);
    let ended = end(&mut node);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "done\n"), "{}", ended.stderr);
}

#[test]
fn stripes_own_package_takes_it_for_stripe() {
    convinces("stripe", "stripe", "secret_key");
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
