//! `cargo xtask gate`: formatting, lints and the fences of the architecture, then the tests.
//! Every check runs and prints `ok` or what is wrong and where; only then does the gate fail.
//! A fence is a function from text to findings, so that its tests can show it failing.

mod fences;
mod graph;

use std::process::ExitCode;

use crate::repository::Repository;
use crate::source::Source;
use crate::test;

/// How much of the gate to run.
#[derive(Clone, Copy, PartialEq)]
pub enum Extent {
    /// The checks, then the tests.
    Everything,
    /// The checks alone.
    WithoutTests,
}

/// What is wrong, one line each, with its place in front; empty when all is well.
type Findings = Vec<String>;

/// Runs the checks, and the tests unless told otherwise. A wrong check counts as one failure in the closing line.
pub fn run(repository: &Repository, extent: Extent) -> Result<ExitCode, String> {
    let wrong = run_checks(repository)?;
    if extent == Extent::WithoutTests {
        return Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    println!();
    let mut tally = test::tally(repository);
    for name in wrong {
        tally.fail(format!("gate: {name}"));
    }
    tally.print();
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints each check with its outcome; the names of those that found something.
fn run_checks(repository: &Repository) -> Result<Vec<&'static str>, String> {
    let mut wrong = Vec::new();
    let mut report = |name: &'static str, findings: Findings| {
        println!("{:5}{name}", if findings.is_empty() { "ok" } else { "FAIL" });
        findings.iter().for_each(|finding| println!("       {finding}"));
        if !findings.is_empty() {
            wrong.push(name);
        }
    };
    let crates = Crates::read(repository)?;
    report("formatting", command(repository, &["fmt", "--all", "--check"]));
    report("lints", command(repository, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    report("crate graph", graph::wrong_edges(graph::ROOMS, &crates.packages));
    report("heavy dependencies have one home", graph::strayed(graph::ROOMS, &crates.packages));
    report("no SQL outside dialect and store", each(&crates.sources, fences::sql));
    report("no match on Engine outside dialect and store", each(&crates.sources, fences::engine_match));
    let names = repository.folders("crates/catalog/providers")?;
    report("no provider name in code", each(&crates.sources, |source| fences::provider_names(source, &names)));
    report("every file opens with a header", each(&crates.sources, fences::header));
    report("nothing ignored or left undone", each(&crates.sources, fences::undone));
    let pages = repository.files("docs/errors", ".md")?;
    report("every diagnostic code has a page", fences::pages(&crates.sources, &pages));
    Ok(wrong)
}

/// What the fences look at, read once.
struct Crates {
    packages: Vec<graph::Package>,
    sources: Vec<Source>,
}

impl Crates {
    fn read(repository: &Repository) -> Result<Self, String> {
        let packages = graph::packages(repository, &repository.metadata()?)?;
        let mut paths = repository.files("crates", ".rs")?;
        paths.extend(repository.files("xtask", ".rs")?);
        let scan = |path: &String| Ok(Source::scan(path, &repository.read(path)?));
        Ok(Self { packages, sources: paths.iter().map(scan).collect::<Result<_, String>>()? })
    }
}

fn command(repository: &Repository, arguments: &[&str]) -> Findings {
    match repository.cargo(arguments).status() {
        Ok(status) if status.success() => Vec::new(),
        Ok(_) => vec![format!("`cargo {}` found what is printed above", arguments.join(" "))],
        Err(error) => vec![format!("`cargo {}` did not start: {error}", arguments.join(" "))],
    }
}

fn each(sources: &[Source], fence: impl Fn(&Source) -> Findings) -> Findings {
    sources.iter().flat_map(fence).collect()
}
