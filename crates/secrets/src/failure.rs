//! Why a secret cannot be kept or read, and what to do about it. Never a value, never a key.

use crate::name::{InvalidSecretName, SecretName};
use std::io;
use std::path::PathBuf;

/// Why the store did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretFailure {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidSecretName),
    /// Nobody has set it.
    #[error("the secret store has no `{0}`: set it with `producer secrets set {0}`")]
    Unknown(SecretName),
    /// The value is none.
    #[error("the value of `{name}` {why}; nothing was changed")]
    Value {
        /// Whose.
        name: SecretName,
        /// Why.
        why: &'static str,
    },
    /// Two secrets would be one environment variable.
    #[error(
        "`{one}` and `{other}` would both be the variable `{variable}`: name the ones to export, or use `--format json`"
    )]
    SameVariable {
        /// The one.
        one: SecretName,
        /// The other.
        other: SecretName,
        /// What both would be.
        variable: String,
    },
    /// A key that was given is none.
    #[error(
        "`{0}` must hold 32 random bytes as base64 or as 64 hexadecimal digits; `openssl rand -base64 32` makes such a key"
    )]
    NotAKey(&'static str),
    /// The key that the environment brings does not open the store.
    #[error(
        "`PRODUCER_SECRET_KEY` is key {given}, and `{file}` was locked with key {wanted}: set the right key, or unset the variable \
         if the key is in a file"
    )]
    WrongKey {
        /// The key that was given, by its fingerprint.
        given: String,
        /// The key that opens it.
        wanted: String,
        /// The store.
        file: PathBuf,
    },
    /// The key file that opens the store is not there.
    #[error(
        "`{file}` was locked with key {wanted}, and `{key_file}` is not there: bring that file back, or set `PRODUCER_SECRET_KEY`"
    )]
    KeyMissing {
        /// The key that opens it, by its fingerprint.
        wanted: String,
        /// Where it was looked for.
        key_file: PathBuf,
        /// The store.
        file: PathBuf,
    },
    /// There is no place for a key file.
    #[error("there is no home folder to keep a key in: set `PRODUCER_SECRET_KEY` to 32 random bytes as base64")]
    NoPlaceForKey,
    /// Others on the machine can read the key.
    #[error("`{path}` can be read by others on this machine: `chmod 600 {path}`, and think of the secrets as known")]
    OpenKeyFile {
        /// The key file.
        path: PathBuf,
    },
    /// The new key is the old one.
    #[error(
        "the store has that key already: set `PRODUCER_SECRET_KEY_NEW` to another one, or unset `PRODUCER_SECRET_KEY` to have a \
         key file made"
    )]
    SameKey,
    /// The file is not what this program wrote.
    #[error("`{file}` is damaged or was changed by somebody: {why}; nothing was changed, bring it back from a copy")]
    Damaged {
        /// The store.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file cannot be read or written.
    #[error("`{path}` cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
}
