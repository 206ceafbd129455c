//! `cargo xtask kills`: the server, and the database under it, killed again and again while events come in and deliveries go out. Comes in: how often; goes out:
//! what the tests say, which make few kills of each kind by themselves.

use std::process::ExitCode;

use crate::mariadb;
use crate::postgresql::{self, Server};
use crate::repository::Repository;

const KILLS: &str = "200";
/// How the tests begin.
const TESTS: &str = "deliveries::killed_";

/// Runs the tests with as many kills; one event lost or one effect twice fails them.
pub fn run(repository: &Repository, options: &[&str]) -> Result<ExitCode, String> {
    let kills = match options {
        [] => KILLS,
        ["--kills", number] => number,
        _ => return Err("`kills` takes `--kills`".to_owned()),
    };
    // Ended when these values go.
    let (server, mysql) = (Server::obtain()?, mariadb::Server::obtain()?);
    let mut command = repository.cargo(&["test", "-q", "-p", "producer", "--test", "it", "--"]);
    command.args([TESTS, "--nocapture", "--test-threads=2"]).env("KILLS", kills);
    command.env(postgresql::VARIABLE, &server.url).env(mariadb::VARIABLE, &mysql.url);
    let status = command.status().map_err(|error| format!("`cargo test` did not start: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
