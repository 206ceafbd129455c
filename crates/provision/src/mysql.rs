//! MySQL's and MariaDB's programs and the words they are called with. Neither has a program that starts a server and returns, so
//! that is done here; whether one runs is told by locks, which die with it.

use crate::account::Account;
use crate::answers;
use crate::failure::ProvisionFailure;
use crate::folder::{Folder, complaints};
use crate::instance::FirstUser;
use crate::lock::{self, Process};
use crate::programs::{Runs, search};
use crate::unit::Service;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Where packages put programs that are not on everybody's path: Debian and Red Hat, Oracle, Homebrew on either kind of Mac.
pub const PACKAGES: &[&str] = &[
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mysql/bin",
    "/usr/local/opt/mariadb/bin",
];
/// The user that packages make.
pub const ACCOUNT: &str = "mysql";
/// The superuser of a server that is made here.
pub const SUPERUSER: &str = "root";
/// How long a server may take to start: it may have to make good what a crash has left.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end: what is in memory alone is written.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// A log from which backups go on, of rows, whole after a crash, for three days: what was not fetched by then is not waited for.
const KEEPING_LOG: [&str; 6] = [
    "--log-bin=binlog",
    "--server-id=1",
    "--binlog-format=ROW",
    "--sync-binlog=1",
    "--binlog-expire-logs-seconds=259200",
    // Triggers are made by whoever may make tables, as without a log.
    "--log-bin-trust-function-creators=1",
];
const PAUSE: Duration = Duration::from_millis(50);

/// The programs of one maker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    server: PathBuf,
    maker: Maker,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Maker {
    MySql,
    /// Has a program of its own that makes what a server keeps.
    MariaDb {
        installer: PathBuf,
    },
}

impl Programs {
    /// Those that are installed. Of two makers it is the one that the engine is called after.
    pub fn find() -> Option<Self> {
        let folders = search(|| PACKAGES.iter().map(PathBuf::from).collect());
        let find = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
        // MariaDB's packages call its server by both names.
        let is_mysql = |program: &PathBuf| {
            fs::canonicalize(program).is_ok_and(|program| program.file_name().is_some_and(|name| name != "mariadbd"))
        };
        if let Some(server) = find("mysqld").filter(is_mysql) {
            return Some(Self { server, maker: Maker::MySql });
        }
        let (server, installer) = (find("mariadbd")?, find("mariadb-install-db")?);
        Some(Self { server, maker: Maker::MariaDb { installer } })
    }

    /// Makes what the server keeps, and leaves it to one user with a password.
    pub fn initialise(&self, folder: &Folder, account: &Account, user: &FirstUser<'_>) -> Result<(), ProvisionFailure> {
        let (data, temporary) = (folder.data(), temporary(folder));
        account.make_folder(&temporary).map_err(ProvisionFailure::file(&temporary))?;
        let [data, temporary] =
            [("datadir", data), ("tmpdir", temporary)].map(|(name, path)| format!("--{name}={}", path.display()));
        match &self.maker {
            Maker::MySql => {
                let mut initialise = account.command(&self.server);
                initialise.args(["--no-defaults", "--initialize-insecure", &data, &temporary]);
                folder.carry_out("mysqld --initialize-insecure", &mut initialise)?;
            }
            Maker::MariaDb { installer } => {
                let mut install = account.command(installer);
                install.args(["--no-defaults", "--skip-test-db", "--skip-name-resolve", &data, &temporary]);
                // Nobody but `root`, who cannot get in either: users without a password are not made at all.
                install.args(["--auth-root-authentication-method=socket", "--auth-root-socket-user=root"]);
                folder.carry_out("mariadb-install-db", &mut install)?;
            }
        }
        let statements = folder.path().join("setup.sql");
        account.make_file(&statements, user.statements).map_err(ProvisionFailure::file(&statements))?;
        let made = self.execute(folder, account, &statements);
        let removed = fs::remove_file(&statements).map_err(ProvisionFailure::file(&statements));
        made.and(removed)
    }

