//! Copies of a database of MariaDB by its own programs, over the network: what a dump holds, what the server's binary log holds from a
//! place on, and both put into another server. Where the server is comes in as words; the password is in the environment of the programs
//! and nowhere else.

use crate::copying::{done, end, failed, handed_over, read_aside, spawn};
use crate::failure::ProvisionFailure;
use crate::mysql;
use crate::programs::search;
use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use vocab::Engine;
use zeroize::Zeroizing;

const DUMP: &str = "mariadb-dump";
const LOG: &str = "mariadb-binlog";
const CLIENT: &str = "mariadb";
/// How every binary log begins; behind it comes the event that describes the form of the others.
const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];
/// Where the head of an event says how long the event is.
const LENGTH_AT: usize = 9;
const HEAD: usize = 19;
/// The longest value that is put into a server that nobody else uses.
const LONGEST: &str = "1073741824";

/// The programs that copy a MariaDB database.
pub struct Dumper {
    folder: PathBuf,
    words: Vec<String>,
    password: Zeroizing<String>,
}

/// What a server's binary log holds from a place on, as far as one file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// The copy.
    pub path: PathBuf,
    /// What the server calls the file.
    pub name: String,
    /// The first byte of the server's file that it holds; 4 where it holds all.
    pub start: u64,
    /// The first behind the last.
    pub end: u64,
}

/// What is put into a server behind a dump.
pub struct Replay<'r> {
    /// Files of the log that follow each other, each whole from its start on.
    pub files: &'r [LogFile],
    /// The place in the first of them at which the dump was made.
    pub from: u64,
    /// Changes of that second, and all behind it, are left out: `2030-01-31T12:00:00Z`.
    pub until: Option<&'r str>,
}

impl Dumper {
    /// The programs that are installed, for a server that these words lead to.
    ///
    /// # Errors
    /// [`ProvisionFailure::NotInstalled`] where there are none.
    pub fn find(words: Vec<String>, password: Zeroizing<String>) -> Result<Self, ProvisionFailure> {
        let folders = search(|| mysql::PACKAGES.iter().map(PathBuf::from).collect());
        let is_complete = |folder: &PathBuf| [DUMP, LOG, CLIENT].iter().all(|name| folder.join(name).is_file());
        let folder = folders.into_iter().find(is_complete).ok_or(ProvisionFailure::NotInstalled(Engine::MySql))?;
        Ok(Self { folder, words, password })
    }

