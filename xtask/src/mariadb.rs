//! A MariaDB server for the tests: the one that `TEST_MYSQL_URL` names, else a private one from installed programs, on a port that the
//! system chooses, with a folder of its own. It ends with the value that stands for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::installed::{free_port, install, is_root, quiet, scratch};

/// What tests are handed.
pub const VARIABLE: &str = "TEST_MYSQL_URL";
const PASSWORD: &str = "private-to-the-tests";
/// The database that tests connect to before they have one of their own.
const DATABASE: &str = "tests";
/// How long the server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A server that runs.
pub struct Server {
    /// Where it is: as the user who may do everything.
    pub url: String,
    /// Where it came from, for people.
    pub origin: String,
    own: Option<Own>,
}

/// What must be ended and removed.
struct Own {
    folder: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// The named one, or a private one; the reason where neither can be had.
    pub fn obtain() -> Result<Self, String> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Ok(Self { url, origin: format!("`{VARIABLE}`"), own: None });
        }
        start(&installed_program()?, "0", &scratch())
    }

    /// A private one that waits for the disk as servers do: what is measured on it is what users get.
    pub fn durable() -> Result<Self, String> {
        start(&installed_program()?, "1", &std::env::temp_dir())
    }

    /// The same server, another database.
    pub fn database(&self, name: &str) -> String {
        self.url.rsplit_once('/').map_or_else(|| self.url.clone(), |(server, _)| format!("{server}/{name}"))
    }
}

fn installed_program() -> Result<PathBuf, String> {
    if let Some(program) = program("mariadbd") {
        return Ok(program);
    }
    let otherwise = "install MariaDB 10.11 or newer, or name a server in `TEST_MYSQL_URL`";
    install("mariadb-server", "mariadbd", otherwise)?;
    program("mariadbd").ok_or_else(|| "`mariadbd` is not there even after the package was installed".to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            // Nothing depends on it any more; a server that is gone already is as good.
            if let Some(process) = &mut own.process {
                let _ = process.kill();
                let _ = process.wait();
            }
            let _ = fs::remove_dir_all(&own.folder);
        }
    }
}

/// Where a program is: on the path, or where Debian keeps those of servers.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn start(program: &Path, flush: &str, beside: &Path) -> Result<Server, String> {
    let failed = |what: &str| format!("MariaDB, `{}`: {what} failed", program.display());
    let folder = beside.join(format!("producer-mariadb-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    let own = Own { folder: folder.clone(), process: None };
    // From here on the folder is removed whatever happens.
    let mut server = Server { url: String::new(), origin: program.display().to_string(), own: Some(own) };
    let setup = folder.join("setup.sql");
    let statements = format!(
        "CREATE USER tests@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO tests@'127.0.0.1' WITH GRANT OPTION;\n\
         CREATE DATABASE {DATABASE};\n"
    );
    fs::write(&setup, statements).map_err(|error| format!("cannot write `{}`: {error}", setup.display()))?;
    if is_root()
        && !quiet(Command::new("chown").args(["-R", "mysql"]).arg(&folder))
            .status()
            .is_ok_and(|status| status.success())
    {
        return Err(failed("giving its folder to the user `mysql`"));
    }
    let data = folder.join("data");
    // Servers that share a folder for temporary files remove each other's.
    let temporary = format!("--tmpdir={}", folder.display());
    // Both programs give root's rights up by themselves.
    let user = is_root().then_some("--user=mysql");
    let mut initial = Command::new("mariadb-install-db");
    initial.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    initial.arg(format!("--datadir={}", data.display())).arg(&temporary).args(user);
    if !quiet(&mut initial).status().is_ok_and(|status| status.success()) {
        return Err(failed("`mariadb-install-db`"));
    }
    let port = free_port()?;
    let mut run = Command::new(program);
    // The binary log is on where data matters. Who may make triggers beside it is a setting that hosted servers have on.
    run.args([
        "--no-defaults",
        "--bind-address=127.0.0.1",
        &format!("--innodb-flush-log-at-trx-commit={flush}"),
        "--skip-name-resolve",
    ]);
    run.args(user);
    run.args(["--max-connections=300", "--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"]);
    run.arg("--log-bin-trust-function-creators=1");
    run.arg(temporary).arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
    run.arg(format!("--socket={}", folder.join("socket").display()));
    run.arg(format!("--init-file={}", setup.display()));
    let process = quiet(&mut run).spawn().map_err(|error| format!("{}: {error}", failed("starting")))?;
    if let Some(own) = &mut server.own {
        own.process = Some(process);
    }
    wait_for(port).ok_or_else(|| failed("starting"))?;
    server.url = format!("mysql://tests:{PASSWORD}@127.0.0.1:{port}/{DATABASE}");
    Ok(server)
}

/// Until somebody listens: the init file has been read by then.
fn wait_for(port: u16) -> Option<()> {
    let began = Instant::now();
    while began.elapsed() < START_TIMEOUT {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(());
        }
        std::thread::sleep(POLL);
    }
    None
}