    /// Has a server that nobody reaches carry out statements, the last of which ends it.
    fn execute(&self, folder: &Folder, account: &Account, statements: &Path) -> Result<(), ProvisionFailure> {
        let log = ServerLog::from_now(folder);
        let mut run = account.command(&self.server);
        run.args(self.settings(folder, None)).arg("--skip-networking");
        run.arg(format!("--init-file={}", statements.display()));
        let mut server = spawn(folder, &mut run).map_err(|error| folder.failed(&self.name(), error.to_string()))?;
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            match server.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) | Err(_) => break,
                Ok(None) => std::thread::sleep(PAUSE),
            }
        }
        // It has refused a statement and goes on, or hangs. One that is gone already is as good.
        let _ = server.kill();
        let _ = server.wait();
        Err(folder.failed(&self.name(), log.said()))
    }

    /// The server that works on what is kept there.
    pub fn process(folder: &Folder) -> Option<Process> {
        lock::holder(&folder.data().join("ibdata1"))
    }

    /// What a service manager runs.
    pub fn service(&self, folder: &Folder, runs: Runs) -> Service {
        let mut words = vec![self.server.display().to_string()];
        words.extend(self.settings(folder, Some(runs)));
        Service { words, stop_signal: "SIGTERM" }
    }

    /// Whether this server is there, be it that it still starts or ends.
    pub fn is_there(folder: &Folder) -> bool {
        Self::process(folder).is_some() || folder.is_held()
    }

    /// Starts it, and waits until it takes connections. One that somebody else is starting is waited for.
    pub fn start(&self, folder: &Folder, account: &Account, runs: Runs) -> Result<(), ProvisionFailure> {
        let log = ServerLog::from_now(folder);
        let mut own: Option<Child> = None;
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if Self::is_there(folder) && answers(runs.port) {
                return Ok(());
            }
            match &mut own {
                Some(server) => {
                    if !matches!(server.try_wait(), Ok(None)) {
                        break;
                    }
                }
                None => own = self.launch(folder, account, runs)?,
            }
            std::thread::sleep(PAUSE);
        }
        Err(folder.failed(&self.name(), log.said()))
    }

    /// The server that begins to start, unless there is one.
    fn launch(&self, folder: &Folder, account: &Account, runs: Runs) -> Result<Option<Child>, ProvisionFailure> {
        // It holds that too, from its first moment on, and until its last.
        let held = folder.hold()?;
        if held.is_none() || Self::process(folder).is_some() {
            return Ok(None);
        }
        let mut run = account.command(&self.server);
        run.args(self.settings(folder, Some(runs)));
        spawn(folder, &mut run).map(Some).map_err(|error| folder.failed(&self.name(), error.to_string()))
    }

    /// Ends it in order, if it is there.
    pub fn stop(&self, folder: &Folder) -> Result<(), ProvisionFailure> {
        let begun = Instant::now();
        let mut told = None;
        while begun.elapsed() < STOP_TIMEOUT {
            if !Self::is_there(folder) {
                return Ok(());
            }
            // One that has only begun to start says a little later who it is.
            if let Some(process) = Self::process(folder).filter(|process| told != Some(*process)) {
                lock::terminate(process);
                told = Some(process);
            }
            std::thread::sleep(PAUSE);
        }
        Err(folder.failed(&self.name(), "it goes on, though it was told to end".to_owned()))
    }

    fn name(&self) -> String {
        self.server.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The settings of the server, without a port and a log for one that nobody reaches. The first must stay the first.
    fn settings(&self, folder: &Folder, runs: Option<Runs>) -> Vec<String> {
        let mut settings = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", folder.data().display()),
            // A server that starts removes what it takes for its own of an earlier life: none shares this folder with another.
            format!("--tmpdir={}", temporary(folder).display()),
            format!("--pid-file={}", folder.data().join("server.pid").display()),
            format!("--log-error={}", ServerLog::file(folder).display()),
            "--bind-address=127.0.0.1".to_owned(),
            // Its path would be too long for many a folder.
            "--socket=".to_owned(),
            // A user is let in by address: nobody is asked whose it is.
            "--skip-name-resolve".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--default-time-zone=+00:00".to_owned(),
            // Of MySQL alone: a second protocol at a port that others have as well.
            "--loose-mysqlx=OFF".to_owned(),
            "--local-infile=OFF".to_owned(),
        ];
        settings.extend(runs.map(|runs| format!("--port={}", runs.port)));
        match runs {
            Some(Runs { keeps_log: true, .. }) => settings.extend(KEEPING_LOG.map(str::to_owned)),
            // It fills the disk.
            Some(_) | None => settings.push("--skip-log-bin".to_owned()),
        }
        if self.maker == Maker::MySql {
            // What its packages name need not be there. MariaDB has no such word, and names no folder by itself.
            settings.push("--secure-file-priv=NULL".to_owned());
        }
        settings
    }
}

/// Tables of a statement that memory does not hold.
fn temporary(folder: &Folder) -> PathBuf {
    folder.path().join("tmp")
}

/// A process that goes on when this one ends, and hears nothing of what is typed at its terminal.
fn spawn(folder: &Folder, command: &mut Command) -> std::io::Result<Child> {
    let output = fs::File::create(folder.log().join("start.log"))?;
    let copy = output.try_clone()?;
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command.stdout(output).stderr(copy).spawn()
}

/// What the server says from a moment on.
struct ServerLog {
    files: [PathBuf; 2],
    begin: usize,
}

impl ServerLog {
    fn file(folder: &Folder) -> PathBuf {
        folder.log().join("server.log")
    }

    fn from_now(folder: &Folder) -> Self {
        let file = Self::file(folder);
        let begin = fs::metadata(&file).map_or(0, |file| usize::try_from(file.len()).unwrap_or(0));
        Self { begin, files: [file, folder.log().join("start.log")] }
    }

    /// What it complains of.
    fn said(&self) -> String {
        let [log, start] = self.files.each_ref().map(|file| fs::read(file).unwrap_or_default());
        let log = log.get(self.begin..).unwrap_or_default();
        complaints(&format!("{}\n{}", String::from_utf8_lossy(&start), String::from_utf8_lossy(log)))
    }
}
