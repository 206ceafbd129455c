//! Why there is no private server, sorted by what somebody can do about it.

use std::io;
use std::path::PathBuf;
use vocab::Engine;

/// A private server that cannot be made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionFailure {
    /// The engine's programs are not there.
    #[error("no programs of {0} are installed here")]
    NotInstalled(Engine),
    /// They do not run as root, and there is nobody else.
    #[error("{engine} does not run as root, and this machine has no user `{account}`")]
    NoAccount {
        /// The engine.
        engine: Engine,
        /// The user that its packages make.
        account: &'static str,
    },
    /// The user that runs the server cannot come to its folder.
    #[error("the user `{account}`, who runs the server, cannot pass through `{folder}`")]
    OutOfReach {
        /// The user.
        account: String,
        /// The outermost folder that is closed to it.
        folder: PathBuf,
    },
    /// Somebody else listens where the server should.
    #[error("port {port} of this machine is taken by another program")]
    PortTaken {
        /// The port.
        port: u16,
        /// The file that says so.
        record: PathBuf,
    },
    /// A program did not do what it should.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Its name.
        program: String,
        /// The end of what it said.
        said: String,
        /// Where more is said.
        log: PathBuf,
    },
    /// A file cannot be used.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what this program wrote.
    #[error("`{path}` is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl ProvisionFailure {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }
}
