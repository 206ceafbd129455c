//! `cargo xtask kills`: the server, and the database under it, killed again and again while events come in and deliveries go out.
//! `cargo xtask races`: tokens that are refreshed many times at once, over several servers. Comes in: how often; goes out: what the tests say,
//! which do so a few times by themselves.
//! `cargo xtask drills`: backups restored to random moments, held against a ledger that somebody wrote meanwhile.

use std::process::ExitCode;

use crate::mariadb;
use crate::postgresql::{self, Server};
use crate::repository::Repository;

/// What is done over and over.
pub struct Repeated {
    option: &'static str,
    variable: &'static str,
    often: &'static str,
    /// How the tests begin.
    tests: &'static str,
}

/// One event lost or one effect twice fails the tests.
pub const KILLS: Repeated =
    Repeated { option: "--kills", variable: "KILLS", often: "200", tests: "deliveries::killed_" };
/// One caller signed out, or one copy not caught, fails the tests. Each race is a dozen requests.
pub const RACES: Repeated =
    Repeated { option: "--races", variable: "RACES", often: "10000", tests: "accounts::a_session_is_one" };
/// One row too many or too few, or one damage that is not refused, fails the tests.
pub const DRILLS: Repeated =
    Repeated { option: "--drills", variable: "DRILLS", often: "300", tests: "database::drills::" };

/// Runs the tests with as many repetitions.
pub fn run(repository: &Repository, repeated: &Repeated, options: &[&str]) -> Result<ExitCode, String> {
    let often = match options {
        [] => repeated.often,
        [option, number] if *option == repeated.option => number,
        _ => return Err(format!("it takes `{}` and nothing else", repeated.option)),
    };
    // Ended when these values go.
    let (server, mysql) = (Server::obtain()?, mariadb::Server::obtain()?);
    let mut command = repository.cargo(&["test", "-q", "--workspace", "--test", "it", "--"]);
    command.args([repeated.tests, "--nocapture", "--test-threads=2"]).env(repeated.variable, often);
    command.env(postgresql::VARIABLE, &server.url).env(mariadb::VARIABLE, &mysql.url);
    let status = command.status().map_err(|error| format!("`cargo test` did not start: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
