//! A server that speaks MongoDB's protocol, for the tests: the one that `TEST_MONGODB_URL` names, else a private one: `mongod` where it
//! is installed, else FerretDB, on the path or built by `go`. What it cannot do the product finds out by itself.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::installed::{free_port, quiet, scratch};
use crate::repository::Repository;

/// What tests are handed.
pub const VARIABLE: &str = "TEST_MONGODB_URL";
const STAND_IN: &str = "ferretdb";
/// The last version that keeps its data in files of SQLite and so needs no server beside it.
const MODULE: &str = "github.com/FerretDB/FerretDB";
const VERSION: &str = "v1.24.2";
const FOLDER: &str = "target/go";
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A server that runs.
pub struct Server {
    pub url: String,
    /// Where it came from, for people.
    pub origin: String,
    own: Option<(PathBuf, Child)>,
}

impl Server {
    /// The named one, or a private one; the reason where neither can be had.
    pub fn obtain(repository: &Repository) -> Result<Self, String> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Ok(Self { url, origin: format!("`{VARIABLE}`"), own: None });
        }
        match on_the_path("mongod") {
            Some(program) => start(&program, |folder, port| {
                let port = port.to_string();
                ["--bind_ip", "127.0.0.1", "--port", &port, "--dbpath", folder].map(str::to_owned).into()
            }),
            None => start(&stand_in(repository)?, |folder, port| {
                vec![
                    "--handler=sqlite".to_owned(),
                    format!("--sqlite-url=file:{folder}/"),
                    format!("--listen-addr=127.0.0.1:{port}"),
                    "--telemetry=disable".to_owned(),
                    "--debug-addr=-".to_owned(),
                    format!("--state-dir={folder}"),
                ]
            }),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((folder, process)) = &mut self.own {
            let _ = process.kill();
            let _ = process.wait();
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// `go install` leaves out the file that says its version, without which it does not start: so it is built in a copy of its module.
fn stand_in(repository: &Repository) -> Result<PathBuf, String> {
    let folder = repository.root.join(FOLDER);
    let program = folder.join(STAND_IN);
    if let Some(found) = on_the_path(STAND_IN).or_else(|| program.is_file().then(|| program.clone())) {
        return Ok(found);
    }
    let failed = |what: &str| format!("no `mongod` and no `{STAND_IN}` here, and {what}");
    let mut download = Command::new("go");
    let said = download.args(["mod", "download", "-json", &format!("{MODULE}@{VERSION}")]).output();
    let said = said.map_err(|_| failed("no `go` that could build it"))?;
    let module: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
    let module = module["Dir"].as_str().ok_or_else(|| failed("its module cannot be had"))?;
    let source = folder.join(format!("{STAND_IN}-source"));
    let copied = fs::create_dir_all(&folder).is_ok()
        && quiet(Command::new("cp").args(["-r", module]).arg(&source)).status().is_ok_and(|status| status.success())
        && quiet(Command::new("chmod").args(["-R", "u+w"]).arg(&source)).status().is_ok_and(|status| status.success())
        && fs::write(source.join("build/version/version.txt"), VERSION).is_ok();
    let mut build = Command::new("go");
    build.current_dir(&source).args(["build", "-o"]).arg(&program).arg("./cmd/ferretdb");
    let built = copied && quiet(&mut build).status().is_ok_and(|status| status.success());
    let _ = fs::remove_dir_all(&source);
    if built { Ok(program) } else { Err(failed("it cannot be built")) }
}

fn start(program: &Path, arguments: impl Fn(&str, u16) -> Vec<String>) -> Result<Server, String> {
    let folder = scratch().join(format!("producer-mongodb-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    let port = free_port()?;
    let mut run = Command::new(program);
    run.args(arguments(&folder.display().to_string(), port)).current_dir(&folder);
    let process = quiet(&mut run).spawn().map_err(|error| format!("`{}`: {error}", program.display()))?;
    let url = format!("mongodb://127.0.0.1:{port}/tests");
    let server = Server { url, origin: program.display().to_string(), own: Some((folder, process)) };
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(server);
        }
        std::thread::sleep(POLL);
    }
    Err(format!("`{}` does not start", program.display()))
}
