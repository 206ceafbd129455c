//! `cargo xtask roundtrip`: random schemas, and random changes of them, there and back on each engine, many more than the tests try. Comes in: how many, on which
//! engine and from which seed; goes out: what the test says of them.

use std::process::ExitCode;
use std::time::Instant;

use crate::postgresql::{self, Server};
use crate::repository::Repository;

const SCHEMAS: &str = "1000";
/// The engines, and how the tests over them begin.
const ENGINES: [&str; 2] = ["sqlite", "postgresql"];
const TESTS: [&str; 2] = ["random_schemas_come_back_from", "random_changes_come_back_from"];

/// Runs the round trips; a schema that does not come back is printed as small as it can be, with its seed.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let (mut schemas, mut engines, mut seed) = (SCHEMAS, ENGINES.to_vec(), None);
    for pair in options.chunks(2) {
        match pair {
            ["--schemas", number] => schemas = number,
            ["--seed", number] => seed = Some(*number),
            ["--engine", engine] if ENGINES.contains(engine) => engines = vec![*engine],
            _ => return Err(format!("`roundtrip` takes `--schemas`, `--seed` and `--engine {}`", ENGINES.join("|"))),
        }
    }
    // Ended when this value goes.
    let server = if engines.contains(&"postgresql") { Some(Server::obtain()?) } else { None };
    let mut is_whole = true;
    for engine in engines {
        let tests = TESTS.map(|test| format!("{test}_{engine}"));
        let mut command = repository.cargo(&["test", "-q", "-p", "orchestrator", "--lib", "--", "--nocapture"]);
        command.args(tests);
        command.env("ROUNDTRIP_SCHEMAS", schemas);
        if let Some(server) = &server {
            command.env(postgresql::VARIABLE, &server.url);
        }
        if let Some(seed) = seed {
            command.env("ROUNDTRIP_SEED", seed);
        }
        let begun = Instant::now();
        let status = command.status().map_err(|error| format!("`cargo test` did not start: {error}"))?;
        println!("{engine}: {:.0} s", begun.elapsed().as_secs_f64());
        is_whole &= status.success();
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
