//! The store: one file, written whole, which only this user reads. Whoever changes it excludes others meanwhile; reading needs
//! nobody's leave.

use crate::export::write_private;
use crate::key::KeySource;
use crate::record::{Label, Record, Stage};
use crate::{MAX_VALUE_BYTES, SecretFailure, SecretName, SecretText};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The form of the file.
const FORMAT: u32 = 1;

/// The secrets of a workspace. Cheap to make; nothing is read or made before it is asked.
#[derive(Debug, Clone)]
pub struct SecretStore {
    folder: PathBuf,
    keys: KeySource,
}

/// A secret as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedSecret {
    /// Its name.
    pub name: SecretName,
    /// Counts its values.
    pub version: u32,
    /// When its first value was set, UTC.
    pub set_at: String,
    /// When the value of today was set, UTC.
    pub changed_at: String,
    /// Whether a rotation was begun and not ended.
    pub is_rotating: bool,
    /// Until when the value before it is still taken, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_until: Option<String>,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    format: u32,
    /// The key that opens it, by its fingerprint; absent in a store that was never locked.
    key: Option<String>,
    /// By name and stage.
    secrets: Vec<Record>,
}

/// Held while the file is changed; the operating system lets it go when the process dies.
struct Changing {
    _file: fs::File,
}

