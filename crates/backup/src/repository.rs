//! The folder of a database's backups, on a disk or in a bucket: each is a folder of its own, with objects that are written first and a
//! manifest that is written last. What was written is read back before that; what goes is taken away the other way round.

use crate::bucket::Bucket;
use crate::failure::BackupFailure;
use crate::key::Key;
use crate::manifest::{FILE, Manifest, Object};
use crate::object;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The backups of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    folder: PathBuf,
    bucket: Option<Bucket>,
}

/// A backup that is there.
#[derive(Debug)]
pub enum Kept {
    /// Its manifest can be believed.
    Whole(Manifest),
    /// It cannot.
    Damaged(BackupFailure),
}

/// A backup that is being made. Dropped before it is finished it leaves nothing.
pub struct Writing<'k> {
    /// Where objects are made, and stay where there is no bucket.
    folder: PathBuf,
    /// Where they go from there.
    remote: Option<Remote>,
    key: Option<&'k Key>,
    objects: Vec<Object>,
    is_finished: bool,
}

/// A backup in a bucket, and the folder of this machine through which its objects go.
struct Remote {
    bucket: Bucket,
    _scratch: TempDir,
}

impl Repository {
    /// The backups in that folder. Nothing is made before the first is begun.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, bucket: None }
    }

    /// The backups under that name in a bucket.
    #[must_use]
    pub fn in_bucket(bucket: &Bucket, name: &str) -> Self {
        let bucket = bucket.within(name);
        Self { folder: bucket.url("").into(), bucket: Some(bucket) }
    }

    /// The folder; the URL of a bucket's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a backup of that name; encrypted where there is a key.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when the folder cannot be made, or one of that name is there.
    pub fn begin<'k>(&self, id: &str, key: Option<&'k Key>) -> Result<Writing<'k>, BackupFailure> {
        if let Some(bucket) = &self.bucket {
            let there = self.folder.join(id).join(FILE);
            if bucket.get(&format!("{id}/{FILE}"))?.is_some() {
                return Err(BackupFailure::file(&there)(io::ErrorKind::AlreadyExists.into()));
            }
            let scratch = tempfile::tempdir().map_err(BackupFailure::file(&std::env::temp_dir()))?;
            let folder = scratch.path().to_owned();
            let remote = Some(Remote { bucket: bucket.within(id), _scratch: scratch });
            return Ok(Writing { folder, remote, key, objects: Vec::new(), is_finished: false });
        }
        let folder = self.folder.join(id);
        fs::create_dir_all(&self.folder).map_err(BackupFailure::file(&self.folder))?;
        fs::create_dir(&folder).map_err(BackupFailure::file(&folder))?;
        let writing = Writing { folder, remote: None, key, objects: Vec::new(), is_finished: false };
        #[cfg(unix)]
        fs::set_permissions(&writing.folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(BackupFailure::file(&writing.folder))?;
        Ok(writing)
    }

    /// Every backup, the oldest first: names begin with the time. What was begun and has no manifest is none.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when the folder cannot be read.
    pub fn list(&self) -> Result<Vec<(String, Kept)>, BackupFailure> {
        Ok(self.names()?.into_iter().filter_map(|id| self.find(&id).map(|kept| (id, kept))).collect())
    }

    /// One by its name; none where it was begun and has no manifest.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Kept> {
        match self.manifest(id) {
            Ok(manifest) => manifest.map(Kept::Whole),
            Err(failure) => Some(Kept::Damaged(failure)),
        }
    }

    /// The newest whose manifest can be believed.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when the folder cannot be read.
    pub fn newest(&self) -> Result<Option<Manifest>, BackupFailure> {
        let mut names = self.names()?.into_iter().rev();
        Ok(names.find_map(|id| self.manifest(&id).ok().flatten()))
    }

    /// What was begun and never finished, or was being taken away.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when the folder cannot be read.
    pub fn unfinished(&self) -> Result<Vec<String>, BackupFailure> {
        let mut names = self.names()?;
        if let Some(bucket) = &self.bucket {
            let mut unfinished = Vec::new();
            for id in names {
                if bucket.get(&format!("{id}/{FILE}"))?.is_none() {
                    unfinished.push(id);
                }
            }
            return Ok(unfinished);
        }
        names.retain(|id| !self.folder.join(id).join(FILE).exists());
        Ok(names)
    }

    /// The names of all that is there, whole or not, in their order.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, BackupFailure> {
        if let Some(bucket) = &self.bucket {
            let mut names = bucket.folders()?;
            names.sort();
            return Ok(names);
        }
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(BackupFailure::file(&self.folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(BackupFailure::file(&self.folder))?;
            if entry.path().is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The manifest of a backup; `None` where there is no backup of that name.
    ///
    /// # Errors
    /// [`BackupFailure`] when it cannot be read or believed.
    pub fn manifest(&self, id: &str) -> Result<Option<Manifest>, BackupFailure> {
        let path = self.folder.join(id).join(FILE);
        let bytes = match &self.bucket {
            Some(bucket) => bucket.get(&format!("{id}/{FILE}"))?,
            None => match fs::read(&path) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(BackupFailure::file(&path)(error)),
            },
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8(bytes)
            .map_err(|_| BackupFailure::Manifest { backup: id.to_owned(), why: "it is no text".to_owned() })?;
        Manifest::open(id, &text).map(Some)
    }

    /// Brings an object back, byte for byte.
    ///
    /// # Errors
    /// [`BackupFailure`], and what was brought is worth nothing.
    pub fn read(
        &self,
        manifest: &Manifest,
        name: &str,
        key: Option<&Key>,
        to: &mut dyn Write,
    ) -> Result<(), BackupFailure> {
        let (backup, folder) = (manifest.id.as_str(), self.folder.join(&manifest.id));
        let known = manifest.objects.iter().find(|object| object.name == name);
        let gone = || BackupFailure::Missing { backup: backup.to_owned(), object: name.to_owned() };
        let known = known.ok_or_else(gone)?;
        let Some(bucket) = &self.bucket else { return object::read((backup, &folder), known, key, to) };
        // What is not all there, and as it was, is opened by nobody.
        let scratch = tempfile::tempdir().map_err(BackupFailure::file(&std::env::temp_dir()))?;
        let path = scratch.path().join(&known.file);
        let mut file = File::create_new(&path).map_err(BackupFailure::file(&path))?;
        bucket.within(backup).fetch(&known.file, &mut file)?.ok_or_else(gone)?;
        object::read((backup, scratch.path()), known, key, to)
    }

    /// Takes a backup away, its manifest first.
    ///
    /// # Errors
    /// [`BackupFailure::File`] when it cannot be taken away; what is left is no backup any more.
    pub fn remove(&self, id: &str) -> Result<(), BackupFailure> {
        if let Some(bucket) = &self.bucket {
            bucket.remove(&format!("{id}/{FILE}"))?;
            return bucket.remove_all(id);
        }
        let folder = self.folder.join(id);
        let manifest = folder.join(FILE);
        match fs::remove_file(&manifest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupFailure::file(&manifest)(error)),
            Ok(()) | Err(_) => sync(&folder)?,
        }
        fs::remove_dir_all(&folder).map_err(BackupFailure::file(&folder))
    }
}

