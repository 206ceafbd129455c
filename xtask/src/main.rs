//! Developer commands: `cargo xtask test`, `cargo xtask gate`, `cargo xtask bench serve|overload`.
//! Comes in: a command line; goes out: a report and an exit status.
//! Nothing of the product may depend on this crate, and it links none of the product's crates.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a developer tool does effects: it reads files, the clock and the environment"
)]

mod bench;
mod gate;
mod repository;
mod runner;
mod source;
mod test;

use std::process::ExitCode;

use repository::Repository;

const USAGE: &str = "usage: cargo xtask <command>

  test                  get what the tests need, run every test
  gate [--fast]         formatting, lints and fences, then the tests (--fast: without the tests)
  bench serve           the native server against a hand-written one, and the time of `producer run`
  bench overload        what the native server still does when four times as much is asked of it
        [--connections 32] [--seconds 4] [--rounds 3]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = Repository::find().and_then(|repository| match words.as_slice() {
        ["test"] => Ok(test::run(&repository)),
        ["gate"] => gate::run(&repository, gate::Extent::Everything),
        ["gate", "--fast"] => gate::run(&repository, gate::Extent::WithoutTests),
        ["bench", "serve", options @ ..] => bench::run(&repository, options),
        ["bench", "overload", options @ ..] => bench::overload::run(&repository, options),
        _ => Err(USAGE.to_owned()),
    });
    match outcome {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
