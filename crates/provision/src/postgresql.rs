//! PostgreSQL's programs and the words they are called with. Everything is said on the command line, so that a service manager
//! starts the server exactly as the producer does.

use crate::account::Account;
use crate::answers;
use crate::copying;
use crate::failure::ProvisionFailure;
use crate::folder::{Folder, last_lines};
use crate::instance::FirstUser;
use crate::programs::{search, version_folders};
use crate::unit::Service;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// All of them are needed.
const PROGRAMS: &[&str] = &["initdb", "pg_ctl", "postgres"];
/// What copies a server.
const COPYING: &[&str] = &["pg_basebackup", "pg_receivewal", "pg_verifybackup"];
/// Parents of folders with a version each, and what lies beneath: Debian, Red Hat, Homebrew on either kind of Mac.
const PACKAGES: &[(&str, &str)] =
    &[("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")];
/// The user that packages make.
pub const ACCOUNT: &str = "postgres";
/// The superuser of a server that is made here.
pub const SUPERUSER: &str = "postgres";
/// Locales that sort by code point and know the letters of all languages, the first that the system has.
const LOCALES: &[&str] = &["C.UTF-8", "C"];
/// Seconds that a server may take to start: it may have to make good what a crash has left.
const START_TIMEOUT: &str = "60";
/// How often it is tried: after a crash, processes of the server that is gone may take a moment to see that it is.
const START_ATTEMPTS: u32 = 10;
const START_PAUSE: Duration = Duration::from_millis(500);

/// A copy, and the moment of its log that is meant.
pub struct Recovery<'r> {
    /// Writes the archive of the data.
    pub base: Give<'r>,
    /// Writes each file of the log, by its name.
    pub log: Vec<(String, WritesFile<'r>)>,
    /// How far it goes.
    pub target: RecoveryTarget,
}

/// A moment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryTarget {
    /// That of a mark with that name.
    Point(String),
    /// That time, UTC.
    Time(String),
}

/// Writes a file.
pub type WritesFile<'r> = Box<dyn FnMut(&mut dyn Write) -> io::Result<()> + 'r>;

type Give<'r> = &'r mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// The folder of the programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs(pub PathBuf);

impl Programs {
    /// The newest that are installed.
    pub fn find() -> Option<Self> {
        let folders = search(|| version_folders(PACKAGES));
        folders.into_iter().find(|folder| PROGRAMS.iter().all(|name| folder.join(name).is_file())).map(Self)
    }

    /// Those of that version, with all that copies a server.
    pub fn of_version(version: i32) -> Option<Self> {
        let folders = search(|| version_folders(PACKAGES));
        let mut complete =
            folders.into_iter().filter(|folder| PROGRAMS.iter().chain(COPYING).all(|name| folder.join(name).is_file()));
        complete.find(|folder| is_of_version(folder, version)).map(Self)
    }

    /// Makes what the server keeps of a copy, and has it go on to the moment that is meant.
    pub fn recover(
        &self,
        folder: &Folder,
        account: &Account,
        port: u16,
        recovery: &mut Recovery<'_>,
    ) -> Result<(), ProvisionFailure> {
        let data = folder.data();
        copying::unpack(account, &data, recovery.base)?;
        let mut verify = account.command(&self.0.join("pg_verifybackup"));
        folder.carry_out("pg_verifybackup", verify.arg("--no-parse-wal").arg("--quiet").arg(&data))?;
        let archive = folder.path().join("archive");
        account.make_folder(&archive).map_err(ProvisionFailure::file(&archive))?;
        for (name, give) in &mut recovery.log {
            let path = archive.join(&*name);
            account.make_file(&path, "").map_err(ProvisionFailure::file(&path))?;
            let written = fs::File::create(&path).and_then(|mut file| give(&mut file));
            written.map_err(ProvisionFailure::file(&path))?;
        }
        let file = |name: &str, content: &str| {
            let path = data.join(name);
            account.make_file(&path, content).map_err(ProvisionFailure::file(path))
        };
        let text = |name: &str| fs::read_to_string(data.join(name)).unwrap_or_default();
        // Packages keep it elsewhere; without it the server is as it comes.
        if !data.join("postgresql.conf").exists() {
            file("postgresql.conf", "")?;
        }
        if !data.join("pg_ident.conf").exists() {
            file("pg_ident.conf", "")?;
        }
        file("pg_hba.conf.of-the-copy", &text("pg_hba.conf"))?;
        file(
            "pg_hba.conf",
            "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n",
        )?;
        // It must not write into the archive of the server that it is a copy of.
        let own = text("postgresql.auto.conf") + "\narchive_mode = off\nssl = off\n";
        let meant = match &recovery.target {
            RecoveryTarget::Point(name) => format!("recovery_target_name = '{}'", name.replace('\'', "''")),
            // The letters of RFC 3339 are none that a setting takes.
            RecoveryTarget::Time(time) => {
                format!("recovery_target_time = '{}'", time.replace('T', " ").replace('Z', "+00").replace('\'', "''"))
            }
        };
        let lines = [
            own.clone(),
            format!("restore_command = 'cp \"{}/%f\" \"%p\"'", archive.display()),
            meant,
            "recovery_target_action = 'promote'".to_owned(),
            "hot_standby = off".to_owned(),
            // The file system writes what was unpacked to the disk at once, and not file by file.
            if cfg!(target_os = "linux") { "recovery_init_sync_method = syncfs\n" } else { "" }.to_owned(),
        ];
        file("postgresql.auto.conf", &lines.join("\n"))?;
        file("recovery.signal", "")?;
        self.start(folder, account, port)?;
        file("postgresql.auto.conf", &own)
    }

