//! Why a backup cannot be made or read. What is wrong with one is never left to whoever restores it to find out.

use std::io;
use std::path::{Path, PathBuf};

/// A failure.
#[derive(Debug, thiserror::Error)]
pub enum BackupFailure {
    /// An object is there, and is not what was written.
    #[error("object `{object}` of backup {backup} is not what was written: {why}")]
    Damaged {
        /// The backup.
        backup: String,
        /// The object.
        object: String,
        /// What is wrong.
        why: String,
    },
    /// An object that the manifest names is not there.
    #[error("object `{object}` of backup {backup} is gone")]
    Missing {
        /// The backup.
        backup: String,
        /// The object.
        object: String,
    },
    /// What says what the backup is cannot be believed.
    #[error("the manifest of backup {backup} is damaged: {why}")]
    Manifest {
        /// The backup.
        backup: String,
        /// What is wrong.
        why: String,
    },
    /// It is encrypted, and not with this key, or there is none.
    #[error("backup {backup} cannot be opened: {why}")]
    Key {
        /// The backup.
        backup: String,
        /// What is wrong.
        why: String,
    },
    /// What was written reads back as something else.
    #[error("what was written to `{path}` reads back as something else: {why}")]
    NotKept {
        /// The file.
        path: PathBuf,
        /// How it differs.
        why: String,
    },
    /// A bucket does not take or give what it should.
    #[error("`{place}`: {why}")]
    Bucket {
        /// Where.
        place: String,
        /// What its server says.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BackupFailure {
    pub(crate) fn file(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}
