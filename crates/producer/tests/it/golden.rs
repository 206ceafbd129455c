//! What a run of each sample task prints and writes, compared with the copy in `tests/cases/golden`. What differs from run to run
//! is replaced; `lib/` is left out, because it is copied as it is. `UPDATE_GOLDEN=1` writes the copy anew.

use crate::harness::workspace::{Workspace, end, files};
use crate::harness::{Sample, is_updating, repository};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn contact_newsletter_gives_what_it_gave() {
    check_sample(Sample::ContactNewsletter);
}

#[test]
fn products_gives_what_it_gave() {
    check_sample(Sample::Products);
}

#[test]
fn invoices_gives_what_it_gave() {
    check_sample(Sample::Invoices);
}

#[test]
fn incoming_webhooks_give_what_they_gave() {
    check_sample(Sample::Senders);
}

/// Its files show nothing that those of the others do not; what is decided, and why, does.
#[test]
fn behaviours_are_planned_as_they_were() {
    let of = Sample::Behaviours;
    let workspace = Workspace::of(of);
    let plan = end(workspace.command(&["run", "--plan"]).arg(of.task())).must_end_with(0).stdout;
    compare(of.golden(), &BTreeMap::from([("plan.txt".to_owned(), plan.into_bytes())]));
}

#[test]
fn a_shop_database_gives_what_it_gave() {
    let task = repository("tests/cases/tasks/shop-sqlite.yaml");
    check(&Workspace::new(), &task, "shop_sqlite_001", "tests/cases/golden/shop-sqlite");
}

fn check_sample(of: Sample) {
    check(&Workspace::of(of), &of.task(), of.id(), of.golden());
}

fn check(workspace: &Workspace, sample: &Path, id: &str, golden: &str) {
    let plan = end(workspace.command(&["run", "--plan"]).arg(sample)).must_end_with(0).stdout;
    let ended = workspace.run(sample).must_end_with(0);
    let mut made = BTreeMap::from([("plan.txt".to_owned(), plan.into_bytes())]);
    let root = workspace.path().to_str().unwrap();
    made.insert(
        "response.yaml".to_owned(),
        undated(&ended.stdout, &ended.response()).replace(root, "/workspace").into_bytes(),
    );
    for (path, content) in files(&workspace.path().join(format!("output/integration/task_{id}"))) {
        if !path.starts_with("lib/") && path != "response.yaml" {
            made.insert(format!("files/{path}"), content);
        }
    }
    compare(golden, &made);
}

#[test]
fn the_same_task_gives_the_same_bytes() {
    let made = |sample| {
        let workspace = Workspace::completed_with(sample);
        let mut made = files(&workspace.application);
        made.remove("response.yaml").unwrap();
        made
    };
    for sample in [Sample::ContactNewsletter, Sample::Products, Sample::Invoices] {
        assert!(made(sample) == made(sample), "{sample:?}");
    }
}

/// The response without what only this run knows.
fn undated(text: &str, response: &Json) -> String {
    let mut text = text.to_owned();
    for (pointer, replacement) in [
        ("/started_at", "2026-01-02T03:04:05.678Z"),
        ("/duration_ms", "100"),
        ("/output/metadata/database_version", "sqlite_3.x"),
    ] {
        let key = pointer.rsplit('/').next().unwrap();
        let value = match response.pointer(pointer).unwrap() {
            Json::String(value) => value.clone(),
            value => value.to_string(),
        };
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{key}: "))).unwrap().to_owned();
        text = text.replace(&line, &line.replace(&value, replacement));
    }
    text
}

fn compare(folder_name: &str, made: &BTreeMap<String, Vec<u8>>) {
    let folder = repository(folder_name);
    if is_updating() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        for (path, content) in made {
            let target = folder.join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, content).unwrap();
        }
        return;
    }
    let kept = files(&folder);
    let mut wrong: Vec<String> =
        kept.keys().filter(|path| !made.contains_key(*path)).map(|path| format!("{path} is not made")).collect();
    for (path, content) in made {
        match kept.get(path) {
            None => wrong.push(format!("{path} is new")),
            Some(kept) if kept != content => wrong.push(format!("{path}: {}", first_difference(kept, content))),
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}\n`UPDATE_GOLDEN=1` writes {folder_name} anew", wrong.join("\n"));
}

fn first_difference(kept: &[u8], made: &[u8]) -> String {
    let (kept, made) = (String::from_utf8_lossy(kept), String::from_utf8_lossy(made));
    let (mut kept, mut made) = (kept.lines(), made.lines());
    for number in 1.. {
        match (kept.next(), made.next()) {
            (None, None) => break,
            (kept, made) if kept != made => {
                let shown = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("`{line}`"));
                return format!("line {number} is {} instead of {}", shown(made), shown(kept));
            }
            _ => {}
        }
    }
    "the ends of its lines differ".to_owned()
}