impl SecretStore {
    /// The store in a workspace's state folder, which exists by the time that something is set. Its key comes from the
    /// environment or from a key file of this user.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self::with_keys(folder, KeySource::of_environment())
    }

    pub(crate) fn with_keys(folder: &Path, keys: KeySource) -> Self {
        Self { folder: folder.to_owned(), keys }
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    /// All secrets by name, without values. No key is needed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<ListedSecret>, SecretFailure> {
        let content = self.read()?;
        let current = content.secrets.iter().filter(|record| record.stage == Stage::Current);
        let listed = |record: &Record| ListedSecret {
            name: record.name.clone(),
            version: record.version,
            set_at: record.set_at.clone(),
            changed_at: record.changed_at.clone(),
            is_rotating: content.find(&record.name, Stage::Next).is_some(),
            before_until: content.find(&record.name, Stage::Previous).and_then(|before| before.until.clone()),
        };
        Ok(current.map(listed).collect())
    }

    /// The value in use; `None` when nobody has set it.
    ///
    /// # Errors
    /// When the key does not open the store, or the record was changed by somebody.
    pub fn get(&self, name: &SecretName) -> Result<Option<SecretText>, SecretFailure> {
        self.value(name, Stage::Current)
    }

    /// The value of a rotation that was begun and not ended.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn next(&self, name: &SecretName) -> Result<Option<SecretText>, SecretFailure> {
        self.value(name, Stage::Next)
    }

    /// The value that was in use before, and until when it is still taken; `None` when that is over at `now`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn previous(&self, name: &SecretName, now: &str) -> Result<Option<(SecretText, String)>, SecretFailure> {
        let content = self.read()?;
        let until = content.find(name, Stage::Previous).and_then(|record| record.until.clone());
        let Some(until) = until.filter(|until| now < until.as_str()) else { return Ok(None) };
        Ok(self.value(name, Stage::Previous)?.map(|value| (value, until)))
    }

    fn value(&self, name: &SecretName, stage: Stage) -> Result<Option<SecretText>, SecretFailure> {
        let content = self.read()?;
        let Some(record) = content.find(name, stage) else { return Ok(None) };
        let key = self.keys.find(content.key.as_deref(), &self.file())?;
        record.open(&key).map(Some).ok_or_else(|| self.broken(name))
    }

    /// Sets a value, in the place of the one that was. A rotation that was begun is forgotten.
    ///
    /// # Errors
    /// When the value is empty or too long, or the store cannot be opened or written; it is as it was then.
    pub fn set(&self, name: &SecretName, value: &str, now: &str) -> Result<(), SecretFailure> {
        self.put(name, Stage::Current, value, now, None)
    }

    /// Sets a value, and keeps the one that was in use to be taken until then.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_beside(&self, name: &SecretName, value: &str, now: &str, until: &str) -> Result<(), SecretFailure> {
        self.put(name, Stage::Current, value, now, Some(until))
    }

    /// Begins a rotation: keeps a value that shall be the one in use, beside the one that is.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_next(&self, name: &SecretName, value: &str, now: &str) -> Result<(), SecretFailure> {
        self.put(name, Stage::Next, value, now, None)
    }

    fn put(
        &self,
        name: &SecretName,
        stage: Stage,
        value: &str,
        now: &str,
        until: Option<&str>,
    ) -> Result<(), SecretFailure> {
        let wrong = |why| SecretFailure::Value { name: name.clone(), why };
        if value.is_empty() {
            return Err(wrong("is empty"));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(wrong("has more than 65,536 bytes"));
        }
        let _changing = self.change()?;
        let mut content = self.read()?;
        let key = self.keys.find(content.key.as_deref(), &self.file())?;
        let known = content.find(name, Stage::Current);
        let label = Label {
            name: name.clone(),
            version: known.map_or(0, |record| record.version) + 1,
            stage,
            set_at: known.map_or_else(|| now.to_owned(), |record| record.set_at.clone()),
            changed_at: now.to_owned(),
            until: None,
        };
        let record = Record::seal(&key, label, value)?;
        let before = match known.zip(until) {
            Some((known, until)) => {
                let value = known.open(&key).ok_or_else(|| self.broken(name))?;
                let label = Label { until: Some(until.to_owned()), ..known.label(Stage::Previous) };
                Some(Record::seal(&key, label, value.expose())?)
            }
            None => None,
        };
        content.secrets.retain(|known| known.name != *name || (stage == Stage::Next && known.stage == Stage::Current));
        content.secrets.push(record);
        content.secrets.extend(before);
        content.key = Some(key.fingerprint);
        self.write(content)
    }

    /// Ends a rotation: the value that was kept beside the one in use takes its place. Nothing happens when there is none.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn promote(&self, name: &SecretName) -> Result<(), SecretFailure> {
        let _changing = self.change()?;
        let mut content = self.read()?;
        let Some(next) = content.find(name, Stage::Next) else { return Ok(()) };
        let key = self.keys.find(content.key.as_deref(), &self.file())?;
        let value = next.open(&key).ok_or_else(|| self.broken(name))?;
        let record = Record::seal(&key, next.label(Stage::Current), value.expose())?;
        content.secrets.retain(|known| known.name != *name);
        content.secrets.push(record);
        self.write(content)
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`SecretFailure::Unknown`] when there is none of that name.
    pub fn remove(&self, name: &SecretName) -> Result<(), SecretFailure> {
        let _changing = self.change()?;
        let mut content = self.read()?;
        let before = content.secrets.len();
        content.secrets.retain(|known| known.name != *name);
        if content.secrets.len() == before {
            return Err(SecretFailure::Unknown(name.clone()));
        }
        self.write(content)
    }

    /// Locks the store with another key: `PRODUCER_SECRET_KEY_NEW`, or a key file that is made. Returns its fingerprint; `None`
    /// when there is nothing that was ever locked.
    ///
    /// # Errors
    /// When a record cannot be opened; nothing was changed then.
    pub fn rekey(&self) -> Result<Option<String>, SecretFailure> {
        let _changing = self.change()?;
        let mut content = self.read()?;
        let Some(fingerprint) = content.key.clone() else { return Ok(None) };
        // Every record is opened before a new key is made: what cannot be opened must not be lost.
        let old = self.keys.find_to_leave(&fingerprint, &self.file())?;
        for record in &content.secrets {
            record.open(&old).ok_or_else(|| self.broken(&record.name))?;
        }
        let new = self.keys.successor(&old)?;
        for record in &mut content.secrets {
            *record = record.under(&old, &new)?.ok_or_else(|| self.broken(&record.name))?;
        }
        content.key = Some(new.fingerprint.clone());
        self.write(content)?;
        self.keys.forget(&fingerprint);
        Ok(Some(new.fingerprint))
    }

    fn broken(&self, name: &SecretName) -> SecretFailure {
        SecretFailure::Damaged { file: self.file(), why: format!("the record of `{name}` is not as it was sealed") }
    }

    fn change(&self) -> Result<Changing, SecretFailure> {
        let path = self.folder.join("secrets.lock");
        let open = || {
            let file = fs::File::options().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = open().map_err(|source| SecretFailure::File { path: path.clone(), source })?;
        Ok(Changing { _file: file })
    }

    fn read(&self) -> Result<Content, SecretFailure> {
        let file = self.file();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(source) => return Err(SecretFailure::File { path: file, source }),
        };
        let damaged = |why: String| SecretFailure::Damaged { file: file.clone(), why };
        let content: Content = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if content.format != FORMAT {
            return Err(damaged(format!("format {} is not known to this program", content.format)));
        }
        Ok(content)
    }

    fn write(&self, mut content: Content) -> Result<(), SecretFailure> {
        content.format = FORMAT;
        content.secrets.sort_by(|left, right| (&left.name, left.stage).cmp(&(&right.name, right.stage)));
        let file = self.file();
        let damaged = |error: serde_json::Error| SecretFailure::Damaged { file: file.clone(), why: error.to_string() };
        let mut text = serde_json::to_vec_pretty(&content).map_err(damaged)?;
        text.push(b'\n');
        write_private(&file, &text)
    }
}

impl Content {
    fn find(&self, name: &SecretName, stage: Stage) -> Option<&Record> {
        self.secrets.iter().find(|record| record.name == *name && record.stage == stage)
    }
}
