//! Texts of tasks as they come: files, folders, standard input, several documents, JSON, other programs' line ends and marks, and
//! what is no text of tasks at all. Each is read, or refused in a sentence that says where and how to mend it.

use crate::harness::workspace::{Workspace, end, end_with_input, sample_with, task};
use crate::harness::{CONTACT_NEWSLETTER, repository};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::PathBuf;

const CONTACT: (&str, &str) = ("/api/contact", "api_key");
const NEWSLETTER: (&str, &str) = ("/api/newsletter", "none");

/// What `check` finds in a file of these bytes, each finding without the folder.
#[track_caller]
fn findings(bytes: &[u8], status: i32) -> Vec<String> {
    let workspace = Workspace::new();
    fs::write(workspace.path().join("task.yaml"), bytes).unwrap();
    let checked = end(workspace.command(&["check", "task.yaml"]).current_dir(workspace.path())).must_end_with(status);
    checked.stdout.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn marks_and_line_ends_of_other_programs_are_read() {
    let text = sample_with("", "");
    let with_mark = format!("\u{feff}{text}");
    for text in [&text, &with_mark, &text.replace('\n', "\r\n"), &with_mark.replace('\n', "\r\n")] {
        assert_eq!(findings(text.as_bytes(), 0), ["nothing is wrong"]);
    }
    let wrong = format!("\u{feff}{}", sample_with("priority", "prio").replace('\n', "\r\n"));
    assert_eq!(findings(wrong.as_bytes(), 2), ["task.yaml:16:1: IP101: a task has no field `prio`"]);
}

#[test]
fn what_is_no_text_of_tasks_is_refused_in_a_sentence() {
    let latin = sample_with("integration_2025_001", "caf\u{e9}");
    let latin: Vec<u8> = latin.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
    let utf_16: Vec<u8> =
        format!("\u{feff}{}", sample_with("", "")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let huge = vec![b'#'; 16 * 1024 * 1024 + 1];
    for (bytes, expected) in [
        (&b""[..], "task.yaml:1:1: IP001: there is no task in this text"),
        (b"# nothing\n", "task.yaml:1:1: IP001: there is no task in this text"),
        (&latin, "task.yaml:1:14: IP002: this byte is no UTF-8 text"),
        (&utf_16, "task.yaml:1:1: IP002: the text is UTF-16, not UTF-8"),
        (&huge, "task.yaml:1:1: IP007: a text of more than 16777216 bytes"),
        (
            b"priority: high\npriority: low\n",
            "task.yaml:2:1: IP004: `priority` stands twice in this block, first in line 1",
        ),
        (b"just words\n", "task.yaml:1:1: IP011: a task is a block of fields"),
    ] {
        let found = findings(bytes, 2);
        assert!(found.iter().any(|found| found.starts_with(expected)), "no `{expected}` in {found:?}");
    }
}

#[test]
fn a_terminal_is_not_written_to_by_a_task() {
    let workspace = Workspace::new();
    let text = format!("prio: \"\u{1b}[2J{}\"\n", "x".repeat(100_000));
    let ended = end_with_input(&mut workspace.command(&["check", "-"]), &text).must_end_with(2);
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stdout.contains('\u{1b}'));
    assert!(ended.stderr.len() < 10_000, "{} bytes about one line", ended.stderr.len());
}

/// Three mistakes at once are told at once, each in its line with what was meant.
#[test]
fn three_misspelled_fields_are_three_findings_with_what_was_meant() {
    let text =
        sample_with("rate_limiting", "rate_limitting").replace("priority", "prio").replace("endpoints", "endpoint");
    let workspace = Workspace::new();
    let ended = workspace.run_text(&text).must_end_with(2);
    let response = ended.response();
    let told: Vec<(&str, &str)> = response["error"]["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|diagnostic| (diagnostic["message"].as_str().unwrap(), diagnostic["help"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("`api_requirements` has no field `endpoint`", "did you mean `endpoints`?"),
            ("`api_requirements` has no field `rate_limitting`", "did you mean `rate_limiting`?"),
            ("a task has no field `prio`", "did you mean `priority`?"),
        ]
    );
    for line in ["    endpoint:", "    rate_limitting: \"100_requests_per_minute\"", "prio: \"high\""] {
        assert!(ended.stderr.contains(line), "no `{line}` in\n{}", ended.stderr);
    }
}