impl Writing<'_> {
    /// Keeps an object, and reads it back.
    ///
    /// # Errors
    /// [`BackupFailure`] when it cannot be written, or reads back as something else.
    pub fn add(&mut self, name: &str, from: &mut dyn Read) -> Result<(), BackupFailure> {
        let object = object::write(&self.folder, name, from, self.key)?;
        let path = self.folder.join(&object.file);
        let (path, why) = match &self.remote {
            Some(Remote { bucket, .. }) => {
                bucket.put_file(&object.file, &path)?;
                fs::remove_file(&path).map_err(BackupFailure::file(&path))?;
                let there = bucket.fetch(&object.file, &mut io::sink())?;
                let gone = || Some("it is not there".to_owned());
                let why = there.map_or_else(gone, |(size, sha256)| object::differs((size, &sha256), &object));
                (bucket.url(&object.file).into(), why)
            }
            None => {
                let why = object::difference(&path, &object).map_err(BackupFailure::file(&path))?;
                (path, why)
            }
        };
        if let Some(why) = why {
            return Err(BackupFailure::NotKept { path, why });
        }
        self.objects.push(object);
        Ok(())
    }

    /// Makes it a backup. `describe` is given its objects.
    ///
    /// # Errors
    /// [`BackupFailure`], and there is none.
    pub fn finish(mut self, describe: impl FnOnce(Vec<Object>) -> Manifest) -> Result<Manifest, BackupFailure> {
        let manifest = describe(std::mem::take(&mut self.objects));
        let text = manifest.sealed()?;
        if let Some(Remote { bucket, .. }) = &self.remote {
            bucket.put_text(FILE, &text)?;
            if bucket.get(FILE)?.as_deref() != Some(text.as_bytes()) {
                let path = bucket.url(FILE).into();
                return Err(BackupFailure::NotKept { path, why: "the manifest differs".to_owned() });
            }
            self.is_finished = true;
            return Ok(manifest);
        }
        let (temporary, path) = (self.folder.join(".manifest.json.tmp"), self.folder.join(FILE));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        };
        sync(&self.folder)?;
        write().map_err(BackupFailure::file(&path))?;
        sync(&self.folder)?;
        sync(self.folder.parent().unwrap_or(&self.folder))?;
        let read = fs::read_to_string(&path).map_err(BackupFailure::file(&path))?;
        if read != text {
            return Err(BackupFailure::NotKept { path, why: "the manifest differs".to_owned() });
        }
        self.is_finished = true;
        Ok(manifest)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        if let Some(Remote { bucket, .. }) = &self.remote {
            let removed = bucket.remove(FILE).and_then(|()| bucket.remove_all(""));
            if let Err(error) = removed {
                let bucket = bucket.url("");
                tracing::warn!(bucket, error = %error, "what was begun of a backup is still there");
            }
            return;
        }
        // Its manifest may be there and not be what was written.
        let _ = fs::remove_file(self.folder.join(FILE));
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), error = %error, "what was begun of a backup is still there");
        }
    }
}

/// Names of files reach the disk with their folder.
fn sync(folder: &Path) -> Result<(), BackupFailure> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupFailure::file(folder))?;
    Ok(())
}
