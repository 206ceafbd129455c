//! A PostgreSQL server of a test's own, from installed programs, for what cannot be done to one that others use: its
//! certificates, who is let in, copies that are replicas. It ends with the value that stands for it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

/// The superuser's.
pub const PASSWORD: &str = "private-to-this-test";

/// Who is let in where a test says nothing else.
pub const PASSWORD_ONLY: &str = "host all all 127.0.0.1/32 scram-sha-256\n";

pub struct PrivateServer {
    folder: TempDir,
    programs: PathBuf,
    pub port: u16,
}

impl PrivateServer {
    /// One that runs, with these lines of `pg_hba.conf` and options of the server; none where no programs are installed, which is said.
    pub fn start(test: &str, admits: &str, options: &str) -> Option<Self> {
        let server = Self::make(test, admits)?;
        server.launch(options);
        Some(server)
    }

    /// One that does not run yet.
    pub fn make(test: &str, admits: &str) -> Option<Self> {
        Self::make_with(test, admits, PASSWORD)
    }

    /// One that does not run yet, whose superuser has this password.
    pub fn make_with(test: &str, admits: &str, password_text: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no `initdb` of PostgreSQL is installed");
            return None;
        };
        let server = Self { folder: tempfile::tempdir().unwrap(), programs, port: free_port() };
        let password = server.path("password");
        fs::write(&password, password_text).unwrap();
        server.hand_over();
        let mut initdb = server.program("initdb");
        initdb.arg("-D").arg(server.path("data")).arg("--pwfile").arg(password);
        initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C.UTF-8"]);
        must(&mut initdb);
        fs::write(server.path("data/pg_hba.conf"), admits).unwrap();
        Some(server)
    }

    /// A copy of one that does not run.
    pub fn copy(&self) -> Self {
        let copy = Self { folder: tempfile::tempdir().unwrap(), programs: self.programs.clone(), port: free_port() };
        must(Command::new("cp").arg("-a").arg(self.path("data")).arg(copy.path("data")));
        copy.hand_over();
        copy
    }

    /// Starts it with these options.
    pub fn launch(&self, options: &str) {
        self.hand_over();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories='' {options}",
            self.port
        );
        let mut start = self.program("pg_ctl");
        start.arg("-D").arg(self.path("data")).arg("-l").arg(self.path("log"));
        // Not `-w`: it asks for a connection, and not every server of a test gives one.
        start.args(["-W", "-o", &options, "start"]);
        must(&mut start);
        let ready = || {
            fs::read_to_string(self.path("data/postmaster.pid"))
                .is_ok_and(|text| text.contains("ready") || text.contains("standby"))
        };
        for _ in 0..600 {
            if ready() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{}", fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Whether programs are installed.
    pub fn is_possible() -> bool {
        programs().is_some()
    }

    /// Makes a replica a primary.
    pub fn promote(&self) {
        must(self.program("pg_ctl").arg("-D").arg(self.path("data")).args(["-W", "promote"]));
    }

    /// Ends it in order.
    pub fn stop(&self) {
        must(self.program("pg_ctl").arg("-D").arg(self.path("data")).args(["-w", "-m", "fast", "stop"]));
    }

    /// Ends it as a failing machine would, and waits until nothing of it is left.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.path("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().trim();
        let children = || Command::new("pgrep").args(["-P", pid]).output().unwrap().stdout;
        let children = String::from_utf8(children()).unwrap();
        must(Command::new("kill").args(["-9", pid]));
        for process in std::iter::once(pid).chain(children.split_whitespace()) {
            while Path::new("/proc").join(process).join("exe").exists() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        fs::remove_file(self.path("data/postmaster.pid")).unwrap();
    }

    /// Has it read its files again.
    pub fn reload(&self) {
        self.hand_over();
        must(self.program("pg_ctl").arg("-D").arg(self.path("data")).arg("reload"));
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the superuser gets in, from a host with parameters.
    pub fn url_at(&self, host: &str, parameters: &str) -> String {
        format!("postgresql://postgres:{PASSWORD}@{host}:{}/postgres{parameters}", self.port)
    }

    /// Where the superuser gets in.
    pub fn url(&self) -> String {
        self.url_at("127.0.0.1", "")
    }

    /// The programs refuse to run as root, and so its files are another user's.
    fn hand_over(&self) {
        if is_root() {
            must(Command::new("chown").args(["-R", "postgres"]).arg(self.folder.path()));
        }
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // One that never ran is as good.
        let _ = quiet(self.program("pg_ctl").arg("-D").arg(self.path("data")).args(["-w", "-m", "immediate", "stop"]))
            .status();
    }
}

/// The folder of the newest installed programs.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

/// What the engine's own client says to statements, a row a line; what it complains of when it complains.
pub fn psql(url: &str, statements: &str) -> Result<String, String> {
    let output =
        client(url).args(["-c", statements]).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The engine's own client.
pub fn client(url: &str) -> Command {
    let program = programs().map(|folder| folder.join("psql")).filter(|program| program.is_file());
    let mut command = Command::new(program.unwrap_or_else(|| "psql".into()));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]);
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A server keeps what it was given as its output for as long as it runs.
fn quiet(command: &mut Command) -> &mut Command {
    command.current_dir(Path::new("/")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn must(command: &mut Command) {
    let status = quiet(command).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Somebody else at the database, with the engine's own client: what a transaction of theirs holds is held until it ends.
pub struct Session {
    client: Child,
    statements: ChildStdin,
    pub process: String,
}

impl Session {
    /// Begins a transaction and runs statements in it; they are done when this returns.
    pub fn holding(url: &str, statements: &str) -> Self {
        let mut client = client(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, output) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        writeln!(input, "BEGIN;\n{statements};\nSELECT 'process ' || pg_backend_pid();").unwrap();
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        let process = lines.filter_map(|line| line.strip_prefix("process ").map(str::to_owned)).next();
        Self { client, statements: input, process: process.expect("the statements were refused") }
    }

    /// The transaction ends, and leaves nothing.
    pub fn end(mut self) {
        // Whose server is gone has ended already.
        let _ = writeln!(self.statements, "ROLLBACK;\n\\q");
        let _ = self.client.wait();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
