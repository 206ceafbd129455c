//! Copies of a running server by the programs of its engine, and servers that are made of such copies. Where the server is comes in as
//! the environment of these programs; the password is in it and nowhere else.

use crate::account::Account;
use crate::failure::ProvisionFailure;
use crate::folder::last_lines;
use crate::postgresql;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use vocab::Engine;
use zeroize::Zeroizing;

/// The programs that copy a PostgreSQL server.
pub struct Copier {
    programs: PathBuf,
    environment: Vec<(&'static str, Zeroizing<String>)>,
}

impl Copier {
    /// Those that are installed for a server of that version.
    ///
    /// # Errors
    /// [`ProvisionFailure::NotInstalled`] where there are none.
    pub fn find(version: i32, environment: Vec<(&'static str, Zeroizing<String>)>) -> Result<Self, ProvisionFailure> {
        let found = postgresql::Programs::of_version(version);
        let programs = found.ok_or(ProvisionFailure::NotInstalled(Engine::PostgreSql))?.0;
        Ok(Self { programs, environment })
    }

    /// Hands the server's data over as it comes, as one tar archive.
    ///
    /// # Errors
    /// What the taker says, or [`ProvisionFailure`] when the program does not come to its end: what was taken is worth nothing then.
    pub fn base<E: From<ProvisionFailure>>(&self, take: impl FnOnce(&mut dyn Read) -> Result<(), E>) -> Result<(), E> {
        let words = ["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--no-password"];
        let mut command = self.command("pg_basebackup");
        handed_over("pg_basebackup", command.args(words), take)
    }

    /// Brings the server's log from where the slot stands until that place in it, as files of a folder.
    ///
    /// # Errors
    /// [`ProvisionFailure`] when not all of it comes.
    pub fn log(&self, slot: &str, until: &str, folder: &Path) -> Result<Vec<PathBuf>, ProvisionFailure> {
        fs::create_dir_all(folder).map_err(ProvisionFailure::file(folder))?;
        let mut command = self.command("pg_receivewal");
        command.arg("--directory").arg(folder).arg(format!("--slot={slot}")).arg(format!("--endpos={until}"));
        command.args(["--no-loop", "--no-password", "--synchronous"]);
        done("pg_receivewal", &mut command)?;
        let entries = fs::read_dir(folder).map_err(ProvisionFailure::file(folder))?;
        let mut files = Vec::new();
        for entry in entries {
            files.push(entry.map_err(ProvisionFailure::file(folder))?.path());
        }
        files.sort();
        match files.is_empty() {
            true => Err(failed("pg_receivewal", "it has brought nothing of the log".to_owned())),
            false => Ok(files),
        }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null()).env_clear().env("LC_ALL", "C");
        command.envs(self.environment.iter().map(|(name, value)| (name, value.as_str())));
        command
    }
}

/// Unpacks an archive into a folder, as the user that will run the server.
pub(crate) fn unpack(
    account: &Account,
    folder: &Path,
    give: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ProvisionFailure> {
    let tar = ["/usr/bin/tar", "/bin/tar"].into_iter().map(Path::new).find(|path| path.is_file());
    let mut command = account.command(tar.unwrap_or(Path::new("tar")));
    command.arg("--extract").arg("--directory").arg(folder).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed("tar", error.to_string()))?;
    let complaints = child.stderr.take().map(read_aside);
    let given = match child.stdin.take() {
        Some(mut to) => give(&mut to),
        None => Ok(()),
    };
    let ended = end("tar", child, complaints);
    given.map_err(ProvisionFailure::file(folder))?;
    ended
}

pub(crate) type Complaints = std::thread::JoinHandle<String>;

/// A pipe that nobody reads stops whoever writes.
/// What a program writes is handed over as it comes. What was taken is worth nothing where the program does not come to its end.
pub(crate) fn handed_over<E: From<ProvisionFailure>>(
    name: &str,
    command: &mut Command,
    take: impl FnOnce(&mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut child = spawn(name, command.stdout(Stdio::piped()))?;
    let complaints = child.stderr.take().map(read_aside);
    let taken = match child.stdout.take() {
        Some(mut out) => take(&mut out),
        None => Ok(()),
    };
    if taken.is_err() {
        // Nobody takes the rest.
        let _ = child.kill();
    }
    let ended = end(name, child, complaints);
    taken.and_then(|()| Ok(ended?))
}

/// A program that writes nothing which is wanted, until its end.
pub(crate) fn done(name: &str, command: &mut Command) -> Result<(), ProvisionFailure> {
    let mut child = spawn(name, command.stdout(Stdio::null()))?;
    let complaints = child.stderr.take().map(read_aside);
    end(name, child, complaints)
}

pub(crate) fn spawn(name: &str, command: &mut Command) -> Result<Child, ProvisionFailure> {
    command.stderr(Stdio::piped()).spawn().map_err(|error| failed(name, error.to_string()))
}

pub(crate) fn read_aside(mut pipe: impl Read + Send + 'static) -> Complaints {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // What cannot be read is not repeated.
        let _ = pipe.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

pub(crate) fn end(name: &str, mut child: Child, complaints: Option<Complaints>) -> Result<(), ProvisionFailure> {
    let status = child.wait().map_err(|error| failed(name, error.to_string()))?;
    let said = complaints.and_then(|complaints| complaints.join().ok()).unwrap_or_default();
    match status.success() {
        true => Ok(()),
        false => Err(failed(name, last_lines(&said))),
    }
}

pub(crate) fn failed(program: &str, said: String) -> ProvisionFailure {
    ProvisionFailure::Program { program: program.to_owned(), said, log: PathBuf::new() }
}
