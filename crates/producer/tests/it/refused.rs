//! Tasks that are well formed and cannot be planned all the same: each folder of `tests/cases/refused` holds one, and the lines
//! that `producer check` answers. `before.yaml` is run first, then `change.sql` is done to the database; files of the folder
//! `workspace` are the workspace's own.

use crate::harness::workspace::{Workspace, end, end_with_input, files, producer};
use crate::harness::{CONTACT_NEWSLETTER, TASK_ID, is_updating, repository};
use serde_json::Value as Json;
use std::fs;
use std::path::PathBuf;

const FOLDER: &str = "tests/cases/refused";

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(repository(FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn refused_tasks_say_what_is_wrong_and_where() {
    let mut wrong = Vec::new();
    for case in cases() {
        let workspace = Workspace::new();
        for (path, text) in files(&case.join("workspace")) {
            let own = workspace.path().join(path);
            fs::create_dir_all(own.parent().unwrap()).unwrap();
            fs::write(own, text).unwrap();
        }
        if case.join("before.yaml").exists() {
            workspace.run(&case.join("before.yaml")).must_end_with(0);
        }
        if let Ok(change) = fs::read_to_string(case.join("change.sql")) {
            workspace.query(&change);
        }
        let before = files(workspace.path());
        let checked = end(workspace.command(&["check", "task.yaml"]).current_dir(&case)).must_end_with(2);
        assert!(files(workspace.path()) == before, "checking {} changed the workspace", case.display());
        let expected = case.join("expected.txt");
        if is_updating() {
            fs::write(&expected, &checked.stdout).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != checked.stdout {
            wrong.push(format!("{}\n{}", case.display(), checked.stdout));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// No task leads there by itself: an older producer that made the table without a column does.
#[test]
fn a_table_of_an_older_producer_is_not_given_a_column_that_must_have_a_value() {
    let workspace = Workspace::completed();
    workspace.query("ALTER TABLE contact_messages DROP COLUMN message");
    workspace.query("INSERT INTO contact_messages (id, name, email, created_at, updated_at, row_version) VALUES ('1', 'Ada', 'ada@example.com', '2026', '2026', 1)");
    let file = workspace.path().join(format!(".producer/tasks/{TASK_ID}/plans/1.json"));
    let mut persisted: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let columns = persisted["plan"]["database"]["tables"][0]["columns"].as_array_mut().unwrap();
    columns.retain(|column| column["name"] != "message");
    fs::write(&file, persisted.to_string()).unwrap();
    let mut check = workspace.command(&["check", "contact-newsletter-api.yaml"]);
    let checked = end(check.current_dir(repository("tests/cases/tasks"))).must_end_with(2);
    assert_eq!(
        checked.stdout,
        "contact-newsletter-api.yaml:4:3: IP209: table `contact_messages` would have to change: \
         column `message` is new and must have a value\n"
    );
}

#[test]
fn every_code_has_its_page_and_a_case() {
    let expected: String =
        cases().iter().map(|case| fs::read_to_string(case.join("expected.txt")).unwrap_or_default()).collect();
    for code in planner::ALL_CODES.iter().chain(catalog::ALL_CODES) {
        let page = end(&mut producer(&["explain", code.0])).must_end_with(0).stdout;
        assert!(page.starts_with(&format!("# {code}: ")), "{page}");
        assert!(page.lines().count() <= 15, "the page of {code} is too long");
        // The last one has a test of its own, above.
        assert!(code.0 == "IP209" || expected.contains(&format!(": {code}: ")), "{code} has no case");
    }
}

/// The example is a file of a workspace, not a task.
#[test]
fn the_example_of_a_page_about_own_files_provokes_its_code() {
    for code in catalog::ALL_CODES {
        let page = end(&mut producer(&["explain", code.0])).stdout;
        let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let workspace = Workspace::new();
        let folder = workspace.path().join(if *code == catalog::MAIL_FILE_WRONG { "mails" } else { "entities" });
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("example.yaml"), example).unwrap();
        let checked = end(workspace.command(&["check"]).arg(repository(CONTACT_NEWSLETTER))).must_end_with(2);
        assert!(checked.stdout.contains(code.0), "{}", checked.stdout);
    }
}

/// What a database holds decides about some: their examples are right tasks by themselves.
#[test]
fn the_example_of_a_page_provokes_its_code() {
    let workspace = Workspace::new();
    for code in planner::ALL_CODES {
        let page = end(&mut producer(&["explain", code.0])).stdout;
        let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let checked = end_with_input(&mut workspace.command(&["check", "-"]), example);
        let codes: Vec<&str> = checked.stdout.lines().map(|line| line.split(": ").nth(1).unwrap_or(line)).collect();
        let expected =
            if matches!(code.0, "IP208" | "IP209" | "IP236" | "IP237" | "IP290") { "nothing is wrong" } else { code.0 };
        assert_eq!(codes, [expected]);
    }
}
