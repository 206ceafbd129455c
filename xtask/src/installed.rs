//! What private servers for the tests have in common: programs that are installed or can be, ports, processes that nobody reads.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const MEMORY: &str = "/dev/shm";
/// Several times of what was seen to be used at once.
const ROOM_KIB: u64 = 8 << 20;

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

/// Where tests and their servers have their files: in memory where the machine has much of it to give away, for nobody needs them on a disk,
/// which makes and forgets a hundred thousand of them slowly.
pub fn scratch() -> PathBuf {
    let free = Command::new("df").args(["-Pk", MEMORY]).output().ok().filter(|output| output.status.success());
    let free = free.and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    });
    if free.is_some_and(|free_kib| free_kib >= ROOM_KIB) { PathBuf::from(MEMORY) } else { std::env::temp_dir() }
}

/// A port of this machine that nobody listens at.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(listener.map_err(|error| format!("no free port: {error}"))?.port())
}