    /// Hands a database over as it comes, as statements that make it. Its first bytes come when the program's own snapshot stands.
    ///
    /// # Errors
    /// What the taker says, or [`ProvisionFailure`] when the program does not come to its end: what was taken is worth nothing then.
    pub fn dump<E: From<ProvisionFailure>>(
        &self,
        database: &str,
        take: impl FnOnce(&mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut command = self.command(DUMP);
        command.args(["--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob"]);
        command.args(["--no-tablespaces", "--skip-lock-tables", "--default-character-set=utf8mb4"]);
        command.arg(format!("--max-allowed-packet={LONGEST}")).args(["--databases", database]);
        handed_over(DUMP, &mut command, take)
    }

    /// Brings the server's log from that place until its end, as files of a folder.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when not all of it comes.
    pub fn log(&self, file: &str, from: u64, folder: &Path) -> Result<Vec<LogFile>, ProvisionFailure> {
        fs::create_dir_all(folder).map_err(ProvisionFailure::file(folder))?;
        let mut command = self.command(LOG);
        command.args(["--read-from-remote-server", "--raw", "--to-last-log"]).arg(format!("--start-position={from}"));
        // What is put before the names of files: a folder only with its last stroke.
        command.arg(format!("--result-file={}/", folder.display())).arg(file);
        done(LOG, &mut command)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(ProvisionFailure::file(folder))? {
            let path = entry.map_err(ProvisionFailure::file(folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let start = if name == file { from } else { FIRST };
            files.push(LogFile::of(path, name, start)?);
        }
        files.sort_by_key(|file| number_of(&file.name));
        match files.first().is_some_and(|first| first.name == file) {
            true => Ok(files),
            false => Err(failed(LOG, "it has brought nothing of the log".to_owned())),
        }
    }

    /// Has the server carry out statements.
    ///
    /// # Errors
    /// What is said by who gives them, or [`ProvisionFailure`] when the server refuses one.
    pub fn load(&self, give: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), ProvisionFailure> {
        let mut child = spawn(CLIENT, self.client().stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let complaints = child.stderr.take().map(read_aside);
        let given = match child.stdin.take() {
            Some(mut to) => give(&mut to),
            None => Ok(()),
        };
        if given.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            // Half a statement is not to be taken for one.
            let _ = child.kill();
        }
        // Who does not read on says why.
        end(CLIENT, child, complaints)?;
        given.map_err(ProvisionFailure::file("what is restored"))
    }

    /// Has a server that nobody else uses take long values.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it does not.
    pub fn admit_long_values(&self) -> Result<(), ProvisionFailure> {
        self.load(&mut |to| writeln!(to, "SET GLOBAL max_allowed_packet = {LONGEST};"))
    }

    /// Has the server do again what the log says was done to that database, and to no other; it ends with a whole transaction.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when the log cannot be read, or the server refuses what it says.
    pub fn replay(&self, database: &str, replay: &Replay<'_>) -> Result<(), ProvisionFailure> {
        let Some(first) = replay.files.first() else { return Ok(()) };
        let mut read = Command::new(self.folder.join(LOG));
        read.stdin(Stdio::null()).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        read.args(["--no-defaults", "--verify-binlog-checksum"]).arg(format!("--database={database}"));
        let (mut files, mut skipped) = (replay.files, first.offset_of(replay.from)?);
        if replay.from >= first.end {
            (files, skipped) = (&replay.files[1..], FIRST);
        }
        if files.is_empty() {
            return Ok(());
        }
        read.arg(format!("--start-position={skipped}"));
        if let Some(until) = replay.until {
            let second = until.get(..19).unwrap_or(until).replace('T', " ");
            read.arg(format!("--stop-datetime={second}"));
        }
        read.args(files.iter().map(|file| &file.path));
        let mut reading = spawn(LOG, read.stdout(Stdio::piped()))?;
        let complaints = reading.stderr.take().map(read_aside);
        let statements = reading.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let mut child = spawn(CLIENT, self.client().stdin(statements).stdout(Stdio::null()).arg(database))?;
        let refusals = child.stderr.take().map(read_aside);
        // The one that is refused something ends first, and the other with it.
        let done = end(CLIENT, child, refusals);
        let read = end(LOG, reading, complaints);
        done.and(read)
    }

    fn client(&self) -> Command {
        let mut command = self.command(CLIENT);
        command.args(["--binary-mode", "--batch", "--default-character-set=utf8mb4"]);
        command.arg(format!("--max-allowed-packet={LONGEST}"));
        command
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.stdin(Stdio::null()).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        command.env("MYSQL_PWD", self.password.as_str()).arg("--no-defaults").args(&self.words);
        command
    }
}

/// Where the first event of a file is.
const FIRST: u64 = MAGIC.len() as u64;

impl LogFile {
    /// What was copied of a file of that name from that place on.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it is no log.
    pub fn of(path: PathBuf, name: String, start: u64) -> Result<Self, ProvisionFailure> {
        let size = fs::metadata(&path).map_err(ProvisionFailure::file(&path))?.len();
        let described = described(&path)?;
        let end = if start == FIRST { size } else { start + size.saturating_sub(described) };
        Ok(Self { path, name, start, end })
    }

    /// Where in the copy a place of the server's file is.
    fn offset_of(&self, place: u64) -> Result<u64, ProvisionFailure> {
        match self.start == FIRST {
            true => Ok(place),
            false => Ok(described(&self.path)? + place.saturating_sub(self.start)),
        }
    }

    /// Writes what another one holds behind what this one does, where it follows.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when it does not follow, or cannot be written.
    pub fn extend(&mut self, other: &Self) -> Result<(), ProvisionFailure> {
        if other.name != self.name || other.start != self.end {
            let why = format!("`{}` goes until {}, and what follows begins at {}", self.name, self.end, other.start);
            return Err(ProvisionFailure::Damaged { path: other.path.clone(), why });
        }
        let append = || {
            let mut from = File::open(&other.path)?;
            from.seek(SeekFrom::Start(described(&other.path).map_err(io::Error::other)?))?;
            io::copy(&mut from, &mut File::options().append(true).open(&self.path)?)
        };
        append().map_err(ProvisionFailure::file(&self.path))?;
        self.end = other.end;
        Ok(())
    }
}

/// The number that the name of a file of the log ends with.
#[must_use]
pub fn number_of(name: &str) -> Option<u64> {
    name.rsplit_once('.')?.1.parse().ok()
}

/// How many bytes a copy has before the first event that is of a place: it says of itself what the form of the others is.
fn described(path: &Path) -> Result<u64, ProvisionFailure> {
    let mut head = [0; MAGIC.len() + HEAD];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    let is_log = read.is_ok() && head[..MAGIC.len()] == MAGIC;
    let length = &head[MAGIC.len() + LENGTH_AT..][..4];
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    match is_log {
        true => Ok(FIRST + length),
        false => Err(ProvisionFailure::Damaged { path: path.to_owned(), why: "it is no binary log".to_owned() }),
    }
}