    /// Makes what the server keeps.
    pub fn initialise(&self, folder: &Folder, account: &Account, user: &FirstUser<'_>) -> Result<(), ProvisionFailure> {
        let password = folder.path().join("password");
        account.make_file(&password, user.password).map_err(ProvisionFailure::file(&password))?;
        let mut made = Ok(());
        for locale in LOCALES {
            let mut initdb = account.command(&self.0.join("initdb"));
            initdb.arg("--pgdata").arg(folder.data()).arg("--pwfile").arg(&password);
            initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256"]);
            initdb.args(["--encoding", "UTF8", "--locale", locale, "--data-checksums"]);
            made = folder.carry_out("initdb", &mut initdb);
            if made.is_ok() {
                break;
            }
        }
        let removed = fs::remove_file(&password).map_err(ProvisionFailure::file(&password));
        made.and(removed)
    }

    /// What a service manager runs.
    pub fn service(&self, folder: &Folder, port: u16) -> Service {
        let mut words = vec![self.0.join("postgres").display().to_string()];
        words.extend(["-D".to_owned(), folder.data().display().to_string()]);
        for (name, value) in settings(port, &folder.log()) {
            words.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        // What is being done is undone, and nobody is waited for.
        Service { words, stop_signal: "SIGINT" }
    }

    /// Whether it is this server that has the port: its own note says so.
    pub fn has_port(folder: &Folder, port: u16) -> bool {
        let says_port = |text: String| text.lines().nth(3) == Some(port.to_string().as_str());
        fs::read_to_string(folder.data().join("postmaster.pid")).is_ok_and(says_port)
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&self, folder: &Folder, account: &Account, port: u16) -> Result<(), ProvisionFailure> {
        let options = options(&settings(port, &folder.log()));
        let log = folder.log().join("start.log");
        let attempt = || {
            // What is said in there is of this attempt.
            let _ = fs::remove_file(&log);
            let mut start = account.command(&self.0.join("pg_ctl"));
            start.arg("--pgdata").arg(folder.data()).arg("--log").arg(&log);
            start.args(["--wait", "--timeout", START_TIMEOUT, "--options", &options, "start"]);
            folder.carry_out("pg_ctl start", &mut start)
        };
        for _ in 1..START_ATTEMPTS {
            if attempt().is_ok() {
                return Ok(());
            }
            std::thread::sleep(START_PAUSE);
        }
        attempt().map_err(|failure| match failure {
            ProvisionFailure::Program { program, said, log: of_server } => {
                let said = fs::read_to_string(&log).map_or(said, |text| last_lines(&text));
                ProvisionFailure::Program { program, said, log: of_server }
            }
            other => other,
        })
    }

    /// Ends it in order, if it runs.
    pub fn stop(&self, folder: &Folder, account: &Account, port: u16) -> Result<(), ProvisionFailure> {
        if !Self::has_port(folder, port) || !answers(port) {
            return Ok(());
        }
        let mut stop = account.command(&self.0.join("pg_ctl"));
        stop.arg("--pgdata").arg(folder.data()).args(["--wait", "--mode", "fast", "stop"]);
        folder.carry_out("pg_ctl stop", &mut stop)
    }
}

fn is_of_version(folder: &Path, version: i32) -> bool {
    let output = Command::new(folder.join("postgres")).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let words = text.split_whitespace();
    words.filter_map(|word| word.split('.').next()?.parse::<i32>().ok()).next() == Some(version)
}

/// The settings of the server, name and value.
pub fn settings(port: u16, log: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("port", port.to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        // Its path would be too long for many a folder.
        ("unix_socket_directories", String::new()),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        // A week of logs, a file a day.
        ("logging_collector", "on".to_owned()),
        ("log_directory", log.display().to_string()),
        ("log_filename", "server-%a.log".to_owned()),
        ("log_rotation_age", "1d".to_owned()),
        ("log_rotation_size", "0".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
    ]
}

/// The settings as words that a shell understands.
pub fn options(settings: &[(&str, String)]) -> String {
    let word = |(name, value): &(&str, String)| format!("-c {name}='{}'", value.replace('\'', r"'\''"));
    settings.iter().map(word).collect::<Vec<_>>().join(" ")
}
