//! Developer commands: `cargo xtask test`, `cargo xtask gate`, `cargo xtask bench` and those that need more than the tests.
//! Comes in: a command line; goes out: a report and an exit status.
//! Nothing of the product may depend on this crate, and it links none of the product's crates.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a developer tool does effects: it reads files, the clock and the environment"
)]

mod bench;
mod browse;
mod gate;
mod installed;
mod mariadb;
mod mongodb;
mod postgresql;
mod promtool;
mod python;
mod repeated;
mod repository;
mod roundtrip;
mod runner;
mod schemathesis;
mod server;
mod source;
mod squawk;
mod stripe_mock;
mod test;
mod vendor;

use std::process::ExitCode;

use repository::Repository;

const USAGE: &str = "usage: cargo xtask <command>

  test                  get what the tests need, run every test
  gate [--fast]         formatting, lints and fences, then the tests (--fast: without the tests)
  bench                 the time of commands
  bench serve           the native server against hand-written ones and the Node.js application, on SQLite, PostgreSQL and MariaDB
        [--engine sqlite|postgresql|mysql | --peers]
        [--connections 32] [--seconds 2] [--rounds 5]
  bench accounts        logins beside the bare hash, what a token costs, what the time of an answer tells, refreshes that race
  bench backup          backups and restores beside the engine's own programs, their memory, what would be lost and how long it takes
        [--engine sqlite|postgresql|mysql] [--mib 1024]
  bench database        planning 1,000 tables, and applying 200 on a durable PostgreSQL beside psql
  bench records         a list with what its rows lead to, a thousand records merged, a hundred thousand rows as CSV, on PostgreSQL
        [--connections 32] [--seconds 2] [--rounds 5]
  bench overload        what the native server still does when four times as much is asked of it
  bench deliver         events to a hundred destinations, three of them bad for a while, and signed calls taken in
        [--engine sqlite|postgresql] [--seconds 6] [--rounds 3]
  roundtrip             random schemas there and back, on each engine
        [--schemas 1000] [--engine sqlite|postgresql] [--seed 20260000]
  kills                 the server and the databases under it killed again and again while events are delivered
        [--kills 200]
  drills                backups of SQLite, MariaDB and PostgreSQL restored to random moments and held against a ledger, damaged ones refused
        [--drills 300]
  races                 tokens refreshed a dozen times at once, over both servers, on every engine [--races 10000]
  schemathesis [--full] hold the OpenAPI documents against both servers (--full: every API, more requests, another seed each time)
  squawk                the statements for PostgreSQL, read by a linter of migrations
  browse                the reference page of both servers in Chromium, calling the API, and the diagrams of databases
  promtool              the emitted alerts and dashboards, read by Prometheus' own tool
  vendor                the files of the reference page, in the version of the emitted application's manifest";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = Repository::find().and_then(|repository| match words.as_slice() {
        ["test"] => Ok(test::run(&repository)),
        ["gate"] => gate::run(&repository, gate::Extent::Everything),
        ["gate", "--fast"] => gate::run(&repository, gate::Extent::WithoutTests),
        ["bench", "accounts", options @ ..] => bench::accounts::run(&repository, options),
        ["bench", "backup", options @ ..] => bench::backup::run(&repository, options),
        ["bench", "database"] => bench::database::run(&repository),
        ["bench", "deliver", options @ ..] => bench::deliver::run(&repository, options),
        ["bench", "overload", options @ ..] => bench::overload::run(&repository, options),
        ["bench", "records", options @ ..] => bench::records::run(&repository, options),
        ["bench", "serve", options @ ..] => bench::serve(&repository, options),
        ["bench"] => bench::run(&repository),
        ["schemathesis"] => Ok(schemathesis::run(&repository, schemathesis::Extent::Bounded)),
        ["schemathesis", "--full"] => Ok(schemathesis::run(&repository, schemathesis::Extent::Full)),
        ["roundtrip", options @ ..] => roundtrip::run(&repository, options),
        ["kills", options @ ..] => repeated::run(&repository, &repeated::KILLS, options),
        ["drills", options @ ..] => repeated::run(&repository, &repeated::DRILLS, options),
        ["races", options @ ..] => repeated::run(&repository, &repeated::RACES, options),
        ["squawk"] => squawk::run(&repository),
        ["browse"] => browse::run(&repository),
        ["promtool"] => promtool::run(&repository),
        ["vendor"] => vendor::run(&repository),
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
