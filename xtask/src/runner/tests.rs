//! The sums of real closing lines, and runners that fail without saying so.

use std::process::Command;

use super::{Runner, Tally};

fn tally(runner: Runner, output: &str) -> Tally {
    let mut tally = Tally::default();
    output.lines().for_each(|line| {
        tally.read(runner, line);
    });
    tally
}

fn run(runner: Runner, script: &str) -> Tally {
    let mut tally = Tally::default();
    tally.run("the runner", runner, Command::new("sh").args(["-c", script]));
    tally
}

#[test]
fn cargo_closing_lines_add_up() {
    let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                  test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    assert_eq!(tally(Runner::Cargo, output).closing_line(), "5 passed, 4 failed, 1 skipped");
}

#[test]
fn node_closing_lines_add_up_with_either_reporter() {
    let output = "ℹ tests 9\nℹ suites 1\nℹ pass 4\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\nℹ todo 1\nℹ duration_ms 12.5";
    assert_eq!(tally(Runner::Node, output).closing_line(), "4 passed, 2 failed, 3 skipped");
    let plain = tally(Runner::Node, &output.replace('ℹ', "#"));
    assert_eq!(plain.closing_line(), "4 passed, 2 failed, 3 skipped");
    let coloured = tally(Runner::Node, &output.replace("ℹ", "\u{1b}[34mℹ"));
    assert_eq!(coloured.closing_line(), "4 passed, 2 failed, 3 skipped");
}

#[test]
fn a_skipped_node_test_is_counted_once_and_listed() {
    let tally = tally(Runner::Node, "  ﹣ later (0.12ms) # SKIP\nℹ pass 1\nℹ skipped 1");
    assert_eq!(tally.closing_line(), "1 passed, 0 failed, 1 skipped");
    assert_eq!(tally.skips, ["later (JavaScript)"]);
}

#[test]
fn a_test_that_says_it_was_skipped_is_not_passed() {
    let output = "SKIPPED postgresql: no server\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured";
    let tally = tally(Runner::Cargo, output);
    assert_eq!(tally.closing_line(), "2 passed, 0 failed, 1 skipped");
    assert_eq!(tally.skips, ["postgresql: no server"]);
}

#[test]
fn a_runner_that_dies_or_runs_nothing_is_a_failure() {
    assert_eq!(run(Runner::Cargo, "echo broken >&2; exit 101").closing_line(), "0 passed, 1 failed, 0 skipped");
    assert_eq!(run(Runner::Node, "exit 0").closing_line(), "0 passed, 1 failed, 0 skipped");
    assert_eq!(run(Runner::Node, "echo '# pass 2'").closing_line(), "2 passed, 0 failed, 0 skipped");
}
