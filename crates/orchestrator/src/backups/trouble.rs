//! What goes wrong with backups, told to whoever has to do something about it: each has a code with a page.

use crate::failure::{Failure, FileTrouble};
use backup::{BackupFailure, WrongKey};
use plan::database::LocationPart;
use provision::ProvisionFailure;
use std::io;
use std::path::Path;
use store::{Database, StoreError};
use vocab::TaskId;

/// A file of a backup is not what was written.
const DAMAGED: &str = "IP382";
/// A file of a backup is gone.
const MISSING: &str = "IP383";
/// What says what a backup is cannot be believed.
const MANIFEST: &str = "IP384";
/// A backup is encrypted, and there is no key or another one.
const KEY: &str = "IP385";
/// Backups cannot be written or read where they go.
const DESTINATION: &str = "IP386";
/// What was restored is not what was backed up.
const DIFFERENT: &str = "IP387";
/// There is no backup of that time.
const NONE: &str = "IP388";
/// What is restored would take the place of something.
const IN_THE_WAY: &str = "IP389";
/// The database cannot be copied.
const NOT_COPIED: &str = "IP390";

/// What is asked for is for files, and the database is a server's.
const OF_FILES: &str = "IP391";
/// What opens a bucket is not there.
const NO_BUCKET: &str = "IP393";
/// The role of the connection, or the server, lets nobody copy everything.
const NOT_ALLOWED: &str = "IP392";

const TAKE_ANOTHER: &str =
    "nothing was restored; `producer db backups TASK` lists the others, and `--backup NAME` takes one of them";

pub fn told(failure: &BackupFailure) -> Box<Failure> {
    let message = failure.to_string();
    Box::new(match failure {
        BackupFailure::Damaged { .. } => Failure::backup(DAMAGED, message, TAKE_ANOTHER),
        BackupFailure::Missing { .. } => Failure::backup(MISSING, message, TAKE_ANOTHER),
        BackupFailure::Manifest { .. } => Failure::backup(MANIFEST, message, TAKE_ANOTHER),
        BackupFailure::Key { .. } => {
            let hint = "give the key that it was made with: nobody else can open it";
            Failure::backup(KEY, message, hint)
        }
        BackupFailure::NotKept { .. } => {
            let hint = "there is no backup; let it go to a disk that keeps what it is given";
            Failure { retryable: true, ..Failure::backup(DESTINATION, message, hint) }
        }
        BackupFailure::File { path, source } => file(path, source),
        BackupFailure::Bucket { place, why } => {
            let hint = "see that the bucket is there, and that the key may list, read, write and remove in it";
            Failure {
                cause: Some(why.clone()),
                place: Some(place.clone()),
                retryable: true,
                ..Failure::backup(DESTINATION, "the bucket of backups does not do what it is asked", hint)
            }
        }
    })
}

/// A file of a backup, or one that is made of one, cannot be written or read.
pub fn file(path: &Path, source: &io::Error) -> Failure {
    let trouble = FileTrouble::of(source, "destination");
    Failure {
        cause: Some(source.to_string()),
        place: Some(path.display().to_string()),
        retryable: trouble.retryable,
        ..Failure::backup(DESTINATION, "a file of a backup cannot be written or read", trouble.hint)
    }
}

pub fn no_key(reference: &LocationPart, wrong: &WrongKey) -> Failure {
    Failure {
        cause: Some(wrong.to_string()),
        ..Failure::backup(KEY, format!("`{reference}` is no key for backups"), way_to_set(reference))
    }
}

/// A bucket that nobody can come to.
pub fn no_bucket(why: String) -> Failure {
    let hint = "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, and `AWS_ENDPOINT_URL` for a server that is not \
                Amazon's: in the environment, or with `producer secrets set`";
    Failure { cause: Some(why), ..Failure::backup(NO_BUCKET, "the bucket of backups cannot be opened", hint) }
}

/// What backups need is not there.
pub fn not_set(reference: &LocationPart) -> Failure {
    let hint = format!(
        "{}; a key is what `age-keygen` makes, or a passphrase: keep it where it does not burn with this machine too, for a backup is \
         worth nothing without it",
        way_to_set(reference)
    );
    Failure::backup(KEY, format!("`{reference}` is not set, and backups need it"), hint)
}

fn way_to_set(reference: &LocationPart) -> String {
    match reference {
        LocationPart::Secret(name) => format!("set it: `producer secrets set {name}`"),
        LocationPart::Environment(_) | LocationPart::Text(_) => "set that variable where the producer runs".to_owned(),
    }
}

pub fn not_completed(task_id: &TaskId) -> Failure {
    let message = format!("task `{task_id}` was never completed, so there is no database of it");
    Failure::backup(NOT_COPIED, message, "run the task first")
}

pub fn engine_without_backups(database: &Database) -> Failure {
    let message =
        format!("this producer makes no backups of {} yet: only of SQLite, PostgreSQL and MariaDB", database.place());
    Failure::backup(NOT_COPIED, message, "use the engine's own programs")
}

pub fn of_files(option: &str) -> Failure {
    let message =
        format!("`{option}` is for databases that are files: this one comes back as a private server of its own");
    let hint =
        "leave it out; then have the `connection` of the task name the server that comes back, or copy what is needed";
    Failure::backup(OF_FILES, message, hint)
}

pub fn hindered(hindrances: &[String], database: &Database) -> Failure {
    let hint = "have somebody who may do that do it, or remove `backup`";
    Failure {
        cause: Some(hindrances.join("; ")),
        place: Some(database.place()),
        ..Failure::backup(NOT_ALLOWED, "the server cannot be backed up like this", hint)
    }
}

/// A program of the engine did not do what it should.
pub fn program(failure: &ProvisionFailure) -> Box<Failure> {
    let of_provision = Failure::provision(failure);
    Box::new(Failure {
        cause: Some(
            of_provision
                .cause
                .map_or(of_provision.message.clone(), |cause| format!("{}: {cause}", of_provision.message)),
        ),
        ..Failure::backup(
            NOT_COPIED,
            "the engine's own programs could not do it",
            of_provision.hint.unwrap_or_default(),
        )
    })
}

pub fn not_copied(error: &StoreError, database: &Database) -> Failure {
    Failure {
        cause: Some(error.to_string()),
        place: Some(database.place()),
        retryable: true,
        ..Failure::backup(NOT_COPIED, "the database cannot be copied", "see that it can be read, and try again")
    }
}

pub fn different(id: &str, differences: &[String]) -> Failure {
    Failure {
        cause: Some(differences.join("; ")),
        ..Failure::backup(DIFFERENT, format!("what backup {id} brings back is not what was backed up"), TAKE_ANOTHER)
    }
}

pub fn none(message: String, hint: impl Into<String>) -> Failure {
    Failure::backup(NONE, message, hint)
}

pub fn gap(message: String, hint: impl Into<String>) -> Failure {
    Failure::backup(MISSING, message, hint)
}

pub fn in_the_way(message: String, hint: impl Into<String>) -> Failure {
    Failure::backup(IN_THE_WAY, message, hint)
}
