//! Locks that tell whether a server is there: one that the server takes itself, which names its process, and one that it inherits
//! from whoever starts it, which holds from its first moment on. Both die with it, whatever way it dies.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Holds a file for this process and all that it starts from now on, until the last of them ends or lets go. `None` while others do.
pub fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    #[cfg(unix)]
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
    Ok(Some(file))
}

/// Whether somebody holds it.
pub fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(unix)]
pub type Process = rustix::process::Pid;
#[cfg(not(unix))]
pub type Process = u32;

/// The process that has locked a file for itself.
#[cfg(unix)]
pub fn holder(file: &Path) -> Option<Process> {
    use rustix::process::{Flock, FlockType, fcntl_getlk};
    let file = std::fs::File::open(file).ok()?;
    fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok().flatten()?.pid
}

#[cfg(not(unix))]
pub fn holder(_: &Path) -> Option<Process> {
    None
}

/// Asks it to end. One that is gone already is as good.
#[cfg(unix)]
pub fn terminate(process: Process) {
    let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
}

/// Ends it at once. One that is gone already is as good.
#[cfg(unix)]
pub fn kill(process: Process) {
    let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
}

#[cfg(not(unix))]
pub fn terminate(_: Process) {}

#[cfg(not(unix))]
pub fn kill(_: Process) {}
