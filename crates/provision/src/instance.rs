//! A private server in a folder of the workspace: made once, started and stopped as often as one likes. Its port stays the same.
//! What it has kept is never removed.

use crate::account::{Account, set_mode};
use crate::failure::ProvisionFailure;
use crate::{postgresql, programs, unit};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use vocab::Engine;

/// Ports below those that systems give away by themselves, so that a stopped server finds its own again.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;
/// How many of them are tried.
const PORTS_TRIED: u16 = 200;
/// How long a server that is there may take to take a connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds that a server may take to start: it may have to make good what a crash has left.
const START_TIMEOUT: &str = "60";
/// How often it is tried: after a crash, processes of the server that is gone may take a moment to see that it is.
const START_ATTEMPTS: u32 = 10;
const START_PAUSE: Duration = Duration::from_millis(500);
/// Lines of a program that are repeated when it fails.
const LINES_SAID: usize = 3;

/// A server. Cheap to make; nothing is made or looked at before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    engine: Engine,
    name: String,
    folder: PathBuf,
}

/// What is known of a server that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    engine: Engine,
    port: u16,
    /// The folder of the programs that made it: others may not understand what it keeps.
    programs: PathBuf,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was never made.
    Absent,
    /// It was made and does not run.
    Stopped,
    /// It takes connections.
    Running,
}

/// What starting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It runs now.
    Started,
    /// It ran already.
    RanAlready,
}

