//! What a run shows on the way: plain lines where nobody watches; a spinner that leaves a line for each step on a terminal.

use crate::harness::workspace::{Workspace, end};
use crate::harness::{CONTACT_NEWSLETTER, repository};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

const STEPS: [&str; 7] = [
    "design_api_architecture: planning",
    "provision_database_instance: looking for the database",
    "implement_endpoint_logic: proving the plan on a scratch database",
    "create_schema_and_tables: migrating the database",
    "setup_user_permissions: seeing to who may do what",
    "create_api_documentation: writing files",
    "provision_database_instance: reading back what was made",
];

#[test]
fn elsewhere_each_step_is_a_plain_line() {
    let workspace = Workspace::new();
    let ended = end(workspace.command(&["run"]).arg(repository(CONTACT_NEWSLETTER))).must_end_with(0);
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), STEPS);
    assert!(ended.stdout.starts_with("---\nstatus: completed\n"), "{}", ended.stdout);
}

/// What a terminal receives from a run whose standard output goes elsewhere; `None` where there is no `script` to have one from.
fn on_a_terminal(environment: &[(&str, &str)], arguments: &str) -> Option<String> {
    let workspace = Workspace::new();
    let run = format!(
        "{} run {} --workspace {} {arguments} > /dev/null",
        env!("CARGO_BIN_EXE_producer"),
        repository(CONTACT_NEWSLETTER).display(),
        workspace.path().display()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &run, "/dev/null"]).stdin(Stdio::null()).env_remove("NO_COLOR");
    match script.envs(environment.iter().copied()).output() {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
        Err(_) => {
            io::stderr().write_all(b"SKIPPED progress on a terminal: there is no `script`\n").unwrap();
            None
        }
    }
}

/// The lines that stay: what comes after the last return to the beginning or clearing of each.
fn lines_that_stay(received: &str) -> Vec<&str> {
    received
        .split("\r\n")
        .map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or(line).trim_start_matches('\r'))
        .collect()
}

#[test]
fn on_a_terminal_each_step_leaves_a_line_with_its_mark() {
    let Some(received) = on_a_terminal(&[("TERM", "xterm-256color")], "") else { return };
    let expected: Vec<String> = STEPS.iter().map(|step| format!("\u{1b}[32m✓\u{1b}[0m {step}")).collect();
    assert!(received.contains('⠁'), "no spinner in {received:?}");
    let staying: Vec<&str> = lines_that_stay(&received).into_iter().filter(|line| line.contains('✓')).collect();
    assert_eq!(staying, expected);
}

#[test]
fn the_step_that_failed_has_another_mark() {
    let arguments = format!("--output {}", repository("Cargo.toml").display());
    let Some(received) = on_a_terminal(&[("TERM", "xterm-256color")], &arguments) else { return };
    assert!(received.contains(&format!("\u{1b}[31m✗\u{1b}[0m {}", STEPS[5])), "{received:?}");
    assert!(!received.contains(STEPS[6]), "{received:?}");
}

#[test]
fn colours_and_cursor_movements_can_be_done_without() {
    let Some(received) = on_a_terminal(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], "") else { return };
    assert!(received.contains(&format!("✓ {}", STEPS[0])) && !received.contains("\u{1b}[3"), "{received:?}");
    let Some(received) = on_a_terminal(&[("TERM", "dumb")], "") else { return };
    assert_eq!(received.split("\r\n").filter(|line| !line.is_empty()).collect::<Vec<_>>(), STEPS);
}
