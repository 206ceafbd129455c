//! Who runs a server: this user, or, because no database runs as root, the one that the engine's package has made. That user
//! gets the server's own folders and a way to them, and nothing else of the workspace.

use crate::failure::ProvisionFailure;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use vocab::Engine;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    other: Option<Other>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Other {
    name: &'static str,
    user: u32,
    group: u32,
}

impl Account {
    /// Who runs servers of that engine here, where its packages make that user.
    pub fn of(engine: Engine, name: &'static str) -> Result<Self, ProvisionFailure> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self { other: None });
        }
        match (id(&["-u", name]), id(&["-g", name])) {
            (Some(user), Some(group)) => Ok(Self { other: Some(Other { name, user, group }) }),
            (None, _) | (_, None) => Err(ProvisionFailure::NoAccount { engine, account: name }),
        }
    }

    /// Its name, where it is not this user.
    pub fn name(&self) -> Option<&'static str> {
        self.other.as_ref().map(|other| other.name)
    }

    /// A program as this user, with nothing of our environment but the path.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        #[cfg(unix)]
        if let Some(other) = &self.other {
            use std::os::unix::process::CommandExt as _;
            command.uid(other.user).gid(other.group);
        }
        command
    }

    /// A folder that only this user reads.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)?;
        set_mode(path, 0o700)?;
        self.give(path)
    }

    /// A new file that only this user reads.
    pub fn make_file(&self, path: &Path, content: &str) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = fs::File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        io::Write::write_all(&mut options.open(path)?, content.as_bytes())?;
        self.give(path)
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        match &self.other {
            #[cfg(unix)]
            Some(other) => std::os::unix::fs::chown(path, Some(other.user), Some(other.group)),
            #[cfg(not(unix))]
            Some(_) => Ok(()),
            None => Ok(()),
        }
    }

    /// Lets this user pass through the workspace's state to the folders beneath; it cannot list what is there.
    pub fn admit(&self, state: &Path) -> io::Result<()> {
        match &self.other {
            #[cfg(unix)]
            Some(other) => {
                std::os::unix::fs::chown(state, None, Some(other.group))?;
                set_mode(state, 0o710)
            }
            #[cfg(not(unix))]
            Some(_) => Ok(()),
            None => Ok(()),
        }
    }

    /// Whether this user comes to a folder.
    pub fn must_reach(&self, folder: &Path) -> Result<(), ProvisionFailure> {
        let Some(name) = self.name() else { return Ok(()) };
        let mut above: Vec<&Path> = folder.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        above.reverse();
        let is_open = |path: &Path| {
            self.command(Path::new("/usr/bin/test")).arg("-x").arg(path).status().is_ok_and(|status| status.success())
        };
        match above.into_iter().find(|path| !is_open(path)) {
            Some(closed) => Err(ProvisionFailure::OutOfReach { account: name.to_owned(), folder: closed.to_owned() }),
            None => Ok(()),
        }
    }
}

pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

fn id(words: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(words).stdin(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