/// The servers that were made in a folder, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn instances(servers: &Path) -> Result<Vec<Instance>, ProvisionFailure> {
    let entries = match fs::read_dir(servers) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ProvisionFailure::file(servers)(error)),
    };
    let mut found = Vec::new();
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()).map(ToOwned::to_owned) else { continue };
        if let Some(record) = Record::read(&folder)? {
            found.push(Instance { engine: record.engine, name, folder });
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

impl Instance {
    /// The server for a database of that name, beneath the folder of all servers.
    #[must_use]
    pub fn of_database(engine: Engine, database: &str, servers: &Path) -> Self {
        let name = format!("{engine}_{database}");
        Self { engine, folder: servers.join(&name), name }
    }

    /// What it is called: `postgresql_shop`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The unit for systemd.
    #[must_use]
    pub fn unit_file(&self) -> PathBuf {
        self.folder.join(format!("{}.service", self.name))
    }

    /// Where it listens, as `127.0.0.1:20123`; `None` while it was not made.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn address(&self) -> Result<Option<SocketAddr>, ProvisionFailure> {
        Ok(Record::read(&self.folder)?.map(|record| record.address()))
    }

    /// How it stands. One that is not ours at its port does not count as running.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn state(&self) -> Result<State, ProvisionFailure> {
        let Some(record) = Record::read(&self.folder)? else { return Ok(State::Absent) };
        let says_port = |text: String| text.lines().nth(3) == Some(record.port.to_string().as_str());
        let is_ours = fs::read_to_string(self.data().join("postmaster.pid")).is_ok_and(says_port);
        let answers = is_ours && TcpStream::connect_timeout(&record.address(), ANSWER_TIMEOUT).is_ok();
        Ok(if answers { State::Running } else { State::Stopped })
    }

    /// Makes it, with its superuser's password. What a run that was killed has left unfinished is made anew: nobody has been
    /// able to keep anything in it.
    ///
    /// # Errors
    /// [`ProvisionFailure`], and nothing counts as made.
    pub fn make(&self, password: &str) -> Result<(), ProvisionFailure> {
        if Record::read(&self.folder)?.is_some() {
            return Ok(());
        }
        let programs = programs::find(self.engine)?;
        let account = Account::of(self.engine, postgresql::ACCOUNT)?;
        self.make_folders(&account)?;
        let password_file = self.data().with_file_name("password");
        account.make_file(&password_file, password).map_err(ProvisionFailure::file(&password_file))?;
        let made = self.initialise(&programs, &account, &password_file);
        let removed = fs::remove_file(&password_file).map_err(ProvisionFailure::file(&password_file));
        made.and(removed)?;
        let record = Record { engine: self.engine, port: self.choose_port()?, programs };
        let settings = postgresql::settings(record.port, &self.log());
        let unit = unit::text(&self.name, account.name(), &record.programs.join("postgres"), &self.data(), &settings);
        fs::write(self.unit_file(), unit).map_err(ProvisionFailure::file(self.unit_file()))?;
        // Last: it says that all the rest is there.
        record.write(&self.folder)
    }

    fn make_folders(&self, account: &Account) -> Result<(), ProvisionFailure> {
        let servers = self.folder.parent().unwrap_or(&self.folder);
        let state = servers.parent().unwrap_or(servers);
        for folder in [servers, &self.folder] {
            fs::create_dir_all(folder)
                .and_then(|()| set_mode(folder, 0o711))
                .map_err(ProvisionFailure::file(folder))?;
        }
        account.admit(state).map_err(ProvisionFailure::file(state))?;
        account.must_reach(&self.folder)?;
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).map_err(ProvisionFailure::file(&data))?;
        }
        for folder in [data, self.log()] {
            account.make_folder(&folder).map_err(ProvisionFailure::file(&folder))?;
        }
        Ok(())
    }

    fn initialise(&self, programs: &Path, account: &Account, password: &Path) -> Result<(), ProvisionFailure> {
        let mut failed = Ok(());
        for locale in postgresql::LOCALES {
            let mut initdb = account.command(&programs.join("initdb"));
            initdb.arg("--pgdata").arg(self.data()).arg("--pwfile").arg(password);
            initdb.args(["--username", postgresql::SUPERUSER, "--auth", "scram-sha-256"]);
            initdb.args(["--encoding", "UTF8", "--locale", locale, "--data-checksums"]);
            failed = self.carry_out("initdb", &mut initdb);
            if failed.is_ok() {
                break;
            }
        }
        failed
    }

    /// Starts it, if it does not run. It goes on when this program ends.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it cannot be started.
    pub fn start(&self) -> Result<Begun, ProvisionFailure> {
        if self.state()? == State::Running {
            return Ok(Begun::RanAlready);
        }
        let record = self.record()?;
        if TcpListener::bind(record.address()).is_err() {
            return Err(ProvisionFailure::PortTaken { port: record.port, record: Record::file(&self.folder) });
        }
        let account = Account::of(self.engine, postgresql::ACCOUNT)?;
        account.must_reach(&self.folder)?;
        let options = postgresql::options(&postgresql::settings(record.port, &self.log()));
        let log = self.log().join("start.log");
        let attempt = || {
            // What is said in there is of this attempt.
            let _ = fs::remove_file(&log);
            let mut start = account.command(&record.programs.join("pg_ctl"));
            start.arg("--pgdata").arg(self.data()).arg("--log").arg(&log);
            start.args(["--wait", "--timeout", START_TIMEOUT, "--options", &options, "start"]);
            self.carry_out("pg_ctl start", &mut start)
        };
        for _ in 1..START_ATTEMPTS {
            if attempt().is_ok() {
                return Ok(Begun::Started);
            }
            std::thread::sleep(START_PAUSE);
        }
        attempt().map(|()| Begun::Started).map_err(|failure| match failure {
            ProvisionFailure::Program { program, said, log: folder } => {
                let said = fs::read_to_string(&log).map_or(said, |text| last_lines(&text));
                ProvisionFailure::Program { program, said, log: folder }
            }
            other => other,
        })
    }

    /// Ends it in order, if it runs: what is being done is undone, what was done is kept.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it goes on.
    pub fn stop(&self) -> Result<(), ProvisionFailure> {
        if self.state()? != State::Running {
            return Ok(());
        }
        let record = self.record()?;
        let account = Account::of(self.engine, postgresql::ACCOUNT)?;
        let mut stop = account.command(&record.programs.join("pg_ctl"));
        stop.arg("--pgdata").arg(self.data()).args(["--wait", "--mode", "fast", "stop"]);
        self.carry_out("pg_ctl stop", &mut stop)
    }

    /// What it keeps.
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn record(&self) -> Result<Record, ProvisionFailure> {
        let file = Record::file(&self.folder);
        Record::read(&self.folder)?.ok_or_else(|| ProvisionFailure::file(file)(std::io::ErrorKind::NotFound.into()))
    }

    /// The same for the same folder, as long as nobody else has it.
    fn choose_port(&self) -> Result<u16, ProvisionFailure> {
        let digest = vocab::sha256_hex(self.folder.as_os_str().as_encoded_bytes());
        let begin = u16::from_str_radix(&digest[..4], 16).unwrap_or(0) % PORTS;
        (0..PORTS_TRIED)
            .map(|step| FIRST_PORT + (begin + step) % PORTS)
            .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
            .ok_or_else(|| ProvisionFailure::PortTaken { port: FIRST_PORT + begin, record: Record::file(&self.folder) })
    }

    fn carry_out(&self, name: &str, command: &mut Command) -> Result<(), ProvisionFailure> {
        let failed = |said: String| ProvisionFailure::Program { program: name.to_owned(), said, log: self.log() };
        // The server keeps what it was given as its output for as long as it runs: nobody would see the end of a pipe.
        let output = self.log().with_file_name("output");
        let file = fs::File::create(&output).map_err(ProvisionFailure::file(&output))?;
        let copy = file.try_clone().map_err(ProvisionFailure::file(&output))?;
        let ended = command.stdout(file).stderr(copy).status();
        let said = fs::read_to_string(&output).unwrap_or_default();
        // It is read; nobody misses it.
        let _ = fs::remove_file(&output);
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(failed(last_lines(&said))),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn last_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.drain(..lines.len().saturating_sub(LINES_SAID));
    lines.join("; ")
}

impl Record {
    fn file(folder: &Path) -> PathBuf {
        folder.join("server.json")
    }

    fn read(folder: &Path) -> Result<Option<Self>, ProvisionFailure> {
        let path = Self::file(folder);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| ProvisionFailure::Damaged { path, why: error.to_string() }),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(ProvisionFailure::file(path)(error)),
        }
    }

    fn write(&self, folder: &Path) -> Result<(), ProvisionFailure> {
        let path = Self::file(folder);
        let damaged =
            |error: serde_json::Error| ProvisionFailure::Damaged { path: path.clone(), why: error.to_string() };
        let text = serde_json::to_vec_pretty(self).map_err(damaged)?;
        let temporary = folder.join(".server.json.tmp");
        fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &path)).map_err(ProvisionFailure::file(&path))
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}
