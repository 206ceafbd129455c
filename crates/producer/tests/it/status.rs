//! `status`: every task at a glance, one in detail, and what there is to say where nothing is known. And what a command says when
//! it cannot do what it was asked for.

use crate::harness::server::{Kind, Server, must_answer};
use crate::harness::workspace::{Workspace, end, producer, task};
use crate::harness::{CONTACT_NEWSLETTER, TASK_ID, repository};
use serde_json::{Value as Json, json};
use std::fs;

const LONG: &str = "a_task_whose_id_is_a_good_deal_longer_than_those_that_are_given_by_themselves";

fn status(workspace: &Workspace, words: &[&str]) -> String {
    end(workspace.command(&["status"]).args(words)).must_end_with(0).stdout
}

#[test]
fn a_workspace_without_tasks_says_what_to_do() {
    let workspace = Workspace::new();
    assert_eq!(status(&workspace, &[]), "no task was run here yet: `producer run TASK` carries one out\n");
    assert_eq!(status(&workspace, &["--format", "json"]), "[]\n");
    assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0);
}

#[test]
fn columns_stand_below_each_other_whatever_the_ids() {
    let workspace = Workspace::completed();
    workspace.run_text(&task(&format!("task_id: {LONG}"), &[("/api/feedback", "none")], "")).must_end_with(0);
    let table = status(&workspace, &[]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let column = lines[0].find("STATUS").unwrap();
    assert_eq!(column, LONG.len() + 2);
    for line in &lines[1..] {
        assert!(line[column..].starts_with("completed  ") && line[..column].ends_with("  "), "{table}");
    }
}

#[test]
fn one_task_is_shown_in_detail() {
    // Made where it is: what a run notes of its folder is looked at.
    let workspace = Workspace::new();
    workspace.run(&repository(CONTACT_NEWSLETTER)).must_end_with(0);
    let lines = |text: &str| -> Vec<(String, String)> {
        let part = |line: &str| {
            let (name, value) = line.split_at(line.find("  ").unwrap());
            (name.to_owned(), value.trim().to_owned())
        };
        text.lines().map(part).collect()
    };
    let said = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let shown = lines(&status(&workspace, &[TASK_ID]));
    assert_eq!(shown[0], said("task", TASK_ID));
    assert!(shown[1].1.starts_with("completed since 2"), "{shown:?}");
    for expected in [
        said("plan", "1"),
        said("folder", workspace.application.to_str().unwrap()),
        said("served at", "nowhere at the moment: `producer serve`"),
        said("route", "POST /api/contact"),
        said("route", "POST /api/newsletter"),
        said("warning", "dependency `code_2025_001` is not known here and is taken to be done"),
    ] {
        assert!(shown.contains(&expected), "no {expected:?} in {shown:?}");
    }
    assert!(shown.iter().all(|(name, _)| name != "error"), "{shown:?}");

    let server = Server::start(Kind::Native, &workspace);
    // Once it answers, it has said where it is.
    must_answer(&server, &workspace, 201, 202);
    assert!(lines(&status(&workspace, &[TASK_ID])).contains(&said("served at", &format!("http://{}", server.address))));

    let in_the_way = workspace.path().join("in_the_way");
    fs::write(&in_the_way, "").unwrap();
    end(workspace.command(&["run"]).arg(repository(CONTACT_NEWSLETTER)).arg("--output").arg(&in_the_way))
        .must_end_with(1);
    let shown = lines(&status(&workspace, &[TASK_ID]));
    assert!(shown[1].1.starts_with("failed since 2") && shown[2] == said("plan", "1"), "{shown:?}");
    let folder = in_the_way.join(format!("task_{TASK_ID}"));
    let expected = format!("a file of the application cannot be written ({}/", folder.display());
    assert!(shown.iter().any(|(name, value)| name == "error" && value.starts_with(&expected)), "{shown:?}");

    let one: Json = serde_json::from_str(&status(&workspace, &[TASK_ID, "--format", "json"])).unwrap();
    assert_eq!((&one["task_id"], &one["status"], &one["plan"]), (&json!(TASK_ID), &json!("failed"), &json!("1")));
    let all: Json = serde_json::from_str(&status(&workspace, &["--format", "json"])).unwrap();
    assert_eq!(all, json!([one]));
}

#[test]
fn an_unknown_id_is_told_with_the_one_that_was_meant() {
    let workspace = Workspace::completed();
    let ended = end(&mut workspace.command(&["status", "integration_2025_01"])).must_end_with(1);
    let expected =
        "producer: no task of this workspace has the id `integration_2025_01`; did you mean `integration_2025_001`?\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", expected));
    let ended = end(&mut workspace.command(&["status", "zebra"])).must_end_with(1);
    assert!(ended.stderr.ends_with("the id `zebra`; `producer status` lists those it knows\n"), "{}", ended.stderr);
}

/// Every way in which a command without a response fails: one sentence on standard error that says what, where and what to do.
#[test]
fn a_command_that_cannot_do_it_says_what_to_do() {
    let (empty, completed) = (Workspace::new(), Workspace::completed());
    let file = completed.path().join("file");
    fs::write(&file, "").unwrap();
    let damaged = Workspace::completed();
    fs::write(damaged.path().join(format!(".producer/tasks/{TASK_ID}/active")), "7\n").unwrap();
    let in_file = ["--workspace", file.to_str().unwrap()];
    let at = |workspace: &Workspace| ["--workspace".to_owned(), workspace.path().display().to_string()];
    let (empty, completed, damaged) = (at(&empty), at(&completed), at(&damaged));
    let words = |place: &'static str| place.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
    for (command, place, parts) in [
        (words("serve"), &empty[..], &["no completed API", "run a task first"][..]),
        (words("serve --listen 127.0.0.1:99999"), &completed, &["cannot listen at `127.0.0.1:99999`", "`--listen`"]),
        (words("serve --listen nowhere"), &completed, &["cannot listen at `nowhere`", "as 127.0.0.1:8081"]),
        (words("serve"), &damaged, &["plans/7.json` is damaged", "the active plan is missing"]),
        (words("status nothing"), &completed, &["`nothing`", "`producer status` lists"]),
        (
            words("status"),
            &in_file.map(ToOwned::to_owned),
            &["file/.producer/tasks` cannot be used", "Not a directory", "`--workspace`"],
        ),
        (words("keys list"), &empty, &["no database yet", "run a task first"]),
        (words("keys revoke nobody"), &completed, &["`nobody`"]),
    ] {
        let ended = end(producer(&[]).args(&command).args(place)).must_end_with(1);
        assert_eq!(ended.stdout, "", "{command:?}");
        assert!(ended.stderr.starts_with("producer: "), "{command:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{command:?}: {}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{command:?}: no `{part}` in {}", ended.stderr);
        }
    }
}

/// What the command line itself refuses, and what it says of itself.
#[test]
fn the_help_says_how_to_begin_and_how_commands_end() {
    let help = end(&mut producer(&["--help"])).must_end_with(0).stdout;
    for part in [
        "producer run task.yaml --serve",
        "producer keys create",
        "Exit status: 0 completed, 1 failed, 2 the task is wrong, 3",
    ] {
        assert!(help.contains(part), "no `{part}` in\n{help}");
    }
    for command in ["status", "check"] {
        let help = end(&mut producer(&[command, "--help"])).must_end_with(0).stdout;
        assert!(help.contains("Lines for people") && !help.contains("yaml"), "{help}");
    }
    end(&mut producer(&["run"])).must_end_with(2);
    end(&mut producer(&["statsu"])).must_end_with(2);
}