/// The interface description itself, pasted as a task.
#[test]
fn the_template_is_recognised() {
    let template = "task_id: \"integration_2025_001\"
task_type: \"setup_api\" | \"configure_database\" | \"integrate_service\"
specifications:
  api_requirements:
    type: \"rest\" | \"graphql\" | \"webhook\"
priority: \"high\" | \"normal\" | \"low\"
";
    let ended = end_with_input(&mut Workspace::new().command(&["check", "-"]), template).must_end_with(2);
    assert_eq!(
        ended.stdout,
        "-:1:1: IP005: this is a template with alternatives, not a task yet\n\
         -:2:24: IP006: `task_type` offers alternatives\n\
         -:5:18: IP006: `type` offers alternatives\n\
         -:6:18: IP006: `priority` offers alternatives\n"
    );
    assert!(ended.stderr.contains("choose one value on each line with a `|`"), "{}", ended.stderr);
}

/// Files, with the names that are not tasks among them.
fn folder(files: &[(&str, &str)]) -> (Workspace, PathBuf) {
    let workspace = Workspace::new();
    let folder = workspace.path().join("tasks");
    fs::create_dir_all(folder.join("below")).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    (workspace, folder)
}

#[test]
fn a_folder_is_run_in_the_order_of_its_dependencies() {
    let (workspace, folder) = folder(&[
        ("a.yaml", &task("task_id: last\ndependencies: [first]", &[NEWSLETTER], "")),
        ("b.yml", &task("task_id: first", &[CONTACT], "")),
        (
            "c.json",
            r#"{"task_id": "json", "task_type": "setup_api", "specifications": {"api_requirements": {"type": "rest",
            "endpoints": [{"path": "/api/feedback", "method": "POST", "authentication": "none"}]}}}"#,
        ),
        ("readme.md", "no task"),
        ("below/d.yaml", "no task"),
    ]);
    let ended = end(workspace.command(&["run"]).arg(&folder)).must_end_with(0);
    let ids: Vec<String> = ended.stdout.split("---\n").skip(1).map(id).collect();
    assert_eq!(ids, ["first", "last", "json"]);
}

fn id(response: &str) -> String {
    let response: Json = serde_saphyr::from_str(response).unwrap();
    assert_eq!(response["status"], json!("completed"));
    response["task_id"].as_str().unwrap().to_owned()
}

/// IP302.
#[test]
fn one_id_in_two_files_is_refused_before_anything_is_made() {
    let sample = sample_with("", "");
    let (workspace, folder) = folder(&[("a.yaml", &sample), ("b.yaml", &sample)]);
    let response = end(workspace.command(&["run"]).arg(&folder)).must_end_with(2).response();
    assert_eq!((&response["error"]["kind"], &response["error"]["code"]), (&json!("task.invalid"), &json!("IP302")));
    assert!(!workspace.path().join(".producer").exists());
    let checked = end(workspace.command(&["check", "tasks"]).current_dir(workspace.path())).must_end_with(2);
    let expected = "tasks/b.yaml:1:10: IP302: `integration_2025_001` is already the task of tasks/a.yaml:1:1\n";
    assert_eq!(checked.stdout, expected);
    // One file that is named twice is no better.
    let twice = &mut workspace.command(&["check", "tasks/a.yaml", "tasks/a.yaml"]);
    assert!(end(twice.current_dir(workspace.path())).must_end_with(2).stdout.contains("IP302"));
}

#[test]
fn a_path_without_tasks_is_told_with_what_to_name_instead() {
    let (workspace, folder) = folder(&[("readme.md", "no task")]);
    let good = repository(CONTACT_NEWSLETTER);
    for (path, expected) in [
        ("missing.yaml".to_owned(), "`missing.yaml` cannot be read: No such file or directory"),
        (folder.display().to_string(), "ends in .yaml, .yml or .json; name a folder of task files"),
    ] {
        for command in ["run", "check"] {
            // Nothing is run when one of the paths is wrong.
            let ended = end(workspace.command(&[command]).arg(&good).arg(&path)).must_end_with(1);
            assert!(ended.stderr.starts_with("producer: ") && ended.stderr.contains(expected), "{}", ended.stderr);
            assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1));
        }
    }
    assert!(!workspace.path().join(".producer").exists());
}
