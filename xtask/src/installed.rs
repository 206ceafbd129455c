//! What private servers for the tests have in common: programs that are installed or can be, ports, processes that nobody reads.

use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Whether this program may install others.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs a package of Debian; `what` is missing without it, and `otherwise` says what else would help.
pub fn install(package: &str, what: &str, otherwise: &str) -> Result<(), String> {
    if !is_root() {
        return Err(format!("no `{what}` here: {otherwise}"));
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "--no-install-recommends", package]).env("DEBIAN_FRONTEND", "noninteractive");
    match quiet(&mut install).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("no `{what}` here, and `apt-get install {package}` failed")),
    }
}

/// The program under another user where it refuses to run as root.
pub fn as_user(user: &str, program: &std::path::Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

/// A server keeps what it was given as its output for as long as it runs.
pub fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// A port of this machine that nobody listens at.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|error| format!("no free port: {error}"))?.port())
}
