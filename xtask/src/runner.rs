//! Runs a test runner: its output streams through as it comes, and its closing lines are added up.
//! Comes in: a command; goes out: a tally. Never judges by the closing lines alone: the exit status counts too.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// What a test writes on standard error, followed by what and why, when it cannot run here.
const SKIP_MARK: &str = "SKIPPED ";

/// Sums over all runners.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    /// Tests the runners call passed, those that returned early among them.
    passed: u64,
    /// Tests that wrote the skip mark and returned: the runners count them as passed.
    returned_early: u64,
    /// Tests that did not hold, and parts that could not even start.
    pub failed: u64,
    /// Tests that were left out, each in `skips` when it said why.
    pub skipped: u64,
    /// One line for each thing left out.
    pub skips: Vec<String>,
    /// One line for each failure that no runner reported itself.
    pub failures: Vec<String>,
}

/// Whose closing lines to expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Runner {
    /// `test result: ok. 3 passed; 0 failed; 0 ignored; ...`, one per test binary.
    Cargo,
    /// `ℹ pass 3`, `ℹ fail 0`, ... (or with `#`), once at the end.
    Node,
}

impl Tally {
    /// A success no runner counted.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// A failure no runner counted.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failed += 1;
        self.failures.push(what.into());
    }

    /// Something that could not run here.
    pub fn skip(&mut self, what: impl Into<String>) {
        self.skipped += 1;
        self.skips.push(what.into());
    }

    /// Runs `command`, streams its output, adds what it reports.
    /// A runner that fails without a failed test, or ends without a closing line, is one failure called `name`.
    pub fn run(&mut self, name: &str, runner: Runner, command: &mut Command) {
        let failed_before = self.failed;
        let mut closing_lines = 0_u32;
        let outcome = stream(command, |line| {
            if self.read(runner, line) {
                closing_lines += 1;
            }
        });
        match outcome {
            Err(error) => self.fail(format!("{name} did not start: {error}")),
            Ok(false) if self.failed == failed_before => self.fail(format!("{name} failed before any test did")),
            Ok(true) if closing_lines == 0 => self.fail(format!("{name} ran no tests")),
            Ok(_) => {}
        }
    }

    /// Adds one line of output; `true` when it was a closing line.
    pub fn read(&mut self, runner: Runner, line: &str) -> bool {
        let line = without_colours(line);
        let line = line.trim_end();
        if let Some(what) = line.strip_prefix(SKIP_MARK) {
            self.returned_early += 1;
            self.skip(what);
            return false;
        }
        match runner {
            Runner::Cargo => self.read_cargo(line).is_some(),
            Runner::Node => self.read_node(line).is_some(),
        }
    }

    fn read_cargo(&mut self, line: &str) -> Option<()> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        for count in counts.split("; ") {
            let Some((number, word)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
        Some(())
    }

    fn read_node(&mut self, line: &str) -> Option<()> {
        if let Some((test, _)) = line.trim_start().strip_prefix("﹣ ").and_then(|rest| rest.rsplit_once(" (")) {
            // Counted by the closing line.
            self.skips.push(format!("{test} (JavaScript)"));
        }
        let rest = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?;
        let (word, number) = rest.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match word {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" | "todo" => self.skipped += number,
            _ => return None,
        }
        Some(())
    }

    /// What was left out and what failed unseen, then the one closing line of the whole run.
    pub fn print(&self) {
        print_list("skipped, not tested:", &self.skips);
        print_list("failed:", &self.failures);
        println!("{}", self.closing_line());
    }

    /// `N passed, M failed, K skipped`.
    pub fn closing_line(&self) -> String {
        let passed = self.passed.saturating_sub(self.returned_early);
        format!("{passed} passed, {} failed, {} skipped", self.failed, self.skipped)
    }
}

fn print_list(title: &str, lines: &[String]) {
    if !lines.is_empty() {
        println!("\n{title}");
        lines.iter().for_each(|line| println!("  {line}"));
    }
}

/// Passes both outputs through line by line and shows each line to `see`; `Ok(true)` when the command succeeded.
fn stream(command: &mut Command, mut see: impl FnMut(&str)) -> std::io::Result<bool> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        pass_through(output, std::io::stdout(), sender.clone());
    }
    if let Some(output) = child.stderr.take() {
        pass_through(output, std::io::stderr(), sender);
    }
    for line in lines {
        see(&line);
    }
    Ok(child.wait()?.success())
}

fn pass_through(from: impl Read + Send + 'static, mut to: impl Write + Send + 'static, seen: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // A closed standard output must not stop the counting.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            let _ = seen.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests;
