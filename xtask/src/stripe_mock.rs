//! Stripe's own mock server, which holds requests against Stripe's official specification: named, on the path, or built by `go`.

use std::path::PathBuf;
use std::process::Command;

use crate::installed::quiet;
use crate::repository::Repository;

/// Names the program for the tests.
pub const VARIABLE: &str = "STRIPE_MOCK";
const PROGRAM: &str = "stripe-mock";
/// The newest when the operations were written: it brings the specification that they are held against.
const MODULE: &str = "github.com/stripe/stripe-mock@v0.203.0";
const FOLDER: &str = "target/go";

/// Where it is, or why it cannot be had.
pub fn obtain(repository: &Repository) -> Result<PathBuf, String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_the_path = || std::env::split_paths(&folders).map(|folder| folder.join(PROGRAM)).find(|path| path.is_file());
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from).or_else(on_the_path) {
        return Ok(path);
    }
    let folder = repository.root.join(FOLDER);
    let program = folder.join(PROGRAM);
    if program.is_file() {
        return Ok(program);
    }
    let mut install = Command::new("go");
    install.args(["install", MODULE]).env("GOBIN", &folder);
    match quiet(&mut install).status() {
        Ok(status) if status.success() && program.is_file() => Ok(program),
        Ok(_) => Err(format!("`go install {MODULE}` failed")),
        Err(_) => Err(format!("no `{PROGRAM}` on the path, and no `go` that could build it")),
    }
}
