//! A MariaDB server of a test's own, from installed programs, and the engine's own client. It ends with the value that stands for it.

use super::postgresql::is_root;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A server that runs.
pub struct PrivateServer {
    _folder: TempDir,
    port: u16,
    run: Command,
    process: Child,
}

impl PrivateServer {
    /// Whether programs are installed.
    pub fn is_possible() -> bool {
        program("mariadbd").and(program("mariadb-install-db")).is_some()
    }

    /// One at that port with a database, a superuser with this password and these options; none where no programs are installed.
    pub fn start(port: u16, database: &str, password: &str, options: &[&str]) -> Option<Self> {
        let (server, install) = (program("mariadbd")?, program("mariadb-install-db")?);
        let folder = tempfile::tempdir().unwrap();
        let setup = folder.path().join("setup.sql");
        let statements = format!(
            "CREATE DATABASE {database};\nCREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        fs::write(&setup, statements).unwrap();
        if is_root() {
            must(Command::new("chown").args(["-R", "mysql"]).arg(folder.path()));
        }
        // Both programs give root's rights up by themselves.
        let user = is_root().then_some("--user=mysql");
        let data = format!("--datadir={}", folder.path().join("data").display());
        // Servers that share a folder for temporary files remove each other's.
        let temporary = format!("--tmpdir={}", folder.path().display());
        must(Command::new(install).args(["--no-defaults", "--skip-test-db", &data, &temporary]).args(user));
        let mut run = Command::new(server);
        run.args(["--no-defaults", "--bind-address=127.0.0.1", "--socket=", "--skip-name-resolve", &data]).args(user);
        run.arg(temporary);
        run.arg(format!("--port={port}")).arg(format!("--init-file={}", setup.display()));
        run.arg("--innodb-flush-log-at-trx-commit=0").args(options);
        let process = quiet(&mut run).spawn().unwrap();
        let server = Self { _folder: folder, port, run, process };
        server.wait();
        Some(server)
    }

    /// Ends it as a failing machine would, and starts it again with the same files.
    pub fn kill_and_start(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = self.run.spawn().unwrap();
        self.wait();
    }

    /// Ends it in order, and starts it again.
    pub fn restart(&mut self) {
        must(Command::new("kill").args(["-TERM", &self.process.id().to_string()]));
        self.process.wait().unwrap();
        self.process = self.run.spawn().unwrap();
        self.wait();
    }

    fn wait(&self) {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not start");
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the engine's own client says to statements, a row a line; what it complains of when it complains.
pub fn mysql(url: &str, statements: &str) -> Result<String, String> {
    let output =
        client(url).args(["-e", statements]).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The engine's own client.
pub fn client(url: &str) -> Command {
    let (user, place) = url.trim_start_matches("mysql://").rsplit_once('@').unwrap();
    let ((user, password), (address, database)) = (user.split_once(':').unwrap(), place.split_once('/').unwrap());
    // Of what a URL writes in another way a generated password has these.
    let password = password.replace("%2D", "-").replace("%5F", "_");
    let (host, port) = address.split_once(':').unwrap_or((address, "3306"));
    let mut client = Command::new(program("mariadb").unwrap_or_else(|| "mysql".into()));
    client.args(["--no-defaults", "-BN", "-h", host, "-P", port, "-u", user, database]).env("MYSQL_PWD", password);
    client
}

/// Somebody else at the database, with the engine's own client: what they hold is held until they end.
pub struct Session {
    client: Child,
    pub connection: String,
}

impl Session {
    /// Runs statements; they are done when this returns.
    pub fn holding(url: &str, statements: &str) -> Self {
        let mut client = client(url);
        let mut client = client.arg("--unbuffered").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(client.stdout.take().unwrap());
        writeln!(client.stdin.as_mut().unwrap(), "{statements};\nSELECT CONCAT('connection ', CONNECTION_ID());")
            .unwrap();
        let lines = output.lines().map_while(Result::ok);
        let connection = lines.filter_map(|line| line.strip_prefix("connection ").map(str::to_owned)).next();
        Self { client, connection: connection.expect("the statements were refused") }
    }

    /// The connection ends in order, and what it has not committed leaves nothing.
    pub fn end(mut self) {
        drop(self.client.stdin.take());
        let _ = self.client.wait();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where a program is: on the path, or where packages keep those of servers.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.current_dir(Path::new("/")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn must(command: &mut Command) {
    let status = quiet(command).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
