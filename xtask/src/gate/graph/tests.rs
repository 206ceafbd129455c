//! The fence lets the architecture through and nothing else.

use super::{Dependency, Kind, Package, Purpose, ROOMS, Sees, room, strayed, wrong_edges};

/// One package, with `name`, `dev:name` or `build:name` for ours and `extern:name` for others.
fn package(name: &str, dependencies: &[&str]) -> Package {
    let dependency = |written: &&str| {
        let (word, name) = written.split_once(':').unwrap_or(("", written));
        let purpose = match word {
            "dev" => Purpose::Development,
            "build" => Purpose::Build,
            _ => Purpose::Normal,
        };
        Dependency { name: name.to_owned(), purpose, ours: word != "extern", place: "Cargo.toml:7".to_owned() }
    };
    Package { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
}

fn edges(name: &str, dependencies: &[&str]) -> Vec<String> {
    wrong_edges(ROOMS, &[package(name, dependencies)])
}

#[test]
fn the_rooms_of_the_architecture_pass() {
    assert!(edges("planner", &["vocab", "spec", "catalog", "plan", "dialect", "dev:plan"]).is_empty());
    assert!(edges("serve", &["vocab", "plan", "dialect", "store", "connect"]).is_empty());
    assert!(edges("orchestrator", &["planner", "emit", "serve", "apply"]).is_empty());
    assert!(edges("producer", &["orchestrator", "vocab"]).is_empty());
}

#[test]
fn an_edge_that_is_not_in_the_table_is_found_with_its_place() {
    assert_eq!(edges("serve", &["planner"]), ["Cargo.toml:7: `serve` may not see `planner`"]);
    assert_eq!(edges("vocab", &["build:plan"]), ["Cargo.toml:7: `vocab` may not see `plan`"]);
    assert_eq!(edges("orchestrator", &["producer"]), ["Cargo.toml:7: `orchestrator` may not see `producer`"]);
}

#[test]
fn dev_dependencies_count_for_pure_crates_only() {
    assert_eq!(edges("spec", &["dev:planner"]), ["Cargo.toml:7: `spec` may not see `planner`"]);
    assert!(edges("store", &["dev:planner"]).is_empty());
}

#[test]
fn nothing_may_depend_on_a_tool_and_a_tool_is_free() {
    assert_eq!(edges("producer", &["xtask"]), ["Cargo.toml:7: `producer` may not see `xtask`"]);
    assert!(edges("bench_baseline", &["store"]).is_empty());
    assert!(strayed(ROOMS, &[package("bench_baseline", &["extern:rusqlite"])]).is_empty());
}

#[test]
fn unknown_crates_and_missing_rows_are_found() {
    assert_eq!(edges("misc", &[]), ["crate `misc` has no row in the table of rooms"]);
    let broken = [room("spec", Sees::Only(&["vocab"]), Kind::Pure)];
    let findings = wrong_edges(&broken, &[package("spec", &["vocab"])]);
    let expected =
        ["the row of `spec` names `vocab`, which has no row itself", "Cargo.toml:7: `spec` may not see `vocab`"];
    assert_eq!(findings, expected);
}

#[test]
fn a_heavy_dependency_outside_its_home_is_found() {
    assert!(strayed(ROOMS, &[package("store", &["extern:rusqlite"])]).is_empty());
    let findings = strayed(ROOMS, &[package("producer", &["extern:hyper", "extern:clap"])]);
    assert_eq!(findings, ["Cargo.toml:7: `hyper` lives in serve, not in `producer`"]);
}
