//! What a backup is, as it stands beside its objects. It is written last, so that there is a backup where there is one, and carries its
//! own hash, so that it can be believed.

use crate::failure::BackupFailure;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vocab::{Engine, TaskId, sha256_hex};

/// The form of manifests that this program writes and reads.
pub(crate) const FORMAT: u32 = 1;
/// The file.
pub(crate) const FILE: &str = "manifest.json";

/// A backup. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name, which begins with when it was made.
    pub id: String,
    /// The task whose database it is.
    pub task_id: TaskId,
    /// The engine of the database.
    pub engine: Engine,
    /// With its version, as responses show it.
    pub engine_version: String,
    /// The moment whose state it holds, UTC: everything that was committed until then.
    pub moment: String,
    /// When it was complete, UTC.
    pub completed_at: String,
    /// The plans that stand on the database, by task: SHA-256 of their texts.
    pub plans: BTreeMap<TaskId, String>,
    /// What that moment is called in the log of the server, where the backup goes on to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// Which server it is of, where its log is kept: another one at the same address has another log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What belongs to it.
    pub objects: Vec<Object>,
}

/// An object: so many bytes, compressed and perhaps encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// The file that holds it.
    pub file: String,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// Bytes of what was kept.
    pub size: u64,
    /// SHA-256 of it.
    pub sha256: String,
    /// Bytes of the file.
    pub stored_size: u64,
    /// SHA-256 of the file.
    pub stored_sha256: String,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Sealed {
    format: u32,
    /// SHA-256 of the manifest as one line of JSON.
    sha256: String,
    manifest: Json,
}

impl Manifest {
    /// The file's text.
    pub(crate) fn sealed(&self) -> Result<String, BackupFailure> {
        let failed = |error: serde_json::Error| self.damaged(error.to_string());
        let manifest = serde_json::to_value(self).map_err(failed)?;
        let sealed = Sealed { format: FORMAT, sha256: sha256_hex(manifest.to_string().as_bytes()), manifest };
        Ok(serde_json::to_string_pretty(&sealed).map_err(failed)? + "\n")
    }

    /// What the file of that backup says, if it can be believed.
    pub(crate) fn open(id: &str, text: &str) -> Result<Self, BackupFailure> {
        let damaged = |why: String| BackupFailure::Manifest { backup: id.to_owned(), why };
        let sealed: Sealed = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if sealed.format != FORMAT {
            return Err(damaged(format!("it has format {}, and this program reads {FORMAT}", sealed.format)));
        }
        if sha256_hex(sealed.manifest.to_string().as_bytes()) != sealed.sha256 {
            return Err(damaged("its hash is another one".to_owned()));
        }
        let manifest: Self = serde_json::from_value(sealed.manifest).map_err(|error| damaged(error.to_string()))?;
        match manifest.id == id {
            true => Ok(manifest),
            false => Err(damaged(format!("it is that of backup {}", manifest.id))),
        }
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn stored_size(&self) -> u64 {
        self.objects.iter().map(|object| object.stored_size).sum()
    }

    fn damaged(&self, why: String) -> BackupFailure {
        BackupFailure::Manifest { backup: self.id.clone(), why }
    }
}
