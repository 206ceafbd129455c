//! A private server in a folder of the workspace: made once, started and stopped as often as one likes. Its port stays the same.
//! What it has kept is never removed.

use crate::account::{Account, set_mode};
use crate::answers;
use crate::failure::ProvisionFailure;
use crate::folder::Folder;
use crate::postgresql::{self, Recovery};
use crate::programs::{Programs, Runs};
use crate::unit;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use vocab::Engine;

/// Ports below those that systems give away by themselves, so that a stopped server finds its own again.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 10_000;
/// How many of them are tried.
const PORTS_TRIED: u16 = 200;

/// A server. Cheap to make; nothing is made or looked at before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    engine: Engine,
    name: String,
    folder: Folder,
    keeps_log: bool,
}

/// What is known of a server that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    engine: Engine,
    port: u16,
    programs: Programs,
    #[serde(default)]
    keeps_log: bool,
}

/// Who may do everything on a server that is made.
pub struct FirstUser<'u> {
    /// The password.
    pub password: &'u str,
    /// Statements, one a line, that leave a server to that user alone and end it, for an engine that is told so by statements.
    pub statements: &'u str,
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
            let keeps_log = record.keeps_log;
            found.push(Instance { engine: record.engine, name, folder: Folder::new(folder), keeps_log });
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
        Self { engine, folder: Folder::new(servers.join(&name)), name, keeps_log: false }
    }

    /// The same one, which is to keep a log of what is committed, for backups of every moment. PostgreSQL always has one.
    #[must_use]
    pub fn keeping_log(self, keeps_log: bool) -> Self {
        Self { keeps_log, ..self }
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
        self.folder.path()
    }

    /// The unit for systemd.
    #[must_use]
    pub fn unit_file(&self) -> PathBuf {
        self.folder().join(format!("{}.service", self.name))
    }

    /// Where it listens, as `127.0.0.1:20123`; `None` while it was not made.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn address(&self) -> Result<Option<SocketAddr>, ProvisionFailure> {
        Ok(Record::read(self.folder())?.map(|record| record.address()))
    }

    /// How it stands. One that is not ours at its port does not count as running.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn state(&self) -> Result<State, ProvisionFailure> {
        let Some(record) = Record::read(self.folder())? else { return Ok(State::Absent) };
        let runs = record.programs.has_port(&self.folder, record.port) && answers(record.port);
        Ok(if runs { State::Running } else { State::Stopped })
    }

    /// Makes it, and leaves it to its superuser. What a run that was killed has left unfinished is made anew: nobody has been
    /// able to keep anything in it.
    ///
    /// # Errors
    /// [`ProvisionFailure`], and nothing counts as made.
    pub fn make(&self, user: &FirstUser<'_>) -> Result<(), ProvisionFailure> {
        if Record::read(self.folder())?.is_some() {
            return Ok(());
        }
        let programs = Programs::find(self.engine)?;
        let account = programs.account()?;
        self.make_ways(&account)?;
        let _alone = programs.alone(&self.folder)?;
        self.make_folders(&account)?;
        programs.initialise(&self.folder, &account, user)?;
        self.note(&self.record_of(programs)?, &account)
    }

    /// Sees that a server that was made keeps its log, or no longer, as is meant now: one that is to keep it is stopped for that. Whether
    /// it was.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it goes on, or what is known of it cannot be written.
    pub fn follow_log(&self) -> Result<bool, ProvisionFailure> {
        let record = self.record()?;
        if record.keeps_log == self.keeps_log || self.engine != Engine::MySql {
            return Ok(false);
        }
        // One that keeps it for nobody does so until it is started anew.
        let stops = self.keeps_log && self.state()? == State::Running;
        if stops {
            self.stop()?;
        }
        let account = record.programs.account()?;
        self.note(&Record { keeps_log: self.keeps_log, ..record }, &account)?;
        Ok(stops)
    }

    fn record_of(&self, programs: Programs) -> Result<Record, ProvisionFailure> {
        Ok(Record { engine: self.engine, port: self.choose_port()?, programs, keeps_log: self.keeps_log })
    }

    /// Writes down how it is started; its record last, which says that all the rest is there.
    fn note(&self, record: &Record, account: &Account) -> Result<(), ProvisionFailure> {
        let service = record.programs.service(&self.folder, record.runs());
        let unit = unit::text(&self.name, account.name(), &service, &self.folder.data());
        fs::write(self.unit_file(), unit).map_err(ProvisionFailure::file(self.unit_file()))?;
        record.write(self.folder())
    }

    /// Makes a PostgreSQL server of a copy of another one, and starts it: it holds what that one held at the moment that is meant.
    ///
    /// # Errors
    /// [`ProvisionFailure`], and nothing counts as made.
    pub fn recover(&self, version: i32, recovery: &mut Recovery<'_>) -> Result<(), ProvisionFailure> {
        let found = postgresql::Programs::of_version(version);
        let own = found.ok_or(ProvisionFailure::NotInstalled(self.engine))?;
        let programs = Programs::PostgreSql(own.clone());
        let account = programs.account()?;
        self.make_ways(&account)?;
        let _alone = programs.alone(&self.folder)?;
        self.make_folders(&account)?;
        let record = self.record_of(programs)?;
        if let Err(failure) = own.recover(&self.folder, &account, record.port, recovery) {
            // It may have come half way.
            let _ = own.stop(&self.folder, &account, record.port);
            return Err(failure);
        }
        self.note(&record, &account)
    }

    /// Ends it and takes away all that it has kept: of a server that nobody was to see.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it goes on, or something stays.
    pub fn discard(&self) -> Result<(), ProvisionFailure> {
        self.stop()?;
        match fs::remove_dir_all(self.folder()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ProvisionFailure::file(self.folder())(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A folder that the one who runs the server can come to.
    fn make_ways(&self, account: &Account) -> Result<(), ProvisionFailure> {
        let servers = self.folder().parent().unwrap_or(self.folder());
        let state = servers.parent().unwrap_or(servers);
        for folder in [servers, self.folder()] {
            fs::create_dir_all(folder)
                .and_then(|()| set_mode(folder, 0o711))
                .map_err(ProvisionFailure::file(folder))?;
        }
        account.admit(state).map_err(ProvisionFailure::file(state))?;
        account.must_reach(self.folder())
    }

    fn make_folders(&self, account: &Account) -> Result<(), ProvisionFailure> {
        let data = self.folder.data();
        if data.exists() {
            fs::remove_dir_all(&data).map_err(ProvisionFailure::file(&data))?;
        }
        for folder in [data, self.folder.log()] {
            account.make_folder(&folder).map_err(ProvisionFailure::file(&folder))?;
        }
        Ok(())
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
        if !record.programs.has_port(&self.folder, record.port) && TcpListener::bind(record.address()).is_err() {
            return Err(ProvisionFailure::PortTaken { port: record.port, record: Record::file(self.folder()) });
        }
        let account = record.programs.account()?;
        account.must_reach(self.folder())?;
        record.programs.start(&self.folder, &account, record.runs()).map(|()| Begun::Started)
    }

    /// Ends it in order, if it runs: what is being done is undone, what was done is kept.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it goes on.
    pub fn stop(&self) -> Result<(), ProvisionFailure> {
        let Some(record) = Record::read(self.folder())? else { return Ok(()) };
        record.programs.stop(&self.folder, &record.programs.account()?, record.port)
    }

    fn record(&self) -> Result<Record, ProvisionFailure> {
        let file = Record::file(self.folder());
        Record::read(self.folder())?.ok_or_else(|| ProvisionFailure::file(file)(std::io::ErrorKind::NotFound.into()))
    }

    /// The same for the same folder, as long as nobody else has it.
    fn choose_port(&self) -> Result<u16, ProvisionFailure> {
        let digest = vocab::sha256_hex(self.folder().as_os_str().as_encoded_bytes());
        let begin = u16::from_str_radix(&digest[..4], 16).unwrap_or(0) % PORTS;
        (0..PORTS_TRIED)
            .map(|step| FIRST_PORT + (begin + step) % PORTS)
            .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
            .ok_or_else(|| ProvisionFailure::PortTaken {
                port: FIRST_PORT + begin,
                record: Record::file(self.folder()),
            })
    }
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

    fn runs(&self) -> Runs {
        Runs { port: self.port, keeps_log: self.keeps_log }
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}
